/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/mib/notification.h"

#include "agent/mib/agentx.h"
#include "agent/mib/table.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define NOTIFY_OBJECTS 16 /* { pmObjects 16 } holds what occurs in notifications only */
#define PARTS_MAX      9

enum instance { OF_MACHINE, OF_NIC, OF_VM, OF_AGENT, OF_NOTIFY };
enum form { NUMBER, UNSIGNED, GAUGE, TRUTH, TEXT, MAC };

struct part {
	oid table, column; /* for OF_NOTIFY: the object's number is in column */
	enum instance instance;
	enum form form;
	size_t offset; /* of the value in struct pm_notification */
};

#define FIELD(member) offsetof(struct pm_notification, member)

#define MACHINE_NAME                                \
	{                                           \
		2, 2, OF_MACHINE, TEXT, FIELD(name) \
	}
#define POWER_STATE                                          \
	{                                                    \
		2, 4, OF_MACHINE, NUMBER, FIELD(power_state) \
	}
#define STATE_SOURCE                                    \
	{                                               \
		2, 7, OF_MACHINE, NUMBER, FIELD(source) \
	}
#define LAST_RESULT                                      \
	{                                                \
		2, 10, OF_MACHINE, NUMBER, FIELD(result) \
	}
#define LAST_TEXT                                    \
	{                                            \
		2, 11, OF_MACHINE, TEXT, FIELD(text) \
	}
#define INHIBIT                                          \
	{                                                \
		2, 12, OF_MACHINE, TRUTH, FIELD(inhibit) \
	}
#define INHIBIT_REASON                                         \
	{                                                      \
		2, 13, OF_MACHINE, TEXT, FIELD(inhibit_reason) \
	}
#define NIC_MAC                               \
	{                                     \
		3, 3, OF_NIC, MAC, FIELD(mac) \
	}
#define NIC_INTERFACE                                \
	{                                            \
		3, 5, OF_NIC, TEXT, FIELD(interface) \
	}
#define NIC_RESULT                                   \
	{                                            \
		3, 17, OF_NIC, NUMBER, FIELD(result) \
	}
#define BMC_ADDRESS                                        \
	{                                                  \
		4, 1, OF_MACHINE, TEXT, FIELD(bmc_address) \
	}
#define BMC_STATUS                                          \
	{                                                   \
		4, 2, OF_MACHINE, NUMBER, FIELD(bmc_status) \
	}
#define VM_NAME                                   \
	{                                         \
		5, 2, OF_VM, TEXT, FIELD(vm_name) \
	}
#define VM_STATE                                     \
	{                                            \
		5, 7, OF_VM, NUMBER, FIELD(vm_state) \
	}
#define AGENT_NAME                                \
	{                                         \
		1, 2, OF_AGENT, TEXT, FIELD(name) \
	}
#define AGENT_VERSION                             \
	{                                         \
		1, 3, OF_AGENT, TEXT, FIELD(text) \
	}
#define AGENT_MACHINES                                 \
	{                                              \
		1, 5, OF_AGENT, GAUGE, FIELD(machines) \
	}
#define AGENT_INHIBIT                                  \
	{                                              \
		1, 15, OF_AGENT, TRUTH, FIELD(inhibit) \
	}
#define OLD_POWER_STATE                                                      \
	{                                                                    \
		NOTIFY_OBJECTS, 1, OF_NOTIFY, NUMBER, FIELD(old_power_state) \
	}
#define OLD_VM_STATE                                                      \
	{                                                                 \
		NOTIFY_OBJECTS, 2, OF_NOTIFY, NUMBER, FIELD(old_vm_state) \
	}
#define NOTIFY_TEXT                                             \
	{                                                       \
		NOTIFY_OBJECTS, 3, OF_NOTIFY, TEXT, FIELD(text) \
	}
#define JOB_LABEL                                                    \
	{                                                            \
		NOTIFY_OBJECTS, 4, OF_NOTIFY, TEXT, FIELD(job_label) \
	}
#define JOB_OWNER                                                    \
	{                                                            \
		NOTIFY_OBJECTS, 5, OF_NOTIFY, TEXT, FIELD(job_owner) \
	}
#define JOB_NAME                                                    \
	{                                                           \
		NOTIFY_OBJECTS, 6, OF_NOTIFY, TEXT, FIELD(job_name) \
	}
#define EVENT_INDEX                                                        \
	{                                                                  \
		NOTIFY_OBJECTS, 7, OF_NOTIFY, UNSIGNED, FIELD(event_index) \
	}
#define JOB_ACTION                                                  \
	{                                                           \
		NOTIFY_OBJECTS, 8, OF_NOTIFY, NUMBER, FIELD(action) \
	}
#define GROUP_NAME                                                    \
	{                                                             \
		NOTIFY_OBJECTS, 9, OF_NOTIFY, TEXT, FIELD(group_name) \
	}
#define JOBS_TOTAL                                                \
	{                                                         \
		NOTIFY_OBJECTS, 10, OF_NOTIFY, GAUGE, FIELD(jobs) \
	}
#define JOBS_SUCCEEDED                                                 \
	{                                                              \
		NOTIFY_OBJECTS, 11, OF_NOTIFY, GAUGE, FIELD(succeeded) \
	}
#define JOBS_FAILED                                                 \
	{                                                           \
		NOTIFY_OBJECTS, 12, OF_NOTIFY, GAUGE, FIELD(failed) \
	}

