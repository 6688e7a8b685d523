/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One attempt to have a request answered. Its end is the exit of ssh, not the end of its output: a shared connection keeps
 * standard error open for as long as it lives.
 */
#include "agent/host/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STUCK_PARTS 3 /* of the time for a request a third, for a shared connection to take it */

static void give_up(struct host_try *try, const struct host_verdict *verdict);

/* --- output ------------------------------------------------------------------------------------ */

static void take_line(struct host_try *try)
{
	host_answer_line(&try->answer, try->line, try->line_length);
	try->line_length = 0;
}

void host_try_feed(struct host_try *try, const char *bytes, size_t length)
{
	enum host_answer_state before = try->answer.state;

	try->out_bytes += length;
	if (try->out_bytes > HOST_OUTPUT_MAX)
		return;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			take_line(try);
		else
			try->line[try->line_length++] = bytes[i];
	}
	/* It goes down, or should have ended by now: it is not waited for much longer. */
	if (try->op && !try->stuck && before == HOST_ANSWER_NONE && try->answer.state != before)
		pm_timer_start(try->silence_timer, HOST_GOING_MS);
}

static void feed_error(struct host_try *try, const char *bytes, size_t length)
{
	try->err_bytes += length;
	ssh_log_feed(&try->log, bytes, length);
}

static bool is_too_much(const struct host_try *try)
{
	return try->out_bytes > HOST_OUTPUT_MAX || try->err_bytes > HOST_OUTPUT_MAX;
}

static void on_too_much(struct host_try *try)
{
	struct host_verdict verdict;
	struct host_place place;

	if (!try->op || !is_too_much(try))
		return;
	host_place_of(&place, try);
	host_verdict_endless(&verdict, &place, &try->answer, &try->log);
	give_up(try, &verdict);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	struct host_try *try = stream->data;

	if (length < 0)
		uv_read_stop(stream);
	else if (stream == (uv_stream_t *)&try->out)
		host_try_feed(try, buffer->base, (size_t)length);
	else
		feed_error(try, buffer->base, (size_t)length);
	on_too_much(try);
}

void host_try_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	static char bytes[16384]; /* used up before the next read */

	(void)handle, (void)suggested;
	*buffer = uv_buf_init(bytes, sizeof(bytes));
}

/* What has been written, and not been read yet, now that nobody writes to it any more. */
static void drain(struct host_try *try, uv_pipe_t *pipe)
{
	char bytes[4096];
	ssize_t length;
	int fd;

	if (uv_fileno((uv_handle_t *)pipe, &fd) < 0)
		return;
	while (!is_too_much(try) && (length = read(fd, bytes, sizeof(bytes))) > 0) {
		if (pipe == &try->out)
			host_try_feed(try, bytes, (size_t)length);
		else
			feed_error(try, bytes, (size_t)length);
	}
}

/* --- handles ----------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
	struct host_try *try = handle->data;
	struct host_runner *runner = try->runner;

	if (--try->handles)
		return;
	if (try->next)
		try->next->previous = try->previous;
	if (try->previous)
		try->previous->next = try->next;
	else
		runner->tries = try->next;
	free(try);
	host_runner_check(runner);
}

static void close_handle(uv_handle_t *handle)
{
	if (handle->data && !uv_is_closing(handle))
		uv_close(handle, on_closed);
}

static void close_all(struct host_try *try)
{
	pm_timer_free(try->kill_timer);
	pm_timer_free(try->silence_timer);
	try->kill_timer = try->silence_timer = NULL;
	close_handle((uv_handle_t *)&try->process);
	close_handle((uv_handle_t *)&try->out);
	close_handle((uv_handle_t *)&try->err);
}

/* --- killing ----------------------------------------------------------------------------------- */

/* It leads a process group of its own. */
static void send_signal(const struct host_try *try, int number)
{
	if (try->pid > 0)
		kill(-try->pid, number);
}

static void on_kill(void *data)
{
	send_signal(data, SIGKILL);
}

static void begin_to_kill(struct host_try *try)
{
	send_signal(try, SIGTERM);
	pm_timer_start(try->kill_timer, HOST_TERM_MS);
}

/* --- its end ----------------------------------------------------------------------------------- */

void host_place_of(struct host_place *place, const struct host_try *try)
{
	const struct host_options *options = &try->client->options;

	place->address = options->address;
	place->user = options->user;
	place->identity_file = options->identity_file;
	place->known_hosts_file = options->known_hosts_file;
	place->socket = options->socket;
	place->port = options->port;
	place->deadline_ms = try->op->request.deadline_ms;
}

/* Whether the connection that it leaves behind is of no use: it is broken, or the host goes down. */
static bool is_spent(const struct host_try *try, const struct host_verdict *verdict)
{
	return verdict->result == HOST_UNREACHABLE || verdict->result == HOST_TIMEOUT ||
	       (verdict->result == HOST_OK && host_verb_goes(&try->op->request));
}

/* Once nothing runs that could begin one, or go through it. */
static void end_master(struct host_try *try)
{
	if (try->client)
		try->client->control_path[0] = '\0';
	try->end_master = true;
}

