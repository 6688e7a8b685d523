/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What answers and silence mean: states, sources, counts, and what is told of them. */
#include "tests/unit/agent/support.h"

static struct world world;
static struct pm_machine *m1, *m2;

static int set_up(void **state)
{
	struct pm_inventory *inventory = world_inventory(2);

	(void)state;
	give_bmc_config(&inventory->machines[0], NULL, 623);
	for (size_t i = 0; i < 2; i++)
		give_probe_config(&inventory->machines[i]);
	world_begin(&world, inventory);
	m1 = world.agent.machines[0];
	m2 = world.agent.machines[1];
	give_bmc(m1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	return 0;
}

static void assert_state(const struct pm_machine *machine, enum pm_power_state state,
			 enum pm_state_source source)
{
	const struct pm_agent *agent = &world.agent;
	uint32_t on_their_way = (m1->transition ? 1u : 0u) + (m2->transition ? 1u : 0u);

	assert_int_equal(pm_machine_power_state(machine), state);
	assert_int_equal(machine->source, source);
	assert_int_equal(agent->machines_on + agent->machines_off + agent->machines_unknown + on_their_way,
			 agent->machine_count);
}

static unsigned told(enum pm_notification_type type)
{
	unsigned count = 0;

	world_drain(&world);
	for (unsigned i = 0; i < world_sent_count; i++)
		count += world_sent[i].type == type;
	return count;
}

/* --- the BMC -------------------------------------------------------------------------------------------------------- */

static void test_the_bmc_says_what_is(void **state)
{
	(void)state;
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	bmc_says(m1, false);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_BMC);
	assert_int_equal(world.agent.machines_off, 1);
	bmc_says(m1, true);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
	assert_int_equal(world.agent.machines_on, 1);
	assert_int_equal(world.agent.machines_unknown, 1);
	assert_true(m1->observed_ms > 0 && m1->last_change_ms > 0);
}

static void test_the_first_answer_is_history_but_no_news(void **state)
{
	(void)state;
	bmc_says(m1, true);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 0);
	assert_int_equal(m1->event_last, 1);
	bmc_says(m1, false);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	assert_int_equal(world_sent[0].power_state, PM_POWER_OFF);
	assert_int_equal(world_sent[0].old_power_state, PM_POWER_ON);
	assert_int_equal(world_sent[0].source, PM_SOURCE_BMC);
	assert_string_equal(world_sent[0].name, "m1");
	assert_int_equal(world_sent[0].event_index, m1->event_last);
}

static void test_the_same_answer_again_is_no_change(void **state)
{
	int64_t changed;

	(void)state;
	bmc_says(m1, true);
	changed = m1->last_change_ms;
	for (int i = 0; i < 10; i++)
		bmc_says(m1, true);
	assert_int_equal(m1->last_change_ms, changed);
	assert_int_equal(m1->event_last, 1);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 0);
}

static void test_lost_packets_say_nothing(void **state)
{
	(void)state;
	bmc_says(m1, true);
	for (int round = 0; round < 5; round++) {
		bmc_misses(m1, IPMI_TIMEOUT);
		bmc_misses(m1, IPMI_UNREACHABLE);
		assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
		assert_int_equal(m1->bmc->status, PM_BMC_OK);
		bmc_says(m1, true);
		assert_int_equal(m1->bmc->misses, 0);
	}
	assert_int_equal(told(PM_NOTIFY_BMC_DOWN), 0);
}

