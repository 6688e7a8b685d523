/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What OpenSSH says of itself on standard error, with -v: how far it has come, and what went wrong. Its words have been the same
 * for many years; those that are not known leave everything as it was.
 */
#include "agent/host/internal.h"

#include "agent/text.h"

#include <stdio.h>
#include <string.h>

#define DEBUG_PREFIX "debug"

void ssh_log_begin(struct ssh_log *log)
{
	memset(log, 0, sizeof(*log));
}

static bool begins(const char *line, const char *prefix)
{
	return strncmp(line, prefix, strlen(prefix)) == 0;
}

/* --- how far it is ----------------------------------------------------------------------------- */

static const struct {
	const char *prefix;
	enum ssh_phase phase;
} marks[] = {
    {"debug1: Connection established.", SSH_CONNECTED},
    {"debug1: Remote protocol version", SSH_KEYS},
    {"debug1: SSH2_MSG_NEWKEYS received", SSH_LOGIN},
    {"Authenticated to ", SSH_LOGGED_IN},
    {"debug1: Authentication succeeded", SSH_LOGGED_IN}, /* before OpenSSH 8.7 */
    {"debug1: mux_client_request_session: master session id", SSH_SENT},
    {"debug1: Sending command: ", SSH_SENT},
};

static void set_phase(struct ssh_log *log, enum ssh_phase phase)
{
	if (log->phase < phase)
		log->phase = phase;
}

/* It has tried to share a connection, and goes on without, or begins one. */
static void is_alone(struct ssh_log *log, enum ssh_phase phase)
{
	log->shared = false;
	if (log->phase < SSH_SENT)
		log->phase = phase;
}

static void follow(struct ssh_log *log, const char *line)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (begins(line, marks[i].prefix))
			set_phase(log, marks[i].phase);
	if (begins(line, "debug1: auto-mux: Trying existing master")) {
		log->shared = true;
		set_phase(log, SSH_LOGGED_IN);
	} else if (begins(line, "debug1: Connecting to ")) {
		is_alone(log, SSH_CONNECTING);
	} else if (begins(line, "debug1: Control socket ") || begins(line, "debug1: Stale control socket") ||
		   begins(line, "Control socket connect(")) {
		is_alone(log, SSH_STARTING);
	} else if (begins(line, "debug1: Server accepts key")) {
		log->key_accepted = true;
	}
}

/* --- what went wrong --------------------------------------------------------------------------- */

/* Of a line the first that it has; of lines the first: what follows is what comes of it. */
static const struct {
	const char *words;
	enum ssh_trouble trouble;
} troubles[] = {
    {"Could not resolve hostname", SSH_NO_NAME},
    {": Connection refused", SSH_REFUSED},
    {"during banner exchange", SSH_NO_BANNER},
    {"kex_exchange_identification:", SSH_NO_BANNER},
    {"Bad remote protocol version identification", SSH_NO_BANNER},
    {"banner line contains invalid characters", SSH_NO_BANNER},
    {"ssh: connect to host ", SSH_NO_CONNECTION},
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", SSH_HOST_KEY_WRONG},
    {"REVOKED HOST KEY DETECTED", SSH_HOST_KEY_REVOKED},
    {"host key is known for ", SSH_HOST_KEY_UNKNOWN},
    {"Unable to negotiate with", SSH_NO_ALGORITHM},
    {"UNPROTECTED PRIVATE KEY FILE", SSH_KEY_TOO_OPEN},
    {"Load key ", SSH_KEY_INVALID},
    {"Too many authentication failures", SSH_TOO_MANY},
    {": Permission denied (", SSH_DENIED},
    {"Bad configuration option", SSH_USAGE},
    {"unknown option -- ", SSH_USAGE},
    {"Connection closed by", SSH_CLOSED},
    {"Connection reset by", SSH_CLOSED},
    {"closed by remote host", SSH_CLOSED},
    {"Session open refused by peer", SSH_CLOSED}, /* MaxSessions of sshd_config(5) */
    {"Connection timed out", SSH_NO_CONNECTION},
    {" timed out", SSH_SILENT},
    {"not responding", SSH_CLOSED},
    {"Broken pipe", SSH_CLOSED},
    {"Received disconnect from", SSH_CLOSED},
};

static enum ssh_trouble find_trouble(const char *line)
{
	for (size_t i = 0; i < sizeof(troubles) / sizeof(*troubles); i++)
		if (strstr(line, troubles[i].words))
			return troubles[i].trouble;
	return SSH_NO_TROUBLE;
}

/* Load key "FILE": reason */
static enum ssh_trouble refine(enum ssh_trouble trouble, const char *line)
{
	if (trouble == SSH_KEY_INVALID && strstr(line, "Permission denied"))
		return SSH_KEY_UNREADABLE;
	if (trouble == SSH_KEY_INVALID && strstr(line, "bad permissions"))
		return SSH_KEY_TOO_OPEN;
	return trouble;
}

/* Once the request has left, what is written there is not ssh's alone. */
static void look_for_trouble(struct ssh_log *log, const char *line)
{
	enum ssh_trouble trouble = log->phase < SSH_SENT ? refine(find_trouble(line), line) : SSH_NO_TROUBLE;

	if (!trouble || log->trouble)
		return;
	log->trouble = trouble;
	snprintf(log->reason, sizeof(log->reason), "%s", line);
}

/* --- lines ------------------------------------------------------------------------------------- */

static bool is_chatter(const char *line)
{
	return begins(line, DEBUG_PREFIX) || begins(line, "OpenSSH_") || begins(line, "Authenticated to ") ||
	       begins(line, "Transferred: sent ") || begins(line, "Bytes per second: ") ||
	       begins(line, "@@@");
}

static void take_line(struct ssh_log *log)
{
	char *line = log->partial;

	while (log->partial_length && strchr("\r \t", line[log->partial_length - 1]))
		log->partial_length--;
	line[log->partial_length] = '\0';
	log->partial_length = 0;
	pm_text_trim(line);
	pm_text_make_visible(line);
	follow(log, line);
	if (!begins(line, DEBUG_PREFIX))
		look_for_trouble(log, line);
	if (*line && !is_chatter(line))
		snprintf(log->last, sizeof(log->last), "%s", line);
}

void ssh_log_feed(struct ssh_log *log, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			take_line(log);
		else if (log->partial_length < sizeof(log->partial) - 1)
			log->partial[log->partial_length++] = bytes[i];
	}
}

void ssh_log_end(struct ssh_log *log)
{
	if (log->partial_length)
		take_line(log);
}
