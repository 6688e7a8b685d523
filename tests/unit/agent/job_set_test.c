/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A SET takes several steps, and the disk may be full in one of them: meanwhile jobs begin and end, transactions are rolled
 * back, and SETs undone. Nothing is lost then, nothing done twice, and the journal has what is so.
 */
#include "agent/group.h"
#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/jobs.h"

#define MACHINES 4

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine **machines;
static struct pm_error err;

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);

	(void)state;
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc_config(&inventory->machines[i], NULL, 623);
		give_nic_configs(&inventory->machines[i], 1);
	}
	give_group(inventory, "all", 0, MACHINES);
	world_begin(&world, inventory);
	machines = agent->machines;
	pm_groups_rebuild(agent, false);
	for (size_t i = 0; i < MACHINES; i++) {
		give_bmc(machines[i]);
		give_nics(machines[i]);
		bmc_says(machines[i], true);
	}
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = 0;
	fake_bmc_sent = 0;
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

static struct pm_job *row(const char *name)
{
	return pm_job_find(machines[0], "op", name);
}

static struct pm_job_edit edit_of(const char *name, enum pm_row_status row_status)
{
	bool creates = row_status == PM_ROW_CREATE_AND_GO || row_status == PM_ROW_CREATE_AND_WAIT;
	struct pm_job_edit edit = {
	    .machine = machines[0], .owner = "op", .name = name, .job = row(name), .row_status = row_status};

	if (edit.job && !creates)
		edit.spec = edit.job->spec;
	else
		pm_job_spec_defaults(&edit.spec);
	return edit;
}

static struct pm_job_edit with(struct pm_job_edit edit, enum pm_command action)
{
	edit.spec.action = action;
	edit.spec.scope = PM_SCOPE_MACHINE;
	edit.spec_set = true;
	return edit;
}

static struct pm_job_edit create(const char *name, enum pm_command action)
{
	return with(edit_of(name, PM_ROW_CREATE_AND_GO), action);
}

static void reserve(struct pm_job_edit *edit)
{
	if (pm_job_edit_reserve(edit, &err) < 0)
		fail_msg("%s", err.text);
}

static void journal(struct pm_job_edit *edit)
{
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	if (pm_job_edit_journal(edit, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
}

static void set(struct pm_job_edit edit)
{
	reserve(&edit);
	journal(&edit);
	pm_job_edit_release(&edit);
}

static void restart(void)
{
	pm_flush(agent);
	kill_agent(&world);
	start_agent(&world);
}

/* Killed now: nothing more is written. */
static void die_and_start(void)
{
	freeze_journal(&world);
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
}

/* --- ids of a transaction that was rolled back --- */

static struct pm_job *verb(struct pm_machine *machine)
{
	const struct pm_job_request request = {
	    .machine = machine, .action = PM_COMMAND_POWER_ON, .origin = PM_ORIGIN_COMMAND};
	struct pm_job *job;

	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_non_null(job);
	return job;
}

/* The disk is full for a moment: a SET fails at its commit, the one after it is good. */
static void test_id_of_a_rolled_back_set(void **state)
{
	struct pm_job *first = verb(machines[0]), *second;
	sqlite3 *db;

	(void)state;
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_job_journal(first, &err), 0);
	pm_store_rollback(agent->store); /* the commit failed */
	db = block_store(&world);
	pm_job_cancel(first); /* and so does the flush */
	sqlite3_close(db);
	second = verb(machines[1]);
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_job_journal(second, &err), 0);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	pm_job_release(second);
	assert_non_null(journal_row(&world, second->id));
	pm_flush(agent); /* tried again, two seconds later */
	assert_true(pm_job_at_work(second));
	assert_non_null(journal_row(&world, second->id));
}

static unsigned groups;

static void count_group(const struct pm_stored_group *group, void *data)
{
	(void)group;
	(void)data;
	groups++;
}

