/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drives the driver of hosts from a shell test: does what is asked on standard input, and prints what comes of it.
 *
 *   host_client [-d CONTROL-DIRECTORY] [-p PARALLEL] [-t TIMEOUT-MS] [-i IDENTITY-FILE] [-k KNOWN-HOSTS-FILE] [-w STOP-MS] HOST...
 *
 * HOST is [USER@]ADDRESS[,PORT], or the path of a socket. One line for each thing that happens, with milliseconds of the wall clock
 * and the number of the host, from 1:
 *   MS N reply VERB RESULT sent|unsent TEXT
 *   MS N report BOOT-ID UUID|- VERSION up=SECONDS suspend=yes|no hibernate=yes|no
 *   MS N port NAME MAC PERMANENT-MAC unknown|notSupported|disarmed|armed          (after a report, and after arm-wol)
 *   MS tick                                                                       (the loop turns: on command)
 *   MS stopped
 * Lines of input: [N|*] VERB [ARGUMENT...] with the arguments of the verb, deadline=MS and boot=BOOT-ID, where VERB is report
 * poweroff reboot suspend hibernate init arm-wol; or cancel (all of the host), close, reopen; parallel COUNT; tick;
 * the end of the input is the end.
 */
#include "agent/host/host.h"
#include "agent/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HOSTS_MAX 1024
#define OPS_MAX   8192

struct client {
	struct host_client *host;
	const char *name;
	unsigned number;
};

struct asked {
	struct client *client;
	enum host_verb verb;
	struct host_op *op;
};

static struct {
	uv_loop_t loop;
	struct host_runner *runner;
	struct host_options options;
	struct host_runner_options runner_options;
	unsigned stop_ms;
	struct client clients[HOSTS_MAX];
	unsigned count;
	struct asked ops[OPS_MAX];
	uv_pipe_t input;
	char line[65536];
	size_t length;
} run = {.options = {.timeout_ms = 10000, .identity_file = "id", .known_hosts_file = "known_hosts"},
	 .runner_options = {.parallel = 4},
	 .stop_ms = 4000};

static const char *const results[] = {
    "?",           "OK",        "REFUSED",     "UNSUPPORTED", "OTHER_BOOT", "NOT_PERMITTED", "FAILED",
    "AUTH_FAILED", "NO_HELPER", "UNREACHABLE", "TIMEOUT",     "CANCELLED",  "NO_MEMORY"};
static const char *const wols[] = {"?", "unknown", "notSupported", "disarmed", "armed"};
static const char *const verbs[] = {"?",       "report",    "poweroff", "reboot",
				    "suspend", "hibernate", "init",     "arm-wol"};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- answers ------------------------------------------------------------------------------------- */

static const char *mac_text(const uint8_t mac[6], char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

static void show_ports(const struct client *client, const struct host_port *ports, size_t count)
{
	char mac[18], permanent[18];

	for (size_t i = 0; i < count; i++)
		printf("%lld %u port %s %s %s %s\n", now_ms(), client->number, ports[i].name,
		       mac_text(ports[i].mac, mac), mac_text(ports[i].permanent_mac, permanent),
		       wols[ports[i].wol]);
}

static void show_report(const struct client *client, const struct host_report *report)
{
	printf("%lld %u report %s %s %s up=%llu suspend=%s hibernate=%s\n", now_ms(), client->number,
	       report->boot_id, report->uuid[0] ? report->uuid : "-", report->version,
	       (unsigned long long)report->uptime_s, report->can_suspend ? "yes" : "no",
	       report->can_hibernate ? "yes" : "no");
	show_ports(client, report->ports, report->port_count);
}

static void on_done(const struct host_reply *reply, void *data)
{
	struct asked *asked = data;

	asked->op = NULL;
	printf("%lld %u reply %s %s %s %s\n", now_ms(), asked->client->number, verbs[asked->verb],
	       results[reply->result], reply->sent ? "sent" : "unsent", reply->text);
	if (reply->report)
		show_report(asked->client, reply->report);
	show_ports(asked->client, reply->ports, reply->port_count);
}

/* --- requests ------------------------------------------------------------------------------------ */

static struct asked *free_slot(void)
{
	for (unsigned i = 0; i < OPS_MAX; i++)
		if (!run.ops[i].op)
			return &run.ops[i];
	abort();
}

struct words {
	unsigned init_level;
	char boot_id[HOST_ID_SIZE];
	uint8_t macs[HOST_MACS_MAX][6];
	size_t mac_count;
	unsigned deadline_ms;
};

static void read_word(struct words *words, const char *word)
{
	unsigned octets[6];

	if (sscanf(word, "deadline=%u", &words->deadline_ms) == 1 ||
	    sscanf(word, "boot=%36s", words->boot_id) == 1)
		return;
	if (sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x", &octets[0], &octets[1], &octets[2], &octets[3],
		   &octets[4], &octets[5]) == 6) {
		for (size_t i = 0; i < 6; i++)
			words->macs[words->mac_count][i] = (uint8_t)octets[i];
		words->mac_count++;
	} else {
		words->init_level = (unsigned)atoi(word);
	}
}

