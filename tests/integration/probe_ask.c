/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drives the prober from a shell test.
 *
 *   probe_ask [-t TIMEOUT_MS] [-n TIMES] [-x] icmp|tcp HOST [PORT]
 *
 * -n: so many probes at once; -x: cancel them before they can answer. Prints a line each: RESULT MS TEXT
 */
#include "agent/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	struct pm_prober *prober;
	unsigned timeout_ms, times, running;
	bool cancel;
	uint64_t start_ns;
} run = {.timeout_ms = 1000, .times = 1};

static const char *const results[] = {"UP", "SILENT", "ERROR", "CANCELLED"};

static void on_done(enum pm_probe_result result, const char *text, void *data)
{
	(void)data;
	printf("%s %lu %s\n", results[result], (unsigned long)((uv_hrtime() - run.start_ns) / 1000000), text);
	if (--run.running == 0)
		pm_prober_close(run.prober, NULL, NULL);
}

static void ask(enum pm_probe_kind kind, const char *host, uint16_t port)
{
	struct pm_probe *probe;

	run.running = run.times;
	run.start_ns = uv_hrtime();
	for (unsigned i = 0; i < run.times; i++) {
		probe = pm_probe_start(run.prober, kind, host, port, run.timeout_ms, on_done, NULL);
		if (!probe)
			abort();
		if (run.cancel)
			pm_probe_cancel(probe);
	}
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	int option;

	while ((option = getopt(argc, argv, "t:n:x")) != -1) {
		if (option == 't')
			run.timeout_ms = (unsigned)atoi(optarg);
		else if (option == 'n')
			run.times = (unsigned)atoi(optarg);
		else
			run.cancel = true;
	}
	if (argc - optind < 2 || pm_prober_new(loop, &run.prober) < 0)
		return 2;
	ask(strcmp(argv[optind], "tcp") == 0 ? PM_PROBE_KIND_TCP : PM_PROBE_KIND_ICMP, argv[optind + 1],
	    (uint16_t)(argc - optind > 2 ? atoi(argv[optind + 2]) : 0));
	uv_run(loop, UV_RUN_DEFAULT);
	return uv_loop_close(loop) == 0 ? 0 : 1;
}
