/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/settings.h"

#include "agent/group.h"
#include "agent/log.h"
#include "agent/vm.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VM_PREFIX "vm-" /* part of a setting is a VM then, else a NIC */

enum scope { AGENT, MACHINE, NIC, GROUP, VM };
enum kind { NUMBER, PORT, BOOLEAN, TEXT };

static const struct definition {
	const char *name; /* in the store */
	enum scope scope;
	enum kind kind;
	size_t offset; /* of the value in struct pm_agent, pm_machine, pm_nic, pm_group or pm_vm */
	size_t size;
} definitions[PM_SETTING_COUNT] = {
#define FIELD(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)
    [PM_SET_AGENT_INHIBIT] = {"inhibit", AGENT, BOOLEAN, FIELD(pm_agent, inhibit)},
    [PM_SET_AGENT_NOTIFY_ENABLE] = {"notify-enable", AGENT, BOOLEAN, FIELD(pm_agent, notify_enable)},
    [PM_SET_AGENT_JOB_MAX_CONCURRENT] = {"job-max-concurrent", AGENT, NUMBER,
					 FIELD(pm_agent, job_max_concurrent)},
    [PM_SET_MACHINE_ADMIN_STATE] = {"admin-state", MACHINE, NUMBER, FIELD(pm_machine, admin_state)},
    [PM_SET_MACHINE_INHIBIT] = {"inhibit", MACHINE, BOOLEAN, FIELD(pm_machine, inhibit)},
    [PM_SET_MACHINE_INHIBIT_REASON] = {"inhibit-reason", MACHINE, TEXT, FIELD(pm_machine, inhibit_reason)},
    [PM_SET_MACHINE_STACK_TIMEOUT] = {"stack-timeout", MACHINE, NUMBER, FIELD(pm_machine, stack_timeout_s)},
    [PM_SET_MACHINE_VM_TIMEOUT] = {"vm-timeout", MACHINE, NUMBER, FIELD(pm_machine, vm_timeout_s)},
    [PM_SET_MACHINE_POWER_ON_METHOD] = {"power-on-method", MACHINE, NUMBER,
					FIELD(pm_machine, power_on_method)},
    [PM_SET_MACHINE_STACK_ADMIN_STATE] = {"stack-admin-state", MACHINE, NUMBER,
					  FIELD(pm_machine, stack_admin_state)},
    [PM_SET_VM_ADMIN_STATE] = {VM_PREFIX "admin-state", VM, NUMBER, FIELD(pm_vm, admin_state)},
    [PM_SET_NIC_WOL] = {"wol", NIC, NUMBER, FIELD(pm_nic, wol)},
    [PM_SET_NIC_INTERFACE] = {"interface", NIC, TEXT, FIELD(pm_nic, interface)},
    [PM_SET_NIC_ADDRESS] = {"address", NIC, TEXT, FIELD(pm_nic, address)},
    [PM_SET_NIC_PORT] = {"port", NIC, PORT, FIELD(pm_nic, port)},
    [PM_SET_GROUP_STAGGER] = {"stagger", GROUP, NUMBER, FIELD(pm_group, stagger_ms)},
};

static void *field(const struct pm_setting_owner *owner, const struct definition *definition)
{
	void *const objects[] = {[AGENT] = owner->agent,
				 [MACHINE] = owner->machine,
				 [NIC] = owner->nic,
				 [GROUP] = owner->group,
				 [VM] = owner->vm};

	return (char *)objects[definition->scope] + definition->offset;
}

void pm_setting_apply(const struct pm_setting_owner *owner, enum pm_setting_key key, const char *value)
{
	const struct definition *definition = &definitions[key];
	void *to = field(owner, definition);
	uint32_t number = (uint32_t)strtoul(value, NULL, 10);

	switch (definition->kind) {
	case TEXT:
		snprintf(to, definition->size, "%s", value);
		break;
	case BOOLEAN:
		*(bool *)to = number != 0;
		break;
	case PORT:
		*(uint16_t *)to = (uint16_t)number;
		break;
	case NUMBER:
		memcpy(to, &number, sizeof(number));
	}
}

