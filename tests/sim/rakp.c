/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Set-up of RMCP+ sessions: Open Session and RAKP messages 1 to 4 (IPMI 2.0, 13.17 to 13.23), and the keys.
 */
#include "tests/sim/internal.h"

enum {
	PAYLOAD_OPEN = 0x10,
	PAYLOAD_RAKP_1 = 0x12,
	PAYLOAD_RAKP_3 = 0x14,
	OPEN_LENGTH = 32,
	RAKP_1_LENGTH = 28,
	RAKP_3_LENGTH = 8,
	ROLE_NAME_ONLY = 0x10
};

enum { /* table 13-15 */
       NO_ERRORS = 0x00,
       NO_RESOURCES = 0x01,
       INVALID_SESSION_ID = 0x02,
       INVALID_AUTHENTICATION = 0x04,
       INVALID_INTEGRITY = 0x05,
       INVALID_ROLE = 0x09,
       UNAUTHORIZED_ROLE = 0x0a,
       INVALID_NAME_LENGTH = 0x0c,
       UNAUTHORIZED_NAME = 0x0d,
       WRONG_CHECK_VALUE = 0x0f,
       INVALID_CONFIDENTIALITY = 0x10,
       NO_SUITE_MATCH = 0x11,
       ILLEGAL_PARAMETER = 0x12
};

static bool answer_setup(struct sim_answer *answer, enum sim_kind kind, unsigned type,
			 const struct sim_buffer *payload)
{
	answer->kind = kind;
	sim_rmcpplus_header(&answer->packet, type, 0, 0, payload->length);
	sim_put(&answer->packet, payload->data, payload->length);
	return true;
}

/* ---- Open Session, 13.17 and 13.18 ---- */

struct algorithms {
	uint8_t authentication, integrity, confidentiality;
};

static bool offers(const struct sim_profile *profile, const struct algorithms *a, bool authentication,
		   bool integrity, bool confidentiality, const struct sim_suite **suite)
{
	for (unsigned i = 0; i < profile->suite_count; i++) {
		const struct sim_suite *own = sim_suite(profile->suites[i]);

		if ((!authentication || own->authentication == a->authentication) &&
		    (!integrity || own->integrity == a->integrity) &&
		    (!confidentiality || own->confidentiality == a->confidentiality)) {
			*suite = own;
			return true;
		}
	}
	return false;
}

/* A payload of length 0 leaves the choice to the BMC. */
static uint8_t choose_suite(const struct sim_profile *profile, const uint8_t *request,
			    const struct sim_suite **suite)
{
	struct algorithms a = {request[12], request[20], request[28]};
	bool authentication = request[11], integrity = request[19], confidentiality = request[27];

	if (offers(profile, &a, authentication, integrity, confidentiality, suite))
		return NO_ERRORS;
	/* tables 13-17 to 13-19: numbers that nobody has given yet are invalid, the others may be had elsewhere */
	if (a.authentication > 3)
		return INVALID_AUTHENTICATION;
	if (a.integrity > 4)
		return INVALID_INTEGRITY;
	if (a.confidentiality > 3)
		return INVALID_CONFIDENTIALITY;
	return NO_SUITE_MATCH;
}

/* The answer was lost and the request comes again: it gets the same slot. */
static struct sim_session *reopen(struct sim_bmc *bmc, uint32_t console_id, int64_t now_us)
{
	for (unsigned i = 0; i <= bmc->profile->slots; i++)
		if (bmc->sessions[i].state == SIM_OPENED && !bmc->sessions[i].version_1_5 &&
		    bmc->sessions[i].console_id == console_id)
			sim_session_end(bmc, &bmc->sessions[i], now_us, "reopened");
	return sim_session_new(bmc, now_us);
}

static uint8_t open_session(struct sim_request *rq, const uint8_t *request, struct sim_session **session)
{
	const struct sim_suite *suite = NULL;
	uint8_t privilege = request[1] & 0x0f, status;

	if (rq->bmc->quirks.open_status)
		return rq->bmc->quirks.open_status;
	if (privilege > SIM_ADMINISTRATOR)
		return INVALID_ROLE;
	status = choose_suite(rq->bmc->profile, request, &suite);
	if (status)
		return status;
	if (!sim_session_free(rq->bmc, rq->now_us))
		return NO_RESOURCES;
	*session = reopen(rq->bmc, sim_get32(request + 4), rq->now_us);
	(*session)->suite = suite;
	(*session)->console_id = sim_get32(request + 4);
	return NO_ERRORS;
}

