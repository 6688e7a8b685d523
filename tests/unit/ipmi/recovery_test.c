/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Set-ups that do not go straight: cipher suites that a BMC does not have, slots that are taken, and slots that must not stay
 * taken.
 */
#include "tests/unit/ipmi/harness.h"

static void assert_ok(const struct ipmi_reply *reply)
{
	assert_string_equal(reply->text, "");
	assert_int_equal(reply->result, IPMI_OK);
}

/* ---- cipher suites ---- */

static struct harness *with_suites(uint8_t first, uint8_t second)
{
	struct harness *h = harness_new();

	h->suites[0] = first;
	h->suites[1] = second;
	h->config.cipher_suite_count = 2;
	h->config.retransmit_ms = 100; /* so that a busy machine is not taken for silence */
	h->config.timeout_ms = 20000;
	return h;
}

/* A poll on a new session; returns how many Open Session requests it took. */
static unsigned opens_of_a_poll(struct harness *h)
{
	unsigned before = h->fake.received[FAKE_OPEN_SESSION];

	ipmi_session_drop(h->bmc);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	return h->fake.received[FAKE_OPEN_SESSION] - before;
}

static void forget_for_a_while(struct harness *h)
{
	assert_in_range(h->bmc->suite_until_ms - ipmi_now_ms(), IPMI_SUITE_AGAIN_MS - 60000,
			IPMI_SUITE_AGAIN_MS);
	h->bmc->suite_until_ms = ipmi_now_ms();
}

static void a_refused_suite_is_left_alone_for_a_while(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	harness_bmc(h);
	assert_int_equal(opens_of_a_poll(h), 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(opens_of_a_poll(h), 1);
	forget_for_a_while(h);
	assert_int_equal(opens_of_a_poll(h), 2);
	assert_int_equal(opens_of_a_poll(h), 1);
	assert_int_equal(harness_stats(h).cipher_suite, 3);
	assert_int_equal(harness_stats(h).retransmits, 0); /* never a stall */
	harness_free(h);
}

static void a_better_suite_is_taken_up_when_it_comes(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	harness_bmc(h);
	assert_int_equal(opens_of_a_poll(h), 2);
	h->fake.suite = fake_suite(17); /* new firmware, and it has given up the old suite */
	assert_int_equal(opens_of_a_poll(h), 2);
	assert_int_equal(harness_stats(h).cipher_suite, 17);
	assert_int_equal(opens_of_a_poll(h), 1);
	harness_free(h);
}

/* Silent about the suite that it does not have. */
static bool swallow_refusals(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)length;
	(void)fake;
	return kind != FAKE_OPEN_SESSION || packet[17] == 0;
}

static void silence_counts_only_the_second_time(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	h->fake.filter = swallow_refusals;
	harness_bmc(h);
	assert_int_equal(opens_of_a_poll(h), 3);
	assert_int_equal(opens_of_a_poll(h), 3);
	assert_int_equal(opens_of_a_poll(h), 1);
	forget_for_a_while(h);
	assert_int_equal(opens_of_a_poll(h), 3);
	harness_free(h);
}

/* Two lost packets do not cost the better suite. */
static bool lose_two_opens(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)length;
	(void)packet;
	return kind != FAKE_OPEN_SESSION || fake->received[FAKE_OPEN_SESSION] > 2;
}

/* A BMC that can do both: whatever was proposed. */
static void follow_proposal(struct harness *h)
{
	h->fake.suite = fake_suite(h->bmc->suites[h->bmc->suite]);
}

static void lost_packets_do_not_cost_the_better_suite(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	h->fake.filter = lose_two_opens;
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (h->replies == 0) {
		follow_proposal(h);
		uv_run(&h->loop, UV_RUN_ONCE);
	}
	assert_ok(&h->reply);
	h->fake.suite = fake_suite(17);
	assert_int_equal(opens_of_a_poll(h), 1);
	assert_int_equal(harness_stats(h).cipher_suite, 17);
	harness_free(h);
}

