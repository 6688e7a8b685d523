/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/fleet.h"

#include "agent/event.h"
#include "agent/group.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/os.h"
#include "agent/poll.h"
#include "agent/settings.h"
#include "agent/state.h"
#include "agent/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- look-up ---------------------------------------------------------------------------------- */

struct pm_machine *pm_agent_machine(const struct pm_agent *agent, uint32_t index)
{
	size_t low = 0, high = agent->machine_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (agent->machines[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < agent->machine_count && agent->machines[low]->index == index ? agent->machines[low]
										  : NULL;
}

struct pm_nic *pm_machine_nic(const struct pm_machine *machine, uint32_t index)
{
	for (size_t i = 0; i < machine->nic_count; i++)
		if (machine->nics[i].index == index)
			return &machine->nics[i];
	return NULL;
}

enum pm_power_state pm_machine_power_state(const struct pm_machine *machine)
{
	return machine->transition ? machine->transition : machine->observed;
}

/* --- a machine's parts ------------------------------------------------------------------------ */

static bool same_secret(const struct pm_secret *a, const struct pm_secret *b)
{
	return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

static bool same_bmc(const struct pm_bmc_config *a, const struct pm_bmc_config *b)
{
	const struct pm_credentials *x = a->credentials, *y = b->credentials;

	return strcmp(a->address, b->address) == 0 && a->port == b->port && a->timeout_ms == b->timeout_ms &&
	       strcmp(x->username, y->username) == 0 && same_secret(&x->password, &y->password) &&
	       same_secret(&x->kg, &y->kg) && x->privilege == y->privilege &&
	       x->workarounds == y->workarounds && x->ipmi_version == y->ipmi_version &&
	       x->cipher_suite_count == y->cipher_suite_count &&
	       memcmp(x->cipher_suites, y->cipher_suites, x->cipher_suite_count) == 0;
}

static struct ipmi_bmc_config ipmi_config(const struct pm_machine_config *machine)
{
	const struct pm_bmc_config *config = machine->bmc;
	const struct pm_credentials *credentials = config->credentials;
	bool is_1_5 = credentials->ipmi_version == PM_IPMI_1_5;

	return (struct ipmi_bmc_config){.label = machine->name,
					.host = config->address,
					.port = config->port,
					.username = credentials->username,
					.version = is_1_5 ? IPMI_VERSION_1_5 : IPMI_VERSION_2_0,
					.password = credentials->password.data,
					.password_length = credentials->password.length,
					.kg = credentials->kg.data,
					.kg_length = credentials->kg.length,
					.privilege = (enum ipmi_privilege)credentials->privilege,
					.cipher_suites = credentials->cipher_suites,
					.cipher_suite_count = credentials->cipher_suite_count,
					.timeout_ms = config->timeout_ms,
					.workarounds = credentials->workarounds};
}

static int open_bmc(struct pm_agent *agent, const struct pm_machine_config *machine, struct ipmi_bmc **out)
{
	const struct ipmi_bmc_config ipmi = ipmi_config(machine);

	return ipmi_bmc_new(agent->ipmi, &ipmi, out);
}

static int check_bmc(const struct pm_machine_config *machine, struct pm_error *err)
{
	const struct ipmi_bmc_config ipmi = ipmi_config(machine);

	if (!ipmi_bmc_config_valid(&ipmi))
		return pm_fail(
		    err, EINVAL,
		    "%s:%d: machine %s: credentials \"%s\" have a version of IPMI, a cipher suite or a "
		    "workaround that this version of pmstackd does not support",
		    machine->file, machine->line, machine->name, machine->bmc->credentials->name);
	return 0;
}

int pm_fleet_check(const struct pm_inventory *inventory, struct pm_error *err)
{
	int error = 0;

	for (size_t i = 0; i < inventory->machine_count && !error; i++)
		if (inventory->machines[i].bmc)
			error = check_bmc(&inventory->machines[i], err);
	return error;
}

/* The callbacks of requests that end here must not find it any more. */
static void free_bmc(struct pm_machine *machine)
{
	struct pm_bmc *bmc = machine->bmc;

	if (!bmc)
		return;
	machine->bmc = NULL;
	ipmi_bmc_free(bmc->ipmi);
	free(bmc);
}

static int make_nics(struct pm_machine *machine, const struct pm_machine_config *config, struct pm_nic **out,
		     struct pm_error *err)
{
	struct pm_nic *nics = calloc(config->nic_count ? config->nic_count : 1, sizeof(*nics));
	int error;

	*out = nics;
	if (!nics)
		return pm_fail(err, ENOMEM, "no memory");
	for (size_t i = 0; i < config->nic_count; i++) {
		error = pm_store_nic_index(machine->agent->store, machine->index, config->nics[i].name,
					   &nics[i].index, err);
		if (error)
			return error;
		const struct pm_nic *old = pm_machine_nic(machine, nics[i].index);
		uint32_t index = nics[i].index;

		if (old)
			nics[i] = *old;
		nics[i].index = index;
		nics[i].machine = machine;
		nics[i].config = &config->nics[i];
		if (!old)
			nics[i].last_result = PM_RESULT_NONE;
	}
	return 0;
}

static void free_machine(struct pm_machine *machine)
{
	pm_poll_stop(machine);
	pm_stack_stop(machine);
	pm_os_free(machine);
	free_bmc(machine);
	pm_flush_forget(machine);
	pm_event_free_all(machine);
	pm_jobs_forget(machine);
	pm_stack_free(machine);
	free(machine->nics);
	free(machine);
}

static struct pm_machine *new_machine(struct pm_agent *agent, uint32_t index)
{
	struct pm_machine *machine = calloc(1, sizeof(*machine));

	if (!machine)
		return NULL;
	machine->agent = agent;
	machine->index = index;
	machine->observed = PM_POWER_UNKNOWN;
	machine->source = PM_SOURCE_NONE;
	machine->os_reachable = PM_OS_UNKNOWN;
	machine->last_result = PM_RESULT_NONE;
	return machine;
}

/* --- apply: first everything that can fail, on the side --------------------------------------- */

struct change {
	struct pm_machine *machine; /* existing or new */
	const struct pm_machine_config *config;
	struct pm_nic *nics;
	struct ipmi_bmc *ipmi; /* NULL: keeps what it has */
	bool is_new;
};

static int prepare_bmc(struct pm_agent *agent, struct change *change, struct pm_error *err)
{
	const struct pm_machine *machine = change->machine;
	const struct pm_machine_config *config = change->config;
	int error;

	if (!config->bmc || (machine->bmc && same_bmc(machine->config->bmc, config->bmc)))
		return 0;
	error = open_bmc(agent, config, &change->ipmi);
	return error ? pm_fail(err, -error, "machine %s: no memory for its BMC", config->name) : 0;
}

static int prepare(struct pm_agent *agent, const struct pm_inventory *inventory,
		   const struct pm_machine_config *config, struct change *change, struct pm_error *err)
{
	const struct pm_agent_config *settings = &inventory->agent;
	uint32_t index;
	int error;

	change->config = config;
	error = pm_store_machine_index(agent->store, config->name, settings->rows_first, settings->rows_last,
				       &index, err);
	if (error)
		return error;
	change->machine = pm_agent_machine(agent, index);
	if (!change->machine) {
		change->machine = new_machine(agent, index);
		change->is_new = true;
	}
	if (!change->machine)
		return pm_fail(err, ENOMEM, "no memory for machine %s", config->name);
	error = make_nics(change->machine, config, &change->nics, err);
	return error ? error : prepare_bmc(agent, change, err);
}

static void forget(struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(changes[i].nics);
		if (changes[i].ipmi)
			ipmi_bmc_free(changes[i].ipmi);
		if (changes[i].is_new)
			free(changes[i].machine);
	}
	free(changes);
}

static int prepare_all(struct pm_agent *agent, const struct pm_inventory *inventory, struct change *changes,
		       struct pm_error *err)
{
	int error = pm_store_begin(agent->store, err);

	for (size_t i = 0; i < inventory->machine_count && !error; i++)
		error = prepare(agent, inventory, &inventory->machines[i], &changes[i], err);
	if (error)
		pm_store_rollback(agent->store);
	return error ? error : pm_store_commit(agent->store, err);
}

/* --- apply: then the switch, which cannot fail ------------------------------------------------ */

/* What managers were told of the one before holds for this one: that it is down, until it is up. */
static struct pm_bmc *new_bmc(struct ipmi_bmc *ipmi, const struct pm_bmc *before)
{
	struct pm_bmc *bmc = calloc(1, sizeof(*bmc));

	if (!bmc) {
		ipmi_bmc_free(ipmi);
		return NULL;
	}
	bmc->status = PM_BMC_UNKNOWN;
	bmc->ipmi = ipmi;
	if (before) {
		bmc->down = before->down;
		bmc->up_answers = before->up_answers;
		bmc->up_loop_ms = before->up_loop_ms;
	}
	return bmc;
}

/* There will be no pmBmcUp. */
static void note_end_of_down(struct pm_machine *machine)
{
	machine->state_dirty = true;
	pm_event_add(machine, PM_EVENT_CONFIGURATION, PM_SEVERITY_OK,
		     "its BMC, which was down, is no longer configured");
}

static void take_bmc(struct change *change)
{
	struct pm_machine *machine = change->machine;
	struct pm_bmc *bmc = NULL;

	if (change->config->bmc && !change->ipmi)
		return;
	if (change->ipmi)
		bmc = new_bmc(change->ipmi, machine->bmc);
	else if (machine->bmc && machine->bmc->down)
		note_end_of_down(machine);
	free_bmc(machine);
	machine->bmc = bmc;
}

static bool same_probe(const struct pm_probe_config *a, const struct pm_probe_config *b)
{
	if (!a || !b)
		return !a && !b;
	return a->method == b->method && a->port == b->port && strcmp(a->address, b->address) == 0;
}

static void take(struct change *change)
{
	struct pm_machine *machine = change->machine;
	bool other_bmc = !change->is_new && (change->ipmi || (machine->bmc && !change->config->bmc));
	bool other_probe = !change->is_new && !same_probe(machine->config->probe, change->config->probe);

	if (other_bmc ||
	    other_probe) /* else a question that is under way is answered, or missed, as it would be */
		pm_poll_stop(machine);
	take_bmc(change);
	free(machine->nics);
	machine->nics = change->nics;
	machine->nic_count = change->config->nic_count;
	machine->config = change->config;
	machine->configured = true;
	if (other_probe) {
		machine->os_reachable = PM_OS_UNKNOWN;
		machine->probe_misses = 0;
		machine->probe_trouble[0] = '\0';
		machine->probe_clock.due_ms = 0;
	}
	pm_os_sources_changed(machine, other_bmc, other_probe);
	if (other_bmc || other_probe)
		pm_state_sources_changed(machine);
}

static void settle(struct pm_agent *agent, struct pm_machine *machine)
{
	pm_settings_defaults(&(struct pm_setting_owner){.agent = agent, .machine = machine});
	for (size_t i = 0; i < machine->nic_count; i++)
		pm_settings_defaults(
		    &(struct pm_setting_owner){.agent = agent, .machine = machine, .nic = &machine->nics[i]});
	for (size_t i = 0; i < machine->vm_count; i++)
		pm_settings_defaults(
		    &(struct pm_setting_owner){.agent = agent, .machine = machine, .vm = machine->vms[i]});
}

static void remove_gone(struct pm_agent *agent)
{
	for (size_t i = 0; i < agent->machine_count; i++) {
		struct pm_machine *machine = agent->machines[i];

		if (machine->configured)
			continue;
		pm_log(LOG_NOTICE, "machine %s (index %u) is no longer configured", machine->config->name,
		       machine->index);
		pm_job_abort(machine, "the machine was removed from the configuration");
	}
	pm_flush(agent); /* what was told of them is kept in the store */
	for (size_t i = 0; i < agent->machine_count; i++) {
		if (agent->machines[i]->configured)
			continue;
		pm_state_count(agent->machines[i], -1);
		free_machine(agent->machines[i]);
	}
}

static int by_index(const void *a, const void *b)
{
	const struct pm_machine *const *x = a, *const *y = b;

	return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

static void restore_state(const struct pm_stored_state *state, void *data)
{
	struct pm_machine *machine = pm_agent_machine(data, state->machine);

	if (!machine || machine->last_known || machine->observed_ms)
		return;
	pm_state_restore(machine, state);
	pm_os_restore(machine, state);
}

static void restore_event(const struct pm_stored_event *event, void *data)
{
	struct pm_machine *machine = pm_agent_machine(data, event->machine);

	if (machine)
		pm_event_restore(machine, event);
}

static void restore(struct pm_agent *agent)
{
	struct pm_error err = {""};

	if (pm_store_states_load(agent->store, restore_state, agent, &err) < 0 ||
	    pm_store_events_load(agent->store, restore_event, agent, &err) < 0 ||
	    pm_stack_restore(agent, &err) < 0)
		pm_log(LOG_ERR, "what was known before can not be read: %s", err.text);
}

static void switch_to(struct pm_agent *agent, struct pm_inventory *inventory, struct change *changes,
		      struct pm_machine **machines)
{
	struct pm_inventory *old = agent->inventory;
	size_t count = inventory->machine_count;
	bool any_new = false, readable;

	if (agent->rows_change)
		agent->rows_change(agent);
	for (size_t i = 0; i < agent->machine_count; i++)
		agent->machines[i]->configured = false;
	for (size_t i = 0; i < count; i++)
		changes[i].machine->configured = true;
	agent->jobs_held = true; /* jobs that end here must not start others, of machines that go next */
	remove_gone(agent);
	agent->jobs_held = false;
	for (size_t i = 0; i < count; i++) {
		take(&changes[i]);
		machines[i] = changes[i].machine;
		any_new |= changes[i].is_new;
		if (changes[i].is_new)
			pm_state_count(changes[i].machine, 1);
	}
	qsort(machines, count, sizeof(struct pm_machine *), by_index);
	free(agent->machines);
	agent->machines = machines;
	agent->machine_count = count;
	agent->inventory = inventory;
	pm_os_apply_all(agent);
	if (any_new)
		restore(agent);
	for (size_t i = 0; i < count; i++)
		pm_stack_apply(machines[i]);
	pm_inventory_free(old);
	readable = pm_settings_readable(agent);
	pm_groups_rebuild(agent, !readable);
	for (size_t i = 0; i < count; i++)
		if (readable || changes[i].is_new)
			settle(agent, changes[i].machine);
	if (readable)
		pm_settings_load(agent);
}

int pm_fleet_apply(struct pm_agent *agent, struct pm_inventory *inventory, struct pm_error *err)
{
	size_t room = inventory->machine_count ? inventory->machine_count : 1;
	struct change *changes = calloc(room, sizeof(*changes));
	struct pm_machine **machines = calloc(room, sizeof(struct pm_machine *));
	int error = changes && machines ? prepare_all(agent, inventory, changes, err)
					: pm_fail(err, ENOMEM, "no memory");

	if (error) {
		free(machines);
		forget(changes, changes ? inventory->machine_count : 0);
		return error;
	}
	switch_to(agent, inventory, changes, machines);
	free(changes);
	for (size_t i = 0; i < agent->machine_count; i++)
		if (pm_poll_start(agent->machines[i]) < 0)
			pm_log(LOG_ERR, "no memory to poll machine %s", agent->machines[i]->config->name);
	pm_jobs_reloaded(agent);
	if (agent->rows_changed)
		agent->rows_changed(agent);
	return 0;
}

void pm_fleet_stop(struct pm_agent *agent)
{
	for (size_t i = 0; i < agent->machine_count; i++)
		pm_poll_stop(agent->machines[i]);
	for (size_t i = 0; i < agent->machine_count; i++)
		pm_stack_stop(agent->machines[i]);
	for (size_t i = 0; i < agent->machine_count; i++)
		pm_os_stop(agent->machines[i]);
}

void pm_fleet_free(struct pm_agent *agent)
{
	for (size_t i = 0; i < agent->machine_count; i++) {
		free(agent->machines[i]->bmc); /* what it spoke to was freed with the engine */
		agent->machines[i]->bmc = NULL;
		free_machine(agent->machines[i]);
	}
	pm_groups_free(agent);
	free(agent->machines);
	agent->machines = NULL;
	agent->machine_count = 0;
	pm_inventory_free(agent->inventory);
	agent->inventory = NULL;
}
