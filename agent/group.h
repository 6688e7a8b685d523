/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Groups of machines at run time, and the verb that goes to all members of one. A member that cannot take the verb is
 * left alone, which is told where the results of its jobs are; the others get a job each.
 */
#ifndef PM_GROUP_H
#define PM_GROUP_H

#include "agent/agent.h"

#define PM_GROUP_NAME_MAX 32

/* Of the members: by power state as shown, where those on their way from one to another are in none; and busy ones. */
struct pm_group_counts {
	uint32_t on, off, unknown;
	uint32_t active_jobs;
};

struct pm_group {
	struct pm_agent *agent;
	char name[PM_GROUP_NAME_MAX + 1];
	const struct pm_group_config *config;
	struct pm_machine **members; /* in the order of the configuration */
	size_t member_count;
	uint32_t stagger_ms; /* the configuration's, unless written by SNMP */
	struct pm_group_counts counts;
	bool counted;
	uint64_t counted_at; /* agent->changes then */
};

/*
 * Makes the groups of the agent's inventory anew from its machines. What was written by SNMP has to be loaded again,
 * unless keep_settings: then it stays with the group's name. Without memory there are no groups, which is logged.
 */
void pm_groups_rebuild(struct pm_agent *agent, bool keep_settings);
void pm_groups_free(struct pm_agent *agent);

/* NULL: none has this name. */
struct pm_group *pm_agent_group(const struct pm_agent *agent, const char *name);

/* Counts only when something has changed since the last time. */
const struct pm_group_counts *pm_group_counts(struct pm_group *group);

/* --- a verb for all members; phases as in agent/job.h ----------------------------------------- */

struct pm_group_command;

/*
 * Reserves a job for each member that can take the verb, to begin stagger_ms apart; for none while jobs of the same verb
 * for this group have not ended: a manager asks again whose answer was lost. Errors: -EPERM (all actions are
 * inhibited), -EINVAL (no member can take it), -ENOSPC (queue full), -ENOMEM; nothing is then reserved.
 */
int pm_group_reserve(struct pm_group *group, enum pm_command action, uint32_t stagger_ms,
		     struct pm_group_command **command, struct pm_error *err);

/* Inside the caller's transaction. 0, or the store's error. */
int pm_group_journal(struct pm_group_command *command, struct pm_error *err);

/* Tells also who could not take it, and why. */
void pm_group_release(struct pm_group_command *command);
void pm_group_cancel(struct pm_group_command *command);

#endif
