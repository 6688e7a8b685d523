/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How steps and jobs end: their results, the event and the notification, and what is aborted. */
#include "agent/event.h"
#include "agent/group_record.h"
#include "agent/job_private.h"
#include "agent/notify.h"
#include "agent/poll.h"
#include "agent/state.h"
#include "agent/steady.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- steps ------------------------------------------------------------------------------------ */

enum pm_job_state pm_job_final_state(enum pm_result result)
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

static void set_step_text(struct pm_step *step, const char *text)
{
	free(step->text);
	step->text = text && *text ? strdup(text) : NULL;
	step->changed = true;
}

/* What became of what was asked of the VM, whichever step that depended on. */
void pm_job_note_vm_result(const struct pm_job *job, enum pm_result result, const char *text)
{
	struct pm_vm *vm = pm_machine_vm(job->machine, job->spec.vm);

	if (vm)
		pm_vm_result(vm, result, text);
}

static void note_vm_result(const struct pm_job *job, const struct pm_step *step)
{
	bool has_vm = pm_step_is_of_vm(step) || step->action == PM_STEP_STATE_WAIT;
	struct pm_vm *vm = has_vm ? pm_machine_vm(job->machine, step->vm) : NULL;

	if (vm && !job->spec.dry_run)
		pm_vm_result(vm, step->result, step->text ? step->text : "");
}

void pm_step_begun(struct pm_job *job, struct pm_step *step)
{
	step->state = PM_JOB_RUNNING;
	step->start_ms = pm_time_ms();
	set_step_text(step, NULL);
	note_vm_result(job, step);
	pm_job_changed(job);
}

void pm_step_ended(struct pm_job *job, struct pm_step *step, enum pm_result result, const char *text)
{
	step->state = pm_job_final_state(result);
	step->result = result;
	set_step_text(step, text);
	job->steps_done++;
	if (step->start_ms)
		step->end_ms = pm_time_ms();
	if (step->start_ms || pm_job_final_state(result) != PM_JOB_SUCCEEDED)
		note_vm_result(job, step); /* of what was not needed there is none */
	pm_job_changed(job);
}

/* In a dry run the text is that of the plan. */
void pm_step_not_begun(struct pm_job *job, struct pm_step *step)
{
	step->state = PM_JOB_NOT_READY;
	step->changed = true;
	if (!job->spec.dry_run)
		set_step_text(step, "not begun");
}

/* --- jobs ------------------------------------------------------------------------------------- */

void pm_job_notify(const struct pm_job *job, enum pm_notification_type type, uint32_t event)
{
	struct pm_notification notification = {.type = type,
					       .result = job->result,
					       .action = job->spec.action,
					       .nic = job->spec.nic,
					       .event_index = event};

	snprintf(notification.job_owner, sizeof(notification.job_owner), "%s", job->owner);
	snprintf(notification.job_name, sizeof(notification.job_name), "%s", job->name);
	snprintf(notification.job_label, sizeof(notification.job_label), "%s", job->label);
	if (pm_job_has_ended(job))
		pm_text_format(notification.text, sizeof(notification.text), "%s", pm_job_text(job));
	pm_notify(job->machine->agent, job->machine, &notification);
}

/* Steps that were not begun may not have been needed. */
static void end_steps(struct pm_job *job, enum pm_result result, const char *text)
{
	bool good = pm_job_final_state(result) == PM_JOB_SUCCEEDED && !job->spec.dry_run;

	for (unsigned i = 0; i < job->step_count; i++) {
		struct pm_step *step = &job->steps[i];

		if (step->state == PM_JOB_RUNNING || step->state == PM_JOB_VERIFYING) {
			pm_step_ended(job, step, result, text);
		} else if (!pm_step_has_ended(step) && good) {
			pm_step_ended(job, step, PM_RESULT_ALREADY_IN_STATE, "not needed");
		} else if (!pm_step_has_ended(step)) {
			pm_step_not_begun(job, step);
		}
	}
}

/* Most texts are those of the last step: kept once. */
static void set_text(struct pm_job *job, const char *text)
{
	free(job->text);
	job->text = NULL;
	if (strcmp(pm_job_text(job), text) != 0)
		job->text = strdup(text);
}

