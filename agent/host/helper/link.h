/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The network interfaces of this network namespace, by rtnetlink(7), and which physical ports are under each. */
#ifndef PM_HELPER_LINK_H
#define PM_HELPER_LINK_H

#include "agent/error.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
	int index;
	int master;          /* index of the bridge, bond or team it is a port of; 0: none */
	int lower;           /* index of what a VLAN, macvlan or the like stands on; 0: nothing here */
	char name[IFNAMSIZ]; /* any octets but '/' and white space: the kernel forbids nothing else */
	char kind
	    [IFNAMSIZ]; /* of the driver's link operations: "bridge", "vlan"; without one "ethernet", "loopback", "other" */
	uint8_t mac[6];           /* all zero: none */
	uint8_t permanent_mac[6]; /* burnt in; all zero: not told */
	bool up;
	bool physical; /* an Ethernet device that stands on nothing */
};

struct links {
	struct link *list; /* in the kernel's order */
	size_t count;
};

/* Asks the kernel. 0 or a negative errno value; free with links_free either way. */
int links_read(struct links *links, struct pm_error *err);

void links_free(struct links *links);

/* NULL: there is none. */
const struct link *links_find(const struct links *links, const char *name);

/* Whether upper stands on lower directly: as a port, or as what a VLAN is on. */
bool link_stands_on(const struct link *upper, const struct link *lower);

/* Whether one of its MACs, current or permanent, is this. */
bool link_has_mac(const struct link *link, const uint8_t mac[6]);

/* Sets chosen[i] for each physical port i that is this interface, or is under it, however deep. Their number. */
size_t links_choose(const struct links *links, const struct link *link, bool *chosen);

#endif
