/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/table_private.h"
#include "agent/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- reading ---------------------------------------------------------------------------------- */

bool pm_table_seek(const struct pm_table *table, const oid *index, size_t length, bool inclusive,
		   struct pm_row *row)
{
	return table->rows ? pm_rows_seek(table->rows, index, length, inclusive, row)
			   : table->seek(index, length, inclusive, row);
}

static bool readable(const struct pm_table *table, oid column)
{
	return column < table->column_count && table->columns[column].type &&
	       table->columns[column].access != PM_NO_ACCESS;
}

static bool read_value(const struct pm_table *table, const struct pm_row *row, unsigned column,
		       struct pm_value *value)
{
	value->type = table->columns[column].type;
	return table->get(row, column, value);
}

static void answer(netsnmp_variable_list *varbind, const struct pm_value *value)
{
	switch (value->type) {
	case ASN_OCTET_STR:
	case ASN_OBJECT_ID:
		snmp_set_var_typed_value(varbind, value->type, value->data, value->length);
		break;
	case ASN_INTEGER:
		snmp_set_var_typed_integer(varbind, value->type, value->integer);
		break;
	default:
		snmp_set_var_typed_integer(varbind, value->type, (long)value->unsigned32);
	}
}

static void answer_get(const struct pm_table *table, netsnmp_agent_request_info *info,
		       netsnmp_request_info *request)
{
	netsnmp_variable_list *varbind = request->requestvb;
	struct pm_value value;
	struct pm_row row;

	if (varbind->name_length < PM_ENTRY_PREFIX + 1 || varbind->name[PM_ENTRY_PREFIX - 1] != 1 ||
	    !readable(table, varbind->name[PM_ENTRY_PREFIX])) {
		netsnmp_set_request_error(info, request, SNMP_NOSUCHOBJECT);
		return;
	}
	const oid *index = varbind->name + PM_ENTRY_PREFIX + 1;
	size_t length = varbind->name_length - PM_ENTRY_PREFIX - 1;
	unsigned column = (unsigned)varbind->name[PM_ENTRY_PREFIX];

	if (!pm_table_seek(table, index, length, true, &row) ||
	    snmp_oid_compare(row.index, row.index_length, index, length) != 0 ||
	    !read_value(table, &row, column, &value))
		netsnmp_set_request_error(info, request, SNMP_NOSUCHINSTANCE);
	else
		answer(varbind, &value);
}

/* Where a GETNEXT starts: the column and the index from which to look on. */
struct position {
	unsigned column;
	const oid *index;
	size_t length;
	bool inclusive;
};

static struct position start_of(const struct pm_table *table, const netsnmp_request_info *request)
{
	const oid root[] = {PM_MIB_OBJECTS, table->number, 1};
	const netsnmp_variable_list *varbind = request->requestvb;
	struct position at = {.column = table->first_column, .inclusive = true};

	if (snmp_oid_compare(varbind->name, varbind->name_length, root, PM_ENTRY_PREFIX) <= 0)
		return at;
	if (snmp_oid_ncompare(varbind->name, varbind->name_length, root, PM_ENTRY_PREFIX, PM_ENTRY_PREFIX) !=
	    0) { /* behind */
		at.column = table->column_count;
		return at;
	}
	if (varbind->name[PM_ENTRY_PREFIX] >= table->column_count) {
		at.column = table->column_count;
	} else if (varbind->name[PM_ENTRY_PREFIX] >= table->first_column) {
		at.column = (unsigned)varbind->name[PM_ENTRY_PREFIX];
		at.index = varbind->name + PM_ENTRY_PREFIX + 1;
		at.length = varbind->name_length - PM_ENTRY_PREFIX - 1;
		at.inclusive = request->inclusive || at.length == 0;
	}
	return at;
}

static void answer_next(const struct pm_table *table, netsnmp_request_info *request)
{
	struct position at = start_of(table, request);
	struct pm_value value;
	struct pm_row row;
	oid name[PM_ENTRY_PREFIX + 1 + PM_INDEX_MAX] = {PM_MIB_OBJECTS, table->number, 1};

	for (; at.column < table->column_count;
	     at = (struct position){.column = at.column + 1, .inclusive = true}) {
		if (!readable(table, at.column) || (table->any && !table->any(at.column)))
			continue;
		for (bool found = pm_table_seek(table, at.index, at.length, at.inclusive, &row); found;) {
			if (read_value(table, &row, at.column, &value)) {
				name[PM_ENTRY_PREFIX] = at.column;
				memcpy(name + PM_ENTRY_PREFIX + 1, row.index, row.index_length * sizeof(oid));
				snmp_set_var_objid(request->requestvb, name,
						   PM_ENTRY_PREFIX + 1 + row.index_length);
				answer(request->requestvb, &value);
				return;
			}
			found = pm_table_seek(table, row.index, row.index_length, false, &row);
		}
	}
}

static int handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
		  netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	const struct pm_table *table = registration->my_reg_void;

	(void)handler;
	switch (info->mode) {
	case MODE_GET:
		for (netsnmp_request_info *r = requests; r; r = r->next)
			if (!r->processed)
				answer_get(table, info, r);
		break;
	case MODE_GETNEXT:
		for (netsnmp_request_info *r = requests; r; r = r->next)
			if (!r->processed)
				answer_next(table, r);
		break;
	default:
		pm_table_set_phase(table, info, requests);
	}
	return SNMP_ERR_NOERROR;
}

