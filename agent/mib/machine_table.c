/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmMachineTable: the physical machines; Command and AdminState start jobs. */
#include "agent/detail.h"
#include "agent/event.h"
#include "agent/mib/job_rows.h"
#include "agent/mib/mib.h"
#include "agent/notify.h"
#include "agent/os.h"
#include "agent/plan.h"
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	INDEX = 1,
	NAME,
	ADMIN_STATE,
	POWER_STATE,
	COMMAND,
	STACK_ADMIN_STATE,
	STATE_SOURCE,
	LAST_CHANGE,
	STATE_AGE,
	LAST_RESULT,
	LAST_RESULT_TEXT,
	INHIBIT,
	INHIBIT_REASON,
	UUID,
	LOCATION,
	VM_COUNT,
	VM_RUNNING,
	STACK_TIMEOUT,
	VM_TIMEOUT,
	POWER_ON_METHOD,
	ACTIVE_JOB,
	POWER_WATTS,
	OS_REACHABLE,
	POWER_ON_COUNT,
	POWER_OFF_COUNT,
	COLUMN_COUNT
};

#define TIMEOUT_MAX_S 86400

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("pmIndex", ASN_UNSIGNED),
    [NAME] = PM_READ("pmMachineName", ASN_OCTET_STR),
    [ADMIN_STATE] = PM_WRITE("pmMachineAdminState", ASN_INTEGER, PM_ADMIN_UNMANAGED, PM_ADMIN_OFF),
    [POWER_STATE] = PM_READ("pmMachinePowerState", ASN_INTEGER),
    [COMMAND] =
	PM_WRITE_NOT("pmMachineCommand", ASN_INTEGER, PM_COMMAND_NONE, PM_COMMAND_IDENTIFY, PM_COMMAND_NONE),
    [STACK_ADMIN_STATE] =
	PM_WRITE("pmMachineStackAdminState", ASN_INTEGER, PM_STACK_WISH_RUNNING, PM_STACK_WISH_OFF),
    [STATE_SOURCE] = PM_READ("pmMachineStateSource", ASN_INTEGER),
    [LAST_CHANGE] = PM_READ("pmMachineLastChange", ASN_OCTET_STR),
    [STATE_AGE] = PM_READ("pmMachineStateAge", ASN_GAUGE),
    [LAST_RESULT] = PM_READ("pmMachineLastResult", ASN_INTEGER),
    [LAST_RESULT_TEXT] = PM_READ("pmMachineLastResultText", ASN_OCTET_STR),
    [INHIBIT] = PM_WRITE("pmMachineInhibit", ASN_INTEGER, PM_TRUE, PM_FALSE),
    [INHIBIT_REASON] = PM_WRITE("pmMachineInhibitReason", ASN_OCTET_STR, 0, 255),
    [UUID] = PM_READ("pmMachineUuid", ASN_OCTET_STR),
    [LOCATION] = PM_READ("pmMachineLocation", ASN_OCTET_STR),
    [VM_COUNT] = PM_READ("pmMachineVmCount", ASN_GAUGE),
    [VM_RUNNING] = PM_READ("pmMachineVmRunning", ASN_GAUGE),
    [STACK_TIMEOUT] = PM_WRITE("pmMachineStackTimeout", ASN_UNSIGNED, 1, TIMEOUT_MAX_S),
    [VM_TIMEOUT] = PM_WRITE("pmMachineVmTimeout", ASN_UNSIGNED, 1, TIMEOUT_MAX_S),
    [POWER_ON_METHOD] = PM_WRITE("pmMachinePowerOnMethod", ASN_INTEGER, PM_ON_AUTO, PM_ON_WOL),
    [ACTIVE_JOB] = PM_READ("pmMachineActiveJob", ASN_OBJECT_ID),
    [POWER_WATTS] = PM_READ("pmMachinePowerWatts", ASN_GAUGE),
    [OS_REACHABLE] = PM_READ("pmMachineOsReachable", ASN_INTEGER),
    [POWER_ON_COUNT] = PM_READ("pmMachinePowerOnCount", ASN_COUNTER),
    [POWER_OFF_COUNT] = PM_READ("pmMachinePowerOffCount", ASN_COUNTER),
};

