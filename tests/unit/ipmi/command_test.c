/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is asked of a chassis and what its answers mean: every field of every answer, octet by octet.
 */
#include "tests/unit/ipmi/harness.h"

/* Data in place of that of the next answer to a command, as IPMI 1.5 has it: readable, and the test can sign it. */
struct canned {
	uint8_t data[20];
	size_t length;
};

static bool answer_canned(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct harness *h = fake->data;
	const struct canned *canned = h->data;
	uint8_t copy[FAKE_PACKET_MAX];

	(void)length;
	if (kind != FAKE_COMMAND || !canned)
		return true;
	memcpy(copy, packet, LAN_COMPLETION + 1);
	memcpy(copy + LAN_COMPLETION + 1, canned->data, canned->length);
	copy[LAN_LENGTH] = (uint8_t)(7 + canned->length + 1);
	harness_sign_1_5(h, copy);
	fake_send(fake, copy, LAN_MESSAGE_AT + 7 + canned->length + 1);
	return false;
}

static struct harness *new_canned(void)
{
	struct harness *h = harness_new();

	harness_speak_1_5(h);
	h->fake.filter = answer_canned;
	harness_bmc(h);
	return h;
}

static const struct ipmi_reply *ask_canned(struct harness *h, enum ipmi_command command, const uint8_t *data,
					   size_t length)
{
	struct canned canned = {.length = length};

	memcpy(canned.data, data, length);
	h->data = &canned;
	harness_ask(h, command, false);
	h->data = NULL;
	return &h->reply;
}

/* ---- Get Chassis Status, table 28-3 ---- */

static struct ipmi_chassis_status status_of(struct harness *h, uint8_t state, uint8_t event, uint8_t misc)
{
	const uint8_t data[] = {state, event, misc};

	assert_int_equal(ask_canned(h, IPMI_GET_CHASSIS_STATUS, data, sizeof(data))->result, IPMI_OK);
	return h->reply.chassis;
}

/* The flags of a status as one number, the first being bit 0. */
static unsigned flags_of(const struct ipmi_chassis_status *c)
{
	const bool flags[] = {c->power_on,
			      c->power_overload,
			      c->interlock_active,
			      c->power_fault,
			      c->power_control_fault,
			      c->chassis_intrusion,
			      c->front_panel_lockout,
			      c->drive_fault,
			      c->cooling_fault};
	unsigned all = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		all |= (unsigned)flags[i] << i;
	return all;
}

static void each_flag_of_the_chassis(void **state)
{
	struct harness *h = new_canned();

	(void)state;
	for (unsigned bit = 0; bit < 9; bit++) {
		struct ipmi_chassis_status c = bit < 5 ? status_of(h, (uint8_t)(1U << bit), 0, 0)
						       : status_of(h, 0, 0, (uint8_t)(1U << (bit - 5)));

		assert_int_equal(flags_of(&c), 1U << bit);
	}
	harness_free(h);
}

static void policy_event_and_identify(void **state)
{
	static const enum ipmi_power_event events[] = {IPMI_EVENT_AC_FAILED, IPMI_EVENT_OVERLOAD,
						       IPMI_EVENT_INTERLOCK, IPMI_EVENT_FAULT,
						       IPMI_EVENT_ON_BY_COMMAND};
	static const enum ipmi_identify identifies[] = {IPMI_IDENTIFY_OFF, IPMI_IDENTIFY_TIMED,
							IPMI_IDENTIFY_INDEFINITE, IPMI_IDENTIFY_UNKNOWN};
	struct harness *h = new_canned();

	(void)state;
	for (unsigned policy = 0; policy < 4; policy++)
		assert_int_equal(status_of(h, (uint8_t)(policy << 5), 0, 0).restore_policy, policy);
	assert_int_equal(status_of(h, 0, 0, 0).last_power_event, IPMI_EVENT_NONE);
	for (unsigned bit = 0; bit < 5; bit++)
		assert_int_equal(status_of(h, 0, (uint8_t)(1U << bit), 0).last_power_event, events[bit]);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(status_of(h, 0, 0, (uint8_t)(0x40 | i << 4)).identify, identifies[i]);
		assert_int_equal(status_of(h, 0, 0, (uint8_t)(i << 4)).identify, IPMI_IDENTIFY_UNKNOWN);
	}
	harness_free(h);
}

