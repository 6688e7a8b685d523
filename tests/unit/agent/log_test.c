/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A message is one line whatever is in it, and is written when its level says so. */
#include "agent/log.h"
#include "tests/unit/agent/support.h"

static int saved_stderr;
static FILE *file;
static char line[4096];

/* Standard error goes to a file, which the tests read. */
static int set_up(void **state)
{
	(void)state;
	file = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	return file && saved_stderr >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	return fclose(file);
}

/* What has been written since the last call, as one string. */
static const char *written(void)
{
	static long offset;
	long end;
	size_t length;

	fflush(stderr);
	fseek(file, 0, SEEK_END);
	end = ftell(file);
	if (end < offset)
		offset = 0;
	fseek(file, offset, SEEK_SET);
	length = fread(line, 1, sizeof(line) - 1, file);
	line[length] = '\0';
	offset = end;
	return line;
}

static void assert_ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	if (length < end_length || strcmp(text + length - end_length, end) != 0)
		fail_msg("\"%s\" does not end with \"%s\"", text, end);
}

static void test_a_line_has_time_and_level(void **state)
{
	(void)state;
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	pm_log(LOG_WARNING, "%s has %d", "m1", 3);
	written();
	assert_int_equal(line[4], '-');
	assert_int_equal(line[10], ' ');
	assert_int_equal(line[19], '.');
	assert_ends_with(line, " warning: m1 has 3\n");
	pm_log(LOG_ERR, "bad");
	assert_ends_with(written(), " error: bad\n");
}

static void test_levels(void **state)
{
	(void)state;
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	pm_log(LOG_DEBUG, "too much");
	assert_string_equal(written(), "");
	pm_log_open(PM_LOG_STDERR, LOG_DEBUG);
	pm_log(LOG_DEBUG, "all of it");
	assert_ends_with(written(), " debug: all of it\n");
}

/* Names and texts come from the network: they must neither begin a line of their own nor reach a terminal's escapes. */
static void test_control_characters_are_replaced(void **state)
{
	char all[33] = "";

	(void)state;
	for (int i = 1; i < 32; i++)
		all[i - 1] = (char)i;
	all[31] = 0x7f;
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	pm_log(LOG_INFO, "%s", all);
	assert_ends_with(written(), " info: ????????????????????????????????\n");
	pm_log(LOG_INFO, "a\n2026-01-01 00:00:00.000 notice: forged\x1b[2J");
	assert_ends_with(written(), " info: a?2026-01-01 00:00:00.000 notice: forged?[2J\n");
	assert_int_equal(strchr(line, '\n') - line, strlen(line) - 1);
}

static void test_utf8_is_kept(void **state)
{
	(void)state;
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	pm_log(LOG_INFO, "Schrank Süd");
	assert_ends_with(written(), " info: Schrank Süd\n");
}

static void test_long_messages_are_cut(void **state)
{
	char longest[3000];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[2999] = '\0';
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	pm_log(LOG_INFO, "%s", longest);
	written();
	assert_true(strlen(line) > 1000 && strlen(line) < 1100);
	assert_ends_with(line, "xxx\n");
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_line_has_time_and_level),       TEST(test_levels),
	    TEST(test_control_characters_are_replaced), TEST(test_utf8_is_kept),
	    TEST(test_long_messages_are_cut),
	};

	return cmocka_run_group_tests_name("log", tests, set_up, tear_down);
}
