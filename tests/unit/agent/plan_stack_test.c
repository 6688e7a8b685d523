/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each verb does to a stack, cell by cell: on the machine h1 with the VMs v1, v4 and v5, in v1 the hypervisor h2 with v2
 * and v3; v3 and v5 are shut down. Then single rules: times, texts, VMs that cannot be started again.
 */
#include "tests/unit/agent/stacks.h"

static const struct cell all_running[] = {
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v4, 1 vmShutdown v2 >3, 2 vmShutdown v1"},
    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0,
     "1 vmShutdown v4 >4, 1 vmShutdown v2 >3, 2 vmShutdown v1 >4, "
     "3 bmcSoftShutdown, |4 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 1, "1 vmShutdown v2 >2, 2 vmShutdown v1"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "1 vmShutdown v2"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 3, "1 stateWait v3"},
    {PM_COMMAND_SHUTDOWN, MACHINE, AFTER, 0, "refused"},
    {PM_COMMAND_SHUTDOWN, STACK, AFTER, 0,
     "1 vmShutdown v4, |1 vmDestroy v4, 1 vmShutdown v2 >5, "
     "|1 vmDestroy v2 >5, 2 vmShutdown v1, |2 vmDestroy v1"},
    {PM_COMMAND_SHUTDOWN, BOTH, AFTER, 0,
     "1 vmShutdown v4 >7, |1 vmDestroy v4 >7, 1 vmShutdown v2 >5, "
     "|1 vmDestroy v2 >5, 2 vmShutdown v1 >7, |2 vmDestroy v1 >7, "
     "3 bmcSoftShutdown, |4 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, AFTER, 1,
     "1 vmShutdown v2 >3, |1 vmDestroy v2 >3, 2 vmShutdown v1, "
     "|2 vmDestroy v1"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NOW, 0, "refused"},
    {PM_COMMAND_SHUTDOWN, STACK, NOW, 0, "1 vmDestroy v1, 1 vmDestroy v4"},
    {PM_COMMAND_SHUTDOWN, BOTH, NOW, 0,
     "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 bmcSoftShutdown, "
     "|3 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NOW, 1, "1 vmDestroy v1"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 0, "1 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, STACK, NEVER, 0, "1 vmDestroy v1, 1 vmDestroy v4"},
    {PM_COMMAND_POWER_OFF, BOTH, NEVER, 0, "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 1, "1 vmDestroy v1"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 2, "1 vmDestroy v2"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 3, "1 stateWait v3"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_REBOOT, STACK, NEVER, 0,
     "1 vmReboot v4, 1 vmShutdown v2 >3, 2 vmReboot v1, "
     "3 hypervisorConnect h2 <3, 4 vmStart v2 <4"},
    {PM_COMMAND_REBOOT, BOTH, NEVER, 0,
     "1 vmShutdown v4 >4, 1 vmShutdown v2 >3, 2 vmShutdown v1 >4, "
     "3 bmcSoftShutdown, |4 bmcPowerDown, 5 bmcPowerUp <4, "
     "6 hypervisorConnect h1 <6, 7 vmStart v1 <7, 7 vmStart v4 <7, "
     "8 hypervisorConnect h2 <8, 9 vmStart v2 <10"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 1,
     "1 vmShutdown v2 >2, 2 vmReboot v1, 3 hypervisorConnect h2 <2, "
     "4 vmStart v2 <3"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 2, "1 vmReboot v2"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 3, "refused"},
    {PM_COMMAND_REBOOT, MACHINE, AFTER, 0, "refused"},
    {PM_COMMAND_REBOOT, STACK, AFTER, 0,
     "1 vmReboot v4, |1 vmReset v4, 1 vmShutdown v2 >5, |1 vmDestroy v2 >5, "
     "2 vmReboot v1, |2 vmReset v1, 3 hypervisorConnect h2 <5, "
     "4 vmStart v2 <7"},
    {PM_COMMAND_REBOOT, BOTH, AFTER, 0,
     "1 vmShutdown v4 >7, |1 vmDestroy v4 >7, 1 vmShutdown v2 >5, "
     "|1 vmDestroy v2 >5, 2 vmShutdown v1 >7, |2 vmDestroy v1 >7, "
     "3 bmcSoftShutdown, |4 bmcPowerDown, 5 bmcPowerUp <7, "
     "6 hypervisorConnect h1 <9, 7 vmStart v1 <10, 7 vmStart v4 <10, "
     "8 hypervisorConnect h2 <11, 9 vmStart v2 <13"},
    {PM_COMMAND_REBOOT, MACHINE, AFTER, 1,
     "1 vmShutdown v2 >3, |1 vmDestroy v2 >3, 2 vmReboot v1, |2 vmReset v1, "
     "3 hypervisorConnect h2 <3, 4 vmStart v2 <5"},
    {PM_COMMAND_REBOOT, MACHINE, NOW, 0, "1 bmcHardReset"},
    {PM_COMMAND_REBOOT, STACK, NOW, 0, "1 vmReset v1, 1 vmReset v4"},
    {PM_COMMAND_REBOOT, BOTH, NOW, 0, "1 bmcHardReset"},
    {PM_COMMAND_REBOOT, MACHINE, NOW, 1, "1 vmReset v1"},
    {PM_COMMAND_CYCLE, MACHINE, NEVER, 0, "1 bmcPowerCycle"},
    {PM_COMMAND_CYCLE, STACK, NEVER, 0, "1 vmDestroy v1, 1 vmDestroy v4, 2 vmStart v1 <1, 2 vmStart v4 <2"},
    {PM_COMMAND_CYCLE, BOTH, NEVER, 0, "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 bmcPowerCycle"},
    {PM_COMMAND_CYCLE, MACHINE, NEVER, 1, "1 vmDestroy v1, 2 vmStart v1 <1"},
    {PM_COMMAND_CYCLE, MACHINE, NEVER, 2, "1 vmDestroy v2, 2 vmStart v2 <1"},
    {PM_COMMAND_CYCLE, MACHINE, NEVER, 3, "refused"},
    {PM_COMMAND_RESET, MACHINE, NEVER, 0, "1 bmcHardReset"},
    {PM_COMMAND_RESET, STACK, NEVER, 0, "1 vmReset v1, 1 vmReset v4"},
    {PM_COMMAND_RESET, BOTH, NEVER, 0, "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 bmcHardReset"},
    {PM_COMMAND_RESET, MACHINE, NEVER, 1, "1 vmReset v1"},
    {PM_COMMAND_RESET, MACHINE, NEVER, 2, "1 vmReset v2"},
    {PM_COMMAND_RESET, MACHINE, NEVER, 3, "refused"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_SUSPEND, STACK, NEVER, 0, "1 vmPause v4, 1 vmPause v2 >3, 2 vmPause v1"},
    {PM_COMMAND_SUSPEND, BOTH, NEVER, 0, "refused"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 1, "1 vmPause v2 >2, 2 vmPause v1"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 2, "1 vmPause v2"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 3, "refused"},
    {PM_COMMAND_HIBERNATE, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_HIBERNATE, STACK, NEVER, 0, "1 vmSave v4, 1 vmSave v2 >3, 2 vmSave v1"},
    {PM_COMMAND_HIBERNATE, BOTH, NEVER, 0, "refused"},
    {PM_COMMAND_HIBERNATE, MACHINE, NEVER, 1, "1 vmSave v2 >2, 2 vmSave v1"},
    {PM_COMMAND_HIBERNATE, MACHINE, NEVER, 2, "1 vmSave v2"},
    {PM_COMMAND_HIBERNATE, MACHINE, NEVER, 3, "refused"},
    {PM_COMMAND_SOFT_OFF, MACHINE, NEVER, 0, "1 bmcSoftShutdown"},
    {PM_COMMAND_SOFT_OFF, MACHINE, NEVER, 1, "1 vmShutdown v1"},
    {PM_COMMAND_SOFT_OFF, MACHINE, NEVER, 2, "1 vmShutdown v2"},
    {PM_COMMAND_SOFT_OFF, MACHINE, NEVER, 3, "1 stateWait v3"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 0, "1 bmcPowerUp"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 1, "1 stateWait v1"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 2, "1 stateWait v2"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 3, "1 vmStart v3"},
};

