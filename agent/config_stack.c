/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stack and guest sections: the hypervisors of a machine, and those that run in VMs of others. */
#include "agent/config_build.h"

#include <stdio.h>
#include <string.h>

#define PARALLEL_DEFAULT  10
#define PARALLEL_MAX      1000
#define CONNECT_TIMEOUT_S 300
#define NAME_MAX_OCTETS   255
#define DAY_S             86400
#define DAY_MS            86400000

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct config_choice suspend_methods[] = {{"pause", PM_SUSPEND_PAUSE},
						       {"guest", PM_SUSPEND_GUEST}};

/* One stack section, or one guest section below it. */
struct section {
	const struct config_node *node;
	char *name;         /* of the VM; NULL: the stack's, or an error */
	struct section *on; /* NULL: on the machine itself */
	size_t depth, number;
};

/* A stack section and all its guests, in the order of the file: the stack is the first. */
struct tree {
	struct section *sections;
	size_t count;
};

/* --- the sections of a tree ------------------------------------------------------------------- */

static size_t count_sections(const struct config_node *node)
{
	const struct config_node *guest = config_child(node, "guest");
	size_t count = 1;

	for (; guest; guest = config_sibling(guest))
		count += count_sections(guest);
	return count;
}

static char *build_name(const struct config_scope *scope, const struct config_node *node)
{
	char *name = NULL;

	if (*node->title) /* an empty one is already reported */
		name = config_expand_text(scope, node->file, node->line, "guest", node->title);
	if (name && strlen(name) > NAME_MAX_OCTETS)
		config_error(scope->build->report, node->file, node->line,
			     "guest: the name of a VM has at most %d octets", NAME_MAX_OCTETS);
	return name;
}

/* The depth is that of the sections, which the parser limits. */
static void collect(const struct config_scope *scope, const struct config_node *node, struct section *on,
		    struct tree *tree)
{
	struct section *section = &tree->sections[tree->count++];
	const struct config_node *guest = config_child(node, "guest");

	section->node = node;
	section->on = on;
	section->name = on ? build_name(scope, node) : NULL;
	for (; guest; guest = config_sibling(guest))
		collect(scope, guest, section, tree);
}

/* --- parent = "NAME" -------------------------------------------------------------------------- */

static struct section *find_section(const struct tree *tree, const char *name, const struct section *after)
{
	for (size_t i = after ? (size_t)(after - tree->sections) + 1 : 1; i < tree->count; i++) {
		if (tree->sections[i].name && strcmp(tree->sections[i].name, name) == 0)
			return &tree->sections[i];
	}
	return NULL;
}

static void report_unknown(const struct config_scope *scope, const struct tree *tree,
			   const struct section *section, const char *parent)
{
	const char **names = calloc(tree->count, sizeof(*names)), *similar;
	int line = config_line(section->node, "parent");
	size_t count = 0;

	for (size_t i = 1; names && i < tree->count; i++) {
		if (tree->sections[i].name && &tree->sections[i] != section)
			names[count++] = tree->sections[i].name;
	}
	similar = config_similar(parent, names, count);
	if (similar)
		config_error(
		    scope->build->report, section->node->file, line,
		    "parent = \"%.64s\": there is no such guest in this stack; did you mean \"%.64s\"?",
		    parent, similar);
	else
		config_error(
		    scope->build->report, section->node->file, line,
		    "parent = \"%.64s\": there is no such guest in this stack: write a section guest "
		    "\"%.64s\" { uri = ... } in it",
		    parent, parent);
	free(names);
}

static void take_parent(const struct config_scope *scope, const struct tree *tree, struct section *section)
{
	const struct config_node *node = section->node;
	int line = config_line(node, "parent");
	char *parent = config_expand(scope, node, "parent", "");
	struct section *found = parent ? find_section(tree, parent, NULL) : NULL;

	if (section->on != &tree->sections[0])
		config_error(
		    scope->build->report, node->file, line,
		    "guest \"%.64s\" stands in guest \"%.64s\", which is its parent: leave parent out, or "
		    "move the section up into the stack",
		    node->title, section->on->node->title);
	else if (found && find_section(tree, parent, found))
		config_error(
		    scope->build->report, node->file, line,
		    "parent = \"%.64s\": there are two, in line %d and line %d; put this section into the one that "
		    "is meant",
		    parent, found->node->line, find_section(tree, parent, found)->node->line);
	else if (found)
		section->on = found;
	else if (parent)
		report_unknown(scope, tree, section, parent);
	free(parent);
}

/* How many steps it is from there to the machine; more than there are sections: it never comes there. */
static size_t depth_of(const struct tree *tree, const struct section *section)
{
	size_t depth = 0;

	for (; section->on && depth <= tree->count; section = section->on)
		depth++;
	return depth;
}

/* Whether it is the first, in the order of the file, of guests that stand on each other in a ring. */
static bool leads_ring(const struct tree *tree, const struct section *section)
{
	const struct section *at = section->on;

	for (size_t i = 0; at && at != section && i < tree->count; i++) {
		if (at < section)
			return false;
		at = at->on;
	}
	return at == section;
}

