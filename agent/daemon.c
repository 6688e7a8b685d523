/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/daemon.h"

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/event.h"
#include "agent/event_log.h"
#include "agent/fleet.h"
#include "agent/host/host.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/mib/agentx.h"
#include "agent/mib/mib.h"
#include "agent/notify.h"
#include "agent/poll.h"
#include "agent/privilege.h"
#include "agent/settings.h"
#include "agent/stack/stack.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PM_WITH_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define EXPIRE_INTERVAL_MS 3600000
#define EXPIRE_PAUSE_MS    50   /* between some machines and the next */
#define RESOLVER_THREADS   "16" /* libuv's; 8 for BMCs, 8 for probes */
#define IPMI_CLOSE_MS      2000
#define STACK_CLOSE_MS     2000
#define HOST_CLOSE_MS      2000
#define STOP_MS            3000 /* everything has closed by then, or never will */
#define RELOAD_WAIT_MS     5
#define RELOAD_WAITS_MAX   200

static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
#define SIGNAL_COUNT (sizeof(signals) / sizeof(*signals))

struct daemon {
	struct pm_agent agent;
	const struct pm_daemon_options *options;
	uv_loop_t loop;
	uv_signal_t signals[SIGNAL_COUNT];
	struct pm_timer *reload_timer;
	unsigned reload_waits; /* for SETs that are under way, in a row */
	struct pm_timer *stop_timer;
	int closing; /* engines that have not yet closed */
	bool abandoned;
	char state_directory[PATH_MAX]; /* the configuration may name another one later */
};

static struct daemon *of(struct pm_agent *agent)
{
	return (struct daemon *)((char *)agent - offsetof(struct daemon, agent));
}

