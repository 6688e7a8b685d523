/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings written by SNMP: they outlive restarts, and give way when the configuration's own value changes. */
#include "tests/unit/agent/vms.h"

static struct world world;
static struct pm_machine *m1;
static struct pm_setting_owner agent_owner, machine_owner, nic_owner, vm_owner, group_owner;
static struct pm_error err;

static void put_configuration_in_place(void)
{
	pm_settings_defaults(&agent_owner);
	pm_settings_defaults(&machine_owner);
	pm_settings_defaults(&nic_owner);
	pm_settings_defaults(&vm_owner);
	pm_settings_defaults(&group_owner);
}

/* What happens at a reload or, with a store that was closed and opened, at a restart. */
static void reload(void)
{
	put_configuration_in_place();
	pm_settings_load(&world.agent);
}

static void restart(void)
{
	pm_store_close(world.agent.store);
	world_open_store(&world);
	reload();
}

/* pmVmIndex 1, as NIC 1 is there, too; of a hypervisor that nobody asks. */
static void put_vm(void)
{
	struct pm_stored_vm vm = {.machine = m1->index,
				  .name = "web",
				  .uuid = "",
				  .hypervisor = "fake://h1",
				  .observed = PM_VM_RUNNING,
				  .told = PM_VM_RUNNING};

	assert_int_equal(pm_store_vm_index(world.agent.store, m1->index, "web", &vm.index, &err), 0);
	assert_int_equal(pm_store_vm_put(world.agent.store, &vm, &err), 0);
	assert_int_equal(pm_stack_restore(&world.agent, &err), 0);
	pm_stack_apply(m1);
	assert_int_equal(m1->vm_count, 1);
}

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(2);

	(void)state;
	give_nic_configs(&inventory->machines[0], 1);
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_group(inventory, "rack-1", 500, 2);
	world_begin(&world, inventory);
	m1 = world.agent.machines[0];
	give_nics(m1);
	agent_owner = (struct pm_setting_owner){.agent = &world.agent};
	machine_owner = (struct pm_setting_owner){.agent = &world.agent, .machine = m1};
	nic_owner = (struct pm_setting_owner){.agent = &world.agent, .machine = m1, .nic = &m1->nics[0]};
	put_vm();
	vm_owner = (struct pm_setting_owner){.agent = &world.agent, .machine = m1, .vm = m1->vms[0]};
	pm_groups_rebuild(&world.agent, false);
	group_owner = (struct pm_setting_owner){.agent = &world.agent, .group = &world.agent.groups[0]};
	put_configuration_in_place();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	return 0;
}

static void write_setting(const struct pm_setting_owner *owner, enum pm_setting_key key, const char *value)
{
	if (pm_setting_store(owner, key, value, &err) < 0)
		fail_msg("%s", err.text);
	pm_setting_apply(owner, key, value);
}

/* But how the clock stands: agent/steady.h keeps that there, too. */
static void count_one(const struct pm_setting *setting, void *data)
{
	unsigned *count = data;

	if (strcmp(setting->key, "clock") != 0)
		(*count)++;
}

static unsigned stored_count(void)
{
	unsigned count = 0;

	assert_int_equal(pm_store_settings_load(world.agent.store, count_one, &count, &err), 0);
	return count;
}

static const struct {
	enum pm_setting_key key;
	const char *base, *value;
} cases[] = {{PM_SET_AGENT_INHIBIT, "0", "1"},
	     {PM_SET_AGENT_NOTIFY_ENABLE, "1", "0"},
	     {PM_SET_AGENT_JOB_MAX_CONCURRENT, "64", "4294967295"},
	     {PM_SET_MACHINE_ADMIN_STATE, "1", "3"},
	     {PM_SET_MACHINE_INHIBIT, "0", "1"},
	     {PM_SET_MACHINE_INHIBIT_REASON, "", "fan exchange; it's \"50 %s\" done"},
	     {PM_SET_MACHINE_STACK_TIMEOUT, "600", "1"},
	     {PM_SET_MACHINE_VM_TIMEOUT, "180", "86400"},
	     {PM_SET_MACHINE_POWER_ON_METHOD, "1", "3"},
	     {PM_SET_MACHINE_STACK_ADMIN_STATE, "1", "2"},
	     {PM_SET_VM_ADMIN_STATE, "0", "4"},
	     {PM_SET_NIC_WOL, "1", "2"},
	     {PM_SET_NIC_INTERFACE, "", "eth1"},
	     {PM_SET_NIC_ADDRESS, "", "192.168.3.255"},
	     {PM_SET_NIC_PORT, "9", "65535"},
	     {PM_SET_GROUP_STAGGER, "500", "3600000"}};

static const struct pm_setting_owner *owner_of(enum pm_setting_key key)
{
	return key == PM_SET_GROUP_STAGGER         ? &group_owner
	       : key >= PM_SET_NIC_WOL             ? &nic_owner
	       : key == PM_SET_VM_ADMIN_STATE      ? &vm_owner
	       : key >= PM_SET_MACHINE_ADMIN_STATE ? &machine_owner
						   : &agent_owner;
}

static void assert_value(enum pm_setting_key key, const char *value)
{
	char text[PM_SETTING_TEXT_MAX];

	pm_setting_current(owner_of(key), key, text);
	assert_string_equal(text, value);
}

static void test_every_key_starts_as_configured(void **state)
{
	(void)state;
	assert_int_equal(LENGTH(cases), PM_SETTING_COUNT);
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_value(cases[i].key, cases[i].base);
}

static void test_every_key_outlives_a_restart(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		write_setting(owner_of(cases[i].key), cases[i].key, cases[i].value);
		assert_value(cases[i].key, cases[i].value);
	}
	restart();
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_value(cases[i].key, cases[i].value);
	assert_true(world.agent.inhibit && m1->inhibit && !world.agent.notify_enable);
	assert_int_equal(m1->nics[0].port, 65535);
	assert_int_equal(m1->power_on_method, PM_ON_WOL);
}

