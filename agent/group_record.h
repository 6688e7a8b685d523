/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commands to groups that are under way: how many of their jobs have ended, and how. Kept in the journal, so that
 * pmGroupFinished is told once, when all have ended, whatever happens to the agent or to the configuration meanwhile.
 */
#ifndef PM_GROUP_RECORD_H
#define PM_GROUP_RECORD_H

#include "agent/agent.h"

struct pm_group_record;

/* name is copied. NULL: no memory. It is the caller's until pm_group_record_release(). */
struct pm_group_record *pm_group_record_new(const char *name, enum pm_command action, uint32_t jobs,
					    uint32_t under_way, uint32_t refused);
void pm_group_record_free(struct pm_group_record *record);

/* Inside the caller's transaction: gives it its id. 0, or the store's error. */
int pm_group_record_journal(struct pm_agent *agent, struct pm_group_record *record, struct pm_error *err);
int64_t pm_group_record_id(const struct pm_group_record *record);

/* Its jobs begin. */
void pm_group_record_release(struct pm_agent *agent, struct pm_group_record *record);

/* A SET was taken back: frees the record, and what the journal has of it. */
void pm_group_record_cancel(struct pm_agent *agent, struct pm_group_record *record);

/* How many jobs of the last command with this action to this group have not ended; 0: there is none under way. */
uint32_t pm_group_record_left(const struct pm_agent *agent, const char *name, enum pm_command action);

/* One of its jobs has ended. id 0, or of a record that is not there: nothing happens. */
void pm_group_record_count(struct pm_agent *agent, int64_t id, bool succeeded);

/* At the start: what the journal has; and when its jobs are there: those that are not any more count as failed. */
void pm_group_records_load(struct pm_agent *agent);
void pm_group_record_found(struct pm_agent *agent, int64_t id);
void pm_group_records_settle(struct pm_agent *agent);

bool pm_group_records_dirty(const struct pm_agent *agent);
int pm_group_records_store(struct pm_agent *agent, struct pm_error *err);
void pm_group_records_stored(struct pm_agent *agent);
void pm_group_records_free(struct pm_agent *agent);

#endif
