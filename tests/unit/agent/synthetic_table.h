/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A synthetic sparse table behind the table engine, and requests to it as net-snmp hands them to a handler. */
#ifndef PM_TEST_SYNTHETIC_TABLE_H
#define PM_TEST_SYNTHETIC_TABLE_H

#include "agent/mib/table.h"
#include "tests/unit/agent/support.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>

/* --- the table: index (INTEGER, STRING); a cell is there when the row's bit of the column is set ---------------------- */

enum { INDEX = 1, HIDDEN, NUMBER, TEXT = 5, COUNT, WISH, LABEL, SIZE, COLUMN_COUNT };

#define TABLE_NUMBER 99
#define ROW_COUNT    40
#define CREATED_MAX  8

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("testIndex", ASN_UNSIGNED),
    [HIDDEN] = PM_INDEX("testHidden", ASN_OCTET_STR),
    [NUMBER] = PM_WRITE("testNumber", ASN_INTEGER, 1, 5),
    [TEXT] = PM_WRITE("testText", ASN_OCTET_STR, 1, 8),
    [COUNT] = PM_READ("testCount", ASN_COUNTER),
    [WISH] = PM_WRITE_NOT("testWish", ASN_UNSIGNED, 2, 4000000000u, 3),
    [LABEL] = PM_CREATE("testLabel", ASN_OCTET_STR, 0, 8),
    [SIZE] = PM_CREATE("testSize", ASN_UNSIGNED, 0, 100),
};

struct row {
	oid index[8];
	size_t length;
	unsigned present; /* bit by column */
	unsigned tests, applies, commits, undos;
	int test_error, apply_error;
	unsigned failed_column;
	int32_t seen_number; /* of the last test; 0: not in the SET */
	uint32_t seen_size;
	char seen_text[PM_STRING_MAX + 1];
};

static struct row rows[ROW_COUNT];
static struct row created[CREATED_MAX]; /* made by SETs, in the order of their tests */
static size_t created_count;
static struct {
	unsigned begins, good_ends, bad_ends;
	bool open; /* between begin and end */
	int begin_error, end_error;
} around; /* what came around the apply of all rows */
static struct pm_rows ordered;

static inline bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	return pm_rows_seek(&ordered, index, length, inclusive, row);
}

static inline bool get(const struct pm_row *found, unsigned column, struct pm_value *value)
{
	const struct row *row = found->object;

	if (!(row->present & 1u << column))
		return false;
	switch (column) {
	case NUMBER:
		return pm_value_integer(value, (uint32_t)(row - rows));
	case TEXT:
	case LABEL:
		return pm_value_text(value, "text");
	default:
		return pm_value_unsigned(value, (uint32_t)(4000000000u + (row - rows)));
	}
}

static inline int missing(const oid *index, size_t length)
{
	(void)index;
	return length ? SNMP_ERR_NOCREATION : SNMP_ERR_INCONSISTENTNAME;
}

/* Of a label, two octets are no length, and "ugly" is no value. */
static inline int check(unsigned column, const struct pm_value *value, struct pm_error *err)
{
	if (column != LABEL)
		return SNMP_ERR_NOERROR;
	pm_error_set(err, "refused by the check");
	if (value->length == 2)
		return SNMP_ERR_WRONGLENGTH;
	return value->length == 4 && memcmp(value->data, "ugly", 4) == 0 ? SNMP_ERR_WRONGVALUE
									 : SNMP_ERR_NOERROR;
}

/* Rows from number 900 on cannot be, and those with an empty text not now. */
static inline int create(const oid *index, size_t length, struct pm_error *err)
{
	char text[9];
	const oid *at = index + 1;
	size_t left = length - 1;

	pm_error_set(err, "refused by create");
	if (index[0] >= 900 || !pm_index_take_text(&at, &left, text, 8) || left != 0)
		return SNMP_ERR_NOCREATION;
	return *text ? SNMP_ERR_NOERROR : SNMP_ERR_INCONSISTENTNAME;
}

