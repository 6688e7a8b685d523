/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A BMC made for tests: RMCP+ written from the specification on libgcrypt alone, so that nothing is shared
 * with the engine or FreeIPMI, and with a hook through which it can misbehave. One UDP socket on 127.0.0.1
 * and one session. Sections and tables are those of the IPMI specification v2.0 rev. 1.1.
 */
#ifndef PM_FAKE_BMC_H
#define PM_FAKE_BMC_H

#include <gcrypt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum fake_kind { /* of a request */
		 FAKE_AUTH_CAPABILITIES,
		 FAKE_OPEN_SESSION,
		 FAKE_RAKP_1,
		 FAKE_RAKP_3,
		 FAKE_SET_PRIVILEGE,
		 FAKE_CLOSE_SESSION,
		 FAKE_COMMAND,
		 FAKE_KINDS
};

enum { FAKE_PACKET_MAX = 512, FAKE_AES_BLOCK = 16 };

struct fake_suite {
	uint8_t id, authentication, integrity, confidentiality; /* tables 13-17 to 13-19 */
	int hash;                                               /* of authentication and HMAC integrity */
	size_t digest_length, rakp4_length, code_length;
};

struct fake_bmc {
	uv_udp_t socket;
	struct sockaddr_in peer; /* who asked last */
	uint16_t port;
	const struct fake_suite *suite;
	const char *username, *password, *kg;
	uint8_t max_privilege;

	uint32_t console_id, managed_id, sequence;
	uint8_t console_random[16], random[16], guid[16], role;
	uint8_t sik[32], k1[32], k2[32];
	bool session;

	bool power;
	uint8_t boot[5];                         /* boot option parameter 5, table 28-14 */
	unsigned received[FAKE_KINDS], controls; /* controls: executed */
	uint8_t open_status, rakp2_status, rakp4_status, completion_code, privilege_code;
	uint8_t control_code; /* Chassis Control is done, and answered with this */
	unsigned busy;        /* this many commands are answered "node busy" */
	bool short_data;      /* commands are answered without data */
	bool extra_octet;     /* RAKP message 2 carries one octet too many */
	bool bad_checksum, no_ipmi_2, rakp4_not_empty, short_refusal;
	/*
	 * Called with each answer before it is sent; returns false to swallow it. It may send other packets
	 * by fake_send(). plain_flags says that the packet is inside the session.
	 */
	bool (*filter)(struct fake_bmc *bmc, enum fake_kind kind, uint8_t *packet, size_t length);
	/* Called with each chassis command that is done, its number and the octets that may be its data. */
	void (*done)(struct fake_bmc *bmc, uint8_t command, const uint8_t *data);
	void *data;
};

static const struct fake_suite fake_suites[] = {
    {0, 0, 0, 0, 0, 0, 0, 0},
    {1, 1, 0, 0, GCRY_MD_SHA1, 20, 12, 0},
    {2, 1, 1, 0, GCRY_MD_SHA1, 20, 12, 12},
    {3, 1, 1, 1, GCRY_MD_SHA1, 20, 12, 12},
    {6, 2, 0, 0, GCRY_MD_MD5, 16, 16, 0},
    {7, 2, 2, 0, GCRY_MD_MD5, 16, 16, 16},
    {8, 2, 2, 1, GCRY_MD_MD5, 16, 16, 16},
    {11, 2, 3, 0, GCRY_MD_MD5, 16, 16, 16},
    {12, 2, 3, 1, GCRY_MD_MD5, 16, 16, 16},
    {15, 3, 0, 0, GCRY_MD_SHA256, 32, 16, 0},
    {16, 3, 4, 0, GCRY_MD_SHA256, 32, 16, 16},
    {17, 3, 4, 1, GCRY_MD_SHA256, 32, 16, 16},
};
enum { FAKE_SUITES = sizeof(fake_suites) / sizeof(fake_suites[0]) };

/* ---- octets ---- */

struct fake_buffer {
	uint8_t data[FAKE_PACKET_MAX];
	size_t length;
};

static inline void fake_put(struct fake_buffer *b, const void *data, size_t length)
{
	if (b->length + length > sizeof(b->data))
		abort();
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
}

static inline void fake_put8(struct fake_buffer *b, unsigned value)
{
	uint8_t octet = (uint8_t)value;

	fake_put(b, &octet, 1);
}

