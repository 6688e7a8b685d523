/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmGroupTable: groups of machines; Command starts a job for each member. */
#include "agent/mib/mib.h"

#include <errno.h>

enum { NAME = 1, MEMBERS, ON, OFF, UNKNOWN, COMMAND, STAGGER, ACTIVE_JOBS, COLUMN_COUNT };

#define STAGGER_MAX_MS 3600000

static const struct pm_column columns[COLUMN_COUNT] = {
    [NAME] = PM_INDEX("pmGroupName", ASN_OCTET_STR),
    [MEMBERS] = PM_READ("pmGroupMembers", ASN_GAUGE),
    [ON] = PM_READ("pmGroupOn", ASN_GAUGE),
    [OFF] = PM_READ("pmGroupOff", ASN_GAUGE),
    [UNKNOWN] = PM_READ("pmGroupUnknown", ASN_GAUGE),
    [COMMAND] =
	PM_WRITE_NOT("pmGroupCommand", ASN_INTEGER, PM_COMMAND_NONE, PM_COMMAND_IDENTIFY, PM_COMMAND_NONE),
    [STAGGER] = PM_WRITE("pmGroupStagger", ASN_UNSIGNED, 0, STAGGER_MAX_MS),
    [ACTIVE_JOBS] = PM_READ("pmGroupActiveJobs", ASN_GAUGE),
};

static struct pm_rows rows;

static int fill(struct pm_rows *to)
{
	oid index[PM_INDEX_MAX];

	for (size_t i = 0; i < pm_mib_agent->group_count; i++) {
		struct pm_group *group = &pm_mib_agent->groups[i];

		if (pm_rows_add(to, index, pm_index_string(index, group->name), group) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	struct pm_group *group = row->object;

	switch (column) {
	case MEMBERS:
		return pm_value_unsigned(value, (uint32_t)group->member_count);
	case ON:
		return pm_value_unsigned(value, pm_group_counts(group)->on);
	case OFF:
		return pm_value_unsigned(value, pm_group_counts(group)->off);
	case UNKNOWN:
		return pm_value_unsigned(value, pm_group_counts(group)->unknown);
	case COMMAND:
		return pm_value_integer(value, PM_COMMAND_NONE);
	case STAGGER:
		return pm_value_unsigned(value, group->stagger_ms);
	default:
		return pm_value_unsigned(value, pm_group_counts(group)->active_jobs);
	}
}

static int missing(const oid *index, size_t length)
{
	(void)index;
	(void)length;
	return SNMP_ERR_NOCREATION;
}

/* A stagger in the same SET holds for its verb. */
static int test(struct pm_row_set *set, struct pm_error *err)
{
	static const struct pm_change_map map[] = {{STAGGER, PM_SET_GROUP_STAGGER, NULL}};
	struct pm_group *group = set->row.object;
	const struct pm_setting_owner owner = {.agent = pm_mib_agent, .group = group};
	const struct pm_value *command = set->values[COMMAND], *stagger = set->values[STAGGER];
	int error = pm_change_begin(set, &owner, map, 1, NULL, err);

	if (error || !command)
		return error;
	set->failed_column = COMMAND;
	return pm_change_add_group_command(set, group, (enum pm_command)command->integer,
					   stagger ? stagger->unsigned32 : group->stagger_ms, err);
}

const struct pm_table pm_group_table = {.name = "pmGroupTable",
					.number = 8,
					.columns = columns,
					.column_count = COLUMN_COUNT,
					.first_column = MEMBERS,
					.index_form = "s",
					.rows = &rows,
					.fill = fill,
					.get = get,
					.missing = missing,
					.test = test,
					PM_CHANGES(pm_change_commit)};
