/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/job_rows.h"

#include "agent/mib/mib.h"

#include <stdlib.h>

/* The machines that have jobs, ascending: kept until a row comes or goes. */
static struct {
	struct pm_machine **machines;
	size_t count, room;
	uint64_t changes; /* agent->job_rows_changes then */
	bool good;
} busy;

void pm_job_rows_forget(void)
{
	free(busy.machines);
	busy.machines = NULL;
	busy.count = busy.room = 0;
	busy.good = false;
}

static bool make_room(const struct pm_agent *agent)
{
	struct pm_machine **machines;

	if (busy.room >= agent->machine_count)
		return true;
	machines = realloc(busy.machines, agent->machine_count * sizeof(struct pm_machine *));
	if (!machines)
		return false;
	busy.machines = machines;
	busy.room = agent->machine_count;
	return true;
}

/* Machines among which are all that have jobs; without memory all there are. */
static struct pm_machine **find_busy(const struct pm_agent *agent, size_t *count)
{
	if (!busy.good || busy.changes != agent->job_rows_changes) {
		busy.good = false;
		if (!make_room(agent)) {
			*count = agent->machine_count;
			return agent->machines;
		}
		busy.count = 0;
		for (size_t i = 0; i < agent->machine_count; i++)
			if (agent->machines[i]->jobs_count)
				busy.machines[busy.count++] = agent->machines[i];
		busy.changes = agent->job_rows_changes;
		busy.good = true;
	}
	*count = busy.count;
	return busy.machines;
}

size_t pm_job_index(const struct pm_job *job, oid *index)
{
	size_t length = 0;

	index[length++] = job->machine->index;
	length += pm_index_string(index + length, job->owner);
	return length + pm_index_string(index + length, job->name);
}

/* The place of the first job of the machine that is not before the index. */
static size_t place_of(const struct pm_machine *machine, const oid *index, size_t length, bool inclusive)
{
	oid own[PM_INDEX_MAX];
	size_t low = 0, high = machine->jobs_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t own_length = pm_job_index(machine->jobs[middle], own);
		int order = snmp_oid_compare(own, own_length, index, length);

		if (order < 0 || (order == 0 && !inclusive))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The place of the first machine with this pmIndex or a greater one. */
static size_t machine_place(struct pm_machine *const *machines, size_t count, oid index)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (machines[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct pm_job *pm_job_from(const oid *index, size_t length, bool inclusive)
{
	size_t count;
	struct pm_machine **machines = find_busy(pm_mib_agent, &count);

	for (size_t i = length ? machine_place(machines, count, index[0]) : 0; i < count; i++) {
		const struct pm_machine *machine = machines[i];
		bool here = length && machine->index == index[0];
		size_t place = here ? place_of(machine, index, length, inclusive) : 0;

		if (place < machine->jobs_count)
			return machine->jobs[place];
	}
	return NULL;
}
