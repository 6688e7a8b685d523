/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What holds for every plan of every stack: random trees, every action, and then executed step by step in a random order
 * that the plan allows, in a world that may change meanwhile. Nothing may lose what it stands on while it runs, unless the
 * verb says so. The numbers are the same in every run.
 */
#include "tests/unit/agent/vm_world.h"

#define STEPS_MAX 1024

/* --- random verbs ----------------------------------------------------------------------------------- */

static struct pm_job_spec random_spec(const struct world_of_vms *world)
{
	struct pm_job_spec spec =
	    spec_of_row(1 + repeatable_random(PM_COMMAND_IDENTIFY), 1 + repeatable_random(3));

	if (chance(50)) {
		static const enum pm_command graceful[] = {PM_COMMAND_SHUTDOWN, PM_COMMAND_REBOOT,
							   PM_COMMAND_SUSPEND,  PM_COMMAND_HIBERNATE,
							   PM_COMMAND_POWER_ON, PM_COMMAND_INIT};

		spec.action = graceful[repeatable_random(LENGTH(graceful))];
	}
	spec.force = 1 + repeatable_random(3);
	if (chance(35))
		spec.vm = repeatable_random((uint32_t)world->stack.machine.vm_count + 2);
	spec.timeout_s = chance(30) ? 0 : 1 + repeatable_random(2000);
	spec.vm_timeout_s = 1 + repeatable_random(300);
	spec.init_level = (uint8_t)repeatable_random(7);
	spec.arm_wol = chance(10);
	return spec;
}

/* --- what holds for the steps alone -------------------------------------------------------------- */

/* The place of the first of its group; steps are numbered from 1. */
static unsigned group_of(const struct pm_step *steps, unsigned number)
{
	unsigned place = number - 1;

	while (steps[place].alternative)
		place--;
	return place;
}

static bool is_of_vm(const struct pm_step *step)
{
	return step->action <= PM_STEP_VM_SAVE;
}

static void check_step(const struct pm_step *steps, unsigned count, unsigned place)
{
	const struct pm_step *step = &steps[place];

	assert_true(step->timeout_s > 0);
	assert_true(step->level > 0);
	assert_int_equal(step->state, PM_JOB_NOT_READY);
	assert_int_equal(step->result, PM_RESULT_NONE);
	assert_true(step->after <= count && step->before <= count);
	if (step->after)
		assert_false(steps[step->after - 1].alternative);
	if (step->before)
		assert_false(steps[step->before - 1].alternative);
	if (is_of_vm(step) || step->action == PM_STEP_HYPERVISOR_CONNECT)
		assert_non_null(step->target);
	if (is_of_vm(step))
		assert_true(step->vm && pm_step_vm_goal(step) && step->goal == 0);
	assert_int_equal(step->momentary,
			 step->action == PM_STEP_VM_REBOOT || step->action == PM_STEP_VM_RESET ||
			     step->action == PM_STEP_HOST_REBOOT || step->action == PM_STEP_HOST_INIT ||
			     step->action == PM_STEP_BMC_POWER_CYCLE ||
			     step->action == PM_STEP_BMC_HARD_RESET ||
			     step->action == PM_STEP_BMC_DIAGNOSTIC_INTERRUPT);
	if (!step->alternative)
		return;
	assert_true(place > 0 && step->after == 0 && step->before == steps[place - 1].before);
	assert_string_equal(step->text, "only when the step before fails");
}

/* What a step waits for is on a lower level: so none waits for itself, over any way. */
static void check_order(const struct pm_step *steps, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (steps[i].after)
			assert_true(steps[group_of(steps, steps[i].after)].level < steps[i].level);
		if (steps[i].before)
			assert_true(steps[i].level < steps[group_of(steps, steps[i].before)].level);
		if (i && !steps[i].alternative)
			assert_true(steps[group_of(steps, i)].level <= steps[i].level);
		if ((steps[i].after || !steps[i].level) && is_of_vm(&steps[i]))
			assert_non_null(steps[i].text);
	}
}

/* Those that are down already are not touched on the way down. */
static void check_untouched(const struct pm_machine *machine, const struct pm_plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++) {
		const struct pm_step *step = &plan->steps[i];

		if (is_of_vm(step) && step->action != PM_STEP_VM_START)
			assert_false(pm_vm_is_down(pm_machine_vm(machine, step->vm)));
	}
}

