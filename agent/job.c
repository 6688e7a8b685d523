/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a job: accepted, waits, begins, ends. */
#include "agent/job.h"

#include "agent/event.h"
#include "agent/flush.h"
#include "agent/group_record.h"
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/notify.h"
#include "agent/poll.h"
#include "agent/state.h"
#include "agent/steady.h"
#include "agent/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX           16384
#define IDENTIFY_INTERVAL_S 15
#define TIMEOUT_DEFAULT_S   600
#define TIMEOUT_MARGIN_S    60 /* of a verb, beside what its steps may take */
#define TIMEOUT_MAX_S       86400
#define VM_TIMEOUT_S        180

/* --- what is asked for ------------------------------------------------------------------------ */

void pm_job_spec_defaults(struct pm_job_spec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->action = PM_COMMAND_NONE;
	spec->scope = PM_SCOPE_STACK;
	spec->force = PM_FORCE_NEVER;
	spec->timeout_s = TIMEOUT_DEFAULT_S;
	spec->vm_timeout_s = VM_TIMEOUT_S;
	spec->storage = PM_STORAGE_NON_VOLATILE;
}

struct pm_job_request pm_job_request_of(struct pm_machine *machine, enum pm_command action,
					enum pm_origin origin)
{
	struct pm_job_request request = {.machine = machine, .action = action, .origin = origin};

	if (action == PM_COMMAND_IDENTIFY)
		request.setting = (struct pm_bmc_setting){
		    .command = IPMI_CHASSIS_IDENTIFY,
		    .identify = {.mode = IPMI_IDENTIFY_TIMED, .interval_s = IDENTIFY_INTERVAL_S}};
	return request;
}

static bool is_graceful(enum pm_command action)
{
	return action == PM_COMMAND_SHUTDOWN || action == PM_COMMAND_REBOOT || action == PM_COMMAND_SUSPEND ||
	       action == PM_COMMAND_HIBERNATE;
}

static struct pm_job_spec spec_of(const struct pm_job_request *request)
{
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = request->action;
	spec.scope = is_graceful(request->action) ? PM_SCOPE_STACK_AND_MACHINE : PM_SCOPE_MACHINE;
	spec.nic = request->nic;
	spec.setting = request->setting;
	return spec;
}

static uint32_t timeout_of(const struct pm_step *steps, int count)
{
	uint32_t sum_s = TIMEOUT_MARGIN_S;

	for (int i = 0; i < count; i++)
		sum_s += steps[i].timeout_s;
	return sum_s < TIMEOUT_DEFAULT_S ? TIMEOUT_DEFAULT_S : sum_s > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : sum_s;
}

static bool same_setting(const struct pm_bmc_setting *a, const struct pm_bmc_setting *b)
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

/*
 * The same verb, whichever object it was SET by, by the same way: powerOn may go by the BMC or by a NIC. Not one that
 * waits for its delay: who asks now does not mean then.
 */
static bool same(const struct pm_job *job, const struct pm_job_spec *spec, const struct pm_step *first)
{
	const struct pm_machine *machine = job->machine;

	if (!job->steps || job->spec.action != spec->action || job->steps[0].action != first->action ||
	    !same_setting(&job->spec.setting, &spec->setting) || job->list == &machine->agent->jobs_delayed)
		return false;
	return first->action != PM_STEP_WAKE_SEND ||
	       (job->spec.wol_addr_length == spec->wol_addr_length &&
		pm_plan_nic(machine, job->spec.nic) == pm_plan_nic(machine, spec->nic));
}

/* --- accept ----------------------------------------------------------------------------------- */

int pm_job_check_inhibit(const struct pm_machine *machine, struct pm_error *err)
{
	if (machine->agent->inhibit)
		return pm_fail(err, EPERM, "all actions are inhibited (pmAgentInhibit)");
	if (machine->inhibit)
		return pm_fail(err, EPERM, "machine %s is inhibited: %s", machine->config->name,
			       *machine->inhibit_reason ? machine->inhibit_reason : "no reason given");
	return 0;
}

int pm_job_check_free(const struct pm_machine *machine, struct pm_error *err)
{
	const struct pm_agent *agent = machine->agent;
	char busy[160];
	int error;

	if (machine->job) {
		pm_job_describe_busy(machine->job, busy, sizeof(busy));
		return pm_fail(
		    err, EBUSY,
		    "machine %s is busy: %s: wait for its end, or abort it (pmJobAdminStatus disabled)",
		    machine->config->name, busy);
	}
	error = pm_job_check_inhibit(machine, err);
	if (error)
		return error;
	if (pm_jobs_active(agent) + agent->jobs_reserved >= QUEUE_MAX)
		return pm_fail(err, ENOSPC, "%d jobs wait already", QUEUE_MAX);
	return 0;
}

