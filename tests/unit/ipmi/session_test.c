/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sessions: set up with every cipher suite, kept, refused, lost and set up again.
 */
#include "tests/unit/ipmi/harness.h"

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

static void every_cipher_suite_works(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKE_SUITES; i++) {
		struct harness *h = harness_new();

		h->suites[0] = fake_suites[i].id;
		h->fake.suite = &fake_suites[i];
		harness_be_patient(h);
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, false));
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_true(h->reply.chassis.power_on);
		assert_int_equal(harness_stats(h).cipher_suite, fake_suites[i].id);
		assert_int_equal(harness_stats(h).bad_packets, 0);
		harness_free(h);
	}
}

static void answer_is_decoded(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_bmc_stats stats;

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)); /* 00 10 40 00: see fake_on_command() */
	assert_false(h->reply.chassis.power_on);
	assert_int_equal(h->reply.chassis.last_power_event, IPMI_EVENT_ON_BY_COMMAND);
	assert_int_equal(h->reply.chassis.identify, IPMI_IDENTIFY_OFF);
	assert_int_equal(h->reply.chassis.restore_policy, IPMI_RESTORE_OFF);
	assert_true(h->reply.round_trip_us > 0);
	stats = harness_stats(h);
	assert_true(stats.has_guid);
	assert_memory_equal(stats.guid, h->fake.guid, sizeof(stats.guid));
	assert_string_equal(stats.ipmi_version, "2.0");
	assert_true(stats.last_contact_ms > 1500000000000);
	harness_free(h);
}

static void session_is_kept_and_closed_at_the_end(void **state)
{
	struct harness *h = harness_new();
	unsigned before;

	(void)state;
	harness_be_patient(h);
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	before = harness_stats(h).requests;
	for (int poll = 0; poll < 100; poll++) /* more than the 64 values of rq_seq */
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).requests, before + 100);
	assert_int_equal(harness_stats(h).sessions, 1);
	assert_int_equal(harness_stats(h).retransmits, 0);
	assert_int_equal(h->fake.received[FAKE_COMMAND], 101);
	ipmi_bmc_free(h->bmc);
	while (h->fake.session)
		uv_run(&h->loop, UV_RUN_ONCE);
	assert_int_equal(h->fake.received[FAKE_CLOSE_SESSION], 1);
	harness_free(h);
}

static void wrong_password(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.password = (const uint8_t *)"seCret";
	harness_be_patient(h);
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED,
		    ": password wrong for user \"admin\"");
	assert_int_equal(harness_stats(h).retransmits, 0);
	harness_settle(h);
	assert_int_equal(h->fake.received[FAKE_RAKP_3], 1); /* it says so to the BMC, which frees the slot */
	assert_int_equal(h->fake.managed_id, 0);
	assert_null(strstr(h->reply.text, "seCret"));
	harness_free(h);
}

static void unknown_user(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.username = "nobody";
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED,
		    "does not know user \"nobody\"");
	harness_free(h);
}

static void anonymous_user(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.username = h->fake.username = "";
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

static void longest_password_and_name(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.username = h->fake.username = "0123456789abcdef";
	h->fake.password = "0123456789abcdefghij";
	h->config.password = (const uint8_t *)h->fake.password;
	h->config.password_length = 20;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

static void kg_must_match(void **state)
{
	static const char *const kgs[] = {"kgkey123", "kgkey124", ""};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct harness *h = harness_new();

		h->fake.kg = "kgkey123";
		h->config.kg = (const uint8_t *)kgs[i];
		h->config.kg_length = strlen(kgs[i]);
		harness_bmc(h);
		if (i == 0)
			assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		else
			assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED, "K_g");
		harness_free(h);
	}
}

static void privilege_not_granted(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.max_privilege = 2;
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED,
		    "does not grant privilege level operator to user \"admin\"");
	h->fake.max_privilege = 4;
	h->fake.privilege_code = 0x81;
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED, "completion code 0x81");
	harness_free(h);
}