/* FORCE: only VMs on the machine itself, and hard. */
static void check_hard(const struct pm_machine *machine, const struct pm_job_spec *spec,
		       const struct pm_plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++) {
		const struct pm_step *step = &plan->steps[i];

		if (!is_of_vm(step))
			continue;
		if (spec->vm)
			assert_int_equal(step->vm, spec->vm);
		else
			assert_null(pm_machine_vm(machine, step->vm)->hypervisor->on);
		assert_true(step->action == PM_STEP_VM_DESTROY || step->action == PM_STEP_VM_RESET ||
			    (step->action == PM_STEP_VM_START && spec->action == PM_COMMAND_CYCLE));
	}
}

/* A VM waits for the highest of those on it and for nothing else; where all answer and nothing is stopped. */
static void check_heights(const struct world_of_vms *world, const struct pm_plan *plan)
{
	const struct pm_machine *machine = &world->stack.machine;

	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (!machine->hypervisors[i].up)
			return;
	for (unsigned i = 0; i < plan->count; i++) {
		const struct pm_step *step = &plan->steps[i];
		unsigned highest = 0;

		if (step->action == PM_STEP_VM_RESUME || step->action == PM_STEP_STATE_WAIT ||
		    step->action == PM_STEP_HOST_ARM_WOL)
			return;
		for (unsigned j = 0; j < plan->count; j++)
			if (is_of_vm(step) && is_of_vm(&plan->steps[j]) &&
			    stands_on(world, pm_machine_vm(machine, plan->steps[j].vm),
				      pm_machine_vm(machine, step->vm)) &&
			    plan->steps[j].level > highest)
				highest = plan->steps[j].level;
		if (is_of_vm(step))
			assert_int_equal(step->level, highest + 1);
	}
}

static bool takes_down(unsigned level)
{
	return level == 0 || level == 1 || level == 6;
}

static bool is_graceful(const struct pm_job_spec *spec)
{
	switch (spec->action) {
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_REBOOT:
		return spec->force != PM_FORCE_IMMEDIATELY;
	case PM_COMMAND_INIT:
		return spec->force != PM_FORCE_IMMEDIATELY && takes_down(spec->init_level);
	default:
		return spec->action == PM_COMMAND_SUSPEND || spec->action == PM_COMMAND_HIBERNATE;
	}
}

static void check_plan(const struct world_of_vms *world, const struct pm_job_spec *spec,
		       const struct pm_plan *plan)
{
	const struct pm_machine *machine = &world->stack.machine;

	assert_true(plan->count > 0 && plan->timeout_s >= 60);
	for (unsigned i = 0; i < plan->count; i++)
		check_step(plan->steps, plan->count, i);
	check_order(plan->steps, plan->count);
	if (spec->action != PM_COMMAND_POWER_ON)
		check_untouched(machine, plan);
	if (!is_graceful(spec) && spec->action != PM_COMMAND_POWER_ON && spec->action != PM_COMMAND_SOFT_OFF)
		check_hard(machine, spec, plan);
	if (spec->action == PM_COMMAND_SHUTDOWN && is_graceful(spec))
		check_heights(world, plan);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same(const struct pm_plan *a, const struct pm_plan *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->timeout_s, b->timeout_s);
	for (unsigned i = 0; i < a->count; i++) {
		struct pm_step x = a->steps[i], y = b->steps[i];

		assert_true(same_text(x.text, y.text) && same_text(x.target, y.target));
		x.text = x.target = y.text = y.target = NULL;
		assert_memory_equal(&x, &y, sizeof(x));
	}
}

/* The same input gives the same plan, whether it is to be executed or not, and is left as it was. */
static void check_pure(const struct world_of_vms *world, const struct pm_job_spec *spec,
		       const struct pm_plan *plan)
{
	static struct pm_vm vms[VMS_MAX];
	struct pm_machine machine = world->stack.machine;
	struct pm_job_spec dry = *spec;
	struct pm_error err = {""};
	struct pm_plan again;

	dry.dry_run = true;
	memcpy(vms, world->stack.vms, sizeof(vms));
	pm_plan(&world->stack.machine, &dry, false, &again, &err);
	check_same(plan, &again);
	pm_plan_free(&again);
	assert_memory_equal(vms, world->stack.vms, sizeof(vms));
	assert_memory_equal(&machine, &world->stack.machine, sizeof(machine));
}

/* --- a job: the plan, executed ------------------------------------------------------------------- */

