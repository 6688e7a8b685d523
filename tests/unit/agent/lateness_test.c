/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The histogram of lateness: percentiles to a factor of two, the largest exactly. */
#include "agent/lateness.h"
#include "tests/unit/agent/support.h"

static void test_nothing_was_late(void **state)
{
	struct pm_lateness lateness = {0};

	(void)state;
	assert_int_equal(pm_lateness_percentile(&lateness, 99), 0);
	for (int i = 0; i < 10; i++)
		pm_lateness_note(&lateness, 0);
	assert_int_equal(pm_lateness_percentile(&lateness, 50), 0);
	assert_int_equal(lateness.count, 10);
}

static void test_a_percentile_is_at_most_twice_too_large(void **state)
{
	struct pm_lateness lateness = {0};

	(void)state;
	for (unsigned us = 1; us <= 100000; us++)
		pm_lateness_note(&lateness, us);
	for (unsigned percent = 1; percent <= 100; percent++) {
		uint64_t exact = percent * UINT64_C(1000), found = pm_lateness_percentile(&lateness, percent);

		assert_in_range(found, exact, 2 * exact);
	}
	assert_int_equal(pm_lateness_percentile(&lateness, 100), 100000);
	assert_int_equal(lateness.max_us, 100000);
}

static void test_one_in_a_hundred(void **state)
{
	struct pm_lateness lateness = {0};

	(void)state;
	for (int i = 0; i < 99; i++)
		pm_lateness_note(&lateness, 100);
	pm_lateness_note(&lateness, 5000000);
	assert_int_equal(pm_lateness_percentile(&lateness, 99), 128);
	assert_int_equal(pm_lateness_percentile(&lateness, 100), 5000000);
}

static void test_years_fit(void **state)
{
	struct pm_lateness lateness = {0};

	(void)state;
	pm_lateness_note(&lateness, UINT64_MAX);
	assert_int_equal(lateness.max_us, UINT64_MAX);
	assert_true(pm_lateness_percentile(&lateness, 50) >= UINT64_C(1) << 39);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_was_late),
	    cmocka_unit_test(test_a_percentile_is_at_most_twice_too_large),
	    cmocka_unit_test(test_one_in_a_hundred),
	    cmocka_unit_test(test_years_fit),
	};

	return cmocka_run_group_tests_name("lateness", tests, NULL, NULL);
}
