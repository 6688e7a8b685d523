/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a plan lacks when its time has come: VMs that came, came up again or moved, hypervisors that were lost or answer
 * again. On the machine h1 with the VMs v1 and v2, in v1 the hypervisor h2 with v3.
 */
#include "tests/unit/agent/stacks.h"

#include <time.h>

#define STEPS_MAX 64

/* A stack, and a job on it whose steps the test ends. */
struct job_on_stack {
	struct stack stack;
	enum pm_force force; /* 0: that of a row by itself */
	struct pm_job_spec spec;
	struct pm_step steps[STEPS_MAX];
	unsigned count;
	struct pm_error err;
};

static void append(struct job_on_stack *job, struct pm_plan *plan)
{
	assert_true(job->count + plan->count <= STEPS_MAX);
	if (plan->count)
		memcpy(&job->steps[job->count], plan->steps, plan->count * sizeof(*plan->steps));
	job->count += plan->count;
	free(plan->steps);
}

static void build(struct job_on_stack *job)
{
	struct pm_hypervisor *h1;
	struct pm_vm *v1;

	memset(job, 0, sizeof(*job));
	stack_begin(&job->stack, 4, 16);
	h1 = stack_hypervisor(&job->stack, NULL);
	v1 = stack_vm(&job->stack, h1, PM_VM_RUNNING);
	stack_vm(&job->stack, h1, PM_VM_RUNNING);
	stack_vm(&job->stack, stack_hypervisor(&job->stack, v1), PM_VM_RUNNING);
}

static void plan_on_stack(struct job_on_stack *job, enum pm_command action, enum pm_scope scope, uint32_t vm)
{
	struct pm_plan plan;

	job->spec = spec_of_row(action, scope);
	job->spec.vm = vm;
	job->spec.force = job->force ? job->force : job->spec.force;
	if (pm_plan(&job->stack.machine, &job->spec, false, &plan, &job->err) < 0)
		fail_msg("%s", job->err.text);
	append(job, &plan);
}

static void begin(struct job_on_stack *job, enum pm_command action, enum pm_scope scope, uint32_t vm)
{
	build(job);
	plan_on_stack(job, action, scope, vm);
}

static void end(struct job_on_stack *job)
{
	for (unsigned i = 0; i < job->count; i++) {
		free(job->steps[i].text);
		free(job->steps[i].target);
	}
	stack_end(&job->stack);
}

/* The step of this number has ended, well. */
static void done(struct job_on_stack *job, unsigned number)
{
	job->steps[number - 1].state = PM_JOB_SUCCEEDED;
}

static void all_done(struct job_on_stack *job)
{
	for (unsigned number = 1; number <= job->count; number++)
		if (job->steps[number - 1].state == PM_JOB_NOT_READY)
			done(job, number);
}

/* Takes what is to be added, and says it in words. */
static const char *more(struct job_on_stack *job, unsigned number)
{
	static char words[1024];
	struct pm_plan plan;
	int error =
	    pm_plan_more(&job->stack.machine, &job->spec, job->steps, job->count, number, &plan, &job->err);

	if (error) {
		assert_int_equal(plan.count, 0);
		return error == -EBUSY ? "busy" : error == -EINVAL ? "invalid" : "?";
	}
	snprintf(words, sizeof(words), "%s", plan_in_words(&plan));
	append(job, &plan);
	return words;
}

static void check_text(const struct job_on_stack *job, unsigned number, const char *text)
{
	assert_string_equal(job->steps[number - 1].text, text);
}

static void vm_down(struct job_on_stack *job, unsigned vm)
{
	vm_is(&job->stack.vms[vm - 1], PM_VM_SHUTDOWN);
}

/* --- a cancel ------------------------------------------------------------------------------------ */

static void test_nothing_is_added_to_what_has_gone_well(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, BOTH, 0); /* 1: v2, 2: v3, 3: v1, 4: soft, 5: or hard */
	assert_string_equal(more(&job, 1), "");
	assert_string_equal(more(&job, 2), "");
	vm_down(&job, 3);
	done(&job, 2);
	assert_string_equal(more(&job, 3), "");
	vm_down(&job, 1);
	vm_down(&job, 2);
	done(&job, 1);
	done(&job, 3);
	job.stack.hypervisors[1].up = false;
	assert_string_equal(more(&job, 4), "");
	job.steps[3].state = PM_JOB_FAILED;
	assert_string_equal(more(&job, 5), "");
	done(&job, 5);
	assert_string_equal(more(&job, 0), "");
	assert_int_equal(job.count, 5);
	end(&job);
}

