/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Session slots, the window of sequence numbers, and users.
 */
#include <netinet/in.h>

#include "tests/sim/internal.h"

size_t sim_sessions_size(const struct sim_profile *profile)
{
	return (profile->slots + 1) * sizeof(struct sim_session);
}

static void expire_old(struct sim_bmc *bmc, int64_t now_us)
{
	for (unsigned i = 0; i <= bmc->profile->slots; i++) {
		struct sim_session *s = &bmc->sessions[i];

		if (s->state != SIM_FREE && now_us - s->used_us >= bmc->profile->idle_us)
			sim_session_end(bmc, s, now_us, "expired");
	}
}

/* A free place, or that of the oldest session not set up yet: there is one more than can be active. */
static struct sim_session *find_place(struct sim_bmc *bmc)
{
	struct sim_session *oldest = NULL;

	for (unsigned i = 0; i <= bmc->profile->slots; i++) {
		struct sim_session *s = &bmc->sessions[i];

		if (s->state == SIM_FREE)
			return s;
		if (s->state != SIM_ACTIVE && (!oldest || s->used_us < oldest->used_us))
			oldest = s;
	}
	return oldest;
}

static uint32_t new_id(struct sim_bmc *bmc)
{
	uint32_t id = (uint32_t)sim_random(&bmc->random);

	for (unsigned i = 0; i <= bmc->profile->slots; i++)
		if (!id || (bmc->sessions[i].state != SIM_FREE && bmc->sessions[i].managed_id == id))
			return new_id(bmc);
	return id;
}

struct sim_session *sim_session_new(struct sim_bmc *bmc, int64_t now_us)
{
	uint32_t id = new_id(bmc);
	struct sim_session *s;

	expire_old(bmc, now_us);
	s = find_place(bmc);
	memset(s, 0, sizeof(*s));
	s->state = SIM_OPENED;
	s->managed_id = id;
	s->used_us = now_us;
	s->last_length = 0xff;
	return s;
}

bool sim_session_free(struct sim_bmc *bmc, int64_t now_us)
{
	expire_old(bmc, now_us);
	if (!bmc->quirks.full && sim_bmc_sessions(bmc) < bmc->profile->slots)
		return true;
	bmc->profile->counters.refused++;
	return false;
}

struct sim_session *sim_session_find(struct sim_bmc *bmc, uint32_t managed_id, int64_t now_us)
{
	expire_old(bmc, now_us);
	for (unsigned i = 0; i <= bmc->profile->slots; i++)
		if (bmc->sessions[i].state != SIM_FREE && bmc->sessions[i].managed_id == managed_id)
			return &bmc->sessions[i];
	return NULL;
}

static void tell(struct sim_bmc *bmc, const struct sim_session *s, int64_t now_us, const char *what,
		 const char *detail)
{
	struct sim_effect effect = {.at_us = now_us,
				    .what = what,
				    .detail = detail,
				    .power_before = bmc->chassis.power,
				    .power_after = bmc->chassis.power,
				    .session = s->managed_id,
				    .user = sim_session_user(bmc, s)->name};

	if (bmc->profile->effect)
		bmc->profile->effect(bmc, &effect);
}

/* It begins at user level, or as low as it may (22.18). */
void sim_session_activate(struct sim_bmc *bmc, struct sim_session *s, int64_t now_us, const char *how)
{
	s->state = SIM_ACTIVE;
	s->used = false;
	s->used_us = now_us;
	s->privilege = s->max_privilege < SIM_USER ? s->max_privilege : SIM_USER;
	bmc->profile->counters.opened++;
	tell(bmc, s, now_us, "session-opened", how);
}

void sim_session_end(struct sim_bmc *bmc, struct sim_session *s, int64_t now_us, const char *why)
{
	struct sim_counters *counters = &bmc->profile->counters;

	if (s->state == SIM_ACTIVE) {
		if (strcmp(why, "expired") == 0)
			counters->expired++;
		else if (strcmp(why, "forgotten") == 0)
			counters->forgotten++;
		else
			counters->closed++;
		tell(bmc, s, now_us, "session-ended", why);
	}
	s->state = SIM_FREE;
}

void sim_session_from(struct sim_session *s, const struct sockaddr *from)
{
	memset(s->address, 0, sizeof(s->address));
	if (from && from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;

		memcpy(s->address, &in->sin_addr, 4);
		s->port = ntohs(in->sin_port);
	} else if (from && from->sa_family == AF_INET6) {
		s->port = ntohs(((const struct sockaddr_in6 *)(const void *)from)->sin6_port);
	}
}

/*
 * IPMI 1.5 sessions: 8 on either side of the highest received. IPMI 2.0: 15 above and 16 below. Numbers that have been
 * seen, and 0, are not taken.
 */
bool sim_sequence_take(struct sim_session *s, uint32_t sequence)
{
	uint32_t above = sequence - s->highest, below = s->highest - sequence;

	if (sequence == 0)
		return false;
	if (above != 0 && above <= (s->version_1_5 ? 8U : 15U)) {
		s->seen = s->seen << above | 1;
		s->highest = sequence;
		return true;
	}
	if (below > (s->version_1_5 ? 8U : 16U) || s->seen & 1U << below)
		return false;
	s->seen |= 1U << below;
	return true;
}

const struct sim_user *sim_session_user(const struct sim_bmc *bmc, const struct sim_session *s)
{
	return &bmc->profile->users[s->user];
}

int sim_user_find(const struct sim_profile *profile, const void *name, size_t length)
{
	for (unsigned i = 0; i < profile->user_count; i++)
		if (profile->users[i].enabled && strlen(profile->users[i].name) == length &&
		    memcmp(profile->users[i].name, name, length) == 0)
			return (int)i;
	return -1;
}

unsigned sim_bmc_sessions(const struct sim_bmc *bmc)
{
	unsigned count = 0;

	for (unsigned i = 0; i <= bmc->profile->slots; i++)
		count += bmc->sessions[i].state == SIM_ACTIVE;
	return count;
}
