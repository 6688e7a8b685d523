/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows of pmJobTable in the order of their index, for it and for pmJobStepTable: straight from the machines. */
#ifndef PM_MIB_JOB_ROWS_H
#define PM_MIB_JOB_ROWS_H

#include "agent/job.h"

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

/* pmIndex, owner and name of a job; returns the number of sub-identifiers, which index has PM_INDEX_MAX room for. */
size_t pm_job_index(const struct pm_job *job, oid *index);

/*
 * The first job whose index is greater than (or with inclusive: equal to) this one, or NULL. O(log n) also where most
 * machines have no jobs.
 */
struct pm_job *pm_job_from(const oid *index, size_t length, bool inclusive);

/* The machines have changed, or nothing is asked for any more. */
void pm_job_rows_forget(void);

#endif
