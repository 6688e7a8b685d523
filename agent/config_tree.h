/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside of the configuration reader, shared by config*.c only: files become a tree of sections in which
 * every key and value knows its line; what is wrong is collected on the way. pm_config_load() builds the
 * inventory from the tree.
 */
#ifndef PM_CONFIG_TREE_H
#define PM_CONFIG_TREE_H

#include "agent/config.h"

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* One kind of section: its keys as libconfuse knows them, and the sections that may stand in it. */
struct config_schema {
	const char *name;
	bool titled;   /* nic "eth0" { }, not bmc { } */
	bool repeated; /* may stand several times in one place */
	cfg_opt_t *keys;
	const struct config_schema *const *sections; /* NULL-terminated, or NULL */
};

extern const struct config_schema config_root_schema;

struct config_value {
	const char *text; /* quotes and escapes resolved; valid UTF-8 without control characters */
	int line;
};

struct config_key {
	struct config_value *values;
	size_t count;
	int line; /* 0: not in the file */
};

/* One section as it stands in a file. */
struct config_node {
	const struct config_schema *schema;
	const char *title; /* NULL without */
	const char *file;  /* lives as long as the inventory */
	int line;
	bool broken;             /* an error in it is already reported, so that keys may be missing */
	struct config_key *keys; /* in the order of schema->keys */
	struct config_node *parent, *first, *last, *next;
};

/* --- config_report.c: errors, warnings, and the memory of the tree ---------------------------- */

struct config_report;

struct config_report *config_report_new(void);
void config_report_free(struct config_report *report);

/* Adds an error; line 0 means the file as a whole. */
void config_error(struct config_report *report, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Keeps a warning for the log. */
void config_warning(struct config_report *report, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* How many errors there were, also those that were too many to keep. */
size_t config_error_count(const struct config_report *report);

/* Writes the warnings to the log, the first hundred of them. */
void config_log_warnings(struct config_report *report);

/* Moves the errors, sorted by file and line and without repetitions, to errors. */
void config_take_errors(struct config_report *report, struct pm_config_errors *errors);

/* Zeroed memory that lives as long as the report. NULL, and an error that is reported once, when memory is
 * short. */
void *config_alloc(struct config_report *report, size_t size);
char *config_copy(struct config_report *report, const char *text, size_t length);

/* "a, b, c" for texts that list what is allowed; lives as long as the report. */
const char *config_join(struct config_report *report, const char *const *names, size_t count);

/* The name most like word, or NULL when none is near. */
const char *config_similar(const char *word, const char *const *names, size_t count);

/* --- config_scan.c: words and marks ----------------------------------------------------------- */

enum config_token_kind { CONFIG_END, CONFIG_WORD, CONFIG_MARK };

struct config_token {
	enum config_token_kind kind;
	char mark; /* { } ( ) , = or + for "+=" */
	int line;
	const char *start, *end; /* as it stands in the text, quotes included */
};

struct config_cursor {
	const char *at, *end;
	const char *file;
	int line;
};

/* Reads the next word or mark; reports characters and strings that are wrong, and goes on behind them. */
struct config_token config_scan(struct config_report *report, struct config_cursor *cursor);

/* The same without moving on, and silent. */
struct config_token config_peek(const struct config_cursor *cursor);

/* The word without quotes and escapes, as libconfuse reads it; lives as long as the report. */
char *config_word(struct config_report *report, const struct config_token *token);

/* --- config_file.c and config_parse.c: files to a tree ---------------------------------------- */

/* The names of all files that were read, in the order in which they were begun. */
struct config_files {
	char **names;
	size_t count;
};

/* Reads path and what it includes; NULL when memory is short. Errors are in report. The caller frees files.
 */
struct config_node *config_read(struct config_report *report, const char *path, struct config_files *files);

/* Called by the parser for include("pattern") on that line. */
struct config_reader;
void config_include(struct config_reader *reader, const char *file, int line, const char *pattern);

/* path itself when absolute, else below the directory of file; lives as long as the report. NULL when memory
 * is short. */
char *config_path(struct config_report *report, const char *file, const char *path);

/* Parses the text of one file and hangs its sections below root. */
void config_parse(struct config_reader *reader, struct config_report *report, struct config_cursor *cursor,
		  struct config_node *root);

/* libconfuse's callback that takes a value with its line. */
int config_take_value(cfg_t *cfg, cfg_opt_t *option, const char *text, void *result);

/* The key of that name, which has to be in the schema; its line is 0 when it was not given. */
const struct config_key *config_key(const struct config_node *node, const char *name);

/* Whether it has a value; and whether it surely was not given, as far as the section could be read. */
bool config_has(const struct config_node *node, const char *name);
bool config_lacks(const struct config_node *node, const char *name);

/* The first section of that kind in node, and the next of the same kind after one; NULL when there is none.
 */
const struct config_node *config_child(const struct config_node *node, const char *name);
const struct config_node *config_sibling(const struct config_node *node);

/* How many sections of that kind there are in node. */
size_t config_count(const struct config_node *node, const char *name);

#endif