void pm_setting_current(const struct pm_setting_owner *owner, enum pm_setting_key key, char *out)
{
	const struct definition *definition = &definitions[key];
	const void *from = field(owner, definition);
	uint32_t number = 0;

	switch (definition->kind) {
	case TEXT:
		snprintf(out, PM_SETTING_TEXT_MAX, "%s", (const char *)from);
		return;
	case BOOLEAN:
		number = *(const bool *)from;
		break;
	case PORT:
		number = *(const uint16_t *)from;
		break;
	case NUMBER:
		memcpy(&number, from, sizeof(number));
	}
	snprintf(out, PM_SETTING_TEXT_MAX, "%u", number);
}

static uint32_t base_number(const struct pm_setting_owner *owner, enum pm_setting_key key)
{
	switch (key) {
	case PM_SET_AGENT_NOTIFY_ENABLE:
		return true;
	case PM_SET_AGENT_JOB_MAX_CONCURRENT:
		return 64;
	case PM_SET_MACHINE_ADMIN_STATE:
		return PM_ADMIN_UNMANAGED;
	case PM_SET_MACHINE_STACK_TIMEOUT:
		return owner->machine->config->stack_timeout_s;
	case PM_SET_MACHINE_VM_TIMEOUT:
		return owner->machine->config->vm_timeout_s;
	case PM_SET_MACHINE_POWER_ON_METHOD:
		return owner->machine->config->power_on_method;
	case PM_SET_MACHINE_STACK_ADMIN_STATE:
		return PM_STACK_WISH_RUNNING;
	case PM_SET_NIC_WOL:
		return owner->nic->config->wol;
	case PM_SET_NIC_PORT:
		return owner->nic->config->port;
	case PM_SET_GROUP_STAGGER:
		return owner->group->config->stagger_ms;
	default:
		return 0;
	}
}

static void base_of(const struct pm_setting_owner *owner, enum pm_setting_key key, char *out)
{
	if (key == PM_SET_NIC_INTERFACE)
		snprintf(out, PM_SETTING_TEXT_MAX, "%s", owner->nic->config->interface);
	else if (key == PM_SET_NIC_ADDRESS)
		snprintf(out, PM_SETTING_TEXT_MAX, "%s", owner->nic->config->address);
	else if (definitions[key].kind == TEXT)
		out[0] = '\0';
	else
		snprintf(out, PM_SETTING_TEXT_MAX, "%u", base_number(owner, key));
}

void pm_settings_defaults(const struct pm_setting_owner *owner)
{
	enum scope scope = owner->group     ? GROUP
			   : owner->vm      ? VM
			   : owner->nic     ? NIC
			   : owner->machine ? MACHINE
					    : AGENT;
	char base[PM_SETTING_TEXT_MAX];

	for (int key = 0; key < PM_SETTING_COUNT; key++) {
		if (definitions[key].scope != scope)
			continue;
		base_of(owner, (enum pm_setting_key)key, base);
		pm_setting_apply(owner, (enum pm_setting_key)key, base);
	}
}

static struct pm_setting make(const struct pm_setting_owner *owner, enum pm_setting_key key, const char *base,
			      const char *value)
{
	const struct definition *definition = &definitions[key];
	enum scope scope = definition->scope;

	return (struct pm_setting){.machine = scope == AGENT || scope == GROUP ? 0 : owner->machine->index,
				   .group = scope == GROUP ? owner->group->name : "",
				   .part = scope == NIC  ? owner->nic->index
					   : scope == VM ? owner->vm->index
							 : 0,
				   .key = definition->name,
				   .base = base,
				   .value = value};
}

int pm_setting_store(const struct pm_setting_owner *owner, enum pm_setting_key key, const char *value,
		     struct pm_error *err)
{
	char base[PM_SETTING_TEXT_MAX];
	struct pm_setting setting;

