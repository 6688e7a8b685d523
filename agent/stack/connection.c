/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stack_libvirt: what its users see, on the loop's thread; sessions and calls do the work in theirs. */
#include "agent/stack/internal.h"

#include "agent/log.h"
#include "agent/text.h"
#include "agent/timer.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 16 /* attempts that hang, with the one that counts; each costs a thread */
#define LATER_MS \
	600000 /* until there is one more all the same, unless somebody waits; so much longer each time */
#define PAUSES_MAX 4   /* so many times longer is the pause between attempts that hang, at the most */
#define A_TURN     256 /* messages, before the loop does something else */

struct stack_times stack_times = {.open_ms = 30000,
				  .stale_ms = 5000,
				  .list_ms = 60000,
				  .check_ms = 10000,
				  .pause_min_ms = 1000,
				  .pause_max_ms = 60000,
				  .hurried_ms = 60000,
				  .hurried_pause_ms = 2000,
				  .steady_ms = 30000};

/* --- attempts ---------------------------------------------------------------------------------------- */

static void tell(struct stack_connection *connection, const struct stack_event *event)
{
	if (!connection->closed)
		connection->on_event(event, connection->data);
}

static void tell_down(struct stack_connection *connection)
{
	struct stack_failure copy = connection->trouble;

	tell(connection, &(struct stack_event){.type = STACK_DOWN, .result = copy.result, .text = copy.text});
}

static bool is_hurried(const struct stack_connection *connection)
{
	return connection->hurried_ms && stack_now_ms() - connection->hurried_ms < stack_times.hurried_ms;
}

static unsigned count_sessions(const struct stack_connection *connection)
{
	unsigned count = 0;

	for (const struct stack_session *session = connection->sessions; session; session = session->next)
		count++;
	return count;
}

/* Attempts that hang cost a thread each: the more there are, the longer the pause, within reason. */
static void wait_to_try_again(struct stack_connection *connection)
{
	unsigned pause_ms = connection->pause_ms, times = count_sessions(connection) + 1;

	connection->pause_ms =
	    pause_ms * 2 < stack_times.pause_max_ms ? pause_ms * 2 : stack_times.pause_max_ms;
	if (is_hurried(connection) && pause_ms > stack_times.hurried_pause_ms)
		pause_ms = stack_times.hurried_pause_ms;
	pause_ms *= times < PAUSES_MAX ? times : PAUSES_MAX;
	pm_timer_start(connection->timer, pause_ms + pm_jitter(pause_ms / 8 + 1));
}

static void failed(struct stack_connection *connection, const struct stack_failure *failure)
{
	connection->attempt = NULL;
	connection->trouble = *failure;
	wait_to_try_again(connection);
	pm_log(LOG_DEBUG, "%s: %s", connection->label, failure->text);
	tell_down(connection);
}

/* One that hangs may do so for ever, when the machine at the far end has lost its memory of it. */
static bool may_attempt(const struct stack_connection *connection)
{
	unsigned count = count_sessions(connection);
	uint64_t later_ms =
	    is_hurried(connection) ? stack_times.open_ms : (uint64_t)(count + 1 - SESSIONS_MAX) * LATER_MS;

	return count < SESSIONS_MAX || stack_now_ms() - connection->sessions->began_ms >= later_ms;
}

static void begin_attempt(struct stack_connection *connection)
{
	struct stack_failure failure;
	struct stack_session *session;

	if (!may_attempt(connection)) {
		stack_failure_set(&failure, STACK_UNREACHABLE,
				  "attempts to connect hang: it takes the connection and says nothing");
		failed(connection, &failure);
		return;
	}
	session = stack_session_start(connection->mailbox, connection->uri, connection->list_interval_ms);
	if (!session) {
		stack_failure_set(&failure, STACK_NO_MEMORY, "no thread for another attempt to connect");
		failed(connection, &failure);
		return;
	}
	session->next = connection->sessions;
	connection->sessions = session;
	connection->attempt = session;
	pm_timer_start(connection->timer, stack_times.open_ms);
}

static void unlink_session(struct stack_connection *connection, const struct stack_session *session)
{
	struct stack_session **at = &connection->sessions;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
}

static void quit_others(struct stack_connection *connection, const struct stack_session *session)
{
	for (struct stack_session *other = connection->sessions; other; other = other->next)
		if (other != session)
			stack_session_quit(other);
}

/* --- what sessions post ------------------------------------------------------------------------------- */

static void session_listed(struct stack_connection *connection, const struct stack_message *message)
{
	tell(connection,
	     &(struct stack_event){.type = STACK_LIST, .vms = message->vms, .count = message->count});
	if (!connection->closed)
		stack_ops_looked(connection, message->looked);
}

/* Of attempts that were made beside each other, the first wins. */
static void session_up(struct stack_connection *connection, const struct stack_message *message)
{
	if (connection->up) {
		stack_session_quit(message->session);
		return;
	}
	connection->up = message->session;
	connection->up_ms = stack_now_ms();
	connection->attempt = NULL;
	pm_timer_start(connection->timer, stack_times.check_ms);
	quit_others(connection, message->session);
	pm_log(LOG_DEBUG, "%s: connected, %zu VMs", connection->label, message->count);
	tell(connection, &(struct stack_event){.type = STACK_UP});
	session_listed(connection, message);
}

/* Its session may be gone before this returns. */
static void lost(struct stack_connection *connection, const struct stack_failure *failure)
{
	struct stack_failure copy = *failure;

	connection->up = NULL;
	if (stack_now_ms() - connection->up_ms >= stack_times.steady_ms)
		connection->pause_ms = stack_times.pause_min_ms;
	failed(connection, &copy);
	if (!connection->closed)
		stack_ops_end(connection, STACK_UNREACHABLE, copy.text);
}

