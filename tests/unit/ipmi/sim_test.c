/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simulated BMC by itself, packet by packet and with a clock that the test moves: what no client in earnest asks for,
 * and what would take minutes. Cipher suite 0 is enough for most of it.
 */
#include "tests/unit/ipmi/harness.h"

enum { SECOND_US = 1000000, SEED = 42, CONSOLE_ID = 0x11223344 };

struct console {
	struct sim_profile profile;
	struct sim_bmc bmc;
	struct sim_session sessions[SIM_SLOTS_MAX + 1];
	struct sim_answer answer;
	int64_t now_us;
	uint32_t id, sequence; /* of the session */
	uint8_t rq_seq;
	char effects[2048]; /* each a word */
};

static void on_effect(struct sim_bmc *bmc, const struct sim_effect *effect)
{
	struct console *c = bmc->profile->data;
	size_t used = strlen(c->effects);

	snprintf(c->effects + used, sizeof(c->effects) - used, "%s=%s%s ", effect->what, effect->detail,
		 effect->duplicate ? "(again)" : "");
}

static struct console *console_new(void)
{
	struct console *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->now_us = SECOND_US;
	sim_crypto_init();
	sim_profile_init(&c->profile);
	c->profile.suites[c->profile.suite_count++] = 0;
	c->profile.effect = on_effect;
	c->profile.data = c;
	assert_int_equal(sim_profile_user(&c->profile, "admin", "secret", SIM_ADMINISTRATOR), 2);
	assert_int_equal(sim_profile_user(&c->profile, "twin", "one", SIM_USER), 3);
	assert_int_equal(sim_profile_user(&c->profile, "twin", "two", SIM_ADMINISTRATOR), 4);
	assert_true(sim_sessions_size(&c->profile) <= sizeof(c->sessions));
	sim_bmc_init(&c->bmc, &c->profile, c->sessions, 1, SEED, c->now_us);
	return c;
}

/* Octets of the answer from this offset on; NULL when there was none. */
static const uint8_t *send_packet(struct console *c, struct sim_buffer *packet, size_t offset)
{
	if (!sim_bmc_receive(&c->bmc, c->now_us, NULL, packet->data, packet->length, &c->answer))
		return NULL;
	assert_true(c->answer.packet.length > offset);
	return c->answer.packet.data + offset;
}

static const uint8_t *send_payload(struct console *c, unsigned type, uint32_t id, uint32_t sequence,
				   const void *payload, size_t length)
{
	struct sim_buffer packet;

	sim_rmcpplus_header(&packet, type, id, sequence, length);
	sim_put(&packet, payload, length);
	return send_packet(c, &packet, 16);
}

/* ---- set-up; each returns the status code of table 13-15 ---- */

static uint8_t open_session(struct console *c, uint8_t authentication, uint8_t integrity,
			    uint8_t confidentiality, uint8_t privilege)
{
	uint8_t request[32] = {1, privilege, 0, 0, 0x44, 0x33, 0x22, 0x11};
	const uint8_t *answer;

	for (unsigned i = 0; i < 3; i++) {
		request[8 + 8 * i] = (uint8_t)i;
		request[11 + 8 * i] = 8;
	}
	request[12] = authentication;
	request[20] = integrity;
	request[28] = confidentiality;
	answer = send_payload(c, 0x10, 0, 0, request, sizeof(request));
	assert_non_null(answer);
	assert_int_equal(sim_get32(answer + 4), CONSOLE_ID);
	if (answer[1] == 0)
		c->id = sim_get32(answer + 8);
	return answer[1];
}

static uint8_t rakp_1_of(struct console *c, uint32_t id, uint8_t role, const char *name, size_t claimed)
{
	uint8_t request[28 + 32] = {2};
	const uint8_t *answer;

	memcpy(request + 4, &id, 4);
	request[24] = role;
	request[27] = (uint8_t)claimed;
	memcpy(request + 28, name, strlen(name));
	answer = send_payload(c, 0x12, 0, 0, request, 28 + strlen(name));
	assert_non_null(answer);
	return answer[1];
}

