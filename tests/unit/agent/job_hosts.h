/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs of machines whose operating systems can be asked, told as scenes: what a machine has, what is asked of it, what happens
 * meanwhile, and how it must end. Each scene is a machine of its own, and all of them are played at the same time.
 */
#ifndef PM_TEST_JOB_HOSTS_H
#define PM_TEST_JOB_HOSTS_H

#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/fast_time.h"
#include "tests/unit/agent/hosts.h"
#include "tests/unit/agent/jobs.h"

#define TURN_MS    10
#define PROBE_MS   100 /* so often its BMC and its probe tell what is true */
#define REPLY_MS   20
#define SCENES_MAX 80
#define LONGEST_MS 900000

struct play;

struct scene {
	const char *name;
	enum pm_command action;
	enum pm_scope scope; /* 0: machine */
	enum pm_force force; /* 0: never */
	uint8_t level;       /* of init */
	bool arm;            /* pmJobArmWol */
	bool bmc, no_probe, local, no_nic;
	unsigned off_s, on_s, job_s;          /* 0: 2, 6, 600 */
	void (*before)(struct play *play);    /* it is on, and known to be */
	void (*meanwhile)(struct play *play); /* every few milliseconds, until the job has ended */

	enum pm_result result; /* 0: the SET is refused */
	const char *text;      /* part of pmJobResultText, or of the refusal */
	const char *steps;     /* those that were begun: "hostShutdown ok, ..." */
	enum fake_os_power is; /* the machine, when the job has ended; 0: whatever it is */
	int told;              /* how often it was told to go down, or to sleep; -1: any number */
	bool takes_back;       /* that it agreed no longer counts */
};

struct play {
	const struct scene *scene;
	struct pm_machine *machine;
	struct fake_os *os;
	struct pm_job *job;
	char text[256];   /* of the end, or the refusal */
	bool bmc_is_mute; /* tells nothing new */
	unsigned phase;   /* the scene's own */
	int64_t since_ms; /* likewise */
	unsigned soft, down, up;
};

static struct world world;
static struct play plays[SCENES_MAX];
static size_t play_count;
static int64_t told_ms; /* when that was last */

/* --- the BMCs -------------------------------------------------------------------------------------- */

static inline struct play *play_of(const struct pm_machine *machine)
{
	return &plays[machine->index - 1];
}

static inline void switch_it(const struct ipmi_request *request)
{
	const struct pm_step_run *run = request->data;
	struct play *play = play_of(run->job->machine);

	if (request->command != IPMI_CHASSIS_CONTROL)
		return;
	switch (request->control) {
	case IPMI_POWER_UP:
		play->up++;
		fake_os_set_power(play->os, true);
		break;
	case IPMI_POWER_DOWN:
		play->down++;
		fake_os_set_power(play->os, false);
		break;
	case IPMI_SOFT_SHUTDOWN:
		play->soft++;
		fake_os_does(play->os, HOST_POWEROFF, 0);
		break;
	default:
		break;
	}
}

/* --- time ---------------------------------------------------------------------------------------------- */

static inline void tell_what_is_true(struct play *play)
{
	if (play->machine->bmc && !play->bmc_is_mute)
		bmc_says(play->machine, fake_os_has_power(play->os));
	if (play->machine->config->probe)
		pm_state_probe(play->machine, fake_os_pings(play->os) ? PM_PROBE_UP : PM_PROBE_SILENT, "");
}

static inline bool is_at_work(const struct play *play)
{
	return play->job && pm_job_at_work(play->job);
}

static inline void turn(void)
{
	bool tells = passed_ms - told_ms >= PROBE_MS;

	passed_ms += TURN_MS;
	if (tells)
		told_ms = passed_ms;
	for (size_t i = 0; i < play_count; i++) {
		if (tells)
			tell_what_is_true(&plays[i]);
		if (plays[i].scene->meanwhile && is_at_work(&plays[i]))
			plays[i].scene->meanwhile(&plays[i]);
	}
	uv_run(&world.loop, UV_RUN_NOWAIT);
	while (world.agent.syncing) { /* the disk takes its own time, in which none passes */
		uv_run(&world.loop, UV_RUN_NOWAIT);
		usleep(100);
	}
}

