/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loss, delay, duplicates, reordering and garbage.
 */
#include "tests/sim/fault.h"
#include "tests/sim/internal.h"

enum { RMCP_HEADER = 4 };

bool sim_chance(struct sim_bmc *bmc, unsigned percent)
{
	return percent > 0 && sim_random(&bmc->random) % 100 < percent;
}

bool sim_fault_lost(struct sim_bmc *bmc)
{
	return sim_chance(bmc, bmc->faults.loss_in);
}

/* Up to 100 octets, half of them behind a header that looks right. */
static void make_garbage(struct sim_bmc *bmc, struct sim_buffer *packet)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07};

	packet->length = sim_random(&bmc->random) % 101;
	sim_random_octets(&bmc->random, packet->data, packet->length);
	if (packet->length >= RMCP_HEADER && sim_chance(bmc, 50))
		memcpy(packet->data, rmcp, sizeof(rmcp));
}

static void truncate_packet(struct sim_bmc *bmc, struct sim_buffer *packet)
{
	if (packet->length > 0)
		packet->length = sim_random(&bmc->random) % packet->length;
}

/* One bit behind the RMCP header, whose reserved and sequence octets say nothing. */
static void flip_bit(struct sim_bmc *bmc, struct sim_buffer *packet)
{
	size_t bit;

	if (packet->length <= RMCP_HEADER)
		return;
	bit = RMCP_HEADER * 8 + sim_random(&bmc->random) % ((packet->length - RMCP_HEADER) * 8);
	packet->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
}

struct departures {
	struct sim_departure *list;
	size_t count;
};

static void depart(struct sim_bmc *bmc, struct departures *out, const struct sim_buffer *packet)
{
	const struct sim_faults *f = &bmc->faults;
	struct sim_departure *departure;

	if (sim_chance(bmc, f->loss_out))
		return;
	departure = &out->list[out->count++];
	departure->packet = *packet;
	departure->delay_us = f->delay_us;
	if (f->jitter_us)
		departure->delay_us += (uint32_t)(sim_random(&bmc->random) % f->jitter_us);
	departure->held = sim_chance(bmc, f->reorder);
}

static unsigned depart_spoilt(struct sim_bmc *bmc, struct departures *out, const struct sim_buffer *answer,
			      unsigned percent, void (*spoil)(struct sim_bmc *bmc, struct sim_buffer *packet))
{
	struct sim_buffer copy;

	if (!sim_chance(bmc, percent))
		return 0;
	copy = *answer;
	spoil(bmc, &copy);
	depart(bmc, out, &copy);
	return 1;
}

size_t sim_fault_out(struct sim_bmc *bmc, const struct sim_buffer *answer, struct sim_departure *departures)
{
	const struct sim_faults *f = &bmc->faults;
	struct departures out = {.list = departures, .count = 0};
	unsigned spoilt = 0;

	spoilt += depart_spoilt(bmc, &out, answer, f->garbage, make_garbage);
	spoilt += depart_spoilt(bmc, &out, answer, f->truncate, truncate_packet);
	spoilt += depart_spoilt(bmc, &out, answer, f->flip, flip_bit);
	if (spoilt && f->instead)
		return out.count;
	depart(bmc, &out, answer);
	if (sim_chance(bmc, f->duplicate))
		depart(bmc, &out, answer);
	return out.count;
}