static void test_silence_becomes_unknown_and_is_told_once(void **state)
{
	(void)state;
	bmc_says(m1, true);
	for (int i = 0; i < 20; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(m1->bmc->status, PM_BMC_UNREACHABLE);
	assert_int_equal(told(PM_NOTIFY_BMC_DOWN), 1);
	assert_string_equal(world_told(PM_NOTIFY_BMC_DOWN, 1)->text, "no answer");
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	bmc_says(m1, true);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC); /* shown at once, and told when it is no chance */
	assert_int_equal(m1->bmc->status, PM_BMC_OK);
	assert_int_equal(told(PM_NOTIFY_BMC_UP), 0);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	bmc_says(m1, true);
	assert_int_equal(told(PM_NOTIFY_BMC_UP), 1);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 2);
	assert_int_equal(world_sent[world_sent_count - 1].old_power_state, PM_POWER_UNKNOWN);
	assert_int_equal(world_sent[world_sent_count - 1].power_state, PM_POWER_ON);
	assert_int_equal(m1->on_count + m1->off_count, 0); /* it has not been off as far as anybody knows */
}

static void test_how_many_misses_is_configured(void **state)
{
	static const unsigned numbers[] = {1, 2, 100};

	(void)state;
	for (size_t i = 0; i < LENGTH(numbers); i++) {
		world.agent.inventory->machines[0].bmc->misses = numbers[i];
		do
			bmc_says(m1, true);
		while (m1->bmc->down);
		for (unsigned miss = 1; miss < numbers[i]; miss++)
			bmc_misses(m1, IPMI_TIMEOUT);
		assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
		assert_int_equal(told(PM_NOTIFY_BMC_DOWN), i);
		bmc_misses(m1, IPMI_TIMEOUT);
		assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
		assert_int_equal(told(PM_NOTIFY_BMC_DOWN), i + 1);
	}
}

/* Wrong passwords and the like are shown at once; what the BMC said holds until it is missed too often. */
static void test_refusals_are_misses(void **state)
{
	static const struct {
		enum ipmi_result result;
		enum pm_bmc_status status;
	} cases[] = {{IPMI_AUTH_FAILED, PM_BMC_AUTH_FAILED},
		     {IPMI_SESSIONS_EXHAUSTED, PM_BMC_SESSIONS_EXHAUSTED},
		     {IPMI_REJECTED, PM_BMC_ERROR}};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		do
			bmc_says(m1, true);
		while (m1->bmc->down);
		for (unsigned miss = 1; miss < MISSES; miss++) {
			bmc_misses(m1, cases[i].result);
			assert_int_equal(m1->bmc->status, cases[i].status);
			assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
			assert_int_equal(told(PM_NOTIFY_BMC_DOWN), i);
		}
		bmc_misses(m1, cases[i].result);
		assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
		assert_int_equal(told(PM_NOTIFY_BMC_DOWN), i + 1);
	}
}

static void test_the_history_has_why_it_is_unknown(void **state)
{
	(void)state;
	bmc_says(m1, true);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_SESSIONS_EXHAUSTED);
	assert_string_equal(pm_event_from(m1, m1->event_last)->text,
			    "power state unknown, was on (no answer)");
}

/* --- a BMC that comes and goes ------------------------------------------------------------------------------------------ */

/* Polls, of which every period-th is answered. */
static void answers_sometimes(int polls, int period)
{
	for (int i = 1; i <= polls; i++) {
		if (i % period == 0)
			bmc_says(m1, true);
		else
			bmc_misses(m1, IPMI_TIMEOUT);
	}
}

static void test_a_bmc_that_answers_sometimes_is_told_of_once(void **state)
{
	static const unsigned misses[] = {1, 2, 3};

	(void)state;
	for (size_t i = 0; i < LENGTH(misses); i++) {
		world.agent.inventory->machines[0].bmc->misses = misses[i];
		do
			bmc_says(m1, true);
		while (m1->bmc->down);
		world_drain(&world);
		world_sent_count = 0;
		answers_sometimes(300, (int)misses[i] + 1);
		assert_int_equal(told(PM_NOTIFY_BMC_DOWN), 1);
		assert_int_equal(told(PM_NOTIFY_BMC_UP), 0);
		assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1); /* unknown, with pmBmcDown */
		assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);            /* the last poll was answered */
	}
}

