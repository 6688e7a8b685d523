/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Lists of the domains, in a session's thread: with few round trips, however many domains there are. States come with
 * virConnectGetAllDomainStats(), which asks no domain anything and so waits for none that hangs; what else a list has comes
 * with one list each; cpus and memory, which seldom change, one domain at a time and only when they may have.
 */
#include "agent/stack/internal.h"

#include "agent/text.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_DETAILS_MS \
	300            /* for so long the first list may wait for details; what is missing then follows */
#define DETAILS_MS 100 /* likewise any other list; and so long at a time for what follows */
#define RECHECKED  64  /* domains whose details are read again with a list that nothing has asked for */

struct collection {
	struct stack_domain *domains;
	virDomainPtr *handles; /* references, in any order */
	size_t count;
};

static void free_handles(virDomainPtr *handles, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (handles[i])
			virDomainFree(handles[i]);
	free(handles);
}

static bool is_unsupported(void)
{
	int code = virGetLastErrorCode();

	return code == VIR_ERR_NO_SUPPORT || code == VIR_ERR_OPERATION_UNSUPPORTED ||
	       code == VIR_ERR_ARGUMENT_UNSUPPORTED || code == VIR_ERR_INVALID_ARG ||
	       code == VIR_ERR_CONFIG_UNSUPPORTED;
}

/* --- states --------------------------------------------------------------------------------------- */

static int allocate(struct collection *collection, size_t count)
{
	collection->domains = calloc(count + 1, sizeof(*collection->domains));
	collection->handles = calloc(count + 1, sizeof(*collection->handles));
	return collection->domains && collection->handles ? 0 : -ENOMEM;
}

/* Takes the reference over. */
static struct stack_domain *add(struct collection *collection, virDomainPtr handle)
{
	struct stack_domain *domain = &collection->domains[collection->count];
	const char *name = virDomainGetName(handle);
	unsigned id = virDomainGetID(handle);

	collection->handles[collection->count++] = handle;
	virDomainGetUUIDString(handle, domain->vm.uuid);
	pm_text_format(domain->vm.name, sizeof(domain->vm.name), "%s", name ? name : "");
	domain->vm.id = id == (unsigned)-1 ? -1 : (int)id;
	domain->vm.persistent = true; /* until the list of those says otherwise */
	return domain;
}

/* One that the hypervisor says nothing of has gone meanwhile. */
static void add_record(struct collection *collection, const virDomainStatsRecord *record)
{
	int state, reason = 0;

	if (virTypedParamsGetInt(record->params, record->nparams, "state.state", &state) <= 0)
		return;
	virTypedParamsGetInt(record->params, record->nparams, "state.reason", &reason);
	virDomainRef(record->dom);
	stack_domain_state(&add(collection, record->dom)->vm, state, reason);
}

static int collect_at_once(struct stack_session *session, struct collection *collection)
{
	virDomainStatsRecordPtr *records;
	int count = virConnectGetAllDomainStats(session->connection, VIR_DOMAIN_STATS_STATE, &records, 0);
	int error;

	if (count < 0)
		return -EIO;
	error = allocate(collection, (size_t)count);
	for (int i = 0; !error && i < count; i++)
		add_record(collection, records[i]);
	virDomainStatsRecordListFree(records);
	return error;
}

/* What cannot be asked is there, whatever it does. */
static void read_state(struct stack_domain *domain, virDomainPtr handle)
{
	virDomainInfo info;

	if (virDomainGetInfo(handle, &info) < 0) {
		domain->vm.state = PM_VM_OTHER;
		domain->vm.active = domain->vm.id >= 0;
		domain->gone = virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
		return;
	}
	stack_domain_state(&domain->vm, info.state, 0);
	domain->vm.cpus = info.nrVirtCpu;
	domain->vm.memory_kib = info.maxMem;
	domain->detailed = true;
}

/* One round trip for each: most hypervisors other than QEMU have nothing better. */
static int collect_one_by_one(struct stack_session *session, struct collection *collection)
{
	virDomainPtr *all;
	int count = virConnectListAllDomains(session->connection, &all, 0);

	if (count < 0)
		return -EIO;
	if (allocate(collection, (size_t)count) < 0) {
		free_handles(all, (size_t)count);
		return -ENOMEM;
	}
	for (int i = 0; i < count; i++) {
		struct stack_domain *domain = add(collection, all[i]);

		read_state(domain, all[i]);
		if (domain->gone) {
			virDomainFree(all[i]);
			*domain = (struct stack_domain){0};
			collection->count--;
		}
	}
	free(all);
	return virConnectIsAlive(session->connection) == 0 ? -ENOTCONN : 0;
}

