/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IPMI 1.5 sessions with MD5: set up, kept, refused, lost, and with the mistakes of real firmware.
 */
#include "tests/unit/ipmi/harness.h"

static struct harness *new_1_5(void)
{
	struct harness *h = harness_new();

	harness_speak_1_5(h);
	return h;
}

static void assert_ok(const struct ipmi_reply *reply)
{
	assert_string_equal(reply->text, "");
	assert_int_equal(reply->result, IPMI_OK);
}

static void assert_text(const struct ipmi_reply *reply, enum ipmi_result result, const char *part)
{
	assert_int_equal(reply->result, result);
	if (!strstr(reply->text, part))
		fail_msg("\"%s\" does not contain \"%s\"", reply->text, part);
}

static const struct ipmi_reply *poll(struct harness *h)
{
	return harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
}

/* ---- the straight way ---- */

static void a_session_is_set_up_kept_and_closed(void **state)
{
	struct harness *h = new_1_5();
	struct ipmi_bmc_stats stats;

	(void)state;
	harness_be_patient(h);
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, true));
	assert_int_equal(harness_stats(h).requests, 5);
	assert_ok(poll(h));
	assert_true(h->reply.chassis.power_on);
	for (int i = 0; i < 100; i++) /* more than the 64 values of rqSeq */
		assert_ok(poll(h));
	stats = harness_stats(h);
	assert_int_equal(stats.requests, 5 + 1 + 101); /* one is for the lower privilege level */
	assert_int_equal(stats.sessions, 1);
	assert_int_equal(stats.retransmits, 0);
	assert_int_equal(stats.bad_packets, 0);
	assert_string_equal(stats.ipmi_version, "1.5");
	assert_int_equal(stats.cipher_suite, 0);
	assert_false(stats.has_guid);
	ipmi_bmc_free(h->bmc);
	while (h->fake.session)
		uv_run(&h->loop, UV_RUN_ONCE);
	assert_int_equal(h->fake.received[FAKE_CLOSE_SESSION], 1);
	harness_free(h);
}

static void every_command_works(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	harness_bmc(h);
	for (int command = 0; command < IPMI_COMMAND_COUNT; command++)
		assert_ok(harness_ask(h, (enum ipmi_command)command, false));
	assert_int_equal(harness_stats(h).sessions, 1);
	harness_free(h);
}

