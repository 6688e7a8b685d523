/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bmcfarm: thousands of simulated BMCs on 127.0.0.0/8 in one process, for tests and benchmarks. README.md tells all of it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/sim/farm.h"

enum { EXIT_USAGE = 2, EXIT_START = 3, ORDERS_MAX = 64 };

static const char help[] =
    "usage: bmcfarm [OPTION...]\n"
    "  -n, --count N           BMCs (1000)\n"
    "  -b, --base ADDRESS      IPv4 address of the first (127.1.0.1); the others follow it\n"
    "  -6, --base6 ADDRESS     also on IPv6, from this address on\n"
    "  -p, --port PORT         UDP port (623)\n"
    "  -C, --suites LIST       cipher suites (3,8,17); none: no IPMI 2.0\n"
    "  -A, --lan15 LIST        IPMI 1.5 authentication types: md5,straight,none (md5); off: no IPMI 1.5\n"
    "      --no-per-message    IPMI 1.5 packets after Activate Session need no authentication\n"
    "  -u, --users FILE        lines NAME PRIVILEGE PASSWORD, \"\" for an empty NAME or PASSWORD\n"
    "                          (without it: admin administrator secret)\n"
    "  -k, --kg FILE           K_g: its first line, at most 20 octets\n"
    "  -S, --slots N           sessions of each BMC (4)\n"
    "      --idle-timeout S    a session unused for so long ends (60)\n"
    "      --boot-timeout S    boot flags are valid for so long without Chassis Control (60)\n"
    "  -s, --seed N            of all dice and random numbers (1)\n"
    "  -l, --log FILE          a line for each effect\n"
    "  -d, --do LINE           a control line to begin with; may be given often\n"
    "  -h, --help              this\n"
    "Control lines are read from standard input; `help` lists them.\n";

struct options {
	struct farm *farm;
	char *orders[ORDERS_MAX]; /* --do */
	unsigned order_count;
	bool own_users;
};

static int complain(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "bmcfarm: --%s: %s, not %s\n", option, wanted, value);
	return -1;
}

static int parse_number(const char *option, const char *text, unsigned long min, unsigned long max,
			unsigned long *value)
{
	char wanted[64], *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	if (*text >= '0' && *text <= '9' && !*end && !errno && *value >= min && *value <= max)
		return 0;
	snprintf(wanted, sizeof(wanted), "a number from %lu to %lu", min, max);
	return complain(option, text, wanted);
}

/* ---- options with more in them ---- */

static int parse_suites(struct sim_profile *profile, char *list)
{
	char *rest = list, *word;
	unsigned long id;

	profile->suite_count = 0;
	if (strcmp(list, "none") == 0)
		return 0;
	while ((word = strtok_r(rest, ",", &rest))) {
		if (parse_number("suites", word, 0, 17, &id) < 0)
			return -1;
		if (!sim_suite((unsigned)id) || profile->suite_count == SIM_SUITES)
			return complain("suites", word, "some of 0,1,2,3,6,7,8,11,12,15,16,17, or none");
		profile->suites[profile->suite_count++] = (uint8_t)id;
	}
	return 0;
}

static int parse_lan15(struct sim_profile *profile, char *list)
{
	char *rest = list, *word;

	profile->auth_types = 0;
	if (strcmp(list, "off") == 0)
		return 0;
	while ((word = strtok_r(rest, ",", &rest))) {
		if (strcmp(word, "md5") == 0)
			profile->auth_types |= 1U << SIM_AUTH_MD5;
		else if (strcmp(word, "straight") == 0)
			profile->auth_types |= 1U << SIM_AUTH_STRAIGHT;
		else if (strcmp(word, "none") == 0)
			profile->auth_types |= 1U << SIM_AUTH_NONE;
		else
			return complain("lan15", word, "some of md5,straight,none, or off");
	}
	return 0;
}

static FILE *open_file(const char *option, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		fprintf(stderr, "bmcfarm: --%s: %s: %s\n", option, path, strerror(errno));
	return file;
}

static int add_user(struct sim_profile *profile, char *line)
{
	static const char *const levels[] = {"callback", "user", "operator", "administrator"};
	char *rest = line, *name = strtok_r(rest, " \t", &rest), *level = strtok_r(rest, " \t", &rest);
	const char *password = rest && strcmp(rest, "\"\"") != 0 ? rest : "";

	if (!name || !level)
		return -1;
	for (uint8_t i = 0; i < 4; i++)
		if (strcmp(levels[i], level) == 0)
			return sim_profile_user(profile, strcmp(name, "\"\"") == 0 ? "" : name, password,
						(uint8_t)(i + 1))
				   ? 0
				   : -1;
	return -1;
}

static int read_users(struct options *o, const char *path)
{
	FILE *file = open_file("users", path);
	char line[256];
	int number = 0;

	if (!file)
		return -1;
	o->own_users = true;
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (*line && add_user(&o->farm->profile, line) < 0) {
			fprintf(
			    stderr,
			    "bmcfarm: %s:%d: wanted is NAME callback|user|operator|administrator PASSWORD: at most %d "
			    "users, a name of 16 octets, a password of 20\n",
			    path, number, SIM_USERS_MAX - 1);
			fclose(file);
			return -1;
		}
	}
	fclose(file);
	return 0;
}

