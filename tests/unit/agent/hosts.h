/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Machines whose operating systems are the fake's (tests/sim/fake_host.h), and probes that tell what is true of them. */
#ifndef PM_TEST_HOSTS_H
#define PM_TEST_HOSTS_H

#include "agent/os.h"
#include "tests/sim/fake_host.h"
#include "tests/unit/agent/jobs.h"

#define HOST_INTERVAL_MS 300000 /* long: what is asked is asked for a reason */

/* For a machine of the inventory; ssh to this address. */
static inline void give_host_config(struct pm_machine_config *config, const char *address)
{
	config->host = calloc(1, sizeof(*config->host));
	assert_non_null(config->host);
	*config->host = (struct pm_host_config){.ssh = strdup(address),
						.user = strdup("pmstack"),
						.address = strdup(address),
						.port = 22,
						.timeout_ms = 300,
						.poll_interval_ms = HOST_INTERVAL_MS};
	for (size_t i = config->off_method_count++; i > 0; i--)
		config->off_methods[i] = config->off_methods[i - 1];
	config->off_methods[0] = PM_OFF_HOST;
}

/* To be called when the world has begun: its machines that have a host are asked from now on. */
static inline void world_give_hosts(struct world *world)
{
	struct pm_agent *agent = &world->agent;

	agent->host_driver = &fake_host;
	if (!agent->inventory->agent.ssh_parallel)
		agent->inventory->agent.ssh_parallel = 64;
	if (!agent->inventory->agent.misses)
		agent->inventory->agent.misses = MISSES;
	for (size_t i = 0; i < agent->machine_count; i++)
		assert_int_equal(pm_os_apply(agent->machines[i]), 0);
}

static inline struct fake_os *os_of(const struct pm_machine *machine)
{
	const struct pm_host_config *host = machine->config->host;

	return fake_os_find(host->local ? host->socket : host->address);
}

/* The probe asks once, and tells what is true. */
static inline void probe_tells(struct pm_machine *machine)
{
	bool up = fake_os_pings(os_of(machine));

	pm_state_probe(machine, up ? PM_PROBE_UP : PM_PROBE_SILENT, "");
}

static inline void probe_tells_all(struct world *world)
{
	for (size_t i = 0; i < world->agent.machine_count; i++) {
		struct pm_machine *machine = world->agent.machines[i];

		if (machine->config->probe && machine->config->host)
			probe_tells(machine);
	}
}

/* What a job does: asks for it in the boot that is known, and notes what it agrees to. */
struct host_verb_run {
	struct pm_machine *machine;
	enum pm_rest rest;
	char boot_id[HOST_ID_SIZE];
	enum host_result result; /* 0: under way */
	char text[128];
};

static inline void host_verb_done(const struct host_reply *reply, void *data)
{
	struct host_verb_run *run = data;

	run->result = reply->result;
	snprintf(run->text, sizeof(run->text), "%s", reply->text);
	if (reply->result == HOST_OK)
		pm_os_rests(run->machine, run->rest, run->boot_id);
}

static inline enum pm_rest rest_after(enum host_verb verb)
{
	return verb == HOST_POWEROFF  ? PM_REST_OFF
	       : verb == HOST_SUSPEND ? PM_REST_SUSPENDED
	       : verb == HOST_REBOOT  ? PM_REST_REBOOT
				      : PM_REST_HIBERNATED;
}

static inline void host_verb_begin(struct host_verb_run *run, struct pm_machine *machine, enum host_verb verb)
{
	struct host_request request = {.verb = verb, .done = host_verb_done, .data = run};

	*run = (struct host_verb_run){.machine = machine, .rest = rest_after(verb)};
	snprintf(run->boot_id, sizeof(run->boot_id), "%s", machine->os->report.boot_id);
	request.boot_id = run->boot_id;
	pm_os_asks(machine);
	assert_non_null(machine->agent->host_driver->submit(machine->os->client, &request));
}

/* The loop runs, and all probes are asked every so often. */
static inline void run_probing(struct world *world, uint64_t duration_ms, uint64_t interval_ms)
{
	uint64_t end_ms = uv_now(&world->loop) + duration_ms;

	while (uv_now(&world->loop) < end_ms) {
		probe_tells_all(world);
		run_for(world, interval_ms);
	}
}

/* The state directory as it is on the disk, for an agent that begins where this one is killed. */
static inline void copy_store(const struct world *world, const char *to)
{
	static const char *const files[] = {PM_STORE_FILE, PM_STORE_FILE "-wal"};
	char source[256], target[256];

	for (size_t i = 0; i < LENGTH(files); i++) {
		snprintf(source, sizeof(source), "%s/%s", world->directory, files[i]);
		snprintf(target, sizeof(target), "%s/%s", to, files[i]);
		copy_file(source, target);
	}
}

#endif