static const struct cell silent_guest[] = {
    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v4, 1 hypervisorConnect h2 >3, 2 vmShutdown v1"},
    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0,
     "1 vmShutdown v4 >4, 1 hypervisorConnect h2 >3, 2 vmShutdown v1 >4, "
     "3 bmcSoftShutdown, |4 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 1, "1 hypervisorConnect h2 >2, 2 vmShutdown v1"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "1 hypervisorConnect h2, 2 vmShutdown v2 <1"},
    {PM_COMMAND_POWER_OFF, STACK, NEVER, 0, "1 vmDestroy v1, 1 vmDestroy v4"},
    {PM_COMMAND_POWER_OFF, BOTH, NEVER, 0, "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 1, "1 vmDestroy v1"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 2, "1 hypervisorConnect h2, 2 vmDestroy v2 <1"},
    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "1 vmReboot v4, 1 hypervisorConnect h2 >3, 2 vmReboot v1"},
    {PM_COMMAND_REBOOT, BOTH, NEVER, 0,
     "1 vmShutdown v4 >4, 1 hypervisorConnect h2 >3, 2 vmShutdown v1 >4, "
     "3 bmcSoftShutdown, |4 bmcPowerDown, 5 bmcPowerUp <4, "
     "6 hypervisorConnect h1 <6, 7 vmStart v1 <7, 7 vmStart v4 <7"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 1, "1 hypervisorConnect h2 >2, 2 vmReboot v1"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 2, "1 hypervisorConnect h2, 2 vmReboot v2 <1"},
    {PM_COMMAND_SUSPEND, STACK, NEVER, 0, "1 vmPause v4, 1 hypervisorConnect h2 >3, 2 vmPause v1"},
    {PM_COMMAND_SUSPEND, BOTH, NEVER, 0, "refused"},
    {PM_COMMAND_HIBERNATE, STACK, NEVER, 0, "1 vmSave v4, 1 hypervisorConnect h2 >3, 2 vmSave v1"},
    {PM_COMMAND_HIBERNATE, BOTH, NEVER, 0, "refused"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 1, "1 stateWait v1"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 2, "1 hypervisorConnect h2, 2 vmStart v2 <1"},
};

