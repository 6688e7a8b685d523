/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/notify.h"

#include "agent/flush.h"
#include "agent/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MIN         10000 /* room, and for a group's verb or a dead switch of many machines: */
#define QUEUE_PER_MACHINE 4
#define QUEUE_PER_VM      2  /* it goes with its hypervisor, and comes back */
#define BITE              20 /* notifications in one go: a burst could fill the socket both ways (net-snmp) */
#define BITE_INTERVAL_MS  10 /* 2000 a second: what snmpd and snmptrapd manage on a slow machine */
#define RETRY_MS          50
#define FIRST_BITE_MS     1
#define WINDOW            20 /* on their way at once */

struct pm_notify_queue {
	struct pm_agent *agent;
	int (*send)(const struct pm_notification *notification);
	struct pm_timer *timer;
	struct pm_notification *first, *last;
	struct pm_notification *unstored; /* the first of those at the end that are not in the store */
	uint64_t *gone;                   /* ids that are in the store and no longer here */
	size_t gone_count, gone_capacity;
	uint64_t synced; /* up to this generation they are on the disk */
	struct pm_notify_counts counts;
	unsigned dropped_lately; /* since the queue was empty */
	unsigned on_their_way;
	uint64_t last_id;
	bool connected, draining;
};

/* Without memory it stays in the store, and is sent once more after the next start. */
static void note_gone(struct pm_notify_queue *queue, uint64_t id)
{
	if (queue->gone_count == queue->gone_capacity) {
		size_t capacity = queue->gone_capacity ? queue->gone_capacity * 2 : 64;
		uint64_t *more = realloc(queue->gone, capacity * sizeof(*more));

		if (!more)
			return;
		queue->gone = more;
		queue->gone_capacity = capacity;
	}
	queue->gone[queue->gone_count++] = id;
	pm_flush_soon(queue->agent);
}

static void take_out(struct pm_notify_queue *queue, struct pm_notification *notification)
{
	struct pm_notification *before = NULL;

	for (struct pm_notification *n = queue->first; n != notification; n = n->next)
		before = n;
	if (before)
		before->next = notification->next;
	else
		queue->first = notification->next;
	if (queue->last == notification)
		queue->last = before;
	if (queue->unstored == notification)
		queue->unstored = notification->next;
	queue->on_their_way -= notification->on_its_way;
	queue->counts.pending--;
	free(notification);
}

static void remove_for_good(struct pm_notify_queue *queue, struct pm_notification *notification)
{
	if (notification->stored)
		note_gone(queue, notification->id);
	take_out(queue, notification);
}

static void append(struct pm_notify_queue *queue, struct pm_notification *notification)
{
	if (queue->last)
		queue->last->next = notification;
	else
		queue->first = notification;
	queue->last = notification;
	if (!notification->stored && !queue->unstored)
		queue->unstored = notification;
	queue->counts.pending++;
}

static void note_empty(struct pm_notify_queue *queue)
{
	if (queue->counts.pending || !queue->dropped_lately)
		return;
	pm_log(LOG_WARNING,
	       "%u notifications were dropped while their queue was full: pmEventTable has what happened",
	       queue->dropped_lately);
	queue->dropped_lately = 0;
}

static void drain_in(struct pm_notify_queue *queue, uint64_t delay_ms)
{
	if (queue->draining || !queue->connected || !queue->first)
		return;
	queue->draining = true;
	pm_timer_start(queue->timer, delay_ms);
}

/* An event index that was told must not be given again after a loss of power. */
static bool may_be_told(const struct pm_notify_queue *queue, const struct pm_notification *notification)
{
	return queue->agent->store_failing ||
	       (notification->stored && notification->generation <= queue->synced);
}

/* false: the master cannot take it now. */
static bool send_one(struct pm_notify_queue *queue, struct pm_notification *notification)
{
	int result = queue->send(notification);

	if (result == 0) {
		queue->counts.sent++;
		remove_for_good(queue, notification);
	} else if (result > 0) {
		notification->on_its_way = true;
		queue->on_their_way++;
	}
	return result >= 0;
}

/* Whether there is one to be sent: those on their way come before. */
static bool some_wait(const struct pm_notify_queue *queue)
{
	unsigned passed = 0;

	for (const struct pm_notification *n = queue->first; n && may_be_told(queue, n); n = n->next) {
		if (!n->on_its_way)
			return true;
		if (++passed > WINDOW)
			return true;
	}
	return false;
}

static void drain(void *data)
{
	struct pm_notify_queue *queue = data;
	struct pm_notification *next;
	int left = BITE;
	bool taken = true;

	queue->draining = false;
	for (struct pm_notification *n = queue->first;
	     n && taken && left > 0 && queue->on_their_way < WINDOW && may_be_told(queue, n); n = next) {
		next = n->next;
		if (n->on_its_way)
			continue;
		left--;
		taken = queue->connected && send_one(queue, n);
	}
	note_empty(queue);
	if (some_wait(queue))
		drain_in(queue, taken ? BITE_INTERVAL_MS : RETRY_MS);
}

void pm_notify_acknowledged(struct pm_agent *agent, uint64_t id, bool taken)
{
	struct pm_notify_queue *queue = agent->notifications;

	for (struct pm_notification *n = queue ? queue->first : NULL; n; n = n->next) {
		if (n->id != id || !n->on_its_way)
			continue;
		if (taken) {
			queue->counts.sent++;
			remove_for_good(queue, n);
		} else {
			n->on_its_way = false;
			queue->on_their_way--;
		}
		break;
	}
	if (queue)
		note_empty(queue);
	if (queue && some_wait(queue))
		drain_in(queue, taken ? FIRST_BITE_MS : RETRY_MS);
}

