/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What became of what the operating system of a machine was told: what is observed, and how its step ends. */
#include "agent/job_private.h"
#include "agent/os.h"
#include "agent/poll.h"
#include "agent/step_host.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define OFF_SETTLE_MS  15000 /* of a machine that was to restart: it stays off */
#define LOOK_MARGIN_MS 1000
#define SLEPT_MS       1000 /* this host stood still for longer */

/* --- how it ends -------------------------------------------------------------------------------- */

/* Nobody asked for off who asked for sleep, and nothing else arms; and hours later no harder way is tried. */
void pm_host_fail(struct pm_step_run *run, enum pm_result result, const char *text)
{
	const struct pm_step *step = pm_step_of(run);
	char late[400];

	if (run->job->run->overdue) {
		snprintf(late, sizeof(late), "the agent was away until the time for it was over; %s", text);
		pm_step_given_up(run, PM_RESULT_INTERRUPTED, late);
	} else if (pm_host_sleeps(step) || pm_host_arms(step)) {
		pm_step_given_up(run, result, text);
	} else {
		pm_step_failed(run, result, text);
	}
}

/* It said no; where it is to be forced in the end, the next method follows. */
void pm_host_refused(struct pm_step_run *run, const char *why)
{
	const struct pm_job *job = run->job;
	bool has_other = run->index + 1 < job->step_count && job->steps[run->index + 1].alternative;
	bool goes_on = job->spec.force != PM_FORCE_NEVER && !pm_host_sleeps(pm_step_of(run));
	char text[400];

	snprintf(text, sizeof(text), "refused by its operating system: %s%s", why,
		 has_other && !goes_on && !pm_host_sleeps(pm_step_of(run))
		     ? "; nothing else was tried, as pmJobForce afterTimeout would"
		     : "");
	if (goes_on)
		pm_host_fail(run, PM_RESULT_GUEST_REFUSED, text);
	else
		pm_step_given_up(run, PM_RESULT_GUEST_REFUSED, text);
}

void pm_host_cannot_sleep(struct pm_step_run *run, const char *why)
{
	const struct pm_job *job = run->job;
	bool stopped = job->spec.action == PM_COMMAND_SUSPEND && pm_job_has_stack(job);
	char text[400];

	snprintf(text, sizeof(text), "it cannot suspend to %s: %s%s",
		 job->spec.action == PM_COMMAND_SUSPEND ? "memory" : "disk", why,
		 stopped ? "; it stays on, for its VMs are stopped in its memory: hibernate saves them first"
			 : "");
	pm_step_failed(run, PM_RESULT_REJECTED, text);
}

enum pm_result pm_host_result(enum host_result result)
{
	switch (result) {
	case HOST_NOT_PERMITTED:
	case HOST_AUTH_FAILED:
		return PM_RESULT_AUTH_FAILED;
	case HOST_UNREACHABLE:
		return PM_RESULT_UNREACHABLE;
	case HOST_TIMEOUT:
		return PM_RESULT_TIMEOUT;
	case HOST_CANCELLED:
		return PM_RESULT_INTERRUPTED;
	case HOST_NO_MEMORY:
		return PM_RESULT_INTERNAL_ERROR;
	default:
		return PM_RESULT_REJECTED;
	}
}

const char *pm_host_step_instead(const struct pm_job *job, const struct pm_step *step)
{
	bool to_disk = job->spec.action == PM_COMMAND_HIBERNATE, armed = false;

	if ((job->spec.action != PM_COMMAND_SUSPEND && !to_disk) || job->spec.vm ||
	    step->goal != PM_POWER_OFF)
		return "";
	for (unsigned i = 0; i < job->step_count; i++) {
		const char *text = job->steps[i].text;

		armed |= pm_host_arms(&job->steps[i]) && job->steps[i].state == PM_JOB_SUCCEEDED && text &&
			 strncmp(text, pm_host_not_armed, strlen(pm_host_not_armed)) != 0;
	}
	return to_disk ? armed ? "it cannot suspend to disk: switched off instead, with Wake-on-LAN armed; "
			       : "it cannot suspend to disk: switched off instead; "
	       : armed ? "it cannot suspend to memory: switched off instead, with Wake-on-LAN armed; "
		       : "it cannot suspend to memory: switched off instead; ";
}

static double since_s(const struct pm_step_run *run)
{
	return (double)(pm_step_now(run) - run->begun_ms) / 1000.0;
}

/* "%s12.3 s after the command%s" */
static void done_after(struct pm_step_run *run, const char *what, const char *then)
{
	char text[400], when[64];

	if (run->before)
		snprintf(when, sizeof(when), "after a restart of the agent");
	else
		snprintf(when, sizeof(when), "%.1f s after the command", since_s(run));
	snprintf(text, sizeof(text), "%s%s %s%s", pm_host_step_instead(run->job, pm_step_of(run)), what, when,
		 then);
	pm_step_done(run, PM_RESULT_OK, text);
}

