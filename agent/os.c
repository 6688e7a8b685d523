/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of a machine's operating system, and whether it is gone. */
#include "agent/event.h"
#include "agent/os_private.h"
#include "agent/state.h"
#include "agent/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LAPSE_MS 600000 /* a shutdown that takes longer, while all still answers, is none */
#define AWAKE_MS \
	60000 /* one that agreed to sleep, and does more than answer its probe, has not, or has resumed */
#define TROUBLE_GRACE_MS 60000 /* it boots, or sshd is restarted: no news yet */

static uint64_t now_of(const struct pm_os *os)
{
	return uv_now(os->machine->agent->loop);
}

/* To be written before much else can happen: what it agreed to, and that it no longer does, decides what silence means. */
static void keep(struct pm_os *os)
{
	os->machine->state_dirty = true;
	pm_flush_machine(os->machine);
	pm_flush_shortly(os->machine->agent);
}

static bool is_sleep(enum pm_rest rest)
{
	return rest == PM_REST_SUSPENDED || rest == PM_REST_HIBERNATED;
}

bool pm_os_is_observable(const struct pm_machine *machine)
{
	return machine->config->probe && machine->config->host && !machine->config->host->local;
}

unsigned pm_os_misses_max(const struct pm_os *os)
{
	const struct pm_machine_config *config = os->machine->config;
	unsigned misses = config->probe ? config->probe->misses : os->machine->agent->inventory->agent.misses;

	return misses ? misses : 1;
}

bool pm_os_pending(const struct pm_os *os)
{
	return os->rest && !os->gone && now_of(os) < os->lapse_ms;
}

bool pm_os_in_doubt(const struct pm_machine *machine)
{
	const struct pm_os *os = machine->os;

	return os && os->rest_seen && os->silences > 0 && pm_os_pending(os);
}

/* --- as it is shown --------------------------------------------------------------------------- */

enum pm_power_state pm_os_state(const struct pm_machine *machine)
{
	const struct pm_os *os = machine->os;

	if (!os || (os->gone && machine->os_reachable != PM_OS_NO))
		return PM_POWER_UNKNOWN;
	if (!os->gone)
		return os->answers ? PM_POWER_ON : PM_POWER_UNKNOWN;
	if (is_sleep(os->rest))
		return PM_POWER_SUSPENDED;
	return os->rest == PM_REST_OFF && os->bmc_said != PM_POWER_ON ? PM_POWER_OFF : PM_POWER_UNKNOWN;
}

enum pm_os_reachable pm_os_reachable(const struct pm_machine *machine)
{
	const struct pm_os *os = machine->os;

	if (machine->config->probe || !os)
		return machine->os_reachable;
	if (os->answers)
		return PM_OS_YES;
	return os->misses >= pm_os_misses_max(os) &&
		       (os->trouble == HOST_UNREACHABLE || os->trouble == HOST_TIMEOUT)
		   ? PM_OS_NO
		   : PM_OS_UNKNOWN;
}

bool pm_os_rebooted(const struct pm_machine *machine)
{
	const struct pm_os *os = machine->os;

	return os && os->heard_since && !os->stranger && *os->rest_boot &&
	       strcmp(os->report.boot_id, os->rest_boot) != 0;
}

/* --- what it has agreed to -------------------------------------------------------------------- */

/* No longer; which boot it was is still known, for pm_os_rebooted(). */
static void end_rest(struct pm_os *os)
{
	os->rest = PM_REST_NONE;
	os->gone = os->went = false;
	keep(os);
}

/* Something answers that was gone: until a report comes it is not known what that is, and it is not gone again. */
static void come_back(struct pm_os *os)
{
	os->was = os->rest;
	end_rest(os);
}

/*
 * Its probe has answered since it was told to go, or did just then; so often in a row it has not since; and since it agreed
 * both its probe and whoever asked its helper have found nobody.
 */
static void find_out(struct pm_os *os)
{
	const struct pm_machine *machine = os->machine;

	if (os->gone || !os->rest || !os->rest_seen || !os->silent || !os->probe_silent ||
	    !pm_os_is_observable(machine) || machine->os_reachable != PM_OS_NO ||
	    os->silences < machine->config->probe->misses)
		return;
	os->gone = true;
	os->answers = false;
	if (os->went)
		return;
	os->went = true;
	keep(os);
}

