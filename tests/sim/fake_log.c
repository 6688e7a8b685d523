/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log of the fake hypervisors: what was asked, and what happened. */
#include "tests/sim/fake_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct fake_entry *entries;
static size_t length, room;

void (*fake_log_listener)(const struct fake_entry *entry);

static void add(struct fake_entry entry, const struct fake_hv *hv, const struct fake_vm *vm)
{
	if (length == room) {
		room = room ? 2 * room : 256;
		entries = realloc(entries, room * sizeof(*entries));
		if (!entries)
			abort();
	}
	entry.us = uv_hrtime() / 1000;
	entry.state = vm ? vm->is.state : 0;
	entry.carries = vm ? fake_vm_carries(vm) : 0;
	snprintf(entry.vm, sizeof(entry.vm), "%s", vm ? vm->is.name : "");
	snprintf(entry.hv, sizeof(entry.hv), "%s", hv->uri);
	entries[length++] = entry;
	if (fake_log_listener)
		fake_log_listener(&entry);
}

void fake_log(enum fake_what what, const struct fake_hv *hv, const struct fake_vm *vm,
	      enum stack_command command, enum stack_result result)
{
	add((struct fake_entry){.what = what, .command = command, .result = result}, hv, vm);
}

void fake_log_asked(const struct fake_hv *hv, const struct fake_vm *vm, enum stack_command command,
		    bool agent)
{
	add((struct fake_entry){.what = FAKE_ASKED, .command = command, .agent = agent}, hv, vm);
}

size_t fake_log_length(void)
{
	return length;
}

const struct fake_entry *fake_log_at(size_t place)
{
	return place < length ? &entries[place] : NULL;
}

static bool matches(const struct fake_entry *entry, enum fake_what what, const char *vm,
		    unsigned command_or_state)
{
	unsigned has = what == FAKE_IS ? (unsigned)entry->state : (unsigned)entry->command;

	return entry->what == what && (!vm || strcmp(entry->vm, vm) == 0) &&
	       (!command_or_state || has == command_or_state);
}

size_t fake_log_find(size_t from, enum fake_what what, const char *vm, unsigned command_or_state)
{
	for (size_t i = from; i < length; i++)
		if (matches(&entries[i], what, vm, command_or_state))
			return i;
	return SIZE_MAX;
}

unsigned fake_log_count(enum fake_what what, const char *vm, unsigned command_or_state)
{
	unsigned count = 0;

	for (size_t i = 0; i < length; i++)
		count += matches(&entries[i], what, vm, command_or_state);
	return count;
}

void fake_log_clear(void)
{
	length = 0;
}

void fake_log_write(const struct fake_entry *entry, FILE *to)
{
	static const char *const whats[] = {"",       "asked", "answered", "is",  "rebooted",
					    "killed", "gone",  "up",       "down"};
	static const char *const commands[] = {"-",      "start", "resume", "wakeup", "shutdown",   "destroy",
					       "reboot", "reset", "pause",  "save",   "pm-suspend", "look"};

	fprintf(to, "%" PRIu64 " %s %s %s %s result=%d state=%d carries=%u\n", entry->us, whats[entry->what],
		entry->hv, entry->vm[0] ? entry->vm : "-", commands[entry->command], (int)entry->result,
		(int)entry->state, entry->carries);
}

void fake_log_dump(FILE *to)
{
	for (size_t i = 0; i < length; i++)
		fake_log_write(&entries[i], to);
}

void fake_log_free(void)
{
	free(entries);
	entries = NULL;
	length = room = 0;
}
