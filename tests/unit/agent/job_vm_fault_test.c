/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What goes wrong, or changes, while a stack goes down: hypervisors that are lost, hang or refuse, VMs that come, go and move,
 * and jobs that are aborted. Each job ends with a clear result; nothing goes down under what runs on it.
 */
#include "tests/unit/agent/job_stacks.h"

static struct pm_job *stack_off(void)
{
	return create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
}

/* --- the connection ------------------------------------------------------------------------------------------------- */

static void test_lost_and_back(void **state)
{
	struct pm_job *job = stack_off();

	(void)state;
	until(asked("web1", STACK_SHUTDOWN));
	web1->shutdown_ms = FAKE_NEVER;
	fake_hv_lose(h1, STACK_UNREACHABLE, "libvirtd restarts", 20000);
	pass_s(10);
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 0);
	web1->shutdown_ms = 1000;
	assert_ends(job, PM_RESULT_OK, "VMs shut down");
	assert_nothing_killed();
	assert_int_equal(pm_machine_vms_up(machine), 0);
}

/* Whether it was done is not known: it is looked at first, and asked again if it still runs. */
static void test_no_answer_to_a_wish(void **state)
{
	struct pm_job *job;

	(void)state;
	web1->faults = (struct fake_faults){FAKE_LOST, STACK_SHUTDOWN, 1};
	web2->faults = (struct fake_faults){FAKE_DONE_LOST, STACK_SHUTDOWN, 1};
	web2->shutdown_ms = 0;
	job = command(PM_COMMAND_SHUTDOWN, vm("web1"));
	assert_ends(job, PM_RESULT_OK, "web1: shut down");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
	job = command(PM_COMMAND_SHUTDOWN, vm("web2"));
	assert_ends(job, PM_RESULT_OK, "web2: shut down");
	assert_int_equal(asked("web2", STACK_SHUTDOWN), 1);
	assert_nothing_killed();
}

static void test_never_back(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE);
	struct pm_job *job;

	(void)state;
	spec.timeout_s = 200;
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	spec.vm_timeout_s = 60;
	leaf->shutdown_ms = FAKE_NEVER;
	job = create("off", spec);
	until(asked("leaf", STACK_SHUTDOWN));
	fake_hv_silence(h2, true);
	fake_hv_silence(h3, true);
	until(pm_job_has_ended(job));
	assert_int_not_equal(job->state, PM_JOB_SUCCEEDED);
	assert_int_equal(asked(NULL, STACK_DESTROY) + asked("db1", 0) + asked("app1", STACK_SHUTDOWN), 0);
	assert_int_equal(fake_bmc_sent, 0);
	assert_nothing_killed();
}

/* What must not be done twice is not, whatever happened to the first time. */
static void test_no_answer_to_what_is_momentary(void **state)
{
	struct pm_job *job;

	(void)state;
	web1->faults = (struct fake_faults){FAKE_DONE_LOST, STACK_RESET, 1};
	web2->faults = (struct fake_faults){FAKE_LOST, STACK_RESET, 1};
	job = command(PM_COMMAND_RESET, vm("web1"));
	until(pm_job_has_ended(job));
	assert_int_equal(asked("web1", STACK_RESET), 1);
	job = command(PM_COMMAND_RESET, vm("web2"));
	assert_ends(job, PM_RESULT_INTERRUPTED,
		    "it may have been done and is not done twice: look at the VM");
	assert_int_equal(asked("web2", STACK_RESET), 1);
}

static void test_reboot_that_was_not_answered(void **state)
{
	struct pm_job *job;

	(void)state;
	web1->faults = (struct fake_faults){FAKE_DONE_LOST, STACK_REBOOT, 1};
	web1->reboot_ms = 5000;
	job = command(PM_COMMAND_REBOOT, vm("web1"));
	assert_ends(job, PM_RESULT_OK, "web1: rebooted");
	assert_int_equal(asked("web1", STACK_REBOOT), 1);
}

/* --- what cannot be asked ------------------------------------------------------------------------------------------- */

