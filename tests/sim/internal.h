/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the simulated BMC share among themselves.
 */
#ifndef PM_SIM_INTERNAL_H
#define PM_SIM_INTERNAL_H

#include "tests/sim/bmc.h"

enum sim_state {
	SIM_FREE,
	SIM_OPENED, /* Open Session, or Get Session Challenge, was answered */
	SIM_KEYED,  /* RAKP message 2 was sent */
	SIM_ACTIVE
};

enum { SIM_CACHE = 48 };

struct sim_session {
	uint8_t state;
	bool version_1_5;
	uint8_t auth_type; /* 1.5 */
	uint8_t user;      /* place in the table of users */
	uint8_t role;      /* octet 25 of RAKP message 1 */
	uint8_t max_privilege, privilege;
	bool used; /* a message came in since it is active */
	const struct sim_suite *suite;
	uint32_t console_id, managed_id;
	uint32_t temporary_id;                  /* 1.5: before activation */
	uint32_t sequence;                      /* last one sent */
	uint32_t highest, seen;                 /* received: the highest, and which of the 32 up to it */
	uint8_t console_random[16], random[16]; /* 1.5: random is the challenge */
	uint8_t sik[SIM_DIGEST_MAX], k1[SIM_DIGEST_MAX], k2[SIM_DIGEST_MAX];
	int64_t used_us;
	uint8_t address[16]; /* of who used it last, 22.20 */
	uint16_t port;
	/* the last request and its answer's code and data */
	uint64_t last_hash;
	int64_t last_us;
	uint8_t last_length; /* 0xff: not kept */
	uint8_t last[SIM_CACHE];
};

struct sim_command;

/* One IPMI message being served. */
struct sim_request {
	struct sim_bmc *bmc;
	struct sim_session *session; /* NULL: outside a session */
	struct sim_session *pending; /* 1.5: the one that Activate Session is for */
	int64_t now_us;
	const struct sockaddr *from;
	const uint8_t *message; /* from rsAddr on, table 13-8 */
	const uint8_t *data;    /* behind the command, */
	size_t length;          /* of which there are so many octets */
	uint8_t auth_type;      /* the session header's, 1.5 */
	const struct sim_command *command;
	bool duplicate;
	bool silent;     /* it is not answered */
	char effect[40]; /* what was changed, in words; "": nothing */
};

typedef uint8_t (*sim_command_fn)(struct sim_request *rq, struct sim_buffer *reply);

struct sim_command {
	uint8_t net_fn, cmd;
	uint8_t privilege; /* the least, appendix G; 0: also outside a session */
	uint8_t min_length, max_length;
	sim_command_fn run;
	const char *name;
	enum sim_kind kind;
};

enum { /* table 5-2, and those of single commands */
       SIM_OK = 0x00,
       SIM_PARAMETER_NOT_SUPPORTED = 0x80,
       SIM_NODE_BUSY = 0xc0,
       SIM_INVALID_COMMAND = 0xc1,
       SIM_LENGTH_INVALID = 0xc7,
       SIM_OUT_OF_RANGE = 0xc9,
       SIM_NOT_PRESENT = 0xcb,
       SIM_INVALID_FIELD = 0xcc,
       SIM_PRIVILEGE = 0xd4,
       SIM_NOT_IN_STATE = 0xd5
};

/* ---- session.c: slots, sequence numbers, users ---- */

/* One to be set up. There is always a place: sessions not set up yet make room, the oldest first. */
struct sim_session *sim_session_new(struct sim_bmc *bmc, int64_t now_us);
/* Whether another one may become active; counted when not. */
bool sim_session_free(struct sim_bmc *bmc, int64_t now_us);
/* NULL: it is not there, or no longer. */
struct sim_session *sim_session_find(struct sim_bmc *bmc, uint32_t managed_id, int64_t now_us);
void sim_session_activate(struct sim_bmc *bmc, struct sim_session *s, int64_t now_us, const char *how);
void sim_session_end(struct sim_bmc *bmc, struct sim_session *s, int64_t now_us, const char *why);
void sim_session_from(struct sim_session *s, const struct sockaddr *from);
/* Whether the number is new and within the window of 6.12.13; then it is taken. */
bool sim_sequence_take(struct sim_session *s, uint32_t sequence);
const struct sim_user *sim_session_user(const struct sim_bmc *bmc, const struct sim_session *s);
/* The place of a name in the table; -1: not there. */
int sim_user_find(const struct sim_profile *profile, const void *name, size_t length);

/* ---- fault.c ---- */

bool sim_chance(struct sim_bmc *bmc, unsigned percent);

/* ---- message.c ---- */

/*
 * The message in packet (from rsAddr to the second checksum) is served. answer->packet is the answering message; false:
 * nothing is to be said.
 */
bool sim_message(struct sim_request *rq, const uint8_t *message, size_t length, struct sim_answer *answer);
void sim_effect(struct sim_request *rq, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Of the BMC or the chassis alone, not asked for by a message. */
void sim_event(struct sim_bmc *bmc, int64_t now_us, const char *what, const char *detail, bool power_before);

/* ---- formats ---- */

bool sim_rmcpplus_receive(struct sim_request *rq, uint8_t *packet, size_t length, struct sim_answer *answer);
void sim_rmcpplus_header(struct sim_buffer *packet, unsigned type, uint32_t id, uint32_t sequence,
			 size_t length);
/* Whether nothing is to be said in this session (it may be NULL) because of its cipher suite. */
bool sim_suite_silent(const struct sim_bmc *bmc, const struct sim_session *s);
bool sim_rakp_receive(struct sim_request *rq, uint8_t type, const uint8_t *payload, size_t length,
		      struct sim_answer *answer);
bool sim_lan15_receive(struct sim_request *rq, uint8_t *packet, size_t length, struct sim_answer *answer);

/* ---- commands, by file ---- */

uint8_t sim_get_auth_capabilities(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_cipher_suites(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_session_challenge(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_activate_session(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_set_session_privilege(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_close_session(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_session_info(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_device_id(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_guid(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_channel_access(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_channel_info(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_user_access(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_user_name(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_payload_support(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_payload_version(struct sim_request *rq, struct sim_buffer *reply);

uint8_t sim_get_chassis_capabilities(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_chassis_status(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_chassis_control(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_chassis_identify(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_set_restore_policy(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_restart_cause(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_poh_counter(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_set_boot_options(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_get_boot_options(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_dcmi_get_capabilities(struct sim_request *rq, struct sim_buffer *reply);
uint8_t sim_dcmi_get_power_reading(struct sim_request *rq, struct sim_buffer *reply);

/* ---- the chassis ---- */

void sim_chassis_init(struct sim_chassis *c, int64_t now_us);
void sim_chassis_tick(struct sim_bmc *bmc, int64_t now_us);
/* At once, with all that follows from it; what was due no longer is. */
void sim_chassis_power(struct sim_bmc *bmc, int64_t now_us, bool power);
/* The machine starts from the beginning: boot flags that are meant for one boot are used up. */
void sim_boot_start(struct sim_bmc *bmc, int64_t now_us);
/* A Chassis Control came: the boot flags stay valid for another while. */
void sim_boot_touch(struct sim_bmc *bmc, int64_t now_us);

#endif
