/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a start finds in the journal: rows as they were; jobs that have not ended are taken up, or reported as interrupted. */
#include "agent/flush.h"
#include "agent/group_record.h"
#include "agent/job_batch.h"
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/steady.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_BACK_MAX_MS \
	3600000 /* by so much the clock may be behind, after a boot, and an age is still believed */

/* --- loading ---------------------------------------------------------------------------------- */

/* In the order of the store; its steps come in the same. */
struct entry {
	int64_t id;
	struct pm_job *job; /* NULL: not of a machine that is to be loaded now */
};

/* A job that has not ended, of a machine that is not configured. */
struct orphan {
	struct pm_stored_job stored;
	char owner[PM_JOB_OWNER_MAX + 1], name[PM_JOB_NAME_MAX + 1], label[PM_JOB_LABEL_MAX + 1];
};

struct loading {
	struct pm_agent *agent;
	struct entry *entries;
	size_t count, room;
	size_t next; /* whose step may come */
	struct orphan *orphans;
	size_t orphan_count;
	int64_t last_end_ms; /* steady: when the agent is known to have been there */
	struct pm_batch *batch;
	const struct pm_job *first; /* of that batch */
};

static struct entry *add_entry(struct loading *loading)
{
	if (loading->count == loading->room) {
		size_t room = loading->room ? loading->room * 2 : 256;
		struct entry *entries = realloc(loading->entries, room * sizeof(*entries));

		if (!entries)
			return NULL;
		loading->entries = entries;
		loading->room = room;
	}
	return &loading->entries[loading->count++];
}

static void add_orphan(struct loading *loading, const struct pm_stored_job *stored)
{
	struct orphan *orphans = realloc(loading->orphans, (loading->orphan_count + 1) * sizeof(*orphans)),
		      *orphan;

	if (!orphans)
		return;
	loading->orphans = orphans;
	orphan = &orphans[loading->orphan_count++];
	orphan->stored = *stored;
	snprintf(orphan->owner, sizeof(orphan->owner), "%s", stored->owner);
	snprintf(orphan->name, sizeof(orphan->name), "%s", stored->name);
	snprintf(orphan->label, sizeof(orphan->label), "%s", stored->label);
}

static void load_job(const struct pm_stored_job *stored, void *data)
{
	struct loading *loading = data;
	struct pm_machine *machine = pm_agent_machine(loading->agent, stored->machine);
	struct entry *entry = add_entry(loading);

	if (!entry) {
		pm_log(LOG_ERR, "no memory for job %s", stored->name);
		return;
	}
	*entry = (struct entry){.id = stored->id};
	if (!machine && stored->state >= PM_JOB_SCHEDULED && stored->state <= PM_JOB_ABORTING)
		add_orphan(loading, stored);
	if (!machine || machine->jobs_loaded || pm_job_find(machine, stored->owner, stored->name))
		return;
	entry->job = pm_job_from_stored(machine, stored);
	if (entry->job)
		pm_job_insert(entry->job);
	else
		pm_log(LOG_ERR, "no memory for job %s", stored->name);
}

static void load_step(const struct pm_stored_step *stored, void *data)
{
	struct loading *loading = data;
	struct pm_job *job;
	struct pm_step *steps;

	while (loading->next < loading->count && loading->entries[loading->next].id != stored->job)
		loading->next++;
	job = loading->next < loading->count ? loading->entries[loading->next].job : NULL;
	if (!job)
		return;
	steps = realloc(job->steps, (job->step_count + 1) * sizeof(*steps));
	if (steps)
		job->steps = steps;
	if (!steps || pm_step_from_stored(&steps[job->step_count], stored) < 0) {
		pm_log(LOG_ERR, "no memory for the steps of job %s", pm_job_title(job));
		return;
	}
	job->steps_done += pm_step_has_ended(&steps[job->step_count]);
	job->step_count++;
}

static int load_machine(struct loading *loading, uint32_t machine, struct pm_error *err)
{
	int error = pm_store_jobs_load(loading->agent->store, machine, load_job, loading, err);

	return error ? error : pm_store_steps_load(loading->agent->store, machine, load_step, loading, err);
}

/* At the start all of them in one go; later those of the machines that have come. */
static int load_all(struct loading *loading, struct pm_error *err)
{
	struct pm_agent *agent = loading->agent;
	bool at_start = !agent->jobs->started;
	int error = at_start ? load_machine(loading, 0, err) : 0;

	for (size_t i = 0; i < agent->machine_count && !error; i++) {
		struct pm_machine *machine = agent->machines[i];

		if (!at_start && !machine->jobs_loaded)
			error = load_machine(loading, machine->index, err);
		machine->jobs_loaded = true;
	}
	return error;
}

