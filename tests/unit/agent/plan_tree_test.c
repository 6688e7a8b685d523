/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans for trees that are not as they were configured, or of which not all is known; and what powerOn brings up. */
#include "tests/unit/agent/stacks.h"

/* --- the tree as it is -------------------------------------------------------------------------- */

/* A guest that has moved to another hypervisor than the one it is configured on, behind it or before it. */
static void test_a_guest_that_has_moved(void **state)
{
	static const struct cell down[] = {
	    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v3 >2, 2 vmShutdown v2 >3, 3 vmShutdown v1"},
	    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 1,
	     "1 vmShutdown v3 >2, 2 vmShutdown v2 >3, 3 vmShutdown v1"}};
	struct pm_hypervisor *h1, *h2, *h3;
	struct stack stack;

	(void)state;
	stack_begin(&stack, 4, 16);
	h1 = stack_hypervisor(&stack, NULL);
	stack_vm(&stack, h1, PM_VM_RUNNING);
	stack_vm(&stack, h1, PM_VM_RUNNING);
	h2 = stack_hypervisor(&stack, &stack.vms[1]);
	h3 = stack_hypervisor(&stack, &stack.vms[0]);
	stack_vm(&stack, h2, PM_VM_RUNNING);
	stack.vms[1].hypervisor = h3; /* h2 is before h3, and stands on it now */
	check_cells(&stack, down, LENGTH(down));
	stack_end(&stack);
}

/* Nobody knows of the VM between. They need it for nothing on their way down; to come up again they would. */
static void test_vms_on_something_unknown_go_before_what_is_known(void **state)
{
	static const struct cell cells[] = {
	    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0,
	     "1 hypervisorConnect h2 >3, 1 vmShutdown v3 >3, 2 vmShutdown v1"},
	    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "1 hypervisorConnect h2 >2, 2 vmReboot v1"}};
	struct stack stack;

	(void)state;
	stack_begin(&stack, 4, 16);
	stack_vm(&stack, stack_hypervisor(&stack, NULL), PM_VM_RUNNING);
	stack_vm(&stack, stack_hypervisor(&stack, &stack.vms[0]), PM_VM_RUNNING);
	stack_vm(&stack, stack_hypervisor(&stack, &stack.vms[1]), PM_VM_RUNNING);
	stack.hypervisors[1].up = false;
	check_cells(&stack, cells, LENGTH(cells));
	stack_end(&stack);
}

/*
 * A hypervisor answers, and the VM in which it should run is off, or there is none of that name: it must be in another one,
 * and nobody knows in which.
 */
static void check_astray(const struct stack *stack)
{
	static const struct cell cells[] = {
	    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v2 >2, 2 stateWait h1, 3 vmShutdown v4 <2"},
	    {PM_COMMAND_SUSPEND, STACK, NEVER, 0, "1 vmPause v2 >2, 2 stateWait h1, 3 vmPause v4 <2"},
	    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0,
	     "1 vmShutdown v2 >2, 2 stateWait h1 >4, 3 vmShutdown v4 <2 >4, 4 bmcSoftShutdown, |5 bmcPowerDown"},
	    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "1 vmShutdown v2"},
	    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 4, "refused"},
	    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "refused"},
	    {PM_COMMAND_REBOOT, BOTH, NEVER, 0, "refused"},
	    {PM_COMMAND_SHUTDOWN, STACK, NOW, 0, "1 vmDestroy v4"},
	    {PM_COMMAND_SOFT_OFF, MACHINE, NEVER, 4, "1 vmShutdown v4"}};

	check_cells(stack, cells, LENGTH(cells));
	check_refusal(stack, PM_COMMAND_SHUTDOWN, MACHINE, 4, "VM v1, in which it should run, is not up");
}

static void test_vms_of_which_nobody_knows_on_what_they_stand(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	vm_is(&stack.vms[0], PM_VM_SHUTDOWN);
	check_astray(&stack);
	stack.hypervisors[1].host = NULL;
	stack.vms[0].carries = NULL;
	check_astray(&stack);
	vm_is(&stack.vms[1], PM_VM_SHUTDOWN); /* there is nothing to lose any more */
	check_cells(&stack, &(const struct cell){PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v4"}, 1);
	stack_end(&stack);
}

/* The one below was not asked yet: whether it has that VM nobody knows, and a reboot could not start again what is in it. */
static void test_vms_in_a_vm_that_is_not_known_yet(void **state)
{
	static const struct cell cells[] = {
	    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "1 hypervisorConnect h1"},
	    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0,
	     "1 hypervisorConnect h1, 1 vmShutdown v2 >3, 2 stateWait h1 <1"}};
	struct stack stack;

	(void)state;
	small(&stack);
	stack.hypervisors[0].up = false;
	stack.hypervisors[1].host = NULL;
	stack.vms[0].carries = NULL;
	check_cells(&stack, cells, LENGTH(cells));
	stack_end(&stack);
}

