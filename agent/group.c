/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/group.h"

#include "agent/event.h"
#include "agent/group_record.h"
#include "agent/job.h"
#include "agent/job_batch.h"
#include "agent/log.h"
#include "agent/settings.h"
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- which groups there are ------------------------------------------------------------------- */

static void free_groups(struct pm_group *groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(groups[i].members);
	free(groups);
}

void pm_groups_free(struct pm_agent *agent)
{
	free_groups(agent->groups, agent->group_count);
	agent->groups = NULL;
	agent->group_count = 0;
}

static struct pm_group *find(struct pm_group *groups, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(groups[i].name, name) == 0)
			return &groups[i];
	return NULL;
}

struct pm_group *pm_agent_group(const struct pm_agent *agent, const char *name)
{
	return find(agent->groups, agent->group_count, name);
}

/* by_config has the machine of each machine section, in the order of the inventory. */
static int take_members(struct pm_group *group, const struct pm_inventory *inventory,
			struct pm_machine *const *by_config)
{
	const struct pm_group_config *config = group->config;

	group->members = calloc(config->member_count + 1, sizeof(struct pm_machine *));
	if (!group->members)
		return -ENOMEM;
	for (size_t i = 0; i < config->member_count; i++) {
		struct pm_machine *machine = by_config[config->members[i] - inventory->machines];

		if (machine)
			group->members[group->member_count++] = machine;
	}
	return 0;
}

static int take_group(struct pm_agent *agent, const struct pm_group_config *config,
		      struct pm_machine *const *by_config)
{
	struct pm_group *group = &agent->groups[agent->group_count];

	group->agent = agent;
	group->config = config;
	snprintf(group->name, sizeof(group->name), "%s", config->name);
	if (take_members(group, agent->inventory, by_config) < 0)
		return -ENOMEM;
	agent->group_count++;
	pm_settings_defaults(&(struct pm_setting_owner){.agent = agent, .group = group});
	return 0;
}

static int take_groups(struct pm_agent *agent)
{
	const struct pm_inventory *inventory = agent->inventory;
	struct pm_machine **by_config = calloc(inventory->machine_count + 1, sizeof(struct pm_machine *));
	int error = by_config ? 0 : -ENOMEM;

	agent->groups = calloc(inventory->group_count + 1, sizeof(*agent->groups));
	if (!agent->groups)
		error = -ENOMEM;
	for (size_t i = 0; i < agent->machine_count && !error; i++)
		by_config[agent->machines[i]->config - inventory->machines] = agent->machines[i];
	for (size_t i = 0; i < inventory->group_count && !error; i++)
		error = take_group(agent, &inventory->groups[i], by_config);
	free(by_config);
	return error;
}

void pm_groups_rebuild(struct pm_agent *agent, bool keep_settings)
{
	struct pm_group *old = agent->groups;
	size_t old_count = agent->group_count;

	agent->groups = NULL;
	agent->group_count = 0;
	if (take_groups(agent) < 0) {
		pm_log(LOG_ERR, "no memory for the groups: none is served until the next reload");
		pm_groups_free(agent);
	}
	for (size_t i = 0; i < agent->group_count && keep_settings; i++) {
		const struct pm_group *before = find(old, old_count, agent->groups[i].name);

		if (before)
			agent->groups[i].stagger_ms = before->stagger_ms;
	}
	free_groups(old, old_count);
}

/* --- how they are ----------------------------------------------------------------------------- */

static void count_member(struct pm_group_counts *counts, const struct pm_machine *machine)
{
	switch (pm_machine_power_state(machine)) {
	case PM_POWER_ON:
		counts->on++;
		break;
	case PM_POWER_OFF:
		counts->off++;
		break;
	case PM_POWER_UNKNOWN:
		counts->unknown++;
		break;
	default: /* on its way */
		break;
	}
	counts->active_jobs += pm_job_is_active(machine);
}

const struct pm_group_counts *pm_group_counts(struct pm_group *group)
{
	if (group->counted && group->counted_at == group->agent->changes)
		return &group->counts;
	group->counts = (struct pm_group_counts){0};
	for (size_t i = 0; i < group->member_count; i++)
		count_member(&group->counts, group->members[i]);
	group->counted = true;
	group->counted_at = group->agent->changes;
	return &group->counts;
}

/* --- a verb ----------------------------------------------------------------------------------- */

/* A member that could not take the verb. */
struct refusal {
	struct pm_machine *machine;
	enum pm_result result;
	char *why; /* NULL: no memory for it */
};

struct pm_group_command {
	struct pm_group *group;
	enum pm_command action;
	uint32_t stagger_ms;
	struct pm_batch *batch;
	size_t under_way; /* members that were doing the same already */
	struct refusal *refusals;
	size_t refusal_count;
	struct pm_group_record *record; /* NULL: nobody gets a job */
	uint32_t left; /* jobs of the same command before it, which is still under way; 0: it is not */
};

static void free_command(struct pm_group_command *command)
{
	for (size_t i = 0; i < command->refusal_count; i++)
		free(command->refusals[i].why);
	free(command->refusals);
	pm_group_record_free(command->record);
	free(command);
}

