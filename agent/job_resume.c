/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a start finds in the journal without an end: taken up, or reported as interrupted. */
#include "agent/job_batch.h"
#include "agent/job_private.h"
#include "agent/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- after a restart -------------------------------------------------------------------------- */

struct unfinished {
	struct pm_stored_job *jobs;
	size_t count, capacity;
};

static void collect(const struct pm_stored_job *stored, void *data)
{
	struct unfinished *list = data;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		struct pm_stored_job *jobs = realloc(list->jobs, capacity * sizeof(*jobs));

		if (!jobs) {
			pm_log(LOG_ERR, "no memory to take up job set-%lld", (long long)stored->id);
			return;
		}
		list->jobs = jobs;
		list->capacity = capacity;
	}
	list->jobs[list->count] = *stored;
	list->jobs[list->count++].text = "";
}

static struct pm_job_request request_of(struct pm_machine *machine, const struct pm_stored_job *stored)
{
	struct pm_job_request request = pm_job_request_of(machine, stored->action, stored->origin);

	request.nic = stored->nic;
	return request;
}

/* What it was to set is not in the journal. */
static bool is_setting(const struct pm_stored_job *stored)
{
	return stored->origin == PM_ORIGIN_BMC_SETTING;
}

static void end_stored(struct pm_agent *agent, const struct pm_stored_job *stored, const char *why)
{
	struct pm_job_end *end = calloc(1, sizeof(*end));

	if (end)
		pm_job_journal_end(agent, end, stored->id, PM_RESULT_INTERRUPTED, why);
	else
		pm_log(LOG_ERR, "no memory to end job set-%lld: it is reported again at the next start",
		       (long long)stored->id);
}

static void report_interrupted(struct pm_machine *machine, const struct pm_stored_job *stored,
			       const char *why)
{
	struct pm_job job = {.agent = machine->agent,
			     .request = {.machine = machine, .action = stored->action, .nic = stored->nic},
			     .id = stored->id};

	snprintf(job.name, sizeof(job.name), "set-%lld", (long long)stored->id);
	machine->agent->jobs_failed++;
	end_stored(machine->agent, stored, why);
	pm_job_tell_end(&job, PM_RESULT_INTERRUPTED, why);
}

static int64_t allowed_ms(const struct pm_job *job)
{
	int64_t sum_ms = 0;

	for (int i = 0; i < job->step_count; i++)
		sum_ms += (int64_t)job->steps[i].timeout_s * 1000;
	return sum_ms;
}

/* When the agent is known to have been there for it: it began, or waited while others ended. */
static int64_t last_seen_ms(const struct pm_stored_job *stored, int64_t last_end_ms)
{
	int64_t seen_ms = stored->start_ms;

	if (stored->not_before_ms > seen_ms)
		seen_ms = stored->not_before_ms;
	if (stored->state == PM_JOB_SCHEDULED && last_end_ms > seen_ms)
		seen_ms = last_end_ms;
	return seen_ms;
}

/* Hours later the wish may be nobody's any more; nor can that be told when the clock was set back. */
static bool too_late(const struct pm_job *job, const struct pm_stored_job *stored, int64_t last_end_ms)
{
	int64_t now_ms = pm_time_ms();

	return now_ms < stored->start_ms || now_ms - last_seen_ms(stored, last_end_ms) > allowed_ms(job);
}

/* What is taken up; jobs that were to begin one after another still do. */
struct resume {
	struct pm_agent *agent;
	int64_t last_end_ms;        /* in the journal */
	struct pm_batch *batch;     /* of the job before; NULL: none */
	struct pm_stored_job first; /* of that batch, taken up or not */
};

/* As long as was planned, but not longer than from one to the next: the clock may have been set. */
static uint64_t first_delay_ms(const struct pm_stored_job *first)
{
	int64_t delay_ms = first->not_before_ms - pm_time_ms();

	if (delay_ms > first->stagger_ms)
		delay_ms = first->stagger_ms;
	return delay_ms > 0 ? (uint64_t)delay_ms : 0;
}

