/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts that come from outside: what counts as visible, and where a text that is too long is cut. */
#include "agent/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_visible(void **state)
{
	static const char *const good[] = {
	    "", "rack 7", "Gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x96\xa5", "\xc2\xa0"};
	static const char *const bad[] = {
	    "\n",
	    "\x7f",
	    "\x1b[31m",
	    "\xc3\x28",
	    "\xc3", /* control characters; a second octet that is none, missing */
	    "\xc0\xaf",
	    "\xe0\x80\xaf",
	    "\xf0\x80\x80\xaf", /* longer than need be */
	    "\xed\xa0\x80",
	    "\xf4\x90\x80\x80",
	    "\xff",
	    "\xc2\x85" /* surrogate; beyond U+10FFFF; no lead octet; C1 control */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(pm_text_is_visible(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(pm_text_is_visible(bad[i]));
}

static void test_make_visible(void **state)
{
	char text[] = "a\x1b[0m\xc3\xbc\xc3\x28\n";

	(void)state;
	pm_text_make_visible(text);
	assert_string_equal(text, "a?[0m\xc3\xbc?(?");
	assert_true(pm_text_is_visible(text));
}

static void test_cut_between_characters(void **state)
{
	char text[16];

	(void)state;
	for (size_t size = 2; size <= sizeof(text); size++) {
		pm_text_format(text, size, "%s", "x\xc3\xbc\xe2\x82\xac\xf0\x9f\x96\xa5y\xc3\xbc");
		assert_true(pm_text_is_visible(text));
		assert_true(strlen(text) < size);
		assert_true(strlen(text) + 4 >= size); /* no more than an incomplete character is lost */
	}
}

static void test_whole_texts_stay(void **state)
{
	char text[32];

	(void)state;
	pm_text_format(text, sizeof(text), "%s %d", "Gr\xc3\xbc", 7);
	assert_string_equal(text, "Gr\xc3\xbc 7");
	pm_text_format(text, sizeof(text), "%s", "\xe2\x82\xac");
	assert_string_equal(text, "\xe2\x82\xac");
	pm_text_format(text, sizeof(text), "%s", "");
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_visible),
	    cmocka_unit_test(test_make_visible),
	    cmocka_unit_test(test_cut_between_characters),
	    cmocka_unit_test(test_whole_texts_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
