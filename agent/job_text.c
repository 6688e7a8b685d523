/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs in words and numbers, for those who read pmJobTable. */
#include "agent/job_private.h"
#include "agent/steady.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <stdio.h>

static const char *what_of_vm(const struct pm_job *job)
{
	static char text[160];
	const struct pm_vm *vm = pm_machine_vm(job->machine, job->spec.vm);

	if (vm)
		pm_text_format(text, sizeof(text), "%s of %s", pm_command_name(job->spec.action), vm->name);
	else
		snprintf(text, sizeof(text), "%s of VM %u", pm_command_name(job->spec.action), job->spec.vm);
	return text;
}

static const char *run_level(const struct pm_job *job)
{
	static char text[16];

	snprintf(text, sizeof(text), "init %u", job->spec.init_level);
	return text;
}

const char *pm_job_what(const struct pm_job *job)
{
	if (job->spec.vm)
		return what_of_vm(job);
	if (job->spec.action == PM_COMMAND_INIT)
		return run_level(job);
	switch (job->spec.setting.command) {
	case IPMI_SET_POWER_RESTORE_POLICY:
		return "set power restore policy";
	case IPMI_SET_BOOT_FLAGS:
		return "set boot flags";
	default:
		return pm_command_name(job->spec.action);
	}
}

void pm_job_describe_busy(const struct pm_job *job, char *text, size_t size)
{
	const struct pm_agent *agent = job->machine->agent;
	char when[48] = "is at work";

	if (job->run && job->run->reserved)
		snprintf(when, sizeof(when), "is asked for by a SET under way");
	else if (job->list == &agent->jobs_delayed)
		snprintf(when, sizeof(when), "begins in %u s", pm_job_remaining_s(job));
	else if (job->list != &agent->jobs_running)
		snprintf(when, sizeof(when), "waits for its turn");
	snprintf(text, size, "job %s (%s) %s", *job->name ? pm_job_title(job) : "of it", pm_job_what(job),
		 when);
}

const char *pm_job_title(const struct pm_job *job)
{
	static char title[PM_JOB_OWNER_MAX + PM_JOB_NAME_MAX + 2];

	snprintf(title, sizeof(title), "%s%s%s", job->owner, *job->owner ? "/" : "", job->name);
	return title;
}

bool pm_job_at_work(const struct pm_job *job)
{
	return job && job->state >= PM_JOB_SCHEDULED && job->state <= PM_JOB_ABORTING;
}

bool pm_job_has_ended(const struct pm_job *job)
{
	return job->state >= PM_JOB_SUCCEEDED;
}

bool pm_step_has_ended(const struct pm_step *step)
{
	return step->state >= PM_JOB_SUCCEEDED;
}

bool pm_step_has_failed(const struct pm_step *step)
{
	return step->state > PM_JOB_SUCCEEDED;
}

bool pm_step_adds_nothing(const struct pm_step *before, const struct pm_step *step)
{
	return before->action == PM_STEP_HOST_REBOOT && step->action == PM_STEP_BMC_POWER_UP &&
	       step->result == PM_RESULT_ALREADY_IN_STATE;
}

/* --- pmJobResultText -------------------------------------------------------------------------- */

static const char *text_of_the_end(const struct pm_job *job)
{
	const struct pm_step *step = NULL;

	if (job->text)
		return job->text;
	for (unsigned i = 0; i < job->step_count; i++)
		if (job->steps[i].end_ms)
			step = &job->steps[i];
	return step && step->text ? step->text : "";
}

static void describe_wait(const struct pm_job *job, char *text, size_t size)
{
	const struct pm_agent *agent = job->machine->agent;

	if (job->list == &agent->jobs_delayed)
		snprintf(text, size, "%s begins in %u s", pm_job_what(job), pm_job_remaining_s(job));
	else if (job->list == &agent->jobs_waiting)
		snprintf(text, size, "waits until fewer than %u jobs run (pmAgentJobMaxConcurrent)",
			 agent->job_max_concurrent);
	else
		snprintf(text, size, "waits for its turn in the group's command, about %u s",
			 pm_job_remaining_s(job));
}

