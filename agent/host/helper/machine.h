/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which machine, and which boot of it, this is. */
#ifndef PM_HELPER_MACHINE_H
#define PM_HELPER_MACHINE_H

#include "agent/host/helper/request.h"

#include <stdint.h>

#define MACHINE_NAME_SIZE 256

/* From /proc/sys/kernel/random/boot_id, in lower case. 0 or a negative errno value; err may be NULL. */
int machine_boot_id(char id[REQUEST_BOOT_ID_SIZE], struct pm_error *err);

/*
 * SMBIOS, 7.2.1, as the kernel shows it, in lower case. 0; -ENOENT when the firmware does not tell (all bits equal mean that,
 * too); or another negative errno value: -EACCES when only root may read it.
 */
int machine_uuid(char uuid[REQUEST_BOOT_ID_SIZE]);

/* Since the boot, sleep included, in s. */
uint64_t machine_uptime_s(void);

/* A clock that only moves forward, in ms. */
uint64_t machine_now_ms(void);

void machine_hostname(char name[MACHINE_NAME_SIZE]);

/* The first octets of a small file, with a NUL, without the newline at its end. Their number, or a negative errno value. */
int machine_read_file(const char *path, char *text, size_t size);

#endif