static int collect(struct stack_session *session, struct collection *collection)
{
	if (!session->no_stats) {
		int error = collect_at_once(session, collection);

		if (error != -EIO || !is_unsupported())
			return error;
		session->no_stats = true;
	}
	return collect_one_by_one(session, collection);
}

/* --- which of them are persistent, autostart, saved ------------------------------------------------ */

static void set_persistent(struct stack_domain *domain, bool is)
{
	domain->vm.persistent = is;
}

static void set_autostart(struct stack_domain *domain, bool is)
{
	domain->vm.autostart = is;
}

/* While it resumes from its image, that is still there. */
static void set_saved(struct stack_domain *domain, bool is)
{
	domain->vm.saved = is && !domain->vm.active;
	if (domain->vm.saved)
		domain->vm.state = PM_VM_SUSPENDED;
}

static const struct mark {
	unsigned filter;
	void (*set)(struct stack_domain *domain, bool is);
} marks[] = {
    {VIR_CONNECT_LIST_DOMAINS_PERSISTENT, set_persistent},
    {VIR_CONNECT_LIST_DOMAINS_AUTOSTART, set_autostart},
    {VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, set_saved},
};

static void mark_domains(struct collection *collection, const struct mark *mark, virDomainPtr *marked,
			 size_t count)
{
	char uuid[STACK_UUID_SIZE];
	struct stack_domain *domain;

	for (size_t i = 0; i < collection->count; i++)
		mark->set(&collection->domains[i], false);
	for (size_t i = 0; i < count; i++) {
		if (virDomainGetUUIDString(marked[i], uuid) < 0)
			continue;
		domain = stack_domains_find(collection->domains, collection->count, uuid);
		if (domain)
			mark->set(domain, true);
	}
}

static int mark_all(struct stack_session *session, struct collection *collection)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		virDomainPtr *marked;
		int count = virConnectListAllDomains(session->connection, &marked, marks[i].filter);

		if (count < 0 && !is_unsupported())
			return -EIO;
		if (count < 0)
			continue;
		mark_domains(collection, &marks[i], marked, (size_t)count);
		free_handles(marked, (size_t)count);
	}
	return 0;
}

/* --- details --------------------------------------------------------------------------------------- */

/* With the mutex held: it counts as detailed from now on, so that an event that says otherwise meanwhile is not lost. */
static bool claim_details(struct stack_session *session, const char *uuid)
{
	struct stack_domain *domain = stack_domains_find(session->domains, session->count, uuid);
	bool missing = domain && !domain->gone && !domain->detailed;

	if (missing)
		domain->detailed = true;
	return missing;
}

/* With the mutex held. */
static void put_details(struct stack_session *session, const char *uuid, const virDomainInfo *info, bool tell)
{
	struct stack_domain *domain = stack_domains_find(session->domains, session->count, uuid);
	struct stack_vm *vm = domain ? &domain->vm : NULL;

	if (!domain || domain->gone || (vm->cpus == info->nrVirtCpu && vm->memory_kib == info->maxMem))
		return;
	vm->cpus = info->nrVirtCpu;
	vm->memory_kib = info->maxMem;
	if (tell)
		stack_session_post_vm(session, vm);
}

/* What cannot be read is left as it is until the next list. */
static void read_details(struct stack_session *session, virDomainPtr handle, bool tell)
{
	char uuid[STACK_UUID_SIZE];
	virDomainInfo info;
	bool missing;

	if (virDomainGetUUIDString(handle, uuid) < 0)
		return;
	uv_mutex_lock(&session->mutex);
	missing = claim_details(session, uuid);
	uv_mutex_unlock(&session->mutex);
	if (!missing || virDomainGetInfo(handle, &info) < 0)
		return;
	uv_mutex_lock(&session->mutex);
	put_details(session, uuid, &info, tell);
	uv_mutex_unlock(&session->mutex);
}

static void read_until(struct stack_session *session, uint64_t until_ms, bool tell)
{
	while (session->details_at < session->handle_count && stack_now_ms() < until_ms)
		read_details(session, session->handles[session->details_at++], tell);
}

