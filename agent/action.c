/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs the steps of a job: sends, waits until the goal is observed, repeats what may be repeated, falls back. How a
 * machine is woken is in wake.c.
 */
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/outcome.h"
#include "agent/poll.h"
#include "agent/state.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS           250
#define RETRY_MS          2000  /* after a request without an answer */
#define FAILURES_MAX      3     /* in a row, of a BMC that refuses, until the step fails */
#define SILENCES_MAX      5     /* of one that says nothing at all, when a wish is to be told */
#define REPEAT_MS         15000 /* power up, power down: accepted, but the state does not come */
#define CYCLE_SETTLE_MS   8000  /* a cycle so short that no poll saw the machine off */
#define CONFIRM_MARGIN_MS 1000

static void begin_step(struct pm_job *job);

static struct pm_step *current(struct pm_job *job)
{
	return &job->steps[job->step];
}

static uint64_t now(const struct pm_job *job)
{
	return uv_now(job->agent->loop);
}

static const char *name_of(const struct pm_job *job)
{
	return job->request.machine->config->name;
}

static double seconds_since(const struct pm_job *job, uint64_t then_ms)
{
	return (double)(now(job) - then_ms) / 1000.0;
}

/* --- the end of a step ------------------------------------------------------------------------ */

void pm_action_stop(struct pm_job *job)
{
	pm_timer_stop(job->timer);
	if (job->op) {
		struct ipmi_op *op = job->op;

		job->op = NULL;
		ipmi_op_cancel(op);
	}
	if (job->burst) {
		struct wol_burst *burst = job->burst;

		job->burst = NULL;
		wol_burst_cancel(burst);
	}
}

void pm_step_failed(struct pm_job *job, enum pm_result result, const char *text)
{
	if (job->step + 1 < job->step_count && job->steps[job->step + 1].alternative) {
		pm_log(LOG_WARNING, "%s: job %s: %s; falling back to the next method", name_of(job),
		       job->name, text);
		job->step++;
		begin_step(job);
		return;
	}
	pm_job_finish(job, result, text);
}

static void step_done(struct pm_job *job, const char *text)
{
	do
		job->step++;
	while (job->step < job->step_count && job->steps[job->step].alternative);
	if (job->step < job->step_count)
		begin_step(job);
	else
		pm_job_finish(job, PM_RESULT_OK, text);
}

void pm_step_reached(struct pm_job *job, const char *note)
{
	char text[400];
	const struct pm_machine *machine = job->request.machine;

	snprintf(text, sizeof(text), "%s, observed by the %s %.1f s after the command%s",
		 pm_power_state_name(machine->observed), machine->source == PM_SOURCE_BMC ? "BMC" : "probe",
		 seconds_since(job, job->begun_ms), note);
	step_done(job, text);
}

/* --- chassis control and settings of the BMC -------------------------------------------------- */

static void send_request(struct pm_job *job);

/*
 * A BMC that answers at times, as over a network that loses packets, or that has no free session for the moment, is asked
 * for as long as the step may take; one that says nothing at all, or always "not now", a few times; and so is whatever is
 * momentary, which nobody wants minutes later.
 */
static bool worth_retrying(struct pm_job *job, const struct ipmi_reply *reply)
{
	enum pm_outcome outcome = pm_outcome_of(reply);
	bool harmless = outcome == PM_OUTCOME_NOT_DONE ||
			(outcome == PM_OUTCOME_DOUBTFUL && !job->steps[job->step].momentary);
	bool wish = !current(job)->momentary;
	bool lives = reply->result == IPMI_TIMEOUT || reply->result == IPMI_SESSIONS_EXHAUSTED;
	unsigned most = wish && reply->result == IPMI_UNREACHABLE ? SILENCES_MAX : FAILURES_MAX;

	if (lives && wish)
		job->failures = 0;
	else
		job->failures++;
	return harmless && job->failures < most;
}

