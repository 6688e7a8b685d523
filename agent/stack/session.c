/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection to a hypervisor, from the attempt to its end: everything here but the last section is done by its own thread. */
#include "agent/stack/internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A connection that is silent for so long is dead: 5 s of silence, then two questions, 5 s for each. */
#define KEEPALIVE_S     5
#define KEEPALIVE_COUNT 2

#define POLL_MS  5000 /* between two lists of a hypervisor that has no events */
#define BUNCH_MS 50   /* events that come together make one list */
#define LOAD     4 /* lists that events make: at least so many times as long as one takes passes between them */

/* After it came up: a libvirtd that has just started finds out how its domains are, and tells nobody. */
static const uint64_t settle_ms[] = {1000, 4000, 16000};
#define SETTLE_COUNT (sizeof(settle_ms) / sizeof(*settle_ms))

#define NS_PER_MS UINT64_C(1000000)

uint64_t stack_now_ms(void)
{
	return uv_hrtime() / NS_PER_MS;
}

/* --- opening ------------------------------------------------------------------------------------ */

/* Nobody is there to be asked: what is not in libvirt's files or in an agent of ssh is not there. */
static int refuse_credentials(virConnectCredentialPtr credentials, unsigned count, void *data)
{
	(void)credentials;
	(void)count;
	(void)data;
	return -1;
}

/* Keepalive from the beginning: no call hangs for longer than it, unless the hypervisor keeps it. */
virConnectPtr stack_session_open(const struct stack_session *session, bool *remote,
				 struct stack_failure *failure)
{
	virConnectAuth auth = {.cb = refuse_credentials};
	virConnectPtr connection = virConnectOpenAuth(session->uri, &auth, 0);

	if (connection)
		*remote = virConnectSetKeepAlive(connection, KEEPALIVE_S, KEEPALIVE_COUNT) == 0;
	else
		stack_failure_get(failure, NULL, session->uri);
	return connection;
}

static const char *close_reason(int reason)
{
	switch (reason) {
	case VIR_CONNECT_CLOSE_REASON_EOF:
		return "the hypervisor has closed the connection";
	case VIR_CONNECT_CLOSE_REASON_KEEPALIVE:
		return "the hypervisor does not answer any more";
	default:
		return "the connection has broken";
	}
}

static void on_close(virConnectPtr connection, int reason, void *data)
{
	struct stack_failure failure;

	(void)connection;
	stack_failure_set(&failure, STACK_UNREACHABLE, close_reason(reason));
	stack_session_lose(data, &failure);
}

/* libvirt's own goes with the connection, which calls may outlive. */
static char *copy_type(virConnectPtr connection)
{
	const char *type = virConnectGetType(connection);

	return type ? strdup(type) : NULL;
}

/* 0, or -1 with failure. */
static int open_session(struct stack_session *session, struct stack_failure *failure)
{
	session->connection = stack_session_open(session, &session->remote, failure);
	if (!session->connection)
		return -1;
	/* It needs no reference: libvirt calls it and lets go of it under one lock, before close_session() has ended. */
	session->watches_close =
	    virConnectRegisterCloseCallback(session->connection, on_close, session, NULL) == 0;
	session->type = copy_type(session->connection);
	if (!session->type || stack_lifecycle_register(session) < 0) {
		stack_failure_get(failure, session->connection, session->uri);
		return -1;
	}
	session->up_ms = stack_now_ms();
	return stack_list(session, true, failure);
}

/* --- while it is up ----------------------------------------------------------------------------- */

static uint64_t interval_due_ms(const struct stack_session *session)
{
	uint64_t interval_ms = session->list_interval_ms;

	if (!session->has_events && interval_ms > POLL_MS)
		interval_ms = POLL_MS;
	return session->listed_ms + interval_ms;
}

static uint64_t list_due_ms(const struct stack_session *session)
{
	uint64_t due_ms = interval_due_ms(session);
	uint64_t settle_due_ms;

	if (session->look_wanted > session->looked)
		return 0;
	if (session->list_wanted)
		return session->listed_ms +
		       (session->list_took_ms * LOAD > BUNCH_MS ? session->list_took_ms * LOAD : BUNCH_MS);
	if (session->settled == SETTLE_COUNT)
		return due_ms;
	settle_due_ms = session->up_ms + settle_ms[session->settled];
	return settle_due_ms < due_ms ? settle_due_ms : due_ms;
}

/* Until there is something to do: whether that is a list. With details missing it does not wait. */
static bool wait_for_list(struct stack_session *session)
{
	uint64_t now_ms, due_ms;

	while (!session->quit && !session->lost) {
		now_ms = stack_now_ms();
		due_ms = list_due_ms(session);
		if (due_ms <= now_ms) {
			while (session->settled < SETTLE_COUNT &&
			       session->up_ms + settle_ms[session->settled] <= now_ms)
				session->settled++;
			return true;
		}
		if (session->details_at < session->handle_count)
			return false;
		uv_cond_timedwait(&session->changed, &session->mutex, (due_ms - now_ms) * NS_PER_MS);
	}
	return false;
}

/* 0 when it is told to quit, -1 with failure when the connection is lost or of no use. */
static int stay_up(struct stack_session *session, struct stack_failure *failure)
{
	bool list, quit, lost;

	for (;;) {
		uv_mutex_lock(&session->mutex);
		list = wait_for_list(session);
		quit = session->quit;
		lost = session->lost;
		if (lost)
			*failure = session->loss;
		uv_mutex_unlock(&session->mutex);
		if (quit)
			return 0;
		if (lost)
			return -1;
		if (!list) {
			stack_list_details(session);
		} else if (stack_list(session, false, failure) < 0) {
			return -1;
		}
	}
}