static struct pm_group_command *new_command(struct pm_group *group, enum pm_command action,
					    uint32_t stagger_ms)
{
	struct pm_group_command *command = calloc(1, sizeof(*command));

	if (!command)
		return NULL;
	command->group = group;
	command->action = action;
	command->stagger_ms = stagger_ms;
	command->refusals = calloc(group->member_count + 1, sizeof(*command->refusals));
	command->batch = pm_batch_new(group->agent, stagger_ms);
	if (command->refusals && command->batch)
		return command;
	if (command->batch)
		pm_batch_cancel(command->batch);
	free_command(command);
	return NULL;
}

static void refuse(struct pm_group_command *command, struct pm_machine *machine, int error, const char *why)
{
	command->refusals[command->refusal_count++] =
	    (struct refusal){.machine = machine,
			     .result = error == -EINVAL ? PM_RESULT_NOT_CONFIGURED : PM_RESULT_REJECTED,
			     .why = strdup(why)};
}

/* What is wrong with this member only is no error. */
static int reserve_member(struct pm_group_command *command, struct pm_machine *machine, struct pm_error *err)
{
	const struct pm_job_request request = pm_job_request_of(machine, command->action, PM_ORIGIN_GROUP);
	struct pm_job *job;
	int error = pm_batch_reserve(command->batch, &request, &job, err);

	if (error == -EBUSY || error == -EPERM || error == -EINVAL) {
		refuse(command, machine, error, err->text);
		return 0;
	}
	if (!error && !job)
		command->under_way++;
	return error;
}

static int reserve_members(struct pm_group_command *command, struct pm_error *err)
{
	const struct pm_group *group = command->group;
	struct pm_error why = {""};

	for (size_t i = 0; i < group->member_count; i++) {
		int error = reserve_member(command, group->members[i], &why);

		if (error)
			return pm_fail(err, -error, "group %s: %s", group->name, why.text);
	}
	if (command->refusal_count < group->member_count)
		return 0;
	return pm_fail(err, EINVAL, "none of the %zu members of group %s can do it; the first: %s",
		       group->member_count, group->name,
		       command->refusals[0].why ? command->refusals[0].why : "no memory");
}

static int make_record(struct pm_group_command *command, struct pm_error *err)
{
	unsigned jobs = pm_batch_count(command->batch);

	if (!jobs)
		return 0;
	command->record = pm_group_record_new(command->group->name, command->action, jobs,
					      (uint32_t)command->under_way, (uint32_t)command->refusal_count);
	return command->record ? 0 : pm_fail(err, ENOMEM, "no memory for a command to a group");
}

int pm_group_reserve(struct pm_group *group, enum pm_command action, uint32_t stagger_ms,
		     struct pm_group_command **out, struct pm_error *err)
{
	struct pm_group_command *command;
	int error = 0;

	*out = NULL;
	if (group->member_count == 0)
		return pm_fail(err, EINVAL, "group %s has no members", group->name);
	if (group->agent->inhibit) /* also for those that are doing it already */
		return pm_fail(err, EPERM, "all actions are inhibited (pmAgentInhibit)");
	command = new_command(group, action, stagger_ms);
	if (!command)
		return pm_fail(err, ENOMEM, "no memory for the jobs of group %s", group->name);
	command->left = pm_group_record_left(group->agent, group->name, action);
	if (!command->left)
		error = reserve_members(command, err);
	if (!error)
		error = make_record(command, err);
	if (error)
		pm_group_cancel(command);
	else
		*out = command;
	return error;
}

int pm_group_journal(struct pm_group_command *command, struct pm_error *err)
{
	struct pm_agent *agent = command->group->agent;
	int error = command->record ? pm_group_record_journal(agent, command->record, err) : 0;
	int64_t id = command->record ? pm_group_record_id(command->record) : 0;

	return error ? error : pm_batch_journal(command->batch, id, err);
}

/* The result of the job that a member has now comes later. */
static void tell_refusal(const struct pm_group_command *command, const struct refusal *refusal)
{
	char text[400];

	snprintf(text, sizeof(text), "%s for group %s was not begun: %s", pm_command_name(command->action),
		 command->group->name, refusal->why ? refusal->why : "no memory");
	if (!refusal->machine->job)
		pm_state_result(refusal->machine, refusal->result, text);
	pm_event_add(refusal->machine, PM_EVENT_JOB_FAILED, PM_SEVERITY_WARNING, "%s", text);
}

static void log_command(const struct pm_group_command *command)
{
	if (command->left) {
		pm_log(LOG_NOTICE, "group %s: %s is under way already, with %u jobs left: nothing is started",
		       command->group->name, pm_command_name(command->action), command->left);
		return;
	}
	pm_log(
	    LOG_NOTICE,
	    "group %s: %s: %u of %zu members get a job, to begin %u ms apart; %zu are doing it already, %zu can not "
	    "and are left alone",
	    command->group->name, pm_command_name(command->action), pm_batch_count(command->batch),
	    command->group->member_count, command->stagger_ms, command->under_way, command->refusal_count);
}

void pm_group_release(struct pm_group_command *command)
{
	log_command(command);
	if (command->record)
		pm_group_record_release(command->group->agent, command->record);
	command->record = NULL;
	for (size_t i = 0; i < command->refusal_count; i++)
		tell_refusal(command, &command->refusals[i]);
	pm_batch_release(command->batch, 0);
	free_command(command);
}

void pm_group_cancel(struct pm_group_command *command)
{
	if (command->record)
		pm_group_record_cancel(command->group->agent, command->record);
	command->record = NULL;
	pm_batch_cancel(command->batch);
	free_command(command);
}
