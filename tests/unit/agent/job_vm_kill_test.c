/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An agent that is killed at any moment of a job on a stack, and started again: the job comes to an end, nothing goes down under
 * what runs on it, and nothing momentary is done twice. Killed is at each commit, and after each command to a hypervisor or a
 * BMC; the world goes on meanwhile.
 */
#include "tests/unit/agent/job_stacks.h"

#define MOMENTS_MAX 400

static unsigned deaths;
static unsigned moments, last_moment; /* passed so far; after so many it is killed, 0: never */
static bool dying, in_set;
static int64_t kill_ms; /* at this time, whatever happens; 0: never */

static void die(void)
{
	freeze_journal(&world);
	dying =
	    true; /* what is done until the loop has turned is done by who did not know that it was dead */
}

static void moment(void)
{
	if (!in_set || dying || ++moments != last_moment)
		return;
	freeze_journal(&world);
	dying =
	    true; /* what is done until the loop has turned is done by who did not know that it was dead */
}

int __real_pm_store_commit(struct pm_store *store, struct pm_error *commit_error);
int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *commit_error);

int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *commit_error)
{
	int error = __real_pm_store_commit(store, commit_error);

	if (!error)
		moment();
	return error;
}

/* --- lives ------------------------------------------------------------------------------------------------------ */

static bool is_over(void)
{
	return !machine->job && !agent->flush_pending && !agent->syncing;
}

struct experiment {
	const char *name;
	enum pm_command action;
	enum pm_scope scope;
	const char *vm; /* NULL: the machine */
	bool force;     /* afterTimeout, and one that does not go */
	bool from_off;
	unsigned up; /* so many VMs run in the end */
	bool on;     /* and the machine */
};

static void begin(const struct experiment *experiment)
{
	struct pm_job_spec spec = spec_of(experiment->action, experiment->scope);

	if (experiment->vm)
		spec.vm = vm(experiment->vm)->index;
	if (experiment->force) {
		web1->shutdown_ms = FAKE_NEVER;
		spec.force = PM_FORCE_AFTER_TIMEOUT;
		spec.vm_timeout_s = 10;
	}
	in_set = true;
	create("job", spec);
}

static unsigned real_vms_up(void)
{
	struct fake_vm *all[] = {leaf, app1, app2, db1, web1, web2};
	unsigned count = 0;

	for (size_t i = 0; i < LENGTH(all); i++)
		count += all[i]->is.active;
	return count;
}

static void run_until_over(const struct experiment *experiment, unsigned again_at)
{
	size_t length = fake_log_length();

	for (int64_t limit_ms = passed_ms + 600000; !is_over(); turn()) {
		assert_true(passed_ms < limit_ms);
		if (fake_log_length() != length)
			moment();
		length = fake_log_length();
		if (kill_ms && passed_ms >= kill_ms && !dying) {
			kill_ms = 0;
			die();
		}
		if (!dying)
			continue;
		die_and_rise(1000, true);
		dying = false;
		length = fake_log_length();
		moments = 0;
		last_moment = deaths++ == 0 ? again_at : 0;
	}
	(void)experiment;
}

/* --- what is left ----------------------------------------------------------------------------------------------- */

static unsigned unfinished;

static void count_step(const struct pm_stored_step *step, void *data)
{
	(void)data;
	unfinished += step->state > PM_JOB_NOT_READY && step->state < PM_JOB_SUCCEEDED;
}

static bool is_good(const struct pm_job *job)
{
	return job->state == PM_JOB_SUCCEEDED;
}

static void complain(const struct experiment *experiment, unsigned at, unsigned again, const char *what)
{
	const struct pm_job *job = row("job");

	fake_log_dump(stderr);
	fail_msg("%s, killed at %u and %u: %s: %s: %s; %u VMs run", experiment->name, at, again, what,
		 pm_result_name(job->result), pm_job_text(job), real_vms_up());
}

