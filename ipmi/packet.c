/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bytes: requests are assembled and answers checked with FreeIPMI's packet functions. What comes from the
 * network is looked at here first, because FreeIPMI asserts a few things that a hostile packet can break, and
 * decrypts before it authenticates.
 */
#include <string.h>

#include "ipmi/internal.h"

enum {
	RMCP_HEADER_LENGTH = 4,     /* IPMI 2.0, table 13-2 */
	SESSION_HEADER_LENGTH = 12, /* table 13-8, RMCP+ format without OEM fields */
	RMCP_VERSION = 0x06,
	RMCP_CLASS_IPMI = 0x07,
	AUTHENTICATION_TYPE_RMCPPLUS = 0x06,
	OFFSET_AUTHENTICATION_TYPE = 4,
	OFFSET_PAYLOAD_TYPE = 5,
	OFFSET_SESSION_ID = 6,
	OFFSET_PAYLOAD_LENGTH = 14,
	OFFSET_PAYLOAD = 16,
	PAYLOAD_TYPE_MASK = 0x3f,
	PAYLOAD_AUTHENTICATED = 0x40,
	PAYLOAD_ENCRYPTED = 0x80,
	SETUP_CONSOLE_ID = 4, /* offset of the console's session ID in every set-up answer, 13.18-13.23 */
	MESSAGE_HEADER_LENGTH = 6, /* table 13-8, IPMI message; cmd is its last octet */
	MESSAGE_RQ_SEQ = 4,
	LAN_MESSAGE = 14 /* offset of the IPMI message in an IPMI 1.5 packet without authentication */
};

const struct ipmi_exchange *ipmi_exchange(enum ipmi_exchange_id id)
{
	if (id >= IPMI_EXCHANGE_COMMAND)
		return &ipmi_command_exchanges[id - IPMI_EXCHANGE_COMMAND];
	if (id >= IPMI_EXCHANGE_2_0)
		return &ipmi_exchanges_2_0[id - IPMI_EXCHANGE_2_0];
	return &ipmi_session_exchanges[id];
}

static bool scratch_complete(const struct ipmi_scratch *s)
{
	bool complete = s->rmcp && s->lan_session && s->session && s->trailer && s->payload &&
			s->message_request && s->message_response && s->message_trailer;

	for (int i = 0; i < IPMI_EXCHANGE_COUNT; i++)
		complete = complete && s->request[i] && s->response[i];
	return complete;
}

int ipmi_scratch_new(struct ipmi_scratch *s)
{
	s->rmcp = fiid_obj_create(tmpl_rmcp_hdr);
	s->lan_session = fiid_obj_create(tmpl_lan_session_hdr);
	s->session = fiid_obj_create(tmpl_rmcpplus_session_hdr);
	s->trailer = fiid_obj_create(tmpl_rmcpplus_session_trlr);
	s->payload = fiid_obj_create(tmpl_rmcpplus_payload);
	s->message_request = fiid_obj_create(tmpl_lan_msg_hdr_rq);
	s->message_response = fiid_obj_create(tmpl_lan_msg_hdr_rs);
	s->message_trailer = fiid_obj_create(tmpl_lan_msg_trlr);
	for (int i = 0; i < IPMI_EXCHANGE_COUNT; i++) {
		const struct ipmi_exchange *exchange = ipmi_exchange((enum ipmi_exchange_id)i);

		s->request[i] = fiid_obj_create(exchange->request_template);
		s->response[i] = fiid_obj_create(exchange->response_template);
	}
	return scratch_complete(s) ? 0 : -1;
}

void ipmi_scratch_free(struct ipmi_scratch *s)
{
	fiid_obj_destroy(s->rmcp);
	fiid_obj_destroy(s->lan_session);
	fiid_obj_destroy(s->session);
	fiid_obj_destroy(s->trailer);
	fiid_obj_destroy(s->payload);
	fiid_obj_destroy(s->message_request);
	fiid_obj_destroy(s->message_response);
	fiid_obj_destroy(s->message_trailer);
	for (int i = 0; i < IPMI_EXCHANGE_COUNT; i++) {
		fiid_obj_destroy(s->request[i]);
		fiid_obj_destroy(s->response[i]);
	}
}

uint64_t ipmi_field(fiid_obj_t object, const char *name)
{
	uint64_t value = 0;

	return fiid_obj_get(object, name, &value) == 1 ? value : 0;
}

