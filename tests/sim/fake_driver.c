/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fake hypervisors as a stack_driver: connections, and what is told over them. */
#include "tests/sim/fake_private.h"

#include <stdlib.h>
#include <string.h>

static struct stack_connection *connections;

uv_loop_t *fake_loop(void)
{
	return connections ? connections->loop : NULL;
}

/* --- what is told ----------------------------------------------------------------------------- */

static void free_message(struct fake_message *message)
{
	free(message->vms);
	free(message);
}

static void forget_messages(struct stack_connection *connection)
{
	struct fake_message *message;

	while ((message = connection->head)) {
		connection->head = message->next;
		free_message(message);
	}
	connection->tail = &connection->head;
}

/* They keep their order. */
static struct fake_message *queue(struct stack_connection *connection, enum stack_event_type type,
				  unsigned delay_ms)
{
	struct fake_message *message = fake_allocate(sizeof(*message));
	uint64_t now_ms = uv_now(connection->loop);

	message->event.type = type;
	message->due_ms = now_ms + delay_ms;
	message->number = ++connection->messages;
	if (!connection->head)
		pm_timer_start(connection->messenger, delay_ms);
	*connection->tail = message;
	connection->tail = &message->next;
	return message;
}

static void end_look(struct stack_connection *connection, uint64_t number)
{
	static const struct stack_reply listed = {STACK_OK, true, "done"};

	for (struct stack_op *op = connection->ops; op; op = op->next) {
		if (op->look == number) {
			fake_op_end(op, &listed);
			return;
		}
	}
}

static void free_connection(struct stack_connection *connection)
{
	free((char *)(uintptr_t)connection->options.uri);
	free(connection);
}

static void tell(void *data)
{
	struct stack_connection *connection = data;
	struct fake_message *message;

	connection->telling = true;
	while (!connection->closed && (message = connection->head) &&
	       message->due_ms <= uv_now(connection->loop)) {
		connection->head = message->next;
		if (!connection->head)
			connection->tail = &connection->head;
		connection->options.on_event(&message->event, connection->options.data);
		if (!connection->closed)
			end_look(connection, message->number);
		free_message(message);
	}
	connection->telling = false;
	if (connection->closed)
		free_connection(connection);
	else if (connection->head)
		pm_timer_start(connection->messenger, connection->head->due_ms - uv_now(connection->loop));
}

static uint64_t queue_list(struct stack_connection *connection, unsigned delay_ms)
{
	struct fake_message *message = queue(connection, STACK_LIST, delay_ms);
	const struct fake_hv *hv = connection->hv;

	message->vms = fake_allocate((hv->vm_count + 1) * sizeof(*message->vms));
	for (size_t i = 0; i < hv->vm_count; i++) {
		message->vms[i] = hv->vms[i]->is;
		hv->vms[i]->listed = true;
	}
	message->event.vms = message->vms;
	message->event.count = hv->vm_count;
	return message->number;
}

void fake_tell_vm(struct fake_vm *vm)
{
	struct fake_message *message;

	for (struct stack_connection *c = connections; c; c = c->next) {
		if (c->hv != vm->hv)
			continue;
		if (!vm->listed) {
			queue_list(c, vm->hv->event_ms);
			continue;
		}
		message = queue(c, STACK_VM, vm->hv->event_ms);
		message->vms = fake_allocate(sizeof(*message->vms));
		message->vms[0] = vm->is;
		message->event.vms = message->vms;
		message->event.count = 1;
	}
	vm->listed = true;
}

void fake_tell_uuid(struct fake_hv *hv, enum stack_event_type type, const char *uuid, bool migrated)
{
	struct fake_message *message;

	for (struct stack_connection *c = connections; c; c = c->next) {
		if (c->hv != hv)
			continue;
		message = queue(c, type, hv->event_ms);
		snprintf(message->uuid, sizeof(message->uuid), "%s", uuid);
		message->event.uuid = message->uuid;
		message->event.migrated = migrated;
	}
}

