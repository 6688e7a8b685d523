/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets being written and read, least significant octet first as everywhere in IPMI.
 */
#ifndef PM_SIM_OCTETS_H
#define PM_SIM_OCTETS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SIM_PACKET_MAX = 512 };

struct sim_buffer {
	uint8_t data[SIM_PACKET_MAX];
	size_t length;
};

/* What a BMC says is of bounded length: to run over is an error of the simulator. */
static inline void sim_put(struct sim_buffer *b, const void *data, size_t length)
{
	if (length > sizeof(b->data) - b->length)
		abort();
	if (length)
		memcpy(b->data + b->length, data, length);
	b->length += length;
}

static inline void sim_put8(struct sim_buffer *b, unsigned value)
{
	uint8_t octet = (uint8_t)value;

	sim_put(b, &octet, 1);
}

static inline void sim_put16(struct sim_buffer *b, unsigned value)
{
	sim_put8(b, value);
	sim_put8(b, value >> 8);
}

static inline void sim_put32(struct sim_buffer *b, uint32_t value)
{
	sim_put16(b, value & 0xffff);
	sim_put16(b, value >> 16);
}

static inline unsigned sim_get16(const uint8_t *p)
{
	return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static inline uint32_t sim_get32(const uint8_t *p)
{
	return (uint32_t)sim_get16(p) | (uint32_t)sim_get16(p + 2) << 16;
}

#endif
