/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of pmJobTable in memory and in the journal: their order, how long they stay, and how many. */
#include "tests/unit/agent/jobs.h"

#include <malloc.h>

#define MACHINES 3

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine **machines; /* each with a BMC and on already */
static struct pm_error err;

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);

	(void)state;
	for (size_t i = 0; i < MACHINES; i++)
		give_bmc_config(&inventory->machines[i], NULL, 623);
	world_begin(&world, inventory);
	machines = agent->machines;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc(machines[i]);
		bmc_says(machines[i], true);
	}
	err.text[0] = '\0';
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

static void restart(void)
{
	kill_agent(&world);
	start_agent(&world);
}

/* A row of a job that has ended `age_s` ago. */
static struct pm_stored_job ended(uint32_t machine, const char *owner, const char *name, uint32_t retain_s,
				  int64_t age_s)
{
	struct pm_stored_job job = journal_job(machine, PM_COMMAND_POWER_ON);

	job.owner = owner;
	job.name = name;
	job.origin = *owner ? PM_ORIGIN_TABLE : PM_ORIGIN_COMMAND;
	job.state = PM_JOB_SUCCEEDED;
	job.result = PM_RESULT_OK;
	job.text = "on, observed by the BMC 12.3 s after the command";
	job.retain_s = retain_s;
	job.end_ms = pm_time_ms() - age_s * 1000;
	job.begin_ms = job.end_ms - 12300;
	job.created_ms = job.begin_ms;
	job.not_before_ms = job.end_ms + (int64_t)retain_s * 1000;
	return job;
}

static void insert(uint32_t machine, const char *owner, const char *name, uint32_t retain_s, int64_t age_s)
{
	journal_insert(&world, ended(machine, owner, name, retain_s, age_s));
}

static const char *names(const struct pm_machine *machine)
{
	static char text[512];
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < machine->jobs_count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s/%s ",
					   machine->jobs[i]->owner, machine->jobs[i]->name);
	return text;
}

static void run_verb(struct pm_machine *machine, uint32_t retain_s)
{
	const struct pm_job_request request = {
	    .machine = machine, .action = PM_COMMAND_POWER_ON, .origin = PM_ORIGIN_COMMAND};
	struct pm_job *job;

	agent->inventory->agent.history_s = retain_s;
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	bmc_says(machine, true);
	assert_null(machine->job);
}

/* --- order ---------------------------------------------------------------------------------------------------------- */

/* As SNMP orders strings that are not IMPLIED: by length first. */
static void test_the_order_of_the_index(void **state)
{
	static const char *const rows[][2] = {{"z", "a"},  {"", "set-10"}, {"aa", "b"},
					      {"z", "b"},  {"aa", "aa"},   {"", "set-9"},
					      {"a", "zz"}, {"a", "y"},     {"", "set-100"}};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		insert(1, rows[i][0], rows[i][1], 3600, 1);
	restart();
	assert_string_equal(names(machines[0]), "/set-9 /set-10 /set-100 a/y a/zz z/a z/b aa/b aa/aa ");
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct pm_job *job = pm_job_find(machines[0], rows[i][0], rows[i][1]);

		assert_non_null(job);
		assert_string_equal(job->owner, rows[i][0]);
		assert_string_equal(job->name, rows[i][1]);
	}
	assert_null(pm_job_find(machines[0], "a", "z"));
	assert_null(pm_job_find(machines[0], "b", "y"));
	assert_null(pm_job_find(machines[1], "a", "y"));
}

static void test_verbs_make_rows(void **state)
{
	uint64_t before = agent->job_rows_changes;
	const struct pm_job *job;

	(void)state;
	run_verb(machines[0], 3600);
	run_verb(machines[0], 3600);
	assert_string_equal(names(machines[0]), "/set-1 /set-2 ");
	assert_int_equal(agent->job_rows_changes, before + 2);
	job = machines[0]->jobs[0];
	assert_int_equal(job->origin, PM_ORIGIN_COMMAND);
	assert_int_equal(job->row_status, PM_ROW_ACTIVE);
	assert_int_equal(job->state, PM_JOB_SUCCEEDED);
	assert_int_equal(job->result, PM_RESULT_ALREADY_IN_STATE);
	assert_int_equal(job->spec.timeout_s, 600);
	assert_int_equal(job->spec.scope, PM_SCOPE_MACHINE);
	assert_int_equal(job->step_count, 1);
	assert_int_equal(job->steps_done, 1);
	assert_int_equal(job->steps[0].action, PM_STEP_BMC_POWER_UP);
	assert_int_equal(job->steps[0].state, PM_JOB_SUCCEEDED);
	assert_int_equal(job->steps[0].result, PM_RESULT_ALREADY_IN_STATE);
	assert_string_equal(pm_job_text(job), job->steps[0].text);
	assert_int_equal(pm_job_progress(job), 100);
	assert_int_equal(pm_job_remaining_s(job), 0);
	assert_null(job->run);
}

