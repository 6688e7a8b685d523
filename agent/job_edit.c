/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rows that managers write: one row of pmJobTable in one SET, by its phases. A job that is at work goes on meanwhile, and
 * may end: what the SET writes of its row is the row as it is then, with the SET's columns.
 */
#include "agent/flush.h"
#include "agent/job_private.h"
#include "agent/steady.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum effect {
	NOTHING,
	CHANGE, /* columns only */
	ABORT,  /* and then the row goes, or not */
	REMOVE,
	/* the row begins anew: */
	IDLE,   /* active, but not enabled */
	DRAFT,  /* not active */
	START,  /* its job is accepted */
	DRY_RUN /* is accepted, and ends at once */
};

struct work {
	enum effect effect;
	struct pm_job *job; /* the row, or the one in the making; NULL: none */
	bool is_new;
	struct pm_job_set set;
	char *label;                       /* a new one; NULL: none */
	struct pm_plan plan;               /* of a job that is accepted */
	int64_t created_ms, not_before_ms; /* of a row that begins anew */
};

/* --- what the SET comes to -------------------------------------------------------------------- */

static const char *name_of(const struct pm_job_edit *edit)
{
	return edit->machine->config->name;
}

static int check_room(const struct work *work, struct pm_error *err)
{
	if (work->job->idle || work->job->machine->agent->jobs->idle < PM_JOBS_IDLE_MAX)
		return 0;
	return pm_fail(err, ENOSPC, "%d rows wait already for being activated or enabled", PM_JOBS_IDLE_MAX);
}

static int become_draft(struct work *work, struct pm_error *err)
{
	struct pm_job_columns *columns = &work->set.columns;

	work->effect = DRAFT;
	columns->row_status =
	    columns->spec.action == PM_COMMAND_NONE ? PM_ROW_NOT_READY : PM_ROW_NOT_IN_SERVICE;
	return check_room(work, err);
}

static int no_action(const struct pm_job *job, struct pm_error *err)
{
	return pm_fail(err, EINVAL, "job %s of machine %s has no pmJobAction yet: set it first, or together",
		       pm_job_title(job), job->machine->config->name);
}

static int make_plan(struct work *work, struct pm_error *err)
{
	struct pm_job_spec *spec = &work->set.columns.spec;
	struct pm_machine *machine = work->job->machine;

	if (spec->action == PM_COMMAND_NONE)
		return no_action(work->job, err);
	spec->setting = pm_job_request_of(machine, spec->action, PM_ORIGIN_TABLE).setting;
	return pm_plan(machine, spec, false, &work->plan, err);
}

/* The row becomes active: its job is accepted, unless it is not enabled. */
static int activate(struct work *work, struct pm_error *err)
{
	struct pm_job_columns *columns = &work->set.columns;
	int error = make_plan(work, err);

	if (error)
		return error;
	columns->row_status = PM_ROW_ACTIVE;
	if (!columns->enabled) {
		work->effect = IDLE;
		return check_room(work, err);
	}
	work->effect = columns->spec.dry_run ? DRY_RUN : START;
	if (work->effect == DRY_RUN)
		return 0;
	error = pm_job_check_free(work->job->machine, err);
	return error ? error : pm_job_hold(work->job, err);
}

static int take_columns(const struct pm_job_edit *edit, struct work *work, struct pm_error *err)
{
	const struct pm_job *job = work->job;

	if (edit->label && !(work->label = strdup(edit->label)))
		return pm_fail(err, ENOMEM, "no memory for a row");
	work->set.columns = (struct pm_job_columns){
	    .spec = edit->spec_set || work->is_new ? edit->spec : job->spec,
	    .label = work->label ? work->label : job->label,
	    .retain_s = edit->retain_s ? *edit->retain_s : job->retain_s,
	    .enabled = edit->admin_status ? edit->admin_status == PM_JOB_ENABLED : job->enabled,
	    .row_status = job->row_status};
	return 0;
}

static int check_new(const struct pm_job_edit *edit, struct pm_error *err)
{
	if (edit->row_status == PM_ROW_ACTIVE || edit->row_status == PM_ROW_NOT_IN_SERVICE)
		return pm_fail(err, EINVAL,
			       "there is no job %s/%s of machine %s: createAndGo or createAndWait make it",
			       edit->owner, edit->name, name_of(edit));
	if (!edit->row_status)
		return pm_fail(err, ENOENT,
			       "there is no job %s/%s of machine %s: pmJobRowStatus createAndGo makes it",
			       edit->owner, edit->name, name_of(edit));
	if (!*edit->owner)
		return pm_fail(err, ENOENT, "rows without pmJobOwner are made by the agent alone");
	return 0;
}

