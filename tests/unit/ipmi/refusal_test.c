/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Refusals that anybody may have sent, because nothing before a session is authenticated: they do not choose the security of
 * a session, and where the BMC's own answer comes too, that one counts. And suites that a BMC agrees to, but cannot do.
 */
#include "tests/unit/ipmi/harness.h"

static void assert_ok(const struct ipmi_reply *reply)
{
	assert_string_equal(reply->text, "");
	assert_int_equal(reply->result, IPMI_OK);
}

/* The BMC has 3, 8 and 17. */
static struct harness *with_suites(uint8_t first, uint8_t second)
{
	struct harness *h = harness_new();

	h->suites[0] = first;
	h->suites[1] = second;
	h->config.cipher_suite_count = 2;
	h->config.retransmit_ms = 100; /* so that a busy machine is not taken for silence */
	h->config.timeout_ms = 5000;
	h->fake.suite = NULL;
	return h;
}

/* A poll on a new session. */
static uint8_t suite_of_a_poll(struct harness *h)
{
	ipmi_session_drop(h->bmc);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	return harness_stats(h).cipher_suite;
}

/* ---- forged answers, sent from the BMC's address before its own ---- */

struct forgery {
	unsigned times;
	enum {
		OF_OPEN_SESSION = 0x10,
		OF_RAKP_1 = 0x12,
		OF_RAKP_3 = 0x14
	} type; /* payload types, table 13-16 */
	uint8_t status;
	bool blindly;   /* all tags, no session ID */
	bool swallowed; /* the BMC does not get the request */
};

enum { RMCPPLUS = 0x06, TYPE_AT = 5, LENGTH_AT = 14, TAG_AT = 16, STATUS_AT = 17, ID_AT = 20 };

static void send_refusal(struct fake_bmc *fake, const uint8_t *request, uint8_t status)
{
	uint8_t packet[24] = {0x06, 0x00, 0xff, 0x07, RMCPPLUS};

	packet[TYPE_AT] = request[TYPE_AT] + 1;
	packet[LENGTH_AT] = 8;
	packet[TAG_AT] = request[TAG_AT];
	packet[STATUS_AT] = status;
	memcpy(packet + ID_AT, &((struct harness *)fake->data)->bmc->session.console_id, 4);
	fake_send(fake, packet, sizeof(packet));
}

/* From the last tag to the first, and as many as a default receive buffer holds. */
static void send_blindly(struct fake_bmc *fake, const uint8_t *request, uint8_t status)
{
	uint8_t packet[18] = {0x06, 0x00, 0xff, 0x07, RMCPPLUS};

	packet[TYPE_AT] = request[TYPE_AT] + 1;
	packet[LENGTH_AT] = 2;
	packet[STATUS_AT] = status;
	for (unsigned i = 0; i < 128; i++) {
		packet[TAG_AT] = (uint8_t)(request[TAG_AT] + 64 - i);
		fake_send(fake, packet, sizeof(packet));
	}
}

static bool forge(struct fake_bmc *fake, uint8_t *packet, size_t length)
{
	struct forgery *f = ((struct harness *)fake->data)->data;

	(void)length;
	if (f->times == 0 || packet[4] != RMCPPLUS || packet[TYPE_AT] != f->type)
		return true;
	f->times--;
	if (f->blindly)
		send_blindly(fake, packet, f->status);
	else
		send_refusal(fake, packet, f->status);
	return !f->swallowed;
}

static struct harness *with_forgery(struct forgery *f, uint8_t second)
{
	struct harness *h = with_suites(17, second);

	h->data = f;
	h->fake.request = forge;
	harness_bmc(h);
	return h;
}

static void forged_refusals_of_a_proven_suite_have_no_effect(void **state)
{
	static const struct forgery rows[] = {
	    {.type = OF_OPEN_SESSION, .status = 0x12}, {.type = OF_OPEN_SESSION, .status = 0x11},
	    {.type = OF_OPEN_SESSION, .status = 0x01}, {.type = OF_RAKP_1, .status = 0x0d},
	    {.type = OF_RAKP_1, .status = 0x11},       {.type = OF_RAKP_3, .status = 0x0f},
	    {.type = OF_RAKP_3, .status = 0x04}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct forgery f = rows[i];
		struct harness *h = with_forgery(&f, 3);

		assert_int_equal(suite_of_a_poll(h), 17);
		f.times = 1;
		assert_int_equal(suite_of_a_poll(h), 17);
		assert_int_equal(f.times, 0);
		assert_int_equal(suite_of_a_poll(h), 17);
		assert_int_equal(harness_stats(h).retransmits, 0);
		harness_free(h);
	}
}