static void submit(struct client *client, enum host_verb verb, const struct words *words)
{
	struct asked *asked = free_slot();
	struct host_request request = {.verb = verb,
				       .init_level = words->init_level,
				       .boot_id = words->boot_id[0] ? words->boot_id : NULL,
				       .macs = (const uint8_t(*)[6])words->macs,
				       .mac_count = words->mac_count,
				       .deadline_ms = words->deadline_ms,
				       .done = on_done,
				       .data = asked};

	*asked = (struct asked){.client = client, .verb = verb};
	asked->op = host_ssh.submit(client->host, &request);
}

static void cancel(const struct client *client)
{
	for (unsigned i = 0; i < OPS_MAX; i++)
		if (run.ops[i].op && run.ops[i].client == client)
			host_ssh.cancel(run.ops[i].op);
}

/* --- hosts --------------------------------------------------------------------------------------- */

static void open_host(struct client *client)
{
	struct host_options options = run.options;
	char *name = strdup(client->name), *address = name, *at = strchr(name, '@'),
	     *comma = strrchr(name, ',');

	options.label = client->name;
	if (*name == '/') {
		options.socket = name;
	} else {
		if (comma) {
			*comma = '\0';
			options.port = (uint16_t)atoi(comma + 1);
		}
		if (at) {
			*at = '\0';
			options.user = name;
			address = at + 1;
		}
		options.address = address;
	}
	client->host = host_ssh.open(run.runner, &options);
	free(name);
}

static void close_host(struct client *client)
{
	if (client->host)
		host_ssh.close(client->host);
	client->host = NULL;
}

/* --- input --------------------------------------------------------------------------------------- */

static void obey(struct client *client, const char *verb, const struct words *words)
{
	for (unsigned i = HOST_REPORT; client->host && i <= HOST_ARM_WOL; i++)
		if (strcmp(verb, verbs[i]) == 0) {
			submit(client, (enum host_verb)i, words);
			return;
		}
	if (strcmp(verb, "reopen") == 0 && !client->host)
		open_host(client);
	else if (!client->host)
		printf("%lld %u is closed\n", now_ms(), client->number);
	else if (strcmp(verb, "cancel") == 0)
		cancel(client);
	else if (strcmp(verb, "close") == 0)
		close_host(client);
	else
		printf("%lld unknown command %s\n", now_ms(), verb);
}

static void obey_line(char *line)
{
	char *word = strtok(line, " "), *verb = word;
	struct words words = {0};
	unsigned number = 0;
	bool all = word && strcmp(word, "*") == 0;

	if (all || (word && sscanf(word, "%u", &number) == 1))
		verb = strtok(NULL, " ");
	while (verb && (word = strtok(NULL, " ")))
		read_word(&words, word);
	if (!verb)
		return;
	if (strcmp(verb, "parallel") == 0)
		host_ssh.set_parallel(run.runner, words.init_level);
	else if (strcmp(verb, "tick") == 0)
		printf("%lld tick\n", now_ms());
	else
		for (unsigned i = 0; i < run.count; i++)
			if (all || i + 1 == (number ? number : 1))
				obey(&run.clients[i], verb, &words);
}

static void on_stopped(void *data)
{
	(void)data;
	printf("%lld stopped\n", now_ms());
}

static void end(void)
{
	uv_close((uv_handle_t *)&run.input, NULL);
	for (unsigned i = 0; i < run.count; i++)
		close_host(&run.clients[i]);
	host_ssh.stop(run.runner, run.stop_ms, on_stopped, NULL);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle, (void)suggested;
	*buffer = uv_buf_init(run.line + run.length, (unsigned)(sizeof(run.line) - run.length - 1));
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
	char *line = run.line, *newline;

	(void)stream, (void)buffer;
	if (got < 0) {
		end();
		return;
	}
	run.length += (size_t)got;
	run.line[run.length] = '\0';
	while ((newline = strchr(line, '\n'))) {
		*newline = '\0';
		obey_line(line);
		line = newline + 1;
	}
	run.length = strlen(line);
	memmove(run.line, line, run.length + 1);
}

static bool read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "d:p:t:i:k:w:")) != -1) {
		if (option == 'd')
			run.runner_options.control_directory = optarg;
		else if (option == 'p')
			run.runner_options.parallel = (unsigned)atoi(optarg);
		else if (option == 't')
			run.options.timeout_ms = (unsigned)atoi(optarg);
		else if (option == 'i')
			run.options.identity_file = optarg;
		else if (option == 'k')
			run.options.known_hosts_file = optarg;
		else if (option == 'w')
			run.stop_ms = (unsigned)atoi(optarg);
		else
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_options(argc, argv))
		return 2;
	uv_loop_init(&run.loop);
	run.runner = host_ssh.start(&run.loop, &run.runner_options);
	uv_pipe_init(&run.loop, &run.input, 0);
	uv_pipe_open(&run.input, STDIN_FILENO);
	uv_read_start((uv_stream_t *)&run.input, on_room, on_input);
	for (; optind < argc && run.count < HOSTS_MAX; optind++, run.count++) {
		run.clients[run.count] = (struct client){.name = argv[optind], .number = run.count + 1};
		open_host(&run.clients[run.count]);
	}
	uv_run(&run.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&run.loop) == 0 ? 0 : 1;
}
