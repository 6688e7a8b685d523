/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/notify.h"

#include "agent/event.h"
#include "agent/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX        10000
#define BITE             20 /* notifications in one go: a burst could fill the socket both ways (net-snmp) */
#define BITE_INTERVAL_MS 50
#define FIRST_BITE_MS    1

struct pm_notify_queue {
	struct pm_agent *agent;
	int (*send)(const struct pm_notification *notification);
	struct pm_timer *timer;
	struct pm_notification *first, *last;
	struct pm_notify_counts counts;
	bool connected, draining;
};

static void drop_first(struct pm_notify_queue *queue)
{
	struct pm_notification *first = queue->first;

	queue->first = first->next;
	if (!queue->first)
		queue->last = NULL;
	queue->counts.pending--;
	free(first);
}

static void drain_in(struct pm_notify_queue *queue, uint64_t delay_ms)
{
	if (queue->draining || !queue->connected || !queue->first)
		return;
	queue->draining = true;
	pm_timer_start(queue->timer, delay_ms);
}

static void drain(void *data)
{
	struct pm_notify_queue *queue = data;

	queue->draining = false;
	if (queue->agent->flush_pending && !queue->agent->store_failing)
		pm_flush(
		    queue->agent); /* an event index that was told must not be given again after a crash */
	for (int i = 0; i < BITE && queue->first && queue->connected; i++) {
		if (queue->send(queue->first) < 0)
			break;
		queue->counts.sent++;
		drop_first(queue);
	}
	drain_in(queue, BITE_INTERVAL_MS);
}

int pm_notify_new(struct pm_agent *agent, int (*send)(const struct pm_notification *notification))
{
	struct pm_notify_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	queue->agent = agent;
	queue->send = send;
	queue->timer = pm_timer_new(agent->loop, drain, queue);
	if (!queue->timer) {
		free(queue);
		return -ENOMEM;
	}
	agent->notifications = queue;
	return 0;
}

void pm_notify_free(struct pm_agent *agent)
{
	struct pm_notify_queue *queue = agent->notifications;

	if (!queue)
		return;
	if (queue->counts.pending)
		pm_log(LOG_WARNING, "%u notifications were not sent: no master agent took them",
		       queue->counts.pending);
	while (queue->first)
		drop_first(queue);
	pm_timer_free(queue->timer);
	free(queue);
	agent->notifications = NULL;
}

void pm_notify_connected(struct pm_agent *agent, bool connected)
{
	struct pm_notify_queue *queue = agent->notifications;

	queue->connected = connected;
	if (connected)
		drain_in(queue, FIRST_BITE_MS);
}

static void fill_common(struct pm_notification *notification, const struct pm_machine *machine)
{
	notification->machine = machine->index;
	snprintf(notification->name, sizeof(notification->name), "%s", machine->config->name);
	if (!notification->power_state)
		notification->power_state = pm_machine_power_state(machine);
	notification->source = machine->source;
	notification->inhibit = machine->inhibit;
	snprintf(notification->inhibit_reason, sizeof(notification->inhibit_reason), "%s",
		 machine->inhibit_reason);
	if (!notification->bmc_status && machine->bmc)
		notification->bmc_status = machine->bmc->status;
	if (machine->config->bmc)
		snprintf(notification->bmc_address, sizeof(notification->bmc_address), "%s",
			 machine->config->bmc->address);
}

void pm_notify(struct pm_agent *agent, const struct pm_machine *machine,
	       const struct pm_notification *notification)
{
	struct pm_notify_queue *queue = agent->notifications;
	struct pm_notification *copy;

	if (!agent->notify_enable)
		return;
	copy = malloc(sizeof(*copy));
	if (!copy) {
		queue->counts.dropped++;
		return;
	}
	*copy = *notification;
	copy->next = NULL;
	copy->agent = agent->inventory->agent.index;
	copy->machines = (uint32_t)agent->machine_count;
	if (machine)
		fill_common(copy, machine);
	else if (copy->type == PM_NOTIFY_AGENT_STARTED)
		snprintf(copy->name, sizeof(copy->name), "%s", agent->inventory->agent.name);
	if (queue->counts.pending == QUEUE_MAX) {
		if (queue->counts.dropped++ == 0)
			pm_log(LOG_WARNING, "the notification queue is full: the oldest are dropped");
		drop_first(queue);
	}
	if (queue->last)
		queue->last->next = copy;
	else
		queue->first = copy;
	queue->last = copy;
	queue->counts.pending++;
	drain_in(queue, FIRST_BITE_MS);
}

struct pm_notify_counts pm_notify_counts(const struct pm_agent *agent)
{
	return agent->notifications->counts;
}
