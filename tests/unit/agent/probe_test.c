/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probes: the ICMP octets by hand-written vectors, TCP and the life of a probe against the loopback
 * interface. */
#include "agent/icmp.h"
#include "agent/probe.h"

#include <netinet/in.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define COOKIE "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
#define IPV4   "\x45\x00\x00\x2c\x00\x00\x00\x00\x40\x01\x00\x00\x7f\x00\x00\x01\x7f\x00\x00\x01"

struct fixture {
	uv_loop_t loop;
	struct pm_prober *prober;
	struct pm_probe *probe;
	unsigned calls;
	enum pm_probe_result result;
	char text[512];
	bool closed;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	*state = &f;
	return uv_loop_init(&f.loop) == 0 ? pm_prober_new(&f.loop, &f.prober) : -1;
}

static void on_closed(void *data)
{
	((struct fixture *)data)->closed = true;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->prober)
		pm_prober_close(f->prober, on_closed, f);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	return f->closed ? uv_loop_close(&f->loop) : -1;
}

static void on_done(enum pm_probe_result result, const char *text, void *data)
{
	struct fixture *f = data;

	f->calls++;
	f->result = result;
	snprintf(f->text, sizeof(f->text), "%s", text);
}

static void ask(struct fixture *f, enum pm_probe_kind kind, const char *host, uint16_t port,
		unsigned timeout_ms)
{
	f->probe = pm_probe_start(f->prober, kind, host, port, timeout_ms, on_done, f);
	assert_non_null(f->probe);
	assert_int_equal(f->calls, 0);
}

static void ask_and_wait(struct fixture *f, const char *host, uint16_t port, unsigned timeout_ms)
{
	ask(f, PM_PROBE_KIND_TCP, host, port, timeout_ms);
	while (f->calls == 0)
		uv_run(&f->loop, UV_RUN_ONCE);
	assert_int_equal(f->calls, 1);
}