static void test_a_vm_came(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, BOTH, 0);
	stack_vm(&job.stack, &job.stack.hypervisors[1], PM_VM_RUNNING);
	vm_down(&job, 3);
	done(&job, 2);
	assert_string_equal(more(&job, 3), "1 vmShutdown v4 >3");
	check_text(&job, 6, "added: it is up");
	assert_string_equal(more(&job, 3), ""); /* it is on its way */
	vm_down(&job, 4);
	done(&job, 6);
	assert_string_equal(more(&job, 3), "");
	end(&job);
}

/* A whole branch of the tree came, before the alternative: the first way to switch the machine off has failed. */
static void test_a_branch_came_before_the_plug_is_pulled(void **state)
{
	struct job_on_stack job;
	struct pm_vm *v4;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, BOTH, 0);
	for (unsigned vm = 1; vm <= 3; vm++)
		vm_down(&job, vm);
	job.stack.hypervisors[1].up = false;
	for (unsigned number = 1; number <= 3; number++)
		done(&job, number);
	job.steps[3].state = PM_JOB_FAILED;
	v4 = stack_vm(&job.stack, &job.stack.hypervisors[0], PM_VM_RUNNING);
	stack_vm(&job.stack, stack_hypervisor(&job.stack, v4), PM_VM_RUNNING);
	assert_string_equal(more(&job, 5), "1 vmShutdown v5 >7, 2 vmShutdown v4 >5");
	end(&job);
}

static void test_a_vm_that_will_not_stay_down(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, STACK, 2);
	for (unsigned i = 0; i < 2; i++) {
		all_done(&job);
		assert_string_equal(more(&job, 0), "1 vmShutdown v2");
		check_text(&job, job.count, "added: it is up again");
	}
	all_done(&job);
	assert_string_equal(more(&job, 0), "busy");
	assert_string_equal(job.err.text, "VM v2 went down 3 times, and is up again");
	vm_down(&job, 2);
	assert_string_equal(more(&job, 0), "");
	end(&job);
}

static void test_a_hypervisor_was_lost(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, STACK, 0); /* 1: v2, 2: v3, 3: v1 */
	job.stack.hypervisors[1].up = false;
	done(&job, 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(more(&job, 3), "1 hypervisorConnect h2 >3");
		check_text(&job, job.count, "added: it does not answer");
		assert_string_equal(more(&job, 3), "");
		done(&job, job.count);
	}
	assert_string_equal(more(&job, 3), "busy");
	assert_string_equal(job.err.text, "hypervisor h2 was lost 3 times");
	job.stack.hypervisors[1].up = true; /* its VM came up meanwhile */
	assert_string_equal(more(&job, 3), "1 vmShutdown v3 >3");
	end(&job);
}

/* It is brought down already, where it was: that is waited for, and not done twice at the same time. */
static void test_a_vm_has_moved_onto_another(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, BOTH, 0); /* 1: v2, 2: v3, 3: v1, 4: soft, 5: or hard */
	vm_down(&job, 3);
	done(&job, 2);
	job.steps[0].state = PM_JOB_RUNNING;
	job.stack.vms[1].hypervisor = &job.stack.hypervisors[1];
	assert_string_equal(more(&job, 3), "2 vmShutdown v2 <1 >3");
	vm_down(&job, 2);
	done(&job, 1);
	done(&job, 6);
	assert_string_equal(more(&job, 3), "");
	end(&job);
}

/* The one whose step waits for this one, stands on it now; also when it is the alternative that is to begin. */
static void test_a_parent_has_moved_onto_its_child(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	vm_down(&job, 2);
	job.force = PM_FORCE_AFTER_TIMEOUT;
	plan_on_stack(&job, PM_COMMAND_SHUTDOWN, STACK, 0); /* 1: v3, 2: hard, 3: v1, 4: hard */
	job.stack.vms[2].hypervisor = &job.stack.hypervisors[0];
	job.stack.vms[2].carries = stack_hypervisor(&job.stack, &job.stack.vms[2]);
	job.stack.vms[0].hypervisor = job.stack.vms[2].carries;
	assert_string_equal(more(&job, 1), "busy");
	assert_string_equal(job.err.text, "VM v1 stands on it now, and its own step waits for this one");
	job.steps[0].state = PM_JOB_FAILED;
	assert_string_equal(more(&job, 2), "busy");
	end(&job);
}

