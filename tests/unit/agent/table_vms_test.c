/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmVmTable: its rows, found from any place, beside a naive reference; what each column says; what a SET is refused for. */
#include "agent/mib/mib.h"
#include "agent/vm.h"
#include "tests/unit/agent/support.h"

#include <limits.h>

#define MACHINES_MAX 10000
#define PLACES_MAX   4000

/* The columns, by their numbers in the MIB. */
enum {
	NAME = 2,
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
	ID
};

static struct pm_agent agent;
static struct pm_machine *machines[MACHINES_MAX];

/* Every row there is, in the order in which a walk must find it. */
static struct place {
	oid index[2];
	const struct pm_vm *vm;
} places[PLACES_MAX];
static size_t place_count;

/* --- given --------------------------------------------------------------------------------------------------------- */

static struct pm_vm *give_vm(struct pm_machine *machine, uint32_t index)
{
	struct pm_vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	*vm = (struct pm_vm){.machine = machine, .index = index, .observed = PM_VM_RUNNING, .id = -1};
	vm->name = strdup("vm");
	machine->vms = realloc(machine->vms, (machine->vm_count + 1) * sizeof(struct pm_vm *));
	assert_non_null(machine->vms);
	assert_true(machine->vm_count == 0 || machine->vms[machine->vm_count - 1]->index < index);
	machine->vms[machine->vm_count++] = vm;
	agent.vm_rows_changes++;
	agent.vms++;
	return vm;
}

static void take_vm(struct pm_machine *machine, size_t place)
{
	free(machine->vms[place]->name);
	free(machine->vms[place]);
	machine->vm_count--;
	memmove(machine->vms + place, machine->vms + place + 1,
		(machine->vm_count - place) * sizeof(struct pm_vm *));
	agent.vm_rows_changes++;
	agent.vms--;
}

static void give_machines(size_t count)
{
	agent = (struct pm_agent){.machines = machines, .machine_count = count, .vm_rows_changes = 1};
	for (size_t i = 0; i < count; i++) {
		machines[i] = calloc(1, sizeof(*machines[i]));
		assert_non_null(machines[i]);
		machines[i]->agent = &agent;
		machines[i]->index = (uint32_t)(2 * i + 3);
		machines[i]->vm_timeout_s = 180;
	}
	pm_mib_agent = &agent;
	pm_vm_rows_forget();
}

static void take_machines(void)
{
	for (size_t i = 0; i < agent.machine_count; i++) {
		while (machines[i]->vm_count)
			take_vm(machines[i], machines[i]->vm_count - 1);
		free(machines[i]->vms);
		free(machines[i]->hypervisors);
		free(machines[i]);
	}
	pm_vm_rows_forget();
}

static void list_rows(void)
{
	place_count = 0;
	for (size_t m = 0; m < agent.machine_count; m++) {
		for (size_t i = 0; i < machines[m]->vm_count; i++) {
			assert_true(place_count < PLACES_MAX);
			places[place_count++] = (struct place){
			    {machines[m]->index, machines[m]->vms[i]->index}, machines[m]->vms[i]};
		}
	}
}

