/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A world of VMs at random, for the tests of plans: what is really so, what the agent would know of it, and what becomes of
 * it when something is done. It notes when a VM loses what it stands on.
 */
#ifndef PM_TEST_VM_WORLD_H
#define PM_TEST_VM_WORLD_H

#include "agent/os.h"
#include "tests/unit/agent/stacks.h"

#define HYPERVISORS_MAX 8
#define VMS_MAX         48
#define DEPTH_MAX       6

/* --- what happened, for when it was wrong -------------------------------------------------------- */

static char history[65536];
static size_t history_used;

static inline void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(history + history_used, sizeof(history) - history_used, format, arguments);
	va_end(arguments);
	if (length > 0 && history_used + (size_t)length < sizeof(history))
		history_used += (size_t)length;
}

static inline int tell_if_wrong(void **state)
{
	(void)state;
	if (history_used)
		fputs(history, stderr);
	history_used = 0;
	return 0;
}

/* --- the world: what is really so --------------------------------------------------------------- */

enum life { OFF, RUNS, PAUSED, ASLEEP, SAVED, CRASHED };

struct world_of_vms {
	struct stack stack;
	enum life life[VMS_MAX];
	bool gone[VMS_MAX];             /* no longer defined */
	bool broken[HYPERVISORS_MAX];   /* does not answer, though what it runs on runs */
	bool hopeless[HYPERVISORS_MAX]; /* and never will */
	bool late[HYPERVISORS_MAX];     /* its connection is not known to be lost yet */
	const struct pm_vm
	    *carriers[HYPERVISORS_MAX]; /* in which they really run; NULL: on the machine itself */
	bool astray;                    /* of some of them nobody knows */
	bool machine_on;
	bool can_suspend, can_hibernate; /* whatever is known of that */
	struct pm_host_config host;
	struct pm_os os;
	struct pm_nic nic;
	struct pm_nic_config nic_config;
	bool calm;   /* nothing happens but what the job does, and that goes well */
	bool misled; /* the plan was made of what was out of date, and is not one that brings up */
	bool hard;   /* the verb says that VMs are not asked */
	const char *broken_rule;
};

static inline bool chance(unsigned percent)
{
	return repeatable_random(100) < percent;
}

static inline unsigned place_of(const struct world_of_vms *world, const struct pm_vm *vm)
{
	return (unsigned)(vm - world->stack.vms);
}

static inline bool has_memory(enum life life)
{
	return life == RUNS || life == PAUSED || life == ASLEEP;
}

static inline const struct pm_vm *carrier_of(const struct world_of_vms *world,
					     const struct pm_hypervisor *hypervisor)
{
	return world->carriers[hypervisor - world->stack.hypervisors];
}

static inline const struct pm_vm *parent_of(const struct world_of_vms *world, const struct pm_vm *vm)
{
	return carrier_of(world, vm->hypervisor);
}

/* Whether all that it stands on runs. */
static inline bool ground_runs(const struct world_of_vms *world, const struct pm_hypervisor *on)
{
	for (const struct pm_vm *vm = carrier_of(world, on); vm; vm = parent_of(world, vm))
		if (world->life[place_of(world, vm)] != RUNS)
			return false;
	return world->machine_on;
}

static inline bool runs(const struct world_of_vms *world, unsigned vm)
{
	return world->life[vm] == RUNS && ground_runs(world, world->stack.vms[vm].hypervisor);
}

static inline bool stands_on(const struct world_of_vms *world, const struct pm_vm *vm,
			     const struct pm_vm *other)
{
	for (vm = parent_of(world, vm); vm; vm = parent_of(world, vm))
		if (vm == other)
			return true;
	return false;
}

/* Whether it has a life to lose when that one goes off: not if it is in the image of something that was saved. */
static inline bool would_die(const struct world_of_vms *world, unsigned vm, const struct pm_vm *other)
{
	const struct pm_vm *each = &world->stack.vms[vm];

	if (other && !stands_on(world, each, other))
		return false;
	for (; each && each != other; each = parent_of(world, each))
		if (!has_memory(world->life[place_of(world, each)]))
			return false;
	return true;
}

static inline void vm_is_really(struct pm_vm *vm, enum life life)
{
	static const enum pm_vm_state states[] = {PM_VM_SHUTDOWN,  PM_VM_RUNNING,   PM_VM_PAUSED,
						  PM_VM_SUSPENDED, PM_VM_SUSPENDED, PM_VM_CRASHED};

	vm_is(vm, states[life]);
	vm->active = has_memory(life);
}

