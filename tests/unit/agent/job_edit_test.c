/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows that managers write: what may be SET when, and what it comes to. */
#include "tests/unit/agent/job_edits.h"

/* --- creating ------------------------------------------------------------------------------------------------------- */

static void test_create_and_go(void **state)
{
	const struct pm_stored_job *stored;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_RUNNING);
	assert_ptr_equal(machines[0]->job, row("go"));
	assert_int_equal(row("go")->origin, PM_ORIGIN_TABLE);
	assert_int_equal(row("go")->step_count, 1);
	assert_int_equal(row("go")->steps[0].state, PM_JOB_RUNNING);
	assert_int_equal(row("go")->retain_s, PM_JOB_RETAIN_DEFAULT_S);
	stored = journal_row(&world, row("go")->id);
	assert_non_null(stored);
	assert_int_equal(stored->state, PM_JOB_RUNNING); /* in the SET's own transaction */
	bmc_says(machines[0], true);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	assert_int_equal(row("go")->result, PM_RESULT_ALREADY_IN_STATE);
	assert_null(machines[0]->job);
	world_drain(&world);
	assert_string_equal(world_told(PM_NOTIFY_JOB_STARTED, 1)->job_owner, "op");
	assert_string_equal(world_told(PM_NOTIFY_JOB_FINISHED, 1)->job_name, "go");
}

static void test_all_that_a_set_says_is_taken(void **state)
{
	struct pm_job_edit edit = create("all", PM_COMMAND_WAKE);
	uint32_t retain_s = 77;

	(void)state;
	edit.spec.nic = 1;
	edit.spec.delay_s = 60;
	edit.spec.timeout_s = 99;
	edit.spec.storage = PM_STORAGE_VOLATILE;
	edit.spec.wol_addr_length = 4;
	edit.spec.wol_port = 7;
	edit.label = "at night";
	edit.retain_s = &retain_s;
	set(edit);
	assert_memory_equal(&row("all")->spec, &edit.spec, sizeof(edit.spec));
	assert_string_equal(row("all")->label, "at night");
	assert_int_equal(row("all")->retain_s, 77);
	assert_row("all", PM_ROW_ACTIVE, PM_JOB_SCHEDULED);
}

static void test_create_and_wait_then_activate(void **state)
{
	(void)state;
	set(edit_of("draft", PM_ROW_CREATE_AND_WAIT));
	assert_row("draft", PM_ROW_NOT_READY, PM_JOB_NOT_READY);
	assert_text("draft", "pmJobAction");
	assert_refused(edit_of("draft", PM_ROW_ACTIVE), -EINVAL, "pmJobAction");
	assert_refused(edit_of("draft", PM_ROW_NOT_IN_SERVICE), -EINVAL, "pmJobAction");
	set(with(edit_of("draft", 0), PM_COMMAND_POWER_ON));
	assert_row("draft", PM_ROW_NOT_IN_SERVICE, PM_JOB_NOT_READY);
	assert_null(machines[0]->job);
	set(edit_of("draft", PM_ROW_NOT_IN_SERVICE)); /* which it is */
	set(edit_of("draft", PM_ROW_ACTIVE));
	assert_row("draft", PM_ROW_ACTIVE, PM_JOB_RUNNING);
	assert_int_equal(agent->jobs->idle, 0);
}

static void test_a_draft_is_changed_and_activated_in_one_set(void **state)
{
	(void)state;
	set(edit_of("draft", PM_ROW_CREATE_AND_WAIT));
	set(with(edit_of("draft", PM_ROW_ACTIVE), PM_COMMAND_POWER_ON));
	assert_row("draft", PM_ROW_ACTIVE, PM_JOB_RUNNING);
}

static void test_what_is_not_there_is_not_made_by_the_way(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	assert_refused(with(edit_of("none", 0), PM_COMMAND_POWER_ON), -ENOENT, "createAndGo");
	assert_refused(edit_of("none", PM_ROW_ACTIVE), -EINVAL, "createAndGo");
	assert_refused(edit_of("none", PM_ROW_NOT_IN_SERVICE), -EINVAL, "createAndGo");
	set(edit_of("none", PM_ROW_DESTROY)); /* RFC 2579: no error */
	edit = create("none", PM_COMMAND_POWER_ON);
	edit.owner = "";
	assert_refused(edit, -ENOENT, "agent");
	assert_int_equal(machines[0]->jobs_count, 0);
}

