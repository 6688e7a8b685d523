/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hosts come, change and go with the configuration, many are asked without a crowd, and dead ones rarely. */
#include "agent/fleet.h"
#include "agent/os_private.h"
#include "tests/unit/agent/fake_probe.h"
#include "tests/unit/agent/hosts.h"

#define PROBE_MS 10

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct fake_os *os1, *os2;
static struct pm_error err;

struct host {
	const char *address; /* NULL: none */
	const char *user;
	const char *probe; /* its address; NULL: none */
};

/* One machine. */
static struct pm_machine *apply(const struct host *host)
{
	struct pm_inventory *inventory = world_inventory(1);
	struct pm_machine_config *config = inventory->machines;

	inventory->agent.ssh_parallel = 16;
	inventory->agent.misses = MISSES;
	if (host->address)
		give_host_config(config, host->address);
	if (host->user) {
		free(config->host->user);
		config->host->user = strdup(host->user);
	}
	if (host->probe) {
		give_probe_config(config);
		free(config->probe->address);
		config->probe->address = strdup(host->probe);
		config->probe->poll_interval_ms = PROBE_MS;
	}
	if (pm_fleet_apply(agent, inventory, &err) < 0)
		fail_msg("%s", err.text);
	return agent->machines[0];
}

#define APPLY(...) apply(&(struct host){__VA_ARGS__})

static int set_up(void **state)
{
	(void)state;
	os1 = fake_os_new("a1");
	os2 = fake_os_new("a2");
	world_begin(&world, world_inventory(0));
	fake_probe_loop = &world.loop;
	fake_probe_listener = NULL;
	agent->host_driver = &fake_host;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	agent->stopping = true;
	pm_fleet_stop(agent);
	pm_fleet_free(agent);
	world_end(&world);
	fake_os_free_all();
	return 0;
}

static void run_until(bool (*is_so)(const struct pm_machine *machine), const struct pm_machine *machine)
{
	uint64_t end_ms = uv_now(&world.loop) + 20000;

	while (!is_so(machine)) {
		run_for(&world, 1);
		if (uv_now(&world.loop) > end_ms)
			fail_msg("it does not come to that");
	}
}

static bool is_on(const struct pm_machine *machine)
{
	return machine->observed == PM_POWER_ON && machine->os && machine->os->heard_ms &&
	       (!machine->config->probe || machine->os_reachable == PM_OS_YES);
}

static bool is_off(const struct pm_machine *machine)
{
	return machine->observed == PM_POWER_OFF;
}

static bool is_lost(const struct pm_machine *machine)
{
	return machine->os_reachable == PM_OS_NO && machine->probe_misses > 2 * MISSES;
}

static void agree(struct pm_machine *machine)
{
	static struct host_verb_run run;

	host_verb_begin(&run, machine, HOST_POWEROFF);
	while (!run.result)
		run_for(&world, 1);
	assert_int_equal(run.result, HOST_OK);
}

/* --- reloads -------------------------------------------------------------------------------------------------- */

static void test_a_host_comes_and_goes(void **state)
{
	struct pm_machine *machine = APPLY(.address = NULL);

	(void)state;
	assert_null(machine->os);
	assert_null(agent->host_runner);
	assert_int_equal(pm_os_state(machine), PM_POWER_UNKNOWN);
	APPLY(.address = "a1");
	run_until(is_on, machine);
	assert_int_equal(machine->source, PM_SOURCE_HOST);
	APPLY(.address = NULL);
	assert_null(machine->os);
	assert_int_equal(machine->observed, PM_POWER_UNKNOWN);
	assert_int_equal(machine->source, PM_SOURCE_NONE);
	assert_int_equal(fake_host_running(), 0);
}

static void test_what_does_not_change_is_not_asked_again(void **state)
{
	struct pm_machine *machine = APPLY("a1", .probe = "a1");
	struct host_client *client;

	(void)state;
	run_until(is_on, machine);
	run_for(&world, 30);
	client = machine->os->client;
	os1->tried = 0;
	for (unsigned i = 0; i < 5; i++) {
		APPLY("a1", .probe = "a1");
		run_for(&world, 20);
	}
	assert_ptr_equal(machine->os->client, client);
	assert_int_equal(os1->tried, 0);
	assert_int_equal(machine->observed, PM_POWER_ON);
}

/* Another user, the same host: what is known of it holds. */
static void test_another_way_to_the_same_host(void **state)
{
	struct pm_machine *machine = APPLY("a1", .probe = "a1");
	unsigned asked;

	(void)state;
	run_until(is_on, machine);
	agree(machine);
	asked = os1->tried;
	APPLY("a1", "other", "a1");
	assert_int_equal(machine->os->rest, PM_REST_OFF);
	run_until(is_off, machine);
	assert_true(os1->tried > asked);
}

static void test_another_host_is_another(void **state)
{
	struct pm_machine *machine = APPLY(.address = "a1");

	(void)state;
	run_until(is_on, machine);
	APPLY(.address = "a2");
	assert_int_equal(machine->observed, PM_POWER_UNKNOWN);
	assert_string_equal(machine->os->report.boot_id, "");
	run_until(is_on, machine);
	assert_string_equal(machine->os->report.boot_id, os2->boot_id);
}