static uint32_t get_le32(const uint8_t *octets)
{
	return (uint32_t)octets[0] | (uint32_t)octets[1] << 8 | (uint32_t)octets[2] << 16 |
	       (uint32_t)octets[3] << 24;
}

/* ---- building ---- */

static int build_lan(const struct ipmi_scratch *s, fiid_obj_t request, uint8_t *packet, size_t size)
{
	if (fill_lan_session_hdr(IPMI_AUTHENTICATION_TYPE_NONE, 0, 0, s->lan_session) < 0)
		return -1;
	return assemble_ipmi_lan_pkt(s->rmcp, s->lan_session, s->message_request, request, NULL, 0, packet,
				     (unsigned)size, IPMI_INTERFACE_FLAGS_DEFAULT);
}

static int build_setup(const struct ipmi_scratch *s, const struct ipmi_exchange *exchange, fiid_obj_t request,
		       uint8_t *packet, size_t size)
{
	if (fill_rmcpplus_session_hdr(exchange->payload_request, 0, 0, 0, 0, 0, 0, s->session) < 0 ||
	    fill_rmcpplus_session_trlr(s->trailer) < 0)
		return -1;
	return assemble_ipmi_rmcpplus_pkt(
	    IPMI_AUTHENTICATION_ALGORITHM_RAKP_NONE, IPMI_INTEGRITY_ALGORITHM_NONE,
	    IPMI_CONFIDENTIALITY_ALGORITHM_NONE, NULL, 0, NULL, 0, NULL, 0, s->rmcp, s->session,
	    s->message_request, request, s->trailer, packet, (unsigned)size, IPMI_INTERFACE_FLAGS_DEFAULT);
}

static int build_session(struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange, fiid_obj_t request,
			 uint8_t *packet, size_t size)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	struct ipmi_session *session = &bmc->session;

	if (++session->sequence == 0) /* IPMI 2.0, 6.12.8: 0 is for packets outside a session */
		session->sequence = 1;
	if (fill_rmcpplus_session_hdr(exchange->payload_request, session->integrity != 0,
				      session->confidentiality != 0, 0, 0, session->managed_id,
				      session->sequence, s->session) < 0 ||
	    fill_rmcpplus_session_trlr(s->trailer) < 0)
		return -1;
	return assemble_ipmi_rmcpplus_pkt(
	    session->authentication, session->integrity, session->confidentiality,
	    session->k1_length ? session->k1 : NULL, session->k1_length,
	    session->k2_length ? session->k2 : NULL, session->k2_length,
	    bmc->password_length ? bmc->password : NULL, bmc->password_length, s->rmcp, s->session,
	    s->message_request, request, s->trailer, packet, (unsigned)size, IPMI_INTERFACE_FLAGS_DEFAULT);
}

int ipmi_packet_build(struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange, uint8_t *packet,
		      size_t size)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	fiid_obj_t request = s->request[exchange->id];

	if (fill_rmcp_hdr_ipmi(s->rmcp) < 0 ||
	    fill_lan_msg_hdr(IPMI_SLAVE_ADDRESS_BMC, exchange->net_fn, IPMI_BMC_IPMB_LUN_BMC, bmc->rq_seq,
			     s->message_request) < 0 ||
	    exchange->fill(bmc, request) < 0)
		return -1;
	switch (exchange->framing) {
	case IPMI_FRAMING_LAN:
		return build_lan(s, request, packet, size);
	case IPMI_FRAMING_SETUP:
		return build_setup(s, exchange, request, packet, size);
	default:
		return build_session(bmc, exchange, request, packet, size);
	}
}

/* ---- reading ---- */

static bool peek_setup(const uint8_t *payload, size_t length, struct ipmi_peek *peek)
{
	peek->framing = IPMI_FRAMING_SETUP;
	peek->has_console_id = length >= SETUP_CONSOLE_ID + 4;
	if (peek->has_console_id)
		peek->console_id = get_le32(payload + SETUP_CONSOLE_ID);
	return peek->has_console_id || peek->payload_type == IPMI_PAYLOAD_TYPE_RMCPPLUS_OPEN_SESSION_RESPONSE;
}

