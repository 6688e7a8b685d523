/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ICMP echo for the probes: the packets (RFC 792 "Echo", RFC 4443 section 4) and the socket they travel by.
 * The reply must bring back a random cookie, so that nobody who has not seen the request can answer it.
 */
#ifndef PM_ICMP_H
#define PM_ICMP_H

#include "agent/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PM_ICMP_COOKIE  16
#define PM_ICMP_REQUEST (8 + PM_ICMP_COOKIE) /* octets of an echo request */

struct pm_icmp_reply {
	uint16_t identifier, sequence;
	const uint8_t *cookie; /* PM_ICMP_COOKIE octets within the packet */
};

/* Writes an echo request for AF_INET (with checksum) or AF_INET6 (the kernel adds it). Pure. */
void pm_icmp_request(int family, uint16_t identifier, uint16_t sequence, const uint8_t cookie[PM_ICMP_COOKIE],
		     uint8_t packet[PM_ICMP_REQUEST]);

/*
 * Reads what a socket received; ip_header: it begins with an IPv4 header, as on raw IPv4 sockets. Returns
 * false for anything but an echo reply of our size, among it every ICMP error message. Pure.
 */
bool pm_icmp_parse(int family, bool ip_header, const uint8_t *packet, size_t length,
		   struct pm_icmp_reply *reply);

struct pm_icmp_socket {
	int fd;
	int family;
	bool raw;            /* else the kernel's ping socket */
	uint16_t identifier; /* of our requests */
};

/* Opens a non-blocking socket: raw with CAP_NET_RAW, else a ping socket. Returns 0 or a negative errno value.
 */
int pm_icmp_open(int family, struct pm_icmp_socket *icmp, struct pm_error *err);

#endif
