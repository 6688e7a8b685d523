/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps of a BMC, chassis control and settings: sends, waits until the goal is observed, repeats what may be repeated. */
#include "agent/job_private.h"
#include "agent/os.h"
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

static void send_request(struct pm_step_run *run);

static bool is_setting(const struct pm_step *step)
{
	return step->action == PM_STEP_BMC_IDENTIFY || step->action == PM_STEP_BMC_CONFIGURE;
}

/* --- chassis control and settings of the BMC -------------------------------------------------- */

/* Cancelled by stop(): all that is still of interest is whether it had left. */
static bool was_cut(struct pm_step_run *run, const struct ipmi_reply *reply)
{
	if (run->bmc.op)
		return false;
	run->cut_sent = reply->sent;
	return true;
}

/*
 * A BMC that answers at times, as over a network that loses packets, or that has no free session for the moment, is asked
 * for as long as the step may take; one that says nothing at all, or always "not now", a few times; and so is whatever is
 * momentary, which nobody wants minutes later.
 */
static bool worth_retrying(struct pm_step_run *run, const struct ipmi_reply *reply)
{
	enum pm_outcome outcome = pm_outcome_of(reply);
	bool harmless =
	    outcome == PM_OUTCOME_NOT_DONE || (outcome == PM_OUTCOME_DOUBTFUL && !pm_step_of(run)->momentary);
	bool wish = !pm_step_of(run)->momentary;
	bool lives = reply->result == IPMI_TIMEOUT || reply->result == IPMI_SESSIONS_EXHAUSTED;
	unsigned most = wish && reply->result == IPMI_UNREACHABLE ? SILENCES_MAX : FAILURES_MAX;

	if (lives && wish)
		run->failures = 0;
	else
		run->failures++;
	return harmless && run->failures < most;
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
	struct pm_step_run *run = data;
	const struct pm_bmc_setting *wish = &run->job->spec.setting;
	char text[400];
	bool untold =
	    wish->command == IPMI_CHASSIS_IDENTIFY && reply->chassis.identify == IPMI_IDENTIFY_UNKNOWN;

	if (!run->bmc.op)
		return;
	run->bmc.op = NULL;
	if (reply->result != IPMI_OK) {
		snprintf(text, sizeof(text), "accepted by the BMC, but it cannot be read back: %s",
			 reply->text);
		pm_step_failed(run, PM_RESULT_TIMEOUT, text);
		return;
	}
	note_report(run->job->machine, wish->command == IPMI_SET_BOOT_FLAGS, reply);
	if (!setting_holds(wish, reply))
		pm_step_failed(run, PM_RESULT_REJECTED, "the BMC accepted, but does not report what was set");
	else if (untold)
		pm_step_done(run, PM_RESULT_OK, "accepted by the BMC, which does not report it");
	else
		pm_step_done(run, PM_RESULT_OK,
			     run->bmc.forgetful
				 ? "set, and read back from the BMC, which may forget it after 60 s "
				   "without a power command"
				 : "set, and read back from the BMC");
}

static void verify_setting(struct pm_step_run *run)
{
	const struct pm_bmc *bmc = run->job->machine->bmc;
	bool boot = run->job->spec.setting.command == IPMI_SET_BOOT_FLAGS;
	const struct ipmi_request request = {.command = boot ? IPMI_GET_BOOT_FLAGS : IPMI_GET_CHASSIS_STATUS,
					     .done = on_verified,
					     .data = run};

	pm_step_verifying(run);
	run->bmc.op = bmc ? ipmi_bmc_submit(bmc->ipmi, &request) : NULL;
	if (!run->bmc.op)
		pm_step_failed(run, PM_RESULT_INTERRUPTED,
			       "accepted by the BMC, which can no longer be asked");
}

static void wait_for_goal(struct pm_step_run *run)
{
	run->acted = true;
	if (!run->bmc.doubt)
		pm_step_verifying(run);
	pm_poll_fast(run->job->machine, true);
	pm_poll_now(run->job->machine);
	pm_timer_start(run->timer, TICK_MS);
}

