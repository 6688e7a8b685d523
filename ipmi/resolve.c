/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a BMC is: numeric addresses at once, names by libuv's thread pool, again for every session. A name that was
 * resolved before is good for the session that begins; what the new look-up tells is for the next one.
 *
 * A look-up can hang for as long as the name server does, and the threads are few: names that failed the last time
 * get only some of them.
 */
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipmi/internal.h"

bool ipmi_address_equal(const union ipmi_address *a, const union ipmi_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

/* The index of an interface by name or number, 0 when there is none. */
static unsigned interface_index(const char *name)
{
	char buffer[IF_NAMESIZE];
	unsigned index = if_nametoindex(name);
	char *end;

	if (index == 0) {
		index = (unsigned)strtoul(name, &end, 10);
		if (*end || !if_indextoname(index, buffer))
			index = 0;
	}
	return index;
}

bool ipmi_resolve_numeric(struct ipmi_bmc *bmc)
{
	union ipmi_address *address = &bmc->addresses[0];

	memset(address, 0, sizeof(*address));
	if (uv_ip4_addr(bmc->host, bmc->port, &address->v4) < 0 &&
	    uv_ip6_addr(bmc->host, bmc->port, &address->v6) < 0)
		return false;
	bmc->address_count = 1;
	return true;
}

/*
 * Interfaces come, go and change their index: each session looks for its own. Returns its name when it is not there. Only
 * link-local addresses have one in what the kernel says of a packet's sender.
 */
static const char *missing_interface(struct ipmi_bmc *bmc)
{
	const char *zone = bmc->numeric ? strchr(bmc->host, '%') : NULL;
	struct sockaddr_in6 *address = &bmc->addresses[0].v6;
	unsigned index = zone ? interface_index(zone + 1) : 0;

	if (!zone)
		return NULL;
	address->sin6_scope_id = IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr) ? index : 0;
	return index ? NULL : zone + 1;
}

/* The one in use stays that, as long as it is among them: it may be the only one where the BMC listens. */
static void keep_addresses(struct ipmi_bmc *bmc, const struct addrinfo *list)
{
	bmc->address_count = 0;
	bmc->address = 0;
	for (; list && bmc->address_count < IPMI_ADDRESSES_MAX; list = list->ai_next) {
		union ipmi_address *address = &bmc->addresses[bmc->address_count];

		if ((list->ai_family != AF_INET && list->ai_family != AF_INET6) ||
		    list->ai_addrlen > sizeof(*address))
			continue;
		memset(address, 0, sizeof(*address));
		memcpy(address, list->ai_addr, list->ai_addrlen);
		if (ipmi_address_equal(address, &bmc->peer))
			bmc->address = bmc->address_count;
		bmc->address_count++;
	}
}

static void on_resolved(uv_getaddrinfo_t *resolver, int status, struct addrinfo *list)
{
	struct ipmi_bmc *bmc = resolver->data;

	bmc->resolving = false;
	bmc->doubtful = status != 0;
	ipmi_engine_looked_up(bmc->engine, bmc->counted_doubtful);
	if (status == 0)
		keep_addresses(bmc, list);
	uv_freeaddrinfo(list);
	if (bmc->closing) {
		ipmi_bmc_dispose(bmc);
	} else if (bmc->state == IPMI_STATE_RESOLVING) {
		if (bmc->address_count > 0)
			ipmi_session_start(bmc);
		else
			ipmi_bmc_finish(bmc, IPMI_UNREACHABLE, " has a name that does not resolve: %s",
					uv_strerror(status ? status : UV_EAI_NODATA));
		ipmi_bmc_wake(bmc);
	}
}

static void look_up(struct ipmi_bmc *bmc)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
	char service[8];
	bool waited = bmc->line;

	if (bmc->resolving || !ipmi_engine_may_look_up(bmc))
		return;
	if (waited)
		ipmi_bmc_restart_deadlines(bmc);
	bmc->counted_doubtful = bmc->doubtful;
	snprintf(service, sizeof(service), "%u", bmc->port);
	bmc->resolver.data = bmc;
	bmc->resolving = uv_getaddrinfo(ipmi_engine_loop(bmc->engine), &bmc->resolver, on_resolved, bmc->host,
					service, &hints) == 0;
	if (bmc->resolving)
		bmc->doubtful = true; /* until the answer is there */
	else
		ipmi_engine_looked_up(bmc->engine, bmc->counted_doubtful);
}

bool ipmi_bmc_waits_for_name(const struct ipmi_bmc *bmc, unsigned within_ms)
{
	return bmc->state == IPMI_STATE_RESOLVING &&
	       ipmi_now_ms() - ipmi_engine_looked_up_ms(bmc->engine) < within_ms;
}

static void await_look_up(struct ipmi_bmc *bmc)
{
	bmc->state = IPMI_STATE_RESOLVING;
	if (!bmc->resolving)
		ipmi_engine_wait_to_look_up(bmc);
}

/* Without a free thread it is called again: when it is its turn, at the latest a little later. */
void ipmi_resolve(struct ipmi_bmc *bmc)
{
	const char *missing = missing_interface(bmc);

	if (!bmc->numeric)
		look_up(bmc);
	if (missing)
		ipmi_bmc_finish(bmc, IPMI_UNREACHABLE, " has an address on interface %s, which is not there",
				missing);
	else if (bmc->address_count > 0)
		ipmi_session_start(bmc);
	else
		await_look_up(bmc);
}
