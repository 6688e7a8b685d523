/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs of a stack: what goes down, leaf first, and what comes up again, parents first. */
#include "agent/plan_private.h"
#include "agent/text.h"

#include <errno.h>
#include <string.h>

#define MOMENT_S \
	120      /* for what a hypervisor does by itself: it need not ask the guest, nor write its memory */
#define ASK_S 60 /* for one that does not answer, on the way down */
#define NAMES 3  /* of VMs that a refusal tells */

static unsigned at_most(unsigned time_s, unsigned limit_s)
{
	return time_s < limit_s ? time_s : limit_s;
}

bool pm_spec_is_graceful(const struct pm_job_spec *spec)
{
	switch (spec->action) {
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_REBOOT:
		return spec->force != PM_FORCE_IMMEDIATELY;
	case PM_COMMAND_SUSPEND:
	case PM_COMMAND_HIBERNATE:
		return true;
	case PM_COMMAND_INIT:
		return pm_spec_takes_machine_down(spec) && spec->force != PM_FORCE_IMMEDIATELY;
	default:
		return false;
	}
}

bool pm_spec_brings_down(const struct pm_job_spec *spec, const struct pm_vm *vm)
{
	if (spec->action == PM_COMMAND_SUSPEND && pm_vm_is_stopped(vm))
		return false;
	return pm_vm_is_up(vm);
}

/* --- how it is now ------------------------------------------------------------------------------ */

bool pm_vm_is_stopped(const struct pm_vm *vm)
{
	enum pm_vm_state state = pm_vm_observed(vm);

	return pm_vm_is_up(vm) && (state == PM_VM_PAUSED || state == PM_VM_SUSPENDED);
}

bool pm_vm_must_be_resumed(const struct pm_vm *vm)
{
	return pm_vm_is_stopped(vm) && (vm->observed == PM_VM_PAUSED || vm->observed == PM_VM_SUSPENDED);
}

bool pm_hypervisor_is_asked(const struct pm_hypervisor *hypervisor)
{
	if (!pm_hypervisor_is_unknown(hypervisor))
		return false;
	return hypervisor->host ? pm_vm_is_up(hypervisor->host) : !hypervisor->on;
}

/* What it runs on was stopped or went off, and its connection may not be known to be lost yet. */
static bool has_lost_its_ground(const struct pm_hypervisor *hypervisor)
{
	for (const struct pm_vm *host = hypervisor->host; host; host = pm_vm_parent(host))
		if (pm_vm_is_stopped(host) || pm_vm_is_down(host))
			return true;
	return hypervisor->machine->observed == PM_POWER_OFF;
}

bool pm_hypervisor_answers(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->up && !has_lost_its_ground(hypervisor);
}

/* Of a machine's VMs, in words: "3 VMs up (db1, web1, web2)". Whether there are any. */
static bool describe_up(const struct pm_machine *machine, char *text, size_t size)
{
	unsigned count = 0;
	char names[128] = "";

	for (size_t i = 0; i < machine->vm_count; i++) {
		size_t length = strlen(names);

		if (!pm_vm_is_up(machine->vms[i]))
			continue;
		if (++count <= NAMES)
			pm_text_format(names + length, sizeof(names) - length, "%s%s", length ? ", " : "",
				       machine->vms[i]->name);
	}
	pm_text_format(text, size, "%u VM%s up (%s%s)", count, count == 1 ? "" : "s", names,
		       count > NAMES ? ", ..." : "");
	return count > 0;
}

static const struct pm_hypervisor *find_asked(const struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (pm_hypervisor_is_asked(&machine->hypervisors[i]))
			return &machine->hypervisors[i];
	return NULL;
}

int pm_plan_check_alone(const struct pm_machine *machine, const struct pm_job_spec *spec, int code,
			struct pm_error *err)
{
	static const char instead[] =
	    "pmJobScope stackAndMachine brings them down first; softOff and powerOff leave the stack alone";
	const struct pm_hypervisor *asked = find_asked(machine);
	const char *name = machine->config->name, *action = pm_command_name(spec->action);
	char up[192];

