/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A firewall's REJECT for the probe's test: answers every TCP SYN on an interface with ICMP "port
 * unreachable", sent in this host's own name.
 *
 *   probe_rejecter INTERFACE
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define QUOTED 28 /* IP header and the first eight octets */

static uint16_t checksum(const uint8_t *p, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum >> 16) + (sum & 0xffff);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

static bool is_syn(const uint8_t *ip, ssize_t length)
{
	return length >= 40 && ip[0] == 0x45 && ip[9] == IPPROTO_TCP && (ip[33] & 0x12) == 0x02;
}

static void reject(int icmp, const uint8_t *ip)
{
	uint8_t packet[8 + QUOTED] = {3, 3};
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint16_t sum;

	memcpy(packet + 8, ip, QUOTED);
	sum = checksum(packet, sizeof(packet));
	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)(sum & 0xff);
	memcpy(&to.sin_addr, ip + 12, 4);
	if (sendto(icmp, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		perror("sendto");
	else
		puts("rejected");
}

int main(int argc, char **argv)
{
	struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	int icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP),
	    fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	uint8_t ip[2048];

	if (argc != 2 || icmp < 0 || fd < 0)
		return 2;
	on.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (bind(fd, (struct sockaddr *)&on, sizeof(on)) < 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("rejecting");
	for (;;) {
		ssize_t length = recv(fd, ip, sizeof(ip), 0);

		if (length < 0)
			return 1;
		if (is_syn(ip, length))
			reject(icmp, ip);
	}
}
