/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What can be ordered of a BMC: the verbs of the control line `bmc RANGE VERB ...`. README.md tells all of them.
 */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "tests/sim/farm.h"

/* ---- values ---- */

enum value_type {
	PERCENT,      /* uint8_t */
	MILLISECONDS, /* uint32_t, in ms */
	MICROSECONDS, /* uint32_t, in µs; told in ms */
	NUMBER,       /* uint32_t */
	OCTET,        /* uint8_t */
	SWITCH,       /* bool */
	BIT           /* of a uint8_t */
};

struct setting {
	const char *name;
	enum value_type type;
	size_t offset; /* in struct sim_bmc */
	uint8_t bit;
};

static int parse_number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	return !isdigit((unsigned char)*text) || *end || errno || *value > max ? -1 : 0;
}

static int parse_switch(const char *text, bool *value)
{
	*value = strcmp(text, "on") == 0 || strcmp(text, "yes") == 0;
	return *value || strcmp(text, "off") == 0 || strcmp(text, "no") == 0 ? 0 : -1;
}

static unsigned long greatest(enum value_type type)
{
	switch (type) {
	case PERCENT:
		return 100;
	case OCTET:
		return 0xff;
	case MICROSECONDS:
		return 1000000;
	default:
		return INT32_MAX - 1;
	}
}

static void store(const struct setting *s, struct sim_bmc *bmc, unsigned long value)
{
	char *at = (char *)bmc + s->offset;

	if (s->type == SWITCH)
		*(bool *)at = value;
	else if (s->type == PERCENT || s->type == OCTET)
		*(uint8_t *)at = (uint8_t)value;
	else if (s->type == BIT)
		*(uint8_t *)at = (uint8_t)(value ? *(uint8_t *)at | s->bit : *(uint8_t *)at & ~s->bit);
	else
		*(uint32_t *)(void *)at = (uint32_t)(s->type == MICROSECONDS ? value * 1000 : value);
}

/* bmc NULL: only whether the value is right. */
static int apply(struct farm_order *order, const struct setting *s, const char *text, struct sim_bmc *bmc)
{
	unsigned long value;
	bool on;

	if (s->type == SWITCH || s->type == BIT) {
		if (parse_switch(text, &on) < 0)
			return FARM_FAIL(order, "%s is on or off, not %s", s->name, text);
		value = on;
	} else if (s->type == MILLISECONDS && strcmp(text, "never") == 0) {
		value = SIM_NEVER_MS;
	} else if (parse_number(text, greatest(s->type), &value) < 0) {
		return FARM_FAIL(order, "%s is a number from 0 to %lu, not %s", s->name, greatest(s->type),
				 text);
	}
	if (bmc)
		store(s, bmc, value);
	return 0;
}

#define AT(field) offsetof(struct sim_bmc, field)

static const struct setting fault_settings[] = {
    {"loss-in", PERCENT, AT(faults.loss_in), 0},
    {"loss-out", PERCENT, AT(faults.loss_out), 0},
    {"duplicate", PERCENT, AT(faults.duplicate), 0},
    {"reorder", PERCENT, AT(faults.reorder), 0},
    {"garbage", PERCENT, AT(faults.garbage), 0},
    {"truncate", PERCENT, AT(faults.truncate), 0},
    {"flip", PERCENT, AT(faults.flip), 0},
    {"wrong-integrity", PERCENT, AT(faults.wrong_integrity), 0},
    {"wrong-session", PERCENT, AT(faults.wrong_session), 0},
    {"wrong-sequence", PERCENT, AT(faults.wrong_sequence), 0},
    {"instead", SWITCH, AT(faults.instead), 0},
    {"delay", MICROSECONDS, AT(faults.delay_us), 0},
    {"jitter", MICROSECONDS, AT(faults.jitter_us), 0},
    {NULL, SWITCH, 0, 0},
};

