/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What holds of a stack, from what was observed: reading only. */
#include "agent/vm.h"

size_t pm_machine_vm_place(const struct pm_machine *machine, uint64_t index)
{
	size_t low = 0, high = machine->vm_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (machine->vms[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct pm_vm *pm_machine_vm(const struct pm_machine *machine, uint32_t index)
{
	size_t place = pm_machine_vm_place(machine, index);

	return place < machine->vm_count && machine->vms[place]->index == index ? machine->vms[place] : NULL;
}

struct pm_vm *pm_vm_parent(const struct pm_vm *vm)
{
	return vm->hypervisor ? vm->hypervisor->host : NULL;
}

struct pm_hypervisor *pm_hypervisor_ground(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->host ? hypervisor->host->hypervisor : hypervisor->on;
}

unsigned pm_vm_depth(const struct pm_vm *vm)
{
	unsigned depth = 0;

	for (const struct pm_hypervisor *h = vm->hypervisor; h; h = pm_hypervisor_ground(h))
		depth++;
	return depth ? depth : 1;
}

/* --- what follows from what ------------------------------------------------------------------- */

/* The BMC says off, or who else is asked, and no hypervisor on it says otherwise. */
static bool machine_is_down(const struct pm_machine *machine)
{
	if (machine->observed != PM_POWER_OFF)
		return false;
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (!machine->hypervisors[i].on && machine->hypervisors[i].up)
			return false;
	return true;
}

struct view {
	enum pm_vm_state state;
	bool down;
};

static const struct view unknown = {PM_VM_UNKNOWN, false};

/* As its hypervisor told last. Suspended is one that sleeps in memory (active), too: that one has a life to lose. */
static struct view last_told(const struct pm_vm *vm)
{
	enum pm_vm_state state = vm->observed;

	return (struct view){state, state == PM_VM_SHUTDOWN || state == PM_VM_CRASHED ||
					(state == PM_VM_SUSPENDED && !vm->active)};
}

/* What was not down is now as its ground is. */
static struct view as_ground(const struct pm_vm *vm, enum pm_vm_state state, bool down)
{
	struct view last = last_told(vm);

	return last.down ? last : (struct view){state, down};
}

static struct view view_of(const struct pm_vm *vm, bool absent_is_down);

/*
 * One whose VM its hypervisor does not have is down with it, unless that VM may be on another hypervisor of the machine, of
 * which nothing is known. absent_is_down: whether not to look for that.
 */
static bool is_down(const struct pm_hypervisor *hypervisor, bool absent_is_down)
{
	const struct pm_machine *machine = hypervisor->machine;
	const struct pm_hypervisor *h = machine->hypervisors;

	if (hypervisor->up)
		return false;
	if (!hypervisor->on)
		return machine_is_down(machine);
	if (hypervisor->host)
		return view_of(hypervisor->host, absent_is_down).down;
	if (!hypervisor->on->up)
		return is_down(hypervisor->on, absent_is_down);
	for (; !absent_is_down && h < machine->hypervisors + machine->hypervisor_count; h++)
		if (h != hypervisor && !h->up && !is_down(h, true))
			return false;
	return true;
}

static struct view view_of(const struct pm_vm *vm, bool absent_is_down)
{
	const struct pm_hypervisor *hypervisor = vm->hypervisor;
	struct view host;

	if (!hypervisor)
		return unknown;
	if (hypervisor->up)
		return vm->known ? last_told(vm) : unknown;
	if (!hypervisor->host)
		return is_down(hypervisor, absent_is_down) ? as_ground(vm, PM_VM_SHUTDOWN, true) : unknown;
	host = view_of(hypervisor->host, absent_is_down);
	if (host.down)
		return as_ground(vm, host.state == PM_VM_SUSPENDED ? PM_VM_SUSPENDED : PM_VM_SHUTDOWN, true);
	if (hypervisor->frozen && (host.state == PM_VM_PAUSED || host.state == PM_VM_SUSPENDED))
		return as_ground(vm, host.state, false);
	return unknown;
}

enum pm_vm_state pm_vm_observed(const struct pm_vm *vm)
{
	return view_of(vm, false).state;
}

enum pm_vm_state pm_vm_state(const struct pm_vm *vm)
{
	return vm->transition ? vm->transition : pm_vm_observed(vm);
}

bool pm_vm_is_down(const struct pm_vm *vm)
{
	return view_of(vm, false).down;
}

bool pm_vm_is_up(const struct pm_vm *vm)
{
	struct view view = view_of(vm, false);

	return !view.down && view.state != PM_VM_UNKNOWN;
}

bool pm_hypervisor_is_down(const struct pm_hypervisor *hypervisor)
{
	return is_down(hypervisor, false);
}

bool pm_hypervisor_is_unknown(const struct pm_hypervisor *hypervisor)
{
	return !hypervisor->up && !pm_hypervisor_is_down(hypervisor);
}

bool pm_hypervisor_is_astray(const struct pm_hypervisor *hypervisor)
{
	if (!hypervisor->up || !hypervisor->on)
		return false;
	return hypervisor->host ? pm_vm_is_down(hypervisor->host) : hypervisor->on->up;
}

unsigned pm_machine_vms_up(const struct pm_machine *machine)
{
	unsigned count = 0;

	for (size_t i = 0; i < machine->vm_count; i++)
		count += pm_vm_is_up(machine->vms[i]);
	return count;
}

bool pm_machine_stack_unknown(const struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (pm_hypervisor_is_unknown(&machine->hypervisors[i]))
			return true;
	return machine->hypervisor_count != machine->config->hypervisor_count; /* there was no memory */
}
