/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The chassis: power that takes its time, what a manager may order (IPMI 2.0, 28.1 to 28.9 and 28.14), and loss of AC.
 */
#include <stdio.h>

#include "tests/sim/internal.h"

enum { /* bits and values of table 28-3, */
       STATUS_ON = 0x01,
       EVENT_AC_FAILED = 0x01,
       EVENT_ON_BY_COMMAND = 0x10,
       MISC_IDENTIFY_SUPPORTED = 0x40,
       POLICY_OFF = 0,
       POLICY_PREVIOUS = 1,
       POLICY_ON = 2,
       /* of table 28-11 */
       CAUSE_COMMAND = 1,
       CAUSE_POWER_BUTTON = 3,
       CAUSE_ALWAYS_ON = 6,
       CAUSE_PREVIOUS = 7
};

enum { DEFAULT_CYCLE_MS = 1000, DEFAULT_WATTS_ON = 120, DEFAULT_WATTS_OFF = 8, DEFAULT_POH_UNIT_MIN = 60 };

void sim_chassis_init(struct sim_chassis *c, int64_t now_us)
{
	*c = (struct sim_chassis){.cycle_ms = DEFAULT_CYCLE_MS,
				  .poh_unit_min = DEFAULT_POH_UNIT_MIN,
				  .watts_on = DEFAULT_WATTS_ON,
				  .watts_off = DEFAULT_WATTS_OFF,
				  .watts_min = DEFAULT_WATTS_OFF,
				  .watts_max = DEFAULT_WATTS_OFF,
				  .since_us = now_us,
				  .energy_since_us = now_us,
				  .energy_from_us = now_us};
}

/* ---- power ---- */

/* Hours and energy up to now. */
static void account(struct sim_chassis *c, int64_t now_us)
{
	uint32_t watts = c->power ? c->watts_on : c->watts_off;

	if (c->power)
		c->on_us += now_us - c->since_us;
	c->since_us = now_us;
	c->energy_uj += (uint64_t)(now_us - c->energy_since_us) * watts;
	c->energy_since_us = now_us;
}

static void note_watts(struct sim_chassis *c)
{
	uint32_t watts = c->power ? c->watts_on : c->watts_off;

	c->watts_min = watts < c->watts_min ? watts : c->watts_min;
	c->watts_max = watts > c->watts_max ? watts : c->watts_max;
}

void sim_bmc_watts(struct sim_bmc *bmc, int64_t now_us, uint32_t on, uint32_t off)
{
	struct sim_chassis *c = &bmc->chassis;

	account(c, now_us);
	c->watts_on = on;
	c->watts_off = off;
	note_watts(c);
}

void sim_bmc_poh(struct sim_bmc *bmc, int64_t now_us, uint32_t hours)
{
	account(&bmc->chassis, now_us);
	bmc->chassis.on_us = (int64_t)hours * 3600 * 1000000;
}

void sim_chassis_power(struct sim_bmc *bmc, int64_t now_us, bool power)
{
	struct sim_chassis *c = &bmc->chassis;
	bool starts = power && !c->power;

	account(c, now_us);
	c->power = power;
	c->due_us = 0;
	note_watts(c);
	if (starts)
		sim_boot_start(bmc, now_us);
}

static void power_later(struct sim_bmc *bmc, int64_t now_us, uint32_t after_ms, bool power, const char *cause)
{
	struct sim_chassis *c = &bmc->chassis;

	if (after_ms == 0) {
		sim_chassis_power(bmc, now_us, power);
		return;
	}
	c->due_us = now_us + (int64_t)after_ms * 1000;
	c->due_power = power;
	c->due_cause = cause;
}

void sim_chassis_tick(struct sim_bmc *bmc, int64_t now_us)
{
	struct sim_chassis *c = &bmc->chassis;
	bool before = c->power;

	if (c->identify == 1 && now_us >= c->identify_until_us)
		c->identify = 0;
	if (c->due_us == 0 || now_us < c->due_us)
		return;
	now_us = c->due_us;
	sim_chassis_power(bmc, now_us, c->due_power);
	sim_event(bmc, now_us, "power-change", c->due_cause, before);
}

void sim_bmc_button(struct sim_bmc *bmc, int64_t now_us, bool power)
{
	bool before = bmc->chassis.power;

	if (power && !before)
		bmc->chassis.restart_cause = CAUSE_POWER_BUTTON;
	sim_chassis_power(bmc, now_us, power);
	sim_event(bmc, now_us, "power-change", "button", before);
}

void sim_bmc_ac_loss(struct sim_bmc *bmc, int64_t now_us, int64_t silent_us)
{
	struct sim_chassis *c = &bmc->chassis;
	bool before = c->power, on = c->policy == POLICY_ON || (c->policy == POLICY_PREVIOUS && before);

	sim_bmc_reboot(bmc, now_us, silent_us);
	sim_chassis_power(bmc, now_us, false);
	c->identify = 0;
	c->last_event = EVENT_AC_FAILED;
	sim_event(bmc, now_us, "power-change", "ac-loss", before);
	if (!on)
		return;
	c->restart_cause = c->policy == POLICY_ON ? CAUSE_ALWAYS_ON : CAUSE_PREVIOUS;
	c->due_us = now_us + silent_us + (int64_t)c->on_ms * 1000 + 1;
	c->due_power = true;
	c->due_cause = "restore-policy";
}

/* ---- commands ---- */

