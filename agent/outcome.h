/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a BMC's reply to a command says about the command: done, not done, or nobody knows. */
#ifndef PM_OUTCOME_H
#define PM_OUTCOME_H

#include "agent/tc.h"
#include "ipmi/ipmi.h"

enum pm_outcome {
	PM_OUTCOME_DONE,
	PM_OUTCOME_NOT_DONE, /* it did not arrive, or the BMC was busy: anything may be sent again */
	PM_OUTCOME_DOUBTFUL, /* it may have been done: what is momentary is not sent again */
	PM_OUTCOME_REFUSED   /* not done, and would not be the next time */
};

/* IPMI 2.0, table 5-2. */
enum pm_outcome pm_outcome_of(const struct ipmi_reply *reply);

/* Doubtful, but an error all the same: one that is not specified, or an answer that was cut short. */
bool pm_outcome_is_error(const struct ipmi_reply *reply);

/* How a job ends that ends with this reply. */
enum pm_result pm_outcome_result(const struct ipmi_reply *reply);

#endif