static int read_kg(struct sim_profile *profile, const char *path)
{
	FILE *file = open_file("kg", path);
	char line[256] = "";
	size_t length;

	if (!file)
		return -1;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	length = strcspn(line, "\n");
	if (length == 0 || length > SIM_KEY_LENGTH) {
		fprintf(stderr, "bmcfarm: --kg: %s: the first line must have 1 to %d octets\n", path,
			SIM_KEY_LENGTH);
		return -1;
	}
	memcpy(profile->kg, line, length);
	profile->has_kg = true;
	return 0;
}

/* ---- options ---- */

enum { NO_PER_MESSAGE = 256, IDLE_TIMEOUT, BOOT_TIMEOUT };

static const struct option long_options[] = {
    {"count", required_argument, NULL, 'n'},
    {"base", required_argument, NULL, 'b'},
    {"base6", required_argument, NULL, '6'},
    {"port", required_argument, NULL, 'p'},
    {"suites", required_argument, NULL, 'C'},
    {"lan15", required_argument, NULL, 'A'},
    {"no-per-message", no_argument, NULL, NO_PER_MESSAGE},
    {"users", required_argument, NULL, 'u'},
    {"kg", required_argument, NULL, 'k'},
    {"slots", required_argument, NULL, 'S'},
    {"idle-timeout", required_argument, NULL, IDLE_TIMEOUT},
    {"boot-timeout", required_argument, NULL, BOOT_TIMEOUT},
    {"seed", required_argument, NULL, 's'},
    {"log", required_argument, NULL, 'l'},
    {"do", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int take_number(struct farm *farm, int option)
{
	unsigned long value;

	switch (option) {
	case 'n':
		if (parse_number("count", optarg, 1, 1000000, &value) < 0)
			return -1;
		farm->count = (unsigned)value;
		return 0;
	case 'p':
		if (parse_number("port", optarg, 1, UINT16_MAX, &value) < 0)
			return -1;
		farm->port = (uint16_t)value;
		return 0;
	case 'S':
		if (parse_number("slots", optarg, 1, SIM_SLOTS_MAX, &value) < 0)
			return -1;
		farm->profile.slots = (unsigned)value;
		return 0;
	case IDLE_TIMEOUT:
		if (parse_number("idle-timeout", optarg, 1, 86400, &value) < 0)
			return -1;
		farm->profile.idle_us = (int64_t)value * 1000000;
		return 0;
	case BOOT_TIMEOUT:
		if (parse_number("boot-timeout", optarg, 1, 86400, &value) < 0)
			return -1;
		farm->profile.boot_valid_us = (int64_t)value * 1000000;
		return 0;
	default:
		if (parse_number("seed", optarg, 0, ULONG_MAX, &value) < 0)
			return -1;
		farm->seed = value;
		return 0;
	}
}

static int take_option(struct options *o, int option)
{
	struct farm *farm = o->farm;

	switch (option) {
	case 'b':
		return inet_pton(AF_INET, optarg, &farm->base) == 1
			   ? 0
			   : complain("base", optarg, "an IPv4 address");
	case '6':
		farm->ipv6 = true;
		return inet_pton(AF_INET6, optarg, &farm->base6) == 1
			   ? 0
			   : complain("base6", optarg, "an IPv6 address");
	case 'C':
		return parse_suites(&farm->profile, optarg);
	case 'A':
		return parse_lan15(&farm->profile, optarg);
	case NO_PER_MESSAGE:
		farm->profile.per_message_auth = false;
		return 0;
	case 'u':
		return read_users(o, optarg);
	case 'k':
		return read_kg(&farm->profile, optarg);
	case 'l':
		farm->log_path = optarg;
		return 0;
	case 'd':
		if (o->order_count == ORDERS_MAX)
			return complain("do", optarg, "at most 64 of them");
		o->orders[o->order_count++] = optarg;
		return 0;
	default:
		return take_number(farm, option);
	}
}

/* Consecutive addresses that are all usable: 127.255.255.255 is the loopback's broadcast address. */
static int check_addresses(const struct farm *farm)
{
	uint64_t last = (uint64_t)ntohl(farm->base.s_addr) + farm->count - 1;
	uint64_t last6 = (uint64_t)ntohl(farm->base6.s6_addr32[3]) + farm->count - 1;

	if (last >= (ntohl(farm->base.s_addr) >> 24 == 127 ? 0x7fffffffU : UINT32_MAX) ||
	    (farm->ipv6 && last6 > UINT32_MAX)) {
		fprintf(stderr, "bmcfarm: %u addresses do not fit from --base on: begin lower\n",
			farm->count);
		return -1;
	}
	return 0;
}

/* -1: usage; 1: nothing is left to do */
static int parse_options(struct options *o, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "n:b:6:p:C:A:u:k:S:s:l:d:h", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (option == '?' || take_option(o, option) < 0)
			return -1;
	}
	if (optind < argc) {
		fprintf(stderr, "bmcfarm: %s: only options are taken; --help lists them\n", argv[optind]);
		return -1;
	}
	if (!o->own_users)
		sim_profile_user(&o->farm->profile, "admin", "secret", SIM_ADMINISTRATOR);
	return check_addresses(o->farm);
}

/* ---- life ---- */

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	uv_stop(signal->loop);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct farm *farm = prepare->data;

	farm_net_flush(farm);
	if (farm->log)
		fflush(farm->log);
}

