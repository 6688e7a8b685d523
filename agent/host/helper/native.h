/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Going down without systemd-logind: by the commands of the system, and /sys/power/state. */
#ifndef PM_HELPER_NATIVE_H
#define PM_HELPER_NATIVE_H

#include "agent/host/helper/answer.h"
#include "agent/host/helper/command.h"

/* How a verb is done. */
struct native {
	char program[COMMAND_PATH_SIZE]; /* "": sleep_state is written to /sys/power/state */
	char argument[2];                /* run level, "" when there is none */
	const char *sleep_state;
};

/* Whether the kernel can suspend or hibernate, whoever may ask it to. ANSWER_FAILED: that is not known. */
enum answer native_can_sleep(enum verb verb, struct pm_error *err);

/* Finds out how, whether it is possible, and whether we may. */
enum answer native_prepare(struct native *native, const struct request *request, struct pm_error *err);

/* "/usr/sbin/poweroff", for texts. */
void native_describe(const struct native *native, char *text, size_t size);

/* ANSWER_GOING: it was begun, and what became of it is not known. */
enum answer native_do(const struct native *native, struct pm_error *err);

#endif
