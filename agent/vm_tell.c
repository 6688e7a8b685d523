/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What managers are told of stacks: events, notifications, counts; and what jobs are told. vm.h says which. */
#include "agent/event.h"
#include "agent/job.h"
#include "agent/notify.h"
#include "agent/state.h"
#include "agent/vm_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_START_MS 30000 /* the agent has started, or it is new in the configuration */
#define PATIENCE_LOST_MS  10000 /* a service that is started again answers sooner */
#define HURRY_MS          15000 /* while what it runs on boots: the driver tries often for a while, each time */
#define RELAPSE_MS \
	600000 /* silent again so soon after it was told to answer: that must last longer next time */
#define HOLD_MIN_MS 4000
#define HOLD_MAX_MS 128000
#define FEW         5 /* changes of one list, each with an event of its own */
#define NAMES_SIZE  120

static uint64_t now_ms(const struct pm_machine *machine)
{
	return uv_now(machine->agent->loop);
}

/* --- counts ----------------------------------------------------------------------------------- */

static void count(struct pm_vm *vm)
{
	bool runs = pm_vm_state(vm) == PM_VM_RUNNING;
	struct pm_machine *machine = vm->machine;

	if (runs == vm->counted)
		return;
	vm->counted = runs;
	machine->vms_running += runs ? 1 : (uint32_t)-1;
	machine->agent->vms_running += runs ? 1 : (uint32_t)-1;
}

/* A VM that has come to where its job brings it is no longer on its way. */
static void end_transition(struct pm_vm *vm)
{
	bool there = (vm->transition == PM_VM_SHUTTING_DOWN && pm_vm_is_down(vm)) ||
		     (vm->transition == PM_VM_SUSPENDING &&
		      (vm->shown == PM_VM_SUSPENDED || vm->shown == PM_VM_PAUSED)) ||
		     ((vm->transition == PM_VM_PREPARING || vm->transition == PM_VM_RESUMING) &&
		      vm->shown == PM_VM_RUNNING);

	if (there)
		vm->transition = 0;
}

void pm_vm_transition(struct pm_vm *vm, enum pm_vm_state transition)
{
	if (vm->transition == transition)
		return;
	vm->transition = transition;
	count(vm);
}

/* Whether jobs are to know that it looks different. */
static void look(struct pm_vm *vm)
{
	enum pm_vm_state state = pm_vm_observed(vm);

	vm->news |= state != vm->shown;
	vm->shown = state;
	end_transition(vm);
	count(vm);
}

/* --- one VM ----------------------------------------------------------------------------------- */

static bool is_passing(enum pm_vm_state state)
{
	return state == PM_VM_PREPARING || state == PM_VM_SUSPENDING || state == PM_VM_RESUMING ||
	       state == PM_VM_MIGRATING || state == PM_VM_SHUTTING_DOWN;
}

static enum pm_severity severity_of(enum pm_vm_state state)
{
	return state == PM_VM_UNKNOWN   ? PM_SEVERITY_UNKNOWN
	       : state == PM_VM_CRASHED ? PM_SEVERITY_CRITICAL
					: PM_SEVERITY_OK;
}

static void note_told(struct pm_vm *vm, enum pm_vm_state state)
{
	vm->told = state;
	vm->fresh = false;
	if (state != PM_VM_UNKNOWN)
		vm->before = state;
	pm_vm_changed(vm);
}

static void notify(struct pm_vm *vm, enum pm_vm_state state, uint32_t event_index)
{
	struct pm_notification notification = {.type = PM_NOTIFY_VM_STATE_CHANGE,
					       .vm = vm->index,
					       .vm_state = state,
					       .old_vm_state = vm->told,
					       .event_index = event_index};

	snprintf(notification.vm_name, sizeof(notification.vm_name), "%s", vm->name);
	vm->last_change_ms = pm_time_ms();
	note_told(vm, state);
	pm_notify(vm->machine->agent, vm->machine, &notification);
}

static void tell_own(struct pm_vm *vm)
{
	const char *shown = vm->hypervisor->config->shown, *state = pm_vm_state_name(vm->shown);
	enum pm_severity severity = severity_of(vm->shown);
	uint32_t event;

	if (vm->fresh)
		event = pm_event_add(vm->machine, PM_EVENT_VM_STATE, severity,
				     "VM %.100s is new on %.80s: %s", vm->name, shown, state);
	else
		event =
		    pm_event_add(vm->machine, PM_EVENT_VM_STATE, severity, "VM %.100s: %s, was %s (%.60s)",
				 vm->name, state, pm_vm_state_name(vm->told), shown);
	notify(vm, vm->shown, event);
}

