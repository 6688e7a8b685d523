/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stacks and reloads of the configuration: hypervisors come, go, move and get another URI. */
#include "tests/unit/agent/vms.h"

static struct world world;
static struct pm_machine *m1;
static struct fake_hv *h1, *h2;
static struct fake_vm *db1, *inner;

static struct pm_inventory *two_levels(const char *first, const char *second)
{
	struct pm_inventory *inventory = world_inventory(1);

	give_hypervisor_config(&inventory->machines[0], first, NULL, 0);
	give_hypervisor_config(&inventory->machines[0], second, "db1", 0);
	return inventory;
}

/* As agent/fleet.c does it. */
static void reload(struct pm_inventory *inventory)
{
	struct pm_inventory *old = world.agent.inventory;

	m1->config = &inventory->machines[0];
	world.agent.inventory = inventory;
	pm_stack_apply(m1);
	pm_inventory_free(old);
}

static bool all_up(void)
{
	for (size_t i = 0; i < m1->hypervisor_count; i++)
		if (!m1->hypervisors[i].up)
			return false;
	return m1->hypervisor_count > 0;
}

static int set_up(void **state)
{
	(void)state;
	h1 = fake_hv_new("fake://h1", NULL);
	db1 = fake_vm_new(h1, "db1", PM_VM_RUNNING);
	fake_vm_new(h1, "web", PM_VM_SHUTDOWN);
	h2 = fake_hv_new("fake://h2", db1);
	inner = fake_vm_new(h2, "inner", PM_VM_RUNNING);
	world_begin(&world, two_levels("fake://h1", "fake://h2"));
	m1 = world.agent.machines[0];
	world.agent.stack_driver = &fake_hypervisor;
	pm_stack_apply(m1);
	run_until(&world, all_up());
	told_of_vms(&world);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	fake_world_free();
	return 0;
}

static void test_what_stays_the_same_is_not_touched(void **state)
{
	const struct stack_connection *first = m1->hypervisors[0].connection;
	uint64_t changes = world.agent.vm_rows_changes;
	unsigned attempts = h1->attempts;

	(void)state;
	vm_named(m1, "web")->shutdown_timeout_s = 5;
	reload(two_levels("fake://h1", "fake://h2"));
	assert_ptr_equal(m1->hypervisors[0].connection, first);
	assert_true(all_up());
	assert_int_equal(state_of(m1, "inner"), PM_VM_RUNNING);
	assert_int_equal(vm_named(m1, "web")->shutdown_timeout_s, 0); /* lasts until a reload */
	assert_int_equal(world.agent.vm_rows_changes, changes);
	assert_ptr_equal(vm_named(m1, "db1")->carries, &m1->hypervisors[1]);
	fake_vm_becomes(inner, PM_VM_PAUSED); /* news come to where it is now */
	run_until(&world, state_of(m1, "inner") == PM_VM_PAUSED);
	assert_int_equal(h1->attempts, attempts);
	assert_string_equal(told_of_vms(&world), "inner running>paused");
}

