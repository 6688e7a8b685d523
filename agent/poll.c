/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/poll.h"

#include "agent/detail.h"
#include "agent/lateness.h"
#include "agent/log.h"
#include "agent/os.h"
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FAST_INTERVAL_MS   500
#define DOUBT_INTERVAL_MS  1000 /* while misses or answers are counted: is it away, or back? */
#define DOWN_INTERVALS_MAX 8    /* a dead BMC is asked at longer and longer intervals, up to this many */
#define WINDOW             256  /* asked at once: their answers fit into a socket's buffer */

struct pm_polling {
	struct pm_sweep *bmcs, *probes;
	struct pm_lateness late, late_lately; /* since the start, since the last summary */
};

/* --- clocks ----------------------------------------------------------------------------------- */

static struct pm_clock *clock_of(struct pm_sweep_entry *entry)
{
	return (struct pm_clock *)((char *)entry - offsetof(struct pm_clock, sweep));
}

static void set_clock(struct pm_clock *clock, uint64_t delay_ms)
{
	if (!clock->timer)
		return;
	clock->due_ms = uv_now(clock->machine->agent->loop) + delay_ms;
	pm_timer_start(clock->timer, delay_ms);
}

static uint64_t with_jitter(uint64_t interval_ms)
{
	return interval_ms - interval_ms / 10 + pm_jitter(interval_ms / 5 + 1);
}

/*
 * All is well: one interval on. Those who were asked together in a sweep go on where their clock stands, or else at any
 * moment of the interval: so they are apart from then on.
 */
static void set_regular_clock(struct pm_clock *clock, bool swept, uint64_t interval_ms)
{
	if (!swept)
		set_clock(clock, with_jitter(interval_ms));
	else if (!clock->due_ms)
		set_clock(clock, 1 + pm_jitter(interval_ms));
}

static void note_lateness(const struct pm_clock *clock)
{
	struct pm_polling *polling = clock->machine->agent->polling;
	uint64_t now_us = uv_hrtime() / 1000, due_us = clock->due_ms * 1000;
	uint64_t late_us = now_us > due_us ? now_us - due_us : 0;

	pm_lateness_note(&polling->late, late_us);
	pm_lateness_note(&polling->late_lately, late_us);
}

/* It is due: false when it is being asked already. */
static bool begins(struct pm_clock *clock, bool asking)
{
	if (!asking)
		note_lateness(clock);
	clock->due_ms = 0;
	return !asking;
}

/*
 * Goes on where the clock stood, unless that is longer than an interval with its jitter: the interval may be a new one,
 * and a BMC that was down may have been mended. False when there is nothing to go on with.
 */
static bool resume_clock(struct pm_clock *clock, uint64_t interval_ms)
{
	uint64_t now_ms = uv_now(clock->machine->agent->loop);
	uint64_t left_ms = clock->due_ms > now_ms ? clock->due_ms - now_ms : 0;

	if (!clock->due_ms)
		return false;
	set_clock(clock, left_ms > interval_ms + interval_ms / 10 ? pm_jitter(interval_ms) : left_ms);
	return true;
}

static int start_clock(struct pm_clock *clock, struct pm_machine *machine, void (*due)(void *data))
{
	clock->machine = machine;
	clock->timer = pm_timer_new(machine->agent->loop, due, machine);
	return clock->timer ? 0 : -ENOMEM;
}

/* --- BMC -------------------------------------------------------------------------------------- */

static void set_bmc_clock(struct pm_machine *machine, bool swept)
{
	const struct pm_bmc_config *config = machine->config->bmc;
	struct pm_bmc *bmc = machine->bmc;
	unsigned beyond;

	if (machine->fast)
		set_clock(&bmc->clock, bmc->misses == 0 ? FAST_INTERVAL_MS : DOUBT_INTERVAL_MS);
	else if (bmc->misses == 0 && !bmc->down)
		set_regular_clock(&bmc->clock, swept, config->poll_interval_ms);
	else if (bmc->misses < config->misses)
		set_clock(&bmc->clock, DOUBT_INTERVAL_MS);
	else {
		beyond = bmc->misses - config->misses;
		set_clock(&bmc->clock, with_jitter((uint64_t)config->poll_interval_ms *
						   (beyond < 3 ? 1u << beyond : DOWN_INTERVALS_MAX)));
	}
}

