/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Anything, in any order: verbs that are obeyed or not, power that comes and goes, cut networks, helpers that fail, BMCs that
 * die, reloads and restarts of the agent. What is shown is held against a small model of what is true: off and suspended are
 * shown only of those that had agreed to it, and of which nothing was heard since they went.
 */
#include "agent/fleet.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/fake_probe.h"
#include "tests/unit/agent/hosts.h"

#define MACHINES     4 /* with a probe; with a BMC, too; with a probe, and cut off more often; host alone */
#define STEPS        1500
#define PROBE_MS     10
#define QUIET_MS     10000 /* whatever is to be found out is, by then */
#define REPORT_MS    1000000
#define UNWRITTEN_MS 50

/* What is true, and what was told of it. */
struct truth {
	struct fake_os *os;
	char address[16];
	struct host_verb_run run;       /* what was asked last */
	enum pm_rest agreed;            /* it has agreed to this, */
	char agreed_boot[HOST_ID_SIZE]; /* in this boot; the agent was told so */
	uint64_t agreed_ms;
	bool shown_down;  /* off or suspended, by its word alone */
	bool heard_since; /* and something has answered after that */
	uint64_t heard_ms;
	bool undisturbed; /* since it agreed: it must be seen to go */
	bool bmc_dead;
	unsigned probe_kind, host_kind; /* of the configuration: 0 right, 1 of another address, 2 none */
};

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct truth truths[MACHINES];
static struct pm_credentials credentials = {.name = (char[]){"ops"},
					    .username = (char[]){"admin"},
					    .privilege = PM_PRIVILEGE_OPERATOR,
					    .ipmi_version = PM_IPMI_2_0,
					    .cipher_suites = {3},
					    .cipher_suite_count = 1};
static unsigned downs_shown, ups_shown, quiet_checked;

static struct pm_machine *machine(size_t i)
{
	return agent->machines[i];
}

/* --- the configuration ---------------------------------------------------------------------------------------- */

static void configure(struct pm_machine_config *config, const struct truth *truth, bool bmc, bool probe)
{
	if (bmc)
		give_bmc_config(config, &credentials, 623);
	if (probe && truth->probe_kind < 2) {
		give_probe_config(config);
		free(config->probe->address);
		config->probe->address = strdup(truth->probe_kind ? "nowhere" : truth->address);
		config->probe->poll_interval_ms = PROBE_MS;
	}
	if (truth->host_kind < 2) {
		give_host_config(config, truth->host_kind ? "nobody" : truth->address);
		config->host->poll_interval_ms = REPORT_MS;
		config->host->timeout_ms = 30;
	}
}

static void apply(void)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);
	struct pm_error err = {""};

	inventory->agent.ssh_parallel = 16;
	inventory->agent.misses = MISSES;
	for (size_t i = 0; i < MACHINES; i++)
		configure(&inventory->machines[i], &truths[i], i == 1, i < 3);
	if (pm_fleet_apply(agent, inventory, &err) < 0)
		fail_msg("%s", err.text);
}

/* --- the checks ------------------------------------------------------------------------------------------------ */

static void fail_of(const struct truth *truth, const char *what)
{
	size_t i = (size_t)(truth - truths);

	fake_os_log_dump(stderr);
	fail_msg("%s: %s: shown %s by source %d; agreed to %d", truth->address, what,
		 pm_power_state_name(machine(i)->observed), (int)machine(i)->source, (int)truth->agreed);
}

static bool is_shown_down(size_t i)
{
	return machine(i)->source == PM_SOURCE_HOST &&
	       (machine(i)->observed == PM_POWER_OFF || machine(i)->observed == PM_POWER_SUSPENDED);
}

