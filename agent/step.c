/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The running of steps: each begins when all that it waits for has ended well, waits until the journal has it, acts, and
 * ends; one that fails is replaced by its alternative, or holds back what waits for it, and nothing else.
 */
#include "agent/step.h"

#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/state.h"
#include "agent/vm.h"

#include <stdio.h>
#include <stdlib.h>

#define HURRY_MS 1500

static void go_on(struct pm_job *job);

struct pm_step *pm_step_of(const struct pm_step_run *run)
{
	return &run->job->steps[run->index];
}

uint64_t pm_step_now(const struct pm_step_run *run)
{
	return uv_now(run->job->machine->agent->loop);
}

uint64_t pm_step_left_ms(const struct pm_step_run *run)
{
	uint64_t timeout_ms = (uint64_t)pm_step_of(run)->timeout_s * 1000;
	uint64_t gone_ms = pm_step_now(run) - run->begun_ms;

	return gone_ms < timeout_ms ? timeout_ms - gone_ms : 0;
}

static const struct pm_step_kind *kind_of(const struct pm_step *step)
{
	if (pm_step_is_of_vm(step))
		return &pm_step_vm;
	if (pm_step_is_of_host(step))
		return &pm_step_host;
	switch (step->action) {
	case PM_STEP_HYPERVISOR_CONNECT:
		return &pm_step_connect;
	case PM_STEP_STATE_WAIT:
		return &pm_step_nothing;
	case PM_STEP_WAKE_SEND:
		return &pm_step_wake;
	default:
		return &pm_step_bmc;
	}
}

bool pm_step_is_of_vm(const struct pm_step *step)
{
	return step->action >= PM_STEP_VM_START && step->action <= PM_STEP_VM_SAVE;
}

static bool is_of_machine(const struct pm_step *step)
{
	return step->action > PM_STEP_HYPERVISOR_CONNECT && step->action != PM_STEP_STATE_WAIT;
}

bool pm_job_has_stack(const struct pm_job *job)
{
	for (unsigned i = 0; i < job->step_count; i++)
		if (!is_of_machine(&job->steps[i]))
			return true;
	return false;
}

void pm_step_hurry(const struct pm_step_run *run)
{
	struct pm_job_run *all = run->job->run;
	uint64_t now_ms = pm_step_now(run);

	if (all->hurried_ms && now_ms - all->hurried_ms < HURRY_MS)
		return;
	all->hurried_ms = now_ms;
	pm_stack_hurry(run->job->machine);
}

/* --- those that run --------------------------------------------------------------------------- */

static void link_run(struct pm_step_run *run)
{
	struct pm_job_run *all = run->job->run;

	run->previous = all->last;
	if (all->last)
		all->last->next = run;
	else
		all->first = run;
	all->last = run;
	all->running++;
}

static void unlink_run(struct pm_step_run *run)
{
	struct pm_job_run *all = run->job->run;

	if (run->previous)
		run->previous->next = run->next;
	else
		all->first = run->next;
	if (run->next)
		run->next->previous = run->previous;
	else
		all->last = run->previous;
	all->running--;
	all->parked -= run->parked;
}

static void stop_run(struct pm_step_run *run)
{
	pm_timer_stop(run->timer);
	pm_step_stop_looking(run);
	if (run->kind->stop)
		run->kind->stop(run);
}

static void free_run(struct pm_step_run *run)
{
	stop_run(run);
	if (run->kind->leave)
		run->kind->leave(run);
	pm_gate_leave(run);
	unlink_run(run);
	pm_timer_free(run->timer);
	free(run);
}

void pm_steps_stop(struct pm_job *job)
{
	for (struct pm_step_run *run = job->run->first; run; run = run->next)
		stop_run(run);
}

void pm_steps_free(struct pm_job *job)
{
	struct pm_machine *machine = job->machine;

	while (job->run->first)
		free_run(job->run->first);
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		machine->hypervisors[i].steps = 0;
	pm_order_free(&job->run->order);
}

