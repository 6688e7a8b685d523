/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The step that wakes a machine: bursts of magic packets, proved on the wire, until the machine is observed up. */
#include "agent/event.h"
#include "agent/job_private.h"
#include "agent/notify.h"
#include "agent/poll.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define BURST_PAUSE_MS     5000 /* after the first burst; twice as long after each further one */
#define BURST_PAUSE_MAX_MS 30000
#define BURSTS_UNSEEN_MAX  2
#define TRY_MS             2000

static void tell_wake(struct pm_step_run *run, struct pm_nic *nic, bool seen, const char *text)
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
	pm_notify(run->job->machine->agent, nic->machine, &notification);
}

/* Whether anything can tell that the machine is up. */
static bool observable(const struct pm_machine *machine)
{
	return machine->bmc || (machine->config->probe && !*machine->probe_trouble) ||
	       machine->hypervisor_count;
}

static const char *why_unobservable(const struct pm_machine *machine)
{
	return *machine->probe_trouble ? machine->probe_trouble
				       : "neither a bmc nor a probe nor a hypervisor on it is configured";
}

static void wake_failed(struct pm_step_run *run, struct pm_nic *nic, enum pm_result result, const char *text)
{
	nic->last_result = result;
	if (result == PM_RESULT_WAKE_NOT_SEEN)
		tell_wake(run, nic, false, text);
	pm_step_failed(run, result, text);
}

static void wake_ok(struct pm_step_run *run, struct pm_nic *nic)
{
	char note[200];

	if (run->wake.packets_seen) {
		nic->last_result = PM_RESULT_OK;
		snprintf(note, sizeof(note), "%s; %u of %u magic packets seen on the wire",
			 run->wake.was_on ? ", as it was before" : "", run->wake.packets_seen,
			 run->wake.packets_sent);
	} else {
		nic->last_result = PM_RESULT_WAKE_NOT_SEEN;
		snprintf(note, sizeof(note), "; no magic packet was seen on the wire: %.100s", run->trouble);
		tell_wake(run, nic, false, run->trouble);
	}
	pm_step_reached(run, note);
}

static bool up(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	return machine->observed == PM_POWER_ON && run->acted && machine->observed_loop_ms >= run->begun_ms;
}

/* A hypervisor on it is one that tells whether it is up: but it has to be tried. */
static void wait_for_next(struct pm_step_run *run)
{
	uint64_t wait_ms = run->wake.next_ms - pm_step_now(run);

	if (run->job->machine->hypervisor_count) {
		pm_step_hurry(run);
		wait_ms = wait_ms < TRY_MS ? wait_ms : TRY_MS;
	}
	pm_timer_start(run->timer, wait_ms);
}

static void burst_done(struct pm_step_run *run, struct pm_nic *nic, const struct wol_report *report)
{
	char text[256];
	uint64_t pause_ms = (uint64_t)BURST_PAUSE_MS << (run->wake.bursts < 4 ? run->wake.bursts - 1 : 3);

	if (report->result != WOL_OK)
		snprintf(run->trouble, sizeof(run->trouble), "%s", report->text);
	if (report->result == WOL_FAILED && !run->acted) {
		wake_failed(run, nic, PM_RESULT_WAKE_NOT_SEEN, run->trouble);
	} else if (up(run)) {
		wake_ok(run, nic);
	} else if (report->result == WOL_NOT_SEEN && !run->wake.packets_seen &&
		   run->wake.bursts >= BURSTS_UNSEEN_MAX) {
		wake_failed(run, nic, PM_RESULT_WAKE_NOT_SEEN, run->trouble);
	} else if (!observable(run->job->machine)) {
		snprintf(
		    text, sizeof(text),
		    "%u of %u magic packets seen on the wire; nothing can tell whether the machine is up: %s",
		    run->wake.packets_seen, run->wake.packets_sent, why_unobservable(run->job->machine));
		wake_failed(run, nic,
			    run->wake.packets_seen ? PM_RESULT_WAKE_NO_RESPONSE : PM_RESULT_WAKE_NOT_SEEN,
			    text);
	} else {
		pm_step_verifying(run);
		run->wake.next_ms =
		    pm_step_now(run) + (pause_ms < BURST_PAUSE_MAX_MS ? pause_ms : BURST_PAUSE_MAX_MS);
		wait_for_next(run);
	}
}

static void packet_sent(struct pm_step_run *run, struct pm_nic *nic, const struct wol_report *report)
{
	char mac[18];

	nic->wake_sent++;
	run->wake.burst_sent++;
	nic->last_sent_ms = (int64_t)report->time.tv_sec * 1000 + report->time.tv_nsec / 1000000;
	run->acted = true;
	if (run->wake.packets_sent++)
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", nic->config->mac[0], nic->config->mac[1],
		 nic->config->mac[2], nic->config->mac[3], nic->config->mac[4], nic->config->mac[5]);
	pm_event_add(nic->machine, PM_EVENT_WAKE_SENT, PM_SEVERITY_OK, "magic packet for %s (%s) sent on %s",
		     nic->config->name, mac, *report->interface ? report->interface : nic->address);
}

static void packet_seen(struct pm_step_run *run, struct pm_nic *nic, const struct wol_report *report)
{
	char text[128];

	nic->wake_seen++;
	run->wake.burst_seen++;
	nic->last_seen_ms = (int64_t)report->time.tv_sec * 1000 + report->time.tv_nsec / 1000000;
	if (run->wake.packets_seen++)
		return;
	snprintf(text, sizeof(text), "magic packet for %s seen on %s", nic->config->name, report->interface);
	tell_wake(run, nic, true, text);
}

static void nic_gone(struct pm_step_run *run)
{
	pm_step_failed(run, PM_RESULT_NOT_CONFIGURED, "the NIC is no longer configured");
}