static inline void fake_put32(struct fake_buffer *b, uint32_t value)
{
	for (int shift = 0; shift < 32; shift += 8)
		fake_put8(b, value >> shift);
}

static inline uint32_t fake_get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- crypto ---- */

static inline void fake_hmac(int hash, const void *key, size_t key_length, const struct fake_buffer *data,
			     uint8_t *digest)
{
	gcry_md_hd_t md;

	if (gcry_md_open(&md, hash, GCRY_MD_FLAG_HMAC) || gcry_md_setkey(md, key, key_length))
		abort();
	gcry_md_write(md, data->data, data->length);
	memcpy(digest, gcry_md_read(md, hash), gcry_md_get_algo_dlen(hash));
	gcry_md_close(md);
}

/* Integrity algorithm MD5-128 (13.28.3): the password, padded to 20 octets, before and after the data. */
static inline void fake_md5_128(const char *password, const struct fake_buffer *data, uint8_t *digest)
{
	struct fake_buffer all = {.length = 0};
	uint8_t padded[20] = {0};

	memcpy(padded, password, strlen(password));
	fake_put(&all, padded, sizeof(padded));
	fake_put(&all, data->data, data->length);
	fake_put(&all, padded, sizeof(padded));
	gcry_md_hash_buffer(GCRY_MD_MD5, digest, all.data, all.length);
}

static inline void fake_aes(const struct fake_bmc *bmc, const uint8_t *iv, uint8_t *data, size_t length,
			    bool encrypt)
{
	gcry_cipher_hd_t cipher;
	gcry_error_t error;

	if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC, 0) ||
	    gcry_cipher_setkey(cipher, bmc->k2, FAKE_AES_BLOCK) ||
	    gcry_cipher_setiv(cipher, iv, FAKE_AES_BLOCK))
		abort();
	error = encrypt ? gcry_cipher_encrypt(cipher, data, length, NULL, 0)
			: gcry_cipher_decrypt(cipher, data, length, NULL, 0);
	if (error)
		abort();
	gcry_cipher_close(cipher);
}

static inline void fake_put_role(const struct fake_bmc *bmc, struct fake_buffer *b)
{
	fake_put8(b, bmc->role);
	fake_put8(b, (unsigned)strlen(bmc->username));
	fake_put(b, bmc->username, strlen(bmc->username));
}

/* 13.31 and 13.32 */
static inline void fake_derive_keys(struct fake_bmc *bmc)
{
	const char *key = bmc->kg ? bmc->kg : bmc->password;
	struct fake_buffer b = {.length = 0};
	uint8_t constant[20];

	if (!bmc->suite->authentication)
		return;
	fake_put(&b, bmc->console_random, 16);
	fake_put(&b, bmc->random, 16);
	fake_put_role(bmc, &b);
	fake_hmac(bmc->suite->hash, key, strlen(key), &b, bmc->sik);
	for (int i = 1; i <= 2; i++) {
		memset(constant, i, sizeof(constant));
		b.length = 0;
		fake_put(&b, constant, sizeof(constant));
		fake_hmac(bmc->suite->hash, bmc->sik, bmc->suite->digest_length, &b,
			  i == 1 ? bmc->k1 : bmc->k2);
	}
}

static inline void fake_integrity_code(const struct fake_bmc *bmc, const struct fake_buffer *data,
				       uint8_t *digest)
{
	if (bmc->suite->integrity == 3)
		fake_md5_128(bmc->password, data, digest);
	else
		fake_hmac(bmc->suite->hash, bmc->k1, bmc->suite->digest_length, data, digest);
}

/* ---- sending ---- */

static inline void fake_send(struct fake_bmc *bmc, const uint8_t *packet, size_t length)
{
	uv_buf_t buffer = uv_buf_init((char *)packet, (unsigned)length);

	if (uv_udp_try_send(&bmc->socket, &buffer, 1, (const struct sockaddr *)&bmc->peer) < 0)
		abort();
}

static inline void fake_answer(struct fake_bmc *bmc, enum fake_kind kind, struct fake_buffer *packet)
{
	if (!bmc->filter || bmc->filter(bmc, kind, packet->data, packet->length))
		fake_send(bmc, packet->data, packet->length);
}

