/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bench's reading manager. Version and user come from snmp.conf.
 *
 *   reader PEER rows ENTRY COLUMN,COLUMN,... REPETITIONS
 *       walks a table row by row: each GETBULK asks for all columns. Prints ROWS VARBINDS REQUESTS SECONDS.
 *   reader PEER bulk COLUMN REPETITIONS TIMES
 *       one GETBULK, as often as told. Prints VARBINDS OCTETS SECONDS, the last the median.
 *   reader PEER wait OID SECONDS [VALUE]
 *       asks until there is an instance, or until it has this value (a number). Prints its time as seconds since the
 *       epoch, and the longest time that an answer or the error "no such instance" took.
 *
 * Exit status 1, with a message, when an answer is missing or wrong.
 */
#include "tests/bench/session.h"

#include <stdbool.h>
#include <string.h>

#define COLUMNS_MAX      32
#define TIMES_MAX        10000
#define WAIT_INTERVAL_NS 1000000L

struct walk {
	netsnmp_session *session;
	oid columns[COLUMNS_MAX][MAX_OID_LEN]; /* entry and column */
	size_t prefix_length;
	oid at[COLUMNS_MAX][MAX_OID_LEN]; /* the last row that came */
	size_t at_length;
	int column_count, repetitions;
	unsigned long rows, varbinds, requests;
};

static netsnmp_pdu *bulk_request(int repetitions)
{
	netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_GETBULK);

	request->non_repeaters = 0;
	request->max_repetitions = repetitions;
	return request;
}

static bool is_below(const netsnmp_variable_list *varbind, const oid *prefix, size_t length)
{
	return varbind->name_length > length && memcmp(varbind->name, prefix, length * sizeof(oid)) == 0 &&
	       varbind->type != SNMP_ENDOFMIBVIEW;
}

/* --- rows ------------------------------------------------------------------------------------------------------------- */

static int parse_columns(struct walk *walk, const char *entry, char *list)
{
	oid name[MAX_OID_LEN];
	size_t length = bench_oid(entry, name);
	char *rest = NULL;

	if (length == 0)
		return -1;
	for (char *column = strtok_r(list, ",", &rest); column && walk->column_count < COLUMNS_MAX;
	     column = strtok_r(NULL, ",", &rest)) {
		oid *to = walk->columns[walk->column_count];

		memcpy(to, name, length * sizeof(oid));
		to[length] = strtoul(column, NULL, 10);
		memcpy(walk->at[walk->column_count++], to, (length + 1) * sizeof(oid));
	}
	walk->prefix_length = walk->at_length = length + 1;
	return 0;
}

/*
 * One row of an answer, from its first varbind on. Returns 1, 0 at the end of the table or when the answer has no whole
 * row any more (then *varbind is NULL), -1 when the columns are not of one row.
 */
static int take_row(struct walk *walk, netsnmp_variable_list **varbind)
{
	const netsnmp_variable_list *v = *varbind, *first = v;
	const size_t prefix = walk->prefix_length;

	for (int i = 0; i < walk->column_count; i++, v = v->next_variable) {
		if (!v) {
			*varbind = NULL;
			return 0;
		}
		if (!is_below(v, walk->columns[i], prefix)) {
			if (i == 0)
				return 0;
			fprintf(stderr, "row %lu has no column number %d\n", walk->rows + 1, i + 1);
			return -1;
		}
		if (snmp_oid_compare(v->name + prefix, v->name_length - prefix, first->name + prefix,
				     first->name_length - prefix) != 0) {
			fprintf(stderr, "row %lu: its columns have different indexes\n", walk->rows + 1);
			return -1;
		}
	}
	v = *varbind;
	for (int i = 0; i < walk->column_count; i++, v = v->next_variable)
		memcpy(walk->at[i], v->name, v->name_length * sizeof(oid));
	walk->at_length = first->name_length;
	walk->rows++;
	walk->varbinds += (unsigned long)walk->column_count;
	*varbind = (netsnmp_variable_list *)v;
	return 1;
}

/* Returns 1 when there may be more, 0 at the end, -1. */
static int ask_rows(struct walk *walk)
{
	netsnmp_pdu *request = bulk_request(walk->repetitions), *answer;
	netsnmp_variable_list *varbind;
	unsigned long before = walk->rows;
	int got = 1;

	for (int i = 0; i < walk->column_count; i++)
		snmp_add_null_var(request, walk->at[i], walk->at_length);
	answer = bench_ask(walk->session, request);
	walk->requests++;
	if (!answer)
		return -1;
	varbind = answer->variables;
	while (varbind && got > 0)
		got = take_row(walk, &varbind);
	if (got == 0 && !varbind)
		got = walk->rows > before ? 1 : -1;
	snmp_free_pdu(answer);
	return got;
}