/* Who cannot see our packets does not have the session ID, and has no effect even before anything is proven. */
static void blindly_forged_refusals_have_no_effect(void **state)
{
	struct forgery f = {.type = OF_OPEN_SESSION, .status = 0x12, .blindly = true, .times = 1};
	struct harness *h = with_forgery(&f, 3);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(suite_of_a_poll(h), 17);
		assert_int_equal(f.times, 0);
		f.times = 1;
	}
	harness_free(h);
}

/* Who can keep packets from the BMC can take the better suite away, but not for longer than he does that. */
static void a_refusal_that_stays_counts_only_the_second_time(void **state)
{
	struct forgery f = {.type = OF_OPEN_SESSION, .status = 0x12, .swallowed = true};
	struct harness *h = with_forgery(&f, 3);

	(void)state;
	assert_int_equal(suite_of_a_poll(h), 17);
	f.times = 1;
	assert_int_equal(suite_of_a_poll(h), 3);
	assert_int_equal(suite_of_a_poll(h), 17);
	f.times = 1;
	assert_int_equal(suite_of_a_poll(h), 3);
	f.times = 1;
	assert_int_equal(suite_of_a_poll(h), 3);
	assert_int_equal(suite_of_a_poll(h), 3);
	assert_in_range(h->bmc->suite_until_ms - ipmi_now_ms(), IPMI_SUITE_AGAIN_MS - 60000,
			IPMI_SUITE_AGAIN_MS);
	harness_free(h);
}

/* Never with less authentication or integrity than was there. */
static void no_refusal_takes_the_integrity_away(void **state)
{
	static const uint8_t lesser[] = {0, 1, 6, 15};

	(void)state;
	for (size_t i = 0; i < sizeof(lesser); i++) {
		struct forgery f = {.type = OF_OPEN_SESSION, .status = 0x12, .swallowed = true};
		struct harness *h = with_forgery(&f, lesser[i]);

		h->fake.profile.suites[h->fake.profile.suite_count++] = lesser[i];
		assert_int_equal(suite_of_a_poll(h), 17);
		ipmi_session_drop(h->bmc);
		f.times = 1;
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNSUPPORTED);
		assert_non_null(strstr(h->reply.text, "refuses cipher suite 17: status 0x12: "));
		assert_non_null(
		    strstr(h->reply.text, ": it has done better than what is left in cipher-suites"));
		assert_int_equal(suite_of_a_poll(h), 17);
		harness_free(h);
	}
}

/* ---- messages outside of a session ---- */

/* "IPMI 1.5 only", and without MD5, before the true answer. */
static bool forge_capabilities(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	uint8_t copy[FAKE_PACKET_MAX], sum = 0;

	if (kind != FAKE_AUTH_CAPABILITIES)
		return true;
	memcpy(copy, packet, length);
	copy[14 + 8] = 0; /* authentication types and extended data, table 22-15 */
	copy[14 + 10] = 0;
	for (size_t i = 14 + 3; i + 1 < length; i++)
		sum = (uint8_t)(sum + copy[i]);
	copy[length - 1] = (uint8_t)(0 - sum);
	fake_send(fake, copy, length);
	return true;
}

static void forged_capabilities_have_no_effect(void **state)
{
	(void)state;
	for (int version = IPMI_VERSION_2_0; version <= IPMI_VERSION_1_5; version++) {
		struct harness *h = with_suites(17, 3);

		h->fake.filter = forge_capabilities;
		if (version == IPMI_VERSION_1_5)
			harness_speak_1_5(h);
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(harness_stats(h).retransmits, 0);
		harness_free(h);
	}
}