/* Each relapse needs twice as many answers in a row: the pairs get rare and end. */
static void test_relapses_are_told_more_and_more_rarely(void **state)
{
	(void)state;
	world_sent_max = 10000;
	for (int i = 0; i < 5000; i++) {
		if (repeatable_random(2))
			bmc_says(m1, true);
		else
			bmc_misses(m1, IPMI_TIMEOUT);
	}
	assert_true(told(PM_NOTIFY_BMC_DOWN) >= 2 && told(PM_NOTIFY_BMC_DOWN) <= 8);
}

static void test_a_change_is_told_also_by_a_bmc_that_comes_and_goes(void **state)
{
	(void)state;
	bmc_says(m1, true);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	bmc_says(m1, false);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 2); /* unknown to off: at once */
	assert_int_equal(m1->off_count, 1);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 3);
	for (int round = 0; round < 10; round++) {
		bmc_says(m1, false);
		for (int i = 0; i < MISSES; i++)
			bmc_misses(m1, IPMI_TIMEOUT);
	}
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 3);
	bmc_says(m1, false);
	bmc_says(m1, true); /* the second answer makes it up, and tells the change as well */
	assert_int_equal(told(PM_NOTIFY_BMC_UP), 1);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 4);
	assert_int_equal(world_sent[world_sent_count - 1].power_state, PM_POWER_ON);
}

static void test_the_probe_confirms_what_was_not_told(void **state)
{
	(void)state;
	bmc_says(m1, true);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	bmc_says(m1, true);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	pm_state_probe(m1, PM_PROBE_UP, "");
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 2);
	assert_int_equal(world_sent[world_sent_count - 1].source, PM_SOURCE_PROBE);
}

static void test_boots_are_counted_over_silence(void **state)
{
	(void)state;
	bmc_says(m1, true);
	bmc_says(m1, false);
	bmc_says(m1, true);
	assert_int_equal(m1->on_count, 1);
	assert_int_equal(m1->off_count, 1);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	bmc_says(m1, false); /* on, silence, off: it went off once */
	assert_int_equal(m1->off_count, 2);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	bmc_says(m1, false);
	assert_int_equal(m1->on_count, 1);
	assert_int_equal(m1->off_count, 2);
}

static void test_flapping(void **state)
{
	(void)state;
	for (int i = 0; i < 101; i++)
		bmc_says(m1, i % 2 == 0);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
	assert_int_equal(m1->on_count, 50);
	assert_int_equal(m1->off_count, 50);
	assert_int_equal(m1->event_last, 101);
	assert_int_equal(m1->event_count, PM_EVENT_RING);
	assert_int_equal(pm_notify_counts(&world.agent).pending, 100);
}

/* --- the probe ------------------------------------------------------------------------------------------------------ */

static void test_a_probe_knows_only_on(void **state)
{
	(void)state;
	pm_state_probe(m2, PM_PROBE_SILENT, "");
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE); /* silence does not prove that it is off */
	assert_int_equal(m2->os_reachable, PM_OS_NO);
	pm_state_probe(m2, PM_PROBE_UP, "");
	assert_state(m2, PM_POWER_ON, PM_SOURCE_PROBE);
	assert_int_equal(m2->os_reachable, PM_OS_YES);
	for (int i = 1; i < MISSES; i++) {
		pm_state_probe(m2, PM_PROBE_SILENT, "");
		assert_state(m2, PM_POWER_ON, PM_SOURCE_PROBE);
	}
	pm_state_probe(m2, PM_PROBE_SILENT, "");
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(m2->os_reachable, PM_OS_NO);
}

