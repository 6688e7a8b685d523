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

static bool is_setting(const struct pm_step *step)
{
	return step->action == PM_STEP_BMC_IDENTIFY || step->action == PM_STEP_BMC_CONFIGURE;
}

static struct pm_step *current(struct pm_job *job)
{
	return &job->steps[job->run->step];
}

static uint64_t now(const struct pm_job *job)
{
	return uv_now(job->machine->agent->loop);
}

static const char *name_of(const struct pm_job *job)
{
	return job->machine->config->name;
}

static double seconds_since(const struct pm_job *job, uint64_t then_ms)
{
	return (double)(now(job) - then_ms) / 1000.0;
}

/* --- the end of a step ------------------------------------------------------------------------ */

void pm_action_stop(struct pm_job *job)
{
	pm_timer_stop(job->run->timer);
	if (job->run->op) {
		struct ipmi_op *op = job->run->op;

		job->run->op = NULL;
		job->run->cut = true;
		ipmi_op_cancel(op);
	}
	if (job->run->burst) {
		struct wol_burst *burst = job->run->burst;

		job->run->burst = NULL;
		wol_burst_cancel(burst);
	}
}

static bool has_alternative(const struct pm_job *job)
{
	unsigned next = job->run->step + 1;

	return next < job->step_count && job->steps[next].alternative;
}

void pm_step_failed(struct pm_job *job, enum pm_result result, const char *text)
{
	if (!has_alternative(job)) {
		pm_job_finish(job, result, text);
		return;
	}
	pm_log(LOG_WARNING, "%s: job %s: %s; falling back to the next method", name_of(job),
	       pm_job_title(job), text);
	pm_step_ended(job, current(job), result, text);
	job->run->step++;
	begin_step(job);
}

static void step_done(struct pm_job *job, const char *text)
{
	pm_step_ended(job, current(job), PM_RESULT_OK, text);
	while (has_alternative(job)) {
		job->run->step++;
		pm_step_ended(job, current(job), PM_RESULT_ALREADY_IN_STATE, "not needed");
	}
	if (++job->run->step < job->step_count)
		begin_step(job);
	else
		pm_job_finish(job, PM_RESULT_OK, text);
}

void pm_step_reached(struct pm_job *job, const char *note)
{
	char text[400], when[64];
	const struct pm_machine *machine = job->machine;

	if (job->run->before)
		snprintf(when, sizeof(when), "after a restart of the agent");
	else
		snprintf(when, sizeof(when), "%.1f s after the command",
			 seconds_since(job, job->run->begun_ms));
	snprintf(text, sizeof(text), "%s, observed by the %s %s%s", pm_power_state_name(machine->observed),
		 machine->source == PM_SOURCE_BMC ? "BMC" : "probe", when, note);
	step_done(job, text);
}

/* --- chassis control and settings of the BMC -------------------------------------------------- */

static void send_request(struct pm_job *job);

/* Cancelled by pm_action_stop(): all that is still of interest is whether it had left. */
static bool was_cut(struct pm_job *job, const struct ipmi_reply *reply)
{
	if (job->run->op)
		return false;
	job->run->cut_sent = reply->sent;
	return true;
}

/*
 * A BMC that answers at times, as over a network that loses packets, or that has no free session for the moment, is asked
 * for as long as the step may take; one that says nothing at all, or always "not now", a few times; and so is whatever is
 * momentary, which nobody wants minutes later.
 */
static bool worth_retrying(struct pm_job *job, const struct ipmi_reply *reply)
{
	enum pm_outcome outcome = pm_outcome_of(reply);
	bool harmless = outcome == PM_OUTCOME_NOT_DONE ||
			(outcome == PM_OUTCOME_DOUBTFUL && !job->steps[job->run->step].momentary);
	bool wish = !current(job)->momentary;
	bool lives = reply->result == IPMI_TIMEOUT || reply->result == IPMI_SESSIONS_EXHAUSTED;
	unsigned most = wish && reply->result == IPMI_UNREACHABLE ? SILENCES_MAX : FAILURES_MAX;

	if (lives && wish)
		job->run->failures = 0;
	else
		job->run->failures++;
	return harmless && job->run->failures < most;
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

static bool setting_holds(const struct pm_bmc_setting *wish, const struct ipmi_reply *reply)
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
	const struct pm_bmc_setting *wish = &job->spec.setting;
	char text[400];
	bool untold =
	    wish->command == IPMI_CHASSIS_IDENTIFY && reply->chassis.identify == IPMI_IDENTIFY_UNKNOWN;

	if (!job->run->op)
		return;
	job->run->op = NULL;
	if (reply->result != IPMI_OK) {
		snprintf(text, sizeof(text), "accepted by the BMC, but it cannot be read back: %s",
			 reply->text);
		pm_step_failed(job, PM_RESULT_TIMEOUT, text);
		return;
	}
	note_report(job->machine, wish->command == IPMI_SET_BOOT_FLAGS, reply);
	if (!setting_holds(wish, reply))
		pm_step_failed(job, PM_RESULT_REJECTED, "the BMC accepted, but does not report what was set");
	else if (untold)
		step_done(job, "accepted by the BMC, which does not report it");
	else
		step_done(job, job->run->forgetful
				   ? "set, and read back from the BMC, which may forget it after 60 s "
				     "without a power command"
				   : "set, and read back from the BMC");
}

