/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to hypervisors: the agent starts, reloads and stops. */
#include "agent/event.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/state.h"
#include "agent/vm_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- connections ------------------------------------------------------------------------------ */

static void close_connection(struct pm_hypervisor *hypervisor)
{
	struct pm_stack_link *link = hypervisor->link;

	if (hypervisor->connection)
		hypervisor->machine->agent->stack_driver->close(hypervisor->connection);
	hypervisor->connection = NULL;
	hypervisor->link = NULL;
	if (link)
		pm_timer_free(link->timer);
	free(link);
}

static bool open_connection(struct pm_hypervisor *hypervisor)
{
	struct pm_agent *agent = hypervisor->machine->agent;
	struct pm_stack_link *link = calloc(1, sizeof(*link));
	const struct stack_options options = {.uri = hypervisor->config->uri,
					      .label = hypervisor->machine->config->name,
					      .list_interval_ms = hypervisor->config->poll_interval_ms,
					      .on_event = pm_stack_on_event,
					      .data = link};

	hypervisor->link = link;
	if (!link)
		return false;
	link->hypervisor = hypervisor;
	link->timer = pm_timer_new(agent->loop, pm_stack_on_timer, link);
	hypervisor->connection = agent->stack_driver->open(agent->loop, &options);
	pm_stack_note_open(hypervisor);
	return link->timer && hypervisor->connection;
}

static void open_new(struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->hypervisor_count && machine->agent->stack_driver; i++)
		if (!machine->hypervisors[i].link && !open_connection(&machine->hypervisors[i]))
			pm_log(LOG_ERR, "%s: no memory for hypervisor %s", machine->config->name,
			       machine->hypervisors[i].config->shown);
}

/* --- a reload --------------------------------------------------------------------------------- */

/* What there is before and after it. */
struct reload {
	struct pm_machine *machine;
	struct pm_hypervisor *old, *new;
	size_t old_count, new_count;
	size_t *to; /* by the number of an old one: that of the new one, from 1; 0: none */
};

static bool is_taken(const struct reload *reload, size_t number)
{
	for (size_t i = 0; i < reload->old_count; i++)
		if (reload->to[i] == number + 1)
			return true;
	return false;
}

static void match_by_uri(struct reload *reload)
{
	for (size_t i = 0; i < reload->old_count; i++)
		for (size_t j = 0; j < reload->new_count && !reload->to[i]; j++)
			if (strcmp(reload->old[i].config->uri, reload->new[j].config->uri) == 0)
				reload->to[i] = j + 1;
}

/* On the machine itself; or in the VM of the same name of the same hypervisor. */
static bool is_same_place(const struct reload *reload, const struct pm_hypervisor *old,
			  const struct pm_hypervisor *new)
{
	if (!old->on || !new->on)
		return !old->on && !new->on;
	return strcmp(old->config->guest, new->config->guest) == 0 &&
	       reload->to[old->config->on] == new->config->on + 1;
}

/* The only one that has gone from a place, and the only one that has come there. */
static size_t successor(const struct reload *reload, size_t number)
{
	const struct pm_hypervisor *old = &reload->old[number];
	size_t gone = 0, come = 0, last = 0;

	for (size_t i = 0; i < reload->new_count; i++)
		if (!is_taken(reload, i) && is_same_place(reload, old, &reload->new[i])) {
			come++;
			last = i;
		}
	for (size_t i = 0; come == 1 && i < reload->old_count; i++)
		gone += !reload->to[i] && is_same_place(reload, &reload->old[i], &reload->new[last]);
	return come == 1 && gone == 1 ? last + 1 : 0;
}

/* The same hypervisor by another URI: parents come before those that run on them. */
static void match_by_place(struct reload *reload)
{
	for (size_t i = 0; i < reload->old_count; i++)
		if (!reload->to[i])
			reload->to[i] = successor(reload, i);
}

