/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The life of a job: one action on one machine, from the SET that asks for it to the result that is told.
 *
 *   pm_job_reserve()  RESERVE  may it be done? takes the machine; nothing else has happened
 *   pm_job_journal()  ACTION   written durably; still reversible
 *   pm_job_release()  COMMIT   runs as soon as fewer than pmAgentJobMaxConcurrent run
 *   pm_job_cancel()   UNDO     as if nothing had been asked
 */
#ifndef PM_JOB_H
#define PM_JOB_H

#include "agent/agent.h"

enum pm_origin { /* the object that was SET; stored in the journal: the numbers stay */
		 PM_ORIGIN_COMMAND = 1,
		 PM_ORIGIN_ADMIN_STATE = 2,
		 PM_ORIGIN_CHASSIS_CONTROL = 3,
		 PM_ORIGIN_NIC_WAKE = 4,
		 PM_ORIGIN_BMC_SETTING = 5,
		 PM_ORIGIN_GROUP = 6
};

struct pm_job_request {
	struct pm_machine *machine;
	enum pm_command action; /* PM_COMMAND_NONE with PM_ORIGIN_BMC_SETTING */
	enum pm_origin origin;
	uint32_t nic;                /* pmNicIndex; 0: the first with a MAC address */
	struct ipmi_request setting; /* PM_COMMAND_IDENTIFY and PM_ORIGIN_BMC_SETTING: what to send */
};

/* What a verb asks for, by itself: identify blinks for 15 seconds (PmCommand). */
struct pm_job_request pm_job_request_of(struct pm_machine *machine, enum pm_command action,
					enum pm_origin origin);

/*
 * Checks and reserves. Returns 0 and *job, or 0 and *job NULL when the same is already under way. Errors: -EBUSY (the
 * machine has another job), -EPERM (inhibited), -EINVAL (it has not what the action needs), -ENOSPC (queue full),
 * -ENOMEM.
 */
int pm_job_reserve(const struct pm_job_request *request, struct pm_job **job, struct pm_error *err);

/* 0, or the store's error. */
int pm_job_journal(struct pm_job *job, struct pm_error *err);
void pm_job_release(struct pm_job *job);
void pm_job_cancel(struct pm_job *job);

/* This source of the machine's state has answered, or has not answered in time. */
void pm_job_observed(struct pm_machine *machine, enum pm_state_source asked);

/* Ends the machine's job, if any, as aborted. */
void pm_job_abort(struct pm_machine *machine, const char *why);

/* Something was inhibited: ends, as aborted, the jobs that may no longer begin. */
void pm_jobs_inhibited(struct pm_agent *agent);

/* Takes up, or reports as interrupted, what the journal has without an end. */
void pm_jobs_resume(struct pm_agent *agent);

/* Starts jobs while there is room; after pmAgentJobMaxConcurrent has changed. */
void pm_jobs_pump(struct pm_agent *agent);

/* The agent stops: running jobs stay in the journal, to be taken up again. */
void pm_jobs_stop(struct pm_agent *agent);

/* Writes what the journal does not know yet of jobs that have begun or ended; for pm_flush(). 0, or the store's error. */
int pm_jobs_store(struct pm_agent *agent, struct pm_error *err);

/* Hooks of agent/flush.h. */
bool pm_jobs_dirty(const struct pm_agent *agent);
void pm_jobs_stored(struct pm_agent *agent, uint64_t generation);
void pm_jobs_synced(struct pm_agent *agent, uint64_t generation);
void pm_jobs_store_failed(struct pm_agent *agent, const char *why);

/* Forgets the ends of jobs that waited to be written. */
void pm_job_ends_free(struct pm_agent *agent);

/* Whether a job of the machine was accepted and has not ended. */
bool pm_job_is_active(const struct pm_machine *machine);

unsigned pm_jobs_active(const struct pm_agent *agent);

#endif
