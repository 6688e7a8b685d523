/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a BMC tells beside its chassis status, and what changes seldom: asked for after a poll that was answered, few at a
 * time, and when no sweep is in a hurry.
 */
#ifndef PM_DETAIL_H
#define PM_DETAIL_H

#include "agent/agent.h"

/* Makes agent->details. 0 or -ENOMEM. */
int pm_details_new(struct pm_agent *agent);
void pm_details_free(struct pm_agent *agent);

/* While held, nothing is asked. */
void pm_details_hold(struct pm_agent *agent, bool hold);

/* Its BMC has just answered: what is due is asked for soon. */
void pm_detail_queue(struct pm_machine *machine);

/* Ends what is being asked; no callback comes afterwards. */
void pm_detail_stop(struct pm_machine *machine);

/* The power that it takes; false when that is not known, or was measured too long ago. */
bool pm_detail_watts(const struct pm_machine *machine, unsigned *watts);

/* The machine was switched: what was measured no longer holds. */
void pm_detail_switched(struct pm_machine *machine);

#endif