void pm_step_verifying(struct pm_job *job)
{
	struct pm_step *step = current(job);

	if (step->state == PM_JOB_VERIFYING)
		return;
	job->state = step->state = PM_JOB_VERIFYING;
	step->changed = true;
	pm_job_changed_shortly(job);
}

static void verify_setting(struct pm_job *job)
{
	const struct pm_bmc *bmc = job->machine->bmc;
	bool boot = job->spec.setting.command == IPMI_SET_BOOT_FLAGS;
	const struct ipmi_request request = {.command = boot ? IPMI_GET_BOOT_FLAGS : IPMI_GET_CHASSIS_STATUS,
					     .done = on_verified,
					     .data = job};

	pm_step_verifying(job);
	job->run->op = bmc ? ipmi_bmc_submit(bmc->ipmi, &request) : NULL;
	if (!job->run->op)
		pm_step_failed(job, PM_RESULT_INTERRUPTED,
			       "accepted by the BMC, which can no longer be asked");
}

static void wait_for_goal(struct pm_job *job)
{
	job->run->acted = true;
	if (!job->run->doubt)
		pm_step_verifying(job);
	pm_poll_fast(job->machine, true);
	pm_poll_now(job->machine);
	pm_timer_start(job->run->timer, TICK_MS);
}

static void accepted(struct pm_job *job)
{
	const struct pm_step *step = current(job);

	job->run->acted = true;
	job->run->doubt = false;
	job->run->acceptances++;
	job->run->acted_ms = now(job);
	job->run->tries = job->run->failures = 0;
	if (is_setting(step)) {
		verify_setting(job);
	} else if (!step->goal) {
		step_done(job, "accepted by the BMC");
	} else {
		wait_for_goal(job);
	}
}

static bool is_wish(const struct pm_step *step)
{
	return pm_step_is_control(step) &&
	       (pm_step_control(step) == IPMI_POWER_UP || pm_step_control(step) == IPMI_POWER_DOWN);
}

/* It may have been done, and whether it was can be seen: nothing more is sent before that was looked at. */
static bool is_to_be_seen(const struct pm_job *job, const struct ipmi_reply *reply)
{
	const struct pm_step *step = &job->steps[job->run->step];
	bool graceful = pm_step_is_control(step) && pm_step_control(step) == IPMI_SOFT_SHUTDOWN;

	return pm_outcome_of(reply) == PM_OUTCOME_DOUBTFUL && reply->result != IPMI_CANCELLED && step->goal &&
	       (is_wish(step) || (graceful && !pm_outcome_is_error(reply)));
}

static void look(struct pm_job *job)
{
	job->run->doubt = true;
	job->run->doubt_ms = job->run->heard_ms = now(job);
	job->run->acted_ms = job->run->sent_ms;
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
	if (job->run->tries > 1)
		snprintf(tries, sizeof(tries), " (tried %u times)", job->run->tries);
	snprintf(text, sizeof(text), "%s%s", reply->text, tries);
	pm_step_failed(job, pm_outcome_result(reply), text);
}

static void on_reply(const struct ipmi_reply *reply, void *data)
{
	struct pm_job *job = data;
	bool retry, see;

	if (was_cut(job, reply))
		return;
	job->run->op = NULL;
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
	snprintf(job->run->trouble, sizeof(job->run->trouble), "%s%s", reply->text,
		 see ? "; it may have been done: look at the machine" : "");
	job->run->troubled = pm_outcome_result(reply);
	if (see)
		look(job);
	else
		pm_timer_start(job->run->timer, RETRY_MS);
}

