/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a job: what is refused, what a SET that is taken back leaves behind, who runs when, and what a restart finds. */
#include "tests/unit/agent/jobs.h"

#define MACHINES 5

static struct world world;
static struct pm_machine **machines; /* each with a BMC and a NIC; answers come from the tests */
static struct pm_error err;

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);

	(void)state;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc_config(&inventory->machines[i], NULL, 623);
		give_nic_configs(&inventory->machines[i], 1);
	}
	world_begin(&world, inventory);
	machines = world.agent.machines;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc(machines[i]);
		give_nics(machines[i]);
	}
	err.text[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pm_jobs_stop(&world.agent);
	world_end(&world);
	return 0;
}

static int reserve_for(struct pm_machine *machine, enum pm_command action, struct pm_job **job)
{
	return pm_job_reserve(
	    &(struct pm_job_request){.machine = machine, .action = action, .origin = PM_ORIGIN_COMMAND}, job,
	    &err);
}

static struct pm_job *reserve(struct pm_machine *machine, enum pm_command action)
{
	struct pm_job *job;

	if (reserve_for(machine, action, &job) < 0)
		fail_msg("%s", err.text);
	assert_non_null(job);
	return job;
}

/* A whole SET. */
static void request(struct pm_machine *machine, enum pm_command action)
{
	struct pm_job *job = reserve(machine, action);

	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
}

static char journal_text[512];

/* What has no end in the journal on the disk. */
static const char *journal_on_disk(void)
{
	size_t length = 0;

	journal_text[0] = '\0';
	journal_read(&world, true);
	for (unsigned i = 0; i < journal_count; i++)
		length += (size_t)snprintf(journal_text + length, sizeof(journal_text) - length, "%lld:m%u;",
					   (long long)journal_jobs[i].id, journal_jobs[i].machine);
	return journal_text;
}

/* The same when all is written that is to be written soon. */
static const char *journal(void)
{
	pm_flush(&world.agent);
	return journal_on_disk();
}

static void assert_result(const struct pm_machine *machine, enum pm_result result, const char *word)
{
	assert_null(machine->job);
	assert_int_equal(machine->last_result, result);
	if (!strstr(machine->last_result_text, word))
		fail_msg("\"%s\" does not say \"%s\"", machine->last_result_text, word);
}

/* --- accepted or refused ------------------------------------------------------------------------------------------- */

static void assert_refused(struct pm_machine *machine, enum pm_command action, int error, const char *word)
{
	struct pm_job *job = (void *)1;

	err.text[0] = '\0';
	assert_int_equal(reserve_for(machine, action, &job), error);
	assert_null(job);
	if (!strstr(err.text, word))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	assert_int_equal(world.agent.jobs_reserved, machine->job ? 1 : 0);
}

static void test_one_job_for_a_machine(void **state)
{
	struct pm_job *job = reserve(machines[0], PM_COMMAND_POWER_ON), *same;

	(void)state;
	assert_refused(machines[0], PM_COMMAND_CYCLE, -EBUSY, "powerOn");
	assert_int_equal(reserve_for(machines[0], PM_COMMAND_POWER_ON, &same), 0);
	assert_null(same); /* is under way already: no second job */
	pm_job_cancel(job);
	pm_job_cancel(reserve(machines[0], PM_COMMAND_CYCLE));
}

static void test_inhibited(void **state)
{
	(void)state;
	machines[0]->inhibit = true;
	assert_refused(machines[0], PM_COMMAND_POWER_OFF, -EPERM, "inhibited");
	snprintf(machines[0]->inhibit_reason, sizeof(machines[0]->inhibit_reason), "fan exchange");
	assert_refused(machines[0], PM_COMMAND_POWER_OFF, -EPERM, "fan exchange");
	pm_job_cancel(reserve(machines[1], PM_COMMAND_POWER_OFF));
	world.agent.inhibit = true;
	assert_refused(machines[1], PM_COMMAND_POWER_OFF, -EPERM, "inhibited");
}

static void test_what_the_machine_has_not(void **state)
{
	(void)state;
	free(machines[0]->bmc);
	machines[0]->bmc = NULL;
	assert_refused(machines[0], PM_COMMAND_CYCLE, -EINVAL, "bmc");
	assert_null(machines[0]->job);
}

