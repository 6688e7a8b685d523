/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The witness: a line for each effect, counters, and how regularly each BMC is polled.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/sim/farm.h"

static int64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t farm_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* ---- log ---- */

int farm_log_open(struct farm *farm)
{
	if (!farm->log_path)
		return 0;
	farm->log = fopen(farm->log_path, "ae");
	if (farm->log)
		return 0;
	fprintf(stderr, "bmcfarm: %s: %s\n", farm->log_path, strerror(errno));
	return -1;
}

void farm_effect(struct sim_bmc *bmc, const struct sim_effect *e)
{
	struct farm *farm = bmc->profile->data;
	int64_t at_us;

	if (!farm->log)
		return;
	at_us = e->at_us + clock_us(CLOCK_REALTIME) - farm_now_us();
	fprintf(farm->log, "%" PRId64 ".%06" PRId64 " bmc=%u %s=%s power=%s:%s", at_us / 1000000,
		at_us % 1000000, bmc->number, e->what, e->detail, e->power_before ? "on" : "off",
		e->power_after ? "on" : "off");
	if (e->session)
		fprintf(farm->log, " session=%08" PRIx32 " user=%s duplicate=%s code=0x%02x", e->session,
			e->user, e->duplicate ? "yes" : "no", e->code);
	fputc('\n', farm->log);
}

/* ---- polls ---- */

void farm_status_told(struct farm *farm, struct farm_bmc *b, int64_t now_us)
{
	int64_t gap_ms;

	if (!b->first_status_us) {
		b->first_status_us = now_us;
		farm->totals.last_first_status_us = now_us;
		farm->totals.told++;
	} else {
		gap_ms = (now_us - b->last_status_us) / 1000;
		gap_ms = gap_ms < FARM_GAP_MAX_MS ? gap_ms : FARM_GAP_MAX_MS - 1;
		farm->gaps[gap_ms]++;
		if (gap_ms > b->largest_gap_ms)
			b->largest_gap_ms = (uint32_t)gap_ms;
	}
	b->last_status_us = now_us;
	b->polls++;
}

/* The value below which this share of the counted ones lies. */
static unsigned percentile(const uint32_t *counters, uint64_t total, double share)
{
	uint64_t seen = 0;

	for (unsigned ms = 0; ms < FARM_GAP_MAX_MS; ms++) {
		seen += counters[ms];
		if (seen > 0 && (double)seen >= share * (double)total)
			return ms;
	}
	return 0;
}

static void print_distribution(const char *name, const uint32_t *counters, FILE *out)
{
	uint64_t total = 0;

	for (unsigned ms = 0; ms < FARM_GAP_MAX_MS; ms++)
		total += counters[ms];
	fprintf(out, " %s=%" PRIu64 " %s-min-ms=%u %s-median-ms=%u %s-p90-ms=%u %s-p99-ms=%u %s-max-ms=%u",
		name, total, name, percentile(counters, total, 0), name, percentile(counters, total, 0.5),
		name, percentile(counters, total, 0.9), name, percentile(counters, total, 0.99), name,
		percentile(counters, total, 1));
}

void farm_print_gaps(struct farm *farm, FILE *out)
{
	uint32_t *largest = calloc(FARM_GAP_MAX_MS, sizeof(*largest));

	if (!largest)
		abort();
	for (unsigned i = 0; i < farm->count; i++)
		if (farm->bmcs[i].polls > 1)
			largest[farm->bmcs[i].largest_gap_ms]++;
	fprintf(out, "ok");
	print_distribution("gaps", farm->gaps, out);
	print_distribution("largest", largest, out);
	fputc('\n', out);
	free(largest);
}

/* ---- counters ---- */

static int64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec +
	       usage.ru_stime.tv_usec;
}

static int64_t real_us(int64_t steady_us)
{
	return steady_us ? steady_us + clock_us(CLOCK_REALTIME) - farm_now_us() : 0;
}

static void print_time(const char *name, int64_t steady_us, FILE *out)
{
	int64_t us = real_us(steady_us);

	fprintf(out, " %s=%" PRId64 ".%06" PRId64, name, us / 1000000, us % 1000000);
}

