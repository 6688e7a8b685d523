/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/job_rows.h"

#include "agent/mib/busy.h"
#include "agent/mib/mib.h"

static struct pm_busy busy;

void pm_job_rows_forget(void)
{
	pm_busy_forget(&busy);
}

static bool has_jobs(const struct pm_machine *machine)
{
	return machine->jobs_count > 0;
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

struct pm_job *pm_job_from(const oid *index, size_t length, bool inclusive)
{
	const struct pm_agent *agent = pm_mib_agent;
	size_t count;
	struct pm_machine *const *machines =
	    pm_busy_from(&busy, agent, agent->job_rows_changes, has_jobs, length ? index[0] : 0, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pm_machine *machine = machines[i];
		bool here = length && machine->index == index[0];
		size_t place = here ? place_of(machine, index, length, inclusive) : 0;

		if (place < machine->jobs_count)
			return machine->jobs[place];
	}
	return NULL;
}
