/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drives the IPMI engine from a test: runs the given steps against one BMC and prints one line for each.
 *
 * ipmi_client [-u USER] [-P PASSWORD-FILE] [-k KG-FILE] [-l PRIVILEGE] [-C SUITE[,SUITE]] [-t TIMEOUT-MS]
 *             [-r RETRANSMIT-MS] [-W WORKAROUNDS] [-V 1.5|2.0] [-n LABEL] HOST[:PORT] STEP...
 * Steps: status off on cycle reset diag soft identify=SECONDS|off|force policy=0..2 boot
 * boot=DEVICE[,persistent][,efi] poh power once:STEP stats wait=FILE (until it exists) touch=FILE sleep=MS
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipmi/ipmi.h"

static struct ipmi_engine *engine;
static struct ipmi_bmc *bmc;
static char **steps;
static uint64_t begun_ns;
static struct ipmi_request request;
static uv_timer_t timer;

static void next_step(void);

static size_t read_secret(const char *path, uint8_t *secret, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(secret, 1, size, file) : 0;

	if (!file) {
		perror(path);
		exit(2);
	}
	fclose(file);
	while (length > 0 && secret[length - 1] == '\n')
		length--;
	return length;
}

static void print_chassis(const struct ipmi_chassis_status *c)
{
	printf(
	    " power=%d overload=%d interlock=%d fault=%d control_fault=%d intrusion=%d lockout=%d drive=%d cooling=%d"
	    " event=%d policy=%d identify=%d",
	    c->power_on, c->power_overload, c->interlock_active, c->power_fault, c->power_control_fault,
	    c->chassis_intrusion, c->front_panel_lockout, c->drive_fault, c->cooling_fault,
	    c->last_power_event, c->restore_policy, c->identify);
}

static void on_done(const struct ipmi_reply *reply, void *data)
{
	const char *step = data;

	printf("%s: %s", step, ipmi_result_name(reply->result));
	if (reply->result == IPMI_REJECTED)
		printf(" code=0x%02X", reply->completion_code);
	if (reply->result == IPMI_OK && request.command == IPMI_GET_CHASSIS_STATUS)
		print_chassis(&reply->chassis);
	if (reply->result == IPMI_OK && request.command == IPMI_GET_BOOT_FLAGS)
		printf(" device=%d persistent=%d efi=%d", reply->boot.device, reply->boot.persistent,
		       reply->boot.efi);
	if (reply->result == IPMI_OK && request.command == IPMI_GET_POH_COUNTER)
		printf(" hours=%" PRIu32, reply->power_on_hours);
	if (reply->result == IPMI_OK && request.command == IPMI_GET_POWER_READING)
		printf(" watts=%u min=%u max=%u average=%u active=%d", reply->power.watts,
		       reply->power.minimum_watts, reply->power.maximum_watts, reply->power.average_watts,
		       reply->power.active);
	printf(" ms=%" PRIu64 "%s%s\n", (uv_hrtime() - begun_ns) / 1000000, *reply->text ? " text=" : "",
	       reply->text);
	next_step();
}

static void print_stats(void)
{
	struct ipmi_bmc_stats stats;

	ipmi_bmc_stats(bmc, &stats);
	printf("stats: requests=%" PRIu32 " retransmits=%" PRIu32 " timeouts=%" PRIu32 " sessions=%" PRIu32
	       " bad=%" PRIu32 " suite=%u session=%d version=%s rtt=%s guid=",
	       stats.requests, stats.retransmits, stats.timeouts, stats.sessions, stats.bad_packets,
	       stats.cipher_suite, stats.has_session, stats.ipmi_version, stats.round_trip_us ? "yes" : "no");
	for (size_t i = 0; stats.has_guid && i < sizeof(stats.guid); i++)
		printf("%02x", stats.guid[i]);
	printf("\n");
}

static bool parse_control(const char *step)
{
	static const char *const names[] = {"off", "on", "cycle", "reset", "diag", "soft"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(step, names[i]) == 0) {
			request.command = IPMI_CHASSIS_CONTROL;
			request.control = (enum ipmi_chassis_control)i;
			return true;
		}
	}
	return false;
}

static bool parse_set(const char *step)
{
	const char *value = strchr(step, '=');

	if (!value)
		return false;
	value++;
	if (strncmp(step, "identify=", 9) == 0) {
		request.command = IPMI_CHASSIS_IDENTIFY;
		request.identify.mode = strcmp(value, "off") == 0     ? IPMI_IDENTIFY_OFF
					: strcmp(value, "force") == 0 ? IPMI_IDENTIFY_INDEFINITE
								      : IPMI_IDENTIFY_TIMED;
		request.identify.interval_s = (uint8_t)atoi(value);
	} else if (strncmp(step, "policy=", 7) == 0) {
		request.command = IPMI_SET_POWER_RESTORE_POLICY;
		request.restore_policy = (enum ipmi_restore_policy)atoi(value);
	} else if (strncmp(step, "boot=", 5) == 0) {
		request.command = IPMI_SET_BOOT_FLAGS;
		request.boot.device = (enum ipmi_boot_device)atoi(value);
		request.boot.persistent = strstr(value, ",persistent") != NULL;
		request.boot.efi = strstr(value, ",efi") != NULL;
	} else {
		return false;
	}
	return true;
}

