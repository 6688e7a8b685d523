/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing lost, nothing twice: which replies leave open whether a command was done. */
#include "agent/outcome.h"
#include "tests/unit/agent/support.h"

static enum pm_outcome outcome(enum ipmi_result result, bool sent)
{
	return pm_outcome_of(&(struct ipmi_reply){.result = result, .sent = sent, .completion_code = 0xd5});
}

static void test_what_was_not_sent_was_not_done(void **state)
{
	static const enum ipmi_result unanswered[] = {IPMI_TIMEOUT, IPMI_UNREACHABLE, IPMI_CANCELLED};

	(void)state;
	for (size_t i = 0; i < LENGTH(unanswered); i++) {
		assert_int_equal(outcome(unanswered[i], false), PM_OUTCOME_NOT_DONE);
		assert_int_equal(outcome(unanswered[i], true), PM_OUTCOME_DOUBTFUL);
	}
	assert_int_equal(outcome(IPMI_SESSIONS_EXHAUSTED, false), PM_OUTCOME_NOT_DONE);
	assert_int_equal(outcome(IPMI_OK, true), PM_OUTCOME_DONE);
}

static void test_what_is_refused_is_not_tried_again(void **state)
{
	static const enum ipmi_result refused[] = {IPMI_AUTH_FAILED, IPMI_REJECTED, IPMI_UNSUPPORTED,
						   IPMI_INTERNAL};

	(void)state;
	for (size_t i = 0; i < LENGTH(refused); i++)
		assert_int_equal(outcome(refused[i], true), PM_OUTCOME_REFUSED);
}

static void test_every_completion_code(void **state)
{
	static const uint8_t doubtful[] = {0x00, 0xc3, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xff};
	unsigned counts[PM_OUTCOME_REFUSED + 1] = {0};

	(void)state;
	for (unsigned code = 0; code < 256; code++)
		counts[pm_outcome_of(&(struct ipmi_reply){
		    .result = IPMI_REJECTED, .sent = true, .completion_code = (uint8_t)code})]++;
	for (size_t i = 0; i < LENGTH(doubtful); i++)
		assert_int_equal(pm_outcome_of(&(struct ipmi_reply){.result = IPMI_REJECTED,
								    .completion_code = doubtful[i]}),
				 PM_OUTCOME_DOUBTFUL);
	assert_int_equal(
	    pm_outcome_of(&(struct ipmi_reply){.result = IPMI_REJECTED, .completion_code = 0xc0}),
	    PM_OUTCOME_NOT_DONE);
	assert_int_equal(counts[PM_OUTCOME_DONE], 0);
	assert_int_equal(counts[PM_OUTCOME_NOT_DONE], 1);
	assert_int_equal(counts[PM_OUTCOME_DOUBTFUL], LENGTH(doubtful));
}

static void test_every_result_is_one_of_the_mib(void **state)
{
	static const enum pm_result expected[] = {[IPMI_OK] = PM_RESULT_OK,
						  [IPMI_TIMEOUT] = PM_RESULT_TIMEOUT,
						  [IPMI_UNREACHABLE] = PM_RESULT_UNREACHABLE,
						  [IPMI_AUTH_FAILED] = PM_RESULT_AUTH_FAILED,
						  [IPMI_SESSIONS_EXHAUSTED] = PM_RESULT_REJECTED,
						  [IPMI_REJECTED] = PM_RESULT_REJECTED,
						  [IPMI_UNSUPPORTED] = PM_RESULT_REJECTED,
						  [IPMI_CANCELLED] = PM_RESULT_ABORTED,
						  [IPMI_INTERNAL] = PM_RESULT_INTERNAL_ERROR};

	(void)state;
	assert_int_equal(LENGTH(expected), IPMI_INTERNAL + 1);
	for (size_t i = 0; i < LENGTH(expected); i++)
		assert_int_equal(
		    pm_outcome_result(&(struct ipmi_reply){.result = (enum ipmi_result)i, .sent = true}),
		    expected[i]);
	assert_int_equal(pm_outcome_result(&(struct ipmi_reply){.result = IPMI_TIMEOUT}),
			 PM_RESULT_UNREACHABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_was_not_sent_was_not_done),
	    cmocka_unit_test(test_what_is_refused_is_not_tried_again),
	    cmocka_unit_test(test_every_completion_code),
	    cmocka_unit_test(test_every_result_is_one_of_the_mib),
	};

	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
