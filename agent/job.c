/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a job: accepted, waits, begins. */
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
#include "agent/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX           16384
#define IDENTIFY_INTERVAL_S 15
#define TIMEOUT_DEFAULT_S   600
#define TIMEOUT_MAX_S       86400
#define VM_TIMEOUT_S        180
#define OVERDUE_MS          60000 /* to find out what became of what was agreed to */

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

/* By itself it goes by the stack. */
static bool is_graceful(enum pm_command action)
{
	return action == PM_COMMAND_SHUTDOWN || action == PM_COMMAND_REBOOT || action == PM_COMMAND_SUSPEND ||
	       action == PM_COMMAND_HIBERNATE || action == PM_COMMAND_INIT;
}

static struct pm_job_spec spec_of(const struct pm_job_request *request)
{
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = request->action;
	spec.scope = request->scope                 ? request->scope
		     : is_graceful(request->action) ? PM_SCOPE_STACK_AND_MACHINE
						    : PM_SCOPE_MACHINE;
	spec.timeout_s = 0;
	spec.vm_timeout_s = request->machine->vm_timeout_s;
	spec.vm = request->vm;
	spec.nic = request->nic;
	spec.setting = request->setting;
	return spec;
}

static uint32_t timeout_of(const struct pm_plan *plan)
{
	return plan->timeout_s < TIMEOUT_DEFAULT_S ? TIMEOUT_DEFAULT_S
	       : plan->timeout_s > TIMEOUT_MAX_S   ? TIMEOUT_MAX_S
						   : plan->timeout_s;
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

/* Scope is not used for a VM, where there is no stack, and by what does not take anything down. */
static bool same_extent(const struct pm_job *job, const struct pm_job_spec *spec)
{
	bool has_scope = is_graceful(spec->action) || spec->action == PM_COMMAND_POWER_OFF ||
			 spec->action == PM_COMMAND_CYCLE || spec->action == PM_COMMAND_RESET;

	return job->spec.vm == spec->vm &&
	       (spec->vm || !has_scope || pm_job_is_plain(job) || job->spec.scope == spec->scope);
}

/* Not one that waits for its delay: who asks now does not mean then. */
static bool asks_the_same(const struct pm_job *job, const struct pm_job_spec *spec)
{
	bool same_level = spec->action != PM_COMMAND_INIT || job->spec.init_level == spec->init_level;

	return job->steps && job->spec.action == spec->action && same_level && same_extent(job, spec) &&
	       same_setting(&job->spec.setting, &spec->setting) &&
	       job->list != &job->machine->agent->jobs_delayed;
}

static const struct pm_step *find_step(const struct pm_step *steps, unsigned count,
				       enum pm_step_action action)
{
	for (unsigned i = 0; i < count; i++)
		if (steps[i].action == action)
			return &steps[i];
	return NULL;
}

static bool same_nic(const struct pm_job *job, const struct pm_job_spec *spec)
{
	return job->spec.wol_addr_length == spec->wol_addr_length &&
	       pm_plan_nic(job->machine, job->spec.nic) == pm_plan_nic(job->machine, spec->nic);
}

/*
 * The same verb, whichever object it was SET by, by the same way: powerOn may go by the BMC or by a NIC. How far the job has
 * come meanwhile, and so what it would begin with now, is nothing to that.
 */
static bool same(const struct pm_job *job, const struct pm_job_spec *spec, const struct pm_plan *plan)
{
	bool wakes = find_step(job->steps, job->step_count, PM_STEP_WAKE_SEND) != NULL;

	if (!asks_the_same(job, spec))
		return false;
	if (find_step(plan->steps, plan->count, PM_STEP_WAKE_SEND))
		return wakes && same_nic(job, spec);
	return !wakes || !find_step(plan->steps, plan->count, PM_STEP_BMC_POWER_UP);
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
		pm_steps_over(job);
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

	if (!run || !(run->clock = pm_timer_new(machine->agent->loop, on_clock, job))) {
		free(run);
		return pm_fail(err, ENOMEM, "no memory for a job");
	}
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
	pm_steps_free(job);
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
	free(run);
	job->run = NULL;
}

static struct pm_job *new_job(const struct pm_job_request *request, const struct pm_job_spec *spec,
			      struct pm_plan *plan, struct pm_error *err)
{
	struct pm_job *job = pm_job_new(request->machine, "", NULL);
	unsigned history_s = request->machine->agent->inventory->agent.history_s;

	if (!job || pm_job_hold(job, err) < 0) {
		if (job)
			pm_job_free(job);
		pm_error_set(err, "no memory for a job");
		return NULL;
	}
	job->origin = request->origin;
	job->spec = *spec;
	job->spec.timeout_s = timeout_of(plan);
	pm_job_take_steps(job, plan);
	job->retain_s = history_s < PM_JOB_RETAIN_MAX_S ? history_s : PM_JOB_RETAIN_MAX_S;
	job->row_status = PM_ROW_ACTIVE;
	return job;
}

static int reserve_planned(const struct pm_job_request *request, const struct pm_job_spec *spec,
			   struct pm_plan *plan, struct pm_job **out, struct pm_error *err)
{
	struct pm_machine *machine = request->machine;
	int error;

	if (machine->job && same(machine->job, spec, plan))
		return 0;
	error = pm_job_check_free(machine, err);
	if (error)
		return error;
	*out = new_job(request, spec, plan, err);
	return *out ? 0 : -ENOMEM;
}

/* In the middle of it there may be no plan for it: a VM that reboots is off for a moment. */
static bool is_under_way(const struct pm_machine *machine, const struct pm_job_spec *spec)
{
	bool by_one_way = spec->action != PM_COMMAND_POWER_ON && spec->action != PM_COMMAND_WAKE;

	return machine->job && !pm_job_is_plain(machine->job) && by_one_way &&
	       asks_the_same(machine->job, spec);
}

int pm_job_reserve(const struct pm_job_request *request, struct pm_job **out, struct pm_error *err)
{
	const struct pm_job_spec spec = spec_of(request);
	struct pm_plan plan;
	int error;

	*out = NULL;
	if (is_under_way(request->machine, &spec))
		return 0;
	error = pm_plan(request->machine, &spec, request->origin == PM_ORIGIN_CHASSIS_CONTROL, &plan, err);
	if (error)
		return error;
	error = reserve_planned(request, &spec, &plan, out, err);
	pm_plan_free(&plan);
	return error;
}

/* --- journal ---------------------------------------------------------------------------------- */

bool pm_job_is_careful(const struct pm_job *job)
{
	return job->machine->config->hypervisor_count && pm_spec_is_graceful(&job->spec);
}

struct pm_job_spec pm_job_plan_spec(const struct pm_job *job)
{
	struct pm_job_spec spec = job->spec;

	if (job->origin != PM_ORIGIN_TABLE)
		spec.timeout_s = 0;
	return spec;
}

bool pm_job_is_plain(const struct pm_job *job)
{
	return job->machine->config->hypervisor_count == 0;
}

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
	pm_jobs_pump(agent);     /* there is the room that it was promised */
}

