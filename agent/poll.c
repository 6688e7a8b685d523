/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/poll.h"

#include "agent/state.h"

#include <errno.h>

#define FAST_INTERVAL_MS      500
#define DOUBT_INTERVAL_MS     1000 /* while misses or answers are counted: is it away, or back? */
#define DOWN_INTERVALS_MAX    8    /* a dead BMC is asked at longer and longer intervals, up to this many */
#define DETAIL_INTERVAL_MS    600000
#define SPREAD_PER_MACHINE_MS 2 /* of the first round */
#define SPREAD_MIN_MS         50

/* --- BMC -------------------------------------------------------------------------------------- */

static uint64_t with_jitter(uint64_t interval_ms)
{
	return interval_ms - interval_ms / 10 + pm_jitter(interval_ms / 5 + 1);
}

static uint64_t bmc_delay_ms(const struct pm_machine *machine)
{
	const struct pm_bmc *bmc = machine->bmc;
	const struct pm_bmc_config *config = machine->config->bmc;
	uint64_t interval_ms = config->poll_interval_ms;
	unsigned beyond;

	if (bmc->misses == 0 && machine->fast)
		return FAST_INTERVAL_MS;
	if (machine->fast || (bmc->misses > 0 && bmc->misses < config->misses) ||
	    (bmc->misses == 0 && bmc->down))
		return DOUBT_INTERVAL_MS;
	if (bmc->misses == 0)
		return with_jitter(interval_ms);
	beyond = bmc->misses - config->misses;
	return with_jitter(interval_ms * (beyond < 3 ? 1u << beyond : DOWN_INTERVALS_MAX));
}

static void on_detail(const struct ipmi_reply *reply, void *data)
{
	struct pm_machine *machine = data;
	struct pm_bmc *bmc = machine->bmc;
	bool ok = reply->result == IPMI_OK;

	bmc->detail_op = NULL;
	if (bmc->detail_hours) {
		bmc->hours_known = ok;
		bmc->power_on_hours = ok ? reply->power_on_hours : 0;
		bmc->detail_due_ms = uv_now(machine->agent->loop) + with_jitter(DETAIL_INTERVAL_MS);
	} else {
		bmc->boot_known = ok;
		if (ok)
			bmc->boot = reply->boot;
	}
	bmc->detail_hours = !bmc->detail_hours;
}

static void read_details(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	if (bmc->detail_op || machine->fast || uv_now(machine->agent->loop) < bmc->detail_due_ms)
		return;
	bmc->detail_op = ipmi_bmc_submit(
	    bmc->ipmi,
	    &(struct ipmi_request){.command = bmc->detail_hours ? IPMI_GET_POH_COUNTER : IPMI_GET_BOOT_FLAGS,
				   .done = on_detail,
				   .data = machine});
}

static void on_status(const struct ipmi_reply *reply, void *data)
{
	struct pm_machine *machine = data;

	machine->bmc->status_op = NULL;
	if (reply->result == IPMI_CANCELLED)
		return;
	pm_state_chassis(machine, reply);
	pm_timer_start(machine->bmc->timer, bmc_delay_ms(machine));
	if (reply->result == IPMI_OK)
		read_details(machine);
}

static void ask_bmc(void *data)
{
	struct pm_machine *machine = data;
	struct pm_bmc *bmc = machine->bmc;

	if (bmc->status_op)
		return;
	bmc->status_op = ipmi_bmc_submit(
	    bmc->ipmi,
	    &(struct ipmi_request){.command = IPMI_GET_CHASSIS_STATUS, .done = on_status, .data = machine});
	if (!bmc->status_op)
		pm_timer_start(bmc->timer, DOUBT_INTERVAL_MS);
}

/* --- probe ------------------------------------------------------------------------------------ */

static void on_probe(enum pm_probe_result result, const char *text, void *data)
{
	struct pm_machine *machine = data;
	uint64_t delay_ms = with_jitter(machine->config->probe->poll_interval_ms);

	machine->probe = NULL;
	if (result == PM_PROBE_CANCELLED)
		return;
	pm_state_probe(machine, result, text);
	if (machine->fast && delay_ms > FAST_INTERVAL_MS)
		delay_ms = FAST_INTERVAL_MS;
	pm_timer_start(machine->probe_timer, delay_ms);
}

static void ask_probe(void *data)
{
	struct pm_machine *machine = data;
	const struct pm_probe_config *config = machine->config->probe;
	enum pm_probe_kind kind = config->method == PM_PROBE_TCP ? PM_PROBE_KIND_TCP : PM_PROBE_KIND_ICMP;

	if (machine->probe)
		return;
	machine->probe = pm_probe_start(machine->agent->prober, kind, config->address, config->port,
					config->timeout_ms, on_probe, machine);
	if (!machine->probe)
		pm_timer_start(machine->probe_timer, DOUBT_INTERVAL_MS);
}

/* --- public ----------------------------------------------------------------------------------- */

static uint64_t first_delay_ms(const struct pm_machine *machine, uint64_t interval_ms, size_t fleet_size)
{
	uint64_t spread_ms = SPREAD_MIN_MS + fleet_size * SPREAD_PER_MACHINE_MS;

	if (machine->fast)
		return 0;
	return pm_jitter(spread_ms < interval_ms ? spread_ms : interval_ms);
}

int pm_poll_start(struct pm_machine *machine, size_t fleet_size)
{
	const struct pm_machine_config *config = machine->config;

	if (machine->bmc && !machine->bmc->timer) {
		machine->bmc->timer = pm_timer_new(machine->agent->loop, ask_bmc, machine);
		if (!machine->bmc->timer)
			return -ENOMEM;
		pm_timer_start(machine->bmc->timer,
			       first_delay_ms(machine, config->bmc->poll_interval_ms, fleet_size));
	}
	if (config->probe && !machine->probe_timer) {
		machine->probe_timer = pm_timer_new(machine->agent->loop, ask_probe, machine);
		if (!machine->probe_timer)
			return -ENOMEM;
		pm_timer_start(machine->probe_timer,
			       first_delay_ms(machine, config->probe->poll_interval_ms, fleet_size));
	}
	return 0;
}

void pm_poll_stop(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	if (bmc) {
		pm_timer_free(bmc->timer);
		bmc->timer = NULL;
		if (bmc->status_op)
			ipmi_op_cancel(bmc->status_op);
		if (bmc->detail_op)
			ipmi_op_cancel(bmc->detail_op);
	}
	pm_timer_free(machine->probe_timer);
	machine->probe_timer = NULL;
	if (machine->probe)
		pm_probe_cancel(machine->probe);
}

void pm_poll_now(struct pm_machine *machine)
{
	if (machine->bmc)
		pm_timer_start(machine->bmc->timer, 0);
	pm_timer_start(machine->probe_timer, 0);
}

void pm_poll_fast(struct pm_machine *machine, bool fast)
{
	if (fast && !machine->fast)
		pm_poll_now(machine);
	machine->fast = fast;
}
