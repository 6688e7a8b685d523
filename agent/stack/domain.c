/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libvirt's states and events say of a VM. Pure functions. */
#include "agent/stack/internal.h"

#include <stdlib.h>
#include <string.h>

/* --- states ------------------------------------------------------------------------------------ */

static enum pm_vm_state paused_state(int reason)
{
	switch (reason) {
	case VIR_DOMAIN_PAUSED_MIGRATION:
	case VIR_DOMAIN_PAUSED_POSTCOPY:
	case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
		return PM_VM_MIGRATING;
	case VIR_DOMAIN_PAUSED_SAVE:
		return PM_VM_SUSPENDING;
	case VIR_DOMAIN_PAUSED_STARTING_UP:
		return PM_VM_PREPARING;
	case VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
		return PM_VM_SHUTTING_DOWN;
	case VIR_DOMAIN_PAUSED_CRASHED:
		return PM_VM_CRASHED;
	default:
		return PM_VM_PAUSED;
	}
}

static enum pm_vm_state off_state(const struct stack_vm *vm, int reason)
{
	if (vm->saved)
		return PM_VM_SUSPENDED;
	return reason == VIR_DOMAIN_SHUTOFF_CRASHED ? PM_VM_CRASHED : PM_VM_SHUTDOWN;
}

void stack_domain_state(struct stack_vm *vm, int state, int reason)
{
	vm->active = state != VIR_DOMAIN_SHUTOFF && state != VIR_DOMAIN_CRASHED;
	vm->killed = state == VIR_DOMAIN_SHUTOFF && reason == VIR_DOMAIN_SHUTOFF_DESTROYED;
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		vm->state = PM_VM_RUNNING;
		break;
	case VIR_DOMAIN_PAUSED:
		vm->state = paused_state(reason);
		break;
	case VIR_DOMAIN_SHUTDOWN:
		vm->state = PM_VM_SHUTTING_DOWN;
		break;
	case VIR_DOMAIN_SHUTOFF:
		vm->state = off_state(vm, reason);
		break;
	case VIR_DOMAIN_CRASHED:
		vm->state = PM_VM_CRASHED;
		break;
	case VIR_DOMAIN_PMSUSPENDED:
		vm->state = PM_VM_SUSPENDED;
		break;
	default: /* Xen says so of one that could run, but does not just now */
		vm->active = vm->id >= 0;
		vm->state = vm->active ? PM_VM_RUNNING : PM_VM_OTHER;
		break;
	}
	if (vm->state == PM_VM_CRASHED)
		vm->active = false;
}

/* --- events ------------------------------------------------------------------------------------ */

static enum stack_news become(struct stack_domain *domain, enum pm_vm_state state, bool active, int id)
{
	struct stack_vm *vm = &domain->vm;

	if (vm->state == state && vm->active == active && vm->id == id)
		return STACK_NEWS_NONE;
	vm->state = state;
	vm->active = active;
	vm->id = id;
	return STACK_NEWS_CHANGED;
}

static enum pm_vm_state started_state(int detail)
{
	switch (detail) {
	case VIR_DOMAIN_EVENT_STARTED_MIGRATED:
		return PM_VM_MIGRATING;
	case VIR_DOMAIN_EVENT_STARTED_RESTORED:
		return PM_VM_RESUMING;
	default:
		return PM_VM_RUNNING;
	}
}

static enum stack_news started(struct stack_domain *domain, int detail, int id)
{
	if (detail != VIR_DOMAIN_EVENT_STARTED_WAKEUP) {
		domain->detailed = false;
		domain->vm.saved = domain->vm.killed = false;
		domain->migrated = false;
	}
	return become(domain, started_state(detail), true, id);
}

static enum pm_vm_state stopped_state(int detail)
{
	switch (detail) {
	case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
	case VIR_DOMAIN_EVENT_STOPPED_FAILED: /* QEMU was killed; or it did not start, as a list will tell */
		return PM_VM_CRASHED;
	case VIR_DOMAIN_EVENT_STOPPED_SAVED:
		return PM_VM_SUSPENDED;
	default:
		return PM_VM_SHUTDOWN;
	}
}

static enum stack_news stopped(struct stack_domain *domain, int detail)
{
	enum stack_news news;

	domain->migrated = detail == VIR_DOMAIN_EVENT_STOPPED_MIGRATED;
	domain->vm.saved = detail == VIR_DOMAIN_EVENT_STOPPED_SAVED;
	domain->vm.killed = detail == VIR_DOMAIN_EVENT_STOPPED_DESTROYED;
	news = become(domain, stopped_state(detail), false, -1);
	if (domain->vm.persistent)
		return news;
	domain->gone = true;
	return domain->migrated ? STACK_NEWS_GONE : STACK_NEWS_ENDED;
}

/* One that is undefined while it runs goes with its life. */
static enum stack_news undefined(struct stack_domain *domain, int detail)
{
	if (detail == VIR_DOMAIN_EVENT_UNDEFINED_RENAMED)
		return STACK_NEWS_NONE;
	if (domain->vm.id >= 0) {
		domain->vm.persistent = false;
		return STACK_NEWS_CHANGED;
	}
	domain->gone = true;
	return STACK_NEWS_GONE;
}

