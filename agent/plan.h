/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From what is asked for to the ordered steps that carry it out: a pure function of what is configured. */
#ifndef PM_PLAN_H
#define PM_PLAN_H

#include "agent/job.h"

#define PM_STEPS_MAX 4

/* One step of a job, a row of pmJobStepTable: what is to be done, and how it goes. */
struct pm_step {
	enum pm_step_action action;
	uint32_t vm;              /* pmVmIndex; 0: the machine */
	unsigned level;           /* from 1; those of one level run together */
	enum pm_power_state goal; /* must be observed for the step to succeed; 0: being accepted is enough */
	uint32_t timeout_s;       /* until the goal is observed */
	bool momentary;           /* sent at most once */
	bool alternative;         /* only when the step before has failed */

	bool changed;            /* the journal does not know yet how it is */
	enum pm_job_state state; /* PM_JOB_NOT_READY: it is not executed, or not yet planned to be */
	enum pm_result result;
	char *text;               /* the result in words, or when it would be begun; NULL: none */
	int64_t start_ms, end_ms; /* wall clock; 0: not yet */
};

/*
 * Fills steps with what spec asks for, none of them begun, their texts not on the heap; by_bmc leaves power on to the BMC whatever
 * pmMachinePowerOnMethod says. Returns the number of steps, or a negative errno value when the machine has not what the
 * action needs, with the reason in err.
 */
int pm_plan(const struct pm_machine *machine, const struct pm_job_spec *spec, bool by_bmc,
	    struct pm_step steps[PM_STEPS_MAX], struct pm_error *err);

/* The NIC a wake would use: number nic, or the first that has a MAC address for 0; NULL: none. */
struct pm_nic *pm_plan_nic(const struct pm_machine *machine, uint32_t nic);

/* Whether the step is a Chassis Control command, and which. */
bool pm_step_is_control(const struct pm_step *step);
enum ipmi_chassis_control pm_step_control(const struct pm_step *step);

#endif
