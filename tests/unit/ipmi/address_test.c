/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names with several addresses: the BMC is found at whichever it listens on, and there again. This program's own resolver
 * knows every name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

#include "tests/unit/ipmi/harness.h"

/* ---- the resolver, which libuv finds in place of the C library's ---- */

enum { ADDRESSES = 3 };

struct entry {
	struct addrinfo info;
	struct sockaddr_in address;
};

/* Nobody listens at the first two. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct entry *entries = calloc(ADDRESSES, sizeof(*entries));

	(void)name;
	(void)hints;
	if (!entries)
		return EAI_MEMORY;
	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct entry *e = &entries[i];

		e->address = (struct sockaddr_in){.sin_family = AF_INET,
						  .sin_port = htons((uint16_t)atoi(service)),
						  .sin_addr.s_addr = htonl(0x7f000000U + ADDRESSES - i)};
		e->info = (struct addrinfo){.ai_family = AF_INET,
					    .ai_socktype = SOCK_DGRAM,
					    .ai_addr = (struct sockaddr *)&e->address,
					    .ai_addrlen = sizeof(e->address),
					    .ai_next = i + 1 < ADDRESSES ? &entries[i + 1].info : NULL};
	}
	*list = &entries[0].info;
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	free(list);
}

/* ---- tests ---- */

static struct harness *with_name(void)
{
	struct harness *h = harness_new();

	h->config.host = "bmc";
	h->config.timeout_ms = 60000;
	h->config.retransmit_ms = 20000;
	harness_bmc(h);
	return h;
}

static void assert_ok(const struct ipmi_reply *reply)
{
	assert_string_equal(reply->text, "");
	assert_int_equal(reply->result, IPMI_OK);
}

/* ICMP tells at once that an address is not the one, and the one that is stays in use. */
static void the_address_that_works_is_found_and_kept(void **state)
{
	struct harness *h = with_name();
	uint64_t begun_ms = ipmi_now_ms();

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_ok(harness_ask(h, IPMI_GET_CHASSIS_STATUS, false));
		while (h->bmc->resolving) /* in the background of the set-up: it is for the next one */
			uv_run(&h->loop, UV_RUN_ONCE);
		assert_int_equal(harness_stats(h).retransmits, ADDRESSES - 1);
		ipmi_session_drop(h->bmc);
	}
	assert_true(ipmi_now_ms() - begun_ms < h->config.retransmit_ms);
	harness_free(h);
}

/* Each one once: after that it is a matter of time, as with one address. */
static void refusals_of_all_addresses_make_no_storm(void **state)
{
	struct harness *h;

	(void)state;
	h = with_name();
	fake_stop(&h->fake);
	harness_submit(h, IPMI_GET_CHASSIS_STATUS, false);
	while (harness_stats(h).retransmits < ADDRESSES - 1)
		uv_run(&h->loop, UV_RUN_ONCE);
	for (int i = 0; i < 10; i++)
		harness_settle(h);
	assert_int_equal(harness_stats(h).retransmits, ADDRESSES - 1);
	assert_int_equal(h->bmc->network_error, ECONNREFUSED);
	harness_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_address_that_works_is_found_and_kept),
	    cmocka_unit_test(refusals_of_all_addresses_make_no_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
