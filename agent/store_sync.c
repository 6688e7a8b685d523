/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What helper threads do for the store: bring the write-ahead log to the disk, and copy it into the database file
 * (checkpoint), so that the main thread does neither.
 *
 * A checkpoint that is passive (SQLite) keeps nobody from writing; but the log begins anew only when at some moment all of
 * it has been copied, and somebody who writes all the time leaves no such moment. So when the log has become eight times as long
 * the main thread copies what has come during the checkpoint of the helper: a few pages. And when the disk is so slow that
 * the log becomes 64 MiB long during one, it waits for that. New indexes are copied at once: they are worth more than what
 * else is in the log, should that be lost.
 */
#include "agent/log.h"
#include "agent/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <uv.h>

#define CHECKPOINT_PAGES 1024 /* 4 MiB of log */
#define CHECKPOINT_MIN   16
#define PAGE_SIZE        4096
#define LONG_LOG         8 /* times as many */
#define PASSES           3 /* of the helper in a row: each has less left to copy */
#define LOG_PAGES_MAX    16384
#define LOG_SIZE_LIMIT   "16777216"

/* A piece of work in another thread. It outlives the store when that is closed meanwhile. */
struct pm_store_task {
	uv_work_t request;
	uv_sem_t ended;         /* posted once, by the other thread */
	struct pm_store *store; /* NULL: closed, nobody waits any more */
	struct pm_store_task *next;
	int fd;
	sqlite3 *db;       /* NULL: a sync */
	int result;        /* errno value, or SQLite's code */
	int pages, copied; /* of the log */
	void (*done)(bool good, void *data);
	void *data;
};

static void work(uv_work_t *request)
{
	struct pm_store_task *task = request->data;

	if (task->db)
		task->result = sqlite3_wal_checkpoint_v2(task->db, "main", SQLITE_CHECKPOINT_PASSIVE,
							 &task->pages, &task->copied);
	else
		task->result = fdatasync(task->fd) < 0 ? errno : 0;
	uv_sem_post(&task->ended);
}

static void take_out(struct pm_store_task *task)
{
	struct pm_store_task **link = &task->store->tasks;

	while (*link != task)
		link = &(*link)->next;
	*link = task->next;
}

/* The next commit begins it anew. */
static void note_all_copied(struct pm_store *store)
{
	store->passes = 0;
	store->log_pages = 0;
	store->checkpoint_at = store->checkpoint_pages;
}

/* The few pages that were written during the checkpoint of the helper. */
static void copy_the_rest(struct pm_store *store)
{
	int pages, copied;

	if (sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &copied) ==
		SQLITE_OK &&
	    pages == copied)
		note_all_copied(store);
}

static bool is_failed_sync(sqlite3 *db)
{
	return sqlite3_extended_errcode(db) == SQLITE_IOERR_FSYNC;
}

static void checkpoint_ended(struct pm_store *store, const struct pm_store_task *task)
{
	bool failed = task->result != SQLITE_OK && task->result != SQLITE_BUSY;

	store->checkpointing = false;
	if (is_failed_sync(task->db))
		store->log_suspect = true;
	if (failed && !store->checkpoint_failing)
		pm_log(LOG_ERR, "the write-ahead log can not be copied into " PM_STORE_FILE ": %s",
		       sqlite3_errstr(task->result));
	store->checkpoint_failing = failed;
	if (!failed && task->copied == store->log_pages) {
		note_all_copied(store);
		return;
	}
	if (!failed && ++store->passes < PASSES) {
		store->checkpoint_at = 0;
		pm_store_checkpoint_if_due(store);
		return;
	}
	store->passes = 0;
	store->checkpoint_at = store->log_pages + store->checkpoint_pages / 4;
	if (!failed && !store->log_suspect && store->log_pages >= LONG_LOG * store->checkpoint_pages)
		copy_the_rest(store);
}

static void sync_ended(struct pm_store *store, const struct pm_store_task *task, int status)
{
	bool good = status == 0 && task->result == 0;

	if (!good)
		store->log_suspect = true;
	task->done(good && !store->log_suspect, task->data);
}

static void after_work(uv_work_t *request, int status)
{
	struct pm_store_task *task = request->data;
	struct pm_store *store = task->store;

	if (store) {
		take_out(task);
		if (task->db)
			checkpoint_ended(store, task);
		else
			sync_ended(store, task, status);
	}
	uv_sem_destroy(&task->ended);
	free(task);
}

/* Takes over task, which is freed when its work has ended. */
static int begin(struct pm_store *store, struct pm_store_task *task)
{
	if (!task || uv_sem_init(&task->ended, 0) < 0) {
		free(task);
		return -ENOMEM;
	}
	task->request.data = task;
	task->store = store;
	task->next = store->tasks;
	store->tasks = task;
	if (uv_queue_work(store->loop, &task->request, work, after_work) < 0) {
		take_out(task);
		uv_sem_destroy(&task->ended);
		free(task);
		return -ENOMEM;
	}
	return 0;
}

/* --- after a sync that failed ----------------------------------------------------------------- */

void pm_store_suspect_log(struct pm_store *store)
{
	if (store->loop && is_failed_sync(store->db))
		store->log_suspect = true;
}

