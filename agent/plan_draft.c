/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan in the making: the stack as a tree by places, and the steps as they are thought of. */
#include "agent/plan_private.h"

#include <errno.h>
#include <stdlib.h>

#define STEPS_OF_MACHINE    8
#define STEPS_OF_VM         6 /* resumed, brought down in two ways, started, and one to spare for a second try */
#define STEPS_OF_HYPERVISOR 2

unsigned pm_draft_place(const struct pm_machine *machine, const struct pm_vm *vm)
{
	size_t place = vm ? pm_machine_vm_place(machine, vm->index) : machine->vm_count;

	return place < machine->vm_count && machine->vms[place] == vm ? (unsigned)place : PM_NOWHERE;
}

/* Each VM into the part of order[] that its hypervisor has, in the order of pmVmIndex: a counting sort. */
static void sort_vms(struct pm_draft *draft)
{
	const struct pm_machine *machine = draft->machine;
	struct pm_draft_hypervisor *hypervisors = draft->hypervisors;

	for (size_t i = 0; i < machine->vm_count; i++) {
		const struct pm_hypervisor *on = machine->vms[i]->hypervisor;

		draft->vms[i].hypervisor = on ? (unsigned)(on - machine->hypervisors) : PM_NOWHERE;
		hypervisors[on ? draft->vms[i].hypervisor : machine->hypervisor_count].vms += on != NULL;
	}
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		hypervisors[i + 1].vms += hypervisors[i].vms;
	for (size_t i = machine->vm_count; i-- > 0;)
		if (draft->vms[i].hypervisor != PM_NOWHERE)
			draft->order[--hypervisors[draft->vms[i].hypervisor].vms] = (unsigned)i;
}

static bool has_vms_up(const struct pm_draft *draft, unsigned place)
{
	for (unsigned n = draft->hypervisors[place].vms; n < draft->hypervisors[place + 1].vms; n++)
		if (pm_vm_is_up(draft->machine->vms[draft->order[n]]))
			return true;
	return false;
}

static void look_below(struct pm_draft *draft, unsigned place)
{
	const struct pm_hypervisor *hypervisor = &draft->machine->hypervisors[place];
	const struct pm_vm *host = hypervisor->host;
	const struct pm_hypervisor *on = host && host->hypervisor ? host->hypervisor : hypervisor->on;
	struct pm_draft_hypervisor *drafted = &draft->hypervisors[place];

	drafted->host = pm_draft_place(draft->machine, host);
	drafted->on = on ? (unsigned)(on - draft->machine->hypervisors) : PM_NOWHERE;
}

/* Parents first, as it is now: a guest may have moved to another hypervisor than the one it is configured on. */
static void sort_hypervisors(struct pm_draft *draft)
{
	unsigned chain_end = 2 * (unsigned)draft->machine->hypervisor_count, count = 0;

	for (unsigned i = 0; i < draft->machine->hypervisor_count; i++) {
		unsigned place = i, chain = chain_end;

		/* down to one that has its place; the way there is kept at the end, where nothing else comes */
		while (place != PM_NOWHERE && !draft->hypervisors[place].ordered) {
			draft->hypervisors[place].ordered = true;
			draft->parents_first[--chain] = place;
			place = draft->hypervisors[place].on;
		}
		while (chain < chain_end)
			draft->parents_first[count++] = draft->parents_first[chain++];
	}
}

/* The upper ones first: what is astray on it makes one astray, too. */
static void find_astray(struct pm_draft *draft)
{
	for (size_t i = draft->machine->hypervisor_count; i-- > 0;) {
		unsigned place = draft->parents_first[i];
		struct pm_draft_hypervisor *drafted = &draft->hypervisors[place];

		drafted->astray = drafted->on != PM_NOWHERE &&
				  pm_hypervisor_is_lost(&draft->machine->hypervisors[place]) &&
				  (drafted->strays || has_vms_up(draft, place));
		if (drafted->astray)
			draft->hypervisors[drafted->on].strays = true;
	}
}

int pm_draft_begin(struct pm_draft *draft, const struct pm_machine *machine, const struct pm_job_spec *spec,
		   struct pm_error *err)
{
	size_t vms = machine->vm_count, hypervisors = machine->hypervisor_count;
	size_t room = STEPS_OF_MACHINE + STEPS_OF_VM * vms + STEPS_OF_HYPERVISOR * hypervisors;

	*draft = (struct pm_draft){.machine = machine, .spec = spec, .err = err};
	draft->vm_time_s = spec->timeout_s ? spec->timeout_s : machine->stack_timeout_s;
	draft->vms = calloc(vms + 1, sizeof(*draft->vms));
	draft->hypervisors = calloc(hypervisors + 1, sizeof(*draft->hypervisors));
	draft->order = calloc(vms + 1, sizeof(*draft->order));
	draft->parents_first = calloc(2 * hypervisors + 1, sizeof(*draft->parents_first));
	draft->steps = calloc(room, sizeof(*draft->steps));
	if (!draft->vms || !draft->hypervisors || !draft->order || !draft->parents_first || !draft->steps)
		return draft->error = pm_fail(err, ENOMEM, "no memory for a plan");
	sort_vms(draft);
	for (unsigned i = 0; i < hypervisors; i++)
		look_below(draft, i);
	sort_hypervisors(draft);
	find_astray(draft);
	return 0;
}

void pm_draft_free(struct pm_draft *draft)
{
	free(draft->vms);
	free(draft->hypervisors);
	free(draft->order);
	free(draft->parents_first);
	free(draft->behind);
	free(draft->steps);
}

unsigned pm_draft_refuse(struct pm_draft *draft, int error)
{
	draft->error = error;
	return 0;
}

unsigned pm_draft_add(struct pm_draft *draft, const struct pm_draft_step *step)
{
	draft->steps[draft->count++] = *step;
	return draft->old_count + draft->count;
}

struct pm_step *pm_draft_step(struct pm_draft *draft, unsigned number)
{
	return &draft->steps[number - draft->old_count - 1].step;
}
