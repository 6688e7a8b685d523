/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/tc.h"

#include <stddef.h>

static const char *label(const char *const *labels, size_t count, int number)
{
	return number > 0 && (size_t)number < count ? labels[number] : "unknown";
}

#define LABEL(labels, number) label(labels, sizeof(labels) / sizeof(*(labels)), (int)(number))

const char *pm_command_name(enum pm_command command)
{
	static const char *const labels[] = {"",
					     "none",
					     "powerOn",
					     "wake",
					     "shutdown",
					     "powerOff",
					     "reboot",
					     "cycle",
					     "reset",
					     "suspend",
					     "hibernate",
					     "softOff",
					     "diagnosticInterrupt",
					     "init",
					     "armWol",
					     "identify"};

	return LABEL(labels, command);
}

const char *pm_result_name(enum pm_result result)
{
	static const char *const labels[] = {"",
					     "none",
					     "ok",
					     "alreadyInState",
					     "timeout",
					     "unreachable",
					     "authFailed",
					     "rejected",
					     "guestRefused",
					     "wakeNotSeen",
					     "wakeNoResponse",
					     "aborted",
					     "interrupted",
					     "notConfigured",
					     "internalError"};

	return LABEL(labels, result);
}

const char *pm_power_state_name(enum pm_power_state state)
{
	static const char *const labels[] = {"",         "unknown",     "off",        "poweringOn", "on",
					     "draining", "poweringOff", "restarting", "suspended",  "fault"};

	return LABEL(labels, state);
}

const char *pm_vm_state_name(enum pm_vm_state state)
{
	static const char *const labels[] = {
	    "",         "unknown", "other",     "preparing",    "running",  "suspending", "suspended",
	    "resuming", "paused",  "migrating", "shuttingDown", "shutdown", "crashed"};

	return LABEL(labels, state);
}

const char *pm_job_state_name(enum pm_job_state state)
{
	static const char *const labels[] = {"",          "notReady", "scheduled",  "running",
					     "verifying", "aborting", "succeeded",  "failed",
					     "aborted",   "timedOut", "interrupted"};

	return LABEL(labels, state);
}

const char *pm_step_action_name(enum pm_step_action action)
{
	static const char *const labels[] = {"",
					     "vmStart",
					     "vmResume",
					     "vmShutdown",
					     "vmDestroy",
					     "vmReboot",
					     "vmReset",
					     "vmPause",
					     "vmSave",
					     "hypervisorConnect",
					     "hostShutdown",
					     "hostReboot",
					     "hostSuspend",
					     "hostHibernate",
					     "hostInit",
					     "hostArmWol",
					     "bmcPowerUp",
					     "bmcPowerDown",
					     "bmcPowerCycle",
					     "bmcHardReset",
					     "bmcDiagnosticInterrupt",
					     "bmcSoftShutdown",
					     "bmcIdentify",
					     "bmcConfigure",
					     "wakeSend",
					     "stateWait"};

	return LABEL(labels, action);
}
