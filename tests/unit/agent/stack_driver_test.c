/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The libvirt driver against libvirt's test driver, and against sockets on which nobody answers: what is promised in
 * stack.h about callbacks, deadlines, attempts and the end.
 */
#include "agent/stack/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define HAS_MS 5000 /* for what must happen */

struct seen {
	unsigned up, lists, downs, vms, rebooted;
	enum stack_result down_result;
	char down_text[STACK_TEXT_SIZE];
	struct stack_vm vm; /* the only one, "test" */
	bool close_in_event, submit_in_event;
};

struct answer {
	unsigned count;
	enum stack_result result;
	bool sent;
	char text[STACK_TEXT_SIZE];
	struct stack_op *cancel; /* in done() */
	bool close;
};

static uv_loop_t loop;
static struct seen seen;
static struct stack_connection *connection;
static struct stack_times times; /* as they were */
static char socket_path[108];    /* sun_path (unix(7)) */
static int listener = -1;
static bool stopped;

static void submit(enum stack_command command, unsigned deadline_ms, struct answer *answer);
static struct answer in_event;

static void close_it(void)
{
	if (connection)
		stack_libvirt.close(connection);
	connection = NULL;
}

static void take_vm(const struct stack_vm *vm)
{
	assert_int_not_equal(vm->state, PM_VM_UNKNOWN);
	if (strcmp(vm->name, "test") == 0)
		seen.vm = *vm;
}

static void on_event(const struct stack_event *event, void *data)
{
	assert_non_null(connection);
	assert_ptr_equal(data, &seen);
	seen.up += event->type == STACK_UP;
	seen.lists += event->type == STACK_LIST;
	seen.vms += event->type == STACK_VM;
	seen.rebooted += event->type == STACK_REBOOTED;
	seen.downs += event->type == STACK_DOWN;
	for (size_t i = 0; i < event->count; i++)
		take_vm(&event->vms[i]);
	if (event->type == STACK_DOWN) {
		seen.down_result = event->result;
		snprintf(seen.down_text, sizeof(seen.down_text), "%s", event->text);
	}
	if (seen.submit_in_event && event->type == STACK_LIST) {
		seen.submit_in_event = false;
		submit(STACK_LOOK, HAS_MS, &in_event);
	}
	if (seen.close_in_event)
		close_it();
}

static void open_it(const char *uri)
{
	const struct stack_options options = {
	    .uri = uri, .label = "test", .list_interval_ms = 60000, .on_event = on_event, .data = &seen};

	connection = stack_libvirt.open(&loop, &options);
	assert_non_null(connection);
	assert_int_equal(seen.up + seen.downs, 0); /* nothing comes from within */
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

/* Runs the loop until it holds. */
#define RUN_UNTIL(condition)                                \
	do {                                                \
		uv_timer_t tick;                            \
		uint64_t limit_ms = now_ms() + HAS_MS;      \
		uv_timer_init(&loop, &tick);                \
		uv_timer_start(&tick, on_tick, 5, 5);       \
		while (!(condition) && now_ms() < limit_ms) \
			uv_run(&loop, UV_RUN_ONCE);         \
		uv_close((uv_handle_t *)&tick, NULL);       \
		uv_run(&loop, UV_RUN_NOWAIT);               \
		assert_true(condition);                     \
	} while (0)

static void run_for(uint64_t ms)
{
	const uint64_t until_ms = now_ms() + ms;

	RUN_UNTIL(now_ms() >= until_ms);
}

static void on_done(const struct stack_reply *reply, void *data)
{
	struct answer *answer = data;

	answer->count++;
	answer->result = reply->result;
	answer->sent = reply->sent;
	snprintf(answer->text, sizeof(answer->text), "%s", reply->text);
	if (answer->cancel)
		stack_libvirt.cancel(answer->cancel);
	if (answer->close)
		close_it();
}

static struct stack_op *ask(const char *uuid, enum stack_command command, unsigned deadline_ms,
			    struct answer *answer)
{
	struct stack_request request = {
	    .command = command, .deadline_ms = deadline_ms, .done = on_done, .data = answer};
	struct stack_op *op;
	unsigned before = answer->count;

	snprintf(request.uuid, sizeof(request.uuid), "%s", uuid);
	op = stack_libvirt.submit(connection, &request);
	assert_non_null(op);
	assert_int_equal(answer->count, before); /* never from within */
	return op;
}

static void submit(enum stack_command command, unsigned deadline_ms, struct answer *answer)
{
	ask(seen.vm.uuid, command, deadline_ms, answer);
}

static void does(enum stack_command command, enum stack_result result)
{
	struct answer answer = {0};

	submit(command, HAS_MS, &answer);
	RUN_UNTIL(answer.count == 1);
	assert_int_equal(answer.result, result);
}

/* --- sockets on which nobody answers --------------------------------------------------------------- */

static void listen_silently(char *uri, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(socket_path, sizeof(socket_path), "%s/pmstack-unit.%d.sock",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid());
	unlink(socket_path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 100), 0);
	snprintf(uri, size, "qemu+unix:///system?socket=%s", socket_path);
}

