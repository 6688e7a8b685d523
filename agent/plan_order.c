/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of a draft put in their order, with levels, texts and the time they may take. */
#include "agent/plan_private.h"
#include "agent/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REST_S 60 /* for a verb's job, beyond what its steps may take */
#define NAMES  3  /* of those it waits for, that a text tells */

/* Of one step of the draft. What a group of alternatives has in common is with its first. */
struct node {
	unsigned group; /* the place of its first */
	unsigned width; /* how many levels it takes: other ways of the machine have one each, of a VM none */
	unsigned waits; /* for so many groups that have no level yet */
	unsigned follower, next; /* those that come after it, and the next of them: places + 1; 0: none */
	unsigned level;
	unsigned connect_s; /* so long may hypervisors take to answer until it has ended, at most */
	unsigned place;     /* in the order */
};

struct order {
	const struct pm_draft *draft;
	struct node *nodes;
	unsigned *queue; /* groups whose level is known */
	unsigned taken;
};

static bool is_of_machine(const struct pm_step *step)
{
	return step->action > PM_STEP_HYPERVISOR_CONNECT;
}

/* The group of a step of the draft by its number; NULL: there was such a step before. */
static struct node *group_of(const struct order *order, unsigned number)
{
	unsigned old_count = order->draft->old_count;

	return number > old_count ? &order->nodes[order->nodes[number - old_count - 1].group] : NULL;
}

/* --- levels ------------------------------------------------------------------------------------- */

static void find_groups(struct order *order)
{
	const struct pm_draft *draft = order->draft;

	for (unsigned i = 0; i < draft->count; i++) {
		const struct pm_step *step = &draft->steps[i].step;
		struct node *node = &order->nodes[i];

		node->group = step->alternative ? order->nodes[i - 1].group : i;
		node->width = 1;
		if (step->alternative)
			order->nodes[node->group].width += is_of_machine(step);
	}
}

static void link_groups(struct order *order)
{
	const struct pm_draft *draft = order->draft;

	for (unsigned i = 0; i < draft->count; i++) {
		const struct pm_step *step = &draft->steps[i].step;
		struct node *node = &order->nodes[i];
		struct node *after = step->after ? group_of(order, step->after) : NULL;
		struct node *before = step->before ? group_of(order, step->before) : NULL;

		if (step->alternative)
			continue;
		node->level = step->after && !after ? draft->old[step->after - 1].level + 1 : 1;
		if (after) {
			node->waits++;
			node->next = after->follower;
			after->follower = i + 1;
		}
		if (before)
			before->waits++;
	}
}

static void take(struct order *order, unsigned place)
{
	order->queue[order->taken++] = place;
}

static void release(struct order *order, const struct node *done, struct node *node)
{
	if (node->level < done->level + done->width)
		node->level = done->level + done->width;
	if (node->connect_s < done->connect_s)
		node->connect_s = done->connect_s;
	if (--node->waits == 0)
		take(order, node->group);
}

/* One after the other whose predecessors all have their level (Kahn, 1962). */
static void find_levels(struct order *order)
{
	const struct pm_draft *draft = order->draft;

	for (unsigned i = 0; i < draft->count; i++)
		if (!draft->steps[i].step.alternative && order->nodes[i].waits == 0)
			take(order, i);
	for (unsigned i = 0; i < order->taken; i++) {
		struct node *node = &order->nodes[order->queue[i]];
		const struct pm_step *step = &draft->steps[order->queue[i]].step;

		if (step->action == PM_STEP_HYPERVISOR_CONNECT)
			node->connect_s += step->timeout_s;
		for (unsigned next = node->follower; next; next = order->nodes[next - 1].next)
			release(order, node, &order->nodes[next - 1]);
		if (step->before && group_of(order, step->before))
			release(order, node, group_of(order, step->before));
	}
}

/* Groups by level, those of one level in the order of the draft. */
static int compare_groups(const void *a, const void *b, void *data)
{
	const struct node *nodes = data;
	unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;

	if (nodes[left].level != nodes[right].level)
		return nodes[left].level < nodes[right].level ? -1 : 1;
	return left < right ? -1 : 1;
}

static void sort(struct order *order)
{
	const struct pm_draft *draft = order->draft;
	unsigned place = 0;

	qsort_r(order->queue, order->taken, sizeof(*order->queue), compare_groups, order->nodes);
	for (unsigned i = 0; i < order->taken; i++) {
		unsigned member = order->queue[i];

		do
			order->nodes[member].place = place++;
		while (++member < draft->count && draft->steps[member].step.alternative);
	}
}

/* --- texts -------------------------------------------------------------------------------------- */

/* What a step of the plan waits for. */
struct waiting {
	unsigned count;
	const struct pm_step *first[NAMES];
};

static const char *name_of(const struct pm_draft *draft, const struct pm_step *step)
{
	return step->target ? step->target : draft->machine->config->name;
}

static void describe_after(const struct pm_draft *draft, const struct pm_step *after, char *text, size_t size)
{
	pm_text_format(text, size, "after %s of %s", pm_step_action_name(after->action),
		       name_of(draft, after));
}

