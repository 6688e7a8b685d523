/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by the files that make up jobs; nobody else looks inside.
 *
 *   job.c          the life of a job: accepted, waits, begins, ends
 *   job_row.c      rows in memory: of which machine, in which order, until when
 *   job_edit.c     rows that managers write
 *   job_batch.c    jobs that begin one after another
 *   job_journal.c  what the journal has to know, and the gate: nothing acts before it is written
 *   job_resume.c   what a start finds in the journal
 *   job_text.c     jobs in words and numbers, for reading
 *   action.c       the running of steps, wake.c one of them
 */
#ifndef PM_JOB_PRIVATE_H
#define PM_JOB_PRIVATE_H

#include "agent/job.h"
#include "agent/plan.h"

/* What is to happen when the journal has it. */
struct pm_gate_list {
	struct pm_job_run *first, *last;
};

/* What all jobs have in common. */
struct pm_jobs {
	struct pm_agent *agent;
	size_t rows;              /* in memory, those that are reserved included */
	struct pm_job_list ended; /* rows; who ended first comes first */
	unsigned idle;            /* rows that are not active, or not enabled */
	struct pm_gate_list to_write, to_sync, ready;
	struct pm_job *changed; /* what the journal does not know yet */
	struct pm_job **due;    /* rows that go by themselves: a heap, the next one first */
	size_t due_count, due_room;
	struct pm_timer *due_timer;
	bool kept;         /* some of what was promised may wait all the same */
	unsigned promised; /* jobs that the journal has as begun, and that SETs under way will begin */
	struct pm_group_record *groups; /* group_record.c's own */
	bool started;                   /* the journal was read */
	char store_trouble[256];        /* why the journal cannot be written; "" while it can */
};

/* What a job needs while it is at work, or while a SET under way asks for it. */
struct pm_job_run {
	struct pm_job *job;
	struct pm_gate_list *gate; /* NULL: open */
	struct pm_job_run *gate_previous, *gate_next;
	uint64_t generation; /* in to_sync: of the commit that has it */

	struct pm_batch *batch; /* until it begins; NULL: in none */
	struct pm_timer *clock; /* until it begins, and then until pmJobTimeout is over */
	bool reserved;          /* a SET under way asks for it */
	bool promised;          /* counted in pm_jobs.promised */
	bool written;           /* the journal has its step as begun */
	bool resumed;           /* taken up after a restart: the machine is looked at first */
	unsigned step;          /* the one that runs, or is next */
	uint64_t step_age_ms;   /* resumed: so long ago it began */

	/* the step that runs */
	struct pm_timer *timer;
	struct ipmi_op *op;
	struct wol_burst *burst;
	uint64_t begun_ms, acted_ms, sent_ms; /* loop time: step begun, last accepted, last sent; 0: never */
	uint64_t doubt_ms, heard_ms; /* loop time: not answered, the BMC's last sign of life noticed since */
	int64_t contact_ms;          /* what the BMC's statistics said of it then */
	bool confirming; /* the goal seems to be reached already: one fresh look before saying so */
	bool cut;        /* a command was cancelled before its answer, */
	bool cut_sent;   /* and had left */
	bool acted;      /* the BMC accepted, or may have done it, or a magic packet was sent */
	bool doubt;      /* the command was not answered: whether it was done is to be seen */
	bool left_goal;  /* cycle: the machine was seen off */
	bool prepared;   /* boot flags: the BMC was told to keep them, */
	bool forgetful;  /* and did not agree */
	bool before;     /* accepted before a restart of the agent */
	unsigned tries, failures, acceptances; /* failures: tries in a row without any answer, or refused */
	bool was_on;                           /* when it began */
	unsigned bursts, packets_sent, packets_seen;
	unsigned burst_sent, burst_seen; /* of the current one, as reported so far */
	char trouble[256];               /* the last thing that went wrong */
	enum pm_result troubled;         /* and what it would be as a result; 0: nothing */
};

/* The columns of a row that a SET may change. */
struct pm_job_columns {
	struct pm_job_spec spec;
	char *label; /* the row's own, or the SET's */
	uint32_t retain_s;
	bool enabled;
	enum pm_row_status row_status;
};

