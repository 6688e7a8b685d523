/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Steps of VMs: asks the VM's hypervisor, and waits until the VM is observed where the step brings it. Whatever happens, an
 * answer, an event, time, leads to the same question: what is it now, and what is to be done about that?
 */
#include "agent/job_private.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <stdio.h>
#include <string.h>

#define BUTTON_MS    30000 /* a guest that boots, or whose agent does, does not notice that it was asked */
#define REPEAT_MS    15000 /* accepted, but the state does not come */
#define RETRY_MS     2000
#define FAILURES_MAX 3     /* refused, in a row, until the step fails */
#define LOOK_MS      30000 /* after a restart: until hypervisors have answered */
#define DEADLINE_MS  60000 /* of one request that should not take long */

static const struct words {
	const char *asked;    /* it was ... */
	const char *done;     /* is what it is then */
	const char *not_done; /* what it did not */
	enum pm_vm_state transition;
} words[] = {
    [PM_STEP_VM_START] = {"started", "running", "did not come up", PM_VM_PREPARING},
    [PM_STEP_VM_RESUME] = {"resumed", "running", "did not resume", PM_VM_RESUMING},
    [PM_STEP_VM_SHUTDOWN] = {"asked to shut down", "shut down", "did not shut down", PM_VM_SHUTTING_DOWN},
    [PM_STEP_VM_DESTROY] = {"switched off", "off", "did not go off", PM_VM_SHUTTING_DOWN},
    [PM_STEP_VM_REBOOT] = {"asked to reboot", "rebooted", "did not reboot", PM_VM_SHUTTING_DOWN},
    [PM_STEP_VM_RESET] = {"reset", "reset", "was not reset", PM_VM_PREPARING},
    [PM_STEP_VM_PAUSE] = {"asked to pause", "paused", "did not pause", PM_VM_SUSPENDING},
    [PM_STEP_VM_SAVE] = {"asked to be saved", "saved", "was not saved", PM_VM_SUSPENDING},
};

static void go(struct pm_step_run *run);

static const struct words *words_of(const struct pm_step_run *run)
{
	return &words[pm_step_of(run)->action];
}

static struct pm_vm *vm_of(const struct pm_step_run *run)
{
	return pm_machine_vm(run->job->machine, pm_step_of(run)->vm);
}

static bool has_alternative(const struct pm_step_run *run)
{
	const struct pm_job *job = run->job;

	return run->index + 1 < job->step_count && job->steps[run->index + 1].alternative;
}

static bool is_up(const struct pm_vm *vm)
{
	return vm->hypervisor && vm->hypervisor->up;
}

/* --- what it is ------------------------------------------------------------------------------- */

enum verdict {
	DONE,
	IN_VAIN, /* off: nothing to reboot */
	SEND,
	WAIT
};

static bool brings_down(const struct pm_step_run *run)
{
	switch (pm_step_of(run)->action) {
	case PM_STEP_VM_SHUTDOWN:
	case PM_STEP_VM_DESTROY:
	case PM_STEP_VM_SAVE:
	case PM_STEP_VM_PAUSE:
		return true;
	case PM_STEP_VM_RESUME: /* so that it can be shut down: one that is off need not be */
		return run->job->spec.action != PM_COMMAND_POWER_ON;
	default:
		return false;
	}
}

static bool is_restart(const struct pm_step_run *run)
{
	enum pm_step_action action = pm_step_of(run)->action;

	return action == PM_STEP_VM_REBOOT || action == PM_STEP_VM_RESET;
}

/* By its hypervisor, or it was seen off and on again. */
static bool has_restarted(const struct pm_step_run *run, const struct pm_vm *vm)
{
	if (pm_step_of(run)->action == PM_STEP_VM_RESET && run->acted && !run->vm.doubt)
		return true;
	return run->acted &&
	       (vm->reboots != run->vm.reboots || (run->vm.was_off && pm_vm_observed(vm) == PM_VM_RUNNING));
}

