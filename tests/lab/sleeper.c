/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sleeping NIC of the lab: listens on an interface by libpcap as a NIC armed with "wol g" does, logs
 * every magic packet it hears and what came of it, and runs a command when it is woken. Written independently
 * of wol/.
 *
 *   sleeper -i INTERFACE -m MAC [-s SECUREON_FILE] [-d IGNORE_FIRST_N] [-o ethernet|udp] COMMAND
 * [ARGUMENT...]
 *
 * One line a packet on standard output:
 *   SECONDS ethernet|udp|other MAC secureon=LENGTH from=SOURCE_MAC to=DESTINATION_MAC port=UDP_PORT OUTCOME
 * OUTCOME: woken, deaf (one of the first N), not-mine (other MAC), wrong-password, wrong-carrier (-o),
 * not-addressed (unicast to another NIC), malformed (EtherType 0x0842 without a magic pattern), disarmed (the
 * command says so by exit status 3: there is an operating system that has not armed the NIC), command-failed. The magic pattern: six octets of 0xff, sixteen times the MAC, then a SecureOn password of
 * 0, 4 or 6 octets; AMD publication 20213, "Magic Packet Technology".
 */
#define _GNU_SOURCE 1
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	mac_length = 6,
	mac_text_size = 18,
	ethernet_header_length = 14,
	magic_length = 6 + 16 * mac_length,
	ethertype_wol = 0x0842,
	ethertype_ipv4 = 0x0800,
	ethertype_ipv6 = 0x86dd,
	exit_disarmed = 3,
};

enum carrier { carrier_other, carrier_ethernet, carrier_udp };

struct sleeper {
	const char *interface;
	const char *only; /* "ethernet" or "udp"; NULL: both */
	uint8_t mac[mac_length];
	uint8_t secureon[mac_length];
	size_t secureon_length; /* 0: none asked for */
	long deaf;              /* packets still to be ignored */
	char **command;
};

struct frame {
	const uint8_t *octets;
	size_t length;
	enum carrier carrier;
	unsigned udp_port;   /* 0: not UDP */
	const uint8_t *data; /* what a magic pattern is looked for in */
	size_t data_length;
};

static const char *const carrier_names[] = {"other", "ethernet", "udp"};

static unsigned get_u16(const uint8_t *octets)
{
	return (unsigned)octets[0] << 8 | octets[1];
}

