/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host ranges: a text is cut into pieces, each a literal followed by at most one set of numbers. */
#include "agent/hostrange.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_DIGITS_MAX 9

struct interval {
	unsigned first, last;
	int width; /* digits to pad to; 0: none */
};

struct piece {
	const char *literal; /* in range->text */
	int literal_length;
	struct interval *intervals;
	size_t interval_count;
	size_t count; /* numbers in all intervals; 1 for a piece that is only a literal */
};

struct pm_hostrange {
	char *text;
	struct piece *pieces;
	size_t piece_count;
	size_t count;
	bool is_range;
};

/* Parses digits into *value and moves *cursor behind them; returns how many there were, or -1 for too many.
 */
static int parse_number(const char **cursor, unsigned *value)
{
	int digits = 0;

	*value = 0;
	while (**cursor >= '0' && **cursor <= '9') {
		if (++digits > NUMBER_DIGITS_MAX)
			return -1;
		*value = *value * 10 + (unsigned)(*(*cursor)++ - '0');
	}
	return digits;
}

static int parse_interval(const char *text, const char **cursor, struct interval *interval,
			  struct pm_error *error)
{
	const char *first = *cursor, *last = first;
	int first_digits = parse_number(cursor, &interval->first);
	int last_digits = first_digits;

	interval->last = interval->first;
	if (first_digits > 0 && **cursor == '-') {
		last = ++*cursor;
		last_digits = parse_number(cursor, &interval->last);
	}
	if (first_digits < 0 || last_digits < 0)
		return pm_fail(error, EINVAL, "range \"%s\": a number has at most %d digits", text,
			       NUMBER_DIGITS_MAX);
	if (first_digits == 0 || last_digits == 0)
		return pm_fail(error, EINVAL, "range \"%s\": a number is missing; write [1-16] or [1,3,5-7]",
			       text);
	if (interval->first > interval->last)
		return pm_fail(error, EINVAL, "range \"%s\" runs backwards: write the lower number first",
			       text);
	if (*last == '0' && last_digits > 1 && last_digits != first_digits)
		return pm_fail(error, EINVAL, "range \"%s\": give both ends the same number of digits", text);
	interval->width = *first == '0' ? first_digits : 0;
	return 0;
}

static int add_interval(struct piece *piece, const struct interval *interval)
{
	struct interval *grown = realloc(piece->intervals, (piece->interval_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	grown[piece->interval_count++] = *interval;
	piece->intervals = grown;
	return 0;
}

/* Parses what stands between the brackets, from behind '[' up to close. */
static int parse_set(const char *text, const char *cursor, const char *close, struct piece *piece,
		     struct pm_error *error)
{
	struct interval interval;
	size_t count = 0;
	int rc;

	for (;;) {
		rc = parse_interval(text, &cursor, &interval, error);
		if (rc < 0)
			return rc;
		count += (size_t)interval.last - interval.first + 1;
		if (count > PM_HOSTRANGE_MAX)
			return pm_fail(error, ERANGE, "range \"%s\" stands for more than %d names", text,
				       PM_HOSTRANGE_MAX);
		if (add_interval(piece, &interval) < 0)
			return pm_fail(error, ENOMEM, "out of memory");
		if (cursor == close)
			break;
		if (*cursor++ != ',')
			return pm_fail(error, EINVAL, "range \"%s\": write [1-16] or [1,3,5-7]", text);
	}
	piece->count = count;
	return 0;
}

/* The next bracket at or after text that is meant as a range, or NULL. An unclosed one counts when it looks
 * like one. */
static const char *find_open(const char *text)
{
	const char *open = text;

	while ((open = strchr(open, '[')) != NULL) {
		size_t inner = strspn(open + 1, "0123456789,-");
		char behind = open[1 + inner];

		if (behind == ']' || (behind == '\0' && inner > 0))
			return open;
		open++;
	}
	return NULL;
}

/* Parses one piece at *cursor and moves behind it. */
static int parse_piece(const char *text, const char **cursor, struct piece *piece, struct pm_error *error)
{
	const char *open = find_open(*cursor), *close;
	int rc;

	memset(piece, 0, sizeof(*piece));
	piece->literal = *cursor;
	piece->count = 1;
	if (!open) {
		piece->literal_length = (int)strlen(*cursor);
		*cursor += piece->literal_length;
		return 0;
	}
	piece->literal_length = (int)(open - *cursor);
	close = strchr(open, ']');
	if (!close)
		return pm_fail(error, EINVAL, "range \"%s\": the ] is missing", text);
	rc = parse_set(text, open + 1, close, piece, error);
	*cursor = close + 1;
	return rc;
}

static int add_piece(struct pm_hostrange *range, const char **cursor, struct pm_error *error)
{
	struct piece *pieces = realloc(range->pieces, (range->piece_count + 1) * sizeof(*pieces));
	struct piece *piece;
	int rc;

	if (!pieces)
		return pm_fail(error, ENOMEM, "out of memory");
	range->pieces = pieces;
	piece = &pieces[range->piece_count++];
	rc = parse_piece(range->text, cursor, piece, error);
	if (rc < 0)
		return rc;
	range->is_range |= piece->interval_count > 0;
	range->count *= piece->count;
	if (range->count > PM_HOSTRANGE_MAX)
		return pm_fail(error, ERANGE, "range \"%s\" stands for more than %d names", range->text,
			       PM_HOSTRANGE_MAX);
	return 0;
}

int pm_hostrange_new(const char *text, struct pm_hostrange **range, struct pm_error *error)
{
	struct pm_hostrange *new = calloc(1, sizeof(*new));
	const char *cursor;
	int rc = 0;

	*range = NULL;
	if (!new)
		return pm_fail(error, ENOMEM, "out of memory");
	new->count = 1;
	new->text = strdup(text);
	if (!new->text)
		rc = pm_fail(error, ENOMEM, "out of memory");
	for (cursor = new->text; rc == 0 && *cursor;)
		rc = add_piece(new, &cursor, error);
	if (rc < 0)
		pm_hostrange_free(new);
	else
		*range = new;
	return rc;
}

void pm_hostrange_free(struct pm_hostrange *range)
{
	if (!range)
		return;
	for (size_t i = 0; i < range->piece_count; i++)
		free(range->pieces[i].intervals);
	free(range->pieces);
	free(range->text);
	free(range);
}

size_t pm_hostrange_count(const struct pm_hostrange *range)
{
	return range->count;
}

bool pm_hostrange_is_range(const struct pm_hostrange *range)
{
	return range->is_range;
}

/* Appends number index of the piece's set. */
static void put_number(FILE *out, const struct piece *piece, size_t index)
{
	for (size_t i = 0; i < piece->interval_count; i++) {
		const struct interval *interval = &piece->intervals[i];
		size_t size = (size_t)interval->last - interval->first + 1;

		if (index < size) {
			fprintf(out, "%0*u", interval->width, interval->first + (unsigned)index);
			return;
		}
		index -= size;
	}
}

char *pm_hostrange_name(const struct pm_hostrange *range, size_t index)
{
	size_t block = range->count, size;
	char *name = NULL;
	FILE *out;

	if (!range->is_range)
		return strdup(range->text);
	out = open_memstream(&name, &size);
	if (!out)
		return NULL;
	for (size_t i = 0; i < range->piece_count; i++) {
		const struct piece *piece = &range->pieces[i];

		block /= piece->count;
		fprintf(out, "%.*s", piece->literal_length, piece->literal);
		put_number(out, piece, index / block % piece->count);
	}
	if (fclose(out) != 0) {
		free(name);
		return NULL;
	}
	return name;
}
