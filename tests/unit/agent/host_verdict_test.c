/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What OpenSSH says of itself, and how it ends, becomes a result, whether the request has left, and a text that helps. */
#include "agent/host/internal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINE(text)  text "\r\n"
#define DEBUG(text) LINE("debug1: " text)

/* As OpenSSH 9.2 says it; each one goes on from the one before. */
#define STARTED  LINE("OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19") DEBUG("auto-mux: Trying existing master")
#define ALONE    STARTED DEBUG("Control socket \"/run/c/1\" does not exist")
#define CONNECTS ALONE DEBUG("Connecting to h [192.0.2.1] port 22.")
#define CONNECTED \
	CONNECTS DEBUG("Connection established.") DEBUG("Local version string SSH-2.0-OpenSSH_9.2p1")
#define KEYS  CONNECTED DEBUG("Remote protocol version 2.0, remote software version OpenSSH_9.2p1")
#define LOGIN KEYS DEBUG("SSH2_MSG_NEWKEYS received")
#define LOGGED_IN                                                              \
	LOGIN LINE("Authenticated to h ([192.0.2.1]:22) using \"publickey\".") \
	    DEBUG("setting up multiplex master socket")
#define SENT                                                       \
	LOGGED_IN DEBUG("Sending command: pmstack-host -j report") \
	    DEBUG("mux_client_request_session: master session id: 2")
#define SHARED STARTED DEBUG("mux_client_request_session: master session id: 2")

static struct ssh_log heard;
static struct host_answer answer;
static struct host_verdict verdict;
static struct host_place place = {.address = "h",
				  .user = "pm",
				  .identity_file = "/etc/id",
				  .known_hosts_file = "/etc/known",
				  .port = 22,
				  .deadline_ms = 10000};

static void hear(const char *text)
{
	ssh_log_begin(&heard);
	for (const char *at = text; *at; at++) /* however it is cut */
		ssh_log_feed(&heard, at, 1);
	ssh_log_end(&heard);
}

static void assert_verdict(enum host_result result, bool sent, const char *words)
{
	assert_int_equal(verdict.result, result);
	assert_int_equal(verdict.sent, sent);
	if (!strstr(verdict.text, words))
		fail_msg("\"%s\" does not say \"%s\"", verdict.text, words);
}

static void assert_failure(const char *text, enum host_result result, const char *words)
{
	hear(text);
	host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
	assert_verdict(result, false, words);
	assert_false(verdict.again);
}

/* --- how far it is ----------------------------------------------------------------------------- */

static void assert_phase(const char *text, enum ssh_phase phase, bool shared)
{
	hear(text);
	assert_int_equal(heard.phase, phase);
	assert_int_equal(heard.shared, shared);
}

static void test_phases(void **unused)
{
	(void)unused;
	assert_phase("", SSH_STARTING, false);
	assert_phase(STARTED, SSH_LOGGED_IN, true);
	assert_phase(ALONE, SSH_STARTING, false);
	assert_phase(CONNECTS, SSH_CONNECTING, false);
	assert_phase(CONNECTED, SSH_CONNECTED, false);
	assert_phase(KEYS, SSH_KEYS, false);
	assert_phase(LOGIN, SSH_LOGIN, false);
	assert_phase(LOGGED_IN, SSH_LOGGED_IN, false);
	assert_phase(SENT, SSH_SENT, false);
	assert_phase(SHARED, SSH_SENT, true);
	assert_phase(SENT DEBUG("Connecting to x") DEBUG("Control socket \"x\" does not exist"), SSH_SENT,
		     false);
	assert_phase(
	    STARTED LINE("mux_client_request_session: session request failed: Session open refused by peer")
		LINE("ControlSocket /run/c/1 already exists, disabling multiplexing")
		    DEBUG("Connecting to h [192.0.2.1] port 22."),
	    SSH_CONNECTING, false);
	assert_phase(KEYS DEBUG("Authentication succeeded (publickey)."), SSH_LOGGED_IN, false);
}

