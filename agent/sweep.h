/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A sweep: asks many, as fast as they answer, with a window of them waiting for an answer at once. Who has been silent
 * for longer than a retransmission takes leaves the window, so that the dead do not hold up the living; a sweep is over
 * when everybody has answered or was given up. It knows neither BMCs nor probes.
 */
#ifndef PM_SWEEP_H
#define PM_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct pm_sweep;

enum pm_sweep_place { PM_SWEEP_OUT, PM_SWEEP_QUEUED, PM_SWEEP_WAITING, PM_SWEEP_SILENT };

/* One who is asked: lives in its owner, all zero at first. */
struct pm_sweep_entry {
	struct pm_sweep_entry *previous, *next;
	enum pm_sweep_place place;
	bool doubtful;
	uint64_t heard_ms; /* loop time: asked, or last heard of in the window */
};

struct pm_sweep_result {
	size_t asked, answered;
	uint64_t answered_us; /* from the first question to the last answer */
	uint64_t took_us;     /* until the last one was given up */
};

struct pm_sweep_methods {
	/* Begins to ask; pm_sweep_ended() follows, perhaps from within. Never called from pm_sweep_add(). */
	void (*ask)(struct pm_sweep_entry *entry, void *data);
	/* Whether anything came from it within the last ms, or it could not even be asked; NULL: never before its end. */
	bool (*heard)(const struct pm_sweep_entry *entry, unsigned within_ms, void *data);
	/* The sweep is over; NULL: nobody wants to know. */
	void (*over)(const struct pm_sweep_result *result, void *data);
};

/* methods must stay. 0 or -ENOMEM. */
int pm_sweep_new(uv_loop_t *loop, unsigned window, const struct pm_sweep_methods *methods, void *data,
		 struct pm_sweep **sweep);

/* The entries must be out. NULL is allowed. */
void pm_sweep_free(struct pm_sweep *sweep);

/* Queues an entry, unless it is in; the doubtful ones come after all others. */
void pm_sweep_add(struct pm_sweep *sweep, struct pm_sweep_entry *entry, bool doubtful);

/* Who has had an answer is to be asked again: the counts and the time begin anew, with those who are in. */
void pm_sweep_restart(struct pm_sweep *sweep);

/* It has answered, or was given up, whether or not the sweep had asked. Nothing when it is out. */
void pm_sweep_ended(struct pm_sweep *sweep, struct pm_sweep_entry *entry, bool answered);

/* Takes an entry out as if it had never been in. */
void pm_sweep_remove(struct pm_sweep *sweep, struct pm_sweep_entry *entry);

/* While held nobody is asked. */
void pm_sweep_hold(struct pm_sweep *sweep, bool hold);

/* Whether anybody waits to be asked, or was asked and may live. */
bool pm_sweep_busy(const struct pm_sweep *sweep);

#endif
