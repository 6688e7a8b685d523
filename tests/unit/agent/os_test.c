/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When operating systems are on, and when they count as gone: every order of events. */
#include "agent/os_private.h"
#include "tests/unit/agent/os_world.h"

/* --- on ------------------------------------------------------------------------------------------------------- */

static void test_a_report_says_that_it_is_on(void **state)
{
	(void)state;
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(pm_os_reachable(m2), PM_OS_UNKNOWN);
	settle();
	assert_state(m2, PM_POWER_ON, PM_SOURCE_HOST);
	assert_int_equal(pm_os_reachable(m2), PM_OS_YES);
	assert_string_equal(m2->os->report.boot_id, os2->boot_id);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE); /* which says so, too */
	assert_state(m3, PM_POWER_ON, PM_SOURCE_BMC);
	assert_int_equal(os1->asked[HOST_REPORT] + os2->asked[HOST_REPORT], 3); /* m1: again, for its probe */
}

static void test_without_a_probe_it_is_on_until_missed_too_often(void **state)
{
	(void)state;
	settle();
	fake_os_set_power(os2, false);
	for (unsigned i = 1; i < MISSES; i++) {
		ask(m2);
		assert_state(m2, PM_POWER_ON, PM_SOURCE_HOST);
	}
	ask(m2);
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE); /* it has vanished: off is not said */
	assert_int_equal(pm_os_reachable(m2), PM_OS_NO);
	fake_os_set_power(os2, true);
	ask(m2);
	assert_state(m2, PM_POWER_ON, PM_SOURCE_HOST);
	assert_int_equal(events_with(m2, "nobody here asked for it"), 1);
}

static void test_it_is_asked_when_its_probe_begins_to_answer(void **state)
{
	unsigned tried;

	(void)state;
	fake_os_set_power(os1, false);
	settle();
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	tried = os1->tried;
	probes(m1, 5); /* a dead one is not asked for every silence */
	assert_int_equal(os1->tried, tried);
	fake_os_set_power(os1, true);
	probes(m1, 1);
	assert_int_equal(os1->asked[HOST_REPORT], 1);
	assert_int_equal(m1->os->heard_ms > 0, 1);
	probes(m1, 5);
	assert_int_equal(os1->asked[HOST_REPORT], 1);
}

/* The report of a minute ago is no proof any more when its probe is silent and nobody answers. */
static void test_a_machine_that_vanishes_is_unknown(void **state)
{
	(void)state;
	settle();
	fake_os_set_power(os1, false);
	probes(m1, MISSES);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	probes(m1, 2 * MISSES);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(m1->off_count, 0);
}

static void test_its_helper_proves_on_while_its_probe_is_filtered(void **state)
{
	(void)state;
	settle();
	for (unsigned i = 0; i < MISSES + 2; i++)
		pm_state_probe(m1, PM_PROBE_SILENT, "");
	run_until_idle();
	assert_state(m1, PM_POWER_ON, PM_SOURCE_HOST);
	assert_int_equal(pm_os_reachable(m1), PM_OS_NO);
}

/* --- gone ------------------------------------------------------------------------------------------------------ */

static void test_off_is_seen_when_it_had_agreed(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	for (unsigned i = 1; i < MISSES; i++) {
		probes(m1, 1);
		assert_int_not_equal(m1->observed, PM_POWER_OFF);
	}
	probes(m1, 1);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
	assert_int_equal(m1->off_count, 1);
	assert_int_equal(m1->on_count, 0);
	assert_int_equal(world.agent.machines_off, 1);
	world_drain(&world);
	assert_int_equal(world_told(PM_NOTIFY_POWER_STATE_CHANGE, 1)->power_state, PM_POWER_OFF);
	assert_int_equal(world_told(PM_NOTIFY_POWER_STATE_CHANGE, 1)->source, PM_SOURCE_HOST);
	fake_os_set_power(os1, true);
	probes(m1, 1);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE); /* at once */
	assert_int_equal(m1->on_count, 1);
	assert_int_equal(events_with(m1, "is up again, with a new boot"), 1);
	assert_true(pm_os_rebooted(m1));
	assert_int_equal(m1->os->rest, PM_REST_NONE);
}

static void test_suspended_is_seen_and_counts_as_down(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_SUSPEND);
	assert_state(m1, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	assert_int_equal(m1->off_count, 1);
	assert_int_equal(world.agent.machines_off, 0);
	fake_os_set_power(os1, true);
	probes(m1, 1);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	assert_int_equal(m1->on_count, 1);
	assert_int_equal(events_with(m1, "has resumed"), 1);
	assert_false(pm_os_rebooted(m1));
}

