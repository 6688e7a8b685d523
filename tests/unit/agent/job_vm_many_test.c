/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two thousand VMs in one job: what the SET takes, and what the loop does until the end. */
#include "tests/unit/agent/job_stacks.h"

#include <sys/resource.h>

#define MANY 2000

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double real_s(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void make_many(void)
{
	for (unsigned i = 0; i < MANY; i++) {
		char name[16];
		struct fake_vm *made;

		snprintf(name, sizeof(name), "vm%u", i);
		made = fake_vm_new(h1, name, PM_VM_RUNNING);
		made->shutdown_ms = 1000 + i % 7 * 300;
	}
	until(machine->vm_count == MANY + 6);
	pass_s(2);
	fake_log_clear();
}

/* Of which half need a step more, if they do not go. */
static void test_shutdown_of_many(void **state)
{
	struct pm_job_spec spec = spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK_AND_MACHINE);
	double begun_s, set_s, begun_cpu_s;
	struct pm_job *job;

	(void)state;
	agent->inventory->machines[0].hypervisors[0].parallel = 50;
	make_many();
	spec.force = PM_FORCE_AFTER_TIMEOUT;
	spec.timeout_s = 3600;
	begun_s = real_s();
	job = create("off", spec);
	set_s = real_s() - begun_s;
	begun_cpu_s = cpu_s();
	assert_int_equal(job->step_count, 2 * (MANY + 6) + 2);
	assert_ends(job, PM_RESULT_OK, "2006 VMs shut down; m1: off, observed by the BMC");
	print_message("# %u steps: the SET took %.3f s, all the rest %.2f s of CPU\n", job->step_count, set_s,
		      cpu_s() - begun_cpu_s);
	assert_nothing_killed();
	assert_true(set_s < 2);
}

/* All at once, and taken up after a restart. */
static void test_many_at_once(void **state)
{
	struct pm_job *job;
	double begun_s;

	(void)state;
	agent->inventory->machines[0].hypervisors[0].parallel = 5000;
	make_many();
	job = create("off", spec_of(PM_COMMAND_SHUTDOWN, PM_SCOPE_STACK));
	until(asked(NULL, STACK_SHUTDOWN) >= MANY);
	pass_s(1);
	assert_says(pm_job_text(job), " more");
	pm_flush(agent);
	kill_agent(&world);
	pm_stack_free(machine);
	begun_s = real_s();
	assert_int_equal(pm_stack_restore(agent, &err), 0);
	pm_stack_apply(machine);
	start_agent(&world);
	print_message("# taken up again in %.3f s\n", real_s() - begun_s);
	job = row("off");
	assert_int_equal(job->step_count, MANY + 6);
	assert_ends(job, PM_RESULT_OK, "");
	assert_nothing_killed();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_shutdown_of_many),
	    TEST(test_many_at_once),
	};

	return cmocka_run_group_tests_name("job vm many", tests, NULL, NULL);
}
