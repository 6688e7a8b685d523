/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is known of each machine: the only place where answers become states, and where changes are noticed, counted,
 * written down and told. A state that is no longer confirmed becomes unknown; it is never guessed.
 */
#ifndef PM_STATE_H
#define PM_STATE_H

#include "agent/agent.h"

/* The BMC answered, or did not answer, Get Chassis Status. */
void pm_state_chassis(struct pm_machine *machine, const struct ipmi_reply *reply);

/* The probe ended. */
void pm_state_probe(struct pm_machine *machine, enum pm_probe_result result, const char *text);

/* A hypervisor on the machine itself has told something (heard), or no longer answers, and why. */
void pm_state_hypervisor(struct pm_machine *machine, bool heard, const char *silence);

/* Its operating system has told something (heard), or has not, and why: agent/os.c knows it already. */
void pm_state_host(struct pm_machine *machine, bool heard, const char *silence);

/* The configuration gives it another BMC, probe or hypervisor, or none: what was observed no longer holds. */
void pm_state_sources_changed(struct pm_machine *machine);

/* A job says what it is doing to the machine; 0 when it ends. */
void pm_state_transition(struct pm_machine *machine, enum pm_power_state transition);

/* Puts back what was last known and told before a restart; nothing of it counts as observed. */
void pm_state_restore(struct pm_machine *machine, const struct pm_stored_state *stored);

/* A machine came or goes: keeps the counts right. */
void pm_state_count(struct pm_machine *machine, int delta);

/* Whether managers were last told that it is unknown, or were never told anything else. */
bool pm_state_unknown_told(const struct pm_machine *machine);

/* The result of the last action, for the MIB. */
void pm_state_result(struct pm_machine *machine, enum pm_result result, const char *text);

enum pm_bmc_status pm_bmc_status_of(enum ipmi_result result);

#endif
