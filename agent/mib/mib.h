/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SNMP side as a whole: which tables there are, their rows, and the SETs that start jobs. Only mib/ knows net-snmp. */
#ifndef PM_MIB_H
#define PM_MIB_H

#include "agent/agent.h"
#include "agent/group.h"
#include "agent/job.h"
#include "agent/mib/table.h"
#include "agent/settings.h"

/* Registers all tables for this agent (one a process). Returns 0 or a negative errno value. */
int pm_mib_register(struct pm_agent *agent, struct pm_error *err);

/* The machines have changed: makes the ordered rows anew. */
void pm_mib_rebuild(struct pm_agent *agent);

void pm_mib_free(void);

/* --- for the tables --------------------------------------------------------------------------- */

extern struct pm_agent *pm_mib_agent;
extern const struct pm_table pm_agent_table, pm_machine_table, pm_nic_table, pm_bmc_table, pm_job_table,
    pm_vm_table, pm_job_step_table, pm_group_table, pm_group_member_table, pm_name_table, pm_event_table,
    pm_state_map_table;

/* The machines have changed, or nothing is asked for any more. */
void pm_vm_rows_forget(void);

/* noCreation for an index whose machine is not there; else `there`. */
int pm_mib_missing(const oid *index, size_t length, int there);

/* SNMP error for a negative errno value of pm_job_reserve(), pm_job_edit_reserve(), pm_job_journal() or the store. */
int pm_mib_error(int error);

/* A time of the loop as a TimeStamp: hundredths of a second of the master's sysUpTime, 0 if before the master's start. */
uint32_t pm_mib_time_stamp(uint64_t loop_ms);

/* A session has begun: the master has just told its sysUpTime. */
void pm_mib_set_epoch(void);

/*
 * The SET of a row whose columns are settings (kept in the store) or verbs (which start a job, at most one a SET).
 * table->test calls pm_change_begin() with a job request or NULL; the others are the table's callbacks as they are. What is
 * plain is found by the table's setting map. A VM may go between two phases: then nothing is written of it.
 */
struct pm_change_map {
	unsigned column;
	enum pm_setting_key key;
	/* Text for the store; NULL: the number, the string or (BOOLEAN columns) 0 and 1 as they are. */
	int (*convert)(const struct pm_value *value, char *out, struct pm_error *err);
};

int pm_change_begin(struct pm_row_set *set, const struct pm_setting_owner *owner,
		    const struct pm_change_map *map, size_t map_length, const struct pm_job_request *request,
		    struct pm_error *err);
/* After it: the SET has a verb for a group, too. Returns an SNMP error. */
int pm_change_add_group_command(struct pm_row_set *set, struct pm_group *group, enum pm_command action,
				uint32_t stagger_ms, struct pm_error *err);
/* One commit for all rows of a SET. */
int pm_change_begin_all(struct pm_error *err);
int pm_change_end_all(bool good, struct pm_error *err);
int pm_change_apply(struct pm_row_set *set, struct pm_error *err);
/* Returns after everything is in place; the table's own commit may look at what has changed. */
void pm_change_commit(struct pm_row_set *set);
void pm_change_undo(struct pm_row_set *set);

/* What a table that is changed so has for .begin to .undo; commit_ is pm_change_commit or the table's own. */
#define PM_CHANGES(commit_)                                                                                  \
	.begin = pm_change_begin_all, .end = pm_change_end_all, .apply = pm_change_apply, .commit = commit_, \
	.undo = pm_change_undo

/* TruthValue to the store's 0 and 1. */
int pm_change_truth(const struct pm_value *value, char *out, struct pm_error *err);

#endif
