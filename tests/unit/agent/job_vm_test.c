/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs that bring a stack down, or up: in which order, what is asked, how often, and what is said of it. */
#include "tests/unit/agent/job_stacks.h"

/* --- down --------------------------------------------------------------------------------------------------------- */

static void test_leaf_first(void **state)
{
	struct pm_job *job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	int64_t begun_ms = passed_ms;

	(void)state;
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_before("leaf", "app1");
	assert_before("app1", "db1");
	assert_before("app2", "db1");
	assert_nothing_killed();
	assert_int_equal(asked(NULL, STACK_SHUTDOWN), 6);
	assert_int_equal(asked(NULL, STACK_DESTROY), 0);
	assert_in_range(passed_ms - begun_ms, 7000, 7400); /* the longest way: leaf, app1, db1 */
	assert_int_equal(fake_bmc_sent, 0);
	assert_int_equal(machine->observed, PM_POWER_ON);
	assert_int_equal(vm("db1")->last_result, PM_RESULT_OK);
	assert_says(vm("db1")->last_result_text, "shut down, 3.0 s after it was asked to shut down");
}

static void test_and_then_the_machine(void **state)
{
	struct pm_job *job = command(PM_COMMAND_SHUTDOWN, NULL);

	(void)state;
	until(vm("leaf")->transition);
	assert_int_equal(pm_machine_power_state(machine), PM_POWER_DRAINING);
	until(real.soft);
	assert_int_equal(pm_machine_power_state(machine), PM_POWER_POWERING_OFF);
	assert_int_equal(pm_machine_vms_up(machine), 0);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down; m1: off, observed by the BMC");
	assert_nothing_killed();
	assert_false(real.on);
	assert_int_equal(real.down, 0);
}

static void test_what_is_down_is_left_alone(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_vm_becomes(web1, PM_VM_SHUTDOWN);
	fake_vm_becomes(app2, PM_VM_SUSPENDED);
	until(pm_vm_is_down(vm("web1")) && pm_vm_is_down(vm("app2")));
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	assert_int_equal(job->step_count, 4);
	assert_ends(job, PM_RESULT_OK, "4 VMs shut down");
	assert_int_equal(asked("web1", 0) + asked("app2", 0), 0);
	assert_nothing_killed();
}

static void test_nothing_runs(void **state)
{
	struct fake_vm *all[] = {leaf, app1, app2, db1, web1, web2};
	struct pm_job *job;

	(void)state;
	for (size_t i = 0; i < LENGTH(all); i++)
		fake_vm_becomes(all[i], PM_VM_SHUTDOWN);
	until(pm_machine_vms_up(machine) == 0 && !machine->hypervisors[1].up);
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	assert_int_equal(job->step_count, 1);
	assert_ends(job, PM_RESULT_ALREADY_IN_STATE, "");
	assert_int_equal(asked(NULL, STACK_SHUTDOWN), 0);
	job = command(PM_COMMAND_SHUTDOWN, vm("web1"));
	assert_ends(job, PM_RESULT_ALREADY_IN_STATE, "web1: ");
}

/* So many at once, of each hypervisor. */
static void test_no_more_at_once_than_allowed(void **state)
{
	struct pm_job *job;
	unsigned most = 0;

	(void)state;
	agent->inventory->machines[0].hypervisors[0].parallel = 1;
	agent->inventory->machines[0].hypervisors[1].parallel = 1;
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	while (!pm_job_has_ended(job)) {
		unsigned on_h1 = 0;

		turn();
		for (const struct pm_step_run *run = job->run ? job->run->first : NULL; run; run = run->next)
			on_h1 += pm_machine_vm(machine, pm_step_of(run)->vm)->hypervisor ==
				 &machine->hypervisors[0];
		most = on_h1 > most ? on_h1 : most;
	}
	assert_int_equal(most, 1);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_nothing_killed();
}

