/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text of one file to a tree of sections. libconfuse reads the keys and values of each section; the frame
 * of sections around them is found here, because libconfuse stops at the first unknown key, forgets where a
 * section began, cannot nest sections to any depth, and compares each new title with all others.
 */
#include "agent/config_tree.h"
#include "agent/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 100
#define NAMES_MAX 32 /* keys and sections that one section may have */

/* The file being parsed, and the keys of the section whose end is not yet seen. */
struct parser {
	struct config_reader *reader;
	struct config_report *report;
	struct config_cursor cursor;
	int depth;
};

/* The "key = value" statements of one section, as text for libconfuse. */
struct statements {
	FILE *out;
	char *text;
	size_t length;
	int line; /* of the place where the next statement would go */
};

/* libconfuse is not reentrant, and its error callback gets no user pointer. */
static struct {
	struct config_report *report;
	struct config_node *node;
	int line_offset;
} reading;

/* --- what libconfuse calls -------------------------------------------------------------------- */

int config_take_value(cfg_t *cfg, cfg_opt_t *option, const char *text, void *result)
{
	int line = reading.line_offset + cfg->line;
	size_t length = strlen(text);
	struct config_value *value;

	if (!pm_text_is_visible(text))
		config_error(reading.report, reading.node->file, line,
			     "%s holds a control character or is not UTF-8; only printable text is allowed",
			     option->name);
	value = malloc(sizeof(*value) + length + 1);
	if (!value)
		return -1;
	value->line = line;
	value->text = memcpy((char *)(value + 1), text, length + 1);
	*(void **)result = value;
	return 0;
}

__attribute__((format(printf, 2, 0))) static void take_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, args);
	reading.node->broken = true;
	config_error(reading.report, reading.node->file, reading.line_offset + cfg->line,
		     "%s; expected: key = value, or for a list: key = { value, value }", text);
}

/* --- the keys of one section ------------------------------------------------------------------ */

static void copy_values(struct config_report *report, cfg_opt_t *option, struct config_key *key)
{
	unsigned count = cfg_opt_size(option);

	key->values = config_alloc(report, count * sizeof(*key->values));
	if (!key->values)
		return;
	for (unsigned i = 0; i < count; i++) {
		const struct config_value *value = cfg_opt_getnptr(option, i);

		key->values[i].line = value->line;
		key->values[i].text = config_copy(report, value->text, strlen(value->text));
		if (!key->values[i].text)
			return;
		key->count++;
	}
}

static void copy_keys(struct config_report *report, cfg_t *cfg, struct config_node *node)
{
	for (size_t i = 0; node->schema->keys[i].name; i++) {
		if (node->keys[i].line > 0)
			copy_values(report, cfg_getopt(cfg, node->schema->keys[i].name), &node->keys[i]);
	}
}

static void read_statements(struct config_report *report, struct config_node *node, FILE *in)
{
	cfg_t *cfg = cfg_init(node->schema->keys, CFGF_NONE);

	if (!cfg) {
		config_error(report, node->file, node->line, "out of memory");
		return;
	}
	reading.report = report;
	reading.node = node;
	reading.line_offset = node->line - 1;
	cfg_set_error_function(cfg, take_error);
	if (cfg_parse_fp(cfg, in) != CFG_SUCCESS && !node->broken) {
		node->broken = true;
		config_error(report, node->file, node->line, "the keys of %s cannot be read",
			     node->schema->name);
	}
	copy_keys(report, cfg, node);
	cfg_free(cfg);
}

/* Lets libconfuse read the collected statements of a section. */
static void finish_statements(struct parser *parser, struct config_node *node, struct statements *statements)
{
	FILE *in;

	if (!statements->out)
		return;
	if (fclose(statements->out) == 0 &&
	    (in = fmemopen(statements->text, statements->length, "r")) != NULL) {
		read_statements(parser->report, node, in);
		fclose(in);
	} else {
		config_error(parser->report, node->file, node->line, "%s", strerror(errno));
	}
	free(statements->text);
}

static void add_statement(struct parser *parser, struct config_node *node, struct statements *statements,
			  int line, const char *start)
{
	if (!statements->out) {
		statements->out = open_memstream(&statements->text, &statements->length);
		statements->line = node->line;
	}
	if (!statements->out) {
		config_error(parser->report, node->file, line, "%s", strerror(errno));
		return;
	}
	for (; statements->line < line; statements->line++)
		fputc('\n', statements->out);
	fprintf(statements->out, "%.*s ", (int)(parser->cursor.at - start), start);
	statements->line = parser->cursor.line;
}

