/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A BMC for fuzzing: it knows user, password and K_g, and answers everything rightly, in RMCP+ and in IPMI 1.5. Its
 * answers are shown three times while they are made, so that they can be spoiled before or after what protects them:
 * what a broken or malicious BMC would say, and what somebody in between could do to it. Sections and tables are those of
 * the IPMI specification v2.0 rev. 1.1.
 */
#ifndef PM_FUZZ_PEER_H
#define PM_FUZZ_PEER_H

#include <stdbool.h>

#include "tests/sim/crypto.h"
#include "tests/sim/octets.h"

enum peer_layer {
	PEER_BODY,    /* a completion code and its data, or a set-up answer without its authentication code */
	PEER_PAYLOAD, /* the IPMI message with header and checksums, or the whole set-up answer */
	PEER_PACKET   /* what goes over the network */
};

enum peer_quirk { /* about cipher suites other than its own */
		  PEER_TAKES_ALL,
		  PEER_REFUSES,
		  PEER_IS_SILENT,
		  PEER_INSISTS /* answers with the algorithms of its own */
};

enum { PEER_AUTH_MD5 = 2, PEER_AUTH_RMCPPLUS = 6, PEER_BODY_MAX = 256 };

struct peer {
	const char *username, *password, *kg;
	enum peer_quirk quirk;
	const struct sim_suite *own;
	bool (*edit)(enum peer_layer layer, bool set_up,
		     struct sim_buffer *buffer); /* false: nothing is sent */
	struct sim_buffer answer;
	bool answers;
	/* of the request at hand */
	uint8_t auth_type;
	uint32_t session_id;
	/* the session of RMCP+ */
	const struct sim_suite *suite;
	bool active;
	uint32_t console_id, managed_id, sequence;
	uint8_t console_random[16], random[16], guid[16], role;
	uint8_t sik[SIM_DIGEST_MAX], k1[SIM_DIGEST_MAX], k2[SIM_DIGEST_MAX];
	/* that of IPMI 1.5, first the challenge's; 0: none */
	uint32_t lan_id, lan_sequence;
	uint8_t lan_auth_type, challenge[16];
	bool lan_active;
	/* the machine; what was heard and said about it */
	bool power;
	uint8_t boot[5];
	unsigned controls, sessions;
	bool said_on, said_off;
};

static inline bool peer_edit(struct peer *p, enum peer_layer layer, bool set_up, struct sim_buffer *b)
{
	if (!p->edit(layer, set_up, b))
		return false;
	return layer != PEER_BODY || b->length <= PEER_BODY_MAX;
}

static inline void peer_done(struct peer *p, bool set_up, const struct sim_buffer *packet)
{
	p->answer = *packet;
	p->answers = peer_edit(p, PEER_PACKET, set_up, &p->answer);
}

/* ---- what the keys do ---- */

static inline void peer_hmac(const struct peer *p, const void *key, size_t key_length,
			     const struct sim_buffer *data, uint8_t *digest)
{
	sim_hmac(p->suite->hash, key, key_length, data->data, data->length, digest);
}

static inline void peer_put_role(const struct peer *p, struct sim_buffer *b)
{
	sim_put8(b, p->role);
	sim_put8(b, (unsigned)strlen(p->username));
	sim_put(b, p->username, strlen(p->username));
}

/* 13.31 and 13.32 */
static inline void peer_derive_keys(struct peer *p)
{
	struct sim_buffer b = {.length = 0};
	uint8_t key[SIM_KEY_LENGTH] = {0}, constant[20];

	if (!p->suite->authentication)
		return;
	memcpy(key, p->kg ? p->kg : p->password, strlen(p->kg ? p->kg : p->password));
	sim_put(&b, p->console_random, 16);
	sim_put(&b, p->random, 16);
	peer_put_role(p, &b);
	peer_hmac(p, key, sizeof(key), &b, p->sik);
	for (int i = 1; i <= 2; i++) {
		b.length = 0;
		memset(constant, i, sizeof(constant));
		sim_put(&b, constant, sizeof(constant));
		peer_hmac(p, p->sik, p->suite->digest_length, &b, i == 1 ? p->k1 : p->k2);
	}
}

