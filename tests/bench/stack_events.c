/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From libvirt's event to pmVmTable and to the notification. Both programs, this one and pmstackd, hear of a change at the
 * same time, from the same libvirtd; this one caused it.
 *
 *   stack_events PEER TRAP_PORT one TIMES <URIS
 *       changes one VM after the other, a random one, by libvirt's suspend or resume. Prints for each
 *       TABLE_US NOTIFICATION_US: from when this program was told of the event by libvirt until pmVmState had the new
 *       value in an answer (asked for again and again), and until pmVmStateChange came.
 *   stack_events PEER TRAP_PORT all <URIS
 *       changes all VMs, as fast as libvirtd takes it. Prints for each NOTIFICATION_US, then a line
 *       "last EVENTS_US NOTIFICATIONS_US": from the first event until the last one, and until the last notification; by then
 *       all rows of pmVmTable must have the new value.
 *
 * URIS: one a line, whose active VMs are those that count. Version and community of PEER come from snmp.conf; notifications are
 * taken from any sender. Exit status 1, with a message, when something does not come within 20 s.
 */
#include "tests/bench/session.h"

#include <libvirt/libvirt.h>

#include <net-snmp/library/large_fd_set.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define URIS_MAX  64
#define VMS_MAX   10000
#define LIMIT_S   20.0
#define UUID_TEXT 36
#define RUNNING   4 /* PmVmStateTC */
#define PAUSED    8
#define PMSTACK   1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7747
#define REPEAT    50 /* rows in an answer */

static const oid vm_entry[] = {PMSTACK, 1, 5, 1};
#define COLUMN_UUID  3
#define COLUMN_STATE 7
#define INDEX_PLACE  (OID_LENGTH(vm_entry) + 1) /* of pmIndex, pmVmIndex in the name of an instance */

struct vm {
	virDomainPtr domain;
	char uuid[UUID_TEXT + 1];
	oid machine, index;
	bool running;    /* as it is to be */
	double event_s;  /* written by libvirt's thread, under lock; 0: not yet */
	double notice_s; /* 0: not yet */
};

static struct {
	netsnmp_session *manager, *listener;
	virConnectPtr connections[URIS_MAX];
	size_t uri_count;
	struct vm vms[VMS_MAX];
	size_t count;
	size_t by_index[VMS_MAX]; /* places in vms, ascending by machine and index */
	pthread_mutex_t lock;
	size_t notices;
	bool failed;
} bench = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool complain(const char *what, const char *why)
{
	fprintf(stderr, "stack_events: %s: %s\n", what, why);
	return false;
}

/* --- libvirt ------------------------------------------------------------------------------------------------------------ */

static int by_uuid(const void *a, const void *b)
{
	return strcmp(((const struct vm *)a)->uuid, ((const struct vm *)b)->uuid);
}

static struct vm *find_uuid(const char *uuid)
{
	struct vm key = {.domain = NULL};

	snprintf(key.uuid, sizeof(key.uuid), "%s", uuid);
	return bsearch(&key, bench.vms, bench.count, sizeof(key), by_uuid);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	double now_s = bench_seconds(CLOCK_MONOTONIC);
	struct vm *vm;

	(void)connection;
	(void)detail;
	(void)data;
	if (event != VIR_DOMAIN_EVENT_SUSPENDED && event != VIR_DOMAIN_EVENT_RESUMED)
		return 0;
	virDomainGetUUIDString(domain, uuid);
	vm = find_uuid(uuid);
	pthread_mutex_lock(&bench.lock);
	if (vm)
		vm->event_s = now_s;
	pthread_mutex_unlock(&bench.lock);
	return 0;
}

static void *run_events(void *data)
{
	(void)data;
	for (;;)
		virEventRunDefaultImpl();
	return NULL;
}

