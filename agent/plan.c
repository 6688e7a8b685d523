/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs of a machine, and what can be said of any step. */
#include "agent/plan_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

enum pm_vm_state pm_step_vm_goal(const struct pm_step *step)
{
	switch (step->action) {
	case PM_STEP_VM_START:
	case PM_STEP_VM_RESUME:
	case PM_STEP_VM_REBOOT:
	case PM_STEP_VM_RESET:
		return PM_VM_RUNNING;
	case PM_STEP_VM_SHUTDOWN:
	case PM_STEP_VM_DESTROY:
		return PM_VM_SHUTDOWN;
	case PM_STEP_VM_PAUSE:
		return PM_VM_PAUSED;
	case PM_STEP_VM_SAVE:
		return PM_VM_SUSPENDED;
	default:
		return 0;
	}
}

bool pm_step_takes_down(const struct pm_step *step)
{
	switch (step->action) {
	case PM_STEP_VM_SHUTDOWN:
	case PM_STEP_VM_DESTROY:
	case PM_STEP_VM_REBOOT:
	case PM_STEP_VM_RESET:
	case PM_STEP_VM_PAUSE:
	case PM_STEP_VM_SAVE:
	case PM_STEP_HOST_SHUTDOWN:
	case PM_STEP_HOST_REBOOT:
	case PM_STEP_HOST_SUSPEND:
	case PM_STEP_HOST_HIBERNATE:
	case PM_STEP_HOST_INIT:
	case PM_STEP_BMC_POWER_DOWN:
	case PM_STEP_BMC_POWER_CYCLE:
	case PM_STEP_BMC_HARD_RESET:
	case PM_STEP_BMC_SOFT_SHUTDOWN:
		return true;
	default:
		return false;
	}
}

static bool runs_in(const struct pm_hypervisor *hypervisor, uint32_t vm)
{
	return vm ? hypervisor->host && hypervisor->host->index == vm : !hypervisor->host;
}

struct pm_hypervisor *pm_step_hypervisor(const struct pm_machine *machine, const struct pm_step *step)
{
	struct pm_hypervisor *found = NULL;

	if (step->action != PM_STEP_HYPERVISOR_CONNECT || !step->target)
		return NULL;
	for (size_t i = 0; i < machine->hypervisor_count; i++) {
		struct pm_hypervisor *hypervisor = &machine->hypervisors[i];

		if (strcmp(hypervisor->config->shown, step->target) != 0)
			continue;
		if (runs_in(hypervisor, step->vm))
			return hypervisor;
		found = found ? found : hypervisor; /* its guest was defined anew */
	}
	return found;
}

/* --- steps of the machine ----------------------------------------------------------------------- */

unsigned pm_draft_machine_step(struct pm_draft *draft, enum pm_step_action action, enum pm_power_state goal,
			       unsigned timeout_s)
{
	return pm_draft_add(
	    draft, &(struct pm_draft_step){
		       .step = {.action = action, .goal = goal, .timeout_s = timeout_s ? timeout_s : 1}});
}

unsigned pm_draft_momentary(struct pm_draft *draft, enum pm_step_action action, enum pm_power_state goal,
			    unsigned timeout_s)
{
	unsigned number = pm_draft_machine_step(draft, action, goal, timeout_s);

	pm_draft_step(draft, number)->momentary = true;
	return number;
}

static unsigned no_bmc(struct pm_draft *draft, enum pm_command action)
{
	return pm_draft_refuse(draft, pm_fail(draft->err, EINVAL, "machine %s has no bmc, which %s needs",
					      draft->machine->config->name, pm_command_name(action)));
}

int pm_plan_no_nic(const struct pm_machine *machine, uint32_t nic, struct pm_error *err)
{
	const char *name = machine->config->name;

	if (nic && pm_machine_nic(machine, nic))
		return pm_fail(err, EINVAL, "NIC %u of machine %s has no MAC address for Wake-on-LAN", nic,
			       name);
	if (nic)
		return pm_fail(err, EINVAL, "machine %s has no NIC %u", name, nic);
	return pm_fail(err, EINVAL, "machine %s has no nic with a MAC address for Wake-on-LAN", name);
}

static unsigned add_wake(struct pm_draft *draft)
{
	const struct pm_machine *machine = draft->machine;
	uint32_t nic = draft->spec->nic;

	if (!pm_plan_nic(machine, nic))
		return pm_draft_refuse(draft, pm_plan_no_nic(machine, nic, draft->err));
	return pm_draft_machine_step(draft, PM_STEP_WAKE_SEND, PM_POWER_ON, machine->config->on_timeout_s);
}