/* The same URI without secrets may be that of two hypervisors: which is meant says the VM in which it runs. */
static void test_the_hypervisor_of_a_step(void **state)
{
	struct pm_step step = {.action = PM_STEP_HYPERVISOR_CONNECT, .vm = 1};
	static char same[] = "h1", other[] = "h9";
	struct stack stack;

	(void)state;
	small(&stack);
	stack.hypervisor_configs[1].shown = same;
	step.target = same;
	assert_ptr_equal(pm_step_hypervisor(&stack.machine, &step), &stack.hypervisors[1]);
	step.vm = 0;
	assert_ptr_equal(pm_step_hypervisor(&stack.machine, &step), &stack.hypervisors[0]);
	step.vm = 7; /* its row was another one then */
	assert_ptr_equal(pm_step_hypervisor(&stack.machine, &step), &stack.hypervisors[0]);
	step.target = other;
	assert_null(pm_step_hypervisor(&stack.machine, &step));
	step.target = same;
	step.action = PM_STEP_VM_START;
	assert_null(pm_step_hypervisor(&stack.machine, &step));
	stack_end(&stack);
}

/* --- up ------------------------------------------------------------------------------------------ */

static void test_autostart(void **state)
{
	static const struct cell is_off[] = {
	    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 0,
	     "1 bmcPowerUp, 2 hypervisorConnect h1 <1, 3 vmStart v1 <2, 4 hypervisorConnect h2 <3, 5 vmStart v3 <4"}};
	static const struct cell is_on[] = {
	    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 0, "1 bmcPowerUp, 2 vmStart v3 <1"}};
	static const struct cell not_in_guests[] = {
	    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 0, "1 bmcPowerUp, 2 hypervisorConnect h1 <1"}};
	static const struct cell nothing[] = {{PM_COMMAND_POWER_ON, MACHINE, NEVER, 0, "1 bmcPowerUp"}};
	struct stack stack;

	(void)state;
	small(&stack);
	stack.vms[0].autostart = stack.vms[2].autostart = true;
	check_cells(&stack, nothing, 1); /* the configuration does not want it */
	stack.hypervisor_configs[0].autostart = stack.hypervisor_configs[1].autostart = true;
	check_cells(&stack, is_on, 1);
	vm_is(&stack.vms[2], PM_VM_PAUSED);
	check_cells(&stack, nothing, 1); /* all are up: what somebody has paused stays so */
	vm_is(&stack.vms[2], PM_VM_SHUTDOWN);
	stack.hypervisors[0].up = stack.hypervisors[1].up = false;
	stack.machine.observed = PM_POWER_OFF;
	check_cells(&stack, is_off, 1);
	stack.vms[0].persistent = false; /* there is no way to start it */
	check_cells(&stack, not_in_guests, 1);
	stack.vms[0].persistent = true;
	stack.vms[0].autostart = false;
	check_cells(&stack, not_in_guests,
		    1); /* what stands on something that is not started is not started */
	stack_end(&stack);
}

static void test_on_what_cannot_be_switched_on(void **state)
{
	static const struct cell cells[] = {
	    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 5, "1 hypervisorConnect h1, 2 vmStart v5 <1"}};
	struct stack stack;

	(void)state;
	small(&stack);
	stack.machine.bmc = NULL; /* and no MAC address: who asks may have switched it on by hand */
	stack.machine.observed = PM_POWER_UNKNOWN;
	stack.hypervisors[0].up = stack.hypervisors[1].up = false;
	check_cells(&stack, cells, LENGTH(cells));
	stack_end(&stack);
}

static void test_a_vm_that_is_about_to_go_down_is_started_again(void **state)
{
	static const struct cell cells[] = {{PM_COMMAND_POWER_ON, MACHINE, NEVER, 2, "1 vmStart v2"}};
	struct stack stack;

	(void)state;
	small(&stack);
	vm_is(&stack.vms[1], PM_VM_SHUTTING_DOWN);
	check_cells(&stack, cells, LENGTH(cells));
	stack_end(&stack);
}

static void test_in_a_guest_that_is_not_there(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	vm_is(&stack.vms[1], PM_VM_SHUTDOWN);
	stack.hypervisors[1].host = NULL;
	stack.hypervisors[1].up = false;
	check_refusal(&stack, PM_COMMAND_POWER_ON, MACHINE, 2,
		      "VM v1 of machine m1, in which hypervisor h2 runs");
	stack_end(&stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_guest_that_has_moved),
	    cmocka_unit_test(test_vms_on_something_unknown_go_before_what_is_known),
	    cmocka_unit_test(test_vms_of_which_nobody_knows_on_what_they_stand),
	    cmocka_unit_test(test_vms_in_a_vm_that_is_not_known_yet),
	    cmocka_unit_test(test_the_hypervisor_of_a_step),
	    cmocka_unit_test(test_autostart),
	    cmocka_unit_test(test_on_what_cannot_be_switched_on),
	    cmocka_unit_test(test_a_vm_that_is_about_to_go_down_is_started_again),
	    cmocka_unit_test(test_in_a_guest_that_is_not_there),
	};

	return cmocka_run_group_tests_name("plan of a tree", tests, NULL, NULL);
}
