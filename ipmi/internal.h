/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by the files of the IPMI engine, not for its users: engine.c owns the sockets and finds the BMC that
 * a packet belongs to, bmc.c the queue and clock of one BMC, session.c its sessions, session20.c and session15.c the set-up of one,
 * command.c what can be asked, completion.c what refusals mean, packet.c the bytes, resolve.c the addresses,
 * config.c the configuration, text.c the words.
 */
#ifndef PM_IPMI_INTERNAL_H
#define PM_IPMI_INTERNAL_H

#include <freeipmi/freeipmi.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/queue.h>

#include "ipmi/ipmi.h"

enum {
	IPMI_PACKET_MAX = 1024, /* larger than any answer that is asked for; longer packets are dropped */
	IPMI_PASSWORD_MAX = 20, /* IPMI 2.0, 22.30 */
	IPMI_KEY_MAX = 64,      /* room for the SIK, K1 and K2 of every algorithm in FreeIPMI */
	IPMI_ADDRESSES_MAX = 4, /* of one host name */
	IPMI_CIPHER_SUITES_MAX = 12, /* all that FreeIPMI supports: 0-3, 6-8, 11, 12, 15-17 */
	IPMI_RETRANSMIT_MS = 400,    /* FreeIPMI's default */
	IPMI_TIMEOUT_MS = 5000,      /* of an operation when the configuration has none */
	IPMI_COPIES_MAX = 8,         /* of a message whose answers are told apart, a power of two */
	IPMI_PATIENCE = 3,   /* part of an operation's time that silence may cost before something is tried */
	IPMI_LOST_AFTER = 3, /* unanswered transmissions until a kept session counts as forgotten */
	IPMI_RESTART_AFTER = 4,     /* unanswered transmissions of one message until set-up begins anew */
	IPMI_RESTARTS_MAX = 3,      /* of session set-up in one operation because the BMC dropped it */
	IPMI_DISAGREEMENTS_MAX = 2, /* such restarts after a refusal that looks like a wrong password */
	IPMI_PAUSE_MAX_MS = 2000,   /* between attempts to get one of a BMC's session slots */
	IPMI_SUITE_DOUBTS = 2, /* sessions, until what is not proved about a cipher suite is remembered */
	IPMI_SUITE_AGAIN_MS = 3600000, /* until a refused cipher suite is tried again */
	IPMI_TRUSTED_MS = 5000,        /* a session this long unused is checked before a `once` request */
	IPMI_LOOKUPS_MAX = 8,          /* of names at once; the resolver's threads serve others, too */
	IPMI_LOOKUPS_DOUBTFUL_MAX = 2, /* of names that could not be resolved the last time */
	IPMI_LOOKUP_AGAIN_MS = 250,    /* wait for a free one */
	IPMI_FREE_TIMEOUT_MS = 2000    /* wait for the answer to Close Session after ipmi_bmc_free() */
};

enum ipmi_framing {                           /* how a message is wrapped */
		    IPMI_FRAMING_LAN,         /* IPMI 1.5 outside a session, IPMI 2.0, 13.6 */
		    IPMI_FRAMING_LAN_SESSION, /* IPMI 1.5 with authentication */
		    IPMI_FRAMING_SETUP,       /* RMCP+ outside a session, 13.17-13.23 */
		    IPMI_FRAMING_SESSION      /* inside a session, as its version wants it */
};

enum ipmi_exchange_id {
	IPMI_EXCHANGE_AUTH_CAPABILITIES,
	IPMI_EXCHANGE_SET_PRIVILEGE,
	IPMI_EXCHANGE_CLOSE_SESSION,
	IPMI_EXCHANGE_2_0, /* the first of the set-up of an RMCP+ session */
	IPMI_EXCHANGE_OPEN_SESSION = IPMI_EXCHANGE_2_0,
	IPMI_EXCHANGE_RAKP_1,
	IPMI_EXCHANGE_RAKP_3,
	IPMI_EXCHANGE_1_5, /* the first of the set-up of an IPMI 1.5 session */
	IPMI_EXCHANGE_CHALLENGE = IPMI_EXCHANGE_1_5,
	IPMI_EXCHANGE_ACTIVATE,
	IPMI_EXCHANGE_COMMAND, /* + enum ipmi_command */
	IPMI_EXCHANGE_COUNT = IPMI_EXCHANGE_COMMAND + IPMI_COMMAND_COUNT
};

