/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Data Center Manageability Interface 1.5: capabilities (6.1.1) and power reading (6.6.1).
 */
#include "tests/sim/internal.h"

enum { DCMI = 0xdc, SYSTEM_POWER_STATISTICS = 1, ACTIVE = 0x40, PARAMETER_OUT_OF_RANGE = 0xc9 };

/* Table 6-3, by parameter selector from 1 on */
static const struct {
	uint8_t length, data[5];
} capabilities[] = {
    {3, {0x00, 0x01, 0x01}},             /* power management; access by LAN */
    {5, {0x00, 0x00, 0x00, 0x00, 0x00}}, /* no event log, no identification, no temperatures */
    {2, {0x20, 0x00}},                   /* the BMC itself measures */
    {3, {0x01, 0xff, 0xff}},             /* LAN channel 1, no second one, no serial channel */
    {1, {0x00}},                         /* no rolling averages */
};

uint8_t sim_dcmi_get_capabilities(struct sim_request *rq, struct sim_buffer *reply)
{
	uint8_t parameter = rq->data[1];

	if (rq->data[0] != DCMI)
		return SIM_INVALID_COMMAND;
	if (parameter < 1 || parameter > sizeof(capabilities) / sizeof(capabilities[0]))
		return PARAMETER_OUT_OF_RANGE;
	sim_put(reply, (const uint8_t[]){DCMI, 1, 5, 2}, 4);
	sim_put(reply, capabilities[parameter - 1].data, capabilities[parameter - 1].length);
	return SIM_OK;
}

uint8_t sim_dcmi_get_power_reading(struct sim_request *rq, struct sim_buffer *reply)
{
	const struct sim_chassis *c = &rq->bmc->chassis;
	int64_t period_us = rq->now_us - c->energy_from_us, since_us = rq->now_us - c->energy_since_us;
	uint32_t watts = c->power ? c->watts_on : c->watts_off;
	uint64_t energy_uj = c->energy_uj + (uint64_t)since_us * watts;

	if (rq->data[0] != DCMI)
		return SIM_INVALID_COMMAND;
	if (rq->data[1] != SYSTEM_POWER_STATISTICS)
		return SIM_INVALID_FIELD;
	sim_put8(reply, DCMI);
	sim_put16(reply, watts);
	sim_put16(reply, c->watts_min);
	sim_put16(reply, c->watts_max);
	sim_put16(reply, period_us > 0 ? (unsigned)(energy_uj / (uint64_t)period_us) : watts);
	sim_put32(reply,
		  (uint32_t)(rq->now_us / 1000000)); /* of a clock of its own, as of a BMC without time */
	sim_put32(reply, (uint32_t)(period_us / 1000));
	sim_put8(reply, ACTIVE);
	return SIM_OK;
}
