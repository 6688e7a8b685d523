/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that an older version has left become those of this one; what cannot is left as it is. */
#include "tests/unit/agent/store_support.h"

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

/* As it was before there were stacks. */
static const char version_3[] =
    "CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE nic (machine INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (machine, id), UNIQUE (machine, name)) WITHOUT ROWID;"
    "CREATE TABLE setting (machine INTEGER NOT NULL, nic INTEGER NOT NULL, group_name TEXT NOT NULL,"
    " key TEXT NOT NULL, base TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (machine, nic, group_name, key))"
    " WITHOUT ROWID;"
    "CREATE TABLE state (machine INTEGER PRIMARY KEY, power_state INTEGER NOT NULL, source INTEGER NOT NULL,"
    " last_change_ms INTEGER NOT NULL, on_count INTEGER NOT NULL, off_count INTEGER NOT NULL,"
    " bmc_down INTEGER NOT NULL DEFAULT 0, unknown_told INTEGER NOT NULL DEFAULT 0,"
    " last_result INTEGER NOT NULL DEFAULT 1, last_result_text TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE event (machine INTEGER NOT NULL, id INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, severity INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (machine, id)) WITHOUT ROWID;"
    "CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL,"
    " owner TEXT NOT NULL, name TEXT NOT NULL, origin INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " label TEXT NOT NULL, action INTEGER NOT NULL, scope INTEGER NOT NULL, force INTEGER NOT NULL,"
    " vm INTEGER NOT NULL, nic INTEGER NOT NULL, delay_s INTEGER NOT NULL, timeout_s INTEGER NOT NULL,"
    " vm_timeout_s INTEGER NOT NULL, arm_wol INTEGER NOT NULL, dry_run INTEGER NOT NULL,"
    " init_level INTEGER NOT NULL, wol_addr_type INTEGER NOT NULL, wol_addr_length INTEGER NOT NULL,"
    " wol_addr BLOB NOT NULL, wol_port INTEGER NOT NULL, storage INTEGER NOT NULL,"
    " setting INTEGER NOT NULL, row_status INTEGER NOT NULL, enabled INTEGER NOT NULL,"
    " retain_s INTEGER NOT NULL, state INTEGER NOT NULL, result INTEGER NOT NULL, text TEXT NOT NULL,"
    " not_before_ms INTEGER NOT NULL, begin_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,"
    " stagger_ms INTEGER NOT NULL, group_id INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX job_row ON job (machine, owner, name);"
    "CREATE TABLE step (job INTEGER NOT NULL, number INTEGER NOT NULL, action INTEGER NOT NULL,"
    " vm INTEGER NOT NULL, level INTEGER NOT NULL, goal INTEGER NOT NULL,"
    " timeout_s INTEGER NOT NULL, momentary INTEGER NOT NULL, alternative INTEGER NOT NULL,"
    " state INTEGER NOT NULL, result INTEGER NOT NULL, text TEXT NOT NULL,"
    " start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;"
    "CREATE TABLE group_command (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
    " action INTEGER NOT NULL, start_ms INTEGER NOT NULL, jobs INTEGER NOT NULL,"
    " under_way INTEGER NOT NULL, refused INTEGER NOT NULL, succeeded INTEGER NOT NULL,"
    " failed INTEGER NOT NULL);"
    "CREATE TABLE notification (id INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL,"
    " machine INTEGER NOT NULL, nic INTEGER NOT NULL, name TEXT NOT NULL,"
    " power_state INTEGER NOT NULL, old_power_state INTEGER NOT NULL, source INTEGER NOT NULL,"
    " result INTEGER NOT NULL, text TEXT NOT NULL, job_owner TEXT NOT NULL, job_name TEXT NOT NULL,"
    " job_label TEXT NOT NULL, action INTEGER NOT NULL, mac BLOB NOT NULL, interface TEXT NOT NULL,"
    " bmc_address TEXT NOT NULL, bmc_status INTEGER NOT NULL, inhibit INTEGER NOT NULL,"
    " inhibit_reason TEXT NOT NULL, event_index INTEGER NOT NULL, agent INTEGER NOT NULL,"
    " machines INTEGER NOT NULL, group_name TEXT NOT NULL, jobs INTEGER NOT NULL,"
    " succeeded INTEGER NOT NULL, failed INTEGER NOT NULL);"
    "INSERT INTO machine VALUES (5, 'web05');"
    "INSERT INTO state VALUES (5, 4, 2, 1000, 5, 4, 0, 0, 1, '');"
    /* soft off, or else the BMC's off; then on */
    "INSERT INTO step VALUES (7, 1, 21, 0, 1, 2, 200, 0, 0, 3, 1, 'sent', 1000, 0),"
    " (7, 2, 17, 0, 2, 2, 30, 0, 1, 1, 1, '', 0, 0), (7, 3, 16, 0, 3, 4, 300, 0, 0, 1, 1, '', 0, 0);"
    "INSERT INTO job (id, machine, owner, name, origin, created_ms, label, action, scope, force, vm, nic, delay_s,"
    " timeout_s, vm_timeout_s, arm_wol, dry_run, init_level, wol_addr_type, wol_addr_length, wol_addr, wol_port,"
    " storage, setting, row_status, enabled, retain_s, state, result, text, not_before_ms, begin_ms, end_ms,"
    " stagger_ms, group_id) VALUES (7, 5, 'ops', 'night', 7, 1000, '', 6, 3, 1, 0, 0, 0, 600, 180, 0, 0, 0, 0, 0, x'',"
    " 0, 3, 0, 1, 1, 3600, 3, 1, '', 1000, 1000, 0, 0, 0);"
    "INSERT INTO notification VALUES (9, 1, 5, 0, 'web05', 4, 2, 2, 1, '', '', '', '', 0, x'', '', '', 0, 0, '', 12,"
    " 0, 1, '', 0, 0, 0);"
    "PRAGMA user_version = 3;";

