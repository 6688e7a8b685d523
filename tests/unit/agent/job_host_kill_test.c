/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An agent that is killed at any moment of a job that its machine's operating system does, and started again: what is momentary
 * is done once at most, a wish comes true, and no boot goes down but the one that was asked. Killed is at each commit, and
 * whenever the machine was asked or did something; the machine goes on meanwhile, and somebody may switch it on again.
 */
#include "tests/unit/agent/job_hosts.h"

#define MOMENTS_MAX 200
#define LONG_MS     60000

static unsigned moments, last_moment;   /* passed so far; after so many it is killed, 0: never */
static bool dying, in_job, when_agreed; /* that is the moment */

/* --- what is to be survived ------------------------------------------------------------------------ */

static void die(void)
{
	freeze_journal(&world);
	dying =
	    true; /* what is done until the loop has turned is done by who did not know that it was dead */
}

static void moment(void)
{
	if (in_job && !dying && ++moments == last_moment)
		die();
}

int __real_pm_store_commit(struct pm_store *store, struct pm_error *err);
int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *err);

int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *err)
{
	int error = __real_pm_store_commit(store, err);

	if (!error)
		moment();
	return error;
}

struct experiment {
	struct scene scene;
	bool carries_on;   /* what was sent is done, although nobody hears of it */
	bool is_unplugged; /* meanwhile, by somebody */
	bool is_woken;     /* somebody switches it on again, as soon as it is off */
	unsigned away_ms;  /* so long there is no agent */

	/* a machine on its way down lets nobody in any more, or refuses; and that takes its time */
	enum host_result later; /* what it answers to the next life; 0: as ever */
	unsigned down_ms;       /* 0: a moment */
};

/* --- the machine ------------------------------------------------------------------------------------- */

static unsigned done_in_boot[16]; /* it has gone down, or asleep, so often in this boot */
static unsigned done_before;

static unsigned times_done(const struct fake_os *os)
{
	return os->done[HOST_POWEROFF] + os->done[HOST_REBOOT] + os->done[HOST_SUSPEND] +
	       os->done[HOST_HIBERNATE] + os->done[HOST_INIT];
}

static void watch(struct play *play, const struct experiment *experiment)
{
	enum fake_os_power power = fake_os_is(play->os);
	unsigned done = times_done(play->os);

	if (done > done_before)
		done_in_boot[play->os->boots % LENGTH(done_in_boot)] += done - done_before;
	done_before = done;
	if (experiment->is_woken && (power == FAKE_OS_OFF || power == FAKE_OS_SUSPENDED))
		fake_os_set_power(play->os, true);
}

/* --- killed, and started again ------------------------------------------------------------------------ */

static void restore_state(const struct pm_stored_state *stored, void *data)
{
	struct pm_machine *machine = pm_agent_machine(data, stored->machine);

	pm_state_restore(machine, stored);
	pm_os_restore(machine, stored);
}

static void forget(struct pm_machine *machine)
{
	pm_os_free(machine);
	machine->observed = PM_POWER_UNKNOWN;
	machine->source = PM_SOURCE_NONE;
	machine->os_reachable = PM_OS_UNKNOWN;
	machine->probe_misses = 0;
	machine->looked = false;
	if (machine->bmc)
		machine->bmc->holds = machine->bmc->chassis_known = false;
}

static void die_and_rise(struct play *play, const struct experiment *experiment)
{
	struct pm_error err = {""};

	kill_agent(&world);
	forget(play->machine);
	play->job = NULL;
	thaw_journal(&world);
	for (int64_t end_ms = passed_ms + experiment->away_ms; passed_ms < end_ms;) {
		passed_ms += experiment->away_ms > LONG_MS ? LONG_MS : TURN_MS;
		watch(play, experiment);
		uv_run(&world.loop, UV_RUN_NOWAIT);
	}
	if (experiment->is_unplugged)
		fake_os_set_power(play->os, false);
	assert_int_equal(pm_os_apply(play->machine), 0);
	assert_int_equal(pm_store_states_load(world.agent.store, restore_state, &world.agent, &err), 0);
	start_agent(&world);
	if (experiment->later && fake_os_is(play->os) == FAKE_OS_GOING)
		play->os->fault = (struct fake_os_fault){.result = experiment->later};
	play->job = pm_job_find(play->machine, "op", "scene");
	dying = false;
}

static bool is_over(const struct play *play)
{
	return !play->machine->job && !world.agent.flush_pending && !world.agent.syncing;
}

static bool has_agreed(const struct play *play)
{
	return play->job && play->job->state == PM_JOB_VERIFYING && !world.agent.flush_pending;
}

