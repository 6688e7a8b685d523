/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs: one action on one machine. A struct pm_job is a row of pmJobTable and a row of the journal, from its creation
 * until it is removed; while it is at work it has a struct pm_job_run besides. What a step is about to do is in the
 * journal before it is done.
 *
 * The phases of a SET that asks for one:
 *
 *   ..._reserve()  RESERVE  may it be done? takes the machine; nothing else has happened
 *   ..._journal()  ACTION   written in the caller's transaction; still reversible
 *   ..._release()  COMMIT   runs as soon as its delay is over and fewer than pmAgentJobMaxConcurrent run
 *   ..._cancel()   UNDO     as if nothing had been asked
 */
#ifndef PM_JOB_H
#define PM_JOB_H

#include "agent/agent.h"

#define PM_JOB_OWNER_MAX 32
#define PM_JOB_NAME_MAX  32
#define PM_JOB_LABEL_MAX 64

#define PM_JOBS_ENDED_MAX 100000 /* rows of jobs that have ended; then the one that ended first goes */
#define PM_JOBS_IDLE_MAX  10000  /* rows that are not active, or not enabled */

enum pm_origin { /* the object that was SET; stored in the journal: the numbers stay */
		 PM_ORIGIN_COMMAND = 1,
		 PM_ORIGIN_ADMIN_STATE = 2,
		 PM_ORIGIN_CHASSIS_CONTROL = 3,
		 PM_ORIGIN_NIC_WAKE = 4,
		 PM_ORIGIN_BMC_SETTING = 5,
		 PM_ORIGIN_GROUP = 6,
		 PM_ORIGIN_TABLE = 7,
		 PM_ORIGIN_VM_COMMAND = 8,
		 PM_ORIGIN_VM_ADMIN_STATE = 9,
		 PM_ORIGIN_STACK_ADMIN_STATE = 10
};

/* What PM_COMMAND_IDENTIFY and PM_ORIGIN_BMC_SETTING send; as in struct ipmi_request. */
struct pm_bmc_setting {
	enum ipmi_command
	    command; /* IPMI_CHASSIS_IDENTIFY, IPMI_SET_POWER_RESTORE_POLICY, IPMI_SET_BOOT_FLAGS; 0:
				      nothing */
	union {
		struct {
			enum ipmi_identify mode;
			uint8_t interval_s;
		} identify;
		enum ipmi_restore_policy restore_policy;
		struct ipmi_boot_flags boot;
	};
};

/* What is asked for; does not change while the row is active. */
struct pm_job_spec {
	enum pm_command
	    action; /* PM_COMMAND_NONE: not set yet, or (PM_ORIGIN_BMC_SETTING) a setting of the BMC */
	enum pm_scope scope;
	enum pm_force force;
	uint32_t vm, nic; /* pmVmIndex, pmNicIndex; 0: the machine, its first NIC with a MAC address */
	uint32_t delay_s, timeout_s, vm_timeout_s;
	bool arm_wol, dry_run;
	uint8_t init_level;
	uint8_t wol_addr_type,
	    wol_addr_length; /* InetAddressType as it was SET; 0 octets: the NIC's own way */
	uint8_t wol_addr[16];
	uint16_t wol_port; /* 0: the NIC's own */
	enum pm_storage storage;
	struct pm_bmc_setting setting;
};

/* The DEFVALs of the MIB, and no action. */
void pm_job_spec_defaults(struct pm_job_spec *spec);

#define PM_JOB_RETAIN_DEFAULT_S 3600
#define PM_JOB_RETAIN_MAX_S     2592000

struct pm_job_run;
struct pm_job_set;
struct pm_step;

