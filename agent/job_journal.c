/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Between jobs and the journal: rows as the store has them, what it does not know yet, and the gate: a step that begins
 * waits until it is written that it has begun. A wish then acts; what is momentary waits until that is on the disk.
 */
#include "agent/flush.h"
#include "agent/group_record.h"
#include "agent/job_private.h"
#include "agent/log.h"
#include "agent/steady.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- rows as the store has them --------------------------------------------------------------- */

/* One octet after the other: the command, and what it needs. */
static int64_t pack(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return a | (int64_t)b << 8 | (int64_t)c << 16 | (int64_t)d << 24;
}

static int64_t pack_setting(const struct pm_bmc_setting *setting)
{
	uint8_t command = (uint8_t)setting->command;

	switch (setting->command) {
	case IPMI_CHASSIS_IDENTIFY:
		return pack(command, (uint8_t)setting->identify.mode, setting->identify.interval_s, 0);
	case IPMI_SET_POWER_RESTORE_POLICY:
		return pack(command, (uint8_t)setting->restore_policy, 0, 0);
	case IPMI_SET_BOOT_FLAGS:
		return pack(command, (uint8_t)setting->boot.device, setting->boot.persistent,
			    setting->boot.efi);
	default:
		return 0;
	}
}

static struct pm_bmc_setting unpack_setting(int64_t packed)
{
	struct pm_bmc_setting setting = {.command = (enum ipmi_command)(packed & 0xff)};
	uint8_t a = (uint8_t)(packed >> 8), b = (uint8_t)(packed >> 16), c = (uint8_t)(packed >> 24);

	switch (setting.command) {
	case IPMI_CHASSIS_IDENTIFY:
		setting.identify.mode = (enum ipmi_identify)a;
		setting.identify.interval_s = b;
		break;
	case IPMI_SET_POWER_RESTORE_POLICY:
		setting.restore_policy = (enum ipmi_restore_policy)a;
		break;
	case IPMI_SET_BOOT_FLAGS:
		setting.boot = (struct ipmi_boot_flags){(enum ipmi_boot_device)a, b, c};
		break;
	default:
		setting.command = 0;
	}
	return setting;
}

static void record_spec(struct pm_stored_job *stored, const struct pm_job_spec *spec)
{
	stored->action = spec->action;
	stored->scope = spec->scope;
	stored->force = spec->force;
	stored->vm = spec->vm;
	stored->nic = spec->nic;
	stored->delay_s = spec->delay_s;
	stored->timeout_s = spec->timeout_s;
	stored->vm_timeout_s = spec->vm_timeout_s;
	stored->arm_wol = spec->arm_wol;
	stored->dry_run = spec->dry_run;
	stored->init_level = spec->init_level;
	stored->wol_addr_type = spec->wol_addr_type;
	stored->wol_addr_length = spec->wol_addr_length;
	memcpy(stored->wol_addr, spec->wol_addr, sizeof(spec->wol_addr));
	stored->wol_port = spec->wol_port;
	stored->storage = spec->storage;
	stored->setting = pack_setting(&spec->setting);
}

static struct pm_job_spec spec_of(const struct pm_stored_job *stored)
{
	struct pm_job_spec spec = {.action = stored->action,
				   .scope = stored->scope,
				   .force = stored->force,
				   .vm = stored->vm,
				   .nic = stored->nic,
				   .delay_s = stored->delay_s,
				   .timeout_s = stored->timeout_s,
				   .vm_timeout_s = stored->vm_timeout_s,
				   .arm_wol = stored->arm_wol,
				   .dry_run = stored->dry_run,
				   .init_level = (uint8_t)stored->init_level,
				   .wol_addr_type = (uint8_t)stored->wol_addr_type,
				   .wol_addr_length = (uint8_t)stored->wol_addr_length,
				   .wol_port = stored->wol_port,
				   .storage = stored->storage,
				   .setting = unpack_setting(stored->setting)};

	memcpy(spec.wol_addr, stored->wol_addr, sizeof(spec.wol_addr));
	return spec;
}

/* What a SET under way has written of it stays so. */
static void record_set(struct pm_stored_job *stored, const struct pm_job *job)
{
	const struct pm_job_set *set = job->set;

	stored->label = set->columns.label;
	stored->enabled = set->columns.enabled;
	stored->retain_s = set->columns.retain_s;
	if (pm_job_has_ended(job))
		stored->not_before_ms += ((int64_t)set->columns.retain_s - job->retain_s) * 1000;
	if (set->aborts && pm_job_at_work(job))
		stored->state = PM_JOB_ABORTING;
	if (set->leaves)
		stored->row_status = PM_ROW_DESTROY;
}