/* The job verifies while all that runs does. */
static void note_job_state(struct pm_job *job)
{
	enum pm_job_state state = PM_JOB_VERIFYING;

	for (const struct pm_step_run *run = job->run->first; run; run = run->next)
		if (pm_step_of(run)->state != PM_JOB_VERIFYING)
			state = PM_JOB_RUNNING;
	if (job->run->first)
		job->state = state;
}

/* --- the end of a step ------------------------------------------------------------------------ */

static bool has_alternative(const struct pm_job *job, unsigned index)
{
	return index + 1 < job->step_count && job->steps[index + 1].alternative;
}

/* No alternative of it is needed, or to be tried: neither now nor after a restart. */
static void drop_alternatives(struct pm_job *job, unsigned index, bool done)
{
	while (has_alternative(job, index)) {
		struct pm_step *step = &job->steps[++index];

		if (done)
			pm_step_ended(job, step, PM_RESULT_ALREADY_IN_STATE, "not needed");
		else
			pm_step_not_begun(job, step);
	}
}

/* What follows may take long, but the machine is where it was to be. */
static void end_transition(const struct pm_job *job, const struct pm_step *done)
{
	if (pm_job_is_plain(job) || !is_of_machine(done))
		return;
	for (unsigned i = 0; i < job->step_count; i++)
		if (is_of_machine(&job->steps[i]) && !pm_step_has_ended(&job->steps[i]))
			return;
	pm_state_transition(job->machine, 0);
}

/* text may be one of the run's own. */
static void end(struct pm_step_run *run, enum pm_result result, const char *text)
{
	struct pm_step *step = pm_step_of(run);

	if (!step->start_ms) /* it was settled at once */
		step->start_ms = pm_time_ms();
	pm_step_ended(run->job, step, result, text);
	free_run(run);
}

void pm_step_done(struct pm_step_run *run, enum pm_result result, const char *text)
{
	struct pm_job *job = run->job;
	unsigned index = run->index;

	end(run, result, text);
	drop_alternatives(job, index, true);
	end_transition(job, &job->steps[index]);
	pm_order_done(&job->run->order, index);
	go_on(job);
}

void pm_step_given_up(struct pm_step_run *run, enum pm_result result, const char *text)
{
	struct pm_job *job = run->job;
	unsigned index = run->index;

	end(run, result, text);
	drop_alternatives(job, index, false);
	go_on(job);
}

void pm_step_failed(struct pm_step_run *run, enum pm_result result, const char *text)
{
	struct pm_job *job = run->job;
	unsigned index = run->index;

	if (!has_alternative(job, index)) {
		pm_step_given_up(run, result, text);
		return;
	}
	pm_log(LOG_WARNING, "%s: job %s: %s; falling back to the next method", job->machine->config->name,
	       pm_job_title(job), text);
	end(run, result, text);
	pm_order_put_first(&job->run->order, index + 1);
	go_on(job);
}

void pm_step_reached(struct pm_step_run *run, const char *note)
{
	char text[400], when[64];
	const struct pm_machine *machine = run->job->machine;

	if (run->before)
		snprintf(when, sizeof(when), "after a restart of the agent");
	else
		snprintf(when, sizeof(when), "%.1f s after the command",
			 (double)(pm_step_now(run) - run->begun_ms) / 1000.0);
	snprintf(text, sizeof(text), "%s%s, observed by the %s %s%s",
		 pm_host_step_instead(run->job, pm_step_of(run)), pm_power_state_name(machine->observed),
		 pm_machine_source(machine), when, note);
	pm_step_done(run, PM_RESULT_OK, text);
}

void pm_step_verifying(struct pm_step_run *run)
{
	struct pm_step *step = pm_step_of(run);

	if (step->state == PM_JOB_VERIFYING)
		return;
	step->state = PM_JOB_VERIFYING;
	step->changed = true;
	note_job_state(run->job);
	pm_job_changed_shortly(run->job);
}