/* Table 13-8, IPMI message: the answer's header mirrors the request's. */
static inline void fake_message(const struct fake_bmc *bmc, const uint8_t *request, uint8_t code,
				const uint8_t *data, size_t length, struct fake_buffer *message)
{
	uint8_t sum = 0;

	message->length = 0;
	fake_put8(message, request[3]);
	fake_put8(message, request[1] + 4U);
	fake_put8(message, 0U - message->data[0] - message->data[1]);
	fake_put8(message, request[0]);
	fake_put8(message, request[4]);
	fake_put8(message, request[5]);
	fake_put8(message, code);
	fake_put(message, data, code ? 0 : length);
	for (size_t i = 3; i < message->length; i++)
		sum = (uint8_t)(sum + message->data[i]);
	fake_put8(message, (uint8_t)(0U - sum) ^ (bmc->bad_checksum ? 0x55U : 0));
}

static inline void fake_header(struct fake_buffer *packet, uint8_t type, uint32_t id, uint32_t sequence,
			       size_t length)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07, 0x06};

	packet->length = 0;
	fake_put(packet, rmcp, sizeof(rmcp));
	fake_put8(packet, type);
	fake_put32(packet, id);
	fake_put32(packet, sequence);
	fake_put8(packet, (unsigned)length);
	fake_put8(packet, (unsigned)length >> 8);
}

static inline void fake_answer_setup(struct fake_bmc *bmc, enum fake_kind kind, uint8_t type,
				     const struct fake_buffer *payload)
{
	struct fake_buffer packet;

	fake_header(&packet, type, 0, 0, payload->length);
	fake_put(&packet, payload->data, payload->length);
	fake_answer(bmc, kind, &packet);
}

/* Table 13-20 */
static inline void fake_encrypt(const struct fake_bmc *bmc, struct fake_buffer *payload)
{
	struct fake_buffer clear = *payload;
	uint8_t iv[FAKE_AES_BLOCK];
	unsigned pad = 0;

	while ((clear.length + 1) % FAKE_AES_BLOCK)
		fake_put8(&clear, ++pad);
	fake_put8(&clear, pad);
	gcry_create_nonce(iv, sizeof(iv));
	fake_aes(bmc, iv, clear.data, clear.length, true);
	payload->length = 0;
	fake_put(payload, iv, sizeof(iv));
	fake_put(payload, clear.data, clear.length);
}

/* Table 13-8, session trailer: padded so that what is signed is a multiple of four octets long. */
static inline void fake_sign(const struct fake_bmc *bmc, struct fake_buffer *packet)
{
	struct fake_buffer covered = {.length = 0};
	uint8_t digest[32];
	unsigned pad = 0;

	for (; (packet->length - 4 + 2) % 4; pad++)
		fake_put8(packet, 0xff);
	fake_put8(packet, pad);
	fake_put8(packet, 0x07);
	fake_put(&covered, packet->data + 4, packet->length - 4);
	fake_integrity_code(bmc, &covered, digest);
	fake_put(packet, digest, bmc->suite->code_length);
}

static inline void fake_answer_session(struct fake_bmc *bmc, enum fake_kind kind, struct fake_buffer *payload)
{
	const struct fake_suite *suite = bmc->suite;
	struct fake_buffer packet;
	uint8_t type = (uint8_t)((suite->integrity ? 0x40 : 0) | (suite->confidentiality ? 0x80 : 0));

	if (suite->confidentiality)
		fake_encrypt(bmc, payload);
	fake_header(&packet, type, bmc->console_id, ++bmc->sequence, payload->length);
	fake_put(&packet, payload->data, payload->length);
	if (suite->integrity)
		fake_sign(bmc, &packet);
	fake_answer(bmc, kind, &packet);
}

/* ---- receiving ---- */