/* To be read by others, written by job*.c only. */
struct pm_job {
	struct pm_machine *machine;
	int64_t id;               /* in the journal, unique for ever; 0: not written */
	const char *owner, *name; /* "" and "set-<id>" for those that other objects start */
	char *label;              /* never NULL */
	enum pm_origin origin;
	struct pm_job_spec spec;
	enum pm_row_status row_status; /* PM_ROW_ACTIVE, _NOT_IN_SERVICE, _NOT_READY */
	bool enabled;                  /* pmJobAdminStatus */
	uint32_t retain_s;
	enum pm_job_state state;
	enum pm_result result;
	int64_t created_ms; /* steady (agent/steady.h), like the next one */
	int64_t
	    not_before_ms; /* when it begins; has begun; goes, if it has ended or is a draft. 0: at once */
	int64_t begin_ms, end_ms; /* wall clock, 0: not yet: the first step began, the job ended */
	uint32_t stagger_ms;      /* of its group's command */
	int64_t group;            /* id of that command; 0: none */
	struct pm_step *steps;    /* agent/plan.h; NULL while there is no plan */
	unsigned step_count, steps_done;
	struct pm_job_run *run; /* NULL: not at work */

	/* --- for job*.c only --- */
	char *text; /* pmJobResultText once it has ended; NULL: that of the last step that was begun */
	struct pm_job_list
	    *list; /* by what it is doing: delayed, waiting, running, ended, a batch; NULL: in none */
	struct pm_job *previous, *next;
	struct pm_job *next_changed;
	const struct pm_job_set *set; /* a SET under way has the row; NULL: none has */
	uint32_t due_place; /* among the rows that go by themselves, from 1; 0: it is none of them */
	bool listed;        /* among the rows of its machine */
	bool idle;          /* counted as not active, or not enabled */
	bool changed;       /* the journal does not know yet how it is */
	bool steps_changed; /* nor its plan as a whole */
	bool removed;       /* the row is gone; the journal does not know yet */
	bool forgotten;     /* its machine is; the journal does not know yet how it was */
	bool new_id;        /* the id is of a transaction that may fail */
	bool leaves;        /* goes as soon as it has ended: destroy(6) */
};

/* --- reading ---------------------------------------------------------------------------------- */

/* O(log n); NULL when there is none. */
struct pm_job *pm_job_find(const struct pm_machine *machine, const char *owner, const char *name);

/* pmJobResultText: the result in words, or what it is doing; valid until the next call. */
const char *pm_job_text(const struct pm_job *job);

unsigned pm_job_progress(const struct pm_job *job);    /* pmJobProgress, percent */
uint32_t pm_job_remaining_s(const struct pm_job *job); /* pmJobRemaining */

/* What it does, in words: the verb, or "set boot flags". */
const char *pm_job_what(const struct pm_job *job);

/* What it is called, in words: owner/name, or set-<id>; valid until the next call. */
const char *pm_job_title(const struct pm_job *job);

/* Whether it was accepted and has not ended; NULL: no. */
bool pm_job_at_work(const struct pm_job *job);

/* Whether a job of the machine is at work. */
bool pm_job_is_active(const struct pm_machine *machine);

unsigned pm_jobs_active(const struct pm_agent *agent);

/* --- verbs: the SETs of all other tables ------------------------------------------------------ */

struct pm_job_request {
	struct pm_machine *machine;
	enum pm_command action; /* PM_COMMAND_NONE with PM_ORIGIN_BMC_SETTING */
	enum pm_origin origin;
	uint32_t nic;                  /* pmNicIndex; 0: the first with a MAC address */
	uint32_t vm;                   /* pmVmIndex; 0: the machine */
	enum pm_scope scope;           /* 0: what the verb has by itself */
	struct pm_bmc_setting setting; /* PM_COMMAND_IDENTIFY and PM_ORIGIN_BMC_SETTING: what to send */
};

/* What a verb asks for, by itself: identify blinks for 15 seconds (PmCommand). */
struct pm_job_request pm_job_request_of(struct pm_machine *machine, enum pm_command action,
					enum pm_origin origin);

/*
 * Checks and reserves. Returns 0 and *job, or 0 and *job NULL when the same is already under way. Errors: -EBUSY (the
 * machine has another job), -EPERM (inhibited), -EINVAL (it has not what the action needs), -ENOSPC (queue full),
 * -ENOMEM.
 */
int pm_job_reserve(const struct pm_job_request *request, struct pm_job **job, struct pm_error *err);

/* 0, or the store's error. */
int pm_job_journal(struct pm_job *job, struct pm_error *err);
void pm_job_release(struct pm_job *job);
void pm_job_cancel(struct pm_job *job);

