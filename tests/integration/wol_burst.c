/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drives libwol from a shell test: sends bursts of magic packets and prints every report.
 *
 *   wol_burst -m MAC [-u ADDRESS] [-p PORT] [-i INTERFACE] [-s SECUREON_HEX] [-c COUNT] [-t INTERVAL_MS]
 *             [-n BURSTS] [-x] [-r]
 *
 * -n: so many bursts at once, to MAC, MAC + 1, ... (last two octets); -x: cancel at the first packet sent;
 * -r: for every line on standard input, do it again with the same engine.
 *
 *   sent N INTERFACE | seen N INTERFACE DELAY_US | done RESULT SENT SEEN INTERFACE TEXT      (one burst)
 *   total OK SENT SEEN START_US                                                              (many bursts)
 *   cpu MS                                                                                   (at the end)
 */
#include "wol/wol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	struct wol_engine *engine;
	struct wol_target target;
	unsigned count, interval_ms, bursts;
	bool cancel, repeat;
	unsigned running, ok, sent, seen;
	struct wol_burst *burst; /* the only one */
	struct timespec sent_at;
	double start_us;
} run = {.count = 3, .interval_ms = 100, .bursts = 1};

static const char *const results[] = {"OK", "NOT_SEEN", "UNPROVED", "FAILED", "CANCELLED"};

static double us_between(const struct timespec *from, const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) * 1e6 + (double)(to->tv_nsec - from->tv_nsec) / 1e3;
}

static void hex(const char *text, uint8_t *octets, size_t size, size_t *length)
{
	unsigned octet;
	int used;

	for (*length = 0; *length < size && sscanf(text, "%2x%n", &octet, &used) == 1; (*length)++) {
		octets[*length] = (uint8_t)octet;
		text += used;
		text += *text == ':';
	}
}

static void wait_for_line(void);

static void all_done(void)
{
	if (run.bursts > 1)
		printf("total %u %u %u %.0f\n", run.ok, run.sent, run.seen, run.start_us);
	wait_for_line();
}

static void print_report(const struct wol_report *report)
{
	switch (report->event) {
	case WOL_EVENT_SENT:
		run.sent_at = report->time;
		printf("sent %u %s\n", report->sent, report->interface);
		break;
	case WOL_EVENT_SEEN:
		printf("seen %u %s %.0f\n", report->seen, report->interface,
		       us_between(&run.sent_at, &report->time));
		break;
	case WOL_EVENT_DONE:
		printf("done %s %u %u %s %s\n", results[report->result], report->sent, report->seen,
		       *report->interface ? report->interface : "-", report->text);
		break;
	}
}

static void on_report(const struct wol_report *report, void *data)
{
	(void)data;
	if (run.bursts == 1)
		print_report(report);
	if (run.cancel && report->event == WOL_EVENT_SENT) {
		wol_burst_cancel(run.burst);
		return;
	}
	if (report->event != WOL_EVENT_DONE)
		return;
	run.ok += report->result == WOL_OK && report->seen == run.count;
	run.sent += report->sent;
	run.seen += report->seen;
	if (--run.running == 0)
		all_done();
}

static void start_bursts(void)
{
	struct wol_target target = run.target;
	struct timespec from, to;

	run.ok = run.sent = run.seen = 0;
	run.running = run.bursts;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < run.bursts; i++) {
		target.mac[4] = (uint8_t)(run.target.mac[4] + i / 256);
		target.mac[5] = (uint8_t)(run.target.mac[5] + i % 256);
		run.burst = wol_burst_start(run.engine, &target, run.count, run.interval_ms, on_report, NULL);
		if (!run.burst)
			abort();
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	run.start_us = us_between(&from, &to);
}

static uv_poll_t stdin_poll;

static void end(void)
{
	if (run.repeat)
		uv_close((uv_handle_t *)&stdin_poll, NULL);
	wol_engine_close(run.engine, NULL, NULL);
}

static void on_stdin(uv_poll_t *poll, int status, int events)
{
	char line[16];

	(void)events;
	uv_poll_stop(poll);
	if (status == 0 && read(STDIN_FILENO, line, sizeof(line)) > 0)
		start_bursts();
	else
		end();
}

static void wait_for_line(void)
{
	if (run.repeat)
		uv_poll_start(&stdin_poll, UV_READABLE, on_stdin);
	else
		end();
}

static void set_option(int option, const char *value)
{
	struct wol_target *target = &run.target;
	size_t length;

	switch (option) {
	case 'm':
		hex(value, target->mac, sizeof(target->mac), &length);
		break;
	case 'u':
		target->method = WOL_UDP;
		snprintf(target->address, sizeof(target->address), "%s", value);
		break;
	case 'p':
		target->port = (uint16_t)atoi(value);
		break;
	case 'i':
		snprintf(target->interface, sizeof(target->interface), "%s", value);
		break;
	case 's':
		hex(value, target->secureon, sizeof(target->secureon), &target->secureon_length);
		break;
	case 'c':
		run.count = (unsigned)atoi(value);
		break;
	case 't':
		run.interval_ms = (unsigned)atoi(value);
		break;
	case 'n':
		run.bursts = (unsigned)atoi(value);
		break;
	case 'x':
		run.cancel = true;
		break;
	default:
		run.repeat = true;
		break;
	}
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	int option;

	run.target.method = WOL_ETHERNET;
	run.target.port = 9;
	while ((option = getopt(argc, argv, "m:u:p:i:s:c:t:n:xr")) != -1) {
		if (option == '?')
			return 2;
		set_option(option, optarg);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (wol_engine_new(loop, &run.engine) < 0)
		return 1;
	if (run.repeat && uv_poll_init(loop, &stdin_poll, STDIN_FILENO) < 0)
		return 1;
	start_bursts();
	uv_run(loop, UV_RUN_DEFAULT);
	printf("cpu %ld\n", clock() * 1000 / CLOCKS_PER_SEC);
	return uv_loop_close(loop) == 0 ? 0 : 1;
}
