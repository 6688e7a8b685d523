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

static struct pm_step control(enum ipmi_chassis_control chassis_control, enum pm_power_state goal,
			      unsigned timeout_s)
{
	return (struct pm_step){.kind = PM_STEP_CHASSIS_CONTROL,
				.control = chassis_control,
				.goal = goal,
				.timeout_s = timeout_s};
}

static struct pm_step momentary(enum ipmi_chassis_control chassis_control, enum pm_power_state goal,
				unsigned timeout_s)
{
	struct pm_step step = control(chassis_control, goal, timeout_s);

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

static int plan_wake(const struct pm_machine *machine, uint32_t nic, struct pm_step *steps,
		     struct pm_error *err)
{
	if (!pm_plan_nic(machine, nic))
		return pm_fail(err, EINVAL, "machine %s has no nic with a MAC address for Wake-on-LAN",
			       machine->config->name);
	steps[0] = (struct pm_step){
	    .kind = PM_STEP_WAKE, .goal = PM_POWER_ON, .timeout_s = machine->config->on_timeout_s};
	return 1;
}

static int plan_power_on(const struct pm_machine *machine, bool by_bmc, struct pm_step *steps,
			 struct pm_error *err)
{
	enum pm_power_on_method method = by_bmc ? PM_ON_IPMI : machine->power_on_method;

	if (method == PM_ON_WOL || (method == PM_ON_AUTO && !machine->bmc))
		return plan_wake(machine, 0, steps, err);
	if (need_bmc(machine, PM_COMMAND_POWER_ON, err) < 0)
		return -EINVAL;
	steps[0] = control(IPMI_POWER_UP, PM_POWER_ON, machine->config->on_timeout_s);
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
		steps[count] = control(method == PM_OFF_BMC_SOFT ? IPMI_SOFT_SHUTDOWN : IPMI_POWER_DOWN,
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
	steps[count] = control(IPMI_POWER_UP, PM_POWER_ON, machine->config->on_timeout_s);
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
		steps[0] = control(IPMI_POWER_DOWN, PM_POWER_OFF, config->off_timeout_s);
		break;
	case PM_COMMAND_SOFT_OFF:
		steps[0] = control(IPMI_SOFT_SHUTDOWN, PM_POWER_OFF, config->off_timeout_s);
		break;
	case PM_COMMAND_CYCLE:
		steps[0] = momentary(IPMI_POWER_CYCLE, PM_POWER_ON, config->on_timeout_s);
		break;
	case PM_COMMAND_RESET:
		steps[0] = momentary(IPMI_HARD_RESET, PM_POWER_ON, config->on_timeout_s);
		break;
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
		steps[0] = momentary(IPMI_DIAGNOSTIC_INTERRUPT, 0, ACCEPT_TIMEOUT_S);
		break;
	default:
		steps[0] = (struct pm_step){.kind = PM_STEP_BMC_SETTING, .timeout_s = ACCEPT_TIMEOUT_S};
	}
	return 1;
}

int pm_plan(const struct pm_machine *machine, enum pm_command action, uint32_t nic, bool by_bmc,
	    struct pm_step steps[PM_STEPS_MAX], struct pm_error *err)
{
	switch (action) {
	case PM_COMMAND_POWER_ON:
		return plan_power_on(machine, by_bmc, steps, err);
	case PM_COMMAND_WAKE:
		return plan_wake(machine, nic, steps, err);
	case PM_COMMAND_SHUTDOWN:
		return plan_graceful_off(machine, action, steps, err);
	case PM_COMMAND_REBOOT:
		return plan_reboot(machine, steps, err);
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_SOFT_OFF:
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
	case PM_COMMAND_IDENTIFY:
	case PM_COMMAND_NONE: /* a setting of the BMC */
		return plan_bmc(machine, action, steps, err);
	default:
		return pm_fail(err, EINVAL,
			       "%s acts on the machine's operating system, which this version cannot reach",
			       pm_command_name(action));
	}
}
