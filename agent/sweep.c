/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/sweep.h"

#include "agent/timer.h"

#include <errno.h>
#include <stdlib.h>

#define SILENT_MS 400 /* FreeIPMI's first retransmission: who lives has answered by then */

struct list {
	struct pm_sweep_entry *first, *last;
	size_t count;
};

struct pm_sweep {
	uv_loop_t *loop;
	unsigned window;
	const struct pm_sweep_methods *methods;
	void *data;
	struct pm_timer *timer;
	struct list queue, doubtful, waiting, silent; /* waiting: in the order of heard_ms */
	struct pm_sweep_result result;
	uint64_t begun_us;
	bool held, pumping, woken;
};

static uint64_t now_us(void)
{
	return uv_hrtime() / 1000;
}

/* --- lists ------------------------------------------------------------------------------------ */

static struct list *list_of(struct pm_sweep *sweep, const struct pm_sweep_entry *entry)
{
	switch (entry->place) {
	case PM_SWEEP_QUEUED:
		return entry->doubtful ? &sweep->doubtful : &sweep->queue;
	case PM_SWEEP_WAITING:
		return &sweep->waiting;
	default:
		return &sweep->silent;
	}
}

static void take_out(struct pm_sweep *sweep, struct pm_sweep_entry *entry)
{
	struct list *list = list_of(sweep, entry);

	if (entry->previous)
		entry->previous->next = entry->next;
	else
		list->first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	else
		list->last = entry->previous;
	list->count--;
	entry->previous = entry->next = NULL;
	entry->place = PM_SWEEP_OUT;
}

static void put(struct pm_sweep *sweep, struct pm_sweep_entry *entry, enum pm_sweep_place place)
{
	struct list *list;

	entry->place = place;
	list = list_of(sweep, entry);
	entry->previous = list->last;
	entry->next = NULL;
	if (list->last)
		list->last->next = entry;
	else
		list->first = entry;
	list->last = entry;
	list->count++;
}

static void move(struct pm_sweep *sweep, struct pm_sweep_entry *entry, enum pm_sweep_place place)
{
	take_out(sweep, entry);
	put(sweep, entry, place);
}

bool pm_sweep_busy(const struct pm_sweep *sweep)
{
	return sweep->queue.count + sweep->doubtful.count + sweep->waiting.count > 0;
}

static bool is_running(const struct pm_sweep *sweep)
{
	return pm_sweep_busy(sweep) || sweep->silent.count > 0;
}

/* --- the window ------------------------------------------------------------------------------- */

static void watch(struct pm_sweep *sweep)
{
	const struct pm_sweep_entry *oldest = sweep->waiting.first;
	uint64_t now_ms = uv_now(sweep->loop);

	if (oldest)
		pm_timer_start(sweep->timer, oldest->heard_ms + SILENT_MS > now_ms
						 ? oldest->heard_ms + SILENT_MS - now_ms
						 : 0);
}

static void finish_if_over(struct pm_sweep *sweep)
{
	struct pm_sweep_result result = sweep->result;

	if (result.asked == 0 || is_running(sweep))
		return;
	sweep->result.asked = 0;
	result.took_us = now_us() - sweep->begun_us;
	if (sweep->methods->over)
		sweep->methods->over(&result, sweep->data);
}

/* Asking may end at once, and come here again: the loop that runs already goes on with the next one. */
static void pump(struct pm_sweep *sweep)
{
	struct pm_sweep_entry *next;
	bool idle = sweep->waiting.count == 0;

	if (sweep->pumping)
		return;
	sweep->pumping = true;
	sweep->woken = false;
	while (!sweep->held && sweep->waiting.count < sweep->window &&
	       (next = sweep->queue.first ? sweep->queue.first : sweep->doubtful.first)) {
		move(sweep, next, PM_SWEEP_WAITING);
		next->heard_ms = uv_now(sweep->loop);
		sweep->methods->ask(next, sweep->data);
	}
	sweep->pumping = false;
	if (idle)
		watch(sweep);
	finish_if_over(sweep);
}

static void on_timer(void *data)
{
	struct pm_sweep *sweep = data;
	uint64_t now_ms = uv_now(sweep->loop);
	struct pm_sweep_entry *oldest;

	while ((oldest = sweep->waiting.first) && oldest->heard_ms + SILENT_MS <= now_ms) {
		bool heard = sweep->methods->heard && sweep->methods->heard(oldest, SILENT_MS, sweep->data);

		oldest->heard_ms = now_ms;
		move(sweep, oldest, heard ? PM_SWEEP_WAITING : PM_SWEEP_SILENT);
	}
	watch(sweep);
	pump(sweep);
}

/* From the loop, when all who are to be asked now are queued. */
static void wake(struct pm_sweep *sweep)
{
	if (sweep->woken)
		return;
	sweep->woken = true;
	pm_timer_start(sweep->timer, 0);
}

/* --- public ----------------------------------------------------------------------------------- */

int pm_sweep_new(uv_loop_t *loop, unsigned window, const struct pm_sweep_methods *methods, void *data,
		 struct pm_sweep **out)
{
	struct pm_sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep || !(sweep->timer = pm_timer_new(loop, on_timer, sweep))) {
		free(sweep);
		return -ENOMEM;
	}
	sweep->loop = loop;
	sweep->window = window;
	sweep->methods = methods;
	sweep->data = data;
	*out = sweep;
	return 0;
}

void pm_sweep_free(struct pm_sweep *sweep)
{
	if (!sweep)
		return;
	pm_timer_free(sweep->timer);
	free(sweep);
}

void pm_sweep_add(struct pm_sweep *sweep, struct pm_sweep_entry *entry, bool doubtful)
{
	if (entry->place != PM_SWEEP_OUT)
		return;
	if (!is_running(sweep)) {
		sweep->result = (struct pm_sweep_result){0};
		sweep->begun_us = now_us();
	}
	entry->doubtful = doubtful;
	put(sweep, entry, PM_SWEEP_QUEUED);
	sweep->result.asked++;
	wake(sweep);
}

void pm_sweep_restart(struct pm_sweep *sweep)
{
	size_t in = sweep->queue.count + sweep->doubtful.count + sweep->waiting.count + sweep->silent.count;

	sweep->result = (struct pm_sweep_result){.asked = in};
	sweep->begun_us = now_us();
}

void pm_sweep_ended(struct pm_sweep *sweep, struct pm_sweep_entry *entry, bool answered)
{
	if (entry->place == PM_SWEEP_OUT)
		return;
	take_out(sweep, entry);
	if (answered) {
		sweep->result.answered++;
		sweep->result.answered_us = now_us() - sweep->begun_us;
	}
	pump(sweep);
}

void pm_sweep_remove(struct pm_sweep *sweep, struct pm_sweep_entry *entry)
{
	if (entry->place == PM_SWEEP_OUT)
		return;
	take_out(sweep, entry);
	sweep->result.asked--;
	if (is_running(sweep))
		wake(sweep);
	else
		sweep->result.asked = 0; /* whose end would be told is gone */
}

void pm_sweep_hold(struct pm_sweep *sweep, bool hold)
{
	if (sweep->held == hold)
		return;
	sweep->held = hold;
	wake(sweep);
}