static uint8_t rakp_1(struct console *c, uint8_t role, const char *name)
{
	return rakp_1_of(c, c->id, role, name, strlen(name));
}

static uint8_t rakp_3(struct console *c, size_t code_length)
{
	uint8_t request[8 + 32] = {3};
	const uint8_t *answer;

	memcpy(request + 4, &c->id, 4);
	answer = send_payload(c, 0x14, 0, 0, request, 8 + code_length);
	assert_non_null(answer);
	return answer[1];
}

static uint8_t log_in(struct console *c)
{
	uint8_t status = open_session(c, 0, 0, 0, SIM_ADMINISTRATOR);

	status = status ? status : rakp_1(c, 0x10 | SIM_ADMINISTRATOR, "admin");
	c->sequence = 0;
	return status ? status : rakp_3(c, 0);
}

/* ---- messages ---- */

static size_t put_message(struct console *c, uint8_t net_fn, uint8_t cmd, const void *data, size_t length,
			  uint8_t *message)
{
	uint8_t sum = 0;

	message[0] = 0x20;
	message[1] = (uint8_t)(net_fn << 2);
	message[2] = (uint8_t) - (message[0] + message[1]);
	message[3] = 0x81;
	message[4] = (uint8_t)(c->rq_seq << 2);
	message[5] = cmd;
	memcpy(message + 6, data, length);
	for (size_t i = 3; i < 6 + length; i++)
		sum = (uint8_t)(sum + message[i]);
	message[6 + length] = (uint8_t)-sum;
	return 7 + length;
}

/* The completion code and what follows; NULL: no answer. */
static const uint8_t *ask_as(struct console *c, uint32_t sequence, uint8_t net_fn, uint8_t cmd,
			     const void *data, size_t length)
{
	uint8_t message[64];
	const uint8_t *answer;

	length = put_message(c, net_fn, cmd, data, length, message);
	answer = send_payload(c, 0x00, c->id, sequence, message, length);
	return answer ? answer + 6 : NULL;
}

static const uint8_t *ask(struct console *c, uint8_t net_fn, uint8_t cmd, const void *data, size_t length)
{
	c->rq_seq = (c->rq_seq + 1) & 0x3f;
	return ask_as(c, ++c->sequence, net_fn, cmd, data, length);
}

static const uint8_t *chassis(struct console *c, uint8_t cmd, const void *data, size_t length)
{
	const uint8_t *answer = ask(c, 0x00, cmd, data, length);

	assert_non_null(answer);
	assert_int_equal(answer[0], 0);
	return answer + 1;
}

static void control(struct console *c, uint8_t action)
{
	chassis(c, 0x02, &action, 1);
}

static void set_privilege(struct console *c, uint8_t level)
{
	const uint8_t *answer = ask(c, 0x06, 0x3b, &level, 1);

	assert_non_null(answer);
	assert_int_equal(answer[0], 0);
}

static struct console *logged_in(void)
{
	struct console *c = console_new();

	assert_int_equal(log_in(c), 0);
	set_privilege(c, SIM_ADMINISTRATOR);
	return c;
}

/* ---- tests: set-up ---- */

static void status_codes_of_open_session(void **state)
{
	struct console *c = console_new();

	(void)state;
	assert_int_equal(open_session(c, 1, 1, 1, SIM_ADMINISTRATOR), 0x00);
	assert_int_equal(open_session(c, 3, 4, 1, SIM_HIGHEST), 0x00);
	assert_int_equal(open_session(c, 1, 1, 0, SIM_USER), 0x11); /* suite 2 is not offered */
	assert_int_equal(open_session(c, 7, 1, 1, SIM_USER), 0x04);
	assert_int_equal(open_session(c, 1, 7, 1, SIM_USER), 0x05);
	assert_int_equal(open_session(c, 1, 1, 7, SIM_USER), 0x10);
	assert_int_equal(open_session(c, 1, 1, 1, 5), 0x09);
	c->bmc.quirks.full = true;
	assert_int_equal(open_session(c, 1, 1, 1, SIM_USER), 0x01);
	free(c);
}