static void test_steps_that_were_not_needed(void **state)
{
	const struct pm_job_request request = {
	    .machine = machines[0], .action = PM_COMMAND_SHUTDOWN, .origin = PM_ORIGIN_COMMAND};
	struct pm_job *job;

	(void)state;
	bmc_says(machines[0], false);
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
	assert_int_equal(pm_job_progress(job), 0);
	bmc_says(machines[0], false);
	assert_int_equal(job->state, PM_JOB_SUCCEEDED);
	assert_int_equal(job->step_count, 2);
	assert_int_equal(job->steps_done, 2);
	assert_int_equal(job->steps[1].state, PM_JOB_SUCCEEDED);
	assert_int_equal(job->steps[1].result, PM_RESULT_ALREADY_IN_STATE);
	assert_string_equal(job->steps[1].text, "not needed");
	assert_non_null(strstr(pm_job_text(job), "off already"));
}

/* All that managers saw before the restart, they see after it. */
static void test_rows_are_as_they_were_after_a_restart(void **state)
{
	struct pm_job before;
	struct pm_step step;
	const struct pm_job *job;
	char text[256];

	(void)state;
	run_verb(machines[1], 3600);
	job = machines[1]->jobs[0];
	before = *job;
	step = job->steps[0];
	snprintf(text, sizeof(text), "%s", pm_job_text(job));
	pm_flush(agent);
	restart();
	assert_string_equal(names(machines[1]), "/set-1 ");
	job = machines[1]->jobs[0];
	assert_int_equal(job->id, before.id);
	assert_memory_equal(&job->spec, &before.spec, sizeof(before.spec));
	assert_int_equal(job->state, before.state);
	assert_int_equal(job->result, before.result);
	assert_int_equal(job->begin_ms, before.begin_ms);
	assert_int_equal(job->end_ms, before.end_ms);
	assert_int_equal(job->retain_s, before.retain_s);
	assert_in_range(job->not_before_ms, before.not_before_ms - 1, before.not_before_ms + 1);
	assert_string_equal(pm_job_text(job), text);
	assert_int_equal(job->step_count, 1);
	assert_int_equal(job->steps_done, 1);
	assert_int_equal(job->steps[0].action, step.action);
	assert_int_equal(job->steps[0].state, step.state);
	assert_int_equal(job->steps[0].start_ms, step.start_ms);
	assert_int_equal(job->steps[0].end_ms, step.end_ms);
	assert_string_equal(job->steps[0].text, text);
}

/* --- how long they stay ---------------------------------------------------------------------------------------------- */

static void test_a_row_goes_when_its_time_is_over(void **state)
{
	(void)state;
	insert(1, "op", "now", 1, 0);
	insert(1, "op", "later", 3600, 0);
	insert(2, "op", "long ago", 10, 3600);
	restart();
	run_for(&world, 5);
	assert_string_equal(names(machines[1]), "");
	assert_string_equal(names(machines[0]), "op/now op/later ");
	run_for(&world, 1100);
	assert_string_equal(names(machines[0]), "op/later ");
	pm_flush(agent);
	assert_int_equal(journal_read(&world, false), 1); /* nor does the journal have them */
}

static void test_kept_for_no_time_at_all(void **state)
{
	(void)state;
	run_verb(machines[0], 0);
	run_for(&world, 5);
	assert_int_equal(machines[0]->jobs_count, 0);
	pm_flush(agent);
	assert_int_equal(journal_read(&world, false), 0);
	assert_int_equal(machines[0]->last_result, PM_RESULT_ALREADY_IN_STATE);
	world_drain(&world);
	assert_non_null(world_told(PM_NOTIFY_JOB_FINISHED, 1));
}