static void test_words(void **unused)
{
	char *endless = malloc(5001);

	(void)unused;
	assert_non_null(endless);
	memset(endless, 'x', 5000);
	endless[5000] = '\0';
	hear(endless);
	assert_int_equal(strlen(heard.last), HOST_LINE_MAX - 1);
	hear(SENT LINE("caf\xc3\xa9 \033[31m\xff.") DEBUG("channel 2: free")
		 LINE("Transferred: sent 1, received 2 bytes"));
	assert_string_equal(heard.last, "caf\xc3\xa9 ?[31m?.");
	free(endless);
}

/* --- failures ---------------------------------------------------------------------------------- */

static void test_who_is_heard(void **unused)
{
	static const struct {
		const char *text;
		bool heard;
	} cases[] = {
	    {"", false},
	    {STARTED, false},
	    {ALONE, false},
	    {CONNECTS, false},
	    {CONNECTED, true},
	    {KEYS, true},
	    {LOGIN, true},
	    {LOGGED_IN, true},
	    {SENT, true},
	    {SHARED, true},
	    {STARTED LINE("mux_client_request_session: read from master failed: Broken pipe"), false},
	    {CONNECTS LINE("ssh: connect to host h port 22: No route to host"), false},
	    {CONNECTS LINE("ssh: connect to host h port 22: Connection timed out"), false},
	    {CONNECTS LINE("ssh: connect to host h port 22: Connection refused"), true}};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		hear(cases[i].text);
		host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
		assert_int_equal(verdict.heard, cases[i].heard);
		host_verdict_deadline(&verdict, &place, &answer, &heard);
		assert_int_equal(verdict.heard, cases[i].heard);
	}
}

static void test_endless(void **unused)
{
	(void)unused;
	hear(CONNECTED DEBUG("kex_exchange_identification: banner line 7: <html>"));
	host_verdict_endless(&verdict, &place, &answer, &heard);
	assert_verdict(HOST_UNREACHABLE, false,
		       "does not speak SSH with us: is sshd the one that listens there?");
	hear(SENT LINE("y"));
	host_verdict_endless(&verdict, &place, &answer, &heard);
	assert_verdict(HOST_NO_HELPER, true, "it writes without end (\"y\")");
}

static void test_harmless_questions(void **unused)
{
	(void)unused;
	answer.verb = HOST_REPORT;
	hear(SENT);
	host_verdict_deadline(&verdict, &place, &answer, &heard);
	assert_string_equal(verdict.text, "h has been asked and did not answer within 10 s");
	host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
	assert_string_equal(verdict.text, "the connection to h was lost before an answer came");
	memset(&answer, 0, sizeof(answer));
}

static void test_no_connection(void **unused)
{
	(void)unused;
	assert_failure(ALONE LINE("ssh: Could not resolve hostname h: Name or service not known"),
		       HOST_UNREACHABLE, "the name h does not resolve (Name or service not known)");
	assert_failure(CONNECTS LINE("ssh: connect to host h port 22: Connection refused"), HOST_UNREACHABLE,
		       "h refuses connections to port 22: is sshd running there");
	assert_failure(CONNECTS LINE("ssh: connect to host h port 22: No route to host"), HOST_UNREACHABLE,
		       "no connection to h port 22 (No route to host): is it up");
	assert_failure(CONNECTS LINE("ssh: connect to host h port 22: Connection timed out"),
		       HOST_UNREACHABLE, "(Connection timed out)");
	assert_failure(CONNECTED LINE("Connection timed out during banner exchange")
			   LINE("Connection to 192.0.2.1 port 22 timed out"),
		       HOST_TIMEOUT, "h port 22 takes the connection, but says nothing");
	assert_failure(CONNECTED LINE("kex_exchange_identification: Connection closed by remote host"),
		       HOST_UNREACHABLE, "does not speak SSH with us (Connection closed by remote host)");
	assert_failure(KEYS LINE("Connection to 192.0.2.1 port 22 timed out"), HOST_TIMEOUT,
		       "began to exchange keys and went silent");
	assert_failure(LOGIN LINE("Connection to 192.0.2.1 port 22 timed out"), HOST_TIMEOUT,
		       "does not finish the login");
	assert_failure(LOGIN LINE("Connection closed by 192.0.2.1 port 22"), HOST_UNREACHABLE,
		       "ssh to h ended before anything was sent: Connection closed by 192.0.2.1 port 22");
	assert_failure("", HOST_UNREACHABLE, "it does not say why");
}

