/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/busy.h"

#include <stdlib.h>

void pm_busy_forget(struct pm_busy *busy)
{
	free(busy->machines);
	*busy = (struct pm_busy){0};
}

static bool make_room(struct pm_busy *busy, size_t count)
{
	struct pm_machine **machines;

	if (busy->room >= count)
		return true;
	machines = realloc(busy->machines, count * sizeof(struct pm_machine *));
	if (!machines)
		return false;
	busy->machines = machines;
	busy->room = count;
	return true;
}

/* Whether the list is as things are now. */
static bool refresh(struct pm_busy *busy, const struct pm_agent *agent, uint64_t changes,
		    bool (*has_rows)(const struct pm_machine *machine))
{
	if (busy->good && busy->changes == changes)
		return true;
	busy->good = make_room(busy, agent->machine_count);
	if (!busy->good)
		return false;
	busy->count = 0;
	for (size_t i = 0; i < agent->machine_count; i++)
		if (has_rows(agent->machines[i]))
			busy->machines[busy->count++] = agent->machines[i];
	busy->changes = changes;
	return true;
}

struct pm_machine *const *pm_busy_from(struct pm_busy *busy, const struct pm_agent *agent, uint64_t changes,
				       bool (*has_rows)(const struct pm_machine *machine), uint64_t index,
				       size_t *count)
{
	bool good = refresh(busy, agent, changes, has_rows);
	struct pm_machine *const *machines = good ? busy->machines : agent->machines;
	size_t low = 0, high = good ? busy->count : agent->machine_count, all = high;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (machines[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	*count = all - low;
	return machines + low;
}
