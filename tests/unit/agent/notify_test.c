/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Notifications wait for a master, in order and in a bounded queue, and go out in small bites. */
#include "tests/unit/agent/support.h"

#define QUEUE_MAX 10000 /* of few machines */
#define BITE      20

static struct world world;
static struct pm_machine *m1;

static int set_up(void **state)
{
	(void)state;
	world_begin(&world, world_inventory(1));
	m1 = world.agent.machines[0];
	world_sent_max = UINT32_MAX;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	return 0;
}

static void tell(uint32_t number)
{
	pm_notify(&world.agent, m1,
		  &(struct pm_notification){.type = PM_NOTIFY_POWER_STATE_CHANGE, .event_index = number});
}

static struct pm_notify_counts counts(void)
{
	return pm_notify_counts(&world.agent);
}

/* How many go out in the next bite; 0 when there is none for several times the pause between two bites. */
static unsigned bite(void)
{
	unsigned before = world_sent_count;

	for (int waited_ms = 0; waited_ms < 200 && world_sent_count == before; waited_ms++) {
		uv_run(&world.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	return world_sent_count - before;
}

static void test_they_wait_for_the_master(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 3; i++)
		tell(i);
	world_run(&world);
	assert_int_equal(world_sent_count, 0);
	assert_int_equal(counts().pending, 3);
	world_drain(&world);
	assert_int_equal(world_sent_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(world_sent[i].event_index, i + 1);
	assert_int_equal(counts().pending, 0);
	assert_int_equal(counts().sent, 3);
	assert_int_equal(counts().dropped, 0);
}

static void test_small_bites(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * BITE + 5; i++)
		tell(i);
	pm_notify_connected(&world.agent, true);
	assert_int_equal(world_sent_count, 0); /* not from within the callback that says so */
	assert_int_equal(bite(), BITE);
	assert_int_equal(bite(), BITE);
	assert_int_equal(bite(), 5);
	assert_int_equal(counts().pending, 0);
}

static void test_the_master_goes_away_in_between(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BITE + 5; i++)
		tell(i);
	pm_notify_connected(&world.agent, true);
	assert_int_equal(bite(), BITE);
	pm_notify_connected(&world.agent, false);
	assert_int_equal(bite(), 0);
	assert_int_equal(counts().pending, 5);
	world_drain(&world);
	assert_int_equal(world_sent_count, BITE + 5);
	assert_int_equal(world_sent[BITE].event_index, BITE); /* in order, nothing twice */
}

static void test_what_cannot_be_sent_stays(void **state)
{
	(void)state;
	world_sent_max = 2;
	for (uint32_t i = 0; i < 5; i++)
		tell(i);
	pm_notify_connected(&world.agent, true);
	assert_int_equal(bite(), 2);
	assert_int_equal(bite(), 0);
	assert_int_equal(counts().pending, 3);
	world_sent_max = UINT32_MAX;
	assert_int_equal(bite(), 3);
	assert_int_equal(world_sent[4].event_index, 4);
}

static void test_a_full_queue_drops_the_oldest(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < QUEUE_MAX + 7; i++)
		tell(i);
	assert_int_equal(counts().pending, QUEUE_MAX);
	assert_int_equal(counts().dropped, 7);
	pm_notify_connected(&world.agent, true);
	assert_int_equal(bite(), BITE);
	assert_int_equal(world_sent[0].event_index, 7);
	assert_int_equal(counts().pending, QUEUE_MAX - BITE);
}

static void test_many_machines_have_a_longer_queue(void **state)
{
	(void)state;
	world.agent.machine_count = QUEUE_MAX; /* what counts is how many there are */
	for (uint32_t i = 0; i < 4 * QUEUE_MAX + 7; i++)
		tell(i);
	world.agent.machine_count = 1;
	assert_int_equal(counts().pending, 4 * QUEUE_MAX);
	assert_int_equal(counts().dropped, 7);
}

static void test_disabled(void **state)
{
	(void)state;
	tell(1);
	world.agent.notify_enable = false;
	tell(2);
	world.agent.notify_enable = true;
	tell(3);
	world_drain(&world);
	assert_int_equal(world_sent_count, 2);
	assert_int_equal(world_sent[1].event_index, 3);
	assert_int_equal(counts().dropped, 0); /* what nobody wants to hear is not lost */
}

/* A snapshot: what changes before it is sent does not change it. */
static void test_they_say_what_was(void **state)
{
	(void)state;
	give_bmc(m1);
	m1->observed = PM_POWER_ON;
	m1->inhibit = true;
	snprintf(m1->inhibit_reason, sizeof(m1->inhibit_reason), "fan");
	tell(1);
	m1->observed = PM_POWER_UNKNOWN;
	m1->inhibit_reason[0] = '\0';
	world_drain(&world);
	assert_int_equal(world_sent[0].machine, 1);
	assert_string_equal(world_sent[0].name, "m1");
	assert_int_equal(world_sent[0].agent, 7);
	assert_int_equal(world_sent[0].machines, 1);
	assert_int_equal(world_sent[0].power_state, PM_POWER_ON);
	assert_string_equal(world_sent[0].inhibit_reason, "fan");
	assert_int_equal(world_sent[0].bmc_status, PM_BMC_UNKNOWN);
}

static void test_of_the_agent_itself(void **state)
{
	(void)state;
	pm_notify(&world.agent, NULL, &(struct pm_notification){.type = PM_NOTIFY_AGENT_STARTED});
	pm_notify(&world.agent, NULL,
		  &(struct pm_notification){.type = PM_NOTIFY_INHIBIT_CHANGE, .inhibit = true});
	world_drain(&world);
	assert_string_equal(world_sent[0].name, "unit");
	assert_int_equal(world_sent[0].machine, 0);
	assert_string_equal(world_sent[1].name, "");
	assert_true(world_sent[1].inhibit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_they_wait_for_the_master),
	    TEST(test_small_bites),
	    TEST(test_the_master_goes_away_in_between),
	    TEST(test_what_cannot_be_sent_stays),
	    TEST(test_a_full_queue_drops_the_oldest),
	    TEST(test_many_machines_have_a_longer_queue),
	    TEST(test_disabled),
	    TEST(test_they_say_what_was),
	    TEST(test_of_the_agent_itself),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
