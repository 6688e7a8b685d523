/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The operating systems of machines, asynchronously: runs pmstack-host there, by OpenSSH as a child process, or on this host
 * through the socket of its service, and reads what it answers. Knows nothing of SNMP, machines or jobs. host_ssh is the
 * driver; tests have one of their own.
 *
 * Everything is called, and calls back, on the loop's thread; nothing in it waits. No more than so many requests are under
 * way at once, the others wait in a queue; a deadline counts from when a request leaves it.
 */
#ifndef PM_HOST_H
#define PM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HOST_PROTOCOL       1  /* what pmstack-host must speak */
#define HOST_ID_SIZE        37 /* a boot id or a UUID, text form of RFC 4122, section 3, with its NUL */
#define HOST_NAME_SIZE      64 /* of an interface, with the NUL; longer ones are cut */
#define HOST_PORTS_MAX      64
#define HOST_MACS_MAX       16
#define HOST_INIT_LEVEL_MAX 6

enum host_verb {
	HOST_REPORT = 1, /* changes nothing */
	HOST_POWEROFF,
	HOST_REBOOT,
	HOST_SUSPEND,   /* S3 */
	HOST_HIBERNATE, /* S4 */
	HOST_INIT,      /* run level: init_level */
	HOST_ARM_WOL    /* magic packet; macs, or all physical ports that can */
};

enum host_result {
	HOST_OK = 1,        /* done; of a verb after which it goes down: it is going */
	HOST_REFUSED,       /* the operating system says no, for now: somebody inhibits it, it is busy */
	HOST_UNSUPPORTED,   /* it cannot do this at all */
	HOST_OTHER_BOOT,    /* it has rebooted since boot_id was told: nothing was done */
	HOST_NOT_PERMITTED, /* the helper may not: sudo, polkit or capabilities are missing */
	HOST_FAILED,        /* it tried, and failed */
	HOST_AUTH_FAILED,   /* the host's key or ours was not accepted */
	HOST_NO_HELPER,   /* connected, but there is no pmstack-host, or it is too old, or answers nonsense */
	HOST_UNREACHABLE, /* no connection; sent tells whether it broke after the request had left */
	HOST_TIMEOUT,     /* no answer within the deadline; sent tells whether it may be done */
	HOST_CANCELLED,
	HOST_NO_MEMORY
};

enum host_wol { HOST_WOL_UNKNOWN = 1, HOST_WOL_NOT_SUPPORTED, HOST_WOL_DISARMED, HOST_WOL_ARMED };

/* A physical port of Ethernet. */
struct host_port {
	char name[HOST_NAME_SIZE]; /* UTF-8, whatever is not printable replaced */
	uint8_t mac[6];
	uint8_t permanent_mac[6]; /* burnt in; the same as mac when the driver does not tell */
	enum host_wol wol;
};

/* What a report says. */
struct host_report {
	char boot_id[HOST_ID_SIZE]; /* lower case; never empty */
	char uuid[HOST_ID_SIZE];    /* SMBIOS, as the kernel shows it, lower case; "" when it does not tell */
	char version[32];           /* of pmstack-host */
	uint64_t uptime_s;
	bool can_suspend, can_hibernate; /* false: it says that it cannot; it may not know */
	struct host_port ports[HOST_PORTS_MAX];
	size_t port_count;
};

/* Valid during the call. */
struct host_reply {
	enum host_result result;
	bool sent; /* the request had left when it ended: it may have been done, whatever the result */
	bool
	    heard; /* something has answered at its address, be it "connection refused", since the request began */
	const char *text; /* the result in words, for people, one line, without secrets; never NULL or "" */
	const struct host_report *report; /* HOST_REPORT with HOST_OK, else NULL */
	const struct host_port *ports;    /* HOST_ARM_WOL: the ports that were tried, as they are now */
	size_t port_count;
};

/* Valid during the call. */
struct host_request {
	enum host_verb verb;
	unsigned init_level;      /* HOST_INIT: 0..6 */
	const char *boot_id;      /* does nothing, and says HOST_OTHER_BOOT, in another boot; NULL: in any */
	const uint8_t (*macs)[6]; /* HOST_ARM_WOL: ports that have one of these, now or burnt in */
	size_t mac_count;         /* at most HOST_MACS_MAX; 0: all physical ports */
	unsigned deadline_ms;     /* until HOST_TIMEOUT; 0: the host's timeout_ms */
	void (*done)(const struct host_reply *reply, void *data); /* exactly once; never from within submit */
	void *data;
};

/* How to reach one. All is copied. */
struct host_options {
	const char *label;         /* for texts and the log */
	const char *user;          /* by ssh; "" : ssh's own choice */
	const char *address;       /* name or numeric; NULL: this host, by its socket */
	uint16_t port;             /* 0: 22 */
	const char *identity_file; /* private key */
	const char *known_hosts_file;
	const char *socket;  /* this host: of pmstack-host.socket */
	unsigned timeout_ms; /* of one request, connecting included */
};

struct host_runner_options {
	const char *
	    control_directory; /* for the sockets of shared connections: made with mode 0700; NULL: none are shared */
	unsigned parallel; /* requests under way at once, at least 1 */
};

struct host_runner;
struct host_client;
struct host_op;

struct host_driver {
	const char *name;

	/* One for all hosts. NULL: no memory. */
	struct host_runner *(*start)(uv_loop_t *loop, const struct host_runner_options *options);

	/* After a reload. */
	void (*set_parallel)(struct host_runner *runner, unsigned parallel);

	/* A host; nothing is sent yet. NULL: no memory. */
	struct host_client *(*open)(struct host_runner *runner, const struct host_options *options);

	/* What is under way ends as HOST_CANCELLED before it returns; its shared connection is ended. */
	void (*close)(struct host_client *client);

	/* One host takes one request at a time, the others of it wait. NULL: no memory. */
	struct host_op *(*submit)(struct host_client *client, const struct host_request *request);

	/* Its done() comes before this returns, with HOST_CANCELLED. */
	void (*cancel)(struct host_op *op);

	/*
	 * When all are closed: ends every child process that is left, calls closed on the loop when they are gone, and frees the
	 * runner. At most about wait_ms.
	 */
	void (*stop)(struct host_runner *runner, unsigned wait_ms, void (*closed)(void *data), void *data);
};

extern const struct host_driver host_ssh;

/* The result as a word, for texts: "refused", "not supported", … */
const char *host_result_name(enum host_result result);

#endif
