/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Drives the libvirt driver from a shell test: prints what it tells, and does what is asked on standard input.
 *
 *   hypervisor_client [-i LIST_INTERVAL_MS] [-w STOP_MS] URI...
 *
 * One line for each event, with milliseconds of the wall clock and the number of the connection, from 1:
 *   MS N up | MS N list COUNT | MS N down RESULT TEXT | MS N gone NAME [migrated] | MS N rebooted NAME
 *   MS N vm NAME STATE [active] [killed] [saved] [transient] [autostart] cpus=C memory=KIB id=ID      (one after each list for each VM,
 *                                                                                         unless there are more than 50)
 *   MS N reply COMMAND NAME RESULT sent|unsent TEXT
 *   MS stopped THREADS                              (at the end; the threads there still are, with the main one)
 * Lines of input: [N] COMMAND [NAME [DEADLINE_MS]], where COMMAND is start resume wakeup shutdown agent-shutdown destroy reboot
 * reset pause save pm-suspend look; or cancel (all operations), hurry, close, reopen; or threads; the end of the input is the end.
 */
#include "agent/log.h"
#include "agent/stack/stack.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define OPS_MAX         4096
#define SHOWN_MAX       50

struct vm_name {
	char uuid[STACK_UUID_SIZE];
	char name[64];
};

struct client {
	struct stack_connection *connection;
	const char *uri;
	unsigned number;
	struct vm_name *names;
	size_t name_count;
};

struct asked {
	struct client *client;
	const char *command;
	char name[64];
	struct stack_op *op;
};

static struct {
	uv_loop_t loop;
	unsigned list_interval_ms, stop_ms;
	struct client clients[CONNECTIONS_MAX];
	unsigned count;
	struct asked ops[OPS_MAX];
	uv_pipe_t input;
	char line[65536];
	size_t length;
} run = {.list_interval_ms = 60000, .stop_ms = 2000};

static const char *const results[] = {"?",       "OK",          "ALREADY",     "NO_VM",
				      "REFUSED", "UNSUPPORTED", "AUTH_FAILED", "UNREACHABLE",
				      "TIMEOUT", "CANCELLED",   "NO_MEMORY"};

static const char *const states[] = {
    "?",        "unknown", "other",     "preparing",    "running",  "suspending", "suspended",
    "resuming", "paused",  "migrating", "shuttingDown", "shutdown", "crashed"};

static const char *const commands[] = {
    [STACK_START] = "start",           [STACK_RESUME] = "resume",   [STACK_WAKEUP] = "wakeup",
    [STACK_SHUTDOWN] = "shutdown",     [STACK_DESTROY] = "destroy", [STACK_REBOOT] = "reboot",
    [STACK_RESET] = "reset",           [STACK_PAUSE] = "pause",     [STACK_SAVE] = "save",
    [STACK_PM_SUSPEND] = "pm-suspend", [STACK_LOOK] = "look"};

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- names --------------------------------------------------------------------------------------- */

static struct vm_name *find(struct client *client, const char *name, const char *uuid)
{
	for (size_t i = 0; i < client->name_count; i++)
		if (name ? strcmp(client->names[i].name, name) == 0
			 : strcmp(client->names[i].uuid, uuid) == 0)
			return &client->names[i];
	return NULL;
}

static const char *name_of(struct client *client, const char *uuid)
{
	const struct vm_name *known = find(client, NULL, uuid);

	return known ? known->name : uuid;
}

static void learn(struct client *client, const struct stack_vm *vm)
{
	struct vm_name *known = find(client, NULL, vm->uuid);

	if (!known) {
		client->names = realloc(client->names, (client->name_count + 1) * sizeof(*client->names));
		if (!client->names)
			abort();
		known = &client->names[client->name_count++];
		memcpy(known->uuid, vm->uuid, sizeof(known->uuid));
	}
	snprintf(known->name, sizeof(known->name), "%.63s", vm->name);
}

/* --- events --------------------------------------------------------------------------------------- */

static void show(struct client *client, const struct stack_vm *vm)
{
	learn(client, vm);
	printf("%lld %u vm %s %s%s%s%s%s%s cpus=%u memory=%llu id=%d\n", now_ms(), client->number, vm->name,
	       states[vm->state], vm->active ? " active" : "", vm->killed ? " killed" : "",
	       vm->saved ? " saved" : "", vm->persistent ? "" : " transient",
	       vm->autostart ? " autostart" : "", vm->cpus, (unsigned long long)vm->memory_kib, vm->id);
}

static void show_list(struct client *client, const struct stack_event *event)
{
	printf("%lld %u list %zu\n", now_ms(), client->number, event->count);
	for (size_t i = 0; event->count <= SHOWN_MAX && i < event->count; i++)
		show(client, &event->vms[i]);
}

static void on_event(const struct stack_event *event, void *data)
{
	struct client *client = data;

	switch (event->type) {
	case STACK_UP:
		printf("%lld %u up\n", now_ms(), client->number);
		break;
	case STACK_LIST:
		show_list(client, event);
		break;
	case STACK_VM:
		show(client, event->vms);
		break;
	case STACK_VM_GONE:
		printf("%lld %u gone %s%s\n", now_ms(), client->number, name_of(client, event->uuid),
		       event->migrated ? " migrated" : "");
		break;
	case STACK_REBOOTED:
		printf("%lld %u rebooted %s\n", now_ms(), client->number, name_of(client, event->uuid));
		break;
	case STACK_DOWN:
		printf("%lld %u down %s %s\n", now_ms(), client->number, results[event->result], event->text);
		break;
	}
}