static void begin_watch(struct pm_os *os)
{
	const struct pm_machine *machine = os->machine;

	os->rest_seen = machine->config->probe && machine->os_reachable == PM_OS_YES;
	os->silences = 0;
	os->probe_is_older = machine->probe != NULL;
}

void pm_os_asks(struct pm_machine *machine)
{
	struct pm_os *os = machine->os;

	if (!os)
		return;
	if (!os->rest) /* else it is watched already */
		begin_watch(os);
	os->told_to = true;
}

void pm_os_rests(struct pm_machine *machine, enum pm_rest rest, const char *boot_id)
{
	struct pm_os *os = machine->os;

	if (!os)
		return;
	os->was = PM_REST_NONE;
	os->gone = os->went = false;
	os->rest = rest;
	os->rest_ms = now_of(os);
	os->rest_boot[0] = '\0';
	if (rest)
		snprintf(os->rest_boot, sizeof(os->rest_boot), "%s",
			 boot_id && *boot_id ? boot_id : os->boot_id);
	if (!os->told_to)
		begin_watch(os);
	os->told_to = os->heard_since = os->silent = os->probe_silent = false;
	os->op_is_older = os->op != NULL;
	os->probe_is_older = machine->probe != NULL;
	os->bmc_said = 0;
	os->lapse_ms = os->rest_ms + LAPSE_MS;
	keep(os);
	pm_os_hurry(machine);
}

void pm_os_sources_changed(struct pm_machine *machine, bool other_bmc, bool other_probe)
{
	struct pm_os *os = machine->os;

	if (os && other_bmc)
		os->bmc_said = 0;
	if (!os || !other_probe)
		return;
	if (os->went)
		come_back(os);
	os->rest_seen = os->probe_up = false;
	os->silences = 0;
	keep(os);
}

/* --- the probe and the BMC -------------------------------------------------------------------- */

/* While an image is written to disk a kernel may answer its probe, but nothing else. */
static void lapse(struct pm_os *os, bool by_report)
{
	bool early = os->rest == PM_REST_SUSPENDED || (by_report && is_sleep(os->rest));
	uint64_t lapse_ms = os->lapse_ms - (early ? LAPSE_MS - AWAKE_MS : 0);

	if (!os->rest || os->gone || now_of(os) < lapse_ms)
		return;
	pm_event_add(os->machine, PM_EVENT_HOST, PM_SEVERITY_WARNING,
		     "it agreed to go %s, and answers %u minute%s later: that no longer counts",
		     early ? "to sleep" : "down", (early ? AWAKE_MS : LAPSE_MS) / 60000, early ? "" : "s");
	end_rest(os);
}

static void probe_answered(struct pm_os *os)
{
	bool was_up = os->probe_up;

	if (!was_up) /* it has just come up: what it could not answer before does not count */
		os->retries = os->misses = 0;
	os->probe_up = true;
	os->silences = 0;
	os->probe_silent = false;
	if (os->rest || os->told_to)
		os->rest_seen = true;
	if (os->went)
		come_back(os);
	lapse(os, false);
	if (!was_up) /* what was asked before waits for somebody who was not there */
		pm_os_queue_anew(os);
}

static void probe_was_silent(struct pm_os *os)
{
	bool lost = os->probe_up && os->machine->os_reachable == PM_OS_NO;

	if ((os->rest || os->told_to) && !os->probe_is_older) {
		os->silences++;
		os->probe_silent = os->rest != PM_REST_NONE;
	}
	if (!lost)
		return;
	os->probe_up = false;
	pm_os_queue(os);
}

/* It could not be asked: no evidence of anything. */
static void probe_failed(struct pm_os *os)
{
	os->silences = 0;
	os->probe_silent = false;
}

void pm_os_probed(struct pm_machine *machine, enum pm_probe_result result)
{
	struct pm_os *os = machine->os;

	if (!os)
		return;
	if (result == PM_PROBE_UP)
		probe_answered(os);
	else if (result == PM_PROBE_SILENT)
		probe_was_silent(os);
	else
		probe_failed(os);
	os->probe_is_older = false;
	find_out(os);
}

/*
 * Power that comes after it had gone is another's doing: what it agreed to is past. So it is when power goes from one that
 * sleeps with it.
 */
