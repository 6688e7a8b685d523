/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables of the store, what is asked of them, and how those of older versions become them. */
#include "agent/store_private.h"

#include <errno.h>

#define SCHEMA_VERSION 5

/* --- tables ----------------------------------------------------------------------------------- */

#define CREATE_SETTING                                                                                              \
	"CREATE TABLE setting (machine INTEGER NOT NULL, nic INTEGER NOT NULL, group_name TEXT NOT NULL,"           \
	" key TEXT NOT NULL, base TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (machine, nic, group_name, key))" \
	" WITHOUT ROWID;"

/* What version 3 brought; steps and notifications of stacks came later. */
#define CREATE_JOB                                                                                          \
	"CREATE TABLE job (id INTEGER PRIMARY KEY AUTOINCREMENT, machine INTEGER NOT NULL,"                 \
	" owner TEXT NOT NULL, name TEXT NOT NULL, origin INTEGER NOT NULL, created_ms INTEGER NOT NULL,"   \
	" label TEXT NOT NULL, action INTEGER NOT NULL, scope INTEGER NOT NULL, force INTEGER NOT NULL,"    \
	" vm INTEGER NOT NULL, nic INTEGER NOT NULL, delay_s INTEGER NOT NULL, timeout_s INTEGER NOT NULL," \
	" vm_timeout_s INTEGER NOT NULL, arm_wol INTEGER NOT NULL, dry_run INTEGER NOT NULL,"               \
	" init_level INTEGER NOT NULL, wol_addr_type INTEGER NOT NULL, wol_addr_length INTEGER NOT NULL,"   \
	" wol_addr BLOB NOT NULL, wol_port INTEGER NOT NULL, storage INTEGER NOT NULL,"                     \
	" setting INTEGER NOT NULL, row_status INTEGER NOT NULL, enabled INTEGER NOT NULL,"                 \
	" retain_s INTEGER NOT NULL, state INTEGER NOT NULL, result INTEGER NOT NULL, text TEXT NOT NULL,"  \
	" not_before_ms INTEGER NOT NULL, begin_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,"              \
	" stagger_ms INTEGER NOT NULL, group_id INTEGER NOT NULL);"                                         \
	"CREATE UNIQUE INDEX job_row ON job (machine, owner, name);"
#define CREATE_STEP                                                                                  \
	"CREATE TABLE step (job INTEGER NOT NULL, number INTEGER NOT NULL, action INTEGER NOT NULL," \
	" vm INTEGER NOT NULL, level INTEGER NOT NULL, goal INTEGER NOT NULL,"                       \
	" timeout_s INTEGER NOT NULL, momentary INTEGER NOT NULL, alternative INTEGER NOT NULL,"     \
	" state INTEGER NOT NULL, result INTEGER NOT NULL, text TEXT NOT NULL,"                      \
	" start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;"
#define CREATE_GROUP                                                                            \
	"CREATE TABLE group_command (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL," \
	" action INTEGER NOT NULL, start_ms INTEGER NOT NULL, jobs INTEGER NOT NULL,"           \
	" under_way INTEGER NOT NULL, refused INTEGER NOT NULL, succeeded INTEGER NOT NULL,"    \
	" failed INTEGER NOT NULL);"
#define CREATE_NOTIFICATION                                                                              \
	"CREATE TABLE notification (id INTEGER PRIMARY KEY AUTOINCREMENT, type INTEGER NOT NULL,"        \
	" machine INTEGER NOT NULL, nic INTEGER NOT NULL, name TEXT NOT NULL,"                           \
	" power_state INTEGER NOT NULL, old_power_state INTEGER NOT NULL, source INTEGER NOT NULL,"      \
	" result INTEGER NOT NULL, text TEXT NOT NULL, job_owner TEXT NOT NULL, job_name TEXT NOT NULL," \
	" job_label TEXT NOT NULL, action INTEGER NOT NULL, mac BLOB NOT NULL, interface TEXT NOT NULL," \
	" bmc_address TEXT NOT NULL, bmc_status INTEGER NOT NULL, inhibit INTEGER NOT NULL,"             \
	" inhibit_reason TEXT NOT NULL, event_index INTEGER NOT NULL, agent INTEGER NOT NULL,"           \
	" machines INTEGER NOT NULL, group_name TEXT NOT NULL, jobs INTEGER NOT NULL,"                   \
	" succeeded INTEGER NOT NULL, failed INTEGER NOT NULL);"

