/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libFuzzer: the proof matcher on arbitrary frames. The first octet chooses the link type, the second how
 * much of the frame was not captured; the rest is the frame.
 */
#include "wol/match.h"

#include <netinet/in.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int link_types[] = {
    DLT_EN10MB, DLT_RAW, DLT_IPV4, DLT_IPV6, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_IEEE802_11,
};

/* The packet that the captured one claims to be: it must match that, and nothing that differs in a single
 * octet. */
static struct wol_expected claimed(const struct wol_captured *captured)
{
	struct wol_expected expected = {
	    .method = captured->method,
	    .family = captured->family,
	    .vlan_id = captured->vlan_id,
	    .port = captured->port,
	    .source_port = captured->source_port,
	    .payload_length = captured->payload_length,
	};

	if (captured->source)
		memcpy(expected.source, captured->source, 6);
	if (captured->address)
		memcpy(expected.address, captured->address, captured->family == AF_INET ? 4 : 16);
	memcpy(expected.payload, captured->payload, captured->payload_length);
	if (captured->frame_length <= sizeof(expected.frame)) {
		memcpy(expected.frame, captured->frame, captured->frame_length);
		expected.frame_length = captured->frame_length;
	}
	return expected;
}

static void check(const struct wol_captured *captured)
{
	struct wol_expected expected = claimed(captured);
	bool raw = captured->method == WOL_ETHERNET;

	if (captured->payload_length < 102 || captured->payload_length > WOL_PAYLOAD_MAX)
		abort();
	/* A tagged raw frame is longer than any that is sent. */
	if (captured->frame_length <= sizeof(expected.frame) || !raw)
		if (!wol_matches(&expected, captured))
			abort();
	expected.payload[expected.payload_length - 1] ^= 1;
	expected.frame[WOL_FRAME_MAX - WOL_PAYLOAD_MAX] ^= 1;
	if (wol_matches(&expected, captured))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wol_captured captured;
	uint8_t *frame;
	size_t length;

	if (size < 2)
		return 0;
	length = size - 2;
	frame = malloc(length + 1);
	if (!frame)
		return 0;
	memcpy(frame, data + 2, length);
	/* Exactly as large as the frame, so that reading past it is noticed. */
	frame = realloc(frame, length ? length : 1);
	if (frame && wol_parse(link_types[data[0] % (sizeof(link_types) / sizeof(link_types[0]))], frame,
			       length, length + data[1], &captured))
		check(&captured);
	free(frame);
	return 0;
}
