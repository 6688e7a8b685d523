/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by the files that make up jobs; nobody else looks inside.
 *
 *   job.c          the life of a job: accepted, waits, begins
 *   job_end.c      ends
 *   job_row.c      rows in memory: of which machine, in which order, until when
 *   job_edit.c     rows that managers write
 *   job_batch.c    jobs that begin one after another
 *   job_journal.c  what the journal has to know, and the gate: nothing acts before it is written
 *   job_resume.c   what a start finds in the journal
 *   job_text.c     jobs in words and numbers, for reading
 *   job_summary.c  those of many steps
 *   step*.c        the running of its steps: agent/step.h
 */
#ifndef PM_JOB_PRIVATE_H
#define PM_JOB_PRIVATE_H

#include "agent/job.h"
#include "agent/notify.h"
#include "agent/plan.h"
#include "agent/step.h"

/* What is to happen when the journal has it. */
struct pm_gate_list {
	struct pm_step_run *first, *last;
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
	struct pm_batch *batch; /* until it begins; NULL: in none */
	struct pm_timer *clock; /* until it begins, and then until pmJobTimeout is over */
	bool reserved;          /* a SET under way asks for it */
	bool promised;          /* counted in pm_jobs.promised */
	bool written;           /* the journal has its first step as begun */
	bool resumed;           /* taken up after a restart: what begins now looks first */
	int64_t age_ms;         /* resumed: so long ago it began */
	bool overdue; /* its time was over by then: it is only looked what became of its last step */

	struct pm_step_run *first, *last; /* the steps that run */
	unsigned running, parked;
	struct pm_order order;
	bool going, again;   /* steps are being begun; and what ended meanwhile lets others begin */
	uint64_t hurried_ms; /* loop time: hypervisors were to be tried at once; 0: never */
	int refused;         /* a negative errno value: what came meanwhile cannot be brought down, */
	char refusal[256];   /* and why */
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

/* The job gets the steps of the plan, which is empty afterwards. */
void pm_job_take_steps(struct pm_job *job, struct pm_plan *plan);
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
 * The rest of the step waits until the journal has that it has begun; pm_step_act() is called then. Nobody may take the
 * row off what is to be written meanwhile.
 */
void pm_gate_close(struct pm_step_run *run);
void pm_gate_leave(struct pm_step_run *run);

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
void pm_job_notify(const struct pm_job *job, enum pm_notification_type type, uint32_t event);

/* The last result of the VM that the job is for. */
void pm_job_note_vm_result(const struct pm_job *job, enum pm_result result, const char *text);

/* A step begins, or has ended. */
void pm_step_begun(struct pm_job *job, struct pm_step *step);
void pm_step_ended(struct pm_job *job, struct pm_step *step, enum pm_result result, const char *text);

/* It is not begun, and will not be. */
void pm_step_not_begun(struct pm_job *job, struct pm_step *step);

/* No step runs, and none can begin: the job ends, as they ended. It may be gone afterwards. */
void pm_job_finish_steps(struct pm_job *job);

/* The job has ended: row, result, event and notification, its group; it may be gone afterwards. */
void pm_job_finish(struct pm_job *job, enum pm_result result, const char *text);

/* Ends it as aborted; why is told together with what had been sent. The job may be gone afterwards. */
void pm_job_abort_job(struct pm_job *job, const char *why);

/* A dry run does nothing, and has ended. */
void pm_job_finish_dry(struct pm_job *job);

enum pm_job_state pm_job_final_state(enum pm_result result);
bool pm_job_has_ended(const struct pm_job *job);
bool pm_step_has_ended(const struct pm_step *step);
bool pm_step_has_failed(const struct pm_step *step);

/* What pm_plan() is to be told: a verb has no time of its own. */
struct pm_job_spec pm_job_plan_spec(const struct pm_job *job);

/* Whether VMs are asked before what they stand on goes down. */
bool pm_job_is_careful(const struct pm_job *job);

/* What its steps of the machine do to it; 0: nothing that is seen. */
enum pm_power_state pm_job_transition(const struct pm_job *job);

/* Of what may have been done before a restart. */
extern const char pm_job_not_twice[];

/* Whether nothing stands on its machine: then its first step is written as begun with the SET. */
bool pm_job_is_plain(const struct pm_job *job);

/* --- job_batch.c ------------------------------------------------------------------------------ */

/* A job of a batch begins, or is no more before it has begun. */
void pm_batch_begun(struct pm_job *job);
void pm_batch_left(struct pm_job *job);

/* The jobs of all released batches wait like any other: the agent stops. */
void pm_batches_dissolve(struct pm_agent *agent);

/* --- job_text.c, job_summary.c ------------------------------------------------------------------------------- */

/* "job op/night (reboot) begins in 17 s" */
void pm_job_describe_busy(const struct pm_job *job, char *text, size_t size);

/* What of the steps that run was done, in words, for a job that ends; they are stopped. */
void pm_job_describe_end(struct pm_job *job, char *text, size_t size);

/* That the journal could not be written, and so nothing was sent. */
void pm_job_describe_journal(const struct pm_job *job, char *text, size_t size);

/* The same of a job that has many steps; ago as in struct pm_step_kind. */
void pm_job_describe_run(const struct pm_step_run *run, const char *ago, char *text, size_t size);
void pm_job_summarize_work(const struct pm_job *job, const char *ago, char *text, size_t size);
void pm_job_summarize_failure(const struct pm_job *job, const struct pm_step *first, char *text, size_t size);
void pm_job_summarize_success(const struct pm_job *job, char *text, size_t size);

/* Whether it only found what a reboot by the operating system had done before it: that the machine is on. */
bool pm_step_adds_nothing(const struct pm_step *before, const struct pm_step *step);

/* A step's command in words. */
const char *pm_step_words(const struct pm_step *step);

#endif
