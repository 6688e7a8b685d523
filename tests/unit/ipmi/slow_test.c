/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * BMCs whose answers take long: each works as long as the time of an operation is enough for its messages, whatever the first
 * retransmission is.
 */
#include "tests/unit/ipmi/harness.h"

static void assert_ok(const struct ipmi_reply *reply)
{
	assert_string_equal(reply->text, "");
	assert_int_equal(reply->result, IPMI_OK);
}

/* ---- answers that leave later ---- */

enum { ALL_KINDS = -1 };

struct delay {
	unsigned ms;
	int kind; /* only answers of this one */
};

struct late {
	uv_timer_t timer;
	struct fake_bmc *fake;
	size_t length;
	uint8_t packet[FAKE_PACKET_MAX];
};

static void free_late(uv_handle_t *timer)
{
	free(timer->data);
}

static void send_late(uv_timer_t *timer)
{
	struct late *late = timer->data;

	if (!uv_is_closing((uv_handle_t *)&late->fake->socket))
		fake_send(late->fake, late->packet, late->length);
	uv_close((uv_handle_t *)timer, free_late);
}

static bool delay_answer(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	const struct delay *delay = ((struct harness *)fake->data)->data;
	struct late *late;

	if (delay->ms == 0 || (delay->kind != ALL_KINDS && delay->kind != (int)kind))
		return true;
	late = calloc(1, sizeof(*late));
	assert_non_null(late);
	late->fake = fake;
	late->length = length;
	memcpy(late->packet, packet, length);
	uv_timer_init(fake->socket.loop, &late->timer);
	late->timer.data = late;
	uv_timer_start(&late->timer, send_late, delay->ms, 0);
	return false;
}

static struct harness *with_delay(struct delay *delay, unsigned timeout_ms)
{
	struct harness *h = harness_new();

	h->data = delay;
	h->fake.filter = delay_answer;
	h->config.timeout_ms = timeout_ms;
	return h;
}

/* ---- the set-up ---- */

/* Six messages of 100 ms, where the first retransmission would be after 20. */
static void a_session_with_a_slow_bmc_is_set_up(void **state)
{
	struct delay delay = {.ms = 100, .kind = ALL_KINDS};

	(void)state;
	for (int version = IPMI_VERSION_2_0; version <= IPMI_VERSION_1_5; version++) {
		struct harness *h = with_delay(&delay, 3000);

		if (version == IPMI_VERSION_1_5)
			harness_speak_1_5(h);
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(harness_stats(h).sessions, 1);
		/* of Get Channel Authentication Capabilities: after that its time is known */
		assert_in_range(harness_stats(h).retransmits, 1, 4);
		assert_in_range(h->reply.round_trip_us, 95000, 1000000);
		assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, true));
		assert_int_equal(h->fake.controls, 1);
		harness_free(h);
	}
}

static void suites_of_a_slow_bmc_are_not_taken_for_silent(void **state)
{
	struct delay delay = {.ms = 100, .kind = ALL_KINDS};
	struct harness *h = with_delay(&delay, 3000);

	(void)state;
	h->suites[0] = 17;
	h->suites[1] = 3;
	h->config.cipher_suite_count = 2;
	h->fake.suite = NULL; /* it has both */
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).cipher_suite, 17);
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 1);
	harness_free(h);
}

/* The BMC replaces what it answered to the copy before: only the answer to the last one is of use. */
static void a_message_of_the_set_up_that_takes_longer_than_the_others(void **state)
{
	static const enum fake_kind kinds[] = {FAKE_OPEN_SESSION, FAKE_RAKP_1, FAKE_RAKP_3,
					       FAKE_SET_PRIVILEGE};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct delay delay = {.ms = 100, .kind = (int)kinds[i]};
		struct harness *h = with_delay(&delay, 3000);

		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(harness_stats(h).sessions, 1);
		harness_free(h);
	}
}

static void too_slow_for_its_time_is_told(void **state)
{
	struct delay delay = {.ms = 100, .kind = ALL_KINDS};
	struct harness *h = with_delay(&delay, 350);

	(void)state;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_TIMEOUT);
	assert_non_null(strstr(h->reply.text, " within 0.35 s: its answers take 0."));
	assert_non_null(strstr(h->reply.text, " s each: set a longer timeout"));
	harness_free(h);
}

