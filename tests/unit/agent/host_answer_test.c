/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What pmstack-host answers is taken when it is right, and what else may come is told from it. */
#include "agent/host/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BOOT  "11111111-2222-3333-4444-555555555555"
#define HEAD  "\"protocol\":1,\"version\":\"0.4.0\",\"boot-id\":\"" BOOT "\""
#define PORT  "\"name\":\"eth0\",\"mac\":\"52:54:00:AB:cd:01\",\"state\":\"armed\""
#define CAN   "\"can\":{\"suspend\":true,\"hibernate\":false}"
#define NO_UP "\"uptime\":0," CAN ",\"interfaces\":[]"

static struct host_answer answer;

static void begin(enum host_verb verb)
{
	host_answer_begin(&answer, &(struct host_request){.verb = verb});
}

static void line(const char *text)
{
	size_t length = strlen(text);
	char *exact = malloc(length ? length : 1); /* for a sanitizer to see */

	assert_non_null(exact);
	memcpy(exact, text, length);
	host_answer_line(&answer, exact, length);
	free(exact);
}

static void assert_answer(enum host_verb verb, const char *text, enum host_result result, const char *words)
{
	begin(verb);
	line(text);
	assert_int_equal(answer.state, HOST_ANSWER_FINAL);
	assert_int_equal(answer.result, result);
	if (!strstr(answer.text, words))
		fail_msg("\"%s\" does not say \"%s\"", answer.text, words);
}

static void assert_nonsense(enum host_verb verb, const char *text, const char *words)
{
	assert_answer(verb, text, HOST_NO_HELPER, words);
	assert_non_null(strstr(answer.text, "not a pmstack-host that this agent understands"));
}

/* --- results ----------------------------------------------------------------------------------- */

static void test_results(void **unused)
{
	(void)unused;
	assert_answer(HOST_POWEROFF,
		      "{" HEAD ",\"verb\":\"poweroff\",\"result\":\"ok\",\"text\":\"done so\"}", HOST_OK,
		      "done so");
	assert_answer(HOST_REBOOT,
		      "{" HEAD ",\"verb\":\"reboot\",\"result\":\"refused\",\"text\":\"apt inhibits it\"}",
		      HOST_REFUSED, "apt inhibits it");
	assert_answer(HOST_HIBERNATE,
		      "{" HEAD ",\"verb\":\"hibernate\",\"result\":\"notSupported\",\"text\":\"no swap\"}",
		      HOST_UNSUPPORTED, "no swap");
	assert_answer(HOST_SUSPEND,
		      "{" HEAD ",\"verb\":\"suspend\",\"result\":\"otherBoot\",\"text\":\"it is not\"}",
		      HOST_OTHER_BOOT, "it is not");
	assert_answer(HOST_INIT, "{" HEAD ",\"verb\":\"init\",\"result\":\"noPermission\",\"text\":\"sudo\"}",
		      HOST_NOT_PERMITTED, "sudo");
	assert_answer(HOST_INIT, "{" HEAD ",\"verb\":\"init\",\"result\":\"failed\",\"text\":\"\"}",
		      HOST_FAILED, "failed");
}

static void test_going(void **unused)
{
	(void)unused;
	begin(HOST_POWEROFF);
	line("{" HEAD ",\"verb\":\"poweroff\",\"result\":\"going\",\"text\":\"by logind\"}");
	assert_int_equal(answer.state, HOST_ANSWER_GOING);
	assert_int_equal(answer.result, HOST_OK);
	line("{\"protocol\":1,\"vers");
	line("Connection closed");
	line("{}");
	line("{" HEAD ",\"verb\":\"poweroff\",\"result\":\"faided\",\"text\":\"no\"}");
	assert_int_equal(answer.result, HOST_OK);
	assert_int_equal(answer.state, HOST_ANSWER_GOING);
	assert_string_equal(answer.text, "by logind");
	line("{" HEAD ",\"verb\":\"poweroff\",\"result\":\"failed\",\"text\":\"it did not\"}");
	assert_int_equal(answer.state, HOST_ANSWER_FINAL);
	assert_int_equal(answer.result, HOST_FAILED);
	assert_string_equal(answer.text, "it did not");
	line("{" HEAD ",\"verb\":\"poweroff\",\"result\":\"ok\",\"text\":\"too late\"}");
	assert_string_equal(answer.text, "it did not");

	assert_nonsense(HOST_REPORT, "{" HEAD ",\"verb\":\"report\",\"result\":\"going\",\"text\":\"\"}",
			"was not asked to");
	assert_nonsense(HOST_ARM_WOL, "{" HEAD ",\"verb\":\"arm-wol\",\"result\":\"going\",\"text\":\"\"}",
			"was not asked to");
}