static void names_and_passwords(void **state)
{
	static const struct {
		const char *name, *password;
	} rows[] = {{"", "secret"}, {"", ""}, {"admin", ""}, {"0123456789abcdef", "0123456789abcdef"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness *h = new_1_5();

		h->config.username = h->fake.username = rows[i].name;
		h->fake.password = rows[i].password;
		h->config.password = (const uint8_t *)rows[i].password;
		h->config.password_length = strlen(rows[i].password);
		harness_bmc(h);
		assert_ok(poll(h));
		harness_free(h);
	}
}

static void sequence_numbers_wrap_around(void **state)
{
	struct harness *h = new_1_5();
	struct sim_session *s;

	(void)state;
	harness_be_patient(h);
	harness_bmc(h);
	assert_ok(poll(h));
	s = fake_session(&h->fake);
	s->sequence = h->bmc->session.sequence = s->highest = UINT32_MAX - 4;
	h->bmc->session.highest = UINT32_MAX - 5;
	for (int i = 0; i < 20; i++)
		assert_ok(poll(h));
	assert_int_equal(harness_stats(h).retransmits, 0);
	harness_free(h);
}

/* ---- refusals ---- */

static void wrong_credentials(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	h->config.password = (const uint8_t *)"seCret";
	harness_bmc(h);
	assert_text(poll(h), IPMI_TIMEOUT,
		    "did not answer Activate Session (for Get Chassis Status) within 0.6 s: ");
	assert_non_null(strstr(h->reply.text, "wrong password (user \"admin\")"));
	assert_null(strstr(h->reply.text, "seCret"));
	ipmi_bmc_free(h->bmc);
	h->config.password = (const uint8_t *)"secret";
	h->config.username = "nobody";
	harness_bmc(h);
	assert_text(poll(h), IPMI_AUTH_FAILED, "completion code 0x81: it does not know the user");
	ipmi_bmc_free(h->bmc);
	h->config.username = "";
	harness_bmc(h);
	assert_text(poll(h), IPMI_AUTH_FAILED,
		    "completion code 0x82: its user without a name is not enabled");
	assert_non_null(strstr(h->reply.text, "set username in the credentials"));
	harness_free(h);
}

static void md5_is_not_offered(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	h->fake.profile.auth_types = 1U << SIM_AUTH_STRAIGHT | 1U << SIM_AUTH_NONE;
	harness_bmc(h);
	assert_text(poll(h), IPMI_UNSUPPORTED, "does not offer MD5 for IPMI 1.5 at privilege level operator");
	assert_non_null(strstr(h->reply.text, "set ipmi-version = \"2.0\" in the credentials"));
	assert_int_equal(h->fake.received[FAKE_CHALLENGE], 0);
	ipmi_bmc_free(h->bmc);
	h->config.workarounds = IPMI_WORKAROUND_FLAGS_OUTOFBAND_AUTHENTICATION_CAPABILITIES;
	harness_bmc(h);
	assert_text(poll(h), IPMI_REJECTED, "refused Get Session Challenge: completion code 0xCC");
	harness_free(h);
}

static void a_level_that_is_not_granted(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	h->fake.max_privilege = SIM_USER;
	harness_bmc(h);
	assert_text(poll(h), IPMI_AUTH_FAILED, "refused Activate Session: completion code 0x86");
	harness_free(h);
}

/* The answers to Activate Session get another completion code, with its MD5 code or without authentication. */
struct refusal {
	uint8_t code;
	bool authenticated;
	unsigned times;
};

static size_t strip_code(uint8_t *packet, size_t length)
{
	memmove(packet + LAN_CODE, packet + LAN_LENGTH, length - LAN_LENGTH);
	memset(packet + LAN_TYPE, 0, 9); /* type, sequence number and session ID */
	return length - 16;
}

static bool refuse_activation(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct refusal *refusal = ((struct harness *)fake->data)->data;

	if (kind != FAKE_ACTIVATE || refusal->times == 0)
		return true;
	refusal->times--;
	packet[LAN_COMPLETION] = refusal->code;
	harness_sign_1_5(fake->data, packet);
	fake->session = false; /* and the session is not there */
	if (refusal->authenticated)
		return true;
	fake_send(fake, packet, strip_code(packet, length));
	return false;
}

static void refusals_of_activate_session(void **state)
{
	static const struct {
		uint8_t code;
		enum ipmi_result result;
		const char *text;
	} rows[] = {
	    {0x81, IPMI_SESSIONS_EXHAUSTED, "has no free session (code 0x81: it has no free session)"},
	    {0x82, IPMI_SESSIONS_EXHAUSTED, "it has no free session for this user"},
	    {0x83, IPMI_SESSIONS_EXHAUSTED, "it has no free session of this privilege level"},
	    {0x84, IPMI_SESSIONS_EXHAUSTED, "drops the session while it is set up: session sequence number"},
	    {0x85, IPMI_SESSIONS_EXHAUSTED, "it has forgotten the session's challenge"},
	    {0x86, IPMI_AUTH_FAILED, "beyond the limit of user or channel: raise the user's limit"},
	    {0xd4, IPMI_AUTH_FAILED, "raise privilege in the credentials"},
	    {0xcc, IPMI_REJECTED, "completion code 0xCC"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness *h = new_1_5();
		struct refusal refusal = {.code = rows[i / 2].code, .authenticated = i % 2, .times = 999};

		h->data = &refusal;
		h->fake.filter = refuse_activation;
		harness_bmc(h);
		assert_text(poll(h), rows[i / 2].result, rows[i / 2].text);
		assert_int_equal(harness_stats(h).retransmits, 0);
		h->fake.filter = NULL;
		assert_ok(poll(h));
		harness_free(h);
	}
}

static void a_slot_that_becomes_free_and_a_forgotten_challenge(void **state)
{
	static const uint8_t codes[] = {0x81, 0x84, 0x85};

	(void)state;
	for (size_t i = 0; i < sizeof(codes); i++) {
		struct harness *h = new_1_5();
		struct refusal refusal = {.code = codes[i], .authenticated = true, .times = 2};

		h->data = &refusal;
		h->fake.filter = refuse_activation;
		harness_bmc(h);
		assert_ok(poll(h));
		assert_int_equal(h->fake.received[FAKE_CHALLENGE], 3);
		harness_free(h);
	}
}

static bool strip_all(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	if (kind != FAKE_ACTIVATE)
		return true;
	fake_send(fake, packet, strip_code(packet, length));
	return false;
}

static void an_activation_without_authentication_is_not_believed(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	h->fake.filter = strip_all;
	harness_bmc(h);
	assert_text(poll(h), IPMI_TIMEOUT, "packets from it were not valid and dropped");
	assert_true(harness_stats(h).bad_packets > 0);
	assert_false(harness_stats(h).has_session);
	harness_free(h);
}

static void per_message_authentication_is_disabled(void **state)
{
	static const unsigned workarounds[] = {IPMI_WORKAROUND_FLAGS_OUTOFBAND_FORCE_PERMSG_AUTHENTICATION,
					       IPMI_WORKAROUND_FLAGS_OUTOFBAND_CHECK_UNEXPECTED_AUTHCODE,
					       IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK};
	struct harness *h = new_1_5();

	(void)state;
	h->fake.profile.per_message_auth = false;
	harness_bmc(h);
	assert_text(poll(h), IPMI_UNSUPPORTED, "has per-message authentication disabled");
	assert_non_null(strstr(h->reply.text, "enable it in the BMC for this channel"));
	harness_settle(h);
	assert_false(h->fake.session); /* it was closed */
	for (size_t i = 0; i < sizeof(workarounds) / sizeof(workarounds[0]); i++) {
		ipmi_bmc_free(h->bmc);
		h->config.workarounds = workarounds[i];
		harness_bmc(h);
		assert_ok(poll(h));
	}
	harness_free(h);
}

/* ---- firmware's mistakes ---- */

static bool spoil_code(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)fake;
	(void)length;
	if (kind == FAKE_ACTIVATE || kind == FAKE_COMMAND || kind == FAKE_SET_PRIVILEGE)
		packet[LAN_CODE] ^= 1;
	return true;
}

static bool session_id_zero(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)length;
	if (kind == FAKE_COMMAND || kind == FAKE_SET_PRIVILEGE) {
		memset(packet + LAN_ID, 0, 4);
		harness_sign_1_5(fake->data, packet);
	}
	return true;
}