static void status_codes_of_rakp(void **state)
{
	struct console *c = console_new();

	(void)state;
	assert_int_equal(rakp_1_of(c, 12345, 0x14, "admin", 5), 0x02);
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_3(c, 20), 0x02); /* before RAKP message 1 */
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_1(c, 0x15, "admin"), 0x09);
	assert_int_equal(rakp_1(c, 0x14, "admin"), 0x02); /* a refusal ends it */
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_1_of(c, c->id, 0x14, "admin", 17), 0x0c);
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_1_of(c, c->id, 0x14, "admin", 4), 0x12);
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_1(c, 0x14, "nobody"), 0x0d);
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_1(c, 0x14, ""), 0x0d); /* the null user is disabled */
	open_session(c, 1, 1, 1, 0);
	assert_int_equal(rakp_1(c, 0x14, "admin"), 0x00);
	assert_int_equal(rakp_3(c, 20), 0x0f);
	open_session(c, 0, 0, 0, 0);
	assert_int_equal(rakp_1(c, 0x14, "admin"), 0x00);
	assert_int_equal(rakp_3(c, 20), 0x0f); /* suite 0 has no code */
	free(c);
}

static uint8_t user_of_session(const struct console *c)
{
	for (unsigned i = 0; i <= c->profile.slots; i++)
		if (c->sessions[i].state != SIM_FREE && c->sessions[i].managed_id == c->id)
			return (uint8_t)(c->sessions[i].user + 1);
	return 0;
}

