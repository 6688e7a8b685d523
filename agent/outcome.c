/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/outcome.h"

/*
 * C0h says that nothing was done. With the others the response "could not be provided", or nothing is said at all: the
 * command itself may have been carried out. 0 is an answer that was cut short.
 */
static enum pm_outcome outcome_of_code(uint8_t completion_code)
{
	switch (completion_code) {
	case 0xc0: /* node busy */
		return PM_OUTCOME_NOT_DONE;
	case 0x00:
	case 0xc3: /* timeout while processing */
	case 0xce: /* response could not be provided */
	case 0xcf: /* duplicated request */
	case 0xd0: /* the same: sensor data repository in update, */
	case 0xd1: /* firmware update, */
	case 0xd2: /* initialization in progress */
	case 0xff: /* unspecified error */
		return PM_OUTCOME_DOUBTFUL;
	default:
		return PM_OUTCOME_REFUSED;
	}
}

enum pm_outcome pm_outcome_of(const struct ipmi_reply *reply)
{
	switch (reply->result) {
	case IPMI_OK:
		return PM_OUTCOME_DONE;
	case IPMI_TIMEOUT:
	case IPMI_UNREACHABLE:
	case IPMI_CANCELLED:
		return reply->sent ? PM_OUTCOME_DOUBTFUL : PM_OUTCOME_NOT_DONE;
	case IPMI_SESSIONS_EXHAUSTED: /* there will be a free one some time */
		return PM_OUTCOME_NOT_DONE;
	case IPMI_REJECTED:
		return outcome_of_code(reply->completion_code);
	default:
		return PM_OUTCOME_REFUSED;
	}
}

bool pm_outcome_is_error(const struct ipmi_reply *reply)
{
	return reply->result == IPMI_REJECTED &&
	       (reply->completion_code == 0x00 || reply->completion_code == 0xff);
}

enum pm_result pm_outcome_result(const struct ipmi_reply *reply)
{
	switch (reply->result) {
	case IPMI_OK:
		return PM_RESULT_OK;
	case IPMI_TIMEOUT: /* of what was never sent there is no effect to wait for */
		return reply->sent ? PM_RESULT_TIMEOUT : PM_RESULT_UNREACHABLE;
	case IPMI_UNREACHABLE:
		return PM_RESULT_UNREACHABLE;
	case IPMI_AUTH_FAILED:
		return PM_RESULT_AUTH_FAILED;
	case IPMI_INTERNAL:
		return PM_RESULT_INTERNAL_ERROR;
	case IPMI_CANCELLED:
		return PM_RESULT_ABORTED;
	default:
		return PM_RESULT_REJECTED;
	}
}