static const struct cell paused_guest[] = {
    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0,
     "1 vmResume v1, 1 vmShutdown v4, 2 hypervisorConnect h2 <1 >5, "
     "3 vmShutdown v2 <3 >5, 4 vmShutdown v1 <1"},
    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0,
     "1 vmResume v1, 1 vmShutdown v4 >6, 2 hypervisorConnect h2 <1 >5, "
     "3 vmShutdown v2 <3 >5, 4 vmShutdown v1 <1 >6, 5 bmcSoftShutdown, "
     "|6 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 1,
     "1 vmResume v1, 2 hypervisorConnect h2 <1 >4, 3 vmShutdown v2 <2 >4, "
     "4 vmShutdown v1 <1"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "refused"},
    {PM_COMMAND_POWER_OFF, STACK, NEVER, 0, "1 vmDestroy v1, 1 vmDestroy v4"},
    {PM_COMMAND_POWER_OFF, BOTH, NEVER, 0, "1 vmDestroy v1 >3, 1 vmDestroy v4 >3, 2 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 1, "1 vmDestroy v1"},
    {PM_COMMAND_REBOOT, STACK, NEVER, 0,
     "1 vmResume v1, 1 vmReboot v4, 2 hypervisorConnect h2 <1 >5, "
     "3 vmShutdown v2 <3 >5, 4 vmReboot v1 <1, 5 hypervisorConnect h2 <5, "
     "6 vmStart v2 <6"},
    {PM_COMMAND_REBOOT, BOTH, NEVER, 0,
     "1 vmResume v1, 1 vmShutdown v4 >6, 2 hypervisorConnect h2 <1 >5, "
     "3 vmShutdown v2 <3 >5, 4 vmShutdown v1 <1 >6, 5 bmcSoftShutdown, "
     "|6 bmcPowerDown, 7 bmcPowerUp <6, 8 hypervisorConnect h1 <8, "
     "9 vmStart v1 <9, 9 vmStart v4 <9, 10 hypervisorConnect h2 <10, "
     "11 vmStart v2 <12"},
    {PM_COMMAND_SUSPEND, STACK, NEVER, 0, "1 vmPause v4"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 1, "1 stateWait v1"},
    {PM_COMMAND_SUSPEND, MACHINE, NEVER, 2, "1 stateWait v2"},
    {PM_COMMAND_HIBERNATE, STACK, NEVER, 0, "1 vmSave v1, 1 vmSave v4"},
    {PM_COMMAND_HIBERNATE, MACHINE, NEVER, 1, "1 vmSave v1"},
    {PM_COMMAND_SOFT_OFF, MACHINE, NEVER, 1, "1 vmResume v1, 2 vmShutdown v1 <1"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 1, "1 vmResume v1"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 2, "1 vmResume v1, 2 hypervisorConnect h2 <1, 3 vmStart v2 <2"},
};