/* --- the end ------------------------------------------------------------------------------------ */

/* May last, when the hypervisor hangs. Calls of others that are under way keep the connection until they end. */
static void close_session(struct stack_session *session)
{
	stack_lanes_close(session);
	stack_list_free(session);
	if (!session->connection)
		return;
	stack_lifecycle_deregister(session);
	if (session->watches_close)
		virConnectUnregisterCloseCallback(session->connection, on_close);
	virConnectClose(session->connection);
}

static void run(void *data)
{
	struct stack_session *session = data;
	struct stack_failure failure = {.result = STACK_CANCELLED};

	if (open_session(session, &failure) == 0)
		stay_up(session, &failure);
	session->failure = failure;
	stack_session_ref(session); /* the message's */
	stack_mailbox_post(session->mailbox, &session->down);
	close_session(session);
	stack_session_unref(session);
}

/* --- any thread --------------------------------------------------------------------------------- */

struct stack_session *stack_session_ref(struct stack_session *session)
{
	atomic_fetch_add(&session->references, 1);
	return session;
}

void stack_session_unref(void *data)
{
	struct stack_session *session = data;

	if (atomic_fetch_sub(&session->references, 1) > 1)
		return;
	stack_mailbox_unref(session->mailbox);
	uv_cond_destroy(&session->idle);
	uv_cond_destroy(&session->changed);
	uv_mutex_destroy(&session->mutex);
	free(session->domains);
	free(session->uri);
	free(session->type);
	free(session);
	stack_object_freed();
}

static bool make_locks(struct stack_session *session)
{
	if (uv_mutex_init(&session->mutex) < 0)
		return false;
	if (uv_cond_init(&session->changed) == 0) {
		if (uv_cond_init(&session->idle) == 0)
			return true;
		uv_cond_destroy(&session->changed);
	}
	uv_mutex_destroy(&session->mutex);
	return false;
}

static struct stack_session *new_session(struct stack_mailbox *mailbox, const char *uri)
{
	struct stack_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->uri = stack_uri_quiet(uri);
	if (!session->uri || !make_locks(session)) {
		free(session->uri);
		free(session);
		return NULL;
	}
	session->mailbox = stack_mailbox_ref(mailbox);
	session->references = 1;
	session->lifecycle = session->reboot = -1;
	session->down.type = STACK_POST_DOWN;
	session->down.session = session;
	stack_object_made();
	return session;
}

struct stack_session *stack_session_start(struct stack_mailbox *mailbox, const char *uri,
					  unsigned list_interval_ms)
{
	struct stack_session *session = new_session(mailbox, uri);

	if (!session)
		return NULL;
	session->list_interval_ms = list_interval_ms;
	session->began_ms = stack_now_ms();
	stack_session_ref(session); /* the thread's */
	if (stack_thread_start(run, session) < 0) {
		stack_session_unref(session);
		stack_session_unref(session);
		return NULL;
	}
	return session;
}

void stack_session_quit(struct stack_session *session)
{
	uv_mutex_lock(&session->mutex);
	session->quit = true;
	uv_cond_signal(&session->changed);
	uv_mutex_unlock(&session->mutex);
}

void stack_session_lose(struct stack_session *session, const struct stack_failure *failure)
{
	uv_mutex_lock(&session->mutex);
	if (!session->lost) {
		session->lost = true;
		session->loss = *failure;
	}
	uv_cond_signal(&session->changed);
	uv_mutex_unlock(&session->mutex);
}

uint64_t stack_session_listing_ms(struct stack_session *session)
{
	uint64_t since_ms;

	uv_mutex_lock(&session->mutex);
	since_ms = session->list_began_ms ? stack_now_ms() - session->list_began_ms : 0;
	uv_mutex_unlock(&session->mutex);
	return since_ms;
}

uint64_t stack_session_look(struct stack_session *session)
{
	uint64_t look;

	uv_mutex_lock(&session->mutex);
	look = ++session->look_wanted;
	uv_cond_signal(&session->changed);
	uv_mutex_unlock(&session->mutex);
	return look;
}

void stack_session_want_list(struct stack_session *session)
{
	session->list_wanted = true;
	uv_cond_signal(&session->changed);
}

struct stack_message *stack_session_message(struct stack_session *session, enum stack_message_type type,
					    size_t count)
{
	struct stack_message *message = calloc(1, sizeof(*message));

	if (message && count)
		message->vms = calloc(count, sizeof(*message->vms));
	if (!message || (count && !message->vms)) {
		free(message);
		return NULL;
	}
	message->type = type;
	message->session = stack_session_ref(session);
	message->count = count;
	return message;
}

static void post(struct stack_session *session, struct stack_message *message)
{
	if (message) {
		stack_mailbox_post(session->mailbox, message);
		return;
	}
	session->lost = true;
	stack_failure_set(&session->loss, STACK_NO_MEMORY, "no memory for what the hypervisor tells");
	uv_cond_signal(&session->changed);
}

void stack_session_post_vm(struct stack_session *session, const struct stack_vm *vm)
{
	struct stack_message *message = stack_session_message(session, STACK_POST_VM, 1);

	if (message)
		message->vms[0] = *vm;
	post(session, message);
}

void stack_session_post_uuid(struct stack_session *session, enum stack_message_type type, const char *uuid,
			     bool migrated)
{
	struct stack_message *message = stack_session_message(session, type, 0);

	if (message) {
		memcpy(message->uuid, uuid, sizeof(message->uuid));
		message->migrated = migrated;
	}
	post(session, message);
}