static void on_status(const struct ipmi_reply *reply, void *data)
{
	struct pm_machine *machine = data;
	struct pm_bmc *bmc = machine->bmc;
	struct pm_sweep *sweep = machine->agent->polling->bmcs;
	bool answered = reply->result == IPMI_OK, swept = bmc->clock.sweep.place != PM_SWEEP_OUT;

	bmc->status_op = NULL;
	if (reply->result == IPMI_CANCELLED)
		return;
	pm_state_chassis(machine, reply);
	pm_sweep_ended(sweep, &bmc->clock.sweep, answered);
	set_bmc_clock(machine, swept);
	if (answered)
		pm_detail_queue(machine);
	pm_details_hold(machine->agent, pm_sweep_busy(sweep));
}

static void ask_bmc(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->status_op = ipmi_bmc_submit(
	    bmc->ipmi,
	    &(struct ipmi_request){.command = IPMI_GET_CHASSIS_STATUS, .done = on_status, .data = machine});
	if (bmc->status_op)
		return;
	pm_sweep_ended(machine->agent->polling->bmcs, &bmc->clock.sweep, false);
	set_clock(&bmc->clock, DOUBT_INTERVAL_MS);
}

static void on_bmc_due(void *data)
{
	struct pm_machine *machine = data;

	if (begins(&machine->bmc->clock, machine->bmc->status_op))
		ask_bmc(machine);
}

static void sweep_bmc(struct pm_sweep_entry *entry, void *data)
{
	struct pm_machine *machine = clock_of(entry)->machine;

	(void)data;
	if (!machine->bmc->status_op)
		ask_bmc(machine);
}

static bool heard_bmc(const struct pm_sweep_entry *entry, unsigned within_ms, void *data)
{
	const struct pm_machine *machine = clock_of((struct pm_sweep_entry *)(uintptr_t)entry)->machine;
	struct ipmi_bmc_stats stats;
	int64_t age_ms;

	(void)data;
	ipmi_bmc_stats(machine->bmc->ipmi, &stats);
	age_ms = pm_time_ms() - stats.last_contact_ms; /* less than 0: the clock was set back */
	return (age_ms >= 0 && age_ms < within_ms) || ipmi_bmc_waits_for_name(machine->bmc->ipmi, within_ms);
}

/* --- probe ------------------------------------------------------------------------------------ */

static void on_probe(enum pm_probe_result result, const char *text, void *data)
{
	struct pm_machine *machine = data;
	struct pm_clock *clock = &machine->probe_clock;
	bool swept = clock->sweep.place != PM_SWEEP_OUT;
	unsigned interval_ms = machine->config->probe->poll_interval_ms;

	machine->probe = NULL;
	if (result == PM_PROBE_CANCELLED)
		return;
	pm_state_probe(machine, result, text);
	pm_sweep_ended(machine->agent->polling->probes, &clock->sweep, result == PM_PROBE_UP);
	if (machine->fast && interval_ms > FAST_INTERVAL_MS)
		set_clock(clock, FAST_INTERVAL_MS);
	else if (pm_os_in_doubt(machine) && interval_ms > DOUBT_INTERVAL_MS)
		set_clock(clock, DOUBT_INTERVAL_MS);
	else
		set_regular_clock(clock, swept, interval_ms);
}