static void test_a_vm_was_stopped_before_it_is_asked(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, STACK, 0);
	vm_is(&job.stack.vms[1], PM_VM_PAUSED);
	for (unsigned number = 4; number <= 6; number++) {
		assert_string_equal(more(&job, 1), "1 vmResume v2 >1");
		check_text(&job, number, "added: it is stopped");
		done(&job, number);
	}
	assert_string_equal(more(&job, 1), ""); /* somebody means it: then it does not go down */
	end(&job);
}

static void test_the_machine_alone_does_not_go_under_vms(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	for (unsigned vm = 1; vm <= 3; vm++)
		vm_down(&job, vm);
	job.stack.hypervisors[1].up = false;
	plan_on_stack(&job, PM_COMMAND_SHUTDOWN, MACHINE, 0);
	assert_string_equal(more(&job, 1), "");
	vm_is(&job.stack.vms[1], PM_VM_RUNNING);
	assert_string_equal(more(&job, 1), "busy");
	assert_non_null(strstr(job.err.text, "1 VM up (v2)"));
	job.stack.hypervisors[0].up = false;
	assert_string_equal(more(&job, 1), "busy");
	assert_non_null(strstr(job.err.text, "h1 of machine m1 does not answer"));
	end(&job);
}

static void test_what_is_done_at_once_is_not_held_up(void **state)
{
	static const enum pm_command actions[] = {PM_COMMAND_SHUTDOWN, PM_COMMAND_REBOOT,
						  PM_COMMAND_POWER_OFF, PM_COMMAND_CYCLE, PM_COMMAND_RESET};

	(void)state;
	for (size_t i = 0; i < LENGTH(actions); i++) {
		struct job_on_stack job;

		begin(&job, actions[i], BOTH, 0);
		job.spec.force = PM_FORCE_IMMEDIATELY;
		for (unsigned number = 0; number <= job.count; number++) {
			unsigned count = job.count;

			assert_string_equal(more(&job, number), "");
			assert_int_equal(job.count, count);
		}
		end(&job);
	}
}

static void test_a_vm_is_gone(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, STACK, 1);
	job.stack.machine.vms++; /* v1 */
	job.stack.machine.vm_count--;
	job.stack.hypervisors[1].host = NULL;
	assert_string_equal(more(&job, 2), "");
	assert_string_equal(more(&job, 0), "");
	job.stack.machine.vms--;
	end(&job);
}

/* --- a reboot ------------------------------------------------------------------------------------ */

static void test_a_vm_came_before_its_host_reboots(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_REBOOT, STACK, 0); /* 1: v2, 2: v3 down, 3: v1, 4: h2, 5: v3 up */
	stack_vm(&job.stack, &job.stack.hypervisors[1], PM_VM_RUNNING);
	vm_down(&job, 3);
	done(&job, 2);
	assert_string_equal(more(&job, 3), "1 vmShutdown v4 >3, 4 vmStart v4 <4");
	all_done(&job);
	vm_is(&job.stack.vms[2], PM_VM_RUNNING);
	stack_vm(&job.stack, &job.stack.hypervisors[0], PM_VM_RUNNING);
	assert_string_equal(more(&job, 0), ""); /* those that run now were rebooted, or came afterwards */
	end(&job);
}

/* Nobody knows in which VM of h1 it runs now: all of them wait. */
static void test_a_vm_came_on_a_hypervisor_that_is_astray(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	vm_down(&job, 3);
	job.stack.hypervisors[1].host = NULL;
	job.stack.vms[0].carries = NULL;
	plan_on_stack(&job, PM_COMMAND_SHUTDOWN, STACK, 0); /* 1: v1, 2: v2 */
	assert_string_equal(more(&job, 1), "");
	vm_is(&job.stack.vms[2], PM_VM_RUNNING);
	assert_string_equal(more(&job, 1), "1 vmShutdown v3 >1");
	assert_string_equal(more(&job, 2), "2 vmShutdown v3 <3 >2");
	job.spec.vm = 1;
	assert_string_equal(more(&job, 1), "busy");
	end(&job);
}

