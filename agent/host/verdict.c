/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What has come of a request: from what pmstack-host has answered, and what OpenSSH has said, to a result and what to do. */
#include "agent/host/internal.h"

#include "agent/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SSH_FAILED_STATUS 255 /* ssh(1), EXIT STATUS */
#define NOT_FOUND_STATUS  127 /* of the shell */
#define NOT_RUN_STATUS    126

const char *host_result_name(enum host_result result)
{
	static const char *const names[] = {[HOST_OK] = "done",
					    [HOST_REFUSED] = "refused",
					    [HOST_UNSUPPORTED] = "not supported",
					    [HOST_OTHER_BOOT] = "another boot",
					    [HOST_NOT_PERMITTED] = "not permitted",
					    [HOST_FAILED] = "failed",
					    [HOST_AUTH_FAILED] = "authentication failed",
					    [HOST_NO_HELPER] = "no helper",
					    [HOST_UNREACHABLE] = "unreachable",
					    [HOST_TIMEOUT] = "timeout",
					    [HOST_CANCELLED] = "cancelled",
					    [HOST_NO_MEMORY] = "no memory"};

	return result >= HOST_OK && result <= HOST_NO_MEMORY ? names[result] : "?";
}

void host_verdict_set(struct host_verdict *verdict, enum host_result result, bool sent, const char *format,
		      ...)
{
	va_list arguments;

	verdict->result = result;
	verdict->sent = sent;
	verdict->heard = verdict->again = false;
	va_start(arguments, format);
	vsnprintf(verdict->text, sizeof(verdict->text), format, arguments);
	va_end(arguments);
	pm_text_trim(verdict->text);
	pm_text_make_visible(verdict->text);
}

bool host_verdict_answer(struct host_verdict *verdict, const struct host_answer *answer)
{
	if (answer->state == HOST_ANSWER_NONE)
		return false;
	host_verdict_set(verdict, answer->result, true, "%s", answer->text);
	verdict->heard = true;
	return true;
}

bool host_log_may_be_sent(const struct ssh_log *log)
{
	/* Before it has logged in it cannot have sent anything. Afterwards its log may be behind what it does. */
	return log->phase >= SSH_LOGGED_IN;
}

/* A shared connection may be that to a host that is gone, until the request has left through it. */
static bool is_heard(const struct ssh_log *log)
{
	return log->phase == SSH_SENT || (log->phase >= SSH_CONNECTED && !log->shared) ||
	       log->trouble == SSH_REFUSED;
}

/* What is added when nobody knows what has become of a request; one that only asks, or may be repeated, does no harm. */
static const char *perhaps(const struct host_answer *answer)
{
	bool harmless = answer->verb == HOST_REPORT || answer->verb == HOST_ARM_WOL;

	return harmless ? "" : ": it may have been done";
}

/* --- names ------------------------------------------------------------------------------------- */

/* As in known_hosts: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
static const char *known_name(const struct host_place *place, char *name, size_t size)
{
	if (place->port == 22)
		return place->address;
	snprintf(name, size, "[%s]:%u", place->address, place->port);
	return name;
}

static const char *login(const struct host_place *place, char *name, size_t size)
{
	snprintf(name, size, "%s%s%s", place->user, *place->user ? "@" : "", place->address);
	return name;
}

/* --- it hangs ------------------------------------------------------------------------------------ */

static const char *where_it_hangs(const struct ssh_log *log)
{
	switch (log->phase) {
	case SSH_CONNECTED:
		return "takes the connection and says nothing: is sshd the one that listens there?";
	case SSH_KEYS:
		return "began to exchange keys and went silent: is it overloaded, or does a firewall drop large packets?";
	case SSH_LOGIN:
		return "does not finish the login: is it overloaded, or waiting for a directory service or DNS?";
	default:
		return log->shared ? "is silent on the shared connection"
				   : "does not begin what it is asked to do";
	}
}

static void hangs(struct host_verdict *verdict, const struct host_place *place, const struct ssh_log *log)
{
	host_verdict_set(verdict, HOST_TIMEOUT, host_log_may_be_sent(log), "%s port %u %s", place->address,
			 place->port, where_it_hangs(log));
}

/* --- ssh has failed ---------------------------------------------------------------------------- */

static void host_key(struct host_verdict *verdict, const struct host_place *place, const struct ssh_log *log)
{
	char name[300];
	const char *known = known_name(place, name, sizeof(name));

	if (log->trouble == SSH_HOST_KEY_WRONG)
		host_verdict_set(
		    verdict, HOST_AUTH_FAILED, false,
		    "the host key of %s is not the one in %s: if it was changed on purpose, take out the "
		    "old one (ssh-keygen -R '%s' -f %s) and add the new",
		    known, place->known_hosts_file, known, place->known_hosts_file);
	else if (log->trouble == SSH_HOST_KEY_REVOKED)
		host_verdict_set(verdict, HOST_AUTH_FAILED, false,
				 "the host key of %s is revoked in %s: give the host a new one", known,
				 place->known_hosts_file);
	else
		host_verdict_set(verdict, HOST_AUTH_FAILED, false,
				 "the host key of %s is not in %s: add it (ssh-keyscan -p %u %s), once it is "
				 "known to be the right one",
				 known, place->known_hosts_file, place->port, place->address);
}