/* How often it was killed. */
static unsigned live(struct play *play, const struct experiment *experiment, const unsigned *kills,
		     size_t kill_count)
{
	size_t length = fake_os_log_length();
	int64_t end_ms = passed_ms + LONGEST_MS;
	unsigned deaths = 0;

	for (; !is_over(play) || dying; turn()) {
		if (passed_ms > end_ms)
			fail_msg("no end: %s", play->job ? pm_job_text(play->job) : "");
		watch(play, experiment);
		if (fake_os_log_length() != length)
			moment();
		length = fake_os_log_length();
		if (when_agreed && !deaths && has_agreed(play))
			die();
		if (!dying)
			continue;
		die_and_rise(play, experiment);
		end_ms = passed_ms + LONGEST_MS;
		moments = 0;
		last_moment = ++deaths < kill_count ? kills[deaths] : 0;
		length = fake_os_log_length();
	}
	return deaths;
}

/* --- what is left --------------------------------------------------------------------------------------- */

static bool is_good(enum pm_result result)
{
	return result == PM_RESULT_OK || result == PM_RESULT_ALREADY_IN_STATE;
}

static const char *why_bad(const struct play *play, const struct experiment *experiment,
			   const struct pm_stored_job *job)
{
	const struct scene *scene = play->scene;
	bool wish = scene->action == PM_COMMAND_SHUTDOWN;
	unsigned boots_hit = 0;

	for (size_t i = 0; i < LENGTH(done_in_boot); i++)
		boots_hit += done_in_boot[i] > 0;
	if (boots_hit > 1 || done_in_boot[1] != times_done(play->os))
		return "another boot was hit";
	if (!wish && times_done(play->os) > 1)
		return "done twice";
	if (play->soft || play->down)
		return "something harder was tried";
	if (job->state < PM_JOB_SUCCEEDED)
		return "no end";
	if (is_good(job->result) && times_done(play->os) == 0)
		return "told as done";
	if (wish && !experiment->is_woken && scene->bmc && !is_good(job->result))
		return "not told as done";
	if (wish && !experiment->is_woken && fake_os_is(play->os) != FAKE_OS_OFF)
		return "not off";
	if (!is_good(job->result) && job->result != PM_RESULT_INTERRUPTED && job->result != PM_RESULT_TIMEOUT)
		return "ended otherwise";
	if (scene->action == PM_COMMAND_REBOOT && is_good(job->result) && !fake_os_has_power(play->os))
		return "left off";
	return NULL;
}

/* The row is told by what is on the disk: it is what the next life would find. */
static void judge_life(struct play *play, const struct experiment *experiment, const unsigned *kills)
{
	const char *bad;

	assert_int_equal(journal_read(&world, false), 1);
	watch(play, experiment);
	bad = why_bad(play, experiment, &journal_jobs[0]);
	if (!bad)
		return;
	fake_os_log_dump(stderr);
	fail_msg("%s%s%s, killed at %u, %u: %s: %s: %s", experiment->scene.name,
		 experiment->carries_on ? ", carries on" : "", experiment->is_woken ? ", woken" : "",
		 kills[0], kills[1], bad, pm_result_name((enum pm_result)journal_jobs[0].result),
		 play->job ? pm_job_text(play->job) : "");
}

/* --- experiments ------------------------------------------------------------------------------------------- */

/* How often it was killed. */
static unsigned perform(const struct experiment *experiment, unsigned first, unsigned second)
{
	const unsigned kills[2] = {first, second};
	unsigned deaths;

	moments = done_before = 0;
	in_job = dying = false;
	memset(done_in_boot, 0, sizeof(done_in_boot));
	begin_plays(&experiment->scene, 1);
	plays[0].os->carries_on = experiment->carries_on;
	if (experiment->down_ms)
		plays[0].os->down_ms = experiment->down_ms;
	last_moment = first;
	in_job = true;
	start_scene(&plays[0]);
	deaths = live(&plays[0], experiment, kills, LENGTH(kills));
	in_job = false;
	judge_life(&plays[0], experiment, kills);
	end_plays();
	return deaths;
}

static void kill_everywhere(const struct experiment *experiment, unsigned least)
{
	unsigned at = 1, deaths;

	do {
		assert_true(at < MOMENTS_MAX);
		deaths = perform(experiment, at, at % 2 ? 0 : 1 + repeatable_random(8));
		at++;
	} while (deaths);
	print_message("# %s%s%s%s: killed at each of %u moments\n", experiment->scene.name,
		      experiment->scene.bmc ? ", with a BMC" : "",
		      experiment->carries_on ? ", carries on" : "", experiment->is_woken ? ", woken" : "",
		      at - 2);
	assert_true(at - 2 >= least);
}

/* With what goes on and what does not, with somebody at the button and without, for a short while and for a longer one. */
static void vary(struct scene scene, unsigned least, unsigned step)
{
	scene.off_s = 60;
	scene.on_s = 60;
	for (unsigned i = 0; i < 16; i += step) {
		struct experiment experiment = {
		    .scene = scene, .carries_on = i & 1, .is_woken = i & 2, .away_ms = i & 4 ? 20000 : 300};

		experiment.scene.bmc = (i & 8) != 0;
		if (experiment.is_woken && scene.action == PM_COMMAND_SUSPEND)
			continue; /* in the same boot: that is no other one */
		kill_everywhere(&experiment, least);
	}
}