static bool is_there(const struct pm_step_run *run, const struct pm_vm *vm)
{
	enum pm_vm_state state = pm_vm_observed(vm);

	if (is_restart(run))
		return has_restarted(run, vm);
	if (brings_down(run) && pm_vm_is_down(vm))
		return true;
	switch (pm_step_of(run)->action) {
	case PM_STEP_VM_START:
	case PM_STEP_VM_RESUME:
		return state == PM_VM_RUNNING;
	case PM_STEP_VM_PAUSE:
		return state == PM_VM_PAUSED || state == PM_VM_SUSPENDED;
	default:
		return false;
	}
}

/* On its way by itself, or not known. */
static bool is_moving(enum pm_vm_state state)
{
	return state == PM_VM_UNKNOWN || state == PM_VM_PREPARING || state == PM_VM_SUSPENDING ||
	       state == PM_VM_RESUMING || state == PM_VM_MIGRATING;
}

static enum verdict judge(const struct pm_step_run *run, const struct pm_vm *vm)
{
	enum pm_vm_state state = pm_vm_observed(vm);
	bool hard =
	    pm_step_of(run)->action == PM_STEP_VM_DESTROY || pm_step_of(run)->action == PM_STEP_VM_RESET;

	if (is_there(run, vm))
		return DONE;
	if (is_restart(run) && pm_vm_is_down(vm) && !run->acted)
		return IN_VAIN;
	if (!is_up(vm) || (pm_step_of(run)->momentary && run->acted))
		return WAIT;
	return !hard && (is_moving(state) || state == PM_VM_SHUTTING_DOWN) ? WAIT : SEND;
}

/* What was sent is not what must be so before. */
static bool is_own(const struct pm_step_run *run)
{
	return pm_step_of(run)->action == PM_STEP_VM_RESUME || pm_step_of(run)->action == PM_STEP_VM_START ||
	       (run->vm.command != STACK_RESUME && run->vm.command != STACK_WAKEUP);
}

/* --- the end ---------------------------------------------------------------------------------- */

const char pm_vm_step_lost[] = "off with what it ran on";

static const char *state_then(const struct pm_step_run *run, const struct pm_vm *vm)
{
	enum pm_vm_state state = pm_vm_observed(vm);
	bool down = pm_vm_is_down(vm);

	if (down && !is_up(vm) && vm->active) /* nobody has seen it go */
		return pm_vm_step_lost;
	if (state == PM_VM_CRASHED)
		return "crashed";
	if (down && vm->saved)
		return "saved";
	if (down && pm_step_of(run)->action != PM_STEP_VM_SHUTDOWN)
		return "off";
	if (down && vm->killed)
		return "switched off by somebody else";
	return state == PM_VM_SUSPENDED ? "asleep" : words_of(run)->done;
}

/* It may be seen before the answer comes. 0: it was not asked. */
static uint64_t first_asked_ms(const struct pm_step_run *run)
{
	return run->vm.asked_ms ? run->vm.asked_ms : run->tries && is_own(run) ? run->sent_ms : 0;
}

static void reached(struct pm_step_run *run, const struct pm_vm *vm)
{
	const char *state = state_then(run, vm);
	uint64_t asked_ms = first_asked_ms(run);
	char text[256];

	if (run->before)
		snprintf(text, sizeof(text), "%s, after a restart of the agent", state);
	else if (asked_ms)
		snprintf(text, sizeof(text), "%s, %.1f s after it was %s", state,
			 (double)(pm_step_now(run) - asked_ms) / 1000.0, words_of(run)->asked);
	else
		snprintf(text, sizeof(text), "it is %s already", pm_vm_state_name(pm_vm_observed(vm)));
	if (run->vm.plain)
		pm_text_format(text + strlen(text), sizeof(text) - strlen(text),
			       "; by its hypervisor, for it can not suspend itself: %s", run->trouble);
	pm_step_done(run, run->before || asked_ms ? PM_RESULT_OK : PM_RESULT_ALREADY_IN_STATE, text);
}

