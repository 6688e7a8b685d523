/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What hypervisors tell becomes rows and states. */
#include "agent/event.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/state.h"
#include "agent/text.h"
#include "agent/vm_private.h"

#include <stdlib.h>
#include <string.h>

#define MOVE_MS         3000 /* from leaving one hypervisor until another one tells of it */
#define LOOK_TIMEOUT_MS 3000 /* one that is there answers sooner; the driver's keepalive takes longer */

static struct pm_agent *agent_of(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->machine->agent;
}

static uint64_t now_ms(const struct pm_hypervisor *hypervisor)
{
	return uv_now(agent_of(hypervisor)->loop);
}

/* Those that run on the machine itself are a source of its state. */
static void tell_machine(const struct pm_hypervisor *hypervisor, bool heard)
{
	if (!hypervisor->on)
		pm_state_hypervisor(hypervisor->machine, heard, hypervisor->trouble);
}

/* --- it does not answer ----------------------------------------------------------------------- */

/* What is stopped with its VMs, while they are known, keeps them as they are. */
static bool is_frozen(const struct pm_hypervisor *hypervisor)
{
	enum pm_vm_state state = hypervisor->host ? pm_vm_observed(hypervisor->host) : PM_VM_UNKNOWN;

	return state == PM_VM_PAUSED || state == PM_VM_SUSPENDED || state == PM_VM_SUSPENDING;
}

static void note_trouble(struct pm_hypervisor *hypervisor, enum stack_result result, const char *why)
{
	hypervisor->result = result;
	hypervisor->news = true;
	pm_text_format(hypervisor->trouble, sizeof(hypervisor->trouble), "%s", why ? why : "");
	pm_text_make_visible(hypervisor->trouble);
}

void pm_stack_lost(struct pm_hypervisor *hypervisor, enum stack_result result, const char *why)
{
	bool was_up = hypervisor->up;

	note_trouble(hypervisor, result, why);
	if (was_up) {
		hypervisor->frozen = is_frozen(hypervisor);
		hypervisor->up = false;
		hypervisor->down_loop_ms = now_ms(hypervisor);
		pm_stack_note_lost(hypervisor);
		pm_log(LOG_DEBUG, "%s: hypervisor %s: %s", hypervisor->machine->config->name,
		       hypervisor->config->shown, hypervisor->trouble);
	}
	pm_stack_settle(hypervisor->machine, hypervisor);
	if (was_up)
		tell_machine(hypervisor, false);
}

static void on_looked(const struct stack_reply *reply, void *data)
{
	struct pm_stack_link *link = data;
	struct pm_hypervisor *hypervisor = link->hypervisor;

	link->look = NULL;
	if (reply->result != STACK_TIMEOUT && reply->result != STACK_UNREACHABLE)
		return;
	if (hypervisor->up && hypervisor->away)
		pm_stack_lost(hypervisor, reply->result, "what it runs on is down, and it does not answer");
}

void pm_stack_doubt(struct pm_hypervisor *hypervisor)
{
	struct pm_stack_link *link = hypervisor->link;
	const struct stack_request request = {
	    .command = STACK_LOOK, .deadline_ms = LOOK_TIMEOUT_MS, .done = on_looked, .data = link};

	if (link && !link->look && hypervisor->connection)
		link->look = agent_of(hypervisor)->stack_driver->submit(hypervisor->connection, &request);
}

/* --- the list --------------------------------------------------------------------------------- */

static int by_uuid(const void *a, const void *b)
{
	return strcmp((*(struct pm_vm *const *)a)->uuid, (*(struct pm_vm *const *)b)->uuid);
}

/* The machine's rows by UUID, as they were before the list. */
struct index {
	struct pm_vm **rows;
	size_t count;
};

static bool make_index(const struct pm_machine *machine, struct index *index)
{
	index->count = machine->vm_count;
	index->rows = calloc(index->count + 1, sizeof(struct pm_vm *));
	if (!index->rows)
		return false;
	if (index->count)
		memcpy(index->rows, machine->vms, index->count * sizeof(struct pm_vm *));
	qsort(index->rows, index->count, sizeof(struct pm_vm *), by_uuid);
	return true;
}

