/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of pmVmTable: which VM has which, how they come and go, and what the store has of them. */
#include "agent/event.h"
#include "agent/flush.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/settings.h"
#include "agent/text.h"
#include "agent/vm_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE     1024
#define HANDOVER_MS  60000  /* so long a VM may seem to run at both ends of its migration */
#define MIGRATION_MS 600000 /* and so long ago it may have come, when nobody has said that it migrated */

/* --- which row -------------------------------------------------------------------------------- */

static bool stands_on(const struct pm_hypervisor *hypervisor, const struct pm_vm *vm)
{
	for (; hypervisor; hypervisor = pm_hypervisor_ground(hypervisor))
		if (hypervisor->host == vm)
			return true;
	return false;
}

/*
 * It has just left the other one. Or while that does not answer, a VM that is alive here has moved here; one that is merely
 * defined here may be defined on both. None has moved into itself.
 */
static bool may_be_taken(const struct pm_hypervisor *hypervisor, const struct pm_vm *row,
			 const struct stack_vm *vm)
{
	if (stands_on(hypervisor, row))
		return false;
	return !row->hypervisor || row->leaving || (!row->hypervisor->up && vm->active);
}

struct pm_vm *pm_vm_claim(struct pm_hypervisor *hypervisor, const struct stack_vm *vm,
			  struct pm_vm *const *rows, size_t count)
{
	struct pm_vm *other = NULL;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i]->uuid, vm->uuid) != 0)
			continue;
		if (rows[i]->hypervisor == hypervisor)
			return rows[i];
		if (!other && may_be_taken(hypervisor, rows[i], vm))
			other = rows[i];
	}
	return other;
}

struct pm_vm *pm_vm_of(const struct pm_hypervisor *hypervisor, const char *uuid)
{
	const struct pm_machine *machine = hypervisor->machine;

	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i]->hypervisor == hypervisor && strcmp(machine->vms[i]->uuid, uuid) == 0)
			return machine->vms[i];
	return NULL;
}

/* --- rows come -------------------------------------------------------------------------------- */

void pm_vm_changed(struct pm_vm *vm)
{
	vm->dirty = true;
	pm_flush_machine(vm->machine);
}

static bool insert(struct pm_vm *vm)
{
	struct pm_machine *machine = vm->machine;
	struct pm_vm **rows;
	size_t at = machine->vm_count;

	/* powers of two */
	if ((machine->vm_count & (machine->vm_count - 1)) == 0) {
		size_t room = machine->vm_count ? machine->vm_count * 2 : 1;

		rows = realloc(machine->vms, room * sizeof(struct pm_vm *));
		if (!rows)
			return false;
		machine->vms = rows;
	}
	rows = machine->vms;
	for (; at > 0 && rows[at - 1]->index > vm->index; at--)
		rows[at] = rows[at - 1];
	rows[at] = vm;
	machine->vm_count++;
	machine->agent->vms++;
	machine->agent->vm_rows_changes++;
	return true;
}

static struct pm_vm *add(struct pm_machine *machine, uint32_t index, const char *key, const char *name,
			 const char *uuid)
{
	struct pm_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	*vm = (struct pm_vm){.machine = machine,
			     .index = index,
			     .key = strdup(key),
			     .name = strdup(name),
			     .observed = PM_VM_UNKNOWN,
			     .shown = PM_VM_UNKNOWN,
			     .id = -1,
			     .last_result = PM_RESULT_NONE};
	snprintf(vm->uuid, sizeof(vm->uuid), "%s", uuid);
	if (!vm->key || !vm->name || !insert(vm)) {
		pm_vm_free(vm);
		return NULL;
	}
	return vm;
}

static bool has_key(const struct pm_machine *machine, const char *uuid, const char *key)
{
	for (size_t i = 0; i < machine->vm_count; i++)
		if (strcmp(machine->vms[i]->uuid, uuid) == 0 && strcmp(machine->vms[i]->key, key) == 0)
			return true;
	return false;
}

/* Names come from the network, and go into logs and the MIB. */
static void copy_name(char *name, const struct stack_vm *vm)
{
	snprintf(name, STACK_NAME_SIZE, "%s", vm->name);
	pm_text_trim(name);
	pm_text_make_visible(name);
}

struct pm_vm *pm_vm_new(struct pm_hypervisor *hypervisor, const struct stack_vm *told, struct pm_error *err)
{
	struct pm_machine *machine = hypervisor->machine;
	char key[KEY_SIZE], name[STACK_NAME_SIZE];
	uint32_t index;
	struct pm_vm *vm;

