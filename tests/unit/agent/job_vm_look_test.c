/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whatever takes down what VMs may stand on looks before each command, not only before the first: what comes up there in
 * between, while a guest does not hear, a BMC is busy, the journal cannot be written or nobody is there, is shut down first.
 */
#include "tests/unit/agent/job_stacks.h"

#define ALL_AND_ONE "7 VMs shut down"

/* A guest that boots does not hear the first press; an application is started in it; 30 s later comes the second one. */
static void test_before_the_second_press(void **state)
{
	struct pm_job *job;

	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked("db1", STACK_SHUTDOWN));
	pass_s(5);
	db1->shutdown_ms = 3000;
	fake_vm_becomes(app1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, ALL_AND_ONE);
	assert_int_equal(asked("app1", STACK_SHUTDOWN), 2);
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 2);
	assert_nothing_killed();
}

/* What comes up does not go: nobody presses again, and the job says so. */
static void test_what_came_up_does_not_go(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	struct pm_job *job;

	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	spec.timeout_s = 300;
	job = create("off", spec);
	until(asked("db1", STACK_SHUTDOWN));
	db1->shutdown_ms = 3000;
	fake_vm_becomes(app1, PM_VM_RUNNING);
	app1->faults = (struct fake_faults){FAKE_CANNOT, STACK_SHUTDOWN, 0};
	until(pm_job_has_ended(job));
	assert_int_not_equal(job->state, PM_JOB_SUCCEEDED);
	assert_says(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->text, "did not go down");
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 1);
	assert_nothing_killed();
}

/* It goes down by itself after all, when it hears the first press late. */
static void test_goes_while_it_is_held_back(void **state)
{
	struct pm_job *job;

	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked("db1", STACK_SHUTDOWN));
	app1->shutdown_ms = 60000;
	fake_vm_becomes(app1, PM_VM_RUNNING);
	until(asked("app1", STACK_SHUTDOWN) == 2);
	fake_vm_becomes(db1, PM_VM_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "off with what it ran on");
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 1);
}

static void refuse_for_now(void)
{
	fake_op_end(fake_ops, &(struct ipmi_reply){.result = IPMI_SESSIONS_EXHAUSTED,
						   .sent = false,
						   .text = "BMC: no free session"});
}

/* It has no free session for a while, and takes the command when somebody has started a VM. */
static void test_a_bmc_that_is_busy(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_bmc_reply_ms = 0;
	fake_bmc_obey = NULL;
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	for (unsigned tries = 0; tries < 10; tries++) {
		until(fake_ops);
		if (tries == 6)
			fake_vm_becomes(web1, PM_VM_RUNNING);
		if (tries == 6)
			pass_s(3);
		refuse_for_now();
	}
	until(fake_ops || pm_job_has_ended(job));
	fake_bmc_obey = machine_obeys;
	fake_bmc_reply_ms = 20;
	refuse_for_now();
	assert_ends(job, PM_RESULT_OK, ALL_AND_ONE "; m1: off");
	assert_nothing_killed();
}

/* The journal cannot be written for minutes after it was looked at. */
static void test_behind_the_gate(void **state)
{
	struct pm_job *job;
	sqlite3 *db;

	(void)state;
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked("app1", STACK_SHUTDOWN));
	db = block_store(&world);
	pass_s(60);
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 0);
	fake_vm_becomes(app2, PM_VM_RUNNING);
	pass_s(1);
	sqlite3_close(db);
	assert_ends(job, PM_RESULT_OK, ALL_AND_ONE);
	assert_nothing_killed();
}

/* Aborted while it is held back: what it had been asked is told, and so is its end. */
static void test_aborted_while_it_is_held_back(void **state)
{
	struct pm_job *job;

	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked("db1", STACK_SHUTDOWN));
	app1->shutdown_ms = 60000;
	fake_vm_becomes(app1, PM_VM_RUNNING);
	until(asked("app1", STACK_SHUTDOWN) == 2);
	pm_job_abort(machine, "enough");
	assert_int_equal(job->result, PM_RESULT_ABORTED);
	assert_says(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->text, "asked to shut down 30 s before");
	assert_int_equal(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->result, PM_RESULT_ABORTED);
}

/* --- nobody was there ----------------------------------------------------------------------------------------------- */

static void test_started_while_nobody_was_there(void **state)
{
	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked("db1", STACK_SHUTDOWN));
	pass_s(1);
	db1->shutdown_ms = 3000;
	fake_vm_becomes(app1, PM_VM_RUNNING);
	die_and_rise(20000, false);
	assert_ends(row("off"), PM_RESULT_OK, ALL_AND_ONE);
	assert_nothing_killed();
}

