/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the store has of machines: their indexes, settings, last states and events. */
#include "agent/store_private.h"

#include <errno.h>

/* --- indexes ---------------------------------------------------------------------------------- */

int pm_store_machine_index(struct pm_store *store, const char *name, uint32_t first, uint32_t last,
			   uint32_t *index, struct pm_error *err)
{
	int64_t number = 0;
	int found = pm_store_query(store, pm_store_bind(store, MACHINE_GET, "s", name), &number, err);

	if (found < 0)
		return found;
	if (!found) {
		found = pm_store_query(store,
				       pm_store_bind(store, MACHINE_TOP, "ii", (int64_t)first, (int64_t)last),
				       &number, err);
		if (found < 0)
			return found;
		number = number < first ? first : number + 1;
		if (number > last)
			return pm_fail(err, ENOSPC, "no index left for machine %s in rows %u to %u", name,
				       first, last);
		found = pm_store_run(store, pm_store_bind(store, MACHINE_ADD, "is", number, name), err);
		if (found < 0)
			return found;
		store->indexes_added = true;
	}
	if (number < first || number > last)
		return pm_fail(err, ERANGE, "machine %s has index %lld, outside of rows %u to %u", name,
			       (long long)number, first, last);
	*index = (uint32_t)number;
	return 0;
}

int pm_store_part_index(struct pm_store *store, const enum pm_statement statements[3], uint32_t machine,
			const char *name, uint32_t *index, struct pm_error *err)
{
	int64_t number = 0;
	int found = pm_store_query(store, pm_store_bind(store, statements[0], "is", (int64_t)machine, name),
				   &number, err);

	if (found == 0) {
		found = pm_store_query(store, pm_store_bind(store, statements[1], "i", (int64_t)machine),
				       &number, err);
		number++;
		store->indexes_added = true;
		if (found > 0)
			found = pm_store_run(
			    store, pm_store_bind(store, statements[2], "iis", (int64_t)machine, number, name),
			    err);
	}
	*index = (uint32_t)number;
	return found < 0 ? found : 0;
}

int pm_store_nic_index(struct pm_store *store, uint32_t machine, const char *name, uint32_t *index,
		       struct pm_error *err)
{
	static const enum pm_statement statements[] = {NIC_GET, NIC_TOP, NIC_ADD};

	return pm_store_part_index(store, statements, machine, name, index, err);
}

/* --- settings and states ---------------------------------------------------------------------- */

static const char *group_of(const struct pm_setting *setting)
{
	return setting->group ? setting->group : "";
}

int pm_store_setting_put(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err)
{
	return pm_store_run(store,
			    pm_store_bind(store, SETTING_PUT, "iissss", (int64_t)setting->machine,
					  (int64_t)setting->part, group_of(setting), setting->key,
					  setting->base, setting->value),
			    err);
}

int pm_store_setting_delete(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err)
{
	return pm_store_run(store,
			    pm_store_bind(store, SETTING_DELETE, "iiss", (int64_t)setting->machine,
					  (int64_t)setting->part, group_of(setting), setting->key),
			    err);
}

static int load_settings(struct pm_store *store, sqlite3_stmt *s,
			 void (*each)(const struct pm_setting *setting, void *data), void *data,
			 struct pm_error *err)
{
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_setting){.machine = (uint32_t)sqlite3_column_int64(s, 0),
					  .part = (uint32_t)sqlite3_column_int64(s, 1),
					  .group = pm_store_text(s, 2),
					  .key = pm_store_text(s, 3),
					  .base = pm_store_text(s, 4),
					  .value = pm_store_text(s, 5)},
		     data);
	return pm_store_finish(store, s, step, err);
}

int pm_store_settings_load(struct pm_store *store, void (*each)(const struct pm_setting *setting, void *data),
			   void *data, struct pm_error *err)
{
	return load_settings(store, pm_store_bind(store, SETTINGS_LOAD, ""), each, data, err);
}

int pm_store_settings_load_part(struct pm_store *store, uint32_t machine, uint32_t part,
				void (*each)(const struct pm_setting *setting, void *data), void *data,
				struct pm_error *err)
{
	return load_settings(store,
			     pm_store_bind(store, SETTINGS_LOAD_PART, "ii", (int64_t)machine, (int64_t)part),
			     each, data, err);
}

static const char *text_of(const char *text)
{
	return text ? text : "";
}

int pm_store_state_put(struct pm_store *store, const struct pm_stored_state *state, struct pm_error *err)
{
	return pm_store_run(
	    store,
	    pm_store_bind(store, STATE_PUT, "iiiiiiiiisisssi", (int64_t)state->machine,
			  (int64_t)state->power_state, (int64_t)state->source, state->last_change_ms,
			  (int64_t)state->on_count, (int64_t)state->off_count, (int64_t)state->bmc_down,
			  (int64_t)state->unknown_told, (int64_t)state->last_result,
			  text_of(state->last_result_text), (int64_t)state->rest, text_of(state->rest_boot),
			  text_of(state->rest_seen), text_of(state->boot_id), (int64_t)state->gone),
	    err);
}