static void own_key(struct host_verdict *verdict, const struct host_place *place, const struct ssh_log *log)
{
	char name[300];

	login(place, name, sizeof(name));
	if (log->trouble == SSH_KEY_UNREADABLE)
		host_verdict_set(
		    verdict, HOST_AUTH_FAILED, false,
		    "the private key %s cannot be read by the agent's user: chown it, or its group",
		    place->identity_file);
	else if (log->trouble == SSH_KEY_TOO_OPEN)
		host_verdict_set(
		    verdict, HOST_AUTH_FAILED, false,
		    "the private key %s can be read by others, so ssh does not use it: chmod 600",
		    place->identity_file);
	else if (log->trouble == SSH_KEY_INVALID)
		host_verdict_set(verdict, HOST_AUTH_FAILED, false,
				 "%s is not a private key that ssh can use: ssh-keygen -t ed25519 makes one",
				 place->identity_file);
	else if (log->key_accepted)
		host_verdict_set(verdict, HOST_AUTH_FAILED, false,
				 "%s knows the key %s, but it cannot be used: it must not have a passphrase",
				 name, place->identity_file);
	else
		host_verdict_set(verdict, HOST_AUTH_FAILED, false,
				 "%s does not accept the key %s: add its line to authorized_keys there "
				 "(pmstack-host setup prints it), and see that the account is not locked",
				 name, place->identity_file);
}

/* What comes after the last ": " of what ssh says: strerror(3)'s words. */
static const char *cause(const struct ssh_log *log)
{
	const char *at = log->reason, *colon;

	while ((colon = strstr(at, ": ")))
		at = colon + 2;
	return at;
}

static void no_connection(struct host_verdict *verdict, const struct host_place *place,
			  const struct ssh_log *log)
{
	if (log->trouble == SSH_NO_NAME)
		host_verdict_set(verdict, HOST_UNREACHABLE, false,
				 "the name %s does not resolve (%s): correct it, or give an address",
				 place->address, cause(log));
	else if (log->trouble == SSH_REFUSED)
		host_verdict_set(verdict, HOST_UNREACHABLE, false,
				 "%s refuses connections to port %u: is sshd running there, on this port?",
				 place->address, place->port);
	else
		host_verdict_set(verdict, HOST_UNREACHABLE, false,
				 "no connection to %s port %u (%s): is it up, does a firewall drop this?",
				 place->address, place->port, cause(log));
}

static void no_banner(struct host_verdict *verdict, const struct host_place *place, const struct ssh_log *log)
{
	bool silent = strstr(log->reason, "timed out") != NULL;

	host_verdict_set(
	    verdict, silent ? HOST_TIMEOUT : HOST_UNREACHABLE, false,
	    "%s port %u takes the connection, but %s (%s): is sshd the one that listens there, is it "
	    "overloaded (MaxStartups)?",
	    place->address, place->port, silent ? "says nothing" : "does not speak SSH with us", cause(log));
}

static void lost(struct host_verdict *verdict, const struct host_place *place,
		 const struct host_answer *answer, const struct ssh_log *log)
{
	const char *said = log->last;

	host_verdict_set(verdict, HOST_UNREACHABLE, true,
			 "the connection to %s was lost before an answer came%s%s%s%s", place->address,
			 *said ? " (" : "", said, *said ? ")" : "", perhaps(answer));
}

static void other(struct host_verdict *verdict, const struct host_place *place, const struct ssh_log *log)
{
	const char *reason = log->reason[0] ? log->reason : log->last;

	host_verdict_set(verdict, HOST_UNREACHABLE, false, "ssh to %s ended before anything was sent: %s",
			 place->address, *reason ? reason : "it does not say why");
}

/* Its exit status is 255: it has, or, which cannot be told from that, what it has run there. */
static void ssh_failed(struct host_verdict *verdict, const struct host_place *place,
		       const struct ssh_log *log)
{
	switch (log->trouble) {
	case SSH_NO_NAME:
	case SSH_REFUSED:
	case SSH_NO_CONNECTION:
		no_connection(verdict, place, log);
		break;
	case SSH_NO_BANNER:
		no_banner(verdict, place, log);
		break;
	case SSH_HOST_KEY_WRONG:
	case SSH_HOST_KEY_UNKNOWN:
	case SSH_HOST_KEY_REVOKED:
		host_key(verdict, place, log);
		break;
	case SSH_KEY_UNREADABLE:
	case SSH_KEY_TOO_OPEN:
	case SSH_KEY_INVALID:
	case SSH_DENIED:
	case SSH_TOO_MANY:
		own_key(verdict, place, log);
		break;
	case SSH_NO_ALGORITHM:
		host_verdict_set(verdict, HOST_AUTH_FAILED, false, "no common algorithms with %s: %s",
				 place->address, log->reason);
		break;
	case SSH_SILENT:
		hangs(verdict, place, log);
		break;
	case SSH_USAGE:
		host_verdict_set(verdict, HOST_FAILED, false,
				 "this host's ssh is too old, OpenSSH 7.6 or newer is needed: %s",
				 log->reason);
		break;
	default:
		other(verdict, place, log);
	}
}

