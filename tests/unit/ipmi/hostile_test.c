/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets that are not what they should be: in every state they are dropped and counted, and the true answer
 * that follows is still taken.
 */
#include <unistd.h>

#include "tests/unit/ipmi/harness.h"

/* What a test sends in place of the true answer of one kind. Returns how many packets it sent. */
typedef unsigned (*attack_fn)(struct fake_bmc *fake, const uint8_t *packet, size_t length);

struct attack {
	enum fake_kind kind;
	attack_fn run;
	unsigned runs, sent;
	bool spent; /* the true answer to the repeated request is let through */
};

static bool attack_filter(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct attack *attack = ((struct harness *)fake->data)->data;

	if (kind != attack->kind)
		return true;
	attack->spent = !attack->spent;
	if (!attack->spent)
		return true;
	attack->runs++;
	attack->sent += attack->run(fake, packet, length);
	return false;
}

/* None of the packets is taken for an answer: the request has to be repeated, and then the operation succeeds. */
static void withstand_by(struct harness *h, enum fake_kind kind, attack_fn run)
{
	struct attack attack = {.kind = kind, .run = run};

	h->data = &attack;
	h->fake.filter = attack_filter;
	h->config.timeout_ms = 5000;
	h->config.retransmit_ms = 40;
	harness_bmc(h);
	for (int i = 0; i < 2; i++) {
		harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
		assert_string_equal(h->reply.text, "");
		assert_int_equal(h->reply.result, IPMI_OK);
	}
	assert_true(attack.runs > 0);
	assert_true(harness_stats(h).retransmits >= attack.runs);
	assert_int_equal(harness_stats(h).bad_packets, attack.sent);
	assert_int_equal(harness_stats(h).sessions, 1);
	h->fake.filter = NULL;
	harness_free(h);
}

static void withstand(enum fake_kind kind, uint8_t suite, attack_fn run)
{
	struct harness *h = harness_new();

	h->suites[0] = suite;
	h->fake.suite = fake_suite(suite);
	withstand_by(h, kind, run);
}

static void withstand_1_5(enum fake_kind kind, attack_fn run)
{
	struct harness *h = harness_new();

	harness_speak_1_5(h);
	withstand_by(h, kind, run);
}

static const enum fake_kind kinds_1_5[] = {FAKE_AUTH_CAPABILITIES, FAKE_CHALLENGE, FAKE_ACTIVATE,
					   FAKE_SET_PRIVILEGE, FAKE_COMMAND};
enum { KINDS_1_5 = sizeof(kinds_1_5) / sizeof(kinds_1_5[0]) };

/* Bursts stay below what a default receive buffer holds. */
enum { BURST = 120 };

static unsigned truncated(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	unsigned sent = 0;

	for (size_t cut = 0; cut < length && sent < BURST; cut++, sent++)
		fake_send(fake, packet, cut);
	return sent;
}

static void truncated_packets(void **state)
{
	(void)state;
	for (enum fake_kind kind = FAKE_AUTH_CAPABILITIES; kind <= FAKE_COMMAND; kind++)
		if (kind != FAKE_CLOSE_SESSION)
			withstand(kind, 3, truncated);
	for (size_t i = 0; i < KINDS_1_5; i++)
		withstand_1_5(kinds_1_5[i], truncated);
}

/*
 * Every bit but those of the RMCP header's reserved and sequence octets, which the integrity code does not
 * cover and which say nothing. first_bit walks on with every call, so that many small bursts cover the
 * packet.
 */
static size_t first_bit;

static unsigned bit_flipped(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[FAKE_PACKET_MAX];
	unsigned sent = 0;

	for (size_t bit = first_bit; bit < length * 8 && sent < BURST / 2; bit++) {
		if (bit / 8 == 1 || bit / 8 == 2)
			continue;
		memcpy(copy, packet, length);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		fake_send(fake, copy, length);
		sent++;
	}
	first_bit = first_bit + BURST / 2 < length * 8 ? first_bit + BURST / 2 : 0;
	return sent;
}

