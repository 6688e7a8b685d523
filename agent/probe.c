/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probes: name lookup, echo requests or connects to every address found, one answer or the timeout. */
#include "agent/probe.h"

#include "agent/error.h"
#include "agent/icmp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUCKETS       1024 /* probes by cookie; a power of two */
#define ADDRESSES_MAX 4    /* of one name, asked all at once */
#define REPEAT_MS     1000
#define LOOKUPS_MAX   8
#define RECEIVE_BUNCH 4096 /* replies in one turn of the loop */

struct echo {
	struct pm_icmp_socket icmp;
	uv_poll_t poll;
	bool open;
};

struct pm_prober {
	uv_loop_t *loop;
	struct echo echo4, echo6;
	struct pm_probe *all; /* not over yet */
	struct pm_probe *buckets[BUCKETS];
	unsigned lookups;      /* under way, also those that nobody waits for any more */
	uint64_t looked_up_ms; /* on the loop's clock: when the name servers last said something; 0: never */
	TAILQ_HEAD(probe_queue, pm_probe) queue; /* for a look-up */
	unsigned alive;                          /* probes, connections, lookups and sockets not yet freed */
	void (*closed)(void *data);
	void *closed_data;
	bool closing;
};

struct lookup {
	uv_getaddrinfo_t request;
	struct pm_prober *prober;
	struct pm_probe *probe; /* NULL when nobody waits for it any more */
};

struct connection {
	uv_tcp_t tcp;
	uv_connect_t request;
	struct pm_prober *prober;
	struct pm_probe *probe;
	size_t slot;
};

struct pm_probe {
	struct pm_probe *next, **link; /* in prober->all */
	struct pm_probe *bucket_next;
	struct pm_prober *prober;
	enum pm_probe_kind kind;
	char host[256];
	uint16_t port;
	uv_timer_t timer;
	unsigned timeout_ms;
	uint64_t deadline; /* ms, on the loop's clock; waiting for a look-up to begin does not count */
	struct lookup *lookup;
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	size_t address_count;
	struct connection *connections[ADDRESSES_MAX];
	uint8_t cookie[PM_ICMP_COOKIE];
	uint16_t sequence; /* of the last request */
	bool asked;        /* at least one question left this host */
	bool last_look;    /* the deadline has passed */
	bool queued;       /* in prober->queue: waits until another look-up has ended */
	TAILQ_ENTRY(pm_probe) queue_entry;
	bool over;
	struct pm_error err; /* why the last question could not be asked */
	pm_probe_fn done;
	void *data;
};

/* --- the end of things ------------------------------------------------------------------------ */

static void finish_prober(struct pm_prober *prober)
{
	void (*closed)(void *data) = prober->closed;
	void *data = prober->closed_data;

	free(prober);
	if (closed)
		closed(data);
}

static void let_go(struct pm_prober *prober)
{
	if (--prober->alive == 0 && prober->closing)
		finish_prober(prober);
}

static void on_probe_closed(uv_handle_t *handle)
{
	struct pm_probe *probe = handle->data;
	struct pm_prober *prober = probe->prober;

	free(probe);
	let_go(prober);
}

static void on_connection_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	struct pm_prober *prober = connection->prober;

	free(connection);
	let_go(prober);
}

static void close_connection(struct connection *connection)
{
	if (connection->probe)
		connection->probe->connections[connection->slot] = NULL;
	connection->probe = NULL;
	uv_close((uv_handle_t *)&connection->tcp, on_connection_closed);
}

static struct pm_probe **bucket_of(struct pm_prober *prober, const uint8_t *cookie)
{
	return &prober->buckets[(size_t)(cookie[0] | cookie[1] << 8) % BUCKETS];
}

static void unlink_probe(struct pm_probe *probe)
{
	struct pm_probe **at = bucket_of(probe->prober, probe->cookie);

	*probe->link = probe->next;
	if (probe->next)
		probe->next->link = probe->link;
	while (*at != probe)
		at = &(*at)->bucket_next;
	*at = probe->bucket_next;
}

static void leave_queue(struct pm_probe *probe)
{
	if (probe->queued)
		TAILQ_REMOVE(&probe->prober->queue, probe, queue_entry);
	probe->queued = false;
}