/* What version 4 brought. That a VM has an index is never forgotten; how it is, when it is no longer defined. */
#define CREATE_VM                                                                            \
	"CREATE TABLE vm (machine INTEGER NOT NULL, id INTEGER NOT NULL, key TEXT NOT NULL," \
	" PRIMARY KEY (machine, id), UNIQUE (machine, key)) WITHOUT ROWID;"
#define CREATE_VM_STATE                                                                                   \
	"CREATE TABLE vm_state (machine INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"       \
	" uuid TEXT NOT NULL, hypervisor TEXT NOT NULL, active INTEGER NOT NULL, saved INTEGER NOT NULL," \
	" persistent INTEGER NOT NULL, autostart INTEGER NOT NULL, observed INTEGER NOT NULL,"            \
	" told INTEGER NOT NULL, cpus INTEGER NOT NULL, memory_kib INTEGER NOT NULL,"                     \
	" last_change_ms INTEGER NOT NULL, last_result INTEGER NOT NULL, last_result_text TEXT NOT NULL," \
	" PRIMARY KEY (machine, id)) WITHOUT ROWID;"
#define ADD_VMS_TO_OTHERS                                                          \
	"ALTER TABLE step ADD COLUMN target TEXT NOT NULL DEFAULT '';"             \
	"ALTER TABLE step ADD COLUMN after_step INTEGER NOT NULL DEFAULT 0;"       \
	"ALTER TABLE step ADD COLUMN before_step INTEGER NOT NULL DEFAULT 0;"      \
	"ALTER TABLE notification ADD COLUMN vm INTEGER NOT NULL DEFAULT 0;"       \
	"ALTER TABLE notification ADD COLUMN vm_name TEXT NOT NULL DEFAULT '';"    \
	"ALTER TABLE notification ADD COLUMN vm_state INTEGER NOT NULL DEFAULT 0;" \
	"ALTER TABLE notification ADD COLUMN old_vm_state INTEGER NOT NULL DEFAULT 0;"

/* What version 5 brought: what an operating system has agreed to. */
#define ADD_REST_TO_STATE                                                  \
	"ALTER TABLE state ADD COLUMN rest INTEGER NOT NULL DEFAULT 0;"    \
	"ALTER TABLE state ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;"    \
	"ALTER TABLE state ADD COLUMN rest_boot TEXT NOT NULL DEFAULT '';" \
	"ALTER TABLE state ADD COLUMN rest_seen TEXT NOT NULL DEFAULT '';" \
	"ALTER TABLE state ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';"

/* The tables of indexes first: the less lies before them, the less must be whole for them to be saved. */
static const char create[] =
    "CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE nic (machine INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY (machine, id), UNIQUE (machine, name)) WITHOUT ROWID;" CREATE_VM CREATE_SETTING
    "CREATE TABLE state (machine INTEGER PRIMARY KEY, power_state INTEGER NOT NULL, source INTEGER NOT NULL,"
    " last_change_ms INTEGER NOT NULL, on_count INTEGER NOT NULL, off_count INTEGER NOT NULL,"
    " bmc_down INTEGER NOT NULL DEFAULT 0, unknown_told INTEGER NOT NULL DEFAULT 0,"
    " last_result INTEGER NOT NULL DEFAULT 1, last_result_text TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE event (machine INTEGER NOT NULL, id INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, severity INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (machine, id)) WITHOUT ROWID;" CREATE_JOB
	CREATE_STEP CREATE_GROUP CREATE_NOTIFICATION CREATE_VM_STATE ADD_VMS_TO_OTHERS ADD_REST_TO_STATE
    "PRAGMA user_version = 5;";

/* Version 1 knew neither groups nor jobs that begin later, nor what was told; nor which of the jobs had begun. */
static const char from_1_to_2[] =
    "ALTER TABLE setting RENAME TO setting_1;" CREATE_SETTING
    "INSERT INTO setting SELECT machine, nic, '', key, base, value FROM setting_1;"
    "DROP TABLE setting_1;"
    "ALTER TABLE state ADD COLUMN bmc_down INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN unknown_told INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN not_before_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN stagger_ms INTEGER NOT NULL DEFAULT 0;"
    "UPDATE job SET state = 3, not_before_ms = start_ms WHERE end_ms = 0;"
    "PRAGMA user_version = 2;";

/*
 * In version 2 a job had no name of its own, no steps and no parameters; and not_before_ms became the time when it began,
 * if that was written before it ended. Verbs that act by a graceful way have the scope stackAndMachine(3), others
 * machine(1). Those without an end may take as long as their steps will, whatever pmJobTimeout would say; those with one
 * stay for 30 days after it.
 */