static void test_started_before_the_machine_was_to_go(void **state)
{
	(void)state;
	fake_bmc_reply_ms = 0;
	fake_bmc_obey = NULL;
	create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE));
	until(fake_ops);
	refuse_for_now();
	until(!agent->flush_pending && !agent->syncing);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	fake_bmc_obey = machine_obeys;
	fake_bmc_reply_ms = 20;
	die_and_rise(30000, false);
	assert_ends(row("off"), PM_RESULT_OK, ALL_AND_ONE "; m1: off");
	assert_nothing_killed();
}

/* The hard way is looked at when the agent is killed: after the start no hypervisor has answered yet. */
static void test_started_before_the_hard_way(void **state)
{
	const struct ipmi_reply no = {
	    .result = IPMI_REJECTED, .completion_code = 0xc1, .sent = true, .text = "BMC: no"};

	(void)state;
	fake_bmc_reply_ms = 0;
	fake_bmc_obey = NULL;
	create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE));
	until(fake_ops);
	h1->answer_ms = 5000;
	fake_op_end(fake_ops, &no);
	pass_s(1);
	fake_bmc_obey = machine_obeys;
	fake_bmc_reply_ms = 20;
	fake_vm_becomes(web1, PM_VM_RUNNING);
	die_and_rise(1000, false);
	assert_ends(row("off"), PM_RESULT_OK, ALL_AND_ONE "; m1: off");
	assert_int_equal(real.down, 1);
	assert_nothing_killed();
}

/* What has taken long is not too old for that. */
static void test_away_for_a_second(void **state)
{
	(void)state;
	web1->shutdown_ms = 400000;
	create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE));
	until(asked("web1", STACK_SHUTDOWN));
	h1->answer_ms = 5000;
	until(web1->is.state == PM_VM_SHUTDOWN);
	until(machine->job->run->first && machine->job->run->first->looking);
	die_and_rise(1000, false);
	assert_ends(row("off"), PM_RESULT_OK, "6 VMs shut down; m1: off");
}

/* The button is not pressed at once again: it was accepted. */
static void test_not_again_at_once(void **state)
{
	(void)state;
	web1->shutdown_ms = FAKE_NEVER;
	create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked("web1", STACK_SHUTDOWN));
	pass_s(5);
	die_and_rise(1000, false);
	pass_s(25);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 1);
	web1->shutdown_ms = 1000;
	assert_ends(row("off"), PM_RESULT_OK, "VMs shut down");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
}

/* --- a reload ------------------------------------------------------------------------------------------------------- */

/* It closes and opens all connections, at any moment. */
static void test_a_reload_at_any_moment(void **state)
{
	(void)state;
	for (unsigned ms = 0; ms <= 14000; ms += 350) {
		struct pm_machine_config *config = &agent->inventory->machines[0];
		struct pm_job *job;

		h1->answer_ms = h2->answer_ms = h3->answer_ms = 300;
		h1->event_ms = h2->event_ms = h3->event_ms = 100;
		job = create("job", spec_of(ms % 700 ? PM_COMMAND_REBOOT : PM_COMMAND_SHUTDOWN,
					    PM_SCOPE_STACK_AND_MACHINE));
		for (int64_t end_ms = passed_ms + ms; passed_ms < end_ms && machine->job;)
			turn();
		for (unsigned i = 0; i < 3; i++)
			config->hypervisors[i].poll_interval_ms++;
		pm_stack_apply(machine);
		assert_ends(job, PM_RESULT_OK, "");
		assert_int_equal(asked(NULL, STACK_DESTROY), 0);
		assert_nothing_killed();
		tear_down(NULL);
		set_up(NULL);
	}
}

/* --- force ---------------------------------------------------------------------------------------------------------- */

/* Refused for the moment, as during a backup, is not to have had one's time. */
static void test_no_reset_before_its_time(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_REBOOT, PM_SCOPE_STACK);
	int64_t begun_ms = passed_ms;
	struct pm_job *job;

	(void)state;
	spec.vm = vm("web1")->index;
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	spec.vm_timeout_s = 120;
	web1->faults = (struct fake_faults){FAKE_REFUSE, STACK_REBOOT, 0};
	job = create("again", spec);
	until(asked("web1", STACK_RESET));
	assert_true(passed_ms - begun_ms >= 120000);
	assert_ends(job, PM_RESULT_OK, "web1: reset");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_before_the_second_press),
	    TEST(test_what_came_up_does_not_go),
	    TEST(test_goes_while_it_is_held_back),
	    TEST(test_aborted_while_it_is_held_back),
	    TEST(test_a_bmc_that_is_busy),
	    TEST(test_behind_the_gate),
	    TEST(test_started_while_nobody_was_there),
	    TEST(test_started_before_the_machine_was_to_go),
	    TEST(test_started_before_the_hard_way),
	    TEST(test_away_for_a_second),
	    TEST(test_not_again_at_once),
	    TEST(test_a_reload_at_any_moment),
	    TEST(test_no_reset_before_its_time),
	};

	return cmocka_run_group_tests_name("job vm look", tests, NULL, NULL);
}