struct work {
	struct world_of_vms *world;
	const struct pm_job_spec *spec;
	struct pm_step steps[STEPS_MAX];
	unsigned count;
	bool was_unknown; /* the VM that it is about, when it was planned */
};

static void append(struct work *work, struct pm_plan *plan)
{
	assert_true(work->count + plan->count <= STEPS_MAX);
	if (plan->count)
		memcpy(&work->steps[work->count], plan->steps, plan->count * sizeof(*plan->steps));
	work->count += plan->count;
	free(plan->steps);
	*plan = (struct pm_plan){0};
}

static bool group_is_well(const struct work *work, unsigned place)
{
	do {
		if (work->steps[place].state == PM_JOB_SUCCEEDED)
			return true;
	} while (++place < work->count && work->steps[place].alternative);
	return false;
}

static bool may_begin(const struct work *work, unsigned place)
{
	const struct pm_step *step = &work->steps[place];
	unsigned first = group_of(work->steps, place + 1);

	if (step->state != PM_JOB_NOT_READY)
		return false;
	if (step->alternative ? work->steps[place - 1].state != PM_JOB_FAILED
			      : step->after && !group_is_well(work, group_of(work->steps, step->after)))
		return false;
	for (unsigned i = 0; i < work->count; i++) {
		const struct pm_step *other = &work->steps[i];

		if (other->before && !other->alternative && group_of(work->steps, other->before) == first &&
		    !group_is_well(work, i))
			return false;
	}
	return true;
}

/* Whether something is being taken away just now from what stands there. */
static bool is_going(const struct work *work, const struct pm_hypervisor *on)
{
	for (unsigned i = 0; i < work->count; i++) {
		const struct pm_step *step = &work->steps[i];

		if (step->state != PM_JOB_RUNNING || !pm_step_takes_down(step))
			continue;
		if (!step->vm)
			return true;
		for (const struct pm_vm *vm = carrier_of(work->world, on); vm;
		     vm = parent_of(work->world, vm))
			if (vm->index == step->vm)
				return true;
	}
	return false;
}

/* --- what its steps do --------------------------------------------------------------------------- */

static bool act(struct work *work, const struct pm_step *step)
{
	struct world_of_vms *world = work->world;
	const struct pm_vm *vm = step->vm ? pm_machine_vm(&world->stack.machine, step->vm) : NULL;

	if (step->action == PM_STEP_HYPERVISOR_CONNECT)
		return connects(world, step);
	if (!is_of_vm(step))
		return act_on_machine(world, step);
	if (!vm)
		return step->action == PM_STEP_VM_SHUTDOWN || step->action == PM_STEP_VM_DESTROY;
	if (!world->calm && chance(5))
		return false;
	return act_on_vm(world, step->action, vm);
}

/* --- what happens meanwhile ---------------------------------------------------------------------- */

static void appears(struct work *work, struct pm_hypervisor *on)
{
	struct world_of_vms *world = work->world;

	if (world->stack.machine.vm_count < VMS_MAX && ground_runs(world, on) && !is_going(work, on))
		world->life[place_of(world, add_vm(world, on))] = RUNS;
}

static bool carries_astray(const struct world_of_vms *world, const struct pm_vm *vm)
{
	for (unsigned i = 0; i < world->stack.machine.hypervisor_count; i++)
		if (world->carriers[i] == vm && !world->stack.hypervisors[i].host)
			return true;
	return false;
}

/* One that nobody knows to carry a hypervisor stays where this is at least known to be. */
static void moves(struct work *work, struct pm_vm *vm, struct pm_hypervisor *to)
{
	struct world_of_vms *world = work->world;
	const struct pm_vm *host = carrier_of(world, to);

	if (to != vm->hypervisor && to->up && vm->hypervisor->up && runs(world, place_of(world, vm)) &&
	    (!host || (host != vm && !stands_on(world, host, vm))) && !is_going(work, to) &&
	    depth_of(world, to) + 1 < DEPTH_MAX && !carries_astray(world, vm))
		vm->hypervisor = to;
}

static bool is_named(const struct work *work, const struct pm_vm *vm)
{
	for (unsigned i = 0; i < work->count; i++)
		if (work->steps[i].vm == vm->index && work->steps[i].state != PM_JOB_SUCCEEDED)
			return true;
	return work->spec->vm == vm->index;
}