static int make_bmcs(struct farm *farm)
{
	size_t size = sim_sessions_size(&farm->profile);
	int64_t now_us = farm_now_us();

	farm->bmcs = calloc(farm->count, sizeof(*farm->bmcs));
	farm->sessions = calloc(farm->count, size);
	farm->gaps = calloc(FARM_GAP_MAX_MS, sizeof(*farm->gaps));
	if (!farm->bmcs || !farm->sessions || !farm->gaps) {
		fprintf(stderr, "bmcfarm: not enough memory for %u BMCs\n", farm->count);
		return -1;
	}
	farm->profile.effect = farm_effect;
	farm->profile.data = farm;
	for (unsigned i = 0; i < farm->count; i++)
		sim_bmc_init(&farm->bmcs[i].bmc, &farm->profile, (char *)farm->sessions + i * size, i + 1,
			     farm->seed, now_us);
	return 0;
}

static void start(struct farm *farm)
{
	farm_timer_init(farm);
	uv_prepare_init(farm->loop, &farm->prepare);
	farm->prepare.data = farm;
	uv_prepare_start(&farm->prepare, on_prepare);
	uv_signal_init(farm->loop, &farm->sigterm);
	uv_signal_start(&farm->sigterm, on_signal, SIGTERM);
	uv_signal_init(farm->loop, &farm->sigint);
	uv_signal_start(&farm->sigint, on_signal, SIGINT);
	signal(SIGPIPE, SIG_IGN);
}

static void stop(struct farm *farm)
{
	farm_net_close(farm);
	farm_timer_close(farm);
	uv_close((uv_handle_t *)&farm->prepare, NULL);
	uv_close((uv_handle_t *)&farm->sigterm, NULL);
	uv_close((uv_handle_t *)&farm->sigint, NULL);
	if (farm->controlled)
		uv_close((uv_handle_t *)&farm->control_poll, NULL);
	uv_run(farm->loop, UV_RUN_DEFAULT);
	uv_loop_close(farm->loop);
	for (unsigned i = 0; i < farm->count; i++)
		free(farm->bmcs[i].held);
}

static void tell_ready(const struct farm *farm)
{
	char first[INET_ADDRSTRLEN], first6[INET6_ADDRSTRLEN] = "";
	struct rusage usage;

	inet_ntop(AF_INET, &farm->base, first, sizeof(first));
	if (farm->ipv6)
		inet_ntop(AF_INET6, &farm->base6, first6, sizeof(first6));
	getrusage(RUSAGE_SELF, &usage);
	printf("listening %u BMCs from %s%s%s port %u, %ld KiB\n", farm->count, first,
	       farm->ipv6 ? " and " : "", first6, farm->port, usage.ru_maxrss);
	fflush(stdout);
}

/* --do: what it answers is of no interest, unless it is wrong. */
static int begin_with(struct farm *farm, char *line)
{
	char *answer = NULL;
	size_t size;
	FILE *out = open_memstream(&answer, &size);
	int result;

	if (!out)
		return -1;
	result = farm_control_line(farm, line, out);
	fclose(out);
	if (result < 0)
		fprintf(stderr, "bmcfarm: --do: %s", answer);
	free(answer);
	return result;
}

/* The exit status of what went wrong; 0: it listens. */
static int begin(struct options *o)
{
	struct farm *farm = o->farm;

	if (farm_net_open(farm) < 0)
		return EXIT_START;
	farm_reset(farm);
	for (unsigned i = 0; i < o->order_count; i++)
		if (begin_with(farm, o->orders[i]) < 0)
			return EXIT_USAGE;
	tell_ready(farm);
	return 0;
}

static int run(struct options *o)
{
	struct farm *farm = o->farm;
	uv_loop_t loop;
	int result;

	if (farm_log_open(farm) < 0 || make_bmcs(farm) < 0 || uv_loop_init(&loop) < 0)
		return EXIT_START;
	farm->loop = &loop;
	start(farm);
	result = begin(o);
	if (result == 0) {
		farm_control_init(farm);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
	stop(farm);
	return result;
}

int main(int argc, char **argv)
{
	static struct farm farm;
	struct options o = {.farm = &farm};
	int result;

	farm.count = 1000;
	farm.port = 623;
	farm.seed = 1;
	farm.base.s_addr = htonl(0x7f010001);
	sim_crypto_init();
	sim_profile_init(&farm.profile);
	result = parse_options(&o, argc, argv);
	if (result != 0)
		return result > 0 ? EXIT_SUCCESS : EXIT_USAGE;
	result = run(&o);
	if (farm.log)
		fclose(farm.log);
	free(farm.bmcs);
	free(farm.sessions);
	free(farm.gaps);
	return result;
}
