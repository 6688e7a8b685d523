/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store: what must outlive the process does, and a file or directory that is not as it should be is refused in words. */
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

static void note_state(const struct pm_stored_state *state, void *data)
{
	struct pm_stored_state *last = data;

	*last = *state;
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
					   .bmc_down = true};
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
	assert_int_equal(pm_store_expire(store, 30, &err), 0);
	assert_string_equal(events(), "1.3@30;1.4@40;2.1@10;");
	assert_int_equal(pm_store_expire(store, 1000000, &err), 0);
	assert_string_equal(events(), "1.4@40;2.1@10;");
}

/* --- the job journal --------------------------------------------------------------------------------------------------- */

static struct pm_stored_job last_job;

static void note_job(const struct pm_stored_job *job, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	last_job = *job;
	snprintf(seen + length, sizeof(seen) - length, "%lld:%u.%u a%d o%d s%d;", (long long)job->id,
		 job->machine, job->nic, job->action, job->origin, job->state);
}

static const char *unfinished(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_jobs_unfinished(store, note_job, NULL, &err), 0);
	return seen;
}

static struct pm_stored_job insert_job(uint32_t machine)
{
	struct pm_stored_job job = {.machine = machine,
				    .nic = 2,
				    .action = PM_COMMAND_WAKE,
				    .origin = 4,
				    .state = PM_JOB_SCHEDULED,
				    .result = PM_RESULT_NONE,
				    .start_ms = 100,
				    .text = ""};

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

static void test_a_job_is_in_the_journal_until_it_ends(void **state)
{
	struct pm_stored_job first = insert_job(5), second = insert_job(6);

	(void)state;
	reopen();
	assert_string_equal(unfinished(), "1:5.2 a3 o4 s2;2:6.2 a3 o4 s2;");
	end_job(&first, 200);
	assert_string_equal(unfinished(), "2:6.2 a3 o4 s2;");
	assert_int_equal(pm_store_job_delete(store, second.id, &err), 0);
	assert_string_equal(unfinished(), "");
}

static void note_last(const struct pm_stored_job *job, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%lld:m%u r%u %s;", (long long)job->id, job->machine,
		 job->result, job->text);
}

static void test_the_last_job_of_each_machine(void **state)
{
	struct pm_stored_job first = insert_job(5), other = insert_job(6), second = insert_job(5);

	(void)state;
	insert_job(5); /* has not ended */
	end_job(&first, 300);
	second.result = PM_RESULT_TIMEOUT;
	second.end_ms = 200; /* the clock was set back */
	second.text = "late";
	assert_int_equal(pm_store_job_update(store, &second, &err), 0);
	end_job(&other, 100);
	seen[0] = '\0';
	assert_int_equal(pm_store_jobs_last(store, note_last, NULL, &err), 0);
	assert_string_equal(seen, "3:m5 r4 late;2:m6 r2 done;");
}

static void test_a_job_that_begins_later(void **state)
{
	struct pm_stored_job job = {
	    .machine = 1, .start_ms = 100, .text = "", .not_before_ms = 1700000000123, .stagger_ms = 3600000};

	(void)state;
	insert_job(1);
	assert_string_equal(unfinished(), "1:1.2 a3 o4 s2;");
	assert_int_equal(last_job.not_before_ms, 0);
	assert_int_equal(last_job.stagger_ms, 0);
	assert_int_equal(pm_store_job_insert(store, &job, &err), 0);
	reopen();
	unfinished();
	assert_int_equal(last_job.id, 2);
	assert_int_equal(last_job.not_before_ms, 1700000000123);
	assert_int_equal(last_job.stagger_ms, 3600000);
}

static void test_job_ids_are_unique_for_ever(void **state)
{
	struct pm_stored_job first = insert_job(5), second = insert_job(5);

	(void)state;
	end_job(&first, 200);
	assert_int_equal(pm_store_job_delete(store, second.id, &err), 0);
	assert_int_equal(pm_store_expire(store, 1000, &err), 0);
	reopen();
	assert_int_equal(insert_job(5).id, 3);
}

static void test_expiry_spares_jobs_that_have_not_ended(void **state)
{
	struct pm_stored_job old = insert_job(5);

	(void)state;
	assert_int_equal(pm_store_expire(store, INT64_MAX, &err), 0);
	assert_string_equal(unfinished(), "1:5.2 a3 o4 s2;");
	end_job(&old, 200);
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
		assert_string_equal(unfinished(), "41:5.2 a3 o4 s3;");
		assert_int_equal(last_job.not_before_ms, 0);
		assert_int_equal(last_job.stagger_ms, 0);
		assert_int_equal(pm_store_machine_index(store, "web03", 1, 1000, &index, &err), 0);
		assert_int_equal(index, 3);
		assert_int_equal(pm_store_states_load(store, note_state, &last, &err), 0);
		assert_int_equal(last.off_count, 4);
		assert_false(last.bmc_down || last.unknown_told);
		close_store();
	}
	open_store();
	assert_int_equal(insert_job(5).id, 42);
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
	assert_true(*unfinished() != '\0');
	assert_true(insert_job(1).id > 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_a_machine_keeps_its_index, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_blocks_of_shards, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_an_index_taken_back_in_a_transaction, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_nics_are_numbered_within_their_machine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_settings_of_groups, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_last_state_of_a_machine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_events_are_forgotten_by_machine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_expiry_keeps_the_newest_event, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_job_is_in_the_journal_until_it_ends, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_last_job_of_each_machine, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_job_that_begins_later, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_job_ids_are_unique_for_ever, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_expiry_spares_jobs_that_have_not_ended, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_one_process_at_a_time, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_no_such_directory, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_damaged_file, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_file_of_version_1_is_taken_over, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_taken_over, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_newer_version, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_read_only_directory, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_killed_in_a_transaction, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_files_are_private, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
