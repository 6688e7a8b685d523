/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Queue, deadlines, cancelling, freeing and closing: exactly one callback for every operation, whatever
 * happens.
 */
#include <errno.h>
#include <stdio.h>

#include "tests/unit/ipmi/harness.h"

static void bad_configurations_are_refused(void **state)
{
	struct harness *h = harness_new();
	const struct ipmi_bmc_config good = h->config;
	static const uint8_t unknown_suite = 4;

	(void)state;
	h->config.host = "";
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.port = 0;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.username = "seventeen octets.";
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.password_length = 21;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.kg_length = 21;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.privilege = (enum ipmi_privilege)1;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.cipher_suite_count = 0;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.cipher_suites = &unknown_suite;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.workarounds = 0x80;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config = good;
	h->config.version = IPMI_VERSION_1_5;
	h->config.password_length = 17;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	h->config.password_length = 16;
	h->config.kg_length = 1;
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), -EINVAL);
	harness_free(h);
}

static void submit_never_calls_back(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.host = "255.255.255.255"; /* sending fails at once: no permission */
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	assert_int_equal(h->replies, 0);
	harness_wait(h, 1);
	assert_int_equal(h->reply.result, IPMI_UNREACHABLE);
	assert_non_null(strstr(h->reply.text, strerror(EACCES)));
	harness_free(h);
}

static void silent_host_is_unreachable(void **state)
{
	struct harness *h = harness_new();
	uint64_t begun_ms = ipmi_now_ms(), took_ms;

	(void)state;
	uv_udp_recv_stop(&h->fake.socket);
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNREACHABLE);
	took_ms = ipmi_now_ms() - begun_ms;
	assert_true(took_ms >= HARNESS_TIMEOUT_MS && took_ms < 3 * HARNESS_TIMEOUT_MS);
	assert_non_null(strstr(h->reply.text,
			       "did not answer Get Channel Authentication Capabilities (for Get "
			       "Chassis Status) within 0.6 s"));
	/* 20 ms and half as much again each time: 0, 20, 50, 95, 162, 264, 416, and 645 is too late */
	assert_int_equal(harness_stats(h).requests, 1);
	assert_in_range(harness_stats(h).retransmits, 4, 6);
	harness_free(h);
}

static void refused_port_is_said_and_tried_again(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	fake_stop(&h->fake);
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNREACHABLE);
	assert_non_null(strstr(h->reply.text, "within 0.6 s: connection refused by host"));
	assert_true(harness_stats(h).retransmits > 0);
	harness_free(h);
}

static void host_that_comes_up_in_time_is_reached(void **state)
{
	struct harness *h = harness_new();
	uint16_t port = h->fake.port;

	(void)state;
	fake_stop(&h->fake);
	h->config.timeout_ms = 5000;
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (harness_stats(h).retransmits < 2)
		uv_run(&h->loop, UV_RUN_ONCE);
	fake_start(&h->fake, &h->loop, port);
	harness_wait(h, 1);
	assert_int_equal(h->reply.result, IPMI_OK);
	harness_free(h);
}

static void unknown_name(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.host = "no-such-bmc.invalid";
	h->config.timeout_ms = 20000;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNREACHABLE);
	assert_non_null(strstr(h->reply.text, "has a name that does not resolve"));
	harness_free(h);
}

static void name_is_resolved(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.host = "localhost";
	h->config.timeout_ms = 20000;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	harness_free(h);
}

static void an_interface_that_is_not_there_is_named(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.host = "fe80::1%nope";
	harness_bmc(h);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_UNREACHABLE);
		assert_non_null(strstr(h->reply.text, "]:"));
		assert_non_null(
		    strstr(h->reply.text, " has an address on interface nope, which is not there"));
	}
	assert_int_equal(harness_stats(h).requests, 0);
	harness_free(h);
}

/* Nobody listens on that port there, but the interface is found, by name and by number. */
static void an_interface_is_found(void **state)
{
	static const char *const hosts[] = {"::1%lo", "::1%1"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct harness *h = harness_new();

		h->config.host = hosts[i];
		harness_bmc(h);
		harness_ask(h, IPMI_GET_CHASSIS_STATUS, false);
		assert_null(strstr(h->reply.text, "interface"));
		assert_true(harness_stats(h).requests + harness_stats(h).retransmits > 0 ||
			    strstr(h->reply.text, strerror(EADDRNOTAVAIL)) ||
			    strstr(h->reply.text, strerror(EAFNOSUPPORT)));
		harness_free(h);
	}
}

static void freed_while_its_name_is_resolved(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	h->config.host = "localhost";
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	uv_run(&h->loop, UV_RUN_NOWAIT);
	ipmi_bmc_free(h->bmc);
	assert_int_equal(h->replies, 1);
	assert_int_equal(h->reply.result, IPMI_CANCELLED);
	harness_free(h);
}

