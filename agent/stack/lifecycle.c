/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events of libvirt, in its event thread: what they say is written down and posted; nothing here asks the hypervisor. */
#include "agent/stack/internal.h"

#include <libvirt/virterror.h>

/* Reboots that follow each other faster are one. */
#define REBOOT_MS 300

/* --- libvirt's callbacks ------------------------------------------------------------------------- */

/* With session->mutex held. */
static void post_news(struct stack_session *session, const struct stack_domain *domain, enum stack_news news)
{
	if (news == STACK_NEWS_CHANGED || news == STACK_NEWS_ENDED)
		stack_session_post_vm(session, &domain->vm);
	if (news == STACK_NEWS_GONE || news == STACK_NEWS_ENDED)
		stack_session_post_uuid(session, STACK_POST_GONE, domain->vm.uuid, domain->migrated);
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr handle, int event, int detail, void *data)
{
	struct stack_session *session = data;
	char uuid[STACK_UUID_SIZE];
	struct stack_domain *domain;
	unsigned id = virDomainGetID(handle);

	(void)connection;
	if (virDomainGetUUIDString(handle, uuid) < 0)
		return 0;
	uv_mutex_lock(&session->mutex);
	domain = stack_domains_find(session->domains, session->count, uuid);
	if (stack_event_needs_list(domain, event, detail))
		stack_session_want_list(session);
	if (domain && !domain->gone)
		post_news(session, domain, stack_domain_event(domain, event, detail, (int)id));
	uv_mutex_unlock(&session->mutex);
	return 0;
}

/* One reset makes QEMU tell of some. */
static bool is_another_reboot(struct stack_domain *domain)
{
	uint64_t now_ms = stack_now_ms();
	bool another = !domain->rebooted_ms || now_ms - domain->rebooted_ms >= REBOOT_MS;

	domain->rebooted_ms = now_ms;
	return another;
}

static void on_reboot(virConnectPtr connection, virDomainPtr handle, void *data)
{
	struct stack_session *session = data;
	struct stack_domain *domain;
	char uuid[STACK_UUID_SIZE];

	(void)connection;
	if (virDomainGetUUIDString(handle, uuid) < 0)
		return;
	uv_mutex_lock(&session->mutex);
	domain = stack_domains_find(session->domains, session->count, uuid);
	if (domain && is_another_reboot(domain))
		stack_session_post_uuid(session, STACK_POST_REBOOTED, uuid, false);
	uv_mutex_unlock(&session->mutex);
}

/* --- registration, in the session's thread -------------------------------------------------------- */

static int register_event(struct stack_session *session, int event,
			  virConnectDomainEventGenericCallback callback)
{
	int number = virConnectDomainEventRegisterAny(session->connection, NULL, event, callback,
						      stack_session_ref(session), stack_session_unref);

	if (number < 0)
		stack_session_unref(session);
	return number;
}

int stack_lifecycle_register(struct stack_session *session)
{
	session->lifecycle =
	    register_event(session, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
	session->has_events = session->lifecycle >= 0;
	if (!session->has_events)
		return virGetLastErrorCode() == VIR_ERR_NO_SUPPORT ? 0 : -1;
	session->reboot =
	    register_event(session, VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot));
	return 0;
}

void stack_lifecycle_deregister(struct stack_session *session)
{
	if (session->lifecycle >= 0)
		virConnectDomainEventDeregisterAny(session->connection, session->lifecycle);
	if (session->reboot >= 0)
		virConnectDomainEventDeregisterAny(session->connection, session->reboot);
}