static void test_what_slept_may_be_lost(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_HIBERNATE);
	assert_state(m1, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	os1->power = FAKE_OS_OFF;
	fake_os_set_power(os1, true);
	probes(m1, 1);
	assert_int_equal(events_with(m1, "what slept is lost"), 1);
}

/* It says so, and does not: as long as anything answers it is on. */
static void test_one_that_never_goes_is_on(void **state)
{
	(void)state;
	settle();
	os1->down_ms = FAKE_OS_NEVER;
	goes(m1, HOST_POWEROFF);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	ask(m1);
	assert_int_equal(m1->os->rest, PM_REST_OFF);
	m1->os->lapse_ms = uv_now(&world.loop); /* ten minutes later */
	ask(m1);
	assert_int_equal(m1->os->rest, PM_REST_NONE);
	assert_int_equal(events_with(m1, "that no longer counts"), 1);
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 3);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* Woken at once, so quickly that no probe missed it; a minute later that it had agreed does not count any more. */
static void test_one_that_was_woken_at_once_is_not_asleep(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m1, HOST_SUSPEND), HOST_OK);
	probes(m1, 1);
	fake_os_set_power(os1, true);
	ask(m1);
	assert_int_equal(m1->os->rest, PM_REST_SUSPENDED);
	m1->os->lapse_ms -= 50000;
	ask(m1);
	assert_int_equal(m1->os->rest, PM_REST_SUSPENDED);
	m1->os->lapse_ms -= 10000;
	ask(m1);
	assert_int_equal(m1->os->rest, PM_REST_NONE);
	assert_int_equal(events_with(m1, "to sleep, and answers 1 minute later"), 1);
	fake_os_cut(os1, true);
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* sshd is busy, or only the kernel is left: somebody is there, whoever is silent. */
static void test_one_that_is_heard_is_not_gone(void **state)
{
	(void)state;
	settle();
	os1->down_ms = FAKE_OS_NEVER;
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	os1->answer_ms = 100000;
	for (unsigned i = 0; i < MISSES + 2; i++)
		pm_state_probe(m1, PM_PROBE_SILENT, "");
	m1->os->answers = false;
	pm_os_missed(m1->os,
		     &(struct host_reply){.result = HOST_UNREACHABLE, .heard = true, .text = "refused"},
		     false);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	pm_os_missed(m1->os, &(struct host_reply){.result = HOST_UNREACHABLE, .text = "no route"}, false);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
}

static void test_a_reboot_is_never_off(void **state)
{
	(void)state;
	settle();
	os1->boot_ms = 1000000;
	goes(m1, HOST_REBOOT);
	assert_true(m1->os->gone);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_false(pm_os_rebooted(m1));
	os1->due_ms = 1; /* it is up */
	probes(m1, 1);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	assert_true(pm_os_rebooted(m1));
	assert_int_equal(events_with(m1, "has rebooted, as it was told"), 1);
	assert_int_equal(m1->off_count, 0);
}

/* So quick that its probe has not missed it. */
static void test_a_quick_reboot_is_known_by_its_boot(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m1, HOST_REBOOT), HOST_OK);
	probes(m1, 1);
	ask(m1);
	assert_true(pm_os_rebooted(m1));
	assert_int_equal(m1->os->rest, PM_REST_NONE);
}

static void test_without_a_probe_nothing_is_ever_off(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m2, HOST_POWEROFF), HOST_OK);
	for (unsigned i = 0; i < 3 * MISSES; i++)
		ask(m2);
	assert_false(pm_os_is_observable(m2));
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* A probe that never answered cannot be lost. */
static void test_a_probe_that_never_answered_proves_nothing(void **state)
{
	(void)state;
	run_until_idle();
	while (!m1->os->heard_ms)
		run_for(&world, 1);
	for (unsigned i = 0; i < MISSES + 2; i++)
		pm_state_probe(m1, PM_PROBE_SILENT, "");
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	probes(m1, 3 * MISSES);
	ask(m1);
	assert_int_not_equal(m1->observed, PM_POWER_OFF);
}

