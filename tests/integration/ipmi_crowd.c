/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Polls many BMCs at once and prints what it took: ipmi_crowd PASSWORD-FILE ROUNDS TIMEOUT-MS HOST:PORT...
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ipmi/ipmi.h"

static struct ipmi_engine *engine;
static struct ipmi_bmc **bmcs;
static size_t bmc_count, pending, answered;
static int rounds;
static uint64_t round_begun_ns;

static void begin_round(void);

static void on_closed(void *data)
{
	*(bool *)data = true;
}

static void print_total(void)
{
	uint64_t requests = 0, retransmits = 0, sessions = 0, bad = 0;
	struct ipmi_bmc_stats stats;
	struct rusage usage;

	for (size_t i = 0; i < bmc_count; i++) {
		ipmi_bmc_stats(bmcs[i], &stats);
		requests += stats.requests;
		retransmits += stats.retransmits;
		sessions += stats.sessions;
		bad += stats.bad_packets;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("total: requests=%" PRIu64 " retransmits=%" PRIu64 " sessions=%" PRIu64 " bad=%" PRIu64
	       " cpu_ms=%ld rss_kb=%ld\n",
	       requests, retransmits, sessions, bad,
	       (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000,
	       usage.ru_maxrss);
}

static void on_done(const struct ipmi_reply *reply, void *data)
{
	static bool closed;

	(void)data;
	answered += reply->result == IPMI_OK;
	if (--pending > 0)
		return;
	printf("round: ok=%zu of %zu ms=%" PRIu64 "\n", answered, bmc_count,
	       (uv_hrtime() - round_begun_ns) / 1000000);
	if (--rounds > 0) {
		begin_round();
		return;
	}
	print_total();
	ipmi_engine_close(engine, 1000, on_closed, &closed);
}

static void begin_round(void)
{
	const struct ipmi_request request = {.command = IPMI_GET_CHASSIS_STATUS, .done = on_done};

	round_begun_ns = uv_hrtime();
	pending = bmc_count;
	answered = 0;
	for (size_t i = 0; i < bmc_count; i++)
		if (!ipmi_bmc_submit(bmcs[i], &request))
			abort();
}

static void add_bmc(char *address, const char *password, unsigned timeout_ms)
{
	static const uint8_t suites[] = {3};
	struct ipmi_bmc_config config = {.host = address,
					 .username = "admin",
					 .password = (const uint8_t *)password,
					 .password_length = strlen(password),
					 .privilege = IPMI_PRIVILEGE_OPERATOR,
					 .cipher_suites = suites,
					 .cipher_suite_count = 1,
					 .timeout_ms = timeout_ms};
	char *colon = strrchr(address, ':');

	config.port = colon ? (uint16_t)atoi(colon + 1) : 623;
	if (colon)
		*colon = '\0';
	if (ipmi_bmc_new(engine, &config, &bmcs[bmc_count]) < 0)
		abort();
	bmc_count++;
}

int main(int argc, char **argv)
{
	char password[32] = "";
	FILE *file = argc > 4 ? fopen(argv[1], "re") : NULL;

	if (!file || !fgets(password, sizeof(password), file))
		return 2;
	fclose(file);
	password[strcspn(password, "\n")] = '\0';
	rounds = atoi(argv[2]);
	bmcs = calloc((size_t)argc, sizeof(struct ipmi_bmc *));
	if (!bmcs || ipmi_engine_new(uv_default_loop(), &engine) < 0)
		return 1;
	for (int i = 4; i < argc; i++)
		add_bmc(argv[i], password, (unsigned)atoi(argv[3]));
	begin_round();
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	free(bmcs);
	return uv_loop_close(uv_default_loop()) == 0 ? 0 : 1;
}