	snprintf(key, sizeof(key), "%s", told->uuid);
	if (has_key(machine, told->uuid, key))
		snprintf(key, sizeof(key), "%s %s", told->uuid, hypervisor->config->uri);
	if (has_key(machine, told->uuid, key)) {
		pm_error_set(err, "%s tells of UUID %s twice", hypervisor->config->shown, told->uuid);
		return NULL;
	}
	if (pm_store_vm_index(machine->agent->store, machine->index, key, &index, err) < 0)
		return NULL;
	copy_name(name, told);
	vm = add(machine, index, key, name, told->uuid);
	if (!vm) {
		pm_error_set(err, "no memory for VM %s", name);
		return NULL;
	}
	vm->last_change_ms = pm_time_ms();
	vm->is_new = true;
	pm_settings_load_vm(vm);
	return vm;
}

/* --- what is told of one ---------------------------------------------------------------------- */

/* Nothing says which VM it is at the next start. */
static void tell_renamed(const struct pm_vm *vm, const char *name)
{
	pm_event_add(
	    vm->machine, PM_EVENT_CONFIGURATION, PM_SEVERITY_WARNING,
	    "VM %.60s, in which hypervisor %.60s runs, is called %.60s now: the configuration does not "
	    "know it",
	    vm->name, vm->carries->config->shown, name);
}

static bool rename_to(struct pm_vm *vm, const struct stack_vm *told)
{
	char name[STACK_NAME_SIZE], *copy;

	copy_name(name, told);
	if (strcmp(vm->name, name) == 0 || !(copy = strdup(name)))
		return false;
	if (vm->carries && strcmp(vm->carries->config->guest, vm->name) == 0)
		tell_renamed(vm, name);
	free(vm->name);
	vm->name = copy;
	vm->dirty = true;
	return true;
}

/* A saved image is what the VM is, while it is off. */
static enum pm_vm_state state_of(const struct stack_vm *vm)
{
	return vm->state == PM_VM_SHUTDOWN && vm->saved && !vm->active ? PM_VM_SUSPENDED : vm->state;
}

static bool is_as_told(const struct pm_vm *vm, const struct stack_vm *told)
{
	return vm->observed == state_of(told) && vm->active == told->active && vm->saved == told->saved &&
	       vm->persistent == told->persistent && vm->autostart == told->autostart &&
	       vm->cpus == told->cpus && vm->memory_kib == told->memory_kib;
}

static void stop_leaving(struct pm_vm *vm)
{
	pm_timer_free(vm->leaving);
	vm->leaving = NULL;
}

bool pm_vm_take(struct pm_vm *vm, struct pm_hypervisor *hypervisor, const struct stack_vm *told)
{
	bool elsewhere = vm->hypervisor != hypervisor, renamed = rename_to(vm, told);

	vm->dirty |= elsewhere || !is_as_told(vm, told);
	vm->hypervisor = hypervisor;
	stop_leaving(vm);
	vm->known = vm->listed = vm->news = true;
	vm->observed = state_of(told);
	vm->active = told->active;
	vm->saved = told->saved;
	vm->killed = told->killed;
	vm->persistent = told->persistent;
	vm->autostart = told->autostart;
	vm->cpus = told->cpus;
	vm->memory_kib = told->memory_kib;
	vm->id = told->id;
	vm->changed_loop_ms = uv_now(vm->machine->agent->loop);
	if (vm->dirty)
		pm_flush_machine(vm->machine);
	return elsewhere || renamed;
}

/* --- rows go ---------------------------------------------------------------------------------- */

void pm_vm_free(struct pm_vm *vm)
{
	pm_timer_free(vm->leaving);
	free(vm->key);
	free(vm->name);
	free(vm);
}

/* Without memory the store keeps it, and the first list after the next start takes it away. */
static void note_gone(struct pm_machine *machine, uint32_t index)
{
	uint32_t *more = realloc(machine->vms_gone, (machine->vms_gone_count + 1) * sizeof(*more));

	if (!more)
		return;
	machine->vms_gone = more;
	machine->vms_gone[machine->vms_gone_count++] = index;
	pm_flush_machine(machine);
}

static void take_out(struct pm_vm *vm)
{
	struct pm_machine *machine = vm->machine;
	size_t at = 0;

	while (machine->vms[at] != vm)
		at++;
	memmove(&machine->vms[at], &machine->vms[at + 1],
		(machine->vm_count - at - 1) * sizeof(struct pm_vm *));
	machine->vm_count--;
	machine->vms_running -= vm->counted;
	machine->agent->vms--;
	machine->agent->vms_running -= vm->counted;
	machine->agent->vm_rows_changes++;
}

