/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The way in: RMCP (13.1.3), ASF presence ping, and what happens to a BMC as a whole.
 */
#include "tests/sim/internal.h"

enum { RMCP_VERSION = 0x06, CLASS_ASF = 0x06, CLASS_IPMI = 0x07, RMCP_HEADER = 4 };
enum { ASF_LENGTH = 12, ASF_PING = 0x80, ASF_PONG = 0x40 };

void sim_profile_init(struct sim_profile *profile)
{
	static const uint8_t suites[] = {3, 8, 17};

	memset(profile, 0, sizeof(*profile));
	memcpy(profile->suites, suites, sizeof(suites));
	profile->suite_count = sizeof(suites);
	profile->auth_types = 1U << SIM_AUTH_MD5;
	profile->per_message_auth = true;
	profile->slots = 4;
	profile->idle_us = 60000000;
	profile->boot_valid_us = 60000000;
	profile->user_count = 1; /* the null user, disabled */
}

unsigned sim_profile_user(struct sim_profile *profile, const char *name, const char *password,
			  uint8_t privilege)
{
	unsigned place = *name ? profile->user_count : 0;
	struct sim_user *user;

	if (place >= SIM_USERS_MAX || strlen(name) > SIM_NAME_MAX || strlen(password) > SIM_PASSWORD_MAX)
		return 0;
	user = &profile->users[place];
	memset(user, 0, sizeof(*user));
	memcpy(user->name, name, strlen(name));
	memcpy(user->password, password, strlen(password));
	user->privilege = privilege;
	user->enabled = true;
	profile->user_count += *name != '\0';
	return place + 1;
}

void sim_bmc_init(struct sim_bmc *bmc, struct sim_profile *profile, void *sessions, unsigned number,
		  uint64_t seed, int64_t now_us)
{
	memset(bmc, 0, sizeof(*bmc));
	bmc->profile = profile;
	bmc->sessions = sessions;
	bmc->number = number;
	bmc->random = seed;
	bmc->random = sim_random(&bmc->random) + number;
	bmc->quirks.silent_suite = 0xff;
	sim_random_octets(&bmc->random, bmc->guid, sizeof(bmc->guid));
	bmc->guid[9] = (uint8_t)((bmc->guid[9] & 0x0f) | 0x40); /* random; table 20-10 counts from the end */
	bmc->guid[7] = (uint8_t)((bmc->guid[7] & 0x3f) | 0x80);
	sim_chassis_init(&bmc->chassis, now_us);
}

/* ASF 2.0, 3.2.4.1 and 3.2.4.3: IPMI is supported, ASF 1.0, nothing else */
static bool on_ping(struct sim_bmc *bmc, const uint8_t *packet, size_t length, struct sim_answer *answer)
{
	static const uint8_t rmcp[] = {RMCP_VERSION, 0x00, 0xff, CLASS_ASF},
			     iana[] = {0x00, 0x00, 0x11, 0xbe};
	static const uint8_t zeros[7];
	struct sim_buffer *b = &answer->packet;

	if (length < ASF_LENGTH || memcmp(packet + 4, iana, 4) != 0 || packet[8] != ASF_PING) {
		bmc->profile->counters.bad++;
		return false;
	}
	bmc->received[SIM_PING]++;
	answer->kind = SIM_PING;
	sim_put(b, rmcp, sizeof(rmcp));
	sim_put(b, iana, sizeof(iana));
	sim_put(b, (const uint8_t[]){ASF_PONG, packet[9], 0, 16}, 4);
	sim_put(b, iana, sizeof(iana));
	sim_put(b, zeros, 4);
	sim_put8(b, 0x81);
	sim_put(b, zeros, 7);
	return true;
}

bool sim_bmc_receive(struct sim_bmc *bmc, int64_t now_us, const struct sockaddr *from, uint8_t *packet,
		     size_t length, struct sim_answer *answer)
{
	struct sim_request rq = {.bmc = bmc, .now_us = now_us, .from = from};

	answer->command = -1;
	answer->packet.length = 0;
	sim_bmc_tick(bmc, now_us);
	if (bmc->quirks.dead || now_us < bmc->silent_until_us)
		return false;
	if (length > RMCP_HEADER && packet[0] == RMCP_VERSION && packet[3] == CLASS_ASF)
		return on_ping(bmc, packet, length, answer);
	if (length > RMCP_HEADER && packet[0] == RMCP_VERSION && packet[3] == CLASS_IPMI) {
		if (packet[4] == SIM_AUTH_RMCPPLUS)
			return sim_rmcpplus_receive(&rq, packet, length, answer);
		if (packet[4] == SIM_AUTH_NONE || packet[4] == SIM_AUTH_MD5 || packet[4] == SIM_AUTH_STRAIGHT)
			return sim_lan15_receive(&rq, packet, length, answer);
	}
	bmc->profile->counters.bad++;
	return false;
}

void sim_bmc_tick(struct sim_bmc *bmc, int64_t now_us)
{
	sim_chassis_tick(bmc, now_us);
}

int64_t sim_bmc_due_us(const struct sim_bmc *bmc)
{
	return bmc->chassis.due_us;
}

static unsigned end_all(struct sim_bmc *bmc, int64_t now_us, const char *why)
{
	unsigned count = sim_bmc_sessions(bmc);

	for (unsigned i = 0; i <= bmc->profile->slots; i++)
		if (bmc->sessions[i].state != SIM_FREE)
			sim_session_end(bmc, &bmc->sessions[i], now_us, why);
	return count;
}

void sim_bmc_reboot(struct sim_bmc *bmc, int64_t now_us, int64_t silent_us)
{
	end_all(bmc, now_us, "forgotten");
	bmc->silent_until_us = now_us + silent_us;
	sim_event(bmc, now_us, "bmc-reboot", "", bmc->chassis.power);
}

unsigned sim_bmc_expire(struct sim_bmc *bmc, int64_t now_us)
{
	return end_all(bmc, now_us, "expired");
}
