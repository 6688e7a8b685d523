/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmEventTable: the history of each machine, straight from its ring. */
#include "agent/event.h"
#include "agent/mib/mib.h"

enum { INDEX = 1, TIME, KIND, SEVERITY, TEXT, COLUMN_COUNT };

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("pmEventIndex", ASN_UNSIGNED), [TIME] = PM_READ("pmEventTime", ASN_OCTET_STR),
    [KIND] = PM_READ("pmEventKind", ASN_INTEGER),     [SEVERITY] = PM_READ("pmEventSeverity", ASN_INTEGER),
    [TEXT] = PM_READ("pmEventText", ASN_OCTET_STR),
};

/* The smallest event index that may be the answer within the machine of index[0]; false: none can be. */
static bool first_event(const oid *index, size_t length, bool inclusive, uint32_t *first)
{
	*first = 1;
	if (length < 2)
		return true;
	if (index[1] > UINT32_MAX)
		return false;
	*first = (uint32_t)index[1];
	if (length == 2 && inclusive)
		return true;
	return (*first)++ < UINT32_MAX; /* beyond two sub-identifiers is after the row with these two */
}

static bool found(struct pm_machine *machine, const struct pm_event *event, struct pm_row *row)
{
	row->index[0] = machine->index;
	row->index[1] = event->index;
	row->index_length = 2;
	row->object = (void *)(uintptr_t)event;
	return true;
}

static bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	const struct pm_rows *machines = pm_machine_table.rows;
	struct pm_row at;
	uint32_t first = 1;
	bool here = length > 0 && first_event(index, length, inclusive, &first);
	bool more = pm_rows_seek(machines, index, length > 0 ? 1 : 0, here || length == 0, &at);

	while (more) {
		struct pm_machine *machine = at.object;
		const struct pm_event *event =
		    pm_event_from(machine, here && machine->index == index[0] ? first : 1);
		const oid last = machine->index;

		if (event)
			return found(machine, event, row);
		more = pm_rows_seek(machines, &last, 1, false, &at);
	}
	return false;
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_event *event = row->object;

	switch (column) {
	case TIME:
		return pm_value_date(value, event->time_ms);
	case KIND:
		return pm_value_integer(value, event->kind);
	case SEVERITY:
		return pm_value_integer(value, event->severity);
	case TEXT:
		return pm_value_text(value, event->text ? event->text : "");
	default:
		return false;
	}
}

const struct pm_table pm_event_table = {.name = "pmEventTable",
					.number = 13,
					.columns = columns,
					.column_count = COLUMN_COUNT,
					.first_column = TIME,
					.seek = seek,
					.get = get};
