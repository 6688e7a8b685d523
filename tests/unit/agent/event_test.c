/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The history of a machine: a ring whose indexes only grow, also over restarts, and a store that may fail for a while. */
#include "tests/unit/agent/support.h"

static struct world world;
static struct pm_machine *m1;

static int set_up(void **state)
{
	(void)state;
	world_begin(&world, world_inventory(1));
	m1 = world.agent.machines[0];
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	return 0;
}

static uint32_t add(int number)
{
	return pm_event_add(m1, PM_EVENT_POWER_STATE, PM_SEVERITY_OK, "event %d", number);
}

static void assert_event(uint32_t index, const char *text)
{
	const struct pm_event *event = pm_event_from(m1, index);

	assert_non_null(event);
	assert_int_equal(event->index, index);
	assert_string_equal(event->text, text);
}

/* What SNMP can see: the newest, without a gap. */
static void assert_ring(uint32_t first, uint32_t last)
{
	uint32_t expected = first;

	assert_int_equal(m1->event_last, last);
	for (const struct pm_event *event = pm_event_from(m1, 0); event;
	     event = pm_event_from(m1, event->index + 1))
		assert_int_equal(event->index, expected++);
	assert_int_equal(expected, last + 1);
}

static void load_one(const struct pm_stored_event *event, void *data)
{
	(void)data;
	pm_event_restore(m1, event);
}

/* As after a restart: memory is empty, the store has what was flushed. */
static void restart(void)
{
	struct pm_error err = {""};

	pm_event_free_all(m1);
	m1->event_last = 0;
	assert_int_equal(pm_store_events_load(world.agent.store, load_one, NULL, &err), 0);
}

static void test_nothing_has_happened(void **state)
{
	(void)state;
	assert_null(pm_event_from(m1, 0));
	assert_null(pm_event_from(m1, 1));
	assert_null(pm_event_from(m1, UINT32_MAX));
}

static void test_events_are_numbered_from_one(void **state)
{
	(void)state;
	assert_int_equal(add(1), 1);
	assert_int_equal(add(2), 2);
	assert_event(1, "event 1");
	assert_event(2, "event 2");
	assert_null(pm_event_from(m1, 3));
	assert_ring(1, 2);
}

static void test_the_ring_keeps_the_newest(void **state)
{
	(void)state;
	for (int i = 1; i <= 3 * PM_EVENT_RING + 5; i++) {
		add(i);
		assert_ring(i > PM_EVENT_RING ? (uint32_t)i - PM_EVENT_RING + 1 : 1, (uint32_t)i);
	}
	assert_event(3 * PM_EVENT_RING + 5, "event 101");
	assert_int_equal(pm_event_from(m1, 1)->index, 2 * PM_EVENT_RING + 6);
}

static void test_texts_are_cut_to_what_snmp_can_carry(void **state)
{
	char longest[600];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[599] = '\0';
	pm_event_add(m1, PM_EVENT_HOST, PM_SEVERITY_WARNING, "%s", longest);
	assert_int_equal(strlen(pm_event_from(m1, 1)->text), 255);
}

static void test_indexes_grow_over_restarts(void **state)
{
	(void)state;
	for (int i = 1; i <= PM_EVENT_RING + 8; i++) {
		add(i);
		if (i % 10 == 0)
			pm_flush(&world.agent);
	}
	pm_flush(&world.agent);
	restart();
	assert_ring(9, PM_EVENT_RING + 8);
	assert_event(PM_EVENT_RING + 8, "event 40");
	assert_int_equal(add(41), PM_EVENT_RING + 9);
	assert_ring(10, PM_EVENT_RING + 9);
}

static unsigned stored;

static void count_stored(const struct pm_stored_event *event, void *data)
{
	(void)event;
	(void)data;
	stored++;
}

static void test_the_store_keeps_no_more_than_the_ring(void **state)
{
	struct pm_error err = {""};

	(void)state;
	for (int i = 1; i <= 200; i++) {
		add(i);
		if (i % 7 == 0)
			pm_flush(&world.agent);
	}
	pm_flush(&world.agent);
	stored = 0;
	assert_int_equal(pm_store_events_load(world.agent.store, count_stored, NULL, &err), 0);
	assert_int_equal(stored, PM_EVENT_RING);
}

/* A burst longer than the ring between two flushes leaves a gap in the store; what follows it is what counts. */
static void test_a_gap_in_the_store(void **state)
{
	struct pm_stored_event event = {.machine = 1, .kind = 1, .severity = 1, .text = "restored"};

	(void)state;
	for (uint32_t i = 1; i <= 40; i++) {
		event.index = i < 20 ? i : i + 100;
		pm_event_restore(m1, &event);
	}
	assert_ring(120, 140);
	assert_int_equal(add(1), 141);
	event.index = 139; /* what is there already is not restored again */
	event.text = "again";
	pm_event_restore(m1, &event);
	assert_event(139, "restored");
	assert_ring(120, 141);
}

static void test_history_that_begins_late(void **state)
{
	struct pm_stored_event event = {
	    .machine = 1, .index = 4000000000u, .kind = 1, .severity = 1, .text = "late"};

	(void)state;
	pm_event_restore(m1, &event);
	assert_ring(4000000000u, 4000000000u);
	assert_int_equal(add(1), 4000000001u);
	assert_event(4000000000u, "late");
}

/* A directory that cannot be written for a while: nothing is lost that still is in the ring. */
static void test_a_store_that_fails_is_tried_again(void **state)
{
	struct pm_error err = {""};

	(void)state;
	add(1);
	m1->state_dirty = true;
	pm_flush_machine(m1);
	assert_int_equal(pm_store_begin(world.agent.store, &err),
			 0); /* so that the flush cannot begin its own */
	pm_flush(&world.agent);
	assert_true(world.agent.store_failing);
	assert_true(world.agent.flush_pending); /* it will be tried again */
	assert_true(m1->state_dirty);
	assert_false(pm_event_from(m1, 1)->stored);
	pm_store_rollback(world.agent.store);
	pm_flush(&world.agent);
	assert_false(world.agent.store_failing);
	assert_false(world.agent.flush_pending);
	assert_false(m1->state_dirty);
	restart();
	assert_event(1, "event 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_nothing_has_happened),
	    TEST(test_events_are_numbered_from_one),
	    TEST(test_the_ring_keeps_the_newest),
	    TEST(test_texts_are_cut_to_what_snmp_can_carry),
	    TEST(test_indexes_grow_over_restarts),
	    TEST(test_the_store_keeps_no_more_than_the_ring),
	    TEST(test_a_gap_in_the_store),
	    TEST(test_history_that_begins_late),
	    TEST(test_a_store_that_fails_is_tried_again),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
