/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/job.h"

#include "agent/event.h"
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/notify.h"
#include "agent/poll.h"
#include "agent/state.h"
#include "agent/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX           16384
#define IDENTIFY_INTERVAL_S 15

/* --- lists ------------------------------------------------------------------------------------ */

void pm_job_append(struct pm_job_list *list, struct pm_job *job)
{
	job->list = list;
	job->previous = list->last;
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
	list->count++;
}

void pm_job_take_out(struct pm_job *job)
{
	struct pm_job_list *list = job->list;

	if (job->previous)
		job->previous->next = job->next;
	else
		list->first = job->next;
	if (job->next)
		job->next->previous = job->previous;
	else
		list->last = job->previous;
	list->count--;
	job->list = NULL;
}

void pm_job_free(struct pm_job *job)
{
	pm_action_stop(job);
	if (job->list)
		pm_job_take_out(job);
	if (job->state == PM_JOB_NOT_READY)
		job->agent->jobs_reserved--;
	if (job->request.machine->job == job)
		job->request.machine->job = NULL;
	job->agent->changes++;
	if (job->batch)
		pm_batch_left(job);
	pm_timer_free(job->timer);
	free(job->end);
	free(job);
}

bool pm_job_is_active(const struct pm_machine *machine)
{
	return machine->job && machine->job->state != PM_JOB_NOT_READY;
}

unsigned pm_jobs_active(const struct pm_agent *agent)
{
	return agent->jobs_staggered + agent->jobs_waiting.count + agent->jobs_running.count;
}

/* --- what a job is called --------------------------------------------------------------------- */

const char *pm_job_what(const struct pm_job *job)
{
	switch (job->request.setting.command) {
	case IPMI_SET_POWER_RESTORE_POLICY:
		return "set power restore policy";
	case IPMI_SET_BOOT_FLAGS:
		return "set boot flags";
	default:
		return pm_command_name(job->request.action);
	}
}

static bool same_setting(const struct ipmi_request *a, const struct ipmi_request *b)
{
	if (a->command != b->command)
		return false;
	switch (a->command) {
	case IPMI_CHASSIS_IDENTIFY:
		return a->identify.mode == b->identify.mode;
	case IPMI_SET_POWER_RESTORE_POLICY:
		return a->restore_policy == b->restore_policy;
	case IPMI_SET_BOOT_FLAGS:
		return a->boot.device == b->boot.device && a->boot.persistent == b->boot.persistent &&
		       a->boot.efi == b->boot.efi;
	default:
		return true;
	}
}

/* The same verb, whichever object it was SET by, by the same way: powerOn may go by the BMC or by a NIC. */
static bool same(const struct pm_job *job, const struct pm_job_request *request, const struct pm_step *first)
{
	const struct pm_job_request *other = &job->request;

	if (other->action != request->action || job->steps[0].kind != first->kind ||
	    !same_setting(&other->setting, &request->setting))
		return false;
	return first->kind != PM_STEP_WAKE ||
	       pm_plan_nic(request->machine, other->nic) == pm_plan_nic(request->machine, request->nic);
}

struct pm_job_request pm_job_request_of(struct pm_machine *machine, enum pm_command action,
					enum pm_origin origin)
{
	struct pm_job_request request = {.machine = machine, .action = action, .origin = origin};

	if (action == PM_COMMAND_IDENTIFY)
		request.setting = (struct ipmi_request){
		    .command = IPMI_CHASSIS_IDENTIFY,
		    .identify = {.mode = IPMI_IDENTIFY_TIMED, .interval_s = IDENTIFY_INTERVAL_S}};
	return request;
}

/* --- accept ----------------------------------------------------------------------------------- */

static int check_inhibit(const struct pm_machine *machine, struct pm_error *err)
{
	if (machine->agent->inhibit)
		return pm_fail(err, EPERM, "all actions are inhibited (pmAgentInhibit)");
	if (machine->inhibit)
		return pm_fail(err, EPERM, "machine %s is inhibited: %s", machine->config->name,
			       *machine->inhibit_reason ? machine->inhibit_reason : "no reason given");
	return 0;
}