/* Whatever happens, and at every moment. */
static void check(size_t i)
{
	struct truth *truth = &truths[i];
	bool down = is_shown_down(i);
	enum pm_rest wanted = machine(i)->observed == PM_POWER_OFF ? PM_REST_OFF : PM_REST_SUSPENDED;

	if (down && truth->agreed != wanted && (wanted == PM_REST_OFF || truth->agreed != PM_REST_HIBERNATED))
		fail_of(truth, "it has not agreed to that");
	if (down && truth->heard_since)
		fail_of(truth, "it was heard of since it went");
	if (down && i == 3)
		fail_of(truth, "nothing could be seen of that: it has no probe");
	downs_shown += down && !truth->shown_down;
	truth->shown_down |= down;
}

static void heard(size_t i)
{
	if (truths[i].shown_down && !truths[i].heard_since)
		truths[i].heard_ms = uv_now(&world.loop);
	truths[i].heard_since |= truths[i].shown_down;
	if (is_shown_down(i))
		fail_of(&truths[i], "it was heard of just now");
}

static void on_probe_ended(const char *address, bool up)
{
	for (size_t i = 0; i < MACHINES && up; i++)
		if (strcmp(truths[i].address, address) == 0)
			heard(i);
}

/* What the agent has been told by reports is found by when it heard the last one. */
static void check_reports(void)
{
	static uint64_t heard_ms[MACHINES];

	for (size_t i = 0; i < MACHINES; i++) {
		const struct pm_os *os = machine(i)->os;

		if (os && os->heard_ms != heard_ms[i] && os->heard_ms)
			heard(i);
		if (os)
			heard_ms[i] = os->heard_ms;
		if (os && os->heard_ms && *os->report.boot_id && truths[i].agreed &&
		    strcmp(os->report.boot_id, truths[i].agreed_boot) != 0) {
			truths[i].agreed = PM_REST_NONE; /* it has been told of another boot */
			truths[i].undisturbed = false;
		}
	}
}

static void note_agreement(struct truth *truth)
{
	struct host_verb_run *run = &truth->run;

	if (run->result != HOST_OK || !run->machine)
		return;
	truth->agreed = run->rest;
	snprintf(truth->agreed_boot, sizeof(truth->agreed_boot), "%s", run->boot_id);
	truth->agreed_ms = uv_now(&world.loop);
	truth->shown_down = truth->heard_since = false;
	truth->undisturbed = run->rest != PM_REST_REBOOT && truth->os->down_ms != FAKE_OS_NEVER &&
			     machine((size_t)(truth - truths))->os_reachable == PM_OS_YES;
	run->machine = NULL;
}

static void check_all(void)
{
	for (size_t i = 0; i < MACHINES; i++)
		note_agreement(&truths[i]);
	check_reports();
	for (size_t i = 0; i < MACHINES; i++)
		check(i);
}

static void let_pass(uint64_t duration_ms)
{
	uint64_t end_ms = uv_now(&world.loop) + duration_ms;

	while (uv_now(&world.loop) < end_ms) {
		run_for(&world, 1);
		check_all();
	}
}

static enum pm_power_state state_of_rest(enum pm_rest rest)
{
	return rest == PM_REST_OFF ? PM_POWER_OFF : PM_POWER_SUSPENDED;
}

/* What must be shown when nothing has happened for a while; 0: that depends. */
static enum pm_power_state expected(size_t i)
{
	const struct truth *truth = &truths[i];
	enum fake_os_power power = fake_os_is(truth->os);

	if (truth->probe_kind || truth->host_kind || truth->os->cut || i == 3)
		return 0;
	if (power == FAKE_OS_ON)
		return PM_POWER_ON;
	return truth->undisturbed &&
		       (power == FAKE_OS_OFF || power == FAKE_OS_SUSPENDED || power == FAKE_OS_HIBERNATED)
		   ? state_of_rest(truth->agreed)
		   : 0;
}

static bool is_as_expected(void)
{
	for (size_t i = 0; i < MACHINES; i++)
		if (expected(i) && machine(i)->observed != expected(i))
			return false;
	return true;
}

