/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the store has of jobs, their steps, and the commands to groups. */
#include "agent/store_private.h"

#include <stdio.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- jobs ------------------------------------------------------------------------------------- */

#define MEMBER(member) PM_MEMBER(pm_stored_job, member)
#define JOB_FIXED      6 /* members that never change */

static const struct pm_member job_members[] = {
    MEMBER(id),
    MEMBER(machine),
    MEMBER(owner),
    MEMBER(name),
    MEMBER(origin),
    MEMBER(created_ms),
    MEMBER(label),
    MEMBER(action),
    MEMBER(scope),
    MEMBER(force),
    MEMBER(vm),
    MEMBER(nic),
    MEMBER(delay_s),
    MEMBER(timeout_s),
    MEMBER(vm_timeout_s),
    MEMBER(arm_wol),
    MEMBER(dry_run),
    MEMBER(init_level),
    MEMBER(wol_addr_type),
    MEMBER(wol_addr_length),
    MEMBER(wol_addr),
    MEMBER(wol_port),
    MEMBER(storage),
    MEMBER(setting),
    MEMBER(row_status),
    MEMBER(enabled),
    MEMBER(retain_s),
    MEMBER(state),
    MEMBER(result),
    MEMBER(text),
    MEMBER(not_before_ms),
    MEMBER(begin_ms),
    MEMBER(end_ms),
    MEMBER(stagger_ms),
    MEMBER(group),
};
#undef MEMBER

#define JOB_MEMBERS LENGTH(job_members)

/* One that was to go, but whose going is not yet written. */
static int make_way(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err)
{
	int64_t id;
	int found = pm_store_query(store,
				   pm_store_bind(store, JOB_SAME, "iss", (int64_t)job->machine,
						 job->owner ? job->owner : "", job->name),
				   &id, err);

	return found > 0 ? pm_store_job_delete(store, id, err) : found;
}

static int insert(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[JOB_INSERT];
	struct pm_stored_job row = *job;
	char name[32];
	int error = 0;

	snprintf(name, sizeof(name), "set-%lld", (long long)row.id);
	if (row.name && *row.name)
		error = make_way(store, &row, err);
	else
		row.name = name;
	if (error)
		return error;
	sqlite3_reset(s);
	pm_store_bind_row(s, 1, job_members, JOB_MEMBERS, &row);
	return pm_store_run(store, s, err);
}

/* An id is not given again, also not when the transaction is rolled back: somebody may still want to delete its row. */
int pm_store_job_insert(struct pm_store *store, struct pm_stored_job *job, struct pm_error *err)
{
	struct pm_stored_job row = *job;
	int error;

	row.id = ++store->last_job;
	error = insert(store, &row, err);
	if (!error)
		job->id = row.id;
	return error;
}

int pm_store_job_update(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[JOB_UPDATE];
	int error;

	sqlite3_reset(s);
	pm_store_bind_row(s, 1, job_members + JOB_FIXED, JOB_MEMBERS - JOB_FIXED, job);
	sqlite3_bind_int64(s, (int)JOB_MEMBERS - JOB_FIXED + 1, job->id);
	error = pm_store_run(store, s, err);
	return error || sqlite3_changes(store->db) > 0 ? error : insert(store, job, err);
}

int pm_store_job_delete(struct pm_store *store, int64_t id, struct pm_error *err)
{
	int error = pm_store_steps_delete(store, id, err);

	return error ? error : pm_store_run(store, pm_store_bind(store, JOB_DELETE, "i", id), err);
}

int pm_store_jobs_load(struct pm_store *store, uint32_t machine,
		       void (*each)(const struct pm_stored_job *job, void *data), void *data,
		       struct pm_error *err)
{
	sqlite3_stmt *s = machine ? pm_store_bind(store, JOBS_LOAD, "i", (int64_t)machine)
				  : pm_store_bind(store, JOBS_LOAD_ALL, "");
	struct pm_stored_job job;
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		pm_store_read_row(s, 0, job_members, JOB_MEMBERS, &job);
		each(&job, data);
	}
	return pm_store_finish(store, s, step, err);
}

