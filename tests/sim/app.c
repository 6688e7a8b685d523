/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commands of the application network function: what a BMC is, its channel, its sessions and users.
 */
#include "tests/sim/internal.h"

enum { CHANNEL = 1, THIS_CHANNEL = 0x0e };

static bool is_channel(uint8_t octet)
{
	return (octet & 0x0f) == CHANNEL || (octet & 0x0f) == THIS_CHANNEL;
}

/* ---- what can be known outside a session ---- */

/* 22.13: status of authentication and users */
static unsigned authentication_status(const struct sim_profile *profile)
{
	static const uint8_t no_password[SIM_PASSWORD_MAX];
	const struct sim_user *null = &profile->users[0];
	unsigned status = profile->has_kg ? 0x20 : 0;

	status |= profile->per_message_auth ? 0 : 0x10;
	for (unsigned i = 1; i < profile->user_count; i++)
		status |= profile->users[i].enabled ? 0x04 : 0;
	if (null->enabled)
		status |= memcmp(null->password, no_password, SIM_PASSWORD_MAX) == 0 ? 0x01 : 0x02;
	return status;
}

/* 22.13 */
uint8_t sim_get_auth_capabilities(struct sim_request *rq, struct sim_buffer *reply)
{
	const struct sim_profile *profile = rq->bmc->profile;
	bool ipmi_2 = profile->suite_count > 0 && !rq->bmc->quirks.no_ipmi_2;
	bool ipmi_1_5 = profile->auth_types || rq->bmc->quirks.no_ipmi_2;

	if (!is_channel(rq->data[0]))
		return SIM_INVALID_FIELD;
	sim_put8(reply, CHANNEL);
	sim_put8(reply, profile->auth_types | (ipmi_2 && rq->data[0] & 0x80 ? 0x80U : 0));
	sim_put8(reply, authentication_status(profile));
	sim_put8(reply, rq->data[0] & 0x80 ? (ipmi_2 ? 2U : 0) | (ipmi_1_5 ? 1U : 0) : 0);
	sim_put32(reply, 0); /* no OEM authentication */
	return SIM_OK;
}

/* Tables 22-18 and 22-19: a record for each suite */
static void put_suites(const struct sim_profile *profile, struct sim_buffer *list)
{
	for (unsigned i = 0; i < profile->suite_count; i++) {
		const struct sim_suite *suite = sim_suite(profile->suites[i]);

		sim_put8(list, 0xc0);
		sim_put8(list, suite->id);
		sim_put8(list, suite->authentication);
		sim_put8(list, 0x40U | suite->integrity);
		sim_put8(list, 0x80U | suite->confidentiality);
	}
}

static void put_once(struct sim_buffer *list, unsigned octet)
{
	if (!memchr(list->data, (int)octet, list->length))
		sim_put8(list, octet);
}

/* The algorithms alone, by kind */
static void put_algorithms(const struct sim_profile *profile, struct sim_buffer *list)
{
	for (unsigned i = 0; i < profile->suite_count; i++)
		put_once(list, sim_suite(profile->suites[i])->authentication);
	for (unsigned i = 0; i < profile->suite_count; i++)
		put_once(list, 0x40U | sim_suite(profile->suites[i])->integrity);
	for (unsigned i = 0; i < profile->suite_count; i++)
		put_once(list, 0x80U | sim_suite(profile->suites[i])->confidentiality);
}

/* 22.15: sixteen octets of the list at a time; fewer say that it ends */
uint8_t sim_get_cipher_suites(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_buffer list = {.length = 0};
	size_t from = (rq->data[2] & 0x3fU) * 16;

	if (!is_channel(rq->data[0]))
		return SIM_INVALID_FIELD;
	if (rq->bmc->profile->suite_count == 0)
		return SIM_INVALID_COMMAND;
	if (rq->data[2] & 0x80)
		put_suites(rq->bmc->profile, &list);
	else
		put_algorithms(rq->bmc->profile, &list);
	sim_put8(reply, CHANNEL);
	if (from < list.length)
		sim_put(reply, list.data + from, list.length - from < 16 ? list.length - from : 16);
	return SIM_OK;
}