/* What the BMC reports now, as the poll would have found it. */
static void note_report(struct pm_machine *machine, bool boot, const struct ipmi_reply *reply)
{
	if (!boot) {
		pm_state_chassis(machine, reply);
	} else if (machine->bmc) {
		machine->bmc->boot = reply->boot;
		machine->bmc->boot_known = true;
	}
}

static bool setting_holds(const struct ipmi_request *wish, const struct ipmi_reply *reply)
{
	switch (wish->command) {
	case IPMI_SET_POWER_RESTORE_POLICY:
		return reply->chassis.restore_policy == wish->restore_policy;
	case IPMI_SET_BOOT_FLAGS:
		return reply->boot.device == wish->boot.device &&
		       reply->boot.persistent == wish->boot.persistent && reply->boot.efi == wish->boot.efi;
	default:
		return reply->chassis.identify == wish->identify.mode ||
		       reply->chassis.identify == IPMI_IDENTIFY_UNKNOWN;
	}
}

static void on_verified(const struct ipmi_reply *reply, void *data)
{
	struct pm_job *job = data;
	const struct ipmi_request *wish = &job->request.setting;
	char text[400];
	bool untold =
	    wish->command == IPMI_CHASSIS_IDENTIFY && reply->chassis.identify == IPMI_IDENTIFY_UNKNOWN;

	if (!job->op)
		return;
	job->op = NULL;
	if (reply->result != IPMI_OK) {
		snprintf(text, sizeof(text), "accepted by the BMC, but it cannot be read back: %s",
			 reply->text);
		pm_step_failed(job, PM_RESULT_TIMEOUT, text);
		return;
	}
	note_report(job->request.machine, wish->command == IPMI_SET_BOOT_FLAGS, reply);
	if (!setting_holds(wish, reply))
		pm_step_failed(job, PM_RESULT_REJECTED, "the BMC accepted, but does not report what was set");
	else if (untold)
		step_done(job, "accepted by the BMC, which does not report it");
	else
		step_done(job, job->forgetful
				   ? "set, and read back from the BMC, which may forget it after 60 s "
				     "without a power command"
				   : "set, and read back from the BMC");
}

static void verify_setting(struct pm_job *job)
{
	const struct pm_bmc *bmc = job->request.machine->bmc;
	bool boot = job->request.setting.command == IPMI_SET_BOOT_FLAGS;
	const struct ipmi_request request = {.command = boot ? IPMI_GET_BOOT_FLAGS : IPMI_GET_CHASSIS_STATUS,
					     .done = on_verified,
					     .data = job};

	job->state = PM_JOB_VERIFYING;
	job->op = bmc ? ipmi_bmc_submit(bmc->ipmi, &request) : NULL;
	if (!job->op)
		pm_step_failed(job, PM_RESULT_INTERRUPTED,
			       "accepted by the BMC, which can no longer be asked");
}

static void wait_for_goal(struct pm_job *job)
{
	job->acted = true;
	job->state = PM_JOB_VERIFYING;
	pm_poll_fast(job->request.machine, true);
	pm_poll_now(job->request.machine);
	pm_timer_start(job->timer, TICK_MS);
}

static void accepted(struct pm_job *job)
{
	const struct pm_step *step = current(job);

	job->acted = true;
	job->doubt = false;
	job->acceptances++;
	job->acted_ms = now(job);
	job->tries = job->failures = 0;
	if (step->kind == PM_STEP_BMC_SETTING) {
		verify_setting(job);
	} else if (!step->goal) {
		step_done(job, "accepted by the BMC");
	} else {
		wait_for_goal(job);
	}
}

static bool is_wish(const struct pm_step *step)
{
	return step->kind == PM_STEP_CHASSIS_CONTROL &&
	       (step->control == IPMI_POWER_UP || step->control == IPMI_POWER_DOWN);
}