void farm_print_totals(struct farm *farm, FILE *out)
{
	const struct farm_totals *t = &farm->totals;
	const struct sim_counters *c = &farm->profile.counters;
	int64_t used_us = cpu_us() - t->cpu_us;
	uint64_t packets = t->in + t->out;
	unsigned active = 0;

	for (unsigned i = 0; i < farm->count; i++)
		active += sim_bmc_sessions(&farm->bmcs[i].bmc);
	fprintf(out,
		"ok in=%" PRIu64 " out=%" PRIu64 " bytes-in=%" PRIu64 " bytes-out=%" PRIu64
		" lost-in=%" PRIu64 " lost-out=%" PRIu64 " stray=%" PRIu64 " kernel-dropped=%" PRIu64
		" send-failed=%" PRIu64,
		t->in, t->out, t->bytes_in, t->bytes_out, t->lost_in, t->lost_out, t->stray,
		t->kernel_dropped, t->send_failed);
	fprintf(out,
		" sessions=%u opened=%" PRIu64 " refused=%" PRIu64 " closed=%" PRIu64 " expired=%" PRIu64
		" forgotten=%" PRIu64 " bad=%" PRIu64 " unknown-session=%" PRIu64 " duplicates=%" PRIu64,
		active, c->opened, c->refused, c->closed, c->expired, c->forgotten, c->bad, c->unknown,
		c->duplicates);
	fprintf(out, " status-bmcs=%u sweep-ms=%.1f", t->told,
		t->told ? (double)(t->last_first_status_us - t->first_in_us) / 1000 : 0.0);
	print_time("first-in", t->first_in_us, out);
	print_time("last-first-status", t->last_first_status_us, out);
	fprintf(out, " cpu-ms=%" PRId64 " cpu-us-per-packet=%.2f", used_us / 1000,
		packets ? (double)used_us / (double)packets : 0.0);
	for (unsigned i = 0; sim_command_at(i); i++)
		if (c->commands[i])
			fprintf(out, " %s=%" PRIu64, sim_command_at(i), c->commands[i]);
	fputc('\n', out);
}

void farm_print_stat(const struct farm *farm, unsigned index, FILE *out)
{
	static const char *const identify[] = {"off", "timed", "indefinite"};
	static const char *const policies[] = {"always-off", "previous", "always-on"};
	const struct farm_bmc *b = &farm->bmcs[index];
	const struct sim_chassis *c = &b->bmc.chassis;
	struct in_addr address = {.s_addr = htonl(ntohl(farm->base.s_addr) + index)};

	fprintf(out, "bmc=%u address=%s power=%s sessions=%u in=%u out=%u polls=%u", b->bmc.number,
		inet_ntoa(address), c->power ? "on" : "off", sim_bmc_sessions(&b->bmc), b->packets_in,
		b->packets_out, b->polls);
	fprintf(out, " controls=%u diagnostics=%u identify=%s policy=%s restart-cause=%u", c->controls,
		c->diagnostics, identify[c->identify], policies[c->policy], c->restart_cause);
	fprintf(out, " boot=%02x%02x%02x%02x%02x watts=%u largest-gap-ms=%u", b->bmc.boot.flags[0],
		b->bmc.boot.flags[1], b->bmc.boot.flags[2], b->bmc.boot.flags[3], b->bmc.boot.flags[4],
		c->power ? c->watts_on : c->watts_off, b->largest_gap_ms);
	print_time("first-status", b->first_status_us, out);
	print_time("last-status", b->last_status_us, out);
	fputc('\n', out);
}

void farm_reset(struct farm *farm)
{
	farm->totals = (struct farm_totals){.cpu_us = cpu_us()};
	farm->profile.counters = (struct sim_counters){.opened = 0};
	memset(farm->gaps, 0, FARM_GAP_MAX_MS * sizeof(*farm->gaps));
	for (unsigned i = 0; i < farm->count; i++) {
		struct farm_bmc *b = &farm->bmcs[i];

		b->packets_in = b->packets_out = b->polls = b->largest_gap_ms = 0;
		b->first_status_us = b->last_status_us = 0;
	}
}
