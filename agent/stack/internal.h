/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The libvirt driver from inside.
 *
 * Threads, and what each does:
 *   the loop's     connection.c, ops.c: struct stack_connection, its operations, timers, and all callbacks
 *   the event one  threads.c: libvirt's own event loop, one for the process: reads the sockets of connections, sends keepalives,
 *                  and calls lifecycle.c, which only writes down and posts
 *   a session's    session.c: one per attempt to connect and its connection afterwards: opens, registers, lists, closes
 *   a call's       operation.c, lane.c: one for each operation, for as long as the hypervisor keeps its call
 * All but the first hand over what they have through the connection's mailbox (mailbox.c). Nothing waits for a thread: it
 * keeps what it uses by references, and the last one frees it.
 */
#ifndef PM_STACK_INTERNAL_H
#define PM_STACK_INTERNAL_H

#include "agent/stack/stack.h"

#include <libvirt/libvirt.h>
#include <stdatomic.h>

#define STACK_TEXT_SIZE 256

struct stack_session;
struct stack_lane;
struct stack_call;

/* Why something did not work. */
struct stack_failure {
	enum stack_result result;
	char text[STACK_TEXT_SIZE]; /* one line, without secrets */
};

/* --- failure.c --------------------------------------------------------------------------------- */

/* What libvirt says in this thread of its last call on connection (NULL: of opening one). */
void stack_failure_get(struct stack_failure *failure, virConnectPtr connection, const char *uri);

void stack_failure_set(struct stack_failure *failure, enum stack_result result, const char *text);

/* Writes "***" over the password that uri may have, wherever it is in text of that size, and makes it one visible line. */
void stack_text_clean(char *text, size_t size, const char *uri);

/* uri as libvirt gets it, on the heap: ssh is told never to ask anybody anything. NULL: no memory. */
char *stack_uri_quiet(const char *uri);

/* --- domain.c: pure ---------------------------------------------------------------------------- */

/* What is known of one domain. */
struct stack_domain {
	struct stack_vm vm;
	bool detailed; /* cpus and memory_kib are those of its configuration, or of its life, as it is now */
	bool touched;  /* events have told of it since the list that is under way began */
	bool gone;     /* events have told that it is no more; a list that began before does not know that */
	bool migrated; /* its last life has gone to another hypervisor */
	uint64_t rebooted_ms; /* stack_now_ms() when it was last told so; 0: never */
};

enum stack_news {
	STACK_NEWS_NONE,
	STACK_NEWS_CHANGED,
	STACK_NEWS_GONE, /* it is no longer defined */
	STACK_NEWS_ENDED /* its life has ended and it is gone with it: both are news */
};

/* virDomainState with its reason, into state and active of vm, whose id and saved are known. */
void stack_domain_state(struct stack_vm *vm, int state, int reason);

/* virDomainEventType with its detail; id is the domain's from now on. */
enum stack_news stack_domain_event(struct stack_domain *domain, int event, int detail, int id);

/* Whether only a list can tell what the event means for what is known of the domain; NULL: it is not known. */
bool stack_event_needs_list(const struct stack_domain *domain, int event, int detail);

/* Ascending by UUID. */
void stack_domains_sort(struct stack_domain *domains, size_t count);
struct stack_domain *stack_domains_find(struct stack_domain *domains, size_t count, const char *uuid);

/*
 * A list that was collected while events came: what they have told since it began is newer, and details that are still good
 * are kept. Returns how many of fresh are left; *again: a new list is needed.
 */
size_t stack_domains_merge(const struct stack_domain *known, size_t known_count, struct stack_domain *fresh,
			   size_t fresh_count, bool *again);

/* --- mailbox.c --------------------------------------------------------------------------------- */

enum stack_message_type {
	STACK_POST_UP,   /* the session has connected: vms */
	STACK_POST_LIST, /* vms, looked */
	STACK_POST_VM,   /* vms[0] */
	STACK_POST_GONE,
	STACK_POST_REBOOTED,
	STACK_POST_DOWN, /* the session's last; part of it */
	STACK_POST_DONE  /* part of a call */
};

struct stack_message {
	struct stack_message *next;
	enum stack_message_type type;
	struct stack_session *session; /* a reference; STACK_POST_DONE: NULL */
	struct stack_call *call;       /* STACK_POST_DONE */
	struct stack_vm *vms;
	size_t count;
	uint64_t looked; /* the last look that had been asked for when the list began */
	char uuid[STACK_UUID_SIZE];
	bool migrated;
};

struct stack_mailbox;

