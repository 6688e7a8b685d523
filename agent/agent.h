/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the agent is made of at run time: one struct pm_agent with one struct pm_machine for each machine of the
 * inventory. Everything here belongs to the main thread. The modules that work on it: fleet (comes and goes with the
 * configuration), poll and detail (ask), state (notices), job (acts), event and notify (tell), mib (shows).
 */
#ifndef PM_AGENT_H
#define PM_AGENT_H

#include "agent/error.h"
#include "agent/inventory.h"
#include "agent/probe.h"
#include "agent/store.h"
#include "agent/sweep.h"
#include "agent/tc.h"
#include "agent/timer.h"
#include "ipmi/ipmi.h"
#include "wol/wol.h"

#define PM_EVENT_RING 32 /* events kept for each machine */

struct pm_agent;
struct pm_batch;
struct pm_group;
struct pm_job;
struct pm_jobs;
struct host_driver;
struct host_runner;
struct pm_hypervisor;
struct pm_os;
struct pm_vm;
struct stack_driver;

struct pm_event {
	uint32_t index; /* pmEventIndex: 1, 2, 3, ... for each machine, over restarts */
	int64_t time_ms;
	enum pm_event_kind kind;
	enum pm_severity severity;
	bool stored;
	char *text;
};

struct pm_nic {
	uint32_t index; /* pmNicIndex, persistent */
	struct pm_machine *machine;
	const struct pm_nic_config *config;
	enum pm_wol_method wol; /* these four: the configuration's, unless written by SNMP */
	char interface[16];
	char address[64];
	uint16_t port;
	uint32_t wake_sent, wake_seen;
	int64_t last_sent_ms, last_seen_ms;
	enum pm_result last_result;
};

/* When a BMC or a probe is asked. */
struct pm_clock {
	struct pm_machine *machine;
	struct pm_timer *timer;
	uint64_t due_ms; /* loop time of the next question; 0: none is due, it is being asked or never was */
	struct pm_sweep_entry sweep;
};

/* What is asked of a BMC beside its chassis status. */
enum pm_detail { PM_DETAIL_BOOT, PM_DETAIL_HOURS, PM_DETAIL_WATTS, PM_DETAIL_COUNT };

struct pm_bmc {
	struct ipmi_bmc *ipmi;
	enum pm_bmc_status status;
	unsigned misses;     /* failed polls since the last answer */
	bool holds;          /* what it said last: not missed too often since */
	bool down;           /* pmBmcDown was told, pmBmcUp not yet */
	unsigned answers;    /* while down: in a row */
	unsigned up_answers; /* so many of them make it up */
	uint64_t up_loop_ms; /* when pmBmcUp was told; 0: never */
	bool chassis_known, boot_known, hours_known, watts_known;
	struct ipmi_chassis_status chassis;
	struct ipmi_boot_flags boot;
	uint32_t power_on_hours;
	unsigned watts;
	uint64_t watts_loop_ms; /* when they were measured */
	bool watts_refused;     /* and in which session */
	bool watts_silent;      /* refused by silence, that is */
	uint32_t watts_session;
	struct pm_clock clock;
	struct ipmi_op *status_op, *detail_op;
	enum pm_detail detail;                     /* the one that is being asked */
	uint64_t detail_asked_ms[PM_DETAIL_COUNT]; /* loop time, about; 0: never */
	unsigned detail_silences[PM_DETAIL_COUNT]; /* without an answer that counts, in a row */
	struct pm_sweep_entry detail_sweep;
};

struct pm_machine {
	struct pm_agent *agent;
	uint32_t index; /* pmIndex, persistent */
	const struct pm_machine_config *config;
	bool configured; /* false while a reload decides that it goes */

	enum pm_power_state observed;   /* unknown, off, on: the last observation that still holds */
	enum pm_power_state transition; /* what a job is doing to it; 0: nothing */
	enum pm_state_source source;
	enum pm_power_state last_known; /* the last that was not unknown, over restarts; 0: never */
	int64_t last_change_ms;
	int64_t observed_ms;       /* when the state was last confirmed; 0: never */
	uint64_t observed_loop_ms; /* the same on the loop's clock, which nobody sets */
	uint32_t on_count, off_count;
	bool state_dirty; /* the state, or that it was told, is not yet stored */
	bool dirty;       /* something of it is not yet stored: it is in agent->dirty */
	struct pm_machine *next_dirty;
	bool looked;         /* there was a first answer, or none in time, since the start */
	bool unknown_untold; /* since a restart: last_known is from before, nothing was observed yet */
	bool return_untold;  /* its BMC comes back and says what was last known: told with pmBmcUp */
	enum pm_os_reachable os_reachable;

	enum pm_admin_state admin_state;
	bool inhibit;
	char inhibit_reason[256];
	uint32_t stack_timeout_s, vm_timeout_s;
	enum pm_power_on_method power_on_method;

