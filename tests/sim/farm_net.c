/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One UDP socket for all BMCs (and one for IPv6): many packets by one system call, each answered from the address that
 * was asked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/sim/farm.h"
#include "tests/sim/fault.h"

enum { BATCH = 64, ROUNDS = 16, BUFFER_OCTETS = 64 * 1024 * 1024, PACKET_MAX = 1500, CONTROL_MAX = 128 };

union control {
	struct cmsghdr align;
	char space[CONTROL_MAX];
};

static struct {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	union control controls[BATCH];
	struct sockaddr_in6 peers[BATCH];
	uint8_t packets[BATCH][PACKET_MAX];
} in;

static struct {
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	union control controls[BATCH];
	struct farm_route routes[BATCH];
	uint8_t packets[BATCH][SIM_PACKET_MAX];
	unsigned count;
	int socket; /* of those that wait */
} out;

/* ---- sending ---- */

static void put_control(struct msghdr *message, union control *control, int level, int type, const void *data,
			size_t length)
{
	struct cmsghdr *header;

	memset(control, 0, sizeof(*control));
	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(length);
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(header), data, length);
}

static void prepare(unsigned i, const struct farm_route *route, size_t length)
{
	struct msghdr *message = &out.messages[i].msg_hdr;

	out.routes[i] = *route;
	out.parts[i] = (struct iovec){.iov_base = out.packets[i], .iov_len = length};
	*message =
	    (struct msghdr){.msg_name = &out.routes[i].peer, .msg_iov = &out.parts[i], .msg_iovlen = 1};
	if (route->peer.any.sa_family == AF_INET) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, &route->own, sizeof(info.ipi_spec_dst));
		message->msg_namelen = sizeof(route->peer.in);
		put_control(message, &out.controls[i], IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_addr = route->own};

		message->msg_namelen = sizeof(route->peer.in6);
		put_control(message, &out.controls[i], IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

/* One that the system does not take is lost, as on a network; it is counted. */
void farm_net_flush(struct farm *farm)
{
	unsigned sent = 0;

	while (sent < out.count) {
		int n = sendmmsg(out.socket, out.messages + sent, out.count - sent, 0);

		if (n > 0) {
			sent += (unsigned)n;
		} else if (errno != EINTR) {
			farm->totals.send_failed++;
			sent++;
		}
	}
	out.count = 0;
}

void farm_net_send(struct farm *farm, unsigned bmc, const struct farm_route *route, const uint8_t *data,
		   size_t length)
{
	int socket = route->peer.any.sa_family == AF_INET ? farm->socket4 : farm->socket6;

	if (out.count == BATCH || (out.count > 0 && out.socket != socket))
		farm_net_flush(farm);
	out.socket = socket;
	memcpy(out.packets[out.count], data, length);
	prepare(out.count++, route, length);
	farm->totals.out++;
	farm->totals.bytes_out += length;
	farm->bmcs[bmc].packets_out++;
}

/* ---- what becomes of an answer ---- */

static struct farm_packet *keep(const struct farm_route *route, const struct sim_buffer *packet)
{
	struct farm_packet *kept = malloc(sizeof(*kept) + packet->length);

	if (!kept)
		abort();
	kept->route = *route;
	kept->length = packet->length;
	memcpy(kept->data, packet->data, packet->length);
	return kept;
}

static void hold(struct farm *farm, unsigned index, const struct farm_route *route,
		 const struct sim_buffer *packet)
{
	struct farm_bmc *b = &farm->bmcs[index];

	if (b->held) {
		farm_net_send(farm, index, &b->held->route, b->held->data, b->held->length);
		free(b->held);
	}
	b->held = keep(route, packet);
}

static void depart(struct farm *farm, unsigned index, const struct farm_route *route,
		   const struct sim_departure *departure, int64_t now_us)
{
	struct farm_bmc *b = &farm->bmcs[index];
	const struct sim_buffer *packet = &departure->packet;

	if (departure->held) {
		hold(farm, index, route, packet);
		return;
	}
	if (departure->delay_us) {
		farm_timer_add(farm, now_us + departure->delay_us, index, keep(route, packet));
		return;
	}
	farm_net_send(farm, index, route, packet->data, packet->length);
	if (b->held) {
		farm_net_send(farm, index, &b->held->route, b->held->data, b->held->length);
		free(b->held);
		b->held = NULL;
	}
}

static void serve(struct farm *farm, unsigned index, const struct farm_route *route, uint8_t *packet,
		  size_t length)
{
	static int status = -1;
	struct farm_bmc *b = &farm->bmcs[index];
	struct sim_departure departures[SIM_DEPARTURES_MAX];
	struct sim_answer answer;
	int64_t now_us = farm_now_us();
	size_t count;

	if (status < 0)
		status = sim_command_find("get-chassis-status");
	b->packets_in++;
	if (sim_fault_lost(&b->bmc)) {
		farm->totals.lost_in++;
		return;
	}
	if (!sim_bmc_receive(&b->bmc, now_us, &route->peer.any, packet, length, &answer))
		return;
	farm_timer_bmc(farm, index);
	count = sim_fault_out(&b->bmc, &answer.packet, departures);
	if (count == 0)
		farm->totals.lost_out++;
	else if (answer.command == status)
		farm_status_told(farm, b, now_us);
	for (size_t i = 0; i < count; i++)
		depart(farm, index, route, &departures[i], now_us);
}

/* ---- receiving ---- */

/* The number of the BMC from 0 on that has this address; -1: none. */
static int64_t index_of(const struct farm *farm, const struct farm_route *route)
{
	uint32_t own, base;

	if (route->peer.any.sa_family == AF_INET) {
		memcpy(&own, &route->own, sizeof(own));
		base = farm->base.s_addr;
	} else {
		if (memcmp(&route->own, &farm->base6, 12) != 0)
			return -1;
		own = route->own.s6_addr32[3];
		base = farm->base6.s6_addr32[3];
	}
	own = ntohl(own) - ntohl(base);
	return own < farm->count ? (int64_t)own : -1;
}

static void read_controls(struct msghdr *message, struct farm_route *route, uint32_t *dropped)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(&route->own, CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_addr), 4);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(&route->own, CMSG_DATA(c) + offsetof(struct in6_pktinfo, ipi6_addr), 16);
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(dropped, CMSG_DATA(c), sizeof(*dropped));
	}
}

