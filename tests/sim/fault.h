/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the network and bad firmware do to packets, by the dice of each BMC: the same seed and the same packets give the
 * same faults.
 */
#ifndef PM_SIM_FAULT_H
#define PM_SIM_FAULT_H

#include "tests/sim/bmc.h"

enum { SIM_DEPARTURES_MAX = 5 };

struct sim_departure {
	uint32_t delay_us;
	bool held; /* leaves only after another answer of this BMC has left */
	struct sim_buffer packet;
};

/* Whether a packet to the BMC gets lost. */
bool sim_fault_lost(struct sim_bmc *bmc);

/* What leaves in place of the answer. Returns how many packets. */
size_t sim_fault_out(struct sim_bmc *bmc, const struct sim_buffer *answer, struct sim_departure *departures);

#endif