static bool is_same_connection(const struct pm_hypervisor *old, const struct pm_hypervisor *new)
{
	return strcmp(old->config->uri, new->config->uri) == 0 &&
	       old->config->poll_interval_ms == new->config->poll_interval_ms;
}

static void keep(struct pm_hypervisor *old, struct pm_hypervisor *new)
{
	const struct pm_hypervisor_config *config = new->config;
	struct pm_hypervisor *on = new->on;

	*new = *old;
	new->config = config;
	new->on = on;
	new->host = NULL;
	new->had_host = false;
	new->link->hypervisor = new;
	*old = (struct pm_hypervisor){.machine = old->machine, .config = old->config};
}

/* Its VMs are unknown until it is connected again; what was told of it holds. */
static void begin_anew(struct pm_hypervisor *old, struct pm_hypervisor *new)
{
	new->told_down = old->told_down;
	new->hold_ms = old->hold_ms;
	new->told_up_loop_ms = old->told_up_loop_ms;
	new->listed_loop_ms = old->listed_loop_ms;
	new->holds = old->holds;
}

static void carry_over(struct reload *reload)
{
	for (size_t i = 0; i < reload->old_count; i++) {
		struct pm_hypervisor *old = &reload->old[i];
		struct pm_hypervisor *new = reload->to[i] ? &reload->new[reload->to[i] - 1] : NULL;

		if (new && old->link && is_same_connection(old, new))
			keep(old, new);
		else if (new)
			begin_anew(old, new);
	}
}

/* Of what is under way there jobs are told; they find all as it is now. */
static void close_old(struct reload *reload)
{
	for (size_t i = 0; i < reload->old_count; i++)
		close_connection(&reload->old[i]);
}

static const char *uri_of(const struct pm_hypervisor *hypervisor)
{
	return hypervisor->config ? hypervisor->config->uri : "";
}

/* Those of hypervisors that are gone, and those of the store whose hypervisor is not configured any more, have none. */
static void move_rows(struct reload *reload)
{
	struct pm_machine *machine = reload->machine;

	for (size_t i = 0; i < machine->vm_count; i++) {
		struct pm_vm *vm = machine->vms[i];
		size_t number = vm->hypervisor ? reload->to[vm->hypervisor - reload->old] : vm->home;

		vm->dirty |= vm->hypervisor && number &&
			     strcmp(uri_of(vm->hypervisor), uri_of(&reload->new[number - 1])) != 0;
		vm->hypervisor = number ? &reload->new[number - 1] : NULL;
		vm->home = 0;
		vm->shutdown_timeout_s = 0; /* lasts until a reload */
	}
}

static void tell_removed(struct pm_machine *machine, const char *shown, unsigned rows)
{
	pm_event_add(machine, PM_EVENT_CONFIGURATION, PM_SEVERITY_OK,
		     "hypervisor %.120s is no longer configured: its VMs leave the table (%u)", shown, rows);
}

static void remove_rows(struct pm_machine *machine)
{
	for (size_t i = machine->vm_count; i-- > 0;)
		if (!machine->vms[i]->hypervisor)
			pm_vm_remove(machine->vms[i], "its hypervisor is no longer configured");
}

static unsigned rows_of(const struct pm_machine *machine, const struct pm_hypervisor *hypervisor)
{
	unsigned rows = 0;

	for (size_t i = 0; i < machine->vm_count; i++)
		rows += machine->vms[i]->hypervisor == hypervisor;
	return rows;
}

static void tell_all_removed(const struct reload *reload)
{
	for (size_t i = 0; i < reload->old_count; i++)
		if (!reload->to[i])
			tell_removed(reload->machine, reload->old[i].config->shown,
				     rows_of(reload->machine, &reload->old[i]));
}

