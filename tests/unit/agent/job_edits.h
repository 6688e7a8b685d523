/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SETs of rows of pmJobTable, for the tests of them: four machines that are on, and a row of the first one in one SET. */
#ifndef PM_TEST_JOB_EDITS_H
#define PM_TEST_JOB_EDITS_H

#include "agent/job_private.h"
#include "tests/unit/agent/jobs.h"

#define MACHINES 4

static struct world world;
static struct pm_agent *agent = &world.agent;
/* each with a BMC and on already: a powerOn runs until a fresh answer confirms it */
static struct pm_machine **machines;
static struct pm_error err;

static inline int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);

	(void)state;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc_config(&inventory->machines[i], NULL, 623);
		give_nic_configs(&inventory->machines[i], 1);
	}
	world_begin(&world, inventory);
	machines = agent->machines;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc(machines[i]);
		give_nics(machines[i]);
		bmc_says(machines[i], true);
	}
	err.text[0] = '\0';
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	agent->stopping = true;
	pm_jobs_stop(agent);
	assert_int_equal(agent->jobs_reserved, 0);
	world_end(&world);
	return 0;
}

/* --- a SET of one row ---------------------------------------------------------------------------------------------- */

static inline struct pm_job *row(const char *name)
{
	return pm_job_find(machines[0], "op", name);
}

/* As mib/ makes it: the row's values, or the DEFVALs; a test changes what its SET has. */
static inline struct pm_job_edit edit_of(const char *name, enum pm_row_status row_status)
{
	bool creates = row_status == PM_ROW_CREATE_AND_GO || row_status == PM_ROW_CREATE_AND_WAIT;
	struct pm_job_edit edit = {
	    .machine = machines[0], .owner = "op", .name = name, .job = row(name), .row_status = row_status};

	if (edit.job && !creates)
		edit.spec = edit.job->spec;
	else
		pm_job_spec_defaults(&edit.spec);
	return edit;
}

static inline struct pm_job_edit with(struct pm_job_edit edit, enum pm_command action)
{
	edit.spec.action = action;
	edit.spec.scope = PM_SCOPE_MACHINE;
	edit.spec_set = true;
	return edit;
}

static inline struct pm_job_edit create(const char *name, enum pm_command action)
{
	return with(edit_of(name, PM_ROW_CREATE_AND_GO), action);
}

static inline struct pm_job_edit admin(const char *name, enum pm_job_admin_status status)
{
	struct pm_job_edit edit = edit_of(name, 0);

	edit.admin_status = status;
	return edit;
}

static inline int reserve(struct pm_job_edit *edit)
{
	err.text[0] = '\0';
	return pm_job_edit_reserve(edit, &err);
}

/* In the SET's own transaction. */
static inline void journal(struct pm_job_edit *edit)
{
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	if (pm_job_edit_journal(edit, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
}

/* A whole SET that is good. */
static inline void set(struct pm_job_edit edit)
{
	if (reserve(&edit) < 0)
		fail_msg("%s", err.text);
	journal(&edit);
	pm_job_edit_release(&edit);
}

static inline void assert_refused(struct pm_job_edit edit, int error, const char *word)
{
	size_t rows = machines[0]->jobs_count;
	const struct pm_job *job = machines[0]->job;

	assert_int_equal(reserve(&edit), error);
	if (!strstr(err.text, word))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	assert_int_equal(machines[0]->jobs_count, rows);
	assert_int_equal(machines[0]->jobs_wanted, 0);
	assert_ptr_equal(machines[0]->job, job);
	assert_int_equal(agent->jobs_reserved, 0);
}

static inline void assert_row(const char *name, enum pm_row_status row_status, enum pm_job_state state)
{
	assert_non_null(row(name));
	assert_int_equal(row(name)->row_status, row_status);
	assert_int_equal(row(name)->state, state);
}

static inline void assert_text(const char *name, const char *word)
{
	if (!strstr(pm_job_text(row(name)), word))
		fail_msg("\"%s\" does not say \"%s\"", pm_job_text(row(name)), word);
}

static inline void restart(void)
{
	pm_flush(agent);
	kill_agent(&world);
	start_agent(&world);
}

/* The agent is killed with the SET as it is. */
static inline void killed_now(struct pm_job_edit *edit)
{
	freeze_journal(&world);
	pm_job_edit_cancel(edit);
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
}

#endif
