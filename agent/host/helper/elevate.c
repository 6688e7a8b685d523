/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/elevate.h"
#include "agent/host/helper/command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUDO_REFUSES 1

/*
 * Longer than anything that is done as root: sudo may wait for a directory of users that does not answer, and we may not end a
 * process of root.
 */
#define SUDO_ALARM_S 120
#define OPTIONS_MAX  12 /* with those of sudo, before the operands */

/* The request in words, from what was understood, not from what was written. */
static void write_arguments(const struct request *request, const char **argv, char level[2])
{
	size_t count = 0;

	while (argv[count])
		count++;
	if (request->json)
		argv[count++] = "-j";
	if (request->dry_run)
		argv[count++] = "-n";
	if (*request->boot_id) {
		argv[count++] = "-b";
		argv[count++] = request->boot_id;
	}
	argv[count++] = "--";
	argv[count++] = verb_name(request->verb);
	if (request->verb == VERB_INIT) {
		snprintf(level, 2, "%u", request->level);
		argv[count++] = level;
	}
	for (size_t i = 0; i < request->operand_count; i++)
		argv[count++] = request->operands[i];
	argv[count] = NULL;
}

bool elevate(struct request *request, int *exit_status)
{
	char sudo[COMMAND_PATH_SIZE], self[PATH_MAX], level[2];
	const char *argv[OPTIONS_MAX + REQUEST_OPERANDS_MAX + 4] = {sudo, "-n", "-u", "root",
								    "--", self, NULL};
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct pm_error *err = &request->sudo;
	int status;

	if (!command_find("sudo", sudo)) {
		pm_error_set(err, "there is no sudo");
		return false;
	}
	if (length < 0) {
		pm_error_set(err, "/proc/self/exe cannot be read");
		return false;
	}
	self[length] = '\0';
	write_arguments(request, argv, level);
	alarm(0); /* it has its own */
	status = command_run(argv, 0, SUDO_ALARM_S, err);
	if (status < 0 || status == SUDO_REFUSES || status == COMMAND_NOT_RUN)
		return false;
	if (*err->text)
		fprintf(stderr, "%s\n", err->text);
	err->text[0] = '\0';
	*exit_status = status;
	return true;
}
