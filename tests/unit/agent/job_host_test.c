/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs done by the operating system of a machine: what is told to it, what is waited for, and how that is told. */
#include "tests/unit/agent/job_hosts.h"

/* --- down, and up again --------------------------------------------------------------------------- */

static void cannot_suspend(struct play *play)
{
	play->os->has_no_s3 = true;
	pm_os_ask(play->machine);
	pass_ms(100);
}

static void cannot_hibernate(struct play *play)
{
	play->os->has_no_swap = true;
	pm_os_ask(play->machine);
	pass_ms(100);
}

/* It said otherwise when it was asked last. */
static void can_suspend_no_more(struct play *play)
{
	play->os->has_no_s3 = true;
}

static void is_off(struct play *play)
{
	fake_os_set_power(play->os, false);
	tell_what_is_true(play);
}

static void is_gone(struct play *play)
{
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = PM_COMMAND_SHUTDOWN;
	spec.scope = PM_SCOPE_MACHINE;
	assert_int_equal(ask_for(play, &spec), 0);
	while (is_at_work(play))
		turn();
	assert_int_equal(play->machine->observed, PM_POWER_OFF);
	pm_job_remove(play->job);
	play->job = NULL;
}

static void comes_up_off_instead(struct play *play)
{
	if (fake_os_is(play->os) == FAKE_OS_BOOTING && !play->phase++)
		fake_os_set_power(play->os, false);
}

/* The agent's own host sleeps, and with it the agent; somebody wakes it a minute later. */
static void sleeps_with_the_agent(struct play *play)
{
	if (fake_os_is(play->os) != FAKE_OS_SUSPENDED || play->phase++)
		return;
	slept_ms += 60000;
	fake_os_set_power(play->os, true);
}