/* ring is called on the loop when there is something; data stays the caller's. NULL: no memory. */
struct stack_mailbox *stack_mailbox_new(uv_loop_t *loop, void (*ring)(void *data), void *data);
struct stack_mailbox *stack_mailbox_ref(struct stack_mailbox *mailbox);
void stack_mailbox_unref(struct stack_mailbox *mailbox);

/* Any thread. Takes the message over; when the mailbox is closed it is disposed of. */
void stack_mailbox_post(struct stack_mailbox *mailbox, struct stack_message *message);

/* The loop's thread. The oldest message; NULL: none. */
struct stack_message *stack_mailbox_take(struct stack_mailbox *mailbox);

/* The loop's thread: rings again, in its next turn. */
void stack_mailbox_ring(struct stack_mailbox *mailbox);

/* The loop's thread: what is in it is disposed of; closed is called, on the loop, when that has let go of it. */
void stack_mailbox_close(struct stack_mailbox *mailbox, void (*closed)(void *data));

void stack_message_free(struct stack_message *message);

/* --- session.c --------------------------------------------------------------------------------- */

struct stack_session {
	atomic_uint references;
	struct stack_mailbox *mailbox;
	struct stack_message down; /* the last it posts */
	struct stack_failure failure;
	char *uri;
	unsigned list_interval_ms;

	/* the loop's alone */
	struct stack_session *next; /* of the connection's */
	uint64_t began_ms;

	/* Set while only its own thread knows it, and then left alone until its calls have ended. */
	virConnectPtr connection;
	char *type;  /* of the hypervisor: "QEMU", "LXC", ... */
	bool remote; /* by libvirt's protocol, which has keepalives and limits */
	bool has_events;

	/* its thread's alone */
	int lifecycle, reboot; /* libvirt's numbers of what is registered; -1: not */
	bool no_stats;         /* the hypervisor cannot tell of all at once */
	bool watches_close;
	virDomainPtr
	    *handles; /* of the last list; the details of those from details_at on have not been read since */
	size_t handle_count, details_at;
	size_t recheck_at;
	uint64_t up_ms, listed_ms, list_took_ms;
	size_t settled; /* lists made soon after it came up */

	uv_mutex_t mutex; /* of what follows */
	uv_cond_t changed;
	bool quit;    /* nobody wants it any more */
	bool closing; /* neither the connection nor the lanes are to be used any more */
	bool lost;
	struct stack_failure loss;
	bool list_wanted;
	uint64_t look_wanted, looked;
	struct stack_domain *domains; /* ascending by UUID, as far as is known now */
	size_t count;
	uint64_t list_began_ms; /* of the list that is under way; 0: none is */
	struct stack_lane *lanes;
	unsigned lane_count;
	uv_cond_t idle; /* one of them has become so */
};

/* In a thread of its own it connects, and posts from then on. NULL: no memory, or no thread. */
struct stack_session *stack_session_start(struct stack_mailbox *mailbox, const char *uri,
					  unsigned list_interval_ms);
struct stack_session *stack_session_ref(struct stack_session *session);
void stack_session_unref(void *session);

/* It ends as soon as it can. */
void stack_session_quit(struct stack_session *session);

/* For how long the list that is under way has been so; 0: none is. */
uint64_t stack_session_listing_ms(struct stack_session *session);

/* Asks for a list that begins after now; its message has at least the number that is returned. */
uint64_t stack_session_look(struct stack_session *session);

/* Any thread: another connection to the same hypervisor; *remote: by libvirt's protocol. NULL: failure. */
virConnectPtr stack_session_open(const struct stack_session *session, bool *remote,
				 struct stack_failure *failure);

/* Any thread: the connection is of no use any more. */
void stack_session_lose(struct stack_session *session, const struct stack_failure *failure);

/* Any thread, with session->mutex held: a list is to be made soon. */
void stack_session_want_list(struct stack_session *session);

/* A message of it, on the heap, with room for count VMs. NULL: no memory. */
struct stack_message *stack_session_message(struct stack_session *session, enum stack_message_type type,
					    size_t count);

/* Any thread, with session->mutex held. Without memory the session is lost. */
void stack_session_post_vm(struct stack_session *session, const struct stack_vm *vm);
void stack_session_post_uuid(struct stack_session *session, enum stack_message_type type, const char *uuid,
			     bool migrated);

uint64_t stack_now_ms(void); /* monotonic */

/* --- lifecycle.c ------------------------------------------------------------------------------- */

/* Registers for events; 0, or -1 with libvirt's error when they are supported and cannot be had. */
int stack_lifecycle_register(struct stack_session *session);
void stack_lifecycle_deregister(struct stack_session *session);

/* --- listing.c --------------------------------------------------------------------------------- */

