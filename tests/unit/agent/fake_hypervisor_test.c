/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fake hypervisors (tests/sim/fake_hypervisor.h) keep to what agent/stack/stack.h promises, and to their script. */
#include "tests/sim/fake_hypervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	char text[2000]; /* what was told, in order: letters and names */
	unsigned lists;
	size_t listed;
	enum stack_result down;
};

struct answer {
	enum stack_result result; /* 0: none yet */
	bool sent;
	unsigned count;
};

static uv_loop_t loop;
static struct seen seen;

static void note(const char *what, const char *name)
{
	size_t length = strlen(seen.text);

	snprintf(seen.text + length, sizeof(seen.text) - length, "%s%s ", what, name);
}

static void on_event(const struct stack_event *event, void *data)
{
	static const char *const letters[] = {"", "up", "list", "vm:", "gone:", "rebooted:", "down"};
	char state[300] = "";

	(void)data;
	if (event->type == STACK_VM)
		snprintf(state, sizeof(state), "%s=%d", event->vms->name, (int)event->vms->state);
	note(letters[event->type], event->uuid ? event->uuid + 35 : state);
	if (event->type == STACK_LIST) {
		seen.lists++;
		seen.listed = event->count;
	}
	if (event->type == STACK_DOWN)
		seen.down = event->result;
}

static void on_done(const struct stack_reply *reply, void *data)
{
	struct answer *answer = data;

	answer->result = reply->result;
	answer->sent = reply->sent;
	answer->count++;
	assert_non_null(reply->text);
}

static struct stack_connection *open_to(const char *uri)
{
	return fake_hypervisor.open(
	    &loop, &(struct stack_options){
		       .uri = uri, .label = uri, .list_interval_ms = 60000, .on_event = on_event});
}

static struct stack_op *ask(struct stack_connection *connection, enum stack_command command,
			    const struct fake_vm *vm, struct answer *answer)
{
	struct stack_request request = {
	    .command = command, .deadline_ms = 300, .done = on_done, .data = answer};
	struct stack_op *op;

	*answer = (struct answer){0};
	snprintf(request.uuid, sizeof(request.uuid), "%s", vm ? vm->is.uuid : "");
	op = fake_hypervisor.submit(connection, &request);
	assert_non_null(op);
	assert_int_equal(answer->count, 0); /* never from within submit */
	return op;
}

static void tick(void *data)
{
	(void)data;
}

#define WAIT_FOR(condition)                                                    \
	do {                                                                   \
		struct pm_timer *tick_timer = pm_timer_new(&loop, tick, NULL); \
		uint64_t give_up_ms = uv_hrtime() / 1000000 + 5000;            \
		while (!(condition)) {                                         \
			assert_true(uv_hrtime() / 1000000 < give_up_ms);       \
			pm_timer_start(tick_timer, 5);                         \
			uv_run(&loop, UV_RUN_ONCE);                            \
		}                                                              \
		pm_timer_free(tick_timer);                                     \
	} while (0)

static int begin(void **state)
{
	(void)state;
	seen = (struct seen){0};
	return uv_loop_init(&loop);
}

