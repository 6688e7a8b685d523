/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/store.h"

#include "agent/tc.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SCHEMA_VERSION 2
#define LOCK_FILE      "pmstackd.lock"

#define CREATE_SETTING                                                                                              \
	"CREATE TABLE setting (machine INTEGER NOT NULL, nic INTEGER NOT NULL, group_name TEXT NOT NULL,"           \
	" key TEXT NOT NULL, base TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (machine, nic, group_name, key))" \
	" WITHOUT ROWID;"

static const char schema[] =
    "CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE nic (machine INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (machine, id), UNIQUE (machine, name)) WITHOUT ROWID;" CREATE_SETTING
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
    "PRAGMA user_version = 2;";

/* Version 1 knew neither groups nor jobs that begin later, nor what was told. */
static const char upgrade_from_1[] =
    "ALTER TABLE setting RENAME TO setting_1;" CREATE_SETTING
    "INSERT INTO setting SELECT machine, nic, '', key, base, value FROM setting_1;"
    "DROP TABLE setting_1;"
    "ALTER TABLE state ADD COLUMN bmc_down INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN unknown_told INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN not_before_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN stagger_ms INTEGER NOT NULL DEFAULT 0;"
    "UPDATE job SET state = 3 WHERE end_ms = 0;" /* it did not tell which of them had begun */
    "PRAGMA user_version = 2;";

enum statement {
	MACHINE_GET,
	MACHINE_TOP,
	MACHINE_ADD,
	NIC_GET,
	NIC_TOP,
	NIC_ADD,
	SETTING_PUT,
	SETTING_DELETE,
	SETTINGS_LOAD,
	STATE_PUT,
	STATES_LOAD,
	EVENT_PUT,
	EVENT_FORGET,
	EVENTS_LOAD,
	EVENTS_EXPIRE,
	JOBS_EXPIRE,
	JOB_INSERT,
	JOB_BEGUN,
	JOB_UPDATE,
	JOB_DELETE,
	JOBS_LAST_END,
	JOBS_LAST,
	JOBS_UNFINISHED,
	STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
    [MACHINE_GET] = "SELECT id FROM machine WHERE name = ?1",
    [MACHINE_TOP] = "SELECT coalesce(max(id), 0) FROM machine WHERE id BETWEEN ?1 AND ?2",
    [MACHINE_ADD] = "INSERT INTO machine (id, name) VALUES (?1, ?2)",
    [NIC_GET] = "SELECT id FROM nic WHERE machine = ?1 AND name = ?2",
    [NIC_TOP] = "SELECT coalesce(max(id), 0) FROM nic WHERE machine = ?1",
    [NIC_ADD] = "INSERT INTO nic (machine, id, name) VALUES (?1, ?2, ?3)",
    [SETTING_PUT] = "INSERT OR REPLACE INTO setting (machine, nic, group_name, key, base, value)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SETTING_DELETE] = "DELETE FROM setting WHERE machine = ?1 AND nic = ?2 AND group_name = ?3 AND key = ?4",
    [SETTINGS_LOAD] = "SELECT machine, nic, group_name, key, base, value FROM setting",
    [STATE_PUT] =
	"INSERT OR REPLACE INTO state (machine, power_state, source, last_change_ms, on_count, off_count,"
	" bmc_down, unknown_told) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STATES_LOAD] = "SELECT machine, power_state, source, last_change_ms, on_count, off_count, bmc_down,"
		    " unknown_told FROM state",
    [EVENT_PUT] = "INSERT OR REPLACE INTO event (machine, id, time_ms, kind, severity, text)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [EVENT_FORGET] = "DELETE FROM event WHERE machine = ?1 AND id <= ?2",
    [EVENTS_LOAD] = "SELECT machine, id, time_ms, kind, severity, text FROM event ORDER BY machine, id",
    /* the newest event of a machine stays: its index must not be given again */
    [EVENTS_EXPIRE] = "DELETE FROM event WHERE time_ms < ?1 AND id <"
		      " (SELECT max(id) FROM event AS newest WHERE newest.machine = event.machine)",
    [JOBS_EXPIRE] = "DELETE FROM job WHERE end_ms <> 0 AND end_ms < ?1",
    [JOB_INSERT] = "INSERT INTO job (machine, nic, action, origin, state, result, start_ms, end_ms, text,"
		   " not_before_ms, stagger_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [JOB_BEGUN] = "UPDATE job SET state = ?2, not_before_ms = ?3 WHERE id = ?1",
    [JOB_UPDATE] = "UPDATE job SET state = ?2, result = ?3, end_ms = ?4, text = ?5 WHERE id = ?1",
    [JOB_DELETE] = "DELETE FROM job WHERE id = ?1",
    [JOBS_LAST_END] = "SELECT coalesce(max(end_ms), 0) FROM job",
    /* the other columns are those of the row with the maximum (SQLite) */
    [JOBS_LAST] = "SELECT max(id), machine, result, text FROM job WHERE end_ms <> 0 GROUP BY machine",
    [JOBS_UNFINISHED] =
	"SELECT id, machine, nic, action, origin, state, result, start_ms, end_ms, text, not_before_ms, stagger_ms"
	" FROM job WHERE end_ms = 0 ORDER BY id",
};