static void test_dry_run(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE);
	struct pm_job *job;

	(void)state;
	spec.dry_run = true;
	job = create("dry", spec);
	assert_ends(job, PM_RESULT_OK,
		    "dry run: 8 steps, 1 of them only when another fails; nothing was done");
	pass_s(5);
	assert_int_equal(fake_log_count(FAKE_ASKED, NULL, 0) - asked(NULL, STACK_LOOK), 0);
	assert_int_equal(fake_bmc_sent, 0);
	assert_int_equal(vm("db1")->last_result, PM_RESULT_NONE);
}

/* --- one that does not go ------------------------------------------------------------------------------------------- */

static void test_the_button_again(void **state)
{
	struct pm_job *job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));

	(void)state;
	web1->shutdown_ms = FAKE_NEVER;
	until(asked("web1", STACK_SHUTDOWN) == 1);
	pass_s(29);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 1);
	assert_says(pm_job_text(job),
		    "5 of 6 steps have ended; waiting for web1 (asked to shut down 29 s ago)");
	pass_s(2);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
	pass_s(30);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 3);
	web1->shutdown_ms = 1000;
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 4);
}

/* The power button does nothing to it, but its agent does. */
static void test_the_agent_in_turn(void **state)
{
	struct pm_job *job;

	(void)state;
	web1->agent = web1->deaf = true;
	job = command(PM_COMMAND_SHUTDOWN, vm("web1"));
	assert_ends(job, PM_RESULT_OK, "web1: shut down, 33.");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
}

static void test_killed_after_its_time(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	size_t button, kill;
	struct pm_job *job;

	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	spec.vm_timeout_s = 40;
	job = create("off", spec);
	assert_ends(job, PM_RESULT_OK, "5 VMs shut down, db1 switched off");
	button = fake_log_find(0, FAKE_ASKED, "db1", STACK_SHUTDOWN);
	kill = fake_log_find(0, FAKE_ASKED, "db1", STACK_DESTROY);
	assert_true(fake_log_at(kill)->us - fake_log_at(button)->us >= 40000000);
	assert_int_equal(fake_log_at(kill)->carries, 0);
	assert_int_equal(asked(NULL, STACK_DESTROY), 1);
	assert_nothing_killed();
	assert_says(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->text,
		    "did not shut down within 40 s, asked 2 times");
	assert_int_equal(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->result, PM_RESULT_GUEST_REFUSED);
}

/* It keeps what it stands on; the others go. */
static void test_never_killed(void **state)
{
	struct pm_job *job;

	(void)state;
	machine->stack_timeout_s = 100;
	leaf->shutdown_ms = FAKE_NEVER;
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	assert_ends(job, PM_RESULT_GUEST_REFUSED,
		    "1 of 8 steps failed, 3 not begun: leaf: did not shut down within 100 s, asked 4 times");
	assert_int_equal(pm_machine_vms_up(machine), 3);
	assert_int_equal(asked(NULL, STACK_DESTROY) + asked("app1", 0) + asked("db1", 0) + fake_bmc_sent, 0);
	assert_nothing_killed();
	assert_string_equal(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->text, "not begun");
}

static void test_its_time_is_the_jobs(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = FAKE_NEVER;
	spec.timeout_s = 50;
	job = create("off", spec);
	assert_ends(job, PM_RESULT_TIMEOUT, "");
	assert_int_equal(step_of(job, PM_STEP_VM_SHUTDOWN, "leaf")->state, PM_JOB_TIMED_OUT);
	assert_nothing_killed();
}

/* --- by force ------------------------------------------------------------------------------------------------------- */

/* Those on the machine itself only; what runs in them goes with them. */
static void test_immediately(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	struct pm_job *job;

	(void)state;
	spec.force = PM_FORCE_IMMEDIATELY;
	job = create("off", spec);
	assert_ends(job, PM_RESULT_OK, "3 VMs switched off");
	assert_int_equal(asked(NULL, STACK_DESTROY), 3);
	assert_int_equal(asked(NULL, STACK_SHUTDOWN) + asked("app1", 0) + asked("leaf", 0), 0);
	assert_int_equal(fake_log_count(FAKE_KILLED, NULL, 0), 3);
}

