/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/job_batch.h"

#include "agent/job_private.h"

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
	(*job)->batch = batch;
	pm_job_append(&batch->jobs, *job);
	return 0;
}

unsigned pm_batch_count(const struct pm_batch *batch)
{
	return batch->jobs.count;
}

int pm_batch_journal(struct pm_batch *batch, struct pm_error *err)
{
	int64_t start_ms = pm_time_ms();
	unsigned place = 0;
	int error = 0;

	for (struct pm_job *job = batch->jobs.first; job && !error; job = job->next, place++) {
		job->start_ms = start_ms;
		job->stagger_ms = batch->stagger_ms;
		job->not_before_ms = place ? start_ms + (int64_t)place * batch->stagger_ms : 0;
		error = pm_job_insert(job, err);
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
	struct pm_batch *batch = job->batch;

	job->batch = NULL;
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
	struct pm_batch *batch = job->batch;
	bool had_turn = batch->turn == job;

	job->batch = NULL;
	if (job->state == PM_JOB_NOT_READY) /* the batch is still the caller's */
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
		job->batch = NULL;
	if (batch->turn)
		batch->turn->batch = NULL;
}

void pm_batch_release(struct pm_batch *batch, uint64_t delay_ms)
{
	struct pm_agent *agent = batch->agent;

	for (struct pm_job *job = batch->jobs.first; job; job = job->next) {
		agent->jobs_reserved--;
		agent->jobs_staggered++;
		agent->changes++;
		job->state = PM_JOB_SCHEDULED;
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

/* In one transaction: a thousand would take seconds. */
static bool forget_in_journal(struct pm_batch *batch)
{
	struct pm_store *store = batch->agent->store;
	struct pm_job *job = batch->jobs.first;

	if (!job || !job->id || pm_store_begin(store, NULL) < 0)
		return false;
	for (; job; job = job->next) {
		if (job->id && pm_store_job_delete(store, job->id, NULL) < 0) {
			pm_store_rollback(store);
			return false;
		}
	}
	return pm_store_commit(store, NULL) == 0;
}

void pm_batch_cancel(struct pm_batch *batch)
{
	bool forgotten = forget_in_journal(batch);

	leave(batch);
	while (batch->jobs.first) {
		if (forgotten)
			batch->jobs.first->id = 0;
		pm_job_cancel(batch->jobs.first);
	}
	free_batch(batch);
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