/* 20.8 and 22.14 */
uint8_t sim_get_guid(struct sim_request *rq, struct sim_buffer *reply)
{
	sim_put(reply, rq->bmc->guid, sizeof(rq->bmc->guid));
	return SIM_OK;
}

/* 20.1 */
uint8_t sim_get_device_id(struct sim_request *rq, struct sim_buffer *reply)
{
	bool ipmi_2 = rq->bmc->profile->suite_count > 0;
	const uint8_t data[] = {0x20, 0x01, 0x01, 0x00, ipmi_2 ? 0x02 : 0x51, 0x80, 0, 0, 0, 0x42, 0x42};

	sim_put(reply, data, sizeof(data));
	return SIM_OK;
}

/* ---- sessions ---- */

/* 22.18 */
uint8_t sim_set_session_privilege(struct sim_request *rq, struct sim_buffer *reply)
{
	enum { EXCEEDS_USER = 0x80, EXCEEDS_LIMIT = 0x81 };
	struct sim_session *s = rq->session;
	uint8_t wanted = rq->data[0] & 0x0f;

	if (wanted > SIM_ADMINISTRATOR)
		return SIM_INVALID_FIELD;
	if (wanted > sim_session_user(rq->bmc, s)->privilege)
		return EXCEEDS_USER;
	if (wanted > s->max_privilege)
		return EXCEEDS_LIMIT;
	if (wanted != SIM_HIGHEST)
		s->privilege = wanted;
	sim_put8(reply, s->privilege);
	return SIM_OK;
}

/* 22.19: one's own, or another one as administrator; by ID alone, or by handle with ID 0 */
uint8_t sim_close_session(struct sim_request *rq, struct sim_buffer *reply)
{
	enum { INVALID_ID = 0x87, INVALID_HANDLE = 0x88 };
	uint32_t id = sim_get32(rq->data);
	struct sim_session *s;

	(void)reply;
	if (id == 0)
		return rq->length == 5 ? INVALID_HANDLE : INVALID_ID;
	s = sim_session_find(rq->bmc, id, rq->now_us);
	if (!s || s->state != SIM_ACTIVE)
		return INVALID_ID;
	if (s != rq->session && rq->session->privilege < SIM_ADMINISTRATOR)
		return SIM_PRIVILEGE;
	sim_session_end(rq->bmc, s, rq->now_us, "closed");
	return SIM_OK;
}

static struct sim_session *active(const struct sim_bmc *bmc, unsigned place)
{
	return place <= bmc->profile->slots && bmc->sessions[place].state == SIM_ACTIVE
		   ? &bmc->sessions[place]
		   : NULL;
}

/* The session asked for, by index, handle (its place from 1 on) or ID; NULL: there is none. */
static struct sim_session *asked_for(const struct sim_request *rq)
{
	uint8_t index = rq->data[0];

	if (index == 0x00)
		return rq->session;
	if (index == 0xfe)
		return rq->length < 2 || rq->data[1] == 0 ? NULL : active(rq->bmc, rq->data[1] - 1U);
	for (unsigned place = 0; place <= rq->bmc->profile->slots; place++) {
		struct sim_session *s = active(rq->bmc, place);

		if (s && (index == 0xff ? rq->length == 5 && s->managed_id == sim_get32(rq->data + 1)
					: --index == 0))
			return s;
	}
	return NULL;
}

