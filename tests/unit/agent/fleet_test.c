/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reloads: machines come, stay and go, and what is known of those that stay is kept; a reload that fails changes nothing. */
#include "agent/fleet.h"
#include "agent/job.h"
#include "tests/unit/agent/support.h"

#include <arpa/inet.h>

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_credentials credentials = {.name = (char[]){"ops"},
					    .username = (char[]){"admin"},
					    .privilege = PM_PRIVILEGE_OPERATOR,
					    .ipmi_version = PM_IPMI_2_0,
					    .cipher_suites = {3},
					    .cipher_suite_count = 1};
static int silent_bmc;
static uint16_t silent_port;
static struct pm_error err;
static unsigned changing, changed;

static void on_rows_change(struct pm_agent *unused)
{
	(void)unused;
	changing++;
}

static void on_rows_changed(struct pm_agent *unused)
{
	(void)unused;
	assert_true(changing > changed); /* those who hold rows are told before rows go */
	changed++;
}

/* A BMC that never answers. */
static void open_silent_bmc(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	silent_bmc = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(silent_bmc, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(silent_bmc, (struct sockaddr *)&address, &length), 0);
	silent_port = ntohs(address.sin_port);
}

static int set_up(void **state)
{
	(void)state;
	changing = changed = 0;
	err.text[0] = '\0';
	world_begin(&world, world_inventory(0));
	open_silent_bmc();
	assert_int_equal(ipmi_engine_new(&world.loop, &agent->ipmi), 0);
	agent->rows_change = on_rows_change;
	agent->rows_changed = on_rows_changed;
	return 0;
}

static void on_closed(void *data)
{
	*(bool *)data = true;
}

static int tear_down(void **state)
{
	bool closed = false;

	(void)state;
	pm_jobs_stop(agent);
	pm_fleet_stop(agent);
	ipmi_engine_close(agent->ipmi, 100, on_closed, &closed);
	while (!closed)
		uv_run(&world.loop, UV_RUN_ONCE);
	pm_fleet_free(agent);
	close(silent_bmc);
	world_end(&world);
	return 0;
}

/* Machines with these names, each with a BMC (until it is taken away) and a NIC. */
static struct pm_inventory *inventory_of(const char *const *names, size_t count)
{
	struct pm_inventory *inventory = world_inventory(count);

	for (size_t i = 0; i < count; i++) {
		struct pm_machine_config *config = &inventory->machines[i];

		free(config->name);
		config->name = strdup(names[i]);
		give_bmc_config(config, &credentials, silent_port);
		give_nic_configs(config, 1);
	}
	return inventory;
}

static void take_bmc_away(struct pm_inventory *inventory)
{
	struct pm_machine_config *config = &inventory->machines[0];

	free(config->bmc->address);
	free(config->bmc);
	config->bmc = NULL;
}

static void apply(struct pm_inventory *inventory)
{
	if (pm_fleet_apply(agent, inventory, &err) < 0)
		fail_msg("%s", err.text);
}

#define APPLY(...)                                                \
	do {                                                      \
		static const char *const names[] = {__VA_ARGS__}; \
		apply(inventory_of(names, LENGTH(names)));        \
	} while (0)

static struct pm_machine *machine_of(const char *name)
{
	for (size_t i = 0; i < agent->machine_count; i++)
		if (strcmp(agent->machines[i]->config->name, name) == 0)
			return agent->machines[i];
	return NULL;
}

static void assert_counts(uint32_t on, uint32_t off, uint32_t unknown)
{
	assert_int_equal(agent->machines_on, on);
	assert_int_equal(agent->machines_off, off);
	assert_int_equal(agent->machines_unknown, unknown);
	assert_int_equal(agent->machine_count, on + off + unknown);
}

