/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/mib.h"

#include "agent/log.h"
#include "agent/mib/job_rows.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pm_agent *pm_mib_agent;

static const struct pm_table *const tables[] = {&pm_agent_table,    &pm_machine_table, &pm_nic_table,
						&pm_bmc_table,      &pm_vm_table,      &pm_job_table,
						&pm_job_step_table, &pm_group_table,   &pm_group_member_table,
						&pm_name_table,     &pm_event_table,   &pm_state_map_table};

#define TABLE_COUNT (sizeof(tables) / sizeof(*tables))

int pm_mib_register(struct pm_agent *agent, struct pm_error *err)
{
	int error = 0;

	pm_mib_agent = agent;
	for (size_t i = 0; i < TABLE_COUNT && !error; i++)
		error = pm_table_register(tables[i], err);
	return error;
}

void pm_mib_rebuild(struct pm_agent *agent)
{
	pm_mib_agent = agent;
	pm_job_rows_forget();
	pm_vm_rows_forget();
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (pm_table_refill(tables[i]) < 0)
			pm_log(LOG_ERR, "no memory for the rows of %s", tables[i]->name);
}

void pm_mib_free(void)
{
	pm_table_abort_sets();
	pm_job_rows_forget();
	pm_vm_rows_forget();
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (tables[i]->rows)
			pm_rows_clear(tables[i]->rows);
}

int pm_mib_missing(const oid *index, size_t length, int there)
{
	bool known =
	    length > 0 && index[0] <= UINT32_MAX && pm_agent_machine(pm_mib_agent, (uint32_t)index[0]);

	return known ? there : SNMP_ERR_NOCREATION;
}

int pm_mib_error(int error)
{
	switch (error) {
	case 0:
		return SNMP_ERR_NOERROR;
	case -ENOENT:
		return SNMP_ERR_INCONSISTENTNAME;
	case -EEXIST:
	case -EBUSY:
	case -EPERM:
	case -EINVAL:
		return SNMP_ERR_INCONSISTENTVALUE;
	case -ENOMEM:
	case -ENOSPC:
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	default:
		return SNMP_ERR_COMMITFAILED;
	}
}

/* Taken once a session, so that a time stamp reads the same until its event comes again. */
static int64_t epoch_ms;

void pm_mib_set_epoch(void)
{
	epoch_ms = (int64_t)uv_now(pm_mib_agent->loop) - (int64_t)netsnmp_get_agent_uptime() * 10;
}

uint32_t pm_mib_time_stamp(uint64_t loop_ms)
{
	int64_t since_ms = (int64_t)loop_ms - epoch_ms;

	return since_ms > 0 ? (uint32_t)(since_ms / 10) : 0;
}

/* --- SETs of settings and verbs --------------------------------------------------------------- */

struct change {
	struct pm_setting_owner owner;
	uint32_t vm; /* pmVmIndex of the owner's; 0: none */
	struct pm_job *job;
	struct pm_group_command *group_command;
	struct {
		enum pm_setting_key key;
		char value[PM_SETTING_TEXT_MAX];
	} settings[PM_COLUMN_MAX];
	size_t setting_count;
	bool applied;
};

int pm_change_truth(const struct pm_value *value, char *out, struct pm_error *err)
{
	(void)err;
	snprintf(out, PM_SETTING_TEXT_MAX, "%d", value->integer == PM_TRUE);
	return 0;
}

static int convert(const struct pm_change_map *map, const struct pm_value *value, char *out,
		   struct pm_error *err)
{
	if (map->convert)
		return map->convert(value, out, err);
	if (value->type == ASN_OCTET_STR) {
		pm_value_copy(value, out);
		if (strlen(out) != value->length || !pm_text_is_visible(out))
			return pm_fail(err, EINVAL, "a text must be UTF-8 without control characters");
	} else {
		snprintf(out, PM_SETTING_TEXT_MAX, "%u", value->unsigned32);
	}
	return 0;
}

