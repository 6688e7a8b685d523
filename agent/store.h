/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What must outlive the process, in SQLite: the persistent indexes, settings written by SNMP, the last observed
 * states, the event ring and the job journal. One file, state.db, in the state directory; one writer at a time.
 *
 * Functions that fail return a negative errno value and the reason in err; nothing is then stored.
 */
#ifndef PM_STORE_H
#define PM_STORE_H

#include "agent/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PM_STORE_FILE "state.db"

struct pm_store;

/*
 * Opens or creates the store in directory and locks it. -EBUSY: another pmstackd has it; -EUCLEAN: the file is
 * damaged or of a newer version (it is left as it is).
 */
int pm_store_open(const char *directory, struct pm_store **store, struct pm_error *err);
void pm_store_close(struct pm_store *store);

/*
 * Groups the calls between them into one commit. Do not nest. A failed commit has rolled back. pm_store_begin(): the
 * commit is on the disk when it returns. pm_store_begin_quick(): it outlives the process, but perhaps not a loss of
 * power; for what can be observed anew.
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
 * setting no longer holds. machine and nic are 0 for the agent's own and those of a group, which is told by its name;
 * NULL or "" means no group.
 */
struct pm_setting {
	uint32_t machine, nic;
	const char *group;
	const char *key, *base, *value; /* valid during the call */
};
int pm_store_setting_put(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err);
int pm_store_setting_delete(struct pm_store *store, const struct pm_setting *setting, struct pm_error *err);
int pm_store_settings_load(struct pm_store *store, void (*each)(const struct pm_setting *setting, void *data),
			   void *data, struct pm_error *err);

/* The last observed power state of a machine, and what managers were told since. */
struct pm_stored_state {
	uint32_t machine;
	unsigned power_state, source;
	int64_t last_change_ms;
	uint32_t on_count, off_count;
	bool bmc_down;     /* pmBmcDown, and no pmBmcUp */
	bool unknown_told; /* that it is unknown by now */
};
int pm_store_state_put(struct pm_store *store, const struct pm_stored_state *state, struct pm_error *err);
int pm_store_states_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_state *state, void *data), void *data,
			 struct pm_error *err);

struct pm_stored_event {
	uint32_t machine, index;
	int64_t time_ms;
	unsigned kind, severity;
	const char *text; /* valid during the call */
};
/* Adds an event and forgets those of the same machine with an index of at most forget. */
int pm_store_event_put(struct pm_store *store, const struct pm_stored_event *event, uint32_t forget,
		       struct pm_error *err);
/* In ascending order of machine and index. */
int pm_store_events_load(struct pm_store *store,
			 void (*each)(const struct pm_stored_event *event, void *data), void *data,
			 struct pm_error *err);
/* Forgets events and finished jobs from before this time. */
int pm_store_expire(struct pm_store *store, int64_t before_ms, struct pm_error *err);

struct pm_stored_job {
	int64_t id; /* unique for ever */
	uint32_t machine, nic;
	unsigned action, origin; /* PmCommand; enum pm_origin */
	unsigned state, result;  /* PmJobState; PmResult */
	int64_t start_ms, end_ms;
	const char *text; /* valid during the call */
	int64_t
	    not_before_ms; /* PM_JOB_SCHEDULED: it begins then at the earliest, 0: at once; else when it began */
	uint32_t
	    stagger_ms; /* 0, or: the jobs with this and the same start_ms begin so far apart, in the order of ids */
};
/* Writes a new job durably and gives it its id. */
int pm_store_job_insert(struct pm_store *store, struct pm_stored_job *job, struct pm_error *err);
int pm_store_job_begun(struct pm_store *store, int64_t id, int64_t begin_ms, struct pm_error *err);
int pm_store_job_update(struct pm_store *store, const struct pm_stored_job *job, struct pm_error *err);
int pm_store_job_delete(struct pm_store *store, int64_t id, struct pm_error *err);
/* When a job last ended; 0: none has. */
int pm_store_jobs_last_end(struct pm_store *store, int64_t *end_ms, struct pm_error *err);
/* Of each machine the last job that has ended: machine, result and text. */
int pm_store_jobs_last(struct pm_store *store, void (*each)(const struct pm_stored_job *job, void *data),
		       void *data, struct pm_error *err);
/* Jobs that have no end yet, in the order of their ids. */
int pm_store_jobs_unfinished(struct pm_store *store,
			     void (*each)(const struct pm_stored_job *job, void *data), void *data,
			     struct pm_error *err);

#endif
