/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/arm.h"
#include "agent/host/helper/link.h"
#include "agent/host/helper/report.h"
#include "agent/host/helper/wake.h"
#include "agent/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool arm_read_mac(const char *text, uint8_t mac[6])
{
	unsigned octet;

	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 6; i++, text += 3) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    (i < 5 && text[2] != ':' && text[2] != '-'))
			return false;
		sscanf(text, "%2x", &octet);
		mac[i] = (uint8_t)octet;
	}
	return true;
}

/* Adds ", more" to a text that may get too long. */
static void append(char *text, size_t size, const char *separator, const char *more)
{
	size_t length = strlen(text);

	pm_text_format(text + length, size - length, "%s%s", length ? separator : "", more);
}

/* --- which ports ---------------------------------------------------------------------------------- */

static void list_names(const struct links *links, bool physical_only, char *text, size_t size)
{
	*text = '\0';
	for (size_t i = 0; i < links->count; i++) {
		if (!physical_only || links->list[i].physical)
			append(text, size, " ", links->list[i].name);
	}
	if (!*text)
		append(text, size, "", "none");
}

static enum answer unknown_interface(const struct links *links, const char *name, struct pm_error *err)
{
	char names[300];

	if (strlen(name) >= IFNAMSIZ || strchr(name, ':') || strchr(name, '/')) {
		pm_error_set(
		    err, "%.40s is neither the name of an interface nor a MAC like 02:00:00:00:00:01", name);
		return ANSWER_USAGE;
	}
	list_names(links, false, names, sizeof(names));
	pm_error_set(err, "there is no interface %s, but %s", name, names);
	return ANSWER_FAILED;
}

static enum answer unknown_mac(const struct links *links, const char *mac, struct pm_error *err)
{
	char names[300];

	list_names(links, true, names, sizeof(names));
	pm_error_set(err, "no physical port has the MAC %s; physical ports: %s", mac, names);
	return ANSWER_FAILED;
}

/* What is meant, and what is to be said of it. */
struct selection {
	struct links links;
	bool *chosen; /* for each of links */
	char notes[200];
};

static enum answer choose_mac(struct selection *selection, const char *text, const uint8_t mac[6],
			      struct pm_error *err)
{
	const struct links *links = &selection->links;
	char note[64];
	int found = 0;

	for (size_t i = 0; i < links->count; i++) {
		if (links->list[i].physical && link_has_mac(&links->list[i], mac)) {
			selection->chosen[i] = true;
			found++;
		}
	}
	if (found == 0)
		return unknown_mac(links, text, err);
	if (found > 1) {
		snprintf(note, sizeof(note), "%d ports have the MAC %s", found, text);
		append(selection->notes, sizeof(selection->notes), "; ", note);
	}
	return ANSWER_OK;
}

static enum answer choose_one(struct selection *selection, const char *text, struct pm_error *err)
{
	const struct link *link;
	uint8_t mac[6];

	if (arm_read_mac(text, mac))
		return choose_mac(selection, text, mac, err);
	link = links_find(&selection->links, text);
	if (!link)
		return unknown_interface(&selection->links, text, err);
	if (links_choose(&selection->links, link, selection->chosen) == 0) {
		pm_error_set(err, "%s (%s) is no physical port, and has none under it", link->name,
			     link->kind);
		return ANSWER_NOT_SUPPORTED;
	}
	return ANSWER_OK;
}

static enum answer choose_all(struct selection *selection, struct pm_error *err)
{
	bool any = false;

	for (size_t i = 0; i < selection->links.count; i++)
		any |= selection->chosen[i] = selection->links.list[i].physical;
	if (any)
		return ANSWER_OK;
	pm_error_set(err, "this machine has no physical port of Ethernet");
	return ANSWER_NOT_SUPPORTED;
}

/* All or nothing: with an unknown one, none is touched. */
static enum answer choose(struct selection *selection, const struct request *request, struct pm_error *err)
{
	enum answer answer = ANSWER_OK;

