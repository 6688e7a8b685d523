/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SET half of the table engine: one SET as one table sees it, from RESERVE1 to COMMIT, UNDO or FREE. */
#include "agent/log.h"
#include "agent/mib/table_private.h"

#include <stdlib.h>
#include <string.h>

/* One SET as one table sees it: from RESERVE1 to COMMIT, UNDO or FREE, in several calls of the handler. */
struct set_change {
	netsnmp_request_info *request;
	unsigned column;
	struct pm_value value;
	struct pm_row_set *row;
};

struct set_transaction {
	struct set_transaction *next;
	const struct pm_table *table;
	long transaction_id, session_id;
	struct set_change *changes;
	size_t change_count;
	struct pm_row_set *rows;
	size_t row_count;
	bool tested;
};

static struct set_transaction *transactions;

/* --- SET: finding the transaction ------------------------------------------------------------- */

static void undo_rows(struct set_transaction *transaction)
{
	for (size_t i = 0; i < transaction->row_count; i++)
		transaction->table->undo(&transaction->rows[i]);
}

static void drop(struct set_transaction *transaction)
{
	struct set_transaction **link = &transactions;

	while (*link && *link != transaction)
		link = &(*link)->next;
	if (*link)
		*link = transaction->next;
	free(transaction->changes);
	free(transaction->rows);
	free(transaction);
}

static struct set_transaction *find(const struct pm_table *table, const netsnmp_pdu *pdu)
{
	for (struct set_transaction *t = transactions; t; t = t->next)
		if (t->table == table && t->transaction_id == pdu->transid && t->session_id == pdu->sessid)
			return t;
	return NULL;
}

static struct set_transaction *begin(const struct pm_table *table, const netsnmp_pdu *pdu, size_t count)
{
	struct set_transaction *old = find(table, pdu), *transaction;

	if (old) { /* the master sent its TestSet again: only the last one counts */
		undo_rows(old);
		drop(old);
	}
	transaction = calloc(1, sizeof(*transaction));
	if (!transaction)
		return NULL;
	transaction->table = table;
	transaction->transaction_id = pdu->transid;
	transaction->session_id = pdu->sessid;
	transaction->changes = calloc(count, sizeof(*transaction->changes));
	transaction->rows = calloc(count, sizeof(*transaction->rows));
	transaction->next = transactions;
	transactions = transaction;
	if (!transaction->changes || !transaction->rows) {
		drop(transaction);
		return NULL;
	}
	return transaction;
}

bool pm_table_sets_open(void)
{
	return transactions != NULL;
}

void pm_table_abort_sets(void)
{
	while (transactions) {
		undo_rows(transactions);
		drop(transactions);
	}
}

/* --- SET: the checks of RESERVE1, in the order of RFC 3416, 4.2.5 ----------------------------- */

static const char *error_name(int error)
{
	switch (error) {
	case SNMP_ERR_WRONGTYPE:
		return "wrongType";
	case SNMP_ERR_WRONGLENGTH:
		return "wrongLength";
	case SNMP_ERR_WRONGVALUE:
		return "wrongValue";
	case SNMP_ERR_NOCREATION:
		return "noCreation";
	case SNMP_ERR_INCONSISTENTVALUE:
		return "inconsistentValue";
	case SNMP_ERR_INCONSISTENTNAME:
		return "inconsistentName";
	case SNMP_ERR_NOTWRITABLE:
		return "notWritable";
	case SNMP_ERR_COMMITFAILED:
		return "commitFailed";
	case SNMP_ERR_RESOURCEUNAVAILABLE:
		return "resourceUnavailable";
	default:
		return snmp_errstring(error);
	}
}

static const char *type_name(unsigned type)
{
	switch (type) {
	case ASN_INTEGER:
		return "INTEGER";
	case ASN_OCTET_STR:
		return "OCTET STRING";
	case ASN_OBJECT_ID:
		return "OBJECT IDENTIFIER";
	case ASN_UNSIGNED: /* Gauge32 has the same number */
		return "Unsigned32";
	case ASN_COUNTER:
		return "Counter32";
	case ASN_TIMETICKS:
		return "TimeTicks";
	case ASN_IPADDRESS:
		return "IpAddress";
	default:
		return "another type";
	}
}