/* Nothing of it runs any more: its host may be asked the next. */
static void release(struct host_try *try)
{
	struct host_client *client = try->client;

	if (!try->running)
		return;
	try->running = false;
	try->runner->running--;
	try->client = NULL;
	if (client)
		client->child = NULL;
	if (try->end_master)
		host_master_end(try->runner, try->control_path);
	close_all(try);
	host_runner_freed(try->runner, client);
}

static void try_again(struct host_try *try)
{
	struct host_op *op = try->op;

	op->second = true;
	op->try = NULL;
	try->op = NULL;
	end_master(try);
	release(try);
	host_try_begin(op);
}

/* Nothing of it runs any more. */
static void end(struct host_try *try, const struct host_verdict *verdict)
{
	struct host_op *op = try->op;

	if (op && verdict->again && !op->second) {
		try_again(try);
		return;
	}
	if (op && is_spent(try, verdict))
		end_master(try);
	release(try);
	if (op)
		host_op_end(op, verdict, &try->answer);
}

/* What runs is ended, whatever comes of it. */
static void give_up(struct host_try *try, const struct host_verdict *verdict)
{
	struct host_op *op = try->op;

	host_try_abandon(try);
	host_op_end(op, verdict, &try->answer);
}

void host_try_end(struct host_try *try, const struct host_verdict *verdict)
{
	end(try, verdict);
}

bool host_try_may_be_sent(const struct host_try *try)
{
	return try->is_local ? try->sent : host_log_may_be_sent(&try->log);
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal_number)
{
	struct host_try *try = process->data;
	struct host_verdict verdict = {0};
	struct host_place place;

	try->pid = 0;
	drain(try, &try->out);
	drain(try, &try->err);
	if (try->op) {
		if (try->line_length)
			take_line(try);
		ssh_log_end(&try->log);
		host_place_of(&place, try);
		host_verdict_exit(&verdict, &place, &try->answer, &try->log, status, signal_number);
		verdict.again |= try->stuck && try->answer.state == HOST_ANSWER_NONE;
	}
	end(try, &verdict);
}

/*
 * A shared connection that does not take the request may be that to a host that is gone. Whether the request leaves in the very
 * moment in which this is given up cannot be known; asked twice, these do no harm.
 */
static bool is_stuck(const struct host_try *try)
{
	return try->answer.state == HOST_ANSWER_NONE && try->log.shared && try->log.phase < SSH_SENT &&
	       (try->op->request.verb == HOST_REPORT || try->op->request.verb == HOST_ARM_WOL);
}

static void on_silence(void *data)
{
	struct host_try *try = data;
	struct host_verdict verdict;

	if (!try->op)
		return;
	if (host_verdict_answer(&verdict, &try->answer)) {
		give_up(try, &verdict);
	} else if (is_stuck(try)) {
		try->stuck = true;
		end_master(try);
		begin_to_kill(try);
	}
}

void host_try_expire(struct host_try *try)
{
	struct host_verdict verdict;
	struct host_place place;

	if (try->is_local) {
		host_local_verdict(&verdict, try, HOST_TIMEOUT);
	} else {
		drain(try, &try->out);
		drain(try, &try->err);
		host_place_of(&place, try);
		host_verdict_deadline(&verdict, &place, &try->answer, &try->log);
	}
	give_up(try, &verdict);
}

/* --- nobody waits for it ------------------------------------------------------------------------- */

void host_try_abandon(struct host_try *try)
{
	if (try->op)
		try->op->try = NULL;
	try->op = NULL;
	end_master(try);
	if (try->is_local) {
		release(try);
		return;
	}
	pm_timer_stop(try->silence_timer);
	uv_read_stop((uv_stream_t *)&try->out);
	uv_read_stop((uv_stream_t *)&try->err);
	begin_to_kill(try);
}

void host_try_orphan(struct host_try *try)
{
	end_master(try);
	try->client = NULL;
}

void host_tries_kill(struct host_runner *runner)
{
	for (struct host_try *try = runner->tries; try; try = try->next)
		send_signal(try, SIGKILL);
}

void host_tries_leave(struct host_runner *runner)
{
	for (struct host_try *try = runner->tries; try; try = try->next)
		release(try);
}

/* --- its beginning ----------------------------------------------------------------------------- */

/* Why ssh need not be run at all; false: nothing that is known. */
static bool is_hopeless(struct host_verdict *verdict, const struct host_options *options)
{
	const char *key = options->identity_file;

	if (!ssh_path_is_usable(key) || !ssh_path_is_usable(options->known_hosts_file))
		host_verdict_set(
		    verdict, HOST_AUTH_FAILED, false,
		    "ssh cannot be given the paths %s and %s: rename what has quotes, backslashes or \"${\"",
		    key, options->known_hosts_file);
	else if (access(key, R_OK) < 0 && errno == EACCES)
		host_verdict_set(
		    verdict, HOST_AUTH_FAILED, false,
		    "the private key %s cannot be read by the agent's user: chown it, or its group", key);
	else if (access(key, R_OK) < 0)
		host_verdict_set(
		    verdict, HOST_AUTH_FAILED, false,
		    "the private key %s cannot be read (%s): ssh-keygen -t ed25519 -N '' -f %s makes one",
		    key, strerror(errno), key);
	else
		return false;
	return true;
}

