/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/log.h"
#include "agent/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CACHE_KIB "16384" /* what a flush of 10,000 machines changes has to fit in */

/* --- the file --------------------------------------------------------------------------------- */

static int errno_of(const struct pm_store *store)
{
	switch (sqlite3_errcode(store->db)) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(store->db) ? sqlite3_system_errno(store->db) : EIO;
	default:
		return EIO;
	}
}

int pm_store_fail(const struct pm_store *store, struct pm_error *err, const char *doing)
{
	const char *path = sqlite3_db_filename(store->db, "main");
	int code = sqlite3_errcode(store->db), error = errno_of(store);

	if (error == ENOSPC)
		return pm_fail(err, error, "%s: %s: free some space in the file system of %s", doing,
			       sqlite3_errmsg(store->db), path ? path : PM_STORE_FILE);
	if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && error != EIO)
		return pm_fail(err, error, "%s: %s: %s", doing, sqlite3_errmsg(store->db), strerror(error));
	return pm_fail(err, error, "%s: %s", doing, sqlite3_errmsg(store->db));
}

/* The process, and in a line of its own that there was a file; on a full disk it stays as it is. */
static void write_lock(const struct pm_store *store)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "%ld\n%s", (long)getpid(),
			      store->was_there ? PM_STORE_FILE "\n" : "");

	if (pwrite(store->lock_fd, text, (size_t)length, 0) == length &&
	    ftruncate(store->lock_fd, length) < 0)
		pm_log(LOG_DEBUG, PM_STORE_LOCK ": %s", strerror(errno));
}

static int lock_directory(struct pm_store *store, const char *directory, struct pm_error *err)
{
	char path[PM_PATH_MAX], text[64] = "";
	ssize_t length;

	snprintf(path, sizeof(path), "%s/" PM_STORE_LOCK, directory);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return pm_store_no_rights(err, errno, directory, path);
	length = pread(store->lock_fd, text, sizeof(text) - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	store->was_there = strstr(text, "\n" PM_STORE_FILE) != NULL;
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		text[strspn(text, "0123456789")] = '\0';
		return pm_fail(err, EBUSY, "another pmstackd (process %s) uses the state directory %s",
			       *text ? text : "unknown", directory);
	}
	write_lock(store);
	return 0;
}

int64_t pm_store_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

static int prepare_statements(struct pm_store *store, const char *path, struct pm_error *err)
{
	for (int i = 0; i < PM_STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(store->db, pm_store_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statements[i], NULL) != SQLITE_OK)
			return pm_store_fail(store, err, path);
	return 0;
}

static int open_file(struct pm_store *store, const char *path, int flags, struct pm_error *err)
{
	/* NOMUTEX: each connection is one thread's at a time */
	if (sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | flags,
			    NULL) != SQLITE_OK)
		return pm_store_fail(store, err, path);
	return 0;
}

static void close_file(struct pm_store *store)
{
	sqlite3_close(store->db);
	store->db = NULL;
}

/* Under another name until it is whole: a state.db that is empty was never made here. */
static int create_file(struct pm_store *store, const char *directory, struct pm_error *err)
{
	char path[PM_PATH_MAX], created[PM_PATH_MAX];
	struct pm_error why = {""};
	int error;

	pm_store_path(path, directory, "");
	pm_store_path(created, directory, ".new");
	unlink(created);
	error = open_file(store, created, SQLITE_OPEN_CREATE, &why);
	if (!error)
		error = pm_store_make_schema(store, created, &why);
	close_file(store);
	if (!error && rename(created, path) < 0)
		error = pm_fail(&why, errno, "%s", strerror(errno));
	if (!error)
		return pm_store_sync_directory(directory, err);
	unlink(created);
	return pm_fail(err, -error, "cannot create %s: %s", path, why.text);
}

/* Until it is known to be good nothing of it is changed, also not by closing it. */
static int open_and_check(struct pm_store *store, const char *path, char *verdict, size_t size,
			  struct pm_error *err)
{
	int error = open_file(store, path, 0, err), code;

	if (error)
		return error;
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (pm_store_is_sound(store->db, "PRAGMA quick_check(1)", verdict, size)) {
		sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
		return 0;
	}
	code = sqlite3_errcode(store->db);
	if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE || code == SQLITE_CORRUPT ||
	    code == SQLITE_NOTADB)
		return pm_fail(err, EUCLEAN, "%s is damaged (%s)", path, verdict);
	return pm_store_fail(store, err, path);
}

static int salvage(struct pm_store *store, const char *directory, char *verdict, size_t size,
		   struct pm_error *err)
{
	char path[PM_PATH_MAX];
	int error = pm_store_salvage(directory, store->db, verdict, err);

	close_file(store);
	if (!error)
		error = pm_store_finish_salvage(directory, err);
	if (error)
		return error;
	pm_store_path(path, directory, "");
	return open_and_check(store, path, verdict, size, err);
}