void pm_os_bmc_said(struct pm_machine *machine, bool power_on)
{
	struct pm_os *os = machine->os;
	enum pm_power_state before;

	if (!os || !os->rest)
		return;
	before = os->bmc_said;
	os->bmc_said = power_on ? PM_POWER_ON : PM_POWER_OFF;
	if ((before == PM_POWER_OFF && power_on) ||
	    (before == PM_POWER_ON && !power_on && os->went && os->rest == PM_REST_SUSPENDED))
		come_back(os);
}

/* --- its helper ------------------------------------------------------------------------------- */

static void tell_same_boot(struct pm_os *os, enum pm_rest was)
{
	if (is_sleep(was))
		pm_event_add(os->machine, PM_EVENT_HOST, PM_SEVERITY_OK, "its operating system has resumed");
	else if (was == PM_REST_OFF)
		pm_event_add(
		    os->machine, PM_EVENT_HOST, PM_SEVERITY_WARNING,
		    "its operating system answers again in the same boot: it was never off, only out of reach");
	else
		pm_event_add(
		    os->machine, PM_EVENT_HOST, PM_SEVERITY_WARNING,
		    "its operating system answers again in the same boot: it has not rebooted, it was only out of reach");
}

static void tell_new_boot(struct pm_os *os, enum pm_rest was)
{
	bool expected = was || os->machine->job || os->on_count != os->machine->on_count;

	pm_event_add(os->machine, PM_EVENT_HOST, expected ? PM_SEVERITY_OK : PM_SEVERITY_WARNING,
		     was == PM_REST_REBOOT ? "its operating system has rebooted, as it was told"
		     : is_sleep(was) ? "its operating system is up again, with a new boot: what slept is lost"
		     : expected      ? "its operating system is up again, with a new boot"
				     : "its operating system has rebooted, and nobody here asked for it");
}

/* Which boot it is, against the one that agreed, and the one before. */
static void compare_boots(struct pm_os *os, const char *boot_id)
{
	bool was_away = os->went || os->was;
	enum pm_rest was = os->was ? os->was : os->rest;
	bool same = strcmp(boot_id, was ? os->rest_boot : os->boot_id) == 0;

	if (same && was_away)
		tell_same_boot(os, was);
	else if (!same && *(was ? os->rest_boot : os->boot_id))
		tell_new_boot(os, was);
	if (os->rest && (was_away || !same))
		end_rest(os);
	os->was = PM_REST_NONE;
	lapse(os, true);
}

static void end_trouble(struct pm_os *os)
{
	if (os->trouble_told)
		pm_event_add(os->machine, PM_EVENT_HOST, PM_SEVERITY_OK,
			     "its operating system can be asked again");
	os->trouble = 0;
	os->trouble_told = false;
	os->trouble_text[0] = '\0';
}

/* Of this machine it says nothing; that it answers there does not let the machine seem gone, either. */
static void take_stranger(struct pm_os *os, const struct host_report *report)
{
	os->report = *report;
	os->stranger = true;
	os->answers = os->silent = false;
	os->misses = os->retries = 0;
	os->trouble = 0;
	pm_os_compare(os);
}

static void take_report(struct pm_os *os, const struct host_report *report)
{
	os->stranger = false;
	compare_boots(os, report->boot_id);
	if (strcmp(os->boot_id, report->boot_id) != 0) {
		os->machine->state_dirty = true;
		pm_flush_machine(os->machine);
	}
	snprintf(os->boot_id, sizeof(os->boot_id), "%s", report->boot_id);
	os->on_count = os->machine->on_count;
	os->report = *report;
	os->heard_ms = now_of(os);
	os->heard_since = true;
	os->answers = true;
	os->silent = false;
	os->misses = os->retries = 0;
	end_trouble(os);
	pm_os_compare(os);
}

void pm_os_reported(struct pm_machine *machine, const struct host_report *report)
{
	if (!machine->os)
		return;
	if (pm_os_is_another(machine, report)) {
		take_stranger(machine->os, report);
		pm_state_host(machine, false, "another machine answers at its address");
		return;
	}
	take_report(machine->os, report);
	pm_state_host(machine, true, "");
}

/* Something at its address has answered, though not with a report. */
static bool is_alive(const struct host_reply *reply)
{
	if (reply->heard)
		return true;
	switch (reply->result) {
	case HOST_UNREACHABLE:
	case HOST_TIMEOUT:
	case HOST_CANCELLED:
	case HOST_NO_MEMORY:
		return false;
	case HOST_FAILED:
		return reply->sent;
	default:
		return true;
	}
}

