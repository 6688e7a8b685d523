/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs when the configuration changes: rows go with their machine, stay in the journal, and come back with it. */
#include "agent/fleet.h"
#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/jobs.h"

#define ALL 3

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_credentials credentials = {.name = (char[]){"ops"},
					    .username = (char[]){"admin"},
					    .privilege = PM_PRIVILEGE_OPERATOR,
					    .ipmi_version = PM_IPMI_2_0,
					    .cipher_suites = {3},
					    .cipher_suite_count = 1};
static struct pm_error err;

/* Machines m1, m2, ...; all of them in a group, if there is one. */
static void apply(size_t count, bool group)
{
	struct pm_inventory *inventory = world_inventory(count);

	for (size_t i = 0; i < count; i++)
		give_bmc_config(&inventory->machines[i], &credentials, 623);
	if (group)
		give_group(inventory, "rack", 0, count);
	if (pm_fleet_apply(agent, inventory, &err) < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	world_begin(&world, world_inventory(0));
	assert_int_equal(ipmi_engine_new(&world.loop, &agent->ipmi), 0);
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = 0;
	fake_bmc_obey = NULL;
	fake_ops = NULL;
	apply(ALL, true);
	pm_jobs_resume(agent);
	for (size_t i = 0; i < ALL; i++)
		bmc_says(agent->machines[i], true);
	return 0;
}

static void on_closed(void *data)
{
	*(bool *)data = true;
}

static int tear_down(void **state)
{
	bool closed = false;

	(void)state;
	agent->stopping = true;
	pm_jobs_stop(agent);
	pm_fleet_stop(agent);
	ipmi_engine_close(agent->ipmi, 100, on_closed, &closed);
	while (!closed)
		uv_run(&world.loop, UV_RUN_ONCE);
	pm_fleet_free(agent);
	world_end(&world);
	return 0;
}

int __real_pm_store_commit(struct pm_store *store, struct pm_error *commit_error);
int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *commit_error);

static int good_commits = -1; /* until the disk is full; -1: it is not */

int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *commit_error)
{
	if (good_commits == 0) {
		pm_store_rollback(store);
		return pm_fail(commit_error, ENOSPC, "database or disk is full");
	}
	good_commits -= good_commits > 0;
	return __real_pm_store_commit(store, commit_error);
}

static struct pm_machine *machine(uint32_t index)
{
	return pm_agent_machine(agent, index);
}

static struct pm_job *begin(uint32_t index, enum pm_command action)
{
	const struct pm_job_request request = pm_job_request_of(machine(index), action, PM_ORIGIN_COMMAND);
	struct pm_job *job;

	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	return job;
}

static void make_row(uint32_t index, const char *name, enum pm_row_status row_status, uint32_t delay_s)
{
	struct pm_job_edit edit = {.machine = machine(index),
				   .owner = "op",
				   .name = name,
				   .row_status = row_status,
				   .spec_set = true};

	pm_job_spec_defaults(&edit.spec);
	edit.spec.action = PM_COMMAND_POWER_ON;
	edit.spec.delay_s = delay_s;
	assert_int_equal(pm_job_edit_reserve(&edit, &err), 0);
	assert_int_equal(pm_job_edit_journal(&edit, &err), 0);
	pm_job_edit_release(&edit);
}

static void test_rows_come_back_with_their_machine(void **state)
{
	const struct pm_job *job;
	int64_t id;

	(void)state;
	begin(3, PM_COMMAND_POWER_ON);
	bmc_says(machine(3), true);
	make_row(3, "draft", PM_ROW_CREATE_AND_WAIT, 0);
	id = machine(3)->jobs[0]->id;
	apply(2, true);
	assert_null(machine(3));
	assert_int_equal(agent->jobs->rows, 0);
	assert_int_equal(agent->jobs->idle, 0);
	assert_int_equal(agent->jobs->ended.count, 0);
	assert_int_equal(journal_read(&world, false), 2);
	apply(ALL, true);
	assert_int_equal(machine(3)->jobs_count, 2);
	job = machine(3)->jobs[0];
	assert_int_equal(job->id, id);
	assert_int_equal(job->state, PM_JOB_SUCCEEDED);
	assert_int_equal(job->step_count, 1);
	assert_non_null(strstr(pm_job_text(job), "on already"));
	assert_int_equal(machine(3)->jobs[1]->row_status, PM_ROW_NOT_IN_SERVICE);
	assert_int_equal(agent->jobs->idle, 1);
}

static void test_what_is_at_work_is_aborted(void **state)
{
	const struct pm_job *job;

	(void)state;
	bmc_says(machine(3), false);
	begin(3, PM_COMMAND_POWER_ON);
	make_row(2, "later", PM_ROW_CREATE_AND_GO, 3600);
	apply(1, true);
	world_drain(&world);
	assert_int_equal(world_told(PM_NOTIFY_JOB_FAILED, 3)->result, PM_RESULT_ABORTED);
	assert_int_equal(world_told(PM_NOTIFY_JOB_FAILED, 2)->result, PM_RESULT_ABORTED);
	assert_int_equal(journal_read(&world, true), 0);
	apply(ALL, true);
	job = machine(3)->jobs[0];
	assert_int_equal(job->state, PM_JOB_ABORTED);
	assert_non_null(
	    strstr(pm_job_text(job), "the machine was removed from the configuration; power up was sent"));
	assert_int_equal(machine(2)->jobs[0]->state, PM_JOB_ABORTED);
	assert_null(machine(3)->job);
	assert_int_equal(pm_jobs_active(agent), 0);
}

