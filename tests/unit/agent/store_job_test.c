/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the store has of jobs, their steps, the commands to groups, and notifications. */
#include "tests/unit/agent/store_support.h"

/* --- jobs ---------------------------------------------------------------------------------------------------------- */

static void end_job(struct pm_stored_job *job, int64_t end_ms)
{
	job->state = PM_JOB_SUCCEEDED;
	job->result = PM_RESULT_OK;
	job->end_ms = end_ms;
	job->text = "done";
	assert_int_equal(pm_store_job_update(store, job, &err), 0);
}

static void test_a_job_in_all_its_columns(void **state)
{
	struct pm_stored_job job = {
	    .machine = 2147483647,
	    .owner = "ops \"x\"",
	    .name = "night'ly",
	    .label = "label",
	    .origin = 7,
	    .action = 3,
	    .scope = 2,
	    .force = 3,
	    .vm = 4000000000,
	    .nic = 5,
	    .delay_s = 6,
	    .timeout_s = 7,
	    .vm_timeout_s = 8,
	    .arm_wol = true,
	    .dry_run = true,
	    .init_level = 6,
	    .wol_addr_type = 2,
	    .wol_addr_length = 16,
	    .wol_addr = {0xfe, 0x80, 0, 1, [14] = 9},
	    .wol_port = 65535,
	    .storage = 3,
	    .setting = -5000000000,
	    .row_status = 1,
	    .enabled = true,
	    .retain_s = 2592000,
	    .state = 4,
	    .result = 14,
	    .text = "text",
	    .created_ms = 1700000000123,
	    .not_before_ms = 1700000000456,
	    .begin_ms = 1700000000789,
	    .end_ms = 1700000001000,
	    .stagger_ms = 3600000,
	    .group = 5000000000,
	};

	(void)state;
	assert_int_equal(pm_store_job_insert(store, &job, &err), 0);
	reopen();
	assert_string_equal(jobs(job.machine), "1:2147483647 ops \"x\"/night'ly s4;");
	assert_string_equal(last_job.owner, job.owner);
	assert_string_equal(last_job.label, job.label);
	assert_string_equal(last_job.text, job.text);
	last_job.owner = job.owner;
	last_job.name = job.name;
	last_job.label = job.label;
	last_job.text = job.text;
	assert_int_equal(last_job.vm, job.vm);
	assert_memory_equal(last_job.wol_addr, job.wol_addr, sizeof(job.wol_addr));
	assert_int_equal(last_job.setting, job.setting);
	assert_int_equal(last_job.wol_port, job.wol_port);
	assert_int_equal(last_job.init_level, 6);
	assert_int_equal(last_job.created_ms, job.created_ms);
	assert_int_equal(last_job.not_before_ms, job.not_before_ms);
	assert_int_equal(last_job.begin_ms, job.begin_ms);
	assert_int_equal(last_job.end_ms, job.end_ms);
	assert_int_equal(last_job.group, job.group);
	assert_int_equal(last_job.retain_s, job.retain_s);
	assert_int_equal(last_job.stagger_ms, job.stagger_ms);
	assert_true(last_job.arm_wol && last_job.dry_run && last_job.enabled);
}

/* What an object other than pmJobTable starts has the empty owner, and its name from its id. */
static void test_a_job_without_a_name_is_named_by_its_id(void **state)
{
	struct pm_stored_job first = insert_job(5, NULL, NULL), second = insert_job(5, "", "");

	(void)state;
	assert_int_equal(first.id, 1);
	assert_int_equal(second.id, 2);
	assert_string_equal(jobs(0), "1:5 /set-1 s2;2:5 /set-2 s2;");
}

static void test_an_update_leaves_what_never_changes(void **state)
{
	struct pm_stored_job job = insert_job(5, "ops", "a");
	const struct pm_stored_job other = {.id = job.id,
					    .machine = 6,
					    .owner = "other",
					    .name = "b",
					    .origin = 3,
					    .created_ms = 7,
					    .state = PM_JOB_RUNNING,
					    .label = "new"};

	(void)state;
	assert_int_equal(pm_store_job_update(store, &other, &err), 0);
	reopen();
	assert_string_equal(jobs(0), "1:5 ops/a s3;");
	assert_int_equal(last_job.origin, 4);
	assert_int_equal(last_job.created_ms, 100);
	assert_int_equal(last_job.nic, 0);
	assert_string_equal(last_job.label, "new");
}

