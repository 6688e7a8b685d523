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
	pm_notify(job->machine->agent, nic->machine, &notification);
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
	pm_step_failed(job, result, text);
}

static void wake_ok(struct pm_job *job, struct pm_nic *nic)
{
	char note[200];

	if (job->run->packets_seen) {
		nic->last_result = PM_RESULT_OK;
		snprintf(note, sizeof(note), "%s; %u of %u magic packets seen on the wire",
			 job->run->was_on ? ", as it was before" : "", job->run->packets_seen,
			 job->run->packets_sent);
	} else {
		nic->last_result = PM_RESULT_WAKE_NOT_SEEN;
		snprintf(note, sizeof(note), "; no magic packet was seen on the wire: %.100s",
			 job->run->trouble);
		tell_wake(job, nic, false, job->run->trouble);
	}
	pm_step_reached(job, note);
}

static bool up(const struct pm_job *job)
{
	const struct pm_machine *machine = job->machine;

	return machine->observed == PM_POWER_ON && job->run->acted &&
	       machine->observed_loop_ms >= job->run->begun_ms;
}

static void burst_done(struct pm_job *job, struct pm_nic *nic, const struct wol_report *report)
{
	char text[256];
	uint64_t pause_ms = (uint64_t)BURST_PAUSE_MS << (job->run->bursts < 4 ? job->run->bursts - 1 : 3);

	if (report->result != WOL_OK)
		snprintf(job->run->trouble, sizeof(job->run->trouble), "%s", report->text);
	if (report->result == WOL_FAILED && !job->run->acted) {
		wake_failed(job, nic, PM_RESULT_WAKE_NOT_SEEN, job->run->trouble);
	} else if (up(job)) {
		wake_ok(job, nic);
	} else if (report->result == WOL_NOT_SEEN && !job->run->packets_seen &&
		   job->run->bursts >= BURSTS_UNSEEN_MAX) {
		wake_failed(job, nic, PM_RESULT_WAKE_NOT_SEEN, job->run->trouble);
	} else if (!observable(job->machine)) {
		snprintf(
		    text, sizeof(text),
		    "%u of %u magic packets seen on the wire; nothing can tell whether the machine is up: %s",
		    job->run->packets_seen, job->run->packets_sent, why_unobservable(job->machine));
		wake_failed(job, nic,
			    job->run->packets_seen ? PM_RESULT_WAKE_NO_RESPONSE : PM_RESULT_WAKE_NOT_SEEN,
			    text);
	} else {
		pm_step_verifying(job);
		pm_timer_start(job->run->timer,
			       pause_ms < BURST_PAUSE_MAX_MS ? pause_ms : BURST_PAUSE_MAX_MS);
	}
}

static void packet_sent(struct pm_job *job, struct pm_nic *nic, const struct wol_report *report)
{
	char mac[18];

	nic->wake_sent++;
	job->run->burst_sent++;
	nic->last_sent_ms = (int64_t)report->time.tv_sec * 1000 + report->time.tv_nsec / 1000000;
	job->run->acted = true;
	if (job->run->packets_sent++)
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
	job->run->burst_seen++;
	nic->last_seen_ms = (int64_t)report->time.tv_sec * 1000 + report->time.tv_nsec / 1000000;
	if (job->run->packets_seen++)
		return;
	snprintf(text, sizeof(text), "magic packet for %s seen on %s", nic->config->name, report->interface);
	tell_wake(job, nic, true, text);
}

static void nic_gone(struct pm_job *job)
{
	pm_step_failed(job, PM_RESULT_NOT_CONFIGURED, "the NIC is no longer configured");
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
	struct pm_nic *nic = pm_plan_nic(job->machine, job->spec.nic);
	bool done = report->event == WOL_EVENT_DONE;
	bool cancelled = !job->run->burst; /* by pm_action_stop() */

	if (done)
		job->run->burst = NULL;
	if (nic && done) { /* a burst that is cut short has not reported all it did */
		nic->wake_sent += report->sent - job->run->burst_sent;
		nic->wake_seen += report->seen - job->run->burst_seen;
	}
	if (!cancelled && nic)
		burst_event(job, nic, report);
	else if (!cancelled && done)
		nic_gone(job);
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

void pm_wake_send(struct pm_job *job)
{
	const struct pm_machine *machine = job->machine;
	struct pm_nic *nic = pm_plan_nic(machine, job->spec.nic);
	struct wol_target target = {0};

	if (!nic) {
		nic_gone(job);
		return;
	}
	choose_way(&target, &job->spec, nic);
	memcpy(target.mac, nic->config->mac, sizeof(target.mac));
	target.secureon_length = nic->config->secureon.length;
	if (target.secureon_length)
		memcpy(target.secureon, nic->config->secureon.data, target.secureon_length);
	if (job->run->bursts++ == 0)
		nic->last_result = PM_RESULT_NONE;
	job->run->burst_sent = job->run->burst_seen = 0;
	job->run->burst = wol_burst_start(job->machine->agent->wol, &target, machine->config->wol_repeats,
					  machine->config->wol_repeat_interval_ms, on_wol, job);
	explicit_bzero(&target, sizeof(target));
	if (!job->run->burst)
		pm_step_failed(job, PM_RESULT_INTERNAL_ERROR, "no memory");
	else
		pm_poll_fast(job->machine, true);
}

static void wake_timed_out(struct pm_job *job, struct pm_nic *nic)
{
	char text[256];

	if (job->run->packets_seen) {
		snprintf(text, sizeof(text),
			 "%u of %u magic packets seen on the wire, but the machine did not come up in %u s",
			 job->run->packets_seen, job->run->packets_sent,
			 job->steps[job->run->step].timeout_s);
		pm_event_add(nic->machine, PM_EVENT_WAKE_NO_RESPONSE, PM_SEVERITY_WARNING, "%s", text);
		wake_failed(job, nic, PM_RESULT_WAKE_NO_RESPONSE, text);
	} else {
		wake_failed(job, nic, PM_RESULT_WAKE_NOT_SEEN, job->run->trouble);
	}
}

void pm_wake_timer(struct pm_job *job, bool late)
{
	struct pm_nic *nic = pm_plan_nic(job->machine, job->spec.nic);

	if (nic && late)
		wake_timed_out(job, nic);
	else
		pm_wake_send(job); /* says so when the NIC has gone */
}

void pm_wake_observed(struct pm_job *job)
{
	struct pm_nic *nic = pm_plan_nic(job->machine, job->spec.nic);

	if (nic && up(job) && (job->run->packets_seen || !job->run->burst))
		wake_ok(job, nic);
}

void pm_wake_over(struct pm_job *job)
{
	struct pm_nic *nic = pm_plan_nic(job->machine, job->spec.nic);

	if (nic)
		nic->last_result =
		    job->run->packets_seen ? PM_RESULT_WAKE_NO_RESPONSE : PM_RESULT_WAKE_NOT_SEEN;
}