/* What the BMC refused is not tried again because answers to the suite that it has get lost. */
static bool swallow_set_privilege(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)packet;
	(void)length;
	return kind != FAKE_SET_PRIVILEGE || fake->received[FAKE_SET_PRIVILEGE] > 6;
}

static void loss_after_a_refusal_is_no_refusal(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	h->fake.filter = swallow_set_privilege;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 3); /* 17, 3, and after four lost answers 3 */
	assert_int_equal(harness_stats(h).cipher_suite, 3);
	harness_free(h);
}

/* pyghmi's BMC accepts everything, and then does cipher suite 3. */
static bool always_suite_3(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	static const size_t algorithms[] = {16 + 12 + 4, 16 + 20 + 4,
					    16 + 28 + 4}; /* tables 13-10 and 13-17 to 13-19 */

	(void)fake;
	for (size_t i = 0; kind == FAKE_OPEN_SESSION && length > 16 + 32 && i < 3; i++)
		packet[algorithms[i]] = 1;
	return true;
}

static void algorithms_of_another_suite_are_a_refusal(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	h->fake.suite = NULL; /* 3, 8 and 17 */
	h->fake.filter = always_suite_3;
	harness_bmc(h);
	assert_int_equal(opens_of_a_poll(h), 2);
	assert_int_equal(harness_stats(h).cipher_suite, 3);
	assert_int_equal(h->fake.received[FAKE_RAKP_3], 1);
	assert_int_equal(opens_of_a_poll(h), 1);
	harness_free(h);
}

static void suite_0_only_when_configured(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	h->fake.suite = fake_suite(0);
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNSUPPORTED);
	assert_non_null(strstr(h->reply.text, "list another one in cipher-suites"));
	ipmi_bmc_free(h->bmc);
	h->suites[1] = 0;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

/* The BMC's answers of one kind get lost, and the operation is given up. */
static bool swallow_kind(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	const enum fake_kind *victim = ((struct harness *)fake->data)->data;

	(void)packet;
	(void)length;
	return kind != *victim;
}

/* Where a BMC may be silent on purpose, the text says why that could be. */
static void silence_is_explained(void **state)
{
	static const struct {
		enum fake_kind kind;
		const char *text;
	} rows[] = {
	    {FAKE_RAKP_1,
	     "did not answer RAKP Message 1 (for Get Chassis Status, cipher suite 3) within 0.6 s: some BMCs "
	     "are silent to a user that they do not know (user \"admin\")"},
	    {FAKE_RAKP_3, ": some BMCs are silent to a wrong password or K_g (user \"admin\")"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness *h = harness_new();
		enum fake_kind kind = rows[i].kind;

		h->data = &kind;
		h->fake.filter = swallow_kind;
		h->config.retransmit_ms = 300;
		harness_bmc(h);
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_TIMEOUT);
		assert_non_null(strstr(h->reply.text, rows[i].text));
		harness_free(h);
	}
}

/* ---- a network that doubles packets ---- */

enum { FIRST_TYPE = 0x10, LAST_TYPE = 0x14 }; /* payload types of the set-up, IPMI 2.0, table 13-16 */

static bool double_request(struct fake_bmc *fake, uint8_t *packet, size_t length)
{
	unsigned *type = ((struct harness *)fake->data)->data;
	uint8_t copy[FAKE_PACKET_MAX];
	struct sim_answer answer;

	if (packet[4] != 6 || packet[5] != *type)
		return true;
	*type = 0;
	memcpy(copy, packet, length);
	if (sim_bmc_receive(&fake->bmc, (int64_t)(uv_hrtime() / 1000), (struct sockaddr *)&fake->peer, copy,
			    length, &answer))
		fake_send(fake, answer.packet.data, answer.packet.length);
	return true;
}

