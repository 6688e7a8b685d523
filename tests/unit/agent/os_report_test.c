/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What operating systems tell of themselves, and why they cannot be asked. */
#include "agent/os_private.h"
#include "tests/unit/agent/os_world.h"

/* --- what it tells ------------------------------------------------------------------------------------------------- */

static void test_uuids_are_compared(void **state)
{
	static const struct {
		const char *configured, *told;
		bool wrong;
	} cases[] = {
	    {"", "33221100-5544-7766-8899-aabbccddeeff", false},
	    {"00112233-4455-6677-8899-aabbccddeeff", "", false},
	    {"00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF", false},
	    {"00112233-4455-6677-8899-aabbccddeeff", "33221100-5544-7766-8899-aabbccddeeff", false},
	    {"00112233-4455-6677-8899-aabbccddeeff", "33221100-5544-7766-9988-aabbccddeeff", true},
	    {"00112233-4455-6677-8899-aabbccddeeff", "10112233-4455-6677-8899-aabbccddeeff", true},
	};
	struct pm_machine_config *config = &world.agent.inventory->machines[1];

	(void)state;
	settle();
	for (size_t i = 0; i < LENGTH(cases); i++) {
		free(config->uuid);
		config->uuid = strdup(cases[i].configured);
		snprintf(os2->uuid, sizeof(os2->uuid), "%s", cases[i].told);
		ask(m2);
		assert_int_equal(m2->os->wrong_uuid, cases[i].wrong);
	}
	assert_int_equal(events_with(m2, "it is another machine"), 2); /* another one */
	ask(m2);
	assert_int_equal(events_with(m2, "it is another machine"), 2); /* the same is told once */
	os2->uuid[0] = '\0';
	ask(m2);
	assert_int_equal(events_with(m2, "its UUID cannot be read"), 2); /* and so it was the first time */
	config->uuid[0] = '\0';
	ask(m2);
	assert_int_equal(events_with(m2, "agrees with the configuration now"), 2);
}

/* Two machines have swapped their addresses: of neither is known how it is, nor that it has rebooted. */
static void test_another_machine_says_nothing_of_this_one(void **state)
{
	char boot_id[HOST_ID_SIZE];

	(void)state;
	settle();
	assert_int_equal(agrees(m2, HOST_REBOOT), HOST_OK);
	snprintf(boot_id, sizeof(boot_id), "%s", m2->os->boot_id);
	free(world.agent.inventory->machines[1].uuid);
	world.agent.inventory->machines[1].uuid = strdup("00112233-4455-6677-8899-aabbccddeeff");
	snprintf(os2->uuid, sizeof(os2->uuid), "%s", "99112233-4455-6677-8899-aabbccddeeff");
	fake_os_set_power(os2, false);
	fake_os_set_power(os2, true); /* another boot id */
	ask(m2);
	assert_int_equal(events_with(m2, "it is another machine"), 1);
	assert_int_equal(events_with(m2, "rebooted") + events_with(m2, "up again"), 0);
	assert_false(pm_os_rebooted(m2));
	assert_string_equal(m2->os->boot_id, boot_id);
	assert_int_equal(m2->os->rest, PM_REST_REBOOT);
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	os2->uuid[0] = '\0';
	world.agent.inventory->machines[1].uuid[0] = '\0';
	ask(m2);
	assert_true(pm_os_rebooted(m2));
	assert_int_equal(events_with(m2, "has rebooted, as it was told"), 1);
	assert_state(m2, PM_POWER_ON, PM_SOURCE_HOST);
}

/* Nor does its answer to a probe, at the same address. */
static void test_another_machine_does_not_answer_for_this_one(void **state)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[0];

	(void)state;
	settle();
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	free(config->uuid);
	config->uuid = strdup("00112233-4455-6677-8899-aabbccddeeff");
	snprintf(os1->uuid, sizeof(os1->uuid), "%s", "99112233-4455-6677-8899-aabbccddeeff");
	free(config->probe->address);
	config->probe->address = strdup(config->host->address);
	ask(m1);
	probe_tells(m1);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(pm_os_nic_armed(&m1->nics[0]), PM_NIC_ARMED_UNKNOWN);
	config->uuid[0] = '\0';
	ask(m1);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
}

