/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sessions, whatever the version of IPMI: how one begins, is lost and ends. What comes between Get Channel Authentication
 * Capabilities and Set Session Privilege Level is in session20.c and session15.c.
 */
#include <string.h>

#include "ipmi/internal.h"

const char *ipmi_privilege_name(enum ipmi_privilege privilege)
{
	switch (privilege) {
	case IPMI_PRIVILEGE_USER:
		return "user";
	case IPMI_PRIVILEGE_OPERATOR:
		return "operator";
	default:
		return "administrator";
	}
}

/* ---- filling ---- */

static int fill_auth_capabilities(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	return fill_cmd_get_channel_authentication_capabilities(IPMI_CHANNEL_NUMBER_CURRENT_CHANNEL,
								(uint8_t)bmc->privilege,
								bmc->protocol->capabilities_type, request);
}

static int fill_set_privilege(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	return fill_cmd_set_session_privilege_level((uint8_t)bmc->session.wanted_level, request);
}

static int fill_close_session(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	return fill_cmd_close_session(bmc->session.managed_id, NULL, request);
}

/* ---- beginning and ending ---- */

void ipmi_session_begin(struct ipmi_bmc *bmc)
{
	bmc->protocol->choose(bmc);
	ipmi_resolve(bmc);
}

void ipmi_session_start(struct ipmi_bmc *bmc)
{
	bmc->state = IPMI_STATE_SETUP;
	if (ipmi_engine_address(bmc) < 0 || bmc->protocol->begin(bmc) < 0)
		ipmi_bmc_finish(bmc, IPMI_INTERNAL, ": out of memory or random numbers");
	else
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_AUTH_CAPABILITIES);
}

static void forget(struct ipmi_session *session)
{
	explicit_bzero(session, sizeof(*session));
}

void ipmi_session_put_aside(struct ipmi_bmc *bmc)
{
	if (bmc->session.has_keys) {
		bmc->former = bmc->session;
		bmc->former_waiting = bmc->waiting;
		bmc->former_number = bmc->number;
		bmc->former_copies = bmc->copies;
	}
	forget(&bmc->session);
	bmc->waiting = NULL;
	bmc->state = IPMI_STATE_IDLE;
	bmc->stats.has_session = false;
}

void ipmi_session_drop(struct ipmi_bmc *bmc)
{
	if (bmc->session.has_keys)
		ipmi_bmc_transmit(bmc, ipmi_exchange(IPMI_EXCHANGE_CLOSE_SESSION));
	ipmi_session_put_aside(bmc);
	bmc->former_waiting = NULL;
}

void ipmi_session_swap(struct ipmi_bmc *bmc)
{
	struct ipmi_session session = bmc->session;
	const struct ipmi_exchange *waiting = bmc->waiting;
	uint8_t number = bmc->number;
	unsigned copies = bmc->copies;

	bmc->session = bmc->former;
	bmc->waiting = bmc->former_waiting;
	bmc->number = bmc->former_number;
	bmc->copies = bmc->former_copies;
	bmc->former = session;
	bmc->former_waiting = waiting;
	bmc->former_number = number;
	bmc->former_copies = copies;
	forget(&session);
}

void ipmi_session_resume(struct ipmi_bmc *bmc)
{
	forget(&bmc->former); /* no more than the beginning of a new one */
	bmc->former_waiting = NULL;
	bmc->state = IPMI_STATE_READY;
	bmc->stats.has_session = true;
}

void ipmi_session_close_former(struct ipmi_bmc *bmc)
{
	if (!bmc->former.has_keys)
		return;
	ipmi_session_swap(bmc);
	ipmi_bmc_transmit(bmc, ipmi_exchange(IPMI_EXCHANGE_CLOSE_SESSION));
	ipmi_session_swap(bmc);
	forget(&bmc->former);
	bmc->former_waiting = NULL;
}

void ipmi_session_restart(struct ipmi_bmc *bmc, const char *why)
{
	if (bmc->head->restarts++ >= IPMI_RESTARTS_MAX) {
		ipmi_bmc_finish(bmc, IPMI_SESSIONS_EXHAUSTED, " drops the session while it is set up: %s",
				why);
		return;
	}
	ipmi_session_drop(bmc);
	ipmi_session_start(bmc);
}

void ipmi_session_exhausted(struct ipmi_bmc *bmc, uint8_t code, const char *meaning)
{
	struct ipmi_op *op = bmc->head;
	uint64_t now_ms = ipmi_now_ms();

	op->pause_ms = op->pause_ms ? op->pause_ms * 2 : bmc->retransmit_ms * 2;
	if (op->pause_ms > IPMI_PAUSE_MAX_MS)
		op->pause_ms = IPMI_PAUSE_MAX_MS;
	if (now_ms + op->pause_ms >= op->deadline_ms) {
		ipmi_bmc_finish(
		    bmc, IPMI_SESSIONS_EXHAUSTED,
		    " has no free session (code 0x%02X: %s): close other sessions to it, or wait until they end",
		    code, meaning);
		return;
	}
	ipmi_session_drop(bmc);
	bmc->not_before_ms = now_ms + op->pause_ms;
}