/* What slept has lost its power, and is off like any other. */
static void end_sleep(struct pm_machine *machine, const struct pm_step *step)
{
	enum pm_rest rest = machine->os ? machine->os->rest : PM_REST_NONE;
	bool cuts = pm_step_is_control(step) && pm_step_control(step) != IPMI_POWER_UP &&
		    pm_step_control(step) != IPMI_SOFT_SHUTDOWN &&
		    pm_step_control(step) != IPMI_DIAGNOSTIC_INTERRUPT;

	if (cuts && (rest == PM_REST_SUSPENDED || rest == PM_REST_HIBERNATED))
		pm_os_rests(machine, PM_REST_NONE, "");
}

static void accepted(struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);

	end_sleep(run->job->machine, step);

	run->acted = true;
	run->bmc.doubt = false;
	run->acceptances++;
	run->acted_ms = pm_step_now(run);
	run->tries = run->failures = 0;
	if (is_setting(step)) {
		verify_setting(run);
	} else if (!step->goal) {
		pm_step_done(run, PM_RESULT_OK, "accepted by the BMC");
	} else {
		wait_for_goal(run);
	}
}

static bool is_wish(const struct pm_step *step)
{
	return pm_step_is_control(step) &&
	       (pm_step_control(step) == IPMI_POWER_UP || pm_step_control(step) == IPMI_POWER_DOWN);
}

/* It may have been done, and whether it was can be seen: nothing more is sent before that was looked at. */
static bool is_to_be_seen(const struct pm_step_run *run, const struct ipmi_reply *reply)
{
	const struct pm_step *step = pm_step_of(run);
	bool graceful = pm_step_is_control(step) && pm_step_control(step) == IPMI_SOFT_SHUTDOWN;

	return pm_outcome_of(reply) == PM_OUTCOME_DOUBTFUL && reply->result != IPMI_CANCELLED && step->goal &&
	       (is_wish(step) || (graceful && !pm_outcome_is_error(reply)));
}

static void look(struct pm_step_run *run)
{
	run->bmc.doubt = true;
	run->bmc.doubt_ms = run->bmc.heard_ms = pm_step_now(run);
	run->acted_ms = run->sent_ms;
	wait_for_goal(run);
}

/* A momentary command that may have been done; an answer that says only "error" is a refusal all the same. */
static void end_in_doubt(struct pm_step_run *run, const struct ipmi_reply *reply)
{
	char text[400];

	snprintf(text, sizeof(text), "%s; it may have been done and is not sent twice: look at the machine",
		 reply->text);
	pm_step_failed(run,
		       reply->result == IPMI_CANCELLED ? PM_RESULT_INTERRUPTED
		       : pm_outcome_is_error(reply)    ? PM_RESULT_REJECTED
						       : PM_RESULT_TIMEOUT,
		       text);
}

static void request_failed(struct pm_step_run *run, const struct ipmi_reply *reply)
{
	char text[400], tries[32] = "";

	if (pm_step_of(run)->momentary && pm_outcome_of(reply) == PM_OUTCOME_DOUBTFUL) {
		end_in_doubt(run, reply);
		return;
	}
	if (run->tries > 1)
		snprintf(tries, sizeof(tries), " (tried %u times)", run->tries);
	snprintf(text, sizeof(text), "%s%s", reply->text, tries);
	pm_step_failed(run, pm_outcome_result(reply), text);
}

static void on_reply(const struct ipmi_reply *reply, void *data)
{
	struct pm_step_run *run = data;
	bool retry, see;

	if (was_cut(run, reply))
		return;
	run->bmc.op = NULL;
	if (reply->result == IPMI_OK) {
		accepted(run);
		return;
	}
	retry = worth_retrying(run, reply);
	see = is_to_be_seen(run, reply) && (retry || pm_step_of(run)->momentary);
	if (!retry && !see) {
		request_failed(run, reply);
		return;
	}
	snprintf(run->trouble, sizeof(run->trouble), "%s%s", reply->text,
		 see ? "; it may have been done: look at the machine" : "");
	run->troubled = pm_outcome_result(reply);
	if (see)
		look(run);
	else
		pm_timer_start(run->timer, RETRY_MS);
}

