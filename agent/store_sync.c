/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What helper threads do for the store: bring the write-ahead log to the disk, and copy it into the database file
 * (checkpoint), so that the main thread does neither.
 *
 * A checkpoint that is passive (SQLite) keeps nobody from writing; but the log begins anew only when at some moment all of
 * it has been copied, and somebody who writes all the time leaves no such moment. So when the log has become twice as long
 * the main thread copies what has come during the checkpoint of the helper: a few pages.
 */
#include "agent/log.h"
#include "agent/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define CHECKPOINT_PAGES 1024 /* 4 MiB of log */
#define LONG_LOG_PAGES   (2 * CHECKPOINT_PAGES)
#define AGAIN_PAGES      256 /* after one that could not copy all, or failed */
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

/* The few pages that were written during the checkpoint of the helper. */
static void copy_the_rest(struct pm_store *store)
{
	int pages, copied;

	if (sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, &pages, &copied) ==
		SQLITE_OK &&
	    pages == copied)
		store->checkpoint_at = CHECKPOINT_PAGES;
}

static void checkpoint_ended(struct pm_store *store, const struct pm_store_task *task)
{
	bool failed = task->result != SQLITE_OK && task->result != SQLITE_BUSY;

	store->checkpointing = false;
	if (failed && !store->checkpoint_failing)
		pm_log(LOG_ERR, "the write-ahead log can not be copied into " PM_STORE_FILE ": %s",
		       sqlite3_errstr(task->result));
	store->checkpoint_failing = failed;
	if (!failed && task->copied == store->log_pages) {
		store->checkpoint_at = CHECKPOINT_PAGES;
		return;
	}
	store->checkpoint_at = store->log_pages + AGAIN_PAGES;
	if (!failed && store->log_pages >= LONG_LOG_PAGES)
		copy_the_rest(store);
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
			task->done(status == 0 && task->result == 0, task->data);
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

int pm_store_sync(struct pm_store *store, void (*done)(bool good, void *data), void *data)
{
	struct pm_store_task *task = calloc(1, sizeof(*task));

	if (!store->loop) {
		free(task);
		return -ENOTCONN;
	}
	if (task)
		*task = (struct pm_store_task){.fd = store->log_fd, .done = done, .data = data};
	return begin(store, task);
}

void pm_store_checkpoint_if_long(struct pm_store *store)
{
	struct pm_store_task *task;

	if (!store->loop || store->checkpointing || store->log_pages < store->checkpoint_at)
		return;
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
	store->checkpoint_at = CHECKPOINT_PAGES;
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
