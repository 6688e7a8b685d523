/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operating systems that cannot be reached, refuse, say one thing and do another, or are not the ones that were meant: each
 * scene ends in a result and a text that says what happened, and no machine goes down that was not told to.
 */
#include "tests/unit/agent/job_hosts.h"

#define UUID_RIGHT "11111111-2222-3333-4444-555555555555"
#define UUID_OTHER "99999999-2222-3333-4444-555555555555"

/* --- faults ---------------------------------------------------------------------------------------------- */

static void fault(struct play *play, enum host_verb verb, enum host_result result, bool sent, bool done,
		  unsigned count)
{
	play->os->fault = (struct fake_os_fault){
	    .verb = verb, .result = result, .sent = sent, .done = done, .count = count};
}

#define FAULT(name, verb, result, sent, done, count)          \
	static void name(struct play *play)                   \
	{                                                     \
		fault(play, verb, result, sent, done, count); \
	}

FAULT(has_no_helper, HOST_REPORT, HOST_NO_HELPER, true, false, 0)
FAULT(has_another_key, HOST_REPORT, HOST_AUTH_FAILED, false, false, 0)
FAULT(hangs, HOST_REPORT, HOST_TIMEOUT, false, false, 0)
FAULT(fails_to_report, HOST_REPORT, HOST_FAILED, true, false, 0)
FAULT(hangs_once, HOST_REPORT, HOST_TIMEOUT, false, false, 1)
FAULT(refuses_off, HOST_POWEROFF, HOST_REFUSED, true, false, 0)
FAULT(refuses_reboot, HOST_REBOOT, HOST_REFUSED, true, false, 0)
FAULT(refuses_sleep, HOST_SUSPEND, HOST_REFUSED, true, false, 0)
FAULT(cannot_go_off, HOST_POWEROFF, HOST_UNSUPPORTED, true, false, 0)
FAULT(may_not, HOST_POWEROFF, HOST_NOT_PERMITTED, true, false, 0)
FAULT(fails_to_go, HOST_POWEROFF, HOST_FAILED, true, false, 0)
FAULT(fails_to_sleep, HOST_SUSPEND, HOST_FAILED, true, false, 0)
FAULT(fails_to_init, HOST_INIT, HOST_FAILED, true, false, 0)
FAULT(loses_the_key, HOST_POWEROFF, HOST_AUTH_FAILED, false, false, 0)
FAULT(is_not_reached, HOST_POWEROFF, HOST_UNREACHABLE, false, false, 0)
FAULT(is_not_reached_once, HOST_POWEROFF, HOST_UNREACHABLE, false, false, 1)
FAULT(goes_without_a_word, HOST_POWEROFF, HOST_TIMEOUT, true, true, 1)
FAULT(says_nothing_once, HOST_POWEROFF, HOST_TIMEOUT, true, false, 1)
FAULT(is_lost_once, HOST_POWEROFF, HOST_UNREACHABLE, true, false, 1)
FAULT(talks_nonsense_once, HOST_POWEROFF, HOST_NO_HELPER, true, false, 1)
FAULT(reboots_without_a_word, HOST_REBOOT, HOST_TIMEOUT, true, true, 1)
FAULT(does_not_say_to_reboot, HOST_REBOOT, HOST_UNREACHABLE, true, false, 1)
FAULT(sleeps_without_a_word, HOST_SUSPEND, HOST_TIMEOUT, true, true, 1)
FAULT(does_not_say_to_sleep, HOST_SUSPEND, HOST_TIMEOUT, true, false, 1)
FAULT(does_not_say_to_init, HOST_INIT, HOST_TIMEOUT, true, false, 1)
FAULT(has_no_memory, HOST_POWEROFF, HOST_NO_MEMORY, false, false, 0)
FAULT(cannot_arm, HOST_ARM_WOL, HOST_UNSUPPORTED, true, false, 0)
FAULT(may_not_arm, HOST_ARM_WOL, HOST_NOT_PERMITTED, true, false, 0)
FAULT(arms_not_in_time, HOST_ARM_WOL, HOST_TIMEOUT, true, true, 1)

static void boots_slowly(struct play *play)
{
	play->os->boot_ms = 40000;
}

/* After the report, before the verb is done: by somebody else. */
static void is_rebooted_in_between(struct play *play)
{
	const struct pm_step_run *run = play->job->run->first;

	if (!run || !*run->host.boot_id || play->phase++)
		return;
	fake_os_set_power(play->os, false);
	fake_os_set_power(play->os, true);
}

/* --- machines --------------------------------------------------------------------------------------------- */

static void says_so_and_stays(struct play *play)
{
	play->os->down_ms = FAKE_OS_NEVER;
}

static void hangs_on_its_way(struct play *play)
{
	play->os->down_ms = FAKE_OS_NEVER;
	play->os->deaf_ms = 50;
}

static void does_not_come_back(struct play *play)
{
	play->os->boot_ms = FAKE_OS_NEVER;
}

static void is_cut_off(struct play *play)
{
	fake_os_cut(play->os, true);
}

/* Gone for a moment, and the same as before. */
static void is_cut_off_for_a_moment(struct play *play)
{
	int64_t now_ms = passed_ms;

	if (play->phase == 0 && play->os->done[HOST_REBOOT]) {
		fake_os_cut(play->os, true);
		play->since_ms = now_ms;
		play->phase = 1;
	} else if (play->phase == 1 && now_ms - play->since_ms > 1000) {
		fake_os_cut(play->os, false);
		play->phase = 2;
	}
}

