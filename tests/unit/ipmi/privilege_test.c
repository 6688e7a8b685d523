/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Privilege levels: each command is asked with the least that it needs, and with more only when a BMC wants that.
 */
#include <stdio.h>

#include "tests/unit/ipmi/harness.h"

/* In a packet without encryption (cipher suites 1 and 2): completion code, and the level of Set Session Privilege Level. */
enum { AT_CODE = 16 + 6, AT_LEVEL = AT_CODE + 1 };

/* What the BMC was asked, one letter each: u, o, a for a level, c for a command; and how it answers. */
struct log {
	char text[64];
	unsigned wanted_level;  /* a command with less is answered D4h */
	unsigned refused_level; /* that Set Session Privilege Level does not grant, 0: none */
};

static void refuse_level(uint8_t *packet, size_t length)
{
	uint8_t code = IPMI_COMP_CODE_SET_SESSION_PRIVILEGE_LEVEL_REQUESTED_LEVEL_NOT_AVAILABLE_FOR_USER;

	packet[AT_CODE] = code;
	packet[length - 1] = (uint8_t)(packet[length - 1] - code); /* checksum */
}

static bool write_log(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct log *log = ((struct harness *)fake->data)->data;
	size_t end = strlen(log->text);
	unsigned level;

	assert_true(end < sizeof(log->text) - 1);
	if (kind == FAKE_COMMAND)
		log->text[end] = 'c';
	if (kind != FAKE_SET_PRIVILEGE)
		return true;
	level = packet[AT_CODE] == 0 ? packet[AT_LEVEL] : 0; /* a refusal does not repeat it */
	log->text[end] = "??uoa"[level];
	if (level != 0 && level == log->refused_level)
		refuse_level(packet, length);
	else
		fake->completion_code = level < log->wanted_level ? 0xd4 : 0;
	return true;
}

static struct harness *logged(struct log *log, enum ipmi_privilege configured)
{
	struct harness *h = harness_new();

	h->suites[0] = 1;
	h->fake.suite = fake_suite(1);
	h->data = log;
	h->fake.filter = write_log;
	h->config.privilege = configured;
	harness_bmc(h);
	return h;
}

static void assert_log(struct log *log, const char *expected)
{
	assert_string_equal(log->text, expected);
	memset(log->text, 0, sizeof(log->text));
}

static void each_command_gets_the_least_it_needs(void **state)
{
	static const bool changes[IPMI_COMMAND_COUNT] = {
	    [IPMI_CHASSIS_CONTROL] = true,
	    [IPMI_CHASSIS_IDENTIFY] = true,
	    [IPMI_SET_POWER_RESTORE_POLICY] = true,
	    [IPMI_GET_BOOT_FLAGS] = true, /* changes nothing, but needs operator all the same: IPMI 2.0, appendix G */
	    [IPMI_SET_BOOT_FLAGS] = true,
	    [IPMI_KEEP_BOOT_FLAGS] = true,
	};

	(void)state;
	for (int command = 0; command < IPMI_COMMAND_COUNT; command++) {
		struct log log = {.wanted_level = 0};
		struct harness *h = logged(&log, IPMI_PRIVILEGE_ADMINISTRATOR);

		harness_ask(h, (enum ipmi_command)command, false);
		assert_log(&log, changes[command] ? "oc" : "uc");
		harness_free(h);
	}
}

static void the_level_follows_the_commands(void **state)
{
	struct log log = {.wanted_level = 0};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_ADMINISTRATOR);

	(void)state;
	harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
	harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
	assert_log(&log, "ucc");
	harness_ask(h, IPMI_CHASSIS_CONTROL, false);
	harness_ask(h, IPMI_CHASSIS_CONTROL, true);
	assert_log(&log, "occ");
	harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
	assert_log(&log, "uc");
	assert_int_equal(harness_stats(h).sessions, 1);
	harness_free(h);
}

static void what_is_not_allowed_is_not_sent(void **state)
{
	struct log log = {.wanted_level = 0};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_USER);

	(void)state;
	for (int known = 0; known < 2; known++) {
		assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, true)->result, IPMI_AUTH_FAILED);
		assert_non_null(strstr(h->reply.text,
				       ": Chassis Control (power up) needs privilege level operator: "
				       "set privilege = \"operator\" in the credentials"));
		assert_false(h->reply.sent);
		assert_int_equal(h->reply.round_trip_us, 0);
		assert_log(&log, "");
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
		assert_log(&log, known ? "c" : "uc");
	}
	assert_int_equal(harness_stats(h).sessions, 1);
	harness_free(h);
}

static void a_bmc_that_wants_more_gets_it_and_is_remembered(void **state)
{
	struct log log = {.wanted_level = IPMI_PRIVILEGE_ADMINISTRATOR};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_ADMINISTRATOR);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "ucac");
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "c");
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, false)->result, IPMI_OK); /* another command */
	assert_log(&log, "ocac");
	assert_int_equal(h->fake.controls, 1);
	h->fake.session = false;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "ac"); /* in the next session, too */
	harness_free(h);
}

static void no_more_than_configured(void **state)
{
	struct log log = {.wanted_level = IPMI_PRIVILEGE_ADMINISTRATOR};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_OPERATOR);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, false)->result, IPMI_REJECTED);
	assert_int_equal(h->reply.completion_code, 0xd4);
	assert_non_null(strstr(h->reply.text, "raise privilege in the credentials"));
	assert_log(&log, "oc");
	harness_free(h);
}

