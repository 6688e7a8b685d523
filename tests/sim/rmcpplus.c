/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RMCP+ packets (IPMI 2.0, 13.6 and table 13-8): integrity (13.28) and confidentiality (13.29) of messages.
 */
#include "tests/sim/internal.h"

enum { HEADER = 16, AUTHENTICATED = 0x40, ENCRYPTED = 0x80, PAYLOAD_IPMI = 0x00, NEXT_HEADER = 0x07 };

bool sim_suite_silent(const struct sim_bmc *bmc, const struct sim_session *s)
{
	return s && s->suite->id == bmc->quirks.silent_suite;
}

void sim_rmcpplus_header(struct sim_buffer *packet, unsigned type, uint32_t id, uint32_t sequence,
			 size_t length)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07, SIM_AUTH_RMCPPLUS};

	packet->length = 0;
	sim_put(packet, rmcp, sizeof(rmcp));
	sim_put8(packet, type);
	sim_put32(packet, id);
	sim_put32(packet, sequence);
	sim_put16(packet, (unsigned)length);
}

/* ---- inside a session ---- */

/* 13.28.4: over the packet from the authentication type on */
static void integrity_code(const struct sim_bmc *bmc, const struct sim_session *s, const uint8_t *packet,
			   size_t length, uint8_t *digest)
{
	if (s->suite->integrity == 3) /* MD5-128 */
		sim_md5_enclosed(sim_session_user(bmc, s)->password, SIM_PASSWORD_MAX, packet + 4, length - 4,
				 digest);
	else
		sim_hmac(s->suite->hash, s->k1, s->suite->digest_length, packet + 4, length - 4, digest);
}

/* Table 13-8, session trailer: what is signed is padded to a multiple of four octets. */
static bool authentic(const struct sim_bmc *bmc, const struct sim_session *s, const uint8_t *packet,
		      size_t length, size_t payload_length)
{
	uint8_t digest[SIM_DIGEST_MAX];
	size_t code = length - s->suite->code_length, pad;

	if (!s->suite->integrity)
		return length == HEADER + payload_length;
	if (length < HEADER + payload_length + 2 + s->suite->code_length)
		return false;
	pad = packet[code - 2];
	if (packet[code - 1] != NEXT_HEADER || code != HEADER + payload_length + pad + 2 ||
	    (code - 4) % 4 != 0)
		return false;
	integrity_code(bmc, s, packet, code, digest);
	return memcmp(digest, packet + code, s->suite->code_length) == 0;
}

/* Table 13-20: returns the length of what is left without pad, or 0 when it is not right. */
static size_t decrypt(const struct sim_session *s, uint8_t *payload, size_t length)
{
	uint8_t *clear = payload + SIM_AES_BLOCK;
	size_t left, pad;

	if (length < 2 * SIM_AES_BLOCK || length % SIM_AES_BLOCK)
		return 0;
	left = length - SIM_AES_BLOCK;
	sim_aes_decrypt(s->k2, payload, clear, left);
	pad = clear[left - 1];
	if (pad >= SIM_AES_BLOCK)
		return 0;
	for (size_t i = 1; i <= pad; i++)
		if (clear[left - 2 - pad + i] != i)
			return 0;
	return left - 1 - pad;
}

static void encrypt(struct sim_bmc *bmc, const struct sim_session *s, struct sim_buffer *payload)
{
	struct sim_buffer out = {.length = 0};
	uint8_t iv[SIM_AES_BLOCK];
	unsigned pad = 0;

	sim_random_octets(&bmc->random, iv, sizeof(iv));
	sim_put(&out, iv, sizeof(iv));
	sim_put(&out, payload->data, payload->length);
	while ((out.length + 1) % SIM_AES_BLOCK)
		sim_put8(&out, ++pad);
	sim_put8(&out, pad);
	sim_aes_encrypt(s->k2, iv, out.data + SIM_AES_BLOCK, out.length - SIM_AES_BLOCK);
	*payload = out;
}

