/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/steady.h"

#include "agent/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTING "clock"
#define TOLERANCE_MS \
	1000 /* so much the wall clock may drift, or be slewed, before it is written down again */

/* What the store has: during which boot it was written, and how the steady clock then stood to the others. */
struct stored {
	char boot[40];
	int64_t offset_ms; /* to the loop's clock, which begins with the boot */
	int64_t ahead_ms;  /* of the wall clock */
};

/* "" when the kernel does not tell: then every start counts as a boot. */
static void read_boot_id(char *boot, size_t size)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	boot[0] = '\0';
	if (!file)
		return;
	if (fgets(boot, (int)size, file))
		boot[strcspn(boot, "\n")] = '\0';
	fclose(file);
}

static void note(const struct pm_setting *setting, void *data)
{
	struct stored *stored = data;
	long long offset_ms, ahead_ms;

	if (setting->machine || setting->part || *setting->group || strcmp(setting->key, SETTING) != 0 ||
	    sscanf(setting->value, "%lld %lld", &offset_ms, &ahead_ms) != 2)
		return;
	snprintf(stored->boot, sizeof(stored->boot), "%s", setting->base);
	stored->offset_ms = offset_ms;
	stored->ahead_ms = ahead_ms;
}

/* Before anything is timed by it; what fails here is tried again with every flush. */
static void write_now(struct pm_agent *agent)
{
	struct pm_error err = {""};
	int error = pm_store_begin_quick(agent->store, &err);

	if (error)
		return;
	error = pm_steady_store(agent, &err);
	if (error)
		pm_store_rollback(agent->store);
	else
		error = pm_store_commit(agent->store, &err);
	if (error)
		agent->steady_ahead_ms = INT64_MAX;
}

void pm_steady_start(struct pm_agent *agent)
{
	struct stored stored = {.boot = "never"};
	struct pm_error err = {""};
	char boot[40];
	int64_t loop_ms = (int64_t)uv_now(agent->loop), wall_ms = pm_time_ms();

	read_boot_id(boot, sizeof(boot));
	if (pm_store_settings_load(agent->store, note, &stored, &err) < 0)
		pm_log(LOG_ERR, "how the clock stood can not be read: %s", err.text);
	if (*boot && strcmp(stored.boot, boot) == 0)
		agent->steady_offset_ms = stored.offset_ms;
	else
		agent->steady_offset_ms = wall_ms + stored.ahead_ms - loop_ms;
	agent->steady_ahead_ms = INT64_MAX;
	write_now(agent);
}

int64_t pm_steady_ms(const struct pm_agent *agent)
{
	return (int64_t)uv_now(agent->loop) + agent->steady_offset_ms;
}

int pm_steady_store(struct pm_agent *agent, struct pm_error *err)
{
	int64_t ahead_ms = pm_steady_ms(agent) - pm_time_ms();
	char boot[40], value[64];
	const struct pm_setting setting = {.group = "", .key = SETTING, .base = boot, .value = value};
	int error;

	if (agent->steady_ahead_ms != INT64_MAX &&
	    llabs((long long)(ahead_ms - agent->steady_ahead_ms)) <= TOLERANCE_MS)
		return 0;
	read_boot_id(boot, sizeof(boot));
	snprintf(value, sizeof(value), "%lld %lld", (long long)agent->steady_offset_ms, (long long)ahead_ms);
	error = pm_store_setting_put(agent->store, &setting, err);
	if (!error)
		agent->steady_ahead_ms = ahead_ms;
	return error;
}
