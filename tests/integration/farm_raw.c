/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asks a BMC without any client library and tells what came back, so that faults can be counted:
 *
 * farm_raw HOST PORT COUNT [QUIET-MS]
 * COUNT (at most 255) ASF presence pings leave at once; answers are taken until none came for QUIET-MS (200). Prints
 * `answered=N lost=N duplicates=N reordered=N bad=N from-elsewhere=N first-ms=N last-ms=N tags=HEX`: bad is what is no pong
 * to any of them, reordered those with a smaller tag than one before, tags a checksum of which ones were answered.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVE_BUFFER = 4 * 1024 * 1024 };
enum { TAGS = 255, PING_LENGTH = 12, PONG_LENGTH = 28, OFFSET_TYPE = 8, OFFSET_TAG = 9, TYPE_PONG = 0x40 };

static struct {
	unsigned answered, duplicates, reordered, bad, elsewhere;
	unsigned seen[TAGS];
	int highest;
	int64_t first_ms, last_ms;
} result = {.highest = -1};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void send_pings(int fd, const struct sockaddr_in *to, unsigned count)
{
	uint8_t ping[PING_LENGTH] = {0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, 0x80};

	for (unsigned tag = 0; tag < count; tag++) {
		ping[OFFSET_TAG] = (uint8_t)tag;
		if (sendto(fd, ping, sizeof(ping), 0, (const struct sockaddr *)to, sizeof(*to)) < 0)
			exit(2);
	}
}

static bool is_pong(const uint8_t *packet, ssize_t length, unsigned count)
{
	static const uint8_t header[] = {0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, TYPE_PONG};

	return length == PONG_LENGTH && memcmp(packet, header, sizeof(header)) == 0 &&
	       packet[OFFSET_TAG] < count && packet[20] == 0x81;
}

static void take(const uint8_t *packet, ssize_t length, unsigned count)
{
	int tag = packet[OFFSET_TAG];

	if (!is_pong(packet, length, count)) {
		result.bad++;
		return;
	}
	if (result.seen[tag]++ > 0) {
		result.duplicates++;
		return;
	}
	result.answered++;
	result.reordered += tag < result.highest;
	result.highest = tag > result.highest ? tag : result.highest;
}

static void receive(int fd, const struct sockaddr_in *from_whom, unsigned count, int quiet_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t begun_ms = now_ms();
	uint8_t packet[2048];

	while (poll(&poll_fd, 1, quiet_ms) > 0) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &size);

		if (length < 0)
			exit(2);
		if (!result.answered && !result.bad)
			result.first_ms = now_ms() - begun_ms;
		result.last_ms = now_ms() - begun_ms;
		if (from.sin_addr.s_addr != from_whom->sin_addr.s_addr ||
		    from.sin_port != from_whom->sin_port)
			result.elsewhere++;
		take(packet, length, count);
	}
}

static uint32_t checksum(unsigned count)
{
	uint32_t sum = 0;

	for (unsigned tag = 0; tag < count; tag++)
		sum = sum * 31 + (result.seen[tag] > 0);
	return sum;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), buffer = RECEIVE_BUFFER;
	unsigned count;

	if (fd < 0 || argc < 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 2;
	/* all answers at once have to fit */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	count = (unsigned)atoi(argv[3]);
	if (count < 1 || count > TAGS)
		return 2;
	send_pings(fd, &to, count);
	receive(fd, &to, count, argc > 4 ? atoi(argv[4]) : 200);
	printf(
	    "answered=%u lost=%u duplicates=%u reordered=%u bad=%u from-elsewhere=%u first-ms=%d last-ms=%d tags=%08x\n",
	    result.answered, count - result.answered, result.duplicates, result.reordered, result.bad,
	    result.elsewhere, (int)result.first_ms, (int)result.last_ms, checksum(count));
	close(fd);
	return 0;
}