int pm_store_states_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_state *state, void *data), void *data,
			 struct pm_error *err)
{
	sqlite3_stmt *s = pm_store_bind(store, STATES_LOAD, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_stored_state){.machine = (uint32_t)sqlite3_column_int64(s, 0),
					       .power_state = (unsigned)sqlite3_column_int(s, 1),
					       .source = (unsigned)sqlite3_column_int(s, 2),
					       .last_change_ms = sqlite3_column_int64(s, 3),
					       .on_count = (uint32_t)sqlite3_column_int64(s, 4),
					       .off_count = (uint32_t)sqlite3_column_int64(s, 5),
					       .bmc_down = sqlite3_column_int(s, 6),
					       .unknown_told = sqlite3_column_int(s, 7),
					       .last_result = (unsigned)sqlite3_column_int(s, 8),
					       .last_result_text = pm_store_text(s, 9),
					       .rest = (unsigned)sqlite3_column_int(s, 10),
					       .rest_boot = pm_store_text(s, 11),
					       .rest_seen = pm_store_text(s, 12),
					       .boot_id = pm_store_text(s, 13),
					       .gone = sqlite3_column_int(s, 14)},
		     data);
	return pm_store_finish(store, s, step, err);
}

/* --- events ----------------------------------------------------------------------------------- */

int pm_store_event_put(struct pm_store *store, const struct pm_stored_event *event, uint32_t forget,
		       struct pm_error *err)
{
	int error = pm_store_run(store,
				 pm_store_bind(store, EVENT_PUT, "iiiiis", (int64_t)event->machine,
					       (int64_t)event->index, event->time_ms, (int64_t)event->kind,
					       (int64_t)event->severity, event->text),
				 err);

	if (error || !forget)
		return error;
	return pm_store_run(
	    store, pm_store_bind(store, EVENT_FORGET, "ii", (int64_t)event->machine, (int64_t)forget), err);
}

int pm_store_events_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_event *event, void *data), void *data,
			 struct pm_error *err)
{
	sqlite3_stmt *s = pm_store_bind(store, EVENTS_LOAD, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_stored_event){.machine = (uint32_t)sqlite3_column_int64(s, 0),
					       .index = (uint32_t)sqlite3_column_int64(s, 1),
					       .time_ms = sqlite3_column_int64(s, 2),
					       .kind = (unsigned)sqlite3_column_int(s, 3),
					       .severity = (unsigned)sqlite3_column_int(s, 4),
					       .text = pm_store_text(s, 5)},
		     data);
	return pm_store_finish(store, s, step, err);
}

/* --- what is old ------------------------------------------------------------------------------ */

#define EXPIRE_MACHINES 100 /* a few milliseconds */

static int run_with(struct pm_store *store, enum pm_statement which, uint32_t machine, int64_t before_ms,
		    struct pm_error *err)
{
	return pm_store_run(store, pm_store_bind(store, which, "ii", (int64_t)machine, before_ms), err);
}

static int expire_machine(struct pm_store *store, uint32_t machine, bool is_configured, int64_t before_ms,
			  struct pm_error *err)
{
	int error = run_with(store, EVENTS_EXPIRE, machine, before_ms, err);

	if (error || is_configured)
		return error;
	error = run_with(store, STEPS_EXPIRE, machine, before_ms, err);
	return error ? error : run_with(store, JOBS_EXPIRE, machine, before_ms, err);
}

/* The one after it that has something in the store; 0: none. */
static int next_machine(struct pm_store *store, uint32_t *machine, struct pm_error *err)
{
	int64_t next = 0;
	int found =
	    pm_store_query(store, pm_store_bind(store, NEXT_MACHINE, "i", (int64_t)*machine), &next, err);

	*machine = (uint32_t)next;
	return found < 0 ? found : 0;
}

static int expire_some(struct pm_store *store, int64_t before_ms, uint32_t *machine,
		       bool (*configured)(uint32_t machine, void *data), void *data, struct pm_error *err)
{
	int error = 0;

	for (unsigned i = 0; i < EXPIRE_MACHINES && !error; i++) {
		error = next_machine(store, machine, err);
		if (error || *machine == 0)
			return error;
		error = expire_machine(store, *machine, configured(*machine, data), before_ms, err);
	}
	return error;
}

int pm_store_expire(struct pm_store *store, int64_t before_ms, uint32_t *machine,
		    bool (*configured)(uint32_t machine, void *data), void *data, struct pm_error *err)
{
	int error = pm_store_begin_quick(store, err);

	if (error)
		return error;
	error = expire_some(store, before_ms, machine, configured, data, err);
	if (error)
		pm_store_rollback(store);
	return error ? error : pm_store_commit(store, err);
}