static void test_storing_changes_nothing_in_memory(void **state)
{
	(void)state;
	assert_int_equal(pm_setting_store(&machine_owner, PM_SET_MACHINE_INHIBIT, "1", &err), 0);
	assert_value(PM_SET_MACHINE_INHIBIT, "0");
}

static void test_what_is_configured_is_not_stored(void **state)
{
	(void)state;
	write_setting(&machine_owner, PM_SET_MACHINE_VM_TIMEOUT, "7");
	assert_int_equal(stored_count(), 1);
	write_setting(&machine_owner, PM_SET_MACHINE_VM_TIMEOUT, "180");
	assert_int_equal(stored_count(), 0);
}

static struct pm_machine_config *config(void)
{
	return &world.agent.inventory->machines[0];
}

static void test_the_changed_configuration_wins(void **state)
{
	(void)state;
	write_setting(&machine_owner, PM_SET_MACHINE_VM_TIMEOUT, "7");
	write_setting(&machine_owner, PM_SET_MACHINE_STACK_TIMEOUT, "8");
	config()->vm_timeout_s = 90;
	reload();
	assert_value(PM_SET_MACHINE_VM_TIMEOUT, "90");
	assert_value(PM_SET_MACHINE_STACK_TIMEOUT, "8"); /* is another key */
	write_setting(&machine_owner, PM_SET_MACHINE_VM_TIMEOUT, "7");
	restart();
	assert_value(PM_SET_MACHINE_VM_TIMEOUT, "7"); /* written after the change */
}

static void test_what_gave_way_does_not_return(void **state)
{
	(void)state;
	write_setting(&machine_owner, PM_SET_MACHINE_VM_TIMEOUT, "7");
	config()->vm_timeout_s = 90;
	reload();
	config()->vm_timeout_s = 180;
	reload();
	assert_value(PM_SET_MACHINE_VM_TIMEOUT, "180");
	assert_int_equal(stored_count(), 0);
}

static void test_machines_and_nics_do_not_mix(void **state)
{
	const struct pm_setting_owner other = {.agent = &world.agent, .machine = world.agent.machines[1]};
	char text[PM_SETTING_TEXT_MAX];

	(void)state;
	write_setting(&machine_owner, PM_SET_MACHINE_INHIBIT, "1");
	write_setting(&agent_owner, PM_SET_AGENT_INHIBIT, "0");
	pm_settings_defaults(&other);
	restart();
	pm_setting_current(&other, PM_SET_MACHINE_INHIBIT, text);
	assert_string_equal(text, "0");
	assert_value(PM_SET_MACHINE_INHIBIT, "1");
	assert_value(PM_SET_AGENT_INHIBIT, "0"); /* the same name in the store, of another owner */
}

static void test_a_machine_that_is_away_keeps_its_settings(void **state)
{
	(void)state;
	write_setting(&machine_owner, PM_SET_MACHINE_INHIBIT, "1");
	m1->index = 77; /* nobody has index 1 now */
	reload();
	assert_value(PM_SET_MACHINE_INHIBIT, "0");
	assert_int_equal(stored_count(), 1);
	m1->index = 1;
	reload();
	assert_value(PM_SET_MACHINE_INHIBIT, "1");
}

static void test_groups(void **state)
{
	struct pm_group *group = group_owner.group;

	(void)state;
	write_setting(&group_owner, PM_SET_GROUP_STAGGER, "7");
	snprintf(group->name, sizeof(group->name), "rack-2"); /* there is no rack-1 now */
	reload();
	assert_int_equal(group->stagger_ms, 500);
	assert_int_equal(stored_count(), 1);
	snprintf(group->name, sizeof(group->name), "rack-1");
	restart();
	assert_int_equal(group->stagger_ms, 7);
	world.agent.inventory->groups[0].stagger_ms = 900;
	reload();
	assert_int_equal(group->stagger_ms, 900);
	assert_int_equal(stored_count(), 0);
}

/* Of a later version of the agent, perhaps. */
static void test_keys_that_are_not_known_are_left_alone(void **state)
{
	const struct pm_setting strange = {.machine = 1, .key = "strange", .base = "", .value = "x"};

	(void)state;
	assert_int_equal(pm_store_setting_put(world.agent.store, &strange, &err), 0);
	reload();
	assert_int_equal(stored_count(), 1);
}

static void test_texts_end_where_there_is_no_more_room(void **state)
{
	char longest[PM_SETTING_TEXT_MAX];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[255] = '\0';
	write_setting(&machine_owner, PM_SET_MACHINE_INHIBIT_REASON, longest);
	assert_value(PM_SET_MACHINE_INHIBIT_REASON, longest);
	pm_setting_apply(&nic_owner, PM_SET_NIC_INTERFACE, longest);
	assert_int_equal(strlen(m1->nics[0].interface), sizeof(m1->nics[0].interface) - 1);
	assert_int_equal(m1->nics[0].address[0], '\0');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_every_key_starts_as_configured),
	    TEST(test_every_key_outlives_a_restart),
	    TEST(test_storing_changes_nothing_in_memory),
	    TEST(test_what_is_configured_is_not_stored),
	    TEST(test_the_changed_configuration_wins),
	    TEST(test_what_gave_way_does_not_return),
	    TEST(test_machines_and_nics_do_not_mix),
	    TEST(test_a_machine_that_is_away_keeps_its_settings),
	    TEST(test_groups),
	    TEST(test_keys_that_are_not_known_are_left_alone),
	    TEST(test_texts_end_where_there_is_no_more_room),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
