/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which steps of a job may begin: what each waits for. */
#include "agent/job_private.h"

#include <errno.h>
#include <stdlib.h>

#define NONE PM_ORDER_NONE

struct pm_order_node {
	unsigned first;                      /* of its alternatives; all below is of that one alone */
	unsigned begin;                      /* the one to be begun; NONE: none is left */
	unsigned waits;                      /* for so many others */
	unsigned before;                     /* that one waits for it */
	unsigned first_after;                /* who waits for it, one of them, */
	unsigned next_after;                 /* and the next that waits for the same */
	unsigned previous_ready, next_ready; /* while it is ready */
	bool ready, done;
};

/* --- what is ready ---------------------------------------------------------------------------- */

void pm_order_take(struct pm_order *order, unsigned index)
{
	struct pm_order_node *nodes = order->nodes, *node = &nodes[nodes[index].first];

	if (!node->ready)
		return;
	node->ready = false;
	if (node->previous_ready != NONE)
		nodes[node->previous_ready].next_ready = node->next_ready;
	else
		order->first_ready = node->next_ready;
	if (node->next_ready != NONE)
		nodes[node->next_ready].previous_ready = node->previous_ready;
	else
		order->last_ready = node->previous_ready;
}

static void append(struct pm_order *order, unsigned first)
{
	struct pm_order_node *node = &order->nodes[first];

	node->ready = true;
	node->next_ready = NONE;
	node->previous_ready = order->last_ready;
	if (order->last_ready != NONE)
		order->nodes[order->last_ready].next_ready = first;
	else
		order->first_ready = first;
	order->last_ready = first;
}

void pm_order_put_first(struct pm_order *order, unsigned index)
{
	unsigned first = order->nodes[index].first;
	struct pm_order_node *node = &order->nodes[first];

	if (node->ready)
		return;
	node->begin = index;
	node->ready = true;
	node->previous_ready = NONE;
	node->next_ready = order->first_ready;
	if (order->first_ready != NONE)
		order->nodes[order->first_ready].previous_ready = first;
	else
		order->last_ready = first;
	order->first_ready = first;
}

unsigned pm_order_first(const struct pm_order *order)
{
	return order->first_ready;
}

unsigned pm_order_next(const struct pm_order *order, unsigned first)
{
	return order->nodes[first].next_ready;
}

unsigned pm_order_begin(const struct pm_order *order, unsigned first)
{
	return order->nodes[first].begin;
}

static void wait_less(struct pm_order *order, unsigned first)
{
	struct pm_order_node *node = &order->nodes[first];

	if (--node->waits == 0 && node->begin != NONE && !node->done)
		append(order, first);
}

void pm_order_done(struct pm_order *order, unsigned index)
{
	struct pm_order_node *node = &order->nodes[order->nodes[index].first];

	if (node->done)
		return;
	node->done = true;
	order->left--;
	if (node->before != NONE)
		wait_less(order, node->before);
	for (unsigned i = node->first_after; i != NONE; i = order->nodes[i].next_after)
		wait_less(order, i);
}

bool pm_order_is_free(const struct pm_order *order, unsigned index)
{
	return order->nodes[order->nodes[index].first].waits == 0;
}

bool pm_order_is_done(const struct pm_order *order, unsigned index)
{
	return order->nodes[order->nodes[index].first].done;
}

bool pm_order_is_first(const struct pm_order *order, unsigned index)
{
	return order->nodes[index].first == index;
}

/* --- from the steps --------------------------------------------------------------------------- */

/* A step that is not to be begun any more, because the one before it was given up, is notReady. */
static void note_state(struct pm_order_node *nodes, const struct pm_step *step, unsigned index)
{
	struct pm_order_node *node = &nodes[nodes[index].first];

	if (step->state == PM_JOB_SUCCEEDED)
		node->done = true;
	else if (node->begin == NONE && !pm_step_has_ended(step) && step->state != PM_JOB_NOT_READY)
		node->begin = index;
}

static void make_nodes(struct pm_order_node *nodes, const struct pm_step *steps, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		nodes[i] = (struct pm_order_node){.first = i && steps[i].alternative ? nodes[i - 1].first : i,
						  .begin = NONE,
						  .before = NONE,
						  .first_after = NONE,
						  .next_after = NONE};
		note_state(nodes, &steps[i], i);
	}
}

/* By its number, 0 for none. */
static unsigned first_of(const struct pm_order_node *nodes, unsigned count, unsigned number)
{
	return number && number <= count ? nodes[number - 1].first : NONE;
}

static void link_nodes(struct pm_order_node *nodes, const struct pm_step *steps, unsigned count)
{
	for (unsigned i = count; i-- > 0;) { /* so that who waits for the same is in ascending order */
		unsigned after = first_of(nodes, count, steps[i].after);

		if (nodes[i].first != i)
			continue;
		nodes[i].before = first_of(nodes, count, steps[i].before);
		if (nodes[i].before != NONE && !nodes[i].done)
			nodes[nodes[i].before].waits++;
		if (after == NONE)
			continue;
		nodes[i].next_after = nodes[after].first_after;
		nodes[after].first_after = i;
		nodes[i].waits += !nodes[after].done;
	}
}

static bool is_under_way(const struct pm_step *step)
{
	return step->state == PM_JOB_RUNNING || step->state == PM_JOB_VERIFYING;
}

int pm_order_make(struct pm_order *order, const struct pm_step *steps, unsigned count)
{
	struct pm_order_node *nodes = calloc(count ? count : 1, sizeof(*nodes));

	if (!nodes)
		return -ENOMEM;
	make_nodes(nodes, steps, count);
	link_nodes(nodes, steps, count);
	free(order->nodes);
	*order = (struct pm_order){.nodes = nodes, .count = count, .first_ready = NONE, .last_ready = NONE};
	for (unsigned i = 0; i < count; i++) {
		const struct pm_order_node *node = &nodes[i];

		if (node->first != i || node->done)
			continue;
		order->left++;
		if (!node->waits && node->begin != NONE && !is_under_way(&steps[node->begin]))
			append(order, i);
	}
	return 0;
}

void pm_order_free(struct pm_order *order)
{
	free(order->nodes);
	*order = (struct pm_order){0};
}
