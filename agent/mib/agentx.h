/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The AgentX subagent session (RFC 2741) of net-snmp, joined to libuv. The session is opened, kept and opened again
 * after the master has gone; one log line tells each change.
 */
#ifndef PM_MIB_AGENTX_H
#define PM_MIB_AGENTX_H

#include "agent/agent.h"

/*
 * Initialises net-snmp as a subagent of master ("unix:/path", "tcp:host:port"), registers all tables, and tries to
 * connect from now on. Returns 0 or a negative errno value; a master that is not there is no error.
 */
int pm_agentx_start(struct pm_agent *agent, const char *master, struct pm_error *err);

/* Tells the master goodbye and frees net-snmp's state. */
void pm_agentx_stop(void);

bool pm_agentx_connected(void);

struct variable_list; /* net-snmp's netsnmp_variable_list */

/*
 * Sends a Notify PDU (RFC 2741, 6.2.10) with these varbinds, which it takes over; pm_notify_acknowledged() follows with
 * id when the master has answered or a timeout has passed. Returns 1, or a negative errno value: not connected, or the
 * master does not read at the moment.
 */
int pm_agentx_notify(struct variable_list *varbinds, uint64_t id);

#endif
