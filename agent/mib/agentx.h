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

#endif
