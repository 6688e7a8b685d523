/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine with a stack whose operating system takes it down: never under what is up, nor with what only memory holds. */
#include "tests/unit/agent/hosts.h"
#include "tests/unit/agent/job_stacks.h"

#define PROBE_MS 500

static struct fake_os *os;
static bool was_on;
static int64_t probed_ms;
static unsigned went_down, up_when_it_went; /* VMs that were active at such a moment, at most */

/* --- the machine, its BMC and its hypervisor are one ------------------------------------------------ */

static unsigned active_vms(void)
{
	struct fake_vm *all[] = {leaf, app1, app2, db1, web1, web2};
	unsigned count = 0;

	for (size_t i = 0; i < LENGTH(all); i++)
		count += all[i]->is.active && all[i]->is.state == PM_VM_RUNNING;
	return count;
}

static void watch(void)
{
	unsigned now = os->done[HOST_POWEROFF] + os->done[HOST_REBOOT] + os->done[HOST_SUSPEND] +
		       os->done[HOST_HIBERNATE] + os->done[HOST_INIT];

	if (now > went_down && active_vms() > up_when_it_went)
		up_when_it_went = active_vms();
	went_down = now;
}

static void follow(void)
{
	enum fake_os_power power;

	if (real.on != was_on)
		fake_os_set_power(os, real.on);
	power = fake_os_is(os);
	watch();
	real.on = was_on = fake_os_has_power(os);
	fake_hv_silence(h1, power == FAKE_OS_SUSPENDED);
	fake_hv_power(h1, power == FAKE_OS_ON || power == FAKE_OS_GOING || power == FAKE_OS_SUSPENDED);
	if (!machine || !machine->os || passed_ms - probed_ms < PROBE_MS)
		return;
	probed_ms = passed_ms;
	if (machine->config->probe)
		pm_state_probe(machine, fake_os_pings(os) ? PM_PROBE_UP : PM_PROBE_SILENT, "");
}

static int begin(bool bmc, bool mac)
{
	struct pm_inventory *inventory = stack_inventory();

	give_probe_config(&inventory->machines[0]);
	give_host_config(&inventory->machines[0], "m1");
	inventory->machines[0].host->timeout_ms = 10000;
	if (mac)
		give_nic_configs(&inventory->machines[0], 1);
	os = fake_os_new("m1");
	os->answer_ms = 30;
	os->down_ms = 3000;
	os->boot_ms = 20000;
	was_on = true;
	probed_ms = 0;
	went_down = up_when_it_went = 0;
	open_stack_world(inventory);
	if (mac)
		give_nics(machine);
	if (!bmc) {
		struct pm_machine_config *config = &inventory->machines[0];

		free(machine->bmc);
		machine->bmc = NULL;
		free(config->bmc->address);
		free(config->bmc);
		config->bmc = NULL;
	}
	world_give_hosts(&world);
	machine_has_more = follow;
	until(machine->os->heard_ms && machine->os_reachable == PM_OS_YES);
	return 0;
}

static int with_bmc(void **state)
{
	(void)state;
	return begin(true, false);
}

static int without_bmc(void **state)
{
	(void)state;
	return begin(false, false);
}

static int with_nic(void **state)
{
	(void)state;
	return begin(false, true);
}

static int end(void **state)
{
	machine_has_more = NULL;
	if (up_when_it_went) {
		fake_log_dump(stderr);
		fake_os_log_dump(stderr);
	}
	assert_int_equal(up_when_it_went, 0);
	pm_jobs_stop(agent);
	pm_os_free(machine);
	tear_down(state);
	fake_os_free_all();
	return 0;
}

/* --- down, and up again -------------------------------------------------------------------------------- */

static void test_a_shutdown_takes_the_stack_first(void **state)
{
	(void)state;
	assert_ends(command(PM_COMMAND_SHUTDOWN, NULL), PM_RESULT_OK,
		    "6 VMs shut down; m1: off, observed by the BMC");
	assert_before("leaf", "app1");
	assert_before("app1", "db1");
	assert_int_equal(os->done[HOST_POWEROFF], 1);
	assert_int_equal(real.soft + real.down, 0);
	assert_nothing_killed();
}