/* No flush is even tried: the record of the first command is in the way of the second. */
static void test_id_of_a_rolled_back_group(void **state)
{
	struct pm_group_command *command;
	struct pm_group *group = pm_agent_group(agent, "all");
	sqlite3 *db;

	(void)state;
	assert_int_equal(pm_group_reserve(group, PM_COMMAND_POWER_ON, 0, &command, &err), 0);
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_group_journal(command, &err), 0);
	pm_store_rollback(agent->store);
	db = block_store(&world);
	pm_group_cancel(command);
	sqlite3_close(db);
	assert_int_equal(pm_group_reserve(group, PM_COMMAND_POWER_ON, 0, &command, &err), 0);
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_group_journal(command, &err), 0);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	pm_group_release(command);
	pm_flush(agent);
	groups = 0;
	assert_int_equal(pm_store_groups_load(agent->store, count_group, NULL, &err), 0);
	assert_int_equal(journal_read(&world, true), MACHINES);
	assert_int_equal(groups, 1);
}

/* --- what a SET writes is how the row was when it was reserved --- */

static struct pm_job_edit label_of(const char *name)
{
	struct pm_job_edit edit = edit_of(name, 0);

	edit.label = "renamed";
	return edit;
}

/* The job ends between TestSet and CommitSet of a label. */
static void test_ends_before_the_commit(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	edit = label_of("go");
	reserve(&edit);
	bmc_says(machines[0], true);
	assert_int_equal(row("go")->state, PM_JOB_SUCCEEDED);
	journal(&edit);
	pm_job_edit_release(&edit);
	pm_flush(agent);
	run_for(&world, 50);
	assert_non_null(row("go")); /* retain is an hour */
	assert_int_equal(journal_row(&world, row("go")->id)->state, PM_JOB_SUCCEEDED);
}

/* The same between CommitSet and CleanupSet. */
static void test_ends_after_the_commit(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	run_for(&world, 20);
	edit = label_of("go");
	reserve(&edit);
	journal(&edit);
	bmc_says(machines[0], true);
	assert_int_equal(row("go")->state, PM_JOB_SUCCEEDED);
	pm_job_edit_release(&edit);
	run_for(&world, 50);
	assert_non_null(row("go")); /* retain is an hour */
}

/* The same for what the journal has. */
static void test_the_end_is_in_the_journal(void **state)
{
	struct pm_job_edit edit;
	int64_t id;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	id = row("go")->id;
	edit = label_of("go");
	reserve(&edit);
	bmc_says(machines[0], true);
	journal(&edit);
	pm_job_edit_release(&edit);
	pm_flush(agent);
	assert_int_equal(journal_row(&world, id)->state, PM_JOB_SUCCEEDED);
}

/* A job that waits begins between TestSet and CommitSet of a label: a cycle is sent, the agent is killed, and it is sent again. */
static void test_begins_before_the_commit(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	agent->job_max_concurrent = 0;
	set(create("go", PM_COMMAND_CYCLE));
	pm_flush(agent);
	edit = label_of("go");
	reserve(&edit);
	agent->job_max_concurrent = 10;
	pm_jobs_pump(agent);
	assert_int_equal(row("go")->state, PM_JOB_RUNNING);
	journal(&edit);
	pm_job_edit_release(&edit);
	run_for(&world, 400);
	assert_int_equal(fake_bmc_sent, 1);
	assert_int_equal(journal_row(&world, row("go")->id)->state, PM_JOB_RUNNING);
}

static void test_and_is_sent_twice(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	agent->job_max_concurrent = 0;
	set(create("go", PM_COMMAND_CYCLE));
	pm_flush(agent);
	edit = label_of("go");
	reserve(&edit);
	agent->job_max_concurrent = 10;
	pm_jobs_pump(agent);
	journal(&edit);
	pm_job_edit_release(&edit);
	run_for(&world, 400);
	assert_int_equal(fake_bmc_sent, 1);
	die_and_start();
	run_for(&world, 100);
	bmc_says(machines[0], true);
	run_for(&world, 400);
	assert_int_equal(fake_bmc_sent, 1);
	assert_null(machines[0]->job);
}

