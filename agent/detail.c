/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/detail.h"

#include "agent/outcome.h"

#include <errno.h>

#define WINDOW       32     /* BMCs asked at once */
#define INTERVAL_MS  600000 /* of what changes seldom, and of asking again what was refused */
#define SILENCES_MAX 3      /* to one question in a row, by a BMC that answers others: as good as a refusal */

static uint64_t now_ms(const struct pm_machine *machine)
{
	return uv_now(machine->agent->loop);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void take_boot(struct pm_machine *machine, const struct ipmi_reply *reply)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->boot_known = reply->result == IPMI_OK;
	if (bmc->boot_known)
		bmc->boot = reply->boot;
}

static void take_hours(struct pm_machine *machine, const struct ipmi_reply *reply)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->hours_known = reply->result == IPMI_OK;
	bmc->power_on_hours = bmc->hours_known ? reply->power_on_hours : 0;
}

static uint32_t sessions(const struct pm_bmc *bmc)
{
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(bmc->ipmi, &stats);
	return stats.sessions;
}

/* Most BMCs do not measure: they say so, and are left in peace. */
static void take_watts(struct pm_machine *machine, const struct ipmi_reply *reply)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->watts_refused = reply->result != IPMI_OK;
	bmc->watts_silent = reply->result == IPMI_TIMEOUT || reply->result == IPMI_UNREACHABLE;
	bmc->watts_session = sessions(bmc);
	bmc->watts_known = reply->result == IPMI_OK && reply->power.active;
	bmc->watts = bmc->watts_known ? reply->power.watts : 0;
	bmc->watts_loop_ms = now_ms(machine);
	machine->agent->measuring |= bmc->watts_known;
}

void pm_detail_switched(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->watts_known = false;
	if (!bmc->watts_refused)
		bmc->detail_asked_ms[PM_DETAIL_WATTS] = 0;
}

bool pm_detail_watts(const struct pm_machine *machine, unsigned *watts)
{
	const struct pm_bmc *bmc = machine->bmc;
	const struct pm_bmc_config *config = machine->config->bmc;
	uint64_t holds_ms;

	if (!bmc || !bmc->watts_known || !bmc->holds || config->power_interval_ms == 0)
		return false;
	holds_ms = 2 * ((uint64_t)config->power_interval_ms + config->poll_interval_ms);
	*watts = bmc->watts;
	return now_ms(machine) - bmc->watts_loop_ms <= holds_ms;
}

/* --- questions -------------------------------------------------------------------------------- */

static const struct {
	enum ipmi_command command;
	void (*take)(struct pm_machine *machine, const struct ipmi_reply *reply);
} details[PM_DETAIL_COUNT] = {[PM_DETAIL_BOOT] = {IPMI_GET_BOOT_FLAGS, take_boot},
			      [PM_DETAIL_HOURS] = {IPMI_GET_POH_COUNTER, take_hours},
			      [PM_DETAIL_WATTS] = {IPMI_GET_POWER_READING, take_watts}};

/* Polls come when they come: the one that is nearest to the interval's end is meant, not the one after it. */
static uint64_t watts_interval_ms(const struct pm_machine *machine)
{
	const struct pm_bmc_config *config = machine->config->bmc;
	const struct pm_bmc *bmc = machine->bmc;
	uint64_t early_ms = config->poll_interval_ms / 2;

	if (config->power_interval_ms == 0)
		return UINT64_MAX;
	if (bmc->watts_refused) /* after silence the session may have been given up, which says nothing */
		return bmc->watts_silent || sessions(bmc) == bmc->watts_session ? INTERVAL_MS : 0;
	return config->power_interval_ms > early_ms ? config->power_interval_ms - early_ms : 0;
}

static bool is_due(const struct pm_machine *machine, enum pm_detail detail)
{
	uint64_t asked_ms = machine->bmc->detail_asked_ms[detail];
	uint64_t interval_ms = detail == PM_DETAIL_WATTS ? watts_interval_ms(machine) : INTERVAL_MS;

	if (asked_ms == 0)
		return interval_ms != UINT64_MAX;
	return now_ms(machine) - asked_ms >= interval_ms;
}

/* The first from this one on that is due, or PM_DETAIL_COUNT. */
static enum pm_detail next_due(const struct pm_machine *machine, enum pm_detail detail)
{
	while (detail < PM_DETAIL_COUNT && !is_due(machine, detail))
		detail++;
	return detail;
}

/* What changes seldom counts as asked at some moment before: those that were asked in one sweep part. */
static void note_asked(struct pm_machine *machine, enum pm_detail detail)
{
	uint64_t *asked_ms = &machine->bmc->detail_asked_ms[detail];
	uint64_t earlier_ms = pm_jitter(*asked_ms ? INTERVAL_MS / 5 : INTERVAL_MS);

	*asked_ms = now_ms(machine) - (detail == PM_DETAIL_WATTS ? 0 : earlier_ms);
}

/* Without an answer, or with a "not now", what is known stays until it is too old, and the next poll asks again. */
static bool is_final(struct pm_bmc *bmc, const struct ipmi_reply *reply)
{
	enum pm_outcome outcome = pm_outcome_of(reply);
	bool final = outcome == PM_OUTCOME_DONE || outcome == PM_OUTCOME_REFUSED ||
		     ++bmc->detail_silences[bmc->detail] >= SILENCES_MAX;

	if (final)
		bmc->detail_silences[bmc->detail] = 0;
	return final;
}

static void ask(struct pm_machine *machine, enum pm_detail first);

static void on_detail(const struct ipmi_reply *reply, void *data)
{
	struct pm_machine *machine = data;
	struct pm_bmc *bmc = machine->bmc;

	bmc->detail_op = NULL;
	if (reply->result == IPMI_CANCELLED)
		return;
	if (is_final(bmc, reply)) {
		note_asked(machine, bmc->detail);
		details[bmc->detail].take(machine, reply);
	}
	ask(machine, bmc->detail + 1);
}

/* A job comes first, and a BMC that is away is asked when it is back. */
static void ask(struct pm_machine *machine, enum pm_detail first)
{
	struct pm_bmc *bmc = machine->bmc;

	bmc->detail = next_due(machine, first);
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
	ask(bmc->clock.machine, 0);
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
	if (!machine->fast && next_due(machine, 0) < PM_DETAIL_COUNT)
		pm_sweep_add(machine->agent->details, &machine->bmc->detail_sweep, false);
}

void pm_detail_stop(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	pm_sweep_remove(machine->agent->details, &bmc->detail_sweep);
	if (bmc->detail_op)
		ipmi_op_cancel(bmc->detail_op);
}
