/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a start finds in the state directory: nothing yet, a good file, or one that must not be taken for either. Indexes
 * are what managers know machines by, and what their rights hang on: without a word that says so none is given anew.
 */
#include "agent/log.h"
#include "agent/store_private.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_INDEXES                                                                            \
	"or, to begin with new indexes, which means that access rights by pmIndex have to be " \
	"looked at, move "

void pm_store_path(char *path, const char *directory, const char *suffix)
{
	snprintf(path, PM_PATH_MAX, "%s/" PM_STORE_FILE "%s", directory, suffix);
}

/* -1: it is not there. */
static int64_t size_of(const char *directory, const char *suffix)
{
	char path[PM_PATH_MAX];
	struct stat status;

	pm_store_path(path, directory, suffix);
	return lstat(path, &status) < 0 ? -1 : (int64_t)status.st_size;
}

/* --- the write-ahead log (https://www.sqlite.org/fileformat2.html, section 4) ------------------- */

#define HEADER_SIZE       32
#define FRAME_HEADER_SIZE 24
#define MAGIC             0x377f0682u /* its lowest bit: checksums of big-endian words */

struct log_reader {
	FILE *file;
	bool big_endian;
	uint32_t page_size;
	uint8_t salts[8];
	uint32_t sum[2];
	uint8_t *frame; /* header and page */
};

static uint32_t big_endian(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint32_t word(const struct log_reader *log, const uint8_t *from)
{
	uint32_t number = big_endian(from);

	return log->big_endian ? number : __builtin_bswap32(number);
}

static void add_to_sum(struct log_reader *log, const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i += 8) {
		log->sum[0] += word(log, from + i) + log->sum[1];
		log->sum[1] += word(log, from + i + 4) + log->sum[0];
	}
}

static bool sum_is(const struct log_reader *log, const uint8_t *stored)
{
	return big_endian(stored) == log->sum[0] && big_endian(stored + 4) == log->sum[1];
}

static bool read_header(struct log_reader *log)
{
	uint8_t header[HEADER_SIZE];

	if (fread(header, 1, sizeof(header), log->file) != sizeof(header) ||
	    (big_endian(header) & ~1u) != MAGIC)
		return false;
	log->big_endian = big_endian(header) & 1;
	log->page_size = big_endian(header + 8);
	memcpy(log->salts, header + 16, sizeof(log->salts));
	add_to_sum(log, header, 24);
	return log->page_size >= 512 && log->page_size <= 65536 && sum_is(log, header + 24);
}

/* Whether the frame just read is one of this log, and not left from an earlier one. */
static bool is_ours(const struct log_reader *log)
{
	return memcmp(log->frame + 8, log->salts, sizeof(log->salts)) == 0;
}

static bool is_good(struct log_reader *log)
{
	add_to_sum(log, log->frame, 8);
	add_to_sum(log, log->frame + FRAME_HEADER_SIZE, log->page_size);
	return is_ours(log) && sum_is(log, log->frame + 16);
}

/* How many pages can be used, and how many there are behind them. */
static void count_pages(struct log_reader *log, int64_t *good, unsigned *lost)
{
	size_t size = FRAME_HEADER_SIZE + log->page_size;
	bool broken = false;

	while (fread(log->frame, 1, size, log->file) == size) {
		broken = broken || !is_good(log);
		*good += !broken;
		*lost += broken && is_ours(log);
	}
}

/* Made, but the power went before anything of it was on the disk. */
static bool is_blank(struct log_reader *log)
{
	int octet;

	rewind(log->file);
	while ((octet = getc(log->file)) == 0)
		;
	return octet == EOF;
}

/* 0, or -EUCLEAN when the log can not be used at all. */
static int read_log(const char *path, int64_t *good, unsigned *lost)
{
	struct log_reader log = {.file = fopen(path, "rbe")};
	int error = 0;

	*good = 0;
	*lost = 0;
	if (!log.file)
		return -errno;
	if (!read_header(&log))
		error = is_blank(&log) ? 0 : -EUCLEAN;
	else if ((log.frame = malloc(FRAME_HEADER_SIZE + log.page_size)))
		count_pages(&log, good, lost);
	else
		error = -ENOMEM;
	free(log.frame);
	fclose(log.file);
	return error;
}

int64_t pm_store_good_pages(const char *path)
{
	int64_t good;
	unsigned lost;
	int error = read_log(path, &good, &lost);

	return error ? error : good;
}

/*
 * SQLite takes a log up to the first page that is not as it was written, and says nothing. After a loss of power that is
 * how it should be: what was not yet on the disk was told to nobody.
 */
static int check_log(const char *directory, struct pm_error *err)
{
	char path[PM_PATH_MAX];
	int64_t good;
	unsigned lost;
	int error;

	if (size_of(directory, "-wal") < HEADER_SIZE)
		return 0;
	pm_store_path(path, directory, "-wal");
	error = read_log(path, &good, &lost);
	if (error == -EUCLEAN)
		return pm_fail(
		    err, EUCLEAN,
		    "%s, the write-ahead log, is damaged: put back a copy of the whole state directory, or "
		    "move only this file away: then what was written last is lost",
		    path);
	if (error)
		return pm_fail(err, -error, "%s: %s", path, strerror(-error));
	if (lost)
		pm_log(
		    LOG_WARNING,
		    "%s: the last %u pages can not be used: they were not on the disk when the power went, or are "
		    "damaged",
		    path, lost);
	return 0;
}

