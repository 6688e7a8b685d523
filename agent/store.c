/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_FILE "pmstackd.lock"

/* --- the file --------------------------------------------------------------------------------- */

int pm_store_fail(const struct pm_store *store, struct pm_error *err, const char *doing)
{
	int code = sqlite3_errcode(store->db);
	int error = code == SQLITE_FULL       ? ENOSPC
		    : code == SQLITE_READONLY ? EROFS
		    : code == SQLITE_NOMEM    ? ENOMEM
					      : EIO;

	return pm_fail(err, error, "%s: %s", doing, sqlite3_errmsg(store->db));
}

static int lock_directory(struct pm_store *store, const char *directory, struct pm_error *err)
{
	char path[4096], owner[16] = "";
	ssize_t got;

	snprintf(path, sizeof(path), "%s/" LOCK_FILE, directory);
	store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return pm_fail(err, errno, "cannot write in the state directory: %s: %s", path,
			       strerror(errno));
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		got = pread(store->lock_fd, owner, sizeof(owner) - 1, 0);
		owner[got > 0 ? got : 0] = '\0';
		owner[strspn(owner, "0123456789")] = '\0';
		return pm_fail(err, EBUSY, "another pmstackd (process %s) uses the state directory %s",
			       *owner ? owner : "unknown", directory);
	}
	if (ftruncate(store->lock_fd, 0) < 0 || dprintf(store->lock_fd, "%ld\n", (long)getpid()) < 0)
		return pm_fail(err, errno, "cannot write %s: %s", path, strerror(errno));
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

static int check_integrity(struct pm_store *store, const char *path, struct pm_error *err)
{
	sqlite3_stmt *statement = NULL;
	char verdict[200] = "";

	if (sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		snprintf(verdict, sizeof(verdict), "%s", (const char *)sqlite3_column_text(statement, 0));
	else
		snprintf(verdict, sizeof(verdict), "%s", sqlite3_errmsg(store->db));
	sqlite3_finalize(statement);
	if (strcmp(verdict, "ok") == 0)
		return 0;
	return pm_fail(
	    err, EUCLEAN,
	    "%s is damaged (%s): restore it from a backup, or move it away to begin with new indexes", path,
	    verdict);
}

static int prepare_statements(struct pm_store *store, const char *path, struct pm_error *err)
{
	for (int i = 0; i < PM_STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(store->db, pm_store_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statements[i], NULL) != SQLITE_OK)
			return pm_store_fail(store, err, path);
	return 0;
}

static int open_database(struct pm_store *store, const char *directory, struct pm_error *err)
{
	char path[4096];
	int error;

	snprintf(path, sizeof(path), "%s/" PM_STORE_FILE, directory);
	if (sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
			    NULL) != SQLITE_OK)
		return pm_store_fail(store, err, path);
	error = check_integrity(store, path, err);
	if (error)
		return error;
	if (sqlite3_exec(store->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", NULL, NULL,
			 NULL) != SQLITE_OK)
		return pm_store_fail(store, err, path);
	error = pm_store_prepare_schema(store, path, err);
	return error ? error : prepare_statements(store, path, err);
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
	sqlite3_close(store->db);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store);
}

/* --- statements ------------------------------------------------------------------------------- */

static int execute(struct pm_store *store, const char *statement, struct pm_error *err)
{
	if (sqlite3_exec(store->db, statement, NULL, NULL, NULL) != SQLITE_OK)
		return pm_store_fail(store, err, "state database");
	return 0;
}

int pm_store_begin(struct pm_store *store, struct pm_error *err)
{
	return execute(store, "BEGIN IMMEDIATE", err);
}

static void be_durable_again(struct pm_store *store)
{
	sqlite3_exec(store->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
}

int pm_store_begin_quick(struct pm_store *store, struct pm_error *err)
{
	int error = execute(store, "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE", err);

	if (error)
		be_durable_again(store);
	return error;
}

int pm_store_commit(struct pm_store *store, struct pm_error *err)
{
	int error = execute(store, "COMMIT", err);

	if (error)
		pm_store_rollback(store);
	be_durable_again(store);
	pm_store_checkpoint_if_long(store);
	return error;
}

void pm_store_rollback(struct pm_store *store)
{
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	be_durable_again(store);
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

int pm_store_run(struct pm_store *store, sqlite3_stmt *statement, struct pm_error *err)
{
	int error = sqlite3_step(statement) == SQLITE_DONE ? 0 : pm_store_fail(store, err, "state database");

	sqlite3_reset(statement);
	return error;
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