	if (describe_up(machine, up, sizeof(up)))
		return pm_fail(err, code, "machine %s has %s: %s of the machine alone is refused; %s", name,
			       up, action, instead);
	if (asked && pm_spec_is_graceful(spec))
		return pm_fail(
		    err, code,
		    "hypervisor %s of machine %s does not answer, so that VMs may be up: %s of the "
		    "machine alone is refused; %s",
		    asked->config->shown, name, action, instead);
	return 0;
}

bool pm_draft_is_alone(struct pm_draft *draft)
{
	int error = pm_plan_check_alone(draft->machine, draft->spec, EINVAL, draft->err);

	if (error)
		pm_draft_refuse(draft, error);
	return !error;
}

/* --- steps -------------------------------------------------------------------------------------- */

/* A guest that is asked has all the time there is, unless it is killed afterwards. */
static unsigned time_to_ask_s(const struct pm_draft *draft, const struct pm_vm *vm)
{
	const struct pm_job_spec *spec = draft->spec;

	if (spec->force != PM_FORCE_AFTER_TIMEOUT || spec->action == PM_COMMAND_SOFT_OFF)
		return draft->vm_time_s;
	return vm->shutdown_timeout_s ? vm->shutdown_timeout_s : spec->vm_timeout_s;
}

static unsigned time_of(const struct pm_draft *draft, enum pm_step_action action, const struct pm_vm *vm)
{
	switch (action) {
	case PM_STEP_VM_SHUTDOWN:
	case PM_STEP_VM_REBOOT:
		return time_to_ask_s(draft, vm);
	case PM_STEP_VM_START:
	case PM_STEP_VM_SAVE:
		return draft->vm_time_s;
	default:
		return at_most(draft->vm_time_s, MOMENT_S);
	}
}

unsigned pm_draft_vm_step(struct pm_draft *draft, enum pm_step_action action, const struct pm_vm *vm,
			  unsigned after, unsigned before)
{
	const struct pm_draft_step step = {
	    .step = {.action = action,
		     .vm = vm->index,
		     .after = after,
		     .before = before,
		     .timeout_s = time_of(draft, action, vm),
		     .momentary = action == PM_STEP_VM_REBOOT || action == PM_STEP_VM_RESET},
	    .target = vm->name};

	return pm_draft_add(draft, &step);
}

unsigned pm_draft_connect(struct pm_draft *draft, const struct pm_hypervisor *hypervisor, bool up,
			  unsigned after, unsigned before)
{
	unsigned time_s = hypervisor->config->connect_timeout_s;
	const struct pm_draft_step step = {.step = {.action = PM_STEP_HYPERVISOR_CONNECT,
						    .vm = hypervisor->host ? hypervisor->host->index : 0,
						    .after = after,
						    .before = before,
						    .timeout_s = up ? time_s : at_most(time_s, ASK_S)},
					   .target = hypervisor->config->shown};

	return pm_draft_add(draft, &step);
}

void pm_draft_nothing(struct pm_draft *draft, const struct pm_vm *vm, const char *text)
{
	pm_draft_add(draft, &(struct pm_draft_step){.step = {.action = PM_STEP_STATE_WAIT,
							     .vm = vm ? vm->index : 0,
							     .timeout_s = at_most(draft->vm_time_s, ASK_S)},
						    .target = vm ? vm->name : NULL,
						    .text = text});
}

/* --- down, leaf first --------------------------------------------------------------------------- */

struct pm_draft_hypervisor *pm_draft_ground(struct pm_draft *draft,
					    const struct pm_draft_hypervisor *hypervisor)
{
	return hypervisor->on == PM_NOWHERE ? NULL : &draft->hypervisors[hypervisor->on];
}

unsigned pm_draft_refuse_astray(struct pm_draft *draft, const struct pm_draft_hypervisor *ground)
{
	const struct pm_machine *machine = draft->machine;
	unsigned i = 0;

	while (!draft->hypervisors[i].astray ||
	       (ground && pm_draft_ground(draft, &draft->hypervisors[i]) != ground))
		i++;
	return pm_draft_refuse(
	    draft,
	    pm_fail(draft->err, draft->old ? EBUSY : EINVAL,
		    "hypervisor %s of machine %s answers, but VM %s, in which it should run, is not up: "
		    "nobody knows on what its VMs stand, and %s is refused",
		    machine->hypervisors[i].config->shown, machine->config->name,
		    machine->hypervisors[i].config->guest, pm_command_name(draft->spec->action)));
}

