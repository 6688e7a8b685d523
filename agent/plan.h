/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From what is asked for to the ordered steps that carry it out: a pure function of what is configured and observed. */
#ifndef PM_PLAN_H
#define PM_PLAN_H

#include "agent/job.h"

/* One step of a job, a row of pmJobStepTable: what is to be done, and how it goes. */
struct pm_step {
	enum pm_step_action action;
	uint32_t vm;     /* pmVmIndex; 0: the machine. hypervisorConnect: the VM in which it runs */
	char *target;    /* pmJobStepTarget; NULL: the machine's name */
	unsigned level;  /* from 1: steps of one level do not wait for each other */
	unsigned after;  /* begins when this step, by its number from 1, has ended well; 0: waits for none; of
			    alternatives the first is named */
	unsigned before; /* this step, by its number, waits for this one; 0: none does */
	enum pm_power_state
	    goal; /* of the machine: must be observed for the step to succeed; 0: being accepted is enough.
				     That of a VM follows from the action. */
	uint32_t timeout_s; /* until the goal is observed */
	bool momentary;     /* sent at most once */
	bool
	    alternative; /* only when the step before, in the order of the numbers, has failed; the two count as one for
				     those that wait */

	bool changed;            /* the journal does not know yet how it is */
	enum pm_job_state state; /* PM_JOB_NOT_READY: it is not executed, or not yet planned to be */
	enum pm_result result;
	char *text;               /* the result in words, or when it would be begun; NULL: none */
	int64_t start_ms, end_ms; /* wall clock; 0: not yet */
};

struct pm_plan {
	struct pm_step *steps; /* on the heap, with their texts; none of them begun */
	unsigned count;
	uint32_t timeout_s; /* what a verb's job may take */
};

/*
 * What spec asks for, as ordered steps; by_bmc leaves power on to the BMC whatever pmMachinePowerOnMethod says. A pure
 * function of the machine, its stack as it is observed now, and spec. Returns 0, or a negative errno value, when the machine
 * has not what the action needs (-EINVAL) or there is no memory (-ENOMEM), with the reason in err.
 */
int pm_plan(const struct pm_machine *machine, const struct pm_job_spec *spec, bool by_bmc,
	    struct pm_plan *plan, struct pm_error *err);

/*
 * What must be added to steps before one of them, by its number, may begin, because it takes away what VMs stand on: those
 * that are up, or unknown, and that no step that has not ended brings down; numbered on from count, and with before set.
 * Number 0: before the job ends, when all have ended well; before is not set. more->count 0: nothing; always so for what is
 * done at once.
 *
 * Returns 0, -ENOMEM, or, with the reason in err, -EBUSY when the step must not begin: pmJobScope is machine, a VM comes up
 * again and again, or -EINVAL: a VM came that a reboot could not start again.
 */
int pm_plan_more(const struct pm_machine *machine, const struct pm_job_spec *spec,
		 const struct pm_step *steps, unsigned count, unsigned number, struct pm_plan *more,
		 struct pm_error *err);

void pm_plan_free(struct pm_plan *plan);

/* What a step waits to see of its VM; 0: it is no step of a VM. */
enum pm_vm_state pm_step_vm_goal(const struct pm_step *step);

/* Whether it takes away what VMs may stand on: the VM, or the machine, goes down, pauses or restarts. */
bool pm_step_takes_down(const struct pm_step *step);

/* The hypervisor of a hypervisorConnect step; NULL: it is no longer configured, or the step is another one. */
struct pm_hypervisor *pm_step_hypervisor(const struct pm_machine *machine, const struct pm_step *step);

/* Whether VMs are asked, and what they stand on waits for them. */
bool pm_spec_is_graceful(const struct pm_job_spec *spec);

/* Whether it is done by the machine's operating system. */
bool pm_step_is_of_host(const struct pm_step *step);

/* Whether it is something that can be done to a VM. */
bool pm_command_is_of_vm(enum pm_command action);

/* The NIC a wake would use: number nic, or the first that has a MAC address for 0; NULL: none. */
struct pm_nic *pm_plan_nic(const struct pm_machine *machine, uint32_t nic);

/* Whether the step is a Chassis Control command, and which. */
bool pm_step_is_control(const struct pm_step *step);
enum ipmi_chassis_control pm_step_control(const struct pm_step *step);

#endif