/* It begins and ends in between: the journal has a job that has not begun, with steps that have ended. */
static void test_begins_and_ends_before_the_commit(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	agent->job_max_concurrent = 0;
	set(create("go", PM_COMMAND_POWER_ON));
	pm_flush(agent);
	edit = label_of("go");
	reserve(&edit);
	agent->job_max_concurrent = 10;
	pm_jobs_pump(agent);
	bmc_says(machines[0], true);
	assert_int_equal(row("go")->state, PM_JOB_SUCCEEDED);
	journal(&edit);
	pm_job_edit_release(&edit);
	restart();
	assert_null(machines[0]->job);
}

/* An abort whose job has ended before its commit. */
static void test_abort_of_what_has_ended(void **state)
{
	struct pm_job_edit edit;
	int64_t id;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	id = row("go")->id;
	edit = edit_of("go", 0);
	edit.admin_status = PM_JOB_DISABLED;
	reserve(&edit);
	bmc_says(machines[0], true);
	journal(&edit);
	pm_job_edit_release(&edit);
	pm_flush(agent);
	assert_int_equal(journal_row(&world, id)->state, PM_JOB_SUCCEEDED);
}

/* --- a gate that nobody opens --- */

static void test_gate_after_a_label(void **state)
{

	(void)state;
	agent->notify_enable = false;
	agent->job_max_concurrent = 0;
	set(create("go", PM_COMMAND_CYCLE));
	pm_flush(agent);
	agent->job_max_concurrent = 10;
	pm_jobs_pump(agent);
	assert_non_null(row("go")->run->first->gate);
	set(label_of("go")); /* before the flush */
	run_for(&world, 1000);
	assert_null(row("go")->run->first->gate);
	assert_int_equal(fake_bmc_sent, 1);
}

/* --- a promise that is not kept --- */

static unsigned first_step_state;

static void note_step(const struct pm_stored_step *step, void *data)
{
	if (step->job == *(int64_t *)data && step->index == 1)
		first_step_state = step->state;
}

static unsigned step_in_journal(int64_t id)
{
	first_step_state = 0;
	assert_int_equal(pm_store_steps_load(agent->store, 0, note_step, &id, &err), 0);
	return first_step_state;
}

static struct pm_job_edit unkept(void)
{
	struct pm_job_edit edit = create("go", PM_COMMAND_CYCLE);

	reserve(&edit);
	journal(&edit);
	agent->job_max_concurrent = 0; /* another job has taken the place */
	pm_job_edit_release(&edit);
	pm_flush(agent);
	return edit;
}

static void test_steps_of_an_unkept_promise(void **state)
{
	(void)state;
	unkept();
	assert_int_equal(journal_row(&world, row("go")->id)->state, PM_JOB_SCHEDULED);
	assert_int_equal(step_in_journal(row("go")->id), PM_JOB_SCHEDULED);
}

static void test_begin_of_an_unkept_promise_is_told(void **state)
{
	(void)state;
	unkept();
	restart();
	assert_int_equal(row("go")->state, PM_JOB_SCHEDULED);
	assert_int_equal(row("go")->begin_ms, 0); /* it has not begun */
	world_drain(&world);
	assert_null(world_told(PM_NOTIFY_JOB_STARTED, 1));
}

/* After that restart its step does not wait for the journal; killed right after the sending, it is sent again. */
static void test_unkept_promise_twice(void **state)
{
	(void)state;
	unkept();
	agent->notify_enable = false;
	restart();
	pm_flush(agent);
	agent->job_max_concurrent = 10;
	pm_jobs_pump(agent);
	bmc_says(machines[0], true);
	freeze_journal(&world); /* the loop has not turned yet: nothing was flushed */
	kill_agent(&world);
	thaw_journal(&world);
	start_agent(&world);
	bmc_says(machines[0], true);
	run_for(&world, 400);
	assert_int_equal(fake_bmc_sent, 1);
}

static void begin_on(struct pm_machine *machine, enum pm_command action)
{
	const struct pm_job_request request = pm_job_request_of(machine, action, PM_ORIGIN_COMMAND);
	struct pm_job *job;

	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	pm_job_release(job);
}

/* --- a SET that is undone after its commit (another subagent refused) --- */