/* Its own hypervisor does not answer just now: the VM is unknown, but not what runs in it. */
static void test_a_vm_came_on_a_host_that_nobody_can_ask(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_REBOOT, STACK, 0); /* 1: v2, 2: v3 down, 3: v1, 4: h2, 5: v3 up */
	stack_vm(&job.stack, &job.stack.hypervisors[1], PM_VM_RUNNING);
	vm_down(&job, 3);
	done(&job, 2);
	job.stack.hypervisors[0].up = false;
	assert_string_equal(more(&job, 3), "1 vmShutdown v4 >3, 4 vmStart v4 <4");
	end(&job);
}

static void test_a_transient_vm_came_before_its_host_reboots(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_REBOOT, STACK, 0);
	stack_vm(&job.stack, &job.stack.hypervisors[1], PM_VM_RUNNING)->persistent = false;
	vm_down(&job, 3);
	done(&job, 2);
	assert_string_equal(more(&job, 3), "invalid");
	assert_non_null(strstr(job.err.text, "VM v4 of machine m1 is transient"));
	end(&job);
}

static void test_a_stack_is_rebooted_that_did_not_answer_at_first(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = false;
	plan_on_stack(&job, PM_COMMAND_REBOOT, STACK, 0);
	assert_int_equal(job.count, 1);
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = true;
	all_done(&job);
	assert_string_equal(more(&job, 0), "1 vmReboot v2, 1 vmShutdown v3 >4, 2 vmReboot v1, "
					   "3 hypervisorConnect h2 <4, 4 vmStart v3 <5");
	all_done(&job);
	assert_string_equal(more(&job, 0), "");
	end(&job);
}

/* Its hypervisor has answered again, so that nothing holds up its start but that it is to go down first. */
/* What starts it again knows only where it stood. */
static void test_a_vm_has_moved_onto_what_reboots(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	stack_vm(&job.stack, stack_hypervisor(&job.stack, &job.stack.vms[1]), PM_VM_RUNNING);
	plan_on_stack(&job, PM_COMMAND_REBOOT, STACK, 0); /* 1: v3, 2: v4, 3: v1, 4: v2, 5: h2, 6: h3, ... */
	job.steps[0].state = PM_JOB_RUNNING;
	vm_down(&job, 4);
	done(&job, 2);
	job.stack.vms[2].hypervisor = &job.stack.hypervisors[2];
	assert_string_equal(more(&job, 4), "busy");
	assert_string_equal(job.err.text,
			    "VM v3 stands on it now, and is to come up before it has gone down");
	vm_down(&job, 3);
	done(&job, 1);
	assert_string_equal(more(&job, 4), "busy"); /* it is down, but not for long */
	vm_is(&job.stack.vms[2], PM_VM_RUNNING);
	all_done(&job); /* it is up again, as it was to be */
	job.steps[3].state = PM_JOB_NOT_READY;
	assert_string_equal(more(&job, 4), "1 vmShutdown v3 >4, 3 hypervisorConnect h3 <4, 4 vmStart v3 <10");
	end(&job);
}

static void test_a_vm_came_after_its_host_has_rebooted(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = false;
	plan_on_stack(&job, PM_COMMAND_REBOOT, STACK, 0); /* 1: h1 */
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = true;
	all_done(&job);
	more(&job, 0); /* ..., 5: h2, 6: v3 up */
	all_done(&job);
	stack_vm(&job.stack, &job.stack.hypervisors[1], PM_VM_RUNNING);
	assert_string_equal(more(&job, 0), "1 vmShutdown v4, 2 vmStart v4 <7");
	end(&job);
}

static void test_a_vm_came_before_its_machine_reboots(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = false;
	plan_on_stack(&job, PM_COMMAND_REBOOT, BOTH, 0); /* 1: h1, 2: soft, 3: or hard, 4: up */
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = true;
	done(&job, 1);
	assert_string_equal(
	    more(&job, 2),
	    "1 vmShutdown v2 >2, 1 vmShutdown v3 >7, 2 vmShutdown v1 >2, 5 hypervisorConnect h1 <4, "
	    "6 vmStart v1 <8, 6 vmStart v2 <8, 7 hypervisorConnect h2 <9, 8 vmStart v3 <11");
	end(&job);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void test_a_stack_is_down_when_all_of_it_is(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SHUTDOWN, STACK, 0);
	for (unsigned vm = 1; vm <= 3; vm++)
		vm_down(&job, vm);
	job.stack.hypervisors[1].up = false;
	all_done(&job);
	stack_vm(&job.stack, &job.stack.hypervisors[0], PM_VM_RUNNING);
	assert_string_equal(more(&job, 0), "1 vmShutdown v4");
	vm_down(&job, 4);
	all_done(&job);
	job.stack.hypervisors[0].up = false;
	assert_string_equal(more(&job, 0), "1 hypervisorConnect h1");
	job.stack.hypervisors[0].up = true;
	all_done(&job);
	assert_string_equal(more(&job, 0), "");
	end(&job);
}

