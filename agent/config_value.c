/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of configuration keys: numbers, durations, words, addresses. */
#include "agent/config_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CHOICES_MAX 24
#define MISSES_MAX  100
#define DAY_MS      86400000

static const struct {
	const char *name;
	uint64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static const struct config_value *get_value(const struct config_node *node, const char *name)
{
	const struct config_key *key = config_key(node, name);

	return key->count > 0 ? &key->values[0] : NULL;
}

const char *config_get_text(const struct config_node *node, const char *name, const char *fallback)
{
	const struct config_value *value = get_value(node, name);

	return value ? value->text : fallback;
}

int config_line(const struct config_node *node, const char *name)
{
	const struct config_key *key = config_key(node, name);

	return key->count > 0 ? key->values[0].line : key->line > 0 ? key->line : node->line;
}

bool config_parse_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t number = 0;

	if (!*text)
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (digit > max || number > (max - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*value = number;
	return *text == '\0';
}

void config_get_number(struct config_report *report, const struct config_node *node, const char *name,
		       uint32_t min, uint32_t max, uint32_t *out)
{
	const struct config_value *value = get_value(node, name);
	uint64_t number;

	if (!value)
		return;
	if (config_parse_number(value->text, max, &number) && number >= min)
		*out = (uint32_t)number;
	else
		config_error(report, node->file, value->line,
			     "%s = %.64s: a whole number from %" PRIu32 " to %" PRIu32 " is expected", name,
			     value->text, min, max);
}

void config_get_port(struct config_report *report, const struct config_node *node, uint16_t *out)
{
	uint32_t port = *out;

	config_get_number(report, node, "port", 1, UINT16_MAX, &port);
	*out = (uint16_t)port;
}

void config_get_misses(struct config_report *report, const struct config_node *node, unsigned *out)
{
	config_get_number(report, node, "misses", 1, MISSES_MAX, out);
}

/* Writes a duration with the largest unit in which it is whole. */
static const char *format_duration(uint64_t ms, char *text, size_t size)
{
	size_t unit = UNIT_COUNT - 1;

	while (unit > 0 && (ms == 0 || ms % units[unit].ms))
		unit--;
	snprintf(text, size, "%" PRIu64 "%s", ms / units[unit].ms, units[unit].name);
	return text;
}

/* Parses a duration up to max_ms; larger ones come out as max_ms + 1. False when it is none. */
static bool parse_duration(const char *text, uint64_t max_ms, uint64_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	if (digits == 0)
		return false;
	for (size_t i = 0; i < digits && number <= max_ms; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	for (size_t unit = 0; unit < UNIT_COUNT; unit++) {
		if (strcmp(text + digits, units[unit].name) == 0) {
			*ms = number > max_ms / units[unit].ms ? max_ms + 1 : number * units[unit].ms;
			return true;
		}
	}
	return false;
}

static void get_duration(struct config_report *report, const struct config_node *node, const char *name,
			 unsigned unit_ms, uint64_t min_ms, uint64_t max_ms, unsigned *out)
{
	const struct config_value *value = get_value(node, name);
	char least[32], most[32];
	uint64_t ms;

	if (!value)
		return;
	if (config_parse_number(value->text, UINT64_MAX, &ms))
		config_error(report, node->file, value->line,
			     "%s = %.64s has no unit: write %.20ss, or with another unit of ms s m h d", name,
			     value->text, value->text);
	else if (!parse_duration(value->text, max_ms, &ms))
		config_error(
		    report, node->file, value->line,
		    "%s = %.64s: a duration is a whole number and a unit, one of ms s m h d, such as 500ms or 10m",
		    name, value->text);
	else if (ms < min_ms || ms > max_ms)
		config_error(report, node->file, value->line,
			     "%s = %.64s: a duration from %s to %s is expected", name, value->text,
			     format_duration(min_ms, least, sizeof(least)),
			     format_duration(max_ms, most, sizeof(most)));
	else if (ms % unit_ms)
		config_error(report, node->file, value->line, "%s = %.64s: whole seconds are expected", name,
			     value->text);
	else
		*out = (unsigned)(ms / unit_ms);
}

void config_get_ms(struct config_report *report, const struct config_node *node, const char *name,
		   unsigned min, unsigned max, unsigned *out)
{
	get_duration(report, node, name, 1, min, max, out);
}

void config_get_power_interval(struct config_report *report, const struct config_node *node, unsigned *out)
{
	const struct config_value *value = get_value(node, "power-interval");
	uint64_t ms = 1;

	if (value && (strcmp(value->text, "0") == 0 || (parse_duration(value->text, DAY_MS, &ms) && ms == 0)))
		*out = 0;
	else
		config_get_ms(report, node, "power-interval", 1000, DAY_MS, out);
}

void config_get_s(struct config_report *report, const struct config_node *node, const char *name,
		  unsigned min, unsigned max, unsigned *out)
{
	get_duration(report, node, name, 1000, (uint64_t)min * 1000, (uint64_t)max * 1000, out);
}

static const struct config_choice booleans[] = {{"true", 1}, {"false", 0}, {"yes", 1},
						{"no", 0},   {"on", 1},    {"off", 0}};

void config_get_bool(struct config_report *report, const struct config_node *node, const char *name,
		     bool *out)
{
	*out = config_get_choice(report, node, name, booleans, sizeof(booleans) / sizeof(booleans[0]),
				 *out) != 0;
}

int config_choose(struct config_report *report, const char *file, const char *name,
		  const struct config_value *value, const struct config_choice *choices, size_t count)
{
	const char *names[CHOICES_MAX], *similar;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(choices[i].name, value->text) == 0)
			return choices[i].value;
		names[i] = choices[i].name;
	}
	similar = config_similar(value->text, names, count);
	if (similar)
		config_error(report, file, value->line,
			     "%s = \"%.64s\": did you mean \"%s\"? Allowed are: %s", name, value->text,
			     similar, config_join(report, names, count));
	else
		config_error(report, file, value->line, "%s = \"%.64s\" is not known; allowed are: %s", name,
			     value->text, config_join(report, names, count));
	return -1;
}

int config_get_choice(struct config_report *report, const struct config_node *node, const char *name,
		      const struct config_choice *choices, size_t count, int fallback)
{
	const struct config_value *value = get_value(node, name);
	int chosen = value ? config_choose(report, node->file, name, value, choices, count) : fallback;

	return chosen < 0 ? fallback : chosen;
}

bool config_is_interface(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length >= IF_NAMESIZE || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (; *text; text++) {
		if (!isgraph((unsigned char)*text) || strchr("/:", *text))
			return false;
	}
	return true;
}

bool config_is_uuid(const char *text)
{
	if (strlen(text) != 36)
		return false;
	for (size_t i = 0; i < 36; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

bool config_is_name(const char *text, size_t max)
{
	size_t length = strlen(text);

	if (length == 0 || length > max)
		return false;
	for (; *text; text++) {
		if (!isascii(*text) || !isgraph((unsigned char)*text) || strchr("/[]\"'\\", *text))
			return false;
	}
	return true;
}

bool config_parse_mac(const char *text, uint8_t mac[6])
{
	char separator = strlen(text) == 17 && text[2] == '-' ? '-' : ':';

	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		unsigned octet;

		if (!isxdigit((unsigned char)text[3 * i]) || !isxdigit((unsigned char)text[3 * i + 1]) ||
		    (i < 5 && text[3 * i + 2] != separator) || sscanf(text + 3 * i, "%2x", &octet) != 1)
			return false;
		mac[i] = (uint8_t)octet;
	}
	return true;
}

const char *config_mac_problem(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	if (memcmp(mac, zero, sizeof(zero)) == 0)
		return "is all zero";
	if (mac[0] & 1)
		return "is a group address (multicast or broadcast)";
	return NULL;
}
