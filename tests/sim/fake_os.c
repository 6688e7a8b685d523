/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fake operating systems themselves: what they are, and what becomes of them. */
#include "tests/sim/fake_os_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct fake_os *first;
static unsigned os_number;
static struct fake_os_entry *entries;
static size_t length, room;

uint64_t fake_os_now_ms(void)
{
	return uv_hrtime() / 1000000;
}

void *fake_os_allocate(size_t size)
{
	void *got = calloc(1, size);

	if (!got)
		abort();
	return got;
}

/* --- the log ---------------------------------------------------------------------------------- */

void fake_os_log(const struct fake_os *os, struct fake_os_entry entry, uint64_t at_ms)
{
	if (length == room) {
		room = room ? 2 * room : 256;
		entries = realloc(entries, room * sizeof(*entries));
		if (!entries)
			abort();
	}
	entry.ms = at_ms;
	entry.power = os->power;
	snprintf(entry.address, sizeof(entry.address), "%s", os->address);
	entries[length++] = entry;
}

size_t fake_os_log_length(void)
{
	return length;
}

const struct fake_os_entry *fake_os_log_at(size_t place)
{
	return place < length ? &entries[place] : NULL;
}

size_t fake_os_log_find(size_t from, enum fake_os_what what, const char *address, unsigned verb_or_power)
{
	for (size_t i = from; i < length; i++) {
		const struct fake_os_entry *entry = &entries[i];
		unsigned has = what == FAKE_OS_IS ? (unsigned)entry->power : (unsigned)entry->verb;

		if (entry->what == what && (!address || strcmp(entry->address, address) == 0) &&
		    (!verb_or_power || has == verb_or_power))
			return i;
	}
	return SIZE_MAX;
}

const char *fake_os_verb_name(enum host_verb verb)
{
	static const char *const names[] = {"",        "report",    "poweroff", "reboot",
					    "suspend", "hibernate", "init",     "arm-wol"};

	return names[verb];
}

void fake_os_log_dump(FILE *to)
{
	static const char *const whats[] = {"", "asked", "answered", "did", "is"};
	static const char *const powers[] = {"", "on", "going", "booting", "off", "suspended", "hibernated"};

	for (size_t i = 0; i < length; i++) {
		const struct fake_os_entry *entry = &entries[i];

		fprintf(to, "%10" PRIu64 " %-16s %-10s %-8s %-10s result %d\n", entry->ms, entry->address,
			powers[entry->power], whats[entry->what], fake_os_verb_name(entry->verb),
			(int)entry->result);
	}
}

/* --- the world -------------------------------------------------------------------------------- */

static void new_boot(struct fake_os *os)
{
	os->boots++;
	snprintf(os->boot_id, sizeof(os->boot_id), "00000000-0000-4000-8000-0000%04x%04x",
		 os->number & 0xffff, os->boots & 0xffff);
}

struct fake_os *fake_os_new(const char *address)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0};
	struct fake_os *os = fake_os_allocate(sizeof(*os));

	os->address = strdup(address);
	if (!os->address)
		abort();
	os->deaf_ms = FAKE_OS_NEVER;
	os->power = FAKE_OS_ON;
	os->number = ++os_number;
	os->booted_ms = fake_os_now_ms();
	new_boot(os);
	fake_os_add_port(os, "eth0", mac, HOST_WOL_DISARMED);
	os->next = first;
	first = os;
	return os;
}

struct fake_os *fake_os_find(const char *address)
{
	struct fake_os *os = first;

	while (os && strcmp(os->address, address) != 0)
		os = os->next;
	return os;
}

struct host_port *fake_os_add_port(struct fake_os *os, const char *name, const uint8_t mac[6],
				   enum host_wol wol)
{
	struct host_port *port = &os->ports[os->port_count++];

	*port = (struct host_port){.wol = wol};
	snprintf(port->name, sizeof(port->name), "%s", name);
	memcpy(port->mac, mac, 6);
	memcpy(port->permanent_mac, mac, 6);
	return port;
}

void fake_os_free_all(void)
{
	if (fake_host_clients())
		abort();
	while (first) {
		struct fake_os *os = first;

		first = os->next;
		free(os->address);
		free(os);
	}
	free(entries);
	entries = NULL;
	length = room = os_number = 0;
	fake_host_reset();
}

/* --- what becomes of them ----------------------------------------------------------------------- */

static void becomes(struct fake_os *os, enum fake_os_power power, uint64_t at_ms)
{
	if (os->power == FAKE_OS_BOOTING && power == FAKE_OS_ON)
		os->booted_ms = at_ms;
	os->power = power;
	os->due_ms = 0;
	fake_os_log(os, (struct fake_os_entry){.what = FAKE_OS_IS}, at_ms);
}

static void boots(struct fake_os *os, uint64_t at_ms)
{
	os->becomes = FAKE_OS_ON;
	becomes(os, FAKE_OS_BOOTING, at_ms);
	os->due_ms = os->boot_ms == FAKE_OS_NEVER ? UINT64_MAX : at_ms + os->boot_ms;
}