static const struct cell silent[] = {
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 hypervisorConnect h1"},
    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0, "1 hypervisorConnect h1 >2, 2 bmcSoftShutdown, |3 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "1 hypervisorConnect h2, 2 vmShutdown v2 <1"},
    {PM_COMMAND_SHUTDOWN, MACHINE, AFTER, 0, "refused"},
    {PM_COMMAND_SHUTDOWN, STACK, AFTER, 0, "1 hypervisorConnect h1"},
    {PM_COMMAND_SHUTDOWN, BOTH, AFTER, 0, "1 hypervisorConnect h1 >2, 2 bmcSoftShutdown, |3 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NOW, 0, "1 bmcSoftShutdown, |2 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, STACK, NOW, 0, "1 hypervisorConnect h1"},
    {PM_COMMAND_SHUTDOWN, BOTH, NOW, 0, "1 bmcSoftShutdown, |2 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 0, "1 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, STACK, NEVER, 0, "1 hypervisorConnect h1"},
    {PM_COMMAND_POWER_OFF, BOTH, NEVER, 0, "1 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 2, "1 hypervisorConnect h2, 2 vmDestroy v2 <1"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 0, "refused"},
    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "1 hypervisorConnect h1"},
    {PM_COMMAND_REBOOT, BOTH, NEVER, 0,
     "1 hypervisorConnect h1 >2, 2 bmcSoftShutdown, |3 bmcPowerDown, "
     "4 bmcPowerUp <2"},
    {PM_COMMAND_CYCLE, MACHINE, NEVER, 0, "1 bmcPowerCycle"},
    {PM_COMMAND_CYCLE, STACK, NEVER, 0, "1 hypervisorConnect h1"},
    {PM_COMMAND_CYCLE, BOTH, NEVER, 0, "1 bmcPowerCycle"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 2,
     "1 hypervisorConnect h1, 2 vmStart v1 <1, 3 hypervisorConnect h2 <2, "
     "4 vmStart v2 <3"},
};