static bool peek_rmcpplus(const uint8_t *packet, size_t length, struct ipmi_peek *peek)
{
	size_t payload_length;

	if (length < OFFSET_PAYLOAD)
		return false;
	payload_length = (size_t)(packet[OFFSET_PAYLOAD_LENGTH] | packet[OFFSET_PAYLOAD_LENGTH + 1] << 8);
	if (payload_length == 0 || payload_length > length - OFFSET_PAYLOAD)
		return false;
	peek->payload_type = packet[OFFSET_PAYLOAD_TYPE] & PAYLOAD_TYPE_MASK;
	if (peek->payload_type == IPMI_PAYLOAD_TYPE_IPMI) {
		peek->framing = IPMI_FRAMING_SESSION;
		peek->has_console_id = true;
		peek->console_id = get_le32(packet + OFFSET_SESSION_ID);
		return true;
	}
	return packet[OFFSET_PAYLOAD_TYPE] == peek->payload_type && /* neither authenticated nor encrypted */
	       peek_setup(packet + OFFSET_PAYLOAD, payload_length, peek);
}

bool ipmi_packet_peek(const uint8_t *packet, size_t length, struct ipmi_peek *peek)
{
	memset(peek, 0, sizeof(*peek));
	if (length < LAN_MESSAGE || length > IPMI_PACKET_MAX || packet[0] != RMCP_VERSION ||
	    packet[3] != RMCP_CLASS_IPMI)
		return false;
	if (packet[OFFSET_AUTHENTICATION_TYPE] == AUTHENTICATION_TYPE_RMCPPLUS)
		return peek_rmcpplus(packet, length, peek);
	if (length < LAN_MESSAGE + MESSAGE_HEADER_LENGTH)
		return false;
	peek->framing = IPMI_FRAMING_LAN;
	peek->rq_seq = packet[LAN_MESSAGE + MESSAGE_RQ_SEQ] >> 2;
	return packet[OFFSET_AUTHENTICATION_TYPE] == IPMI_AUTHENTICATION_TYPE_NONE;
}

/* The message's two checksums (IPMI 2.0, table 13-8): each makes its part add up to zero. */
static bool checksums_right(const uint8_t *message, size_t length)
{
	uint8_t header = 0, rest = 0;

	if (length <
	    MESSAGE_HEADER_LENGTH + 2) /* cmd is in the header; completion code and checksum follow */
		return false;
	for (size_t i = 0; i < 3; i++)
		header = (uint8_t)(header + message[i]);
	for (size_t i = 3; i < length; i++)
		rest = (uint8_t)(rest + message[i]);
	return header == 0 && rest == 0;
}

/* An IPMI message answers when network function, sequence number and command are those of the request. */
static enum ipmi_verdict check_message(struct ipmi_bmc *bmc, const uint8_t *message, size_t length,
				       fiid_obj_t response)
{
	const struct ipmi_exchange *exchange = bmc->waiting;
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);

	if (!(bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK) &&
	    !checksums_right(message, length))
		return IPMI_PACKET_INVALID;
	if (ipmi_lan_check_net_fn(s->message_response, exchange->net_fn + 1U) != 1 ||
	    ipmi_lan_check_rq_seq(s->message_response, bmc->rq_seq) != 1 ||
	    ipmi_check_cmd(response, exchange->cmd) != 1)
		return IPMI_PACKET_INVALID;
	if (ipmi_check_completion_code_success(response) == 1 && fiid_obj_packet_valid(response) != 1)
		return IPMI_PACKET_MALFORMED;
	return IPMI_PACKET_VALID;
}

static enum ipmi_verdict check_lan(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				   fiid_obj_t response)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	size_t message_length = packet[LAN_MESSAGE - 1];

	if (message_length > length - LAN_MESSAGE ||
	    unassemble_ipmi_lan_pkt(packet, (unsigned)length, s->rmcp, s->lan_session, s->message_response,
				    response, s->message_trailer, IPMI_INTERFACE_FLAGS_DEFAULT) != 1)
		return IPMI_PACKET_INVALID;
	return check_message(bmc, packet + LAN_MESSAGE, message_length, response);
}

static enum ipmi_verdict check_setup(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				     fiid_obj_t response)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);

	if (unassemble_ipmi_rmcpplus_pkt(0, 0, 0, NULL, 0, NULL, 0, packet, (unsigned)length, s->rmcp,
					 s->session, s->payload, s->message_response, response,
					 s->message_trailer, s->trailer, IPMI_INTERFACE_FLAGS_DEFAULT) != 1)
		return IPMI_PACKET_INVALID;
	if (ipmi_rmcpplus_check_payload_type(s->session, bmc->waiting->payload_response) != 1 ||
	    ipmi_rmcpplus_check_message_tag(response, bmc->tag) != 1)
		return IPMI_PACKET_INVALID;
	/* A refusal may be cut short; whether it has our session ID was looked at to find the BMC. */
	if (ipmi_rmcpplus_check_status_code(response, RMCPPLUS_STATUS_NO_ERRORS) != 1)
		return IPMI_PACKET_VALID;
	if (ipmi_rmcpplus_check_remote_console_session_id(response, bmc->session.console_id) != 1 ||
	    fiid_obj_packet_valid(response) != 1)
		return IPMI_PACKET_INVALID;
	return IPMI_PACKET_VALID;
}