/* A text of the index, as net-snmp's tools take it: ."web01". Returns how many sub-identifiers; 0: it is none. */
static size_t append_text(char *name, size_t size, const oid *index, size_t length)
{
	char text[PM_INDEX_MAX];
	const oid *at = index;
	size_t left = length, used = strlen(name);

	if (!pm_index_take_text(&at, &left, text, sizeof(text) - 1))
		return 0;
	snprintf(name + used, size - used, ".\"%s\"", text);
	return length - left;
}

static void append_index(char *name, size_t size, const char *form, const oid *index, size_t length)
{
	while (length > 0) {
		size_t used = strlen(name), taken = 0;

		if (form && *form && *form++ == 's') {
			taken = append_text(name, size, index, length);
			if (taken == 0)
				form = NULL;
		}
		if (taken == 0) {
			snprintf(name + used, size - used, ".%lu", (unsigned long)index[0]);
			taken = 1;
		}
		index += taken;
		length -= taken;
	}
}

/* pmMachineCommand.7 or pmJobAction.7."alice"."night"; a text that is none is told in numbers. */
static void object_name(const struct pm_table *table, const netsnmp_variable_list *varbind, char *name,
			size_t size)
{
	oid column = varbind->name_length > PM_ENTRY_PREFIX ? varbind->name[PM_ENTRY_PREFIX] : 0;
	const char *known = column < table->column_count ? table->columns[column].name : NULL;
	size_t prefix = PM_ENTRY_PREFIX + (known != NULL);

	snprintf(name, size, "%s", known ? known : table->name);
	if (varbind->name_length > prefix)
		append_index(name, size, known ? table->index_form : NULL, varbind->name + prefix,
			     varbind->name_length - prefix);
}

static void log_refusal(const netsnmp_request_info *request, const struct pm_table *table, int error,
			const char *why)
{
	char name[256];

	object_name(table, request->requestvb, name, sizeof(name));
	pm_log(LOG_NOTICE, "SET of %s refused with %s: %s", name, error_name(error), why);
}

static int check_number(const struct pm_column *column, uint32_t number, bool negative, struct pm_error *err)
{
	uint32_t min = column->never == column->min && column->never ? column->min + 1 : column->min;

	if (!negative && number >= min && number <= column->max &&
	    !(column->never && number == column->never))
		return SNMP_ERR_NOERROR;
	if (!negative && column->never && number == column->never)
		pm_error_set(err, "the value %u can be read, and not be set", number);
	else if (negative)
		pm_error_set(err, "the value is negative, %u to %u is right", min, column->max);
	else
		pm_error_set(err, "the value is %u, %u to %u is right", number, min, column->max);
	return SNMP_ERR_WRONGVALUE;
}

static int take_string(const struct pm_column *column, const netsnmp_variable_list *varbind,
		       struct pm_value *value, struct pm_error *err)
{
	if (varbind->val_len < column->min || varbind->val_len > column->max) {
		pm_error_set(err, "the value has %zu octets, %u to %u is right", varbind->val_len,
			     column->min, column->max);
		return SNMP_ERR_WRONGLENGTH;
	}
	memcpy(value->buffer, varbind->val.string, varbind->val_len);
	value->data = value->buffer;
	value->length = varbind->val_len;
	return SNMP_ERR_NOERROR;
}

static int take_number(const struct pm_column *column, const netsnmp_variable_list *varbind,
		       struct pm_value *value, struct pm_error *err)
{
	long number = *varbind->val.integer;

	value->integer = (int32_t)number;
	return check_number(column, (uint32_t)number, column->type == ASN_INTEGER && number < 0, err);
}

static int check_value(const struct pm_table *table, unsigned number, const netsnmp_variable_list *varbind,
		       struct pm_value *value, struct pm_error *err)
{
	const struct pm_column *column = &table->columns[number];
	int error;

	if (varbind->type != column->type) {
		pm_error_set(err, "the value is of type %s, %s is right", type_name(varbind->type),
			     type_name(column->type));
		return SNMP_ERR_WRONGTYPE;
	}
	value->type = column->type;
	error = column->type == ASN_OCTET_STR ? take_string(column, varbind, value, err)
					      : take_number(column, varbind, value, err);
	return error || !table->check ? error : table->check(number, value, err);
}

static bool same_row(const struct pm_row *a, const struct pm_row *b)
{
	return snmp_oid_compare(a->index, a->index_length, b->index, b->index_length) == 0;
}

