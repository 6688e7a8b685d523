/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Time that nobody sets, over restarts of the agent: milliseconds that go on with the loop's clock. When the host is
 * booted they go on with the wall clock, as far as that was away from them before.
 */
#ifndef PM_STEADY_H
#define PM_STEADY_H

#include "agent/agent.h"

/* Takes up where the store says; at the start. */
void pm_steady_start(struct pm_agent *agent);

int64_t pm_steady_ms(const struct pm_agent *agent);

/* Writes what a start needs, when it has changed; inside the caller's transaction. 0, or the store's error. */
int pm_steady_store(struct pm_agent *agent, struct pm_error *err);

#endif