/* --- the begin of a step ---------------------------------------------------------------------- */

static void act(struct pm_step_run *run)
{
	pm_timer_stop(run->timer);
	run->begun_ms = pm_step_now(run);
	run->kind->act(run);
}

/* Not before the journal has it; pm_step_act() comes then. */
void pm_step_go_on(struct pm_step_run *run)
{
	run->confirming = false;
	if (run->gate)
		pm_timer_start(run->timer, pm_step_left_ms(run));
	else
		act(run);
}

void pm_step_act(struct pm_step_run *run)
{
	if (!run->confirming)
		act(run);
}

static void journal_timed_out(struct pm_step_run *run)
{
	char text[400];

	pm_job_describe_journal(run->job, text, sizeof(text));
	pm_step_given_up(run, PM_RESULT_INTERNAL_ERROR, text);
}

static void on_timer(void *data)
{
	struct pm_step_run *run = data;

	if (run->looking && (!run->begun || pm_step_left_ms(run)))
		pm_step_look_again(run);
	else if (run->confirming)
		pm_step_go_on(run);
	else if (run->gate)
		journal_timed_out(run);
	else
		run->kind->on_timer(run, pm_step_left_ms(run) == 0);
}

/* What its SET has written as begun needs not be written once more. */
static void write_down(struct pm_step_run *run)
{
	struct pm_job *job = run->job;
	bool written = job->run->written && run->index == 0 && pm_job_is_plain(job);

	job->run->written = false;
	pm_step_begun(job, pm_step_of(run));
	if (!written)
		pm_gate_close(run);
}

/* How long it is since it began, when it is taken up after a restart. */
static uint64_t age_ms(const struct pm_job *job, const struct pm_step *step)
{
	int64_t age_ms = job->run->age_ms;

	if (age_ms > 0 && step->start_ms > job->begin_ms && job->begin_ms)
		age_ms -= step->start_ms - job->begin_ms < age_ms ? step->start_ms - job->begin_ms : age_ms;
	return age_ms > 0 ? (uint64_t)age_ms : 0;
}

uint64_t pm_step_wait_already_ms(const struct pm_step_run *run, uint64_t look_ms)
{
	uint64_t timeout_ms = (uint64_t)pm_step_of(run)->timeout_s * 1000;
	uint64_t most_ms = timeout_ms > look_ms ? timeout_ms - look_ms : 0;
	uint64_t since_boot_ms = pm_step_now(run);

	if (most_ms > since_boot_ms)
		most_ms = since_boot_ms;
	return run->age_ms < most_ms ? run->age_ms : most_ms;
}

static struct pm_step_run *new_run(struct pm_job *job, unsigned index)
{
	struct pm_step_run *run = calloc(1, sizeof(*run));

	if (!run || !(run->timer = pm_timer_new(job->machine->agent->loop, on_timer, run))) {
		free(run);
		return NULL;
	}
	run->job = job;
	run->index = index;
	run->kind = kind_of(&job->steps[index]);
	run->resumed = job->run->resumed;
	run->age_ms = run->resumed ? age_ms(job, &job->steps[index]) : 0;
	run->begun_ms = pm_step_now(run);
	link_run(run);
	return run;
}

/* What it does to the machine as a whole, for who looks at that. */
static void show_transition(const struct pm_job *job, const struct pm_step *step)
{
	struct pm_machine *machine = job->machine;
	bool drains =
	    pm_step_takes_down(step) && step->action != PM_STEP_VM_REBOOT && step->action != PM_STEP_VM_RESET;

	if (pm_job_is_plain(job))
		return; /* since it began */
	if (is_of_machine(step) && step->action != PM_STEP_HOST_ARM_WOL)
		pm_state_transition(machine, pm_job_transition(job));
	else if (pm_step_is_of_vm(step) && drains && !job->spec.vm && !machine->transition)
		pm_state_transition(machine, PM_POWER_DRAINING);
	else if (pm_step_is_of_vm(step) && !drains && machine->transition == PM_POWER_DRAINING)
		pm_state_transition(machine, 0);
}

