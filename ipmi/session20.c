/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The set-up of an RMCP+ session (IPMI 2.0, 13.17 to 13.24): Open Session and RAKP messages 1 to 4.
 */
#include <stdio.h>
#include <string.h>

#include "ipmi/internal.h"

/* What FreeIPMI expects for an empty name, password or key. */
static const void *or_null(const void *data, unsigned length)
{
	return length ? data : NULL;
}

static bool is_intel(const struct ipmi_bmc *bmc)
{
	return bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION;
}

static unsigned username_length(const struct ipmi_bmc *bmc)
{
	return (unsigned)strlen(bmc->username);
}

/* Intel's BMCs want the name padded with zeros to 16 octets, in all but RAKP message 3. */
static unsigned padded_username_length(const struct ipmi_bmc *bmc)
{
	return is_intel(bmc) ? IPMI_MAX_USER_NAME_LENGTH : username_length(bmc);
}

/* With MD5 they take only 16 octets of the password. */
static unsigned password_length(const struct ipmi_bmc *bmc)
{
	if (is_intel(bmc) && bmc->session.authentication == IPMI_AUTHENTICATION_ALGORITHM_RAKP_HMAC_MD5 &&
	    bmc->password_length > IPMI_1_5_MAX_PASSWORD_LENGTH)
		return IPMI_1_5_MAX_PASSWORD_LENGTH;
	return bmc->password_length;
}

bool ipmi_cipher_suite_supported(uint8_t id)
{
	return IPMI_CIPHER_SUITE_ID_SUPPORTED(id);
}

/* ---- filling ---- */

/* The privilege level is asked for by name, never as "highest": some BMCs refuse that. */
static int fill_open_session(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	const struct ipmi_session *s = &bmc->session;

	return fill_rmcpplus_open_session(bmc->number, (uint8_t)bmc->privilege, s->console_id,
					  s->authentication, s->integrity, s->confidentiality, request);
}

static int fill_rakp_1(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	const struct ipmi_session *s = &bmc->session;

	return fill_rmcpplus_rakp_message_1(
	    bmc->number, s->managed_id, s->console_random, sizeof(s->console_random), (uint8_t)bmc->privilege,
	    IPMI_NAME_ONLY_LOOKUP, or_null(bmc->username, padded_username_length(bmc)),
	    padded_username_length(bmc), request);
}

static int fill_rakp_3(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	const struct ipmi_session *s = &bmc->session;
	uint8_t code[IPMI_KEY_MAX];
	int length = 0;

	if (!s->has_keys) /* RAKP message 2 was wrong: tell the BMC, so that it frees the slot (13.22) */
		return fill_rmcpplus_rakp_message_3(bmc->number,
						    RMCPPLUS_STATUS_INVALID_INTEGRITY_CHECK_VALUE,
						    s->managed_id, NULL, 0, request);
	length = ipmi_calculate_rakp_3_key_exchange_authentication_code(
	    s->authentication, or_null(bmc->password, password_length(bmc)), password_length(bmc),
	    s->managed_random, sizeof(s->managed_random), s->console_id,
	    is_intel(bmc) ? IPMI_USER_NAME_PRIVILEGE_LOOKUP : IPMI_NAME_ONLY_LOOKUP, (uint8_t)bmc->privilege,
	    or_null(bmc->username, username_length(bmc)), username_length(bmc), code, sizeof(code));
	if (length >= 0)
		length =
		    fill_rmcpplus_rakp_message_3(bmc->number, RMCPPLUS_STATUS_NO_ERRORS, s->managed_id,
						 or_null(code, (unsigned)length), (unsigned)length, request);
	explicit_bzero(code, sizeof(code));
	return length;
}

/* ---- beginning and ending ---- */

static int new_session(struct ipmi_bmc *bmc)
{
	struct ipmi_session *s = &bmc->session;

	explicit_bzero(s, sizeof(*s));
	if (ipmi_cipher_suite_id_to_algorithms(bmc->suites[bmc->suite], &s->authentication, &s->integrity,
					       &s->confidentiality) < 0 ||
	    ipmi_check_session_sequence_number_2_0_init(&s->highest, &s->received) < 0 ||
	    ipmi_get_random(s->console_random, sizeof(s->console_random)) < 0)
		return -1;
	do { /* 13.17: 0 is for packets outside a session */
		if (ipmi_get_random(&s->console_id, sizeof(s->console_id)) < 0)
			return -1;
	} while (s->console_id == 0);
	return 0;
}