/* One kind of request and its answer. The tables are in session.c, session20.c, session15.c and command.c. */
struct ipmi_exchange {
	enum ipmi_exchange_id id;
	const char *name; /* as the specification calls it */
	enum ipmi_privilege
	    privilege; /* that a command needs, IPMI 2.0, appendix G, and DCMI 1.5, table 6-1 */
	bool reading;  /* changes nothing: may be asked again whatever became of it */
	enum ipmi_framing framing;
	uint8_t payload_request, payload_response; /* payload types, IPMI 2.0, table 13-16 */
	uint8_t net_fn, cmd;
	fiid_field_t *request_template, *response_template;
	/* Fills the request; returns -1 when FreeIPMI refuses a value. */
	int (*fill)(const struct ipmi_bmc *bmc, fiid_obj_t request);
	/* Takes an answer that passed every check. The completion code is 0; an RMCP+ status code may be
	 * anything. */
	void (*accept)(struct ipmi_bmc *bmc, fiid_obj_t response);
	/*
	 * Takes a refusal: a completion code, an RMCP+ status code, or 0 for an answer of the set-up that is not as it should be.
	 */
	void (*reject)(struct ipmi_bmc *bmc, uint8_t completion_code);
};

#define IPMI_APP_COMMAND(first_, id_, reading_, name_, framing_, cmd_, template_, suffix_) \
	[id_ - first_] = {                                                                 \
	    .id = id_,                                                                     \
	    .reading = reading_,                                                           \
	    .name = name_,                                                                 \
	    .framing = framing_,                                                           \
	    .net_fn = IPMI_NET_FN_APP_RQ,                                                  \
	    .cmd = cmd_,                                                                   \
	    .request_template = template_##_rq,                                            \
	    .response_template = template_##_rs,                                           \
	    .fill = fill_##suffix_,                                                        \
	    .accept = accept_##suffix_,                                                    \
	    .reject = reject_##suffix_,                                                    \
	}

/* What differs between the versions of IPMI in the set-up of a session. */
struct ipmi_protocol {
	enum ipmi_framing framing;  /* inside a session */
	uint8_t capabilities_type;  /* of data that Get Channel Authentication Capabilities asks for */
	unsigned workarounds;       /* FreeIPMI's flags that are understood */
	unsigned no_checksum_check; /* one of them */
	/* Chooses what to begin with: the cipher suite. */
	void (*choose)(struct ipmi_bmc *bmc);
	/* Makes a new session of the BMC. Returns -1 when there are no random numbers. */
	int (*begin)(struct ipmi_bmc *bmc);
	/* Takes the answer to Get Channel Authentication Capabilities, or a refusal (0: what is wanted is not offered). */
	void (*capable)(struct ipmi_bmc *bmc, fiid_obj_t response);
	void (*incapable)(struct ipmi_bmc *bmc, uint8_t completion_code);
	/* As ipmi_session_unanswered(). */
	bool (*unanswered)(struct ipmi_bmc *bmc);
	/* Set Session Privilege Level was answered: everything that was agreed on works. */
	void (*established)(struct ipmi_bmc *bmc);
};

/* What both sides agreed on. Wiped when the session ends. */
struct ipmi_session {
	uint8_t authentication, integrity, confidentiality; /* algorithms, IPMI 2.0, tables 13-17 to 13-19 */
	uint32_t console_id, managed_id; /* IPMI 1.5 has one for both, managed_id; first a temporary one */
	uint32_t sequence;               /* last one sent */
	uint32_t highest, received;      /* receive window, IPMI 2.0, 6.12.13 */
	uint32_t initial_outbound;       /* IPMI 1.5: sequence number that the BMC is asked to begin with */
	uint8_t challenge[16];           /* IPMI 1.5 */
	uint8_t console_random[16], managed_random[16], guid[16];
	uint8_t sik[IPMI_KEY_MAX], k1[IPMI_KEY_MAX], k2[IPMI_KEY_MAX];
	unsigned sik_length, k1_length, k2_length;
	enum ipmi_privilege level,
	    wanted_level; /* granted (0: not known), and asked for by Set Session Privilege Level */
	bool has_keys;    /* RAKP message 3 was or can be sent: the BMC may hold a session slot for us */
};

