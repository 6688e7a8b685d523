/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rows written, jobs that begin and end, a store that is blocked, SETs undone and agents killed, in any order: what memory
 * and the journal have is the same whenever it is written, every count is right, and no cycle is sent twice.
 */
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/job_edits.h"

#define ROUNDS 3000

static const char *const names[] = {"a", "b", "c"};
static sqlite3 *blocker;
static struct {
	int64_t id, created_ms;
} cycled[ROUNDS];
static unsigned cycled_count, compared, kills;

static bool chance(uint32_t one_of)
{
	return repeatable_random(one_of) == 0;
}

/* Accepted again, a row is another job. */
static void note_cycle(const struct ipmi_request *request)
{
	const struct pm_step_run *run = request->data;
	const struct pm_job *job = run->job;

	if (request->command != IPMI_CHASSIS_CONTROL || request->control != IPMI_POWER_CYCLE)
		return;
	for (unsigned i = 0; i < cycled_count; i++)
		if (cycled[i].id == job->id && cycled[i].created_ms == job->created_ms)
			fail_msg("job %lld is cycled twice", (long long)job->id);
	assert_true(cycled_count < LENGTH(cycled));
	cycled[cycled_count].id = job->id;
	cycled[cycled_count++].created_ms = job->created_ms;
}

static void something_happens(void)
{
	static const enum ipmi_result results[] = {IPMI_OK, IPMI_OK, IPMI_TIMEOUT, IPMI_REJECTED};

	switch (repeatable_random(5)) {
	case 0:
		bmc_says(machines[0], chance(2));
		break;
	case 1:
		agent->job_max_concurrent = repeatable_random(3);
		pm_jobs_pump(agent);
		break;
	case 2:
		if (fake_ops)
			fake_bmc_answer(results[repeatable_random(LENGTH(results))]);
		break;
	case 3:
		pm_flush(agent);
		break;
	default:
		run_for(&world, 1);
	}
}

static struct pm_job_edit random_edit(uint32_t *retain_s)
{
	static const enum pm_row_status statuses[] = {0,
						      0,
						      PM_ROW_ACTIVE,
						      PM_ROW_NOT_IN_SERVICE,
						      PM_ROW_CREATE_AND_GO,
						      PM_ROW_CREATE_AND_WAIT,
						      PM_ROW_DESTROY};
	static const enum pm_command actions[] = {PM_COMMAND_POWER_ON, PM_COMMAND_CYCLE, PM_COMMAND_CYCLE,
						  PM_COMMAND_REBOOT, PM_COMMAND_SHUTDOWN};
	struct pm_job_edit edit =
	    edit_of(names[repeatable_random(LENGTH(names))], statuses[repeatable_random(LENGTH(statuses))]);

	if (edit.row_status == PM_ROW_CREATE_AND_GO || chance(4)) {
		edit = with(edit, actions[repeatable_random(LENGTH(actions))]);
		edit.spec.storage = chance(4) ? PM_STORAGE_VOLATILE : PM_STORAGE_NON_VOLATILE;
		edit.spec.dry_run = chance(6);
	}
	edit.label = chance(4) ? "renamed" : NULL;
	*retain_s = repeatable_random(3) * 50;
	edit.retain_s = chance(4) ? retain_s : NULL;
	edit.admin_status = chance(4) ? (chance(2) ? PM_JOB_ENABLED : PM_JOB_DISABLED) : 0;
	return edit;
}

static void set_something(void)
{
	uint32_t retain_s;
	struct pm_job_edit edit = random_edit(&retain_s);
	bool good;

	if (reserve(&edit) < 0)
		return;
	if (chance(2))
		something_happens();
	good = pm_store_begin(agent->store, &err) == 0;
	if (good && pm_job_edit_journal(&edit, &err) < 0) {
		pm_store_rollback(agent->store);
		good = false;
	}
	good = good && pm_store_commit(agent->store, &err) == 0;
	if (good && chance(2))
		something_happens();
	if (good && !chance(8))
		pm_job_edit_release(&edit);
	else
		pm_job_edit_cancel(&edit);
}

static void kill_and_start(void)
{
	if (blocker)
		return;
	kills++;
	freeze_journal(&world);
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
}

static void block_or_not(void)
{
	if (blocker)
		sqlite3_close(blocker);
	blocker = blocker ? NULL : block_store(&world);
}

static void compare_row(const struct pm_job *job)
{
	const struct pm_stored_job *stored = pm_job_is_kept(job) ? journal_row(&world, job->id) : NULL;

	assert_int_equal(job->idle, job->state == PM_JOB_NOT_READY);
	assert_int_equal(job->run != NULL, pm_job_at_work(job));
	if (!pm_job_is_kept(job))
		return;
	assert_non_null(stored);
	assert_int_equal(stored->state, job->state);
	assert_int_equal(stored->result, job->result);
	assert_int_equal(stored->row_status, job->row_status);
	assert_int_equal(stored->enabled, job->enabled);
	assert_int_equal(stored->retain_s, job->retain_s);
}

static void compare(void)
{
	unsigned kept = 0, idle = 0;

	assert_int_equal(agent->jobs->promised, 0);
	assert_int_equal(agent->jobs_reserved, 0);
	if (blocker || pm_flush(agent) < 0)
		return;
	compared++;
	for (size_t i = 0; i < machines[0]->jobs_count; i++) {
		compare_row(machines[0]->jobs[i]);
		kept += pm_job_is_kept(machines[0]->jobs[i]);
		idle += machines[0]->jobs[i]->idle;
	}
	assert_int_equal(machines[0]->jobs_count, agent->jobs->rows);
	assert_int_equal(idle, agent->jobs->idle);
	assert_int_equal(kept, journal_read(&world, false));
}

static void test_anything_in_any_order(void **state)
{
	(void)state;
	fake_bmc_loop = &world.loop;
	fake_bmc_obey = note_cycle;
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (chance(2))
			set_something();
		else
			something_happens();
		if (chance(200))
			kill_and_start();
		if (chance(blocker ? 5 : 100))
			block_or_not();
		compare();
	}
	if (blocker)
		block_or_not();
	print_message("# compared %u times, %u kills, %u cycles\n", compared, kills, cycled_count);
	assert_true(compared > ROUNDS / 2 && kills > 0 && cycled_count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_anything_in_any_order, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("job random", tests, NULL, NULL);
}
