/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host ranges: what they stand for, and what is refused. */
#include "agent/hostrange.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* All names that text stands for, separated by spaces; for free(3). */
static char *expand(const char *text)
{
	struct pm_hostrange *range;
	struct pm_error error;
	char *names = calloc(1, 4096);

	assert_non_null(names);
	assert_int_equal(pm_hostrange_new(text, &range, &error), 0);
	for (size_t i = 0; i < pm_hostrange_count(range); i++) {
		char *name = pm_hostrange_name(range, i);

		assert_non_null(name);
		assert_true(strlen(names) + strlen(name) + 2 < 4096);
		strcat(strcat(names, i ? " " : ""), name);
		free(name);
	}
	pm_hostrange_free(range);
	return names;
}

static void test_expands(void **state)
{
	static const struct {
		const char *text, *names;
	} cases[] = {
	    {"nas1", "nas1"},
	    {"lab[1-3]", "lab1 lab2 lab3"},
	    {"lab[08-11]", "lab08 lab09 lab10 lab11"},
	    {"lab[098-101]", "lab098 lab099 lab100 lab101"},
	    {"a[1,3,5-7]", "a1 a3 a5 a6 a7"},
	    {"a[01,3]", "a01 a3"},
	    {"r[1-2]n[01-03]", "r1n01 r1n02 r1n03 r2n01 r2n02 r2n03"},
	    {"lab[1-2]-bmc.example.org", "lab1-bmc.example.org lab2-bmc.example.org"},
	    {"[1-2]", "1 2"},
	    {"a[7]", "a7"},
	    {"a[0]", "a0"},
	    {"a[00-01]", "a00 a01"},
	    {"qemu+ssh://[fe80::1]/x", "qemu+ssh://[fe80::1]/x"},
	    {"[fe80::[1-2]]", "[fe80::1] [fe80::2]"},
	    {"rack [A]", "rack [A]"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		char *names = expand(cases[i].text);

		assert_string_equal(names, cases[i].names);
		free(names);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *reason;
	} cases[] = {
	    {"lab[]", -EINVAL, "number is missing"},
	    {"lab[1-]", -EINVAL, "number is missing"},
	    {"lab[-3]", -EINVAL, "number is missing"},
	    {"lab[1,]", -EINVAL, "number is missing"},
	    {"lab[1,,2]", -EINVAL, "number is missing"},
	    {"lab[16-01]", -EINVAL, "backwards"},
	    {"lab[1-016]", -EINVAL, "same number of digits"},
	    {"lab[1-2-3]", -EINVAL, "[1,3,5-7]"},
	    {"lab[1-3", -EINVAL, "] is missing"},
	    {"lab[1-1000000]", -ERANGE, "more than"},
	    {"r[1-1000]n[1-1000]", -ERANGE, "more than"},
	    {"lab[1-99999999999999999999]", -EINVAL, "digits"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_hostrange *range;
		struct pm_error error = {{0}};

		assert_int_equal(pm_hostrange_new(cases[i].text, &range, &error), cases[i].code);
		assert_null(range);
		assert_non_null(strstr(error.text, cases[i].reason));
		assert_non_null(strstr(error.text, cases[i].text));
	}
}

static void test_says_whether_it_is_a_range(void **state)
{
	struct pm_hostrange *range;

	(void)state;
	assert_int_equal(pm_hostrange_new("a[1]", &range, NULL), 0);
	assert_true(pm_hostrange_is_range(range));
	assert_int_equal(pm_hostrange_count(range), 1);
	pm_hostrange_free(range);
	assert_int_equal(pm_hostrange_new("[fe80::1]", &range, NULL), 0);
	assert_false(pm_hostrange_is_range(range));
	pm_hostrange_free(range);
	pm_hostrange_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expands),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_says_whether_it_is_a_range),
	};

	return cmocka_run_group_tests_name("hostrange", tests, NULL, NULL);
}