/* How much a suite does for who may speak: it proves users, and signs each message. */
static unsigned protection(uint8_t suite)
{
	uint8_t authentication = 0, integrity = 0, confidentiality = 0;

	ipmi_cipher_suite_id_to_algorithms(suite, &authentication, &integrity, &confidentiality);
	return (authentication != IPMI_AUTHENTICATION_ALGORITHM_RAKP_NONE ? 1U : 0) +
	       (integrity != IPMI_INTEGRITY_ALGORITHM_NONE ? 1U : 0);
}

/* A BMC that has done better is not talked to with less because of words that anybody may have said. */
static bool protects_as_proven(const struct ipmi_bmc *bmc, size_t suite)
{
	for (size_t i = 0; i < bmc->suite_count; i++)
		if (bmc->suites_proven & 1U << i &&
		    protection(bmc->suites[i]) > protection(bmc->suites[suite]))
			return false;
	return true;
}

/*
 * The suites are tried in the order of the configuration, and the one that worked is remembered: a better one is tried again
 * only after a while. Get Channel Cipher Suites (22.15) would not spare that: its answer takes two round trips or more for
 * each set-up, comes without authentication, and BMCs are known that list suites which they cannot do. Trying costs one
 * round trip, once, and only where the best suite is not there.
 */
static bool next_suite(struct ipmi_bmc *bmc)
{
	for (size_t i = 1; i < bmc->suite_count; i++) {
		size_t other = (bmc->suite + i) % bmc->suite_count;

		if (!(bmc->suites_refused & 1U << other) && protects_as_proven(bmc, other)) {
			bmc->suite = other;
			return new_session(bmc) == 0;
		}
	}
	return false;
}

static bool is_proven(const struct ipmi_bmc *bmc)
{
	return bmc->suites_proven & 1U << bmc->suite;
}

/*
 * The BMC does not do the suite in use. Returns false when it has refused all of them. What it has done before it may have
 * unlearnt, or somebody else speaks for it: refusals are not authenticated.
 */
static bool leave_refused_suite(struct ipmi_bmc *bmc)
{
	bool in_doubt = is_proven(bmc);

	bmc->suites_refused |= 1U << bmc->suite;
	if (!next_suite(bmc))
		return false;
	bmc->suite_in_doubt = bmc->suite_in_doubt || in_doubt;
	return true;
}

/* Silence is no refusal: packets get lost. The suite comes again when the others are no better. */
static bool leave_silent_suite(struct ipmi_bmc *bmc)
{
	if (!next_suite(bmc))
		return false;
	bmc->suite_in_doubt = true;
	return true;
}

/* An operation whose time was too short to try another suite leaves that to the next one. */
static bool begins_after_silence(struct ipmi_bmc *bmc)
{
	enum ipmi_exchange_id id = bmc->gave_up_at;

	bmc->gave_up_at = IPMI_EXCHANGE_COUNT;
	return (id == IPMI_EXCHANGE_OPEN_SESSION || id == IPMI_EXCHANGE_RAKP_1 ||
		id == IPMI_EXCHANGE_RAKP_3 || id == IPMI_EXCHANGE_SET_PRIVILEGE) &&
	       leave_silent_suite(bmc);
}

static void choose_suite(struct ipmi_bmc *bmc)
{
	if (ipmi_now_ms() >= bmc->suite_until_ms)
		bmc->suite_known = 0;
	bmc->suites_refused = 0;
	bmc->suite_in_doubt = false;
	if (!begins_after_silence(bmc))
		bmc->suite = bmc->suite_known;
}

/* What speaks against the better suite may be loss of packets, or a lie: it counts only the second time. */
static void remember_suite(struct ipmi_bmc *bmc)
{
	if (bmc->suite == bmc->suite_known) {
		bmc->suite_doubts = 0;
		return;
	}
	if (bmc->suite_in_doubt && bmc->suite > bmc->suite_known && ++bmc->suite_doubts < IPMI_SUITE_DOUBTS)
		return;
	bmc->suite_doubts = 0;
	bmc->suite_known = bmc->suite;
	bmc->suite_until_ms = bmc->suite == 0 ? 0 : ipmi_now_ms() + IPMI_SUITE_AGAIN_MS;
}