static void test_jobs_are_loaded_by_machine_and_id(void **state)
{
	(void)state;
	insert_job(7, "z", "z");
	insert_job(5, "b", "a");
	insert_job(7, "a", "a");
	insert_job(5, "a", "a");
	assert_string_equal(jobs(0), "2:5 b/a s2;4:5 a/a s2;1:7 z/z s2;3:7 a/a s2;");
	assert_string_equal(jobs(5), "2:5 b/a s2;4:5 a/a s2;");
	assert_string_equal(jobs(6), "");
}

/* Memory decides which rows there are: what is still in the journal under the same index is on its way out. */
static void test_a_new_row_takes_the_place_of_one_that_goes(void **state)
{
	struct pm_stored_job old = insert_job(5, "ops", "a");
	const struct pm_stored_step step = {.job = old.id, .index = 1};

	(void)state;
	assert_int_equal(pm_store_step_put(store, &step, &err), 0);
	insert_job(5, "ops", "b");
	insert_job(6, "ops", "a");
	insert_job(5, "ops", "a");
	assert_string_equal(jobs(0), "2:5 ops/b s2;4:5 ops/a s2;3:6 ops/a s2;");
	assert_int_equal(pm_store_job_delete(store, old.id, &err), 0); /* is gone already */
	assert_int_equal(pm_store_job_delete(store, 4, &err), 0);
	assert_string_equal(jobs(5), "2:5 ops/b s2;");
}

static void test_job_ids_are_unique_for_ever(void **state)
{
	(void)state;
	insert_job(5, "ops", "a");
	assert_int_equal(pm_store_job_delete(store, insert_job(5, "ops", "b").id, &err), 0);
	reopen();
	assert_int_equal(insert_job(5, NULL, NULL).id, 3);
}

static void note_group_command(const struct pm_stored_group *group, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%lld %s a%u @%lld %u %u %u %u %u;",
		 (long long)group->id, group->name, group->action, (long long)group->start_ms, group->jobs,
		 group->under_way, group->refused, group->succeeded, group->failed);
}

static const char *groups(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_groups_load(store, note_group_command, NULL, &err), 0);
	return seen;
}

/* Whoever was given an id deletes its row when he gives up: it must not be another's by then. */
static void test_ids_of_what_was_rolled_back_are_not_given_again(void **state)
{
	struct pm_stored_group group = {.name = "all"};
	struct pm_stored_job lost;

	(void)state;
	assert_int_equal(pm_store_begin(store, &err), 0);
	lost = insert_job(5, "ops", "lost");
	assert_int_equal(pm_store_group_insert(store, &group, &err), 0);
	pm_store_rollback(store);
	assert_int_equal(insert_job(6, "ops", "a").id, lost.id + 1);
	assert_int_equal(pm_store_group_insert(store, &group, &err), 0);
	assert_int_equal(group.id, 2);
	assert_int_equal(pm_store_job_delete(store, lost.id, &err), 0);
	assert_string_equal(jobs(0), "2:6 ops/a s2;");
}

/* A row that was to be there is there from now on, whatever became of the transaction that first wrote it. */
static void test_an_update_of_what_was_rolled_back(void **state)
{
	struct pm_stored_group group = {.name = "all"};
	struct pm_stored_job job, unnamed;

	(void)state;
	assert_int_equal(pm_store_begin(store, &err), 0);
	job = insert_job(5, "ops", "a");
	unnamed = insert_job(5, NULL, NULL);
	assert_int_equal(pm_store_group_insert(store, &group, &err), 0);
	pm_store_rollback(store);
	assert_int_equal(pm_store_job_update(store, &unnamed, &err), 0);
	assert_int_equal(pm_store_job_update(store, &job, &err), 0);
	assert_int_equal(pm_store_job_update(store, &job, &err), 0);
	group.failed = 1;
	assert_int_equal(pm_store_group_update(store, &group, &err), 0);
	reopen();
	assert_string_equal(jobs(0), "1:5 ops/a s2;2:5 /set-2 s2;");
	assert_string_equal(groups(), "1 all a0 @0 0 0 0 0 1;");
	assert_int_equal(insert_job(5, "ops", "b").id, 3);
}

static bool is_five(uint32_t machine, void *data)
{
	(void)data;
	return machine == 5;
}

