/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The objects of PMSTACK-MIB as a SET sees them, written by hand from the MIB and apart from the agent's own tables:
 * what may be written, and which error a value deserves by itself (RFC 3416, 4.2.5: type, length, value).
 */
#ifndef PM_RANDOM_OBJECTS_H
#define PM_RANDOM_OBJECTS_H

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define OCTETS_MAX 600

enum table { AGENT = 1, MACHINE, NIC, BMC, VM, JOB, STEP, GROUP, MEMBER, NAME, EVENT = 13, STATE_MAP = 15 };

enum text { PLAIN, VISIBLE, INTERFACE, ADDRESS };

struct object {
	const char *name; /* NULL: read-only, or not there at all */
	uint8_t table, column, type;
	uint32_t min, max; /* of the number, or of octets */
	uint32_t hole;     /* a number between them that may not be written; 0: none */
	enum text text;
};

/* Columns of pmJobTable by their numbers in the MIB. */
enum job_column {
	J_ACTION = 3,
	J_SCOPE,
	J_VM,
	J_FORCE,
	J_DELAY,
	J_TIMEOUT,
	J_VM_TIMEOUT,
	J_ARM_WOL,
	J_NIC,
	J_ADDR_TYPE,
	J_ADDR,
	J_PORT,
	J_INIT_LEVEL,
	J_LABEL,
	J_DRY_RUN,
	J_ADMIN,
	J_STATE,
	J_RESULT,
	J_RETAIN = 28,
	J_STORAGE,
	J_ROW_STATUS,
	J_COLUMNS
};

#define INDEX_MAX_BY_TC 2147483647U
#define DAY_S           86400
#define MONTH_S         2592000
#define HOUR_MS         3600000