static void test_power_off(void **state)
{
	struct pm_job *job;

	(void)state;
	job = create("off", spec_of(PM_COMMAND_POWER_OFF, PM_SCOPE_STACK_AND_MACHINE));
	assert_ends(job, PM_RESULT_OK, "3 VMs switched off; m1: off");
	assert_int_equal(real.down, 1);
	assert_int_equal(asked(NULL, STACK_SHUTDOWN), 0);
}

/* --- down and up again ---------------------------------------------------------------------------------------------- */

static void test_reboot_of_the_stack(void **state)
{
	struct pm_job *job = create("again", spec_of(PM_COMMAND_REBOOT, PM_SCOPE_STACK));

	(void)state;
	h2->boot_ms = h3->boot_ms = 1000;
	assert_ends(job, PM_RESULT_OK, "3 VMs shut down, 3 VMs rebooted");
	assert_int_equal(asked(NULL, STACK_REBOOT), 3);
	assert_int_equal(asked(NULL, STACK_START), 3);
	assert_before("leaf", "app1");
	assert_true(fake_log_find(0, FAKE_IS, "app1", PM_VM_SHUTDOWN) <
		    fake_log_find(0, FAKE_ASKED, "db1", STACK_REBOOT));
	assert_true(fake_log_find(0, FAKE_REBOOTED, "db1", 0) <
		    fake_log_find(0, FAKE_ASKED, "app1", STACK_START));
	assert_int_equal(pm_machine_vms_up(machine), 6);
	assert_nothing_killed();
}

static void test_reboot_of_all(void **state)
{
	struct pm_job *job = command(PM_COMMAND_REBOOT, NULL);

	(void)state;
	h1->boot_ms = 5000;
	fake_vm_becomes(web2, PM_VM_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "");
	assert_int_equal(real.soft, 1);
	assert_int_equal(real.up, 1);
	until(pm_machine_vms_up(machine) >= 5);
	assert_nothing_killed();
	assert_int_equal(machine->observed, PM_POWER_ON);
}

static void test_off_meanwhile(void **state)
{
	struct pm_job *job;

	(void)state;
	agent->inventory->machines[0].hypervisors[0].parallel = 1;
	web1->reboot_ms = 5000;
	job = create("again", spec_of(PM_COMMAND_REBOOT, PM_SCOPE_STACK));
	until(asked("web1", STACK_REBOOT));
	fake_vm_becomes(web2, PM_VM_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "");
	assert_int_equal(asked("web2", 0), 0);
	assert_says(step_of(job, PM_STEP_VM_REBOOT, "web2")->text, "it is off: there is nothing to reboot");
}

static void test_reset_and_cycle(void **state)
{
	struct pm_job *job = create("reset", spec_of(PM_COMMAND_RESET, PM_SCOPE_STACK));

	(void)state;
	assert_ends(job, PM_RESULT_OK, "3 VMs reset");
	assert_int_equal(asked(NULL, STACK_RESET), 3);
	job = command(PM_COMMAND_CYCLE, vm("web1"));
	assert_ends(job, PM_RESULT_OK, "web1 started, web1 switched off");
	assert_int_equal(asked("web1", STACK_DESTROY), 1);
	assert_int_equal(asked("web1", STACK_START), 1);
}

/* --- paused and saved ----------------------------------------------------------------------------------------------- */

static void test_pause_and_on_again(void **state)
{
	struct pm_job *job = create("pause", spec_of(PM_COMMAND_SUSPEND, PM_SCOPE_STACK));

	(void)state;
	assert_ends(job, PM_RESULT_OK, "6 VMs paused");
	assert_true(fake_log_find(0, FAKE_IS, "leaf", PM_VM_PAUSED) <
		    fake_log_find(0, FAKE_ASKED, "app1", STACK_PAUSE));
	assert_nothing_killed();

	job = command(PM_COMMAND_POWER_ON, vm("leaf"));
	assert_ends(job, PM_RESULT_OK, "");
	assert_int_equal(vm("leaf")->observed, PM_VM_RUNNING);
	assert_int_equal(asked(NULL, STACK_START), 0);
}