/* A transient VM is gone when it is off; of one that has moved away nothing is known here. */
void pm_vm_tell_gone(struct pm_vm *vm, bool migrated, uint32_t event)
{
	bool was_off = vm->told == PM_VM_SHUTDOWN || vm->told == PM_VM_CRASHED;
	enum pm_vm_state state = migrated ? PM_VM_UNKNOWN : PM_VM_SHUTDOWN;

	if (!event)
		event = pm_event_add(vm->machine, PM_EVENT_VM_STATE, PM_SEVERITY_OK, "VM %.100s %s %.80s",
				     vm->name, migrated ? "has moved away from" : "is no longer defined on",
				     vm->hypervisor->config->shown);
	if (vm->told && vm->told != state && !was_off)
		notify(vm, state, event);
}

/* --- many VMs at once ------------------------------------------------------------------------- */

/* Those of one hypervisor for which the same holds. */
struct group {
	unsigned count;
	enum pm_vm_state state; /* of the first */
	bool mixed;             /* not of all */
	bool crashed;           /* one of them */
	char names[NAMES_SIZE];
	size_t length;
	uint32_t event;
};

static void add_name(struct group *group, const char *name)
{
	static const char more[] = ", ...";
	size_t length = strlen(name) + 2;

	if (group->length + length + sizeof(more) < NAMES_SIZE)
		group->length +=
		    (size_t)sprintf(group->names + group->length, "%s%s", group->length ? ", " : ": ", name);
	else if (group->length + sizeof(more) < NAMES_SIZE)
		group->length += (size_t)sprintf(group->names + group->length, "%s", more);
}

static void add(struct group *group, const struct pm_vm *vm)
{
	if (group->count++ == 0)
		group->state = vm->shown;
	group->mixed |= group->state != vm->shown;
	group->crashed |= vm->shown == PM_VM_CRASHED;
	add_name(group, vm->name);
}

/* As a change of its own, as new, or with what it shares with others; not yet, if its hypervisor may soon answer again. */
enum telling { TELL_NOT, TELL_CHANGE, TELL_NEW, TELL_SHARED, TELLINGS };

static enum telling telling_of(const struct pm_vm *vm)
{
	const struct pm_hypervisor *hypervisor = vm->hypervisor;

	if (!vm->told || vm->shown == vm->told || is_passing(vm->shown))
		return TELL_NOT;
	if (!hypervisor->up)
		return vm->shown != PM_VM_UNKNOWN || hypervisor->told_down ? TELL_SHARED : TELL_NOT;
	if (vm->fresh)
		return TELL_NEW;
	if (vm->told != PM_VM_UNKNOWN || vm->shown != vm->before)
		return TELL_CHANGE;
	return hypervisor->told_down ? TELL_NOT : TELL_SHARED;
}

/* The first sight is not told. */
static void note_first_sight(struct pm_vm *vm)
{
	if (!vm->told && vm->shown != PM_VM_UNKNOWN && !is_passing(vm->shown))
		note_told(vm, vm->shown);
}

static void say_ground(const struct pm_hypervisor *hypervisor, char *text, size_t size)
{
	if (!hypervisor->on)
		snprintf(text, size, "the machine is off");
	else if (!hypervisor->host)
		snprintf(text, size, "there is no VM %.60s", hypervisor->config->guest);
	else
		snprintf(text, size, "VM %.60s is %s", hypervisor->host->name,
			 pm_vm_state_name(hypervisor->host->shown));
}

static uint32_t tell_of_ground(const struct pm_hypervisor *hypervisor, const struct group *group)
{
	char ground[100];

	say_ground(hypervisor, ground, sizeof(ground));
	return pm_event_add(hypervisor->machine, PM_EVENT_VM_STATE, PM_SEVERITY_OK,
			    "%u VM%s on %.60s %s, as %s%s", group->count, group->count == 1 ? "" : "s",
			    hypervisor->config->shown, group->mixed ? "down" : pm_vm_state_name(group->state),
			    ground, group->names);
}