static int reserve_new(struct pm_job_edit *edit, struct work *work, struct pm_error *err)
{
	int error;

	if (edit->row_status == PM_ROW_DESTROY)
		return 0;
	error = check_new(edit, err);
	if (error)
		return error;
	work->job = pm_job_new(edit->machine, edit->owner, edit->name);
	if (!work->job)
		return pm_fail(err, ENOMEM, "no memory for a row");
	work->is_new = true;
	work->job->origin = PM_ORIGIN_TABLE;
	work->job->retain_s = PM_JOB_RETAIN_DEFAULT_S;
	work->job->spec = edit->spec;
	error = take_columns(edit, work, err);
	if (error)
		return error;
	return edit->row_status == PM_ROW_CREATE_AND_GO ? activate(work, err) : become_draft(work, err);
}

/* --- a row that is there ---------------------------------------------------------------------- */

static bool same_spec(const struct pm_job_spec *a, const struct pm_job_spec *b)
{
	return a->action == b->action && a->scope == b->scope && a->force == b->force && a->vm == b->vm &&
	       a->nic == b->nic && a->delay_s == b->delay_s && a->timeout_s == b->timeout_s &&
	       a->vm_timeout_s == b->vm_timeout_s && a->arm_wol == b->arm_wol && a->dry_run == b->dry_run &&
	       a->init_level == b->init_level && a->wol_addr_type == b->wol_addr_type &&
	       a->wol_addr_length == b->wol_addr_length &&
	       memcmp(a->wol_addr, b->wol_addr, a->wol_addr_length) == 0 && a->wol_port == b->wol_port &&
	       a->storage == b->storage;
}

/* A manager whose answer was lost asks again: that is no error while what it asked for is at work. */
static int create_again(const struct pm_job_edit *edit, struct pm_error *err)
{
	const struct pm_job *job = edit->job;
	uint32_t retain_s = edit->retain_s ? *edit->retain_s : PM_JOB_RETAIN_DEFAULT_S;
	bool at_work = pm_job_at_work(job) && job->state != PM_JOB_ABORTING && !job->leaves;
	bool is_same = edit->row_status == PM_ROW_CREATE_AND_GO && at_work &&
		       edit->admin_status != PM_JOB_DISABLED && same_spec(&job->spec, &edit->spec) &&
		       retain_s == job->retain_s && strcmp(job->label, edit->label ? edit->label : "") == 0;

	if (is_same)
		return 0;
	return pm_fail(err, EEXIST,
		       "job %s of machine %s is there already%s: destroy it first, or take another name",
		       pm_job_title(job), name_of(edit), at_work ? ", and at work" : "");
}

static int take_out_of_service(const struct pm_job_edit *edit, struct work *work, struct pm_error *err)
{
	const struct pm_job *job = edit->job;

	if (pm_job_at_work(job))
		return pm_fail(err, EBUSY, "job %s is at work: abort it first (pmJobAdminStatus disabled)",
			       pm_job_title(job));
	if (!*edit->owner)
		return pm_fail(err, EINVAL, "job %s was not made in this table: it can only be destroyed",
			       pm_job_title(job));
	if (work->set.columns.spec.action == PM_COMMAND_NONE)
		return no_action(job, err);
	return become_draft(work, err);
}

static int change_admin_status(const struct pm_job_edit *edit, struct work *work, struct pm_error *err)
{
	const struct pm_job *job = edit->job;

	if (edit->admin_status == PM_JOB_DISABLED && pm_job_has_ended(job))
		return pm_fail(err, EINVAL, "job %s has ended: there is nothing to abort", pm_job_title(job));
	if (edit->admin_status == PM_JOB_DISABLED && pm_job_at_work(job))
		work->effect = ABORT;
	else if (edit->admin_status == PM_JOB_ENABLED && job->row_status == PM_ROW_ACTIVE &&
		 job->state == PM_JOB_NOT_READY)
		return activate(work, err);
	return 0;
}

static int change_row(const struct pm_job_edit *edit, struct work *work, struct pm_error *err)
{
	const struct pm_job *job = edit->job;
	bool active = job->row_status == PM_ROW_ACTIVE;

	if (edit->row_status == PM_ROW_NOT_IN_SERVICE)
		return take_out_of_service(edit, work, err);
	if (active && edit->spec_set)
		return pm_fail(
		    err, EBUSY,
		    "job %s is active: what it is to do can be set after pmJobRowStatus notInService",
		    pm_job_title(job));
	if (edit->row_status == PM_ROW_ACTIVE && !active)
		return activate(work, err);
	work->effect = CHANGE;
	if (active)
		return change_admin_status(edit, work, err);
	return become_draft(work, err);
}