static void open_client(struct client *client)
{
	char label[32];
	const struct stack_options options = {.uri = client->uri,
					      .label = label,
					      .list_interval_ms = run.list_interval_ms,
					      .on_event = on_event,
					      .data = client};

	snprintf(label, sizeof(label), "connection %u", client->number);
	client->connection = stack_libvirt.open(&run.loop, &options);
	if (!client->connection)
		printf("%lld %u not opened\n", now_ms(), client->number);
}

static void close_client(struct client *client)
{
	if (client->connection)
		stack_libvirt.close(client->connection);
	client->connection = NULL;
}

/* --- operations ------------------------------------------------------------------------------------ */

static void on_done(const struct stack_reply *reply, void *data)
{
	struct asked *asked = data;

	asked->op = NULL;
	printf("%lld %u reply %s %s %s %s %s\n", now_ms(), asked->client->number, asked->command, asked->name,
	       results[reply->result], reply->sent ? "sent" : "unsent", reply->text);
}

static struct asked *free_slot(void)
{
	for (unsigned i = 0; i < OPS_MAX; i++)
		if (!run.ops[i].op)
			return &run.ops[i];
	abort();
}

static void submit(struct client *client, enum stack_command command, bool agent, const char *name,
		   unsigned deadline_ms)
{
	struct stack_request request = {.command = command,
					.agent = agent,
					.deadline_ms = deadline_ms ? deadline_ms : 30000,
					.done = on_done};
	struct vm_name *known = find(client, name, NULL);
	struct asked *asked = free_slot();

	*asked = (struct asked){.client = client, .command = agent ? "agent-shutdown" : commands[command]};
	snprintf(asked->name, sizeof(asked->name), "%s", *name ? name : "-");
	snprintf(request.uuid, sizeof(request.uuid), "%s", known ? known->uuid : name);
	request.data = asked;
	asked->op = stack_libvirt.submit(client->connection, &request);
}

static void cancel_all(const struct client *client)
{
	for (unsigned i = 0; i < OPS_MAX; i++)
		if (run.ops[i].op && run.ops[i].client == client)
			stack_libvirt.cancel(run.ops[i].op);
}

static unsigned count_threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	unsigned count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count > 2 ? count - 2 : 0;
}

static void obey(struct client *client, const char *word, const char *name, unsigned deadline_ms)
{
	bool agent = strcmp(word, "agent-shutdown") == 0;

	for (enum stack_command command = STACK_START; client->connection && command <= STACK_LOOK; command++)
		if (strcmp(agent ? "shutdown" : word, commands[command]) == 0) {
			submit(client, command, agent, name, deadline_ms);
			return;
		}
	if (strcmp(word, "threads") == 0)
		printf("%lld threads %u\n", now_ms(), count_threads());
	else if (strcmp(word, "reopen") == 0 && !client->connection)
		open_client(client);
	else if (!client->connection)
		printf("%lld %u is closed\n", now_ms(), client->number);
	else if (strcmp(word, "cancel") == 0)
		cancel_all(client);
	else if (strcmp(word, "hurry") == 0)
		stack_libvirt.hurry(client->connection);
	else if (strcmp(word, "close") == 0)
		close_client(client);
	else
		printf("%lld unknown command %s\n", now_ms(), word);
}

static void obey_line(char *line)
{
	char word[32] = "", name[64] = "";
	unsigned number = 1, deadline_ms = 0;
	int used = 0;

	if (sscanf(line, "%u %n", &number, &used) < 1)
		used = 0;
	sscanf(line + used, "%31s %63s %u", word, name, &deadline_ms);
	if (number >= 1 && number <= run.count && *word)
		obey(&run.clients[number - 1], word, name, deadline_ms);
}

/* --- input ------------------------------------------------------------------------------------------- */

/* A thread that has said that it ends still needs a moment. */
static void on_stopped(void *data)
{
	(void)data;
	for (int i = 0; i < 50 && count_threads() > 1; i++)
		usleep(10000);
	printf("%lld stopped %u\n", now_ms(), count_threads());
}

static void end(void)
{
	uv_close((uv_handle_t *)&run.input, NULL);
	for (unsigned i = 0; i < run.count; i++)
		close_client(&run.clients[i]);
	stack_libvirt.stop(&run.loop, run.stop_ms, on_stopped, NULL);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(run.line + run.length, (unsigned)(sizeof(run.line) - run.length - 1));
}

static void on_input(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
	char *line = run.line, *newline;

	(void)stream;
	(void)buffer;
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
	memmove(run.line, line, run.length);
}

int main(int argc, char **argv)
{
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "i:w:v")) != -1) {
		if (option == 'i')
			run.list_interval_ms = (unsigned)atoi(optarg);
		else if (option == 'w')
			run.stop_ms = (unsigned)atoi(optarg);
		else if (option == 'v')
			pm_log_open(PM_LOG_STDERR, LOG_DEBUG);
		else
			return 2;
	}
	uv_loop_init(&run.loop);
	uv_pipe_init(&run.loop, &run.input, 0);
	uv_pipe_open(&run.input, STDIN_FILENO);
	uv_read_start((uv_stream_t *)&run.input, on_room, on_input);
	for (; optind < argc && run.count < CONNECTIONS_MAX; optind++, run.count++) {
		run.clients[run.count] = (struct client){.uri = argv[optind], .number = run.count + 1};
		open_client(&run.clients[run.count]);
	}
	uv_run(&run.loop, UV_RUN_DEFAULT);
	for (unsigned i = 0; i < run.count; i++)
		free(run.clients[i].names);
	if (stack_libvirt.abandoned && stack_libvirt.abandoned())
		_exit(0);
	return uv_loop_close(&run.loop) == 0 ? 0 : 1;
}
