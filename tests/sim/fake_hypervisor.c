/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fake hypervisors themselves: what there is, and whether they answer. */
#include "tests/sim/fake_private.h"

#include <stdlib.h>
#include <string.h>

static struct fake_hv *first;
static unsigned vm_number;

uint64_t fake_now_ms(void)
{
	return uv_hrtime() / 1000000;
}

void *fake_allocate(size_t size)
{
	void *got = calloc(1, size);

	if (!got)
		abort();
	return got;
}

struct fake_hv *fake_hvs(void)
{
	return first;
}

/* --- the world -------------------------------------------------------------------------------- */

struct fake_hv *fake_hv_new(const char *uri, struct fake_vm *in)
{
	struct fake_hv *hv = fake_allocate(sizeof(*hv)), **last = &first;

	hv->uri = strdup(uri);
	if (!hv->uri)
		abort();
	hv->in = in;
	hv->retry_ms = 50;
	hv->keepalive_ms = 200;
	hv->on = true;
	while (*last)
		last = &(*last)->next;
	*last = hv;
	return hv;
}

static void name_vm(struct stack_vm *is, const char *name)
{
	snprintf(is->name, sizeof(is->name), "%s", name);
	snprintf(is->uuid, sizeof(is->uuid), "fa4e0000-0000-4000-8000-%012x", ++vm_number);
}

static void add(struct fake_hv *hv, struct fake_vm *vm)
{
	if (hv->vm_count == hv->vm_room) {
		hv->vm_room = hv->vm_room ? 2 * hv->vm_room : 8;
		hv->vms = realloc(hv->vms, hv->vm_room * sizeof(struct fake_vm *));
		if (!hv->vms)
			abort();
	}
	hv->vms[hv->vm_count++] = vm;
	vm->hv = hv;
}

void fake_hv_remove(struct fake_hv *hv, struct fake_vm *vm)
{
	size_t place = 0;

	while (hv->vms[place] != vm)
		place++;
	hv->vm_count--;
	memmove(&hv->vms[place], &hv->vms[place + 1], (hv->vm_count - place) * sizeof(struct fake_vm *));
}

struct fake_vm *fake_vm_new(struct fake_hv *hv, const char *name, enum pm_vm_state state)
{
	struct fake_vm *vm = fake_allocate(sizeof(*vm));

	name_vm(&vm->is, name);
	vm->is.persistent = true;
	vm->is.cpus = 1;
	vm->is.memory_kib = 8192;
	vm->is.id = -1;
	vm->is.state = PM_VM_SHUTDOWN;
	vm->crash_ms = FAKE_NEVER;
	add(hv, vm);
	fake_vm_attach(vm, fake_loop());
	fake_vm_becomes(vm, state);
	return vm;
}

struct fake_hv *fake_hv_find(const char *uri)
{
	struct fake_hv *hv = first;

	while (hv && strcmp(hv->uri, uri) != 0)
		hv = hv->next;
	return hv;
}

struct fake_vm *fake_vm_find(const char *name)
{
	for (struct fake_hv *hv = first; hv; hv = hv->next)
		for (size_t i = 0; i < hv->vm_count; i++)
			if (strcmp(hv->vms[i]->is.name, name) == 0)
				return hv->vms[i];
	return NULL;
}

unsigned fake_vm_carries(const struct fake_vm *vm)
{
	unsigned count = 0;

	for (struct fake_hv *hv = first; hv; hv = hv->next) {
		if (hv->in != vm)
			continue;
		for (size_t i = 0; i < hv->vm_count; i++)
			count += hv->vms[i]->is.active + fake_vm_carries(hv->vms[i]);
	}
	return count;
}

void fake_vm_migrate(struct fake_vm *vm, struct fake_hv *to)
{
	fake_tell_uuid(vm->hv, STACK_VM_GONE, vm->is.uuid, true);
	fake_log(FAKE_GONE, vm->hv, vm, 0, 0);
	fake_hv_remove(vm->hv, vm);
	vm->listed = false;
	add(to, vm);
	fake_vm_settle(vm);
	fake_log(FAKE_IS, to, vm, 0, 0);
	fake_tell_vm(vm);
}