static const struct setting set_settings[] = {
    {"on-time", MILLISECONDS, AT(chassis.on_ms), 0},
    {"soft-time", MILLISECONDS, AT(chassis.soft_ms), 0},
    {"cycle-time", MILLISECONDS, AT(chassis.cycle_ms), 0},
    {"poh-unit", OCTET, AT(chassis.poh_unit_min), 0},
    {"overload", BIT, AT(chassis.faults), 0x02},
    {"interlock", BIT, AT(chassis.faults), 0x04},
    {"power-fault", BIT, AT(chassis.faults), 0x08},
    {"control-fault", BIT, AT(chassis.faults), 0x10},
    {"intrusion", BIT, AT(chassis.misc), 0x01},
    {"lockout", BIT, AT(chassis.misc), 0x02},
    {"drive-fault", BIT, AT(chassis.misc), 0x04},
    {"cooling-fault", BIT, AT(chassis.misc), 0x08},
    {"last-event", OCTET, AT(chassis.last_event), 0},
    {"dedup", SWITCH, AT(quirks.dedup), 0},
    {"open-status", OCTET, AT(quirks.open_status), 0},
    {"rakp2-status", OCTET, AT(quirks.rakp2_status), 0},
    {"rakp4-status", OCTET, AT(quirks.rakp4_status), 0},
    {"short-data", SWITCH, AT(quirks.short_data), 0},
    {"bad-checksum", SWITCH, AT(quirks.bad_checksum), 0},
    {"no-ipmi-2", SWITCH, AT(quirks.no_ipmi_2), 0},
    {NULL, SWITCH, 0, 0},
};

static const struct setting dead = {"dead", SWITCH, AT(quirks.dead), 0};
static const struct setting full = {"full", SWITCH, AT(quirks.full), 0};

static void list_names(const struct setting *settings, char *text, size_t size)
{
	size_t used = 0;

	for (; settings->name && used < size; settings++)
		used += (size_t)snprintf(text + used, size - used, " %s", settings->name);
}

/* NAME=VALUE of a table */
static int apply_named(struct farm_order *order, const struct setting *settings, char *word,
		       struct sim_bmc *bmc)
{
	size_t length = strcspn(word, "=");
	char names[FARM_TEXT_MAX - 32];

	for (const struct setting *s = settings; s->name && word[length]; s++)
		if (strlen(s->name) == length && strncmp(s->name, word, length) == 0)
			return apply(order, s, word + length + 1, bmc);
	list_names(settings, names, sizeof(names));
	return FARM_FAIL(order, "not %s but NAME=VALUE of%s", word, names);
}

/* ---- verbs of `bmc RANGE`: with bmc NULL they only check ---- */

static const char *word(const struct farm_order *order, unsigned i)
{
	return i < order->count ? order->words[i] : "";
}

enum { ARGUMENTS = 3 }; /* bmc RANGE VERB */

static int verb_dead(struct farm_order *order, struct sim_bmc *bmc)
{
	return apply(order, &dead, word(order, ARGUMENTS), bmc);
}

static int verb_full(struct farm_order *order, struct sim_bmc *bmc)
{
	return apply(order, &full, word(order, ARGUMENTS), bmc);
}

static int verb_silent_suite(struct farm_order *order, struct sim_bmc *bmc)
{
	const char *text = word(order, ARGUMENTS);
	unsigned long suite = 0xff;

	if (strcmp(text, "none") != 0 && (parse_number(text, 17, &suite) < 0 || !sim_suite((unsigned)suite)))
		return FARM_FAIL(order, "silent-suite is none or the ID of a cipher suite, not %s", text);
	if (bmc)
		bmc->quirks.silent_suite = (uint8_t)suite;
	return 0;
}

static int verb_power(struct farm_order *order, struct sim_bmc *bmc)
{
	bool on;

	if (parse_switch(word(order, ARGUMENTS), &on) < 0)
		return FARM_FAIL(order, "power is on or off, not %s", word(order, ARGUMENTS));
	if (bmc)
		sim_bmc_button(bmc, farm_now_us(), on);
	return 0;
}

