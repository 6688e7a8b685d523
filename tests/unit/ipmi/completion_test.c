/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Completion codes: each one, for each command, is explained in words that say whose, what and what to do; and those that mean
 * "not now" are asked again as long as nothing is done twice by it.
 */
#include <locale.h>

#include "tests/unit/ipmi/harness.h"

static bool is_utf8(const char *text)
{
	return mbstowcs(NULL, text, 0) != (size_t)-1;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

/* One of each command; of Chassis Control the one with the longest name. */
static struct harness *waiting_for(const char *label, enum ipmi_command command)
{
	struct harness *h = harness_new();

	h->config.label = label;
	harness_bmc(h);
	harness_submit(h, command, false);
	h->bmc->head->request.control = IPMI_DIAGNOSTIC_INTERRUPT;
	return h;
}

static void check_code(const struct harness *h, enum ipmi_exchange_id id, unsigned code)
{
	const struct ipmi_exchange *exchange = ipmi_exchange(id);
	const struct ipmi_completion *completion = ipmi_completion(exchange, (uint8_t)code);
	struct ipmi_reply reply = {.result = IPMI_REJECTED};
	char hex[32];

	ipmi_explain_code(h->bmc, &reply, exchange, (uint8_t)code);
	snprintf(hex, sizeof(hex), ": completion code 0x%02X: ", code);
	assert_int_equal(reply.completion_code, code);
	assert_true(strncmp(reply.text, "lab01: BMC 127.0.0.1:", 21) == 0);
	assert_contains(reply.text, exchange->name);
	assert_contains(reply.text, hex);
	assert_contains(reply.text, completion->meaning);
	assert_string_equal(reply.text + strlen(reply.text) - strlen(completion->advice), completion->advice);
	assert_true(strlen(completion->advice) > 5 && is_utf8(reply.text));
}

static void every_code_of_every_command_is_explained(void **state)
{
	(void)state;
	for (int id = 0; id < IPMI_EXCHANGE_COUNT; id++) {
		bool command = id >= IPMI_EXCHANGE_COMMAND;
		struct harness *h =
		    waiting_for("lab01", command ? (enum ipmi_command)(id - IPMI_EXCHANGE_COMMAND)
						 : IPMI_GET_CHASSIS_STATUS);

		for (unsigned code = 1; code <= 0xff; code++)
			check_code(h, (enum ipmi_exchange_id)id, code);
		harness_free(h);
	}
}

static void codes_of_the_specification_are_known(void **state)
{
	const struct ipmi_exchange *exchange = ipmi_exchange(IPMI_EXCHANGE_COMMAND);
	const char *unknown = ipmi_completion(exchange, 0xf0)->meaning;

	(void)state;
	for (unsigned code = 0xc0; code <= 0xd6; code++)
		assert_string_not_equal(ipmi_completion(exchange, (uint8_t)code)->meaning, unknown);
	assert_string_not_equal(ipmi_completion(exchange, 0xff)->meaning, unknown);
	assert_string_not_equal(ipmi_completion(exchange, 0x01)->meaning, unknown);
	assert_string_equal(ipmi_completion(exchange, 0x7f)->meaning, unknown);
	assert_string_equal(ipmi_completion(exchange, 0xbf)->meaning, unknown);
	assert_string_equal(ipmi_completion(exchange, 0xd7)->meaning, unknown);
}

/* A label of 255 octets, none of which ends where it would have to be cut. */
static void long_names_leave_room_for_the_rest(void **state)
{
	char label[256] = "";

	(void)state;
	for (size_t i = 0; i + 4 < sizeof(label); i += 3)
		memcpy(label + i, "\xe2\x82\xac", 4);
	for (unsigned code = 1; code <= 0xff; code++) {
		struct harness *h = waiting_for(label, IPMI_CHASSIS_CONTROL);
		const struct ipmi_exchange *exchange =
		    ipmi_exchange(IPMI_EXCHANGE_COMMAND + IPMI_CHASSIS_CONTROL);
		struct ipmi_reply reply;

		ipmi_explain_code(h->bmc, &reply, exchange, (uint8_t)code);
		assert_true(strlen(reply.text) < sizeof(reply.text));
		assert_true(is_utf8(reply.text));
		assert_contains(reply.text, "... ");
		assert_contains(reply.text, ipmi_completion(exchange, (uint8_t)code)->advice);
		harness_free(h);
	}
}

static void names_that_are_no_text_are_made_readable(void **state)
{
	static const char *const bad[] = {"a\xff",    "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					  "\xe2\x82", "x\ny\x7f"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct harness *h = waiting_for(bad[i], IPMI_GET_CHASSIS_STATUS);
		struct ipmi_reply reply;

		ipmi_explain(h->bmc, &reply, " says nothing");
		assert_true(is_utf8(reply.text));
		assert_null(strchr(reply.text, '\n'));
		assert_contains(reply.text, "?");
		assert_contains(reply.text, ": BMC 127.0.0.1:");
		harness_free(h);
	}
}

/* ---- "not now" ---- */

/* The BMC answers with this code until a command was answered so often. */
struct refusals {
	uint8_t code;
	unsigned count;
};

static bool refuse_some(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct refusals *refusals = ((struct harness *)fake->data)->data;

	(void)packet;
	(void)length;
	if (kind == FAKE_COMMAND && fake->received[FAKE_COMMAND] >= refusals->count)
		fake->completion_code = 0;
	return true;
}

static struct harness *refusing(struct refusals *refusals)
{
	struct harness *h = harness_new();

	h->data = refusals;
	h->fake.filter = refuse_some;
	h->fake.completion_code = refusals->code;
	harness_bmc(h);
	return h;
}

static void readings_are_asked_again(void **state)
{
	static const uint8_t codes[] = {0xc0, 0xc3, 0xce, 0xcf, 0xd0, 0xd2};

	(void)state;
	for (size_t i = 0; i < sizeof(codes); i++) {
		struct refusals refusals = {codes[i], 3};
		struct harness *h = refusing(&refusals);

		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
		assert_int_equal(h->fake.received[FAKE_COMMAND], 4);
		assert_int_equal(harness_stats(h).sessions, 1);
		harness_free(h);
	}
}

static void what_may_have_been_done_is_not_repeated(void **state)
{
	static const uint8_t codes[] = {0xc3, 0xce, 0xd0, 0xd1, 0xd2, 0xd3, 0xff};

	(void)state;
	for (size_t i = 0; i < sizeof(codes); i++) {
		struct refusals refusals = {codes[i], 99};
		struct harness *h = refusing(&refusals);

		assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, i % 2)->result, IPMI_REJECTED);
		assert_int_equal(h->reply.completion_code, codes[i]);
		assert_int_equal(h->fake.received[FAKE_COMMAND], 1);
		harness_free(h);
	}
}