/* A TCP socket on a free loopback port; a peer can connect only when listening. */
static int local_port(int backlog, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	if (backlog > 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static void echo_request_octets(void **state)
{
	uint8_t packet[PM_ICMP_REQUEST];

	(void)state;
	pm_icmp_request(AF_INET, 0x1234, 2, (const uint8_t *)COOKIE, packet);
	/* 0800 + 1234 + 0002 + the words of the cookie (3bc40) = 3d676; folded: d679; complement: 2986 */
	assert_memory_equal(packet, "\x08\x00\x29\x86\x12\x34\x00\x02" COOKIE, sizeof(packet));
	pm_icmp_request(AF_INET6, 0x1234, 2, (const uint8_t *)COOKIE, packet);
	assert_memory_equal(packet, "\x80\x00\x00\x00\x12\x34\x00\x02" COOKIE, sizeof(packet));
}

static bool parse(int family, bool ip_header, const char *packet, size_t length)
{
	struct pm_icmp_reply reply;

	if (!pm_icmp_parse(family, ip_header, (const uint8_t *)packet, length, &reply))
		return false;
	assert_int_equal(reply.identifier, 0x1234);
	assert_int_equal(reply.sequence, 2);
	assert_memory_equal(reply.cookie, COOKIE, PM_ICMP_COOKIE);
	return true;
}

static void echo_replies_are_read(void **state)
{
	(void)state;
	assert_true(parse(AF_INET, true, IPV4 "\x00\x00\x00\x00\x12\x34\x00\x02" COOKIE, 44));
	assert_true(parse(AF_INET, false, "\x00\x00\x00\x00\x12\x34\x00\x02" COOKIE, 24));
	assert_true(parse(AF_INET6, false, "\x81\x00\x00\x00\x12\x34\x00\x02" COOKIE, 24));
}

static void other_icmp_is_no_answer(void **state)
{
	(void)state;
	/* our own request, destination unreachable, a wrong code, the other family's reply */
	assert_false(parse(AF_INET, true, IPV4 "\x08\x00\x00\x00\x12\x34\x00\x02" COOKIE, 44));
	assert_false(parse(AF_INET, true, IPV4 "\x03\x01\x00\x00\x12\x34\x00\x02" COOKIE, 44));
	assert_false(parse(AF_INET, false, "\x00\x01\x00\x00\x12\x34\x00\x02" COOKIE, 24));
	assert_false(parse(AF_INET6, false, "\x00\x00\x00\x00\x12\x34\x00\x02" COOKIE, 24));
	/* short, long, and IP headers that lie */
	assert_false(parse(AF_INET, true, IPV4 "\x00\x00\x00\x00\x12\x34\x00\x02" COOKIE, 43));
	assert_false(parse(AF_INET, false, "\x00\x00\x00\x00\x12\x34\x00\x02" COOKIE "\x00", 25));
	assert_false(parse(AF_INET, true, "\x4f" IPV4, 20));
	assert_false(parse(AF_INET, true, "\x41", 1));
	assert_false(parse(AF_INET, true, "", 0));
}

static void accepted_connection_is_up(void **state)
{
	struct fixture *f = *state;
	uint16_t port;
	int fd = local_port(1, &port);

	ask_and_wait(f, "127.0.0.1", port, 5000);
	close(fd);
	assert_int_equal(f->result, PM_PROBE_UP);
	assert_string_equal(f->text, "127.0.0.1 accepted a TCP connection");
}

static void refused_connection_is_up(void **state)
{
	struct fixture *f = *state;
	uint16_t port;
	int fd = local_port(0, &port);

	ask_and_wait(f, "127.0.0.1", port, 5000);
	close(fd);
	assert_int_equal(f->result, PM_PROBE_UP);
	assert_string_equal(f->text, "127.0.0.1 refused a TCP connection");
}

static void name_is_looked_up(void **state)
{
	struct fixture *f = *state;
	uint16_t port;
	int fd = local_port(1, &port);

	ask_and_wait(f, "localhost", port, 5000);
	close(fd);
	assert_int_equal(f->result, PM_PROBE_UP);
}

static void bad_names_are_errors(void **state)
{
	struct fixture *f = *state;
	char long_name[300];

	ask_and_wait(f, "no such name", 22, 5000);
	assert_int_equal(f->result, PM_PROBE_ERROR);
	assert_memory_equal(f->text, "cannot look up \"no such name\": ", 31);
	f->calls = 0;
	ask_and_wait(f, "", 22, 5000);
	assert_int_equal(f->result, PM_PROBE_ERROR);
	assert_string_equal(f->text, "a host name has 1 to 255 characters");
	f->calls = 0;
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	ask_and_wait(f, long_name, 22, 5000);
	assert_int_equal(f->result, PM_PROBE_ERROR);
}

static void cancel_calls_back_once_at_once(void **state)
{
	struct fixture *f = *state;

	ask(f, PM_PROBE_KIND_TCP, "localhost", 9, 5000);
	pm_probe_cancel(f->probe);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->result, PM_PROBE_CANCELLED);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(f->calls, 1);
}

static void closing_cancels_what_is_running(void **state)
{
	struct fixture *f = *state;

	ask(f, PM_PROBE_KIND_TCP, "localhost", 9, 5000);
	pm_prober_close(f->prober, on_closed, f);
	f->prober = NULL;
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->result, PM_PROBE_CANCELLED);
	assert_false(f->closed);
}

#define PROBE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(echo_request_octets),
	    cmocka_unit_test(echo_replies_are_read),
	    cmocka_unit_test(other_icmp_is_no_answer),
	    PROBE_TEST(accepted_connection_is_up),
	    PROBE_TEST(refused_connection_is_up),
	    PROBE_TEST(name_is_looked_up),
	    PROBE_TEST(bad_names_are_errors),
	    PROBE_TEST(cancel_calls_back_once_at_once),
	    PROBE_TEST(closing_cancels_what_is_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
