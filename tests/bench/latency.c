/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From an SNMP request to what it causes on the wire, by the kernel's time stamps of both packets.
 *
 *   latency PEER PORT INTERFACE FILTER PAUSE_MS <REQUESTS
 *
 * Captures what arrives on lo for UDP port PORT, and what passes INTERFACE and matches the pcap FILTER. Each line of
 * REQUESTS is one request, and the next one is sent PAUSE_MS after its packet was seen:
 *   set OID NUMBER OCTETS
 *   get OID NUMBER OCTETS
 * sets an INTEGER, or asks for one that must have this value; the packet that counts is the first that contains these
 * OCTETS (hexadecimal). Prints for each REQUEST_TO_PACKET_US REQUEST_TO_ANSWER_US. Exit status 1, with a message, when a
 * request is refused or its packet is not seen within 10 s.
 */
#include "tests/bench/session.h"

#include <pcap/pcap.h>

#include <stdbool.h>
#include <string.h>

#define SNAP_LENGTH    256
#define PACKET_LIMIT_S 10.0
#define OCTETS_MAX     32
#define CAPTURE_BUFFER (4 << 20)
#define POLL_NS        200000L

struct wanted {
	unsigned char octets[OCTETS_MAX];
	size_t length;
};

static void complain(const char *what, const char *why)
{
	fprintf(stderr, "latency: %s: %s\n", what, why);
}

/* --- capture ---------------------------------------------------------------------------------------------------------- */

static pcap_t *open_capture(const char *interface, const char *filter, pcap_direction_t direction)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	struct bpf_program program;
	pcap_t *pcap = pcap_create(interface, error);

	if (!pcap) {
		complain(interface, error);
		return NULL;
	}
	pcap_set_snaplen(pcap, SNAP_LENGTH);
	pcap_set_immediate_mode(pcap, 1);
	pcap_set_buffer_size(pcap, CAPTURE_BUFFER);
	if (pcap_activate(pcap) != 0 || pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0 ||
	    pcap_setfilter(pcap, &program) != 0 || pcap_setdirection(pcap, direction) != 0 ||
	    pcap_setnonblock(pcap, 1, error) != 0) {
		complain(filter, pcap_geterr(pcap));
		pcap_close(pcap);
		return NULL;
	}
	pcap_freecode(&program);
	return pcap;
}

static bool contains(const unsigned char *data, size_t length, const struct wanted *wanted)
{
	for (size_t i = 0; i + wanted->length <= length; i++)
		if (memcmp(data + i, wanted->octets, wanted->length) == 0)
			return true;
	return false;
}

/* Reads what is there up to the first packet that has these octets. Returns its time, or 0. */
static double next_packet(pcap_t *pcap, const struct wanted *wanted)
{
	struct pcap_pkthdr *header;
	const unsigned char *data;

	while (pcap_next_ex(pcap, &header, &data) == 1)
		if (contains(data, header->caplen, wanted))
			return (double)header->ts.tv_sec + (double)header->ts.tv_usec / 1e6;
	return 0;
}

static void drain(pcap_t *pcap)
{
	struct pcap_pkthdr *header;
	const unsigned char *data;

	while (pcap_next_ex(pcap, &header, &data) == 1)
		continue;
}

static double wait_packet(pcap_t *pcap, const struct wanted *wanted)
{
	const struct timespec interval = {0, POLL_NS};
	const double deadline_s = bench_seconds(CLOCK_MONOTONIC) + PACKET_LIMIT_S;
	double seen_s = next_packet(pcap, wanted);

	while (seen_s == 0 && bench_seconds(CLOCK_MONOTONIC) < deadline_s) {
		nanosleep(&interval, NULL);
		seen_s = next_packet(pcap, wanted);
	}
	return seen_s;
}

/* --- requests ----------------------------------------------------------------------------------------------------------- */