	enum pm_result last_result;
	char last_result_text[256];
	struct pm_job *job; /* the active one, or the one that a SET under way asks for */
	struct pm_job *
	    *jobs; /* the rows of pmJobTable, in its order: owner length, owner, name length, name */
	size_t jobs_count, jobs_wanted, jobs_room; /* wanted: by SETs under way */
	bool jobs_loaded;                          /* those of the journal are here */

	struct pm_bmc *bmc; /* NULL: none */
	struct pm_nic *nics;
	size_t nic_count;

	struct pm_hypervisor *hypervisors; /* in the order of the configuration */
	size_t hypervisor_count;
	struct pm_vm **vms; /* ascending pmVmIndex */
	size_t vm_count;
	uint32_t vms_running; /* pmVmState is running */
	enum pm_stack_admin_state stack_admin_state;
	bool vms_loaded;    /* those of the store are here */
	uint32_t *vms_gone; /* indexes of those that the store still has as defined */
	size_t vms_gone_count;

	struct pm_os *os; /* agent/os.h; NULL: no host is configured */

	struct pm_clock probe_clock;
	struct pm_probe *probe;
	unsigned probe_misses;
	char probe_trouble[128]; /* why the question cannot be asked; "" while it can */
	bool fast;               /* a job waits for a change: poll quickly */

	struct pm_event events[PM_EVENT_RING]; /* ring: event i is at i % PM_EVENT_RING */
	uint32_t event_last;                   /* index of the newest; 0: none */
	unsigned event_count;
};

struct pm_job_list {
	struct pm_job *first, *last;
	unsigned count;
};

struct pm_agent {
	uv_loop_t *loop;
	const char *config_path;
	struct pm_inventory *inventory;
	struct pm_store *store;
	struct ipmi_engine *ipmi;
	struct wol_engine *wol;
	struct pm_prober *prober;
	const struct stack_driver *stack_driver; /* of all hypervisors */
	const struct host_driver *host_driver;   /* of all operating systems */
	struct host_runner *host_runner;         /* NULL: none was ever configured */
	const char *state_directory;             /* as it is used; NULL: none */
	struct pm_os *os_first, *os_last;        /* those that wait to be asked; agent/os_ask.c */
	unsigned os_asking, os_count;            /* being asked now; configured */

	struct pm_polling *polling;
	struct pm_sweep *details; /* of BMCs */
	bool measuring;           /* there was a power reading */

	struct pm_machine **machines; /* ascending pmIndex */
	size_t machine_count;
	struct pm_group *groups; /* in the order of the configuration */
	size_t group_count;
	uint64_t changes; /* counts up when a power state as shown, or who has an active job, changes */

	int64_t started_ms, reloaded_ms;
	uint64_t started_loop_ms, rows_changed_loop_ms;
	char config_error[256];                               /* "" after a good reload */
	uint32_t machines_on, machines_off, machines_unknown; /* by observed state */

	bool inhibit, notify_enable;
	uint32_t job_max_concurrent;
	int32_t set_lock;

	int64_t steady_offset_ms, steady_ahead_ms; /* agent/steady.h */

	struct pm_job_list jobs_delayed, jobs_waiting, jobs_running;
	struct pm_batch *batches; /* jobs that begin one after another */
	unsigned jobs_staggered;  /* those in them that have not had their turn */
	uint32_t jobs_started, jobs_failed;
	unsigned jobs_reserved;
	bool jobs_held;            /* none begins: they are being started, or machines are being removed */
	struct pm_jobs *jobs;      /* of agent/job*.c alone */
	uint64_t job_rows_changes; /* counts up when a row comes or goes */
	uint64_t vm_rows_changes;  /* likewise */
	uint32_t vms, vms_running; /* of all machines */

	struct pm_machine *dirty; /* those with something to store */
	struct pm_timer *flush_timer;
	bool flush_pending, flush_now;
	uint64_t flush_due_ms, flushed_ms; /* loop time: of the next, of the last */
	bool store_failing;                /* logged already */
	uint64_t flush_generation;         /* of the last commit; those until when: */
	uint64_t sync_wanted;              /* somebody waits for them on the disk */
	uint64_t syncing;                  /* they are on their way there; 0: none */
	uint64_t synced;                   /* they are there */
	struct pm_timer *expire_timer;
	uint32_t expired; /* up to this pmIndex old history is removed; 0: of all */
	struct pm_event_log *event_log;

	struct pm_notify_queue *notifications;
	bool stopping;

	/* Set by the daemon: called before and after machines come and go, and when a reload was asked for. */
	void (*rows_change)(struct pm_agent *agent);
	void (*rows_changed)(struct pm_agent *agent);
	void (*reload)(struct pm_agent *agent);
};

/* O(log n); NULL when there is none. */
struct pm_machine *pm_agent_machine(const struct pm_agent *agent, uint32_t index);
struct pm_nic *pm_machine_nic(const struct pm_machine *machine, uint32_t index);

/* The power state as shown: the transition, while there is one, else the observation. */
enum pm_power_state pm_machine_power_state(const struct pm_machine *machine);

#endif
