/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A damaged store: what can be read is saved, what cannot is told, and an index is never given to another machine. */
#include "tests/unit/agent/store_support.h"

#include <signal.h>
#include <sys/resource.h>

#define PAGE     4096
#define MACHINES 100
#define JOBS     300
#define ASIDE    PM_STORE_FILE ".damaged-*Z"

/* --- a store with something in each table ---------------------------------------------------------------------------- */

static void put_machine(uint32_t number)
{
	const struct pm_stored_state last = {.machine = number,
					     .power_state = PM_POWER_ON,
					     .last_result = PM_RESULT_OK,
					     .last_result_text = "on"};
	struct pm_setting setting = {.machine = number, .key = "inhibit", .base = "0", .value = "1"};
	char name[32];
	uint32_t index;

	snprintf(name, sizeof(name), "m%u", number);
	assert_int_equal(machine_index(name, 1, 1000), number);
	assert_int_equal(pm_store_nic_index(store, number, "eth0", &index, &err), 0);
	assert_int_equal(pm_store_vm_index(store, number, "uuid-1", &index, &err), 0);
	assert_int_equal(pm_store_setting_put(store, &setting, &err), 0);
	assert_int_equal(pm_store_state_put(store, &last, &err), 0);
	for (uint32_t i = 1; i <= 3; i++)
		put_event(number, i, 0);
}

static void fill(void)
{
	struct pm_stored_group group = {.name = "all"};
	static const char *const names[] = {"a", "b", "c"};

	assert_int_equal(pm_store_begin_quick(store, &err), 0);
	for (uint32_t i = 1; i <= MACHINES; i++) {
		put_machine(i);
		put_notification(i);
		assert_int_equal(pm_store_group_insert(store, &group, &err), 0);
	}
	for (uint32_t i = 1; i <= JOBS; i++)
		put_step(insert_job(1 + i % MACHINES, "ops", names[i % 3]).id, 1, 16, "sent");
	assert_int_equal(pm_store_commit(store, &err), 0);
}

/* Whether every machine, NIC and VM has the index it had; new ones would get the next. */
static void assert_indexes(void)
{
	char name[32];
	uint32_t nic, vm;

	for (uint32_t i = 1; i <= MACHINES; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		assert_int_equal(machine_index(name, 1, 1000), i);
		assert_int_equal(pm_store_nic_index(store, i, "eth0", &nic, &err), 0);
		assert_int_equal(nic, 1);
		assert_int_equal(pm_store_nic_index(store, i, "eth1", &nic, &err), 0);
		assert_int_equal(nic, 2);
		assert_int_equal(pm_store_vm_index(store, i, "uuid-2", &vm, &err), 0);
		assert_int_equal(vm, 2);
		assert_int_equal(pm_store_vm_index(store, i, "uuid-1", &vm, &err), 0);
		assert_int_equal(vm, 1);
	}
	assert_int_equal(machine_index("new", 1, 1000), MACHINES + 1);
}