static void test_keys_of_the_host(void **unused)
{
	(void)unused;
	assert_failure(
	    KEYS LINE("@@@@@@@@") LINE("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @")
		LINE("Host key verification failed."),
	    HOST_AUTH_FAILED,
	    "the host key of h is not the one in /etc/known: if it was changed on purpose, take out the old "
	    "one (ssh-keygen -R 'h' -f /etc/known)");
	assert_failure(KEYS LINE("No ED25519 host key is known for h and you have requested strict checking.")
			   LINE("Host key verification failed."),
		       HOST_AUTH_FAILED,
		       "the host key of h is not in /etc/known: add it (ssh-keyscan -p 22 h)");
	assert_failure(KEYS LINE("@       WARNING: REVOKED HOST KEY DETECTED!               @"),
		       HOST_AUTH_FAILED, "revoked");
	place.port = 2222;
	assert_failure(
	    KEYS LINE("No ED25519 host key is known for [h]:2222 and you have requested strict checking."),
	    HOST_AUTH_FAILED,
	    "the host key of [h]:2222 is not in /etc/known: add it (ssh-keyscan -p 2222 h)");
	place.port = 22;
	assert_failure(
	    KEYS LINE("Unable to negotiate with 192.0.2.1 port 22: no matching cipher found. Their offer: x"),
	    HOST_AUTH_FAILED, "no matching cipher found");
}

static void test_our_key(void **unused)
{
	(void)unused;
	assert_failure(LOGIN LINE("pm@h: Permission denied (publickey)."), HOST_AUTH_FAILED,
		       "pm@h does not accept the key /etc/id: add its line to authorized_keys there");
	assert_failure(LOGIN DEBUG("Server accepts key: /etc/id")
			   LINE("pm@h: Permission denied (publickey)."),
		       HOST_AUTH_FAILED,
		       "pm@h knows the key /etc/id, but it cannot be used: it must not have a passphrase");
	assert_failure(LOGIN LINE("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @")
			   LINE("Load key \"/etc/id\": bad permissions")
			       LINE("pm@h: Permission denied (publickey)."),
		       HOST_AUTH_FAILED,
		       "the private key /etc/id can be read by others, so ssh does not use it: chmod 600");
	assert_failure(LOGIN LINE("Load key \"/etc/id\": Permission denied")
			   LINE("pm@h: Permission denied (publickey)."),
		       HOST_AUTH_FAILED, "cannot be read by the agent's user");
	assert_failure(LOGIN LINE("Load key \"/etc/id\": error in libcrypto")
			   LINE("pm@h: Permission denied (publickey)."),
		       HOST_AUTH_FAILED, "/etc/id is not a private key that ssh can use");
	assert_failure(
	    LOGIN LINE("Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures"),
	    HOST_AUTH_FAILED, "does not accept the key");
}

static void test_this_host(void **unused)
{
	(void)unused;
	assert_failure(LINE("command-line: line 0: Bad configuration option: updatehostkeys"), HOST_FAILED,
		       "too old");
	hear(CONNECTS);
	host_verdict_exit(&verdict, &place, &answer, &heard, 0, SIGKILL);
	assert_verdict(HOST_FAILED, false, "signal 9");
	hear(SENT);
	host_verdict_exit(&verdict, &place, &answer, &heard, 0, SIGKILL);
	assert_verdict(HOST_FAILED, true, "signal 9");
}

/* --- a shared connection ----------------------------------------------------------------------- */

static void test_a_dead_connection(void **unused)
{
	(void)unused;
	hear(STARTED LINE("mux_client_request_session: read from master failed: Broken pipe"));
	host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
	assert_verdict(HOST_UNREACHABLE, false, "before anything was sent");
	assert_true(verdict.again);
	hear(SHARED);
	host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
	assert_verdict(HOST_UNREACHABLE, true, "was lost before an answer came: it may have been done");
	assert_false(verdict.again);
}

/* --- after it was sent ------------------------------------------------------------------------- */

