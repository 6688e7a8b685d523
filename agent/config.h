/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the configuration file (libconfuse syntax, pmstack.conf(5)) to an inventory, or to a list of errors.
 */
#ifndef PM_CONFIG_H
#define PM_CONFIG_H

#include "agent/error.h"
#include "agent/inventory.h"

#define PM_CONFIG_DEFAULT_PATH "/etc/pmstack/pmstack.conf"

/* Every problem found in one reading, each as "file:line: what is wrong, and what would be right". */
struct pm_config_errors {
	char **lines; /* owned; free with pm_config_errors_clear() */
	size_t count;
};

/*
 * Reads path and everything it includes, ethers(5) and the secret files it names, into *inventory (owned by
 * the caller, see pm_inventory_free()). Touches nothing else. Returns 0, or a negative errno value with at
 * least one line in errors and *inventory NULL. Blocks on files only; resolves no host name. May be called
 * again at any time.
 */
int pm_config_load(const char *path, struct pm_inventory **inventory, struct pm_config_errors *errors);

void pm_config_errors_clear(struct pm_config_errors *errors);

#endif