/* --- rows: the SETs of pmJobTable ------------------------------------------------------------- */

/* One row in one SET; for createAndGo and createAndWait spec, label and retain_s say all that the row is to be. */
struct pm_job_edit {
	struct pm_machine *machine;
	const char *owner, *name; /* valid from reserve to release or cancel, like all that is pointed to */
	struct pm_job *job;       /* the row that is there; NULL: none */
	struct pm_job_spec spec;  /* the row's, or the DEFVALs, with what the SET changes */
	bool spec_set;            /* any of those columns is in the SET */
	const char *label;        /* NULL: not in the SET; likewise: */
	const uint32_t *retain_s;
	enum pm_row_status row_status;         /* 0: not in the SET */
	enum pm_job_admin_status admin_status; /* 0: not in the SET */
	void *work;                            /* job_edit.c's own */
};

/*
 * 0, or: -ENOENT (there is no such row, and none is created), -EEXIST (there is one already), -EBUSY (the machine has
 * another job; or the row's job is at work), -EPERM (inhibited), -EINVAL (what is asked for does not go), -ENOSPC (too
 * many), -ENOMEM. The row is not removed before release or cancel; after an error neither is called.
 */
int pm_job_edit_reserve(struct pm_job_edit *edit, struct pm_error *err);

/* Inside the caller's transaction: 0, or the store's error. */
int pm_job_edit_journal(struct pm_job_edit *edit, struct pm_error *err);
void pm_job_edit_release(struct pm_job_edit *edit);
void pm_job_edit_cancel(struct pm_job_edit *edit);

/* --- what happens to jobs --------------------------------------------------------------------- */

/* This source of the machine's state has answered, or has not answered in time. */
void pm_job_observed(struct pm_machine *machine, enum pm_state_source asked);

/* News of a VM or a hypervisor of the machine: a state, a reboot; or the VM is no longer there, and why. */
void pm_job_vm_observed(struct pm_vm *vm);
void pm_job_vm_gone(struct pm_machine *machine, uint32_t vm, const char *why);
void pm_job_hypervisor_observed(struct pm_hypervisor *hypervisor);

/* Ends the machine's job, if any, as aborted. */
void pm_job_abort(struct pm_machine *machine, const char *why);

/* Something was inhibited: ends, as aborted, the jobs that may no longer begin. */
void pm_jobs_inhibited(struct pm_agent *agent);

/* Starts jobs while there is room; after pmAgentJobMaxConcurrent has changed. */
void pm_jobs_pump(struct pm_agent *agent);

/* --- the agent starts, reloads and stops ------------------------------------------------------ */

/* Once, before anything else here. 0 or -ENOMEM. */
int pm_jobs_open(struct pm_agent *agent);

/* Frees what is left; when all machines were forgotten. */
void pm_jobs_close(struct pm_agent *agent);

/*
 * At the start, when settings are loaded: takes the rows of all machines out of the journal, and takes up, or reports as
 * interrupted, jobs that have not ended.
 */
void pm_jobs_resume(struct pm_agent *agent);

/* The same for machines that have come with a reload; does nothing before the start. */
void pm_jobs_reloaded(struct pm_agent *agent);

/* The agent stops: jobs at work stay in the journal, to be taken up again. */
void pm_jobs_stop(struct pm_agent *agent);

/* The machine goes: its rows leave memory, and stay in the journal. Its job must have ended, or been stopped. */
void pm_jobs_forget(struct pm_machine *machine);

/* --- called by agent/flush.c ------------------------------------------------------------------ */

/* Whether there is something to write. */
bool pm_jobs_dirty(const struct pm_agent *agent);

/* Inside the transaction. 0, or the store's error. */
int pm_jobs_store(struct pm_agent *agent, struct pm_error *err);

/* The commit with this number was good; and all up to that one is on the disk. Numbers ascend. */
void pm_jobs_stored(struct pm_agent *agent, uint64_t generation);
void pm_jobs_synced(struct pm_agent *agent, uint64_t generation);

/* The journal cannot be written; it is tried again. */
void pm_jobs_store_failed(struct pm_agent *agent, const char *why);

#endif
