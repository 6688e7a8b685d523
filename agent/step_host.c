/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Steps of the machine's operating system: asks it which boot it is and whether it is the right machine, has that written
 * down, tells that boot, and no other, what to do, and waits until the effect is observed.
 */
#include "agent/step_host.h"

#include "agent/job_private.h"
#include "agent/os.h"
#include "agent/poll.h"
#include "agent/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS   3000  /* before it has left: nobody was there */
#define SILENCE_MS 15000 /* so long that is tried */
#define REPEAT_MS  10000 /* a wish that was not answered, of a boot that still answers */

static const char in_boot[] = "in boot ";

static void act(struct pm_step_run *run);

/* --- what kind of step it is ------------------------------------------------------------------ */

bool pm_host_arms(const struct pm_step *step)
{
	return step->action == PM_STEP_HOST_ARM_WOL;
}

bool pm_host_sleeps(const struct pm_step *step)
{
	return step->action == PM_STEP_HOST_SUSPEND || step->action == PM_STEP_HOST_HIBERNATE;
}

bool pm_host_restarts(const struct pm_step *step)
{
	return step->goal == PM_POWER_ON;
}

static enum host_verb verb_of(const struct pm_step *step)
{
	switch (step->action) {
	case PM_STEP_HOST_SHUTDOWN:
		return HOST_POWEROFF;
	case PM_STEP_HOST_REBOOT:
		return HOST_REBOOT;
	case PM_STEP_HOST_SUSPEND:
		return HOST_SUSPEND;
	case PM_STEP_HOST_HIBERNATE:
		return HOST_HIBERNATE;
	case PM_STEP_HOST_INIT:
		return HOST_INIT;
	default:
		return HOST_ARM_WOL;
	}
}

/* What it agrees to. */
static enum pm_rest rest_of(const struct pm_step *step)
{
	switch (step->goal) {
	case PM_POWER_OFF:
		return PM_REST_OFF;
	case PM_POWER_ON:
		return PM_REST_REBOOT;
	case PM_POWER_SUSPENDED:
		return step->action == PM_STEP_HOST_SUSPEND ? PM_REST_SUSPENDED : PM_REST_HIBERNATED;
	default:
		return PM_REST_NONE;
	}
}

/* --- the boot, in the journal ------------------------------------------------------------------ */

/* While it is at work, the text of the step is which boot was asked. */
static bool read_boot(const struct pm_step *step, char boot_id[HOST_ID_SIZE])
{
	size_t prefix = sizeof(in_boot) - 1;

	if (!step->text || strncmp(step->text, in_boot, prefix) != 0 ||
	    strlen(step->text) != prefix + HOST_ID_SIZE - 1)
		return false;
	snprintf(boot_id, HOST_ID_SIZE, "%s", step->text + prefix);
	return true;
}

bool pm_host_step_is_repeatable(const struct pm_step *step)
{
	char boot_id[HOST_ID_SIZE];

	return pm_host_arms(step) || step->action == PM_STEP_HOST_SHUTDOWN || !read_boot(step, boot_id);
}

bool pm_host_step_is_awaited(const struct pm_step *step)
{
	return pm_step_is_of_host(step) && step->state == PM_JOB_VERIFYING;
}

/* Nothing is sent before a restart would find which boot it was sent to. */
static void write_boot(struct pm_step_run *run)
{
	struct pm_step *step = pm_step_of(run);
	char text[sizeof(in_boot) + HOST_ID_SIZE];

	snprintf(text, sizeof(text), "%s%s", in_boot, run->host.boot_id);
	free(step->text);
	step->text = strdup(text);
	if (!step->text) {
		pm_step_given_up(run, PM_RESULT_INTERNAL_ERROR, "no memory");
		return;
	}
	step->changed = true;
	pm_timer_start(run->timer, pm_step_left_ms(run));
	pm_gate_close(run);
}

static void begin(struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);
	const struct pm_os *os = run->job->machine->os;

	run->host.perhaps = read_boot(step, run->host.boot_id);
	if (!run->host.perhaps && step->state == PM_JOB_VERIFYING && os)
		snprintf(run->host.boot_id, sizeof(run->host.boot_id), "%s", os->rest_boot);
	pm_host_note_target(run);
}

/* --- replies to what was asked --------------------------------------------------------------------- */

