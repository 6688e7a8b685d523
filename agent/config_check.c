/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What no two machines may share, a name, a BMC, a MAC address, a UUID; and names of other sections. */
#include "agent/config_build.h"

#include <stdio.h>
#include <string.h>

void config_claim(struct config_build *build, struct config_claims *claims, const char *key,
		  const char *machine, const char *file, int line)
{
	size_t room = claims->room ? claims->room * 2 : 256;
	struct config_claim *items;

	if (claims->count == claims->room) {
		items = realloc(claims->items, room * sizeof(*items));
		if (!items) {
			config_error(build->report, file, line, "out of memory");
			return;
		}
		claims->items = items;
		claims->room = room;
	}
	claims->items[claims->count++] =
	    (struct config_claim){.key = config_copy(build->report, key, strlen(key)),
				  .machine = machine,
				  .file = file,
				  .line = line};
	if (!claims->items[claims->count - 1].key)
		claims->count--;
}

void config_free_claims(struct config_claims *claims)
{
	free(claims->items);
	*claims = (struct config_claims){0};
}

struct sorted {
	const struct config_claim *claim;
};

static int compare_claims(const void *a, const void *b)
{
	const struct config_claim *left = ((const struct sorted *)a)->claim,
				  *right = ((const struct sorted *)b)->claim;
	int order = strcmp(left->key, right->key);

	if (order)
		return order;
	return left < right ? -1 : left > right; /* as they were claimed */
}

typedef void (*conflict_fn)(struct config_report *report, const struct config_claim *claim,
			    const struct config_claim *first);

static void check_unique(struct config_build *build, const struct config_claims *claims, conflict_fn conflict)
{
	struct sorted *sorted = calloc(claims->count + 1, sizeof(*sorted));
	const struct config_claim *first;

	if (!sorted) {
		config_error(build->report, build->root->file, 0, "out of memory");
		return;
	}
	for (size_t i = 0; i < claims->count; i++)
		sorted[i].claim = &claims->items[i];
	qsort(sorted, claims->count, sizeof(*sorted), compare_claims);
	first = sorted[0].claim;
	for (size_t i = 1; i < claims->count; i++) {
		if (strcmp(sorted[i].claim->key, first->key) == 0)
			conflict(build->report, sorted[i].claim, first);
		else
			first = sorted[i].claim;
	}
	free(sorted);
}

static void report_name(struct config_report *report, const struct config_claim *claim,
			const struct config_claim *first)
{
	config_error(report, claim->file, claim->line, "machine \"%s\" was already declared in %s:%d",
		     claim->key, first->file, first->line);
}

static void report_bmc(struct config_report *report, const struct config_claim *claim,
		       const struct config_claim *first)
{
	config_error(
	    report, claim->file, claim->line,
	    "machine \"%s\" has the same BMC as \"%s\" (%s:%d), %s: each needs its own, or the wrong machine is switched",
	    claim->machine, first->machine, first->file, first->line, claim->key);
}

static void report_host(struct config_report *report, const struct config_claim *claim,
			const struct config_claim *first)
{
	config_error(
	    report, claim->file, claim->line,
	    "machine \"%s\" has the same host as \"%s\" (%s:%d), %s: each needs its own, or the wrong machine is shut down",
	    claim->machine, first->machine, first->file, first->line, claim->key);
}

static void report_mac(struct config_report *report, const struct config_claim *claim,
		       const struct config_claim *first)
{
	config_error(report, claim->file, claim->line,
		     "machine \"%s\" has the MAC address %s, which \"%s\" has already (%s:%d)",
		     claim->machine, claim->key, first->machine, first->file, first->line);
}

static void report_uuid(struct config_report *report, const struct config_claim *claim,
			const struct config_claim *first)
{
	config_error(report, claim->file, claim->line,
		     "machine \"%s\" has the uuid %s, which \"%s\" has already (%s:%d)", claim->machine,
		     claim->key, first->machine, first->file, first->line);
}

static void report_uri(struct config_report *report, const struct config_claim *claim,
		       const struct config_claim *first)
{
	config_error(
	    report, claim->file, claim->line,
	    "machine \"%s\" has the hypervisor %s, which \"%s\" has already (%s:%d): its VMs would be in two "
	    "stacks",
	    claim->machine, claim->key, first->machine, first->file, first->line);
}

static void report_title(struct config_report *report, const struct config_claim *claim,
			 const struct config_claim *first)
{
	config_error(report, claim->file, claim->line, "%s is already in %s:%d", claim->key, first->file,
		     first->line);
}

void config_claim_uri(const struct config_scope *scope, const struct config_node *node, const char *uri)
{
	char *key = strdup(uri);

	if (!key) {
		config_error(scope->build->report, node->file, node->line, "out of memory");
		return;
	}
	config_normalize_uri(key);
	config_claim(scope->build, &scope->build->uris, key, scope->machine->name, node->file,
		     config_line(node, "uri"));
	free(key);
}

void config_check_title(struct config_build *build, const struct config_node *node, size_t max)
{
	const char *kind = node->schema->name;
	char key[128];

	if (!*node->title) /* that is already reported */
		return;
	if (!config_is_name(node->title, max)) {
		config_error(
		    build->report, node->file, node->line,
		    "%s name \"%.80s\": 1 to %zu printable ASCII characters without space / [ ] quotes and "
		    "backslash are allowed",
		    kind, node->title, max);
		return;
	}
	snprintf(key, sizeof(key), "%s \"%s\"", kind, node->title);
	config_claim(build, &build->titles, key, kind, node->file, node->line);
}

void config_check_claims(struct config_build *build)
{
	check_unique(build, &build->names, report_name);
	check_unique(build, &build->bmcs, report_bmc);
	check_unique(build, &build->hosts, report_host);
	check_unique(build, &build->macs, report_mac);
	check_unique(build, &build->uuids, report_uuid);
	check_unique(build, &build->uris, report_uri);
	check_unique(build, &build->titles, report_title);
}
