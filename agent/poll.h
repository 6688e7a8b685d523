/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asks BMCs and probes: all at once, as fast as they answer, after a start and when told to; then each on its own clock,
 * spread so that they never bunch, and quickly while a job waits.
 */
#ifndef PM_POLL_H
#define PM_POLL_H

#include "agent/agent.h"

/* Makes agent->polling, before the first pm_poll_start(). 0 or -ENOMEM. */
int pm_polling_new(struct pm_agent *agent);

/* When every machine has been stopped. */
void pm_polling_free(struct pm_agent *agent);

/*
 * Begins to poll a machine, with a sweep when it was never asked before. One that was stopped goes on where its clock
 * stood. 0 or -ENOMEM.
 */
int pm_poll_start(struct pm_machine *machine);

/* Ends all polling of it; no callback comes afterwards. */
void pm_poll_stop(struct pm_machine *machine);

/* Every half second instead of every poll interval, until switched off again. */
void pm_poll_fast(struct pm_machine *machine, bool fast);

/* Asks now, instead of when it would be due, and before any sweep. */
void pm_poll_now(struct pm_machine *machine);

/* A sweep: asks every BMC and every probe now; at its end the log says how many have answered. */
void pm_poll_sweep(struct pm_agent *agent);

/* How many polls there were and how late they began, since the start and since the last call; for the log. */
void pm_poll_summary(struct pm_agent *agent, char *text, size_t size);

#endif