static uint32_t tell_of_silence(const struct pm_hypervisor *hypervisor, const struct group *group)
{
	char vms[NAMES_SIZE + 40] = "";

	if (group)
		snprintf(vms, sizeof(vms), "; %u VM%s unknown%s", group->count, group->count == 1 ? "" : "s",
			 group->names);
	return pm_event_add(hypervisor->machine, PM_EVENT_HOST, PM_SEVERITY_WARNING,
			    "hypervisor %.60s does not answer%s%.80s%s", hypervisor->config->shown,
			    *hypervisor->trouble ? ": " : "", hypervisor->trouble, vms);
}

static uint32_t tell_of_return(const struct pm_hypervisor *hypervisor, const struct group *group)
{
	char vms[NAMES_SIZE + 40] = "";

	if (group)
		snprintf(vms, sizeof(vms), "; %u VM%s as before%s", group->count,
			 group->count == 1 ? "" : "s", group->names);
	return pm_event_add(hypervisor->machine, PM_EVENT_HOST, PM_SEVERITY_OK,
			    "hypervisor %.80s answers again%s", hypervisor->config->shown, vms);
}

static uint32_t tell_of_shared(const struct pm_hypervisor *hypervisor, const struct group *group)
{
	if (hypervisor->up)
		return tell_of_return(hypervisor, group);
	if (group->state == PM_VM_UNKNOWN)
		return tell_of_silence(hypervisor, group);
	return tell_of_ground(hypervisor, group);
}

static uint32_t tell_of_many(const struct pm_hypervisor *hypervisor, const struct group *group,
			     const char *what)
{
	return pm_event_add(hypervisor->machine, PM_EVENT_VM_STATE,
			    group->crashed ? PM_SEVERITY_CRITICAL : PM_SEVERITY_OK, "%u VMs %s %.80s%s",
			    group->count, what, hypervisor->config->shown, group->names);
}

/* 0: they are few, each is told by an event of its own. */
static uint32_t tell_group(const struct pm_hypervisor *hypervisor, const struct group *group,
			   enum telling telling)
{
	if (group->count == 0)
		return 0;
	if (telling == TELL_SHARED)
		return tell_of_shared(hypervisor, group);
	if (group->count <= FEW)
		return 0;
	return tell_of_many(hypervisor, group, telling == TELL_NEW ? "are new on" : "have changed on");
}

uint32_t pm_stack_tell_unlisted(struct pm_hypervisor *hypervisor)
{
	const struct pm_machine *machine = hypervisor->machine;
	struct group group = {0};

	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == hypervisor && pm_vm_is_unlisted(machine->vms[i]))
			add(&group, machine->vms[i]);
	return group.count > FEW ? tell_of_many(hypervisor, &group, "are no longer defined on") : 0;
}

static bool is_touched(const struct pm_vm *vm)
{
	return !vm->hypervisor || vm->hypervisor->touched;
}

static size_t number_of(const struct pm_hypervisor *hypervisor)
{
	return (size_t)(hypervisor - hypervisor->machine->hypervisors);
}

static void tell_groups(struct pm_machine *machine, struct group (*groups)[TELLINGS])
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		for (int telling = TELL_CHANGE; telling < TELLINGS; telling++)
			groups[i][telling].event =
			    tell_group(&machine->hypervisors[i], &groups[i][telling], (enum telling)telling);
	for (size_t i = 0; i < machine->vm_count; i++) {
		struct pm_vm *vm = machine->vms[i];
		enum telling telling = is_touched(vm) ? telling_of(vm) : TELL_NOT;
		uint32_t event = telling ? groups[number_of(vm->hypervisor)][telling].event : 0;

		if (event)
			notify(vm, vm->shown, event);
		else if (telling)
			tell_own(vm);
	}
}

/* Without memory for the groups it is told at the next occasion: what was told last is kept. */
static void tell(struct pm_machine *machine)
{
	struct group(*groups)[TELLINGS] = NULL;

	for (size_t i = 0; i < machine->vm_count; i++) {
		struct pm_vm *vm = machine->vms[i];
		enum telling telling = is_touched(vm) ? telling_of(vm) : TELL_NOT;

		if (is_touched(vm))
			note_first_sight(vm);
		if (!telling)
			continue;
		if (!groups && !(groups = calloc(machine->hypervisor_count, sizeof(*groups))))
			return;
		add(&groups[number_of(vm->hypervisor)][telling], vm);
	}
	if (groups)
		tell_groups(machine, groups);
	free(groups);
}

