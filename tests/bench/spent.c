/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What running a command costs.
 *
 *   spent TIMES COMMAND [ARGUMENT...]
 *
 * Runs it so often, one after another, with its output thrown away, and prints the median of its time (ms), the mean of its
 * CPU time (ms), and the most memory that it or a child of it had (KiB). Exit status 1, with a message, when it fails once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMES_MAX 10000

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void run(char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	execvp(argv[0], argv);
	fprintf(stderr, "spent: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int run_once(char **argv, double *took_ms)
{
	double began_ms = now_ms();
	pid_t child = fork();
	int status;

	if (child == 0)
		run(argv);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	*took_ms = now_ms() - began_ms;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double milliseconds(const struct timeval *time)
{
	return (double)time->tv_sec * 1e3 + (double)time->tv_usec / 1e3;
}

static void report(double *took_ms, long times)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	qsort(took_ms, (size_t)times, sizeof(*took_ms), compare);
	printf("%.2f %.2f %ld\n", took_ms[times / 2],
	       (milliseconds(&usage.ru_utime) + milliseconds(&usage.ru_stime)) / (double)times,
	       usage.ru_maxrss);
}

int main(int argc, char **argv)
{
	static double took_ms[TIMES_MAX];
	long times = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

	if (times < 1 || times > TIMES_MAX) {
		fprintf(stderr, "usage: spent TIMES COMMAND [ARGUMENT...], TIMES at most %d\n", TIMES_MAX);
		return 2;
	}
	for (long i = 0; i < times; i++) {
		if (run_once(argv + 2, &took_ms[i]) < 0) {
			fprintf(stderr, "spent: %s has failed\n", argv[2]);
			return 1;
		}
	}
	report(took_ms, times);
	return 0;
}
