/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An agent that is killed at any moment, and started again: every job comes to an end that is told once, nothing momentary
 * is done twice, and no machine is left off that was to come up again. Each life is a process of its own; it dies right
 * before or right after a commit, or a command to the BMC, and the next one goes on with what is on the disk. The BMC is a
 * simulated one that outlives them.
 */
#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/jobs.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define KILLED   7
#define AT_ONCE  12   /* experiments: they wait most of the time */
#define TICK_MS  3    /* between two looks at the machine */
#define REPLY_MS 2    /* the BMC takes for an answer */
#define LIFE_MS  8000 /* a life that takes longer hangs */
#define TOLD_MAX 32

/* What a kill cannot take away: the machine, and what managers were told. */
struct outside {
	char directory[DIRECTORY_MAX];
	bool on;
	bool deaf; /* the operating system does not shut down */
	bool queued;
	unsigned off_timeout_s;
	unsigned soft, down, up, cycle, reset;
	struct {
		int type;
		uint32_t event;
		int result;
	} told[TOLD_MAX];
	unsigned told_count;
};

static struct outside *outside;
static unsigned moments, last_moment; /* passed so far; after so many it is killed, 0: never */
static bool in_set;                   /* before, there is nothing to be killed in the middle of */

static void moment(void)
{
	if (in_set && ++moments == last_moment)
		_exit(KILLED);
}

/* --- in the place of the store's commit, and behind the BMC ------------------------------------------------------- */

int __real_pm_store_commit(struct pm_store *store, struct pm_error *err);
int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *err);

int __wrap_pm_store_commit(struct pm_store *store, struct pm_error *err)
{
	int error;

	moment();
	error = __real_pm_store_commit(store, err);
	moment();
	return error;
}

static void switch_machine(enum ipmi_chassis_control control)
{
	switch (control) {
	case IPMI_POWER_UP:
		outside->up++;
		outside->on = true;
		break;
	case IPMI_POWER_DOWN:
		outside->down++;
		outside->on = false;
		break;
	case IPMI_SOFT_SHUTDOWN:
		outside->soft++;
		outside->on &= outside->deaf;
		break;
	case IPMI_POWER_CYCLE:
		outside->cycle++;
		break;
	default:
		outside->reset++;
	}
}

static void obey(const struct ipmi_request *request)
{
	if (request->command != IPMI_CHASSIS_CONTROL)
		abort();
	moment();
	switch_machine(request->control);
	moment();
}

/* --- a life ------------------------------------------------------------------------------------------------------------ */

/* Told again after a restart is no second time: the event in it is the same. */
static int note_told(const struct pm_notification *notification)
{
	for (unsigned i = 0; i < outside->told_count; i++)
		if (outside->told[i].type == (int)notification->type &&
		    outside->told[i].event == notification->event_index)
			return 0;
	if (outside->told_count == TOLD_MAX)
		abort();
	outside->told[outside->told_count].type = notification->type;
	outside->told[outside->told_count].event = notification->event_index;
	outside->told[outside->told_count++].result = notification->result;
	return 0;
}

static void restore_event(const struct pm_stored_event *event, void *machine)
{
	pm_event_restore(machine, event);
}

static struct world world;
static struct pm_timer *ticker;

static void look(void *data)
{
	(void)data;
	bmc_says(world.agent.machines[0], outside->on);
	pm_timer_start(ticker, TICK_MS);
}

static struct pm_machine *wake_up(void)
{
	struct pm_inventory *inventory = world_inventory(1);
	struct pm_machine *machine;
	struct pm_error err = {""};

	give_bmc_config(&inventory->machines[0], NULL, 623);
	inventory->machines[0].off_timeout_s = outside->off_timeout_s;
	inventory->machines[0].bmc->timeout_ms = 50;
	world_begin_in(&world, inventory, outside->directory);
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = REPLY_MS;
	fake_bmc_obey = obey;
	machine = world.agent.machines[0];
	give_bmc(machine);
	pm_notify_free(&world.agent);
	if (pm_notify_new(&world.agent, note_told) < 0 ||
	    pm_store_events_load(world.agent.store, restore_event, machine, &err) < 0)
		abort();
	pm_notify_connected(&world.agent, true);
	ticker = pm_timer_new(&world.loop, look, NULL);
	look(NULL);
	return machine;
}

static void set(struct pm_machine *machine, enum pm_command action)
{
	const struct pm_job_request request = pm_job_request_of(machine, action, PM_ORIGIN_COMMAND);
	struct pm_error err = {""};
	struct pm_job *job;

	in_set = true;
	if (outside->queued)
		world.agent.job_max_concurrent = 0;
	if (pm_job_reserve(&request, &job, &err) < 0 || !job || pm_store_begin(world.agent.store, &err) < 0 ||
	    pm_job_journal(job, &err) < 0 || pm_store_commit(world.agent.store, &err) < 0)
		abort();
	pm_job_release(job);
	world.agent.job_max_concurrent = 4;
	pm_jobs_pump(&world.agent);
}