/* Over a packet without its RMCP header; integrity algorithm 3 is MD5-128 (13.28.3). */
static inline void peer_integrity_code(const struct peer *p, const uint8_t *packet, size_t length,
				       uint8_t *digest)
{
	uint8_t password[SIM_KEY_LENGTH] = {0};

	memcpy(password, p->password, strlen(p->password));
	if (p->suite->integrity == 3)
		sim_md5_enclosed(password, sizeof(password), packet + 4, length - 4, digest);
	else
		sim_hmac(p->suite->hash, p->k1, p->suite->digest_length, packet + 4, length - 4, digest);
}

/* Table 13-8, session trailer: what is signed is padded to a multiple of four octets. */
static inline void peer_sign(const struct peer *p, struct sim_buffer *packet)
{
	uint8_t digest[SIM_DIGEST_MAX];
	unsigned pad = 0;

	for (; (packet->length - 4 + 2) % 4; pad++)
		sim_put8(packet, 0xff);
	sim_put8(packet, pad);
	sim_put8(packet, 0x07);
	peer_integrity_code(p, packet->data, packet->length, digest);
	sim_put(packet, digest, p->suite->code_length);
}

static inline bool peer_signed(const struct peer *p, const uint8_t *packet, size_t length)
{
	uint8_t digest[SIM_DIGEST_MAX];

	if (!p->suite->integrity)
		return true;
	if (length < 16U + p->suite->code_length)
		return false;
	peer_integrity_code(p, packet, length - p->suite->code_length, digest);
	return memcmp(digest, packet + length - p->suite->code_length, p->suite->code_length) == 0;
}

/* Table 13-20 */
static inline void peer_encrypt(const struct peer *p, struct sim_buffer *payload)
{
	struct sim_buffer out = {.length = 0};
	uint8_t iv[SIM_AES_BLOCK];
	unsigned pad = 0;

	ipmi_get_random(iv, sizeof(iv));
	sim_put(&out, iv, sizeof(iv));
	sim_put(&out, payload->data, payload->length);
	while ((out.length + 1) % SIM_AES_BLOCK)
		sim_put8(&out, ++pad);
	sim_put8(&out, pad);
	sim_aes_encrypt(p->k2, iv, out.data + SIM_AES_BLOCK, out.length - SIM_AES_BLOCK);
	*payload = out;
}

/* 22.17.1, with the password padded to 16 octets */
static inline void peer_lan_code(const struct peer *p, uint32_t id, uint32_t sequence, const uint8_t *message,
				 size_t length, uint8_t *code)
{
	struct sim_buffer b = {.length = 0};
	uint8_t password[16] = {0};

	memcpy(password, p->password, strlen(p->password));
	sim_put32(&b, id);
	sim_put(&b, message, length);
	sim_put32(&b, sequence);
	sim_md5_enclosed(password, sizeof(password), b.data, b.length, code);
}

/* ---- RMCP+ set-up, 13.17 to 13.24 ---- */

static inline void peer_header(struct sim_buffer *packet, unsigned type, uint32_t id, uint32_t sequence,
			       size_t length)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07, PEER_AUTH_RMCPPLUS};

	packet->length = 0;
	sim_put(packet, rmcp, sizeof(rmcp));
	sim_put8(packet, type);
	sim_put32(packet, id);
	sim_put32(packet, sequence);
	sim_put16(packet, (unsigned)length);
}

static inline void peer_put_head(struct peer *p, const uint8_t *request, uint8_t status, struct sim_buffer *b)
{
	b->length = 0;
	sim_put8(b, request[0]);
	sim_put8(b, status);
	sim_put8(b, 0);
	sim_put8(b, 0);
	sim_put32(b, p->console_id);
}

static inline void peer_set_up(struct peer *p, uint8_t type, struct sim_buffer *payload)
{
	struct sim_buffer packet;

	if (!peer_edit(p, PEER_PAYLOAD, true, payload))
		return;
	peer_header(&packet, type, 0, 0, payload->length);
	sim_put(&packet, payload->data, payload->length);
	peer_done(p, true, &packet);
}