/* What a SET under way makes of a row. */
struct pm_job_set {
	struct pm_job_columns columns;
	bool written;  /* the journal has it: it stays so, whatever else happens to the row meanwhile */
	bool aborts;   /* the job that is at work */
	bool leaves;   /* the row goes */
	bool replaces; /* the row begins anew: nothing of what it was is written any more */
};

#define PM_JOB_IDLE_MAX_MS \
	3600000 /* a row that is not activated within an hour is removed (pmJobRowStatus) */

/* --- job_row.c -------------------------------------------------------------------------------- */

void pm_job_append(struct pm_job_list *list, struct pm_job *job);
void pm_job_take_out(struct pm_job *job);

/* A row in the making: what it is called is copied (name NULL: pm_job_name_it() follows), all else is empty. NULL: no
 * memory. There is room for it among the rows of the machine until it is freed. */
struct pm_job *pm_job_new(struct pm_machine *machine, const char *owner, const char *name);

/* set-<id> */
void pm_job_name_it(struct pm_job *job);

/* The job gets these steps; 0 or -ENOMEM. */
int pm_job_take_steps(struct pm_job *job, const struct pm_step *steps, unsigned count);
void pm_job_clear_steps(struct pm_job *job);

/* Into the machine's rows; and out of them, into nowhere, with its run. */
void pm_job_insert(struct pm_job *job);
void pm_job_free(struct pm_job *job);

/* The row goes, and so does what the journal has of it; the latter comes to an end with pm_job_free_removed(). */
void pm_job_remove(struct pm_job *job);
void pm_job_free_removed(struct pm_job *job);

/* Takes over label, which is on the heap. */
void pm_job_give_label(struct pm_job *job, char *label);

/* Counted among those that are not active, or not enabled. */
void pm_job_set_idle(struct pm_job *job, bool idle);

/* It goes at not_before_ms, if it has ended or is a draft; else never. */
void pm_job_due(struct pm_job *job);

/* It has ended, and stays retain_s from then on. ended_ms: steady. */
void pm_job_retain(struct pm_job *job, int64_t ended_ms);

/* Timer: rows whose time is over go. */
void pm_jobs_expire(void *data);

/* --- job_journal.c ---------------------------------------------------------------------------- */

/*
 * Writes it inside the caller's transaction as accepted, or even as if its first step had begun; in memory it stays
 * notReady. 0, or the store's error; job->id is what the transaction gave it, whether or not that is rolled back.
 */
int pm_job_write_accepted(struct pm_job *job, bool begun, struct pm_error *err);

/* Writes it as it is, with those of its steps that have changed. 0, or the store's error. */
int pm_job_write(struct pm_store *store, struct pm_job *job, struct pm_error *err);

/* A volatile row is in the journal only while its job is at work. */
bool pm_job_is_kept(const struct pm_job *job);

/* Is written with the next flush: soon, in some milliseconds with what else is told, or with the next turn of the loop. */
void pm_job_changed(struct pm_job *job);
void pm_job_changed_shortly(struct pm_job *job);
void pm_job_changed_now(struct pm_job *job);

/* Takes it off what is to be written. */
void pm_job_unchanged(struct pm_job *job);

/*
 * The rest of the step waits until the journal has that it has begun; pm_action_act() is called then. Nobody may take the
 * row off what is to be written meanwhile.
 */
void pm_gate_close(struct pm_job *job);
void pm_gate_leave(struct pm_job_run *run);

/* Fills job from the journal; its steps come later. */
struct pm_job *pm_job_from_stored(struct pm_machine *machine, const struct pm_stored_job *stored);
int pm_step_from_stored(struct pm_step *step, const struct pm_stored_step *stored);

/* --- job.c ------------------------------------------------------------------------------------ */

/* A job that begins after the machine was checked: gets a run and the machine. 0 or a negative errno value. */
int pm_job_check_free(const struct pm_machine *machine, struct pm_error *err);
int pm_job_check_inhibit(const struct pm_machine *machine, struct pm_error *err);
int pm_job_hold(struct pm_job *job, struct pm_error *err);

