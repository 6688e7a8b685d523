/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way from the driver's threads to the loop. */
#include "agent/stack/internal.h"

#include <stdlib.h>

struct stack_mailbox {
	atomic_uint references;
	uv_async_t async;
	void (*ring)(void *data);
	void (*closed)(void *data);
	void *data;

	uv_mutex_t mutex; /* of what follows */
	bool is_closed;
	struct stack_message *first, **end;
};

void stack_message_free(struct stack_message *message)
{
	struct stack_session *session = message->session;

	if (message->type == STACK_POST_DONE) {
		stack_call_free(message->call);
		return;
	}
	message->session = NULL;
	if (message->type != STACK_POST_DOWN) { /* that one is part of the session */
		free(message->vms);
		free(message);
	}
	if (session)
		stack_session_unref(session);
}

static void on_async(uv_async_t *async)
{
	struct stack_mailbox *mailbox = async->data;

	if (!mailbox->is_closed)
		mailbox->ring(mailbox->data);
}

struct stack_mailbox *stack_mailbox_new(uv_loop_t *loop, void (*ring)(void *data), void *data)
{
	struct stack_mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox)
		return NULL;
	if (uv_mutex_init(&mailbox->mutex) < 0) {
		free(mailbox);
		return NULL;
	}
	if (uv_async_init(loop, &mailbox->async, on_async) < 0) {
		uv_mutex_destroy(&mailbox->mutex);
		free(mailbox);
		return NULL;
	}
	mailbox->async.data = mailbox;
	mailbox->references = 1;
	mailbox->ring = ring;
	mailbox->data = data;
	mailbox->end = &mailbox->first;
	return mailbox;
}

struct stack_mailbox *stack_mailbox_ref(struct stack_mailbox *mailbox)
{
	atomic_fetch_add(&mailbox->references, 1);
	return mailbox;
}

void stack_mailbox_unref(struct stack_mailbox *mailbox)
{
	if (atomic_fetch_sub(&mailbox->references, 1) > 1)
		return;
	uv_mutex_destroy(&mailbox->mutex);
	free(mailbox);
}

void stack_mailbox_post(struct stack_mailbox *mailbox, struct stack_message *message)
{
	bool closed;

	message->next = NULL;
	uv_mutex_lock(&mailbox->mutex);
	closed = mailbox->is_closed;
	if (!closed) {
		*mailbox->end = message;
		mailbox->end = &message->next;
		uv_async_send(&mailbox->async);
	}
	uv_mutex_unlock(&mailbox->mutex);
	if (closed)
		stack_message_free(message);
}

struct stack_message *stack_mailbox_take(struct stack_mailbox *mailbox)
{
	struct stack_message *message;

	uv_mutex_lock(&mailbox->mutex);
	message = mailbox->first;
	if (message) {
		mailbox->first = message->next;
		if (!mailbox->first)
			mailbox->end = &mailbox->first;
	}
	uv_mutex_unlock(&mailbox->mutex);
	return message;
}

void stack_mailbox_ring(struct stack_mailbox *mailbox)
{
	uv_async_send(&mailbox->async);
}

static void on_closed(uv_handle_t *handle)
{
	struct stack_mailbox *mailbox = handle->data;

	mailbox->closed(mailbox->data);
	stack_mailbox_unref(mailbox);
}

void stack_mailbox_close(struct stack_mailbox *mailbox, void (*closed)(void *data))
{
	struct stack_message *message;

	uv_mutex_lock(&mailbox->mutex);
	mailbox->is_closed = true;
	uv_mutex_unlock(&mailbox->mutex);
	while ((message = stack_mailbox_take(mailbox)))
		stack_message_free(message);
	mailbox->closed = closed;
	uv_close((uv_handle_t *)&mailbox->async, on_closed);
}