/* Nobody knows what runs there: what it stands on stays. */
static void test_unknown_stays_up(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_hv_silence(h2, true);
	until(!machine->hypervisors[1].up);
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	assert_ends(job, PM_RESULT_UNREACHABLE, "fake://h2: it did not answer within 60 s");
	assert_int_equal(asked("db1", 0) + fake_bmc_sent, 0);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 1);
	assert_true(web1->is.state == PM_VM_SHUTDOWN);
	assert_nothing_killed();
}

static void test_unknown_until_it_answers(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_hv_silence(h2, true);
	until(!machine->hypervisors[1].up);
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	pass_s(20);
	fake_hv_silence(h2, false);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_before("leaf", "app1");
	assert_before("app2", "db1");
	assert_nothing_killed();
}

static void test_all_unknown_until_it_answers(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_hv_silence(h1, true);
	until(!machine->hypervisors[0].up);
	job = stack_off();
	pass_s(20);
	fake_hv_silence(h1, false);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_nothing_killed();
}

/* The end of the job is the answer to who asked for the VM, though its own step was never begun. */
static void test_the_vm_says_why(void **state)
{
	struct pm_job *job;

	(void)state;
	agent->inventory->machines[0].hypervisors[1].connect_timeout_s = 30;
	assert_ends(command(PM_COMMAND_SHUTDOWN, vm("db1")), PM_RESULT_OK, "4 VMs shut down");
	h2->boot_ms = FAKE_NEVER;
	job = command(PM_COMMAND_POWER_ON, vm("app2"));
	assert_int_equal(vm("app2")->last_result, PM_RESULT_NONE);
	assert_ends(job, PM_RESULT_UNREACHABLE, "did not answer within 30 s");
	assert_int_equal(vm("app2")->last_result, PM_RESULT_UNREACHABLE);
	assert_says(vm("app2")->last_result_text, "did not answer within 30 s");
}

/* By force it is not waited for. */
static void test_unknown_and_at_once(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_hv_silence(h2, true);
	until(!machine->hypervisors[1].up);
	job = create("now", spec_of(PM_COMMAND_POWER_OFF, PM_SCOPE_STACK));
	assert_ends(job, PM_RESULT_OK, "3 VMs switched off");
}

/* --- answers -------------------------------------------------------------------------------------------------------- */

/* A QEMU that hangs holds up its own VM, and what it stands on. */
static void test_a_vm_that_hangs(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	struct pm_job *job;

	(void)state;
	spec.timeout_s = 300;
	app2->faults = (struct fake_faults){FAKE_NO_ANSWER, STACK_SHUTDOWN, 1};
	job = create("off", spec);
	pass_s(200);
	assert_int_equal(pm_machine_vms_up(machine), 2);
	fake_vm_release(app2);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_nothing_killed();
}

/* As while it is backed up: it may be possible later. */
static void test_refused_for_a_while(void **state)
{
	struct pm_job *job;

	(void)state;
	web1->faults = (struct fake_faults){FAKE_REFUSE, STACK_SHUTDOWN, 8};
	job = stack_off();
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 9);
}

static void test_refused_for_good(void **state)
{
	struct pm_job *job;

	(void)state;
	fake_vm_becomes(web1, PM_VM_SHUTDOWN);
	until(pm_vm_is_down(vm("web1")));
	web1->faults = (struct fake_faults){FAKE_REFUSE, STACK_START, 0};
	job = command(PM_COMMAND_POWER_ON, vm("web1"));
	assert_ends(job, PM_RESULT_REJECTED, "1 of 1 steps failed: web1: ");
	assert_int_equal(asked("web1", STACK_START), 3);
	assert_int_equal(vm("web1")->last_result, PM_RESULT_REJECTED);
}

/* No power button: with force afterTimeout it is switched off, without it stays. */
static void test_what_cannot_be_asked(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK);
	struct pm_job *job = NULL;

	(void)state;
	web1->faults = (struct fake_faults){FAKE_CANNOT, STACK_SHUTDOWN, 0};
	job = command(PM_COMMAND_SHUTDOWN, vm("web1"));
	assert_ends(job, PM_RESULT_REJECTED, "web1: ");
	assert_true(web1->is.active);
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	spec.vm_timeout_s = 40;
	assert_ends(create("force", spec), PM_RESULT_OK, "5 VMs shut down, web1 switched off");
	assert_true(fake_log_at(fake_log_find(0, FAKE_ASKED, "web1", STACK_DESTROY))->us -
			fake_log_at(fake_log_find(0, FAKE_ASKED, "db1", STACK_SHUTDOWN))->us >=
		    30000000);
}

