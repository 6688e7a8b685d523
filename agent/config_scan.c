/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words and marks of libconfuse's syntax. Stricter than its lexer where that would silently mean something
 * else: it skips characters that it does not know, puts environment variables into strings, and lets a string
 * run over lines.
 */
#include "agent/config_tree.h"

#include <string.h>

#define WORD_ENDS " #\"'\t\n\r={}()+,*"

static bool starts(const struct config_cursor *cursor, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(cursor->end - cursor->at) >= length && memcmp(cursor->at, text, length) == 0;
}

static void skip_line(struct config_cursor *cursor)
{
	const char *newline = memchr(cursor->at, '\n', (size_t)(cursor->end - cursor->at));

	cursor->at = newline ? newline : cursor->end;
}

static void skip_block_comment(struct config_report *report, struct config_cursor *cursor)
{
	int opened = cursor->line;

	for (cursor->at += 2; cursor->at < cursor->end && !starts(cursor, "*/"); cursor->at++)
		cursor->line += *cursor->at == '\n';
	if (cursor->at < cursor->end)
		cursor->at += 2;
	else if (report)
		config_error(report, cursor->file, opened, "this comment is never closed: the */ is missing");
}

/* Skips white space and comments. */
static void skip_space(struct config_report *report, struct config_cursor *cursor)
{
	while (cursor->at < cursor->end) {
		if (*cursor->at == '#' || starts(cursor, "//")) {
			skip_line(cursor);
		} else if (starts(cursor, "/*")) {
			skip_block_comment(report, cursor);
		} else if (strchr(" \t\r\n", *cursor->at)) {
			cursor->line += *cursor->at == '\n';
			cursor->at++;
		} else {
			break;
		}
	}
}

static void check_escape(struct config_report *report, const struct config_cursor *cursor)
{
	char escaped = cursor->at + 1 < cursor->end ? cursor->at[1] : '\n';

	if (report && !strchr("\"\\$\n", escaped))
		config_error(
		    report, cursor->file, cursor->line,
		    "\\%c is no escape; write \\\\ for a backslash, or put the text in single quotes",
		    escaped);
}

static void check_variable(struct config_report *report, const struct config_cursor *cursor)
{
	if (report && starts(cursor, "${"))
		config_error(
		    report, cursor->file, cursor->line,
		    "environment variables are not put in; write the value, or \\${ in double quotes for the characters");
}

/* Moves behind the string that begins at cursor. False when it does not end on its line. */
static bool skip_string(struct config_report *report, struct config_cursor *cursor)
{
	char quote = *cursor->at++;

	for (; cursor->at < cursor->end && *cursor->at != '\n'; cursor->at++) {
		if (*cursor->at == quote) {
			cursor->at++;
			return true;
		}
		if (quote == '"')
			check_variable(report, cursor);
		if (*cursor->at != '\\')
			continue;
		if (quote == '"')
			check_escape(report, cursor);
		if (cursor->at + 1 < cursor->end)
			cursor->line += *++cursor->at == '\n';
	}
	return false;
}

static void scan_string(struct config_report *report, struct config_cursor *cursor,
			struct config_token *token)
{
	char quote = *cursor->at;

	token->kind = CONFIG_WORD;
	if (!skip_string(report, cursor) && report)
		config_error(report, cursor->file, token->line,
			     "this string is not closed on its line: the %c is missing", quote);
}

static void scan_bare_word(struct config_report *report, struct config_cursor *cursor,
			   struct config_token *token)
{
	token->kind = CONFIG_WORD;
	for (; cursor->at < cursor->end && !strchr(WORD_ENDS, *cursor->at); cursor->at++)
		check_variable(report, cursor);
}

/* Reads what begins at cursor, which is not white space; false when it was a character that means nothing. */
static bool scan_visible(struct config_report *report, struct config_cursor *cursor,
			 struct config_token *token)
{
	char c = *cursor->at;

	if (c == '"' || c == '\'') {
		scan_string(report, cursor, token);
	} else if (strchr("{}(),=", c) || starts(cursor, "+=")) {
		token->kind = CONFIG_MARK;
		token->mark = c;
		cursor->at += c == '+' ? 2 : 1;
	} else if (strchr("*+", c)) {
		if (report)
			config_error(report, cursor->file, cursor->line,
				     "unexpected %c; put the text in quotes", c);
		cursor->at++;
		return false;
	} else {
		scan_bare_word(report, cursor, token);
	}
	return true;
}

struct config_token config_scan(struct config_report *report, struct config_cursor *cursor)
{
	struct config_token token = {.kind = CONFIG_END};

	for (;;) {
		skip_space(report, cursor);
		token.line = cursor->line;
		token.start = cursor->at;
		if (cursor->at == cursor->end || scan_visible(report, cursor, &token))
			break;
	}
	token.end = cursor->at;
	return token;
}

struct config_token config_peek(const struct config_cursor *cursor)
{
	struct config_cursor ahead = *cursor;

	return config_scan(NULL, &ahead);
}

char *config_word(struct config_report *report, const struct config_token *token)
{
	const char *from = token->start, *end = token->end;
	char quote = *from == '"' || *from == '\'' ? *from : '\0';
	char *word, *to;

	to = word = config_alloc(report, (size_t)(end - from) + 1);
	if (!word)
		return NULL;
	for (from += quote != '\0'; from < end && *from != quote; from++) {
		if (quote && *from == '\\' && from + 1 < end && (quote == '"' || strchr("'\\\n", from[1])))
			from++;
		if (*from != '\n')
			*to++ = *from;
	}
	return word;
}
