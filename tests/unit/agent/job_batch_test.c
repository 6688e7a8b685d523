/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs that begin one after another: never closer together than asked for, whatever happens to those before them. */
#include "agent/job_batch.h"
#include "tests/unit/agent/jobs.h"

#define MACHINES   5
#define STAGGER_MS 40

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine **machines; /* on already: a powerOn runs until a fresh answer confirms it */
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
	assert_null(agent->batches);
	assert_int_equal(agent->jobs_staggered, 0);
	assert_int_equal(agent->jobs_reserved, 0);
	world_end(&world);
	return 0;
}

static void add(struct pm_batch *batch, size_t machine)
{
	const struct pm_job_request request = {
	    .machine = machines[machine], .action = PM_COMMAND_POWER_ON, .origin = PM_ORIGIN_GROUP};
	struct pm_job *job;

	if (pm_batch_reserve(batch, &request, &job, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(job);
}

/* All machines but the first `from`, in the journal. */
static struct pm_batch *journalled(size_t from, uint32_t stagger_ms)
{
	struct pm_batch *batch = pm_batch_new(agent, stagger_ms);

	for (size_t i = from; i < MACHINES; i++)
		add(batch, i);
	assert_int_equal(pm_batch_journal(batch, 0, &err), 0);
	return batch;
}

static void release(size_t from, uint32_t stagger_ms)
{
	pm_batch_release(journalled(from, stagger_ms), 0);
}

/* When the machine's job has begun; 0: it has not. */
static int64_t begun_ms(size_t machine)
{
	const struct pm_machine *of = machines[machine];

	return of->jobs_count ? of->jobs[of->jobs_count - 1]->begin_ms : 0;
}

static bool has_begun(size_t machine)
{
	return begun_ms(machine) != 0;
}

static void wait_for(size_t machine)
{
	while (!has_begun(machine))
		uv_run(&world.loop, UV_RUN_ONCE);
}

/* A stagger or more from one to the next; clocks count whole milliseconds. */
static void assert_apart(size_t one, size_t next)
{
	wait_for(next);
	assert_true(begun_ms(next) - begun_ms(one) >= STAGGER_MS - 1);
}

static void assert_only_begun(size_t count)
{
	for (size_t i = 0; i < MACHINES; i++)
		assert_int_equal(has_begun(i), i < count);
}

static unsigned unfinished(void)
{
	pm_flush(agent);
	return journal_read(&world, true);
}

/* --- turns ------------------------------------------------------------------------------------------------------ */

static void test_without_a_stagger_all_begin_at_once(void **state)
{
	(void)state;
	release(0, 0);
	assert_only_begun(MACHINES);
	assert_null(agent->batches);
	assert_int_equal(pm_jobs_active(agent), MACHINES);
}

static void test_one_after_another(void **state)
{
	(void)state;
	release(0, STAGGER_MS);
	assert_only_begun(1); /* the first at once */
	assert_int_equal(pm_jobs_active(agent), MACHINES);
	assert_int_equal(agent->jobs_running.count, 1);
	assert_int_equal(agent->jobs_waiting.count, 0);
	for (size_t i = 1; i < MACHINES; i++)
		assert_apart(i - 1, i);
	assert_int_equal(agent->jobs_running.count, MACHINES);
	assert_null(agent->batches); /* nobody is left to have a turn */
}

/* Jobs outside of the batch do not queue up behind it. */
static void test_others_are_not_held_up(void **state)
{
	struct pm_batch *batch = pm_batch_new(agent, 3600000);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		add(batch, i);
	assert_int_equal(pm_batch_journal(batch, 0, &err), 0);
	pm_batch_release(batch, 0);
	release(3, 0);
	assert_true(has_begun(3));
	assert_true(has_begun(4));
	assert_false(has_begun(1));
	assert_int_equal(pm_jobs_active(agent), MACHINES);
}

static void test_two_batches_have_their_own_clocks(void **state)
{
	struct pm_batch *batch = pm_batch_new(agent, 3600000);

	(void)state;
	add(batch, 0);
	add(batch, 1);
	assert_int_equal(pm_batch_journal(batch, 0, &err), 0);
	pm_batch_release(batch, 0);
	release(2, STAGGER_MS);
	wait_for(4);
	assert_false(has_begun(1));
}

/* The distance counts from the begin, not from the turn: who waits for room holds up those behind it. */
static void test_the_limit_of_running_jobs_holds(void **state)
{
	(void)state;
	agent->job_max_concurrent = 1;
	release(0, STAGGER_MS);
	run_for(&world, 4 * STAGGER_MS);
	assert_only_begun(1);
	assert_int_equal(agent->jobs_waiting.count, 1); /* has its turn */
	bmc_says(machines[0], true);                    /* and now there is room */
	assert_only_begun(2);
	bmc_says(machines[1], true);
	assert_only_begun(2); /* there is room, but it is too early */
	assert_apart(1, 2);
}

static void test_each_ends_before_the_next_begins(void **state)
{
	(void)state;
	release(0, STAGGER_MS);
	for (size_t i = 0; i < MACHINES; i++) {
		wait_for(i);
		bmc_says(machines[i], true);
		assert_null(machines[i]->job);
	}
	assert_int_equal(pm_jobs_active(agent), 0);
	assert_null(agent->batches);
	assert_int_equal(unfinished(), 0);
}

/* --- leaving --------------------------------------------------------------------------------------------------------- */

static void test_aborted_before_its_turn(void **state)
{
	(void)state;
	release(0, STAGGER_MS);
	pm_job_abort(machines[1], "no longer wanted");
	pm_job_abort(machines[3], "no longer wanted");
	assert_int_equal(machines[1]->last_result, PM_RESULT_ABORTED);
	assert_int_equal(pm_jobs_active(agent), 3);
	assert_apart(0, 2);
	assert_apart(2, 4);
	assert_false(has_begun(1));
	assert_false(has_begun(3));
	assert_int_equal(unfinished(), 3);
}

static void test_aborted_while_it_has_its_turn(void **state)
{
	(void)state;
	agent->job_max_concurrent = 1;
	release(0, STAGGER_MS);
	run_for(&world, 2 * STAGGER_MS);
	pm_job_abort(machines[1], "no longer wanted"); /* waits for room */
	assert_int_equal(agent->jobs_waiting.count, 1);
	bmc_says(machines[0], true);
	assert_true(has_begun(2));
	assert_false(has_begun(1));
}

static void test_all_are_aborted(void **state)
{
	(void)state;
	release(0, STAGGER_MS);
	for (size_t i = MACHINES; i-- > 0;)
		pm_job_abort(machines[i], "no longer wanted");
	assert_null(agent->batches);
	assert_int_equal(pm_jobs_active(agent), 0);
	run_for(&world, 2 * STAGGER_MS);
	assert_only_begun(1);
	assert_int_equal(unfinished(), 0);
}

/* --- inhibited ---------------------------------------------------------------------------------------------------------- */

static void test_inhibit_stops_those_that_have_not_begun(void **state)
{
	(void)state;
	release(0, STAGGER_MS);
	agent->inhibit = true;
	pm_jobs_inhibited(agent);
	assert_non_null(machines[0]->job); /* has begun */
	for (size_t i = 1; i < MACHINES; i++) {
		assert_int_equal(machines[i]->last_result, PM_RESULT_ABORTED);
		assert_string_equal(machines[i]->last_result_text,
				    "all actions are inhibited (pmAgentInhibit)");
	}
	assert_null(agent->batches);
	agent->inhibit = false;
	run_for(&world, 2 * STAGGER_MS);
	assert_only_begun(1); /* they do not come back */
	assert_int_equal(unfinished(), 1);
}

static void test_inhibit_of_some_members(void **state)
{
	(void)state;
	agent->job_max_concurrent = 1;
	release(0, STAGGER_MS);
	run_for(&world, 2 * STAGGER_MS);
	assert_int_equal(agent->jobs_waiting.count, 1); /* the second has its turn */
	machines[1]->inhibit = machines[3]->inhibit = true;
	strcpy(machines[3]->inhibit_reason, "hands inside");
	pm_jobs_inhibited(agent);
	assert_string_equal(machines[1]->last_result_text, "machine m2 is inhibited: no reason given");
	assert_string_equal(machines[3]->last_result_text, "machine m4 is inhibited: hands inside");
	agent->job_max_concurrent = 0xff;
	pm_jobs_pump(agent);
	assert_apart(2, 4);
	assert_false(has_begun(1) || has_begun(3));
}

/* In one SET: the jobs are released after it was inhibited. */
static void test_inhibit_and_a_verb_at_the_same_time(void **state)
{
	struct pm_batch *at_once = pm_batch_new(agent, 0), *staggered = pm_batch_new(agent, STAGGER_MS);

	(void)state;
	for (size_t i = 0; i < 2; i++)
		add(at_once, i);
	for (size_t i = 2; i < MACHINES; i++)
		add(staggered, i);
	assert_int_equal(pm_batch_journal(at_once, 0, &err), 0);
	assert_int_equal(pm_batch_journal(staggered, 0, &err), 0);
	agent->inhibit = true;
	pm_jobs_inhibited(agent);
	pm_batch_release(staggered, 0);
	pm_batch_release(at_once, 0);
	assert_only_begun(0);
	assert_null(agent->batches);
	assert_int_equal(unfinished(), 0);
}

/* --- undo -------------------------------------------------------------------------------------------------------------- */

static void assert_as_if_nothing_had_been_asked(void)
{
	assert_int_equal(agent->jobs_reserved, 0);
	assert_int_equal(pm_jobs_active(agent), 0);
	for (size_t i = 0; i < MACHINES; i++) {
		assert_null(machines[i]->job);
		assert_int_equal(machines[i]->last_result, PM_RESULT_NONE);
		assert_false(has_begun(i));
	}
}

static void test_taken_back_before_the_journal(void **state)
{
	struct pm_batch *batch = pm_batch_new(agent, STAGGER_MS);

	(void)state;
	add(batch, 0);
	add(batch, 1);
	assert_int_equal(pm_batch_count(batch), 2);
	assert_int_equal(agent->jobs_reserved, 2);
	pm_batch_cancel(batch);
	assert_as_if_nothing_had_been_asked();
	pm_batch_cancel(pm_batch_new(agent, 0)); /* of none */
}

static void test_taken_back_after_the_journal(void **state)
{
	struct pm_batch *batch = journalled(0, STAGGER_MS);

	(void)state;
	assert_int_equal(unfinished(), MACHINES);
	pm_batch_cancel(batch);
	assert_int_equal(unfinished(), 0);
	assert_as_if_nothing_had_been_asked();
}

static void test_taken_back_after_a_rollback(void **state)
{
	struct pm_batch *batch;

	(void)state;
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	batch = journalled(0, STAGGER_MS);
	pm_store_rollback(agent->store);
	pm_batch_cancel(batch);
	assert_int_equal(unfinished(), 0);
	assert_as_if_nothing_had_been_asked();
}

/* Nor is it done after a restart when the journal cannot forget it just now. */
static void test_taken_back_while_the_journal_cannot_be_written(void **state)
{
	struct pm_batch *batch = journalled(0, STAGGER_MS);
	sqlite3 *db = block_store(&world);

	(void)state;
	pm_batch_cancel(batch);
	sqlite3_close(db);
	assert_int_equal(unfinished(), 0);
	assert_as_if_nothing_had_been_asked();
}

/* A SET may be under way when the agent stops; it is undone after its jobs have been stopped. */
static void test_a_stop_between_reserve_and_release(void **state)
{
	struct pm_batch *batch = pm_batch_new(agent, STAGGER_MS);

	(void)state;
	release(2, STAGGER_MS);
	add(batch, 0);
	agent->stopping = true;
	pm_jobs_stop(agent);
	assert_int_equal(agent->jobs_reserved, 1);
	pm_batch_cancel(batch);
	assert_int_equal(unfinished(), MACHINES - 2); /* to be taken up */
}

/* --- after a restart ---------------------------------------------------------------------------------------------------- */

static void restart(void)
{
	pm_flush(agent);
	kill_agent(&world);
	start_agent(&world);
}

static void test_the_rest_still_begins_one_after_another(void **state)
{
	(void)state;
	release(0, STAGGER_MS);
	wait_for(1);
	restart();
	assert_true(has_begun(0) && has_begun(1)); /* had begun, and need not wait again */
	assert_int_equal(pm_jobs_active(agent), MACHINES);
	for (size_t i = 3; i < MACHINES; i++)
		assert_apart(i - 1, i);
}

static void test_who_was_before_the_restart_counts(void **state)
{
	(void)state;
	release(0, 3600000);
	restart();
	run_for(&world, 50);
	assert_only_begun(1);
}

static void left_by_a_crash(uint32_t machine, int64_t created_ms, uint32_t place, uint32_t stagger_ms)
{
	struct pm_stored_job job = journal_job(machine, PM_COMMAND_POWER_ON);

	job.origin = PM_ORIGIN_GROUP;
	job.created_ms = created_ms;
	job.not_before_ms = created_ms + (int64_t)place * stagger_ms;
	job.stagger_ms = stagger_ms;
	journal_insert(&world, job);
}

/* All of a rack would be late by then: they do not begin together for that. */
static void test_a_long_absence_lets_none_begin_together(void **state)
{
	int64_t start_ms = pm_time_ms() - 10000;

	(void)state;
	for (uint32_t i = 0; i < MACHINES; i++)
		left_by_a_crash(i + 1, start_ms, i, STAGGER_MS);
	restart();
	assert_only_begun(1);
	for (size_t i = 1; i < MACHINES; i++)
		assert_apart(i - 1, i);
}

/* The last of many may be planned for much later than it may take. */
static void test_its_time_counts_from_its_turn(void **state)
{
	int64_t now_ms = pm_time_ms();

	(void)state;
	left_by_a_crash(1, now_ms - 700000, 1, 500000); /* 200 s ago; on-timeout is 300 s */
	left_by_a_crash(2, now_ms - 700000, 2, 500000); /* in 300 s */
	left_by_a_crash(3, now_ms - 900000, 1, 500000); /* 400 s ago */
	restart();
	assert_non_null(machines[0]->job);
	assert_non_null(machines[1]->job);
	assert_null(machines[2]->job);
	assert_int_equal(machines[2]->last_result, PM_RESULT_INTERRUPTED);
}

/* The clock was set back meanwhile: nobody waits longer for it than from one to the next. */
static void test_a_plan_in_the_far_future(void **state)
{
	int64_t now_ms = pm_time_ms();

	(void)state;
	left_by_a_crash(1, now_ms - 100, 1000000, STAGGER_MS);
	restart();
	assert_only_begun(0);
	wait_for(0);
}

static void test_batches_of_two_sets_stay_apart(void **state)
{
	int64_t start_ms = pm_time_ms() - 1000;

	(void)state;
	left_by_a_crash(1, start_ms, 0, 3600000);
	left_by_a_crash(2, start_ms, 1, 3600000);
	left_by_a_crash(3, start_ms + 1, 0, STAGGER_MS);
	left_by_a_crash(4, start_ms + 1, 1, STAGGER_MS);
	left_by_a_crash(5, start_ms + 2, 0, 0);
	restart();
	assert_true(has_begun(0) && has_begun(2) && has_begun(4));
	wait_for(3);
	assert_false(has_begun(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_without_a_stagger_all_begin_at_once),
	    TEST(test_one_after_another),
	    TEST(test_others_are_not_held_up),
	    TEST(test_two_batches_have_their_own_clocks),
	    TEST(test_the_limit_of_running_jobs_holds),
	    TEST(test_each_ends_before_the_next_begins),
	    TEST(test_aborted_before_its_turn),
	    TEST(test_aborted_while_it_has_its_turn),
	    TEST(test_all_are_aborted),
	    TEST(test_inhibit_stops_those_that_have_not_begun),
	    TEST(test_inhibit_of_some_members),
	    TEST(test_inhibit_and_a_verb_at_the_same_time),
	    TEST(test_taken_back_before_the_journal),
	    TEST(test_taken_back_after_the_journal),
	    TEST(test_taken_back_after_a_rollback),
	    TEST(test_taken_back_while_the_journal_cannot_be_written),
	    TEST(test_a_stop_between_reserve_and_release),
	    TEST(test_the_rest_still_begins_one_after_another),
	    TEST(test_who_was_before_the_restart_counts),
	    TEST(test_a_long_absence_lets_none_begin_together),
	    TEST(test_its_time_counts_from_its_turn),
	    TEST(test_a_plan_in_the_far_future),
	    TEST(test_batches_of_two_sets_stay_apart),
	};

	return cmocka_run_group_tests_name("job batch", tests, NULL, NULL);
}