static int verb_fault(struct farm_order *order, struct sim_bmc *bmc)
{
	if (order->count == ARGUMENTS)
		return FARM_FAIL(order, "fault none, or NAME=VALUE and more of them");
	if (strcmp(word(order, ARGUMENTS), "none") == 0) {
		if (bmc)
			bmc->faults = (struct sim_faults){.loss_in = 0};
		return 0;
	}
	for (unsigned i = ARGUMENTS; i < order->count; i++) {
		char *text = order->words[i];

		if (strncmp(text, "loss=", 5) == 0) {
			if (apply(order, &fault_settings[0], text + 5, bmc) < 0 ||
			    apply(order, &fault_settings[1], text + 5, bmc) < 0)
				return -1;
		} else if (apply_named(order, fault_settings, text, bmc) < 0) {
			return -1;
		}
	}
	return 0;
}

/* What is more than a field: the watts and hours are counted on from now. */
static int set_counted(struct farm_order *order, const char *text, struct sim_bmc *bmc)
{
	const char *value = strchr(text, '=') ? strchr(text, '=') + 1 : "";
	unsigned long number;

	if (parse_number(value, UINT16_MAX, &number) < 0)
		return FARM_FAIL(order, "%s: a number from 0 to 65535 is wanted", text);
	if (!bmc)
		return 0;
	if (strncmp(text, "watts=", 6) == 0)
		sim_bmc_watts(bmc, farm_now_us(), (uint32_t)number, bmc->chassis.watts_off);
	else if (strncmp(text, "watts-off=", 10) == 0)
		sim_bmc_watts(bmc, farm_now_us(), bmc->chassis.watts_on, (uint32_t)number);
	else
		sim_bmc_poh(bmc, farm_now_us(), (uint32_t)number);
	return 0;
}

static int set_policy(struct farm_order *order, const char *text, struct sim_bmc *bmc)
{
	static const char *const names[] = {"always-off", "previous", "always-on"};

	for (uint8_t i = 0; i < 3; i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		if (bmc)
			bmc->chassis.policy = i;
		return 0;
	}
	return FARM_FAIL(order, "policy is always-off, previous or always-on, not %s", text);
}

static int verb_set(struct farm_order *order, struct sim_bmc *bmc)
{
	int result = 0;

	if (order->count == ARGUMENTS)
		return FARM_FAIL(order, "set NAME=VALUE and more of them");
	for (unsigned i = ARGUMENTS; i < order->count && result == 0; i++) {
		char *text = order->words[i];

		if (strncmp(text, "watts=", 6) == 0 || strncmp(text, "watts-off=", 10) == 0 ||
		    strncmp(text, "poh=", 4) == 0)
			result = set_counted(order, text, bmc);
		else if (strncmp(text, "policy=", 7) == 0)
			result = set_policy(order, text + 7, bmc);
		else
			result = apply_named(order, set_settings, text, bmc);
	}
	return result;
}

/* COMMAND=0xNN, or COMMAND=silence */
static int parse_code(struct farm_order *order, char *text, struct sim_code *code)
{
	char *equals = strchr(text, '=');
	unsigned long value = 0;
	int command;

	code->silent = equals && strcmp(equals + 1, "silence") == 0;
	if (!equals || (!code->silent && parse_number(equals + 1, 0xff, &value) < 0))
		return FARM_FAIL(
		    order, "code none, or COMMAND=0xNN or COMMAND=silence [done=yes|no] [times=N], not %s",
		    text);
	*equals = '\0';
	command = strcmp(text, "all") == 0 ? SIM_COMMANDS_MAX : sim_command_find(text);
	*equals = '=';
	if (command < 0)
		return FARM_FAIL(order, "there is no command %s; `commands` lists them", text);
	code->command = (uint8_t)command;
	code->code = (uint8_t)value;
	return 0;
}

static int add_code(struct farm_order *order, struct sim_bmc *bmc, const struct sim_code *code)
{
	for (unsigned i = 0; i < bmc->code_count; i++) {
		if (bmc->codes[i].command == code->command) {
			bmc->codes[i] = *code;
			return 0;
		}
	}
	if (bmc->code_count == SIM_CODES_MAX)
		return FARM_FAIL(order, "a BMC takes %d codes at once; `code none` forgets them",
				 SIM_CODES_MAX);
	bmc->codes[bmc->code_count++] = *code;
	return 0;
}

