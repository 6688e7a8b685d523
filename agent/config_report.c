/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong with a configuration, sorted as a person reads the files; and the arena of the tree. */
#include "agent/config_tree.h"
#include "agent/log.h"
#include "agent/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PROBLEMS_MAX 100
#define CHUNK_SIZE \
	((size_t)256 * 1024) /* above malloc's mmap threshold: goes back to the system when freed */
#define WORD_MAX 40          /* longer words get no suggestion */

struct problem {
	char *text; /* "line: text" with the file in front when it is taken */
	const char *file;
	int line;
	size_t file_rank; /* which file came first */
	size_t number;    /* which problem came first */
};

struct problems {
	struct problem items[PROBLEMS_MAX];
	size_t kept, total;
};

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct config_report {
	struct problems errors, warnings;
	struct chunk *chunks;
	bool out_of_memory;
};

struct config_report *config_report_new(void)
{
	return calloc(1, sizeof(struct config_report));
}

static void free_problems(struct problems *problems)
{
	for (size_t i = 0; i < problems->kept; i++)
		free(problems->items[i].text);
}

void config_report_free(struct config_report *report)
{
	struct chunk *chunk;

	if (!report)
		return;
	free_problems(&report->errors);
	free_problems(&report->warnings);
	while ((chunk = report->chunks) != NULL) {
		report->chunks = chunk->next;
		free(chunk);
	}
	free(report);
}

/* The rank of the first problem in the same file, or the next free one. */
static size_t rank_file(const struct problems *problems, const char *file)
{
	for (size_t i = 0; i < problems->kept; i++) {
		if (strcmp(problems->items[i].file, file) == 0)
			return problems->items[i].file_rank;
	}
	return problems->kept;
}

__attribute__((format(printf, 4, 0))) static void add_problem(struct problems *problems, const char *file,
							      int line, const char *format, va_list args)
{
	struct problem *problem = &problems->items[problems->kept];
	char *text;

	problems->total++;
	if (problems->kept == PROBLEMS_MAX || vasprintf(&text, format, args) < 0)
		return;
	problem->file_rank = rank_file(problems, file);
	problem->number = problems->total;
	problem->file = file;
	problem->line = line;
	pm_text_make_visible(text);
	problem->text = text;
	problems->kept++;
}

void config_error(struct config_report *report, const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_problem(&report->errors, file, line, format, args);
	va_end(args);
}

void config_warning(struct config_report *report, const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_problem(&report->warnings, file, line, format, args);
	va_end(args);
}

size_t config_error_count(const struct config_report *report)
{
	return report->errors.total;
}

static int compare_problems(const void *a, const void *b)
{
	const struct problem *left = a, *right = b;

	if (left->file_rank != right->file_rank)
		return left->file_rank < right->file_rank ? -1 : 1;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->number < right->number ? -1 : 1;
}

static char *format_problem(const struct problem *problem)
{
	char *text;
	int rc = problem->line > 0 ? asprintf(&text, "%s:%d: %s", problem->file, problem->line, problem->text)
				   : asprintf(&text, "%s: %s", problem->file, problem->text);

	return rc < 0 ? NULL : text;
}

static void log_problem(const struct problem *problem)
{
	char *text = format_problem(problem);

	if (text)
		pm_log(LOG_WARNING, "%s", text);
	free(text);
}

void config_log_warnings(struct config_report *report)
{
	struct problems *warnings = &report->warnings;

	qsort(warnings->items, warnings->kept, sizeof(warnings->items[0]), compare_problems);
	for (size_t i = 0; i < warnings->kept; i++)
		log_problem(&warnings->items[i]);
	if (warnings->total > warnings->kept)
		pm_log(LOG_WARNING, "%s: and %zu more warnings about the configuration",
		       warnings->items[0].file, warnings->total - warnings->kept);
}

static bool same_problem(const struct problem *a, const struct problem *b)
{
	return a->line == b->line && strcmp(a->file, b->file) == 0 && strcmp(a->text, b->text) == 0;
}

static void append_line(struct pm_config_errors *errors, char *line)
{
	if (line)
		errors->lines[errors->count++] = line;
}

void config_take_errors(struct config_report *report, struct pm_config_errors *errors)
{
	struct problems *found = &report->errors;
	char *rest;

	*errors = (struct pm_config_errors){0};
	errors->lines = calloc(found->kept + 1, sizeof(char *));
	if (!errors->lines)
		return;
	qsort(found->items, found->kept, sizeof(found->items[0]), compare_problems);
	for (size_t i = 0; i < found->kept; i++) {
		if (i == 0 || !same_problem(&found->items[i - 1], &found->items[i]))
			append_line(errors, format_problem(&found->items[i]));
	}
	if (found->total > found->kept &&
	    asprintf(&rest, "and %zu more errors", found->total - found->kept) >= 0)
		append_line(errors, rest);
}

static struct chunk *add_chunk(struct config_report *report, size_t size)
{
	size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
	struct chunk *chunk = calloc(1, sizeof(*chunk) + room);

	if (!chunk) {
		if (!report->out_of_memory)
			config_error(report, "configuration", 0, "out of memory");
		report->out_of_memory = true;
		return NULL;
	}
	chunk->size = room;
	chunk->next = report->chunks;
	report->chunks = chunk;
	return chunk;
}

void *config_alloc(struct config_report *report, size_t size)
{
	struct chunk *chunk = report->chunks;
	char *memory;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!chunk || chunk->size - chunk->used < size)
		chunk = add_chunk(report, size);
	if (!chunk)
		return NULL;
	memory = (char *)chunk->data + chunk->used;
	chunk->used += size;
	return memory;
}

char *config_copy(struct config_report *report, const char *text, size_t length)
{
	char *copy = config_alloc(report, length + 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

const char *config_join(struct config_report *report, const char *const *names, size_t count)
{
	size_t length = 1;
	char *text, *end;

	for (size_t i = 0; i < count; i++)
		length += strlen(names[i]) + 2;
	text = end = config_alloc(report, length);
	if (!text)
		return "";
	for (size_t i = 0; i < count; i++) {
		end = stpcpy(end, i ? ", " : "");
		end = stpcpy(end, names[i]);
	}
	return text;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance; both words are shorter than WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], width = strlen(b);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < width; j++) {
			size_t above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[width];
}

const char *config_similar(const char *word, const char *const *names, size_t count)
{
	size_t length = strlen(word), least = length < 4 ? 2 : length < 8 ? 3 : 4; /* must stay below */
	const char *best = NULL;

	if (length == 0 || length >= WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t d = strlen(names[i]) < WORD_MAX ? distance(word, names[i]) : least;

		if (d < least && d < length) {
			least = d;
			best = names[i];
		}
	}
	return best;
}
