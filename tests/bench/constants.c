/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The floor that reading tables is measured against: an AgentX subagent on net-snmp's own main loop that answers GET and
 * GETNEXT from an array of constants, by a binary search of it and nothing else.
 *
 *   constants MASTER machines|jobs|vms ROWS WITHOUT
 *
 * It serves the columns of pmMachineTable, pmJobTable or pmVmTable, except those in WITHOUT (commas between them: what pmstackd has
 * no value for at the moment), with the types and typical values of that table, at { netSnmpPlaypen 7748 } in place of
 * { netSnmpPlaypen 7747 }: names as long as the originals. Of the jobs, each machine has 100, of the VMs, one has all. It
 * ends when its master goes.
 */
#include "tests/bench/subagent.h"

#include <stdio.h>
#include <string.h>

#define ENTRY        1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7748, 1, 0, 1
#define ENTRY_LENGTH 13
#define ENTRY_TABLE  11 /* the sub-identifier that says which table */
#define INDEX_MAX    16
#define COLUMN_COUNT 31
#define ROWS_MAX     1000000
#define JOBS_EACH    100
#define JOB_OWNER    "bench"

struct constant {
	u_char type; /* 0: there is no such column */
	long number;
	const char *text; /* strings and, as octets of oid[2], the row pointer */
	size_t length;
};

#define TEXT(text) ASN_OCTET_STR, 0, text, sizeof(text) - 1

static const oid no_row[2] = {0, 0};

static struct constant machine_columns[COLUMN_COUNT] = {
    [2] = {ASN_OCTET_STR, 0, NULL, 0}, /* the row's name */
    [3] = {ASN_INTEGER, 1, NULL, 0},
    [4] = {ASN_INTEGER, 1, NULL, 0},
    [5] = {ASN_INTEGER, 1, NULL, 0},
    [6] = {ASN_INTEGER, 1, NULL, 0},
    [7] = {ASN_INTEGER, 1, NULL, 0},
    [8] = {TEXT("\0\0\0\0\0\0\0\0")},
    [9] = {ASN_GAUGE, 20, NULL, 0},
    [10] = {ASN_INTEGER, 1, NULL, 0},
    [11] = {TEXT("")},
    [12] = {ASN_INTEGER, 2, NULL, 0},
    [13] = {TEXT("")},
    [14] = {TEXT("")},
    [15] = {TEXT("row 3, rack 7")},
    [16] = {ASN_GAUGE, 0, NULL, 0},
    [17] = {ASN_GAUGE, 0, NULL, 0},
    [18] = {ASN_UNSIGNED, 600, NULL, 0},
    [19] = {ASN_UNSIGNED, 180, NULL, 0},
    [20] = {ASN_INTEGER, 1, NULL, 0},
    [21] = {ASN_OBJECT_ID, 0, (const char *)no_row, sizeof(no_row)},
    [22] = {ASN_GAUGE, 150, NULL, 0},
    [23] = {ASN_INTEGER, 1, NULL, 0},
    [24] = {ASN_COUNTER, 0, NULL, 0},
    [25] = {ASN_COUNTER, 0, NULL, 0},
};