static void note_trouble(struct pm_step_run *run, enum pm_result result, const char *text)
{
	run->troubled = result;
	pm_text_format(run->trouble, sizeof(run->trouble), "%s", text);
}

/* Cancelled by stop(): all that is still of interest is whether it had left. */
bool pm_host_was_cut(struct pm_step_run *run, const struct host_reply *reply)
{
	if (run->host.op) {
		run->host.op = NULL;
		return false;
	}
	run->cut_sent = run->cut && reply->sent;
	return true;
}

/* A wish may have come true by itself. */
static bool is_so_by_now(const struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);

	return step->goal && !step->momentary && run->job->machine->observed == step->goal &&
	       run->job->machine->observed_loop_ms >= run->begun_ms;
}

static void note_silence(struct pm_step_run *run, const struct host_reply *reply)
{
	char text[400];

	snprintf(text, sizeof(text), "it may have been asked before a restart of the agent: %s", reply->text);
	if (run->host.perhaps)
		note_trouble(run, PM_RESULT_INTERRUPTED, text);
	else
		note_trouble(run, pm_host_result(reply->result), reply->text);
}

/* It may have been done: that is to be seen. */
static void wait_in_doubt(struct pm_step_run *run, bool now)
{
	run->acted = run->host.doubt = true;
	run->acted_ms = run->sent_ms;
	if (now)
		pm_host_wait(run);
	else /* a reload is under way: nothing is asked before it is over */
		pm_timer_start(run->timer, PM_HOST_TICK_MS);
}

/*
 * One that was there a moment ago may be rebooting by somebody else's hand: it gets the time to come up again, and to be known
 * as another boot, before another method is tried, which could not tell one boot from another.
 */
static uint64_t patience_ms(const struct pm_step_run *run)
{
	bool was_there = *run->host.boot_id && !run->host.reporting && !run->host.perhaps;
	uint64_t off_ms = (uint64_t)run->job->machine->config->off_timeout_s * 1000;

	return was_there && !pm_host_arms(pm_step_of(run)) && off_ms > SILENCE_MS ? off_ms : SILENCE_MS;
}

/* Nobody was there: it is tried for a short while, as a network that recovers may take. */
void pm_host_not_reached(struct pm_step_run *run, const struct host_reply *reply)
{
	uint64_t now_ms = pm_step_now(run);
	char text[160];

	note_silence(run, reply);
	if (!run->host.silent_ms)
		run->host.silent_ms = now_ms;
	if (is_so_by_now(run)) {
		snprintf(text, sizeof(text), "%s by now, observed by the %s; nothing was sent",
			 pm_power_state_name(run->job->machine->observed),
			 pm_machine_source(run->job->machine));
		pm_step_done(run, PM_RESULT_ALREADY_IN_STATE, text);
	} else if (reply->result == HOST_CANCELLED) { /* by a reload */
		pm_timer_start(run->timer, PM_HOST_TICK_MS);
	} else if (now_ms - run->host.silent_ms < patience_ms(run)) {
		pm_timer_start(run->timer, RETRY_MS);
	} else if (run->host.perhaps) {
		wait_in_doubt(run, true);
	} else {
		pm_host_fail(run, run->troubled, run->trouble);
	}
}

bool pm_host_is_silence(const struct host_reply *reply)
{
	return reply->result == HOST_UNREACHABLE || reply->result == HOST_TIMEOUT ||
	       reply->result == HOST_CANCELLED;
}

/* It has left, and what became of it is not known; nonsense says no more than silence. */
static bool is_doubtful(const struct host_reply *reply)
{
	return reply->sent && (pm_host_is_silence(reply) || reply->result == HOST_NO_HELPER);
}

static void in_doubt(struct pm_step_run *run, const struct host_reply *reply)
{
	const struct pm_step *step = pm_step_of(run);
	char text[300];

	snprintf(text, sizeof(text), "%s; %s may have been done%s", reply->text, pm_step_words(step),
		 step->action == PM_STEP_HOST_SHUTDOWN ? "" : ", and is not sent twice");
	note_trouble(run, pm_host_is_silence(reply) ? PM_RESULT_TIMEOUT : pm_host_result(reply->result),
		     text);
	if (!step->goal) {
		pm_step_given_up(run, run->troubled, run->trouble);
		return;
	}
	wait_in_doubt(run, reply->result != HOST_CANCELLED);
}

