/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An asynchronous IPMI-over-LAN client on libuv and FreeIPMI's packet functions: any number of BMCs in one
 * thread, one kept session for each. It knows nothing of SNMP or of the agent.
 *
 * Every request ends in exactly one call of its completion callback, never from inside ipmi_bmc_submit().
 * References: "IPMI 2.0" is the Intelligent Platform Management Interface Specification v2.0 rev. 1.1.
 */
#ifndef PM_IPMI_H
#define PM_IPMI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct ipmi_engine;
struct ipmi_bmc;
struct ipmi_op;

enum ipmi_result {
	IPMI_OK,
	IPMI_TIMEOUT, /* the BMC answered in this operation, or has a session, but did not answer this; a command
			     that was sent may have been done */
	IPMI_UNREACHABLE, /* nothing came back, also not to a new session; or the name does not resolve */
	IPMI_AUTH_FAILED, /* unknown user, wrong password or K_g, or privilege not granted */
	IPMI_SESSIONS_EXHAUSTED, /* the BMC has no free session slot */
	IPMI_REJECTED,           /* a completion code other than 0 (IPMI 2.0, table 5-2) */
	IPMI_UNSUPPORTED,        /* no common IPMI version or cipher suite */
	IPMI_CANCELLED,
	IPMI_INTERNAL
};

enum ipmi_version { IPMI_VERSION_2_0, IPMI_VERSION_1_5 };

enum ipmi_privilege {
	IPMI_PRIVILEGE_USER = 2,
	IPMI_PRIVILEGE_OPERATOR = 3,
	IPMI_PRIVILEGE_ADMINISTRATOR = 4
};

/* What is needed to talk to one BMC. Copied by ipmi_bmc_new(); secrets are wiped when the BMC is freed. */
struct ipmi_bmc_config {
	const char
	    *label; /* the machine's name, for texts: "lab01: BMC 10.0.0.5:623 refused ..."; NULL: none */
	const char *host; /* name or numeric IPv4/IPv6 address; names are resolved by libuv, again for every
			     session */
	uint16_t port;    /* 623 */
	const char *username;
	enum ipmi_version version;
	const uint8_t *password;
	size_t password_length; /* 0..20, with IPMI 1.5 0..16 */
	const uint8_t *kg;
	size_t kg_length; /* 0 (none)..20 */
	/*
	 * The highest that may be asked for. Every command asks only for the least that it needs: status and
	 * readings user, everything that changes something and the boot options operator. One that needs more than
	 * this ends in IPMI_AUTH_FAILED, unsent.
	 */
	enum ipmi_privilege privilege;
	const uint8_t
	    *cipher_suites; /* IDs, tried in this order: 0-3, 6-8, 11, 12, 15-17 (IPMI 2.0, table 22-20) */
	size_t cipher_suite_count;
	unsigned timeout_ms; /* default deadline of an operation, session set-up included; 0 = 5000 */
	/*
	 * First retransmission, growing by half each time; 0 = 400. A BMC that is known to be slow gets twice the time that
	 * its last answers took.
	 */
	unsigned retransmit_ms;
	/*
	 * FreeIPMI's IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_*, or with IPMI 1.5 IPMI_WORKAROUND_FLAGS_OUTOFBAND_*. All are
	 * taken. Nothing is left to do for OPEN_SESSION_PRIVILEGE, which is always done. Since every message is
	 * authenticated in any case, FORCE_PERMSG_AUTHENTICATION and CHECK_UNEXPECTED_AUTHCODE only let a session go on
	 * with a BMC that says it would not authenticate its own.
	 */
	unsigned workarounds;
};