static void queue_down(struct stack_connection *connection, enum stack_result result, const char *text)
{
	struct fake_message *message = queue(connection, STACK_DOWN, 0);

	snprintf(message->text, sizeof(message->text), "%s", text);
	message->event.result = result;
	message->event.text = message->text;
}

/* --- connecting ------------------------------------------------------------------------------- */

static void retry(struct stack_connection *connection, unsigned delay_ms)
{
	connection->phase = FAKE_TRYING;
	connection->attempting = false;
	pm_timer_start(connection->timer, delay_ms);
}

static void await_list(struct stack_connection *connection)
{
	if (connection->options.list_interval_ms)
		pm_timer_start(connection->timer, connection->options.list_interval_ms);
}

static void connected(struct stack_connection *connection, struct fake_hv *hv)
{
	connection->phase = FAKE_CONNECTED;
	connection->hv = hv;
	fake_hv_wake(hv);
	fake_log(FAKE_UP, hv, NULL, 0, 0);
	queue(connection, STACK_UP, 0);
	queue_list(connection, 0);
	await_list(connection);
}

static void attempt(struct stack_connection *connection)
{
	struct fake_hv *hv = fake_hv_find(connection->options.uri);
	enum stack_result result = STACK_UNREACHABLE;
	const char *text = "no such hypervisor";

	if (hv && !connection->attempting) {
		hv->attempts++;
		connection->attempting = true;
		pm_timer_start(connection->timer, hv->connect_ms);
	} else if (hv && fake_hv_answers(hv, &result, &text)) {
		connected(connection, hv);
	} else {
		queue_down(connection, result, text);
		retry(connection, hv ? hv->retry_ms : 50);
	}
}

static void end_ops(struct stack_connection *connection, const char *text)
{
	for (struct stack_op *op = connection->ops; op; op = op->next)
		if (!op->reply.result)
			fake_op_reply(op, STACK_UNREACHABLE, true, text);
}

static void break_one(struct stack_connection *connection, enum stack_result result, const char *text)
{
	struct fake_hv *hv = connection->hv;

	fake_log(FAKE_DOWN, hv, NULL, 0, result);
	connection->hv = NULL;
	forget_messages(connection);
	if (!hv->down_last)
		queue_down(connection, result, text);
	end_ops(connection, "the connection was lost before it answered");
	if (hv->down_last)
		queue_down(connection, result, text);
	retry(connection, hv->retry_ms);
}

void fake_break(struct fake_hv *hv, enum stack_result result, const char *text)
{
	for (struct stack_connection *c = connections; c; c = c->next)
		if (c->hv == hv)
			break_one(c, result, text);
}

void fake_patience(struct fake_hv *hv)
{
	enum stack_result result;
	const char *text;
	bool answers = fake_hv_answers(hv, &result, &text);

	for (struct stack_connection *c = connections; c; c = c->next) {
		if (c->hv != hv || (c->phase == FAKE_CONNECTED) == answers)
			continue;
		c->phase = answers ? FAKE_CONNECTED : FAKE_HANGING;
		pm_timer_stop(c->timer);
		if (answers)
			await_list(c);
		else
			pm_timer_start(c->timer, hv->keepalive_ms);
	}
}

static void on_timer(void *data)
{
	struct stack_connection *connection = data;

	switch (connection->phase) {
	case FAKE_TRYING:
		attempt(connection);
		break;
	case FAKE_CONNECTED:
		queue_list(connection, 0);
		await_list(connection);
		break;
	case FAKE_HANGING:
		break_one(connection, STACK_TIMEOUT, "it does not answer keepalives");
	}
}

/* --- the driver ------------------------------------------------------------------------------- */

static void attach_all(uv_loop_t *loop)
{
	for (struct fake_hv *hv = fake_hvs(); hv; hv = hv->next)
		for (size_t i = 0; i < hv->vm_count; i++)
			fake_vm_attach(hv->vms[i], loop);
}