bool pm_hypervisor_is_lost(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->up && hypervisor->on && (!hypervisor->host || pm_vm_is_down(hypervisor->host));
}

bool pm_draft_has_strays(const struct pm_draft *draft, unsigned place)
{
	unsigned on = draft->vms[place].hypervisor;

	return on != PM_NOWHERE && draft->hypervisors[on].strays;
}

/* One that is astray may stand on any VM of the one that it is on. */
static bool may_stand_on(const struct pm_draft *draft, const struct pm_draft_hypervisor *hypervisor,
			 unsigned place)
{
	return place == PM_NOWHERE || hypervisor->host == place ||
	       (hypervisor->astray && hypervisor->on == draft->vms[place].hypervisor);
}

bool pm_draft_mark_below(struct pm_draft *draft, unsigned place)
{
	bool any = false;

	for (size_t i = 0; i < draft->machine->hypervisor_count; i++) {
		struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[draft->parents_first[i]];
		const struct pm_draft_hypervisor *on = pm_draft_ground(draft, hypervisor);

		hypervisor->below = may_stand_on(draft, hypervisor, place) || (on && on->below);
		any |= hypervisor->below;
	}
	return any;
}

static bool ends_life(const struct pm_draft *draft)
{
	return draft->spec->action != PM_COMMAND_SUSPEND && draft->spec->action != PM_COMMAND_HIBERNATE;
}

/* What is in the memory of a VM that is stopped is left as it is, unless it is to be shut down. */
static bool goes_down(const struct pm_draft *draft, const struct pm_draft_hypervisor *hypervisor,
		      const struct pm_vm *vm)
{
	bool down = draft->saves ? pm_vm_is_up(vm) : pm_spec_brings_down(draft->spec, vm);

	return down && (ends_life(draft) || !hypervisor->frozen);
}

/* Rebooted as it stands, and not shut down and started. */
static bool is_rebooted_in_place(const struct pm_draft *draft, const struct pm_vm *vm)
{
	const struct pm_job_spec *spec = draft->spec;

	if (spec->action != PM_COMMAND_REBOOT)
		return false;
	return spec->vm ? vm->index == spec->vm : spec->scope == PM_SCOPE_STACK && !vm->hypervisor->on;
}

static enum pm_step_action way_down(const struct pm_draft *draft, const struct pm_vm *vm)
{
	switch (draft->spec->action) {
	case PM_COMMAND_SUSPEND:
		return draft->saves ? PM_STEP_VM_SAVE : PM_STEP_VM_PAUSE;
	case PM_COMMAND_HIBERNATE:
		return PM_STEP_VM_SAVE;
	default:
		return is_rebooted_in_place(draft, vm) ? PM_STEP_VM_REBOOT : PM_STEP_VM_SHUTDOWN;
	}
}

static void check_transient(struct pm_draft *draft, const struct pm_vm *vm)
{
	if (!vm->persistent && draft->spec->action == PM_COMMAND_REBOOT && !is_rebooted_in_place(draft, vm))
		pm_draft_refuse(draft, pm_draft_is_transient(draft, vm));
}

void pm_draft_vm_down(struct pm_draft *draft, unsigned place, unsigned after, unsigned before)
{
	const struct pm_vm *vm = draft->machine->vms[place];
	enum pm_step_action way = way_down(draft, vm);
	struct pm_draft_vm *drafted = &draft->vms[place];
	unsigned other;

	check_transient(draft, vm);
	if (ends_life(draft) && pm_vm_must_be_resumed(vm))
		after = drafted->resume = pm_draft_vm_step(draft, PM_STEP_VM_RESUME, vm, after, 0);
	drafted->down = pm_draft_vm_step(draft, way, vm, after, before);
	if (!ends_life(draft) || draft->spec->force != PM_FORCE_AFTER_TIMEOUT)
		return;
	other = pm_draft_vm_step(draft, way == PM_STEP_VM_REBOOT ? PM_STEP_VM_RESET : PM_STEP_VM_DESTROY, vm,
				 0, before);
	pm_draft_step(draft, other)->alternative = true;
}

/*
 * In a reboot VMs are not shut down before it is known after which step they can be started again.
 */