static void test_too_many_jobs(void **state)
{
	(void)state;
	world.agent.jobs_reserved = 16384;
	assert_int_equal(reserve_for(machines[0], PM_COMMAND_CYCLE, &(struct pm_job *){NULL}), -ENOSPC);
	assert_non_null(strstr(err.text, "16384"));
	world.agent.jobs_reserved = 0;
}

static void test_taken_back_before_and_after_the_journal(void **state)
{
	struct pm_job *job = reserve(machines[0], PM_COMMAND_CYCLE);

	(void)state;
	assert_string_equal(journal(), "");
	pm_job_cancel(job);
	job = reserve(machines[0], PM_COMMAND_CYCLE);
	assert_int_equal(pm_job_journal(job, &err), 0);
	assert_string_equal(journal(), "1:m1;");
	pm_job_cancel(job);
	assert_string_equal(journal(), "");
	assert_null(machines[0]->job);
	assert_int_equal(world.agent.jobs_reserved, 0);
	assert_int_equal(world.agent.jobs_started, 0);
	assert_int_equal(machines[0]->event_last, 0); /* as if nothing had been asked */
	assert_int_equal(pm_notify_counts(&world.agent).pending, 0);
}

/* --- waiting and running ------------------------------------------------------------------------------------------- */

/* Machines that are on already: their jobs run until a fresh answer confirms it. */
static void all_on(void)
{
	for (size_t i = 0; i < MACHINES; i++)
		bmc_says(machines[i], true);
}

static void test_jobs_wait_for_their_turn(void **state)
{
	struct pm_agent *agent = &world.agent;

	(void)state;
	all_on();
	agent->job_max_concurrent = 2;
	for (size_t i = 0; i < MACHINES; i++)
		request(machines[i], PM_COMMAND_POWER_ON);
	assert_int_equal(agent->jobs_running.count, 2);
	assert_int_equal(agent->jobs_waiting.count, 3);
	assert_int_equal(pm_jobs_active(agent), 5);
	bmc_says(machines[3], true); /* does not run yet */
	assert_non_null(machines[3]->job);
	bmc_says(machines[1], true);
	assert_result(machines[1], PM_RESULT_ALREADY_IN_STATE, "on already");
	assert_int_equal(agent->jobs_running.count, 2); /* the third has begun */
	bmc_says(machines[2], true);
	bmc_says(machines[0], true);
	bmc_says(machines[3], true);
	bmc_says(machines[4], true);
	assert_int_equal(pm_jobs_active(agent), 0);
	assert_int_equal(agent->jobs_started, 5);
	assert_int_equal(agent->jobs_failed, 0);
	assert_string_equal(journal(), "");
}

static void test_a_higher_limit_starts_what_waits(void **state)
{
	(void)state;
	all_on();
	world.agent.job_max_concurrent = 0;
	for (size_t i = 0; i < MACHINES; i++)
		request(machines[i], PM_COMMAND_POWER_ON);
	assert_int_equal(world.agent.jobs_running.count, 0);
	world.agent.job_max_concurrent = 4;
	pm_jobs_pump(&world.agent);
	assert_int_equal(world.agent.jobs_running.count, 4);
	assert_int_equal(world.agent.jobs_waiting.count, 1);
}

static void test_the_end_is_told(void **state)
{
	const struct pm_notification *notification;

	(void)state;
	bmc_says(machines[0], false);
	request(machines[0], PM_COMMAND_POWER_OFF);
	bmc_says(machines[0], false);
	assert_result(machines[0], PM_RESULT_ALREADY_IN_STATE,
		      "off already, observed by the BMC when the job began");
	world_drain(&world);
	notification = world_told(PM_NOTIFY_JOB_STARTED, 1);
	assert_non_null(notification);
	assert_string_equal(notification->job_name, "set-1");
	assert_int_equal(notification->action, PM_COMMAND_POWER_OFF);
	notification = world_told(PM_NOTIFY_JOB_FINISHED, 1);
	assert_non_null(notification);
	assert_int_equal(notification->result, PM_RESULT_ALREADY_IN_STATE);
	assert_int_equal(notification->event_index, machines[0]->event_last);
	assert_non_null(strstr(pm_event_from(machines[0], machines[0]->event_last)->text, "alreadyInState"));
}