static void describe_waiting(const struct pm_draft *draft, const struct waiting *waiting, char *text,
			     size_t size)
{
	for (unsigned i = 0; i < waiting->count && i < NAMES; i++) {
		size_t length = strlen(text);

		pm_text_format(text + length, size - length, "%s%s", length ? ", " : "after ",
			       name_of(draft, waiting->first[i]));
	}
	if (waiting->count > NAMES) {
		size_t length = strlen(text);

		pm_text_format(text + length, size - length, " and %u more", waiting->count - NAMES);
	}
}

static const struct pm_step *step_of(const struct pm_draft *draft, const struct pm_plan *plan,
				     unsigned number)
{
	return number > draft->old_count ? &plan->steps[number - draft->old_count - 1]
					 : &draft->old[number - 1];
}

/* The order of the machine's own steps goes without saying. */
static int describe(const struct pm_draft *draft, const struct pm_plan *plan, struct pm_step *step,
		    const struct waiting *waiting)
{
	const struct pm_step *after = step->after ? step_of(draft, plan, step->after) : NULL;
	char text[256] = "";

	if (step->text || step->alternative)
		return 0;
	if (after && (step->target || after->target))
		describe_after(draft, after, text, sizeof(text));
	describe_waiting(draft, waiting, text, sizeof(text));
	if (*text && !(step->text = strdup(text)))
		return -ENOMEM;
	return 0;
}

static int describe_all(const struct pm_draft *draft, struct pm_plan *plan)
{
	struct waiting *waiting = calloc(plan->count + 1, sizeof(*waiting));
	int error = waiting ? 0 : -ENOMEM;

	for (unsigned i = 0; !error && i < plan->count; i++) {
		const struct pm_step *step = &plan->steps[i];

		if (!step->alternative && step->before > draft->old_count) {
			struct waiting *by = &waiting[step->before - draft->old_count - 1];

			if (by->count < NAMES)
				by->first[by->count] = step;
			by->count++;
		}
	}
	for (unsigned i = 0; !error && i < plan->count; i++)
		error = describe(draft, plan, &plan->steps[i], &waiting[i]);
	free(waiting);
	return error;
}

/* --- the plan ----------------------------------------------------------------------------------- */

static unsigned renumber(const struct order *order, unsigned number)
{
	unsigned old_count = order->draft->old_count;

	return number > old_count ? old_count + order->nodes[number - old_count - 1].place + 1 : number;
}

static const char otherwise[] = "only when the step before fails";

static int copy_text(const char *text, char **copy)
{
	*copy = text ? strdup(text) : NULL;
	return text && !*copy ? -ENOMEM : 0;
}

static int put(const struct order *order, unsigned place, struct pm_step *to)
{
	const struct pm_draft_step *from = &order->draft->steps[place];
	const struct node *node = &order->nodes[place];
	const char *text = from->text || !from->step.alternative ? from->text : otherwise;

	*to = from->step;
	to->level = order->nodes[node->group].level + (is_of_machine(to) ? place - node->group : 0);
	to->after = renumber(order, to->after);
	to->before = renumber(order, to->before);
	to->state = PM_JOB_NOT_READY;
	to->result = PM_RESULT_NONE;
	return copy_text(from->target, &to->target) < 0 || copy_text(text, &to->text) < 0 ? -ENOMEM : 0;
}

/* Bringing VMs down, and bringing VMs up, may each take as long as the whole stack gets; machine steps their own times. */
static uint32_t find_time(const struct order *order)
{
	const struct pm_draft *draft = order->draft;
	uint32_t time_s = REST_S, connect_s = 0;
	bool down = false, up = false;

	for (unsigned i = 0; i < draft->count; i++) {
		const struct pm_step *step = &draft->steps[i].step;

		time_s += is_of_machine(step) ? step->timeout_s : 0;
		up |= step->action == PM_STEP_VM_START;
		down |= step->action > PM_STEP_VM_START && step->action < PM_STEP_HYPERVISOR_CONNECT;
		if (order->nodes[i].connect_s > connect_s)
			connect_s = order->nodes[i].connect_s;
	}
	return time_s + connect_s + (uint32_t)(up + down) * draft->machine->stack_timeout_s;
}

static int put_all(const struct order *order, struct pm_plan *plan)
{
	int error = 0;

	plan->steps = calloc(order->draft->count, sizeof(*plan->steps));
	if (!plan->steps)
		return -ENOMEM;
	plan->count = order->draft->count;
	for (unsigned i = 0; !error && i < plan->count; i++)
		error = put(order, i, &plan->steps[order->nodes[i].place]);
	plan->timeout_s = find_time(order);
	return error ? error : describe_all(order->draft, plan);
}

static int arrange(struct order *order, struct pm_plan *plan)
{
	find_groups(order);
	link_groups(order);
	find_levels(order);
	sort(order);
	return put_all(order, plan);
}

int pm_draft_finish(struct pm_draft *draft, struct pm_plan *plan)
{
	struct order order = {.draft = draft};
	int error = -ENOMEM;

	if (draft->error || !draft->count)
		return draft->error;
	order.nodes = calloc(draft->count, sizeof(*order.nodes));
	order.queue = calloc(draft->count, sizeof(*order.queue));
	if (order.nodes && order.queue)
		error = arrange(&order, plan);
	free(order.nodes);
	free(order.queue);
	if (error) {
		pm_plan_free(plan);
		pm_error_set(draft->err, "no memory for a plan");
	}
	return error;
}
