/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The step that arms the ports of a machine to wake it. */
#include "agent/job_private.h"
#include "agent/os.h"
#include "agent/step_host.h"
#include "agent/text.h"

#include <stdio.h>
#include <string.h>

const char pm_host_not_armed[] = "not armed: ";

/* --- Wake-on-LAN ---------------------------------------------------------------------------------------- */

static bool is_meant(const struct pm_step_run *run, const struct pm_nic *nic)
{
	return nic->config->has_mac && (!run->job->spec.nic || run->job->spec.nic == nic->index);
}

bool pm_host_has_mac(const struct host_port *port, const uint8_t mac[6])
{
	return memcmp(port->mac, mac, 6) == 0 || memcmp(port->permanent_mac, mac, 6) == 0;
}

static bool is_armed(const struct host_reply *reply, const uint8_t mac[6])
{
	bool any = false;

	for (size_t i = 0; i < reply->port_count; i++) {
		if (!pm_host_has_mac(&reply->ports[i], mac))
			continue;
		if (reply->ports[i].wol != HOST_WOL_ARMED)
			return false;
		any = true;
	}
	return any;
}

/* The NICs that were meant and are armed, or are not, by name; how many. Two ports may have one MAC: all of them count. */
static size_t name_nics(const struct pm_step_run *run, const struct host_reply *reply, bool armed,
			char *names, size_t size)
{
	const struct pm_machine *machine = run->job->machine;
	size_t count = 0;

	*names = '\0';
	for (size_t i = 0; i < machine->nic_count; i++) {
		const struct pm_nic *nic = &machine->nics[i];
		size_t length = strlen(names);

		if (!is_meant(run, nic) || is_armed(reply, nic->config->mac) != armed)
			continue;
		pm_text_format(names + length, size - length, "%s%s", count++ ? ", " : "", nic->config->name);
	}
	return count;
}

static void name_ports(const struct host_reply *reply, char *names, size_t size)
{
	*names = '\0';
	for (size_t i = 0; i < reply->port_count; i++) {
		size_t length = strlen(names);

		if (reply->ports[i].wol == HOST_WOL_ARMED)
			pm_text_format(names + length, size - length, "%s%s", length ? ", " : "",
				       reply->ports[i].name);
	}
}

static bool is_asked_for(const struct pm_step_run *run)
{
	return run->job->spec.arm_wol || run->job->spec.action == PM_COMMAND_ARM_WOL;
}

/* Before sleep the NICs are armed without having been asked for; who has a BMC has another way up. */
static void cannot_arm(struct pm_step_run *run, enum pm_result result, const char *why)
{
	char text[400];

	if (is_asked_for(run) || !run->job->machine->bmc) {
		snprintf(text, sizeof(text), "Wake-on-LAN cannot be armed: %s", why);
		pm_step_given_up(run, result, text);
		return;
	}
	snprintf(text, sizeof(text), "%s%s; its BMC can switch it on", pm_host_not_armed, why);
	pm_step_done(run, PM_RESULT_OK, text);
}

static void has_armed(struct pm_step_run *run, const struct host_reply *reply)
{
	char text[300], names[128];

	if (name_nics(run, reply, false, names, sizeof(names))) {
		snprintf(text, sizeof(text), "no port with the MAC address of %s is armed", names);
		cannot_arm(run, PM_RESULT_REJECTED, text);
		return;
	}
	name_ports(reply, names, sizeof(names));
	snprintf(text, sizeof(text), "Wake-on-LAN armed: %s", names);
	pm_step_done(run, PM_RESULT_OK, text);
}

/* One NIC is enough to be woken by, unless more was asked for. */
static void has_armed_some(struct pm_step_run *run, const struct host_reply *reply)
{
	char text[400], armed[128], others[128];

	if (is_asked_for(run) || !name_nics(run, reply, true, armed, sizeof(armed))) {
		cannot_arm(run, pm_host_result(reply->result), reply->text);
		return;
	}
	if (name_nics(run, reply, false, others, sizeof(others)))
		snprintf(text, sizeof(text), "Wake-on-LAN armed: %s; not %s: %s", armed, others, reply->text);
	else
		snprintf(text, sizeof(text), "Wake-on-LAN armed: %s", armed);
	pm_step_done(run, PM_RESULT_OK, text);
}

/* It has rebooted just now: the new boot can be armed as well. */
static void ask_anew(struct pm_step_run *run)
{
	run->host.boot_id[0] = '\0';
	pm_timer_start(run->timer, 0);
}

static void on_armed(const struct host_reply *reply, void *data)
{
	struct pm_step_run *run = data;

	if (pm_host_was_cut(run, reply))
		return;
	if (reply->port_count)
		pm_os_armed(run->job->machine, reply->ports, reply->port_count);
	if (reply->result == HOST_OK)
		has_armed(run, reply);
	else if (reply->result == HOST_UNSUPPORTED || reply->result == HOST_FAILED ||
		 reply->result == HOST_NOT_PERMITTED)
		has_armed_some(run, reply);
	else if (reply->result == HOST_REFUSED)
		pm_host_refused(run, reply->text);
	else if (reply->result == HOST_OTHER_BOOT)
		ask_anew(run);
	else if (pm_host_is_silence(reply)) /* a wish: whether it had left is nothing to it */
		pm_host_not_reached(run, reply);
	else
		pm_host_fail(run, pm_host_result(reply->result), reply->text);
}

/* More than fit are all, and then it is seen which were. */
void pm_host_arm(struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;
	uint8_t macs[HOST_MACS_MAX][6];
	struct host_request request = {.verb = HOST_ARM_WOL,
				       .boot_id = run->host.boot_id,
				       .macs = (const uint8_t(*)[6])macs,
				       .done = on_armed,
				       .data = run};
	size_t count = 0;

	for (size_t i = 0; i < machine->nic_count; i++) {
		if (!is_meant(run, &machine->nics[i]))
			continue;
		if (count < HOST_MACS_MAX)
			memcpy(macs[count], machine->nics[i].config->mac, 6);
		count++;
	}
	request.mac_count = count <= HOST_MACS_MAX ? count : 0;
	run->tries++;
	run->sent_ms = pm_step_now(run);
	run->host.reporting = false;
	pm_host_submit(run, &request);
}