static void burst_event(struct pm_step_run *run, struct pm_nic *nic, const struct wol_report *report)
{
	if (report->event == WOL_EVENT_SENT)
		packet_sent(run, nic, report);
	else if (report->event == WOL_EVENT_SEEN)
		packet_seen(run, nic, report);
	else
		burst_done(run, nic, report);
}

static void on_wol(const struct wol_report *report, void *data)
{
	struct pm_step_run *run = data;
	struct pm_nic *nic = pm_plan_nic(run->job->machine, run->job->spec.nic);
	bool done = report->event == WOL_EVENT_DONE;
	bool cancelled = !run->wake.burst; /* by stop() */

	if (done)
		run->wake.burst = NULL;
	if (nic && done) { /* a burst that is cut short has not reported all it did */
		nic->wake_sent += report->sent - run->wake.burst_sent;
		nic->wake_seen += report->seen - run->wake.burst_seen;
	}
	if (!cancelled && nic)
		burst_event(run, nic, report);
	else if (!cancelled && done)
		nic_gone(run);
}

/* The job's own way, or the NIC's. */
static void choose_way(struct wol_target *target, const struct pm_job_spec *spec, const struct pm_nic *nic)
{
	bool own = spec->wol_addr_length != 0;

	target->method = own || nic->wol == PM_WOL_UDP ? WOL_UDP : WOL_ETHERNET;
	target->port = spec->wol_port ? spec->wol_port : nic->port;
	snprintf(target->interface, sizeof(target->interface), "%s", nic->interface);
	if (own)
		inet_ntop(spec->wol_addr_length == 16 ? AF_INET6 : AF_INET, spec->wol_addr, target->address,
			  sizeof(target->address));
	else
		snprintf(target->address, sizeof(target->address), "%s",
			 *nic->address ? nic->address : "255.255.255.255");
}

static void send_burst(struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	struct pm_nic *nic = pm_plan_nic(machine, run->job->spec.nic);
	struct wol_target target = {0};

	if (!nic) {
		nic_gone(run);
		return;
	}
	choose_way(&target, &run->job->spec, nic);
	memcpy(target.mac, nic->config->mac, sizeof(target.mac));
	target.secureon_length = nic->config->secureon.length;
	if (target.secureon_length)
		memcpy(target.secureon, nic->config->secureon.data, target.secureon_length);
	if (run->wake.bursts++ == 0)
		nic->last_result = PM_RESULT_NONE;
	run->wake.burst_sent = run->wake.burst_seen = 0;
	run->wake.burst =
	    wol_burst_start(run->job->machine->agent->wol, &target, machine->config->wol_repeats,
			    machine->config->wol_repeat_interval_ms, on_wol, run);
	explicit_bzero(&target, sizeof(target));
	if (!run->wake.burst)
		pm_step_failed(run, PM_RESULT_INTERNAL_ERROR, "no memory");
	else
		pm_poll_fast(run->job->machine, true);
}

static void wake_timed_out(struct pm_step_run *run, struct pm_nic *nic)
{
	char text[256];

	if (run->wake.packets_seen) {
		snprintf(text, sizeof(text),
			 "%u of %u magic packets seen on the wire, but the machine did not come up in %u s",
			 run->wake.packets_seen, run->wake.packets_sent, pm_step_of(run)->timeout_s);
		pm_event_add(nic->machine, PM_EVENT_WAKE_NO_RESPONSE, PM_SEVERITY_WARNING, "%s", text);
		wake_failed(run, nic, PM_RESULT_WAKE_NO_RESPONSE, text);
	} else {
		wake_failed(run, nic, PM_RESULT_WAKE_NOT_SEEN, run->trouble);
	}
}

static void on_timer(struct pm_step_run *run, bool late)
{
	struct pm_nic *nic = pm_plan_nic(run->job->machine, run->job->spec.nic);

	if (nic && late)
		wake_timed_out(run, nic);
	else if (nic && run->wake.next_ms > pm_step_now(run))
		wait_for_next(run);
	else
		send_burst(run); /* says so when the NIC has gone */
}

static void act(struct pm_step_run *run)
{
	run->wake.was_on = run->job->machine->observed == PM_POWER_ON;
	send_burst(run);
}

static void observed(struct pm_step_run *run, enum pm_state_source asked)
{
	struct pm_nic *nic = pm_plan_nic(run->job->machine, run->job->spec.nic);

	if (run->confirming)
		pm_machine_looked(run, asked);
	else if (nic && up(run) && (run->wake.packets_seen || !run->wake.burst))
		wake_ok(run, nic);
}

static void stop(struct pm_step_run *run)
{
	struct wol_burst *burst = run->wake.burst;

	run->wake.burst = NULL;
	if (burst)
		wol_burst_cancel(burst);
}

static void describe(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	(void)ago;
	if (run->wake.packets_sent)
		snprintf(text, size, "%u magic packets sent, %u of them seen on the wire",
			 run->wake.packets_sent, run->wake.packets_seen);
	else
		snprintf(text, size, "no magic packet sent yet");
}

/* The NIC has its result. */
static void over(struct pm_step_run *run)
{
	struct pm_nic *nic = pm_plan_nic(run->job->machine, run->job->spec.nic);

	if (nic)
		nic->last_result =
		    run->wake.packets_seen ? PM_RESULT_WAKE_NO_RESPONSE : PM_RESULT_WAKE_NOT_SEEN;
}

const struct pm_step_kind pm_step_wake = {.look = pm_machine_look,
					  .act = act,
					  .on_timer = on_timer,
					  .observed = observed,
					  .stop = stop,
					  .describe = describe,
					  .over = over};
