/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store: what must outlive the process does, and a file or directory that is not as it should be is refused in words. */
#include "agent/notify.h"
#include "agent/store.h"
#include "tests/unit/agent/support.h"

#include <pwd.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory[64];
static struct pm_store *store;
static struct pm_error err;

static void open_store(void)
{
	if (pm_store_open(directory, &store, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_store(void)
{
	pm_store_close(store);
	store = NULL;
}

static void reopen(void)
{
	close_store();
	open_store();
}

static int set_up(void **state)
{
	(void)state;
	make_directory(directory, sizeof(directory));
	err.text[0] = '\0';
	open_store();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close_store();
	remove_directory(directory);
	return 0;
}

static const char *in_directory(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* --- indexes ---------------------------------------------------------------------------------------------------- */

static uint32_t machine_index(const char *name, uint32_t first, uint32_t last)
{
	uint32_t index = 0;

	if (pm_store_machine_index(store, name, first, last, &index, &err) < 0)
		fail_msg("%s", err.text);
	return index;
}

static void test_a_machine_keeps_its_index(void **state)
{
	(void)state;
	assert_int_equal(machine_index("zeus", 1, 1000), 1);
	assert_int_equal(machine_index("ares", 1, 1000), 2);
	assert_int_equal(machine_index("zeus", 1, 1000), 1);
	reopen();
	assert_int_equal(machine_index("hera", 1, 1000), 3);
	assert_int_equal(machine_index("ares", 1, 1000), 2);
	assert_int_equal(machine_index("Ares", 1, 1000), 4); /* names differ in case */
}

static void test_blocks_of_shards(void **state)
{
	uint32_t index = 0;

	(void)state;
	assert_int_equal(machine_index("a", 1, 2), 1);
	assert_int_equal(machine_index("b", 257, 258), 257);
	assert_int_equal(machine_index("c", 1, 2), 2);
	assert_int_equal(machine_index("d", 257, 258), 258);
	assert_int_equal(pm_store_machine_index(store, "e", 1, 2, &index, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "e"));
	assert_non_null(strstr(err.text, "1 to 2"));
	assert_int_equal(pm_store_machine_index(store, "a", 257, 258, &index, &err), -ERANGE);
	assert_non_null(strstr(err.text, "index 1"));
	assert_int_equal(machine_index("f", 2147483647, 2147483647), 2147483647);
	assert_int_equal(pm_store_machine_index(store, "g", 2147483647, 2147483647, &index, &err), -ENOSPC);
}

static void test_an_index_taken_back_in_a_transaction(void **state)
{
	(void)state;
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_int_equal(machine_index("gone", 1, 10), 1);
	pm_store_rollback(store);
	assert_int_equal(machine_index("stays", 1, 10), 1);
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_int_equal(machine_index("also", 1, 10), 2);
	assert_int_equal(pm_store_commit(store, &err), 0);
	reopen();
	assert_int_equal(machine_index("also", 1, 10), 2);
}

static uint32_t nic_index(uint32_t machine, const char *name)
{
	uint32_t index = 0;

	assert_int_equal(pm_store_nic_index(store, machine, name, &index, &err), 0);
	return index;
}

static void test_nics_are_numbered_within_their_machine(void **state)
{
	(void)state;
	assert_int_equal(nic_index(1, "eth0"), 1);
	assert_int_equal(nic_index(1, "eth1"), 2);
	assert_int_equal(nic_index(2, "eth1"), 1);
	reopen();
	assert_int_equal(nic_index(1, "eth1"), 2);
	assert_int_equal(nic_index(1, "eth2"), 3);
	assert_int_equal(nic_index(2, "eth1"), 1);
}

/* --- settings and states ------------------------------------------------------------------------------------------ */

static char seen[1024];

static void note_setting(const struct pm_setting *setting, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%u.%u %s %s>%s;", setting->machine, setting->nic,
		 setting->key, setting->base, setting->value);
}

static const char *settings(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_settings_load(store, note_setting, NULL, &err), 0);
	return seen;
}

static void note_group(const struct pm_setting *setting, void *data)
{
	static char group[64];

	snprintf(group, sizeof(group), "%s", setting->group);
	((struct pm_setting *)data)->group = group;
}

static void test_settings(void **state)
{
	struct pm_setting inhibit = {.machine = 3, .key = "inhibit", .base = "0", .value = "1"};
	struct pm_setting port = {.machine = 3, .nic = 2, .key = "port", .base = "9", .value = "7"};
	struct pm_setting again = {.machine = 3, .key = "inhibit", .base = "0", .value = "it's \"%s\""};

	(void)state;
	assert_string_equal(settings(), "");
	assert_int_equal(pm_store_setting_put(store, &inhibit, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &port, &err), 0);
	assert_string_equal(settings(), "3.0 inhibit 0>1;3.2 port 9>7;");
	assert_int_equal(pm_store_setting_put(store, &again, &err), 0);
	reopen();
	assert_string_equal(settings(), "3.0 inhibit 0>it's \"%s\";3.2 port 9>7;");
	assert_int_equal(pm_store_setting_delete(store, &inhibit, &err), 0);
	assert_int_equal(pm_store_setting_delete(store, &inhibit, &err), 0); /* is gone already */
	assert_string_equal(settings(), "3.2 port 9>7;");
}

/* Groups have names and no numbers: the same key of two groups, and of the agent, are three settings. */
static void test_settings_of_groups(void **state)
{
	struct pm_setting rack = {.group = "rack-1", .key = "stagger", .base = "0", .value = "500"};
	struct pm_setting all = {.group = "all", .key = "stagger", .base = "500", .value = "7"};
	struct pm_setting agent = {.key = "stagger", .base = "1", .value = "2"};
	struct pm_setting last = {0};

	(void)state;
	assert_int_equal(pm_store_setting_put(store, &rack, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &all, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &agent, &err), 0);
	reopen();
	assert_string_equal(settings(), "0.0 stagger 1>2;0.0 stagger 500>7;0.0 stagger 0>500;");
	assert_int_equal(pm_store_setting_delete(store, &all, &err), 0);
	assert_int_equal(pm_store_setting_delete(store, &agent, &err), 0);
	assert_string_equal(settings(), "0.0 stagger 0>500;");
	assert_int_equal(pm_store_settings_load(store, note_group, &last, &err), 0);
	assert_string_equal(last.group, "rack-1");
}

static char last_text[256];

static void note_state(const struct pm_stored_state *state, void *data)
{
	struct pm_stored_state *last = data;

	*last = *state;
	snprintf(last_text, sizeof(last_text), "%s", state->last_result_text);
	last->last_result_text = last_text;
}

static void test_the_last_state_of_a_machine(void **state)
{
	const struct pm_stored_state off = {.machine = 4,
					    .power_state = PM_POWER_OFF,
					    .source = PM_SOURCE_BMC},
				     on = {.machine = 4,
					   .power_state = PM_POWER_ON,
					   .source = PM_SOURCE_PROBE,
					   .last_change_ms = 1700000000123,
					   .on_count = UINT32_MAX,
					   .off_count = 6,
					   .bmc_down = true,
					   .last_result = PM_RESULT_TIMEOUT,
					   .last_result_text = "no answer after 20 s"};
	struct pm_stored_state last = {0};

	(void)state;
	assert_int_equal(pm_store_state_put(store, &off, &err), 0);
	assert_int_equal(pm_store_state_put(store, &on, &err), 0);
	reopen();
	assert_int_equal(pm_store_states_load(store, note_state, &last, &err), 0);
	assert_int_equal(last.machine, 4);
	assert_int_equal(last.power_state, PM_POWER_ON);
	assert_int_equal(last.source, PM_SOURCE_PROBE);
	assert_int_equal(last.last_change_ms, 1700000000123);
	assert_int_equal(last.on_count, UINT32_MAX);
	assert_int_equal(last.off_count, 6);
	assert_true(last.bmc_down);
	assert_false(last.unknown_told);
	assert_int_equal(last.last_result, PM_RESULT_TIMEOUT);
	assert_string_equal(last.last_result_text, "no answer after 20 s");
}

/* --- events --------------------------------------------------------------------------------------------------------- */

static void note_event(const struct pm_stored_event *event, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%u.%u@%lld%s;", event->machine, event->index,
		 (long long)event->time_ms, event->text);
}

static const char *events(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_events_load(store, note_event, NULL, &err), 0);
	return seen;
}