	base_of(owner, key, base);
	setting = make(owner, key, base, value);
	if (strcmp(base, value) == 0)
		return pm_store_setting_delete(owner->agent->store, &setting, err);
	return pm_store_setting_put(owner->agent->store, &setting, err);
}

/* --- loading ---------------------------------------------------------------------------------- */

static enum scope scope_of(const struct pm_setting *setting)
{
	if (*setting->group)
		return GROUP;
	if (!setting->machine)
		return AGENT;
	if (!setting->part)
		return MACHINE;
	return strncmp(setting->key, VM_PREFIX, strlen(VM_PREFIX)) == 0 ? VM : NIC;
}

static bool find_owner(struct pm_agent *agent, const struct pm_setting *setting,
		       struct pm_setting_owner *owner, enum scope scope)
{
	*owner = (struct pm_setting_owner){.agent = agent};
	if (scope == GROUP)
		owner->group = pm_agent_group(agent, setting->group);
	if (setting->machine)
		owner->machine = pm_agent_machine(agent, setting->machine);
	if (scope == NIC && owner->machine)
		owner->nic = pm_machine_nic(owner->machine, setting->part);
	if (scope == VM && owner->machine)
		owner->vm = pm_machine_vm(owner->machine, setting->part);
	return scope == AGENT || owner->group ||
	       (owner->machine && (scope == MACHINE || owner->nic || owner->vm));
}

static void give_way(const struct pm_setting_owner *owner, const struct pm_setting *setting)
{
	pm_store_setting_delete(owner->agent->store, setting, NULL);
	pm_log(LOG_NOTICE, "%s%s%s%s = %s, once written by SNMP, gives way to the changed configuration",
	       owner->group ? "group " : "",
	       owner->group     ? owner->group->name
	       : owner->machine ? owner->machine->config->name
				: "agent",
	       owner->group || owner->machine ? ": " : " ", setting->key, setting->value);
}

static void load_one(const struct pm_setting *setting, void *data)
{
	struct pm_setting_owner owner;
	enum scope scope = scope_of(setting);
	char base[PM_SETTING_TEXT_MAX];

	if (!find_owner(data, setting, &owner, scope))
		return; /* of a machine, group or VM that is not there now: kept for its return */
	for (int key = 0; key < PM_SETTING_COUNT; key++) {
		if (definitions[key].scope != scope || strcmp(definitions[key].name, setting->key) != 0)
			continue;
		base_of(&owner, (enum pm_setting_key)key, base);
		if (strcmp(base, setting->base) == 0)
			pm_setting_apply(&owner, (enum pm_setting_key)key, setting->value);
		else
			give_way(&owner, setting);
	}
}

/* The indexes of NICs and VMs are not related: a NIC of the same number has settings of its own. */
static void load_vm(const struct pm_setting *setting, void *data)
{
	if (scope_of(setting) == VM)
		load_one(setting, data);
}

static void ignore(const struct pm_setting *setting, void *data)
{
	(void)setting;
	(void)data;
}

bool pm_settings_readable(struct pm_agent *agent)
{
	struct pm_error err = {""};

	if (pm_store_settings_load(agent->store, ignore, NULL, &err) == 0)
		return true;
	pm_log(LOG_ERR, "settings written by SNMP can not be read, those in force stay: %s", err.text);
	return false;
}

void pm_settings_load(struct pm_agent *agent)
{
	struct pm_error err = {""};

	if (pm_store_settings_load(agent->store, load_one, agent, &err) < 0)
		pm_log(LOG_ERR, "settings written by SNMP can not be read: %s", err.text);
}

void pm_settings_load_vm(struct pm_vm *vm)
{
	struct pm_agent *agent = vm->machine->agent;
	struct pm_error err = {""};

	if (pm_store_settings_load_part(agent->store, vm->machine->index, vm->index, load_vm, agent, &err) <
	    0)
		pm_log(LOG_ERR, "the wish for VM %s can not be read: %s", vm->name, err.text);
}