static void give_random_vms(void)
{
	for (size_t m = 0; m < agent.machine_count; m++) {
		uint32_t index = 0;

		for (uint32_t left = repeatable_random(3) ? 0 : repeatable_random(20); left > 0; left--) {
			index += 1 + repeatable_random(3);
			give_vm(machines[m], index);
		}
	}
	list_rows();
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

static void check_seek(const oid *index, size_t length, bool inclusive)
{
	const struct place *expected = NULL;
	struct pm_row row;

	for (size_t i = 0; i < place_count && !expected; i++) {
		int order = snmp_oid_compare(places[i].index, 2, index, length);

		if (order > 0 || (order == 0 && inclusive))
			expected = &places[i];
	}
	assert_int_equal(pm_vm_table.seek(index, length, inclusive, &row), expected != NULL);
	if (!expected)
		return;
	assert_int_equal(snmp_oid_compare(row.index, row.index_length, expected->index, 2), 0);
	assert_ptr_equal(row.object, expected->vm);
}

/* An index near a row: cut off, longer, with one sub-identifier changed, also to what has more than 32 bits. */
static size_t random_index(const oid *near, oid *index)
{
	static const oid edges[] = {0, 1, UINT32_MAX, ULONG_MAX};
	size_t place = repeatable_random(2);

	memcpy(index, near, 2 * sizeof(oid));
	index[2] = edges[repeatable_random(LENGTH(edges))];
	switch (repeatable_random(6)) {
	case 0:
		return place;
	case 1:
		return 3;
	case 2:
		index[place] += 1;
		return 2;
	case 3:
		index[place] -= index[place] > 0;
		return 2;
	case 4:
		index[place] = edges[repeatable_random(LENGTH(edges))];
		return 2 + repeatable_random(2);
	default:
		return 2;
	}
}

static void test_any_place_finds_the_next_row(void **state)
{
	oid index[3];

	(void)state;
	for (int round = 0; round < 50; round++) {
		give_machines(9);
		give_random_vms();
		for (int i = 0; i < 400; i++) {
			const oid nowhere[] = {3 + 2 * repeatable_random(9), repeatable_random(5)};
			const oid *near =
			    place_count ? places[repeatable_random((uint32_t)place_count)].index : nowhere;
			size_t length = random_index(near, index);

			check_seek(index, length, repeatable_random(2));
		}
		take_machines();
	}
}

static size_t count_rows(void)
{
	struct pm_row row = {.index_length = 0};
	size_t count = 0;

	while (pm_vm_table.seek(row.index, row.index_length, count == 0, &row))
		count++;
	return count;
}

static void test_rows_come_and_go(void **state)
{
	(void)state;
	give_machines(5);
	assert_false(pm_vm_table.any(NAME));
	assert_int_equal(count_rows(), 0);
	give_vm(machines[3], 7);
	assert_true(pm_vm_table.any(NAME));
	assert_int_equal(count_rows(), 1);
	give_vm(machines[0], 1);
	give_vm(machines[0], 4);
	assert_int_equal(count_rows(), 3);
	take_vm(machines[3], 0);
	assert_int_equal(count_rows(), 2);
	take_machines();
}

/* Two of 10,000 machines have VMs: the others are not looked at in each step. */
static void test_machines_without_vms_cost_nothing(void **state)
{
	const unsigned rounds = 200000;
	uint64_t begin_ns, took_ns;
	struct pm_row row;
	oid index;

	(void)state;
	give_machines(MACHINES_MAX);
	give_vm(machines[0], 1);
	give_vm(machines[MACHINES_MAX - 1], 1);
	begin_ns = uv_hrtime();
	for (unsigned i = 0; i < rounds; i++) {
		index = 4 + i % MACHINES_MAX;
		assert_true(pm_vm_table.seek(&index, 1, false, &row));
		assert_ptr_equal(row.object, machines[MACHINES_MAX - 1]->vms[0]);
	}
	took_ns = uv_hrtime() - begin_ns;
	print_message("%llu ns a step\n", (unsigned long long)(took_ns / rounds));
	assert_true(took_ns / rounds < 20000); /* 10,000 machines one by one take longer on any machine */
	take_machines();
}

/* --- columns ------------------------------------------------------------------------------------------------------- */

static bool get(struct pm_vm *vm, unsigned column, struct pm_value *value)
{
	const struct pm_row row = {.index = {vm->machine->index, vm->index}, .index_length = 2, .object = vm};

	value->type = pm_vm_table.columns[column].type;
	return pm_vm_table.get(&row, column, value);
}

static void assert_number(struct pm_vm *vm, unsigned column, uint32_t expected)
{
	struct pm_value value;

	assert_true(get(vm, column, &value));
	assert_int_equal(value.unsigned32, expected);
}

static void assert_text(struct pm_vm *vm, unsigned column, const char *expected)
{
	char text[PM_STRING_MAX + 1];
	struct pm_value value;

	assert_true(get(vm, column, &value));
	pm_value_copy(&value, text);
	assert_string_equal(text, expected);
}

static void assert_none(struct pm_vm *vm, unsigned column)
{
	struct pm_value value;

	assert_false(get(vm, column, &value));
}

/* Two hypervisors of a machine: one on itself, and one in a VM of that one. */
static void give_hypervisors(struct pm_machine *machine)
{
	static char shown[] = "qemu+ssh://lab1/system", shown_inner[] = "qemu+ssh://cloud1/system";
	static char inner[] = "cloud1";
	static const struct pm_hypervisor_config configs[] = {{.shown = shown},
							      {.shown = shown_inner, .guest = inner}};

	machine->hypervisors = calloc(2, sizeof(*machine->hypervisors));
	assert_non_null(machine->hypervisors);
	machine->hypervisor_count = 2;
	machine->hypervisors[0] =
	    (struct pm_hypervisor){.machine = machine, .config = &configs[0], .up = true};
	machine->hypervisors[1] = (struct pm_hypervisor){
	    .machine = machine, .config = &configs[1], .on = &machine->hypervisors[0], .up = true};
}

static struct pm_vm *give_vm_on(struct pm_machine *machine, uint32_t index, size_t hypervisor)
{
	struct pm_vm *vm = give_vm(machine, index);

	vm->hypervisor = &machine->hypervisors[hypervisor];
	vm->known = vm->active = vm->persistent = true;
	return vm;
}

static void test_what_the_columns_say(void **state)
{
	struct pm_vm *cloud, *build;

	(void)state;
	give_machines(1);
	give_hypervisors(machines[0]);
	cloud = give_vm_on(machines[0], 5, 0);
	build = give_vm_on(machines[0], 9, 1);
	machines[0]->hypervisors[1].host = cloud;
	cloud->carries = &machines[0]->hypervisors[1];
	snprintf(build->uuid, sizeof(build->uuid), "123e4567-e89b-12d3-a456-426614174000");
	build->cpus = 4;
	build->memory_kib = 1024 * 512 + 1;
	build->id = 17;
	build->autostart = true;
	build->last_result = PM_RESULT_GUEST_REFUSED;
	snprintf(build->last_result_text, sizeof(build->last_result_text), "did not shut down");
	assert_text(build, NAME, "vm");
	assert_text(build, UUID, "123e4567-e89b-12d3-a456-426614174000");
	assert_number(cloud, PARENT, 0);
	assert_number(cloud, DEPTH, 1);
	assert_number(build, PARENT, 5);
	assert_number(build, DEPTH, 2);
	assert_number(build, STATE, PM_VM_RUNNING);
	assert_number(build, COMMAND, PM_COMMAND_NONE);
	assert_number(build, AUTO_START, PM_TRUE);
	assert_number(cloud, AUTO_START, PM_FALSE);
	assert_text(cloud, HYPERVISOR, "qemu+ssh://lab1/system");
	assert_text(build, HYPERVISOR, "qemu+ssh://cloud1/system");
	assert_number(build, LAST_RESULT, PM_RESULT_GUEST_REFUSED);
	assert_text(build, LAST_RESULT_TEXT, "did not shut down");
	assert_number(build, CPU_COUNT, 4);
	assert_number(build, MEMORY_MEGABYTES, 513);
	assert_text(build, ID, "17");
	take_machines();
}

static void test_what_is_not_known_has_no_instance(void **state)
{
	struct pm_value value;
	struct pm_vm *vm;

	(void)state;
	give_machines(1);
	vm = give_vm(machines[0], 1);
	vm->observed = PM_VM_UNKNOWN;
	assert_none(vm, CPU_COUNT);
	assert_none(vm, MEMORY_MEGABYTES);
	assert_none(vm, ADMIN_STATE);
	assert_text(vm, ID, "");
	assert_text(vm, UUID, "");
	assert_text(vm, HYPERVISOR, "");
	assert_number(vm, LAST_RESULT, PM_RESULT_NONE);
	assert_number(vm, PARENT, 0);
	assert_true(get(vm, LAST_CHANGE, &value));
	assert_int_equal(value.length, 8); /* not yet: all zero */
	vm->memory_kib = UINT64_MAX;
	assert_number(vm, MEMORY_MEGABYTES, UINT32_MAX);
	take_machines();
}

static void test_the_shutdown_timeout_is_the_machines_until_it_is_set(void **state)
{
	struct pm_vm *vm;

	(void)state;
	give_machines(1);
	vm = give_vm(machines[0], 1);
	assert_number(vm, SHUTDOWN_TIMEOUT, 180);
	vm->shutdown_timeout_s = 7;
	assert_number(vm, SHUTDOWN_TIMEOUT, 7);
	take_machines();
}

static void test_the_wish_follows_the_state_until_there_is_one(void **state)
{
	static const struct {
		enum pm_vm_state state;
		bool active;
		enum pm_vm_admin_state wish;
	} cases[] = {
	    {PM_VM_RUNNING, true, PM_VM_WISH_RUNNING},      {PM_VM_PAUSED, true, PM_VM_WISH_PAUSED},
	    {PM_VM_SHUTDOWN, false, PM_VM_WISH_SHUTDOWN},   {PM_VM_CRASHED, false, PM_VM_WISH_SHUTDOWN},
	    {PM_VM_SUSPENDED, false, PM_VM_WISH_SUSPENDED}, /* saved */
	    {PM_VM_SUSPENDED, true, PM_VM_WISH_PAUSED},     /* asleep in memory */
	    {PM_VM_MIGRATING, true, PM_VM_WISH_RUNNING}};
	struct pm_vm *vm;

	(void)state;
	give_machines(1);
	give_hypervisors(machines[0]);
	vm = give_vm_on(machines[0], 1, 0);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		vm->observed = cases[i].state;
		vm->active = cases[i].active;
		vm->saved = !cases[i].active && cases[i].state == PM_VM_SUSPENDED;
		assert_number(vm, ADMIN_STATE, cases[i].wish);
	}
	vm->observed = PM_VM_OTHER;
	assert_none(vm, ADMIN_STATE);
	vm->observed = PM_VM_RUNNING;
	vm->active = true;
	machines[0]->hypervisors[0].up = false; /* its state is unknown, and what it was is not forgotten */
	assert_number(vm, STATE, PM_VM_UNKNOWN);
	assert_number(vm, ADMIN_STATE, PM_VM_WISH_RUNNING);
	vm->admin_state = PM_VM_WISH_SHUTDOWN;
	assert_number(vm, ADMIN_STATE, PM_VM_WISH_SHUTDOWN);
	take_machines();
}

