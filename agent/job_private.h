/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by job.c (the life of a job), job_batch.c (one after another), job_resume.c (what a restart finds), action.c
 * (the running of its steps) and wake.c (one of them); nobody else looks inside a job.
 */
#ifndef PM_JOB_PRIVATE_H
#define PM_JOB_PRIVATE_H

#include "agent/job.h"
#include "agent/plan.h"

struct pm_job {
	struct pm_job_list *list; /* the agent's waiting or running jobs, or a batch; NULL: in none */
	struct pm_job *previous, *next;
	struct pm_agent *agent;
	struct pm_job_request request;
	struct pm_step steps[PM_STEPS_MAX];
	int step_count, step;
	enum pm_job_state state;
	int64_t id; /* in the journal; 0: not written */
	char name[24];
	struct pm_batch *batch; /* until it begins; NULL: in none */
	int64_t start_ms;       /* accepted */
	int64_t not_before_ms;  /* as it was planned; 0: at once */
	uint32_t stagger_ms;    /* of its batch */
	int64_t begin_ms;       /* begun; 0: not yet */
	bool begin_stored;

	/* the step that runs */
	struct pm_timer *timer;
	struct ipmi_op *op;
	struct wol_burst *burst;
	uint64_t begun_ms, acted_ms, sent_ms; /* loop time: step begun, last accepted, last sent */
	uint64_t doubt_ms, heard_ms; /* loop time: not answered, the BMC's last sign of life noticed since */
	int64_t contact_ms;          /* what the BMC's statistics said of it then */
	bool confirming; /* the goal seems to be reached already: one fresh look before saying so */
	bool acted;      /* the BMC accepted, or may have done it, or a magic packet was sent */
	bool doubt;      /* the command was not answered: whether it was done is to be seen */
	bool left_goal;  /* cycle: the machine was seen off */
	bool prepared;   /* boot flags: the BMC was told to keep them, */
	bool forgetful;  /* and did not agree */
	unsigned tries, failures, acceptances; /* failures: tries in a row without any answer, or refused */
	bool was_on;                           /* when it began */
	bool resumed;                          /* after a restart: the machine is looked at first */
	struct pm_job_end *end;                /* room for the end: there must be one when the job is over */
	unsigned bursts, packets_sent, packets_seen;
	unsigned burst_sent, burst_seen; /* of the current one, as reported so far */
	char trouble[256];               /* the last thing that went wrong */
	enum pm_result troubled;         /* and what it would be as a result; 0: nothing */
};

/* Begins the first step. */
void pm_action_start(struct pm_job *job);

/* A source of the machine's state has answered, or not in time. */
void pm_action_observed(struct pm_job *job, enum pm_state_source asked);

/* Ends what is under way, without a result. */
void pm_action_stop(struct pm_job *job);

void pm_job_append(struct pm_job_list *list, struct pm_job *job);
void pm_job_take_out(struct pm_job *job);

/* Writes it with its times as they are. 0, or the store's error. */
int pm_job_insert(struct pm_job *job, struct pm_error *err);

/* A job of a batch begins, or is no more before it has begun. */
void pm_batch_begun(struct pm_job *job);
void pm_batch_left(struct pm_job *job);

/* The jobs of all released batches wait like any other: the agent stops. */
void pm_batches_dissolve(struct pm_agent *agent);

/* A wish, which may be repeated; what is not may have happened already, and is never done again. */
bool pm_job_is_repeatable(const struct pm_job_request *request);

/* What it does, in words. */
const char *pm_job_what(const struct pm_job *job);

/* Ends what is under way, takes it out of every list and off its machine, and tells nobody. */
void pm_job_free(struct pm_job *job);

/* The end of the job with this id, into end (which is taken over) and soon into the journal. */
void pm_job_journal_end(struct pm_agent *agent, struct pm_job_end *end, int64_t id, enum pm_result result,
			const char *text);

/* The machine's last result, an event and a notification. */
void pm_job_tell_end(struct pm_job *job, enum pm_result result, const char *text);

/* Called once by action.c when the last step has ended; frees the job. */
void pm_job_finish(struct pm_job *job, enum pm_result result, const char *text);

/* --- between action.c and wake.c --- */

/* The step has failed: an alternative is tried, or the job ends with this result. The job may be gone afterwards. */
void pm_step_failed(struct pm_job *job, enum pm_result result, const char *text);

/* The machine is observed where the step brings it; note goes behind the text. The job may be gone afterwards. */
void pm_step_reached(struct pm_job *job, const char *note);

/* Sends a burst of magic packets; more follow by pm_wake_timer(), until the machine is up or it is late. */
void pm_wake_send(struct pm_job *job);
void pm_wake_timer(struct pm_job *job, bool late);
void pm_wake_observed(struct pm_job *job);

#endif