static void test_other_versions(void **unused)
{
	(void)unused;
	assert_answer(HOST_REPORT, "{\"version\":\"0.1\"}", HOST_NO_HELPER,
		      "pmstack-host 0.1 there is too old");
	assert_answer(HOST_REPORT, "{\"protocol\":0,\"verb\":\"report\",\"result\":\"ok\"}", HOST_NO_HELPER,
		      "pmstack-host ? there is too old (it speaks protocol 0, this agent needs 1)");
	assert_answer(HOST_REPORT, "{\"protocol\":\"1\"}", HOST_NO_HELPER, "too old");
	assert_answer(HOST_REPORT, "{\"protocol\":-7}", HOST_NO_HELPER, "protocol 0");
	assert_answer(
	    HOST_HIBERNATE,
	    "{" HEAD ",\"verb\":\"\",\"result\":\"usage\",\"text\":\"unknown verb\\n\\u0007hibernate\"}",
	    HOST_NO_HELPER,
	    "pmstack-host 0.4.0 there does not know \"hibernate\", install the agent's version: unknown verb??hibernate");
	assert_answer(HOST_ARM_WOL,
		      "{" HEAD ",\"verb\":\"arm-wol\",\"result\":\"usage\",\"text\":\"no such port\"}",
		      HOST_FAILED, "no such port");
	assert_answer(HOST_REPORT,
		      "{\"protocol\":2,\"version\":\"9\",\"boot-id\":\"" BOOT
		      "\",\"verb\":\"report\",\"result\":\"ok\",\"more\":[1,2]," NO_UP "}",
		      HOST_OK, "done");
}

static void test_another_question(void **unused)
{
	(void)unused;
	assert_nonsense(HOST_POWEROFF, "{" HEAD ",\"verb\":\"reboot\",\"result\":\"ok\"}",
			"another question");
	assert_nonsense(HOST_POWEROFF, "{" HEAD ",\"result\":\"ok\"}", "another question");
	assert_nonsense(HOST_POWEROFF, "{" HEAD ",\"verb\":7,\"result\":\"ok\"}", "another question");
	assert_nonsense(HOST_POWEROFF, "{" HEAD ",\"verb\":\"poweroff\"}", "gives no result");
	assert_nonsense(HOST_POWEROFF, "{" HEAD ",\"verb\":\"poweroff\",\"result\":[]}", "gives no result");
	assert_nonsense(HOST_POWEROFF, "{" HEAD ",\"verb\":\"poweroff\",\"result\":\"fine\"}",
			"none that is known");
}

/* --- a report ---------------------------------------------------------------------------------- */

static void test_report(void **unused)
{
	const uint8_t mac[] = {0x52, 0x54, 0, 0xab, 0xcd, 1}, burnt_in[] = {0, 1, 2, 3, 4, 0xff};
	const struct host_report *report = &answer.report;

	(void)unused;
	assert_answer(
	    HOST_REPORT,
	    "{" HEAD
	    ",\"verb\":\"report\",\"result\":\"ok\",\"text\":\"fine\",\"uuid\":\"ABCDEF00-0000-1000-8000-00AA"
	    "00BB00CC\",\"uptime\":12345.6,\"hostname\":\"h\"," CAN ",\"by\":\"logind\",\"interfaces\":["
	    "{\"physical\":false,\"name\":7},{\"physical\":true,\"mac\":null,\"name\":\"none0\"},"
	    "{\"physical\":true," PORT ",\"permanent-mac\":\"00:01:02:03:04:FF\"},"
	    "{\"physical\":true,\"name\":\"e\\u0001\xc3\xa9\",\"mac\":\"00:00:00:00:00:01\",\"permanent-mac\":null,"
	    "\"state\":\"notSupported\"}]}",
	    HOST_OK, "fine");
	assert_string_equal(report->boot_id, BOOT);
	assert_string_equal(report->uuid, "abcdef00-0000-1000-8000-00aa00bb00cc");
	assert_string_equal(report->version, "0.4.0");
	assert_int_equal(report->uptime_s, 12345);
	assert_true(report->can_suspend);
	assert_false(report->can_hibernate);
	assert_int_equal(report->port_count, 2);
	assert_string_equal(report->ports[0].name, "eth0");
	assert_memory_equal(report->ports[0].mac, mac, 6);
	assert_memory_equal(report->ports[0].permanent_mac, burnt_in, 6);
	assert_int_equal(report->ports[0].wol, HOST_WOL_ARMED);
	assert_string_equal(report->ports[1].name, "e?\xc3\xa9");
	assert_memory_equal(report->ports[1].permanent_mac, report->ports[1].mac, 6);
	assert_int_equal(report->ports[1].wol, HOST_WOL_NOT_SUPPORTED);
}

