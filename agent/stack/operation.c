/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the driver does to a VM: each in a thread of its own, for a hypervisor keeps a call for as long as the VM hangs (45 s
 * and more with QEMU).
 */
#include "agent/stack/internal.h"

#include "agent/text.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

/* --- asking the guest ----------------------------------------------------------------------------- */

/* QEMU without flags would wait a minute for an agent that is not there; the others know best what their guests have. */
static const struct asking {
	const char *type;
	unsigned ways[2]; /* flags to shut down, the same numbers as those to reboot; in this order */
	size_t count;
} askings[] = {
    {"QEMU", {VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN}, 1},
    {"LXC", {VIR_DOMAIN_SHUTDOWN_INITCTL, VIR_DOMAIN_SHUTDOWN_SIGNAL}, 2},
    {"Xen", {VIR_DOMAIN_SHUTDOWN_PARAVIRT, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN}, 2},
    {NULL, {VIR_DOMAIN_SHUTDOWN_DEFAULT}, 1},
};

size_t stack_ways_to_ask(const char *type, bool agent, unsigned ways[STACK_WAYS_MAX])
{
	const struct asking *asking = askings;
	size_t count = 0;

	while (asking->type && strcmp(asking->type, type) != 0)
		asking++;
	if (agent)
		ways[count++] = VIR_DOMAIN_SHUTDOWN_GUEST_AGENT;
	for (size_t i = 0; i < asking->count; i++)
		ways[count++] = asking->ways[i];
	return count;
}

static const char *way_name(unsigned way)
{
	switch (way) {
	case VIR_DOMAIN_SHUTDOWN_GUEST_AGENT:
		return "asked through the guest's agent";
	case VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN:
		return "asked by the ACPI power button";
	case VIR_DOMAIN_SHUTDOWN_INITCTL:
		return "asked through initctl";
	case VIR_DOMAIN_SHUTDOWN_SIGNAL:
		return "asked by a signal to init";
	case VIR_DOMAIN_SHUTDOWN_PARAVIRT:
		return "asked through the paravirtual control";
	default:
		return "asked";
	}
}

static int ask(struct stack_call *call, virDomainPtr domain, int (*way)(virDomainPtr domain, unsigned flags))
{
	unsigned ways[STACK_WAYS_MAX];
	size_t count = stack_ways_to_ask(call->session->type, call->agent, ways);
	virConnectPtr connection = virDomainGetConnect(domain);

	for (size_t i = 0; i < count; i++) {
		if (way(domain, ways[i]) == 0) {
			stack_failure_set(&call->outcome, STACK_OK, way_name(ways[i]));
			return 0;
		}
		stack_failure_get(&call->outcome, connection, call->session->uri);
		if (call->outcome.result == STACK_NO_VM || call->outcome.result == STACK_UNREACHABLE)
			break; /* no other way could change that */
	}
	return -1;
}

/* --- commands: 0; or -1 with libvirt's error, or with one in call->outcome ------------------------------------------------------------- */

static int command_start(struct stack_call *call, virDomainPtr domain)
{
	(void)call;
	return virDomainCreate(domain);
}

/* From a pause or from the guest's own sleep: whichever it is. */
static int command_resume(struct stack_call *call, virDomainPtr domain)
{
	int state = 0;

	(void)call;
	if (virDomainGetState(domain, &state, NULL, 0) < 0)
		return -1;
	return state == VIR_DOMAIN_PMSUSPENDED ? virDomainPMWakeup(domain, 0) : virDomainResume(domain);
}

static int command_shutdown(struct stack_call *call, virDomainPtr domain)
{
	return ask(call, domain, virDomainShutdownFlags);
}

static int command_destroy(struct stack_call *call, virDomainPtr domain)
{
	(void)call;
	return virDomainDestroy(domain);
}

static int command_reboot(struct stack_call *call, virDomainPtr domain)
{
	return ask(call, domain, virDomainReboot);
}

static int command_reset(struct stack_call *call, virDomainPtr domain)
{
	(void)call;
	return virDomainReset(domain, 0);
}

