/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A loop, an engine and a misbehaving BMC for each unit test, with times short enough for many tests.
 */
#ifndef PM_IPMI_HARNESS_H
#define PM_IPMI_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ipmi/internal.h"
#include "tests/unit/ipmi/fake_bmc.h"

enum { HARNESS_RETRANSMIT_MS = 20, HARNESS_TIMEOUT_MS = 600 };

struct harness {
	uv_loop_t loop;
	uv_timer_t
	    tick; /* lets uv_run(UV_RUN_ONCE) return when a condition came true before it went to sleep */
	struct ipmi_engine *engine;
	struct ipmi_bmc *bmc;
	struct fake_bmc fake;
	struct ipmi_bmc_config config;
	uint8_t suites[4];
	struct ipmi_reply reply; /* of the last operation that ended */
	unsigned replies;
	bool closed;
	void *data; /* the test's own */
};

static inline void harness_on_done(const struct ipmi_reply *reply, void *data)
{
	struct harness *h = data;

	h->reply = *reply;
	h->replies++;
}

static inline void harness_on_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* For tests of what is not sent again: a busy machine is not taken for silence. */
static inline void harness_be_patient(struct harness *h)
{
	h->config.retransmit_ms = 10000;
	h->config.timeout_ms = 30000;
}

/* The BMC at the fake's address; a test may change h->config before. */
static inline void harness_bmc(struct harness *h)
{
	assert_int_equal(ipmi_bmc_new(h->engine, &h->config, &h->bmc), 0);
}

static inline struct harness *harness_new(void)
{
	struct harness *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	assert_int_equal(uv_loop_init(&h->loop), 0);
	assert_int_equal(uv_timer_init(&h->loop, &h->tick), 0);
	assert_int_equal(uv_timer_start(&h->tick, harness_on_tick, 10, 10), 0);
	assert_int_equal(ipmi_engine_new(&h->loop, &h->engine), 0);
	fake_start(&h->fake, &h->loop, 0);
	h->fake.data = h;
	h->suites[0] = 3;
	h->config = (struct ipmi_bmc_config){.host = "127.0.0.1",
					     .port = h->fake.port,
					     .username = "admin",
					     .password = (const uint8_t *)"secret",
					     .password_length = 6,
					     .privilege = IPMI_PRIVILEGE_OPERATOR,
					     .cipher_suites = h->suites,
					     .cipher_suite_count = 1,
					     .timeout_ms = HARNESS_TIMEOUT_MS,
					     .retransmit_ms = HARNESS_RETRANSMIT_MS};
	return h;
}

static inline void harness_on_closed(void *data)
{
	struct harness *h = data;

	h->closed = true;
	fake_stop(&h->fake);
	uv_close((uv_handle_t *)&h->tick, NULL);
}

static inline void harness_free(struct harness *h)
{
	ipmi_engine_close(h->engine, 200, harness_on_closed, h);
	uv_run(&h->loop, UV_RUN_DEFAULT);
	assert_true(h->closed);
	assert_int_equal(uv_loop_close(&h->loop), 0);
	free(h);
}

static inline struct ipmi_op *harness_submit(struct harness *h, enum ipmi_command command, bool once)
{
	struct ipmi_request request = {.command = command, .once = once, .done = harness_on_done, .data = h};
	struct ipmi_op *op;

	if (command == IPMI_CHASSIS_CONTROL)
		request.control = IPMI_POWER_UP;
	op = ipmi_bmc_submit(h->bmc, &request);
	assert_non_null(op);
	return op;
}

static inline void harness_wait(struct harness *h, unsigned replies)
{
	while (h->replies < replies)
		uv_run(&h->loop, UV_RUN_ONCE);
}

/* One request from start to end. */
static inline const struct ipmi_reply *harness_ask(struct harness *h, enum ipmi_command command, bool once)
{
	unsigned before = h->replies;

	harness_submit(h, command, once);
	harness_wait(h, before + 1);
	return &h->reply;
}

static inline struct ipmi_bmc_stats harness_stats(const struct harness *h)
{
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(h->bmc, &stats);
	return stats;
}

/* Offsets in an IPMI 1.5 packet with authentication: IPMI 2.0, table 13-8. */
enum {
	LAN_TYPE = 4,
	LAN_SEQUENCE = 5,
	LAN_ID = 9,
	LAN_CODE = 13,
	LAN_LENGTH = 29,
	LAN_MESSAGE_AT = 30,
	LAN_CMD = LAN_MESSAGE_AT + 5,
	LAN_COMPLETION = LAN_MESSAGE_AT + 6
};

static inline void harness_speak_1_5(struct harness *h)
{
	h->config.version = IPMI_VERSION_1_5;
	h->fake.suite = NULL;
}

/* Makes the MD5 code of an IPMI 1.5 packet right again, and the message's checksum, after a test changed something. */
static inline void harness_sign_1_5(const struct harness *h, uint8_t *packet)
{
	struct sim_buffer covered = {.length = 0};
	uint8_t password[16] = {0}, sum = 0, length = packet[LAN_LENGTH];

	for (size_t i = 3; i + 1 < length; i++)
		sum = (uint8_t)(sum + packet[LAN_MESSAGE_AT + i]);
	packet[LAN_MESSAGE_AT + length - 1] = (uint8_t)(0 - sum);
	memcpy(password, h->fake.password, strnlen(h->fake.password, sizeof(password)));
	sim_put(&covered, packet + LAN_ID, 4);
	sim_put(&covered, packet + LAN_MESSAGE_AT, length);
	sim_put(&covered, packet + LAN_SEQUENCE, 4);
	sim_md5_enclosed(password, sizeof(password), covered.data, covered.length, packet + LAN_CODE);
}

/* Runs the loop until every packet that was sent has been received. */
static inline void harness_settle(struct harness *h)
{
	for (int idle = 0; idle < 5; idle++)
		uv_run(&h->loop, UV_RUN_NOWAIT);
}

#endif