static void is_switched_on_again_at_once(struct play *play)
{
	if (fake_os_is(play->os) != FAKE_OS_OFF)
		return;
	play->os->boot_ms = 0;
	fake_os_set_power(play->os, true);
}

static void is_cut_off_and_then_unplugged(struct play *play)
{
	if (play->phase++ == 200)
		fake_os_set_power(play->os, false);
}

static void set_uuids(struct play *play, const char *configured, const char *told)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[play->machine->index - 1];

	free(config->uuid);
	config->uuid = strdup(configured);
	snprintf(play->os->uuid, sizeof(play->os->uuid), "%s", told);
}

static void is_another_machine(struct play *play)
{
	set_uuids(play, UUID_RIGHT, UUID_OTHER);
}

static void is_the_machine(struct play *play)
{
	set_uuids(play, UUID_RIGHT, UUID_RIGHT);
	play->os->ports[0].mac[5] = play->os->ports[0].permanent_mac[5] = 77; /* its UUID says more */
}

static void has_other_macs(struct play *play)
{
	set_uuids(play, UUID_RIGHT, "");
	play->os->ports[0].mac[5] = play->os->ports[0].permanent_mac[5] = 77;
}

static void has_nothing_to_compare(struct play *play)
{
	set_uuids(play, "", UUID_OTHER);
}

/* --- what others do to the job ------------------------------------------------------------------------------- */

static void disable(struct play *play)
{
	pm_job_abort(play->machine, "aborted by the test");
}

static void is_aborted_while_asked(struct play *play)
{
	const struct pm_step_run *run = play->job->run->first;

	if (run && run->host.op && run->host.reporting && !play->phase++)
		disable(play);
}

/* When it has left: it may have to wait for another question to the same host, but not for long. */
static void is_aborted_while_told(struct play *play)
{
	const struct pm_step_run *run = play->job->run->first;

	if (!run || !run->host.op || run->host.reporting)
		return;
	if (play->phase++ == 0)
		play->since_ms = play->os->tried;
	if (play->os->tried > play->since_ms || play->phase == 15)
		disable(play);
}

static void is_aborted_when_it_agreed(struct play *play)
{
	if (play->os->done[HOST_POWEROFF] && play->job->state == PM_JOB_VERIFYING && !play->phase++)
		disable(play);
}

static void slowly(struct play *play)
{
	play->os->answer_ms = 200;
}

static void slowly_down(struct play *play)
{
	play->os->down_ms = 500;
}

/* What a reload does, in its order. */
static void take_host_away(struct play *play)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[play->machine->index - 1];
	struct pm_host_config *host = config->host;

	config->host = NULL;
	assert_int_equal(pm_os_apply(play->machine), 0);
	free(host->ssh);
	free(host->user);
	free(host->address);
	free(host);
}

static void loses_its_host_before(struct play *play)
{
	const struct pm_step_run *run = play->job->run->first;

	if (run && run->host.op && run->host.reporting && !play->phase++)
		take_host_away(play);
}

static void loses_its_host_after(struct play *play)
{
	if (play->job->state == PM_JOB_VERIFYING && !play->phase++)
		take_host_away(play);
}

/* Its address is another's now. */
static void gets_another_host(struct play *play)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[play->machine->index - 1];

	if (play->job->state != PM_JOB_VERIFYING || play->phase++)
		return;
	fake_os_new("somebody")->answer_ms = 20;
	free(config->host->address);
	config->host->address = strdup("somebody");
	assert_int_equal(pm_os_apply(play->machine), 0);
}

/* Only its key: it is asked by another client from then on. */
static void is_asked_another_way(struct play *play)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[play->machine->index - 1];
	const struct pm_step_run *run = play->job->run->first;

	if (!run || !run->host.op || play->phase++)
		return;
	free(config->host->user);
	config->host->user = strdup("other");
	assert_int_equal(pm_os_apply(play->machine), 0);
}

/* --- other machines, other ports ------------------------------------------------------------------------------ */

static void tells_no_uuid(struct play *play)
{
	set_uuids(play, UUID_RIGHT, "");
}

static void tells_its_uuid(struct play *play)
{
	set_uuids(play, UUID_RIGHT, UUID_RIGHT);
}

/* It is off, or on its way up again, and somebody else has got its address. */
static bool another_has_its_address(struct play *play)
{
	enum fake_os_power power = fake_os_is(play->os);

	if ((power != FAKE_OS_OFF && power != FAKE_OS_BOOTING) || play->phase++)
		return false;
	play->os->boot_ms = 0;
	fake_os_set_power(play->os, false);
	fake_os_set_power(play->os, true);
	return true;
}

static void gives_its_address_away(struct play *play)
{
	if (another_has_its_address(play))
		play->os->ports[0].mac[5] = play->os->ports[0].permanent_mac[5] = 77;
}

static void gives_its_address_to_one_that_tells(struct play *play)
{
	if (another_has_its_address(play))
		snprintf(play->os->uuid, sizeof(play->os->uuid), "%s", UUID_OTHER);
}