/* Nothing is left on the loop. */
static int end(void **state)
{
	(void)state;
	fake_world_free();
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

/* Given two VMs; when somebody connects; then UP comes first, then the list. */
static void test_connect(void **state)
{
	struct fake_hv *hv = fake_hv_new("fake://h1", NULL);
	struct stack_connection *connection;

	(void)state;
	fake_vm_new(hv, "a", PM_VM_RUNNING);
	fake_vm_new(hv, "b", PM_VM_SHUTDOWN);
	connection = open_to("fake://h1");
	fake_vm_becomes(fake_vm_find("b"), PM_VM_RUNNING);
	assert_string_equal(seen.text, "");
	WAIT_FOR(seen.lists);
	fake_vm_becomes(fake_vm_find("a"), PM_VM_PAUSED);
	WAIT_FOR(strstr(seen.text, "vm:a=8"));
	assert_string_equal(seen.text, "up list vm:a=8 ");
	assert_int_equal(seen.listed, 2);
	fake_hypervisor.close(connection);
}

/* Given a VM that takes 100 ms to shut down; then it is asked, it is answered at once, and it is off 100 ms later. */
static void test_shutdown(void **state)
{
	struct fake_hv *hv = fake_hv_new("fake://h1", NULL);
	struct fake_vm *vm = fake_vm_new(hv, "a", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");
	struct answer answer;
	const struct fake_entry *asked, *off;

	(void)state;
	vm->shutdown_ms = 100;
	WAIT_FOR(seen.lists);
	ask(connection, STACK_SHUTDOWN, vm, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_OK);
	assert_true(vm->is.active);
	WAIT_FOR(!vm->is.active);
	asked = fake_log_at(fake_log_find(0, FAKE_ASKED, "a", STACK_SHUTDOWN));
	off = fake_log_at(fake_log_find(0, FAKE_IS, "a", PM_VM_SHUTDOWN));
	assert_in_range(off->us - asked->us, 99000, 200000);
	ask(connection, STACK_SHUTDOWN, vm, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_ALREADY);
	fake_hypervisor.close(connection);
}

/* Given a VM that carries another one; when it goes down first; then the log has it. */
static void test_nested(void **state)
{
	struct fake_vm *parent = fake_vm_new(fake_hv_new("fake://h1", NULL), "p", PM_VM_RUNNING);
	struct fake_hv *nested = fake_hv_new("fake://h2", parent);
	struct fake_vm *child = fake_vm_new(nested, "c", PM_VM_RUNNING);
	struct stack_connection *upper = open_to("fake://h2"), *lower = open_to("fake://h1");
	struct answer answer;

	(void)state;
	nested->boot_ms = 50;
	WAIT_FOR(seen.lists == 2);
	ask(lower, STACK_SHUTDOWN, parent, &answer);
	WAIT_FOR(strstr(seen.text, "down"));
	assert_int_equal(fake_log_at(fake_log_find(0, FAKE_ASKED, "p", STACK_SHUTDOWN))->carries, 1);
	assert_int_equal(fake_log_count(FAKE_KILLED, "c", 0), 1);
	assert_false(child->is.active);
	ask(upper, STACK_START, child, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_UNREACHABLE);
	assert_false(answer.sent);
	ask(lower, STACK_START, parent, &answer);
	WAIT_FOR(fake_log_count(FAKE_UP, NULL, 0) == 3);
	fake_hypervisor.close(upper);
	fake_hypervisor.close(lower);
}

/* Given a VM that is paused while it shuts down; then its time stands still, and that of what runs on it. */
static void test_pause(void **state)
{
	struct fake_vm *parent = fake_vm_new(fake_hv_new("fake://h1", NULL), "p", PM_VM_RUNNING);
	struct fake_vm *child = fake_vm_new(fake_hv_new("fake://h2", parent), "c", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h2");
	struct answer answer;

	(void)state;
	child->shutdown_ms = 30;
	child->hv->keepalive_ms = 100;
	WAIT_FOR(seen.lists);
	ask(connection, STACK_SHUTDOWN, child, &answer);
	WAIT_FOR(answer.count);
	fake_vm_becomes(parent, PM_VM_PAUSED);
	WAIT_FOR(seen.down == STACK_TIMEOUT);
	assert_true(child->is.active);
	fake_vm_becomes(parent, PM_VM_RUNNING);
	WAIT_FOR(!child->is.active);
	fake_hypervisor.close(connection);
}

static void fault(struct fake_vm *vm, enum fake_fault what, enum stack_command command)
{
	vm->faults = (struct fake_faults){what, command, 1};
}

/* Given faults; then each ends as the driver's header says, and is done or not as the fault says. */
static void test_faults(void **state)
{
	struct fake_vm *vm = fake_vm_new(fake_hv_new("fake://h1", NULL), "a", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");
	struct answer answer, second;

	(void)state;
	WAIT_FOR(seen.lists);
	fault(vm, FAKE_REFUSE, 0);
	ask(connection, STACK_DESTROY, vm, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_REFUSED);
	fault(vm, FAKE_NO_ANSWER, STACK_DESTROY);
	ask(connection, STACK_DESTROY, vm, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_TIMEOUT);
	ask(connection, STACK_PAUSE, vm, &second);
	WAIT_FOR(second.count);
	assert_int_equal(second.result, STACK_TIMEOUT);
	assert_false(second.sent);
	assert_true(vm->is.active);
	fake_vm_release(vm);
	fault(vm, FAKE_DONE_LOST, STACK_DESTROY);
	ask(connection, STACK_DESTROY, vm, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_UNREACHABLE);
	assert_true(answer.sent);
	assert_false(vm->is.active);
	WAIT_FOR(seen.lists == 2);
	ask(connection, STACK_DESTROY, vm, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_ALREADY);
	fake_hypervisor.close(connection);
}

/* Given operations under way; when they are cancelled, or the connection is closed; then each is answered once. */
static void test_cancel(void **state)
{
	struct fake_vm *vm = fake_vm_new(fake_hv_new("fake://h1", NULL), "a", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");
	struct answer first, second;

	(void)state;
	vm->hv->answer_ms = 100;
	WAIT_FOR(seen.lists);
	fake_hypervisor.cancel(ask(connection, STACK_DESTROY, vm, &first));
	assert_int_equal(first.result, STACK_CANCELLED);
	WAIT_FOR(!vm->is.active && !vm->calls); /* it had left */
	ask(connection, STACK_START, vm, &first);
	ask(connection, STACK_LOOK, NULL, &second);
	fake_hypervisor.close(connection);
	assert_int_equal(first.result, STACK_CANCELLED);
	assert_int_equal(second.result, STACK_CANCELLED);
	assert_int_equal(first.count + second.count, 2);
}

/* Given commands that have just left; when the last connection is closed; then they are done, and what they take goes on later. */
static void test_close(void **state)
{
	struct fake_hv *hv = fake_hv_new("fake://h1", NULL);
	struct fake_vm *first = fake_vm_new(hv, "a", PM_VM_RUNNING),
		       *second = fake_vm_new(hv, "b", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");
	struct answer answers[2];

	(void)state;
	first->reboot_ms = second->shutdown_ms = 50;
	WAIT_FOR(seen.lists);
	ask(connection, STACK_REBOOT, first, &answers[0]);
	ask(connection, STACK_SHUTDOWN, second, &answers[1]);
	fake_hypervisor.close(connection);
	assert_int_equal(answers[0].result, STACK_CANCELLED);
	assert_true(second->is.active);
	connection = open_to("fake://h1");
	WAIT_FOR(fake_log_count(FAKE_REBOOTED, "a", 0) && !second->is.active);
	fake_hypervisor.close(connection);
}

/* Given LOOK; then it is done when the list was told. */
static void test_look(void **state)
{
	struct fake_vm *vm = fake_vm_new(fake_hv_new("fake://h1", NULL), "a", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");
	struct answer answer;

	(void)state;
	WAIT_FOR(seen.lists);
	ask(connection, STACK_LOOK, NULL, &answer);
	fake_vm_reboots(vm);
	WAIT_FOR(answer.count && strstr(seen.text, "rebooted"));
	assert_string_equal(seen.text, "up list list rebooted:1 ");
	fake_hv_silence(vm->hv, true);
	ask(connection, STACK_LOOK, NULL, &answer);
	WAIT_FOR(answer.count);
	assert_in_set(answer.result, ((const uintmax_t[]){STACK_TIMEOUT, STACK_UNREACHABLE}), 2);
	WAIT_FOR(strstr(seen.text, "down"));
	fake_hv_silence(vm->hv, false);
	WAIT_FOR(seen.lists == 3);
	fake_hypervisor.close(connection);
}

/* Given a transient VM, one that migrates and one that is undefined; then each is told as gone, and how. */
static void test_gone(void **state)
{
	struct fake_hv *from = fake_hv_new("fake://h1", NULL), *to = fake_hv_new("fake://h2", NULL);
	struct fake_vm *transient = fake_vm_new(from, "t", PM_VM_RUNNING);
	struct fake_vm *mover = fake_vm_new(from, "m", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");
	struct answer answer;

	(void)state;
	fake_vm_undefine(transient);
	WAIT_FOR(seen.lists);
	ask(connection, STACK_DESTROY, transient, &answer);
	WAIT_FOR(answer.count);
	assert_int_equal(answer.result, STACK_OK);
	fake_vm_migrate(mover, to);
	fake_vm_undefine(fake_vm_new(from, "u", PM_VM_SHUTDOWN));
	WAIT_FOR(strstr(seen.text, "gone:3"));
	assert_string_equal(seen.text, "up list vm:t=11 gone:1 gone:2 list gone:3 ");
	assert_int_equal(from->vm_count, 0);
	assert_ptr_equal(mover->hv, to);
	fake_hypervisor.close(connection);
}

/* Given a machine that goes off and on; then its VMs were killed, and those marked autostart start. */
static void test_power(void **state)
{
	struct fake_hv *hv = fake_hv_new("fake://h1", NULL);
	struct fake_vm *vm = fake_vm_new(hv, "a", PM_VM_RUNNING),
		       *other = fake_vm_new(hv, "b", PM_VM_RUNNING);
	struct stack_connection *connection = open_to("fake://h1");

	(void)state;
	hv->autostarts = vm->is.autostart = true;
	WAIT_FOR(seen.lists);
	fake_hv_power(hv, false);
	assert_int_equal(fake_log_count(FAKE_KILLED, NULL, 0), 2);
	WAIT_FOR(strstr(seen.text, "down down"));
	fake_hv_power(hv, true);
	fake_hypervisor.hurry(connection);
	WAIT_FOR(seen.lists == 2);
	assert_true(vm->is.active);
	assert_false(other->is.active);
	fake_hypervisor.close(connection);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_connect, begin, end),
	    cmocka_unit_test_setup_teardown(test_shutdown, begin, end),
	    cmocka_unit_test_setup_teardown(test_nested, begin, end),
	    cmocka_unit_test_setup_teardown(test_pause, begin, end),
	    cmocka_unit_test_setup_teardown(test_faults, begin, end),
	    cmocka_unit_test_setup_teardown(test_cancel, begin, end),
	    cmocka_unit_test_setup_teardown(test_close, begin, end),
	    cmocka_unit_test_setup_teardown(test_look, begin, end),
	    cmocka_unit_test_setup_teardown(test_gone, begin, end),
	    cmocka_unit_test_setup_teardown(test_power, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
