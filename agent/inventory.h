/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The inventory: what the configuration file says, as plain data. It is built whole by pm_config_load() and
 * never changed afterwards; a reload builds another one. All strings are UTF-8, NUL-terminated and owned by
 * the inventory.
 */
#ifndef PM_INVENTORY_H
#define PM_INVENTORY_H

#include "agent/tc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A secret in memory of its own that is kept out of core dumps and wiped when freed. */
struct pm_secret {
	uint8_t *data; /* NULL when there is none; not NUL-terminated */
	size_t length; /* octets */
};

enum pm_privilege {
	PM_PRIVILEGE_USER = 2,
	PM_PRIVILEGE_OPERATOR = 3,
	PM_PRIVILEGE_ADMINISTRATOR = 4
}; /* IPMI 2.0, 6.8 */

enum pm_ipmi_version { PM_IPMI_1_5 = 1, PM_IPMI_2_0 = 2 };

struct pm_credentials {
	char *name;
	char *username;            /* 0..16 octets (IPMI 2.0, 13.20) */
	struct pm_secret password; /* 0..20 octets (IPMI 2.0, 22.30) */
	struct pm_secret kg;       /* 0..20 octets; empty: the password takes its place */
	enum pm_privilege privilege;
	enum pm_ipmi_version ipmi_version;
	uint8_t cipher_suites[12]; /* IDs in the order in which they are tried; there is room for all */
	size_t cipher_suite_count;
	unsigned workarounds; /* or-ed bits of FreeIPMI: IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_*, or
				 _OUTOFBAND_* for 1.5 */
};

struct pm_bmc_config {
	char *address; /* host name or numeric IPv4/IPv6 address */
	uint16_t port;
	const struct pm_credentials *credentials;
	unsigned timeout_ms; /* one operation, retransmissions included */
	unsigned poll_interval_ms;
	unsigned misses;            /* polls unanswered in a row until what was known no longer holds */
	unsigned power_interval_ms; /* between two power readings; 0: none */
};

struct pm_nic_config {
	char *name; /* unique within its machine */
	uint8_t mac[6];
	bool has_mac; /* false: no MAC configured and none in ethers(5); every wake is refused */
	enum pm_wol_method wol;
	char *interface; /* egress interface; "" = the first that is up */
	char *address;   /* WoL by UDP: numeric IPv4/IPv6 destination; may be "" while wol is ethernet */
	uint16_t port;   /* WoL by UDP */
	struct pm_secret secureon; /* 0, 4 or 6 octets */
};

enum pm_probe_method { PM_PROBE_ICMP = 1, PM_PROBE_TCP };

struct pm_probe_config {
	enum pm_probe_method method;
	char *address; /* host name or numeric address */
	uint16_t port; /* tcp only */
	unsigned timeout_ms;
	unsigned poll_interval_ms;
	unsigned misses;
};

struct pm_host_config {
	char *ssh; /* as configured: user@name, or name; "" when local */
	bool local;
	char *user;          /* of ssh; "" : ssh's own choice */
	char *address;       /* of ssh; "" when local */
	uint16_t port;       /* of ssh */
	char *socket;        /* local: where pmstack-host listens */
	unsigned timeout_ms; /* one request, connecting included */
	unsigned poll_interval_ms;
};

enum pm_suspend_method {
	PM_SUSPEND_PAUSE = 1,
	PM_SUSPEND_GUEST
}; /* stopped by the hypervisor; S3 by the guest's agent */

/* A hypervisor: on the machine itself, or in a VM of another one of the machine, to any depth. */
struct pm_hypervisor_config {
	char *uri;         /* libvirt connection URI */
	char *shown;       /* the same without secrets, at most 255 octets */
	char *guest;       /* the name of the VM in which it runs; NULL: on the machine itself */
	size_t on;         /* guest: which of the machine's hypervisors has that VM; comes before this one */
	unsigned parallel; /* steps at the same time on its VMs */
	bool autostart;    /* powerOn of the machine starts its VMs that are marked so */
	enum pm_suspend_method suspend;
	unsigned connect_timeout_s; /* until it answers, after what it runs on has come up */
	unsigned poll_interval_ms;  /* between two lists */
	const char *file;
	int line;
};

enum pm_off_method { PM_OFF_HOST = 1, PM_OFF_BMC_SOFT, PM_OFF_BMC };

struct pm_machine_config {
	char *name; /* 1..64 octets, unique; key of the persistent pmIndex */
	char *location;
	char *uuid; /* text form, "" when not configured */
	enum pm_power_on_method power_on_method;
	enum pm_off_method off_methods[3]; /* in the order to try; only what the machine has */
	size_t off_method_count;
	unsigned stack_timeout_s, vm_timeout_s;
	unsigned on_timeout_s;           /* power on or wake until observed up; default 300 */
	unsigned off_timeout_s;          /* what one off method gets before the next; default 180 */
	unsigned wol_repeats;            /* magic packets in one burst; default 3 */
	unsigned wol_repeat_interval_ms; /* between two of a burst; default 100 */
	struct pm_bmc_config *bmc;       /* NULL: none; likewise probe, host, stack */
	struct pm_nic_config *nics;
	size_t nic_count;
	struct pm_probe_config *probe;
	struct pm_host_config *host;
	struct pm_hypervisor_config *hypervisors; /* each behind the one it runs on */
	size_t hypervisor_count;
	const char *file; /* where it was declared; one of the inventory's files */
	int line;
};

struct pm_group_config {
	char *name;                               /* 1..32 octets */
	const struct pm_machine_config **members; /* in the order of the file, no duplicates */
	size_t member_count;
	unsigned stagger_ms;
};

struct pm_console_config {
	char *kind;
	char **command; /* argv, NULL-terminated */
};

struct pm_agent_config {
	char *name;     /* pmAgentName: "name", or the host's name */
	uint32_t index; /* pmAgentIndex */
	char *master;   /* "unix:/path" or "tcp:host:port" (as net-snmp spells AgentX addresses) */
	char *state_directory;
	unsigned poll_interval_ms;
	unsigned misses;            /* of BMCs and probes that have no number of their own */
	unsigned power_interval_ms; /* likewise of BMCs */
	char **witness;             /* interface names */
	size_t witness_count;
	uint32_t rows_first, rows_last; /* block of pmIndex served here: 1..2147483647 unless configured */
	bool resume;
	unsigned history_s;
	char *ssh_identity_file, *ssh_known_hosts; /* absolute paths */
	unsigned ssh_parallel;                     /* requests to hosts under way at once */
};

struct pm_inventory {
	struct pm_agent_config agent;
	struct pm_credentials *credentials;
	size_t credential_count;
	struct pm_machine_config *machines; /* in the order of the file */
	size_t machine_count;
	struct pm_group_config *groups;
	size_t group_count;
	struct pm_console_config *consoles;
	size_t console_count;
	char **files; /* every file that was read, the first one first */
	size_t file_count;
	const struct pm_machine_config **by_name; /* for pm_inventory_machine(); see pm_inventory_index() */
};

/*
 * Makes pm_inventory_machine() O(log n); to be called when all machines are in place. pm_config_load() has
 * done it. Returns 0 or -ENOMEM.
 */
int pm_inventory_index(struct pm_inventory *inventory);

/* Finds a machine by exact name; NULL when there is none. O(log n) once indexed. */
const struct pm_machine_config *pm_inventory_machine(const struct pm_inventory *inventory, const char *name);

/* Frees the inventory and wipes its secrets; NULL is allowed. */
void pm_inventory_free(struct pm_inventory *inventory);

#endif
