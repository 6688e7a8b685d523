/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Descriptors that children must not have: net-snmp's socket to the master agent is one that it does not mark itself. */
#include "agent/host/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3

/* For kernels before 5.11. */
static void mark_each(void)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	long fd;

	while (directory && (entry = readdir(directory))) {
		fd = strtol(entry->d_name, NULL, 10);
		if (fd >= FIRST_FD)
			fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	}
	if (directory)
		closedir(directory);
}

void host_close_on_exec(void)
{
	if (close_range(FIRST_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		mark_each();
}