/* Where the guest can; else its hypervisor pauses it, and that is said. */
static void test_asleep_where_it_can(void **state)
{
	struct pm_job *job;

	(void)state;
	agent->inventory->machines[0].hypervisors[0].suspend = PM_SUSPEND_GUEST;
	web1->agent = true;
	web2->faults = (struct fake_faults){FAKE_CANNOT, STACK_PM_SUSPEND, 0};
	job = command(PM_COMMAND_SUSPEND, vm("web1"));
	assert_ends(job, PM_RESULT_OK, "web1: asleep");
	job = command(PM_COMMAND_SUSPEND, vm("web2"));
	assert_ends(job, PM_RESULT_OK, "web2: paused, 0.0 s after it was asked to pause; by its hypervisor");
	assert_int_equal(asked("web2", STACK_PAUSE), 1);
}

static void test_saved(void **state)
{
	struct pm_job *job;

	(void)state;
	web1->save_ms = 90000;
	job = create("save", spec_of(PM_COMMAND_HIBERNATE, PM_SCOPE_STACK));
	assert_ends(job, PM_RESULT_OK, "6 VMs saved");
	assert_int_equal(asked("web1", STACK_SAVE), 1);
	assert_nothing_killed();
}

/* What sleeps hears nothing. */
static void test_woken_to_be_shut_down(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_vm_becomes(web1, PM_VM_PAUSED);
	fake_vm_sleeps(web2);
	until(vm("web1")->observed == PM_VM_PAUSED && vm("web2")->observed == PM_VM_SUSPENDED);
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_int_equal(asked("web1", STACK_RESUME), 1);
	assert_int_equal(asked("web2", STACK_WAKEUP), 1);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 1);
}

/* Paused by somebody when its turn comes: the plan knew nothing of that. */
static void test_paused_meanwhile(void **state)
{
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = 10000;
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	pass_s(1);
	fake_vm_becomes(db1, PM_VM_PAUSED);
	pass_s(20);
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 0);
	fake_vm_becomes(db1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_nothing_killed();
}

/* --- one VM --------------------------------------------------------------------------------------------------------- */

static void test_a_vm_and_what_stands_on_it(void **state)
{
	struct pm_job *job = command(PM_COMMAND_SHUTDOWN, vm("app1"));

	(void)state;
	assert_int_equal(pm_machine_power_state(machine), PM_POWER_ON);
	assert_ends(job, PM_RESULT_OK, "2 VMs shut down");
	assert_before("leaf", "app1");
	assert_int_equal(pm_machine_vms_up(machine), 4);
	assert_nothing_killed();
}

static void test_up_from_nothing(void **state)
{
	struct pm_job *job = command(PM_COMMAND_SHUTDOWN, NULL);

	(void)state;
	assert_ends(job, PM_RESULT_OK, "");
	h1->boot_ms = 30000;
	db1->start_ms = 500;
	h2->boot_ms = h3->boot_ms = 5000;
	fake_log_clear();
	job = command(PM_COMMAND_POWER_ON, vm("leaf"));
	assert_int_equal(pm_machine_power_state(machine), PM_POWER_POWERING_ON);
	until(vm("db1")->transition == PM_VM_PREPARING);
	assert_int_equal(pm_machine_power_state(machine), PM_POWER_ON);
	assert_ends(job, PM_RESULT_OK, "3 VMs started; m1: on, observed by the BMC");
	assert_int_equal(real.up, 1);
	assert_int_equal(asked(NULL, STACK_START), 3);
	assert_int_equal(asked("web1", 0) + asked("web2", 0) + asked("app2", 0), 0);
	assert_true(fake_log_find(0, FAKE_IS, "db1", PM_VM_RUNNING) <
		    fake_log_find(0, FAKE_ASKED, "app1", STACK_START));
	assert_true(fake_log_find(0, FAKE_IS, "app1", PM_VM_RUNNING) <
		    fake_log_find(0, FAKE_ASKED, "leaf", STACK_START));
}

