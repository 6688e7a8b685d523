/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What pmstack-host answers: lines of JSON, of which none is believed before it is checked. */
#include "agent/host/internal.h"

#include "agent/text.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const verb_names[] = {
    [HOST_REPORT] = "report",   [HOST_POWEROFF] = "poweroff",   [HOST_REBOOT] = "reboot",
    [HOST_SUSPEND] = "suspend", [HOST_HIBERNATE] = "hibernate", [HOST_INIT] = "init",
    [HOST_ARM_WOL] = "arm-wol"};

const char *host_verb_name(enum host_verb verb)
{
	return verb_names[verb];
}

bool host_verb_goes(const struct host_request *request)
{
	switch (request->verb) {
	case HOST_POWEROFF:
	case HOST_REBOOT:
	case HOST_SUSPEND:
	case HOST_HIBERNATE:
		return true;
	case HOST_INIT:
		return request->init_level == 0 || request->init_level == 6;
	default:
		return false;
	}
}

void host_answer_begin(struct host_answer *answer, const struct host_request *request)
{
	memset(answer, 0, sizeof(*answer));
	answer->verb = request->verb;
}

/* --- texts ------------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
	pm_text_format(to, size, "%s", from);
	pm_text_make_visible(to);
}

/* What is not an answer ends it: the first such line is what helps to find out why. */
static void keep_excerpt(struct host_answer *answer, const char *line, size_t length)
{
	if (answer->excerpt[0])
		return;
	snprintf(answer->excerpt, sizeof(answer->excerpt), "%.*s", (int)(length < 256 ? length : 256), line);
	pm_text_trim(answer->excerpt);
	pm_text_make_visible(answer->excerpt);
}

static void is_nonsense(struct host_answer *answer, const char *why)
{
	if (answer->state == HOST_ANSWER_GOING)
		return; /* cut off while it goes down: what it has said before holds */
	answer->state = HOST_ANSWER_FINAL;
	answer->result = HOST_NO_HELPER;
	pm_text_format(answer->text, sizeof(answer->text),
		       "what answers there is not a " HOST_PROGRAM " that this agent understands: %s", why);
}

/* --- values ------------------------------------------------------------------------------------ */

/* RFC 4122, section 3, into lower case. */
static bool read_id(char *id, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != HOST_ID_SIZE - 1)
		return false;
	for (size_t i = 0; i < HOST_ID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		id[i] = (char)tolower((unsigned char)text[i]);
	}
	id[HOST_ID_SIZE - 1] = '\0';
	return true;
}

static int hex_value(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

static bool read_mac(uint8_t mac[6], const json_t *value)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 6; i++, text += 3) {
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    (i < 5 && text[2] != ':'))
			return false;
		mac[i] = (uint8_t)(hex_value(text[0]) * 16 + hex_value(text[1]));
	}
	return true;
}

static bool is_null_or_absent(const json_t *value)
{
	return !value || json_is_null(value);
}

static enum host_wol read_wol(const json_t *value)
{
	static const char *const names[] = {[HOST_WOL_UNKNOWN] = "unknown",
					    [HOST_WOL_NOT_SUPPORTED] = "notSupported",
					    [HOST_WOL_DISARMED] = "disarmed",
					    [HOST_WOL_ARMED] = "armed"};
	const char *text = json_string_value(value);

	for (size_t i = HOST_WOL_UNKNOWN; text && i <= HOST_WOL_ARMED; i++)
		if (strcmp(text, names[i]) == 0)
			return (enum host_wol)i;
	return 0;
}

/* --- ports ------------------------------------------------------------------------------------- */