static void on_clock(void *data)
{
	struct pm_job *job = data;
	struct pm_agent *agent = job->machine->agent;

	if (job->list == &agent->jobs_running) {
		pm_action_over(job);
	} else {
		pm_job_take_out(job);
		pm_job_append(&agent->jobs_waiting, job);
		pm_jobs_pump(agent);
	}
}

int pm_job_hold(struct pm_job *job, struct pm_error *err)
{
	struct pm_machine *machine = job->machine;
	struct pm_job_run *run = calloc(1, sizeof(*run));

	if (!run || !(run->clock = pm_timer_new(machine->agent->loop, on_clock, job)) ||
	    !(run->timer = pm_action_timer(job))) {
		pm_timer_free(run ? run->clock : NULL);
		free(run);
		return pm_fail(err, ENOMEM, "no memory for a job");
	}
	run->job = job;
	run->reserved = true;
	machine->agent->jobs_reserved++;
	machine->job = job;
	job->run = run;
	return 0;
}

void pm_job_let_go(struct pm_job *job)
{
	struct pm_job_run *run = job->run;
	struct pm_agent *agent = job->machine->agent;

	if (!run)
		return;
	pm_action_stop(job);
	pm_gate_leave(run);
	pm_job_promise(job, false);
	if (job->list)
		pm_job_take_out(job);
	if (run->reserved)
		agent->jobs_reserved--;
	if (job->machine->job == job)
		job->machine->job = NULL;
	agent->changes++;
	if (run->batch)
		pm_batch_left(job);
	pm_timer_free(run->clock);
	pm_timer_free(run->timer);
	free(run);
	job->run = NULL;
}

static struct pm_job *new_job(const struct pm_job_request *request, const struct pm_job_spec *spec,
			      const struct pm_step *steps, int count, struct pm_error *err)
{
	struct pm_job *job = pm_job_new(request->machine, "", NULL);
	unsigned history_s = request->machine->agent->inventory->agent.history_s;

	if (!job || pm_job_take_steps(job, steps, (unsigned)count) < 0 || pm_job_hold(job, err) < 0) {
		if (job)
			pm_job_free(job);
		pm_error_set(err, "no memory for a job");
		return NULL;
	}
	job->origin = request->origin;
	job->spec = *spec;
	job->spec.timeout_s = timeout_of(steps, count);
	job->retain_s = history_s < PM_JOB_RETAIN_MAX_S ? history_s : PM_JOB_RETAIN_MAX_S;
	job->row_status = PM_ROW_ACTIVE;
	return job;
}

int pm_job_reserve(const struct pm_job_request *request, struct pm_job **out, struct pm_error *err)
{
	struct pm_machine *machine = request->machine;
	const struct pm_job_spec spec = spec_of(request);
	struct pm_step steps[PM_STEPS_MAX];
	int count = pm_plan(machine, &spec, request->origin == PM_ORIGIN_CHASSIS_CONTROL, steps, err);
	int error;

	*out = NULL;
	if (count > 0 && machine->job && same(machine->job, &spec, steps))
		return 0;
	if (count < 0)
		return count;
	error = pm_job_check_free(machine, err);
	if (error)
		return error;
	*out = new_job(request, &spec, steps, count, err);
	return *out ? 0 : -ENOMEM;
}

/* --- journal ---------------------------------------------------------------------------------- */

bool pm_job_may_begin(const struct pm_job *job)
{
	const struct pm_agent *agent = job->machine->agent;

	return !job->not_before_ms && !agent->jobs_held && !agent->stopping && !agent->jobs_waiting.first &&
	       agent->jobs_running.count + agent->jobs->promised < agent->job_max_concurrent &&
	       pm_job_check_inhibit(job->machine, NULL) == 0;
}

void pm_job_promise(struct pm_job *job, bool promised)
{
	struct pm_jobs *jobs = job->machine->agent->jobs;

	if (promised && !job->run->promised)
		jobs->promised++;
	else if (!promised && job->run->promised)
		jobs->promised--;
	job->run->promised = promised;
}