/* It may have been done, and whether it was can be seen: nothing more is sent before that was looked at. */
static bool is_to_be_seen(const struct pm_job *job, const struct ipmi_reply *reply)
{
	const struct pm_step *step = &job->steps[job->step];
	bool graceful = step->kind == PM_STEP_CHASSIS_CONTROL && step->control == IPMI_SOFT_SHUTDOWN;

	return pm_outcome_of(reply) == PM_OUTCOME_DOUBTFUL && reply->result != IPMI_CANCELLED && step->goal &&
	       (is_wish(step) || (graceful && !pm_outcome_is_error(reply)));
}

static void look(struct pm_job *job)
{
	job->doubt = true;
	job->doubt_ms = job->heard_ms = now(job);
	job->acted_ms = job->sent_ms;
	wait_for_goal(job);
}

/* A momentary command that may have been done; an answer that says only "error" is a refusal all the same. */
static void end_in_doubt(struct pm_job *job, const struct ipmi_reply *reply)
{
	char text[400];

	snprintf(text, sizeof(text), "%s; it may have been done and is not sent twice: look at the machine",
		 reply->text);
	pm_step_failed(job,
		       reply->result == IPMI_CANCELLED ? PM_RESULT_INTERRUPTED
		       : pm_outcome_is_error(reply)    ? PM_RESULT_REJECTED
						       : PM_RESULT_TIMEOUT,
		       text);
}

static void request_failed(struct pm_job *job, const struct ipmi_reply *reply)
{
	char text[400], tries[32] = "";

	if (current(job)->momentary && pm_outcome_of(reply) == PM_OUTCOME_DOUBTFUL) {
		end_in_doubt(job, reply);
		return;
	}
	if (job->tries > 1)
		snprintf(tries, sizeof(tries), " (tried %u times)", job->tries);
	snprintf(text, sizeof(text), "%s%s", reply->text, tries);
	pm_step_failed(job, pm_outcome_result(reply), text);
}

static void on_reply(const struct ipmi_reply *reply, void *data)
{
	struct pm_job *job = data;
	bool retry, see;

	if (!job->op)
		return; /* cancelled by pm_action_stop() */
	job->op = NULL;
	if (reply->result == IPMI_OK) {
		accepted(job);
		return;
	}
	retry = worth_retrying(job, reply);
	see = is_to_be_seen(job, reply) && (retry || current(job)->momentary);
	if (!retry && !see) {
		request_failed(job, reply);
		return;
	}
	snprintf(job->trouble, sizeof(job->trouble), "%s%s", reply->text,
		 see ? "; it may have been done: look at the machine" : "");
	job->troubled = pm_outcome_result(reply);
	if (see)
		look(job);
	else
		pm_timer_start(job->timer, RETRY_MS);
}

/* A BMC that refuses may forget the boot flags that are set next; they are set all the same. */
static void on_kept(const struct ipmi_reply *reply, void *data)
{
	struct pm_job *job = data;

	if (!job->op)
		return;
	if (reply->result != IPMI_OK && pm_outcome_of(reply) != PM_OUTCOME_REFUSED) {
		on_reply(reply, job);
		return;
	}
	job->op = NULL;
	job->prepared = true;
	job->forgetful = reply->result != IPMI_OK;
	send_request(job);
}

static bool needs_keeping(const struct pm_job *job)
{
	const struct ipmi_request *wish = &job->request.setting;

	return wish->command == IPMI_SET_BOOT_FLAGS && wish->boot.device != IPMI_BOOT_NO_OVERRIDE &&
	       !job->prepared;
}

static void send_request(struct pm_job *job)
{
	const struct pm_step *step = current(job);
	const struct pm_bmc *bmc = job->request.machine->bmc;
	struct ipmi_request request = {.command = IPMI_CHASSIS_CONTROL};

	if (!bmc) { /* a reload is exchanging it just now */
		pm_timer_start(job->timer, TICK_MS);
		return;
	}
	if (step->kind == PM_STEP_BMC_SETTING)
		request = job->request.setting;
	else
		request.control = step->control;
	request.once = step->momentary;
	request.done = on_reply;
	request.data = job;
	if (step->kind == PM_STEP_BMC_SETTING && needs_keeping(job)) {
		request.command = IPMI_KEEP_BOOT_FLAGS;
		request.done = on_kept;
	}
	job->tries++;
	job->sent_ms = now(job);
	job->op = ipmi_bmc_submit(bmc->ipmi, &request);
	if (!job->op)
		pm_step_failed(job, PM_RESULT_INTERNAL_ERROR, "no memory");
}