void pm_vm_remove(struct pm_vm *vm, const char *why)
{
	struct pm_machine *machine = vm->machine;
	uint32_t index = vm->index;

	vm->observed = PM_VM_SHUTDOWN; /* for those who look while they are told */
	vm->active = false;
	pm_job_vm_gone(machine, index, why);
	if (vm->carries)
		vm->carries->host = NULL;
	take_out(vm);
	note_gone(machine, index);
	pm_vm_free(vm);
}

/* What it is on the other hypervisor; what is its own stays: index, wish, what managers were told. */
static void become(struct pm_vm *vm, const struct pm_vm *other)
{
	vm->hypervisor = other->hypervisor;
	if (vm->hypervisor)
		vm->hypervisor->disturbed = true;
	vm->known = other->known;
	vm->active = other->active;
	vm->saved = other->saved;
	vm->killed = other->killed;
	vm->persistent = other->persistent;
	vm->autostart = other->autostart;
	vm->observed = other->observed;
	vm->cpus = other->cpus;
	vm->memory_kib = other->memory_kib;
	vm->id = other->id;
	vm->listed = other->listed;
	vm->news = true;
	vm->changed_loop_ms = uv_now(vm->machine->agent->loop);
	pm_vm_changed(vm);
}

static struct pm_vm *other_of(const struct pm_vm *vm)
{
	const struct pm_machine *machine = vm->machine;

	for (size_t i = 0; i < machine->vm_count; i++)
		if (machine->vms[i] != vm && strcmp(machine->vms[i]->uuid, vm->uuid) == 0)
			return machine->vms[i];
	return NULL;
}

void pm_vm_note_twin(struct pm_vm *vm)
{
	const struct pm_vm *other;
	bool runs = vm->observed == PM_VM_RUNNING;

	if (vm->twin || !runs || strcmp(vm->key, vm->uuid) == 0) /* that of the one that was there first */
		return;
	other = other_of(vm);
	vm->twin = other && other->hypervisor && other->hypervisor->up && other->observed == PM_VM_RUNNING &&
		   uv_now(vm->machine->agent->loop) - vm->came_loop_ms > HANDOVER_MS;
}

/* Whether the other row is the same VM, that has come where it is while this one was on its way. */
static bool is_arrival(const struct pm_vm *other, bool migrated)
{
	uint64_t age_ms = uv_now(other->machine->agent->loop) - other->came_loop_ms;

	return !other->twin && (migrated || (other->came_loop_ms && age_ms < MIGRATION_MS));
}

/* The row that was there first stays. */
bool pm_vm_move(struct pm_vm *vm, bool migrated)
{
	struct pm_vm *other = other_of(vm);
	char why[64];

	if (!other || strcmp(vm->key, vm->uuid) != 0 || !is_arrival(other, migrated))
		return false;
	become(vm, other);
	snprintf(why, sizeof(why), "it is VM %u now", vm->index);
	pm_vm_remove(other, why);
	return true;
}

/* --- VMs that are hypervisors ----------------------------------------------------------------- */

/* on NULL: on any. */
static struct pm_vm *find_host(const struct pm_hypervisor *hypervisor, const struct pm_hypervisor *on)
{
	const struct pm_machine *machine = hypervisor->machine;

	for (size_t i = 0; i < machine->vm_count; i++)
		if ((!on || machine->vms[i]->hypervisor == on) &&
		    strcmp(machine->vms[i]->name, hypervisor->config->guest) == 0)
			return machine->vms[i];
	return NULL;
}

static void set_host(struct pm_hypervisor *hypervisor, struct pm_vm *host)
{
	hypervisor->host = host;
	hypervisor->had_host |= host != NULL;
	if (host)
		host->carries = hypervisor;
}

static bool makes_a_circle(const struct pm_hypervisor *hypervisor, const struct pm_vm *host)
{
	for (const struct pm_hypervisor *h = host->hypervisor; h; h = pm_hypervisor_ground(h))
		if (h == hypervisor)
			return true;
	return false;
}

/* Its VM has moved to another hypervisor of the machine than the configuration says; maybe before the start. */
static void follow_host(struct pm_hypervisor *hypervisor, struct pm_vm *before)
{
	struct pm_vm *host = before || hypervisor->had_host ? before : find_host(hypervisor, NULL);

	if (host && !host->carries && !makes_a_circle(hypervisor, host))
		set_host(hypervisor, host);
}