static void put_event(uint32_t machine, uint32_t index, uint32_t forget)
{
	const struct pm_stored_event event = {
	    .machine = machine, .index = index, .time_ms = index * 10, .kind = 1, .severity = 1, .text = ""};

	assert_int_equal(pm_store_event_put(store, &event, forget, &err), 0);
}

static void test_events_are_forgotten_by_machine(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 4; i++) {
		put_event(2, i, 0);
		put_event(1, i, i > 2 ? i - 2 : 0);
	}
	reopen();
	assert_string_equal(events(), "1.3@30;1.4@40;2.1@10;2.2@20;2.3@30;2.4@40;");
}

static void test_expiry_keeps_the_newest_event(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 4; i++)
		put_event(1, i, 0);
	put_event(2, 1, 0);
	assert_int_equal(pm_store_expire(store, 30, NULL, NULL, &err), 0);
	assert_string_equal(events(), "1.3@30;1.4@40;2.1@10;");
	assert_int_equal(pm_store_expire(store, 1000000, NULL, NULL, &err), 0);
	assert_string_equal(events(), "1.4@40;2.1@10;");
}

/* --- jobs ---------------------------------------------------------------------------------------------------------- */

static struct pm_stored_job last_job;
static char last_job_texts[4][64];

static void note_job(const struct pm_stored_job *job, void *data)
{
	size_t length = strlen(seen);
	const char **const texts[] = {&last_job.owner, &last_job.name, &last_job.label, &last_job.text};

	(void)data;
	last_job = *job;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		snprintf(last_job_texts[i], sizeof(last_job_texts[i]), "%s", *texts[i]);
		*texts[i] = last_job_texts[i];
	}
	snprintf(seen + length, sizeof(seen) - length, "%lld:%u %s/%s s%u;", (long long)job->id, job->machine,
		 job->owner, job->name, job->state);
}