/* 22.20 */
uint8_t sim_get_session_info(struct sim_request *rq, struct sim_buffer *reply)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x01};
	const struct sim_session *s = asked_for(rq);

	sim_put8(reply, s ? (unsigned)(s - rq->bmc->sessions) + 1 : 0);
	sim_put8(reply, rq->bmc->profile->slots);
	sim_put8(reply, sim_bmc_sessions(rq->bmc));
	if (!s)
		return SIM_OK;
	sim_put8(reply, s->user + 1U);
	sim_put8(reply, s->privilege);
	sim_put8(reply, (s->version_1_5 ? 0x00U : 0x10U) | CHANNEL);
	sim_put(reply, s->address, 4);
	sim_put(reply, mac, sizeof(mac));
	sim_put16(reply, s->port);
	return SIM_OK;
}

/* ---- the channel ---- */

/* 22.23 */
uint8_t sim_get_channel_access(struct sim_request *rq, struct sim_buffer *reply)
{
	if (!is_channel(rq->data[0]) || rq->data[1] >> 6 == 0 || rq->data[1] >> 6 == 3)
		return SIM_INVALID_FIELD;
	sim_put8(reply, 0x20U | (rq->bmc->profile->per_message_auth ? 0 : 0x10U) | 0x02U);
	sim_put8(reply, SIM_ADMINISTRATOR);
	return SIM_OK;
}

/* 22.24: 802.3 LAN, IPMB format, multi-session, of the IPMI forum */
uint8_t sim_get_channel_info(struct sim_request *rq, struct sim_buffer *reply)
{
	const uint8_t data[] = {CHANNEL, 0x04, 0x01, (uint8_t)(0x80 | sim_bmc_sessions(rq->bmc)), 0xf2, 0x1b,
				0x00,    0,    0};

	if (!is_channel(rq->data[0]))
		return SIM_INVALID_FIELD;
	sim_put(reply, data, sizeof(data));
	return SIM_OK;
}

/* 24.8: IPMI messages and session set-up; no serial over LAN */
uint8_t sim_get_payload_support(struct sim_request *rq, struct sim_buffer *reply)
{
	static const uint8_t data[8] = {0x01, 0x00, 0x3f};

	if (!is_channel(rq->data[0]))
		return SIM_INVALID_FIELD;
	sim_put(reply, data, sizeof(data));
	return SIM_OK;
}

/* 24.9: all are 1.0 */
uint8_t sim_get_payload_version(struct sim_request *rq, struct sim_buffer *reply)
{
	uint8_t type = rq->data[1] & 0x3f;

	if (!is_channel(rq->data[0]))
		return SIM_INVALID_FIELD;
	if (type != 0 && (type < 0x10 || type > 0x15))
		return SIM_PARAMETER_NOT_SUPPORTED;
	sim_put8(reply, 0x10);
	return SIM_OK;
}

/* ---- users ---- */

static const struct sim_user *user_by_id(const struct sim_profile *profile, uint8_t id)
{
	return id >= 1 && id <= SIM_USERS_MAX ? &profile->users[id - 1] : NULL;
}

/* 22.27 */
uint8_t sim_get_user_access(struct sim_request *rq, struct sim_buffer *reply)
{
	const struct sim_profile *profile = rq->bmc->profile;
	const struct sim_user *user = user_by_id(profile, rq->data[1] & 0x3f);
	unsigned enabled = 0;

	if (!is_channel(rq->data[0]) || !user)
		return SIM_INVALID_FIELD;
	for (unsigned i = 0; i < SIM_USERS_MAX; i++)
		enabled += profile->users[i].enabled;
	sim_put8(reply, SIM_USERS_MAX);
	sim_put8(reply, enabled | (user->enabled ? 0x40U : 0x80U));
	sim_put8(reply, 1); /* the null user's name is fixed */
	sim_put8(reply, user->enabled ? 0x10U | user->privilege : 0x0fU);
	return SIM_OK;
}

/* 22.29 */
uint8_t sim_get_user_name(struct sim_request *rq, struct sim_buffer *reply)
{
	const struct sim_user *user = user_by_id(rq->bmc->profile, rq->data[0] & 0x3f);

	if (!user)
		return SIM_INVALID_FIELD;
	sim_put(reply, user->name, SIM_NAME_MAX);
	return SIM_OK;
}
