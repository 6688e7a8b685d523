/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The operating system of a machine, as its pmstack-host tells: which boot it is, what it can, which ports it has and
 * whether they are armed; and, once it has agreed to go down, that it is gone. Asked on a slow clock, when the machine comes
 * up, and when a job wants to know. Everything is the main thread's.
 */
#ifndef PM_OS_H
#define PM_OS_H

#include "agent/agent.h"
#include "agent/host/host.h"

/* What it has agreed to become; stored: the numbers stay. */
enum pm_rest {
	PM_REST_NONE = 0,
	PM_REST_OFF = 1,
	PM_REST_SUSPENDED = 2,
	PM_REST_HIBERNATED = 3,
	PM_REST_REBOOT = 4
};

struct pm_os {
	struct pm_machine *machine;
	struct host_client *client; /* NULL: none is configured */
	struct pm_timer *timer;     /* when it is asked next */
	struct host_op *op;         /* it is being asked */
	bool ask_again;             /* somebody wants an answer that begins after now */

	bool answers;    /* its last report holds: not missed too often since */
	unsigned misses; /* reports in a row that did not come */
	uint64_t
	    heard_ms; /* loop time of the last report; 0: none since the start, or since the configuration changed */
	uint64_t asked_ms;         /* loop time: when the last question that has ended was sent */
	struct host_report report; /* the last one; boot_id "" when there was none */
	enum host_result trouble;  /* why the last question failed; 0: it did not */
	char trouble_text[256];

	enum pm_rest rest;            /* it has agreed to this, */
	char rest_boot[HOST_ID_SIZE]; /* in this boot, */
	uint64_t rest_ms;             /* at this loop time; 0: before a restart of the agent */
	bool gone;                    /* and since then neither its probe nor its helper answers */

	bool stranger;   /* the last report is another machine's: nothing of it counts */
	bool wrong_uuid; /* it is another machine than the one that is configured */
	char told[512];  /* what disagrees with the configuration, as it was told last; "" : nothing */

	/* --- for os*.c only --- */
	char *target, *opened; /* the host that is meant; that, and how the client was opened */
	uint64_t due_ms;       /* loop time of the next question; 0: none is due, or it is being asked */
	uint64_t begun_ms;     /* loop time: when op was sent */
	struct pm_os *next;    /* of those that wait for their turn */
	bool waits;
	char boot_id[HOST_ID_SIZE]; /* the last that was told, over restarts; "" : none */
	uint32_t on_count;          /* of the machine, then */
	enum pm_rest was;  /* it was gone, and something answers now: the next report tells what it was */
	bool heard_since;  /* a report has come since it agreed */
	bool went;         /* it was gone since it agreed, maybe before a restart of the agent */
	bool told_to;      /* it was told to go down, and has not answered yet; since then: */
	bool rest_seen;    /* its probe answered when it was told, or has since: only so can it be lost */
	unsigned silences; /* of the probe, in a row */
	bool op_is_older, probe_is_older; /* what is being asked began before it was told, or agreed */
	bool probe_silent, silent; /* since it agreed the last probe, and the last question, found nobody */
	uint64_t lapse_ms; /* loop time: if it still answers by then, that it agreed no longer counts */
	bool probe_up;
	unsigned retries;             /* questions that failed since its probe has answered */
	enum pm_power_state bmc_said; /* since it agreed; 0: nothing */
	uint64_t trouble_ms;          /* loop time of the first question that failed, in a row */
	bool trouble_told;
};

/*
 * The configuration has come, changed or gone: opens, exchanges or closes the client, and asks. What other users of the
 * client have under way ends as HOST_CANCELLED before it returns, machine->os being NULL by then if no host is configured
 * any more. To be called when the agent has its new inventory. 0 or -ENOMEM, then there is none.
 */
int pm_os_apply(struct pm_machine *machine);