static void test_autostart(void **state)
{
	struct pm_job *job = command(PM_COMMAND_SHUTDOWN, NULL);

	(void)state;
	web2->is.autostart = app2->is.autostart = db1->is.autostart = true;
	fake_vm_changed(web2);
	fake_vm_changed(app2);
	fake_vm_changed(db1);
	for (size_t i = 0; i < 3; i++)
		agent->inventory->machines[0].hypervisors[i].autostart = true;
	assert_ends(job, PM_RESULT_OK, "");
	job = command(PM_COMMAND_POWER_ON, NULL);
	assert_ends(job, PM_RESULT_OK, "3 VMs started");
	assert_int_equal(asked("web1", STACK_START) + asked("app1", STACK_START), 0);
	assert_int_equal(vm("app2")->observed, PM_VM_RUNNING);
}

/* --- the same again ------------------------------------------------------------------------------------------------- */

static void test_the_same_again(void **state)
{
	struct pm_job_request request = pm_job_request_of(machine, PM_COMMAND_SHUTDOWN, PM_ORIGIN_VM_COMMAND);
	struct pm_job *job, *job_of_db1 = command(PM_COMMAND_SHUTDOWN, vm("db1"));

	(void)state;
	request.vm = vm("db1")->index;
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_null(job);
	until(pm_vm_is_down(vm("app1"))); /* which is not asked once more */
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_null(job);
	request.vm = vm("web1")->index;
	assert_int_equal(pm_job_reserve(&request, &job, &err), -EBUSY);
	assert_says(err.text, "shutdown of db1");
	request.vm = 0;
	assert_int_equal(pm_job_reserve(&request, &job, &err), -EBUSY);
	assert_ends(job_of_db1, PM_RESULT_OK, "4 VMs shut down");
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	assert_int_equal(pm_job_reserve(&request, &job, &err), -EBUSY); /* with the machine */
	request.scope = PM_SCOPE_STACK;
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_null(job);
}

/* What a delayed job is to do is seen when it begins. */
static void test_planned_anew(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	struct pm_job *job;

	(void)state;
	fake_vm_becomes(web1, PM_VM_SHUTDOWN);
	until(pm_vm_is_down(vm("web1")));
	spec.delay_s = 60;
	job = create("later", spec);
	assert_int_equal(job->step_count, 5);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	fake_vm_becomes(web2, PM_VM_SHUTDOWN);
	fake_vm_becomes(leaf, PM_VM_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "4 VMs shut down");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 1);
	assert_int_equal(journal_row(&world, job->id)->state, PM_JOB_SUCCEEDED);
}

/* With scope machine nobody is asked: it begins only when there is nobody. */
static void test_refused_when_it_begins(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_MACHINE);
	struct pm_job *job;

	(void)state;
	assert_int_equal(try_to_create("now", &spec), -EINVAL);
	assert_says(err.text, "stackAndMachine");
	job = create("stack", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	spec.delay_s = 60;
	job = create("later", spec);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_REJECTED, "web1");
	assert_int_equal(fake_bmc_sent, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_leaf_first),
	    TEST(test_and_then_the_machine),
	    TEST(test_what_is_down_is_left_alone),
	    TEST(test_nothing_runs),
	    TEST(test_no_more_at_once_than_allowed),
	    TEST(test_dry_run),
	    TEST(test_the_button_again),
	    TEST(test_the_agent_in_turn),
	    TEST(test_killed_after_its_time),
	    TEST(test_never_killed),
	    TEST(test_its_time_is_the_jobs),
	    TEST(test_immediately),
	    TEST(test_power_off),
	    TEST(test_reboot_of_the_stack),
	    TEST(test_reboot_of_all),
	    TEST(test_off_meanwhile),
	    TEST(test_reset_and_cycle),
	    TEST(test_pause_and_on_again),
	    TEST(test_asleep_where_it_can),
	    TEST(test_saved),
	    TEST(test_woken_to_be_shut_down),
	    TEST(test_paused_meanwhile),
	    TEST(test_a_vm_and_what_stands_on_it),
	    TEST(test_up_from_nothing),
	    TEST(test_autostart),
	    TEST(test_the_same_again),
	    TEST(test_planned_anew),
	    TEST(test_refused_when_it_begins),
	};

	return cmocka_run_group_tests_name("job vm", tests, NULL, NULL);
}