/* --- begin ------------------------------------------------------------------------------------ */

static enum pm_power_state init_transition(const struct pm_job *job)
{
	bool off = job->machine->observed == PM_POWER_OFF;

	return job->spec.init_level == 0 && !off ? PM_POWER_POWERING_OFF
	       : job->spec.init_level == 6       ? PM_POWER_RESTARTING
						 : 0;
}

enum pm_power_state pm_job_transition(const struct pm_job *job)
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
	case PM_COMMAND_INIT:
		return init_transition(job);
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
	pm_job_notify(job, PM_NOTIFY_JOB_STARTED, event);
	pm_job_changed(job);
}

static void start_deadline(struct pm_job *job)
{
	int64_t left_ms =
	    job->not_before_ms + (int64_t)job->spec.timeout_s * 1000 - pm_steady_ms(job->machine->agent);

	if (job->run->overdue && left_ms < OVERDUE_MS)
		left_ms = OVERDUE_MS;
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
	if (job->spec.vm)
		pm_job_note_vm_result(job, PM_RESULT_NONE, "");
	start_deadline(job);
	if (pm_job_is_plain(job))
		pm_state_transition(job->machine, pm_job_transition(job));
	pm_steps_start(job);
}

/* What it was to do may be something else by now: VMs have come and gone while it waited. */
static int plan_anew(struct pm_job *job, struct pm_error *err)
{
	const struct pm_job_spec spec = pm_job_plan_spec(job);
	struct pm_plan plan;
	int error;

	if (pm_job_is_plain(job) || job->run->written || job->run->resumed)
		return 0;
	error = pm_plan(job->machine, &spec, job->origin == PM_ORIGIN_CHASSIS_CONTROL, &plan, err);
	if (error)
		return error;
	if (!spec.timeout_s)
		job->spec.timeout_s = timeout_of(&plan);
	pm_job_take_steps(job, &plan);
	for (unsigned i = 0; i < job->step_count; i++)
		job->steps[i].state = PM_JOB_SCHEDULED;
	pm_job_changed(job);
	return 0;
}

static void start_or_refuse(struct pm_job *job)
{
	struct pm_error err = {""};
	int error = job->state == PM_JOB_SCHEDULED ? plan_anew(job, &err) : 0;

	if (error)
		pm_job_finish(job, error == -ENOMEM ? PM_RESULT_INTERNAL_ERROR : PM_RESULT_REJECTED,
			      err.text);
	else
		start(job);
}

/* Inhibited is looked at once more: a SET may inhibit and start at the same time. */
static void start_if_possible(struct pm_job *job)
{
	struct pm_error err = {""};

	if (job->state == PM_JOB_SCHEDULED && pm_job_check_inhibit(job->machine, &err) < 0)
		pm_job_finish(job, PM_RESULT_ABORTED, err.text);
	else
		start_or_refuse(job);
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

static struct pm_job *running_job(const struct pm_machine *machine)
{
	return machine->job && machine->job->list == &machine->agent->jobs_running ? machine->job : NULL;
}

void pm_job_observed(struct pm_machine *machine, enum pm_state_source asked)
{
	if (running_job(machine))
		pm_steps_observed(machine->job, asked);
}

void pm_job_vm_observed(struct pm_vm *vm)
{
	if (running_job(vm->machine))
		pm_steps_vm_observed(vm->machine->job, vm);
}

void pm_job_vm_gone(struct pm_machine *machine, uint32_t vm, const char *why)
{
	if (running_job(machine))
		pm_steps_vm_gone(machine->job, vm, why);
}

void pm_job_hypervisor_observed(struct pm_hypervisor *hypervisor)
{
	if (running_job(hypervisor->machine))
		pm_steps_hypervisor_observed(hypervisor->machine->job);
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
	if (pm_step_is_of_host(step))
		return pm_host_step_is_repeatable(step);
	return !step->momentary && (pm_step_is_of_vm(step) || is_repeatable(job) ||
				    (job->spec.action == PM_COMMAND_REBOOT && step->goal == PM_POWER_ON));
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