static void a_momentary_command_leaves_once_even_then(void **state)
{
	struct log log = {.wanted_level = IPMI_PRIVILEGE_ADMINISTRATOR};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_ADMINISTRATOR);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, true)->result, IPMI_REJECTED);
	assert_int_equal(h->reply.completion_code, 0xd4);
	assert_non_null(strstr(h->reply.text, "it wants privilege level administrator: try again"));
	assert_log(&log, "oc");
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, true)->result, IPMI_OK);
	assert_log(&log, "ac");
	assert_int_equal(h->fake.controls, 1);
	harness_free(h);
}

static void a_bmc_that_does_not_let_a_session_have_less(void **state)
{
	struct log log = {.refused_level = IPMI_PRIVILEGE_USER};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_OPERATOR);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "uoc");
	harness_ask(h, IPMI_CHASSIS_CONTROL, false);
	harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
	assert_log(&log, "cc");
	harness_free(h);
}

static void a_bmc_that_does_not_let_a_session_go_back(void **state)
{
	struct log log = {.wanted_level = 0};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_OPERATOR);

	(void)state;
	harness_ask(h, IPMI_CHASSIS_CONTROL, false);
	assert_log(&log, "oc");
	log.refused_level = IPMI_PRIVILEGE_USER;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "uc");
	assert_int_equal(harness_stats(h).sessions, 1);
	harness_free(h);
}

/* What did not help is not kept up: the least is asked for again. */
static void a_passing_refusal_does_not_raise_the_level_for_good(void **state)
{
	struct log log = {.refused_level = IPMI_PRIVILEGE_USER};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_ADMINISTRATOR);

	(void)state;
	log.wanted_level = IPMI_PRIVILEGE_ADMINISTRATOR + 1; /* a firmware firewall */
	log.refused_level = 0;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_REJECTED);
	assert_log(&log, "ucac");
	log.wanted_level = 0;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "uc");
	ipmi_session_drop(h->bmc);
	h->fake.privilege_code = 0xff; /* whatever the level */
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_AUTH_FAILED);
	h->fake.privilege_code = 0x80;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_AUTH_FAILED);
	h->fake.privilege_code = 0;
	memset(log.text, 0, sizeof(log.text));
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_log(&log, "uc");
	harness_free(h);
}

static void a_level_that_is_not_granted_ends_the_operation(void **state)
{
	struct log log = {.refused_level = IPMI_PRIVILEGE_OPERATOR};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_OPERATOR);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, false)->result, IPMI_AUTH_FAILED);
	assert_non_null(
	    strstr(h->reply.text, " refused Set Session Privilege Level (operator): completion code 0x80: "));
	assert_non_null(strstr(h->reply.text, "raise the user's limit in the BMC"));
	assert_false(h->reply.sent);
	assert_log(&log, "o");
	harness_free(h);
}

/* The set-up goes on for a command that needs another level than the one that was cancelled. */
static void cancelled_while_its_level_is_asked_for(void **state)
{
	struct log log = {.wanted_level = 0};
	struct harness *h = logged(&log, IPMI_PRIVILEGE_OPERATOR);
	struct ipmi_op *op = harness_submit(h, IPMI_CHASSIS_CONTROL, false);

	(void)state;
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (h->fake.received[FAKE_RAKP_3] == 0 || !h->bmc->waiting ||
	       h->bmc->waiting->id != IPMI_EXCHANGE_SET_PRIVILEGE)
		uv_run(&h->loop, UV_RUN_ONCE);
	ipmi_op_cancel(op);
	harness_wait(h, 2);
	assert_int_equal(h->reply.result, IPMI_OK);
	assert_log(&log, "ouc");
	harness_free(h);
}

/* The BMC has the new level, and nobody has seen its answer. */
static void cancelled_while_a_kept_session_changes_its_level(void **state)
{
	static const struct {
		enum ipmi_command before, cancelled;
		const char *asked_before, *asked_after;
	} rows[] = {
	    {IPMI_CHASSIS_CONTROL, IPMI_GET_CHASSIS_STATUS, "oc", "uoc"},
	    {IPMI_GET_CHASSIS_STATUS, IPMI_CHASSIS_CONTROL, "uc", "ouc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log log = {.wanted_level = 0};
		struct harness *h = logged(&log, IPMI_PRIVILEGE_OPERATOR);
		struct ipmi_op *op;

		assert_int_equal(harness_ask(h, rows[i].before, true)->result, IPMI_OK);
		assert_log(&log, rows[i].asked_before);
		op = harness_submit(h, rows[i].cancelled, false);
		while (log.text[0] == '\0')
			uv_run(&h->loop, UV_RUN_ONCE);
		ipmi_op_cancel(op);
		harness_settle(h);
		assert_int_equal(harness_ask(h, rows[i].before, true)->result, IPMI_OK);
		assert_log(&log, rows[i].asked_after);
		assert_int_equal(harness_stats(h).sessions, 1);
		harness_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_command_gets_the_least_it_needs),
	    cmocka_unit_test(the_level_follows_the_commands),
	    cmocka_unit_test(what_is_not_allowed_is_not_sent),
	    cmocka_unit_test(a_bmc_that_wants_more_gets_it_and_is_remembered),
	    cmocka_unit_test(no_more_than_configured),
	    cmocka_unit_test(a_momentary_command_leaves_once_even_then),
	    cmocka_unit_test(a_bmc_that_does_not_let_a_session_have_less),
	    cmocka_unit_test(a_bmc_that_does_not_let_a_session_go_back),
	    cmocka_unit_test(a_passing_refusal_does_not_raise_the_level_for_good),
	    cmocka_unit_test(a_level_that_is_not_granted_ends_the_operation),
	    cmocka_unit_test(cancelled_while_its_level_is_asked_for),
	    cmocka_unit_test(cancelled_while_a_kept_session_changes_its_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