static void test_aborted_while_it_waits_or_runs(void **state)
{
	(void)state;
	all_on();
	world.agent.job_max_concurrent = 1;
	request(machines[0], PM_COMMAND_POWER_ON);
	request(machines[1], PM_COMMAND_POWER_ON);
	request(machines[2], PM_COMMAND_POWER_ON);
	pm_job_abort(machines[1], "no longer wanted");
	assert_result(machines[1], PM_RESULT_ABORTED, "no longer wanted");
	pm_job_abort(machines[0], "no longer wanted");
	assert_result(machines[0], PM_RESULT_ABORTED, "no longer wanted");
	assert_int_equal(world.agent.jobs_running.count, 1); /* the third has its place */
	assert_int_equal(world.agent.jobs_waiting.count, 0);
	assert_int_equal(world.agent.jobs_failed, 2);
	assert_string_equal(journal(), "3:m3;");
	world_drain(&world);
	assert_non_null(world_told(PM_NOTIFY_JOB_FAILED, 2));
	pm_job_abort(machines[4], "has none");
	assert_int_equal(machines[4]->last_result, PM_RESULT_NONE);
}

/* Once a fresh answer says that the machine is off. */
static void test_nothing_to_restart(void **state)
{
	static const enum pm_command actions[] = {PM_COMMAND_REBOOT, PM_COMMAND_RESET,
						  PM_COMMAND_DIAGNOSTIC_INTERRUPT};

	(void)state;
	for (size_t i = 0; i < LENGTH(actions); i++) {
		bmc_says(machines[i], false);
		request(machines[i], actions[i]);
		assert_non_null(machines[i]->job);
		bmc_says(machines[i], false);
		assert_result(machines[i], PM_RESULT_REJECTED, "off");
		assert_int_equal(world.agent.jobs_failed, i + 1);
	}
}

/* Stopping is no end: the journal has them still. */
static void test_what_runs_at_the_stop_is_taken_up_later(void **state)
{
	(void)state;
	all_on();
	world.agent.job_max_concurrent = 1;
	request(machines[0], PM_COMMAND_POWER_ON);
	request(machines[1], PM_COMMAND_POWER_ON);
	world.agent.stopping = true;
	pm_jobs_stop(&world.agent);
	assert_int_equal(pm_jobs_active(&world.agent), 0);
	assert_string_equal(journal(), "1:m1;2:m2;");
	assert_int_equal(machines[0]->last_result, PM_RESULT_NONE);
	world_drain(&world);
	assert_null(world_told(PM_NOTIFY_JOB_FAILED, 1));
}

static void resume(void)
{
	kill_agent(&world);
	world.agent.job_max_concurrent = 0; /* what is taken up waits */
	start_agent(&world);
	world_drain(&world);
}

/* --- a store that cannot be written for a while -------------------------------------------------------------------- */

static void test_no_job_without_a_journal(void **state)
{
	struct pm_job *job = reserve(machines[0], PM_COMMAND_CYCLE);
	sqlite3 *db = block_store(&world);

	(void)state;
	assert_true(pm_job_journal(job, &err) < 0);
	assert_true(*err.text != '\0');
	pm_job_cancel(job);
	sqlite3_close(db);
	assert_string_equal(journal(), "");
	assert_null(machines[0]->job);
}

/* A SET that was answered with an error is not done after a restart either, also when the journal cannot forget it. */
static void test_taken_back_while_the_journal_cannot_be_written(void **state)
{
	struct pm_job *job = reserve(machines[0], PM_COMMAND_POWER_OFF);
	sqlite3 *db;

	(void)state;
	assert_int_equal(pm_job_journal(job, &err), 0);
	db = block_store(&world);
	pm_job_cancel(job);
	assert_null(machines[0]->job);
	pm_flush(&world.agent);
	sqlite3_close(db);
	assert_string_equal(journal_on_disk(), "1:m1;");
	assert_string_equal(journal(), "");
	assert_int_equal(world.agent.jobs_reserved, 0);
	assert_int_equal(machines[0]->last_result, PM_RESULT_NONE); /* nobody is told of what never was */
	assert_int_equal(machines[0]->event_last, 0);
	resume();
	assert_null(machines[0]->job);
}

/* Without its end in the journal a job would be taken up again after the next restart. */
static void test_the_end_is_written_when_it_can_be(void **state)
{
	sqlite3 *db;

	(void)state;
	all_on();
	request(machines[0], PM_COMMAND_POWER_ON);
	db = block_store(&world);
	bmc_says(machines[0], true);
	assert_result(machines[0], PM_RESULT_ALREADY_IN_STATE, "on already");
	pm_flush(&world.agent);
	assert_true(world.agent.store_failing);
	sqlite3_close(db);
	assert_string_equal(journal_on_disk(), "1:m1;");
	assert_string_equal(journal(), "");
}