/* A BMC that refuses may forget the boot flags that are set next; they are set all the same. */
static void on_kept(const struct ipmi_reply *reply, void *data)
{
	struct pm_step_run *run = data;

	if (!run->bmc.op)
		return;
	if (reply->result != IPMI_OK && pm_outcome_of(reply) != PM_OUTCOME_REFUSED) {
		on_reply(reply, run);
		return;
	}
	run->bmc.op = NULL;
	run->bmc.prepared = true;
	run->bmc.forgetful = reply->result != IPMI_OK;
	send_request(run);
}

static bool needs_keeping(const struct pm_step_run *run)
{
	const struct pm_bmc_setting *wish = &run->job->spec.setting;

	return wish->command == IPMI_SET_BOOT_FLAGS && wish->boot.device != IPMI_BOOT_NO_OVERRIDE &&
	       !run->bmc.prepared;
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

static void send_request(struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);
	const struct pm_bmc *bmc = run->job->machine->bmc;
	struct ipmi_request request;

	if (!bmc) { /* a reload is exchanging it just now */
		pm_timer_start(run->timer, TICK_MS);
		return;
	}
	request = is_setting(step) ? request_of(&run->job->spec.setting)
				   : (struct ipmi_request){.command = IPMI_CHASSIS_CONTROL,
							   .control = pm_step_control(step)};
	request.once = step->momentary;
	request.done = on_reply;
	request.data = run;
	if (is_setting(step) && needs_keeping(run)) {
		request.command = IPMI_KEEP_BOOT_FLAGS;
		request.done = on_kept;
	}
	if (pm_step_is_control(step) && !pm_step_may_send(run))
		return;
	run->tries++;
	run->sent_ms = pm_step_now(run);
	run->bmc.op = ipmi_bmc_submit(bmc->ipmi, &request);
	if (!run->bmc.op)
		pm_step_failed(run, PM_RESULT_INTERNAL_ERROR, "no memory");
}

static void control_timed_out(struct pm_step_run *run)
{
	char text[256], times[32] = "";
	const struct pm_machine *machine = run->job->machine;

	if (!run->acted) {
		if (run->troubled)
			pm_step_failed(run, run->troubled, run->trouble);
		else
			pm_step_failed(run, PM_RESULT_TIMEOUT, "the BMC did not accept in time");
		return;
	}
	if (run->bmc.doubt) {
		pm_step_failed(run, run->troubled, run->trouble);
		return;
	}
	if (run->acceptances > 1)
		snprintf(times, sizeof(times), " %u times", run->acceptances);
	snprintf(text, sizeof(text), "accepted by the BMC%s, but the machine is still %s after %u s", times,
		 pm_power_state_name(machine->observed), pm_step_of(run)->timeout_s);
	pm_step_failed(run, PM_RESULT_TIMEOUT, text);
}

/* Sent again is only what was looked for and is not so: the machine may have come to the goal and gone on since. */
static bool is_to_be_repeated(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	const struct pm_step *step = pm_step_of(run);

	if (!is_wish(step) || (run->before && !pm_step_is_repeatable(run->job, step)))
		return false;
	if (!run->bmc.doubt)
		return pm_step_now(run) - run->sent_ms >= REPEAT_MS;
	return machine->source == PM_SOURCE_BMC && machine->observed_loop_ms > run->bmc.doubt_ms &&
	       pm_step_now(run) - run->bmc.doubt_ms >= RETRY_MS;
}

/* Nothing came from the BMC, not even parts of a session's set-up, for as long as several tries take. */
static bool is_silent(struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	uint64_t silence_ms = SILENCES_MAX * ((uint64_t)machine->config->bmc->timeout_ms + RETRY_MS);
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(machine->bmc->ipmi, &stats);
	if (stats.last_contact_ms != run->bmc.contact_ms) {
		run->bmc.contact_ms = stats.last_contact_ms;
		run->bmc.heard_ms = pm_step_now(run);
	}
	return pm_step_now(run) - run->bmc.heard_ms >= silence_ms;
}

