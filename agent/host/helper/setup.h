/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verb setup: prints what an administrator does, once, so that an agent may ask this machine. Changes nothing. */
#ifndef PM_HELPER_SETUP_H
#define PM_HELPER_SETUP_H

#include "agent/host/helper/answer.h"

/* caller: who called sudo, as it says; the key's file is read with the rights of that user. NULL: nobody did. */
enum answer setup_run(const struct request *request, const char *caller);

/* Whether the line is a public key of OpenSSH without options: type, base64, comment. It is cut at the comment. */
bool setup_read_key(char *line);

#endif
