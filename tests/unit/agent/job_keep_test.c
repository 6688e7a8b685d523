/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows that managers write: where and how long they are kept, and what a SET that is taken back leaves behind. */
#include "tests/unit/agent/job_edits.h"

/* --- storage type --------------------------------------------------------------------------------------------------------------- */

static struct pm_job_edit volatile_row(struct pm_job_edit edit)
{
	edit.spec.storage = PM_STORAGE_VOLATILE;
	return edit;
}

static void test_a_volatile_row_is_in_the_journal_only_while_at_work(void **state)
{
	(void)state;
	set(volatile_row(with(edit_of("v", PM_ROW_CREATE_AND_WAIT), PM_COMMAND_POWER_ON)));
	assert_int_equal(journal_read(&world, false), 0);
	set(edit_of("v", PM_ROW_ACTIVE));
	assert_int_equal(journal_read(&world, true), 1);
	bmc_says(machines[0], true);
	pm_flush(agent);
	assert_int_equal(journal_read(&world, false), 0);
	assert_row("v", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	set(with(edit_of("v", PM_ROW_NOT_IN_SERVICE), PM_COMMAND_POWER_ON));
	assert_int_equal(journal_read(&world, false), 0);
	restart();
	assert_null(row("v"));
}

static void test_a_volatile_job_is_reported(void **state)
{
	(void)state;
	set(volatile_row(create("v", PM_COMMAND_POWER_ON)));
	world_drain(&world);
	restart();
	assert_null(row("v"));
	assert_int_equal(machines[0]->last_result, PM_RESULT_INTERRUPTED);
	world_drain(&world);
	assert_int_equal(world_told(PM_NOTIFY_JOB_FAILED, 1)->result, PM_RESULT_INTERRUPTED);
	pm_flush(agent);
	assert_int_equal(journal_read(&world, false), 0);
}

static void test_the_storage_type_of_a_draft_changes(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(with(edit_of("d", PM_ROW_CREATE_AND_WAIT), PM_COMMAND_POWER_ON));
	assert_int_equal(journal_read(&world, false), 1);
	set(volatile_row(with(edit_of("d", 0), PM_COMMAND_POWER_ON)));
	assert_int_equal(journal_read(&world, false), 0);
	set(with(edit_of("d", 0), PM_COMMAND_POWER_OFF)); /* stays so */
	assert_int_equal(journal_read(&world, false), 0);
	edit = with(edit_of("d", 0), PM_COMMAND_POWER_OFF);
	edit.spec.storage = PM_STORAGE_NON_VOLATILE;
	set(edit);
	assert_int_equal(journal_read(&world, false), 1);
	restart();
	assert_row("d", PM_ROW_NOT_IN_SERVICE, PM_JOB_NOT_READY);
}

/* --- retention --------------------------------------------------------------------------------------------------------------------- */

static void retain(const char *name, uint32_t retain_s)
{
	struct pm_job_edit edit = edit_of(name, 0);

	edit.retain_s = &retain_s;
	set(edit);
}

static void test_retention_is_changed_after_the_end(void **state)
{
	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	bmc_says(machines[0], true);
	retain("go", 1);
	retain("go", 2592000);
	run_for(&world, 1100);
	assert_non_null(row("go"));
	retain("go", 1);
	run_for(&world, 5);
	assert_null(row("go"));
}

static void test_a_row_does_not_go_from_under_a_set(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	bmc_says(machines[0], true);
	retain("go", 0);
	edit = edit_of("go", 0);
	edit.label = "still here";
	assert_int_equal(reserve(&edit), 0);
	run_for(&world, 50);
	assert_non_null(row("go"));
	journal(&edit);
	pm_job_edit_release(&edit);
	run_for(&world, 50);
	assert_null(row("go"));
}

static void test_who_is_not_activated_goes(void **state)
{
	const struct pm_job *job;

	(void)state;
	set(edit_of("draft", PM_ROW_CREATE_AND_WAIT));
	job = row("draft");
	assert_in_range(job->not_before_ms - pm_steady_ms(agent), 3590000, 3600000);
	set(with(edit_of("draft", 0), PM_COMMAND_POWER_ON)); /* is no new hour */
	assert_in_range(job->not_before_ms - job->created_ms, 3600000, 3600000);
	row("draft")->not_before_ms = pm_steady_ms(agent);
	pm_job_due(row("draft"));
	run_for(&world, 5);
	assert_null(row("draft"));
	assert_int_equal(agent->jobs->idle, 0);
}

/* --- taken back --------------------------------------------------------------------------------------------------------------------- */

static void test_taken_back_before_and_after_the_journal(void **state)
{
	struct pm_job_edit edit = create("go", PM_COMMAND_POWER_ON);

	(void)state;
	assert_int_equal(reserve(&edit), 0);
	assert_null(row("go"));
	pm_job_edit_cancel(&edit);
	edit = create("go", PM_COMMAND_POWER_ON);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	pm_job_edit_cancel(&edit);
	assert_null(row("go"));
	assert_null(machines[0]->job);
	assert_int_equal(machines[0]->jobs_wanted, 0);
	assert_int_equal(agent->jobs->promised, 0);
	assert_int_equal(journal_read(&world, false), 0);
	assert_int_equal(machines[0]->event_last, 1); /* that it is on */
}

static void test_a_row_that_is_there_stays_as_it_was(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(with(edit_of("d", PM_ROW_CREATE_AND_WAIT), PM_COMMAND_POWER_ON));
	edit = edit_of("d", PM_ROW_ACTIVE);
	edit.label = "new";
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	assert_int_equal(journal_row(&world, row("d")->id)->state, PM_JOB_RUNNING);
	pm_job_edit_cancel(&edit);
	assert_row("d", PM_ROW_NOT_IN_SERVICE, PM_JOB_NOT_READY);
	assert_string_equal(row("d")->label, "");
	assert_int_equal(journal_row(&world, row("d")->id)->state, PM_JOB_NOT_READY);
	edit = edit_of("d", PM_ROW_DESTROY);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	pm_job_edit_cancel(&edit);
	restart();
	assert_row("d", PM_ROW_NOT_IN_SERVICE, PM_JOB_NOT_READY);
	bmc_says(machines[0], true);
	set(edit_of("d", PM_ROW_ACTIVE));
	assert_row("d", PM_ROW_ACTIVE, PM_JOB_RUNNING);
}

static void test_without_a_journal(void **state)
{
	struct pm_job_edit edit = create("go", PM_COMMAND_POWER_ON);
	sqlite3 *db;

	(void)state;
	set(edit_of("d", PM_ROW_CREATE_AND_WAIT));
	assert_int_equal(reserve(&edit), 0);
	db = block_store(&world);
	assert_true(pm_job_edit_journal(&edit, &err) < 0);
	pm_job_edit_cancel(&edit);
	edit = edit_of("d", PM_ROW_DESTROY);
	assert_int_equal(reserve(&edit), 0);
	assert_true(pm_job_edit_journal(&edit, &err) < 0);
	pm_job_edit_cancel(&edit);
	sqlite3_close(db);
	assert_null(row("go"));
	assert_row("d", PM_ROW_NOT_READY, PM_JOB_NOT_READY);
}

/* In one SET the machine is inhibited, too: what the journal has as begun does not begin. */
static void test_a_promise_that_is_not_kept(void **state)
{
	struct pm_job_edit edit = create("go", PM_COMMAND_CYCLE);

	(void)state;
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	assert_int_equal(agent->jobs->promised, 1);
	agent->job_max_concurrent = 0;
	pm_job_edit_release(&edit);
	assert_int_equal(agent->jobs->promised, 0);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_SCHEDULED);
	pm_flush(agent);
	assert_int_equal(journal_row(&world, row("go")->id)->state, PM_JOB_SCHEDULED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_volatile_row_is_in_the_journal_only_while_at_work),
	    TEST(test_a_volatile_job_is_reported),
	    TEST(test_the_storage_type_of_a_draft_changes),
	    TEST(test_retention_is_changed_after_the_end),
	    TEST(test_a_row_does_not_go_from_under_a_set),
	    TEST(test_who_is_not_activated_goes),
	    TEST(test_taken_back_before_and_after_the_journal),
	    TEST(test_a_row_that_is_there_stays_as_it_was),
	    TEST(test_without_a_journal),
	    TEST(test_a_promise_that_is_not_kept),
	};

	return cmocka_run_group_tests_name("job keep", tests, NULL, NULL);
}