struct pm_store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	int lock_fd;
};

/* --- the file --------------------------------------------------------------------------------- */

static int fail_sqlite(const struct pm_store *store, struct pm_error *err, const char *doing)
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

static int64_t pragma_number(sqlite3 *db, const char *pragma)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = -1;

	if (sqlite3_prepare_v2(db, pragma, -1, &statement, NULL) == SQLITE_OK &&
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

static int prepare_schema(struct pm_store *store, const char *path, struct pm_error *err)
{
	int64_t version;

	if (check_integrity(store, path, err) < 0)
		return -EUCLEAN;
	version = pragma_number(store->db, "PRAGMA user_version");
	if (version > SCHEMA_VERSION)
		return pm_fail(
		    err, EUCLEAN,
		    "%s was written by a newer pmstackd (schema %lld, this one knows %d): install that "
		    "version again, or put back a copy of the file from before",
		    path, (long long)version, SCHEMA_VERSION);
	if (sqlite3_exec(store->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", NULL, NULL,
			 NULL) != SQLITE_OK)
		return fail_sqlite(store, err, path);
	if (version == SCHEMA_VERSION)
		return 0;
	if (pm_store_begin(store, err) < 0)
		return -EIO;
	if (sqlite3_exec(store->db, version == 1 ? upgrade_from_1 : schema, NULL, NULL, NULL) != SQLITE_OK) {
		fail_sqlite(store, err, path);
		pm_store_rollback(store);
		return -EIO;
	}
	return pm_store_commit(store, err);
}

static int open_database(struct pm_store *store, const char *directory, struct pm_error *err)
{
	char path[4096];
	int error;

	snprintf(path, sizeof(path), "%s/" PM_STORE_FILE, directory);
	if (sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
			    NULL) != SQLITE_OK)
		return fail_sqlite(store, err, path);
	error = prepare_schema(store, path, err);
	if (error)
		return error;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &store->statements[i], NULL) != SQLITE_OK)
			return fail_sqlite(store, err, path);
	return 0;
}

int pm_store_open(const char *directory, struct pm_store **out, struct pm_error *err)
{
	struct pm_store *store = calloc(1, sizeof(*store));
	int error;

	*out = NULL;
	if (!store)
		return pm_fail(err, ENOMEM, "no memory");
	store->lock_fd = -1;
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
	for (int i = 0; i < STATEMENT_COUNT; i++)
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
		return fail_sqlite(store, err, "state database");
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
	return error;
}

void pm_store_rollback(struct pm_store *store)
{
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	be_durable_again(store);
}

/* Binds by format: 'i' int64_t, 's' const char *. */
static sqlite3_stmt *bind(struct pm_store *store, enum statement which, const char *format, ...)
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

static int run(struct pm_store *store, sqlite3_stmt *statement, struct pm_error *err)
{
	int error = sqlite3_step(statement) == SQLITE_DONE ? 0 : fail_sqlite(store, err, "state database");

	sqlite3_reset(statement);
	return error;
}

/* 1 and the number of the first row, 0 when there is no row, or a negative errno value. */
static int query_number(struct pm_store *store, sqlite3_stmt *statement, int64_t *number,
			struct pm_error *err)
{
	int step = sqlite3_step(statement);
	int result = step == SQLITE_ROW    ? 1
		     : step == SQLITE_DONE ? 0
					   : fail_sqlite(store, err, "state database");

	if (result == 1)
		*number = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return result;
}