static int parse_octets(const char *hex, struct wanted *wanted)
{
	unsigned octet;

	for (wanted->length = 0; *hex && wanted->length < OCTETS_MAX; hex += 2) {
		if (sscanf(hex, "%2x", &octet) != 1 || !hex[1])
			return -1;
		wanted->octets[wanted->length++] = (unsigned char)octet;
	}
	return *hex || wanted->length == 0 ? -1 : 0;
}

static int ask(netsnmp_session *session, bool set, const oid *name, size_t length, long number)
{
	netsnmp_pdu *request = snmp_pdu_create(set ? SNMP_MSG_SET : SNMP_MSG_GET), *answer;
	const netsnmp_variable_list *varbind;
	bool right;

	if (set)
		snmp_pdu_add_variable(request, name, length, ASN_INTEGER, &number, sizeof(number));
	else
		snmp_add_null_var(request, name, length);
	answer = bench_ask(session, request);
	if (!answer)
		return -1;
	varbind = answer->variables;
	right = varbind && varbind->type == ASN_INTEGER && *varbind->val.integer == number;
	if (!right)
		complain("wrong answer", "it has not the expected value");
	snmp_free_pdu(answer);
	return right ? 0 : -1;
}

static int measure(netsnmp_session *session, pcap_t *requests, pcap_t *effects, const char *line)
{
	char verb[4], object[256], hex[2 * OCTETS_MAX + 1];
	const struct wanted any = {.length = 0};
	struct wanted wanted;
	oid name[MAX_OID_LEN];
	double sent_s, answered_s, asked_s, seen_s;
	size_t length;
	long number;

	if (sscanf(line, "%3s %255s %ld %64s", verb, object, &number, hex) != 4 ||
	    parse_octets(hex, &wanted) < 0 || (length = bench_oid(object, name)) == 0) {
		complain("not a request", line);
		return -1;
	}
	drain(requests);
	drain(effects);
	sent_s = bench_seconds(CLOCK_MONOTONIC);
	if (ask(session, strcmp(verb, "set") == 0, name, length, number) < 0)
		return -1;
	answered_s = bench_seconds(CLOCK_MONOTONIC);
	asked_s = wait_packet(requests, &any);
	seen_s = wait_packet(effects, &wanted);
	if (asked_s == 0 || seen_s == 0 || next_packet(requests, &any) != 0) {
		complain(line, asked_s == 0  ? "the request was not captured"
			       : seen_s == 0 ? "nothing on the wire within 10 s"
					     : "more than one request was captured");
		return -1;
	}
	printf("%.0f %.0f\n", (seen_s - asked_s) * 1e6, (answered_s - sent_s) * 1e6);
	return 0;
}

int main(int argc, char **argv)
{
	netsnmp_session *session = argc == 6 ? bench_open(argv[0], argv[1]) : NULL;
	const oid up_time[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
	netsnmp_pdu *first, *answer;
	char line[512], filter[64];
	pcap_t *requests, *effects;
	struct timespec pause;
	int rc = 0;

	if (!session) {
		fprintf(stderr, "usage: latency PEER PORT INTERFACE FILTER PAUSE_MS <REQUESTS\n");
		return 2;
	}
	pause = (struct timespec){0, (long)atoi(argv[5]) % 1000 * 1000000};
	snprintf(filter, sizeof(filter), "udp dst port %d", atoi(argv[2]));
	requests = open_capture("lo", filter, PCAP_D_IN);
	effects = open_capture(argv[3], argv[4], PCAP_D_INOUT);
	first = snmp_pdu_create(SNMP_MSG_GET); /* what SNMPv3 has to find out first happens here */
	snmp_add_null_var(first, up_time, OID_LENGTH(up_time));
	answer = requests && effects ? bench_ask(session, first) : NULL;
	if (!answer)
		return 1;
	snmp_free_pdu(answer);
	while (rc == 0 && fgets(line, sizeof(line), stdin)) {
		rc = measure(session, requests, effects, line);
		nanosleep(&pause, NULL);
	}
	pcap_close(requests);
	pcap_close(effects);
	snmp_close(session);
	return rc == 0 ? 0 : 1;
}
