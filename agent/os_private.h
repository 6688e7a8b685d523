/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of agent/os*.c share: os.c (what is known), os_ask.c (asking), os_report.c (what a report says). */
#ifndef PM_OS_PRIVATE_H
#define PM_OS_PRIVATE_H

#include "agent/os.h"

/* --- os.c --- */

/* A question has found no report: what that means. is_older: it began before it agreed to go down. */
void pm_os_missed(struct pm_os *os, const struct host_reply *reply, bool is_older);

/* It has agreed to go down, and is not known to have done so, or not to do so. */
bool pm_os_pending(const struct pm_os *os);

/* Failures in a row until its last report no longer holds. */
unsigned pm_os_misses_max(const struct pm_os *os);

/* Another host is meant from now on: nothing is known of it. */
void pm_os_forget(struct pm_os *os);

/* --- os_ask.c --- */

/* Asks as soon as there is room, instead of when it would be due. */
void pm_os_queue(struct pm_os *os);

/* The same; a question that is under way would not get an answer as soon as a new one. */
void pm_os_queue_anew(struct pm_os *os);

/* --- os_report.c --- */

/* Tells what in the report disagrees with the configuration, if that is news. */
void pm_os_compare(struct pm_os *os);

#endif