static void a_command_that_is_not_answered_has_no_round_trip(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_not_equal(h->reply.round_trip_us, 0);
	h->fake.privilege_code = 0x81;
	assert_text(harness_ask(h, IPMI_CHASSIS_CONTROL, false), IPMI_AUTH_FAILED, "completion code 0x81");
	assert_int_equal(h->reply.round_trip_us, 0); /* not that of the command before */
	harness_free(h);
}

static void statuses_of_open_session(void **state)
{
	static const struct {
		uint8_t status;
		enum ipmi_result result;
		const char *text;
	} rows[] = {
	    {0x01, IPMI_SESSIONS_EXHAUSTED, "has no free session"},
	    {0x0b, IPMI_SESSIONS_EXHAUSTED, "has no free session"},
	    {0x09, IPMI_AUTH_FAILED, "privilege level"},
	    {0x0a, IPMI_AUTH_FAILED, "privilege level"},
	    {0x04, IPMI_UNSUPPORTED, "cipher suite 3"},
	    {0x11, IPMI_UNSUPPORTED, "cipher suite 3"},
	    {0x12, IPMI_UNSUPPORTED, "cipher suite 3"},
	    {0xee, IPMI_UNSUPPORTED, "status 0xEE"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct harness *h = harness_new();

		h->fake.open_status = rows[i / 2].status;
		h->fake.short_refusal = i % 2; /* ipmi_sim leaves the session ID out */
		harness_bmc(h);
		assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), rows[i / 2].result,
			    rows[i / 2].text);
		assert_int_equal(harness_stats(h).retransmits, 0);
		harness_free(h);
	}
}

static void statuses_of_rakp(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	h->fake.rakp2_status = 0x0d;
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED, "does not know user");
	h->fake.rakp2_status = 0;
	h->fake.rakp4_status = 0x0f;
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED,
		    "has the password of user \"admin\", but refuses RAKP Message 3");
	assert_int_equal(h->fake.received[FAKE_RAKP_3], 3);
	h->fake.rakp4_status = 0x02; /* the BMC drops the session each time: not forever */
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_SESSIONS_EXHAUSTED,
		    "drops the session");
	h->fake.rakp4_status = 0;
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

/* Without authentication RAKP message 2 proves nothing. */
static void a_refusal_without_authentication_is_about_the_password(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->suites[0] = 0;
	h->fake.suite = fake_suite(0);
	h->fake.rakp4_status = 0x0f;
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_AUTH_FAILED,
		    "refuses the password of user");
	assert_int_equal(h->fake.received[FAKE_RAKP_3], 1);
	harness_free(h);
}

static void next_cipher_suite_is_tried_and_remembered(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->suites[0] = 17;
	h->suites[1] = 3;
	h->config.cipher_suite_count = 2;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).cipher_suite, 3);
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 2);
	h->fake.session = false;
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).sessions, 2);
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 3);
	harness_free(h);
}

static bool swallow_first_suite(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)length;
	(void)fake;
	return kind != FAKE_OPEN_SESSION || packet[17] == 0; /* status */
}

static void silence_about_a_cipher_suite_is_a_refusal(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->suites[0] = 17;
	h->suites[1] = 3;
	h->config.cipher_suite_count = 2;
	h->fake.filter = swallow_first_suite;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).cipher_suite, 3);
	harness_free(h);
}

static bool weaken(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)fake;
	if (kind == FAKE_OPEN_SESSION && length >= 16 + 36)
		packet[16 + 12 + 4] = 0; /* authentication algorithm: none */
	return true;
}

static void weaker_algorithms_than_asked_for_are_refused(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.filter = weaken;
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_UNSUPPORTED,
		    "chose other algorithms");
	harness_free(h);
}

static void no_ipmi_2_0(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.no_ipmi_2 = true;
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_UNSUPPORTED,
		    "does not offer IPMI 2.0");
	assert_string_equal(harness_stats(h).ipmi_version, "1.5");
	ipmi_bmc_free(h->bmc);
	h->config.workarounds = IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

