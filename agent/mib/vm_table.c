/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmVmTable: the VMs of all machines, straight from them; Command and AdminState start jobs. */
#include "agent/event.h"
#include "agent/mib/busy.h"
#include "agent/mib/mib.h"
#include "agent/plan.h"
#include "agent/vm.h"

#include <stdio.h>

enum {
	INDEX = 1,
	NAME,
	UUID,
	PARENT,
	DEPTH,
	ADMIN_STATE,
	STATE,
	COMMAND,
	SHUTDOWN_TIMEOUT,
	AUTO_START,
	HYPERVISOR,
	LAST_CHANGE,
	LAST_RESULT,
	LAST_RESULT_TEXT,
	CPU_COUNT,
	MEMORY_MEGABYTES,
	ID,
	COLUMN_COUNT
};

#define TIMEOUT_MAX_S    86400
#define KIB_PER_MEGABYTE 1024

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("pmVmIndex", ASN_UNSIGNED),
    [NAME] = PM_READ("pmVmName", ASN_OCTET_STR),
    [UUID] = PM_READ("pmVmUuid", ASN_OCTET_STR),
    [PARENT] = PM_READ("pmVmParent", ASN_UNSIGNED),
    [DEPTH] = PM_READ("pmVmDepth", ASN_GAUGE),
    [ADMIN_STATE] = PM_WRITE("pmVmAdminState", ASN_INTEGER, PM_VM_WISH_RUNNING, PM_VM_WISH_SHUTDOWN),
    [STATE] = PM_READ("pmVmState", ASN_INTEGER),
    [COMMAND] =
	PM_WRITE_NOT("pmVmCommand", ASN_INTEGER, PM_COMMAND_NONE, PM_COMMAND_IDENTIFY, PM_COMMAND_NONE),
    [SHUTDOWN_TIMEOUT] = PM_WRITE("pmVmShutdownTimeout", ASN_UNSIGNED, 1, TIMEOUT_MAX_S),
    [AUTO_START] = PM_READ("pmVmAutoStart", ASN_INTEGER),
    [HYPERVISOR] = PM_READ("pmVmHypervisor", ASN_OCTET_STR),
    [LAST_CHANGE] = PM_READ("pmVmLastChange", ASN_OCTET_STR),
    [LAST_RESULT] = PM_READ("pmVmLastResult", ASN_INTEGER),
    [LAST_RESULT_TEXT] = PM_READ("pmVmLastResultText", ASN_OCTET_STR),
    [CPU_COUNT] = PM_READ("pmVmCpuCount", ASN_GAUGE),
    [MEMORY_MEGABYTES] = PM_READ("pmVmMemoryMegabytes", ASN_GAUGE),
    [ID] = PM_READ("pmVmId", ASN_OCTET_STR),
};

/* --- rows ------------------------------------------------------------------------------------- */

/* The place of the first VM of the machine, whose pmIndex is index[0], that is not before the index. */
static size_t first_place(const struct pm_machine *machine, const oid *index, size_t length, bool inclusive)
{
	size_t place;

	if (length < 2)
		return 0;
	place = pm_machine_vm_place(machine, index[1]);
	if (place < machine->vm_count && machine->vms[place]->index == index[1] && (length > 2 || !inclusive))
		place++;
	return place;
}

static struct pm_busy busy;

void pm_vm_rows_forget(void)
{
	pm_busy_forget(&busy);
}

static bool has_vms(const struct pm_machine *machine)
{
	return machine->vm_count > 0;
}

static bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	const struct pm_agent *agent = pm_mib_agent;
	const oid from = length ? index[0] : 0;
	size_t count;
	struct pm_machine *const *machines =
	    pm_busy_from(&busy, agent, agent->vm_rows_changes, has_vms, from, &count);

	for (size_t i = 0; i < count; i++) {
		const struct pm_machine *machine = machines[i];
		size_t place = machine->index == from ? first_place(machine, index, length, inclusive) : 0;

		if (place >= machine->vm_count)
			continue;
		row->index[0] = machine->index;
		row->index[1] = machine->vms[place]->index;
		row->index_length = 2;
		row->object = machine->vms[place];
		return true;
	}
	return false;
}

