/* SPDX-License-Identifier: GPL-3.0-or-later */
/* This host itself: its pmstack-host runs as a service with more rights than the agent has, and is asked through a socket. */
#include "agent/host/internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define UNIT "systemctl enable --now pmstack-host.socket"

void host_local_verdict(struct host_verdict *verdict, const struct host_try *try, enum host_result otherwise)
{
	const char *socket = try->client->options.socket;
	const char *excerpt = try->answer.excerpt;

	memset(verdict, 0, sizeof(*verdict));
	if (host_verdict_answer(verdict, &try->answer))
		return;
	if (otherwise == HOST_TIMEOUT)
		host_verdict_set(
		    verdict, HOST_TIMEOUT, try->sent,
		    "%s did not answer within %.3g s: journalctl -u 'pmstack-host@*' may tell why", socket,
		    try->op->request.deadline_ms / 1000.0);
	else
		host_verdict_set(verdict, otherwise, try->sent,
				 "what listens at %s is no " HOST_PROGRAM
				 " (%s%s): journalctl -u 'pmstack-host@*' may "
				 "tell why",
				 socket, *excerpt ? "it says " : "it says nothing", excerpt);
	verdict->heard = try->sent;
}

static void end(struct host_try *try, int error)
{
	const char *socket = try->client->options.socket;
	struct host_verdict verdict;

	if (error == UV_ENOENT)
		host_verdict_set(&verdict, HOST_NO_HELPER, false, "there is no %s: " UNIT, socket);
	else if (error == UV_ECONNREFUSED)
		host_verdict_set(&verdict, HOST_UNREACHABLE, false, "nobody listens at %s: " UNIT, socket);
	else if (error == UV_EACCES || error == UV_EPERM)
		host_verdict_set(&verdict, HOST_NOT_PERMITTED, false,
				 "the agent's user may not use %s: put it into the socket's group", socket);
	else
		host_verdict_set(&verdict, HOST_UNREACHABLE, try->sent, "%s: %s", socket, uv_strerror(error));
	host_try_end(try, &verdict);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct host_try *try = stream->data;
	struct host_verdict verdict;

	if (length > 0)
		host_try_feed(try, buffer->base, (size_t)length);
	if ((length < 0 || try->out_bytes > HOST_OUTPUT_MAX) && try->op) {
		if (try->line_length)
			host_answer_line(&try->answer, try->line, try->line_length);
		host_local_verdict(&verdict, try, HOST_NO_HELPER);
		host_try_end(try, &verdict);
	}
}

static void on_write(uv_write_t *write, int status)
{
	struct host_try *try = write->data;

	if (status < 0 && try->op)
		end(try, status);
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct host_try *try = connect->data;
	uv_buf_t buffer = uv_buf_init(try->command, (unsigned)strlen(try->command));

	if (!try->op)
		return;
	if (status == 0)
		status = uv_read_start((uv_stream_t *)&try->out, host_try_alloc, on_read);
	if (status == 0) {
		try->sent = true;
		status = uv_write(&try->write, (uv_stream_t *)&try->out, &buffer, 1, on_write);
	}
	if (status < 0)
		end(try, status);
}

void host_local_begin(struct host_try *try)
{
	const char *socket = try->client->options.socket;
	size_t length = strlen(try->command);
	struct host_verdict verdict;

	if (strlen(socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path) ||
	    length + 2 > sizeof(try->command)) {
		host_verdict_set(&verdict, HOST_FAILED, false,
				 "%s: the path of a socket has at most %zu octets", socket,
				 sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
		host_try_end(try, &verdict);
		return;
	}
	memcpy(try->command + length, "\n", 2);
	try->connect.data = try->write.data = try;
	uv_pipe_connect(&try->connect, &try->out, socket, on_connect);
}