static const struct cell off[] = {
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 0, "1 bmcSoftShutdown, |2 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 stateWait"},
    {PM_COMMAND_SHUTDOWN, BOTH, NEVER, 0, "1 bmcSoftShutdown, |2 bmcPowerDown"},
    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "1 stateWait v2"},
    {PM_COMMAND_POWER_OFF, MACHINE, NEVER, 0, "1 bmcPowerDown"},
    {PM_COMMAND_POWER_OFF, STACK, NEVER, 0, "1 stateWait"},
    {PM_COMMAND_POWER_OFF, BOTH, NEVER, 0, "1 bmcPowerDown"},
    {PM_COMMAND_REBOOT, MACHINE, NEVER, 0, "1 bmcSoftShutdown, |2 bmcPowerDown, 3 bmcPowerUp <1"},
    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "1 stateWait"},
    {PM_COMMAND_REBOOT, BOTH, NEVER, 0, "1 bmcSoftShutdown, |2 bmcPowerDown, 3 bmcPowerUp <1"},
    {PM_COMMAND_CYCLE, MACHINE, NEVER, 2, "refused"},
    {PM_COMMAND_RESET, MACHINE, NEVER, 2, "refused"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 0, "1 bmcPowerUp"},
    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 2,
     "1 bmcPowerUp, 2 hypervisorConnect h1 <1, 3 vmStart v1 <2, "
     "4 hypervisorConnect h2 <3, 5 vmStart v2 <4"},
};

static void test_a_stack_that_runs(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	check_cells(&stack, all_running, LENGTH(all_running));
	stack_end(&stack);
}

static void test_a_hypervisor_in_a_vm_does_not_answer(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	stack.hypervisors[1].up = false;
	check_cells(&stack, silent_guest, LENGTH(silent_guest));
	stack_end(&stack);
}

static void test_a_vm_that_is_a_hypervisor_is_paused(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	vm_is(&stack.vms[0], PM_VM_PAUSED);
	stack.hypervisors[1].up = false;
	stack.hypervisors[1].frozen = true;
	check_cells(&stack, paused_guest, LENGTH(paused_guest));
	stack_end(&stack);
}

/* For a moment after that its connection is not known to be lost. */
static void test_a_vm_that_is_a_hypervisor_was_paused_just_now(void **state)
{
	static const struct cell cells[] = {
	    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0,
	     "1 vmResume v1, 1 vmShutdown v4, 2 hypervisorConnect h2 <1 >5, 3 vmShutdown v2 <3 >5, 4 vmShutdown v1 <1"},
	    {PM_COMMAND_SUSPEND, STACK, NEVER, 0, "1 vmPause v4"},
	    {PM_COMMAND_HIBERNATE, STACK, NEVER, 0, "1 vmSave v1, 1 vmSave v4"},
	    {PM_COMMAND_SHUTDOWN, MACHINE, NEVER, 2, "refused"},
	    {PM_COMMAND_POWER_ON, MACHINE, NEVER, 2,
	     "1 vmResume v1, 2 hypervisorConnect h2 <1, 3 vmStart v2 <2"}};
	static const struct cell both[] = {{PM_COMMAND_POWER_ON, MACHINE, NEVER, 2,
					    "1 vmResume v1, 2 hypervisorConnect h2 <1, 3 vmResume v2 <2"}};
	struct stack stack;

	(void)state;
	small(&stack);
	vm_is(&stack.vms[0], PM_VM_PAUSED);
	check_cells(&stack, cells, LENGTH(cells));
	vm_is(&stack.vms[1], PM_VM_PAUSED);
	check_cells(&stack, both, LENGTH(both));
	stack_end(&stack);
}

static void test_a_machine_that_went_off_just_now(void **state)
{
	static const struct cell cells[] = {{PM_COMMAND_POWER_ON, MACHINE, NEVER, 4,
					     "1 bmcPowerUp, 2 hypervisorConnect h1 <1, 3 vmStart v4 <2"}};
	struct stack stack;

	(void)state;
	small(&stack);
	stack.machine.observed = PM_POWER_OFF;
	check_cells(&stack, cells, LENGTH(cells));
	stack_end(&stack);
}