static int check_free(const struct pm_job_request *request, struct pm_error *err)
{
	const struct pm_machine *machine = request->machine;
	const struct pm_agent *agent = machine->agent;
	int error;

	if (machine->job)
		return pm_fail(err, EBUSY, "machine %s is busy: %s is under way", machine->config->name,
			       pm_job_what(machine->job));
	error = check_inhibit(machine, err);
	if (error)
		return error;
	if (pm_jobs_active(agent) + agent->jobs_reserved >= QUEUE_MAX)
		return pm_fail(err, ENOSPC, "%d jobs wait already", QUEUE_MAX);
	return 0;
}

static struct pm_job *new_job(const struct pm_job_request *request, const struct pm_step *steps, int count)
{
	struct pm_job *job = calloc(1, sizeof(*job));

	if (!job || !(job->end = calloc(1, sizeof(*job->end)))) {
		free(job);
		return NULL;
	}
	job->agent = request->machine->agent;
	job->request = *request;
	memcpy(job->steps, steps, (size_t)count * sizeof(*steps));
	job->step_count = count;
	job->state = PM_JOB_NOT_READY;
	job->agent->jobs_reserved++;
	request->machine->job = job;
	return job;
}

int pm_job_reserve(const struct pm_job_request *request, struct pm_job **out, struct pm_error *err)
{
	struct pm_machine *machine = request->machine;
	struct pm_step steps[PM_STEPS_MAX];
	int count = pm_plan(machine, request->action, request->nic,
			    request->origin == PM_ORIGIN_CHASSIS_CONTROL, steps, err);
	int error;

	*out = NULL;
	if (count > 0 && machine->job && same(machine->job, request, steps))
		return 0;
	if (count < 0)
		return count;
	error = check_free(request, err);
	if (error)
		return error;
	*out = new_job(request, steps, count);
	return *out ? 0 : pm_fail(err, ENOMEM, "no memory for a job");
}

static struct pm_stored_job record(const struct pm_job *job)
{
	return (struct pm_stored_job){.id = job->id,
				      .machine = job->request.machine->index,
				      .nic = job->request.nic,
				      .action = job->request.action,
				      .origin = job->request.origin,
				      .state = job->state,
				      .result = PM_RESULT_NONE,
				      .start_ms = job->start_ms,
				      .not_before_ms = job->not_before_ms,
				      .stagger_ms = job->stagger_ms,
				      .text = ""};
}

int pm_job_insert(struct pm_job *job, struct pm_error *err)
{
	struct pm_stored_job stored = record(job);
	int error;

	stored.state = PM_JOB_SCHEDULED;
	error = pm_store_job_insert(job->agent->store, &stored, err);
	job->id = error ? 0 : stored.id;
	snprintf(job->name, sizeof(job->name), "set-%lld", (long long)job->id);
	return error;
}

int pm_job_journal(struct pm_job *job, struct pm_error *err)
{
	job->start_ms = pm_time_ms();
	return pm_job_insert(job, err);
}

static enum pm_job_state final_state(enum pm_result result)
{
	switch (result) {
	case PM_RESULT_OK:
	case PM_RESULT_ALREADY_IN_STATE:
		return PM_JOB_SUCCEEDED;
	case PM_RESULT_TIMEOUT:
		return PM_JOB_TIMED_OUT;
	case PM_RESULT_ABORTED:
		return PM_JOB_ABORTED;
	case PM_RESULT_INTERRUPTED:
		return PM_JOB_INTERRUPTED;
	default:
		return PM_JOB_FAILED;
	}
}

/*
 * Without its end in the journal a job would be taken up again after a restart. It is written with the next flush, many
 * ends in one commit, before any notification tells it; and as long as it cannot be written, with every later one.
 */
void pm_job_journal_end(struct pm_agent *agent, struct pm_job_end *end, int64_t id, enum pm_result result,
			const char *text)
{
	end->id = id;
	end->end_ms = pm_time_ms();
	end->state = final_state(result);
	end->result = result;
	pm_text_format(end->text, sizeof(end->text), "%s", text);
	end->next = agent->job_ends;
	agent->job_ends = end;
	pm_flush_soon(agent);
}

static int store_begins(struct pm_agent *agent, struct pm_error *err)
{
	int error = 0;

	for (const struct pm_job *job = agent->jobs_running.first; job && !error; job = job->next)
		if (!job->begin_stored)
			error = pm_store_job_begun(agent->store, job->id, job->begin_ms, err);
	return error;
}