/* Whoever has connected gets an end of file. */
static void stop_listening(void)
{
	if (listener >= 0)
		close(listener);
	listener = -1;
	unlink(socket_path);
}

/* --- before and after each ------------------------------------------------------------------------- */

static int set_up(void **unused)
{
	(void)unused;
	seen = (struct seen){0};
	in_event = (struct answer){0};
	times = stack_times;
	stopped = false;
	return uv_loop_init(&loop);
}

static void on_stopped(void *data)
{
	*(bool *)data = true;
}

static void stop(unsigned wait_ms)
{
	stack_libvirt.stop(&loop, wait_ms, on_stopped, &stopped);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(stopped);
}

/* Whatever a test leaves, it ends by itself. */
static int tear_down(void **unused)
{
	(void)unused;
	stack_times = times;
	stop_listening();
	close_it();
	stop(HAS_MS);
	assert_false(stack_libvirt.abandoned());
	return uv_loop_close(&loop);
}

static void connect_it(void)
{
	open_it("test:///default");
	RUN_UNTIL(seen.lists == 1);
	assert_int_equal(seen.up, 1);
	assert_int_equal(seen.vm.state, PM_VM_RUNNING);
}

/* --- tests ----------------------------------------------------------------------------------------- */

static void test_commands_and_events(void **unused)
{
	(void)unused;
	connect_it();
	assert_int_equal(seen.vm.cpus, 2);
	assert_int_equal(seen.vm.memory_kib, 8388608);
	does(STACK_PAUSE, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_PAUSED);
	does(STACK_RESUME, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_RUNNING);
	does(STACK_SHUTDOWN, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_SHUTDOWN && !seen.vm.active && seen.vm.id == -1);
	does(STACK_SHUTDOWN, STACK_ALREADY);
	does(STACK_START, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_RUNNING);
	does(STACK_START, STACK_ALREADY);
	does(STACK_SAVE, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_SUSPENDED && seen.vm.saved && !seen.vm.active);
	does(STACK_START, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_RUNNING && !seen.vm.saved);
	does(STACK_DESTROY, STACK_OK);
	RUN_UNTIL(seen.vm.state == PM_VM_SHUTDOWN);
	does(STACK_DESTROY, STACK_ALREADY);
	does(STACK_PM_SUSPEND, STACK_UNSUPPORTED);
}

static void test_what_is_not_there(void **unused)
{
	struct answer answer = {0};

	(void)unused;
	connect_it();
	ask("11111111-2222-3333-4444-555555555555", STACK_START, HAS_MS, &answer);
	RUN_UNTIL(answer.count == 1);
	assert_int_equal(answer.result, STACK_NO_VM);
	assert_false(answer.sent);
}

static void test_a_look_ends_after_its_list(void **unused)
{
	struct answer answer = {0};
	unsigned lists;

	(void)unused;
	connect_it();
	lists = seen.lists;
	submit(STACK_LOOK, HAS_MS, &answer);
	RUN_UNTIL(answer.count == 1);
	assert_int_equal(answer.result, STACK_OK);
	assert_int_equal(seen.lists, lists + 1);
}

static void test_asked_from_within_an_event(void **unused)
{
	(void)unused;
	seen.submit_in_event = true;
	open_it("test:///default");
	RUN_UNTIL(in_event.count == 1);
	assert_int_equal(in_event.result, STACK_OK);
}

static void test_asked_before_it_is_connected(void **unused)
{
	struct answer answer = {0};

	(void)unused;
	open_it("test:///default");
	submit(STACK_LOOK, HAS_MS, &answer);
	RUN_UNTIL(answer.count == 1);
	assert_int_equal(answer.result, STACK_UNREACHABLE);
	assert_false(answer.sent);
}

static void test_cancelled(void **unused)
{
	struct answer answer = {0};
	struct stack_op *op;

	(void)unused;
	connect_it();
	op = ask(seen.vm.uuid, STACK_PAUSE, HAS_MS, &answer);
	stack_libvirt.cancel(op);
	assert_int_equal(answer.count, 1); /* before it returns */
	assert_int_equal(answer.result, STACK_CANCELLED);
	run_for(50);
	assert_int_equal(answer.count, 1);
	RUN_UNTIL(seen.vm.state == PM_VM_PAUSED); /* it had left */
	does(STACK_RESUME, STACK_OK);
}

static void test_cancelled_from_within_another_done(void **unused)
{
	struct answer first = {0}, second = {0};

	(void)unused;
	open_it("test:///default");
	submit(STACK_LOOK, HAS_MS, &first); /* it ends first */
	first.cancel = ask("", STACK_LOOK, HAS_MS, &second);
	RUN_UNTIL(second.count == 1);
	run_for(20);
	assert_int_equal(first.count + second.count, 2);
}