static void test_many_go_in_turn(void **state)
{
	struct pm_stored_job job = ended(1, "op", "", 10, 20);
	char name[16];

	(void)state;
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		job.name = name;
		job.machine = 1 + (uint32_t)i % MACHINES;
		assert_int_equal(pm_store_job_insert(agent->store, &job, &err), 0);
	}
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	restart();
	assert_int_equal(machines[0]->jobs_count + machines[1]->jobs_count + machines[2]->jobs_count, 300);
	run_for(&world, 1);
	assert_true(machines[0]->jobs_count > 0); /* the loop is not held up */
	run_for(&world, 300);
	assert_int_equal(machines[0]->jobs_count + machines[1]->jobs_count + machines[2]->jobs_count, 0);
}

static void test_who_goes_next_whatever_the_order(void **state)
{
	static const uint32_t retains[] = {50, 10, 40, 30, 20, 60, 70, 25};
	char name[16];

	(void)state;
	for (size_t i = 0; i < LENGTH(retains); i++) {
		snprintf(name, sizeof(name), "%u", retains[i]);
		insert(1, "op", name, retains[i], 15);
	}
	restart();
	run_for(&world, 2);
	assert_string_equal(names(machines[0]), "op/20 op/25 op/30 op/40 op/50 op/60 op/70 ");
	pm_jobs_forget(machines[0]); /* out of the middle */
	assert_int_equal(machines[0]->jobs_count, 0);
}

/* --- how many -------------------------------------------------------------------------------------------------------- */

#define SOME 7 /* more than there is room for */

static void fill_journal(unsigned count)
{
	struct pm_stored_job job = ended(1, "", NULL, 2592000, 0);
	struct pm_stored_step step = {.index = 1,
				      .action = PM_STEP_BMC_POWER_UP,
				      .level = 1,
				      .goal = PM_POWER_ON,
				      .timeout_s = 300,
				      .state = PM_JOB_SUCCEEDED,
				      .result = PM_RESULT_OK,
				      .text = job.text};

	step.start_ms = step.end_ms = job.end_ms;
	assert_int_equal(pm_store_begin_quick(agent->store, &err), 0);
	for (unsigned i = 0; i < count; i++) {
		job.machine = 1 + i % MACHINES;
		job.not_before_ms++;
		job.end_ms++;
		assert_int_equal(pm_store_job_insert(agent->store, &job, &err), 0);
		step.job = job.id;
		assert_int_equal(pm_store_step_put(agent->store, &step, &err), 0);
	}
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
}

static size_t rows(void)
{
	return machines[0]->jobs_count + machines[1]->jobs_count + machines[2]->jobs_count;
}

/* A history of a hundred thousand, one step each: who ended first goes first. */
static void test_a_hundred_thousand_and_no_more(void **state)
{
	struct mallinfo2 before, after;
	uint64_t start_ns;

	(void)state;
	fill_journal(PM_JOBS_ENDED_MAX + SOME);
	kill_agent(&world);
	before = mallinfo2();
	start_ns = uv_hrtime();
	start_agent(&world);
	after = mallinfo2();
	print_message("# %u rows: loaded in %.2f s, %zu octets each\n", PM_JOBS_ENDED_MAX,
		      (double)(uv_hrtime() - start_ns) / 1e9,
		      (after.uordblks - before.uordblks) / PM_JOBS_ENDED_MAX);
	assert_true((after.uordblks - before.uordblks) / PM_JOBS_ENDED_MAX <= 520);
	assert_int_equal(rows(), PM_JOBS_ENDED_MAX);
	assert_null(pm_job_find(machines[0], "", "set-7"));
	assert_non_null(pm_job_find(machines[1], "", "set-8"));
	run_verb(machines[0], 3600);
	assert_int_equal(rows(), PM_JOBS_ENDED_MAX);
	assert_null(pm_job_find(machines[1], "", "set-8"));
	pm_flush(agent);
	agent->jobs_held = true;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_order_of_the_index),
	    TEST(test_verbs_make_rows),
	    TEST(test_steps_that_were_not_needed),
	    TEST(test_rows_are_as_they_were_after_a_restart),
	    TEST(test_a_row_goes_when_its_time_is_over),
	    TEST(test_kept_for_no_time_at_all),
	    TEST(test_many_go_in_turn),
	    TEST(test_who_goes_next_whatever_the_order),
	    TEST(test_a_hundred_thousand_and_no_more),
	};

	return cmocka_run_group_tests_name("job rows", tests, NULL, NULL);
}
