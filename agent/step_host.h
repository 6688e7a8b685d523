/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Shared by the files that make up steps of a machine's operating system; nobody else looks inside.
 *
 *   step_host.c       asks, tells, and what it answers
 *   step_host_wait.c  what became of it
 *   step_host_arm.c   Wake-on-LAN
 */
#ifndef PM_STEP_HOST_H
#define PM_STEP_HOST_H

#include "agent/step.h"

#define PM_HOST_TICK_MS 500

extern const char
    pm_host_not_armed[]; /* the text of a step that ended well without arming anything begins so */

bool pm_host_arms(const struct pm_step *step);
bool pm_host_sleeps(const struct pm_step *step);   /* to memory or to disk */
bool pm_host_restarts(const struct pm_step *step); /* goes down to come up again */

/* --- how it ends; the job may be gone afterwards ---------------------------------------------- */

/*
 * As pm_step_failed(), but nothing harder is tried for a machine that was only to sleep or to be armed, or when the time for
 * it was over before a restart.
 */
void pm_host_fail(struct pm_step_run *run, enum pm_result result, const char *text);

/* It said no; where it is to be forced in the end, the next method follows. */
void pm_host_refused(struct pm_step_run *run, const char *why);

/* It is in another boot: what was asked of the one before is over, whoever ended it. */
void pm_host_other_boot(struct pm_step_run *run);

/* All of its time is over. */
void pm_host_timed_out(struct pm_step_run *run);

/* It cannot sleep at all: then it may be switched off instead, if that is planned. */
void pm_host_cannot_sleep(struct pm_step_run *run, const char *why);

enum pm_result pm_host_result(enum host_result result);

/* --- what became of it ------------------------------------------------------------------------ */

/* Whether the host that is configured now is the one that was asked. */
bool pm_host_is_same(const struct pm_step_run *run);
void pm_host_note_target(struct pm_step_run *run);

/* Has the machine looked at, soon and often. */
void pm_host_wait(struct pm_step_run *run);

/* Ends it if its effect is observed, or if that cannot come any more; returns whether it has. */
bool pm_host_settle(struct pm_step_run *run);

/* It has told, after all else, that it is still in the boot that was asked. */
bool pm_host_still_answers(const struct pm_step_run *run);

/* Whether it was asked once more, before something else is tried instead. */
bool pm_host_has_looked(struct pm_step_run *run);

/* How long the agent's own host has slept since it was started. */
int64_t pm_host_slept_ms(void);

/* --- requests --------------------------------------------------------------------------------- */

void pm_host_submit(struct pm_step_run *run, const struct host_request *request);

/* Whether a reply is to a request that was cancelled by the step itself: it takes no more notice of that. */
bool pm_host_was_cut(struct pm_step_run *run, const struct host_reply *reply);

/* Nobody has said anything. */
bool pm_host_is_silence(const struct host_reply *reply);

/* Nobody was there: it is tried for a short while, as long as a network may take to recover. */
void pm_host_not_reached(struct pm_step_run *run, const struct host_reply *reply);

/* --- Wake-on-LAN ------------------------------------------------------------------------------ */

/* Arms, when it is known which boot it is. */
void pm_host_arm(struct pm_step_run *run);

bool pm_host_has_mac(const struct host_port *port, const uint8_t mac[6]);

#endif