static void receive_one(struct farm *farm, unsigned i, uint32_t *dropped)
{
	struct farm_route route = {.own = IN6ADDR_ANY_INIT};
	size_t length = in.messages[i].msg_len;
	uint32_t dropped_now = *dropped;
	int64_t index;

	memcpy(&route.peer, &in.peers[i], sizeof(route.peer));
	read_controls(&in.messages[i].msg_hdr, &route, &dropped_now);
	farm->totals.kernel_dropped += dropped_now - *dropped;
	*dropped = dropped_now;
	index = index_of(farm, &route);
	if (index < 0) {
		farm->totals.stray++;
		return;
	}
	if (farm->totals.in++ == 0)
		farm->totals.first_in_us = farm_now_us();
	farm->totals.bytes_in += length;
	serve(farm, (unsigned)index, &route, in.packets[i], length);
}

static void offer_buffers(void)
{
	for (unsigned i = 0; i < BATCH; i++) {
		in.parts[i] = (struct iovec){.iov_base = in.packets[i], .iov_len = PACKET_MAX};
		in.messages[i].msg_hdr = (struct msghdr){.msg_name = &in.peers[i],
							 .msg_namelen = sizeof(in.peers[i]),
							 .msg_iov = &in.parts[i],
							 .msg_iovlen = 1,
							 .msg_control = &in.controls[i],
							 .msg_controllen = sizeof(in.controls[i])};
	}
}

/* Not for ever, so that control lines and timers get their turn. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct farm *farm = poll->data;
	bool ipv4 = poll == &farm->poll4;

	(void)status;
	(void)events;
	for (int round = 0; round < ROUNDS; round++) {
		int n;

		offer_buffers();
		n = recvmmsg(ipv4 ? farm->socket4 : farm->socket6, in.messages, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			receive_one(farm, (unsigned)i,
				    ipv4 ? &farm->kernel_dropped4 : &farm->kernel_dropped6);
		farm_net_flush(farm);
		if (n < BATCH)
			return;
	}
}

/* ---- sockets ---- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* As large as asked for only with CAP_NET_ADMIN; else what net.core.rmem_max allows. */
static void grow_buffers(int fd)
{
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS) < 0)
		set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_OCTETS);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_OCTETS) < 0)
		set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_OCTETS);
}

static int open_socket(struct farm *farm, int family)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(farm->port)};
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(farm->port)};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = -1;

	if (fd < 0)
		return -1;
	grow_buffers(fd);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	if (family == AF_INET && set(fd, IPPROTO_IP, IP_PKTINFO, 1) == 0)
		error = bind(fd, (struct sockaddr *)&any, sizeof(any));
	/* the addresses are those of a local route, on no interface: only FREEBIND lets answers leave from them */
	else if (family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0 &&
		 set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) == 0 &&
		 set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1) == 0)
		error = bind(fd, (struct sockaddr *)&any6, sizeof(any6));
	if (error < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_family(struct farm *farm, int family, uv_poll_t *poll, int *fd)
{
	poll->data = farm;
	*fd = open_socket(farm, family);
	if (*fd < 0) {
		fprintf(stderr, "bmcfarm: UDP port %u of %s: %s\n", farm->port,
			family == AF_INET ? "0.0.0.0" : "[::]", strerror(errno));
		return -1;
	}
	if (uv_poll_init(farm->loop, poll, *fd) < 0) {
		fprintf(stderr, "bmcfarm: the socket can not be polled\n");
		close(*fd);
		*fd = -1;
		return -1;
	}
	uv_poll_start(poll, UV_READABLE, on_readable);
	return 0;
}

int farm_net_open(struct farm *farm)
{
	farm->socket4 = farm->socket6 = -1;
	if (open_family(farm, AF_INET, &farm->poll4, &farm->socket4) < 0)
		return -1;
	return farm->ipv6 ? open_family(farm, AF_INET6, &farm->poll6, &farm->socket6) : 0;
}

static void close_family(uv_poll_t *poll, int fd)
{
	if (fd < 0)
		return;
	uv_close((uv_handle_t *)poll, NULL);
	close(fd);
}

void farm_net_close(struct farm *farm)
{
	close_family(&farm->poll4, farm->socket4);
	close_family(&farm->poll6, farm->socket6);
}