/* --- the directory ---------------------------------------------------------------------------- */

/* The name of a file that was set aside, in path; false: there is none. */
static bool find_set_aside(const char *directory, char *path)
{
	char pattern[PM_PATH_MAX];
	glob_t found = {0};
	bool any;

	pm_store_path(pattern, directory, PM_STORE_DAMAGED "*");
	any = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
	if (any)
		snprintf(path, PM_PATH_MAX, "%s", found.gl_pathv[0]);
	globfree(&found);
	return any;
}

/* Without state.db: is this the first start? */
static int check_absence(const char *directory, bool was_there, struct pm_error *err)
{
	char path[PM_PATH_MAX];

	if (size_of(directory, "-wal") >= 0)
		return pm_fail(err, EUCLEAN,
			       "%s has no " PM_STORE_FILE ", but its write-ahead log " PM_STORE_FILE
			       "-wal: put " PM_STORE_FILE " back, " NEW_INDEXES "all of %s away",
			       directory, directory);
	if (find_set_aside(directory, path))
		return pm_fail(err, EUCLEAN,
			       "%s has no " PM_STORE_FILE ", but %s: put a copy of " PM_STORE_FILE
			       " back, " NEW_INDEXES "all of %s away",
			       directory, path, directory);
	if (was_there)
		return pm_fail(err, EUCLEAN,
			       "%s has no " PM_STORE_FILE ", but " PM_STORE_LOCK
			       " says that there was one: put it or a copy back, " NEW_INDEXES
			       "all of %s away",
			       directory, directory);
	pm_log(LOG_NOTICE, "%s has no " PM_STORE_FILE " yet: it is made, and machines get new indexes",
	       directory);
	return PM_STORE_ABSENT;
}

/* --- rights ----------------------------------------------------------------------------------- */

int pm_store_no_rights(struct pm_error *err, int error, const char *directory, const char *path)
{
	const struct passwd *user = getpwuid(geteuid());
	const char *name = user ? user->pw_name : "of pmstackd";

	if (error != EACCES && error != EPERM)
		return pm_fail(err, error, "cannot write in the state directory: %s: %s", path,
			       strerror(error));
	return pm_fail(
	    err, error,
	    "cannot write in the state directory: %s: %s: it has to be the user's %s: chown -R %s %s; "
	    "chmod 700 %s; chmod 600 %s/*",
	    path, strerror(error), name, name, directory, directory, directory);
}

/* SQLite would make other files beside one that it cannot write, with its wrong rights. */
static int check_file(const char *directory, const char *suffix, struct pm_error *err)
{
	char path[PM_PATH_MAX];
	struct stat status;

	pm_store_path(path, directory, suffix);
	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : pm_store_no_rights(err, errno, directory, path);
	if (!S_ISREG(status.st_mode))
		return pm_fail(
		    err, ELOOP,
		    "%s is not a file: links are not followed, put the file itself there, or say with "
		    "state-directory where it is",
		    path);
	return eaccess(path, R_OK | W_OK) < 0 ? pm_store_no_rights(err, errno, directory, path) : 0;
}

static int check_files(const char *directory, struct pm_error *err)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	int error = 0;

	if (eaccess(directory, R_OK | W_OK | X_OK) < 0)
		return pm_store_no_rights(err, errno, directory, directory);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes) && !error; i++)
		error = check_file(directory, suffixes[i], err);
	return error;
}

int pm_store_check_directory(const char *directory, bool was_there, struct pm_error *err)
{
	int64_t size;
	int error = check_files(directory, err);

	if (!error)
		error = pm_store_finish_salvage(directory, err);
	if (error)
		return error;
	size = size_of(directory, "");
	if (size < 0)
		return check_absence(directory, was_there, err);
	if (size == 0)
		return pm_fail(err, EUCLEAN,
			       "%s/" PM_STORE_FILE
			       " is damaged (it is empty): put back a copy of it, " NEW_INDEXES
			       "all of %s away",
			       directory, directory);
	return check_log(directory, err);
}

/* --- integrity -------------------------------------------------------------------------------- */

/* Its first line only says in which database. */
static const char *finding(const char *text)
{
	const char *line = strchr(text, '\n');

	return strncmp(text, "***", 3) == 0 && line ? line + 1 : text;
}

bool pm_store_is_sound(sqlite3 *db, const char *check, char *verdict, size_t size)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, check, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		snprintf(verdict, size, "%s", finding(pm_store_text(statement, 0)));
	else
		snprintf(verdict, size, "%s", sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	verdict[strcspn(verdict, "\n")] = '\0';
	return strcmp(verdict, "ok") == 0;
}

int pm_store_damaged(struct pm_error *err, const char *path, const char *verdict)
{
	return pm_fail(
	    err, EUCLEAN,
	    "%s is damaged (%s), and the indexes of machines can not be saved from it: put back a copy of it "
	    "from a backup, without a " PM_STORE_FILE "-wal beside it, " NEW_INDEXES "it and " PM_STORE_FILE
	    "-wal away",
	    path, verdict);
}