/* What the agent would know of it. */
static inline void look(struct world_of_vms *world)
{
	struct pm_machine *machine = &world->stack.machine;

	machine->observed = world->machine_on ? PM_POWER_ON : PM_POWER_OFF;
	for (size_t i = 0; i < machine->hypervisor_count; i++) {
		struct pm_hypervisor *hypervisor = &machine->hypervisors[i];
		bool up = (ground_runs(world, hypervisor) && !world->broken[i]) || world->late[i];

		if (hypervisor->up && !up)
			hypervisor->frozen = hypervisor->host &&
					     world->life[place_of(world, hypervisor->host)] != OFF &&
					     has_memory(world->life[place_of(world, hypervisor->host)]) &&
					     world->life[place_of(world, hypervisor->host)] != RUNS;
		hypervisor->up = up;
	}
	for (unsigned i = 0; i < machine->vm_count; i++) {
		struct pm_vm *vm = machine->vms[i];

		if (vm->hypervisor->up && !world->late[vm->hypervisor - machine->hypervisors])
			vm_is_really(vm, world->life[place_of(world, vm)]);
	}
}

/* --- random trees ------------------------------------------------------------------------------- */

static inline enum life random_life(void)
{
	static const enum life lives[] = {RUNS, RUNS, RUNS,   RUNS,   RUNS,  RUNS,
					  OFF,  OFF,  PAUSED, ASLEEP, SAVED, CRASHED};

	return lives[repeatable_random(LENGTH(lives))];
}

static inline struct pm_vm *add_vm(struct world_of_vms *world, struct pm_hypervisor *on)
{
	struct pm_vm *vm = stack_vm(&world->stack, on, PM_VM_SHUTDOWN);
	enum life life = random_life();
	const struct pm_vm *host = carrier_of(world, on);

	if (host && !has_memory(world->life[place_of(world, host)]) &&
	    world->life[place_of(world, host)] != SAVED && has_memory(life))
		life = OFF;
	world->life[place_of(world, vm)] = life;
	vm_is_really(vm,
		     chance(90) ? life : random_life()); /* what was told before it was not heard any more */
	vm->persistent = chance(95);
	vm->autostart = chance(40);
	vm->shutdown_timeout_s = chance(20) ? 77 : 0;
	return vm;
}

static inline unsigned depth_of(const struct world_of_vms *world, const struct pm_hypervisor *on)
{
	unsigned depth = 0;

	for (const struct pm_vm *vm = carrier_of(world, on); vm; vm = parent_of(world, vm))
		depth++;
	return depth;
}

static inline void add_hypervisor(struct world_of_vms *world, struct pm_vm *host)
{
	struct pm_hypervisor *hypervisor = stack_hypervisor(&world->stack, host);
	size_t place = world->stack.machine.hypervisor_count - 1;

	world->carriers[place] = host;
	world->broken[place] = chance(12);
	world->hopeless[place] = chance(20);
	hypervisor->up = false;
	hypervisor->frozen = chance(80);
	world->stack.hypervisor_configs[place].autostart = chance(50);
}

/* What it runs on was stopped or went off just now: it seems to answer, and what it told last seems to hold. */
static inline void be_late(struct world_of_vms *world, unsigned place)
{
	struct pm_machine *machine = &world->stack.machine;
	const struct pm_vm *host = machine->hypervisors[place].host;

	enum life life = host ? world->life[place_of(world, host)] : OFF;

	if (host ? life == RUNS || !host->hypervisor->up : world->machine_on)
		return;
	world->late[place] = machine->hypervisors[place].up = true;
	for (unsigned i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == &machine->hypervisors[place])
			vm_is_really(machine->vms[i], world->life[i] == OFF && chance(50) && !has_memory(life)
							  ? RUNS
							  : world->life[i]);
}

/* Now it is known. */
static inline void be_in_time(struct world_of_vms *world)
{
	memset(world->late, 0, sizeof(world->late));
	look(world);
}

/* The VM in which it runs has got another name. */
static inline void go_astray(struct world_of_vms *world, struct pm_hypervisor *hypervisor)
{
	size_t place = (size_t)(hypervisor - world->stack.hypervisors);

	if (!hypervisor->host)
		return;
	hypervisor->host->carries = NULL;
	hypervisor->host = NULL;
	hypervisor->frozen = false;
	world->broken[place] = world->hopeless[place] = false;
	world->astray = true;
}

/* Its operating system can be asked, and what it can is known, or not. */
static inline void add_host(struct world_of_vms *world)
{
	struct pm_machine *machine = &world->stack.machine;
	struct pm_machine_config *config = &world->stack.config;

	config->host = &world->host;
	world->host.timeout_ms = 10000;
	world->os.answers = chance(70);
	world->os.report.can_suspend = world->can_suspend;
	world->os.report.can_hibernate = world->can_hibernate;
	machine->os = &world->os;
	config->off_methods[0] = PM_OFF_HOST;
	config->off_methods[1] = chance(80) ? PM_OFF_BMC_SOFT : PM_OFF_BMC;
	config->off_methods[2] = PM_OFF_BMC;
	config->off_method_count = 1 + repeatable_random(3);
	world->nic_config.has_mac = chance(50);
	world->nic = (struct pm_nic){.index = 1, .machine = machine, .config = &world->nic_config};
	machine->nics = &world->nic;
	machine->nic_count = 1;
}