static void finish(struct pm_probe *probe, enum pm_probe_result result, const char *text)
{
	probe->over = true;
	unlink_probe(probe);
	leave_queue(probe);
	for (size_t i = 0; i < ADDRESSES_MAX; i++)
		if (probe->connections[i])
			close_connection(probe->connections[i]);
	if (probe->lookup) {
		probe->lookup->probe = NULL;
		uv_cancel((uv_req_t *)&probe->lookup->request);
	}
	uv_close((uv_handle_t *)&probe->timer, on_probe_closed);
	probe->done(result, text, probe->data);
}

static void finish_up(struct pm_probe *probe, const struct sockaddr_storage *from, const char *what)
{
	char address[INET6_ADDRSTRLEN] = "", text[128];

	uv_ip_name((const struct sockaddr *)from, address, sizeof(address));
	snprintf(text, sizeof(text), "%s %s", address, what);
	finish(probe, PM_PROBE_UP, text);
}

static void finish_timeout(struct pm_probe *probe)
{
	char text[512];

	if (probe->lookup) {
		snprintf(text, sizeof(text), "looking up \"%s\" takes too long: check the name servers",
			 probe->host);
		finish(probe, PM_PROBE_ERROR, text);
	} else if (!probe->asked && probe->err.text[0]) {
		finish(probe, PM_PROBE_ERROR, probe->err.text);
	} else {
		snprintf(text, sizeof(text), "no answer from %s", probe->host);
		finish(probe, PM_PROBE_SILENT, text);
	}
}

/* --- ICMP ------------------------------------------------------------------------------------- */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a, *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a, *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static bool asked_of(const struct pm_probe *probe, const struct sockaddr_storage *from)
{
	for (size_t i = 0; i < probe->address_count; i++)
		if (same_address(&probe->addresses[i], from))
			return true;
	return false;
}

static void reply_received(struct pm_prober *prober, const struct pm_icmp_reply *reply,
			   const struct sockaddr_storage *from)
{
	struct pm_probe *probe = *bucket_of(prober, reply->cookie);

	while (probe && memcmp(probe->cookie, reply->cookie, PM_ICMP_COOKIE) != 0)
		probe = probe->bucket_next;
	if (probe && reply->sequence >= 1 && reply->sequence <= probe->sequence && asked_of(probe, from))
		finish_up(probe, from, "answered an echo request");
}

static void receive(struct pm_prober *prober, struct echo *echo)
{
	uint8_t packet[256];
	struct pm_icmp_reply reply;
	struct sockaddr_storage from = {0};
	socklen_t from_length;
	ssize_t length;

	for (int i = 0; i < RECEIVE_BUNCH && !prober->closing; i++) {
		from_length = sizeof(from);
		length = recvfrom(echo->icmp.fd, packet, sizeof(packet), 0, (struct sockaddr *)&from,
				  &from_length);
		if (length < 0)
			return;
		if (pm_icmp_parse(echo->icmp.family, echo->icmp.raw && echo->icmp.family == AF_INET, packet,
				  (size_t)length, &reply) &&
		    reply.identifier == echo->icmp.identifier)
			reply_received(prober, &reply, &from);
	}
}

static void on_echo_readable(uv_poll_t *poll, int status, int events)
{
	struct pm_prober *prober = poll->data;
	struct echo *echo = poll == &prober->echo4.poll ? &prober->echo4 : &prober->echo6;
	socklen_t length = sizeof(status);

	(void)events;
	/* libuv stops polling on a socket error; reading the error clears it. */
	if (status < 0 && getsockopt(echo->icmp.fd, SOL_SOCKET, SO_ERROR, &status, &length) == 0)
		uv_poll_start(poll, UV_READABLE, on_echo_readable);
	receive(prober, echo);
}

static int open_echo(struct pm_prober *prober, struct echo *echo, int family, struct pm_error *err)
{
	int rc;

	if (echo->open)
		return 0;
	rc = pm_icmp_open(family, &echo->icmp, err);
	if (rc < 0)
		return rc;
	rc = uv_poll_init(prober->loop, &echo->poll, echo->icmp.fd);
	if (rc < 0) {
		close(echo->icmp.fd);
		return pm_fail(err, -rc, "cannot wait for ICMP: %s", uv_strerror(rc));
	}
	echo->poll.data = prober;
	echo->open = true;
	prober->alive++;
	uv_poll_start(&echo->poll, UV_READABLE, on_echo_readable);
	return 0;
}

