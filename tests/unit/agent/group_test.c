/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Groups: who is in which, how they are counted, and a verb for all: who gets a job, who does not, and who is told. */
#include "agent/group.h"
#include "tests/unit/agent/jobs.h"

#define MACHINES 5

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine **machines; /* each with a BMC; answers come from the tests */
static struct pm_group *rack, *pair, *nobody;
static struct pm_error err;

static void make_groups(struct pm_inventory *inventory)
{
	give_group(inventory, "rack", 0, MACHINES);
	give_group(inventory, "pair", 700, 2);
	give_group(inventory, "nobody", 0, 0);
}

static void find_groups(void)
{
	rack = pm_agent_group(agent, "rack");
	pair = pm_agent_group(agent, "pair");
	nobody = pm_agent_group(agent, "nobody");
}

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(MACHINES);

	(void)state;
	make_groups(inventory);
	for (size_t i = 0; i < MACHINES; i++)
		give_bmc_config(&inventory->machines[i], NULL, 623);
	world_begin(&world, inventory);
	machines = agent->machines;
	for (size_t i = 0; i < MACHINES; i++)
		give_bmc(machines[i]);
	pm_groups_rebuild(agent, false);
	find_groups();
	err.text[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pm_jobs_stop(agent);
	assert_int_equal(agent->jobs_reserved, 0);
	world_end(&world);
	return 0;
}

static void all_on(void)
{
	for (size_t i = 0; i < MACHINES; i++)
		bmc_says(machines[i], true);
}

static void take_bmc_away(size_t machine)
{
	free(machines[machine]->bmc);
	machines[machine]->bmc = NULL;
}

static struct pm_group_command *reserve(struct pm_group *group, enum pm_command action, uint32_t stagger_ms)
{
	struct pm_group_command *command;