const char *pm_step_words(const struct pm_step *step)
{
	static const char *const words[] = {[PM_STEP_HOST_SHUTDOWN] = "shutdown",
					    [PM_STEP_HOST_REBOOT] = "reboot",
					    [PM_STEP_HOST_SUSPEND] = "suspend",
					    [PM_STEP_HOST_HIBERNATE] = "hibernate",
					    [PM_STEP_HOST_INIT] = "init",
					    [PM_STEP_HOST_ARM_WOL] = "arming of Wake-on-LAN",
					    [PM_STEP_BMC_POWER_UP] = "power up",
					    [PM_STEP_BMC_POWER_DOWN] = "power down",
					    [PM_STEP_BMC_POWER_CYCLE] = "power cycle",
					    [PM_STEP_BMC_HARD_RESET] = "hard reset",
					    [PM_STEP_BMC_DIAGNOSTIC_INTERRUPT] = "diagnostic interrupt",
					    [PM_STEP_BMC_SOFT_SHUTDOWN] = "soft shutdown",
					    [PM_STEP_BMC_IDENTIFY] = "identify",
					    [PM_STEP_BMC_CONFIGURE] = "the setting",
					    [PM_STEP_WAKE_SEND] = "wake"};

	return words[step->action];
}

/* ago: "ago" while it runs, "before" in what is read for long. */
static void describe_run(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	if (run->gate || run->confirming)
		snprintf(text, size, "%s was not sent yet", pm_step_words(pm_step_of(run)));
	else
		run->kind->describe(run, ago, text, size);
}

void pm_job_describe_end(struct pm_job *job, char *text, size_t size)
{
	pm_steps_stop(job); /* then it is known what had left */
	snprintf(text, size, "nothing had been sent");
	if (pm_job_has_stack(job))
		pm_job_summarize_work(job, "before", text, size);
	else if (job->run->first)
		describe_run(job->run->first, "before", text, size);
}

void pm_job_describe_journal(const struct pm_job *job, char *text, size_t size)
{
	const char *trouble = job->machine->agent->jobs->store_trouble;

	snprintf(text, size, "nothing was sent: the journal could not be written in time%s%s",
		 *trouble ? ": " : "", trouble);
}

static void describe_work(const struct pm_job *job, char *text, size_t size)
{
	const struct pm_step_run *run = job->run->first;
	char done[256];

	*text = '\0';
	if (pm_job_has_stack(job) || !run) {
		pm_job_summarize_work(job, "ago", text, size);
		return;
	}
	describe_run(run, "ago", done, sizeof(done));
	if (run->gate)
		snprintf(text, size, "%s; waiting for the journal", done);
	else if (run->confirming)
		snprintf(text, size, "%s; the machine is looked at first", done);
	else if (pm_step_of(run)->goal && run->acted)
		snprintf(text, size, "%s; waiting for %s", done, pm_power_state_name(pm_step_of(run)->goal));
	else
		snprintf(text, size, "%s", done);
}

static void describe_idle(const struct pm_job *job, char *text, size_t size)
{
	if (job->row_status == PM_ROW_ACTIVE)
		snprintf(text, size, "starts when pmJobAdminStatus is enabled");
	else if (job->row_status == PM_ROW_NOT_READY)
		snprintf(text, size, "pmJobAction is to be set");
	else
		snprintf(text, size, "starts when pmJobRowStatus is active");
}

const char *pm_job_text(const struct pm_job *job)
{
	static char text[256];

	if (pm_job_has_ended(job))
		return text_of_the_end(job);
	if (!pm_job_at_work(job) || !job->run)
		describe_idle(job, text, sizeof(text));
	else if (job->list == &job->machine->agent->jobs_running)
		describe_work(job, text, sizeof(text));
	else
		describe_wait(job, text, sizeof(text));
	pm_text_trim(text);
	return text;
}

/* --- numbers ---------------------------------------------------------------------------------- */

unsigned pm_job_progress(const struct pm_job *job)
{
	if (pm_job_has_ended(job))
		return 100;
	return job->step_count ? 100 * job->steps_done / job->step_count : 0;
}

uint32_t pm_job_remaining_s(const struct pm_job *job)
{
	const struct pm_agent *agent = job->machine->agent;
	int64_t until_ms = 0, left_ms;

	if (!pm_job_at_work(job))
		return 0;
	if (job->list == &agent->jobs_running)
		until_ms = job->not_before_ms + (int64_t)job->spec.timeout_s * 1000;
	else if (job->list != &agent->jobs_waiting)
		until_ms = job->not_before_ms;
	left_ms = until_ms - pm_steady_ms(agent);
	return left_ms > 0 ? (uint32_t)((left_ms + 999) / 1000) : 0;
}
