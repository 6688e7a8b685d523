/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Least privilege: an ordinary user whose only capability is CAP_NET_RAW. */
#ifndef PM_PRIVILEGE_H
#define PM_PRIVILEGE_H

#include "agent/error.h"

#include <stdbool.h>

#define PM_DEFAULT_USER "pmstack"

/*
 * As root: becomes user, with its groups, and keeps CAP_NET_RAW alone. As anybody else: gives up every capability but
 * CAP_NET_RAW. No core dump is written from here on. Returns 0 or a negative errno value.
 */
int pm_privilege_drop(const char *user, struct pm_error *err);

/* Whether raw sockets and captures are possible. */
bool pm_privilege_net_raw(void);

#endif
