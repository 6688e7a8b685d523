/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Saves what can be read of a damaged file into a new one, which takes its place; the damaged one is set aside. Only when
 * the tables of indexes come over whole: an index must never be given to another machine.
 *
 *   state.db.salvage             is being written
 *   state.db.salvaged            is whole and on the disk: from here on a start goes on with it
 *   state.db.damaged-<UTC time>  the damaged one, and ...-wal its write-ahead log
 */
#include "agent/log.h"
#include "agent/store_private.h"
#include "agent/tc.h"
#include "agent/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UNFINISHED ".salvage"
#define FINISHED   ".salvaged"
#define SQL_MAX    512

/* --- files ------------------------------------------------------------------------------------ */

/* 0 also when from is not there. */
static int move(const char *from, const char *to, struct pm_error *err)
{
	if (rename(from, to) < 0 && errno != ENOENT)
		return pm_fail(err, errno, "cannot rename %s to %s: %s", from, to, strerror(errno));
	return 0;
}

int pm_store_sync_directory(const char *directory, struct pm_error *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error ? pm_fail(err, error, "%s: %s", directory, strerror(error)) : 0;
}

static bool is_empty(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_size == 0;
}

static int set_aside(const char *directory, char *aside, struct pm_error *err)
{
	char from[PM_PATH_MAX], to[PM_PATH_MAX], suffix[64];
	time_t now = time(NULL);
	struct tm utc;
	int error;

	gmtime_r(&now, &utc);
	strftime(suffix, sizeof(suffix), PM_STORE_DAMAGED "%Y%m%dT%H%M%SZ", &utc);
	pm_store_path(from, directory, "");
	pm_store_path(aside, directory, suffix);
	error = move(from, aside, err);
	if (error)
		return error;
	pm_store_path(from, directory, "-wal");
	snprintf(to, sizeof(to), "%s-wal", aside);
	error = is_empty(from) ? -unlink(from) : move(from, to, err);
	pm_store_path(from, directory, "-shm");
	unlink(from); /* SQLite's own index of the log: made anew */
	return error;
}

int pm_store_finish_salvage(const char *directory, struct pm_error *err)
{
	char from[PM_PATH_MAX], to[PM_PATH_MAX], aside[PM_PATH_MAX];
	int error;

	pm_store_path(from, directory, FINISHED);
	if (access(from, F_OK) < 0)
		return 0;
	error = set_aside(directory, aside, err);
	if (error)
		return error;
	pm_store_path(to, directory, "");
	error = move(from, to, err);
	if (error)
		return error;
	pm_log(LOG_CRIT, "%s was damaged: what could be read of it takes its place, and it is kept as %s", to,
	       aside);
	return pm_store_sync_directory(directory, err);
}

/* --- rows ------------------------------------------------------------------------------------- */

struct salvage {
	sqlite3 *from, *to;
	struct pm_error *err;
	bool settings_lost, events_lost; /* some, or it is not known */
};

struct table {
	char name[64], order[128], descending[128];
	int columns;
};

/* "a, b" and "a DESC, b DESC" of the primary key. */
static bool describe(sqlite3 *db, const char *name, struct table *table)
{
	char sql[SQL_MAX];
	sqlite3_stmt *s = NULL;

	*table = (struct table){0};
	snprintf(table->name, sizeof(table->name), "%s", name);
	snprintf(sql, sizeof(sql), "SELECT name, pk FROM pragma_table_info('%s') ORDER BY pk", name);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		return false;
	for (; sqlite3_step(s) == SQLITE_ROW; table->columns++) {
		const char *column = pm_store_text(s, 0);
		size_t up = strlen(table->order), down = strlen(table->descending);

		if (sqlite3_column_int(s, 1) == 0)
			continue;
		snprintf(table->order + up, sizeof(table->order) - up, "%s%s", up ? ", " : "", column);
		snprintf(table->descending + down, sizeof(table->descending) - down, "%s%s DESC",
			 down ? ", " : "", column);
	}
	sqlite3_finalize(s);
	return table->columns > 0 && *table->order;
}

