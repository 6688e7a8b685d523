/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a plan lacks when its time has come: the stack may be another one than when it was made. */
#include "agent/plan_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TRIES 3 /* to bring down one VM, or to ask one hypervisor, until it is given up */

/* --- what the steps that are there already do --------------------------------------------------- */

/* The number of the first of its group of alternatives. */
static unsigned first_of(const struct pm_step *steps, unsigned number)
{
	while (number > 1 && steps[number - 1].alternative)
		number--;
	return number;
}

static bool has_ended(const struct pm_step *step)
{
	return step->state >= PM_JOB_SUCCEEDED;
}

/* Whether a group of alternatives has: one of them well, or the last of them. */
static bool group_has_ended(const struct pm_draft *draft, unsigned first)
{
	unsigned last = first;

	while (last < draft->old_count && draft->old[last].alternative)
		last++;
	for (unsigned number = first; number < last; number++)
		if (draft->old[number - 1].state == PM_JOB_SUCCEEDED)
			return true;
	return has_ended(&draft->old[last - 1]);
}

/* A step that has ended brings nothing up any more, but what powerOn has started once is not started again. */
static void note_vm(struct pm_draft *draft, unsigned number, struct pm_draft_vm *vm)
{
	bool ended = group_has_ended(draft, number);

	vm->named = true;
	switch (draft->old[number - 1].action) {
	case PM_STEP_VM_START:
		if (!ended || draft->spec->action == PM_COMMAND_POWER_ON)
			vm->up = number;
		break;
	case PM_STEP_VM_REBOOT:
		if (!ended)
			vm->up = vm->pending = number;
		break;
	case PM_STEP_VM_SHUTDOWN:
	case PM_STEP_VM_PAUSE:
	case PM_STEP_VM_SAVE:
		vm->tries += ended;
		if (!ended)
			vm->pending = number;
		break;
	case PM_STEP_VM_RESUME:
		vm->resumes++;
		break;
	default:
		break;
	}
}

/* On the way up nothing waits for it but by `after`, and it waits itself. */
static bool is_on_the_way_down(const struct pm_step *connect)
{
	return connect->before || !connect->after;
}

static void note_connect(struct pm_draft *draft, unsigned number)
{
	const struct pm_step *step = &draft->old[number - 1];
	const struct pm_hypervisor *hypervisor = pm_step_hypervisor(draft->machine, step);
	struct pm_draft_hypervisor *drafted;

	if (!hypervisor)
		return;
	drafted = &draft->hypervisors[hypervisor - draft->machine->hypervisors];
	if (draft->spec->action == PM_COMMAND_POWER_ON)
		drafted->reconnect = number;
	else if (!is_on_the_way_down(step))
		drafted->reconnect = has_ended(step) ? 0 : number;
	else if (has_ended(step))
		drafted->tries++;
	else
		drafted->pending = number;
}

/* A machine that was to be suspended, without a step that does so. */
static bool goes_off_instead(const struct pm_draft *draft)
{
	bool suspends = draft->spec->vm || draft->spec->scope == PM_SCOPE_STACK;

	for (unsigned i = 0; i < draft->old_count; i++)
		suspends |= draft->old[i].action == PM_STEP_HOST_SUSPEND;
	return draft->spec->action == PM_COMMAND_SUSPEND && !suspends;
}

static void note_all(struct pm_draft *draft, const struct pm_step *steps, unsigned count)
{
	draft->old = steps;
	draft->old_count = count;
	for (unsigned number = 1; number <= count; number++) {
		const struct pm_step *step = &steps[number - 1];
		const struct pm_vm *vm = step->vm ? pm_machine_vm(draft->machine, step->vm) : NULL;

		if (step->alternative)
			continue;
		if (step->action == PM_STEP_HYPERVISOR_CONNECT)
			note_connect(draft, number);
		else if (vm)
			note_vm(draft, number, &draft->vms[pm_draft_place(draft->machine, vm)]);
		else if ((step->action == PM_STEP_BMC_POWER_UP || step->action == PM_STEP_HOST_REBOOT) &&
			 !group_has_ended(draft, number))
			draft->machine_up = number; /* the BMC's comes last */
	}
	draft->saves = goes_off_instead(draft);
}

/* --- beside them -------------------------------------------------------------------------------- */

/* Which of the steps that are there wait for the one that is to begin, if only for one that does. */
static void mark_behind(struct pm_draft *draft)
{
	bool more = true;

	draft->behind[first_of(draft->old, draft->number)] = true;
	while (more) {
		more = false;
		for (unsigned i = 1; i <= draft->old_count; i++) {
			const struct pm_step *step = &draft->old[i - 1];
			unsigned before = step->before ? first_of(draft->old, step->before) : 0;

			if (!draft->behind[i] && step->after &&
			    draft->behind[first_of(draft->old, step->after)])
				draft->behind[i] = more = true;
			if (draft->behind[i] && before && !draft->behind[before])
				draft->behind[before] = more = true;
		}
	}
}

