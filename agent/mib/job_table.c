/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmJobTable: jobs with options, created, changed, aborted and removed by SETs of their rows. */
#include "agent/mib/job_rows.h"
#include "agent/mib/mib.h"
#include "agent/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#undef ACTION /* a phase of net-snmp, and a column here */

enum {
	OWNER = 1,
	NAME,
	ACTION,
	SCOPE,
	VM,
	FORCE,
	DELAY,
	TIMEOUT,
	VM_TIMEOUT,
	ARM_WOL,
	NIC,
	WOL_ADDR_TYPE,
	WOL_ADDR,
	WOL_PORT,
	INIT_LEVEL,
	LABEL,
	DRY_RUN,
	ADMIN_STATUS,
	STATE,
	RESULT,
	RESULT_TEXT,
	PROGRESS,
	STEPS_TOTAL,
	STEPS_DONE,
	REMAINING,
	START_TIME,
	END_TIME,
	RETAIN,
	STORAGE_TYPE,
	ROW_STATUS,
	COLUMN_COUNT
};

#define INDEX_NUMBER_MAX 2147483647u
#define DELAY_MAX_S      2592000
#define TIMEOUT_MAX_S    86400
#define ADDR_TYPE_MAX    2 /* InetAddressType of RFC 4001: unknown(0), ipv4(1), ipv6(2) */

static const struct pm_column columns[COLUMN_COUNT] = {
    [OWNER] = PM_INDEX("pmJobOwner", ASN_OCTET_STR),
    [NAME] = PM_INDEX("pmJobName", ASN_OCTET_STR),
    [ACTION] =
	PM_CREATE_NOT("pmJobAction", ASN_INTEGER, PM_COMMAND_NONE, PM_COMMAND_IDENTIFY, PM_COMMAND_NONE),
    [SCOPE] = PM_CREATE("pmJobScope", ASN_INTEGER, PM_SCOPE_MACHINE, PM_SCOPE_STACK_AND_MACHINE),
    [VM] = PM_CREATE("pmJobVm", ASN_UNSIGNED, 0, INDEX_NUMBER_MAX),
    [FORCE] = PM_CREATE("pmJobForce", ASN_INTEGER, PM_FORCE_NEVER, PM_FORCE_IMMEDIATELY),
    [DELAY] = PM_CREATE("pmJobDelay", ASN_UNSIGNED, 0, DELAY_MAX_S),
    [TIMEOUT] = PM_CREATE("pmJobTimeout", ASN_UNSIGNED, 1, TIMEOUT_MAX_S),
    [VM_TIMEOUT] = PM_CREATE("pmJobVmTimeout", ASN_UNSIGNED, 1, TIMEOUT_MAX_S),
    [ARM_WOL] = PM_CREATE("pmJobArmWol", ASN_INTEGER, PM_TRUE, PM_FALSE),
    [NIC] = PM_CREATE("pmJobNic", ASN_UNSIGNED, 0, INDEX_NUMBER_MAX),
    [WOL_ADDR_TYPE] = PM_CREATE("pmJobWolAddrType", ASN_INTEGER, 0, ADDR_TYPE_MAX),
    [WOL_ADDR] = PM_CREATE("pmJobWolAddr", ASN_OCTET_STR, 0, 16),
    [WOL_PORT] = PM_CREATE("pmJobWolPort", ASN_UNSIGNED, 0, 65535),
    [INIT_LEVEL] = PM_CREATE("pmJobInitLevel", ASN_UNSIGNED, 0, 6),
    [LABEL] = PM_CREATE("pmJobLabel", ASN_OCTET_STR, 0, PM_JOB_LABEL_MAX),
    [DRY_RUN] = PM_CREATE("pmJobDryRun", ASN_INTEGER, PM_TRUE, PM_FALSE),
    [ADMIN_STATUS] = PM_CREATE("pmJobAdminStatus", ASN_INTEGER, PM_JOB_ENABLED, PM_JOB_DISABLED),
    [STATE] = PM_READ("pmJobState", ASN_INTEGER),
    [RESULT] = PM_READ("pmJobResult", ASN_INTEGER),
    [RESULT_TEXT] = PM_READ("pmJobResultText", ASN_OCTET_STR),
    [PROGRESS] = PM_READ("pmJobProgress", ASN_GAUGE),
    [STEPS_TOTAL] = PM_READ("pmJobStepsTotal", ASN_GAUGE),
    [STEPS_DONE] = PM_READ("pmJobStepsDone", ASN_GAUGE),
    [REMAINING] = PM_READ("pmJobRemaining", ASN_GAUGE),
    [START_TIME] = PM_READ("pmJobStartTime", ASN_OCTET_STR),
    [END_TIME] = PM_READ("pmJobEndTime", ASN_OCTET_STR),
    [RETAIN] = PM_CREATE("pmJobRetain", ASN_UNSIGNED, 0, PM_JOB_RETAIN_MAX_S),
    [STORAGE_TYPE] = PM_CREATE("pmJobStorageType", ASN_INTEGER, PM_STORAGE_VOLATILE, PM_STORAGE_NON_VOLATILE),
    [ROW_STATUS] =
	PM_CREATE_NOT("pmJobRowStatus", ASN_INTEGER, PM_ROW_ACTIVE, PM_ROW_DESTROY, PM_ROW_NOT_READY),
};

