/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan in the making: steps in the order in which they were thought of, and what of the stack they concern. */
#ifndef PM_PLAN_PRIVATE_H
#define PM_PLAN_PRIVATE_H

#include "agent/plan.h"
#include "agent/vm.h"

#include <limits.h>

#define PM_NOWHERE UINT_MAX /* the place of a VM or a hypervisor that there is not */

/* Of machine->vms, by place. Steps by their numbers; 0: none. */
struct pm_draft_vm {
	unsigned hypervisor; /* its place */
	unsigned down;       /* ends its life, or stops it */
	unsigned resume;     /* before that */
	unsigned up;         /* afterwards it runs */

	/* of the steps that are there already: */
	unsigned pending; /* brings it down, and has not ended */
	unsigned tries;   /* have brought it down */
	unsigned resumes; /* resume it */
	bool named;       /* by any of them */
};

/* Of machine->hypervisors, by place. */
struct pm_draft_hypervisor {
	unsigned host; /* the place of the VM in which it runs; PM_NOWHERE: none */
	unsigned vms;  /* its VMs in order[] begin here, and end where those of the next one begin */
	bool ordered;  /* it has its place in parents_first[] */
	unsigned on;   /* the place of the one that its host is on; PM_NOWHERE: it is on the machine itself */
	bool astray;   /* nobody knows which VM of that one carries its VMs, and there are some that are up */
	bool strays;   /* there are such ones on it */
	unsigned barrier;   /* the step after which they are down */
	bool below;         /* stands on what goes down */
	bool later;         /* what is on it is not yet rebooted: nobody knows what it stands on */
	bool frozen;        /* in the memory of a VM that is stopped */
	unsigned ceiling;   /* the step that waits for its VMs */
	unsigned gate;      /* the step after which it answers, on the way down */
	unsigned reconnect; /* the step after which it answers again */

	/* of the steps that are there already: */
	unsigned pending; /* connects to it on the way down, and has not ended */
	unsigned tries;   /* have done so */
};

struct pm_draft_step {
	struct pm_step step;
	const char *target; /* NULL: the machine */
	const char *text;   /* NULL: what it waits for */
};

struct pm_draft {
	const struct pm_machine *machine;
	const struct pm_job_spec *spec;
	struct pm_error *err;
	int error;          /* the first one; its text is in err */
	unsigned vm_time_s; /* what a step of a VM gets that has no time of its own */

	struct pm_draft_vm *vms;
	struct pm_draft_hypervisor *hypervisors; /* and one behind the last, where order[] ends */
	unsigned *order;                         /* places of VMs, those of one hypervisor together */
	unsigned *parents_first; /* places of hypervisors, each behind the one that its host is on */

	const struct pm_step *old; /* steps that are there already, numbers 1 to old_count */
	unsigned old_count;
	unsigned number;     /* of them, the one before which more is to be done; 0: before the end */
	unsigned machine_up; /* of them, the one that brings the machine up again; 0: none */
	bool *behind;        /* of them, those that wait for that one, by number; NULL: nobody asked yet */
	bool only_new;       /* nothing more is done to VMs that they name */
	bool saves; /* suspend that switches the machine off: what is in the memory of VMs would be lost */
	struct pm_draft_step *steps; /* from number old_count + 1 on */
	unsigned count;
};

/* 0 or -ENOMEM; to be freed in either case. */
int pm_draft_begin(struct pm_draft *draft, const struct pm_machine *machine, const struct pm_job_spec *spec,
		   struct pm_error *err);
void pm_draft_free(struct pm_draft *draft);

/* Refuses: pm_draft_finish() will return this. Always returns 0, the number of no step. */
unsigned pm_draft_refuse(struct pm_draft *draft, int error);

/* Adds a step, and returns its number. There is room for what a stack can need. */
unsigned pm_draft_add(struct pm_draft *draft, const struct pm_draft_step *step);
struct pm_step *pm_draft_step(struct pm_draft *draft, unsigned number);

/* Puts the steps in their order, with levels and texts. Returns the draft's error, or -ENOMEM. */
int pm_draft_finish(struct pm_draft *draft, struct pm_plan *plan);

/* --- the machine: agent/plan.c ------------------------------------------------------------------ */

/* The step, or the first of those that switch it off or on; 0: refused. */
unsigned pm_draft_machine_off(struct pm_draft *draft);
unsigned pm_draft_machine_on(struct pm_draft *draft, bool by_bmc);
unsigned pm_draft_machine_up_again(struct pm_draft *draft, unsigned off);
unsigned pm_draft_machine_by_bmc(struct pm_draft *draft, enum pm_command action);

/* One step of the machine; likewise of what is sent at most once. */
unsigned pm_draft_machine_step(struct pm_draft *draft, enum pm_step_action action, enum pm_power_state goal,
			       unsigned timeout_s);
unsigned pm_draft_momentary(struct pm_draft *draft, enum pm_step_action action, enum pm_power_state goal,
			    unsigned timeout_s);

/*
 * Its off-methods, in their order; each is an alternative of the step `first`, or, with 0, of the first of them, whose number
 * is returned. gently: without the one that pulls the plug. 0: it has none.
 */
unsigned pm_draft_off_methods(struct pm_draft *draft, unsigned first, bool gently);

/* The refusal of what needs this NIC, or any, to have a MAC address. */
int pm_plan_no_nic(const struct pm_machine *machine, uint32_t nic, struct pm_error *err);

/* --- its operating system: agent/plan_host.c ---------------------------------------------------- */

/* Whether the machine itself goes down, restarts or sleeps. */
bool pm_spec_takes_machine_down(const struct pm_job_spec *spec);