#define REPORT(more) "{" HEAD ",\"verb\":\"report\",\"result\":\"ok\",\"text\":\"\"," more "}"

static void test_a_report_that_is_wrong(void **unused)
{
	(void)unused;
	assert_answer(HOST_REPORT, REPORT("\"uuid\":null," NO_UP), HOST_OK, "done");
	assert_string_equal(answer.report.uuid, "");
	assert_answer(HOST_REPORT,
		      REPORT("\"uptime\":1,\"can\":{\"suspend\":null,\"hibernate\":false},\"interfaces\":[]"),
		      HOST_OK, "done");
	assert_true(answer.report.can_suspend);
	assert_false(answer.report.can_hibernate);
	assert_nonsense(HOST_REPORT, REPORT("\"uuid\":\"1234\"," NO_UP), "its uuid is none");
	assert_nonsense(HOST_REPORT, REPORT("\"uuid\":\"11111111-2222-3333-4444_555555555555\"," NO_UP),
			"uuid");
	assert_nonsense(HOST_REPORT, REPORT("\"uuid\":\"1111111g-2222-3333-4444-555555555555\"," NO_UP),
			"uuid");
	assert_nonsense(HOST_REPORT, REPORT("\"uuid\":5," NO_UP), "uuid");
	assert_nonsense(HOST_REPORT, REPORT(CAN ",\"interfaces\":[]"), "uptime");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":-1," CAN ",\"interfaces\":[]"), "uptime");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":1e300," CAN ",\"interfaces\":[]"), "uptime");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":\"7\"," CAN ",\"interfaces\":[]"), "uptime");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":1,\"interfaces\":[]"), "what it can");
	assert_nonsense(HOST_REPORT,
			REPORT("\"uptime\":1,\"can\":{\"suspend\":1,\"hibernate\":0},\"interfaces\":[]"),
			"what it can");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":1," CAN), "interfaces are missing");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":1," CAN ",\"interfaces\":{}"),
			"interfaces are missing");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":1," CAN ",\"interfaces\":[3]"), "not described");
	assert_nonsense(HOST_REPORT, REPORT("\"uptime\":1," CAN ",\"interfaces\":[{" PORT "}]"), "physical");
	assert_nonsense(HOST_REPORT,
			"{\"protocol\":1,\"verb\":\"report\",\"result\":\"ok\",\"boot-id\":null," NO_UP "}",
			"boot-id");
}

#define PORTS(ports) REPORT("\"uptime\":1," CAN ",\"interfaces\":[{\"physical\":true," ports "}]")

static void test_ports_that_are_wrong(void **unused)
{
	(void)unused;
	assert_answer(HOST_REPORT, PORTS(PORT), HOST_OK, "done");
	assert_nonsense(HOST_REPORT, PORTS("\"mac\":\"52:54:00:00:00:01\",\"state\":\"armed\""), "no name");
	assert_nonsense(HOST_REPORT, PORTS("\"name\":\"\",\"mac\":\"52:54:00:00:00:01\",\"state\":\"armed\""),
			"no name");
	assert_nonsense(HOST_REPORT,
			PORTS("\"name\":\"e\",\"mac\":\"52-54-00-00-00-01\",\"state\":\"armed\""), "MAC");
	assert_nonsense(HOST_REPORT,
			PORTS("\"name\":\"e\",\"mac\":\"52:54:00:00:00:0g\",\"state\":\"armed\""), "MAC");
	assert_nonsense(HOST_REPORT, PORTS("\"name\":\"e\",\"mac\":\"52:54\",\"state\":\"armed\""), "MAC");
	assert_nonsense(HOST_REPORT, PORTS(PORT ",\"permanent-mac\":\"?\""), "permanent");
	assert_nonsense(HOST_REPORT, PORTS("\"name\":\"e\",\"mac\":\"52:54:00:00:00:01\",\"state\":\"on\""),
			"armed");
	assert_nonsense(HOST_REPORT, PORTS("\"name\":\"e\",\"mac\":\"52:54:00:00:00:01\""), "armed");
}

static void test_many_ports(void **unused)
{
	char *text = malloc(65536), *at = text;

	(void)unused;
	assert_non_null(text);
	at += sprintf(at, "{" HEAD ",\"verb\":\"report\",\"result\":\"ok\",\"uptime\":1," CAN
			  ",\"interfaces\":[");
	for (unsigned i = 0; i < HOST_PORTS_MAX + 10; i++)
		at += sprintf(
		    at,
		    "%s{\"physical\":true,\"name\":\"%064u\",\"mac\":\"52:54:00:00:00:%02x\",\"state\":\"unknown\"}",
		    i ? "," : "", i, i);
	sprintf(at, "]}");
	assert_answer(HOST_REPORT, text, HOST_OK, "done");
	assert_int_equal(answer.report.port_count, HOST_PORTS_MAX);
	assert_int_equal(strlen(answer.report.ports[9].name), HOST_NAME_SIZE - 1);
	assert_int_equal(answer.report.ports[63].mac[5], 63);
	free(text);
}

