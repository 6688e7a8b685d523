/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/agentx.h"

#include "agent/log.h"
#include "agent/mib/mib.h"
#include "agent/mib/notification.h"

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/library/large_fd_set.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PING_INTERVAL_S      15
#define RECONNECT_INTERVAL_S 1
#define REFUSED_INTERVAL_S   10
#define SESSION_TIMEOUT_US \
	333333L /* open, register and ping block net-snmp's caller: short, without retries */
#define NOTIFY_TIMEOUT_US 10000000L
#define AGENTX_NOTIFY     12 /* h.type, RFC 2741, 6.1: net-snmp does not install the header that names it */
#define PUMP_ROUNDS       64 /* reads in one go, before other work gets its turn */
#define WATCHERS_MAX      16

static struct {
	struct pm_agent *agent;
	uv_poll_t *watchers[WATCHERS_MAX];
	int fds[WATCHERS_MAX];
	size_t watcher_count;
	struct pm_timer *timer;
	netsnmp_large_fd_set set;
	unsigned epoch,
	    watched_epoch;      /* sessions come and go; a socket number may come back as another socket */
	bool connected, served; /* a session is open; and every table is registered in it, which was told */
	bool refused, refusal_told, slowness_told;
	bool abandoned; /* this session is being closed again */
	bool
	    unregistered; /* the master did not answer a registration in time: it is not known what it serves */
	netsnmp_session *session;
	char master[256];
} agentx;

static void pump(void);

/* --- libuv watches what net-snmp has open ----------------------------------------------------- */

static void on_readable(uv_poll_t *handle, int status, int events)
{
	(void)handle;
	(void)status;
	(void)events;
	pump();
}

static void on_timer(void *data)
{
	(void)data;
	snmp_timeout();
	pump();
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void unwatch(size_t i)
{
	uv_close((uv_handle_t *)agentx.watchers[i], free_handle);
	agentx.watcher_count--;
	agentx.watchers[i] = agentx.watchers[agentx.watcher_count];
	agentx.fds[i] = agentx.fds[agentx.watcher_count];
}

static void watch(int fd)
{
	uv_poll_t *watcher;

	for (size_t i = 0; i < agentx.watcher_count; i++)
		if (agentx.fds[i] == fd)
			return;
	if (agentx.watcher_count == WATCHERS_MAX || !(watcher = calloc(1, sizeof(*watcher))))
		return;
	if (uv_poll_init(agentx.agent->loop, watcher, fd) < 0) {
		free(watcher);
		return;
	}
	uv_poll_start(watcher, UV_READABLE, on_readable);
	agentx.watchers[agentx.watcher_count] = watcher;
	agentx.fds[agentx.watcher_count++] = fd;
}

static void unwatch_all(void)
{
	while (agentx.watcher_count)
		unwatch(0);
}

static void resynchronise(int fd_count, const struct timeval *timeout, int block)
{
	if (agentx.watched_epoch != agentx.epoch)
		unwatch_all();
	agentx.watched_epoch = agentx.epoch;
	for (size_t i = agentx.watcher_count; i-- > 0;)
		if (agentx.fds[i] >= fd_count || !NETSNMP_LARGE_FD_ISSET(agentx.fds[i], &agentx.set))
			unwatch(i);
	for (int fd = 0; fd < fd_count; fd++)
		if (NETSNMP_LARGE_FD_ISSET(fd, &agentx.set))
			watch(fd);
	if (block)
		pm_timer_stop(agentx.timer);
	else
		pm_timer_start(agentx.timer,
			       (uint64_t)timeout->tv_sec * 1000 + (uint64_t)timeout->tv_usec / 1000 + 1);
}

/* Ends a session in which not every table is registered; the next one is opened in a while. */
static void reconnect(void)
{
	netsnmp_transport *transport =
	    agentx.session ? snmp_sess_transport(snmp_sess_pointer(agentx.session)) : NULL;

	if (!agentx.refused && !agentx.slowness_told)
		pm_log(LOG_WARNING,
		       "the master agent at %s is too slow to register all tables: trying every second",
		       agentx.master);
	else if (agentx.refused && !agentx.refusal_told)
		pm_log(LOG_ERR,
		       "the master agent at %s does not register PMSTACK-MIB, another agent serves it there: "
		       "nothing is served until that one has gone; tried again every %d s",
		       agentx.master, REFUSED_INTERVAL_S);
	agentx.refusal_told |= agentx.refused;
	agentx.slowness_told |= !agentx.refused;
	if (transport)
		shutdown(transport->sock, SHUT_RDWR);
}

static void check_registration(void)
{
	bool failed = agentx.refused || agentx.unregistered;

	if (!agentx.connected || agentx.served || agentx.abandoned)
		return;
	if (failed) {
		agentx.abandoned = true;
		reconnect();
		return;
	}
	agentx.served = true;
	agentx.refusal_told = agentx.slowness_told = false;
	pm_log(LOG_NOTICE, "connected to the master agent at %s", agentx.master);
	pm_notify_connected(agentx.agent, true);
}

/* What net-snmp waits for: its sockets, and how long; returns the number of the highest socket plus one. */
static int wanted(struct timeval *timeout, int *block)
{
	int fd_count = 0;

	*block = 0;
	*timeout = (struct timeval){3600, 0};
	NETSNMP_LARGE_FD_ZERO(&agentx.set);
	snmp_select_info2(&fd_count, &agentx.set, timeout, block);
	return fd_count;
}

/*
 * What comes from the master goes through a pipe of net-snmp's before it is handled. That is emptied first: else the
 * end of the session overtakes the CleanupSet before it, and a SET that the manager was told to be done is undone.
 */
static void after_what_was_read(int fd_count)
{
	netsnmp_transport *transport =
	    agentx.session ? snmp_sess_transport(snmp_sess_pointer(agentx.session)) : NULL;

	if (!transport)
		return;
	for (int fd = 0; fd < fd_count; fd++)
		if (fd != transport->sock && NETSNMP_LARGE_FD_ISSET(fd, &agentx.set)) {
			NETSNMP_LARGE_FD_CLR(transport->sock, &agentx.set);
			return;
		}
}

/* Reads and answers until nothing more is there; then libuv watches what is open now. */
static void pump(void)
{
	struct timeval timeout;
	int block = 0, ready = 1;

	for (int round = 0; round < PUMP_ROUNDS && ready > 0; round++) {
		int fd_count = wanted(&timeout, &block);

		ready =
		    netsnmp_large_fd_set_select(fd_count, &agentx.set, NULL, NULL, &(struct timeval){0, 0});
		if (ready > 0) {
			after_what_was_read(fd_count);
			snmp_read2(&agentx.set);
		}
		netsnmp_check_outstanding_agent_requests();
		run_alarms();
	}
	/* net-snmp asks one number both for pings and for reconnecting: long when a session opens, short afterwards */
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
			   agentx.refused ? REFUSED_INTERVAL_S : RECONNECT_INTERVAL_S);
	check_registration();
	resynchronise(wanted(&timeout, &block), &timeout, block);
}