static void test_what_the_machine_cannot_do(void **state)
{
	struct pm_job_edit edit = create("x", PM_COMMAND_SHUTDOWN);

	(void)state;
	edit.spec.scope = PM_SCOPE_STACK;
	assert_refused(edit, -EINVAL,
		       "machine m1 has no stack, which scope stack acts on: set pmJobScope to machine");
	edit.spec.scope = PM_SCOPE_MACHINE;
	edit.spec.vm = 3;
	assert_refused(edit, -EINVAL, "VM 3");
	edit.spec.vm = 0;
	edit.spec.arm_wol = true;
	assert_refused(edit, -EINVAL, "pmJobArmWol");
	assert_refused(create("x", PM_COMMAND_SUSPEND), -EINVAL, "suspend");
	assert_refused(create("x", PM_COMMAND_INIT), -EINVAL, "init");
	assert_refused(create("x", PM_COMMAND_ARM_WOL), -EINVAL, "armWol");
	assert_refused(create("x", PM_COMMAND_NONE), -EINVAL, "pmJobAction");
	machines[0]->inhibit = true;
	assert_refused(create("x", PM_COMMAND_POWER_ON), -EPERM, "inhibited");
}

static void test_one_job_for_a_machine(void **state)
{
	(void)state;
	set(create("one", PM_COMMAND_POWER_ON));
	assert_refused(create("two", PM_COMMAND_POWER_ON), -EBUSY, "job op/one (powerOn) is at work");
	set(edit_of("three", PM_ROW_CREATE_AND_WAIT));
	set(with(edit_of("three", 0), PM_COMMAND_POWER_ON));
	assert_refused(edit_of("three", PM_ROW_ACTIVE), -EBUSY, "job op/one (powerOn) is at work");
	bmc_says(machines[0], true);
	set(edit_of("three", PM_ROW_ACTIVE));
	assert_ptr_equal(machines[0]->job, row("three"));
}

/* The same verb by another object: no error, and no second job. Not while it waits for its delay. */
static void test_a_verb_beside_a_row(void **state)
{
	const struct pm_job_request request = {
	    .machine = machines[0], .action = PM_COMMAND_POWER_ON, .origin = PM_ORIGIN_COMMAND};
	struct pm_job_edit edit = create("later", PM_COMMAND_POWER_ON);
	struct pm_job *job;

	(void)state;
	set(create("now", PM_COMMAND_POWER_ON));
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_null(job);
	bmc_says(machines[0], true);
	edit.spec.delay_s = 60;
	set(edit);
	assert_int_equal(pm_job_reserve(&request, &job, &err), -EBUSY);
	assert_non_null(strstr(err.text, "job op/later (powerOn) begins in 60 s"));
}

/* Managers repeat SETs whose answer was lost. */
static void test_the_same_create_and_go_again(void **state)
{
	struct pm_job_edit edit;
	uint32_t retain_s = 1;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	set(create("go", PM_COMMAND_POWER_ON));
	assert_int_equal(machines[0]->jobs_count, 1);
	assert_int_equal(agent->jobs_started, 1);
	assert_refused(create("go", PM_COMMAND_POWER_OFF), -EEXIST, "there already");
	edit = create("go", PM_COMMAND_POWER_ON);
	edit.label = "other";
	assert_refused(edit, -EEXIST, "there already");
	edit.label = NULL;
	edit.retain_s = &retain_s;
	assert_refused(edit, -EEXIST, "there already");
	edit.retain_s = NULL;
	edit.admin_status = PM_JOB_DISABLED;
	assert_refused(edit, -EEXIST, "there already");
	assert_refused(edit_of("go", PM_ROW_CREATE_AND_WAIT), -EEXIST, "there already");
	bmc_says(machines[0], true);
	assert_refused(create("go", PM_COMMAND_POWER_ON), -EEXIST, "there already"); /* it has ended */
}

static void test_too_many_rows_that_wait(void **state)
{
	(void)state;
	set(create("done", PM_COMMAND_POWER_ON));
	bmc_says(machines[0], true);
	agent->jobs->idle = PM_JOBS_IDLE_MAX;
	assert_refused(edit_of("x", PM_ROW_CREATE_AND_WAIT), -ENOSPC, "10000");
	assert_refused(edit_of("done", PM_ROW_NOT_IN_SERVICE), -ENOSPC, "10000");
	set(create("go", PM_COMMAND_POWER_ON)); /* does not wait */
	agent->jobs->idle = 0;
}

/* --- active rows ----------------------------------------------------------------------------------------------------- */

