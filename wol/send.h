/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sockets that magic packets are sent with: one for raw Ethernet, one each for UDP over IPv4 and IPv6. */
#ifndef PM_WOL_SEND_H
#define PM_WOL_SEND_H

#include "wol/fail.h"
#include "wol/interface.h"
#include "wol/match.h"

struct wol_sender {
	int raw, udp4, udp6;   /* -1 until first needed */
	uint16_t port4, port6; /* local UDP ports, which make our packets ours */
};

void wol_sender_init(struct wol_sender *sender);
void wol_sender_close(struct wol_sender *sender);

/* Opens the socket for method (and, for UDP, family) unless it is open. -EPERM: no CAP_NET_RAW. */
int wol_sender_open(struct wol_sender *sender, enum wol_method method, int family, struct wol_error *err);

/* Sends one whole Ethernet frame on interface. */
int wol_send_frame(const struct wol_sender *sender, const struct wol_interface *interface,
		   const uint8_t *frame, size_t length, struct wol_error *err);

/* Sends one datagram to address, out of interface, whatever the routing table says. */
int wol_send_datagram(const struct wol_sender *sender, const struct wol_interface *interface,
		      const struct sockaddr_storage *address, const uint8_t *payload, size_t length,
		      struct wol_error *err);

#endif
