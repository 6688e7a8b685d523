/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In the place of the IPMI engine (by ld's --wrap, see the Makefile): a test sees what is sent to BMCs, and answers. Chassis
 * status is not asked for: bmc_says() tells it.
 */
#ifndef PM_TEST_FAKE_BMC_H
#define PM_TEST_FAKE_BMC_H

#include "tests/unit/agent/support.h"

/* What goes for a struct ipmi_op. */
struct fake_op {
	struct ipmi_request request;
	struct pm_timer *timer;
	struct fake_op *next;
};

static uv_loop_t *fake_bmc_loop;
static uint64_t fake_bmc_reply_ms;                                /* 0: answers come by fake_bmc_answer() */
static void (*fake_bmc_obey)(const struct ipmi_request *request); /* told what is sent; NULL: nobody is */
static struct fake_op *fake_ops;                                  /* not answered yet; the newest first */
static unsigned fake_bmc_sent;

struct ipmi_op *__wrap_ipmi_bmc_submit(struct ipmi_bmc *bmc, const struct ipmi_request *request);
void __wrap_ipmi_op_cancel(struct ipmi_op *op);
void __wrap_ipmi_bmc_stats(const struct ipmi_bmc *bmc, struct ipmi_bmc_stats *stats);

static inline void fake_op_end(struct fake_op *op, const struct ipmi_reply *reply)
{
	struct ipmi_request request = op->request;
	struct fake_op **link = &fake_ops;

	while (*link != op)
		link = &(*link)->next;
	*link = op->next;
	pm_timer_free(op->timer);
	free(op);
	request.done(reply, request.data);
}

static inline void fake_op_answer(void *data)
{
	fake_op_end(data, &(struct ipmi_reply){.result = IPMI_OK, .sent = true});
}

struct ipmi_op *__wrap_ipmi_bmc_submit(struct ipmi_bmc *bmc, const struct ipmi_request *request)
{
	struct fake_op *op = calloc(1, sizeof(*op));

	(void)bmc;
	assert_non_null(op);
	if (fake_bmc_obey)
		fake_bmc_obey(request);
	fake_bmc_sent++;
	op->request = *request;
	op->timer = pm_timer_new(fake_bmc_loop, fake_op_answer, op);
	if (fake_bmc_reply_ms)
		pm_timer_start(op->timer, fake_bmc_reply_ms);
	op->next = fake_ops;
	fake_ops = op;
	return (struct ipmi_op *)op;
}

void __wrap_ipmi_op_cancel(struct ipmi_op *op)
{
	fake_op_end((struct fake_op *)op, &(struct ipmi_reply){.result = IPMI_CANCELLED, .sent = true});
}

void __wrap_ipmi_bmc_stats(const struct ipmi_bmc *bmc, struct ipmi_bmc_stats *stats)
{
	(void)bmc;
	memset(stats, 0, sizeof(*stats));
}

/* Answers what was sent last. */
static inline void fake_bmc_answer(enum ipmi_result result)
{
	struct ipmi_reply reply = {.result = result, .sent = true};

	assert_non_null(fake_ops);
	if (result != IPMI_OK)
		snprintf(reply.text, sizeof(reply.text), "BMC: %s", ipmi_result_name(result));
	fake_op_end(fake_ops, &reply);
}

static inline enum ipmi_chassis_control fake_bmc_asked(void)
{
	assert_non_null(fake_ops);
	assert_int_equal(fake_ops->request.command, IPMI_CHASSIS_CONTROL);
	return fake_ops->request.control;
}

#endif
