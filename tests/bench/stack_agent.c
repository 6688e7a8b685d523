/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * pmstackd whose hypervisors are fake ones (tests/sim/fake_hypervisor.h), as a file describes them. Everything else is
 * that of pmstackd.
 *
 *   stack_agent -c FILE -x MASTER -s STATE-DIRECTORY -w WORLD -l LOG
 *
 * WORLD, a line each, times in ms, "never" for FAKE_NEVER:
 *   hv URI VM|- [KEY=NUMBER]...       VM: the one in which it runs, of a line before; keys of struct fake_hv
 *   vm URI NAME on|off [KEY=NUMBER]...   keys of struct fake_vm
 * LOG gets what is asked and what happens: fake_log_write()'s lines, their times since the epoch.
 */
#include "agent/daemon.h"
#include "agent/log.h"
#include "tests/sim/fake_hypervisor.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 1024

struct key {
	const char *name;
	size_t offset; /* of an unsigned */
};

static const struct key hv_keys[] = {
    {"connect_ms", offsetof(struct fake_hv, connect_ms)}, {"retry_ms", offsetof(struct fake_hv, retry_ms)},
    {"boot_ms", offsetof(struct fake_hv, boot_ms)},       {"answer_ms", offsetof(struct fake_hv, answer_ms)},
    {"event_ms", offsetof(struct fake_hv, event_ms)},     {NULL, 0}};

static const struct key vm_keys[] = {{"start_ms", offsetof(struct fake_vm, start_ms)},
				     {"boot_ms", offsetof(struct fake_vm, boot_ms)},
				     {"shutdown_ms", offsetof(struct fake_vm, shutdown_ms)},
				     {"reboot_ms", offsetof(struct fake_vm, reboot_ms)},
				     {"save_ms", offsetof(struct fake_vm, save_ms)},
				     {NULL, 0}};

static FILE *log_file;
static uint64_t epoch_offset_us; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */

/* --- the log ---------------------------------------------------------------------------------- */

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void on_log(const struct fake_entry *entry)
{
	struct fake_entry dated = *entry;

	dated.us += epoch_offset_us;
	fake_log_write(&dated, log_file);
}

/* --- the world -------------------------------------------------------------------------------- */

/* KEY=NUMBER, as often as there is one. Returns what is wrong, or NULL. */
static const char *read_keys(void *object, const struct key *keys, char **rest)
{
	char *word;

	while ((word = strtok_r(NULL, " \n", rest))) {
		char *value = strchr(word, '=');
		const struct key *key = keys;
		unsigned number;

		if (!value)
			return "not KEY=NUMBER";
		*value++ = '\0';
		while (key->name && strcmp(key->name, word) != 0)
			key++;
		if (!key->name)
			return "no such key";
		number = strcmp(value, "never") == 0 ? FAKE_NEVER : (unsigned)strtoul(value, NULL, 10);
		memcpy((char *)object + key->offset, &number, sizeof(number));
	}
	return NULL;
}

static const char *read_hv(char **rest)
{
	const char *uri = strtok_r(NULL, " \n", rest), *in = strtok_r(NULL, " \n", rest);
	struct fake_vm *vm = NULL;

	if (!uri || !in)
		return "not hv URI VM";
	if (strcmp(in, "-") != 0 && !(vm = fake_vm_find(in)))
		return "no such VM before it";
	return read_keys(fake_hv_new(uri, vm), hv_keys, rest);
}

static const char *read_vm(char **rest)
{
	const char *uri = strtok_r(NULL, " \n", rest), *name = strtok_r(NULL, " \n", rest),
		   *state = strtok_r(NULL, " \n", rest);
	struct fake_hv *hv = uri ? fake_hv_find(uri) : NULL;
	bool on = state && strcmp(state, "on") == 0;

	if (!hv || !state || (!on && strcmp(state, "off") != 0))
		return "not vm URI NAME on|off, of a hypervisor before it";
	return read_keys(fake_vm_new(hv, name, on ? PM_VM_RUNNING : PM_VM_SHUTDOWN), vm_keys, rest);
}

static int read_world(const char *path)
{
	char line[LINE_MAX_OCTETS];
	FILE *file = fopen(path, "r");
	const char *problem = file ? NULL : "cannot be opened";
	unsigned number = 0;

	while (!problem && fgets(line, sizeof(line), file)) {
		char *rest = NULL, *what = strtok_r(line, " \n", &rest);

		number++;
		if (what && strcmp(what, "hv") == 0)
			problem = read_hv(&rest);
		else if (what && strcmp(what, "vm") == 0)
			problem = read_vm(&rest);
		else if (what && *what != '#')
			problem = "a line begins with hv or vm";
	}
	if (problem)
		fprintf(stderr, "stack_agent: %s:%u: %s\n", path, number, problem);
	if (file)
		fclose(file);
	return problem ? -1 : 0;
}

/* --- the command line ------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
	struct pm_daemon_options options = {.stack_driver = &fake_hypervisor};
	const char *world = NULL, *log = NULL;
	bool abandoned = false;
	enum pm_exit status;
	int option;

	while ((option = getopt(argc, argv, "c:x:s:w:l:")) != -1) {
		const char **value = option == 'c'   ? &options.config_path
				     : option == 'x' ? &options.master
				     : option == 's' ? &options.state_directory
				     : option == 'w' ? &world
				     : option == 'l' ? &log
						     : NULL;
		if (!value)
			return PM_EXIT_USAGE;
		*value = optarg;
	}
	if (!options.config_path || !world || !log) {
		fprintf(stderr, "usage: stack_agent -c FILE -x MASTER -s STATE-DIRECTORY -w WORLD -l LOG\n");
		return PM_EXIT_USAGE;
	}
	umask(077);
	log_file = fopen(log, "w");
	epoch_offset_us = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC);
	if (!log_file || read_world(world) < 0)
		return PM_EXIT_USAGE;
	fake_log_clear();
	fake_log_listener = on_log;
	pm_log_open(PM_LOG_STDERR, LOG_INFO);
	status = pm_daemon_run(&options, &abandoned);
	fflush(NULL);
	if (abandoned)
		_exit((int)status);
	fclose(log_file);
	fake_world_free();
	return (int)status;
}
