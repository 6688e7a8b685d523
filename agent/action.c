/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the steps of a job: sends, waits until the goal is observed, repeats what may be repeated, falls back. */
#include "agent/event.h"
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/notify.h"
#include "agent/poll.h"
#include "agent/state.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS            250
#define RETRY_MS           2000  /* after a request without an answer */
#define TRIES_MAX          3     /* of a request that is not answered, until the step fails */
#define REPEAT_MS          15000 /* power up, power down: accepted, but the state does not come */
#define CYCLE_SETTLE_MS    8000  /* a cycle so short that no poll saw the machine off */
#define BURST_PAUSE_MS     5000  /* after the first burst; twice as long after each further one */
#define BURST_PAUSE_MAX_MS 30000
#define CONFIRM_MARGIN_MS  1000
#define BURSTS_UNSEEN_MAX  2

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

static void stop_step(struct pm_job *job)
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

void pm_action_stop(struct pm_job *job)
{
	stop_step(job);
}

static void step_failed(struct pm_job *job, enum pm_result result, const char *text)
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

static void goal_reached(struct pm_job *job, const char *note)
{
	char text[400];
	const struct pm_machine *machine = job->request.machine;

	snprintf(text, sizeof(text), "%s, observed by the %s %.1f s after the command%s",
		 pm_power_state_name(machine->observed), machine->source == PM_SOURCE_BMC ? "BMC" : "probe",
		 seconds_since(job, job->begun_ms), note);
	step_done(job, text);
}

static enum pm_result result_of(enum ipmi_result result)
{
	switch (result) {
	case IPMI_OK:
		return PM_RESULT_OK;
	case IPMI_TIMEOUT:
		return PM_RESULT_TIMEOUT;
	case IPMI_UNREACHABLE:
		return PM_RESULT_UNREACHABLE;
	case IPMI_AUTH_FAILED:
		return PM_RESULT_AUTH_FAILED;
	case IPMI_INTERNAL:
		return PM_RESULT_INTERNAL_ERROR;
	case IPMI_CANCELLED:
		return PM_RESULT_ABORTED;
	default:
		return PM_RESULT_REJECTED;
	}
}

/* --- chassis control and settings of the BMC -------------------------------------------------- */

static void send_request(struct pm_job *job);

/* IPMI 2.0, table 5-2: with C0h nothing was done; with C3h and CEh it may have been, only the answer is missing. */
static bool was_not_done(const struct ipmi_reply *reply)
{
	bool unanswered = reply->result == IPMI_TIMEOUT || reply->result == IPMI_CANCELLED ||
			  reply->result == IPMI_UNREACHABLE;

	return (unanswered && !reply->sent) ||
	       (reply->result == IPMI_REJECTED && reply->completion_code == 0xc0);
}

static bool may_have_been_done(const struct ipmi_reply *reply)
{
	bool unanswered = reply->result == IPMI_TIMEOUT || reply->result == IPMI_CANCELLED ||
			  reply->result == IPMI_UNREACHABLE;

	return (unanswered && reply->sent) ||
	       (reply->result == IPMI_REJECTED &&
		(reply->completion_code == 0xc3 || reply->completion_code == 0xce));
}