/* Many cards of 10 Gbit/s have no Wake-on-LAN. */
static void has_a_port_that_cannot(struct play *play)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct pm_machine_config *config = &world.agent.inventory->machines[play->machine->index - 1];

	free(config->nics[0].name);
	free(config->nics[0].interface);
	free(config->nics[0].address);
	free(config->nics);
	free(play->machine->nics);
	give_nic_configs(config, 2);
	give_nics(play->machine);
	fake_os_add_port(play->os, "eth1", mac, HOST_WOL_NOT_SUPPORTED);
}

/* One of two ports that have the same MAC address cannot be armed. */
static void has_a_twin_that_cannot(struct play *play)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0};

	fake_os_add_port(play->os, "eth1", mac, HOST_WOL_NOT_SUPPORTED);
}

static void has_no_ports(struct play *play)
{
	play->os->port_count = 0;
}

/* --- what was so before ------------------------------------------------------------------------------------------ */

/* While it is asked which boot it is the BMC says off, and then nothing until it is asked itself. */
static void was_off_for_a_moment(struct play *play)
{
	const struct pm_step_run *run = play->job->run->first;

	if (play->soft)
		play->bmc_is_mute = false;
	if (!run || !run->host.op || !run->host.reporting || play->phase++)
		return;
	bmc_says(play->machine, false);
	play->bmc_is_mute = true;
}

/* It has agreed, and whatever it answers from then on is no report. */
static void loses_its_helper(struct play *play)
{
	if (play->job->state == PM_JOB_VERIFYING && !play->phase++)
		fault(play, HOST_REPORT, HOST_NO_HELPER, true, false, 0);
}

/* As some power supplies have it. */
static void is_off_for_some_seconds(struct play *play)
{
	if (play->phase == 0 && fake_os_is(play->os) == FAKE_OS_BOOTING) {
		fake_os_set_power(play->os, false);
		play->since_ms = passed_ms;
		play->phase = 1;
	} else if (play->phase == 1 && passed_ms - play->since_ms > 5000) {
		fake_os_set_power(play->os, true);
		play->phase = 2;
	}
}

static void is_silent_for_long(struct play *play)
{
	fault(play, HOST_REPORT, HOST_UNREACHABLE, false, false, 5);
}

static void is_silent_again(struct play *play)
{
	if (!play->os->fault.result && !play->phase++)
		fault(play, HOST_ARM_WOL, HOST_UNREACHABLE, false, false, 1);
}

/* Its answer comes when the time for it is over. */
static void takes_its_time(struct play *play)
{
	struct pm_machine_config *config = &world.agent.inventory->machines[play->machine->index - 1];

	config->host->timeout_ms = 5000;
	assert_int_equal(pm_os_apply(play->machine), 0);
	pass_ms(200);
	play->os->answer_ms = 1500;
}

/* --- asleep ---------------------------------------------------------------------------------------------------- */

static void goes_to(struct play *play, enum pm_command action)
{
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = action;
	spec.scope = PM_SCOPE_MACHINE;
	assert_int_equal(ask_for(play, &spec), 0);
	for (int64_t end_ms = passed_ms + LONGEST_MS; play->machine->observed != PM_POWER_SUSPENDED;) {
		assert_true(passed_ms < end_ms);
		turn();
	}
	while (is_at_work(play))
		turn();
	pm_job_remove(play->job);
	play->job = NULL;
}

static void sleeps(struct play *play)
{
	goes_to(play, PM_COMMAND_SUSPEND);
}

static void hibernates(struct play *play)
{
	goes_to(play, PM_COMMAND_HIBERNATE);
}

/* --- scenes -------------------------------------------------------------------------------------------------- */

#define OFF    .action = PM_COMMAND_SHUTDOWN
#define REBOOT .action = PM_COMMAND_REBOOT
#define SLEEP  .action = PM_COMMAND_SUSPEND, .no_nic = true
#define BMC    .bmc = true
#define ASLEEP .told = 1, .is = FAKE_OS_SUSPENDED