/* Ends a loop over rows: 0, or the error that ended it early. */
static int finish(struct pm_store *store, sqlite3_stmt *statement, int step, struct pm_error *err)
{
	int error = step == SQLITE_DONE ? 0 : fail_sqlite(store, err, "state database");

	sqlite3_reset(statement);
	return error;
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

/* --- indexes ---------------------------------------------------------------------------------- */

int pm_store_machine_index(struct pm_store *store, const char *name, uint32_t first, uint32_t last,
			   uint32_t *index, struct pm_error *err)
{
	int64_t number = 0;
	int found = query_number(store, bind(store, MACHINE_GET, "s", name), &number, err);

	if (found < 0)
		return found;
	if (!found) {
		found = query_number(store, bind(store, MACHINE_TOP, "ii", (int64_t)first, (int64_t)last),
				     &number, err);
		if (found < 0)
			return found;
		number = number < first ? first : number + 1;
		if (number > last)
			return pm_fail(err, ENOSPC, "no index left for machine %s in rows %u to %u", name,
				       first, last);
		found = run(store, bind(store, MACHINE_ADD, "is", number, name), err);
		if (found < 0)
			return found;
	}
	if (number < first || number > last)
		return pm_fail(err, ERANGE, "machine %s has index %lld, outside of rows %u to %u", name,
			       (long long)number, first, last);
	*index = (uint32_t)number;
	return 0;
}

int pm_store_nic_index(struct pm_store *store, uint32_t machine, const char *name, uint32_t *index,
		       struct pm_error *err)
{
	int64_t number = 0;
	int found = query_number(store, bind(store, NIC_GET, "is", (int64_t)machine, name), &number, err);

	if (found == 0) {
		found = query_number(store, bind(store, NIC_TOP, "i", (int64_t)machine), &number, err);
		number++;
		if (found > 0)
			found = run(store, bind(store, NIC_ADD, "iis", (int64_t)machine, number, name), err);
	}
	*index = (uint32_t)number;
	return found < 0 ? found : 0;
}

/* --- settings and states ---------------------------------------------------------------------- */

static const char *group_of(const struct pm_setting *setting)
{
	return setting->group ? setting->group : "";
}

int pm_store_setting_put(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err)
{
	return run(store,
		   bind(store, SETTING_PUT, "iissss", (int64_t)setting->machine, (int64_t)setting->nic,
			group_of(setting), setting->key, setting->base, setting->value),
		   err);
}

int pm_store_setting_delete(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err)
{
	return run(store,
		   bind(store, SETTING_DELETE, "iiss", (int64_t)setting->machine, (int64_t)setting->nic,
			group_of(setting), setting->key),
		   err);
}

int pm_store_settings_load(struct pm_store *store, void (*each)(const struct pm_setting *setting, void *data),
			   void *data, struct pm_error *err)
{
	sqlite3_stmt *s = bind(store, SETTINGS_LOAD, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_setting){.machine = (uint32_t)sqlite3_column_int64(s, 0),
					  .nic = (uint32_t)sqlite3_column_int64(s, 1),
					  .group = text_of(s, 2),
					  .key = text_of(s, 3),
					  .base = text_of(s, 4),
					  .value = text_of(s, 5)},
		     data);
	return finish(store, s, step, err);
}

int pm_store_state_put(struct pm_store *store, const struct pm_stored_state *state, struct pm_error *err)
{
	return run(store,
		   bind(store, STATE_PUT, "iiiiiiii", (int64_t)state->machine, (int64_t)state->power_state,
			(int64_t)state->source, state->last_change_ms, (int64_t)state->on_count,
			(int64_t)state->off_count, (int64_t)state->bmc_down, (int64_t)state->unknown_told),
		   err);
}

int pm_store_states_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_state *state, void *data), void *data,
			 struct pm_error *err)
{
	sqlite3_stmt *s = bind(store, STATES_LOAD, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_stored_state){.machine = (uint32_t)sqlite3_column_int64(s, 0),
					       .power_state = (unsigned)sqlite3_column_int(s, 1),
					       .source = (unsigned)sqlite3_column_int(s, 2),
					       .last_change_ms = sqlite3_column_int64(s, 3),
					       .on_count = (uint32_t)sqlite3_column_int64(s, 4),
					       .off_count = (uint32_t)sqlite3_column_int64(s, 5),
					       .bmc_down = sqlite3_column_int(s, 6),
					       .unknown_told = sqlite3_column_int(s, 7)},
		     data);
	return finish(store, s, step, err);
}

/* --- events ----------------------------------------------------------------------------------- */

int pm_store_event_put(struct pm_store *store, const struct pm_stored_event *event, uint32_t forget,
		       struct pm_error *err)
{
	int error = run(store,
			bind(store, EVENT_PUT, "iiiiis", (int64_t)event->machine, (int64_t)event->index,
			     event->time_ms, (int64_t)event->kind, (int64_t)event->severity, event->text),
			err);

