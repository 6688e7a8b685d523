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
	OFFSET_LAN_SESSION_ID = 9, /* IPMI 1.5, table 13-8 */
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
	LAN_MESSAGE = 14,    /* offset of the IPMI message in an IPMI 1.5 packet without authentication */
	LAN_CODE_LENGTH = 16 /* of the authentication code before it, if there is one */
};

const struct ipmi_exchange *ipmi_exchange(enum ipmi_exchange_id id)
{
	if (id >= IPMI_EXCHANGE_COMMAND)
		return &ipmi_command_exchanges[id - IPMI_EXCHANGE_COMMAND];
	if (id >= IPMI_EXCHANGE_1_5)
		return &ipmi_exchanges_1_5[id - IPMI_EXCHANGE_1_5];
	if (id >= IPMI_EXCHANGE_2_0)
		return &ipmi_exchanges_2_0[id - IPMI_EXCHANGE_2_0];
	return &ipmi_session_exchanges[id];
}

enum ipmi_framing ipmi_framing(const struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange)
{
	return exchange->framing == IPMI_FRAMING_SESSION ? bmc->protocol->framing : exchange->framing;
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

/* 6.12.8 and 6.12.9: 0 is for packets outside a session. */
static uint32_t next_sequence(struct ipmi_session *session)
{
	if (++session->sequence == 0)
		session->sequence = 1;
	return session->sequence;
}

/* Activate Session is the first authenticated message, and the last one without sequence number. */
static int build_lan_session(struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange, fiid_obj_t request,
			     uint8_t *packet, size_t size)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	struct ipmi_session *session = &bmc->session;
	uint32_t sequence = exchange->id == IPMI_EXCHANGE_ACTIVATE ? 0 : next_sequence(session);

	if (fill_lan_session_hdr(IPMI_AUTHENTICATION_TYPE_MD5, sequence, session->managed_id,
				 s->lan_session) < 0)
		return -1;
	return assemble_ipmi_lan_pkt(s->rmcp, s->lan_session, s->message_request, request, bmc->password,
				     bmc->password_length, packet, (unsigned)size,
				     IPMI_INTERFACE_FLAGS_DEFAULT);
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

	if (fill_rmcpplus_session_hdr(exchange->payload_request, session->integrity != 0,
				      session->confidentiality != 0, 0, 0, session->managed_id,
				      next_sequence(session), s->session) < 0 ||
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
	    fill_lan_msg_hdr(IPMI_SLAVE_ADDRESS_BMC, exchange->net_fn, IPMI_BMC_IPMB_LUN_BMC,
			     bmc->number & IPMI_RQ_SEQ_MASK, s->message_request) < 0 ||
	    exchange->fill(bmc, request) < 0)
		return -1;
	switch (ipmi_framing(bmc, exchange)) {
	case IPMI_FRAMING_LAN:
		return build_lan(s, request, packet, size);
	case IPMI_FRAMING_LAN_SESSION:
		return build_lan_session(bmc, exchange, request, packet, size);
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
	peek->has_session_id = length >= SETUP_CONSOLE_ID + 4;
	if (peek->has_session_id)
		peek->session_id = get_le32(payload + SETUP_CONSOLE_ID);
	return peek->has_session_id || peek->payload_type == IPMI_PAYLOAD_TYPE_RMCPPLUS_OPEN_SESSION_RESPONSE;
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
		peek->has_session_id = true;
		peek->session_id = get_le32(packet + OFFSET_SESSION_ID);
		return true;
	}
	return packet[OFFSET_PAYLOAD_TYPE] == peek->payload_type && /* neither authenticated nor encrypted */
	       peek_setup(packet + OFFSET_PAYLOAD, payload_length, peek);
}

/* Offset of the IPMI message, 0 when the packet has an authentication type that is never asked for. */
static size_t lan_message_offset(const uint8_t *packet)
{
	switch (packet[OFFSET_AUTHENTICATION_TYPE]) {
	case IPMI_AUTHENTICATION_TYPE_NONE:
		return LAN_MESSAGE;
	case IPMI_AUTHENTICATION_TYPE_MD5:
		return LAN_MESSAGE + LAN_CODE_LENGTH;
	default:
		return 0;
	}
}

