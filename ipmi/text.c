/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words for people.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ipmi/internal.h"

enum { NAME_MIN = 64 }; /* octets that a BMC's name has at least, however long the rest of the text is */

/* Length of the UTF-8 sequence at text (RFC 3629), 0 when there is none or it is a control character. */
static size_t sequence_length(const char *text)
{
	const uint8_t *t = (const uint8_t *)text;
	size_t length = *t < 0x80 ? 1 : *t < 0xe0 ? 2 : *t < 0xf0 ? 3 : 4;
	uint32_t point = length == 1 ? *t : *t & (0x7fU >> length);
	static const uint32_t least[] = {0, 0x20, 0xa0, 0x800, 0x10000};

	if ((*t >= 0x80 && *t < 0xc2) || *t > 0xf4 || *t == 0x7f)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((t[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (t[i] & 0x3fU);
	}
	if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	return length;
}

/* Names come from the configuration, and a text that is cut may end within a character. */
static void make_readable(char *text)
{
	while (*text) {
		size_t length = sequence_length(text);

		if (length == 0)
			*text = '?';
		text += length ? length : 1;
	}
}

void ipmi_explain_v(const struct ipmi_bmc *bmc, struct ipmi_reply *reply, const char *format,
		    va_list arguments)
{
	char rest[sizeof(reply->text)];
	size_t size = sizeof(reply->text), room;

	vsnprintf(rest, sizeof(rest), format, arguments);
	room = strlen(rest) < size - NAME_MIN ? size - 1 - strlen(rest) : NAME_MIN - 1;
	if (strlen(bmc->name) > room)
		snprintf(reply->text, size, "%.*s...%s", (int)room - 3, bmc->name, rest);
	else
		snprintf(reply->text, size, "%s%s", bmc->name, rest);
	make_readable(reply->text);
}

void ipmi_explain(const struct ipmi_bmc *bmc, struct ipmi_reply *reply, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	ipmi_explain_v(bmc, reply, format, arguments);
	va_end(arguments);
}

const char *ipmi_seconds(unsigned ms, char *text, size_t size)
{
	snprintf(text, size, "%g s", (double)ms / 1000);
	return text;
}

const char *ipmi_request_name(const struct ipmi_request *request, char *text, size_t size)
{
	static const char *const controls[] = {
	    "power down", "power up", "power cycle", "hard reset", "diagnostic interrupt", "soft shutdown"};
	const char *name = ipmi_command_exchanges[request->command].name;

	if (request->command == IPMI_CHASSIS_CONTROL)
		snprintf(text, size, "%s (%s)", name, controls[request->control]);
	else
		snprintf(text, size, "%s", name);
	return text;
}

const char *ipmi_exchange_name(const struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange, char *text,
			       size_t size)
{
	if (exchange->id >= IPMI_EXCHANGE_COMMAND && bmc->head)
		return ipmi_request_name(&bmc->head->request, text, size);
	if (exchange->id == IPMI_EXCHANGE_SET_PRIVILEGE)
		snprintf(text, size, "%s (%s)", exchange->name,
			 ipmi_privilege_name(bmc->session.wanted_level));
	else
		snprintf(text, size, "%s", exchange->name);
	return text;
}

/* ---- silence ---- */

/* Some BMCs say nothing where they should refuse. */
static const char *suspicion(const struct ipmi_bmc *bmc)
{
	if (!bmc->waiting)
		return NULL;
	switch (bmc->waiting->id) {
	case IPMI_EXCHANGE_RAKP_1:
		return "some BMCs are silent to a user that they do not know";
	case IPMI_EXCHANGE_RAKP_3:
		return "some BMCs are silent to a wrong password or K_g";
	case IPMI_EXCHANGE_ACTIVATE:
		return "many BMCs are silent to a wrong password";
	default:
		return NULL;
	}
}

uint32_t ipmi_invalid_packets(const struct ipmi_bmc *bmc)
{
	return bmc->stats.bad_packets - bmc->late_packets;
}

/* Whether all the messages of a session and its command take the time of an operation, or more. */
static bool is_slow(const struct ipmi_bmc *bmc)
{
	return bmc->head->contact && bmc->round_trip_ms >= bmc->head->timeout_ms / (2 * IPMI_PATIENCE);
}

/* What is known beside the silence: an error of the network, answers that were not valid, or that the time is short. */
static const char *circumstance(const struct ipmi_bmc *bmc, char *text, size_t size)
{
	uint32_t bad_packets = ipmi_invalid_packets(bmc) - bmc->head->bad_packets;
	const char *guess = suspicion(bmc);
	char seconds[32];

	*text = '\0';
	if (bmc->network_error)
		snprintf(text, size, ": %s",
			 bmc->network_error == ECONNREFUSED ? "connection refused by host"
							    : strerror(bmc->network_error));
	else if (bad_packets > 0)
		snprintf(text, size, ": %u packets from it were not valid and dropped", bad_packets);
	else if (is_slow(bmc))
		snprintf(text, size, ": its answers take %s each: set a longer timeout",
			 ipmi_seconds(bmc->round_trip_ms, seconds, sizeof(seconds)));
	else if (guess)
		snprintf(text, size, ": %s (user \"%s\")", guess, bmc->username);
	return text;
}

void ipmi_explain_silence(const struct ipmi_bmc *bmc, struct ipmi_reply *reply)
{
	const struct ipmi_op *op = bmc->head;
	char name[IPMI_NAME_SIZE], limit[32], suite[32] = "", why[128];

	ipmi_request_name(&op->request, name, sizeof(name));
	ipmi_seconds(op->timeout_ms, limit, sizeof(limit));
	circumstance(bmc, why, sizeof(why));
	if (bmc->waiting && bmc->waiting->framing != IPMI_FRAMING_LAN && bmc->suite_count > 0)
		snprintf(suite, sizeof(suite), ", cipher suite %u", bmc->suites[bmc->suite]);
	if (bmc->state == IPMI_STATE_RESOLVING)
		ipmi_explain(bmc, reply, " has a name that did not resolve within %s", limit);
	else if (bmc->waiting && bmc->waiting->id < IPMI_EXCHANGE_COMMAND)
		ipmi_explain(bmc, reply, " did not answer %s (for %s%s) within %s%s", bmc->waiting->name,
			     name, suite, limit, why);
	else
		ipmi_explain(bmc, reply, " did not answer %s within %s%s", name, limit, why);
}

/* ---- results ---- */

const char *ipmi_result_name(enum ipmi_result result)
{
	static const char *const names[] = {
	    [IPMI_OK] = "ok",
	    [IPMI_TIMEOUT] = "timeout",
	    [IPMI_UNREACHABLE] = "unreachable",
	    [IPMI_AUTH_FAILED] = "authentication failed",
	    [IPMI_SESSIONS_EXHAUSTED] = "sessions exhausted",
	    [IPMI_REJECTED] = "rejected",
	    [IPMI_UNSUPPORTED] = "unsupported",
	    [IPMI_CANCELLED] = "cancelled",
	    [IPMI_INTERNAL] = "internal error",
	};

	return names[result];
}