static inline void pass_ms(int64_t duration_ms)
{
	for (int64_t end_ms = passed_ms + duration_ms; passed_ms < end_ms;)
		turn();
}

static inline bool any_at_work(void)
{
	for (size_t i = 0; i < play_count; i++)
		if (is_at_work(&plays[i]))
			return true;
	return false;
}

static inline void run_until_all_have_ended(void)
{
	for (int64_t end_ms = passed_ms + LONGEST_MS; any_at_work() && passed_ms < end_ms;)
		turn();
}

static inline bool all_are_known(void)
{
	for (size_t i = 0; i < play_count; i++)
		if (!plays[i].machine->os->heard_ms)
			return false;
	return true;
}

/* --- the machines ------------------------------------------------------------------------------------ */

static inline void configure(struct pm_machine_config *config, const struct scene *scene, size_t place)
{
	char address[32];

	snprintf(address, sizeof(address), "h%zu", place + 1);
	config->off_timeout_s = scene->off_s ? scene->off_s : 2;
	config->on_timeout_s = scene->on_s ? scene->on_s : 6;
	if (scene->bmc)
		give_bmc_config(config, NULL, 623);
	if (!scene->no_probe)
		give_probe_config(config);
	if (!scene->no_nic)
		give_nic_configs(config, 1);
	give_host_config(config, address);
	if (scene->local) {
		config->host->local = true;
		config->host->socket = strdup(address);
	}
}

static inline void begin_plays(const struct scene *scenes, size_t count)
{
	struct pm_inventory *inventory = world_inventory(count);

	assert_true(count <= SCENES_MAX);
	memset(plays, 0, sizeof(plays));
	for (size_t i = 0; i < count; i++)
		configure(&inventory->machines[i], &scenes[i], i);
	inventory->agent.ssh_parallel = SCENES_MAX * 2;
	world_begin(&world, inventory);
	world.agent.job_max_concurrent = SCENES_MAX;
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = REPLY_MS;
	fake_bmc_obey = switch_it;
	for (play_count = 0; play_count < count; play_count++) {
		struct play *play = &plays[play_count];

		play->scene = &scenes[play_count];
		play->machine = world.agent.machines[play_count];
		play->os = fake_os_new(inventory->machines[play_count].host->address);
		play->os->answer_ms = 20;
		play->os->down_ms = 100;
		play->os->boot_ms = 300;
		if (scenes[play_count].bmc)
			give_bmc(play->machine);
		if (!scenes[play_count].no_nic)
			give_nics(play->machine);
	}
	world_give_hosts(&world);
	for (int64_t end_ms = passed_ms + LONGEST_MS; !all_are_known() && passed_ms < end_ms;)
		turn();
	assert_true(all_are_known());
	pass_ms(1000); /* a probe that answers for the first time has its host asked once more */
}

static inline void end_plays(void)
{
	world.agent.stopping = true;
	pm_jobs_stop(&world.agent);
	play_count = 0;
	world_end(&world);
	fake_os_free_all();
}

/* --- jobs --------------------------------------------------------------------------------------------- */

static inline int ask_for(struct play *play, const struct pm_job_spec *spec)
{
	static const uint32_t retain_s = PM_JOB_RETAIN_MAX_S;
	struct pm_job_edit edit = {.machine = play->machine,
				   .owner = "op",
				   .name = "scene",
				   .spec = *spec,
				   .spec_set = true,
				   .retain_s = &retain_s,
				   .row_status = PM_ROW_CREATE_AND_GO};
	struct pm_agent *agent = &world.agent;
	struct pm_error err = {""};
	int error = pm_job_edit_reserve(&edit, &err);

	if (error) {
		snprintf(play->text, sizeof(play->text), "%s", err.text);
		return error;
	}
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_job_edit_journal(&edit, &err), 0);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	pm_job_edit_release(&edit);
	play->job = pm_job_find(play->machine, "op", "scene");
	assert_non_null(play->job);
	return 0;
}

