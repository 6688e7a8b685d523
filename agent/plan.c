/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/plan.h"

#include <errno.h>

#define ACCEPT_TIMEOUT_S 30 /* for what has no state to wait for */

struct pm_nic *pm_plan_nic(const struct pm_machine *machine, uint32_t nic)
{
	for (size_t i = 0; i < machine->nic_count; i++)
		if (machine->nics[i].config->has_mac && (nic == 0 || machine->nics[i].index == nic))
			return &machine->nics[i];
	return NULL;
}

bool pm_step_is_control(const struct pm_step *step)
{
	return step->action >= PM_STEP_BMC_POWER_UP && step->action <= PM_STEP_BMC_SOFT_SHUTDOWN;
}

enum ipmi_chassis_control pm_step_control(const struct pm_step *step)
{
	static const enum ipmi_chassis_control controls[] = {
	    IPMI_POWER_UP,   IPMI_POWER_DOWN,           IPMI_POWER_CYCLE,
	    IPMI_HARD_RESET, IPMI_DIAGNOSTIC_INTERRUPT, IPMI_SOFT_SHUTDOWN};

	return controls[step->action - PM_STEP_BMC_POWER_UP];
}

static struct pm_step make(enum pm_step_action action, enum pm_power_state goal, unsigned timeout_s)
{
	return (struct pm_step){.action = action,
				.goal = goal,
				.timeout_s = timeout_s,
				.state = PM_JOB_NOT_READY,
				.result = PM_RESULT_NONE};
}

static struct pm_step make_momentary(enum pm_step_action action, enum pm_power_state goal, unsigned timeout_s)
{
	struct pm_step step = make(action, goal, timeout_s);

	step.momentary = true;
	return step;
}

static int need_bmc(const struct pm_machine *machine, enum pm_command action, struct pm_error *err)
{
	if (machine->bmc)
		return 0;
	return pm_fail(err, EINVAL, "machine %s has no bmc, which %s needs", machine->config->name,
		       pm_command_name(action));
}

static int no_nic(const struct pm_machine *machine, uint32_t nic, struct pm_error *err)
{
	const char *name = machine->config->name;

	if (nic && pm_machine_nic(machine, nic))
		return pm_fail(err, EINVAL, "NIC %u of machine %s has no MAC address for Wake-on-LAN", nic,
			       name);
	if (nic)
		return pm_fail(err, EINVAL, "machine %s has no NIC %u", name, nic);
	return pm_fail(err, EINVAL, "machine %s has no nic with a MAC address for Wake-on-LAN", name);
}

static int plan_wake(const struct pm_machine *machine, uint32_t nic, struct pm_step *steps,
		     struct pm_error *err)
{
	if (!pm_plan_nic(machine, nic))
		return no_nic(machine, nic, err);
	steps[0] = make(PM_STEP_WAKE_SEND, PM_POWER_ON, machine->config->on_timeout_s);
	return 1;
}

static int plan_power_on(const struct pm_machine *machine, uint32_t nic, bool by_bmc, struct pm_step *steps,
			 struct pm_error *err)
{
	enum pm_power_on_method method = by_bmc ? PM_ON_IPMI : machine->power_on_method;

	if (method == PM_ON_WOL || (method == PM_ON_AUTO && !machine->bmc))
		return plan_wake(machine, nic, steps, err);
	if (need_bmc(machine, PM_COMMAND_POWER_ON, err) < 0)
		return -EINVAL;
	steps[0] = make(PM_STEP_BMC_POWER_UP, PM_POWER_ON, machine->config->on_timeout_s);
	return 1;
}

/* The stack comes first in every graceful verb; a machine that has one is not touched by a plan that ignores it. */
static int plan_graceful_off(const struct pm_machine *machine, enum pm_command action, struct pm_step *steps,
			     struct pm_error *err)
{
	const struct pm_machine_config *config = machine->config;
	int count = 0;

	if (config->stack_count)
		return pm_fail(
		    err, EINVAL,
		    "machine %s has a stack of VMs, which this version cannot shut down: %s is refused; "
		    "softOff and powerOff leave the stack alone",
		    config->name, pm_command_name(action));
	for (size_t i = 0; i < config->off_method_count; i++) {
		enum pm_off_method method = config->off_methods[i];

		if (method == PM_OFF_HOST || !machine->bmc)
			continue;
		steps[count] =
		    make(method == PM_OFF_BMC_SOFT ? PM_STEP_BMC_SOFT_SHUTDOWN : PM_STEP_BMC_POWER_DOWN,
			 PM_POWER_OFF, config->off_timeout_s);
		steps[count].alternative = count > 0;
		count++;
	}
	if (count == 0)
		return pm_fail(err, EINVAL, "machine %s has none of its off-methods: %s needs a bmc",
			       config->name, pm_command_name(action));
	return count;
}

static int plan_reboot(const struct pm_machine *machine, struct pm_step *steps, struct pm_error *err)
{
	int count = plan_graceful_off(machine, PM_COMMAND_REBOOT, steps, err);

	if (count < 0)
		return count;
	steps[count] = make(PM_STEP_BMC_POWER_UP, PM_POWER_ON, machine->config->on_timeout_s);
	return count + 1;
}