/* --- what net-snmp tells us ------------------------------------------------------------------- */

static int on_session_init(int major, int minor, void *server, void *client)
{
	netsnmp_session *session = server;

	(void)major;
	(void)minor;
	(void)client;
	if (session->flags & SNMP_FLAGS_STREAM_SOCKET) {
		session->timeout = SESSION_TIMEOUT_US;
		session->retries = 0;
	}
	return 0;
}

static int on_connected(int major, int minor, void *server, void *client)
{
	(void)major;
	(void)minor;
	(void)client;
	agentx.session = server;
	agentx.epoch++;
	agentx.connected = true;
	pm_mib_set_epoch();
	agentx.refused = agentx.unregistered = agentx.served = agentx.abandoned = false;
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL, PING_INTERVAL_S);
	return 0;
}

static int on_disconnected(int major, int minor, void *server, void *client)
{
	(void)major;
	(void)minor;
	(void)server;
	(void)client;
	if (agentx.served && !agentx.agent->stopping)
		pm_log(LOG_WARNING, "the master agent at %s has gone; trying to reach it every second",
		       agentx.master);
	agentx.session = NULL;
	agentx.epoch++;
	agentx.connected = agentx.served = false;
	pm_notify_connected(agentx.agent, false);
	pm_table_abort_sets();
	return 0;
}

/* Called after net-snmp's own callback, which has just tried to register a table with the master. */
static int on_registered(int major, int minor, void *server, void *client)
{
	(void)major;
	(void)minor;
	(void)server;
	(void)client;
	if (agentx.session && agentx.session->s_snmp_errno == SNMPERR_TIMEOUT)
		agentx.unregistered = true;
	return 0;
}

