/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way from a configuration file to an inventory, or to all that is wrong with it. */
#include "agent/config.h"
#include "agent/config_build.h"

#include <errno.h>
#include <string.h>

char *config_dup(struct config_build *build, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		config_error(build->report, build->root->file, 0, "out of memory");
	return copy;
}

void *config_new(struct config_build *build, size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		config_error(build->report, build->root->file, 0, "out of memory");
	return memory;
}

static void build_inventory(struct config_build *build)
{
	config_read_ethers(build);
	config_build_agent(build);
	config_build_credentials(build);
	config_build_machines(build);
	if (pm_inventory_index(build->inventory) < 0)
		config_error(build->report, build->root->file, 0, "out of memory");
	else
		config_build_groups(build);
	config_build_consoles(build);
	config_check_claims(build);
	config_warn_of_credentials(build);
	config_check_ssh_files(build);
	if (build->inventory->machine_count == 0)
		config_warning(build->report, build->root->file, 0,
			       "there is no machine section: nothing to manage");
}

static void free_build(struct config_build *build)
{
	config_free_ethers(build->ethers);
	config_free_claims(&build->names);
	config_free_claims(&build->bmcs);
	config_free_claims(&build->hosts);
	config_free_claims(&build->macs);
	config_free_claims(&build->uuids);
	config_free_claims(&build->uris);
	config_free_claims(&build->titles);
}

/* Fills the inventory; what is wrong is in report. */
static void load(struct config_report *report, const char *path, struct pm_inventory *inventory)
{
	struct config_build build = {.report = report, .inventory = inventory};
	struct config_files files;

	build.root = config_read(report, path, &files);
	inventory->files = files.names;
	inventory->file_count = files.count;
	if (build.root && files.count > 0)
		build_inventory(&build);
	free_build(&build);
}

static int no_memory(struct pm_config_errors *errors)
{
	errors->lines = calloc(1, sizeof(char *));
	if (errors->lines && (errors->lines[0] = strdup("out of memory")) != NULL)
		errors->count = 1;
	return -ENOMEM;
}

int pm_config_load(const char *path, struct pm_inventory **inventory, struct pm_config_errors *errors)
{
	struct config_report *report = config_report_new();
	struct pm_inventory *new = calloc(1, sizeof(*new));
	int rc = 0;

	*inventory = NULL;
	*errors = (struct pm_config_errors){0};
	if (!report || !new) {
		config_report_free(report);
		free(new);
		return no_memory(errors);
	}
	load(report, path, new);
	if (config_error_count(report) > 0) {
		config_take_errors(report, errors);
		pm_inventory_free(new);
		rc = -EINVAL;
	} else {
		config_log_warnings(report);
		*inventory = new;
	}
	config_report_free(report);
	return rc;
}

void pm_config_errors_clear(struct pm_config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->lines[i]);
	free(errors->lines);
	*errors = (struct pm_config_errors){0};
}