/* What begins at once is written as begun: then nothing is to be written before it acts. */
int pm_job_journal(struct pm_job *job, struct pm_error *err)
{
	bool begins = pm_job_may_begin(job);
	int error;

	if (!job->created_ms)
		job->created_ms = pm_steady_ms(job->machine->agent);
	error = pm_job_write_accepted(job, begins, err);
	if (error)
		return error;
	if (!*job->name)
		pm_job_name_it(job);
	pm_job_promise(job, begins);
	return 0;
}

/* The journal has it as begun: it acts without being written once more, if it begins now. */
static void keep_promise(struct pm_job *job)
{
	if (!job->run->promised)
		return;
	pm_job_promise(job, false);
	job->run->written = true;
	job->machine->agent->jobs->kept = true;
}

/* Who has not begun after all, for there was less room than was promised: the journal has to know. */
static void take_promises_back(struct pm_agent *agent)
{
	if (!agent->jobs->kept)
		return;
	agent->jobs->kept = false;
	for (struct pm_job *job = agent->jobs_waiting.first; job; job = job->next) {
		if (!job->run->written)
			continue;
		job->run->written = false;
		job->steps_changed = true;
		pm_job_changed_now(job);
	}
}

void pm_job_accept(struct pm_job *job)
{
	struct pm_agent *agent = job->machine->agent;

	job->run->reserved = false;
	agent->jobs_reserved--;
	agent->changes++;
	job->state = PM_JOB_SCHEDULED;
	for (unsigned i = 0; i < job->step_count; i++)
		job->steps[i].state = PM_JOB_SCHEDULED;
	if (!job->listed)
		pm_job_insert(job);
	keep_promise(job);
}

void pm_job_enqueue(struct pm_job *job)
{
	struct pm_agent *agent = job->machine->agent;
	int64_t delay_ms = job->not_before_ms - pm_steady_ms(agent);

	if (job->state == PM_JOB_SCHEDULED && delay_ms > 0) {
		pm_job_append(&agent->jobs_delayed, job);
		pm_timer_start(job->run->clock, (uint64_t)delay_ms);
	} else {
		pm_job_append(&agent->jobs_waiting, job);
		pm_jobs_pump(agent);
	}
}

void pm_job_release(struct pm_job *job)
{
	pm_job_accept(job);
	pm_job_enqueue(job);
}

void pm_job_cancel(struct pm_job *job)
{
	struct pm_agent *agent = job->machine->agent;
	bool written = job->id != 0;

	pm_job_remove(job);
	if (written)
		pm_flush(agent); /* or it would be done after a crash */
}

/* --- begin ------------------------------------------------------------------------------------ */

static void notify_job(const struct pm_job *job, enum pm_notification_type type, uint32_t event)
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

static enum pm_power_state transition_of(const struct pm_job *job)
{
	switch (job->spec.action) {
	case PM_COMMAND_POWER_ON:
	case PM_COMMAND_WAKE:
		return job->machine->observed == PM_POWER_ON ? 0 : PM_POWER_POWERING_ON;
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_SOFT_OFF:
	case PM_COMMAND_SHUTDOWN:
		return job->machine->observed == PM_POWER_OFF ? 0 : PM_POWER_POWERING_OFF;
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_REBOOT:
		return PM_POWER_RESTARTING;
	default:
		return 0;
	}
}

/* begin_ms is written with what tells of the begin: without it, it has not been told. */
void pm_job_tell_begin(struct pm_job *job, int64_t begin_ms)
{
	uint32_t event = pm_event_add(job->machine, PM_EVENT_JOB_STARTED, PM_SEVERITY_OK, "job %s: %s begins",
				      pm_job_title(job), pm_job_what(job));

	job->begin_ms = begin_ms;
	notify_job(job, PM_NOTIFY_JOB_STARTED, event);
	pm_job_changed(job);
}

static void start_deadline(struct pm_job *job)
{
	int64_t left_ms =
	    job->not_before_ms + (int64_t)job->spec.timeout_s * 1000 - pm_steady_ms(job->machine->agent);

	pm_timer_start(job->run->clock, left_ms > 0 ? (uint64_t)left_ms : 0);
}

static void start(struct pm_job *job)
{
	struct pm_agent *agent = job->machine->agent;

	pm_job_take_out(job);
	if (job->run->batch)
		pm_batch_begun(job);
	pm_job_append(&agent->jobs_running, job);
	if (job->state == PM_JOB_SCHEDULED) {
		job->not_before_ms = pm_steady_ms(agent);
		job->state = PM_JOB_RUNNING;
		pm_job_changed(job);
	}
	agent->jobs_started++;
	if (!job->begin_ms)
		pm_job_tell_begin(job, pm_time_ms());
	start_deadline(job);
	pm_state_transition(job->machine, transition_of(job));
	pm_action_start(job);
}

