/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine: one UDP socket for each address family, shared by all BMCs, and a table that finds the BMC a
 * packet came from.
 *
 * A socket for each BMC would need 10,000 file descriptors and ports and as many entries in epoll; and what
 * it would give, the kernel's check of the sender and ICMP errors, is had here too: a packet counts only when
 * it comes from the address and port of a BMC and carries the session ID of what that BMC was asked, and
 * IP_RECVERR tells to whom an ICMP error belongs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>

#include "ipmi/internal.h"

enum { BUCKETS_MIN = 64, RECEIVE_BUFFER = 4 << 20 };

struct ipmi_engine {
	uv_loop_t *loop;
	uv_udp_t socket4, socket6;
	bool bound4, bound6;
	struct ipmi_scratch scratch;
	struct ipmi_bmc *bmcs;
	struct ipmi_bmc **buckets; /* by address */
	size_t bucket_count, in_table;
	uint64_t bad_packets;
	unsigned lookups, doubtful_lookups;
	struct ipmi_line lines[2]; /* for a look-up; the second one of those that are doubtful */
	uint64_t looked_up_ms;
	uint8_t buffer[IPMI_PACKET_MAX + 1];
	bool closing;
	int open_sockets;
	void (*done)(void *data);
	void *data;
};

uint64_t ipmi_now_ms(void)
{
	return uv_hrtime() / 1000000;
}

struct ipmi_scratch *ipmi_engine_scratch(struct ipmi_engine *engine)
{
	return &engine->scratch;
}

uv_loop_t *ipmi_engine_loop(struct ipmi_engine *engine)
{
	return engine->loop;
}

uint64_t ipmi_engine_bad_packets(const struct ipmi_engine *engine)
{
	return engine->bad_packets;
}

/* ---- name look-ups ---- */

static void leave_line(struct ipmi_bmc *bmc)
{
	if (bmc->line)
		TAILQ_REMOVE(bmc->line, bmc, line_entry);
	bmc->line = NULL;
}

static struct ipmi_bmc *first_in_line(struct ipmi_engine *engine, bool doubtful)
{
	struct ipmi_bmc *first;

	while ((first = TAILQ_FIRST(&engine->lines[doubtful])) && first->state != IPMI_STATE_RESOLVING)
		leave_line(first); /* its request has ended meanwhile */
	return first;
}

bool ipmi_engine_may_look_up(struct ipmi_bmc *bmc)
{
	struct ipmi_engine *engine = bmc->engine;
	struct ipmi_bmc *first = first_in_line(engine, bmc->doubtful);

	if (engine->lookups >= IPMI_LOOKUPS_MAX ||
	    (bmc->doubtful && engine->doubtful_lookups >= IPMI_LOOKUPS_DOUBTFUL_MAX) ||
	    (first && first != bmc))
		return false;
	leave_line(bmc);
	engine->lookups++;
	engine->doubtful_lookups += bmc->doubtful;
	return true;
}

void ipmi_engine_wait_to_look_up(struct ipmi_bmc *bmc)
{
	if (bmc->line)
		return;
	bmc->line = &bmc->engine->lines[bmc->doubtful];
	TAILQ_INSERT_TAIL(bmc->line, bmc, line_entry);
}

void ipmi_engine_looked_up(struct ipmi_engine *engine, bool doubtful)
{
	engine->lookups--;
	engine->doubtful_lookups -= doubtful;
	engine->looked_up_ms = ipmi_now_ms();
	for (int i = 0; i < 2; i++) {
		struct ipmi_bmc *next = first_in_line(engine, i);

		if (next)
			ipmi_bmc_wake(next);
	}
}

uint64_t ipmi_engine_looked_up_ms(const struct ipmi_engine *engine)
{
	return engine->looked_up_ms;
}

/* ---- the address table ---- */

