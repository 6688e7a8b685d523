/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmBmcTable: the BMCs; chassis control and the settings that a BMC keeps start jobs. */
#include "agent/mib/mib.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	ADDRESS = 1,
	STATUS,
	IPMI_VERSION,
	CIPHER_SUITE,
	CHASSIS_CONTROL,
	LAST_POWER_EVENT,
	POWER_FAULT,
	POWER_OVERLOAD,
	INTERLOCK_ACTIVE,
	CHASSIS_INTRUSION,
	DRIVE_FAULT,
	COOLING_FAULT,
	FRONT_PANEL_LOCKOUT,
	RESTORE_POLICY,
	IDENTIFY,
	BOOT_DEVICE,
	BOOT_PERSISTENT,
	BOOT_EFI,
	POWER_ON_HOURS,
	ROUND_TRIP,
	REQUESTS,
	RETRANSMITS,
	TIMEOUTS,
	SESSIONS,
	LAST_CONTACT,
	COLUMN_COUNT
};

#define CONTROL_NONE        1
#define RESTORE_UNKNOWN     1
#define IDENTIFY_INTERVAL_S 15
#define IPMI_PORT           623

static const struct pm_column columns[COLUMN_COUNT] = {
    [ADDRESS] = PM_READ("pmBmcAddress", ASN_OCTET_STR),
    [STATUS] = PM_READ("pmBmcStatus", ASN_INTEGER),
    [IPMI_VERSION] = PM_READ("pmBmcIpmiVersion", ASN_OCTET_STR),
    [CIPHER_SUITE] = PM_READ("pmBmcCipherSuite", ASN_UNSIGNED),
    [CHASSIS_CONTROL] = PM_WRITE_NOT("pmBmcChassisControl", ASN_INTEGER, CONTROL_NONE, 7, CONTROL_NONE),
    [LAST_POWER_EVENT] = PM_READ("pmBmcLastPowerEvent", ASN_INTEGER),
    [POWER_FAULT] = PM_READ("pmBmcPowerFault", ASN_INTEGER),
    [POWER_OVERLOAD] = PM_READ("pmBmcPowerOverload", ASN_INTEGER),
    [INTERLOCK_ACTIVE] = PM_READ("pmBmcInterlockActive", ASN_INTEGER),
    [CHASSIS_INTRUSION] = PM_READ("pmBmcChassisIntrusion", ASN_INTEGER),
    [DRIVE_FAULT] = PM_READ("pmBmcDriveFault", ASN_INTEGER),
    [COOLING_FAULT] = PM_READ("pmBmcCoolingFault", ASN_INTEGER),
    [FRONT_PANEL_LOCKOUT] = PM_READ("pmBmcFrontPanelLockout", ASN_INTEGER),
    [RESTORE_POLICY] = PM_WRITE_NOT("pmBmcRestorePolicy", ASN_INTEGER, RESTORE_UNKNOWN, 4, RESTORE_UNKNOWN),
    [IDENTIFY] = PM_WRITE("pmBmcIdentify", ASN_INTEGER, 1, 3),
    [BOOT_DEVICE] = PM_WRITE("pmBmcBootDevice", ASN_INTEGER, 1, 8),
    [BOOT_PERSISTENT] = PM_WRITE("pmBmcBootPersistent", ASN_INTEGER, PM_TRUE, PM_FALSE),
    [BOOT_EFI] = PM_WRITE("pmBmcBootEfi", ASN_INTEGER, PM_TRUE, PM_FALSE),
    [POWER_ON_HOURS] = PM_READ("pmBmcPowerOnHours", ASN_COUNTER),
    [ROUND_TRIP] = PM_READ("pmBmcRoundTrip", ASN_GAUGE),
    [REQUESTS] = PM_READ("pmBmcRequests", ASN_COUNTER),
    [RETRANSMITS] = PM_READ("pmBmcRetransmits", ASN_COUNTER),
    [TIMEOUTS] = PM_READ("pmBmcTimeouts", ASN_COUNTER),
    [SESSIONS] = PM_READ("pmBmcSessions", ASN_COUNTER),
    [LAST_CONTACT] = PM_READ("pmBmcLastContact", ASN_OCTET_STR),
};

/* pmBmcBootDevice 1..8 as the BMC's boot device selector (IPMI 2.0, table 28-14, parameter 5). */
static const enum ipmi_boot_device boot_devices[] = {
    IPMI_BOOT_NO_OVERRIDE, IPMI_BOOT_NO_OVERRIDE, IPMI_BOOT_PXE,       IPMI_BOOT_DISK,       IPMI_BOOT_CDROM,
    IPMI_BOOT_BIOS_SETUP,  IPMI_BOOT_FLOPPY,      IPMI_BOOT_SAFE_MODE, IPMI_BOOT_DIAGNOSTICS};

