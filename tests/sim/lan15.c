/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The session format of IPMI 1.5 (table 13-8, left column) and its session set-up: 22.16 and 22.17.
 */
#include "tests/sim/internal.h"

enum { HEADER = 14, CODE = 16, PASSWORD = 16 };

enum { /* completion codes of 22.16 and 22.17 */
       CHALLENGE_INVALID_NAME = 0x81,
       CHALLENGE_NO_NULL_NAME = 0x82,
       ACTIVATE_NO_SLOT = 0x81,
       ACTIVATE_INVALID_ID = 0x85,
       ACTIVATE_PRIVILEGE = 0x86
};

/* 22.17.1: over session ID, message and sequence number */
static void code_of(const struct sim_bmc *bmc, const struct sim_session *s, uint32_t id, uint32_t sequence,
		    const uint8_t *message, size_t length, uint8_t *code)
{
	const uint8_t *password = sim_session_user(bmc, s)->password;
	struct sim_buffer b = {.length = 0};

	if (s->auth_type == SIM_AUTH_STRAIGHT) {
		memcpy(code, password, PASSWORD);
		return;
	}
	sim_put32(&b, id);
	sim_put(&b, message, length);
	sim_put32(&b, sequence);
	sim_md5_enclosed(password, PASSWORD, b.data, b.length, code);
}

static void put_packet(const struct sim_bmc *bmc, const struct sim_session *s, uint8_t auth_type,
		       uint32_t sequence, uint32_t id, struct sim_buffer *packet)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07};
	struct sim_buffer message = *packet;
	uint8_t code[CODE];

	packet->length = 0;
	sim_put(packet, rmcp, sizeof(rmcp));
	sim_put8(packet, auth_type);
	sim_put32(packet, sequence);
	sim_put32(packet, id);
	if (auth_type != SIM_AUTH_NONE) {
		code_of(bmc, s, id, sequence, message.data, message.length, code);
		sim_put(packet, code, sizeof(code));
	}
	sim_put8(packet, (unsigned)message.length);
	sim_put(packet, message.data, message.length);
}

static void answer_session(struct sim_bmc *bmc, struct sim_session *s, uint8_t auth_type, uint32_t id,
			   struct sim_answer *answer)
{
	uint32_t sequence = s->sequence++;

	if (s->sequence == 0)
		s->sequence = 1;
	if (sim_chance(bmc, bmc->faults.wrong_session))
		id ^= 0x00010000;
	if (sim_chance(bmc, bmc->faults.wrong_sequence))
		sequence += 1000;
	put_packet(bmc, s, auth_type, sequence, id, &answer->packet);
	if (auth_type != SIM_AUTH_NONE && sim_chance(bmc, bmc->faults.wrong_integrity))
		answer->packet.data[HEADER - 1] ^= 0x01;
}

static bool authentic(const struct sim_bmc *bmc, const struct sim_session *s, const uint8_t *packet,
		      const uint8_t *message, size_t length)
{
	uint8_t code[CODE];

	if (packet[4] == SIM_AUTH_NONE)
		return s->auth_type == SIM_AUTH_NONE ||
		       (s->state == SIM_ACTIVE && !bmc->profile->per_message_auth);
	if (packet[4] != s->auth_type)
		return false;
	code_of(bmc, s, sim_get32(packet + 9), sim_get32(packet + 5), message, length, code);
	return memcmp(code, packet + 13, CODE) == 0;
}

/* ---- set-up ---- */

uint8_t sim_get_session_challenge(struct sim_request *rq, struct sim_buffer *reply)
{
	const struct sim_profile *profile = rq->bmc->profile;
	const char *name = (const char *)rq->data + 1;
	size_t length = strnlen(name, SIM_NAME_MAX);
	int user = sim_user_find(profile, name, length);
	struct sim_session *s;

	if (rq->data[0] > SIM_AUTH_STRAIGHT || !(profile->auth_types & 1U << rq->data[0]))
		return SIM_INVALID_FIELD;
	if (user < 0)
		return length ? CHALLENGE_INVALID_NAME : CHALLENGE_NO_NULL_NAME;
	s = sim_session_new(rq->bmc, rq->now_us); /* the slots count with Activate Session */
	s->version_1_5 = true;
	s->auth_type = rq->data[0];
	s->user = (uint8_t)user;
	s->temporary_id = s->managed_id;
	sim_random_octets(&rq->bmc->random, s->random, sizeof(s->random));
	sim_put32(reply, s->temporary_id);
	sim_put(reply, s->random, sizeof(s->random));
	return SIM_OK;
}