/* --- steps ------------------------------------------------------------------------------------ */

#define MEMBER(member) PM_MEMBER(pm_stored_step, member)

static const struct pm_member step_members[] = {
    MEMBER(job),       MEMBER(index),     MEMBER(action),      MEMBER(vm),    MEMBER(level),  MEMBER(goal),
    MEMBER(timeout_s), MEMBER(momentary), MEMBER(alternative), MEMBER(state), MEMBER(result), MEMBER(text),
    MEMBER(start_ms),  MEMBER(end_ms),    MEMBER(target),      MEMBER(after), MEMBER(before),
};
#undef MEMBER

int pm_store_step_put(struct pm_store *store, const struct pm_stored_step *step, struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[STEP_PUT];

	sqlite3_reset(s);
	pm_store_bind_row(s, 1, step_members, LENGTH(step_members), step);
	return pm_store_run(store, s, err);
}

int pm_store_steps_delete(struct pm_store *store, int64_t job, struct pm_error *err)
{
	return pm_store_run(store, pm_store_bind(store, STEPS_DELETE, "i", job), err);
}

int pm_store_steps_load(struct pm_store *store, uint32_t machine,
			void (*each)(const struct pm_stored_step *step, void *data), void *data,
			struct pm_error *err)
{
	sqlite3_stmt *s = machine ? pm_store_bind(store, STEPS_LOAD, "i", (int64_t)machine)
				  : pm_store_bind(store, STEPS_LOAD_ALL, "");
	struct pm_stored_step step_of_job;
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		pm_store_read_row(s, 0, step_members, LENGTH(step_members), &step_of_job);
		each(&step_of_job, data);
	}
	return pm_store_finish(store, s, step, err);
}

/* --- commands to groups ----------------------------------------------------------------------- */

#define MEMBER(member) PM_MEMBER(pm_stored_group, member)

static const struct pm_member group_members[] = {
    MEMBER(id),        MEMBER(name),    MEMBER(action),    MEMBER(start_ms), MEMBER(jobs),
    MEMBER(under_way), MEMBER(refused), MEMBER(succeeded), MEMBER(failed),
};
#undef MEMBER

#define GROUP_MEMBERS LENGTH(group_members)

static int insert_group(struct pm_store *store, const struct pm_stored_group *group, struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[GROUP_INSERT];

	sqlite3_reset(s);
	pm_store_bind_row(s, 1, group_members, GROUP_MEMBERS, group);
	return pm_store_run(store, s, err);
}

int pm_store_group_insert(struct pm_store *store, struct pm_stored_group *group, struct pm_error *err)
{
	struct pm_stored_group row = *group;
	int error;

	row.id = ++store->last_group;
	error = insert_group(store, &row, err);
	if (!error)
		group->id = row.id;
	return error;
}

int pm_store_group_update(struct pm_store *store, const struct pm_stored_group *group, struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[GROUP_UPDATE];
	int error;

	sqlite3_reset(s);
	pm_store_bind_row(s, 1, group_members + 1, GROUP_MEMBERS - 1, group);
	sqlite3_bind_int64(s, (int)GROUP_MEMBERS, group->id);
	error = pm_store_run(store, s, err);
	return error || sqlite3_changes(store->db) > 0 ? error : insert_group(store, group, err);
}

int pm_store_group_delete(struct pm_store *store, int64_t id, struct pm_error *err)
{
	return pm_store_run(store, pm_store_bind(store, GROUP_DELETE, "i", id), err);
}

int pm_store_groups_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_group *group, void *data), void *data,
			 struct pm_error *err)
{
	sqlite3_stmt *s = pm_store_bind(store, GROUPS_LOAD, "");
	struct pm_stored_group group;
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		pm_store_read_row(s, 0, group_members, GROUP_MEMBERS, &group);
		each(&group, data);
	}
	return pm_store_finish(store, s, step, err);
}