static inline const struct sim_suite *peer_suite_asked(const uint8_t *request)
{
	for (size_t i = 0; i < SIM_SUITES; i++)
		if (sim_suites[i].authentication == (request[12] & 0x3f) &&
		    sim_suites[i].integrity == (request[20] & 0x3f) &&
		    sim_suites[i].confidentiality == (request[28] & 0x3f))
			return &sim_suites[i];
	return NULL;
}

static inline void peer_put_algorithm(struct sim_buffer *b, uint8_t type, uint8_t algorithm)
{
	sim_put8(b, type);
	sim_put8(b, 0);
	sim_put8(b, 0);
	sim_put8(b, 8);
	sim_put8(b, algorithm);
	sim_put(b, "\0\0", 3);
}

static inline void peer_on_open(struct peer *p, const uint8_t *request)
{
	const struct sim_suite *suite = peer_suite_asked(request);
	bool other = suite != p->own;
	uint8_t status = !suite || (other && p->quirk == PEER_REFUSES) ? 0x11 : 0;
	struct sim_buffer b;

	if (other && p->quirk == PEER_IS_SILENT)
		return;
	if (!suite || p->quirk == PEER_INSISTS)
		suite = p->own;
	p->suite = suite;
	p->console_id = sim_get32(request + 4);
	ipmi_get_random(&p->managed_id, sizeof(p->managed_id));
	p->managed_id |= 1;
	p->active = false;
	peer_put_head(p, request, status, &b);
	if (!status) {
		sim_put32(&b, p->managed_id);
		peer_put_algorithm(&b, 0, suite->authentication);
		peer_put_algorithm(&b, 1, suite->integrity);
		peer_put_algorithm(&b, 2, suite->confidentiality);
	}
	if (peer_edit(p, PEER_BODY, true, &b))
		peer_set_up(p, 0x11, &b);
}

/* What is spoiled before the code is made is what this BMC means: it goes on with that. */
static inline void peer_on_rakp_1(struct peer *p, const uint8_t *request)
{
	struct sim_buffer b, keyed = {.length = 0};
	uint8_t digest[32];

	memcpy(p->console_random, request + 8, 16);
	ipmi_get_random(p->random, sizeof(p->random));
	p->role = request[24];
	peer_put_head(p, request, 0, &b);
	sim_put(&b, p->random, 16);
	sim_put(&b, p->guid, 16);
	if (!peer_edit(p, PEER_BODY, true, &b))
		return;
	if (b.length >= 40 && b.data[1] == 0) {
		memcpy(p->random, b.data + 8, 16);
		memcpy(p->guid, b.data + 24, 16);
		sim_put32(&keyed, p->console_id);
		sim_put32(&keyed, p->managed_id);
		sim_put(&keyed, p->console_random, 16);
		sim_put(&keyed, p->random, 16);
		sim_put(&keyed, p->guid, 16);
		peer_put_role(p, &keyed);
		if (p->suite->authentication)
			peer_hmac(p, p->password, strlen(p->password), &keyed, digest);
		sim_put(&b, digest, p->suite->digest_length);
	}
	peer_set_up(p, 0x13, &b);
}

static inline uint8_t peer_status_of_rakp_3(const struct peer *p, const uint8_t *request, size_t length)
{
	struct sim_buffer keyed = {.length = 0};
	uint8_t digest[SIM_DIGEST_MAX];

	sim_put(&keyed, p->random, 16);
	sim_put32(&keyed, p->console_id);
	peer_put_role(p, &keyed);
	if (p->suite->authentication)
		peer_hmac(p, p->password, strlen(p->password), &keyed, digest);
	return length == 8U + p->suite->digest_length &&
		       memcmp(request + 8, digest, p->suite->digest_length) == 0
		   ? 0
		   : 0x0f; /* invalid integrity check value */
}