static void control_timed_out(struct pm_job *job)
{
	char text[256], times[32] = "";
	const struct pm_machine *machine = job->request.machine;

	if (!job->acted) {
		if (job->troubled)
			pm_step_failed(job, job->troubled, job->trouble);
		else
			pm_step_failed(job, PM_RESULT_TIMEOUT, "the BMC did not accept in time");
		return;
	}
	if (job->doubt) {
		pm_step_failed(job, job->troubled, job->trouble);
		return;
	}
	if (job->acceptances > 1)
		snprintf(times, sizeof(times), " %u times", job->acceptances);
	snprintf(text, sizeof(text), "accepted by the BMC%s, but the machine is still %s after %u s", times,
		 pm_power_state_name(machine->observed), current(job)->timeout_s);
	pm_step_failed(job, PM_RESULT_TIMEOUT, text);
}

/* Sent again is only what was looked for and is not so: the machine may have come to the goal and gone on since. */
static bool is_to_be_repeated(const struct pm_job *job)
{
	const struct pm_machine *machine = job->request.machine;

	if (!is_wish(&job->steps[job->step]))
		return false;
	if (!job->doubt)
		return now(job) - job->sent_ms >= REPEAT_MS;
	return machine->source == PM_SOURCE_BMC && machine->observed_loop_ms > job->doubt_ms &&
	       now(job) - job->doubt_ms >= RETRY_MS;
}

/* Nothing came from the BMC, not even parts of a session's set-up, for as long as several tries take. */
static bool is_silent(struct pm_job *job)
{
	const struct pm_machine *machine = job->request.machine;
	uint64_t silence_ms = SILENCES_MAX * ((uint64_t)machine->config->bmc->timeout_ms + RETRY_MS);
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(machine->bmc->ipmi, &stats);
	if (stats.last_contact_ms != job->contact_ms) {
		job->contact_ms = stats.last_contact_ms;
		job->heard_ms = now(job);
	}
	return now(job) - job->heard_ms >= silence_ms;
}

static void control_tick(struct pm_job *job)
{
	if (job->op)
		return;
	if (!job->acted || is_to_be_repeated(job))
		send_request(job);
	else if (job->doubt && is_wish(current(job)) && is_silent(job))
		pm_step_failed(job, job->troubled, job->trouble);
	else
		pm_timer_start(job->timer, TICK_MS);
}

static bool control_satisfied(struct pm_job *job, const char **note)
{
	const struct pm_machine *machine = job->request.machine;
	const struct pm_step *step = current(job);

	*note = job->doubt ? "; the BMC had not confirmed the command" : "";
	if (!job->acted || machine->observed_loop_ms < job->acted_ms || machine->source != PM_SOURCE_BMC)
		return false;
	if (step->control == IPMI_POWER_CYCLE && machine->observed == PM_POWER_OFF)
		job->left_goal = true;
	if (machine->observed != step->goal)
		return false;
	if (step->control != IPMI_POWER_CYCLE || job->left_goal)
		return true;
	*note = "; no poll saw it off in between";
	return now(job) - job->acted_ms >= CYCLE_SETTLE_MS;
}

/* --- steps ------------------------------------------------------------------------------------ */

static void on_timer(void *data)
{
	struct pm_job *job = data;
	bool late = now(job) - job->begun_ms >= (uint64_t)current(job)->timeout_s * 1000;

	if (job->confirming)
		begin_step(job);
	else if (current(job)->kind == PM_STEP_WAKE)
		pm_wake_timer(job, late);
	else if (!job->request.machine->bmc)
		pm_step_failed(job, PM_RESULT_NOT_CONFIGURED, "the BMC is no longer configured");
	else if (late)
		control_timed_out(job);
	else
		control_tick(job);
}

