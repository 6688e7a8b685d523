/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints what the agent's tables say of their columns, a line each, for the comparison with the parsed MIB:
 *   TABLE NUMBER COLUMN ASN1-TYPE na|ro|rw|rc MIN MAX NEVER
 */
#include "agent/mib/mib.h"

#include <inttypes.h>
#include <stdio.h>

static void print_table(const struct pm_table *table)
{
	static const char *const access[] = {
	    [PM_NO_ACCESS] = "na", [PM_READ_ONLY] = "ro", [PM_READ_WRITE] = "rw", [PM_READ_CREATE] = "rc"};

	for (unsigned i = 0; i < table->column_count; i++) {
		const struct pm_column *column = &table->columns[i];

		if (column->type)
			printf("%s %lu %u %u %s %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", table->name,
			       table->number, i, column->type, access[column->access], column->min,
			       column->max, column->never);
	}
}

int main(void)
{
	const struct pm_table *const tables[] = {
	    &pm_agent_table,        &pm_machine_table, &pm_nic_table,      &pm_bmc_table,
	    &pm_vm_table,           &pm_job_table,     &pm_job_step_table, &pm_group_table,
	    &pm_group_member_table, &pm_name_table,    &pm_event_table,    &pm_state_map_table};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		print_table(tables[i]);
	return 0;
}
