/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libFuzzer: packets to the simulated BMC, so that a farm stands what is sent to it. Bits 0-1 of the first octet choose the
 * cipher suite of a session that is there, bit 2 IPMI 1.5 in its place, bits 3-7 and the second octet the quirks; the rest
 * are packets, each after its length (bits 0-6). With bit 7 it is made to look like the session's next, with right checksums.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SESSION_ID = 0x05060708, LAN_MESSAGE = 14, RMCPPLUS_MESSAGE = 16 };

static struct sim_profile profile;
static struct sim_bmc bmc;
static struct sim_session sessions[SIM_SLOTS_MAX + 1];

static void begin(uint8_t choice, uint8_t quirks)
{
	static const uint8_t suites[] = {0, 1, 2, 3};
	struct sim_session *s = &sessions[0];

	sim_crypto_init();
	memset(sessions, 0, sizeof(sessions));
	sim_profile_init(&profile);
	profile.slots = 4;
	profile.auth_types = 1 << SIM_AUTH_NONE | 1 << SIM_AUTH_MD5 | 1 << SIM_AUTH_STRAIGHT;
	memcpy(profile.suites, suites, sizeof(suites));
	profile.suite_count = sizeof(suites);
	sim_bmc_init(&bmc, &profile, sessions, 1, 1, 1);
	bmc.quirks = (struct sim_quirks){.silent_suite = 0xff,
					 .full = quirks & 0x01,
					 .dedup = quirks & 0x02,
					 .short_data = quirks & 0x04,
					 .extra_octet = quirks & 0x08,
					 .rakp4_not_empty = quirks & 0x10,
					 .bad_checksum = quirks & 0x20,
					 .no_ipmi_2 = quirks & 0x40,
					 .short_refusal = quirks & 0x80,
					 .open_status = choice & 0x08,
					 .rakp2_status = choice & 0x10,
					 .rakp4_status = choice & 0x20};
	*s = (struct sim_session){.state = SIM_ACTIVE,
				  .version_1_5 = choice & 0x04,
				  .auth_type = SIM_AUTH_NONE,
				  .user = 1,
				  .max_privilege = SIM_ADMINISTRATOR,
				  .privilege = SIM_ADMINISTRATOR,
				  .suite = &sim_suites[choice & 3],
				  .console_id = 0x01020304,
				  .managed_id = SESSION_ID,
				  .used_us = 1,
				  .last_length = 0xff};
}

/* Table 13-8: each checksum makes its part add up to zero. */
static void repair_checksums(uint8_t *message, size_t length)
{
	uint8_t sum = 0;

	message[2] = (uint8_t)(0U - message[0] - message[1]);
	for (size_t i = 3; i + 1 < length; i++)
		sum = (uint8_t)(sum + message[i]);
	message[length - 1] = (uint8_t)(0U - sum);
}

static void repair(uint8_t *packet, size_t length, uint32_t sequence, bool version_1_5)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07};
	size_t message = version_1_5 ? LAN_MESSAGE : RMCPPLUS_MESSAGE;
	uint32_t id = SESSION_ID;

	memcpy(packet, rmcp, sizeof(rmcp));
	packet[4] = version_1_5 ? SIM_AUTH_NONE : SIM_AUTH_RMCPPLUS;
	if (!version_1_5)
		packet[5] = 0;
	memcpy(packet + (version_1_5 ? 5 : 10), &sequence, 4);
	memcpy(packet + (version_1_5 ? 9 : 6), &id, 4);
	packet[message - 1] = version_1_5 ? (uint8_t)(length - message) : 0;
	if (!version_1_5)
		packet[message - 2] = (uint8_t)(length - message);
	repair_checksums(packet + message, length - message);
}

static void receive(const uint8_t *data, size_t length, bool repaired, uint32_t sequence, bool version_1_5)
{
	static const struct sockaddr_in from = {.sin_family = AF_INET};
	struct sim_answer answer;
	uint8_t *packet = malloc(length ? length : 1); /* so that the sanitizer sees its end */
	int64_t now_us = (int64_t)sequence * 1000000;

	if (!packet)
		abort();
	memcpy(packet, data, length);
	if (repaired && length >= RMCPPLUS_MESSAGE + 7) /* the shortest message */
		repair(packet, length, sequence, version_1_5);
	if (sim_bmc_receive(&bmc, now_us, (const struct sockaddr *)&from, packet, length, &answer) &&
	    answer.packet.length > sizeof(answer.packet.data))
		abort();
	sim_bmc_tick(&bmc, now_us);
	free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool version_1_5;

	if (size < 2)
		return 0;
	begin(data[0], data[1]);
	version_1_5 = data[0] & 0x04;
	data += 2;
	size -= 2;
	for (uint32_t sequence = 1; size > 0; sequence++) {
		bool repaired = *data & 0x80;
		size_t length = *data++ & 0x7f;

		size--;
		if (length > size)
			length = size;
		receive(data, length, repaired, sequence, version_1_5);
		data += length;
		size -= length;
	}
	return 0;
}
