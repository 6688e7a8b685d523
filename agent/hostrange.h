/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Host ranges as pdsh, FreeIPMI and ClusterShell write them: "lab[01-16]", "r[1-2]n[01-20]", "a[1,3,5-7]".
 * Numbers are padded with zeros to the width of the lower bound. Of several brackets the last one varies
 * fastest.
 */
#ifndef PM_HOSTRANGE_H
#define PM_HOSTRANGE_H

#include "agent/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PM_HOSTRANGE_MAX 100000 /* names that one text may stand for */

struct pm_hostrange;

/*
 * Parses text into *range (owned by the caller). A text without a range stands for itself. A bracket that
 * holds anything but digits, commas and hyphens, such as the one in "[fe80::1]", is no range and stays as it
 * is. Returns 0, or -EINVAL (malformed or reversed range), -ERANGE (more than PM_HOSTRANGE_MAX names) or
 * -ENOMEM with the reason in error.
 */
int pm_hostrange_new(const char *text, struct pm_hostrange **range, struct pm_error *error);

void pm_hostrange_free(struct pm_hostrange *range);

/* How many names it stands for, at least 1; and whether it holds a bracket at all ("a[1]" does, and counts
 * 1). */
size_t pm_hostrange_count(const struct pm_hostrange *range);
bool pm_hostrange_is_range(const struct pm_hostrange *range);

/* Name number index (from 0, below the count) as a new string for free(3), or NULL when memory is short. */
char *pm_hostrange_name(const struct pm_hostrange *range, size_t index);

#endif
