/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store: what must outlive the process does: indexes, settings, states, events. */
#include "tests/unit/agent/store_support.h"

/* --- indexes ---------------------------------------------------------------------------------------------------- */

static void test_a_machine_keeps_its_index(void **state)
{
	(void)state;
	assert_int_equal(machine_index("zeus", 1, 1000), 1);
	assert_int_equal(machine_index("ares", 1, 1000), 2);
	assert_int_equal(machine_index("zeus", 1, 1000), 1);
	reopen();
	assert_int_equal(machine_index("hera", 1, 1000), 3);
	assert_int_equal(machine_index("ares", 1, 1000), 2);
	assert_int_equal(machine_index("Ares", 1, 1000), 4); /* names differ in case */
}

static void test_blocks_of_shards(void **state)
{
	uint32_t index = 0;

	(void)state;
	assert_int_equal(machine_index("a", 1, 2), 1);
	assert_int_equal(machine_index("b", 257, 258), 257);
	assert_int_equal(machine_index("c", 1, 2), 2);
	assert_int_equal(machine_index("d", 257, 258), 258);
	assert_int_equal(pm_store_machine_index(store, "e", 1, 2, &index, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "e"));
	assert_non_null(strstr(err.text, "1 to 2"));
	assert_int_equal(pm_store_machine_index(store, "a", 257, 258, &index, &err), -ERANGE);
	assert_non_null(strstr(err.text, "index 1"));
	assert_int_equal(machine_index("f", 2147483647, 2147483647), 2147483647);
	assert_int_equal(pm_store_machine_index(store, "g", 2147483647, 2147483647, &index, &err), -ENOSPC);
}

static void test_an_index_taken_back_in_a_transaction(void **state)
{
	(void)state;
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_int_equal(machine_index("gone", 1, 10), 1);
	pm_store_rollback(store);
	assert_int_equal(machine_index("stays", 1, 10), 1);
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_int_equal(machine_index("also", 1, 10), 2);
	assert_int_equal(pm_store_commit(store, &err), 0);
	reopen();
	assert_int_equal(machine_index("also", 1, 10), 2);
}

static uint32_t nic_index(uint32_t machine, const char *name)
{
	uint32_t index = 0;

	assert_int_equal(pm_store_nic_index(store, machine, name, &index, &err), 0);
	return index;
}

static void test_nics_are_numbered_within_their_machine(void **state)
{
	(void)state;
	assert_int_equal(nic_index(1, "eth0"), 1);
	assert_int_equal(nic_index(1, "eth1"), 2);
	assert_int_equal(nic_index(2, "eth1"), 1);
	reopen();
	assert_int_equal(nic_index(1, "eth1"), 2);
	assert_int_equal(nic_index(1, "eth2"), 3);
	assert_int_equal(nic_index(2, "eth1"), 1);
}

/* --- VMs ---------------------------------------------------------------------------------------------------------- */

static uint32_t vm_index(uint32_t machine, const char *key)
{
	uint32_t index = 0;

	assert_int_equal(pm_store_vm_index(store, machine, key, &index, &err), 0);
	return index;
}

static struct pm_stored_vm last_vm;
static char last_vm_texts[5][256];

static void note_vm(const struct pm_stored_vm *vm, void *data)
{
	size_t length = strlen(seen);
	const char **const texts[] = {&last_vm.key, &last_vm.name, &last_vm.uuid, &last_vm.hypervisor,
				      &last_vm.last_result_text};

	(void)data;
	last_vm = *vm;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		snprintf(last_vm_texts[i], sizeof(last_vm_texts[i]), "%s", *texts[i]);
		*texts[i] = last_vm_texts[i];
	}
	snprintf(seen + length, sizeof(seen) - length, "%u.%u %s;", vm->machine, vm->index, vm->name);
}

static const char *vms(uint32_t machine)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_vms_load(store, machine, note_vm, NULL, &err), 0);
	return seen;
}

static void put_vm(uint32_t machine, uint32_t index, const char *name, bool gone)
{
	const struct pm_stored_vm vm = {.machine = machine,
					.index = index,
					.name = name,
					.uuid = "6f1d",
					.hypervisor = "qemu:///system",
					.gone = gone,
					.active = true,
					.autostart = true,
					.observed = PM_VM_PAUSED,
					.told = PM_VM_UNKNOWN,
					.cpus = 128,
					.memory_kib = UINT64_C(1) << 40,
					.last_change_ms = 1700000000123,
					.last_result = PM_RESULT_TIMEOUT,
					.last_result_text = "did not shut down within 180 s"};

	assert_int_equal(pm_store_vm_put(store, &vm, &err), 0);
}

