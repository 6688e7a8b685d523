/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What must outlive the process, in SQLite: the persistent indexes, settings written by SNMP, the last observed
 * states, the event ring, jobs with their steps, groups' commands, and notifications that no master has taken yet. One
 * file, state.db, in the state directory; one writer at a time.
 *
 * Functions that fail return a negative errno value and the reason in err; nothing is then stored. Texts given to
 * callbacks are valid during the call.
 */
#ifndef PM_STORE_H
#define PM_STORE_H

#include "agent/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define PM_STORE_FILE "state.db"

struct pm_store;

/*
 * Opens or creates the store in directory and locks it. -EBUSY: another pmstackd has it; -EUCLEAN: the file is damaged, or
 * of a newer version, or missing where one must have been; it is left as it is, and err says what to do.
 *
 * A damaged file of which the indexes can be saved is set aside as state.db.damaged-<UTC time>, and what could be read of
 * it takes its place; the log says what, and pm_store_salvaged() that it was so: of jobs that had not ended it is then not
 * known how far they were.
 *
 * The size of the file stays bounded: the room of what was deleted is used again (100,000 jobs of two steps take 26 MiB),
 * and is not given back to the file system.
 */
int pm_store_open(const char *directory, struct pm_store **store, struct pm_error *err);
bool pm_store_salvaged(const struct pm_store *store);

/* Whether settings were lost then; all actions are inhibited, as a setting, since who was inhibited is not known. */
bool pm_store_settings_lost(const struct pm_store *store);

/* All that follows from it is in the store: the next start is one like any other. */
int pm_store_salvage_told(struct pm_store *store, struct pm_error *err);
void pm_store_close(struct pm_store *store);

/*
 * From here on helper threads of loop's pool do what takes long: pm_store_sync(), and copying the write-ahead log into the
 * file, without which the main thread does that, too. pm_store_close() waits for what they are at.
 */
int pm_store_attach(struct pm_store *store, uv_loop_t *loop, struct pm_error *err);

/*
 * Calls done on the loop when all that is committed so far is on the disk, or good is false: cannot be brought there.
 * Never from within; not at all after pm_store_close(). After one that failed all of the log is written again before the
 * next, and until that is done nothing is promised: pm_store_begin() fails, too. -ENOTCONN: the store is not attached to a
 * loop; -EIO: the log can not be written again; -ENOMEM.
 */
int pm_store_sync(struct pm_store *store, void (*done)(bool good, void *data), void *data);

/*
 * Groups the calls between them into one commit. Do not nest. A failed commit has rolled back. pm_store_begin(): the
 * commit is on the disk when it returns; for what a manager is told to be done. pm_store_begin_quick(): it outlives the
 * process, but a loss of power only after pm_store_sync(); for everything else.
 */
int pm_store_begin(struct pm_store *store, struct pm_error *err);
int pm_store_begin_quick(struct pm_store *store, struct pm_error *err);
int pm_store_commit(struct pm_store *store, struct pm_error *err);
void pm_store_rollback(struct pm_store *store);

/*
 * The persistent pmIndex of a machine name: the one it always had, or a new one in first..last that never was
 * another machine's. -ENOSPC: the block is used up; -ERANGE: it has one outside of first..last.
 */
int pm_store_machine_index(struct pm_store *store, const char *name, uint32_t first, uint32_t last,
			   uint32_t *index, struct pm_error *err);

/* Likewise the index of a NIC within its machine, by the NIC's name. */
int pm_store_nic_index(struct pm_store *store, uint32_t machine, const char *name, uint32_t *index,
		       struct pm_error *err);

/*
 * Settings written by SNMP. base is what the configuration says for the same key at that time: when it changes, the
 * setting no longer holds. machine and part are 0 for the agent's own and those of a group, which is told by its name;
 * NULL or "" means no group.
 */