static int send_echo(struct pm_probe *probe, size_t slot)
{
	const struct sockaddr_storage *to = &probe->addresses[slot];
	bool v4 = to->ss_family == AF_INET;
	struct echo *echo = v4 ? &probe->prober->echo4 : &probe->prober->echo6;
	uint8_t packet[PM_ICMP_REQUEST];
	int rc = open_echo(probe->prober, echo, to->ss_family, &probe->err);

	if (rc < 0)
		return rc;
	pm_icmp_request(to->ss_family, echo->icmp.identifier, probe->sequence, probe->cookie, packet);
	if (sendto(echo->icmp.fd, packet, sizeof(packet), 0, (const struct sockaddr *)to,
		   v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)) >= 0)
		return 0;
	return pm_fail(&probe->err, errno, "cannot send an echo request to %s: %s", probe->host,
		       strerror(errno));
}

/* --- TCP -------------------------------------------------------------------------------------- */

/* Whether a refusal came as an ICMP error from somebody who is not the host, such as a firewall on the way.
 */
static bool refused_by_other(int fd, const struct sockaddr_storage *host)
{
	_Alignas(struct cmsghdr) uint8_t control[256];
	uint8_t data[64];
	struct iovec vector = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr message = {
	    .msg_iov = &vector,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control),
	};
	const struct sock_extended_err *error;
	struct sockaddr_storage offender = {0};
	const struct cmsghdr *c;

	if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	c = CMSG_FIRSTHDR(&message);
	if (!c)
		return false;
	error = (const struct sock_extended_err *)CMSG_DATA(c);
	if (error->ee_origin != SO_EE_ORIGIN_ICMP && error->ee_origin != SO_EE_ORIGIN_ICMP6)
		return false;
	memcpy(&offender, SO_EE_OFFENDER(error),
	       host->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	return !same_address(&offender, host);
}

static void on_connected(uv_connect_t *request, int status)
{
	struct connection *connection = request->data;
	struct pm_probe *probe = connection->probe;
	struct sockaddr_storage *host;
	uv_os_fd_t fd;

	if (!probe)
		return;
	host = &probe->addresses[connection->slot];
	if (status == 0) {
		finish_up(probe, host, "accepted a TCP connection");
	} else if (status == UV_ECONNREFUSED && uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0 &&
		   !refused_by_other(fd, host)) {
		finish_up(probe, host, "refused a TCP connection");
	} else {
		/* Unreachable, or turned down on the way, is silence of the host: asked again with the next
		 * round. */
		close_connection(connection);
	}
}

static int prepare_tcp(struct connection *connection, const struct sockaddr_storage *to)
{
	bool v4 = to->ss_family == AF_INET;
	int on = 1;
	uv_os_fd_t fd;
	int rc = uv_fileno((uv_handle_t *)&connection->tcp, &fd);

	if (rc < 0)
		return rc;
	/* Keeps the ICMP error behind a failed connect, for refused_by_other(). */
	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on)) <
	    0)
		return -errno;
	return 0;
}