/* Who was told that a job has ended must not see it again after a crash. */
static void test_the_end_is_on_the_disk_before_it_is_told(void **state)
{
	(void)state;
	all_on();
	request(machines[0], PM_COMMAND_POWER_ON);
	bmc_says(machines[0], true);
	world_drain(&world);
	assert_non_null(world_told(PM_NOTIFY_JOB_FINISHED, 1));
	assert_string_equal(journal_on_disk(), "");
}

/* --- after a restart ------------------------------------------------------------------------------------------------ */

static int64_t left_by_a_crash_at(int64_t created_ms, uint32_t machine, enum pm_command action)
{
	struct pm_stored_job job = journal_job(machine, action);

	job.created_ms = created_ms;
	return journal_insert(&world, job);
}

static int64_t left_by_a_crash(uint32_t machine, enum pm_command action)
{
	return left_by_a_crash_at(pm_time_ms() - 1000, machine, action);
}

static int64_t left_when_it_ran_since(int64_t begin_ms, uint32_t machine, enum pm_command action)
{
	struct pm_stored_job job = journal_job(machine, action);

	job.created_ms = pm_time_ms() - 3600000;
	job.state = PM_JOB_RUNNING;
	job.begin_ms = job.not_before_ms = begin_ms;
	return journal_insert(&world, job);
}

static int64_t left_when_it_ran(uint32_t machine, enum pm_command action)
{
	return left_when_it_ran_since(pm_time_ms() - 500, machine, action);
}

static void test_a_wish_is_taken_up_and_a_momentary_command_is_not(void **state)
{
	static const struct {
		enum pm_command action;
		bool taken_up;
	} cases[] = {{PM_COMMAND_POWER_ON, true},  {PM_COMMAND_WAKE, true},
		     {PM_COMMAND_SHUTDOWN, true},  {PM_COMMAND_POWER_OFF, true},
		     {PM_COMMAND_SOFT_OFF, true},  {PM_COMMAND_REBOOT, false},
		     {PM_COMMAND_CYCLE, false},    {PM_COMMAND_RESET, false},
		     {PM_COMMAND_IDENTIFY, false}, {PM_COMMAND_DIAGNOSTIC_INTERRUPT, false},
		     {PM_COMMAND_NONE, false}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		int64_t id = left_when_it_ran(1, cases[i].action);
		char expected[32];

		world_sent_count = 0;
		resume();
		snprintf(expected, sizeof(expected), "%lld:m1;", (long long)id);
		assert_string_equal(journal(), cases[i].taken_up ? expected : "");
		if (cases[i].taken_up) {
			assert_non_null(machines[0]->job);
			pm_job_abort(machines[0], "so that the next can begin");
			assert_string_equal(journal(), "");
		} else {
			assert_result(machines[0], PM_RESULT_INTERRUPTED, "not sent twice");
			assert_non_null(world_told(PM_NOTIFY_JOB_FAILED, 1));
		}
	}
}

static void test_what_has_not_begun_is_taken_up(void **state)
{
	static const enum pm_command momentary[] = {PM_COMMAND_CYCLE, PM_COMMAND_RESET,
						    PM_COMMAND_DIAGNOSTIC_INTERRUPT, PM_COMMAND_REBOOT,
						    PM_COMMAND_IDENTIFY};

	(void)state;
	for (size_t i = 0; i < LENGTH(momentary); i++) {
		left_by_a_crash(1, momentary[i]);
		resume();
		assert_non_null(machines[0]->job);
		pm_job_abort(machines[0], "so that the next can begin");
	}
}

/* Older journals do not have it. */
static void test_what_a_setting_was_to_be_is_not_known(void **state)
{
	struct pm_stored_job job = journal_job(1, PM_COMMAND_NONE);

	(void)state;
	job.origin = PM_ORIGIN_BMC_SETTING;
	journal_insert(&world, job);
	resume();
	assert_result(machines[0], PM_RESULT_INTERRUPTED, "nothing was sent");
}

static void test_resume_is_switched_off(void **state)
{
	(void)state;
	world.agent.inventory->agent.resume = false;
	left_by_a_crash(1, PM_COMMAND_POWER_ON);
	resume();
	assert_result(machines[0], PM_RESULT_INTERRUPTED, "restarted");
	assert_string_equal(journal(), "");
}