static bool is_none(uint32_t machine, void *data)
{
	(void)machine;
	(void)data;
	return false;
}

/* Jobs of a machine that is configured go when their row goes, and not by their age. */
static void test_old_jobs_of_machines_that_are_gone(void **state)
{
	struct pm_stored_job kept = insert_job(5, "ops", "a"), old = insert_job(6, "ops", "a"),
			     recent = insert_job(6, "ops", "b"), draft = insert_job(7, "ops", "a");

	(void)state;
	insert_job(6, "ops", "c"); /* has not ended */
	end_job(&kept, 200);
	end_job(&old, 200);
	end_job(&recent, 300);
	draft.state = PM_JOB_NOT_READY;
	assert_int_equal(pm_store_job_update(store, &draft, &err), 0);
	put_step(kept.id, 1, 16, "");
	put_step(old.id, 1, 16, "");
	expire(300, is_any);
	assert_string_equal(jobs(7), "4:7 ops/a s1;");
	expire(300, is_five);
	assert_string_equal(jobs(0), "1:5 ops/a s6;3:6 ops/b s6;5:6 ops/c s2;");
	assert_string_equal(steps(0), "1.1 a16 g4 s3 r1 ;");
	expire(INT64_MAX, is_none);
	assert_string_equal(jobs(0), "5:6 ops/c s2;");
}

/* --- steps and groups ------------------------------------------------------------------------------------------------ */

static struct pm_stored_step last_step;

static void keep_step(const struct pm_stored_step *step, void *data)
{
	(void)data;
	last_step = *step;
	last_step.text = NULL;
}

static void test_a_step_in_all_its_columns(void **state)
{
	const struct pm_stored_step step = {.job = insert_job(5, "ops", "a").id,
					    .index = 3,
					    .action = 25,
					    .vm = 4000000000,
					    .level = 2,
					    .target = "db1",
					    .after = 4294967295,
					    .before = 17,
					    .goal = 8,
					    .timeout_s = 86400,
					    .momentary = true,
					    .alternative = true,
					    .state = 10,
					    .result = 12,
					    .text = NULL,
					    .start_ms = 1700000000123,
					    .end_ms = 1700000000456};

	(void)state;
	assert_int_equal(pm_store_step_put(store, &step, &err), 0);
	reopen();
	assert_int_equal(pm_store_steps_load(store, 5, keep_step, NULL, &err), 0);
	assert_int_equal(last_step.job, step.job);
	assert_int_equal(last_step.index, step.index);
	assert_int_equal(last_step.action, step.action);
	assert_int_equal(last_step.vm, step.vm);
	assert_int_equal(last_step.level, step.level);
	assert_string_equal(orders(), "1.3 db1>4294967295<17;");
	assert_int_equal(last_step.goal, step.goal);
	assert_int_equal(last_step.timeout_s, step.timeout_s);
	assert_true(last_step.momentary && last_step.alternative);
	assert_int_equal(last_step.state, step.state);
	assert_int_equal(last_step.result, step.result);
	assert_int_equal(last_step.start_ms, step.start_ms);
	assert_int_equal(last_step.end_ms, step.end_ms);
}

static void test_steps_follow_their_jobs(void **state)
{
	int64_t late = insert_job(9, "ops", "a").id, first = insert_job(5, "z", "a").id,
		second = insert_job(5, "a", "a").id;

	(void)state;
	put_step(late, 1, 1, "x");
	put_step(second, 2, 2, "");
	put_step(second, 1, 3, "");
	put_step(first, 1, 4, "");
	put_step(first, 1, 5, "again");
	reopen();
	assert_string_equal(steps(0), "2.1 a5 g4 s3 r1 again;3.1 a3 g4 s3 r1 ;3.2 a2 g4 s3 r1 ;"
				      "1.1 a1 g4 s3 r1 x;");
	assert_string_equal(steps(9), "1.1 a1 g4 s3 r1 x;");
	assert_int_equal(pm_store_steps_delete(store, second, &err), 0);
	assert_int_equal(pm_store_job_delete(store, first, &err), 0);
	assert_string_equal(steps(0), "1.1 a1 g4 s3 r1 x;");
}