static void close_batch(struct resume *resume)
{
	if (resume->batch)
		pm_batch_release(resume->batch, first_delay_ms(&resume->first));
	resume->batch = NULL;
}

/* Jobs of one SET follow each other in the journal, and have the same times. Those that had begun need not wait again. */
static void choose_batch(struct resume *resume, const struct pm_stored_job *stored)
{
	const struct pm_stored_job *first = &resume->first;

	if (resume->batch && first->start_ms == stored->start_ms && first->stagger_ms == stored->stagger_ms &&
	    first->state == stored->state)
		return;
	close_batch(resume);
	resume->batch =
	    pm_batch_new(resume->agent, stored->state == PM_JOB_SCHEDULED ? stored->stagger_ms : 0);
	resume->first = *stored;
}

static int reserve(struct resume *resume, struct pm_machine *machine, const struct pm_stored_job *stored,
		   struct pm_job **job, struct pm_error *err)
{
	const struct pm_job_request request = request_of(machine, stored);
	int error;

	choose_batch(resume, stored);
	if (!resume->batch)
		return pm_fail(err, ENOMEM, "no memory");
	error = pm_batch_reserve(resume->batch, &request, job, err);
	if (!error && !*job)
		error = pm_fail(err, EEXIST, "the same job is in the journal twice");
	return error;
}

static int take_up(struct resume *resume, struct pm_machine *machine, const struct pm_stored_job *stored,
		   struct pm_error *err)
{
	struct pm_job *job;
	int error = reserve(resume, machine, stored, &job, err);

	if (error)
		return error;
	if (too_late(job, stored, resume->last_end_ms)) {
		pm_job_free(job);
		return pm_fail(err, ETIMEDOUT, "the agent was away until the time for it was over");
	}
	if (pm_batch_count(resume->batch) == 1)
		resume->first = *stored;
	job->resumed = true;
	job->id = stored->id;
	job->start_ms = stored->start_ms;
	job->begin_ms = stored->state == PM_JOB_SCHEDULED ? 0 : stored->not_before_ms;
	snprintf(job->name, sizeof(job->name), "set-%lld", (long long)job->id);
	pm_log(LOG_NOTICE, "%s: job %s (%s) is taken up again after a restart", machine->config->name,
	       job->name, pm_job_what(job));
	return 0;
}

static const char not_begun[] = "the agent was restarted before it began: nothing was sent";

static void resume_one(struct resume *resume, const struct pm_stored_job *stored)
{
	struct pm_agent *agent = resume->agent;
	struct pm_machine *machine = pm_agent_machine(agent, stored->machine);
	const struct pm_job_request request = request_of(machine, stored);
	bool repeatable = pm_job_is_repeatable(&request);
	bool unsent = !repeatable && stored->state == PM_JOB_SCHEDULED;
	struct pm_error err = {""};

	if (!machine)
		end_stored(agent, stored, "the machine is no longer configured");
	else if (!agent->inventory->agent.resume)
		report_interrupted(machine, stored,
				   unsent ? not_begun
					  : "the agent was restarted; it is not known what of it was done");
	else if (unsent && is_setting(stored))
		report_interrupted(machine, stored, not_begun);
	else if (!repeatable && !unsent)
		report_interrupted(
		    machine, stored,
		    "the agent was restarted; the command may have been sent and is not sent twice: look at the machine");
	else if (take_up(resume, machine, stored, &err) < 0)
		report_interrupted(machine, stored, err.text);
}

void pm_jobs_resume(struct pm_agent *agent)
{
	struct resume resume = {.agent = agent};
	struct unfinished list = {0};
	struct pm_error err = {""};

	if (pm_store_jobs_last_end(agent->store, &resume.last_end_ms, &err) < 0 ||
	    pm_store_jobs_unfinished(agent->store, collect, &list, &err) < 0)
		pm_log(LOG_ERR, "the journal can not be read: %s", err.text);
	for (size_t i = 0; i < list.count; i++)
		resume_one(&resume, &list.jobs[i]);
	close_batch(&resume);
	free(list.jobs);
}