static void put_algorithm(struct sim_buffer *b, unsigned type, unsigned algorithm)
{
	uint8_t payload[] = {(uint8_t)type, 0, 0, 8, (uint8_t)algorithm, 0, 0, 0};

	sim_put(b, payload, sizeof(payload));
}

static bool on_open(struct sim_request *rq, const uint8_t *request, struct sim_answer *answer)
{
	struct sim_session *s = NULL;
	struct sim_buffer b = {.length = 0};
	uint8_t status = open_session(rq, request, &s);

	rq->bmc->received[SIM_OPEN_SESSION]++;
	if (sim_suite_silent(rq->bmc, s))
		return false;
	sim_put8(&b, request[0]);
	sim_put8(&b, status);
	if (status && rq->bmc->quirks.short_refusal)
		return answer_setup(answer, SIM_OPEN_SESSION, PAYLOAD_OPEN + 1, &b);
	sim_put8(&b, request[1] & 0x0f ? request[1] & 0x0fU : SIM_ADMINISTRATOR);
	sim_put8(&b, 0);
	sim_put(&b, request + 4, 4);
	if (!status) {
		sim_put32(&b, s->managed_id);
		put_algorithm(&b, 0, s->suite->authentication);
		put_algorithm(&b, 1, s->suite->integrity);
		put_algorithm(&b, 2, s->suite->confidentiality);
	}
	return answer_setup(answer, SIM_OPEN_SESSION, PAYLOAD_OPEN + 1, &b);
}

/* ---- keys, 13.31 and 13.32 ---- */

static void put_role(struct sim_buffer *b, const struct sim_bmc *bmc, const struct sim_session *s)
{
	const char *name = sim_session_user(bmc, s)->name;
	size_t length = bmc->quirks.intel ? SIM_NAME_MAX : strlen(name);

	sim_put8(b, s->role);
	sim_put8(b, (unsigned)length);
	sim_put(b, name, length);
}

static void put_role_of_rakp_3(struct sim_buffer *b, const struct sim_bmc *bmc, const struct sim_session *s)
{
	const char *name = sim_session_user(bmc, s)->name;

	sim_put8(b, bmc->quirks.intel ? s->role & ~(unsigned)ROLE_NAME_ONLY : s->role);
	sim_put8(b, (unsigned)strlen(name));
	sim_put(b, name, strlen(name));
}

static void keyed(const struct sim_session *s, const uint8_t *key, size_t length,
		  const struct sim_buffer *data, uint8_t *digest)
{
	if (s->suite->authentication)
		sim_hmac(s->suite->hash, key, length, data->data, data->length, digest);
}

static void keyed_by_password(const struct sim_bmc *bmc, const struct sim_session *s,
			      const struct sim_buffer *data, uint8_t *digest)
{
	size_t length = bmc->quirks.intel && s->suite->authentication == 2 ? 16 : SIM_PASSWORD_MAX;

	keyed(s, sim_session_user(bmc, s)->password, length, data, digest);
}

static void derive_keys(const struct sim_bmc *bmc, struct sim_session *s)
{
	struct sim_buffer b = {.length = 0};

	sim_put(&b, s->console_random, 16);
	sim_put(&b, s->random, 16);
	put_role(&b, bmc, s);
	if (bmc->profile->has_kg)
		keyed(s, bmc->profile->kg, SIM_KEY_LENGTH, &b, s->sik);
	else
		keyed_by_password(bmc, s, &b, s->sik);
	for (int i = 1; i <= 2; i++) {
		b.length = SIM_KEY_LENGTH;
		memset(b.data, i, b.length);
		keyed(s, s->sik, s->suite->digest_length, &b, i == 1 ? s->k1 : s->k2);
	}
}

/* ---- RAKP messages 1 and 2, 13.20 and 13.21 ---- */

/*
 * By name alone the first entry of that name counts; by name and privilege the first whose limit is just what is asked
 * for, else the first that may do as much, else none.
 */