static bool found_nobody(const struct host_reply *reply)
{
	return !reply->heard && (reply->result == HOST_UNREACHABLE || reply->result == HOST_TIMEOUT);
}

/* One that is off, on its way there, or whose probe is lost cannot be asked: that is no news. */
static void tell_trouble(struct pm_os *os)
{
	const struct pm_machine *machine = os->machine;

	if (os->trouble_told || os->misses < pm_os_misses_max(os) || os->rest ||
	    machine->observed == PM_POWER_OFF || machine->observed == PM_POWER_SUSPENDED ||
	    (machine->config->probe && machine->os_reachable == PM_OS_NO) ||
	    (os->heard_ms && now_of(os) - os->trouble_ms < TROUBLE_GRACE_MS))
		return;
	os->trouble_told = true;
	pm_event_add(os->machine, PM_EVENT_HOST, PM_SEVERITY_WARNING,
		     "its operating system cannot be asked: %s", os->trouble_text);
}

void pm_os_missed(struct pm_os *os, const struct host_reply *reply, bool is_older)
{
	struct pm_machine *machine = os->machine;
	bool away = found_nobody(reply);

	os->retries++;
	if (os->misses++ == 0)
		os->trouble_ms = now_of(os);
	os->trouble = reply->result;
	pm_text_format(os->trouble_text, sizeof(os->trouble_text), "%s", reply->text);
	if (is_alive(reply) && os->went)
		come_back(os);
	if (os->rest && !is_older)
		os->silent = away;
	if (os->misses >= pm_os_misses_max(os) ||
	    (away && machine->config->probe && machine->os_reachable == PM_OS_NO))
		os->answers = false;
	find_out(os);
	tell_trouble(os);
	pm_state_host(machine, false, os->trouble_text);
}

/* --- the store -------------------------------------------------------------------------------- */

static void write_seen(const struct pm_machine *machine, char *text)
{
	const struct pm_probe_config *probe = machine->config->probe;

	snprintf(text, PM_OS_SEEN_SIZE, "%s probe %d %s %u", machine->os->target ? machine->os->target : "",
		 probe ? (int)probe->method : 0, probe ? probe->address : "", probe ? probe->port : 0);
}

void pm_os_store(const struct pm_machine *machine, struct pm_stored_state *stored, char *rest_seen)
{
	const struct pm_os *os = machine->os;

	rest_seen[0] = '\0';
	if (os && os->rest_seen)
		write_seen(machine, rest_seen);
	stored->rest = os ? (unsigned)os->rest : 0;
	stored->gone = os && os->went;
	stored->rest_boot = os ? os->rest_boot : "";
	stored->boot_id = os ? os->boot_id : "";
	stored->rest_seen = rest_seen;
}

void pm_os_restore(struct pm_machine *machine, const struct pm_stored_state *stored)
{
	struct pm_os *os = machine->os;
	char seen[PM_OS_SEEN_SIZE];

	if (!os || os->heard_ms || os->rest)
		return;
	write_seen(machine, seen);
	snprintf(os->rest_boot, sizeof(os->rest_boot), "%s", stored->rest_boot);
	snprintf(os->boot_id, sizeof(os->boot_id), "%s", stored->boot_id);
	os->on_count = stored->on_count;
	os->rest = stored->rest <= PM_REST_REBOOT ? (enum pm_rest)stored->rest : PM_REST_NONE;
	os->rest_seen = os->rest && strcmp(stored->rest_seen, seen) == 0;
	os->went = os->rest && stored->gone;
	os->rest_ms = 0;
	os->lapse_ms = now_of(os) + LAPSE_MS;
	if (os->rest)
		pm_os_queue(os);
}

void pm_os_forget(struct pm_os *os)
{
	os->answers = os->gone = os->went = os->heard_since = os->rest_seen = os->silent = os->probe_up =
	    false;
	os->probe_silent = os->told_to = os->stranger = false;
	os->wrong_uuid = os->trouble_told = false;
	os->misses = os->silences = 0;
	os->rest = os->was = PM_REST_NONE;
	os->heard_ms = 0;
	os->bmc_said = 0;
	os->trouble = 0;
	os->report = (struct host_report){.boot_id = ""};
	os->trouble_text[0] = os->told[0] = os->boot_id[0] = os->rest_boot[0] = '\0';
	keep(os);
}
