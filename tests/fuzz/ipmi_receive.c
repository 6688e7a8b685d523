/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libFuzzer: packets from the network in every state of a session, of IPMI 2.0 and 1.5. Bits 0-4 of the first octet choose
 * what the BMC was asked, bits 5 and 6 the cipher suite, bit 0 of the second one IPMI 1.5; the rest are packets, each after
 * its length (one octet, times four).
 *
 * With bit 7 of the first octet nothing is authenticated, and session ID, sequence number and flags are made right, so that
 * what lies behind authentication, decryption too, is reached. Conversations are left to ipmi_session.c.
 */
#include <stdlib.h>
#include <string.h>

#include "ipmi/internal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct ipmi_engine *engine;
static struct ipmi_bmc *bmcs[2], *bmc; /* by version; the one at hand */
static const uint8_t suites[] = {3, 0, 2, 17};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ipmi_bmc_config config = {.host = "127.0.0.1",
					 .port = 9, /* discard: what the engine sends goes nowhere */
					 .username = "admin",
					 .password = (const uint8_t *)"secret",
					 .password_length = 6,
					 .privilege = IPMI_PRIVILEGE_OPERATOR,
					 .cipher_suites = suites,
					 .cipher_suite_count = 1};

	(void)argc;
	(void)argv;
	if (uv_loop_init(&loop) < 0 || ipmi_engine_new(&loop, &engine) < 0)
		abort();
	for (int version = IPMI_VERSION_2_0; version <= IPMI_VERSION_1_5; version++) {
		config.version = (enum ipmi_version)version;
		if (ipmi_bmc_new(engine, &config, &bmcs[version]) < 0 ||
		    ipmi_engine_address(bmcs[version]) < 0)
			abort();
	}
	return 0;
}

/* A session as it is after set-up, with keys that the fuzzer cannot know and does not need to. */
static void enter_state(uint8_t choice)
{
	struct ipmi_session *s = &bmc->session;
	uint8_t suite = suites[choice >> 5 & 3];

	memset(s, 0, sizeof(*s));
	bmc->workarounds = choice & 0x80 && bmc == bmcs[IPMI_VERSION_1_5]
			       ? IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK
			       : 0;
	bmc->suites[0] = suite;
	if (ipmi_cipher_suite_id_to_algorithms(suite, &s->authentication, &s->integrity,
					       &s->confidentiality) < 0)
		abort();
	if (choice & 0x80)
		s->integrity = IPMI_INTEGRITY_ALGORITHM_NONE;
	ipmi_check_session_sequence_number_2_0_init(&s->highest, &s->received);
	s->console_id = 0x01020304;
	s->managed_id = 0x05060708;
	s->k1_length = s->integrity ? 20 : 0;
	s->k2_length = s->confidentiality ? 20 : 0;
	s->sik_length = s->authentication ? 20 : 0;
	bmc->waiting = ipmi_exchange((enum ipmi_exchange_id)((choice & 0x1f) % IPMI_EXCHANGE_COUNT));
	bmc->state = bmc->waiting->framing == IPMI_FRAMING_SESSION ? IPMI_STATE_READY : IPMI_STATE_SETUP;
	bmc->number = 1;
	bmc->copies = 1;
	bmc->transmit_at_ms = UINT64_MAX;
}

/* IPMI 2.0, table 13-8 */
static void repair_lan_header(uint8_t *packet, size_t length, uint32_t sequence)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07, IPMI_AUTHENTICATION_TYPE_MD5};

	memcpy(packet, rmcp, sizeof(rmcp));
	memcpy(packet + 5, &sequence, 4);
	memcpy(packet + 9, &bmc->session.managed_id, 4);
	packet[29] = (uint8_t)(length - 30);
}

static void repair_header(uint8_t *packet, size_t length, uint32_t sequence)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07, 0x06};
	size_t payload_length = length - 16;

	memcpy(packet, rmcp, sizeof(rmcp));
	packet[5] = bmc->session.confidentiality ? 0x80 : 0;
	memcpy(packet + 6, &bmc->session.console_id, 4);
	memcpy(packet + 10, &sequence, 4);
	packet[14] = (uint8_t)payload_length;
	packet[15] = (uint8_t)(payload_length >> 8);
}

static void on_done(const struct ipmi_reply *reply, void *data)
{
	(void)data;
	if (memchr(reply->text, '\0', sizeof(reply->text)) == NULL)
		abort();
}

static void input(const uint8_t *data, size_t size, bool repair, uint32_t sequence)
{
	uint8_t *packet = malloc(size ? size : 1); /* so that the sanitizer sees its end */

	if (!packet)
		abort();
	memcpy(packet, data, size);
	if (repair && size > 30 && bmc == bmcs[IPMI_VERSION_1_5])
		repair_lan_header(packet, size, sequence);
	else if (repair && size > 16 && bmc->waiting && bmc->waiting->framing == IPMI_FRAMING_SESSION)
		repair_header(packet, size, sequence);
	ipmi_engine_input(engine, &bmc->peer, packet, size);
	free(packet);
}

static void run_packets(const uint8_t *data, size_t size, bool repair)
{
	for (uint32_t sequence = 1; size > 0; sequence++) {
		size_t length = (size_t)data[0] * 4;

		data++;
		size--;
		if (length > size)
			length = size;
		input(data, length, repair, sequence);
		data += length;
		size -= length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipmi_request request = {.command = IPMI_GET_CHASSIS_STATUS, .done = on_done};

	if (size < 3)
		return 0;
	bmc = bmcs[data[1] & 1];
	if ((data[0] & 0x1f) % IPMI_EXCHANGE_COUNT >= IPMI_EXCHANGE_COMMAND)
		request.command =
		    (enum ipmi_command)((data[0] & 0x1f) % IPMI_EXCHANGE_COUNT - IPMI_EXCHANGE_COMMAND);
	if (!ipmi_bmc_submit(bmc, &request))
		abort();
	enter_state(data[0]);
	run_packets(data + 2, size - 2, data[0] & 0x80);
	bmc->session.has_keys = false;
	while (bmc->head)
		ipmi_op_cancel(bmc->head);
	ipmi_session_drop(bmc);
	return 0;
}
