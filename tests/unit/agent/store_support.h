/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A store in a directory of its own, and what it has in words, for the tests of its parts. */
#ifndef PM_TEST_STORE_SUPPORT_H
#define PM_TEST_STORE_SUPPORT_H

#include "agent/notify.h"
#include "agent/store.h"
#include "tests/unit/agent/support.h"

#include <glob.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory[DIRECTORY_MAX];
static struct pm_store *store;
static struct pm_error err;

static inline void open_store(void)
{
	if (pm_store_open(directory, &store, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void close_store(void)
{
	pm_store_close(store);
	store = NULL;
}

static inline void reopen(void)
{
	close_store();
	open_store();
}

static inline int set_up(void **state)
{
	(void)state;
	make_directory(directory, sizeof(directory));
	err.text[0] = '\0';
	open_store();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	close_store();
	remove_directory(directory);
	return 0;
}

/* Good for two calls. */
static inline const char *in_directory(const char *name)
{
	static char paths[2][DIRECTORY_MAX + 64];
	static unsigned next;
	char *path = paths[next++ % LENGTH(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/* In a process of its own: what it does to itself does not last. Its result is the exit status. */
static inline int in_another_process(int (*function)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(function());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(in_directory(PM_STORE_FILE), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static inline void overwrite(const char *name, long offset, size_t length)
{
	FILE *file = fopen(in_directory(name), "r+");
	char noise[4096];

	assert_non_null(file);
	memset(noise, 0xa5, sizeof(noise));
	assert_int_equal(fseek(file, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(noise, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static inline long file_size(const char *name)
{
	struct stat stat_buffer;

	return stat(in_directory(name), &stat_buffer) < 0 ? -1 : (long)stat_buffer.st_size;
}

static inline void assert_refused(int error, const char *word)
{
	struct pm_store *other = (void *)1;

	err.text[0] = '\0';
	assert_int_equal(pm_store_open(directory, &other, &err), error);
	assert_null(other);
	if (!strstr(err.text, word) || !strstr(err.text, PM_STORE_FILE))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
}

static inline bool exists(const char *pattern)
{
	char path[160];
	glob_t found = {0};
	bool any;

	snprintf(path, sizeof(path), "%s/%s", directory, pattern);
	any = glob(path, 0, NULL, &found) == 0;
	globfree(&found);
	return any;
}

/* --- rows in a line each, as they are loaded ----------------------------------------------------------------------- */

static char seen[1024];

static inline void note_setting(const struct pm_setting *setting, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%u.%u %s %s>%s;", setting->machine, setting->part,
		 setting->key, setting->base, setting->value);
}

static inline const char *settings(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_settings_load(store, note_setting, NULL, &err), 0);
	return seen;
}

static char last_text[256], last_boots[2][64], last_seen[64];

static inline void note_state(const struct pm_stored_state *state, void *data)
{
	struct pm_stored_state *last = data;

	*last = *state;
	snprintf(last_text, sizeof(last_text), "%s", state->last_result_text);
	last->last_result_text = last_text;
	snprintf(last_boots[0], sizeof(last_boots[0]), "%s", state->rest_boot);
	snprintf(last_boots[1], sizeof(last_boots[1]), "%s", state->boot_id);
	snprintf(last_seen, sizeof(last_seen), "%s", state->rest_seen);
	last->rest_boot = last_boots[0];
	last->boot_id = last_boots[1];
	last->rest_seen = last_seen;
}

static inline uint32_t machine_index(const char *name, uint32_t first, uint32_t last)
{
	uint32_t index = 0;

	if (pm_store_machine_index(store, name, first, last, &index, &err) < 0)
		fail_msg("%s", err.text);
	return index;
}

static inline void note_event(const struct pm_stored_event *event, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%u.%u@%lld%s;", event->machine, event->index,
		 (long long)event->time_ms, event->text);
}

static inline const char *events(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_events_load(store, note_event, NULL, &err), 0);
	return seen;
}

static inline void put_event(uint32_t machine, uint32_t index, uint32_t forget)
{
	const struct pm_stored_event event = {
	    .machine = machine, .index = index, .time_ms = index * 10, .kind = 1, .severity = 1, .text = ""};

	assert_int_equal(pm_store_event_put(store, &event, forget, &err), 0);
}

/* Of all machines, in as many calls as it takes. */
static inline unsigned expire(int64_t before_ms, bool (*configured)(uint32_t machine, void *data))
{
	uint32_t machine = 0;
	unsigned calls = 0;

	do
		assert_int_equal(pm_store_expire(store, before_ms, &machine, configured, NULL, &err), 0);
	while (++calls && machine);
	return calls;
}

static inline bool is_any(uint32_t machine, void *data)
{
	(void)machine;
	(void)data;
	return true;
}

static struct pm_stored_job last_job;
static char last_job_texts[4][64];

static inline void note_job(const struct pm_stored_job *job, void *data)
{
	size_t length = strlen(seen);
	const char **const texts[] = {&last_job.owner, &last_job.name, &last_job.label, &last_job.text};

	(void)data;
	last_job = *job;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		snprintf(last_job_texts[i], sizeof(last_job_texts[i]), "%s", *texts[i]);
		*texts[i] = last_job_texts[i];
	}
	snprintf(seen + length, sizeof(seen) - length, "%lld:%u %s/%s s%u;", (long long)job->id, job->machine,
		 job->owner, job->name, job->state);
}

static inline const char *jobs(uint32_t machine)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_jobs_load(store, machine, note_job, NULL, &err), 0);
	return seen;
}

static inline struct pm_stored_job insert_job(uint32_t machine, const char *owner, const char *name)
{
	struct pm_stored_job job = {.machine = machine,
				    .owner = owner,
				    .name = name,
				    .nic = 2,
				    .action = PM_COMMAND_WAKE,
				    .origin = 4,
				    .state = PM_JOB_SCHEDULED,
				    .result = PM_RESULT_NONE,
				    .created_ms = 100};

	assert_int_equal(pm_store_job_insert(store, &job, &err), 0);
	return job;
}

static inline void note_step(const struct pm_stored_step *step, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%lld.%u a%u g%u s%u r%u %s;", (long long)step->job,
		 step->index, step->action, step->goal, step->state, step->result, step->text);
}

static inline const char *steps(uint32_t machine)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_steps_load(store, machine, note_step, NULL, &err), 0);
	return seen;
}

/* How those of version 4 wait for each other. */
static inline void note_order(const struct pm_stored_step *step, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	snprintf(seen + length, sizeof(seen) - length, "%lld.%u %s>%u<%u;", (long long)step->job, step->index,
		 step->target, step->after, step->before);
}

static inline const char *orders(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_steps_load(store, 0, note_order, NULL, &err), 0);
	return seen;
}

static inline void put_step(int64_t job, unsigned index, unsigned action, const char *text)
{
	const struct pm_stored_step step = {
	    .job = job, .index = index, .action = action, .goal = 4, .state = 3, .result = 1, .text = text};

	assert_int_equal(pm_store_step_put(store, &step, &err), 0);
}

static struct pm_notification last_notification;

static inline void note_notification(const struct pm_notification *notification, void *data)
{
	size_t length = strlen(seen);

	(void)data;
	last_notification = *notification;
	snprintf(seen + length, sizeof(seen) - length, "%llu t%u e%u;", (unsigned long long)notification->id,
		 notification->type, notification->event_index);
}

static inline const char *notifications(void)
{
	seen[0] = '\0';
	assert_int_equal(pm_store_notifications_load(store, note_notification, NULL, &err), 0);
	return seen;
}

static inline void put_notification(uint64_t id)
{
	const struct pm_notification notification = {.id = id, .type = 1, .event_index = (uint32_t)id + 100};

	assert_int_equal(pm_store_notification_put(store, &notification, &err), 0);
}

#endif