enum ipmi_command {
	IPMI_GET_CHASSIS_STATUS,       /* IPMI 2.0, 28.2 */
	IPMI_CHASSIS_CONTROL,          /* 28.3 */
	IPMI_CHASSIS_IDENTIFY,         /* 28.5 */
	IPMI_SET_POWER_RESTORE_POLICY, /* 28.8 */
	IPMI_GET_BOOT_FLAGS,           /* 28.13, parameter 5 */
	IPMI_SET_BOOT_FLAGS,           /* 28.12, parameter 5 */
	IPMI_GET_POH_COUNTER,          /* 28.14 */
	IPMI_GET_POWER_READING,        /* DCMI 1.5, 6.6.1 */
	IPMI_KEEP_BOOT_FLAGS /* 28.12, parameter 3: they stay also without a Chassis Control within 60 s */
};
enum { IPMI_COMMAND_COUNT = IPMI_KEEP_BOOT_FLAGS + 1 };

enum ipmi_chassis_control { /* IPMI 2.0, table 28-4 */
			    IPMI_POWER_DOWN = 0,
			    IPMI_POWER_UP = 1,
			    IPMI_POWER_CYCLE = 2,
			    IPMI_HARD_RESET = 3,
			    IPMI_DIAGNOSTIC_INTERRUPT = 4,
			    IPMI_SOFT_SHUTDOWN = 5
};

enum ipmi_restore_policy {
	IPMI_RESTORE_OFF = 0,
	IPMI_RESTORE_PREVIOUS = 1,
	IPMI_RESTORE_ON = 2,
	IPMI_RESTORE_UNKNOWN = 3
};

enum ipmi_identify {
	IPMI_IDENTIFY_OFF,
	IPMI_IDENTIFY_TIMED,
	IPMI_IDENTIFY_INDEFINITE,
	IPMI_IDENTIFY_UNKNOWN
};

enum ipmi_power_event { /* "last power event" of IPMI 2.0, table 28-3 */
			IPMI_EVENT_NONE,
			IPMI_EVENT_AC_FAILED,
			IPMI_EVENT_OVERLOAD,
			IPMI_EVENT_INTERLOCK,
			IPMI_EVENT_FAULT,
			IPMI_EVENT_ON_BY_COMMAND
};

struct ipmi_chassis_status {
	bool power_on, power_overload, interlock_active, power_fault, power_control_fault;
	bool chassis_intrusion, front_panel_lockout, drive_fault, cooling_fault;
	enum ipmi_power_event last_power_event;
	enum ipmi_restore_policy restore_policy;
	enum ipmi_identify identify; /* IPMI_IDENTIFY_UNKNOWN when the BMC does not tell */
};

enum ipmi_boot_device { /* IPMI 2.0, table 28-14, parameter 5, data 2 */
			IPMI_BOOT_NO_OVERRIDE = 0x0,
			IPMI_BOOT_PXE = 0x1,
			IPMI_BOOT_DISK = 0x2,
			IPMI_BOOT_SAFE_MODE = 0x3,
			IPMI_BOOT_DIAGNOSTICS = 0x4,
			IPMI_BOOT_CDROM = 0x5,
			IPMI_BOOT_BIOS_SETUP = 0x6,
			IPMI_BOOT_FLOPPY = 0xf
};

struct ipmi_boot_flags {
	enum ipmi_boot_device device;
	bool persistent, efi;
};

/* Of the whole system; minimum, maximum and average over the period that the BMC chose. */
struct ipmi_power_reading {
	unsigned watts, minimum_watts, maximum_watts, average_watts;
	bool active; /* the BMC is measuring; without, the numbers say nothing */
};

struct ipmi_reply {
	enum ipmi_result result;
	uint8_t completion_code; /* that ended the operation, 0: none did; with IPMI_REJECTED above all */
	bool sent;               /* the command itself has been on the wire, answered or not */
	char text[256];          /* why not IPMI_OK, in words: BMC, command, what to do; "" with IPMI_OK */
	unsigned round_trip_us;  /* of the command; 0 when it was not answered */
	union {                  /* with IPMI_OK, by command */
		struct ipmi_chassis_status chassis;
		struct ipmi_boot_flags boot;
		uint32_t power_on_hours;
		struct ipmi_power_reading power;
	};
};

typedef void (*ipmi_done_fn)(const struct ipmi_reply *reply, void *data);

