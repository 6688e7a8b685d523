/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A BMC and its chassis as a state machine without input, output or clock of its own: packet in, packet out, written
 * from the IPMI specification v2.0 rev. 1.1, DCMI 1.5 and ASF 2.0 on libgcrypt alone. Nothing is shared with the engine or
 * FreeIPMI, so that each can prove the other.
 *
 * Times are microseconds of any steady clock that the caller likes; it must only never go back. What is due later (a
 * machine that comes on) is done by sim_bmc_tick().
 */
#ifndef PM_SIM_BMC_H
#define PM_SIM_BMC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tests/sim/crypto.h"
#include "tests/sim/octets.h"

enum sim_kind { /* of a request, and of the answer to it */
		SIM_AUTH_CAPABILITIES,
		SIM_OPEN_SESSION,
		SIM_RAKP_1,
		SIM_RAKP_3,
		SIM_SET_PRIVILEGE,
		SIM_CLOSE_SESSION,
		SIM_COMMAND,
		SIM_CIPHER_SUITES,
		SIM_CHALLENGE, /* Get Session Challenge and Activate Session: IPMI 1.5 */
		SIM_ACTIVATE,
		SIM_PING,      /* ASF presence ping */
		SIM_OTHER_GET, /* the rest of what is answered outside a session */
		SIM_KINDS
};

enum sim_privilege { /* 6.8 */
		     SIM_HIGHEST = 0,
		     SIM_CALLBACK = 1,
		     SIM_USER = 2,
		     SIM_OPERATOR = 3,
		     SIM_ADMINISTRATOR = 4
};

enum { /* authentication types of IPMI 1.5, 22.13, and the format of RMCP+ */
       SIM_AUTH_NONE = 0,
       SIM_AUTH_MD5 = 2,
       SIM_AUTH_STRAIGHT = 4,
       SIM_AUTH_RMCPPLUS = 6
};

enum {
	SIM_NAME_MAX = 16,
	SIM_PASSWORD_MAX = 20,
	SIM_USERS_MAX = 8,
	SIM_SLOTS_MAX = 32,
	SIM_CODES_MAX = 4,
	SIM_COMMANDS_MAX = 48,
	SIM_NEVER_MS = INT32_MAX
};

struct sim_user { /* its ID is its place in the table, from 1 */
	char name[SIM_NAME_MAX + 1];
	uint8_t password[SIM_PASSWORD_MAX]; /* padded with zeros */
	uint8_t privilege;                  /* the highest that may be asked for */
	bool enabled;
};

struct sim_counters {
	uint64_t opened, refused, closed, expired, forgotten; /* sessions */
	uint64_t bad;                        /* packets dropped: malformed or not authentic */
	uint64_t unknown;                    /* for a session that is not there */
	uint64_t duplicates;                 /* requests that came again, see `dedup` */
	uint64_t commands[SIM_COMMANDS_MAX]; /* in the order of sim_command_at() */
};

struct sim_bmc;

/* Something that changed the state of a BMC or a chassis. */
struct sim_effect {
	int64_t at_us;
	const char *what, *detail; /* "chassis-control", "power-up" */
	bool power_before, power_after;
	bool duplicate;   /* done for a request that had been done already */
	uint32_t session; /* managed system session ID; 0: none */
	const char *user; /* NULL: none */
	uint8_t code;     /* completion code */
};

/* What BMCs of a kind have in common. */
struct sim_profile {
	struct sim_user users[SIM_USERS_MAX]; /* the first is the null user, 22.28 */
	unsigned user_count;
	bool has_kg;
	uint8_t kg[SIM_KEY_LENGTH];
	uint8_t suites[SIM_SUITES]; /* IDs */
	unsigned suite_count;       /* 0: no IPMI 2.0 */
	uint8_t auth_types;         /* of IPMI 1.5 sessions, a bit for each; 0: no IPMI 1.5 */
	bool per_message_auth;      /* 1.5: packets after Activate Session are authenticated too */
	unsigned slots;             /* sessions of one BMC */
	int64_t idle_us;            /* a session unused for so long ends: 60 s, 6.12.15 */
	int64_t boot_valid_us;      /* table 28-14, parameter 3: 60 s */
	void (*effect)(struct sim_bmc *bmc, const struct sim_effect *effect); /* may be NULL */
	void *data;                                                           /* the caller's */
	struct sim_counters counters;
};

struct sim_session;

/* A completion code in place of the true one, or none. */
struct sim_code {
	uint8_t command; /* index as in sim_command_at(), or SIM_COMMANDS_MAX for all but session set-up */
	uint8_t code;
	bool silent;    /* there is no answer at all */
	bool done;      /* what was asked for is done nevertheless */
	uint16_t times; /* so often; 0: always */
};

struct sim_faults { /* chances in percent, each for itself */
	uint8_t loss_in, loss_out, duplicate, reorder, garbage, truncate, flip;
	uint8_t wrong_integrity, wrong_session, wrong_sequence;
	bool instead; /* garbage, truncated and flipped packets replace the answer, they do not precede it */
	uint32_t delay_us, jitter_us;
};