static bool is_over(const struct pm_machine *machine)
{
	const struct pm_agent *agent = &world.agent;

	return !machine->job && !agent->flush_pending && !agent->syncing &&
	       pm_notify_counts(agent).pending == 0;
}

/* action 0: goes on with what there is. */
static void live(enum pm_command action, unsigned until)
{
	struct pm_machine *machine;
	uint64_t began_ms;

	moments = 0;
	last_moment = until;
	in_set = action == 0;
	alarm(30);
	machine = wake_up();
	if (action)
		set(machine, action);
	else
		pm_jobs_resume(&world.agent);
	began_ms = uv_now(&world.loop);
	while (!is_over(machine)) {
		uv_run(&world.loop, UV_RUN_ONCE);
		if (uv_now(&world.loop) - began_ms > LIFE_MS)
			abort();
	}
	_exit(0);
}

/* Whether it was killed. */
static bool one_life(enum pm_command action, unsigned until)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		live(action, until);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != KILLED)) {
		fprintf(stderr, "# a life that was to end after moment %u ended badly (%x)\n", until,
			(unsigned)status);
		exit(1);
	}
	return WEXITSTATUS(status) == KILLED;
}

/* --- what is left ---------------------------------------------------------------------------------------------------- */

struct left {
	unsigned jobs, unfinished, result, steps_unfinished;
	unsigned begins, ends; /* events */
};

static void count_job(const struct pm_stored_job *job, void *data)
{
	struct left *left = data;

	left->jobs++;
	left->unfinished += job->state < PM_JOB_SUCCEEDED;
	left->result = job->result;
}

static void count_step(const struct pm_stored_step *step, void *data)
{
	struct left *left = data;

	left->steps_unfinished += step->state > PM_JOB_NOT_READY && step->state < PM_JOB_SUCCEEDED;
}

static void count_event(const struct pm_stored_event *event, void *data)
{
	struct left *left = data;

	left->begins += event->kind == PM_EVENT_JOB_STARTED;
	left->ends += event->kind == PM_EVENT_JOB_FINISHED || event->kind == PM_EVENT_JOB_FAILED;
}

static struct left look_into_journal(void)
{
	struct left left = {0};
	struct pm_store *store;
	struct pm_error err = {""};

	if (pm_store_open(outside->directory, &store, &err) < 0 ||
	    pm_store_jobs_load(store, 0, count_job, &left, &err) < 0 ||
	    pm_store_steps_load(store, 0, count_step, &left, &err) < 0 ||
	    pm_store_events_load(store, count_event, &left, &err) < 0) {
		fprintf(stderr, "# %s\n", err.text);
		exit(1);
	}
	pm_store_close(store);
	return left;
}

static unsigned told(int type, int other_type)
{
	unsigned count = 0;

	for (unsigned i = 0; i < outside->told_count; i++)
		count += outside->told[i].type == type || outside->told[i].type == other_type;
	return count;
}

struct experiment {
	enum pm_command action;
	bool on, deaf;
	bool queued; /* waits for room at first: begins by itself, not by the SET */
	unsigned off_timeout_s;
	unsigned kills[3]; /* at which moment of which life; 0: not killed */
};

static void complain(const struct experiment *experiment, const struct left *left, const char *what)
{
	fprintf(
	    stderr,
	    "# %s, killed at %u, %u, %u: %s: result %u; soft %u down %u up %u cycle %u reset %u; %u jobs, %u "
	    "without an end, told %u/%u, events %u/%u; the machine is %s\n",
	    pm_command_name(experiment->action), experiment->kills[0], experiment->kills[1],
	    experiment->kills[2], what, left->result, outside->soft, outside->down, outside->up,
	    outside->cycle, outside->reset, left->jobs, left->unfinished, told(PM_NOTIFY_JOB_STARTED, 0),
	    told(PM_NOTIFY_JOB_FINISHED, PM_NOTIFY_JOB_FAILED), left->begins, left->ends,
	    outside->on ? "on" : "off");
	exit(1);
}

static bool done(unsigned result)
{
	return result == PM_RESULT_OK || result == PM_RESULT_ALREADY_IN_STATE;
}

