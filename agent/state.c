/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/state.h"

#include "agent/detail.h"
#include "agent/event.h"
#include "agent/event_log.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/notify.h"
#include "agent/os.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <stdio.h>
#include <string.h>

#define UP_ANSWERS     2 /* in a row, a second apart, until a BMC is up again: one may be chance */
#define UP_ANSWERS_MAX 64
#define RELAPSE_MS     600000 /* down again so soon after it was up: it takes twice as many the next time */

/* Those on their way from one state to another are in none of the totals. */
void pm_state_count(struct pm_machine *machine, int delta)
{
	struct pm_agent *agent = machine->agent;

	switch (pm_machine_power_state(machine)) {
	case PM_POWER_ON:
		agent->machines_on += (uint32_t)delta;
		break;
	case PM_POWER_OFF:
		agent->machines_off += (uint32_t)delta;
		break;
	case PM_POWER_UNKNOWN:
		agent->machines_unknown += (uint32_t)delta;
		break;
	default:
		break;
	}
}

static void count_change(struct pm_machine *machine, enum pm_power_state state)
{
	pm_state_count(machine, -1);
	machine->observed = state;
	machine->agent->changes++;
	pm_state_count(machine, 1);
}

/* why: who says so, or why nobody does. */
static void tell_change(struct pm_machine *machine, enum pm_power_state old, const char *why, bool notify)
{
	struct pm_notification notification = {.type = PM_NOTIFY_POWER_STATE_CHANGE, .old_power_state = old};

	machine->state_dirty = true;
	notification.event_index =
	    pm_event_add(machine, PM_EVENT_POWER_STATE,
			 machine->observed == PM_POWER_UNKNOWN ? PM_SEVERITY_UNKNOWN : PM_SEVERITY_OK,
			 "power state %s, was %s (%s)", pm_power_state_name(machine->observed),
			 pm_power_state_name(old), why);
	notification.power_state = machine->observed;
	if (notify)
		pm_notify(machine->agent, machine, &notification);
}

static bool is_down(enum pm_power_state state)
{
	return state == PM_POWER_OFF || state == PM_POWER_SUSPENDED;
}

static void count_boots(struct pm_machine *machine, enum pm_power_state known, enum pm_power_state state)
{
	if (is_down(known) && state == PM_POWER_ON)
		machine->on_count++;
	if (known == PM_POWER_ON && is_down(state))
		machine->off_count++;
}

static void set_transition(struct pm_machine *machine, enum pm_power_state transition)
{
	pm_state_count(machine, -1);
	machine->transition = transition;
	machine->agent->changes++;
	pm_state_count(machine, 1);
}

/* A machine that has come to where its job brings it is no longer on its way. */
static void end_transition(struct pm_machine *machine)
{
	if ((machine->transition == PM_POWER_POWERING_ON && machine->observed == PM_POWER_ON) ||
	    (machine->transition == PM_POWER_POWERING_OFF && is_down(machine->observed)))
		set_transition(machine, 0);
}

/* What a BMC that comes back says is shown at once; that all is as before is not told before it is up for good. */
static bool is_return(const struct pm_machine *machine, enum pm_power_state known)
{
	return machine->source == PM_SOURCE_BMC && machine->bmc->down && machine->observed == known;
}

/*
 * Every change is told but these: the first answer after a start that is what was known before it; the first answer
 * ever, which goes into the history only; and what a BMC says that comes and goes.
 */
static void changed(struct pm_machine *machine, enum pm_power_state old, const char *why)
{
	enum pm_power_state known = machine->last_known;
	bool untold = machine->unknown_untold, gone_again = machine->return_untold;

	if (machine->observed != PM_POWER_UNKNOWN) {
		count_boots(machine, known, machine->observed);
		machine->last_known = machine->observed;
		machine->unknown_untold = false;
		if (untold && machine->observed == known)
			return;
	}
	machine->last_change_ms = pm_time_ms();
	machine->return_untold = is_return(machine, known);
	if (machine->return_untold || (gone_again && machine->observed == PM_POWER_UNKNOWN))
		return;
	tell_change(machine, untold ? known : old, why, known || machine->looked);
}

/* The BMC is up, or the probe says the same. */
static void tell_return(struct pm_machine *machine, const char *why)
{
	if (!machine->return_untold || is_return(machine, machine->last_known))
		return;
	machine->return_untold = false;
	tell_change(machine, PM_POWER_UNKNOWN, why, true);
}