/* --- VMs that come and go ------------------------------------------------------------------------------------------- */

static void test_one_that_crashes(void **state)
{
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = FAKE_NEVER;
	job = stack_off();
	until(asked("leaf", STACK_SHUTDOWN));
	fake_vm_becomes(leaf, PM_VM_CRASHED);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_says(step_of(job, PM_STEP_VM_SHUTDOWN, "leaf")->text, "crashed");
}

/* Down is down; but it was not shut down, and the history says so. */
static void test_one_that_somebody_kills(void **state)
{
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = FAKE_NEVER;
	job = stack_off();
	until(asked("leaf", STACK_SHUTDOWN));
	leaf->is.killed = true;
	fake_vm_becomes(leaf, PM_VM_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
	assert_says(step_of(job, PM_STEP_VM_SHUTDOWN, "leaf")->text, "switched off by somebody else");
}

/* Unheard of when the plan was made; what it stands on waits for it. */
static void test_one_that_appears(void **state)
{
	struct fake_vm *late;
	struct pm_job *job;

	(void)state;
	app2->shutdown_ms = 10000;
	h2->event_ms = 5000; /* nobody tells of it in time: it is found when db1 is to go */
	job = stack_off();
	until(app1->is.state == PM_VM_SHUTDOWN);
	late = fake_vm_new(h2, "late", PM_VM_RUNNING);
	late->shutdown_ms = 2000;
	assert_ends(job, PM_RESULT_OK, "7 VMs shut down");
	assert_before("late", "db1");
	assert_nothing_killed();
}

static void test_one_that_is_started_again(void **state)
{
	struct pm_job *job;

	(void)state;
	app2->shutdown_ms = 10000;
	job = stack_off();
	until(vm("app1")->observed == PM_VM_SHUTDOWN);
	fake_vm_becomes(app1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, "7 VMs shut down");
	assert_int_equal(asked("app1", STACK_SHUTDOWN), 2);
	assert_nothing_killed();
}

/* Somebody starts them each time: the job gives up, and says so; what they stand on stays up. */
static void test_those_that_do_not_stay_down(void **state)
{
	struct fake_vm *vms[] = {app1, app2};
	struct pm_job *job;

	(void)state;
	fake_vm_becomes(leaf, PM_VM_SHUTDOWN);
	app2->shutdown_ms = 1000;
	job = stack_off();
	while (!pm_job_has_ended(job)) {
		turn();
		for (size_t i = 0; i < LENGTH(vms); i++)
			if (pm_vm_is_down(vm(vms[i]->is.name)))
				fake_vm_becomes(vms[i], PM_VM_RUNNING);
	}
	assert_int_equal(job->result, PM_RESULT_REJECTED);
	assert_says(pm_job_text(job), "db1: VM app");
	assert_in_range(asked("app2", STACK_SHUTDOWN), 3, 4);
	assert_int_equal(asked("db1", STACK_SHUTDOWN), 0);
	assert_nothing_killed();
}

static void test_one_that_is_undefined(void **state)
{
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = 20000;
	app2->shutdown_ms = FAKE_NEVER;
	job = stack_off();
	until(asked("app2", STACK_SHUTDOWN));
	fake_vm_undefine(app2); /* transient from now on */
	fake_vm_becomes(app2, PM_VM_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "");
	assert_null(vm_named(machine, "app2"));
	assert_nothing_killed();
}

static void test_one_that_moves_away(void **state)
{
	struct fake_hv *elsewhere = fake_hv_new("fake://elsewhere", NULL);
	struct pm_job *job;

	(void)state;
	web1->shutdown_ms = web2->reboot_ms = FAKE_NEVER;
	job = stack_off();
	until(asked("web1", STACK_SHUTDOWN));
	fake_vm_migrate(web1, elsewhere);
	assert_ends(job, PM_RESULT_OK, "");
	assert_int_equal(web1->is.state, PM_VM_RUNNING);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 1);
	fake_vm_becomes(web2, PM_VM_RUNNING);
	until(pm_vm_is_up(vm("web2")));
	job = command(PM_COMMAND_REBOOT, vm("web2"));
	until(asked("web2", STACK_REBOOT));
	fake_vm_migrate(web2, elsewhere);
	assert_ends(job, PM_RESULT_REJECTED, "web2: it has moved to another hypervisor");
}