/* 28.1 */
uint8_t sim_get_chassis_capabilities(struct sim_request *rq, struct sim_buffer *reply)
{
	static const uint8_t data[] = {0x0f, 0x20, 0x20, 0x20, 0x20};

	(void)rq;
	sim_put(reply, data, sizeof(data));
	return SIM_OK;
}

/* 28.2 */
uint8_t sim_get_chassis_status(struct sim_request *rq, struct sim_buffer *reply)
{
	const struct sim_chassis *c = &rq->bmc->chassis;

	sim_put8(reply, (unsigned)c->power | c->faults | (unsigned)c->policy << 5);
	sim_put8(reply, c->last_event);
	sim_put8(reply, c->misc | (unsigned)c->identify << 4 | MISC_IDENTIFY_SUPPORTED);
	sim_put8(reply, 0); /* front panel buttons: none is disabled */
	return SIM_OK;
}

static void power_up(struct sim_request *rq)
{
	struct sim_chassis *c = &rq->bmc->chassis;

	if (c->power || (c->due_us && c->due_power))
		return;
	c->last_event = EVENT_ON_BY_COMMAND;
	c->restart_cause = CAUSE_COMMAND;
	power_later(rq->bmc, rq->now_us, c->on_ms, true, "power-up");
}

static uint8_t cycle(struct sim_request *rq)
{
	struct sim_chassis *c = &rq->bmc->chassis;

	if (!c->power)
		return SIM_NOT_IN_STATE;
	c->restart_cause = CAUSE_COMMAND;
	sim_chassis_power(rq->bmc, rq->now_us, false);
	power_later(rq->bmc, rq->now_us, c->cycle_ms, true, "power-cycle");
	return SIM_OK;
}

static uint8_t reset(struct sim_request *rq)
{
	if (!rq->bmc->chassis.power)
		return SIM_NOT_IN_STATE;
	rq->bmc->chassis.restart_cause = CAUSE_COMMAND;
	sim_boot_start(rq->bmc, rq->now_us);
	return SIM_OK;
}

static void soft_shutdown(struct sim_request *rq)
{
	struct sim_chassis *c = &rq->bmc->chassis;

	if (c->power && c->soft_ms != SIM_NEVER_MS && !c->due_us)
		power_later(rq->bmc, rq->now_us, c->soft_ms, false, "soft-shutdown");
}

/* 28.3: what asks for a running machine is refused when it is off, as table 28-4 recommends. */
uint8_t sim_chassis_control(struct sim_request *rq, struct sim_buffer *reply)
{
	static const char *const names[] = {
	    "power-down", "power-up", "power-cycle", "hard-reset", "diagnostic-interrupt", "soft-shutdown"};
	struct sim_chassis *c = &rq->bmc->chassis;
	unsigned control = rq->data[0] & 0x0f;
	uint8_t code = SIM_OK;

	(void)reply;
	if (control >= sizeof(names) / sizeof(names[0]))
		return SIM_INVALID_FIELD;
	sim_effect(rq, "%s", names[control]);
	sim_boot_touch(rq->bmc, rq->now_us);
	if (control == 0)
		sim_chassis_power(rq->bmc, rq->now_us, false);
	else if (control == 1)
		power_up(rq);
	else if (control == 2)
		code = cycle(rq);
	else if (control == 3)
		code = reset(rq);
	else if (control == 4)
		c->diagnostics++;
	else
		soft_shutdown(rq);
	c->controls += code == SIM_OK;
	return code;
}

/* 28.5: 15 s unless told otherwise; 0 s switches it off */
uint8_t sim_chassis_identify(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_chassis *c = &rq->bmc->chassis;
	uint8_t interval_s = rq->length > 0 ? rq->data[0] : 15;

	(void)reply;
	if (rq->length > 1 && rq->data[1] & 0x01) {
		c->identify = 2;
		sim_effect(rq, "indefinite");
	} else {
		c->identify = interval_s > 0;
		c->identify_until_us = rq->now_us + interval_s * INT64_C(1000000);
		sim_effect(rq, interval_s ? "%us" : "off", interval_s);
	}
	return SIM_OK;
}

/* 28.8: all three are supported, and 3 only asks which are */
uint8_t sim_set_restore_policy(struct sim_request *rq, struct sim_buffer *reply)
{
	static const char *const names[] = {"always-off", "previous", "always-on"};
	uint8_t policy = rq->data[0] & 0x07;

	if (policy > 3)
		return SIM_INVALID_FIELD;
	if (policy < 3) {
		rq->bmc->chassis.policy = policy;
		sim_effect(rq, "%s", names[policy]);
	}
	sim_put8(reply, 0x07);
	return SIM_OK;
}

/* 28.11 */
uint8_t sim_get_restart_cause(struct sim_request *rq, struct sim_buffer *reply)
{
	sim_put8(reply, rq->bmc->chassis.restart_cause);
	sim_put8(reply, rq->bmc->chassis.restart_cause == CAUSE_COMMAND ? 1 : 0); /* by which channel */
	return SIM_OK;
}

/* 28.14 */
uint8_t sim_get_poh_counter(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_chassis *c = &rq->bmc->chassis;

	account(c, rq->now_us);
	sim_put8(reply, c->poh_unit_min);
	sim_put32(reply, (uint32_t)(c->on_us / ((int64_t)c->poh_unit_min * 60 * 1000000)));
	return SIM_OK;
}