/* Ends what is under way, takes it off its machine, and tells nobody. */
void pm_job_let_go(struct pm_job *job);

/* Whether it would begin at once if it were released now. */
bool pm_job_may_begin(const struct pm_job *job);
void pm_job_promise(struct pm_job *job, bool promised);

/* The SET is committed: it is a row, and at work. */
void pm_job_accept(struct pm_job *job);

/* Waits for its delay, or for room. */
void pm_job_enqueue(struct pm_job *job);

/*
 * A wish, which may be repeated over restarts; what is not may have happened already, and is never done again. Not the same
 * as step->momentary, by which the command itself is told to the BMC once: to be off is no wish of a reboot, either.
 */
bool pm_step_is_repeatable(const struct pm_job *job, const struct pm_step *step);

/* The job has begun. */
void pm_job_tell_begin(struct pm_job *job, int64_t begin_ms);

/* A step begins, or has ended. */
void pm_step_begun(struct pm_job *job, struct pm_step *step);
void pm_step_ended(struct pm_job *job, struct pm_step *step, enum pm_result result, const char *text);

/* The job has ended: row, result, event and notification, its group; it may be gone afterwards. */
void pm_job_finish(struct pm_job *job, enum pm_result result, const char *text);

/* Ends it as aborted; why is told together with what had been sent. The job may be gone afterwards. */
void pm_job_abort_job(struct pm_job *job, const char *why);

/* A dry run does nothing, and has ended. */
void pm_job_finish_dry(struct pm_job *job);

enum pm_job_state pm_job_final_state(enum pm_result result);
bool pm_job_has_ended(const struct pm_job *job);
bool pm_step_has_ended(const struct pm_step *step);

/* --- job_batch.c ------------------------------------------------------------------------------ */

/* A job of a batch begins, or is no more before it has begun. */
void pm_batch_begun(struct pm_job *job);
void pm_batch_left(struct pm_job *job);

/* The jobs of all released batches wait like any other: the agent stops. */
void pm_batches_dissolve(struct pm_agent *agent);

/* --- action.c --------------------------------------------------------------------------------- */

/* For pm_job_run.timer. NULL: no memory. */
struct pm_timer *pm_action_timer(struct pm_job *job);

/* Begins the step that is next, or takes up the one that had begun before a restart. */
void pm_action_start(struct pm_job *job);

/* The journal has the step. */
void pm_action_act(struct pm_job *job);

/* A source of the machine's state has answered, or not in time. */
void pm_action_observed(struct pm_job *job, enum pm_state_source asked);

/* pmJobTimeout is over. */
void pm_action_over(struct pm_job *job);

/* Ends what is under way, without a result. */
void pm_action_stop(struct pm_job *job);

/* --- job_text.c ------------------------------------------------------------------------------- */

/* "job op/night (reboot) begins in 17 s" */
void pm_job_describe_busy(const struct pm_job *job, char *text, size_t size);

/* What of the step that runs was done, in words, for a job that ends; it is stopped. */
void pm_action_describe_end(struct pm_job *job, char *text, size_t size);

/* --- between action.c and wake.c --- */

/* All is sent: the step waits for its effect. What was accepted is not sent again after a restart. */
void pm_step_verifying(struct pm_job *job);

/* The step has failed: an alternative is tried, or the job ends with this result. The job may be gone afterwards. */
void pm_step_failed(struct pm_job *job, enum pm_result result, const char *text);

/* The machine is observed where the step brings it; note goes behind the text. The job may be gone afterwards. */
void pm_step_reached(struct pm_job *job, const char *note);

/* Sends a burst of magic packets; more follow by pm_wake_timer(), until the machine is up or it is late. */
void pm_wake_send(struct pm_job *job);
void pm_wake_timer(struct pm_job *job, bool late);
void pm_wake_observed(struct pm_job *job);

/* pmJobTimeout is over: the NIC has its result. */
void pm_wake_over(struct pm_job *job);

#endif
