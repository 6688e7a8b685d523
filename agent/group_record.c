/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/group_record.h"

#include "agent/flush.h"
#include "agent/group.h"
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pm_group_record {
	struct pm_group_record *next;
	int64_t id; /* in the journal; 0: not written */
	char name[PM_GROUP_NAME_MAX + 1];
	enum pm_command action;
	int64_t start_ms;
	uint32_t jobs, under_way, refused, succeeded, failed;
	uint32_t found; /* at the start: jobs that have not ended */
	bool changed;   /* the journal does not know yet */
	bool finished;  /* it goes */
};

struct pm_group_record *pm_group_record_new(const char *name, enum pm_command action, uint32_t jobs,
					    uint32_t under_way, uint32_t refused)
{
	struct pm_group_record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	snprintf(record->name, sizeof(record->name), "%s", name);
	record->action = action;
	record->start_ms = pm_time_ms();
	record->jobs = jobs;
	record->under_way = under_way;
	record->refused = refused;
	return record;
}

void pm_group_record_free(struct pm_group_record *record)
{
	free(record);
}

static struct pm_stored_group record_of(const struct pm_group_record *record)
{
	return (struct pm_stored_group){.id = record->id,
					.name = record->name,
					.action = record->action,
					.start_ms = record->start_ms,
					.jobs = record->jobs,
					.under_way = record->under_way,
					.refused = record->refused,
					.succeeded = record->succeeded,
					.failed = record->failed};
}

int pm_group_record_journal(struct pm_agent *agent, struct pm_group_record *record, struct pm_error *err)
{
	struct pm_stored_group stored = record_of(record);
	int error = pm_store_group_insert(agent->store, &stored, err);

	record->id = error ? 0 : stored.id;
	return error;
}

int64_t pm_group_record_id(const struct pm_group_record *record)
{
	return record->id;
}

static void link_record(struct pm_agent *agent, struct pm_group_record *record)
{
	record->next = agent->jobs->groups;
	agent->jobs->groups = record;
}

void pm_group_record_release(struct pm_agent *agent, struct pm_group_record *record)
{
	link_record(agent, record);
}

void pm_group_record_cancel(struct pm_agent *agent, struct pm_group_record *record)
{
	if (!record->id) {
		free(record);
		return;
	}
	record->changed = record->finished = true;
	link_record(agent, record);
	pm_flush_soon(agent);
}

/* --- counting --------------------------------------------------------------------------------- */

static struct pm_group_record *find(const struct pm_agent *agent, int64_t id)
{
	struct pm_group_record *record = agent->jobs->groups;

	while (record && record->id != id)
		record = record->next;
	return record;
}

uint32_t pm_group_record_left(const struct pm_agent *agent, const char *name, enum pm_command action)
{
	uint32_t left = 0;

	for (const struct pm_group_record *record = agent->jobs->groups; record; record = record->next)
		if (!record->finished && record->action == action && strcmp(record->name, name) == 0)
			left += record->jobs - record->succeeded - record->failed;
	return left;
}

static void tell(struct pm_agent *agent, const struct pm_group_record *record)
{
	struct pm_notification notification = {.type = PM_NOTIFY_GROUP_FINISHED,
					       .action = record->action,
					       .jobs = record->jobs,
					       .succeeded = record->succeeded,
					       .failed = record->failed};

	snprintf(notification.group_name, sizeof(notification.group_name), "%s", record->name);
	snprintf(
	    notification.text, sizeof(notification.text),
	    "%s for group %s: %u of %u jobs succeeded (members that were doing it already: %u, that could not: %u)",
	    pm_command_name(record->action), record->name, record->succeeded, record->jobs, record->under_way,
	    record->refused);
	pm_log(record->failed ? LOG_WARNING : LOG_NOTICE, "%s", notification.text);
	pm_notify(agent, NULL, &notification);
}

static void finish_if_all_have_ended(struct pm_agent *agent, struct pm_group_record *record)
{
	if (record->finished || record->succeeded + record->failed < record->jobs)
		return;
	record->finished = true;
	tell(agent, record);
}

void pm_group_record_count(struct pm_agent *agent, int64_t id, bool succeeded)
{
	struct pm_group_record *record = id ? find(agent, id) : NULL;

	if (!record)
		return;
	if (succeeded)
		record->succeeded++;
	else
		record->failed++;
	record->changed = true;
	finish_if_all_have_ended(agent, record);
}

/* --- the journal ------------------------------------------------------------------------------ */

static void load_one(const struct pm_stored_group *stored, void *data)
{
	struct pm_agent *agent = data;
	struct pm_group_record *record = pm_group_record_new(stored->name, stored->action, stored->jobs,
							     stored->under_way, stored->refused);

	if (!record) {
		pm_log(LOG_ERR, "no memory for the command to group %s", stored->name);
		return;
	}
	record->id = stored->id;
	record->start_ms = stored->start_ms;
	record->succeeded = stored->succeeded;
	record->failed = stored->failed;
	link_record(agent, record);
}

void pm_group_records_load(struct pm_agent *agent)
{
	struct pm_error err = {""};

	if (pm_store_groups_load(agent->store, load_one, agent, &err) < 0)
		pm_log(LOG_ERR, "commands to groups can not be read: %s", err.text);
}

void pm_group_record_found(struct pm_agent *agent, int64_t id)
{
	struct pm_group_record *record = id ? find(agent, id) : NULL;

	if (record)
		record->found++;
}

void pm_group_records_settle(struct pm_agent *agent)
{
	for (struct pm_group_record *record = agent->jobs->groups; record; record = record->next) {
		uint32_t accounted = record->succeeded + record->failed + record->found;

		if (accounted < record->jobs) {
			record->failed += record->jobs - accounted;
			record->changed = true;
		}
		finish_if_all_have_ended(agent, record);
	}
}

bool pm_group_records_dirty(const struct pm_agent *agent)
{
	const struct pm_group_record *record = agent->jobs->groups;

	while (record && !record->changed && !record->finished)
		record = record->next;
	return record != NULL;
}

int pm_group_records_store(struct pm_agent *agent, struct pm_error *err)
{
	int error = 0;

	for (const struct pm_group_record *record = agent->jobs->groups; record && !error;
	     record = record->next) {
		const struct pm_stored_group stored = record_of(record);

		if (record->finished)
			error = pm_store_group_delete(agent->store, record->id, err);
		else if (record->changed)
			error = pm_store_group_update(agent->store, &stored, err);
	}
	return error;
}

void pm_group_records_stored(struct pm_agent *agent)
{
	struct pm_group_record **link = &agent->jobs->groups;

	while (*link) {
		struct pm_group_record *record = *link;

		record->changed = false;
		if (record->finished) {
			*link = record->next;
			free(record);
		} else {
			link = &record->next;
		}
	}
}

void pm_group_records_free(struct pm_agent *agent)
{
	struct pm_group_record *record;

	while ((record = agent->jobs->groups) != NULL) {
		agent->jobs->groups = record->next;
		free(record);
	}
}