/* A BMC that refuses may forget the boot flags that are set next; they are set all the same. */
static void on_kept(const struct ipmi_reply *reply, void *data)
{
	struct pm_job *job = data;

	if (!job->run->op)
		return;
	if (reply->result != IPMI_OK && pm_outcome_of(reply) != PM_OUTCOME_REFUSED) {
		on_reply(reply, job);
		return;
	}
	job->run->op = NULL;
	job->run->prepared = true;
	job->run->forgetful = reply->result != IPMI_OK;
	send_request(job);
}

static bool needs_keeping(const struct pm_job *job)
{
	const struct pm_bmc_setting *wish = &job->spec.setting;

	return wish->command == IPMI_SET_BOOT_FLAGS && wish->boot.device != IPMI_BOOT_NO_OVERRIDE &&
	       !job->run->prepared;
}

static struct ipmi_request request_of(const struct pm_bmc_setting *setting)
{
	struct ipmi_request request = {.command = setting->command};

	switch (setting->command) {
	case IPMI_SET_BOOT_FLAGS:
		request.boot = setting->boot;
		break;
	case IPMI_SET_POWER_RESTORE_POLICY:
		request.restore_policy = setting->restore_policy;
		break;
	default:
		request.identify.mode = setting->identify.mode;
		request.identify.interval_s = setting->identify.interval_s;
	}
	return request;
}

static void send_request(struct pm_job *job)
{
	const struct pm_step *step = current(job);
	const struct pm_bmc *bmc = job->machine->bmc;
	struct ipmi_request request;

	if (!bmc) { /* a reload is exchanging it just now */
		pm_timer_start(job->run->timer, TICK_MS);
		return;
	}
	request = is_setting(step) ? request_of(&job->spec.setting)
				   : (struct ipmi_request){.command = IPMI_CHASSIS_CONTROL,
							   .control = pm_step_control(step)};
	request.once = step->momentary;
	request.done = on_reply;
	request.data = job;
	if (is_setting(step) && needs_keeping(job)) {
		request.command = IPMI_KEEP_BOOT_FLAGS;
		request.done = on_kept;
	}
	job->run->tries++;
	job->run->sent_ms = now(job);
	job->run->op = ipmi_bmc_submit(bmc->ipmi, &request);
	if (!job->run->op)
		pm_step_failed(job, PM_RESULT_INTERNAL_ERROR, "no memory");
}

static void control_timed_out(struct pm_job *job)
{
	char text[256], times[32] = "";
	const struct pm_machine *machine = job->machine;

	if (!job->run->acted) {
		if (job->run->troubled)
			pm_step_failed(job, job->run->troubled, job->run->trouble);
		else
			pm_step_failed(job, PM_RESULT_TIMEOUT, "the BMC did not accept in time");
		return;
	}
	if (job->run->doubt) {
		pm_step_failed(job, job->run->troubled, job->run->trouble);
		return;
	}
	if (job->run->acceptances > 1)
		snprintf(times, sizeof(times), " %u times", job->run->acceptances);
	snprintf(text, sizeof(text), "accepted by the BMC%s, but the machine is still %s after %u s", times,
		 pm_power_state_name(machine->observed), current(job)->timeout_s);
	pm_step_failed(job, PM_RESULT_TIMEOUT, text);
}

/* Sent again is only what was looked for and is not so: the machine may have come to the goal and gone on since. */
static bool is_to_be_repeated(const struct pm_job *job)
{
	const struct pm_machine *machine = job->machine;
	const struct pm_step *step = &job->steps[job->run->step];

	if (!is_wish(step) || (job->run->before && !pm_step_is_repeatable(job, step)))
		return false;
	if (!job->run->doubt)
		return now(job) - job->run->sent_ms >= REPEAT_MS;
	return machine->source == PM_SOURCE_BMC && machine->observed_loop_ms > job->run->doubt_ms &&
	       now(job) - job->run->doubt_ms >= RETRY_MS;
}

/* Nothing came from the BMC, not even parts of a session's set-up, for as long as several tries take. */
static bool is_silent(struct pm_job *job)
{
	const struct pm_machine *machine = job->machine;
	uint64_t silence_ms = SILENCES_MAX * ((uint64_t)machine->config->bmc->timeout_ms + RETRY_MS);
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(machine->bmc->ipmi, &stats);
	if (stats.last_contact_ms != job->run->contact_ms) {
		job->run->contact_ms = stats.last_contact_ms;
		job->run->heard_ms = now(job);
	}
	return now(job) - job->run->heard_ms >= silence_ms;
}

static void control_tick(struct pm_job *job)
{
	if (job->run->op)
		return;
	if (!job->run->acted || is_to_be_repeated(job))
		send_request(job);
	else if (job->run->doubt && is_wish(current(job)) && is_silent(job))
		pm_step_failed(job, job->run->troubled, job->run->trouble);
	else
		pm_timer_start(job->run->timer, TICK_MS);
}