static void observe(struct pm_machine *machine, enum pm_power_state state, enum pm_state_source source,
		    const char *why, bool fresh)
{
	enum pm_power_state old = machine->observed;

	if (fresh) {
		machine->observed_ms = pm_time_ms();
		machine->observed_loop_ms = uv_now(machine->agent->loop);
	}
	machine->source = source;
	if (state != old) {
		count_change(machine, state);
		end_transition(machine);
		machine->state_dirty = true;
		pm_flush_machine(machine);
		changed(machine, old, why);
	} else {
		tell_return(machine, why);
	}
	machine->looked = true;
	if (state != old)
		pm_stack_machine_changed(machine);
}

static bool hypervisor_answers(const struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (!machine->hypervisors[i].on && machine->hypervisors[i].holds)
			return true;
	return false;
}

/*
 * Which of the sources that hold says what: the BMC first, which does not know of sleep, then a hypervisor on the machine
 * itself, then a probe that answers, then the operating system, which is there or is gone as it had agreed. heard is who has
 * just told something; what the others told before still holds, but is not new. silence: why nobody says anything, if so.
 */
static void derive(struct pm_machine *machine, enum pm_state_source heard, const char *silence)
{
	const struct pm_bmc *bmc = machine->bmc;
	enum pm_power_state host = pm_os_state(machine);

	if (host == PM_POWER_SUSPENDED && !hypervisor_answers(machine))
		observe(machine, host, PM_SOURCE_HOST, "host", heard == PM_SOURCE_HOST);
	else if (bmc && bmc->holds)
		observe(machine, bmc->chassis.power_on ? PM_POWER_ON : PM_POWER_OFF, PM_SOURCE_BMC, "BMC",
			heard == PM_SOURCE_BMC);
	else if (hypervisor_answers(machine))
		observe(machine, PM_POWER_ON, PM_SOURCE_HYPERVISOR, "hypervisor",
			heard == PM_SOURCE_HYPERVISOR);
	else if (machine->os_reachable == PM_OS_YES && !pm_os_is_strange(machine))
		observe(machine, PM_POWER_ON, PM_SOURCE_PROBE, "probe", heard == PM_SOURCE_PROBE);
	else if (host != PM_POWER_UNKNOWN)
		observe(machine, host, PM_SOURCE_HOST, "host", heard == PM_SOURCE_HOST);
	else
		observe(machine, PM_POWER_UNKNOWN, PM_SOURCE_NONE, silence, false);
}

bool pm_state_unknown_told(const struct pm_machine *machine)
{
	return machine->return_untold || (machine->observed == PM_POWER_UNKNOWN && !machine->unknown_untold);
}

void pm_state_sources_changed(struct pm_machine *machine)
{
	bool told_unknown = pm_state_unknown_told(machine);

	machine->return_untold = false;
	if (machine->config->bmc || machine->config->probe || machine->config->hypervisor_count ||
	    machine->config->host) {
		/* as after a start: the next answer tells what has changed */
		count_change(machine, PM_POWER_UNKNOWN);
		machine->source = PM_SOURCE_NONE;
		machine->looked = false;
		machine->unknown_untold = machine->last_known != 0 && !told_unknown;
	} else {
		derive(machine, PM_SOURCE_NONE, "there is nothing to ask");
	}
}

/* --- the BMC ---------------------------------------------------------------------------------- */

enum pm_bmc_status pm_bmc_status_of(enum ipmi_result result)
{
	switch (result) {
	case IPMI_OK:
		return PM_BMC_OK;
	case IPMI_AUTH_FAILED:
		return PM_BMC_AUTH_FAILED;
	case IPMI_SESSIONS_EXHAUSTED:
		return PM_BMC_SESSIONS_EXHAUSTED;
	case IPMI_TIMEOUT:
	case IPMI_UNREACHABLE:
		return PM_BMC_UNREACHABLE;
	default:
		return PM_BMC_ERROR;
	}
}

