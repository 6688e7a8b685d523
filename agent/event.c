/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/event.h"

#include "agent/event_log.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/state.h"
#include "agent/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSH_DELAY_MS 200
#define FLUSH_RETRY_MS 10000

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

/* --- writing to the store --------------------------------------------------------------------- */

static int store_state(struct pm_machine *machine, struct pm_error *err)
{
	const struct pm_stored_state state = {.machine = machine->index,
					      .power_state = machine->last_known,
					      .source = machine->source,
					      .last_change_ms = machine->last_change_ms,
					      .on_count = machine->on_count,
					      .off_count = machine->off_count,
					      .bmc_down = machine->bmc && machine->bmc->down,
					      .unknown_told = pm_state_unknown_told(machine),
					      .last_result = machine->last_result,
					      .last_result_text = machine->last_result_text};

	return machine->state_dirty ? pm_store_state_put(machine->agent->store, &state, err) : 0;
}

static int store_events(struct pm_machine *machine, struct pm_error *err)
{
	uint32_t oldest = machine->event_last - machine->event_count + 1;
	const struct pm_event *event;
	int error = 0;

	for (uint32_t i = oldest; !error && (event = pm_event_from(machine, i)); i++) {
		const struct pm_stored_event stored = {.machine = machine->index,
						       .index = event->index,
						       .time_ms = event->time_ms,
						       .kind = event->kind,
						       .severity = event->severity,
						       .text = event->text ? event->text : ""};

		if (!event->stored)
			error = pm_store_event_put(machine->agent->store, &stored, oldest - 1, err);
	}
	return error;
}

static int store_all(struct pm_agent *agent, struct pm_error *err)
{
	/* without its end on the disk a job would be done again */
	int error =
	    agent->job_ends ? pm_store_begin(agent->store, err) : pm_store_begin_quick(agent->store, err);

	if (error)
		return error;
	error = pm_jobs_store(agent, err);
	for (struct pm_machine *machine = agent->dirty; machine && !error; machine = machine->next_dirty) {
		error = store_state(machine, err);
		if (!error)
			error = store_events(machine, err);
	}
	if (error)
		pm_store_rollback(agent->store);
	return error ? error : pm_store_commit(agent->store, err);
}

static void mark_stored(struct pm_agent *agent)
{
	struct pm_machine *machine;

	pm_jobs_stored(agent);
	while ((machine = agent->dirty) != NULL) {
		agent->dirty = machine->next_dirty;
		machine->dirty = machine->state_dirty = false;
		for (unsigned e = 0; e < PM_EVENT_RING; e++)
			machine->events[e].stored = true;
	}
}

void pm_flush_machine(struct pm_machine *machine)
{
	struct pm_agent *agent = machine->agent;

	if (!machine->dirty) {
		machine->dirty = true;
		machine->next_dirty = agent->dirty;
		agent->dirty = machine;
	}
	pm_flush_soon(agent);
}

void pm_flush_forget(struct pm_machine *machine)
{
	struct pm_machine **link = &machine->agent->dirty;

	while (*link && *link != machine)
		link = &(*link)->next_dirty;
	if (*link)
		*link = machine->next_dirty;
	machine->dirty = false;
}

void pm_flush_soon(struct pm_agent *agent)
{
	if (agent->flush_pending)
		return;
	agent->flush_pending = true;
	pm_timer_start(agent->flush_timer, FLUSH_DELAY_MS);
}

void pm_flush(struct pm_agent *agent)
{
	struct pm_error err = {""};

	agent->flush_pending = false;
	if (!agent->store)
		return;
	if (store_all(agent, &err) == 0) {
		if (agent->store_failing)
			pm_log(LOG_NOTICE, "the state directory can be written again");
		agent->store_failing = false;
		mark_stored(agent);
		return;
	}
	if (!agent->store_failing)
		pm_log(LOG_ERR, "events and states can not be stored, kept in memory and tried again: %s",
		       err.text);
	agent->store_failing = true;
	agent->flush_pending = true;
	pm_timer_start(agent->flush_timer, FLUSH_RETRY_MS);
}
