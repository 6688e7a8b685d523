/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps that wait until a hypervisor answers; and the one that says that there is nothing to do. */
#include "agent/job_private.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 2000
#define LOOK_MS  30000 /* after a restart */

static bool is_meant(const struct pm_step *step, const struct pm_hypervisor *hypervisor)
{
	if (step->vm)
		return hypervisor->host && hypervisor->host->index == step->vm;
	return !hypervisor->on && step->target && strcmp(step->target, hypervisor->config->shown) == 0;
}

/* NULL: it is no longer configured, or the VM is gone. */
static struct pm_hypervisor *hypervisor_of(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (is_meant(pm_step_of(run), &machine->hypervisors[i]))
			return &machine->hypervisors[i];
	return NULL;
}

/* On the way down nothing runs on what is seen off; on the way up it is waited for. */
static bool goes_down(const struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);

	return run->job->spec.action != PM_COMMAND_POWER_ON && (step->before || !step->after);
}

/* Its VM is gone, and it with that; or nobody can ask it any more. */
static bool check_missing(struct pm_step_run *run)
{
	uint32_t vm = pm_step_of(run)->vm;

	if (vm && !pm_machine_vm(run->job->machine, vm) && pm_machine_stack_unknown(run->job->machine))
		return false; /* after a start that found no row of it: who is asked may have it all the same */
	if (goes_down(run) && vm && !pm_machine_vm(run->job->machine, vm))
		pm_step_done(run, PM_RESULT_ALREADY_IN_STATE, "the VM in which it ran is not there any more");
	else
		pm_step_given_up(run, PM_RESULT_NOT_CONFIGURED,
				 "it is no longer configured: what runs there is not known");
	return true;
}

static bool check(struct pm_step_run *run)
{
	const struct pm_hypervisor *hypervisor = hypervisor_of(run);
	char text[64];

	if (!hypervisor)
		return check_missing(run);
	if (!hypervisor->up) {
		if (!goes_down(run) || !pm_hypervisor_is_down(hypervisor))
			return false;
		pm_step_done(run, PM_RESULT_ALREADY_IN_STATE, "what it runs on is off");
		return true;
	}
	snprintf(text, sizeof(text), "it answers, after %.1f s",
		 (double)(pm_step_now(run) - run->begun_ms) / 1000.0);
	pm_step_done(run, run->acted ? PM_RESULT_OK : PM_RESULT_ALREADY_IN_STATE,
		     run->acted ? text : "it answers already");
	return true;
}

static void go(struct pm_step_run *run)
{
	uint64_t left_ms = pm_step_left_ms(run);

	if (check(run))
		return;
	pm_step_hurry(run);
	pm_timer_start(run->timer, left_ms < AGAIN_MS ? left_ms : AGAIN_MS);
}

static void act(struct pm_step_run *run)
{
	run->acted = true;
	pm_step_verifying(run);
	go(run);
}

static void resume(struct pm_step_run *run)
{
	run->acted = true;
	run->begun_ms -= pm_step_wait_already_ms(run, LOOK_MS);
	go(run);
}

static void on_timer(struct pm_step_run *run, bool late)
{
	const struct pm_hypervisor *hypervisor = hypervisor_of(run);
	char text[512];

	if (!late) {
		go(run);
		return;
	}
	if (!hypervisor && check_missing(run))
		return;
	if (!hypervisor) {
		pm_step_given_up(run, PM_RESULT_UNREACHABLE, "it is not known whether it is still there");
		return;
	}
	pm_text_format(text, sizeof(text), "it did not answer within %u s%s%s", pm_step_of(run)->timeout_s,
		       *hypervisor->trouble ? ": " : "", hypervisor->trouble);
	pm_step_failed(
	    run, hypervisor->result == STACK_AUTH_FAILED ? PM_RESULT_AUTH_FAILED : PM_RESULT_UNREACHABLE,
	    text);
}

static void stop(struct pm_step_run *run)
{
	(void)run;
}

static void describe(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	(void)ago;
	snprintf(text, size, "has not answered for %.0f s",
		 (double)(pm_step_now(run) - run->begun_ms) / 1000.0);
}

const struct pm_step_kind pm_step_connect = {.settle = check,
					     .act = act,
					     .resume = resume,
					     .on_timer = on_timer,
					     .news = go,
					     .stop = stop,
					     .describe = describe};

/* --- nothing to do ---------------------------------------------------------------------------- */

static bool say_so(struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);
	char text[256];

	pm_text_format(text, sizeof(text), "%s", step->text ? step->text : "there is nothing to do");
	pm_step_done(run, PM_RESULT_ALREADY_IN_STATE, text);
	return true;
}

const struct pm_step_kind pm_step_nothing = {.settle = say_so, .stop = stop, .describe = describe};