/* Also when it was undefined meanwhile, and whatever came after it. */
static void test_a_vm_keeps_its_index(void **state)
{
	(void)state;
	assert_int_equal(vm_index(1, "a"), 1);
	assert_int_equal(vm_index(1, "b"), 2);
	assert_int_equal(vm_index(2, "b"), 1);
	put_vm(1, 2, "web", true);
	reopen();
	assert_int_equal(vm_index(1, "c"), 3);
	assert_int_equal(vm_index(1, "b"), 2);
	assert_int_equal(vm_index(1, "a b://c"), 4);
}

static void test_vms_as_they_were_last(void **state)
{
	(void)state;
	for (uint32_t machine = 2; machine > 0; machine--)
		for (uint32_t i = 1; i <= 3; i++)
			vm_index(machine, i == 1 ? "x" : i == 2 ? "y" : "z");
	put_vm(2, 3, "web", false);
	put_vm(1, 2, "mail", false);
	put_vm(1, 1, "db", false);
	put_vm(1, 1, "db1", false);
	reopen();
	assert_string_equal(vms(0), "1.1 db1;1.2 mail;2.3 web;");
	assert_string_equal(vms(2), "2.3 web;");
	assert_string_equal(last_vm.key, "z");
	assert_string_equal(last_vm.uuid, "6f1d");
	assert_string_equal(last_vm.hypervisor, "qemu:///system");
	assert_true(last_vm.active && last_vm.autostart);
	assert_false(last_vm.saved || last_vm.persistent || last_vm.gone);
	assert_int_equal(last_vm.observed, PM_VM_PAUSED);
	assert_int_equal(last_vm.told, PM_VM_UNKNOWN);
	assert_int_equal(last_vm.cpus, 128);
	assert_int_equal(last_vm.memory_kib, UINT64_C(1) << 40);
	assert_int_equal(last_vm.last_change_ms, 1700000000123);
	assert_int_equal(last_vm.last_result, PM_RESULT_TIMEOUT);
	assert_string_equal(last_vm.last_result_text, "did not shut down within 180 s");
	put_vm(1, 2, "", true);
	put_vm(1, 2, "", true); /* is gone already */
	reopen();
	assert_string_equal(vms(1), "1.1 db1;");
}

/* --- settings and states ------------------------------------------------------------------------------------------ */

static void note_group(const struct pm_setting *setting, void *data)
{
	static char group[64];

	snprintf(group, sizeof(group), "%s", setting->group);
	((struct pm_setting *)data)->group = group;
}

static void test_settings(void **state)
{
	struct pm_setting inhibit = {.machine = 3, .key = "inhibit", .base = "0", .value = "1"};
	struct pm_setting port = {.machine = 3, .part = 2, .key = "port", .base = "9", .value = "7"};
	struct pm_setting again = {.machine = 3, .key = "inhibit", .base = "0", .value = "it's \"%s\""};

	(void)state;
	assert_string_equal(settings(), "");
	assert_int_equal(pm_store_setting_put(store, &inhibit, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &port, &err), 0);
	assert_string_equal(settings(), "3.0 inhibit 0>1;3.2 port 9>7;");
	assert_int_equal(pm_store_setting_put(store, &again, &err), 0);
	reopen();
	assert_string_equal(settings(), "3.0 inhibit 0>it's \"%s\";3.2 port 9>7;");
	assert_int_equal(pm_store_setting_delete(store, &inhibit, &err), 0);
	assert_int_equal(pm_store_setting_delete(store, &inhibit, &err), 0); /* is gone already */
	assert_string_equal(settings(), "3.2 port 9>7;");
}

