/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/job_batch.h"

#include "agent/flush.h"
#include "agent/job_private.h"
#include "agent/steady.h"

#include <stdlib.h>

struct pm_batch {
	struct pm_batch *previous, *next; /* in agent->batches, once released */
	struct pm_agent *agent;
	uint32_t stagger_ms;
	struct pm_job_list jobs; /* those whose turn has not come */
	struct pm_job *turn;     /* whose turn it is, until it begins */
	struct pm_timer *timer;  /* runs from the begin of one to the turn of the next */
};

static void next_turn(void *data);

struct pm_batch *pm_batch_new(struct pm_agent *agent, uint32_t stagger_ms)
{
	struct pm_batch *batch = calloc(1, sizeof(*batch));

	if (!batch || !(batch->timer = pm_timer_new(agent->loop, next_turn, batch))) {
		free(batch);
		return NULL;
	}
	batch->agent = agent;
	batch->stagger_ms = stagger_ms;
	return batch;
}

static void link_batch(struct pm_batch *batch)
{
	struct pm_agent *agent = batch->agent;

	batch->next = agent->batches;
	if (agent->batches)
		agent->batches->previous = batch;
	agent->batches = batch;
}

static void free_batch(struct pm_batch *batch)
{
	if (batch->previous)
		batch->previous->next = batch->next;
	else if (batch->agent->batches == batch)
		batch->agent->batches = batch->next;
	if (batch->next)
		batch->next->previous = batch->previous;
	pm_timer_free(batch->timer);
	free(batch);
}

int pm_batch_reserve(struct pm_batch *batch, const struct pm_job_request *request, struct pm_job **job,
		     struct pm_error *err)
{
	int error = pm_job_reserve(request, job, err);

	if (error || !*job)
		return error;
	pm_batch_add(batch, *job);
	return 0;
}

void pm_batch_add(struct pm_batch *batch, struct pm_job *job)
{
	job->run->batch = batch;
	pm_job_append(&batch->jobs, job);
}

unsigned pm_batch_count(const struct pm_batch *batch)
{
	return batch->jobs.count;
}

int pm_batch_journal(struct pm_batch *batch, int64_t group, struct pm_error *err)
{
	int64_t now_ms = pm_steady_ms(batch->agent);
	unsigned place = 0;
	int error = 0;

	for (struct pm_job *job = batch->jobs.first; job && !error; job = job->next, place++) {
		job->created_ms = now_ms;
		job->group = group;
		job->stagger_ms = batch->stagger_ms;
		job->not_before_ms =
		    place && batch->stagger_ms ? now_ms + (int64_t)place * batch->stagger_ms : 0;
		error = pm_job_journal(job, err);
	}
	return error;
}

/* --- turns ------------------------------------------------------------------------------------ */

/* Out of the batch, and into the queue. */
static struct pm_job *take_first(struct pm_batch *batch)
{
	struct pm_job *job = batch->jobs.first;

	pm_job_take_out(job);
	batch->agent->jobs_staggered--;
	pm_job_append(&batch->agent->jobs_waiting, job);
	return job;
}

static void next_turn(void *data)
{
	struct pm_batch *batch = data;
	struct pm_agent *agent = batch->agent;

	batch->turn = take_first(batch);
	pm_jobs_pump(agent); /* the batch may be gone afterwards */
}

void pm_batch_begun(struct pm_job *job)
{
	struct pm_batch *batch = job->run->batch;

	job->run->batch = NULL;
	batch->turn = NULL;
	if (!batch->jobs.first) {
		free_batch(batch);
		return;
	}
	uv_update_time(batch->agent->loop); /* the loop's own may be older, and the next one then too early */
	pm_timer_start(batch->timer, batch->stagger_ms);
}

void pm_batch_left(struct pm_job *job)
{
	struct pm_batch *batch = job->run->batch;
	bool had_turn = batch->turn == job;

	job->run->batch = NULL;
	if (job->run->reserved) /* the batch is still the caller's */
		return;
	if (had_turn)
		batch->turn = NULL;
	else
		batch->agent->jobs_staggered--;
	if (!batch->turn && !batch->jobs.first)
		free_batch(batch);
	else if (had_turn)
		next_turn(batch);
}

static void leave(struct pm_batch *batch)
{
	for (struct pm_job *job = batch->jobs.first; job; job = job->next)
		job->run->batch = NULL;
	if (batch->turn)
		batch->turn->run->batch = NULL;
}

void pm_batch_release(struct pm_batch *batch, uint64_t delay_ms)
{
	struct pm_agent *agent = batch->agent;

	for (struct pm_job *job = batch->jobs.first; job; job = job->next) {
		if (job->run->reserved)
			pm_job_accept(job);
		agent->jobs_staggered++;
	}
	if (batch->stagger_ms && batch->jobs.first) {
		link_batch(batch);
		if (delay_ms)
			pm_timer_start(batch->timer, delay_ms);
		else
			next_turn(batch);
		return;
	}
	leave(batch);
	while (batch->jobs.first)
		take_first(batch);
	free_batch(batch);
	pm_jobs_pump(agent);
}

void pm_batch_cancel(struct pm_batch *batch)
{
	struct pm_agent *agent = batch->agent;
	struct pm_job *job;
	bool written = false;

	leave(batch);
	while ((job = batch->jobs.first) != NULL) {
		written |= job->id != 0;
		pm_job_remove(job);
	}
	free_batch(batch);
	if (written)
		pm_flush(agent); /* or they would be done after a crash */
	pm_jobs_pump(agent);     /* there is the room that they were promised */
}

void pm_batches_dissolve(struct pm_agent *agent)
{
	while (agent->batches) {
		struct pm_batch *batch = agent->batches;

		leave(batch);
		while (batch->jobs.first)
			take_first(batch);
		free_batch(batch);
	}
}