static void established(struct ipmi_bmc *bmc)
{
	remember_suite(bmc);
	bmc->suites_proven |= 1U << bmc->suite;
	bmc->stats.cipher_suite = bmc->suites[bmc->suite];
}

/* Some BMCs are silent about a suite that they do not know; others agree to it and cannot do it. */
static bool unanswered(struct ipmi_bmc *bmc)
{
	if (bmc->waiting->id == IPMI_EXCHANGE_OPEN_SESSION) {
		if (bmc->transmissions < 2 || !leave_silent_suite(bmc))
			return false;
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_OPEN_SESSION);
		return true;
	}
	if (bmc->transmissions < IPMI_RESTART_AFTER)
		return false;
	ipmi_session_drop(bmc);
	leave_silent_suite(bmc);
	ipmi_session_start(bmc);
	return true;
}

/* ---- answers ---- */

/* "s 17, 3", or " 3": those of this set-up that the BMC does not do, and the one in use. */
static const char *suites_tried(const struct ipmi_bmc *bmc, char *text, size_t size)
{
	unsigned tried = bmc->suites_refused | 1U << bmc->suite;
	const char *separator = tried & (tried - 1) ? "s " : " ";
	size_t length = 0;

	for (size_t i = 0; i < bmc->suite_count; i++) {
		if (!(tried & 1U << i) || length >= size)
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%u", separator, bmc->suites[i]);
		separator = ", ";
	}
	return text;
}

/* Any other suite that would do is tried first. */
static void refuse_suite(struct ipmi_bmc *bmc, const char *why)
{
	char suites[64] = "";
	bool all_tried = true;

	if (leave_refused_suite(bmc)) {
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_OPEN_SESSION);
		return;
	}
	for (size_t i = 0; i < bmc->suite_count; i++)
		all_tried = all_tried && bmc->suites_refused & 1U << i;
	ipmi_bmc_finish(bmc, IPMI_UNSUPPORTED, " refuses cipher suite%s: %s: %s",
			suites_tried(bmc, suites, sizeof(suites)), why,
			all_tried ? "list another one in cipher-suites"
				  : "it has done better than what is left in cipher-suites");
}

/*
 * After a RAKP message 2 with the right code both sides have the same password. What they do not agree about then is the random
 * number of the BMC, of which it makes a new one when the network doubles RAKP message 1; or the BMC cannot do the suite.
 */
static void refuse_password(struct ipmi_bmc *bmc)
{
	if (bmc->waiting->id != IPMI_EXCHANGE_RAKP_3 ||
	    bmc->session.authentication == IPMI_AUTHENTICATION_ALGORITHM_RAKP_NONE)
		ipmi_bmc_finish(bmc, IPMI_AUTH_FAILED, " refuses the password of user \"%s\"", bmc->username);
	else if (bmc->head->restarts < IPMI_DISAGREEMENTS_MAX)
		ipmi_session_restart(bmc, "it refuses RAKP message 3");
	else if (leave_refused_suite(bmc))
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_OPEN_SESSION);
	else
		ipmi_bmc_finish(
		    bmc, IPMI_AUTH_FAILED,
		    " has the password of user \"%s\", but refuses RAKP Message 3: update its firmware, "
		    "or try workarounds = { \"intel20\" }",
		    bmc->username);
}

