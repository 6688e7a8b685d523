/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine with a stack, in memory and nowhere else, for the tests of plans: hypervisors h1, h2, ... and VMs v1, v2, ... as
 * they would be known after their hypervisors were asked; and plans in words.
 */
#ifndef PM_TEST_STACKS_H
#define PM_TEST_STACKS_H

#include "agent/plan.h"
#include "agent/vm.h"
#include "tests/unit/agent/support.h"

struct stack {
	struct pm_machine machine;
	struct pm_machine_config config;
	struct pm_bmc bmc;
	struct pm_hypervisor_config *hypervisor_configs;
	struct pm_hypervisor *hypervisors;
	struct pm_vm *vms;
	char (*names)[16];
	size_t hypervisors_max, vms_max;
};

/* A machine that is on, with a BMC that tells it, and room for so many. */
static inline void stack_begin(struct stack *stack, size_t hypervisors_max, size_t vms_max)
{
	static char name[] = "m1";

	memset(stack, 0, sizeof(*stack));
	stack->hypervisors_max = hypervisors_max;
	stack->vms_max = vms_max;
	stack->hypervisor_configs = calloc(hypervisors_max, sizeof(*stack->hypervisor_configs));
	stack->hypervisors = calloc(hypervisors_max, sizeof(*stack->hypervisors));
	stack->vms = calloc(vms_max, sizeof(*stack->vms));
	stack->names = calloc(vms_max + hypervisors_max, sizeof(*stack->names));
	stack->machine.vms = calloc(vms_max, sizeof(struct pm_vm *));
	assert_true(stack->hypervisor_configs && stack->hypervisors && stack->vms && stack->names &&
		    stack->machine.vms);
	stack->config = (struct pm_machine_config){.name = name,
						   .on_timeout_s = 300,
						   .off_timeout_s = 200,
						   .off_methods = {PM_OFF_BMC_SOFT, PM_OFF_BMC},
						   .off_method_count = 2,
						   .hypervisors = stack->hypervisor_configs};
	stack->machine.config = &stack->config;
	stack->machine.power_on_method = PM_ON_AUTO;
	stack->machine.observed = PM_POWER_ON;
	stack->machine.bmc = &stack->bmc;
	stack->machine.stack_timeout_s = 600;
	stack->machine.vm_timeout_s = 180;
	stack->machine.hypervisors = stack->hypervisors;
}

static inline void stack_end(struct stack *stack)
{
	free(stack->hypervisor_configs);
	free(stack->hypervisors);
	free(stack->vms);
	free(stack->names);
	free(stack->machine.vms);
}

/* On the machine, or in a VM; it answers. */
static inline struct pm_hypervisor *stack_hypervisor(struct stack *stack, struct pm_vm *host)
{
	size_t place = stack->machine.hypervisor_count++;
	struct pm_hypervisor_config *config = &stack->hypervisor_configs[place];
	struct pm_hypervisor *hypervisor = &stack->hypervisors[place];

	assert_true(place < stack->hypervisors_max);
	stack->config.hypervisor_count++;
	snprintf(stack->names[place], sizeof(*stack->names), "h%zu", place + 1);
	*config = (struct pm_hypervisor_config){.uri = stack->names[place],
						.shown = stack->names[place],
						.guest = host ? host->name : NULL,
						.parallel = 10,
						.suspend = PM_SUSPEND_PAUSE,
						.connect_timeout_s = 300,
						.poll_interval_ms = 30000};
	*hypervisor = (struct pm_hypervisor){.machine = &stack->machine,
					     .config = config,
					     .on = host ? host->hypervisor : NULL,
					     .host = host,
					     .up = true};
	if (host)
		host->carries = hypervisor;
	return hypervisor;
}

/* Its state, as the hypervisor tells it. */
static inline void vm_is(struct pm_vm *vm, enum pm_vm_state state)
{
	vm->observed = state;
	vm->active = state != PM_VM_SHUTDOWN && state != PM_VM_CRASHED && state != PM_VM_SUSPENDED;
	vm->saved = state == PM_VM_SUSPENDED;
}