/* FNV-1a over address and port; the keys come from the configuration, not from the network. */
static size_t bucket_of(const struct ipmi_engine *engine, const union ipmi_address *address)
{
	const uint8_t *octets = (const uint8_t *)&address->v4.sin_addr;
	size_t length = sizeof(address->v4.sin_addr);
	uint32_t hash =
	    2166136261U ^ address->v4.sin_port; /* the port is at the same place in both families */

	if (address->any.sa_family == AF_INET6) {
		octets = address->v6.sin6_addr.s6_addr;
		length = sizeof(address->v6.sin6_addr);
	}
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ octets[i]) * 16777619U;
	return hash & (engine->bucket_count - 1);
}

static void insert(struct ipmi_engine *engine, struct ipmi_bmc *bmc)
{
	struct ipmi_bmc **bucket = &engine->buckets[bucket_of(engine, &bmc->peer)];

	bmc->next_at_address = *bucket;
	*bucket = bmc;
}

static int grow_table(struct ipmi_engine *engine)
{
	size_t count = engine->bucket_count ? engine->bucket_count * 2 : BUCKETS_MIN;
	struct ipmi_bmc **buckets;

	if (engine->in_table < engine->bucket_count)
		return 0;
	buckets = calloc(count, sizeof(struct ipmi_bmc *));
	if (!buckets)
		return -ENOMEM;
	free(engine->buckets);
	engine->buckets = buckets;
	engine->bucket_count = count;
	for (struct ipmi_bmc *bmc = engine->bmcs; bmc; bmc = bmc->next)
		if (bmc->in_table)
			insert(engine, bmc);
	return 0;
}

void ipmi_engine_forget_address(struct ipmi_bmc *bmc)
{
	struct ipmi_engine *engine = bmc->engine;

	if (!bmc->in_table)
		return;
	for (struct ipmi_bmc **link = &engine->buckets[bucket_of(engine, &bmc->peer)]; *link;
	     link = &(*link)->next_at_address) {
		if (*link == bmc) {
			*link = bmc->next_at_address;
			break;
		}
	}
	bmc->in_table = false;
	engine->in_table--;
}

int ipmi_engine_address(struct ipmi_bmc *bmc)
{
	struct ipmi_engine *engine = bmc->engine;

	ipmi_engine_forget_address(bmc);
	if (grow_table(engine) < 0)
		return -ENOMEM;
	bmc->peer = bmc->addresses[bmc->address];
	insert(engine, bmc);
	bmc->in_table = true;
	engine->in_table++;
	return 0;
}

static struct ipmi_bmc *first_at(const struct ipmi_engine *engine, const union ipmi_address *address)
{
	return engine->bucket_count ? engine->buckets[bucket_of(engine, address)] : NULL;
}

/* ---- receiving ---- */

/* IPMI 1.5: some BMCs answer with session ID 0, and the answer to Activate Session may have the new one already. */
static bool awaits_lan(const struct ipmi_bmc *bmc, const struct ipmi_peek *peek)
{
	enum ipmi_framing framing = ipmi_framing(bmc, bmc->waiting);

	if (ipmi_packet_copy(bmc, peek->rq_seq, IPMI_RQ_SEQ_MASK) < 0)
		return false;
	if (framing == IPMI_FRAMING_LAN)
		return peek->framing == IPMI_FRAMING_LAN;
	return framing == IPMI_FRAMING_LAN_SESSION &&
	       (peek->session_id == 0 || peek->session_id == bmc->session.managed_id ||
		bmc->waiting->id == IPMI_EXCHANGE_ACTIVATE);
}

static bool has_id_of(const struct ipmi_peek *peek, const struct ipmi_session *session)
{
	if (peek->framing == IPMI_FRAMING_LAN_SESSION)
		return peek->session_id == session->managed_id;
	return peek->has_session_id && peek->session_id == session->console_id;
}

static bool awaits(const struct ipmi_bmc *bmc, const struct ipmi_peek *peek)
{
	if (!bmc->waiting)
		return false;
	if (peek->framing == IPMI_FRAMING_LAN || peek->framing == IPMI_FRAMING_LAN_SESSION)
		return awaits_lan(bmc, peek);
	return ipmi_framing(bmc, bmc->waiting) == peek->framing &&
	       bmc->waiting->payload_response == peek->payload_type &&
	       (!peek->has_session_id || has_id_of(peek, &bmc->session));
}

