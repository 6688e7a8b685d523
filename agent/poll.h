/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks BMCs and probes on their own clocks, spread so that they never bunch, and quickly while a job waits. */
#ifndef PM_POLL_H
#define PM_POLL_H

#include "agent/agent.h"

/* Begins to poll a machine; the first question comes soon, spread over a fleet of this size. 0 or -ENOMEM. */
int pm_poll_start(struct pm_machine *machine, size_t fleet_size);

/* Ends all polling of it; no callback comes afterwards. */
void pm_poll_stop(struct pm_machine *machine);

/* Every half second instead of every poll interval, until switched off again. */
void pm_poll_fast(struct pm_machine *machine, bool fast);

/* Asks now, instead of when it would be due. */
void pm_poll_now(struct pm_machine *machine);

#endif
