/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machines that have rows in a table whose rows come and go: most machines have none, and are passed over by a walk. */
#ifndef PM_MIB_BUSY_H
#define PM_MIB_BUSY_H

#include "agent/agent.h"

/* Kept until a row comes or goes anywhere. */
struct pm_busy {
	struct pm_machine **machines; /* ascending pmIndex */
	size_t count, room;
	uint64_t changes; /* of the agent's counter then */
	bool good;
};

/*
 * The first machine with this pmIndex or a greater one, and those behind it, among which are all that have rows; *count
 * of them. changes is the agent's counter of rows that came or went. Without memory all machines are taken.
 */
struct pm_machine *const *pm_busy_from(struct pm_busy *busy, const struct pm_agent *agent, uint64_t changes,
				       bool (*has_rows)(const struct pm_machine *machine), uint64_t index,
				       size_t *count);

/* The machines have changed, or nothing is asked for any more. */
void pm_busy_forget(struct pm_busy *busy);

#endif