/* To another hypervisor of the machine: its step follows it. */
static void test_one_that_moves_within(void **state)
{
	struct pm_job *job;

	(void)state;
	app2->shutdown_ms = FAKE_NEVER;
	job = stack_off();
	until(asked("app2", STACK_SHUTDOWN));
	fake_vm_migrate(app2, h1);
	pass_s(20);
	assert_true(app2->is.active);
	app2->shutdown_ms = 1000;
	assert_ends(job, PM_RESULT_OK, "VMs shut down");
	assert_true(fake_log_count(FAKE_ASKED, "app2", STACK_SHUTDOWN) >= 2);
	assert_nothing_killed();
}

/* A reload takes the hypervisors in the middle of it: that nobody asks how VMs are does not make them down. */
static void test_hypervisors_that_are_no_longer_configured(void **state)
{
	struct pm_machine_config *config = &agent->inventory->machines[0];
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = 10000;
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	until(asked("leaf", STACK_SHUTDOWN));
	config->hypervisor_count = 1;
	pm_stack_apply(machine);
	assert_ends(job, PM_RESULT_NOT_CONFIGURED, "leaf: its hypervisor is no longer configured");
	assert_int_equal(step_of(job, PM_STEP_VM_SHUTDOWN, "app1")->result, PM_RESULT_NOT_CONFIGURED);
	assert_int_equal(asked("db1", STACK_SHUTDOWN) + fake_bmc_sent, 0);
	assert_int_equal(web1->is.state, PM_VM_SHUTDOWN);
	assert_nothing_killed();
	config->hypervisor_count = 3;
}

static void test_unknown_and_no_longer_configured(void **state)
{
	struct pm_machine_config *config = &agent->inventory->machines[0];
	struct pm_job *job;

	(void)state;
	fake_hv_silence(h2, true);
	until(!machine->hypervisors[1].up);
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	pass_s(5);
	config->hypervisor_count = 1;
	pm_stack_apply(machine);
	assert_ends(job, PM_RESULT_NOT_CONFIGURED, "no longer configured");
	assert_int_equal(asked("db1", STACK_SHUTDOWN) + fake_bmc_sent, 0);
	config->hypervisor_count = 3;
}

/* The machine is switched off by hand: nothing is left to be asked. */
static void test_the_machine_goes_off(void **state)
{
	struct pm_job *job;

	(void)state;
	leaf->shutdown_ms = FAKE_NEVER;
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	until(asked("leaf", STACK_SHUTDOWN));
	machine_goes(false);
	until(pm_job_has_ended(job));
	assert_int_equal(job->state, PM_JOB_SUCCEEDED);
	assert_says(pm_job_text(job), "4 VMs off with what they ran on");
	assert_int_equal(real.soft + real.down, 0);
}

/* The system does not shut down, and somebody starts a VM on it meanwhile: it is asked before the hard way. */
static void test_started_before_the_hard_way(void **state)
{
	struct pm_job *job;

	(void)state;
	real.deaf = true;
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	until(real.soft);
	pass_s(10);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, "7 VMs shut down; m1: off");
	assert_int_equal(real.down, 1);
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
	assert_nothing_killed();
}

/* It hangs on its way down: its hypervisor does not answer any more, and is not waited for. */
static void test_hangs_before_the_hard_way(void **state)
{
	struct pm_job *job;

	(void)state;
	real.deaf = true;
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	until(real.soft);
	fake_hv_silence(h1, true);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down; m1: off");
	assert_int_equal(real.down, 1);
	assert_nothing_killed();
}

/* --- aborted -------------------------------------------------------------------------------------------------------- */

