/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a disk can do to a store. */
#ifndef PM_TEST_STORE_FAULTS_H
#define PM_TEST_STORE_FAULTS_H

#include "agent/store_private.h"
#include "tests/unit/agent/support.h"

/* From now on the disk does not take what was written: a pipe can not be synced. Returns what mend_sync() needs. */
static inline int break_sync(struct pm_store *store)
{
	int pipes[2], good = store->log_fd;

	assert_int_equal(pipe(pipes), 0);
	close(pipes[0]);
	store->log_fd = pipes[1];
	return good;
}

static inline void mend_sync(struct pm_store *store, int good)
{
	close(store->log_fd);
	store->log_fd = good;
}

#endif
