/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of pmJobTable in memory: of which machine, in which order, and until when. */
#include "agent/job_private.h"
#include "agent/steady.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST      4   /* room of a machine's rows at first; twice as much each time */
#define EXPIRE_AT_ONCE  100 /* rows, again and again: what one flush takes off the journal holds up the loop */
#define EXPIRE_AGAIN_MS 50
#define SET_NAME_SIZE   25 /* set-9223372036854775807 */

static char nothing[] = "";

/* --- lists ------------------------------------------------------------------------------------ */

void pm_job_append(struct pm_job_list *list, struct pm_job *job)
{
	job->list = list;
	job->previous = list->last;
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
	list->count++;
}

void pm_job_take_out(struct pm_job *job)
{
	struct pm_job_list *list = job->list;

	if (job->previous)
		job->previous->next = job->next;
	else
		list->first = job->next;
	if (job->next)
		job->next->previous = job->previous;
	else
		list->last = job->previous;
	list->count--;
	job->list = NULL;
}

/* --- the rows of a machine -------------------------------------------------------------------- */

static int compare_texts(const char *a, const char *b)
{
	size_t length = strlen(a), other = strlen(b);

	return length != other ? (length > other) - (length < other) : memcmp(a, b, length);
}

/* Where it is, or would be. */
static size_t place_of(const struct pm_machine *machine, const char *owner, const char *name, bool *found)
{
	size_t low = 0, high = machine->jobs_count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pm_job *job = machine->jobs[middle];
		int order = compare_texts(job->owner, owner);

		if (order == 0)
			order = compare_texts(job->name, name);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct pm_job *pm_job_find(const struct pm_machine *machine, const char *owner, const char *name)
{
	bool found;
	size_t place = place_of(machine, owner, name, &found);

	return found ? machine->jobs[place] : NULL;
}

static int make_room(struct pm_machine *machine)
{
	size_t wanted = machine->jobs_count + machine->jobs_wanted + 1, room = machine->jobs_room;
	struct pm_job **jobs;

	if (wanted <= room)
		return 0;
	room = room ? room * 2 : ROWS_FIRST;
	jobs = realloc(machine->jobs, room * sizeof(struct pm_job *));
	if (!jobs)
		return -ENOMEM;
	machine->jobs = jobs;
	machine->jobs_room = room;
	return 0;
}

static int make_room_for_due(struct pm_jobs *jobs)
{
	size_t room = jobs->due_room ? jobs->due_room * 2 : 256;
	struct pm_job **due;

	if (jobs->rows < jobs->due_room)
		return 0;
	due = realloc(jobs->due, room * sizeof(struct pm_job *));
	if (!due)
		return -ENOMEM;
	jobs->due = due;
	jobs->due_room = room;
	return 0;
}

struct pm_job *pm_job_new(struct pm_machine *machine, const char *owner, const char *name)
{
	size_t owner_size = strlen(owner) + 1, name_size = name ? strlen(name) + 1 : SET_NAME_SIZE;
	struct pm_jobs *jobs = machine->agent->jobs;
	struct pm_job *job;
	char *texts;

	if (make_room(machine) < 0 || make_room_for_due(jobs) < 0)
		return NULL;
	job = calloc(1, sizeof(*job) + owner_size + name_size);
	if (!job)
		return NULL;
	texts = (char *)(job + 1);
	memcpy(texts, owner, owner_size);
	if (name)
		memcpy(texts + owner_size, name, name_size);
	*job = (struct pm_job){.machine = machine,
			       .owner = texts,
			       .name = texts + owner_size,
			       .label = nothing,
			       .enabled = true,
			       .state = PM_JOB_NOT_READY,
			       .result = PM_RESULT_NONE};
	machine->jobs_wanted++;
	jobs->rows++;
	return job;
}

void pm_job_name_it(struct pm_job *job)
{
	snprintf((char *)(job + 1) + strlen(job->owner) + 1, SET_NAME_SIZE, "set-%lld", (long long)job->id);
}

void pm_job_give_label(struct pm_job *job, char *label)
{
	if (job->label != nothing)
		free(job->label);
	job->label = *label ? label : nothing;
	if (!*label)
		free(label);
}

void pm_job_insert(struct pm_job *job)
{
	struct pm_machine *machine = job->machine;
	bool found;
	size_t place = place_of(machine, job->owner, job->name, &found);

	memmove(&machine->jobs[place + 1], &machine->jobs[place],
		(machine->jobs_count - place) * sizeof(struct pm_job *));
	machine->jobs[place] = job;
	machine->jobs_count++;
	machine->jobs_wanted--;
	job->listed = true;
	machine->agent->job_rows_changes++;
}

static void take_off_the_machine(struct pm_job *job)
{
	struct pm_machine *machine = job->machine;
	bool found;
	size_t place;

	if (!job->listed) {
		machine->jobs_wanted--;
		return;
	}
	place = place_of(machine, job->owner, job->name, &found);
	machine->jobs_count--;
	memmove(&machine->jobs[place], &machine->jobs[place + 1],
		(machine->jobs_count - place) * sizeof(struct pm_job *));
	job->listed = false;
	machine->agent->job_rows_changes++;
}

/* --- steps ------------------------------------------------------------------------------------ */

void pm_job_clear_steps(struct pm_job *job)
{
	struct pm_plan steps = {.steps = job->steps, .count = job->step_count};

	pm_plan_free(&steps);
	job->steps = NULL;
	job->step_count = job->steps_done = 0;
	job->steps_changed = true;
}

void pm_job_take_steps(struct pm_job *job, struct pm_plan *plan)
{
	pm_job_clear_steps(job);
	job->steps = plan->steps;
	job->step_count = plan->count;
	*plan = (struct pm_plan){0};
}

/* --- until when ------------------------------------------------------------------------------- */

static int64_t due_of(const struct pm_jobs *jobs, size_t place)
{
	return jobs->due[place - 1]->not_before_ms;
}

static void put_at(struct pm_jobs *jobs, size_t place, struct pm_job *job)
{
	jobs->due[place - 1] = job;
	job->due_place = (uint32_t)place;
}

static void swap(struct pm_jobs *jobs, size_t a, size_t b)
{
	struct pm_job *job = jobs->due[a - 1];

	put_at(jobs, a, jobs->due[b - 1]);
	put_at(jobs, b, job);
}

static void settle(struct pm_jobs *jobs, size_t place)
{
	size_t child;

	for (; place > 1 && due_of(jobs, place) < due_of(jobs, place / 2); place /= 2)
		swap(jobs, place, place / 2);
	while ((child = 2 * place) <= jobs->due_count) {
		if (child < jobs->due_count && due_of(jobs, child + 1) < due_of(jobs, child))
			child++;
		if (due_of(jobs, place) <= due_of(jobs, child))
			break;
		swap(jobs, place, child);
		place = child;
	}
}

static void set_timer(struct pm_jobs *jobs)
{
	int64_t delay_ms;

	if (!jobs->due_count) {
		pm_timer_stop(jobs->due_timer);
		return;
	}
	delay_ms = due_of(jobs, 1) - pm_steady_ms(jobs->agent);
	pm_timer_start(jobs->due_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0);
}

static void leave_due(struct pm_job *job)
{
	struct pm_jobs *jobs = job->machine->agent->jobs;
	size_t place = job->due_place;

	if (!place)
		return;
	swap(jobs, place, jobs->due_count);
	jobs->due_count--;
	job->due_place = 0;
	if (place <= jobs->due_count)
		settle(jobs, place);
}

void pm_job_due(struct pm_job *job)
{
	struct pm_jobs *jobs = job->machine->agent->jobs;
	bool goes = job->listed && (pm_job_has_ended(job) || job->row_status != PM_ROW_ACTIVE);

	if (!goes) {
		leave_due(job);
	} else {
		if (!job->due_place)
			put_at(jobs, ++jobs->due_count, job);
		settle(jobs, job->due_place);
	}
	set_timer(jobs);
}

static void remove_oldest(struct pm_jobs *jobs)
{
	struct pm_job *next;

	for (struct pm_job *job = jobs->ended.first; job && jobs->ended.count > PM_JOBS_ENDED_MAX;
	     job = next) {
		next = job->next;
		if (!job->set)
			pm_job_remove(job);
	}
}

void pm_job_retain(struct pm_job *job, int64_t ended_ms)
{
	struct pm_jobs *jobs = job->machine->agent->jobs;

	job->not_before_ms = ended_ms + (int64_t)job->retain_s * 1000;
	if (!job->list)
		pm_job_append(&jobs->ended, job);
	pm_job_due(job);
	remove_oldest(jobs);
}

void pm_jobs_expire(void *data)
{
	struct pm_jobs *jobs = data;
	int64_t now_ms = pm_steady_ms(jobs->agent);
	unsigned left = EXPIRE_AT_ONCE;

	while (jobs->due_count && due_of(jobs, 1) <= now_ms && left > 0 && !jobs->due[0]->set) {
		pm_job_remove(jobs->due[0]);
		left--;
	}
	set_timer(jobs);
	if (jobs->due_count && due_of(jobs, 1) <= now_ms)
		pm_timer_start(jobs->due_timer, EXPIRE_AGAIN_MS);
}

/* --- the end of a row ------------------------------------------------------------------------- */

void pm_job_set_idle(struct pm_job *job, bool idle)
{
	if (job->idle == idle)
		return;
	job->idle = idle;
	if (idle)
		job->machine->agent->jobs->idle++;
	else
		job->machine->agent->jobs->idle--;
}

static void unlink_row(struct pm_job *job)
{
	pm_job_let_go(job);
	pm_job_set_idle(job, false);
	if (job->list)
		pm_job_take_out(job);
	leave_due(job);
	take_off_the_machine(job);
	job->machine->agent->jobs->rows--;
}

void pm_job_free_removed(struct pm_job *job)
{
	pm_job_clear_steps(job);
	if (job->label != nothing)
		free(job->label);
	free(job->text);
	free(job);
}

void pm_job_free(struct pm_job *job)
{
	unlink_row(job);
	pm_job_unchanged(job);
	pm_job_free_removed(job);
}

void pm_job_remove(struct pm_job *job)
{
	unlink_row(job);
	if (job->id) {
		job->removed = true;
		pm_job_changed(job);
		return;
	}
	pm_job_unchanged(job);
	pm_job_free_removed(job);
}

/* What the journal does not know yet is written without it. */
void pm_jobs_forget(struct pm_machine *machine)
{
	while (machine->jobs_count) {
		struct pm_job *job = machine->jobs[machine->jobs_count - 1];

		unlink_row(job);
		if (job->changed && job->id) {
			job->forgotten = true;
			job->machine = NULL;
		} else {
			pm_job_unchanged(job);
			pm_job_free_removed(job);
		}
	}
	free(machine->jobs);
	machine->jobs = NULL;
	machine->jobs_room = 0;
	machine->jobs_loaded = false;
}
