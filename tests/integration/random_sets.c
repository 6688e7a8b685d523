/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random SETs by several managers at once, each answer judged by what docs/mib.md prescribes.
 *
 *   random_sets objects                             names every object that it writes
 *   random_sets PEER run SEED SETS MANAGERS LOG      see below; the same SEED asks for the same. LOG: all of it
 *   random_sets PEER finish MACHINES                 aborts every job that is active, and waits until none is
 *
 * MANAGERS managers of their own, each with five machines that nobody else touches (pmIndex 1 to 5 for the first), with a
 * BMC, with a BMC that is dead, with a NIC only, with nothing, with BMC and stack; and two managers who share five more.
 * Each asks the next when it has its answer, so that many requests are in flight. Every manager has a group of its
 * machines, "g1" and so on; "shared" is that of the others. Prints what it asked for, in numbers. Exit status 1, with each
 * wrong answer on standard error, when there was one.
 */
#include "tests/bench/session.h"
#include "tests/integration/random_judge.h"

#include <sys/select.h>

#define SHARERS      2
#define ACTORS_MAX   32
#define SESSIONS_MAX 8

static struct actor actors[ACTORS_MAX];
static unsigned actor_count;
static struct machine machines[ACTORS_MAX * KIND_COUNT];

/* --- asking ----------------------------------------------------------------------------------------------------------- */

static void prepare_get(struct actor *actor)
{
	struct machine *machine = any_machine(actor);
	struct job_row *row = &machine->rows[choose(actor, ROW_COUNT)];

	actor->count = 0;
	if (PERCENT(60)) {
		job_varbind(machine, row, actor, J_STATE);
		job_varbind(machine, row, actor, J_ROW_STATUS);
	} else {
		struct varbind *v = new_varbind(actor, MACHINE, 21);

		v->machine = machine;
		add_index(v, machine->index);
	}
}

static bool send_request(struct actor *actor)
{
	netsnmp_pdu *pdu = snmp_pdu_create(actor->reading ? SNMP_MSG_GET : SNMP_MSG_SET);

	for (size_t i = 0; i < actor->count; i++) {
		if (actor->reading)
			snmp_add_null_var(pdu, actor->varbinds[i].name, actor->varbinds[i].length);
		else
			add_value(pdu, &actor->varbinds[i]);
	}
	actor->waiting = true;
	actor->inhibits = agent.inhibits;
	actor->inhibited = inhibited_now();
	if (sets_inhibit(actor)) {
		agent.inhibits++;
		agent.in_flight = true;
	}
	if (snmp_async_send(actor->session, pdu, answered, actor)) {
		total.most_in_flight =
		    ++total.in_flight > total.most_in_flight ? total.in_flight : total.most_in_flight;
		return true;
	}
	snmp_sess_perror("send", actor->session);
	snmp_free_pdu(pdu);
	return false;
}

static bool ask_next(struct actor *actor)
{
	actor->reading = PERCENT(15);
	if (actor->reading) {
		prepare_get(actor);
		total.reads++;
	} else {
		prepare_set(actor);
		total.asked++;
	}
	return send_request(actor);
}

/* Handles what has come, or waits for it a little. */
static void listen_once(void)
{
	struct timeval timeout = {.tv_sec = 1};
	int count = 0, block = 0;
	fd_set fds;

	FD_ZERO(&fds);
	snmp_select_info(&count, &fds, &timeout, &block);
	if (select(count, &fds, NULL, NULL, &timeout) > 0)
		snmp_read(&fds);
	snmp_timeout();
}

static bool run(unsigned long wanted)
{
	bool more = true;

	while (more || total.in_flight) {
		more = total.asked < wanted;
		for (unsigned i = 0; i < actor_count && more; i++) {
			if (!actors[i].waiting && !ask_next(&actors[i]))
				return false;
			more = total.asked < wanted;
		}
		listen_once();
	}
	return true;
}

/* --- given ------------------------------------------------------------------------------------------------------------ */

static void name_row(struct job_row *row, const char *owner, const char *name)
{
	size_t owner_length = strlen(owner), name_length = strlen(name);

	row->index[0] = (uint8_t)owner_length;
	memcpy(row->index + 1, owner, owner_length);
	row->index[1 + owner_length] = (uint8_t)name_length;
	memcpy(row->index + 2 + owner_length, name, name_length);
	row->index_length = 2 + owner_length + name_length;
}

static void make_machine(struct machine *machine, unsigned number, bool wild)
{
	static const char *const names[ROW_COUNT][2] = {
	    {"op", "a"},
	    {"op", "b"},
	    {"\xc3\xa9\xe2\x82\xac", "night shift"},
	    {"an owner of thirty-two octets ..", "a name of thirty-two octets ...!"}};

	machine->index = number + 1;
	machine->kind = (enum kind)(number % KINDS);
	machine->wild = wild || machine->kind == STACKED;
	machine->other = ENDED;
	for (int i = 0; i < ROW_COUNT; i++) {
		name_row(&machine->rows[i], names[i][0], names[i][1]);
		machine->rows[i].states = ABSENT;
		machine->rows[i].spec = default_spec();
	}
}

