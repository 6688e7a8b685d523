/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An agent without SNMP and without a network, for the tests of its modules: a loop, a store in a directory of its own,
 * machines m1, m2, ... with what a test gives them, and notifications that are kept to be looked at.
 */
#ifndef PM_TEST_SUPPORT_H
#define PM_TEST_SUPPORT_H

#include "agent/agent.h"
#include "agent/event.h"
#include "agent/group.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/notify.h"
#include "agent/os.h"
#include "agent/poll.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "agent/vm.h"
#include "tests/unit/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SENT_MAX      64
#define MISSES        3

struct world {
	uv_loop_t loop;
	struct pm_agent agent;
	char directory[DIRECTORY_MAX];
};

/* What was told, in order; world_sent_max of it are taken, then sending fails. */
static struct pm_notification world_sent[SENT_MAX];
static unsigned world_sent_count, world_sent_max;

static inline int world_send(const struct pm_notification *notification)
{
	if (world_sent_count == world_sent_max)
		return -EAGAIN;
	if (world_sent_count < SENT_MAX)
		world_sent[world_sent_count] = *notification;
	world_sent_count++;
	return 0;
}

static inline void make_directory(char *directory, size_t size)
{
	assert_int_equal(new_directory(directory, size), 0);
}

static inline void remove_directory(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	assert_int_equal(rmdir(directory), 0);
}

static inline void world_ignore_timer(void *data)
{
	(void)data;
}

static inline void world_flush(void *data)
{
	pm_flush(data);
}

static inline struct pm_inventory *world_inventory(size_t count)
{
	struct pm_inventory *inventory = calloc(1, sizeof(*inventory));

	assert_non_null(inventory);
	inventory->agent = (struct pm_agent_config){.name = strdup("unit"),
						    .index = 7,
						    .rows_first = 1,
						    .rows_last = 1000,
						    .resume = true,
						    .history_s = 3600};
	inventory->machines = calloc(count ? count : 1, sizeof(*inventory->machines));
	assert_non_null(inventory->machines);
	inventory->machine_count = count;
	for (size_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%zu", i + 1);
		inventory->machines[i] = (struct pm_machine_config){.name = strdup(name),
								    .location = strdup(""),
								    .uuid = strdup(""),
								    .power_on_method = PM_ON_AUTO,
								    .stack_timeout_s = 600,
								    .vm_timeout_s = 180,
								    .on_timeout_s = 300,
								    .off_timeout_s = 200,
								    .wol_repeats = 3,
								    .wol_repeat_interval_ms = 100,
								    .file = "unit.conf",
								    .line = (int)i + 1};
	}
	return inventory;
}

/* A group of `count` machines of the inventory, the last one first: the order of the configuration is not that of pmIndex. */
static inline void give_group(struct pm_inventory *inventory, const char *name, unsigned stagger_ms,
			      size_t count)
{
	struct pm_group_config *group;

	inventory->groups =
	    realloc(inventory->groups, (inventory->group_count + 1) * sizeof(*inventory->groups));
	assert_non_null(inventory->groups);
	group = &inventory->groups[inventory->group_count++];
	*group = (struct pm_group_config){.name = strdup(name),
					  .members = calloc(count + 1, sizeof(*group->members)),
					  .member_count = count,
					  .stagger_ms = stagger_ms};
	assert_non_null(group->members);
	for (size_t i = 0; i < count; i++)
		group->members[i] = &inventory->machines[count - 1 - i];
}

/* For a machine of the inventory, before or after its world has begun. */
static inline void give_bmc_config(struct pm_machine_config *config, const struct pm_credentials *credentials,
				   uint16_t port)
{
	config->bmc = calloc(1, sizeof(*config->bmc));
	assert_non_null(config->bmc);
	*config->bmc = (struct pm_bmc_config){.address = strdup("127.0.0.1"),
					      .port = port,
					      .credentials = credentials,
					      .timeout_ms = 1000,
					      .poll_interval_ms = 30000,
					      .misses = MISSES,
					      .power_interval_ms = 60000};
	config->off_methods[0] = PM_OFF_BMC_SOFT;
	config->off_methods[1] = PM_OFF_BMC;
	config->off_method_count = 2;
}

