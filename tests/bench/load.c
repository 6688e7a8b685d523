/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bench's manager that has several requests on their way at a time. Version and user come from snmp.conf.
 *
 *   load PEER sets WINDOW PAUSE_MS <REQUESTS
 *       each line is one SET: OID TYPE VALUE [OID TYPE VALUE]..., with the types of snmpset; at most WINDOW are on their
 *       way at once, and each answer is followed by a pause. Prints for each SENT_US ANSWERED_US, counted from the first.
 *   load PEER gets OID INTERVAL_MS SECONDS
 *       a GET at every interval, whether earlier ones are answered or not. Prints ANSWERS P50_US P99_US LONGEST_US GAP_US:
 *       the time that an answer took, and the longest time between two answers.
 *
 * Exit status 1, with a message, when an answer is missing or is an error.
 */
#include "tests/bench/session.h"

#include <net-snmp/library/large_fd_set.h>

#include <stdbool.h>
#include <string.h>

#define REQUESTS_MAX 1000000
#define WINDOW_MAX   1000

struct exchange {
	netsnmp_pdu *request; /* NULL once it is sent */
	double sent_s, answered_s;
};

static struct load {
	netsnmp_session *session;
	struct exchange *exchanges;
	size_t count, sent, answered;
	double pause_s, last_s; /* of the last answer */
	double longest_gap_s;
	bool failed;
} load;

/* --- asking ------------------------------------------------------------------------------------------------------------- */

static int on_answer(int operation, netsnmp_session *session, int id, netsnmp_pdu *answer, void *data)
{
	struct exchange *exchange = data;
	const size_t number = (size_t)(exchange - load.exchanges) + 1;
	double now_s = bench_seconds(CLOCK_MONOTONIC);

	(void)session;
	(void)id;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
		fprintf(stderr, "load: request %zu has no answer\n", number);
		load.failed = true;
	} else if (answer->errstat != SNMP_ERR_NOERROR) {
		fprintf(stderr, "load: the answer to request %zu is %s\n", number,
			snmp_errstring((int)answer->errstat));
		load.failed = true;
	}
	if (load.answered > 0 && now_s - load.last_s > load.longest_gap_s)
		load.longest_gap_s = now_s - load.last_s;
	exchange->answered_s = load.last_s = now_s;
	load.answered++;
	return 1;
}

static void send_next(void)
{
	struct exchange *exchange = &load.exchanges[load.sent];

	exchange->sent_s = bench_seconds(CLOCK_MONOTONIC);
	if (!snmp_async_send(load.session, exchange->request, on_answer, exchange)) {
		snmp_sess_perror("load", load.session);
		load.failed = true;
		return;
	}
	exchange->request = NULL;
	load.sent++;
}

/* Waits for answers, until the time at the latest. */
static void wait_answers(double until_s)
{
	double left_s = until_s - bench_seconds(CLOCK_MONOTONIC);
	netsnmp_large_fd_set fds;
	struct timeval timeout;
	int count = 0, block = 0, ready;

	if (left_s < 0)
		left_s = 0;
	timeout.tv_sec = (time_t)left_s;
	timeout.tv_usec = (suseconds_t)((left_s - (double)timeout.tv_sec) * 1e6);
	netsnmp_large_fd_set_init(&fds, FD_SETSIZE);
	snmp_select_info2(&count, &fds, &timeout, &block);
	ready = netsnmp_large_fd_set_select(count, &fds, NULL, NULL, &timeout);
	if (ready > 0)
		snmp_read2(&fds);
	else
		snmp_timeout();
	netsnmp_large_fd_set_cleanup(&fds);
}

/* --- sets --------------------------------------------------------------------------------------------------------------- */

static netsnmp_pdu *parse_request(char *line)
{
	netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_SET);
	char *rest = NULL;

	for (char *object = strtok_r(line, " \n", &rest); object; object = strtok_r(NULL, " \n", &rest)) {
		char *type = strtok_r(NULL, " \n", &rest), *value = strtok_r(NULL, " \n", &rest);
		oid name[MAX_OID_LEN];
		size_t length = bench_oid(object, name);

		if (length == 0 || !type || !value ||
		    snmp_add_var(request, name, length, *type, value) != 0) {
			fprintf(stderr, "load: %s: not OID TYPE VALUE\n", object);
			snmp_free_pdu(request);
			return NULL;
		}
	}
	return request;
}