/* --- rows and reading ------------------------------------------------------------------------- */

static struct pm_rows rows;

static int fill(struct pm_rows *to)
{
	for (size_t i = 0; i < pm_mib_agent->machine_count; i++) {
		const oid index = pm_mib_agent->machines[i]->index;

		if (pm_rows_add(to, &index, 1, pm_mib_agent->machines[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* RAKP message 2 carries the system GUID with its first three fields in little-endian order (IPMI 2.0, 20.8). */
static bool get_uuid(const struct pm_machine *machine, struct pm_value *value)
{
	static const uint8_t order[16] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
	struct ipmi_bmc_stats stats = {0};
	char *to = (char *)value->buffer;

	if (*machine->config->uuid)
		return pm_value_text(value, machine->config->uuid);
	if (machine->bmc)
		ipmi_bmc_stats(machine->bmc->ipmi, &stats);
	*to = '\0';
	for (int i = 0; stats.has_guid && i < 16; i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;

		to += sprintf(to, "%s%02x", dash ? "-" : "", stats.guid[order[i]]);
	}
	return pm_value_text(value, (const char *)value->buffer);
}

static bool get_age(const struct pm_machine *machine, struct pm_value *value)
{
	uint64_t now_ms = uv_now(machine->agent->loop);

	if (!machine->observed_ms)
		return false;
	return pm_value_unsigned(value, (uint32_t)((now_ms - machine->observed_loop_ms) / 1000));
}

static bool get_watts(const struct pm_machine *machine, struct pm_value *value)
{
	unsigned watts;

	return pm_detail_watts(machine, &watts) && pm_value_unsigned(value, watts);
}

/* pmJobAction of the active job; { 0 0 } is no row (RFC 2579, RowPointer: zeroDotZero). */
static bool get_active_job(const struct pm_machine *machine, struct pm_value *value)
{
	static const oid no_row[] = {0, 0}, job_action[] = {PM_MIB_OBJECTS, 6, 1, 3};
	static oid row[OID_LENGTH(job_action) + PM_INDEX_MAX];
	size_t length = OID_LENGTH(job_action);

	if (!pm_job_at_work(machine->job))
		return pm_value_octets(value, no_row, sizeof(no_row));
	memcpy(row, job_action, sizeof(job_action));
	length += pm_job_index(machine->job, row + length);
	return pm_value_octets(value, row, length * sizeof(oid));
}

static bool get_config(const struct pm_machine *machine, unsigned column, struct pm_value *value)
{
	switch (column) {
	case INHIBIT:
		return pm_value_truth(value, machine->inhibit);
	case INHIBIT_REASON:
		return pm_value_text(value, machine->inhibit_reason);
	case UUID:
		return get_uuid(machine, value);
	case LOCATION:
		return pm_value_text(value, machine->config->location);
	case VM_COUNT:
		return pm_value_unsigned(value, (uint32_t)machine->vm_count);
	case VM_RUNNING:
		return pm_value_unsigned(value, machine->vms_running);
	case STACK_TIMEOUT:
		return pm_value_unsigned(value, machine->stack_timeout_s);
	case VM_TIMEOUT:
		return pm_value_unsigned(value, machine->vm_timeout_s);
	case POWER_ON_METHOD:
		return pm_value_integer(value, machine->power_on_method);
	case ACTIVE_JOB:
		return get_active_job(machine, value);
	default:
		return false;
	}
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_machine *machine = row->object;

	switch (column) {
	case NAME:
		return pm_value_text(value, machine->config->name);
	case ADMIN_STATE:
		return pm_value_integer(value, machine->admin_state);
	case POWER_STATE:
		return pm_value_integer(value, pm_machine_power_state(machine));
	case COMMAND:
		return pm_value_integer(value, PM_COMMAND_NONE);
	case STACK_ADMIN_STATE:
		return pm_value_integer(value, machine->stack_admin_state);
	case STATE_SOURCE:
		return pm_value_integer(value, machine->source);
	case LAST_CHANGE:
		return pm_value_date(value, machine->last_change_ms);
	case STATE_AGE:
		return get_age(machine, value);
	case LAST_RESULT:
		return pm_value_integer(value, machine->job ? PM_RESULT_NONE : machine->last_result);
	case LAST_RESULT_TEXT:
		return pm_value_text(value, machine->job ? "" : machine->last_result_text);
	case POWER_WATTS:
		return get_watts(machine, value);
	case OS_REACHABLE:
		return pm_value_integer(value, pm_os_reachable(machine));
	case POWER_ON_COUNT:
		return pm_value_unsigned(value, machine->on_count);
	case POWER_OFF_COUNT:
		return pm_value_unsigned(value, machine->off_count);
	default:
		return get_config(machine, column, value);
	}
}

/* Many rooms have no BMC that measures. */
static bool any(unsigned column)
{
	return column != POWER_WATTS || pm_mib_agent->measuring;
}

/* --- SET -------------------------------------------------------------------------------------- */

static const struct pm_change_map map[] = {
    {ADMIN_STATE, PM_SET_MACHINE_ADMIN_STATE, NULL},
    {STACK_ADMIN_STATE, PM_SET_MACHINE_STACK_ADMIN_STATE, NULL},
    {INHIBIT, PM_SET_MACHINE_INHIBIT, pm_change_truth},
    {INHIBIT_REASON, PM_SET_MACHINE_INHIBIT_REASON, NULL},
    {STACK_TIMEOUT, PM_SET_MACHINE_STACK_TIMEOUT, NULL},
    {VM_TIMEOUT, PM_SET_MACHINE_VM_TIMEOUT, NULL},
    {POWER_ON_METHOD, PM_SET_MACHINE_POWER_ON_METHOD, NULL},
};

static int missing(const oid *index, size_t length)
{
	return pm_mib_missing(index, length, SNMP_ERR_NOCREATION);
}

/* What a column of the SET asks for; PM_COMMAND_NONE: no job. */
static struct pm_job_request request_of(struct pm_machine *machine, unsigned column,
					const struct pm_value *value)
{
	struct pm_job_request request = {.machine = machine, .action = PM_COMMAND_NONE};

	if (column == COMMAND)
		return pm_job_request_of(machine, (enum pm_command)value->integer, PM_ORIGIN_COMMAND);
	if (column == ADMIN_STATE && value->integer != PM_ADMIN_UNMANAGED)
		return pm_job_request_of(
		    machine, value->integer == PM_ADMIN_ON ? PM_COMMAND_POWER_ON : PM_COMMAND_SHUTDOWN,
		    PM_ORIGIN_ADMIN_STATE);
	if (column == STACK_ADMIN_STATE && value->integer == PM_STACK_WISH_OFF) {
		request = pm_job_request_of(machine, PM_COMMAND_SHUTDOWN, PM_ORIGIN_STACK_ADMIN_STATE);
		request.scope = PM_SCOPE_STACK;
	}
	return request;
}

/* The verb of this SET, from one of the columns that start jobs; none when it has none. Two are one too many. */
static int find_verb(struct pm_row_set *set, struct pm_job_request *request, struct pm_error *err)
{
	static const unsigned verbs[] = {COMMAND, ADMIN_STATE, STACK_ADMIN_STATE};
	struct pm_job_request other;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (!set->values[verbs[i]])
			continue;
		other = request_of(request->machine, verbs[i], set->values[verbs[i]]);
		if (other.action == PM_COMMAND_NONE)
			continue;
		if (request->action != PM_COMMAND_NONE) {
			pm_error_set(err, "%s and %s in one SET: one verb at a time",
				     columns[set->failed_column].name, columns[verbs[i]].name);
			set->failed_column = verbs[i];
			return SNMP_ERR_INCONSISTENTVALUE;
		}
		set->failed_column = verbs[i];
		*request = other;
	}
	if (request->action != PM_COMMAND_NONE && set->values[INHIBIT] &&
	    set->values[INHIBIT]->integer == PM_TRUE) {
		set->failed_column = INHIBIT;
		pm_error_set(err, "a verb in the SET that inhibits the machine");
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	return SNMP_ERR_NOERROR;
}

static int test_method(struct pm_row_set *set, const struct pm_machine *machine, struct pm_error *err)
{
	const struct pm_value *method = set->values[POWER_ON_METHOD];

	if (!method || method->integer == PM_ON_AUTO)
		return SNMP_ERR_NOERROR;
	set->failed_column = POWER_ON_METHOD;
	if (method->integer == PM_ON_IPMI && !machine->bmc) {
		pm_error_set(err, "machine %s has no bmc, which ipmi needs", machine->config->name);
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	if (method->integer == PM_ON_WOL && !pm_plan_nic(machine, 0)) {
		pm_error_set(err, "machine %s has no nic with a MAC address, which wol needs",
			     machine->config->name);
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	set->failed_column = 0;
	return SNMP_ERR_NOERROR;
}

static int test_stack(struct pm_row_set *set, const struct pm_machine *machine, struct pm_error *err)
{
	const struct pm_value *stack = set->values[STACK_ADMIN_STATE];

	if (!stack || stack->integer == PM_STACK_WISH_RUNNING || machine->config->hypervisor_count)
		return SNMP_ERR_NOERROR;
	set->failed_column = STACK_ADMIN_STATE;
	pm_error_set(err, "machine %s has no hypervisor, and so no stack", machine->config->name);
	return SNMP_ERR_INCONSISTENTVALUE;
}

static int test(struct pm_row_set *set, struct pm_error *err)
{
	struct pm_machine *machine = set->row.object;
	const struct pm_setting_owner owner = {.agent = machine->agent, .machine = machine};
	struct pm_job_request request = {.machine = machine, .action = PM_COMMAND_NONE};
	int error;

	error = test_method(set, machine, err);
	if (!error)
		error = test_stack(set, machine, err);
	if (!error)
		error = find_verb(set, &request, err);
	return error ? error
		     : pm_change_begin(set, &owner, map, sizeof(map) / sizeof(*map),
				       request.action == PM_COMMAND_NONE ? NULL : &request, err);
}

static void tell_inhibit(struct pm_machine *machine)
{
	struct pm_notification notification = {.type = PM_NOTIFY_INHIBIT_CHANGE};

	notification.event_index =
	    pm_event_add(machine, PM_EVENT_INHIBIT, PM_SEVERITY_OK,
			 machine->inhibit ? "actions inhibited%s%s" : "actions allowed again",
			 *machine->inhibit_reason ? ": " : "", machine->inhibit_reason);
	pm_notify(machine->agent, machine, &notification);
}

static void tell_wishes(const struct pm_row_set *set, struct pm_machine *machine)
{
	static const char *const wishes[] = {"", "withdrawn (unmanaged)", "on", "off"};
	static const char *const stack_wishes[] = {"", "running", "off"};
	const struct pm_value *wish = set->values[ADMIN_STATE], *stack = set->values[STACK_ADMIN_STATE];

	if (wish && (enum pm_admin_state)wish->integer != machine->admin_state)
		pm_event_add(machine, PM_EVENT_ADMIN_STATE, PM_SEVERITY_OK, "wish: %s",
			     wishes[wish->integer]);
	if (stack && (enum pm_stack_admin_state)stack->integer != machine->stack_admin_state)
		pm_event_add(machine, PM_EVENT_ADMIN_STATE, PM_SEVERITY_OK, "stack: wish: %s",
			     stack_wishes[stack->integer]);
}

static void commit(struct pm_row_set *set)
{
	struct pm_machine *machine = set->row.object;
	bool was_inhibited = machine->inhibit;

	tell_wishes(set, machine);
	pm_change_commit(set);
	if (machine->inhibit != was_inhibited) {
		tell_inhibit(machine);
		pm_jobs_inhibited(machine->agent);
	}
}

const struct pm_table pm_machine_table = {.name = "pmMachineTable",
					  .number = 2,
					  .columns = columns,
					  .column_count = COLUMN_COUNT,
					  .first_column = NAME,
					  .rows = &rows,
					  .fill = fill,
					  .any = any,
					  .get = get,
					  .missing = missing,
					  .test = test,
					  PM_CHANGES(commit)};