static bool control_satisfied(struct pm_job *job, const char **note)
{
	const struct pm_machine *machine = job->machine;
	const struct pm_step *step = current(job);

	*note = job->run->doubt ? "; the BMC had not confirmed the command" : "";
	if (!job->run->acted || machine->observed_loop_ms < job->run->acted_ms ||
	    machine->source != PM_SOURCE_BMC)
		return false;
	if (pm_step_control(step) == IPMI_POWER_CYCLE && machine->observed == PM_POWER_OFF)
		job->run->left_goal = true;
	if (machine->observed != step->goal)
		return false;
	if (pm_step_control(step) != IPMI_POWER_CYCLE || job->run->left_goal)
		return true;
	*note = "; no poll saw it off in between";
	return now(job) - job->run->acted_ms >= CYCLE_SETTLE_MS;
}

/* --- steps ------------------------------------------------------------------------------------ */

static uint64_t step_left_ms(const struct pm_job *job)
{
	uint64_t timeout_ms = (uint64_t)job->steps[job->run->step].timeout_s * 1000;
	uint64_t gone_ms = now(job) - job->run->begun_ms;

	return gone_ms < timeout_ms ? timeout_ms - gone_ms : 0;
}

static void act(struct pm_job *job)
{
	pm_timer_stop(job->run->timer);
	job->run->begun_ms = now(job);
	if (current(job)->action == PM_STEP_WAKE_SEND)
		pm_wake_send(job);
	else
		send_request(job);
}

/* Not before the journal has it; pm_action_act() comes then. */
static void act_if_written(struct pm_job *job)
{
	if (job->run->gate)
		pm_timer_start(job->run->timer, step_left_ms(job));
	else
		act(job);
}

void pm_action_act(struct pm_job *job)
{
	if (!job->run->confirming)
		act(job);
}

static void describe_journal(const struct pm_job *job, char *text, size_t size)
{
	const char *trouble = job->machine->agent->jobs->store_trouble;

	snprintf(text, size, "nothing was sent: the journal could not be written in time%s%s",
		 *trouble ? ": " : "", trouble);
}

static void journal_timed_out(struct pm_job *job)
{
	char text[400];

	describe_journal(job, text, sizeof(text));
	pm_job_finish(job, PM_RESULT_INTERNAL_ERROR, text);
}

static void on_timer(void *data)
{
	struct pm_job *job = data;
	bool late = step_left_ms(job) == 0;

	if (job->run->confirming) {
		job->run->confirming = false;
		act_if_written(job);
	} else if (job->run->gate) {
		journal_timed_out(job);
	} else if (current(job)->action == PM_STEP_WAKE_SEND) {
		pm_wake_timer(job, late);
	} else if (!job->machine->bmc) {
		pm_step_failed(job, PM_RESULT_NOT_CONFIGURED, "the BMC is no longer configured");
	} else if (late) {
		control_timed_out(job);
	} else {
		control_tick(job);
	}
}

struct pm_timer *pm_action_timer(struct pm_job *job)
{
	return pm_timer_new(job->machine->agent->loop, on_timer, job);
}

static void prepare_step(struct pm_job *job)
{
	struct pm_job_run *run = job->run;

	pm_action_stop(job);
	run->cut = run->confirming = run->acted = run->doubt = run->left_goal = run->prepared =
	    run->forgetful = run->before = false;
	run->tries = run->failures = run->bursts = run->acceptances = 0;
	run->trouble[0] = '\0';
	run->troubled = 0;
	run->begun_ms = now(job);
}

static void write_down(struct pm_job *job)
{
	job->state = PM_JOB_RUNNING;
	pm_step_begun(job, current(job));
	if (!job->run->written)
		pm_gate_close(job);
}

/* Of a job that runs: the next one. */
static void begin_step(struct pm_job *job)
{
	prepare_step(job);
	job->run->resumed = job->run->written = false;
	write_down(job);
	act_if_written(job);
}

/* An idempotent wish that seems fulfilled is confirmed by a fresh answer before anything is sent. */
static bool seems_fulfilled(const struct pm_job *job)
{
	const struct pm_step *last = &job->steps[job->step_count - 1];

	return last->goal && !last->momentary &&
	       (job->spec.action != PM_COMMAND_REBOOT || job->run->step + 1 == job->step_count) &&
	       job->origin != PM_ORIGIN_NIC_WAKE && job->machine->observed == last->goal;
}