/* --- what has ended, and what was never begun -------------------------------------------------- */

static int64_t between(int64_t low, int64_t value, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* The clock may have been set: no row stays longer than it was to, or goes for that. */
static void settle_idle(struct pm_job *job)
{
	int64_t now_ms = pm_steady_ms(job->machine->agent);

	if (job->leaves || job->spec.storage == PM_STORAGE_VOLATILE) {
		pm_job_remove(job);
		return;
	}
	pm_job_set_idle(job, true);
	job->not_before_ms = between(now_ms, job->not_before_ms, now_ms + PM_JOB_IDLE_MAX_MS);
	pm_job_due(job);
}

static int64_t end_of(const struct pm_job *job)
{
	return job->not_before_ms - (int64_t)job->retain_s * 1000;
}

/* Ended when its machine was not there, it may have steps that have not: those that were begun end with it. */
static void end_steps(struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++) {
		struct pm_step *step = &job->steps[i];

		if (pm_step_has_ended(step) || step->state == PM_JOB_NOT_READY)
			continue;
		if (step->state == PM_JOB_SCHEDULED)
			pm_step_not_begun(job, step);
		else
			pm_step_ended(job, step, job->result, job->text);
		pm_job_changed(job);
	}
}

static void settle_ended(struct pm_job *job)
{
	int64_t now_ms = pm_steady_ms(job->machine->agent);

	if (job->leaves || job->spec.storage == PM_STORAGE_VOLATILE)
		pm_job_remove(job);
	else
		pm_job_retain(job, between(now_ms - (int64_t)job->retain_s * 1000, end_of(job), now_ms));
}

static int by_end(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int64_t end = end_of(x->job), other = end_of(y->job);

	return end != other ? (end > other) - (end < other) : (x->id > y->id) - (x->id < y->id);
}

/* Steps of a version that did not say what waits for what followed each other. */
static void give_order(struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++)
		if (job->steps[i].after || job->steps[i].before)
			return;
	for (unsigned i = 1; i < job->step_count; i++)
		job->steps[i].after =
		    !job->steps[i].alternative && job->steps[i].level > job->steps[0].level ? i : 0;
}

/* Its text is mostly that of its last step: kept once. */
static void share_text(struct pm_job *job)
{
	char *text = job->text;

	if (!text)
		return;
	job->text = NULL;
	if (strcmp(pm_job_text(job), text) == 0)
		free(text);
	else
		job->text = text;
}

/* --- what has not ended ------------------------------------------------------------------------ */

static const char not_begun[] = "the agent was restarted before it began: nothing was sent";
const char pm_job_not_twice[] =
    "the agent was restarted; the command may have been sent and is not sent twice: look at the machine";

static struct pm_step *next_step(const struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++)
		if (!pm_step_has_ended(&job->steps[i]) && job->steps[i].state != PM_JOB_NOT_READY)
			return &job->steps[i];
	return NULL;
}

/* How long after the job its step began, as far as a wall clock that may have been set can tell. */
static int64_t step_after_ms(const struct pm_job *job, const struct pm_step *step, int64_t most_ms)
{
	if (!step || !step->start_ms || !job->begin_ms || most_ms < 0)
		return 0;
	return between(0, step->start_ms - job->begin_ms, most_ms);
}

/* When the agent is known to have been there for it: it, or its step, began, or waited while others ended. */
static int64_t last_seen_ms(const struct loading *loading, const struct pm_job *job)
{
	int64_t seen_ms = job->not_before_ms > job->created_ms ? job->not_before_ms : job->created_ms;

	if (job->state != PM_JOB_SCHEDULED && pm_job_has_stack(job))
		return seen_ms;
	if (job->state != PM_JOB_SCHEDULED)
		return seen_ms + step_after_ms(job, next_step(job), pm_steady_ms(loading->agent) - seen_ms);
	return loading->last_end_ms > seen_ms ? loading->last_end_ms : seen_ms;
}