static struct pm_stored_job record(const struct pm_job *job)
{
	struct pm_stored_job stored = {.id = job->id,
				       .machine = job->machine ? job->machine->index : 0,
				       .owner = job->owner,
				       .name = *job->name ? job->name : NULL,
				       .label = job->label,
				       .origin = job->origin,
				       .row_status = job->leaves ? PM_ROW_DESTROY : job->row_status,
				       .enabled = job->enabled,
				       .retain_s = job->retain_s,
				       .state = job->state,
				       .result = job->result,
				       .text = pm_job_has_ended(job) ? pm_job_text(job) : "",
				       .created_ms = job->created_ms,
				       .not_before_ms = job->not_before_ms,
				       .begin_ms = job->begin_ms,
				       .end_ms = job->end_ms,
				       .stagger_ms = job->stagger_ms,
				       .group = job->group};

	record_spec(&stored, &job->spec);
	if (job->set && job->set->written)
		record_set(&stored, job);
	return stored;
}

static struct pm_stored_step record_step(const struct pm_job *job, unsigned index)
{
	const struct pm_step *step = &job->steps[index];

	return (struct pm_stored_step){.job = job->id,
				       .index = index + 1,
				       .action = step->action,
				       .vm = step->vm,
				       .target = step->target ? step->target : "",
				       .level = step->level,
				       .after = step->after,
				       .before = step->before,
				       .goal = step->goal,
				       .timeout_s = step->timeout_s,
				       .momentary = step->momentary,
				       .alternative = step->alternative,
				       .state = step->state,
				       .result = step->result,
				       .text = step->text ? step->text : "",
				       .start_ms = step->start_ms,
				       .end_ms = step->end_ms};
}

struct pm_job *pm_job_from_stored(struct pm_machine *machine, const struct pm_stored_job *stored)
{
	struct pm_job *job = pm_job_new(machine, stored->owner, stored->name);
	char *label;

	if (!job)
		return NULL;
	job->id = stored->id;
	job->origin = stored->origin;
	job->spec = spec_of(stored);
	job->leaves = stored->row_status == PM_ROW_DESTROY;
	job->row_status = job->leaves ? PM_ROW_ACTIVE : stored->row_status;
	job->enabled = stored->enabled;
	job->retain_s = stored->retain_s;
	job->state = stored->state;
	job->result = stored->result;
	job->created_ms = stored->created_ms;
	job->not_before_ms = stored->not_before_ms;
	if (!job->not_before_ms && stored->state > PM_JOB_SCHEDULED)
		job->not_before_ms = stored->begin_ms; /* of a version without it */
	job->begin_ms = stored->begin_ms;
	job->end_ms = stored->end_ms;
	job->stagger_ms = stored->stagger_ms;
	job->group = stored->group;
	label = strdup(stored->label);
	if (label)
		pm_job_give_label(job, label);
	if (label && (!*stored->text || (job->text = strdup(stored->text)) != NULL))
		return job;
	pm_job_free(job);
	return NULL;
}

