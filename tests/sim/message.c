/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * IPMI messages: checksums, the table of commands, privilege, requests that come again, completion codes.
 */
#include <stdarg.h>
#include <stdio.h>

#include "tests/sim/internal.h"

enum { MESSAGE_MIN = 7, BMC_ADDRESS = 0x20, REPEAT_US = 5000000 };
enum { CHASSIS = 0x00, APP = 0x06, GROUP = 0x2c };
enum { ANY = SIM_HIGHEST, USER = SIM_USER, OPERATOR = SIM_OPERATOR };

/* Privileges are those of appendix G; lengths are of the data behind the command. */
static const struct sim_command commands[] = {
    {APP, 0x01, USER, 0, 0, sim_get_device_id, "get-device-id", SIM_COMMAND},
    {APP, 0x08, USER, 0, 0, sim_get_guid, "get-device-guid", SIM_COMMAND},
    {APP, 0x37, ANY, 0, 0, sim_get_guid, "get-system-guid", SIM_OTHER_GET},
    {APP, 0x38, ANY, 2, 2, sim_get_auth_capabilities, "get-auth-capabilities", SIM_AUTH_CAPABILITIES},
    {APP, 0x39, ANY, 17, 17, sim_get_session_challenge, "get-session-challenge", SIM_CHALLENGE},
    {APP, 0x3a, ANY, 22, 22, sim_activate_session, "activate-session", SIM_ACTIVATE},
    {APP, 0x3b, SIM_CALLBACK, 1, 1, sim_set_session_privilege, "set-session-privilege", SIM_SET_PRIVILEGE},
    {APP, 0x3c, SIM_CALLBACK, 4, 5, sim_close_session, "close-session", SIM_CLOSE_SESSION},
    {APP, 0x3d, USER, 1, 5, sim_get_session_info, "get-session-info", SIM_COMMAND},
    {APP, 0x41, USER, 2, 2, sim_get_channel_access, "get-channel-access", SIM_COMMAND},
    {APP, 0x42, USER, 1, 1, sim_get_channel_info, "get-channel-info", SIM_COMMAND},
    {APP, 0x44, OPERATOR, 2, 2, sim_get_user_access, "get-user-access", SIM_COMMAND},
    {APP, 0x46, OPERATOR, 1, 1, sim_get_user_name, "get-user-name", SIM_COMMAND},
    {APP, 0x4e, USER, 1, 1, sim_get_payload_support, "get-payload-support", SIM_COMMAND},
    {APP, 0x4f, USER, 2, 2, sim_get_payload_version, "get-payload-version", SIM_COMMAND},
    {APP, 0x54, ANY, 3, 3, sim_get_cipher_suites, "get-cipher-suites", SIM_CIPHER_SUITES},
    {CHASSIS, 0x00, USER, 0, 0, sim_get_chassis_capabilities, "get-chassis-capabilities", SIM_COMMAND},
    {CHASSIS, 0x01, USER, 0, 0, sim_get_chassis_status, "get-chassis-status", SIM_COMMAND},
    {CHASSIS, 0x02, OPERATOR, 1, 1, sim_chassis_control, "chassis-control", SIM_COMMAND},
    {CHASSIS, 0x04, OPERATOR, 0, 2, sim_chassis_identify, "chassis-identify", SIM_COMMAND},
    {CHASSIS, 0x06, OPERATOR, 1, 1, sim_set_restore_policy, "set-restore-policy", SIM_COMMAND},
    {CHASSIS, 0x07, USER, 0, 0, sim_get_restart_cause, "get-restart-cause", SIM_COMMAND},
    {CHASSIS, 0x08, OPERATOR, 1, 19, sim_set_boot_options, "set-boot-options", SIM_COMMAND},
    {CHASSIS, 0x09, OPERATOR, 3, 3, sim_get_boot_options, "get-boot-options", SIM_COMMAND},
    {CHASSIS, 0x0f, USER, 0, 0, sim_get_poh_counter, "get-poh-counter", SIM_COMMAND},
    {GROUP, 0x01, USER, 2, 2, sim_dcmi_get_capabilities, "dcmi-get-capabilities", SIM_COMMAND},
    {GROUP, 0x02, USER, 4, 4, sim_dcmi_get_power_reading, "dcmi-get-power-reading", SIM_COMMAND},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };
