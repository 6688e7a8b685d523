/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs that were asked for together and begin one after another: the first at once, each of the others stagger_ms after
 * the one before it has begun. Until then it is scheduled, like a job that waits for room, and holds up no job outside
 * of the batch. Who has its turn takes its place in the queue under pmAgentJobMaxConcurrent, and those behind it wait:
 * never do two begin closer together.
 *
 * The phases are those of a single job (agent/job.h). After pm_batch_release() or pm_batch_cancel() the batch is no
 * longer the caller's.
 */
#ifndef PM_JOB_BATCH_H
#define PM_JOB_BATCH_H

#include "agent/job.h"

struct pm_batch;

/* stagger_ms 0: all begin at once. NULL: no memory. */
struct pm_batch *pm_batch_new(struct pm_agent *agent, uint32_t stagger_ms);

/* As pm_job_reserve(); the job is behind those that are in the batch already. */
int pm_batch_reserve(struct pm_batch *batch, const struct pm_job_request *request, struct pm_job **job,
		     struct pm_error *err);

unsigned pm_batch_count(const struct pm_batch *batch);

/* A job that was taken up after a restart, behind the others. */
void pm_batch_add(struct pm_batch *batch, struct pm_job *job);

/* Writes all of them as jobs of this group's command, inside the caller's transaction. 0, or the store's error. */
int pm_batch_journal(struct pm_batch *batch, int64_t group, struct pm_error *err);

/* The first has its turn after delay_ms; without a stagger all at once. */
void pm_batch_release(struct pm_batch *batch, uint64_t delay_ms);

void pm_batch_cancel(struct pm_batch *batch);

#endif