static void test_a_file_of_version_3_is_taken_over(void **state)
{
	struct pm_stored_state last = {0};
	uint32_t index;

	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	run_sql(version_3);
	for (int start = 0; start < 2; start++) {
		open_store();
		assert_string_equal(jobs(0), "7:5 ops/night s3;");
		assert_string_equal(steps(5), "7.1 a21 g2 s3 r1 sent;7.2 a17 g2 s1 r1 ;7.3 a16 g4 s1 r1 ;");
		assert_string_equal(orders(), "7.1 >0<0;7.2 >0<0;7.3 >2<0;");
		assert_string_equal(notifications(), "9 t1 e12;");
		assert_int_equal(last_notification.old_power_state, PM_POWER_OFF);
		assert_int_equal(last_notification.vm, 0);
		assert_string_equal(last_notification.vm_name, "");
		assert_int_equal(pm_store_states_load(store, note_first_state, &last, &err), 0);
		assert_int_equal(last.on_count, 5);
		assert_int_equal(last.rest, 0); /* no operating system had agreed to anything */
		assert_false(last.gone);
		assert_string_equal(last.rest_boot, "");
		assert_string_equal(last.boot_id, "");
		assert_int_equal(pm_store_vm_index(store, 5, "uuid", &index, &err), 0);
		assert_int_equal(index, 1);
		close_store();
	}
	open_store();
	put_step(7, 4, 16, "");
	assert_string_equal(orders(), "7.1 >0<0;7.2 >0<0;7.3 >2<0;7.4 >0<0;");
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
	assert_refused(-EUCLEAN, "not one of pmstackd");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_file_of_version_1_is_taken_over),
	    TEST(test_a_file_of_version_2_is_taken_over),
	    TEST(test_a_file_of_version_3_is_taken_over),
	    TEST(test_a_file_that_cannot_be_taken_over),
	};

	return cmocka_run_group_tests_name("store_version", tests, NULL, NULL);
}