static void report_ring(const struct config_scope *scope, const struct section *section)
{
	const struct section *at = section;
	char text[300];
	int used = 0;

	do {
		used += snprintf(text + used, sizeof(text) - (size_t)used, " on \"%.64s\"", at->on->name);
		at = at->on;
	} while (at != section && used < 200);
	config_error(
	    scope->build->report, section->node->file, config_line(section->node, "parent"),
	    "guest \"%.64s\" would run on itself: \"%.64s\"%s%s; one of them stands on the stack, without parent",
	    section->name, section->name, text, at == section ? "" : " ...");
}

static void check_name(const struct config_scope *scope, const struct tree *tree,
		       const struct section *section)
{
	const struct section *other = tree->sections + 1;

	if (!section->name)
		return;
	while (other != section &&
	       (other->on != section->on || !other->name || strcmp(other->name, section->name) != 0))
		other++;
	if (other != section)
		config_error(scope->build->report, section->node->file, section->node->line,
			     "guest \"%.64s\" is already in line %d", section->name, other->node->line);
}

static void resolve(const struct config_scope *scope, const struct tree *tree)
{
	for (size_t i = 1; i < tree->count; i++) {
		if (config_has(tree->sections[i].node, "parent"))
			take_parent(scope, tree, &tree->sections[i]);
	}
	for (size_t i = 1; i < tree->count; i++) {
		if (leads_ring(tree, &tree->sections[i])) {
			report_ring(scope, &tree->sections[i]);
			tree->sections[i].on = &tree->sections[0];
		}
	}
	for (size_t i = 0; i < tree->count; i++) {
		tree->sections[i].depth = depth_of(tree, &tree->sections[i]);
		check_name(scope, tree, &tree->sections[i]);
	}
}

/* --- hypervisors ------------------------------------------------------------------------------ */

static void build_uri(const struct config_scope *scope, const struct config_node *node,
		      struct pm_hypervisor_config *hypervisor)
{
	char *uri = hypervisor->uri = config_expand(scope, node, "uri", "");
	const char *problem = uri ? config_uri_problem(uri) : NULL;
	struct config_report *report = scope->build->report;
	char shown[256];

	if (!uri || (!*uri && node->broken))
		return;
	if (!*uri) {
		config_error(report, node->file, node->line,
			     "%s needs a uri, such as qemu+ssh://user@host/system or qemu:///system",
			     node->schema->name);
		return;
	}
	if (problem) {
		config_error(report, node->file, config_line(node, "uri"), "uri: this %s", problem);
		return;
	}
	config_show_uri(uri, shown);
	hypervisor->shown = config_dup(scope->build, shown);
	config_claim_uri(scope, node, shown);
}

/* What it does not say of itself a guest has from what it runs on, as far as that is the same everywhere. */
static void build_hypervisor(const struct config_scope *scope, struct section *section)
{
	struct pm_machine_config *machine = scope->machine;
	const struct config_node *node = section->node;
	struct config_report *report = scope->build->report;
	struct pm_hypervisor_config *hypervisor = &machine->hypervisors[machine->hypervisor_count];
	size_t on = section->on ? section->on->number : 0;

	section->number = machine->hypervisor_count++;
	*hypervisor = (struct pm_hypervisor_config){
	    .guest = section->name,
	    .on = on,
	    .parallel = section->on ? machine->hypervisors[on].parallel : PARALLEL_DEFAULT,
	    .connect_timeout_s = CONNECT_TIMEOUT_S,
	    .poll_interval_ms = scope->build->inventory->agent.poll_interval_ms,
	    .file = node->file,
	    .line = node->line};
	section->name = NULL;
	build_uri(scope, node, hypervisor);
	config_get_number(report, node, "parallel", 1, PARALLEL_MAX, &hypervisor->parallel);
	config_get_bool(report, node, "autostart", &hypervisor->autostart);
	config_get_ms(report, node, "poll-interval", 1000, DAY_MS, &hypervisor->poll_interval_ms);
	config_get_s(report, node, "connect-timeout", 1, DAY_S, &hypervisor->connect_timeout_s);
	hypervisor->suspend = (enum pm_suspend_method)config_get_choice(
	    report, node, "suspend", suspend_methods, LENGTH(suspend_methods), PM_SUSPEND_PAUSE);
}

/* Level by level: each behind the one it runs on. */
static void build_tree(const struct config_scope *scope, const struct tree *tree)
{
	size_t built = 0;

	for (size_t depth = 0; built < tree->count && depth <= tree->count; depth++) {
		for (size_t i = 0; i < tree->count; i++) {
			if (tree->sections[i].depth != depth)
				continue;
			build_hypervisor(scope, &tree->sections[i]);
			built++;
		}
	}
}

static void build_stack(const struct config_scope *scope, const struct config_node *node)
{
	struct tree tree = {.sections = calloc(count_sections(node), sizeof(*tree.sections))};

	if (!tree.sections) {
		config_error(scope->build->report, node->file, node->line, "out of memory");
		return;
	}
	collect(scope, node, NULL, &tree);
	resolve(scope, &tree);
	build_tree(scope, &tree);
	for (size_t i = 0; i < tree.count; i++)
		free(tree.sections[i].name);
	free(tree.sections);
}

void config_build_stacks(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "stack");
	struct pm_machine_config *machine = scope->machine;
	size_t count = 0;

	for (const struct config_node *stack = node; stack; stack = config_sibling(stack))
		count += count_sections(stack);
	machine->hypervisors = count ? config_new(scope->build, count, sizeof(*machine->hypervisors)) : NULL;
	for (; machine->hypervisors && node; node = config_sibling(node))
		build_stack(scope, node);
}
