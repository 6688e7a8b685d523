/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SETs to VMs and stacks, through the callbacks of their tables: which job comes of them, and what stays of a wish. */
#include "agent/mib/mib.h"
#include "tests/unit/agent/job_stacks.h"

/* Columns by their numbers in the MIB. */
enum { MACHINE_COMMAND = 5, STACK_ADMIN_STATE = 6, VM_ADMIN_STATE = 6, VM_COMMAND = 8 };

/* One SET of one column, from test to commit, or to undo where it is refused. */
static int set_column(const struct pm_table *table, const struct pm_row *at, unsigned column, int number)
{
	const struct pm_value value = {.type = ASN_INTEGER, .integer = number};
	struct pm_row_set set = {.table = table, .row = *at};
	int error;

	pm_mib_agent = agent;
	err.text[0] = '\0';
	set.values[column] = &value;
	error = table->test(&set, &err);
	if (error) {
		table->undo(&set);
		return error;
	}
	assert_int_equal(table->begin(&err), 0);
	assert_int_equal(table->apply(&set, &err), 0);
	assert_int_equal(table->end(true, &err), 0);
	table->commit(&set);
	return SNMP_ERR_NOERROR;
}

static int set_vm(const char *name, unsigned column, int number)
{
	const struct pm_row at = {
	    .index = {machine->index, vm(name)->index}, .index_length = 2, .object = vm(name)};

	return set_column(&pm_vm_table, &at, column, number);
}

static int set_machine(unsigned column, int number)
{
	const struct pm_row at = {.index = {machine->index}, .index_length = 1, .object = machine};

	return set_column(&pm_machine_table, &at, column, number);
}

static void test_a_wish_starts_a_job(void **state)
{
	struct pm_job *job;

	(void)state;
	assert_int_equal(set_vm("app1", VM_ADMIN_STATE, PM_VM_WISH_SHUTDOWN), SNMP_ERR_NOERROR);
	job = machine->job;
	assert_non_null(job);
	assert_int_equal(job->spec.action, PM_COMMAND_SHUTDOWN);
	assert_int_equal(job->spec.vm, vm("app1")->index);
	assert_int_equal(job->origin, PM_ORIGIN_VM_ADMIN_STATE);
	assert_int_equal(vm("app1")->admin_state, PM_VM_WISH_SHUTDOWN);
	assert_ends(job, PM_RESULT_OK, "2 VMs shut down");
	assert_before("leaf", "app1");
	assert_nothing_killed();
}

static void test_a_wish_that_holds_starts_none(void **state)
{
	(void)state;
	assert_int_equal(set_vm("web1", VM_ADMIN_STATE, PM_VM_WISH_RUNNING), SNMP_ERR_NOERROR);
	assert_null(machine->job);
	assert_int_equal(vm("web1")->admin_state, PM_VM_WISH_RUNNING);
}

static void test_the_same_wish_again_is_the_same_job(void **state)
{
	struct pm_job *job;

	(void)state;
	assert_int_equal(set_vm("web1", VM_ADMIN_STATE, PM_VM_WISH_SHUTDOWN), SNMP_ERR_NOERROR);
	job = machine->job;
	until(vm("web1")->transition == PM_VM_SHUTTING_DOWN);
	assert_int_equal(set_vm("web1", VM_ADMIN_STATE, PM_VM_WISH_SHUTDOWN), SNMP_ERR_NOERROR);
	assert_int_equal(set_vm("web1", VM_COMMAND, PM_COMMAND_SHUTDOWN), SNMP_ERR_NOERROR);
	assert_ptr_equal(machine->job, job);
	assert_int_equal(machine->jobs_count, 1);
	assert_int_equal(set_vm("web2", VM_COMMAND, PM_COMMAND_SHUTDOWN), SNMP_ERR_INCONSISTENTVALUE);
	assert_ends(job, PM_RESULT_OK, "web1");
	assert_int_equal(asked(NULL, STACK_SHUTDOWN), 1);
}