/* Inhibited is looked at once more: a SET may inhibit and start at the same time. */
static void start_if_possible(struct pm_job *job)
{
	struct pm_error err = {""};

	if (job->state == PM_JOB_SCHEDULED && pm_job_check_inhibit(job->machine, &err) < 0)
		pm_job_finish(job, PM_RESULT_ABORTED, err.text);
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
	       agent->jobs_running.count + agent->jobs->promised < agent->job_max_concurrent)
		start_if_possible(agent->jobs_waiting.first);
	take_promises_back(agent);
	agent->jobs_held = false;
}

bool pm_job_is_active(const struct pm_machine *machine)
{
	return pm_job_at_work(machine->job);
}

unsigned pm_jobs_active(const struct pm_agent *agent)
{
	return agent->jobs_delayed.count + agent->jobs_staggered + agent->jobs_waiting.count +
	       agent->jobs_running.count;
}

void pm_job_observed(struct pm_machine *machine, enum pm_state_source asked)
{
	if (machine->job && machine->job->list == &machine->agent->jobs_running)
		pm_action_observed(machine->job, asked);
}

static bool is_repeatable(const struct pm_job *job)
{
	switch (job->spec.action) {
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

/* To be off is no wish of a reboot: done a second time it would be a second reboot. To be on again is one. */
bool pm_step_is_repeatable(const struct pm_job *job, const struct pm_step *step)
{
	return !step->momentary &&
	       (is_repeatable(job) || (job->spec.action == PM_COMMAND_REBOOT && step->goal == PM_POWER_ON));
}

/* --- end -------------------------------------------------------------------------------------- */

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

void pm_step_begun(struct pm_job *job, struct pm_step *step)
{
	step->state = PM_JOB_RUNNING;
	step->start_ms = pm_time_ms();
	set_step_text(step, NULL);
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
	pm_job_changed(job);
}

/* As in a dry run, where the text is that of the plan. */
static void not_begun(const struct pm_job *job, struct pm_step *step)
{
	step->state = PM_JOB_NOT_READY;
	step->changed = true;
	if (!job->spec.dry_run)
		set_step_text(step, "not begun");
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
			not_begun(job, step);
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
	event = pm_event_add(job->machine, good ? PM_EVENT_JOB_FINISHED : PM_EVENT_JOB_FAILED,
			     severity_of(job), "job %s: %s: %s: %s", pm_job_title(job), pm_job_what(job),
			     pm_result_name(job->result), pm_job_text(job));
	notify_job(job, good ? PM_NOTIFY_JOB_FINISHED : PM_NOTIFY_JOB_FAILED, event);
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

/* What had been sent stays sent. */
void pm_job_abort_job(struct pm_job *job, const char *why)
{
	char text[400], done[256];

	if (job->run && job->list == &job->machine->agent->jobs_running)
		pm_action_describe_end(job, done, sizeof(done));
	else
		snprintf(done, sizeof(done), "nothing had been sent");
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

/* --- the agent starts, reloads and stops ------------------------------------------------------ */

int pm_jobs_open(struct pm_agent *agent)
{
	struct pm_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs || !(jobs->due_timer = pm_timer_new(agent->loop, pm_jobs_expire, jobs))) {
		free(jobs);
		return -ENOMEM;
	}
	jobs->agent = agent;
	agent->jobs = jobs;
	pm_steady_start(agent);
	return 0;
}

void pm_jobs_close(struct pm_agent *agent)
{
	struct pm_jobs *jobs = agent->jobs;
	struct pm_job *job;

	if (!jobs)
		return;
	while ((job = jobs->changed) != NULL) { /* removed: all others are gone with their machines */
		jobs->changed = job->next_changed;
		pm_job_free_removed(job);
	}
	pm_group_records_free(agent);
	pm_timer_free(jobs->due_timer);
	free(jobs->due);
	free(jobs);
	agent->jobs = NULL;
}

void pm_jobs_stop(struct pm_agent *agent)
{
	pm_batches_dissolve(agent);
	while (agent->jobs_delayed.first)
		pm_job_let_go(agent->jobs_delayed.first);
	while (agent->jobs_waiting.first)
		pm_job_let_go(agent->jobs_waiting.first);
	while (agent->jobs_running.first)
		pm_job_let_go(agent->jobs_running.first);
}