static struct pm_row_set *row_of(struct set_transaction *transaction, const struct pm_row *row)
{
	struct pm_row_set *set;

	for (size_t i = 0; i < transaction->row_count; i++)
		if (same_row(&transaction->rows[i].row, row))
			return &transaction->rows[i];
	set = &transaction->rows[transaction->row_count++];
	set->table = transaction->table;
	set->row = *row;
	return set;
}

/* The row with this index, or without an object the one that may be created. */
static int look_up(const struct pm_table *table, unsigned column, const oid *index, size_t length,
		   struct pm_row *row, struct pm_error *err)
{
	if (pm_table_seek(table, index, length, true, row) &&
	    snmp_oid_compare(row->index, row->index_length, index, length) == 0)
		return SNMP_ERR_NOERROR;
	if (!table->create || table->columns[column].access != PM_READ_CREATE) {
		pm_error_set(err, "nothing with this index is configured");
		return table->missing(index, length);
	}
	if (length > PM_INDEX_MAX) {
		pm_error_set(err, "no row has such an index");
		return SNMP_ERR_NOCREATION;
	}
	memcpy(row->index, index, length * sizeof(oid));
	row->index_length = length;
	row->object = NULL;
	return table->create(index, length, err);
}

static int find_row(struct set_transaction *transaction, const netsnmp_variable_list *varbind,
		    struct set_change *change, struct pm_error *err)
{
	struct pm_row row;
	int error = look_up(transaction->table, change->column, varbind->name + PM_ENTRY_PREFIX + 1,
			    varbind->name_length - PM_ENTRY_PREFIX - 1, &row, err);

	if (error)
		return error;
	change->row = row_of(transaction, &row);
	if (change->row->values[change->column]) {
		pm_error_set(err, "the same object twice in one SET");
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	change->row->values[change->column] = &change->value;
	return SNMP_ERR_NOERROR;
}

static bool writable(const struct pm_table *table, oid column)
{
	return column < table->column_count && table->columns[column].access >= PM_READ_WRITE;
}

static int check_change(struct set_transaction *transaction, netsnmp_request_info *request,
			struct pm_error *err)
{
	const struct pm_table *table = transaction->table;
	const netsnmp_variable_list *varbind = request->requestvb;
	struct set_change *change = &transaction->changes[transaction->change_count++];
	int error;

