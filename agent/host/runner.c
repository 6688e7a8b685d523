/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hosts and their requests: who waits, who is next, and how all of it ends. */
#include "agent/host/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* --- who is next ------------------------------------------------------------------------------- */

static void make_ready(struct host_client *client)
{
	struct host_runner *runner = client->runner;

	if (client->ready || client->closing || client->child || !client->first)
		return;
	client->ready = true;
	client->ready_next = NULL;
	client->ready_previous = runner->ready_last;
	if (runner->ready_last)
		runner->ready_last->ready_next = client;
	else
		runner->ready = client;
	runner->ready_last = client;
	host_runner_pump(runner);
}

static void make_unready(struct host_client *client)
{
	struct host_runner *runner = client->runner;

	if (!client->ready)
		return;
	client->ready = false;
	if (client->ready_next)
		client->ready_next->ready_previous = client->ready_previous;
	else
		runner->ready_last = client->ready_previous;
	if (client->ready_previous)
		client->ready_previous->ready_next = client->ready_next;
	else
		runner->ready = client->ready_next;
}

static struct host_op *take_first(struct host_client *client)
{
	struct host_op *op = client->first;

	client->first = op->next;
	if (!client->first)
		client->last = &client->first;
	op->next = NULL;
	return op;
}

/* One at a time: starting a process takes a moment, and the loop has other things to do in between. */
static void on_pump(void *data)
{
	struct host_runner *runner = data;
	struct host_client *client = runner->ready;
	struct host_op *op;

	if (runner->stopping) {
		host_runner_check(runner);
		return;
	}
	if (!client || runner->running >= runner->parallel)
		return;
	make_unready(client);
	if (client->child) { /* it is being tried once more; afterwards it is ready again */
		host_runner_pump(runner);
		return;
	}
	op = take_first(client);
	client->active = op;
	op->begun_ms = uv_now(runner->loop);
	pm_timer_start(op->timer, op->request.deadline_ms);
	host_try_begin(op);
	host_runner_pump(runner);
}

void host_runner_pump(struct host_runner *runner)
{
	if (runner->ready && runner->running < runner->parallel)
		pm_timer_start(runner->pump, 0);
}

void host_runner_freed(struct host_runner *runner, struct host_client *client)
{
	if (client)
		make_ready(client);
	host_runner_pump(runner);
}

/* --- requests ---------------------------------------------------------------------------------- */

static void free_op(struct host_op *op)
{
	pm_timer_free(op->timer);
	free(op);
}

void host_op_end(struct host_op *op, const struct host_verdict *verdict, const struct host_answer *answer)
{
	struct host_reply reply = {
	    .result = verdict->result, .sent = verdict->sent, .heard = verdict->heard, .text = verdict->text};

	if (op->client->active == op)
		op->client->active = NULL;
	if (op->try)
		op->try->op = NULL;
	if (op->request.verb == HOST_REPORT && verdict->result == HOST_OK)
		reply.report = &answer->report;
	if (op->request.verb == HOST_ARM_WOL && answer && answer->report.port_count) {
		reply.ports = answer->report.ports;
		reply.port_count = answer->report.port_count;
	}
	op->request.done(&reply, op->request.data);
	free_op(op);
}

static void on_deadline(void *data)
{
	struct host_op *op = data;

	host_try_expire(op->try);
}

static void copy_request(struct host_op *op, const struct host_request *request, unsigned timeout_ms)
{
	op->request = *request;
	if (!op->request.deadline_ms)
		op->request.deadline_ms = timeout_ms;
	if (request->boot_id) {
		strncpy(op->boot_id, request->boot_id, sizeof(op->boot_id) - 1);
		op->request.boot_id = op->boot_id;
	}
	if (op->request.mac_count > HOST_MACS_MAX)
		op->request.mac_count = HOST_MACS_MAX;
	if (op->request.mac_count)
		memcpy(op->macs, request->macs, op->request.mac_count * sizeof(op->macs[0]));
	op->request.macs = (const uint8_t(*)[6])op->macs;
}

static struct host_op *driver_submit(struct host_client *client, const struct host_request *request)
{
	struct host_op *op = client->closing ? NULL : calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->client = client;
	op->timer = pm_timer_new(client->runner->loop, on_deadline, op);
	if (!op->timer) {
		free(op);
		return NULL;
	}
	copy_request(op, request, client->options.timeout_ms);
	*client->last = op;
	client->last = &op->next;
	make_ready(client);
	return op;
}

static void unlink_waiting(struct host_op *op)
{
	struct host_client *client = op->client;
	struct host_op **link = &client->first;

	while (*link && *link != op)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = op->next;
	if (!op->next)
		client->last = link;
	if (!client->first)
		make_unready(client);
}