/* --- whom it was asked of --------------------------------------------------------------------------- */

static void describe_target(const struct pm_step_run *run, char *text, size_t size)
{
	const struct pm_host_config *host = run->job->machine->config->host;

	*text = '\0';
	if (host && host->local)
		snprintf(text, size, "%s", host->socket);
	else if (host)
		snprintf(text, size, "%s %u", host->address, host->port);
}

void pm_host_note_target(struct pm_step_run *run)
{
	describe_target(run, run->host.target, sizeof(run->host.target));
}

bool pm_host_is_same(const struct pm_step_run *run)
{
	char target[sizeof(run->host.target)];

	describe_target(run, target, sizeof(target));
	return *target && strcmp(target, run->host.target) == 0;
}

/* --- what is observed ---------------------------------------------------------------------------- */

static bool is_fresh(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	return machine->source == PM_SOURCE_HOST ||
	       (machine->source == PM_SOURCE_BMC && machine->observed_loop_ms >= run->sent_ms);
}

static bool is_seen(const struct pm_step_run *run, enum pm_power_state state)
{
	return run->job->machine->observed == state && is_fresh(run);
}

/* It has told since then that it is in another boot. */
static bool has_rebooted(const struct pm_step_run *run)
{
	const struct pm_os *os = run->job->machine->os;

	return os && pm_host_is_same(run) && os->heard_ms && *run->host.boot_id &&
	       !pm_os_is_another(run->job->machine, &os->report) &&
	       strcmp(os->report.boot_id, run->host.boot_id) != 0;
}

/* It has told since then, and last, that it is still in the boot that was asked. */
bool pm_host_still_answers(const struct pm_step_run *run)
{
	const struct pm_os *os = run->job->machine->os;

	return os && pm_host_is_same(run) && os->answers && os->heard_ms > run->sent_ms &&
	       os->heard_ms > run->host.away_ms && strcmp(os->report.boot_id, run->host.boot_id) == 0 &&
	       !pm_os_is_another(run->job->machine, &os->report);
}

static void note_absence(struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	const struct pm_os *os = machine->os;
	bool off = is_seen(run, PM_POWER_OFF);
	bool silent = os && os->asked_ms > run->sent_ms &&
		      (os->trouble == HOST_UNREACHABLE || os->trouble == HOST_TIMEOUT);

	if (off || silent || machine->os_reachable == PM_OS_NO)
		run->host.away_ms = pm_step_now(run);
	if (!off)
		run->host.off_ms = 0;
	else if (!run->host.off_ms)
		run->host.off_ms = pm_step_now(run);
}

/* How long this host has slept since it was started, on the clock that counts that. */
int64_t pm_host_slept_ms(void)
{
	struct timespec with, without;

	clock_gettime(CLOCK_BOOTTIME, &with);
	clock_gettime(CLOCK_MONOTONIC, &without);
	return (int64_t)(with.tv_sec - without.tv_sec) * 1000 + (with.tv_nsec - without.tv_nsec) / 1000000;
}

/* The agent sleeps with its own host, and can see nothing meanwhile. */
static bool has_slept(const struct pm_step_run *run)
{
	const struct pm_host_config *host = run->job->machine->config->host;

	return host && host->local && pm_host_is_same(run) && run->host.agreed && !run->before &&
	       pm_host_slept_ms() - run->host.slept_ms >= SLEPT_MS;
}

/* --- while its effect is waited for --------------------------------------------------------------- */

static bool is_followed_by_power_up(const struct pm_step_run *run)
{
	const struct pm_job *job = run->job;

	for (unsigned i = run->index + 1; i < job->step_count; i++)
		if (job->steps[i].action == PM_STEP_BMC_POWER_UP)
			return true;
	return false;
}

/* Another boot: what was asked of the one before is over, whoever ended it. */
void pm_host_other_boot(struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);

	if (pm_host_restarts(step) && (run->host.agreed || run->host.doubt))
		done_after(run, "up again, in a new boot", "");
	else if (pm_host_restarts(step))
		pm_step_done(
		    run, PM_RESULT_OK,
		    "up again, in a new boot: somebody else has rebooted it just now, and it was not done "
		    "once more");
	else if (run->host.agreed && !pm_host_sleeps(step))
		done_after(run, "it went down, and is up again in a new boot", "");
	else if (run->host.agreed)
		pm_step_given_up(run, PM_RESULT_REJECTED,
				 "it agreed to sleep, and is up again in a new boot: what slept is lost");
	else if (run->host.doubt || run->host.perhaps)
		pm_step_given_up(
		    run, run->host.perhaps ? PM_RESULT_INTERRUPTED : PM_RESULT_TIMEOUT,
		    "it may have been asked, and has rebooted since: it is not asked again in its new "
		    "boot; repeat the command if it is to go down all the same");
	else
		pm_step_given_up(run, PM_RESULT_REJECTED,
				 "somebody else has rebooted it just now: it was not asked again in its new "
				 "boot; repeat the command if it is to go down all the same");
}

