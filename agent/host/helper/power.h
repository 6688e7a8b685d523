/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verbs after which the machine goes down, or to sleep: poweroff, reboot, suspend, hibernate, init. */
#ifndef PM_HELPER_POWER_H
#define PM_HELPER_POWER_H

#include "agent/host/helper/answer.h"

/* Checks, answers, does it, and answers again if the machine still runs. The last answer. */
enum answer power_run(const struct request *request);

#endif