static inline void random_world(struct world_of_vms *world)
{
	struct pm_machine *machine = &world->stack.machine;
	unsigned vms = repeatable_random(24), hypervisors = 1 + repeatable_random(HYPERVISORS_MAX);

	memset(world, 0, sizeof(*world));
	stack_begin(&world->stack, HYPERVISORS_MAX, VMS_MAX);
	world->machine_on = chance(90);
	if (chance(10))
		machine->bmc = NULL;
	world->can_suspend = chance(60);
	world->can_hibernate = chance(60);
	if (chance(50))
		add_host(world);
	add_hypervisor(world, NULL);
	for (unsigned i = 0; i < vms; i++) {
		struct pm_hypervisor *on =
		    &machine->hypervisors[repeatable_random((uint32_t)machine->hypervisor_count)];
		struct pm_vm *vm = add_vm(world, on);

		if (!world->machine_on && has_memory(world->life[i]))
			world->life[i] = OFF;
		if (machine->hypervisor_count < hypervisors && chance(40))
			add_hypervisor(world, depth_of(world, on) + 1 < DEPTH_MAX && chance(80) ? vm : NULL);
	}
	for (unsigned i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor->frozen)
			vm_is_really(machine->vms[i], world->life[i]); /* as it was when that was stopped */
	for (unsigned i = 0; i < machine->hypervisor_count; i++)
		if (chance(3))
			go_astray(world, &machine->hypervisors[i]);
	look(world);
	for (unsigned i = 0; i < machine->hypervisor_count; i++)
		if (chance(20))
			be_late(world, i);
}

static inline void tell_world(const struct world_of_vms *world)
{
	static const char *const lives[] = {"off", "runs", "paused", "asleep", "saved", "crashed"};
	const struct pm_machine *machine = &world->stack.machine;

	tell("machine %s\n", world->machine_on ? "on" : "off");
	for (unsigned i = 0; i < machine->hypervisor_count; i++)
		tell("  h%u in %s%s%s%s%s\n", i + 1,
		     world->carriers[i] ? world->carriers[i]->name : "the machine",
		     world->carriers[i] && !machine->hypervisors[i].host ? ", astray" : "",
		     world->late[i]               ? ", late"
		     : machine->hypervisors[i].up ? ", up"
						  : "",
		     world->broken[i] ? ", broken" : "", world->hopeless[i] ? ", hopeless" : "");
	for (unsigned i = 0; i < machine->vm_count; i++)
		tell("  %s on %s: %s, seen as %s%s%s%s\n", machine->vms[i]->name,
		     machine->vms[i]->hypervisor->config->shown,
		     lives[world->life[place_of(world, machine->vms[i])]],
		     pm_vm_state_name(pm_vm_observed(machine->vms[i])),
		     machine->vms[i]->persistent ? "" : ", transient",
		     machine->vms[i]->autostart ? ", autostart" : "",
		     pm_vm_is_up(machine->vms[i]) ? ", up" : "");
}

/* --- what steps do ------------------------------------------------------------------------------- */

/* Of the machine for NULL. */
static inline void goes_off(struct world_of_vms *world, const struct pm_vm *vm, bool by_job)
{
	for (unsigned i = 0; i < world->stack.machine.vm_count; i++) {
		unsigned each = place_of(world, world->stack.machine.vms[i]);

		if (!would_die(world, each, vm))
			continue;
		if (by_job && !world->hard)
			world->broken_rule = "a VM lost what it stood on";
	}
	for (unsigned i = (unsigned)world->stack.machine.vm_count; i-- > 0;) {
		unsigned each = place_of(world, world->stack.machine.vms[i]);
		bool dies = !vm || stands_on(world, &world->stack.vms[each], vm);

		/* what is inside an image stays in it; all between is off by now, or dies with it */
		for (const struct pm_vm *on = &world->stack.vms[each]; dies && on && on != vm;
		     on = parent_of(world, on))
			dies = world->life[place_of(world, on)] != SAVED;
		if (dies)
			world->life[each] = OFF;
	}
	if (vm)
		world->life[place_of(world, vm)] = OFF;
}

