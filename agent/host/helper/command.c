/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/command.h"
#include "agent/host/helper/machine.h"
#include "agent/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 20 /* between two looks whether it has ended, when it has closed standard error before */

bool command_find(const char *name, char path[COMMAND_PATH_SIZE])
{
	const char *directory = COMMAND_PATH;

	while (*directory) {
		int length = (int)strcspn(directory, ":");

		snprintf(path, COMMAND_PATH_SIZE, "%.*s/%s", length, directory, name);
		if (access(path, X_OK) == 0)
			return true;
		directory += length + (directory[length] == ':');
	}
	return false;
}

/* The end of what it says: more is thrown away at the front. */
struct tail {
	char text[512];
	size_t length;
};

static void add(struct tail *tail, const char *text, size_t length)
{
	size_t room = sizeof(tail->text) - 1;

	if (length > room) {
		text += length - room;
		length = room;
	}
	if (tail->length + length > room) {
		size_t drop = tail->length + length - room;

		memmove(tail->text, tail->text + drop, tail->length - drop);
		tail->length -= drop;
	}
	memcpy(tail->text + tail->length, text, length);
	tail->length += length;
}

/* Its last line that is not empty. */
static void take_last_line(struct tail *tail, struct pm_error *err)
{
	char *line;

	while (tail->length > 0 && strchr("\r\n ", tail->text[tail->length - 1]))
		tail->length--;
	tail->text[tail->length] = '\0';
	line = strrchr(tail->text, '\n');
	pm_error_set(err, "%s", line ? line + 1 : tail->text);
	pm_text_make_visible(err->text);
}

/* Waits for more from fd, or until the deadline (0: none). False: no more comes. */
static bool listen_to(int fd, struct tail *tail, uint64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	uint64_t now = machine_now_ms();
	char text[512];
	ssize_t length;

	if (deadline_ms && now >= deadline_ms)
		return false;
	if (poll(&poll_fd, 1, deadline_ms ? (int)(deadline_ms - now) : -1) <= 0)
		return true;
	length = read(fd, text, sizeof(text));
	if (length > 0)
		add(tail, text, (size_t)length);
	return length > 0 || (length < 0 && errno == EINTR);
}

static int reap(pid_t pid, uint64_t deadline_ms)
{
	const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
	int status;
	pid_t ended;

	while ((ended = waitpid(pid, &status, deadline_ms ? WNOHANG : 0)) == 0) {
		if (machine_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		nanosleep(&look, NULL);
	}
	if (ended < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The child's: with standard error into the pipe's end. Not posix_spawn(3), which cannot set the alarm. */
static _Noreturn void become(const char *const argv[], int stderr_fd, unsigned alarm_s)
{
	static const char *const environment[] = {"PATH=" COMMAND_PATH, "LC_ALL=C", NULL};
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(null_fd, STDIN_FILENO);
	dup2(stderr_fd, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	alarm(alarm_s);
	execve(argv[0], (char *const *)argv, (char *const *)environment);
	dprintf(STDERR_FILENO, "%s\n", strerror(errno));
	_exit(COMMAND_NOT_RUN);
}

int command_run(const char *const argv[], unsigned timeout_ms, unsigned alarm_s, struct pm_error *err)
{
	uint64_t deadline_ms = timeout_ms ? machine_now_ms() + timeout_ms : 0;
	struct tail tail = {.length = 0};
	int pipe_fds[2], rc;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return pm_fail(err, errno, "no pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		become(argv, pipe_fds[1], alarm_s);
	rc = pid < 0 ? pm_fail(err, errno, "no process for %s: %s", argv[0], strerror(errno)) : 0;
	close(pipe_fds[1]);
	if (rc == 0) {
		while (listen_to(pipe_fds[0], &tail, deadline_ms))
			continue;
		rc = reap(pid, deadline_ms);
		take_last_line(&tail, err);
	}
	close(pipe_fds[0]);
	return rc;
}