struct ipmi_request {
	enum ipmi_command command;
	union {
		enum ipmi_chassis_control control;
		struct {
			enum ipmi_identify mode;
			uint8_t interval_s;
		} identify;
		enum ipmi_restore_policy restore_policy;
		struct ipmi_boot_flags boot;
	};
	unsigned timeout_ms; /* 0 = the BMC's */
	/*
	 * Momentary: sent at most once, never retransmitted, also not after an answer that says that nothing was
	 * done; no answer ends in IPMI_TIMEOUT. On a session
	 * that was not used lately one harmless request is exchanged first, so that it is not lost on a BMC
	 * that forgot the session.
	 */
	bool once;
	ipmi_done_fn done;
	void *data;
};

/* Counters since ipmi_bmc_new(); times on CLOCK_REALTIME, 0 = never. */
struct ipmi_bmc_stats {
	uint32_t requests;       /* messages sent for the first time, those of session set-up included */
	uint32_t retransmits;    /* messages sent again */
	uint32_t timeouts;       /* operations that ended in IPMI_TIMEOUT or IPMI_UNREACHABLE */
	uint32_t sessions;       /* set up */
	uint32_t bad_packets;    /* received, but not valid, or no answer to what was asked last: dropped */
	unsigned round_trip_us;  /* of the last answer */
	int64_t last_contact_ms; /* ms since the epoch */
	uint8_t cipher_suite;    /* of the current or last session; 0 with IPMI 1.5 */
	bool has_session, has_guid;
	uint8_t guid[16];         /* managed system GUID of RAKP message 2 (IPMI 2.0, 13.21), as received */
	const char *ipmi_version; /* "2.0", "1.5" or "" while unknown */
};

/* One engine a loop. Returns 0 or a negative errno value. */
int ipmi_engine_new(uv_loop_t *loop, struct ipmi_engine **engine);

/*
 * Closes the sessions of all BMCs (Close Session is sent to each, answers are awaited for at most timeout_ms; a
 * look-up of a name that is under way takes as long as the resolver makes it), ends pending requests with
 * IPMI_CANCELLED, then calls done and frees the engine and what is left of its BMCs.
 */
void ipmi_engine_close(struct ipmi_engine *engine, unsigned timeout_ms, void (*done)(void *data), void *data);

/* Packets dropped because they belong to no BMC or to nothing that a BMC was asked. */
uint64_t ipmi_engine_bad_packets(const struct ipmi_engine *engine);

/* Whether ipmi_bmc_new() would take it: lengths, cipher suites, workarounds. */
bool ipmi_bmc_config_valid(const struct ipmi_bmc_config *config);

/* Adds a BMC; sends nothing yet. Returns 0 or a negative errno value (EINVAL: lengths, cipher suite or
 * workaround not supported). */
int ipmi_bmc_new(struct ipmi_engine *engine, const struct ipmi_bmc_config *config, struct ipmi_bmc **bmc);

/*
 * Ends its requests with IPMI_CANCELLED before it returns, closes its session in the background and frees it.
 * May be called from a completion callback. The BMC must not be used afterwards, also not from the callbacks
 * it causes.
 */
void ipmi_bmc_free(struct ipmi_bmc *bmc);

/*
 * Queues a request (copied). Requests to one BMC run in order, one on the wire at a time; the deadline counts
 * from here. Returns NULL only when memory is short or the engine is being closed (done is then not called).
 * *op stays valid until done is called.
 */
struct ipmi_op *ipmi_bmc_submit(struct ipmi_bmc *bmc, const struct ipmi_request *request);

/* Ends a request now: done is called with IPMI_CANCELLED before this returns. What was sent stays sent. */
void ipmi_op_cancel(struct ipmi_op *op);

void ipmi_bmc_stats(const struct ipmi_bmc *bmc, struct ipmi_bmc_stats *stats);

/*
 * Whether it is still to be asked: its name waits to be looked up, as only a few are at once, and another one's was
 * within the last ms.
 */
bool ipmi_bmc_waits_for_name(const struct ipmi_bmc *bmc, unsigned within_ms);

/* "timeout" and so on; for logs. */
const char *ipmi_result_name(enum ipmi_result result);

#endif