static void goes_down(struct fake_os *os, enum fake_os_power to, uint64_t at_ms)
{
	if (os->power != FAKE_OS_ON)
		return;
	os->becomes = to;
	becomes(os, FAKE_OS_GOING, at_ms);
	os->agreed_ms = at_ms;
	os->due_ms = os->down_ms == FAKE_OS_NEVER ? UINT64_MAX : at_ms + os->down_ms;
}

static void arrive(struct fake_os *os, uint64_t at_ms)
{
	if (os->power == FAKE_OS_BOOTING || os->becomes != FAKE_OS_BOOTING) {
		becomes(os, os->becomes, at_ms);
		return;
	}
	new_boot(os); /* it was going down to come back */
	boots(os, at_ms);
}

void fake_os_settle(struct fake_os *os)
{
	uint64_t now_ms = fake_os_now_ms();

	if (os->left_verb && os->left_ms <= now_ms) {
		enum host_verb verb = os->left_verb;

		os->left_verb = 0;
		fake_os_execute(os, verb, os->left_level, os->left_ms);
	}
	while (os->due_ms && os->due_ms <= now_ms)
		arrive(os, os->due_ms);
}

static enum fake_os_power target(enum host_verb verb, unsigned init_level)
{
	switch (verb) {
	case HOST_POWEROFF:
		return FAKE_OS_OFF;
	case HOST_REBOOT:
		return FAKE_OS_BOOTING;
	case HOST_SUSPEND:
		return FAKE_OS_SUSPENDED;
	case HOST_HIBERNATE:
		return FAKE_OS_HIBERNATED;
	case HOST_INIT:
		return init_level == 0 ? FAKE_OS_OFF : init_level == 6 ? FAKE_OS_BOOTING : FAKE_OS_ON;
	default:
		return FAKE_OS_ON;
	}
}

void fake_os_execute(struct fake_os *os, enum host_verb verb, unsigned init_level, uint64_t at_ms)
{
	enum fake_os_power to = target(verb, init_level);

	if (os->power != FAKE_OS_ON && os->power != FAKE_OS_GOING)
		return;
	os->done[verb]++;
	fake_os_log(os, (struct fake_os_entry){.what = FAKE_OS_DID, .verb = verb, .init_level = init_level},
		    at_ms);
	if (verb == HOST_INIT)
		os->init_level = init_level;
	if (to != FAKE_OS_ON)
		goes_down(os, to, at_ms);
}

/* --- what is, and what happens ------------------------------------------------------------------ */

enum fake_os_power fake_os_is(struct fake_os *os)
{
	fake_os_settle(os);
	return os->power;
}

bool fake_os_has_power(struct fake_os *os)
{
	enum fake_os_power power = fake_os_is(os);

	return power == FAKE_OS_ON || power == FAKE_OS_GOING || power == FAKE_OS_BOOTING;
}

bool fake_os_pings(struct fake_os *os)
{
	enum fake_os_power power = fake_os_is(os);

	return !os->cut && (power == FAKE_OS_ON || power == FAKE_OS_GOING);
}

bool fake_os_hears(struct fake_os *os)
{
	bool deaf = fake_os_is(os) == FAKE_OS_GOING && os->deaf_ms != FAKE_OS_NEVER &&
		    fake_os_now_ms() >= os->agreed_ms + os->deaf_ms;

	return fake_os_pings(os) && !os->no_helper_port && !deaf;
}

static bool sleeps(const struct fake_os *os)
{
	return os->power == FAKE_OS_SUSPENDED || os->power == FAKE_OS_HIBERNATED;
}

void fake_os_set_power(struct fake_os *os, bool on)
{
	bool has_power = fake_os_has_power(os), slept = sleeps(os);
	uint64_t now_ms = fake_os_now_ms();

	if (on == has_power)
		return;
	os->left_verb = 0;
	if (!on) {
		becomes(os, FAKE_OS_OFF, now_ms);
		return;
	}
	if (!slept)
		new_boot(os);
	boots(os, now_ms);
	fake_os_settle(os);
}

bool fake_os_hears_magic_packet(struct fake_os *os, const uint8_t mac[6])
{
	bool armed = false;

	for (size_t i = 0; i < os->port_count; i++)
		armed |= os->ports[i].wol == HOST_WOL_ARMED && memcmp(os->ports[i].mac, mac, 6) == 0;
	if (!armed || os->bmc_wakes_only || fake_os_has_power(os))
		return false;
	fake_os_set_power(os, true);
	return true;
}

void fake_os_does(struct fake_os *os, enum host_verb verb, unsigned init_level)
{
	fake_os_settle(os);
	fake_os_execute(os, verb, init_level, fake_os_now_ms());
	fake_os_settle(os);
}

void fake_os_cut(struct fake_os *os, bool cut)
{
	fake_os_settle(os);
	os->cut = cut;
}