	if (error || !forget)
		return error;
	return run(store, bind(store, EVENT_FORGET, "ii", (int64_t)event->machine, (int64_t)forget), err);
}

int pm_store_events_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_event *event, void *data), void *data,
			 struct pm_error *err)
{
	sqlite3_stmt *s = bind(store, EVENTS_LOAD, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_stored_event){.machine = (uint32_t)sqlite3_column_int64(s, 0),
					       .index = (uint32_t)sqlite3_column_int64(s, 1),
					       .time_ms = sqlite3_column_int64(s, 2),
					       .kind = (unsigned)sqlite3_column_int(s, 3),
					       .severity = (unsigned)sqlite3_column_int(s, 4),
					       .text = text_of(s, 5)},
		     data);
	return finish(store, s, step, err);
}

int pm_store_expire(struct pm_store *store, int64_t before_ms, struct pm_error *err)
{
	int error = run(store, bind(store, EVENTS_EXPIRE, "i", before_ms), err);

	return error ? error : run(store, bind(store, JOBS_EXPIRE, "i", before_ms), err);
}

/* --- the job journal -------------------------------------------------------------------------- */

int pm_store_job_insert(struct pm_store *store, struct pm_stored_job *job, struct pm_error *err)
{
	int error =
	    run(store,
		bind(store, JOB_INSERT, "iiiiiiiisii", (int64_t)job->machine, (int64_t)job->nic,
		     (int64_t)job->action, (int64_t)job->origin, (int64_t)job->state, (int64_t)job->result,
		     job->start_ms, job->end_ms, job->text, job->not_before_ms, (int64_t)job->stagger_ms),
		err);

	if (!error)
		job->id = sqlite3_last_insert_rowid(store->db);
	return error;
}

int pm_store_job_begun(struct pm_store *store, int64_t id, int64_t begin_ms, struct pm_error *err)
{
	return run(store, bind(store, JOB_BEGUN, "iii", id, (int64_t)PM_JOB_RUNNING, begin_ms), err);
}

int pm_store_job_update(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err)
{
	return run(store,
		   bind(store, JOB_UPDATE, "iiiis", job->id, (int64_t)job->state, (int64_t)job->result,
			job->end_ms, job->text),
		   err);
}

int pm_store_job_delete(struct pm_store *store, int64_t id, struct pm_error *err)
{
	return run(store, bind(store, JOB_DELETE, "i", id), err);
}

int pm_store_jobs_last_end(struct pm_store *store, int64_t *end_ms, struct pm_error *err)
{
	int found = query_number(store, bind(store, JOBS_LAST_END, ""), end_ms, err);

	return found < 0 ? found : 0;
}

int pm_store_jobs_last(struct pm_store *store, void (*each)(const struct pm_stored_job *job, void *data),
		       void *data, struct pm_error *err)
{
	sqlite3_stmt *s = bind(store, JOBS_LAST, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_stored_job){.id = sqlite3_column_int64(s, 0),
					     .machine = (uint32_t)sqlite3_column_int64(s, 1),
					     .result = (unsigned)sqlite3_column_int(s, 2),
					     .text = text_of(s, 3)},
		     data);
	return finish(store, s, step, err);
}

int pm_store_jobs_unfinished(struct pm_store *store,
			     void (*each)(const struct pm_stored_job *job, void *data), void *data,
			     struct pm_error *err)
{
	sqlite3_stmt *s = bind(store, JOBS_UNFINISHED, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW)
		each(&(struct pm_stored_job){.id = sqlite3_column_int64(s, 0),
					     .machine = (uint32_t)sqlite3_column_int64(s, 1),
					     .nic = (uint32_t)sqlite3_column_int64(s, 2),
					     .action = (unsigned)sqlite3_column_int(s, 3),
					     .origin = (unsigned)sqlite3_column_int(s, 4),
					     .state = (unsigned)sqlite3_column_int(s, 5),
					     .result = (unsigned)sqlite3_column_int(s, 6),
					     .start_ms = sqlite3_column_int64(s, 7),
					     .end_ms = sqlite3_column_int64(s, 8),
					     .text = text_of(s, 9),
					     .not_before_ms = sqlite3_column_int64(s, 10),
					     .stagger_ms = (uint32_t)sqlite3_column_int64(s, 11)},
		     data);
	return finish(store, s, step, err);
}