/* Makes a list and posts it; 0, or -1 with failure. */
int stack_list(struct stack_session *session, bool first, struct stack_failure *failure);

/* Reads what is still missing of some domains and posts those. */
void stack_list_details(struct stack_session *session);

void stack_list_free(struct stack_session *session);

/* --- lane.c: a call's thread ------------------------------------------------------------------- */

/*
 * A connection for one call, which may hang without silencing others; NULL: failure. Given back with its lane in any case,
 * which may last when the hypervisor hangs.
 */
virConnectPtr stack_lane_take(struct stack_session *session, enum stack_command command,
			      struct stack_lane **lane, struct stack_failure *failure);
void stack_lane_give(struct stack_session *session, struct stack_lane *lane, virConnectPtr connection);

/* The session ends: those that no call uses are closed, the others by their call. */
void stack_lanes_close(struct stack_session *session);

/* --- connection.c, ops.c: the loop ------------------------------------------------------------- */

struct stack_connection {
	uv_loop_t *loop;
	struct stack_mailbox *mailbox;
	char *uri, *label;
	unsigned list_interval_ms;
	void (*on_event)(const struct stack_event *event, void *data);
	void *data;
	bool closed;

	struct stack_session *sessions; /* all that have not said that they are down */
	struct stack_session *attempt;  /* the last that was begun, while it is waited for */
	struct stack_session *up;
	struct pm_timer
	    *timer; /* until the attempt has taken too long, the next one, or a look at the lists */
	unsigned pause_ms;
	uint64_t up_ms, hurried_ms; /* stack_now_ms(); 0: never */
	struct stack_failure trouble;

	struct stack_op *ops;
	struct stack_call *calls; /* that have not returned */
};

/* In milliseconds; tests shorten them. */
extern struct stack_times {
	unsigned open_ms;  /* then another attempt is made beside the one that hangs */
	unsigned stale_ms; /* so old, an attempt has begun before what somebody hurries for */
	unsigned list_ms;  /* so long a list may take: a hypervisor that kills a VM that hangs needs 15 s */
	unsigned check_ms; /* how often that is looked at */
	unsigned pause_min_ms, pause_max_ms;
	unsigned hurried_ms,
	    hurried_pause_ms; /* for so long after somebody has hurried, pauses are no longer */
	unsigned steady_ms;   /* a connection that was up for so long was a good one: pauses begin anew */
} stack_times;

struct stack_op *stack_op_submit(struct stack_connection *connection, const struct stack_request *request);
void stack_op_cancel(struct stack_op *op);

/* All that wait end so. */
void stack_ops_end(struct stack_connection *connection, enum stack_result result, const char *text);

/* A list has been told that began after that look: those that waited for it end. */
void stack_ops_looked(struct stack_connection *connection, uint64_t looked);

/* A call has returned. */
void stack_ops_returned(struct stack_connection *connection, struct stack_call *call);

/* --- operation.c ------------------------------------------------------------------------------- */

/* One call of libvirt, or some, about one VM; its thread's from stack_call_start() until its STACK_POST_DONE is taken. */
struct stack_call {
	struct stack_message done;
	struct stack_session *session; /* a reference */
	enum stack_command command;
	char uuid[STACK_UUID_SIZE];
	bool agent;
	atomic_bool sent;
	struct stack_failure outcome; /* result may be STACK_OK */

	/* the loop's alone */
	struct stack_call *next; /* of the connection's */
	struct stack_op *op;     /* NULL: nobody waits for it any more */
};

/* NULL: no memory, or no thread. */
struct stack_call *stack_call_start(struct stack_session *session, const struct stack_request *request);
void stack_call_free(struct stack_call *call);

#define STACK_WAYS_MAX 3

/* How a guest of that type of hypervisor is asked to shut down or to reboot, as flags of libvirt, the best first. */
size_t stack_ways_to_ask(const char *type, bool agent, unsigned ways[STACK_WAYS_MAX]);

/* What the command is called in texts. */
const char *stack_command_name(enum stack_command command);

/* --- threads.c --------------------------------------------------------------------------------- */

/* The loop's thread: libvirt and its event thread are ready. false: they cannot be. */
bool stack_threads_prepare(void);

/* A thread that nobody waits for, but stack_threads_stop(). 0 or a negative errno value. */
int stack_thread_start(void (*run)(void *data), void *data);

/* Whatever must be gone before the event thread may end. */
void stack_object_made(void);
void stack_object_freed(void);

void stack_threads_stop(uv_loop_t *loop, unsigned wait_ms, void (*closed)(void *data), void *data);
bool stack_threads_abandoned(void);

#endif
