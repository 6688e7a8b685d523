/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmstackd(8): the command line. */
#include "agent/config.h"
#include "agent/daemon.h"
#include "agent/host/host.h"
#include "agent/log.h"
#include "agent/privilege.h"
#include "agent/stack/stack.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "usage: pmstackd [-c FILE] [-t] [-x MASTER] [-s STATE-DIRECTORY] [-u USER] [-L err|syslog|journal] [-v] [-V] [-h]\n"
    "  -c FILE             configuration (" PM_CONFIG_DEFAULT_PATH ")\n"
    "  -t                  check the configuration and exit: 0 good, 1 not\n"
    "  -x MASTER           AgentX address of the master agent: unix:/path or tcp:host:port\n"
    "  -s STATE-DIRECTORY  where indexes, history and journal are kept\n"
    "  -u USER             whom to become when started as root (" PM_DEFAULT_USER ")\n"
    "  -L err|syslog|journal  where the log goes: standard error, syslog or the systemd journal\n"
    "  -v                  log more: debugging messages\n"
    "  -V                  print the version and exit\n"
    "  -h                  print this and exit\n";

struct arguments {
	struct pm_daemon_options options;
	const char *user;
	enum pm_log_target target;
	int level;
	bool check, version, help;
};

static bool parse_target(const char *name, enum pm_log_target *target)
{
	static const char *const names[] = {"err", "syslog", "journal"};

	for (int i = 0; i < 3; i++) {
		if (strcmp(name, names[i]) == 0) {
			*target = (enum pm_log_target)i;
			return true;
		}
	}
	fprintf(stderr, "pmstackd: -L takes err, syslog or journal, not \"%s\"\n", name);
	return false;
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	int option;

	while ((option = getopt(argc, argv, "c:tx:s:u:L:vVh")) != -1) {
		switch (option) {
		case 'c':
			arguments->options.config_path = optarg;
			break;
		case 't':
			arguments->check = true;
			break;
		case 'x':
			arguments->options.master = optarg;
			break;
		case 's':
			arguments->options.state_directory = optarg;
			break;
		case 'u':
			arguments->user = optarg;
			break;
		case 'L':
			if (!parse_target(optarg, &arguments->target))
				return false;
			break;
		case 'v':
			arguments->level = LOG_DEBUG;
			break;
		case 'V':
			arguments->version = true;
			break;
		case 'h':
			arguments->help = true;
			break;
		default:
			return false;
		}
	}
	if (optind < argc)
		fprintf(stderr, "pmstackd: unexpected argument \"%s\"\n", argv[optind]);
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct pm_error err = {""};
	bool abandoned = false;
	enum pm_exit status;
	struct arguments arguments = {.options = {.config_path = PM_CONFIG_DEFAULT_PATH,
						  .stack_driver = &stack_libvirt,
						  .host_driver = &host_ssh},
				      .user = PM_DEFAULT_USER,
				      .level = LOG_INFO};

	if (!parse(argc, argv, &arguments)) {
		fputs(usage, stderr);
		return PM_EXIT_USAGE;
	}
	if (arguments.help || arguments.version) {
		fputs(arguments.help ? usage : "pmstackd " PM_VERSION "\n", stdout);
		return PM_EXIT_OK;
	}
	umask(077);
	pm_log_open(arguments.target, arguments.level);
	if (pm_privilege_drop(arguments.user, &err) < 0) {
		pm_log(arguments.check ? LOG_WARNING : LOG_ERR, "%s%s",
		       arguments.check ? "" : "cannot start: ", err.text);
		if (!arguments.check)
			return PM_EXIT_START;
	}
	if (arguments.check)
		return (int)pm_daemon_check(arguments.options.config_path);
	status = pm_daemon_run(&arguments.options, &abandoned);
	if (abandoned) {
		fflush(NULL);
		_exit((int)status);
	}
	return (int)status;
}