/* --- hypervisors ------------------------------------------------------------------------------ */

static void be_patient(struct pm_hypervisor *hypervisor, uint64_t patience_ms)
{
	hypervisor->patience_loop_ms = now_ms(hypervisor->machine) + patience_ms;
}

static uint64_t connect_timeout_ms(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->config->connect_timeout_s * UINT64_C(1000);
}

/* A job brings down, or restarts, what it runs on. */
static bool is_expected_to_go(const struct pm_hypervisor *hypervisor)
{
	for (; hypervisor->on; hypervisor = hypervisor->on)
		if (hypervisor->host && hypervisor->host->transition)
			return true;
	return hypervisor->machine->transition != 0;
}

void pm_stack_note_open(struct pm_hypervisor *hypervisor)
{
	be_patient(hypervisor, PATIENCE_START_MS);
}

void pm_stack_note_lost(struct pm_hypervisor *hypervisor)
{
	be_patient(hypervisor,
		   is_expected_to_go(hypervisor) ? connect_timeout_ms(hypervisor) : PATIENCE_LOST_MS);
}

static void hurry(const struct pm_hypervisor *hypervisor)
{
	if (hypervisor->connection && !hypervisor->up)
		hypervisor->machine->agent->stack_driver->hurry(hypervisor->connection);
}

void pm_stack_hurry(struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		hurry(&machine->hypervisors[i]);
}

/* What it runs on is seen off, or stopped, whatever it says itself. */
static bool is_away(const struct pm_hypervisor *hypervisor)
{
	const struct pm_vm *host = hypervisor->host;
	enum pm_vm_state state;

	if (!hypervisor->on)
		return hypervisor->machine->observed == PM_POWER_OFF;
	if (!host)
		return hypervisor->on->up;
	state = pm_vm_observed(host);
	return pm_vm_is_down(host) || state == PM_VM_PAUSED || state == PM_VM_SUSPENDED;
}

/* When that has gone it is asked whether it is still there; when it is back it may take its time, and is asked often. */
static void watch_ground(struct pm_hypervisor *hypervisor)
{
	bool away = is_away(hypervisor), was_away = hypervisor->away;

	hypervisor->away = away;
	if (away != was_away)
		hypervisor->away_loop_ms = now_ms(hypervisor->machine);
	if (away && !was_away && hypervisor->up)
		pm_stack_doubt(hypervisor);
	if (was_away && !away && !hypervisor->up) {
		be_patient(hypervisor, connect_timeout_ms(hypervisor));
		hurry(hypervisor);
	}
	if (pm_hypervisor_is_down(hypervisor))
		hypervisor->told_down = hypervisor->holds = false;
}

/* Whether it is told that it is silent, while it is; and that it answers, while it does. */
static bool is_told(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->up != hypervisor->told_down || pm_hypervisor_is_down(hypervisor);
}

static uint64_t left_ms(const struct pm_hypervisor *hypervisor)
{
	uint64_t now = now_ms(hypervisor->machine);
	uint64_t until =
	    hypervisor->up ? hypervisor->up_loop_ms + hypervisor->hold_ms : hypervisor->patience_loop_ms;

	return until > now ? until - now : 0;
}

static void set_timer(const struct pm_hypervisor *hypervisor)
{
	uint64_t delay_ms = left_ms(hypervisor);

	if (is_told(hypervisor) || !hypervisor->link)
		return;
	if (!hypervisor->up && delay_ms > HURRY_MS)
		delay_ms = HURRY_MS;
	pm_timer_start(hypervisor->link->timer, delay_ms);
}

/* Whether its VMs will say it: those that managers know of. */
static bool has_told_vms(const struct pm_hypervisor *hypervisor)
{
	const struct pm_machine *machine = hypervisor->machine;

	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == hypervisor && machine->vms[i]->told)
			return true;
	return false;
}