static inline void peer_on_rakp_3(struct peer *p, const uint8_t *request, size_t length)
{
	struct sim_buffer b, keyed = {.length = 0};
	uint8_t digest[32];

	if (request[1]) /* the console gives up: 13.22 asks for no answer */
		return;
	peer_put_head(p, request, peer_status_of_rakp_3(p, request, length), &b);
	if (!peer_edit(p, PEER_BODY, true, &b))
		return;
	if (b.length >= 8 && b.data[1] == 0) {
		peer_derive_keys(p);
		sim_put(&keyed, p->console_random, 16);
		sim_put32(&keyed, p->managed_id);
		sim_put(&keyed, p->guid, 16);
		if (p->suite->authentication)
			peer_hmac(p, p->sik, p->suite->digest_length, &keyed, digest);
		sim_put(&b, digest, p->suite->rakp4_length);
		p->sessions += !p->active;
		p->active = true;
		p->sequence = 0;
	}
	peer_set_up(p, 0x15, &b);
}

/* ---- messages ---- */

static inline void peer_send_lan(struct peer *p, const struct sim_buffer *message)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07};
	uint32_t sequence = p->session_id ? p->lan_sequence++ : 0;
	struct sim_buffer packet = {.length = 0};
	uint8_t code[16];

	sim_put(&packet, rmcp, sizeof(rmcp));
	sim_put8(&packet, p->auth_type);
	sim_put32(&packet, sequence);
	sim_put32(&packet, p->session_id);
	if (p->auth_type) {
		peer_lan_code(p, p->session_id, sequence, message->data, message->length, code);
		sim_put(&packet, code, sizeof(code));
	}
	sim_put8(&packet, (unsigned)message->length);
	sim_put(&packet, message->data, message->length);
	peer_done(p, p->session_id == 0, &packet);
}

static inline void peer_send_rmcpplus(struct peer *p, struct sim_buffer *message)
{
	const struct sim_suite *suite = p->suite;
	struct sim_buffer packet;

	if (p->session_id == 0) {
		peer_header(&packet, 0, 0, 0, message->length);
		sim_put(&packet, message->data, message->length);
		peer_done(p, true, &packet);
		return;
	}
	if (suite->confidentiality)
		peer_encrypt(p, message);
	peer_header(&packet, (uint8_t)((suite->integrity ? 0x40 : 0) | (suite->confidentiality ? 0x80 : 0)),
		    p->console_id, ++p->sequence, message->length);
	sim_put(&packet, message->data, message->length);
	if (suite->integrity)
		peer_sign(p, &packet);
	peer_done(p, false, &packet);
}

/* Table 13-8, IPMI message: the answer's header mirrors the request's. */
static inline void peer_message(const uint8_t *request, const struct sim_buffer *body,
				struct sim_buffer *message)
{
	uint8_t sum = 0;

	message->length = 0;
	sim_put8(message, request[3]);
	sim_put8(message, request[1] + 4U);
	sim_put8(message, 0U - message->data[0] - message->data[1]);
	sim_put8(message, request[0]);
	sim_put8(message, request[4]);
	sim_put8(message, request[5]);
	sim_put(message, body->data, body->length);
	for (size_t i = 3; i < message->length; i++)
		sum = (uint8_t)(sum + message->data[i]);
	sim_put8(message, 0U - sum);
}

/* The body begins with the completion code. */
static inline void peer_answer(struct peer *p, const uint8_t *request, struct sim_buffer *body)
{
	struct sim_buffer message;
	bool set_up = p->session_id == 0;

	if (!peer_edit(p, PEER_BODY, set_up, body) || body->length == 0)
		return;
	peer_message(request, body, &message);
	if (!peer_edit(p, PEER_PAYLOAD, set_up, &message) || message.length > PEER_BODY_MAX)
		return;
	if (message.length > 7 && message.data[5] == 0x01 && message.data[6] == 0) {
		p->said_on |= message.data[7] & 1;
		p->said_off |= !(message.data[7] & 1);
	}
	if (p->auth_type == PEER_AUTH_RMCPPLUS)
		peer_send_rmcpplus(p, &message);
	else
		peer_send_lan(p, &message);
}