static void act(struct pm_job *job)
{
	job->confirming = false;
	job->state = PM_JOB_RUNNING;
	job->begun_ms = now(job);
	if (current(job)->kind == PM_STEP_WAKE)
		pm_wake_send(job);
	else
		send_request(job);
}

static void begin_step(struct pm_job *job)
{
	pm_action_stop(job);
	job->acted = job->doubt = job->left_goal = job->prepared = job->forgetful = false;
	job->tries = job->failures = job->bursts = job->acceptances = 0;
	job->trouble[0] = '\0';
	job->troubled = 0;
	act(job);
}

/* An idempotent wish that seems fulfilled is confirmed by a fresh answer before anything is sent. */
static bool seems_fulfilled(const struct pm_job *job)
{
	const struct pm_step *last = &job->steps[job->step_count - 1];

	return last->goal && !last->momentary && job->request.action != PM_COMMAND_REBOOT &&
	       job->request.origin != PM_ORIGIN_NIC_WAKE && job->request.machine->observed == last->goal;
}

/* What a machine that is off cannot do; a BMC may accept it all the same (IPMI 2.0, 28.3). */
static bool seems_pointless(const struct pm_job *job)
{
	enum pm_command action = job->request.action;

	return (action == PM_COMMAND_REBOOT || action == PM_COMMAND_RESET ||
		action == PM_COMMAND_DIAGNOSTIC_INTERRUPT) &&
	       job->request.machine->observed == PM_POWER_OFF;
}

/* How long the machine's own source may take to say whether it is so; on_timer() goes on without it then. */
static uint64_t confirm_ms(const struct pm_machine *machine)
{
	return CONFIRM_MARGIN_MS + (machine->bmc             ? machine->config->bmc->timeout_ms
				    : machine->config->probe ? machine->config->probe->timeout_ms
							     : 0);
}

void pm_action_start(struct pm_job *job)
{
	job->was_on = job->request.machine->observed == PM_POWER_ON;
	job->timer = pm_timer_new(job->agent->loop, on_timer, job);
	if (!job->timer) {
		pm_job_finish(job, PM_RESULT_INTERNAL_ERROR, "no memory");
		return;
	}
	if (!job->resumed && !seems_fulfilled(job) && !seems_pointless(job)) {
		begin_step(job);
		return;
	}
	job->confirming = true;
	job->state = PM_JOB_VERIFYING;
	job->begun_ms = now(job);
	pm_timer_start(job->timer, confirm_ms(job->request.machine));
	pm_poll_now(job->request.machine);
}

/* Without a fresh answer the command is sent anyway. */
static void confirm(struct pm_job *job)
{
	const struct pm_machine *machine = job->request.machine;
	bool fresh = machine->observed_loop_ms >= job->begun_ms;
	char text[128];

	if (fresh && seems_pointless(job)) {
		snprintf(text, sizeof(text), "the machine is off: %s does nothing to it, use powerOn",
			 pm_command_name(job->request.action));
		pm_job_finish(job, PM_RESULT_REJECTED, text);
	} else if (fresh && seems_fulfilled(job)) {
		snprintf(text, sizeof(text), "%s already, observed just now by the %s",
			 pm_power_state_name(machine->observed),
			 machine->source == PM_SOURCE_BMC ? "BMC" : "probe");
		pm_job_finish(job, PM_RESULT_ALREADY_IN_STATE, text);
	} else {
		begin_step(job);
	}
}

void pm_action_observed(struct pm_job *job, enum pm_state_source asked)
{
	const char *note;

	if (job->confirming) {
		if (asked == PM_SOURCE_BMC || !job->request.machine->bmc)
			confirm(job);
	} else if (current(job)->kind == PM_STEP_WAKE) {
		pm_wake_observed(job);
	} else if (current(job)->kind == PM_STEP_CHASSIS_CONTROL && control_satisfied(job, &note)) {
		pm_step_reached(job, note);
	}
}