/* net-snmp's own messages are for debugging; the one that matters is a refused registration. */
static int on_log(int major, int minor, void *server, void *client)
{
	const struct snmp_log_message *message = server;
	int length = (int)strcspn(message->msg, "\n");

	(void)major;
	(void)minor;
	(void)client;
	if (strncmp(message->msg, "registering pdu failed", 22) == 0)
		agentx.refused = true;
	pm_log(LOG_DEBUG, "net-snmp: %.*s", length, message->msg);
	return 0;
}

/* --- public ----------------------------------------------------------------------------------- */

static void set_options(const char *master)
{
	setenv("MIBS", "", 1); /* names are not needed here: no MIB file is read */
	netsnmp_enable_subagent();
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, master);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG, 1);
	netsnmp_ds_set_int(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_OID_OUTPUT_FORMAT,
			   NETSNMP_OID_OUTPUT_NUMERIC);
}

int pm_agentx_start(struct pm_agent *agent, const char *master, struct pm_error *err)
{
	int error;

	agentx.agent = agent;
	netsnmp_large_fd_set_init(&agentx.set, FD_SETSIZE);
	snprintf(agentx.master, sizeof(agentx.master), "%s", master);
	agentx.timer = pm_timer_new(agent->loop, on_timer, NULL);
	if (!agentx.timer || pm_notify_new(agent, pm_notification_send) < 0)
		return pm_fail(err, ENOMEM, "no memory");
	snmp_disable_stderrlog();
	snmp_enable_calllog();
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, on_log, NULL);
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_SESSION_INIT, on_session_init, NULL);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_START, on_connected, NULL);
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, on_disconnected, NULL);
	netsnmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_REGISTER_OID, on_registered, NULL,
				  NETSNMP_CALLBACK_LOWEST_PRIORITY);
	set_options(master);
	if (init_agent("pmstackd") != 0)
		return pm_fail(err, EIO, "net-snmp's agent library can not be initialised");
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
			   RECONNECT_INTERVAL_S);
	error = pm_mib_register(agent, err);
	if (error)
		return error;
	init_snmp("pmstackd");
	pump();
	if (!agentx.connected && !agentx.refused)
		pm_log(LOG_WARNING, "no master agent answers at %s yet; trying to reach it every second",
		       master);
	return 0;
}

void pm_agentx_stop(void)
{
	if (!agentx.agent)
		return;
	snmp_shutdown("pmstackd");
	on_disconnected(0, 0, NULL, NULL); /* net-snmp does not tell: nothing may be sent any more */
	unwatch_all();
	pm_timer_free(agentx.timer);
	agentx.timer = NULL;
	netsnmp_large_fd_set_cleanup(&agentx.set);
	pm_mib_free();
	agentx.agent = NULL;
}

/* --- notifications ---------------------------------------------------------------------------- */

static int on_notify_response(int operation, netsnmp_session *session, int request, netsnmp_pdu *pdu,
			      void *magic)
{
	(void)session;
	(void)request;
	(void)pdu;
	if (agentx.agent)
		pm_notify_acknowledged(agentx.agent, (uint64_t)(uintptr_t)magic,
				       operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE);
	return 1;
}

/* net-snmp does not tell when the socket is full. */
static bool writable(void)
{
	netsnmp_transport *transport = snmp_sess_transport(snmp_sess_pointer(agentx.session));
	struct pollfd fd = {.fd = transport ? transport->sock : -1, .events = POLLOUT};

	return poll(&fd, 1, 0) == 1 && fd.revents == POLLOUT;
}

int pm_agentx_notify(struct variable_list *varbinds, uint64_t id)
{
	long timeout_us;
	netsnmp_pdu *pdu;
	int sent;

	pdu = agentx.session && writable() ? snmp_pdu_create(AGENTX_NOTIFY) : NULL;
	if (!pdu) {
		snmp_free_varbind(varbinds);
		return -EAGAIN;
	}
	pdu->variables = varbinds;
	pdu->version = agentx.session->version;
	pdu->sessid = agentx.session->sessid;
	timeout_us = agentx.session->timeout;
	agentx.session->timeout = NOTIFY_TIMEOUT_US;
	sent = snmp_async_send(agentx.session, pdu, on_notify_response, (void *)(uintptr_t)id);
	agentx.session->timeout = timeout_us;
	if (sent)
		return 1;
	snmp_free_pdu(pdu);
	return -EIO;
}

bool pm_agentx_connected(void)
{
	return agentx.served;
}
