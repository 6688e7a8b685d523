/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A storm of events is a few lines in the log, and every event is in the history all the same. */
#include "agent/event_log.h"
#include "tests/unit/agent/support.h"

#define MACHINES 300

static struct world world;
static struct pm_agent *agent = &world.agent;
static int saved_stderr;
static FILE *file;

static int set_up(void **state)
{
	(void)state;
	world_begin(&world, world_inventory(MACHINES));
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	file = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	if (!file || saved_stderr < 0 || dup2(fileno(file), STDERR_FILENO) < 0)
		return -1;
	return pm_event_log_new(agent);
}

static int tear_down(void **state)
{
	(void)state;
	pm_event_log_free(agent);
	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fclose(file);
	world_end(&world);
	return 0;
}

/* How many lines of the log have text. */
static unsigned logged(const char *text)
{
	char line[2048];
	unsigned count = 0;

	fflush(stderr);
	rewind(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, text) != NULL;
	return count;
}

static void all_down(unsigned first, unsigned last)
{
	for (unsigned i = first; i < last; i++)
		pm_event_add(agent->machines[i], PM_EVENT_BMC_DOWN, PM_SEVERITY_CRITICAL, "no answer");
}

static void test_few_events_are_lines_in_full(void **state)
{
	(void)state;
	all_down(0, 20);
	assert_int_equal(logged(" error: m1: no answer"), 1);
	assert_int_equal(logged("no answer"), 20);
	pm_event_log_free(agent);
	assert_int_equal(logged("more"), 0);
}

static void test_a_storm_is_summarized(void **state)
{
	(void)state;
	all_down(0, 100);
	assert_int_equal(logged("no answer"), 20);
	run_for(&world, 2100);
	assert_int_equal(logged(" error: 80 more BMCs are down: m21, m22, m23, "), 1);
	all_down(100, 300); /* it goes on: no more lines in full, and not all names */
	run_for(&world, 2100);
	assert_int_equal(logged("no answer"), 20);
	assert_int_equal(logged("200 more BMCs are down: m101, "), 1);
	assert_int_equal(logged(", ...; each is in pmEventTable"), 2);
	assert_int_equal(logged("BMCs"), 2);
	for (unsigned i = 0; i < MACHINES; i++)
		assert_int_equal(agent->machines[i]->event_last, 1);
	run_for(&world, 2100); /* it is over */
	all_down(0, 1);
	assert_int_equal(logged("m1: no answer"), 2);
}

static void test_after_a_storm_few_events_are_lines_again(void **state)
{
	(void)state;
	all_down(0, 100);
	run_for(&world, 2100);
	all_down(100, 101); /* in the window after it */
	run_for(&world, 2100);
	assert_int_equal(logged(" error: 1 more BMC is down: m101; each"), 1);
	for (unsigned i = 101; i < 104; i++) {
		all_down(i, i + 1);
		run_for(&world, 700);
	}
	assert_int_equal(logged("no answer"), 23);
	assert_int_equal(logged("more"), 2);
}

static void test_what_is_held_back_is_written_at_the_end(void **state)
{
	(void)state;
	all_down(0, 22);
	pm_event_log_free(agent);
	assert_int_equal(logged("2 more BMCs are down: m21, m22; each"), 1);
}

/* Of one machine: it is named once. */
static void test_a_storm_of_one_machine(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		pm_event_add(agent->machines[i < 990 ? 0 : 9], PM_EVENT_VM_STATE, PM_SEVERITY_OK,
			     "VM v%u: running, was shutdown", i);
	pm_event_log_free(agent);
	assert_int_equal(logged("running"), 20);
	assert_int_equal(logged(" info: 980 more changes of VMs: m1, m10; the newest are in pmEventTable"),
			 1);
}

static void test_jobs_and_other_kinds_are_never_held_back(void **state)
{
	(void)state;
	all_down(0, MACHINES);
	for (unsigned i = 0; i < MACHINES; i++)
		pm_event_add(agent->machines[i], PM_EVENT_JOB_FAILED, PM_SEVERITY_CRITICAL, "job failed");
	pm_event_add(agent->machines[0], PM_EVENT_BMC_UP, PM_SEVERITY_OK, "the BMC answers again");
	assert_int_equal(logged("job failed"), MACHINES);
	assert_int_equal(logged("m1: the BMC answers again"), 1);
}

static void test_a_text_with_the_name_is_not_named_twice(void **state)
{
	(void)state;
	pm_event_add(agent->machines[0], PM_EVENT_BMC_DOWN, PM_SEVERITY_CRITICAL, "m1: BMC 10.0.0.1:623 ...");
	pm_event_add(agent->machines[0], PM_EVENT_BMC_DOWN, PM_SEVERITY_CRITICAL, "m10 is another");
	assert_int_equal(logged(" error: m1: BMC 10.0.0.1"), 1);
	assert_int_equal(logged(" error: m1: m10 is another"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_few_events_are_lines_in_full),
	    TEST(test_a_storm_is_summarized),
	    TEST(test_after_a_storm_few_events_are_lines_again),
	    TEST(test_what_is_held_back_is_written_at_the_end),
	    TEST(test_a_storm_of_one_machine),
	    TEST(test_jobs_and_other_kinds_are_never_held_back),
	    TEST(test_a_text_with_the_name_is_not_named_twice),
	};

	return cmocka_run_group_tests_name("event_log", tests, NULL, NULL);
}