/* --- the verbs ---------------------------------------------------------------------------------------- */

static void agreed(struct pm_step_run *run, const struct host_reply *reply)
{
	const struct pm_step *step = pm_step_of(run);
	char text[300];

	run->acted = run->host.agreed = true;
	run->host.doubt = false;
	run->acceptances++;
	run->acted_ms = run->sent_ms;
	if (!step->goal) {
		pm_text_format(text, sizeof(text), "accepted: %s", reply->text);
		pm_step_done(run, PM_RESULT_OK, text);
		return;
	}
	pm_os_rests(run->job->machine, rest_of(step), run->host.boot_id);
	pm_step_verifying(run);
	pm_host_wait(run);
}

/* It may be on its way down, as it was told before: then it lets nobody in any more, or is busy, or has lost what it needs. */
static void no_after_a_restart(struct pm_step_run *run, const struct host_reply *reply)
{
	note_silence(run, reply);
	wait_in_doubt(run, true);
}

static void on_verb(const struct host_reply *reply, void *data)
{
	struct pm_step_run *run = data;

	if (pm_host_was_cut(run, reply))
		return;
	if (reply->result == HOST_OK)
		agreed(run, reply);
	else if (reply->result == HOST_OTHER_BOOT)
		pm_host_other_boot(run);
	else if (run->host.perhaps && !pm_host_is_silence(reply))
		no_after_a_restart(run, reply);
	else if (is_doubtful(reply))
		in_doubt(run, reply);
	else if (run->host.doubt) /* once more: it may say no because it is going down already */
		pm_host_wait(run);
	else if (pm_host_is_silence(reply))
		pm_host_not_reached(run, reply);
	else if (reply->result == HOST_REFUSED)
		pm_host_refused(run, reply->text);
	else if (reply->result == HOST_UNSUPPORTED && pm_host_sleeps(pm_step_of(run)))
		pm_host_cannot_sleep(run, reply->text);
	else
		pm_host_fail(run, pm_host_result(reply->result), reply->text);
}

void pm_host_submit(struct pm_step_run *run, const struct host_request *request)
{
	const struct pm_machine *machine = run->job->machine;

	run->host.op = machine->agent->host_driver->submit(machine->os->client, request);
	if (!run->host.op)
		pm_step_given_up(run, PM_RESULT_INTERNAL_ERROR, "no memory");
}

static void tell(struct pm_step_run *run)
{
	const struct host_request request = {.verb = verb_of(pm_step_of(run)),
					     .init_level = run->job->spec.init_level,
					     .boot_id = run->host.boot_id,
					     .done = on_verb,
					     .data = run};

	if (!pm_step_may_send(run))
		return;
	run->tries++;
	run->sent_ms = pm_step_now(run);
	run->host.slept_ms = pm_host_slept_ms();
	run->host.reporting = false;
	if (pm_step_of(run)->goal)
		pm_os_asks(run->job->machine);
	pm_host_submit(run, &request);
}

/* --- which boot, and whether it is the machine ------------------------------------------------------------ */

/* Who has configured a UUID wants to be sure. */
static bool is_unsure(const struct pm_machine *machine, const struct host_report *report)
{
	return *machine->config->uuid && !*report->uuid && !pm_os_has_its_mac(machine, report);
}

/* Whether it is another machine, or may be one; then the step has ended. */
static bool is_another(struct pm_step_run *run, const struct host_report *report)
{
	const struct pm_machine *machine = run->job->machine;
	char text[400];

	if (machine->os->wrong_uuid)
		snprintf(
		    text, sizeof(text),
		    "what answers there is another machine: its UUID is %s, and not %s: nothing was done",
		    report->uuid, machine->config->uuid);
	else if (pm_os_is_another(machine, report))
		snprintf(
		    text, sizeof(text),
		    "what answers there seems to be another machine: it has none of the MAC addresses of "
		    "machine %s: nothing was done; set its uuid, or the right mac, in the configuration",
		    machine->config->name);
	else if (is_unsure(machine, report))
		snprintf(
		    text, sizeof(text),
		    "it does not tell its UUID, so that it may be another machine: nothing was done; let "
		    "pmstack-host read it (see pmstack-host setup), or configure the mac of a nic, or no uuid");
	else
		return false;
	pm_step_given_up(run, PM_RESULT_REJECTED, text);
	return true;
}