/* The row that a SET is about, there already or not; NULL: its test has not made it. */
static inline struct row *row_behind(const struct pm_row_set *set)
{
	return set->row.object ? set->row.object : set->work;
}

static inline struct row *make_row(const struct pm_row_set *set)
{
	struct row *row = &created[created_count++];

	assert_true(created_count <= CREATED_MAX);
	*row = (struct row){.length = set->row.index_length, .present = ~0u};
	memcpy(row->index, set->row.index, row->length * sizeof(oid));
	return row;
}

static inline int test(struct pm_row_set *set, struct pm_error *err)
{
	struct row *row;

	if (!set->row.object)
		set->work = make_row(set);
	row = row_behind(set);
	row->tests++;
	row->seen_number = set->values[NUMBER] ? set->values[NUMBER]->integer : 0;
	row->seen_size = set->values[SIZE] ? set->values[SIZE]->unsigned32 : 0;
	row->seen_text[0] = '\0';
	if (set->values[TEXT])
		pm_value_copy(set->values[TEXT], row->seen_text);
	if (set->values[LABEL])
		pm_value_copy(set->values[LABEL], row->seen_text);
	set->failed_column = row->failed_column;
	if (row->test_error)
		pm_error_set(err, "refused by the test");
	return row->test_error;
}

static inline int apply(struct pm_row_set *set, struct pm_error *err)
{
	struct row *row = row_behind(set);

	assert_true(around.open);
	row->applies++;
	set->failed_column = row->failed_column;
	if (row->apply_error)
		pm_error_set(err, "refused by apply");
	return row->apply_error;
}

static inline int begin_all(struct pm_error *err)
{
	assert_false(around.open);
	around.begins++;
	around.open = !around.begin_error;
	if (around.begin_error)
		pm_error_set(err, "refused by begin");
	return around.begin_error;
}

static inline int end_all(bool good, struct pm_error *err)
{
	assert_true(around.open);
	around.open = false;
	if (!good) {
		around.bad_ends++;
		return 0;
	}
	around.good_ends++;
	if (around.end_error)
		pm_error_set(err, "refused by end");
	return around.end_error;
}

static inline void commit(struct pm_row_set *set)
{
	struct row *row = row_behind(set);

	assert_false(around.open);
	row->commits++;
	if (!set->row.object) {
		assert_int_equal(pm_rows_add(&ordered, row->index, row->length, row), 0);
		pm_rows_sort(&ordered);
	}
	set->work = NULL;
}

static inline void undo(struct pm_row_set *set)
{
	struct row *row = row_behind(set);

	assert_false(around.open); /* what it takes back must not be part of what is rolled back */
	if (row)
		row->undos++;
	set->work = NULL;
}

static const struct pm_table table = {.name = "testTable",
				      .number = TABLE_NUMBER,
				      .columns = columns,
				      .column_count = COLUMN_COUNT,
				      .first_column = NUMBER,
				      .seek = seek,
				      .get = get,
				      .index_form = "ns",
				      .check = check,
				      .create = create,
				      .missing = missing,
				      .test = test,
				      .begin = begin_all,
				      .end = end_all,
				      .apply = apply,
				      .commit = commit,
				      .undo = undo};

static netsnmp_handler_registration *registration;

static inline void make_rows(void)
{
	static const char *const names[] = {"a", "b", "aa", "zz", "ab", "abc"};

	pm_rows_clear(&ordered);
	memset(&around, 0, sizeof(around));
	memset(created, 0, sizeof(created));
	created_count = 0;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct row *row = &rows[i];

		*row = (struct row){.index = {1 + i / LENGTH(names) * 3}};
		row->length = 1 + pm_index_string(row->index + 1, names[i % LENGTH(names)]);
		row->present = repeatable_random(1u << COLUMN_COUNT);
		assert_int_equal(pm_rows_add(&ordered, row->index, row->length, row), 0);
	}
	pm_rows_sort(&ordered);
}

