/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Operations and calls: an operation is what the driver's user waits for; a call is what the hypervisor is at work on, and
 * goes on when nobody waits for it any more. A VM takes one call at a time.
 */
#include "tests/sim/fake_private.h"

#include <stdlib.h>
#include <string.h>

/* --- operations ------------------------------------------------------------------------------- */

void fake_op_end(struct stack_op *op, const struct stack_reply *reply)
{
	struct stack_op **link = &op->connection->ops;

	while (*link != op)
		link = &(*link)->next;
	*link = op->next;
	if (op->call)
		op->call->op = NULL;
	pm_timer_free(op->timer);
	if (op->request.done)
		op->request.done(reply, op->request.data);
	free(op);
}

/* On the loop, at once. */
void fake_op_reply(struct stack_op *op, enum stack_result result, bool sent, const char *text)
{
	op->reply = (struct stack_reply){result, sent, text};
	if (op->call)
		op->call->op = NULL;
	op->call = NULL;
	op->look = 0;
	pm_timer_start(op->timer, 0);
}

/* --- calls ------------------------------------------------------------------------------------ */

void fake_call_free(struct fake_call *call)
{
	struct fake_call **link = &call->vm->calls;

	if (call->op)
		call->op->call = NULL;
	if (call->gone)
		*call->gone = true;
	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	pm_timer_free(call->timer);
	free(call);
}

void fake_call_free_all(struct fake_vm *vm)
{
	while (vm->calls)
		fake_call_free(vm->calls);
}

/* Its VM takes the next one; who waits gets the result. */
void fake_call_end(struct fake_call *call, enum stack_result result, const char *text)
{
	struct stack_op *op = call->op;

	fake_log(FAKE_ANSWERED, call->vm->hv, call->vm, call->command, result);
	fake_call_free(call);
	if (op)
		fake_op_reply(op, result, true, text);
}

static const char *in_words(enum stack_result result)
{
	static const char *const words[] = {
	    [STACK_OK] = "done",
	    [STACK_ALREADY] = "it was so already",
	    [STACK_NO_VM] = "no such VM",
	    [STACK_REFUSED] = "Requested operation is not valid: it is not in a state for that",
	    [STACK_UNSUPPORTED] = "this function is not supported by the connection driver"};

	return words[result];
}

static void execute(struct fake_call *call)
{
	bool gone = false;
	enum stack_result result;

	call->gone = &gone;
	call->result = STACK_OK;
	result = fake_vm_execute(call->vm, call->command, call->agent);
	if (gone)
		return;
	call->gone = NULL;
	call->result = result;
}

/* Afterwards it may be gone, and its VM. */
static void carry_out(struct fake_call *call)
{
	struct fake_hv *hv = call->vm->hv;
	enum fake_fault fault = fake_fault_take(call->vm, hv, call->command);

	call->done = true;
	call->stuck = fault == FAKE_NO_ANSWER || fault == FAKE_DONE_NO_ANSWER;
	if (!call->stuck)
		pm_timer_start(call->timer, hv->answer_ms);
	if (fault == FAKE_REFUSE || fault == FAKE_CANNOT)
		call->result = fault == FAKE_REFUSE ? STACK_REFUSED : STACK_UNSUPPORTED;
	else if (fault != FAKE_NO_ANSWER && fault != FAKE_LOST)
		execute(call);
	if (fault == FAKE_LOST || fault == FAKE_DONE_LOST)
		fake_hv_lose(hv, STACK_UNREACHABLE, "Connection reset by peer", 0);
}

static void on_call(void *data)
{
	struct fake_call *call = data;
	enum stack_result result;
	const char *text;

	if (call->done)
		fake_call_end(call, call->result, in_words(call->result));
	else if (fake_hv_answers(call->vm->hv, &result, &text))
		carry_out(call);
}

void fake_call_kick(struct fake_vm *vm)
{
	for (struct fake_call *call = vm->calls; call; call = call->next)
		if (!call->stuck && !call->done)
			pm_timer_start(call->timer, 0);
}

static bool is_busy(const struct fake_vm *vm, enum stack_command command)
{
	for (const struct fake_call *call = vm->calls; call; call = call->next)
		if (command != STACK_DESTROY || call->command == STACK_DESTROY)
			return true;
	return false;
}

static unsigned takes_ms(const struct fake_vm *vm, enum stack_command command)
{
	return command == STACK_START ? vm->start_ms : command == STACK_SAVE ? vm->save_ms : 0;
}

static void add_call(struct stack_op *op, struct fake_vm *vm)
{
	struct fake_call *call = fake_allocate(sizeof(*call));

	call->vm = vm;
	call->command = op->request.command;
	call->agent = op->request.agent;
	call->op = op;
	call->timer = pm_timer_new(op->connection->loop, on_call, call);
	if (!call->timer)
		abort();
	pm_timer_start(call->timer, takes_ms(vm, call->command));
	call->next = vm->calls;
	op->call = vm->calls = call;
}

void fake_call_begin(struct stack_op *op, struct fake_vm *vm)
{
	enum stack_command command = op->request.command;

	vm->asked[command]++;
	fake_log_asked(vm->hv, vm, command, op->request.agent);
	if (is_busy(vm, command)) {
		fake_log(FAKE_ANSWERED, vm->hv, vm, command, STACK_TIMEOUT);
		fake_op_reply(op, STACK_TIMEOUT, false,
			      "not sent: an earlier call for this VM has not returned");
		return;
	}
	add_call(op, vm);
	if (command == STACK_SAVE && vm->save_ms && vm->is.state == PM_VM_RUNNING && !vm->faults.fault)
		fake_vm_stand(vm, PM_VM_PAUSED);
}

void fake_call_finish(struct fake_vm *vm)
{
	enum stack_result result;
	const char *text;

	if (vm->calls && !vm->calls->done && fake_hv_answers(vm->hv, &result, &text))
		carry_out(vm->calls);
}

void fake_vm_release(struct fake_vm *vm)
{
	for (struct fake_call *call = vm->calls; call; call = call->next) {
		if (call->stuck) {
			fake_call_end(call, call->result ? call->result : STACK_REFUSED, "it returned late");
			return;
		}
	}
}
