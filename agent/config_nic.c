/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nic sections: MAC addresses, their way on the wire, SecureOn passwords. */
#include "agent/config_build.h"
#include "agent/secret.h"

#include <stdio.h>
#include <string.h>

#define WOL_PORT 9 /* discard, as every tool does */

static const struct config_choice wol_methods[] = {{"ethernet", PM_WOL_ETHERNET}, {"udp", PM_WOL_UDP}};

static void claim_mac(const struct config_scope *scope, const struct config_node *node, const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	config_claim(scope->build, &scope->build->macs, text, scope->machine->name, node->file,
		     config_line(node, "mac"));
}

static void parse_mac(const struct config_scope *scope, const struct config_node *node,
		      struct pm_nic_config *nic, const char *text)
{
	struct config_report *report = scope->build->report;
	int line = config_line(node, "mac");
	const char *problem;

	if (!config_parse_mac(text, nic->mac)) {
		config_error(report, node->file, line, "mac = \"%.64s\" is not of the form 52:54:00:12:34:56",
			     text);
		return;
	}
	problem = config_mac_problem(nic->mac);
	if (problem)
		config_error(report, node->file, line, "mac = \"%s\" %s; the address of one NIC is expected",
			     text, problem);
	else if (scope->count > 1 && strcmp(text, config_get_text(node, "mac", "")) == 0)
		config_error(report, node->file, line,
			     "one mac for %zu machines: leave it out and name the machines in ethers(5)",
			     scope->count);
	else
		nic->has_mac = true;
}

/* A machine has one line in ethers(5): it is meant for the first NIC that needs it. */
static bool is_first_without_mac(const struct config_scope *scope, const struct config_node *node)
{
	const struct config_node *other = config_child(scope->node, "nic");

	while (other != node && config_key(other, "mac")->line > 0)
		other = config_sibling(other);
	return other == node;
}

static void find_mac(const struct config_scope *scope, const struct config_node *node,
		     struct pm_nic_config *nic)
{
	const char *name = scope->machine->name, *problem = NULL;

	if (is_first_without_mac(scope, node))
		nic->has_mac = config_find_ether(scope->build->ethers, name, nic->mac);
	if (nic->has_mac)
		problem = config_mac_problem(nic->mac);
	if (problem)
		config_error(scope->build->report, node->file, node->line,
			     "the MAC address of \"%s\" in ethers(5) %s", name, problem);
	if (!nic->has_mac)
		config_warning(
		    scope->build->report, node->file, node->line,
		    "machine \"%s\", nic \"%s\": no mac here and none in ethers(5), it cannot be woken", name,
		    node->title);
}

static void build_mac(const struct config_scope *scope, const struct config_node *node,
		      struct pm_nic_config *nic)
{
	char *text;

	if (config_key(node, "mac")->line == 0) {
		find_mac(scope, node, nic);
	} else {
		text = config_expand(scope, node, "mac", "");
		if (text)
			parse_mac(scope, node, nic, text);
		free(text);
	}
	if (nic->has_mac)
		claim_mac(scope, node, nic->mac);
}

static void check_target(const struct config_scope *scope, const struct config_node *node,
			 const struct pm_nic_config *nic)
{
	struct config_report *report = scope->build->report;

	if (nic->interface && *nic->interface && !config_is_interface(nic->interface))
		config_error(
		    report, node->file, config_line(node, "interface"),
		    "interface = \"%.64s\" is no name of a network interface (1 to 15 characters without space / :)",
		    nic->interface);
	if (!nic->address)
		return;
	if (*nic->address && !config_is_address(nic->address))
		config_error(
		    report, node->file, config_line(node, "address"),
		    "address = \"%.64s\": a numeric address is expected, such as the broadcast address 192.168.3.255",
		    nic->address);
	if (nic->wol == PM_WOL_UDP && !*nic->address && !node->broken)
		config_error(
		    report, node->file, config_line(node, "wol"),
		    "wol = \"udp\" needs an address, such as 192.168.3.255 (directed broadcast) or 255.255.255.255");
}

static void read_secureon(const struct config_scope *scope, const struct config_node *node,
			  struct pm_nic_config *nic)
{
	char *file = config_expand(scope, node, "secureon-file", "");
	const char *path = file && *file ? config_path(scope->build->report, node->file, file) : NULL;
	struct pm_error error;

	if (path && pm_secret_read_secureon(path, &nic->secureon, &error) < 0)
		config_error(scope->build->report, node->file, config_line(node, "secureon-file"), "%s",
			     error.text);
	free(file);
}

static void build_nic(const struct config_scope *scope, const struct config_node *node,
		      struct pm_nic_config *nic)
{
	struct config_report *report = scope->build->report;

	nic->name = config_expand_text(scope, node->file, node->line, "nic", node->title);
	if (nic->name && !config_is_name(nic->name, 64))
		config_error(
		    report, node->file, node->line,
		    "nic name \"%.80s\": 1 to 64 printable characters without space / [ ] quotes and backslash are allowed",
		    nic->name);
	nic->wol =
	    (enum pm_wol_method)config_get_choice(report, node, "wol", wol_methods, 2, PM_WOL_ETHERNET);
	nic->interface = config_expand(scope, node, "interface", "");
	nic->address = config_expand(scope, node, "address", "");
	nic->port = WOL_PORT;
	config_get_port(report, node, &nic->port);
	check_target(scope, node, nic);
	build_mac(scope, node, nic);
	read_secureon(scope, node, nic);
}

static void check_names(const struct config_scope *scope, const struct config_node *node)
{
	for (const struct config_node *other = config_child(scope->node, "nic"); other != node;
	     other = config_sibling(other)) {
		if (strcmp(other->title, node->title) == 0) {
			config_error(scope->build->report, node->file, node->line,
				     "machine \"%s\" has a nic \"%s\" already, in line %d",
				     scope->machine->name, node->title, other->line);
			return;
		}
	}
}

void config_build_nics(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "nic");
	struct pm_machine_config *machine = scope->machine;
	size_t count = config_count(scope->node, "nic");

	machine->nics = count ? config_new(scope->build, count, sizeof(*machine->nics)) : NULL;
	for (; machine->nics && node; node = config_sibling(node)) {
		check_names(scope, node);
		build_nic(scope, node, &machine->nics[machine->nic_count++]);
	}
}
