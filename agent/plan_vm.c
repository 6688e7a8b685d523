/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs of one VM: down with what stands on it, up with what it stands on. */
#include "agent/plan_private.h"

#include <errno.h>

static int no_hypervisor(const struct pm_draft *draft, const struct pm_vm *vm)
{
	return pm_fail(draft->err, EINVAL, "VM %s of machine %s is on no hypervisor that is configured",
		       vm->name, draft->machine->config->name);
}

static unsigned refuse_down(struct pm_draft *draft, const struct pm_vm *vm)
{
	return pm_draft_refuse(draft, pm_fail(draft->err, EINVAL,
					      "VM %s of machine %s is down, and %s needs it to be up: "
					      "powerOn starts it",
					      vm->name, draft->machine->config->name,
					      pm_command_name(draft->spec->action)));
}

/* --- up ----------------------------------------------------------------------------------------- */

static unsigned bring_up(struct pm_draft *draft, const struct pm_vm *vm);

/* The machine, if it is not seen on. One that nobody can switch on may be on nevertheless, unless it is seen off. */
static unsigned machine_up(struct pm_draft *draft)
{
	const struct pm_machine *machine = draft->machine;
	unsigned number;

	if (machine->observed == PM_POWER_ON)
		return 0;
	number = pm_draft_machine_on(draft, false);
	if (!number && machine->observed != PM_POWER_OFF)
		draft->error = 0;
	return number;
}

static unsigned no_guest(struct pm_draft *draft, const struct pm_hypervisor *hypervisor)
{
	return pm_draft_refuse(draft,
			       pm_fail(draft->err, EINVAL,
				       "VM %s of machine %s, in which hypervisor %s runs, is not known "
				       "to the hypervisor below it",
				       hypervisor->config->guest, draft->machine->config->name,
				       hypervisor->config->shown));
}

static bool is_running(const struct pm_vm *vm)
{
	enum pm_vm_state state = pm_vm_observed(vm);

	return pm_vm_is_up(vm) && !pm_vm_is_stopped(vm) && state != PM_VM_SHUTTING_DOWN &&
	       state != PM_VM_SUSPENDING && pm_hypervisor_answers(vm->hypervisor);
}

/* The step after which the hypervisor answers; 0: it does. */
static unsigned reach(struct pm_draft *draft, const struct pm_hypervisor *hypervisor)
{
	unsigned after;

	if (pm_hypervisor_answers(hypervisor))
		return 0;
	if (!hypervisor->host && hypervisor->on)
		return no_guest(draft, hypervisor);
	after = hypervisor->host ? bring_up(draft, hypervisor->host) : machine_up(draft);
	return draft->error ? 0 : pm_draft_connect(draft, hypervisor, true, after, 0);
}

/* The step after which it runs; 0: it does. */
static unsigned bring_up(struct pm_draft *draft, const struct pm_vm *vm)
{
	unsigned after;

	if (is_running(vm))
		return 0;
	if (!vm->hypervisor)
		return pm_draft_refuse(draft, no_hypervisor(draft, vm));
	if (pm_vm_is_down(vm) && !vm->persistent)
		return pm_draft_refuse(draft, pm_draft_is_transient(draft, vm));
	after = reach(draft, vm->hypervisor);
	if (draft->error)
		return 0;
	return pm_draft_vm_step(draft, pm_vm_must_be_resumed(vm) ? PM_STEP_VM_RESUME : PM_STEP_VM_START, vm,
				after, 0);
}

static void power_on(struct pm_draft *draft, const struct pm_vm *vm)
{
	if (!bring_up(draft, vm) && !draft->error)
		pm_draft_nothing(draft, vm, "it runs already");
}

/* --- down --------------------------------------------------------------------------------------- */

/* With what stands on it, leaf first. */
static void go_down(struct pm_draft *draft, const struct pm_vm *vm, unsigned after)
{
	unsigned place = pm_draft_place(draft->machine, vm);

	if (pm_draft_has_strays(draft, place)) {
		pm_draft_refuse_astray(draft, &draft->hypervisors[draft->vms[place].hypervisor]);
		return;
	}
	pm_draft_vm_down(draft, place, after, 0);
	if (pm_draft_mark_below(draft, place))
		pm_draft_stack_down(draft, draft->vms[place].down);
	if (draft->spec->action == PM_COMMAND_REBOOT)
		pm_draft_stack_up(draft, 0);
}

static void press_button(struct pm_draft *draft, const struct pm_vm *vm, unsigned after)
{
	if (pm_vm_must_be_resumed(vm))
		after = pm_draft_vm_step(draft, PM_STEP_VM_RESUME, vm, after, 0);
	pm_draft_vm_step(draft, PM_STEP_VM_SHUTDOWN, vm, after, 0);
}