static void test_machines_are_found_by_index(void **state)
{
	(void)state;
	APPLY("zeus", "ares", "hera");
	assert_int_equal(machine_of("zeus")->index, 1);
	assert_int_equal(machine_of("hera")->index, 3);
	APPLY("hera", "ares", "zeus", "iris"); /* another order: the same indexes, ascending */
	assert_int_equal(agent->machine_count, 4);
	for (uint32_t i = 1; i <= 4; i++) {
		assert_int_equal(agent->machines[i - 1]->index, i);
		assert_ptr_equal(pm_agent_machine(agent, i), agent->machines[i - 1]);
	}
	assert_string_equal(pm_agent_machine(agent, 2)->config->name, "ares");
	assert_null(pm_agent_machine(agent, 0));
	assert_null(pm_agent_machine(agent, 5));
	assert_int_equal(changed, 2);
	assert_counts(0, 0, 4);
}

static void test_what_is_known_of_a_machine_that_stays_is_kept(void **state)
{
	struct pm_machine *zeus;
	struct ipmi_bmc *ipmi;

	(void)state;
	APPLY("zeus", "ares");
	zeus = machine_of("zeus");
	bmc_says(zeus, true);
	zeus->nics[0].wake_sent = 7;
	ipmi = zeus->bmc->ipmi;
	APPLY("hera", "zeus");
	assert_ptr_equal(machine_of("zeus"), zeus);
	assert_int_equal(zeus->observed, PM_POWER_ON);
	assert_int_equal(zeus->event_last, 1);
	assert_int_equal(zeus->nics[0].wake_sent, 7);
	assert_ptr_equal(zeus->bmc->ipmi, ipmi); /* its session goes on */
	assert_counts(1, 0, 1);
}

static void test_a_machine_goes_and_comes_back(void **state)
{
	struct pm_machine *ares;

	(void)state;
	APPLY("zeus", "ares");
	bmc_says(machine_of("ares"), true);
	bmc_says(machine_of("ares"), false);
	assert_counts(0, 1, 1);
	APPLY("zeus");
	assert_null(machine_of("ares"));
	assert_counts(0, 0, 1);
	APPLY("zeus", "hera");
	assert_int_equal(machine_of("hera")->index, 3); /* 2 is never given to another */
	APPLY("zeus", "hera", "ares");
	ares = machine_of("ares");
	assert_int_equal(ares->index, 2);
	assert_int_equal(ares->event_last, 2);
	assert_int_equal(ares->off_count, 1);
	assert_int_equal(ares->observed, PM_POWER_UNKNOWN); /* until it is seen again */
	assert_counts(0, 0, 3);
}

static void test_the_last_machine_goes(void **state)
{
	(void)state;
	APPLY("zeus");
	apply(world_inventory(0));
	assert_counts(0, 0, 0);
	assert_null(pm_agent_machine(agent, 1));
}

static void test_a_bmc_that_changes_is_another(void **state)
{
	struct pm_inventory *other;
	struct ipmi_bmc *ipmi;

	(void)state;
	APPLY("zeus");
	bmc_says(machine_of("zeus"), true);
	ipmi = machine_of("zeus")->bmc->ipmi;
	other = inventory_of((const char *const[]){"zeus"}, 1);
	other->machines[0].bmc->timeout_ms = 777;
	apply(other);
	assert_non_null(machine_of("zeus")->bmc);
	assert_ptr_not_equal(machine_of("zeus")->bmc->ipmi, ipmi);
	assert_int_equal(machine_of("zeus")->bmc->status, PM_BMC_UNKNOWN);
	other = inventory_of((const char *const[]){"zeus"}, 1);
	take_bmc_away(other);
	apply(other);
	assert_null(machine_of("zeus")->bmc);
}

/* --- what was observed, when who observed it changes ------------------------------------------------------------------------ */

static struct pm_inventory *zeus_alone(void)
{
	return inventory_of((const char *const[]){"zeus"}, 1);
}

static unsigned told(enum pm_notification_type type)
{
	unsigned count = 0;

	world_drain(&world);
	for (unsigned i = 0; i < world_sent_count; i++)
		count += world_sent[i].type == type;
	return count;
}