/* A wish of long ago may be nobody's any more. */
static void test_what_is_too_old_is_not_taken_up(void **state)
{
	int64_t now_ms = pm_time_ms();

	(void)state;
	left_by_a_crash_at(now_ms - 299000, 1, PM_COMMAND_POWER_ON); /* on-timeout is 300 s */
	left_by_a_crash_at(now_ms - 301000, 2, PM_COMMAND_POWER_ON);
	left_by_a_crash_at(now_ms + 7200000, 3, PM_COMMAND_POWER_ON); /* the clock was set back */
	left_by_a_crash_at(now_ms + 3500000, 4, PM_COMMAND_POWER_ON); /* and by an hour, as it may happen */
	resume();
	assert_non_null(machines[0]->job);
	assert_result(machines[1], PM_RESULT_INTERRUPTED, "time");
	assert_result(machines[2], PM_RESULT_INTERRUPTED, "time"); /* how old it is cannot be told */
	assert_non_null(machines[3]->job);
	assert_string_equal(journal(), "1:m1;4:m4;");
	assert_int_equal(world.agent.jobs_reserved, 0);
}

static const struct pm_stored_job *row_of(const struct pm_machine *machine)
{
	const struct pm_stored_job *row = journal_row(&world, machine->jobs[machine->jobs_count - 1]->id);

	assert_non_null(row);
	return row;
}

static void test_the_journal_knows_who_has_begun(void **state)
{
	int64_t now_ms = pm_time_ms();

	(void)state;
	all_on();
	world.agent.job_max_concurrent = 1;
	request(machines[0], PM_COMMAND_POWER_ON);
	request(machines[1], PM_COMMAND_POWER_ON);
	assert_int_equal(row_of(machines[0])->state, PM_JOB_RUNNING); /* by the SET's own transaction */
	pm_flush(&world.agent);
	assert_in_range(row_of(machines[0])->begin_ms, now_ms, now_ms + 1000);
	assert_int_equal(row_of(machines[1])->state, PM_JOB_SCHEDULED);
	assert_int_equal(row_of(machines[1])->begin_ms, 0);
}

static void all_off(void)
{
	for (size_t i = 0; i < MACHINES; i++)
		bmc_says(machines[i], false);
}

static void test_all_that_begin_together_are_written_together(void **state)
{
	(void)state;
	all_off();
	world.agent.job_max_concurrent = 0;
	for (size_t i = 0; i < MACHINES; i++)
		request(machines[i], i == 1 ? PM_COMMAND_POWER_OFF : PM_COMMAND_RESET);
	world.agent.job_max_concurrent = 3;
	pm_jobs_pump(&world.agent);
	assert_int_equal(row_of(machines[0])->state, PM_JOB_SCHEDULED);
	pm_flush(&world.agent);
	for (size_t i = 0; i < MACHINES; i++)
		assert_int_equal(row_of(machines[i])->state, i < 3 ? PM_JOB_RUNNING : PM_JOB_SCHEDULED);
}

static void ended_at(int64_t end_ms, uint32_t machine)
{
	struct pm_stored_job job = journal_job(machine, PM_COMMAND_POWER_ON);

	job.state = PM_JOB_SUCCEEDED;
	job.result = PM_RESULT_OK;
	job.begin_ms = job.end_ms = end_ms;
	job.not_before_ms = end_ms + (int64_t)job.retain_s * 1000;
	journal_insert(&world, job);
}

/* A job behind many others may wait longer than it may take: that is not for want of an agent. */
static void test_what_waited_is_not_too_old(void **state)
{
	int64_t now_ms = pm_time_ms();

	(void)state;
	left_by_a_crash_at(now_ms - 3600000, 1, PM_COMMAND_POWER_ON); /* waited for an hour */
	left_when_it_ran_since(now_ms - 301000, 2, PM_COMMAND_POWER_ON);
	left_when_it_ran_since(now_ms - 299000, 3, PM_COMMAND_POWER_ON);
	ended_at(now_ms - 200000, 4); /* the agent was there then */
	resume();
	assert_non_null(machines[0]->job);
	assert_result(machines[1], PM_RESULT_INTERRUPTED, "time");
	assert_non_null(machines[2]->job);
}

