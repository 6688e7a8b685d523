/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the disk does by itself: writes 4 KiB over what is there, waits until it is on the disk, and pauses.
 *
 *   syncs FILE COUNT PAUSE_MS
 *
 * Prints for each the time of the write and its fdatasync in us, and removes the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK     4096
#define BLOCKS    1000 /* about what SQLite's write-ahead log goes round in */
#define COUNT_MAX 100000

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int write_block(int fd, long at)
{
	static const char block[BLOCK];

	return pwrite(fd, block, BLOCK, at * BLOCK) == BLOCK ? 0 : -1;
}

static int measure(int fd, long count, long pause_ms)
{
	const struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
	int error = 0;

	for (long i = 0; i < BLOCKS && !error; i++)
		error = write_block(fd, i);
	if (!error)
		error = fsync(fd);
	for (long i = 0; i < count && !error; i++) {
		double start_us = now_us();

		error = write_block(fd, i % BLOCKS);
		if (!error)
			error = fdatasync(fd);
		if (!error)
			printf("%.0f\n", now_us() - start_us);
		nanosleep(&pause, NULL);
	}
	return error;
}

int main(int argc, char **argv)
{
	long count = argc == 4 ? atol(argv[2]) : 0;
	int fd, error;

	if (count < 1 || count > COUNT_MAX) {
		fprintf(stderr, "usage: syncs FILE COUNT PAUSE_MS\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	error = fd < 0 ? -1 : measure(fd, count, atol(argv[3]));
	if (error)
		fprintf(stderr, "syncs: %s: %s\n", argv[1], strerror(errno));
	if (fd >= 0 && (close(fd) < 0 || unlink(argv[1]) < 0))
		error = -1;
	return error ? 1 : 0;
}