union ipmi_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct ipmi_op {
	struct ipmi_bmc *bmc;
	struct ipmi_op *next;
	struct ipmi_request request;
	uint64_t deadline_ms; /* on the engine's clock */
	unsigned timeout_ms;
	unsigned restarts, pause_ms; /* pause_ms: the last one, because all session slots were taken */
	uint32_t bad_packets;        /* of the BMC when this operation began: those that did not come late */
	unsigned round_trip_us;      /* of the command, once it was answered */
	bool sent;                   /* the command itself has been on the wire */
	bool contact;                /* the BMC answered something since this operation runs */
	bool reestablished;
};

enum ipmi_state {
	IPMI_STATE_IDLE, /* no session */
	IPMI_STATE_RESOLVING,
	IPMI_STATE_SETUP,
	IPMI_STATE_READY /* session kept */
};

/* Those that wait for a look-up, in order. */
TAILQ_HEAD(ipmi_line, ipmi_bmc);

struct ipmi_bmc {
	struct ipmi_engine *engine;
	struct ipmi_bmc *next, *previous; /* all of an engine's */
	struct ipmi_bmc *next_at_address; /* chain of the engine's address table */
	bool in_table;

	char *host;
	char name[400]; /* "lab01: BMC host:port" */
	uint16_t port;
	char username[IPMI_MAX_USER_NAME_LENGTH + 1];
	uint8_t password[IPMI_PASSWORD_MAX], kg[IPMI_MAX_K_G_LENGTH];
	unsigned password_length, kg_length;
	const struct ipmi_protocol *protocol;
	enum ipmi_privilege privilege;
	uint8_t suites[IPMI_CIPHER_SUITES_MAX];
	size_t suite_count, suite; /* suite: the one in use */
	unsigned timeout_ms, retransmit_ms, workarounds;

	union ipmi_address addresses[IPMI_ADDRESSES_MAX];
	size_t address_count, address; /* address: the one to use */
	union ipmi_address peer;       /* the one in use: key of the address table */
	bool numeric;
	uv_getaddrinfo_t resolver;
	bool resolving, counted_doubtful; /* a look-up is under way, and how it is counted */
	bool doubtful;                    /* the last look-up failed or is not over */
	struct ipmi_line *line;           /* in which it waits for a look-up; NULL: none */
	TAILQ_ENTRY(ipmi_bmc) line_entry;
	int network_error; /* last errno of ICMP or of sending since the last answer, 0 = none */

	enum ipmi_state state;
	struct ipmi_session session;
	unsigned suites_refused; /* in this set-up, one bit each */
	unsigned suites_proven;  /* that a session was set up with, one bit each */
	bool
	    suite_in_doubt; /* the one in use was not begun with, for no better reason than silence or words */
	unsigned suite_doubts; /* sessions in a row for which that was so */
	enum ipmi_exchange_id
	    gave_up_at;     /* message of a set-up that was not answered in time; IPMI_EXCHANGE_COUNT: none */
	size_t suite_known; /* the one that worked, and is begun with until then */
	uint64_t suite_until_ms;
	/*
	 * A session that was not answered in, or that was given up: whether the BMC has it still is not known. It is closed
	 * (again) when the BMC answers anything. former_waiting: what was not answered; its answer may still come.
	 */
	struct ipmi_session former;
	const struct ipmi_exchange *former_waiting;
	uint8_t former_number;
	unsigned former_copies;
	uint64_t answered_ms; /* last answer inside this session */
	unsigned raised;  /* commands, one bit each, that this BMC wants at the configured privilege level */
	bool keeps_level; /* it does not let a session have less than that */

	const struct ipmi_exchange *waiting; /* on the wire, NULL = nothing */
	/*
	 * Of the last transmission: the message tag, and its six low bits rqSeq. Each copy has a number of its own, so that
	 * an answer tells which one it is for and how long that took; the copies of what changes something share one, by
	 * which a BMC can tell that it has done it.
	 */
	uint8_t number;
	unsigned
	    copies; /* of the message that waits, with different numbers; at most IPMI_COPIES_MAX count */
	uint64_t sent_ns[IPMI_COPIES_MAX]; /* by number */
	unsigned round_trip_ms; /* as the last answers took; 0: unknown, or less than a millisecond */
	uint32_t late_packets;  /* received, and counted in stats.bad_packets, too */
	uint8_t not_now;        /* the completion code for which the same will be asked again; 0: none */
	bool duplicate;         /* the BMC says that it has the request already */
	bool held; /* a refusal that anybody may have sent: believed when no better answer comes in time */
	int held_code; /* as for ipmi_bmc_hold() */
	bool sent;     /* it has been on the wire */
	unsigned transmissions, interval_ms;
	uint64_t transmit_at_ms, begun_ms;
	uint64_t not_before_ms; /* of the next attempt to set up a session */