/* What it may still take. */
static int64_t allowed_ms(const struct pm_job *job)
{
	const struct pm_step *next = next_step(job);
	int64_t sum_s = 0;

	if (pm_job_has_stack(job)) /* beside each other: a sum says nothing */
		return 1000 * (int64_t)job->spec.timeout_s;
	for (unsigned i = 0; i < job->step_count; i++)
		if (!next || &job->steps[i] >= next)
			sum_s += job->steps[i].timeout_s;
	return 1000 * (sum_s < job->spec.timeout_s ? sum_s : (int64_t)job->spec.timeout_s);
}

static bool is_too_old(const struct loading *loading, const struct pm_job *job)
{
	return pm_steady_ms(loading->agent) - last_seen_ms(loading, job) > allowed_ms(job);
}

/* Hours later the wish may be nobody's any more. What a machine had agreed to is only looked at: it may be this agent's own. */
static int check_age(const struct loading *loading, const struct pm_job *job, struct pm_error *err)
{
	int64_t now_ms = pm_steady_ms(loading->agent);
	const struct pm_step *next = next_step(job);

	if (now_ms < job->created_ms - SET_BACK_MAX_MS)
		return pm_fail(err, ETIMEDOUT,
			       "the clock was set back: whether its time is over cannot be told");
	if (is_too_old(loading, job) && !(next && pm_host_step_is_awaited(next)))
		return pm_fail(err, ETIMEDOUT, "the agent was away until the time for it was over");
	return 0;
}

static int check_planned(struct pm_job *job, struct pm_plan *plan, struct pm_error *err)
{
	struct pm_machine *machine = job->machine;

	if (machine->job)
		return pm_fail(err, EBUSY, "the journal has two jobs of the machine that have not ended");
	if (job->state == PM_JOB_SCHEDULED && pm_job_check_inhibit(machine, err) < 0)
		return -EPERM;
	if (!job->steps) /* of a version that did not keep them */
		pm_job_take_steps(job, plan);
	return 0;
}

/* The configuration may have changed: what it can no longer do, it does not go on with. */
static int check_machine(struct pm_job *job, struct pm_error *err)
{
	struct pm_plan plan = {0};
	int error;

	if (job->steps && (!pm_job_is_plain(job) || pm_job_has_stack(job)))
		return check_planned(job, &plan,
				     err); /* nothing is known of its VMs yet: their steps will see */
	error = pm_plan(job->machine, &job->spec, job->origin == PM_ORIGIN_CHASSIS_CONTROL, &plan, err);

	if (error)
		return error;
	error = check_planned(job, &plan, err);
	pm_plan_free(&plan);
	return error;
}

/* NULL: it can be taken up. */
static const char *why_not(const struct loading *loading, const struct pm_job *job)
{
	const struct pm_agent *agent = loading->agent;
	bool unsent = job->state == PM_JOB_SCHEDULED;
	const struct pm_step *step = next_step(job);

	if (job->spec.storage == PM_STORAGE_VOLATILE)
		return unsent ? not_begun
			      : "the agent was restarted, and the job is volatile (pmJobStorageType)";
	if (pm_store_salvaged(agent->store))
		return "the journal was damaged: it is not known what of it was done";
	if (!agent->inventory->agent.resume)
		return unsent ? not_begun : "the agent was restarted; it is not known what of it was done";
	if (job->origin == PM_ORIGIN_BMC_SETTING && !job->spec.setting.command)
		return unsent ? not_begun : pm_job_not_twice;
	if (!unsent && step && !pm_job_has_stack(job) && step->state == PM_JOB_RUNNING &&
	    !pm_step_is_repeatable(job, step))
		return pm_job_not_twice;
	return !step && job->steps ? "the journal does not say how it ended" : NULL;
}

static int hold(struct pm_job *job, struct pm_error *err)
{
	int64_t age_ms = pm_steady_ms(job->machine->agent) - job->not_before_ms;
	int error = pm_job_hold(job, err);

	if (error)
		return error;
	job->run->age_ms = age_ms > 0 ? age_ms : 0;
	job->run->reserved = false;
	job->machine->agent->jobs_reserved--;
	job->run->resumed = true;
	return 0;
}

/* Of a version that did not keep steps. */
static void give_state(struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++)
		job->steps[i].state = PM_JOB_SCHEDULED;
	if (job->state != PM_JOB_SCHEDULED)
		job->steps[0].state = PM_JOB_RUNNING;
}

static void close_batch(struct loading *loading)
{
	int64_t delay_ms;

	if (!loading->batch)
		return;
	delay_ms = loading->first->not_before_ms - pm_steady_ms(loading->agent);
	delay_ms = between(0, delay_ms, loading->first->stagger_ms);
	pm_batch_release(loading->batch, (uint64_t)delay_ms);
	loading->batch = NULL;
}