static void tell_bmc(size_t i)
{
	if (i != 1)
		return;
	if (truths[i].bmc_dead)
		bmc_misses(machine(i), IPMI_TIMEOUT);
	else
		bmc_says(machine(i), fake_os_has_power(truths[i].os));
}

/* Nothing happens any more: what can be known becomes known. */
static void be_quiet(void)
{
	uint64_t end_ms = uv_now(&world.loop) + QUIET_MS;

	do {
		let_pass(5);
		for (size_t i = 0; i < MACHINES; i++)
			tell_bmc(i);
		check_all();
	} while (!is_as_expected() && uv_now(&world.loop) < end_ms);
	for (size_t i = 0; i < MACHINES; i++) {
		if (expected(i) && machine(i)->observed != expected(i))
			fail_of(&truths[i], "what is true was to be seen");
		ups_shown += expected(i) == PM_POWER_ON;
		quiet_checked += expected(i) && expected(i) != PM_POWER_ON;
	}
}

/* --- what happens ------------------------------------------------------------------------------------------------ */

static void ask_for_verb(size_t i)
{
	static const enum host_verb verbs[] = {HOST_POWEROFF, HOST_POWEROFF, HOST_REBOOT, HOST_SUSPEND,
					       HOST_HIBERNATE};
	struct truth *truth = &truths[i];
	const struct pm_os *os = machine(i)->os;

	if (!os || !os->client || !*os->report.boot_id || truth->run.machine)
		return;
	truth->os->down_ms = repeatable_random(5) ? repeatable_random(20) : FAKE_OS_NEVER;
	truth->os->boot_ms = repeatable_random(20);
	truth->os->deaf_ms = repeatable_random(2) ? FAKE_OS_NEVER : 0;
	host_verb_begin(&truth->run, machine(i), verbs[repeatable_random(LENGTH(verbs))]);
}

static void give_fault(struct fake_os *os)
{
	static const enum host_result results[] = {
	    0,          0, HOST_REFUSED, HOST_AUTH_FAILED, HOST_NO_HELPER, HOST_UNREACHABLE, HOST_TIMEOUT,
	    HOST_FAILED};

	os->fault = (struct fake_os_fault){.result = results[repeatable_random(LENGTH(results))],
					   .sent = repeatable_random(2),
					   .done = repeatable_random(2),
					   .count = 1 + repeatable_random(3)};
}

static void disturb(size_t i)
{
	struct truth *truth = &truths[i];

	truth->undisturbed = false;
	switch (repeatable_random(i == 2 ? 10 : 8)) {
	case 0:
		fake_os_set_power(truth->os, false);
		break;
	case 1:
	case 2:
	case 3:
		fake_os_set_power(truth->os, true);
		break;
	case 4:
		fake_os_does(truth->os, repeatable_random(2) ? HOST_POWEROFF : HOST_REBOOT, 0);
		break;
	case 5:
		give_fault(truth->os);
		break;
	case 6:
		truth->os->no_helper_port = repeatable_random(3) == 0;
		truth->os->carries_on = repeatable_random(2);
		truth->os->answer_ms = repeatable_random(8);
		break;
	default:
		fake_os_cut(truth->os, repeatable_random(3) == 0);
	}
}

/* All is well with it, and it is on. */
static void mend(size_t i)
{
	struct truth *truth = &truths[i];
	bool configured = truth->probe_kind || truth->host_kind;

	truth->undisturbed = false;
	truth->os->fault.result = 0;
	truth->os->no_helper_port = truth->os->carries_on = false;
	truth->os->answer_ms = 0;
	truth->bmc_dead = false;
	truth->probe_kind = truth->host_kind = 0;
	fake_os_cut(truth->os, false);
	if (fake_os_is(truth->os) != FAKE_OS_ON)
		fake_os_set_power(truth->os, false); /* it may be on its way, and never get there */
	fake_os_set_power(truth->os, true);
	if (configured)
		apply();
}

