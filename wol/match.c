/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading captured frames, one layer a function; every length is checked before it is used. */
#include "wol/match.h"

#include <netinet/in.h>
#include <pcap/dlt.h>
#include <string.h>
#include <sys/socket.h>

#define ETHERTYPE_IPV4  0x0800
#define ETHERTYPE_IPV6  0x86dd
#define ETHERTYPE_VLAN  0x8100 /* IEEE 802.1Q */
#define VLAN_ID_MASK    0x0fff
#define SLL_OUTGOING    4      /* LINKTYPE_LINUX_SLL: packet type "sent by us" */
#define IPV4_FRAGMENTED 0x3fff /* RFC 791: More Fragments and the fragment offset */
#define IPV6_HEADER     40
#define UDP_HEADER      8
#define MAGIC_MIN       102

/* Octets not read yet. */
struct octets {
	const uint8_t *at;
	size_t left;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void skip(struct octets *octets, size_t count)
{
	octets->at += count;
	octets->left -= count;
}

static bool parse_magic(struct octets in, struct wol_captured *captured)
{
	static const uint8_t sync[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (in.left < MAGIC_MIN || in.left > WOL_PAYLOAD_MAX || memcmp(in.at, sync, sizeof(sync)) != 0)
		return false;
	/* Every copy equals the one before it. */
	if (memcmp(in.at + 6, in.at + 12, MAGIC_MIN - 12) != 0)
		return false;
	captured->payload = in.at;
	captured->payload_length = in.left;
	return true;
}

static bool parse_udp(struct octets in, struct wol_captured *captured)
{
	if (in.left < UDP_HEADER || get16(in.at + 4) != in.left)
		return false;
	captured->method = WOL_UDP;
	captured->source_port = get16(in.at);
	captured->port = get16(in.at + 2);
	skip(&in, UDP_HEADER);
	return parse_magic(in, captured);
}

static bool parse_ipv4(struct octets in, struct wol_captured *captured)
{
	size_t header, total;

	if (in.left < 20 || in.at[0] >> 4 != 4)
		return false;
	header = (size_t)(in.at[0] & 0x0f) * 4;
	total = get16(in.at + 2);
	if (header < 20 || total < header || total > in.left)
		return false;
	if ((get16(in.at + 6) & IPV4_FRAGMENTED) != 0 || in.at[9] != IPPROTO_UDP)
		return false;
	captured->family = AF_INET;
	captured->address = in.at + 16;
	in.left = total;
	skip(&in, header);
	return parse_udp(in, captured);
}

static bool parse_ipv6(struct octets in, struct wol_captured *captured)
{
	size_t payload;

	if (in.left < IPV6_HEADER || in.at[0] >> 4 != 6 || in.at[6] != IPPROTO_UDP)
		return false;
	payload = get16(in.at + 4);
	if (payload > in.left - IPV6_HEADER)
		return false;
	captured->family = AF_INET6;
	captured->address = in.at + 24;
	skip(&in, IPV6_HEADER);
	in.left = payload;
	return parse_udp(in, captured);
}

static bool parse_ip(struct octets in, struct wol_captured *captured)
{
	if (in.left < 1)
		return false;
	return in.at[0] >> 4 == 6 ? parse_ipv6(in, captured) : parse_ipv4(in, captured);
}

static bool parse_protocol(uint16_t ethertype, struct octets in, struct wol_captured *captured)
{
	switch (ethertype) {
	case ETHERTYPE_IPV4:
		return parse_ipv4(in, captured);
	case ETHERTYPE_IPV6:
		return parse_ipv6(in, captured);
	default:
		return false;
	}
}

static bool parse_ethernet(struct octets in, struct wol_captured *captured)
{
	uint16_t type;

	if (in.left < 14)
		return false;
	captured->source = in.at + 6;
	type = get16(in.at + 12);
	skip(&in, 14);
	if (type == ETHERTYPE_VLAN && in.left >= 4) {
		captured->tagged = true;
		captured->vlan_id = get16(in.at) & VLAN_ID_MASK;
		type = get16(in.at + 2);
		skip(&in, 4);
	}
	if (type == WOL_ETHERTYPE) {
		captured->method = WOL_ETHERNET;
		return parse_magic(in, captured);
	}
	return parse_protocol(type, in, captured);
}

static bool parse_cooked(struct octets in, struct wol_captured *captured)
{
	uint16_t type;

	if (in.left < 16 || get16(in.at) != SLL_OUTGOING)
		return false;
	type = get16(in.at + 14);
	skip(&in, 16);
	return parse_protocol(type, in, captured);
}

static bool parse_cooked2(struct octets in, struct wol_captured *captured)
{
	uint16_t type;

	if (in.left < 20 || in.at[10] != SLL_OUTGOING)
		return false;
	type = get16(in.at);
	skip(&in, 20);
	return parse_protocol(type, in, captured);
}

typedef bool (*parse_link_fn)(struct octets in, struct wol_captured *captured);

static parse_link_fn link_parser(int link_type)
{
	switch (link_type) {
	case DLT_EN10MB:
		return parse_ethernet;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return parse_ip;
	case DLT_LINUX_SLL:
		return parse_cooked;
	case DLT_LINUX_SLL2:
		return parse_cooked2;
	default:
		return NULL;
	}
}

bool wol_link_type_known(int link_type)
{
	return link_parser(link_type) != NULL;
}

bool wol_parse(int link_type, const uint8_t *frame, size_t captured_length, size_t length,
	       struct wol_captured *captured)
{
	parse_link_fn parse = link_parser(link_type);

	memset(captured, 0, sizeof(*captured));
	if (!parse || captured_length != length)
		return false;
	captured->frame = frame;
	captured->frame_length = length;
	return parse((struct octets){.at = frame, .left = length}, captured);
}

static bool same_udp(const struct wol_expected *expected, const struct wol_captured *captured)
{
	size_t address_length = expected->family == AF_INET ? 4 : 16;

	return captured->family == expected->family &&
	       memcmp(captured->address, expected->address, address_length) == 0 &&
	       captured->port == expected->port && captured->source_port == expected->source_port &&
	       (!captured->source || memcmp(captured->source, expected->source, 6) == 0) &&
	       captured->payload_length == expected->payload_length &&
	       memcmp(captured->payload, expected->payload, expected->payload_length) == 0;
}

bool wol_matches(const struct wol_expected *expected, const struct wol_captured *captured)
{
	if (captured->method != expected->method)
		return false;
	if (expected->method == WOL_ETHERNET)
		return captured->frame_length == expected->frame_length &&
		       memcmp(captured->frame, expected->frame, expected->frame_length) == 0;
	if (captured->tagged && captured->vlan_id != expected->vlan_id)
		return false;
	return same_udp(expected, captured);
}