static int reserve_row(struct pm_job_edit *edit, struct work *work, struct pm_error *err)
{
	int error;

	work->job = edit->job;
	if (edit->row_status == PM_ROW_CREATE_AND_GO || edit->row_status == PM_ROW_CREATE_AND_WAIT)
		return create_again(edit, err);
	error = take_columns(edit, work, err);
	if (error)
		return error;
	if (edit->row_status != PM_ROW_DESTROY)
		return change_row(edit, work, err);
	work->effect = pm_job_at_work(edit->job) ? ABORT : REMOVE;
	work->set.leaves = true;
	return 0;
}

/* --- reserve ---------------------------------------------------------------------------------- */

static void free_work(struct pm_job_edit *edit)
{
	struct work *work = edit->work;

	pm_plan_free(&work->plan);
	free(work->label);
	free(work);
	edit->work = NULL;
}

/* What the journal has by now is written over: the row is as it was, with the steps that it had. */
static void take_back(struct work *work)
{
	struct pm_job *job = work->job;

	if (!job)
		return;
	job->set = NULL;
	if (work->is_new) {
		pm_job_remove(job);
		return;
	}
	if (work->effect == START)
		pm_job_let_go(job);
	if (work->set.written) {
		job->steps_changed = true;
		pm_job_changed(job);
	}
}

int pm_job_edit_reserve(struct pm_job_edit *edit, struct pm_error *err)
{
	struct work *work = calloc(1, sizeof(*work));
	int error;

	if (!work)
		return pm_fail(err, ENOMEM, "no memory for a row");
	edit->work = work;
	error = edit->job ? reserve_row(edit, work, err) : reserve_new(edit, work, err);
	if (error) {
		take_back(work);
		free_work(edit);
		return error;
	}
	work->set.aborts = work->effect == ABORT;
	work->set.replaces = work->effect >= IDLE;
	if (work->job)
		work->job->set = &work->set;
	return 0;
}

/* --- journal ---------------------------------------------------------------------------------- */

static void plan_times(struct work *work)
{
	const struct pm_job *job = work->job;
	int64_t now_ms = pm_steady_ms(job->machine->agent);
	bool accepted = work->effect == START || work->effect == DRY_RUN;
	bool is_draft = job->listed && job->row_status != PM_ROW_ACTIVE;

	work->created_ms = work->is_new || accepted ? now_ms : job->created_ms;
	if (work->effect == DRAFT)
		work->not_before_ms = is_draft ? job->not_before_ms : now_ms + PM_JOB_IDLE_MAX_MS;
	else if (work->effect == START && work->set.columns.spec.delay_s)
		work->not_before_ms = now_ms + (int64_t)work->set.columns.spec.delay_s * 1000;
}

/* The row as it will be, without anything of what it was. */
static struct pm_job make_new(struct work *work)
{
	const struct pm_job_columns *columns = &work->set.columns;
	struct pm_job job = *work->job;
	bool planned = work->effect == START || work->effect == DRY_RUN;

	plan_times(work);
	job.spec = columns->spec;
	job.label = columns->label;
	job.retain_s = columns->retain_s;
	job.enabled = columns->enabled;
	job.row_status = columns->row_status;
	job.state = PM_JOB_NOT_READY;
	job.result = PM_RESULT_NONE;
	job.created_ms = work->created_ms;
	job.not_before_ms = work->not_before_ms;
	job.begin_ms = job.end_ms = 0;
	job.steps = planned ? work->plan.steps : NULL;
	job.step_count = planned ? work->plan.count : 0;
	job.steps_changed = true;
	job.text = NULL;
	job.set = NULL;
	return job;
}

static int write_accepted(struct work *work, struct pm_job *job, struct pm_error *err)
{
	bool begins = work->effect == START && pm_job_may_begin(job);
	int error = pm_job_write_accepted(job, begins, err);

	if (!error && work->effect == START)
		pm_job_promise(work->job, begins);
	return error;
}

static int write_new(struct work *work, struct pm_error *err)
{
	struct pm_store *store = work->job->machine->agent->store;
	struct pm_job job = make_new(work);
	int error = 0;

	if (work->effect == START || work->effect == DRY_RUN) {
		error = write_accepted(work, &job, err);
	} else if (pm_job_is_kept(&job)) {
		error = pm_job_write(store, &job, err);
	} else if (job.id) {
		error = pm_store_job_delete(store, job.id, err);
		job.id = 0;
	}
	if (!error)
		work->job->id = job.id;
	return error;
}