/* --- what a SET is refused for ------------------------------------------------------------------------------------- */

static void test_verbs_that_make_no_sense_for_a_vm(void **state)
{
	struct pm_error err = {""};

	(void)state;
	for (int verb = PM_COMMAND_POWER_ON; verb <= PM_COMMAND_IDENTIFY; verb++) {
		const struct pm_value value = {.type = ASN_INTEGER, .integer = verb};
		bool machine_only = verb == PM_COMMAND_WAKE || verb == PM_COMMAND_DIAGNOSTIC_INTERRUPT ||
				    verb == PM_COMMAND_INIT || verb == PM_COMMAND_ARM_WOL ||
				    verb == PM_COMMAND_IDENTIFY;

		assert_int_equal(pm_vm_table.check(COMMAND, &value, &err),
				 machine_only ? SNMP_ERR_WRONGVALUE : SNMP_ERR_NOERROR);
		assert_int_equal(pm_vm_table.check(SHUTDOWN_TIMEOUT, &value, &err), SNMP_ERR_NOERROR);
	}
	assert_non_null(strstr(err.text, "identify is for machines; a VM takes powerOn, shutdown"));
}

static void test_a_row_that_is_not_there(void **state)
{
	(void)state;
	give_machines(1);
	give_vm(machines[0], 1);
	assert_int_equal(pm_vm_table.missing((const oid[]){3, 2}, 2), SNMP_ERR_INCONSISTENTNAME);
	assert_int_equal(pm_vm_table.missing((const oid[]){4, 1}, 2), SNMP_ERR_NOCREATION);
	assert_int_equal(pm_vm_table.missing((const oid[]){3}, 1), SNMP_ERR_NOCREATION);
	assert_int_equal(pm_vm_table.missing((const oid[]){3, 1, 1}, 3), SNMP_ERR_NOCREATION);
	assert_int_equal(pm_vm_table.missing((const oid[]){ULONG_MAX, 1}, 2), SNMP_ERR_NOCREATION);
	take_machines();
}