static int find_user(const struct sim_profile *profile, const uint8_t *name, size_t length, uint8_t role)
{
	int first = sim_user_find(profile, name, length), found = -1;
	uint8_t wanted = role & 0x0f;

	if (first < 0 || role & ROLE_NAME_ONLY || wanted == SIM_HIGHEST)
		return first;
	for (unsigned i = (unsigned)first; i < profile->user_count; i++) {
		const struct sim_user *user = &profile->users[i];

		if (!user->enabled || strcmp(user->name, profile->users[first].name) != 0)
			continue;
		if (user->privilege == wanted)
			return (int)i;
		if (found < 0 && user->privilege > wanted)
			found = (int)i;
	}
	return found;
}

static size_t name_length(const struct sim_bmc *bmc, const uint8_t *request)
{
	if (bmc->quirks.intel && request[27] == SIM_NAME_MAX)
		return strnlen((const char *)request + RAKP_1_LENGTH, SIM_NAME_MAX);
	return request[27];
}

static uint8_t rakp_1(struct sim_request *rq, const uint8_t *request, size_t length, struct sim_session *s)
{
	const struct sim_profile *profile = rq->bmc->profile;
	uint8_t wanted = request[24] & 0x0f;
	int user;

	if (rq->bmc->quirks.rakp2_status)
		return rq->bmc->quirks.rakp2_status;
	if (!s)
		return INVALID_SESSION_ID;
	if (request[27] > SIM_NAME_MAX)
		return INVALID_NAME_LENGTH;
	if (length != RAKP_1_LENGTH + (size_t)request[27])
		return ILLEGAL_PARAMETER;
	if (wanted > SIM_ADMINISTRATOR)
		return INVALID_ROLE;
	user = find_user(profile, request + RAKP_1_LENGTH, name_length(rq->bmc, request), request[24]);
	if (user < 0)
		return UNAUTHORIZED_NAME;
	if (wanted > profile->users[user].privilege)
		return UNAUTHORIZED_ROLE;
	s->user = (uint8_t)user;
	s->max_privilege = wanted ? wanted : profile->users[user].privilege;
	return NO_ERRORS;
}

static void put_rakp_2(struct sim_request *rq, struct sim_session *s, const uint8_t *request,
		       struct sim_buffer *b)
{
	struct sim_buffer signed_by_bmc = {.length = 0};
	uint8_t digest[SIM_DIGEST_MAX];

	memcpy(s->console_random, request + 8, 16);
	sim_random_octets(&rq->bmc->random, s->random, 16); /* a new one also for a repeated message */
	s->role = request[24];
	s->state = SIM_KEYED;
	sim_put(b, s->random, 16);
	sim_put(b, rq->bmc->guid, 16);
	sim_put32(&signed_by_bmc, s->console_id);
	sim_put32(&signed_by_bmc, s->managed_id);
	sim_put(&signed_by_bmc, s->console_random, 16);
	sim_put(&signed_by_bmc, s->random, 16);
	sim_put(&signed_by_bmc, rq->bmc->guid, 16);
	put_role(&signed_by_bmc, rq->bmc, s);
	keyed_by_password(rq->bmc, s, &signed_by_bmc, digest);
	sim_put(b, digest, s->suite->digest_length);
	sim_put(b, "", rq->bmc->quirks.extra_octet);
}

static void put_rakp_header(struct sim_buffer *b, uint8_t tag, uint8_t status, const struct sim_session *s)
{
	sim_put8(b, tag);
	sim_put8(b, status);
	sim_put16(b, 0);
	sim_put32(b, s ? s->console_id : 0);
}

/* The session that a RAKP message is for, as long as it is being set up. */
static struct sim_session *setup_session(struct sim_request *rq, const uint8_t *request)
{
	struct sim_session *s = sim_session_find(rq->bmc, sim_get32(request + 4), rq->now_us);

	if (!s || s->version_1_5 || (s->state == SIM_ACTIVE && s->used))
		return NULL;
	return s;
}

static bool on_rakp_1(struct sim_request *rq, const uint8_t *request, size_t length,
		      struct sim_answer *answer)
{
	struct sim_session *s = setup_session(rq, request);
	struct sim_buffer b = {.length = 0};
	uint8_t status;

	rq->bmc->received[SIM_RAKP_1]++;
	if (sim_suite_silent(rq->bmc, s))
		return false;
	if (s && s->state == SIM_ACTIVE)
		s = NULL;
	status = rakp_1(rq, request, length, s);
	put_rakp_header(&b, request[0], status, s);
	if (!status)
		put_rakp_2(rq, s, request, &b);
	else if (s)
		sim_session_end(rq->bmc, s, rq->now_us, "refused");
	return answer_setup(answer, SIM_RAKP_1, PAYLOAD_RAKP_1 + 1, &b);
}