static bool big_endian(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	uint32_t sequence;

	(void)length;
	if (kind == FAKE_ACTIVATE || kind == FAKE_COMMAND || kind == FAKE_SET_PRIVILEGE) {
		memcpy(&sequence, packet + LAN_SEQUENCE, 4);
		sequence = __builtin_bswap32(sequence);
		memcpy(packet + LAN_SEQUENCE, &sequence, 4);
		harness_sign_1_5(fake->data, packet);
	}
	return true;
}

static bool spoil_checksum(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)kind;
	(void)length;
	fake->bad_checksum = true;
	(void)packet;
	return true;
}

static void workarounds(void **state)
{
	static const struct {
		bool (*mistake)(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length);
		unsigned workaround;
	} rows[] = {
	    {spoil_code, IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK},
	    {session_id_zero, IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO},
	    {big_endian, IPMI_WORKAROUND_FLAGS_OUTOFBAND_BIG_ENDIAN_SEQUENCE_NUMBER},
	    {spoil_checksum, IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_CHECKSUM_CHECK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness *h = new_1_5();

		h->fake.filter = rows[i].mistake;
		harness_bmc(h);
		assert_text(poll(h), IPMI_TIMEOUT, "not valid and dropped");
		ipmi_bmc_free(h->bmc);
		h->config.workarounds = rows[i].workaround;
		harness_bmc(h);
		assert_ok(poll(h));
		assert_ok(poll(h));
		assert_int_equal(harness_stats(h).sessions, 1);
		harness_free(h);
	}
}

/* The first number inside the session is one too low or too high, or used twice; what is far off is an old answer. */
struct shift {
	int32_t activate, others;
};

static bool shift_sequence(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	const struct shift *shift = ((struct harness *)fake->data)->data;
	uint32_t sequence;

	(void)length;
	if (kind != FAKE_ACTIVATE && kind != FAKE_SET_PRIVILEGE && kind != FAKE_COMMAND)
		return true;
	memcpy(&sequence, packet + LAN_SEQUENCE, 4);
	sequence += (uint32_t)(kind == FAKE_ACTIVATE ? shift->activate : shift->others);
	memcpy(packet + LAN_SEQUENCE, &sequence, 4);
	harness_sign_1_5(fake->data, packet);
	return true;
}

static void sequence_numbers_that_begin_beside_the_first(void **state)
{
	static const struct shift tolerated[] = {{0, 0}, {-1, -1}, {1, 1}, {0, -1}, {-1, 0}};
	static const struct shift refused[] = {{1000, 1000}, {-1000, -1000}, {0, 1000}, {0, -1000}};

	(void)state;
	for (size_t i = 0; i < sizeof(tolerated) / sizeof(tolerated[0]); i++) {
		struct harness *h = new_1_5();
		struct shift shift = tolerated[i];

		h->data = &shift;
		h->fake.filter = shift_sequence;
		harness_be_patient(h);
		harness_bmc(h);
		for (int polls = 0; polls < 10; polls++)
			assert_ok(poll(h));
		assert_int_equal(harness_stats(h).bad_packets, 0);
		harness_free(h);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct harness *h = new_1_5();
		struct shift shift = refused[i];

		h->data = &shift;
		h->fake.filter = shift_sequence;
		harness_bmc(h);
		assert_text(poll(h), IPMI_TIMEOUT, "not valid and dropped");
		harness_free(h);
	}
}

/* ---- lost packets and sessions ---- */

static bool swallow_one(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	const enum fake_kind *victim = ((struct harness *)fake->data)->data;

	(void)packet;
	(void)length;
	if (kind != *victim)
		return true;
	fake->filter = NULL;
	return false;
}

static void any_lost_answer_is_made_up_for(void **state)
{
	static const enum fake_kind kinds[] = {FAKE_AUTH_CAPABILITIES, FAKE_CHALLENGE, FAKE_ACTIVATE,
					       FAKE_SET_PRIVILEGE, FAKE_COMMAND};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct harness *h = new_1_5();
		enum fake_kind kind = kinds[i];

		h->data = &kind;
		h->fake.filter = swallow_one;
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, false));
		assert_int_equal(harness_stats(h).retransmits, 1);
		assert_int_equal(harness_stats(h).sessions, 1);
		harness_free(h);
	}
}