static void judge(const struct experiment *experiment)
{
	const struct left left = look_into_journal();
	bool wish = experiment->action == PM_COMMAND_POWER_ON || experiment->action == PM_COMMAND_SHUTDOWN;
	bool was_off = outside->soft || outside->down;

	if (left.jobs == 0) { /* killed before the SET was answered */
		if (outside->told_count || was_off || outside->up || outside->cycle || outside->reset)
			complain(experiment, &left, "something was done without a job");
		return;
	}
	if (left.jobs != 1 || left.unfinished || left.steps_unfinished)
		complain(experiment, &left, "no end");
	if (left.begins != 1 || left.ends != 1 || told(PM_NOTIFY_JOB_STARTED, 0) != 1 ||
	    told(PM_NOTIFY_JOB_FINISHED, PM_NOTIFY_JOB_FAILED) != 1)
		complain(experiment, &left, "not told once");
	if (outside->cycle > 1 || outside->reset > 1)
		complain(experiment, &left, "done twice");
	if (experiment->action == PM_COMMAND_REBOOT && (outside->soft > 1 || outside->down > 1))
		complain(experiment, &left, "rebooted twice");
	if (!done(left.result) && (wish || left.result != PM_RESULT_INTERRUPTED))
		complain(experiment, &left, "not done");
	if (done(left.result) && outside->on == (experiment->action == PM_COMMAND_SHUTDOWN))
		complain(experiment, &left, "not where it was to be");
}

/* --- experiments -------------------------------------------------------------------------------------------------------- */

/* In a process of its own. Returns whether the first life was killed. */
static bool perform(const struct experiment *experiment)
{
	bool killed, first;

	outside = mmap(NULL, sizeof(*outside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outside == MAP_FAILED)
		exit(1);
	outside->on = experiment->on;
	outside->deaf = experiment->deaf;
	outside->queued = experiment->queued;
	outside->off_timeout_s = experiment->off_timeout_s;
	make_directory(outside->directory, sizeof(outside->directory));
	killed = first = one_life(experiment->action, experiment->kills[0]);
	for (size_t life = 1; killed && life <= LENGTH(experiment->kills); life++)
		killed = one_life(0, life < LENGTH(experiment->kills) ? experiment->kills[life] : 0);
	judge(experiment);
	remove_directory(outside->directory);
	return first;
}

static unsigned running, killed_count;
static bool all_good;

static void wait_for_one(void)
{
	int status;

	assert_true(wait(&status) > 0);
	running--;
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != KILLED))
		all_good = false;
	else if (WEXITSTATUS(status) == KILLED)
		killed_count++;
}

static void begin(const struct experiment *experiment)
{
	pid_t child;

	while (running >= AT_ONCE)
		wait_for_one();
	child = fork();
	if (child == 0)
		exit(perform(experiment) ? KILLED : 0);
	assert_true(child > 0);
	running++;
}

static void wait_for_all(void)
{
	while (running)
		wait_for_one();
	assert_true(all_good);
}

/* At every moment of the first life, until there are no more; and each time once more in the life after it. */
static void kill_everywhere(struct experiment experiment, unsigned moments_min)
{
	unsigned at = 0, before;

	all_good = true;
	killed_count = 0;
	do {
		before = killed_count;
		for (unsigned i = 0; i < AT_ONCE; i++) {
			experiment.kills[0] = ++at;
			experiment.kills[1] = at % 3 ? repeatable_random(12) : 0;
			experiment.kills[2] = at % 3 == 2 ? repeatable_random(8) : 0;
			begin(&experiment);
		}
		wait_for_all();
	} while (killed_count == before + AT_ONCE);
	print_message("# %s%s%s: killed at each of %u moments\n", pm_command_name(experiment.action),
		      experiment.queued ? " that waited" : "", experiment.deaf ? " with fallback" : "",
		      killed_count);
	assert_true(killed_count >= moments_min);
}

static void test_a_reset(void **state)
{
	(void)state;
	kill_everywhere((struct experiment){.action = PM_COMMAND_RESET, .on = true}, 8);
}

static void test_a_reset_that_waited(void **state)
{
	(void)state;
	kill_everywhere((struct experiment){.action = PM_COMMAND_RESET, .on = true, .queued = true}, 10);
}

static void test_a_reboot(void **state)
{
	(void)state;
	kill_everywhere((struct experiment){.action = PM_COMMAND_REBOOT, .on = true, .off_timeout_s = 30},
			12);
}

/* Three steps: the first method does not help. */
static void test_a_reboot_with_a_fallback(void **state)
{
	(void)state;
	kill_everywhere(
	    (struct experiment){.action = PM_COMMAND_REBOOT, .on = true, .deaf = true, .off_timeout_s = 1},
	    16);
}

static void test_power_on(void **state)
{
	(void)state;
	kill_everywhere((struct experiment){.action = PM_COMMAND_POWER_ON}, 8);
}

/* A wish is taken up while its time is not over: there has to be some. */
static void test_a_shutdown_with_a_fallback(void **state)
{
	(void)state;
	kill_everywhere(
	    (struct experiment){.action = PM_COMMAND_SHUTDOWN, .on = true, .deaf = true, .off_timeout_s = 2},
	    10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_reset),  cmocka_unit_test(test_a_reset_that_waited),
	    cmocka_unit_test(test_a_reboot), cmocka_unit_test(test_a_reboot_with_a_fallback),
	    cmocka_unit_test(test_power_on), cmocka_unit_test(test_a_shutdown_with_a_fallback),
	};

	return cmocka_run_group_tests_name("job kill", tests, NULL, NULL);
}