static void assert_only_with(struct harness *h, unsigned workaround, enum ipmi_result without)
{
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, without);
	ipmi_bmc_free(h->bmc);
	h->config.workarounds = workaround;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

static void workarounds(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.extra_octet = true;
	assert_only_with(h, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION, IPMI_AUTH_FAILED);
	h = harness_new();
	h->fake.extra_octet = true;
	assert_only_with(h, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION, IPMI_AUTH_FAILED);
	h = harness_new();
	h->fake.suite = fake_suite(0);
	h->suites[0] = 0;
	h->fake.rakp4_not_empty = true;
	assert_only_with(h, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE,
			 IPMI_AUTH_FAILED);
	h = harness_new();
	h->fake.bad_checksum = true;
	assert_only_with(h, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK, IPMI_UNREACHABLE);
}

/* Of the suites those that such a BMC can have: none with MD5-128, whose check value nobody knows, and none with SHA-256. */
static void workaround_for_intel(void **state)
{
	static const uint8_t suites[] = {0, 1, 2, 3, 6, 7, 8};

	(void)state;
	for (size_t i = 0; i < sizeof(suites); i++) {
		struct harness *h = harness_new();

		h->suites[0] = suites[i];
		h->fake.suite = fake_suite(suites[i]);
		h->fake.bmc.quirks.intel = true;
		h->fake.password = "0123456789abcdefghij";
		h->config.password = (const uint8_t *)h->fake.password;
		h->config.password_length = 20;
		if (suites[i] != 0) { /* suite 0 has nothing that depends on the name */
			assert_only_with(h, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION,
					 IPMI_AUTH_FAILED);
			continue;
		}
		h->config.workarounds = IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION;
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		harness_free(h);
	}
}

static void forgotten_session_is_set_up_again(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	h->fake.session = false;
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, false));
	assert_int_equal(h->fake.controls, 1);
	assert_int_equal(harness_stats(h).sessions, 2);
	harness_free(h);
}

static void once_is_not_wasted_on_a_forgotten_session(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, true)); /* so that the next one needs no other level */
	h->bmc->answered_ms -= IPMI_TRUSTED_MS + 1;            /* as if it had been idle */
	h->fake.session = false;
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, true));
	assert_int_equal(h->fake.controls, 2);
	assert_int_equal(h->fake.received[FAKE_COMMAND], 2);
	assert_int_equal(harness_stats(h).sessions, 2);
	harness_free(h);
}

static bool swallow_command(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	(void)fake;
	(void)packet;
	(void)length;
	return kind != FAKE_COMMAND;
}

static void once_is_sent_once_when_the_answer_is_lost(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	h->fake.filter = swallow_command;
	assert_text(harness_ask(h, IPMI_CHASSIS_CONTROL, true), IPMI_TIMEOUT,
		    "did not answer Chassis Control (power up) within 0.6 s");
	assert_int_equal(h->fake.received[FAKE_COMMAND], 1);
	assert_int_equal(h->fake.controls, 1);
	h->fake.filter = NULL;
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	harness_free(h);
}

static void others_are_sent_again_when_the_answer_is_lost(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	h->fake.filter = swallow_command;
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_TIMEOUT,
		    "did not answer Get Chassis Status within 0.6 s");
	assert_true(h->fake.received[FAKE_COMMAND] > 2);
	assert_int_equal(harness_stats(h).timeouts, 1);
	harness_free(h);
}

static bool swallow_one(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct harness *h = fake->data;
	const enum fake_kind *victim = h->data;

	(void)packet;
	(void)length;
	if (kind != *victim)
		return true;
	fake->filter = NULL;
	return false;
}

static void any_lost_answer_is_made_up_for(void **state)
{
	(void)state;
	for (enum fake_kind kind = FAKE_AUTH_CAPABILITIES; kind <= FAKE_COMMAND; kind++) {
		struct harness *h = harness_new();

		if (kind == FAKE_CLOSE_SESSION) {
			harness_free(h);
			continue;
		}
		h->data = &kind;
		h->fake.filter = swallow_one;
		harness_bmc(h);
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		assert_int_equal(harness_stats(h).retransmits, 1);
		harness_free(h);
	}
}