/* In another order of the file; and the one before gets pointers of its own. */
static void test_another_hypervisor_comes(void **state)
{
	struct pm_inventory *inventory = world_inventory(1);
	struct fake_hv *h3 = fake_hv_new("fake://h3", NULL);

	(void)state;
	fake_vm_new(h3, "third", PM_VM_RUNNING);
	give_hypervisor_config(&inventory->machines[0], "fake://h3", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h2", "db1", 1);
	reload(inventory);
	assert_int_equal(m1->hypervisor_count, 3);
	assert_int_equal(state_of(m1, "inner"), PM_VM_RUNNING);
	assert_int_equal(pm_vm_depth(vm_named(m1, "inner")), 2);
	run_until(&world, all_up());
	assert_int_equal(state_of(m1, "third"), PM_VM_RUNNING);
	assert_int_equal(vm_named(m1, "third")->index, 4);
	fake_vm_becomes(db1, PM_VM_SHUTDOWN);
	run_until(&world, state_of(m1, "inner") == PM_VM_SHUTDOWN);
}

static void test_a_hypervisor_goes_with_its_rows(void **state)
{
	struct pm_inventory *inventory = world_inventory(1);
	uint32_t index = vm_named(m1, "inner")->index;

	(void)state;
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	reload(inventory);
	assert_int_equal(m1->vm_count, 2);
	assert_int_equal(world.agent.vms, 2);
	assert_int_equal(world.agent.vms_running, 1);
	assert_null(vm_named(m1, "inner"));
	assert_null(vm_named(m1, "db1")->carries);
	assert_string_equal(last_event(m1),
			    "hypervisor fake://h2 is no longer configured: its VMs leave the table (1)");
	run_for_ms(&world, 20);
	assert_int_equal(pm_flush(&world.agent), 0);
	reload(two_levels("fake://h1", "fake://h2"));
	run_until(&world, all_up());
	assert_int_equal(vm_named(m1, "inner")->index, index);
	assert_string_equal(told_of_vms(&world), "");
}

static void test_the_stack_goes_altogether(void **state)
{
	(void)state;
	reload(world_inventory(1));
	assert_int_equal(m1->vm_count, 0);
	assert_int_equal(m1->hypervisor_count, 0);
	assert_int_equal(world.agent.vms, 0);
	assert_false(pm_machine_stack_unknown(m1));
	assert_int_equal(m1->observed, PM_POWER_UNKNOWN); /* nobody else tells it */
	assert_true(
	    event_says(m1, 0, "power state unknown, was on (its hypervisor is no longer configured)"));
	reload(two_levels("fake://h1", "fake://h2"));
	run_until(&world, all_up());
	assert_int_equal(m1->vm_count, 3);
}

/* The same hypervisor by another way: its rows stay, unknown until it answers there. */
static void test_another_uri_for_the_same_place(void **state)
{
	struct fake_hv *other = fake_hv_new("fake://h1-by-tls", NULL);
	struct fake_vm *vm = fake_vm_new(other, "db1", PM_VM_RUNNING);
	uint32_t db_index = vm_named(m1, "db1")->index;

	(void)state;
	snprintf(vm->is.uuid, sizeof(vm->is.uuid), "%s", db1->is.uuid);
	reload(two_levels("fake://h1-by-tls", "fake://h2"));
	assert_int_equal(m1->vm_count, 3);
	assert_int_equal(state_of(m1, "db1"), PM_VM_UNKNOWN);
	assert_int_equal(state_of(m1, "inner"), PM_VM_RUNNING);
	run_until(&world, all_up());
	assert_int_equal(m1->vm_count, 2); /* there is no web there */
	assert_int_equal(vm_named(m1, "db1")->index, db_index);
	assert_int_equal(state_of(m1, "db1"), PM_VM_RUNNING);
	assert_string_equal(told_of_vms(&world), "");
}

static void test_another_uri_for_a_guest(void **state)
{
	struct fake_hv *other = fake_hv_new("fake://h2-again", db1);
	struct fake_vm *vm = fake_vm_new(other, "inner", PM_VM_SHUTDOWN);

	(void)state;
	snprintf(vm->is.uuid, sizeof(vm->is.uuid), "%s", inner->is.uuid);
	reload(two_levels("fake://h1", "fake://h2-again"));
	assert_int_equal(m1->vm_count, 3);
	run_until(&world, all_up());
	assert_string_equal(told_of_vms(&world), "inner running>shutdown");
}

/* It was put under the wrong VM. */
static void test_a_guest_moves(void **state)
{
	struct pm_inventory *inventory = world_inventory(1);
	const struct stack_connection *connection = m1->hypervisors[1].connection;

	(void)state;
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h2", "web", 0);
	reload(inventory);
	assert_ptr_equal(m1->hypervisors[1].connection, connection);
	assert_ptr_equal(m1->hypervisors[1].host, vm_named(m1, "web"));
	assert_null(vm_named(m1, "db1")->carries);
	run_for_ms(&world, 50);
	assert_int_equal(state_of(m1, "inner"), PM_VM_RUNNING); /* it answers, whatever web is */
}

/* It runs on the machine itself, not in a VM. */
static void test_a_guest_becomes_a_stack(void **state)
{
	struct pm_inventory *inventory = world_inventory(1);

	(void)state;
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h2", NULL, 0);
	reload(inventory);
	assert_int_equal(pm_vm_depth(vm_named(m1, "inner")), 1);
	assert_null(pm_vm_parent(vm_named(m1, "inner")));
}

static void test_another_interval_is_another_connection(void **state)
{
	struct pm_inventory *inventory = two_levels("fake://h1", "fake://h2");
	unsigned attempts = h1->attempts;

	(void)state;
	inventory->machines[0].hypervisors[0].poll_interval_ms = 1000;
	reload(inventory);
	assert_int_equal(m1->vm_count, 3);
	run_until(&world, all_up());
	assert_int_equal(h1->attempts, attempts + 1);
	assert_string_equal(told_of_vms(&world), "");
}

/* While it is asked whether it is still there. */
static void test_a_reload_in_the_middle_of_a_doubt(void **state)
{
	(void)state;
	h2->answer_ms = 500;
	h2->keepalive_ms = FAKE_NEVER;
	fake_vm_becomes(db1, PM_VM_SHUTDOWN);
	run_until(&world, state_of(m1, "db1") == PM_VM_SHUTDOWN);
	reload(two_levels("fake://h1", "fake://h2"));
	reload(world_inventory(1));
	run_for_ms(&world, 50);
	reload(two_levels("fake://h1", "fake://h2"));
	run_until(&world, m1->hypervisors[0].up);
	assert_int_equal(state_of(m1, "db1"), PM_VM_SHUTDOWN);
}

/* What was known of the machine from its BMC is not any more; but its hypervisor still answers. */
static void test_the_bmc_is_another(void **state)
{
	(void)state;
	give_bmc_config(&world.agent.inventory->machines[0], NULL, 0);
	give_bmc(m1);
	bmc_says(m1, true);
	assert_int_equal(m1->source, PM_SOURCE_BMC);
	m1->bmc->holds = false;
	pm_state_sources_changed(m1);
	assert_int_equal(m1->observed, PM_POWER_UNKNOWN);
	reload(two_levels("fake://h1", "fake://h2"));
	assert_int_equal(m1->observed, PM_POWER_ON);
	assert_int_equal(m1->source, PM_SOURCE_HYPERVISOR);
}

static void test_told_silence_outlives_a_reload(void **state)
{
	(void)state;
	fake_hv_lose(h2, STACK_UNREACHABLE, "dead", FAKE_NEVER);
	run_until(&world, !m1->hypervisors[1].up);
	m1->hypervisors[1].patience_loop_ms = uv_now(&world.loop);
	pm_stack_machine_changed(m1);
	run_until(&world, m1->hypervisors[1].told_down);
	assert_string_equal(told_of_vms(&world), "inner running>unknown");
	reload(two_levels("fake://h1", "fake://h2"));
	run_for_ms(&world, 50);
	assert_string_equal(told_of_vms(&world), "");
	assert_true(m1->hypervisors[1].told_down);
	fake_hv_lose(h2, STACK_UNREACHABLE, "", 0);
	run_until(&world, all_up());
	assert_string_equal(told_of_vms(&world), "inner unknown>running");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_stays_the_same_is_not_touched),
	    TEST(test_another_hypervisor_comes),
	    TEST(test_a_hypervisor_goes_with_its_rows),
	    TEST(test_the_stack_goes_altogether),
	    TEST(test_another_uri_for_the_same_place),
	    TEST(test_another_uri_for_a_guest),
	    TEST(test_a_guest_moves),
	    TEST(test_a_guest_becomes_a_stack),
	    TEST(test_another_interval_is_another_connection),
	    TEST(test_a_reload_in_the_middle_of_a_doubt),
	    TEST(test_the_bmc_is_another),
	    TEST(test_told_silence_outlives_a_reload),
	};

	return cmocka_run_group_tests_name("vm_reload", tests, NULL, NULL);
}