static bool make(struct reload *reload)
{
	const struct pm_machine_config *config = reload->machine->config;

	reload->new_count = config->hypervisor_count;
	reload->new = calloc(reload->new_count + 1, sizeof(*reload->new));
	reload->to = calloc(reload->old_count + 1, sizeof(*reload->to));
	if (!reload->new || !reload->to) {
		free(reload->new);
		free(reload->to);
		return false;
	}
	for (size_t i = 0; i < reload->new_count; i++)
		reload->new[i] = (struct pm_hypervisor){
		    .machine = reload->machine,
		    .config = &config->hypervisors[i],
		    .on = config->hypervisors[i].guest ? &reload->new[config->hypervisors[i].on] : NULL};
	return true;
}

/* That there is a stack of which nothing is known is in machine->config: pm_machine_stack_unknown(). */
static void give_up(struct pm_machine *machine)
{
	pm_log(LOG_CRIT, "%s: no memory for its hypervisors: reload the configuration when there is",
	       machine->config->name);
	pm_stack_stop(machine);
	for (size_t i = 0; i < machine->vm_count; i++)
		machine->vms[i]->hypervisor = NULL;
	free(machine->hypervisors);
	machine->hypervisors = NULL;
	machine->hypervisor_count = 0;
	remove_rows(machine);
}

static void take_over(struct reload *reload)
{
	struct pm_machine *machine = reload->machine;

	match_by_uri(reload);
	match_by_place(reload);
	tell_all_removed(reload);
	move_rows(reload);
	carry_over(reload);
	machine->hypervisors = reload->new;
	machine->hypervisor_count = reload->new_count;
	pm_stack_link_hosts(machine);
	remove_rows(machine);
	close_old(reload);
}

/* The machine's state may have been theirs; or it is known from them, and its other sources are new. */
static void check_source(struct pm_machine *machine)
{
	bool holds = false;

	for (size_t i = 0; i < machine->hypervisor_count; i++)
		holds |= !machine->hypervisors[i].on && machine->hypervisors[i].holds;
	if (holds || machine->source == PM_SOURCE_HYPERVISOR)
		pm_state_hypervisor(machine, false, "its hypervisor is no longer configured");
}

void pm_stack_apply(struct pm_machine *machine)
{
	struct reload reload = {
	    .machine = machine, .old = machine->hypervisors, .old_count = machine->hypervisor_count};

	if (reload.old_count == 0 && machine->vm_count == 0 && machine->config->hypervisor_count == 0)
		return;
	if (!make(&reload)) {
		give_up(machine);
		return;
	}
	take_over(&reload);
	free(reload.old);
	free(reload.to);
	open_new(machine);
	pm_stack_settle(machine, NULL);
	check_source(machine);
}

/* --- the end ---------------------------------------------------------------------------------- */

void pm_stack_stop(struct pm_machine *machine)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		close_connection(&machine->hypervisors[i]);
}

void pm_stack_free(struct pm_machine *machine)
{
	struct pm_agent *agent = machine->agent;

	pm_stack_stop(machine);
	agent->vms -= (uint32_t)machine->vm_count;
	agent->vms_running -= machine->vms_running;
	agent->vm_rows_changes++;
	for (size_t i = 0; i < machine->vm_count; i++)
		pm_vm_free(machine->vms[i]);
	free(machine->vms);
	free(machine->vms_gone);
	free(machine->hypervisors);
	machine->vms = NULL;
	machine->vms_gone = NULL;
	machine->hypervisors = NULL;
	machine->vm_count = machine->vms_gone_count = machine->hypervisor_count = 0;
	machine->vms_running = 0;
}

void pm_stack_summary(const struct pm_agent *agent, char *text, size_t size)
{
	size_t hypervisors = 0, down = 0;

	for (size_t i = 0; i < agent->machine_count; i++) {
		const struct pm_machine *machine = agent->machines[i];

		hypervisors += machine->hypervisor_count;
		for (size_t j = 0; j < machine->hypervisor_count; j++)
			down += !machine->hypervisors[j].up;
	}
	snprintf(text, size, "%zu hypervisors, %zu of them do not answer; %u VMs, %u of them running",
		 hypervisors, down, agent->vms, agent->vms_running);
}
