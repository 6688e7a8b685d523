/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libFuzzer: any octets as configuration file either become an inventory or leave at least one error. */
#include "agent/config.h"
#include "agent/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	pm_log_open(PM_LOG_STDERR, LOG_ERR);
	return 0;
}

static void check_inventory(const struct pm_inventory *inventory)
{
	for (size_t i = 0; i < inventory->machine_count; i++)
		assert(pm_inventory_machine(inventory, inventory->machines[i].name) ==
		       &inventory->machines[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pm_inventory *inventory;
	struct pm_config_errors errors;
	char path[64];
	int fd = memfd_create("pmstack.conf", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (pm_config_load(path, &inventory, &errors) == 0)
		check_inventory(inventory);
	else
		assert(!inventory && errors.count > 0);
	pm_inventory_free(inventory);
	pm_config_errors_clear(&errors);
	close(fd);
	return 0;
}