static bool is_behind(struct pm_draft *draft, unsigned number)
{
	if (!draft->behind) {
		draft->behind = calloc(draft->old_count + 1, sizeof(*draft->behind));
		if (!draft->behind)
			return pm_draft_refuse(draft, pm_fail(draft->err, ENOMEM, "no memory for a plan"));
		mark_behind(draft);
	}
	return draft->behind[number];
}

/* Whether the one that is to begin waits for this step. */
static bool is_before(const struct pm_draft *draft, unsigned number)
{
	unsigned other = first_of(draft->old, draft->number);

	while (number && number != other) {
		number = draft->old[number - 1].before;
		number = number ? first_of(draft->old, number) : 0;
	}
	return number == other;
}

static bool refuse(struct pm_draft *draft, unsigned place, const char *why)
{
	return pm_draft_refuse(draft,
			       pm_fail(draft->err, EBUSY, "VM %s %s", draft->machine->vms[place]->name, why));
}

/* A step that brings it down has not ended; another one after that has nothing to do but wait. */
static void wait_for(struct pm_draft *draft, unsigned place, unsigned before)
{
	const struct pm_vm *vm = draft->machine->vms[place];
	struct pm_draft_vm *drafted = &draft->vms[place];

	if (is_before(draft, drafted->pending))
		return;
	if (is_behind(draft, drafted->pending))
		refuse(draft, place, "stands on it now, and its own step waits for this one");
	else
		drafted->down = pm_draft_vm_step(draft, draft->old[drafted->pending - 1].action, vm,
						 drafted->pending, before);
}

bool pm_draft_stays_down(struct pm_draft *draft, unsigned place)
{
	unsigned up = draft->vms[place].up;

	if (!up || !draft->number || draft->spec->action != PM_COMMAND_REBOOT || is_behind(draft, up))
		return true;
	return refuse(draft, place, "stands on it now, and is to come up before it has gone down");
}

bool pm_draft_may_go_down(struct pm_draft *draft, unsigned place, unsigned before)
{
	const struct pm_draft_vm *drafted = &draft->vms[place];
	char why[64];

	if (drafted->named && draft->only_new)
		return false;
	if (drafted->pending) {
		wait_for(draft, place, before);
		return false;
	}
	if (drafted->tries < TRIES)
		return true;
	snprintf(why, sizeof(why), "went down %u times, and is up again", drafted->tries);
	return refuse(draft, place, why);
}

bool pm_draft_may_ask(struct pm_draft *draft, unsigned place)
{
	const struct pm_draft_hypervisor *drafted = &draft->hypervisors[place];

	if (drafted->pending)
		return false;
	if (drafted->tries < TRIES)
		return true;
	pm_draft_refuse(draft, pm_fail(draft->err, EBUSY, "hypervisor %s was lost %u times",
				       draft->machine->hypervisors[place].config->shown, drafted->tries));
	return false;
}

/* --- what is lacking ---------------------------------------------------------------------------- */

/* What stands on it goes down before it. And if it was stopped meanwhile, it could not follow what it will be asked. */
static void below_vm(struct pm_draft *draft, const struct pm_step *step, unsigned place)
{
	const struct pm_vm *vm = draft->machine->vms[place];
	struct pm_draft_vm *drafted = &draft->vms[place];
	bool asked = step->action == PM_STEP_VM_SHUTDOWN || step->action == PM_STEP_VM_REBOOT;

	if (draft->spec->vm && pm_draft_has_strays(draft, place))
		pm_draft_refuse_astray(draft, &draft->hypervisors[drafted->hypervisor]);
	if (asked && pm_vm_must_be_resumed(vm) && drafted->resumes < TRIES)
		drafted->resume = pm_draft_vm_step(draft, PM_STEP_VM_RESUME, vm, 0, draft->number);
	pm_draft_mark_below(draft, place);
	pm_draft_stack_down(draft, draft->number);
}

/* The VM itself, at the end. */
static void vm_again(struct pm_draft *draft, unsigned place)
{
	if (!pm_draft_may_go_down(draft, place, 0))
		return;
	pm_draft_vm_down(draft, place, 0, 0);
	pm_draft_mark_below(draft, place);
	pm_draft_stack_down(draft, draft->vms[place].down);
}

/* Of hypervisors that did not answer at first: what was up has been rebooted long since. */
static void mark_answered(struct pm_draft *draft)
{
	draft->only_new = true;
	for (size_t i = 0; i < draft->machine->hypervisor_count; i++) {
		struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[draft->parents_first[i]];
		const struct pm_draft_hypervisor *on = pm_draft_ground(draft, hypervisor);

		hypervisor->below = on ? on->below : hypervisor->tries > 0;
	}
}