/* What was saved from, now or at a start that did not get far. */
static void note_salvage(const struct pm_setting *setting, void *data)
{
	struct pm_store *store = data;

	if (setting->machine || strcmp(setting->key, PM_STORE_SALVAGED) != 0)
		return;
	store->salvaged = true;
	store->settings_lost = strcmp(setting->value, PM_STORE_SETTINGS_LOST) == 0;
}

static int load_own(struct pm_store *store, struct pm_error *err)
{
	int error = pm_store_last_id(store, "job", &store->last_job, err);

	if (!error)
		error = pm_store_last_id(store, "group_command", &store->last_group, err);
	return error ? error : pm_store_settings_load(store, note_salvage, store, err);
}

static int open_database(struct pm_store *store, const char *directory, struct pm_error *err)
{
	char path[PM_PATH_MAX], verdict[200];
	int error = pm_store_check_directory(directory, store->was_there, err);

	if (error == PM_STORE_ABSENT)
		error = create_file(store, directory, err);
	if (error)
		return error;
	pm_store_path(path, directory, "");
	error = open_and_check(store, path, verdict, sizeof(verdict), err);
	if (error == -EUCLEAN)
		error = salvage(store, directory, verdict, sizeof(verdict), err);
	if (error)
		return error;
	if (sqlite3_exec(store->db,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
			 "PRAGMA cache_size = -" CACHE_KIB,
			 NULL, NULL, NULL) != SQLITE_OK)
		return pm_store_fail(store, err, path);
	error = pm_store_upgrade_schema(store, path, err);
	sqlite3_exec(store->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	if (!error)
		error = prepare_statements(store, path, err);
	return error ? error : load_own(store, err);
}

int pm_store_open(const char *directory, struct pm_store **out, struct pm_error *err)
{
	struct pm_store *store = calloc(1, sizeof(*store));
	int error;

	*out = NULL;
	if (!store)
		return pm_fail(err, ENOMEM, "no memory");
	store->lock_fd = store->log_fd = -1;
	error = lock_directory(store, directory, err);
	if (!error)
		error = open_database(store, directory, err);
	if (error) {
		pm_store_close(store);
		return error;
	}
	store->was_there = true;
	write_lock(store);
	*out = store;
	return 0;
}

void pm_store_close(struct pm_store *store)
{
	if (!store)
		return;
	pm_store_detach(store);
	for (int i = 0; i < PM_STATEMENT_COUNT; i++)
		sqlite3_finalize(store->statements[i]);
	close_file(store);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}

bool pm_store_salvaged(const struct pm_store *store)
{
	return store->salvaged;
}

bool pm_store_settings_lost(const struct pm_store *store)
{
	return store->settings_lost;
}

int pm_store_salvage_told(struct pm_store *store, struct pm_error *err)
{
	const struct pm_setting mark = {.key = PM_STORE_SALVAGED};

	return pm_store_setting_delete(store, &mark, err);
}

/* --- statements ------------------------------------------------------------------------------- */

/* Quick commits are the rule: then nothing has to be switched for them. */
static void set_durable(struct pm_store *store, bool durable)
{
	if (store->durable != durable)
		sqlite3_exec(store->db, durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
			     NULL, NULL, NULL);
	store->durable = durable;
}

static int step(struct pm_store *store, sqlite3_stmt *statement, struct pm_error *err)
{
	int error = sqlite3_step(statement) == SQLITE_DONE ? 0 : pm_store_fail(store, err, "state database");

	sqlite3_reset(statement);
	return error;
}

static int begin(struct pm_store *store, bool durable, struct pm_error *err)
{
	int error;

	if (durable && store->log_suspect && pm_store_write_log_again(store) < 0)
		return pm_fail(err, EIO, "state database: the disk has not taken what was written before");
	set_durable(store, durable);
	error = step(store, store->statements[TRANSACTION_BEGIN], err);
	if (error)
		set_durable(store, false);
	return error;
}

int pm_store_begin(struct pm_store *store, struct pm_error *err)
{
	return begin(store, true, err);
}

int pm_store_begin_quick(struct pm_store *store, struct pm_error *err)
{
	return begin(store, false, err);
}

int pm_store_commit(struct pm_store *store, struct pm_error *err)
{
	int error = step(store, store->statements[TRANSACTION_COMMIT], err);

	if (error) {
		pm_store_suspect_log(store);
		pm_store_rollback(store);
	}
	set_durable(store, false);
	pm_store_checkpoint_if_due(store);
	return error;
}

void pm_store_rollback(struct pm_store *store)
{
	sqlite3_step(store->statements[TRANSACTION_ROLLBACK]);
	sqlite3_reset(store->statements[TRANSACTION_ROLLBACK]);
	set_durable(store, false);
}

sqlite3_stmt *pm_store_bind(struct pm_store *store, enum pm_statement which, const char *format, ...)
{
	sqlite3_stmt *statement = store->statements[which];
	va_list args;

	sqlite3_reset(statement);
	va_start(args, format);
	for (int i = 0; format[i]; i++) {
		if (format[i] == 'i')
			sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
		else
			sqlite3_bind_text(statement, i + 1, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
	}
	va_end(args);
	return statement;
}

/* Outside of a transaction in one of its own, which is on the disk when this returns. */
int pm_store_run(struct pm_store *store, sqlite3_stmt *statement, struct pm_error *err)
{
	int error;

	if (!sqlite3_get_autocommit(store->db))
		return step(store, statement, err);
	error = begin(store, true, err);
	if (error)
		return error;
	error = step(store, statement, err);
	if (error)
		pm_store_rollback(store);
	return error ? error : pm_store_commit(store, err);
}

int pm_store_query(struct pm_store *store, sqlite3_stmt *statement, int64_t *number, struct pm_error *err)
{
	int step = sqlite3_step(statement);
	int result = step == SQLITE_ROW    ? 1
		     : step == SQLITE_DONE ? 0
					   : pm_store_fail(store, err, "state database");

	if (result == 1)
		*number = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return result;
}

int pm_store_finish(struct pm_store *store, sqlite3_stmt *statement, int step, struct pm_error *err)
{
	int error = step == SQLITE_DONE ? 0 : pm_store_fail(store, err, "state database");

	sqlite3_reset(statement);
	return error;
}

int pm_store_last_id(struct pm_store *store, const char *table, int64_t *id, struct pm_error *err)
{
	int found;

	*id = 0;
	found = pm_store_query(store, pm_store_bind(store, LAST_ID, "s", table), id, err);
	return found < 0 ? found : 0;
}

const char *pm_store_text(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* --- rows of many columns --------------------------------------------------------------------- */

static size_t octets_without_zeros(const uint8_t *octets, size_t size)
{
	while (size > 0 && octets[size - 1] == 0)
		size--;
	return size;
}

static int64_t number_of(const struct pm_member *member, const void *from)
{
	switch (member->form) {
	case PM_FORM_UINT32:
		return *(const uint32_t *)from;
	case PM_FORM_UINT16:
		return *(const uint16_t *)from;
	case PM_FORM_BOOL:
		return *(const bool *)from;
	default:
		return *(const int64_t *)from; /* also of an uint64_t: ids stay below 2^63 */
	}
}

static void bind_member(sqlite3_stmt *statement, int where, const struct pm_member *member, const void *from)
{
	const char *text = member->form == PM_FORM_TEXT ? *(const char *const *)from : from;

	switch (member->form) {
	case PM_FORM_TEXT:
	case PM_FORM_CHARS:
		sqlite3_bind_text(statement, where, text ? text : "", -1, SQLITE_TRANSIENT);
		break;
	case PM_FORM_OCTETS:
		sqlite3_bind_blob(statement, where, from, (int)octets_without_zeros(from, member->size),
				  SQLITE_TRANSIENT);
		break;
	default:
		sqlite3_bind_int64(statement, where, number_of(member, from));
	}
}

void pm_store_bind_row(sqlite3_stmt *statement, int first, const struct pm_member *members, size_t count,
		       const void *row)
{
	for (size_t i = 0; i < count; i++)
		bind_member(statement, first + (int)i, &members[i], (const char *)row + members[i].offset);
}

static void read_octets(sqlite3_stmt *statement, int column, uint8_t *to, size_t size)
{
	const void *octets = sqlite3_column_blob(statement, column);
	size_t length = (size_t)sqlite3_column_bytes(statement, column);

	memset(to, 0, size);
	if (octets)
		memcpy(to, octets, length < size ? length : size);
}

static void read_member(sqlite3_stmt *statement, int column, const struct pm_member *member, void *to)
{
	int64_t number = sqlite3_column_int64(statement, column);

	switch (member->form) {
	case PM_FORM_INT64:
	case PM_FORM_UINT64:
		*(int64_t *)to = number;
		break;
	case PM_FORM_UINT32:
		*(uint32_t *)to = (uint32_t)number;
		break;
	case PM_FORM_UINT16:
		*(uint16_t *)to = (uint16_t)number;
		break;
	case PM_FORM_BOOL:
		*(bool *)to = number != 0;
		break;
	case PM_FORM_TEXT:
		*(const char **)to = pm_store_text(statement, column);
		break;
	case PM_FORM_CHARS:
		snprintf(to, member->size, "%s", pm_store_text(statement, column));
		break;
	case PM_FORM_OCTETS:
		read_octets(statement, column, to, member->size);
	}
}

void pm_store_read_row(sqlite3_stmt *statement, int first, const struct pm_member *members, size_t count,
		       void *row)
{
	for (size_t i = 0; i < count; i++)
		read_member(statement, first + (int)i, &members[i], (char *)row + members[i].offset);
}