static bool awaits_former(const struct ipmi_bmc *bmc, const struct ipmi_peek *peek)
{
	return bmc->former_waiting && peek->framing == bmc->protocol->framing &&
	       has_id_of(peek, &bmc->former);
}

/* It is of a session, or of its beginning, but nothing that is waited for: most probably it comes too late. */
static bool belongs(const struct ipmi_bmc *bmc, const struct ipmi_peek *peek)
{
	if (peek->framing == IPMI_FRAMING_LAN)
		return bmc->state == IPMI_STATE_SETUP;
	return has_id_of(peek, &bmc->session) || (bmc->former.has_keys && has_id_of(peek, &bmc->former));
}

void ipmi_engine_input(struct ipmi_engine *engine, const union ipmi_address *from, const uint8_t *packet,
		       size_t length)
{
	struct ipmi_peek peek;
	struct ipmi_bmc *at_address = NULL;
	bool readable = ipmi_packet_peek(packet, length, &peek);

	for (struct ipmi_bmc *bmc = first_at(engine, from); bmc; bmc = bmc->next_at_address) {
		if (!ipmi_address_equal(&bmc->peer, from))
			continue;
		if (readable && awaits(bmc, &peek)) {
			ipmi_bmc_receive(bmc, packet, length);
			return;
		}
		if (readable && awaits_former(bmc, &peek)) {
			ipmi_bmc_receive_former(bmc, packet, length);
			return;
		}
		at_address = bmc;
	}
	if (at_address) {
		at_address->stats.bad_packets++;
		at_address->late_packets += readable && belongs(at_address, &peek);
	}
	engine->bad_packets++;
}

static void on_icmp(struct ipmi_engine *engine, const union ipmi_address *to, int error)
{
	struct ipmi_bmc *next;

	for (struct ipmi_bmc *bmc = first_at(engine, to); bmc; bmc = next) {
		next = bmc->next_at_address;
		if (ipmi_address_equal(&bmc->peer, to))
			ipmi_bmc_network_error(bmc, error);
	}
}

/* Empties the socket's error queue: as long as something is in it, the loop would wake for it. */
static void drain_errors(struct ipmi_engine *engine, const uv_udp_t *handle)
{
	char control[512];
	uint8_t packet[64];
	union ipmi_address to;
	struct iovec io = {packet, sizeof(packet)};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
	uv_os_fd_t fd;

	if (uv_fileno((const uv_handle_t *)handle, &fd) < 0)
		return;
	for (;;) {
		memset(&to, 0, sizeof(to));
		message.msg_name = &to;
		message.msg_namelen = sizeof(to);
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
			struct sock_extended_err error;

			if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
			    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
				continue;
			memcpy(&error, CMSG_DATA(c), sizeof(error));
			on_icmp(engine, &to, (int)error.ee_errno);
		}
	}
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct ipmi_engine *engine = handle->data;

	(void)suggested;
	*buffer = uv_buf_init((char *)engine->buffer, sizeof(engine->buffer));
}

static void on_packet(uv_udp_t *handle, ssize_t length, const uv_buf_t *buffer, const struct sockaddr *from,
		      unsigned flags)
{
	struct ipmi_engine *engine = handle->data;
	union ipmi_address address;

	if (length < 0 || !from) {
		drain_errors(engine, handle);
		return;
	}
	memset(&address, 0, sizeof(address));
	if (from->sa_family == AF_INET)
		memcpy(&address.v4, from, sizeof(address.v4));
	else
		memcpy(&address.v6, from, sizeof(address.v6));
	if (flags & UV_UDP_PARTIAL)
		length = 0; /* longer than any answer: counted as bad */
	ipmi_engine_input(engine, &address, (const uint8_t *)buffer->base, (size_t)length);
}

/* ---- sending ---- */

static int bind_socket(uv_udp_t *handle, const struct sockaddr *any, unsigned flags)
{
	int size = RECEIVE_BUFFER;
	int status = uv_udp_bind(handle, any, flags | UV_UDP_LINUX_RECVERR);

	if (status < 0)
		return status;
	/* Answers of many BMCs may come at once; what the system grants is enough, retransmission covers the
	 * rest. */
	uv_recv_buffer_size((uv_handle_t *)handle, &size);
	return uv_udp_recv_start(handle, on_allocate, on_packet);
}

