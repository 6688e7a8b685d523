/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How late things began that were due at a time: a histogram with buckets that double, so that a percentile is known to
 * a factor of two.
 */
#ifndef PM_LATENESS_H
#define PM_LATENESS_H

#include <stdint.h>

#define PM_LATENESS_BUCKETS 40

struct pm_lateness {
	uint64_t count, max_us;
	uint64_t buckets[PM_LATENESS_BUCKETS]; /* i: below 2^i us, and not below half of it */
};

void pm_lateness_note(struct pm_lateness *lateness, uint64_t late_us);

/* What `percent` of them do not exceed, 1 to 100: a power of two, or the largest if that is less. 0 without any. */
uint64_t pm_lateness_percentile(const struct pm_lateness *lateness, unsigned percent);

#endif