static void in_vain(struct pm_step_run *run)
{
	char text[128];

	snprintf(text, sizeof(text), "it is off: there is nothing to %s",
		 pm_step_of(run)->action == PM_STEP_VM_RESET ? "reset" : "reboot");
	if (run->job->spec.vm == pm_step_of(run)->vm)
		pm_step_given_up(run, PM_RESULT_REJECTED, text);
	else
		pm_step_done(run, PM_RESULT_ALREADY_IN_STATE, text);
}

void pm_vm_step_gone(struct pm_step_run *run, const char *why)
{
	const struct pm_vm *vm = vm_of(run);

	if (vm && !vm->hypervisor) /* it is there, but nobody asks any more how it is */
		pm_step_given_up(run, PM_RESULT_NOT_CONFIGURED, why);
	else if (brings_down(run))
		pm_step_done(run, run->acted ? PM_RESULT_OK : PM_RESULT_ALREADY_IN_STATE, why);
	else
		pm_step_given_up(run, PM_RESULT_REJECTED, why);
}

static void describe_silence(const struct pm_step_run *run, const struct pm_vm *vm, char *text, size_t size)
{
	const struct pm_hypervisor *hypervisor = vm->hypervisor;

	if (!hypervisor)
		snprintf(text, size, "its hypervisor is no longer configured");
	else
		pm_text_format(text, size, "its hypervisor %s does not answer%s%s%s",
			       hypervisor->config->shown, *hypervisor->trouble ? ": " : "",
			       hypervisor->trouble, run->acted ? "; it had been asked before" : "");
}

/* A guest that was asked has had its time, however its hypervisor is now. */
static void unreachable(struct pm_step_run *run, const struct pm_vm *vm)
{
	enum pm_result result = vm->hypervisor ? PM_RESULT_UNREACHABLE : PM_RESULT_NOT_CONFIGURED;
	char text[512];

	describe_silence(run, vm, text, sizeof(text));
	if (run->acted)
		pm_step_failed(run, result, text);
	else
		pm_step_given_up(run, result, text);
}

static const char not_defined[] = "it is no longer defined";

/* After a start that found no row of it, its hypervisor may have it all the same. */
static bool may_be_there(const struct pm_step_run *run)
{
	return !vm_of(run) && pm_machine_stack_unknown(run->job->machine);
}

static void wait_for_row(struct pm_step_run *run)
{
	uint64_t left_ms = pm_step_left_ms(run);

	snprintf(run->trouble, sizeof(run->trouble), "it is not known whether it is still there");
	run->troubled = PM_RESULT_UNREACHABLE;
	pm_step_hurry(run);
	pm_timer_start(run->timer, left_ms < RETRY_MS ? left_ms : RETRY_MS);
}

static void describe_failure(const struct pm_step_run *run, char *text, size_t size)
{
	uint32_t timeout_s = pm_step_of(run)->timeout_s;

	if (run->vm.doubt)
		snprintf(text, size, "%s; it may have been done and is not done twice: look at the VM",
			 run->trouble);
	else if (run->before && is_restart(run))
		snprintf(text, size,
			 "it was %s before a restart of the agent; that it has since was not seen in %u s",
			 words_of(run)->asked, timeout_s);
	else if (run->acted && run->acceptances > 1)
		snprintf(text, size, "%s within %u s, asked %u times", words_of(run)->not_done, timeout_s,
			 run->acceptances);
	else if (run->acted)
		snprintf(text, size, "%s within %u s", words_of(run)->not_done, timeout_s);
	else
		snprintf(text, size, "%s within %u s%s%s", words_of(run)->not_done, timeout_s,
			 *run->trouble ? ": " : "", run->trouble);
}

static enum pm_result result_of_lateness(const struct pm_step_run *run)
{
	enum pm_step_action action = pm_step_of(run)->action;

	if (run->vm.doubt || (run->before && is_restart(run)))
		return PM_RESULT_INTERRUPTED;
	if (!run->acted && run->troubled)
		return run->troubled;
	return action == PM_STEP_VM_SHUTDOWN || action == PM_STEP_VM_REBOOT ? PM_RESULT_GUEST_REFUSED
									    : PM_RESULT_TIMEOUT;
}

