/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/flush.h"

#include "agent/event.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/notify.h"
#include "agent/os.h"
#include "agent/state.h"
#include "agent/vm.h"

#define DELAY_MS       200
#define PAUSE_MS       20
#define FIRST_RETRY_MS 2000
#define RETRY_MS       10000

/* --- what is dirty ---------------------------------------------------------------------------- */

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

/* No later than in delay_ms. */
static void plan(struct pm_agent *agent, uint64_t delay_ms)
{
	uint64_t due_ms = uv_now(agent->loop) + delay_ms;

	if (agent->flush_pending && agent->flush_due_ms <= due_ms)
		return;
	agent->flush_pending = true;
	agent->flush_due_ms = due_ms;
	pm_timer_start(agent->flush_timer, delay_ms);
}

void pm_flush_soon(struct pm_agent *agent)
{
	if (!agent->flush_pending)
		plan(agent, DELAY_MS);
}

void pm_flush_shortly(struct pm_agent *agent)
{
	uint64_t passed_ms = uv_now(agent->loop) - agent->flushed_ms;

	if (!agent->store_failing)
		plan(agent, passed_ms < PAUSE_MS ? PAUSE_MS - passed_ms : 0);
}

void pm_flush_now(struct pm_agent *agent)
{
	pm_flush_soon(agent);
	if (agent->store_failing)
		return;
	agent->flush_now = true;
	if (!agent->syncing)
		plan(agent, 0);
}

/* --- the transaction -------------------------------------------------------------------------- */

static int store_state(struct pm_machine *machine, struct pm_error *err)
{
	char rest_seen[PM_OS_SEEN_SIZE];
	struct pm_stored_state state = {.machine = machine->index,
					.power_state = machine->last_known,
					.source = machine->source,
					.last_change_ms = machine->last_change_ms,
					.on_count = machine->on_count,
					.off_count = machine->off_count,
					.bmc_down = machine->bmc && machine->bmc->down,
					.unknown_told = pm_state_unknown_told(machine),
					.last_result = machine->last_result,
					.last_result_text = machine->last_result_text};

	if (!machine->state_dirty)
		return 0;
	pm_os_store(machine, &state, rest_seen);
	return pm_store_state_put(machine->agent->store, &state, err);
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
	int error = pm_store_begin_quick(agent->store, err);

	if (error)
		return error;
	error = pm_jobs_store(agent, err);
	for (struct pm_machine *machine = agent->dirty; machine && !error; machine = machine->next_dirty) {
		error = store_state(machine, err);
		if (!error)
			error = store_events(machine, err);
		if (!error)
			error = pm_stack_store(machine, err);
	}
	if (!error)
		error = pm_notify_store(agent, err);
	if (error)
		pm_store_rollback(agent->store);
	return error ? error : pm_store_commit(agent->store, err);
}

static void mark_machines(struct pm_agent *agent)
{
	struct pm_machine *machine;

	while ((machine = agent->dirty) != NULL) {
		agent->dirty = machine->next_dirty;
		machine->dirty = machine->state_dirty = false;
		for (unsigned e = 0; e < PM_EVENT_RING; e++)
			machine->events[e].stored = true;
		pm_stack_stored(machine);
	}
}

/* --- when it fails, and when it is on the disk ------------------------------------------------- */

static void fail(struct pm_agent *agent, const char *why)
{
	if (!agent->store_failing)
		pm_log(
		    LOG_ERR,
		    "jobs, events and states can not be stored, kept in memory and tried again; until then "
		    "SETs are refused and no step of a job begins: %s",
		    why);
	agent->flush_pending = false;
	plan(agent, agent->store_failing ? RETRY_MS : FIRST_RETRY_MS);
	agent->store_failing = true;
	pm_jobs_store_failed(agent, why);
	pm_notify_store_failed(agent);
}

static void succeed(struct pm_agent *agent)
{
	if (agent->store_failing)
		pm_log(LOG_NOTICE, "the state directory can be written again");
	agent->store_failing = false;
}

static void sync_to_disk(struct pm_agent *agent);

static void on_synced(bool good, void *data)
{
	struct pm_agent *agent = data;
	uint64_t generation = agent->syncing;

	agent->syncing = 0;
	if (!good) {
		fail(agent, "the state directory's disk does not take what was written");
		return;
	}
	agent->synced = generation;
	if (agent->sync_wanted == generation)
		succeed(agent);
	pm_notify_synced(agent, generation);
	if (!agent->stopping) /* what waits for it is taken up at the next start */
		pm_jobs_synced(agent, generation);
	if (agent->flush_now)
		pm_flush(agent);
	sync_to_disk(agent);
}

static void sync_to_disk(struct pm_agent *agent)
{
	if (agent->syncing || agent->synced >= agent->sync_wanted)
		return;
	agent->syncing = agent->sync_wanted;
	if (pm_store_sync(agent->store, on_synced, agent) < 0)
		on_synced(false, agent);
}

int pm_flush(struct pm_agent *agent)
{
	bool waited_for = pm_jobs_dirty(agent) || pm_notify_unstored(agent);
	struct pm_error err = {""};
	int error;

	agent->flush_pending = agent->flush_now = false;
	agent->flushed_ms = uv_now(agent->loop);
	pm_timer_stop(agent->flush_timer);
	if (!agent->store)
		return 0;
	error = store_all(agent, &err);
	if (error) {
		fail(agent, err.text);
		return error;
	}
	agent->flush_generation++;
	mark_machines(agent);
	pm_notify_stored(agent, agent->flush_generation);
	pm_jobs_stored(agent, agent->flush_generation);
	if (waited_for)
		agent->sync_wanted = agent->flush_generation;
	if (agent->synced >= agent->sync_wanted)
		succeed(agent);
	sync_to_disk(agent);
	return 0;
}
