/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wake-on-LAN of one port, by the ioctls ETHTOOL_GWOL and ETHTOOL_SWOL of linux/ethtool.h. */
#ifndef PM_HELPER_WAKE_H
#define PM_HELPER_WAKE_H

#include "agent/host/helper/link.h"

#include <stdbool.h>
#include <stdint.h>

enum wake_state { WAKE_UNKNOWN, WAKE_NOT_SUPPORTED, WAKE_DISARMED, WAKE_ARMED };

struct wake {
	enum wake_state state;   /* armed: a magic packet wakes it */
	uint32_t supported, set; /* WAKE_PHY and so on */
	bool failed;             /* it supports magic packets, and could not be armed */
	bool denied;             /* we may not ask, or may not arm */
	char text[160];          /* why it is so, for people; "" when state says all */
};

/* "armed", "disarmed", "notSupported", "unknown". */
const char *wake_state_name(enum wake_state state);

/* The bits in ethtool's letters, "pumbagsf"; "d" for none. */
void wake_letters(uint32_t bits, char letters[16]);

/* How the port is now. */
void wake_read(const struct link *port, struct wake *wake);

/* Adds the magic packet to what wakes it, and reads back. */
void wake_arm(const struct link *port, struct wake *wake);

#endif