/* Lost before it agreed: that it agreed came through, so it is there, and must be lost anew. */
static void test_silence_before_it_agreed_does_not_count(void **state)
{
	(void)state;
	settle();
	for (unsigned i = 0; i < MISSES - 1; i++)
		pm_state_probe(m1, PM_PROBE_SILENT, "");
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	probes(m1, 1);
	assert_int_equal(m1->os_reachable, PM_OS_NO);
	ask(m1);
	assert_int_not_equal(m1->observed, PM_POWER_OFF);
	probes(m1, MISSES - 1);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
}

/* What was being asked when it agreed may have been asked before it. */
static void test_questions_from_before_do_not_count(void **state)
{
	static struct host_verb_run run;

	(void)state;
	settle();
	host_verb_begin(&run, m1, HOST_POWEROFF);
	pm_os_ask(m1);                       /* waits behind it */
	m1->probe = (struct pm_probe *)&run; /* so does this, as far as the model knows */
	run_until_idle();
	m1->probe = NULL;
	assert_int_equal(run.result, HOST_OK);
	assert_int_equal(m1->os->misses, 1);
	assert_false(m1->os->silent);
	probe_tells(m1);
	assert_int_equal(m1->os->silences, 0);
	probes(m1, MISSES);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST); /* it was asked again when the probe was lost */
}

static void test_a_probe_that_cannot_be_asked_is_no_evidence(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	probes(m1, MISSES - 1);
	pm_state_probe(m1, PM_PROBE_ERROR, "Network is unreachable");
	probes(m1, MISSES - 1);
	ask(m1);
	assert_int_not_equal(m1->observed, PM_POWER_OFF);
	probes(m1, 1);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
	for (unsigned i = 0; i < MISSES; i++) /* nobody can say so any more */
		pm_state_probe(m1, PM_PROBE_ERROR, "Network is unreachable");
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	probes(m1, MISSES);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
	assert_int_equal(m1->off_count, 1);
}

/* Refused, key not accepted, nonsense: whoever it is that answers there, it is not off. */
static void test_what_answers_is_not_gone(void **state)
{
	static const enum host_result answers[] = {HOST_REFUSED,     HOST_AUTH_FAILED,   HOST_NO_HELPER,
						   HOST_OTHER_BOOT,  HOST_NOT_PERMITTED, HOST_FAILED,
						   HOST_UNSUPPORTED, HOST_NO_MEMORY};

	(void)state;
	for (size_t i = 0; i < LENGTH(answers); i++) {
		settle();
		os1->down_ms = FAKE_OS_NEVER;
		assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
		os1->fault = (struct fake_os_fault){.result = answers[i], .sent = true};
		for (unsigned n = 0; n < MISSES + 2; n++) {
			pm_state_probe(m1, PM_PROBE_SILENT, "");
			run_until_idle();
		}
		ask(m1);
		assert_int_not_equal(m1->observed, PM_POWER_OFF);
		assert_false(m1->os->gone);
		os1->fault.result = 0;
		fake_os_set_power(os1, false);
		fake_os_set_power(os1, true);
		probes(m1, 1);
		ask(m1);
	}
}

static void test_it_is_not_gone_when_something_answers_later(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
	fake_os_set_power(os1, true); /* a rescue system, whose key is another; it does not answer probes */
	os1->fault = (struct fake_os_fault){.result = HOST_AUTH_FAILED};
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	os1->fault.result = 0;
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 1);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE); /* who was there then has agreed to nothing */
}

/* The network is cut when it has agreed, and it has not gone: when it is there again, so is the machine. */
static void test_out_of_reach_is_corrected(void **state)
{
	(void)state;
	settle();
	os1->down_ms = FAKE_OS_NEVER;
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	fake_os_cut(os1, true);
	probes(m1, MISSES + 1);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST); /* as far as anybody can see */
	fake_os_cut(os1, false);
	probe_tells(m1);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	run_until_idle();
	assert_int_equal(events_with(m1, "never off, only out of reach"), 1);
	fake_os_cut(os1, true);
	probes(m1, MISSES + 3);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* Up and gone again before its helper could be asked: the new boot has agreed to nothing. */