static void test_stopped_vms_stay_as_they_are(void **state)
{
	struct job_on_stack job;

	(void)state;
	begin(&job, PM_COMMAND_SUSPEND, STACK, 0);
	for (unsigned vm = 1; vm <= 3; vm++)
		vm_is(&job.stack.vms[vm - 1], PM_VM_PAUSED);
	job.stack.hypervisors[1].up = false;
	job.stack.hypervisors[1].frozen = true;
	all_done(&job);
	assert_string_equal(more(&job, 0), "");
	vm_is(&job.stack.vms[1], PM_VM_RUNNING);
	assert_string_equal(more(&job, 0), "1 vmPause v2");
	end(&job);
}

static void test_hard_where_nobody_answered_at_first(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	stack_vm(&job.stack, stack_hypervisor(&job.stack, NULL), PM_VM_RUNNING);
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = false;
	plan_on_stack(&job, PM_COMMAND_POWER_OFF, STACK, 0); /* 1: v4, 2: h1 */
	assert_int_equal(job.count, 2);
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = true;
	all_done(&job);
	assert_string_equal(more(&job, 0), "1 vmDestroy v1, 1 vmDestroy v2");
	check_text(&job, 3, "added: it is up");
	all_done(&job);
	assert_string_equal(more(&job, 0), "");
	end(&job);
}

static void test_autostart_on_what_answers_now(void **state)
{
	struct job_on_stack job;

	(void)state;
	build(&job);
	job.stack.hypervisor_configs[0].autostart = job.stack.hypervisor_configs[1].autostart = true;
	job.stack.hypervisors[0].up = job.stack.hypervisors[1].up = false;
	plan_on_stack(&job, PM_COMMAND_POWER_ON, MACHINE, 0); /* 1: up, 2: h1 */
	assert_int_equal(job.count, 2);
	job.stack.hypervisors[0].up = true;
	for (unsigned vm = 1; vm <= 3; vm++) {
		vm_down(&job, vm);
		job.stack.vms[vm - 1].autostart = true;
	}
	all_done(&job);
	assert_string_equal(more(&job, 0),
			    "1 vmStart v1, 1 vmStart v2, 2 hypervisorConnect h2 <3, 3 vmStart v3 <5");
	check_text(&job, 3, "added: it is not up");
	all_done(&job); /* v2 goes down again by itself: it was started */
	vm_is(&job.stack.vms[0], PM_VM_RUNNING);
	job.stack.hypervisors[1].up = true;
	vm_is(&job.stack.vms[2], PM_VM_RUNNING);
	assert_string_equal(more(&job, 0), "");
	end(&job);
}

/* --- thousands ----------------------------------------------------------------------------------- */

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* On so many hypervisors, each but the first in a VM of the one before it at a third of its place. */
static void build_large(struct stack *stack, unsigned vms, unsigned hypervisors)
{
	unsigned each = vms / hypervisors;

	stack_begin(stack, hypervisors, vms);
	for (unsigned i = 0; i < hypervisors; i++) {
		struct pm_hypervisor *on = stack_hypervisor(stack, i ? &stack->vms[i / 3 * each] : NULL);

		for (unsigned n = 0; n < each; n++)
			stack_vm(stack, on, PM_VM_RUNNING);
	}
}