static bool any(unsigned column)
{
	(void)column;
	return pm_mib_agent->vms > 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The wish that a VM in this state fulfils; 0: none. */
static enum pm_vm_admin_state wish_of(const struct pm_vm *vm, enum pm_vm_state state)
{
	static const enum pm_vm_admin_state wishes[] = {
	    [PM_VM_PREPARING] = PM_VM_WISH_RUNNING,    [PM_VM_RUNNING] = PM_VM_WISH_RUNNING,
	    [PM_VM_SUSPENDING] = PM_VM_WISH_SUSPENDED, [PM_VM_SUSPENDED] = PM_VM_WISH_SUSPENDED,
	    [PM_VM_RESUMING] = PM_VM_WISH_RUNNING,     [PM_VM_PAUSED] = PM_VM_WISH_PAUSED,
	    [PM_VM_MIGRATING] = PM_VM_WISH_RUNNING,    [PM_VM_SHUTTING_DOWN] = PM_VM_WISH_SHUTDOWN,
	    [PM_VM_SHUTDOWN] = PM_VM_WISH_SHUTDOWN,    [PM_VM_CRASHED] = PM_VM_WISH_SHUTDOWN};
	bool in_memory = state == PM_VM_SUSPENDED && vm->active; /* asleep by itself, and not saved */

	return in_memory ? PM_VM_WISH_PAUSED : wishes[state];
}

/* The wish; before the first, what was observed last. */
static bool get_admin_state(const struct pm_vm *vm, struct pm_value *value)
{
	enum pm_vm_state state = pm_vm_state(vm);
	enum pm_vm_admin_state wish = vm->admin_state;

	if (!wish)
		wish = wish_of(vm, state == PM_VM_UNKNOWN ? vm->observed : state);
	return wish && pm_value_integer(value, wish);
}

static bool get_hypervisor(const struct pm_vm *vm, struct pm_value *value)
{
	return pm_value_text(value, vm->hypervisor ? vm->hypervisor->config->shown : "");
}

static bool get_memory(const struct pm_vm *vm, struct pm_value *value)
{
	uint64_t megabytes = vm->memory_kib / KIB_PER_MEGABYTE + (vm->memory_kib % KIB_PER_MEGABYTE != 0);

	return megabytes > 0 &&
	       pm_value_unsigned(value, megabytes > UINT32_MAX ? UINT32_MAX : (uint32_t)megabytes);
}

static bool get_id(const struct pm_vm *vm, struct pm_value *value)
{
	char *text = (char *)value->buffer;

	*text = '\0';
	if (vm->active && vm->id >= 0)
		snprintf(text, sizeof(value->buffer), "%d", vm->id);
	return pm_value_text(value, text);
}

/* What its hypervisor says of it. */
static bool get_told(const struct pm_vm *vm, unsigned column, struct pm_value *value)
{
	switch (column) {
	case NAME:
		return pm_value_text(value, vm->name);
	case UUID:
		return pm_value_text(value, vm->uuid);
	case AUTO_START:
		return pm_value_truth(value, vm->autostart);
	case HYPERVISOR:
		return get_hypervisor(vm, value);
	case CPU_COUNT:
		return vm->cpus > 0 && pm_value_unsigned(value, vm->cpus);
	case MEMORY_MEGABYTES:
		return get_memory(vm, value);
	case ID:
		return get_id(vm, value);
	default:
		return false;
	}
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_vm *vm = row->object, *parent;

	switch (column) {
	case PARENT:
		parent = pm_vm_parent(vm);
		return pm_value_unsigned(value, parent ? parent->index : 0);
	case DEPTH:
		return pm_value_unsigned(value, pm_vm_depth(vm));
	case ADMIN_STATE:
		return get_admin_state(vm, value);
	case STATE:
		return pm_value_integer(value, pm_vm_state(vm));
	case COMMAND:
		return pm_value_integer(value, PM_COMMAND_NONE);
	case SHUTDOWN_TIMEOUT:
		return pm_value_unsigned(value, vm->shutdown_timeout_s ? vm->shutdown_timeout_s
								       : vm->machine->vm_timeout_s);
	case LAST_CHANGE:
		return pm_value_date(value, vm->last_change_ms);
	case LAST_RESULT:
		return pm_value_integer(value, vm->last_result ? vm->last_result : PM_RESULT_NONE);
	case LAST_RESULT_TEXT:
		return pm_value_text(value, vm->last_result_text);
	default:
		return get_told(vm, column, value);
	}
}

/* --- SET -------------------------------------------------------------------------------------- */

static const struct pm_change_map map[] = {{ADMIN_STATE, PM_SET_VM_ADMIN_STATE, NULL}};

static int missing(const oid *index, size_t length)
{
	return length == 2 ? pm_mib_missing(index, length, SNMP_ERR_INCONSISTENTNAME) : SNMP_ERR_NOCREATION;
}

static int check(unsigned column, const struct pm_value *value, struct pm_error *err)
{
	enum pm_command command = (enum pm_command)value->integer;

	if (column != COMMAND)
		return SNMP_ERR_NOERROR;
	if (pm_command_is_of_vm(command))
		return SNMP_ERR_NOERROR;
	pm_error_set(err,
		     "%s is for machines; a VM takes powerOn, shutdown, powerOff, reboot, cycle, reset, "
		     "suspend, hibernate and softOff",
		     pm_command_name(command));
	return SNMP_ERR_WRONGVALUE;
}

/* A hypervisor can take a VM away between two phases of a SET: the row's object is for reading only. */
static struct pm_vm *find_vm(const struct pm_row *row)
{
	struct pm_machine *machine = pm_agent_machine(pm_mib_agent, (uint32_t)row->index[0]);

	return machine ? pm_machine_vm(machine, (uint32_t)row->index[1]) : NULL;
}

/* The verb of a wish; none when the VM is there already, and not only on its way. */
static enum pm_command verb_of_wish(const struct pm_vm *vm, enum pm_vm_admin_state wish)
{
	static const enum pm_command verbs[] = {[PM_VM_WISH_RUNNING] = PM_COMMAND_POWER_ON,
						[PM_VM_WISH_SUSPENDED] = PM_COMMAND_HIBERNATE,
						[PM_VM_WISH_PAUSED] = PM_COMMAND_SUSPEND,
						[PM_VM_WISH_SHUTDOWN] = PM_COMMAND_SHUTDOWN};
	enum pm_vm_state state = pm_vm_state(vm);
	bool there = state == pm_vm_observed(vm) && wish_of(vm, state) == wish;

	return there ? PM_COMMAND_NONE : verbs[wish];
}

/* The verb of this SET; none when it has none. Two are one too many. */
static int find_verb(struct pm_row_set *set, const struct pm_vm *vm, struct pm_job_request *request,
		     struct pm_error *err)
{
	const struct pm_value *command = set->values[COMMAND], *wish = set->values[ADMIN_STATE];

	set->failed_column = wish ? ADMIN_STATE : command ? COMMAND : 0;
	if (command && wish) {
		pm_error_set(err, "pmVmCommand and pmVmAdminState in one SET: one verb at a time");
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	if (command)
		*request =
		    pm_job_request_of(vm->machine, (enum pm_command)command->integer, PM_ORIGIN_VM_COMMAND);
	else if (wish)
		*request =
		    pm_job_request_of(vm->machine, verb_of_wish(vm, (enum pm_vm_admin_state)wish->integer),
				      PM_ORIGIN_VM_ADMIN_STATE);
	request->vm = vm->index;
	return SNMP_ERR_NOERROR;
}

static int test(struct pm_row_set *set, struct pm_error *err)
{
	struct pm_vm *vm = find_vm(&set->row);
	struct pm_job_request request = {.action = PM_COMMAND_NONE};
	struct pm_setting_owner owner = {.agent = pm_mib_agent, .vm = vm};
	int error;

	if (!vm) {
		pm_error_set(err, "the hypervisor has just taken this VM away");
		return SNMP_ERR_INCONSISTENTNAME;
	}
	owner.machine = vm->machine;
	error = find_verb(set, vm, &request, err);
	return error ? error
		     : pm_change_begin(set, &owner, map, sizeof(map) / sizeof(*map),
				       request.action == PM_COMMAND_NONE ? NULL : &request, err);
}

static void tell_wish(const struct pm_vm *vm, const struct pm_value *wish)
{
	static const char *const wishes[] = {"", "running", "suspended", "paused", "shutdown"};

	if (wish && (enum pm_vm_admin_state)wish->integer != vm->admin_state)
		pm_event_add(vm->machine, PM_EVENT_ADMIN_STATE, PM_SEVERITY_OK, "VM %s: wish: %s", vm->name,
			     wishes[wish->integer]);
}

static void commit(struct pm_row_set *set)
{
	const struct pm_value *timeout = set->values[SHUTDOWN_TIMEOUT];
	struct pm_vm *vm = find_vm(&set->row);

	if (vm)
		tell_wish(vm, set->values[ADMIN_STATE]);
	if (vm && timeout)
		vm->shutdown_timeout_s = timeout->unsigned32;
	pm_change_commit(set);
}

const struct pm_table pm_vm_table = {.name = "pmVmTable",
				     .number = 5,
				     .columns = columns,
				     .column_count = COLUMN_COUNT,
				     .first_column = NAME,
				     .seek = seek,
				     .any = any,
				     .get = get,
				     .check = check,
				     .missing = missing,
				     .test = test,
				     PM_CHANGES(commit)};