static inline void give_probe_config(struct pm_machine_config *config)
{
	config->probe = calloc(1, sizeof(*config->probe));
	assert_non_null(config->probe);
	*config->probe = (struct pm_probe_config){.method = PM_PROBE_TCP,
						  .address = strdup("127.0.0.1"),
						  .port = 22,
						  .timeout_ms = 1000,
						  .poll_interval_ms = 30000,
						  .misses = MISSES};
}

/* Without what could tell its state. */
static inline void take_sources_away(struct pm_machine_config *config)
{
	if (config->bmc)
		free(config->bmc->address);
	if (config->probe)
		free(config->probe->address);
	free(config->bmc);
	free(config->probe);
	config->bmc = NULL;
	config->probe = NULL;
}

static inline void give_nic_configs(struct pm_machine_config *config, size_t count)
{
	config->nics = calloc(count, sizeof(*config->nics));
	assert_non_null(config->nics);
	config->nic_count = count;
	for (size_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "eth%zu", i);
		config->nics[i] = (struct pm_nic_config){.name = strdup(name),
							 .mac = {2, 0, 0, 0, 0, (uint8_t)i},
							 .has_mac = true,
							 .wol = PM_WOL_ETHERNET,
							 .interface = strdup(""),
							 .address = strdup(""),
							 .port = 9};
	}
}

/* A BMC that nobody asks: answers come from the test. */
static inline void give_bmc(struct pm_machine *machine)
{
	machine->bmc = calloc(1, sizeof(*machine->bmc));
	assert_non_null(machine->bmc);
	machine->bmc->status = PM_BMC_UNKNOWN;
}

static inline struct pm_machine *world_machine(struct world *world, uint32_t index)
{
	struct pm_machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	machine->agent = &world->agent;
	machine->index = index;
	machine->config = &world->agent.inventory->machines[index - 1];
	machine->observed = PM_POWER_UNKNOWN;
	machine->source = PM_SOURCE_NONE;
	machine->os_reachable = PM_OS_UNKNOWN;
	machine->admin_state = PM_ADMIN_UNMANAGED;
	machine->last_result = PM_RESULT_NONE;
	machine->power_on_method = PM_ON_AUTO;
	pm_state_count(machine, 1);
	return machine;
}

static inline void give_nics(struct pm_machine *machine)
{
	const struct pm_machine_config *config = machine->config;

	machine->nics = calloc(config->nic_count, sizeof(*machine->nics));
	assert_non_null(machine->nics);
	machine->nic_count = config->nic_count;
	for (size_t i = 0; i < config->nic_count; i++)
		machine->nics[i] =
		    (struct pm_nic){.index = (uint32_t)i + 1, .machine = machine, .config = &config->nics[i]};
}

static inline void world_open_store(struct world *world)
{
	struct pm_error err = {""};

	if (pm_store_open(world->directory, &world->agent.store, &err) < 0 ||
	    pm_store_attach(world->agent.store, &world->loop, &err) < 0)
		fail_msg("%s", err.text);
}

/* An agent with the machines of inventory, pmIndex 1, 2, ...; nothing is polled. Its journal is in this directory. */
static inline void world_begin_in(struct world *world, struct pm_inventory *inventory, const char *directory)
{
	struct pm_agent *agent = &world->agent;

	memset(world, 0, sizeof(*world));
	alarm(120); /* a loop that does not end is a failure, too */
	pm_log_open(PM_LOG_STDERR, LOG_CRIT);
	snprintf(world->directory, sizeof(world->directory), "%s", directory);
	assert_int_equal(uv_loop_init(&world->loop), 0);
	agent->loop = &world->loop;
	agent->inventory = inventory;
	agent->flush_timer = pm_timer_new(&world->loop, world_flush, agent);
	world_open_store(world);
	assert_int_equal(pm_polling_new(agent), 0);
	assert_int_equal(pm_notify_new(agent, world_send), 0);
	assert_int_equal(pm_jobs_open(agent), 0);
	pm_settings_defaults(&(struct pm_setting_owner){.agent = agent});
	agent->machines = calloc(inventory->machine_count + 1, sizeof(struct pm_machine *));
	assert_non_null(agent->machines);
	for (; agent->machine_count < inventory->machine_count; agent->machine_count++)
		agent->machines[agent->machine_count] =
		    world_machine(world, (uint32_t)agent->machine_count + 1);
	world_sent_count = 0;
	world_sent_max = SENT_MAX;
}