static const struct object objects[] = {
    {"pmAgentJobMaxConcurrent", AGENT, 14, ASN_UNSIGNED, 1, 65535, 0, PLAIN},
    {"pmAgentInhibit", AGENT, 15, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmAgentNotifyEnable", AGENT, 16, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmAgentConfigReload", AGENT, 21, ASN_INTEGER, 2, 2, 0, PLAIN},
    {"pmAgentSetLock", AGENT, 23, ASN_INTEGER, 0, INT32_MAX, 0, PLAIN},
    {"pmMachineAdminState", MACHINE, 3, ASN_INTEGER, 1, 3, 0, PLAIN},
    {"pmMachineCommand", MACHINE, 5, ASN_INTEGER, 2, 15, 0, PLAIN},
    {"pmMachineStackAdminState", MACHINE, 6, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmMachineInhibit", MACHINE, 12, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmMachineInhibitReason", MACHINE, 13, ASN_OCTET_STR, 0, 255, 0, VISIBLE},
    {"pmMachineStackTimeout", MACHINE, 18, ASN_UNSIGNED, 1, DAY_S, 0, PLAIN},
    {"pmMachineVmTimeout", MACHINE, 19, ASN_UNSIGNED, 1, DAY_S, 0, PLAIN},
    {"pmMachinePowerOnMethod", MACHINE, 20, ASN_INTEGER, 1, 3, 0, PLAIN},
    {"pmNicWolMethod", NIC, 4, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmNicInterface", NIC, 5, ASN_OCTET_STR, 0, 15, 0, INTERFACE},
    {"pmNicAddr", NIC, 7, ASN_OCTET_STR, 0, 16, 0, ADDRESS},
    {"pmNicPort", NIC, 8, ASN_UNSIGNED, 1, 65535, 0, PLAIN},
    {"pmNicWake", NIC, 10, ASN_INTEGER, 2, 2, 0, PLAIN},
    {"pmBmcChassisControl", BMC, 5, ASN_INTEGER, 2, 7, 0, PLAIN},
    {"pmBmcRestorePolicy", BMC, 14, ASN_INTEGER, 2, 4, 0, PLAIN},
    {"pmBmcIdentify", BMC, 15, ASN_INTEGER, 1, 3, 0, PLAIN},
    {"pmBmcBootDevice", BMC, 16, ASN_INTEGER, 1, 8, 0, PLAIN},
    {"pmBmcBootPersistent", BMC, 17, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmBmcBootEfi", BMC, 18, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmVmAdminState", VM, 6, ASN_INTEGER, 1, 4, 0, PLAIN},
    {"pmVmCommand", VM, 8, ASN_INTEGER, 2, 15, 0, PLAIN},
    {"pmVmShutdownTimeout", VM, 9, ASN_UNSIGNED, 1, DAY_S, 0, PLAIN},
    {"pmJobAction", JOB, J_ACTION, ASN_INTEGER, 2, 15, 0, PLAIN},
    {"pmJobScope", JOB, J_SCOPE, ASN_INTEGER, 1, 3, 0, PLAIN},
    {"pmJobVm", JOB, J_VM, ASN_UNSIGNED, 0, INDEX_MAX_BY_TC, 0, PLAIN},
    {"pmJobForce", JOB, J_FORCE, ASN_INTEGER, 1, 3, 0, PLAIN},
    {"pmJobDelay", JOB, J_DELAY, ASN_UNSIGNED, 0, MONTH_S, 0, PLAIN},
    {"pmJobTimeout", JOB, J_TIMEOUT, ASN_UNSIGNED, 1, DAY_S, 0, PLAIN},
    {"pmJobVmTimeout", JOB, J_VM_TIMEOUT, ASN_UNSIGNED, 1, DAY_S, 0, PLAIN},
    {"pmJobArmWol", JOB, J_ARM_WOL, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmJobNic", JOB, J_NIC, ASN_UNSIGNED, 0, INDEX_MAX_BY_TC, 0, PLAIN},
    {"pmJobWolAddrType", JOB, J_ADDR_TYPE, ASN_INTEGER, 0, 2, 0, PLAIN},
    {"pmJobWolAddr", JOB, J_ADDR, ASN_OCTET_STR, 0, 16, 0, ADDRESS},
    {"pmJobWolPort", JOB, J_PORT, ASN_UNSIGNED, 0, 65535, 0, PLAIN},
    {"pmJobInitLevel", JOB, J_INIT_LEVEL, ASN_UNSIGNED, 0, 6, 0, PLAIN},
    {"pmJobLabel", JOB, J_LABEL, ASN_OCTET_STR, 0, 64, 0, VISIBLE},
    {"pmJobDryRun", JOB, J_DRY_RUN, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmJobAdminStatus", JOB, J_ADMIN, ASN_INTEGER, 1, 2, 0, PLAIN},
    {"pmJobRetain", JOB, J_RETAIN, ASN_UNSIGNED, 0, MONTH_S, 0, PLAIN},
    {"pmJobStorageType", JOB, J_STORAGE, ASN_INTEGER, 2, 3, 0, PLAIN},
    {"pmJobRowStatus", JOB, J_ROW_STATUS, ASN_INTEGER, 1, 6, 3, PLAIN},
    {"pmGroupCommand", GROUP, 6, ASN_INTEGER, 2, 15, 0, PLAIN},
    {"pmGroupStagger", GROUP, 7, ASN_UNSIGNED, 0, HOUR_MS, 0, PLAIN},
};

#define OBJECT_COUNT (sizeof(objects) / sizeof(*objects))

/* What a manager wrote. */
struct value {
	uint8_t type;
	long number; /* ASN_INTEGER and all that is not octets */
	uint8_t octets[OCTETS_MAX];
	size_t length;
};

static inline const struct object *object_of(enum table table, unsigned column)
{
	for (size_t i = 0; i < OBJECT_COUNT; i++)
		if (objects[i].table == table && objects[i].column == column)
			return &objects[i];
	return NULL;
}

/* The sequence of UTF-8 at the front (RFC 3629): its length, 0 when it is none or a control character. */
static inline size_t visible_sequence(const uint8_t *text, size_t length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	uint32_t code = text[0];

	if (size == 0 || size > length || text[0] >= 0xf8)
		return 0;
	if (size > 1)
		code &= 0x7fU >> size;
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (size > 1 && (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)))
		return 0;
	return code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0 : size;
}

static inline bool is_visible(const uint8_t *text, size_t length)
{
	for (size_t at = 0, step; at < length; at += step) {
		step = visible_sequence(text + at, length - at);
		if (step == 0)
			return false;
	}
	return true;
}

static inline bool is_interface(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '/' || text[i] == ':')
			return false;
	return true;
}

static inline int octets_error(const struct object *object, const struct value *value)
{
	if (value->length < object->min || value->length > object->max)
		return SNMP_ERR_WRONGLENGTH;
	if (object->text == ADDRESS && value->length != 0 && value->length != 4 && value->length != 16)
		return SNMP_ERR_WRONGLENGTH;
	if (object->text == VISIBLE && !is_visible(value->octets, value->length))
		return SNMP_ERR_WRONGVALUE;
	if (object->text == INTERFACE && !is_interface(value->octets, value->length))
		return SNMP_ERR_WRONGVALUE;
	return SNMP_ERR_NOERROR;
}

/* The error that this value deserves whatever the state: wrongType, wrongLength, wrongValue or none. */
static inline int value_error(const struct object *object, const struct value *value)
{
	if (value->type != object->type)
		return SNMP_ERR_WRONGTYPE;
	if (object->type == ASN_OCTET_STR)
		return octets_error(object, value);
	if (value->number < (long)object->min || value->number > (long)object->max ||
	    (object->hole && value->number == (long)object->hole))
		return SNMP_ERR_WRONGVALUE;
	return SNMP_ERR_NOERROR;
}

#endif