/* Undefined: its row goes, and what knows it must do without. */
static void leaves(struct work *work, struct pm_vm *vm)
{
	struct pm_machine *machine = &work->world->stack.machine;
	size_t place = 0;

	if (vm->carries || has_memory(work->world->life[place_of(work->world, vm)]) || is_named(work, vm))
		return;
	while (machine->vms[place] != vm)
		place++;
	memmove(&machine->vms[place], &machine->vms[place + 1],
		(machine->vm_count - place - 1) * sizeof(struct pm_vm *));
	machine->vm_count--;
	work->world->gone[place_of(work->world, vm)] = true;
}

static void happens_to(struct work *work, struct pm_vm *vm, struct pm_hypervisor *hypervisor)
{
	struct world_of_vms *world = work->world;
	unsigned place = place_of(world, vm);

	switch (repeatable_random(5)) {
	case 0: /* somebody starts it */
		if (!has_memory(world->life[place]) && ground_runs(world, vm->hypervisor) &&
		    !is_going(work, vm->hypervisor))
			world->life[place] = RUNS;
		break;
	case 1: /* it crashes */
		if (has_memory(world->life[place]))
			goes_off(world, vm, false);
		break;
	case 2: /* somebody stops it */
		if (runs(world, place) && chance(30))
			world->life[place] = PAUSED;
		break;
	case 3:
		moves(work, vm, hypervisor);
		break;
	default:
		if (world->stack.machine.vm_count ==
		    (size_t)world->stack.machine.vms[world->stack.machine.vm_count - 1]->index)
			break;
		leaves(work, vm);
	}
}

static void something_happens(struct work *work)
{
	struct world_of_vms *world = work->world;
	struct pm_machine *machine = &world->stack.machine;
	uint32_t place = repeatable_random((uint32_t)machine->hypervisor_count);

	if (chance(20))
		world->broken[place] =
		    !world->broken[place] && (!world->carriers[place] || machine->hypervisors[place].host);
	else if (chance(25))
		appears(work, &machine->hypervisors[place]);
	else if (machine->vm_count)
		happens_to(work, machine->vms[repeatable_random((uint32_t)machine->vm_count)],
			   &machine->hypervisors[place]);
	look(world);
	tell_world(world);
}

/* --- the job -------------------------------------------------------------------------------------- */

/* 0: it may begin; 1: something was added; negative: it must not. */
static int more_before(struct work *work, unsigned number)
{
	struct pm_error err = {""};
	struct pm_plan more;
	unsigned count = work->count;
	int error = pm_plan_more(&work->world->stack.machine, work->spec, work->steps, work->count, number,
				 &more, &err);

	if (error) {
		tell("not %u: %s\n", number, err.text);
		assert_int_equal(more.count, 0);
		assert_true(strlen(err.text) > 10);
		assert_false(work->world->calm && !work->world->astray && error != -EINVAL && number);
		return error;
	}
	tell("more before %u: %s\n", number, plan_in_words(&more));
	append(work, &more);
	for (unsigned i = count; i < work->count; i++) {
		assert_true(work->steps[i].after <= work->count && work->steps[i].before <= work->count);
		assert_true(work->steps[i].alternative || work->steps[i].text);
	}
	return work->count > count;
}

static void check_alone(const struct work *work, const struct pm_step *step)
{
	for (unsigned i = 0; i < work->count; i++)
		if (is_of_vm(step) && is_of_vm(&work->steps[i]) && work->steps[i].vm == step->vm)
			assert_int_not_equal(work->steps[i].state, PM_JOB_RUNNING);
}

/* It has ended as soon as it begins. */
static bool is_so(const struct work *work, const struct pm_step *step)
{
	const struct pm_vm *vm = pm_machine_vm(&work->world->stack.machine, step->vm);

	if (!vm)
		return false;
	switch (step->action) {
	case PM_STEP_VM_SHUTDOWN:
	case PM_STEP_VM_DESTROY:
		return pm_vm_is_down(vm);
	case PM_STEP_VM_SAVE:
		return pm_vm_is_down(vm) && pm_vm_observed(vm) == PM_VM_SUSPENDED;
	case PM_STEP_VM_PAUSE:
		return pm_vm_is_up(vm) && pm_vm_observed(vm) == PM_VM_PAUSED;
	default:
		return false;
	}
}