static void limit_by_host(struct pm_draft *draft, struct pm_draft_hypervisor *hypervisor)
{
	const struct pm_draft_vm *host = &draft->vms[hypervisor->host];
	const struct pm_vm *vm = draft->machine->vms[hypervisor->host];
	bool unknown = !pm_vm_is_up(vm) && !pm_vm_is_down(vm);

	hypervisor->frozen |= pm_vm_is_stopped(vm);
	hypervisor->later |= unknown && draft->spec->action == PM_COMMAND_REBOOT;
	hypervisor->later &= !host->up;
	if (host->resume)
		hypervisor->gate = host->resume;
	if (host->down)
		hypervisor->ceiling = host->down;
}

/* What it stands on comes before it. One that answers need not wait for anything that is brought up for others. */
static void limit(struct pm_draft *draft, unsigned place, unsigned before)
{
	struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[place];
	const struct pm_draft_hypervisor *on = pm_draft_ground(draft, hypervisor);

	hypervisor->ceiling = before;
	if (on && on->below) {
		hypervisor->frozen = on->frozen;
		hypervisor->later = on->later;
		hypervisor->gate = on->gate;
		hypervisor->ceiling = hypervisor->astray && on->barrier ? on->barrier : on->ceiling;
	}
	if (hypervisor->host != PM_NOWHERE && !hypervisor->astray)
		limit_by_host(draft, hypervisor);
	else if (on)
		hypervisor->later = draft->spec->action == PM_COMMAND_REBOOT;
	if (draft->machine->hypervisors[place].up && !hypervisor->frozen)
		hypervisor->gate = 0;
}

/* One that is in the memory of something stopped cannot answer, even if it seems to for a moment more. */
static void ask(struct pm_draft *draft, unsigned place)
{
	const struct pm_hypervisor *asked = &draft->machine->hypervisors[place];
	struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[place];

	if (hypervisor->frozen ? !ends_life(draft) || !asked->host || !pm_vm_is_up(asked->host)
			       : !pm_hypervisor_is_asked(asked))
		return;
	if (pm_draft_may_ask(draft, place))
		hypervisor->gate =
		    pm_draft_connect(draft, asked, false, hypervisor->gate, hypervisor->ceiling);
}

/* Nobody knows on which of its VMs they stand: all of these wait. */
static void await_strays(struct pm_draft *draft, struct pm_draft_hypervisor *hypervisor)
{
	const struct pm_hypervisor *ground = &draft->machine->hypervisors[hypervisor - draft->hypervisors];

	hypervisor->barrier = pm_draft_add(
	    draft, &(struct pm_draft_step){.step = {.action = PM_STEP_STATE_WAIT,
						    .after = hypervisor->gate,
						    .before = hypervisor->ceiling,
						    .timeout_s = at_most(draft->vm_time_s, ASK_S)},
					   .target = ground->config->shown,
					   .text = "after VMs of which nobody knows on what they stand"});
}

static void vms_down(struct pm_draft *draft, const struct pm_draft_hypervisor *hypervisor)
{
	unsigned after = hypervisor->barrier ? hypervisor->barrier : hypervisor->gate;

	for (unsigned n = hypervisor->vms; n < hypervisor[1].vms; n++) {
		unsigned place = draft->order[n];

		if (pm_draft_stays_down(draft, place) &&
		    goes_down(draft, hypervisor, draft->machine->vms[place]) &&
		    pm_draft_may_go_down(draft, place, hypervisor->ceiling))
			pm_draft_vm_down(draft, place, after, hypervisor->ceiling);
	}
}

void pm_draft_stack_down(struct pm_draft *draft, unsigned before)
{
	for (size_t i = 0; i < draft->machine->hypervisor_count; i++) {
		unsigned place = draft->parents_first[i];
		struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[place];

		if (!hypervisor->below)
			continue;
		if (draft->spec->action == PM_COMMAND_REBOOT && hypervisor->astray &&
		    (draft->old || pm_hypervisor_is_astray(&draft->machine->hypervisors[place])))
			pm_draft_refuse_astray(draft, pm_draft_ground(draft, hypervisor));
		limit(draft, place, before);
		if (hypervisor->later)
			continue;
		ask(draft, place);
		if (hypervisor->strays && draft->spec->action != PM_COMMAND_REBOOT)
			await_strays(draft, hypervisor);
		vms_down(draft, hypervisor);
	}
}