/* --- rows and reading ------------------------------------------------------------------------- */

static struct pm_rows rows;

static int fill(struct pm_rows *to)
{
	for (size_t i = 0; i < pm_mib_agent->machine_count; i++) {
		const oid index = pm_mib_agent->machines[i]->index;

		if (pm_mib_agent->machines[i]->bmc &&
		    pm_rows_add(to, &index, 1, pm_mib_agent->machines[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool get_address(const struct pm_bmc_config *config, struct pm_value *value)
{
	bool colons = strchr(config->address, ':') != NULL;

	if (config->port == IPMI_PORT)
		return pm_value_text(value, config->address);
	snprintf((char *)value->buffer, sizeof(value->buffer), colons ? "[%.240s]:%u" : "%.240s:%u",
		 config->address, config->port);
	return pm_value_text(value, (const char *)value->buffer);
}

static bool get_chassis(const struct ipmi_chassis_status *chassis, unsigned column, struct pm_value *value)
{
	switch (column) {
	case POWER_FAULT:
		return pm_value_truth(value, chassis->power_fault || chassis->power_control_fault);
	case POWER_OVERLOAD:
		return pm_value_truth(value, chassis->power_overload);
	case INTERLOCK_ACTIVE:
		return pm_value_truth(value, chassis->interlock_active);
	case CHASSIS_INTRUSION:
		return pm_value_truth(value, chassis->chassis_intrusion);
	case DRIVE_FAULT:
		return pm_value_truth(value, chassis->drive_fault);
	case COOLING_FAULT:
		return pm_value_truth(value, chassis->cooling_fault);
	case FRONT_PANEL_LOCKOUT:
		return pm_value_truth(value, chassis->front_panel_lockout);
	case IDENTIFY:
		return chassis->identify != IPMI_IDENTIFY_UNKNOWN &&
		       pm_value_integer(value, (unsigned)chassis->identify + 1);
	default:
		return false;
	}
}

/* Columns with a label for unknown are always there. */
static bool get_reported(const struct pm_bmc *bmc, unsigned column, struct pm_value *value)
{
	static const unsigned restore[] = {[IPMI_RESTORE_OFF] = 2,
					   [IPMI_RESTORE_PREVIOUS] = 3,
					   [IPMI_RESTORE_ON] = 4,
					   [IPMI_RESTORE_UNKNOWN] = RESTORE_UNKNOWN};
	static const unsigned event[] = {
	    [IPMI_EVENT_NONE] = 2,      [IPMI_EVENT_AC_FAILED] = 3, [IPMI_EVENT_OVERLOAD] = 4,
	    [IPMI_EVENT_INTERLOCK] = 5, [IPMI_EVENT_FAULT] = 6,     [IPMI_EVENT_ON_BY_COMMAND] = 7};

	if (column == LAST_POWER_EVENT)
		return pm_value_integer(value, bmc->chassis_known ? event[bmc->chassis.last_power_event] : 1);
	if (column == RESTORE_POLICY)
		return pm_value_integer(value, bmc->chassis_known ? restore[bmc->chassis.restore_policy]
								  : RESTORE_UNKNOWN);
	return bmc->chassis_known && get_chassis(&bmc->chassis, column, value);
}

static bool get_boot(const struct pm_bmc *bmc, unsigned column, struct pm_value *value)
{
	if (!bmc->boot_known || !bmc->holds)
		return false;
	if (column == BOOT_PERSISTENT)
		return pm_value_truth(value, bmc->boot.persistent);
	if (column == BOOT_EFI)
		return pm_value_truth(value, bmc->boot.efi);
	for (unsigned i = 1; i <= 8; i++)
		if (boot_devices[i] == bmc->boot.device)
			return pm_value_integer(value, i);
	return false; /* a device that the MIB has no label for */
}

static bool get_statistics(const struct pm_bmc *bmc, unsigned column, struct pm_value *value)
{
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(bmc->ipmi, &stats);
	switch (column) {
	case IPMI_VERSION:
		return pm_value_text(value, stats.ipmi_version);
	case CIPHER_SUITE:
		return stats.sessions > 0 && strcmp(stats.ipmi_version, "1.5") != 0 &&
		       pm_value_unsigned(value, stats.cipher_suite);
	case ROUND_TRIP:
		return stats.round_trip_us > 0 && pm_value_unsigned(value, stats.round_trip_us);
	case REQUESTS:
		return pm_value_unsigned(value, stats.requests);
	case RETRANSMITS:
		return pm_value_unsigned(value, stats.retransmits);
	case TIMEOUTS:
		return pm_value_unsigned(value, stats.timeouts);
	case SESSIONS:
		return pm_value_unsigned(value, stats.sessions);
	default:
		return pm_value_date(value, stats.last_contact_ms);
	}
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_machine *machine = row->object;
	const struct pm_bmc *bmc = machine->bmc;

	switch (column) {
	case ADDRESS:
		return get_address(machine->config->bmc, value);
	case STATUS:
		return pm_value_integer(value, bmc->status);
	case CHASSIS_CONTROL:
		return pm_value_integer(value, CONTROL_NONE);
	case BOOT_DEVICE:
	case BOOT_PERSISTENT:
	case BOOT_EFI:
		return get_boot(bmc, column, value);
	case POWER_ON_HOURS:
		return bmc->hours_known && bmc->holds && pm_value_unsigned(value, bmc->power_on_hours);
	default:
		return column >= LAST_POWER_EVENT && column <= IDENTIFY ? get_reported(bmc, column, value)
									: get_statistics(bmc, column, value);
	}
}

/* --- SET -------------------------------------------------------------------------------------- */

static int missing(const oid *index, size_t length)
{
	return length == 1 ? pm_mib_missing(index, length, SNMP_ERR_INCONSISTENTVALUE) : SNMP_ERR_NOCREATION;
}

static void want_control(struct pm_job_request *request, int control)
{
	static const enum pm_command verbs[] = {0,
						0,
						PM_COMMAND_POWER_OFF,
						PM_COMMAND_POWER_ON,
						PM_COMMAND_CYCLE,
						PM_COMMAND_RESET,
						PM_COMMAND_DIAGNOSTIC_INTERRUPT,
						PM_COMMAND_SOFT_OFF};

	request->action = verbs[control];
	request->origin = PM_ORIGIN_CHASSIS_CONTROL;
}

static void want_restore(struct pm_job_request *request, int policy)
{
	static const enum ipmi_restore_policy policies[] = {0, 0, IPMI_RESTORE_OFF, IPMI_RESTORE_PREVIOUS,
							    IPMI_RESTORE_ON};

	request->setting.command = IPMI_SET_POWER_RESTORE_POLICY;
	request->setting.restore_policy = policies[policy];
}

static void want_identify(struct pm_job_request *request, int identify)
{
	request->action = PM_COMMAND_IDENTIFY;
	request->setting.command = IPMI_CHASSIS_IDENTIFY;
	request->setting.identify.mode = (enum ipmi_identify)(identify - 1);
	request->setting.identify.interval_s = identify == 2 ? IDENTIFY_INTERVAL_S : 0;
}

/* What the SET leaves out stays as the BMC last reported it. */
static void want_boot(struct pm_job_request *request, const struct pm_row_set *set, const struct pm_bmc *bmc)
{
	const struct pm_value *device = set->values[BOOT_DEVICE], *persistent = set->values[BOOT_PERSISTENT],
			      *efi = set->values[BOOT_EFI];

	request->setting.command = IPMI_SET_BOOT_FLAGS;
	request->setting.boot = bmc->boot;
	if (device)
		request->setting.boot.device = boot_devices[device->integer];
	if (persistent)
		request->setting.boot.persistent = persistent->integer == PM_TRUE;
	if (efi)
		request->setting.boot.efi = efi->integer == PM_TRUE;
}

static int test(struct pm_row_set *set, struct pm_error *err)
{
	struct pm_machine *machine = set->row.object;
	const struct pm_setting_owner owner = {.agent = machine->agent, .machine = machine};
	const struct pm_value *control = set->values[CHASSIS_CONTROL], *restore = set->values[RESTORE_POLICY],
			      *identify = set->values[IDENTIFY];
	bool boot = set->values[BOOT_DEVICE] || set->values[BOOT_PERSISTENT] || set->values[BOOT_EFI];
	struct pm_job_request request = {
	    .machine = machine, .origin = PM_ORIGIN_BMC_SETTING, .action = PM_COMMAND_NONE};

	if ((control != NULL) + (restore != NULL) + (identify != NULL) + boot != 1) {
		pm_error_set(
		    err,
		    "one job at a time: chassis control, restore policy, identify and boot flags need a SET each");
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	if (control)
		want_control(&request, control->integer);
	else if (restore)
		want_restore(&request, restore->integer);
	else if (identify)
		want_identify(&request, identify->integer);
	else
		want_boot(&request, set, machine->bmc);
	if (boot && !machine->bmc->boot_known && !set->values[BOOT_DEVICE]) {
		pm_error_set(err, "the BMC of %s has not told its boot device: set it together with the rest",
			     machine->config->name);
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	return pm_change_begin(set, &owner, NULL, 0, &request, err);
}

const struct pm_table pm_bmc_table = {.name = "pmBmcTable",
				      .number = 4,
				      .columns = columns,
				      .column_count = COLUMN_COUNT,
				      .first_column = ADDRESS,
				      .rows = &rows,
				      .fill = fill,
				      .get = get,
				      .missing = missing,
				      .test = test,
				      PM_CHANGES(pm_change_commit)};
