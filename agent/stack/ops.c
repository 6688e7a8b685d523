/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users have asked for, on the loop's thread: each ends once, whether its call returns or not. */
#include "agent/stack/internal.h"

#include "agent/text.h"
#include "agent/timer.h"

#include <stdlib.h>
#include <string.h>

struct stack_op {
	struct stack_op *next, **at;
	struct stack_connection *connection;
	struct stack_call *call; /* NULL: none, or STACK_LOOK */
	enum stack_command command;
	uint64_t look; /* STACK_LOOK: the list that is waited for */
	unsigned deadline_ms;
	struct pm_timer *timer;
	struct stack_failure early; /* what it ends with when nothing can be done */
	void (*done)(const struct stack_reply *reply, void *data);
	void *data;
};

/* --- operations end --------------------------------------------------------------------------------- */

static void end_op(struct stack_op *op, enum stack_result result, const char *text)
{
	struct stack_reply reply = {.result = result, .text = text};

	*op->at = op->next;
	if (op->next)
		op->next->at = op->at;
	if (op->call) {
		reply.sent = atomic_load(&op->call->sent);
		op->call->op = NULL;
	}
	pm_timer_free(op->timer);
	op->done(&reply, op->data);
	free(op);
}

static void on_op_timer(void *data)
{
	struct stack_op *op = data;
	struct stack_failure failure = op->early;

	if (!failure.result) {
		failure.result = STACK_TIMEOUT;
		pm_text_format(failure.text, sizeof(failure.text),
			       op->call && !atomic_load(&op->call->sent)
				   ? "the %s could not be sent within %u s: the hypervisor does not answer"
				   : "no answer to the %s within %u s",
			       stack_command_name(op->command), (op->deadline_ms + 999) / 1000);
	}
	end_op(op, failure.result, failure.text);
}

void stack_ops_end(struct stack_connection *connection, enum stack_result result, const char *text)
{
	while (connection->ops)
		end_op(connection->ops, result, text);
}

/* Only those that were waiting for that list: another may be asked for from within done(). */
void stack_ops_looked(struct stack_connection *connection, uint64_t looked)
{
	struct stack_op *op = connection->ops;

	while (op) {
		if (op->command == STACK_LOOK && !op->early.result && op->look <= looked) {
			end_op(op, STACK_OK, "");
			op = connection->ops;
		} else {
			op = op->next;
		}
	}
}

static void forget_call(struct stack_connection *connection, const struct stack_call *call)
{
	struct stack_call **at = &connection->calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
}

void stack_ops_returned(struct stack_connection *connection, struct stack_call *call)
{
	forget_call(connection, call);
	if (call->op)
		end_op(call->op, call->outcome.result, call->outcome.text);
}

/* --- operations begin --------------------------------------------------------------------------------- */

static bool is_busy(const struct stack_connection *connection, const struct stack_request *request)
{
	for (const struct stack_call *call = connection->calls; call; call = call->next)
		if (call->session == connection->up && strcmp(call->uuid, request->uuid) == 0 &&
		    (request->command != STACK_DESTROY || call->command == STACK_DESTROY))
			return true;
	return false;
}

static void send_op(struct stack_op *op, const struct stack_request *request)
{
	struct stack_connection *connection = op->connection;

	op->call = stack_call_start(connection->up, request);
	if (!op->call) {
		stack_failure_set(&op->early, STACK_NO_MEMORY, "no thread for it");
		return;
	}
	op->call->op = op;
	op->call->next = connection->calls;
	connection->calls = op->call;
}

/* With what it must end at once, if it must. */
static void begin_op(struct stack_op *op, const struct stack_request *request)
{
	struct stack_connection *connection = op->connection;

	if (!connection->up)
		stack_failure_set(&op->early, STACK_UNREACHABLE, connection->trouble.text);
	else if (request->command == STACK_LOOK)
		op->look = stack_session_look(connection->up);
	else if (is_busy(connection, request))
		stack_failure_set(
		    &op->early, STACK_TIMEOUT,
		    "not sent: the hypervisor has not yet answered what was asked for this VM before");
	else
		send_op(op, request);
}

struct stack_op *stack_op_submit(struct stack_connection *connection, const struct stack_request *request)
{
	struct stack_op *op = calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->timer = pm_timer_new(connection->loop, on_op_timer, op);
	if (!op->timer) {
		free(op);
		return NULL;
	}
	op->connection = connection;
	op->command = request->command;
	op->deadline_ms = request->deadline_ms;
	op->done = request->done;
	op->data = request->data;
	op->next = connection->ops;
	op->at = &connection->ops;
	if (op->next)
		op->next->at = &op->next;
	connection->ops = op;
	begin_op(op, request);
	pm_timer_start(op->timer, op->early.result ? 0 : op->deadline_ms);
	return op;
}

void stack_op_cancel(struct stack_op *op)
{
	end_op(op, STACK_CANCELLED, "cancelled");
}