/* VMs would be stopped for nothing: they could not stay in the memory of a machine that is switched off. */
static bool is_in_vain(const struct pm_step_run *run, const struct host_report *report)
{
	const struct pm_job *job = run->job;

	for (unsigned i = run->index + 1; i < job->step_count; i++)
		if (job->steps[i].action == PM_STEP_HOST_SUSPEND && !report->can_suspend)
			return i + 1 == job->step_count || !job->steps[i + 1].alternative;
	return false;
}

static void take_report(struct pm_step_run *run, const struct host_report *report)
{
	const struct pm_step *step = pm_step_of(run);

	run->host.silent_ms = 0;
	pm_host_note_target(run);
	snprintf(run->host.boot_id, sizeof(run->host.boot_id), "%s", report->boot_id);
	if (is_another(run, report))
		return;
	if (!pm_step_left_ms(run))
		pm_host_fail(run, PM_RESULT_TIMEOUT,
			     "its operating system took too long to say which boot it is");
	else if (pm_host_arms(step) && is_in_vain(run, report))
		pm_step_given_up(run, PM_RESULT_REJECTED,
				 "it cannot suspend to memory, which was not known before: nothing was done; "
				 "asked again its VMs are saved, and it is switched off");
	else if (pm_host_arms(step))
		pm_host_arm(run);
	else if ((step->action == PM_STEP_HOST_SUSPEND && !report->can_suspend) ||
		 (step->action == PM_STEP_HOST_HIBERNATE && !report->can_hibernate))
		pm_host_cannot_sleep(run, "its operating system says so");
	else
		write_boot(run);
}

static void on_report(const struct host_reply *reply, void *data)
{
	struct pm_step_run *run = data;

	if (pm_host_was_cut(run, reply))
		return;
	if (reply->report) {
		run->host.busy = true; /* who is told of it tells this step */
		pm_os_reported(run->job->machine, reply->report);
		run->host.busy = false;
		take_report(run, reply->report);
	} else if (pm_host_is_silence(reply)) {
		pm_host_not_reached(run, reply);
	} else {
		pm_host_fail(run, pm_host_result(reply->result), reply->text);
	}
}

static void ask(struct pm_step_run *run)
{
	const struct host_request request = {.verb = HOST_REPORT, .done = on_report, .data = run};

	run->host.reporting = true;
	pm_host_submit(run, &request);
}

/* --- while it is waited for -------------------------------------------------------------------- */

/* One that is to come up again must have gone down by then, or the next method is tried. */
static bool never_went(struct pm_step_run *run)
{
	uint64_t off_ms = (uint64_t)run->job->machine->config->off_timeout_s * 1000;

	return pm_host_restarts(pm_step_of(run)) && pm_step_now(run) - run->begun_ms >= off_ms &&
	       pm_host_still_answers(run);
}

static bool is_to_be_repeated(const struct pm_step_run *run)
{
	return run->host.doubt && pm_step_of(run)->action == PM_STEP_HOST_SHUTDOWN &&
	       pm_host_still_answers(run) && pm_step_now(run) - run->sent_ms >= REPEAT_MS;
}

/* Nobody has agreed to anything, so that nobody else asks soon. */
static void ask_in_doubt(struct pm_step_run *run)
{
	uint64_t now_ms = pm_step_now(run);

	if (!run->host.doubt || now_ms - run->host.asked_ms < RETRY_MS)
		return;
	run->host.asked_ms = now_ms;
	pm_os_ask(run->job->machine);
}

static void tick(struct pm_step_run *run)
{
	if (pm_host_settle(run))
		return;
	pm_poll_fast(run->job->machine, true);
	ask_in_doubt(run);
	if (never_went(run) && pm_host_has_looked(run))
		pm_host_timed_out(run);
	else if (is_to_be_repeated(run))
		act(run);
	else
		pm_timer_start(run->timer, PM_HOST_TICK_MS);
}

/* --- the kind ------------------------------------------------------------------------------------------------ */

static bool is_reachable(const struct pm_step_run *run)
{
	const struct pm_os *os = run->job->machine->os;

	return os && os->client;
}