static void queued_requests_run_in_order(void **state)
{
	struct harness *h = harness_new();

	(void)state;
	harness_bmc(h);
	harness_submit(h, IPMI_CHASSIS_CONTROL, true);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	harness_wait(h, 1);
	assert_int_equal(h->reply.result, IPMI_OK);
	harness_wait(h, 2);
	assert_int_equal(h->reply.result, IPMI_OK);
	assert_true(h->reply.chassis.power_on);
	assert_int_equal(harness_stats(h).sessions, 1);
	harness_free(h);
}

static void queued_requests_keep_their_own_deadlines(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_request request = {
	    .command = IPMI_GET_CHASSIS_STATUS, .timeout_ms = 100, .done = harness_on_done, .data = h};

	(void)state;
	uv_udp_recv_stop(&h->fake.socket);
	harness_bmc(h);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	assert_non_null(ipmi_bmc_submit(h->bmc, &request));
	harness_wait(h, 1);
	assert_non_null(strstr(h->reply.text, "Get Chassis Status waited 0.1 s for earlier requests"));
	assert_int_equal(h->reply.result, IPMI_UNREACHABLE);
	harness_wait(h, 2);
	assert_non_null(strstr(h->reply.text, "within 0.6 s"));
	harness_free(h);
}

/* Cancelled as soon as the BMC got a message of each kind: the next operation works as if nothing had been.
 */
static bool never(struct fake_bmc *fake, enum fake_kind kind, uint8_t *packet, size_t length)
{
	struct harness *h = fake->data;
	const enum fake_kind *victim = h->data;

	(void)packet;
	(void)length;
	return kind != *victim;
}

static void cancel_in_every_state(void **state)
{
	(void)state;
	for (enum fake_kind kind = FAKE_AUTH_CAPABILITIES; kind <= FAKE_COMMAND; kind++) {
		struct harness *h = harness_new();
		struct ipmi_op *op;

		if (kind == FAKE_CLOSE_SESSION)
			kind = FAKE_COMMAND;
		h->data = &kind;
		h->fake.filter = never;
		harness_bmc(h);
		op = harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
		while (h->fake.received[kind] == 0)
			uv_run(&h->loop, UV_RUN_ONCE);
		ipmi_op_cancel(op);
		assert_int_equal(h->replies, 1);
		assert_int_equal(h->reply.result, IPMI_CANCELLED);
		h->fake.filter = NULL;
		assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
		harness_free(h);
	}
}

static void cancel_leaves_the_others(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_op *first, *second;

	(void)state;
	harness_bmc(h);
	first = harness_submit(h, IPMI_CHASSIS_CONTROL, false);
	second = harness_submit(h, IPMI_CHASSIS_CONTROL, false);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (h->fake.received[FAKE_OPEN_SESSION] == 0)
		uv_run(&h->loop, UV_RUN_ONCE);
	ipmi_op_cancel(second);
	ipmi_op_cancel(first);
	harness_wait(h, 3);
	assert_int_equal(h->reply.result, IPMI_OK);
	assert_int_equal(h->fake.controls, 0);
	assert_int_equal(h->fake.received[FAKE_OPEN_SESSION], 1); /* the set-up went on for the third */
	harness_free(h);
}

static void on_done_free(const struct ipmi_reply *reply, void *data)
{
	struct harness *h = data;

	harness_on_done(reply, data);
	if (h->bmc) {
		struct ipmi_bmc *bmc = h->bmc;

		h->bmc = NULL;
		ipmi_bmc_free(bmc);
	}
}

static void freed_in_a_callback(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_request request = {.command = IPMI_GET_CHASSIS_STATUS, .done = on_done_free, .data = h};

	(void)state;
	harness_bmc(h);
	for (int i = 0; i < 3; i++)
		assert_non_null(ipmi_bmc_submit(h->bmc, &request));
	harness_wait(h, 3);
	assert_null(h->bmc);
	assert_int_equal(h->reply.result, IPMI_CANCELLED);
	harness_free(h);
}

static void freed_in_a_timeout_callback(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_request request = {
	    .command = IPMI_GET_CHASSIS_STATUS, .timeout_ms = 50, .done = on_done_free, .data = h};

	(void)state;
	uv_udp_recv_stop(&h->fake.socket);
	harness_bmc(h);
	for (int i = 0; i < 3; i++)
		assert_non_null(ipmi_bmc_submit(h->bmc, &request));
	harness_wait(h, 3);
	harness_free(h);
}

static void on_done_again(const struct ipmi_reply *reply, void *data)
{
	struct harness *h = data;
	struct ipmi_request request = {.command = IPMI_GET_CHASSIS_STATUS, .done = on_done_again, .data = h};

	harness_on_done(reply, data);
	if (h->replies < 10)
		assert_non_null(ipmi_bmc_submit(h->bmc, &request));
}