static void flipped_bits_inside_a_session(void **state)
{
	static const uint8_t suites[] = {2, 3, 8, 12, 17};

	(void)state;
	for (size_t i = 0; i < sizeof(suites); i++) {
		first_bit = 0;
		do
			withstand(FAKE_COMMAND, suites[i], bit_flipped);
		while (first_bit != 0);
	}
}

static void flipped_bits_inside_an_ipmi_1_5_session(void **state)
{
	static const enum fake_kind kinds[] = {FAKE_ACTIVATE, FAKE_SET_PRIVILEGE, FAKE_COMMAND};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		first_bit = 0;
		do
			withstand_1_5(kinds[i], bit_flipped);
		while (first_bit != 0);
	}
}

/* Without integrity what matches an answer to its request must still be right. */
static unsigned wrong_fields_in_setup(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	static const size_t fields[] = {0,  3,  4,  5, 16,
					20, 21, 22, 23}; /* version, class, types, tag, session ID */
	uint8_t copy[FAKE_PACKET_MAX];
	unsigned sent = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++, sent++) {
		memcpy(copy, packet, length);
		copy[fields[i]] ^= 0x40;
		fake_send(fake, copy, length);
	}
	return sent;
}

/* Refusals are believed without much, but not without our session ID. */
static unsigned refused_in_another_session(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[24];

	(void)length;
	memcpy(copy, packet, sizeof(copy));
	copy[14] = 8;
	copy[17] = 0x0d;
	copy[20] ^= 0x01;
	fake_send(fake, copy, sizeof(copy));
	return 1;
}

static void setup_answers_that_match_nothing(void **state)
{
	(void)state;
	withstand(FAKE_OPEN_SESSION, 3, wrong_fields_in_setup);
	withstand(FAKE_RAKP_1, 3, wrong_fields_in_setup);
	withstand(FAKE_RAKP_3, 3, wrong_fields_in_setup);
	withstand(FAKE_OPEN_SESSION, 3, refused_in_another_session);
	withstand(FAKE_RAKP_1, 3, refused_in_another_session);
	withstand(FAKE_RAKP_3, 3, refused_in_another_session);
}

static unsigned flipped_lan_message(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[FAKE_PACKET_MAX];
	unsigned sent = 0;

	for (size_t at = 13; at < length;
	     at++, sent++) { /* length octet, then the message: its checksums cover it */
		memcpy(copy, packet, length);
		copy[at] ^= 0x10;
		fake_send(fake, copy, length);
	}
	return sent;
}

static void messages_outside_a_session_with_wrong_checksums(void **state)
{
	(void)state;
	withstand(FAKE_AUTH_CAPABILITIES, 3, flipped_lan_message);
	withstand_1_5(FAKE_AUTH_CAPABILITIES, flipped_lan_message);
	withstand_1_5(FAKE_CHALLENGE, flipped_lan_message);
}

/*
 * An answer that says "off" comes again 64 requests later, when the six bits of rq_seq are the same as then: only the
 * session's sequence number tells that it is old.
 */
struct replay {
	uint8_t old[FAKE_PACKET_MAX];
	size_t old_length;
	unsigned answers;
};

static bool replay_filter(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct replay *replay = ((struct harness *)fake->data)->data;

	if (kind != FAKE_COMMAND)
		return true;
	if (replay->answers++ == 0) {
		memcpy(replay->old, packet, length);
		replay->old_length = length;
	} else {
		fake_send(fake, replay->old, replay->old_length);
	}
	return true;
}

static void withstand_replays(struct harness *h)
{
	struct replay replay = {.answers = 0};

	h->data = &replay;
	h->fake.filter = replay_filter;
	harness_bmc(h);
	assert_false(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->chassis.power_on);
	h->fake.power = true;
	for (int poll = 1; poll <= 64; poll++) {
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
		assert_true(h->reply.chassis.power_on);
	}
	assert_int_equal(harness_stats(h).bad_packets, 64);
	harness_free(h);
}