static void the_octet_of_the_front_panel_is_optional(void **state)
{
	static const uint8_t data[] = {0x01, 0x10, 0x00, 0xff};
	struct harness *h = new_canned();

	(void)state;
	assert_int_equal(ask_canned(h, IPMI_GET_CHASSIS_STATUS, data, 4)->result, IPMI_OK);
	assert_int_equal(flags_of(&h->reply.chassis), 1);
	for (size_t length = 0; length < 3; length++) {
		assert_int_equal(ask_canned(h, IPMI_GET_CHASSIS_STATUS, data, length)->result, IPMI_REJECTED);
		assert_non_null(strstr(h->reply.text, " answered Get Chassis Status with too little data: "));
	}
	assert_int_equal(harness_stats(h).sessions, 1); /* which was not at fault */
	harness_free(h);
}

/* ---- Get POH Counter, 28.14 ---- */

static uint32_t hours_of(struct harness *h, uint8_t minutes, uint32_t count)
{
	const uint8_t data[] = {minutes, (uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16),
				(uint8_t)(count >> 24)};

	assert_int_equal(ask_canned(h, IPMI_GET_POH_COUNTER, data, sizeof(data))->result, IPMI_OK);
	return h->reply.power_on_hours;
}

static void power_on_hours_in_any_unit(void **state)
{
	struct harness *h = new_canned();
	static const uint8_t cut[4] = {60, 1, 2, 3};

	(void)state;
	assert_int_equal(hours_of(h, 60, 12345), 12345);
	assert_int_equal(hours_of(h, 60, 0x01020304), 0x01020304);
	assert_int_equal(hours_of(h, 1, 119), 1);
	assert_int_equal(hours_of(h, 6, 100), 10);
	assert_int_equal(hours_of(h, 0, 100), 0);
	assert_int_equal(hours_of(h, 60, UINT32_MAX), UINT32_MAX);
	assert_int_equal(hours_of(h, 255, UINT32_MAX), UINT32_MAX); /* more than the answer has room for */
	assert_int_equal(ask_canned(h, IPMI_GET_POH_COUNTER, cut, sizeof(cut))->result, IPMI_REJECTED);
	harness_free(h);
}

/* ---- Get Power Reading, DCMI 1.5, table 6-16 ---- */

static void power_reading(void **state)
{
	uint8_t data[] = {0xdc, 0x2c, 0x01, 0x64, 0x00, 0x20, 0x03, 0xfa, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 0x40};
	struct harness *h = new_canned();
	struct ipmi_power_reading power;

	(void)state;
	assert_int_equal(ask_canned(h, IPMI_GET_POWER_READING, data, sizeof(data))->result, IPMI_OK);
	power = h->reply.power;
	assert_int_equal(power.watts, 300);
	assert_int_equal(power.minimum_watts, 100);
	assert_int_equal(power.maximum_watts, 800);
	assert_int_equal(power.average_watts, 250);
	assert_true(power.active);
	data[17] = 0xbf; /* all but the bit that says that it measures */
	assert_int_equal(ask_canned(h, IPMI_GET_POWER_READING, data, sizeof(data))->result, IPMI_OK);
	assert_false(h->reply.power.active);
	for (size_t length = 0; length < sizeof(data); length++)
		assert_int_equal(ask_canned(h, IPMI_GET_POWER_READING, data, length)->result, IPMI_REJECTED);
	data[0] = 0x00; /* PICMG */
	assert_int_equal(ask_canned(h, IPMI_GET_POWER_READING, data, sizeof(data))->result, IPMI_REJECTED);
	assert_non_null(strstr(h->reply.text, "group extension 0x00 instead of DCMI's 0xDC"));
	assert_int_equal(harness_stats(h).sessions, 1);
	harness_free(h);
}

static void power_reading_of_the_simulated_bmc(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.bmc.chassis.watts_on = 321;
	h->fake.bmc.chassis.watts_off = 9;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_POWER_READING, false)->result, IPMI_OK);
	assert_int_equal(h->reply.power.watts, 9);
	h->fake.power = true;
	harness_ask(h, IPMI_GET_POWER_READING, false);
	assert_int_equal(h->reply.power.watts, 321);
	assert_true(h->reply.power.active);
	harness_free(h);
}

static void a_bmc_without_dcmi(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->fake.completion_code = 0xc1;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_POWER_READING, false)->result, IPMI_REJECTED);
	assert_non_null(strstr(h->reply.text, "it does not speak DCMI: do without power readings"));
	harness_free(h);
}

/* ---- what is set is what is read ---- */

static void submit_and_wait(struct harness *h, struct ipmi_request request)
{
	unsigned before = h->replies;

	request.done = harness_on_done;
	request.data = h;
	assert_non_null(ipmi_bmc_submit(h->bmc, &request));
	harness_wait(h, before + 1);
	assert_string_equal(h->reply.text, "");
}