static void test_a_probe_that_cannot_be_made_says_nothing(void **state)
{
	(void)state;
	pm_state_probe(m2, PM_PROBE_UP, "");
	for (int i = 0; i < MISSES; i++)
		pm_state_probe(m2, PM_PROBE_ERROR, "");
	assert_state(m2, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(m2->os_reachable, PM_OS_UNKNOWN);
}

static void test_the_history_has_when_the_host_went_silent(void **state)
{
	(void)state;
	bmc_says(m1, true);
	pm_state_probe(m1, PM_PROBE_UP, "");
	assert_int_equal(m1->event_last, 1); /* the first answer is no news */
	for (int i = 0; i < 10; i++)
		pm_state_probe(m1, PM_PROBE_SILENT, "");
	assert_int_equal(m1->event_last, 2);
	assert_int_equal(pm_event_from(m1, 2)->kind, PM_EVENT_HOST);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
	pm_state_probe(m1, PM_PROBE_UP, "");
	assert_int_equal(m1->event_last, 3);
}

static void test_the_bmc_goes_before_the_probe(void **state)
{
	(void)state;
	pm_state_probe(m1, PM_PROBE_UP, "");
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	bmc_says(m1, false);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_BMC);
	pm_state_probe(m1, PM_PROBE_UP, "");
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_BMC);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_UNREACHABLE);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE); /* the BMC is silent: the probe is what is left */
}

/* --- old and new answers ------------------------------------------------------------------------------------------------ */

/* As if the last answer had come long ago. */
static void let_it_grow_old(struct pm_machine *machine)
{
	uv_sleep(2); /* the loop's clock is in ms: what is new must differ */
	uv_update_time(&world.loop);
	machine->observed_ms = 12345;
	machine->observed_loop_ms = 1;
}

static void assert_old(const struct pm_machine *machine)
{
	assert_int_equal(machine->observed_ms, 12345);
	assert_int_equal(machine->observed_loop_ms, 1);
}

static void assert_new(const struct pm_machine *machine)
{
	assert_int_equal(machine->observed_loop_ms, uv_now(&world.loop));
	assert_true(machine->observed_ms > 12345);
}

static void test_a_miss_confirms_nothing(void **state)
{
	(void)state;
	bmc_says(m1, true);
	assert_new(m1);
	let_it_grow_old(m1);
	for (int i = 0; i < 2 * MISSES; i++) {
		bmc_misses(m1, IPMI_TIMEOUT);
		assert_state(m1, i + 1 < MISSES ? PM_POWER_ON : PM_POWER_UNKNOWN,
			     i + 1 < MISSES ? PM_SOURCE_BMC : PM_SOURCE_NONE);
		assert_old(m1);
	}
	bmc_misses(m1, IPMI_AUTH_FAILED); /* an answer, but not about the power */
	assert_old(m1);
	bmc_says(m1, true);
	assert_new(m1);
}

static void test_a_probe_does_not_confirm_what_the_bmc_said(void **state)
{
	static const enum pm_probe_result results[] = {PM_PROBE_UP, PM_PROBE_SILENT, PM_PROBE_ERROR};

	(void)state;
	for (int on = 0; on <= 1; on++) {
		bmc_says(m1, on);
		let_it_grow_old(m1);
		for (size_t i = 0; i < LENGTH(results) * 2 * MISSES; i++) {
			pm_state_probe(m1, results[i / (2 * MISSES)], "");
			assert_state(m1, on ? PM_POWER_ON : PM_POWER_OFF, PM_SOURCE_BMC);
			assert_old(m1);
		}
	}
}

static void test_a_probe_confirms_only_by_answering(void **state)
{
	(void)state;
	pm_state_probe(m2, PM_PROBE_UP, "");
	assert_new(m2);
	let_it_grow_old(m2);
	for (int i = 1; i < MISSES; i++) {
		pm_state_probe(m2, PM_PROBE_SILENT, "");
		assert_state(m2, PM_POWER_ON, PM_SOURCE_PROBE);
		assert_old(m2);
	}
	pm_state_probe(m2, PM_PROBE_UP, "");
	assert_new(m2);
}

/* When the BMC is lost, what the probe said some time ago becomes the state, but not news of this moment. */
static void test_the_bmc_is_lost_beside_a_probe(void **state)
{
	(void)state;
	bmc_says(m1, false);
	pm_state_probe(m1, PM_PROBE_UP, "");
	let_it_grow_old(m1);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_PROBE);
	assert_old(m1);
	pm_state_probe(m1, PM_PROBE_UP, "");
	assert_new(m1);
}