static void ask_probe(struct pm_machine *machine)
{
	const struct pm_probe_config *config = machine->config->probe;
	enum pm_probe_kind kind = config->method == PM_PROBE_TCP ? PM_PROBE_KIND_TCP : PM_PROBE_KIND_ICMP;

	machine->probe = pm_probe_start(machine->agent->prober, kind, config->address, config->port,
					config->timeout_ms, on_probe, machine);
	if (machine->probe)
		return;
	pm_sweep_ended(machine->agent->polling->probes, &machine->probe_clock.sweep, false);
	set_clock(&machine->probe_clock, DOUBT_INTERVAL_MS);
}

static void on_probe_due(void *data)
{
	struct pm_machine *machine = data;

	if (begins(&machine->probe_clock, machine->probe))
		ask_probe(machine);
}

static void sweep_probe(struct pm_sweep_entry *entry, void *data)
{
	struct pm_machine *machine = clock_of(entry)->machine;

	(void)data;
	if (!machine->probe)
		ask_probe(machine);
}

static bool heard_probe(const struct pm_sweep_entry *entry, unsigned within_ms, void *data)
{
	const struct pm_machine *machine = clock_of((struct pm_sweep_entry *)(uintptr_t)entry)->machine;

	(void)within_ms;
	(void)data;
	return machine->probe && pm_probe_waits(machine->probe);
}

/* --- sweeps ----------------------------------------------------------------------------------- */

static void log_sweep(const struct pm_sweep_result *result, const char *what)
{
	size_t silent = result->asked - result->answered;
	uint64_t us = result->answered ? result->answered_us : result->took_us;
	char end[64] = "";

	if (silent && result->answered)
		snprintf(end, sizeof(end), "; the last of those was given up after %.2f s",
			 (double)result->took_us / 1e6);
	pm_log(LOG_NOTICE, "asked %zu %s%s: %zu answered, %zu did not, in %.2f s%s", result->asked, what,
	       result->asked == 1 ? "" : "s", result->answered, silent, (double)us / 1e6, end);
}

static void bmcs_swept(const struct pm_sweep_result *result, void *data)
{
	(void)data;
	log_sweep(result, "BMC");
}

static void probes_swept(const struct pm_sweep_result *result, void *data)
{
	(void)data;
	log_sweep(result, "probe");
}

static const struct pm_sweep_methods bmc_methods = {.ask = sweep_bmc, .heard = heard_bmc, .over = bmcs_swept};
static const struct pm_sweep_methods probe_methods = {
    .ask = sweep_probe, .heard = heard_probe, .over = probes_swept};

int pm_polling_new(struct pm_agent *agent)
{
	struct pm_polling *polling = calloc(1, sizeof(*polling));

	agent->polling = polling;
	if (!polling || pm_sweep_new(agent->loop, WINDOW, &bmc_methods, agent, &polling->bmcs) < 0 ||
	    pm_sweep_new(agent->loop, WINDOW, &probe_methods, agent, &polling->probes) < 0 ||
	    pm_details_new(agent) < 0)
		return -ENOMEM;
	return 0;
}

void pm_polling_free(struct pm_agent *agent)
{
	struct pm_polling *polling = agent->polling;

	if (!polling)
		return;
	pm_details_free(agent);
	pm_sweep_free(polling->bmcs);
	pm_sweep_free(polling->probes);
	free(polling);
	agent->polling = NULL;
}

static void add_bmc(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	pm_sweep_add(machine->agent->polling->bmcs, &bmc->clock.sweep, bmc->down || bmc->misses > 0);
	pm_details_hold(machine->agent, true);
}

static void add_probe(struct pm_machine *machine)
{
	pm_sweep_add(machine->agent->polling->probes, &machine->probe_clock.sweep,
		     machine->os_reachable == PM_OS_NO || machine->probe_misses > 0);
}

void pm_poll_sweep(struct pm_agent *agent)
{
	pm_sweep_restart(agent->polling->bmcs);
	pm_sweep_restart(agent->polling->probes);
	for (size_t i = 0; i < agent->machine_count; i++) {
		struct pm_machine *machine = agent->machines[i];

		if (machine->bmc)
			add_bmc(machine);
		if (machine->config->probe)
			add_probe(machine);
	}
	pm_os_sweep(agent);
}