static void tell_bmc(struct pm_machine *machine, bool down, const char *text)
{
	struct pm_notification notification = {.type = down ? PM_NOTIFY_BMC_DOWN : PM_NOTIFY_BMC_UP};

	machine->bmc->down = down;
	machine->state_dirty = true;
	notification.event_index = pm_event_add(machine, down ? PM_EVENT_BMC_DOWN : PM_EVENT_BMC_UP,
						down ? PM_SEVERITY_CRITICAL : PM_SEVERITY_OK, "%s", text);
	snprintf(notification.text, sizeof(notification.text), "%s", text);
	pm_notify(machine->agent, machine, &notification);
}

static void bmc_is_down(struct pm_machine *machine, const char *text)
{
	struct pm_bmc *bmc = machine->bmc;
	bool relapse = bmc->up_loop_ms && uv_now(machine->agent->loop) - bmc->up_loop_ms < RELAPSE_MS;

	if (!relapse)
		bmc->up_answers = UP_ANSWERS;
	else if (bmc->up_answers < UP_ANSWERS_MAX)
		bmc->up_answers *= 2;
	tell_bmc(machine, true, text);
}

static void bmc_comes_back(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	if (++bmc->answers < bmc->up_answers)
		return;
	bmc->up_loop_ms = uv_now(machine->agent->loop);
	tell_bmc(machine, false, "the BMC answers again");
}