static const char from_2_to_3[] =
    "ALTER TABLE job RENAME TO job_2;" CREATE_JOB CREATE_STEP CREATE_GROUP CREATE_NOTIFICATION
    "INSERT INTO job (id, machine, owner, name, origin, created_ms, label, action, scope, force, vm, nic, delay_s,"
    " timeout_s, vm_timeout_s, arm_wol, dry_run, init_level, wol_addr_type, wol_addr_length, wol_addr, wol_port,"
    " storage, setting, row_status, enabled, retain_s, state, result, text, not_before_ms, begin_ms, end_ms,"
    " stagger_ms, group_id)"
    " SELECT id, machine, '', 'set-' || id, origin, start_ms, '', action,"
    " CASE WHEN action IN (4, 6, 9, 10) THEN 3 ELSE 1 END, 1, 0, nic, 0,"
    " CASE end_ms WHEN 0 THEN 86400 ELSE 600 END, 180, 0, 0, 0, 0, 0, x'', 0,"
    " 3, 0, 1, 1, 2592000, state, result, text,"
    " CASE end_ms WHEN 0 THEN not_before_ms ELSE end_ms + 2592000000 END,"
    " CASE WHEN end_ms = 0 AND state = 2 THEN 0 WHEN end_ms = 0 THEN not_before_ms"
    "  WHEN not_before_ms > end_ms THEN 0 ELSE max(start_ms, not_before_ms) END,"
    " end_ms, stagger_ms, 0 FROM job_2;"
    "DELETE FROM sqlite_sequence WHERE name = 'job';"
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'job', seq FROM sqlite_sequence WHERE name = 'job_2';"
    "DROP TABLE job_2;"
    "ALTER TABLE state ADD COLUMN last_result INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE state ADD COLUMN last_result_text TEXT NOT NULL DEFAULT '';"
    "INSERT OR IGNORE INTO state (machine, power_state, source, last_change_ms, on_count, off_count)"
    " SELECT DISTINCT machine, 0, 1, 0, 0, 0 FROM job WHERE end_ms <> 0;"
    "UPDATE state SET (last_result, last_result_text) ="
    " (SELECT result, text FROM job WHERE job.machine = state.machine AND end_ms <> 0 ORDER BY id DESC LIMIT 1)"
    " WHERE machine IN (SELECT machine FROM job WHERE end_ms <> 0);"
    "PRAGMA user_version = 3;";

/* Until then steps were done one after the other. */
static const char from_3_to_4[] = CREATE_VM CREATE_VM_STATE ADD_VMS_TO_OTHERS
    "UPDATE step SET after_step = number - 1 WHERE NOT alternative;"
    "PRAGMA user_version = 4;";

static const char from_4_to_5[] = ADD_REST_TO_STATE "PRAGMA user_version = 5;";

static const char *const upgrades[SCHEMA_VERSION] = {create, from_1_to_2, from_2_to_3, from_3_to_4,
						     from_4_to_5}; /* by the version before */

static int64_t version_of(const struct pm_store *store)
{
	return pm_store_number(store->db, "PRAGMA user_version");
}