int pm_jobs_store(struct pm_agent *agent, struct pm_error *err)
{
	int error = store_begins(agent, err);

	for (const struct pm_job_end *end = agent->job_ends; end && !error; end = end->next)
		error = pm_store_job_ended(agent->store,
					   &(struct pm_stored_job){.id = end->id,
								   .state = end->state,
								   .result = end->result,
								   .end_ms = end->end_ms,
								   .text = end->text},
					   err);
	return error;
}

bool pm_jobs_dirty(const struct pm_agent *agent)
{
	return agent->job_ends != NULL;
}

void pm_jobs_synced(struct pm_agent *agent, uint64_t generation)
{
	(void)agent;
	(void)generation;
}

void pm_jobs_store_failed(struct pm_agent *agent, const char *why)
{
	(void)agent;
	(void)why;
}

void pm_jobs_stored(struct pm_agent *agent, uint64_t generation)
{
	(void)generation;
	for (struct pm_job *job = agent->jobs_running.first; job; job = job->next)
		job->begin_stored = true;
	pm_job_ends_free(agent);
}

/* --- run -------------------------------------------------------------------------------------- */

static void notify_job(struct pm_job *job, enum pm_notification_type type, enum pm_result result,
		       const char *text, uint32_t event)
{
	struct pm_notification notification = {.type = type,
					       .result = result,
					       .action = job->request.action,
					       .nic = job->request.nic,
					       .event_index = event};

	snprintf(notification.job_name, sizeof(notification.job_name), "%s", job->name);
	pm_text_format(notification.text, sizeof(notification.text), "%s", text);
	pm_notify(job->agent, job->request.machine, &notification);
}

static enum pm_power_state transition_of(const struct pm_job *job)
{
	switch (job->request.action) {
	case PM_COMMAND_POWER_ON:
	case PM_COMMAND_WAKE:
		return job->request.machine->observed == PM_POWER_ON ? 0 : PM_POWER_POWERING_ON;
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_SOFT_OFF:
	case PM_COMMAND_SHUTDOWN:
		return job->request.machine->observed == PM_POWER_OFF ? 0 : PM_POWER_POWERING_OFF;
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_REBOOT:
		return PM_POWER_RESTARTING;
	default:
		return 0;
	}
}

static void start(struct pm_job *job)
{
	struct pm_machine *machine = job->request.machine;
	uint32_t event;

	pm_job_take_out(job);
	if (job->batch)
		pm_batch_begun(job);
	job->state = PM_JOB_RUNNING;
	if (!job->begin_ms)
		job->begin_ms = pm_time_ms();
	pm_job_append(&job->agent->jobs_running, job);
	job->agent->jobs_started++;
	event = pm_event_add(machine, PM_EVENT_JOB_STARTED, PM_SEVERITY_OK, "job %s: %s begins", job->name,
			     pm_job_what(job));
	notify_job(job, PM_NOTIFY_JOB_STARTED, PM_RESULT_NONE, "", event);
	pm_state_transition(machine, transition_of(job));
	pm_action_start(job);
}

bool pm_job_is_repeatable(const struct pm_job_request *request)
{
	switch (request->action) {
	case PM_COMMAND_POWER_ON:
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_WAKE:
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_SOFT_OFF:
		return true;
	default:
		return false;
	}
}

static int store_begin(struct pm_job *job, struct pm_error *err)
{
	if (pm_job_is_repeatable(&job->request))
		return 0;
	job->begin_ms = pm_time_ms();
	return pm_store_job_begun(job->agent->store, job->id, job->begin_ms, err);
}

/*
 * What is not repeatable has its begin on the disk before anything is sent: then one that has not begun can be taken up
 * after a restart. In one commit with those that begin at the same time.
 */
static int journal_begins(struct pm_job *first, struct pm_error *err)
{
	struct pm_agent *agent = first->agent;
	unsigned room = agent->job_max_concurrent - agent->jobs_running.count;
	int error = pm_store_begin(agent->store, err);

	if (error)
		return error;
	for (struct pm_job *job = first; job && room > 0 && !error; job = job->next, room--)
		error = store_begin(job, err);
	if (error)
		pm_store_rollback(agent->store);
	return error ? error : pm_store_commit(agent->store, err);
}

/* Inhibited is looked at once more: a SET may inhibit and start at the same time. */
static void start_if_possible(struct pm_job *job)
{
	struct pm_error err = {""};

	if (check_inhibit(job->request.machine, &err) < 0)
		pm_job_finish(job, PM_RESULT_ABORTED, err.text);
	else if (!job->begin_ms && !pm_job_is_repeatable(&job->request) && journal_begins(job, &err) < 0)
		pm_job_finish(job, PM_RESULT_INTERNAL_ERROR, err.text);
	else
		start(job);
}