/* Whether it has ended. */
static bool settle_restart(struct pm_step_run *run)
{
	if (has_rebooted(run)) {
		pm_host_other_boot(run);
		return true;
	}
	if (!run->host.off_ms || pm_step_now(run) - run->host.off_ms < OFF_SETTLE_MS ||
	    !is_followed_by_power_up(run) || run->job->run->overdue)
		return false;
	done_after(run, "it went off instead of restarting, observed by the BMC", "; it is switched on next");
	return true;
}

bool pm_host_settle(struct pm_step_run *run)
{
	const struct pm_step *step = pm_step_of(run);

	note_absence(run);
	if (pm_host_restarts(step))
		return settle_restart(run);
	if (is_seen(run, step->goal)) {
		pm_step_reached(run, run->host.doubt ? "; it had not confirmed the command" : "");
		return true;
	}
	if (pm_host_sleeps(step) && run->host.agreed && is_seen(run, PM_POWER_OFF)) {
		done_after(run, "asleep: it agreed, and the BMC says off", "");
		return true;
	}
	if (pm_host_sleeps(step) && has_slept(run)) {
		done_after(run, "it slept, and was awake again", "");
		return true;
	}
	if (!has_rebooted(run))
		return false;
	pm_host_other_boot(run);
	return true;
}

void pm_host_wait(struct pm_step_run *run)
{
	pm_poll_fast(run->job->machine, true);
	pm_poll_now(run->job->machine);
	pm_timer_start(run->timer, PM_HOST_TICK_MS);
}

bool pm_host_has_looked(struct pm_step_run *run)
{
	struct pm_machine *machine = run->job->machine;
	const struct pm_os *os = machine->os;
	uint64_t now_ms = pm_step_now(run);

	if (!os || !os->client || !pm_host_is_same(run))
		return true;
	if (!run->host.last_look_ms) {
		run->host.last_look_ms = now_ms;
		pm_os_ask(machine);
	}
	return os->asked_ms >= run->host.last_look_ms ||
	       now_ms - run->host.last_look_ms > LOOK_MARGIN_MS + 2 * machine->config->host->timeout_ms;
}

/* Why nobody has seen it, in words. */
static void describe_missing(const struct pm_step_run *run, char *text, size_t size)
{
	const struct pm_machine *machine = run->job->machine;
	const struct pm_step *step = pm_step_of(run);
	const char *goal = pm_power_state_name(step->goal);

	if (pm_host_still_answers(run))
		snprintf(text, size, "it answers in the same boot%s",
			 pm_host_sleeps(step) ? ": it did not sleep, or was woken at once" : "");
	else if (pm_host_restarts(step))
		snprintf(text, size, "it has not answered with a new boot");
	else if (!machine->bmc && !machine->config->probe)
		snprintf(text, size, "whether it is %s cannot be seen: it has neither bmc nor probe", goal);
	else if (pm_host_sleeps(step) && !machine->config->probe)
		snprintf(text, size, "whether it sleeps cannot be seen: it has no probe");
	else if (machine->os_reachable == PM_OS_YES)
		snprintf(text, size, "it still answers its probe");
	else
		snprintf(text, size, "its power state is %s", pm_power_state_name(machine->observed));
}

void pm_host_timed_out(struct pm_step_run *run)
{
	char missing[128], text[400], when[32] = "";

	describe_missing(run, missing, sizeof(missing));
	if (!run->before)
		snprintf(when, sizeof(when), "after %.0f s ", since_s(run));
	if (run->host.doubt)
		snprintf(text, sizeof(text), "%s; %s%s", run->trouble, when, missing);
	else
		snprintf(text, sizeof(text), "%s was agreed to, but %s%s", pm_step_words(pm_step_of(run)),
			 when, missing);
	if (pm_host_still_answers(run)) {
		pm_os_rests(run->job->machine, PM_REST_NONE, "");
	} else if (pm_host_restarts(pm_step_of(run)) && !run->job->run->overdue) {
		pm_step_given_up(run, PM_RESULT_TIMEOUT, text); /* it may be about to come up */
		return;
	}
	pm_host_fail(run, run->host.doubt ? run->troubled : PM_RESULT_TIMEOUT, text);
}