static bool add_vms(virConnectPtr connection)
{
	virDomainPtr *domains = NULL;
	int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	for (int i = 0; i < count; i++) {
		struct vm *vm = &bench.vms[bench.count];
		int state = 0;

		if (bench.count == VMS_MAX)
			return complain("VMs", "too many");
		vm->domain = domains[i];
		vm->running =
		    virDomainGetState(domains[i], &state, NULL, 0) == 0 && state == VIR_DOMAIN_RUNNING;
		virDomainGetUUIDString(domains[i], vm->uuid);
		bench.count++;
	}
	free(domains);
	return count >= 0;
}

static bool connect_all(void)
{
	char line[1024];
	pthread_t thread;

	virEventRegisterDefaultImpl();
	while (fgets(line, sizeof(line), stdin) && bench.uri_count < URIS_MAX) {
		line[strcspn(line, "\n")] = '\0';
		bench.connections[bench.uri_count] = virConnectOpen(line);
		if (!bench.connections[bench.uri_count] || !add_vms(bench.connections[bench.uri_count]))
			return complain(line, "no connection");
		bench.uri_count++;
	}
	if (bench.count == 0)
		return complain("VMs", "none is active");
	qsort(bench.vms, bench.count, sizeof(*bench.vms), by_uuid);
	for (size_t i = 0; i < bench.uri_count; i++)
		if (virConnectDomainEventRegisterAny(bench.connections[i], NULL,
						     VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						     VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), NULL, NULL) < 0)
			return complain("events", "cannot be registered");
	return pthread_create(&thread, NULL, run_events, NULL) == 0 && pthread_detach(thread) == 0;
}

static double event_of(struct vm *vm)
{
	double event_s;

	pthread_mutex_lock(&bench.lock);
	event_s = vm->event_s;
	pthread_mutex_unlock(&bench.lock);
	return event_s;
}

static bool toggle(struct vm *vm)
{
	vm->event_s = vm->notice_s = 0;
	vm->running = !vm->running;
	if ((vm->running ? virDomainResume(vm->domain) : virDomainSuspend(vm->domain)) < 0)
		return complain(vm->uuid, "libvirt refuses");
	return true;
}

static long wanted(const struct vm *vm)
{
	return vm->running ? RUNNING : PAUSED;
}

/* --- pmVmTable ---------------------------------------------------------------------------------------------------------- */

static int by_index(const void *a, const void *b)
{
	const struct vm *x = &bench.vms[*(const size_t *)a], *y = &bench.vms[*(const size_t *)b];

	if (x->machine != y->machine)
		return x->machine < y->machine ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static struct vm *find_index(oid machine, oid index)
{
	size_t low = 0, high = bench.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct vm *vm = &bench.vms[bench.by_index[middle]];

		if (vm->machine == machine && vm->index == index)
			return vm;
		if (vm->machine < machine || (vm->machine == machine && vm->index < index))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static size_t instance(oid *name, oid column, oid machine, oid index)
{
	memcpy(name, vm_entry, sizeof(vm_entry));
	name[OID_LENGTH(vm_entry)] = column;
	name[INDEX_PLACE] = machine;
	name[INDEX_PLACE + 1] = index;
	return INDEX_PLACE + 2;
}

static bool is_instance(const netsnmp_variable_list *v, oid column)
{
	return v->name_length == INDEX_PLACE + 2 && memcmp(v->name, vm_entry, sizeof(vm_entry)) == 0 &&
	       v->name[OID_LENGTH(vm_entry)] == column;
}

/* Calls each for every instance of a column; false when an answer is missing. */
static bool walk(oid column, bool (*each)(const netsnmp_variable_list *v, size_t number))
{
	oid name[MAX_OID_LEN];
	size_t length = instance(name, column, 0, 0), number = 0;
	bool more = true, good = true;

	while (more && good) {
		netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_GETBULK), *answer;

		request->non_repeaters = 0;
		request->max_repetitions = REPEAT;
		snmp_add_null_var(request, name, length);
		answer = bench_ask(bench.manager, request);
		if (!answer)
			return false;
		more = answer->variables != NULL;
		for (netsnmp_variable_list *v = answer->variables; v && more && good; v = v->next_variable) {
			more = is_instance(v, column);
			if (more)
				good = each(v, number++);
			memcpy(name, v->name, v->name_length * sizeof(oid));
			length = v->name_length;
		}
		snmp_free_pdu(answer);
	}
	return good;
}

static bool take_uuid(const netsnmp_variable_list *v, size_t number)
{
	char uuid[UUID_TEXT + 1];
	struct vm *vm;

	snprintf(uuid, sizeof(uuid), "%.*s", (int)v->val_len, (const char *)v->val.string);
	vm = find_uuid(uuid);
	if (!vm || number >= bench.count)
		return complain(uuid, "a row that libvirt does not know");
	vm->machine = v->name[INDEX_PLACE];
	vm->index = v->name[INDEX_PLACE + 1];
	bench.by_index[number] = (size_t)(vm - bench.vms);
	return true;
}

static bool find_rows(void)
{
	if (!walk(COLUMN_UUID, take_uuid))
		return false;
	for (size_t i = 0; i < bench.count; i++)
		if (!bench.vms[i].index)
			return complain(bench.vms[i].uuid, "has no row");
	qsort(bench.by_index, bench.count, sizeof(*bench.by_index), by_index);
	return true;
}

/* --- notifications ------------------------------------------------------------------------------------------------------ */

static int on_notification(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *data)
{
	double now_s = bench_seconds(CLOCK_MONOTONIC);

	(void)session;
	(void)id;
	(void)data;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || !pdu)
		return 1;
	for (netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable) {
		struct vm *vm;

		if (!is_instance(v, COLUMN_STATE))
			continue;
		vm = find_index(v->name[INDEX_PLACE], v->name[INDEX_PLACE + 1]);
		if (vm && vm->notice_s == 0 && v->val.integer && *v->val.integer == wanted(vm)) {
			vm->notice_s = now_s;
			bench.notices++;
		}
	}
	return 1;
}

