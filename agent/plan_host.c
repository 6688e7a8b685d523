/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What only the machine's operating system can do: sleep, another run level, arming its NICs to wake it. */
#include "agent/os.h"
#include "agent/plan_private.h"

#include <errno.h>

#define ACCEPT_TIMEOUT_S 30 /* for what has no state to wait for, beside two requests */
#define INIT_HALT        0
#define INIT_SINGLE      1
#define INIT_REBOOT      6

bool pm_step_is_of_host(const struct pm_step *step)
{
	return step->action >= PM_STEP_HOST_SHUTDOWN && step->action <= PM_STEP_HOST_ARM_WOL;
}

bool pm_spec_takes_machine_down(const struct pm_job_spec *spec)
{
	if (spec->vm)
		return false;
	if (spec->action == PM_COMMAND_INIT)
		return spec->init_level == INIT_HALT || spec->init_level == INIT_SINGLE ||
		       spec->init_level == INIT_REBOOT;
	if (pm_command_has_scope(spec->action))
		return spec->scope != PM_SCOPE_STACK;
	return spec->action == PM_COMMAND_SOFT_OFF;
}

static unsigned no_host(struct pm_draft *draft)
{
	enum pm_command action = draft->spec->action;
	bool of_vms = (action == PM_COMMAND_SUSPEND || action == PM_COMMAND_HIBERNATE) &&
		      draft->machine->config->hypervisor_count;

	return pm_draft_refuse(draft,
			       pm_fail(draft->err, EINVAL,
				       "machine %s has no host section, and %s is done by its operating "
				       "system%s",
				       draft->machine->config->name, pm_command_name(action),
				       of_vms ? "; with pmJobScope stack it acts on the VMs alone" : ""));
}

/* --- Wake-on-LAN is armed first ------------------------------------------------------------------- */

/* In single user mode nothing wakes it. */
static bool can_be_woken_after(const struct pm_job_spec *spec)
{
	return pm_spec_takes_machine_down(spec) &&
	       !(spec->action == PM_COMMAND_INIT && spec->init_level == INIT_SINGLE);
}

static bool sleeps(const struct pm_job_spec *spec)
{
	return (spec->action == PM_COMMAND_SUSPEND || spec->action == PM_COMMAND_HIBERNATE) &&
	       pm_spec_takes_machine_down(spec);
}

int pm_plan_check_arm(const struct pm_machine *machine, const struct pm_job_spec *spec, struct pm_error *err)
{
	const char *name = machine->config->name;
	bool arms = spec->action == PM_COMMAND_ARM_WOL && !spec->vm;

	if (spec->arm_wol && !machine->config->host)
		return pm_fail(err, EINVAL, "machine %s has no host that could arm its NICs (pmJobArmWol)",
			       name);
	if (spec->arm_wol && !can_be_woken_after(spec))
		return pm_fail(
		    err, EINVAL,
		    "pmJobArmWol arms the NICs of a machine before it goes down, and this %s leaves "
		    "machine %s up: pmJobAction armWol arms them",
		    pm_command_name(spec->action), name);
	if ((arms || spec->arm_wol || sleeps(spec)) && machine->config->host && spec->nic &&
	    !pm_plan_nic(machine, spec->nic))
		return pm_plan_no_nic(machine, spec->nic, err);
	return 0;
}

static bool is_armed(const struct pm_draft *draft)
{
	const struct pm_job_spec *spec = draft->spec;

	if (!draft->machine->config->host || spec->vm)
		return false;
	return spec->arm_wol || spec->action == PM_COMMAND_ARM_WOL ||
	       (sleeps(spec) && pm_plan_nic(draft->machine, spec->nic));
}

static unsigned request_time_s(const struct pm_draft *draft)
{
	return ACCEPT_TIMEOUT_S + 2 * draft->machine->config->host->timeout_ms / 1000;
}

unsigned pm_draft_arm(struct pm_draft *draft)
{
	return is_armed(draft) ? pm_draft_machine_step(draft, PM_STEP_HOST_ARM_WOL, 0, request_time_s(draft))
			       : 0;
}

void pm_draft_after_arm(struct pm_draft *draft, unsigned arm)
{
	for (unsigned number = 1; arm && number <= draft->count; number++) {
		struct pm_step *step = pm_draft_step(draft, number);

		if (number != arm && !step->after && !step->alternative)
			step->after = arm;
	}
}

/* --- sleep ---------------------------------------------------------------------------------------- */

/* Of what it says now: what it said before it went away may be another kernel's. */
static bool is_unable(const struct pm_machine *machine, bool to_disk)
{
	const struct pm_os *os = machine->os;

	return os && os->answers && !(to_disk ? os->report.can_hibernate : os->report.can_suspend);
}

static unsigned go_off_instead(struct pm_draft *draft, bool to_disk)
{
	unsigned first = pm_draft_off_methods(draft, 0, true);

	if (!first)
		return pm_draft_refuse(
		    draft,
		    pm_fail(
			draft->err, EINVAL,
			"the operating system of machine %s cannot suspend to %s, and its off-methods have "
			"neither host nor bmc-soft, to switch it off instead",
			draft->machine->config->name, to_disk ? "disk" : "memory"));
	draft->saves = !to_disk;
	draft->steps[first - 1].text = to_disk ? "it cannot suspend to disk: it is switched off instead"
					       : "it cannot suspend to memory: it is switched off instead";
	return first;
}

/* VMs that are stopped in memory would be lost with the machine: then it is not switched off, if it cannot after all. */
unsigned pm_draft_machine_sleep(struct pm_draft *draft)
{
	const struct pm_machine_config *config = draft->machine->config;
	bool to_disk = draft->spec->action == PM_COMMAND_HIBERNATE;
	bool may_go_off = to_disk || !config->hypervisor_count || draft->spec->scope == PM_SCOPE_MACHINE;
	unsigned number;

	if (!config->host)
		return no_host(draft);
	if (is_unable(draft->machine, to_disk))
		return go_off_instead(draft, to_disk);
	number = pm_draft_machine_step(draft, to_disk ? PM_STEP_HOST_HIBERNATE : PM_STEP_HOST_SUSPEND,
				       PM_POWER_SUSPENDED, config->off_timeout_s);
	return may_go_off ? pm_draft_off_methods(draft, number, true) : number;
}

/* --- run levels ----------------------------------------------------------------------------------- */

unsigned pm_draft_machine_init(struct pm_draft *draft)
{
	const struct pm_machine_config *config = draft->machine->config;

	if (!config->host)
		return no_host(draft);
	switch (draft->spec->init_level) {
	case INIT_HALT:
		return pm_draft_momentary(draft, PM_STEP_HOST_INIT, PM_POWER_OFF, config->off_timeout_s);
	case INIT_REBOOT:
		return pm_draft_momentary(draft, PM_STEP_HOST_INIT, PM_POWER_ON,
					  config->off_timeout_s + config->on_timeout_s);
	default:
		return pm_draft_momentary(draft, PM_STEP_HOST_INIT, 0, request_time_s(draft));
	}
}

/* --- verbs ---------------------------------------------------------------------------------------- */

void pm_plan_host(struct pm_draft *draft)
{
	enum pm_command action = draft->spec->action;

	if (!draft->machine->config->host)
		no_host(draft);
	else if (action == PM_COMMAND_ARM_WOL || /* that step comes first, and is there */
		 (pm_spec_takes_machine_down(draft->spec) && !pm_draft_is_alone(draft)))
		return;
	else if (action == PM_COMMAND_INIT)
		pm_draft_machine_init(draft);
	else
		pm_draft_machine_sleep(draft);
}