static void test_lost_after_it_was_sent(void **unused)
{
	(void)unused;
	hear(SENT LINE("curl: (7) Failed to connect: Connection refused"));
	host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
	assert_verdict(HOST_UNREACHABLE, true, "the connection to h was lost before an answer came (curl:");
}

static void test_something_else_runs(void **unused)
{
	(void)unused;
	hear(SENT LINE("bash: line 1: pmstack-host: command not found"));
	host_verdict_exit(&verdict, &place, &answer, &heard, 127, 0);
	assert_verdict(
	    HOST_NO_HELPER, true,
	    "pm@h has no pmstack-host where its shell looks (bash: line 1: pmstack-host: command not found): "
	    "install it");
	hear(SENT);
	host_answer_line(&answer, "This account is currently not available.", 40);
	host_verdict_exit(&verdict, &place, &answer, &heard, 1, 0);
	assert_verdict(
	    HOST_NO_HELPER, true,
	    "h runs something else than pmstack-host (exit status 1, \"This account is currently not available.\")");
	memset(&answer, 0, sizeof(answer));
	hear(SENT);
	host_verdict_exit(&verdict, &place, &answer, &heard, 0, 0);
	assert_verdict(HOST_NO_HELPER, true, "(exit status 0): look at its forced command");
}

static void test_an_answer_counts(void **unused)
{
	(void)unused;
	answer = (struct host_answer){.state = HOST_ANSWER_GOING, .result = HOST_OK, .text = "by logind"};
	hear(SENT);
	host_verdict_exit(&verdict, &place, &answer, &heard, 255, 0);
	assert_verdict(HOST_OK, true, "by logind");
	host_verdict_deadline(&verdict, &place, &answer, &heard);
	assert_verdict(HOST_OK, true, "by logind");
	answer = (struct host_answer){.state = HOST_ANSWER_FINAL, .result = HOST_REFUSED, .text = "no"};
	host_verdict_exit(&verdict, &place, &answer, &heard, 3, 0);
	assert_verdict(HOST_REFUSED, true, "no");
	memset(&answer, 0, sizeof(answer));
}

/* --- the deadline ------------------------------------------------------------------------------ */

static void assert_deadline(const char *text, enum host_result result, bool sent, const char *words)
{
	hear(text);
	host_verdict_deadline(&verdict, &place, &answer, &heard);
	assert_verdict(result, sent, words);
}

static void test_deadlines(void **unused)
{
	(void)unused;
	assert_deadline("", HOST_UNREACHABLE, false, "not even connecting after 10 s: does its name resolve");
	assert_deadline(CONNECTS, HOST_UNREACHABLE, false, "no connection to h port 22 within 10 s");
	assert_deadline(CONNECTED, HOST_TIMEOUT, false, "h port 22 takes the connection and says nothing");
	assert_deadline(KEYS, HOST_TIMEOUT, false, "began to exchange keys and went silent");
	assert_deadline(LOGIN, HOST_TIMEOUT, false, "does not finish the login");
	assert_deadline(LOGGED_IN, HOST_TIMEOUT, true, "does not begin what it is asked to do");
	assert_deadline(STARTED, HOST_TIMEOUT, true, "is silent on the shared connection");
	assert_deadline(SENT, HOST_TIMEOUT, true,
			"h has been asked and did not answer within 10 s: it may have been done");
}

/* --- what is run ------------------------------------------------------------------------------- */

static void test_requests(void **unused)
{
	const uint8_t macs[HOST_MACS_MAX][6] = {{0x52, 0x54, 0, 0xab, 0xcd, 1}, {1, 2, 3, 4, 5, 6}};
	const char *boot = "11111111-2222-3333-4444-555555555555";
	struct host_request request = {.verb = HOST_REPORT};
	char text[512];

	(void)unused;
	assert_true(host_command(text, sizeof(text), &request));
	assert_string_equal(text, "pmstack-host -j report");
	request = (struct host_request){.verb = HOST_INIT, .init_level = 6, .boot_id = boot};
	assert_true(host_command(text, sizeof(text), &request));
	assert_string_equal(text, "pmstack-host -j -b 11111111-2222-3333-4444-555555555555 init 6");
	request = (struct host_request){.verb = HOST_ARM_WOL, .macs = macs, .mac_count = 2};
	assert_true(host_command(text, sizeof(text), &request));
	assert_string_equal(text, "pmstack-host -j arm-wol 52:54:00:ab:cd:01 01:02:03:04:05:06");
	request = (struct host_request){
	    .verb = HOST_ARM_WOL, .macs = macs, .mac_count = HOST_MACS_MAX, .boot_id = boot};
	assert_true(host_command(text, sizeof(text), &request));
	assert_false(host_command(text, 100, &request));
}