static int64_t number(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *s;
	int64_t value = -1;

	assert_int_equal(sqlite3_open(in_directory(PM_STORE_FILE), &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		value = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return value;
}

/* The page that a table begins with; or the last of its pages. */
static long page_of(const char *table, bool last)
{
	char sql[160];

	if (last)
		snprintf(sql, sizeof(sql), "SELECT max(pageno) FROM dbstat WHERE name = '%s'", table);
	else
		snprintf(sql, sizeof(sql), "SELECT rootpage FROM sqlite_master WHERE name = '%s'", table);
	return number(sql);
}

/* A leaf of a table in the middle of its rows. */
static long leaf_of(const char *table)
{
	char sql[200];

	snprintf(
	    sql, sizeof(sql),
	    "SELECT pageno FROM dbstat WHERE name = '%s' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 1",
	    table);
	return number(sql);
}

static void damage_page(long page)
{
	assert_true(page > 0);
	overwrite(PM_STORE_FILE, (page - 1) * PAGE, PAGE);
}

/* A copy of a file of the directory, to be compared or put back. */
static char *read_file(const char *name, size_t *size)
{
	FILE *file = fopen(in_directory(name), "r");
	char *content;

	assert_non_null(file);
	*size = (size_t)file_size(name);
	content = malloc(*size + 1);
	assert_non_null(content);
	assert_int_equal(fread(content, 1, *size, file), *size);
	fclose(file);
	return content;
}

static void write_file(const char *name, const char *content, size_t size)
{
	FILE *file = fopen(in_directory(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void remove_files(const char *pattern)
{
	char path[160];
	glob_t found = {0};

	snprintf(path, sizeof(path), "%s/%s", directory, pattern);
	if (glob(path, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			assert_int_equal(unlink(found.gl_pathv[i]), 0);
	globfree(&found);
}

/* --- what is said: the log goes to stderr ----------------------------------------------------------------------------- */

static char said[8192];

static void open_and_listen(int expected)
{
	int fd = open(in_directory("log"), O_RDWR | O_CREAT | O_TRUNC, 0600), old = dup(STDERR_FILENO);
	ssize_t length;
	int result;

	dup2(fd, STDERR_FILENO);
	result = pm_store_open(directory, &store, &err);
	dup2(old, STDERR_FILENO);
	close(old);
	length = pread(fd, said, sizeof(said) - 1, 0);
	said[length > 0 ? length : 0] = '\0';
	close(fd);
	unlink(in_directory("log"));
	if (result != expected)
		fail_msg("%d: %s", result, err.text);
}

static void assert_said(const char *text)
{
	if (!strstr(said, text))
		fail_msg("\"%s\" was not said: %s", text, said);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void test_a_good_file_is_not_salvaged(void **state)
{
	(void)state;
	fill();
	assert_false(pm_store_salvaged(store));
	close_store();
	open_and_listen(0);
	assert_false(pm_store_salvaged(store));
	assert_string_equal(said, "");
	assert_indexes();
}

static void test_a_damaged_leaf_of_events(void **state)
{
	size_t size, size_aside;
	char *before, *aside;
	glob_t found;
	char path[160];

	(void)state;
	fill();
	for (uint32_t i = 4; i <= 1500; i++)
		put_event(50, i, 0);
	close_store();
	damage_page(leaf_of("event"));
	before = read_file(PM_STORE_FILE, &size);
	open_and_listen(0);
	assert_true(pm_store_salvaged(store));
	assert_said("crit: ");
	assert_said("table event: ");
	assert_said("are lost");
	assert_said("notice: state database: table machine: all 100 rows");
	assert_said("kept as");
	assert_indexes();
	assert_non_null(strstr(events(), "1.1@10;"));
	close_store();
	assert_true(number("SELECT count(*) FROM event") > 1000); /* also from behind the damage */
	assert_int_equal(number("SELECT count(*) FROM event WHERE machine = 100"), 4);
	assert_true(number("SELECT max(id) FROM event WHERE machine = 100") >
		    1700000000); /* not used before */
	assert_int_equal(number("SELECT count(*) FROM event WHERE severity = 3"), MACHINES);
	assert_int_equal(number("SELECT count(*) FROM job"), JOBS);
	assert_int_equal(number("SELECT seq FROM sqlite_sequence WHERE name = 'job'"), JOBS);
	snprintf(path, sizeof(path), "%s/" ASIDE, directory);
	assert_int_equal(glob(path, 0, NULL, &found), 0);
	aside = read_file(strrchr(found.gl_pathv[0], '/') + 1, &size_aside);
	assert_int_equal(size_aside, size);
	assert_memory_equal(aside, before, size);
	globfree(&found);
	free(before);
	free(aside);
	open_and_listen(0); /* the next start finds nothing wrong */
	assert_string_equal(said, "");
}

/* Until what follows from it is told, which may be at a later start. */
static void test_it_is_known_until_it_is_told(void **state)
{
	(void)state;
	fill();
	close_store();
	damage_page(page_of("job", false));
	for (int start = 0; start < 2; start++) {
		open_and_listen(0);
		assert_true(pm_store_salvaged(store));
		assert_false(pm_store_settings_lost(store));
		close_store();
	}
	open_store();
	assert_int_equal(pm_store_salvage_told(store, &err), 0);
	reopen();
	assert_false(pm_store_salvaged(store));
	close_store();
	assert_int_equal(number("SELECT count(*) FROM setting WHERE machine = 0"), 0);
}

/* Who was protected by pmMachineInhibit is not known any more: nothing may be switched. */
static void test_lost_settings_inhibit_everything(void **state)
{
	(void)state;
	fill();
	close_store();
	damage_page(page_of("setting", false));
	open_and_listen(0);
	assert_true(pm_store_settings_lost(store));
	assert_indexes();
	close_store();
	assert_int_equal(number("SELECT value FROM setting WHERE machine = 0 AND key = 'inhibit'"), 1);
	assert_int_equal(number("SELECT count(*) FROM event WHERE text LIKE '%inhibited%'"), MACHINES);
	open_store();
	assert_true(pm_store_settings_lost(store));
}

/* The log is set aside with its file, and its rows come over. */
static int leaves_a_log(void)
{
	if (pm_store_open(directory, &store, &err) < 0)
		return 1;
	put_event(100, 4, 0);
	return 0;
}

static void test_the_log_is_set_aside_too(void **state)
{
	long page;

	(void)state;
	fill();
	close_store();
	page = page_of("group_command", false);
	assert_int_equal(in_another_process(leaves_a_log), 0);
	damage_page(page);
	open_and_listen(0);
	assert_true(exists(ASIDE "-wal"));
	assert_indexes();
	close_store();
	assert_int_equal(number("SELECT max(id) FROM event WHERE machine = 100"),
			 5); /* and one that says it */
	assert_int_equal(number("SELECT count(*) FROM group_command"), 0);
}

static void assert_left_as_it_is(void)
{
	size_t size, size_after;
	char *before = read_file(PM_STORE_FILE, &size), *after;

	assert_refused(-EUCLEAN, "backup");
	after = read_file(PM_STORE_FILE, &size_after);
	assert_int_equal(size_after, size);
	assert_memory_equal(after, before, size);
	assert_false(exists(PM_STORE_FILE ".*"));
	free(before);
	free(after);
}

static const char *const index_tables[] = {
    "machine", "sqlite_autoindex_machine_1", "nic", "sqlite_autoindex_nic_2", "vm", "sqlite_autoindex_vm_2"};

static void test_damaged_indexes_are_not_guessed(void **state)
{
	size_t size;
	char *good;

	(void)state;
	fill();
	close_store();
	good = read_file(PM_STORE_FILE, &size);
	for (size_t i = 0; i < LENGTH(index_tables); i++) {
		damage_page(page_of(index_tables[i], false));
		assert_left_as_it_is();
		write_file(PM_STORE_FILE, good, size);
	}
	free(good);
	open_store();
	assert_indexes();
}

static void test_no_database_at_all(void **state)
{
	char noise[10000];

	(void)state;
	close_store();
	memset(noise, 'x', sizeof(noise));
	write_file(PM_STORE_FILE, noise, sizeof(noise));
	assert_left_as_it_is();
	assert_non_null(strstr(err.text, "not a database"));
}

static void test_a_file_cut_short(void **state)
{
	(void)state;
	fill();
	close_store();
	assert_int_equal(truncate(in_directory(PM_STORE_FILE), 2 * PAGE), 0);
	assert_left_as_it_is();
}

static void test_a_file_cut_behind_its_indexes(void **state)
{
	long last;

	(void)state;
	fill();
	close_store();
	last = page_of("sqlite_schema", true);
	for (size_t i = 0; i < LENGTH(index_tables); i++)
		if (page_of(index_tables[i], true) > last)
			last = page_of(index_tables[i], true);
	assert_true(last * PAGE < file_size(PM_STORE_FILE));
	assert_int_equal(truncate(in_directory(PM_STORE_FILE), last * PAGE), 0);
	open_and_listen(0);
	assert_true(pm_store_salvaged(store));
	assert_said("it is not known how many are lost");
	assert_indexes();
}

/* Whichever page is damaged: refused, or saved with all indexes. Anything else would be a crash, or worse. */
static void test_any_page(void **state)
{
	size_t size;
	char *good;
	unsigned saved = 0, refused = 0;

	(void)state;
	fill();
	close_store();
	good = read_file(PM_STORE_FILE, &size);
	for (long page = 1; page <= (long)(size / PAGE); page++) {
		damage_page(page);
		pm_log_open(PM_LOG_STDERR, LOG_EMERG);
		if (pm_store_open(directory, &store, &err) == 0) {
			assert_indexes();
			saved++;
		} else {
			assert_non_null(strstr(err.text, "backup"));
			refused++;
		}
		close_store();
		remove_files(PM_STORE_FILE "*");
		write_file(PM_STORE_FILE, good, size);
	}
	free(good);
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	assert_true(saved > 10);
	assert_true(refused > 4 && refused < 20);
}

static void test_an_empty_file(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(truncate(in_directory(PM_STORE_FILE), 0), 0);
	assert_refused(-EUCLEAN, "empty");
	assert_int_equal(file_size(PM_STORE_FILE), 0);
}

static void test_a_database_of_something_else(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	run_sql("CREATE TABLE something (else_ TEXT)");
	assert_refused(-EUCLEAN, "not one of pmstackd");
}

/* So that it is the first start of this directory. */
static void forget(void)
{
	remove_files("pmstackd.lock");
}

static void test_a_log_without_its_file(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(leaves_a_log), 0);
	forget();
	assert_true(file_size(PM_STORE_FILE "-wal") > 0);
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	assert_refused(-EUCLEAN, "-wal");
	assert_true(file_size(PM_STORE_FILE "-wal") > 0);
	write_file(PM_STORE_FILE "-wal", "", 0);
	assert_refused(-EUCLEAN, "-wal");
	assert_int_equal(unlink(in_directory(PM_STORE_FILE "-wal")), 0);
	open_store();
}

static void test_no_file_beside_one_that_was_set_aside(void **state)
{
	(void)state;
	close_store();
	forget();
	assert_int_equal(
	    rename(in_directory(PM_STORE_FILE), in_directory(PM_STORE_FILE ".damaged-20260101T000000Z")), 0);
	assert_refused(-EUCLEAN, "damaged-20260101T000000Z");
	remove_files(ASIDE);
	open_store();
}

/* However often it is tried: a start that is refused does not make it the first. */
static void test_no_file_where_there_was_one(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	for (int start = 0; start < 3; start++)
		assert_refused(-EUCLEAN, "there was one");
	forget();
	open_and_listen(0);
	assert_said("notice: ");
	assert_said("machines get new indexes");
}

static int cannot_be_made(void)
{
	const struct rlimit limit = {PAGE, PAGE};

	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &limit) < 0 || pm_store_open(directory, &store, &err) >= 0;
}

static void test_a_first_start_that_failed_is_followed_by_another_first(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(unlink(in_directory(PM_STORE_FILE)), 0);
	forget();
	assert_int_equal(in_another_process(cannot_be_made), 0);
	assert_true(exists("pmstackd.lock"));
	open_store();
}

/* --- the write-ahead log ----------------------------------------------------------------------------------------------- */

static int leaves_a_long_log(void)
{
	if (pm_store_open(directory, &store, &err) < 0)
		return 1;
	for (uint32_t i = 1; i <= 20; i++)
		put_event(7, i, 0);
	return 0;
}

static void test_a_log_with_a_damaged_header(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(leaves_a_long_log), 0);
	overwrite(PM_STORE_FILE "-wal", 0, 8);
	assert_refused(-EUCLEAN, "-wal");
	assert_true(file_size(PM_STORE_FILE "-wal") > 0);
	overwrite(PM_STORE_FILE "-wal", 12, 8); /* also where only the sum tells */
	assert_refused(-EUCLEAN, "write-ahead log");
}

static void test_a_log_damaged_in_the_middle(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(leaves_a_long_log), 0);
	overwrite(PM_STORE_FILE "-wal", 32 + 10 * (24 + PAGE) + 100, 8);
	open_and_listen(0);
	assert_said("warning: ");
	assert_said("pages can not be used");
	assert_non_null(strstr(events(), "7.10@100;"));
	assert_null(strstr(events(), "7.11@110;"));
}

/* Where the power went: what was committed until then is there, whole and without a gap. */
static void test_a_log_cut_anywhere(void **state)
{
	static const char name[] = PM_STORE_FILE "-wal";
	size_t db_size, log_size;
	char *db, *log;
	uint32_t events_before = 0;

	(void)state;
	close_store();
	assert_int_equal(in_another_process(leaves_a_long_log), 0);
	db = read_file(PM_STORE_FILE, &db_size);
	log = read_file(name, &log_size);
	for (size_t cut = 0; cut <= log_size; cut += 1000) {
		uint32_t count = 0;

		remove_files(PM_STORE_FILE "*");
		write_file(PM_STORE_FILE, db, db_size);
		write_file(name, log, cut);
		open_and_listen(0);
		assert_false(pm_store_salvaged(store));
		for (const char *event = events(); (event = strchr(event, ';')); event++)
			count++;
		assert_true(count >= events_before);
		events_before = count;
		close_store();
	}
	assert_true(events_before >= 19);
	free(db);
	free(log);
}

/* What the power took before any of it was on the disk. */
static void test_a_log_of_zeros(void **state)
{
	static const char zeros[3 * PAGE];

	(void)state;
	machine_index("zeus", 1, 10);
	close_store();
	write_file(PM_STORE_FILE "-wal", zeros, sizeof(zeros));
	open_and_listen(0);
	assert_string_equal(said, "");
	assert_int_equal(machine_index("zeus", 1, 10), 1);
}

static void test_a_log_of_a_process_that_was_killed(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(leaves_a_long_log), 0);
	open_and_listen(0);
	assert_string_equal(said, "");
	assert_non_null(strstr(events(), "7.20@200;"));
}

/* --- saving that is itself disturbed ------------------------------------------------------------------------------------- */

/* Killed when the new file was whole, with some of the renaming done, or none. */
static void test_a_start_goes_on_with_what_was_saved(void **state)
{
	size_t size;
	char *good;

	(void)state;
	fill();
	close_store();
	good = read_file(PM_STORE_FILE, &size);
	for (int renamed = 0; renamed < 3; renamed++) {
		write_file(PM_STORE_FILE, good, size);
		damage_page(page_of("event", false));
		write_file(PM_STORE_FILE "-wal", "old", 3);
		write_file(PM_STORE_FILE ".salvaged", good, size);
		if (renamed > 0)
			unlink(in_directory(PM_STORE_FILE));
		if (renamed > 1)
			unlink(in_directory(PM_STORE_FILE "-wal"));
		open_and_listen(0);
		assert_said("takes its place");
		assert_true(renamed > 0 || exists(ASIDE));
		assert_false(exists(PM_STORE_FILE ".salvaged"));
		assert_indexes();
		close_store();
		remove_files(PM_STORE_FILE "*");
	}
	free(good);
	forget();
	open_store();
}

static int salvages_without_room(void)
{
	const struct rlimit limit = {8 * PAGE, 8 * PAGE};

	signal(SIGXFSZ, SIG_IGN);
	pm_log_open(PM_LOG_STDERR, LOG_EMERG);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 1;
	if (pm_store_open(directory, &store, &err) >= 0)
		return 2;
	return strstr(err.text, "can not be copied") ? 0 : 3;
}

static void test_no_room_to_save_it(void **state)
{
	(void)state;
	fill();
	close_store();
	damage_page(leaf_of("job"));
	assert_int_equal(in_another_process(salvages_without_room), 0);
	assert_false(exists(PM_STORE_FILE ".*"));
	open_and_listen(0); /* with room again */
	assert_true(pm_store_salvaged(store));
	assert_indexes();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_good_file_is_not_salvaged),
	    TEST(test_a_damaged_leaf_of_events),
	    TEST(test_it_is_known_until_it_is_told),
	    TEST(test_lost_settings_inhibit_everything),
	    TEST(test_the_log_is_set_aside_too),
	    TEST(test_damaged_indexes_are_not_guessed),
	    TEST(test_no_database_at_all),
	    TEST(test_a_file_cut_short),
	    TEST(test_a_file_cut_behind_its_indexes),
	    TEST(test_any_page),
	    TEST(test_an_empty_file),
	    TEST(test_a_database_of_something_else),
	    TEST(test_a_log_without_its_file),
	    TEST(test_no_file_beside_one_that_was_set_aside),
	    TEST(test_no_file_where_there_was_one),
	    TEST(test_a_first_start_that_failed_is_followed_by_another_first),
	    TEST(test_a_log_with_a_damaged_header),
	    TEST(test_a_log_damaged_in_the_middle),
	    TEST(test_a_log_cut_anywhere),
	    TEST(test_a_log_of_zeros),
	    TEST(test_a_log_of_a_process_that_was_killed),
	    TEST(test_a_start_goes_on_with_what_was_saved),
	    TEST(test_no_room_to_save_it),
	};

	return cmocka_run_group_tests_name("store_salvage", tests, NULL, NULL);
}