static void cycle(struct pm_draft *draft, const struct pm_vm *vm, unsigned after)
{
	after = pm_draft_vm_step(draft, PM_STEP_VM_DESTROY, vm, after, 0);
	pm_draft_vm_step(draft, PM_STEP_VM_START, vm, after, 0);
}

static void act(struct pm_draft *draft, const struct pm_vm *vm, unsigned after)
{
	switch (draft->spec->action) {
	case PM_COMMAND_SOFT_OFF:
		press_button(draft, vm, after);
		break;
	case PM_COMMAND_CYCLE:
		cycle(draft, vm, after);
		break;
	case PM_COMMAND_RESET:
		pm_draft_vm_step(draft, PM_STEP_VM_RESET, vm, after, 0);
		break;
	case PM_COMMAND_POWER_OFF:
		pm_draft_vm_step(draft, PM_STEP_VM_DESTROY, vm, after, 0);
		break;
	default: /* shutdown, reboot, suspend, hibernate */
		if (pm_spec_is_graceful(draft->spec))
			go_down(draft, vm, after);
		else
			pm_draft_vm_step(draft,
					 draft->spec->action == PM_COMMAND_REBOOT ? PM_STEP_VM_RESET
										  : PM_STEP_VM_DESTROY,
					 vm, after, 0);
	}
}

/* --- what is refused, and what is so already ---------------------------------------------------- */

/* NULL: there is something to do, or it is refused. */
static const char *already(const struct pm_job_spec *spec, const struct pm_vm *vm)
{
	switch (spec->action) {
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_SOFT_OFF:
		return pm_vm_is_down(vm) ? "it is down already" : NULL;
	case PM_COMMAND_SUSPEND:
		return pm_vm_is_stopped(vm) ? "it is stopped already" : NULL;
	case PM_COMMAND_HIBERNATE:
		return pm_vm_observed(vm) == PM_VM_SUSPENDED && pm_vm_is_down(vm) ? "it is saved already"
										  : NULL;
	default:
		return NULL;
	}
}

bool pm_command_is_of_vm(enum pm_command action)
{
	switch (action) {
	case PM_COMMAND_POWER_ON:
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_REBOOT:
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_SUSPEND:
	case PM_COMMAND_HIBERNATE:
	case PM_COMMAND_SOFT_OFF:
		return true;
	default:
		return false;
	}
}

/* In a VM that is stopped nothing answers; a verb of another VM does not resume it. */
static int check_parents(const struct pm_draft *draft, const struct pm_vm *vm)
{
	for (const struct pm_vm *parent = pm_vm_parent(vm); parent; parent = pm_vm_parent(parent))
		if (pm_vm_is_stopped(parent))
			return pm_fail(draft->err, EINVAL,
				       "VM %s of machine %s stands on VM %s, which is %s: powerOn resumes it",
				       vm->name, draft->machine->config->name, parent->name,
				       pm_vm_state_name(pm_vm_observed(parent)));
	return 0;
}

static int check(const struct pm_draft *draft, const struct pm_vm *vm)
{
	const char *name = draft->machine->config->name;
	const struct pm_job_spec *spec = draft->spec;

	if (!vm)
		return pm_fail(draft->err, EINVAL, "machine %s has no VM %u (pmJobVm)", name, spec->vm);
	if (!pm_command_is_of_vm(spec->action))
		return pm_fail(draft->err, EINVAL, "%s is nothing that can be done to a VM (pmJobVm)",
			       pm_command_name(spec->action));
	if (!vm->hypervisor)
		return no_hypervisor(draft, vm);
	if (spec->action == PM_COMMAND_CYCLE && !vm->persistent)
		return pm_draft_is_transient(draft, vm);
	return 0;
}

/* The step after which its hypervisor answers; 0: it does, or the VM is known to be down. */
static unsigned ask(struct pm_draft *draft, const struct pm_vm *vm)
{
	return pm_hypervisor_is_unknown(vm->hypervisor) ? pm_draft_connect(draft, vm->hypervisor, false, 0, 0)
							: 0;
}

static void plan_down(struct pm_draft *draft, const struct pm_vm *vm)
{
	const char *so = already(draft->spec, vm);
	int error;

	if (so) {
		pm_draft_nothing(draft, vm, so);
	} else if (pm_vm_is_down(vm)) {
		refuse_down(draft, vm);
	} else {
		error = check_parents(draft, vm);
		if (error)
			pm_draft_refuse(draft, error);
		else
			act(draft, vm, ask(draft, vm));
	}
}

void pm_plan_vm(struct pm_draft *draft)
{
	const struct pm_vm *vm = pm_machine_vm(draft->machine, draft->spec->vm);
	int error = check(draft, vm);

	if (error)
		pm_draft_refuse(draft, error);
	else if (draft->spec->action == PM_COMMAND_POWER_ON)
		power_on(draft, vm);
	else
		plan_down(draft, vm);
}
