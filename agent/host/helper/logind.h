/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * systemd-logind, or elogind, by its D-Bus interface org.freedesktop.login1, on the system bus at its usual place. What does
 * not answer within LOGIND_TIMEOUT_MS in all has failed.
 */
#ifndef PM_HELPER_LOGIND_H
#define PM_HELPER_LOGIND_H

#include "agent/host/helper/answer.h"

#define LOGIND_TIMEOUT_MS 4000

struct logind;

/*
 * Connects. 0: *logind is NULL when there is none, else to be closed by logind_close. A negative errno value: there is one that
 * does not answer.
 */
int logind_open(struct logind **logind, struct pm_error *err);

void logind_close(struct logind *logind);

/* Whether poweroff, reboot, suspend or hibernate is possible, and we may. */
enum answer logind_can(struct logind *logind, enum verb verb, struct pm_error *err);

/* Whether somebody inhibits going down, or for suspend and hibernate sleep: ANSWER_REFUSED names who and why. */
enum answer logind_inhibited(struct logind *logind, enum verb verb, struct pm_error *err);

/*
 * Lets it happen; returns when logind has agreed. ANSWER_GOING: it was told, and has not answered, which may be because it, or
 * the bus, is ending already.
 */
enum answer logind_do(struct logind *logind, enum verb verb, struct pm_error *err);

#endif