/* --- reading ---------------------------------------------------------------------------------- */

static bool seek(const oid *index, size_t length, bool inclusive, struct pm_row *row)
{
	struct pm_job *job = pm_job_from(index, length, inclusive);

	if (!job)
		return false;
	row->index_length = pm_job_index(job, row->index);
	row->object = job;
	return true;
}

static bool get_spec(const struct pm_job_spec *spec, unsigned column, struct pm_value *value)
{
	switch (column) {
	case ACTION:
		return pm_value_integer(value, spec->action);
	case SCOPE:
		return pm_value_integer(value, spec->scope);
	case VM:
		return pm_value_unsigned(value, spec->vm);
	case FORCE:
		return pm_value_integer(value, spec->force);
	case DELAY:
		return pm_value_unsigned(value, spec->delay_s);
	case TIMEOUT:
		return pm_value_unsigned(value, spec->timeout_s);
	case VM_TIMEOUT:
		return pm_value_unsigned(value, spec->vm_timeout_s);
	case ARM_WOL:
		return pm_value_truth(value, spec->arm_wol);
	case NIC:
		return pm_value_unsigned(value, spec->nic);
	case WOL_ADDR_TYPE:
		return pm_value_integer(value, spec->wol_addr_type);
	case WOL_ADDR:
		return pm_value_octets(value, spec->wol_addr, spec->wol_addr_length);
	case WOL_PORT:
		return pm_value_unsigned(value, spec->wol_port);
	case INIT_LEVEL:
		return pm_value_unsigned(value, spec->init_level);
	case DRY_RUN:
		return pm_value_truth(value, spec->dry_run);
	case STORAGE_TYPE:
		return pm_value_integer(value, spec->storage);
	default:
		return false;
	}
}

static bool get(const struct pm_row *row, unsigned column, struct pm_value *value)
{
	const struct pm_job *job = row->object;

	switch (column) {
	case LABEL:
		return pm_value_text(value, job->label);
	case ADMIN_STATUS:
		return pm_value_integer(value, job->enabled ? PM_JOB_ENABLED : PM_JOB_DISABLED);
	case STATE:
		return pm_value_integer(value, job->state);
	case RESULT:
		return pm_value_integer(value, job->result);
	case RESULT_TEXT:
		return pm_value_text(value, pm_job_text(job));
	case PROGRESS:
		return pm_value_unsigned(value, pm_job_progress(job));
	case STEPS_TOTAL:
		return pm_value_unsigned(value, job->step_count);
	case STEPS_DONE:
		return pm_value_unsigned(value, job->steps_done);
	case REMAINING:
		return pm_value_unsigned(value, pm_job_remaining_s(job));
	case START_TIME:
		return pm_value_date(value, job->begin_ms);
	case END_TIME:
		return pm_value_date(value, job->end_ms);
	case RETAIN:
		return pm_value_unsigned(value, job->retain_s);
	case ROW_STATUS:
		return pm_value_integer(value, job->row_status);
	default:
		return get_spec(&job->spec, column, value);
	}
}

/* --- SET: a value, and the index of a row that is not there ----------------------------------- */

static int check(unsigned column, const struct pm_value *value, struct pm_error *err)
{
	char text[PM_STRING_MAX + 1];

	if (column == WOL_ADDR && value->length != 0 && value->length != 4 && value->length != 16) {
		pm_error_set(err,
			     "%zu octets are no address: 4 for IPv4, 16 for IPv6, 0 for the NIC's own way",
			     value->length);
		return SNMP_ERR_WRONGLENGTH;
	}
	if (column != LABEL)
		return SNMP_ERR_NOERROR;
	pm_value_copy(value, text);
	if (strlen(text) == value->length && pm_text_is_visible(text))
		return SNMP_ERR_NOERROR;
	pm_error_set(err, "a label must be UTF-8 without control characters");
	return SNMP_ERR_WRONGVALUE;
}