static void sign(const struct sim_bmc *bmc, const struct sim_session *s, struct sim_buffer *packet)
{
	uint8_t digest[SIM_DIGEST_MAX];
	unsigned pad = 0;

	for (; (packet->length - 4 + 2) % 4; pad++)
		sim_put8(packet, 0xff);
	sim_put8(packet, pad);
	sim_put8(packet, NEXT_HEADER);
	integrity_code(bmc, s, packet->data, packet->length, digest);
	sim_put(packet, digest, s->suite->code_length);
}

static void answer_session(struct sim_bmc *bmc, struct sim_session *s, struct sim_answer *answer)
{
	struct sim_buffer payload = answer->packet;
	unsigned type =
	    (s->suite->integrity ? AUTHENTICATED : 0U) | (s->suite->confidentiality ? ENCRYPTED : 0U);
	uint32_t id = s->console_id, sequence = ++s->sequence;

	if (sim_chance(bmc, bmc->faults.wrong_session))
		id ^= 0x00010000;
	if (sim_chance(bmc, bmc->faults.wrong_sequence))
		sequence += 1000;
	if (s->suite->confidentiality)
		encrypt(bmc, s, &payload);
	sim_rmcpplus_header(&answer->packet, type, id, sequence, payload.length);
	sim_put(&answer->packet, payload.data, payload.length);
	if (!s->suite->integrity)
		return;
	sign(bmc, s, &answer->packet);
	if (sim_chance(bmc, bmc->faults.wrong_integrity))
		answer->packet.data[answer->packet.length - 1] ^= 0x01;
}

static bool protected_as_agreed(const struct sim_session *s, uint8_t type)
{
	return !(type & AUTHENTICATED) == !s->suite->integrity &&
	       !(type & ENCRYPTED) == !s->suite->confidentiality;
}

/* A BMC is silent about sessions that it does not know, and about what is not authentic. */
static bool on_session(struct sim_request *rq, uint8_t *packet, size_t length, size_t payload_length,
		       struct sim_answer *answer)
{
	struct sim_session *s = sim_session_find(rq->bmc, sim_get32(packet + 6), rq->now_us);
	struct sim_counters *counters = &rq->bmc->profile->counters;
	uint8_t *message = packet + HEADER;

	if (!s || s->version_1_5 || s->state != SIM_ACTIVE) {
		counters->unknown++;
		return false;
	}
	if (sim_suite_silent(rq->bmc, s))
		return false;
	if (!protected_as_agreed(s, packet[5]) || !authentic(rq->bmc, s, packet, length, payload_length) ||
	    !sim_sequence_take(s, sim_get32(packet + 10))) {
		counters->bad++;
		return false;
	}
	if (s->suite->confidentiality) {
		payload_length = decrypt(s, message, payload_length);
		message += SIM_AES_BLOCK;
	}
	s->used = true;
	s->used_us = rq->now_us;
	sim_session_from(s, rq->from);
	rq->session = s;
	if (!sim_message(rq, message, payload_length, answer))
		return false;
	answer_session(rq->bmc, s, answer);
	return true;
}

/* Some commands are answered outside a session, in this format too. */
static bool on_outside(struct sim_request *rq, const uint8_t *packet, size_t payload_length,
		       struct sim_answer *answer)
{
	struct sim_buffer payload;

	if (!sim_message(rq, packet + HEADER, payload_length, answer))
		return false;
	payload = answer->packet;
	sim_rmcpplus_header(&answer->packet, PAYLOAD_IPMI, 0, 0, payload.length);
	sim_put(&answer->packet, payload.data, payload.length);
	return true;
}

bool sim_rmcpplus_receive(struct sim_request *rq, uint8_t *packet, size_t length, struct sim_answer *answer)
{
	size_t payload_length;

	if (length < HEADER || HEADER + (payload_length = sim_get16(packet + 14)) > length) {
		rq->bmc->profile->counters.bad++;
		return false;
	}
	if (rq->bmc->profile->suite_count == 0)
		return false;
	if ((packet[5] & 0x3f) != PAYLOAD_IPMI)
		return sim_rakp_receive(rq, packet[5], packet + HEADER, payload_length, answer);
	if (sim_get32(packet + 6) != 0)
		return on_session(rq, packet, length, payload_length, answer);
	if (packet[5] == PAYLOAD_IPMI)
		return on_outside(rq, packet, payload_length, answer);
	rq->bmc->profile->counters.bad++;
	return false;
}