/* The first that is not before it. */
static size_t find(const struct index *index, const char *uuid)
{
	size_t low = 0, high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(index->rows[middle]->uuid, uuid) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct pm_vm *row_of(struct pm_hypervisor *hypervisor, const struct stack_vm *told,
			    const struct index *index)
{
	size_t first = find(index, told->uuid), count = 0;

	while (first + count < index->count && strcmp(index->rows[first + count]->uuid, told->uuid) == 0)
		count++;
	return pm_vm_claim(hypervisor, told, &index->rows[first], count);
}

struct list {
	struct pm_hypervisor *hypervisor;
	const struct stack_event *event;
	struct index index;
	bool first;      /* none was told before */
	bool in_store;   /* a transaction is open */
	bool incomplete; /* some have no row */
	struct pm_error err;
};

/* All new ones in one transaction: an index that was seen is never given to another, so it is on the disk first. */
static struct pm_vm *add_row(struct list *list, const struct stack_vm *told)
{
	struct pm_store *store = agent_of(list->hypervisor)->store;

	if (!list->in_store && pm_store_begin(store, &list->err) < 0)
		return NULL;
	list->in_store = true;
	return pm_vm_new(list->hypervisor, told, &list->err);
}

/* What comes to a hypervisor that was listed before is told. */
static void note_fresh(struct pm_vm *vm)
{
	vm->fresh = true;
	vm->told = PM_VM_UNKNOWN;
	vm->came_loop_ms = uv_now(vm->machine->agent->loop);
}

static void take_one(struct list *list, const struct stack_vm *told)
{
	struct pm_vm *vm = row_of(list->hypervisor, told, &list->index);
	bool is_new = !vm;

	if (!vm)
		vm = add_row(list, told);
	if (!vm) {
		list->incomplete = true;
		return;
	}
	if (is_new && !list->first)
		note_fresh(vm);
	pm_vm_take(vm, list->hypervisor, told);
	pm_vm_note_twin(vm);
}

bool pm_vm_is_unlisted(const struct pm_vm *vm)
{
	return !vm->listed && !vm->leaving;
}

static struct pm_vm *unlisted(const struct pm_hypervisor *hypervisor)
{
	const struct pm_machine *machine = hypervisor->machine;

	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == hypervisor && pm_vm_is_unlisted(machine->vms[i]))
			return machine->vms[i];
	return NULL;
}

static void take_away(struct pm_vm *vm, bool migrated, uint32_t event)
{
	struct pm_machine *machine = vm->machine;
	bool carried = vm->carries != NULL;

	pm_vm_tell_gone(vm, migrated, event);
	pm_vm_remove(vm, migrated ? "it has moved to another hypervisor" : "it is no longer defined");
	if (carried)
		pm_stack_link_hosts(machine);
}

/* No other hypervisor of the machine has told of it. */
static void on_left(void *data)
{
	struct pm_vm *vm = data;
	struct pm_machine *machine = vm->machine;

	take_away(vm, true, 0);
	pm_stack_settle(machine, NULL);
}

/* What comes from two hypervisors may come in any order. */
static bool waits_for_another(struct pm_vm *vm)
{
	if (vm->machine->hypervisor_count < 2)
		return false;
	if (!vm->leaving)
		vm->leaving = pm_timer_new(vm->machine->agent->loop, on_left, vm);
	if (!vm->leaving)
		return false;
	pm_timer_start(vm->leaving, MOVE_MS);
	vm->observed = PM_VM_MIGRATING;
	vm->news = true;
	pm_vm_changed(vm);
	return true;
}

/* It is no longer defined here: it has moved, or is gone. */
static void let_go(struct pm_vm *vm, bool migrated, uint32_t event)
{
	if (pm_vm_move(vm, migrated))
		pm_stack_link_hosts(vm->machine);
	else if (!migrated || !waits_for_another(vm))
		take_away(vm, migrated, event);
}