/* Machine, owner and name of an index; false: it is none, with the reason in err. */
static bool parse_index(const oid *index, size_t length, struct pm_machine **machine, char *owner, char *name,
			struct pm_error *err)
{
	*machine =
	    length && index[0] <= UINT32_MAX ? pm_agent_machine(pm_mib_agent, (uint32_t)index[0]) : NULL;
	if (!*machine) {
		pm_error_set(err, "there is no such machine");
		return false;
	}
	index++;
	length--;
	if (pm_index_take_text(&index, &length, owner, PM_JOB_OWNER_MAX) &&
	    pm_index_take_text(&index, &length, name, PM_JOB_NAME_MAX) && length == 0 && *name)
		return true;
	pm_error_set(err,
		     "no job can have this index: after pmIndex come the owner and the name, each with its "
		     "length, of at most %d octets of UTF-8 without control characters",
		     PM_JOB_NAME_MAX);
	return false;
}

static int create(const oid *index, size_t length, struct pm_error *err)
{
	char owner[PM_JOB_OWNER_MAX + 1], name[PM_JOB_NAME_MAX + 1];
	struct pm_machine *machine;

	return parse_index(index, length, &machine, owner, name, err) ? SNMP_ERR_NOERROR
								      : SNMP_ERR_NOCREATION;
}

/* --- SET: a row ------------------------------------------------------------------------------- */

struct job_change {
	struct pm_job_edit edit;
	char owner[PM_JOB_OWNER_MAX + 1], name[PM_JOB_NAME_MAX + 1], label[PM_STRING_MAX + 1];
	bool reserved;
};

static void put_address(struct pm_job_spec *spec, const struct pm_value *value)
{
	memset(spec->wol_addr, 0, sizeof(spec->wol_addr));
	memcpy(spec->wol_addr, value->data, value->length);
	spec->wol_addr_length = (uint8_t)value->length;
}

/* false: the column is not part of it. */
static bool put_spec(struct pm_job_spec *spec, unsigned column, const struct pm_value *value)
{
	switch (column) {
	case ACTION:
		spec->action = (enum pm_command)value->integer;
		return true;
	case SCOPE:
		spec->scope = (enum pm_scope)value->integer;
		return true;
	case VM:
		spec->vm = value->unsigned32;
		return true;
	case FORCE:
		spec->force = (enum pm_force)value->integer;
		return true;
	case DELAY:
		spec->delay_s = value->unsigned32;
		return true;
	case TIMEOUT:
		spec->timeout_s = value->unsigned32;
		return true;
	case VM_TIMEOUT:
		spec->vm_timeout_s = value->unsigned32;
		return true;
	case ARM_WOL:
		spec->arm_wol = value->integer == PM_TRUE;
		return true;
	case NIC:
		spec->nic = value->unsigned32;
		return true;
	case WOL_ADDR_TYPE:
		spec->wol_addr_type = (uint8_t)value->integer;
		return true;
	case WOL_ADDR:
		put_address(spec, value);
		return true;
	case WOL_PORT:
		spec->wol_port = (uint16_t)value->unsigned32;
		return true;
	case INIT_LEVEL:
		spec->init_level = (uint8_t)value->unsigned32;
		return true;
	case DRY_RUN:
		spec->dry_run = value->integer == PM_TRUE;
		return true;
	case STORAGE_TYPE:
		spec->storage = (enum pm_storage)value->integer;
		return true;
	default:
		return false;
	}
}

static bool creates(enum pm_row_status status)
{
	return status == PM_ROW_CREATE_AND_GO || status == PM_ROW_CREATE_AND_WAIT;
}

/* The DEFVALs; how long a VM may take is the machine's matter. */
static void put_defaults(struct pm_job_edit *edit)
{
	pm_job_spec_defaults(&edit->spec);
	edit->spec.vm_timeout_s = edit->machine->vm_timeout_s;
}

static void fill_edit(struct job_change *change, const struct pm_row_set *set)
{
	const struct pm_value *const *values = set->values;
	struct pm_job_edit *edit = &change->edit;

	edit->job = set->row.object;
	if (values[ROW_STATUS])
		edit->row_status = (enum pm_row_status)values[ROW_STATUS]->integer;
	if (values[ADMIN_STATUS])
		edit->admin_status = (enum pm_job_admin_status)values[ADMIN_STATUS]->integer;
	if (edit->job && !creates(edit->row_status))
		edit->spec = edit->job->spec;
	else
		put_defaults(edit);
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		edit->spec_set |= values[i] && put_spec(&edit->spec, i, values[i]);
	if (values[LABEL]) {
		pm_value_copy(values[LABEL], change->label);
		edit->label = change->label;
	}
	if (values[RETAIN])
		edit->retain_s = &values[RETAIN]->unsigned32;
}

