/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmGroupMemberTable and pmNameTable: who is in which group, and which index a name has. Read-only, one column each. */
#include "agent/mib/mib.h"

#include <errno.h>

/* --- pmGroupMemberTable ----------------------------------------------------------------------- */

static const struct pm_column member_columns[] = {[1] = PM_READ("pmGroupMemberMachineName", ASN_OCTET_STR)};

static struct pm_rows member_rows;

static int add_members(struct pm_rows *rows, const struct pm_group *group)
{
	oid index[PM_INDEX_MAX];
	size_t length = pm_index_string(index, group->name);

	for (size_t i = 0; i < group->member_count; i++) {
		index[length] = group->members[i]->index;
		if (pm_rows_add(rows, index, length + 1, group->members[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int fill_members(struct pm_rows *rows)
{
	int error = 0;

	for (size_t i = 0; i < pm_mib_agent->group_count && !error; i++)
		error = add_members(rows, &pm_mib_agent->groups[i]);
	return error;
}

static bool get_member(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_machine *machine = row->object;

	(void)column;
	return pm_value_text(value, machine->config->name);
}

const struct pm_table pm_group_member_table = {.name = "pmGroupMemberTable",
					       .index_form = "sn",
					       .number = 9,
					       .columns = member_columns,
					       .column_count = 2,
					       .first_column = 1,
					       .rows = &member_rows,
					       .fill = fill_members,
					       .get = get_member};

/* --- pmNameTable ------------------------------------------------------------------------------ */

static const struct pm_column name_columns[] = {[1] = PM_READ("pmNameIndex", ASN_UNSIGNED)};

static struct pm_rows name_rows;

static int fill_names(struct pm_rows *rows)
{
	oid index[PM_INDEX_MAX];

	for (size_t i = 0; i < pm_mib_agent->machine_count; i++) {
		struct pm_machine *machine = pm_mib_agent->machines[i];
		size_t length = pm_index_string(index, machine->config->name);

		if (pm_rows_add(rows, index, length, machine) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool get_name(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_machine *machine = row->object;

	(void)column;
	return pm_value_unsigned(value, machine->index);
}

const struct pm_table pm_name_table = {.name = "pmNameTable",
				       .index_form = "s",
				       .number = 10,
				       .columns = name_columns,
				       .column_count = 2,
				       .first_column = 1,
				       .rows = &name_rows,
				       .fill = fill_names,
				       .get = get_name};