static unsigned told_changes(void)
{
	return told(PM_NOTIFY_POWER_STATE_CHANGE);
}

static void test_the_last_who_could_tell_goes(void **state)
{
	struct pm_inventory *other = zeus_alone();

	(void)state;
	APPLY("zeus");
	bmc_says(machine_of("zeus"), true);
	assert_counts(1, 0, 0);
	take_bmc_away(other);
	apply(other);
	assert_counts(0, 0, 1);
	assert_int_equal(machine_of("zeus")->observed, PM_POWER_UNKNOWN);
	assert_int_equal(machine_of("zeus")->source, PM_SOURCE_NONE);
	assert_int_equal(told_changes(), 1);
}

static void test_another_bmc_tells_anew(void **state)
{
	struct pm_inventory *other = zeus_alone();
	struct pm_machine *zeus;

	(void)state;
	APPLY("zeus");
	zeus = machine_of("zeus");
	bmc_says(zeus, true);
	free(other->machines[0].bmc->address);
	other->machines[0].bmc->address = strdup("127.0.0.2");
	apply(other);
	assert_int_equal(zeus->source, PM_SOURCE_NONE); /* what the old one said is nobody's word any more */
	assert_counts(0, 0, 1);
	bmc_says(zeus, true);
	assert_counts(1, 0, 0);
	assert_int_equal(told_changes(), 0); /* it says the same */
	bmc_says(zeus, false);
	assert_int_equal(told_changes(), 1);
}

/* A wrong password is mended in the file. */
static void test_a_bmc_that_was_down_is_mended(void **state)
{
	struct pm_inventory *mended = zeus_alone();
	struct pm_machine *zeus;

	(void)state;
	APPLY("zeus");
	zeus = machine_of("zeus");
	bmc_says(zeus, true);
	for (unsigned i = 0; i < MISSES; i++)
		bmc_misses(zeus, IPMI_AUTH_FAILED);
	assert_int_equal(told(PM_NOTIFY_BMC_DOWN), 1);
	assert_int_equal(told_changes(), 1);
	mended->machines[0].bmc->timeout_ms = 777;
	apply(mended);
	bmc_says(zeus, true);
	bmc_says(zeus, true);
	assert_int_equal(told(PM_NOTIFY_BMC_UP), 1);
	assert_int_equal(told_changes(), 2);
}

static void test_a_bmc_that_was_down_goes(void **state)
{
	struct pm_inventory *none = zeus_alone();
	struct pm_machine *zeus;

	(void)state;
	APPLY("zeus");
	zeus = machine_of("zeus");
	for (unsigned i = 0; i < MISSES; i++)
		bmc_misses(zeus, IPMI_TIMEOUT);
	take_bmc_away(none);
	apply(none);
	assert_int_equal(pm_event_from(zeus, zeus->event_last)->kind, PM_EVENT_CONFIGURATION);
	APPLY("zeus");
	for (unsigned i = 0; i < MISSES; i++)
		bmc_says(zeus, true);
	assert_int_equal(told(PM_NOTIFY_BMC_UP), 0);
}

/* The loop does not run here: the answers of the probe are the test's. */
static void test_a_probe_is_left_and_goes(void **state)
{
	struct pm_inventory *both = zeus_alone(), *probe = zeus_alone(), *none = zeus_alone();
	struct pm_machine *zeus;

	(void)state;
	give_probe_config(&both->machines[0]);
	give_probe_config(&probe->machines[0]);
	take_bmc_away(probe);
	take_bmc_away(none);
	apply(both);
	zeus = machine_of("zeus");
	bmc_says(zeus, false);
	apply(probe);
	assert_counts(0, 0, 1);
	pm_state_probe(zeus, PM_PROBE_ERROR, "no permission");
	assert_string_equal(zeus->probe_trouble, "no permission");
	pm_state_probe(zeus, PM_PROBE_UP, "");
	assert_int_equal(zeus->source, PM_SOURCE_PROBE);
	assert_counts(1, 0, 0);
	pm_state_probe(zeus, PM_PROBE_ERROR, "no permission");
	apply(none);
	assert_counts(0, 0, 1);
	assert_int_equal(zeus->os_reachable, PM_OS_UNKNOWN);
	assert_int_equal(zeus->probe_misses, 0);
	assert_string_equal(zeus->probe_trouble, "");
}