/* RFC 4001, InetAddressType: a type that does not fit its address is an inconsistentValue. */
static int check_address(struct pm_row_set *set, const struct pm_job_spec *spec, struct pm_error *err)
{
	static const uint8_t lengths[] = {0, 4, 16};
	static const char *const names[] = {"unknown", "ipv4", "ipv6"};

	if (spec->wol_addr_length == lengths[spec->wol_addr_type])
		return SNMP_ERR_NOERROR;
	set->failed_column = set->values[WOL_ADDR] ? WOL_ADDR : WOL_ADDR_TYPE;
	pm_error_set(err, "pmJobWolAddr of %u octets does not fit pmJobWolAddrType %s, %u is right",
		     spec->wol_addr_length, names[spec->wol_addr_type], lengths[spec->wol_addr_type]);
	return SNMP_ERR_INCONSISTENTVALUE;
}

/* What RFC 2579 says of a row that is not there, and that the agent's own rows are not made by SETs. */
static int check_creation(struct pm_row_set *set, const struct pm_job_edit *edit, struct pm_error *err)
{
	if (edit->row_status == PM_ROW_ACTIVE || edit->row_status == PM_ROW_NOT_IN_SERVICE) {
		set->failed_column = ROW_STATUS;
		pm_error_set(err, "there is no such job: createAndGo or createAndWait make one");
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	if (!creates(edit->row_status)) {
		pm_error_set(err,
			     "there is no such job: pmJobRowStatus createAndGo or createAndWait make one");
		return SNMP_ERR_INCONSISTENTNAME;
	}
	if (!*edit->owner) {
		pm_error_set(err, "jobs with an owner of zero length are the agent's own: name an owner");
		return SNMP_ERR_INCONSISTENTNAME;
	}
	return SNMP_ERR_NOERROR;
}

/* The varbind that a refusal of the row as a whole belongs to. */
static unsigned culprit(const struct pm_row_set *set)
{
	return set->values[ROW_STATUS] ? ROW_STATUS : set->values[ADMIN_STATUS] ? ADMIN_STATUS : 0;
}

static int reserve(struct pm_row_set *set, struct job_change *change, struct pm_error *err)
{
	int error = change->edit.job ? SNMP_ERR_NOERROR : check_creation(set, &change->edit, err);

	if (!error)
		error = check_address(set, &change->edit.spec, err);
	if (error)
		return error;
	set->failed_column = culprit(set);
	error = pm_mib_error(pm_job_edit_reserve(&change->edit, err));
	change->reserved = !error;
	return error;
}

static int test(struct pm_row_set *set, struct pm_error *err)
{
	struct job_change *change = calloc(1, sizeof(*change));
	struct pm_job_edit *edit;

	if (!change)
		return pm_mib_error(pm_fail(err, ENOMEM, "no memory"));
	set->work = change;
	edit = &change->edit;
	edit->owner = change->owner;
	edit->name = change->name;
	if (!parse_index(set->row.index, set->row.index_length, &edit->machine, change->owner, change->name,
			 err))
		return SNMP_ERR_NOCREATION;
	fill_edit(change, set);
	if (!edit->job && edit->row_status == PM_ROW_DESTROY)
		return SNMP_ERR_NOERROR; /* RFC 2579: it is not there, as was wished */
	return reserve(set, change, err);
}

/* Whatever the store's trouble is, the answer is commitFailed: nothing is done. */
static int apply(struct pm_row_set *set, struct pm_error *err)
{
	struct job_change *change = set->work;

	return change->reserved && pm_job_edit_journal(&change->edit, err) < 0 ? SNMP_ERR_COMMITFAILED
									       : SNMP_ERR_NOERROR;
}

static void finish(struct pm_row_set *set, void (*end)(struct pm_job_edit *edit))
{
	struct job_change *change = set->work;

	if (!change)
		return;
	if (change->reserved)
		end(&change->edit);
	free(change);
	set->work = NULL;
}

static void commit(struct pm_row_set *set)
{
	finish(set, pm_job_edit_release);
}

static void undo(struct pm_row_set *set)
{
	finish(set, pm_job_edit_cancel);
}

const struct pm_table pm_job_table = {.name = "pmJobTable",
				      .number = 6,
				      .columns = columns,
				      .column_count = COLUMN_COUNT,
				      .first_column = ACTION,
				      .index_form = "nss",
				      .seek = seek,
				      .get = get,
				      .check = check,
				      .create = create,
				      .test = test,
				      .begin = pm_change_begin_all,
				      .end = pm_change_end_all,
				      .apply = apply,
				      .commit = commit,
				      .undo = undo};