/* --- other sources, by a reload --------------------------------------------------------------------------------------- */

static void assert_unknown(uint32_t unknown)
{
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(world.agent.machines_unknown, unknown);
}

static void test_the_last_source_goes(void **state)
{
	(void)state;
	bmc_says(m1, true);
	free(m1->bmc);
	m1->bmc = NULL;
	take_sources_away(&world.agent.inventory->machines[0]);
	pm_state_sources_changed(m1);
	assert_unknown(2);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1); /* nobody will ever say more */
	assert_int_equal(world_sent[0].old_power_state, PM_POWER_ON);
	assert_int_equal(world_sent[0].power_state, PM_POWER_UNKNOWN);
	assert_int_equal(m1->off_count, 0);
}

static void test_another_source_comes(void **state)
{
	(void)state;
	for (int on = 1; on >= 0; on--) {
		bmc_says(m1, true);
		world_drain(&world);
		world_sent_count = 0;
		free(m1->bmc);
		give_bmc(m1);
		pm_state_sources_changed(m1);
		assert_unknown(2);
		assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 0); /* as after a start */
		bmc_says(m1, on);
		assert_state(m1, on ? PM_POWER_ON : PM_POWER_OFF, PM_SOURCE_BMC);
		assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), !on); /* what it says is news, or not */
	}
	assert_int_equal(world_sent[0].old_power_state, PM_POWER_ON);
	assert_int_equal(m1->off_count, 1);
}

/* --- transitions, restarts ------------------------------------------------------------------------------------------- */

static void test_a_transition_is_shown_until_it_is_over(void **state)
{
	(void)state;
	bmc_says(m1, false);
	pm_state_transition(m1, PM_POWER_POWERING_ON);
	assert_state(m1, PM_POWER_POWERING_ON, PM_SOURCE_BMC);
	bmc_says(m1, false);
	assert_state(m1, PM_POWER_POWERING_ON, PM_SOURCE_BMC);
	assert_int_equal(world.agent.machines_off, 0); /* the totals count what is shown */
	bmc_says(m1, true);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
	pm_state_transition(m1, PM_POWER_RESTARTING);
	bmc_says(m1, false);
	assert_state(m1, PM_POWER_RESTARTING, PM_SOURCE_BMC);
	pm_state_transition(m1, 0);
	assert_state(m1, PM_POWER_OFF, PM_SOURCE_BMC);
}

static void restart_with(enum pm_power_state known)
{
	pm_state_restore(m1, &(struct pm_stored_state){.machine = 1,
						       .power_state = known,
						       .source = PM_SOURCE_BMC,
						       .last_change_ms = 12345,
						       .on_count = 7,
						       .off_count = 6});
}

static void test_nothing_of_before_a_restart_counts_as_observed(void **state)
{
	(void)state;
	restart_with(PM_POWER_ON);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	assert_int_equal(m1->observed_ms, 0);
	assert_int_equal(m1->on_count, 7);
}

static void test_a_restart_alone_is_no_news(void **state)
{
	(void)state;
	restart_with(PM_POWER_ON);
	bmc_says(m1, true);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 0);
	assert_int_equal(m1->event_last, 0);
	assert_int_equal(m1->last_change_ms, 12345);
	assert_int_equal(m1->on_count, 7);
}

static void test_what_changed_during_a_restart_is_told(void **state)
{
	(void)state;
	restart_with(PM_POWER_ON);
	bmc_says(m1, false);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	assert_int_equal(world_sent[0].old_power_state, PM_POWER_ON);
	assert_int_equal(world_sent[0].power_state, PM_POWER_OFF);
	assert_int_equal(m1->off_count, 7);
	assert_true(m1->last_change_ms > 12345);
}

static void test_silence_after_a_restart_then_the_old_state(void **state)
{
	(void)state;
	restart_with(PM_POWER_OFF);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_state(m1, PM_POWER_UNKNOWN, PM_SOURCE_NONE);
	bmc_says(m1, false);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 0);
	bmc_says(m1, true);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	assert_int_equal(m1->on_count, 8);
}