static void test_a_shutdown(void **state)
{
	(void)state;
	vary((struct scene){.name = "shutdown", .action = PM_COMMAND_SHUTDOWN}, 6, 3);
}

/* With only the plug behind it: that is not pulled from one that is on its way. */
static void test_a_slow_shutdown(void **state)
{
	static const enum host_result results[] = {HOST_AUTH_FAILED, HOST_REFUSED, HOST_NO_HELPER};

	(void)state;
	for (size_t i = 0; i < LENGTH(results); i++) {
		const struct experiment experiment = {.scene = {.name = "slow shutdown",
								.action = PM_COMMAND_SHUTDOWN,
								.force = PM_FORCE_AFTER_TIMEOUT,
								.bmc = true,
								.off_s = 60},
						      .carries_on = true,
						      .away_ms = 300,
						      .later = results[i],
						      .down_ms = 20000};

		kill_everywhere(&experiment, 6);
	}
}

static void test_a_reboot(void **state)
{
	(void)state;
	vary((struct scene){.name = "reboot", .action = PM_COMMAND_REBOOT}, 6, 3);
}

static void test_a_suspend(void **state)
{
	(void)state;
	vary((struct scene){.name = "suspend", .action = PM_COMMAND_SUSPEND}, 6, 5);
}

static void test_a_halt(void **state)
{
	(void)state;
	vary((struct scene){.name = "init 0", .action = PM_COMMAND_INIT}, 6, 5);
}

static void test_a_run_level(void **state)
{
	(void)state;
	vary((struct scene){.name = "init 3", .action = PM_COMMAND_INIT, .level = 3}, 3, 5);
}

/* --- long away ----------------------------------------------------------------------------------------------- */

/* at 0: when it has agreed. */
static void check_after_hours(const struct experiment *experiment, unsigned at, enum pm_result result,
			      const char *text)
{
	const unsigned kills[2] = {at, 0};

	moments = done_before = 0;
	in_job = dying = false;
	memset(done_in_boot, 0, sizeof(done_in_boot));
	begin_plays(&experiment->scene, 1);
	plays[0].os->carries_on = experiment->carries_on;
	last_moment = at;
	when_agreed = at == 0;
	in_job = true;
	start_scene(&plays[0]);
	assert_int_equal(live(&plays[0], experiment, kills, LENGTH(kills)), 1);
	in_job = when_agreed = false;
	assert_string_equal(pm_result_name(plays[0].job->result), pm_result_name(result));
	if (!strstr(pm_job_text(plays[0].job), text))
		fail_msg("%s", pm_job_text(plays[0].job));
	assert_int_equal(plays[0].soft + plays[0].down + plays[0].up, 0);
	end_plays();
}

/* Its own host was off until somebody came: what it was told it has done, and it is told nothing more. */
static void test_hours_after_it_agreed(void **state)
{
	struct experiment experiment = {.scene = {.name = "shutdown, local",
						  .action = PM_COMMAND_SHUTDOWN,
						  .bmc = true,
						  .local = true,
						  .off_s = 60},
					.is_woken = true,
					.away_ms = 3 * 3600000};

	(void)state;
	check_after_hours(&experiment, 0, PM_RESULT_OK, "it went down, and is up again in a new boot");
	experiment.is_woken = false; /* nor does it hear anything */
	experiment.scene.local = false;
	check_after_hours(&experiment, 0, PM_RESULT_OK, "off, observed by the BMC after a restart");
}

/* Up again long since, it was switched off to be worked on: nobody switches it on. */
static void test_hours_after_it_was_to_reboot(void **state)
{
	const struct experiment experiment = {
	    .scene = {.name = "reboot", .action = PM_COMMAND_REBOOT, .bmc = true, .off_s = 60, .on_s = 60},
	    .is_unplugged = true,
	    .away_ms = 3 * 3600000};

	(void)state;
	check_after_hours(&experiment, 0, PM_RESULT_INTERRUPTED,
			  "reboot was agreed to, but it has not answered");
}

/* It had not agreed, or nobody knows: nothing is sent hours later. */
static void test_hours_before_it_agreed(void **state)
{
	const struct experiment experiment = {
	    .scene = {.name = "shutdown", .action = PM_COMMAND_SHUTDOWN, .bmc = true, .off_s = 60},
	    .away_ms = 3 * 3600000};

	(void)state;
	check_after_hours(&experiment, 2, PM_RESULT_INTERRUPTED,
			  "the agent was away until the time for it was over");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_shutdown),
	    cmocka_unit_test(test_a_slow_shutdown),
	    cmocka_unit_test(test_a_reboot),
	    cmocka_unit_test(test_a_suspend),
	    cmocka_unit_test(test_a_halt),
	    cmocka_unit_test(test_a_run_level),
	    cmocka_unit_test(test_hours_after_it_agreed),
	    cmocka_unit_test(test_hours_before_it_agreed),
	    cmocka_unit_test(test_hours_after_it_was_to_reboot),
	};

	return cmocka_run_group_tests_name("job host kill", tests, NULL, NULL);
}
