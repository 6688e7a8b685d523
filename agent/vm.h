/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The stacks: hypervisors of the machines, and the VMs that they tell of. The only place where what a hypervisor says
 * becomes the state of a VM, and where a change is noticed, written down and told.
 *
 * A VM is known by its UUID; its row stays while its hypervisor does not answer, over restarts too. What cannot be asked is
 * unknown, but for what follows from something observed: on a machine or in a VM that is seen off nothing runs, in one that
 * is paused or saved all is as it was.
 *
 * What is told of it, by an event and pmVmStateChange:
 *   a VM's own change             each, but not a state that it only passes through, and not what the first list of a
 *                                 hypervisor says of VMs that were not known before
 *   a VM that comes or goes       unknown before it came; when it is no longer defined it is off, when it has moved away it
 *                                 is unknown
 *   more than a few of these      in one list: one event for all, and a notification for each VM, with that event's index
 *   what follows from another's   one event for each hypervisor, and a notification for each VM, with that event's index
 *   a hypervisor that is silent   likewise, when it has been for a while: until then its VMs are shown as unknown, but
 *                                 not told; and when it answers again and they are as before, for some time if it comes and
 *                                 goes
 */
#ifndef PM_VM_H
#define PM_VM_H

#include "agent/agent.h"
#include "agent/stack/stack.h"

struct pm_hypervisor {
	struct pm_machine *machine;
	const struct pm_hypervisor_config *config;
	struct pm_hypervisor *on; /* runs in a VM of this one; NULL: on the machine itself */
	struct pm_vm
	    *host; /* the VM in which it runs; NULL: on the machine itself, or that VM is not there */
	struct stack_connection *connection; /* NULL: closed */
	bool up;                             /* connected, and its VMs are as it says */
	bool told_down;                      /* that it does not answer is in the history */
	enum stack_result result;            /* why it is not up */
	char trouble[256];                   /* the same in words; "" while it is up or was not tried yet */
	uint64_t up_loop_ms, down_loop_ms;   /* loop time of the last change; 0: never */
	uint64_t listed_loop_ms;             /* of the last list */
	unsigned steps;                      /* of jobs that are at work on its VMs: agent/job*.c */

	/* --- for vm*.c only --- */
	struct pm_stack_link *link; /* what the driver and the timer know it by */
	bool holds;            /* is a source of its machine's state: it answers, or has until a moment ago */
	struct pm_vm *moved;   /* its host of before, while hosts are looked for */
	bool had_host;         /* since it is configured so */
	bool frozen;           /* it was up when what it runs on was paused or saved */
	bool away;             /* what it runs on is off or stopped, whatever it says itself */
	uint64_t away_loop_ms; /* since when */
	bool news;             /* jobs do not know yet */
	bool touched;          /* what happened may have changed how its VMs look */
	bool disturbed;        /* its VM is another, or a row has come to it */
	bool contradicted;     /* that the BMC says off while it answers is in the history */
	uint64_t patience_loop_ms; /* until then its silence is not told */
	uint64_t told_up_loop_ms;  /* when it was told that it answers again; 0: never */
	unsigned hold_ms;          /* so long it must have answered until that is told */
};

struct pm_vm {
	struct pm_machine *machine;
	uint32_t index;                   /* pmVmIndex, persistent */
	struct pm_hypervisor *hypervisor; /* NULL: it is no longer configured, or gone */
	struct pm_hypervisor *carries;    /* runs in it; NULL: none */
	char *name;
	char uuid[STACK_UUID_SIZE];
	bool known;                                        /* its hypervisor has told of it since the start */
	bool active, saved, killed, persistent, autostart; /* as in struct stack_vm, as last told */
	enum pm_vm_state observed;   /* as last told by its hypervisor; PM_VM_UNKNOWN: never */
	enum pm_vm_state transition; /* what a job does to it; 0: nothing */
	enum pm_vm_state told;       /* that managers were told last; 0: nothing */
	unsigned cpus;
	uint64_t memory_kib;
	int id;
	int64_t last_change_ms;
	uint32_t reboots;                   /* since the start; counts STACK_REBOOTED */
	uint64_t changed_loop_ms;           /* loop time of the last news of it */
	enum pm_vm_admin_state admin_state; /* 0: no wish yet */
	uint32_t shutdown_timeout_s;        /* pmVmShutdownTimeout; 0: the machine's */
	enum pm_result last_result;
	char last_result_text[256];
	bool dirty;     /* not yet stored */
	void *job_data; /* agent/job*.c's own; NULL */