	if (links_read(&selection->links, err) != 0)
		return ANSWER_FAILED;
	selection->chosen = calloc(selection->links.count + 1, sizeof(*selection->chosen));
	if (!selection->chosen) {
		pm_error_set(err, "no memory");
		return ANSWER_FAILED;
	}
	if (request->operand_count == 0)
		return choose_all(selection, err);
	for (size_t i = 0; i < request->operand_count && answer == ANSWER_OK; i++)
		answer = choose_one(selection, request->operands[i], err);
	return answer;
}

/* --- what becomes of them ------------------------------------------------------------------------- */

struct outcome {
	size_t armed, failed, denied, unknown, unsupported;
	char done[160]; /* names of those that are armed, or would be */
	char rest[300]; /* the others, with the reasons */
};

static void count(struct outcome *outcome, const struct link *port, const struct wake *wake, bool dry_run)
{
	char reason[200];

	if (wake->state == WAKE_ARMED || (dry_run && wake->state == WAKE_DISARMED)) {
		outcome->armed++;
		append(outcome->done, sizeof(outcome->done), ", ", port->name);
		return;
	}
	if (wake->denied)
		outcome->denied++;
	else if (wake->failed)
		outcome->failed++;
	else if (wake->state == WAKE_NOT_SUPPORTED)
		outcome->unsupported++;
	else
		outcome->unknown++;
	snprintf(reason, sizeof(reason), "%s: %s", port->name, wake->text);
	append(outcome->rest, sizeof(outcome->rest), "; ", reason);
}

/* Asked for by name, each port counts; else it is enough that one can wake the machine, and none fails that should. */
static enum answer judge(const struct outcome *outcome, bool each)
{
	if (outcome->denied)
		return ANSWER_NO_PERMISSION;
	if (outcome->failed)
		return ANSWER_FAILED;
	if (!each && outcome->armed)
		return ANSWER_OK;
	if (outcome->unknown)
		return ANSWER_FAILED;
	return outcome->unsupported ? ANSWER_NOT_SUPPORTED : ANSWER_OK;
}

static json_t *port_json(const struct link *port, const struct wake *wake)
{
	return json_pack("{s:o, s:o, s:o, s:s, s:s}", "name", answer_string(port->name), "mac",
			 report_mac(port->mac), "permanent-mac", report_mac(port->permanent_mac), "state",
			 wake_state_name(wake->state), "text", wake->text);
}

static json_t *arm_chosen(const struct selection *selection, bool dry_run, struct outcome *outcome)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < selection->links.count; i++) {
		const struct link *port = &selection->links.list[i];
		struct wake wake;

		if (!selection->chosen[i])
			continue;
		if (dry_run)
			wake_read(port, &wake);
		else
			wake_arm(port, &wake);
		count(outcome, port, &wake, dry_run);
		json_array_append_new(ports, port_json(port, &wake));
	}
	return ports;
}

static void describe(const struct outcome *outcome, const char *notes, bool dry_run, char *text, size_t size)
{
	if (outcome->armed)
		pm_text_format(text, size, "%s %s", dry_run ? "would arm" : "armed:", outcome->done);
	else
		pm_text_format(text, size, "%s", dry_run ? "would arm nothing" : "nothing is armed");
	if (*outcome->rest)
		append(text, size, "; ", outcome->rest);
	if (*notes)
		append(text, size, "; ", notes);
}

static enum answer run(struct selection *selection, const struct request *request)
{
	struct outcome outcome = {.armed = 0};
	struct pm_error err = {""};
	enum answer answer = choose(selection, request, &err);
	json_t *ports = json_array();

	if (answer == ANSWER_OK) {
		json_decref(ports);
		ports = arm_chosen(selection, request->dry_run, &outcome);
		answer = judge(&outcome, request->operand_count > 0);
		describe(&outcome, selection->notes, request->dry_run, err.text, sizeof(err.text));
	}
	pm_text_make_visible(err.text);
	answer_print(request, answer, json_pack("{s:o}", "ports", ports), err.text);
	return answer;
}

enum answer arm_run(const struct request *request)
{
	struct selection selection = {.chosen = NULL};
	enum answer answer = run(&selection, request);

	free(selection.chosen);
	links_free(&selection.links);
	return answer;
}
