/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of operating systems when the agent begins again: gone is found out anew, and nothing else is taken for it. */
#include "tests/unit/agent/os_world.h"

/* --- restarts ---------------------------------------------------------------------------------------------------- */

static void test_gone_is_found_again_after_a_restart(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	world_drain(&world);
	pm_flush(&world.agent);
	restart();
	assert_int_equal(m1->os->rest, PM_REST_OFF);
	assert_string_equal(m1->os->rest_boot, os1->boot_id);
	probe_tells(m1);
	run_until_idle();
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_true(pm_os_in_doubt(m1)); /* asked quickly */
	probes(m1, MISSES - 1);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
	assert_int_equal(m1->off_count, 1);
	world_drain(&world);
	assert_null(world_told(PM_NOTIFY_POWER_STATE_CHANGE, 1)); /* it is as it was told before */
	restart();
	fake_os_set_power(os1, true);
	probes(m1, 1);
	while (!m1->os->heard_ms)
		run_for(&world, 1);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	assert_true(pm_os_rebooted(m1));
	assert_int_equal(m1->on_count, 1);
}

/* At every moment between its word and its end. */
static void test_it_goes_while_the_agent_is_away(void **state)
{
	(void)state;
	for (unsigned before = 0; before <= MISSES; before++) {
		settle();
		os1->down_ms = 20;
		assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
		probes(m1, before);
		run_for(&world, 25); /* what it agreed to is written by then */
		restart();
		run_for(&world, 40);
		probes(m1, MISSES);
		assert_state(m1, PM_POWER_OFF, PM_SOURCE_HOST);
		fake_os_set_power(os1, true);
		probes(m1, 1);
		while (!m1->os->heard_ms)
			run_for(&world, 1);
	}
}

/* Back with a new boot before the agent is: later it only vanishes. */
static void test_it_is_up_again_when_the_agent_is(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	pm_flush(&world.agent);
	fake_os_set_power(os1, true);
	restart();
	probes(m1, 1);
	while (!m1->os->heard_ms)
		run_for(&world, 1);
	assert_int_equal(m1->os->rest, PM_REST_NONE);
	assert_true(pm_os_rebooted(m1));
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	pm_flush(&world.agent);
	restart();
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* What its probe has answered is past; also after a restart. */
static void test_what_came_back_is_not_gone_after_a_restart(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	os1->no_helper_port = true;
	fake_os_set_power(os1, true);
	probes(m1, 1);
	pm_flush(&world.agent);
	fake_os_set_power(os1, false);
	restart();
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* It was woken while the agent was away; when it cannot be reached later, it is not asleep. */
static void test_it_is_woken_while_the_agent_is_away(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_SUSPEND);
	assert_state(m1, PM_POWER_SUSPENDED, PM_SOURCE_HOST);
	pm_flush(&world.agent);
	fake_os_set_power(os1, true);
	restart();
	settle();
	ask(m1);
	assert_int_equal(events_with(m1, "has resumed"), 1);
	fake_os_cut(os1, true);
	probes(m1, MISSES + 2);
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

/* The new configuration asks another address: that nobody answers there says nothing of the one that agreed. */
static void test_another_configuration_after_a_restart_proves_nothing(void **state)
{
	struct pm_inventory *inventory;

	(void)state;
	settle();
	os1->down_ms = FAKE_OS_NEVER;
	assert_int_equal(agrees(m1, HOST_POWEROFF), HOST_OK);
	pm_flush(&world.agent);
	restart();
	inventory = world.agent.inventory;
	/* as if the restart had found this */
	m1->os->rest = PM_REST_NONE;
	free(inventory->machines[0].probe->address);
	inventory->machines[0].probe->address = strdup("127.9.9.9");
	struct pm_error err = {""};
	assert_int_equal(pm_store_states_load(world.agent.store, restore, &world.agent, &err), 0);
	assert_int_equal(m1->os->rest, PM_REST_OFF);
	os1->no_helper_port = true;
	for (unsigned i = 0; i < MISSES + 2; i++)
		pm_state_probe(m1, PM_PROBE_SILENT, "");
	ask(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(gone_is_found_again_after_a_restart),
	    TEST(it_goes_while_the_agent_is_away),
	    TEST(it_is_up_again_when_the_agent_is),
	    TEST(what_came_back_is_not_gone_after_a_restart),
	    TEST(it_is_woken_while_the_agent_is_away),
	    TEST(another_configuration_after_a_restart_proves_nothing),
	};

	return cmocka_run_group_tests_name("os_restart", tests, NULL, NULL);
}
