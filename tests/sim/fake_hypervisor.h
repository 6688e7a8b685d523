/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hypervisors that are not there: a stack_driver (agent/stack/stack.h) in one process and one thread, for tests and
 * benchmarks. A test makes hypervisors and VMs, says how long things take and what fails, and reads in the log what was
 * asked and what happened.
 *
 * The world outlives connections: an agent can be stopped and another one started on it. Time passes by the loop of
 * the connection that was opened first; while there is none, nothing that takes time happens: what is due by then happens
 * when there is one again, and what was asked and not done yet is done at once.
 *
 * It keeps to what stack_libvirt does: after STACK_UP comes a STACK_LIST before all else; a VM that is new makes a list; a guest that
 * goes down by itself is told as shuttingDown, then as shutdown; a VM takes one call at a time, and a destroy beside it; the
 * events of a connection keep their order, and what is lost with it is not told later. Answers and events overtake each other
 * as answer_ms and event_ms say.
 *
 * To be out of memory ends the process.
 */
#ifndef PM_SIM_FAKE_HYPERVISOR_H
#define PM_SIM_FAKE_HYPERVISOR_H

#include "agent/stack/stack.h"
#include "agent/timer.h"

#include <limits.h>
#include <stdio.h>

#define FAKE_NEVER UINT_MAX /* for times */

extern const struct stack_driver fake_hypervisor; /* its stop is NULL */

enum fake_fault {
	FAKE_NO_FAULT,
	FAKE_REFUSE, /* STACK_REFUSED */
	FAKE_CANNOT, /* STACK_UNSUPPORTED */
	FAKE_NO_ANSWER, /* not done, and no answer: STACK_TIMEOUT, and the VM takes nothing more until released */
	FAKE_DONE_NO_ANSWER, /* the same, but done */
	FAKE_LOST,           /* not done, and the connection breaks */
	FAKE_DONE_LOST       /* done, and the connection breaks before the answer */
};

/* What happens to the next commands. */
struct fake_faults {
	enum fake_fault fault;
	enum stack_command command; /* only to this one; 0: to any */
	unsigned count;             /* to so many of them; 0: to all */
};

struct fake_hv;
struct fake_call;

enum fake_due { FAKE_DUE_OFF, FAKE_DUE_CRASH, FAKE_DUE_REBOOTED, FAKE_DUE_COUNT };

struct fake_vm {
	/* the script: set by the test at any time; 0 but for crash_ms, which is FAKE_NEVER */
	unsigned start_ms;    /* STACK_START takes so long */
	unsigned boot_ms;     /* after that, or after a reboot, the guest hears nothing for so long */
	unsigned shutdown_ms; /* from the power button until it is off; FAKE_NEVER: it ignores it */
	unsigned reboot_ms;   /* from STACK_REBOOT until it has; FAKE_NEVER: it ignores it */
	unsigned save_ms;     /* STACK_SAVE takes so long */
	unsigned crash_ms;    /* it crashes so long after each start */
	bool agent;           /* the guest has an agent */
	bool deaf;            /* ignores the button, but not its agent */
	struct fake_faults faults;

	/* to be read; fake_vm_...() change it */
	struct stack_vm is;
	struct fake_hv *hv;
	unsigned asked[STACK_LOOK + 1]; /* how often each command came */

	/* the fake's own */
	bool frozen, button;
	uint64_t frozen_ms, booted_ms;
	uint64_t due_ms[FAKE_DUE_COUNT]; /* 0: not */
	struct pm_timer *timer;          /* NULL: no connection is open */
	struct fake_call *calls;         /* that have not returned */
	bool listed;                     /* somebody was told that there is such a VM */
};

struct fake_hv {
	/* the script; retry_ms is 50, keepalive_ms 200, the others 0 */
	unsigned connect_ms;   /* an attempt to connect takes so long */
	unsigned retry_ms;     /* from the end of one that failed to the next */
	unsigned boot_ms;      /* it answers so long after what it runs on has come up */
	unsigned answer_ms;    /* from when something is done until that is answered */
	unsigned event_ms;     /* from a change until it is told */
	unsigned keepalive_ms; /* from its silence until the connection is given up */
	bool autostarts;       /* when it has come up it starts VMs that are marked so, as libvirtd does */
	bool down_last;        /* a loss is told after the operations that it ends, not before */
	struct fake_faults faults;