/* Makes a plan, and asks at each of its steps whether there is more: the time of both. */
static void measure(unsigned vms, unsigned hypervisors, double *plan_ms, double *more_ms)
{
	const struct pm_job_spec spec = spec_of_row(PM_COMMAND_REBOOT, STACK);
	struct stack stack;
	struct pm_plan plan, added;
	double start_ms;

	build_large(&stack, vms, hypervisors);
	start_ms = cpu_ms();
	assert_int_equal(pm_plan(&stack.machine, &spec, false, &plan, NULL), 0);
	*plan_ms = cpu_ms() - start_ms;
	for (unsigned i = 0; i < plan.count; i++)
		if (plan.steps[i].action == PM_STEP_VM_SHUTDOWN)
			plan.steps[i].state = PM_JOB_SUCCEEDED;
	for (unsigned i = 0; i < vms; i++)
		if (pm_vm_parent(&stack.vms[i]))
			vm_is(&stack.vms[i], PM_VM_SHUTDOWN);
	for (unsigned i = 0; i < hypervisors; i++)
		stack.hypervisors[i].up =
		    !stack.hypervisors[i].host || pm_vm_is_up(stack.hypervisors[i].host);
	start_ms = cpu_ms();
	for (unsigned number = 0; number <= plan.count; number++) {
		assert_int_equal(
		    pm_plan_more(&stack.machine, &spec, plan.steps, plan.count, number, &added, NULL), 0);
		assert_int_equal(added.count, 0);
	}
	*more_ms = cpu_ms() - start_ms;
	pm_plan_free(&plan);
	stack_end(&stack);
}

static double fastest(unsigned vms, unsigned hypervisors, double *more_ms)
{
	double best_ms = 1e9, plan_ms, each_ms;

	*more_ms = 1e9;
	for (int i = 0; i < 5; i++) {
		measure(vms, hypervisors, &plan_ms, &each_ms);
		best_ms = plan_ms < best_ms ? plan_ms : best_ms;
		*more_ms = each_ms < *more_ms ? each_ms : *more_ms;
	}
	return best_ms;
}

/* Eight times as many VMs take eight times as long, and a bit; not sixty-four times. */
static void test_thousands_of_vms(void **state)
{
	double more_ms, few_ms, many_ms;

	(void)state;
	few_ms = fastest(2000, 50, &more_ms);
	print_message("2,000 VMs on 50 hypervisors: %.2f ms for the plan, %.2f ms for what may be lacking\n",
		      few_ms, more_ms);
	assert_true(more_ms < 5000);
	many_ms = fastest(16000, 50, &more_ms);
	print_message("16,000 VMs: %.2f ms for the plan, %.2f ms\n", many_ms, more_ms);
	assert_true(many_ms < few_ms * 30);
	print_message("2,000 VMs on one: %.2f ms\n", fastest(2000, 1, &more_ms));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_added_to_what_has_gone_well),
	    cmocka_unit_test(test_a_vm_came),
	    cmocka_unit_test(test_a_branch_came_before_the_plug_is_pulled),
	    cmocka_unit_test(test_a_vm_that_will_not_stay_down),
	    cmocka_unit_test(test_a_hypervisor_was_lost),
	    cmocka_unit_test(test_a_vm_has_moved_onto_another),
	    cmocka_unit_test(test_a_parent_has_moved_onto_its_child),
	    cmocka_unit_test(test_a_vm_was_stopped_before_it_is_asked),
	    cmocka_unit_test(test_the_machine_alone_does_not_go_under_vms),
	    cmocka_unit_test(test_what_is_done_at_once_is_not_held_up),
	    cmocka_unit_test(test_a_vm_is_gone),
	    cmocka_unit_test(test_a_vm_came_before_its_host_reboots),
	    cmocka_unit_test(test_a_vm_came_on_a_hypervisor_that_is_astray),
	    cmocka_unit_test(test_a_vm_came_on_a_host_that_nobody_can_ask),
	    cmocka_unit_test(test_a_transient_vm_came_before_its_host_reboots),
	    cmocka_unit_test(test_a_stack_is_rebooted_that_did_not_answer_at_first),
	    cmocka_unit_test(test_a_vm_has_moved_onto_what_reboots),
	    cmocka_unit_test(test_a_vm_came_after_its_host_has_rebooted),
	    cmocka_unit_test(test_a_vm_came_before_its_machine_reboots),
	    cmocka_unit_test(test_a_stack_is_down_when_all_of_it_is),
	    cmocka_unit_test(test_stopped_vms_stay_as_they_are),
	    cmocka_unit_test(test_hard_where_nobody_answered_at_first),
	    cmocka_unit_test(test_autostart_on_what_answers_now),
	    cmocka_unit_test(test_thousands_of_vms),
	};

	return cmocka_run_group_tests_name("what a plan lacks", tests, NULL, NULL);
}
