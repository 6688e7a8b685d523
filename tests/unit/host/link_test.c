/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which physical ports are under an interface, however they are stacked. */
#include "agent/host/helper/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#define LINKS_MAX 1200

static struct link list[LINKS_MAX];
static struct links links = {.list = list};
static bool chosen[LINKS_MAX];

static void empty(void)
{
	memset(list, 0, sizeof(list));
	links.count = 0;
}

/* kind NULL: a physical port. The index is the place in the list, and one. */
static int add(const char *name, const char *kind, int master, int lower)
{
	struct link *link = &list[links.count++];

	snprintf(link->name, sizeof(link->name), "%s", name);
	snprintf(link->kind, sizeof(link->kind), "%s", kind ? kind : "ethernet");
	link->index = (int)links.count;
	link->physical = !kind;
	link->master = master;
	link->lower = lower;
	return link->index;
}

static void check(const char *name, const char *const expected[])
{
	size_t count = 0;

	memset(chosen, 0, sizeof(chosen));
	while (expected[count])
		count++;
	assert_int_equal(links_choose(&links, links_find(&links, name), chosen), count);
	for (size_t i = 0; i < count; i++)
		assert_true(chosen[links_find(&links, expected[i]) - list]);
	for (size_t i = 0; i < links.count; i++)
		count -= chosen[i];
	assert_int_equal(count, 0);
}
#define CHOOSES(name, ...) check(name, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void test_a_port_stands_for_itself(void **state)
{
	(void)state;
	empty();
	add("eth0", NULL, 0, 0);
	add("eth1", NULL, 0, 0);
	CHOOSES("eth0", "eth0");
	CHOOSES("eth1", "eth1");
	assert_null(links_find(&links, "eth"));
}

/* br0 has vlan10, a veth and a tap as ports; vlan10 is on bond0 of two cards; a macvlan is on br0. */
static void test_any_depth_each_once(void **state)
{
	int br0, bond0, vlan10;

	(void)state;
	empty();
	br0 = add("br0", "bridge", 0, 0);
	bond0 = add("bond0", "bond", 0, 0);
	vlan10 = add("vlan10", "vlan", br0, bond0);
	add("vlan11", "vlan", br0, bond0);
	add("eth0", NULL, bond0, 0);
	add("eth1", NULL, bond0, 0);
	add("eth2", NULL, 0, 0);
	add("veth0", "veth", br0, 0);
	add("tap0", "tun", br0, 0);
	add("macvlan0", "macvlan", 0, br0);
	add("macvlan1", "macvlan", 0, vlan10);
	CHOOSES("br0", "eth0", "eth1");
	CHOOSES("bond0", "eth0", "eth1");
	CHOOSES("vlan10", "eth0", "eth1");
	CHOOSES("macvlan0", "eth0", "eth1");
	CHOOSES("macvlan1", "eth0", "eth1");
	CHOOSES("eth0", "eth0");
	CHOOSES("eth2", "eth2");
	CHOOSES("veth0", );
	CHOOSES("tap0", );
}

/* What is above, or beside, is not under it. */
static void test_a_port_of_a_bridge_does_not_stand_for_the_bridge(void **state)
{
	int br0;

	(void)state;
	empty();
	br0 = add("br0", "bridge", 0, 0);
	add("eth0", NULL, br0, 0);
	add("eth1", NULL, br0, 0);
	CHOOSES("eth0", "eth0");
}

static void test_a_circle_has_an_end(void **state)
{
	(void)state;
	empty();
	add("a", "macvlan", 0, 2);
	add("b", "macvlan", 0, 1);
	add("c", "macvlan", 3, 3);
	add("eth0", NULL, 1, 0);
	CHOOSES("a", "eth0");
	CHOOSES("b", "eth0");
	CHOOSES("c", );
}

/* A stack in the worst order, and a machine with a thousand interfaces of containers. */
static void test_many(void **state)
{
	int below = 0, bridge;

	(void)state;
	empty();
	bridge = add("br0", "bridge", 0, 0);
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "veth%d", i);
		add(name, "veth", bridge, 0);
	}
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "v%d", i);
		below = add(name, "macvlan", 0, (int)links.count + 2);
	}
	add("eth0", NULL, 0, 0);
	assert_int_equal(list[below - 1].lower, (int)links.count);
	CHOOSES("v0", "eth0");
	CHOOSES("br0", );
}

static void test_macs(void **state)
{
	struct link link = {.mac = {2, 0, 0, 0, 0, 1}, .permanent_mac = {2, 0, 0, 0, 0, 2}};

	(void)state;
	assert_true(link_has_mac(&link, (const uint8_t[]){2, 0, 0, 0, 0, 1}));
	assert_true(link_has_mac(&link, (const uint8_t[]){2, 0, 0, 0, 0, 2}));
	assert_false(link_has_mac(&link, (const uint8_t[]){2, 0, 0, 0, 0, 3}));
	memset(link.permanent_mac, 0, 6);
	assert_false(link_has_mac(&link, link.permanent_mac)); /* not told is no MAC */
}

/* The kernel's own list. */
static void test_the_kernel_tells(void **state)
{
	struct pm_error err = {""};
	const struct link *lo;
	struct links real;

	(void)state;
	assert_int_equal(links_read(&real, &err), 0);
	lo = links_find(&real, "lo");
	assert_non_null(lo);
	assert_string_equal(lo->kind, "loopback");
	assert_false(lo->physical);
	assert_true(lo->index > 0);
	links_free(&real);
	assert_int_equal(real.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_port_stands_for_itself),
	    cmocka_unit_test(test_any_depth_each_once),
	    cmocka_unit_test(test_a_port_of_a_bridge_does_not_stand_for_the_bridge),
	    cmocka_unit_test(test_a_circle_has_an_end),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_macs),
	    cmocka_unit_test(test_the_kernel_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