/* 22.15: records of the suites, sixteen octets an answer */
static inline void peer_put_suites(const struct peer *p, const uint8_t *data, struct sim_buffer *body)
{
	struct sim_buffer records = {.length = 0};
	size_t from = (size_t)(data[2] & 0x3f) * 16;

	for (size_t i = 0; i < SIM_SUITES; i++) {
		const struct sim_suite *suite = &sim_suites[i];

		if (p->quirk != PEER_TAKES_ALL && suite != p->own)
			continue;
		sim_put8(&records, 0xc0);
		sim_put8(&records, suite->id);
		sim_put8(&records, suite->authentication);
		sim_put8(&records, 0x40U | suite->integrity);
		sim_put8(&records, 0x80U | suite->confidentiality);
	}
	sim_put8(body, 1);
	if (from < records.length)
		sim_put(body, records.data + from, records.length - from < 16 ? records.length - from : 16);
}

static inline void peer_activate(struct peer *p, const uint8_t *data, struct sim_buffer *body)
{
	p->lan_active = true;
	p->sessions++;
	p->lan_sequence = sim_get32(data + 18); /* 22.17: the console chooses where the BMC begins */
	ipmi_get_random(&p->lan_id, sizeof(p->lan_id));
	sim_put8(body, p->lan_auth_type);
	sim_put32(body, p->lan_id);
	sim_put32(body, 1);
	sim_put8(body, 4);
}

/* What is answered to network function "application"; false: not known. */
static inline bool peer_do_application(struct peer *p, const uint8_t *request, struct sim_buffer *body)
{
	const uint8_t *data = request + 6;

	switch (request[5]) {
	case 0x38: /* Get Channel Authentication Capabilities */
		sim_put(body, (uint8_t[]){0x01, 0x97, 0x04, 0x03, 0, 0, 0, 0}, 8);
		return true;
	case 0x54: /* Get Channel Cipher Suites */
		peer_put_suites(p, data, body);
		return true;
	case 0x39: /* Get Session Challenge */
		p->lan_auth_type = data[0];
		p->lan_active = false;
		ipmi_get_random(&p->lan_id, sizeof(p->lan_id));
		ipmi_get_random(p->challenge, sizeof(p->challenge));
		sim_put32(body, p->lan_id);
		sim_put(body, p->challenge, sizeof(p->challenge));
		return true;
	case 0x3a: /* Activate Session; answered under the number of the challenge */
		peer_activate(p, data, body);
		return true;
	case 0x3b: /* Set Session Privilege Level */
		sim_put8(body, data[0]);
		return true;
	case 0x3c: /* Close Session */
		return true;
	default:
		return false;
	}
}

static inline bool peer_do_chassis(struct peer *p, const uint8_t *request, struct sim_buffer *body)
{
	static const uint8_t hours[] = {60, 42, 1, 0, 0}, version[] = {1, 5};
	const uint8_t *data = request + 6;

	switch (request[5]) {
	case 0x01: /* Get Chassis Status */
		sim_put8(body, p->power);
		sim_put(body, (uint8_t[]){0x10, 0x40, 0}, 3);
		return true;
	case 0x02: /* Chassis Control */
		p->controls++;
		p->power = data[0] == 1 || (p->power && data[0] != 0 && data[0] != 5);
		return true;
	case 0x04: /* Chassis Identify */
		return true;
	case 0x06: /* Set Power Restore Policy */
		sim_put8(body, 7);
		return true;
	case 0x08: /* Set System Boot Options */
		if ((data[0] & 0x7f) == 5)
			memcpy(p->boot, data + 1, sizeof(p->boot));
		return true;
	case 0x09: /* Get System Boot Options */
		sim_put(body, version, sizeof(version));
		sim_put(body, p->boot, sizeof(p->boot));
		return true;
	case 0x0f: /* Get POH Counter */
		sim_put(body, hours, sizeof(hours));
		return true;
	default:
		return false;
	}
}

