/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host sections: how the operating system of a machine is reached; and the files that ssh needs for all of them. */
#include "agent/config_build.h"
#include "agent/secret.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SSH_PORT   22
#define SOCKET     "/run/pmstack-host.sock" /* of pmstack-host.socket */
#define SOCKET_MAX 107                      /* unix(7), without the NUL */
#define MINUTE_MS  60000
#define DAY_MS     86400000

/* --- one host --------------------------------------------------------------------------------- */

/* [user@]host, and nothing that ssh could take for an option. */
static bool is_ssh_target(const char *text)
{
	const char *at = strrchr(text, '@');
	const char *host = at ? at + 1 : text;

	if (at && at == text)
		return false;
	for (const char *c = text; c < host; c++) {
		if (!isgraph((unsigned char)*c))
			return false;
	}
	return *text != '-' && *host != '-' && config_is_host(host);
}

static void claim_host(const struct config_scope *scope, const struct config_node *node,
		       const struct pm_host_config *host)
{
	char address[300], key[340];

	config_normalize_address(host->address, address, sizeof(address));
	if (host->local)
		snprintf(key, sizeof(key), "%s", host->socket);
	else
		snprintf(key, sizeof(key), "%s port %u", address, host->port);
	config_claim(scope->build, &scope->build->hosts, key, scope->machine->name, node->file,
		     config_line(node, host->local ? "local" : "ssh"));
}

static void build_ssh(const struct config_scope *scope, const struct config_node *node,
		      struct pm_host_config *host)
{
	struct config_report *report = scope->build->report;
	char *at = strrchr(host->ssh, '@');

	if (!is_ssh_target(host->ssh)) {
		config_error(report, node->file, config_line(node, "ssh"),
			     "ssh = \"%.255s\" is not of the form \"user@host\"", host->ssh);
		return;
	}
	host->address = config_dup(scope->build, at ? at + 1 : host->ssh);
	free(host->user);
	host->user = config_dup(scope->build, at ? host->ssh : "");
	if (host->user && at)
		host->user[at - host->ssh] = '\0';
	config_get_port(report, node, &host->port);
	if (config_has(node, "socket"))
		config_error(report, node->file, config_line(node, "socket"),
			     "socket is for a host with local = true; leave it out");
	if (!scope->build->first_ssh)
		scope->build->first_ssh = node;
	if (host->address)
		claim_host(scope, node, host);
}

static void build_local(const struct config_scope *scope, const struct config_node *node,
			struct pm_host_config *host)
{
	struct config_report *report = scope->build->report;
	const char *path = config_get_text(node, "socket", SOCKET);

	host->address = config_dup(scope->build, "");
	host->socket = config_dup(scope->build, path);
	if (*path != '/' || strlen(path) > SOCKET_MAX)
		config_error(
		    report, node->file, config_line(node, "socket"),
		    "socket = \"%.128s\": an absolute path of at most %d octets is expected, such as " SOCKET,
		    path, SOCKET_MAX);
	if (config_has(node, "port"))
		config_error(report, node->file, config_line(node, "port"),
			     "port is for a host with ssh; leave it out");
	if (scope->count > 1)
		config_error(report, node->file, config_line(node, "local"),
			     "local = true is for one machine, this section makes %zu", scope->count);
	else if (host->socket && host->address)
		claim_host(scope, node, host);
}

/* Without a probe it is what tells that the machine is on: then it is asked as often as others are. */
static unsigned default_interval_ms(const struct config_scope *scope)
{
	return config_child(scope->node, "probe") ? 5 * MINUTE_MS
						  : scope->build->inventory->agent.poll_interval_ms;
}

void config_build_host(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "host");
	struct config_report *report = scope->build->report;
	struct pm_host_config *host;

	if (!node)
		return;
	host = scope->machine->host = config_new(scope->build, 1, sizeof(*host));
	if (!host)
		return;
	host->port = SSH_PORT;
	host->timeout_ms = 10000;
	host->poll_interval_ms = default_interval_ms(scope);
	host->user = config_dup(scope->build, "");
	config_get_bool(report, node, "local", &host->local);
	config_get_ms(report, node, "timeout", 1000, 5 * MINUTE_MS, &host->timeout_ms);
	config_get_ms(report, node, "poll-interval", 1000, DAY_MS, &host->poll_interval_ms);
	host->ssh = config_expand(scope, node, "ssh", "");
	if (!host->ssh)
		return;
	if (host->local != (*host->ssh != '\0'))
		(host->local ? build_local : build_ssh)(scope, node, host);
	else if (!node->broken)
		config_error(report, node->file, node->line,
			     "host needs either ssh = \"user@name\" or local = true");
}

void config_warn_of_host(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "host");

	if (node && !config_child(scope->node, "bmc") && !config_child(scope->node, "probe"))
		config_warning(
		    scope->build->report, node->file, node->line,
		    "machine \"%s\" has a host, but neither bmc nor probe: whether it is off cannot be "
		    "seen; write probe { }",
		    scope->machine->name);
}

/* --- the files of ssh ------------------------------------------------------------------------- */

/* Where a file is configured, or else the first host that needs it. */
static void locate(const struct config_build *build, const char *name, const char **file, int *line)
{
	const struct config_node *agent = config_child(build->root, "agent");

	*file = build->first_ssh->file;
	*line = build->first_ssh->line;
	if (!agent || config_lacks(agent, name))
		return;
	*file = agent->file;
	*line = config_line(agent, name);
}

static void check_identity(struct config_build *build, const char *path)
{
	struct pm_error error;
	const char *file;
	int line, result = pm_secret_check(path, &error);

	if (result == 0)
		return;
	locate(build, "ssh-identity-file", &file, &line);
	if (result == -ENOENT)
		config_error(
		    build->report, file, line,
		    "ssh-identity-file %s does not exist: make a key, by ssh-keygen -q -t ed25519 -N '' -C "
		    "pmstack -f %s, and let pmstackd read it",
		    path, path);
	else
		config_error(build->report, file, line, "%s", error.text);
}

static void check_known_hosts(struct config_build *build, const char *path)
{
	const char *file;
	int line;

	if (access(path, R_OK) == 0)
		return;
	locate(build, "ssh-known-hosts", &file, &line);
	config_warning(
	    build->report, file, line,
	    "ssh-known-hosts %s: %s; no host is asked before its key is there, from ssh-keyscan NAME, "
	    "compared with the host's own",
	    path, strerror(errno));
}

void config_check_ssh_files(struct config_build *build)
{
	const struct pm_agent_config *agent = &build->inventory->agent;

	if (!build->first_ssh || !agent->ssh_identity_file || !agent->ssh_known_hosts)
		return;
	check_identity(build, agent->ssh_identity_file);
	check_known_hosts(build, agent->ssh_known_hosts);
}
