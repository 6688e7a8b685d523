/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stack and guest sections: the hypervisors of a machine, and those that run on them. */
#include "agent/config_build.h"

#include <ctype.h>
#include <string.h>

#define PARALLEL_DEFAULT 10
#define PARALLEL_MAX     1000

/* "driver[+transport]://[user@]host[:port]/path?..." without white space and without a password. */
static const char *uri_problem(const char *uri)
{
	size_t scheme = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	const char *authority = uri + scheme + 3, *colon, *at;

	if (scheme == 0 || strncmp(uri + scheme, "://", 3) != 0 || !isalpha((unsigned char)*uri))
		return "is no libvirt URI, such as qemu+ssh://user@host/system or qemu:///system";
	for (const char *c = uri; *c; c++) {
		if (!isgraph((unsigned char)*c))
			return "holds a space or a character that is not ASCII";
	}
	at = memchr(authority, '@', strcspn(authority, "/?#"));
	colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	return colon ? "holds a password; let libvirt take it from its auth.conf" : NULL;
}

static char *build_uri(const struct config_scope *scope, const struct config_node *node)
{
	char *uri = config_expand(scope, node, "uri", "");
	const char *problem = uri ? uri_problem(uri) : NULL;

	if (!uri || (!*uri && node->broken))
		return uri;
	if (!*uri)
		config_error(scope->build->report, node->file, node->line,
			     "%s needs a uri, such as qemu+ssh://user@host/system or qemu:///system",
			     node->schema->name);
	else if (problem)
		config_error(scope->build->report, node->file, config_line(node, "uri"), "uri: this %s",
			     problem);
	return uri;
}

static void check_name(const struct config_scope *scope, const struct config_node *node)
{
	const struct config_node *other = config_child(node->parent, "guest");

	if (!*node->title)
		config_error(scope->build->report, node->file, node->line,
			     "guest needs the name of the VM: guest \"NAME\" { ... }");
	while (other != node && strcmp(other->title, node->title) != 0)
		other = config_sibling(other);
	if (other != node)
		config_error(scope->build->report, node->file, node->line,
			     "guest \"%s\" is already in line %d", node->title, other->line);
}

/* Builds the guests of a stack or of a guest. The depth is that of the sections, which the parser limits. */
static struct pm_guest_config *build_guests(const struct config_scope *scope,
					    const struct config_node *parent, size_t *built)
{
	size_t count = config_count(parent, "guest");
	struct pm_guest_config *guests = count ? config_new(scope->build, count, sizeof(*guests)) : NULL;
	const struct config_node *node = config_child(parent, "guest");

	for (; guests && node; node = config_sibling(node)) {
		struct pm_guest_config *guest = &guests[(*built)++];

		check_name(scope, node);
		guest->name = config_expand_text(scope, node->file, node->line, "guest", node->title);
		guest->uri = build_uri(scope, node);
		guest->guests = build_guests(scope, node, &guest->guest_count);
	}
	return guests;
}

void config_build_stacks(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "stack");
	struct pm_machine_config *machine = scope->machine;
	size_t count = config_count(scope->node, "stack");

	machine->stacks = count ? config_new(scope->build, count, sizeof(*machine->stacks)) : NULL;
	for (; machine->stacks && node; node = config_sibling(node)) {
		struct pm_stack_config *stack = &machine->stacks[machine->stack_count++];

		stack->uri = build_uri(scope, node);
		stack->parallel = PARALLEL_DEFAULT;
		config_get_number(scope->build->report, node, "parallel", 1, PARALLEL_MAX, &stack->parallel);
		stack->guests = build_guests(scope, node, &stack->guest_count);
	}
}
