/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Notifications in the store: with their events, on the disk before they are sent, and until a master has taken them. */
#include "tests/unit/agent/store_faults.h"
#include "tests/unit/agent/support.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <time.h>

static struct world world;
static struct pm_machine *m1;

/* What is sent is acknowledged when the test says so. */
static uint64_t sent_ids[SENT_MAX];
static uint32_t sent_events[SENT_MAX];
static unsigned sent_count;

static int send_and_wait(const struct pm_notification *notification)
{
	assert_true(sent_count < SENT_MAX);
	if (!world.agent.store_failing)
		assert_true(notification->stored && notification->generation <= world.agent.synced);
	sent_ids[sent_count] = notification->id;
	sent_events[sent_count++] = notification->event_index;
	return 1;
}

static void begin_queue(void)
{
	assert_int_equal(pm_notify_new(&world.agent, send_and_wait), 0);
	sent_count = 0;
}

static int set_up(void **state)
{
	(void)state;
	world_begin(&world, world_inventory(1));
	m1 = world.agent.machines[0];
	pm_notify_free(&world.agent);
	begin_queue();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	return 0;
}

/* With its event, as everything that tells something does it. */
static void tell(void)
{
	uint32_t event = pm_event_add(m1, PM_EVENT_POWER_STATE, PM_SEVERITY_OK, "told");

	pm_notify(&world.agent, m1,
		  &(struct pm_notification){.type = PM_NOTIFY_POWER_STATE_CHANGE, .event_index = event});
}

static void tell_times(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tell();
}

static unsigned pending(void)
{
	return pm_notify_counts(&world.agent).pending;
}