static void reload(void)
{
	size_t i = repeatable_random(MACHINES);

	truths[i].undisturbed = false;
	truths[i].probe_kind = repeatable_random(2) ? 0 : repeatable_random(3);
	truths[i].host_kind = repeatable_random(2) ? 0 : repeatable_random(3);
	apply();
}

/* --- the agent --------------------------------------------------------------------------------------------------- */

static void begin_fleet(void)
{
	fake_bmc_loop = fake_probe_loop = &world.loop;
	fake_bmc_reply_ms = 0;
	fake_bmc_obey = NULL;
	fake_probe_listener = on_probe_ended;
	agent->host_driver = &fake_host;
	assert_int_equal(ipmi_engine_new(&world.loop, &agent->ipmi), 0);
	apply();
}

static void on_closed(void *data)
{
	*(bool *)data = true;
}

static void end_fleet(void)
{
	bool closed = false;

	fake_probe_listener = NULL;
	agent->stopping = true;
	pm_fleet_stop(agent);
	ipmi_engine_close(agent->ipmi, 100, on_closed, &closed);
	while (!closed)
		uv_run(&world.loop, UV_RUN_ONCE);
	pm_fleet_free(agent);
}

/* Killed: what was not written is lost. */
static void restart(void)
{
	char directory[sizeof(world.directory)];

	make_directory(directory, sizeof(directory));
	copy_store(&world, directory);
	for (size_t i = 0; i < MACHINES; i++) { /* the last moment may be lost */
		truths[i].undisturbed &= uv_now(&world.loop) - truths[i].agreed_ms > UNWRITTEN_MS;
		truths[i].heard_since &= uv_now(&world.loop) - truths[i].heard_ms > UNWRITTEN_MS;
	}
	end_fleet();
	world_end(&world);
	for (size_t i = 0; i < MACHINES; i++)
		truths[i].run.machine = NULL;
	if (repeatable_random(2))
		usleep(20000);
	world_begin_in(&world, world_inventory(0), directory);
	begin_fleet();
}

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES; i++) {
		snprintf(truths[i].address, sizeof(truths[i].address), "a%zu", i + 1);
		truths[i].os = fake_os_new(truths[i].address);
	}
	world_begin(&world, world_inventory(0));
	begin_fleet();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	end_fleet();
	world_end(&world);
	fake_os_free_all();
	return 0;
}

/* --- the test ---------------------------------------------------------------------------------------------------- */

/* It has time to go, to be found gone, and more. */
static void leave_alone(size_t i)
{
	ask_for_verb(i);
	let_pass(20 + repeatable_random(80));
}

static void happen(void)
{
	size_t i = repeatable_random(MACHINES);
	unsigned what = repeatable_random(100);

	if (what < 8)
		ask_for_verb(i);
	else if (what < 12)
		leave_alone(i);
	else if (what < 16)
		disturb(i);
	else if (what < 22)
		mend(i);
	else if (what < 32)
		pm_os_ask(machine(i));
	else if (what < 33)
		reload();
	else if (what < 34)
		restart();
	else if (what < 36)
		be_quiet();
	else if (what < 37)
		truths[i].bmc_dead = !truths[i].bmc_dead;
	else
		tell_bmc(1);
}

static bool has_seen_enough(void)
{
	return downs_shown > 5 && quiet_checked > 1 && ups_shown > 20;
}

static void test_never_off_without_its_word_and_never_while_it_answers(void **state)
{
	(void)state;
	for (unsigned step = 0; step < STEPS || (step < 8 * STEPS && !has_seen_enough()); step++) {
		happen();
		check_all();
		let_pass(1 + repeatable_random(3));
	}
	be_quiet();
	print_message("# shown down %u times; of those that were left alone %u were down, %u on\n",
		      downs_shown, quiet_checked, ups_shown);
	assert_true(has_seen_enough());
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
	    test_never_off_without_its_word_and_never_while_it_answers, set_up, tear_down)};

	return cmocka_run_group_tests_name("os_random", tests, NULL, NULL);
}