static void test_settings_hold_over_a_reload(void **state)
{
	struct pm_setting_owner owner = {.agent = agent};

	(void)state;
	APPLY("zeus");
	owner.machine = machine_of("zeus");
	assert_int_equal(pm_setting_store(&owner, PM_SET_MACHINE_INHIBIT, "1", &err), 0);
	pm_setting_apply(&owner, PM_SET_MACHINE_INHIBIT, "1");
	APPLY("zeus", "ares");
	assert_true(machine_of("zeus")->inhibit);
	assert_false(machine_of("ares")->inhibit);
	assert_int_equal(machine_of("ares")->vm_timeout_s, 180);
}

/* --- clocks over reloads ---------------------------------------------------------------------------------------------------- */

static struct pm_inventory *quick_zeus(unsigned poll_interval_ms)
{
	struct pm_inventory *inventory = zeus_alone();

	inventory->machines[0].bmc->timeout_ms = 100;
	inventory->machines[0].bmc->poll_interval_ms = poll_interval_ms;
	inventory->machines[0].bmc->misses = 1;
	return inventory;
}

static void test_a_new_machine_is_swept_and_then_has_a_clock(void **state)
{
	struct pm_clock *clock;
	uint64_t due_ms;

	(void)state;
	apply(quick_zeus(30000));
	clock = &machine_of("zeus")->bmc->clock;
	assert_int_equal(clock->sweep.place, PM_SWEEP_QUEUED);
	assert_int_equal(clock->due_ms, 0);
	apply(quick_zeus(30000)); /* before it was asked: still swept */
	assert_int_equal(clock->sweep.place, PM_SWEEP_QUEUED);
	while (!clock->due_ms)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(clock->sweep.place, PM_SWEEP_OUT);
	due_ms = clock->due_ms;
	assert_in_range(due_ms, uv_now(&world.loop) + 26000, uv_now(&world.loop) + 33000);
	apply(quick_zeus(30000)); /* a reload does not ask everybody anew */
	assert_int_equal(clock->sweep.place, PM_SWEEP_OUT);
	assert_int_equal(clock->due_ms, due_ms);
	apply(quick_zeus(2000)); /* but a shorter interval holds from now on */
	assert_true(clock->due_ms <= uv_now(&world.loop) + 2000);
}

static void test_a_sweep_asks_all_and_leaves_their_clocks(void **state)
{
	struct pm_clock *clock;

	(void)state;
	apply(quick_zeus(30000));
	clock = &machine_of("zeus")->bmc->clock;
	while (!clock->due_ms)
		uv_run(&world.loop, UV_RUN_ONCE);
	pm_poll_sweep(agent);
	assert_int_equal(clock->sweep.place, PM_SWEEP_QUEUED);
	pm_poll_now(machine_of("zeus")); /* goes before the sweep, and counts for it */
	while (clock->sweep.place != PM_SWEEP_OUT)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(machine_of("zeus")->bmc->misses, 2);
	assert_true(clock->due_ms > uv_now(&world.loop) + 50000); /* it is dead: asked more rarely */
}

/* One reload after another, each before the BMC is given up. */
static void test_reloads_do_not_put_off_a_miss(void **state)
{
	uint64_t next_ms;

	(void)state;
	for (int i = 0; i < 10; i++) {
		apply(quick_zeus(30000));
		next_ms = uv_now(&world.loop) + 30;
		while (uv_now(&world.loop) < next_ms) {
			uv_run(&world.loop, UV_RUN_NOWAIT);
			usleep(1000);
		}
	}
	assert_int_equal(machine_of("zeus")->bmc->status, PM_BMC_UNREACHABLE);
}