static unsigned time_left_ms(const struct host_op *op)
{
	uint64_t gone_ms = uv_now(op->client->runner->loop) - op->begun_ms;

	return gone_ms < op->request.deadline_ms ? (unsigned)(op->request.deadline_ms - gone_ms) : 1;
}

static int open_pipe(struct host_try *try, uv_pipe_t *pipe)
{
	int error = uv_pipe_init(try->runner->loop, pipe, 0);

	if (error < 0)
		return error;
	pipe->data = try;
	try->handles++;
	return 0;
}

static int run(struct host_try *try, char **arguments, char **environment)
{
	uv_stdio_container_t stdio[3] = {
	    {.flags = UV_IGNORE}, /* /dev/null */
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&try->out},
	    {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&try->err},
	};
	uv_process_options_t options = {.file = arguments[0],
					.args = arguments,
					.env = environment,
					.exit_cb = on_exit_status,
					.stdio = stdio,
					.stdio_count = 3,
					.flags = UV_PROCESS_DETACHED, /* a session of its own: no terminal */
					.cwd = "/"};
	int error;

	host_close_on_exec();
	error = uv_spawn(try->runner->loop, &try->process, &options);
	try->process.data = try;
	try->handles++;
	if (error < 0)
		return error;
	try->pid = try->process.pid;
	error = uv_read_start((uv_stream_t *)&try->out, host_try_alloc, on_read);
	return error < 0 ? error : uv_read_start((uv_stream_t *)&try->err, host_try_alloc, on_read);
}

static int spawn(struct host_try *try)
{
	char **arguments =
	    ssh_arguments(&try->client->options, try->control_path, time_left_ms(try->op), try->command);
	char **environment = ssh_environment();
	int error = arguments && environment ? open_pipe(try, &try->err) : UV_ENOMEM;

	if (!error)
		error = run(try, arguments, environment);
	ssh_arguments_free(arguments);
	ssh_arguments_free(environment);
	return error;
}

static void begin_ssh(struct host_try *try)
{
	struct host_client *client = try->client;
	struct host_verdict verdict = {0};
	int error;

	if (try->runner->directory[0] && !client->control_path[0])
		host_master_name(try->runner, client->control_path, sizeof(client->control_path));
	snprintf(try->control_path, sizeof(try->control_path), "%s", client->control_path);
	if (is_hopeless(&verdict, &client->options)) {
		end(try, &verdict);
		return;
	}
	error = spawn(try);
	if (!error) {
		pm_timer_start(try->silence_timer, try->op->request.deadline_ms / STUCK_PARTS);
		return;
	}
	if (error == UV_ENOENT)
		host_verdict_set(&verdict, HOST_FAILED, false,
				 "there is no ssh in %s: install openssh-client",
				 getenv("PATH") ? getenv("PATH") : "the standard path");
	else
		host_verdict_set(&verdict, error == UV_ENOMEM ? HOST_NO_MEMORY : HOST_FAILED, false,
				 "ssh cannot be run: %s", uv_strerror(error));
	if (try->pid)
		give_up(try, &verdict);
	else
		end(try, &verdict);
}

/* It has one open handle from the beginning, so that it always ends by closing. */
static struct host_try *try_new(struct host_op *op)
{
	struct host_runner *runner = op->client->runner;
	struct host_try *try = calloc(1, sizeof(*try));

	if (!try)
		return NULL;
	try->runner = runner;
	try->kill_timer = pm_timer_new(runner->loop, on_kill, try);
	try->silence_timer = pm_timer_new(runner->loop, on_silence, try);
	if (!try->kill_timer || !try->silence_timer ||
	    !host_command(try->command, sizeof(try->command), &op->request) ||
	    open_pipe(try, &try->out) < 0) {
		pm_timer_free(try->kill_timer);
		pm_timer_free(try->silence_timer);
		free(try);
		return NULL;
	}
	try->client = op->client;
	try->op = op;
	try->is_local = !op->client->options.address;
	host_answer_begin(&try->answer, &op->request);
	ssh_log_begin(&try->log);
	try->next = runner->tries;
	if (try->next)
		try->next->previous = try;
	runner->tries = try;
	return try;
}

void host_try_begin(struct host_op *op)
{
	struct host_client *client = op->client;
	struct host_try *try = try_new(op);
	struct host_verdict verdict;

	if (!try) {
		host_verdict_set(&verdict, HOST_NO_MEMORY, false, "no memory to ask it");
		host_runner_freed(client->runner, client);
		host_op_end(op, &verdict, NULL);
		return;
	}
	op->try = try;
	client->child = try;
	try->running = true;
	client->runner->running++;
	if (try->is_local)
		host_local_begin(try);
	else
		begin_ssh(try);
}