static int socket_for(struct ipmi_engine *engine, sa_family_t family, uv_udp_t **handle)
{
	const struct sockaddr_in any4 = {.sin_family = AF_INET};
	const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
	int status = 0;

	if (family == AF_INET) {
		*handle = &engine->socket4;
		if (!engine->bound4)
			status = bind_socket(*handle, (const struct sockaddr *)&any4, 0);
		engine->bound4 = status == 0;
	} else {
		*handle = &engine->socket6;
		if (!engine->bound6)
			status = bind_socket(*handle, (const struct sockaddr *)&any6, UV_UDP_IPV6ONLY);
		engine->bound6 = status == 0;
	}
	return status;
}

int ipmi_engine_send(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length)
{
	uv_buf_t buffer = uv_buf_init((char *)packet, (unsigned)length);
	uv_udp_t *handle;
	int status = socket_for(bmc->engine, bmc->peer.any.sa_family, &handle);

	if (status < 0)
		return status;
	status = uv_udp_try_send(handle, &buffer, 1, &bmc->peer.any);
	if (status < 0 && status != UV_EAGAIN) { /* perhaps another BMC's ICMP error, reported here */
		drain_errors(bmc->engine, handle);
		status = uv_udp_try_send(handle, &buffer, 1, &bmc->peer.any);
	}
	return status < 0 ? status : 0;
}

/* ---- lifecycle ---- */

int ipmi_engine_new(uv_loop_t *loop, struct ipmi_engine **engine)
{
	struct ipmi_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	if (ipmi_rmcpplus_init() < 0 || ipmi_scratch_new(&e->scratch) < 0) {
		ipmi_scratch_free(&e->scratch);
		free(e);
		return -ENOMEM;
	}
	e->loop = loop;
	for (int i = 0; i < 2; i++)
		TAILQ_INIT(&e->lines[i]);
	uv_udp_init(loop, &e->socket4);
	uv_udp_init(loop, &e->socket6);
	e->socket4.data = e->socket6.data = e;
	e->open_sockets = 2;
	*engine = e;
	return 0;
}

static void on_socket_closed(uv_handle_t *handle)
{
	struct ipmi_engine *engine = handle->data;
	void (*done)(void *data) = engine->done;
	void *data = engine->data;

	if (--engine->open_sockets > 0)
		return;
	ipmi_scratch_free(&engine->scratch);
	free(engine->buckets);
	free(engine);
	if (done)
		done(data);
}

static void close_sockets(struct ipmi_engine *engine)
{
	uv_close((uv_handle_t *)&engine->socket4, on_socket_closed);
	uv_close((uv_handle_t *)&engine->socket6, on_socket_closed);
}

void ipmi_engine_link(struct ipmi_engine *engine, struct ipmi_bmc *bmc)
{
	bmc->engine = engine;
	bmc->next = engine->bmcs;
	if (engine->bmcs)
		engine->bmcs->previous = bmc;
	engine->bmcs = bmc;
}

void ipmi_engine_unlink(struct ipmi_bmc *bmc)
{
	struct ipmi_engine *engine = bmc->engine;

	ipmi_engine_forget_address(bmc);
	leave_line(bmc);
	if (bmc->next)
		bmc->next->previous = bmc->previous;
	if (bmc->previous)
		bmc->previous->next = bmc->next;
	else
		engine->bmcs = bmc->next;
	if (engine->closing && !engine->bmcs)
		close_sockets(engine);
}

bool ipmi_engine_closing(const struct ipmi_engine *engine)
{
	return engine->closing;
}

void ipmi_engine_close(struct ipmi_engine *engine, unsigned timeout_ms, void (*done)(void *data), void *data)
{
	engine->closing = true;
	engine->done = done;
	engine->data = data;
	for (struct ipmi_bmc *bmc = engine->bmcs; bmc; bmc = bmc->next)
		ipmi_bmc_shut(bmc, timeout_ms);
	if (!engine->bmcs)
		close_sockets(engine);
}