/* Status codes of Open Session and RAKP messages: IPMI 2.0, table 13-15. */
static void refused(struct ipmi_bmc *bmc, uint8_t status)
{
	char text[IPMI_ERR_STR_MAX_LEN] = "", why[IPMI_ERR_STR_MAX_LEN + 16];

	ipmi_rmcpplus_status_strerror_r(status, text, sizeof(text));
	text[strcspn(text, ".")] = '\0'; /* it is only a part of ours */
	bmc->session.has_keys =
	    false; /* a BMC that refuses has ended the set-up: there is nothing to close */
	bmc->session.managed_id = 0;
	switch (status) {
	case RMCPPLUS_STATUS_INSUFFICIENT_RESOURCES_TO_CREATE_A_SESSION:
	case RMCPPLUS_STATUS_INSUFFICIENT_RESOURCES_TO_CREATE_A_SESSION_AT_THE_REQUESTED_TIME:
		ipmi_session_exhausted(bmc, status, text);
		break;
	case RMCPPLUS_STATUS_INVALID_SESSION_ID:
	case RMCPPLUS_STATUS_INACTIVE_SESSION_ID:
		ipmi_session_restart(bmc, text);
		break;
	case RMCPPLUS_STATUS_INVALID_ROLE:
	case RMCPPLUS_STATUS_UNAUTHORIZED_ROLE_OR_PRIVILEGE_LEVEL_REQUESTED:
		ipmi_bmc_finish(bmc, IPMI_AUTH_FAILED, " does not grant privilege level %s to user \"%s\"",
				ipmi_privilege_name(bmc->privilege), bmc->username);
		break;
	case RMCPPLUS_STATUS_INVALID_NAME_LENGTH:
	case RMCPPLUS_STATUS_UNAUTHORIZED_NAME:
	case RMCPPLUS_STATUS_UNAUTHORIZED_GUID:
		ipmi_bmc_finish(bmc, IPMI_AUTH_FAILED, " does not know user \"%s\", or not for this channel",
				bmc->username);
		break;
	case RMCPPLUS_STATUS_INVALID_INTEGRITY_CHECK_VALUE:
		refuse_password(bmc);
		break;
	default: /* about algorithms; some BMCs say no more than "illegal parameter", or what nobody has defined */
		snprintf(why, sizeof(why), "status 0x%02X: %s", status, text);
		refuse_suite(bmc, why);
		break;
	}
}

/*
 * A refusal is not authenticated. It is believed at once only of a suite of which nothing is known yet, and only with the
 * session ID of our own, which some BMCs leave out: else anybody who can send packets in the BMC's name could choose the suite.
 */
static void take_refusal(struct ipmi_bmc *bmc, fiid_obj_t response, uint8_t status)
{
	if (is_proven(bmc) || ipmi_field(response, "remote_console_session_id") != bmc->session.console_id)
		ipmi_bmc_hold(bmc, status);
	else
		bmc->waiting->reject(bmc, status);
}

static void take_capabilities(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	if (ipmi_check_authentication_capabilities_ipmi_2_0(response) != 1 &&
	    !(bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES)) {
		ipmi_bmc_hold(bmc, 0);
		return;
	}
	bmc->stats.ipmi_version = "2.0";
	ipmi_bmc_send(bmc, IPMI_EXCHANGE_OPEN_SESSION);
}

static void refuse_capabilities(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	if (completion_code) {
		ipmi_session_fail(bmc, IPMI_UNSUPPORTED, completion_code);
		return;
	}
	bmc->stats.ipmi_version = "1.5";
	ipmi_bmc_finish(bmc, IPMI_UNSUPPORTED,
			" does not offer IPMI 2.0 sessions on this channel: enable them in the BMC, or set "
			"ipmi-version = \"1.5\" in its credentials");
}

static bool algorithms_as_asked(const struct ipmi_session *s, fiid_obj_t response)
{
	return ipmi_field(response, "authentication_payload.authentication_algorithm") == s->authentication &&
	       ipmi_field(response, "integrity_payload.integrity_algorithm") == s->integrity &&
	       ipmi_field(response, "confidentiality_payload.confidentiality_algorithm") ==
		   s->confidentiality;
}

static void accept_open_session(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_session *s = &bmc->session;
	uint8_t status = (uint8_t)ipmi_field(response, "rmcpplus_status_code");

	if (status != RMCPPLUS_STATUS_NO_ERRORS || !algorithms_as_asked(s, response)) {
		take_refusal(bmc, response, status);
		return;
	}
	s->managed_id = (uint32_t)ipmi_field(response, "managed_system_session_id");
	ipmi_bmc_send(bmc, IPMI_EXCHANGE_RAKP_1);
}

/*
 * A BMC that chooses other algorithms than those asked for would choose its own security. That its choice is not taken up
 * cannot be told: RAKP message 3 would say so, but comes too early here, and there are BMCs that it would crash.
 */
static void reject_open_session(struct ipmi_bmc *bmc, uint8_t status)
{
	if (status)
		refused(bmc, status);
	else
		refuse_suite(bmc, "it chose other algorithms");
}

static bool rakp_2_authentic(const struct ipmi_bmc *bmc, fiid_obj_t response)
{
	const struct ipmi_session *s = &bmc->session;

	return ipmi_rmcpplus_check_rakp_2_key_exchange_authentication_code(
		   s->authentication, or_null(bmc->password, password_length(bmc)), password_length(bmc),
		   s->console_id, s->managed_id, s->console_random, sizeof(s->console_random),
		   s->managed_random, sizeof(s->managed_random), s->guid, sizeof(s->guid),
		   IPMI_NAME_ONLY_LOOKUP, (uint8_t)bmc->privilege,
		   or_null(bmc->username, padded_username_length(bmc)), padded_username_length(bmc),
		   response) == 1;
}