static int collect(struct pm_row_set *set, struct change *change, const struct pm_change_map *map,
		   size_t map_length, struct pm_error *err)
{
	for (size_t i = 0; i < map_length; i++) {
		const struct pm_value *value = set->values[map[i].column];
		int error;

		if (!value)
			continue;
		change->settings[change->setting_count].key = map[i].key;
		error = convert(&map[i], value, change->settings[change->setting_count].value, err);
		change->setting_count++;
		if (error) {
			set->failed_column = map[i].column;
			return SNMP_ERR_WRONGVALUE;
		}
	}
	return SNMP_ERR_NOERROR;
}

/* Whether what is changed is still there: a hypervisor can take a VM away at any time. */
static bool owner_is_there(struct change *change)
{
	if (change->vm)
		change->owner.vm = pm_machine_vm(change->owner.machine, change->vm);
	return !change->vm || change->owner.vm;
}

int pm_change_begin(struct pm_row_set *set, const struct pm_setting_owner *owner,
		    const struct pm_change_map *map, size_t map_length, const struct pm_job_request *request,
		    struct pm_error *err)
{
	struct change *change = calloc(1, sizeof(*change));
	int error;

	if (!change)
		return pm_mib_error(pm_fail(err, ENOMEM, "no memory"));
	set->work = change;
	change->owner = *owner;
	change->vm = owner->vm ? owner->vm->index : 0;
	error = collect(set, change, map, map_length, err);
	if (error || !request)
		return error;
	return pm_mib_error(pm_job_reserve(request, &change->job, err));
}

int pm_change_add_group_command(struct pm_row_set *set, struct pm_group *group, enum pm_command action,
				uint32_t stagger_ms, struct pm_error *err)
{
	struct change *change = set->work;

	return pm_mib_error(pm_group_reserve(group, action, stagger_ms, &change->group_command, err));
}

static int store_settings(struct change *change, struct pm_error *err)
{
	int error = 0;

	if (!owner_is_there(change))
		return pm_fail(err, ENOENT, "the hypervisor has just taken this VM away");
	for (size_t i = 0; i < change->setting_count && !error; i++)
		error =
		    pm_setting_store(&change->owner, change->settings[i].key, change->settings[i].value, err);
	if (!error && change->job)
		error = pm_job_journal(change->job, err);
	if (!error && change->group_command)
		error = pm_group_journal(change->group_command, err);
	return error;
}

int pm_change_begin_all(struct pm_error *err)
{
	return pm_store_begin(pm_mib_agent->store, err);
}

int pm_change_end_all(bool good, struct pm_error *err)
{
	if (good)
		return pm_store_commit(pm_mib_agent->store, err);
	pm_store_rollback(pm_mib_agent->store);
	return 0;
}

/* Whatever the store's trouble is, the answer is commitFailed: nothing is done. */
int pm_change_apply(struct pm_row_set *set, struct pm_error *err)
{
	struct change *change = set->work;

	if (store_settings(change, err) < 0)
		return SNMP_ERR_COMMITFAILED;
	change->applied = true;
	return SNMP_ERR_NOERROR;
}

void pm_change_commit(struct pm_row_set *set)
{
	struct change *change = set->work;
	bool there = owner_is_there(change);

	for (size_t i = 0; there && i < change->setting_count; i++)
		pm_setting_apply(&change->owner, change->settings[i].key, change->settings[i].value);
	if (change->job)
		pm_job_release(change->job);
	if (change->group_command)
		pm_group_release(change->group_command);
	free(change);
	set->work = NULL;
}

static void restore_settings(struct change *change)
{
	char value[PM_SETTING_TEXT_MAX];
	struct pm_error err = {""};
	bool there = owner_is_there(change);

	for (size_t i = 0; there && i < change->setting_count; i++) {
		pm_setting_current(&change->owner, change->settings[i].key, value);
		if (pm_setting_store(&change->owner, change->settings[i].key, value, &err) < 0)
			pm_log(LOG_ERR, "a setting that was taken back is still in the store: %s", err.text);
	}
}

void pm_change_undo(struct pm_row_set *set)
{
	struct change *change = set->work;

	if (!change)
		return;
	if (change->applied)
		restore_settings(change);
	if (change->job)
		pm_job_cancel(change->job);
	if (change->group_command)
		pm_group_cancel(change->group_command);
	free(change);
	set->work = NULL;
}