static struct constant job_columns[COLUMN_COUNT] = {
    [3] = {ASN_INTEGER, 2, NULL, 0},
    [4] = {ASN_INTEGER, 2, NULL, 0},
    [5] = {ASN_UNSIGNED, 0, NULL, 0},
    [6] = {ASN_INTEGER, 1, NULL, 0},
    [7] = {ASN_UNSIGNED, 0, NULL, 0},
    [8] = {ASN_UNSIGNED, 600, NULL, 0},
    [9] = {ASN_UNSIGNED, 180, NULL, 0},
    [10] = {ASN_INTEGER, 2, NULL, 0},
    [11] = {ASN_UNSIGNED, 0, NULL, 0},
    [12] = {ASN_INTEGER, 0, NULL, 0},
    [13] = {TEXT("")},
    [14] = {ASN_UNSIGNED, 0, NULL, 0},
    [15] = {ASN_UNSIGNED, 0, NULL, 0},
    [16] = {TEXT("night shift")},
    [17] = {ASN_INTEGER, 2, NULL, 0},
    [18] = {ASN_INTEGER, 1, NULL, 0},
    [19] = {ASN_INTEGER, 6, NULL, 0},
    [20] = {ASN_INTEGER, 2, NULL, 0},
    [21] = {TEXT("on, observed by the BMC 0.8 s after the command")},
    [22] = {ASN_GAUGE, 100, NULL, 0},
    [23] = {ASN_GAUGE, 1, NULL, 0},
    [24] = {ASN_GAUGE, 1, NULL, 0},
    [25] = {ASN_GAUGE, 0, NULL, 0},
    [26] = {TEXT("\7\xea\1\1\0\0\0\0+\0\0")},
    [27] = {TEXT("\7\xea\1\1\0\0\0\0+\0\0")},
    [28] = {ASN_UNSIGNED, 2592000, NULL, 0},
    [29] = {ASN_INTEGER, 3, NULL, 0},
    [30] = {ASN_INTEGER, 1, NULL, 0},
};

static struct constant vm_columns[COLUMN_COUNT] = {
    [2] = {ASN_OCTET_STR, 0, NULL, 0}, /* the row's name */
    [3] = {TEXT("fa4e0000-0000-4000-8000-000000000001")},
    [4] = {ASN_UNSIGNED, 0, NULL, 0},
    [5] = {ASN_GAUGE, 1, NULL, 0},
    [6] = {ASN_INTEGER, 1, NULL, 0},
    [7] = {ASN_INTEGER, 4, NULL, 0},
    [8] = {ASN_INTEGER, 1, NULL, 0},
    [9] = {ASN_UNSIGNED, 180, NULL, 0},
    [10] = {ASN_INTEGER, 2, NULL, 0},
    [11] = {TEXT("test+unix:///default?socket=/tmp/pmstack-lab.abcdef/hv/many/libvirt-sock")},
    [12] = {TEXT("\7\xea\1\1\0\0\0\0+\0\0")},
    [13] = {ASN_INTEGER, 1, NULL, 0},
    [14] = {TEXT("")},
    [15] = {ASN_GAUGE, 1, NULL, 0},
    [16] = {ASN_GAUGE, 8, NULL, 0},
    [17] = {TEXT("1234")},
};

static struct row {
	oid index[INDEX_MAX];
	char name[16];
} * rows;
static size_t row_count, index_length;
static oid table_number;
static struct constant *columns;

/* --- the table ------------------------------------------------------------------------------------------------------- */

/* The first row whose index is at least this, or, unless inclusive, higher. */
static size_t seek(const oid *index, size_t length, bool inclusive)
{
	size_t low = 0, high = row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int compared = snmp_oid_compare(rows[middle].index, index_length, index, length);

		if (compared < 0 || (compared == 0 && !inclusive))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void answer(netsnmp_variable_list *varbind, oid column, const struct row *row)
{
	const struct constant *constant = &columns[column];

	if (constant->text)
		snmp_set_var_typed_value(varbind, constant->type, constant->text, constant->length);
	else if (constant->type == ASN_OCTET_STR)
		snmp_set_var_typed_value(varbind, constant->type, row->name, strlen(row->name));
	else
		snmp_set_var_typed_integer(varbind, constant->type, constant->number);
}

static void answer_get(netsnmp_agent_request_info *info, netsnmp_request_info *request)
{
	netsnmp_variable_list *varbind = request->requestvb;
	const oid *name = varbind->name, *index = name + ENTRY_LENGTH + 1;
	size_t at;

	if (varbind->name_length == ENTRY_LENGTH + 1 + index_length && name[ENTRY_LENGTH - 1] == 1 &&
	    name[ENTRY_LENGTH] < COLUMN_COUNT && columns[name[ENTRY_LENGTH]].type) {
		at = seek(index, index_length, true);
		if (at < row_count &&
		    snmp_oid_compare(rows[at].index, index_length, index, index_length) == 0) {
			answer(varbind, name[ENTRY_LENGTH], &rows[at]);
			return;
		}
	}
	netsnmp_set_request_error(info, request, SNMP_NOSUCHINSTANCE);
}

static void answer_next(netsnmp_request_info *request)
{
	netsnmp_variable_list *varbind = request->requestvb;
	oid name[ENTRY_LENGTH + 1 + INDEX_MAX] = {ENTRY};
	oid column = 0;
	size_t at = 0;

	if (varbind->name_length > ENTRY_LENGTH) {
		column = varbind->name[ENTRY_LENGTH];
		at = seek(varbind->name + ENTRY_LENGTH + 1, varbind->name_length - ENTRY_LENGTH - 1,
			  request->inclusive);
	}
	for (; column < COLUMN_COUNT; column++, at = 0) {
		if (!columns[column].type || at == row_count)
			continue;
		name[ENTRY_TABLE] = table_number;
		name[ENTRY_LENGTH] = column;
		memcpy(name + ENTRY_LENGTH + 1, rows[at].index, index_length * sizeof(oid));
		snmp_set_var_objid(varbind, name, ENTRY_LENGTH + 1 + index_length);
		answer(varbind, column, &rows[at]);
		return;
	}
}

static int handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
		  netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)handler;
	(void)registration;
	for (netsnmp_request_info *r = requests; r; r = r->next) {
		if (r->processed)
			continue;
		if (info->mode == MODE_GET)
			answer_get(info, r);
		else
			answer_next(r);
	}
	return SNMP_ERR_NOERROR;
}

