/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a job's steps run: nothing is sent before the journal has it, what happens when that cannot be written, what a step's
 * and a job's time being over comes to, and what is said of all that meanwhile.
 */
#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/jobs.h"

#define MACHINES 4

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine **machines; /* each with a BMC; what they are told is answered by the tests */
static struct pm_error err;

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);

	(void)state;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc_config(&inventory->machines[i], NULL, 623);
		give_nic_configs(&inventory->machines[i], 1);
		inventory->machines[i].off_timeout_s = 1;
	}
	world_begin(&world, inventory);
	machines = agent->machines;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc(machines[i]);
		give_nics(machines[i]);
	}
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = 0;
	fake_bmc_obey = NULL;
	fake_bmc_sent = 0;
	fake_ops = NULL;
	err.text[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	agent->stopping = true;
	pm_jobs_stop(agent);
	assert_null(fake_ops);
	world_end(&world);
	return 0;
}

static struct pm_job *reserve(struct pm_machine *machine, enum pm_command action)
{
	const struct pm_job_request request = pm_job_request_of(machine, action, PM_ORIGIN_COMMAND);
	struct pm_job *job;

	if (pm_job_reserve(&request, &job, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(job);
	return job;
}

/* A whole SET. */
static struct pm_job *request(struct pm_machine *machine, enum pm_command action)
{
	struct pm_job *job = reserve(machine, action);

	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	return job;
}

/* It does not begin with its SET. */
static struct pm_job *request_later(struct pm_machine *machine, enum pm_command action)
{
	uint32_t max = agent->job_max_concurrent;
	struct pm_job *job;

	agent->job_max_concurrent = 0;
	job = request(machine, action);
	agent->job_max_concurrent = max;
	return job;
}

static void wait_for_sync(void)
{
	while (agent->syncing || agent->flush_pending)
		uv_run(&world.loop, UV_RUN_ONCE);
}

static void assert_says(const char *text, const char *word)
{
	if (!strstr(text, word))
		fail_msg("\"%s\" does not say \"%s\"", text, word);
}

static void assert_text(const struct pm_job *job, const char *word)
{
	assert_says(pm_job_text(job), word);
}

/* --- committed before it acts --------------------------------------------------------------------------------------- */

/* The SET's own transaction has it: there is nothing more to write. */
static void test_what_begins_with_its_set_is_sent_at_once(void **state)
{
	struct pm_job *job = request(machines[0], PM_COMMAND_RESET);

	(void)state;
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(fake_bmc_asked(), IPMI_HARD_RESET);
	assert_true(fake_ops->request.once);
	assert_int_equal(journal_row(&world, job->id)->state, PM_JOB_RUNNING);
	assert_text(job, "hard reset is given to the BMC, which has not answered yet");
}

static void test_a_wish_waits_for_the_commit(void **state)
{
	struct pm_job *job = request_later(machines[0], PM_COMMAND_POWER_ON);

	(void)state;
	assert_text(job, "waits until fewer than 64 jobs run");
	pm_jobs_pump(agent);
	assert_int_equal(fake_bmc_sent, 0);
	assert_text(job, "power up was not sent yet; waiting for the journal");
	assert_int_equal(pm_flush(agent), 0);
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(journal_row(&world, job->id)->state, PM_JOB_RUNNING);
}

static void test_what_is_momentary_waits_for_the_disk(void **state)
{
	struct pm_job *job = request_later(machines[0], PM_COMMAND_CYCLE);

	(void)state;
	pm_jobs_pump(agent);
	assert_int_equal(pm_flush(agent), 0);
	assert_int_equal(fake_bmc_sent, 0);
	assert_int_equal(journal_row(&world, job->id)->state, PM_JOB_RUNNING);
	wait_for_sync();
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(fake_bmc_asked(), IPMI_POWER_CYCLE);
}

static void test_jobs_that_begin_together_share_a_commit(void **state)
{
	struct pm_job *jobs[MACHINES];
	uint64_t generation;

	(void)state;
	for (size_t i = 0; i < MACHINES; i++)
		jobs[i] = request_later(machines[i], PM_COMMAND_RESET);
	wait_for_sync();
	generation = agent->flush_generation;
	pm_jobs_pump(agent);
	while (fake_bmc_sent < MACHINES)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(agent->flush_generation, generation + 1);
	for (size_t i = 0; i < MACHINES; i++)
		assert_int_equal(journal_row(&world, jobs[i]->id)->state, PM_JOB_RUNNING);
}

/* After a kill it is waited for, and not sent again. */
static void test_what_was_accepted_is_in_the_journal(void **state)
{
	struct pm_job *job = request(machines[0], PM_COMMAND_CYCLE);
	int64_t id = job->id;

	(void)state;
	fake_bmc_answer(IPMI_OK);
	assert_int_equal(job->state, PM_JOB_VERIFYING);
	assert_int_equal(job->steps[0].state, PM_JOB_VERIFYING);
	assert_text(job, "power cycle was accepted by the BMC 0.0 s ago; waiting for on");
	pm_flush(agent);
	assert_int_equal(journal_row(&world, id)->state, PM_JOB_VERIFYING);
	kill_agent(&world);
	start_agent(&world);
	pm_flush(agent);
	assert_int_equal(fake_bmc_sent, 1);
	job = machines[0]->job;
	assert_non_null(job);
	assert_int_equal(job->state, PM_JOB_VERIFYING);
	assert_text(job, "power cycle was accepted by the BMC before a restart of the agent; waiting for on");
	bmc_says(machines[0], false);
	bmc_says(machines[0], true);
	assert_int_equal(job->result, PM_RESULT_OK);
	assert_text(job, "on, observed by the BMC after a restart of the agent");
	assert_int_equal(fake_bmc_sent, 1);
}

/* The same, killed before the BMC's answer was written: nobody knows. */
static void test_what_may_have_been_sent_is_interrupted(void **state)
{
	(void)state;
	request(machines[0], PM_COMMAND_CYCLE);
	freeze_journal(&world);
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
	assert_null(machines[0]->job);
	assert_int_equal(machines[0]->last_result, PM_RESULT_INTERRUPTED);
	assert_int_equal(machines[0]->jobs[0]->steps[0].state, PM_JOB_INTERRUPTED);
	assert_int_equal(fake_bmc_sent, 1);
}

/* --- the journal cannot be written --------------------------------------------------------------------------------------- */

static void test_momentary_without_a_journal(void **state)
{
	struct pm_job *reset = request_later(machines[0], PM_COMMAND_RESET);
	struct pm_job *cycle = request_later(machines[1], PM_COMMAND_CYCLE);
	struct pm_job *reboot = request_later(machines[2], PM_COMMAND_REBOOT);
	sqlite3 *db = block_store(&world);

	(void)state;
	pm_jobs_pump(agent);
	assert_true(pm_flush(agent) < 0);
	assert_int_equal(fake_bmc_sent, 0);
	assert_int_equal(reset->result, PM_RESULT_INTERNAL_ERROR);
	assert_int_equal(cycle->result, PM_RESULT_INTERNAL_ERROR);
	assert_int_equal(reboot->result, PM_RESULT_INTERNAL_ERROR); /* to be off is no wish of it */
	assert_text(reset, "nothing was sent: the journal can not be written: ");
	assert_text(reset, "locked");
	assert_null(machines[0]->job);
	sqlite3_close(db);
	assert_int_equal(pm_flush(agent), 0);
	assert_int_equal(journal_row(&world, reset->id)->result, PM_RESULT_INTERNAL_ERROR);
	assert_int_equal(journal_read(&world, true), 0);
}

/* Those that wait behind it have their own try. */
static void test_a_store_that_fails_does_not_end_the_queue(void **state)
{
	struct pm_job *second;
	sqlite3 *db;

	(void)state;
	request_later(machines[0], PM_COMMAND_RESET);
	second = request_later(machines[1], PM_COMMAND_RESET);
	agent->job_max_concurrent = 1;
	db = block_store(&world);
	pm_jobs_pump(agent);
	pm_flush(agent);
	assert_int_equal(machines[0]->last_result, PM_RESULT_INTERNAL_ERROR);
	assert_int_equal(second->state, PM_JOB_RUNNING);
	sqlite3_close(db);
	assert_int_equal(pm_flush(agent), 0);
	wait_for_sync();
	assert_int_equal(fake_bmc_sent, 1);
}

static void test_a_wish_waits_for_the_journal(void **state)
{
	struct pm_job *job = request_later(machines[0], PM_COMMAND_POWER_ON);
	sqlite3 *db = block_store(&world);

	(void)state;
	pm_jobs_pump(agent);
	pm_flush(agent);
	assert_int_equal(job->state, PM_JOB_RUNNING);
	assert_int_equal(fake_bmc_sent, 0);
	bmc_says(machines[0], true); /* which does not count yet */
	assert_int_equal(job->state, PM_JOB_RUNNING);
	bmc_says(machines[0], false);
	sqlite3_close(db);
	assert_int_equal(pm_flush(agent), 0);
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(fake_bmc_asked(), IPMI_POWER_UP);
}

static void test_until_its_time_is_over(void **state)
{
	struct pm_job *job = request_later(machines[0], PM_COMMAND_POWER_OFF); /* may take a second */
	sqlite3 *db = block_store(&world);

	(void)state;
	pm_jobs_pump(agent);
	pm_flush(agent);
	while (machines[0]->job)
		uv_run(&world.loop, UV_RUN_ONCE);
	sqlite3_close(db);
	assert_int_equal(job->result, PM_RESULT_INTERNAL_ERROR);
	assert_text(job, "the journal could not be written in time: ");
	assert_int_equal(fake_bmc_sent, 0);
}

/* In a job that runs: the next step is not begun, and the machine is not left where it was not to stay. */
static void test_the_second_step_waits_as_well(void **state)
{
	struct pm_job *job;
	sqlite3 *db;

	(void)state;
	bmc_says(machines[0], true);
	job = request(machines[0], PM_COMMAND_REBOOT);
	fake_bmc_answer(IPMI_OK);
	assert_int_equal(pm_flush(agent), 0);
	db = block_store(&world);
	bmc_says(machines[0], false);
	assert_int_equal(job->steps_done, 2); /* the harder method was not needed */
	assert_int_equal(job->steps[2].state, PM_JOB_RUNNING);
	pm_flush(agent);
	assert_int_equal(fake_bmc_sent, 1);
	sqlite3_close(db);
	assert_int_equal(pm_flush(agent), 0);
	assert_int_equal(fake_bmc_sent, 2);
	assert_int_equal(fake_bmc_asked(), IPMI_POWER_UP);
}

/* --- time is over ---------------------------------------------------------------------------------------------------------- */

static void begin_with_timeout(struct pm_job *job, uint32_t timeout_s)
{
	job->spec.timeout_s = timeout_s;
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
}

static void test_one_step_after_the_other(void **state)
{
	struct pm_job *job;

	(void)state;
	bmc_says(machines[0], true);
	job = request(machines[0], PM_COMMAND_SHUTDOWN);
	assert_int_equal(pm_job_remaining_s(job), 600);
	assert_int_equal(fake_bmc_asked(), IPMI_SOFT_SHUTDOWN);
	fake_bmc_answer(IPMI_OK);
	while (!fake_ops)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(fake_bmc_asked(), IPMI_POWER_DOWN);
	assert_int_equal(job->steps[0].state, PM_JOB_TIMED_OUT);
	assert_int_equal(job->steps[0].result, PM_RESULT_TIMEOUT);
	assert_says(job->steps[0].text, "still on after 1 s");
	assert_int_equal(job->steps_done, 1);
	assert_int_equal(pm_job_progress(job), 50);
	fake_bmc_answer(IPMI_OK);
	bmc_says(machines[0], false);
	assert_int_equal(job->result, PM_RESULT_OK);
	assert_int_equal(pm_job_progress(job), 100);
	assert_text(job, "off, observed by the BMC");
}

static void test_the_jobs_own_timeout(void **state)
{
	struct pm_job *job;

	(void)state;
	bmc_says(machines[0], true);
	machines[0]->config->bmc->timeout_ms = 5000;
	job = reserve(machines[0], PM_COMMAND_SHUTDOWN);
	job->steps[0].timeout_s = 100;
	begin_with_timeout(job, 1);
	fake_bmc_answer(IPMI_OK);
	while (machines[0]->job)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(job->state, PM_JOB_TIMED_OUT);
	assert_int_equal(job->result, PM_RESULT_TIMEOUT);
	assert_text(job, "pmJobTimeout of 1 s is over: soft shutdown was accepted by the BMC 1.0 s before");
	assert_int_equal(job->steps[0].state, PM_JOB_TIMED_OUT);
	assert_int_equal(job->steps[1].state, PM_JOB_NOT_READY); /* nothing further is begun */
	assert_int_equal(job->steps_done, 1);
	assert_int_equal(fake_bmc_sent, 1);
}

static void test_the_timeout_comes_while_the_bmc_is_asked(void **state)
{
	struct pm_job *job = reserve(machines[0], PM_COMMAND_RESET);

	(void)state;
	begin_with_timeout(job, 1);
	while (machines[0]->job)
		uv_run(&world.loop, UV_RUN_ONCE);
	assert_int_equal(job->result, PM_RESULT_TIMEOUT);
	assert_text(job, "hard reset was sent to the BMC, which had not answered");
	assert_null(fake_ops);
}

/* --- aborted ----------------------------------------------------------------------------------------------------------------- */

static void test_what_was_sent_is_told(void **state)
{
	struct pm_job *job = request(machines[0], PM_COMMAND_POWER_ON);

	(void)state;
	pm_job_abort(machines[0], "enough");
	assert_text(job, "enough; power up was sent to the BMC, which had not answered");
	assert_null(fake_ops);
	job = request(machines[1], PM_COMMAND_POWER_ON);
	fake_bmc_answer(IPMI_OK);
	pm_job_abort(machines[1], "enough");
	assert_text(job, "enough; power up was accepted by the BMC 0.0 s before");
	job = request(machines[2], PM_COMMAND_POWER_ON);
	fake_bmc_answer(IPMI_SESSIONS_EXHAUSTED);
	assert_text(job, "power up was not accepted: BMC: ");
	pm_job_abort(machines[2], "enough");
	job = request_later(machines[3], PM_COMMAND_POWER_ON);
	pm_jobs_pump(agent);
	pm_job_abort(machines[3], "enough");
	assert_text(job, "enough; power up was not sent yet");
	assert_int_equal(job->steps[0].state, PM_JOB_ABORTED);
	pm_flush(agent);
	assert_int_equal(fake_bmc_sent, 3);
}

/* --- settings are taken up, too ------------------------------------------------------------------------------------------------- */

static void test_a_setting_is_in_the_journal(void **state)
{
	struct pm_job_request set = {
	    .machine = machines[0],
	    .action = PM_COMMAND_NONE,
	    .origin = PM_ORIGIN_BMC_SETTING,
	    .setting = {.command = IPMI_SET_BOOT_FLAGS, .boot = {IPMI_BOOT_CDROM, true, false}}};
	struct pm_job *job;

	(void)state;
	agent->job_max_concurrent = 0;
	assert_int_equal(pm_job_reserve(&set, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	assert_int_equal(job->steps[0].action, PM_STEP_BMC_CONFIGURE);
	kill_agent(&world);
	start_agent(&world);
	job = machines[0]->job;
	assert_non_null(job);
	assert_string_equal(pm_job_what(job), "set boot flags");
	assert_int_equal(job->spec.setting.boot.device, IPMI_BOOT_CDROM);
	assert_true(job->spec.setting.boot.persistent);
	assert_false(job->spec.setting.boot.efi);
	assert_int_equal(pm_job_reserve(&set, &job, &err), 0);
	assert_null(job); /* the same is under way */
	set.setting.boot.efi = true;
	assert_int_equal(pm_job_reserve(&set, &job, &err), -EBUSY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_begins_with_its_set_is_sent_at_once),
	    TEST(test_a_wish_waits_for_the_commit),
	    TEST(test_what_is_momentary_waits_for_the_disk),
	    TEST(test_jobs_that_begin_together_share_a_commit),
	    TEST(test_what_was_accepted_is_in_the_journal),
	    TEST(test_what_may_have_been_sent_is_interrupted),
	    TEST(test_momentary_without_a_journal),
	    TEST(test_a_store_that_fails_does_not_end_the_queue),
	    TEST(test_a_wish_waits_for_the_journal),
	    TEST(test_until_its_time_is_over),
	    TEST(test_the_second_step_waits_as_well),
	    TEST(test_one_step_after_the_other),
	    TEST(test_the_jobs_own_timeout),
	    TEST(test_the_timeout_comes_while_the_bmc_is_asked),
	    TEST(test_what_was_sent_is_told),
	    TEST(test_a_setting_is_in_the_journal),
	};

	return cmocka_run_group_tests_name("job action", tests, NULL, NULL);
}