static sqlite3_stmt *prepare_insert(struct salvage *salvage, const struct table *table)
{
	char sql[SQL_MAX];
	sqlite3_stmt *s = NULL;
	int length = snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO %s VALUES (?", table->name);

	for (int i = 1; i < table->columns; i++)
		length += snprintf(sql + length, sizeof(sql) - (size_t)length, ", ?");
	snprintf(sql + length, sizeof(sql) - (size_t)length, ")");
	sqlite3_prepare_v2(salvage->to, sql, -1, &s, NULL);
	return s;
}

/* false: the row was not taken, as it is nonsense or there already. *error: the new file can not be written. */
static bool copy_row(sqlite3_stmt *from, sqlite3_stmt *to, int columns, int *error)
{
	int code;

	sqlite3_reset(to);
	for (int i = 0; i < columns; i++)
		sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
	code = sqlite3_step(to);
	if (code != SQLITE_DONE && code != SQLITE_CONSTRAINT && code != SQLITE_MISMATCH)
		*error = code;
	return code == SQLITE_DONE && sqlite3_changes(sqlite3_db_handle(to)) == 1;
}

/* In this order, up to where it can be read. Returns whether that was all of it, and every row good. */
static bool copy_rows(struct salvage *salvage, const struct table *table, const char *order, int *error)
{
	char sql[SQL_MAX];
	sqlite3_stmt *from = NULL, *to = prepare_insert(salvage, table);
	bool whole = true;
	int step = SQLITE_ERROR;

	snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY %s", table->name, order);
	if (to && sqlite3_prepare_v2(salvage->from, sql, -1, &from, NULL) == SQLITE_OK)
		while (!*error && (step = sqlite3_step(from)) == SQLITE_ROW)
			whole &= copy_row(from, to, table->columns, error);
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	return whole && step == SQLITE_DONE;
}

static int64_t count(sqlite3 *db, const char *table)
{
	char sql[SQL_MAX];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return pm_store_number(db, sql);
}

static void tell(struct salvage *salvage, const char *table, bool whole)
{
	int64_t copied = count(salvage->to, table), all = count(salvage->from, table);

	if (whole)
		pm_log(LOG_NOTICE, "state database: table %s: all %lld rows came over", table,
		       (long long)copied);
	else if (all >= copied)
		pm_log(LOG_CRIT, "state database: table %s: %lld rows came over, %lld are lost", table,
		       (long long)copied, (long long)(all - copied));
	else
		pm_log(LOG_CRIT,
		       "state database: table %s: %lld rows came over, it is not known how many are lost",
		       table, (long long)copied);
}

static bool must_be_whole(const char *table)
{
	return strcmp(table, "machine") == 0 || strcmp(table, "nic") == 0 || strcmp(table, "vm") == 0;
}

static bool is_sound(sqlite3 *db, const char *table)
{
	char check[SQL_MAX], verdict[200];

	snprintf(check, sizeof(check), "PRAGMA integrity_check('%s')", table);
	return pm_store_is_sound(db, check, verdict, sizeof(verdict));
}

/* -EUCLEAN: a table that must be whole is not. */
static int copy_table(struct salvage *salvage, const char *name)
{
	struct table table;
	int error = 0;
	bool whole;

	if (!describe(salvage->to, name, &table))
		return -EUCLEAN;
	if (must_be_whole(name) && !is_sound(salvage->from, name))
		return -EUCLEAN;
	whole = copy_rows(salvage, &table, table.order, &error);
	if (!whole && must_be_whole(name))
		return -EUCLEAN;
	if (!whole && !error)
		copy_rows(salvage, &table, table.descending, &error); /* what is behind the damage */
	if (error)
		return pm_fail(
		    salvage->err, error == SQLITE_FULL ? ENOSPC : EIO,
		    "the state database is damaged, and what can be read of it can not be copied: %s",
		    sqlite3_errmsg(salvage->to));
	tell(salvage, name, whole);
	salvage->settings_lost |= !whole && strcmp(name, "setting") == 0;
	salvage->events_lost |= !whole && strcmp(name, "event") == 0;
	return 0;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* The statements that made the tables, and the version of the schema; so a file of an older one is salvaged as such. */
static int copy_schema(struct salvage *salvage)
{
	int64_t version = pm_store_number(salvage->from, "PRAGMA user_version");
	char pragma[64];
	sqlite3_stmt *s = NULL;
	int step, error = 0;

	if (sqlite3_prepare_v2(
		salvage->from,
		"SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
		" ORDER BY rowid",
		-1, &s, NULL) != SQLITE_OK)
		return -EUCLEAN;
	while ((step = sqlite3_step(s)) == SQLITE_ROW && !error)
		if (sqlite3_exec(salvage->to, pm_store_text(s, 0), NULL, NULL, NULL) != SQLITE_OK)
			error = -EUCLEAN;
	sqlite3_finalize(s);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %lld", (long long)version);
	if (error || step != SQLITE_DONE || version <= 0 ||
	    sqlite3_exec(salvage->to, pragma, NULL, NULL, NULL) != SQLITE_OK)
		return -EUCLEAN;
	return 0;
}

static int copy_tables(struct salvage *salvage)
{
	sqlite3_stmt *s = NULL;
	int error = 0;

	if (sqlite3_prepare_v2(
		salvage->to,
		"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
		" ORDER BY rowid",
		-1, &s, NULL) != SQLITE_OK)
		return -EUCLEAN;
	while (!error && sqlite3_step(s) == SQLITE_ROW)
		error = copy_table(salvage, pm_store_text(s, 0));
	sqlite3_finalize(s);
	return error;
}

/* So that no id is given twice; when it can not be read, those of the rows that came over are the least. */
static void copy_sequences(struct salvage *salvage)
{
	sqlite3_stmt *from = NULL, *to = NULL;

	if (sqlite3_prepare_v2(salvage->from, "SELECT seq, name FROM sqlite_sequence", -1, &from, NULL) ==
		SQLITE_OK &&
	    sqlite3_prepare_v2(salvage->to, "INSERT INTO sqlite_sequence (seq, name) VALUES (?1, ?2)", -1,
			       &to, NULL) == SQLITE_OK)
		while (sqlite3_step(from) == SQLITE_ROW) {
			int error = 0;

			copy_row(from, to, 2, &error);
		}
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	sqlite3_exec(salvage->to,
		     "DELETE FROM sqlite_sequence WHERE rowid NOT IN"
		     " (SELECT rowid FROM (SELECT rowid, max(seq) FROM sqlite_sequence GROUP BY name))",
		     NULL, NULL, NULL);
}

/* --- what is said of it in the new file ------------------------------------------------------- */

static int run(struct salvage *salvage, const char *sql, const int64_t *number, const char *text)
{
	sqlite3_stmt *s = NULL;
	bool good = sqlite3_prepare_v2(salvage->to, sql, -1, &s, NULL) == SQLITE_OK;

	for (int i = 0; good && number && i < 4; i++)
		sqlite3_bind_int64(s, i + 1, number[i]);
	if (good && text)
		sqlite3_bind_text(s, 5, text, -1, SQLITE_STATIC);
	good = good && sqlite3_step(s) == SQLITE_DONE;
	sqlite3_finalize(s);
	return good ? 0
		    : pm_fail(salvage->err, EIO, "the state database is damaged, and can not be copied: %s",
			      sqlite3_errmsg(salvage->to));
}

/*
 * Each machine's history says it. When events are lost, it goes on with numbers that cannot have been used: there was less
 * than one event a second.
 */
static int add_events(struct salvage *salvage)
{
	int64_t now_ms = pm_time_ms();
	const int64_t numbers[] = {salvage->events_lost ? now_ms / 1000 : 1, now_ms, PM_EVENT_CONFIGURATION,
				   PM_SEVERITY_CRITICAL};

	return run(
	    salvage,
	    "INSERT INTO event (machine, id, time_ms, kind, severity, text)"
	    " SELECT id, max(?1, 1 + coalesce((SELECT max(id) FROM event WHERE event.machine = machine.id), 0)),"
	    " ?2, ?3, ?4, ?5 FROM machine",
	    numbers,
	    salvage->settings_lost
		? "the state database was damaged: what was set by SNMP is lost, all actions are inhibited"
		: "the state database was damaged: history may be lost");
}

/* Until the jobs that had not ended are told; the first version knew no groups. */
static int add_marks(struct salvage *salvage)
{
	bool first = pm_store_number(salvage->to, "PRAGMA user_version") == 1;
	char sql[SQL_MAX];
	int error;

	snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO setting VALUES (0, 0, %s'%s', '', '%s')",
		 first ? "" : "'', ", PM_STORE_SALVAGED,
		 salvage->settings_lost ? PM_STORE_SETTINGS_LOST : "history");
	error = run(salvage, sql, NULL, NULL);
	if (error || !salvage->settings_lost)
		return error;
	/* who was protected by pmMachineInhibit is not known any more */
	snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO setting VALUES (0, 0, %s'inhibit', '0', '1')",
		 first ? "" : "'', ");
	return run(salvage, sql, NULL, NULL);
}