static void driver_cancel(struct host_op *op)
{
	struct host_try *try = op->try;
	struct host_verdict verdict;
	bool sent = try && host_try_may_be_sent(try);

	host_verdict_set(&verdict, HOST_CANCELLED, sent, "cancelled%s",
			 sent ? " after it had been asked" : " before it was asked");
	if (try)
		host_try_abandon(try);
	else
		unlink_waiting(op);
	host_op_end(op, &verdict, NULL);
}

/* --- hosts ------------------------------------------------------------------------------------- */

static bool copy_text(struct host_client *client, size_t index, const char **text, const char *fallback)
{
	if (!*text && !fallback)
		return true;
	client->texts[index] = strdup(*text ? *text : fallback);
	*text = client->texts[index];
	return *text != NULL;
}

static void free_client(struct host_client *client)
{
	for (size_t i = 0; i < sizeof(client->texts) / sizeof(*client->texts); i++)
		free(client->texts[i]);
	free(client);
}

static bool copy_options(struct host_client *client, const struct host_options *options)
{
	struct host_options *copy = &client->options;

	*copy = *options;
	if (!copy->port)
		copy->port = 22;
	return copy_text(client, 0, &copy->label, "?") && copy_text(client, 1, &copy->user, "") &&
	       copy_text(client, 2, &copy->address, NULL) && copy_text(client, 3, &copy->identity_file, "") &&
	       copy_text(client, 4, &copy->known_hosts_file, "") && copy_text(client, 5, &copy->socket, "");
}

static struct host_client *driver_open(struct host_runner *runner, const struct host_options *options)
{
	struct host_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	if (!copy_options(client, options)) {
		free_client(client);
		return NULL;
	}
	client->runner = runner;
	client->last = &client->first;
	client->next = runner->clients;
	if (client->next)
		client->next->previous = client;
	runner->clients = client;
	return client;
}

static void unlink_client(struct host_client *client)
{
	if (client->next)
		client->next->previous = client->previous;
	if (client->previous)
		client->previous->next = client->next;
	else
		client->runner->clients = client->next;
}

static void driver_close(struct host_client *client)
{
	client->closing = true;
	make_unready(client);
	if (client->active)
		driver_cancel(client->active);
	while (client->first)
		driver_cancel(client->first);
	if (client->child)
		host_try_orphan(client->child);
	host_master_end(client->runner, client->control_path);
	unlink_client(client);
	free_client(client);
}

/* --- the runner -------------------------------------------------------------------------------- */

static void free_runner(struct host_runner *runner)
{
	pm_timer_free(runner->pump);
	pm_timer_free(runner->stop_timer);
	free(runner);
}

static void on_stop_timer(void *data)
{
	struct host_runner *runner = data;

	if (runner->stop_killed) {
		host_tries_leave(runner);
		host_masters_leave(runner);
	} else {
		runner->stop_killed = true;
		host_tries_kill(runner);
		pm_timer_start(runner->stop_timer, runner->stop_ms - runner->stop_ms / 2);
	}
}

void host_runner_check(struct host_runner *runner)
{
	void (*closed)(void *data) = runner->closed;
	void *data = runner->closed_data;

	if (!runner->stopping || runner->tries || runner->farewells)
		return;
	free_runner(runner);
	closed(data);
}

static struct host_runner *driver_start(uv_loop_t *loop, const struct host_runner_options *options)
{
	struct host_runner *runner = calloc(1, sizeof(*runner));

	if (!runner)
		return NULL;
	runner->loop = loop;
	runner->parallel = options->parallel ? options->parallel : 1;
	runner->pump = pm_timer_new(loop, on_pump, runner);
	runner->stop_timer = pm_timer_new(loop, on_stop_timer, runner);
	if (!runner->pump || !runner->stop_timer) {
		free_runner(runner);
		return NULL;
	}
	/* Children keep ambient capabilities, and nothing else of ours: capabilities(7). */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (options->control_directory)
		host_masters_open(runner, options->control_directory);
	return runner;
}

static void driver_set_parallel(struct host_runner *runner, unsigned parallel)
{
	runner->parallel = parallel ? parallel : 1;
	host_runner_pump(runner);
}

static void driver_stop(struct host_runner *runner, unsigned wait_ms, void (*closed)(void *data), void *data)
{
	runner->stopping = true;
	runner->stop_ms = wait_ms;
	runner->closed = closed;
	runner->closed_data = data;
	pm_timer_start(runner->stop_timer, wait_ms / 2);
	pm_timer_start(runner->pump, 0); /* perhaps nothing is left */
}

const struct host_driver host_ssh = {
    .name = "ssh",
    .start = driver_start,
    .set_parallel = driver_set_parallel,
    .open = driver_open,
    .close = driver_close,
    .submit = driver_submit,
    .cancel = driver_cancel,
    .stop = driver_stop,
};
