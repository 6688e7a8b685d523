/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Three machines with fake operating systems, for the tests of agent/os*.c: what happens to them, and what is shown. */
#ifndef PM_TEST_OS_WORLD_H
#define PM_TEST_OS_WORLD_H

#include "tests/unit/agent/hosts.h"

static struct world world;
static struct pm_machine *m1, *m2, *m3; /* host and probe; host alone; host, probe and BMC */
static struct fake_os *os1, *os2, *os3;

static inline struct pm_inventory *make_inventory(void)
{
	struct pm_inventory *inventory = world_inventory(3);

	give_probe_config(&inventory->machines[0]);
	give_probe_config(&inventory->machines[2]);
	give_bmc_config(&inventory->machines[2], NULL, 623);
	give_host_config(&inventory->machines[0], "a1");
	give_host_config(&inventory->machines[1], "a2");
	give_host_config(&inventory->machines[2], "a3");
	give_nic_configs(&inventory->machines[0], 2);
	return inventory;
}

static inline void take_machines(void)
{
	world_give_hosts(&world);
	m1 = world.agent.machines[0];
	m2 = world.agent.machines[1];
	m3 = world.agent.machines[2];
	give_bmc(m3);
	give_nics(m1);
}

static inline int set_up(void **state)
{
	(void)state;
	os1 = fake_os_new("a1");
	os2 = fake_os_new("a2");
	os3 = fake_os_new("a3");
	world_begin(&world, make_inventory());
	take_machines();
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	fake_os_free_all();
	return 0;
}

static inline void restore(const struct pm_stored_state *stored, void *data)
{
	struct pm_machine *machine = pm_agent_machine(data, stored->machine);

	pm_state_restore(machine, stored);
	pm_os_restore(machine, stored);
}

/* The agent is killed, and begins again with what is on the disk. */
static inline void restart(void)
{
	char directory[sizeof(world.directory)];
	struct pm_error err = {""};

	make_directory(directory, sizeof(directory));
	copy_store(&world, directory);
	world_end(&world);
	world_begin_in(&world, make_inventory(), directory);
	take_machines();
	assert_int_equal(pm_store_states_load(world.agent.store, restore, &world.agent, &err), 0);
}

static inline void assert_state(const struct pm_machine *machine, enum pm_power_state state,
				enum pm_state_source source)
{
	assert_string_equal(pm_power_state_name(pm_machine_power_state(machine)), pm_power_state_name(state));
	assert_int_equal(machine->source, source);
}

static inline unsigned events_with(const struct pm_machine *machine, const char *text)
{
	const struct pm_event *event;
	unsigned count = 0;

	for (uint32_t i = 1; (event = pm_event_from(machine, i)); i = event->index + 1)
		count += event->text && strstr(event->text, text);
	return count;
}

static inline void run_until_idle(void)
{
	run_for(&world, 3);
	while (fake_host_running() || world.agent.os_first)
		run_for(&world, 1);
}

/* Until every machine has been asked for the first time. */
static inline void settle(void)
{
	run_until_idle();
	while (!m1->os->asked_ms || !m2->os->asked_ms || !m3->os->asked_ms)
		run_for(&world, 1);
	probe_tells(m1);
	probe_tells(m3);
	bmc_says(m3, true);
	run_until_idle();
}

static inline void probes(struct pm_machine *machine, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		probe_tells(machine);
		run_until_idle();
	}
}

static inline void ask(struct pm_machine *machine)
{
	pm_os_ask(machine);
	run_until_idle();
}

static inline enum host_result agrees(struct pm_machine *machine, enum host_verb verb)
{
	static struct host_verb_run run;

	host_verb_begin(&run, machine, verb);
	run_until_idle();
	return run.result;
}

/* It does what it has agreed to, and its probe finds that out. */
static inline void goes(struct pm_machine *machine, enum host_verb verb)
{
	assert_int_equal(agrees(machine, verb), HOST_OK);
	probes(machine, MISSES + 1);
}

#endif