static inline void start_scene(struct play *play)
{
	const struct scene *scene = play->scene;
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = scene->action;
	spec.scope = scene->scope ? scene->scope : PM_SCOPE_MACHINE;
	spec.force = scene->force ? scene->force : PM_FORCE_NEVER;
	spec.init_level = scene->level;
	spec.arm_wol = scene->arm;
	spec.timeout_s = scene->job_s ? scene->job_s : 600;
	if (scene->before)
		scene->before(play);
	ask_for(play, &spec);
}

/* "hostShutdown ok, bmcSoftShutdown timeout": those that were begun. */
static inline const char *steps_in_words(const struct pm_job *job)
{
	static char text[400];
	size_t used = 0;

	*text = '\0';
	for (unsigned i = 0; i < job->step_count; i++)
		if (job->steps[i].start_ms)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
						 used ? ", " : "", pm_step_action_name(job->steps[i].action),
						 pm_result_name(job->steps[i].result));
	return text;
}

static inline int times_told(const struct fake_os *os)
{
	return (int)(os->asked[HOST_POWEROFF] + os->asked[HOST_REBOOT] + os->asked[HOST_SUSPEND] +
		     os->asked[HOST_HIBERNATE] + os->asked[HOST_INIT]);
}

static inline bool complain(const struct play *play, const char *what, const char *is, const char *should)
{
	print_error("# %s: %s is \"%s\", and not \"%s\"%s%s\n", play->scene->name, what, is, should,
		    play->job ? ": " : "", play->job ? pm_job_text(play->job) : "");
	return false;
}

static inline bool judge_refusal(const struct play *play)
{
	if (play->job)
		return complain(play, "the job", pm_result_name(play->job->result), "refused");
	if (!strstr(play->text, play->scene->text))
		return complain(play, "the refusal", play->text, play->scene->text);
	return true;
}

static inline bool judge_steps(const struct play *play)
{
	for (unsigned i = 0; i < play->job->step_count; i++) {
		const struct pm_step *step = &play->job->steps[i];

		if (step->start_ms && (!step->text || strlen(step->text) < 3 || strlen(step->text) > 255))
			return complain(play, "the text of a step", step->text ? step->text : "", "a text");
	}
	return true;
}

static inline bool judge(const struct play *play)
{
	const struct scene *scene = play->scene;
	const struct pm_job *job = play->job;
	const char *steps;
	char number[16], other[16];

	if (!scene->result)
		return judge_refusal(play);
	if (!job)
		return complain(play, "the job", "refused", play->text);
	steps = steps_in_words(job);
	snprintf(number, sizeof(number), "%d", times_told(play->os));
	snprintf(other, sizeof(other), "%d", scene->told);
	if (!pm_job_has_ended(job))
		return complain(play, "the job", "not ended", pm_result_name(scene->result));
	if (job->result != scene->result)
		return complain(play, "the result", pm_result_name(job->result),
				pm_result_name(scene->result));
	if (scene->text && !strstr(pm_job_text(job), scene->text))
		return complain(play, "the text", pm_job_text(job), scene->text);
	if (scene->steps && strcmp(steps, scene->steps) != 0)
		return complain(play, "the steps", steps, scene->steps);
	if (scene->told >= 0 && scene->told != times_told(play->os))
		return complain(play, "told to go down", number, other);
	if (scene->is && fake_os_is(play->os) != scene->is)
		return complain(play, "the machine", fake_os_has_power(play->os) ? "on" : "off", "otherwise");
	if (scene->takes_back && play->machine->os->rest)
		return complain(play, "what it agreed to", "kept", "taken back");
	return judge_steps(play);
}

/* All at once. */
static inline void play_all(const struct scene *scenes, size_t count)
{
	bool good = true;

	begin_plays(scenes, count);
	for (size_t i = 0; i < count; i++)
		start_scene(&plays[i]);
	run_until_all_have_ended();
	for (size_t i = 0; i < count; i++)
		good &= judge(&plays[i]);
	if (!good)
		fake_os_log_dump(stderr);
	end_plays();
	assert_true(good);
}

#endif