	/* --- for vm*.c only --- */
	char *key;   /* pm_stored_vm.key */
	size_t home; /* of what the store has: number of its hypervisor, from 1; 0: not configured */
	enum pm_vm_state before; /* that managers were told last, and that is not unknown; 0: nothing */
	enum pm_vm_state shown;  /* pm_vm_observed() when it was looked at last */
	bool counted;            /* among those that run */
	uint64_t
	    came_loop_ms; /* when it came to a hypervisor that was listed before; 0: with its first list */
	bool fresh;       /* managers were not told of it yet */
	bool twin;        /* another VM of its UUID has run beside it: it is not that one on its way here */
	bool listed;      /* by the list that is being read */
	bool is_new;      /* its index is not in the store yet */
	struct pm_timer
	    *leaving; /* it has moved away: until another hypervisor of the machine has it, or none */
	bool news;    /* jobs do not know yet */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* The place in machine->vms, which is ascending by index, of the first VM whose index is not less. O(log n). */
size_t pm_machine_vm_place(const struct pm_machine *machine, uint64_t index);

/* O(log n); NULL when there is none. */
struct pm_vm *pm_machine_vm(const struct pm_machine *machine, uint32_t index);

/* The VM it stands on; NULL: the machine itself. */
struct pm_vm *pm_vm_parent(const struct pm_vm *vm);

unsigned pm_vm_depth(const struct pm_vm *vm); /* pmVmDepth: 1 on the machine itself */

/* What the hypervisor's VM runs on, or is configured to: never in a circle. NULL: the machine itself. */
struct pm_hypervisor *pm_hypervisor_ground(const struct pm_hypervisor *hypervisor);

/* What holds now without regard to jobs, from observation: unknown while it cannot be known. */
enum pm_vm_state pm_vm_observed(const struct pm_vm *vm);

/* pmVmState: the transition while there is one, else what is observed. */
enum pm_vm_state pm_vm_state(const struct pm_vm *vm);

/* Nothing of it runs: observed off, crashed or saved, or that follows. Neither of the two while it is unknown. */
bool pm_vm_is_down(const struct pm_vm *vm);
bool pm_vm_is_up(const struct pm_vm *vm);

/* Whether there may be VMs on it that nobody can ask: it is not up, and what it runs on is not seen down. */
bool pm_hypervisor_is_unknown(const struct pm_hypervisor *hypervisor);

/* What it runs on is seen off: nothing on it runs, and it is not waited for. */
bool pm_hypervisor_is_down(const struct pm_hypervisor *hypervisor);

/*
 * It answers, though the VM in which it runs by the configuration is not there, or off: nobody knows what carries its VMs. So
 * for some seconds also when that has just gone off.
 */
bool pm_hypervisor_is_astray(const struct pm_hypervisor *hypervisor);

/* VMs of the machine, at every depth, that are up; and those of which nobody knows. */
unsigned pm_machine_vms_up(const struct pm_machine *machine);
bool pm_machine_stack_unknown(const struct pm_machine *machine);

/* --- jobs ------------------------------------------------------------------------------------- */

/* A job says what it is doing to it; 0 when it ends. */
void pm_vm_transition(struct pm_vm *vm, enum pm_vm_state transition);

/* How the last thing a job did to it ended; PM_RESULT_NONE when one begins. */
void pm_vm_result(struct pm_vm *vm, enum pm_result result, const char *text);

/* Tries at once to connect to the machine's hypervisors that are not up: it was switched on, or somebody waits. */
void pm_stack_hurry(struct pm_machine *machine);

/* --- the agent starts, reloads and stops ------------------------------------------------------ */

/*
 * A machine's stack in line with its configuration: fleet.c calls it where nothing can fail any more. Connections whose URI
 * stays the same stay; rows of hypervisors that are gone go.
 */
void pm_stack_apply(struct pm_machine *machine);

/* What the store has of the VMs of machines that are new, before their pm_stack_apply(). */
int pm_stack_restore(struct pm_agent *agent, struct pm_error *err);

/* Closes its connections; everything is freed with pm_stack_free(). */
void pm_stack_stop(struct pm_machine *machine);
void pm_stack_free(struct pm_machine *machine);

/* How many there are, and how they are, in words. */
void pm_stack_summary(const struct pm_agent *agent, char *text, size_t size);

/* The BMC or a probe has changed what the machine's state is: what follows for its VMs. */
void pm_stack_machine_changed(struct pm_machine *machine);

/* --- called by agent/flush.c, inside the transaction ------------------------------------------- */

int pm_stack_store(struct pm_machine *machine, struct pm_error *err);

/* After its commit: nothing is to be stored any more. */
void pm_stack_stored(struct pm_machine *machine);

#endif