/* --- up, parents first -------------------------------------------------------------------------- */

int pm_draft_is_transient(const struct pm_draft *draft, const struct pm_vm *vm)
{
	return pm_fail(
	    draft->err, EINVAL,
	    "VM %s of machine %s is transient, and cannot be started again once it is down: %s is refused",
	    vm->name, draft->machine->config->name, pm_command_name(draft->spec->action));
}

/* The step after which it answers again, because what it runs on is up; 0: that never went down. */
static unsigned reconnect(struct pm_draft *draft, unsigned place, unsigned machine)
{
	struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[place];
	unsigned after = hypervisor->host == PM_NOWHERE ? machine : draft->vms[hypervisor->host].up;

	if (!hypervisor->reconnect && after)
		hypervisor->reconnect =
		    pm_draft_connect(draft, &draft->machine->hypervisors[place], true, after, 0);
	return hypervisor->reconnect;
}

/* What it stands on is down, or goes down and does not come up again: so it does not either. */
static bool stays_down(const struct pm_draft *draft, unsigned hypervisor)
{
	unsigned host = draft->hypervisors[hypervisor].host;

	if (host == PM_NOWHERE || draft->vms[host].up)
		return false;
	return draft->vms[host].down || draft->vms[host].pending || pm_vm_is_down(draft->machine->vms[host]);
}

static void start_again(struct pm_draft *draft, unsigned hypervisor, unsigned place, unsigned machine)
{
	const struct pm_vm *vm = draft->machine->vms[place];
	struct pm_draft_vm *drafted = &draft->vms[place];
	unsigned after;

	if (is_rebooted_in_place(draft, vm)) {
		drafted->up = drafted->down;
	} else if (!stays_down(draft, hypervisor)) {
		after = reconnect(draft, hypervisor, machine);
		drafted->up = pm_draft_vm_step(draft, PM_STEP_VM_START, vm, after ? after : drafted->down, 0);
	}
}

void pm_draft_stack_up(struct pm_draft *draft, unsigned machine)
{
	for (size_t i = 0; i < draft->machine->hypervisor_count; i++) {
		const struct pm_draft_hypervisor *hypervisor = &draft->hypervisors[draft->parents_first[i]];

		for (unsigned n = hypervisor->vms; n < hypervisor[1].vms; n++) {
			unsigned place = draft->order[n];

			if (draft->vms[place].down && !draft->vms[place].up)
				start_again(draft, draft->parents_first[i], place, machine);
		}
	}
}

/* Whether it will run by itself or by a step, so that its hypervisor may be waited for. */
static bool will_run(const struct pm_draft *draft, unsigned place)
{
	const struct pm_vm *vm = draft->machine->vms[place];

	return draft->vms[place].up ||
	       (pm_vm_is_up(vm) && !pm_vm_is_stopped(vm) && pm_hypervisor_answers(vm->hypervisor));
}

static void autostart_one(struct pm_draft *draft, unsigned place, unsigned after)
{
	const struct pm_vm *vm = draft->machine->vms[place];
	struct pm_draft_vm *drafted = &draft->vms[place];

	if (vm->autostart && vm->persistent && !drafted->up &&
	    !(pm_vm_is_up(vm) && pm_hypervisor_answers(vm->hypervisor)))
		drafted->up = pm_draft_vm_step(draft, PM_STEP_VM_START, vm, after, 0);
}

void pm_draft_autostart(struct pm_draft *draft, unsigned machine)
{
	for (size_t i = 0; i < draft->machine->hypervisor_count; i++) {
		unsigned place = draft->parents_first[i];
		const struct pm_hypervisor *hypervisor = &draft->machine->hypervisors[place];
		struct pm_draft_hypervisor *drafted = &draft->hypervisors[place];
		unsigned after = machine;

		if (!hypervisor->config->autostart ||
		    (drafted->host == PM_NOWHERE ? hypervisor->on != NULL : !will_run(draft, drafted->host)))
			continue;
		if (drafted->host != PM_NOWHERE && draft->vms[drafted->host].up)
			after = draft->vms[drafted->host].up;
		if (!pm_hypervisor_answers(hypervisor) && !drafted->reconnect)
			after = drafted->reconnect = pm_draft_connect(draft, hypervisor, true, after, 0);
		for (unsigned n = drafted->vms; n < drafted[1].vms; n++)
			autostart_one(draft, draft->order[n], after);
	}
}