static void tell_service_manager(const char *state)
{
#ifdef PM_WITH_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

/* --- configuration ---------------------------------------------------------------------------- */

enum pm_exit pm_daemon_check(const char *config_path)
{
	struct pm_inventory *inventory;
	struct pm_config_errors errors = {0};
	struct pm_error err = {""};
	int error = pm_config_load(config_path, &inventory, &errors);

	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	pm_config_errors_clear(&errors);
	if (!error && (error = pm_fleet_check(inventory, &err)) < 0)
		fprintf(stderr, "%s\n", err.text);
	if (error) {
		pm_inventory_free(inventory);
		return PM_EXIT_CONFIG;
	}
	printf("%s: %zu machines, %zu groups: no errors\n", config_path, inventory->machine_count,
	       inventory->group_count);
	pm_inventory_free(inventory);
	return PM_EXIT_OK;
}

static struct pm_inventory *load(struct pm_agent *agent)
{
	struct pm_inventory *inventory = NULL;
	struct pm_config_errors errors = {0};
	struct pm_error err = {""};

	agent->config_error[0] = '\0';
	if (pm_config_load(agent->config_path, &inventory, &errors) < 0)
		pm_text_format(agent->config_error, sizeof(agent->config_error), "%s",
			       errors.count ? errors.lines[0] : "no memory");
	for (size_t i = 0; i < errors.count; i++)
		pm_log(LOG_ERR, "%s", errors.lines[i]);
	pm_config_errors_clear(&errors);
	if (inventory && pm_fleet_check(inventory, &err) < 0) {
		pm_text_format(agent->config_error, sizeof(agent->config_error), "%s", err.text);
		pm_log(LOG_ERR, "%s", err.text);
		pm_inventory_free(inventory);
		inventory = NULL;
	}
	return inventory;
}

/* What is only read at the start. */
static void warn_of_restart(const struct pm_agent_config *old, const struct pm_agent_config *new)
{
	if (strcmp(old->master, new->master) != 0)
		pm_log(LOG_WARNING,
		       "agent { master } has changed: it takes effect when pmstackd is started again");
	if (strcmp(old->state_directory, new->state_directory) != 0)
		pm_log(
		    LOG_WARNING,
		    "agent { state-directory } has changed: it takes effect when pmstackd is started again");
	if (old->index != new->index)
		pm_log(LOG_NOTICE, "pmAgentIndex is %u now, it was %u", new->index, old->index);
}

static void take_over(struct pm_agent *agent, struct pm_inventory *inventory)
{
	struct pm_error err = {""};

	if (agent->inventory)
		warn_of_restart(&agent->inventory->agent, &inventory->agent);
	if (pm_fleet_apply(agent, inventory, &err) < 0) {
		pm_text_format(agent->config_error, sizeof(agent->config_error), "%s", err.text);
		pm_log(LOG_ERR, "the configuration is not taken over: %s", err.text);
		pm_inventory_free(inventory);
		return;
	}
	agent->reloaded_ms = pm_time_ms();
	pm_log(LOG_NOTICE, "%s: %zu machines", agent->config_path, agent->machine_count);
}

/* A SET takes a few milliseconds, and would be undone: its rows may go. A master that never ends one is not waited for. */
static bool must_wait(struct daemon *daemon)
{
	if (!pm_table_sets_open() || daemon->reload_waits == RELOAD_WAITS_MAX) {
		daemon->reload_waits = 0;
		return false;
	}
	daemon->reload_waits++;
	pm_timer_start(daemon->reload_timer, RELOAD_WAIT_MS);
	return true;
}

static void reload_now(void *data)
{
	struct daemon *daemon = data;
	struct pm_inventory *inventory;

	if (daemon->agent.stopping || must_wait(daemon))
		return;
	tell_service_manager("RELOADING=1");
	inventory = load(&daemon->agent);
	if (inventory)
		take_over(&daemon->agent, inventory);
	else
		pm_log(LOG_ERR, "the configuration has errors: the old one stays in force");
	tell_service_manager("READY=1");
}

/* Not from within a SET: its rows must live until it is answered. */
static void reload(struct pm_agent *agent)
{
	pm_timer_start(of(agent)->reload_timer, 0);
}

/* SETs that are under way hold rows that may go. */
static void rows_change(struct pm_agent *agent)
{
	(void)agent;
	pm_table_abort_sets();
}

static void rows_changed(struct pm_agent *agent)
{
	agent->rows_changed_loop_ms = uv_now(agent->loop);
	pm_mib_rebuild(agent);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void log_summary(struct pm_agent *agent)
{
	const struct pm_notify_counts counts = pm_notify_counts(agent);
	unsigned bmcs = 0, down = 0;
	char polls[300], stacks[150];

	for (size_t i = 0; i < agent->machine_count; i++) {
		bmcs += agent->machines[i]->bmc != NULL;
		down += agent->machines[i]->bmc && agent->machines[i]->bmc->status != PM_BMC_OK;
	}
	pm_log(
	    LOG_NOTICE,
	    "summary: master %s; %zu machines: %u on, %u off, %u unknown; %u BMCs, %u of them not ok; jobs: %u running, "
	    "%u waiting, %u started, %u failed; notifications: %u sent, %u pending, %u dropped; packets dropped: %llu",
	    pm_agentx_connected() ? "connected" : "away", agent->machine_count, agent->machines_on,
	    agent->machines_off, agent->machines_unknown, bmcs, down, agent->jobs_running.count,
	    agent->jobs_waiting.count + agent->jobs_staggered + agent->jobs_delayed.count,
	    agent->jobs_started, agent->jobs_failed, counts.sent, counts.pending, counts.dropped,
	    (unsigned long long)ipmi_engine_bad_packets(agent->ipmi));
	pm_poll_summary(agent, polls, sizeof(polls));
	pm_log(LOG_NOTICE, "summary: %s", polls);
	pm_stack_summary(agent, stacks, sizeof(stacks));
	pm_log(LOG_NOTICE, "summary: %s", stacks);
}

static void stop(struct daemon *daemon);

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *daemon = handle->data;

	if (daemon->agent.stopping)
		return;
	switch (number) {
	case SIGHUP:
		reload(&daemon->agent);
		break;
	case SIGUSR1:
		log_summary(&daemon->agent);
		break;
	case SIGUSR2:
		pm_poll_sweep(&daemon->agent);
		break;
	default:
		stop(daemon);
	}
}

static void watch_signals(struct daemon *daemon)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		uv_signal_init(&daemon->loop, &daemon->signals[i]);
		daemon->signals[i].data = daemon;
		uv_signal_start(&daemon->signals[i], on_signal, signals[i]);
	}
}

/* --- the end ---------------------------------------------------------------------------------- */

static void take_down(struct daemon *daemon)
{
	struct pm_agent *agent = &daemon->agent;

	pm_agentx_stop();
	if (agent->notifications)
		pm_flush(agent); /* what the master has acknowledged until now is not sent again */
	pm_notify_free(agent);
	pm_fleet_free(agent);
	pm_jobs_close(agent);
	pm_polling_free(agent);
	pm_event_log_free(agent);
	pm_timer_free(agent->flush_timer);
	pm_timer_free(agent->expire_timer);
	agent->flush_timer = agent->expire_timer = NULL; /* a sync may still end */
	pm_timer_free(daemon->reload_timer);
	pm_timer_free(daemon->stop_timer);
	for (size_t i = 0; i < SIGNAL_COUNT; i++) {
		signal(signals[i], SIG_IGN); /* what comes now comes too late */
		uv_close((uv_handle_t *)&daemon->signals[i], NULL);
	}
}