static void test_closed_from_within_an_event(void **unused)
{
	(void)unused;
	seen.close_in_event = true;
	open_it("test:///default");
	RUN_UNTIL(!connection);
	run_for(50);
	assert_int_equal(seen.up, 1);
	assert_int_equal(seen.lists, 0); /* nothing comes afterwards */
}

static void test_closed_from_within_done(void **unused)
{
	struct answer answer = {.close = true}, other = {0};

	(void)unused;
	connect_it();
	submit(STACK_LOOK, HAS_MS, &other);
	submit(STACK_PAUSE, HAS_MS, &answer);
	RUN_UNTIL(!connection);
	assert_int_equal(other.count, 1);
}

static void test_closed_at_once_and_at_any_moment(void **unused)
{
	(void)unused;
	for (unsigned ms = 0; ms < 20; ms++) {
		struct answer answer = {0};

		seen = (struct seen){0};
		open_it("test:///default");
		stack_libvirt.hurry(connection);
		run_for(ms);
		submit(STACK_LOOK, HAS_MS, &answer);
		close_it();
		assert_int_equal(answer.count, 1);
	}
}

static void test_no_such_hypervisor(void **unused)
{
	(void)unused;
	stack_times.pause_min_ms = 20;
	stack_times.pause_max_ms = 80;
	open_it("qemu+unix:///system?socket=/nonexistent/socket");
	RUN_UNTIL(seen.downs == 5); /* and tried again */
	assert_int_equal(seen.up, 0);
	assert_int_equal(seen.down_result, STACK_UNREACHABLE);
	assert_non_null(strstr(seen.down_text, "No such file"));
}

static void test_pauses_grow(void **unused)
{
	uint64_t began;

	(void)unused;
	stack_times.pause_min_ms = 50;
	stack_times.pause_max_ms = 400;
	open_it("qemu+unix:///system?socket=/nonexistent/socket");
	began = now_ms();
	RUN_UNTIL(seen.downs == 5);
	assert_in_range(now_ms() - began, 50 + 100 + 200 + 400, 3000);
}

static void test_hurry_shortens_the_pause(void **unused)
{
	uint64_t began;

	(void)unused;
	stack_times.pause_min_ms = 60000;
	stack_times.hurried_pause_ms = 10;
	open_it("qemu+unix:///system?socket=/nonexistent/socket");
	RUN_UNTIL(seen.downs == 1);
	began = now_ms();
	stack_libvirt.hurry(connection);
	assert_int_equal(seen.downs, 1); /* nothing comes from within */
	RUN_UNTIL(seen.downs == 5);
	assert_in_range(now_ms() - began, 0, 2000);
}

/* Each attempt costs its thread; there is another one, and the loop goes on. */
static void test_attempts_that_hang(void **unused)
{
	char uri[128];

	(void)unused;
	stack_times.open_ms = 50;
	stack_times.pause_min_ms = 10;
	stack_times.pause_max_ms = 10;
	listen_silently(uri, sizeof(uri));
	open_it(uri);
	RUN_UNTIL(seen.downs == 3);
	assert_int_equal(seen.down_result, STACK_TIMEOUT);
	stop_listening();
	RUN_UNTIL(seen.downs >= 5 && seen.down_result == STACK_UNREACHABLE);
}

static void test_closed_while_it_hangs(void **unused)
{
	struct answer answer = {0};
	char uri[128];

	(void)unused;
	listen_silently(uri, sizeof(uri));
	open_it(uri);
	run_for(50);
	submit(STACK_LOOK, HAS_MS, &answer);
	close_it();
	assert_int_equal(answer.count, 1);
	assert_int_equal(seen.downs, 0);
}

/* Last: it has left a thread behind, and ends it. */
static void test_the_end_waits_for_nobody(void **unused)
{
	uint64_t began = now_ms();
	char uri[128];

	(void)unused;
	listen_silently(uri, sizeof(uri));
	open_it(uri);
	run_for(50);
	close_it();
	stop(100);
	assert_true(stack_libvirt.abandoned());
	assert_in_range(now_ms() - began, 100, 2000);
	stop_listening();
	stop(HAS_MS); /* that thread */
	assert_false(stack_libvirt.abandoned());
}

static void test_the_end_without_a_beginning(void **unused)
{
	(void)unused;
	stop(HAS_MS);
	assert_false(stack_libvirt.abandoned());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_end_without_a_beginning),
	    TEST(test_commands_and_events),
	    TEST(test_what_is_not_there),
	    TEST(test_a_look_ends_after_its_list),
	    TEST(test_asked_from_within_an_event),
	    TEST(test_asked_before_it_is_connected),
	    TEST(test_cancelled),
	    TEST(test_cancelled_from_within_another_done),
	    TEST(test_closed_from_within_an_event),
	    TEST(test_closed_from_within_done),
	    TEST(test_closed_at_once_and_at_any_moment),
	    TEST(test_no_such_hypervisor),
	    TEST(test_pauses_grow),
	    TEST(test_hurry_shortens_the_pause),
	    TEST(test_attempts_that_hang),
	    TEST(test_closed_while_it_hangs),
	    TEST(test_the_end_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