	if (pm_group_reserve(group, action, stagger_ms, &command, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(command);
	return command;
}

/* A whole SET. */
static void request(struct pm_group *group, enum pm_command action, uint32_t stagger_ms)
{
	struct pm_group_command *command = reserve(group, action, stagger_ms);

	assert_int_equal(pm_group_journal(command, &err), 0);
	pm_group_release(command);
}

static void assert_refused(struct pm_group *group, enum pm_command action, int error, const char *word)
{
	struct pm_group_command *command = (void *)1;
	unsigned reserved = agent->jobs_reserved, active = pm_jobs_active(agent);

	err.text[0] = '\0';
	assert_int_equal(pm_group_reserve(group, action, 0, &command, &err), error);
	assert_null(command);
	if (!strstr(err.text, word))
		fail_msg("\"%s\" does not say \"%s\"", err.text, word);
	assert_int_equal(agent->jobs_reserved, reserved);
	assert_int_equal(pm_jobs_active(agent), active);
}

static const struct pm_event *last_event(size_t machine)
{
	return pm_event_from(machines[machine], machines[machine]->event_last);
}

static char journal_text[512];

static const char *journal(void)
{
	size_t length = 0;

	journal_text[0] = '\0';
	journal_read(&world, true);
	for (unsigned i = journal_count; i-- > 0;) { /* the last machine of all is the first of the group */
		const struct pm_stored_job *job = &journal_jobs[i];
		int64_t later_ms = job->state == PM_JOB_SCHEDULED && job->not_before_ms
				       ? job->not_before_ms - job->created_ms
				       : 0;

		length += (size_t)snprintf(journal_text + length, sizeof(journal_text) - length,
					   "m%u a%u o%u +%lld;", job->machine, job->action, job->origin,
					   (long long)later_ms);
	}
	return journal_text;
}

/* --- members --------------------------------------------------------------------------------------------------------- */

static void test_members_are_in_the_order_of_the_configuration(void **state)
{
	(void)state;
	assert_int_equal(agent->group_count, 3);
	assert_int_equal(rack->member_count, MACHINES);
	for (size_t i = 0; i < MACHINES; i++)
		assert_ptr_equal(rack->members[i], machines[MACHINES - 1 - i]);
	assert_int_equal(pair->member_count, 2);
	assert_int_equal(pair->stagger_ms, 700);
	assert_int_equal(nobody->member_count, 0);
	assert_null(pm_agent_group(agent, "rac"));
	assert_null(pm_agent_group(agent, ""));
}

static void test_a_reload_keeps_what_was_written_only_when_told_to(void **state)
{
	(void)state;
	pair->stagger_ms = 5;
	pm_groups_rebuild(agent, true);
	find_groups();
	assert_int_equal(pair->stagger_ms, 5);
	pm_groups_rebuild(agent, false);
	find_groups();
	assert_int_equal(pair->stagger_ms, 700);
}

static void assert_counts(struct pm_group *group, uint32_t on, uint32_t off, uint32_t unknown,
			  uint32_t active_jobs)
{
	const struct pm_group_counts *counts = pm_group_counts(group);

	assert_int_equal(counts->on, on);
	assert_int_equal(counts->off, off);
	assert_int_equal(counts->unknown, unknown);
	assert_int_equal(counts->active_jobs, active_jobs);
}

/* By what pmMachinePowerState shows: who is on its way is in none of the three. */
static void test_counts_follow_the_states_as_shown(void **state)
{
	(void)state;
	assert_counts(rack, 0, 0, MACHINES, 0);
	assert_counts(nobody, 0, 0, 0, 0);
	bmc_says(machines[0], true);
	assert_counts(rack, 1, 0, MACHINES - 1, 0);
	bmc_says(machines[1], false);
	bmc_says(machines[4], false);
	assert_counts(rack, 1, 2, MACHINES - 3, 0);
	assert_counts(pair, 1, 1, 0, 0);
	pm_state_transition(machines[1], PM_POWER_POWERING_ON);
	assert_counts(pair, 1, 0, 0, 0);
	bmc_says(machines[1], true); /* which ends it */
	assert_counts(pair, 2, 0, 0, 0);
	pm_state_transition(machines[0], PM_POWER_RESTARTING);
	assert_counts(pair, 1, 0, 0, 0);
	pm_state_transition(machines[0], 0);
	assert_counts(pair, 2, 0, 0, 0);
	assert_counts(rack, 2, 1, MACHINES - 3, 0);
}

/* Any job of a member, from its acceptance to its end; not one that is only being asked for. */
static void test_active_jobs_are_counted(void **state)
{
	struct pm_group_command *command;

	(void)state;
	all_on();
	command = reserve(pair, PM_COMMAND_POWER_ON, 0);
	assert_counts(pair, 2, 0, 0, 0);
	assert_int_equal(pm_group_journal(command, &err), 0);
	agent->job_max_concurrent = 1;
	pm_group_release(command);
	assert_counts(pair, 2, 0, 0, 2); /* one runs, one waits */
	assert_counts(rack, MACHINES, 0, 0, 2);
	pm_job_abort(machines[0], "enough");
	assert_counts(pair, 2, 0, 0, 1);
	bmc_says(machines[1], true);
	assert_counts(rack, MACHINES, 0, 0, 0);
	pm_group_cancel(reserve(rack, PM_COMMAND_POWER_ON, 0));
	assert_counts(rack, MACHINES, 0, 0, 0);
}

static void test_a_count_is_made_only_after_a_change(void **state)
{
	(void)state;
	all_on();
	assert_counts(pair, 2, 0, 0, 0);
	pair->counts.on = 99;
	assert_int_equal(pm_group_counts(pair)->on, 99);
	bmc_says(machines[0], true); /* says nothing new */
	assert_int_equal(pm_group_counts(pair)->on, 99);
	bmc_says(machines[0], false);
	assert_counts(pair, 1, 1, 0, 0);
}

/* --- a verb ------------------------------------------------------------------------------------------------------------ */

static void test_every_member_gets_a_job(void **state)
{
	(void)state;
	all_on();
	request(rack, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(agent->jobs_running.count, MACHINES);
	assert_string_equal(journal(), "m5 a2 o6 +0;m4 a2 o6 +0;m3 a2 o6 +0;m2 a2 o6 +0;m1 a2 o6 +0;");
}

static void test_staggered(void **state)
{
	(void)state;
	all_on();
	request(rack, PM_COMMAND_POWER_ON, 3600000);
	assert_int_equal(agent->jobs_running.count, 1);
	assert_int_equal(pm_jobs_active(agent), MACHINES);
	assert_counts(rack, MACHINES, 0, 0, MACHINES);
	assert_string_equal(journal(), "m5 a2 o6 +0;m4 a2 o6 +3600000;m3 a2 o6 +7200000;m2 a2 o6 +10800000;"
				       "m1 a2 o6 +14400000;");
}

static void test_the_same_again_starts_nothing(void **state)
{
	(void)state;
	all_on();
	request(pair, PM_COMMAND_POWER_ON, 3600000);
	request(pair, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(agent->jobs_running.count, 1); /* nor does anybody get an earlier turn */
	assert_int_equal(pm_jobs_active(agent), 2);
	request(rack, PM_COMMAND_POWER_ON, 0); /* overlaps */
	assert_int_equal(pm_jobs_active(agent), MACHINES);
	assert_int_equal(agent->jobs_running.count, MACHINES - 1);
	assert_int_equal(machines[0]->last_result, PM_RESULT_NONE);
}

static void test_who_cannot_is_left_alone_and_told(void **state)
{
	(void)state;
	all_on();
	take_bmc_away(1);
	machines[2]->inhibit = true;
	snprintf(machines[2]->inhibit_reason, sizeof(machines[2]->inhibit_reason), "fan exchange");
	request(rack, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(pm_jobs_active(agent), 3);
	assert_null(machines[1]->job);
	assert_null(machines[2]->job);
	assert_int_equal(machines[1]->last_result, PM_RESULT_NOT_CONFIGURED);
	assert_non_null(strstr(machines[1]->last_result_text, "powerOn for group rack was not begun: "));
	assert_int_equal(machines[2]->last_result, PM_RESULT_REJECTED);
	assert_non_null(strstr(machines[2]->last_result_text, "fan exchange"));
	assert_int_equal(last_event(2)->kind, PM_EVENT_JOB_FAILED);
	assert_int_equal(last_event(2)->severity, PM_SEVERITY_WARNING);
	assert_string_equal(last_event(2)->text, machines[2]->last_result_text);
}

/* Its result is that of the job that it has. */
static void test_who_is_busy_with_something_else(void **state)
{
	(void)state;
	all_on();
	request(pair, PM_COMMAND_POWER_ON, 0);
	agent->job_max_concurrent = 2; /* so that cycle waits */
	request(rack, PM_COMMAND_CYCLE, 0);
	assert_int_equal(pm_jobs_active(agent), MACHINES);
	assert_int_equal(last_event(0)->kind, PM_EVENT_JOB_FAILED);
	assert_non_null(
	    strstr(last_event(0)->text,
		   "cycle for group rack was not begun: machine m1 is busy: job set-2 (powerOn)"));
	assert_int_equal(machines[0]->last_result, PM_RESULT_NONE);
	agent->job_max_concurrent = 0;
	bmc_says(machines[0], true);
	assert_int_equal(machines[0]->last_result, PM_RESULT_ALREADY_IN_STATE);
}

static void test_nobody_can(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES; i++)
		take_bmc_away(i);
	assert_refused(rack, PM_COMMAND_POWER_OFF, -EINVAL, "none of the 5 members of group rack can do it");
	assert_non_null(strstr(err.text, "m5 has no bmc")); /* the first of the configuration */
	assert_refused(rack, PM_COMMAND_SUSPEND, -EINVAL, "suspend");
	assert_refused(nobody, PM_COMMAND_POWER_OFF, -EINVAL, "no members");
	assert_int_equal(machines[0]->event_last, 0); /* who asked is told by the answer */
	assert_int_equal(machines[0]->last_result, PM_RESULT_NONE);
}

static void test_all_is_inhibited(void **state)
{
	(void)state;
	all_on();
	request(pair, PM_COMMAND_POWER_ON, 0);
	agent->inhibit = true;
	assert_refused(rack, PM_COMMAND_POWER_ON, -EPERM, "pmAgentInhibit");
	assert_refused(pair, PM_COMMAND_POWER_ON, -EPERM, "pmAgentInhibit"); /* though it is under way */
}

/* All or none: half a rack would be neither what was asked for nor what was answered. */
static void test_the_queue_is_full(void **state)
{
	(void)state;
	agent->jobs_reserved = 16384 - MACHINES + 1;
	assert_refused(rack, PM_COMMAND_POWER_OFF, -ENOSPC, "16384");
	for (size_t i = 0; i < MACHINES; i++)
		assert_null(machines[i]->job);
	agent->jobs_reserved--;
	pm_group_cancel(reserve(rack, PM_COMMAND_POWER_OFF, 0));
	agent->jobs_reserved = 0;
}

static void test_taken_back(void **state)
{
	struct pm_group_command *command;

	(void)state;
	machines[2]->inhibit = true;
	pm_group_cancel(reserve(rack, PM_COMMAND_CYCLE, 500));
	command = reserve(rack, PM_COMMAND_CYCLE, 500);
	assert_int_equal(pm_group_journal(command, &err), 0);
	pm_group_cancel(command);
	assert_string_equal(journal(), "");
	for (size_t i = 0; i < MACHINES; i++) {
		assert_null(machines[i]->job);
		assert_int_equal(machines[i]->event_last, 0);
		assert_int_equal(machines[i]->last_result, PM_RESULT_NONE);
	}
}

static void test_without_a_journal(void **state)
{
	struct pm_group_command *command = reserve(rack, PM_COMMAND_CYCLE, 0);
	sqlite3 *db = block_store(&world);

	(void)state;
	assert_true(pm_group_journal(command, &err) < 0);
	assert_true(*err.text != '\0');
	pm_group_cancel(command);
	sqlite3_close(db);
	assert_string_equal(journal(), "");
	assert_int_equal(pm_jobs_active(agent), 0);
}

/* Two groups in one SET, with members in both. */
static void test_two_groups_at_once(void **state)
{
	struct pm_group_command *first, *second;

	(void)state;
	all_on();
	first = reserve(pair, PM_COMMAND_POWER_ON, 0);
	second = reserve(rack, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(agent->jobs_reserved, MACHINES);
	pm_group_cancel(second);
	pm_group_cancel(first);
	first = reserve(pair, PM_COMMAND_POWER_ON, 0);
	second = reserve(rack, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(pm_group_journal(first, &err), 0);
	assert_int_equal(pm_group_journal(second, &err), 0);
	pm_group_release(first);
	pm_group_release(second);
	assert_int_equal(pm_jobs_active(agent), MACHINES);
}

/* Identify says by itself how long. */
static void test_identify(void **state)
{
	(void)state;
	agent->job_max_concurrent = 0;
	request(pair, PM_COMMAND_IDENTIFY, 0);
	request(pair, PM_COMMAND_IDENTIFY, 0); /* the same */
	assert_int_equal(pm_jobs_active(agent), 2);
	assert_int_equal(machines[0]->event_last, 0);
}

/* A manager whose answer was lost: who has done it already does not do it twice. */
static void test_the_same_again_before_all_have_ended(void **state)
{
	struct pm_group_command *command;

	(void)state;
	all_on();
	request(rack, PM_COMMAND_POWER_ON, 3600000);
	bmc_says(machines[4], true);
	assert_null(machines[4]->job);
	command = reserve(rack, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(agent->jobs_reserved, 0);
	assert_int_equal(pm_group_journal(command, &err), 0);
	pm_group_release(command);
	assert_null(machines[4]->job);
	assert_int_equal(pm_jobs_active(agent), MACHINES - 1);
	pm_group_cancel(reserve(rack, PM_COMMAND_POWER_ON, 0));
	assert_refused(pair, PM_COMMAND_CYCLE, -EINVAL, "busy"); /* another group, another verb */
}

/* --- what became of it ------------------------------------------------------------------------------------------------- */

static unsigned times_told(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < world_sent_count; i++)
		count += world_sent[i].type == PM_NOTIFY_GROUP_FINISHED;
	return count;
}

static const struct pm_notification *finished(void)
{
	world_drain(&world);
	assert_int_equal(times_told(), 1);
	return world_told(PM_NOTIFY_GROUP_FINISHED, 0);
}

static void assert_not_finished(void)
{
	world_drain(&world);
	assert_int_equal(times_told(), 0);
}

static void note_group(const struct pm_stored_group *group, void *data)
{
	struct pm_stored_group *last = data;

	*last = *group;
}

/* The command in the journal; jobs 0: there is none. */
static struct pm_stored_group record(void)
{
	struct pm_stored_group group = {0};

	assert_int_equal(pm_store_groups_load(agent->store, note_group, &group, &err), 0);
	return group;
}

static void test_the_end_of_a_command_is_told_once(void **state)
{
	const struct pm_notification *notification;

	(void)state;
	all_on();
	take_bmc_away(1);
	request(pair, PM_COMMAND_POWER_ON, 0); /* m1 alone */
	bmc_says(machines[0], true);
	world_drain(&world);
	world_sent_count = 0;
	agent->job_max_concurrent = 2;
	request(pair, PM_COMMAND_POWER_ON, 0);
	request(rack, PM_COMMAND_POWER_ON, 0); /* m1 is doing it, m2 cannot */
	assert_int_equal(record().jobs, 3);
	assert_int_equal(record().under_way, 1);
	assert_int_equal(record().refused, 1);
	bmc_says(machines[4], true);
	pm_job_abort(machines[3], "enough");
	assert_not_finished();
	pm_flush(agent);
	assert_int_equal(record().succeeded, 1);
	assert_int_equal(record().failed, 1);
	bmc_says(machines[0], true); /* a job of the other command */
	world_drain(&world);
	assert_int_equal(times_told(), 1);
	assert_string_equal(world_told(PM_NOTIFY_GROUP_FINISHED, 0)->group_name, "pair");
	world_sent_count = 0;
	bmc_says(machines[2], true);
	notification = finished();
	assert_string_equal(notification->group_name, "rack");
	assert_int_equal(notification->action, PM_COMMAND_POWER_ON);
	assert_int_equal(notification->jobs, 3);
	assert_int_equal(notification->succeeded, 2);
	assert_int_equal(notification->failed, 1);
	assert_string_equal(
	    notification->text,
	    "powerOn for group rack: 2 of 3 jobs succeeded (members that were doing it already: "
	    "1, that could not: 1)");
	assert_int_equal(record().jobs, 0);
}

static void test_nobody_got_a_job(void **state)
{
	(void)state;
	all_on();
	request(pair, PM_COMMAND_POWER_ON, 0);
	request(pair, PM_COMMAND_POWER_ON, 0); /* a manager whose answer was lost */
	assert_int_equal(record().under_way, 0);
	assert_int_equal(record().jobs, 2);
	bmc_says(machines[0], true);
	bmc_says(machines[1], true);
	assert_int_equal(finished()->jobs, 2);
}

static void test_rows_of_a_command_know_it(void **state)
{
	(void)state;
	all_on();
	request(pair, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(machines[0]->job->group, record().id);
	assert_int_equal(machines[1]->job->group, record().id);
	request(rack, PM_COMMAND_POWER_ON, 0);
	assert_true(machines[2]->job->group != machines[0]->job->group);
}

/* The agent is killed; the count goes on. */
static void test_a_command_over_restarts(void **state)
{
	(void)state;
	all_on();
	request(rack, PM_COMMAND_POWER_ON, 0);
	bmc_says(machines[0], true);
	bmc_says(machines[1], true);
	pm_flush(agent);
	kill_agent(&world);
	start_agent(&world);
	bmc_says(machines[2], true);
	pm_flush(agent);
	kill_agent(&world);
	start_agent(&world);
	bmc_says(machines[3], true);
	assert_not_finished();
	bmc_says(machines[4], true);
	assert_int_equal(finished()->succeeded, MACHINES);
	assert_int_equal(finished()->failed, 0);
	pm_flush(agent);
	kill_agent(&world);
	start_agent(&world);
	finished(); /* not once more */
}

/* What was not flushed before the kill is counted when it ends again; what is interrupted counts as failed. */
static void test_a_command_that_is_interrupted(void **state)
{
	(void)state;
	all_on();
	agent->job_max_concurrent = 1;
	request(rack, PM_COMMAND_POWER_ON, 0);
	agent->inventory->agent.resume = false;
	kill_agent(&world);
	start_agent(&world);
	assert_int_equal(finished()->failed, MACHINES);
	assert_int_equal(finished()->succeeded, 0);
}

/* A journal that was damaged, a machine that went while the agent was away. */
static void test_jobs_that_are_not_there_any_more(void **state)
{
	(void)state;
	all_on();
	request(pair, PM_COMMAND_POWER_ON, 0);
	assert_int_equal(pm_store_job_delete(agent->store, machines[0]->job->id, &err), 0);
	kill_agent(&world);
	start_agent(&world);
	assert_not_finished();
	bmc_says(machines[1], true);
	assert_int_equal(finished()->succeeded, 1);
	assert_int_equal(finished()->failed, 1);
}

static void test_a_command_that_is_taken_back(void **state)
{
	struct pm_group_command *command = reserve(rack, PM_COMMAND_CYCLE, 500);

	(void)state;
	assert_int_equal(pm_group_journal(command, &err), 0);
	assert_int_equal(record().jobs, MACHINES);
	pm_group_cancel(command);
	assert_int_equal(record().jobs, 0);
	assert_not_finished();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_members_are_in_the_order_of_the_configuration),
	    TEST(test_a_reload_keeps_what_was_written_only_when_told_to),
	    TEST(test_counts_follow_the_states_as_shown),
	    TEST(test_active_jobs_are_counted),
	    TEST(test_a_count_is_made_only_after_a_change),
	    TEST(test_every_member_gets_a_job),
	    TEST(test_staggered),
	    TEST(test_the_same_again_starts_nothing),
	    TEST(test_who_cannot_is_left_alone_and_told),
	    TEST(test_who_is_busy_with_something_else),
	    TEST(test_nobody_can),
	    TEST(test_all_is_inhibited),
	    TEST(test_the_queue_is_full),
	    TEST(test_taken_back),
	    TEST(test_without_a_journal),
	    TEST(test_two_groups_at_once),
	    TEST(test_identify),
	    TEST(test_the_same_again_before_all_have_ended),
	    TEST(test_the_end_of_a_command_is_told_once),
	    TEST(test_nobody_got_a_job),
	    TEST(test_rows_of_a_command_know_it),
	    TEST(test_a_command_over_restarts),
	    TEST(test_a_command_that_is_interrupted),
	    TEST(test_jobs_that_are_not_there_any_more),
	    TEST(test_a_command_that_is_taken_back),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