/* Its value. Returns the answer, to be freed, or NULL with a message on standard error. */
static netsnmp_pdu *read_object(netsnmp_session *session, enum table table, unsigned column, uint32_t index)
{
	oid name[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7747, 1, table, 1, column, index};
	netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_GET);

	snmp_add_null_var(request, name, OID_LENGTH(name));
	return bench_ask(session, request);
}

static bool read_lock(netsnmp_session *session)
{
	netsnmp_pdu *answer = read_object(session, AGENT, 23, 1);
	bool good = answer && answer->variables->type == ASN_INTEGER;

	if (good)
		agent.lock = *answer->variables->val.integer;
	if (answer)
		snmp_free_pdu(answer);
	return good;
}

static bool make_actors(char *program, char *peer, uint64_t seed)
{
	netsnmp_session *sessions[SESSIONS_MAX];

	actor_count = managers + SHARERS;
	for (unsigned i = 0; i < SESSIONS_MAX && i < actor_count; i++)
		if (!(sessions[i] = bench_open(program, peer)))
			return false;
	for (unsigned i = 0; i < (managers + 1) * KINDS; i++)
		make_machine(&machines[i], i, i >= managers * KINDS);
	for (unsigned i = 0; i < actor_count; i++)
		actors[i] = (struct actor){.number = i,
					   .dice = seed * 1000 + i,
					   .session = sessions[i % SESSIONS_MAX],
					   .machines = &machines[(i < managers ? i : managers) * KINDS]};
	return read_lock(sessions[0]);
}

static void print_total(unsigned long seed)
{
	printf(
	    "seed %lu: %lu SETs with %lu varbinds by %u managers, up to %lu in flight, %lu GETs between them; %lu answers foretold"
	    " exactly, %lu wrong\n",
	    seed, total.sets, total.varbinds, actor_count, total.most_in_flight, total.reads, total.exact,
	    total.wrong);
	for (unsigned i = 0; i <= SNMP_ERR_INCONSISTENTNAME; i++)
		if (total.errors[i])
			printf("%s %lu\n", error_name(i), total.errors[i]);
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

/* Aborts the machine's job. Returns 1 when there was one, 0 when not, -1 when nobody answers. */
static int abort_job(netsnmp_session *session, uint32_t machine)
{
	static const long disabled = 2;
	netsnmp_pdu *answer = read_object(session, MACHINE, 21, machine), *request;
	oid name[MAX_OID_LEN];
	size_t length;

	if (!answer || answer->variables->type != ASN_OBJECT_ID)
		return -1;
	length = answer->variables->val_len / sizeof(oid);
	memcpy(name, answer->variables->val.objid, length * sizeof(oid));
	snmp_free_pdu(answer);
	if (length < PREFIX + 2)
		return 0;
	name[PREFIX] = J_ADMIN;
	request = snmp_pdu_create(SNMP_MSG_SET);
	snmp_pdu_add_variable(request, name, length, ASN_INTEGER, &disabled, sizeof(disabled));
	answer = NULL;
	if (snmp_synch_response(session, request, &answer) != STAT_SUCCESS)
		return -1;
	snmp_free_pdu(answer); /* inconsistentValue: it has just ended */
	return 1;
}

static bool finish(netsnmp_session *session, unsigned count)
{
	const double deadline_s = bench_seconds(CLOCK_MONOTONIC) + 60;
	bool busy = true;

	while (busy && bench_seconds(CLOCK_MONOTONIC) < deadline_s) {
		busy = false;
		for (uint32_t i = 1; i <= count; i++) {
			int aborted = abort_job(session, i);

			if (aborted < 0)
				return false;
			busy = busy || aborted;
		}
	}
	if (busy)
		fprintf(stderr, "jobs are active still, 60 s after they were aborted\n");
	return !busy;
}

static int name_objects(void)
{
	for (size_t i = 0; i < OBJECT_COUNT; i++)
		puts(objects[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	netsnmp_session *session;
	unsigned long seed;

	if (argc == 2 && strcmp(argv[1], "objects") == 0)
		return name_objects();
	if (argc == 4 && strcmp(argv[2], "finish") == 0) {
		session = bench_open(argv[0], argv[1]);
		return session && finish(session, (unsigned)atoi(argv[3])) ? 0 : 1;
	}
	if (argc != 7 || strcmp(argv[2], "run") != 0 || atoi(argv[5]) < 1 ||
	    atoi(argv[5]) > ACTORS_MAX - SHARERS) {
		fprintf(
		    stderr,
		    "usage: random_sets objects | PEER run SEED SETS MANAGERS LOG | PEER finish MACHINES\n");
		return 2;
	}
	seed = strtoul(argv[3], NULL, 10);
	managers = (unsigned)atoi(argv[5]);
	asked = fopen(argv[6], "w");
	if (!asked || !make_actors(argv[0], argv[1], seed) || !run(strtoul(argv[4], NULL, 10)))
		return 1;
	fclose(asked);
	print_total(seed);
	return total.wrong ? 1 : 0;
}