static bool has(char **arguments, const char *text)
{
	for (; *arguments; arguments++)
		if (strcmp(*arguments, text) == 0)
			return true;
	return false;
}

static void test_the_command_line(void **unused)
{
	const struct host_options options = {.user = "-oProxyCommand=x",
					     .address = "-h",
					     .port = 2222,
					     .identity_file = "/etc/my keys/100%",
					     .known_hosts_file = "/etc/known"};
	char **arguments = ssh_arguments(&options, "/run/c/1", 10000, "pmstack-host -j report");
	size_t count = 0;

	(void)unused;
	assert_non_null(arguments);
	while (arguments[count])
		count++;
	assert_string_equal(arguments[0], "ssh");
	assert_string_equal(arguments[count - 1], "pmstack-host -j report");
	assert_string_equal(arguments[count - 2], "-h");
	assert_string_equal(arguments[count - 3], "--");
	assert_string_equal(arguments[count - 6], "-oProxyCommand=x");
	assert_string_equal(arguments[count - 7], "-l");
	assert_true(has(arguments, "StrictHostKeyChecking=yes"));
	assert_true(has(arguments, "IdentityFile=\"/etc/my keys/100%%\""));
	assert_true(has(arguments, "UserKnownHostsFile=\"/etc/known\""));
	assert_true(has(arguments, "ControlMaster=auto"));
	assert_true(has(arguments, "ControlPath=\"/run/c/1\""));
	assert_true(has(arguments, "ConnectTimeout=5"));
	ssh_arguments_free(arguments);

	arguments = ssh_arguments(&options, "", 100, "x");
	assert_true(has(arguments, "ControlPath=none"));
	assert_true(has(arguments, "ConnectTimeout=1"));
	ssh_arguments_free(arguments);

	assert_true(ssh_path_is_usable("/a b/%h"));
	assert_false(ssh_path_is_usable("/a/${HOME}"));
	assert_false(ssh_path_is_usable("/a/\""));
}

static void test_the_environment(void **unused)
{
	char **environment;

	(void)unused;
	setenv("SSH_AUTH_SOCK", "/x", 1);
	setenv("HOME", "/var/lib/pmstack", 1);
	environment = ssh_environment();
	assert_true(has(environment, "LC_ALL=C"));
	assert_true(has(environment, "HOME=/var/lib/pmstack"));
	for (char **item = environment; *item; item++)
		assert_null(strstr(*item, "SSH_AUTH_SOCK"));
	ssh_arguments_free(environment);
}

static void test_results_have_names(void **unused)
{
	(void)unused;
	for (unsigned i = HOST_OK; i <= HOST_NO_MEMORY; i++)
		assert_true(strlen(host_result_name((enum host_result)i)) > 2);
	assert_string_equal(host_result_name(0), "?");
	assert_string_equal(host_result_name(HOST_NO_MEMORY + 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_phases),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_who_is_heard),
	    cmocka_unit_test(test_endless),
	    cmocka_unit_test(test_harmless_questions),
	    cmocka_unit_test(test_no_connection),
	    cmocka_unit_test(test_keys_of_the_host),
	    cmocka_unit_test(test_our_key),
	    cmocka_unit_test(test_this_host),
	    cmocka_unit_test(test_a_dead_connection),
	    cmocka_unit_test(test_lost_after_it_was_sent),
	    cmocka_unit_test(test_something_else_runs),
	    cmocka_unit_test(test_an_answer_counts),
	    cmocka_unit_test(test_deadlines),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_the_command_line),
	    cmocka_unit_test(test_the_environment),
	    cmocka_unit_test(test_results_have_names),
	};

	return cmocka_run_group_tests_name("host_verdict", tests, NULL, NULL);
}