/* DCMI 1.5, 6.6.1: Get Power Reading */
static inline bool peer_do_dcmi(const uint8_t *request, struct sim_buffer *body)
{
	static const uint8_t reading[] = {0xdc, 0xc8, 0, 0x64, 0,    0x2c, 1, 0x96, 0,
					  0,    0,    0, 0,    0xe8, 3,    0, 0,    0x40};

	if (request[5] != 0x02)
		return false;
	sim_put(body, reading, sizeof(reading));
	return true;
}

/* Only what may be asked outside a session is answered there. */
static inline void peer_on_message(struct peer *p, const uint8_t *request, size_t length)
{
	struct sim_buffer body = {.length = 0};
	uint8_t padded[64] = {0}, net_fn;
	bool known = false;

	if (length < 7 || length > sizeof(padded))
		abort(); /* the engine sends nothing like that */
	memcpy(padded, request, length);
	net_fn = padded[1] >> 2;
	sim_put8(&body, 0);
	if (p->session_id == 0 && (net_fn != 0x06 || padded[5] == 0x3b || padded[5] == 0x3c))
		return;
	if (net_fn == 0x06)
		known = peer_do_application(p, padded, &body);
	else if (net_fn == 0x00)
		known = peer_do_chassis(p, padded, &body);
	else if (net_fn == 0x2c)
		known = peer_do_dcmi(padded, &body);
	if (!known)
		body.data[0] = 0xc1;
	peer_answer(p, padded, &body);
	if (net_fn == 0x06 && padded[5] == 0x3c)
		p->active = p->lan_active = false;
}

/* ---- packets ---- */

/* A session is known by its ID; then what the engine sends has to be right. */
static inline void peer_on_session(struct peer *p, uint8_t *packet, size_t length)
{
	size_t payload_length = (size_t)(packet[14] | packet[15] << 8), pad;
	uint8_t *message = packet + 16;

	p->session_id = sim_get32(packet + 6);
	if (p->session_id == 0) {
		peer_on_message(p, message, payload_length);
		return;
	}
	if (!p->active || p->session_id != p->managed_id)
		return;
	if (!peer_signed(p, packet, length))
		abort();
	if (p->suite->confidentiality) {
		message += SIM_AES_BLOCK;
		payload_length -= SIM_AES_BLOCK;
		sim_aes_decrypt(p->k2, message - SIM_AES_BLOCK, message, payload_length);
		pad = message[payload_length - 1];
		if (pad >= payload_length)
			abort();
		payload_length -= pad + 1;
	}
	peer_on_message(p, message, payload_length);
}

static inline void peer_on_lan(struct peer *p, const uint8_t *packet, size_t length)
{
	size_t at = packet[4] ? 30 : 14;
	uint8_t code[16];

	if (length < at || length < at + packet[at - 1])
		abort();
	p->session_id = sim_get32(packet + 9);
	if (p->session_id && p->session_id != p->lan_id)
		return;
	if (p->auth_type) {
		peer_lan_code(p, p->session_id, sim_get32(packet + 5), packet + at, packet[at - 1], code);
		if (memcmp(code, packet + 13, sizeof(code)) != 0)
			abort();
	}
	if (p->session_id && !p->lan_active && packet[at + 5] != 0x3a)
		return;
	peer_on_message(p, packet + at, packet[at - 1]);
}

/* Takes what the engine sent. Returns whether there is an answer, in p->answer. */
static inline bool peer_receive(struct peer *p, const uint8_t *data, size_t length)
{
	uint8_t packet[1024] = {0};

	if (length < 16 || length > sizeof(packet))
		abort();
	memcpy(packet, data, length);
	p->answers = false;
	p->auth_type = packet[4];
	if (packet[4] != PEER_AUTH_RMCPPLUS)
		peer_on_lan(p, packet, length);
	else if (packet[5] == 0x10)
		peer_on_open(p, packet + 16);
	else if (packet[5] == 0x12 && sim_get32(packet + 20) == p->managed_id)
		peer_on_rakp_1(p, packet + 16);
	else if (packet[5] == 0x14 && sim_get32(packet + 20) == p->managed_id)
		peer_on_rakp_3(p, packet + 16, length - 16);
	else if ((packet[5] & 0x3f) == 0)
		peer_on_session(p, packet, length);
	return p->answers;
}

#endif