/* Jobs of one SET follow each other in the journal. Those that had begun need not wait again. */
static int join_batch(struct loading *loading, struct pm_job *job)
{
	const struct pm_job *first = loading->first;

	if (loading->batch && (first->group != job->group || first->created_ms != job->created_ms ||
			       first->stagger_ms != job->stagger_ms))
		close_batch(loading);
	if (!loading->batch) {
		loading->batch = pm_batch_new(loading->agent, job->stagger_ms);
		loading->first = job;
	}
	if (!loading->batch)
		return -ENOMEM;
	pm_batch_add(loading->batch, job);
	return 0;
}

/* As long as was planned, but never longer than its delay: the clock may have been set. */
static void bound_times(struct pm_job *job)
{
	int64_t now_ms = pm_steady_ms(job->machine->agent);
	int64_t most_ms = job->state == PM_JOB_SCHEDULED ? (int64_t)job->spec.delay_s * 1000 : 0;

	if (!job->stagger_ms || job->state != PM_JOB_SCHEDULED)
		job->not_before_ms =
		    job->not_before_ms < now_ms + most_ms ? job->not_before_ms : now_ms + most_ms;
}

/* A job that has not begun has no step that has, whatever the journal says. */
static void clear_begins(struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++) {
		struct pm_step *step = &job->steps[i];

		if (pm_step_has_ended(step) || step->state == PM_JOB_SCHEDULED)
			continue;
		step->state = PM_JOB_SCHEDULED;
		step->start_ms = 0;
		step->changed = true;
	}
}

static int take_up(struct loading *loading, struct pm_job *job, struct pm_error *err)
{
	bool planned = job->steps != NULL;
	int error = check_machine(job, err);

	if (!error)
		error = check_age(loading, job, err);
	if (!error && !planned)
		give_state(job);
	if (!error && !planned && why_not(loading, job))
		error = pm_fail(err, EALREADY, "%s", why_not(loading, job));
	if (!error)
		error = hold(job, err);
	if (error)
		return error;
	job->run->overdue = job->state != PM_JOB_SCHEDULED && is_too_old(loading, job);
	pm_log(LOG_NOTICE, "%s: job %s (%s) is taken up again after a restart", job->machine->config->name,
	       pm_job_title(job), pm_job_what(job));
	bound_times(job);
	if (job->state == PM_JOB_SCHEDULED)
		clear_begins(job);
	if (job->state == PM_JOB_SCHEDULED && job->stagger_ms && join_batch(loading, job) == 0)
		return 0;
	pm_job_enqueue(job);
	return 0;
}

static void finish_aborted(struct pm_job *job)
{
	const struct pm_step *step = next_step(job);
	const char *done = !step || step->state == PM_JOB_SCHEDULED ? "nothing further was sent"
			   : step->state == PM_JOB_VERIFYING
			       ? "its command had been accepted"
			       : "its command may have been sent: look at the machine";
	char text[256];

	snprintf(text, sizeof(text), "aborted on request; the agent was restarted meanwhile; %s", done);
	pm_job_finish(job, PM_RESULT_ABORTED, text);
}

static bool has_begun(const struct pm_job *job)
{
	return job->state != PM_JOB_SCHEDULED && job->step_count > 0 && job->steps[0].start_ms != 0;
}

static void resume(struct loading *loading, struct pm_job *job)
{
	const char *why = why_not(loading, job);
	struct pm_error err = {""};

	job->leaves |= job->spec.storage == PM_STORAGE_VOLATILE;
	give_order(job);
	if (has_begun(job) && !job->begin_ms)
		pm_job_tell_begin(job, job->steps[0].start_ms);
	if (job->spec.dry_run)
		pm_job_finish_dry(job);
	else if (job->state == PM_JOB_ABORTING)
		finish_aborted(job);
	else if (why)
		pm_job_finish(job, PM_RESULT_INTERRUPTED, why);
	else if (take_up(loading, job, &err) < 0)
		pm_job_finish(job, PM_RESULT_INTERRUPTED, err.text);
}

/* --- all together ------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Moves the entries of which is says so to the front, and returns how many they are. */
static size_t choose(struct loading *loading, bool (*is)(const struct pm_job *job))
{
	size_t chosen = 0;

	for (size_t i = 0; i < loading->count; i++) {
		struct entry entry = loading->entries[i];

		if (!entry.job || !is(entry.job))
			continue;
		loading->entries[i] = loading->entries[chosen];
		loading->entries[chosen++] = entry;
	}
	return chosen;
}