static void detach_all(void)
{
	attach_all(NULL); /* first: what is done now must not set a timer */
	for (struct fake_hv *hv = fake_hvs(); hv; hv = hv->next) {
		for (size_t i = hv->vm_count; i-- > 0;)
			fake_call_finish(hv->vms[i]);
		for (size_t i = 0; i < hv->vm_count; i++)
			fake_call_free_all(hv->vms[i]);
	}
}

static struct stack_connection *open_connection(uv_loop_t *loop, const struct stack_options *options)
{
	struct stack_connection *connection = fake_allocate(sizeof(*connection));
	bool first = !connections;

	connection->loop = loop;
	connection->options = *options;
	connection->options.uri = strdup(options->uri);
	connection->tail = &connection->head;
	connection->timer = pm_timer_new(loop, on_timer, connection);
	connection->messenger = pm_timer_new(loop, tell, connection);
	if (!connection->options.uri || !connection->timer || !connection->messenger)
		abort();
	connection->next = connections;
	connections = connection;
	if (first)
		attach_all(loop);
	retry(connection, 0);
	return connection;
}

static void close_connection(struct stack_connection *connection)
{
	static const struct stack_reply cancelled = {STACK_CANCELLED, true, "cancelled"};
	struct stack_connection **link = &connections;

	connection->closed = true;
	while (connection->ops)
		fake_op_end(connection->ops, &cancelled);
	while (*link != connection)
		link = &(*link)->next;
	*link = connection->next;
	forget_messages(connection);
	pm_timer_free(connection->timer);
	pm_timer_free(connection->messenger);
	if (!connections)
		detach_all();
	if (!connection->telling)
		free_connection(connection);
}

static void hurry(struct stack_connection *connection)
{
	if (connection->phase == FAKE_TRYING && !connection->attempting)
		pm_timer_start(connection->timer, 0);
}

static void on_op(void *data)
{
	static const struct stack_reply late = {STACK_TIMEOUT, true, "no answer in time"};
	struct stack_op *op = data;
	struct stack_reply reply = op->reply;

	fake_op_end(op, reply.result ? &reply : &late);
}

static struct fake_vm *find_vm(struct fake_hv *hv, const char *uuid)
{
	for (size_t i = 0; i < hv->vm_count; i++)
		if (strcmp(hv->vms[i]->is.uuid, uuid) == 0)
			return hv->vms[i];
	return NULL;
}

static void look(struct stack_op *op)
{
	struct fake_hv *hv = op->connection->hv;

	fake_log_asked(hv, NULL, STACK_LOOK, false);
	if (op->connection->phase == FAKE_CONNECTED)
		op->look = queue_list(op->connection, hv->answer_ms);
}

static struct stack_op *submit(struct stack_connection *connection, const struct stack_request *request)
{
	struct stack_op *op = fake_allocate(sizeof(*op));
	struct fake_vm *vm;

	op->connection = connection;
	op->request = *request;
	op->timer = pm_timer_new(connection->loop, on_op, op);
	if (!op->timer)
		abort();
	op->next = connection->ops;
	connection->ops = op;
	pm_timer_start(op->timer, request->deadline_ms);
	if (!connection->hv)
		fake_op_reply(op, STACK_UNREACHABLE, false, "not connected");
	else if (request->command == STACK_LOOK)
		look(op);
	else if ((vm = find_vm(connection->hv, request->uuid)))
		fake_call_begin(op, vm);
	else
		fake_op_reply(op, STACK_NO_VM, true, "no such VM");
	return op;
}

static void cancel(struct stack_op *op)
{
	static const struct stack_reply cancelled = {STACK_CANCELLED, true, "cancelled"};

	fake_op_end(op, &cancelled);
}

const struct stack_driver fake_hypervisor = {.name = "fake",
					     .open = open_connection,
					     .close = close_connection,
					     .hurry = hurry,
					     .submit = submit,
					     .cancel = cancel};