/* Of all machines; what fails is logged. */
void pm_os_apply_all(struct pm_agent *agent);

/* The configuration gives the machine another BMC, or another probe. */
void pm_os_sources_changed(struct pm_machine *machine, bool other_bmc, bool other_probe);

/* Ends all asking; no callback comes afterwards. */
void pm_os_stop(struct pm_machine *machine);

/* Frees machine->os. */
void pm_os_free(struct pm_machine *machine);

/* Asks for a report as soon as possible; pm_job_observed(machine, PM_SOURCE_HOST) follows when it has come, or has not. */
void pm_os_ask(struct pm_machine *machine);

/* The pace of polling has changed: asks earlier, if that is due by now. */
void pm_os_hurry(struct pm_machine *machine);

/* Asks all, spread as after a start. */
void pm_os_sweep(struct pm_agent *agent);

/* Called by agent/state.c when the probe has answered, or has not: may ask the helper, and finds out whether it is gone. */
void pm_os_probed(struct pm_machine *machine, enum pm_probe_result result);

/* Likewise when the BMC has told whether the machine has power. */
void pm_os_bmc_said(struct pm_machine *machine, bool power_on);

/* Whether its probe should be asked quickly, to find out whether it is gone. */
bool pm_os_in_doubt(const struct pm_machine *machine);

/* A job's request was answered with a report: as if the model had asked itself. */
void pm_os_reported(struct pm_machine *machine, const struct host_report *report);

/* Ports were armed, or could not be: what they are now, for pmNicArmed. */
void pm_os_armed(struct pm_machine *machine, const struct host_port *ports, size_t count);

/*
 * It is being told to go down, or to sleep: what is silent from now on counts if it agrees to that, whose answer may come when
 * it has gone already.
 */
void pm_os_asks(struct pm_machine *machine);

/*
 * The operating system with this boot id has agreed to go down, or to sleep: from now on, when neither probe nor helper answers,
 * it counts as gone, over restarts. PM_REST_NONE takes it back.
 */
void pm_os_rests(struct pm_machine *machine, enum pm_rest rest, const char *boot_id);

/* Whether a report has come, since it agreed, of another boot than the one that agreed. */
bool pm_os_rebooted(const struct pm_machine *machine);

/* Whether anything can tell, without a BMC, that it is off once it has agreed to be: a probe is configured. */
bool pm_os_is_observable(const struct pm_machine *machine);

/* For agent/state.c: PM_POWER_ON while it answers, PM_POWER_OFF or _SUSPENDED once it is gone, else PM_POWER_UNKNOWN. */
enum pm_power_state pm_os_state(const struct pm_machine *machine);

/* pmMachineOsReachable: by the probe; without one by the helper. */
enum pm_os_reachable pm_os_reachable(const struct pm_machine *machine);

/* Whether one of the machine's MACs is on a port. */
bool pm_os_has_its_mac(const struct pm_machine *machine, const struct host_report *report);

/* Whether it is another machine's report: by its UUID; where that does not tell, because none of the machine's MACs is there. */
bool pm_os_is_another(const struct pm_machine *machine, const struct host_report *report);

/* Whether its probe asks the address at which a machine with another UUID was found: then an answer says nothing of this one. */
bool pm_os_is_strange(const struct pm_machine *machine);

/* pmNicArmed: of the ports that have the NIC's MAC; armed only if all have it so. */
enum pm_nic_armed pm_os_nic_armed(const struct pm_nic *nic);

/* --- the store ----------------------------------------------------------------------------------- */

#define PM_OS_SEEN_SIZE 640

/* What of it is to be stored: fills those members; rest_seen has PM_OS_SEEN_SIZE octets. */
void pm_os_store(const struct pm_machine *machine, struct pm_stored_state *stored, char *rest_seen);

/* Puts back what was known before a restart. */
void pm_os_restore(struct pm_machine *machine, const struct pm_stored_state *stored);

#endif