static inline int register_table(void **state)
{
	struct pm_error err = {""};
	const oid root[] = {PM_MIB_OBJECTS, TABLE_NUMBER};
	netsnmp_subtree *subtree;

	(void)state;
	pm_log_open(PM_LOG_STDERR, LOG_CRIT);
	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_disable_log();
	if (init_agent("table_test") != 0 || pm_table_register(&table, &err) < 0)
		return -1;
	subtree = netsnmp_subtree_find(root, OID_LENGTH(root), NULL, "");
	registration = subtree ? subtree->reginfo : NULL;
	return registration ? 0 : -1;
}

static inline int unregister_table(void **state)
{
	(void)state;
	pm_rows_clear(&ordered);
	shutdown_agent();
	return 0;
}

/* --- one request, as the library hands it to a handler ------------------------------------------------------------- */

#define VARBINDS_MAX 8

struct exchange {
	netsnmp_pdu pdu;
	netsnmp_agent_session session;
	netsnmp_agent_request_info info;
	netsnmp_request_info requests[VARBINDS_MAX];
	netsnmp_variable_list *varbinds[VARBINDS_MAX];
	int count;
};

static inline void begin(struct exchange *exchange, long transaction)
{
	memset(exchange, 0, sizeof(*exchange));
	exchange->pdu.transid = transaction;
	exchange->pdu.sessid = 1;
	exchange->session.pdu = &exchange->pdu;
	exchange->info.asp = &exchange->session;
}

static inline void end(struct exchange *exchange)
{
	for (int i = 0; i < exchange->count; i++)
		snmp_free_varbind(exchange->varbinds[i]);
}

static inline void add(struct exchange *exchange, const oid *name, size_t length, u_char type,
		       const void *value, size_t size)
{
	netsnmp_request_info *request = &exchange->requests[exchange->count];

	exchange->varbinds[exchange->count] = NULL;
	snmp_varlist_add_variable(&exchange->varbinds[exchange->count], name, length, type, value, size);
	request->requestvb = exchange->varbinds[exchange->count];
	if (exchange->count) {
		exchange->requests[exchange->count - 1].next = request;
		request->prev = request - 1;
	}
	exchange->count++;
}

static inline size_t cell(oid *name, unsigned column, const struct row *row)
{
	const oid entry[] = {PM_MIB_OBJECTS, TABLE_NUMBER, 1, column};

	memcpy(name, entry, sizeof(entry));
	memcpy(name + OID_LENGTH(entry), row->index, row->length * sizeof(oid));
	return OID_LENGTH(entry) + row->length;
}

static inline void add_cell(struct exchange *exchange, unsigned column, const struct row *row, u_char type,
			    const void *value, size_t size)
{
	oid name[MAX_OID_LEN];

	add(exchange, name, cell(name, column, row), type, value, size);
}

static inline void set_number(struct exchange *exchange, const struct row *row, long number)
{
	add_cell(exchange, NUMBER, row, ASN_INTEGER, &number, sizeof(number));
}

/* The error of the phase, and which varbind has it. */
static inline int phase(struct exchange *exchange, int mode, int *which)
{
	exchange->info.mode = mode;
	assert_int_equal(netsnmp_call_handlers(registration, &exchange->info, exchange->requests), 0);
	for (int i = 0; i < exchange->count; i++) {
		if (exchange->requests[i].status) {
			*which = i;
			return exchange->requests[i].status;
		}
	}
	*which = -1;
	return SNMP_ERR_NOERROR;
}

static inline int run_phases(struct exchange *exchange, const int *modes, int count, int *which)
{
	int error = SNMP_ERR_NOERROR;

	for (int i = 0; i < count && !error; i++)
		error = phase(exchange, modes[i], which);
	return error;
}

static inline void clear_errors(struct exchange *exchange)
{
	for (int i = 0; i < exchange->count; i++)
		exchange->requests[i].status = 0;
}

static inline void assert_calls(const struct row *row, unsigned tests, unsigned applies, unsigned commits,
				unsigned undos)
{
	assert_int_equal(row->tests, tests);
	assert_int_equal(row->applies, applies);
	assert_int_equal(row->commits, commits);
	assert_int_equal(row->undos, undos);
}

#endif