/* Nothing has left: nothing was done, and the next method is tried, where there is one. */
static const struct scene before_scenes[] = {
    {"no helper", OFF, .before = has_no_helper, .result = PM_RESULT_REJECTED,
     .text = "pmstack-host: not found", .steps = "hostShutdown rejected", .is = FAKE_OS_ON},
    {"no helper, with a BMC", OFF, BMC, .before = has_no_helper, .result = PM_RESULT_OK,
     .text = "off, observed by the BMC", .steps = "hostShutdown rejected, bmcSoftShutdown ok",
     .is = FAKE_OS_OFF},
    {"another key", OFF, .before = has_another_key, .result = PM_RESULT_AUTH_FAILED,
     .text = "the key was not accepted", .steps = "hostShutdown authFailed", .is = FAKE_OS_ON},
    {"another key, with a BMC", REBOOT, BMC, .before = has_another_key, .result = PM_RESULT_OK,
     .steps = "hostReboot authFailed, bmcSoftShutdown ok, bmcPowerUp ok"},
    {"hangs", OFF, .before = hangs, .result = PM_RESULT_TIMEOUT, .text = "no answer in time",
     .steps = "hostShutdown timeout", .is = FAKE_OS_ON},
    {"hangs, with a BMC", OFF, BMC, .before = hangs, .result = PM_RESULT_OK,
     .steps = "hostShutdown timeout, bmcSoftShutdown ok", .is = FAKE_OS_OFF},
    {"hangs once", OFF, .off_s = 30, .before = hangs_once, .result = PM_RESULT_OK, .steps = "hostShutdown ok",
     .is = FAKE_OS_OFF, .told = 1},
    {"fails to report", OFF, .before = fails_to_report, .result = PM_RESULT_REJECTED,
     .text = "it failed: input/output error", .steps = "hostShutdown rejected", .is = FAKE_OS_ON},
    {"cut off", OFF, .before = is_cut_off, .result = PM_RESULT_UNREACHABLE, .text = "no route to host",
     .steps = "hostShutdown unreachable", .is = FAKE_OS_ON},
    {"cut off, sleep", SLEEP, BMC, .before = is_cut_off, .result = PM_RESULT_UNREACHABLE,
     .text = "no route to host", .steps = "hostSuspend unreachable", .is = FAKE_OS_ON},
    {"cut off, armed", OFF, BMC, .arm = true, .before = is_cut_off, .result = PM_RESULT_UNREACHABLE,
     .text = "no route to host", .steps = "hostArmWol unreachable", .is = FAKE_OS_ON},
    {"cut off, and then unplugged", OFF, BMC, .off_s = 30, .before = is_cut_off,
     .meanwhile = is_cut_off_and_then_unplugged, .result = PM_RESULT_ALREADY_IN_STATE,
     .text = "off by now, observed by the BMC; nothing was sent", .steps = "hostShutdown alreadyInState",
     .is = FAKE_OS_OFF},
    {"not reached", OFF, BMC, .before = is_not_reached, .result = PM_RESULT_OK,
     .steps = "hostShutdown unreachable, bmcSoftShutdown ok", .is = FAKE_OS_OFF, .told = -1},
    {"not reached once", OFF, .off_s = 30, .before = is_not_reached_once, .result = PM_RESULT_OK,
     .steps = "hostShutdown ok", .is = FAKE_OS_OFF, .told = 2},
    {"another machine", OFF, BMC, .before = is_another_machine, .result = PM_RESULT_REJECTED,
     .text = "its UUID is " UUID_OTHER ", and not " UUID_RIGHT ": nothing was done",
     .steps = "hostShutdown rejected", .is = FAKE_OS_ON},
    {"another machine, armed", .action = PM_COMMAND_ARM_WOL, .before = is_another_machine,
     .result = PM_RESULT_REJECTED, .text = "another machine", .steps = "hostArmWol rejected",
     .is = FAKE_OS_ON},
    {"another machine, reboot", REBOOT, BMC, .before = is_another_machine, .result = PM_RESULT_REJECTED,
     .text = "another machine", .steps = "hostReboot rejected", .is = FAKE_OS_ON},
    {"the right machine with other MACs", OFF, .before = is_the_machine, .result = PM_RESULT_OK,
     .is = FAKE_OS_OFF, .told = 1},
    {"no UUID and other MACs", OFF, BMC, .before = has_other_macs, .result = PM_RESULT_REJECTED,
     .text = "none of the MAC addresses of machine", .steps = "hostShutdown rejected", .is = FAKE_OS_ON},
    {"no UUID, no MAC to compare", OFF, .no_nic = true, .before = has_nothing_to_compare,
     .result = PM_RESULT_OK, .is = FAKE_OS_OFF, .told = 1},
    {"no port to compare", OFF, .before = has_no_ports, .result = PM_RESULT_OK, .is = FAKE_OS_OFF, .told = 1},
    {"silent twice", .action = PM_COMMAND_ARM_WOL, .before = is_silent_for_long, .meanwhile = is_silent_again,
     .result = PM_RESULT_OK, .steps = "hostArmWol ok", .is = FAKE_OS_ON},
    {"a UUID that is not told", OFF, BMC, .no_nic = true, .before = tells_no_uuid,
     .result = PM_RESULT_REJECTED, .text = "it does not tell its UUID, so that it may be another machine",
     .steps = "hostShutdown rejected", .is = FAKE_OS_ON},
    {"a UUID that is not told, but its MAC", OFF, .before = tells_no_uuid, .result = PM_RESULT_OK,
     .is = FAKE_OS_OFF, .told = 1},
    {"takes its time", OFF, BMC, .off_s = 1, .before = takes_its_time, .result = PM_RESULT_OK,
     .steps = "hostShutdown timeout, bmcSoftShutdown ok", .is = FAKE_OS_OFF},
    {"rebooted in between", OFF, BMC, .off_s = 60, .before = boots_slowly,
     .meanwhile = is_rebooted_in_between, .result = PM_RESULT_REJECTED,
     .text = "somebody else has rebooted it just now", .steps = "hostShutdown rejected", .is = FAKE_OS_ON,
     .told = -1},
    {"rebooted in between, reboot", REBOOT, .off_s = 60, .before = boots_slowly,
     .meanwhile = is_rebooted_in_between, .result = PM_RESULT_OK, .text = "it was not done once more",
     .steps = "hostReboot ok", .is = FAKE_OS_ON, .told = -1},
    {"rebooted in between, sleep", SLEEP, BMC, .off_s = 60, .before = boots_slowly,
     .meanwhile = is_rebooted_in_between, .result = PM_RESULT_REJECTED,
     .text = "somebody else has rebooted it just now", .steps = "hostSuspend rejected", .is = FAKE_OS_ON,
     .told = -1},
    {"aborted while asked", OFF, BMC, .before = slowly, .meanwhile = is_aborted_while_asked,
     .result = PM_RESULT_ABORTED, .text = "aborted by the test; shutdown was not sent yet",
     .steps = "hostShutdown aborted", .is = FAKE_OS_ON},
    {"host taken away before", OFF, BMC, .before = slowly, .meanwhile = loses_its_host_before,
     .result = PM_RESULT_OK, .steps = "hostShutdown notConfigured, bmcSoftShutdown ok", .is = FAKE_OS_OFF},
    {"host taken away before, without a BMC", OFF, .before = slowly, .meanwhile = loses_its_host_before,
     .result = PM_RESULT_NOT_CONFIGURED, .text = "the host is no longer configured",
     .steps = "hostShutdown notConfigured", .is = FAKE_OS_ON},
    {"asked another way", OFF, .before = slowly, .meanwhile = is_asked_another_way, .result = PM_RESULT_OK,
     .steps = "hostShutdown ok", .is = FAKE_OS_OFF, .told = 1},
};