static void test_what_came_back_has_agreed_to_nothing(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	os1->no_helper_port = true;
	fake_os_set_power(os1, true);
	probes(m1, 2);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* There is no ssh on this host: that says nothing of the other. */
static void test_what_fails_here_says_nothing_of_it(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	pm_os_missed(
	    m1->os,
	    &(struct host_reply){.result = HOST_FAILED, .sent = false, .text = "ssh is not installed"},
	    false);
	assert_true(m1->os->gone);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
	pm_os_missed(m1->os, &(struct host_reply){.result = HOST_FAILED, .sent = true, .text = "it failed"},
		     false);
	assert_false(m1->os->gone);
}

/* Ten minutes after it agreed its probe still answers, and its helper does not. */
static void test_an_answer_of_its_probe_ends_what_was_long_ago(void **state)
{
	(void)state;
	settle();
	os1->down_ms = FAKE_OS_NEVER;
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	os1->no_helper_port = true;
	probes(m1, 1);
	assert_int_equal(m1->os->rest, PM_REST_OFF);
	m1->os->lapse_ms = uv_now(&world.loop);
	probes(m1, 1);
	assert_int_equal(m1->os->rest, PM_REST_NONE);
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* Its helper answers before its probe: the same boot is back, and what it does next it has not agreed to. */
static void test_a_report_ends_what_it_agreed_to(void **state)
{
	(void)state;
	for (int after_restart = 0; after_restart < 2; after_restart++) {
		settle();
		goes(m1, HOST_SUSPEND);
		assert_state(m1, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
		fake_os_set_power(os1, true);
		if (after_restart) {
			pm_flush(&world.agent);
			restart();
			while (!m1->os->heard_ms)
				run_for(&world, 1);
		} else {
			ask(m1);
		}
		assert_state(m1, PM_POWER_ON, PM_SOURCE_HOST);
		if (!after_restart)
			assert_int_equal(events_with(m1, "has resumed"), 1);
		fake_os_set_power(os1, false);
		pm_state_probe(m1, PM_PROBE_UP, ""); /* a late answer */
		probes(m1, MISSES + 1);
		ask(m1);
		assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
		fake_os_set_power(os1, true);
		probes(m1, 1);
	}
}

static void test_a_timeout_counts_as_nobody(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	os1->refuse_ms = FAKE_OS_NEVER;
	probes(m1, MISSES + 1);
	assert_int_equal(m1->os->trouble, HOST_TIMEOUT);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
}

/* Its answer takes longer than it needs to go. */
static void test_one_that_goes_before_it_has_answered(void **state)
{
	static struct host_verb_run run;

	(void)state;
	settle();
	for (unsigned before = 0; before <= MISSES + 1; before++) {
		pm_os_asks(m1);
		fake_os_does(os1, HOST_POWEROFF, 0);
		probes(m1, before);
		run = (struct host_verb_run){.machine = m1, .rest = PM_REST_OFF};
		snprintf(run.boot_id, sizeof(run.boot_id), "%s", os1->boot_id);
		host_verb_done(&(struct host_reply){.result = HOST_OK, .sent = true, .text = "going"}, &run);
		ask(m1);
		assert_int_not_equal(m1->observed, PM_POWER_OFF); /* nothing is known since it has answered */
		probes(m1, before < MISSES ? MISSES - before : 1);
		assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
		fake_os_set_power(os1, true);
		probes(m1, 1);
		assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	}
}

/* Told and not agreed is nothing. */
static void test_one_that_was_told_and_has_not_agreed_is_unknown(void **state)
{
	(void)state;
	settle();
	pm_os_asks(m1);
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

static void test_it_can_be_taken_back(void **state)
{
	(void)state;
	settle();
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	pm_os_rests(m1, PM_REST_NONE, NULL);
	probes(m1, MISSES + 2);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_false(pm_os_rebooted(m1));
}

/* --- with a BMC ------------------------------------------------------------------------------------------------- */

static void test_the_bmc_knows_better_than_the_host(void **state)
{
	(void)state;
	settle();
	goes(m3, HOST_POWEROFF);
	assert_true(m3->os->gone);
	assert_state(m3, PM_POWER_ON, PM_SOURCE_BMC); /* it hangs at its very end */
	bmc_says(m3, true);
	for (unsigned i = 0; i < MISSES; i++)
		bmc_misses(m3, IPMI_TIMEOUT);
	assert_state(m3, PM_POWER_UNKNOWN, PM_SOURCE_NONE); /* the last that was heard is on */
	bmc_says(m3, false);
	assert_state(m3, PM_POWER_OFF, PM_SOURCE_BMC);
	for (unsigned i = 0; i < MISSES; i++)
		bmc_misses(m3, IPMI_TIMEOUT);
	assert_state(m3, PM_POWER_OFF, PM_SOURCE_HOST);
}

static void test_the_host_tells_off_while_the_bmc_is_dead(void **state)
{
	(void)state;
	settle();
	for (unsigned i = 0; i < MISSES; i++)
		bmc_misses(m3, IPMI_TIMEOUT);
	goes(m3, HOST_POWEROFF);
	assert_state(m3, PM_POWER_OFF, PM_SOURCE_HOST);
}

static void test_sleep_is_told_over_the_bmc(void **state)
{
	(void)state;
	settle();
	goes(m3, HOST_SUSPEND);
	assert_state(m3, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	bmc_says(m3, true);
	assert_state(m3, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	bmc_says(m3, false); /* somebody has cut its power */
	assert_state(m3, PM_POWER_OFF, PM_SOURCE_BMC);
	bmc_says(m3, true);
	assert_state(m3, PM_POWER_ON, PM_SOURCE_BMC);
}

/* A hypervisor on it answers: it does not sleep, whatever else is silent. */
static void test_a_hypervisor_that_answers_is_awake(void **state)
{
	struct pm_hypervisor *hypervisor = calloc(1, sizeof(*hypervisor));

	(void)state;
	assert_non_null(hypervisor);
	settle();
	m3->hypervisors = hypervisor;
	m3->hypervisor_count = 1;
	hypervisor->machine = m3;
	hypervisor->holds = true;
	goes(m3, HOST_SUSPEND);
	assert_true(m3->os->gone);
	assert_state(m3, PM_POWER_ON, PM_SOURCE_BMC);
	hypervisor->holds = false;
	probes(m3, 1);
	assert_state(m3, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	m3->hypervisors = NULL;
	m3->hypervisor_count = 0;
	free(hypervisor);
}

/* S4: its power goes some time after its network. */
static void test_hibernation_ends_with_power(void **state)
{
	(void)state;
	settle();
	goes(m3, HOST_HIBERNATE);
	bmc_says(m3, true);
	assert_state(m3, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	bmc_says(m3, false);
	assert_state(m3, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	bmc_says(m3, true);
	assert_state(m3, PM_POWER_ON, PM_SOURCE_BMC);
	probes(m3, MISSES + 2); /* it still boots */
	assert_state(m3, PM_POWER_ON, PM_SOURCE_BMC);
	fake_os_set_power(os3, true);
	probes(m3, 1);
	assert_int_equal(events_with(m3, "has resumed"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_report_says_that_it_is_on),
	    TEST(without_a_probe_it_is_on_until_missed_too_often),
	    TEST(it_is_asked_when_its_probe_begins_to_answer),
	    TEST(a_machine_that_vanishes_is_unknown),
	    TEST(its_helper_proves_on_while_its_probe_is_filtered),
	    TEST(off_is_seen_when_it_had_agreed),
	    TEST(suspended_is_seen_and_counts_as_down),
	    TEST(what_slept_may_be_lost),
	    TEST(one_that_never_goes_is_on),
	    TEST(one_that_was_woken_at_once_is_not_asleep),
	    TEST(one_that_is_heard_is_not_gone),
	    TEST(a_reboot_is_never_off),
	    TEST(a_quick_reboot_is_known_by_its_boot),
	    TEST(without_a_probe_nothing_is_ever_off),
	    TEST(a_probe_that_never_answered_proves_nothing),
	    TEST(silence_before_it_agreed_does_not_count),
	    TEST(questions_from_before_do_not_count),
	    TEST(a_probe_that_cannot_be_asked_is_no_evidence),
	    TEST(what_answers_is_not_gone),
	    TEST(it_is_not_gone_when_something_answers_later),
	    TEST(out_of_reach_is_corrected),
	    TEST(what_came_back_has_agreed_to_nothing),
	    TEST(what_fails_here_says_nothing_of_it),
	    TEST(an_answer_of_its_probe_ends_what_was_long_ago),
	    TEST(a_report_ends_what_it_agreed_to),
	    TEST(a_timeout_counts_as_nobody),
	    TEST(one_that_goes_before_it_has_answered),
	    TEST(one_that_was_told_and_has_not_agreed_is_unknown),
	    TEST(it_can_be_taken_back),
	    TEST(the_bmc_knows_better_than_the_host),
	    TEST(the_host_tells_off_while_the_bmc_is_dead),
	    TEST(sleep_is_told_over_the_bmc),
	    TEST(a_hypervisor_that_answers_is_awake),
	    TEST(hibernation_ends_with_power),
	};

	return cmocka_run_group_tests_name("os", tests, NULL, NULL);
}