	struct ipmi_op *head, *tail; /* head is the one that runs */
	uv_timer_t timer;
	bool closing, timer_closed;
	uint64_t close_deadline_ms;
	struct ipmi_bmc_stats stats;
};

/* FreeIPMI's templates, filled once: one packet at a time is built or read, so that all BMCs share them. */
struct ipmi_scratch {
	fiid_obj_t rmcp, lan_session, session, trailer, payload, message_request, message_response,
	    message_trailer;
	fiid_obj_t request[IPMI_EXCHANGE_COUNT], response[IPMI_EXCHANGE_COUNT];
};

struct ipmi_engine;

/* ---- engine.c ---- */
uint64_t ipmi_now_ms(void);
struct ipmi_scratch *ipmi_engine_scratch(struct ipmi_engine *engine);
uv_loop_t *ipmi_engine_loop(struct ipmi_engine *engine);
void ipmi_engine_link(struct ipmi_engine *engine, struct ipmi_bmc *bmc);
/* The BMC's handles are closed and it is about to be freed. */
void ipmi_engine_unlink(struct ipmi_bmc *bmc);
bool ipmi_engine_closing(const struct ipmi_engine *engine);
/* A packet from the network: finds its BMC, or counts it as bad. */
void ipmi_engine_input(struct ipmi_engine *engine, const union ipmi_address *from, const uint8_t *packet,
		       size_t length);
/* Puts the BMC's current address into the address table. Returns 0 or a negative errno value. */
int ipmi_engine_address(struct ipmi_bmc *bmc);
void ipmi_engine_forget_address(struct ipmi_bmc *bmc);
/* Whether its look-up may begin; it is counted then, until ipmi_engine_looked_up(). */
bool ipmi_engine_may_look_up(struct ipmi_bmc *bmc);
/* It is woken when it is its turn. */
void ipmi_engine_wait_to_look_up(struct ipmi_bmc *bmc);
void ipmi_engine_looked_up(struct ipmi_engine *engine, bool doubtful);
/* When a look-up last ended; 0: none has. */
uint64_t ipmi_engine_looked_up_ms(const struct ipmi_engine *engine);
/* Returns 0 when the packet left, else a negative errno value: it did not. */
int ipmi_engine_send(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length);

/* ---- bmc.c ---- */
/* Sends the request of an exchange for the first time and waits for its answer. */
void ipmi_bmc_send(struct ipmi_bmc *bmc, enum ipmi_exchange_id id);
/* Sends without waiting for an answer. Returns 0 when the packet left. */
int ipmi_bmc_transmit(struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange);
/* A packet that peeks as an answer to what the BMC was asked. */
void ipmi_bmc_receive(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length);
/* A packet that peeks as the late answer inside the former session. */
void ipmi_bmc_receive_former(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length);
/* ICMP says that what was sent to this BMC did not arrive. */
void ipmi_bmc_network_error(struct ipmi_bmc *bmc, int error);
/*
 * Takes a refusal that is not authenticated: the code goes to the exchange's reject() when a copy would be due, or at the
 * deadline, unless a better answer comes before that. IPMI_HELD_MALFORMED: the answer had too little data.
 */