	/* to be read */
	char *uri;
	struct fake_vm *in;   /* runs in this VM; NULL: on the machine itself */
	struct fake_vm **vms; /* in the order they were made */
	size_t vm_count;
	unsigned attempts; /* to connect */

	/* the fake's own */
	size_t vm_room;
	bool on, silent, booted;
	uint64_t ready_ms, away_ms;
	enum stack_result away_result;
	char away_text[128];
	struct fake_hv *next;
};

/* --- the world -------------------------------------------------------------------------------- */

/* They answer at once. in: the VM in which it runs; NULL: on the machine itself, which is on. */
struct fake_hv *fake_hv_new(const char *uri, struct fake_vm *in);

/*
 * A persistent VM, running (and booted) or as state says, PM_VM_SUSPENDED meaning saved. Its UUID is new: its number from 1 in
 * the last group.
 */
struct fake_vm *fake_vm_new(struct fake_hv *hv, const char *name, enum pm_vm_state state);

struct fake_hv *fake_hv_find(const char *uri);
struct fake_vm *fake_vm_find(const char *name); /* the first of this name */

/* VMs that stand on it, at any depth, and are active. */
unsigned fake_vm_carries(const struct fake_vm *vm);

/* Frees the world and its log; all connections must have been closed. */
void fake_world_free(void);

/* --- what happens without being asked for ------------------------------------------------------ */

/* As if somebody else had done it there; takes no time. */
void fake_vm_becomes(struct fake_vm *vm, enum pm_vm_state state);
void fake_vm_reboots(struct fake_vm *vm);
void fake_vm_sleeps(struct fake_vm *vm); /* S3 */
/* Tells of what the test has changed in vm->is. */
void fake_vm_changed(struct fake_vm *vm);
/* Undefined, and freed; a running one is transient from then on, and goes when it is off. */
void fake_vm_undefine(struct fake_vm *vm);
void fake_vm_migrate(struct fake_vm *vm, struct fake_hv *to);
/* What did not return (FAKE_NO_ANSWER) returns. */
void fake_vm_release(struct fake_vm *vm);

/* The machine under it goes off, and what ran there is killed; or comes on. */
void fake_hv_power(struct fake_hv *hv, bool on);
/*
 * Connections break, and cannot be made again for for_ms: libvirtd restarts. The VMs live on; what it was asked and had not
 * done yet is not done.
 */
void fake_hv_lose(struct fake_hv *hv, enum stack_result result, const char *text, unsigned for_ms);
/* It does not answer any more, connections stay until keepalive_ms; or answers again. */
void fake_hv_silence(struct fake_hv *hv, bool silent);

/* --- the log ---------------------------------------------------------------------------------- */

enum fake_what {
	FAKE_ASKED = 1, /* command */
	FAKE_ANSWERED,  /* command, result */
	FAKE_IS,        /* the VM is in this state now: also those it was made with */
	FAKE_REBOOTED,
	FAKE_KILLED, /* it ran, and what it stood on went away from under it */
	FAKE_GONE,   /* not defined there any more */
	FAKE_UP,     /* somebody is connected; vm is "" */
	FAKE_DOWN    /* and is not any more: result */
};

struct fake_entry {
	uint64_t us; /* CLOCK_MONOTONIC */
	enum fake_what what;
	enum stack_command command;
	enum stack_result result;
	enum pm_vm_state state; /* of the VM, after it */
	unsigned carries;       /* VMs that ran on it at that moment */
	bool agent;             /* FAKE_ASKED: through the guest's agent */
	char vm[40];            /* names, cut */
	char hv[40];            /* URI */
};

size_t fake_log_length(void);
const struct fake_entry *fake_log_at(size_t place); /* NULL: there are not so many */

/*
 * The first entry from this place on that is what, of the VM of this name, with this command; NULL and 0: any. SIZE_MAX:
 * none. For FAKE_IS the state instead of the command.
 */
size_t fake_log_find(size_t from, enum fake_what what, const char *vm, unsigned command_or_state);
unsigned fake_log_count(enum fake_what what, const char *vm, unsigned command_or_state);

void fake_log_clear(void);
void fake_log_write(const struct fake_entry *entry, FILE *to); /* one line */
void fake_log_dump(FILE *to);                                  /* all of them: for a test that fails */

/* Gets each entry when it happens; NULL: nobody. */
extern void (*fake_log_listener)(const struct fake_entry *entry);

#endif