static void replays(void **state)
{
	static const uint8_t suites[] = {0, 1, 2, 3, 17};
	struct harness *h;

	(void)state;
	for (size_t i = 0; i < sizeof(suites); i++) {
		h = harness_new();
		h->suites[0] = suites[i];
		h->fake.suite = fake_suite(suites[i]);
		withstand_replays(h);
	}
	h = harness_new();
	harness_speak_1_5(h);
	withstand_replays(h);
}

/* The answer to a poll that was cancelled comes before that to the next one: it says "on", and the machine is off. */
struct held {
	uint8_t packet[FAKE_PACKET_MAX];
	size_t length;
};

static bool hold_first_answer(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct held *held = ((struct harness *)fake->data)->data;

	if (kind != FAKE_COMMAND)
		return true;
	if (held->length == 0) {
		memcpy(held->packet, packet, length);
		held->length = length;
		return false;
	}
	fake_send(fake, held->packet, held->length);
	return true;
}

static void withstand_an_answer_of_before(struct harness *h)
{
	struct held held = {.length = 0};
	struct ipmi_op *op;

	h->data = &held;
	h->fake.filter = hold_first_answer;
	h->config.retransmit_ms = 10000;
	h->config.timeout_ms = 20000;
	h->fake.power = true;
	harness_bmc(h);
	op = harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (held.length == 0)
		uv_run(&h->loop, UV_RUN_ONCE);
	ipmi_op_cancel(op);
	h->fake.power = false;
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_false(h->reply.chassis.power_on);
	h->fake.filter = NULL;
	harness_free(h);
}

static void answers_of_before(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	withstand_an_answer_of_before(h);
	h = harness_new();
	harness_speak_1_5(h);
	withstand_an_answer_of_before(h);
}

/* FreeIPMI asserts that what comes inside a session with encryption is encrypted. */
static unsigned unencrypted(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[FAKE_PACKET_MAX];

	memcpy(copy, packet, length);
	copy[5] = 0x40;
	fake_send(fake, copy, length);
	copy[5] = 0x00;
	fake_send(fake, copy, length);
	copy[5] = 0x80;
	fake_send(fake, copy, length);
	return 3;
}

static void downgraded_protection(void **state)
{
	(void)state;
	withstand(FAKE_COMMAND, 3, unencrypted);
	withstand(FAKE_COMMAND, 17, unencrypted);
	withstand(FAKE_SET_PRIVILEGE, 3, unencrypted);
}

/* Rightly signed, but not encrypted, for another session, of the wrong length, or padded wrongly. */
static unsigned signed_but_wrong(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	static const size_t fields[] = {5, 6,  7,  8,
					9, 14, 15, 28}; /* flags, session ID, payload length, padding */
	struct fake_buffer copy = {.length = 0};
	uint8_t digest[32];
	unsigned sent = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++, sent++) {
		struct fake_buffer covered = {.length = 0};

		copy.length = 0;
		fake_put(&copy, packet, length - fake->suite->code_length);
		copy.data[fields[i]] ^= fields[i] == 5 ? 0x80 : 0x84;
		fake_put(&covered, copy.data + 4, copy.length - 4);
		fake_integrity_code(fake, &covered, digest);
		fake_put(&copy, digest, fake->suite->code_length);
		fake_send(fake, copy.data, copy.length);
	}
	return sent;
}

static void wrong_although_signed(void **state)
{
	(void)state;
	withstand(FAKE_COMMAND, 3, signed_but_wrong);
	withstand(FAKE_COMMAND, 16, signed_but_wrong);
}

/* ---- IPMI 1.5 ---- */