void ipmi_session_fail(struct ipmi_bmc *bmc, enum ipmi_result result, uint8_t completion_code)
{
	struct ipmi_reply reply = {.result = result};

	ipmi_explain_code(bmc, &reply, bmc->waiting, completion_code);
	ipmi_session_drop(bmc);
	ipmi_bmc_reply(bmc, &reply);
}

/* Another address of the same name may be the right one. */
static void try_next_address(struct ipmi_bmc *bmc)
{
	bmc->address = (bmc->address + 1) % bmc->address_count;
	if (ipmi_engine_address(bmc) < 0)
		ipmi_bmc_finish(bmc, IPMI_INTERNAL, ": out of memory");
}

bool ipmi_session_unanswered(struct ipmi_bmc *bmc)
{
	if (bmc->waiting->id != IPMI_EXCHANGE_AUTH_CAPABILITIES)
		return bmc->protocol->unanswered(bmc);
	if (bmc->address_count > 1)
		try_next_address(bmc);
	return bmc->waiting == NULL;
}

/* ---- the privilege level ---- */

static enum ipmi_privilege needed_level(const struct ipmi_bmc *bmc)
{
	enum ipmi_command command = bmc->head->request.command;

	if (bmc->keeps_level || (bmc->raised & 1U << command))
		return bmc->privilege;
	return ipmi_command_exchanges[command].privilege;
}

bool ipmi_session_at_level(const struct ipmi_bmc *bmc)
{
	return bmc->session.level == needed_level(bmc);
}

void ipmi_session_set_level(struct ipmi_bmc *bmc)
{
	bmc->session.wanted_level = needed_level(bmc);
	ipmi_bmc_send(bmc, IPMI_EXCHANGE_SET_PRIVILEGE);
}

/* ---- answers ---- */

static void accept_auth_capabilities(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	bmc->protocol->capable(bmc, response);
}

static void reject_auth_capabilities(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	bmc->protocol->incapable(bmc, completion_code);
}

/* Ends the set-up. On a kept session it only sets the level, or shows that the BMC still knows it. */
static void accept_set_privilege(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	(void)response;
	bmc->session.level = bmc->session.wanted_level;
	if (bmc->state != IPMI_STATE_READY) {
		bmc->state = IPMI_STATE_READY;
		bmc->stats.has_session = true;
		bmc->stats.sessions++;
		bmc->protocol->established(bmc);
	}
	ipmi_bmc_proceed(bmc);
}

static void accept_close_session(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	(void)response;
	bmc->session.has_keys = false;
	ipmi_session_drop(bmc);
}

/* Codes that are about the level that was asked for, as far as BMCs are known to choose them. */
static bool is_about_level(uint8_t completion_code)
{
	switch (completion_code) {
	case IPMI_COMP_CODE_SET_SESSION_PRIVILEGE_LEVEL_REQUESTED_LEVEL_NOT_AVAILABLE_FOR_USER:
	case IPMI_COMP_CODE_SET_SESSION_PRIVILEGE_LEVEL_REQUESTED_LEVEL_EXCEEDS_USER_PRIVILEGE_LIMIT:
	case IPMI_COMP_CODE_SET_SESSION_PRIVILEGE_LEVEL_CANNOT_DISABLE_USER_LEVEL_AUTHENTICATION:
	case IPMI_COMP_CODE_PARAMETER_OUT_OF_RANGE:
	case IPMI_COMP_CODE_INVALID_DATA_FIELD_IN_REQUEST:
	case IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL:
	case IPMI_COMP_CODE_REQUEST_PARAMETER_NOT_SUPPORTED:
		return true;
	default:
		return false;
	}
}

/* Some BMCs do not let a session have less than what it was set up for: then it stays at that. */
static void reject_set_privilege(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	if (bmc->session.wanted_level == bmc->privilege || !is_about_level(completion_code)) {
		bmc->keeps_level = false; /* if it seemed so: the highest one is not granted either */
		ipmi_session_fail(bmc, IPMI_AUTH_FAILED, completion_code);
		return;
	}
	bmc->keeps_level = true;
	if (bmc->session.level == bmc->privilege)
		ipmi_bmc_proceed(bmc);
	else
		ipmi_session_set_level(bmc);
}

/* The BMC does not know the session: closed either way. */
static void reject_close_session(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	(void)completion_code;
	accept_close_session(bmc, NULL);
}

const struct ipmi_exchange ipmi_session_exchanges[IPMI_EXCHANGE_2_0] = {
    IPMI_APP_COMMAND(0, IPMI_EXCHANGE_AUTH_CAPABILITIES, true, "Get Channel Authentication Capabilities",
		     IPMI_FRAMING_LAN, IPMI_CMD_GET_CHANNEL_AUTHENTICATION_CAPABILITIES,
		     tmpl_cmd_get_channel_authentication_capabilities, auth_capabilities),
    IPMI_APP_COMMAND(0, IPMI_EXCHANGE_SET_PRIVILEGE, true, "Set Session Privilege Level",
		     IPMI_FRAMING_SESSION, IPMI_CMD_SET_SESSION_PRIVILEGE_LEVEL,
		     tmpl_cmd_set_session_privilege_level, set_privilege),
    IPMI_APP_COMMAND(0, IPMI_EXCHANGE_CLOSE_SESSION, false, "Close Session", IPMI_FRAMING_SESSION,
		     IPMI_CMD_CLOSE_SESSION, tmpl_cmd_close_session, close_session),
};