/* --- what a restart finds --------------------------------------------------------------------- */

static void restore(const struct pm_notification *stored, void *data)
{
	struct pm_notify_queue *queue = data;
	struct pm_notification *copy;

	if (stored->type < PM_NOTIFY_POWER_STATE_CHANGE || stored->type > PM_NOTIFY_GROUP_FINISHED) {
		note_gone(queue, stored->id); /* of another version: nobody here could say it */
		return;
	}
	copy = malloc(sizeof(*copy));
	if (!copy) {
		queue->counts.dropped++;
		return;
	}
	*copy = *stored;
	copy->stored = true;
	append(queue, copy);
}

static void restore_all(struct pm_notify_queue *queue)
{
	struct pm_store *store = queue->agent->store;
	struct pm_error err = {""};

	if (pm_store_notifications_last_id(store, &queue->last_id, &err) < 0 ||
	    pm_store_notifications_load(store, restore, queue, &err) < 0)
		pm_log(LOG_ERR, "notifications from before can not be read: %s", err.text);
	if (queue->counts.pending)
		pm_log(LOG_NOTICE, "%u notifications wait from before", queue->counts.pending);
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
	restore_all(queue);
	agent->notifications = queue;
	return 0;
}

static void tell_what_is_left(const struct pm_notify_queue *queue)
{
	unsigned lost = 0;

	for (const struct pm_notification *n = queue->unstored; n; n = n->next)
		lost++;
	if (lost)
		pm_log(LOG_WARNING,
		       "%u notifications are lost: neither a master agent nor the store took them", lost);
	if (queue->counts.pending > lost)
		pm_log(LOG_NOTICE,
		       "%u notifications are sent after the next start: no master agent took them",
		       queue->counts.pending - lost);
}

void pm_notify_free(struct pm_agent *agent)
{
	struct pm_notify_queue *queue = agent->notifications;

	if (!queue)
		return;
	tell_what_is_left(queue);
	while (queue->first)
		take_out(queue, queue->first);
	pm_timer_free(queue->timer);
	free(queue->gone);
	free(queue);
	agent->notifications = NULL;
}

void pm_notify_connected(struct pm_agent *agent, bool connected)
{
	struct pm_notify_queue *queue = agent->notifications;

	if (!queue)
		return;
	queue->connected = connected;
	for (struct pm_notification *n = queue->first; n; n = n->next)
		n->on_its_way = false; /* nobody will acknowledge what an earlier master was sent */
	queue->on_their_way = 0;
	if (!connected)
		return;
	if (queue->unstored)
		pm_flush_shortly(agent);
	drain_in(queue, FIRST_BITE_MS);
}

/* --- the store -------------------------------------------------------------------------------- */

bool pm_notify_unstored(const struct pm_agent *agent)
{
	return agent->notifications && agent->notifications->unstored;
}

int pm_notify_store(struct pm_agent *agent, struct pm_error *err)
{
	const struct pm_notify_queue *queue = agent->notifications;
	int error = 0;

	if (!queue)
		return 0;
	for (const struct pm_notification *n = queue->unstored; n && !error; n = n->next)
		error = pm_store_notification_put(agent->store, n, err);
	for (size_t i = 0; i < queue->gone_count && !error; i++)
		error = pm_store_notification_delete(agent->store, queue->gone[i], err);
	return error;
}

void pm_notify_stored(struct pm_agent *agent, uint64_t generation)
{
	struct pm_notify_queue *queue = agent->notifications;

	if (!queue)
		return;
	for (struct pm_notification *n = queue->unstored; n; n = n->next) {
		n->stored = true;
		n->generation = generation;
	}
	queue->unstored = NULL;
	queue->gone_count = 0;
}

void pm_notify_synced(struct pm_agent *agent, uint64_t generation)
{
	struct pm_notify_queue *queue = agent->notifications;

	if (!queue)
		return;
	queue->synced = generation;
	drain_in(queue, 0);
}

void pm_notify_store_failed(struct pm_agent *agent)
{
	if (agent->notifications)
		drain_in(agent->notifications, FIRST_BITE_MS);
}

/* --- something is to be told ------------------------------------------------------------------ */

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

static unsigned queue_max(const struct pm_agent *agent)
{
	size_t max = QUEUE_PER_MACHINE * agent->machine_count + (size_t)QUEUE_PER_VM * agent->vms;

	return max > QUEUE_MIN ? (unsigned)max : QUEUE_MIN;
}

static void make_room(struct pm_notify_queue *queue)
{
	while (queue->counts.pending >= queue_max(queue->agent)) {
		if (queue->dropped_lately++ == 0)
			pm_log(LOG_WARNING, "the notification queue is full: the oldest are dropped");
		queue->counts.dropped++;
		remove_for_good(queue, queue->first);
	}
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
	copy->id = ++queue->last_id;
	copy->on_its_way = copy->stored = false;
	copy->generation = 0;
	copy->agent = agent->inventory->agent.index;
	copy->machines = (uint32_t)agent->machine_count;
	if (machine)
		fill_common(copy, machine);
	else if (copy->type == PM_NOTIFY_AGENT_STARTED)
		snprintf(copy->name, sizeof(copy->name), "%s", agent->inventory->agent.name);
	make_room(queue);
	append(queue, copy);
	if (queue->connected)
		pm_flush_shortly(agent);
	else
		pm_flush_soon(agent);
	if (agent->store_failing)
		drain_in(queue, FIRST_BITE_MS);
}

struct pm_notify_counts pm_notify_counts(const struct pm_agent *agent)
{
	return agent->notifications->counts;
}