static int start_connect(struct pm_probe *probe, size_t slot)
{
	struct sockaddr_storage *to = &probe->addresses[slot];
	struct connection *connection = calloc(1, sizeof(*connection));
	int rc;

	if (!connection)
		return pm_fail(&probe->err, ENOMEM, "out of memory");
	rc = uv_tcp_init_ex(probe->prober->loop, &connection->tcp, to->ss_family);
	if (rc < 0) {
		free(connection);
		return pm_fail(&probe->err, -rc, "cannot open a TCP socket: %s", uv_strerror(rc));
	}
	connection->tcp.data = connection;
	connection->request.data = connection;
	connection->prober = probe->prober;
	connection->probe = probe;
	connection->slot = slot;
	probe->connections[slot] = connection;
	probe->prober->alive++;
	rc = prepare_tcp(connection, to);
	if (rc == 0)
		rc = uv_tcp_connect(&connection->request, &connection->tcp, (struct sockaddr *)to,
				    on_connected);
	if (rc == 0)
		return 0;
	close_connection(connection);
	return pm_fail(&probe->err, -rc, "cannot connect to %s: %s", probe->host, uv_strerror(rc));
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static uint64_t now_ms(const struct pm_probe *probe)
{
	return uv_now(probe->prober->loop);
}

static void set_timer(struct pm_probe *probe, uint64_t wait_ms)
{
	uint64_t now = now_ms(probe);
	uint64_t left = probe->deadline > now ? probe->deadline - now : 0;

	uv_timer_start(&probe->timer, on_timer, wait_ms < left ? wait_ms : left, 0);
}

static int ask_one(struct pm_probe *probe, size_t slot)
{
	if (probe->kind == PM_PROBE_KIND_ICMP)
		return send_echo(probe, slot);
	return probe->connections[slot] ? 0 : start_connect(probe, slot);
}

static void ask(struct pm_probe *probe)
{
	bool busy = false;

	probe->sequence++;
	for (size_t i = 0; i < probe->address_count; i++) {
		int rc = ask_one(probe, i);

		probe->asked |= rc == 0;
		busy |= rc == -EAGAIN || rc == -ENOBUFS;
	}
	if (probe->asked || busy)
		set_timer(probe, REPEAT_MS);
	else
		finish(probe, PM_PROBE_ERROR, probe->err.text);
}

/* A long queue is no fault of the name servers, as long as they answer. */
static void wait_in_queue(struct pm_probe *probe)
{
	char text[512];

	if (probe->prober->looked_up_ms && now_ms(probe) - probe->prober->looked_up_ms < probe->timeout_ms) {
		uv_timer_start(&probe->timer, on_timer, probe->timeout_ms, 0);
		return;
	}
	snprintf(text, sizeof(text),
		 "cannot look up \"%s\": too many look-ups hang, is the name server down?", probe->host);
	finish(probe, PM_PROBE_ERROR, text);
}

static void on_timer(uv_timer_t *timer)
{
	struct pm_probe *probe = timer->data;
	bool late = now_ms(probe) >= probe->deadline;

	if (probe->queued) {
		wait_in_queue(probe);
	} else if (!probe->lookup && probe->address_count == 0) {
		finish(probe, PM_PROBE_ERROR, probe->err.text);
	} else if (!late && !probe->lookup) {
		ask(probe);
	} else if (!probe->last_look) {
		/* The loop may have been held up while the answer was waiting: one more turn to find it. */
		probe->last_look = true;
		uv_timer_start(timer, on_timer, 1, 0);
	} else {
		finish_timeout(probe);
	}
}

static void add_address(struct pm_probe *probe, const struct addrinfo *found)
{
	struct sockaddr_storage *address = &probe->addresses[probe->address_count];

	if (found->ai_family != AF_INET && found->ai_family != AF_INET6)
		return;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	if (found->ai_family == AF_INET)
		((struct sockaddr_in *)address)->sin_port =
		    htons(probe->kind == PM_PROBE_KIND_TCP ? probe->port : 0);
	else
		((struct sockaddr_in6 *)address)->sin6_port =
		    htons(probe->kind == PM_PROBE_KIND_TCP ? probe->port : 0);
	probe->address_count++;
}

static void add_addresses(struct pm_probe *probe, const struct addrinfo *found)
{
	for (; found && probe->address_count < ADDRESSES_MAX; found = found->ai_next)
		add_address(probe, found);
}

static void lookup_failed(struct pm_probe *probe, int status)
{
	pm_error_set(&probe->err, "cannot look up \"%s\": %s", probe->host, uv_strerror(status));
}

static void serve_queue(struct pm_prober *prober);

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
	struct lookup *lookup = request->data;
	struct pm_prober *prober = lookup->prober;
	struct pm_probe *probe = lookup->probe;

	free(lookup);
	prober->lookups--;
	if (status != UV_EAI_AGAIN && status != UV_EAI_CANCELED)
		prober->looked_up_ms = uv_now(prober->loop);
	if (probe) {
		probe->lookup = NULL;
		if (status == 0)
			add_addresses(probe, found);
		if (probe->address_count == 0)
			lookup_failed(probe, status ? status : UV_EAI_NONAME);
		set_timer(probe, 0);
	}
	uv_freeaddrinfo(found);
	serve_queue(prober);
	let_go(prober);
}

static const struct addrinfo lookup_hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

static void look_up(struct pm_probe *probe)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	int rc = UV_ENOMEM;

	if (lookup) {
		lookup->request.data = lookup;
		lookup->prober = probe->prober;
		lookup->probe = probe;
		rc = uv_getaddrinfo(probe->prober->loop, &lookup->request, on_looked_up, probe->host, NULL,
				    &lookup_hints);
	}
	if (rc == 0) {
		probe->lookup = lookup;
		probe->prober->alive++;
		probe->prober->lookups++;
		set_timer(probe, UINT64_MAX);
		return;
	}
	free(lookup);
	lookup_failed(probe, rc);
	set_timer(probe, 0);
}