static void test_no_hypervisor_answers(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	stack.hypervisors[0].up = stack.hypervisors[1].up = false;
	check_cells(&stack, silent, LENGTH(silent));
	stack_end(&stack);
}

static void test_a_machine_that_is_off(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	stack.hypervisors[0].up = stack.hypervisors[1].up = false;
	stack.machine.observed = PM_POWER_OFF;
	check_cells(&stack, off, LENGTH(off));
	stack_end(&stack);
}

/* --- refusals, in words ------------------------------------------------------------------------- */

static void test_refusals_say_what_would_be_right(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 0, "3 VMs up (v1, v2, v4)");
	check_refusal(&stack, PM_COMMAND_REBOOT, MACHINE, 0,
		      "pmJobScope stackAndMachine brings them down first");
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 9, "machine m1 has no VM 9 (pmJobVm)");
	check_refusal(&stack, PM_COMMAND_RESET, MACHINE, 5, "VM v5 of machine m1 is down");
	check_refusal(&stack, PM_COMMAND_WAKE, MACHINE, 1, "wake is nothing that can be done to a VM");
	check_refusal(&stack, PM_COMMAND_SUSPEND, BOTH, 0, "with pmJobScope stack it acts on the VMs alone");
	check_refusal(&stack, PM_COMMAND_INIT, MACHINE, 0, "no host section");
	vm_is(&stack.vms[0], PM_VM_PAUSED);
	stack.hypervisors[1].up = false;
	stack.hypervisors[1].frozen = true;
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 2,
		      "stands on VM v1, which is paused: powerOn resumes it");
	stack.hypervisors[0].up = false;
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 0, "hypervisor h1 of machine m1 does not answer");
	stack.machine.bmc = NULL;
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, BOTH, 0, "pmJobScope stack leaves the machine alone");
	stack.machine.observed = PM_POWER_OFF;
	check_refusal(&stack, PM_COMMAND_POWER_ON, MACHINE, 2, "MAC address");
	stack.config.hypervisor_count = 0;
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, STACK, 0, "machine m1 has no stack");
	stack_end(&stack);
}

static void test_a_stack_for_which_there_was_no_memory(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	stack.config.hypervisor_count++;
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, BOTH, 0, "no memory for the stack of machine m1");
	check_refusal(&stack, PM_COMMAND_POWER_OFF, STACK, 0, "no memory for the stack of machine m1");
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 0, "no memory for the stack of machine m1");
	check_refusal(&stack, PM_COMMAND_SUSPEND, MACHINE, 1, "no memory for the stack of machine m1");
	check_cells(&stack, &(const struct cell){PM_COMMAND_POWER_OFF, MACHINE, NEVER, 0, "1 bmcPowerDown"},
		    1);
	stack_end(&stack);
}

static void test_more_than_three_vms_are_not_all_named(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	stack_vm(&stack, &stack.hypervisors[0], PM_VM_RUNNING);
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 0, "4 VMs up (v1, v2, v4, ...)");
	stack_end(&stack);
}