/* --- something else answers -------------------------------------------------------------------- */

static void not_found(struct host_verdict *verdict, const struct host_place *place, const struct ssh_log *log)
{
	char name[300];

	host_verdict_set(
	    verdict, HOST_NO_HELPER, true,
	    "%s has no " HOST_PROGRAM " where its shell looks%s%s%s: install it, and give its path in "
	    "authorized_keys",
	    login(place, name, sizeof(name)), log->last[0] ? " (" : "", log->last, log->last[0] ? ")" : "");
}

static void no_answer(struct host_verdict *verdict, const struct host_place *place,
		      const struct host_answer *answer, const struct ssh_log *log, int64_t status)
{
	const char *said = answer->excerpt[0] ? answer->excerpt : log->last;

	host_verdict_set(verdict, HOST_NO_HELPER, true,
			 "%s runs something else than " HOST_PROGRAM
			 " (exit status %lld%s%s%s): look at its forced "
			 "command in authorized_keys",
			 place->address, (long long)status, *said ? ", \"" : "", said, *said ? "\"" : "");
}

void host_verdict_endless(struct host_verdict *verdict, const struct host_place *place,
			  const struct host_answer *answer, const struct ssh_log *log)
{
	if (host_verdict_answer(verdict, answer))
		return;
	if (host_log_may_be_sent(log))
		host_verdict_set(
		    verdict, HOST_NO_HELPER, true,
		    "%s runs something else than " HOST_PROGRAM
		    ": it writes without end (\"%s\"): look at its forced command in authorized_keys",
		    place->address, answer->excerpt[0] ? answer->excerpt : log->last);
	else
		host_verdict_set(
		    verdict, HOST_UNREACHABLE, false,
		    "%s port %u takes the connection, but does not speak SSH with us: is sshd the one that "
		    "listens there?",
		    place->address, place->port);
	verdict->heard = is_heard(log);
}

void host_verdict_exit(struct host_verdict *verdict, const struct host_place *place,
		       const struct host_answer *answer, const struct ssh_log *log, int64_t status,
		       int signal_number)
{
	memset(verdict, 0, sizeof(*verdict));
	if (host_verdict_answer(verdict, answer))
		return;
	if (signal_number)
		host_verdict_set(verdict, HOST_FAILED, host_log_may_be_sent(log),
				 "ssh was ended here by signal %d", signal_number);
	else if (status == SSH_FAILED_STATUS && log->phase == SSH_SENT)
		lost(verdict, place, answer, log);
	else if (status == SSH_FAILED_STATUS)
		ssh_failed(verdict, place, log);
	else if (status == NOT_FOUND_STATUS || status == NOT_RUN_STATUS)
		not_found(verdict, place, log);
	else
		no_answer(verdict, place, answer, log, status);
	verdict->heard = is_heard(log);
	/* What is sent through a shared connection is logged before it leaves (mux.c of OpenSSH, mux_session_confirm). */
	verdict->again =
	    log->shared && log->phase < SSH_SENT && status == SSH_FAILED_STATUS && !signal_number;
}

/* --- the deadline ------------------------------------------------------------------------------ */

void host_verdict_deadline(struct host_verdict *verdict, const struct host_place *place,
			   const struct host_answer *answer, const struct ssh_log *log)
{
	double deadline_s = place->deadline_ms / 1000.0;

	memset(verdict, 0, sizeof(*verdict));
	if (host_verdict_answer(verdict, answer))
		return;
	if (log->phase == SSH_SENT)
		host_verdict_set(verdict, HOST_TIMEOUT, true,
				 "%s has been asked and did not answer within %.3g s%s", place->address,
				 deadline_s, perhaps(answer));
	else if (log->phase == SSH_CONNECTING)
		host_verdict_set(
		    verdict, HOST_UNREACHABLE, false,
		    "no connection to %s port %u within %.3g s: is it up, does a firewall drop this?",
		    place->address, place->port, deadline_s);
	else if (log->phase == SSH_STARTING)
		host_verdict_set(
		    verdict, HOST_UNREACHABLE, false,
		    "ssh to %s was not even connecting after %.3g s: does its name resolve, is this host "
		    "overloaded?",
		    place->address, deadline_s);
	else
		hangs(verdict, place, log);
	verdict->heard = is_heard(log);
}