/* ---- commands ---- */

/* What is sent before the answer comes is load for a BMC that has enough: it is asked once. */
static void a_slow_bmc_is_not_asked_more_often(void **state)
{
	struct delay delay = {.ms = 150, .kind = FAKE_COMMAND};
	struct harness *h = with_delay(&delay, 1500);
	unsigned before, sessions;

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	before = h->fake.received[FAKE_COMMAND];
	sessions = harness_stats(h).sessions;
	for (int i = 0; i < 3; i++)
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_in_range(h->fake.received[FAKE_COMMAND] - before, 3,
			4); /* one more on a machine that is busy */
	assert_int_equal(harness_stats(h).sessions, sessions);
	harness_free(h);
}

/* And when it is quick again that is noticed. */
static void a_bmc_that_is_quick_again_is_asked_soon(void **state)
{
	struct delay delay = {.ms = 100, .kind = ALL_KINDS};
	struct harness *h = with_delay(&delay, 3000);

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_in_range(h->bmc->round_trip_ms, 95, 1000);
	delay.ms = 0;
	for (int i = 0; i < 10; i++)
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_in_range(h->bmc->round_trip_ms, 0, HARNESS_RETRANSMIT_MS);
	harness_free(h);
}

/* ---- sessions ---- */

/* The session is in doubt after a third of the time, but all the BMC says comes late, and in order. */
static void a_session_that_becomes_slow_is_kept(void **state)
{
	(void)state;
	for (int version = IPMI_VERSION_2_0; version <= IPMI_VERSION_1_5; version++) {
		struct delay delay = {.ms = 0, .kind = ALL_KINDS};
		struct harness *h = with_delay(&delay, 1500);

		if (version == IPMI_VERSION_1_5)
			harness_speak_1_5(h);
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		delay.ms = 700;
		h->fake.power = true;
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_true(h->reply.chassis.power_on);
		assert_in_range(h->fake.received[FAKE_AUTH_CAPABILITIES], 2, 99); /* it was in doubt */
		assert_true(harness_stats(h).has_session);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(harness_stats(h).sessions, 1);
		assert_int_equal(h->fake.received[FAKE_CLOSE_SESSION], 0);
		delay.ms = 0;
		harness_free(h);
	}
}

/* Time for five messages: the sixth is for the next operation. */
static void a_session_that_came_too_late_is_for_the_next_operation(void **state)
{
	struct delay delay = {.ms = 200, .kind = ALL_KINDS};
	struct harness *h = with_delay(&delay, 1100);

	(void)state;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_TIMEOUT);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).sessions, 1);
	delay.ms = 0;
	harness_free(h);
}

/* Only commands are answered late: that is learnt once, and costs no session after that. */
static void slow_commands_do_not_cost_the_session_each_time(void **state)
{
	struct delay delay = {.ms = 0, .kind = FAKE_COMMAND};
	struct harness *h = with_delay(&delay, 1500);
	unsigned sessions;

	(void)state;
	harness_bmc(h);
	for (delay.ms = 400; delay.ms <= 1200; delay.ms += 800) { /* a quarter of the time, and most of it */
		harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		sessions = harness_stats(h).sessions;
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(harness_stats(h).sessions, sessions);
	}
	delay.ms = 0;
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_with_a_slow_bmc_is_set_up),
	    cmocka_unit_test(suites_of_a_slow_bmc_are_not_taken_for_silent),
	    cmocka_unit_test(a_message_of_the_set_up_that_takes_longer_than_the_others),
	    cmocka_unit_test(too_slow_for_its_time_is_told),
	    cmocka_unit_test(a_slow_bmc_is_not_asked_more_often),
	    cmocka_unit_test(a_bmc_that_is_quick_again_is_asked_soon),
	    cmocka_unit_test(a_session_that_becomes_slow_is_kept),
	    cmocka_unit_test(a_session_that_came_too_late_is_for_the_next_operation),
	    cmocka_unit_test(slow_commands_do_not_cost_the_session_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
