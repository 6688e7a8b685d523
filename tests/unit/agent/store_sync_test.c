/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What helper threads do for the store: syncs that call back when all is on the disk, and a log that stays short. */
#include "tests/unit/agent/store_faults.h"
#include "tests/unit/agent/store_support.h"

#include <signal.h>
#include <sys/resource.h>

#define MIB 1048576

static uv_loop_t loop;
static unsigned syncs_done, syncs_good;

static int set_up_loop(void **state)
{
	set_up(state);
	assert_int_equal(uv_loop_init(&loop), 0);
	if (pm_store_attach(store, &loop, &err) < 0)
		fail_msg("%s", err.text);
	syncs_done = syncs_good = 0;
	return 0;
}

static int tear_down_loop(void **state)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return tear_down(state);
}

static void note_sync(bool good, void *data)
{
	assert_ptr_equal(data, &loop);
	syncs_done++;
	syncs_good += good;
}

/* --- syncs ------------------------------------------------------------------------------------------------------------ */

static void test_a_sync_calls_back(void **state)
{
	(void)state;
	put_event(1, 1, 0);
	assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	assert_int_equal(syncs_done, 0); /* not from within */
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(syncs_done, 1);
	assert_int_equal(syncs_good, 1);
}

static void test_many_at_once(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 100; i++) {
		put_event(1, i, 0);
		assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(syncs_good, 100);
}

static void test_without_a_loop(void **state)
{
	(void)state;
	reopen();
	assert_int_equal(pm_store_sync(store, note_sync, &loop), -ENOTCONN);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(syncs_done, 0);
}

/* Nobody is called back for a store that is gone; what is at work in other threads ends first. */
static void test_closed_while_syncs_are_under_way(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 50; i++) {
		put_event(1, i, 0);
		assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	}
	reopen();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(syncs_done, 0);
}

static void test_a_disk_that_does_not_take_it(void **state)
{
	int good = break_sync(store);

	(void)state;
	assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(syncs_done, 1);
	assert_int_equal(syncs_good, 0);
	mend_sync(store, good);
	assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(syncs_good, 1);
}

/* What the kernel did not write once it takes for written: nothing is promised until it was written again. */
static void test_after_a_sync_that_failed(void **state)
{
	int good = break_sync(store);

	(void)state;
	put_event(1, 1, 0);
	assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(store->log_suspect);
	mend_sync(store, good);
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_false(store->log_suspect);
	assert_int_equal(pm_store_commit(store, &err), 0);
	reopen();
	assert_string_equal(events(), "1.1@10;");
}

/* What cannot be read any more cannot be written again. */
static void test_a_log_that_is_lost(void **state)
{
	int good = break_sync(store);

	(void)state;
	put_event(1, 1, 0);
	assert_int_equal(pm_store_sync(store, note_sync, &loop), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	mend_sync(store, good);
	overwrite(PM_STORE_FILE "-wal", 100, 8);
	assert_int_equal(pm_store_sync(store, note_sync, &loop), -EIO);
	assert_int_equal(pm_store_begin(store, &err), -EIO);
	assert_non_null(strstr(err.text, "has not taken"));
	assert_int_equal(pm_store_begin_quick(store, &err), 0); /* what can be observed anew goes on */
	assert_int_equal(pm_store_commit(store, &err), 0);
}

/* --- the write-ahead log ---------------------------------------------------------------------------------------------- */

static int write_some(struct pm_store *to, uint32_t round)
{
	char text[256];
	int error = pm_store_begin_quick(to, &err);

	memset(text, 'x', sizeof(text));
	text[255] = '\0';
	for (uint32_t i = 0; i < 20 && !error; i++) {
		const struct pm_stored_event event = {.machine = 1 + (round * 20 + i) % 10000,
						      .index = round,
						      .kind = 1,
						      .severity = 1,
						      .text = text};

		error = pm_store_event_put(to, &event, 0, &err);
	}
	return error ? error : pm_store_commit(to, &err);
}

/* Somebody who writes all the time: there is no moment at which a helper thread finds all of the log written. */
static void test_the_log_stays_short(void **state)
{
	long longest = 0;

	(void)state;
	pm_log_open(PM_LOG_STDERR, LOG_ERR);
	for (uint32_t round = 1; round <= 4000; round++) {
		assert_int_equal(write_some(store, round), 0);
		uv_run(&loop, UV_RUN_NOWAIT);
		if (file_size(PM_STORE_FILE "-wal") > longest)
			longest = file_size(PM_STORE_FILE "-wal");
	}
	assert_true(file_size(PM_STORE_FILE) > 16 * MIB);
	assert_true(longest > 3 * MIB);
	if (longest > 66 * MIB) /* of some 160 that are written; so long only when the disk is slow */
		fail_msg("the log became %ld MiB long", longest / MIB);
}

static void test_a_quiet_log_is_copied_by_a_helper(void **state)
{
	(void)state;
	for (uint32_t round = 1; file_size(PM_STORE_FILE "-wal") < 5 * MIB; round++)
		assert_int_equal(write_some(store, round), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(file_size(PM_STORE_FILE) > MIB / 2);
	for (uint32_t round = 1; round <= 500; round++) {
		assert_int_equal(write_some(store, round), 0);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	assert_true(file_size(PM_STORE_FILE "-wal") < 8 * MIB); /* it begins anew, in the same place */
}

/* Indexes are worth more than what else is in the log: without it they are still there. */
static void test_new_indexes_are_copied_at_once(void **state)
{
	(void)state;
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_int_equal(machine_index("zeus", 1, 10), 1);
	assert_int_equal(machine_index("ares", 1, 10), 2);
	assert_int_equal(pm_store_commit(store, &err), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(file_size(PM_STORE_FILE "-wal") > 0);
	assert_int_equal(rename(in_directory(PM_STORE_FILE "-wal"), in_directory("log")), 0);
	reopen();
	assert_int_equal(machine_index("ares", 1, 10), 2);
}

/* A database file that can not grow: writing goes on in the log until that is full, too, and nothing worse happens. */
static int checkpoints_fail(void)
{
	const struct rlimit limit = {6 * MIB, 6 * MIB};
	uv_loop_t own;
	struct pm_store *limited;
	int error = 0;

	signal(SIGXFSZ, SIG_IGN);
	pm_log_open(PM_LOG_STDERR, LOG_EMERG);
	if (uv_loop_init(&own) < 0 || pm_store_open(directory, &limited, &err) < 0 ||
	    pm_store_attach(limited, &own, &err) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	for (uint32_t round = 1; round <= 4000 && !error; round++) {
		error = write_some(limited, round);
		uv_run(&own, UV_RUN_NOWAIT);
	}
	if (error >= 0)
		return 2;
	uv_run(&own, UV_RUN_DEFAULT);
	pm_store_close(limited);
	return 0;
}

static void test_a_checkpoint_that_fails(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(checkpoints_fail), 0);
	open_store();
	assert_int_equal(write_some(store, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_loop, tear_down_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_sync_calls_back),
	    TEST(test_many_at_once),
	    TEST(test_without_a_loop),
	    TEST(test_closed_while_syncs_are_under_way),
	    TEST(test_a_disk_that_does_not_take_it),
	    TEST(test_after_a_sync_that_failed),
	    TEST(test_a_log_that_is_lost),
	    TEST(test_the_log_stays_short),
	    TEST(test_a_quiet_log_is_copied_by_a_helper),
	    TEST(test_new_indexes_are_copied_at_once),
	    TEST(test_a_checkpoint_that_fails),
	};

	return cmocka_run_group_tests_name("store_sync", tests, NULL, NULL);
}