static int copy_all(struct salvage *salvage)
{
	int error;

	/* SQLite then also reads a file that is shorter than it should be */
	sqlite3_exec(salvage->from, "PRAGMA writable_schema = ON", NULL, NULL, NULL);
	error = copy_schema(salvage);

	if (!error)
		error = copy_tables(salvage);
	if (!error)
		copy_sequences(salvage);
	if (!error)
		error = add_events(salvage);
	if (!error)
		error = add_marks(salvage);
	if (!error && sqlite3_exec(salvage->to, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		error =
		    pm_fail(salvage->err, ENOSPC,
			    "the state database is damaged, and what can be read of it can not be copied: %s",
			    sqlite3_errmsg(salvage->to));
	return error;
}

static void remove_unfinished(const char *directory)
{
	char path[PM_PATH_MAX];

	pm_store_path(path, directory, UNFINISHED);
	unlink(path);
	pm_store_path(path, directory, UNFINISHED "-journal");
	unlink(path);
}

int pm_store_salvage(const char *directory, sqlite3 *from, const char *verdict, struct pm_error *err)
{
	struct salvage salvage = {.from = from, .err = err};
	char path[PM_PATH_MAX], damaged[PM_PATH_MAX], finished[PM_PATH_MAX];
	int error = 0;

	pm_store_path(damaged, directory, "");
	pm_store_path(path, directory, UNFINISHED);
	pm_store_path(finished, directory, FINISHED);
	remove_unfinished(directory);
	pm_log(LOG_CRIT, "%s is damaged (%s): trying to save what can be read of it", damaged, verdict);
	if (sqlite3_open_v2(path, &salvage.to,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
			    NULL) != SQLITE_OK ||
	    sqlite3_exec(salvage.to, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", NULL, NULL, NULL) !=
		SQLITE_OK)
		error = pm_fail(err, EIO, "%s: %s", path, sqlite3_errmsg(salvage.to));
	if (!error)
		error = copy_all(&salvage);
	sqlite3_close(salvage.to);
	if (!error)
		error = move(path, finished, err);
	if (error)
		remove_unfinished(directory);
	return error == -EUCLEAN ? pm_store_damaged(err, damaged, verdict) : error;
}