/* Nothing holds it back any more. */
static void begin_run(struct pm_step_run *run)
{
	struct pm_job *job = run->job;
	enum pm_job_state state = pm_step_of(run)->state;

	run->begun = true;
	show_transition(job, pm_step_of(run));
	if (run->kind->begin)
		run->kind->begin(run);
	if (state == PM_JOB_VERIFYING && run->kind->resume) {
		run->before = true;
		run->kind->resume(run);
		return;
	}
	if (state == PM_JOB_SCHEDULED)
		write_down(run);
	note_job_state(job);
	if (!run->kind->look || !run->kind->look(run))
		pm_step_go_on(run);
}

static void park(struct pm_step_run *run)
{
	pm_timer_stop(run->timer);
	run->parked = true;
	run->parked_ms = pm_step_now(run);
	run->job->run->parked++;
}

/* Meanwhile its time has not passed. */
static void unpark(struct pm_step_run *run)
{
	run->parked = false;
	run->job->run->parked--;
	run->begun_ms += pm_step_now(run) - run->parked_ms;
	run->kind->act(run);
}

static struct pm_step_run *run_of(const struct pm_job *job, unsigned index)
{
	struct pm_step_run *run = job->run->first;

	while (run && run->index != index)
		run = run->next;
	return run;
}

static void begin(struct pm_job *job, unsigned index)
{
	bool fresh = job->steps[index].state == PM_JOB_SCHEDULED;
	struct pm_step_run *run;

	pm_order_take(&job->run->order, index);
	if (pm_step_has_ended(&job->steps[index]))
		return;
	run = fresh ? NULL : run_of(job, index);
	if (run) {
		if (run->parked)
			unpark(run);
		return;
	}
	run = new_run(job, index);
	if (!run) {
		pm_step_ended(job, &job->steps[index], PM_RESULT_INTERNAL_ERROR, "no memory");
		drop_alternatives(job, index, false);
		return;
	}
	if (fresh && run->kind->settle && run->kind->settle(run))
		return;
	if (fresh && pm_step_must_look(run))
		pm_step_look(run);
	else
		begin_run(run);
}

void pm_step_looked(struct pm_step_run *run)
{
	run->seen_ms = pm_step_now(run);
	if (run->begun)
		run->kind->act(run);
	else
		begin_run(run);
}

void pm_step_wait(struct pm_step_run *run)
{
	struct pm_job *job = run->job;

	if (run->begun)
		park(run);
	else
		free_run(run);
	go_on(job);
}

/* --- all of them ------------------------------------------------------------------------------ */

bool pm_steps_reorder(struct pm_job *job)
{
	if (pm_order_make(&job->run->order, job->steps, job->step_count) < 0)
		return false;
	for (const struct pm_step_run *run = job->run->first; run; run = run->next)
		pm_order_take(&job->run->order,
			      run->index); /* one that is being looked at is none that may begin */
	return true;
}

static struct pm_hypervisor *hypervisor_of(const struct pm_job *job, const struct pm_step *step)
{
	const struct pm_vm *vm = pm_step_is_of_vm(step) ? pm_machine_vm(job->machine, step->vm) : NULL;

	return vm ? vm->hypervisor : NULL;
}

/* Anew each time: VMs move, and hypervisors come and go with the configuration. */
static void count_steps(const struct pm_job *job)
{
	struct pm_machine *machine = job->machine;

	for (size_t i = 0; i < machine->hypervisor_count; i++)
		machine->hypervisors[i].steps = 0;
	for (const struct pm_step_run *run = job->run->first; run; run = run->next) {
		struct pm_hypervisor *hypervisor = hypervisor_of(job, pm_step_of(run));

		if (hypervisor)
			hypervisor->steps++;
	}
}

