/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What happens later: delayed packets, and machines that come on or go off. A heap, the earliest first, and one timer.
 */
#include <stdlib.h>

#include "tests/sim/farm.h"

static void swap(struct farm_due *a, struct farm_due *b)
{
	struct farm_due other = *a;

	*a = *b;
	*b = other;
}

static bool earlier(const struct farm_due *a, const struct farm_due *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->serial < b->serial);
}

static void sift_up(struct farm_due *heap, size_t i)
{
	for (; i > 0 && earlier(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&heap[i], &heap[(i - 1) / 2]);
}

static void sift_down(struct farm_due *heap, size_t count, size_t i)
{
	for (;;) {
		size_t least = i, left = 2 * i + 1;

		if (left < count && earlier(&heap[left], &heap[least]))
			least = left;
		if (left + 1 < count && earlier(&heap[left + 1], &heap[least]))
			least = left + 1;
		if (least == i)
			return;
		swap(&heap[i], &heap[least]);
		i = least;
	}
}

static void on_timer(uv_timer_t *timer);

static void arm(struct farm *farm)
{
	int64_t wait_us;

	if (farm->heap_count == 0) {
		uv_timer_stop(&farm->timer);
		return;
	}
	wait_us = farm->heap[0].at_us - farm_now_us();
	uv_update_time(farm->loop);
	uv_timer_start(&farm->timer, on_timer, wait_us > 0 ? (uint64_t)(wait_us + 999) / 1000 : 0, 0);
}

static void run(struct farm *farm, const struct farm_due *due)
{
	if (due->packet)
		farm_net_send(farm, due->bmc, &due->packet->route, due->packet->data, due->packet->length);
	else
		sim_bmc_tick(&farm->bmcs[due->bmc].bmc, farm_now_us());
	free(due->packet);
}

static void on_timer(uv_timer_t *timer)
{
	struct farm *farm = timer->data;

	while (farm->heap_count > 0 && farm->heap[0].at_us <= farm_now_us()) {
		struct farm_due due = farm->heap[0];

		farm->heap[0] = farm->heap[--farm->heap_count];
		sift_down(farm->heap, farm->heap_count, 0);
		run(farm, &due);
	}
	farm_net_flush(farm);
	arm(farm);
}

void farm_timer_init(struct farm *farm)
{
	uv_timer_init(farm->loop, &farm->timer);
	farm->timer.data = farm;
}

void farm_timer_add(struct farm *farm, int64_t at_us, unsigned bmc, struct farm_packet *packet)
{
	if (farm->heap_count == farm->heap_size) {
		farm->heap_size = farm->heap_size ? farm->heap_size * 2 : 64;
		farm->heap = realloc(farm->heap, farm->heap_size * sizeof(*farm->heap));
		if (!farm->heap)
			abort();
	}
	farm->heap[farm->heap_count] =
	    (struct farm_due){.at_us = at_us, .serial = farm->serial++, .bmc = bmc, .packet = packet};
	sift_up(farm->heap, farm->heap_count++);
	if (farm->heap[0].at_us == at_us)
		arm(farm);
}

/* A change of mind leaves an entry for which nothing is due any more: it does no harm. */
void farm_timer_bmc(struct farm *farm, unsigned bmc)
{
	struct farm_bmc *b = &farm->bmcs[bmc];
	int64_t at_us = sim_bmc_due_us(&b->bmc);

	if (at_us && at_us != b->due_us)
		farm_timer_add(farm, at_us, bmc, NULL);
	b->due_us = at_us;
}

void farm_timer_close(struct farm *farm)
{
	uv_close((uv_handle_t *)&farm->timer, NULL);
	for (size_t i = 0; i < farm->heap_count; i++)
		free(farm->heap[i].packet);
	free(farm->heap);
}
