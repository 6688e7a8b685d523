/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operating systems of machines that are not there: a host_driver (agent/host/host.h) in one process and one thread, for
 * tests. A test makes operating systems by address, says how long things take and what fails, and reads what was asked and
 * what happened.
 *
 * The world outlives runners and clients: an agent can be stopped and another one started on it, and what is due meanwhile
 * has happened by then. What happens is worked out when somebody looks, with the time at which it was due: so read their
 * state through fake_os_...().
 *
 * It keeps to what host_ssh does: so many requests at once, one of a host at a time; done never comes from within submit, and
 * exactly once; the deadline counts from when a request leaves the queue.
 *
 * To be out of memory ends the process.
 */
#ifndef PM_SIM_FAKE_HOST_H
#define PM_SIM_FAKE_HOST_H

#include "agent/host/host.h"

#include <limits.h>
#include <stdio.h>

#define FAKE_OS_NEVER UINT_MAX /* for times */

extern const struct host_driver fake_host;

/* What the machine truly is. */
enum fake_os_power {
	FAKE_OS_ON = 1,  /* answers, unless it is cut off */
	FAKE_OS_GOING,   /* still on: it has agreed, and is on its way down */
	FAKE_OS_BOOTING, /* has power, or wakes up; answers nothing yet */
	FAKE_OS_OFF,
	FAKE_OS_SUSPENDED,
	FAKE_OS_HIBERNATED
};

/* How the next requests end instead. */
struct fake_os_fault {
	enum host_verb verb;     /* only this one; 0: any */
	enum host_result result; /* 0: no fault. HOST_TIMEOUT: nothing comes until the deadline */
	bool sent;               /* as the reply says */
	bool done;               /* and yet it does what it was asked */
	unsigned count;          /* so many of them; 0: all */
	const char *text;        /* NULL: one is made up. Not copied */
};

struct fake_os {
	/* the script: set by the test at any time; 0 but for those that say something else */
	unsigned
	    answer_ms; /* from when a request leaves the queue until it is answered, and done if it is a verb */
	unsigned
	    down_ms; /* from when it agrees to go down until it is; FAKE_OS_NEVER: it says so and never does */
	unsigned
	    deaf_ms; /* from then until its helper hears nothing any more; FAKE_OS_NEVER: not before it is down */
	unsigned boot_ms; /* from power, or from being woken, until it answers */
	unsigned
	    refuse_ms; /* how long it takes to find that it is not there; FAKE_OS_NEVER: until the deadline */
	bool no_helper_port; /* nobody listens for the driver, but it answers its probe */
	bool carries_on;     /* does what it was asked also when nobody waits for the answer any more */
	bool has_no_swap, has_no_s3; /* cannot hibernate, suspend */
	bool bmc_wakes_only;         /* a magic packet does nothing, even if it is armed */
	struct fake_os_fault fault;

	/* what it tells: set by the test at any time; one port is there, armed not, eth0 02:00:00:00:00:00 */
	char uuid[HOST_ID_SIZE]; /* "" : does not tell */
	struct host_port ports[HOST_PORTS_MAX];
	size_t port_count;

	/* to be read */
	char *address;
	char boot_id[HOST_ID_SIZE]; /* of the boot it is in, or was in last */
	unsigned boots;
	unsigned asked[HOST_ARM_WOL + 1]; /* requests that reached it, by verb */
	unsigned done[HOST_ARM_WOL + 1];  /* and were carried out */
	unsigned tried;                   /* requests that left the queue, also those that found nobody */
	unsigned init_level;              /* of the last HOST_INIT */

	/* the fake's own */
	enum fake_os_power power, becomes;
	bool cut;
	unsigned number;
	uint64_t due_ms, agreed_ms, booted_ms; /* due: when it is what it becomes; 0: it stays */
	enum host_verb left_verb;              /* to be done although nobody waits */
	unsigned left_level;
	uint64_t left_ms;
	struct fake_os *next;
};

/* --- the world -------------------------------------------------------------------------------- */

/*
 * One that is on, by its address, or by the path of the socket for a host of its own. They answer at once. Its boot ids
 * are 00000000-0000-4000-8000-<number of the host><number of the boot>.
 */
struct fake_os *fake_os_new(const char *address);
struct fake_os *fake_os_find(const char *address);

/* Adds a port with this MAC, which is also burnt in. */
struct host_port *fake_os_add_port(struct fake_os *os, const char *name, const uint8_t mac[6],
				   enum host_wol wol);

/* Frees the world and its log; all clients must have been closed. */
void fake_os_free_all(void);

/* --- what is ---------------------------------------------------------------------------------- */

enum fake_os_power fake_os_is(struct fake_os *os);

/* Whether it would answer a probe, now. */
bool fake_os_pings(struct fake_os *os);

/* Whether the machine draws power, on its way up or down included: what a BMC would say. */
bool fake_os_has_power(struct fake_os *os);

/* --- what happens without being asked for ------------------------------------------------------ */

/* Power comes, or is cut at once, whatever it is doing. Coming on from off is a new boot. */
void fake_os_set_power(struct fake_os *os, bool on);

/* A magic packet for this MAC: true if it wakes the machine. */
bool fake_os_hears_magic_packet(struct fake_os *os, const uint8_t mac[6]);

/* Somebody does that on the machine itself; takes as long as if it had been asked. */
void fake_os_does(struct fake_os *os, enum host_verb verb, unsigned init_level);

/* The network to it is cut, or there again; a request is lost whose answer is due while it is cut. */
void fake_os_cut(struct fake_os *os, bool cut);

/* --- the log ---------------------------------------------------------------------------------- */

enum fake_os_what {
	FAKE_OS_ASKED = 1, /* verb; it reached the host */
	FAKE_OS_ANSWERED,  /* verb, result: how a request ended */
	FAKE_OS_DID,       /* verb */
	FAKE_OS_IS         /* power: it has become this */
};

struct fake_os_entry {
	uint64_t ms; /* CLOCK_MONOTONIC */
	enum fake_os_what what;
	enum host_verb verb;
	enum host_result result;
	enum fake_os_power power;
	unsigned init_level;
	bool boot_given;  /* FAKE_OS_ASKED: only in a certain boot */
	char address[40]; /* cut */
};

size_t fake_os_log_length(void);
const struct fake_os_entry *fake_os_log_at(size_t place); /* NULL: there are not so many */

/* The first entry from this place on; address NULL and verb 0: any. For FAKE_OS_IS the power instead of the verb. SIZE_MAX: none. */
size_t fake_os_log_find(size_t from, enum fake_os_what what, const char *address, unsigned verb_or_power);
void fake_os_log_dump(FILE *to); /* all of them: for a test that fails */

/* Requests under way, now and at most since the world was made. */
unsigned fake_host_running(void);
unsigned fake_host_running_max(void);

#endif