static void what_was_not_done_is_asked_again(void **state)
{
	struct refusals refusals = {0xc0, 3};
	struct harness *h = refusing(&refusals);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, false)->result, IPMI_OK);
	assert_int_equal(h->fake.controls, 1);
	harness_free(h);
}

static void not_now_until_the_deadline_is_told_as_such(void **state)
{
	struct refusals refusals = {0xc0, 99};
	struct harness *h = refusing(&refusals);

	(void)state;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_REJECTED);
	assert_int_equal(h->reply.completion_code, 0xc0);
	assert_contains(h->reply.text, "refused Get Chassis Status: completion code 0xC0: it is busy");
	assert_int_equal(harness_stats(h).sessions, 1);
	h->fake.completion_code = 0;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_int_equal(harness_stats(h).sessions, 1); /* the session was not at fault */
	harness_free(h);
}

/* The first answer is lost; the BMC recognises the repeated request and does not carry it out again. */
static bool lose_first_answer(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)packet;
	(void)length;
	if (kind != FAKE_COMMAND)
		return true;
	fake->completion_code = 0xcf;
	return fake->received[FAKE_COMMAND] > 1;
}

static void duplicate_means_that_it_may_have_been_done(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.filter = lose_first_answer;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, false)->result, IPMI_TIMEOUT);
	assert_true(h->reply.sent);
	assert_contains(h->reply.text, "may have been done: look at the machine");
	assert_int_equal(h->fake.controls, 1);
	assert_int_equal(h->fake.received[FAKE_COMMAND], 2);
	harness_free(h);
}

enum { SEQUENCE = 10, CODE = 16 + 6 }; /* offsets in an answer under cipher suite 0 */

/*
 * The network doubled a momentary command and changed the order of the answers: the one to the copy comes first, the
 * true one is kept for the test.
 */
static bool duplicate_before_answer(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet,
				    size_t length)
{
	struct sim_buffer *kept = ((struct harness *)fake->data)->data;

	if (kind != FAKE_COMMAND)
		return true;
	fake_put(kept, packet, length);
	kept->data[SEQUENCE]++;
	packet[CODE] = 0xcf;
	packet[CODE + 1] = (uint8_t)(packet[CODE + 1] - 0xcf); /* the checksum */
	fake_send(fake, packet, length);
	return false;
}

static void the_true_answer_is_still_taken_after_a_duplicate(void **state)
{
	struct harness *h = harness_new();
	struct sim_buffer kept = {.length = 0};

	(void)state;
	h->data = &kept;
	h->suites[0] = 0;
	h->fake.suite = fake_suite(0);
	h->fake.filter = duplicate_before_answer;
	harness_bmc(h);
	harness_submit(h, IPMI_CHASSIS_CONTROL, true);
	while (!h->bmc->duplicate)
		uv_run(&h->loop, UV_RUN_ONCE);
	fake_send(&h->fake, kept.data, kept.length);
	harness_wait(h, 1);
	assert_int_equal(h->reply.result, IPMI_OK);
	assert_int_equal(h->fake.controls, 1);
	assert_int_equal(h->fake.received[FAKE_COMMAND], 1);
	h->fake.filter = NULL;
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_code_of_every_command_is_explained),
	    cmocka_unit_test(codes_of_the_specification_are_known),
	    cmocka_unit_test(long_names_leave_room_for_the_rest),
	    cmocka_unit_test(names_that_are_no_text_are_made_readable),
	    cmocka_unit_test(readings_are_asked_again),
	    cmocka_unit_test(what_may_have_been_done_is_not_repeated),
	    cmocka_unit_test(what_was_not_done_is_asked_again),
	    cmocka_unit_test(not_now_until_the_deadline_is_told_as_such),
	    cmocka_unit_test(duplicate_means_that_it_may_have_been_done),
	    cmocka_unit_test(the_true_answer_is_still_taken_after_a_duplicate),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