static inline void fake_on_auth_capabilities(struct fake_bmc *bmc, const uint8_t *message)
{
	uint8_t data[] = {0x01, bmc->no_ipmi_2 ? 0x04 : 0x84, 0x04, bmc->no_ipmi_2 ? 0x01 : 0x03, 0, 0, 0, 0};
	static const uint8_t header[] = {0x06, 0x00, 0xff, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	struct fake_buffer packet = {.length = 0}, answer;

	bmc->received[FAKE_AUTH_CAPABILITIES]++;
	fake_message(bmc, message, 0, data, sizeof(data), &answer);
	fake_put(&packet, header, sizeof(header));
	fake_put8(&packet, (unsigned)answer.length);
	fake_put(&packet, answer.data, answer.length);
	fake_answer(bmc, FAKE_AUTH_CAPABILITIES, &packet);
}

static inline uint8_t fake_open_status(const struct fake_bmc *bmc, const uint8_t *request)
{
	if (bmc->open_status)
		return bmc->open_status;
	if (request[12] != bmc->suite->authentication || request[20] != bmc->suite->integrity ||
	    request[28] != bmc->suite->confidentiality)
		return 0x11; /* no cipher suite match */
	return 0;
}

static inline void fake_on_open(struct fake_bmc *bmc, const uint8_t *request)
{
	uint8_t status = fake_open_status(bmc, request);
	struct fake_buffer b = {.length = 0};

	bmc->received[FAKE_OPEN_SESSION]++;
	bmc->console_id = fake_get32(request + 4);
	gcry_create_nonce(&bmc->managed_id, sizeof(bmc->managed_id));
	bmc->managed_id |= 1;
	bmc->session = false;
	fake_put8(&b, request[0]);
	fake_put8(&b, status);
	if (!status || !bmc->short_refusal) {
		fake_put8(&b, request[1]);
		fake_put8(&b, 0);
		fake_put32(&b, bmc->console_id);
	}
	if (!status) {
		fake_put32(&b, bmc->managed_id);
		fake_put(&b, request + 8, 24);
	}
	fake_answer_setup(bmc, FAKE_OPEN_SESSION, 0x11, &b);
}

static inline uint8_t fake_rakp2_status(const struct fake_bmc *bmc, const uint8_t *request)
{
	if (bmc->rakp2_status)
		return bmc->rakp2_status;
	if (fake_get32(request + 4) != bmc->managed_id)
		return 0x02; /* invalid session ID */
	if ((request[24] & 0x0f) > bmc->max_privilege)
		return 0x0a; /* unauthorized privilege level */
	if (request[27] != strlen(bmc->username) || memcmp(request + 28, bmc->username, request[27]) != 0)
		return 0x0d; /* unauthorized name */
	return 0;
}

static inline void fake_on_rakp_1(struct fake_bmc *bmc, const uint8_t *request)
{
	uint8_t status = fake_rakp2_status(bmc, request);
	struct fake_buffer b = {.length = 0}, keyed = {.length = 0};
	uint8_t digest[32];

	bmc->received[FAKE_RAKP_1]++;
	memcpy(bmc->console_random, request + 8, 16);
	gcry_create_nonce(bmc->random, sizeof(bmc->random)); /* a new one also for a repeated message */
	bmc->role = request[24];
	fake_put8(&b, request[0]);
	fake_put8(&b, status);
	fake_put8(&b, 0);
	fake_put8(&b, 0);
	fake_put32(&b, bmc->console_id);
	if (!status) {
		fake_put(&b, bmc->random, 16);
		fake_put(&b, bmc->guid, 16);
		fake_put32(&keyed, bmc->console_id);
		fake_put32(&keyed, bmc->managed_id);
		fake_put(&keyed, bmc->console_random, 16);
		fake_put(&keyed, bmc->random, 16);
		fake_put(&keyed, bmc->guid, 16);
		fake_put_role(bmc, &keyed);
		if (bmc->suite->authentication)
			fake_hmac(bmc->suite->hash, bmc->password, strlen(bmc->password), &keyed, digest);
		fake_put(&b, digest, bmc->suite->digest_length);
		fake_put(&b, "", bmc->extra_octet);
	}
	fake_answer_setup(bmc, FAKE_RAKP_1, 0x13, &b);
}

static inline uint8_t fake_rakp4_status(const struct fake_bmc *bmc, const uint8_t *request, size_t length)
{
	struct fake_buffer keyed = {.length = 0};
	uint8_t digest[32];

	if (bmc->rakp4_status)
		return bmc->rakp4_status;
	if (fake_get32(request + 4) != bmc->managed_id)
		return 0x02;
	fake_put(&keyed, bmc->random, 16);
	fake_put32(&keyed, bmc->console_id);
	fake_put_role(bmc, &keyed);
	if (bmc->suite->authentication)
		fake_hmac(bmc->suite->hash, bmc->password, strlen(bmc->password), &keyed, digest);
	if (length != 8 + bmc->suite->digest_length ||
	    memcmp(request + 8, digest, bmc->suite->digest_length) != 0)
		return 0x0f; /* invalid integrity check value */
	return 0;
}

static inline void fake_on_rakp_3(struct fake_bmc *bmc, const uint8_t *request, size_t length)
{
	struct fake_buffer b = {.length = 0}, keyed = {.length = 0};
	uint8_t digest[32] = {1}, status;

	bmc->received[FAKE_RAKP_3]++;
	if (request[1]) { /* the console gives up: 13.22 asks for no answer */
		bmc->managed_id = 0;
		return;
	}
	status = fake_rakp4_status(bmc, request, length);
	fake_put8(&b, request[0]);
	fake_put8(&b, status);
	fake_put8(&b, 0);
	fake_put8(&b, 0);
	fake_put32(&b, bmc->console_id);
	if (!status) {
		fake_derive_keys(bmc);
		fake_put(&keyed, bmc->console_random, 16);
		fake_put32(&keyed, bmc->managed_id);
		fake_put(&keyed, bmc->guid, 16);
		if (bmc->suite->authentication)
			fake_hmac(bmc->suite->hash, bmc->sik, bmc->suite->digest_length, &keyed, digest);
		fake_put(&b, digest, bmc->rakp4_not_empty ? 4 : bmc->suite->rakp4_length);
		bmc->session = true;
		bmc->sequence = 0;
	}
	fake_answer_setup(bmc, FAKE_RAKP_3, 0x15, &b);
}

static inline void fake_answer_message(struct fake_bmc *bmc, enum fake_kind kind, const uint8_t *request,
				       uint8_t code, const uint8_t *data, size_t length)
{
	struct fake_buffer answer;

	fake_message(bmc, request, code, data, length, &answer);
	fake_answer_session(bmc, kind, &answer);
}

/* Table 28-4: on after power up; off after power down and soft shutdown; cycle and reset leave it as it was. */
static inline void fake_control(struct fake_bmc *bmc, uint8_t control)
{
	bmc->controls++;
	if (control == 1)
		bmc->power = true;
	else if (control == 0 || control == 5)
		bmc->power = false;
}

/* Does what a chassis command asks for; returns the number of octets in data, at most 7. */
static inline size_t fake_do_command(struct fake_bmc *bmc, uint8_t command, const uint8_t *request,
				     uint8_t *data)
{
	if (bmc->done)
		bmc->done(bmc, command, request);
	switch (command) {
	case 0x01: /* Get Chassis Status */
		memcpy(data, (uint8_t[]){bmc->power, 0x10, 0x40, 0}, 4);
		return 4;
	case 0x02: /* Chassis Control */
		fake_control(bmc, request[0]);
		return 0;
	case 0x08: /* Set System Boot Options */
		if ((request[0] & 0x7f) == 5)
			memcpy(bmc->boot, request + 1, sizeof(bmc->boot));
		return 0;
	case 0x09: /* Get System Boot Options: version, parameter, its data */
		data[0] = 1;
		data[1] = request[0] & 0x7f;
		memcpy(data + 2, bmc->boot, sizeof(bmc->boot));
		return 2 + sizeof(bmc->boot);
	default:
		return 0;
	}
}

static inline void fake_on_command(struct fake_bmc *bmc, const uint8_t *request)
{
	uint8_t data[8] = {0}, code = bmc->completion_code;
	size_t length = 0;

	bmc->received[FAKE_COMMAND]++;
	if (bmc->busy) {
		bmc->busy--;
		fake_answer_message(bmc, FAKE_COMMAND, request, 0xc0, NULL, 0);
		return;
	}
	if (!code) {
		length = fake_do_command(bmc, request[5], request + 6, data);
		code = request[5] == 0x02 ? bmc->control_code : 0;
	}
	fake_answer_message(bmc, FAKE_COMMAND, request, code, data, bmc->short_data ? 0 : length);
}

static inline void fake_on_message(struct fake_bmc *bmc, const uint8_t *request)
{
	uint8_t privilege = request[6];

	if (request[1] >> 2 == 0x06 && request[5] == 0x3b) {
		bmc->received[FAKE_SET_PRIVILEGE]++;
		fake_answer_message(bmc, FAKE_SET_PRIVILEGE, request, bmc->privilege_code, &privilege, 1);
	} else if (request[1] >> 2 == 0x06 && request[5] == 0x3c) {
		bmc->received[FAKE_CLOSE_SESSION]++;
		fake_answer_message(bmc, FAKE_CLOSE_SESSION, request, 0, NULL, 0);
		bmc->session = false;
	} else {
		fake_on_command(bmc, request);
	}
}

static inline bool fake_signed(const struct fake_bmc *bmc, const uint8_t *packet, size_t length)
{
	struct fake_buffer covered = {.length = 0};
	uint8_t digest[32];

	if (!bmc->suite->integrity)
		return true;
	fake_put(&covered, packet + 4, length - 4 - bmc->suite->code_length);
	fake_integrity_code(bmc, &covered, digest);
	return memcmp(digest, packet + length - bmc->suite->code_length, bmc->suite->code_length) == 0;
}

/* A BMC is silent about sessions that it does not know. */
static inline void fake_on_session(struct fake_bmc *bmc, uint8_t *packet, size_t length)
{
	size_t payload_length = (size_t)(packet[14] | packet[15] << 8);

	if (!bmc->session || fake_get32(packet + 6) != bmc->managed_id || !fake_signed(bmc, packet, length))
		return;
	if (!bmc->suite->confidentiality) {
		fake_on_message(bmc, packet + 16);
		return;
	}
	fake_aes(bmc, packet + 16, packet + 16 + FAKE_AES_BLOCK, payload_length - FAKE_AES_BLOCK, false);
	fake_on_message(bmc, packet + 16 + FAKE_AES_BLOCK);
}

static inline void fake_on_packet(uv_udp_t *socket, ssize_t length, const uv_buf_t *buffer,
				  const struct sockaddr *from, unsigned flags)
{
	struct fake_bmc *bmc = socket->data;
	uint8_t *packet = (uint8_t *)buffer->base;

	(void)flags;
	if (length < 16 || !from)
		return;
	memcpy(&bmc->peer, from, sizeof(bmc->peer));
	if (packet[4] == 0)
		fake_on_auth_capabilities(bmc, packet + 14);
	else if (packet[5] == 0x10)
		fake_on_open(bmc, packet + 16);
	else if (packet[5] == 0x12)
		fake_on_rakp_1(bmc, packet + 16);
	else if (packet[5] == 0x14)
		fake_on_rakp_3(bmc, packet + 16, (size_t)length - 16);
	else if ((packet[5] & 0x3f) == 0)
		fake_on_session(bmc, packet, (size_t)length);
}

static inline void fake_on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char storage[FAKE_PACKET_MAX];

	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(storage, sizeof(storage));
}