/* --- names
 * ------------------------------------------------------------------------------------------------------------
 */

static int find_key(const struct config_schema *schema, const char *name)
{
	for (int i = 0; schema->keys[i].name; i++) {
		if (strcmp(schema->keys[i].name, name) == 0)
			return i;
	}
	return -1;
}

static const struct config_schema *find_section(const struct config_schema *schema, const char *name)
{
	for (size_t i = 0; schema->sections && schema->sections[i]; i++) {
		if (strcmp(schema->sections[i]->name, name) == 0)
			return schema->sections[i];
	}
	return NULL;
}

static size_t list_names(const struct config_schema *schema, const char *names[NAMES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; schema->keys[i].name && count < NAMES_MAX; i++)
		names[count++] = schema->keys[i].name;
	for (size_t i = 0; schema->sections && schema->sections[i] && count < NAMES_MAX; i++)
		names[count++] = schema->sections[i]->name;
	return count;
}

static const char *place(const struct config_node *node)
{
	return node->parent ? node->schema->name : "the file";
}

static void report_unknown(struct parser *parser, const struct config_node *node, int line, const char *name)
{
	const char *names[NAMES_MAX];
	size_t count = list_names(node->schema, names);
	const char *similar = config_similar(name, names, count);

	if (strcmp(name, "password") == 0 || strcmp(name, "kg") == 0 || strcmp(name, "secureon") == 0)
		config_error(
		    parser->report, node->file, line,
		    "secrets do not stand in the configuration: write the %s into a file of mode 0600 and use %s-file",
		    name, name);
	else if (strcmp(name, "include") == 0)
		config_error(parser->report, node->file, line,
			     "include(\"FILE\") stands outside of all sections");
	else if (similar)
		config_error(parser->report, node->file, line,
			     "unknown key \"%.64s\" in %s: did you mean \"%s\"?", name, place(node), similar);
	else
		config_error(parser->report, node->file, line, "unknown key \"%.64s\" in %s; known are: %s",
			     name, place(node), config_join(parser->report, names, count));
}

/* --- statements ------------------------------------------------------------------------------- */

static bool is_mark(const struct config_token *token, char mark)
{
	return token->kind == CONFIG_MARK && token->mark == mark;
}

static struct config_token next(struct parser *parser)
{
	return config_scan(parser->report, &parser->cursor);
}

static void expect_failed(struct parser *parser, const struct config_token *token, const char *expected)
{
	if (token->kind == CONFIG_END)
		config_error(parser->report, parser->cursor.file, token->line,
			     "the file ends where %s is expected", expected);
	else
		config_error(parser->report, parser->cursor.file, token->line,
			     "unexpected %.*s where %s is expected",
			     (int)(token->end - token->start < 64 ? token->end - token->start : 64),
			     token->start, expected);
}

/* Moves behind the list whose { was read. */
static void skip_list(struct parser *parser, const char *name, int line)
{
	struct config_token token;

	for (;;) {
		token = config_peek(&parser->cursor);
		if (token.kind == CONFIG_END || (token.kind == CONFIG_MARK && !strchr("},", token.mark))) {
			config_error(parser->report, parser->cursor.file, line,
				     "the list %s is not closed: the } is missing", name);
			return;
		}
		next(parser);
		if (is_mark(&token, '}'))
			return;
	}
}

/* Moves behind the value of "key = value", whose = was read. */
static void skip_value(struct parser *parser, const char *name, int line)
{
	struct config_token token = config_peek(&parser->cursor);

	if (token.kind == CONFIG_WORD) {
		next(parser);
	} else if (is_mark(&token, '{')) {
		next(parser);
		skip_list(parser, name, line);
	} else {
		expect_failed(parser, &token, "a value");
	}
}

/* Checks that key number index may be set here and notes it. */
static bool note_key(struct parser *parser, struct config_node *node, int index,
		     const struct config_token *mark)
{
	struct config_key *key = &node->keys[index];
	const char *name = node->schema->keys[index].name;

	if (is_mark(mark, '=') && key->line > 0) {
		config_error(parser->report, node->file, mark->line,
			     "%s was already set in line %d; keep one of them, or use += for a list", name,
			     key->line);
		return false;
	}
	if (key->line == 0)
		key->line = mark->line;
	return true;
}