/* The BMC replaced its random number for the repeated RAKP message 1: the answer to the first one is stale. */
static bool delay_rakp_2(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	static uint8_t first[FAKE_PACKET_MAX];

	if (kind != FAKE_RAKP_1)
		return true;
	if (fake->received[FAKE_RAKP_1] == 1) {
		memcpy(first, packet, length);
		return false;
	}
	fake_send(fake, first, length);
	return true;
}

static void late_answers_are_not_mixed_with_later_ones(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.filter = delay_rakp_2;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(harness_stats(h).bad_packets, 1);
	harness_free(h);
}

static void node_busy_is_asked_again(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.busy = 3;
	harness_bmc(h);
	assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
	assert_int_equal(h->fake.received[FAKE_COMMAND], 4);
	assert_int_equal(harness_stats(h).sessions, 1);
	h->fake.busy = 1; /* nothing was done, but `once` is sent once */
	assert_text(harness_ask(h, IPMI_CHASSIS_CONTROL, true), IPMI_REJECTED, "0xC0");
	harness_free(h);
}

static void completion_codes_are_told(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.completion_code = 0xd5;
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_CHASSIS_CONTROL, false), IPMI_REJECTED,
		    "refused Chassis Control (power up): completion code 0xD5: ");
	assert_int_equal(h->reply.completion_code, 0xd5);
	assert_int_equal(harness_stats(h).sessions, 1);
	h->fake.completion_code = 0;
	assert_ok(harness_ask(h, IPMI_CHASSIS_CONTROL, false));
	assert_int_equal(harness_stats(h).sessions, 1); /* the refusal did not cost the session */
	harness_free(h);
}

static void answer_without_its_data(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.short_data = true;
	harness_bmc(h);
	assert_text(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false), IPMI_REJECTED, "too little data");
	assert_ok(harness_ask(h, IPMI_SET_POWER_RESTORE_POLICY, false)); /* nobody would read it */
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_cipher_suite_works),
	    cmocka_unit_test(answer_is_decoded),
	    cmocka_unit_test(session_is_kept_and_closed_at_the_end),
	    cmocka_unit_test(wrong_password),
	    cmocka_unit_test(unknown_user),
	    cmocka_unit_test(anonymous_user),
	    cmocka_unit_test(longest_password_and_name),
	    cmocka_unit_test(kg_must_match),
	    cmocka_unit_test(privilege_not_granted),
	    cmocka_unit_test(a_command_that_is_not_answered_has_no_round_trip),
	    cmocka_unit_test(statuses_of_open_session),
	    cmocka_unit_test(statuses_of_rakp),
	    cmocka_unit_test(a_refusal_without_authentication_is_about_the_password),
	    cmocka_unit_test(next_cipher_suite_is_tried_and_remembered),
	    cmocka_unit_test(silence_about_a_cipher_suite_is_a_refusal),
	    cmocka_unit_test(weaker_algorithms_than_asked_for_are_refused),
	    cmocka_unit_test(no_ipmi_2_0),
	    cmocka_unit_test(workarounds),
	    cmocka_unit_test(workaround_for_intel),
	    cmocka_unit_test(forgotten_session_is_set_up_again),
	    cmocka_unit_test(once_is_not_wasted_on_a_forgotten_session),
	    cmocka_unit_test(once_is_sent_once_when_the_answer_is_lost),
	    cmocka_unit_test(others_are_sent_again_when_the_answer_is_lost),
	    cmocka_unit_test(any_lost_answer_is_made_up_for),
	    cmocka_unit_test(late_answers_are_not_mixed_with_later_ones),
	    cmocka_unit_test(node_busy_is_asked_again),
	    cmocka_unit_test(completion_codes_are_told),
	    cmocka_unit_test(answer_without_its_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