/* --- jobs ------------------------------------------------------------------------------------------------------------------- */

static struct pm_job *reserve(const char *name, enum pm_command action)
{
	struct pm_job *job;

	if (pm_job_reserve(&(struct pm_job_request){.machine = machine_of(name),
						    .action = action,
						    .origin = PM_ORIGIN_COMMAND},
			   &job, &err) < 0)
		fail_msg("%s", err.text);
	return job;
}

static void release(struct pm_job *job)
{
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
}

static void test_the_job_of_a_machine_that_goes_is_aborted(void **state)
{
	const struct pm_notification *notification;

	(void)state;
	APPLY("zeus", "ares");
	release(reserve("zeus", PM_COMMAND_POWER_ON));
	release(reserve("ares", PM_COMMAND_POWER_ON));
	assert_int_equal(pm_jobs_active(agent), 2);
	APPLY("zeus");
	assert_int_equal(pm_jobs_active(agent), 1);
	assert_non_null(machine_of("zeus")->job);
	world_drain(&world);
	notification = world_told(PM_NOTIFY_JOB_FAILED, 2);
	assert_non_null(notification);
	assert_int_equal(notification->result, PM_RESULT_ABORTED);
	assert_non_null(strstr(notification->text, "removed"));
}

static void test_the_bmc_goes_while_a_job_waits_for_it(void **state)
{
	struct pm_inventory *other;

	(void)state;
	APPLY("zeus");
	release(reserve("zeus", PM_COMMAND_CYCLE)); /* in flight: its BMC is silent */
	world_run(&world);
	other = zeus_alone();
	take_bmc_away(other);
	apply(other);
	assert_null(machine_of("zeus")->bmc);
	while (machine_of("zeus")->job) /* nothing was sent: it would be tried again */
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(machine_of("zeus")->last_result, PM_RESULT_NOT_CONFIGURED);
	assert_non_null(strstr(machine_of("zeus")->last_result_text, "no longer configured"));
}

/* A wish that seems fulfilled waits for a fresh answer of the BMC; neither its silence nor the probe is one. */
static void test_only_a_fresh_answer_says_already(void **state)
{
	struct pm_machine *zeus;

	(void)state;
	for (int on = 0; on <= 1; on++) {
		struct pm_inventory *both = zeus_alone();

		give_probe_config(&both->machines[0]);
		apply(both);
		zeus = machine_of("zeus");
		bmc_says(zeus, on);
		uv_sleep(2); /* the loop's clock is in ms */
		uv_update_time(&world.loop);
		release(reserve("zeus", on ? PM_COMMAND_POWER_ON : PM_COMMAND_POWER_OFF));
		pm_state_probe(zeus, on ? PM_PROBE_UP : PM_PROBE_SILENT, "");
		assert_non_null(zeus->job);
		bmc_misses(zeus, IPMI_TIMEOUT); /* now it is sent */
		assert_non_null(zeus->job);
		bmc_misses(zeus, IPMI_TIMEOUT);
		assert_non_null(zeus->job);
		apply(world_inventory(0));
	}
}

static void test_a_fresh_answer_says_already(void **state)
{
	struct pm_machine *zeus;

	(void)state;
	APPLY("zeus");
	zeus = machine_of("zeus");
	bmc_says(zeus, true);
	uv_sleep(2);
	uv_update_time(&world.loop);
	release(reserve("zeus", PM_COMMAND_POWER_ON));
	assert_non_null(zeus->job);
	bmc_says(zeus, true);
	assert_null(zeus->job);
	assert_int_equal(zeus->last_result, PM_RESULT_ALREADY_IN_STATE);
}

/* --- the NIC of a wake goes ---------------------------------------------------------------------------------------------------- */

/* zeus, whose NIC sends to this host: the magic packets reach nobody else. */
static struct pm_inventory *zeus_with_udp(void)
{
	struct pm_inventory *inventory = zeus_alone();
	struct pm_nic_config *nic = &inventory->machines[0].nics[0];

