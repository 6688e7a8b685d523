/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * When operating systems are asked: so many at once that jobs find room beside them, the others wait for their turn; a dead
 * one at longer and longer intervals, one whose probe has begun to answer at once.
 */
#include "agent/flush.h"
#include "agent/log.h"
#include "agent/os_private.h"
#include "agent/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAST_INTERVAL_MS    2000  /* while a job waits for what only the helper can tell */
#define PENDING_INTERVAL_MS 10000 /* it has agreed to go down: is it still the same boot? */
#define DOUBT_INTERVAL_MS   1000
#define RETRY_MS            500 /* twice that, and so on, while its probe answers and its helper does not */
#define DOWN_SHIFT_MAX      3   /* a dead one is asked every 8 intervals at last */
#define START_MS            500 /* so long a question takes, for the spreading */

static void pump(struct pm_agent *agent);

/* --- the queue -------------------------------------------------------------------------------- */

static void leave_queue(struct pm_os *os)
{
	struct pm_agent *agent = os->machine->agent;
	struct pm_os **link = &agent->os_first, *last = NULL;

	if (!os->waits)
		return;
	while (*link != os) {
		last = *link;
		link = &(*link)->next;
	}
	*link = os->next;
	if (agent->os_last == os)
		agent->os_last = last;
	os->next = NULL;
	os->waits = false;
}

void pm_os_queue(struct pm_os *os)
{
	struct pm_agent *agent = os->machine->agent;

	if (os->op)
		os->ask_again = true;
	if (os->op || os->waits || !os->client)
		return;
	os->waits = true;
	if (agent->os_last)
		agent->os_last->next = os;
	else
		agent->os_first = os;
	agent->os_last = os;
	os->due_ms = 0;
	pm_timer_stop(os->timer);
	pump(agent);
}

void pm_os_queue_anew(struct pm_os *os)
{
	if (os->op)
		os->machine->agent->host_driver->cancel(os->op);
	pm_os_queue(os);
}

/* A part of what the driver does at once is left to jobs. */
static unsigned room(const struct pm_agent *agent)
{
	unsigned parallel = agent->inventory->agent.ssh_parallel;

	return parallel > 1 ? parallel - (parallel + 3) / 4 : 1;
}

/* --- the clock -------------------------------------------------------------------------------- */

static uint64_t with_jitter(uint64_t interval_ms)
{
	return interval_ms - interval_ms / 10 + pm_jitter(interval_ms / 5 + 1);
}

static void set_clock(struct pm_os *os, uint64_t delay_ms)
{
	if (!os->client)
		return;
	os->due_ms = uv_now(os->machine->agent->loop) + delay_ms;
	pm_timer_start(os->timer, delay_ms);
}

/* It does not answer, and nothing else says that it might soon. */
static uint64_t back_off(const struct pm_os *os, uint64_t interval_ms)
{
	unsigned max = pm_os_misses_max(os), beyond = os->misses > max ? os->misses - max : 0;

	return with_jitter(interval_ms << (beyond < DOWN_SHIFT_MAX ? beyond : DOWN_SHIFT_MAX));
}

/* What it agreed to is found out by its probe, if there is one; but not that it has rebooted. */
static uint64_t pending_interval(const struct pm_os *os)
{
	const struct pm_machine *machine = os->machine;
	bool probe_tells =
	    machine->config->probe && machine->os_reachable != PM_OS_NO && os->rest != PM_REST_REBOOT;

	return machine->fast && !probe_tells ? FAST_INTERVAL_MS : PENDING_INTERVAL_MS;
}

static uint64_t next_interval(const struct pm_os *os)
{
	const struct pm_machine *machine = os->machine;
	const struct pm_machine_config *config = machine->config;
	uint64_t interval_ms = config->host->poll_interval_ms, retry_ms;

	if (pm_os_pending(os))
		return pending_interval(os);
	if (machine->fast && !config->probe)
		return FAST_INTERVAL_MS;
	if (os->misses == 0)
		return with_jitter(interval_ms);
	if (config->probe && machine->os_reachable == PM_OS_YES) {
		retry_ms = (uint64_t)RETRY_MS << (os->retries < 16 ? os->retries : 16);
		return retry_ms < interval_ms ? retry_ms : with_jitter(interval_ms);
	}
	if (!config->probe && os->misses < pm_os_misses_max(os))
		return DOUBT_INTERVAL_MS;
	return back_off(os, interval_ms);
}