static void begin_if_room(struct pm_job *job, unsigned index)
{
	struct pm_hypervisor *hypervisor = hypervisor_of(job, &job->steps[index]);
	unsigned running = job->run->running;

	if (hypervisor && hypervisor->steps >= hypervisor->config->parallel)
		return;
	begin(job, index);
	if (hypervisor && job->run->running > running)
		hypervisor->steps++;
}

static void begin_ready(struct pm_job *job)
{
	const struct pm_order *order = &job->run->order;
	unsigned next;

	if (job->run->overdue) /* it was only to be seen what became of what was at work */
		return;
	count_steps(job);
	for (unsigned first = pm_order_first(order); first != PM_ORDER_NONE; first = next) {
		next = pm_order_next(order, first);
		begin_if_room(job, pm_order_begin(order, first));
	}
}

/* All steps have ended well: is there anything that has come meanwhile? Then it goes on. */
static bool is_finished(struct pm_job *job)
{
	struct pm_error err = {""};
	int added;

	if (job->run->order.left || pm_job_is_plain(job) || job->run->overdue)
		return true;
	added = pm_steps_add_last(job, &err);
	if (added >= 0)
		return added == 0;
	job->run->refused = added;
	snprintf(job->run->refusal, sizeof(job->run->refusal), "%s", err.text);
	return true;
}

/* Nothing else is at work: what it waits for has failed. */
static void give_up_parked(const struct pm_job_run *all)
{
	struct pm_step_run *run = all->first;

	if (run && all->running == all->parked)
		pm_step_given_up(run, PM_RESULT_GUEST_REFUSED,
				 "what came to run on it meanwhile did not go down");
}

static void begin_all(struct pm_job *job)
{
	struct pm_job_run *all = job->run;

	all->going = true;
	do {
		all->again = false;
		begin_ready(job);
		if (!all->again)
			give_up_parked(all);
	} while (all->again || (!all->running && !is_finished(job)));
	all->going = false;
}

/* A step may end as soon as it begins, and call this again: the loop that runs already goes on with what follows. */
static void go_on(struct pm_job *job)
{
	struct pm_job_run *all = job->run;

	all->again = true;
	if (all->going)
		return;
	begin_all(job);
	if (all->running)
		note_job_state(job);
	else
		pm_job_finish_steps(job);
}

static bool is_under_way(const struct pm_step *step)
{
	return step->state == PM_JOB_RUNNING || step->state == PM_JOB_VERIFYING;
}

/* What is momentary is never done twice: of that one step it is not known whether it was done. */
static void take_up(struct pm_job *job, unsigned index)
{
	struct pm_step *step = &job->steps[index];

	if (step->state == PM_JOB_RUNNING && job->run->resumed && !pm_step_is_repeatable(job, step)) {
		pm_step_ended(job, step, PM_RESULT_INTERRUPTED, pm_job_not_twice);
		drop_alternatives(job, index, false);
	} else {
		begin(job, index);
	}
}

void pm_steps_start(struct pm_job *job)
{
	struct pm_job_run *all = job->run;

	if (pm_order_make(&all->order, job->steps, job->step_count) < 0) {
		pm_job_finish(job, PM_RESULT_INTERNAL_ERROR, "no memory for a job");
		return;
	}
	all->going = true;
	for (unsigned i = 0; i < job->step_count; i++)
		if (is_under_way(&job->steps[i]))
			take_up(job, i);
	begin_ready(job);
	all->resumed = all->written = all->going = false;
	go_on(job);
}

/* --- news ------------------------------------------------------------------------------------- */

void pm_steps_observed(struct pm_job *job, enum pm_state_source asked)
{
	struct pm_step_run *run = job->run->first;

	while (run && !run->kind->observed)
		run = run->next;
	if (run && (run->confirming || !run->gate))
		run->kind->observed(run, asked);
}