static int read_requests(void)
{
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	while (rc == 0 && load.count < REQUESTS_MAX && getline(&line, &size, stdin) > 0) {
		load.exchanges[load.count].request = parse_request(line);
		if (load.exchanges[load.count].request)
			load.count++;
		else
			rc = -1;
	}
	free(line);
	return rc;
}

static int send_sets(size_t window, double pause_s)
{
	double start_s;

	if (window < 1 || window > WINDOW_MAX || read_requests() < 0)
		return 1;
	while (load.answered < load.count && !load.failed) {
		double next_s = load.last_s + pause_s;
		bool may = load.sent < load.count && load.sent - load.answered < window;

		if (may && (load.answered == 0 || bench_seconds(CLOCK_MONOTONIC) >= next_s))
			send_next();
		else
			wait_answers(may ? next_s : bench_seconds(CLOCK_MONOTONIC) + 1);
	}
	if (load.failed)
		return 1;
	start_s = load.exchanges[0].sent_s;
	for (size_t i = 0; i < load.count; i++)
		printf("%.0f %.0f\n", (load.exchanges[i].sent_s - start_s) * 1e6,
		       (load.exchanges[i].answered_s - start_s) * 1e6);
	return 0;
}

/* --- gets --------------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct exchange *x = a, *y = b;
	double x_s = x->answered_s - x->sent_s, y_s = y->answered_s - y->sent_s;

	return (x_s > y_s) - (x_s < y_s);
}

static double took_us(size_t at)
{
	return (load.exchanges[at].answered_s - load.exchanges[at].sent_s) * 1e6;
}

static int send_gets(const char *object, double interval_s, double seconds)
{
	double start_s = bench_seconds(CLOCK_MONOTONIC);
	oid name[MAX_OID_LEN];
	size_t length = bench_oid(object, name);

	load.count = (size_t)(seconds / interval_s);
	if (length == 0 || load.count < 1 || load.count > REQUESTS_MAX)
		return 1;
	while (load.answered < load.count && !load.failed) {
		double next_s = start_s + (double)load.sent * interval_s;

		if (load.sent < load.count && bench_seconds(CLOCK_MONOTONIC) >= next_s) {
			load.exchanges[load.sent].request = snmp_pdu_create(SNMP_MSG_GET);
			snmp_add_null_var(load.exchanges[load.sent].request, name, length);
			send_next();
		} else {
			wait_answers(load.sent < load.count ? next_s : bench_seconds(CLOCK_MONOTONIC) + 1);
		}
	}
	if (load.failed)
		return 1;
	qsort(load.exchanges, load.count, sizeof(*load.exchanges), compare);
	printf("%zu %.0f %.0f %.0f %.0f\n", load.count, took_us(load.count / 2),
	       took_us(load.count * 99 / 100), took_us(load.count - 1), load.longest_gap_s * 1e6);
	return 0;
}

/* What SNMPv3 has to find out first happens here. */
static int discover(void)
{
	const oid up_time[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
	netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_GET), *answer;

	snmp_add_null_var(request, up_time, OID_LENGTH(up_time));
	answer = bench_ask(load.session, request);
	if (!answer)
		return -1;
	snmp_free_pdu(answer);
	return 0;
}

int main(int argc, char **argv)
{
	int rc = 2;

	if (argc >= 2)
		load.session = bench_open(argv[0], argv[1]);
	load.exchanges = calloc(REQUESTS_MAX, sizeof(*load.exchanges));
	if (load.session && load.exchanges && argc == 5 && strcmp(argv[2], "sets") == 0)
		rc = discover() < 0 ? 1 : send_sets(strtoul(argv[3], NULL, 10), atof(argv[4]) / 1e3);
	else if (load.session && load.exchanges && argc == 6 && strcmp(argv[2], "gets") == 0)
		rc = discover() < 0 ? 1 : send_gets(argv[3], atof(argv[4]) / 1e3, atof(argv[5]));
	else
		fprintf(
		    stderr,
		    "usage: load PEER sets WINDOW PAUSE_MS <REQUESTS | load PEER gets OID INTERVAL_MS SECONDS\n");
	if (load.session)
		snmp_close(load.session);
	free(load.exchanges);
	return rc;
}