static void restore_policies(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	for (enum ipmi_restore_policy policy = IPMI_RESTORE_OFF; policy <= IPMI_RESTORE_ON; policy++) {
		submit_and_wait(h, (struct ipmi_request){.command = IPMI_SET_POWER_RESTORE_POLICY,
							 .restore_policy = policy});
		assert_int_equal(h->fake.bmc.chassis.policy, policy);
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->chassis.restore_policy,
				 policy);
	}
	harness_free(h);
}

static void the_octet_of_supported_policies_is_optional(void **state)
{
	struct harness *h = new_canned();
	const uint8_t data[] = {0x07};

	(void)state;
	assert_int_equal(ask_canned(h, IPMI_SET_POWER_RESTORE_POLICY, data, 0)->result, IPMI_OK);
	assert_int_equal(ask_canned(h, IPMI_SET_POWER_RESTORE_POLICY, data, sizeof(data))->result, IPMI_OK);
	h->fake.filter = NULL;
	harness_free(h);
}

static void boot_flags(void **state)
{
	static const enum ipmi_boot_device devices[] = {
	    IPMI_BOOT_NO_OVERRIDE, IPMI_BOOT_PXE,   IPMI_BOOT_DISK,       IPMI_BOOT_SAFE_MODE,
	    IPMI_BOOT_DIAGNOSTICS, IPMI_BOOT_CDROM, IPMI_BOOT_BIOS_SETUP, IPMI_BOOT_FLOPPY};
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	harness_ask(h, IPMI_GET_BOOT_FLAGS, false); /* nothing was set: not valid */
	assert_int_equal(h->reply.boot.device, IPMI_BOOT_NO_OVERRIDE);
	for (size_t i = 0; i < 4 * sizeof(devices) / sizeof(devices[0]); i++) {
		const struct ipmi_boot_flags boot = {
		    .device = devices[i / 4], .persistent = i & 1, .efi = i >> 1 & 1};

		submit_and_wait(h, (struct ipmi_request){.command = IPMI_SET_BOOT_FLAGS, .boot = boot});
		harness_ask(h, IPMI_GET_BOOT_FLAGS, false);
		assert_int_equal(h->reply.boot.device, boot.device);
		assert_int_equal(h->reply.boot.persistent, boot.persistent);
		assert_int_equal(h->reply.boot.efi, boot.efi);
	}
	harness_free(h);
}

static void identify(void **state)
{
	static const enum ipmi_identify modes[] = {IPMI_IDENTIFY_TIMED, IPMI_IDENTIFY_OFF,
						   IPMI_IDENTIFY_INDEFINITE, IPMI_IDENTIFY_OFF};
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct ipmi_request request = {.command = IPMI_CHASSIS_IDENTIFY};

		request.identify.mode = modes[i];
		request.identify.interval_s = 200;
		submit_and_wait(h, request);
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->chassis.identify, modes[i]);
	}
	harness_free(h);
}

static void controls(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	submit_and_wait(h, (struct ipmi_request){.command = IPMI_CHASSIS_CONTROL, .control = IPMI_POWER_UP});
	assert_true(h->fake.power);
	submit_and_wait(
	    h, (struct ipmi_request){.command = IPMI_CHASSIS_CONTROL, .control = IPMI_DIAGNOSTIC_INTERRUPT});
	assert_int_equal(h->fake.bmc.chassis.diagnostics, 1);
	submit_and_wait(h,
			(struct ipmi_request){.command = IPMI_CHASSIS_CONTROL, .control = IPMI_HARD_RESET});
	submit_and_wait(h,
			(struct ipmi_request){.command = IPMI_CHASSIS_CONTROL, .control = IPMI_POWER_CYCLE});
	submit_and_wait(h,
			(struct ipmi_request){.command = IPMI_CHASSIS_CONTROL, .control = IPMI_POWER_DOWN});
	assert_false(h->fake.power);
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_flag_of_the_chassis),
	    cmocka_unit_test(policy_event_and_identify),
	    cmocka_unit_test(the_octet_of_the_front_panel_is_optional),
	    cmocka_unit_test(power_on_hours_in_any_unit),
	    cmocka_unit_test(power_reading),
	    cmocka_unit_test(power_reading_of_the_simulated_bmc),
	    cmocka_unit_test(a_bmc_without_dcmi),
	    cmocka_unit_test(restore_policies),
	    cmocka_unit_test(the_octet_of_supported_policies_is_optional),
	    cmocka_unit_test(boot_flags),
	    cmocka_unit_test(identify),
	    cmocka_unit_test(controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