static int read_rows(netsnmp_session *session, const char *entry, char *columns, int repetitions)
{
	static struct walk walk;
	double start_s;
	int more;

	walk.session = session;
	walk.repetitions = repetitions;
	if (parse_columns(&walk, entry, columns) < 0)
		return 1;
	start_s = bench_seconds(CLOCK_MONOTONIC);
	do
		more = ask_rows(&walk);
	while (more > 0);
	if (more < 0)
		return 1;
	printf("%lu %lu %lu %.6f\n", walk.rows, walk.varbinds, walk.requests,
	       bench_seconds(CLOCK_MONOTONIC) - start_s);
	return 0;
}

/* --- one request -------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int read_bulk(netsnmp_session *session, const char *column, int repetitions, int times)
{
	static double took_s[TIMES_MAX];
	oid name[MAX_OID_LEN];
	size_t length = bench_oid(column, name), varbinds = 0, octets = 0;

	if (length == 0 || times < 1 || times > TIMES_MAX)
		return 1;
	for (int i = 0; i < times; i++) {
		netsnmp_pdu *request = bulk_request(repetitions), *answer;
		double start_s = bench_seconds(CLOCK_MONOTONIC);

		snmp_add_null_var(request, name, length);
		answer = bench_ask(session, request);
		if (!answer)
			return 1;
		took_s[i] = bench_seconds(CLOCK_MONOTONIC) - start_s;
		varbinds = octets = 0;
		for (netsnmp_variable_list *v = answer->variables; v && is_below(v, name, length);
		     v = v->next_variable) {
			varbinds++;
			octets += v->val_len;
		}
		snmp_free_pdu(answer);
	}
	qsort(took_s, (size_t)times, sizeof(*took_s), compare);
	printf("%zu %zu %.6f\n", varbinds, octets, took_s[times / 2]);
	return 0;
}

/* --- until it is there ----------------------------------------------------------------------------------------------------- */

/* Whether there is an instance, and with the wanted value when there is one. */
static bool is_there(netsnmp_session *session, const oid *name, size_t length, const char *value)
{
	netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_GET), *answer = NULL;
	bool there = false;

	snmp_add_null_var(request, name, length);
	if (snmp_synch_response(session, request, &answer) == STAT_SUCCESS && answer) {
		there = answer->errstat == SNMP_ERR_NOERROR && answer->variables->type != SNMP_NOSUCHOBJECT &&
			answer->variables->type != SNMP_NOSUCHINSTANCE &&
			(!value ||
			 (answer->variables->val.integer && *answer->variables->val.integer == atol(value)));
		snmp_free_pdu(answer);
	}
	return there;
}

static int wait_for(netsnmp_session *session, const char *object, double limit_s, const char *value)
{
	const struct timespec interval = {0, WAIT_INTERVAL_NS};
	const double deadline_s = bench_seconds(CLOCK_MONOTONIC) + limit_s;
	double longest_s = 0;
	oid name[MAX_OID_LEN];
	size_t length = bench_oid(object, name);
	bool there = false;

	if (length == 0)
		return 1;
	while (!there) {
		double start_s = bench_seconds(CLOCK_MONOTONIC), took_s;

		if (start_s > deadline_s) {
			fprintf(stderr, "%s was not %s within %.0f s\n", object, value ? value : "there",
				limit_s);
			return 1;
		}
		there = is_there(session, name, length, value);
		took_s = bench_seconds(CLOCK_MONOTONIC) - start_s;
		if (took_s > longest_s)
			longest_s = took_s;
		if (!there)
			nanosleep(&interval, NULL);
	}
	printf("%.6f %.6f\n", bench_seconds(CLOCK_REALTIME), longest_s);
	return 0;
}

int main(int argc, char **argv)
{
	netsnmp_session *session = argc >= 5 ? bench_open(argv[0], argv[1]) : NULL;
	int rc = 2;

	if (!session) {
		fprintf(stderr, "usage: reader PEER rows|bulk|wait ARGUMENT...\n");
		return 2;
	}
	if (argc == 6 && strcmp(argv[2], "rows") == 0)
		rc = read_rows(session, argv[3], argv[4], atoi(argv[5]));
	else if (argc == 6 && strcmp(argv[2], "bulk") == 0)
		rc = read_bulk(session, argv[3], atoi(argv[4]), atoi(argv[5]));
	else if ((argc == 5 || argc == 6) && strcmp(argv[2], "wait") == 0)
		rc = wait_for(session, argv[3], strtod(argv[4], NULL), argc == 6 ? argv[5] : NULL);
	snmp_close(session);
	return rc;
}
