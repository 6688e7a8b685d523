/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmstack-host: does what an agent asks of the operating system it stands on, and tells what it is. See pmstack-host(8). */
#include "agent/host/helper/arm.h"
#include "agent/host/helper/command.h"
#include "agent/host/helper/elevate.h"
#include "agent/host/helper/machine.h"
#include "agent/host/helper/power.h"
#include "agent/host/helper/report.h"
#include "agent/host/helper/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STDIN_TIMEOUT_MS 10000 /* for the whole of a request line */
#define ALARM_S          30 /* until it goes down: nobody waits any more for what a driver or a directory holds up */

static const char usage[] =
    "usage: pmstack-host [-jn] [-b BOOT-ID] VERB [ARGUMENT...]\n"
    "  report                what this machine is and can, as JSON\n"
    "  poweroff, reboot      go down, unless somebody inhibits it\n"
    "  suspend, hibernate    sleep, to memory or to disk\n"
    "  init N                go to run level N, 0 to 6\n"
    "  arm-wol [IF|MAC ...]  let a magic packet wake the physical ports, or those that are under IF\n"
    "  setup [-u USER] [KEY.pub]  print what lets an agent ask this machine\n"
    "  -j, --json     answer as JSON\n"
    "  -n, --dry-run  say what would be done, and do nothing\n"
    "  -b, --boot-id  do it only in the boot with this id\n"
    "  -V, --version, -h, --help\n"
    "  --ssh          the request is in SSH_ORIGINAL_COMMAND\n"
    "  --stdin        the request is one line of standard input\n";

/* What we look at in the environment, before it is emptied. */
struct surroundings {
	char ssh_command[REQUEST_LINE_MAX + 2]; /* cut; then it is too long for a request */
	bool has_ssh_command;
	char sudo_uid[16];
	bool by_sudo;
};

static bool take_variable(const char *name, char *text, size_t size)
{
	const char *value = getenv(name);

	snprintf(text, size, "%s", value ? value : "");
	return value;
}

/* From here on no variable of the caller has any influence, neither here nor in what we run. */
static void take_surroundings(struct surroundings *surroundings)
{
	sigset_t none;

	surroundings->has_ssh_command = take_variable("SSH_ORIGINAL_COMMAND", surroundings->ssh_command,
						      sizeof(surroundings->ssh_command));
	surroundings->by_sudo =
	    take_variable("SUDO_UID", surroundings->sudo_uid, sizeof(surroundings->sudo_uid));
	clearenv();
	setenv("PATH", COMMAND_PATH, 1);
	setenv("LC_ALL", "C", 1);
	umask(022);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	signal(SIGCHLD, SIG_DFL); /* ignored, it would hide how our children end */
}

/* What we open must not become somebody's standard output. False: standard output itself is closed. */
static bool open_standard_files(void)
{
	bool heard = fcntl(STDOUT_FILENO, F_GETFD) != -1;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) == -1 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
			return false;
	}
	return heard;
}

static enum answer say_usage(struct request *request, const struct pm_error *err)
{
	answer_print(request, ANSWER_USAGE, NULL, err->text);
	return ANSWER_USAGE;
}

/* --- requests of others --------------------------------------------------------------------------- */

/* Adds what comes next. 0 at the end; or a negative errno value. */
static ssize_t read_more(char *text, size_t room, uint64_t deadline_ms, struct pm_error *err)
{
	struct pollfd stdin_fd = {.fd = STDIN_FILENO, .events = POLLIN};
	uint64_t now_ms = machine_now_ms();
	ssize_t got;

	if (now_ms >= deadline_ms || poll(&stdin_fd, 1, (int)(deadline_ms - now_ms)) == 0)
		return pm_fail(err, ETIMEDOUT, "no request came within %d s", STDIN_TIMEOUT_MS / 1000);
	got = read(STDIN_FILENO, text, room);
	if (got < 0)
		return pm_fail(err, errno, "the request cannot be read: %s", strerror(errno));
	return got;
}