/* A NIC and a VM of the same number; and others. */
static void test_settings_of_a_part(void **state)
{
	static const struct pm_setting stored[] = {
	    {.machine = 3, .part = 2, .key = "port", .base = "9", .value = "7"},
	    {.machine = 3, .part = 2, .key = "vm-admin-state", .base = "0", .value = "1"},
	    {.machine = 3, .part = 1, .key = "vm-admin-state", .base = "0", .value = "2"},
	    {.machine = 2, .part = 2, .key = "vm-admin-state", .base = "0", .value = "3"},
	    {.machine = 3, .key = "inhibit", .base = "0", .value = "1"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(stored); i++)
		assert_int_equal(pm_store_setting_put(store, &stored[i], &err), 0);
	seen[0] = '\0';
	assert_int_equal(pm_store_settings_load_part(store, 3, 2, note_setting, NULL, &err), 0);
	assert_string_equal(seen, "3.2 port 9>7;3.2 vm-admin-state 0>1;");
}

/* Groups have names and no numbers: the same key of two groups, and of the agent, are three settings. */
static void test_settings_of_groups(void **state)
{
	struct pm_setting rack = {.group = "rack-1", .key = "stagger", .base = "0", .value = "500"};
	struct pm_setting all = {.group = "all", .key = "stagger", .base = "500", .value = "7"};
	struct pm_setting agent = {.key = "stagger", .base = "1", .value = "2"};
	struct pm_setting last = {0};

	(void)state;
	assert_int_equal(pm_store_setting_put(store, &rack, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &all, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &agent, &err), 0);
	reopen();
	assert_string_equal(settings(), "0.0 stagger 1>2;0.0 stagger 500>7;0.0 stagger 0>500;");
	assert_int_equal(pm_store_setting_delete(store, &all, &err), 0);
	assert_int_equal(pm_store_setting_delete(store, &agent, &err), 0);
	assert_string_equal(settings(), "0.0 stagger 0>500;");
	assert_int_equal(pm_store_settings_load(store, note_group, &last, &err), 0);
	assert_string_equal(last.group, "rack-1");
}

static void test_the_last_state_of_a_machine(void **state)
{
	const struct pm_stored_state off = {.machine = 4,
					    .power_state = PM_POWER_OFF,
					    .source = PM_SOURCE_BMC},
				     on = {.machine = 4,
					   .power_state = PM_POWER_ON,
					   .source = PM_SOURCE_PROBE,
					   .last_change_ms = 1700000000123,
					   .on_count = UINT32_MAX,
					   .off_count = 6,
					   .bmc_down = true,
					   .rest = 3,
					   .gone = true,
					   .rest_boot = "boot-1",
					   .boot_id = "boot-2",
					   .rest_seen = "ssh a 22 probe 1 a 0",
					   .last_result = PM_RESULT_TIMEOUT,
					   .last_result_text = "no answer after 20 s"};
	struct pm_stored_state last = {0};

	(void)state;
	assert_int_equal(pm_store_state_put(store, &off, &err), 0);
	assert_int_equal(pm_store_state_put(store, &on, &err), 0);
	reopen();
	assert_int_equal(pm_store_states_load(store, note_state, &last, &err), 0);
	assert_int_equal(last.machine, 4);
	assert_int_equal(last.power_state, PM_POWER_ON);
	assert_int_equal(last.source, PM_SOURCE_PROBE);
	assert_int_equal(last.last_change_ms, 1700000000123);
	assert_int_equal(last.on_count, UINT32_MAX);
	assert_int_equal(last.off_count, 6);
	assert_true(last.bmc_down);
	assert_false(last.unknown_told);
	assert_int_equal(last.rest, 3);
	assert_true(last.gone);
	assert_string_equal(last.rest_boot, "boot-1");
	assert_string_equal(last.boot_id, "boot-2");
	assert_string_equal(last.rest_seen, "ssh a 22 probe 1 a 0");
	assert_int_equal(last.last_result, PM_RESULT_TIMEOUT);
	assert_string_equal(last.last_result_text, "no answer after 20 s");
}

/* --- events --------------------------------------------------------------------------------------------------------- */

static void test_events_are_forgotten_by_machine(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 4; i++) {
		put_event(2, i, 0);
		put_event(1, i, i > 2 ? i - 2 : 0);
	}
	reopen();
	assert_string_equal(events(), "1.3@30;1.4@40;2.1@10;2.2@20;2.3@30;2.4@40;");
}

static void test_expiry_keeps_the_newest_event(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		put_event(1, i, 0);
	put_event(2, 1, 0);
	expire(30, is_any);
	assert_string_equal(events(), "1.3@30;1.4@40;2.1@10;");
	expire(1000000, is_any);
	assert_string_equal(events(), "1.4@40;2.1@10;");
}

static unsigned event_count;

static void count_event(const struct pm_stored_event *event, void *data)
{
	(void)data;
	assert_int_equal(event->index, 3);
	event_count++;
}

/* However many there are, nothing stands still for long. */
static void test_expiry_of_many_machines_goes_on_later(void **state)
{
	(void)state;
	assert_int_equal(pm_store_begin_quick(store, &err), 0);
	for (uint32_t machine = 1; machine <= 1000; machine++)
		for (uint32_t i = 1; i <= 3; i++)
			put_event(machine * 1000, i, 0);
	assert_int_equal(pm_store_commit(store, &err), 0);
	assert_true(expire(30, is_any) >= 10);
	event_count = 0;
	assert_int_equal(pm_store_events_load(store, count_event, NULL, &err), 0);
	assert_int_equal(event_count, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_machine_keeps_its_index),
	    TEST(test_blocks_of_shards),
	    TEST(test_an_index_taken_back_in_a_transaction),
	    TEST(test_nics_are_numbered_within_their_machine),
	    TEST(test_a_vm_keeps_its_index),
	    TEST(test_vms_as_they_were_last),
	    TEST(test_settings),
	    TEST(test_settings_of_a_part),
	    TEST(test_settings_of_groups),
	    TEST(test_the_last_state_of_a_machine),
	    TEST(test_events_are_forgotten_by_machine),
	    TEST(test_expiry_keeps_the_newest_event),
	    TEST(test_expiry_of_many_machines_goes_on_later),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
