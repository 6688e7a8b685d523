/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmStateMapTable: the power states of 256 machines in one octet string. */
#include "agent/mib/mib.h"

#include <string.h>

#define BLOCK 256

enum { INDEX = 1, STATES, COLUMN_COUNT };

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("pmStateMapBlock", ASN_UNSIGNED),
    [STATES] = PM_READ("pmStateMapStates", ASN_OCTET_STR),
};

static oid block_of(const struct pm_row *machine)
{
	return (machine->index[0] - 1) / BLOCK + 1;
}

/* A block is there when there is a machine in it. */
static bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	const oid last = INT32_MAX / BLOCK + 1; /* of PmIndex */
	oid block = length > 0 ? index[0] : 1, first;
	struct pm_row machine;

	if (block > last)
		return false;
	if (length > 1 || (length == 1 && !inclusive))
		block++;
	if (block < 1)
		block = 1;
	first = (block - 1) * BLOCK + 1;
	if (!pm_rows_seek(pm_machine_table.rows, &first, 1, true, &machine))
		return false;
	row->index[0] = block_of(&machine);
	row->index_length = 1;
	row->object = machine.object;
	return true;
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_rows *machines = pm_machine_table.rows;
	const oid first = (row->index[0] - 1) * BLOCK + 1;
	struct pm_row at;
	bool more = pm_rows_seek(machines, &first, 1, true, &at);

	(void)column;
	memset(value->buffer, 0, BLOCK);
	while (more && block_of(&at) == row->index[0]) {
		const oid last = at.index[0];

		value->buffer[last - first] = (uint8_t)pm_machine_power_state(at.object);
		more = pm_rows_seek(machines, &last, 1, false, &at);
	}
	return pm_value_octets(value, value->buffer, BLOCK);
}

const struct pm_table pm_state_map_table = {.name = "pmStateMapTable",
					    .number = 15,
					    .columns = columns,
					    .column_count = COLUMN_COUNT,
					    .first_column = STATES,
					    .seek = seek,
					    .get = get};
