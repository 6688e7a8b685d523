/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Machines with stacks for the tests of their model: hypervisors that are not there (tests/sim/fake_hypervisor.h), told of by
 * the configuration, and what was told of them.
 */
#ifndef PM_TEST_VMS_H
#define PM_TEST_VMS_H

#include "agent/flush.h"
#include "agent/vm.h"
#include "tests/sim/fake_hypervisor.h"
#include "tests/unit/agent/support.h"

#define VMS_WAIT_MS 10000

/* Its number; guest: the VM of hypervisor number on in which it runs, NULL: on the machine itself. */
static inline size_t give_hypervisor_config(struct pm_machine_config *config, const char *uri,
					    const char *guest, size_t on)
{
	size_t number = config->hypervisor_count++;

	config->hypervisors =
	    realloc(config->hypervisors, config->hypervisor_count * sizeof(*config->hypervisors));
	assert_non_null(config->hypervisors);
	config->hypervisors[number] = (struct pm_hypervisor_config){.uri = strdup(uri),
								    .shown = strdup(uri),
								    .guest = guest ? strdup(guest) : NULL,
								    .on = on,
								    .parallel = 10,
								    .suspend = PM_SUSPEND_PAUSE,
								    .connect_timeout_s = 300,
								    .poll_interval_ms = 30000,
								    .file = "unit.conf",
								    .line = (int)number + 1};
	return number;
}

/* The loop turns until this holds, for at most VMS_WAIT_MS. */
#define run_until(world, holds)                                                       \
	do {                                                                          \
		for (int waited_ = 0; !(holds) && waited_ < VMS_WAIT_MS; waited_++) { \
			uv_run(&(world)->loop, UV_RUN_NOWAIT);                        \
			usleep(1000);                                                 \
		}                                                                     \
		assert_true(holds);                                                   \
	} while (0)

static inline void run_for_ms(struct world *world, int ms)
{
	for (; ms > 0; ms--) {
		uv_run(&world->loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
}

/* The row of this name; NULL: none. */
static inline struct pm_vm *vm_named(const struct pm_machine *machine, const char *name)
{
	for (size_t i = 0; i < machine->vm_count; i++)
		if (strcmp(machine->vms[i]->name, name) == 0)
			return machine->vms[i];
	return NULL;
}

static inline enum pm_vm_state state_of(const struct pm_machine *machine, const char *name)
{
	const struct pm_vm *vm = vm_named(machine, name);

	return vm ? pm_vm_state(vm) : 0;
}

static inline const char *last_event(const struct pm_machine *machine)
{
	const struct pm_event *event = pm_event_from(machine, machine->event_last);

	return event ? event->text : "";
}

/* Whether one of the events after this index says it. */
static inline bool event_says(const struct pm_machine *machine, uint32_t after, const char *words)
{
	const struct pm_event *event;

	for (uint32_t i = after + 1; (event = pm_event_from(machine, i)); i++)
		if (strstr(event->text, words))
			return true;
	return false;
}

/* What was told of VMs since the queue was drained last: "name old>new" each. */
static inline const char *told_of_vms(struct world *world)
{
	static char text[4096];
	size_t length = 0;

	text[0] = '\0';
	world_sent_count = 0;
	world_drain(world);
	for (unsigned i = 0; i < world_sent_count && i < SENT_MAX; i++) {
		const struct pm_notification *n = &world_sent[i];

		if (n->type == PM_NOTIFY_VM_STATE_CHANGE && length < sizeof(text))
			length += (size_t)snprintf(
			    text + length, sizeof(text) - length, "%s%s %s>%s", length ? ", " : "",
			    n->vm_name, pm_vm_state_name(n->old_vm_state), pm_vm_state_name(n->vm_state));
	}
	return text;
}

#endif