static void begin(struct work *work, unsigned place)
{
	struct pm_step *step = &work->steps[place];
	int more = pm_step_takes_down(step) ? more_before(work, place + 1) : 0;

	if (more < 0)
		step->state = PM_JOB_FAILED;
	else if (!more)
		check_alone(work, step);
	if (!more)
		step->state = is_so(work, step) ? PM_JOB_SUCCEEDED : PM_JOB_RUNNING;
	if (!more)
		tell("%u %s of %s begins\n", place + 1, pm_step_action_name(step->action),
		     step->target ? step->target : "the machine");
}

/* Where nothing else happens a step fails only for what nobody could know when it was planned. */
static bool may_fail(const struct work *work, const struct pm_step *step)
{
	const struct pm_vm *vm = pm_machine_vm(&work->world->stack.machine, step->vm);
	const struct pm_hypervisor *hypervisor = pm_step_hypervisor(&work->world->stack.machine, step);

	if (step->action == PM_STEP_HOST_SUSPEND)
		return !work->world->can_suspend;
	if (step->action == PM_STEP_HOST_HIBERNATE)
		return !work->world->can_hibernate;
	if (hypervisor)
		return work->world->hopeless[hypervisor - work->world->stack.hypervisors] ||
		       (!ground_runs(work->world, hypervisor) &&
			!(hypervisor->host && pm_vm_is_up(hypervisor->host)));
	if (work->world->misled &&
	    (work->spec->action != PM_COMMAND_SHUTDOWN || step->action == PM_STEP_VM_RESUME))
		return true;
	if (work->world->astray && vm && !vm->hypervisor->up && !pm_vm_is_down(vm))
		return true;
	return work->was_unknown || (step->action == PM_STEP_VM_START && vm && !vm->persistent);
}

static void finish(struct work *work, unsigned place)
{
	struct pm_step *step = &work->steps[place];

	if (act(work, step))
		step->state = PM_JOB_SUCCEEDED;
	else
		step->state = PM_JOB_FAILED;
	if (work->world->calm && step->state == PM_JOB_FAILED && !may_fail(work, step))
		fail_msg("step %u, %s of %s, failed", place + 1, pm_step_action_name(step->action),
			 step->target ? step->target : "the machine");
	tell("%u %s of %s: %s\n", place + 1, pm_step_action_name(step->action),
	     step->target ? step->target : "the machine",
	     step->state == PM_JOB_SUCCEEDED ? "well" : "failed");
	look(work->world);
	if (work->world->broken_rule)
		fail_msg("%s: step %u, %s of %s", work->world->broken_rule, place + 1,
			 pm_step_action_name(step->action), step->target ? step->target : "the machine");
}

/* One that may begin or is running, by chance; -1: none. */
static int choose(const struct work *work)
{
	int chosen = -1;
	unsigned found = 0;

	for (unsigned i = 0; i < work->count; i++)
		if (work->steps[i].state == PM_JOB_RUNNING || may_begin(work, i))
			chosen = repeatable_random(++found) == 0 ? (int)i : chosen;
	return chosen;
}

static bool all_are_well(const struct work *work)
{
	for (unsigned i = 0; i < work->count; i++)
		if (!work->steps[i].alternative && !group_is_well(work, i))
			return false;
	return true;
}

/* Steps that never begin have one to blame. */
static bool end_blocked(const struct work *work)
{
	for (unsigned i = 0; i < work->count; i++)
		if (work->steps[i].state == PM_JOB_FAILED)
			return false;
	fail_msg("steps wait for each other");
	return false;
}

/* Whether all went well. */
static bool execute(struct work *work)
{
	for (unsigned turn = 0; turn < 5000; turn++) {
		int chosen;

		if (!work->world->calm && chance(8))
			something_happens(work);
		chosen = choose(work);
		if (chosen >= 0 && work->steps[chosen].state == PM_JOB_RUNNING)
			finish(work, (unsigned)chosen);
		else if (chosen >= 0)
			begin(work, (unsigned)chosen);
		else if (!all_are_well(work))
			return end_blocked(work);
		else if (more_before(work, 0) <= 0)
			return work->count < STEPS_MAX;
	}
	fail_msg("the job does not end: %u steps", work->count);
	return false;
}

/* --- what must be so in the end -------------------------------------------------------------------- */

static bool concerns(const struct world_of_vms *world, const struct pm_job_spec *spec, const struct pm_vm *vm)
{
	if (!spec->vm)
		return spec->scope != PM_SCOPE_MACHINE;
	for (; vm; vm = parent_of(world, vm))
		if (vm->index == spec->vm)
			return true;
	return false;
}

