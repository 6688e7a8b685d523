/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What steps that change the machine's power have in common: one fresh look at it before anything is sent. */
#include "agent/job_private.h"
#include "agent/poll.h"

#include <stdio.h>

#define LOOK_MARGIN_MS 1000

/* An idempotent wish that seems fulfilled is confirmed by a fresh answer before anything is sent. */
static bool seems_fulfilled(const struct pm_step_run *run)
{
	const struct pm_job *job = run->job;
	const struct pm_step *step = pm_step_of(run);

	return step->goal && !step->momentary &&
	       (job->spec.action != PM_COMMAND_REBOOT || step->goal == PM_POWER_ON) &&
	       job->origin != PM_ORIGIN_NIC_WAKE && job->machine->observed == step->goal;
}

/* What a machine that is off cannot do; a BMC may accept it all the same (IPMI 2.0, 28.3). */
static bool seems_pointless(const struct pm_step_run *run)
{
	enum pm_command action = run->job->spec.action;
	const struct pm_step *step = pm_step_of(run);
	bool reboots = action == PM_COMMAND_REBOOT && !step->alternative &&
		       (step->goal == PM_POWER_OFF || step->momentary);

	return (reboots || action == PM_COMMAND_RESET || action == PM_COMMAND_DIAGNOSTIC_INTERRUPT) &&
	       run->job->machine->observed == PM_POWER_OFF;
}

const char *pm_machine_source(const struct pm_machine *machine)
{
	return machine->source == PM_SOURCE_BMC          ? "BMC"
	       : machine->source == PM_SOURCE_HYPERVISOR ? "hypervisor"
							 : "probe";
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

/* Without a fresh answer the command is sent anyway. */
static void confirm(struct pm_step_run *run)
{
	const struct pm_job *job = run->job;
	const struct pm_machine *machine = job->machine;
	bool fresh = machine->observed_loop_ms >= run->begun_ms;
	char text[128];

	if (fresh && seems_pointless(run)) {
		snprintf(text, sizeof(text), "the machine is off: %s does nothing to it, use powerOn",
			 pm_command_name(job->spec.action));
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