static bool worth_retrying(const struct pm_job *job, const struct ipmi_reply *reply)
{
	bool harmless = was_not_done(reply) || reply->result == IPMI_SESSIONS_EXHAUSTED;

	if (!job->steps[job->step].momentary)
		harmless |= may_have_been_done(reply);
	return harmless && job->tries < TRIES_MAX;
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
	bool untold =
	    wish->command == IPMI_CHASSIS_IDENTIFY && reply->chassis.identify == IPMI_IDENTIFY_UNKNOWN;

	if (!job->op)
		return;
	job->op = NULL;
	if (reply->result != IPMI_OK) {
		step_failed(job, result_of(reply->result), reply->text);
		return;
	}
	note_report(job->request.machine, wish->command == IPMI_SET_BOOT_FLAGS, reply);
	if (!setting_holds(wish, reply))
		step_failed(job, PM_RESULT_REJECTED, "the BMC accepted, but does not report what was set");
	else
		step_done(job, untold ? "accepted by the BMC, which does not report it"
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
		step_failed(job, PM_RESULT_INTERRUPTED, "accepted by the BMC, which can no longer be asked");
}

static void accepted(struct pm_job *job)
{
	const struct pm_step *step = current(job);

	job->acted = true;
	job->acceptances++;
	job->acted_ms = now(job);
	job->tries = 0;
	if (step->kind == PM_STEP_BMC_SETTING) {
		verify_setting(job);
	} else if (!step->goal) {
		step_done(job, "accepted by the BMC");
	} else {
		job->state = PM_JOB_VERIFYING;
		pm_poll_fast(job->request.machine, true);
		pm_poll_now(job->request.machine);
		pm_timer_start(job->timer, TICK_MS);
	}
}

static void request_failed(struct pm_job *job, const struct ipmi_reply *reply)
{
	char text[400], tries[32] = "";

	if (job->tries > 1)
		snprintf(tries, sizeof(tries), " (tried %u times)", job->tries);
	if (current(job)->momentary && may_have_been_done(reply)) {
		snprintf(text, sizeof(text),
			 "%s; it may have been done and is not sent twice: look at the machine", reply->text);
		step_failed(job, reply->result == IPMI_CANCELLED ? PM_RESULT_INTERRUPTED : PM_RESULT_TIMEOUT,
			    text);
	} else {
		snprintf(text, sizeof(text), "%s%s", reply->text, tries);
		step_failed(job, result_of(reply->result), text);
	}
}

static void on_reply(const struct ipmi_reply *reply, void *data)
{
	struct pm_job *job = data;

	if (!job->op)
		return; /* cancelled by stop_step() */
	job->op = NULL;
	if (reply->result == IPMI_OK) {
		accepted(job);
	} else if (worth_retrying(job, reply)) {
		snprintf(job->trouble, sizeof(job->trouble), "%s", reply->text);
		job->troubled = result_of(reply->result);
		pm_timer_start(job->timer, RETRY_MS);
	} else {
		request_failed(job, reply);
	}
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
	job->tries++;
	job->sent_ms = now(job);
	job->op = ipmi_bmc_submit(bmc->ipmi, &request);
	if (!job->op)
		step_failed(job, PM_RESULT_INTERNAL_ERROR, "no memory");
}

static void control_timed_out(struct pm_job *job)
{
	char text[256];
	const struct pm_machine *machine = job->request.machine;

	if (!job->acted) {
		if (job->troubled)
			step_failed(job, job->troubled, job->trouble);
		else
			step_failed(job, PM_RESULT_TIMEOUT, "the BMC did not accept in time");
		return;
	}
	snprintf(text, sizeof(text), "accepted by the BMC %u times, but the machine is still %s after %u s",
		 job->acceptances, pm_power_state_name(machine->observed), current(job)->timeout_s);
	step_failed(job, PM_RESULT_TIMEOUT, text);
}

static void control_tick(struct pm_job *job)
{
	const struct pm_step *step = current(job);
	bool wish = step->control == IPMI_POWER_UP || step->control == IPMI_POWER_DOWN;

	if (job->op)
		return;
	if (!job->acted || (wish && now(job) - job->sent_ms >= REPEAT_MS))
		send_request(job);
	else
		pm_timer_start(job->timer, TICK_MS);
}

static bool control_satisfied(struct pm_job *job, const char **note)
{
	const struct pm_machine *machine = job->request.machine;
	const struct pm_step *step = current(job);

	*note = "";
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

/* --- wake ------------------------------------------------------------------------------------- */

static void tell_wake(struct pm_job *job, struct pm_nic *nic, bool seen, const char *text)
{
	struct pm_notification notification = {.type = seen ? PM_NOTIFY_WAKE_SEEN : PM_NOTIFY_WAKE_NOT_SEEN,
					       .nic = nic->index};

	notification.event_index =
	    pm_event_add(nic->machine, seen ? PM_EVENT_WAKE_SEEN : PM_EVENT_WAKE_NOT_SEEN,
			 seen ? PM_SEVERITY_OK : PM_SEVERITY_CRITICAL, "%s", text);
	notification.result = nic->last_result;
	memcpy(notification.mac, nic->config->mac, sizeof(notification.mac));
	snprintf(notification.interface, sizeof(notification.interface), "%s", nic->interface);
	snprintf(notification.text, sizeof(notification.text), "%s", text);
	pm_notify(job->agent, nic->machine, &notification);
}

/* Whether anything can tell that the machine is up. */
static bool observable(const struct pm_machine *machine)
{
	return machine->bmc || (machine->config->probe && !*machine->probe_trouble);
}

static const char *why_unobservable(const struct pm_machine *machine)
{
	return *machine->probe_trouble ? machine->probe_trouble : "neither a bmc nor a probe is configured";
}

static void wake_failed(struct pm_job *job, struct pm_nic *nic, enum pm_result result, const char *text)
{
	nic->last_result = result;
	if (result == PM_RESULT_WAKE_NOT_SEEN)
		tell_wake(job, nic, false, text);
	step_failed(job, result, text);
}

static void wake_ok(struct pm_job *job, struct pm_nic *nic)
{
	char note[200];

	if (job->packets_seen) {
		nic->last_result = PM_RESULT_OK;
		snprintf(note, sizeof(note), "%s; %u of %u magic packets seen on the wire",
			 job->was_on ? ", as it was before" : "", job->packets_seen, job->packets_sent);
	} else {
		nic->last_result = PM_RESULT_WAKE_NOT_SEEN;
		snprintf(note, sizeof(note), "; no magic packet was seen on the wire: %.100s", job->trouble);
		tell_wake(job, nic, false, job->trouble);
	}
	goal_reached(job, note);
}

static bool up(const struct pm_job *job)
{
	const struct pm_machine *machine = job->request.machine;

	return machine->observed == PM_POWER_ON && job->acted && machine->observed_loop_ms >= job->begun_ms;
}

static void burst_done(struct pm_job *job, struct pm_nic *nic, const struct wol_report *report)
{
	char text[256];
	uint64_t pause_ms = (uint64_t)BURST_PAUSE_MS << (job->bursts < 4 ? job->bursts - 1 : 3);

	if (report->result != WOL_OK)
		snprintf(job->trouble, sizeof(job->trouble), "%s", report->text);
	if (report->result == WOL_FAILED && !job->acted) {
		wake_failed(job, nic, PM_RESULT_WAKE_NOT_SEEN, job->trouble);
	} else if (up(job)) {
		wake_ok(job, nic);
	} else if (report->result == WOL_NOT_SEEN && !job->packets_seen && job->bursts >= BURSTS_UNSEEN_MAX) {
		wake_failed(job, nic, PM_RESULT_WAKE_NOT_SEEN, job->trouble);
	} else if (!observable(job->request.machine)) {
		snprintf(
		    text, sizeof(text),
		    "%u of %u magic packets seen on the wire; nothing can tell whether the machine is up: %s",
		    job->packets_seen, job->packets_sent, why_unobservable(job->request.machine));
		wake_failed(job, nic,
			    job->packets_seen ? PM_RESULT_WAKE_NO_RESPONSE : PM_RESULT_WAKE_NOT_SEEN, text);
	} else {
		pm_timer_start(job->timer, pause_ms < BURST_PAUSE_MAX_MS ? pause_ms : BURST_PAUSE_MAX_MS);
	}
}

static void packet_sent(struct pm_job *job, struct pm_nic *nic, const struct wol_report *report)
{
	char mac[18];

	nic->wake_sent++;
	job->burst_sent++;
	nic->last_sent_ms = (int64_t)report->time.tv_sec * 1000 + report->time.tv_nsec / 1000000;
	job->acted = true;
	if (job->packets_sent++)
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", nic->config->mac[0], nic->config->mac[1],
		 nic->config->mac[2], nic->config->mac[3], nic->config->mac[4], nic->config->mac[5]);
	pm_event_add(nic->machine, PM_EVENT_WAKE_SENT, PM_SEVERITY_OK, "magic packet for %s (%s) sent on %s",
		     nic->config->name, mac, *report->interface ? report->interface : nic->address);
}

static void packet_seen(struct pm_job *job, struct pm_nic *nic, const struct wol_report *report)
{
	char text[128];

	nic->wake_seen++;
	job->burst_seen++;
	nic->last_seen_ms = (int64_t)report->time.tv_sec * 1000 + report->time.tv_nsec / 1000000;
	if (job->packets_seen++)
		return;
	snprintf(text, sizeof(text), "magic packet for %s seen on %s", nic->config->name, report->interface);
	tell_wake(job, nic, true, text);
}

static void nic_gone(struct pm_job *job)
{
	step_failed(job, PM_RESULT_NOT_CONFIGURED, "the NIC is no longer configured");
}

static void burst_event(struct pm_job *job, struct pm_nic *nic, const struct wol_report *report)
{
	if (report->event == WOL_EVENT_SENT)
		packet_sent(job, nic, report);
	else if (report->event == WOL_EVENT_SEEN)
		packet_seen(job, nic, report);
	else
		burst_done(job, nic, report);
}

static void on_wol(const struct wol_report *report, void *data)
{
	struct pm_job *job = data;
	struct pm_nic *nic = pm_plan_nic(job->request.machine, job->request.nic);
	bool done = report->event == WOL_EVENT_DONE;
	bool cancelled = !job->burst; /* by stop_step() */

	if (done)
		job->burst = NULL;
	if (nic && done) { /* a burst that is cut short has not reported all it did */
		nic->wake_sent += report->sent - job->burst_sent;
		nic->wake_seen += report->seen - job->burst_seen;
	}
	if (!cancelled && nic)
		burst_event(job, nic, report);
	else if (!cancelled && done)
		nic_gone(job);
}

static void send_burst(struct pm_job *job)
{
	const struct pm_machine *machine = job->request.machine;
	struct pm_nic *nic = pm_plan_nic(machine, job->request.nic);
	struct wol_target target = {0};

	if (!nic) {
		nic_gone(job);
		return;
	}
	target.method = nic->wol == PM_WOL_UDP ? WOL_UDP : WOL_ETHERNET;
	target.port = nic->port;
	memcpy(target.mac, nic->config->mac, sizeof(target.mac));
	snprintf(target.interface, sizeof(target.interface), "%s", nic->interface);
	snprintf(target.address, sizeof(target.address), "%s",
		 *nic->address ? nic->address : "255.255.255.255");
	target.secureon_length = nic->config->secureon.length;
	if (target.secureon_length)
		memcpy(target.secureon, nic->config->secureon.data, target.secureon_length);
	if (job->bursts++ == 0)
		nic->last_result = PM_RESULT_NONE;
	job->burst_sent = job->burst_seen = 0;
	job->burst = wol_burst_start(job->agent->wol, &target, machine->config->wol_repeats,
				     machine->config->wol_repeat_interval_ms, on_wol, job);
	explicit_bzero(&target, sizeof(target));
	if (!job->burst)
		step_failed(job, PM_RESULT_INTERNAL_ERROR, "no memory");
	else
		pm_poll_fast(job->request.machine, true);
}

static void wake_timed_out(struct pm_job *job, struct pm_nic *nic)
{
	char text[256];

	if (job->packets_seen) {
		snprintf(text, sizeof(text),
			 "%u of %u magic packets seen on the wire, but the machine did not come up in %u s",
			 job->packets_seen, job->packets_sent, current(job)->timeout_s);
		pm_event_add(nic->machine, PM_EVENT_WAKE_NO_RESPONSE, PM_SEVERITY_WARNING, "%s", text);
		wake_failed(job, nic, PM_RESULT_WAKE_NO_RESPONSE, text);
	} else {
		wake_failed(job, nic, PM_RESULT_WAKE_NOT_SEEN, job->trouble);
	}
}

/* --- steps ------------------------------------------------------------------------------------ */

static void wake_timer(struct pm_job *job, bool late)
{
	struct pm_nic *nic = pm_plan_nic(job->request.machine, job->request.nic);

	if (nic && late)
		wake_timed_out(job, nic);
	else
		send_burst(job); /* says so when the NIC has gone */
}

static void on_timer(void *data)
{
	struct pm_job *job = data;
	bool late = now(job) - job->begun_ms >= (uint64_t)current(job)->timeout_s * 1000;

	if (job->confirming)
		begin_step(job);
	else if (current(job)->kind == PM_STEP_WAKE)
		wake_timer(job, late);
	else if (!job->request.machine->bmc)
		step_failed(job, PM_RESULT_NOT_CONFIGURED, "the BMC is no longer configured");
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
		send_burst(job);
	else
		send_request(job);
}

static void begin_step(struct pm_job *job)
{
	stop_step(job);
	job->acted = job->left_goal = false;
	job->tries = job->bursts = job->acceptances = 0;
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
		struct pm_nic *nic = pm_plan_nic(job->request.machine, job->request.nic);

		if (nic && up(job) && (job->packets_seen || !job->burst))
			wake_ok(job, nic);
	} else if (current(job)->kind == PM_STEP_CHASSIS_CONTROL && control_satisfied(job, &note)) {
		goal_reached(job, note);
	}
}
