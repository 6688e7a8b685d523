/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by the parts of the store: store.c (the file and its transactions), store_schema.c (its tables, and how those of
 * older versions become them), store_machine.c (indexes, settings, states, events), store_vm.c (VMs), store_job.c (jobs, steps, groups),
 * store_notify.c, store_sync.c (helper threads), store_check.c (what a start finds) and store_salvage.c (when that is
 * damaged).
 */
#ifndef PM_STORE_PRIVATE_H
#define PM_STORE_PRIVATE_H

#include "agent/store.h"

#include <sqlite3.h>

enum pm_statement {
	TRANSACTION_BEGIN,
	TRANSACTION_COMMIT,
	TRANSACTION_ROLLBACK,
	MACHINE_GET,
	MACHINE_TOP,
	MACHINE_ADD,
	NIC_GET,
	NIC_TOP,
	NIC_ADD,
	VM_GET,
	VM_TOP,
	VM_ADD,
	VM_PUT,
	VM_FORGET,
	VMS_LOAD,
	VMS_LOAD_ALL,
	SETTING_PUT,
	SETTING_DELETE,
	SETTINGS_LOAD,
	SETTINGS_LOAD_PART,
	STATE_PUT,
	STATES_LOAD,
	EVENT_PUT,
	EVENT_FORGET,
	EVENTS_LOAD,
	EVENTS_EXPIRE,
	NEXT_MACHINE,
	STEPS_EXPIRE,
	JOBS_EXPIRE,
	JOB_SAME,
	JOB_INSERT,
	JOB_UPDATE,
	JOB_DELETE,
	JOBS_LOAD,
	JOBS_LOAD_ALL,
	STEP_PUT,
	STEPS_DELETE,
	STEPS_LOAD,
	STEPS_LOAD_ALL,
	GROUP_INSERT,
	GROUP_UPDATE,
	GROUP_DELETE,
	GROUPS_LOAD,
	NOTIFICATION_PUT,
	NOTIFICATION_DELETE,
	NOTIFICATIONS_LOAD,
	LAST_ID,
	PM_STATEMENT_COUNT
};

#define PM_PATH_MAX            4096
#define PM_STORE_LOCK          "pmstackd.lock" /* who has the directory, and whether it ever had a file */
#define PM_STORE_SALVAGED      "salvaged"      /* a setting, until what follows from it is told */
#define PM_STORE_SETTINGS_LOST "settings"      /* its value, when not all of them came over */
#define PM_STORE_DAMAGED       ".damaged-"     /* set aside: state.db.damaged-<UTC time> */

struct pm_store {
	sqlite3 *db;
	sqlite3_stmt *statements[PM_STATEMENT_COUNT];
	int lock_fd;
	bool was_there; /* this directory had a file */
	bool salvaged, settings_lost;
	int64_t last_job, last_group; /* ids given, whatever became of the transaction */
	bool durable;                 /* the transaction is on the disk when it is committed */
	bool indexes_added;           /* in a transaction: soon not in the log only */

	/* store_sync.c; loop NULL: nothing is done by helper threads */
	uv_loop_t *loop;
	int log_fd;                          /* of the write-ahead log */
	sqlite3 *helper_db;                  /* of the thread that copies the log */
	struct pm_store_task *tasks;         /* at work in other threads */
	int log_pages;                       /* in the log after the last commit */
	int checkpoint_at;                   /* so many of them make it worth a checkpoint */
	int checkpoint_pages, log_pages_max; /* less than usual on a small file system */
	unsigned passes;                     /* of the helper, without having copied all */
	bool checkpointing, checkpoint_failing, slow_told;
	bool log_suspect; /* a sync has failed: what it was to bring to the disk may never get there */
};

/* --- store_schema.c --- */

/* The text of each statement. */
extern const char *const pm_store_sql[PM_STATEMENT_COUNT];

/* Makes the tables of an empty file. */
int pm_store_make_schema(struct pm_store *store, const char *path, struct pm_error *err);

/* Makes the tables of an older version over, in one transaction. */
int pm_store_upgrade_schema(struct pm_store *store, const char *path, struct pm_error *err);

/* --- store_check.c --- */

/* <directory>/state.db<suffix>; path has PM_PATH_MAX octets. */
void pm_store_path(char *path, const char *directory, const char *suffix);

/*
 * Before anything is opened. 0: there is a file; PM_STORE_ABSENT: it may be made, which it was not yet unless was_there; or a
 * negative errno value.
 */
int pm_store_check_directory(const char *directory, bool was_there, struct pm_error *err);
#define PM_STORE_ABSENT 1

/* Whether this PRAGMA finds nothing, or what it finds in verdict: one line. */
bool pm_store_is_sound(sqlite3 *db, const char *check, char *verdict, size_t size);