static size_t integrity_code_length(uint8_t algorithm)
{
	switch (algorithm) {
	case IPMI_INTEGRITY_ALGORITHM_NONE:
		return 0;
	case IPMI_INTEGRITY_ALGORITHM_HMAC_SHA1_96:
		return IPMI_HMAC_SHA1_96_AUTHENTICATION_CODE_LENGTH;
	case IPMI_INTEGRITY_ALGORITHM_HMAC_SHA256_128:
		return IPMI_HMAC_SHA256_128_AUTHENTICATION_CODE_LENGTH;
	default:
		return IPMI_HMAC_MD5_128_AUTHENTICATION_CODE_LENGTH;
	}
}

/* Flags as agreed, and the integrity code over the whole packet: nothing else of it is parsed before. */
static bool authentic(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length)
{
	const struct ipmi_session *session = &bmc->session;
	fiid_obj_t trailer = ipmi_engine_scratch(bmc->engine)->trailer;
	size_t code_length = integrity_code_length(session->integrity);
	uint8_t flags = (uint8_t)((session->integrity ? PAYLOAD_AUTHENTICATED : 0) |
				  (session->confidentiality ? PAYLOAD_ENCRYPTED : 0));

	if (packet[OFFSET_PAYLOAD_TYPE] != (flags | IPMI_PAYLOAD_TYPE_IPMI))
		return false;
	if (code_length == 0)
		return true;
	if (length < OFFSET_PAYLOAD + code_length || fiid_obj_clear(trailer) < 0 ||
	    fiid_obj_set_data(trailer, "authentication_code", packet + length - code_length,
			      (unsigned)code_length) < 0)
		return false;
	return ipmi_rmcpplus_check_packet_session_authentication_code(
		   session->integrity, packet, (unsigned)length, session->k1_length ? session->k1 : NULL,
		   session->k1_length, bmc->password_length ? bmc->password : NULL, bmc->password_length,
		   trailer) == 1;
}

static enum ipmi_verdict check_session(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				       fiid_obj_t response)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	struct ipmi_session *session = &bmc->session;
	uint8_t message[IPMI_PACKET_MAX];
	int message_length;

	if (!authentic(bmc, packet, length) ||
	    unassemble_ipmi_rmcpplus_pkt(session->authentication, session->integrity,
					 session->confidentiality, session->k1_length ? session->k1 : NULL,
					 session->k1_length, session->k2_length ? session->k2 : NULL,
					 session->k2_length, packet, (unsigned)length, s->rmcp, s->session,
					 s->payload, s->message_response, response, s->message_trailer,
					 s->trailer, IPMI_INTERFACE_FLAGS_DEFAULT) != 1)
		return IPMI_PACKET_INVALID;
	if (ipmi_rmcpplus_check_payload_pad(session->confidentiality, s->payload) != 1 ||
	    (session->integrity && ipmi_rmcpplus_check_integrity_pad(s->trailer) != 1) ||
	    ipmi_rmcpplus_check_session_id(s->session, session->console_id) != 1 ||
	    ipmi_check_session_sequence_number_2_0(
		(uint32_t)ipmi_field(s->session, "session_sequence_number"), &session->highest,
		&session->received, 0) != 1)
		return IPMI_PACKET_INVALID;
	message_length = fiid_obj_get_data(s->payload, "payload_data", message, sizeof(message));
	if (message_length < 0)
		return IPMI_PACKET_INVALID;
	return check_message(bmc, message, (size_t)message_length, response);
}

enum ipmi_verdict ipmi_packet_check(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				    fiid_obj_t *response)
{
	*response = ipmi_engine_scratch(bmc->engine)->response[bmc->waiting->id];
	switch (bmc->waiting->framing) {
	case IPMI_FRAMING_LAN:
		return check_lan(bmc, packet, length, *response);
	case IPMI_FRAMING_SETUP:
		return check_setup(bmc, packet, length, *response);
	default:
		return check_session(bmc, packet, length, *response);
	}
}
