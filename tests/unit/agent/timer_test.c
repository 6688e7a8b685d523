/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Timers fire once, may be set again, stopped and freed at any moment; jitter keeps its bounds. */
#include "agent/timer.h"
#include "tests/unit/agent/support.h"

static uv_loop_t loop;
static int fired;
static struct pm_timer *timer;

static void count(void *data)
{
	*(int *)data += 1;
}

static void free_itself(void *data)
{
	count(data);
	pm_timer_free(timer);
	timer = NULL;
}

static void start_again(void *data)
{
	count(data);
	if (*(int *)data < 3)
		pm_timer_start(timer, 1);
}

static int set_up(void **state)
{
	(void)state;
	fired = 0;
	return uv_loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	pm_timer_free(timer);
	timer = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void make(void (*callback)(void *data))
{
	timer = pm_timer_new(&loop, callback, &fired);
	assert_non_null(timer);
}

static void test_fires_once(void **state)
{
	(void)state;
	make(count);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 0); /* not before it is started */
	pm_timer_start(timer, 1);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 1);
}

static void test_the_last_start_counts(void **state)
{
	(void)state;
	make(count);
	pm_timer_start(timer, 3600000);
	pm_timer_start(timer, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 1);
	pm_timer_start(timer, 0);
	pm_timer_stop(timer);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 1);
}

static void test_started_again_by_its_callback(void **state)
{
	(void)state;
	make(start_again);
	pm_timer_start(timer, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 3);
}

static void test_freed_by_its_callback(void **state)
{
	(void)state;
	make(free_itself);
	pm_timer_start(timer, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 1);
}

static void test_freed_while_it_runs(void **state)
{
	(void)state;
	make(count);
	pm_timer_start(timer, 0);
	pm_timer_free(timer);
	timer = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(fired, 0);
}

static void test_null_is_allowed(void **state)
{
	(void)state;
	pm_timer_start(NULL, 1);
	pm_timer_stop(NULL);
	pm_timer_free(NULL);
}

static void test_jitter_keeps_its_bounds(void **state)
{
	unsigned quarters[4] = {0};

	(void)state;
	assert_int_equal(pm_jitter(0), 0);
	assert_int_equal(pm_jitter(1), 0);
	for (int i = 0; i < 4000; i++) {
		uint64_t number = pm_jitter(1000);

		assert_true(number < 1000);
		quarters[number / 250]++;
	}
	for (int i = 0; i < 4; i++) /* 1000 expected, 27 is one standard deviation */
		assert_in_range(quarters[i], 800, 1200);
}

static void test_the_time_of_day(void **state)
{
	int64_t now_ms = pm_time_ms(), seconds = (int64_t)time(NULL);

	(void)state;
	assert_true(now_ms / 1000 >= seconds - 1 && now_ms / 1000 <= seconds + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_fires_once),
	    TEST(test_the_last_start_counts),
	    TEST(test_started_again_by_its_callback),
	    TEST(test_freed_by_its_callback),
	    TEST(test_freed_while_it_runs),
	    TEST(test_null_is_allowed),
	    TEST(test_jitter_keeps_its_bounds),
	    TEST(test_the_time_of_day),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
