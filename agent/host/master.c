/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared connections. ssh keeps the first one to a host open for a while in a process of its own, and others go through its
 * socket. That process is told through it to end: PROTOCOL.mux of OpenSSH, version 4.
 */
#include "agent/host/internal.h"

#include "agent/log.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MUX_MSG_HELLO   0x00000001
#define MUX_C_TERMINATE 0x10000005
#define MUX_VERSION     4
#define SUFFIX_SIZE     17   /* what ssh appends to the path while it makes the socket */
#define FAREWELL_MS     2000 /* for one to end */

/* One that is being ended. */
struct host_farewell {
	struct host_runner *runner;
	struct host_farewell *next, *previous;
	uv_pipe_t pipe;
	uv_connect_t connect;
	uv_write_t write;
	uint32_t message[6];
	struct pm_timer *timer;
	char *path;
};

/* --- ending ------------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
	struct host_farewell *farewell = handle->data;
	struct host_runner *runner = farewell->runner;

	if (farewell->next)
		farewell->next->previous = farewell->previous;
	if (farewell->previous)
		farewell->previous->next = farewell->next;
	else
		runner->farewells = farewell->next;
	free(farewell->path);
	free(farewell);
	host_runner_check(runner);
}

/* Whether it has ended or not: nobody is to find it any more. */
static void leave(struct host_farewell *farewell)
{
	if (uv_is_closing((uv_handle_t *)&farewell->pipe))
		return;
	pm_timer_free(farewell->timer);
	farewell->timer = NULL;
	unlink(farewell->path);
	uv_close((uv_handle_t *)&farewell->pipe, on_closed);
}

static void on_timeout(void *data)
{
	leave(data);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	(void)buffer;
	if (length < 0)
		leave(stream->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char ignored[256]; /* what it says does not matter, only that it ends */

	(void)handle, (void)suggested;
	*buffer = uv_buf_init(ignored, sizeof(ignored));
}

static void on_write(uv_write_t *write, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		leave(write->data);
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct host_farewell *farewell = connect->data;
	const uint32_t message[] = {8, MUX_MSG_HELLO, MUX_VERSION, 8, MUX_C_TERMINATE, 0};
	uv_buf_t buffer = uv_buf_init((char *)farewell->message, sizeof(message));

	if (status == UV_ECANCELED)
		return;
	for (size_t i = 0; i < sizeof(message) / sizeof(*message); i++)
		farewell->message[i] = htonl(message[i]);
	if (status < 0 || uv_read_start((uv_stream_t *)&farewell->pipe, on_alloc, on_read) < 0 ||
	    uv_write(&farewell->write, (uv_stream_t *)&farewell->pipe, &buffer, 1, on_write) < 0)
		leave(farewell);
}

static struct host_farewell *farewell_new(struct host_runner *runner, const char *path)
{
	struct host_farewell *farewell = calloc(1, sizeof(*farewell));

	if (!farewell)
		return NULL;
	farewell->path = strdup(path);
	farewell->timer = pm_timer_new(runner->loop, on_timeout, farewell);
	if (!farewell->path || !farewell->timer || uv_pipe_init(runner->loop, &farewell->pipe, 0) < 0) {
		pm_timer_free(farewell->timer);
		free(farewell->path);
		free(farewell);
		return NULL;
	}
	farewell->runner = runner;
	farewell->next = runner->farewells;
	if (farewell->next)
		farewell->next->previous = farewell;
	runner->farewells = farewell;
	farewell->pipe.data = farewell->connect.data = farewell->write.data = farewell;
	return farewell;
}

void host_master_end(struct host_runner *runner, const char *path)
{
	struct host_farewell *farewell;

	if (!*path || access(path, F_OK) < 0)
		return;
	farewell = farewell_new(runner, path);
	if (!farewell) {
		unlink(path); /* it ends by itself */
		return;
	}
	pm_timer_start(farewell->timer, FAREWELL_MS);
	uv_pipe_connect(&farewell->connect, &farewell->pipe, path, on_connect);
}

void host_masters_leave(struct host_runner *runner)
{
	for (struct host_farewell *farewell = runner->farewells; farewell; farewell = farewell->next)
		leave(farewell);
}

/* --- the directory ----------------------------------------------------------------------------- */

/* Others who could write there could have our requests go through a connection of theirs. */
static bool is_private(const char *directory)
{
	struct stat status;

	if (mkdir(directory, 0700) < 0 && errno != EEXIST) {
		pm_log(LOG_WARNING, "connections by ssh are not shared: cannot make %s: %s", directory,
		       strerror(errno));
		return false;
	}
	if (lstat(directory, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
	    (status.st_mode & 077)) {
		pm_log(
		    LOG_WARNING,
		    "connections by ssh are not shared: %s must be a directory of the agent's user with mode 0700",
		    directory);
		return false;
	}
	return true;
}

static bool fits(struct host_runner *runner)
{
	char path[PATH_MAX];

	host_master_name(runner, path, sizeof(path));
	if (strlen(path) + SUFFIX_SIZE < sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
	    ssh_path_is_usable(path))
		return true;
	pm_log(
	    LOG_WARNING,
	    "connections by ssh are not shared: sockets in %s would have names that are too long for the system, or "
	    "cannot be given to ssh: choose a shorter state directory",
	    runner->directory);
	return false;
}

static void end_leftovers(struct host_runner *runner)
{
	DIR *directory = opendir(runner->directory);
	const struct dirent *entry;
	struct stat status;
	char path[PATH_MAX];

	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s", runner->directory, entry->d_name);
		if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
			host_master_end(runner, path);
	}
	if (directory)
		closedir(directory);
}

void host_master_name(struct host_runner *runner, char *path, size_t size)
{
	snprintf(path, size, "%s/%08x%x", runner->directory, runner->era, ++runner->names);
}

bool host_masters_open(struct host_runner *runner, const char *directory)
{
	if (!is_private(directory))
		return false;
	snprintf(runner->directory, sizeof(runner->directory), "%s", directory);
	runner->era = (uint32_t)pm_time_ms(); /* no name of an earlier run comes again */
	if (!fits(runner)) {
		runner->directory[0] = '\0';
		return false;
	}
	end_leftovers(runner);
	return true;
}