unsigned pm_draft_machine_on(struct pm_draft *draft, bool by_bmc)
{
	const struct pm_machine *machine = draft->machine;
	enum pm_power_on_method method = by_bmc ? PM_ON_IPMI : machine->power_on_method;

	if (method == PM_ON_WOL || (method == PM_ON_AUTO && !machine->bmc))
		return add_wake(draft);
	if (!machine->bmc)
		return no_bmc(draft, PM_COMMAND_POWER_ON);
	return pm_draft_machine_step(draft, PM_STEP_BMC_POWER_UP, PM_POWER_ON, machine->config->on_timeout_s);
}

/* 0: the machine has not what it needs. */
static unsigned add_off_method(struct pm_draft *draft, enum pm_off_method method)
{
	const struct pm_machine_config *config = draft->machine->config;
	unsigned off_s = config->off_timeout_s;

	if (method == PM_OFF_HOST && config->host)
		return draft->spec->action == PM_COMMAND_REBOOT
			   ? pm_draft_momentary(draft, PM_STEP_HOST_REBOOT, PM_POWER_ON,
						off_s + config->on_timeout_s)
			   : pm_draft_machine_step(draft, PM_STEP_HOST_SHUTDOWN, PM_POWER_OFF, off_s);
	if (method == PM_OFF_BMC_SOFT && draft->machine->bmc)
		return pm_draft_machine_step(draft, PM_STEP_BMC_SOFT_SHUTDOWN, PM_POWER_OFF, off_s);
	if (method == PM_OFF_BMC && draft->machine->bmc)
		return pm_draft_machine_step(draft, PM_STEP_BMC_POWER_DOWN, PM_POWER_OFF, off_s);
	return 0;
}

unsigned pm_draft_off_methods(struct pm_draft *draft, unsigned first, bool gently)
{
	const struct pm_machine_config *config = draft->machine->config;

	for (size_t i = 0; i < config->off_method_count; i++) {
		bool hard = config->off_methods[i] == PM_OFF_BMC;
		unsigned number = hard && gently ? 0 : add_off_method(draft, config->off_methods[i]);

		if (number && first)
			pm_draft_step(draft, number)->alternative = true;
		first = first ? first : number;
	}
	return first;
}

unsigned pm_draft_machine_off(struct pm_draft *draft)
{
	const struct pm_machine_config *config = draft->machine->config;
	unsigned first = pm_draft_off_methods(draft, 0, false);

	if (!first)
		return pm_draft_refuse(
		    draft,
		    pm_fail(draft->err, EINVAL,
			    "machine %s has none of its off-methods: %s needs a host or a bmc%s",
			    config->name, pm_command_name(draft->spec->action),
			    config->hypervisor_count ? "; pmJobScope stack leaves the machine alone" : ""));
	return first;
}

/* Its operating system brings it up again by itself; a BMC makes sure of it, and does so after the other methods. */
unsigned pm_draft_machine_up_again(struct pm_draft *draft, unsigned off)
{
	unsigned number;

	if (!draft->machine->bmc)
		return off;
	number = pm_draft_machine_step(draft, PM_STEP_BMC_POWER_UP, PM_POWER_ON,
				       draft->machine->config->on_timeout_s);
	pm_draft_step(draft, number)->after = off;
	return number;
}

unsigned pm_draft_machine_by_bmc(struct pm_draft *draft, enum pm_command action)
{
	const struct pm_machine_config *config = draft->machine->config;

	if (!draft->machine->bmc)
		return no_bmc(draft, action);
	switch (action) {
	case PM_COMMAND_POWER_OFF:
		return pm_draft_machine_step(draft, PM_STEP_BMC_POWER_DOWN, PM_POWER_OFF,
					     config->off_timeout_s);
	case PM_COMMAND_SOFT_OFF:
		return pm_draft_machine_step(draft, PM_STEP_BMC_SOFT_SHUTDOWN, PM_POWER_OFF,
					     config->off_timeout_s);
	case PM_COMMAND_CYCLE:
		return pm_draft_momentary(draft, PM_STEP_BMC_POWER_CYCLE, PM_POWER_ON, config->on_timeout_s);
	case PM_COMMAND_RESET:
		return pm_draft_momentary(draft, PM_STEP_BMC_HARD_RESET, PM_POWER_ON, config->on_timeout_s);
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
		return pm_draft_momentary(draft, PM_STEP_BMC_DIAGNOSTIC_INTERRUPT, 0, ACCEPT_TIMEOUT_S);
	case PM_COMMAND_IDENTIFY:
		return pm_draft_machine_step(draft, PM_STEP_BMC_IDENTIFY, 0, ACCEPT_TIMEOUT_S);
	default:
		return pm_draft_machine_step(draft, PM_STEP_BMC_CONFIGURE, 0, ACCEPT_TIMEOUT_S);
	}
}

/* --- verbs of the machine ------------------------------------------------------------------------- */