	change->request = request;
	if (varbind->name_length < PM_ENTRY_PREFIX + 2 || varbind->name[PM_ENTRY_PREFIX - 1] != 1 ||
	    !writable(table, varbind->name[PM_ENTRY_PREFIX])) {
		pm_error_set(err, "this object can not be written");
		return SNMP_ERR_NOTWRITABLE;
	}
	change->column = (unsigned)varbind->name[PM_ENTRY_PREFIX];
	error = check_value(table, change->column, varbind, &change->value, err);
	return error ? error : find_row(transaction, varbind, change, err);
}

static void reserve1(const struct pm_table *table, netsnmp_agent_request_info *info,
		     netsnmp_request_info *requests)
{
	struct set_transaction *transaction;
	struct pm_error err = {""};
	size_t count = 0;

	for (netsnmp_request_info *r = requests; r; r = r->next)
		count++;
	transaction = begin(table, info->asp->pdu, count);
	if (!transaction) {
		netsnmp_set_request_error(info, requests, SNMP_ERR_RESOURCEUNAVAILABLE);
		return;
	}
	for (netsnmp_request_info *r = requests; r; r = r->next) {
		int error = check_change(transaction, r, &err);

		if (error) {
			log_refusal(r, table, error, err.text);
			netsnmp_set_request_error(info, r, error);
			return;
		}
	}
}

/* --- SET: the later phases -------------------------------------------------------------------- */

static netsnmp_request_info *request_of(const struct set_transaction *transaction,
					const struct pm_row_set *set)
{
	netsnmp_request_info *first = NULL;

	for (size_t i = 0; i < transaction->change_count; i++) {
		const struct set_change *change = &transaction->changes[i];

		if (change->row != set)
			continue;
		if (!first)
			first = change->request;
		if (change->column == set->failed_column)
			return change->request;
	}
	return first;
}

static void refuse(struct set_transaction *transaction, const struct pm_row_set *set, int error,
		   const char *why, netsnmp_agent_request_info *info)
{
	netsnmp_request_info *request = request_of(transaction, set);

	log_refusal(request, transaction->table, error, why);
	netsnmp_set_request_error(info, request, error);
}

typedef int (*row_step)(struct pm_row_set *set, struct pm_error *err);

static bool each_row(struct set_transaction *transaction, row_step step, netsnmp_agent_request_info *info)
{
	struct pm_error err = {""};

	for (size_t i = 0; i < transaction->row_count; i++) {
		int error = step(&transaction->rows[i], &err);

		if (error) {
			refuse(transaction, &transaction->rows[i], error, err.text, info);
			return false;
		}
	}
	return true;
}

static bool is_taken(const struct pm_row_set *set)
{
	for (const struct set_transaction *t = transactions; t; t = t->next)
		for (size_t i = 0; t->table == set->table && i < t->row_count; i++)
			if (&t->rows[i] != set && t->rows[i].tested && same_row(&t->rows[i].row, &set->row))
				return true;
	return false;
}

/* Rows that SETs create also go by themselves: the row may have come or gone since it was looked up. */
static int look_again(struct pm_row_set *set, struct pm_error *err)
{
	const struct pm_row was = set->row;
	unsigned column = 0;

	if (is_taken(set)) {
		pm_error_set(err, "another SET of the same row is under way");
		return was.object ? SNMP_ERR_INCONSISTENTVALUE : SNMP_ERR_INCONSISTENTNAME;
	}
	while (!set->values[column])
		column++;
	return look_up(set->table, column, was.index, was.index_length, &set->row, err);
}

static int test_row(struct pm_row_set *set, struct pm_error *err)
{
	int error = set->table->create ? look_again(set, err) : SNMP_ERR_NOERROR;

	if (!error)
		error = set->table->test(set, err);
	set->tested = !error;
	return error;
}

static bool apply_rows(struct set_transaction *transaction, netsnmp_agent_request_info *info)
{
	const struct pm_table *table = transaction->table;
	struct pm_error err = {""};
	bool good;

	if (table->begin && table->begin(&err) < 0) {
		refuse(transaction, &transaction->rows[0], SNMP_ERR_COMMITFAILED, err.text, info);
		return false;
	}
	good = each_row(transaction, table->apply, info);
	if (table->end && table->end(good, &err) < 0) {
		refuse(transaction, &transaction->rows[0], SNMP_ERR_COMMITFAILED, err.text, info);
		return false;
	}
	return good;
}

static void rebind(struct set_transaction *transaction, netsnmp_request_info *requests)
{
	for (size_t i = 0; requests && i < transaction->change_count; i++, requests = requests->next)
		transaction->changes[i].request = requests;
}

static void later_phase(const struct pm_table *table, netsnmp_agent_request_info *info,
			netsnmp_request_info *requests)
{
	struct set_transaction *transaction = find(table, info->asp->pdu);

	if (!transaction) {
		if (info->mode == MODE_SET_RESERVE2 || info->mode == MODE_SET_ACTION) {
			log_refusal(requests, table, SNMP_ERR_COMMITFAILED,
				    "a reload, or the end of the session with the master, came in between");
			netsnmp_set_request_error(info, requests, SNMP_ERR_COMMITFAILED);
		}
		return;
	}
	rebind(transaction, requests);
	switch (info->mode) {
	case MODE_SET_RESERVE2:
		if (transaction->tested) /* a busy host: the master may have it tested again */
			undo_rows(transaction);
		transaction->tested = true;
		each_row(transaction, test_row, info);
		return;
	case MODE_SET_ACTION:
		if (apply_rows(transaction, info))
			return;
		undo_rows(transaction); /* at once: nothing of it may outlive the refusal */
		break;
	case MODE_SET_COMMIT:
		for (size_t i = 0; i < transaction->row_count; i++)
			table->commit(&transaction->rows[i]);
		break;
	default: /* FREE and UNDO */
		undo_rows(transaction);
	}
	drop(transaction);
}

void pm_table_set_phase(const struct pm_table *table, netsnmp_agent_request_info *info,
			netsnmp_request_info *requests)
{
	if (info->mode == MODE_SET_RESERVE1)
		reserve1(table, info, requests);
	else
		later_phase(table, info, requests);
}