static const char *format_mac(const uint8_t *mac, char text[mac_text_size])
{
	snprintf(text, mac_text_size, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return text;
}

/* Octets as hexadecimal pairs joined by ':' or '-'; their number, 0 when malformed. */
static size_t parse_octets(const char *text, uint8_t octets[mac_length])
{
	size_t count = 0;
	while (count < mac_length) {
		char *end;
		unsigned long octet = strtoul(text, &end, 16);
		if (end == text || octet > 0xff)
			return 0;
		octets[count++] = (uint8_t)octet;
		if (*end != ':' && *end != '-')
			return *end == '\0' || *end == '\n' ? count : 0;
		text = end + 1;
	}
	return 0;
}

static void set_udp(struct frame *frame, const uint8_t *udp, size_t length)
{
	if (length < 8)
		return;
	frame->carrier = carrier_udp;
	frame->udp_port = get_u16(udp + 2);
	size_t udp_length = get_u16(udp + 4);
	frame->data = udp + 8;
	frame->data_length = (udp_length >= 8 && udp_length <= length ? udp_length : length) - 8;
}

static void classify(struct frame *frame)
{
	unsigned ethertype = get_u16(frame->octets + 12);
	frame->data = frame->octets + ethernet_header_length;
	frame->data_length = frame->length - ethernet_header_length;
	if (ethertype == ethertype_wol) {
		frame->carrier = carrier_ethernet;
	} else if (ethertype == ethertype_ipv4 && frame->data_length >= 20 && frame->data[9] == IPPROTO_UDP) {
		size_t header_length = (frame->data[0] & 0x0fU) * 4U;
		if (header_length <= frame->data_length)
			set_udp(frame, frame->data + header_length, frame->data_length - header_length);
	} else if (ethertype == ethertype_ipv6 && frame->data_length >= 40 && frame->data[6] == IPPROTO_UDP) {
		set_udp(frame, frame->data + 40, frame->data_length - 40);
	}
}

static bool is_magic(const uint8_t *octets)
{
	static const uint8_t sync[mac_length] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	if (memcmp(octets, sync, sizeof sync) != 0)
		return false;
	for (int i = 2; i <= 16; i++)
		if (memcmp(octets + mac_length, octets + i * mac_length, mac_length) != 0)
			return false;
	return true;
}

/* A NIC looks for the pattern anywhere in the frame. */
static const uint8_t *find_magic(const struct frame *frame)
{
	for (size_t i = 0; i + magic_length <= frame->data_length; i++)
		if (is_magic(frame->data + i))
			return frame->data + i;
	return NULL;
}

/* What follows the pattern; the padding of a short Ethernet frame cannot occur, a magic packet is longer. */
static size_t secureon_length(const struct frame *frame, const uint8_t *magic)
{
	return (size_t)(frame->data + frame->data_length - magic) - magic_length;
}

static bool is_addressed(const struct sleeper *sleeper, const struct frame *frame)
{
	bool group = (frame->octets[0] & 1) != 0;
	return group || memcmp(frame->octets, sleeper->mac, mac_length) == 0;
}

static bool has_password(const struct sleeper *sleeper, const struct frame *frame, const uint8_t *magic)
{
	return sleeper->secureon_length == 0 ||
	       (secureon_length(frame, magic) == sleeper->secureon_length &&
		memcmp(magic + magic_length, sleeper->secureon, sleeper->secureon_length) == 0);
}

/* What became of waking the machine. */
static const char *run_command(char **command)
{
	pid_t child = fork();
	if (child < 0)
		return "command-failed";
	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	int status;
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return "command-failed";
	switch (WEXITSTATUS(status)) {
	case 0:
		return "woken";
	case exit_disarmed:
		return "disarmed";
	default:
		return "command-failed";
	}
}

static const char *react(struct sleeper *sleeper, const struct frame *frame, const uint8_t *magic)
{
	if (memcmp(magic + mac_length, sleeper->mac, mac_length) != 0)
		return "not-mine";
	if (!is_addressed(sleeper, frame))
		return "not-addressed";
	if (sleeper->only != NULL && strcmp(sleeper->only, carrier_names[frame->carrier]) != 0)
		return "wrong-carrier";
	if (!has_password(sleeper, frame, magic))
		return "wrong-password";
	if (sleeper->deaf > 0) {
		sleeper->deaf--;
		return "deaf";
	}
	return run_command(sleeper->command);
}

static void on_frame(u_char *user, const struct pcap_pkthdr *header, const u_char *octets)
{
	struct sleeper *sleeper = (struct sleeper *)(void *)user;
	struct frame frame = {.octets = octets, .length = header->caplen};
	if (frame.length < ethernet_header_length)
		return;
	classify(&frame);
	const uint8_t *magic = find_magic(&frame);
	if (magic == NULL && frame.carrier != carrier_ethernet)
		return;
	const char *outcome = magic != NULL ? react(sleeper, &frame, magic) : "malformed";
	char mac[mac_text_size] = "-", from[mac_text_size], to[mac_text_size];
	if (magic != NULL)
		format_mac(magic + mac_length, mac);
	printf("%ld.%06ld %s %s secureon=%zu from=%s to=%s port=%u %s\n", (long)header->ts.tv_sec,
	       (long)header->ts.tv_usec, carrier_names[frame.carrier], mac,
	       magic != NULL ? secureon_length(&frame, magic) : 0, format_mac(octets + mac_length, from),
	       format_mac(octets, to), frame.udp_port, outcome);
	fflush(stdout);
}

static pcap_t *open_capture(const char *interface)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *capture = pcap_create(interface, error);
	if (capture == NULL) {
		fprintf(stderr, "sleeper: %s: %s\n", interface, error);
		return NULL;
	}
	pcap_set_snaplen(capture, 2048);
	pcap_set_promisc(capture, 1);
	pcap_set_immediate_mode(capture, 1);
	if (pcap_activate(capture) < 0 || pcap_setdirection(capture, PCAP_D_IN) != 0 ||
	    pcap_datalink(capture) != DLT_EN10MB) {
		fprintf(stderr, "sleeper: %s: not an Ethernet interface that can be captured: %s\n",
			interface, pcap_geterr(capture));
		pcap_close(capture);
		return NULL;
	}
	return capture;
}

static bool read_secureon(const char *path, struct sleeper *sleeper)
{
	char text[64] = "";
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	if (fgets(text, sizeof text, file) != NULL)
		sleeper->secureon_length = parse_octets(text, sleeper->secureon);
	fclose(file);
	return sleeper->secureon_length == 4 || sleeper->secureon_length == 6;
}

static bool parse_options(int argc, char **argv, struct sleeper *sleeper)
{
	int letter;
	size_t mac_octets = 0;
	while ((letter = getopt(argc, argv, "+i:m:s:d:o:")) != -1) {
		switch (letter) {
		case 'i':
			sleeper->interface = optarg;
			break;
		case 'm':
			mac_octets = parse_octets(optarg, sleeper->mac);
			break;
		case 's':
			if (!read_secureon(optarg, sleeper))
				return false;
			break;
		case 'd':
			sleeper->deaf = strtol(optarg, NULL, 10);
			break;
		case 'o':
			sleeper->only = optarg;
			break;
		default:
			return false;
		}
	}
	sleeper->command = argv + optind;
	return sleeper->interface != NULL && mac_octets == mac_length && optind < argc;
}

int main(int argc, char **argv)
{
	struct sleeper sleeper = {0};
	if (!parse_options(argc, argv, &sleeper)) {
		fprintf(
		    stderr,
		    "usage: sleeper -i INTERFACE -m MAC [-s SECUREON_FILE] [-d IGNORE_FIRST_N] [-o ethernet|udp] "
		    "COMMAND [ARGUMENT...]\n");
		return 2;
	}
	pcap_t *capture = open_capture(sleeper.interface);
	if (capture == NULL)
		return 1;
	printf("# listening on %s\n", sleeper.interface);
	fflush(stdout);
	int rc = pcap_loop(capture, -1, on_frame, (u_char *)&sleeper);
	fprintf(stderr, "sleeper: %s: %s\n", sleeper.interface, pcap_geterr(capture));
	pcap_close(capture);
	return rc == 0 ? 0 : 1;
}