static const struct pm_stored_state down_and_told = {.machine = 1,
						     .power_state = PM_POWER_ON,
						     .source = PM_SOURCE_NONE,
						     .last_change_ms = 12345,
						     .bmc_down = true,
						     .unknown_told = true};

static void test_what_was_told_before_a_restart_is_taken_back(void **state)
{
	(void)state;
	pm_state_restore(m1, &down_and_told);
	bmc_says(m1, true);
	assert_state(m1, PM_POWER_ON, PM_SOURCE_BMC);
	bmc_says(m1, true);
	assert_int_equal(told(PM_NOTIFY_BMC_UP), 1);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 1);
	assert_int_equal(world_sent[world_sent_count - 1].old_power_state, PM_POWER_UNKNOWN);
	assert_int_equal(world_sent[world_sent_count - 1].power_state, PM_POWER_ON);
}

static void test_what_was_told_before_a_restart_is_not_told_again(void **state)
{
	(void)state;
	pm_state_restore(m1, &down_and_told);
	for (int i = 0; i < 2 * MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_int_equal(m1->bmc->status, PM_BMC_UNREACHABLE);
	assert_int_equal(told(PM_NOTIFY_BMC_DOWN), 0);
	assert_int_equal(told(PM_NOTIFY_POWER_STATE_CHANGE), 0);
}

static void note_state(const struct pm_stored_state *stored, void *data)
{
	*(struct pm_stored_state *)data = *stored;
}

/* What a restart at this moment would find. */
static struct pm_stored_state stored_now(void)
{
	struct pm_stored_state stored = {0};
	struct pm_error err = {""};

	pm_flush(&world.agent);
	assert_int_equal(pm_store_states_load(world.agent.store, note_state, &stored, &err), 0);
	return stored;
}

static void test_what_is_told_is_stored(void **state)
{
	struct pm_stored_state stored;

	(void)state;
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_true(stored_now().bmc_down); /* also when it has never answered */
	bmc_says(m1, true);
	bmc_says(m1, true);
	stored = stored_now();
	assert_false(stored.bmc_down || stored.unknown_told);
	for (int i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	stored = stored_now();
	assert_true(stored.bmc_down && stored.unknown_told);
	assert_int_equal(stored.power_state, PM_POWER_ON);
	bmc_says(m1, true); /* shown, but not told before it is up */
	assert_true(stored_now().unknown_told);
	for (int i = 0; i < 3; i++)
		bmc_says(m1, true);
	stored = stored_now();
	assert_false(stored.bmc_down || stored.unknown_told);
}

/* --- whatever happens --------------------------------------------------------------------------------------------------- */

static void disturb(struct pm_machine *machine)
{
	static const enum ipmi_result misses[] = {IPMI_TIMEOUT, IPMI_UNREACHABLE, IPMI_AUTH_FAILED,
						  IPMI_REJECTED};
	static const enum pm_probe_result probes[] = {PM_PROBE_UP, PM_PROBE_SILENT, PM_PROBE_ERROR};

	switch (repeatable_random(machine->bmc ? 4 : 2)) {
	case 0:
		pm_state_probe(machine, probes[repeatable_random(3)], "");
		break;
	case 1:
		pm_state_transition(machine, repeatable_random(2) ? PM_POWER_RESTARTING : 0);
		break;
	case 2:
		bmc_misses(machine, misses[repeatable_random(4)]);
		break;
	default:
		bmc_says(machine, repeatable_random(2));
	}
}

static void test_the_counts_always_add_up(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++) {
		const struct pm_agent *agent = &world.agent;
		uint32_t on = 0, off = 0, unknown = 0;

		disturb(repeatable_random(2) ? m1 : m2);
		for (size_t j = 0; j < agent->machine_count; j++) {
			const struct pm_machine *machine = agent->machines[j];

			on += pm_machine_power_state(machine) == PM_POWER_ON;
			off += pm_machine_power_state(machine) == PM_POWER_OFF;
			unknown += pm_machine_power_state(machine) == PM_POWER_UNKNOWN;
			assert_true((machine->observed == PM_POWER_UNKNOWN) ==
				    (machine->source == PM_SOURCE_NONE));
		}
		assert_int_equal(agent->machines_on, on);
		assert_int_equal(agent->machines_off, off);
		assert_int_equal(agent->machines_unknown, unknown);
		assert_int_equal(m2->off_count, 0); /* a probe alone never sees a machine go off */
	}
}

static void test_every_ipmi_result_is_a_status(void **state)
{
	static const enum pm_bmc_status expected[] = {[IPMI_OK] = PM_BMC_OK,
						      [IPMI_TIMEOUT] = PM_BMC_UNREACHABLE,
						      [IPMI_UNREACHABLE] = PM_BMC_UNREACHABLE,
						      [IPMI_AUTH_FAILED] = PM_BMC_AUTH_FAILED,
						      [IPMI_SESSIONS_EXHAUSTED] = PM_BMC_SESSIONS_EXHAUSTED};

	(void)state;
	for (int result = IPMI_OK; result <= IPMI_INTERNAL; result++) {
		bool listed = (size_t)result < LENGTH(expected) && expected[result];

		assert_int_equal(pm_bmc_status_of((enum ipmi_result)result),
				 listed ? expected[result] : PM_BMC_ERROR);
	}
}

static void test_results_are_kept_in_words(void **state)
{
	char longest[400];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[399] = '\0';
	pm_state_result(m1, PM_RESULT_TIMEOUT, longest);
	assert_int_equal(m1->last_result, PM_RESULT_TIMEOUT);
	assert_int_equal(strlen(m1->last_result_text), 255); /* SnmpAdminString has no room for more */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_bmc_says_what_is),
	    TEST(test_the_first_answer_is_history_but_no_news),
	    TEST(test_the_same_answer_again_is_no_change),
	    TEST(test_lost_packets_say_nothing),
	    TEST(test_silence_becomes_unknown_and_is_told_once),
	    TEST(test_how_many_misses_is_configured),
	    TEST(test_refusals_are_misses),
	    TEST(test_the_history_has_why_it_is_unknown),
	    TEST(test_a_bmc_that_answers_sometimes_is_told_of_once),
	    TEST(test_relapses_are_told_more_and_more_rarely),
	    TEST(test_a_change_is_told_also_by_a_bmc_that_comes_and_goes),
	    TEST(test_the_probe_confirms_what_was_not_told),
	    TEST(test_boots_are_counted_over_silence),
	    TEST(test_flapping),
	    TEST(test_a_probe_knows_only_on),
	    TEST(test_a_probe_that_cannot_be_made_says_nothing),
	    TEST(test_the_history_has_when_the_host_went_silent),
	    TEST(test_the_bmc_goes_before_the_probe),
	    TEST(test_a_miss_confirms_nothing),
	    TEST(test_a_probe_does_not_confirm_what_the_bmc_said),
	    TEST(test_a_probe_confirms_only_by_answering),
	    TEST(test_the_bmc_is_lost_beside_a_probe),
	    TEST(test_the_last_source_goes),
	    TEST(test_another_source_comes),
	    TEST(test_a_transition_is_shown_until_it_is_over),
	    TEST(test_nothing_of_before_a_restart_counts_as_observed),
	    TEST(test_a_restart_alone_is_no_news),
	    TEST(test_what_changed_during_a_restart_is_told),
	    TEST(test_silence_after_a_restart_then_the_old_state),
	    TEST(test_what_was_told_before_a_restart_is_taken_back),
	    TEST(test_what_was_told_before_a_restart_is_not_told_again),
	    TEST(test_what_is_told_is_stored),
	    TEST(test_the_counts_always_add_up),
	    TEST(test_every_ipmi_result_is_a_status),
	    TEST(test_results_are_kept_in_words),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