static int plan_bmc(const struct pm_machine *machine, enum pm_command action, struct pm_step *steps,
		    struct pm_error *err)
{
	const struct pm_machine_config *config = machine->config;

	if (need_bmc(machine, action, err) < 0)
		return -EINVAL;
	switch (action) {
	case PM_COMMAND_POWER_OFF:
		steps[0] = make(PM_STEP_BMC_POWER_DOWN, PM_POWER_OFF, config->off_timeout_s);
		break;
	case PM_COMMAND_SOFT_OFF:
		steps[0] = make(PM_STEP_BMC_SOFT_SHUTDOWN, PM_POWER_OFF, config->off_timeout_s);
		break;
	case PM_COMMAND_CYCLE:
		steps[0] = make_momentary(PM_STEP_BMC_POWER_CYCLE, PM_POWER_ON, config->on_timeout_s);
		break;
	case PM_COMMAND_RESET:
		steps[0] = make_momentary(PM_STEP_BMC_HARD_RESET, PM_POWER_ON, config->on_timeout_s);
		break;
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
		steps[0] = make_momentary(PM_STEP_BMC_DIAGNOSTIC_INTERRUPT, 0, ACCEPT_TIMEOUT_S);
		break;
	case PM_COMMAND_IDENTIFY:
		steps[0] = make(PM_STEP_BMC_IDENTIFY, 0, ACCEPT_TIMEOUT_S);
		break;
	default:
		steps[0] = make(PM_STEP_BMC_CONFIGURE, 0, ACCEPT_TIMEOUT_S);
	}
	return 1;
}

static int plan_action(const struct pm_machine *machine, const struct pm_job_spec *spec, bool by_bmc,
		       struct pm_step *steps, struct pm_error *err)
{
	switch (spec->action) {
	case PM_COMMAND_POWER_ON:
		return plan_power_on(machine, spec->nic, by_bmc, steps, err);
	case PM_COMMAND_WAKE:
		return plan_wake(machine, spec->nic, steps, err);
	case PM_COMMAND_SHUTDOWN:
		return plan_graceful_off(machine, spec->action, steps, err);
	case PM_COMMAND_REBOOT:
		return plan_reboot(machine, steps, err);
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_SOFT_OFF:
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
	case PM_COMMAND_IDENTIFY:
	case PM_COMMAND_NONE: /* a setting of the BMC */
		return plan_bmc(machine, spec->action, steps, err);
	default:
		return pm_fail(err, EINVAL,
			       "%s acts on the machine's operating system, which this version cannot reach",
			       pm_command_name(spec->action));
	}
}

static bool has_scope(enum pm_command action)
{
	switch (action) {
	case PM_COMMAND_SHUTDOWN:
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_REBOOT:
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_SUSPEND:
	case PM_COMMAND_HIBERNATE:
		return true;
	default:
		return false;
	}
}

/* Graceful verbs say by themselves that they would have to shut the stack down. */
static int check_scope(const struct pm_machine *machine, const struct pm_job_spec *spec, struct pm_error *err)
{
	bool graceful = spec->action == PM_COMMAND_SHUTDOWN || spec->action == PM_COMMAND_REBOOT;
	const char *name = machine->config->name;

	if (spec->scope == PM_SCOPE_STACK && !machine->config->stack_count)
		return pm_fail(
		    err, EINVAL,
		    "machine %s has no stack, which scope stack acts on: set pmJobScope to machine or "
		    "stackAndMachine",
		    name);
	if (machine->config->stack_count &&
	    (spec->scope == PM_SCOPE_STACK || (spec->scope == PM_SCOPE_STACK_AND_MACHINE && !graceful)))
		return pm_fail(
		    err, EINVAL,
		    "machine %s has a stack of VMs, which this version cannot shut down: softOff, and "
		    "powerOff with pmJobScope machine, leave the stack alone",
		    name);
	return 0;
}

/* What this version has nothing to do it with is refused, not left out. */
static int check_spec(const struct pm_machine *machine, const struct pm_job_spec *spec, struct pm_error *err)
{
	const char *name = machine->config->name;

	if (spec->vm)
		return pm_fail(err, EINVAL, "machine %s has no VM %u (pmJobVm)", name, spec->vm);
	if (spec->arm_wol)
		return pm_fail(err, EINVAL, "machine %s has no host that could arm its NICs (pmJobArmWol)",
			       name);
	return has_scope(spec->action) ? check_scope(machine, spec, err) : 0;
}

static char otherwise[] = "only when the step before fails";

int pm_plan(const struct pm_machine *machine, const struct pm_job_spec *spec, bool by_bmc,
	    struct pm_step steps[PM_STEPS_MAX], struct pm_error *err)
{
	int error = check_spec(machine, spec, err);
	int count = error ? error : plan_action(machine, spec, by_bmc, steps, err);

	for (int i = 0; i < count; i++) {
		steps[i].level = (unsigned)i + 1;
		steps[i].text = steps[i].alternative ? otherwise : NULL;
	}
	return count;
}