static int derive_keys(struct ipmi_bmc *bmc)
{
	struct ipmi_session *s = &bmc->session;
	void *sik = s->sik, *k1 = s->k1, *k2 = s->k2;

	s->sik_length = s->k1_length = s->k2_length = IPMI_KEY_MAX;
	return ipmi_calculate_rmcpplus_session_keys(
	    s->authentication, s->integrity, s->confidentiality, or_null(bmc->password, password_length(bmc)),
	    password_length(bmc), or_null(bmc->kg, bmc->kg_length), bmc->kg_length, s->console_random,
	    sizeof(s->console_random), s->managed_random, sizeof(s->managed_random), IPMI_NAME_ONLY_LOOKUP,
	    (uint8_t)bmc->privilege, or_null(bmc->username, padded_username_length(bmc)),
	    padded_username_length(bmc), &sik, &s->sik_length, &k1, &s->k1_length, &k2, &s->k2_length);
}

/* Some BMCs of Supermicro and Sun send one octet more than the code has (FreeIPMI's workarounds of those
 * names). */
static void trim_rakp_2(const struct ipmi_bmc *bmc, fiid_obj_t response)
{
	static const int code_lengths[] = {
	    [IPMI_AUTHENTICATION_ALGORITHM_RAKP_NONE] = 0,
	    [IPMI_AUTHENTICATION_ALGORITHM_RAKP_HMAC_SHA1] = 20,
	    [IPMI_AUTHENTICATION_ALGORITHM_RAKP_HMAC_MD5] = 16,
	    [IPMI_AUTHENTICATION_ALGORITHM_RAKP_HMAC_SHA256] = 32,
	};
	int right = code_lengths[bmc->session.authentication];
	uint8_t code[IPMI_KEY_MAX];

	if (!(bmc->workarounds & (IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION |
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION)) ||
	    fiid_obj_get_data(response, "key_exchange_authentication_code", code, sizeof(code)) != right + 1)
		return;
	fiid_obj_clear_field(response, "key_exchange_authentication_code");
	if (right)
		fiid_obj_set_data(response, "key_exchange_authentication_code", code, (unsigned)right);
}

static void accept_rakp_2(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_session *s = &bmc->session;
	uint8_t status = (uint8_t)ipmi_field(response, "rmcpplus_status_code");

	trim_rakp_2(bmc, response);
	if (status != RMCPPLUS_STATUS_NO_ERRORS ||
	    fiid_obj_get_data(response, "managed_system_random_number", s->managed_random,
			      sizeof(s->managed_random)) != (int)sizeof(s->managed_random) ||
	    fiid_obj_get_data(response, "managed_system_guid", s->guid, sizeof(s->guid)) !=
		(int)sizeof(s->guid) ||
	    !rakp_2_authentic(bmc, response)) {
		take_refusal(bmc, response, status);
		return;
	}
	if (derive_keys(bmc) < 0) {
		ipmi_bmc_finish(bmc, IPMI_INTERNAL, ": session keys cannot be derived");
		return;
	}
	s->has_keys = true;
	ipmi_bmc_send(bmc, IPMI_EXCHANGE_RAKP_3);
}

static void reject_rakp_2(struct ipmi_bmc *bmc, uint8_t status)
{
	if (status) {
		refused(bmc, status);
		return;
	}
	ipmi_bmc_transmit(bmc, ipmi_exchange(IPMI_EXCHANGE_RAKP_3));
	ipmi_bmc_finish(bmc, IPMI_AUTH_FAILED, ": password wrong for user \"%s\"", bmc->username);
}

/* Intel's BMCs compute the check value with the hash of the integrity algorithm. */
static uint8_t rakp_4_algorithm(const struct ipmi_bmc *bmc)
{
	if (!is_intel(bmc))
		return bmc->session.authentication;
	switch (bmc->session.integrity) {
	case IPMI_INTEGRITY_ALGORITHM_NONE:
		return IPMI_AUTHENTICATION_ALGORITHM_RAKP_NONE;
	case IPMI_INTEGRITY_ALGORITHM_HMAC_SHA1_96:
		return IPMI_AUTHENTICATION_ALGORITHM_RAKP_HMAC_SHA1;
	case IPMI_INTEGRITY_ALGORITHM_HMAC_MD5_128:
		return IPMI_AUTHENTICATION_ALGORITHM_RAKP_HMAC_MD5;
	default: /* those BMCs have no SHA-256, and what they do with MD5-128 nobody knows */
		return bmc->session.authentication;
	}
}

