/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The proof: is this captured frame the very packet that was sent? Pure functions over octets that anybody on
 * the network may have made.
 */
#ifndef PM_WOL_MATCH_H
#define PM_WOL_MATCH_H

#include "wol/wol.h"

/* What a captured magic packet says of itself. Pointers are into the captured octets. */
struct wol_captured {
	enum wol_method method;
	const uint8_t *source; /* Ethernet source address; NULL on links without one */
	const uint8_t *frame;  /* the whole frame, with its link header */
	size_t frame_length;
	bool tagged; /* has an 802.1Q tag */
	uint16_t vlan_id;
	int family;             /* UDP: AF_INET or AF_INET6 */
	const uint8_t *address; /* UDP: IP destination, 4 or 16 octets */
	uint16_t source_port, port;
	const uint8_t *payload; /* starts with 6 x 0xff and 16 equal addresses */
	size_t payload_length;
};

/* What was sent. */
struct wol_expected {
	enum wol_method method;
	uint8_t source[6];            /* the egress interface's address */
	uint16_t vlan_id;             /* of the egress interface when that is a VLAN; 0: none */
	uint8_t frame[WOL_FRAME_MAX]; /* Ethernet: the whole frame */
	size_t frame_length;
	uint8_t payload[WOL_PAYLOAD_MAX];
	size_t payload_length;
	int family; /* UDP */
	uint8_t address[16];
	uint16_t source_port, port;
};

/* Whether frames of this libpcap link type (DLT_*) can be read at all. */
bool wol_link_type_known(int link_type);

/*
 * Reads a frame of the given libpcap link type. length is the length on the wire, captured_length what there
 * is of it. Returns false for everything that is not one complete magic packet: other protocols, fragments,
 * truncated or padded ones, and, where the link header tells (Linux cooked), frames that were not going out.
 */
bool wol_parse(int link_type, const uint8_t *frame, size_t captured_length, size_t length,
	       struct wol_captured *captured);

/*
 * Ethernet: the whole frame is octet-identical. UDP: IP version, destination address, both ports and the
 * whole payload are, and the Ethernet source address where there is one. A tagged frame matches only a packet
 * sent on that VLAN's own interface: seen on the parent interface it belongs to another segment.
 */
bool wol_matches(const struct wol_expected *expected, const struct wol_captured *captured);

#endif
