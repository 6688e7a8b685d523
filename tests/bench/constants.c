/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The floor that reading pmMachineTable is measured against: an AgentX subagent on net-snmp's own main loop that
 * answers GET and GETNEXT from an array of constants, by a binary search of it and nothing else.
 *
 *   constants MASTER ROWS WITHOUT
 *
 * It serves the columns 2 to 25 of pmMachineTable, except those in WITHOUT (commas between them: what pmstackd has no
 * value for at the moment), with the types and typical values of that table, at { netSnmpPlaypen 7748 } 1 2: names as
 * long as the originals. It ends when its master goes.
 */
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY        1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7748, 1, 2, 1
#define ENTRY_LENGTH 13
#define NAME_LENGTH  15 /* entry, column, index */
#define NAME_COLUMN  2
#define COLUMN_FIRST 2
#define COLUMN_COUNT 26
#define ROWS_MAX     1000000

struct constant {
	u_char type;
	long number;
	const char *text; /* strings and, as octets of oid[2], the row pointer */
	size_t length;
};

static const oid no_row[2] = {0, 0};

static struct constant columns[COLUMN_COUNT] = {
    [2] = {ASN_OCTET_STR, 0, "m00000", 6},
    [3] = {ASN_INTEGER, 1, NULL, 0},
    [4] = {ASN_INTEGER, 1, NULL, 0},
    [5] = {ASN_INTEGER, 1, NULL, 0},
    [6] = {ASN_INTEGER, 1, NULL, 0},
    [7] = {ASN_INTEGER, 1, NULL, 0},
    [8] = {ASN_OCTET_STR, 0, "\0\0\0\0\0\0\0", 8},
    [9] = {ASN_GAUGE, 20, NULL, 0},
    [10] = {ASN_INTEGER, 1, NULL, 0},
    [11] = {ASN_OCTET_STR, 0, "", 0},
    [12] = {ASN_INTEGER, 2, NULL, 0},
    [13] = {ASN_OCTET_STR, 0, "", 0},
    [14] = {ASN_OCTET_STR, 0, "", 0},
    [15] = {ASN_OCTET_STR, 0, "row 3, rack 7", 13},
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

static struct row {
	oid index;
	char name[16];
} * rows;
static size_t row_count;

/* --- the table ------------------------------------------------------------------------------------------------------- */

/* The first row whose index is at least this. */
static size_t seek(oid index)
{
	size_t low = 0, high = row_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void answer(netsnmp_variable_list *varbind, oid column, const struct row *row)
{
	const struct constant *constant = &columns[column];

	if (column == NAME_COLUMN)
		snmp_set_var_typed_value(varbind, constant->type, row->name, strlen(row->name));
	else if (constant->text)
		snmp_set_var_typed_value(varbind, constant->type, constant->text, constant->length);
	else
		snmp_set_var_typed_integer(varbind, constant->type, constant->number);
}

static void answer_get(netsnmp_agent_request_info *info, netsnmp_request_info *request)
{
	netsnmp_variable_list *varbind = request->requestvb;
	const oid *name = varbind->name;
	size_t at;

	if (varbind->name_length == NAME_LENGTH && name[ENTRY_LENGTH - 1] == 1 &&
	    name[ENTRY_LENGTH] < COLUMN_COUNT && columns[name[ENTRY_LENGTH]].type) {
		at = seek(name[NAME_LENGTH - 1]);
		if (at < row_count && rows[at].index == name[NAME_LENGTH - 1]) {
			answer(varbind, name[ENTRY_LENGTH], &rows[at]);
			return;
		}
	}
	netsnmp_set_request_error(info, request, SNMP_NOSUCHINSTANCE);
}

static void answer_next(netsnmp_request_info *request)
{
	netsnmp_variable_list *varbind = request->requestvb;
	oid name[NAME_LENGTH] = {ENTRY};
	oid column = COLUMN_FIRST;
	size_t at = 0;

	if (varbind->name_length > ENTRY_LENGTH && varbind->name[ENTRY_LENGTH] >= COLUMN_FIRST) {
		column = varbind->name[ENTRY_LENGTH];
		if (varbind->name_length >= NAME_LENGTH)
			at = seek(varbind->name[NAME_LENGTH - 1] + !request->inclusive);
	}
	for (; column < COLUMN_COUNT; column++, at = 0) {
		if (!columns[column].type || at == row_count)
			continue;
		name[ENTRY_LENGTH] = column;
		name[NAME_LENGTH - 1] = rows[at].index;
		snmp_set_var_objid(varbind, name, NAME_LENGTH);
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

/* --- the agent -------------------------------------------------------------------------------------------------------- */

static int make_rows(size_t count)
{
	rows = calloc(count, sizeof(*rows));
	if (!rows)
		return -1;
	row_count = count;
	for (size_t i = 0; i < count; i++) {
		rows[i].index = i + 1;
		snprintf(rows[i].name, sizeof(rows[i].name), "m%05zu", i + 1);
	}
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

static void set_options(const char *master)
{
	setenv("MIBS", "", 1);
	netsnmp_enable_subagent();
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, master);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
}

static bool gone;

static int on_disconnected(int major, int minor, void *server, void *client)
{
	(void)major;
	(void)minor;
	(void)server;
	(void)client;
	gone = true;
	return 0;
}

int main(int argc, char **argv)
{
	const oid root[] = {ENTRY};
	netsnmp_handler_registration *registration;
	size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;

	if (count < 1 || count > ROWS_MAX) {
		fprintf(stderr, "usage: constants MASTER ROWS WITHOUT\n");
		return 2;
	}
	leave_out(argv[3]);
	snmp_enable_stderrlog();
	set_options(argv[1]);
	if (make_rows(count) < 0 || init_agent("constants") != 0)
		return 1;
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, on_disconnected, NULL);
	registration = netsnmp_create_handler_registration("constants", handle, root, ENTRY_LENGTH - 1,
							   HANDLER_CAN_RONLY);
	if (!registration || netsnmp_register_handler(registration) != MIB_REGISTERED_OK)
		return 1;
	init_snmp("constants");
	while (!gone)
		agent_check_and_process(1);
	return 0;
}