/* --- verbs -------------------------------------------------------------------------------------- */

static unsigned machine_down(struct pm_draft *draft)
{
	switch (draft->spec->action) {
	case PM_COMMAND_SUSPEND:
	case PM_COMMAND_HIBERNATE:
		return pm_draft_machine_sleep(draft);
	case PM_COMMAND_INIT:
		return pm_draft_machine_init(draft);
	default:
		return pm_draft_machine_off(draft);
	}
}

static void plan_gracefully(struct pm_draft *draft)
{
	bool machine = draft->spec->scope == PM_SCOPE_STACK_AND_MACHINE;
	bool reboot = draft->spec->action == PM_COMMAND_REBOOT;
	unsigned off = machine ? machine_down(draft) : 0;
	unsigned on = off && reboot ? pm_draft_machine_up_again(draft, off) : 0;

	if (draft->error)
		return;
	pm_draft_mark_below(draft, PM_NOWHERE);
	pm_draft_stack_down(draft, off);
	if (reboot)
		pm_draft_stack_up(draft, on);
}

/* Hard, and not what stands on it. */
static void hit(struct pm_draft *draft, unsigned place, unsigned before)
{
	const struct pm_vm *vm = draft->machine->vms[place];
	enum pm_command action = draft->spec->action;
	bool stays = draft->spec->scope == PM_SCOPE_STACK;
	bool reset = stays && (action == PM_COMMAND_RESET || action == PM_COMMAND_REBOOT);
	unsigned number =
	    pm_draft_vm_step(draft, reset ? PM_STEP_VM_RESET : PM_STEP_VM_DESTROY, vm, 0, before);

	if (action != PM_COMMAND_CYCLE || !stays)
		return;
	if (!vm->persistent)
		pm_draft_refuse(draft, pm_draft_is_transient(draft, vm));
	pm_draft_vm_step(draft, PM_STEP_VM_START, vm, number, 0);
}

void pm_draft_stack_at_once(struct pm_draft *draft, unsigned before)
{
	const struct pm_machine *machine = draft->machine;

	for (unsigned i = 0; i < machine->vm_count; i++) {
		unsigned place = draft->vms[i].hypervisor;
		const struct pm_draft_hypervisor *on = &draft->hypervisors[place];

		if (place != PM_NOWHERE && on->on == PM_NOWHERE && pm_vm_is_up(machine->vms[i]) &&
		    (!draft->only_new || (on->tries && !draft->vms[i].named)))
			hit(draft, i, before);
	}
}

/* Who cannot be asked goes down with the machine; but if only the VMs are to go, it must be known which they are. */
static void ask_at_once(struct pm_draft *draft)
{
	for (size_t i = 0; i < draft->machine->hypervisor_count; i++) {
		const struct pm_hypervisor *hypervisor = &draft->machine->hypervisors[i];

		if (!hypervisor->on && pm_hypervisor_is_asked(hypervisor))
			pm_draft_connect(draft, hypervisor, false, 0, 0);
	}
}

/* The VMs on the machine itself; then the machine. */
static void plan_at_once(struct pm_draft *draft)
{
	enum pm_command action = draft->spec->action;
	unsigned number = 0;

	if (draft->spec->scope == PM_SCOPE_STACK)
		ask_at_once(draft);
	else if (action == PM_COMMAND_SHUTDOWN || action == PM_COMMAND_INIT)
		number = machine_down(draft);
	else
		number =
		    pm_draft_machine_by_bmc(draft, action == PM_COMMAND_REBOOT ? PM_COMMAND_RESET : action);
	if (!draft->error && (!number || action != PM_COMMAND_REBOOT))
		pm_draft_stack_at_once(draft, number);
}

void pm_plan_stack(struct pm_draft *draft)
{
	if (pm_spec_is_graceful(draft->spec))
		plan_gracefully(draft);
	else
		plan_at_once(draft);
	if (!draft->error && !draft->count)
		pm_draft_nothing(draft, NULL, "nothing runs there");
}
