/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Settings that SNMP may write over what the configuration says. A written value outlives restarts; it holds until the
 * configuration's own value for the same key changes.
 */
#ifndef PM_SETTINGS_H
#define PM_SETTINGS_H

#include "agent/agent.h"

enum pm_setting_key {
	PM_SET_AGENT_INHIBIT,
	PM_SET_AGENT_NOTIFY_ENABLE,
	PM_SET_AGENT_JOB_MAX_CONCURRENT,
	PM_SET_MACHINE_ADMIN_STATE,
	PM_SET_MACHINE_INHIBIT,
	PM_SET_MACHINE_INHIBIT_REASON,
	PM_SET_MACHINE_STACK_TIMEOUT,
	PM_SET_MACHINE_VM_TIMEOUT,
	PM_SET_MACHINE_POWER_ON_METHOD,
	PM_SET_MACHINE_STACK_ADMIN_STATE,
	PM_SET_VM_ADMIN_STATE,
	PM_SET_NIC_WOL,
	PM_SET_NIC_INTERFACE,
	PM_SET_NIC_ADDRESS,
	PM_SET_NIC_PORT,
	PM_SET_GROUP_STAGGER,
	PM_SETTING_COUNT
};

/* Whose setting it is: agent always; machine and nic or vm, or group, as the key needs them. */
struct pm_setting_owner {
	struct pm_agent *agent;
	struct pm_machine *machine;
	struct pm_nic *nic;
	struct pm_group *group;
	struct pm_vm *vm;
};

#define PM_SETTING_TEXT_MAX 256

/* What the configuration says for every key of this owner is put in place. */
void pm_settings_defaults(const struct pm_setting_owner *owner);

/* Whether what the store has can be read; otherwise what is in force has to stay: an inhibited machine above all. */
bool pm_settings_readable(struct pm_agent *agent);

/* What the store has is put in place over it; settings whose base has changed are forgotten. */
void pm_settings_load(struct pm_agent *agent);

/* Likewise for a VM that has come meanwhile: it may have been there before. */
void pm_settings_load_vm(struct pm_vm *vm);

/* Writes value durably; nothing changes in memory. 0 or the store's error. */
int pm_setting_store(const struct pm_setting_owner *owner, enum pm_setting_key key, const char *value,
		     struct pm_error *err);

/* Puts a value in place in memory. */
void pm_setting_apply(const struct pm_setting_owner *owner, enum pm_setting_key key, const char *value);

/* The value in memory, as text; out has PM_SETTING_TEXT_MAX octets. */
void pm_setting_current(const struct pm_setting_owner *owner, enum pm_setting_key key, char *out);

#endif