static void end_row(struct pm_job *job, enum pm_result result, const char *text)
{
	end_steps(job, result, text);
	job->state = pm_job_final_state(result);
	job->result = result;
	job->end_ms = pm_time_ms();
	set_text(job, text);
}

/* To be aborted is what somebody wanted. */
static enum pm_severity severity_of(const struct pm_job *job)
{
	return job->state == PM_JOB_SUCCEEDED ? PM_SEVERITY_OK
	       : job->state == PM_JOB_ABORTED ? PM_SEVERITY_WARNING
					      : PM_SEVERITY_CRITICAL;
}

static void tell_end(struct pm_job *job)
{
	bool good = job->state == PM_JOB_SUCCEEDED;
	uint32_t event;

	if (!job->spec.dry_run)
		pm_state_result(job->machine, job->result, pm_job_text(job));
	if (job->spec.vm && !job->spec.dry_run)
		pm_job_note_vm_result(job, job->result, pm_job_text(job));
	event = pm_event_add(job->machine, good ? PM_EVENT_JOB_FINISHED : PM_EVENT_JOB_FAILED,
			     severity_of(job), "job %s: %s: %s: %s", pm_job_title(job), pm_job_what(job),
			     pm_result_name(job->result), pm_job_text(job));
	pm_job_notify(job, good ? PM_NOTIFY_JOB_FINISHED : PM_NOTIFY_JOB_FAILED, event);
}

/* The row, what tells of it and the count of its group go into the journal together. */
void pm_job_finish(struct pm_job *job, enum pm_result result, const char *text)
{
	struct pm_agent *agent = job->machine->agent;
	bool held = agent->jobs_held;
	char copy[256];

	pm_text_format(copy, sizeof(copy), "%s", text);
	agent->jobs_held = true; /* those behind it in a batch begin when it has ended */
	if (job->run) {
		pm_poll_fast(job->machine, false);
		pm_state_transition(job->machine, 0);
		pm_job_let_go(job);
	}
	agent->jobs_held = held;
	end_row(job, result, copy);
	if (job->state != PM_JOB_SUCCEEDED)
		agent->jobs_failed++;
	tell_end(job);
	pm_group_record_count(agent, job->group, job->state == PM_JOB_SUCCEEDED);
	pm_job_changed_shortly(job);
	if (job->leaves && !job->set)
		pm_job_remove(job);
	else
		pm_job_retain(job, pm_steady_ms(agent));
	pm_jobs_pump(agent);
}

/* --- by their steps --------------------------------------------------------------------------- */

/* Its alternative was tried, and has failed, too. */
static bool is_replaced(const struct pm_job *job, unsigned index)
{
	const struct pm_step *next = &job->steps[index] + 1;

	return index + 1 < job->step_count && next->alternative && pm_step_has_failed(next);
}

/* Of those that nothing took the place of, the one that failed first. NULL: none. */
static const struct pm_step *first_failed(const struct pm_job *job)
{
	const struct pm_step *first = NULL;

	for (unsigned i = 0; i < job->step_count; i++) {
		const struct pm_step *step = &job->steps[i];

		if (pm_step_has_failed(step) && !is_replaced(job, i) &&
		    !pm_order_is_done(&job->run->order, i) && (!first || step->end_ms < first->end_ms))
			first = step;
	}
	return first;
}

/* The last that was begun, and not one that was not needed. */
static const struct pm_step *last_done(const struct pm_job *job)
{
	const struct pm_step *last = NULL;

	for (unsigned i = 0; i < job->step_count; i++)
		if (job->steps[i].state == PM_JOB_SUCCEEDED && job->steps[i].start_ms &&
		    !(last && pm_step_adds_nothing(last, &job->steps[i])))
			last = &job->steps[i];
	return last;
}

static enum pm_result good_result(const struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++)
		if (job->steps[i].result == PM_RESULT_OK)
			return PM_RESULT_OK;
	return PM_RESULT_ALREADY_IN_STATE;
}

static void describe_result(const struct pm_job *job, bool good, const struct pm_step *step, char *text,
			    size_t size)
{
	if (job->run->refused)
		pm_text_format(text, size, "%s", job->run->refusal);
	else if (!pm_job_has_stack(job) || !step)
		pm_text_format(text, size, "%s", step && step->text ? step->text : "");
	else if (good)
		pm_job_summarize_success(job, text, size);
	else
		pm_job_summarize_failure(job, step, text, size);
}

