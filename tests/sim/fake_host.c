/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fake operating systems as a host_driver: runners, clients and requests. */
#include "tests/sim/fake_os_private.h"

#include "agent/timer.h"

#include <stdlib.h>
#include <string.h>

struct host_runner {
	uv_loop_t *loop;
	unsigned parallel, running;
	struct host_client *clients;
	struct host_op *queue;  /* in the order they came; also those under way */
	struct pm_timer *timer; /* starts what can be started */
};

struct host_client {
	struct host_runner *runner;
	struct host_client *next;
	char *address;
	unsigned timeout_ms;
	bool busy;
};

enum phase { QUEUED, UNDER_WAY, ENDING };

struct host_op {
	struct host_op *next;
	struct host_client *client;
	struct host_request request;
	char boot_id[HOST_ID_SIZE];
	uint8_t macs[HOST_MACS_MAX][6];
	enum phase phase;
	uint64_t deadline_ms;
	unsigned boots; /* of the host, when it began */
	struct pm_timer *timer;
	enum host_result result; /* of the end that is due */
	bool sent;
	const char *text;
};

static size_t client_count;
static unsigned running, running_max;

size_t fake_host_clients(void)
{
	return client_count;
}

void fake_host_reset(void)
{
	running = running_max = 0;
}

unsigned fake_host_running(void)
{
	return running;
}

unsigned fake_host_running_max(void)
{
	return running_max;
}

/* --- the end of a request ------------------------------------------------------------------------ */

static void unlink_op(struct host_op *op)
{
	struct host_op **link = &op->client->runner->queue;

	while (*link != op)
		link = &(*link)->next;
	*link = op->next;
	if (op->phase == QUEUED)
		return;
	op->client->busy = false;
	op->client->runner->running--;
	running--;
	pm_timer_start(op->client->runner->timer, 0);
}

static void free_op(struct host_op *op)
{
	pm_timer_free(op->timer);
	free(op);
}

static void end_with(struct host_op *op, const struct host_reply *reply)
{
	const struct fake_os *os = fake_os_find(op->client->address);
	struct host_request request = op->request;

	if (os)
		fake_os_log(os,
			    (struct fake_os_entry){
				.what = FAKE_OS_ANSWERED, .verb = request.verb, .result = reply->result},
			    fake_os_now_ms());
	unlink_op(op);
	request.done(reply, request.data);
	free_op(op);
}

static const char *in_words(enum host_result result)
{
	static const char *const words[] = {[HOST_OK] = "done",
					    [HOST_REFUSED] =
						"refused: backup.service inhibits it: a backup is running",
					    [HOST_UNSUPPORTED] = "not supported by this machine",
					    [HOST_OTHER_BOOT] = "it has rebooted since: nothing was done",
					    [HOST_NOT_PERMITTED] = "not permitted: see pmstack-host setup",
					    [HOST_FAILED] = "it failed: input/output error",
					    [HOST_AUTH_FAILED] = "the key was not accepted",
					    [HOST_NO_HELPER] = "pmstack-host: not found",
					    [HOST_UNREACHABLE] = "no route to host",
					    [HOST_TIMEOUT] = "no answer in time",
					    [HOST_CANCELLED] = "cancelled",
					    [HOST_NO_MEMORY] = "no memory"};

	return words[result];
}

static void end(struct host_op *op, enum host_result result, bool sent, const char *text)
{
	end_with(
	    op, &(struct host_reply){.result = result, .sent = sent, .text = text ? text : in_words(result)});
}

/* --- what it does --------------------------------------------------------------------------------- */

static void fill_report(const struct fake_os *os, struct host_report *report)
{
	*report = (struct host_report){.uptime_s = (fake_os_now_ms() - os->booted_ms) / 1000,
				       .can_suspend = !os->has_no_s3,
				       .can_hibernate = !os->has_no_swap,
				       .port_count = os->port_count};
	snprintf(report->boot_id, sizeof(report->boot_id), "%s", os->boot_id);
	snprintf(report->uuid, sizeof(report->uuid), "%s", os->uuid);
	snprintf(report->version, sizeof(report->version), "%s", PM_VERSION);
	memcpy(report->ports, os->ports, os->port_count * sizeof(*os->ports));
}

static void answer_report(struct host_op *op, const struct fake_os *os)
{
	struct host_report report;

	fill_report(os, &report);
	end_with(op, &(struct host_reply){.result = HOST_OK,
					  .sent = true,
					  .text = in_words(HOST_OK),
					  .report = &report,
					  .ports = report.ports,
					  .port_count = report.port_count});
}

static bool is_asked_for(const struct host_op *op, const struct host_port *port, bool *found)
{
	bool asked = op->request.mac_count == 0;

	for (size_t i = 0; i < op->request.mac_count; i++) {
		if (memcmp(op->macs[i], port->mac, 6) != 0 &&
		    memcmp(op->macs[i], port->permanent_mac, 6) != 0)
			continue;
		found[i] = asked = true;
	}
	return asked;
}

