/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmNicTable: the NICs of the machines; Wake starts a job. */
#include "agent/mib/mib.h"
#include "agent/os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
	INDEX = 1,
	NAME,
	MAC_ADDRESS,
	WOL_METHOD,
	INTERFACE,
	ADDR_TYPE,
	ADDR,
	PORT,
	SECURE_ON,
	WAKE,
	ARMED,
	WAKE_SENT,
	WAKE_SEEN,
	WAKE_HEARD,
	LAST_SENT,
	LAST_SEEN,
	LAST_RESULT,
	COLUMN_COUNT
};

#define WAKE_IDLE 1
#define WAKE_SEND 2

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("pmNicIndex", ASN_UNSIGNED),
    [NAME] = PM_READ("pmNicName", ASN_OCTET_STR),
    [MAC_ADDRESS] = PM_READ("pmNicMacAddress", ASN_OCTET_STR),
    [WOL_METHOD] = PM_WRITE("pmNicWolMethod", ASN_INTEGER, PM_WOL_ETHERNET, PM_WOL_UDP),
    [INTERFACE] = PM_WRITE("pmNicInterface", ASN_OCTET_STR, 0, 15),
    [ADDR_TYPE] = PM_READ("pmNicAddrType", ASN_INTEGER),
    [ADDR] = PM_WRITE("pmNicAddr", ASN_OCTET_STR, 0, 16),
    [PORT] = PM_WRITE("pmNicPort", ASN_UNSIGNED, 1, 65535),
    [SECURE_ON] = PM_READ("pmNicSecureOn", ASN_INTEGER),
    [WAKE] = PM_WRITE_NOT("pmNicWake", ASN_INTEGER, WAKE_IDLE, WAKE_SEND, WAKE_IDLE),
    [ARMED] = PM_READ("pmNicArmed", ASN_INTEGER),
    [WAKE_SENT] = PM_READ("pmNicWakeSent", ASN_COUNTER),
    [WAKE_SEEN] = PM_READ("pmNicWakeSeen", ASN_COUNTER),
    [WAKE_HEARD] = PM_READ("pmNicWakeHeard", ASN_COUNTER),
    [LAST_SENT] = PM_READ("pmNicLastSent", ASN_OCTET_STR),
    [LAST_SEEN] = PM_READ("pmNicLastSeen", ASN_OCTET_STR),
    [LAST_RESULT] = PM_READ("pmNicLastResult", ASN_INTEGER),
};

static struct pm_rows rows;