/* A completion code in place of the answer to Get Session Challenge and Activate Session, before the true answer. */
static bool forge_code(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	uint8_t copy[14 + 8];
	size_t message = length > 4 && packet[4] == 0 ? 14 : 30;

	if (kind != FAKE_CHALLENGE && kind != FAKE_ACTIVATE)
		return true;
	memcpy(copy, packet, 14);
	memset(copy + 4, 0, 9); /* outside a session */
	memcpy(copy + 14, packet + message, 6);
	copy[13] = 8;
	copy[14 + 6] = 0x81;
	copy[14 + 7] = 0;
	for (size_t i = 14 + 3; i < 14 + 7; i++)
		copy[14 + 7] = (uint8_t)(copy[14 + 7] - copy[i]);
	fake_send(fake, copy, sizeof(copy));
	return true;
}

static void forged_completion_codes_have_no_effect(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	harness_speak_1_5(h);
	h->fake.filter = forge_code;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).retransmits, 0);
	assert_int_equal(harness_stats(h).bad_packets, 0); /* they were believed as far as they may be */
	harness_free(h);
}

/* ---- suites that a BMC agrees to, but cannot do ---- */

struct breakage {
	enum fake_kind kind;
	uint8_t status; /* 0: silence */
};

static bool break_suite_17(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct harness *h = fake->data;
	const struct breakage *b = h->data;

	(void)length;
	if (kind != b->kind || h->bmc->suites[h->bmc->suite] != 17)
		return true;
	if (b->status) {
		packet[TYPE_AT]--; /* that of the request */
		send_refusal(fake, packet, b->status);
	}
	return false;
}

static void a_suite_that_the_bmc_cannot_do_is_left(void **state)
{
	static const struct breakage rows[] = {
	    {FAKE_OPEN_SESSION, 0}, {FAKE_OPEN_SESSION, 0x03}, {FAKE_OPEN_SESSION, 0x77},
	    {FAKE_RAKP_1, 0},       {FAKE_RAKP_1, 0x04},       {FAKE_RAKP_1, 0x12},
	    {FAKE_RAKP_3, 0},       {FAKE_RAKP_3, 0x11},       {FAKE_SET_PRIVILEGE, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct breakage b = rows[i];
		struct harness *h = with_suites(17, 3);

		h->config.retransmit_ms = 40;
		h->data = &b;
		h->fake.filter = break_suite_17;
		harness_bmc(h);
		assert_int_equal(suite_of_a_poll(h), 3);
		harness_free(h);
	}
}

/* Not in the time of one operation, but in that of two. */
static void silence_at_the_deadline_is_remembered(void **state)
{
	static const enum fake_kind kinds[] = {FAKE_OPEN_SESSION, FAKE_RAKP_1, FAKE_RAKP_3,
					       FAKE_SET_PRIVILEGE};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct breakage b = {.kind = kinds[i]};
		struct harness *h = with_suites(17, 3);

		h->config.timeout_ms = 200;
		h->data = &b;
		h->fake.filter = break_suite_17;
		harness_bmc(h);
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_TIMEOUT);
		assert_int_equal(suite_of_a_poll(h), 3);
		harness_free(h);
	}
}

static void all_suites_that_were_tried_are_named(void **state)
{
	struct harness *h = with_suites(17, 3);

	(void)state;
	h->fake.suite = fake_suite(8);
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNSUPPORTED);
	assert_non_null(strstr(h->reply.text, "refuses cipher suites 17, 3: status 0x11: "));
	assert_non_null(strstr(h->reply.text, ": list another one in cipher-suites"));
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forged_refusals_of_a_proven_suite_have_no_effect),
	    cmocka_unit_test(blindly_forged_refusals_have_no_effect),
	    cmocka_unit_test(a_refusal_that_stays_counts_only_the_second_time),
	    cmocka_unit_test(no_refusal_takes_the_integrity_away),
	    cmocka_unit_test(forged_capabilities_have_no_effect),
	    cmocka_unit_test(forged_completion_codes_have_no_effect),
	    cmocka_unit_test(a_suite_that_the_bmc_cannot_do_is_left),
	    cmocka_unit_test(silence_at_the_deadline_is_remembered),
	    cmocka_unit_test(all_suites_that_were_tried_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
