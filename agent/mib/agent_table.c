/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmAgentTable: the agent itself, one row. */
#include "agent/event.h"
#include "agent/log.h"
#include "agent/mib/mib.h"
#include "agent/notify.h"

#include <errno.h>
#include <string.h>

enum {
	NAME = 2,
	VERSION,
	START_TIME,
	MACHINES,
	MACHINES_ON,
	MACHINES_OFF,
	MACHINES_UNKNOWN,
	VMS,
	VMS_RUNNING,
	JOBS_ACTIVE,
	JOBS_STARTED,
	JOBS_FAILED,
	JOB_MAX_CONCURRENT,
	INHIBIT,
	NOTIFY_ENABLE,
	NOTIFY_PENDING,
	NOTIFY_SENT,
	NOTIFY_DROPPED,
	CONFIG_LAST_RELOAD,
	CONFIG_RELOAD,
	CONFIG_ERROR,
	SET_LOCK,
	DISCONTINUITY_TIME,
	MACHINE_TABLE_LAST_CHANGE,
	COLUMN_COUNT
};

static const struct pm_column columns[COLUMN_COUNT] = {
    [1] = PM_INDEX("pmAgentIndex", ASN_UNSIGNED),
    [NAME] = PM_READ("pmAgentName", ASN_OCTET_STR),
    [VERSION] = PM_READ("pmAgentVersion", ASN_OCTET_STR),
    [START_TIME] = PM_READ("pmAgentStartTime", ASN_OCTET_STR),
    [MACHINES] = PM_READ("pmAgentMachines", ASN_GAUGE),
    [MACHINES_ON] = PM_READ("pmAgentMachinesOn", ASN_GAUGE),
    [MACHINES_OFF] = PM_READ("pmAgentMachinesOff", ASN_GAUGE),
    [MACHINES_UNKNOWN] = PM_READ("pmAgentMachinesUnknown", ASN_GAUGE),
    [VMS] = PM_READ("pmAgentVms", ASN_GAUGE),
    [VMS_RUNNING] = PM_READ("pmAgentVmsRunning", ASN_GAUGE),
    [JOBS_ACTIVE] = PM_READ("pmAgentJobsActive", ASN_GAUGE),
    [JOBS_STARTED] = PM_READ("pmAgentJobsStarted", ASN_COUNTER),
    [JOBS_FAILED] = PM_READ("pmAgentJobsFailed", ASN_COUNTER),
    [JOB_MAX_CONCURRENT] = PM_WRITE("pmAgentJobMaxConcurrent", ASN_UNSIGNED, 1, 65535),
    [INHIBIT] = PM_WRITE("pmAgentInhibit", ASN_INTEGER, 1, 2),
    [NOTIFY_ENABLE] = PM_WRITE("pmAgentNotifyEnable", ASN_INTEGER, 1, 2),
    [NOTIFY_PENDING] = PM_READ("pmAgentNotifyPending", ASN_GAUGE),
    [NOTIFY_SENT] = PM_READ("pmAgentNotifySent", ASN_COUNTER),
    [NOTIFY_DROPPED] = PM_READ("pmAgentNotifyDropped", ASN_COUNTER),
    [CONFIG_LAST_RELOAD] = PM_READ("pmAgentConfigLastReload", ASN_OCTET_STR),
    [CONFIG_RELOAD] = PM_WRITE_NOT("pmAgentConfigReload", ASN_INTEGER, 1, 2, 1),
    [CONFIG_ERROR] = PM_READ("pmAgentConfigError", ASN_OCTET_STR),
    [SET_LOCK] = PM_WRITE("pmAgentSetLock", ASN_INTEGER, 0, 2147483647),
    [DISCONTINUITY_TIME] = PM_READ("pmAgentDiscontinuityTime", ASN_TIMETICKS),
    [MACHINE_TABLE_LAST_CHANGE] = PM_READ("pmAgentMachineTableLastChange", ASN_TIMETICKS),
};

static bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	const oid own = pm_mib_agent->inventory->agent.index;
	int order = snmp_oid_compare(&own, 1, index, length);

	if (order < 0 || (order == 0 && !inclusive))
		return false;
	row->index[0] = own;
	row->index_length = 1;
	row->object = pm_mib_agent;
	return true;
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_agent *agent = row->object;

	switch (column) {
	case NAME:
		return pm_value_text(value, agent->inventory->agent.name);
	case VERSION:
		return pm_value_text(value, PM_VERSION);
	case START_TIME:
		return pm_value_date(value, agent->started_ms);
	case MACHINES:
		return pm_value_unsigned(value, (uint32_t)agent->machine_count);
	case MACHINES_ON:
		return pm_value_unsigned(value, agent->machines_on);
	case MACHINES_OFF:
		return pm_value_unsigned(value, agent->machines_off);
	case MACHINES_UNKNOWN:
		return pm_value_unsigned(value, agent->machines_unknown);
	case VMS:
		return pm_value_unsigned(value, agent->vms);
	case VMS_RUNNING:
		return pm_value_unsigned(value, agent->vms_running);
	case JOBS_ACTIVE:
		return pm_value_unsigned(value, pm_jobs_active(agent));
	case JOBS_STARTED:
		return pm_value_unsigned(value, agent->jobs_started);
	case JOBS_FAILED:
		return pm_value_unsigned(value, agent->jobs_failed);
	case JOB_MAX_CONCURRENT:
		return pm_value_unsigned(value, agent->job_max_concurrent);
	case INHIBIT:
		return pm_value_truth(value, agent->inhibit);
	case NOTIFY_ENABLE:
		return pm_value_truth(value, agent->notify_enable);
	case NOTIFY_PENDING:
		return pm_value_unsigned(value, pm_notify_counts(agent).pending);
	case NOTIFY_SENT:
		return pm_value_unsigned(value, pm_notify_counts(agent).sent);
	case NOTIFY_DROPPED:
		return pm_value_unsigned(value, pm_notify_counts(agent).dropped);
	case CONFIG_LAST_RELOAD:
		return pm_value_date(value, agent->reloaded_ms);
	case CONFIG_RELOAD:
		return pm_value_integer(value, 1);
	case CONFIG_ERROR:
		return pm_value_text(value, agent->config_error);
	case SET_LOCK:
		return pm_value_integer(value, (unsigned)agent->set_lock);
	case DISCONTINUITY_TIME:
		return pm_value_unsigned(value, pm_mib_time_stamp(agent->started_loop_ms));
	case MACHINE_TABLE_LAST_CHANGE:
		return pm_value_unsigned(value, pm_mib_time_stamp(agent->rows_changed_loop_ms));
	default:
		return false;
	}
}

static const struct pm_change_map map[] = {
    {JOB_MAX_CONCURRENT, PM_SET_AGENT_JOB_MAX_CONCURRENT, NULL},
    {INHIBIT, PM_SET_AGENT_INHIBIT, pm_change_truth},
    {NOTIFY_ENABLE, PM_SET_AGENT_NOTIFY_ENABLE, pm_change_truth},
};

static int missing(const oid *index, size_t length)
{
	(void)index;
	(void)length;
	return SNMP_ERR_NOCREATION;
}

static int test(struct pm_row_set *set, struct pm_error *err)
{
	struct pm_agent *agent = set->row.object;
	const struct pm_value *lock = set->values[SET_LOCK];

	if (lock && lock->integer != agent->set_lock) { /* RFC 2579, TestAndIncr */
		set->failed_column = SET_LOCK;
		pm_error_set(err, "pmAgentSetLock is %d by now: somebody else was faster", agent->set_lock);
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	return pm_change_begin(set, &(struct pm_setting_owner){.agent = agent}, map,
			       sizeof(map) / sizeof(*map), NULL, err);
}

static void commit(struct pm_row_set *set)
{
	struct pm_agent *agent = set->row.object;
	bool was_inhibited = agent->inhibit;

	pm_change_commit(set);
	if (set->values[SET_LOCK])
		agent->set_lock = agent->set_lock == INT32_MAX ? 0 : agent->set_lock + 1;
	if (agent->inhibit != was_inhibited) {
		pm_log(LOG_NOTICE, "actions on all machines are %s",
		       agent->inhibit ? "inhibited" : "allowed again");
		pm_notify(
		    agent, NULL,
		    &(struct pm_notification){.type = PM_NOTIFY_INHIBIT_CHANGE, .inhibit = agent->inhibit});
		pm_jobs_inhibited(agent);
	}
	if (set->values[JOB_MAX_CONCURRENT])
		pm_jobs_pump(agent);
	if (set->values[CONFIG_RELOAD])
		agent->reload(agent);
}

const struct pm_table pm_agent_table = {.name = "pmAgentTable",
					.number = 1,
					.columns = columns,
					.column_count = COLUMN_COUNT,
					.first_column = NAME,
					.seek = seek,
					.get = get,
					.missing = missing,
					.test = test,
					PM_CHANGES(commit)};