static void serve_queue(struct pm_prober *prober)
{
	struct pm_probe *probe;

	while (prober->lookups < LOOKUPS_MAX && (probe = TAILQ_FIRST(&prober->queue))) {
		leave_queue(probe);
		probe->deadline = uv_now(prober->loop) + probe->timeout_ms;
		look_up(probe);
	}
}

/* The resolver's threads serve others, too: a dead name server must not take all of them. */
static void queue_lookup(struct pm_probe *probe)
{
	probe->queued = true;
	TAILQ_INSERT_TAIL(&probe->prober->queue, probe, queue_entry);
	uv_timer_start(&probe->timer, on_timer, probe->timeout_ms, 0);
	serve_queue(probe->prober);
}

/* Numeric addresses need no resolver, whose few threads may all be waiting for a dead name server. */
static void find_addresses(struct pm_probe *probe)
{
	struct addrinfo hints = lookup_hints, *found = NULL;

	hints.ai_flags = AI_NUMERICHOST;
	if (getaddrinfo(probe->host, NULL, &hints, &found) != 0) {
		queue_lookup(probe);
		return;
	}
	add_addresses(probe, found);
	freeaddrinfo(found);
	set_timer(probe, 0);
}

/* --- public ----------------------------------------------------------------------------------- */

int pm_prober_new(uv_loop_t *loop, struct pm_prober **prober)
{
	struct pm_prober *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->loop = loop;
	TAILQ_INIT(&p->queue);
	*prober = p;
	return 0;
}

static void on_echo_closed(uv_handle_t *handle)
{
	let_go(handle->data);
}

static void close_echo(struct echo *echo)
{
	if (!echo->open)
		return;
	echo->open = false;
	uv_close((uv_handle_t *)&echo->poll, on_echo_closed);
	close(echo->icmp.fd);
}

void pm_prober_close(struct pm_prober *prober, void (*done)(void *data), void *data)
{
	prober->closing = true;
	prober->closed = done;
	prober->closed_data = data;
	prober->alive++; /* held, so that the prober outlives its last probe's callback */
	while (prober->all)
		pm_probe_cancel(prober->all);
	close_echo(&prober->echo4);
	close_echo(&prober->echo6);
	let_go(prober);
}

static struct pm_probe *new_probe(struct pm_prober *prober)
{
	struct pm_probe *probe = calloc(1, sizeof(*probe));
	struct pm_probe **bucket;

	if (!probe)
		return NULL;
	if (getrandom(probe->cookie, sizeof(probe->cookie), 0) != sizeof(probe->cookie)) {
		free(probe);
		return NULL;
	}
	probe->prober = prober;
	probe->next = prober->all;
	probe->link = &prober->all;
	if (probe->next)
		probe->next->link = &probe->next;
	prober->all = probe;
	bucket = bucket_of(prober, probe->cookie);
	probe->bucket_next = *bucket;
	*bucket = probe;
	uv_timer_init(prober->loop, &probe->timer);
	probe->timer.data = probe;
	prober->alive++;
	return probe;
}

struct pm_probe *pm_probe_start(struct pm_prober *prober, enum pm_probe_kind kind, const char *host,
				uint16_t port, unsigned timeout_ms, pm_probe_fn done, void *data)
{
	struct pm_probe *probe = prober->closing ? NULL : new_probe(prober);

	if (!probe)
		return NULL;
	probe->kind = kind;
	probe->port = port;
	probe->done = done;
	probe->data = data;
	/* The time spent in this turn of the loop is not the host's. */
	uv_update_time(prober->loop);
	probe->timeout_ms = timeout_ms;
	probe->deadline = uv_now(prober->loop) + timeout_ms;
	snprintf(probe->host, sizeof(probe->host), "%s", host);
	if (strlen(host) < sizeof(probe->host) && *host) {
		find_addresses(probe);
	} else {
		pm_error_set(&probe->err, "a host name has 1 to %zu characters", sizeof(probe->host) - 1);
		set_timer(probe, 0);
	}
	return probe;
}

bool pm_probe_waits(const struct pm_probe *probe)
{
	return probe->queued;
}

void pm_probe_cancel(struct pm_probe *probe)
{
	if (!probe->over)
		finish(probe, PM_PROBE_CANCELLED, "cancelled");
}
