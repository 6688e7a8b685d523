/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by table.c (reading) and table_set.c (SET); for nobody else. */
#ifndef PM_MIB_TABLE_PRIVATE_H
#define PM_MIB_TABLE_PRIVATE_H

#include "agent/mib/table.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>

#define PM_ENTRY_PREFIX 13 /* root (10), pmObjects, table, entry; then column, then index */

/* As the table's own seek. */
bool pm_table_seek(const struct pm_table *table, const oid *index, size_t length, bool inclusive,
		   struct pm_row *row);

/* One call of the handler in one of the SET modes. */
void pm_table_set_phase(const struct pm_table *table, netsnmp_agent_request_info *info,
			netsnmp_request_info *requests);

#endif