struct sim_quirks {
	uint8_t open_status, rakp2_status, rakp4_status; /* of RMCP+ set-up, table 13-15; 0: the true one */
	uint8_t silent_suite; /* nothing that belongs to this one is answered; 0xff: none */
	bool dead;            /* nothing is */
	bool full;            /* no session slot is free */
	bool dedup;           /* a request that comes again is answered again, but not done again */
	bool short_data;      /* commands are answered without data */
	bool extra_octet;     /* RAKP message 2 carries one octet too many */
	bool rakp4_not_empty; /* RAKP message 4 has an integrity check value also without authentication */
	bool intel; /* of SE7520AF2: padded names, short passwords, another check value in RAKP message 4 */
	bool bad_checksum;  /* of messages */
	bool no_ipmi_2;     /* Get Channel Authentication Capabilities tells of IPMI 1.5 alone */
	bool short_refusal; /* an Open Session Response with an error ends after the status */
};

struct sim_chassis {
	bool power;
	uint8_t faults, misc; /* bits 1-4 and 0-3 of table 28-3: overload … and intrusion … */
	uint8_t last_event, policy, restart_cause;
	uint8_t identify; /* 0 off, 1 timed, 2 indefinite */
	int64_t identify_until_us;
	int64_t due_us; /* when the power changes; 0: no change is due */
	bool due_power;
	const char *due_cause;
	uint32_t on_ms, soft_ms,
	    cycle_ms; /* until power up, soft shutdown and the second half of a cycle take effect */
	uint32_t controls, diagnostics; /* executed */
	int64_t on_us, since_us;        /* time switched on until since_us */
	uint8_t poh_unit_min;
	uint32_t watts_on, watts_off;
	uint32_t watts_min, watts_max;
	uint64_t energy_uj; /* since the start */
	int64_t energy_since_us, energy_from_us;
};

struct sim_boot { /* table 28-14 */
	uint8_t in_progress, clearing, acknowledge_mask, acknowledge;
	uint8_t flags[5];
	int64_t valid_until_us; /* 0: for ever */
	uint8_t initiator[9];
};

struct sim_bmc {
	struct sim_profile *profile;
	struct sim_session *sessions; /* one more than there are slots: to be set up in */
	unsigned number;
	uint64_t random;
	uint8_t guid[16];
	struct sim_chassis chassis;
	struct sim_boot boot;
	struct sim_faults faults;
	struct sim_quirks quirks;
	struct sim_code codes[SIM_CODES_MAX];
	unsigned code_count;
	unsigned busy;           /* this many commands are answered "node busy", 0xC0 */
	int64_t silent_until_us; /* it boots */
	uint32_t received[SIM_KINDS];
};

struct sim_answer {
	enum sim_kind kind;
	int command; /* index as in sim_command_at(); -1: none */
	struct sim_buffer packet;
};

/* IPMI 2.0, suites 3, 8 and 17; IPMI 1.5 with MD5; user 1 null and disabled, user 2 admin, password "secret". */
void sim_profile_init(struct sim_profile *profile);

/*
 * Adds a user. A name of "" enables the null user instead. Returns the ID, or 0 when the table is full, the name longer
 * than 16 octets, or the password longer than 20.
 */
unsigned sim_profile_user(struct sim_profile *profile, const char *name, const char *password,
			  uint8_t privilege);

/* A BMC that is up, its machine off. sessions: sim_sessions_size() octets, zeroed, the caller's. */
void sim_bmc_init(struct sim_bmc *bmc, struct sim_profile *profile, void *sessions, unsigned number,
		  uint64_t seed, int64_t now_us);
size_t sim_sessions_size(const struct sim_profile *profile);

/*
 * One packet in (it is decrypted in place); true when there is an answer. Faults of the network and of integrity are not
 * in it, see fault.h.
 */
bool sim_bmc_receive(struct sim_bmc *bmc, int64_t now_us, const struct sockaddr *from, uint8_t *packet,
		     size_t length, struct sim_answer *answer);

/* Does what is due. */
void sim_bmc_tick(struct sim_bmc *bmc, int64_t now_us);
/* When something is due next; 0: nothing. */
int64_t sim_bmc_due_us(const struct sim_bmc *bmc);

/* The front panel: power, without regard to lockout. */
void sim_bmc_button(struct sim_bmc *bmc, int64_t now_us, bool power);
/* All sessions are forgotten and nothing is answered for a while; the machine is not touched. */
void sim_bmc_reboot(struct sim_bmc *bmc, int64_t now_us, int64_t silent_us);
/* So does a loss of AC, with the machine: afterwards the power restore policy holds. */
void sim_bmc_ac_loss(struct sim_bmc *bmc, int64_t now_us, int64_t silent_us);
/* Ends all sessions as if they had not been used for long. Returns how many there were. */
unsigned sim_bmc_expire(struct sim_bmc *bmc, int64_t now_us);

/* Active ones. */
unsigned sim_bmc_sessions(const struct sim_bmc *bmc);
/* The watts that are drawn change from now on. */
void sim_bmc_watts(struct sim_bmc *bmc, int64_t now_us, uint32_t on, uint32_t off);
void sim_bmc_poh(struct sim_bmc *bmc, int64_t now_us, uint32_t hours);

/* All commands by name, such as "chassis-control": NULL behind the last. */
const char *sim_command_at(unsigned index);
/* -1: there is none of that name. */
int sim_command_find(const char *name);

#endif