static inline void world_begin(struct world *world, struct pm_inventory *inventory)
{
	char directory[sizeof(world->directory)];

	make_directory(directory, sizeof(directory));
	world_begin_in(world, inventory, directory);
}

/* Runs the loop until nothing but timers far away is left, or for a moment. */
static inline void world_run(struct world *world)
{
	uv_run(&world->loop, UV_RUN_NOWAIT);
}

static inline void world_free_machines(struct pm_agent *agent)
{
	for (size_t i = 0; i < agent->machine_count; i++) {
		pm_event_free_all(agent->machines[i]);
		pm_jobs_forget(agent->machines[i]);
		pm_stack_free(agent->machines[i]);
		pm_os_free(agent->machines[i]);
		pm_flush_forget(agent->machines[i]);
		free(agent->machines[i]->bmc);
		free(agent->machines[i]->nics);
		free(agent->machines[i]);
	}
	free(agent->machines);
	agent->machines = NULL;
	agent->machine_count = 0;
}

static inline void world_end(struct world *world)
{
	struct pm_agent *agent = &world->agent;

	agent->stopping = true;
	agent->flush_now = false; /* what is not written by now is lost */
	world_free_machines(agent);
	pm_polling_free(agent);
	pm_groups_free(agent);
	pm_notify_free(agent);
	pm_jobs_close(agent);
	pm_timer_free(agent->flush_timer);
	if (agent->host_runner)
		agent->host_driver->stop(agent->host_runner, 0, world_ignore_timer, NULL);
	uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
	pm_inventory_free(agent->inventory);
	pm_store_close(agent->store);
	remove_directory(world->directory);
}

static inline void run_for(struct world *world, uint64_t duration_ms)
{
	uint64_t end_ms = uv_now(&world->loop) + duration_ms;

	while (uv_now(&world->loop) < end_ms) { /* UV_RUN_ONCE may wait for ever once its timer has fired */
		uv_run(&world->loop, UV_RUN_NOWAIT);
		usleep(200);
	}
}

/* Sends what is queued, as a master that is there would take it. */
static inline void world_drain(struct world *world)
{
	uint32_t pending = 1;

	pm_notify_connected(&world->agent, true);
	while (pending && world_sent_count < world_sent_max) {
		pending = pm_notify_counts(&world->agent).pending;
		if (pending)
			uv_run(&world->loop, UV_RUN_ONCE);
	}
	pm_notify_connected(&world->agent, false);
}

/* Whether a notification of this type about this machine was sent; the last of them. */
static inline const struct pm_notification *world_told(enum pm_notification_type type, uint32_t machine)
{
	for (unsigned i = world_sent_count; i-- > 0;)
		if (world_sent[i].type == type && world_sent[i].machine == machine)
			return &world_sent[i];
	return NULL;
}

static inline void bmc_says(struct pm_machine *machine, bool on)
{
	struct ipmi_reply reply = {.result = IPMI_OK, .chassis = {.power_on = on}};

	pm_state_chassis(machine, &reply);
}

static inline void bmc_misses(struct pm_machine *machine, enum ipmi_result result)
{
	struct ipmi_reply reply = {.result = result, .text = "no answer"};

	pm_state_chassis(machine, &reply);
}

/* xorshift32 (Marsaglia, 2003): the same numbers in every run. */
static inline uint32_t repeatable_random(uint32_t limit)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % limit;
}

#endif
