/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What steps that change the machine's power have in common: one fresh look at it before anything is sent. */
#include "agent/job_private.h"
#include "agent/os.h"
#include "agent/poll.h"

#include <stdio.h>

#define LOOK_MARGIN_MS 1000

/* --- asleep ----------------------------------------------------------------------------------- */

/* To memory or to disk, as the job wants it. */
static bool sleeps_as_wanted(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	enum pm_command action = run->job->spec.action;
	enum pm_rest rest = machine->os ? machine->os->rest : PM_REST_NONE;

	return machine->observed == PM_POWER_SUSPENDED &&
	       ((action == PM_COMMAND_SUSPEND && rest == PM_REST_SUSPENDED) ||
		(action == PM_COMMAND_HIBERNATE && rest == PM_REST_HIBERNATED));
}

/* What sleeps hears nobody: a soft shutdown would wake it at most, and what is harder would lose what is in its memory. */
static bool needs_machine_awake(const struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);
	const struct pm_job_spec *spec = &run->job->spec;

	switch (spec->action) {
	case PM_COMMAND_REBOOT:
		return spec->force != PM_FORCE_IMMEDIATELY && step->action != PM_STEP_BMC_POWER_UP;
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_SOFT_OFF:
	case PM_COMMAND_INIT:
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
		return true;
	case PM_COMMAND_SUSPEND:
	case PM_COMMAND_HIBERNATE:
		return !sleeps_as_wanted(run);
	default:
		return step->action == PM_STEP_HOST_ARM_WOL;
	}
}

static void describe_sleep(const struct pm_step_run *run, char *text, size_t size)
{
	const struct pm_os *os = run->job->machine->os;

	if (pm_step_of(run)->action == PM_STEP_HOST_ARM_WOL)
		snprintf(text, size, "the machine sleeps: nothing can arm its NICs now; powerOn wakes it");
	else
		snprintf(text, size, "the machine sleeps: powerOn wakes it%s",
			 os && os->rest == PM_REST_SUSPENDED ? "; powerOff would lose what is in its memory"
							     : "");
}

/* --- a look ----------------------------------------------------------------------------------- */

/* An idempotent wish that seems fulfilled is confirmed by a fresh answer before anything is sent. */
static bool seems_fulfilled(const struct pm_step_run *run)
{
	const struct pm_job *job = run->job;
	const struct pm_step *step = pm_step_of(run);

	if (run->job->machine->observed == PM_POWER_SUSPENDED &&
	    (step->goal == PM_POWER_SUSPENDED || step->action == PM_STEP_HOST_ARM_WOL))
		return sleeps_as_wanted(run);
	return step->goal && !step->momentary &&
	       (job->spec.action != PM_COMMAND_REBOOT || step->goal == PM_POWER_ON) &&
	       job->origin != PM_ORIGIN_NIC_WAKE && job->machine->observed == step->goal;
}

/* What a machine that is off cannot do; a BMC may accept it all the same (IPMI 2.0, 28.3). */
static bool needs_machine_on(const struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);

	switch (run->job->spec.action) {
	case PM_COMMAND_REBOOT:
		return !step->alternative && (step->goal == PM_POWER_OFF || step->momentary);
	case PM_COMMAND_RESET:
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
	case PM_COMMAND_INIT:
		return true;
	case PM_COMMAND_SUSPEND:
	case PM_COMMAND_HIBERNATE:
		return !step->alternative;
	default:
		return step->action == PM_STEP_HOST_ARM_WOL;
	}
}

static bool seems_pointless(const struct pm_step_run *run)
{
	enum pm_power_state observed = run->job->machine->observed;

	return (observed == PM_POWER_OFF && needs_machine_on(run)) ||
	       (observed == PM_POWER_SUSPENDED && needs_machine_awake(run));
}

/* Who was there and has agreed to go is known to be gone when neither of them answers. */
const char *pm_machine_source(const struct pm_machine *machine)
{
	switch (machine->source) {
	case PM_SOURCE_BMC:
		return "BMC";
	case PM_SOURCE_HYPERVISOR:
		return "hypervisor";
	case PM_SOURCE_HOST:
		return machine->observed == PM_POWER_ON ? "host" : "silence of probe and host";
	default:
		return "probe";
	}
}

uint64_t pm_machine_look_ms(const struct pm_machine *machine)
{
	return LOOK_MARGIN_MS + (machine->bmc             ? machine->config->bmc->timeout_ms
				 : machine->config->probe ? machine->config->probe->timeout_ms
							  : 0);
}

bool pm_machine_look(struct pm_step_run *run)
{
	const struct pm_job *job = run->job;

	if (!run->resumed && !seems_fulfilled(run) && !seems_pointless(run))
		return false;
	run->confirming = true;
	pm_timer_start(run->timer, pm_machine_look_ms(job->machine));
	pm_poll_now(job->machine);
	return true;
}

/* Once more silence is all that there can be of one that is gone. */
static bool is_fresh(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	return machine->observed_loop_ms >= run->begun_ms ||
	       (machine->source == PM_SOURCE_HOST && machine->observed != PM_POWER_ON);
}

static void describe_pointless(const struct pm_step_run *run, char *text, size_t size)
{
	if (run->job->machine->observed == PM_POWER_SUSPENDED)
		describe_sleep(run, text, size);
	else if (pm_step_of(run)->action == PM_STEP_HOST_ARM_WOL)
		snprintf(text, size, "the machine is off: nothing can arm its NICs now");
	else
		snprintf(text, size, "the machine is off: %s does nothing to it, use powerOn",
			 pm_command_name(run->job->spec.action));
}

/* Without a fresh answer the command is sent anyway. */
static void confirm(struct pm_step_run *run)
{
	const struct pm_job *job = run->job;
	const struct pm_machine *machine = job->machine;
	bool fresh = is_fresh(run);
	char text[128];

	if (fresh && seems_pointless(run)) {
		describe_pointless(run, text, sizeof(text));
		pm_step_given_up(run, PM_RESULT_REJECTED, text);
	} else if (fresh && seems_fulfilled(run)) {
		snprintf(text, sizeof(text), "%s already, observed by the %s when %s",
			 pm_power_state_name(machine->observed), pm_machine_source(machine),
			 run->index == 0 ? "the job began" : "its turn came");
		pm_step_done(run, PM_RESULT_ALREADY_IN_STATE, text);
	} else {
		pm_step_go_on(run);
	}
}

void pm_machine_looked(struct pm_step_run *run, enum pm_state_source asked)
{
	if (asked == PM_SOURCE_BMC || !run->job->machine->bmc)
		confirm(run);
}