static enum stack_news suspended(struct stack_domain *domain, int detail, int id)
{
	bool leaving = detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED;

#if LIBVIR_CHECK_VERSION(1, 3, 3)
	leaving = leaving || detail == VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY ||
		  detail == VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED;
#endif
	return become(domain, leaving ? PM_VM_MIGRATING : PM_VM_PAUSED, true, id);
}

static enum stack_news lifecycle(struct stack_domain *domain, int event, int detail, int id)
{
	switch (event) {
	case VIR_DOMAIN_EVENT_STARTED:
		return started(domain, detail, id);
	case VIR_DOMAIN_EVENT_SUSPENDED:
		return suspended(domain, detail, id);
	case VIR_DOMAIN_EVENT_RESUMED:
		return become(domain, PM_VM_RUNNING, true, id);
	case VIR_DOMAIN_EVENT_STOPPED:
		return stopped(domain, detail);
	case VIR_DOMAIN_EVENT_SHUTDOWN: /* the guest has; its hypervisor's process still cleans up */
		return become(domain, PM_VM_SHUTTING_DOWN, true, id);
	case VIR_DOMAIN_EVENT_PMSUSPENDED:
		return become(domain, PM_VM_SUSPENDED, true, id);
	case VIR_DOMAIN_EVENT_CRASHED:
		return become(domain, PM_VM_CRASHED, false, id);
	case VIR_DOMAIN_EVENT_UNDEFINED:
		return undefined(domain, detail);
	default: /* VIR_DOMAIN_EVENT_DEFINED: the list has what */
		domain->detailed = false;
		return STACK_NEWS_NONE;
	}
}

enum stack_news stack_domain_event(struct stack_domain *domain, int event, int detail, int id)
{
	domain->touched = true;
	return lifecycle(domain, event, detail, id);
}

bool stack_event_needs_list(const struct stack_domain *domain, int event, int detail)
{
	if (!domain || domain->gone)
		return event != VIR_DOMAIN_EVENT_UNDEFINED;
	switch (event) {
	case VIR_DOMAIN_EVENT_DEFINED:
	case VIR_DOMAIN_EVENT_UNDEFINED:
	case VIR_DOMAIN_EVENT_STARTED:
		return true;
	case VIR_DOMAIN_EVENT_STOPPED:
		return detail == VIR_DOMAIN_EVENT_STOPPED_SAVED ||
		       detail == VIR_DOMAIN_EVENT_STOPPED_FAILED ||
		       detail == VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT;
	default:
		return false;
	}
}

/* --- lists ------------------------------------------------------------------------------------- */

static int by_uuid(const void *a, const void *b)
{
	const struct stack_domain *first = a, *second = b;

	return strcmp(first->vm.uuid, second->vm.uuid);
}

void stack_domains_sort(struct stack_domain *domains, size_t count)
{
	if (count)
		qsort(domains, count, sizeof(*domains), by_uuid);
}

static int compare_key(const void *uuid, const void *domain)
{
	return strcmp(uuid, ((const struct stack_domain *)domain)->vm.uuid);
}

struct stack_domain *stack_domains_find(struct stack_domain *domains, size_t count, const char *uuid)
{
	return count ? bsearch(uuid, domains, count, sizeof(*domains), compare_key) : NULL;
}

/* QEMU gives the same state to one that arrives from a file as to one that arrives from another host. */
static void keep_resuming(struct stack_domain *fresh, const struct stack_domain *known)
{
	if (fresh->vm.state == PM_VM_MIGRATING && known->vm.state == PM_VM_RESUMING &&
	    fresh->vm.id == known->vm.id)
		fresh->vm.state = PM_VM_RESUMING;
}

/* A change of life may change cpus and memory. */
static void keep_details(struct stack_domain *fresh, const struct stack_domain *known)
{
	if (fresh->detailed || !known->detailed || fresh->vm.id != known->vm.id)
		return;
	fresh->vm.cpus = known->vm.cpus;
	fresh->vm.memory_kib = known->vm.memory_kib;
	fresh->detailed = true;
}

static void keep_state(struct stack_domain *fresh, const struct stack_domain *known)
{
	fresh->vm.state = known->vm.state;
	fresh->vm.active = known->vm.active;
	fresh->vm.killed = known->vm.killed;
	fresh->vm.saved = known->vm.saved;
	fresh->vm.persistent = known->vm.persistent;
	fresh->vm.id = known->vm.id;
	fresh->detailed = fresh->detailed && known->detailed;
}

size_t stack_domains_merge(const struct stack_domain *known, size_t known_count, struct stack_domain *fresh,
			   size_t fresh_count, bool *again)
{
	size_t left = 0, at = 0;

	for (size_t i = 0; i < fresh_count; i++) {
		while (at < known_count && strcmp(known[at].vm.uuid, fresh[i].vm.uuid) < 0)
			at++;
		if (at < known_count && strcmp(known[at].vm.uuid, fresh[i].vm.uuid) == 0) {
			fresh[i].migrated = known[at].migrated;
			fresh[i].rebooted_ms = known[at].rebooted_ms;
			*again = *again || known[at].touched;
			if (known[at].touched && known[at].gone)
				continue;
			if (known[at].touched)
				keep_state(&fresh[i], &known[at]);
			keep_resuming(&fresh[i], &known[at]);
			keep_details(&fresh[i], &known[at]);
		}
		if (left != i)
			fresh[left] = fresh[i];
		left++;
	}
	return left;
}
