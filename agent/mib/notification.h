/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Notifications as SNMP sends them: which varbinds a type has, and with which instances. */
#ifndef PM_MIB_NOTIFICATION_H
#define PM_MIB_NOTIFICATION_H

#include "agent/notify.h"

/*
 * Hands one notification to the master, which acknowledges it by pm_notify_acknowledged(). Returns 1, or a negative
 * errno value: not now.
 */
int pm_notification_send(const struct pm_notification *notification);

#endif