#define JOB_ENDED                                                                                 \
	{                                                                                         \
		MACHINE_NAME, LAST_RESULT, LAST_TEXT, JOB_OWNER, JOB_NAME, JOB_LABEL, JOB_ACTION, \
		    POWER_STATE, EVENT_INDEX                                                      \
	}
#define WAKE                                                                               \
	{                                                                                  \
		MACHINE_NAME, NIC_MAC, NIC_INTERFACE, NIC_RESULT, NOTIFY_TEXT, EVENT_INDEX \
	}
#define BMC                                                                     \
	{                                                                       \
		MACHINE_NAME, BMC_ADDRESS, BMC_STATUS, NOTIFY_TEXT, EVENT_INDEX \
	}

/* In the order of the OBJECTS clauses of the MIB, and what the DESCRIPTION adds. A part with table 0 ends the list. */
static const struct part parts[][PARTS_MAX + 1] = {
    [PM_NOTIFY_POWER_STATE_CHANGE] = {MACHINE_NAME, POWER_STATE, OLD_POWER_STATE, STATE_SOURCE, EVENT_INDEX},
    [PM_NOTIFY_VM_STATE_CHANGE] = {MACHINE_NAME, VM_NAME, VM_STATE, OLD_VM_STATE, EVENT_INDEX},
    [PM_NOTIFY_JOB_STARTED] = {MACHINE_NAME, JOB_OWNER, JOB_NAME, JOB_LABEL, JOB_ACTION, EVENT_INDEX},
    [PM_NOTIFY_JOB_FINISHED] = JOB_ENDED,
    [PM_NOTIFY_JOB_FAILED] = JOB_ENDED,
    [PM_NOTIFY_WAKE_SEEN] = WAKE,
    [PM_NOTIFY_WAKE_NOT_SEEN] = WAKE,
    [PM_NOTIFY_BMC_DOWN] = BMC,
    [PM_NOTIFY_BMC_UP] = BMC,
    [PM_NOTIFY_AGENT_STARTED] = {AGENT_NAME, AGENT_VERSION, AGENT_MACHINES},
    [PM_NOTIFY_INHIBIT_CHANGE] = {MACHINE_NAME, INHIBIT, INHIBIT_REASON, EVENT_INDEX},
    [PM_NOTIFY_GROUP_FINISHED] = {MACHINE_NAME, GROUP_NAME, JOB_ACTION, JOBS_TOTAL, JOBS_SUCCEEDED,
				  JOBS_FAILED, NOTIFY_TEXT},
};

/* pmInhibitChange for the whole agent has this one more. */
static const struct part agent_inhibit = AGENT_INHIBIT;

static size_t name_of(const struct part *part, const struct pm_notification *notification, oid *name)
{
	const oid root[] = {PM_MIB_OBJECTS};
	size_t length = OID_LENGTH(root);

	memcpy(name, root, sizeof(root));
	name[length++] = part->table;
	if (part->instance != OF_NOTIFY)
		name[length++] = 1;
	name[length++] = part->column;
	switch (part->instance) {
	case OF_AGENT:
		name[length++] = notification->agent;
		break;
	case OF_NOTIFY:
		name[length++] = 0;
		break;
	default:
		name[length++] = notification->machine;
		if (part->instance == OF_NIC || part->instance == OF_VM)
			name[length++] = part->instance == OF_NIC ? notification->nic : notification->vm;
	}
	return length;
}

static bool add_text(netsnmp_variable_list **list, const oid *name, size_t length, const char *text)
{
	return snmp_varlist_add_variable(list, name, length, ASN_OCTET_STR, text, strlen(text)) != NULL;
}

static bool add(netsnmp_variable_list **list, const struct part *part,
		const struct pm_notification *notification)
{
	const void *value = (const char *)notification + part->offset;
	oid name[MAX_OID_LEN];
	size_t length = name_of(part, notification, name);
	static const uint8_t types[] = {
	    [NUMBER] = ASN_INTEGER, [UNSIGNED] = ASN_UNSIGNED, [GAUGE] = ASN_GAUGE, [TRUTH] = ASN_INTEGER};
	long number;

	if (part->form == TEXT)
		return add_text(list, name, length, value);
	if (part->form == MAC)
		return snmp_varlist_add_variable(list, name, length, ASN_OCTET_STR, value, 6) != NULL;
	if (part->form == TRUTH)
		number = *(const bool *)value ? PM_TRUE : PM_FALSE;
	else
		number = *(const uint32_t *)value;
	return snmp_varlist_add_variable(list, name, length, types[part->form], &number, sizeof(number)) !=
	       NULL;
}

int pm_notification_send(const struct pm_notification *notification)
{
	static const oid trap_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}; /* snmpTrapOID.0, RFC 3418 */
	const oid type[] = {PM_MIB_NOTIFICATIONS, notification->type};
	netsnmp_variable_list *list = NULL;
	bool good = snmp_varlist_add_variable(&list, trap_oid, OID_LENGTH(trap_oid), ASN_OBJECT_ID, type,
					      sizeof(type)) != NULL;

	for (const struct part *part = parts[notification->type]; good && part->table; part++)
		good = add(&list, part, notification);
	if (good && notification->type == PM_NOTIFY_INHIBIT_CHANGE && notification->machine == 0)
		good = add(&list, &agent_inhibit, notification);
	if (!good) {
		snmp_free_varbind(list);
		return -ENOMEM;
	}
	return pm_agentx_notify(list, notification->id);
}