static void session_down(struct stack_connection *connection, struct stack_session *session)
{
	unlink_session(connection, session);
	if (session == connection->up)
		lost(connection, &session->failure);
	else if (session == connection->attempt)
		failed(connection, &session->failure);
	stack_session_unref(session); /* the list's */
}

/* From a session that counts. */
static void session_told(struct stack_connection *connection, const struct stack_message *message)
{
	switch (message->type) {
	case STACK_POST_LIST:
		session_listed(connection, message);
		break;
	case STACK_POST_VM:
		tell(connection, &(struct stack_event){.type = STACK_VM, .vms = message->vms, .count = 1});
		break;
	case STACK_POST_GONE:
		tell(connection, &(struct stack_event){.type = STACK_VM_GONE,
						       .uuid = message->uuid,
						       .migrated = message->migrated});
		break;
	default:
		tell(connection, &(struct stack_event){.type = STACK_REBOOTED, .uuid = message->uuid});
		break;
	}
}

static void take(struct stack_connection *connection, const struct stack_message *message)
{
	switch (message->type) {
	case STACK_POST_DONE:
		stack_ops_returned(connection, message->call);
		break;
	case STACK_POST_UP:
		session_up(connection, message);
		break;
	case STACK_POST_DOWN:
		session_down(connection, message->session);
		break;
	default:
		if (message->session == connection->up)
			session_told(connection, message);
		break;
	}
}

static void on_ring(void *data)
{
	struct stack_connection *connection = data;
	struct stack_message *message;

	for (unsigned i = 0; i < A_TURN && !connection->closed; i++) {
		message = stack_mailbox_take(connection->mailbox);
		if (!message)
			return;
		take(connection, message);
		stack_message_free(message);
	}
	if (!connection->closed)
		stack_mailbox_ring(connection->mailbox);
}

/* --- timer ------------------------------------------------------------------------------------------ */

/* Whatever keeps a list for so long, and whatever keepalive says: of such a hypervisor nothing is known. */
static void check_list(struct stack_connection *connection)
{
	struct stack_failure failure;

	pm_timer_start(connection->timer, stack_times.check_ms);
	if (stack_session_listing_ms(connection->up) < stack_times.list_ms)
		return;
	stack_failure_set(&failure, STACK_TIMEOUT, "the hypervisor does not answer when asked for its VMs");
	stack_session_quit(connection->up);
	lost(connection, &failure);
}

static void on_timer(void *data)
{
	struct stack_connection *connection = data;
	struct stack_failure failure;

	if (connection->up) {
		check_list(connection);
	} else if (!connection->attempt) {
		begin_attempt(connection);
	} else {
		stack_failure_set(&failure, STACK_TIMEOUT, "the hypervisor does not answer");
		failed(connection, &failure);
	}
}

/* --- open and close ------------------------------------------------------------------------------------ */

static void free_connection(struct stack_connection *connection)
{
	pm_timer_free(connection->timer);
	free(connection->uri);
	free(connection->label);
	free(connection);
}

static bool fill(struct stack_connection *connection, uv_loop_t *loop, const struct stack_options *options)
{
	connection->loop = loop;
	connection->uri = strdup(options->uri);
	connection->label = strdup(options->label);
	connection->list_interval_ms = options->list_interval_ms;
	connection->on_event = options->on_event;
	connection->data = options->data;
	connection->pause_ms = stack_times.pause_min_ms;
	stack_failure_set(&connection->trouble, STACK_UNREACHABLE, "not yet connected");
	connection->timer = pm_timer_new(loop, on_timer, connection);
	if (!connection->uri || !connection->label || !connection->timer || !stack_threads_prepare())
		return false;
	connection->mailbox = stack_mailbox_new(loop, on_ring, connection);
	return connection->mailbox != NULL;
}

static struct stack_connection *libvirt_open(uv_loop_t *loop, const struct stack_options *options)
{
	struct stack_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	if (!fill(connection, loop, options)) {
		free_connection(connection);
		return NULL;
	}
	pm_timer_start(connection->timer, 0);
	return connection;
}

static void on_mailbox_closed(void *data)
{
	struct stack_connection *connection = data;

	connection->timer = NULL;
	free_connection(connection);
}

static void libvirt_close(struct stack_connection *connection)
{
	struct stack_session *session;

	connection->closed = true;
	stack_ops_end(connection, STACK_CANCELLED, "the connection is closed");
	quit_others(connection, NULL);
	connection->up = NULL;
	while ((session = connection->sessions)) {
		connection->sessions = session->next;
		stack_session_unref(session);
	}
	pm_timer_free(connection->timer);
	stack_mailbox_close(connection->mailbox, on_mailbox_closed);
}

static void libvirt_hurry(struct stack_connection *connection)
{
	const struct stack_session *attempt = connection->attempt;

	if (connection->up)
		return;
	connection->hurried_ms = stack_now_ms();
	if (attempt && stack_now_ms() - attempt->began_ms < stack_times.stale_ms)
		return;
	connection->attempt = NULL; /* if it succeeds after all, it counts */
	pm_timer_start(connection->timer, 0);
}

const struct stack_driver stack_libvirt = {
    .name = "libvirt",
    .open = libvirt_open,
    .close = libvirt_close,
    .hurry = libvirt_hurry,
    .submit = stack_op_submit,
    .cancel = stack_op_cancel,
    .stop = stack_threads_stop,
    .abandoned = stack_threads_abandoned,
};
