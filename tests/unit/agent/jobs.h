/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests of jobs have in common: what the journal has, what a crash left in it, and a restart. */
#ifndef PM_TEST_JOBS_H
#define PM_TEST_JOBS_H

#include "agent/job.h"
#include "agent/plan.h"
#include "agent/steady.h"
#include "tests/unit/agent/support.h"

#include <sqlite3.h>

/* --- the journal ------------------------------------------------------------------------------------------------ */

static struct pm_stored_job journal_jobs[64]; /* their texts are gone */
static unsigned journal_count;

static inline void journal_note(const struct pm_stored_job *job, void *data)
{
	bool unfinished_only = *(bool *)data;

	if (unfinished_only && (job->state < PM_JOB_SCHEDULED || job->state > PM_JOB_ABORTING))
		return;
	assert_true(journal_count < LENGTH(journal_jobs));
	journal_jobs[journal_count++] = *job;
}

/* How many rows are on the disk: all, or those that have not ended. */
static inline unsigned journal_read(struct world *world, bool unfinished_only)
{
	struct pm_error err = {""};

	journal_count = 0;
	assert_int_equal(pm_store_jobs_load(world->agent.store, 0, journal_note, &unfinished_only, &err), 0);
	return journal_count;
}

/* The row of the job with this id as it is on the disk; NULL: none. */
static inline const struct pm_stored_job *journal_row(struct world *world, int64_t id)
{
	journal_read(world, false);
	for (unsigned i = 0; i < journal_count; i++)
		if (journal_jobs[i].id == id)
			return &journal_jobs[i];
	return NULL;
}

/* While it is open, nothing can be written. */
static inline sqlite3 *block_store(struct world *world)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" PM_STORE_FILE, world->directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

/* --- a job that a crash left ------------------------------------------------------------------------------------ */

static inline struct pm_stored_job journal_job(uint32_t machine, enum pm_command action)
{
	return (struct pm_stored_job){.machine = machine,
				      .label = "",
				      .action = action,
				      .origin = PM_ORIGIN_COMMAND,
				      .scope = PM_SCOPE_STACK_AND_MACHINE,
				      .force = PM_FORCE_NEVER,
				      .timeout_s = 600,
				      .vm_timeout_s = 180,
				      .storage = PM_STORAGE_NON_VOLATILE,
				      .row_status = PM_ROW_ACTIVE,
				      .enabled = true,
				      .retain_s = 3600,
				      .state = PM_JOB_SCHEDULED,
				      .result = PM_RESULT_NONE,
				      .text = "",
				      .created_ms = pm_time_ms() - 1000};
}

static inline int64_t journal_insert(struct world *world, struct pm_stored_job job)
{
	struct pm_error err = {""};

	if (pm_store_job_insert(world->agent.store, &job, &err) < 0)
		fail_msg("%s", err.text);
	return job.id;
}

/* --- time and restarts ------------------------------------------------------------------------------------------ */

static inline void copy_file(const char *from, const char *to)
{
	static char buffer[1 << 16];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t got;

	assert_non_null(in);
	assert_non_null(out);
	while ((got = fread(buffer, 1, sizeof(buffer), in)) > 0)
		assert_int_equal(fwrite(buffer, 1, got, out), got);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static inline void copy_journal(const struct world *world, const char *from, const char *to)
{
	static const char *const files[] = {PM_STORE_FILE, PM_STORE_FILE "-wal"};
	char source[128], target[128];

	for (size_t i = 0; i < LENGTH(files); i++) {
		snprintf(source, sizeof(source), "%s/%s%s", world->directory, from, files[i]);
		snprintf(target, sizeof(target), "%s/%s%s", world->directory, to, files[i]);
		copy_file(source, target);
	}
}

/* What a kill at this moment would leave on the disk. */
static inline void freeze_journal(const struct world *world)
{
	copy_journal(world, "", "frozen-");
}

/* It was killed then: nothing that was written since has been. */
static inline void thaw_journal(struct world *world)
{
	char path[128];

	pm_store_close(world->agent.store);
	copy_journal(world, "frozen-", "");
	snprintf(path, sizeof(path), "%s/" PM_STORE_FILE "-shm", world->directory);
	unlink(path);
	world_open_store(world);
}

/* The agent is killed: all that is not in the journal is gone. */
static inline void kill_agent(struct world *world)
{
	struct pm_agent *agent = &world->agent;

	agent->stopping = true;
	pm_jobs_stop(agent);
	while (agent->syncing) /* whoever is told of it is gone */
		uv_run(&world->loop, UV_RUN_ONCE);
	for (size_t i = 0; i < agent->machine_count; i++) {
		struct pm_machine *machine = agent->machines[i];

		pm_jobs_forget(machine);
		pm_flush_forget(machine);
		pm_event_free_all(machine);
		machine->event_last = 0;
		machine->transition = 0;
		machine->state_dirty = machine->fast = false;
	}
	pm_jobs_close(agent);
	pm_timer_stop(agent->flush_timer);
	agent->flush_pending = agent->flush_now = agent->stopping = false;
}

/* And begins anew, with what the journal has. */
static inline void start_agent(struct world *world)
{
	assert_int_equal(pm_jobs_open(&world->agent), 0);
	pm_jobs_resume(&world->agent);
}

#endif
