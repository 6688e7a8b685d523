/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which network interface a magic packet leaves by, and what that interface is. Answers come from the kernel
 * at once. */
#ifndef PM_WOL_INTERFACE_H
#define PM_WOL_INTERFACE_H

#include "wol/fail.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct wol_interface {
	char name[IF_NAMESIZE];
	int index;
	bool up;      /* administratively */
	bool running; /* has a carrier */
	bool loopback;
	bool slave;    /* of a bond, which is then the interface to use */
	bool ethernet; /* by its hardware type */
	uint8_t mac[6];
	uint16_t vlan_id; /* when it is an 802.1Q VLAN; else 0 */
};

/* Describes the interface called name. -ENODEV when there is none. */
int wol_interface_named(const char *name, struct wol_interface *interface, struct wol_error *err);

/* The Ethernet interface with the lowest index that is up, with carrier, and no bond's slave. -ENODEV if
 * none. */
int wol_interface_first(struct wol_interface *interface, struct wol_error *err);

/* The interface by which the kernel would route to address (IPv4 or IPv6), by rtnetlink(7). -ENETUNREACH if
 * none. */
int wol_interface_routed(const struct sockaddr_storage *address, struct wol_interface *interface,
			 struct wol_error *err);

#endif