static void begin_list(struct list *list)
{
	struct pm_machine *machine = list->hypervisor->machine;

	list->first = list->hypervisor->listed_loop_ms == 0;
	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == list->hypervisor)
			machine->vms[i]->listed = false;
	list->incomplete = !make_index(machine, &list->index);
	if (list->incomplete)
		pm_error_set(&list->err, "no memory");
}

/* Rows whose index the store has not taken do not stay. */
static void end_transaction(struct list *list)
{
	struct pm_machine *machine = list->hypervisor->machine;
	bool good = !list->in_store || pm_store_commit(machine->agent->store, &list->err) == 0;

	list->incomplete |= !good;
	for (size_t i = machine->vm_count; i-- > 0;) {
		struct pm_vm *vm = machine->vms[i];

		if (vm->is_new && !good)
			pm_vm_remove(vm, "its index can not be stored");
		else
			vm->is_new = false;
	}
}

static void note_up(struct pm_hypervisor *hypervisor, size_t count)
{
	hypervisor->listed_loop_ms = now_ms(hypervisor);
	note_trouble(hypervisor, STACK_OK, "");
	hypervisor->holds = true;
	if (hypervisor->up)
		return;
	hypervisor->up = true;
	hypervisor->frozen = false;
	hypervisor->up_loop_ms = now_ms(hypervisor);
	pm_log(LOG_INFO, "%s: hypervisor %s answers: %zu VMs", hypervisor->machine->config->name,
	       hypervisor->config->shown, count);
}

/* The BMC says off, and has been asked after the hypervisor had come up. */
static bool bmc_contradicts(const struct pm_hypervisor *hypervisor)
{
	const struct pm_machine *machine = hypervisor->machine;

	return !hypervisor->on && machine->observed == PM_POWER_OFF && machine->source == PM_SOURCE_BMC &&
	       machine->observed_loop_ms >= hypervisor->up_loop_ms + LOOK_TIMEOUT_MS;
}

static unsigned count_running(const struct pm_hypervisor *hypervisor)
{
	const struct pm_machine *machine = hypervisor->machine;
	unsigned running = 0;

	for (size_t i = 0; i < machine->vm_count; i++)
		running += machine->vms[i]->hypervisor == hypervisor && pm_vm_is_up(machine->vms[i]);
	return running;
}

static void tell_contradiction(const struct pm_hypervisor *hypervisor, unsigned running)
{
	const char *shown = hypervisor->config->shown, *guest = hypervisor->config->guest;
	struct pm_machine *machine = hypervisor->machine;

	if (!hypervisor->on)
		pm_event_add(
		    machine, PM_EVENT_CONFIGURATION, PM_SEVERITY_WARNING,
		    "the BMC says off, but hypervisor %.80s answers and %u VM%s: is it the BMC of this "
		    "machine?",
		    shown, running, running == 1 ? " runs" : "s run");
	else if (!hypervisor->host)
		pm_event_add(machine, PM_EVENT_CONFIGURATION, PM_SEVERITY_WARNING,
			     "hypervisor %.70s answers, but %.70s has no VM %.60s, in which it should run",
			     shown, hypervisor->on->config->shown, guest);
	else
		pm_event_add(machine, PM_EVENT_CONFIGURATION, PM_SEVERITY_WARNING,
			     "hypervisor %.80s answers, but VM %.60s, in which it should run, is %s", shown,
			     guest, pm_vm_state_name(pm_vm_observed(hypervisor->host)));
}

/*
 * What it runs on has been off for a while, and here it is: one of the two is not what it is said to be. Of a BMC that
 * matters when VMs run.
 */
static void check_contradiction(struct pm_hypervisor *hypervisor)
{
	bool lasts = hypervisor->up && hypervisor->away &&
		     now_ms(hypervisor) >= hypervisor->away_loop_ms + LOOK_TIMEOUT_MS;
	unsigned running = lasts ? count_running(hypervisor) : 0;

	if (!lasts || !(pm_hypervisor_is_astray(hypervisor) || (bmc_contradicts(hypervisor) && running))) {
		hypervisor->contradicted &= hypervisor->away;
		return;
	}
	if (!hypervisor->contradicted)
		tell_contradiction(hypervisor, running);
	hypervisor->contradicted = true;
}