/* --- public ----------------------------------------------------------------------------------- */

static int start_bmc(struct pm_machine *machine)
{
	struct pm_clock *clock = &machine->bmc->clock;

	if (start_clock(clock, machine, on_bmc_due) < 0)
		return -ENOMEM;
	if (machine->fast)
		set_clock(clock, 0);
	else if (!resume_clock(clock, machine->config->bmc->poll_interval_ms))
		add_bmc(machine);
	return 0;
}

static int start_probe(struct pm_machine *machine)
{
	struct pm_clock *clock = &machine->probe_clock;

	if (start_clock(clock, machine, on_probe_due) < 0)
		return -ENOMEM;
	if (machine->fast)
		set_clock(clock, 0);
	else if (!resume_clock(clock, machine->config->probe->poll_interval_ms))
		add_probe(machine);
	return 0;
}

/* The interval may be a new one. What is being asked is left alone. */
static void keep_clock(struct pm_clock *clock, uint64_t interval_ms)
{
	if (clock->due_ms)
		resume_clock(clock, interval_ms);
}

int pm_poll_start(struct pm_machine *machine)
{
	int error = 0;

	if (machine->bmc && machine->bmc->clock.timer)
		keep_clock(&machine->bmc->clock, machine->config->bmc->poll_interval_ms);
	else if (machine->bmc)
		error = start_bmc(machine);
	if (!error && machine->config->probe && machine->probe_clock.timer)
		keep_clock(&machine->probe_clock, machine->config->probe->poll_interval_ms);
	else if (!error && machine->config->probe)
		error = start_probe(machine);
	return error;
}

/* What is being asked, or waits in a sweep, begins anew. */
static void stop_clock(struct pm_clock *clock, struct pm_sweep *sweep)
{
	pm_timer_free(clock->timer);
	clock->timer = NULL;
	if (clock->sweep.place != PM_SWEEP_OUT)
		clock->due_ms = 0;
	pm_sweep_remove(sweep, &clock->sweep);
}

void pm_poll_stop(struct pm_machine *machine)
{
	struct pm_polling *polling = machine->agent->polling;
	struct pm_bmc *bmc = machine->bmc;

	if (bmc && bmc->clock.timer) {
		stop_clock(&bmc->clock, polling->bmcs);
		if (bmc->status_op)
			ipmi_op_cancel(bmc->status_op);
		pm_detail_stop(machine);
	}
	if (machine->probe_clock.timer)
		stop_clock(&machine->probe_clock, polling->probes);
	if (machine->probe)
		pm_probe_cancel(machine->probe);
}

void pm_poll_now(struct pm_machine *machine)
{
	if (machine->bmc)
		set_clock(&machine->bmc->clock, 0);
	if (machine->config->probe)
		set_clock(&machine->probe_clock, 0);
	if (!machine->bmc && !machine->config->probe)
		pm_os_ask(machine);
}

void pm_poll_fast(struct pm_machine *machine, bool fast)
{
	if (fast && !machine->fast)
		pm_poll_now(machine);
	machine->fast = fast;
	if (fast)
		pm_os_hurry(machine);
}

static void summarize(const struct pm_lateness *late, char *text, size_t size)
{
	snprintf(text, size, "%llu, late p50 %.1f ms, p99 %.1f ms, at most %.1f ms",
		 (unsigned long long)late->count, (double)pm_lateness_percentile(late, 50) / 1e3,
		 (double)pm_lateness_percentile(late, 99) / 1e3, (double)late->max_us / 1e3);
}

void pm_poll_summary(struct pm_agent *agent, char *text, size_t size)
{
	struct pm_polling *polling = agent->polling;
	char all[128], lately[128];

	summarize(&polling->late, all, sizeof(all));
	summarize(&polling->late_lately, lately, sizeof(lately));
	snprintf(text, size, "polls since the start: %s; since the last summary: %s", all, lately);
	polling->late_lately = (struct pm_lateness){0};
}