/* With the right code, but for another session, out of the window, or the answer to something else. */
static unsigned signed_1_5_but_wrong(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	static const struct {
		size_t at;
		uint8_t flip;
	} changes[] = {
	    {LAN_ID, 0x01},
	    {LAN_ID + 3, 0x80},
	    {LAN_SEQUENCE + 1, 0x01}, /* 256 too many or too few */
	    {LAN_SEQUENCE + 3, 0x40},
	    {LAN_MESSAGE_AT + 1, 0x04}, /* network function */
	    {LAN_MESSAGE_AT + 4, 0x04}, /* rqSeq */
	    {LAN_CMD, 0x01},
	};
	uint8_t copy[FAKE_PACKET_MAX];
	unsigned sent = 0;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++, sent++) {
		memcpy(copy, packet, length);
		copy[changes[i].at] ^= changes[i].flip;
		harness_sign_1_5(fake->data, copy);
		fake_send(fake, copy, length);
	}
	return sent;
}

/* Without a code, and with one of another password. */
static unsigned not_authenticated(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[FAKE_PACKET_MAX];

	memcpy(copy, packet, LAN_CODE);
	memcpy(copy + LAN_CODE, packet + LAN_LENGTH, length - LAN_LENGTH);
	copy[LAN_TYPE] = 0;
	fake_send(fake, copy, length - 16);
	memcpy(copy, packet, length);
	memset(copy + LAN_CODE, 0, 16);
	fake_send(fake, copy, length);
	copy[LAN_TYPE] = 4; /* straight password */
	memcpy(copy + LAN_CODE, "secret", 6);
	fake_send(fake, copy, length);
	copy[LAN_TYPE] = 1; /* MD2 */
	fake_send(fake, copy, length);
	return 4;
}

/* Only a session that is not there yet can be refused without authentication. */
static unsigned refused_without_authentication(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[LAN_CODE + 1 + 8], *message = copy + LAN_CODE + 1;

	(void)length;
	memcpy(copy, packet, LAN_CODE);
	memcpy(message, packet + LAN_MESSAGE_AT, 6);
	copy[LAN_TYPE] = 0;
	copy[LAN_CODE] = 8;
	message[6] = 0xd5;
	message[7] = 0;
	for (size_t i = 3; i < 7; i++)
		message[7] = (uint8_t)(message[7] - message[i]);
	fake_send(fake, copy, sizeof(copy));
	return 1;
}

/* The length octet says more than there is, or less, or there is much behind the message. */
static unsigned wrong_lengths(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[IPMI_PACKET_MAX + 100] = {0};
	unsigned sent = 0;

	memcpy(copy, packet, length);
	for (unsigned octet = 0; octet <= 255 && sent < BURST; octet += 3) {
		if (octet == packet[LAN_LENGTH])
			continue;
		copy[LAN_LENGTH] = (uint8_t)octet;
		fake_send(fake, copy, length);
		sent++;
	}
	copy[LAN_LENGTH] = packet[LAN_LENGTH];
	fake_send(fake, copy, sizeof(copy)); /* larger than any answer */
	return sent + 1;
}

/* A refusal need not be authenticated, but when it claims to be, it must be. */
static unsigned refusal_with_a_wrong_code(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t copy[FAKE_PACKET_MAX];

	memcpy(copy, packet, length);
	copy[LAN_COMPLETION] = 0x86;
	harness_sign_1_5(fake->data, copy);
	copy[LAN_CODE] ^= 0x01;
	fake_send(fake, copy, length);
	return 1;
}

static void wrong_in_an_ipmi_1_5_session(void **state)
{
	static const attack_fn attacks[] = {signed_1_5_but_wrong, not_authenticated, wrong_lengths,
					    refused_without_authentication};

	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		withstand_1_5(FAKE_SET_PRIVILEGE, attacks[i]);
		withstand_1_5(FAKE_COMMAND, attacks[i]);
	}
	withstand_1_5(FAKE_ACTIVATE, not_authenticated);
	withstand_1_5(FAKE_ACTIVATE, refusal_with_a_wrong_code);
	withstand_1_5(FAKE_ACTIVATE, wrong_lengths);
}

static unsigned garbage(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uint8_t noise[1400];
	unsigned sent = 0;
	uint32_t seed = 12345;

	(void)length;
	for (; sent < 60; sent++) {
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (uint8_t)((seed = seed * 1103515245U + 12345U) >> 16);
		if (sent % 2)
			memcpy(noise, packet, 16);
		fake_send(fake, noise, sent * 25U % sizeof(noise));
	}
	return sent;
}