/* The loop turns until so many were sent; or for a moment, to see that no more are. */
static void run_until_sent(unsigned count)
{
	for (int waited_ms = 0; waited_ms < 5000 && sent_count < count; waited_ms++) {
		uv_run(&world.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(sent_count, count);
}

static void run_for_ms(int ms)
{
	for (; ms > 0; ms--) {
		uv_run(&world.loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
}

static void take(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		pm_notify_acknowledged(&world.agent, sent_ids[i], true);
}

static uint32_t stored_events[SENT_MAX];
static unsigned stored_count;

static void note_stored(const struct pm_notification *notification, void *data)
{
	(void)data;
	if (stored_count < SENT_MAX)
		stored_events[stored_count] = notification->event_index;
	stored_count++;
}

static unsigned in_store(void)
{
	struct pm_error err = {""};

	stored_count = 0;
	assert_int_equal(pm_store_notifications_load(world.agent.store, note_stored, NULL, &err), 0);
	return stored_count;
}

static void restart_queue(void)
{
	pm_notify_free(&world.agent);
	begin_queue();
}

/* Somebody else holds the write lock: every commit fails. */
static sqlite3 *block_store(void)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" PM_STORE_FILE, world.directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void unblock_store(sqlite3 *db)
{
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void test_on_the_disk_before_they_are_sent(void **state)
{
	(void)state;
	pm_notify_connected(&world.agent, true);
	tell_times(3);
	assert_int_equal(in_store(), 0);
	run_until_sent(3);
	assert_int_equal(in_store(), 3);
	assert_true(world.agent.synced > 0);
	assert_true(pm_event_from(m1, 3)->stored);
}

static void test_taken_ones_leave_the_store(void **state)
{
	(void)state;
	pm_notify_connected(&world.agent, true);
	tell_times(5);
	run_until_sent(5);
	take(0, 3);
	assert_int_equal(in_store(), 5); /* in bunches, with the next flush */
	assert_int_equal(pm_flush(&world.agent), 0);
	assert_int_equal(in_store(), 2);
	take(3, 2);
	run_for_ms(400);
	assert_int_equal(in_store(), 0);
	assert_int_equal(pending(), 0);
}

static void test_they_outlive_the_agent(void **state)
{
	(void)state;
	tell_times(4);
	assert_int_equal(pm_flush(&world.agent), 0);
	restart_queue();
	assert_int_equal(pending(), 4);
	tell();
	pm_notify_connected(&world.agent, true);
	run_until_sent(5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(sent_events[i], i + 1);
	assert_true(sent_ids[4] > sent_ids[3]);
}

/* The master may or may not have them: they are told again, with the event index that says so. */
static void test_what_was_on_its_way_is_sent_again(void **state)
{
	(void)state;
	pm_notify_connected(&world.agent, true);
	tell_times(3);
	run_until_sent(3);
	take(0, 1);
	assert_int_equal(pm_flush(&world.agent), 0);
	restart_queue();
	pm_notify_connected(&world.agent, true);
	run_until_sent(2);
	assert_int_equal(sent_events[0], 2);
	assert_int_equal(sent_events[1], 3);
}

static void test_ids_are_never_given_twice(void **state)
{
	uint64_t last;

	(void)state;
	pm_notify_connected(&world.agent, true);
	tell_times(2);
	run_until_sent(2);
	last = sent_ids[1];
	take(0, 2);
	assert_int_equal(pm_flush(&world.agent), 0);
	restart_queue();
	pm_notify_connected(&world.agent, true);
	tell();
	run_until_sent(1);
	assert_int_equal(sent_ids[0], last + 1);
}

/* A process that writes, tells and is killed: SIGKILL leaves it no time for anything. */
static void die_telling(int ready)
{
	pm_notify_connected(&world.agent, true);
	tell_times(10);
	run_until_sent(10);
	take(0, 4);
	pm_flush(&world.agent);
	take(4, 2); /* taken, which was not yet written */
	tell();     /* neither was this, nor its event */
	if (write(ready, "", 1) == 1)
		pause();
	_exit(1);
}

static void load_one(const struct pm_stored_event *event, void *data)
{
	(void)data;
	pm_event_restore(m1, event);
}

static void test_the_agent_is_killed(void **state)
{
	struct pm_error err = {""};
	int ready[2], status;
	char octet;
	pid_t pid;

	(void)state;
	pm_store_close(world.agent.store);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		uv_loop_fork(&world.loop);
		world_open_store(&world);
		die_telling(ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	world_open_store(&world);
	restart_queue();
	assert_int_equal(pm_store_events_load(world.agent.store, load_one, NULL, &err), 0);
	pm_notify_connected(&world.agent, true);
	run_until_sent(6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(sent_events[i], 5 + i); /* 5 and 6 once more; none is lost */
	tell();
	run_until_sent(7);
	assert_int_equal(sent_events[6], 11);
}

static void test_a_dropped_one_leaves_the_store(void **state)
{
	(void)state;
	tell();
	assert_int_equal(pm_flush(&world.agent), 0);
	tell_times(10000);
	assert_int_equal(pending(), 10000);
	assert_int_equal(pm_flush(&world.agent), 0);
	assert_int_equal(in_store(), 10000);
	assert_int_equal(stored_events[0], 2);
	assert_int_equal(pm_notify_counts(&world.agent).dropped, 1);
}

/* --- a store that fails -------------------------------------------------------------------------------------------------- */

static void test_a_store_that_fails_keeps_nobody_from_being_told(void **state)
{
	sqlite3 *other = block_store();

	(void)state;
	pm_notify_connected(&world.agent, true);
	tell_times(2);
	run_until_sent(2);
	assert_true(world.agent.store_failing);
	tell();
	run_until_sent(3); /* at once, while it fails */
	take(0, 2);
	unblock_store(other);
	assert_int_equal(pm_flush(&world.agent), 0);
	assert_int_equal(in_store(), 1); /* the one that nobody has acknowledged */
	assert_int_equal(stored_events[0], 3);
	take(2, 1);
	assert_int_equal(pm_flush(&world.agent), 0);
	assert_int_equal(in_store(), 0);
}

static void test_they_are_stored_when_it_works_again(void **state)
{
	sqlite3 *other = block_store();

	(void)state;
	tell_times(3);
	assert_true(pm_flush(&world.agent) < 0);
	assert_true(world.agent.flush_pending); /* it will be tried again */
	unblock_store(other);
	assert_int_equal(pm_flush(&world.agent), 0);
	run_for_ms(50);
	assert_false(world.agent.store_failing);
	assert_int_equal(in_store(), 3);
	pm_notify_connected(&world.agent, true);
	run_until_sent(3);
}

/* The retries of a store that fails must not be hastened by what goes on meanwhile. */
static void test_a_failing_store_is_left_in_peace(void **state)
{
	sqlite3 *other = block_store();
	clock_t begin;

	(void)state;
	pm_notify_connected(&world.agent, true);
	tell();
	run_until_sent(1);
	begin = clock();
	for (unsigned i = 0; i < 15; i++) {
		tell();
		assert_true(world.agent.flush_due_ms > uv_now(&world.loop) + 1000);
		run_until_sent(i + 2);
	}
	assert_int_equal(world.agent.flush_generation, 0);
	assert_true(world.agent.flush_pending);
	assert_true(clock() - begin < CLOCKS_PER_SEC);
	unblock_store(other);
}

static void test_a_disk_that_does_not_take_them(void **state)
{
	int good = break_sync(world.agent.store);

	(void)state;
	pm_notify_connected(&world.agent, true);
	tell_times(2);
	run_until_sent(2); /* they are told nevertheless */
	assert_true(world.agent.store_failing);
	assert_int_equal(in_store(), 2);
	mend_sync(world.agent.store, good);
	assert_int_equal(pm_flush(&world.agent), 0);
	run_for_ms(50);
	assert_false(world.agent.store_failing);
	take(0, 2);
	assert_int_equal(pm_flush(&world.agent), 0);
	assert_int_equal(in_store(), 0);
}

static void test_one_of_another_version(void **state)
{
	struct pm_notification strange = {.id = 1, .type = 99};
	struct pm_error err = {""};

	(void)state;
	assert_int_equal(pm_store_notification_put(world.agent.store, &strange, &err), 0);
	restart_queue();
	assert_int_equal(pending(), 0);
	assert_int_equal(pm_flush(&world.agent), 0);
	assert_int_equal(in_store(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_on_the_disk_before_they_are_sent),
	    TEST(test_taken_ones_leave_the_store),
	    TEST(test_they_outlive_the_agent),
	    TEST(test_what_was_on_its_way_is_sent_again),
	    TEST(test_ids_are_never_given_twice),
	    TEST(test_the_agent_is_killed),
	    TEST(test_a_dropped_one_leaves_the_store),
	    TEST(test_a_store_that_fails_keeps_nobody_from_being_told),
	    TEST(test_they_are_stored_when_it_works_again),
	    TEST(test_a_failing_store_is_left_in_peace),
	    TEST(test_a_disk_that_does_not_take_them),
	    TEST(test_one_of_another_version),
	};

	return cmocka_run_group_tests_name("notify_store", tests, NULL, NULL);
}