_Static_assert((int)COMMANDS <= (int)SIM_COMMANDS_MAX, "counters for all commands");

const char *sim_command_at(unsigned index)
{
	return index < COMMANDS ? commands[index].name : NULL;
}

int sim_command_find(const char *name)
{
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return i;
	return -1;
}

static const struct sim_command *command_of(const uint8_t *message)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].net_fn == message[1] >> 2 && commands[i].cmd == message[5])
			return &commands[i];
	return NULL;
}

/* ---- effects ---- */

void sim_effect(struct sim_request *rq, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(rq->effect, sizeof(rq->effect), format, arguments);
	va_end(arguments);
}

void sim_event(struct sim_bmc *bmc, int64_t now_us, const char *what, const char *detail, bool power_before)
{
	struct sim_effect effect = {.at_us = now_us,
				    .what = what,
				    .detail = detail,
				    .power_before = power_before,
				    .power_after = bmc->chassis.power};

	if (bmc->profile->effect)
		bmc->profile->effect(bmc, &effect);
}

static void tell(const struct sim_request *rq, bool power_before, uint8_t code)
{
	struct sim_effect effect = {.at_us = rq->now_us,
				    .what = rq->command->name,
				    .detail = rq->effect,
				    .power_before = power_before,
				    .power_after = rq->bmc->chassis.power,
				    .duplicate = rq->duplicate,
				    .session = rq->session->managed_id,
				    .user = sim_session_user(rq->bmc, rq->session)->name,
				    .code = code};

	if (*rq->effect && rq->bmc->profile->effect)
		rq->bmc->profile->effect(rq->bmc, &effect);
}

/* ---- requests that come again ---- */

/* FNV-1a over everything that makes a request what it is. */
static uint64_t hash(const struct sim_request *rq)
{
	uint64_t h = 0xcbf29ce484222325U;

	for (size_t i = 0; i < 6 + rq->length; i++)
		h = (h ^ rq->message[i]) * 0x100000001b3U;
	return h;
}

/* The same rqSeq, command and data as the last one, and not long after it. */
static void recognise(struct sim_request *rq)
{
	struct sim_session *s = rq->session;
	uint64_t h = hash(rq);

	rq->duplicate = s->last_hash == h && rq->now_us - s->last_us < REPEAT_US;
	rq->bmc->profile->counters.duplicates += rq->duplicate;
	s->last_hash = h;
	s->last_us = rq->now_us;
}

static void keep(struct sim_request *rq, uint8_t code, const struct sim_buffer *reply)
{
	struct sim_session *s = rq->session;

	s->last_length = 0xff;
	if (reply->length + 1 > sizeof(s->last))
		return;
	s->last[0] = code;
	memcpy(s->last + 1, reply->data, reply->length);
	s->last_length = (uint8_t)(reply->length + 1);
}

/* ---- execution ---- */

/* The completion code that was ordered for this command; NULL: none. */
static struct sim_code *ordered(const struct sim_request *rq)
{
	struct sim_bmc *bmc = rq->bmc;

	for (unsigned i = 0; i < bmc->code_count; i++) {
		struct sim_code *code = &bmc->codes[i];

		if (code->command == rq->command - commands ||
		    (code->command == SIM_COMMANDS_MAX && rq->command->kind == SIM_COMMAND))
			return code;
	}
	return NULL;
}

static void spend(struct sim_bmc *bmc, struct sim_code *code)
{
	if (code->times == 0 || --code->times > 0)
		return;
	bmc->code_count--;
	*code = bmc->codes[bmc->code_count];
}

static uint8_t run(struct sim_request *rq, struct sim_buffer *reply)
{
	bool power = rq->bmc->chassis.power;
	uint8_t code = rq->command->run(rq, reply);

	if (rq->session)
		tell(rq, power, code);
	return code;
}

