/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is run: the request as words, and the command line of OpenSSH around it. No shell comes near it on this side. */
#include "agent/host/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIVE_PARTS   4 /* so many questions whether the server is there, in the time that a request has */
#define CONNECT_PARTS 2 /* half of it for each address of the host */

/* --- the request ------------------------------------------------------------------------------- */

static bool append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool append(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;
	int added;

	va_start(arguments, format);
	added = vsnprintf(text + length, size - length, format, arguments);
	va_end(arguments);
	return added >= 0 && (size_t)added < size - length;
}

bool host_command(char *text, size_t size, const struct host_request *request)
{
	bool fits;

	snprintf(text, size, "%s", "");
	fits = append(text, size, HOST_PROGRAM " -j");
	if (request->boot_id)
		fits = fits && append(text, size, " -b %s", request->boot_id);
	fits = fits && append(text, size, " %s", host_verb_name(request->verb));
	if (request->verb == HOST_INIT)
		fits = fits && append(text, size, " %u", request->init_level);
	for (size_t i = 0; request->verb == HOST_ARM_WOL && i < request->mac_count; i++) {
		const uint8_t *mac = request->macs[i];

		fits = fits && append(text, size, " %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
				      mac[3], mac[4], mac[5]);
	}
	return fits;
}

/* --- the command line -------------------------------------------------------------------------- */

#define ARGUMENTS_MAX 96

struct arguments {
	char *items[ARGUMENTS_MAX + 1];
	size_t count;
	bool failed;
};

static void add(struct arguments *arguments, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct arguments *arguments, const char *format, ...)
{
	char *text = NULL;
	va_list values;

	va_start(values, format);
	if (arguments->count == ARGUMENTS_MAX || vasprintf(&text, format, values) < 0)
		arguments->failed = true;
	else
		arguments->items[arguments->count++] = text;
	va_end(values);
}

bool ssh_path_is_usable(const char *path)
{
	/* It would be taken for the name of a variable, or for the end of the quotes: ssh_config(5), TOKENS. */
	return path && !strstr(path, "${") && !strpbrk(path, "\"\\\n\r");
}

/* "-o", "Keyword="path"" with % doubled. */
static void add_path(struct arguments *arguments, const char *keyword, const char *path)
{
	char *doubled = malloc(strlen(path) * 2 + 1), *to = doubled;

	if (!doubled) {
		arguments->failed = true;
		return;
	}
	for (; *path; path++) {
		*to++ = *path;
		if (*path == '%')
			*to++ = '%';
	}
	*to = '\0';
	add(arguments, "-o");
	add(arguments, "%s=\"%s\"", keyword, doubled);
	free(doubled);
}

static void add_options(struct arguments *arguments, const char *const *options)
{
	for (; *options; options++) {
		add(arguments, "-o");
		add(arguments, "%s", *options);
	}
}

static unsigned part_s(unsigned deadline_ms, unsigned parts)
{
	unsigned part = deadline_ms / 1000 / parts;

	return part ? part : 1;
}

static void add_times(struct arguments *arguments, unsigned deadline_ms)
{
	add(arguments, "-o");
	add(arguments, "ConnectTimeout=%u", part_s(deadline_ms, CONNECT_PARTS));
	add(arguments, "-o");
	add(arguments, "ServerAliveInterval=%u", part_s(deadline_ms, ALIVE_PARTS));
	add(arguments, "-o");
	add(arguments, "ServerAliveCountMax=%d", ALIVE_PARTS);
}

static void add_sharing(struct arguments *arguments, const char *control_path)
{
	if (!*control_path) {
		add_options(arguments, (const char *const[]){"ControlMaster=no", "ControlPersist=no",
							     "ControlPath=none", NULL});
		return;
	}
	add_options(arguments, (const char *const[]){"ControlMaster=auto", NULL});
	add(arguments, "-o");
	add(arguments, "ControlPersist=%d", HOST_SHARE_S);
	add_path(arguments, "ControlPath", control_path);
}

static void add_target(struct arguments *arguments, const struct host_options *options)
{
	if (options->user && *options->user) {
		add(arguments, "-l");
		add(arguments, "%s", options->user);
	}
	add(arguments, "-p");
	add(arguments, "%u", options->port);
	add(arguments, "--");
	add(arguments, "%s", options->address);
}

static const char *const fixed_options[] = {"BatchMode=yes",
					    "StrictHostKeyChecking=yes",
					    "GlobalKnownHostsFile=/dev/null",
					    "UpdateHostKeys=no",
					    "VerifyHostKeyDNS=no",
					    "IdentitiesOnly=yes",
					    "IdentityAgent=none",
					    "PreferredAuthentications=publickey",
					    "ConnectionAttempts=1",
					    "ClearAllForwardings=yes",
					    "ForwardAgent=no",
					    "ForwardX11=no",
					    "PermitLocalCommand=no",
					    NULL};

char **ssh_arguments(const struct host_options *options, const char *control_path, unsigned deadline_ms,
		     const char *command)
{
	struct arguments *arguments = calloc(1, sizeof(*arguments));

	if (!arguments)
		return NULL;
	add(arguments, "ssh");
	add(arguments, "-F");
	add(arguments, "none");
	add(arguments, "-T");
	add(arguments, "-v"); /* how far it has come tells what can have happened */
	add_options(arguments, fixed_options);
	add_path(arguments, "UserKnownHostsFile", options->known_hosts_file);
	add_path(arguments, "IdentityFile", options->identity_file);
	add_times(arguments, deadline_ms);
	add_sharing(arguments, control_path);
	add_target(arguments, options);
	add(arguments, "%s", command);
	if (!arguments->failed)
		return arguments->items;
	ssh_arguments_free(arguments->items);
	return NULL;
}

void ssh_arguments_free(char **arguments)
{
	for (char **item = arguments; item && *item; item++)
		free(*item);
	free(arguments); /* they are the first member of what was allocated */
}

char **ssh_environment(void)
{
	struct arguments *environment = calloc(1, sizeof(*environment));
	const char *path = getenv("PATH"), *home = getenv("HOME");

	if (!environment)
		return NULL;
	add(environment, "PATH=%s", path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
	add(environment, "HOME=%s", home && *home ? home : "/");
	add(environment, "LC_ALL=C");
	if (!environment->failed)
		return environment->items;
	ssh_arguments_free(environment->items);
	return NULL;
}