static void late(struct pm_step_run *run)
{
	const struct pm_vm *vm = vm_of(run);
	char text[512];

	run->kind->stop(run); /* then it is known what had left */
	if (run->cut && run->cut_sent) {
		run->acted = true;
		run->vm.doubt = pm_step_of(run)->momentary;
	}
	if (may_be_there(run)) {
		pm_step_given_up(run, PM_RESULT_UNREACHABLE, run->trouble);
		return;
	}
	if (vm && !is_up(vm)) {
		unreachable(run, vm);
		return;
	}
	describe_failure(run, text, sizeof(text));
	pm_step_failed(run, result_of_lateness(run), text);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void set_timer(struct pm_step_run *run, const struct pm_vm *vm)
{
	uint64_t left_ms = pm_step_left_ms(run), now_ms = pm_step_now(run), wait_ms = left_ms;

	if (!is_up(vm))
		wait_ms = RETRY_MS;
	else if (!run->vm.op && run->vm.next_ms > now_ms)
		wait_ms = run->vm.next_ms - now_ms;
	pm_timer_start(run->timer, wait_ms < left_ms ? wait_ms : left_ms);
}

static enum pm_result result_of(enum stack_result result)
{
	switch (result) {
	case STACK_AUTH_FAILED:
		return PM_RESULT_AUTH_FAILED;
	case STACK_UNREACHABLE:
		return PM_RESULT_UNREACHABLE;
	case STACK_TIMEOUT:
		return PM_RESULT_TIMEOUT;
	case STACK_CANCELLED:
		return PM_RESULT_INTERRUPTED;
	case STACK_NO_MEMORY:
		return PM_RESULT_INTERNAL_ERROR;
	default:
		return PM_RESULT_REJECTED;
	}
}

static void accepted(struct pm_step_run *run)
{
	uint64_t now_ms = pm_step_now(run);
	bool shutdown = run->vm.command == STACK_SHUTDOWN;

	run->failures = 0;
	run->vm.next_ms = now_ms + (shutdown ? BUTTON_MS : REPEAT_MS);
	run->vm.by_agent = shutdown && !run->vm.by_agent;
	if (is_own(run)) {
		run->acted = true;
		run->vm.doubt = false;
		run->acceptances++;
		run->acted_ms = now_ms;
		if (!run->vm.asked_ms && has_alternative(run))
			run->begun_ms = now_ms; /* its time is counted from when it was asked */
		run->vm.asked_ms = run->vm.asked_ms ? run->vm.asked_ms : run->sent_ms;
		pm_step_verifying(run);
	}
	go(run);
}

/* The lack of an agent, or of its help, is no failure: there is the button. */
static bool has_other_way(struct pm_step_run *run, const struct stack_reply *reply)
{
	bool no_agent = run->vm.command == STACK_SHUTDOWN && run->vm.by_agent;
	bool no_sleep = run->vm.command == STACK_PM_SUSPEND;

	if (reply->result != STACK_REFUSED && reply->result != STACK_UNSUPPORTED)
		return false;
	if (no_agent)
		run->vm.by_agent = false;
	if (no_sleep)
		run->vm.plain = true;
	return no_agent || no_sleep;
}

/* To be refused may change while a guest is backed up, or migrates; it is asked for as long as it may take. */
static bool is_over(struct pm_step_run *run, const struct stack_reply *reply)
{
	switch (reply->result) {
	case STACK_UNREACHABLE:
	case STACK_TIMEOUT:
	case STACK_CANCELLED:
		run->failures = 0;
		return false;
	case STACK_UNSUPPORTED:
	case STACK_AUTH_FAILED: /* what is killed after its time is not killed before, though it cannot be asked */
		run->vm.next_ms = pm_step_now(run) + BUTTON_MS;
		return !has_alternative(run);
	default:
		return ++run->failures >= FAILURES_MAX && pm_step_of(run)->action != PM_STEP_VM_SHUTDOWN &&
		       !has_alternative(run);
	}
}

static bool is_lost(const struct stack_reply *reply)
{
	return reply->sent && (reply->result == STACK_UNREACHABLE || reply->result == STACK_TIMEOUT ||
			       reply->result == STACK_CANCELLED);
}

static void on_reply(const struct stack_reply *reply, void *data)
{
	struct pm_step_run *run = data;

	if (!run->vm.op) { /* cancelled by stop() */
		run->cut_sent = reply->sent;
		return;
	}
	run->vm.op = NULL;
	if (reply->result == STACK_OK || reply->result == STACK_ALREADY) {
		accepted(run);
		return;
	}
	pm_text_format(run->trouble, sizeof(run->trouble), "%s", reply->text ? reply->text : "");
	run->troubled = result_of(reply->result);
	run->vm.next_ms = pm_step_now(run) + (has_other_way(run, reply) ? 0 : RETRY_MS);
	if (is_lost(reply) && is_own(run)) { /* it may have been done: what it is now is looked at first */
		run->acted = true;
		run->vm.doubt = pm_step_of(run)->momentary;
		run->vm.asked_ms = run->vm.asked_ms ? run->vm.asked_ms : run->sent_ms;
	}
	if (run->vm.next_ms > pm_step_now(run) && is_over(run, reply))
		pm_step_failed(run, run->troubled, run->trouble);
	else
		go(run);
}

static bool sleeps_by_itself(const struct pm_step_run *run, const struct pm_vm *vm)
{
	return vm->hypervisor && vm->hypervisor->config->suspend == PM_SUSPEND_GUEST && !run->vm.plain;
}

static enum stack_command own_command(const struct pm_step_run *run, const struct pm_vm *vm)
{
	switch (pm_step_of(run)->action) {
	case PM_STEP_VM_SHUTDOWN:
		return STACK_SHUTDOWN;
	case PM_STEP_VM_DESTROY:
		return STACK_DESTROY;
	case PM_STEP_VM_REBOOT:
		return STACK_REBOOT;
	case PM_STEP_VM_RESET:
		return STACK_RESET;
	case PM_STEP_VM_SAVE:
		return STACK_SAVE;
	case PM_STEP_VM_PAUSE:
		return sleeps_by_itself(run, vm) ? STACK_PM_SUSPEND : STACK_PAUSE;
	default:
		return pm_vm_is_down(vm) ? STACK_START : STACK_RESUME;
	}
}

/* What sleeps hears nothing: it is woken first. */
static enum stack_command command_for(const struct pm_step_run *run, const struct pm_vm *vm)
{
	enum stack_command own = own_command(run, vm);
	enum pm_vm_state state = pm_vm_observed(vm);

	if (own == STACK_DESTROY || own == STACK_RESET)
		return own;
	if (state == PM_VM_SUSPENDED && !pm_vm_is_down(vm))
		return STACK_WAKEUP;
	if (state == PM_VM_PAUSED && own != STACK_SAVE)
		return STACK_RESUME;
	return own;
}

static bool takes_down(enum stack_command command)
{
	return command != STACK_START && command != STACK_RESUME && command != STACK_WAKEUP;
}

static bool takes_long(enum stack_command command)
{
	return command == STACK_SAVE || command == STACK_START;
}

static void send_command(struct pm_step_run *run, const struct pm_vm *vm, enum stack_command command)
{
	const struct stack_driver *driver = run->job->machine->agent->stack_driver;
	uint64_t left_ms = pm_step_left_ms(run);
	struct stack_request request = {
	    .command = command,
	    .agent = run->vm.by_agent,
	    .deadline_ms = takes_long(command) && left_ms > DEADLINE_MS ? (unsigned)left_ms : DEADLINE_MS,
	    .done = on_reply,
	    .data = run};

	memcpy(request.uuid, vm->uuid, sizeof(request.uuid));
	run->tries++;
	run->sent_ms = pm_step_now(run);
	run->vm.command = command;
	run->vm.reboots = vm->reboots;
	run->vm.op = driver->submit(vm->hypervisor->connection, &request);
	if (run->vm.op)
		return;
	snprintf(run->trouble, sizeof(run->trouble), "no memory");
	run->troubled = PM_RESULT_INTERNAL_ERROR;
	run->vm.next_ms = run->sent_ms + RETRY_MS;
}

static void go(struct pm_step_run *run)
{
	struct pm_vm *vm = vm_of(run);
	enum stack_command command;

	if (may_be_there(run)) {
		wait_for_row(run);
		return;
	}
	if (!vm) {
		pm_vm_step_gone(run, not_defined);
		return;
	}
	vm->job_data = run;
	run->vm.was_off |= run->acted && pm_vm_is_down(vm);
	switch (judge(run, vm)) {
	case DONE:
		reached(run, vm);
		return;
	case IN_VAIN:
		in_vain(run);
		return;
	case SEND:
		command = command_for(run, vm);
		if (run->vm.op || (run->vm.next_ms > pm_step_now(run) && command == run->vm.command))
			break;
		if (takes_down(command) && !pm_step_may_send(run))
			return;
		send_command(run, vm, command);
		break;
	case WAIT:
		if (!is_up(vm))
			pm_step_hurry(run);
	}
	set_timer(run, vm);
}

/* --- the kind --------------------------------------------------------------------------------- */

/* What is so already needs no journal. */
static bool settle(struct pm_step_run *run)
{
	struct pm_vm *vm = vm_of(run);
	enum verdict verdict;

	if (may_be_there(run))
		return false;
	if (!vm) {
		pm_vm_step_gone(run, not_defined);
		return true;
	}
	vm->job_data = run;
	verdict = judge(run, vm);
	if (verdict == DONE)
		reached(run, vm);
	else if (verdict == IN_VAIN)
		in_vain(run);
	return verdict == DONE || verdict == IN_VAIN;
}

static void begin(struct pm_step_run *run)
{
	struct pm_vm *vm = vm_of(run);

	if (!vm)
		return;
	vm->job_data = run;
	pm_vm_transition(vm, words_of(run)->transition);
}

static void act(struct pm_step_run *run)
{
	go(run);
}

/* It had been accepted before a restart. */
static void resume(struct pm_step_run *run)
{
	const struct pm_vm *vm = vm_of(run);

	run->acted = true;
	run->acceptances = 1;
	run->acted_ms = run->sent_ms = pm_step_now(run);
	run->vm.next_ms = pm_step_now(run) + BUTTON_MS;
	run->vm.reboots = vm ? vm->reboots : 0;
	run->vm.command = vm ? own_command(run, vm) : 0;
	run->begun_ms -= pm_step_wait_already_ms(run, LOOK_MS);
	go(run);
}

static void on_timer(struct pm_step_run *run, bool is_late)
{
	if (is_late)
		late(run);
	else
		go(run);
}

static void stop(struct pm_step_run *run)
{
	struct stack_op *op = run->vm.op;

	if (!op)
		return;
	run->vm.op = NULL;
	run->cut = true;
	run->job->machine->agent->stack_driver->cancel(op);
}

static void leave(struct pm_step_run *run)
{
	struct pm_vm *vm = vm_of(run);

	if (!vm || vm->job_data != run)
		return;
	vm->job_data = NULL;
	pm_vm_transition(vm, 0);
}

static void describe(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	const char *asked = words_of(run)->asked;

	if (run->vm.doubt || (run->cut && run->cut_sent && !run->acted))
		snprintf(text, size, "%s, which was not confirmed", asked);
	else if (run->before)
		snprintf(text, size, "%s before a restart of the agent", asked);
	else if (run->vm.asked_ms)
		snprintf(text, size, "%s %.0f s %s", asked,
			 (double)(pm_step_now(run) - run->vm.asked_ms) / 1000.0, ago);
	else if (*run->trouble)
		snprintf(text, size, "not %s yet: %s", asked, run->trouble);
	else
		snprintf(text, size, "not %s yet", asked);
}

const struct pm_step_kind pm_step_vm = {.settle = settle,
					.begin = begin,
					.act = act,
					.resume = resume,
					.on_timer = on_timer,
					.news = go,
					.stop = stop,
					.leave = leave,
					.describe = describe};
