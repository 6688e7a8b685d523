/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The history of a machine: a ring in memory for SNMP, written to the store soon after. */
#ifndef PM_EVENT_H
#define PM_EVENT_H

#include "agent/agent.h"
#include "agent/flush.h"

/* Adds an event, logs it, and returns its pmEventIndex. */
uint32_t pm_event_add(struct pm_machine *machine, enum pm_event_kind kind, enum pm_severity severity,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The event with the smallest index that is at least `index`; NULL when there is none. */
const struct pm_event *pm_event_from(const struct pm_machine *machine, uint32_t index);

/* Puts a stored event back into the ring; they come in ascending order. */
void pm_event_restore(struct pm_machine *machine, const struct pm_stored_event *event);

void pm_event_free_all(struct pm_machine *machine);

#endif