static bool peek_lan(const uint8_t *packet, size_t length, struct ipmi_peek *peek)
{
	size_t offset = lan_message_offset(packet);

	if (offset == 0 || length < offset + MESSAGE_HEADER_LENGTH)
		return false;
	peek->framing = offset == LAN_MESSAGE ? IPMI_FRAMING_LAN : IPMI_FRAMING_LAN_SESSION;
	peek->rq_seq = packet[offset + MESSAGE_RQ_SEQ] >> 2;
	peek->has_session_id = true;
	peek->session_id = get_le32(packet + OFFSET_LAN_SESSION_ID);
	return true;
}

bool ipmi_packet_peek(const uint8_t *packet, size_t length, struct ipmi_peek *peek)
{
	memset(peek, 0, sizeof(*peek));
	if (length < LAN_MESSAGE || length > IPMI_PACKET_MAX || packet[0] != RMCP_VERSION ||
	    packet[3] != RMCP_CLASS_IPMI)
		return false;
	if (packet[OFFSET_AUTHENTICATION_TYPE] == AUTHENTICATION_TYPE_RMCPPLUS)
		return peek_rmcpplus(packet, length, peek);
	return peek_lan(packet, length, peek);
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

int ipmi_packet_copy(const struct ipmi_bmc *bmc, uint8_t number, uint8_t mask)
{
	unsigned copy = (unsigned)(bmc->number - number) & mask;

	return copy < bmc->copies && copy < IPMI_COPIES_MAX ? (int)copy : -1;
}

/* With each copy of these a BMC makes new numbers and may forget those that it answered the one before with. */
static bool only_last_counts(const struct ipmi_exchange *exchange)
{
	return exchange->id == IPMI_EXCHANGE_OPEN_SESSION || exchange->id == IPMI_EXCHANGE_RAKP_1 ||
	       exchange->id == IPMI_EXCHANGE_CHALLENGE;
}

static enum ipmi_verdict match(const struct ipmi_bmc *bmc, uint64_t number, uint8_t mask, unsigned *copy)
{
	int found = ipmi_packet_copy(bmc, (uint8_t)number, mask);

	if (found < 0)
		return IPMI_PACKET_LATE;
	*copy = (unsigned)found;
	return found > 0 && only_last_counts(bmc->waiting) ? IPMI_PACKET_SUPERSEDED : IPMI_PACKET_VALID;
}

/* An IPMI message answers when network function, sequence number and command are those of the request. */
static enum ipmi_verdict check_message(struct ipmi_bmc *bmc, const uint8_t *message, size_t length,
				       fiid_obj_t response, unsigned *copy)
{
	const struct ipmi_exchange *exchange = bmc->waiting;
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	enum ipmi_verdict verdict;

	if (!(bmc->workarounds & bmc->protocol->no_checksum_check) && !checksums_right(message, length))
		return IPMI_PACKET_INVALID;
	verdict = match(bmc, ipmi_field(s->message_response, "rq_seq"), IPMI_RQ_SEQ_MASK, copy);
	if (verdict == IPMI_PACKET_LATE)
		return verdict;
	if (ipmi_lan_check_net_fn(s->message_response, exchange->net_fn + 1U) != 1 ||
	    ipmi_check_cmd(response, exchange->cmd) != 1)
		return IPMI_PACKET_INVALID;
	if (verdict == IPMI_PACKET_VALID && ipmi_check_completion_code_success(response) == 1 &&
	    ipmi_command_has_data(exchange) && fiid_obj_packet_valid(response) != 1)
		return IPMI_PACKET_MALFORMED;
	return verdict;
}

/* FreeIPMI takes the rest of the packet for the message, which may be longer: Ethernet pads short ones (table 13-8). */
static bool unassemble_lan(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length, fiid_obj_t response)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);

	return unassemble_ipmi_lan_pkt(packet, (unsigned)length, s->rmcp, s->lan_session, s->message_response,
				       response, s->message_trailer, IPMI_INTERFACE_FLAGS_DEFAULT) == 1;
}

static enum ipmi_verdict check_lan(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				   fiid_obj_t response, unsigned *copy)
{
	size_t message_length = packet[LAN_MESSAGE - 1];

	if (message_length > length - LAN_MESSAGE ||
	    !unassemble_lan(bmc, packet, LAN_MESSAGE + message_length, response))
		return IPMI_PACKET_INVALID;
	return check_message(bmc, packet + LAN_MESSAGE, message_length, response, copy);
}

/* Type and code over the whole packet: nothing else of it is parsed before. */
static bool lan_authentic(const struct ipmi_bmc *bmc, const uint8_t *packet, size_t length)
{
	if (bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK)
		return true;
	return ipmi_lan_check_packet_session_authentication_code(packet, (unsigned)length,
								 IPMI_AUTHENTICATION_TYPE_MD5, bmc->password,
								 bmc->password_length) == 1;
}

