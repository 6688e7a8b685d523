/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Clocks: whatever the wall clock is set to, while the agent runs or while it is away, nothing begins, ends or goes too
 * early, or hangs. clock_gettime() is this file's own; libuv uses it, too, so that hours pass at once.
 */
#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/jobs.h"

#include <sys/syscall.h>
#include <time.h>

#define HOUR_S 3600

static int64_t wall_ahead_s; /* somebody has set it so far */
static int64_t passed_s;     /* so much time has passed that did not */

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = (int)syscall(SYS_clock_gettime, clock, time);

	time->tv_sec += passed_s;
	if (clock == CLOCK_REALTIME)
		time->tv_sec += wall_ahead_s;
	return result;
}

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine **machines;
static struct pm_inventory *inventory;
static struct pm_error err;

static int set_up(void **state)
{
	(void)state;
	inventory = world_inventory(2);
	wall_ahead_s = 0;
	for (size_t i = 0; i < 2; i++)
		give_bmc_config(&inventory->machines[i], NULL, 623);
	world_begin(&world, inventory);
	machines = agent->machines;
	for (size_t i = 0; i < 2; i++)
		give_bmc(machines[i]);
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = 0;
	fake_bmc_sent = 0;
	fake_ops = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	agent->stopping = true;
	pm_jobs_stop(agent);
	world_end(&world);
	return 0;
}

static void turn(void)
{
	uv_run(&world.loop, UV_RUN_NOWAIT);
	pm_flush(agent);
	while (agent->syncing)
		uv_run(&world.loop, UV_RUN_ONCE);
	uv_run(&world.loop, UV_RUN_NOWAIT);
}

/* Time passes, on all clocks. */
static void pass(int64_t duration_s)
{
	passed_s += duration_s;
	turn();
}

/* Somebody sets the wall clock. */
static void set_clock(int64_t by_s)
{
	wall_ahead_s += by_s;
	turn();
}

static void restart(void)
{
	turn();
	kill_agent(&world);
	start_agent(&world);
	turn();
}