static void lookup_by_name_or_by_name_and_privilege(void **state)
{
	static const struct {
		uint8_t role, status, user;
	} rows[] = {
	    {0x10 | SIM_USER, 0x00, 3},     {0x10 | SIM_ADMINISTRATOR, 0x0a, 0},
	    {0x10 | SIM_HIGHEST, 0x00, 3},  {SIM_USER, 0x00, 3},
	    {SIM_ADMINISTRATOR, 0x00, 4},   {SIM_OPERATOR, 0x00, 4}, /* the first that may do as much */
	    {0x10 | SIM_OPERATOR, 0x0a, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct console *c = console_new();

		open_session(c, 0, 0, 0, 0);
		assert_int_equal(rakp_1(c, rows[i].role, "twin"), rows[i].status);
		assert_int_equal(user_of_session(c), rows[i].user);
		free(c);
	}
}

static void unfinished_sessions_make_room(void **state)
{
	struct console *c = logged_in();
	uint32_t id = c->id;

	(void)state;
	for (int i = 0; i < 100; i++) {
		c->now_us += 1000;
		assert_int_equal(open_session(c, 0, 0, 0, 0), 0);
	}
	c->id = id;
	chassis(c, 0x01, "", 0); /* the one in use is not touched */
	free(c);
}

static void slots_run_out_and_expire(void **state)
{
	struct console *c = console_new();

	(void)state;
	for (unsigned i = 0; i < c->profile.slots; i++)
		assert_int_equal(log_in(c), 0);
	assert_int_equal(log_in(c), 0x01);
	c->now_us += 59 * SECOND_US;
	chassis(c, 0x01, "", 0); /* keeps the last of them */
	c->now_us += 2 * SECOND_US;
	assert_int_equal(log_in(c), 0);
	assert_int_equal(sim_bmc_sessions(&c->bmc), 2);
	assert_int_equal(c->profile.counters.expired, 3);
	assert_int_equal(c->profile.counters.refused, 1);
	free(c);
}

static void rakp_message_4_comes_again(void **state)
{
	struct console *c = console_new();

	(void)state;
	assert_int_equal(log_in(c), 0);
	assert_int_equal(rakp_3(c, 0), 0);
	assert_int_equal(sim_bmc_sessions(&c->bmc), 1);
	chassis(c, 0x01, "", 0);
	assert_int_equal(rakp_3(c, 0), 0x02); /* not when the session is in use */
	free(c);
}

/* ---- tests: messages ---- */

static void sequence_numbers_have_a_window(void **state)
{
	struct sim_session two = {.version_1_5 = false}, one = {.version_1_5 = true};

	(void)state;
	assert_true(sim_sequence_take(&two, 10));
	assert_false(sim_sequence_take(&two, 10));
	assert_false(sim_sequence_take(&two, 0));
	assert_true(sim_sequence_take(&two, 25));
	assert_false(sim_sequence_take(&two, 41)); /* 16 above */
	assert_true(sim_sequence_take(&two, 9));   /* 16 below */
	assert_false(sim_sequence_take(&two, 8));
	assert_false(sim_sequence_take(&two, 10)); /* still known */
	assert_true(sim_sequence_take(&two, 11));
	one.highest = UINT32_MAX - 3;
	one.seen = 1;
	assert_false(sim_sequence_take(&one, UINT32_MAX - 3 + 9));
	assert_true(sim_sequence_take(&one, 3)); /* round the corner */
	assert_true(sim_sequence_take(&one, UINT32_MAX - 2));
	assert_false(sim_sequence_take(&one, UINT32_MAX - 2));
	assert_false(sim_sequence_take(&one, UINT32_MAX - 5));
}

static void replays_are_not_served(void **state)
{
	struct console *c = logged_in();
	uint8_t up = 1;

	(void)state;
	control(c, 1);
	assert_null(ask_as(c, c->sequence, 0x00, 0x02, &up, 1));
	assert_null(ask_as(c, c->sequence + 100, 0x00, 0x02, &up, 1));
	assert_int_equal(c->profile.counters.bad, 2);
	assert_int_equal(c->bmc.chassis.controls, 1);
	free(c);
}

static void requests_that_come_again(void **state)
{
	uint8_t reset = 3;

	(void)state;
	for (int dedup = 0; dedup <= 1; dedup++) {
		struct console *c = logged_in();

		c->bmc.quirks.dedup = dedup;
		control(c, 1);
		control(c, 3);
		c->effects[0] = '\0';
		assert_int_equal(*ask_as(c, ++c->sequence, 0x00, 0x02, &reset, 1), 0); /* the same rqSeq */
		assert_string_equal(c->effects,
				    dedup ? "" : "boot=default chassis-control=hard-reset(again) ");
		assert_int_equal(c->bmc.chassis.controls, dedup ? 2 : 3);
		assert_int_equal(c->profile.counters.duplicates, 1);
		c->now_us += 6 * SECOND_US; /* long after it is a new one */
		assert_int_equal(*ask_as(c, ++c->sequence, 0x00, 0x02, &reset, 1), 0);
		assert_int_equal(c->bmc.chassis.controls, dedup ? 3 : 4);
		free(c);
	}
}

/* Nothing that is not right, of every length, does anything or breaks the session. */
static void hostile_packets_do_nothing(void **state)
{
	struct console *c = logged_in();
	struct sim_buffer packet;
	uint8_t message[64], up = 1;
	size_t length = put_message(c, 0x00, 0x02, &up, 1, message);
	uint64_t dice = SEED;

	(void)state;
	for (size_t bit = 0; bit < 8 * length; bit++) {
		message[bit / 8] ^= (uint8_t)(1U << bit % 8);
		send_payload(c, 0x00, c->id, c->sequence + 1, message, length);
		message[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	for (unsigned i = 0; i < 200000; i++) {
		sim_rmcpplus_header(&packet, (unsigned)sim_random(&dice) % 32, i % 2 ? c->id : 0, c->sequence,
				    0);
		packet.length = sim_random(&dice) % 80;
		for (size_t at = 4; at < packet.length; at++)
			if (sim_random(&dice) % 4 == 0 || at > 15)
				packet.data[at] = (uint8_t)sim_random(&dice);
		sim_bmc_receive(&c->bmc, c->now_us, NULL, packet.data, packet.length, &c->answer);
	}
	assert_int_equal(c->bmc.chassis.controls, 0);
	assert_false(c->bmc.chassis.power);
	c->sequence += 8; /* one of them may have had the right form and taken a number */
	chassis(c, 0x01, "", 0);
	free(c);
}

/* Offers the BMC the true packet with every single bit wrong, but those of the RMCP header that say nothing. */
static unsigned offers;

static bool spoil(struct fake_bmc *fake, uint8_t *packet, size_t length)
{
	uint8_t copy[SIM_PACKET_MAX];
	struct sim_answer answer;

	if (sim_bmc_sessions(&fake->bmc) == 0)
		return true;
	for (size_t bit = 0; bit < 8 * length; bit++) {
		if (bit / 8 == 1 || bit / 8 == 2)
			continue;
		memcpy(copy, packet, length);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(sim_bmc_receive(&fake->bmc, SECOND_US, NULL, copy, length, &answer));
		offers++;
	}
	for (size_t cut = 0; cut < length; cut++) {
		memcpy(copy, packet, length);
		assert_false(sim_bmc_receive(&fake->bmc, SECOND_US, NULL, copy, cut, &answer));
	}
	return true;
}

/* suite NULL: IPMI 1.5 */
static void withstand_in_session(const struct sim_suite *suite)
{
	struct harness *h = harness_new();

	h->fake.request = spoil;
	h->fake.profile.idle_us = INT64_MAX;
	h->fake.suite = suite ? suite : sim_suite(3);
	h->suites[0] = h->fake.suite->id;
	if (!suite)
		h->config.version = IPMI_VERSION_1_5;
	harness_bmc(h);
	offers = 0;
	assert_int_equal(harness_ask(h, IPMI_CHASSIS_CONTROL, true)->result, IPMI_OK);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_true(offers > 1000);
	assert_int_equal(h->fake.controls, 1);
	assert_int_equal(harness_stats(h).retransmits, 0);
	harness_free(h);
}

static void every_bit_of_a_request_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIM_SUITES; i++)
		if (sim_suites[i].integrity)
			withstand_in_session(&sim_suites[i]);
	withstand_in_session(NULL);
}

static void privileges_hold(void **state)
{
	struct console *c = console_new();
	uint8_t up = 1, level = SIM_ADMINISTRATOR;

	(void)state;
	assert_int_equal(log_in(c), 0);
	assert_int_equal(*ask(c, 0x00, 0x02, &up, 1), 0xd4); /* a session begins at user level */
	assert_int_equal(*ask(c, 0x00, 0x01, "", 0), 0x00);
	set_privilege(c, SIM_OPERATOR);
	assert_int_equal(*ask(c, 0x00, 0x02, &up, 1), 0x00);
	c->bmc.profile->users[1].privilege = SIM_OPERATOR;
	assert_int_equal(*ask(c, 0x06, 0x3b, &level, 1), 0x80);
	assert_int_equal(*ask(c, 0x06, 0x01, "x", 1), 0xc7);
	assert_int_equal(*ask(c, 0x0a, 0x40, "", 0), 0xc1);
	free(c);
}

/* ---- tests: what takes its time ---- */

static void boot_flags_stay_valid_for_a_minute(void **state)
{
	struct console *c = logged_in();
	static const uint8_t pxe[] = {5, 0x80, 0x04, 0, 0, 0}, keep[] = {3, 0x08}, read[] = {5, 0, 0};

	(void)state;
	chassis(c, 0x08, pxe, sizeof(pxe));
	c->now_us += 59 * SECOND_US;
	assert_int_equal(chassis(c, 0x09, read, sizeof(read))[2], 0x80);
	control(c, 4); /* any Chassis Control begins the minute anew */
	c->now_us += 59 * SECOND_US;
	assert_int_equal(chassis(c, 0x09, read, sizeof(read))[2], 0x80);
	c->now_us += SECOND_US;
	assert_int_equal(chassis(c, 0x09, read, sizeof(read))[2], 0x00);
	assert_int_equal(chassis(c, 0x09, read, sizeof(read))[3], 0x04);
	chassis(c, 0x08, keep, sizeof(keep));
	chassis(c, 0x08, pxe, sizeof(pxe));
	for (int minute = 0; minute < 10; minute++, c->now_us += 50 * SECOND_US)
		assert_int_equal(chassis(c, 0x09, read, sizeof(read))[2], 0x80);
	free(c);
}

static void hours_and_energy_add_up(void **state)
{
	struct console *c = logged_in();
	static const uint8_t reading[] = {0xdc, 1, 0, 0};
	const uint8_t *answer;

	(void)state;
	c->profile.idle_us = INT64_MAX;
	sim_bmc_watts(&c->bmc, c->now_us, 300, 100);
	control(c, 1);
	c->now_us += INT64_C(7200) * SECOND_US;
	control(c, 0);
	c->now_us += INT64_C(7200) * SECOND_US;
	answer = chassis(c, 0x0f, "", 0);
	assert_int_equal(answer[0], 60);
	assert_int_equal(sim_get32(answer + 1), 2);
	answer = ask(c, 0x2c, 0x02, reading, sizeof(reading));
	assert_int_equal(answer[0], 0);
	assert_int_equal(sim_get16(answer + 2), 100); /* now, least, most, on average */
	assert_int_equal(sim_get16(answer + 4), 8);
	assert_int_equal(sim_get16(answer + 6), 300);
	assert_in_range(sim_get16(answer + 8), 199, 200);
	free(c);
}

static void power_follows_its_orders(void **state)
{
	struct console *c = logged_in();

	(void)state;
	c->bmc.chassis.on_ms = 3000;
	control(c, 1);
	control(c, 1);
	assert_int_equal(sim_bmc_due_us(&c->bmc), c->now_us + 3 * SECOND_US);
	c->now_us += 3 * SECOND_US;
	sim_bmc_tick(&c->bmc, c->now_us);
	assert_true(c->bmc.chassis.power);
	control(c, 2);
	control(c, 0); /* in the pause of a power cycle: it stays off */
	c->now_us += 10 * SECOND_US;
	sim_bmc_tick(&c->bmc, c->now_us);
	assert_false(c->bmc.chassis.power);
	c->effects[0] = '\0';
	c->bmc.chassis.policy = 2;
	sim_bmc_ac_loss(&c->bmc, c->now_us, SECOND_US);
	assert_null(ask(c, 0x00, 0x01, "", 0));
	c->now_us += 5 * SECOND_US;
	sim_bmc_tick(&c->bmc, c->now_us);
	assert_string_equal(c->effects,
			    "session-ended=forgotten bmc-reboot= power-change=ac-loss boot=default "
			    "power-change=restore-policy ");
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_codes_of_open_session),
	    cmocka_unit_test(status_codes_of_rakp),
	    cmocka_unit_test(lookup_by_name_or_by_name_and_privilege),
	    cmocka_unit_test(unfinished_sessions_make_room),
	    cmocka_unit_test(slots_run_out_and_expire),
	    cmocka_unit_test(rakp_message_4_comes_again),
	    cmocka_unit_test(sequence_numbers_have_a_window),
	    cmocka_unit_test(replays_are_not_served),
	    cmocka_unit_test(requests_that_come_again),
	    cmocka_unit_test(hostile_packets_do_nothing),
	    cmocka_unit_test(every_bit_of_a_request_counts),
	    cmocka_unit_test(privileges_hold),
	    cmocka_unit_test(boot_flags_stay_valid_for_a_minute),
	    cmocka_unit_test(hours_and_energy_add_up),
	    cmocka_unit_test(power_follows_its_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