static void judge(const struct experiment *experiment, unsigned at, unsigned again)
{
	static const char *const names[] = {"leaf", "app1", "app2", "db1", "web1", "web2"};
	const struct pm_job *job = row("job");
	bool may_be_unknown = experiment->action == PM_COMMAND_REBOOT;

	unfinished = 0;
	assert_int_equal(pm_store_steps_load(agent->store, 0, count_step, NULL, &err), 0);
	if (unfinished || journal_read(&world, true))
		complain(experiment, at, again, "not ended in the journal");
	if (fake_log_count(FAKE_KILLED, NULL, 0))
		complain(experiment, at, again, "killed under what ran on it");
	for (size_t i = 0; i < LENGTH(names); i++)
		if (asked(names[i], STACK_REBOOT) > 1 || asked(names[i], STACK_RESET) > 1)
			complain(experiment, at, again, "done twice");
	if (experiment->action == PM_COMMAND_REBOOT && real.soft > 1)
		complain(experiment, at, again, "rebooted twice");
	if (!is_good(job) && !(may_be_unknown && job->result == PM_RESULT_INTERRUPTED))
		complain(experiment, at, again, "not done");
	if (is_good(job) && (real_vms_up() != experiment->up || real.on != experiment->on))
		complain(experiment, at, again, "not as it was to be");
	if (asked("web1", STACK_DESTROY) > 0 && !experiment->force)
		complain(experiment, at, again, "switched off");
}

/* Returns whether there was such a moment. after_ms: at this time instead; 0: at a moment. */
static bool perform(const struct experiment *experiment, unsigned at, unsigned again, unsigned after_ms)
{
	in_set = dying = false;
	deaths = 0;
	set_up(NULL);
	if (experiment->from_off) {
		struct pm_job *job = command(PM_COMMAND_SHUTDOWN, NULL);

		assert_ends(job, PM_RESULT_OK, "");
		until(is_over());
		fake_log_clear();
		real.soft = 0;
		h1->boot_ms = 2000;
		h2->boot_ms = h3->boot_ms = 1000;
		db1->start_ms = app1->start_ms = leaf->start_ms = 700;
	}
	moments = 0;
	last_moment = at;
	kill_ms = after_ms ? passed_ms + after_ms : 0;
	begin(experiment);
	run_until_over(experiment, again);
	in_set = false;
	judge(experiment, at, again);
	tear_down(NULL);
	return deaths > 0;
}

static void kill_everywhere(const struct experiment *experiment, unsigned moments_min)
{
	unsigned at = 1, times = 0;

	while (at < MOMENTS_MAX && perform(experiment, at, at % 3 ? 1 + repeatable_random(20) : 0, 0))
		at++;
	while (perform(experiment, 0, 0, (times + 1) * 500))
		times++;
	print_message("# %s: killed at each of %u moments, and %u times\n", experiment->name, at - 1, times);
	assert_true(at > moments_min);
}

static void test_three_levels_down(void **state)
{
	(void)state;
	kill_everywhere(&(struct experiment){"shutdown of the stack", .action = PM_COMMAND_SHUTDOWN,
					     .scope = PM_SCOPE_STACK, .on = true},
			10);
}

static void test_and_the_machine(void **state)
{
	(void)state;
	kill_everywhere(&(struct experiment){"shutdown of all", .action = PM_COMMAND_SHUTDOWN,
					     .scope = PM_SCOPE_STACK_AND_MACHINE},
			12);
}

static void test_with_one_that_does_not_go(void **state)
{
	(void)state;
	kill_everywhere(&(struct experiment){"shutdown with force afterTimeout",
					     .action = PM_COMMAND_SHUTDOWN, .scope = PM_SCOPE_STACK,
					     .force = true, .on = true},
			10);
}

static void test_reboot(void **state)
{
	(void)state;
	kill_everywhere(&(struct experiment){"reboot of the stack", .action = PM_COMMAND_REBOOT,
					     .scope = PM_SCOPE_STACK, .up = 6, .on = true},
			12);
}

static void test_reboot_of_all(void **state)
{
	(void)state;
	kill_everywhere(&(struct experiment){"reboot of all", .action = PM_COMMAND_REBOOT,
					     .scope = PM_SCOPE_STACK_AND_MACHINE, .up = 6, .on = true},
			12);
}

static void test_up(void **state)
{
	(void)state;
	kill_everywhere(&(struct experiment){"powerOn of a nested VM", .action = PM_COMMAND_POWER_ON,
					     .scope = PM_SCOPE_STACK, .vm = "leaf", .from_off = true, .up = 3,
					     .on = true},
			8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_three_levels_down),
	    cmocka_unit_test(test_and_the_machine),
	    cmocka_unit_test(test_with_one_that_does_not_go),
	    cmocka_unit_test(test_reboot),
	    cmocka_unit_test(test_reboot_of_all),
	    cmocka_unit_test(test_up),
	};

	return cmocka_run_group_tests_name("job vm kill", tests, NULL, NULL);
}