/* How many pages of the log can be used, from its begin; a negative errno value: it can not be read. */
int64_t pm_store_good_pages(const char *path);

/* "which must belong to user pmstack: chown ..." for files that have the wrong rights. */
int pm_store_no_rights(struct pm_error *err, int error, const char *directory, const char *path);

/* -EUCLEAN: damaged for good, and what to do. */
int pm_store_damaged(struct pm_error *err, const char *path, const char *verdict);

/* --- store_salvage.c --- */

/*
 * Copies what can be read into a new file that is on the disk when this returns 0; pm_store_finish_salvage() puts it in the
 * place of the damaged one, when that is closed. -EUCLEAN: the indexes can not be saved, and nothing has changed.
 */
int pm_store_salvage(const char *directory, sqlite3 *from, const char *verdict, struct pm_error *err);

/* Also goes on with one that was finished by a start that ended before it could do so. 0 when there is none. */
int pm_store_finish_salvage(const char *directory, struct pm_error *err);

int pm_store_sync_directory(const char *directory, struct pm_error *err);

/* --- store.c --- */

/* "doing: " and what SQLite says of the last call that failed; -ENOSPC, -EROFS, -ENOMEM or -EIO. */
int pm_store_fail(const struct pm_store *store, struct pm_error *err, const char *doing);

/* The first number of the first row; -1: none. */
int64_t pm_store_number(sqlite3 *db, const char *sql);

/* Binds by format, from ?1 on: 'i' int64_t, 's' const char *. */
sqlite3_stmt *pm_store_bind(struct pm_store *store, enum pm_statement which, const char *format, ...);

/* Runs a statement that has no rows. */
int pm_store_run(struct pm_store *store, sqlite3_stmt *statement, struct pm_error *err);

/* 1 and the number of the first row, 0 when there is no row, or a negative errno value. */
int pm_store_query(struct pm_store *store, sqlite3_stmt *statement, int64_t *number, struct pm_error *err);

/* Ends a loop over rows: 0, or the error that ended it early. */
int pm_store_finish(struct pm_store *store, sqlite3_stmt *statement, int step, struct pm_error *err);

/* The highest id that was ever committed in a table; 0: none. */
int pm_store_last_id(struct pm_store *store, const char *table, int64_t *id, struct pm_error *err);

/* Never NULL. */
const char *pm_store_text(sqlite3_stmt *statement, int column);

/*
 * The index of what is known by a name within a machine: the one it always had, or one more than the highest that was ever
 * given. get, highest and add: the statements of its table.
 */
int pm_store_part_index(struct pm_store *store, const enum pm_statement statements[3], uint32_t machine,
			const char *name, uint32_t *index, struct pm_error *err);

/* --- store_sync.c --- */

/* After a commit. */
void pm_store_checkpoint_if_due(struct pm_store *store);

/* A commit on the main thread has failed in a sync. */
void pm_store_suspect_log(struct pm_store *store);

/* So that the next sync brings all of it to the disk. -EIO: not now, or it can not be read any more. */
int pm_store_write_log_again(struct pm_store *store);

/* Ends what helper threads do; before the store is closed. */
void pm_store_detach(struct pm_store *store);

/* --- rows of many columns: members of a struct, in the order of the statement's columns --- */

enum pm_form {
	PM_FORM_INT64,
	PM_FORM_UINT64,
	PM_FORM_UINT32,
	PM_FORM_UINT16,
	PM_FORM_BOOL,
	PM_FORM_TEXT,  /* const char *, NULL is "" */
	PM_FORM_CHARS, /* char[] */
	PM_FORM_OCTETS /* uint8_t[]; zeros at its end are not stored */
};

struct pm_member {
	enum pm_form form;
	size_t offset, size;
};

#define PM_MEMBER(type, member)                                                \
	{                                                                      \
		_Generic(((struct type *)0)->member,                         \
		    int64_t: PM_FORM_INT64,                                  \
		    uint64_t: PM_FORM_UINT64,                                \
		    uint32_t: PM_FORM_UINT32,                                \
		    uint16_t: PM_FORM_UINT16,                                \
		    bool: PM_FORM_BOOL,                                      \
		    const char *: PM_FORM_TEXT,                              \
		    char *: PM_FORM_CHARS,                                   \
		    uint8_t *: PM_FORM_OCTETS),                              \
		offsetof(struct type, member), sizeof(((struct type *)0)->member) \
	}

/* Binds the members to ?first, ?first+1, ... */
void pm_store_bind_row(sqlite3_stmt *statement, int first, const struct pm_member *members, size_t count,
		       const void *row);

/* Fills the members from the columns first, first+1, ... (from 0); texts are valid until the next step. */
void pm_store_read_row(sqlite3_stmt *statement, int first, const struct pm_member *members, size_t count,
		       void *row);

#endif
