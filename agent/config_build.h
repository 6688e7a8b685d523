/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of the configuration reader: from the tree of sections to the inventory. */
#ifndef PM_CONFIG_BUILD_H
#define PM_CONFIG_BUILD_H

#include "agent/config_tree.h"
#include "agent/config_value.h"

/* Something that only one machine may have, and who has it. */
struct config_claim {
	const char *key;
	const char *machine;
	const char *file;
	int line;
};

struct config_claims {
	struct config_claim *items;
	size_t count, room;
};

struct config_ethers;

struct config_build {
	struct config_report *report;
	const struct config_node *root;
	struct pm_inventory *inventory;
	struct config_ethers *ethers;
	const struct pm_credentials **credentials; /* by name */
	size_t credentials_indexed;
	bool *credentials_used; /* in the order of inventory->credentials */
	struct config_claims names, bmcs, hosts, macs, uuids, uris, titles;
	const struct config_node *first_ssh; /* the first host that is reached by ssh; NULL: none is */
	size_t machine_room;                 /* machines that inventory->machines has memory for */
	bool machines_missing;               /* not every machine was built, because of errors */
};

/* A new string for the inventory; NULL, and an error, when memory is short. */
char *config_dup(struct config_build *build, const char *text);

/* Zeroed memory for the inventory, at least one octet; NULL, and an error, when memory is short. */
void *config_new(struct config_build *build, size_t count, size_t size);

/* --- config_agent.c: everything but machines -------------------------------------------------- */

void config_build_agent(struct config_build *build);
void config_build_credentials(struct config_build *build);
void config_build_consoles(struct config_build *build);
/* The credentials of that name, which from now on count as used; NULL when there are none. O(log n). */
const struct pm_credentials *config_find_credentials(struct config_build *build, const char *name);

/* Those that are not used, authenticate nobody or permit too little; when all machines are built. */
void config_warn_of_credentials(struct config_build *build);

/* --- config_group.c --------------------------------------------------------------------------- */

void config_build_groups(struct config_build *build);

/* --- config_machine.c, config_nic.c, config_host.c, config_stack.c ---------------------------- */

void config_build_machines(struct config_build *build);

/* One of the machines that a section makes. */
struct config_scope {
	struct config_build *build;
	const struct config_node *node; /* the machine section */
	struct pm_machine_config *machine;
	size_t index, count; /* which of how many */
};

/*
 * The value of a key (or a title, with the line of its section) for this machine: a range in it gives the
 * value in step with the names. A new string; fallback when the key is not given; NULL after an error.
 */
char *config_expand(const struct config_scope *scope, const struct config_node *node, const char *name,
		    const char *fallback);
char *config_expand_text(const struct config_scope *scope, const char *file, int line, const char *name,
			 const char *text);

void config_build_nics(const struct config_scope *scope);
void config_build_host(const struct config_scope *scope);
/* Of what can not be seen; when the machine is built. */
void config_warn_of_host(const struct config_scope *scope);
/* The key and the host keys, if any host is reached by ssh; when all machines are built. */
void config_check_ssh_files(struct config_build *build);
void config_build_stacks(const struct config_scope *scope);

/* --- config_address.c ------------------------------------------------------------------------- */

bool config_is_address(const char *text); /* numeric, IPv6 with or without %interface */
bool config_is_host(const char *text);    /* numeric, or a host name (RFC 1123, and underscores) */
/* Whether the address of this bmc or probe can be meant; if not, that is reported. */
bool config_check_address(struct config_report *report, const struct config_node *node, const char *address);
/* Makes equal what is the same address, as far as that can be seen without asking a name server. */
void config_normalize_address(const char *address, char *text, size_t size);

/* --- config_uri.c ----------------------------------------------------------------------------- */

/* Why this can be no libvirt URI, as the rest of a sentence; NULL: it can. */
const char *config_uri_problem(const char *uri);

/* A good URI as everybody may see it, without parameters that name keys or commands; shown has 256 octets. */
void config_show_uri(const char *uri, char *shown);

/* Makes equal, in place, what is the same URI in another spelling. */
void config_normalize_uri(char *uri);

/* --- config_check.c: what no two machines may share ------------------------------------------- */

void config_claim(struct config_build *build, struct config_claims *claims, const char *key,
		  const char *machine, const char *file, int line);
/* That this machine has that hypervisor, by its URI as it is shown. */
void config_claim_uri(const struct config_scope *scope, const struct config_node *node, const char *uri);
/* Checks a title of at most max octets, and claims it for this kind of section. */
void config_check_title(struct config_build *build, const struct config_node *node, size_t max);

void config_check_claims(struct config_build *build);
void config_free_claims(struct config_claims *claims);

/* --- config_ethers.c -------------------------------------------------------------------------- */

/* Reads ethers(5). A missing file is an error only when the configuration names another than the default. */
void config_read_ethers(struct config_build *build);
void config_free_ethers(struct config_ethers *ethers);

/* The MAC address of that host name; false when there is none. */
bool config_find_ether(const struct config_ethers *ethers, const char *name, uint8_t mac[6]);

#endif