static enum host_result result_of_arming(const struct host_op *op, size_t tried, size_t armed,
					 const bool *found)
{
	for (size_t i = 0; i < op->request.mac_count; i++)
		if (!found[i])
			return HOST_FAILED;
	if (op->request.mac_count ? armed < tried : armed == 0)
		return HOST_UNSUPPORTED;
	return HOST_OK;
}

static void answer_arm(struct host_op *op, struct fake_os *os)
{
	struct host_port tried[HOST_PORTS_MAX];
	bool found[HOST_MACS_MAX] = {false};
	size_t count = 0, armed = 0;
	enum host_result result;

	fake_os_execute(os, HOST_ARM_WOL, 0, fake_os_now_ms());
	for (size_t i = 0; i < os->port_count; i++) {
		struct host_port *port = &os->ports[i];

		if (!is_asked_for(op, port, found))
			continue;
		if (port->wol == HOST_WOL_DISARMED)
			port->wol = HOST_WOL_ARMED;
		armed += port->wol == HOST_WOL_ARMED;
		tried[count++] = *port;
	}
	result = result_of_arming(op, count, armed, found);
	end_with(op, &(struct host_reply){.result = result,
					  .sent = true,
					  .text = result == HOST_FAILED ? "no port has this MAC"
									: in_words(result),
					  .ports = tried,
					  .port_count = count});
}

static enum host_result check(const struct host_op *op, const struct fake_os *os)
{
	if (*op->boot_id && strcmp(op->boot_id, os->boot_id) != 0)
		return HOST_OTHER_BOOT;
	if ((op->request.verb == HOST_SUSPEND && os->has_no_s3) ||
	    (op->request.verb == HOST_HIBERNATE && os->has_no_swap))
		return HOST_UNSUPPORTED;
	return HOST_OK;
}

static void answer(struct host_op *op, struct fake_os *os)
{
	enum host_result result = check(op, os);

	if (result != HOST_OK) {
		end(op, result, true, NULL);
	} else if (op->request.verb == HOST_REPORT) {
		os->done[HOST_REPORT]++;
		answer_report(op, os);
	} else if (op->request.verb == HOST_ARM_WOL) {
		answer_arm(op, os);
	} else {
		fake_os_execute(os, op->request.verb, op->request.init_level, fake_os_now_ms());
		end(op, HOST_OK, true, "going down");
	}
}

/* --- faults ----------------------------------------------------------------------------------------- */

static bool take_fault(struct fake_os *os, enum host_verb verb, struct fake_os_fault *fault)
{
	*fault = os->fault;
	if (!fault->result || (fault->verb && fault->verb != verb))
		return false;
	if (os->fault.count && --os->fault.count == 0)
		os->fault = (struct fake_os_fault){.result = 0};
	return true;
}

static void end_later(struct host_op *op, unsigned delay_ms, enum host_result result, bool sent,
		      const char *text)
{
	uint64_t now_ms = fake_os_now_ms();

	op->phase = ENDING;
	op->result = result;
	op->sent = sent;
	op->text = text;
	if (delay_ms == FAKE_OS_NEVER || now_ms + delay_ms > op->deadline_ms) {
		op->result = HOST_TIMEOUT;
		op->text = NULL;
		delay_ms = op->deadline_ms > now_ms ? (unsigned)(op->deadline_ms - now_ms) : 0;
	}
	pm_timer_start(op->timer, delay_ms);
}

static void answer_fault(struct host_op *op, struct fake_os *os, const struct fake_os_fault *fault)
{
	if (fault->done)
		fake_os_execute(os, op->request.verb, op->request.init_level, fake_os_now_ms());
	if (fault->result == HOST_TIMEOUT)
		end_later(op, FAKE_OS_NEVER, HOST_TIMEOUT, fault->sent, NULL);
	else
		end(op, fault->result, fault->sent, fault->text);
}

/* --- the way of a request ---------------------------------------------------------------------------- */

static void reach(struct host_op *op, struct fake_os *os)
{
	struct fake_os_fault fault;

	os->asked[op->request.verb]++;
	fake_os_log(os,
		    (struct fake_os_entry){.what = FAKE_OS_ASKED,
					   .verb = op->request.verb,
					   .init_level = op->request.init_level,
					   .boot_given = *op->boot_id != '\0'},
		    fake_os_now_ms());
	if (take_fault(os, op->request.verb, &fault))
		answer_fault(op, os, &fault);
	else
		answer(op, os);
}

static void on_op(void *data)
{
	struct host_op *op = data;
	struct fake_os *os = fake_os_find(op->client->address);

	if (op->phase == ENDING)
		end(op, op->result, op->sent, op->text);
	else if (os && fake_os_hears(os) && os->boots == op->boots)
		reach(op, os);
	else
		end(op, HOST_UNREACHABLE, false, "the connection was lost");
}

