/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The floor that SETs to pmstackd are measured against: an AgentX subagent on net-snmp's own main loop that accepts every
 * SET below its root, whatever it says, and does nothing.
 *
 *   sink MASTER
 *
 * The root is { netSnmpPlaypen 7749 }: each object of PMSTACK-MIB has its mirror there, with a name as long. It ends when
 * its master goes.
 */
#include "tests/bench/subagent.h"

#include <stdio.h>

static int accept_set(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
		      netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	(void)handler;
	(void)registration;
	if (info->mode == MODE_GET)
		for (netsnmp_request_info *r = requests; r; r = r->next)
			netsnmp_set_request_error(info, r, SNMP_NOSUCHINSTANCE);
	return SNMP_ERR_NOERROR;
}

int main(int argc, char **argv)
{
	const oid root[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7749};

	if (argc != 2) {
		fprintf(stderr, "usage: sink MASTER\n");
		return 2;
	}
	return bench_subagent("sink", argv[1], root, OID_LENGTH(root), accept_set, HANDLER_CAN_RWRITE);
}