/* "name = value" or "name += { value }", of which name was read. */
static void parse_key(struct parser *parser, struct config_node *node, const struct config_token *word,
		      const char *name, struct statements *statements)
{
	struct config_token mark = next(parser);
	int index = find_key(node->schema, name);
	size_t errors = config_error_count(parser->report);

	if (index < 0 && find_section(node->schema, name))
		config_error(parser->report, node->file, word->line, "%s is a section: write %s { ... }",
			     name, name);
	else if (index < 0)
		report_unknown(parser, node, word->line, name);
	else
		(void)note_key(parser, node, index, &mark);
	skip_value(parser, name, mark.line);
	if (config_error_count(parser->report) == errors)
		add_statement(parser, node, statements, word->line, word->start);
	else
		node->broken = true;
}

/* include("pattern"), of which the word was read. */
static void parse_call(struct parser *parser, struct config_node *node, const struct config_token *word,
		       const char *name)
{
	struct config_token token;
	const char *pattern = NULL;

	next(parser);
	token = config_peek(&parser->cursor);
	if (token.kind == CONFIG_WORD) {
		next(parser);
		pattern = config_word(parser->report, &token);
		token = config_peek(&parser->cursor);
	}
	if (is_mark(&token, ')'))
		next(parser);
	if (strcmp(name, "include") != 0 || node->parent)
		report_unknown(parser, node, word->line, name);
	else if (!pattern || !is_mark(&token, ')'))
		expect_failed(parser, &token, "include(\"FILE\")");
	else
		config_include(parser->reader, node->file, word->line, pattern);
}

static void parse_block(struct parser *parser, struct config_node *node);

static struct config_node *add_node(struct parser *parser, struct config_node *parent,
				    const struct config_schema *schema, const char *title, int line)
{
	struct config_node *node = config_alloc(parser->report, sizeof(*node));
	int keys = cfg_numopts(schema->keys);

	if (!node)
		return NULL;
	*node =
	    (struct config_node){.schema = schema, .title = title, .file = parser->cursor.file, .line = line};
	node->keys = config_alloc(parser->report, (size_t)keys * sizeof(*node->keys));
	if (!node->keys)
		return NULL;
	node->parent = parent;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return node;
}

static void check_section(struct parser *parser, const struct config_node *node,
			  const struct config_schema *schema, int line, const char *title)
{
	const struct config_node *other = schema->repeated ? NULL : config_child(node, schema->name);

	if (schema->titled && (!title || !*title))
		config_error(parser->report, node->file, line, "%s needs a name: %s \"NAME\" { ... }",
			     schema->name, schema->name);
	if (!schema->titled && title)
		config_error(parser->report, node->file, line, "%s takes no name: write %s { ... }",
			     schema->name, schema->name);
	if (title && !pm_text_is_visible(title))
		config_error(parser->report, node->file, line,
			     "the name of this %s holds a control character", schema->name);
	if (other)
		config_error(parser->report, node->file, line,
			     "a second %s in %s; the first is in line %d of %s", schema->name, place(node),
			     other->line, other->file);
}

/* Skips the section whose { was read. */
static void skip_section(struct parser *parser)
{
	int depth = 1;

	while (depth > 0) {
		struct config_token token = next(parser);

		if (token.kind == CONFIG_END)
			return;
		depth += is_mark(&token, '{') - is_mark(&token, '}');
	}
}

/* name { ... } or name "title" { ... }, whose { was read. */
static void parse_section(struct parser *parser, struct config_node *node, int line, const char *name,
			  const char *title)
{
	const struct config_schema *schema = find_section(node->schema, name);
	struct config_node *child;

	if (!schema || parser->depth == DEPTH_MAX) {
		if (schema)
			config_error(parser->report, node->file, line, "sections nest deeper than %d",
				     DEPTH_MAX);
		else if (find_key(node->schema, name) >= 0)
			config_error(parser->report, node->file, line, "%s is a key: write %s = ...", name,
				     name);
		else
			report_unknown(parser, node, line, name);
		skip_section(parser);
		return;
	}
	check_section(parser, node, schema, line, title);
	child = add_node(parser, node, schema, title ? title : schema->titled ? "" : NULL, line);
	if (child) {
		parser->depth++;
		parse_block(parser, child);
		parser->depth--;
	}
}

