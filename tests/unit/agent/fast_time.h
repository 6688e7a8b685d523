/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests of one source: time that passes as fast as nothing happens in it. */
#ifndef PM_TEST_FAST_TIME_H
#define PM_TEST_FAST_TIME_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t passed_ms; /* so much time has passed that did not */
static _Atomic int64_t slept_ms;  /* while this host slept, besides */

/* libuv's clock, and everybody else's. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
	static _Atomic int64_t begun_s;
	int result = (int)syscall(SYS_clock_gettime, clock, time);
	int64_t ms = passed_ms + (clock == CLOCK_BOOTTIME ? slept_ms : 0);

	if (clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return result;
	if (!begun_s)
		begun_s = time->tv_sec;
	time->tv_sec = begun_s + ms / 1000;
	time->tv_nsec = ms % 1000 * 1000000;
	return result;
}

#endif