static const struct pm_value timeout_42 = {.type = ASN_UNSIGNED, .unsigned32 = 42};

static struct pm_row_set set_of(struct pm_vm *vm, unsigned column, const struct pm_value *value)
{
	struct pm_row_set set = {
	    .table = &pm_vm_table,
	    .row = {.index = {vm->machine->index, vm->index}, .index_length = 2, .object = vm}};

	set.values[column] = value;
	return set;
}

static void test_a_verb_and_a_wish_in_one_set(void **state)
{
	const struct pm_value verb = {.type = ASN_INTEGER, .integer = PM_COMMAND_RESET},
			      wish = {.type = ASN_INTEGER, .integer = PM_VM_WISH_SHUTDOWN};
	struct pm_error err = {""};
	struct pm_row_set set;

	(void)state;
	give_machines(1);
	set = set_of(give_vm(machines[0], 1), COMMAND, &verb);
	set.values[ADMIN_STATE] = &wish;
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_INCONSISTENTVALUE);
	assert_string_equal(err.text, "pmVmCommand and pmVmAdminState in one SET: one verb at a time");
	pm_vm_table.undo(&set);
	take_machines();
}

static void test_a_shutdown_timeout_is_set(void **state)
{
	struct pm_error err = {""};
	struct pm_row_set set;
	struct pm_vm *vm;

	(void)state;
	give_machines(1);
	vm = give_vm(machines[0], 1);
	set = set_of(vm, SHUTDOWN_TIMEOUT, &timeout_42);
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_NOERROR);
	assert_int_equal(pm_vm_table.apply(&set, &err), SNMP_ERR_NOERROR);
	assert_number(vm, SHUTDOWN_TIMEOUT, 180);
	pm_vm_table.commit(&set);
	assert_number(vm, SHUTDOWN_TIMEOUT, 42);
	take_machines();
}