static int command_pause(struct stack_call *call, virDomainPtr domain)
{
	(void)call;
	return virDomainSuspend(domain);
}

static int command_save(struct stack_call *call, virDomainPtr domain)
{
	(void)call;
	return virDomainManagedSave(domain, 0);
}

static int command_pm_suspend(struct stack_call *call, virDomainPtr domain)
{
	(void)call;
	return virDomainPMSuspendForDuration(domain, VIR_NODE_SUSPEND_TARGET_MEM, 0, 0);
}

static const struct command {
	int (*run)(struct stack_call *call, virDomainPtr domain);
	int goal; /* virDomainState in which there is nothing to do */
	const char *name, *done;
} commands[] = {
    [STACK_START] = {command_start, VIR_DOMAIN_RUNNING, "start", "started"},
    [STACK_RESUME] = {command_resume, VIR_DOMAIN_RUNNING, "resume", "resumed"},
    [STACK_WAKEUP] = {command_resume, VIR_DOMAIN_RUNNING, "wake-up", "woken up"},
    [STACK_SHUTDOWN] = {command_shutdown, VIR_DOMAIN_SHUTOFF, "shutdown", "asked"},
    [STACK_DESTROY] = {command_destroy, VIR_DOMAIN_SHUTOFF, "destroy", "switched off"},
    [STACK_REBOOT] = {command_reboot, -1, "reboot", "asked"},
    [STACK_RESET] = {command_reset, -1, "reset", "reset"},
    [STACK_PAUSE] = {command_pause, VIR_DOMAIN_PAUSED, "pause", "paused"},
    [STACK_SAVE] = {command_save, -1, "save", "saved"},
    [STACK_PM_SUSPEND] = {command_pm_suspend, VIR_DOMAIN_PMSUSPENDED, "suspend",
			  "asked through the guest's agent"},
    [STACK_LOOK] = {NULL, -1, "look", ""},
};

const char *stack_command_name(enum stack_command command)
{
	return commands[command].name;
}

/* --- the thread ------------------------------------------------------------------------------------ */

static void carry_out(struct stack_call *call, virConnectPtr connection, virDomainPtr domain)
{
	const struct command *command = &commands[call->command];
	int state = 0;

	stack_failure_set(&call->outcome, STACK_OK, command->done);
	atomic_store(&call->sent, true);
	if (command->run(call, domain) == 0)
		return;
	if (call->outcome.result == STACK_OK)
		stack_failure_get(&call->outcome, connection, call->session->uri);
	if (call->outcome.result == STACK_REFUSED && command->goal >= 0 &&
	    virDomainGetState(domain, &state, NULL, 0) == 0 && state == command->goal)
		call->outcome.result = STACK_ALREADY;
}

static void run(void *data)
{
	struct stack_call *call = data;
	struct stack_session *session = stack_session_ref(call->session);
	struct stack_lane *lane;
	virConnectPtr connection = stack_lane_take(session, call->command, &lane, &call->outcome);
	virDomainPtr domain = connection ? virDomainLookupByUUIDString(connection, call->uuid) : NULL;

	if (domain)
		carry_out(call, connection, domain);
	else if (connection)
		stack_failure_get(&call->outcome, connection, session->uri);
	if (domain)
		virDomainFree(domain);
	stack_mailbox_post(session->mailbox, &call->done); /* from here on it is the loop's */
	stack_lane_give(session, lane, connection);
	stack_session_unref(session);
}

/* --- the loop ---------------------------------------------------------------------------------------- */

struct stack_call *stack_call_start(struct stack_session *session, const struct stack_request *request)
{
	struct stack_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->done.type = STACK_POST_DONE;
	call->done.call = call;
	call->session = stack_session_ref(session);
	call->command = request->command;
	memcpy(call->uuid, request->uuid, sizeof(call->uuid));
	call->agent = request->agent;
	if (stack_thread_start(run, call) < 0) {
		stack_call_free(call);
		return NULL;
	}
	return call;
}

void stack_call_free(struct stack_call *call)
{
	stack_session_unref(call->session);
	free(call);
}