static inline struct pm_vm *stack_vm(struct stack *stack, struct pm_hypervisor *on, enum pm_vm_state state)
{
	size_t place = stack->machine.vm_count++;
	struct pm_vm *vm = &stack->vms[place];
	char *name = stack->names[stack->hypervisors_max + place];

	assert_true(place < stack->vms_max);
	snprintf(name, sizeof(*stack->names), "v%zu", place + 1);
	*vm = (struct pm_vm){.machine = &stack->machine,
			     .index = (uint32_t)place + 1,
			     .hypervisor = on,
			     .name = name,
			     .known = true,
			     .persistent = true};
	vm_is(vm, state);
	stack->machine.vms[place] = vm;
	return vm;
}

/* A row of pmJobTable with its DEFVALs, on the whole machine. */
static inline struct pm_job_spec spec_of_row(enum pm_command action, enum pm_scope scope)
{
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = action;
	spec.scope = scope;
	return spec;
}

/*
 * One step after the other, as "level action target", with <n for the step after which it begins, >n for the one that waits
 * for it, | before an alternative.
 */
static inline const char *plan_in_words(const struct pm_plan *plan)
{
	static char text[4096];
	size_t used = 0;

	*text = '\0';
	for (unsigned i = 0; i < plan->count && used < sizeof(text) - 100; i++) {
		const struct pm_step *step = &plan->steps[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%u %s", i ? ", " : "",
					 step->alternative ? "|" : "", step->level,
					 pm_step_action_name(step->action));
		if (step->target)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", step->target);
		if (step->after)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " <%u", step->after);
		if (step->before)
			used += (size_t)snprintf(text + used, sizeof(text) - used, " >%u", step->before);
	}
	return text;
}

/* The plan in words, or "refused: why". */
static inline const char *planned(const struct stack *stack, const struct pm_job_spec *spec)
{
	static char text[600];
	struct pm_plan plan;
	struct pm_error err = {""};
	const char *words;

	if (pm_plan(&stack->machine, spec, false, &plan, &err) < 0) {
		assert_int_equal(plan.count, 0);
		snprintf(text, sizeof(text), "refused: %s", err.text);
		return text;
	}
	words = plan_in_words(&plan);
	pm_plan_free(&plan);
	return words;
}

/* --- what each verb does, in words ---------------------------------------------------------------- */

#define MACHINE PM_SCOPE_MACHINE
#define STACK   PM_SCOPE_STACK
#define BOTH    PM_SCOPE_STACK_AND_MACHINE
#define NEVER   PM_FORCE_NEVER
#define AFTER   PM_FORCE_AFTER_TIMEOUT
#define NOW     PM_FORCE_IMMEDIATELY

struct cell {
	enum pm_command action;
	enum pm_scope scope;
	enum pm_force force;
	uint32_t vm;
	const char *words; /* as in plan_in_words(); "refused": why is told elsewhere */
};

/* On the machine h1 with v1, v4 and v5, in v1 the hypervisor h2 with v2 and v3; v3 and v5 are shut down. */
static inline void small(struct stack *stack)
{
	struct pm_hypervisor *h1, *h2;
	struct pm_vm *v1;

	stack_begin(stack, 4, 16);
	h1 = stack_hypervisor(stack, NULL);
	v1 = stack_vm(stack, h1, PM_VM_RUNNING);
	h2 = stack_hypervisor(stack, v1);
	stack_vm(stack, h2, PM_VM_RUNNING);
	stack_vm(stack, h2, PM_VM_SHUTDOWN);
	stack_vm(stack, h1, PM_VM_RUNNING);
	stack_vm(stack, h1, PM_VM_SHUTDOWN);
}

static inline void check_cells(const struct stack *stack, const struct cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct pm_job_spec spec = spec_of_row(cells[i].action, cells[i].scope);
		const char *words;

		spec.force = cells[i].force;
		spec.vm = cells[i].vm;
		words = planned(stack, &spec);
		if (strcmp(cells[i].words, "refused") == 0)
			assert_true(strncmp(words, "refused: ", 9) == 0);
		else
			assert_string_equal(words, cells[i].words);
	}
}

static inline void check_refusal(const struct stack *stack, enum pm_command action, enum pm_scope scope,
				 uint32_t vm, const char *part)
{
	struct pm_job_spec spec = spec_of_row(action, scope);
	const char *words;

	spec.vm = vm;
	words = planned(stack, &spec);
	assert_true(strncmp(words, "refused: ", 9) == 0);
	if (!strstr(words, part))
		fail_msg("%s: without \"%s\"", words, part);
}

#endif
