/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the bench's managers share: a session as the net-snmp tools open it, with version, user or community from the
 * snmp.conf below SNMPCONFPATH, so that no secret is in an argv.
 */
#ifndef PM_BENCH_SESSION_H
#define PM_BENCH_SESSION_H

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_TIMEOUT_US 10000000L

/* No retries: a lost request must not look like a slow one. Returns NULL with a message on standard error. */
static inline netsnmp_session *bench_open(char *program, char *peer)
{
	char *argv[] = {program, peer, NULL};
	netsnmp_session session, *opened;

	setenv("MIBS", "", 1);
	if (snmp_parse_args(2, argv, &session, "", NULL) < 0)
		return NULL;
	session.timeout = BENCH_TIMEOUT_US;
	session.retries = 0;
	opened = snmp_open(&session);
	if (!opened)
		snmp_sess_perror(program, &session);
	return opened;
}

/* Sends the request and waits. Returns the answer, to be freed, or NULL with a message on standard error. */
static inline netsnmp_pdu *bench_ask(netsnmp_session *session, netsnmp_pdu *request)
{
	netsnmp_pdu *answer = NULL;

	if (snmp_synch_response(session, request, &answer) != STAT_SUCCESS || !answer) {
		snmp_sess_perror("no answer", session);
	} else if (answer->errstat != SNMP_ERR_NOERROR) {
		fprintf(stderr, "the answer is %s\n", snmp_errstring((int)answer->errstat));
		snmp_free_pdu(answer);
		answer = NULL;
	}
	return answer;
}

static inline double bench_seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns the length, or 0 with a message on standard error. */
static inline size_t bench_oid(const char *text, oid *name)
{
	size_t length = MAX_OID_LEN;

	if (read_objid(text, name, &length))
		return length;
	fprintf(stderr, "%s is no object identifier\n", text);
	return 0;
}

#endif