static void noise_in_every_state(void **state)
{
	(void)state;
	for (enum fake_kind kind = FAKE_AUTH_CAPABILITIES; kind <= FAKE_COMMAND; kind++)
		if (kind != FAKE_CLOSE_SESSION)
			withstand(kind, 3, garbage);
	for (size_t i = 0; i < KINDS_1_5; i++)
		withstand_1_5(kinds_1_5[i], garbage);
}

/* Another host, or another port of the same, repeats the true answer. */
static uv_udp_t stranger;

static unsigned from_elsewhere(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	uv_buf_t buffer = uv_buf_init((char *)packet, (unsigned)length);

	assert_true(uv_udp_try_send(&stranger, &buffer, 1, (const struct sockaddr *)&fake->peer) > 0);
	return 1;
}

static void other_senders(void **state)
{
	struct harness *h = harness_new();
	struct attack attack = {.kind = FAKE_COMMAND, .run = from_elsewhere};

	(void)state;
	assert_int_equal(uv_udp_init(&h->loop, &stranger), 0);
	h->data = &attack;
	h->fake.filter = attack_filter;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	harness_settle(h);
	assert_int_equal(attack.sent, 1);
	assert_int_equal(harness_stats(h).bad_packets, 0); /* not this BMC's fault */
	assert_int_equal(ipmi_engine_bad_packets(h->engine), 1);
	h->fake.filter = NULL;
	uv_close((uv_handle_t *)&stranger, NULL);
	harness_free(h);
}

/* From so many addresses that some of them share the BMC's place in the table of addresses. */
enum { NEIGHBOURS = 250 };

static unsigned from_neighbours(struct fake_bmc *fake, const uint8_t *packet, size_t length)
{
	for (uint32_t i = 1; i <= NEIGHBOURS; i++) {
		struct sockaddr_in address = {.sin_family = AF_INET,
					      .sin_port = htons(fake->port),
					      .sin_addr.s_addr = htonl(0x7f010000U + i)};
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(
		    sendto(fd, packet, length, 0, (struct sockaddr *)&fake->peer, sizeof(fake->peer)),
		    length);
		close(fd);
	}
	return NEIGHBOURS;
}

static void neighbours_in_the_table(void **state)
{
	struct harness *h = harness_new();
	struct attack attack = {.kind = FAKE_COMMAND, .run = from_neighbours};

	(void)state;
	h->data = &attack;
	h->fake.filter = attack_filter;
	h->config.retransmit_ms = 100;
	h->config.timeout_ms = 5000;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_true(harness_stats(h).retransmits > 0);
	assert_int_equal(harness_stats(h).bad_packets, 0);
	h->fake.filter = NULL;
	harness_free(h);
}

static void unasked_packets(void **state)
{
	struct harness *h = harness_new();
	uint8_t packet[64] = {0x06, 0x00, 0xff, 0x07, 0x06};

	(void)state;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	for (size_t length = 0; length <= sizeof(packet); length++)
		fake_send(&h->fake, packet, length);
	while (harness_stats(h).bad_packets <= sizeof(packet))
		uv_run(&h->loop, UV_RUN_ONCE);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(truncated_packets),
	    cmocka_unit_test(flipped_bits_inside_a_session),
	    cmocka_unit_test(flipped_bits_inside_an_ipmi_1_5_session),
	    cmocka_unit_test(wrong_in_an_ipmi_1_5_session),
	    cmocka_unit_test(setup_answers_that_match_nothing),
	    cmocka_unit_test(messages_outside_a_session_with_wrong_checksums),
	    cmocka_unit_test(replays),
	    cmocka_unit_test(answers_of_before),
	    cmocka_unit_test(downgraded_protection),
	    cmocka_unit_test(wrong_although_signed),
	    cmocka_unit_test(noise_in_every_state),
	    cmocka_unit_test(other_senders),
	    cmocka_unit_test(neighbours_in_the_table),
	    cmocka_unit_test(unasked_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
