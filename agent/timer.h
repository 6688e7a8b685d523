/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A one-shot timer on the heap, so that its owner can be freed at any moment. */
#ifndef PM_TIMER_H
#define PM_TIMER_H

#include <stdint.h>
#include <uv.h>

struct pm_timer;

/* NULL when memory is short. The callback gets data and may free the timer. */
struct pm_timer *pm_timer_new(uv_loop_t *loop, void (*callback)(void *data), void *data);

/* Fires once in delay_ms, instead of whatever was set before. NULL is allowed, here and below. */
void pm_timer_start(struct pm_timer *timer, uint64_t delay_ms);
void pm_timer_stop(struct pm_timer *timer);
void pm_timer_free(struct pm_timer *timer);

/* Milliseconds since the epoch (CLOCK_REALTIME), for what people read. */
int64_t pm_time_ms(void);

/* A number between 0 and limit - 1, good enough to spread polls. limit 0 gives 0. */
uint64_t pm_jitter(uint64_t limit);

#endif
