/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/detail.h"

#include <errno.h>

#define WINDOW      32     /* BMCs asked at once */
#define INTERVAL_MS 600000 /* of what changes seldom */

static void take_boot(struct pm_bmc *bmc, const struct ipmi_reply *reply)
{
	bmc->boot_known = reply->result == IPMI_OK;
	if (bmc->boot_known)
		bmc->boot = reply->boot;
}

static void take_hours(struct pm_bmc *bmc, const struct ipmi_reply *reply)
{
	bmc->hours_known = reply->result == IPMI_OK;
	bmc->power_on_hours = bmc->hours_known ? reply->power_on_hours : 0;
}

static const struct {
	enum ipmi_command command;
	void (*take)(struct pm_bmc *bmc, const struct ipmi_reply *reply);
} details[PM_DETAIL_COUNT] = {[PM_DETAIL_BOOT] = {IPMI_GET_BOOT_FLAGS, take_boot},
			      [PM_DETAIL_HOURS] = {IPMI_GET_POH_COUNTER, take_hours}};

/* The first that is due, or PM_DETAIL_COUNT. */
static enum pm_detail next_due(const struct pm_machine *machine)
{
	uint64_t now_ms = uv_now(machine->agent->loop);
	enum pm_detail detail = 0;

	while (detail < PM_DETAIL_COUNT && machine->bmc->detail_due_ms[detail] > now_ms)
		detail++;
	return detail;
}

static void ask(struct pm_machine *machine);

static void on_detail(const struct ipmi_reply *reply, void *data)
{
	struct pm_machine *machine = data;
	struct pm_bmc *bmc = machine->bmc;

	bmc->detail_op = NULL;
	if (reply->result == IPMI_CANCELLED)
		return;
	details[bmc->detail].take(bmc, reply);
	bmc->detail_due_ms[bmc->detail] =
	    uv_now(machine->agent->loop) + INTERVAL_MS - INTERVAL_MS / 10 + pm_jitter(INTERVAL_MS / 5);
	ask(machine);
}

/* A job comes first, and a BMC that is away is asked when it is back. */
static void ask(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->detail = next_due(machine);
	if (bmc->detail < PM_DETAIL_COUNT && !machine->fast && bmc->misses == 0)
		bmc->detail_op =
		    ipmi_bmc_submit(bmc->ipmi, &(struct ipmi_request){.command = details[bmc->detail].command,
								      .done = on_detail,
								      .data = machine});
	if (!bmc->detail_op)
		pm_sweep_ended(machine->agent->details, &bmc->detail_sweep, true);
}

static void ask_entry(struct pm_sweep_entry *entry, void *data)
{
	struct pm_bmc *bmc = (struct pm_bmc *)((char *)entry - offsetof(struct pm_bmc, detail_sweep));

	(void)data;
	ask(bmc->clock.machine);
}

static const struct pm_sweep_methods methods = {.ask = ask_entry};

int pm_details_new(struct pm_agent *agent)
{
	return pm_sweep_new(agent->loop, WINDOW, &methods, agent, &agent->details);
}

void pm_details_free(struct pm_agent *agent)
{
	pm_sweep_free(agent->details);
	agent->details = NULL;
}

void pm_details_hold(struct pm_agent *agent, bool hold)
{
	pm_sweep_hold(agent->details, hold);
}

void pm_detail_queue(struct pm_machine *machine)
{
	if (!machine->fast && next_due(machine) < PM_DETAIL_COUNT)
		pm_sweep_add(machine->agent->details, &machine->bmc->detail_sweep, false);
}

void pm_detail_stop(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	pm_sweep_remove(machine->agent->details, &bmc->detail_sweep);
	if (bmc->detail_op)
		ipmi_op_cancel(bmc->detail_op);
}