static void a_forgotten_session_is_set_up_again(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	harness_bmc(h);
	assert_ok(poll(h));
	h->fake.session = false;
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, false));
	assert_int_equal(h->fake.controls, 1);
	h->fake.session = false;
	h->bmc->answered_ms -= IPMI_TRUSTED_MS + 1; /* as if it had been idle */
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, true));
	assert_int_equal(h->fake.controls, 2);
	assert_int_equal(harness_stats(h).sessions, 3);
	harness_free(h);
}

static void no_slot_stays_taken(void **state)
{
	struct harness *h = new_1_5();

	(void)state;
	h->fake.profile.slots = 1;
	for (int i = 0; i < 3; i++) {
		harness_bmc(h);
		assert_ok(poll(h));
		ipmi_bmc_free(h->bmc);
		while (h->fake.session)
			uv_run(&h->loop, UV_RUN_ONCE);
	}
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_is_set_up_kept_and_closed),
	    cmocka_unit_test(every_command_works),
	    cmocka_unit_test(names_and_passwords),
	    cmocka_unit_test(sequence_numbers_wrap_around),
	    cmocka_unit_test(wrong_credentials),
	    cmocka_unit_test(md5_is_not_offered),
	    cmocka_unit_test(a_level_that_is_not_granted),
	    cmocka_unit_test(refusals_of_activate_session),
	    cmocka_unit_test(a_slot_that_becomes_free_and_a_forgotten_challenge),
	    cmocka_unit_test(an_activation_without_authentication_is_not_believed),
	    cmocka_unit_test(per_message_authentication_is_disabled),
	    cmocka_unit_test(workarounds),
	    cmocka_unit_test(sequence_numbers_that_begin_beside_the_first),
	    cmocka_unit_test(any_lost_answer_is_made_up_for),
	    cmocka_unit_test(a_forgotten_session_is_set_up_again),
	    cmocka_unit_test(no_slot_stays_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