static int verb_code(struct farm_order *order, struct sim_bmc *bmc)
{
	struct sim_code code = {.done = false};
	unsigned long times;

	if (strcmp(word(order, ARGUMENTS), "none") == 0) {
		if (bmc)
			bmc->code_count = 0;
		return 0;
	}
	if (order->count == ARGUMENTS)
		return FARM_FAIL(order, "code none, or COMMAND=0xNN [done=yes|no] [times=N]");
	if (parse_code(order, order->words[ARGUMENTS], &code) < 0)
		return -1;
	for (unsigned i = ARGUMENTS + 1; i < order->count; i++) {
		const char *text = order->words[i];

		if (strncmp(text, "times=", 6) == 0 && parse_number(text + 6, UINT16_MAX, &times) == 0)
			code.times = (uint16_t)times;
		else if (strncmp(text, "done=", 5) != 0 || parse_switch(text + 5, &code.done) < 0)
			return FARM_FAIL(order, "done=yes, done=no or times=N, not %s", text);
	}
	return bmc ? add_code(order, bmc, &code) : 0;
}

static int verb_busy(struct farm_order *order, struct sim_bmc *bmc)
{
	unsigned long times;

	if (parse_number(word(order, ARGUMENTS), UINT16_MAX, &times) < 0)
		return FARM_FAIL(order, "busy wants how many commands are answered so: 0 to 65535");
	if (bmc)
		bmc->busy = (unsigned)times;
	return 0;
}

static int silence(struct farm_order *order, struct sim_bmc *bmc,
		   void (*event)(struct sim_bmc *bmc, int64_t now_us, int64_t silent_us))
{
	unsigned long silent_ms = 0;

	if (order->count > ARGUMENTS && parse_number(order->words[ARGUMENTS], INT32_MAX, &silent_ms) < 0)
		return FARM_FAIL(order, "%s wants for how many ms nothing is answered, not %s",
				 order->words[2], order->words[ARGUMENTS]);
	if (bmc)
		event(bmc, farm_now_us(), (int64_t)silent_ms * 1000);
	return 0;
}

static int verb_reboot(struct farm_order *order, struct sim_bmc *bmc)
{
	return silence(order, bmc, sim_bmc_reboot);
}

static int verb_ac_loss(struct farm_order *order, struct sim_bmc *bmc)
{
	return silence(order, bmc, sim_bmc_ac_loss);
}

static int verb_expire(struct farm_order *order, struct sim_bmc *bmc)
{
	(void)order;
	if (bmc)
		sim_bmc_expire(bmc, farm_now_us());
	return 0;
}

static int verb_stat(struct farm_order *order, struct sim_bmc *bmc)
{
	if (bmc)
		farm_print_stat(order->farm, bmc->number - 1, order->out);
	return 0;
}

const struct farm_verb farm_verbs[] = {
    {"power", verb_power, "on|off: by the front panel"},
    {"dead", verb_dead, "on|off: nothing is answered"},
    {"full", verb_full, "on|off: no session slot is free"},
    {"silent-suite", verb_silent_suite, "ID|none: nothing of this cipher suite is answered"},
    {"busy", verb_busy, "N: so many commands are answered with 0xC0"},
    {"code", verb_code, "none | COMMAND=0xNN|silence [done=yes|no] [times=N]: COMMAND of `commands`, or all"},
    {"fault", verb_fault, "none | loss=% and other chances in %, instead=, delay=MS, jitter=MS"},
    {"set", verb_set, "NAME=VALUE...: on-time=MS, soft-time=MS|never, watts=N, dedup=yes|no, and more"},
    {"reboot", verb_reboot, "[MS]: sessions are forgotten, silence for so long"},
    {"ac-loss", verb_ac_loss, "[MS]: the same with the machine; then the restore policy"},
    {"expire", verb_expire, ": all sessions end"},
    {"stat", verb_stat, ": a line for each"},
    {NULL, NULL, NULL},
};