/* It agreed, and then the configuration names another: its silence says nothing of the first. */
static void test_a_change_of_host_or_probe_takes_off_back(void **state)
{
	static const struct host changes[] = {
	    {"nobody", NULL, "a1"}, {"a1", NULL, "nowhere"}, {"a1", NULL, NULL}, {NULL, NULL, "a1"}};

	(void)state;
	for (size_t i = 0; i < 2 * LENGTH(changes); i++) {
		bool gone_before = i % 2;
		struct pm_machine *machine = APPLY("a1", .probe = "a1");

		run_until(is_on, machine);
		os1->down_ms = gone_before ? 0 : FAKE_OS_NEVER;
		agree(machine);
		if (gone_before)
			run_until(is_off, machine);
		apply(&changes[i / 2]);
		if (!gone_before)
			fake_os_cut(os1, true); /* truly on */
		if (changes[i / 2].probe)
			run_until(is_lost, machine);
		if (machine->os)
			pm_os_ask(machine);
		run_for(&world, 100);
		assert_int_not_equal(machine->observed, PM_POWER_OFF);
		fake_os_cut(os1, false);
		fake_os_set_power(os1, false);
		fake_os_set_power(os1, true);
	}
}

/* Requests of others end when the client goes, and find no host. */
static void test_requests_end_with_their_client(void **state)
{
	static struct host_verb_run run;
	struct pm_machine *machine = APPLY("a1", .probe = "a1");

	(void)state;
	run_until(is_on, machine);
	os1->answer_ms = 100;
	host_verb_begin(&run, machine, HOST_POWEROFF);
	run_for(&world, 5);
	APPLY(.address = NULL, .probe = "a1");
	assert_int_equal(run.result, HOST_CANCELLED);
	assert_int_equal(fake_os_is(os1), FAKE_OS_ON);
}

/* --- many ------------------------------------------------------------------------------------------------------- */

#define MANY 2000

static struct pm_inventory *many(unsigned parallel)
{
	struct pm_inventory *inventory = world_inventory(MANY);

	inventory->agent.rows_last = 2 * MANY;
	inventory->agent.ssh_parallel = parallel;
	inventory->agent.misses = MISSES;
	for (size_t i = 0; i < MANY; i++) {
		char address[16];

		snprintf(address, sizeof(address), "h%zu", i);
		give_host_config(&inventory->machines[i], address);
	}
	return inventory;
}

static unsigned asked_of_many(void)
{
	unsigned asked = 0;

	for (size_t i = 0; i < MANY; i++)
		asked += agent->machines[i]->os->asked_ms > 0;
	return asked;
}

static void test_many_are_asked_one_after_another(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		char address[16];

		snprintf(address, sizeof(address), "h%u", i);
		fake_os_new(address)->answer_ms = 20;
	}
	assert_int_equal(pm_fleet_apply(agent, many(100), &err), 0);
	run_for(&world, 1000);
	/* 2000, each of half a second, by half of 75: in 27 s, evenly */
	assert_in_range(asked_of_many(), 20, 200);
	assert_true(fake_host_running_max() <= 75);
	pm_os_sweep(agent);
	for (size_t i = 0; i < MANY; i++) /* all their probes answer at once */
		if (i != 7)
			pm_os_queue(agent->machines[i]->os);
	pm_os_ask(agent->machines[7]); /* goes before all that wait */
	run_for(&world, 60);
	assert_true(agent->machines[7]->os->heard_ms > 0);
	while (asked_of_many() < MANY)
		run_for(&world, 10);
	assert_in_range(fake_host_running_max(), 60, 76);
}

/* They are dead, and nothing says that they might not be. */
static void test_dead_ones_are_asked_rarely(void **state)
{
	static const uint64_t intervals[] = {1000,
					     1000,
					     HOST_INTERVAL_MS,
					     2 * HOST_INTERVAL_MS,
					     4 * HOST_INTERVAL_MS,
					     8 * HOST_INTERVAL_MS,
					     8 * HOST_INTERVAL_MS};
	struct pm_machine *machine = APPLY(.address = "a1");
	uint64_t left_ms;

	(void)state;
	fake_os_set_power(os1, false);
	for (size_t i = 0; i < LENGTH(intervals); i++) {
		pm_os_ask(machine);
		while (!machine->os->due_ms)
			run_for(&world, 1);
		left_ms = machine->os->due_ms - uv_now(&world.loop);
		assert_in_range(left_ms, intervals[i] * 9 / 10 - 10, intervals[i] * 11 / 10 + 10);
	}
	machine->fast = true; /* a job waits for what nobody else could tell */
	pm_os_hurry(machine);
	assert_true(machine->os->due_ms <= uv_now(&world.loop) + 2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_host_comes_and_goes),
	    TEST(what_does_not_change_is_not_asked_again),
	    TEST(another_way_to_the_same_host),
	    TEST(another_host_is_another),
	    TEST(a_change_of_host_or_probe_takes_off_back),
	    TEST(requests_end_with_their_client),
	    TEST(many_are_asked_one_after_another),
	    TEST(dead_ones_are_asked_rarely),
	};

	return cmocka_run_group_tests_name("os_reload", tests, NULL, NULL);
}