static bool is_idle(const struct pm_job *job)
{
	return job->state == PM_JOB_NOT_READY;
}

static void settle_all_ended(struct loading *loading)
{
	size_t count = choose(loading, pm_job_has_ended);

	if (count == 0)
		return;
	qsort(loading->entries, count, sizeof(*loading->entries), by_end);
	loading->last_end_ms = end_of(loading->entries[count - 1].job);
	for (size_t i = 0; i < count; i++) {
		end_steps(loading->entries[i].job);
		share_text(loading->entries[i].job);
		settle_ended(loading->entries[i].job);
		loading->entries[i].job = NULL;
	}
}

static void settle_all_idle(struct loading *loading)
{
	size_t count = choose(loading, is_idle);

	for (size_t i = 0; i < count; i++) {
		settle_idle(loading->entries[i].job);
		loading->entries[i].job = NULL;
	}
}

static void settle_groups(struct loading *loading, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pm_group_record_found(loading->agent, loading->entries[i].job->group);
	pm_group_records_settle(loading->agent);
}

/* Its command to a group counted it as failed when the machine was not there. */
static void leave_group(const struct loading *loading, struct pm_job *job)
{
	if (loading->agent->jobs->started)
		job->group = 0;
}

static void resume_all(struct loading *loading)
{
	size_t count = choose(loading, pm_job_at_work);
	struct pm_agent *agent = loading->agent;
	bool held = agent->jobs_held;

	if (count)
		qsort(loading->entries, count, sizeof(*loading->entries), by_id);
	if (!agent->jobs->started)
		settle_groups(loading, count);
	agent->jobs_held = true;
	for (size_t i = 0; i < count; i++) {
		leave_group(loading, loading->entries[i].job);
		resume(loading, loading->entries[i].job);
	}
	close_batch(loading);
	agent->jobs_held = held;
}

/* There is no machine to tell it of. */
static int end_orphans(struct loading *loading, struct pm_error *err)
{
	struct pm_store *store = loading->agent->store;
	int error = loading->orphan_count ? pm_store_begin_quick(store, err) : 0;

	if (error || !loading->orphan_count)
		return error;
	for (size_t i = 0; i < loading->orphan_count && !error; i++) {
		struct orphan *orphan = &loading->orphans[i];
		struct pm_stored_job *stored = &orphan->stored;

		stored->owner = orphan->owner;
		stored->name = orphan->name;
		stored->label = orphan->label;
		stored->state = PM_JOB_INTERRUPTED;
		stored->result = PM_RESULT_INTERRUPTED;
		stored->text = "the machine is no longer configured";
		stored->end_ms = pm_time_ms();
		stored->not_before_ms = pm_steady_ms(loading->agent) + (int64_t)stored->retain_s * 1000;
		error = pm_store_job_update(store, stored, err);
	}
	if (error)
		pm_store_rollback(store);
	return error ? error : pm_store_commit(store, err);
}

void pm_jobs_resume(struct pm_agent *agent)
{
	struct loading loading = {.agent = agent};
	struct pm_error err = {""};

	if (!agent->jobs->started)
		pm_group_records_load(agent);
	if (load_all(&loading, &err) < 0)
		pm_log(LOG_ERR, "the journal can not be read: %s", err.text);
	settle_all_ended(&loading);
	settle_all_idle(&loading);
	resume_all(&loading);
	if (end_orphans(&loading, &err) < 0)
		pm_log(LOG_ERR, "jobs of machines that are no longer configured can not be ended: %s",
		       err.text);
	agent->jobs->started = true;
	free(loading.entries);
	free(loading.orphans);
	pm_flush_soon(agent);
	pm_jobs_pump(agent);
}

static bool all_loaded(const struct pm_agent *agent)
{
	for (size_t i = 0; i < agent->machine_count; i++)
		if (!agent->machines[i]->jobs_loaded)
			return false;
	return true;
}

/* Of a machine that comes back at once, the journal may not know yet how its jobs ended. */
void pm_jobs_reloaded(struct pm_agent *agent)
{
	if (!agent->jobs || !agent->jobs->started || all_loaded(agent))
		return;
	if (pm_flush(agent) < 0)
		pm_log(LOG_ERR,
		       "the journal can not be written: the jobs of machines that come with this reload are "
		       "not shown until the next one");
	else
		pm_jobs_resume(agent);
}
