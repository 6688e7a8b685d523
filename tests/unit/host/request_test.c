/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What pmstack-host understands of its arguments, and of a line of somebody who may ask: never more than was said. */
#include "agent/host/helper/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#define BOOT "0ca5bb20-94f9-4d95-b114-889920756a1f"

static struct request request;
static struct pm_error err;

static int parse(const char *const words[])
{
	int argc = 0;

	while (words[argc])
		argc++;
	err.text[0] = '\0';
	return request_parse(&request, argc, (char **)words, &err);
}
#define PARSE(...) parse((const char *const[]){"pmstack-host", __VA_ARGS__, NULL})
#define REFUSED(part, ...)                                     \
	do {                                                   \
		assert_int_equal(PARSE(__VA_ARGS__), -EINVAL); \
		assert_non_null(strstr(err.text, part));       \
	} while (0)

static void test_verbs(void **state)
{
	static const char *const names[] = {"report",    "poweroff", "reboot", "suspend",
					    "hibernate", "arm-wol",  "setup"};
	static const enum verb verbs[] = {VERB_REPORT,    VERB_POWEROFF, VERB_REBOOT, VERB_SUSPEND,
					  VERB_HIBERNATE, VERB_ARM_WOL,  VERB_SETUP};

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		assert_int_equal(PARSE(names[i]), 0);
		assert_int_equal(request.verb, verbs[i]);
		assert_string_equal(verb_name(request.verb), names[i]);
		assert_false(request.json || request.dry_run);
		assert_string_equal(request.boot_id, "");
	}
}

/* "poweroff -n" must never be a poweroff. */
static void test_options_before_and_behind_the_verb(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-j", "-n", "-b", BOOT, "poweroff"), 0);
	assert_true(request.json && request.dry_run);
	assert_string_equal(request.boot_id, BOOT);
	assert_int_equal(PARSE("poweroff", "-n"), 0);
	assert_true(request.dry_run);
	assert_int_equal(PARSE("init", "--dry-run", "0", "-j"), 0);
	assert_true(request.dry_run && request.json);
	assert_int_equal(request.level, 0);
	setenv("POSIXLY_CORRECT", "1", 1); /* main() empties the environment before */
	assert_int_not_equal(PARSE("poweroff", "-n") == 0 && !request.dry_run, 1);
	unsetenv("POSIXLY_CORRECT");
}

static void test_the_boot_id_is_compared_in_lower_case(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-b", "0CA5BB20-94F9-4D95-B114-889920756A1F", "reboot"), 0);
	assert_string_equal(request.boot_id, BOOT);
	REFUSED("not a boot id", "-b", "1", "reboot");
	REFUSED("not a boot id", "-b", "0ca5bb20-94f9-4d95-b114-889920756a1g", "reboot");
	REFUSED("not a boot id", "-b", "0ca5bb20-94f9-4d95-b114-889920756a1f0", "reboot");
	REFUSED("not a boot id", "-b", "0ca5bb20494f9-4d95-b114-889920756a1f", "reboot");
	REFUSED("needs an argument", "reboot", "-b");
}

static void test_run_levels(void **state)
{
	const char *level;
	char digit[2] = "0";

	(void)state;
	for (; digit[0] <= '6'; digit[0]++) {
		level = digit;
		assert_int_equal(PARSE("init", level), 0);
		assert_int_equal(request.level, (unsigned)(digit[0] - '0'));
	}
	REFUSED("0 to 6, not 7", "init", "7");
	REFUSED("0 to 6, not 9", "init", "9");
	REFUSED("0 to 6, not x", "init", "x");
	REFUSED("0 to 6, not S", "init", "S");
	REFUSED("0 to 6, not 06", "init", "06");
	REFUSED("0 to 6", "init", "");
	REFUSED("0 to 6", "init");
	REFUSED("0 to 6", "init", "1", "2");
	REFUSED("unknown option -1", "init", "-1");
	assert_int_equal(request.verb, VERB_INIT);
	REFUSED("0 to 6, not -1", "--", "init", "-1");
}

static void test_what_makes_no_sense(void **state)
{
	(void)state;
	assert_int_equal(parse((const char *const[]){"pmstack-host", NULL}), -EINVAL);
	REFUSED("unknown verb halt", "halt");
	REFUSED("unknown verb PowerOff", "PowerOff");
	REFUSED("takes no argument, but has now", "poweroff", "now");
	REFUSED("takes no argument", "report", "eth0");
	REFUSED("unknown option -x", "-x", "-j", "report");
	assert_true(request.json);
	REFUSED("unknown option --yes", "poweroff", "--yes");
	REFUSED("-u is for setup only", "-u", "root", "poweroff");
	REFUSED("used alone", "--ssh", "poweroff");
	REFUSED("used alone", "--stdin", "-j");
	REFUSED("not the name of a user", "setup", "-u", "a b");
	REFUSED("not the name of a user", "setup", "-u", "");
	REFUSED("not the name of a user", "setup", "-u", "-x");
	REFUSED("not the name of a user", "setup", "-u", "root\nALL ALL=(ALL) NOPASSWD: ALL");
	REFUSED("only prints", "setup", "-j");
	REFUSED("one file", "setup", "a.pub", "b.pub");
}