static const char *read_port(struct host_port *port, const json_t *value)
{
	const char *name = json_string_value(json_object_get(value, "name"));
	const json_t *permanent = json_object_get(value, "permanent-mac");

	memset(port, 0, sizeof(*port));
	if (!name || !*name)
		return "an interface has no name";
	copy_text(port->name, sizeof(port->name), name);
	if (!read_mac(port->mac, json_object_get(value, "mac")))
		return "an interface has no MAC address that is one";
	memcpy(port->permanent_mac, port->mac, sizeof(port->mac));
	if (!is_null_or_absent(permanent) && !read_mac(port->permanent_mac, permanent))
		return "an interface has a permanent MAC address that is none";
	port->wol = read_wol(json_object_get(value, "state"));
	return port->wol ? NULL : "whether an interface is armed is not told as it should be";
}

/* Of an array of interfaces the physical ones; more than there is room for are left out. */
static const char *read_ports(struct host_report *report, const json_t *array, bool only_physical)
{
	const char *wrong = NULL;
	const json_t *value;
	size_t i;

	if (!json_is_array(array))
		return "the interfaces are missing";
	for (i = 0; !wrong && i < json_array_size(array) && report->port_count < HOST_PORTS_MAX; i++) {
		value = json_array_get(array, i);
		if (!json_is_object(value))
			return "an interface is not described";
		if (only_physical && !json_is_boolean(json_object_get(value, "physical")))
			return "whether an interface is physical is not told";
		if (only_physical && !json_is_true(json_object_get(value, "physical")))
			continue;
		if (json_is_null(json_object_get(value, "mac")))
			continue; /* nothing could wake it */
		wrong = read_port(&report->ports[report->port_count], value);
		report->port_count += !wrong;
	}
	return wrong;
}

/* --- a report ---------------------------------------------------------------------------------- */

/* What it could not find out may well work: only the verb tells. */
static bool read_ability(bool *can, const json_t *value)
{
	*can = !json_is_false(value);
	return json_is_boolean(value) || json_is_null(value);
}

static const char *read_abilities(struct host_report *report, const json_t *can)
{
	bool told = read_ability(&report->can_suspend, json_object_get(can, "suspend")) &&
		    read_ability(&report->can_hibernate, json_object_get(can, "hibernate"));

	return told ? NULL : "what it can is not told";
}

/* Seconds, as an integer or not. */
static bool read_uptime(uint64_t *uptime_s, const json_t *value)
{
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e15))
		return false;
	*uptime_s = (uint64_t)seconds;
	return true;
}

static const char *read_report(struct host_report *report, const json_t *root)
{
	const json_t *uuid = json_object_get(root, "uuid");
	const char *wrong;

	if (!read_id(report->boot_id, json_object_get(root, "boot-id")))
		return "it has no boot-id that is one";
	if (!is_null_or_absent(uuid) && !read_id(report->uuid, uuid))
		return "its uuid is none";
	if (!read_uptime(&report->uptime_s, json_object_get(root, "uptime")))
		return "its uptime is none";
	wrong = read_abilities(report, json_object_get(root, "can"));
	return wrong ? wrong : read_ports(report, json_object_get(root, "interfaces"), true);
}

/* --- an answer --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum host_result result;
} result_names[] = {
    {"ok", HOST_OK},
    {"refused", HOST_REFUSED},
    {"notSupported", HOST_UNSUPPORTED},
    {"otherBoot", HOST_OTHER_BOOT},
    {"noPermission", HOST_NOT_PERMITTED},
    {"failed", HOST_FAILED},
};

static enum host_result find_result(const char *name)
{
	for (size_t i = 0; i < sizeof(result_names) / sizeof(*result_names); i++)
		if (strcmp(name, result_names[i].name) == 0)
			return result_names[i].result;
	return 0;
}

/* What the request says, this one does not understand. A MAC address that it does not have is nothing to understand. */
static void read_usage(struct host_answer *answer, const char *text)
{
	answer->state = HOST_ANSWER_FINAL;
	answer->result = answer->verb == HOST_ARM_WOL ? HOST_FAILED : HOST_NO_HELPER;
	if (answer->verb == HOST_ARM_WOL)
		copy_text(answer->text, sizeof(answer->text), text);
	else
		pm_text_format(answer->text, sizeof(answer->text),
			       HOST_PROGRAM " %s there does not know \"%s\", install the agent's version: %s",
			       answer->report.version, host_verb_name(answer->verb), text);
	pm_text_make_visible(answer->text);
}

