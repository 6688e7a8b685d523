/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The set-up of an IPMI 1.5 session (IPMI 2.0, 13.6, 13.14 and 22.16 to 22.17): Get Session Challenge and Activate Session, with
 * MD5 for every message. The other authentication types are not offered: none and straight passwords protect nothing, and a BMC
 * that has MD2 has MD5.
 */
#include <string.h>

#include "ipmi/internal.h"

/* ---- filling ---- */

static int fill_challenge(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	unsigned length = (unsigned)strlen(bmc->username);

	return fill_cmd_get_session_challenge(IPMI_AUTHENTICATION_TYPE_MD5, length ? bmc->username : NULL,
					      length, request);
}

static int fill_activate(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	const struct ipmi_session *s = &bmc->session;

	return fill_cmd_activate_session(IPMI_AUTHENTICATION_TYPE_MD5, (uint8_t)bmc->privilege, s->challenge,
					 sizeof(s->challenge), s->initial_outbound, request);
}

/* ---- beginning and ending ---- */

/* Nothing to choose: there is one way to authenticate. */
static void choose(struct ipmi_bmc *bmc)
{
	(void)bmc;
}

/*
 * The first answer inside the session carries the sequence number that Activate Session asked for; some BMCs begin one earlier
 * or later. That it is near a random number shows that the answer is not an old one.
 */
static int begin(struct ipmi_bmc *bmc)
{
	struct ipmi_session *s = &bmc->session;

	explicit_bzero(s, sizeof(*s));
	if (ipmi_check_session_sequence_number_1_5_init(&s->highest, &s->received) < 0 ||
	    ipmi_get_random(&s->initial_outbound, sizeof(s->initial_outbound)) < 0)
		return -1;
	if (s->initial_outbound == 0) /* 6.12.9: 0 is for packets outside a session */
		s->initial_outbound = 1;
	s->highest = s->initial_outbound - 2;
	return 0;
}

static void established(struct ipmi_bmc *bmc)
{
	bmc->stats.cipher_suite = 0;
}

/* Activate Session is not given up for a new challenge: the BMC may have a session for each one that it got. */
static bool unanswered(struct ipmi_bmc *bmc)
{
	if (bmc->transmissions < IPMI_RESTART_AFTER || bmc->waiting->id == IPMI_EXCHANGE_ACTIVATE)
		return false;
	ipmi_session_drop(bmc);
	ipmi_session_start(bmc);
	return true;
}

/* ---- answers ---- */

static void take_capabilities(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	bmc->stats.ipmi_version = "1.5";
	if (ipmi_field(response, "authentication_type.md5") ||
	    (bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_AUTHENTICATION_CAPABILITIES))
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_CHALLENGE);
	else
		ipmi_bmc_hold(bmc, 0);
}

static void refuse_capabilities(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	if (completion_code)
		ipmi_session_fail(bmc, IPMI_UNSUPPORTED, completion_code);
	else
		ipmi_bmc_finish(
		    bmc, IPMI_UNSUPPORTED,
		    " does not offer MD5 for IPMI 1.5 at privilege level %s: enable it in the BMC for this "
		    "channel and level, or set ipmi-version = \"2.0\" in the credentials",
		    ipmi_privilege_name(bmc->privilege));
}

static void accept_challenge(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_session *s = &bmc->session;

	s->managed_id = (uint32_t)ipmi_field(response, "temp_session_id");
	if (fiid_obj_get_data(response, "challenge_string", s->challenge, sizeof(s->challenge)) !=
	    (int)sizeof(s->challenge))
		ipmi_bmc_finish(bmc, IPMI_REJECTED, " answered Get Session Challenge without a challenge");
	else
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_ACTIVATE);
}

static void reject_challenge(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	enum ipmi_result result = IPMI_REJECTED;

	if (completion_code == IPMI_COMP_CODE_GET_SESSION_CHALLENGE_INVALID_USERNAME ||
	    completion_code == IPMI_COMP_CODE_GET_SESSION_CHALLENGE_NULL_USERNAME_NOT_ENABLED)
		result = IPMI_AUTH_FAILED;
	else if (completion_code == IPMI_COMP_CODE_INVALID_COMMAND)
		result = IPMI_UNSUPPORTED;
	ipmi_session_fail(bmc, result, completion_code);
}