void ipmi_bmc_hold(struct ipmi_bmc *bmc, int code);
enum { IPMI_HELD_MALFORMED = -1 };
/* Ends the running operation and the session; the text is the BMC's name followed by format. */
void ipmi_bmc_finish(struct ipmi_bmc *bmc, enum ipmi_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the running operation with a reply filled by the caller. */
void ipmi_bmc_reply(struct ipmi_bmc *bmc, struct ipmi_reply *reply);
/* The session is ready: the running operation's command goes out, after Set Session Privilege Level if need be. */
void ipmi_bmc_proceed(struct ipmi_bmc *bmc);
/* Runs the BMC's clock now, from the loop. */
void ipmi_bmc_wake(struct ipmi_bmc *bmc);
/* Waiting in a line of look-ups that moves does not count. */
void ipmi_bmc_restart_deadlines(struct ipmi_bmc *bmc);
/* Cancels everything, closes the session (waiting at most timeout_ms for the answer), frees the BMC later. */
void ipmi_bmc_shut(struct ipmi_bmc *bmc, unsigned timeout_ms);
/* Frees a BMC whose handles are closed and that nothing waits for any more. */
void ipmi_bmc_dispose(struct ipmi_bmc *bmc);

/* ---- config.c ---- */
/* Copies a valid configuration, but for label and host. */
void ipmi_bmc_configure(struct ipmi_bmc *bmc, const struct ipmi_bmc_config *config);

/* ---- session20.c ---- */
extern const struct ipmi_exchange ipmi_exchanges_2_0[IPMI_EXCHANGE_1_5 - IPMI_EXCHANGE_2_0];
extern const struct ipmi_protocol ipmi_protocol_2_0;
bool ipmi_cipher_suite_supported(uint8_t id);

/* ---- session15.c ---- */
extern const struct ipmi_exchange ipmi_exchanges_1_5[IPMI_EXCHANGE_COMMAND - IPMI_EXCHANGE_1_5];
extern const struct ipmi_protocol ipmi_protocol_1_5;

/* ---- session.c ---- */
extern const struct ipmi_exchange ipmi_session_exchanges[IPMI_EXCHANGE_2_0];
const char *ipmi_privilege_name(enum ipmi_privilege privilege);
/* Begins the set-up of a session for the running operation. */
void ipmi_session_begin(struct ipmi_bmc *bmc);
/* The addresses are known: the first message goes out. */
void ipmi_session_start(struct ipmi_bmc *bmc);
/* Ends the session; a BMC that may hold a slot for it is told so, without waiting. */
void ipmi_session_drop(struct ipmi_bmc *bmc);
/* Makes it the former one, in which the answer to what was asked last may still come. */
void ipmi_session_put_aside(struct ipmi_bmc *bmc);
/* Exchanges the session and what it waits for with the former one. */
void ipmi_session_swap(struct ipmi_bmc *bmc);
/* After that: the former one goes on, and the set-up of a new one that was begun is forgotten. */
void ipmi_session_resume(struct ipmi_bmc *bmc);
/* Closes the former session, without waiting. */
void ipmi_session_close_former(struct ipmi_bmc *bmc);
/* The BMC lost what it knew about this set-up, or a lost answer made both sides disagree: begins anew a few times. */
void ipmi_session_restart(struct ipmi_bmc *bmc, const char *why);
/* Whether the session has the privilege level that the running operation's command needs, and asking for it. */
bool ipmi_session_at_level(const struct ipmi_bmc *bmc);
void ipmi_session_set_level(struct ipmi_bmc *bmc);
/* All session slots are taken: the set-up is tried again after longer and longer pauses, as the deadline permits. */
void ipmi_session_exhausted(struct ipmi_bmc *bmc, uint8_t code, const char *meaning);
/* Ends the running operation and the session because of a completion code other than 0 in the set-up. */
void ipmi_session_fail(struct ipmi_bmc *bmc, enum ipmi_result result, uint8_t completion_code);
/* A message of the set-up was not answered: try something else. Returns false when it should simply be sent
 * again. */
bool ipmi_session_unanswered(struct ipmi_bmc *bmc);

/* ---- command.c ---- */
extern const struct ipmi_exchange ipmi_command_exchanges[IPMI_COMMAND_COUNT];
/* Whether anything but the completion code of its answer is read; without, it need not be there. */
bool ipmi_command_has_data(const struct ipmi_exchange *exchange);

/* ---- completion.c ---- */
enum ipmi_remedy {
	IPMI_REMEDY_NONE,
	IPMI_REMEDY_REPEAT,         /* nothing was done: asked again */
	IPMI_REMEDY_REPEAT_READING, /* it may have been done: asked again when it changes nothing */
	IPMI_REMEDY_DUPLICATE       /* the BMC has the request twice, its answer to the first one was lost */
};

struct ipmi_completion {
	uint8_t net_fn, cmd, first, last; /* of the request; codes first to last */
	const char *meaning, *advice;     /* "it is busy", "try again later" */
	enum ipmi_remedy remedy;
};

/* What a completion code other than 0 means as the answer to an exchange; never NULL. */
const struct ipmi_completion *ipmi_completion(const struct ipmi_exchange *exchange, uint8_t code);
/* Whether the command may have been carried out all the same. */
bool ipmi_completion_leaves_doubt(const struct ipmi_completion *completion);
/* Explains that the running operation ended with this answer to the exchange. */
void ipmi_explain_code(const struct ipmi_bmc *bmc, struct ipmi_reply *reply,
		       const struct ipmi_exchange *exchange, uint8_t code);

/* ---- text.c ---- */
/* Fills the reply's text: the BMC's name followed by format. Whatever is in them, it is valid UTF-8 and fits. */
void ipmi_explain(const struct ipmi_bmc *bmc, struct ipmi_reply *reply, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ipmi_explain_v(const struct ipmi_bmc *bmc, struct ipmi_reply *reply, const char *format,
		    va_list arguments) __attribute__((format(printf, 3, 0)));
enum { IPMI_NAME_SIZE = 64 };
/* "Chassis Control (power up)" */
const char *ipmi_request_name(const struct ipmi_request *request, char *text, size_t size);
/* The same for an exchange of the running operation: its command or a message of the set-up. */
const char *ipmi_exchange_name(const struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange, char *text,
			       size_t size);
/* Explains that the time of the running operation is over: what was not answered, and what may be the reason. */
void ipmi_explain_silence(const struct ipmi_bmc *bmc, struct ipmi_reply *reply);
/* Packets of the BMC that were not valid, as far as they did not only come late. */
uint32_t ipmi_invalid_packets(const struct ipmi_bmc *bmc);
/* "2.5 s" */
const char *ipmi_seconds(unsigned ms, char *text, size_t size);

/* ---- packet.c ---- */
enum ipmi_verdict {
	IPMI_PACKET_INVALID,
	IPMI_PACKET_VALID,
	IPMI_PACKET_MALFORMED,  /* it comes from the BMC and answers the request, but data is missing */
	IPMI_PACKET_SUPERSEDED, /* it answers an earlier copy, and only the answer to the last one is of use */
	IPMI_PACKET_LATE        /* it answers nothing that is waited for */
};

/* The few fields by which a packet is matched to a BMC, before anything in it is believed. */
struct ipmi_peek {
	enum ipmi_framing framing; /* IPMI_FRAMING_SESSION: RMCP+ */
	uint8_t payload_type;      /* only RMCP+ */
	uint8_t rq_seq;            /* only IPMI 1.5 */
	bool has_session_id; /* not in all answers to Open Session: some BMCs leave it out when they refuse */
	uint32_t session_id; /* of the console with RMCP+ */
};

/* How an exchange with this BMC is wrapped. */
enum ipmi_framing ipmi_framing(const struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange);
const struct ipmi_exchange *ipmi_exchange(enum ipmi_exchange_id id);
int ipmi_scratch_new(struct ipmi_scratch *scratch);
void ipmi_scratch_free(struct ipmi_scratch *scratch);
bool ipmi_packet_peek(const uint8_t *packet, size_t length, struct ipmi_peek *peek);
/* Returns the length, or -1 when FreeIPMI could not assemble the packet. */
int ipmi_packet_build(struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange, uint8_t *packet,
		      size_t size);
/*
 * Checks a packet as the answer to bmc->waiting, whose copy *copy it is for: 0 is the last one. *response is owned by the
 * scratch set and valid until the next packet.
 */
enum ipmi_verdict ipmi_packet_check(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length,
				    fiid_obj_t *response, unsigned *copy);
/* Which copy of what is waited for has a number as in an answer, masked: 0 is the last one; -1: none. */
int ipmi_packet_copy(const struct ipmi_bmc *bmc, uint8_t number, uint8_t mask);
enum { IPMI_TAG_MASK = 0xff, IPMI_RQ_SEQ_MASK = IPMI_LAN_REQUESTER_SEQUENCE_NUMBER_MAX };
/* A field's value, 0 when it is not there. */
uint64_t ipmi_field(fiid_obj_t object, const char *name);

/* ---- resolve.c ---- */
/* Finds the BMC's addresses, then calls ipmi_session_start(), at once when the host is numeric. */
void ipmi_resolve(struct ipmi_bmc *bmc);
bool ipmi_resolve_numeric(struct ipmi_bmc *bmc);
bool ipmi_address_equal(const union ipmi_address *a, const union ipmi_address *b);

#endif