static void plan_off(struct pm_draft *draft)
{
	unsigned off = pm_draft_is_alone(draft) ? pm_draft_machine_off(draft) : 0;

	if (off && draft->spec->action == PM_COMMAND_REBOOT)
		pm_draft_machine_up_again(draft, off);
}

static void plan_machine(struct pm_draft *draft, bool by_bmc)
{
	const struct pm_job_spec *spec = draft->spec;

	switch (spec->action) {
	case PM_COMMAND_POWER_ON:
		pm_draft_autostart(draft, pm_draft_machine_on(draft, by_bmc));
		break;
	case PM_COMMAND_WAKE:
		add_wake(draft);
		break;
	case PM_COMMAND_REBOOT:
		if (spec->force == PM_FORCE_IMMEDIATELY)
			pm_draft_machine_by_bmc(draft, PM_COMMAND_RESET);
		else
			plan_off(draft);
		break;
	case PM_COMMAND_SHUTDOWN:
		plan_off(draft);
		break;
	case PM_COMMAND_POWER_OFF:
	case PM_COMMAND_SOFT_OFF:
	case PM_COMMAND_CYCLE:
	case PM_COMMAND_RESET:
	case PM_COMMAND_DIAGNOSTIC_INTERRUPT:
	case PM_COMMAND_IDENTIFY:
	case PM_COMMAND_NONE: /* a setting of the BMC */
		pm_draft_machine_by_bmc(draft, spec->action);
		break;
	default: /* suspend, hibernate, init, armWol */
		pm_plan_host(draft);
	}
}

/* --- what is asked for ----------------------------------------------------------------------------- */

bool pm_command_has_scope(enum pm_command action)
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

static bool has_scope(const struct pm_job_spec *spec)
{
	return pm_command_has_scope(spec->action) ||
	       (spec->action == PM_COMMAND_INIT && pm_spec_takes_machine_down(spec));
}

/* Whether the machine's stack is part of it. */
static bool has_stack(const struct pm_draft *draft)
{
	return draft->machine->config->hypervisor_count && has_scope(draft->spec) &&
	       draft->spec->scope != PM_SCOPE_MACHINE;
}

/* A stack that is not known as a whole is none that could be brought down. */
static int check_whole(const struct pm_machine *machine, const struct pm_job_spec *spec, struct pm_error *err)
{
	bool stack = pm_spec_is_graceful(spec) || (has_scope(spec) && spec->scope != PM_SCOPE_MACHINE);

	if (machine->hypervisor_count == machine->config->hypervisor_count || !stack)
		return 0;
	return pm_fail(err, ENOMEM, "no memory for the stack of machine %s", machine->config->name);
}

/* What there is nothing to do it with is refused, not left out. */
static int check_spec(const struct pm_machine *machine, const struct pm_job_spec *spec, struct pm_error *err)
{
	int error = pm_plan_check_arm(machine, spec, err);

	if (error)
		return error;
	if (spec->action == PM_COMMAND_INIT && has_scope(spec) && spec->scope == PM_SCOPE_STACK)
		return pm_fail(
		    err, EINVAL,
		    "init %u takes machine %s down, which scope stack leaves up: set pmJobScope to "
		    "machine or stackAndMachine",
		    spec->init_level, machine->config->name);
	if (!spec->vm && pm_command_has_scope(spec->action) && spec->scope == PM_SCOPE_STACK &&
	    !machine->config->hypervisor_count)
		return pm_fail(
		    err, EINVAL,
		    "machine %s has no stack, which scope stack acts on: set pmJobScope to machine or "
		    "stackAndMachine",
		    machine->config->name);
	return check_whole(machine, spec, err);
}

static void plan_all(struct pm_draft *draft, bool by_bmc)
{
	unsigned arm = pm_draft_arm(draft);

	if (draft->spec->vm)
		pm_plan_vm(draft);
	else if (has_stack(draft))
		pm_plan_stack(draft);
	else
		plan_machine(draft, by_bmc);
	pm_draft_after_arm(draft, arm);
}

int pm_plan(const struct pm_machine *machine, const struct pm_job_spec *spec, bool by_bmc,
	    struct pm_plan *plan, struct pm_error *err)
{
	struct pm_draft draft;
	int error = check_spec(machine, spec, err);

	*plan = (struct pm_plan){0};
	if (error)
		return error;
	if (pm_draft_begin(&draft, machine, spec, err) == 0)
		plan_all(&draft, by_bmc);
	error = pm_draft_finish(&draft, plan);
	pm_draft_free(&draft);
	return error;
}

void pm_plan_free(struct pm_plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++) {
		free(plan->steps[i].text);
		free(plan->steps[i].target);
	}
	free(plan->steps);
	*plan = (struct pm_plan){0};
}