/* As it is now; it may have ended since it was looked at. */
static int write_changed(struct work *work, struct pm_error *err)
{
	struct pm_job *job = work->job;
	int error;

	if (!pm_job_is_kept(job))
		return 0;
	if (work->effect == ABORT && !pm_job_at_work(job))
		work->set.columns.enabled = job->enabled; /* there is nothing to abort any more */
	work->set.written = true;
	error = pm_job_write(job->machine->agent->store, job, err);
	work->set.written = !error;
	return error;
}

int pm_job_edit_journal(struct pm_job_edit *edit, struct pm_error *err)
{
	struct work *work = edit->work;
	int error;

	if (work->effect == NOTHING)
		return 0;
	error = work->set.replaces ? write_new(work, err) : write_changed(work, err);
	if (!error)
		work->set.written = true;
	return error;
}

/* --- release ---------------------------------------------------------------------------------- */

static void take_over_columns(struct work *work)
{
	const struct pm_job_columns *columns = &work->set.columns;
	struct pm_job *job = work->job;

	job->spec = columns->spec;
	job->row_status = columns->row_status;
	job->enabled = columns->enabled;
	if (!work->label)
		return;
	pm_job_give_label(job, work->label);
	work->label = NULL;
}

/* When it goes counts from when it ended. */
static void take_over_retention(struct work *work)
{
	struct pm_job *job = work->job;
	int64_t ended_ms = job->not_before_ms - (int64_t)job->retain_s * 1000;

	job->retain_s = work->set.columns.retain_s;
	if (pm_job_has_ended(job))
		pm_job_retain(job, ended_ms);
}

static void begin_anew(struct work *work)
{
	struct pm_job *job = work->job;

	pm_job_clear_steps(job);
	free(job->text);
	if (job->list)
		pm_job_take_out(job);
	job->state = PM_JOB_NOT_READY;
	job->result = PM_RESULT_NONE;
	job->text = NULL;
	job->begin_ms = job->end_ms = 0;
	job->created_ms = work->created_ms;
	job->not_before_ms = work->not_before_ms;
	job->retain_s = work->set.columns.retain_s;
	if (!job->listed)
		pm_job_insert(job);
	pm_job_set_idle(job, work->effect == IDLE || work->effect == DRAFT);
	pm_job_due(job);
}

static void accept_job(struct work *work)
{
	struct pm_job *job = work->job;

	pm_job_take_steps(job, &work->plan);
	if (work->effect == DRY_RUN) {
		pm_job_finish_dry(job);
	} else {
		job->steps_changed = false; /* they are written */
		pm_job_accept(job);
		pm_job_enqueue(job);
	}
}

static void abort_row(struct work *work)
{
	struct pm_job *job = work->job;

	if (work->effect == ABORT && pm_job_at_work(job)) {
		job->leaves = work->set.leaves;
		pm_job_abort_job(job, job->leaves ? "aborted by pmJobRowStatus destroy"
						  : "aborted by pmJobAdminStatus disabled");
	} else if (work->set.leaves) {
		pm_job_remove(job);
	}
}

/* The row may be gone afterwards. */
static void apply(struct work *work)
{
	struct pm_job *job = work->job;
	bool wanted = work->effect == CHANGE || (work->effect == ABORT && pm_job_at_work(job));

	job->set = NULL;
	if (work->effect == NOTHING)
		return;
	if (work->set.replaces) {
		take_over_columns(work);
		begin_anew(work);
		if (work->effect == START || work->effect == DRY_RUN)
			accept_job(work);
		return;
	}
	work->set.columns.enabled = wanted ? work->set.columns.enabled : job->enabled;
	take_over_columns(work);
	take_over_retention(work);
	pm_job_changed(job); /* it may have been written with other columns since, or end */
	abort_row(work);
}

void pm_job_edit_release(struct pm_job_edit *edit)
{
	struct work *work = edit->work;

	if (work->job)
		apply(work);
	free_work(edit);
}

void pm_job_edit_cancel(struct pm_job_edit *edit)
{
	struct work *work = edit->work;
	struct pm_agent *agent = edit->machine->agent;
	bool written = work->set.written;

	take_back(work);
	free_work(edit);
	if (written)
		pm_flush(agent); /* or it would be so after a crash */
	pm_jobs_pump(agent);     /* there is the room that it was promised */
}