/* A name look-up that hangs in the resolver can not be ended: everything else is closed in good order without it. */
static void abandon(void *data)
{
	struct daemon *daemon = data;

	pm_log(LOG_WARNING, "name look-ups or captures still hang in their threads: left to themselves");
	pm_flush(&daemon->agent);
	pm_notify_free(&daemon->agent);
	daemon->abandoned = true;
	uv_stop(&daemon->loop);
}

static void on_engine_closed(void *data)
{
	struct daemon *daemon = data;

	if (--daemon->closing == 0)
		take_down(daemon);
}

static void stop(struct daemon *daemon)
{
	struct pm_agent *agent = &daemon->agent;

	if (agent->stopping)
		return;
	agent->stopping = true;
	if (!agent->prober) { /* nothing was opened yet */
		take_down(daemon);
		return;
	}
	tell_service_manager("STOPPING=1");
	pm_log(LOG_NOTICE, "stopping: closing sessions");
	pm_jobs_stop(agent);
	pm_fleet_stop(agent);
	if (pm_flush(agent) < 0)
		pm_log(LOG_ERR,
		       "what happened last could not be written: jobs are taken up, or reported, as they "
		       "were before at the next start");
	pm_agentx_stop(); /* what it serves is about to go */
	daemon->closing = 3 + (daemon->options->stack_driver->stop != NULL) + (agent->host_runner != NULL);
	daemon->stop_timer = pm_timer_new(&daemon->loop, abandon, daemon);
	pm_timer_start(daemon->stop_timer, STOP_MS);
	ipmi_engine_close(agent->ipmi, IPMI_CLOSE_MS, on_engine_closed, daemon);
	wol_engine_close(agent->wol, on_engine_closed, daemon);
	pm_prober_close(agent->prober, on_engine_closed, daemon);
	if (daemon->options->stack_driver->stop)
		daemon->options->stack_driver->stop(&daemon->loop, STACK_CLOSE_MS, on_engine_closed, daemon);
	if (agent->host_runner) /* its clients were closed with the machines' asking */
		agent->host_driver->stop(agent->host_runner, HOST_CLOSE_MS, on_engine_closed, daemon);
}

/* --- the start -------------------------------------------------------------------------------- */

static void flush(void *data)
{
	pm_flush(data);
}

static bool is_configured(uint32_t machine, void *agent)
{
	return pm_agent_machine(agent, machine) != NULL;
}

static void expire(void *data)
{
	struct pm_agent *agent = data;
	int64_t before_ms = pm_time_ms() - (int64_t)agent->inventory->agent.history_s * 1000;
	struct pm_error err = {""};

	if (pm_store_expire(agent->store, before_ms, &agent->expired, is_configured, agent, &err) < 0) {
		pm_log(LOG_WARNING, "old history can not be removed: %s", err.text);
		agent->expired = 0;
	}
	pm_timer_start(agent->expire_timer, agent->expired ? EXPIRE_PAUSE_MS : EXPIRE_INTERVAL_MS);
}

static int open_engines(struct daemon *daemon, struct pm_error *err)
{
	struct pm_agent *agent = &daemon->agent;

	agent->flush_timer = pm_timer_new(&daemon->loop, flush, agent);
	agent->expire_timer = pm_timer_new(&daemon->loop, expire, agent);
	daemon->reload_timer = pm_timer_new(&daemon->loop, reload_now, daemon);
	if (!agent->flush_timer || !agent->expire_timer || !daemon->reload_timer ||
	    ipmi_engine_new(&daemon->loop, &agent->ipmi) < 0 ||
	    wol_engine_new(&daemon->loop, &agent->wol) < 0 ||
	    pm_prober_new(&daemon->loop, &agent->prober) < 0 || pm_polling_new(agent) < 0 ||
	    pm_event_log_new(agent) < 0 || pm_jobs_open(agent) < 0)
		return pm_fail(err, ENOMEM, "the engines can not be started");
	return 0;
}

static const char settings_lost[] =
    "the state database was damaged and what was set by SNMP is lost, also what was inhibited: all actions are inhibited "
    "until pmAgentInhibit is set to false";

/* Where a manager sees it, until the next reload without errors; each machine's history has it, too. */
static void say_salvaged(struct pm_agent *agent)
{
	if (!pm_store_salvaged(agent->store))
		return;
	if (pm_store_settings_lost(agent->store))
		pm_log(LOG_CRIT, "%s", settings_lost);
	pm_text_format(
	    agent->config_error, sizeof(agent->config_error), "%s",
	    pm_store_settings_lost(agent->store)
		? settings_lost
		: "the state database was damaged: it was set aside, and what could be read of it is in "
		  "use; the log has the details");
}