static void begin(struct host_op *op)
{
	struct fake_os *os = fake_os_find(op->client->address);
	unsigned deadline_ms = op->request.deadline_ms ? op->request.deadline_ms : op->client->timeout_ms;

	op->phase = UNDER_WAY;
	op->client->busy = true;
	op->client->runner->running++;
	if (++running > running_max)
		running_max = running;
	op->deadline_ms = fake_os_now_ms() + deadline_ms;
	if (!os) {
		end_later(op, 0, HOST_UNREACHABLE, false, "its name does not resolve");
		return;
	}
	os->tried++;
	op->boots = os->boots;
	if (!fake_os_hears(os))
		end_later(op, os->refuse_ms, HOST_UNREACHABLE, false,
			  fake_os_pings(os) ? "connection refused" : NULL);
	else if (os->answer_ms >= deadline_ms)
		end_later(op, FAKE_OS_NEVER, HOST_TIMEOUT, true, NULL);
	else
		pm_timer_start(op->timer, os->answer_ms);
}

static void pump(void *data)
{
	struct host_runner *runner = data;

	for (struct host_op *op = runner->queue; op && runner->running < runner->parallel; op = op->next)
		if (op->phase == QUEUED && !op->client->busy)
			begin(op);
}

/* --- the driver ---------------------------------------------------------------------------------------- */

static struct host_runner *start(uv_loop_t *loop, const struct host_runner_options *options)
{
	struct host_runner *runner = fake_os_allocate(sizeof(*runner));

	runner->loop = loop;
	runner->parallel = options->parallel;
	runner->timer = pm_timer_new(loop, pump, runner);
	if (!runner->timer)
		abort();
	return runner;
}

static void set_parallel(struct host_runner *runner, unsigned parallel)
{
	runner->parallel = parallel;
	pm_timer_start(runner->timer, 0);
}

static struct host_client *open_client(struct host_runner *runner, const struct host_options *options)
{
	struct host_client *client = fake_os_allocate(sizeof(*client));

	client->runner = runner;
	client->address = strdup(options->address ? options->address : options->socket);
	if (!client->address)
		abort();
	client->timeout_ms = options->timeout_ms;
	client->next = runner->clients;
	runner->clients = client;
	client_count++;
	return client;
}

/* Nobody waits any more; it may go on with what it was asked. */
static void leave(struct host_op *op)
{
	struct fake_os *os = fake_os_find(op->client->address);

	if (!os || !os->carries_on || op->phase != UNDER_WAY || check(op, os) != HOST_OK)
		return;
	os->left_verb = op->request.verb;
	os->left_level = op->request.init_level;
	os->left_ms = fake_os_now_ms() + os->answer_ms;
}

static void cancel(struct host_op *op)
{
	bool sent = op->phase != QUEUED;

	leave(op);
	end(op, HOST_CANCELLED, sent, NULL);
}

static struct host_op *op_of(const struct host_client *client)
{
	struct host_op *op = client->runner->queue;

	while (op && op->client != client)
		op = op->next;
	return op;
}

static void close_client(struct host_client *client)
{
	struct host_client **link = &client->runner->clients;
	struct host_op *op;

	while ((op = op_of(client)))
		cancel(op);
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	free(client->address);
	free(client);
	client_count--;
}

static struct host_op *submit(struct host_client *client, const struct host_request *request)
{
	struct host_op *op = fake_os_allocate(sizeof(*op)), **last = &client->runner->queue;

	if (request->mac_count > HOST_MACS_MAX || !request->verb || request->verb > HOST_ARM_WOL)
		abort();
	op->client = client;
	op->request = *request;
	snprintf(op->boot_id, sizeof(op->boot_id), "%s", request->boot_id ? request->boot_id : "");
	if (request->mac_count)
		memcpy(op->macs, request->macs, request->mac_count * sizeof(op->macs[0]));
	op->timer = pm_timer_new(client->runner->loop, on_op, op);
	if (!op->timer)
		abort();
	while (*last)
		last = &(*last)->next;
	*last = op;
	pm_timer_start(client->runner->timer, 0);
	return op;
}

struct farewell {
	void (*closed)(void *data);
	void *data;
	struct pm_timer *timer;
};

static void on_farewell(void *data)
{
	struct farewell farewell = *(struct farewell *)data;

	free(data);
	pm_timer_free(farewell.timer);
	farewell.closed(farewell.data);
}

static void stop(struct host_runner *runner, unsigned wait_ms, void (*closed)(void *data), void *data)
{
	struct farewell *farewell = fake_os_allocate(sizeof(*farewell));

	(void)wait_ms;
	if (runner->clients)
		abort();
	*farewell = (struct farewell){
	    .closed = closed, .data = data, .timer = pm_timer_new(runner->loop, on_farewell, farewell)};
	if (!farewell->timer)
		abort();
	pm_timer_start(farewell->timer, 0);
	pm_timer_free(runner->timer);
	free(runner);
}

const struct host_driver fake_host = {.name = "fake",
				      .start = start,
				      .set_parallel = set_parallel,
				      .open = open_client,
				      .close = close_client,
				      .submit = submit,
				      .cancel = cancel,
				      .stop = stop};