/* Reads until the newline. Without one it may have been cut on its way, and mean something else. */
static int read_line(char line[REQUEST_LINE_MAX + 2], struct pm_error *err)
{
	uint64_t deadline_ms = machine_now_ms() + STDIN_TIMEOUT_MS;
	char *newline = NULL;
	size_t length = 0;

	while (!newline && length <= REQUEST_LINE_MAX) {
		ssize_t got = read_more(line + length, REQUEST_LINE_MAX + 1 - length, deadline_ms, err);

		if (got < 0)
			return (int)got;
		if (got == 0)
			return pm_fail(err, EINVAL, "a request is one line, with a newline at its end");
		length += (size_t)got;
		newline = memchr(line, '\n', length);
	}
	if (!newline)
		return pm_fail(err, EINVAL, "a request has at most %d octets", REQUEST_LINE_MAX);
	*newline = '\0';
	if (strlen(line) != (size_t)(newline - line))
		return pm_fail(err, EINVAL, "a request has no NUL");
	return 0;
}

static int read_request(struct request *request, struct surroundings *surroundings,
			char line[REQUEST_LINE_MAX + 2], struct pm_error *err)
{
	enum request_kind kind = request->kind;
	int rc = 0;

	if (kind == REQUEST_FROM_STDIN)
		rc = read_line(line, err);
	else if (surroundings->has_ssh_command)
		memcpy(line, surroundings->ssh_command, sizeof(surroundings->ssh_command));
	else
		rc = pm_fail(err, EINVAL, "no request: ssh HOST pmstack-host report");
	if (rc == 0)
		rc = request_parse_line(request, line, err);
	if (rc)
		request->json = true;
	return rc;
}

/* --- verbs ---------------------------------------------------------------------------------------- */

static bool is_this_boot(const struct request *request, enum answer *answer, struct pm_error *err)
{
	char boot_id[REQUEST_BOOT_ID_SIZE];

	*answer = ANSWER_OK;
	if (!*request->boot_id)
		return true;
	if (machine_boot_id(boot_id, err) != 0) {
		*answer = ANSWER_FAILED;
		return false;
	}
	if (strcmp(boot_id, request->boot_id) == 0)
		return true;
	pm_error_set(err, "this is boot %s, not %s: nothing was done", boot_id, request->boot_id);
	*answer = ANSWER_OTHER_BOOT;
	return false;
}

static enum answer run_verb(const struct request *request)
{
	struct pm_error err;
	enum answer answer;

	if (!is_this_boot(request, &answer, &err)) {
		answer_print(request, answer, NULL, err.text);
		return answer;
	}
	switch (request->verb) {
	case VERB_REPORT:
		return report_run(request);
	case VERB_ARM_WOL:
		return arm_run(request);
	default:
		return power_run(request);
	}
}

static int run(struct request *request, const struct surroundings *surroundings)
{
	int exit_status;

	if (request->verb == VERB_SETUP)
		return answer_exit_status(
		    setup_run(request, surroundings->by_sudo ? surroundings->sudo_uid : NULL));
	if (chdir("/") == 0 && geteuid() != 0 && elevate(request, &exit_status))
		return exit_status;
	return answer_exit_status(run_verb(request));
}

int main(int argc, char **argv)
{
	static struct surroundings surroundings;
	char line[REQUEST_LINE_MAX + 2];
	struct pm_error err = {""};
	struct request request;
	int rc;

	alarm(ALARM_S);
	if (!open_standard_files())
		return answer_exit_status(ANSWER_FAILED);
	take_surroundings(&surroundings);
	rc = request_parse(&request, argc, argv, &err);
	if (rc == 0 && (request.kind == REQUEST_FROM_SSH || request.kind == REQUEST_FROM_STDIN))
		rc = read_request(&request, &surroundings, line, &err);
	if (rc)
		return answer_exit_status(say_usage(&request, &err));
	if (request.kind == REQUEST_HELP || request.kind == REQUEST_VERSION) {
		printf("%s%s", request.kind == REQUEST_HELP ? usage : "pmstack-host " PM_VERSION,
		       request.kind == REQUEST_HELP ? "" : "\n");
		return fflush(stdout) == 0 ? 0 : answer_exit_status(ANSWER_FAILED);
	}
	return run(&request, &surroundings);
}
