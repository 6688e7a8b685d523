/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sweeps: a window of those who are asked, the silent leave it, the doubtful come last, everybody counts once. */
#include "agent/sweep.h"
#include "tests/unit/agent/support.h"

#define MEMBERS 1000
#define WINDOW  16

enum kind { QUICK, DEAD, SLOW, AT_ONCE };

struct member {
	struct pm_sweep_entry entry;
	enum kind kind;
	unsigned asked, at; /* how often, and as which */
	uint64_t ask_ms;
	uv_timer_t timer;
};

static uv_loop_t loop;
static struct pm_sweep *sweep;
static struct member members[MEMBERS];
static unsigned count, order, in_flight, in_flight_max, overs;
static struct pm_sweep_result last;

static struct member *member_of(const struct pm_sweep_entry *entry)
{
	return (struct member *)(uintptr_t)entry; /* its first field */
}

static void on_answer(uv_timer_t *timer)
{
	struct member *member = timer->data;

	in_flight--;
	pm_sweep_ended(sweep, &member->entry, member->kind != DEAD);
}

/* How long a question takes: a dead one until it is given up. */
static void ask(struct pm_sweep_entry *entry, void *data)
{
	static const uint64_t delays_ms[] = {[QUICK] = 1, [DEAD] = 900, [SLOW] = 600};
	struct member *member = member_of(entry);

	assert_ptr_equal(data, &loop);
	member->asked++;
	member->at = ++order;
	member->ask_ms = uv_now(&loop);
	if (member->kind == AT_ONCE) {
		pm_sweep_ended(sweep, entry, true);
		return;
	}
	if (++in_flight > in_flight_max)
		in_flight_max = in_flight;
	if (!member->timer.data)
		uv_timer_init(&loop, &member->timer);
	member->timer.data = member;
	uv_timer_start(&member->timer, on_answer, delays_ms[member->kind], 0);
}

static bool heard(const struct pm_sweep_entry *entry, unsigned within_ms, void *data)
{
	(void)data;
	assert_int_equal(within_ms, 400);
	return member_of(entry)->kind == SLOW;
}

static void over(const struct pm_sweep_result *result, void *data)
{
	(void)data;
	overs++;
	last = *result;
}

static const struct pm_sweep_methods methods = {.ask = ask, .heard = heard, .over = over};

static int set_up(void **state)
{
	(void)state;
	alarm(60);
	memset(members, 0, sizeof(members));
	count = order = in_flight = in_flight_max = overs = 0;
	assert_int_equal(uv_loop_init(&loop), 0);
	return pm_sweep_new(&loop, WINDOW, &methods, &loop, &sweep);
}