static void submitted_in_a_callback(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_request request = {.command = IPMI_GET_CHASSIS_STATUS, .done = on_done_again, .data = h};

	(void)state;
	harness_bmc(h);
	assert_non_null(ipmi_bmc_submit(h->bmc, &request));
	harness_wait(h, 10);
	assert_int_equal(h->reply.result, IPMI_OK);
	harness_free(h);
}

static void closed_with_pending_requests(void **state)
{
	struct harness *h = harness_new();
	unsigned count = 0;

	(void)state;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	for (; count < 5; count++)
		harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	uv_run(&h->loop, UV_RUN_NOWAIT);
	ipmi_engine_close(h->engine, 500, harness_on_closed, h);
	assert_true(h->replies >= 5); /* one may have been answered in time */
	uv_run(&h->loop, UV_RUN_DEFAULT);
	assert_int_equal(h->replies, 6);
	assert_true(h->closed);
	assert_int_equal(h->fake.received[FAKE_CLOSE_SESSION], 1);
	assert_int_equal(uv_loop_close(&h->loop), 0);
	free(h);
}

static void closed_although_the_bmc_is_silent(void **state)
{
	struct harness *h = harness_new();
	uint64_t begun_ms;

	(void)state;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	h->fake.session = false;
	begun_ms = ipmi_now_ms();
	ipmi_engine_close(h->engine, 150, harness_on_closed, h);
	uv_run(&h->loop, UV_RUN_DEFAULT);
	assert_in_range(ipmi_now_ms() - begun_ms, 150, 1500);
	assert_int_equal(uv_loop_close(&h->loop), 0);
	free(h);
}

static void two_bmcs_at_one_address(void **state)
{
	struct harness *h = harness_new();
	struct ipmi_bmc *first;

	(void)state;
	harness_bmc(h);
	first = h->bmc;
	harness_bmc(h);
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	h->bmc = first; /* the fake has one session: the second one's is forgotten now */
	assert_int_equal(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false)->result, IPMI_OK);
	assert_int_equal(harness_stats(h).bad_packets, 0);
	harness_free(h);
}

/* The address table grows and shrinks; every BMC is still found. */
static void many_bmcs(void **state)
{
	enum { MANY = 300 };
	struct harness *h = harness_new();
	static struct ipmi_bmc *bmcs[MANY];
	char host[32];

	(void)state;
	h->config.timeout_ms = 500; /* all have been asked by then, also on a busy machine */
	for (int i = 0; i < MANY; i++) {
		snprintf(host, sizeof(host), "127.2.%d.%d", i / 200, i % 200 + 1); /* nothing listens there */
		h->config.host = host;
		harness_bmc(h);
		bmcs[i] = h->bmc;
		harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	}
	harness_wait(h, MANY);
	for (int i = 0; i < MANY; i += 2)
		ipmi_bmc_free(bmcs[i]);
	harness_settle(h);
	for (int i = 1; i < MANY; i += 2) {
		h->bmc = bmcs[i];
		assert_int_equal(harness_stats(h).timeouts, 1);
		assert_int_equal(bmcs[i]->network_error, ECONNREFUSED); /* each got its own ICMP error */
	}
	harness_free(h);
}

static void names_of_results(void **state)
{
	(void)state;
	for (int result = IPMI_OK; result <= IPMI_INTERNAL; result++)
		assert_true(strlen(ipmi_result_name((enum ipmi_result)result)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_configurations_are_refused),
	    cmocka_unit_test(submit_never_calls_back),
	    cmocka_unit_test(silent_host_is_unreachable),
	    cmocka_unit_test(refused_port_is_said_and_tried_again),
	    cmocka_unit_test(host_that_comes_up_in_time_is_reached),
	    cmocka_unit_test(unknown_name),
	    cmocka_unit_test(name_is_resolved),
	    cmocka_unit_test(an_interface_that_is_not_there_is_named),
	    cmocka_unit_test(an_interface_is_found),
	    cmocka_unit_test(freed_while_its_name_is_resolved),
	    cmocka_unit_test(queued_requests_run_in_order),
	    cmocka_unit_test(queued_requests_keep_their_own_deadlines),
	    cmocka_unit_test(cancel_in_every_state),
	    cmocka_unit_test(cancel_leaves_the_others),
	    cmocka_unit_test(freed_in_a_callback),
	    cmocka_unit_test(freed_in_a_timeout_callback),
	    cmocka_unit_test(submitted_in_a_callback),
	    cmocka_unit_test(closed_with_pending_requests),
	    cmocka_unit_test(closed_although_the_bmc_is_silent),
	    cmocka_unit_test(two_bmcs_at_one_address),
	    cmocka_unit_test(many_bmcs),
	    cmocka_unit_test(names_of_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
