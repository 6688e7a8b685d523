/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by the parts of the model of stacks: vm.c (what holds), vm_row.c (rows, and what the store has of them),
 * vm_news.c (what hypervisors tell), vm_tell.c (what managers are told of it), vm_stack.c (connections; the agent starts,
 * reloads and stops).
 */
#ifndef PM_VM_PRIVATE_H
#define PM_VM_PRIVATE_H

#include "agent/vm.h"

/* Stays where it is when a reload moves the hypervisors. */
struct pm_stack_link {
	struct pm_hypervisor *hypervisor;
	struct pm_timer *timer; /* pm_stack_on_timer() */
	struct stack_op *look;  /* under way: asks whether it is still there; NULL: nothing is asked */
};

/* --- vm_row.c --- */

/* The row for what the hypervisor calls by this UUID; NULL: it has none yet. vm says how it is there. */
struct pm_vm *pm_vm_claim(struct pm_hypervisor *hypervisor, const struct stack_vm *vm,
			  struct pm_vm *const *rows, size_t count);

/* The row of this hypervisor for the UUID; NULL: none. */
struct pm_vm *pm_vm_of(const struct pm_hypervisor *hypervisor, const char *uuid);

/*
 * Makes one that is new, with its persistent index; in the caller's transaction, or in its own, which is on the disk when
 * this returns. NULL: err says why.
 */
struct pm_vm *pm_vm_new(struct pm_hypervisor *hypervisor, const struct stack_vm *vm, struct pm_error *err);

/* What its hypervisor tells of it now. Whether another VM is where a hypervisor may run: pm_stack_link_hosts(). */
bool pm_vm_take(struct pm_vm *vm, struct pm_hypervisor *hypervisor, const struct stack_vm *told);

/* The row goes, after jobs were told. */
void pm_vm_remove(struct pm_vm *vm, const char *why);

/*
 * It is no longer on its hypervisor; migrated: so that says. When it has come to another one of the machine, the row is that
 * one's now, and true is returned; else the row has to go.
 */
bool pm_vm_move(struct pm_vm *vm, bool migrated);

/* Two VMs of one UUID that run for long are two. */
void pm_vm_note_twin(struct pm_vm *vm);

/* Something of it is to be stored. */
void pm_vm_changed(struct pm_vm *vm);

/* Which hypervisor runs in which VM, after rows came or went. */
void pm_stack_link_hosts(struct pm_machine *machine);

void pm_vm_free(struct pm_vm *vm);

/* --- vm_tell.c --- */

/*
 * After something about this hypervisor, or what stands on it, has changed: counts, tells, and passes it on to jobs. NULL:
 * about all of the machine.
 */
void pm_stack_settle(struct pm_machine *machine, struct pm_hypervisor *changed);

/* The same after news of one VM of a hypervisor that is up. */
void pm_vm_settle(struct pm_vm *vm);

/* A VM is no longer defined, or has moved away; event: that tells of it already, 0: none does. */
void pm_vm_tell_gone(struct pm_vm *vm, bool migrated, uint32_t event);

/* Those of its VMs that are not listed any more go: the event that says it when they are many; 0: they are few. */
uint32_t pm_stack_tell_unlisted(struct pm_hypervisor *hypervisor);

/* Whether it has gone from the list that was just read. */
bool pm_vm_is_unlisted(const struct pm_vm *vm);

/* A connection to it was begun; it was up and is not any more. */
void pm_stack_note_open(struct pm_hypervisor *hypervisor);
void pm_stack_note_lost(struct pm_hypervisor *hypervisor);

void pm_stack_on_timer(void *link);

/* --- vm_news.c --- */

void pm_stack_on_event(const struct stack_event *event, void *link);

/* What it runs on is seen down, but it has not said so: asks it whether it still answers. */
void pm_stack_doubt(struct pm_hypervisor *hypervisor);

/* It is not up, for this reason. */
void pm_stack_lost(struct pm_hypervisor *hypervisor, enum stack_result result, const char *why);

#endif