static void test_errors_are_one_visible_line(void **state)
{
	(void)state;
	REFUSED("unknown verb ?[2J??", "\033[2J\n\xff");
}

/* --- lines ---------------------------------------------------------------------------------------- */

static int parse_line(const char *text)
{
	static char line[4096];

	snprintf(line, sizeof(line), "%s", text);
	err.text[0] = '\0';
	return request_parse_line(&request, line, &err);
}

static void test_a_line_is_a_request(void **state)
{
	(void)state;
	assert_int_equal(parse_line("pmstack-host -j -b " BOOT " init 6"), 0);
	assert_int_equal(request.verb, VERB_INIT);
	assert_int_equal(request.level, 6);
	assert_int_equal(parse_line("pmstack-host arm-wol eth0 52:54:00:00:00:01 br-lan.7@x"), 0);
	assert_int_equal(request.operand_count, 3);
	assert_string_equal(request.operands[2], "br-lan.7@x");
}

static void test_a_line_is_nothing_else(void **state)
{
	static const char *const lines[] = {
	    "",
	    " ",
	    "pmstack-host",
	    "pmstack-host ",
	    " pmstack-host report",
	    "pmstack-host  report",
	    "pmstack-host report ",
	    "pmstack-host\treport",
	    "report",
	    "sh",
	    "/usr/sbin/pmstack-host report",
	    "pmstack-host; report",
	    "pmstack-host report; id",
	    "pmstack-host report&&id",
	    "pmstack-host report|id",
	    "pmstack-host report\nid",
	    "pmstack-host $(id)",
	    "pmstack-host `id`",
	    "pmstack-host 'report'",
	    "pmstack-host \"report\"",
	    "pmstack-host report >/tmp/x",
	    "pmstack-host arm-wol eth*",
	    "pmstack-host arm-wol ../x",
	    "pmstack-host arm-wol \xc3\xa4",
	    "pmstack-host setup",
	    "pmstack-host setup -u root",
	    "pmstack-host --ssh",
	    "pmstack-host --ss",
	    "pmstack-host --stdin",
	    "pmstack-host -j --stdin report",
	    "pmstack-host -h",
	    "pmstack-host -- setup",
	    "pmstack-host -j pmstack-host report",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (parse_line(lines[i]) != -EINVAL)
			fail_msg("understood: %s", lines[i]);
		assert_true(strlen(err.text) > 0);
	}
}

static void test_the_length_of_a_line(void **state)
{
	char line[REQUEST_LINE_MAX + 2];

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "pmstack-host arm-wol ", 21);
	line[REQUEST_LINE_MAX] = '\0';
	assert_int_equal(parse_line(line), 0);
	line[REQUEST_LINE_MAX] = 'a';
	line[REQUEST_LINE_MAX + 1] = '\0';
	assert_int_equal(parse_line(line), -EINVAL);
	assert_non_null(strstr(err.text, "at most 1024 octets"));
	for (size_t i = 21; i < REQUEST_LINE_MAX; i++) /* as many words as a line can have */
		line[i] = i % 2 ? 'a' : ' ';
	line[REQUEST_LINE_MAX] = '\0';
	assert_int_equal(parse_line(line), -EINVAL);
	assert_non_null(strstr(err.text, "more than 64 arguments"));
}

/* Whatever octets come: no request is made of them but those that are written out in full. */
static void test_noise(void **state)
{
	static const char octets[] = "pmstack-host reportinitsetup-jnb --:;$'\n0 6 arm-wol";
	char line[80];

	(void)state;
	srand(6);
	for (int i = 0; i < 200000; i++) {
		size_t length = (size_t)rand() % 40, start = (size_t)rand() % 2 * 13;

		memcpy(line, "pmstack-host ", 13);
		for (size_t at = 0; at < length; at++)
			line[start + at] = octets[(size_t)rand() % (sizeof(octets) - 1)];
		line[start + length] = '\0';
		if (parse_line(line) == 0) {
			assert_int_equal(request.kind, REQUEST_VERB);
			assert_int_not_equal(request.verb, VERB_NONE);
			assert_int_not_equal(request.verb, VERB_SETUP);
			assert_null(request.user);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verbs),
	    cmocka_unit_test(test_options_before_and_behind_the_verb),
	    cmocka_unit_test(test_the_boot_id_is_compared_in_lower_case),
	    cmocka_unit_test(test_run_levels),
	    cmocka_unit_test(test_what_makes_no_sense),
	    cmocka_unit_test(test_errors_are_one_visible_line),
	    cmocka_unit_test(test_a_line_is_a_request),
	    cmocka_unit_test(test_a_line_is_nothing_else),
	    cmocka_unit_test(test_the_length_of_a_line),
	    cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