static void test_a_shutdown_without_a_bmc(void **state)
{
	(void)state;
	assert_ends(command(PM_COMMAND_SHUTDOWN, NULL), PM_RESULT_OK,
		    "6 VMs shut down; m1: off, observed by the silence of probe and host");
	assert_nothing_killed();
}

static void test_a_reboot_starts_the_stack_again(void **state)
{
	(void)state;
	assert_ends(command(PM_COMMAND_REBOOT, NULL), PM_RESULT_OK, "m1: up again, in a new boot");
	until(active_vms() == 6);
	assert_int_equal(os->done[HOST_REBOOT], 1);
	assert_int_equal(os->boots, 2);
	assert_nothing_killed();
}

static void test_init_0_takes_the_stack_first(void **state)
{
	(void)state;
	assert_ends(command(PM_COMMAND_INIT, NULL), PM_RESULT_OK, "6 VMs shut down; m1: off");
	assert_int_equal(os->init_level, 0);
	assert_int_equal(os->done[HOST_INIT], 1);
	assert_nothing_killed();
}

static void test_init_3_leaves_the_stack(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_INIT, PM_SCOPE_STACK_AND_MACHINE);

	(void)state;
	spec.init_level = 3;
	assert_ends(create("level", spec), PM_RESULT_OK, "accepted");
	assert_int_equal(active_vms(), 6);
	up_when_it_went = 0; /* it has not gone down */
}

/* --- what comes up meanwhile ---------------------------------------------------------------------------- */

/* Between the report and the verb somebody starts a VM. */
static void test_a_vm_between_the_look_and_the_verb(void **state)
{
	const struct pm_step_run *run;
	struct pm_job *job;

	(void)state;
	os->answer_ms = 2000; /* so long that it is looked once more */
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	until((run = machine->job->run->first) && run->host.op && run->host.reporting);
	pass_s(1);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, "7 VMs shut down; m1: off");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
	assert_int_equal(os->asked[HOST_POWEROFF], 1);
	assert_nothing_killed();
}

/* It has not answered, and is to be told again; meanwhile somebody starts a VM. */
static void test_a_vm_before_it_is_told_again(void **state)
{
	struct pm_job *job;

	(void)state;
	os->fault = (struct fake_os_fault){
	    .verb = HOST_POWEROFF, .result = HOST_UNREACHABLE, .sent = true, .count = 1};
	job = command(PM_COMMAND_SHUTDOWN, NULL);
	until(os->asked[HOST_POWEROFF] == 1);
	pass_s(2);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, "7 VMs shut down; m1: off");
	assert_int_equal(os->asked[HOST_POWEROFF], 2);
	assert_nothing_killed();
}

/* It says no; forced in the end, the BMC presses the button, and before that it is looked again. */
static void test_a_vm_before_the_next_method(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE);
	struct pm_job *job;

	(void)state;
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	os->down_ms = FAKE_OS_NEVER;
	job = create("off", spec);
	until(os->asked[HOST_POWEROFF] == 1);
	watch();
	pass_s(30);
	fake_vm_becomes(web1, PM_VM_RUNNING);
	assert_ends(job, PM_RESULT_OK, "m1: off");
	assert_int_equal(asked("web1", STACK_SHUTDOWN), 2);
	assert_nothing_killed();
}

static void test_one_that_refuses_keeps_the_machine_on(void **state)
{
	(void)state;
	os->fault = (struct fake_os_fault){.verb = HOST_POWEROFF, .result = HOST_REFUSED, .sent = true};
	assert_ends(command(PM_COMMAND_SHUTDOWN, NULL), PM_RESULT_GUEST_REFUSED,
		    "refused by its operating system");
	assert_int_equal(real.soft + real.down, 0);
	assert_true(real.on);
}

/* --- armed first ------------------------------------------------------------------------------------------ */

static void test_nothing_goes_down_before_it_is_armed(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE);

	(void)state;
	spec.arm_wol = true;
	os->fault = (struct fake_os_fault){.verb = HOST_ARM_WOL, .result = HOST_UNSUPPORTED, .sent = true};
	assert_ends(create("off", spec), PM_RESULT_REJECTED, "Wake-on-LAN cannot be armed");
	assert_int_equal(fake_log_count(FAKE_ASKED, NULL, STACK_SHUTDOWN), 0);
	assert_int_equal(active_vms(), 6);
}

