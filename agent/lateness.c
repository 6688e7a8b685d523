/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/lateness.h"

void pm_lateness_note(struct pm_lateness *lateness, uint64_t late_us)
{
	unsigned bucket = 0;

	while (bucket < PM_LATENESS_BUCKETS - 1 && late_us >> bucket)
		bucket++;
	lateness->buckets[bucket]++;
	lateness->count++;
	if (late_us > lateness->max_us)
		lateness->max_us = late_us;
}

uint64_t pm_lateness_percentile(const struct pm_lateness *lateness, unsigned percent)
{
	uint64_t wanted = (lateness->count * percent + 99) / 100, seen = 0;
	unsigned bucket = 0;

	for (; bucket < PM_LATENESS_BUCKETS - 1; bucket++) {
		seen += lateness->buckets[bucket];
		if (seen >= wanted)
			break;
	}
	return UINT64_C(1) << bucket < lateness->max_us ? UINT64_C(1) << bucket : lateness->max_us;
}