/* A VM that is not defined goes with its life. */
static void test_a_transient_vm_is_not_put_to_the_test(void **state)
{
	static const struct cell cells[] = {
	    {PM_COMMAND_REBOOT, STACK, NEVER, 0, "refused"},
	    {PM_COMMAND_REBOOT, BOTH, NEVER, 0, "refused"},
	    {PM_COMMAND_REBOOT, STACK, NOW, 0, "1 vmReset v1, 1 vmReset v4"},
	    {PM_COMMAND_REBOOT, MACHINE, NEVER, 1, "refused"},
	    {PM_COMMAND_REBOOT, MACHINE, NEVER, 2, "1 vmReboot v2"},
	    {PM_COMMAND_CYCLE, MACHINE, NEVER, 2, "refused"},
	    {PM_COMMAND_CYCLE, STACK, NEVER, 0,
	     "1 vmDestroy v1, 1 vmDestroy v4, 2 vmStart v1 <1, 2 vmStart v4 <2"},
	    {PM_COMMAND_SHUTDOWN, STACK, NEVER, 0, "1 vmShutdown v4, 1 vmShutdown v2 >3, 2 vmShutdown v1"},
	};
	struct stack stack;

	(void)state;
	small(&stack);
	stack.vms[1].persistent = false;
	check_cells(&stack, cells, LENGTH(cells));
	check_refusal(&stack, PM_COMMAND_REBOOT, STACK, 0, "VM v2 of machine m1 is transient");
	vm_is(&stack.vms[1], PM_VM_SHUTDOWN);
	check_refusal(&stack, PM_COMMAND_POWER_ON, MACHINE, 2, "cannot be started again");
	stack_end(&stack);
}

static void test_a_vm_on_no_hypervisor(void **state)
{
	struct stack stack;

	(void)state;
	small(&stack);
	stack.vms[4].hypervisor = NULL;
	check_refusal(&stack, PM_COMMAND_POWER_ON, MACHINE, 5, "on no hypervisor that is configured");
	check_refusal(&stack, PM_COMMAND_SHUTDOWN, MACHINE, 5, "on no hypervisor that is configured");
	check_cells(&stack, &all_running[1], 1);
	stack_end(&stack);
}

/* --- which, when, how long ---------------------------------------------------------------------- */

static struct pm_plan plan_of(const struct stack *stack, const struct pm_job_spec *spec)
{
	struct pm_plan plan;
	struct pm_error err = {""};