/* A hypervisor takes the VM away between two phases, and its memory with it. */
static void test_a_vm_that_goes_in_the_middle_of_a_set(void **state)
{
	struct pm_error err = {""};
	struct pm_row_set set;

	(void)state;
	give_machines(1);
	set = set_of(give_vm(machines[0], 1), SHUTDOWN_TIMEOUT, &timeout_42);
	take_vm(machines[0], 0);
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_INCONSISTENTNAME);
	pm_vm_table.undo(&set);

	set = set_of(give_vm(machines[0], 1), SHUTDOWN_TIMEOUT, &timeout_42);
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_NOERROR);
	take_vm(machines[0], 0);
	assert_int_equal(pm_vm_table.apply(&set, &err), SNMP_ERR_COMMITFAILED);
	assert_string_equal(err.text, "the hypervisor has just taken this VM away");
	pm_vm_table.undo(&set);

	set = set_of(give_vm(machines[0], 1), SHUTDOWN_TIMEOUT, &timeout_42);
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_NOERROR);
	assert_int_equal(pm_vm_table.apply(&set, &err), SNMP_ERR_NOERROR);
	take_vm(machines[0], 0);
	pm_vm_table.commit(&set);

	set = set_of(give_vm(machines[0], 1), SHUTDOWN_TIMEOUT, &timeout_42);
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_NOERROR);
	assert_int_equal(pm_vm_table.apply(&set, &err), SNMP_ERR_NOERROR);
	take_vm(machines[0], 0);
	pm_vm_table.undo(&set);
	take_machines();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any_place_finds_the_next_row),
	    cmocka_unit_test(test_rows_come_and_go),
	    cmocka_unit_test(test_machines_without_vms_cost_nothing),
	    cmocka_unit_test(test_what_the_columns_say),
	    cmocka_unit_test(test_what_is_not_known_has_no_instance),
	    cmocka_unit_test(test_the_shutdown_timeout_is_the_machines_until_it_is_set),
	    cmocka_unit_test(test_the_wish_follows_the_state_until_there_is_one),
	    cmocka_unit_test(test_verbs_that_make_no_sense_for_a_vm),
	    cmocka_unit_test(test_a_row_that_is_not_there),
	    cmocka_unit_test(test_a_verb_and_a_wish_in_one_set),
	    cmocka_unit_test(test_a_shutdown_timeout_is_set),
	    cmocka_unit_test(test_a_vm_that_goes_in_the_middle_of_a_set),
	};

	return cmocka_run_group_tests_name("pmVmTable", tests, NULL, NULL);
}
