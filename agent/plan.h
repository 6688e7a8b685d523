/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From an action to the ordered steps that carry it out: a pure function of what is configured. */
#ifndef PM_PLAN_H
#define PM_PLAN_H

#include "agent/agent.h"

#define PM_STEPS_MAX 4

enum pm_step_kind { PM_STEP_CHASSIS_CONTROL, PM_STEP_WAKE, PM_STEP_BMC_SETTING };

struct pm_step {
	enum pm_step_kind kind;
	enum ipmi_chassis_control control; /* PM_STEP_CHASSIS_CONTROL */
	enum pm_power_state goal; /* must be observed for the step to succeed; 0: being accepted is enough */
	unsigned timeout_s;       /* until the goal is observed */
	bool momentary;           /* sent at most once */
	bool alternative;         /* only when the step before has failed */
};

/*
 * Fills steps for action on machine; nic is a pmNicIndex, or 0 for the first that has a MAC address; by_bmc leaves
 * power on to the BMC whatever pmMachinePowerOnMethod says. Returns the number of steps, or a negative errno value when
 * the machine has not what the action needs, with the reason in err.
 */
int pm_plan(const struct pm_machine *machine, enum pm_command action, uint32_t nic, bool by_bmc,
	    struct pm_step steps[PM_STEPS_MAX], struct pm_error *err);

/* The NIC a wake would use: number nic, or the first that has a MAC address for 0; NULL: none. */
struct pm_nic *pm_plan_nic(const struct pm_machine *machine, uint32_t nic);

#endif