/* ---- RAKP messages 3 and 4, 13.22 and 13.23 ---- */

static uint8_t rakp_3(struct sim_request *rq, const uint8_t *request, size_t length,
		      const struct sim_session *s)
{
	struct sim_buffer by_console = {.length = 0};
	uint8_t digest[SIM_DIGEST_MAX];

	if (rq->bmc->quirks.rakp4_status)
		return rq->bmc->quirks.rakp4_status;
	if (!s || s->state == SIM_OPENED)
		return INVALID_SESSION_ID;
	sim_put(&by_console, s->random, 16);
	sim_put32(&by_console, s->console_id);
	put_role_of_rakp_3(&by_console, rq->bmc, s);
	keyed_by_password(rq->bmc, s, &by_console, digest);
	if (length != RAKP_3_LENGTH + (size_t)s->suite->digest_length ||
	    memcmp(request + RAKP_3_LENGTH, digest, s->suite->digest_length) != 0)
		return WRONG_CHECK_VALUE;
	if (s->state != SIM_ACTIVE && !sim_session_free(rq->bmc, rq->now_us))
		return NO_RESOURCES;
	return NO_ERRORS;
}

static void put_rakp_4(struct sim_request *rq, struct sim_session *s, struct sim_buffer *b)
{
	struct sim_buffer by_bmc = {.length = 0};
	uint8_t digest[SIM_DIGEST_MAX] = {1};
	size_t length = rq->bmc->quirks.intel && !s->suite->integrity ? 0 : s->suite->rakp4_length;

	derive_keys(rq->bmc, s);
	sim_put(&by_bmc, s->console_random, 16);
	sim_put32(&by_bmc, s->managed_id);
	sim_put(&by_bmc, rq->bmc->guid, 16);
	keyed(s, s->sik, s->suite->digest_length, &by_bmc, digest);
	sim_put(b, digest, rq->bmc->quirks.rakp4_not_empty ? 4 : length);
}

static void activate(struct sim_request *rq, struct sim_session *s)
{
	char how[16] = "suite-";

	if (s->state == SIM_ACTIVE)
		return; /* RAKP message 4 was lost */
	s->sequence = 0;
	s->highest = 0;
	s->seen = 0;
	sim_session_from(s, rq->from);
	how[6] = (char)(s->suite->id < 10 ? '0' + s->suite->id : '1');
	how[7] = (char)(s->suite->id < 10 ? 0 : '0' + s->suite->id % 10);
	sim_session_activate(rq->bmc, s, rq->now_us, how);
}

static bool on_rakp_3(struct sim_request *rq, const uint8_t *request, size_t length,
		      struct sim_answer *answer)
{
	struct sim_session *s = setup_session(rq, request);
	struct sim_buffer b = {.length = 0};
	uint8_t status;

	rq->bmc->received[SIM_RAKP_3]++;
	if (sim_suite_silent(rq->bmc, s))
		return false;
	if (request[1]) { /* the console gives up: 13.22 asks for no answer */
		if (s)
			sim_session_end(rq->bmc, s, rq->now_us, "given-up");
		return false;
	}
	status = rakp_3(rq, request, length, s);
	put_rakp_header(&b, request[0], status, s);
	if (!status) {
		activate(rq, s);
		put_rakp_4(rq, s, &b);
	} else if (s) {
		sim_session_end(rq->bmc, s, rq->now_us, "refused");
	}
	return answer_setup(answer, SIM_RAKP_3, PAYLOAD_RAKP_3 + 1, &b);
}

bool sim_rakp_receive(struct sim_request *rq, uint8_t type, const uint8_t *payload, size_t length,
		      struct sim_answer *answer)
{
	if (type == PAYLOAD_OPEN && length == OPEN_LENGTH)
		return on_open(rq, payload, answer);
	if (type == PAYLOAD_RAKP_1 && length >= RAKP_1_LENGTH)
		return on_rakp_1(rq, payload, length, answer);
	if (type == PAYLOAD_RAKP_3 && length >= RAKP_3_LENGTH)
		return on_rakp_3(rq, payload, length, answer);
	rq->bmc->profile->counters.bad++;
	return false;
}
