/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside of the configuration reader: the values of keys, checked. Each config_get_*() leaves *out alone when
 * the key is not given, and reports what is wrong with it and what would be right. lists and ranges: see
 * config_build.h.
 */
#ifndef PM_CONFIG_VALUE_H
#define PM_CONFIG_VALUE_H

#include "agent/config_tree.h"

#include <stdint.h>

/* One allowed word of an enumeration. */
struct config_choice {
	const char *name;
	int value;
};

/* Decimal digits only: no sign, no base prefix, no overflow. */
bool config_parse_number(const char *text, uint64_t max, uint64_t *value);

/* A whole decimal number from min to max. */
void config_get_number(struct config_report *report, const struct config_node *node, const char *name,
		       uint32_t min, uint32_t max, uint32_t *out);

/* power-interval: from 1s to 1d, or 0 for never. */
void config_get_power_interval(struct config_report *report, const struct config_node *node, unsigned *out);

/* misses = 1 to 100. */
void config_get_misses(struct config_report *report, const struct config_node *node, unsigned *out);

void config_get_port(struct config_report *report, const struct config_node *node, uint16_t *out);

/* A duration such as 500ms 30s 10m 1h 30d, in milliseconds or seconds, from min to max of the same unit. */
void config_get_ms(struct config_report *report, const struct config_node *node, const char *name,
		   unsigned min, unsigned max, unsigned *out);
void config_get_s(struct config_report *report, const struct config_node *node, const char *name,
		  unsigned min, unsigned max, unsigned *out);

void config_get_bool(struct config_report *report, const struct config_node *node, const char *name,
		     bool *out);

/* The value of the word among choices, or -1 after reporting what is allowed. */
int config_choose(struct config_report *report, const char *file, const char *name,
		  const struct config_value *value, const struct config_choice *choices, size_t count);

/* As config_choose() for the only value of a key; fallback when the key is not given or wrong. */
int config_get_choice(struct config_report *report, const struct config_node *node, const char *name,
		      const struct config_choice *choices, size_t count, int fallback);

/* The only value of a key as it stands there, or fallback. */
const char *config_get_text(const struct config_node *node, const char *name, const char *fallback);

/* The line of a key, or of the section when it is not given. */
int config_line(const struct config_node *node, const char *name);

/* Syntax. */
bool config_is_interface(const char *text);
bool config_is_uuid(const char *text);             /* RFC 4122, section 3 */
bool config_is_name(const char *text, size_t max); /* printable ASCII without space / [ ] " ' and backslash */
bool config_parse_mac(const char *text, uint8_t mac[6]); /* six octets in hexadecimal with : or - between */

/* What is wrong with a MAC address that is syntactically right, or NULL. */
const char *config_mac_problem(const uint8_t mac[6]);

#endif
