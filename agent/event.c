/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/event.h"

#include "agent/event_log.h"
#include "agent/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pm_event *slot(struct pm_machine *machine, uint32_t index)
{
	return &machine->events[index % PM_EVENT_RING];
}

static struct pm_event *next_slot(struct pm_machine *machine, uint32_t index)
{
	struct pm_event *event = slot(machine, index);

	free(event->text);
	machine->event_last = index;
	if (machine->event_count < PM_EVENT_RING)
		machine->event_count++;
	return event;
}

uint32_t pm_event_add(struct pm_machine *machine, enum pm_event_kind kind, enum pm_severity severity,
		      const char *format, ...)
{
	char text[256];
	va_list args;
	struct pm_event *event = next_slot(machine, machine->event_last + 1);

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pm_text_trim(text);
	*event = (struct pm_event){.index = machine->event_last,
				   .time_ms = pm_time_ms(),
				   .kind = kind,
				   .severity = severity,
				   .text = strdup(text)};
	pm_event_log_write(machine, kind, severity, text);
	pm_flush_machine(machine);
	return event->index;
}

void pm_event_restore(struct pm_machine *machine, const struct pm_stored_event *stored)
{
	struct pm_event *event;

	if (stored->index <= machine->event_last)
		return;
	if (stored->index != machine->event_last + 1) /* only what follows without a gap stays in the ring */
		pm_event_free_all(machine);
	event = next_slot(machine, stored->index);
	*event = (struct pm_event){.index = stored->index,
				   .time_ms = stored->time_ms,
				   .kind = stored->kind,
				   .severity = stored->severity,
				   .stored = true,
				   .text = strdup(stored->text)};
}

const struct pm_event *pm_event_from(const struct pm_machine *machine, uint32_t index)
{
	uint32_t first = machine->event_last - machine->event_count + 1;

	if (index < first)
		index = first;
	return machine->event_count && index <= machine->event_last ? &machine->events[index % PM_EVENT_RING]
								    : NULL;
}

void pm_event_free_all(struct pm_machine *machine)
{
	for (unsigned i = 0; i < PM_EVENT_RING; i++) {
		free(machine->events[i].text);
		machine->events[i] = (struct pm_event){0};
	}
	machine->event_count = 0;
}