/* Whether its NICs can be armed, if that is asked for: 0, or -EINVAL. */
int pm_plan_check_arm(const struct pm_machine *machine, const struct pm_job_spec *spec, struct pm_error *err);

/* The step that arms its NICs; 0: none is wanted. And then, when all others are there: they wait for it. */
unsigned pm_draft_arm(struct pm_draft *draft);
void pm_draft_after_arm(struct pm_draft *draft, unsigned arm);

/* The verbs of the machine alone that only its operating system can do. */
void pm_plan_host(struct pm_draft *draft);

/* The step, or the first of them: it sleeps, or, where it cannot, goes off; another run level. 0: refused. */
unsigned pm_draft_machine_sleep(struct pm_draft *draft);
unsigned pm_draft_machine_init(struct pm_draft *draft);

/* --- the stack ---------------------------------------------------------------------------------- */

/* The place of a VM in machine->vms, or PM_NOWHERE. */
unsigned pm_draft_place(const struct pm_machine *machine, const struct pm_vm *vm);

/* What the hypervisor stands on; NULL: the machine itself. */
struct pm_draft_hypervisor *pm_draft_ground(struct pm_draft *draft,
					    const struct pm_draft_hypervisor *hypervisor);

/* Astray, or it may turn out to be so: what it stands on cannot be asked for its VM. */
bool pm_hypervisor_is_lost(const struct pm_hypervisor *hypervisor);

/* Whether VMs of which nobody knows on what they stand may stand on the VM at this place. */
bool pm_draft_has_strays(const struct pm_draft *draft, unsigned place);

/* Refuses what would have to know in which VM such a hypervisor runs; NULL: that of any. Always returns 0. */
unsigned pm_draft_refuse_astray(struct pm_draft *draft, const struct pm_draft_hypervisor *ground);

/* Whether it is stopped in memory, by its hypervisor or in its own sleep, so that nothing in it answers. */
bool pm_vm_is_stopped(const struct pm_vm *vm);

/* It is stopped itself, not only what it stands on. */
bool pm_vm_must_be_resumed(const struct pm_vm *vm);

/* Whether it is up, and not only because its connection is not known to be lost yet. */
bool pm_hypervisor_answers(const struct pm_hypervisor *hypervisor);

/* Whether it must be asked before what it stands on goes down: it is the lowest of which nobody knows. */
bool pm_hypervisor_is_asked(const struct pm_hypervisor *hypervisor);

/* Steps of one VM: after that step, before that one; 0: none. */
unsigned pm_draft_vm_step(struct pm_draft *draft, enum pm_step_action action, const struct pm_vm *vm,
			  unsigned after, unsigned before);

/* Connects within the hypervisor's own time, on the way up; on the way down a minute is enough. */
unsigned pm_draft_connect(struct pm_draft *draft, const struct pm_hypervisor *hypervisor, bool up,
			  unsigned after, unsigned before);

/* Brings one VM down as the action says, resumes it first if it must be, and notes the steps. */
void pm_draft_vm_down(struct pm_draft *draft, unsigned place, unsigned after, unsigned before);

/* What stands on hypervisors that are marked as below, leaf first; the step `before`, if any, waits for all. */
void pm_draft_stack_down(struct pm_draft *draft, unsigned before);

/*
 * Whether the machine may go down by itself: nothing on it is up, or unknown. 0, or the error of this code, a positive errno
 * value, with a text.
 */
int pm_plan_check_alone(const struct pm_machine *machine, const struct pm_job_spec *spec, int code,
			struct pm_error *err);

/* Whether it may, by that; else it is refused. */
bool pm_draft_is_alone(struct pm_draft *draft);

/* The refusal to start a VM that is no longer there once it is down. */
int pm_draft_is_transient(const struct pm_draft *draft, const struct pm_vm *vm);

/* Marks what stands on the VM at this place; PM_NOWHERE: all. Returns whether there is any. */
bool pm_draft_mark_below(struct pm_draft *draft, unsigned place);

/* After a reboot: those that were brought down, parents first, from the step `machine` on, if any. */
void pm_draft_stack_up(struct pm_draft *draft, unsigned machine);

/* VMs marked autostart that are not up, on hypervisors that want it; after the step `machine`, if any. */
void pm_draft_autostart(struct pm_draft *draft, unsigned machine);

/* At once: each VM on the machine itself that is up; before the step `before`, if any. */
void pm_draft_stack_at_once(struct pm_draft *draft, unsigned before);

/* A step that has nothing to do, of a VM, or of the machine for NULL. */
void pm_draft_nothing(struct pm_draft *draft, const struct pm_vm *vm, const char *text);

/* The whole plan of spec, for the stack of a machine that has one, and for a VM. */
void pm_plan_stack(struct pm_draft *draft);
void pm_plan_vm(struct pm_draft *draft);

/* Whether it can act on the stack, the machine, or both. */
bool pm_command_has_scope(enum pm_command action);

/* Whether it has something to do to this VM, as it is now. */
bool pm_spec_brings_down(const struct pm_job_spec *spec, const struct pm_vm *vm);

/* --- beside steps that are there already: agent/plan_more.c ------------------------------------- */

/* Whether to bring down the VM at this place; if a step of it has not ended, what is to be waited for is drafted here. */
bool pm_draft_may_go_down(struct pm_draft *draft, unsigned place, unsigned before);

/*
 * Whether what is to bring it up again, if anything, waits for the step that is to begin; else it is refused: that step knows
 * nothing of where the VM stands now.
 */
bool pm_draft_stays_down(struct pm_draft *draft, unsigned place);

/* Whether to connect to the hypervisor at this place. */
bool pm_draft_may_ask(struct pm_draft *draft, unsigned place);

#endif
