/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb arm-wol: lets a magic packet wake the physical ports that are meant, and says of each what it is then. */
#ifndef PM_HELPER_ARM_H
#define PM_HELPER_ARM_H

#include "agent/host/helper/answer.h"

#include <stdint.h>

enum answer arm_run(const struct request *request);

/* Reads "02:00:00:00:00:01", also with hyphens. */
bool arm_read_mac(const char *text, uint8_t mac[6]);

#endif
