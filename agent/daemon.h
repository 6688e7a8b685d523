/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmstackd from its start to its end: puts the modules together, reloads, reacts to signals, takes everything down. */
#ifndef PM_DAEMON_H
#define PM_DAEMON_H

#include <stdbool.h>

struct host_driver;
struct stack_driver;

enum pm_exit { PM_EXIT_OK = 0, PM_EXIT_CONFIG = 1, PM_EXIT_USAGE = 2, PM_EXIT_START = 3 };

/* NULL: as the configuration says. */
struct pm_daemon_options {
	const char *config_path;
	const char *master;
	const char *state_directory;
	const struct stack_driver *stack_driver; /* what speaks to hypervisors; never NULL */
	const struct host_driver *host_driver;   /* likewise to operating systems */
};

/*
 * Runs until SIGTERM or SIGINT; returns what the process exits with. Errors have been logged. *abandoned: threads still
 * hang in the resolver, and the process must end by _exit(2), which does not wait for them.
 */
enum pm_exit pm_daemon_run(const struct pm_daemon_options *options, bool *abandoned);

/* Checks the configuration, printing every error on standard error; PM_EXIT_OK or PM_EXIT_CONFIG. */
enum pm_exit pm_daemon_check(const char *config_path);

#endif
