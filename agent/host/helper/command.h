/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs of the system: from its own directories only, without a shell, with an environment of our own. */
#ifndef PM_HELPER_COMMAND_H
#define PM_HELPER_COMMAND_H

#include "agent/error.h"

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_PATH_SIZE 64

/* Where programs are looked up, and what their PATH is. */
#define COMMAND_PATH "/usr/sbin:/sbin:/usr/bin:/bin"

/* Finds a program in the directories of COMMAND_PATH. */
bool command_find(const char *name, char path[COMMAND_PATH_SIZE]);

#define COMMAND_NOT_RUN 127 /* exit status: the program could not be started */

/*
 * Runs the program argv[0], an absolute path, with our standard output, and waits for its end, at most timeout_ms (0: however
 * long it takes). alarm_s: when SIGALRM comes to it, and to what it becomes by execve(2); 0: it does not. The last line that it
 * wrote to standard error is in err, "" when there was none. Its exit status, 128 and its signal, or a negative errno value:
 * -ETIMEDOUT when it still runs, and goes on.
 */
int command_run(const char *const argv[], unsigned timeout_ms, unsigned alarm_s, struct pm_error *err);

#endif
