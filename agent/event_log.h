/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events as lines of the log. When a switch fails, a thousand BMCs are down within seconds: of what comes in such storms
 * the first lines are written in full, and then one every few seconds says how many more there were.
 */
#ifndef PM_EVENT_LOG_H
#define PM_EVENT_LOG_H

#include "agent/agent.h"

struct pm_event_log;

/* Makes agent->event_log; without one every event is a line. 0 or -ENOMEM. */
int pm_event_log_new(struct pm_agent *agent);

/* Writes what is still held back, and frees it. */
void pm_event_log_free(struct pm_agent *agent);

void pm_event_log_write(struct pm_machine *machine, enum pm_event_kind kind, enum pm_severity severity,
			const char *text);

#endif