static void set_began(struct stack_session *session, uint64_t began_ms)
{
	uv_mutex_lock(&session->mutex);
	session->list_began_ms = began_ms;
	uv_mutex_unlock(&session->mutex);
}

void stack_list_details(struct stack_session *session)
{
	uint64_t now_ms = stack_now_ms();

	set_began(session, now_ms);
	read_until(session, now_ms + DETAILS_MS, true);
	set_began(session, 0);
}

/* With the mutex held: nothing tells when they change while a domain runs. */
static void recheck_some(struct stack_session *session)
{
	for (size_t i = 0; i < RECHECKED && i < session->count; i++)
		session->domains[session->recheck_at++ % session->count].detailed = false;
}

/* --- a list ---------------------------------------------------------------------------------------- */

static uint64_t begin(struct stack_session *session, bool *asked)
{
	uint64_t looked;

	uv_mutex_lock(&session->mutex);
	for (size_t i = 0; i < session->count; i++)
		session->domains[i].touched = false;
	looked = session->look_wanted;
	*asked = session->list_wanted || looked > session->looked;
	session->list_wanted = false;
	session->list_began_ms = stack_now_ms();
	uv_mutex_unlock(&session->mutex);
	return looked;
}

/* With the mutex held: the list was faster than their events, which would find nothing any more. */
static void post_missing(struct stack_session *session, const struct collection *collection)
{
	for (size_t i = 0; i < session->count; i++) {
		const struct stack_domain *known = &session->domains[i];

		if (!known->gone &&
		    !stack_domains_find(collection->domains, collection->count, known->vm.uuid))
			stack_session_post_uuid(session, STACK_POST_GONE, known->vm.uuid, known->migrated);
	}
}

static void take_over(struct stack_session *session, struct collection *collection, bool asked)
{
	uv_mutex_lock(&session->mutex);
	post_missing(session, collection);
	collection->count = stack_domains_merge(session->domains, session->count, collection->domains,
						collection->count, &session->list_wanted);
	free(session->domains);
	session->domains = collection->domains;
	session->count = collection->count;
	if (!asked)
		recheck_some(session);
	session->listed_ms = stack_now_ms();
	session->list_took_ms = session->listed_ms - session->list_began_ms;
	uv_mutex_unlock(&session->mutex);
}

static bool post(struct stack_session *session, bool first, uint64_t looked)
{
	struct stack_message *message;

	uv_mutex_lock(&session->mutex);
	session->list_began_ms = 0;
	session->looked = looked;
	message = stack_session_message(session, first ? STACK_POST_UP : STACK_POST_LIST, session->count);
	if (message) {
		message->looked = looked;
		message->count = 0;
		for (size_t i = 0; i < session->count; i++)
			if (!session->domains[i].gone)
				message->vms[message->count++] = session->domains[i].vm;
		stack_mailbox_post(session->mailbox, message);
	}
	uv_mutex_unlock(&session->mutex);
	return message != NULL;
}

/* 0, or a negative errno value: -EIO with libvirt's error. */
static int collect_all(struct stack_session *session, struct collection *collection)
{
	int error;

	stack_list_free(session); /* before, for it would reset libvirt's error */
	error = collect(session, collection);
	if (!error) {
		stack_domains_sort(collection->domains, collection->count);
		error = mark_all(session, collection);
	}
	session->handles = collection->handles;
	session->handle_count = collection->count;
	if (error)
		free(collection->domains);
	return error;
}

int stack_list(struct stack_session *session, bool first, struct stack_failure *failure)
{
	struct collection collection = {0};
	bool asked;
	uint64_t looked = begin(session, &asked);
	int error = collect_all(session, &collection);

	if (!error) {
		take_over(session, &collection, asked);
		read_until(session, session->listed_ms + (first ? FIRST_DETAILS_MS : DETAILS_MS), false);
		error = post(session, first, looked) ? 0 : -ENOMEM;
	}
	if (error == -EIO)
		stack_failure_get(failure, session->connection, session->uri);
	else if (error == -ENOTCONN)
		stack_failure_set(failure, STACK_UNREACHABLE, "the connection has broken");
	else if (error)
		stack_failure_set(failure, STACK_NO_MEMORY, "no memory for the list of the VMs");
	return error ? -1 : 0;
}

void stack_list_free(struct stack_session *session)
{
	free_handles(session->handles, session->handle_count);
	session->handles = NULL;
	session->handle_count = session->details_at = 0;
}