struct pm_setting {
	uint32_t machine, part; /* part: pmNicIndex, or pmVmIndex for keys that begin with "vm-" */
	const char *group;
	const char *key, *base, *value; /* valid during the call */
};
int pm_store_setting_put(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err);
int pm_store_setting_delete(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err);
int pm_store_settings_load(struct pm_store *store, void (*each)(const struct pm_setting *setting, void *data),
			   void *data, struct pm_error *err);
/* Those of one NIC or VM. */
int pm_store_settings_load_part(struct pm_store *store, uint32_t machine, uint32_t part,
				void (*each)(const struct pm_setting *setting, void *data), void *data,
				struct pm_error *err);

/* The last observed power state of a machine, and what managers were told since. */
struct pm_stored_state {
	uint32_t machine;
	unsigned power_state, source;
	int64_t last_change_ms;
	uint32_t on_count, off_count;
	bool bmc_down;         /* pmBmcDown, and no pmBmcUp */
	bool unknown_told;     /* that it is unknown by now */
	unsigned rest;         /* enum pm_rest, agent/os.h */
	bool gone;             /* and it was seen to go */
	const char *rest_boot; /* the boot that has agreed to it; "" : none */
	const char *boot_id;   /* the last that was told; "" : none */
	const char *rest_seen; /* by which host and probe it could be lost; "" : by none */
	unsigned last_result;  /* PmResult */
	const char *last_result_text;
};
int pm_store_state_put(struct pm_store *store, const struct pm_stored_state *state, struct pm_error *err);
int pm_store_states_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_state *state, void *data), void *data,
			 struct pm_error *err);

/* A VM as it was last known; its index is never given again. */
struct pm_stored_vm {
	uint32_t machine, index;
	const char
	    *key; /* its UUID, or what it is known by instead; unique on the machine. Not used by put */
	const char *name, *uuid, *hypervisor; /* the URI as it is configured */
	bool gone;                            /* not defined any more: only its index is kept */
	bool active, saved, persistent, autostart;
	unsigned observed, told; /* PmVmState; 0: nothing */
	unsigned cpus;
	uint64_t memory_kib;
	int64_t last_change_ms;
	unsigned last_result;
	const char *last_result_text;
};
/* The persistent pmVmIndex of key: the one it always had, or a new one that never was another VM's of the machine. */
int pm_store_vm_index(struct pm_store *store, uint32_t machine, const char *key, uint32_t *index,
		      struct pm_error *err);
int pm_store_vm_put(struct pm_store *store, const struct pm_stored_vm *vm, struct pm_error *err);
/* Of one machine, or of all (0), those that are not gone, ascending by machine and index. */
int pm_store_vms_load(struct pm_store *store, uint32_t machine,
		      void (*each)(const struct pm_stored_vm *vm, void *data), void *data,
		      struct pm_error *err);

struct pm_stored_event {
	uint32_t machine, index;
	int64_t time_ms;
	unsigned kind, severity;
	const char *text;
};
/* Adds an event and forgets those of the same machine with an index of at most forget. */
int pm_store_event_put(struct pm_store *store, const struct pm_stored_event *event, uint32_t forget,
		       struct pm_error *err);
/* In ascending order of machine and index. */
int pm_store_events_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_event *event, void *data), void *data,
			 struct pm_error *err);

/*
 * Forgets events from before this time (but the newest of a machine: its index must not be given again), and of machines
 * that are not configured any more what of their jobs is older. So that it does not take long, only of some machines, those
 * after *machine; it becomes the last of them, and 0 when there are no more.
 */
int pm_store_expire(struct pm_store *store, int64_t before_ms, uint32_t *machine,
		    bool (*configured)(uint32_t machine, void *data), void *data, struct pm_error *err);

/* --- jobs ------------------------------------------------------------------------------------- */

