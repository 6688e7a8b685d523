/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmJobStepTable: the plan of each job, and how each step goes. */
#include "agent/mib/job_rows.h"
#include "agent/mib/mib.h"
#include "agent/plan.h"

#undef ACTION /* a phase of net-snmp, and a column here */

enum {
	INDEX = 1, /* pmStepIndex */
	TARGET,
	VM,
	ACTION,
	LEVEL,
	STATE,
	RESULT,
	TEXT,
	START_TIME,
	END_TIME,
	COLUMN_COUNT
};

static const struct pm_column columns[COLUMN_COUNT] = {
    [INDEX] = PM_INDEX("pmStepIndex", ASN_UNSIGNED),
    [TARGET] = PM_READ("pmJobStepTarget", ASN_OCTET_STR),
    [VM] = PM_READ("pmJobStepVm", ASN_UNSIGNED),
    [ACTION] = PM_READ("pmJobStepAction", ASN_INTEGER),
    [LEVEL] = PM_READ("pmJobStepLevel", ASN_GAUGE),
    [STATE] = PM_READ("pmJobStepState", ASN_INTEGER),
    [RESULT] = PM_READ("pmJobStepResult", ASN_INTEGER),
    [TEXT] = PM_READ("pmJobStepText", ASN_OCTET_STR),
    [START_TIME] = PM_READ("pmJobStepStartTime", ASN_OCTET_STR),
    [END_TIME] = PM_READ("pmJobStepEndTime", ASN_OCTET_STR),
};

/* How much of an index names a job: pmIndex, owner and name with their lengths; 0: it is too short for one. */
static size_t job_part(const oid *index, size_t length)
{
	size_t part = 1;

	for (int texts = 0; texts < 2; texts++) {
		if (part >= length || index[part] >= length - part)
			return 0;
		part += 1 + index[part];
	}
	return part;
}

/*
 * The first step, from 1, that is not before this rest of an index, which comes behind that of its job. net-snmp may
 * hand over sub-identifiers of more than 32 bits.
 */
static oid first_step(const oid *rest, size_t length, bool inclusive)
{
	if (length == 0 || rest[0] == 0)
		return 1;
	if (rest[0] >= UINT32_MAX)
		return UINT32_MAX;
	return length == 1 && inclusive ? rest[0] : rest[0] + 1;
}

static bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	size_t part = job_part(index, length);
	struct pm_job *job = pm_job_from(index, part ? part : length, true);
	oid step = 1;

	for (; job; job = pm_job_from(row->index, row->index_length, false), step = 1) {
		oid own[PM_INDEX_MAX];
		size_t own_length = pm_job_index(job, own);

		if (part && snmp_oid_compare(own, own_length, index, part) == 0)
			step = first_step(index + part, length - part, inclusive);
		row->index_length = own_length;
		memcpy(row->index, own, own_length * sizeof(oid));
		part = 0;
		if (step <= job->step_count) {
			row->index[row->index_length++] = step;
			row->object = &job->steps[step - 1];
			return true;
		}
	}
	return false;
}

static const char *machine_name(const struct pm_row *row)
{
	return pm_agent_machine(pm_mib_agent, (uint32_t)row->index[0])->config->name;
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_step *step = row->object;

	switch (column) {
	case TARGET:
		return pm_value_text(value, step->target ? step->target : machine_name(row));
	case VM:
		return pm_value_unsigned(value, step->vm);
	case ACTION:
		return pm_value_integer(value, step->action);
	case LEVEL:
		return pm_value_unsigned(value, step->level);
	case STATE:
		return pm_value_integer(value, step->state);
	case RESULT:
		return pm_value_integer(value, step->result);
	case TEXT:
		return pm_value_text(value, step->text ? step->text : "");
	case START_TIME:
		return pm_value_date(value, step->start_ms);
	case END_TIME:
		return pm_value_date(value, step->end_ms);
	default:
		return false;
	}
}

const struct pm_table pm_job_step_table = {.name = "pmJobStepTable",
					   .number = 7,
					   .columns = columns,
					   .column_count = COLUMN_COUNT,
					   .first_column = TARGET,
					   .index_form = "nssn",
					   .seek = seek,
					   .get = get};