static const char *read_details(struct host_answer *answer, enum host_result result, const json_t *root)
{
	const json_t *ports = json_object_get(root, "ports");

	if (answer->verb == HOST_REPORT)
		return result == HOST_OK ? read_report(&answer->report, root) : NULL;
	if (answer->verb == HOST_ARM_WOL && (ports || result == HOST_OK))
		return read_ports(&answer->report, ports, false);
	return NULL;
}

static void read_result(struct host_answer *answer, const char *name, const char *text, const json_t *root)
{
	enum host_result result = find_result(name);
	const char *wrong = result ? read_details(answer, result, root) : "its result is none that is known";

	if (wrong) {
		is_nonsense(answer, wrong);
		return;
	}
	answer->result = result;
	answer->state = HOST_ANSWER_FINAL;
	copy_text(answer->text, sizeof(answer->text), *text ? text : host_result_name(answer->result));
}

static void read_going(struct host_answer *answer, const char *text)
{
	bool goes = answer->verb != HOST_REPORT && answer->verb != HOST_ARM_WOL;

	if (!goes) {
		is_nonsense(answer, "it goes down, and was not asked to");
		return;
	}
	answer->state = HOST_ANSWER_GOING;
	answer->result = HOST_OK;
	copy_text(answer->text, sizeof(answer->text), *text ? text : "it goes down");
}

/* Protocol and version are looked at first: what follows may mean anything in another one. */
static bool is_too_old(struct host_answer *answer, const json_t *root)
{
	json_int_t protocol = json_integer_value(json_object_get(root, "protocol"));
	const char *version = json_string_value(json_object_get(root, "version"));

	copy_text(answer->report.version, sizeof(answer->report.version),
		  version && *version ? version : "?");
	if (protocol >= HOST_PROTOCOL)
		return false;
	if (answer->state == HOST_ANSWER_GOING)
		return true;
	answer->state = HOST_ANSWER_FINAL;
	answer->result = HOST_NO_HELPER;
	pm_text_format(answer->text, sizeof(answer->text),
		       HOST_PROGRAM " %s there is too old (it speaks protocol %lld, this agent needs %d): "
				    "install the agent's version",
		       answer->report.version, (long long)(protocol < 0 ? 0 : protocol), HOST_PROTOCOL);
	return true;
}

static void read_root(struct host_answer *answer, const json_t *root)
{
	const char *verb = json_string_value(json_object_get(root, "verb"));
	const char *name = json_string_value(json_object_get(root, "result"));
	const char *text = json_string_value(json_object_get(root, "text"));

	text = text ? text : "";
	if (is_too_old(answer, root))
		return;
	if (!name)
		is_nonsense(answer, "it gives no result");
	else if (strcmp(name, "usage") == 0)
		read_usage(answer, text);
	else if (!verb || strcmp(verb, host_verb_name(answer->verb)) != 0)
		is_nonsense(answer, "it answers another question");
	else if (strcmp(name, "going") == 0)
		read_going(answer, text);
	else
		read_result(answer, name, text, root);
}

void host_answer_line(struct host_answer *answer, const char *line, size_t length)
{
	json_error_t error;
	json_t *root;

	while (length && isspace((unsigned char)*line)) {
		line++;
		length--;
	}
	while (length && isspace((unsigned char)line[length - 1]))
		length--;
	if (!length || answer->state == HOST_ANSWER_FINAL)
		return;
	/* Shells greet: what is not meant to be an answer is not taken for one. */
	root = *line == '{' ? json_loadb(line, length, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (root)
		read_root(answer, root);
	else
		keep_excerpt(answer, line, length);
	json_decref(root);
}