/* The answers of a BMC that does not authenticate them would be dropped: say so instead. */
static bool authenticates(const struct ipmi_bmc *bmc, fiid_obj_t response)
{
	const unsigned trusted = IPMI_WORKAROUND_FLAGS_OUTOFBAND_FORCE_PERMSG_AUTHENTICATION |
				 IPMI_WORKAROUND_FLAGS_OUTOFBAND_CHECK_UNEXPECTED_AUTHCODE |
				 IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK;

	return ipmi_field(response, "authentication_type") == IPMI_AUTHENTICATION_TYPE_MD5 ||
	       (bmc->workarounds & trusted);
}

/* The window begins at this answer, whose sequence number some BMCs (ipmi_sim is one) use for the next one, too. */
static void begin_window(struct ipmi_session *s)
{
	uint32_t first = s->highest;

	ipmi_check_session_sequence_number_1_5_init(&s->highest, &s->received);
	s->highest = first - 1;
}

static void accept_activate(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_session *s = &bmc->session;

	begin_window(s);
	s->managed_id = (uint32_t)ipmi_field(response, "session_id");
	s->sequence = (uint32_t)ipmi_field(response, "initial_inbound_sequence_number") - 1;
	s->has_keys = true;
	if (s->managed_id == 0)
		ipmi_session_restart(bmc, "Activate Session was answered with session ID 0");
	else if (!authenticates(bmc, response))
		ipmi_bmc_finish(
		    bmc, IPMI_UNSUPPORTED,
		    " has per-message authentication disabled, its answers could be anybody's: enable it in "
		    "the BMC for this channel, or try workarounds = { \"forcepermsg\" }");
	else
		ipmi_session_set_level(bmc);
}

static void reject_activate(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	const char *meaning = ipmi_completion(bmc->waiting, completion_code)->meaning;

	switch (completion_code) {
	case IPMI_COMP_CODE_ACTIVATE_SESSION_NO_SESSION_SLOT_AVAILABLE:
	case IPMI_COMP_CODE_ACTIVATE_SESSION_NO_SLOT_AVAILABLE_FOR_GIVEN_USER:
	case IPMI_COMP_CODE_ACTIVATE_SESSION_NO_SLOT_AVAILABLE_TO_SUPPORT_USER:
		ipmi_session_exhausted(bmc, completion_code, meaning);
		break;
	case IPMI_COMP_CODE_ACTIVATE_SESSION_SESSION_SEQ_NUM_OUT_OF_RANGE:
	case IPMI_COMP_CODE_ACTIVATE_SESSION_INVALID_SESSION_ID:
		ipmi_session_restart(bmc, meaning);
		break;
	case IPMI_COMP_CODE_ACTIVATE_SESSION_EXCEEDS_PRIVILEGE_LEVEL:
	case IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL:
		ipmi_session_fail(bmc, IPMI_AUTH_FAILED, completion_code);
		break;
	default:
		ipmi_session_fail(bmc, IPMI_REJECTED, completion_code);
		break;
	}
}

const struct ipmi_exchange ipmi_exchanges_1_5[IPMI_EXCHANGE_COMMAND - IPMI_EXCHANGE_1_5] = {
    IPMI_APP_COMMAND(IPMI_EXCHANGE_1_5, IPMI_EXCHANGE_CHALLENGE, true, "Get Session Challenge",
		     IPMI_FRAMING_LAN, IPMI_CMD_GET_SESSION_CHALLENGE, tmpl_cmd_get_session_challenge,
		     challenge),
    IPMI_APP_COMMAND(IPMI_EXCHANGE_1_5, IPMI_EXCHANGE_ACTIVATE, false, "Activate Session",
		     IPMI_FRAMING_LAN_SESSION, IPMI_CMD_ACTIVATE_SESSION, tmpl_cmd_activate_session,
		     activate),
};

const struct ipmi_protocol ipmi_protocol_1_5 = {
    .framing = IPMI_FRAMING_LAN_SESSION,
    .capabilities_type = IPMI_GET_IPMI_V15_DATA,
    .workarounds = IPMI_WORKAROUND_FLAGS_OUTOFBAND_AUTHENTICATION_CAPABILITIES |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_FORCE_PERMSG_AUTHENTICATION |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_CHECK_UNEXPECTED_AUTHCODE |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_BIG_ENDIAN_SEQUENCE_NUMBER |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK |
		   IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_CHECKSUM_CHECK,
    .no_checksum_check = IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_CHECKSUM_CHECK,
    .choose = choose,
    .begin = begin,
    .capable = take_capabilities,
    .incapable = refuse_capabilities,
    .unanswered = unanswered,
    .established = established,
};