static void test_what_is_active_does_not_change(void **state)
{
	struct pm_job_edit edit;
	uint32_t retain_s = 5;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	assert_refused(with(edit_of("go", 0), PM_COMMAND_POWER_OFF), -EBUSY, "notInService");
	assert_refused(with(edit_of("go", PM_ROW_ACTIVE), PM_COMMAND_POWER_ON), -EBUSY, "notInService");
	assert_refused(edit_of("go", PM_ROW_NOT_IN_SERVICE), -EBUSY, "at work");
	set(edit_of("go", PM_ROW_ACTIVE)); /* which it is */
	edit = edit_of("go", 0);
	edit.label = "renamed";
	edit.retain_s = &retain_s;
	set(edit);
	assert_string_equal(row("go")->label, "renamed");
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_RUNNING);
	bmc_says(machines[0], true);
	assert_refused(with(edit_of("go", 0), PM_COMMAND_POWER_OFF), -EBUSY, "notInService");
	restart();
	assert_string_equal(row("go")->label, "renamed");
	assert_int_equal(row("go")->retain_s, 5);
}

static void test_an_ended_row_becomes_a_draft_again(void **state)
{
	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	bmc_says(machines[0], true);
	set(with(edit_of("go", PM_ROW_NOT_IN_SERVICE), PM_COMMAND_WAKE));
	assert_row("go", PM_ROW_NOT_IN_SERVICE, PM_JOB_NOT_READY);
	assert_int_equal(row("go")->result, PM_RESULT_NONE);
	assert_int_equal(row("go")->step_count, 0);
	assert_int_equal(row("go")->begin_ms, 0);
	assert_int_equal(row("go")->end_ms, 0);
	assert_int_equal(agent->jobs->ended.count, 0);
	restart();
	assert_row("go", PM_ROW_NOT_IN_SERVICE, PM_JOB_NOT_READY);
	assert_int_equal(row("go")->step_count, 0);
	assert_int_equal(row("go")->spec.action, PM_COMMAND_WAKE);
	bmc_says(machines[0], true);
	set(with(edit_of("go", 0), PM_COMMAND_POWER_ON));
	set(edit_of("go", PM_ROW_ACTIVE));
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_RUNNING);
}

/* --- enabled and disabled ---------------------------------------------------------------------------------------------- */

static void test_active_but_not_enabled(void **state)
{
	struct pm_job_edit edit = create("go", PM_COMMAND_POWER_ON);

	(void)state;
	edit.admin_status = PM_JOB_DISABLED;
	set(edit);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_NOT_READY);
	assert_text("go", "pmJobAdminStatus");
	assert_null(machines[0]->job); /* it does not hold the machine */
	set(admin("go", PM_JOB_DISABLED));
	restart();
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_NOT_READY);
	assert_false(row("go")->enabled);
	assert_int_equal(agent->jobs->idle, 1);
	set(create("other", PM_COMMAND_POWER_ON));
	assert_refused(admin("go", PM_JOB_ENABLED), -EBUSY, "busy"); /* is looked at then */
	set(admin("other", PM_JOB_DISABLED));
	set(admin("go", PM_JOB_ENABLED));
	assert_ptr_equal(machines[0]->job, row("go"));
	assert_int_equal(agent->jobs->idle, 0);
}

static void test_disabled_aborts(void **state)
{
	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	set(admin("go", PM_JOB_DISABLED));
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_ABORTED);
	assert_int_equal(row("go")->result, PM_RESULT_ABORTED);
	assert_text("go", "aborted by pmJobAdminStatus disabled; power up was not sent yet");
	assert_int_equal(row("go")->steps[0].state, PM_JOB_ABORTED);
	assert_null(machines[0]->job);
	assert_refused(admin("go", PM_JOB_DISABLED), -EINVAL, "has ended");
	set(admin("go", PM_JOB_ENABLED)); /* does not repeat it */
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_ABORTED);
	world_drain(&world);
	assert_non_null(world_told(PM_NOTIFY_JOB_FAILED, 1));
}

/* What is not written down could not be trusted after a crash. */
static void test_an_abort_is_in_the_journal_before_it_acts(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	edit = admin("go", PM_JOB_DISABLED);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	pm_flush(agent); /* what else happens to the job is not written over it */
	assert_int_equal(journal_row(&world, row("go")->id)->state, PM_JOB_ABORTING);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_RUNNING);
	pm_job_edit_cancel(&edit);
	pm_flush(agent);
	assert_int_equal(journal_row(&world, row("go")->id)->state, PM_JOB_RUNNING);
	edit = admin("go", PM_JOB_DISABLED);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	killed_now(&edit);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_ABORTED);
	assert_text("go", "aborted on request; the agent was restarted meanwhile");
}