void pm_os_hurry(struct pm_machine *machine)
{
	struct pm_os *os = machine->os;
	uint64_t next_ms;

	if (!os || !os->due_ms)
		return;
	next_ms = next_interval(os);
	if (os->due_ms > uv_now(machine->agent->loop) + next_ms)
		set_clock(os, next_ms);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_answer(const struct host_reply *reply, void *data)
{
	struct pm_os *os = data;
	struct pm_machine *machine = os->machine;
	struct pm_agent *agent = machine->agent;
	bool again, is_older = os->op_is_older;

	os->op = NULL;
	os->op_is_older = false;
	agent->os_asking--;
	if (reply->result == HOST_CANCELLED)
		return;
	os->asked_ms = os->begun_ms;
	again = os->ask_again;
	os->ask_again = false;
	if (reply->report)
		pm_os_reported(machine, reply->report);
	else
		pm_os_missed(os, reply, is_older);
	if (again)
		pm_os_ask(machine);
	else if (!os->op && !os->waits) /* nobody has asked because of what was told */
		set_clock(os, next_interval(os));
	pump(agent);
}

static void ask(struct pm_os *os)
{
	struct pm_agent *agent = os->machine->agent;
	const struct host_request request = {.verb = HOST_REPORT, .done = on_answer, .data = os};

	os->due_ms = 0;
	pm_timer_stop(os->timer);
	os->begun_ms = uv_now(agent->loop);
	os->op = agent->host_driver->submit(os->client, &request);
	if (os->op)
		agent->os_asking++;
	else
		set_clock(os, DOUBT_INTERVAL_MS);
}

static void pump(struct pm_agent *agent)
{
	while (agent->os_first && agent->os_asking < room(agent) && !agent->stopping) {
		struct pm_os *os = agent->os_first;

		leave_queue(os);
		ask(os);
	}
}

void pm_os_ask(struct pm_machine *machine)
{
	struct pm_os *os = machine->os;

	if (!os || !os->client)
		return;
	if (os->op) {
		os->ask_again = true;
		return;
	}
	leave_queue(os);
	ask(os);
}

static void on_due(void *data)
{
	struct pm_os *os = data;

	os->due_ms = 0;
	pm_os_queue(os);
}

/* All of them, spread over the time that they take if half of the room is used; but not over more than an interval. */
static void ask_spread(struct pm_os *os)
{
	const struct pm_agent *agent = os->machine->agent;
	uint64_t span_ms = (uint64_t)agent->os_count * 2 * START_MS / room(agent);
	uint64_t interval_ms = os->machine->config->host->poll_interval_ms;

	if (!os->op && !os->waits)
		set_clock(os, pm_jitter(os->rest ? 0 : span_ms < interval_ms ? span_ms : interval_ms));
}

void pm_os_sweep(struct pm_agent *agent)
{
	for (size_t i = 0; i < agent->machine_count; i++)
		if (agent->machines[i]->os)
			ask_spread(agent->machines[i]->os);
}

/* --- the client ------------------------------------------------------------------------------- */

static int make_runner(struct pm_agent *agent)
{
	char directory[4096];
	struct host_runner_options options = {.parallel = agent->inventory->agent.ssh_parallel};

	if (options.parallel == 0)
		options.parallel = 1;
	if (agent->host_runner) {
		agent->host_driver->set_parallel(agent->host_runner, options.parallel);
		return 0;
	}
	snprintf(directory, sizeof(directory), "%s/ssh",
		 agent->state_directory ? agent->state_directory : "");
	if (agent->state_directory)
		options.control_directory = directory;
	agent->host_runner = agent->host_driver->start(agent->loop, &options);
	return agent->host_runner ? 0 : -ENOMEM;
}

/* Which host is meant. */
static char *target_of(const struct pm_host_config *host)
{
	char text[512];

	if (host->local)
		snprintf(text, sizeof(text), "local %s", host->socket);
	else
		snprintf(text, sizeof(text), "ssh %s %u", host->address, host->port);
	return strdup(text);
}

/* That, and all else that the client knows. */
static char *opened_by(const struct pm_machine *machine)
{
	const struct pm_host_config *host = machine->config->host;
	const struct pm_agent_config *agent = &machine->agent->inventory->agent;
	char *text = NULL;

	if (asprintf(&text, "%s\n%s\n%u\n%s\n%u\n%s\n%s", host->local ? host->socket : host->user,
		     host->local ? "" : host->address, host->port, host->local ? "local" : "ssh",
		     host->timeout_ms, agent->ssh_identity_file ? agent->ssh_identity_file : "",
		     agent->ssh_known_hosts ? agent->ssh_known_hosts : "") < 0)
		return NULL;
	return text;
}

static struct host_client *open_client(const struct pm_machine *machine)
{
	const struct pm_agent *agent = machine->agent;
	const struct pm_host_config *host = machine->config->host;
	const struct host_options options = {.label = machine->config->name,
					     .user = host->user ? host->user : "",
					     .address = host->local ? NULL : host->address,
					     .port = host->port,
					     .identity_file = agent->inventory->agent.ssh_identity_file,
					     .known_hosts_file = agent->inventory->agent.ssh_known_hosts,
					     .socket = host->socket,
					     .timeout_ms = host->timeout_ms};

	return agent->host_driver->open(agent->host_runner, &options);
}

static void end_asking(struct pm_os *os)
{
	leave_queue(os);
	os->ask_again = false;
	os->due_ms = 0;
	pm_timer_stop(os->timer);
	if (os->op)
		os->machine->agent->host_driver->cancel(os->op);
}

static void close_client(struct pm_os *os)
{
	struct host_client *client = os->client;

	end_asking(os);
	os->client = NULL;
	if (client)
		os->machine->agent->host_driver->close(client);
}

void pm_os_stop(struct pm_machine *machine)
{
	if (machine->os)
		close_client(machine->os);
}

void pm_os_free(struct pm_machine *machine)
{
	struct pm_os *os = machine->os;

	if (!os)
		return;
	machine->os = NULL;
	close_client(os);
	pm_timer_free(os->timer);
	free(os->target);
	free(os->opened);
	free(os);
}

/* --- the configuration ------------------------------------------------------------------------ */

static int make(struct pm_machine *machine)
{
	struct pm_os *os = calloc(1, sizeof(*os));

	if (!os)
		return -ENOMEM;
	os->machine = machine;
	os->timer = pm_timer_new(machine->agent->loop, on_due, os);
	machine->os = os;
	return os->timer ? 0 : -ENOMEM;
}

static void remove_os(struct pm_machine *machine)
{
	bool was_source = machine->source == PM_SOURCE_HOST;

	if (!machine->os)
		return;
	pm_os_free(machine);
	machine->state_dirty = true;
	pm_flush_machine(machine);
	if (was_source)
		pm_state_sources_changed(machine);
}

/* What is known of it holds, unless it is another host. */
static void take_target(struct pm_os *os, char *target)
{
	bool other = os->target && strcmp(os->target, target) != 0;

	free(os->target);
	os->target = target;
	if (!other)
		return;
	pm_os_forget(os);
	if (os->machine->source == PM_SOURCE_HOST)
		pm_state_sources_changed(os->machine);
}

static int exchange_client(struct pm_os *os, char *opened)
{
	close_client(os);
	free(os->opened);
	os->opened = opened;
	if (make_runner(os->machine->agent) < 0)
		return -ENOMEM;
	os->client = open_client(os->machine);
	if (!os->client)
		return -ENOMEM;
	ask_spread(os);
	return 0;
}

/* What it told last, against the new configuration; if that is about another machine now, or no longer, it is asked anew. */
static void compare_again(struct pm_os *os)
{
	if (!*os->report.boot_id)
		return;
	pm_os_compare(os);
	if (pm_os_is_another(os->machine, &os->report) != os->stranger)
		pm_os_queue(os);
}

int pm_os_apply(struct pm_machine *machine)
{
	const struct pm_host_config *host = machine->config->host;
	char *target, *opened;

	if (!host) {
		remove_os(machine);
		return 0;
	}
	if (!machine->os && make(machine) < 0)
		return -ENOMEM;
	target = target_of(host);
	opened = opened_by(machine);
	if (!target || !opened) {
		free(target);
		free(opened);
		return -ENOMEM;
	}
	take_target(machine->os, target);
	compare_again(machine->os);
	if (!machine->agent->host_driver ||
	    (machine->os->client && strcmp(opened, machine->os->opened) == 0)) {
		free(opened);
		pm_os_hurry(machine);
		return 0;
	}
	return exchange_client(machine->os, opened);
}

void pm_os_apply_all(struct pm_agent *agent)
{
	agent->os_count = 0;
	for (size_t i = 0; i < agent->machine_count; i++)
		agent->os_count += agent->machines[i]->config->host != NULL;
	for (size_t i = 0; i < agent->machine_count; i++)
		if (pm_os_apply(agent->machines[i]) < 0)
			pm_log(LOG_ERR, "no memory to ask the operating system of machine %s",
			       agent->machines[i]->config->name);
	pump(agent); /* there may be more room now, and nobody whose answer would let the next one in */
}