/* The BMC's numbers are those of the second one, also while the answer to the first one is used. */
static void doubled_messages_of_the_set_up(void **state)
{
	(void)state;
	for (unsigned type = FIRST_TYPE; type <= LAST_TYPE; type += 2) {
		struct harness *h = harness_new();
		unsigned doubled = type;

		h->data = &doubled;
		h->fake.request = double_request;
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(doubled, 0);
		assert_int_equal(sim_bmc_sessions(&h->fake.bmc), 1);
		harness_free(h);
	}
}

/* ---- slots ---- */

static bool free_a_slot_later(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)packet;
	(void)length;
	if (kind == FAKE_OPEN_SESSION && fake->received[FAKE_OPEN_SESSION] == 3)
		fake->open_status = 0;
	return true;
}

static void a_slot_that_becomes_free_in_time_is_taken(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.open_status = 0x01;
	h->fake.filter = free_a_slot_later;
	h->config.retransmit_ms = 100;
	h->config.timeout_ms = 20000;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 4);
	assert_int_equal(harness_stats(h).retransmits, 0);
	harness_free(h);
}

static void no_free_slot_is_told_when_time_is_short(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.open_status = 0x01;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_SESSIONS_EXHAUSTED);
	assert_non_null(strstr(h->reply.text, "has no free session (code 0x01"));
	assert_non_null(strstr(h->reply.text, "close other sessions to it, or wait"));
	/* tried at 0, 40, 120 and 280 ms; the pause after that would be beyond the deadline of 600 ms */
	assert_in_range(h->fake.received[FAKE_OPEN_SESSION], 2, 4); /* fewer on a machine that is slow */
	h->fake.open_status = 0;
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)); /* the pause was that operation's own */
	harness_free(h);
}

/* What happens to requests that wait in the queue does not bring the next attempt nearer. */
static void the_pause_is_not_ended_by_others(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_request request = {
	    .command = IPMI_GET_CHASSIS_STATUS, .done = harness_on_done, .data = h};
	enum { QUEUED = 10 };

	(void)state;
	h->fake.open_status = 0x01;
	h->config.timeout_ms = 60000;
	h->config.retransmit_ms = 10000;
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	for (unsigned i = 1; i <= QUEUED; i++) {
		request.timeout_ms = i * 10;
		assert_non_null(ipmi_bmc_submit(h->bmc, &request));
	}
	ipmi_op_cancel(harness_submit(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_wait(h, QUEUED + 1);
	harness_settle(h);
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 1);
	harness_free(h);
}

static void cancelled_in_the_pause(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_op *op;

	(void)state;
	h->fake.open_status = 0x01;
	h->config.timeout_ms = 60000;
	h->config.retransmit_ms = 10000;
	harness_bmc(h);
	op = harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (h->bmc->not_before_ms == 0)
		uv_run(&h->loop, UV_RUN_ONCE);
	h->fake.open_status = 0;
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	ipmi_op_cancel(op);
	harness_wait(h, 2);
	assert_ok(&h->reply);
	harness_free(h);
}

static bool slot_is_taken(const struct fake_bmc *fake)
{
	return fake->managed_id != 0 && (fake->session || fake->received[FAKE_CLOSE_SESSION] == 0);
}

/* As soon as there is a session that can be closed: before that the BMC has nothing but a message. */
static void a_set_up_that_is_given_up_frees_its_slot(void **state)
{
	static const enum fake_kind kinds[] = {FAKE_RAKP_3, FAKE_SET_PRIVILEGE};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct harness *h = harness_new();
		enum fake_kind kind = kinds[i];
		struct ipmi_op *op;

		h->data = &kind;
		h->fake.filter = swallow_kind;
		harness_bmc(h);
		op = harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
		while (h->fake.received[kind] == 0)
			uv_run(&h->loop, UV_RUN_ONCE);
		assert_true(slot_is_taken(&h->fake));
		ipmi_op_cancel(op);
		harness_settle(h);
		assert_false(slot_is_taken(&h->fake));
		harness_free(h);
	}
}