int pm_step_from_stored(struct pm_step *step, const struct pm_stored_step *stored)
{
	*step = (struct pm_step){.action = stored->action,
				 .vm = stored->vm,
				 .level = stored->level,
				 .after = stored->after,
				 .before = stored->before,
				 .goal = stored->goal,
				 .timeout_s = stored->timeout_s,
				 .momentary = stored->momentary,
				 .alternative = stored->alternative,
				 .state = stored->state,
				 .result = stored->result,
				 .start_ms = stored->start_ms,
				 .end_ms = stored->end_ms};
	step->text = *stored->text ? strdup(stored->text) : NULL;
	step->target = stored->target && *stored->target ? strdup(stored->target) : NULL;
	return (*stored->text && !step->text) || (stored->target && *stored->target && !step->target)
		   ? -ENOMEM
		   : 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_steps(struct pm_store *store, const struct pm_job *job, bool all, struct pm_error *err)
{
	int error = 0;

	for (unsigned i = 0; i < job->step_count && !error; i++) {
		struct pm_stored_step stored = record_step(job, i);

		if (all || job->steps[i].changed)
			error = pm_store_step_put(store, &stored, err);
	}
	return error;
}

/* As it will be when the SET is committed. */
static void set_accepted(struct pm_job *job, bool begun)
{
	job->state = PM_JOB_SCHEDULED;
	for (unsigned i = 0; i < job->step_count && !job->spec.dry_run; i++)
		job->steps[i].state = PM_JOB_SCHEDULED;
	if (!begun)
		return;
	job->state = PM_JOB_RUNNING;
	if (pm_job_is_plain(job)) {
		job->steps[0].state = PM_JOB_RUNNING;
		job->steps[0].start_ms = pm_time_ms();
	}
	job->not_before_ms = pm_steady_ms(job->machine->agent);
}

static void take_back_accepted(struct pm_job *job, int64_t not_before_ms)
{
	job->state = PM_JOB_NOT_READY;
	job->not_before_ms = not_before_ms;
	for (unsigned i = 0; i < job->step_count; i++) {
		job->steps[i].state = PM_JOB_NOT_READY;
		job->steps[i].start_ms = 0;
	}
}

static int write_whole(struct pm_store *store, struct pm_job *job, struct pm_error *err)
{
	struct pm_stored_job stored = record(job);
	int error;

	if (job->id) {
		error = pm_store_job_update(store, &stored, err);
		if (!error)
			error = pm_store_steps_delete(store, job->id, err);
	} else {
		error = pm_store_job_insert(store, &stored, err);
		job->id = error ? 0 : stored.id;
	}
	return error ? error : write_steps(store, job, true, err);
}

int pm_job_write_accepted(struct pm_job *job, bool begun, struct pm_error *err)
{
	int64_t not_before_ms = job->not_before_ms;
	int error;

	set_accepted(job, begun);
	error = write_whole(job->machine->agent->store, job, err);
	take_back_accepted(job, not_before_ms);
	return error;
}

int pm_job_write(struct pm_store *store, struct pm_job *job, struct pm_error *err)
{
	const struct pm_stored_job stored = record(job);
	int error;

	if (!job->id || job->steps_changed)
		return write_whole(store, job, err);
	error = pm_store_job_update(store, &stored, err);
	return error ? error : write_steps(store, job, false, err);
}

/* A volatile row is in the journal only while its job is at work: to be reported as interrupted. */
bool pm_job_is_kept(const struct pm_job *job)
{
	return !job->removed && (job->spec.storage != PM_STORAGE_VOLATILE || pm_job_at_work(job));
}

/* The journal has it already as a SET under way will make it. */
static bool is_replaced(const struct pm_job *job)
{
	return job->set && job->set->written && job->set->replaces;
}

static int store_row(struct pm_store *store, struct pm_job *job, struct pm_error *err)
{
	if (is_replaced(job))
		return 0;
	if (!pm_job_is_kept(job))
		return job->id ? pm_store_job_delete(store, job->id, err) : 0;
	job->new_id = !job->id;
	return pm_job_write(store, job, err);
}

static void set_stored(struct pm_job *job)
{
	job->changed = job->steps_changed = job->new_id = false;
	for (unsigned i = 0; i < job->step_count; i++)
		job->steps[i].changed = false;
	if (!pm_job_is_kept(job))
		job->id = 0;
	if (job->removed || job->forgotten)
		pm_job_free_removed(job);
}

/* --- what the journal does not know yet ------------------------------------------------------- */

static void add_changed(struct pm_job *job)
{
	struct pm_jobs *jobs = job->machine->agent->jobs;

	if (job->changed)
		return;
	job->changed = true;
	job->next_changed = jobs->changed;
	jobs->changed = job;
}

void pm_job_changed(struct pm_job *job)
{
	add_changed(job);
	pm_flush_soon(job->machine->agent);
}

void pm_job_changed_shortly(struct pm_job *job)
{
	add_changed(job);
	pm_flush_shortly(job->machine->agent);
}

void pm_job_changed_now(struct pm_job *job)
{
	add_changed(job);
	pm_flush_now(job->machine->agent);
}

void pm_job_unchanged(struct pm_job *job)
{
	struct pm_job **link = &job->machine->agent->jobs->changed;

	if (!job->changed)
		return;
	while (*link != job)
		link = &(*link)->next_changed;
	*link = job->next_changed;
	job->changed = false;
}

bool pm_jobs_dirty(const struct pm_agent *agent)
{
	return agent->jobs &&
	       (agent->jobs->changed || agent->jobs->to_write.first || pm_group_records_dirty(agent));
}

int pm_jobs_store(struct pm_agent *agent, struct pm_error *err)
{
	int error;

	if (!agent->jobs)
		return 0;
	error = pm_steady_store(agent, err);
	for (struct pm_job *job = agent->jobs->changed; job && !error; job = job->next_changed)
		error = store_row(agent->store, job, err);
	return error ? error : pm_group_records_store(agent, err);
}

/* --- the gate --------------------------------------------------------------------------------- */

static void enter(struct pm_gate_list *list, struct pm_step_run *run)
{
	run->gate = list;
	run->gate_previous = list->last;
	run->gate_next = NULL;
	if (list->last)
		list->last->gate_next = run;
	else
		list->first = run;
	list->last = run;
}

void pm_gate_leave(struct pm_step_run *run)
{
	struct pm_gate_list *list = run->gate;

	if (!list)
		return;
	if (run->gate_previous)
		run->gate_previous->gate_next = run->gate_next;
	else
		list->first = run->gate_next;
	if (run->gate_next)
		run->gate_next->gate_previous = run->gate_previous;
	else
		list->last = run->gate_previous;
	run->gate = NULL;
}

void pm_gate_close(struct pm_step_run *run)
{
	enter(&run->job->machine->agent->jobs->to_write, run);
	pm_job_changed_now(run->job);
}

static bool is_repeatable(const struct pm_step_run *run)
{
	return pm_step_is_repeatable(run->job, pm_step_of(run));
}

/* What acts may end, and let others begin. */
static void open_gate(struct pm_jobs *jobs)
{
	struct pm_step_run *run;

	while ((run = jobs->ready.first) != NULL) {
		pm_gate_leave(run);
		pm_step_act(run);
	}
}

static void set_all_stored(struct pm_jobs *jobs)
{
	struct pm_job **link = &jobs->changed, *job;

	while ((job = *link) != NULL) {
		if (is_replaced(job)) {
			link = &job->next_changed;
		} else {
			*link = job->next_changed;
			set_stored(job);
		}
	}
}

void pm_jobs_stored(struct pm_agent *agent, uint64_t generation)
{
	struct pm_jobs *jobs = agent->jobs;
	struct pm_step_run *run;

	if (!jobs)
		return;
	jobs->store_trouble[0] = '\0';
	set_all_stored(jobs);
	pm_group_records_stored(agent);
	while ((run = jobs->to_write.first) != NULL) {
		pm_gate_leave(run);
		run->generation = generation;
		enter(is_repeatable(run) ? &jobs->ready : &jobs->to_sync, run);
	}
	open_gate(jobs);
}

void pm_jobs_synced(struct pm_agent *agent, uint64_t generation)
{
	struct pm_jobs *jobs = agent->jobs;
	struct pm_step_run *run;

	if (!jobs)
		return;
	while ((run = jobs->to_sync.first) != NULL && run->generation <= generation) {
		pm_gate_leave(run);
		enter(&jobs->ready, run);
	}
	open_gate(jobs);
}

static struct pm_step_run *first_momentary(const struct pm_gate_list *list)
{
	struct pm_step_run *run = list->first;

	while (run && is_repeatable(run))
		run = run->gate_next;
	return run;
}

static void forget_new_ids(struct pm_jobs *jobs)
{
	for (struct pm_job *job = jobs->changed; job; job = job->next_changed)
		if (job->new_id)
			job->id = 0;
}

/* Nobody wants what is momentary minutes later; a wish waits for as long as it may take. */
void pm_jobs_store_failed(struct pm_agent *agent, const char *why)
{
	struct pm_jobs *jobs = agent->jobs;
	struct pm_step_run *run;
	char text[256];
	bool held = agent->jobs_held;

	if (!jobs)
		return;
	snprintf(jobs->store_trouble, sizeof(jobs->store_trouble), "%s", why);
	snprintf(text, sizeof(text), "nothing was sent: the journal can not be written: %s", why);
	agent->steady_ahead_ms = INT64_MAX;
	forget_new_ids(jobs);
	agent->jobs_held = true; /* what ends must not start others that end next */
	while ((run = first_momentary(&jobs->to_write)) || (run = first_momentary(&jobs->to_sync)))
		pm_step_given_up(run, PM_RESULT_INTERNAL_ERROR, text);
	agent->jobs_held = held;
	pm_jobs_pump(agent);
}