/*
 * A refusal of Activate Session belongs to no session yet, and comes without authentication from some BMCs. It is believed, as
 * the refusals of RMCP+ are that have none either: it can end a set-up, and nothing more.
 */
static bool is_refusal(const struct ipmi_bmc *bmc, const uint8_t *message, size_t length)
{
	return bmc->waiting->id == IPMI_EXCHANGE_ACTIVATE && length > MESSAGE_HEADER_LENGTH &&
	       message[MESSAGE_HEADER_LENGTH] != 0;
}

static bool lan_session_id_right(const struct ipmi_bmc *bmc, fiid_obj_t response)
{
	uint64_t id = ipmi_field(ipmi_engine_scratch(bmc->engine)->lan_session, "session_id");

	if (id == 0)
		return bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO;
	return id == bmc->session.managed_id ||
	       (bmc->waiting->id == IPMI_EXCHANGE_ACTIVATE && id == ipmi_field(response, "session_id"));
}

/* The window of IPMI 2.0, 6.12.12. */
static bool lan_sequence_right(struct ipmi_bmc *bmc)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	uint32_t sequence = (uint32_t)ipmi_field(s->lan_session, "session_sequence_number");

	if (bmc->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_BIG_ENDIAN_SEQUENCE_NUMBER)
		sequence = __builtin_bswap32(sequence);
	return ipmi_check_session_sequence_number_1_5(sequence, &bmc->session.highest, &bmc->session.received,
						      0) == 1;
}

static enum ipmi_verdict check_lan_session(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
					   fiid_obj_t response, unsigned *copy)
{
	size_t offset = lan_message_offset(packet), message_length = packet[offset - 1];
	bool refusal;

	if (message_length > length - offset)
		return IPMI_PACKET_INVALID;
	length = offset + message_length;
	refusal = is_refusal(bmc, packet + offset, message_length);
	if ((!(refusal && offset == LAN_MESSAGE) && !lan_authentic(bmc, packet, length)) ||
	    !unassemble_lan(bmc, packet, length, response))
		return IPMI_PACKET_INVALID;
	if (!refusal && (!lan_session_id_right(bmc, response) || !lan_sequence_right(bmc)))
		return IPMI_PACKET_INVALID;
	return check_message(bmc, packet + offset, message_length, response, copy);
}

static enum ipmi_verdict check_setup(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				     fiid_obj_t response, unsigned *copy)
{
	const struct ipmi_scratch *s = ipmi_engine_scratch(bmc->engine);
	enum ipmi_verdict verdict;

	if (unassemble_ipmi_rmcpplus_pkt(0, 0, 0, NULL, 0, NULL, 0, packet, (unsigned)length, s->rmcp,
					 s->session, s->payload, s->message_response, response,
					 s->message_trailer, s->trailer, IPMI_INTERFACE_FLAGS_DEFAULT) != 1)
		return IPMI_PACKET_INVALID;
	if (ipmi_rmcpplus_check_payload_type(s->session, bmc->waiting->payload_response) != 1)
		return IPMI_PACKET_INVALID;
	verdict = match(bmc, ipmi_field(response, "message_tag"), IPMI_TAG_MASK, copy);
	/* A refusal may be cut short; whether it has our session ID was looked at to find the BMC. */
	if (verdict != IPMI_PACKET_VALID ||
	    ipmi_rmcpplus_check_status_code(response, RMCPPLUS_STATUS_NO_ERRORS) != 1)
		return verdict;
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
				       fiid_obj_t response, unsigned *copy)
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
	return check_message(bmc, message, (size_t)message_length, response, copy);
}

enum ipmi_verdict ipmi_packet_check(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				    fiid_obj_t *response, unsigned *copy)
{
	*response = ipmi_engine_scratch(bmc->engine)->response[bmc->waiting->id];
	switch (ipmi_framing(bmc, bmc->waiting)) {
	case IPMI_FRAMING_LAN:
		return check_lan(bmc, packet, length, *response, copy);
	case IPMI_FRAMING_LAN_SESSION:
		return check_lan_session(bmc, packet, length, *response, copy);
	case IPMI_FRAMING_SETUP:
		return check_setup(bmc, packet, length, *response, copy);
	default:
		return check_session(bmc, packet, length, *response, copy);
	}
}