static void test_armed_and_down(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE);

	(void)state;
	spec.arm_wol = true;
	assert_ends(create("off", spec), PM_RESULT_OK, "6 VMs shut down; m1: off");
	assert_int_equal(os->ports[0].wol, HOST_WOL_ARMED);
	assert_nothing_killed();
}

/* --- sleep -------------------------------------------------------------------------------------------------- */

static void test_suspend_stops_vms_and_the_machine(void **state)
{
	(void)state;
	assert_ends(command(PM_COMMAND_SUSPEND, NULL), PM_RESULT_OK, "VMs paused; m1: suspended");
	assert_int_equal(fake_os_is(os), FAKE_OS_SUSPENDED);
	assert_int_equal(fake_log_count(FAKE_ASKED, NULL, STACK_SHUTDOWN), 0);
	assert_nothing_killed();
}

static void test_hibernate_saves_vms(void **state)
{
	(void)state;
	assert_ends(command(PM_COMMAND_HIBERNATE, NULL), PM_RESULT_OK, "VMs saved; m1: suspended");
	assert_int_equal(fake_os_is(os), FAKE_OS_HIBERNATED);
	assert_true(web1->is.saved && db1->is.saved);
	assert_nothing_killed();
}

/* Known beforehand: what would be lost with the machine's memory is saved. */
static void test_one_that_cannot_suspend_saves_vms(void **state)
{
	uint64_t heard_ms = machine->os->heard_ms;

	(void)state;
	os->has_no_s3 = true;
	pm_os_ask(machine);
	until(machine->os->heard_ms > heard_ms);
	assert_ends(command(PM_COMMAND_SUSPEND, NULL), PM_RESULT_OK,
		    "it cannot suspend to memory: switched off instead, with Wake-on-LAN armed; off");
	assert_true(web1->is.saved && db1->is.saved);
	assert_int_equal(fake_log_count(FAKE_ASKED, NULL, STACK_PAUSE), 0);
	assert_nothing_killed();
}

/* Found out by the step that arms: nothing was stopped yet. */
static void test_one_that_turns_out_to_be_unable(void **state)
{
	(void)state;
	os->has_no_s3 = true;
	assert_ends(command(PM_COMMAND_SUSPEND, NULL), PM_RESULT_REJECTED,
		    "it cannot suspend to memory, which was not known before: nothing was done");
	assert_int_equal(active_vms(), 6);
}

/* Found out when VMs are in its memory: it stays on. */
static void test_one_that_turns_out_to_be_unable_too_late(void **state)
{
	(void)state;
	os->has_no_s3 = true;
	assert_ends(command(PM_COMMAND_SUSPEND, NULL), PM_RESULT_REJECTED,
		    "it stays on, for its VMs are stopped in its memory");
	assert_int_equal(fake_os_is(os), FAKE_OS_ON);
	assert_int_equal(web1->is.state, PM_VM_PAUSED);
	assert_int_equal(real.soft + real.down, 0);
	assert_nothing_killed();
}

#define TEST(name, with) cmocka_unit_test_setup_teardown(test_##name, with, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_shutdown_takes_the_stack_first, with_bmc),
	    TEST(a_shutdown_without_a_bmc, without_bmc),
	    TEST(a_reboot_starts_the_stack_again, without_bmc),
	    TEST(a_reboot_starts_the_stack_again, with_bmc),
	    TEST(init_0_takes_the_stack_first, without_bmc),
	    TEST(init_3_leaves_the_stack, without_bmc),
	    TEST(a_vm_between_the_look_and_the_verb, with_bmc),
	    TEST(a_vm_before_it_is_told_again, with_bmc),
	    TEST(a_vm_before_the_next_method, with_bmc),
	    TEST(one_that_refuses_keeps_the_machine_on, with_bmc),
	    TEST(nothing_goes_down_before_it_is_armed, with_nic),
	    TEST(armed_and_down, with_nic),
	    TEST(suspend_stops_vms_and_the_machine, with_nic),
	    TEST(hibernate_saves_vms, with_nic),
	    TEST(one_that_cannot_suspend_saves_vms, with_nic),
	    TEST(one_that_turns_out_to_be_unable, with_nic),
	    TEST(one_that_turns_out_to_be_unable_too_late, with_bmc),
	};

	return cmocka_run_group_tests_name("job host stack", tests, NULL, NULL);
}
