/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What has happened goes to the store in one transaction with all that happened meanwhile: jobs and their steps, events,
 * states, VMs, notifications. Its commit is quick; a helper thread then brings it to the disk. Commits are numbered: the
 * generation of a thing is that of the commit it was in.
 *
 *   in the transaction       pm_jobs_store(), pm_notify_store()
 *   after its commit         pm_notify_stored(), pm_jobs_stored()      it outlives the process
 *   when it is on the disk   pm_jobs_synced(), pm_notify_synced()      and a loss of power; asked for when jobs or
 *                                                                      notifications were in it
 *   when either has failed   pm_jobs_store_failed(), pm_notify_store_failed()
 *
 * A store that fails is logged once, and tried again after two seconds, then every ten: nothing is lost that is still in
 * memory.
 */
#ifndef PM_FLUSH_H
#define PM_FLUSH_H

#include "agent/agent.h"

/* The machine has something to be written soon. */
void pm_flush_machine(struct pm_machine *machine);

/* The machine goes: what could not be written of it is lost. */
void pm_flush_forget(struct pm_machine *machine);

/* Within 200 ms. */
void pm_flush_soon(struct pm_agent *agent);

/* For what is told: with the next turn of the loop, but not within 20 ms of the flush before. */
void pm_flush_shortly(struct pm_agent *agent);

/*
 * With the next turn of the loop, because something waits for it; while an earlier commit is on its way to the disk, when
 * it is there (and within 200 ms): so one sync serves all that has come meanwhile.
 */
void pm_flush_now(struct pm_agent *agent);

/* At once, for whoever cannot wait. 0, or the store's error; then it will be tried again. */
int pm_flush(struct pm_agent *agent);

#endif
