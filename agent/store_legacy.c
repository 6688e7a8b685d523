/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What jobs that are not yet rows ask of the journal. */
#include "agent/store_private.h"
#include "agent/tc.h"

#define LEGACY_COLUMNS \
	"id, machine, nic, action, origin, state, result, created_ms, end_ms, text, stagger_ms,"

static sqlite3_stmt *prepare(struct pm_store *store, const char *sql)
{
	sqlite3_stmt *s = NULL;

	sqlite3_prepare_v2(store->db, sql, -1, &s, NULL);
	return s;
}

static int end(struct pm_store *store, sqlite3_stmt *s, int step, struct pm_error *err)
{
	int error = step == SQLITE_DONE ? 0 : pm_store_fail(store, err, "state database");

	sqlite3_finalize(s);
	return error;
}

int pm_store_job_begun(struct pm_store *store, int64_t id, int64_t begin_ms, struct pm_error *err)
{
	sqlite3_stmt *s = prepare(store, "UPDATE job SET state = 3, begin_ms = ?2 WHERE id = ?1");

	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, begin_ms);
	return end(store, s, sqlite3_step(s), err);
}

int pm_store_job_ended(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err)
{
	sqlite3_stmt *s =
	    prepare(store, "UPDATE job SET state = ?2, result = ?3, end_ms = ?4, text = ?5 WHERE id = ?1");

	sqlite3_bind_int64(s, 1, job->id);
	sqlite3_bind_int64(s, 2, job->state);
	sqlite3_bind_int64(s, 3, job->result);
	sqlite3_bind_int64(s, 4, job->end_ms);
	sqlite3_bind_text(s, 5, job->text, -1, SQLITE_TRANSIENT);
	return end(store, s, sqlite3_step(s), err);
}

int pm_store_jobs_last_end(struct pm_store *store, int64_t *end_ms, struct pm_error *err)
{
	(void)err;
	*end_ms = pm_store_number(store->db, "SELECT coalesce(max(end_ms), 0) FROM job");
	return 0;
}

static int load(struct pm_store *store, const char *sql,
		void (*each)(const struct pm_stored_job *job, void *data), void *data, struct pm_error *err)
{
	sqlite3_stmt *s = prepare(store, sql);
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
					     .text = pm_store_text(s, 9),
					     .stagger_ms = (uint32_t)sqlite3_column_int64(s, 10),
					     .not_before_ms = sqlite3_column_int64(s, 11)},
		     data);
	return end(store, s, step, err);
}

int pm_store_jobs_last(struct pm_store *store, void (*each)(const struct pm_stored_job *job, void *data),
		       void *data, struct pm_error *err)
{
	return load(store,
		    "SELECT " LEGACY_COLUMNS " not_before_ms FROM job WHERE id IN"
		    " (SELECT max(id) FROM job WHERE end_ms <> 0 GROUP BY machine)",
		    each, data, err);
}

int pm_store_jobs_unfinished(struct pm_store *store,
			     void (*each)(const struct pm_stored_job *job, void *data), void *data,
			     struct pm_error *err)
{
	return load(store,
		    "SELECT " LEGACY_COLUMNS " CASE state WHEN 2 THEN not_before_ms ELSE begin_ms END"
		    " FROM job WHERE end_ms = 0 ORDER BY id",
		    each, data, err);
}