static void test_jobs_that_wait_are_aborted(void **state)
{
	struct pm_job_edit edit = create("delayed", PM_COMMAND_POWER_ON);

	(void)state;
	edit.spec.delay_s = 60;
	set(edit);
	assert_row("delayed", PM_ROW_ACTIVE, PM_JOB_SCHEDULED);
	set(admin("delayed", PM_JOB_DISABLED));
	assert_row("delayed", PM_ROW_ACTIVE, PM_JOB_ABORTED);
	assert_text("delayed", "nothing had been sent");
	assert_int_equal(row("delayed")->steps[0].state, PM_JOB_NOT_READY);
	assert_string_equal(row("delayed")->steps[0].text, "not begun");
	assert_int_equal(row("delayed")->steps_done, 0);
	agent->job_max_concurrent = 0;
	set(create("waiting", PM_COMMAND_POWER_ON));
	set(admin("waiting", PM_JOB_DISABLED));
	assert_row("waiting", PM_ROW_ACTIVE, PM_JOB_ABORTED);
	assert_int_equal(pm_jobs_active(agent), 0);
}

/* It ended while the SET was under way. */
static void test_an_abort_that_comes_too_late(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	edit = admin("go", PM_JOB_DISABLED);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	bmc_says(machines[0], true);
	pm_job_edit_release(&edit);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	assert_true(row("go")->enabled);
	restart();
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	assert_true(row("go")->enabled);
}

/* What the SET has written is not lost when its job changes before the SET is over. */
static void test_a_job_ends_in_the_middle_of_a_set(void **state)
{
	struct pm_job_edit edit;
	uint32_t retain_s = 77;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	edit = edit_of("go", 0);
	edit.label = "renamed";
	edit.retain_s = &retain_s;
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	bmc_says(machines[0], true);
	pm_flush(agent);
	freeze_journal(&world);
	pm_job_edit_release(&edit);
	assert_string_equal(row("go")->label, "renamed");
	restart();
	assert_string_equal(row("go")->label, "renamed");
	kill_agent(&world);
	thaw_journal(&world); /* the same, had it been killed before the SET was over */
	start_agent(&world);
	assert_string_equal(row("go")->label, "renamed");
	assert_int_equal(row("go")->retain_s, 77);
	assert_row("go", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
}

/* --- destroy --------------------------------------------------------------------------------------------------------------- */

static void test_destroy(void **state)
{
	(void)state;
	set(edit_of("draft", PM_ROW_CREATE_AND_WAIT));
	set(edit_of("draft", PM_ROW_DESTROY));
	assert_null(row("draft"));
	set(create("go", PM_COMMAND_POWER_ON));
	set(edit_of("go", PM_ROW_DESTROY)); /* at work: aborted first */
	assert_null(row("go"));
	assert_null(machines[0]->job);
	assert_int_equal(machines[0]->last_result, PM_RESULT_ABORTED);
	set(create("go", PM_COMMAND_POWER_ON));
	bmc_says(machines[0], true);
	set(edit_of("go", PM_ROW_DESTROY));
	assert_null(row("go"));
	pm_flush(agent);
	assert_int_equal(journal_read(&world, false), 0);
	assert_int_equal(agent->jobs->rows, 0);
	assert_int_equal(agent->jobs->idle, 0);
}

static void test_a_name_is_used_again_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		set(create("again", PM_COMMAND_POWER_ON));
		bmc_says(machines[0], true);
		set(edit_of("again", PM_ROW_DESTROY));
	}
	set(create("again", PM_COMMAND_POWER_ON));
	restart();
	assert_int_equal(machines[0]->jobs_count, 1);
	assert_row("again", PM_ROW_ACTIVE, PM_JOB_RUNNING);
}

/* The SET was answered: the row does not come back. */
static void test_killed_right_after_destroy(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	edit = edit_of("go", PM_ROW_DESTROY);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	killed_now(&edit);
	assert_null(row("go"));
	assert_int_equal(machines[0]->last_result, PM_RESULT_ABORTED);
	set(edit_of("draft", PM_ROW_CREATE_AND_WAIT));
	edit = edit_of("draft", PM_ROW_DESTROY);
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	killed_now(&edit);
	assert_null(row("draft"));
	pm_flush(agent);
	assert_int_equal(journal_read(&world, false), 0);
}