static void tell_silence(struct pm_hypervisor *hypervisor)
{
	bool relapse = hypervisor->told_up_loop_ms &&
		       now_ms(hypervisor->machine) - hypervisor->told_up_loop_ms < RELAPSE_MS;
	unsigned hold_ms = hypervisor->hold_ms ? hypervisor->hold_ms * 2 : HOLD_MIN_MS;

	hypervisor->hold_ms = !relapse ? 0 : hold_ms < HOLD_MAX_MS ? hold_ms : HOLD_MAX_MS;
	hypervisor->told_down = true;
	hypervisor->holds = false;
	if (!has_told_vms(hypervisor)) /* else they say it, those of which it was not told before a restart */
		tell_of_silence(hypervisor, NULL);
	if (!hypervisor->on)
		pm_state_hypervisor(hypervisor->machine, false, hypervisor->trouble);
}

static bool has_vms_to_return(const struct pm_hypervisor *hypervisor)
{
	const struct pm_machine *machine = hypervisor->machine;

	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == hypervisor && telling_of(machine->vms[i]) == TELL_SHARED)
			return true;
	return false;
}

static void tell_return(struct pm_hypervisor *hypervisor)
{
	hypervisor->told_down = false;
	hypervisor->told_up_loop_ms = now_ms(hypervisor->machine);
	if (!has_vms_to_return(hypervisor))
		tell_of_return(hypervisor, NULL);
}

void pm_stack_on_timer(void *data)
{
	struct pm_stack_link *link = data;
	struct pm_hypervisor *hypervisor = link->hypervisor;

	if (!is_told(hypervisor)) {
		if (left_ms(hypervisor) > 0)
			hurry(hypervisor);
		else if (hypervisor->up)
			tell_return(hypervisor);
		else
			tell_silence(hypervisor);
	}
	pm_stack_settle(hypervisor->machine, hypervisor);
}

/* --- after news ------------------------------------------------------------------------------- */

/* Jobs may ask for what they like meanwhile, but rows neither come nor go. */
static void pass_on(struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->vm_count; i++) {
		struct pm_vm *vm = machine->vms[i];

		if (vm->news) {
			vm->news = false;
			pm_job_vm_observed(vm);
		}
	}
	for (size_t i = 0; i < machine->hypervisor_count; i++) {
		struct pm_hypervisor *hypervisor = &machine->hypervisors[i];

		if (hypervisor->news) {
			hypervisor->news = false;
			pm_job_hypervisor_observed(hypervisor);
		}
	}
}

/* Those on it; and those whose VM is not there, which may be anywhere, with what stands on them. */
static bool may_look_different(const struct pm_hypervisor *hypervisor, const struct pm_hypervisor *changed)
{
	for (; hypervisor; hypervisor = pm_hypervisor_ground(hypervisor))
		if (hypervisor == changed || hypervisor->disturbed || (hypervisor->on && !hypervisor->host))
			return true;
	return false;
}

static void touch(struct pm_machine *machine, const struct pm_hypervisor *changed)
{
	/* on a machine that is said to be off they all depend on whether one of them answers */
	bool all = !changed || (!changed->on && machine->observed == PM_POWER_OFF);

	for (size_t i = 0; i < machine->hypervisor_count; i++)
		machine->hypervisors[i].touched =
		    all || may_look_different(&machine->hypervisors[i], changed);
}

void pm_stack_settle(struct pm_machine *machine, struct pm_hypervisor *changed)
{
	touch(machine, changed);
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (machine->hypervisors[i].touched)
			watch_ground(&machine->hypervisors[i]);
	for (size_t i = 0; i < machine->vm_count; i++)
		if (is_touched(machine->vms[i]))
			look(machine->vms[i]);
	tell(machine);
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (machine->hypervisors[i].touched)
			set_timer(&machine->hypervisors[i]);
	pass_on(machine);
}

void pm_stack_machine_changed(struct pm_machine *machine)
{
	if (machine->observed == PM_POWER_ON)
		pm_stack_hurry(machine);
	pm_stack_settle(machine, NULL);
}

/* Thousands of VMs may change one after the other: only what one carries is looked at with it. */
void pm_vm_settle(struct pm_vm *vm)
{
	look(vm);
	if (!vm->hypervisor->up || telling_of(vm) == TELL_SHARED) {
		pm_stack_settle(vm->machine, vm->hypervisor);
		return;
	}
	note_first_sight(vm);
	if (telling_of(vm))
		tell_own(vm);
	vm->news = false;
	pm_job_vm_observed(vm);
	if (vm->carries)
		pm_stack_settle(vm->machine, vm->carries);
}
