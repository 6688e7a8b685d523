/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#ifdef PM_WITH_SYSTEMD
#include <systemd/sd-journal.h>
#endif

static enum pm_log_target log_target = PM_LOG_STDERR;
static int log_level = LOG_INFO;

static const char *level_name(int level)
{
	static const char *const names[] = {"emerg",   "alert",  "crit", "error",
					    "warning", "notice", "info", "debug"};

	return names[level & 7];
}

static void write_stderr(int level, const char *text)
{
	char stamp[32];
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ld %s: %s\n", stamp, now.tv_nsec / 1000000, level_name(level), text);
}

void pm_log_open(enum pm_log_target target, int level)
{
	log_target = target;
	log_level = level;
	setvbuf(stderr, NULL, _IOLBF, 0);
	if (target == PM_LOG_SYSLOG)
		openlog("pmstackd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void pm_log(int level, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	if (log_target == PM_LOG_SYSLOG)
		syslog(level, "%s", text);
#ifdef PM_WITH_SYSTEMD
	else if (log_target == PM_LOG_JOURNAL)
		sd_journal_print(level, "%s", text);
#endif
	else
		write_stderr(level, text);
}