static int tear_down(void **state)
{
	(void)state;
	pm_sweep_free(sweep);
	for (unsigned i = 0; i < count; i++)
		if (members[i].timer.data)
			uv_close((uv_handle_t *)&members[i].timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void add(enum kind kind, unsigned number, bool doubtful)
{
	for (; number > 0; number--) {
		members[count].kind = kind;
		pm_sweep_add(sweep, &members[count++].entry, doubtful);
	}
}

static void run(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void assert_each_asked_once(void)
{
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(members[i].asked, 1);
		assert_int_equal(members[i].entry.place, PM_SWEEP_OUT);
	}
}

static void test_everybody_is_asked_once_a_window_at_a_time(void **state)
{
	(void)state;
	add(QUICK, 200, false);
	assert_int_equal(order, 0); /* not before the loop runs */
	assert_true(pm_sweep_busy(sweep));
	run();
	assert_each_asked_once();
	assert_int_equal(in_flight_max, WINDOW);
	assert_int_equal(overs, 1);
	assert_int_equal(last.asked, 200);
	assert_int_equal(last.answered, 200);
	assert_true(last.answered_us > 0 && last.took_us >= last.answered_us);
	assert_false(pm_sweep_busy(sweep));
}

/* Twice as many dead as the window has room for, and all before the living. */
static void test_the_dead_do_not_hold_up_the_living(void **state)
{
	(void)state;
	add(DEAD, 2 * WINDOW, false);
	add(QUICK, 100, false);
	run();
	assert_each_asked_once();
	assert_int_equal(last.answered, 100);
	assert_in_range(last.answered_us, 790000, 1700000); /* two windows of 400 ms, not of 900 */
	assert_true(last.took_us >= 1290000);
}

static void test_who_is_slow_but_heard_of_stays_in_the_window(void **state)
{
	(void)state;
	add(SLOW, WINDOW + 1, false);
	run();
	assert_each_asked_once();
	assert_int_equal(in_flight_max, WINDOW);
	assert_int_equal(last.answered, WINDOW + 1);
	assert_true(last.answered_us >= 1190000);
}

static void test_the_doubtful_come_last(void **state)
{
	(void)state;
	add(DEAD, 20, true);
	add(QUICK, 100, false);
	run();
	for (unsigned i = 0; i < 20; i++)
		assert_true(members[i].at > 100);
}

static void test_answers_may_come_at_once(void **state)
{
	(void)state;
	add(AT_ONCE, MEMBERS, false);
	run();
	assert_each_asked_once();
	assert_int_equal(overs, 1);
	assert_int_equal(last.answered, MEMBERS);
}

static void test_added_again_while_it_runs(void **state)
{
	(void)state;
	add(QUICK, 50, false);
	for (unsigned i = 0; i < 50; i++)
		pm_sweep_add(sweep, &members[i].entry, false);
	run();
	assert_each_asked_once();
	assert_int_equal(last.asked, 50);
	for (unsigned i = 0; i < 50; i++)
		pm_sweep_add(sweep, &members[i].entry, false);
	run();
	assert_int_equal(overs, 2);
	assert_int_equal(last.answered, 50);
	assert_int_equal(members[49].asked, 2);
}

/* The counts are of the second round: everybody is in it once, also those that the first one still waits for. */
static void test_all_again_in_the_middle(void **state)
{
	(void)state;
	add(DEAD, 5, false);
	add(QUICK, 20, false);
	while (members[24].entry.place != PM_SWEEP_OUT)
		uv_run(&loop, UV_RUN_ONCE);
	pm_sweep_restart(sweep);
	for (unsigned i = 0; i < count; i++)
		pm_sweep_add(sweep, &members[i].entry, false);
	run();
	assert_int_equal(overs, 1);
	assert_int_equal(last.asked, 25);
	assert_int_equal(last.answered, 20);
}

/* Asked by somebody else before its turn came. */
static void test_what_ends_in_the_queue_is_not_asked(void **state)
{
	(void)state;
	add(QUICK, 3 * WINDOW, false);
	pm_sweep_ended(sweep, &members[2 * WINDOW].entry, true);
	run();
	assert_int_equal(members[2 * WINDOW].asked, 0);
	assert_int_equal(last.answered, 3 * WINDOW);
	pm_sweep_ended(sweep, &members[0].entry, true); /* is out: nothing happens */
	assert_int_equal(overs, 1);
}

static void test_removed_ones_do_not_count(void **state)
{
	(void)state;
	add(DEAD, WINDOW, false);
	add(QUICK, 10, false);
	uv_run(&loop, UV_RUN_NOWAIT); /* the first window is asked */
	for (unsigned i = 0; i < WINDOW; i++) {
		uv_timer_stop(&members[i].timer);
		pm_sweep_remove(sweep, &members[i].entry);
	}
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(order, WINDOW + 10); /* their places are free at once */
	run();
	assert_int_equal(last.asked, 10);
	assert_int_equal(last.answered, 10);
}

static void test_when_all_are_removed_nothing_is_told(void **state)
{
	(void)state;
	add(QUICK, 5, false);
	for (unsigned i = 0; i < 5; i++)
		pm_sweep_remove(sweep, &members[i].entry);
	run();
	assert_int_equal(overs, 0);
	assert_false(pm_sweep_busy(sweep));
}

static void test_held_it_asks_nobody(void **state)
{
	(void)state;
	pm_sweep_hold(sweep, true);
	add(QUICK, 5, false);
	run();
	assert_int_equal(order, 0);
	pm_sweep_hold(sweep, false);
	run();
	assert_each_asked_once();
	assert_int_equal(last.answered, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_everybody_is_asked_once_a_window_at_a_time),
	    TEST(test_the_dead_do_not_hold_up_the_living),
	    TEST(test_who_is_slow_but_heard_of_stays_in_the_window),
	    TEST(test_the_doubtful_come_last),
	    TEST(test_answers_may_come_at_once),
	    TEST(test_added_again_while_it_runs),
	    TEST(test_all_again_in_the_middle),
	    TEST(test_what_ends_in_the_queue_is_not_asked),
	    TEST(test_removed_ones_do_not_count),
	    TEST(test_when_all_are_removed_nothing_is_told),
	    TEST(test_held_it_asks_nobody),
	};

	return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