static const char *jobs(uint32_t machine)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_jobs_load(store, machine, note_job, NULL, &err), 0);
	return seen;
}

static struct pm_stored_job insert_job(uint32_t machine, const char *owner, const char *name)
{
	struct pm_stored_job job = {.machine = machine,
				    .owner = owner,
				    .name = name,
				    .nic = 2,
				    .action = PM_COMMAND_WAKE,
				    .origin = 4,
				    .state = PM_JOB_SCHEDULED,
				    .result = PM_RESULT_NONE,
				    .created_ms = 100};

	assert_int_equal(pm_store_job_insert(store, &job, &err), 0);
	return job;
}

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
	assert_int_equal(pm_store_begin(store, &err), 0);
	assert_int_equal(insert_job(5, NULL, NULL).id, 3);
	pm_store_rollback(store);
	assert_int_equal(insert_job(5, NULL, NULL).id, 3);
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

static void note_step(const struct pm_stored_step *step, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%lld.%u a%u g%u s%u r%u %s;", (long long)step->job,
		 step->index, step->action, step->goal, step->state, step->result, step->text);
}

static const char *steps(uint32_t machine)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_steps_load(store, machine, note_step, NULL, &err), 0);
	return seen;
}

static void put_step(int64_t job, unsigned index, unsigned action, const char *text)
{
	const struct pm_stored_step step = {
	    .job = job, .index = index, .action = action, .goal = 4, .state = 3, .result = 1, .text = text};

	assert_int_equal(pm_store_step_put(store, &step, &err), 0);
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
	assert_int_equal(pm_store_expire(store, 300, NULL, NULL, &err), 0);
	assert_string_equal(jobs(7), "4:7 ops/a s1;");
	assert_int_equal(pm_store_expire(store, 300, is_five, NULL, &err), 0);
	assert_string_equal(jobs(0), "1:5 ops/a s6;3:6 ops/b s6;5:6 ops/c s2;");
	assert_string_equal(steps(0), "1.1 a16 g4 s3 r1 ;");
	assert_int_equal(pm_store_expire(store, INT64_MAX, is_none, NULL, &err), 0);
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

static struct pm_notification last_notification;

static void note_notification(const struct pm_notification *notification, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	last_notification = *notification;
	snprintf(seen + length, sizeof(seen) - length, "%llu t%u e%u;", (unsigned long long)notification->id,
		 notification->type, notification->event_index);
}

static const char *notifications(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_notifications_load(store, note_notification, NULL, &err), 0);
	return seen;
}

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
	};

	(void)state;
	assert_int_equal(pm_store_notification_put(store, &all, &err), 0);
	reopen();
	assert_string_equal(notifications(), "17 t13 e4294967295;");
	assert_memory_equal(&last_notification, &all, sizeof(all));
}