static void act(struct pm_step_run *run)
{
	if (!is_reachable(run)) /* a reload is exchanging it just now, or has taken it away */
		pm_timer_start(run->timer, PM_HOST_TICK_MS);
	else if (!*run->host.boot_id || !pm_host_is_same(run))
		ask(run);
	else if (pm_host_arms(pm_step_of(run)))
		pm_host_arm(run);
	else
		tell(run);
}

/* Off is still seen by others; what else was to come of it is not. */
static void no_longer_seen(struct pm_step_run *run)
{
	if (!run->acted)
		pm_host_fail(run, PM_RESULT_NOT_CONFIGURED, "the host is no longer configured");
	else if (pm_step_of(run)->goal == PM_POWER_OFF && run->job->machine->bmc && pm_step_left_ms(run))
		tick(run);
	else
		pm_step_given_up(run, PM_RESULT_NOT_CONFIGURED,
				 "it was asked, and its host is no longer configured: what became of it "
				 "cannot be seen");
}

/* A reload has taken the host away, or has put another one in its place. */
static bool has_lost_its_host(const struct pm_step_run *run)
{
	return run->acted ? !pm_host_is_same(run) : !run->job->machine->config->host;
}

/* All of its time is over: it may be up again, in a boot that nothing harder must hit. */
static void come_to_an_end(struct pm_step_run *run)
{
	if (pm_host_settle(run))
		return;
	if (pm_host_has_looked(run))
		pm_host_timed_out(run);
	else
		pm_timer_start(run->timer, PM_HOST_TICK_MS);
}

static void on_timer(struct pm_step_run *run, bool late)
{
	if (run->host.op)
		return;
	if (has_lost_its_host(run))
		no_longer_seen(run);
	else if (!run->acted && late)
		pm_host_fail(run, run->troubled ? run->troubled : PM_RESULT_TIMEOUT,
			     *run->trouble ? run->trouble : "its operating system was not asked in time");
	else if (!run->acted)
		act(run);
	else if (!late)
		tick(run);
	else
		come_to_an_end(run);
}

/* It had agreed before a restart. */
static void resume(struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	uint64_t look_ms = pm_machine_look_ms(machine) + SILENCE_MS;

	run->acted = run->host.agreed = true;
	run->acceptances = 1;
	run->acted_ms = run->sent_ms = pm_step_now(run);
	if (machine->config->host)
		look_ms += machine->config->host->timeout_ms;
	run->begun_ms -= pm_step_wait_already_ms(run, look_ms);
	pm_os_ask(run->job->machine);
	pm_host_wait(run);
}

static void observed(struct pm_step_run *run, enum pm_state_source asked)
{
	if (run->host.busy)
		return;
	if (run->confirming)
		pm_machine_looked(run, asked);
	else if (run->acted && !run->host.op && !run->looking && !run->parked)
		pm_host_settle(run);
}

static void stop(struct pm_step_run *run)
{
	struct host_op *op = run->host.op;

	if (!op)
		return;
	run->host.op = NULL;
	run->cut = !run->host.reporting;
	run->job->machine->agent->host_driver->cancel(op);
}

static void describe(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	const char *command = pm_step_words(pm_step_of(run));
	uint64_t since_ms = pm_step_now(run) - run->acted_ms;

	if (run->host.doubt)
		snprintf(text, size, "%s was sent to its operating system, which did not confirm it",
			 command);
	else if (run->before)
		snprintf(text, size, "%s was agreed to before a restart of the agent", command);
	else if (run->acted)
		snprintf(text, size, "%s was agreed to by its operating system %.1f s %s", command,
			 (double)since_ms / 1000.0, ago);
	else if (run->host.op && !run->host.reporting)
		snprintf(text, size, "%s is given to its operating system, which has not answered yet",
			 command);
	else if (run->cut && run->cut_sent)
		snprintf(text, size, "%s was sent to its operating system, which had not answered", command);
	else if (*run->trouble)
		snprintf(text, size, "%s was not sent: %s", command, run->trouble);
	else
		snprintf(text, size, "%s was not sent yet", command);
}

const struct pm_step_kind pm_step_host = {.begin = begin,
					  .look = pm_machine_look,
					  .act = act,
					  .resume = resume,
					  .on_timer = on_timer,
					  .observed = observed,
					  .stop = stop,
					  .describe = describe};