static const struct scene good_scenes[] = {
    {.name = "shutdown, seen by the BMC",
     .action = PM_COMMAND_SHUTDOWN,
     .bmc = true,
     .result = PM_RESULT_OK,
     .text = "off, observed by the BMC",
     .steps = "hostShutdown ok",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "shutdown without a BMC",
     .action = PM_COMMAND_SHUTDOWN,
     .result = PM_RESULT_OK,
     .text = "off, observed by the silence of probe and host",
     .steps = "hostShutdown ok",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "reboot with a BMC",
     .action = PM_COMMAND_REBOOT,
     .bmc = true,
     .result = PM_RESULT_OK,
     .text = "up again, in a new boot",
     .steps = "hostReboot ok, bmcPowerUp alreadyInState",
     .is = FAKE_OS_ON,
     .told = 1},
    {.name = "reboot without a BMC",
     .action = PM_COMMAND_REBOOT,
     .result = PM_RESULT_OK,
     .text = "up again, in a new boot",
     .steps = "hostReboot ok",
     .is = FAKE_OS_ON,
     .told = 1},
    {.name = "reboot without a BMC and a probe",
     .action = PM_COMMAND_REBOOT,
     .no_probe = true,
     .result = PM_RESULT_OK,
     .text = "up again, in a new boot",
     .steps = "hostReboot ok",
     .is = FAKE_OS_ON,
     .told = 1},
    {.name = "reboot that goes off",
     .action = PM_COMMAND_REBOOT,
     .bmc = true,
     .on_s = 60,
     .meanwhile = comes_up_off_instead,
     .result = PM_RESULT_OK,
     .text = "on, observed by the BMC",
     .steps = "hostReboot ok, bmcPowerUp ok",
     .is = 0,
     .told = 1},
    {.name = "suspend",
     .action = PM_COMMAND_SUSPEND,
     .result = PM_RESULT_OK,
     .text = "suspended, observed by the silence of probe and host",
     .steps = "hostArmWol ok, hostSuspend ok",
     .is = FAKE_OS_SUSPENDED,
     .told = 1},
    {.name = "suspend with a BMC, without a MAC",
     .action = PM_COMMAND_SUSPEND,
     .bmc = true,
     .no_nic = true,
     .result = PM_RESULT_OK,
     .steps = "hostSuspend ok",
     .is = FAKE_OS_SUSPENDED,
     .told = 1},
    {.name = "hibernate",
     .action = PM_COMMAND_HIBERNATE,
     .result = PM_RESULT_OK,
     .text = "suspended",
     .steps = "hostArmWol ok, hostHibernate ok",
     .is = FAKE_OS_HIBERNATED,
     .told = 1},
    {.name = "suspend of a machine known to be unable",
     .action = PM_COMMAND_SUSPEND,
     .before = cannot_suspend,
     .result = PM_RESULT_OK,
     .text = "it cannot suspend to memory: switched off instead, with Wake-on-LAN armed; off,",
     .steps = "hostArmWol ok, hostShutdown ok",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "suspend of a machine that is unable, which was not known",
     .action = PM_COMMAND_SUSPEND,
     .before = can_suspend_no_more,
     .result = PM_RESULT_OK,
     .text = "it cannot suspend to memory: switched off instead, with Wake-on-LAN armed; off,",
     .steps = "hostArmWol ok, hostSuspend rejected, hostShutdown ok",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "hibernate without a MAC of a machine that is unable",
     .action = PM_COMMAND_HIBERNATE,
     .no_nic = true,
     .before = cannot_hibernate,
     .result = PM_RESULT_OK,
     .text = "it cannot suspend to disk: switched off instead; off,",
     .steps = "hostShutdown ok",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "init 0",
     .action = PM_COMMAND_INIT,
     .result = PM_RESULT_OK,
     .text = "off, observed",
     .steps = "hostInit ok",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "init 3",
     .action = PM_COMMAND_INIT,
     .level = 3,
     .result = PM_RESULT_OK,
     .text = "accepted",
     .steps = "hostInit ok",
     .is = FAKE_OS_ON,
     .told = 1},
    {.name = "init 6",
     .action = PM_COMMAND_INIT,
     .level = 6,
     .result = PM_RESULT_OK,
     .text = "up again, in a new boot",
     .steps = "hostInit ok",
     .is = FAKE_OS_ON,
     .told = 1},
    {.name = "armWol",
     .action = PM_COMMAND_ARM_WOL,
     .result = PM_RESULT_OK,
     .text = "Wake-on-LAN armed: eth0",
     .steps = "hostArmWol ok",
     .is = FAKE_OS_ON},
    {.name = "armWol of all ports",
     .action = PM_COMMAND_ARM_WOL,
     .no_nic = true,
     .result = PM_RESULT_OK,
     .text = "Wake-on-LAN armed: eth0",
     .steps = "hostArmWol ok",
     .is = FAKE_OS_ON},
    {.name = "powerOff, armed",
     .action = PM_COMMAND_POWER_OFF,
     .bmc = true,
     .arm = true,
     .result = PM_RESULT_OK,
     .text = "off, observed by the BMC",
     .steps = "hostArmWol ok, bmcPowerDown ok",
     .is = FAKE_OS_OFF},
    {.name = "shutdown of one that is off",
     .action = PM_COMMAND_SHUTDOWN,
     .bmc = true,
     .before = is_off,
     .result = PM_RESULT_ALREADY_IN_STATE,
     .text = "off already",
     .steps = "hostShutdown alreadyInState",
     .is = FAKE_OS_OFF},
    {.name = "shutdown of one that is gone",
     .action = PM_COMMAND_SHUTDOWN,
     .before = is_gone,
     .result = PM_RESULT_ALREADY_IN_STATE,
     .text = "off already, observed by the silence of probe and host",
     .steps = "hostShutdown alreadyInState",
     .is = FAKE_OS_OFF,
     .told = 1},
    {.name = "reboot of one that is off",
     .action = PM_COMMAND_REBOOT,
     .bmc = true,
     .before = is_off,
     .result = PM_RESULT_REJECTED,
     .text = "the machine is off: reboot does nothing to it, use powerOn",
     .steps = "hostReboot rejected",
     .is = FAKE_OS_OFF},
    {.name = "suspend of one that is off",
     .action = PM_COMMAND_SUSPEND,
     .bmc = true,
     .before = is_off,
     .result = PM_RESULT_REJECTED,
     .text = "the machine is off",
     .steps = "hostArmWol rejected",
     .is = FAKE_OS_OFF},
    {.name = "armed shutdown of one that is off",
     .action = PM_COMMAND_SHUTDOWN,
     .bmc = true,
     .arm = true,
     .before = is_off,
     .result = PM_RESULT_REJECTED,
     .text = "the machine is off: nothing can arm its NICs now",
     .steps = "hostArmWol rejected",
     .is = FAKE_OS_OFF},
    {.name = "suspend of the agent's own host",
     .action = PM_COMMAND_SUSPEND,
     .local = true,
     .meanwhile = sleeps_with_the_agent,
     .result = PM_RESULT_OK,
     .text = "it slept, and was awake again",
     .steps = "hostArmWol ok, hostSuspend ok",
     .told = 1},
    {.name = "armed powerOn",
     .action = PM_COMMAND_POWER_ON,
     .bmc = true,
     .arm = true,
     .text = "pmJobArmWol arms the NICs of a machine before it goes down"},
};

static void test_scenes_that_go_well(void **state)
{
	(void)state;
	play_all(good_scenes, LENGTH(good_scenes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scenes_that_go_well),
	};

	return cmocka_run_group_tests_name("job host", tests, NULL, NULL);
}