/* It acts on what it sees as soon as the journal has it. */
static bool takes_news(const struct pm_step_run *run)
{
	return run->kind->news && !run->gate && run->begun;
}

void pm_steps_vm_observed(struct pm_job *job, const struct pm_vm *vm)
{
	struct pm_step_run *run = vm->job_data;

	if (!run || run->job != job || !takes_news(run))
		return;
	if (job->run->going) /* it is at its own doing */
		pm_timer_start(run->timer, 0);
	else
		run->kind->news(run);
}

/* Those not begun yet would find no VM, and take that for one that is down. */
static void give_up_those_of(struct pm_job *job, uint32_t vm, const char *why)
{
	for (unsigned i = 0; i < job->step_count; i++) {
		struct pm_step *step = &job->steps[i];

		if (!pm_step_is_of_vm(step) || step->vm != vm || step->state != PM_JOB_SCHEDULED ||
		    step->alternative)
			continue;
		pm_step_ended(job, step, PM_RESULT_NOT_CONFIGURED, why);
		drop_alternatives(job, i, false);
	}
	pm_steps_reorder(job);
}

/* Whether it is only that nobody asks any more how it is; it was not seen off. */
static bool is_lost_from_sight(const struct pm_job *job, uint32_t vm)
{
	const struct pm_vm *row = pm_machine_vm(job->machine, vm);

	return row && !row->hypervisor && row->told != PM_VM_SHUTDOWN && row->told != PM_VM_CRASHED;
}

void pm_steps_vm_gone(struct pm_job *job, uint32_t vm, const char *why)
{
	struct pm_step_run *next;
	bool going = job->run->going;

	job->run->going = true; /* the job does not end before all of them are told */
	for (struct pm_step_run *run = job->run->first; run; run = next) {
		next = run->next;
		if (pm_step_is_of_vm(pm_step_of(run)) && pm_step_of(run)->vm == vm)
			pm_vm_step_gone(run, why);
	}
	if (is_lost_from_sight(job, vm))
		give_up_those_of(job, vm, why);
	job->run->going = going;
	go_on(job);
}

static struct pm_step_run *first_untold(const struct pm_job *job)
{
	struct pm_step_run *run = job->run->first;

	while (run && !run->untold)
		run = run->next;
	return run;
}

void pm_steps_hypervisor_observed(struct pm_job *job)
{
	struct pm_step_run *run;

	if (job->run->going)
		return;
	for (run = job->run->first; run; run = run->next)
		run->untold = takes_news(run);
	job->run->going = true;
	while ((run = first_untold(job)) != NULL) {
		run->untold = false;
		run->kind->news(run);
	}
	job->run->going = false;
	go_on(job);
}

/* --- the job ends before them ----------------------------------------------------------------- */

void pm_steps_end(struct pm_job *job, enum pm_result result)
{
	char text[512];

	if (!pm_job_has_stack(job))
		return; /* the one that runs ends as the job does */
	for (struct pm_step_run *run = job->run->first; run; run = run->next) {
		if (!run->begun)
			continue;
		pm_job_describe_run(run, "before", text, sizeof(text));
		pm_step_ended(job, pm_step_of(run), result, text);
	}
}

void pm_steps_over(struct pm_job *job)
{
	char text[400], done[300];

	if (job->run->first && job->run->first->gate && !pm_job_has_stack(job))
		pm_job_describe_journal(job, done, sizeof(done));
	else
		pm_job_describe_end(job, done, sizeof(done));
	snprintf(text, sizeof(text), "pmJobTimeout of %u s is over: %s", job->spec.timeout_s, done);
	for (struct pm_step_run *run = job->run->first; run; run = run->next)
		if (run->kind->over)
			run->kind->over(run);
	pm_steps_end(job, PM_RESULT_TIMEOUT);
	pm_job_finish(job, PM_RESULT_TIMEOUT, text);
}