/* Faults of the chassis are told when they come and when they go; the first reading tells those that are there. */
static void compare_chassis(struct pm_machine *machine, const struct ipmi_chassis_status *new)
{
	static const struct ipmi_chassis_status none;
	const struct ipmi_chassis_status *old = machine->bmc->chassis_known ? &machine->bmc->chassis : &none;
	const struct {
		const char *name;
		bool was, is;
	} flags[] = {
	    {"power fault", old->power_fault || old->power_control_fault,
	     new->power_fault || new->power_control_fault},
	    {"power overload", old->power_overload, new->power_overload},
	    {"power interlock active", old->interlock_active, new->interlock_active},
	    {"chassis intrusion", old->chassis_intrusion, new->chassis_intrusion},
	    {"drive fault", old->drive_fault, new->drive_fault},
	    {"cooling fault", old->cooling_fault, new->cooling_fault},
	    {"front panel lockout", old->front_panel_lockout, new->front_panel_lockout},
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (flags[i].was != flags[i].is)
			pm_event_add(machine, PM_EVENT_CHASSIS,
				     flags[i].is ? PM_SEVERITY_WARNING : PM_SEVERITY_OK, "%s%s",
				     flags[i].name, flags[i].is ? "" : " is over");
}

static void bmc_answered(struct pm_machine *machine, const struct ipmi_reply *reply)
{
	struct pm_bmc *bmc = machine->bmc;

	compare_chassis(machine, &reply->chassis);
	if (bmc->chassis_known && bmc->chassis.power_on != reply->chassis.power_on)
		pm_detail_switched(machine);
	bmc->misses = 0;
	bmc->holds = true;
	bmc->status = PM_BMC_OK;
	bmc->chassis = reply->chassis;
	bmc->chassis_known = true;
	pm_os_bmc_said(machine, reply->chassis.power_on);
	if (bmc->down)
		bmc_comes_back(machine);
}

/* What it said holds until it is missed too often, however it fails: one odd answer says no more than a lost packet. */
static void bmc_missed(struct pm_machine *machine, const struct ipmi_reply *reply)
{
	struct pm_bmc *bmc = machine->bmc;
	unsigned misses = machine->config->bmc->misses;
	enum pm_bmc_status status = pm_bmc_status_of(reply->result);

	bmc->misses++;
	bmc->answers = 0;
	if (bmc->misses >= misses || status != PM_BMC_UNREACHABLE)
		bmc->status = status;
	if (bmc->misses < misses)
		return;
	bmc->holds = false;
	if (!bmc->down)
		bmc_is_down(machine, reply->text);
	else if (bmc->misses == misses &&
		 !bmc->chassis_known) /* told before a restart or reload: no news but to the log */
		pm_event_log_write(machine, PM_EVENT_BMC_DOWN, PM_SEVERITY_CRITICAL, reply->text);
}

void pm_state_chassis(struct pm_machine *machine, const struct ipmi_reply *reply)
{
	bool answered = reply->result == IPMI_OK;

	if (answered)
		bmc_answered(machine, reply);
	else
		bmc_missed(machine, reply);
	derive(machine, answered ? PM_SOURCE_BMC : PM_SOURCE_NONE, reply->text);
	pm_job_observed(machine, PM_SOURCE_BMC);
}

/* --- the probe -------------------------------------------------------------------------------- */

/* Why a probe cannot be asked is logged once, until it can be asked again. */
static void note_trouble(struct pm_machine *machine, const char *text)
{
	if (!*text && *machine->probe_trouble)
		pm_log(LOG_NOTICE, "%s: the probe can be asked again", machine->config->name);
	if (*text && strcmp(machine->probe_trouble, text) != 0)
		pm_log(LOG_WARNING, "%s: the probe cannot be asked: %s", machine->config->name, text);
	snprintf(machine->probe_trouble, sizeof(machine->probe_trouble), "%s", text);
}

void pm_state_probe(struct pm_machine *machine, enum pm_probe_result result, const char *text)
{
	enum pm_os_reachable old = machine->os_reachable;

	note_trouble(machine, result == PM_PROBE_ERROR ? text : "");
	if (result == PM_PROBE_UP) {
		machine->probe_misses = 0;
		machine->os_reachable = PM_OS_YES;
	} else if (++machine->probe_misses >= machine->config->probe->misses || old == PM_OS_UNKNOWN) {
		machine->os_reachable = result == PM_PROBE_SILENT ? PM_OS_NO : PM_OS_UNKNOWN;
	}
	if (machine->os_reachable != old && old != PM_OS_UNKNOWN)
		pm_event_add(machine, PM_EVENT_HOST,
			     machine->os_reachable == PM_OS_YES ? PM_SEVERITY_OK : PM_SEVERITY_WARNING,
			     "the operating system %s",
			     machine->os_reachable == PM_OS_YES  ? "answers its probe"
			     : machine->os_reachable == PM_OS_NO ? "no longer answers its probe"
								 : "can not be probed");
	pm_os_probed(machine, result);
	derive(machine,
	       result == PM_PROBE_UP              ? PM_SOURCE_PROBE
	       : machine->os && machine->os->gone ? PM_SOURCE_HOST /* it is as silent as it was */
						  : PM_SOURCE_NONE,
	       "nothing answers");
	pm_job_observed(machine, PM_SOURCE_PROBE);
}

/* --- hypervisors ------------------------------------------------------------------------------ */

void pm_state_hypervisor(struct pm_machine *machine, bool heard, const char *silence)
{
	derive(machine, heard ? PM_SOURCE_HYPERVISOR : PM_SOURCE_NONE,
	       *silence ? silence : "nothing answers");
	pm_job_observed(machine, PM_SOURCE_HYPERVISOR);
}

/* --- the operating system --------------------------------------------------------------------- */

void pm_state_host(struct pm_machine *machine, bool heard, const char *silence)
{
	bool gone = machine->os && machine->os->gone;

	derive(machine, heard || gone ? PM_SOURCE_HOST : PM_SOURCE_NONE,
	       *silence ? silence : "nothing answers");
	pm_job_observed(machine, PM_SOURCE_HOST);
}

/* --- the rest --------------------------------------------------------------------------------- */

void pm_state_transition(struct pm_machine *machine, enum pm_power_state transition)
{
	if (machine->transition == transition)
		return;
	if (transition != machine->observed)
		machine->last_change_ms = pm_time_ms();
	set_transition(machine, transition);
}

void pm_state_restore(struct pm_machine *machine, const struct pm_stored_state *stored)
{
	machine->last_known = stored->power_state;
	machine->unknown_untold = stored->power_state != 0 && !stored->unknown_told;
	machine->last_change_ms = stored->last_change_ms;
	machine->on_count = stored->on_count;
	machine->off_count = stored->off_count;
	if (stored->last_result) {
		machine->last_result = stored->last_result;
		pm_text_format(machine->last_result_text, sizeof(machine->last_result_text), "%s",
			       stored->last_result_text);
	}
	if (machine->bmc) {
		machine->bmc->down = stored->bmc_down;
		machine->bmc->up_answers = UP_ANSWERS;
	}
}

void pm_state_result(struct pm_machine *machine, enum pm_result result, const char *text)
{
	machine->last_result = result;
	pm_text_format(machine->last_result_text, sizeof(machine->last_result_text), "%s", text);
	machine->state_dirty = true;
	pm_flush_machine(machine);
}
