/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The octets of a magic packet, with and without its Ethernet header. */
#include "wol/wol.h"

#include <string.h>

#define SYNC_LENGTH 6
#define MAC_LENGTH  6
#define MAC_COPIES  16

size_t wol_payload(const struct wol_target *target, uint8_t *payload)
{
	uint8_t *p = payload;

	memset(p, 0xff, SYNC_LENGTH);
	p += SYNC_LENGTH;
	for (int i = 0; i < MAC_COPIES; i++, p += MAC_LENGTH)
		memcpy(p, target->mac, MAC_LENGTH);
	memcpy(p, target->secureon, target->secureon_length);
	p += target->secureon_length;
	return (size_t)(p - payload);
}

size_t wol_frame(const struct wol_target *target, const uint8_t source[6], uint8_t *frame)
{
	memset(frame, 0xff, MAC_LENGTH);
	memcpy(frame + MAC_LENGTH, source, MAC_LENGTH);
	frame[12] = WOL_ETHERTYPE >> 8;
	frame[13] = WOL_ETHERTYPE & 0xff;
	return 14 + wol_payload(target, frame + 14);
}