static void test_nobody_was_there_for_what_waited(void **state)
{
	int64_t now_ms = pm_time_ms();

	(void)state;
	left_by_a_crash_at(now_ms - 3600000, 1, PM_COMMAND_POWER_ON);
	ended_at(now_ms - 301000, 4);
	resume();
	assert_result(machines[0], PM_RESULT_INTERRUPTED, "time");
}

/* Or an agent that dies again and again would begin the same wish for ever. */
static void test_being_taken_up_is_no_new_begin(void **state)
{
	int64_t begin_ms = pm_time_ms() - 200000;

	(void)state;
	left_when_it_ran_since(begin_ms, 1, PM_COMMAND_POWER_ON);
	resume();
	world.agent.job_max_concurrent = 1;
	pm_jobs_pump(&world.agent);
	assert_int_equal(world.agent.jobs_running.count, 1);
	pm_flush(&world.agent);
	assert_int_equal(row_of(machines[0])->not_before_ms, begin_ms);
	assert_int_equal(row_of(machines[0])->begin_ms, begin_ms);
}

static void test_what_is_no_longer_possible_is_told(void **state)
{
	(void)state;
	free(machines[0]->bmc);
	machines[0]->bmc = NULL;
	machines[1]->inhibit = true;
	left_by_a_crash(1, PM_COMMAND_POWER_OFF);
	left_by_a_crash(2, PM_COMMAND_POWER_ON);
	left_by_a_crash(99, PM_COMMAND_POWER_ON); /* is configured no more */
	resume();
	assert_result(machines[0], PM_RESULT_INTERRUPTED, "bmc");
	assert_result(machines[1], PM_RESULT_INTERRUPTED, "inhibited");
	assert_string_equal(journal(), "");
	assert_int_equal(world.agent.jobs_reserved, 0);
}

static void test_two_jobs_of_one_machine(void **state)
{
	(void)state;
	left_by_a_crash(1, PM_COMMAND_POWER_ON);
	left_by_a_crash(1, PM_COMMAND_POWER_ON);
	left_by_a_crash(1, PM_COMMAND_POWER_OFF);
	resume();
	assert_non_null(machines[0]->job);
	assert_string_equal(journal(), "1:m1;");
	assert_int_equal(pm_jobs_active(&world.agent), 1);
}

static void test_many_jobs_are_taken_up_in_their_order(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++)
		left_by_a_crash(99, PM_COMMAND_POWER_ON);
	for (uint32_t i = MACHINES; i > 0; i--)
		left_by_a_crash(i, PM_COMMAND_POWER_ON);
	resume();
	assert_int_equal(world.agent.jobs_waiting.count, MACHINES);
	assert_ptr_equal(world.agent.jobs_waiting.first, machines[MACHINES - 1]->job);
	assert_ptr_equal(world.agent.jobs_waiting.last, machines[0]->job);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_one_job_for_a_machine),
	    TEST(test_inhibited),
	    TEST(test_what_the_machine_has_not),
	    TEST(test_too_many_jobs),
	    TEST(test_taken_back_before_and_after_the_journal),
	    TEST(test_jobs_wait_for_their_turn),
	    TEST(test_a_higher_limit_starts_what_waits),
	    TEST(test_the_end_is_told),
	    TEST(test_aborted_while_it_waits_or_runs),
	    TEST(test_nothing_to_restart),
	    TEST(test_what_runs_at_the_stop_is_taken_up_later),
	    TEST(test_no_job_without_a_journal),
	    TEST(test_taken_back_while_the_journal_cannot_be_written),
	    TEST(test_the_end_is_written_when_it_can_be),
	    TEST(test_the_end_is_on_the_disk_before_it_is_told),
	    TEST(test_a_wish_is_taken_up_and_a_momentary_command_is_not),
	    TEST(test_what_has_not_begun_is_taken_up),
	    TEST(test_what_a_setting_was_to_be_is_not_known),
	    TEST(test_resume_is_switched_off),
	    TEST(test_what_is_too_old_is_not_taken_up),
	    TEST(test_the_journal_knows_who_has_begun),
	    TEST(test_all_that_begin_together_are_written_together),
	    TEST(test_what_waited_is_not_too_old),
	    TEST(test_nobody_was_there_for_what_waited),
	    TEST(test_being_taken_up_is_no_new_begin),
	    TEST(test_what_is_no_longer_possible_is_told),
	    TEST(test_two_jobs_of_one_machine),
	    TEST(test_many_jobs_are_taken_up_in_their_order),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
