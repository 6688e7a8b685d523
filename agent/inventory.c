/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inventory's own memory, and machines found by name. */
#include "agent/inventory.h"
#include "agent/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_machines(const void *a, const void *b)
{
	const struct pm_machine_config *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static int compare_name(const void *name, const void *machine)
{
	const struct pm_machine_config *const *other = machine;

	return strcmp(name, (*other)->name);
}

int pm_inventory_index(struct pm_inventory *inventory)
{
	size_t count = inventory->machine_count;
	const struct pm_machine_config **by_name =
	    calloc(count ? count : 1, sizeof(const struct pm_machine_config *));

	if (!by_name)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		by_name[i] = &inventory->machines[i];
	qsort(by_name, count, sizeof(const struct pm_machine_config *), compare_machines);
	free(inventory->by_name);
	inventory->by_name = by_name;
	return 0;
}

const struct pm_machine_config *pm_inventory_machine(const struct pm_inventory *inventory, const char *name)
{
	const struct pm_machine_config **found;

	if (inventory->by_name) {
		found = bsearch(name, inventory->by_name, inventory->machine_count,
				sizeof(const struct pm_machine_config *), compare_name);
		return found ? *found : NULL;
	}
	for (size_t i = 0; i < inventory->machine_count; i++) {
		if (strcmp(inventory->machines[i].name, name) == 0)
			return &inventory->machines[i];
	}
	return NULL;
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

static void free_agent(struct pm_agent_config *agent)
{
	free(agent->name);
	free(agent->master);
	free(agent->state_directory);
	free(agent->ssh_identity_file);
	free(agent->ssh_known_hosts);
	free_strings(agent->witness, agent->witness_count);
}

static void free_credentials(struct pm_credentials *credentials)
{
	free(credentials->name);
	free(credentials->username);
	pm_secret_clear(&credentials->password);
	pm_secret_clear(&credentials->kg);
}

static void free_nic(struct pm_nic_config *nic)
{
	free(nic->name);
	free(nic->interface);
	free(nic->address);
	pm_secret_clear(&nic->secureon);
}

static void free_hypervisor(struct pm_hypervisor_config *hypervisor)
{
	free(hypervisor->uri);
	free(hypervisor->shown);
	free(hypervisor->guest);
}

static void free_host(struct pm_host_config *host)
{
	if (!host)
		return;
	free(host->ssh);
	free(host->user);
	free(host->address);
	free(host->socket);
	free(host);
}

static void free_optional_parts(struct pm_machine_config *machine)
{
	if (machine->bmc)
		free(machine->bmc->address);
	free(machine->bmc);
	if (machine->probe)
		free(machine->probe->address);
	free(machine->probe);
	free_host(machine->host);
}

static void free_machine(struct pm_machine_config *machine)
{
	free(machine->name);
	free(machine->location);
	free(machine->uuid);
	free_optional_parts(machine);
	for (size_t i = 0; i < machine->nic_count; i++)
		free_nic(&machine->nics[i]);
	free(machine->nics);
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		free_hypervisor(&machine->hypervisors[i]);
	free(machine->hypervisors);
}

static void free_group(struct pm_group_config *group)
{
	free(group->name);
	free(group->members);
}

static void free_console(struct pm_console_config *console)
{
	free(console->kind);
	for (char **argument = console->command; argument && *argument; argument++)
		free(*argument);
	free(console->command);
}

void pm_inventory_free(struct pm_inventory *inventory)
{
	if (!inventory)
		return;
	free_agent(&inventory->agent);
	for (size_t i = 0; i < inventory->credential_count; i++)
		free_credentials(&inventory->credentials[i]);
	free(inventory->credentials);
	for (size_t i = 0; i < inventory->machine_count; i++)
		free_machine(&inventory->machines[i]);
	free(inventory->machines);
	for (size_t i = 0; i < inventory->group_count; i++)
		free_group(&inventory->groups[i]);
	free(inventory->groups);
	for (size_t i = 0; i < inventory->console_count; i++)
		free_console(&inventory->consoles[i]);
	free(inventory->consoles);
	free_strings(inventory->files, inventory->file_count);
	free(inventory->by_name);
	free(inventory);
}