static uint8_t execute(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_code *order = ordered(rq);
	uint8_t code;
	bool done;

	if (rq->bmc->busy && rq->command->kind == SIM_COMMAND) {
		rq->bmc->busy--;
		return SIM_NODE_BUSY;
	}
	if (!order)
		return run(rq, reply);
	code = order->code;
	done = order->done;
	rq->silent = order->silent;
	spend(rq->bmc, order);
	if (done)
		run(rq, reply);
	return code;
}

static uint8_t serve(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_session *s = rq->session;
	uint8_t code;

	if (s)
		recognise(rq);
	if (s && rq->duplicate && rq->bmc->quirks.dedup && s->last_length != 0xff) {
		sim_put(reply, s->last + 1, s->last_length - 1U);
		return s->last[0];
	}
	if (!rq->command)
		return SIM_INVALID_COMMAND;
	rq->bmc->profile->counters.commands[rq->command - commands]++;
	if (s && s->privilege < rq->command->privilege)
		return SIM_PRIVILEGE;
	if (rq->length < rq->command->min_length || rq->length > rq->command->max_length)
		return SIM_LENGTH_INVALID;
	code = execute(rq, reply);
	if (s && s->state == SIM_ACTIVE)
		keep(rq, code, reply);
	return code;
}

/* ---- the message around it ---- */

static uint8_t checksum(const uint8_t *data, size_t length)
{
	uint8_t sum = 0;

	while (length-- > 0)
		sum = (uint8_t)(sum + *data++);
	return (uint8_t)-sum;
}

static bool well_formed(const uint8_t *message, size_t length)
{
	return length >= MESSAGE_MIN && message[0] == BMC_ADDRESS && checksum(message, 3) == 0 &&
	       checksum(message + 3, length - 3) == 0;
}

/* Table 13-8: the answer's header mirrors the request's. */
static void wrap(const struct sim_request *rq, uint8_t code, const struct sim_buffer *reply,
		 struct sim_buffer *out)
{
	const uint8_t *message = rq->message;
	const struct sim_quirks *quirks = &rq->bmc->quirks;

	out->length = 0;
	sim_put8(out, message[3]);
	sim_put8(out, ((message[1] >> 2) + 1U) << 2 | (message[4] & 3));
	sim_put8(out, checksum(out->data, 2));
	sim_put8(out, message[0]);
	sim_put8(out, (message[4] & ~3U) | (message[1] & 3));
	sim_put8(out, message[5]);
	sim_put8(out, code);
	/* DCMI: group extension commands always repeat the group, DCMI 6.1 */
	if (code && message[1] >> 2 == GROUP)
		sim_put(out, rq->data, rq->length > 0 ? 1 : 0);
	else if (!quirks->short_data || !rq->command || rq->command->kind != SIM_COMMAND)
		sim_put(out, reply->data, code ? 0 : reply->length);
	sim_put8(out, checksum(out->data + 3, out->length - 3) ^ (quirks->bad_checksum ? 0x55U : 0));
}

bool sim_message(struct sim_request *rq, const uint8_t *message, size_t length, struct sim_answer *answer)
{
	struct sim_buffer reply = {.length = 0};
	uint8_t code;

	if (!well_formed(message, length)) {
		rq->bmc->profile->counters.bad++;
		return false;
	}
	rq->message = message;
	rq->data = message + 6;
	rq->length = length - MESSAGE_MIN;
	rq->command = command_of(message);
	if (!rq->session && (!rq->command || rq->command->privilege != ANY))
		return false; /* not outside a session, and not a word about it */
	answer->kind = rq->command ? rq->command->kind : SIM_COMMAND;
	answer->command = rq->command ? (int)(rq->command - commands) : -1;
	rq->bmc->received[answer->kind]++;
	code = serve(rq, &reply);
	if (rq->silent)
		return false;
	wrap(rq, code, &reply, &answer->packet);
	return true;
}
