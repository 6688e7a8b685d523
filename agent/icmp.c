/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Echo requests and replies, raw(7) and icmp(7) sockets. */
#include "agent/icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define HEADER         8
#define RECEIVE_BUFFER (1024 * 1024) /* thousands of replies may come at once */

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)(value & 0xff);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 1071; length is even. */
static uint16_t checksum(const uint8_t *p, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += get16(p + i);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

void pm_icmp_request(int family, uint16_t identifier, uint16_t sequence, const uint8_t cookie[PM_ICMP_COOKIE],
		     uint8_t packet[PM_ICMP_REQUEST])
{
	memset(packet, 0, HEADER);
	packet[0] = family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	put16(packet + 4, identifier);
	put16(packet + 6, sequence);
	memcpy(packet + HEADER, cookie, PM_ICMP_COOKIE);
	if (family == AF_INET)
		put16(packet + 2, checksum(packet, PM_ICMP_REQUEST));
}

bool pm_icmp_parse(int family, bool ip_header, const uint8_t *packet, size_t length,
		   struct pm_icmp_reply *reply)
{
	size_t header = 0;

	if (ip_header) {
		if (length < 20 || packet[0] >> 4 != 4)
			return false;
		header = (size_t)(packet[0] & 0x0f) * 4;
		if (header < 20)
			return false;
	}
	if (length != header + PM_ICMP_REQUEST)
		return false;
	packet += header;
	if (packet[0] != (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || packet[1] != 0)
		return false;
	reply->identifier = get16(packet + 4);
	reply->sequence = get16(packet + 6);
	reply->cookie = packet + HEADER;
	return true;
}

/* Without it a raw socket wakes for every ICMP packet of the host. */
static int filter_replies(int fd, int family)
{
	struct icmp_filter filter4 = {.data = ~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;

	if (family == AF_INET)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter4, sizeof(filter4));
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6));
}

/* The kernel puts a ping socket's local "port" into its requests as identifier. */
static int bind_ping(int fd, int family, uint16_t *identifier)
{
	struct sockaddr_storage local = {.ss_family = (sa_family_t)family};
	socklen_t length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	if (bind(fd, (struct sockaddr *)&local, length) < 0 ||
	    getsockname(fd, (struct sockaddr *)&local, &length) < 0)
		return -1;
	*identifier = ntohs(family == AF_INET ? ((struct sockaddr_in *)&local)->sin_port
					      : ((struct sockaddr_in6 *)&local)->sin6_port);
	return 0;
}

static int prepare(struct pm_icmp_socket *icmp)
{
	int size = RECEIVE_BUFFER;

	/* The system's limit may be lower; then the buffer is. */
	setsockopt(icmp->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (!icmp->raw)
		return bind_ping(icmp->fd, icmp->family, &icmp->identifier);
	if (getrandom(&icmp->identifier, sizeof(icmp->identifier), 0) != sizeof(icmp->identifier))
		return -1;
	return filter_replies(icmp->fd, icmp->family);
}

int pm_icmp_open(int family, struct pm_icmp_socket *icmp, struct pm_error *err)
{
	const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
	int code, protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	icmp->family = family;
	icmp->raw = true;
	icmp->fd = socket(family, SOCK_RAW | flags, protocol);
	if (icmp->fd < 0 && (errno == EPERM || errno == EACCES)) {
		icmp->raw = false;
		icmp->fd = socket(family, SOCK_DGRAM | flags, protocol);
	}
	if (icmp->fd < 0 && (errno == EPERM || errno == EACCES))
		return pm_fail(
		    err, EPERM,
		    "ICMP echo needs CAP_NET_RAW, or this process's group in net.ipv4.ping_group_range; "
		    "or probe a TCP port");
	if (icmp->fd < 0)
		return pm_fail(err, errno, "cannot open an ICMP socket: %s", strerror(errno));
	if (prepare(icmp) == 0)
		return 0;
	code = errno;
	close(icmp->fd);
	icmp->fd = -1;
	return pm_fail(err, code, "cannot set up an ICMP socket: %s", strerror(code));
}
