/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb report: what this machine is, what it can, and its interfaces. Changes nothing. */
#ifndef PM_HELPER_REPORT_H
#define PM_HELPER_REPORT_H

#include "agent/host/helper/answer.h"
#include "agent/host/helper/link.h"

enum answer report_run(const struct request *request);

/* A MAC for JSON, null when it is all zero. A new reference. */
json_t *report_mac(const uint8_t mac[6]);

#endif
