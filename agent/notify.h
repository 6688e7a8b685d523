/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Notifications on their way to the master: what happened is written down at once, in a bounded queue, and sent in
 * small bites while there is a master. Each is stored with the event it tells of, sent only when both are on the disk, and
 * stays in the queue and in the store until the master has acknowledged it (RFC 2741, 7.2.5); what was on its way to a
 * master that went, or from an agent that was killed, is sent again: with the same event index, and in the same order.
 * While the store fails they are sent from memory. When the queue is full the oldest is dropped and counted; the event
 * tables still have it.
 */
#ifndef PM_NOTIFY_H
#define PM_NOTIFY_H

#include "agent/agent.h"

enum pm_notification_type { /* sub-identifiers below { pmstack 0 } */
			    PM_NOTIFY_POWER_STATE_CHANGE = 1,
			    PM_NOTIFY_VM_STATE_CHANGE = 2,
			    PM_NOTIFY_JOB_STARTED = 3,
			    PM_NOTIFY_JOB_FINISHED = 4,
			    PM_NOTIFY_JOB_FAILED = 5,
			    PM_NOTIFY_WAKE_SEEN = 6,
			    PM_NOTIFY_WAKE_NOT_SEEN = 7,
			    PM_NOTIFY_BMC_DOWN = 8,
			    PM_NOTIFY_BMC_UP = 9,
			    PM_NOTIFY_AGENT_STARTED = 11,
			    PM_NOTIFY_INHIBIT_CHANGE = 12,
			    PM_NOTIFY_GROUP_FINISHED = 13
};

/* A snapshot: the values as they were when it happened. Which of them go out is the type's matter. */
struct pm_notification {
	struct pm_notification *next;
	uint64_t id; /* unique for ever, never 0 */
	bool on_its_way;
	bool stored; /* in the store, with this commit; 0: by an earlier start */
	uint64_t generation;
	enum pm_notification_type type;
	uint32_t machine, nic;
	char name[65];
	enum pm_power_state power_state, old_power_state;
	enum pm_state_source source;
	enum pm_result result;
	char text[256];
	char job_owner[33], job_name[33], job_label[65];
	enum pm_command action;
	uint8_t mac[6];
	char interface[16];
	char bmc_address[256];
	enum pm_bmc_status bmc_status;
	bool inhibit;
	char inhibit_reason[256];
	uint32_t event_index;
	uint32_t agent, machines; /* pmAgentIndex and how many it serves */
	char group_name[33];
	uint32_t jobs, succeeded, failed; /* of the group's command */
	uint32_t vm;                      /* pmVmIndex */
	char vm_name[256];
	enum pm_vm_state vm_state, old_vm_state;
};

struct pm_notify_queue;

/*
 * Takes up what the store has from before. send hands one notification to the master. It returns 0 when that is all, 1
 * when pm_notify_acknowledged() follows, or a negative errno value to be called again later.
 */
int pm_notify_new(struct pm_agent *agent, int (*send)(const struct pm_notification *notification));

/* What the store has is sent after the next start. */
void pm_notify_free(struct pm_agent *agent);

/* The master has taken the notification with this id, or it has to be sent again. */
void pm_notify_acknowledged(struct pm_agent *agent, uint64_t id, bool taken);

/* The master has come (drain begins) or gone (everything waits). */
void pm_notify_connected(struct pm_agent *agent, bool connected);

/*
 * Queues a copy of notification with what is common to all filled in from machine (may be NULL): index, name, states
 * and result. Does nothing while pmAgentNotifyEnable is false.
 */
void pm_notify(struct pm_agent *agent, const struct pm_machine *machine,
	       const struct pm_notification *notification);

/* --- for agent/flush.c ------------------------------------------------------------------------ */

/* Whether there are some that wait to be stored. */
bool pm_notify_unstored(const struct pm_agent *agent);

/* Inside its transaction: stores what is not stored, and deletes what was acknowledged or dropped. */
int pm_notify_store(struct pm_agent *agent, struct pm_error *err);

/* What was given to the store has this generation; up to this generation it is on the disk; the store fails. */
void pm_notify_stored(struct pm_agent *agent, uint64_t generation);
void pm_notify_synced(struct pm_agent *agent, uint64_t generation);
void pm_notify_store_failed(struct pm_agent *agent);

struct pm_notify_counts {
	uint32_t pending, sent, dropped;
};
struct pm_notify_counts pm_notify_counts(const struct pm_agent *agent);

#endif