static inline const struct fake_suite *fake_suite(uint8_t id)
{
	for (size_t i = 0; i < FAKE_SUITES; i++)
		if (fake_suites[i].id == id)
			return &fake_suites[i];
	abort();
}

/* Listens on 127.0.0.1, on any port when port is 0. */
static inline void fake_start(struct fake_bmc *bmc, uv_loop_t *loop, uint16_t port)
{
	struct sockaddr_in address;
	int size = sizeof(address);

	memset(bmc, 0, sizeof(*bmc));
	bmc->suite = fake_suite(3);
	bmc->username = "admin";
	bmc->password = "secret";
	bmc->max_privilege = 4;
	memset(bmc->guid, 0xa5, sizeof(bmc->guid));
	uv_ip4_addr("127.0.0.1", port, &address);
	if (uv_udp_init(loop, &bmc->socket) < 0 ||
	    uv_udp_bind(&bmc->socket, (struct sockaddr *)&address, 0) < 0 ||
	    uv_udp_getsockname(&bmc->socket, (struct sockaddr *)&address, &size) < 0 ||
	    uv_udp_recv_start(&bmc->socket, fake_on_allocate, fake_on_packet) < 0)
		abort();
	bmc->socket.data = bmc;
	bmc->port = ntohs(address.sin_port);
}

static inline void fake_stop(struct fake_bmc *bmc)
{
	if (!uv_is_closing((uv_handle_t *)&bmc->socket))
		uv_close((uv_handle_t *)&bmc->socket, NULL);
}

#endif