static void control_tick(struct pm_step_run *run)
{
	if (run->bmc.op)
		return;
	if (!run->acted || is_to_be_repeated(run))
		send_request(run);
	else if (run->bmc.doubt && is_wish(pm_step_of(run)) && is_silent(run))
		pm_step_failed(run, run->troubled, run->trouble);
	else
		pm_timer_start(run->timer, TICK_MS);
}

static bool control_satisfied(struct pm_step_run *run, const char **note)
{
	const struct pm_machine *machine = run->job->machine;
	const struct pm_step *step = pm_step_of(run);

	*note = run->bmc.doubt ? "; the BMC had not confirmed the command" : "";
	if (!run->acted || machine->observed_loop_ms < run->acted_ms || machine->source != PM_SOURCE_BMC)
		return false;
	if (pm_step_control(step) == IPMI_POWER_CYCLE && machine->observed == PM_POWER_OFF)
		run->bmc.left_goal = true;
	if (machine->observed != step->goal)
		return false;
	if (pm_step_control(step) != IPMI_POWER_CYCLE || run->bmc.left_goal)
		return true;
	*note = "; no poll saw it off in between";
	return pm_step_now(run) - run->acted_ms >= CYCLE_SETTLE_MS;
}

/* --- the kind --------------------------------------------------------------------------------- */

/* The BMC had accepted before a restart. */
static void resume(struct pm_step_run *run)
{
	run->acted = true;
	run->acceptances = 1;
	run->acted_ms = run->sent_ms = pm_step_now(run);
	run->begun_ms -= pm_step_wait_already_ms(run, pm_machine_look_ms(run->job->machine));
	if (is_setting(pm_step_of(run)))
		verify_setting(run);
	else
		wait_for_goal(run);
}

static void on_timer(struct pm_step_run *run, bool late)
{
	if (!run->job->machine->bmc)
		pm_step_failed(run, PM_RESULT_NOT_CONFIGURED, "the BMC is no longer configured");
	else if (late)
		control_timed_out(run);
	else
		control_tick(run);
}

static void observed(struct pm_step_run *run, enum pm_state_source asked)
{
	const char *note;

	if (run->confirming)
		pm_machine_looked(run, asked);
	else if (pm_step_is_control(pm_step_of(run)) && control_satisfied(run, &note))
		pm_step_reached(run, note);
}

static void stop(struct pm_step_run *run)
{
	struct ipmi_op *op = run->bmc.op;

	if (!op)
		return;
	run->bmc.op = NULL;
	run->cut = true;
	ipmi_op_cancel(op);
}

static void describe(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	const char *command = pm_step_words(pm_step_of(run));
	uint64_t since_ms = pm_step_now(run) - run->acted_ms;

	if (run->bmc.doubt)
		snprintf(text, size, "%s was sent to the BMC, which did not confirm it", command);
	else if (run->before)
		snprintf(text, size, "%s was accepted by the BMC before a restart of the agent", command);
	else if (run->acted)
		snprintf(text, size, "%s was accepted by the BMC %.1f s %s", command,
			 (double)since_ms / 1000.0, ago);
	else if (run->bmc.op)
		snprintf(text, size, "%s is given to the BMC, which has not answered yet", command);
	else if (run->cut && run->cut_sent)
		snprintf(text, size, "%s was sent to the BMC, which had not answered", command);
	else if (*run->trouble)
		snprintf(text, size, "%s was not accepted: %s", command, run->trouble);
	else
		snprintf(text, size, "%s was not sent yet", command);
}

const struct pm_step_kind pm_step_bmc = {.look = pm_machine_look,
					 .act = send_request,
					 .resume = resume,
					 .on_timer = on_timer,
					 .observed = observed,
					 .stop = stop,
					 .describe = describe};