/* The host was booted meanwhile: its clocks begin anew, but the wall clock, which somebody has set. */
static void reboot_host(int64_t set_by_s)
{
	char path[128];
	sqlite3 *db;

	turn();
	kill_agent(&world);
	snprintf(path, sizeof(path), "%s/" PM_STORE_FILE, world.directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE setting SET base = 'another boot' WHERE key = 'clock'",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
	wall_ahead_s += set_by_s;
	start_agent(&world);
	turn();
}

/* A reset that begins in an hour. */
static struct pm_job *delayed_reset(void)
{
	const struct pm_job_request request = {
	    .machine = machines[0], .action = PM_COMMAND_RESET, .origin = PM_ORIGIN_COMMAND};
	struct pm_job_edit edit = {.machine = machines[0],
				   .owner = "op",
				   .name = "later",
				   .row_status = PM_ROW_CREATE_AND_GO,
				   .spec_set = true};

	pm_job_spec_defaults(&edit.spec);
	edit.spec.action = request.action;
	edit.spec.scope = PM_SCOPE_MACHINE;
	edit.spec.delay_s = HOUR_S;
	assert_int_equal(pm_job_edit_reserve(&edit, &err), 0);
	assert_int_equal(pm_job_edit_journal(&edit, &err), 0);
	pm_job_edit_release(&edit);
	return machines[0]->job;
}

static void assert_waits(uint32_t seconds)
{
	const struct pm_job *job = machines[0]->job;

	assert_non_null(job);
	assert_int_equal(job->state, PM_JOB_SCHEDULED);
	assert_in_range(pm_job_remaining_s(job), seconds > 2 ? seconds - 2 : 0, seconds + 2);
	assert_int_equal(fake_bmc_sent, 0);
}

/* After a restart the machine is looked at first. */
static void assert_begins(void)
{
	assert_non_null(machines[0]->job);
	bmc_says(machines[0], true);
	turn();
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(machines[0]->job->state, PM_JOB_RUNNING);
}

/* --- a delay ------------------------------------------------------------------------------------------------------------- */

static void test_an_hour_passes(void **state)
{
	(void)state;
	delayed_reset();
	assert_waits(HOUR_S);
	assert_non_null(strstr(pm_job_text(machines[0]->job), "reset begins in 3600 s"));
	pass(1200);
	assert_waits(2400);
	pass(2397);
	assert_waits(3);
	pass(4);
	assert_begins();
}

static void test_the_clock_is_set_meanwhile(void **state)
{
	(void)state;
	delayed_reset();
	set_clock(HOUR_S);
	assert_waits(HOUR_S);
	pass(600);
	set_clock(-2 * HOUR_S);
	assert_waits(3000);
	pass(2998);
	assert_waits(2);
	pass(3);
	assert_begins();
}

static void test_a_restart_is_no_new_beginning(void **state)
{
	(void)state;
	delayed_reset();
	pass(600);
	restart();
	assert_waits(3000);
	pass(600);
	restart();
	assert_waits(2400);
	pass(2401);
	assert_begins();
}

/* While nobody is there to notice. */
static void test_the_clock_is_set_while_the_agent_is_away(void **state)
{
	static const int64_t by_s[] = {HOUR_S, -HOUR_S, 40 * HOUR_S, -40 * HOUR_S};

	(void)state;
	delayed_reset();
	for (size_t i = 0; i < LENGTH(by_s); i++) {
		kill_agent(&world);
		wall_ahead_s += by_s[i];
		passed_s += 100;
		start_agent(&world);
		turn();
		assert_waits(HOUR_S - 100 * ((uint32_t)i + 1));
	}
	pass(HOUR_S);
	assert_begins();
}

/* The clock that was wrong is set right: after a boot that is still known. */
static void test_set_before_a_boot(void **state)
{
	(void)state;
	delayed_reset();
	set_clock(HOUR_S);
	pass(600);
	reboot_host(0);
	assert_waits(3000);
	set_clock(-HOUR_S);
	reboot_host(0);
	assert_waits(3000);
}

/* Nobody can tell then; but nobody waits longer than was asked for, either. */
static void test_set_while_the_host_is_down(void **state)
{
	(void)state;
	delayed_reset();
	pass(600);
	reboot_host(-3000);
	assert_waits(HOUR_S);
	pass(HOUR_S + 1);
	assert_begins();
}

/* --- at work ------------------------------------------------------------------------------------------------------------------ */

static struct pm_job *begin(enum pm_command action)
{
	const struct pm_job_request request = {
	    .machine = machines[0], .action = action, .origin = PM_ORIGIN_COMMAND};
	struct pm_job *job;

	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	return job;
}

static void test_a_running_job_and_the_clock(void **state)
{
	struct pm_job *job = begin(PM_COMMAND_POWER_ON);

	(void)state;
	fake_bmc_answer(IPMI_OK);
	set_clock(HOUR_S);
	set_clock(-2 * HOUR_S);
	assert_int_equal(job->state, PM_JOB_VERIFYING);
	assert_in_range(pm_job_remaining_s(job), 595, 600);
	restart();
	job = machines[0]->job;
	assert_non_null(job);
	assert_int_equal(job->state, PM_JOB_VERIFYING);
	assert_in_range(pm_job_remaining_s(job), 590, 600);
	set_clock(3 * HOUR_S);
	restart();
	assert_non_null(machines[0]->job);
	pass(301); /* on-timeout */
	turn();
	assert_null(machines[0]->job);
	assert_int_equal(machines[0]->last_result, PM_RESULT_TIMEOUT);
}

/* A resumed step has what was left of its time, not all of it once more. */
static void test_a_step_goes_on_where_it_was(void **state)
{
	(void)state;
	begin(PM_COMMAND_POWER_ON);
	fake_bmc_answer(IPMI_OK);
	turn();
	bmc_says(machines[0], false);
	passed_s += 200;
	restart();
	passed_s += 95;
	turn();
	assert_non_null(machines[0]->job);
	fake_bmc_answer(IPMI_OK); /* a wish is told again when the state does not come */
	passed_s += 10;
	run_for(&world, 600); /* a tick or two */
	assert_null(machines[0]->job);
	assert_int_equal(machines[0]->last_result, PM_RESULT_TIMEOUT);
}

/* Off and on again while the agent was away: told once more, it would be a second reboot. */
static void test_the_off_step_of_a_reboot_is_not_repeated(void **state)
{
	struct pm_job *job;

	(void)state;
	inventory->machines[0].off_methods[0] = PM_OFF_BMC;
	inventory->machines[0].off_method_count = 1;
	bmc_says(machines[0], true);
	begin(PM_COMMAND_REBOOT);
	fake_bmc_answer(IPMI_OK);
	restart();
	job = machines[0]->job;
	assert_int_equal(job->state, PM_JOB_VERIFYING);
	for (int i = 0; i < 10; i++) {
		passed_s += 10;
		bmc_says(machines[0], true);
		run_for(&world, 300);
	}
	assert_int_equal(job->state, PM_JOB_VERIFYING);
	assert_int_equal(fake_bmc_sent, 1);
	bmc_says(machines[0], false);
	turn();
	assert_int_equal(fake_bmc_sent, 2);
	assert_int_equal(fake_bmc_asked(), IPMI_POWER_UP);
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------ */

static void end_now(enum pm_command action)
{
	bmc_says(machines[0], false);
	begin(action);
	bmc_says(machines[0], false);
	assert_null(machines[0]->job);
	turn();
}

static void test_rows_go_in_time(void **state)
{
	(void)state;
	end_now(PM_COMMAND_POWER_OFF); /* kept for an hour: history of the inventory */
	set_clock(2 * HOUR_S);
	assert_int_equal(machines[0]->jobs_count, 1);
	restart();
	assert_int_equal(machines[0]->jobs_count, 1);
	set_clock(-40 * HOUR_S);
	restart();
	assert_int_equal(machines[0]->jobs_count, 1);
	pass(1800);
	restart();
	assert_int_equal(machines[0]->jobs_count, 1);
	pass(1700);
	assert_int_equal(machines[0]->jobs_count, 1);
	pass(101);
	assert_int_equal(machines[0]->jobs_count, 0);
}

static void test_rows_that_seem_to_have_ended_in_the_future(void **state)
{
	(void)state;
	end_now(PM_COMMAND_POWER_OFF);
	reboot_host(-100 * HOUR_S);
	assert_int_equal(machines[0]->jobs_count, 1);
	pass(HOUR_S + 1);
	assert_int_equal(machines[0]->jobs_count, 0);
}

static void test_an_hour_for_a_draft(void **state)
{
	struct pm_job_edit edit = {
	    .machine = machines[0], .owner = "op", .name = "draft", .row_status = PM_ROW_CREATE_AND_WAIT};

	(void)state;
	pm_job_spec_defaults(&edit.spec);
	assert_int_equal(pm_job_edit_reserve(&edit, &err), 0);
	assert_int_equal(pm_job_edit_journal(&edit, &err), 0);
	pm_job_edit_release(&edit);
	set_clock(5 * HOUR_S);
	pass(1800);
	restart();
	assert_int_equal(machines[0]->jobs_count, 1);
	pass(1790);
	assert_int_equal(machines[0]->jobs_count, 1);
	pass(11);
	assert_int_equal(machines[0]->jobs_count, 0);
	turn();
	assert_int_equal(journal_read(&world, false), 0);
}

/* --- a group's stagger --------------------------------------------------------------------------------------------------------------- */

static void test_the_clock_and_turns(void **state)
{
	struct pm_stored_job job = journal_job(1, PM_COMMAND_RESET);
	int64_t now_ms = pm_steady_ms(agent);

	(void)state;
	for (uint32_t i = 0; i < 2; i++) { /* the first was about to begin, the second in ten minutes */
		job.machine = i + 1;
		job.created_ms = now_ms;
		job.not_before_ms = i ? now_ms + 600000 : 0;
		job.stagger_ms = 600000;
		job.origin = PM_ORIGIN_GROUP;
		journal_insert(&world, job);
	}
	wall_ahead_s += HOUR_S;
	kill_agent(&world);
	start_agent(&world);
	turn();
	bmc_says(machines[0], true);
	turn();
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(machines[1]->job->state, PM_JOB_SCHEDULED);
	assert_in_range(pm_job_remaining_s(machines[1]->job), 595, 601);
	pass(601);
	bmc_says(machines[1], true);
	turn();
	assert_int_equal(fake_bmc_sent, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_hour_passes),
	    TEST(test_the_clock_is_set_meanwhile),
	    TEST(test_a_restart_is_no_new_beginning),
	    TEST(test_the_clock_is_set_while_the_agent_is_away),
	    TEST(test_set_before_a_boot),
	    TEST(test_set_while_the_host_is_down),
	    TEST(test_a_running_job_and_the_clock),
	    TEST(test_a_step_goes_on_where_it_was),
	    TEST(test_the_off_step_of_a_reboot_is_not_repeated),
	    TEST(test_rows_go_in_time),
	    TEST(test_rows_that_seem_to_have_ended_in_the_future),
	    TEST(test_an_hour_for_a_draft),
	    TEST(test_the_clock_and_turns),
	};

	return cmocka_run_group_tests_name("job clock", tests, NULL, NULL);
}