static const struct pm_step *last_begun(const struct pm_job *job)
{
	const struct pm_step *last = NULL;

	for (unsigned i = 0; i < job->step_count; i++)
		if (pm_step_has_ended(&job->steps[i]) && job->steps[i].start_ms)
			last = &job->steps[i];
	return last;
}

/* What has not begun is no longer to be: whether that lacks anything. Who has restarted need not be switched on. */
static bool lacks_nothing(const struct pm_job *job)
{
	const struct pm_step *done = last_done(job);

	for (unsigned i = 0; i < job->step_count; i++) {
		const struct pm_step *step = &job->steps[i];

		if (!pm_step_has_ended(step) && !step->alternative &&
		    !(done && done->action == PM_STEP_HOST_REBOOT && step->action == PM_STEP_BMC_POWER_UP))
			return false;
	}
	return true;
}

/* Only that was looked at which had been agreed to; how it ends. */
static enum pm_result describe_overdue(const struct pm_job *job, const struct pm_step *step, char *text,
				       size_t size)
{
	bool ends = pm_step_has_failed(step) || lacks_nothing(job);
	const char *how = step->text ? step->text : "";

	pm_text_format(
	    text, size, "%s%s",
	    ends ? "" : "the agent was away until the time for it was over, and nothing more was begun: ",
	    how);
	return ends ? step->result : PM_RESULT_INTERRUPTED;
}

void pm_job_finish_steps(struct pm_job *job)
{
	bool good = job->run->order.left == 0;
	const struct pm_step *step = good                ? last_done(job)
				     : job->run->overdue ? last_begun(job)
							 : first_failed(job);
	enum pm_result result = good ? good_result(job) : step ? step->result : PM_RESULT_INTERNAL_ERROR;
	char text[256];

	if (job->run->refused)
		result = job->run->refused == -ENOMEM ? PM_RESULT_INTERNAL_ERROR : PM_RESULT_REJECTED;
	if (job->run->overdue && !good && step)
		result = describe_overdue(job, step, text, sizeof(text));
	else
		describe_result(job, good, step, text, sizeof(text));
	pm_job_finish(job, result, text);
}

void pm_job_finish_dry(struct pm_job *job)
{
	char text[128], alternatives[64] = "";
	unsigned count = 0;

	for (unsigned i = 0; i < job->step_count; i++)
		count += job->steps[i].alternative;
	if (count)
		snprintf(alternatives, sizeof(alternatives), ", %u of them only when another fails", count);
	snprintf(text, sizeof(text), "dry run: %u step%s%s; nothing was done", job->step_count,
		 job->step_count == 1 ? "" : "s", alternatives);
	pm_job_finish(job, PM_RESULT_OK, text);
}

/* --- aborted ---------------------------------------------------------------------------------- */

/* What had been sent stays sent. */
void pm_job_abort_job(struct pm_job *job, const char *why)
{
	char text[400], done[256];

	if (job->run && job->list == &job->machine->agent->jobs_running) {
		pm_job_describe_end(job, done, sizeof(done));
		pm_steps_end(job, PM_RESULT_ABORTED);
	} else {
		snprintf(done, sizeof(done), "nothing had been sent");
	}
	snprintf(text, sizeof(text), "%s; %s", why, done);
	pm_job_finish(job, PM_RESULT_ABORTED, text);
}

void pm_job_abort(struct pm_machine *machine, const char *why)
{
	if (pm_job_is_active(machine))
		pm_job_abort_job(machine->job, why);
}

void pm_jobs_inhibited(struct pm_agent *agent)
{
	struct pm_error err = {""};
	bool held = agent->jobs_held;

	agent->jobs_held = true; /* what ends must not start others that end next */
	for (size_t i = 0; i < agent->machine_count; i++) {
		struct pm_machine *machine = agent->machines[i];

		if (machine->job && machine->job->state == PM_JOB_SCHEDULED &&
		    pm_job_check_inhibit(machine, &err) < 0)
			pm_job_finish(machine->job, PM_RESULT_ABORTED, err.text);
	}
	agent->jobs_held = held;
	pm_jobs_pump(agent);
}