static void test_undone_draft_keeps_its_steps(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(create("go", PM_COMMAND_POWER_ON));
	bmc_says(machines[0], true);
	pm_flush(agent);
	assert_int_equal(row("go")->step_count, 1);
	edit = edit_of("go", PM_ROW_NOT_IN_SERVICE);
	reserve(&edit);
	journal(&edit);
	pm_job_edit_cancel(&edit);
	assert_int_equal(row("go")->step_count, 1);
	restart();
	assert_int_equal(row("go")->step_count, 1);
}

/* Who waited for the room that it was promised begins. */
static void test_undone_gives_its_room_back(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	agent->job_max_concurrent = 1;
	edit = create("go", PM_COMMAND_CYCLE);
	reserve(&edit);
	journal(&edit);
	begin_on(machines[1], PM_COMMAND_CYCLE);
	assert_int_equal(machines[1]->job->state, PM_JOB_SCHEDULED);
	pm_job_edit_cancel(&edit);
	assert_int_equal(machines[1]->job->state, PM_JOB_RUNNING);
}

static void test_undone_verb_gives_its_room_back(void **state)
{
	const struct pm_job_request request =
	    pm_job_request_of(machines[0], PM_COMMAND_CYCLE, PM_ORIGIN_COMMAND);
	struct pm_job *job;

	(void)state;
	agent->job_max_concurrent = 1;
	assert_int_equal(pm_job_reserve(&request, &job, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	begin_on(machines[1], PM_COMMAND_CYCLE);
	assert_int_equal(machines[1]->job->state, PM_JOB_SCHEDULED);
	pm_job_cancel(job);
	assert_int_equal(machines[1]->job->state, PM_JOB_RUNNING);
}

static void test_undone_activation_leaves_no_steps(void **state)
{
	struct pm_job_edit edit;

	(void)state;
	set(with(edit_of("d", PM_ROW_CREATE_AND_WAIT), PM_COMMAND_POWER_ON));
	edit = edit_of("d", PM_ROW_ACTIVE);
	reserve(&edit);
	journal(&edit);
	pm_job_edit_cancel(&edit);
	assert_int_equal(row("d")->step_count, 0);
	restart();
	assert_int_equal(row("d")->state, PM_JOB_NOT_READY);
	assert_int_equal(row("d")->step_count, 0);
}

/* A group's command that was promised room for all, and has room for two: the others wait, and have not begun. */
static void test_a_group_that_finds_less_room(void **state)
{
	struct pm_group_command *command;

	(void)state;
	agent->job_max_concurrent = MACHINES;
	assert_int_equal(pm_group_reserve(pm_agent_group(agent, "all"), PM_COMMAND_CYCLE, 0, &command, &err),
			 0);
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_group_journal(command, &err), 0);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	agent->job_max_concurrent = 2; /* two others have begun meanwhile */
	pm_group_release(command);
	pm_flush(agent);
	assert_int_equal(agent->jobs_waiting.count, 2);
	for (const struct pm_job *job = agent->jobs_waiting.first; job; job = job->next) {
		assert_int_equal(journal_row(&world, job->id)->state, PM_JOB_SCHEDULED);
		assert_int_equal(step_in_journal(job->id), PM_JOB_SCHEDULED);
	}
	assert_int_equal(fake_bmc_sent, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_id_of_a_rolled_back_set),
	    TEST(test_id_of_a_rolled_back_group),
	    TEST(test_ends_before_the_commit),
	    TEST(test_ends_after_the_commit),
	    TEST(test_the_end_is_in_the_journal),
	    TEST(test_begins_before_the_commit),
	    TEST(test_and_is_sent_twice),
	    TEST(test_abort_of_what_has_ended),
	    TEST(test_gate_after_a_label),
	    TEST(test_steps_of_an_unkept_promise),
	    TEST(test_begin_of_an_unkept_promise_is_told),
	    TEST(test_unkept_promise_twice),
	    TEST(test_a_group_that_finds_less_room),
	    TEST(test_undone_draft_keeps_its_steps),
	    TEST(test_undone_gives_its_room_back),
	    TEST(test_undone_verb_gives_its_room_back),
	    TEST(test_undone_activation_leaves_no_steps),
	    TEST(test_begins_and_ends_before_the_commit),
	};

	return cmocka_run_group_tests_name("job set", tests, NULL, NULL);
}