static void put_notification(uint64_t id)
{
	const struct pm_notification notification = {.id = id, .type = 1, .event_index = (uint32_t)id + 100};

	assert_int_equal(pm_store_notification_put(store, &notification, &err), 0);
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

/* --- what is not as it should be ---------------------------------------------------------------------------------------- */

/* In a process of its own: what it does to itself does not last. Its result is the exit status. */
static int in_another_process(int (*function)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(function());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_is_refused_as_busy(void)
{
	struct pm_store *other;
	char owner[32];

	snprintf(owner, sizeof(owner), "process %ld", (long)getppid());
	return pm_store_open(directory, &other, &err) == -EBUSY && !other && strstr(err.text, owner) &&
		       strstr(err.text, directory)
		   ? 0
		   : 1;
}

static int open_succeeds(void)
{
	struct pm_store *other;

	return pm_store_open(directory, &other, &err) == 0 && other ? 0 : 1;
}

static void test_one_process_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(in_another_process(open_is_refused_as_busy), 0);
	close_store();
	assert_int_equal(in_another_process(open_succeeds), 0);
	assert_int_equal(in_another_process(open_succeeds), 0); /* the first ended without closing it */
	open_store();
}

static void test_no_such_directory(void **state)
{
	struct pm_store *other;

	(void)state;
	assert_int_equal(pm_store_open("/nonexistent/pmstack", &other, &err), -ENOENT);
	assert_null(other);
	assert_non_null(strstr(err.text, "/nonexistent/pmstack"));
}

static void overwrite(const char *name, long offset, size_t length)
{
	FILE *file = fopen(in_directory(name), "r+");
	char noise[512];

	assert_non_null(file);
	memset(noise, 0xa5, sizeof(noise));
	assert_int_equal(fseek(file, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(noise, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static long file_size(const char *name)
{
	struct stat stat_buffer;

	return stat(in_directory(name), &stat_buffer) < 0 ? -1 : (long)stat_buffer.st_size;
}

static void assert_refused(int error, const char *word)
{
	struct pm_store *other = (void *)1;

	err.text[0] = '\0';
	assert_int_equal(pm_store_open(directory, &other, &err), error);
	assert_null(other);
	if (!strstr(err.text, word) || !strstr(err.text, PM_STORE_FILE))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
}

static void test_damaged_file(void **state)
{
	long size;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		put_event(1, i + 1, 0);
	close_store();
	size = file_size(PM_STORE_FILE);
	assert_true(size > 8192);
	overwrite(PM_STORE_FILE, size - 4096, 512);
	assert_refused(-EUCLEAN, "damaged");
	overwrite(PM_STORE_FILE, 0, 100);
	assert_refused(-EUCLEAN, "damaged");
	assert_int_equal(file_size(PM_STORE_FILE), size); /* left as it is, to be repaired */
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_directory(PM_STORE_FILE), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void note_first_state(const struct pm_stored_state *state, void *data)
{
	if (!((struct pm_stored_state *)data)->machine ||
	    state->machine < ((struct pm_stored_state *)data)->machine)
		note_state(state, data);
}

/* As it was before groups were served. */
static const char version_1[] =
    "CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE nic (machine INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (machine, id), UNIQUE (machine, name)) WITHOUT ROWID;"
    "CREATE TABLE setting (machine INTEGER NOT NULL, nic INTEGER NOT NULL, key TEXT NOT NULL, base TEXT NOT NULL,"
    " value TEXT NOT NULL, PRIMARY KEY (machine, nic, key)) WITHOUT ROWID;"
    "CREATE TABLE state (machine INTEGER PRIMARY KEY, power_state INTEGER NOT NULL, source INTEGER NOT NULL,"
    " last_change_ms INTEGER NOT NULL, on_count INTEGER NOT NULL, off_count INTEGER NOT NULL);"
    "CREATE TABLE event (machine INTEGER NOT NULL, id INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, severity INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (machine, id)) WITHOUT ROWID;"
    "CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL, nic INTEGER NOT NULL,"
    " action INTEGER NOT NULL, origin INTEGER NOT NULL, state INTEGER NOT NULL, result INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX job_unfinished ON job (id) WHERE end_ms = 0;"
    "INSERT INTO machine VALUES (3, 'web03');"
    "INSERT INTO setting VALUES (3, 0, 'inhibit', '0', '1'), (3, 2, 'port', '9', '7'), (0, 0, 'inhibit', '0', '1');"
    "INSERT INTO state VALUES (3, 2, 3, 1000, 5, 4);"
    "INSERT INTO job VALUES (7, 5, 2, 3, 4, 6, 2, 1000, 2000, 'done'), (41, 5, 2, 3, 4, 2, 1, 1000, 0, '');"
    "PRAGMA user_version = 1;";

static void test_a_file_of_version_1_is_taken_over(void **state)
{
	struct pm_stored_state last = {.bmc_down = true, .unknown_told = true};
	uint32_t index;

	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	run_sql(version_1);
	for (int start = 0; start < 2; start++) {
		open_store();
		assert_string_equal(settings(), "0.0 inhibit 0>1;3.0 inhibit 0>1;3.2 port 9>7;");
		assert_string_equal(jobs(0), "7:5 /set-7 s6;41:5 /set-41 s3;");
		assert_int_equal(last_job.not_before_ms, 1000);
		assert_int_equal(last_job.begin_ms, 1000);
		assert_int_equal(last_job.stagger_ms, 0);
		assert_int_equal(pm_store_machine_index(store, "web03", 1, 1000, &index, &err), 0);
		assert_int_equal(index, 3);
		assert_int_equal(pm_store_states_load(store, note_first_state, &last, &err), 0);
		assert_int_equal(last.off_count, 4);
		assert_false(last.bmc_down || last.unknown_told);
		close_store();
	}
	open_store();
	assert_int_equal(insert_job(5, NULL, NULL).id, 42);
}

/* As it was before jobs were rows. */
static const char version_2[] =
    "CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE nic (machine INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (machine, id), UNIQUE (machine, name)) WITHOUT ROWID;"
    "CREATE TABLE setting (machine INTEGER NOT NULL, nic INTEGER NOT NULL, group_name TEXT NOT NULL,"
    " key TEXT NOT NULL, base TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (machine, nic, group_name, key))"
    " WITHOUT ROWID;"
    "CREATE TABLE state (machine INTEGER PRIMARY KEY, power_state INTEGER NOT NULL, source INTEGER NOT NULL,"
    " last_change_ms INTEGER NOT NULL, on_count INTEGER NOT NULL, off_count INTEGER NOT NULL,"
    " bmc_down INTEGER NOT NULL DEFAULT 0, unknown_told INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE event (machine INTEGER NOT NULL, id INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, severity INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (machine, id)) WITHOUT ROWID;"
    "CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL, nic INTEGER NOT NULL,"
    " action INTEGER NOT NULL, origin INTEGER NOT NULL, state INTEGER NOT NULL, result INTEGER NOT NULL,"
    " start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, text TEXT NOT NULL,"
    " not_before_ms INTEGER NOT NULL DEFAULT 0, stagger_ms INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX job_unfinished ON job (id) WHERE end_ms = 0;"
    "INSERT INTO state VALUES (5, 2, 3, 1000, 5, 4, 1, 1);"
    "INSERT INTO job VALUES (7, 5, 2, 2, 4, 6, 2, 1000, 2000, 'done', 1500, 0),"
    " (8, 5, 0, 5, 4, 9, 4, 1100, 1900, 'late', 0, 0),"           /* began, but that was never written */
    " (9, 6, 0, 4, 6, 8, 11, 1000, 1200, 'aborted', 5000, 4000)," /* before it began */
    " (30, 5, 2, 4, 6, 2, 1, 1000, 0, '', 9000, 4000), (31, 6, 1, 7, 1, 3, 1, 1000, 0, '', 1234, 0);"
    "UPDATE sqlite_sequence SET seq = 99 WHERE name = 'job';"
    "PRAGMA user_version = 2;";

#define DAYS_30_MS 2592000000

static int64_t times[8][4];
static unsigned scopes[8], time_count;

static void note_times(const struct pm_stored_job *job, void *data)
{
	const int64_t row[] = {job->created_ms, job->not_before_ms, job->begin_ms, job->end_ms};

	(void)data;
	memcpy(times[time_count], row, sizeof(row));
	scopes[time_count++] = job->scope;
}

static void assert_times(unsigned row, int64_t created_ms, int64_t not_before_ms, int64_t begin_ms,
			 int64_t end_ms)
{
	assert_int_equal(times[row][0], created_ms);
	assert_int_equal(times[row][1], not_before_ms);
	assert_int_equal(times[row][2], begin_ms);
	assert_int_equal(times[row][3], end_ms);
}

static void test_a_file_of_version_2_is_taken_over(void **state)
{
	struct pm_stored_state last = {0};

	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	run_sql(version_2);
	open_store();
	assert_string_equal(jobs(0),
			    "7:5 /set-7 s6;8:5 /set-8 s9;30:5 /set-30 s2;9:6 /set-9 s8;31:6 /set-31 s3;");
	assert_int_equal(last_job.action, PM_COMMAND_CYCLE);
	assert_int_equal(last_job.nic, 1);
	assert_int_equal(last_job.row_status, 1);
	assert_true(last_job.enabled);
	assert_int_equal(last_job.storage, 3);
	assert_int_equal(last_job.force, 1);
	time_count = 0;
	assert_int_equal(pm_store_jobs_load(store, 0, note_times, NULL, &err), 0);
	assert_times(0, 1000, 2000 + DAYS_30_MS, 1500, 2000); /* and when the row goes */
	assert_times(1, 1100, 1900 + DAYS_30_MS, 1100, 1900);
	assert_times(2, 1000, 9000, 0, 0);
	assert_times(3, 1000, 1200 + DAYS_30_MS, 0, 1200);
	assert_times(4, 1000, 1234, 1234, 0);
	assert_int_equal(scopes[2], 3); /* shutdown: the stack, too */
	assert_int_equal(scopes[4], 1);
	assert_int_equal(pm_store_states_load(store, note_first_state, &last, &err), 0);
	assert_int_equal(last.last_result, PM_RESULT_TIMEOUT);
	assert_string_equal(last.last_result_text, "late");
	assert_true(last.bmc_down && last.unknown_told);
	assert_int_equal(insert_job(5, NULL, NULL).id, 100);
}

/* A file that lacks what its version should have is left as it is. */
static void test_a_file_that_cannot_be_taken_over(void **state)
{
	struct pm_store *other;

	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	run_sql("CREATE TABLE setting (machine INTEGER, nic INTEGER, key TEXT, base TEXT, value TEXT);"
		"INSERT INTO setting VALUES (1, 0, 'inhibit', '0', '1'); PRAGMA user_version = 1;");
	assert_int_equal(pm_store_open(directory, &other, &err), -EIO);
	run_sql("SELECT machine, nic, key, base, value FROM setting");
	run_sql("DROP TABLE setting; PRAGMA user_version = 0;");
	open_store();
}

static void test_newer_version(void **state)
{
	(void)state;
	close_store();
	run_sql("PRAGMA user_version = 99");
	assert_refused(-EUCLEAN, "newer");
}

/* Root may write anywhere: become somebody else. */
static void become_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");

	if (geteuid() == 0 && (!nobody || setgid(nobody->pw_gid) < 0 || setuid(nobody->pw_uid) < 0))
		_exit(99);
}

static int open_is_refused_for_lack_of_rights(void)
{
	struct pm_store *other;

	become_nobody();
	return pm_store_open(directory, &other, &err) == -EACCES && strstr(err.text, directory) &&
		       strstr(err.text, "cannot write")
		   ? 0
		   : 1;
}

static void test_read_only_directory(void **state)
{
	(void)state;
	close_store();
	remove_directory(directory);
	assert_int_equal(mkdir(directory, 0555), 0);
	assert_int_equal(in_another_process(open_is_refused_for_lack_of_rights), 0);
	assert_int_equal(chmod(directory, 0700), 0);
}

/* The file may not grow any more, as on a full disk. The store is opened in the process that is so limited. */
static int full_disk(void)
{
	const struct rlimit limit = {65536, 65536};
	struct pm_store *limited;
	struct pm_stored_job job = {.machine = 1, .text = ""};
	int error = 0, inserted = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (pm_store_open(directory, &limited, &err) < 0 || setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	for (; !error && inserted < 10000; inserted++)
		error = pm_store_job_insert(limited, &job, &err);
	if (error >= 0 || inserted < 2 || !*err.text)
		return 2;
	if (pm_store_begin(limited, &err) < 0)
		return 3; /* a failed write must leave no transaction open */
	pm_store_rollback(limited);
	pm_store_close(limited);
	return 0;
}

static void test_full_disk(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(full_disk), 0);
	open_store(); /* with space again, all is well */
	assert_true(*jobs(0) != '\0');
	assert_true(insert_job(1, NULL, NULL).id > 1);
}

/* A process that is killed in a transaction leaves what was committed before. */
static int dies_in_a_transaction(void)
{
	struct pm_store *other;
	uint32_t index;

	if (pm_store_open(directory, &other, &err) < 0 ||
	    pm_store_machine_index(other, "committed", 1, 10, &index, &err) < 0 ||
	    pm_store_begin(other, &err) < 0 || pm_store_machine_index(other, "lost", 1, 10, &index, &err) < 0)
		return 1;
	return 0;
}

static void test_killed_in_a_transaction(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(dies_in_a_transaction), 0);
	open_store();
	assert_int_equal(machine_index("next", 1, 10), 2);
	assert_int_equal(machine_index("committed", 1, 10), 1);
}

static void test_files_are_private(void **state)
{
	struct stat stat_buffer;
	mode_t old = umask(077); /* as main() sets it */

	(void)state;
	close_store();
	remove_directory(directory);
	assert_int_equal(mkdir(directory, 0700), 0);
	open_store();
	umask(old);
	assert_int_equal(stat(in_directory(PM_STORE_FILE), &stat_buffer), 0);
	assert_int_equal(stat_buffer.st_mode & 0077, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_machine_keeps_its_index),
	    TEST(test_blocks_of_shards),
	    TEST(test_an_index_taken_back_in_a_transaction),
	    TEST(test_nics_are_numbered_within_their_machine),
	    TEST(test_settings),
	    TEST(test_settings_of_groups),
	    TEST(test_the_last_state_of_a_machine),
	    TEST(test_events_are_forgotten_by_machine),
	    TEST(test_expiry_keeps_the_newest_event),
	    TEST(test_a_job_in_all_its_columns),
	    TEST(test_a_job_without_a_name_is_named_by_its_id),
	    TEST(test_an_update_leaves_what_never_changes),
	    TEST(test_jobs_are_loaded_by_machine_and_id),
	    TEST(test_a_new_row_takes_the_place_of_one_that_goes),
	    TEST(test_job_ids_are_unique_for_ever),
	    TEST(test_old_jobs_of_machines_that_are_gone),
	    TEST(test_a_step_in_all_its_columns),
	    TEST(test_steps_follow_their_jobs),
	    TEST(test_commands_to_groups),
	    TEST(test_a_notification_in_all_its_columns),
	    TEST(test_notifications_wait_in_order),
	    TEST(test_one_process_at_a_time),
	    TEST(test_no_such_directory),
	    TEST(test_damaged_file),
	    TEST(test_a_file_of_version_1_is_taken_over),
	    TEST(test_a_file_of_version_2_is_taken_over),
	    TEST(test_a_file_that_cannot_be_taken_over),
	    TEST(test_newer_version),
	    TEST(test_read_only_directory),
	    TEST(test_full_disk),
	    TEST(test_killed_in_a_transaction),
	    TEST(test_files_are_private),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
