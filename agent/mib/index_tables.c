/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmGroupMemberTable and pmNameTable: who is in which group, and which index a name has. Read-only, one column each. */
#include "agent/mib/mib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- pmGroupMemberTable ----------------------------------------------------------------------- */

static const struct pm_column member_columns[] = {[1] = PM_READ("pmGroupMemberMachineName", ASN_OCTET_STR)};

static int compare_names(const void *a, const void *b)
{
	const struct pm_machine *const *x = a, *const *y = b;

	return strcmp((*x)->config->name, (*y)->config->name);
}

static int compare_name(const void *name, const void *machine)
{
	const struct pm_machine *const *m = machine;

	return strcmp(name, (*m)->config->name);
}

static int add_members(struct pm_rows *rows, const struct pm_group_config *group, struct pm_machine **by_name)
{
	oid index[PM_INDEX_MAX];
	size_t length = pm_index_string(index, group->name);

	for (size_t i = 0; i < group->member_count; i++) {
		struct pm_machine **found =
		    bsearch(group->members[i]->name, by_name, pm_mib_agent->machine_count, sizeof(*by_name),
			    compare_name);

		if (!found)
			continue;
		index[length] = (*found)->index;
		if (pm_rows_add(rows, index, length + 1, *found) < 0)
			return -ENOMEM;
	}
	return 0;
}

static struct pm_rows member_rows;

static int fill_members(struct pm_rows *rows)
{
	const struct pm_inventory *inventory = pm_mib_agent->inventory;
	size_t count = pm_mib_agent->machine_count;
	struct pm_machine **by_name;
	int error = 0;

	if (count == 0)
		return 0;
	by_name = malloc(count * sizeof(struct pm_machine *));
	if (!by_name)
		return -ENOMEM;
	memcpy(by_name, pm_mib_agent->machines, count * sizeof(struct pm_machine *));
	qsort(by_name, count, sizeof(struct pm_machine *), compare_names);
	for (size_t i = 0; i < inventory->group_count && !error; i++)
		error = add_members(rows, &inventory->groups[i], by_name);
	free(by_name);
	return error;
}

static bool get_member(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_machine *machine = row->object;

	(void)column;
	return pm_value_text(value, machine->config->name);
}

const struct pm_table pm_group_member_table = {.name = "pmGroupMemberTable",
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
				       .number = 10,
				       .columns = name_columns,
				       .column_count = 2,
				       .first_column = 1,
				       .rows = &name_rows,
				       .fill = fill_names,
				       .get = get_name};