/* In one transaction, which is on the disk when it is committed: synchronous is FULL until the store is open. */
static int run_all_from(struct pm_store *store, int64_t version, const char *path, struct pm_error *err)
{
	bool good = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
	int error;

	for (; good && version < SCHEMA_VERSION; version = version_of(store))
		good = sqlite3_exec(store->db, upgrades[version], NULL, NULL, NULL) == SQLITE_OK;
	if (good && sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	error = pm_store_fail(store, err, path);
	sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return error;
}

int pm_store_make_schema(struct pm_store *store, const char *path, struct pm_error *err)
{
	return run_all_from(store, 0, path, err);
}

int pm_store_upgrade_schema(struct pm_store *store, const char *path, struct pm_error *err)
{
	int64_t version = version_of(store);

	if (version > SCHEMA_VERSION)
		return pm_fail(
		    err, EUCLEAN,
		    "%s was written by a newer pmstackd (schema %lld, this one knows %d): install that "
		    "version again, or put back a copy of the file from before",
		    path, (long long)version, SCHEMA_VERSION);
	if (version <= 0)
		return pm_fail(
		    err, EUCLEAN,
		    "%s is a database, but not one of pmstackd: put back a copy of the right one, or move it "
		    "away to begin with new indexes",
		    path);
	return version == SCHEMA_VERSION ? 0 : run_all_from(store, version, path, err);
}

/* --- statements ------------------------------------------------------------------------------- */

#define SETTING_COLUMNS "machine, nic, group_name, key, base, value"
#define SETTING_KEY     "machine = ?1 AND nic = ?2 AND group_name = ?3 AND key = ?4"
#define STATE_COLUMNS                                                                                \
	"machine, power_state, source, last_change_ms, on_count, off_count, bmc_down, unknown_told," \
	" last_result, last_result_text, rest, rest_boot, rest_seen, boot_id, gone"
#define EVENT_COLUMNS "machine, id, time_ms, kind, severity, text"

/* in the order of the members in store_job.c */
#define JOB_FIXED "id, machine, owner, name, origin, created_ms"
#define JOB_REST                                                                                         \
	"label, action, scope, force, vm, nic, delay_s, timeout_s, vm_timeout_s, arm_wol, dry_run,"      \
	" init_level, wol_addr_type, wol_addr_length, wol_addr, wol_port, storage, setting, row_status," \
	" enabled, retain_s, state, result, text, not_before_ms, begin_ms, end_ms, stagger_ms, group_id"
/* of one machine, ended or a draft; not so many that it takes long */
#define OLD_JOBS                                                                \
	"(SELECT id FROM job WHERE machine = ?1 AND (end_ms <> 0 OR state = 1)" \
	" AND max(created_ms, end_ms) < ?2 ORDER BY id LIMIT 500)"
/* ids are sorted, and not whole rows; the limit keeps SQLite from making one query of two */
#define SORTED_JOBS "(SELECT id FROM job ORDER BY machine, id LIMIT -1)"
#define VM_COLUMNS                                                                                  \
	"machine, id, name, uuid, hypervisor, active, saved, persistent, autostart, observed, told" \
	", cpus, memory_kib, last_change_ms, last_result, last_result_text"
#define STEP_COLUMNS                                                                              \
	"job, number, action, vm, level, goal, timeout_s, momentary, alternative, state, result," \
	" text, start_ms, end_ms, target, after_step, before_step"
#define GROUP_COLUMNS "name, action, start_ms, jobs, under_way, refused, succeeded, failed"
/* in the order of the members in store_notify.c */
#define NOTIFICATION_COLUMNS                                                                         \
	"id, type, machine, nic, name, power_state, old_power_state, source, result, text,"          \
	" job_owner, job_name, job_label, action, mac, interface, bmc_address, bmc_status, inhibit," \
	" inhibit_reason, event_index, agent, machines, group_name, jobs, succeeded, failed,"        \
	" vm, vm_name, vm_state, old_vm_state"

#define MARKS_8  "?, ?, ?, ?, ?, ?, ?, ?"
#define MARKS_16 MARKS_8 ", " MARKS_8
#define MARKS_17 MARKS_16 ", ?"
#define MARKS_29 MARKS_16 ", " MARKS_8 ", ?, ?, ?, ?, ?"
#define MARKS_31 MARKS_29 ", ?, ?"

const char *const pm_store_sql[PM_STATEMENT_COUNT] = {
    [TRANSACTION_BEGIN] = "BEGIN IMMEDIATE",
    [TRANSACTION_COMMIT] = "COMMIT",
    [TRANSACTION_ROLLBACK] = "ROLLBACK",

    [MACHINE_GET] = "SELECT id FROM machine WHERE name = ?1",
    [MACHINE_TOP] = "SELECT coalesce(max(id), 0) FROM machine WHERE id BETWEEN ?1 AND ?2",
    [MACHINE_ADD] = "INSERT INTO machine (id, name) VALUES (?1, ?2)",
    [NIC_GET] = "SELECT id FROM nic WHERE machine = ?1 AND name = ?2",
    [NIC_TOP] = "SELECT coalesce(max(id), 0) FROM nic WHERE machine = ?1",
    [NIC_ADD] = "INSERT INTO nic (machine, id, name) VALUES (?1, ?2, ?3)",
    [VM_GET] = "SELECT id FROM vm WHERE machine = ?1 AND key = ?2",
    [VM_TOP] = "SELECT coalesce(max(id), 0) FROM vm WHERE machine = ?1",
    [VM_ADD] = "INSERT INTO vm (machine, id, key) VALUES (?1, ?2, ?3)",
    [VM_PUT] = "INSERT OR REPLACE INTO vm_state (" VM_COLUMNS ") VALUES (" MARKS_16 ")",
    [VM_FORGET] = "DELETE FROM vm_state WHERE machine = ?1 AND id = ?2",
    [VMS_LOAD] = "SELECT " VM_COLUMNS ", key FROM vm_state JOIN vm USING (machine, id) WHERE machine = ?1"
		 " ORDER BY id",
    [VMS_LOAD_ALL] =
	"SELECT " VM_COLUMNS ", key FROM vm_state JOIN vm USING (machine, id) ORDER BY machine, id",
    [SETTING_PUT] = "INSERT OR REPLACE INTO setting (" SETTING_COLUMNS ")"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SETTING_DELETE] = "DELETE FROM setting WHERE " SETTING_KEY,
    [SETTINGS_LOAD] = "SELECT " SETTING_COLUMNS " FROM setting",
    [SETTINGS_LOAD_PART] = "SELECT " SETTING_COLUMNS " FROM setting WHERE machine = ?1 AND nic = ?2",
    [STATE_PUT] =
	"INSERT OR REPLACE INTO state (" STATE_COLUMNS ") VALUES (" MARKS_8 ", ?, ?, ?, ?, ?, ?, ?)",
    [STATES_LOAD] = "SELECT " STATE_COLUMNS " FROM state",
    [EVENT_PUT] = "INSERT OR REPLACE INTO event (" EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [EVENT_FORGET] = "DELETE FROM event WHERE machine = ?1 AND id <= ?2",
    [EVENTS_LOAD] = "SELECT " EVENT_COLUMNS " FROM event ORDER BY machine, id",
    /* the newest event of a machine stays: its index must not be given again */
    [EVENTS_EXPIRE] = "DELETE FROM event WHERE machine = ?1 AND time_ms < ?2 AND id <"
		      " (SELECT max(id) FROM event WHERE machine = ?1)",
    [NEXT_MACHINE] = "SELECT min(id) FROM (SELECT min(machine) AS id FROM event WHERE machine > ?1"
		     " UNION ALL SELECT min(machine) FROM job WHERE machine > ?1)",

    [STEPS_EXPIRE] = "DELETE FROM step WHERE job IN " OLD_JOBS,
    [JOBS_EXPIRE] = "DELETE FROM job WHERE id IN " OLD_JOBS,
    [JOB_SAME] = "SELECT id FROM job WHERE machine = ?1 AND owner = ?2 AND name = ?3",
    [JOB_INSERT] = "INSERT INTO job (" JOB_FIXED ", " JOB_REST ") VALUES (?, ?, ?, ?, ?, ?, " MARKS_29 ")",
    [JOB_UPDATE] = "UPDATE job SET (" JOB_REST ") = (" MARKS_29 ") WHERE id = ?",
    [JOB_DELETE] = "DELETE FROM job WHERE id = ?1",
    [JOBS_LOAD] = "SELECT " JOB_FIXED ", " JOB_REST " FROM job WHERE machine = ?1 ORDER BY id",
    [JOBS_LOAD_ALL] = "SELECT " JOB_FIXED ", " JOB_REST " FROM " SORTED_JOBS " CROSS JOIN job USING (id)",
    [STEP_PUT] = "INSERT OR REPLACE INTO step (" STEP_COLUMNS ") VALUES (" MARKS_17 ")",
    [STEPS_DELETE] = "DELETE FROM step WHERE job = ?1",
    [STEPS_LOAD] = "SELECT step.* FROM job JOIN step ON step.job = job.id WHERE job.machine = ?1"
		   " ORDER BY job.id, step.number",
    [STEPS_LOAD_ALL] = "SELECT step.* FROM " SORTED_JOBS " AS sorted CROSS JOIN step ON step.job = sorted.id",
    [GROUP_INSERT] = "INSERT INTO group_command (id, " GROUP_COLUMNS ") VALUES (?, " MARKS_8 ")",
    [GROUP_UPDATE] = "UPDATE group_command SET (" GROUP_COLUMNS ") = (" MARKS_8 ") WHERE id = ?",
    [GROUP_DELETE] = "DELETE FROM group_command WHERE id = ?1",
    [GROUPS_LOAD] = "SELECT id, " GROUP_COLUMNS " FROM group_command ORDER BY id",

    [NOTIFICATION_PUT] = "INSERT INTO notification (" NOTIFICATION_COLUMNS ") VALUES (" MARKS_31 ")",
    [NOTIFICATION_DELETE] = "DELETE FROM notification WHERE id = ?1",
    [NOTIFICATIONS_LOAD] = "SELECT " NOTIFICATION_COLUMNS " FROM notification ORDER BY id",
    [LAST_ID] = "SELECT seq FROM sqlite_sequence WHERE name = ?1",
};