static void test_arming(void **unused)
{
	(void)unused;
	assert_answer(HOST_ARM_WOL,
		      "{" HEAD ",\"verb\":\"arm-wol\",\"result\":\"ok\",\"text\":\"armed\",\"ports\":[{" PORT
		      "}]}",
		      HOST_OK, "armed");
	assert_int_equal(answer.report.port_count, 1);
	assert_answer(HOST_ARM_WOL,
		      "{" HEAD
		      ",\"verb\":\"arm-wol\",\"result\":\"notSupported\",\"text\":\"none can\",\"ports\":[{"
		      "\"name\":\"eth0\",\"mac\":\"52:54:00:00:00:01\",\"state\":\"notSupported\"}]}",
		      HOST_UNSUPPORTED, "none can");
	assert_int_equal(answer.report.ports[0].wol, HOST_WOL_NOT_SUPPORTED);
	assert_answer(HOST_ARM_WOL,
		      "{" HEAD ",\"verb\":\"arm-wol\",\"result\":\"failed\",\"text\":\"no such\"}",
		      HOST_FAILED, "no such");
	assert_nonsense(HOST_ARM_WOL, "{" HEAD ",\"verb\":\"arm-wol\",\"result\":\"ok\",\"text\":\"\"}",
			"interfaces are missing");
}

/* --- what is none ------------------------------------------------------------------------------ */

static void assert_ignored(const char *text, const char *excerpt)
{
	begin(HOST_REPORT);
	line(text);
	assert_int_equal(answer.state, HOST_ANSWER_NONE);
	assert_string_equal(answer.excerpt, excerpt);
}

static void test_what_is_no_answer(void **unused)
{
	char *deep = malloc(60001);

	(void)unused;
	assert_ignored("", "");
	assert_ignored(" \t\r", "");
	assert_ignored("Welcome to \033[1mlab\033[0m!\r", "Welcome to ?[1mlab?[0m!");
	assert_ignored("{\"protocol\":1", "{\"protocol\":1");
	assert_ignored("[]", "[]");
	assert_ignored("{\"protocol\":1}{", "{\"protocol\":1}{");
	assert_ignored("{\"protocol\":1,\"protocol\":1}", "{\"protocol\":1,\"protocol\":1}");
	assert_ignored("{\"protocol\":99999999999999999999}", "{\"protocol\":99999999999999999999}");
	assert_ignored("{\"a\":\"\xff\"}", "{\"a\":\"?\"}");
	assert_ignored("\xff\x01\x02", "???");
	assert_non_null(deep);
	memset(deep, '[', 60000);
	memcpy(deep, "{\"a\":", 5);
	deep[60000] = '\0';
	assert_ignored(deep, "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	free(deep);
}

static void test_greetings_before_it(void **unused)
{
	(void)unused;
	begin(HOST_POWEROFF);
	line("Welcome");
	line("* maintenance on Sunday *");
	line("{" HEAD ",\"verb\":\"poweroff\",\"result\":\"going\",\"text\":\"by logind\"}\r");
	assert_int_equal(answer.state, HOST_ANSWER_GOING);
	assert_string_equal(answer.excerpt, "Welcome");
}

static void test_which_go(void **unused)
{
	(void)unused;
	assert_false(host_verb_goes(&(struct host_request){.verb = HOST_REPORT}));
	assert_true(host_verb_goes(&(struct host_request){.verb = HOST_POWEROFF}));
	assert_true(host_verb_goes(&(struct host_request){.verb = HOST_INIT, .init_level = 6}));
	assert_true(host_verb_goes(&(struct host_request){.verb = HOST_INIT, .init_level = 0}));
	assert_false(host_verb_goes(&(struct host_request){.verb = HOST_INIT, .init_level = 3}));
	assert_false(host_verb_goes(&(struct host_request){.verb = HOST_ARM_WOL}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_results),
	    cmocka_unit_test(test_going),
	    cmocka_unit_test(test_other_versions),
	    cmocka_unit_test(test_another_question),
	    cmocka_unit_test(test_report),
	    cmocka_unit_test(test_a_report_that_is_wrong),
	    cmocka_unit_test(test_ports_that_are_wrong),
	    cmocka_unit_test(test_many_ports),
	    cmocka_unit_test(test_arming),
	    cmocka_unit_test(test_what_is_no_answer),
	    cmocka_unit_test(test_greetings_before_it),
	    cmocka_unit_test(test_which_go),
	};

	return cmocka_run_group_tests_name("host_answer", tests, NULL, NULL);
}