static void below_machine(struct pm_draft *draft)
{
	if (!pm_spec_is_graceful(draft->spec)) {
		draft->only_new = true;
		pm_draft_stack_at_once(draft, 0);
		return;
	}
	if (draft->spec->action == PM_COMMAND_REBOOT && !draft->number)
		mark_answered(draft);
	else
		pm_draft_mark_below(draft, PM_NOWHERE);
	pm_draft_stack_down(draft, draft->number);
}

/* NULL: what it waits for is to be told. */
static const char *why(const struct pm_draft *draft, const struct pm_step *step)
{
	const struct pm_vm *vm = step->vm ? pm_machine_vm(draft->machine, step->vm) : NULL;

	if (step->alternative)
		return NULL;
	switch (step->action) {
	case PM_STEP_HYPERVISOR_CONNECT:
		return step->after && !step->before ? NULL : "added: it does not answer";
	case PM_STEP_VM_RESUME:
		return "added: it is stopped";
	case PM_STEP_VM_START:
		return step->after ? NULL : "added: it is not up";
	default:
		return vm && draft->vms[pm_draft_place(draft->machine, vm)].tries ? "added: it is up again"
										  : "added: it is up";
	}
}

static void find_more(struct pm_draft *draft, const struct pm_vm *vm)
{
	const struct pm_job_spec *spec = draft->spec;

	if (spec->action == PM_COMMAND_POWER_ON)
		pm_draft_autostart(draft, 0);
	else if (vm && draft->number)
		below_vm(draft, &draft->old[draft->number - 1], pm_draft_place(draft->machine, vm));
	else if (vm)
		vm_again(draft, pm_draft_place(draft->machine, vm));
	else
		below_machine(draft);
	if (spec->action == PM_COMMAND_REBOOT)
		pm_draft_stack_up(draft, draft->machine_up);
	for (unsigned i = 0; i < draft->count; i++)
		draft->steps[i].text = why(draft, &draft->steps[i].step);
}

/* --- whether there can be anything -------------------------------------------------------------- */

static bool has_vms_up(const struct pm_machine *machine, const struct pm_hypervisor *hypervisor)
{
	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == hypervisor && pm_vm_is_up(machine->vms[i]))
			return true;
	return false;
}

/* Or may do so: one that is astray may stand on any VM of the one that it is on. */
static bool carries(const struct pm_machine *machine, const struct pm_vm *vm)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++) {
		const struct pm_hypervisor *hypervisor = &machine->hypervisors[i];

		if (hypervisor->host == vm ||
		    (hypervisor->on == vm->hypervisor && pm_hypervisor_is_lost(hypervisor) &&
		     has_vms_up(machine, hypervisor)))
			return true;
	}
	return false;
}

/* For the end of a job: the machine is down after a shutdown of it, and up after a reboot. */
static bool concerns_the_end(const struct pm_job_spec *spec, const struct pm_vm *vm)
{
	if (spec->action == PM_COMMAND_POWER_ON)
		return !spec->vm;
	if (spec->vm)
		return pm_spec_is_graceful(spec) && spec->action != PM_COMMAND_REBOOT &&
		       pm_spec_brings_down(spec, vm);
	return spec->scope == PM_SCOPE_STACK && pm_command_has_scope(spec->action);
}

static bool concerns(const struct pm_job_spec *spec, const struct pm_machine *machine,
		     const struct pm_step *steps, unsigned number, const struct pm_vm *vm)
{
	if (!number)
		return concerns_the_end(spec, vm);
	if (!pm_spec_is_graceful(spec) || !pm_step_takes_down(&steps[number - 1]))
		return false;
	return !vm || carries(machine, vm) || pm_vm_is_stopped(vm);
}

int pm_plan_more(const struct pm_machine *machine, const struct pm_job_spec *spec,
		 const struct pm_step *steps, unsigned count, unsigned number, struct pm_plan *more,
		 struct pm_error *err)
{
	uint32_t index = number ? steps[number - 1].vm : spec->vm;
	const struct pm_vm *vm = index ? pm_machine_vm(machine, index) : NULL;
	struct pm_draft draft;
	int error;

	*more = (struct pm_plan){0};
	if (!machine->hypervisor_count || (index && !vm) || !concerns(spec, machine, steps, number, vm))
		return 0;
	if (number && !vm && spec->scope == PM_SCOPE_MACHINE)
		return pm_plan_check_alone(machine, spec, EBUSY, err);
	if (pm_draft_begin(&draft, machine, spec, err) == 0) {
		draft.number = number;
		note_all(&draft, steps, count);
		find_more(&draft, vm);
	}
	error = pm_draft_finish(&draft, more);
	pm_draft_free(&draft);
	return error;
}