static void accept_rakp_4(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_session *s = &bmc->session;
	uint8_t status = (uint8_t)ipmi_field(response, "rmcpplus_status_code");

	if (s->authentication == IPMI_AUTHENTICATION_ALGORITHM_RAKP_NONE &&
	    bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE)
		fiid_obj_clear_field(response, "integrity_check_value");
	if (status != RMCPPLUS_STATUS_NO_ERRORS ||
	    ipmi_rmcpplus_check_rakp_4_integrity_check_value(
		rakp_4_algorithm(bmc), or_null(s->sik, s->sik_length), s->sik_length, s->console_random,
		sizeof(s->console_random), s->managed_id, s->guid, sizeof(s->guid), response) != 1) {
		take_refusal(bmc, response, status);
		return;
	}
	bmc->stats.has_guid = true;
	memcpy(bmc->stats.guid, s->guid, sizeof(s->guid));
	ipmi_session_set_level(bmc);
}

static void reject_rakp_4(struct ipmi_bmc *bmc, uint8_t status)
{
	if (status)
		refused(bmc, status);
	else
		ipmi_bmc_finish(bmc, IPMI_AUTH_FAILED,
				": K_g wrong, or set here and not in the BMC or the reverse");
}

#define SETUP_MESSAGE(id_, name_, type_rq_, type_rs_, template_rq_, template_rs_, fill_, accept_, reject_) \
	[id_ - IPMI_EXCHANGE_2_0] = {                                                                      \
	    .id = id_,                                                                                     \
	    .name = name_,                                                                                 \
	    .framing = IPMI_FRAMING_SETUP,                                                                 \
	    .payload_request = type_rq_,                                                                   \
	    .payload_response = type_rs_,                                                                  \
	    .request_template = template_rq_,                                                              \
	    .response_template = template_rs_,                                                             \
	    .fill = fill_,                                                                                 \
	    .accept = accept_,                                                                             \
	    .reject = reject_,                                                                             \
	}

const struct ipmi_exchange ipmi_exchanges_2_0[IPMI_EXCHANGE_1_5 - IPMI_EXCHANGE_2_0] = {
    SETUP_MESSAGE(IPMI_EXCHANGE_OPEN_SESSION, "Open Session", IPMI_PAYLOAD_TYPE_RMCPPLUS_OPEN_SESSION_REQUEST,
		  IPMI_PAYLOAD_TYPE_RMCPPLUS_OPEN_SESSION_RESPONSE, tmpl_rmcpplus_open_session_request,
		  tmpl_rmcpplus_open_session_response, fill_open_session, accept_open_session,
		  reject_open_session),
    SETUP_MESSAGE(IPMI_EXCHANGE_RAKP_1, "RAKP Message 1", IPMI_PAYLOAD_TYPE_RAKP_MESSAGE_1,
		  IPMI_PAYLOAD_TYPE_RAKP_MESSAGE_2, tmpl_rmcpplus_rakp_message_1,
		  tmpl_rmcpplus_rakp_message_2, fill_rakp_1, accept_rakp_2, reject_rakp_2),
    SETUP_MESSAGE(IPMI_EXCHANGE_RAKP_3, "RAKP Message 3", IPMI_PAYLOAD_TYPE_RAKP_MESSAGE_3,
		  IPMI_PAYLOAD_TYPE_RAKP_MESSAGE_4, tmpl_rmcpplus_rakp_message_3,
		  tmpl_rmcpplus_rakp_message_4, fill_rakp_3, accept_rakp_4, reject_rakp_4),
};

const struct ipmi_protocol ipmi_protocol_2_0 = {
    .framing = IPMI_FRAMING_SESSION,
    .capabilities_type = IPMI_GET_IPMI_V20_EXTENDED_DATA,
    .workarounds = IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK,
    .no_checksum_check = IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK,
    .choose = choose_suite,
    .begin = new_session,
    .capable = take_capabilities,
    .incapable = refuse_capabilities,
    .unanswered = unanswered,
    .established = established,
};