void pm_stack_link_hosts(struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->vm_count; i++)
		machine->vms[i]->carries = NULL;
	for (size_t i = 0; i < machine->hypervisor_count; i++) {
		struct pm_hypervisor *hypervisor = &machine->hypervisors[i];

		hypervisor->moved = hypervisor->host;
		if (hypervisor->on)
			set_host(hypervisor, find_host(hypervisor, hypervisor->on));
	}
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (machine->hypervisors[i].on && !machine->hypervisors[i].host)
			follow_host(&machine->hypervisors[i], machine->hypervisors[i].moved);
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		machine->hypervisors[i].disturbed |=
		    machine->hypervisors[i].host != machine->hypervisors[i].moved;
}

/* --- the store -------------------------------------------------------------------------------- */

static size_t home_of(const struct pm_machine_config *config, const char *uri)
{
	for (size_t i = 0; i < config->hypervisor_count; i++)
		if (strcmp(config->hypervisors[i].uri, uri) == 0)
			return i + 1;
	return 0;
}

static void restore(const struct pm_stored_vm *stored, void *data)
{
	struct pm_machine *machine = pm_agent_machine(data, stored->machine);
	struct pm_vm *vm;

	if (!machine || machine->vms_loaded)
		return;
	vm = add(machine, stored->index, stored->key, stored->name, stored->uuid);
	if (!vm) {
		pm_log(LOG_ERR, "no memory for VM %s of before", stored->name);
		return;
	}
	vm->home = home_of(machine->config, stored->hypervisor);
	vm->active = stored->active;
	vm->saved = stored->saved;
	vm->persistent = stored->persistent;
	vm->autostart = stored->autostart;
	vm->observed = stored->observed;
	vm->told = stored->told;
	vm->before = stored->told == PM_VM_UNKNOWN ? stored->observed : stored->told;
	vm->cpus = stored->cpus;
	vm->memory_kib = stored->memory_kib;
	vm->last_change_ms = stored->last_change_ms;
	vm->last_result = stored->last_result;
	pm_text_format(vm->last_result_text, sizeof(vm->last_result_text), "%s", stored->last_result_text);
}

int pm_stack_restore(struct pm_agent *agent, struct pm_error *err)
{
	int error = pm_store_vms_load(agent->store, 0, restore, agent, err);

	for (size_t i = 0; i < agent->machine_count; i++)
		agent->machines[i]->vms_loaded = true;
	return error;
}

static int store_one(const struct pm_vm *vm, struct pm_error *err)
{
	return pm_store_vm_put(vm->machine->agent->store,
			       &(struct pm_stored_vm){.machine = vm->machine->index,
						      .index = vm->index,
						      .name = vm->name,
						      .uuid = vm->uuid,
						      .hypervisor = vm->hypervisor->config->uri,
						      .active = vm->active,
						      .saved = vm->saved,
						      .persistent = vm->persistent,
						      .autostart = vm->autostart,
						      .observed = vm->observed,
						      .told = vm->told,
						      .cpus = vm->cpus,
						      .memory_kib = vm->memory_kib,
						      .last_change_ms = vm->last_change_ms,
						      .last_result = vm->last_result,
						      .last_result_text = vm->last_result_text},
			       err);
}

int pm_stack_store(struct pm_machine *machine, struct pm_error *err)
{
	int error = 0;

	for (size_t i = 0; i < machine->vms_gone_count && !error; i++)
		error = pm_store_vm_put(machine->agent->store,
					&(struct pm_stored_vm){.machine = machine->index,
							       .index = machine->vms_gone[i],
							       .gone = true},
					err);
	for (size_t i = 0; i < machine->vm_count && !error; i++)
		if (machine->vms[i]->dirty && machine->vms[i]->hypervisor)
			error = store_one(machine->vms[i], err);
	return error;
}

void pm_stack_stored(struct pm_machine *machine)
{
	free(machine->vms_gone);
	machine->vms_gone = NULL;
	machine->vms_gone_count = 0;
	for (size_t i = 0; i < machine->vm_count; i++)
		machine->vms[i]->dirty = false;
}

/* --- what jobs say ---------------------------------------------------------------------------- */

void pm_vm_result(struct pm_vm *vm, enum pm_result result, const char *text)
{
	vm->last_result = result;
	pm_text_format(vm->last_result_text, sizeof(vm->last_result_text), "%s", text);
	pm_vm_changed(vm);
}