/* What sleeps is not shut down by force: what it has in memory would be lost. */
static const struct scene sleep_scenes[] = {
    {"shutdown of a sleeper", OFF, BMC, .before = sleeps, .result = PM_RESULT_REJECTED,
     .text = "the machine sleeps: powerOn wakes it; powerOff would lose what is in its memory",
     .steps = "hostShutdown rejected", ASLEEP},
    {"reboot of a sleeper", REBOOT, BMC, .before = sleeps, .result = PM_RESULT_REJECTED,
     .text = "the machine sleeps", .steps = "hostReboot rejected", ASLEEP},
    {"softOff of a sleeper", .action = PM_COMMAND_SOFT_OFF, BMC, .before = sleeps,
     .result = PM_RESULT_REJECTED, .text = "the machine sleeps", .steps = "bmcSoftShutdown rejected", ASLEEP},
    {"init of a sleeper", .action = PM_COMMAND_INIT, .before = sleeps, .result = PM_RESULT_REJECTED,
     .text = "the machine sleeps", .steps = "hostInit rejected", ASLEEP},
    {"suspend of a sleeper", .action = PM_COMMAND_SUSPEND, .before = sleeps,
     .result = PM_RESULT_ALREADY_IN_STATE, .text = "suspended already",
     .steps = "hostArmWol alreadyInState, hostSuspend alreadyInState", ASLEEP},
    {"hibernate of a sleeper", .action = PM_COMMAND_HIBERNATE, .before = sleeps, .result = PM_RESULT_REJECTED,
     .text = "nothing can arm its NICs now", .steps = "hostArmWol rejected", ASLEEP},
    {"hibernate of a sleeper, without a MAC", .action = PM_COMMAND_HIBERNATE, .no_nic = true,
     .before = sleeps, .result = PM_RESULT_REJECTED, .text = "powerOff would lose what is in its memory",
     .steps = "hostHibernate rejected", ASLEEP},
    {"armWol of a sleeper", .action = PM_COMMAND_ARM_WOL, .before = sleeps, .result = PM_RESULT_REJECTED,
     .text = "the machine sleeps: nothing can arm its NICs now", .steps = "hostArmWol rejected", ASLEEP},
    {"powerOff of a sleeper", .action = PM_COMMAND_POWER_OFF, BMC, .before = sleeps, .result = PM_RESULT_OK,
     .text = "off, observed by the BMC", .steps = "bmcPowerDown ok", .told = 1},
    {"powerOn of a sleeper", .action = PM_COMMAND_POWER_ON, BMC, .before = sleeps, .result = PM_RESULT_OK,
     .text = "on, observed by the BMC", .steps = "bmcPowerUp ok", .is = FAKE_OS_ON, .told = 1},
    {"shutdown of a hibernated one", OFF, BMC, .before = hibernates, .result = PM_RESULT_REJECTED,
     .text = "the machine sleeps: powerOn wakes it", .steps = "hostShutdown rejected",
     .is = FAKE_OS_HIBERNATED, .told = 1},
    {"powerOff of a hibernated one", .action = PM_COMMAND_POWER_OFF, BMC, .before = hibernates,
     .result = PM_RESULT_OK, .text = "off, observed by the BMC", .steps = "bmcPowerDown ok", .told = 1},
    {"suspend of a hibernated one", SLEEP, .before = hibernates, .result = PM_RESULT_REJECTED,
     .text = "the machine sleeps: powerOn wakes it", .is = FAKE_OS_HIBERNATED, .told = 1},
};