/* A job may end as soon as it begins, and call this again: the loop that runs already goes on with the next one. */
void pm_jobs_pump(struct pm_agent *agent)
{
	if (agent->jobs_held)
		return;
	agent->jobs_held = true;
	while (!agent->stopping && agent->jobs_waiting.first &&
	       agent->jobs_running.count < agent->job_max_concurrent)
		start_if_possible(agent->jobs_waiting.first);
	agent->jobs_held = false;
}

void pm_job_release(struct pm_job *job)
{
	job->agent->jobs_reserved--;
	job->state = PM_JOB_SCHEDULED;
	job->agent->changes++;
	pm_job_append(&job->agent->jobs_waiting, job);
	pm_jobs_pump(job->agent);
}

void pm_job_observed(struct pm_machine *machine, enum pm_state_source asked)
{
	if (machine->job && machine->job->list == &machine->agent->jobs_running)
		pm_action_observed(machine->job, asked);
}

/* --- end -------------------------------------------------------------------------------------- */

static void end_in_journal(struct pm_job *job, enum pm_result result, const char *text)
{
	pm_job_journal_end(job->agent, job->end, job->id, result, text);
	job->end = NULL;
}

void pm_job_ends_free(struct pm_agent *agent)
{
	struct pm_job_end *end;

	while ((end = agent->job_ends) != NULL) {
		agent->job_ends = end->next;
		free(end);
	}
}

void pm_job_cancel(struct pm_job *job)
{
	if (job->id && pm_store_job_delete(job->agent->store, job->id, NULL) < 0)
		end_in_journal(job, PM_RESULT_ABORTED, "taken back before it began");
	pm_job_free(job);
}

void pm_job_tell_end(struct pm_job *job, enum pm_result result, const char *text)
{
	struct pm_machine *machine = job->request.machine;
	bool good = final_state(result) == PM_JOB_SUCCEEDED;
	uint32_t event;

	pm_state_result(machine, result, text);
	event = pm_event_add(machine, good ? PM_EVENT_JOB_FINISHED : PM_EVENT_JOB_FAILED,
			     good ? PM_SEVERITY_OK : PM_SEVERITY_CRITICAL, "job %s: %s: %s: %s", job->name,
			     pm_job_what(job), pm_result_name(result), text);
	notify_job(job, good ? PM_NOTIFY_JOB_FINISHED : PM_NOTIFY_JOB_FAILED, result, text, event);
}

void pm_job_finish(struct pm_job *job, enum pm_result result, const char *text)
{
	struct pm_agent *agent = job->agent;
	struct pm_machine *machine = job->request.machine;
	char copy[256];

	pm_text_format(copy, sizeof(copy), "%s", text);
	pm_action_stop(job);
	pm_poll_fast(machine, false);
	pm_state_transition(machine, 0);
	if (final_state(result) != PM_JOB_SUCCEEDED)
		agent->jobs_failed++;
	end_in_journal(job, result, copy);
	pm_job_tell_end(job, result, copy);
	pm_job_free(job);
	pm_jobs_pump(agent);
}

void pm_job_abort(struct pm_machine *machine, const char *why)
{
	struct pm_job *job = machine->job;

	if (pm_job_is_active(machine))
		pm_job_finish(job, PM_RESULT_ABORTED, why);
}

void pm_jobs_inhibited(struct pm_agent *agent)
{
	struct pm_error err = {""};
	bool held = agent->jobs_held;

	agent->jobs_held = true; /* what ends must not start others that end next */
	for (size_t i = 0; i < agent->machine_count; i++) {
		struct pm_machine *machine = agent->machines[i];

		if (machine->job && machine->job->state == PM_JOB_SCHEDULED &&
		    check_inhibit(machine, &err) < 0)
			pm_job_finish(machine->job, PM_RESULT_ABORTED, err.text);
	}
	agent->jobs_held = held;
	pm_jobs_pump(agent);
}

void pm_jobs_stop(struct pm_agent *agent)
{
	pm_batches_dissolve(agent);
	while (agent->jobs_waiting.first)
		pm_job_free(agent->jobs_waiting.first);
	while (agent->jobs_running.first)
		pm_job_free(agent->jobs_running.first);
}