static inline void stops(struct world_of_vms *world, const struct pm_vm *vm, enum life life)
{
	for (unsigned i = 0; i < world->stack.machine.vm_count; i++) {
		unsigned each = place_of(world, world->stack.machine.vms[i]);

		if (stands_on(world, &world->stack.vms[each], vm) && runs(world, each))
			world->broken_rule = "a VM ran in one that was stopped";
	}
	world->life[place_of(world, vm)] = life;
}

/* Whether it went well. */
static inline bool starts(struct world_of_vms *world, const struct pm_vm *vm)
{
	unsigned place = place_of(world, vm);

	if (!ground_runs(world, vm->hypervisor)) {
		if (world->calm && !world->misled)
			world->broken_rule = "a VM was to be started on something that is down";
		return false;
	}
	if (world->life[place] == PAUSED || world->life[place] == ASLEEP)
		world->life[place] = RUNS; /* so it was decided */
	if (!vm->persistent && !has_memory(world->life[place]))
		return false;
	world->life[place] = RUNS;
	return true;
}

static inline bool act_on_vm(struct world_of_vms *world, enum pm_step_action action, const struct pm_vm *vm)
{
	enum life life = world->life[place_of(world, vm)];

	if (action == PM_STEP_VM_START)
		return starts(world, vm);
	if (pm_vm_is_down(vm) && (action == PM_STEP_VM_SHUTDOWN || action == PM_STEP_VM_DESTROY))
		return true;
	if (!vm->hypervisor->up)
		return false;
	switch (action) {
	case PM_STEP_VM_SHUTDOWN:
		if (life == PAUSED || life == ASLEEP)
			return false; /* it cannot hear */
		goes_off(world, vm, true);
		return true;
	case PM_STEP_VM_DESTROY:
		goes_off(world, vm, true);
		return true;
	case PM_STEP_VM_REBOOT:
	case PM_STEP_VM_RESET:
		if (!has_memory(life) || (action == PM_STEP_VM_REBOOT && life != RUNS))
			return false;
		goes_off(world, vm, true);
		world->life[place_of(world, vm)] = action == PM_STEP_VM_REBOOT ? RUNS : life;
		return true;
	case PM_STEP_VM_RESUME:
		if (has_memory(life))
			world->life[place_of(world, vm)] = RUNS;
		return has_memory(life);
	case PM_STEP_VM_PAUSE:
		if (life == RUNS)
			stops(world, vm, PAUSED);
		return has_memory(life);
	default: /* PM_STEP_VM_SAVE */
		if (has_memory(life))
			stops(world, vm, SAVED);
		return has_memory(life) || life == SAVED;
	}
}

static inline bool connects(struct world_of_vms *world, const struct pm_step *step)
{
	const struct pm_hypervisor *hypervisor = pm_step_hypervisor(&world->stack.machine, step);
	size_t place;

	assert_non_null(hypervisor);
	place = (size_t)(hypervisor - world->stack.hypervisors);
	if (!ground_runs(world, hypervisor))
		return pm_hypervisor_is_down(hypervisor);
	world->broken[place] = world->broken[place] && world->hopeless[place];
	return !world->broken[place];
}

static inline bool falls_asleep(struct world_of_vms *world, bool can)
{
	for (unsigned i = 0; can && !world->hard && i < world->stack.machine.vm_count; i++)
		if (runs(world, place_of(world, world->stack.machine.vms[i])))
			world->broken_rule = "a VM ran when its machine fell asleep";
	world->machine_on &= !can; /* nothing runs any more, nor begins to */
	return can;
}

static inline void machine_goes(struct world_of_vms *world, bool on)
{
	goes_off(world, NULL, true);
	world->machine_on = on;
}

static inline bool act_on_machine(struct world_of_vms *world, const struct pm_step *step)
{
	switch (step->action) {
	case PM_STEP_HOST_SUSPEND:
		return falls_asleep(world, world->can_suspend);
	case PM_STEP_HOST_HIBERNATE:
		return falls_asleep(world, world->can_hibernate);
	case PM_STEP_HOST_SHUTDOWN:
		machine_goes(world, false);
		return true;
	case PM_STEP_HOST_REBOOT:
		machine_goes(world, true);
		return true;
	case PM_STEP_HOST_INIT:
		if (step->goal)
			machine_goes(world, step->goal == PM_POWER_ON);
		return true;
	case PM_STEP_BMC_POWER_UP:
	case PM_STEP_WAKE_SEND:
		world->machine_on = true;
		return true;
	case PM_STEP_BMC_POWER_DOWN:
	case PM_STEP_BMC_SOFT_SHUTDOWN:
		machine_goes(world, false);
		return true;
	case PM_STEP_BMC_POWER_CYCLE:
	case PM_STEP_BMC_HARD_RESET:
		goes_off(world, NULL, true);
		return true;
	default:
		return true;
	}
}

#endif