static void test_rows_of_other_objects(void **state)
{
	const struct pm_job_request request = {
	    .machine = machines[0], .action = PM_COMMAND_POWER_ON, .origin = PM_ORIGIN_COMMAND};
	struct pm_job_edit edit = {.machine = machines[0], .owner = "", .name = "set-1"};
	struct pm_job *job;

	(void)state;
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	edit.job = job;
	edit.spec = job->spec;
	edit.admin_status = PM_JOB_DISABLED;
	set(edit);
	assert_int_equal(job->state, PM_JOB_ABORTED);
	edit.admin_status = 0;
	edit.row_status = PM_ROW_NOT_IN_SERVICE;
	assert_refused(edit, -EINVAL, "only be destroyed");
	edit.row_status = PM_ROW_DESTROY;
	set(edit);
	assert_int_equal(machines[0]->jobs_count, 0);
}

/* --- dry run ------------------------------------------------------------------------------------------------------------------ */

static void test_a_dry_run(void **state)
{
	struct pm_job_edit edit = create("dry", PM_COMMAND_REBOOT);

	(void)state;
	set(create("busy", PM_COMMAND_POWER_ON));
	machines[0]->inhibit = true;
	agent->job_max_concurrent = 0;
	edit.spec.dry_run = true;
	set(edit);
	assert_row("dry", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	assert_text("dry", "dry run: 3 steps, 1 of them only when another fails; nothing was done");
	assert_int_equal(row("dry")->step_count, 3);
	assert_int_equal(row("dry")->steps_done, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(row("dry")->steps[i].state, PM_JOB_NOT_READY);
		assert_int_equal(row("dry")->steps[i].result, PM_RESULT_NONE);
	}
	assert_null(row("dry")->steps[0].text);
	assert_string_equal(row("dry")->steps[1].text, "only when the step before fails");
	assert_ptr_equal(machines[0]->job, row("busy"));
	assert_int_equal(machines[0]->last_result, PM_RESULT_NONE);
	world_drain(&world);
	assert_string_equal(world_told(PM_NOTIFY_JOB_FINISHED, 1)->job_name, "dry");
	assert_int_equal(world_told(PM_NOTIFY_JOB_FINISHED, 1)->result, PM_RESULT_OK);
	machines[0]->inhibit = false;
	restart();
	assert_row("dry", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	assert_int_equal(row("dry")->step_count, 3);
}

static void test_killed_before_a_dry_run_has_ended(void **state)
{
	struct pm_job_edit edit = create("dry", PM_COMMAND_REBOOT);

	(void)state;
	edit.spec.dry_run = true;
	assert_int_equal(reserve(&edit), 0);
	journal(&edit);
	killed_now(&edit);
	assert_row("dry", PM_ROW_ACTIVE, PM_JOB_SUCCEEDED);
	assert_int_equal(row("dry")->step_count, 3);
	assert_int_equal(pm_jobs_active(agent), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_create_and_go),
	    TEST(test_all_that_a_set_says_is_taken),
	    TEST(test_create_and_wait_then_activate),
	    TEST(test_a_draft_is_changed_and_activated_in_one_set),
	    TEST(test_what_is_not_there_is_not_made_by_the_way),
	    TEST(test_what_the_machine_cannot_do),
	    TEST(test_one_job_for_a_machine),
	    TEST(test_a_verb_beside_a_row),
	    TEST(test_the_same_create_and_go_again),
	    TEST(test_too_many_rows_that_wait),
	    TEST(test_what_is_active_does_not_change),
	    TEST(test_an_ended_row_becomes_a_draft_again),
	    TEST(test_active_but_not_enabled),
	    TEST(test_disabled_aborts),
	    TEST(test_an_abort_is_in_the_journal_before_it_acts),
	    TEST(test_jobs_that_wait_are_aborted),
	    TEST(test_an_abort_that_comes_too_late),
	    TEST(test_a_job_ends_in_the_middle_of_a_set),
	    TEST(test_destroy),
	    TEST(test_a_name_is_used_again_at_once),
	    TEST(test_killed_right_after_destroy),
	    TEST(test_rows_of_other_objects),
	    TEST(test_a_dry_run),
	    TEST(test_killed_before_a_dry_run_has_ended),
	};

	return cmocka_run_group_tests_name("job edit", tests, NULL, NULL);
}