static void test_commands_to_groups(void **state)
{
	struct pm_stored_group rack = {.name = "rack-1",
				       .action = PM_COMMAND_POWER_ON,
				       .start_ms = 1700000000123,
				       .jobs = 5,
				       .under_way = 4,
				       .refused = 3,
				       .succeeded = 2,
				       .failed = 1},
			       all = {.name = "all"};

	(void)state;
	assert_int_equal(pm_store_group_insert(store, &rack, &err), 0);
	assert_int_equal(pm_store_group_insert(store, &all, &err), 0);
	all.failed = 9;
	assert_int_equal(pm_store_group_update(store, &all, &err), 0);
	reopen();
	assert_string_equal(groups(), "1 rack-1 a2 @1700000000123 5 4 3 2 1;2 all a0 @0 0 0 0 0 9;");
	assert_int_equal(pm_store_group_delete(store, all.id, &err), 0);
	assert_int_equal(pm_store_group_delete(store, rack.id, &err), 0);
	assert_string_equal(groups(), "");
	assert_int_equal(pm_store_group_insert(store, &all, &err), 0);
	assert_int_equal(all.id, 3); /* never one of before */
}

/* --- notifications ---------------------------------------------------------------------------------------------------- */

static void test_a_notification_in_all_its_columns(void **state)
{
	struct pm_notification all = {
	    .id = 17,
	    .type = PM_NOTIFY_GROUP_FINISHED,
	    .machine = 3,
	    .nic = 4,
	    .name = "it's \"lab01\"",
	    .power_state = PM_POWER_FAULT,
	    .old_power_state = PM_POWER_SUSPENDED,
	    .source = PM_SOURCE_PROBE,
	    .result = PM_RESULT_INTERNAL_ERROR,
	    .text = "text",
	    .job_owner = "owner",
	    .job_name = "name",
	    .job_label = "label",
	    .action = PM_COMMAND_IDENTIFY,
	    .mac = {2, 0, 0, 0, 5, 0},
	    .interface = "br0",
	    .bmc_address = "fe80::1%br0",
	    .bmc_status = PM_BMC_ERROR,
	    .inhibit = true,
	    .inhibit_reason = "fan",
	    .event_index = 4294967295u,
	    .agent = 8,
	    .machines = 9,
	    .group_name = "rack-1",
	    .jobs = 10,
	    .succeeded = 11,
	    .failed = 12,
	    .vm = 13,
	    .vm_name = "web-3",
	    .vm_state = PM_VM_CRASHED,
	    .old_vm_state = PM_VM_SHUTTING_DOWN,
	};

	(void)state;
	assert_int_equal(pm_store_notification_put(store, &all, &err), 0);
	reopen();
	assert_string_equal(notifications(), "17 t13 e4294967295;");
	assert_memory_equal(&last_notification, &all, sizeof(all));
}

static void test_notifications_wait_in_order(void **state)
{
	uint64_t last;

	(void)state;
	assert_int_equal(pm_store_notifications_last_id(store, &last, &err), 0);
	assert_int_equal(last, 0);
	for (uint64_t id = 12; id > 8; id--)
		put_notification(id);
	assert_string_equal(notifications(), "9 t1 e109;10 t1 e110;11 t1 e111;12 t1 e112;");
	for (uint64_t id = 8; id < 12; id++)
		assert_int_equal(pm_store_notification_delete(store, id, &err), 0);
	reopen();
	assert_string_equal(notifications(), "12 t1 e112;");
	assert_int_equal(pm_store_notification_delete(store, 12, &err), 0);
	reopen();
	assert_int_equal(pm_store_notifications_last_id(store, &last, &err), 0);
	assert_int_equal(last, 12);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_job_in_all_its_columns),
	    TEST(test_a_job_without_a_name_is_named_by_its_id),
	    TEST(test_an_update_leaves_what_never_changes),
	    TEST(test_jobs_are_loaded_by_machine_and_id),
	    TEST(test_a_new_row_takes_the_place_of_one_that_goes),
	    TEST(test_job_ids_are_unique_for_ever),
	    TEST(test_ids_of_what_was_rolled_back_are_not_given_again),
	    TEST(test_an_update_of_what_was_rolled_back),
	    TEST(test_old_jobs_of_machines_that_are_gone),
	    TEST(test_a_step_in_all_its_columns),
	    TEST(test_steps_follow_their_jobs),
	    TEST(test_commands_to_groups),
	    TEST(test_a_notification_in_all_its_columns),
	    TEST(test_notifications_wait_in_order),
	};

	return cmocka_run_group_tests_name("store_job", tests, NULL, NULL);
}