static bool listen_to(const char *port)
{
	netsnmp_session session;
	netsnmp_transport *transport;
	char address[64];

	snprintf(address, sizeof(address), "udp:127.0.0.1:%s", port);
	transport = netsnmp_transport_open_server("snmptrap", address);
	if (!transport)
		return complain(address, "cannot listen");
	snmp_sess_init(&session);
	session.peername = SNMP_DEFAULT_PEERNAME;
	session.version = SNMP_DEFAULT_VERSION;
	session.callback = on_notification;
	session.isAuthoritative = SNMP_SESS_UNKNOWNAUTH;
	bench.listener = snmp_add(&session, transport, NULL, NULL);
	return bench.listener || complain(address, "no session");
}

/* Reads what there is, for so long at most. */
static void take_in(double seconds)
{
	struct timeval timeout = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
	netsnmp_large_fd_set fds;
	int count = 0, block = 0;

	netsnmp_large_fd_set_init(&fds, FD_SETSIZE);
	snmp_select_info2(&count, &fds, &timeout, &block);
	if (netsnmp_large_fd_set_select(count, &fds, NULL, NULL, &timeout) > 0)
		snmp_read2(&fds);
	else
		snmp_timeout();
	netsnmp_large_fd_set_cleanup(&fds);
}

/* --- one after the other ------------------------------------------------------------------------------------------------ */

struct question {
	bool under_way;
	double shown_s; /* 0: not yet */
	long wanted;
};

static int on_state(int operation, netsnmp_session *session, int id, netsnmp_pdu *answer, void *data)
{
	struct question *question = data;

	(void)session;
	(void)id;
	question->under_way = false;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && answer->errstat == SNMP_ERR_NOERROR &&
	    answer->variables->type == ASN_INTEGER && *answer->variables->val.integer == question->wanted)
		question->shown_s = bench_seconds(CLOCK_MONOTONIC);
	return 1;
}

static bool ask_state(struct vm *vm, struct question *question)
{
	netsnmp_pdu *request = snmp_pdu_create(SNMP_MSG_GET);
	oid name[MAX_OID_LEN];
	size_t length = instance(name, COLUMN_STATE, vm->machine, vm->index);

	snmp_add_null_var(request, name, length);
	question->under_way = snmp_async_send(bench.manager, request, on_state, question) != 0;
	return question->under_way || complain(vm->uuid, "pmVmState cannot be asked for");
}

