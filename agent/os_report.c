/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a report says of the machine, against what the configuration says: its UUID, its ports and their MACs. */
#include "agent/event.h"
#include "agent/os_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- the UUID --------------------------------------------------------------------------------- */

/*
 * SMBIOS 2.6, section 7.2.1: the first three fields are little-endian; older firmware and older kernels show them the other
 * way round.
 */
static void swap_fields(const char *uuid, char swapped[HOST_ID_SIZE])
{
	static const char order[] = {6, 7, 4, 5, 2, 3, 0, 1, 8, 11, 12, 9, 10, 13, 16, 17, 14, 15};

	snprintf(swapped, HOST_ID_SIZE, "%s", uuid);
	if (strlen(uuid) != HOST_ID_SIZE - 1)
		return;
	for (size_t i = 0; i < sizeof(order); i++)
		swapped[i] = uuid[(size_t)order[i]];
}

static bool same_uuid(const char *a, const char *b)
{
	char swapped[HOST_ID_SIZE];

	swap_fields(b, swapped);
	return strcasecmp(a, b) == 0 || strcasecmp(a, swapped) == 0;
}

/* --- ports ------------------------------------------------------------------------------------ */

static bool has_mac(const struct host_port *port, const uint8_t mac[6])
{
	return memcmp(port->mac, mac, 6) == 0 || memcmp(port->permanent_mac, mac, 6) == 0;
}

static size_t ports_with(const struct host_report *report, const uint8_t mac[6])
{
	size_t count = 0;

	for (size_t i = 0; i < report->port_count; i++)
		count += has_mac(&report->ports[i], mac);
	return count;
}

bool pm_os_has_its_mac(const struct pm_machine *machine, const struct host_report *report)
{
	for (size_t i = 0; i < machine->config->nic_count; i++)
		if (machine->config->nics[i].has_mac && ports_with(report, machine->config->nics[i].mac))
			return true;
	return false;
}

static bool has_macs(const struct pm_machine_config *config)
{
	for (size_t i = 0; i < config->nic_count; i++)
		if (config->nics[i].has_mac)
			return true;
	return false;
}

bool pm_os_is_another(const struct pm_machine *machine, const struct host_report *report)
{
	const struct pm_machine_config *config = machine->config;

	if (*config->uuid && *report->uuid)
		return !same_uuid(config->uuid, report->uuid);
	return has_macs(config) && report->port_count && !pm_os_has_its_mac(machine, report);
}

bool pm_os_is_strange(const struct pm_machine *machine)
{
	const struct pm_machine_config *config = machine->config;

	return machine->os && machine->os->stranger && machine->os->wrong_uuid && config->probe &&
	       config->host && strcmp(config->probe->address, config->host->address) == 0;
}

enum pm_nic_armed pm_os_nic_armed(const struct pm_nic *nic)
{
	const struct pm_os *os = nic->machine->os;
	size_t count[HOST_WOL_ARMED + 1] = {0}, all = 0;

	if (!os || os->stranger || !*os->report.boot_id || !nic->config->has_mac)
		return PM_NIC_ARMED_UNKNOWN;
	for (size_t i = 0; i < os->report.port_count; i++) {
		const struct host_port *port = &os->report.ports[i];

		if (has_mac(port, nic->config->mac)) {
			count[port->wol]++;
			all++;
		}
	}
	if (all == 0 || count[HOST_WOL_UNKNOWN])
		return PM_NIC_ARMED_UNKNOWN;
	return count[HOST_WOL_ARMED] == all   ? PM_NIC_ARMED
	       : count[HOST_WOL_DISARMED] > 0 ? PM_NIC_DISARMED
					      : PM_NIC_NOT_SUPPORTED;
}

static struct host_port *find_port(struct host_report *report, const char *name)
{
	for (size_t i = 0; i < report->port_count; i++)
		if (strcmp(report->ports[i].name, name) == 0)
			return &report->ports[i];
	return report->port_count < HOST_PORTS_MAX ? &report->ports[report->port_count++] : NULL;
}

void pm_os_armed(struct pm_machine *machine, const struct host_port *ports, size_t count)
{
	struct pm_os *os = machine->os;

	if (!os || os->stranger || !*os->report.boot_id)
		return;
	for (size_t i = 0; i < count; i++) {
		struct host_port *port = find_port(&os->report, ports[i].name);

		if (port)
			*port = ports[i];
	}
}

/* --- what disagrees --------------------------------------------------------------------------- */

struct text {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3))) append(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->at, text->left, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length >= text->left)
		length = (int)text->left - 1;
	text->at += length;
	text->left -= (size_t)length;
}

static const char *separator(const struct text *text, const char *start)
{
	return text->at == start ? "" : "; ";
}

static void list_ports(struct text *text, const struct host_report *report, const uint8_t *mac)
{
	const char *between = "";

	for (size_t i = 0; i < report->port_count; i++) {
		const struct host_port *port = &report->ports[i];

		if (mac && !has_mac(port, mac))
			continue;
		append(text, "%s%s", between, port->name);
		if (!mac)
			append(text, " %02x:%02x:%02x:%02x:%02x:%02x", port->mac[0], port->mac[1],
			       port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
		between = ", ";
	}
}

static void compare_nic(struct text *text, const char *start, const struct host_report *report,
			const struct pm_nic_config *nic)
{
	const uint8_t *mac = nic->mac;
	size_t count = ports_with(report, mac);

	if (!nic->has_mac || count == 1)
		return;
	append(text, "%snic \"%.32s\" is configured with MAC %02x:%02x:%02x:%02x:%02x:%02x, which ",
	       separator(text, start), nic->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	append(text, count ? "several of its physical ports have: " : "none of its physical ports has: ");
	if (!count && report->port_count == 0)
		append(text, "it has none");
	list_ports(text, report, count ? mac : NULL);
}

void pm_os_compare(struct pm_os *os)
{
	const struct pm_machine_config *config = os->machine->config;
	const struct host_report *report = &os->report;
	char found[sizeof(os->told)] = "";
	struct text text = {found, sizeof(found)};

	os->wrong_uuid = *config->uuid && *report->uuid && !same_uuid(config->uuid, report->uuid);
	if (os->wrong_uuid)
		append(&text, "its UUID is %s, configured is %s: it is another machine", report->uuid,
		       config->uuid);
	else if (*config->uuid && !*report->uuid)
		append(&text,
		       "its UUID cannot be read, so it is not sure to be the right machine (pmstack-host "
		       "setup tells how to let it)");
	for (size_t i = 0; i < config->nic_count; i++)
		compare_nic(&text, found, report, &config->nics[i]);
	if (os->stranger && !os->wrong_uuid)
		append(&text, "; it seems to be another machine");
	if (strcmp(found, os->told) == 0)
		return;
	if (*found)
		pm_event_add(os->machine, PM_EVENT_HOST, PM_SEVERITY_WARNING,
			     "what its operating system tells disagrees with the configuration: %s", found);
	else
		pm_event_add(os->machine, PM_EVENT_HOST, PM_SEVERITY_OK,
			     "what its operating system tells agrees with the configuration now");
	memcpy(os->told, found, sizeof(found));
}