static bool parse_request(const char *step)
{
	memset(&request, 0, sizeof(request));
	request.done = on_done;
	if (strncmp(step, "once:", 5) == 0) {
		request.once = true;
		step += 5;
	}
	if (strcmp(step, "status") == 0)
		request.command = IPMI_GET_CHASSIS_STATUS;
	else if (strcmp(step, "boot") == 0)
		request.command = IPMI_GET_BOOT_FLAGS;
	else if (strcmp(step, "poh") == 0)
		request.command = IPMI_GET_POH_COUNTER;
	else if (strcmp(step, "power") == 0)
		request.command = IPMI_GET_POWER_READING;
	else if (strcmp(step, "keep") == 0)
		request.command = IPMI_KEEP_BOOT_FLAGS;
	else
		return parse_control(step) || parse_set(step);
	return true;
}

static void on_closed(void *data)
{
	(void)data;
	uv_close((uv_handle_t *)&timer, NULL);
}

static void on_timer(uv_timer_t *handle)
{
	const char *path = handle->data;

	if (path && access(path, F_OK) != 0)
		return;
	uv_timer_stop(handle);
	next_step();
}

static void run_request(char *step)
{
	if (!parse_request(step)) {
		fprintf(stderr, "ipmi_client: unknown step %s\n", step);
		exit(2);
	}
	request.data = step;
	begun_ns = uv_hrtime();
	if (!ipmi_bmc_submit(bmc, &request))
		abort();
}

static void next_step(void)
{
	char *step = *steps;

	fflush(stdout);
	if (!step) {
		ipmi_engine_close(engine, 1000, on_closed, NULL);
		return;
	}
	steps++;
	if (strcmp(step, "stats") == 0) {
		print_stats();
		next_step();
	} else if (strncmp(step, "wait=", 5) == 0) {
		timer.data = step + 5;
		uv_timer_start(&timer, on_timer, 0, 20);
	} else if (strncmp(step, "sleep=", 6) == 0) {
		timer.data = NULL;
		uv_timer_start(&timer, on_timer, (uint64_t)atoi(step + 6), 20);
	} else if (strncmp(step, "touch=", 6) == 0) {
		FILE *file = fopen(step + 6, "we");

		if (file)
			fclose(file);
		next_step();
	} else {
		run_request(step);
	}
}

static size_t parse_suites(char *text, uint8_t *suites, size_t size)
{
	size_t count = 0;
	char *rest = text;

	for (char *id = strsep(&rest, ","); id && count < size; id = strsep(&rest, ","))
		suites[count++] = (uint8_t)atoi(id);
	return count;
}

int main(int argc, char **argv)
{
	uint8_t password[20], kg[20], suites[8] = {3};
	struct ipmi_bmc_config config = {.port = 623,
					 .username = "admin",
					 .password = password,
					 .kg = kg,
					 .privilege = IPMI_PRIVILEGE_OPERATOR,
					 .cipher_suites = suites,
					 .cipher_suite_count = 1,
					 .timeout_ms = 5000};
	char *colon;
	int option, status;

	while ((option = getopt(argc, argv, "u:P:k:l:C:t:r:W:V:n:")) != -1) {
		switch (option) {
		case 'u':
			config.username = optarg;
			break;
		case 'P':
			config.password_length = read_secret(optarg, password, sizeof(password));
			break;
		case 'k':
			config.kg_length = read_secret(optarg, kg, sizeof(kg));
			break;
		case 'l':
			config.privilege = (enum ipmi_privilege)atoi(optarg);
			break;
		case 'C':
			config.cipher_suite_count = parse_suites(optarg, suites, sizeof(suites));
			break;
		case 't':
			config.timeout_ms = (unsigned)atoi(optarg);
			break;
		case 'r':
			config.retransmit_ms = (unsigned)atoi(optarg);
			break;
		case 'W':
			config.workarounds = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'V':
			config.version = strcmp(optarg, "1.5") == 0 ? IPMI_VERSION_1_5 : IPMI_VERSION_2_0;
			break;
		case 'n':
			config.label = optarg;
			break;
		default:
			return 2;
		}
	}
	if (optind >= argc)
		return 2;
	colon = strrchr(argv[optind], ':');
	if (colon) {
		*colon = '\0';
		config.port = (uint16_t)atoi(colon + 1);
	}
	config.host = argv[optind];
	steps = argv + optind + 1;
	uv_timer_init(uv_default_loop(), &timer);
	status = ipmi_engine_new(uv_default_loop(), &engine);
	if (status == 0)
		status = ipmi_bmc_new(engine, &config, &bmc);
	if (status < 0) {
		fprintf(stderr, "ipmi_client: %s\n", strerror(-status));
		return 2;
	}
	next_step();
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	return uv_loop_close(uv_default_loop()) == 0 ? 0 : 1;
}