int pm_table_refill(const struct pm_table *table)
{
	int error = 0;

	if (table->rows) {
		pm_rows_clear(table->rows);
		error = table->fill(table->rows);
		pm_rows_sort(table->rows);
	}
	return error;
}

int pm_table_register(const struct pm_table *table, struct pm_error *err)
{
	const oid root[] = {PM_MIB_OBJECTS, table->number};
	netsnmp_handler_registration *registration;

	registration = netsnmp_create_handler_registration(
	    table->name, handle, root, OID_LENGTH(root),
	    HANDLER_CAN_RWRITE); /* refusals of read-only tables are logged, too */
	if (!registration)
		return pm_fail(err, ENOMEM, "no memory for %s", table->name);
	registration->my_reg_void = (void *)(uintptr_t)table;
	if (netsnmp_register_handler(registration) != MIB_REGISTERED_OK)
		return pm_fail(err, EEXIST, "%s can not be registered", table->name);
	return 0;
}

/* --- ordered rows ----------------------------------------------------------------------------- */

int pm_rows_add(struct pm_rows *rows, const oid *index, size_t length, void *object)
{
	struct pm_row_entry *entry;

	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? rows->capacity * 2 : 16;
		struct pm_row_entry *entries = realloc(rows->entries, capacity * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		rows->entries = entries;
		rows->capacity = capacity;
	}
	entry = &rows->entries[rows->count];
	*entry =
	    (struct pm_row_entry){.index = malloc(length * sizeof(oid)), .length = length, .object = object};
	if (!entry->index)
		return -ENOMEM;
	memcpy(entry->index, index, length * sizeof(oid));
	rows->count++;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct pm_row_entry *x = a, *y = b;

	return snmp_oid_compare(x->index, x->length, y->index, y->length);
}

void pm_rows_sort(struct pm_rows *rows)
{
	if (rows->count)
		qsort(rows->entries, rows->count, sizeof(*rows->entries), compare_entries);
}

void pm_rows_clear(struct pm_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->entries[i].index);
	free(rows->entries);
	*rows = (struct pm_rows){0};
}

bool pm_rows_seek(const struct pm_rows *rows, const oid *index, size_t length, bool inclusive,
		  struct pm_row *row)
{
	size_t low = 0, high = rows->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pm_row_entry *entry = &rows->entries[middle];
		int order = snmp_oid_compare(entry->index, entry->length, index, length);

		if (order < 0 || (order == 0 && !inclusive))
			low = middle + 1;
		else
			high = middle;
	}
	if (low == rows->count)
		return false;
	row->index_length = rows->entries[low].length;
	memcpy(row->index, rows->entries[low].index, row->index_length * sizeof(oid));
	row->object = rows->entries[low].object;
	return true;
}

size_t pm_index_string(oid *index, const char *text)
{
	size_t length = strlen(text);

	index[0] = length;
	for (size_t i = 0; i < length; i++)
		index[i + 1] = (uint8_t)text[i];
	return length + 1;
}

bool pm_index_take_text(const oid **index, size_t *length, char *text, size_t max)
{
	size_t octets;

	if (*length < 1 || (*index)[0] > max || (*index)[0] > *length - 1)
		return false;
	octets = (*index)[0];
	for (size_t i = 0; i < octets; i++) {
		if ((*index)[1 + i] == 0 || (*index)[1 + i] > UINT8_MAX)
			return false;
		text[i] = (char)(*index)[1 + i];
	}
	text[octets] = '\0';
	*index += 1 + octets;
	*length -= 1 + octets;
	return pm_text_is_visible(text);
}

/* --- values ----------------------------------------------------------------------------------- */

bool pm_value_integer(struct pm_value *value, unsigned integer)
{
	value->integer = (int32_t)integer;
	return true;
}

bool pm_value_unsigned(struct pm_value *value, uint32_t number)
{
	value->unsigned32 = number;
	return true;
}

bool pm_value_truth(struct pm_value *value, bool truth)
{
	return pm_value_integer(value, truth ? 1 : 2);
}

bool pm_value_octets(struct pm_value *value, const void *data, size_t length)
{
	value->data = data;
	value->length = length;
	return true;
}

bool pm_value_text(struct pm_value *value, const char *text)
{
	return pm_value_octets(value, text, strlen(text));
}

bool pm_value_date(struct pm_value *value, int64_t time_ms)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm;
	long offset;
	uint8_t *b = value->buffer;

	memset(b, 0, 11);
	if (time_ms == 0)
		return pm_value_octets(value, b, 8);
	localtime_r(&seconds, &tm);
	offset = tm.tm_gmtoff / 60;
	b[0] = (uint8_t)((tm.tm_year + 1900) >> 8);
	b[1] = (uint8_t)(tm.tm_year + 1900);
	b[2] = (uint8_t)(tm.tm_mon + 1);
	b[3] = (uint8_t)tm.tm_mday;
	b[4] = (uint8_t)tm.tm_hour;
	b[5] = (uint8_t)tm.tm_min;
	b[6] = (uint8_t)tm.tm_sec;
	b[7] = (uint8_t)(time_ms % 1000 / 100);
	b[8] = offset < 0 ? '-' : '+';
	b[9] = (uint8_t)(labs(offset) / 60);
	b[10] = (uint8_t)(labs(offset) % 60);
	return pm_value_octets(value, b, 11);
}

void pm_value_copy(const struct pm_value *value, char *buffer)
{
	size_t length = value->length < PM_STRING_MAX ? value->length : PM_STRING_MAX;

	memcpy(buffer, value->data, length);
	buffer[length] = '\0';
}
