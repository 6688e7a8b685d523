/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver of hosts while memory is short at any moment: every request that was taken ends exactly once, and everything can be
 * closed. Needs calloc, strdup and vasprintf wrapped.
 */
#include "agent/host/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MOMENTS_MAX 400

void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **text, const char *format, va_list arguments);
int __wrap___vasprintf_chk(char **text, int flag, const char *format, va_list arguments);
void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
int __real_vasprintf(char **text, const char *format, va_list arguments);
int __real___vasprintf_chk(char **text, int flag, const char *format, va_list arguments);

/* How many allocations go well until one does not; negative: all do. */
static int until_failure = -1;
static bool has_failed;

static bool fails(void)
{
	if (until_failure < 0 || until_failure-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **text, const char *format, va_list arguments)
{
	return fails() ? -1 : __real_vasprintf(text, format, arguments);
}

/* What vasprintf is with _FORTIFY_SOURCE. */
int __wrap___vasprintf_chk(char **text, int flag, const char *format, va_list arguments)
{
	return fails() ? -1 : __real___vasprintf_chk(text, flag, format, arguments);
}

/* --- one life ---------------------------------------------------------------------------------- */

static char directory[] = "/tmp/pmstack-unit.XXXXXX";
static char key[64], control[64];
static unsigned asked, answered, no_memory;
static bool stopped;

static void on_done(const struct host_reply *reply, void *data)
{
	unsigned *done = data;

	assert_int_equal(++*done, 1);
	answered++;
	no_memory += reply->result == HOST_NO_MEMORY;
	assert_true(reply->result != HOST_OK);
	assert_true(reply->text && *reply->text);
	assert_false(reply->sent);
}

static void on_stopped(void *data)
{
	(void)data;
	stopped = true;
}

static void ask(struct host_client *client, unsigned *done)
{
	struct host_request request = {.verb = HOST_REPORT, .done = on_done, .data = done};

	asked += client && host_ssh.submit(client, &request);
}

/* Two hosts, of which one is this; each is asked twice, and one of the requests is still waiting at the end. */
static void live(uv_loop_t *loop)
{
	static unsigned done[5];
	const struct host_runner_options runner_options = {.control_directory = control, .parallel = 2};
	const struct host_options far = {.label = "far",
					 .address = "192.0.2.1",
					 .identity_file = key,
					 .known_hosts_file = key,
					 .timeout_ms = 5000};
	const struct host_options near = {
	    .label = "near", .socket = "/nonexistent/socket", .timeout_ms = 5000};
	struct host_runner *runner = host_ssh.start(loop, &runner_options);
	struct host_client *clients[2];

	if (!runner)
		return;
	memset(done, 0, sizeof(done));
	clients[0] = host_ssh.open(runner, &far);
	clients[1] = host_ssh.open(runner, &near);
	for (unsigned i = 0; i < 4; i++)
		ask(clients[i % 2], &done[i]);
	for (unsigned i = 0; i < 1000 && answered < asked; i++)
		uv_run(loop, UV_RUN_ONCE);
	ask(clients[0], &done[4]);
	for (unsigned i = 0; i < 2; i++)
		if (clients[i])
			host_ssh.close(clients[i]);
	host_ssh.stop(runner, 2000, on_stopped, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	assert_true(stopped);
}

static void live_once(int failing)
{
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	asked = answered = 0;
	stopped = has_failed = false;
	until_failure = failing;
	live(&loop);
	until_failure = -1;
	assert_int_equal(answered, asked);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_memory_enough(void **unused)
{
	(void)unused;
	no_memory = 0;
	live_once(-1);
	assert_int_equal(asked, 5);
	assert_int_equal(no_memory, 0);
}

static void test_memory_short_at_any_moment(void **unused)
{
	int moment;

	(void)unused;
	no_memory = 0;
	for (moment = 0; moment < MOMENTS_MAX; moment++) {
		live_once(moment);
		if (!has_failed)
			break;
	}
	print_message("# %d moments, %u requests ended by them\n", moment, no_memory);
	assert_in_range(moment, 50, MOMENTS_MAX - 1);
	assert_true(no_memory > 4);
}

/* --- fixture ----------------------------------------------------------------------------------- */

/* ssh is a program that fails at once. */
static int set_up(void **unused)
{
	char path[64];
	FILE *file;

	(void)unused;
	assert_non_null(mkdtemp(directory));
	snprintf(key, sizeof(key), "%s/key", directory);
	snprintf(control, sizeof(control), "%s/control", directory);
	snprintf(path, sizeof(path), "%s/ssh", directory);
	file = fopen(key, "w");
	assert_non_null(file);
	fclose(file);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("#!/bin/sh\nexit 255\n", file);
	assert_int_equal(fchmod(fileno(file), 0755), 0);
	fclose(file);
	setenv("PATH", directory, 1);
	return 0;
}

static int tear_down(void **unused)
{
	char path[64];

	(void)unused;
	snprintf(path, sizeof(path), "%s/ssh", directory);
	unlink(path);
	unlink(key);
	rmdir(control);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory_enough),
	    cmocka_unit_test(test_memory_short_at_any_moment),
	};

	return cmocka_run_group_tests_name("host_memory", tests, set_up, tear_down);
}
