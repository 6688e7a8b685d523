/* SPDX-License-Identifier: GPL-3.0-or-later */
/* As somebody who is not root: the same request again as root, by sudo, if its rules allow that. */
#ifndef PM_HELPER_ELEVATE_H
#define PM_HELPER_ELEVATE_H

#include "agent/host/helper/request.h"

/*
 * True: it was done as root, and answered; exit_status is what to end with. False: sudo is missing or has refused, and nothing
 * was done or answered; request->sudo says why.
 */
bool elevate(struct request *request, int *exit_status);

#endif
