/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/timer.h"

#include <stdlib.h>
#include <time.h>

struct pm_timer {
	uv_timer_t handle;
	void (*callback)(void *data);
	void *data;
};

static void on_timer(uv_timer_t *handle)
{
	struct pm_timer *timer = handle->data;

	timer->callback(timer->data);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct pm_timer *pm_timer_new(uv_loop_t *loop, void (*callback)(void *data), void *data)
{
	struct pm_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	uv_timer_init(loop, &timer->handle);
	timer->handle.data = timer;
	timer->callback = callback;
	timer->data = data;
	return timer;
}

void pm_timer_start(struct pm_timer *timer, uint64_t delay_ms)
{
	if (timer)
		uv_timer_start(&timer->handle, on_timer, delay_ms, 0);
}

void pm_timer_stop(struct pm_timer *timer)
{
	if (timer)
		uv_timer_stop(&timer->handle);
}

void pm_timer_free(struct pm_timer *timer)
{
	if (timer)
		uv_close((uv_handle_t *)&timer->handle, on_closed);
}

int64_t pm_time_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t pm_jitter(uint64_t limit)
{
	static uint64_t state;

	if (!state)
		state = (uint64_t)pm_time_ms() ^ 0x9e3779b97f4a7c15u;
	state ^= state << 13; /* xorshift64 (Marsaglia, 2003) */
	state ^= state >> 7;
	state ^= state << 17;
	return limit ? state % limit : 0;
}