static int copy_over_itself(int fd, off_t size)
{
	char buffer[65536];

	for (off_t at = 0; at < size;) {
		ssize_t length = pread(fd, buffer, sizeof(buffer), at);

		if (length <= 0 || pwrite(fd, buffer, (size_t)length, at) != length)
			return -EIO;
		at += length;
	}
	return 0;
}

/*
 * The kernel tells of a write that failed once, and takes what it has in memory for written from then on: the next sync
 * would succeed without it. So all of it is written again, provided that it still can be read.
 */
int pm_store_write_log_again(struct pm_store *store)
{
	char path[PM_PATH_MAX];
	struct stat status;

	snprintf(path, sizeof(path), "%s-wal", sqlite3_db_filename(store->db, "main"));
	if (store->checkpointing || fstat(store->log_fd, &status) < 0 ||
	    pm_store_good_pages(path) < store->log_pages ||
	    copy_over_itself(store->log_fd, status.st_size) < 0)
		return -EIO;
	store->log_suspect = false;
	return 0;
}

int pm_store_sync(struct pm_store *store, void (*done)(bool good, void *data), void *data)
{
	struct pm_store_task *task;

	if (!store->loop)
		return -ENOTCONN;
	if (store->log_suspect && pm_store_write_log_again(store) < 0)
		return -EIO;
	task = calloc(1, sizeof(*task));
	if (task)
		*task = (struct pm_store_task){.fd = store->log_fd, .done = done, .data = data};
	return begin(store, task);
}

static void wait_for_checkpoint(struct pm_store *store)
{
	struct pm_store_task *task = store->tasks;

	while (task && !task->db)
		task = task->next;
	if (!task)
		return;
	pm_log(LOG_WARNING,
	       "the disk of the state directory is too slow for what is written: waiting for it");
	uv_sem_wait(&task->ended);
	uv_sem_post(&task->ended); /* for pm_store_detach() */
	copy_the_rest(store);
}

void pm_store_checkpoint_if_due(struct pm_store *store)
{
	struct pm_store_task *task;

	if (store->checkpointing && store->log_pages >= store->log_pages_max)
		wait_for_checkpoint(store);
	if (!store->loop || store->checkpointing || store->log_suspect ||
	    (store->log_pages < store->checkpoint_at && !store->indexes_added))
		return;
	store->indexes_added = false;
	task = calloc(1, sizeof(*task));
	if (task)
		task->db = store->helper_db;
	store->checkpointing = begin(store, task) == 0;
}

/* After each commit; SQLite's own automatic checkpoint is off from now on. */
static int note_log(void *data, sqlite3 *db, const char *name, int pages)
{
	struct pm_store *store = data;

	(void)db;
	(void)name;
	store->log_pages = pages;
	return SQLITE_OK;
}

/* What a process that was killed has left there is on the disk when anybody is told of it. */
static int open_log(struct pm_store *store, struct pm_error *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s-wal", sqlite3_db_filename(store->db, "main"));
	store->log_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (store->log_fd < 0 || fdatasync(store->log_fd) < 0)
		return pm_fail(err, errno, "%s: %s", path, strerror(errno));
	return 0;
}

static uint64_t at_most(uint64_t number, uint64_t most)
{
	return number < most ? number : most;
}

/* On a small file system a log of the usual length would take the room that copying it needs. */
static void limit_log(struct pm_store *store)
{
	struct statvfs status = {0};
	uint64_t pages = UINT64_MAX;

	if (fstatvfs(store->log_fd, &status) == 0)
		pages = (uint64_t)status.f_blocks * status.f_frsize / PAGE_SIZE;
	store->checkpoint_pages = (int)at_most(pages / 8, CHECKPOINT_PAGES);
	store->log_pages_max = (int)at_most(pages / 2, LOG_PAGES_MAX);
	if (store->checkpoint_pages < CHECKPOINT_MIN)
		store->checkpoint_pages = CHECKPOINT_MIN;
}

int pm_store_attach(struct pm_store *store, uv_loop_t *loop, struct pm_error *err)
{
	int error = open_log(store, err);

	if (error)
		return error;
	if (sqlite3_open_v2(sqlite3_db_filename(store->db, "main"), &store->helper_db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->helper_db, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->db, "PRAGMA journal_size_limit = " LOG_SIZE_LIMIT, NULL, NULL, NULL) !=
		SQLITE_OK)
		return pm_fail(err, EIO, "%s: %s", sqlite3_db_filename(store->db, "main"),
			       sqlite3_errmsg(store->helper_db));
	sqlite3_wal_hook(store->db, note_log, store);
	limit_log(store);
	store->checkpoint_at = store->checkpoint_pages;
	store->loop = loop;
	return 0;
}

/* What has not begun never will; what has is waited for. Nobody is called back. */
void pm_store_detach(struct pm_store *store)
{
	struct pm_store_task *task;

	while ((task = store->tasks) != NULL) {
		if (uv_cancel((uv_req_t *)&task->request) == UV_EBUSY)
			uv_sem_wait(&task->ended);
		store->tasks = task->next;
		task->store = NULL;
	}
	sqlite3_close(store->helper_db);
	store->helper_db = NULL;
	if (store->log_fd >= 0)
		close(store->log_fd);
	store->log_fd = -1;
	store->loop = NULL;
}
