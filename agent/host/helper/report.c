/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/report.h"
#include "agent/host/helper/logind.h"
#include "agent/host/helper/machine.h"
#include "agent/host/helper/native.h"
#include "agent/host/helper/wake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERFACES_SIZE_MAX 49152 /* octets of JSON: who asks takes 64 KiB in all */

json_t *report_mac(const uint8_t mac[6])
{
	static const uint8_t none[6];
	char text[18];

	if (memcmp(mac, none, sizeof(none)) == 0)
		return json_null();
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return json_string(text);
}

/* --- interfaces ----------------------------------------------------------------------------------- */

static json_t *lower_names(const struct links *links, const struct link *link)
{
	json_t *names = json_array();

	for (size_t i = 0; i < links->count; i++) {
		if (link_stands_on(link, &links->list[i]))
			json_array_append_new(names, answer_string(links->list[i].name));
	}
	return names;
}

static json_t *wol(const struct wake *wake)
{
	char supported[16], set[16];

	wake_letters(wake->supported, supported);
	wake_letters(wake->set, set);
	return json_pack("{s:s?, s:s?}", "supported", wake->supported ? supported : NULL, "set",
			 wake->supported ? set : NULL);
}

static json_t *interface(const struct links *links, const struct link *link)
{
	struct wake wake = {.state = WAKE_NOT_SUPPORTED};

	if (link->physical)
		wake_read(link, &wake);
	else
		snprintf(wake.text, sizeof(wake.text), "not a physical port");
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:o, s:s, s:s}", "name",
			 answer_string(link->name), "kind", answer_string(link->kind), "mac",
			 report_mac(link->mac), "permanent-mac", report_mac(link->permanent_mac), "up",
			 link->up, "lowers", lower_names(links, link), "physical", link->physical, "wol",
			 wol(&wake), "state", wake_state_name(wake.state), "text", wake.text);
}

/* Adds those that are physical ports, or those that are not, while there is room. How many had none. */
static size_t add_interfaces(json_t *list, const struct links *links, bool physical, size_t *room)
{
	size_t left_out = 0;

	for (size_t i = 0; i < links->count; i++) {
		const struct link *link = &links->list[i];
		json_t *one;
		size_t size;

		if (link->physical != physical)
			continue;
		one = *room ? interface(links, link) : NULL;
		size = one ? json_dumpb(one, NULL, 0, JSON_COMPACT) + 1 : SIZE_MAX;
		if (size > *room) {
			json_decref(one);
			*room = 0;
			left_out++;
			continue;
		}
		*room -= size;
		json_array_append_new(list, one);
	}
	return left_out;
}

/* --- abilities ------------------------------------------------------------------------------------ */

struct abilities {
	enum answer suspend,
	    hibernate; /* not supported; not known: failed; else it can, perhaps with more rights */
	const char *by;
	struct pm_error trouble; /* why something is not known */
};

/* Keeps the first of what went wrong. */
static enum answer note(struct abilities *can, enum answer answer, const struct pm_error *err)
{
	if (answer == ANSWER_FAILED && !*can->trouble.text)
		can->trouble = *err;
	return answer;
}

static void find_abilities(struct abilities *can)
{
	struct pm_error err;
	struct logind *logind;

	*can = (struct abilities){.suspend = ANSWER_FAILED, .hibernate = ANSWER_FAILED, .by = "logind"};
	if (logind_open(&logind, &can->trouble) != 0)
		return;
	if (logind) {
		can->suspend = note(can, logind_can(logind, VERB_SUSPEND, &err), &err);
		can->hibernate = note(can, logind_can(logind, VERB_HIBERNATE, &err), &err);
		logind_close(logind);
		return;
	}
	can->by = "native";
	can->suspend = note(can, native_can_sleep(VERB_SUSPEND, &err), &err);
	can->hibernate = note(can, native_can_sleep(VERB_HIBERNATE, &err), &err);
}

/* Who takes "not known" for "cannot" would switch off what could have slept. */
static json_t *ability(enum answer answer)
{
	return answer == ANSWER_FAILED ? json_null() : json_boolean(answer != ANSWER_NOT_SUPPORTED);
}

/* --- all ------------------------------------------------------------------------------------------ */

static void write_text(char *text, size_t size, const struct abilities *can, size_t left_out)
{
	int length =
	    snprintf(text, size, "pmstack-host %s%s", PM_VERSION,
		     geteuid() == 0 ? "" : ", not as root: not all can be seen, see pmstack-host setup");

	if (*can->trouble.text)
		length += snprintf(text + length, size - (size_t)length, "; %.200s", can->trouble.text);
	if (left_out)
		snprintf(text + length, size - (size_t)length, "; %zu interfaces are left out", left_out);
}

enum answer report_run(const struct request *request)
{
	char uuid[REQUEST_BOOT_ID_SIZE], hostname[MACHINE_NAME_SIZE], boot_id[REQUEST_BOOT_ID_SIZE],
	    text[512];
	size_t room = INTERFACES_SIZE_MAX, left_out;
	json_t *interfaces = json_array();
	struct abilities can;
	struct pm_error err;
	struct links links = {.count = 0};

	if (machine_boot_id(boot_id, &err) != 0 || links_read(&links, &err) != 0) {
		json_decref(interfaces);
		links_free(&links);
		answer_print(request, ANSWER_FAILED, NULL, err.text);
		return ANSWER_FAILED;
	}
	left_out = add_interfaces(interfaces, &links, true, &room);
	left_out += add_interfaces(interfaces, &links, false, &room);
	links_free(&links);
	find_abilities(&can);
	machine_hostname(hostname);
	write_text(text, sizeof(text), &can, left_out);
	answer_print(request, ANSWER_OK,
		     json_pack("{s:s?, s:I, s:o, s:{s:o, s:o}, s:s, s:o}", "uuid",
			       machine_uuid(uuid) == 0 ? uuid : NULL, "uptime",
			       (json_int_t)machine_uptime_s(), "hostname", answer_string(hostname), "can",
			       "suspend", ability(can.suspend), "hibernate", ability(can.hibernate), "by",
			       can.by, "interfaces", interfaces),
		     text);
	return ANSWER_OK;
}
