/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections for calls about VMs, one for each call that is under way. Not the session's own, for two reasons: a libvirt
 * daemon serves few requests of one connection at a time (max_client_requests in libvirtd.conf: 5) and reads nothing more
 * until one of them ends, so that some VMs that hang would silence the hypervisor; and when keepalive gives a connection up on
 * which two threads wait, libvirt (9.0, virnetclient.c) tells only one of them.
 */
#include "agent/stack/internal.h"

#include <stdlib.h>

#define LANES_MAX 16 /* 20 workers, the default of a daemon, hang with fewer calls than that and a list */
#define SPARE     4  /* beyond that, to destroy what hangs */
#define PATIENCE \
	100 /* milliseconds for which a call waits for another to end before one more connection is opened */
#define IDLE_MS 30000 /* so long unused, a connection is closed when another is given back */

#define NS_PER_MS UINT64_C(1000000)

struct stack_lane {
	struct stack_lane *next;
	virConnectPtr connection; /* NULL: could not be opened */
	bool busy;
	uint64_t idle_ms; /* stack_now_ms() since when it is not */
};

/* --- with session->mutex held -------------------------------------------------------------------- */

static unsigned limit(enum stack_command command)
{
	return command == STACK_DESTROY ? LANES_MAX + SPARE : LANES_MAX;
}

static struct stack_lane *idle_lane(const struct stack_session *session)
{
	struct stack_lane *lane = session->lanes;

	while (lane && lane->busy)
		lane = lane->next;
	return lane;
}

/* In a burst calls end within milliseconds. */
static void wait_for_idle(struct stack_session *session, enum stack_command command)
{
	uint64_t now_ms = stack_now_ms();
	const uint64_t until_ms = now_ms + PATIENCE;

	while (!session->closing && session->lanes && !idle_lane(session)) {
		if (now_ms < until_ms)
			uv_cond_timedwait(&session->idle, &session->mutex, (until_ms - now_ms) * NS_PER_MS);
		else if (session->lane_count >= limit(command))
			uv_cond_wait(&session->idle, &session->mutex);
		else
			return;
		now_ms = stack_now_ms();
	}
}

static struct stack_lane *add_lane(struct stack_session *session)
{
	struct stack_lane *lane = calloc(1, sizeof(*lane));

	if (!lane)
		return NULL;
	lane->next = session->lanes;
	session->lanes = lane;
	session->lane_count++;
	return lane;
}

static bool is_of_use(const struct stack_session *session, const struct stack_lane *lane)
{
	if (lane->busy)
		return true;
	return !session->closing && lane->connection && virConnectIsAlive(lane->connection) > 0 &&
	       stack_now_ms() - lane->idle_ms < IDLE_MS;
}

/* A list of those that are no longer needed. */
static struct stack_lane *take_useless(struct stack_session *session)
{
	struct stack_lane *useless = NULL, *lane;

	for (struct stack_lane **at = &session->lanes; (lane = *at);) {
		if (is_of_use(session, lane)) {
			at = &lane->next;
			continue;
		}
		*at = lane->next;
		session->lane_count--;
		lane->next = useless;
		useless = lane;
	}
	return useless;
}

/* --- any thread ------------------------------------------------------------------------------------ */

static void close_all(struct stack_lane *lanes)
{
	struct stack_lane *lane;

	while ((lane = lanes)) {
		lanes = lane->next;
		if (lane->connection)
			virConnectClose(lane->connection);
		free(lane);
	}
}

static struct stack_lane *choose(struct stack_session *session, enum stack_command command,
				 struct stack_failure *failure)
{
	struct stack_lane *lane = NULL;

	uv_mutex_lock(&session->mutex);
	wait_for_idle(session, command);
	if (session->closing) {
		stack_failure_set(failure, STACK_UNREACHABLE, "the connection is lost");
	} else {
		lane = idle_lane(session);
		if (!lane)
			lane = add_lane(session);
		if (!lane)
			stack_failure_set(failure, STACK_NO_MEMORY, "no memory");
	}
	if (lane)
		lane->busy = true;
	uv_mutex_unlock(&session->mutex);
	return lane;
}

/* A local driver needs none; and some of them give each connection VMs of its own. */
static virConnectPtr own_connection(struct stack_session *session, struct stack_failure *failure)
{
	virConnectPtr connection = NULL;

	uv_mutex_lock(&session->mutex);
	if (session->closing) {
		stack_failure_set(failure, STACK_UNREACHABLE, "the connection is lost");
	} else {
		connection = session->connection;
		virConnectRef(connection);
	}
	uv_mutex_unlock(&session->mutex);
	return connection;
}

virConnectPtr stack_lane_take(struct stack_session *session, enum stack_command command,
			      struct stack_lane **lane, struct stack_failure *failure)
{
	bool remote;

	*lane = NULL;
	if (!session->remote)
		return own_connection(session, failure);
	*lane = choose(session, command, failure);
	if (!*lane)
		return NULL;
	if (!(*lane)->connection)
		(*lane)->connection = stack_session_open(session, &remote, failure);
	return (*lane)->connection;
}

void stack_lane_give(struct stack_session *session, struct stack_lane *lane, virConnectPtr connection)
{
	struct stack_lane *useless;

	if (!lane) {
		if (connection)
			virConnectClose(connection);
		return;
	}
	uv_mutex_lock(&session->mutex);
	lane->busy = false;
	lane->idle_ms = stack_now_ms();
	useless = take_useless(session);
	uv_cond_broadcast(&session->idle);
	uv_mutex_unlock(&session->mutex);
	close_all(useless);
}

void stack_lanes_close(struct stack_session *session)
{
	struct stack_lane *useless;

	uv_mutex_lock(&session->mutex);
	session->closing = true;
	useless = take_useless(session);
	uv_cond_broadcast(&session->idle);
	uv_mutex_unlock(&session->mutex);
	close_all(useless);
}
