/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the bench's peers share: an AgentX subagent on net-snmp's own main loop, with one handler for all below a root.
 */
#ifndef PM_BENCH_SUBAGENT_H
#define PM_BENCH_SUBAGENT_H

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <net-snmp/agent/agent_callbacks.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <stdbool.h>
#include <stdlib.h>

static bool bench_master_gone;

static inline int bench_on_disconnected(int major, int minor, void *server, void *client)
{
	(void)major;
	(void)minor;
	(void)server;
	(void)client;
	bench_master_gone = true;
	return 0;
}

/*
 * Serves root with the handler; modes is HANDLER_CAN_RONLY or HANDLER_CAN_RWRITE. Returns when the master goes, 0, or at
 * once with 1.
 */
static inline int bench_subagent(const char *name, const char *master, const oid *root, size_t length,
				 Netsnmp_Node_Handler *handler, int modes)
{
	netsnmp_handler_registration *registration;

	setenv("MIBS", "", 1);
	snmp_enable_stderrlog();
	netsnmp_enable_subagent();
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, master);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	if (init_agent(name) != 0)
		return 1;
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, SNMPD_CALLBACK_INDEX_STOP, bench_on_disconnected,
			       NULL);
	registration = netsnmp_create_handler_registration(name, handler, root, length, modes);
	if (!registration || netsnmp_register_handler(registration) != MIB_REGISTERED_OK)
		return 1;
	init_snmp(name);
	while (!bench_master_gone)
		agent_check_and_process(1);
	return 0;
}

#endif