static int fill(struct pm_rows *to)
{
	for (size_t m = 0; m < pm_mib_agent->machine_count; m++) {
		struct pm_machine *machine = pm_mib_agent->machines[m];

		for (size_t i = 0; i < machine->nic_count; i++) {
			const oid index[] = {machine->index, machine->nics[i].index};

			if (pm_rows_add(to, index, 2, &machine->nics[i]) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* InetAddressType of RFC 4001: unknown(0), ipv4(1), ipv6(2); fills octets. */
static unsigned address_of(const struct pm_nic *nic, uint8_t octets[16])
{
	return inet_pton(AF_INET, nic->address, octets) == 1    ? 1
	       : inet_pton(AF_INET6, nic->address, octets) == 1 ? 2
								: 0;
}

static bool get_address(const struct pm_nic *nic, unsigned column, struct pm_value *value)
{
	static const size_t length[] = {0, 4, 16};
	unsigned type = address_of(nic, value->buffer);

	return column == ADDR ? pm_value_octets(value, value->buffer, length[type])
			      : pm_value_integer(value, type);
}

static bool get_history(const struct pm_nic *nic, unsigned column, struct pm_value *value)
{
	switch (column) {
	case WAKE_SENT:
		return pm_value_unsigned(value, nic->wake_sent);
	case WAKE_SEEN:
		return pm_value_unsigned(value, nic->wake_seen);
	case LAST_SENT:
		return pm_value_date(value, nic->last_sent_ms);
	case LAST_SEEN:
		return pm_value_date(value, nic->last_seen_ms);
	case LAST_RESULT:
		return pm_value_integer(value, nic->last_result);
	default:
		return false; /* WakeHeard: there is no witness */
	}
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_nic *nic = row->object;

	switch (column) {
	case NAME:
		return pm_value_text(value, nic->config->name);
	case MAC_ADDRESS:
		return nic->config->has_mac &&
		       pm_value_octets(value, nic->config->mac, sizeof(nic->config->mac));
	case WOL_METHOD:
		return pm_value_integer(value, nic->wol);
	case INTERFACE:
		return pm_value_text(value, nic->interface);
	case ADDR_TYPE:
	case ADDR:
		return get_address(nic, column, value);
	case PORT:
		return pm_value_unsigned(value, nic->port);
	case SECURE_ON:
		return pm_value_truth(value, nic->config->secureon.length > 0);
	case WAKE:
		return pm_value_integer(value, WAKE_IDLE);
	case ARMED:
		return pm_value_integer(value, pm_os_nic_armed(nic));
	default:
		return get_history(nic, column, value);
	}
}

/* There is no witness yet. */
static bool any(unsigned column)
{
	return column != WAKE_HEARD;
}

/* --- SET -------------------------------------------------------------------------------------- */

static int convert_address(const struct pm_value *value, char *out, struct pm_error *err)
{
	out[0] = '\0';
	if (value->length == 0)
		return 0;
	if (!inet_ntop(value->length == 4 ? AF_INET : AF_INET6, value->data, out, PM_SETTING_TEXT_MAX))
		return pm_fail(err, EINVAL, "not an address");
	return 0;
}

static int convert_interface(const struct pm_value *value, char *out, struct pm_error *err)
{
	pm_value_copy(value, out);
	for (size_t i = 0; i < value->length; i++)
		if (out[i] <= ' ' || out[i] > '~' || out[i] == '/' || out[i] == ':')
			return pm_fail(err, EINVAL, "no interface can have such a name");
	return 0;
}

static const struct pm_change_map map[] = {
    {WOL_METHOD, PM_SET_NIC_WOL, NULL},
    {INTERFACE, PM_SET_NIC_INTERFACE, convert_interface},
    {ADDR, PM_SET_NIC_ADDRESS, convert_address},
    {PORT, PM_SET_NIC_PORT, NULL},
};

static int missing(const oid *index, size_t length)
{
	return length == 2 ? pm_mib_missing(index, length, SNMP_ERR_INCONSISTENTNAME) : SNMP_ERR_NOCREATION;
}

static int check(unsigned column, const struct pm_value *value, struct pm_error *err)
{
	if (column != ADDR || value->length == 0 || value->length == 4 || value->length == 16)
		return SNMP_ERR_NOERROR;
	pm_error_set(err, "%zu octets are no address: 4 for IPv4, 16 for IPv6, 0 for the default",
		     value->length);
	return SNMP_ERR_WRONGLENGTH;
}

static int test(struct pm_row_set *set, struct pm_error *err)
{
	struct pm_nic *nic = set->row.object;
	const struct pm_setting_owner owner = {
	    .agent = nic->machine->agent, .machine = nic->machine, .nic = nic};
	const struct pm_job_request request = {.machine = nic->machine,
					       .action = PM_COMMAND_WAKE,
					       .origin = PM_ORIGIN_NIC_WAKE,
					       .nic = nic->index};

	set->failed_column = set->values[WAKE] ? WAKE : 0;
	return pm_change_begin(set, &owner, map, sizeof(map) / sizeof(*map),
			       set->values[WAKE] ? &request : NULL, err);
}

const struct pm_table pm_nic_table = {.name = "pmNicTable",
				      .number = 3,
				      .columns = columns,
				      .column_count = COLUMN_COUNT,
				      .first_column = NAME,
				      .rows = &rows,
				      .fill = fill,
				      .any = any,
				      .get = get,
				      .check = check,
				      .missing = missing,
				      .test = test,
				      PM_CHANGES(pm_change_commit)};