/* At any moment: nothing further is begun, and what was asked stays asked. */
static void test_aborted_at_any_moment(void **state)
{
	(void)state;
	for (unsigned ms = 0; ms <= 12000; ms += 400) {
		struct pm_job *job = command(PM_COMMAND_SHUTDOWN, NULL);
		unsigned before;

		for (int64_t end_ms = passed_ms + ms; passed_ms < end_ms && machine->job;)
			turn();
		if (!machine->job)
			break;
		pm_job_abort(machine, "enough");
		assert_int_equal(job->state, PM_JOB_ABORTED);
		assert_says(pm_job_text(job), "enough; ");
		before = asked(NULL, STACK_SHUTDOWN) + fake_bmc_sent;
		pass_s(20);
		assert_int_equal(asked(NULL, STACK_SHUTDOWN) + fake_bmc_sent, before);
		assert_nothing_killed();
		assert_int_equal(asked(NULL, STACK_DESTROY), 0);
		tear_down(NULL);
		set_up(NULL);
	}
	assert_true(real.soft > 0);
}

static void test_what_an_abort_says(void **state)
{
	struct pm_job *job = stack_off();

	(void)state;
	db1->shutdown_ms = FAKE_NEVER;
	until(asked("db1", STACK_SHUTDOWN));
	pass_s(12);
	pm_job_abort(machine, "aborted by hand");
	assert_says(
	    pm_job_text(job),
	    "aborted by hand; 5 of 6 steps have ended; at work were db1 (asked to shut down 12 s before)");
	assert_says(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->text, "asked to shut down 12 s before");
	assert_int_equal(step_of(job, PM_STEP_VM_SHUTDOWN, "db1")->result, PM_RESULT_ABORTED);
	assert_int_equal(vm("db1")->last_result, PM_RESULT_ABORTED);
}

/* --- the journal ---------------------------------------------------------------------------------------------------- */

static void test_nothing_without_the_journal(void **state)
{
	struct pm_job *job;
	sqlite3 *db;

	(void)state;
	job = stack_off();
	db = block_store(&world);
	pass_s(30);
	assert_int_equal(asked(NULL, STACK_SHUTDOWN), 0);
	sqlite3_close(db);
	assert_ends(job, PM_RESULT_OK, "6 VMs shut down");
}

/* Not even what would take the place of what could not be written. */
static void test_no_reset_for_want_of_a_journal(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_REBOOT, PM_SCOPE_STACK);
	struct pm_job *job;
	sqlite3 *db;

	(void)state;
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	job = create("again", spec);
	db = block_store(&world);
	until(pm_job_has_ended(job));
	sqlite3_close(db);
	assert_int_equal(job->result, PM_RESULT_INTERNAL_ERROR);
	assert_int_equal(asked(NULL, STACK_REBOOT) + asked(NULL, STACK_RESET), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lost_and_back),
	    TEST(test_no_answer_to_a_wish),
	    TEST(test_never_back),
	    TEST(test_no_answer_to_what_is_momentary),
	    TEST(test_reboot_that_was_not_answered),
	    TEST(test_unknown_stays_up),
	    TEST(test_unknown_until_it_answers),
	    TEST(test_all_unknown_until_it_answers),
	    TEST(test_the_vm_says_why),
	    TEST(test_unknown_and_at_once),
	    TEST(test_a_vm_that_hangs),
	    TEST(test_refused_for_a_while),
	    TEST(test_refused_for_good),
	    TEST(test_what_cannot_be_asked),
	    TEST(test_one_that_crashes),
	    TEST(test_one_that_somebody_kills),
	    TEST(test_one_that_appears),
	    TEST(test_one_that_is_started_again),
	    TEST(test_those_that_do_not_stay_down),
	    TEST(test_one_that_is_undefined),
	    TEST(test_one_that_moves_away),
	    TEST(test_one_that_moves_within),
	    TEST(test_hypervisors_that_are_no_longer_configured),
	    TEST(test_unknown_and_no_longer_configured),
	    TEST(test_the_machine_goes_off),
	    TEST(test_started_before_the_hard_way),
	    TEST(test_hangs_before_the_hard_way),
	    TEST(test_aborted_at_any_moment),
	    TEST(test_what_an_abort_says),
	    TEST(test_nothing_without_the_journal),
	    TEST(test_no_reset_for_want_of_a_journal),
	};

	return cmocka_run_group_tests_name("job vm fault", tests, NULL, NULL);
}