static void the_end_of_the_engine_frees_the_slot_of_a_set_up(void **state)
{
	struct harness *h = harness_new();
	enum fake_kind kind = FAKE_SET_PRIVILEGE;

	(void)state;
	h->data = &kind;
	h->fake.filter = swallow_kind;
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (h->fake.received[kind] == 0)
		uv_run(&h->loop, UV_RUN_ONCE);
	ipmi_bmc_free(h->bmc);
	harness_settle(h);
	assert_false(slot_is_taken(&h->fake));
	harness_free(h);
}

/* One session at a time: the lost one is closed before the next is set up, should the BMC still have it. */
static bool lose_commands_of_the_first(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet,
				       size_t length)
{
	unsigned opened = fake->received[FAKE_OPEN_SESSION];

	(void)packet;
	(void)length;
	if (kind == FAKE_OPEN_SESSION)
		assert_int_equal(fake->received[FAKE_CLOSE_SESSION], opened - 1);
	return kind != FAKE_COMMAND || opened > 1;
}

static void a_lost_session_is_closed(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	h->fake.filter = lose_commands_of_the_first;
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 2);
	assert_int_equal(sim_bmc_sessions(&h->fake.bmc), 1);
	h->fake.filter = NULL;
	harness_free(h);
}

/* Nothing comes through, in either direction. */
static bool lose_answer(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)fake;
	(void)kind;
	(void)packet;
	(void)length;
	return false;
}

static bool lose_request(struct fake_bmc *fake, uint8_t *packet, size_t length)
{
	(void)fake;
	(void)packet;
	(void)length;
	return false;
}

/* Close Session is lost with the rest. When the BMC is heard of again it is told once more. */
static void outages_leave_no_session_behind(void **state)
{
	(void)state;
	for (int version = IPMI_VERSION_2_0; version <= IPMI_VERSION_1_5; version++) {
		struct harness *h = harness_new();

		if (version == IPMI_VERSION_1_5)
			harness_speak_1_5(h);
		h->config.timeout_ms = 200;
		harness_bmc(h);
		for (unsigned outage = 0; outage < 2 * h->fake.profile.slots; outage++) {
			assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
			h->fake.request = lose_request;
			h->fake.filter = lose_answer;
			while (harness_ask(h, IPMI_GET_CHASSIS_STATUS, outage % 2)->result == IPMI_OK)
				;
			harness_settle(h);
			h->fake.request = NULL;
			h->fake.filter = NULL;
		}
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(sim_bmc_sessions(&h->fake.bmc), 1);
		harness_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refused_suite_is_left_alone_for_a_while),
	    cmocka_unit_test(a_better_suite_is_taken_up_when_it_comes),
	    cmocka_unit_test(silence_counts_only_the_second_time),
	    cmocka_unit_test(lost_packets_do_not_cost_the_better_suite),
	    cmocka_unit_test(loss_after_a_refusal_is_no_refusal),
	    cmocka_unit_test(algorithms_of_another_suite_are_a_refusal),
	    cmocka_unit_test(suite_0_only_when_configured),
	    cmocka_unit_test(silence_is_explained),
	    cmocka_unit_test(doubled_messages_of_the_set_up),
	    cmocka_unit_test(a_slot_that_becomes_free_in_time_is_taken),
	    cmocka_unit_test(no_free_slot_is_told_when_time_is_short),
	    cmocka_unit_test(the_pause_is_not_ended_by_others),
	    cmocka_unit_test(cancelled_in_the_pause),
	    cmocka_unit_test(a_set_up_that_is_given_up_frees_its_slot),
	    cmocka_unit_test(the_end_of_the_engine_frees_the_slot_of_a_set_up),
	    cmocka_unit_test(a_lost_session_is_closed),
	    cmocka_unit_test(outages_leave_no_session_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