static void check_the_end(const struct work *work)
{
	const struct world_of_vms *world = work->world;
	const struct pm_job_spec *spec = work->spec;

	for (unsigned i = 0; i < world->stack.machine.vm_count; i++) {
		const struct pm_vm *vm = world->stack.machine.vms[i];
		unsigned place = place_of(world, vm);

		if (!concerns(world, spec, vm) || (spec->vm && !vm->hypervisor->up))
			continue; /* a VM by itself was seen as it should be, and may be unknown since */
		if (spec->action == PM_COMMAND_SHUTDOWN || spec->action == PM_COMMAND_HIBERNATE)
			assert_false(would_die(world, place, NULL) &&
				     (spec->action != PM_COMMAND_HIBERNATE || runs(world, place)));
		if (spec->action == PM_COMMAND_SUSPEND)
			assert_false(runs(world, place));
	}
	if (!spec->vm && ((spec->scope != PM_SCOPE_STACK && spec->action == PM_COMMAND_SHUTDOWN) ||
			  (spec->action == PM_COMMAND_INIT && spec->init_level == 0)))
		assert_false(world->machine_on);
	if (spec->vm && spec->action == PM_COMMAND_POWER_ON && world->calm)
		assert_true(runs(world, spec->vm - 1));
}

/* A reboot: what ran runs again, where nothing else happened. */
static void check_rebooted(const struct work *work, const bool *ran)
{
	for (unsigned i = 0; i < work->world->stack.machine.vm_count; i++)
		if (ran[i])
			assert_true(runs(work->world, i));
}

static void try_plan(struct world_of_vms *world, const struct pm_job_spec *spec, struct pm_plan *plan)
{
	static struct work work;
	const struct pm_vm *vm;
	bool ran[VMS_MAX];
	bool well;

	work = (struct work){.world = world, .spec = spec};
	vm = spec->vm ? pm_machine_vm(&world->stack.machine, spec->vm) : NULL;
	work.was_unknown = vm && !pm_vm_is_up(vm) && !pm_vm_is_down(vm);
	for (unsigned i = 0; i < VMS_MAX; i++)
		ran[i] = i < world->stack.machine.vm_count && runs(world, i);
	world->misled =
	    spec->action != PM_COMMAND_POWER_ON && memchr(world->late, true, sizeof(world->late)) != NULL;
	be_in_time(world);
	append(&work, plan);
	world->hard = !is_graceful(spec) && spec->action != PM_COMMAND_POWER_ON;
	well = execute(&work);
	if (well && (is_graceful(spec) || spec->action == PM_COMMAND_POWER_ON))
		check_the_end(&work);
	if (well && world->calm && spec->action == PM_COMMAND_REBOOT && is_graceful(spec))
		check_rebooted(&work, ran);
	for (unsigned i = 0; i < work.count; i++) {
		free(work.steps[i].text);
		free(work.steps[i].target);
	}
}

static void try_once(bool calm)
{
	static struct world_of_vms world;
	struct pm_job_spec spec;
	struct pm_error err = {""};
	struct pm_plan plan;
	int error;

	history_used = 0;
	random_world(&world);
	tell_world(&world);
	spec = random_spec(&world);
	tell("%s scope %d force %d vm %u\n", pm_command_name(spec.action), (int)spec.scope, (int)spec.force,
	     spec.vm);
	world.calm = calm;
	error = pm_plan(&world.stack.machine, &spec, false, &plan, &err);
	if (error) {
		assert_int_equal(error, -EINVAL);
		assert_true(plan.count == 0 && strlen(err.text) > 10);
	} else {
		tell("%s\n", plan_in_words(&plan));
		check_plan(&world, &spec, &plan);
		check_pure(&world, &spec, &plan);
		try_plan(&world, &spec, &plan);
	}
	pm_plan_free(&plan);
	stack_end(&world.stack);
	history_used = 0;
}

static void test_plans_in_a_calm_world(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++)
		try_once(true);
}

static void test_plans_in_a_world_that_changes(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++)
		try_once(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_plans_in_a_calm_world, tell_if_wrong),
	    cmocka_unit_test_teardown(test_plans_in_a_world_that_changes, tell_if_wrong),
	};

	return cmocka_run_group_tests_name("plans of random stacks", tests, NULL, NULL);
}
