/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file or directory that is not as it should be is refused in words, or saved from; and never made anew in silence. */
#include "tests/unit/agent/store_support.h"

#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

/* --- what is not as it should be ---------------------------------------------------------------------------------------- */

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
		       strstr(err.text, "cannot write") && strstr(err.text, "chown -R ")
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

static void give_to_nobody(const char *path, mode_t mode)
{
	const struct passwd *nobody = getpwnam("nobody");

	assert_int_equal(chmod(path, mode), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(path, nobody->pw_uid, nobody->pw_gid), 0);
}

/* The file itself is named, and nothing is made beside it with its wrong rights. */
static int open_names_the_file(void)
{
	struct pm_store *other;

	become_nobody();
	return pm_store_open(directory, &other, &err) == -EACCES && strstr(err.text, "/" PM_STORE_FILE ":") &&
		       !exists(PM_STORE_FILE "-*")
		   ? 0
		   : 1;
}

static void test_a_file_that_cannot_be_written(void **state)
{
	(void)state;
	close_store();
	give_to_nobody(directory, 0700);
	give_to_nobody(in_directory("pmstackd.lock"), 0600);
	give_to_nobody(in_directory(PM_STORE_FILE), 0400);
	assert_int_equal(in_another_process(open_names_the_file), 0);
	give_to_nobody(in_directory(PM_STORE_FILE), 0600);
	open_store();
}

static void test_a_link(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(rename(in_directory(PM_STORE_FILE), in_directory("good")), 0);
	assert_int_equal(symlink("good", in_directory(PM_STORE_FILE)), 0);
	assert_refused(-ELOOP, "links are not followed");
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

/* --- a file system that is full ------------------------------------------------------------------------------------ */

static void fill_with_ballast(void)
{
	char zeros[512] = {0};
	int fd = open(in_directory("ballast"), O_WRONLY | O_CREAT, 0600);

	while (write(fd, zeros, sizeof(zeros)) == sizeof(zeros))
		;
	close(fd);
}

/* Nothing of it is seen by others. */
static int mount_small_tmpfs(void)
{
	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("tmpfs", directory, "tmpfs", 0, "size=512k");
}

static int opens_on_a_full_file_system(void)
{
	struct pm_store *other;

	if (mount_small_tmpfs() < 0)
		return 1;
	fill_with_ballast();
	if (pm_store_open(directory, &other, &err) != -ENOSPC || !strstr(err.text, directory))
		return fprintf(stderr, "%s\n", err.text), 2;
	unlink(in_directory("ballast"));
	if (pm_store_open(directory, &other, &err) < 0)
		return 3; /* nothing half made was left */
	return 0;
}

static void test_no_room_to_make_the_file(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(opens_on_a_full_file_system), 0);
	open_store();
}

/* The log leaves room for the file: what is written over and over never fills it. */
static int writes_over_and_over(void)
{
	struct pm_store *small;
	uv_loop_t loop;
	int error = 0;

	if (mount_small_tmpfs() < 0 || uv_loop_init(&loop) < 0 ||
	    pm_store_open(directory, &small, &err) < 0 || pm_store_attach(small, &loop, &err) < 0)
		return 1;
	for (uint32_t i = 1; i <= 3000 && !error; i++) {
		struct pm_stored_event event = {.machine = 1 + i % 30, .index = i, .text = "over and over"};

		error = pm_store_begin_quick(small, &err);
		if (!error)
			error = pm_store_event_put(small, &event, i, &err);
		if (!error)
			error = pm_store_commit(small, &err);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	pm_store_close(small);
	return error ? 2 : 0;
}

static void test_a_small_file_system(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(writes_over_and_over), 0);
	open_store();
}

static int insert_until_it_fails(struct pm_store *full, int max)
{
	struct pm_stored_job job = {.machine = 1, .text = "a text that takes some room, like those of jobs"};
	int error = 0, inserted = 0;

	for (; !error && inserted < max; inserted++)
		error = pm_store_job_insert(full, &job, &err);
	return error ? error : inserted;
}

/* A file system that fills up under it, and has room again. */
static int fills_up(void)
{
	struct pm_store *full;
	uint32_t index;

	if (mount_small_tmpfs() < 0 || pm_store_open(directory, &full, &err) < 0 ||
	    pm_store_machine_index(full, "zeus", 1, 10, &index, &err) < 0)
		return 1;
	fill_with_ballast();
	if (insert_until_it_fails(full, 100000) != -ENOSPC ||
	    !strstr(err.text, "free some space in the file system of"))
		return 2;
	pm_store_close(full);
	if (pm_store_open(directory, &full, &err) < 0)
		return 3; /* what is there can be read */
	if (pm_store_machine_index(full, "zeus", 1, 10, &index, &err) < 0 || index != 1)
		return 4;
	unlink(in_directory("ballast"));
	if (insert_until_it_fails(full, 10) != 10)
		return 5;
	pm_store_close(full);
	return 0;
}

static void test_a_file_system_that_fills_up(void **state)
{
	(void)state;
	close_store();
	assert_int_equal(in_another_process(fills_up), 0);
	open_store();
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
	    TEST(test_one_process_at_a_time),
	    TEST(test_no_such_directory),
	    TEST(test_newer_version),
	    TEST(test_read_only_directory),
	    TEST(test_a_file_that_cannot_be_written),
	    TEST(test_a_link),
	    TEST(test_full_disk),
	    TEST(test_no_room_to_make_the_file),
	    TEST(test_a_small_file_system),
	    TEST(test_a_file_system_that_fills_up),
	    TEST(test_killed_in_a_transaction),
	    TEST(test_files_are_private),
	};

	return cmocka_run_group_tests_name("store_file", tests, NULL, NULL);
}