/* What a machine that is off cannot do; a BMC may accept it all the same (IPMI 2.0, 28.3). */
static bool seems_pointless(const struct pm_job *job)
{
	enum pm_command action = job->spec.action;

	return job->run->step == 0 &&
	       (action == PM_COMMAND_REBOOT || action == PM_COMMAND_RESET ||
		action == PM_COMMAND_DIAGNOSTIC_INTERRUPT) &&
	       job->machine->observed == PM_POWER_OFF;
}

/* How long the machine's own source may take to say whether it is so; on_timer() goes on without it then. */
static uint64_t confirm_ms(const struct pm_machine *machine)
{
	return CONFIRM_MARGIN_MS + (machine->bmc             ? machine->config->bmc->timeout_ms
				    : machine->config->probe ? machine->config->probe->timeout_ms
							     : 0);
}

static void look_first(struct pm_job *job)
{
	job->run->confirming = true;
	pm_timer_start(job->run->timer, confirm_ms(job->machine));
	pm_poll_now(job->machine);
}

/* How much of the step's time is over; there is always some for a look at the machine. */
static uint64_t wait_already_ms(const struct pm_job *job)
{
	uint64_t timeout_ms = (uint64_t)job->steps[job->run->step].timeout_s * 1000;
	uint64_t look_ms = confirm_ms(job->machine),
		 most_ms = timeout_ms > look_ms ? timeout_ms - look_ms : 0;
	uint64_t since_boot_ms = now(job);

	if (most_ms > since_boot_ms)
		most_ms = since_boot_ms;
	return job->run->step_age_ms < most_ms ? job->run->step_age_ms : most_ms;
}

/* The BMC had accepted before a restart. */
static void wait_on(struct pm_job *job)
{
	struct pm_job_run *run = job->run;

	run->acted = run->before = true;
	run->acceptances = 1;
	run->acted_ms = run->sent_ms = now(job);
	run->begun_ms -= wait_already_ms(job);
	job->state = PM_JOB_VERIFYING;
	if (is_setting(current(job)))
		verify_setting(job);
	else
		wait_for_goal(job);
}

void pm_action_start(struct pm_job *job)
{
	enum pm_job_state state = current(job)->state;

	job->run->was_on = job->machine->observed == PM_POWER_ON;
	prepare_step(job);
	if (state == PM_JOB_VERIFYING && current(job)->action != PM_STEP_WAKE_SEND) {
		wait_on(job);
		return;
	}
	if (state == PM_JOB_SCHEDULED)
		write_down(job);
	if (job->run->resumed || seems_fulfilled(job) || seems_pointless(job))
		look_first(job);
	else
		act_if_written(job);
}

/* Without a fresh answer the command is sent anyway. */
static void confirm(struct pm_job *job)
{
	const struct pm_machine *machine = job->machine;
	bool fresh = machine->observed_loop_ms >= job->run->begun_ms;
	char text[128];

	if (fresh && seems_pointless(job)) {
		snprintf(text, sizeof(text), "the machine is off: %s does nothing to it, use powerOn",
			 pm_command_name(job->spec.action));
		pm_job_finish(job, PM_RESULT_REJECTED, text);
	} else if (fresh && seems_fulfilled(job)) {
		snprintf(text, sizeof(text), "%s already, observed by the %s when the job began",
			 pm_power_state_name(machine->observed),
			 machine->source == PM_SOURCE_BMC ? "BMC" : "probe");
		pm_job_finish(job, PM_RESULT_ALREADY_IN_STATE, text);
	} else {
		job->run->confirming = false;
		act_if_written(job);
	}
}

void pm_action_observed(struct pm_job *job, enum pm_state_source asked)
{
	const char *note;

	if (job->run->confirming) {
		if (asked == PM_SOURCE_BMC || !job->machine->bmc)
			confirm(job);
	} else if (job->run->gate) {
		return;
	} else if (current(job)->action == PM_STEP_WAKE_SEND) {
		pm_wake_observed(job);
	} else if (pm_step_is_control(current(job)) && control_satisfied(job, &note)) {
		pm_step_reached(job, note);
	}
}

/* --- pmJobTimeout ----------------------------------------------------------------------------- */

void pm_action_over(struct pm_job *job)
{
	char text[400], done[300];

	if (job->run->gate)
		describe_journal(job, done, sizeof(done));
	else
		pm_action_describe_end(job, done, sizeof(done));
	snprintf(text, sizeof(text), "pmJobTimeout of %u s is over: %s", job->spec.timeout_s, done);
	if (current(job)->action == PM_STEP_WAKE_SEND)
		pm_wake_over(job);
	pm_job_finish(job, PM_RESULT_TIMEOUT, text);
}