static void on_list(struct pm_hypervisor *hypervisor, const struct stack_event *event)
{
	struct list list = {.hypervisor = hypervisor, .err = {""}};
	struct pm_machine *machine = hypervisor->machine;
	struct pm_vm *vm;
	uint32_t gone;

	begin_list(&list);
	for (size_t i = 0; i < event->count && list.index.rows; i++)
		take_one(&list, &event->vms[i]);
	end_transaction(&list);
	free(list.index.rows);
	if (!list.index.rows) {
		pm_stack_lost(hypervisor, STACK_NO_MEMORY, list.err.text);
		return;
	}
	if (!list.incomplete)
		note_up(hypervisor, event->count);
	pm_stack_link_hosts(machine);
	gone = pm_stack_tell_unlisted(hypervisor);
	while ((vm = unlisted(hypervisor)))
		let_go(vm, false, gone);
	if (list.incomplete) {
		pm_log(LOG_ERR, "%s: VMs of %s have no rows: %s", machine->config->name,
		       hypervisor->config->shown, list.err.text);
		pm_stack_lost(hypervisor, STACK_NO_MEMORY, list.err.text);
		return;
	}
	pm_stack_settle(machine, hypervisor);
	check_contradiction(hypervisor);
	tell_machine(hypervisor, true);
}

/* --- one VM ----------------------------------------------------------------------------------- */

/* After a doubt, or before its list: it is no longer silent. */
static void ask_for_list(struct pm_hypervisor *hypervisor)
{
	if (!hypervisor->up)
		pm_stack_doubt(hypervisor);
}

static void on_vm(struct pm_hypervisor *hypervisor, const struct stack_vm *told)
{
	struct pm_machine *machine = hypervisor->machine;
	struct pm_vm *vm = pm_vm_claim(hypervisor, told, machine->vms, machine->vm_count);
	struct pm_error err = {""};
	bool is_new = !vm;

	if (is_new)
		vm = pm_vm_new(hypervisor, told, &err);
	if (!vm) {
		pm_log(LOG_ERR, "%s: a VM of %s has no row: %s", machine->config->name,
		       hypervisor->config->shown, err.text);
		pm_stack_lost(hypervisor, STACK_NO_MEMORY, err.text);
		return;
	}
	vm->is_new = false;
	if (is_new && hypervisor->listed_loop_ms)
		note_fresh(vm);
	if (pm_vm_take(vm, hypervisor, told))
		pm_stack_link_hosts(machine);
	ask_for_list(hypervisor);
	pm_vm_settle(vm);
	tell_machine(hypervisor, hypervisor->up);
}

static void on_gone(struct pm_hypervisor *hypervisor, const struct stack_event *event)
{
	struct pm_vm *vm = pm_vm_of(hypervisor, event->uuid);

	if (!vm)
		return;
	let_go(vm, event->migrated, 0);
	pm_stack_settle(hypervisor->machine, hypervisor);
}

static void on_rebooted(struct pm_hypervisor *hypervisor, const char *uuid)
{
	struct pm_vm *vm = pm_vm_of(hypervisor, uuid);

	if (!vm)
		return;
	vm->reboots++;
	vm->changed_loop_ms = now_ms(hypervisor);
	pm_event_add(vm->machine, PM_EVENT_VM_STATE, PM_SEVERITY_OK, "VM %.100s has rebooted (%.80s)",
		     vm->name, hypervisor->config->shown);
	pm_vm_settle(vm);
}

void pm_stack_on_event(const struct stack_event *event, void *data)
{
	struct pm_stack_link *link = data;
	struct pm_hypervisor *hypervisor = link->hypervisor;

	switch (event->type) {
	case STACK_UP: /* as its VMs are told next */
		break;
	case STACK_LIST:
		on_list(hypervisor, event);
		break;
	case STACK_VM:
		on_vm(hypervisor, event->vms);
		break;
	case STACK_VM_GONE:
		on_gone(hypervisor, event);
		break;
	case STACK_REBOOTED:
		on_rebooted(hypervisor, event->uuid);
		break;
	case STACK_DOWN:
		pm_stack_lost(hypervisor, event->result, event->text);
		break;
	}
}
