/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hypervisors, asynchronously: a connection that keeps itself up, tells what VMs there are and how they are, and carries
 * out operations on them. Knows nothing of SNMP, machines or jobs. stack_libvirt is the driver for all that libvirt can
 * speak to; tests and benchmarks have one of their own.
 *
 * Everything is called, and calls back, on the loop's thread. What blocks is done by threads of the driver: a
 * hypervisor that hangs holds up nobody else, and a VM that hangs no other VM.
 */
#ifndef PM_STACK_H
#define PM_STACK_H

#include "agent/tc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define STACK_UUID_SIZE 37  /* text form of RFC 4122, section 3, with its NUL */
#define STACK_NAME_SIZE 256 /* octets, with the NUL; longer names are cut */

/* What a hypervisor says of one VM. */
struct stack_vm {
	char uuid[STACK_UUID_SIZE];
	char name[STACK_NAME_SIZE];
	enum pm_vm_state state; /* never PM_VM_UNKNOWN */
	bool
	    active; /* it has a life to lose: running, paused, asleep in memory, on its way from or to that */
	bool
	    killed; /* its last life was ended from outside, and not by itself; false: it was not, or nobody knows */
	bool saved;      /* there is a managed save image that the next start resumes */
	bool persistent; /* stays defined when it is off */
	bool autostart;
	unsigned cpus;
	uint64_t memory_kib;
	int id; /* the hypervisor's, while it is active; -1: none */
};

enum stack_event_type {
	STACK_UP = 1,   /* connected; a STACK_LIST follows before anything else is told */
	STACK_LIST,     /* all VMs there are, at least after every STACK_UP, and now and then as a check */
	STACK_VM,       /* one VM is new, or has changed */
	STACK_VM_GONE,  /* one VM is no longer defined there: uuid */
	STACK_REBOOTED, /* the guest has rebooted: uuid */
	STACK_DOWN      /* the connection is lost, or could not be made: result, text; it is tried again */
};

enum stack_result {
	STACK_OK = 1,
	STACK_ALREADY,     /* it was so already */
	STACK_NO_VM,       /* the hypervisor does not know the VM */
	STACK_REFUSED,     /* the hypervisor answered, and refused */
	STACK_UNSUPPORTED, /* it cannot do this at all */
	STACK_AUTH_FAILED,
	STACK_UNREACHABLE, /* not connected; or the connection was lost before it answered: sent tells whether it may be done */
	STACK_TIMEOUT, /* no answer within the deadline; it may have been done */
	STACK_CANCELLED,
	STACK_NO_MEMORY
};

/* Valid during the call. */
struct stack_event {
	enum stack_event_type type;
	const struct stack_vm *vms; /* STACK_LIST: count of them; STACK_VM: one */
	size_t count;
	const char *uuid;         /* STACK_VM_GONE, STACK_REBOOTED */
	bool migrated;            /* STACK_VM_GONE: it has gone to another hypervisor */
	enum stack_result result; /* STACK_DOWN */
	const char *text;         /* STACK_DOWN: why, for people, without secrets */
};

struct stack_options {
	const char *uri;           /* of libvirt; copied */
	const char *label;         /* for the log; copied */
	unsigned list_interval_ms; /* how often the list is compared with what the events told */
	void (*on_event)(const struct stack_event *event, void *data);
	void *data;
};

enum stack_command {
	STACK_START = 1, /* boots it, or resumes its saved image */
	STACK_RESUME,    /* from pause */
	STACK_WAKEUP,    /* from the guest's own sleep (S3) */
	STACK_SHUTDOWN, /* asks the guest: ACPI power button, or what the hypervisor has instead; done when it was asked */
	STACK_DESTROY, /* switches it off */
	STACK_REBOOT,  /* asks the guest; STACK_REBOOTED follows when it has */
	STACK_RESET,   /* presses the reset button */
	STACK_PAUSE,
	STACK_SAVE,       /* to disk, by the hypervisor; it is off afterwards */
	STACK_PM_SUSPEND, /* S3, through the guest's agent */
	STACK_LOOK        /* asks for a fresh list: done when its STACK_LIST was told; uuid is not used */
};

/* Valid during the call. */
struct stack_reply {
	enum stack_result result;
	bool sent;        /* it had left when it ended: it may have been done, whatever the result */
	const char *text; /* the result in words, for people */
};

struct stack_request {
	enum stack_command command;
	char uuid[STACK_UUID_SIZE];
	bool agent; /* STACK_SHUTDOWN: through the guest's agent, if it has one; else the power button */
	unsigned deadline_ms; /* until STACK_TIMEOUT */
	void (*done)(const struct stack_reply *reply,
		     void *data); /* exactly once; never from within submit */
	void *data;
};

struct stack_connection;
struct stack_op;

struct stack_driver {
	const char *name;

	/*
	 * Begins to connect, and connects again by itself with growing pauses (1 s to 60 s), until closed. NULL: no memory.
	 * No event comes before it returns.
	 */
	struct stack_connection *(*open)(uv_loop_t *loop, const struct stack_options *options);

	/* What is under way ends as STACK_CANCELLED before it returns; no event comes afterwards. */
	void (*close)(struct stack_connection *connection);

	/* Tries at once to connect instead of at the end of the pause; nothing while it is connected. */
	void (*hurry)(struct stack_connection *connection);

	/* NULL: no memory. While not connected it ends as STACK_UNREACHABLE, on the loop. */
	struct stack_op *(*submit)(struct stack_connection *connection, const struct stack_request *request);

	/* Its done() comes before this returns, with STACK_CANCELLED. */
	void (*cancel)(struct stack_op *op);

	/*
	 * When all connections are closed: calls closed on the loop as soon as the driver's threads have ended and nothing of it
	 * is on the loop any more; threads that hang in a hypervisor are left to themselves after wait_ms. NULL: there is nothing
	 * to wait for.
	 */
	void (*stop)(uv_loop_t *loop, unsigned wait_ms, void (*closed)(void *data), void *data);

	/* After stop(): whether threads were left to themselves, so that the process must end by _exit(2). NULL: never. */
	bool (*abandoned)(void);
};

extern const struct stack_driver stack_libvirt;

#endif