/* It was told, and says no, or nothing, or does not do it. */
static const struct scene after_scenes[] = {
    {"refused", OFF, BMC, .before = refuses_off, .result = PM_RESULT_GUEST_REFUSED,
     .text = "refused by its operating system: refused: backup.service inhibits it",
     .steps = "hostShutdown guestRefused", .is = FAKE_OS_ON, .told = 1},
    {"refused, forced in the end", OFF, BMC, .force = PM_FORCE_AFTER_TIMEOUT, .before = refuses_off,
     .result = PM_RESULT_OK, .steps = "hostShutdown guestRefused, bmcSoftShutdown ok", .is = FAKE_OS_OFF,
     .told = 1},
    {"refused, reboot", REBOOT, BMC, .before = refuses_reboot, .result = PM_RESULT_GUEST_REFUSED,
     .text = "nothing else was tried, as pmJobForce afterTimeout would", .steps = "hostReboot guestRefused",
     .is = FAKE_OS_ON, .told = 1},
    {"refused, sleep", SLEEP, BMC, .force = PM_FORCE_AFTER_TIMEOUT, .before = refuses_sleep,
     .result = PM_RESULT_GUEST_REFUSED, .steps = "hostSuspend guestRefused", .is = FAKE_OS_ON, .told = 1},
    {"refused, at once", OFF, BMC, .force = PM_FORCE_IMMEDIATELY, .before = refuses_off,
     .result = PM_RESULT_OK, .steps = "hostShutdown guestRefused, bmcSoftShutdown ok", .is = FAKE_OS_OFF,
     .told = 1},
    {"unsupported", OFF, BMC, .before = cannot_go_off, .result = PM_RESULT_OK,
     .steps = "hostShutdown rejected, bmcSoftShutdown ok", .is = FAKE_OS_OFF, .told = 1},
    {"not permitted", OFF, BMC, .before = may_not, .result = PM_RESULT_OK,
     .steps = "hostShutdown authFailed, bmcSoftShutdown ok", .is = FAKE_OS_OFF, .told = 1},
    {"not permitted, without a BMC", OFF, .before = may_not, .result = PM_RESULT_AUTH_FAILED,
     .text = "see pmstack-host setup", .steps = "hostShutdown authFailed", .is = FAKE_OS_ON, .told = 1},
    {"fails", OFF, .before = fails_to_go, .result = PM_RESULT_REJECTED, .text = "input/output error",
     .steps = "hostShutdown rejected", .is = FAKE_OS_ON, .told = 1},
    {"fails to sleep", SLEEP, BMC, .before = fails_to_sleep, .result = PM_RESULT_REJECTED,
     .text = "input/output error", .steps = "hostSuspend rejected", .is = FAKE_OS_ON, .told = 1},
    {"fails to init", .action = PM_COMMAND_INIT, BMC, .before = fails_to_init, .result = PM_RESULT_REJECTED,
     .steps = "hostInit rejected", .is = FAKE_OS_ON, .told = 1},
    {"loses the key", OFF, .before = loses_the_key, .result = PM_RESULT_AUTH_FAILED,
     .steps = "hostShutdown authFailed", .is = FAKE_OS_ON, .told = 1},
    {"no memory", OFF, .before = has_no_memory, .result = PM_RESULT_INTERNAL_ERROR,
     .steps = "hostShutdown internalError", .is = FAKE_OS_ON, .told = 1},

    {"goes without a word", OFF, BMC, .before = goes_without_a_word, .result = PM_RESULT_OK,
     .text = "it had not confirmed the command", .steps = "hostShutdown ok", .is = FAKE_OS_OFF, .told = 1},
    {"goes without a word, and nobody sees it", OFF, .before = goes_without_a_word,
     .result = PM_RESULT_TIMEOUT, .text = "shutdown may have been done", .steps = "hostShutdown timeout",
     .is = FAKE_OS_OFF, .told = 1},
    {"says nothing, and is asked again", OFF, .off_s = 30, .before = says_nothing_once,
     .result = PM_RESULT_OK, .steps = "hostShutdown ok", .is = FAKE_OS_OFF, .told = 2},
    {"is lost, and is asked again", OFF, .off_s = 30, .before = is_lost_once, .result = PM_RESULT_OK,
     .steps = "hostShutdown ok", .is = FAKE_OS_OFF, .told = 2},
    {"talks nonsense, and is asked again", OFF, .off_s = 30, .before = talks_nonsense_once,
     .result = PM_RESULT_OK, .steps = "hostShutdown ok", .is = FAKE_OS_OFF, .told = 2},
    {"says nothing, and its time is over", OFF, BMC, .before = says_nothing_once, .result = PM_RESULT_OK,
     .steps = "hostShutdown timeout, bmcSoftShutdown ok", .is = FAKE_OS_OFF, .told = 1},
    {"reboots without a word", REBOOT, .before = reboots_without_a_word, .result = PM_RESULT_OK,
     .text = "up again, in a new boot", .steps = "hostReboot ok", .is = FAKE_OS_ON, .told = 1},
    {"does not reboot, and is not told twice", REBOOT, .off_s = 30, .before = does_not_say_to_reboot,
     .result = PM_RESULT_TIMEOUT, .text = "is not sent twice", .steps = "hostReboot timeout",
     .is = FAKE_OS_ON, .told = 1},
    {"does not reboot, and is not told twice, with a BMC", REBOOT, BMC, .before = does_not_say_to_reboot,
     .result = PM_RESULT_OK, .steps = "hostReboot timeout, bmcSoftShutdown ok, bmcPowerUp ok", .told = 1},
    {"sleeps without a word", SLEEP, .before = sleeps_without_a_word, .result = PM_RESULT_TIMEOUT,
     .text = "is not sent twice", .steps = "hostSuspend timeout", .is = FAKE_OS_SUSPENDED, .told = 1},
    {"does not sleep, and is not told twice", SLEEP, BMC, .off_s = 30, .before = does_not_say_to_sleep,
     .result = PM_RESULT_TIMEOUT, .text = "is not sent twice", .steps = "hostSuspend timeout",
     .is = FAKE_OS_ON, .told = 1},
    {"no word of init", .action = PM_COMMAND_INIT, .level = 3, .before = does_not_say_to_init,
     .result = PM_RESULT_TIMEOUT, .text = "init may have been done, and is not sent twice",
     .steps = "hostInit timeout", .is = FAKE_OS_ON, .told = 1},

    {"says so and stays", OFF, BMC, .before = says_so_and_stays, .result = PM_RESULT_OK,
     .steps = "hostShutdown timeout, bmcSoftShutdown timeout, bmcPowerDown ok", .is = FAKE_OS_OFF, .told = 1},
    {"says so and stays, without a BMC", OFF, .before = says_so_and_stays, .result = PM_RESULT_TIMEOUT,
     .text = "shutdown was agreed to, but after", .steps = "hostShutdown timeout", .is = FAKE_OS_GOING,
     .told = 1, .takes_back = true},
    {"an old word of the BMC", OFF, BMC, .before = says_so_and_stays, .meanwhile = was_off_for_a_moment,
     .result = PM_RESULT_OK, .steps = "hostShutdown timeout, bmcSoftShutdown timeout, bmcPowerDown ok",
     .is = FAKE_OS_OFF, .told = 1},
    {"an old report", OFF, .before = says_so_and_stays, .meanwhile = loses_its_helper,
     .result = PM_RESULT_TIMEOUT, .text = "it still answers its probe", .steps = "hostShutdown timeout",
     .is = FAKE_OS_GOING, .told = 1},
    {"is off for a moment in its reboot", REBOOT, BMC, .on_s = 60, .meanwhile = is_off_for_some_seconds,
     .result = PM_RESULT_OK, .text = "up again, in a new boot",
     .steps = "hostReboot ok, bmcPowerUp alreadyInState", .is = FAKE_OS_ON, .told = 1},
    {"says so and stays, sleep", SLEEP, BMC, .before = says_so_and_stays, .result = PM_RESULT_TIMEOUT,
     .text = "it did not sleep, or was woken at once", .steps = "hostSuspend timeout", .is = FAKE_OS_GOING,
     .told = 1},
    {"says so and stays, reboot", REBOOT, BMC, .before = says_so_and_stays, .result = PM_RESULT_OK,
     .steps = "hostReboot timeout, bmcSoftShutdown timeout, bmcPowerDown ok, bmcPowerUp ok", .told = 1},
    {"says so and stays, reboot without a BMC", REBOOT, .before = says_so_and_stays,
     .result = PM_RESULT_TIMEOUT, .text = "it answers in the same boot", .steps = "hostReboot timeout",
     .is = FAKE_OS_GOING, .told = 1},
    {"hangs on its way", OFF, BMC, .before = hangs_on_its_way, .result = PM_RESULT_OK,
     .steps = "hostShutdown timeout, bmcSoftShutdown timeout, bmcPowerDown ok", .is = FAKE_OS_OFF, .told = 1},
    {"hangs on its way, without a BMC", OFF, .before = hangs_on_its_way, .result = PM_RESULT_TIMEOUT,
     .text = "it still answers its probe", .steps = "hostShutdown timeout", .is = FAKE_OS_GOING, .told = 1},
    {"neither BMC nor probe", OFF, .no_probe = true, .result = PM_RESULT_TIMEOUT,
     .text = "whether it is off cannot be seen: it has neither bmc nor probe",
     .steps = "hostShutdown timeout", .is = FAKE_OS_OFF, .told = 1},
    {"sleep without a probe", SLEEP, BMC, .no_probe = true, .result = PM_RESULT_OK,
     .text = "asleep: it agreed, and the BMC says off", .steps = "hostSuspend ok", .is = FAKE_OS_SUSPENDED,
     .told = 1},
    {"does not come back", REBOOT, BMC, .on_s = 3, .before = does_not_come_back, .result = PM_RESULT_TIMEOUT,
     .text = "it has not answered with a new boot", .steps = "hostReboot timeout", .is = FAKE_OS_BOOTING,
     .told = 1},
    {"cut off for a moment, and never rebooted", REBOOT, .off_s = 3, .before = says_so_and_stays,
     .meanwhile = is_cut_off_for_a_moment, .result = PM_RESULT_TIMEOUT, .text = "it answers in the same boot",
     .steps = "hostReboot timeout", .is = FAKE_OS_GOING, .told = 1},
    {"switched on again at once", OFF, .no_probe = true, .off_s = 30,
     .meanwhile = is_switched_on_again_at_once, .result = PM_RESULT_OK,
     .text = "it went down, and is up again in a new boot", .steps = "hostShutdown ok", .is = FAKE_OS_ON,
     .told = 1},

    {"another has its address", OFF, .off_s = 5, .meanwhile = gives_its_address_away,
     .result = PM_RESULT_TIMEOUT, .text = "shutdown was agreed to, but after",
     .steps = "hostShutdown timeout", .told = 1},
    {"another has its address, reboot", REBOOT, BMC, .off_s = 5, .meanwhile = gives_its_address_away,
     .result = PM_RESULT_TIMEOUT, .text = "it has not answered with a new boot",
     .steps = "hostReboot timeout", .is = FAKE_OS_ON, .told = 1},
    {"another has its address, reboot, by UUID", REBOOT, BMC, .off_s = 5, .before = tells_its_uuid,
     .meanwhile = gives_its_address_to_one_that_tells, .result = PM_RESULT_TIMEOUT,
     .text = "it has not answered with a new boot", .steps = "hostReboot timeout", .is = FAKE_OS_ON,
     .told = 1},
    {"one of two can be armed, sleep", .action = PM_COMMAND_SUSPEND, .before = has_a_port_that_cannot,
     .result = PM_RESULT_OK, .steps = "hostArmWol ok, hostSuspend ok", .is = FAKE_OS_SUSPENDED, .told = 1},
    {"one of two can be armed", .action = PM_COMMAND_ARM_WOL, .before = has_a_port_that_cannot,
     .result = PM_RESULT_REJECTED, .text = "Wake-on-LAN cannot be armed", .steps = "hostArmWol rejected",
     .is = FAKE_OS_ON},
    {"two ports with one MAC, sleep", .action = PM_COMMAND_SUSPEND, .before = has_a_twin_that_cannot,
     .result = PM_RESULT_REJECTED, .text = "Wake-on-LAN cannot be armed", .steps = "hostArmWol rejected",
     .is = FAKE_OS_ON},
    {"may not arm, sleep with a BMC", .action = PM_COMMAND_SUSPEND, BMC, .before = may_not_arm,
     .result = PM_RESULT_OK, .steps = "hostArmWol ok, hostSuspend ok", .is = FAKE_OS_SUSPENDED, .told = 1},
    {"may not arm, sleep", .action = PM_COMMAND_SUSPEND, .before = may_not_arm,
     .result = PM_RESULT_AUTH_FAILED, .text = "Wake-on-LAN cannot be armed", .is = FAKE_OS_ON},
    {"cannot be armed", OFF, BMC, .arm = true, .before = cannot_arm, .result = PM_RESULT_REJECTED,
     .text = "Wake-on-LAN cannot be armed", .steps = "hostArmWol rejected", .is = FAKE_OS_ON},
    {"cannot be armed, sleep", .action = PM_COMMAND_SUSPEND, .before = cannot_arm,
     .result = PM_RESULT_REJECTED, .text = "Wake-on-LAN cannot be armed", .steps = "hostArmWol rejected",
     .is = FAKE_OS_ON},
    {"cannot be armed, sleep with a BMC", .action = PM_COMMAND_SUSPEND, BMC, .before = cannot_arm,
     .result = PM_RESULT_OK, .steps = "hostArmWol ok, hostSuspend ok", .is = FAKE_OS_SUSPENDED, .told = 1},
    {"armed, but not in time", .action = PM_COMMAND_ARM_WOL, .before = arms_not_in_time,
     .result = PM_RESULT_OK, .text = "Wake-on-LAN armed: eth0", .steps = "hostArmWol ok", .is = FAKE_OS_ON},
    {"other MACs to be armed", .action = PM_COMMAND_ARM_WOL, .before = is_the_machine,
     .result = PM_RESULT_REJECTED, .text = "no port has this MAC", .steps = "hostArmWol rejected",
     .is = FAKE_OS_ON},

    {"aborted while told", OFF, BMC, .before = slowly, .meanwhile = is_aborted_while_told,
     .result = PM_RESULT_ABORTED, .text = "shutdown was sent to its operating system, which had not answered",
     .steps = "hostShutdown aborted", .is = FAKE_OS_ON, .told = -1},
    {"aborted when it agreed", OFF, BMC, .before = slowly_down, .meanwhile = is_aborted_when_it_agreed,
     .result = PM_RESULT_ABORTED, .text = "shutdown was agreed to by its operating system",
     .steps = "hostShutdown aborted", .told = 1},
    {"host taken away after", OFF, BMC, .before = slowly_down, .meanwhile = loses_its_host_after,
     .result = PM_RESULT_OK, .text = "off, observed by the BMC", .steps = "hostShutdown ok",
     .is = FAKE_OS_OFF, .told = 1},
    {"host taken away after, without a BMC", OFF, .before = slowly_down, .meanwhile = loses_its_host_after,
     .result = PM_RESULT_NOT_CONFIGURED, .text = "what became of it cannot be seen",
     .steps = "hostShutdown notConfigured", .told = 1},
    {"host taken away after, reboot", REBOOT, BMC, .before = slowly_down, .meanwhile = loses_its_host_after,
     .result = PM_RESULT_NOT_CONFIGURED, .steps = "hostReboot notConfigured", .told = 1},
    {"another host in its place", REBOOT, .before = slowly_down, .meanwhile = gets_another_host,
     .result = PM_RESULT_NOT_CONFIGURED, .text = "what became of it cannot be seen",
     .steps = "hostReboot notConfigured", .told = 1},
};

static void test_nothing_has_left(void **state)
{
	(void)state;
	play_all(before_scenes, LENGTH(before_scenes));
}

static void test_it_was_told(void **state)
{
	(void)state;
	play_all(after_scenes, LENGTH(after_scenes));
}

static void test_it_sleeps(void **state)
{
	(void)state;
	play_all(sleep_scenes, LENGTH(sleep_scenes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_has_left),
	    cmocka_unit_test(test_it_was_told),
	    cmocka_unit_test(test_it_sleeps),
	};

	return cmocka_run_group_tests_name("job host faults", tests, NULL, NULL);
}