static void tell_start(struct pm_agent *agent)
{
	struct pm_notification inhibited = {.type = PM_NOTIFY_INHIBIT_CHANGE, .inhibit = true};

	pm_notify(agent, NULL,
		  &(struct pm_notification){.type = PM_NOTIFY_AGENT_STARTED, .text = PM_VERSION});
	if (!pm_store_settings_lost(agent->store))
		return;
	snprintf(inhibited.inhibit_reason, sizeof(inhibited.inhibit_reason), "%s", settings_lost);
	pm_notify(agent, NULL, &inhibited);
}

/* What follows from the salvage is told when it is in the store. */
static void end_salvage(struct pm_agent *agent)
{
	struct pm_error err = {""};

	if (!pm_store_salvaged(agent->store) || pm_flush(agent) < 0)
		return;
	if (pm_store_salvage_told(agent->store, &err) < 0)
		pm_log(LOG_WARNING, "the next start takes the state database for damaged, too: %s", err.text);
}

static int start(struct daemon *daemon, struct pm_inventory *inventory, struct pm_error *err)
{
	struct pm_agent *agent = &daemon->agent;
	const char *directory = daemon->options->state_directory ? daemon->options->state_directory
								 : inventory->agent.state_directory;
	const char *master = daemon->options->master ? daemon->options->master : inventory->agent.master;
	char master_copy[256];
	int error;

	snprintf(master_copy, sizeof(master_copy), "%s", master);
	snprintf(daemon->state_directory, sizeof(daemon->state_directory), "%s", directory);
	agent->state_directory = daemon->state_directory;
	error = pm_store_open(directory, &agent->store, err);
	if (!error)
		error = pm_store_attach(agent->store, &daemon->loop, err);
	if (!error)
		error = open_engines(daemon, err);
	if (!error)
		error = pm_fleet_apply(agent, inventory, err);
	if (error) {
		pm_inventory_free(inventory);
		return error;
	}
	pm_settings_defaults(&(struct pm_setting_owner){.agent = agent});
	pm_settings_load(agent);
	agent->reloaded_ms = pm_time_ms();
	say_salvaged(agent);
	error = pm_agentx_start(agent, master_copy, err);
	if (error)
		return error;
	agent->rows_change = rows_change;
	agent->rows_changed = rows_changed;
	rows_changed(agent);
	tell_start(agent);
	pm_jobs_resume(agent);
	end_salvage(agent);
	expire(agent);
	return 0;
}

static void say_ready(const struct pm_agent *agent)
{
	pm_log(LOG_NOTICE, "pmstackd " PM_VERSION " ready: %zu machines from %s", agent->machine_count,
	       agent->config_path);
	if (!pm_privilege_net_raw())
		pm_log(
		    LOG_WARNING,
		    "without CAP_NET_RAW: no Wake-on-LAN by Ethernet, no proof on the wire, ICMP probes only if "
		    "net.ipv4.ping_group_range allows");
	tell_service_manager("READY=1");
}

static void run_loop(struct daemon *daemon)
{
	uv_run(&daemon->loop, UV_RUN_DEFAULT);
	pm_store_close(daemon->agent.store);
	if (!daemon->abandoned && uv_loop_close(&daemon->loop) == UV_EBUSY)
		pm_log(LOG_DEBUG, "handles are still open at the end");
}

enum pm_exit pm_daemon_run(const struct pm_daemon_options *options, bool *abandoned)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	struct pm_inventory *inventory;
	struct pm_error err = {""};
	enum pm_exit status = PM_EXIT_OK;

	setenv("UV_THREADPOOL_SIZE", RESOLVER_THREADS, 0);
	if (!daemon || uv_loop_init(&daemon->loop) < 0) {
		free(daemon);
		return PM_EXIT_START;
	}
	daemon->options = options;
	daemon->agent.loop = &daemon->loop;
	daemon->agent.config_path = options->config_path;
	daemon->agent.stack_driver = options->stack_driver;
	daemon->agent.host_driver = options->host_driver;
	daemon->agent.started_ms = pm_time_ms();
	daemon->agent.set_lock =
	    (int32_t)pm_jitter(INT32_MAX); /* RFC 2579, TestAndIncr: the old value is not known */
	daemon->agent.started_loop_ms = uv_now(&daemon->loop);
	daemon->agent.reload = reload;
	inventory = load(&daemon->agent);
	if (!inventory) {
		uv_loop_close(&daemon->loop);
		free(daemon);
		return PM_EXIT_CONFIG;
	}
	watch_signals(daemon);
	if (start(daemon, inventory, &err) == 0) {
		say_ready(&daemon->agent);
	} else {
		pm_log(LOG_ERR, "cannot start: %s", err.text);
		status = PM_EXIT_START;
		stop(daemon);
	}
	run_loop(daemon);
	*abandoned =
	    daemon->abandoned || (options->stack_driver->abandoned && options->stack_driver->abandoned());
	if (!daemon->abandoned)
		free(daemon);
	return status;
}