	nic->wol = PM_WOL_UDP;
	free(nic->address);
	nic->address = strdup("127.0.0.1");
	return inventory;
}

static struct pm_inventory *zeus_without_mac(void)
{
	struct pm_inventory *inventory = zeus_with_udp();

	inventory->machines[0].nics[0].has_mac = false;
	return inventory;
}

static struct pm_inventory *zeus_without_nic(void)
{
	struct pm_inventory *inventory = zeus_alone();
	struct pm_machine_config *config = &inventory->machines[0];

	free(config->nics[0].name);
	free(config->nics[0].interface);
	free(config->nics[0].address);
	config->nic_count = 0;
	return inventory;
}

static struct pm_inventory *(*const without[])(void) = {zeus_without_nic, zeus_without_mac};

static void assert_ended_without_nic(const struct pm_machine *zeus)
{
	assert_null(zeus->job);
	assert_int_equal(zeus->last_result, PM_RESULT_NOT_CONFIGURED);
	assert_non_null(strstr(zeus->last_result_text, "NIC"));
	assert_int_equal(pm_jobs_active(agent), 0);
	assert_int_equal(agent->jobs_reserved, 0);
}

static void test_the_nic_goes_while_a_wake_waits(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(without); i++) {
		apply(zeus_with_udp());
		agent->job_max_concurrent = 0;
		release(reserve("zeus", PM_COMMAND_WAKE));
		apply(without[i]());
		assert_non_null(machine_of("zeus")->job);
		agent->job_max_concurrent = 4;
		pm_jobs_pump(agent);
		pm_flush(agent);
		assert_ended_without_nic(machine_of("zeus"));
		apply(world_inventory(0));
	}
}

static void end_wol_engine(void)
{
	bool closed = false;

	wol_engine_close(agent->wol, on_closed, &closed);
	while (!closed)
		uv_run(&world.loop, UV_RUN_ONCE);
	agent->wol = NULL;
}

/* zeus in the middle of a burst. */
static struct pm_machine *waking_zeus(void)
{
	struct pm_machine *zeus;

	apply(zeus_with_udp());
	zeus = machine_of("zeus");
	release(reserve("zeus", PM_COMMAND_WAKE));
	while (zeus->nics[0].wake_sent == 0)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_non_null(zeus->job);
	return zeus;
}

static void test_the_nic_goes_in_the_middle_of_a_burst(void **state)
{
	(void)state;
	assert_int_equal(wol_engine_new(&world.loop, &agent->wol), 0);
	for (size_t i = 0; i < LENGTH(without); i++) {
		struct pm_machine *zeus = waking_zeus();

		apply(without[i]());
		while (zeus->job)
			uv_run(&world.loop, UV_RUN_ONCE);
		assert_ended_without_nic(zeus);
		apply(world_inventory(0));
	}
	end_wol_engine();
}

/* The burst is ended with the job, whoever ends it. */
static void test_the_nic_goes_and_the_wake_is_aborted(void **state)
{
	struct pm_machine *zeus;

	(void)state;
	assert_int_equal(wol_engine_new(&world.loop, &agent->wol), 0);
	zeus = waking_zeus();
	apply(zeus_without_nic());
	pm_job_abort(zeus, "no longer wanted");
	assert_null(zeus->job);
	assert_int_equal(zeus->last_result, PM_RESULT_ABORTED);
	waking_zeus();
	apply(zeus_without_nic());
	pm_jobs_stop(agent);
	assert_int_equal(pm_jobs_active(agent), 0);
	end_wol_engine();
}

static struct pm_job *reserved;

static void take_back(struct pm_agent *unused)
{
	(void)unused;
	changing++;
	if (reserved)
		pm_job_cancel(reserved);
	reserved = NULL;
}

/* The machine goes between the phases of a SET on it. */
static void test_reload_during_a_set(void **state)
{
	(void)state;
	APPLY("zeus", "ares");
	agent->rows_change = take_back;
	reserved = reserve("ares", PM_COMMAND_CYCLE);
	assert_int_equal(pm_job_journal(reserved, &err), 0);
	APPLY("zeus");
	assert_null(reserved);
	assert_int_equal(agent->jobs_reserved, 0);
}

