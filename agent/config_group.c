/* SPDX-License-Identifier: GPL-3.0-or-later */
/* group sections: names and ranges to machines. */
#include "agent/config_build.h"
#include "agent/hostrange.h"

#include <string.h>

#define NAME_MAX_OCTETS 32
#define HOUR_MS         3600000

/* The group being built. */
struct building {
	struct config_build *build;
	const struct config_node *node;
	struct pm_group_config *group;
	const struct config_node *
	    *member_of; /* by machine: the last group that took it, against duplicates */
};

static void report_missing(const struct building *building, int line, const char *name)
{
	const struct pm_inventory *inventory = building->build->inventory;
	const char *names[256], *similar;
	size_t count = 0;

	if (building->build->machines_missing) /* it may be one that was not built because of another error */
		return;
	for (; count < inventory->machine_count && count < sizeof(names) / sizeof(names[0]); count++)
		names[count] = inventory->machines[count].name;
	similar = config_similar(name, names, count);
	config_error(building->build->report, building->node->file, line,
		     "there is no machine \"%.80s\"%s%s%s", name, similar ? ": did you mean \"" : "",
		     similar ? similar : "", similar ? "\"?" : "");
}

static bool make_room(struct building *building, size_t count)
{
	struct pm_group_config *group = building->group;
	size_t room = group->member_count + count;
	const struct pm_machine_config **members =
	    realloc(group->members, (room ? room : 1) * sizeof(*members));

	if (members)
		group->members = members;
	return members != NULL;
}

static void add_member(struct building *building, int line, const char *name)
{
	const struct pm_inventory *inventory = building->build->inventory;
	const struct pm_machine_config *machine = name ? pm_inventory_machine(inventory, name) : NULL;
	const struct config_node **member_of;

	if (!machine) {
		report_missing(building, line, name ? name : "");
		return;
	}
	member_of = &building->member_of[machine - inventory->machines];
	if (*member_of != building->node)
		building->group->members[building->group->member_count++] = machine;
	*member_of = building->node;
}

static void add_members(struct building *building, const struct config_value *value)
{
	struct config_report *report = building->build->report;
	size_t errors = config_error_count(report);
	struct pm_hostrange *range;
	struct pm_error error;

	if (pm_hostrange_new(value->text, &range, &error) < 0) {
		config_error(report, building->node->file, value->line, "members: %s", error.text);
		return;
	}
	if (!make_room(building, pm_hostrange_count(range)))
		config_error(report, building->node->file, value->line, "out of memory");
	/* One missing machine of a range is enough to say. */
	for (size_t i = 0; i < pm_hostrange_count(range) && config_error_count(report) == errors; i++) {
		char *name = pm_hostrange_name(range, i);

		add_member(building, value->line, name);
		free(name);
	}
	pm_hostrange_free(range);
}

static void build_group(struct building *building)
{
	const struct config_node *node = building->node;
	struct config_report *report = building->build->report;
	const struct config_key *key = config_key(node, "members");

	config_check_title(building->build, node, NAME_MAX_OCTETS);
	building->group->name = config_dup(building->build, node->title);
	config_get_ms(report, node, "stagger", 0, HOUR_MS, &building->group->stagger_ms);
	for (size_t i = 0; i < key->count; i++)
		add_members(building, &key->values[i]);
	if (config_lacks(node, "members"))
		config_warning(report, node->file, node->line,
			       "group \"%s\" has no members = { \"MACHINE\", ... }", node->title);
}

void config_build_groups(struct config_build *build)
{
	struct pm_inventory *inventory = build->inventory;
	struct building building = {.build = build};

	inventory->groups = config_new(build, config_count(build->root, "group"), sizeof(*inventory->groups));
	building.member_of =
	    config_alloc(build->report, (inventory->machine_count + 1) * sizeof(*building.member_of));
	building.node = config_child(build->root, "group");
	if (!inventory->groups || !building.member_of)
		return;
	for (; building.node; building.node = config_sibling(building.node)) {
		building.group = &inventory->groups[inventory->group_count++];
		build_group(&building);
	}
}