static bool measure_one(struct vm *vm)
{
	double deadline_s = bench_seconds(CLOCK_MONOTONIC) + LIMIT_S;
	struct question question = {0};

	if (!toggle(vm))
		return false;
	question.wanted = wanted(vm);
	while (question.shown_s == 0 || vm->notice_s == 0 || event_of(vm) == 0 || question.under_way) {
		if (bench_seconds(CLOCK_MONOTONIC) > deadline_s)
			return complain(vm->uuid, event_of(vm) == 0       ? "no event"
						  : question.shown_s == 0 ? "not in the table"
									  : "no notification");
		if (question.shown_s == 0 && !question.under_way && !ask_state(vm, &question))
			return false;
		take_in(0.0005);
	}
	printf("%.0f %.0f\n", (question.shown_s - event_of(vm)) * 1e6, (vm->notice_s - event_of(vm)) * 1e6);
	return true;
}

static bool measure_ones(unsigned times)
{
	bool good = bench.count > 0;

	srand(1);
	for (unsigned i = 0; i < times && good; i++) {
		good = measure_one(&bench.vms[(size_t)rand() % bench.count]);
		take_in(0.01);
	}
	return good;
}

/* --- all at once -------------------------------------------------------------------------------------------------------- */

static size_t behind; /* rows that do not yet have the value they should */

static bool compare_state(const netsnmp_variable_list *v, size_t number)
{
	struct vm *vm = find_index(v->name[INDEX_PLACE], v->name[INDEX_PLACE + 1]);

	(void)number;
	behind += vm && *v->val.integer != wanted(vm);
	return true;
}

static void *toggle_all(void *data)
{
	(void)data;
	for (size_t i = 0; i < bench.count; i++)
		if (!toggle(&bench.vms[i]))
			bench.failed = true;
	return NULL;
}

static void report_all(void)
{
	double first_s = 0, last_s = 0, notice_s = 0;

	for (size_t i = 0; i < bench.count; i++) {
		struct vm *vm = &bench.vms[i];

		printf("%.0f\n", (vm->notice_s - vm->event_s) * 1e6);
		first_s = first_s == 0 || vm->event_s < first_s ? vm->event_s : first_s;
		last_s = vm->event_s > last_s ? vm->event_s : last_s;
		notice_s = vm->notice_s > notice_s ? vm->notice_s : notice_s;
	}
	printf("last %.0f %.0f\n", (last_s - first_s) * 1e6, (notice_s - first_s) * 1e6);
}

static bool measure_all(void)
{
	double deadline_s = bench_seconds(CLOCK_MONOTONIC) + 3 * LIMIT_S;
	pthread_t thread;

	if (pthread_create(&thread, NULL, toggle_all, NULL) != 0)
		return false;
	while (bench.notices < bench.count && bench_seconds(CLOCK_MONOTONIC) < deadline_s)
		take_in(0.01);
	pthread_join(thread, NULL);
	if (bench.failed || bench.notices < bench.count)
		return complain("notifications", "not all came");
	if (!walk(COLUMN_STATE, compare_state))
		return false;
	if (behind)
		return complain("pmVmTable", "it is not what libvirt has");
	report_all();
	return true;
}

int main(int argc, char **argv)
{
	bool one = argc == 5 && strcmp(argv[3], "one") == 0, all = argc == 4 && strcmp(argv[3], "all") == 0;
	bool good;

	if (!one && !all) {
		fprintf(stderr, "usage: stack_events PEER TRAP_PORT one TIMES | all <URIS\n");
		return 2;
	}
	bench.manager = bench_open(argv[0], argv[1]);
	good = bench.manager && listen_to(argv[2]) && connect_all() && find_rows() &&
	       (one ? measure_ones((unsigned)strtoul(argv[4], NULL, 10)) : measure_all());
	fflush(stdout);
	_exit(good ? 0 : 1); /* libvirt's thread does not end */
}
