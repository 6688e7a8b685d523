/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Brings the running machines in line with an inventory: at the start and at every reload. */
#ifndef PM_FLEET_H
#define PM_FLEET_H

#include "agent/agent.h"

/* Whether every BMC of the inventory can be spoken to by this version. Returns 0 or -EINVAL with file:line in err. */
int pm_fleet_check(const struct pm_inventory *inventory, struct pm_error *err);

/*
 * Takes over inventory (and frees the one before): machines that are new begin to be polled, those that stay keep
 * what is known of them, those that are gone end their job as aborted. On error nothing has changed and the inventory
 * still is the caller's.
 */
int pm_fleet_apply(struct pm_agent *agent, struct pm_inventory *inventory, struct pm_error *err);

/* Ends all polling: nothing is asked any more. */
void pm_fleet_stop(struct pm_agent *agent);

/* Frees every machine and the inventory, when the engines have closed. */
void pm_fleet_free(struct pm_agent *agent);

#endif