/* Whether a section of that name cannot stand here, but could around here: then a } was forgotten. */
static bool belongs_outside(struct parser *parser, const struct config_node *node,
			    const struct config_token *word)
{
	const struct config_node *outer = node->parent;
	const char *name;
	struct config_cursor ahead = parser->cursor;
	struct config_token token;

	config_scan(NULL, &ahead);
	token = config_scan(NULL, &ahead);
	if (token.kind == CONFIG_WORD)
		token = config_scan(NULL, &ahead);
	name = is_mark(&token, '{') ? config_word(parser->report, word) : NULL;
	if (!name || find_section(node->schema, name) || find_key(node->schema, name) >= 0)
		return false;
	while (outer && !find_section(outer->schema, name))
		outer = outer->parent;
	if (outer)
		config_error(parser->report, node->file, word->line,
			     "%s cannot stand in %s, which begins in line %d: is a } missing before it?",
			     name, node->schema->name, node->line);
	return outer != NULL;
}

/* One statement, which begins with that word. */
static void parse_statement(struct parser *parser, struct config_node *node, struct statements *statements)
{
	struct config_token word = next(parser), token = config_peek(&parser->cursor);
	const char *name = config_word(parser->report, &word), *title = NULL;

	if (!name)
		return;
	if (is_mark(&token, '=') || is_mark(&token, '+')) {
		parse_key(parser, node, &word, name, statements);
		return;
	}
	if (is_mark(&token, '(')) {
		parse_call(parser, node, &word, name);
		return;
	}
	if (token.kind == CONFIG_WORD) {
		next(parser);
		title = config_word(parser->report, &token);
		token = config_peek(&parser->cursor);
	}
	if (is_mark(&token, '{')) {
		next(parser);
		parse_section(parser, node, word.line, name, title);
		return;
	}
	node->broken = true;
	config_error(parser->report, node->file, word.line,
		     "after \"%.64s\" an = or a section's { is missing", name);
}

/* The contents of a section up to and with its }, or of the file. */
static void parse_block(struct parser *parser, struct config_node *node)
{
	struct statements statements = {0};
	struct config_token token;

	for (;;) {
		token = config_peek(&parser->cursor);
		if (token.kind == CONFIG_WORD && node->parent && belongs_outside(parser, node, &token))
			break;
		if (token.kind == CONFIG_WORD) {
			parse_statement(parser, node, &statements);
			continue;
		}
		next(parser);
		if (token.kind == CONFIG_END || (is_mark(&token, '}') && node->parent))
			break;
		expect_failed(parser, &token, is_mark(&token, '}') ? "a section" : "a key or a section");
	}
	if (token.kind == CONFIG_END && node->parent)
		config_error(parser->report, node->file, node->line,
			     "this %s is not closed: its } is missing", node->schema->name);
	finish_statements(parser, node, &statements);
}

void config_parse(struct config_reader *reader, struct config_report *report, struct config_cursor *cursor,
		  struct config_node *root)
{
	struct parser parser = {.reader = reader, .report = report, .cursor = *cursor};
	const char *file = root->file;

	root->file = cursor->file;
	parse_block(&parser, root);
	root->file = file;
}

const struct config_key *config_key(const struct config_node *node, const char *name)
{
	return &node->keys[find_key(node->schema, name)];
}

bool config_has(const struct config_node *node, const char *name)
{
	return config_key(node, name)->count > 0;
}

bool config_lacks(const struct config_node *node, const char *name)
{
	return config_key(node, name)->count == 0 && !node->broken;
}

const struct config_node *config_child(const struct config_node *node, const char *name)
{
	const struct config_node *child = node->first;

	while (child && strcmp(child->schema->name, name) != 0)
		child = child->next;
	return child;
}

const struct config_node *config_sibling(const struct config_node *node)
{
	const struct config_node *other = node->next;

	while (other && other->schema != node->schema)
		other = other->next;
	return other;
}

size_t config_count(const struct config_node *node, const char *name)
{
	size_t count = 0;

	for (node = config_child(node, name); node; node = config_sibling(node))
		count++;
	return count;
}
