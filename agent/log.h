/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log: one line a message, to standard error, syslog(3) or the systemd journal. */
#ifndef PM_LOG_H
#define PM_LOG_H

#include <syslog.h>

enum pm_log_target { PM_LOG_STDERR, PM_LOG_SYSLOG, PM_LOG_JOURNAL };

/*
 * Opens the log. level is the least important syslog level that is still written (LOG_INFO by default,
 * LOG_DEBUG with -v). Until it is called, lines go to standard error at LOG_INFO.
 */
void pm_log_open(enum pm_log_target target, int level);

/* Writes one line; level is LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO or LOG_DEBUG. Control characters in the
 * text (names and texts come from the network) are written as '?'. */
void pm_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