/* --- its rows --------------------------------------------------------------------------------------------------------- */

static void name_machine(struct row *row, size_t number)
{
	row->index[0] = number + 1;
	snprintf(row->name, sizeof(row->name), "m%05zu", number + 1);
}

/* As an index has a string: its length, then its characters. */
static size_t add_string(oid *to, const char *text)
{
	size_t length = strlen(text);

	to[0] = length;
	for (size_t i = 0; i < length; i++)
		to[i + 1] = (u_char)text[i];
	return length + 1;
}

static void name_job(struct row *row, size_t number)
{
	size_t length = 1;

	snprintf(row->name, sizeof(row->name), "%08zx", number);
	row->index[0] = number / JOBS_EACH + 1;
	length += add_string(row->index + length, JOB_OWNER);
	add_string(row->index + length, row->name);
}

static void name_vm(struct row *row, size_t number)
{
	row->index[0] = 1;
	row->index[1] = number + 1;
	snprintf(row->name, sizeof(row->name), "vm%zu", number + 1);
}

static const struct table {
	const char *name;
	oid number;
	struct constant *columns;
	size_t index_length;
	void (*name_row)(struct row *row, size_t number);
} tables[] = {{"machines", 2, machine_columns, 1, name_machine},
	      {"jobs", 6, job_columns, INDEX_MAX, name_job},
	      {"vms", 5, vm_columns, 2, name_vm}};

#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

static int make_rows(const char *name, size_t count)
{
	const struct table *table = tables;

	while (table < tables + TABLE_COUNT && strcmp(table->name, name) != 0)
		table++;
	rows = calloc(count, sizeof(*rows));
	if (!rows || table == tables + TABLE_COUNT)
		return -1;
	row_count = count;
	table_number = table->number;
	columns = table->columns;
	index_length = table->index_length;
	for (size_t i = 0; i < count; i++)
		table->name_row(&rows[i], i);
	return 0;
}

static void leave_out(const char *without)
{
	for (char *end; *without; without = end + (*end == ',')) {
		unsigned long column = strtoul(without, &end, 10);

		if (column < COLUMN_COUNT)
			columns[column].type = 0;
		if (end == without)
			return;
	}
}

int main(int argc, char **argv)
{
	oid root[] = {ENTRY};
	size_t count = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;

	if (count < 1 || count > ROWS_MAX || make_rows(argv[2], count) < 0) {
		fprintf(stderr, "usage: constants MASTER machines|jobs|vms ROWS WITHOUT\n");
		return 2;
	}
	leave_out(argv[4]);
	root[ENTRY_TABLE] = table_number;
	return bench_subagent("constants", argv[1], root, ENTRY_LENGTH - 1, handle, HANDLER_CAN_RONLY);
}