/* A row of pmJobTable; the numbers and times are those of struct pm_job. */
struct pm_stored_job {
	int64_t id; /* unique for ever, also when the insert was rolled back */
	uint32_t machine;
	const char *owner; /* NULL is "" */
	const char *name;  /* NULL or "" in pm_store_job_insert(): set-<id> */
	const char *label;
	unsigned origin;
	unsigned action, scope, force;
	uint32_t vm, nic;
	uint32_t delay_s, timeout_s, vm_timeout_s;
	bool arm_wol, dry_run;
	unsigned init_level;
	unsigned wol_addr_type, wol_addr_length;
	uint8_t wol_addr[16];
	uint16_t wol_port;
	unsigned storage;
	int64_t setting; /* of a BMC, as its owner packs it */
	unsigned row_status;
	bool enabled;
	uint32_t retain_s;
	unsigned state, result;
	const char *text;
	int64_t created_ms, not_before_ms, begin_ms, end_ms;
	uint32_t stagger_ms;
	int64_t group; /* id of the group's command; 0: none */
};
/*
 * Adds a job and gives it its id. A row with the same machine, owner and name gives way to it: the caller, who knows what
 * there is, has none.
 */
int pm_store_job_insert(struct pm_store *store, struct pm_stored_job *job, struct pm_error *err);
/*
 * The whole row by its id; but machine, owner, name, origin and created_ms never change. One that is not there, because the
 * transaction that inserted it was rolled back, is inserted.
 */
int pm_store_job_update(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err);
/* With its steps. One that is not there is no error. */
int pm_store_job_delete(struct pm_store *store, int64_t id, struct pm_error *err);
/* Of one machine, or of all (0), ascending by machine and id. each must not write to the store. */
int pm_store_jobs_load(struct pm_store *store, uint32_t machine,
		       void (*each)(const struct pm_stored_job *job, void *data), void *data,
		       struct pm_error *err);

/* A row of pmJobStepTable; the numbers are those of struct pm_step. */
struct pm_stored_step {
	int64_t job;
	unsigned index; /* from 1 */
	unsigned action;
	uint32_t vm;
	const char *target; /* "": the machine */
	unsigned level, after, before, goal;
	uint32_t timeout_s;
	bool momentary, alternative;
	unsigned state, result;
	const char *text;
	int64_t start_ms, end_ms;
};
/* Adds or replaces it. */
int pm_store_step_put(struct pm_store *store, const struct pm_stored_step *step, struct pm_error *err);
/* Takes away the steps of a job: it gets another plan. */
int pm_store_steps_delete(struct pm_store *store, int64_t job, struct pm_error *err);
/* In the order of pm_store_jobs_load() and ascending index. */
int pm_store_steps_load(struct pm_store *store, uint32_t machine,
			void (*each)(const struct pm_stored_step *step, void *data), void *data,
			struct pm_error *err);

/* One command to a group, until all of its jobs have ended. */
struct pm_stored_group {
	int64_t id; /* unique for ever */
	const char *name;
	unsigned action;
	int64_t start_ms;
	uint32_t jobs, under_way, refused, succeeded, failed;
};
int pm_store_group_insert(struct pm_store *store, struct pm_stored_group *group, struct pm_error *err);
int pm_store_group_update(struct pm_store *store, const struct pm_stored_group *group, struct pm_error *err);
int pm_store_group_delete(struct pm_store *store, int64_t id, struct pm_error *err);
/* Ascending by id. */
int pm_store_groups_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_group *group, void *data), void *data,
			 struct pm_error *err);

/* --- notifications ---------------------------------------------------------------------------- */

struct pm_notification; /* agent/notify.h */

/* Adds one with the id it has. */
int pm_store_notification_put(struct pm_store *store, const struct pm_notification *notification,
			      struct pm_error *err);
/* One that is not there is no error. */
int pm_store_notification_delete(struct pm_store *store, uint64_t id, struct pm_error *err);
/* Ascending by id. */
int pm_store_notifications_load(struct pm_store *store,
				void (*each)(const struct pm_notification *notification, void *data),
				void *data, struct pm_error *err);
/* The highest id that ever was in the store; 0: none. */
int pm_store_notifications_last_id(struct pm_store *store, uint64_t *id, struct pm_error *err);

#endif
