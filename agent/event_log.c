/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/event_log.h"

#include "agent/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MS 2000
#define LINES_MAX 20  /* of a kind in a window, in full; none when the window before had more */
#define NAMES_MAX 400 /* octets of names in a summary */

static const struct {
	enum pm_event_kind kind;
	enum pm_severity severity;
	const char *one, *many;
} kinds[] = {
    {PM_EVENT_BMC_DOWN, PM_SEVERITY_CRITICAL, "BMC is down", "BMCs are down"},
    {PM_EVENT_BMC_UP, PM_SEVERITY_OK, "BMC is up again", "BMCs are up again"},
    {PM_EVENT_POWER_STATE, PM_SEVERITY_UNKNOWN, "power state is unknown", "power states are unknown"},
    {PM_EVENT_POWER_STATE, PM_SEVERITY_OK, "change of power state", "changes of power state"},
    {PM_EVENT_JOB_FAILED, PM_SEVERITY_WARNING, "verb was not begun", "verbs were not begun"},
    {PM_EVENT_HOST, PM_SEVERITY_WARNING, "operating system or hypervisor no longer answers",
     "operating systems or hypervisors no longer answer"},
    {PM_EVENT_HOST, PM_SEVERITY_OK, "operating system or hypervisor answers",
     "operating systems or hypervisors answer"},
    {PM_EVENT_VM_STATE, PM_SEVERITY_OK, "change of a VM", "changes of VMs"},
    {PM_EVENT_VM_STATE, PM_SEVERITY_CRITICAL, "crash of a VM", "crashes of VMs"},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(*kinds))

struct storm {
	unsigned lines, held; /* in this window: written, held back */
	bool goes_on;         /* the window before had too many */
	char names[NAMES_MAX];
	size_t length;
};

struct pm_event_log {
	struct pm_timer *timer;
	bool window_open;
	struct storm storms[KIND_COUNT];
};

static int level_of(enum pm_severity severity)
{
	return severity == PM_SEVERITY_OK         ? LOG_INFO
	       : severity == PM_SEVERITY_CRITICAL ? LOG_ERR
						  : LOG_WARNING;
}

static struct storm *storm_of(struct pm_event_log *log, enum pm_event_kind kind, enum pm_severity severity)
{
	for (size_t i = 0; log && i < KIND_COUNT; i++)
		if (kinds[i].kind == kind && kinds[i].severity == severity)
			return &log->storms[i];
	return NULL;
}

/* Many in a row may be of one machine. */
static bool is_last(const struct storm *storm, const char *name)
{
	size_t length = strlen(name);

	return storm->length >= length && strcmp(storm->names + storm->length - length, name) == 0 &&
	       (storm->length == length || storm->names[storm->length - length - 1] == ' ');
}

static void hold_back(struct storm *storm, const char *name)
{
	static const char more[] = ", ...";
	size_t length = strlen(name) + 2;

	storm->held++;
	if (is_last(storm, name))
		return;
	if (storm->length + length + sizeof(more) < NAMES_MAX)
		storm->length +=
		    (size_t)sprintf(storm->names + storm->length, "%s%s", storm->length ? ", " : "", name);
	else
		snprintf(storm->names + storm->length, NAMES_MAX - storm->length, "%s", more);
}

/* Of VMs, so many may be one machine's that its history does not keep them all. */
static void summarize(struct storm *storm, size_t kind)
{
	bool goes_on = storm->lines + storm->held > LINES_MAX;

	if (storm->held > 0)
		pm_log(level_of(kinds[kind].severity), "%u more %s: %s; %s in pmEventTable", storm->held,
		       storm->held == 1 ? kinds[kind].one : kinds[kind].many, storm->names,
		       kinds[kind].kind == PM_EVENT_VM_STATE ? "the newest are" : "each is");
	*storm = (struct storm){.goes_on = goes_on};
}

static void on_window_end(void *data)
{
	struct pm_event_log *log = data;
	bool storming = false;

	for (size_t i = 0; i < KIND_COUNT; i++) {
		summarize(&log->storms[i], i);
		storming |= log->storms[i].goes_on;
	}
	log->window_open = storming;
	if (storming)
		pm_timer_start(log->timer, WINDOW_MS);
}

static void open_window(struct pm_event_log *log)
{
	if (log->window_open)
		return;
	log->window_open = true;
	pm_timer_start(log->timer, WINDOW_MS);
}

int pm_event_log_new(struct pm_agent *agent)
{
	struct pm_event_log *log = calloc(1, sizeof(*log));

	if (!log || !(log->timer = pm_timer_new(agent->loop, on_window_end, log))) {
		free(log);
		return -ENOMEM;
	}
	agent->event_log = log;
	return 0;
}

void pm_event_log_free(struct pm_agent *agent)
{
	struct pm_event_log *log = agent->event_log;

	if (!log)
		return;
	for (size_t i = 0; i < KIND_COUNT; i++)
		summarize(&log->storms[i], i);
	pm_timer_free(log->timer);
	free(log);
	agent->event_log = NULL;
}

/* Texts of the IPMI engine begin with the machine's name. */
static bool is_named(const char *text, const char *name)
{
	size_t length = strlen(name);

	return strncmp(text, name, length) == 0 && text[length] == ':';
}

/* Held-back lines can still be had, with the debugging messages. */
void pm_event_log_write(struct pm_machine *machine, enum pm_event_kind kind, enum pm_severity severity,
			const char *text)
{
	struct pm_event_log *log = machine->agent->event_log;
	struct storm *storm = storm_of(log, kind, severity);
	const char *name = machine->config->name;
	bool held = storm && (storm->goes_on || storm->lines == LINES_MAX);
	bool named = is_named(text, name);

	if (storm)
		open_window(log);
	if (held)
		hold_back(storm, name);
	else if (storm)
		storm->lines++;
	pm_log(held ? LOG_DEBUG : level_of(severity), "%s%s%s", named ? "" : name, named ? "" : ": ", text);
}