static void free_hv(struct fake_hv *hv)
{
	for (size_t i = 0; i < hv->vm_count; i++)
		fake_vm_free(hv->vms[i]);
	free(hv->vms);
	free(hv->uri);
	free(hv);
}

void fake_world_free(void)
{
	if (fake_loop())
		abort();
	while (first) {
		struct fake_hv *hv = first;

		first = hv->next;
		free_hv(hv);
	}
	vm_number = 0;
	fake_log_free();
}

/* --- whether they answer ---------------------------------------------------------------------- */

static const char *why_not(const struct fake_hv *hv)
{
	if (!hv->on)
		return "No route to host";
	if (hv->in && !hv->in->is.active)
		return "No route to host (its VM is off)";
	if (fake_now_ms() < hv->ready_ms)
		return "Connection refused";
	return NULL;
}

bool fake_hv_answers(const struct fake_hv *hv, enum stack_result *result, const char **text)
{
	*text = why_not(hv);
	*result = STACK_UNREACHABLE;
	if (*text)
		return false;
	if (hv->silent || (hv->in && hv->in->frozen)) {
		*text = "no answer";
		*result = STACK_TIMEOUT;
		return false;
	}
	*text = hv->away_text;
	*result = hv->away_result;
	return fake_now_ms() >= hv->away_ms;
}

void fake_hv_wake(struct fake_hv *hv)
{
	if (hv->booted)
		return;
	hv->booted = true;
	for (size_t i = 0; i < hv->vm_count && hv->autostarts; i++)
		if (hv->vms[i]->is.autostart && !hv->vms[i]->is.active)
			fake_vm_start(hv->vms[i]);
}

void fake_hv_fall(struct fake_hv *hv)
{
	hv->booted = false;
	for (size_t i = hv->vm_count; i-- > 0;)
		fake_vm_kill(hv->vms[i]);
	fake_break(hv, STACK_UNREACHABLE, "the connection was closed by the other side");
}

void fake_hv_rise(struct fake_hv *hv)
{
	hv->ready_ms = fake_now_ms() + hv->boot_ms;
}

void fake_hv_power(struct fake_hv *hv, bool on)
{
	if (on == hv->on)
		return;
	hv->on = on;
	if (on)
		fake_hv_rise(hv);
	else
		fake_hv_fall(hv);
}

void fake_hv_lose(struct fake_hv *hv, enum stack_result result, const char *text, unsigned for_ms)
{
	hv->away_ms = for_ms == FAKE_NEVER ? UINT64_MAX : fake_now_ms() + for_ms;
	hv->away_result = result;
	snprintf(hv->away_text, sizeof(hv->away_text), "%s", text);
	for (size_t i = 0; i < hv->vm_count; i++)
		fake_call_free_all(hv->vms[i]);
	fake_break(hv, result, hv->away_text);
}

void fake_hv_silence(struct fake_hv *hv, bool silent)
{
	hv->silent = silent;
	fake_patience(hv);
	for (size_t i = 0; i < hv->vm_count && !silent; i++)
		fake_call_kick(hv->vms[i]);
}

/* --- faults ----------------------------------------------------------------------------------- */

static enum fake_fault take(struct fake_faults *faults, enum stack_command command)
{
	enum fake_fault fault = faults->fault;

	if (!fault || (faults->command && faults->command != command))
		return FAKE_NO_FAULT;
	if (faults->count && --faults->count == 0)
		faults->fault = FAKE_NO_FAULT;
	return fault;
}

enum fake_fault fake_fault_take(struct fake_vm *vm, struct fake_hv *hv, enum stack_command command)
{
	enum fake_fault fault = take(&vm->faults, command);

	return fault ? fault : take(&hv->faults, command);
}