/* 22.17: its answer carries the console's first number, and later ones count on from there. */
static void activate(struct sim_request *rq, struct sim_session *s, uint8_t privilege)
{
	uint32_t inbound = (uint32_t)sim_random(&rq->bmc->random) | 1;

	s->max_privilege = privilege;
	s->sequence = sim_get32(rq->data + 18);
	s->managed_id = s->managed_id ^ 0x5a5a0000;
	s->highest = inbound - 1; /* the first to come is the initial one itself */
	s->seen = 1;
	sim_session_from(s, rq->from);
	sim_session_activate(rq->bmc, s, rq->now_us,
			     s->auth_type == SIM_AUTH_MD5        ? "md5"
			     : s->auth_type == SIM_AUTH_STRAIGHT ? "straight"
								 : "none");
}

uint8_t sim_activate_session(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_session *s = rq->pending;
	uint8_t privilege = rq->data[1] & 0x0f;

	if (!s)
		return ACTIVATE_INVALID_ID;
	if (rq->data[0] != s->auth_type || privilege > SIM_ADMINISTRATOR || privilege == 0 ||
	    memcmp(rq->data + 2, s->random, sizeof(s->random)) != 0)
		return SIM_INVALID_FIELD;
	if (privilege > sim_session_user(rq->bmc, s)->privilege)
		return ACTIVATE_PRIVILEGE;
	if (s->state != SIM_ACTIVE) {
		if (!sim_session_free(rq->bmc, rq->now_us))
			return ACTIVATE_NO_SLOT;
		activate(rq, s, privilege);
	}
	sim_put8(reply, rq->bmc->profile->per_message_auth ? s->auth_type : SIM_AUTH_NONE);
	sim_put32(reply, s->managed_id);
	sim_put32(reply, s->highest + 1);
	sim_put8(reply, s->max_privilege);
	return SIM_OK;
}

/* ---- packets ---- */

static bool on_outside(struct sim_request *rq, const uint8_t *message, size_t length,
		       struct sim_answer *answer)
{
	if (!sim_message(rq, message, length, answer))
		return false;
	put_packet(rq->bmc, NULL, SIM_AUTH_NONE, 0, 0, &answer->packet);
	return true;
}

/* The session with this temporary ID, as long as nothing but Activate Session came in it. */
static struct sim_session *pending(const struct sim_bmc *bmc, uint32_t id)
{
	for (unsigned i = 0; i <= bmc->profile->slots; i++) {
		struct sim_session *s = &bmc->sessions[i];

		if (s->state != SIM_FREE && s->version_1_5 && s->temporary_id == id && !s->used)
			return s;
	}
	return NULL;
}

static bool on_activate(struct sim_request *rq, struct sim_session *s, const uint8_t *packet,
			const uint8_t *message, size_t length, struct sim_answer *answer)
{
	uint32_t id = sim_get32(packet + 9);

	if (!authentic(rq->bmc, s, packet, message, length) || length < 6 || message[1] >> 2 != 0x06 ||
	    message[5] != 0x3a) {
		rq->bmc->profile->counters.bad++;
		return false;
	}
	rq->pending = s;
	if (!sim_message(rq, message, length, answer))
		return false;
	answer_session(rq->bmc, s, packet[4], id, answer);
	return true;
}

static bool on_session(struct sim_request *rq, struct sim_session *s, const uint8_t *packet,
		       const uint8_t *message, size_t length, struct sim_answer *answer)
{
	if (!authentic(rq->bmc, s, packet, message, length) || !sim_sequence_take(s, sim_get32(packet + 5))) {
		rq->bmc->profile->counters.bad++;
		return false;
	}
	s->used = true;
	s->used_us = rq->now_us;
	sim_session_from(s, rq->from);
	rq->session = s;
	if (!sim_message(rq, message, length, answer))
		return false;
	answer_session(rq->bmc, s, packet[4], s->managed_id, answer);
	return true;
}

bool sim_lan15_receive(struct sim_request *rq, uint8_t *packet, size_t length, struct sim_answer *answer)
{
	size_t header = HEADER + (packet[4] == SIM_AUTH_NONE ? 0 : CODE);
	const uint8_t *message = packet + header;
	struct sim_session *s;
	uint32_t id;

	/* one octet more is a legacy pad, table 13-8, note on the length of Ethernet frames */
	if (length < header ||
	    (header + packet[header - 1] != length && header + packet[header - 1] + 1 != length)) {
		rq->bmc->profile->counters.bad++;
		return false;
	}
	length = packet[header - 1];
	id = sim_get32(packet + 9);
	if (id == 0)
		return packet[4] == SIM_AUTH_NONE && on_outside(rq, message, length, answer);
	s = sim_session_find(rq->bmc, id, rq->now_us);
	if (s && s->version_1_5 && s->state == SIM_ACTIVE)
		return on_session(rq, s, packet, message, length, answer);
	s = pending(rq->bmc, id);
	if (s)
		return on_activate(rq, s, packet, message, length, answer);
	rq->bmc->profile->counters.unknown++;
	return false;
}