static void test_macs_are_compared(void **state)
{
	static const uint8_t second[6] = {2, 0, 0, 0, 0, 1}, other[6] = {2, 9, 9, 9, 9, 9};
	struct host_port *port;

	(void)state;
	settle();
	assert_int_equal(events_with(m1, "none of its physical ports has: eth0 02:00:00:00:00:00"), 1);
	port = fake_os_add_port(os1, "eth1", other, HOST_WOL_ARMED);
	memcpy(port->permanent_mac, second, 6); /* burnt in: a bond has changed the other */
	ask(m1);
	assert_int_equal(events_with(m1, "agrees with the configuration now"), 1);
	assert_int_equal(pm_os_nic_armed(&m1->nics[0]), PM_NIC_DISARMED);
	assert_int_equal(pm_os_nic_armed(&m1->nics[1]), PM_NIC_ARMED);
	fake_os_add_port(os1, "eth2", second, HOST_WOL_DISARMED);
	ask(m1);
	assert_int_equal(events_with(m1, "several of its physical ports have: eth1, eth2"), 1);
	assert_int_equal(pm_os_nic_armed(&m1->nics[1]), PM_NIC_DISARMED); /* not all are */
	os1->ports[2].wol = HOST_WOL_NOT_SUPPORTED;
	ask(m1);
	assert_int_equal(pm_os_nic_armed(&m1->nics[1]), PM_NIC_NOT_SUPPORTED);
	os1->ports[2].wol = HOST_WOL_UNKNOWN;
	ask(m1);
	assert_int_equal(pm_os_nic_armed(&m1->nics[1]), PM_NIC_ARMED_UNKNOWN);
}

static void test_armed_is_unknown_without_a_report_and_kept_with_one(void **state)
{
	const struct host_port armed = {.name = "eth0", .mac = {2, 0, 0, 0, 0, 0}, .wol = HOST_WOL_ARMED};

	(void)state;
	pm_os_armed(m1, &armed, 1);
	assert_int_equal(pm_os_nic_armed(&m1->nics[0]), PM_NIC_ARMED_UNKNOWN);
	settle();
	assert_int_equal(pm_os_nic_armed(&m1->nics[0]), PM_NIC_DISARMED);
	pm_os_armed(m1, &armed, 1);
	assert_int_equal(pm_os_nic_armed(&m1->nics[0]), PM_NIC_ARMED);
	fake_os_set_power(os1, false);
	probes(m1, MISSES + 2);
	assert_int_equal(pm_os_nic_armed(&m1->nics[0]),
			 PM_NIC_ARMED); /* as it was last seen: that is what counts now */
}

/* --- trouble --------------------------------------------------------------------------------------------------------- */

static void test_why_it_cannot_be_asked_is_told_once(void **state)
{
	(void)state;
	os2->fault = (struct fake_os_fault){.result = HOST_NO_HELPER, .text = "pmstack-host: not found"};
	settle();
	for (unsigned i = 0; i < 2 * MISSES; i++)
		ask(m2);
	assert_int_equal(events_with(m2, "cannot be asked: pmstack-host: not found"), 1);
	os2->fault.result = 0;
	ask(m2);
	assert_int_equal(events_with(m2, "can be asked again"), 1);
	os2->fault.result = HOST_AUTH_FAILED;
	for (unsigned i = 0; i < 2 * MISSES; i++)
		ask(m2);
	assert_int_equal(events_with(m2, "cannot be asked"),
			 1); /* it may boot: not before a minute has passed */
	m2->os->trouble_ms -= 60000;
	ask(m2);
	ask(m2);
	assert_int_equal(events_with(m2, "cannot be asked"), 2);
}

static void test_one_that_is_gone_is_no_trouble(void **state)
{
	(void)state;
	settle();
	goes(m1, HOST_POWEROFF);
	for (unsigned i = 0; i < 2 * MISSES; i++)
		ask(m1);
	fake_os_set_power(os1, true);
	probes(m1, 1);
	fake_os_set_power(os1, false); /* vanished */
	probes(m1, MISSES);
	for (unsigned i = 0; i < 2 * MISSES; i++)
		ask(m1);
	assert_int_equal(events_with(m1, "cannot be asked"), 0);
}

/* Whoever fills the room may go with a reload: then nobody's answer lets the next one in. */
static void test_who_waits_is_asked_after_a_reload(void **state)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[0];
	struct pm_host_config *host = config->host;

	(void)state;
	settle();
	world.agent.inventory->agent.ssh_parallel = 1;
	os2->tried = 0;
	os1->answer_ms = 100000;
	pm_os_queue(m1->os);
	pm_os_queue(m2->os);
	run_for(&world, 20);
	assert_int_equal(os2->tried, 0);
	config->host = NULL;
	pm_os_apply_all(&world.agent);
	run_until_idle();
	assert_int_equal(os2->tried, 1);
	config->host = host;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(uuids_are_compared),
	    TEST(another_machine_says_nothing_of_this_one),
	    TEST(another_machine_does_not_answer_for_this_one),
	    TEST(macs_are_compared),
	    TEST(armed_is_unknown_without_a_report_and_kept_with_one),
	    TEST(why_it_cannot_be_asked_is_told_once),
	    TEST(one_that_is_gone_is_no_trouble),
	    TEST(who_waits_is_asked_after_a_reload),
	};

	return cmocka_run_group_tests_name("os_report", tests, NULL, NULL);
}