/* Killed in the middle, and started again without the machine: when that comes back, no step is at work any more. */
static void test_steps_of_a_machine_that_was_away(void **state)
{
	const struct pm_job *job;

	(void)state;
	begin(3, PM_COMMAND_REBOOT);
	pm_flush(agent);
	freeze_journal(&world);
	apply(2, true);
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
	apply(ALL, true);
	job = machine(3)->jobs[0];
	assert_int_equal(job->state, PM_JOB_INTERRUPTED);
	assert_int_equal(job->steps[0].state, PM_JOB_INTERRUPTED);
	assert_string_equal(job->steps[0].text, "the machine is no longer configured");
	assert_int_equal(job->steps[2].state, PM_JOB_NOT_READY);
	assert_string_equal(job->steps[2].text, "not begun");
	assert_int_equal(job->steps_done, 1);
}

/* It was told: it does not come back to life with its machine. */
static void test_an_abort_that_could_not_be_written(void **state)
{
	(void)state;
	bmc_says(machine(3), false);
	begin(3, PM_COMMAND_POWER_ON);
	pm_flush(agent);
	good_commits = 1; /* the reload itself */
	apply(2, true);
	assert_int_equal(journal_read(&world, true), 1);
	good_commits = -1;
	assert_int_equal(pm_flush(agent), 0);
	assert_int_equal(journal_read(&world, true), 0);
	apply(ALL, true);
	assert_null(machine(3)->job);
	assert_int_equal(machine(3)->jobs[0]->state, PM_JOB_ABORTED);
}

static void test_who_stays_goes_on(void **state)
{
	(void)state;
	begin(1, PM_COMMAND_POWER_ON);
	make_row(2, "later", PM_ROW_CREATE_AND_GO, 3600);
	apply(2, false);
	assert_int_equal(pm_jobs_active(agent), 2);
	bmc_says(machine(1), true);
	assert_null(machine(1)->job);
	assert_int_equal(machine(1)->last_result, PM_RESULT_ALREADY_IN_STATE);
	assert_int_equal(machine(2)->job->state, PM_JOB_SCHEDULED);
	assert_int_equal(machine(2)->jobs_count, 1);
}

static void command_group(void)
{
	struct pm_group *rack = pm_agent_group(agent, "rack");
	struct pm_group_command *command;

	assert_int_equal(pm_group_reserve(rack, PM_COMMAND_POWER_ON, 0, &command, &err), 0);
	assert_int_equal(pm_group_journal(command, &err), 0);
	pm_group_release(command);
}

/* What was begun in its name is told in its name. */
static void test_a_group_goes_with_a_member(void **state)
{
	const struct pm_notification *notification;

	(void)state;
	command_group();
	bmc_says(machine(2), true);
	apply(2, false);
	world_drain(&world);
	assert_null(world_told(PM_NOTIFY_GROUP_FINISHED, 0));
	bmc_says(machine(1), true);
	world_drain(&world);
	notification = world_told(PM_NOTIFY_GROUP_FINISHED, 0);
	assert_non_null(notification);
	assert_string_equal(notification->group_name, "rack");
	assert_int_equal(notification->jobs, 3);
	assert_int_equal(notification->succeeded, 2);
	assert_int_equal(notification->failed, 1);
}

/* The machine went while the agent was away. */
static void test_removed_between_two_lives(void **state)
{
	const struct pm_job *job;

	(void)state;
	command_group();
	pm_flush(agent);
	freeze_journal(&world);
	apply(2, true);
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
	assert_int_equal(journal_read(&world, true), 2);
	bmc_says(machine(1), true);
	bmc_says(machine(2), true);
	world_drain(&world);
	assert_int_equal(world_told(PM_NOTIFY_GROUP_FINISHED, 0)->failed, 1);
	apply(ALL, true);
	assert_int_equal(machine(3)->jobs_count, 1);
	job = machine(3)->jobs[0];
	assert_int_equal(job->state, PM_JOB_INTERRUPTED);
	assert_non_null(strstr(pm_job_text(job), "no longer configured"));
	assert_null(machine(3)->job);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_rows_come_back_with_their_machine),
	    TEST(test_what_is_at_work_is_aborted),
	    TEST(test_steps_of_a_machine_that_was_away),
	    TEST(test_an_abort_that_could_not_be_written),
	    TEST(test_who_stays_goes_on),
	    TEST(test_a_group_goes_with_a_member),
	    TEST(test_removed_between_two_lives),
	};

	return cmocka_run_group_tests_name("job reload", tests, NULL, NULL);
}