	if (pm_plan(&stack->machine, spec, false, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

static void check_times(const struct stack *stack, const struct pm_job_spec *spec, const unsigned *times_s,
			unsigned count, unsigned all_s)
{
	struct pm_plan plan = plan_of(stack, spec);

	assert_int_equal(plan.count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(plan.steps[i].timeout_s, times_s[i]);
	assert_int_equal(plan.timeout_s, all_s);
	pm_plan_free(&plan);
}

static void test_times(void **state)
{
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_SHUTDOWN, BOTH);
	struct stack stack;

	(void)state;
	small(&stack);
	stack.vms[1].shutdown_timeout_s = 20;
	spec.timeout_s = 0; /* a verb: VMs have what the machine's stack has */
	check_times(&stack, &spec, (unsigned[]){600, 600, 600, 200, 200}, 5, 600 + 400 + 60);
	spec.timeout_s = 50;
	check_times(&stack, &spec, (unsigned[]){50, 50, 50, 200, 200}, 5, 600 + 400 + 60);
	spec.force = AFTER;
	spec.vm_timeout_s = 30;
	check_times(&stack, &spec, (unsigned[]){30, 50, 20, 50, 30, 50, 200, 200}, 8, 600 + 400 + 60);
	spec.timeout_s = 500;
	check_times(&stack, &spec, (unsigned[]){30, 120, 20, 120, 30, 120, 200, 200}, 8, 600 + 400 + 60);
	spec.action = PM_COMMAND_SOFT_OFF; /* nothing comes after it */
	spec.vm = 1;
	check_times(&stack, &spec, (unsigned[]){500}, 1, 600 + 60);
	spec = spec_of_row(PM_COMMAND_REBOOT, BOTH);
	check_times(&stack, &spec, (unsigned[]){600, 600, 600, 200, 200, 300, 300, 600, 600, 300, 600}, 11,
		    600 + 700 + 300 + 300 + 600 + 60);
	stack.hypervisors[1].up = false;
	spec = spec_of_row(PM_COMMAND_SHUTDOWN, STACK);
	check_times(&stack, &spec, (unsigned[]){600, 60, 600}, 3, 60 + 600 + 60);
	stack_end(&stack);
}

static void test_texts_say_what_is_waited_for(void **state)
{
	static const char *const texts[] = {NULL,
					    NULL,
					    "after v2",
					    "after v4, v1",
					    "only when the step before fails",
					    NULL,
					    "after bmcPowerUp of m1",
					    "after hypervisorConnect of h1",
					    "after hypervisorConnect of h1",
					    "after vmStart of v1",
					    "after hypervisorConnect of h2"};
	struct pm_job_spec spec = spec_of_row(PM_COMMAND_REBOOT, BOTH);
	struct stack stack;
	struct pm_plan plan;

	(void)state;
	small(&stack);
	plan = plan_of(&stack, &spec);
	assert_int_equal(plan.count, LENGTH(texts));
	for (unsigned i = 0; i < plan.count; i++) {
		if (texts[i])
			assert_string_equal(plan.steps[i].text, texts[i]);
		else
			assert_null(plan.steps[i].text);
	}
	pm_plan_free(&plan);
	for (int i = 0; i < 4; i++)
		stack_vm(&stack, &stack.hypervisors[1], PM_VM_RUNNING);
	spec = spec_of_row(PM_COMMAND_SHUTDOWN, STACK);
	plan = plan_of(&stack, &spec);
	assert_string_equal(plan.steps[plan.count - 1].text, "after v2, v6, v7 and 2 more");
	pm_plan_free(&plan);
	stack_end(&stack);
}

static void test_what_is_so_already_is_said(void **state)
{
	static const struct {
		enum pm_command action;
		uint32_t vm;
		const char *text;
	} cases[] = {{PM_COMMAND_SHUTDOWN, 0, "nothing runs there"},
		     {PM_COMMAND_SHUTDOWN, 1, "it is down already"},
		     {PM_COMMAND_POWER_OFF, 1, "it is down already"},
		     {PM_COMMAND_HIBERNATE, 4, "it is saved already"}};
	struct stack stack;

	(void)state;
	small(&stack);
	for (int i = 0; i < 4; i++)
		vm_is(&stack.vms[i], PM_VM_SHUTDOWN);
	vm_is(&stack.vms[3], PM_VM_SUSPENDED);
	stack.hypervisors[1].up = false;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_job_spec spec = spec_of_row(cases[i].action, STACK);
		struct pm_plan plan;

		spec.vm = cases[i].vm;
		plan = plan_of(&stack, &spec);
		assert_int_equal(plan.count, 1);
		assert_int_equal(plan.steps[0].action, PM_STEP_STATE_WAIT);
		assert_string_equal(plan.steps[0].text, cases[i].text);
		pm_plan_free(&plan);
	}
	stack_end(&stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_stack_that_runs),
	    cmocka_unit_test(test_a_hypervisor_in_a_vm_does_not_answer),
	    cmocka_unit_test(test_a_vm_that_is_a_hypervisor_is_paused),
	    cmocka_unit_test(test_a_vm_that_is_a_hypervisor_was_paused_just_now),
	    cmocka_unit_test(test_a_machine_that_went_off_just_now),
	    cmocka_unit_test(test_no_hypervisor_answers),
	    cmocka_unit_test(test_a_machine_that_is_off),
	    cmocka_unit_test(test_refusals_say_what_would_be_right),
	    cmocka_unit_test(test_a_stack_for_which_there_was_no_memory),
	    cmocka_unit_test(test_more_than_three_vms_are_not_all_named),
	    cmocka_unit_test(test_a_transient_vm_is_not_put_to_the_test),
	    cmocka_unit_test(test_a_vm_on_no_hypervisor),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_texts_say_what_is_waited_for),
	    cmocka_unit_test(test_what_is_so_already_is_said),
	};

	return cmocka_run_group_tests_name("plan of a stack", tests, NULL, NULL);
}