/* What another job is about to bring about may still not come: it is no wish that holds. */
static void test_what_is_on_its_way_does_not_hold_yet(void **state)
{
	(void)state;
	assert_int_equal(set_machine(STACK_ADMIN_STATE, PM_STACK_WISH_OFF), SNMP_ERR_NOERROR);
	until(vm("web1")->transition == PM_VM_SHUTTING_DOWN);
	assert_int_equal(set_vm("web1", VM_ADMIN_STATE, PM_VM_WISH_SHUTDOWN), SNMP_ERR_INCONSISTENTVALUE);
	assert_int_equal(vm("web1")->admin_state, 0);
	assert_ends(machine->job, PM_RESULT_OK, "6 VMs shut down");
}

static void test_the_stack_is_cancelled_by_its_wish(void **state)
{
	(void)state;
	assert_int_equal(set_machine(STACK_ADMIN_STATE, PM_STACK_WISH_OFF), SNMP_ERR_NOERROR);
	assert_non_null(machine->job);
	assert_int_equal(machine->job->spec.action, PM_COMMAND_SHUTDOWN);
	assert_int_equal(machine->job->spec.scope, PM_SCOPE_STACK);
	assert_int_equal(machine->job->origin, PM_ORIGIN_STACK_ADMIN_STATE);
	assert_ends(machine->job, PM_RESULT_OK, "6 VMs shut down");
	assert_int_equal(machine->observed, PM_POWER_ON);
	assert_int_equal(real.soft + real.down, 0);
	assert_int_equal(machine->stack_admin_state, PM_STACK_WISH_OFF);
	assert_int_equal(set_machine(STACK_ADMIN_STATE, PM_STACK_WISH_RUNNING), SNMP_ERR_NOERROR);
	assert_int_equal(machine->stack_admin_state, PM_STACK_WISH_RUNNING);
	assert_null(machine->job); /* withdrawn: that starts no VM */
}

static void test_two_verbs_in_one_set(void **state)
{
	const struct pm_value verb = {.type = ASN_INTEGER, .integer = PM_COMMAND_SHUTDOWN},
			      wish = {.type = ASN_INTEGER, .integer = PM_STACK_WISH_OFF};
	struct pm_row_set set = {.table = &pm_machine_table,
				 .row = {.index = {machine->index}, .index_length = 1, .object = machine}};

	(void)state;
	pm_mib_agent = agent;
	set.values[MACHINE_COMMAND] = &verb;
	set.values[STACK_ADMIN_STATE] = &wish;
	assert_int_equal(pm_machine_table.test(&set, &err), SNMP_ERR_INCONSISTENTVALUE);
	assert_int_equal(set.failed_column, STACK_ADMIN_STATE);
	assert_string_equal(err.text,
			    "pmMachineCommand and pmMachineStackAdminState in one SET: one verb at a time");
	pm_machine_table.undo(&set);
	assert_null(machine->job);
}

/* The VM is undefined when its verb is reserved, or written: nothing of it stays behind. */
static void test_a_vm_that_goes_before_its_verb_begins(void **state)
{
	const struct pm_value wish = {.type = ASN_INTEGER, .integer = PM_VM_WISH_RUNNING};
	struct pm_row_set set = {
	    .table = &pm_vm_table,
	    .row = {.index = {machine->index, vm("web1")->index}, .index_length = 2, .object = vm("web1")}};

	(void)state;
	pm_mib_agent = agent;
	fake_vm_becomes(web1, PM_VM_SHUTDOWN);
	until(pm_vm_is_down(vm("web1")));
	set.values[VM_ADMIN_STATE] = &wish;
	assert_int_equal(pm_vm_table.test(&set, &err), SNMP_ERR_NOERROR);
	fake_vm_undefine(web1);
	until(!vm_named(machine, "web1"));
	assert_int_equal(pm_vm_table.begin(&err), 0);
	assert_int_equal(pm_vm_table.apply(&set, &err), SNMP_ERR_COMMITFAILED);
	assert_int_equal(pm_vm_table.end(false, &err), 0);
	pm_vm_table.undo(&set);
	assert_null(machine->job);
	assert_int_equal(agent->jobs_reserved, 0);
	assert_int_equal(asked(NULL, STACK_START), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_wish_starts_a_job, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_wish_that_holds_starts_none, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_same_wish_again_is_the_same_job, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_is_on_its_way_does_not_hold_yet, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_stack_is_cancelled_by_its_wish, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_two_verbs_in_one_set, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_vm_that_goes_before_its_verb_begins, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("SETs to VMs and stacks", tests, NULL, NULL);
}