/* --- reloads that fail ----------------------------------------------------------------------------------------------------- */

static void test_no_room_for_a_new_machine(void **state)
{
	struct pm_inventory *next, *before;
	struct pm_machine *ares;

	(void)state;
	APPLY("zeus", "ares");
	ares = machine_of("ares");
	bmc_says(ares, true);
	before = agent->inventory;
	next = inventory_of((const char *const[]){"zeus", "hera", "iris"}, 3);
	next->agent.rows_last = 3;
	assert_int_equal(pm_fleet_apply(agent, next, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "iris"));
	pm_inventory_free(next); /* is still the caller's */
	assert_ptr_equal(agent->inventory, before);
	assert_ptr_equal(machine_of("ares"), ares);
	assert_int_equal(ares->observed, PM_POWER_ON);
	assert_counts(1, 0, 1);
	assert_int_equal(changed, 1);
	APPLY("zeus", "ares", "iris");
	assert_int_equal(machine_of("iris")->index, 3); /* the index of hera was taken back with the rest */
}

static void test_a_block_without_a_machine_of_before(void **state)
{
	struct pm_inventory *next;

	(void)state;
	APPLY("zeus");
	next = inventory_of((const char *const[]){"zeus"}, 1);
	next->agent.rows_first = 257;
	assert_int_equal(pm_fleet_apply(agent, next, &err), -ERANGE);
	assert_non_null(strstr(err.text, "zeus"));
	pm_inventory_free(next);
	assert_int_equal(machine_of("zeus")->index, 1);
}

static void test_a_bmc_that_is_not_possible(void **state)
{
	static struct pm_credentials impossible;
	struct pm_inventory *next;

	(void)state;
	APPLY("zeus");
	impossible = credentials;
	impossible.cipher_suites[0] = 99;
	next = inventory_of((const char *const[]){"hera"}, 1);
	next->machines[0].bmc->credentials = &impossible;
	assert_int_equal(pm_fleet_apply(agent, next, &err), -EINVAL);
	assert_non_null(strstr(err.text, "hera"));
	pm_inventory_free(next);
	assert_non_null(machine_of("zeus"));
	assert_null(machine_of("hera"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_machines_are_found_by_index),
	    TEST(test_what_is_known_of_a_machine_that_stays_is_kept),
	    TEST(test_a_machine_goes_and_comes_back),
	    TEST(test_the_last_machine_goes),
	    TEST(test_a_bmc_that_changes_is_another),
	    TEST(test_the_last_who_could_tell_goes),
	    TEST(test_another_bmc_tells_anew),
	    TEST(test_a_bmc_that_was_down_is_mended),
	    TEST(test_a_bmc_that_was_down_goes),
	    TEST(test_a_probe_is_left_and_goes),
	    TEST(test_settings_hold_over_a_reload),
	    TEST(test_a_new_machine_is_swept_and_then_has_a_clock),
	    TEST(test_a_sweep_asks_all_and_leaves_their_clocks),
	    TEST(test_reloads_do_not_put_off_a_miss),
	    TEST(test_the_job_of_a_machine_that_goes_is_aborted),
	    TEST(test_the_bmc_goes_while_a_job_waits_for_it),
	    TEST(test_only_a_fresh_answer_says_already),
	    TEST(test_a_fresh_answer_says_already),
	    TEST(test_the_nic_goes_while_a_wake_waits),
	    TEST(test_the_nic_goes_in_the_middle_of_a_burst),
	    TEST(test_the_nic_goes_and_the_wake_is_aborted),
	    TEST(test_reload_during_a_set),
	    TEST(test_no_room_for_a_new_machine),
	    TEST(test_a_block_without_a_machine_of_before),
	    TEST(test_a_bmc_that_is_not_possible),
	};

	return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
