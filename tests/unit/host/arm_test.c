/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * arm-wol and report against drivers of every manner: the kernel's list of interfaces and its ioctls are stood in for
 * (links_read and ioctl are wrapped), everything above them is real.
 */
#include "agent/host/helper/arm.h"
#include "agent/host/helper/report.h"
#include "agent/host/helper/wake.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

int __wrap_ioctl(int fd, unsigned long number, ...);
int __wrap_links_read(struct links *links, struct pm_error *err);

#define CARDS_MAX 16

/* A card, and how its driver is. */
struct card {
	struct link link;
	uint32_t supported, set;
	uint8_t password[SOPASS_MAX];
	int get_error, set_error; /* errno values */
	bool forgets;             /* says yes, and does nothing */
	int gets, sets;
};

static struct card cards[CARDS_MAX];
static size_t card_count;

int __wrap_links_read(struct links *links, struct pm_error *err)
{
	(void)err;
	links->list = calloc(card_count + 1, sizeof(*links->list));
	links->count = card_count;
	for (size_t i = 0; i < card_count; i++)
		links->list[i] = cards[i].link;
	return 0;
}

static int get(struct card *card, struct ethtool_wolinfo *info)
{
	card->gets++;
	if (card->get_error)
		return card->get_error;
	info->supported = card->supported;
	info->wolopts = card->set;
	memcpy(info->sopass, card->password, SOPASS_MAX);
	return 0;
}

static int set(struct card *card, const struct ethtool_wolinfo *info)
{
	card->sets++;
	if (card->set_error)
		return card->set_error;
	if (info->wolopts & ~card->supported)
		return EINVAL;
	memcpy(card->password, info->sopass, SOPASS_MAX);
	if (!card->forgets)
		card->set = info->wolopts;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long number, ...)
{
	struct ethtool_wolinfo *info;
	struct ifreq *request;
	va_list args;

	va_start(args, number);
	request = va_arg(args, struct ifreq *);
	va_end(args);
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(number, SIOCETHTOOL);
	info = (struct ethtool_wolinfo *)request->ifr_data;
	errno = ENODEV;
	for (size_t i = 0; i < card_count; i++) {
		if (strncmp(cards[i].link.name, request->ifr_name, IFNAMSIZ) == 0)
			errno = info->cmd == ETHTOOL_GWOL ? get(&cards[i], info) : set(&cards[i], info);
	}
	return errno ? -1 : 0;
}

/* --- given ---------------------------------------------------------------------------------------- */

static int clear(void **state)
{
	(void)state;
	memset(cards, 0, sizeof(cards));
	card_count = 0;
	return 0;
}

static struct card *give(const char *name, const char *kind, int master)
{
	struct card *card = &cards[card_count++];

	snprintf(card->link.name, sizeof(card->link.name), "%s", name);
	snprintf(card->link.kind, sizeof(card->link.kind), "%s", kind);
	card->link.physical = strcmp(kind, "ethernet") == 0;
	card->link.index = (int)card_count;
	card->link.master = master;
	memcpy(card->link.mac, (const uint8_t[]){0x52, 0x54, 0, 0, 0, (uint8_t)card_count}, 6);
	return card;
}

/* A card that supports these bits, with these set. */
static struct card *give_card(const char *name, uint32_t supported, uint32_t bits)
{
	struct card *card = give(name, "ethernet", 0);

	card->supported = supported;
	card->set = bits;
	return card;
}

/* --- when ----------------------------------------------------------------------------------------- */

static json_t *said; /* the last answer */

/* Runs a verb with its standard output in a file. */
static enum answer run(enum answer (*verb)(const struct request *), const struct request *request)
{
	FILE *file = tmpfile();
	int stdout_fd = dup(STDOUT_FILENO);
	json_error_t error;
	enum answer answer;

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	answer = verb(request);
	dup2(stdout_fd, STDOUT_FILENO);
	close(stdout_fd);
	rewind(file);
	json_decref(said);
	said = json_loadf(file, 0, &error);
	fclose(file);
	assert_non_null(said);
	assert_string_equal(json_string_value(json_object_get(said, "result")), answer_name(answer));
	return answer;
}

static enum answer arm(bool dry_run, const char *const operands[])
{
	struct request request = {.verb = VERB_ARM_WOL, .json = true, .dry_run = dry_run};

	while (operands[request.operand_count]) {
		request.operands[request.operand_count] = operands[request.operand_count];
		request.operand_count++;
	}
	return run(arm_run, &request);
}
#define ARM(...)     arm(false, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define DRY_ARM(...) arm(true, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static const char *said_text(void)
{
	return json_string_value(json_object_get(said, "text"));
}
#define SAID(part)                                                              \
	do {                                                                    \
		if (!strstr(said_text(), part))                                 \
			fail_msg("\"%s\" is not in \"%s\"", part, said_text()); \
	} while (0)

static const char *port_says(size_t i, const char *member)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(said, "ports"), i), member));
}

static size_t port_count(void)
{
	return json_array_size(json_object_get(said, "ports"));
}

/* --- then ----------------------------------------------------------------------------------------- */

static void test_a_port_is_armed_and_read_back(void **state)
{
	struct card *card = give_card("eth0", WAKE_PHY | WAKE_MAGIC, 0);

	(void)state;
	assert_int_equal(ARM("eth0"), ANSWER_OK);
	assert_int_equal(card->set, WAKE_MAGIC);
	assert_int_equal(card->gets, 2);
	assert_string_equal(said_text(), "armed: eth0");
	assert_string_equal(port_says(0, "state"), "armed");
	assert_string_equal(port_says(0, "mac"), "52:54:00:00:00:01");
}

static void test_an_armed_port_is_left_alone(void **state)
{
	struct card *card = give_card("eth0", WAKE_PHY | WAKE_MAGIC, WAKE_MAGIC);

	(void)state;
	assert_int_equal(ARM(), ANSWER_OK);
	assert_int_equal(card->sets, 0);
}

static void test_other_bits_and_the_password_stay(void **state)
{
	struct card *card = give_card("eth0", WAKE_PHY | WAKE_BCAST | WAKE_MAGIC | WAKE_MAGICSECURE,
				      WAKE_PHY | WAKE_MAGICSECURE);

	(void)state;
	memcpy(card->password, "secret", SOPASS_MAX);
	assert_int_equal(ARM("eth0"), ANSWER_OK);
	assert_int_equal(card->set, WAKE_PHY | WAKE_MAGICSECURE | WAKE_MAGIC);
	assert_memory_equal(card->password, "secret", SOPASS_MAX);
	assert_null(strstr(said_text(), "secret"));
}

static void test_a_driver_without(void **state)
{
	(void)state;
	give_card("eth0", 0, 0)->get_error = EOPNOTSUPP;
	assert_int_equal(ARM("eth0"), ANSWER_NOT_SUPPORTED);
	assert_string_equal(port_says(0, "state"), "notSupported");
	SAID("eth0: its driver has no Wake-on-LAN");
}

static void test_hardware_without(void **state)
{
	(void)state;
	give_card("eth0", 0, 0);
	give_card("eth1", WAKE_PHY | WAKE_UCAST, WAKE_PHY);
	assert_int_equal(ARM("eth0"), ANSWER_NOT_SUPPORTED);
	SAID("its driver or hardware has no Wake-on-LAN");
	assert_int_equal(ARM("eth1"), ANSWER_NOT_SUPPORTED);
	SAID("not on magic ones");
	assert_int_equal(cards[0].sets + cards[1].sets, 0);
}

/* As e1000 does when its slot cannot wake. */
static void test_a_driver_that_offers_and_refuses(void **state)
{
	struct card *card = give_card("eth0", WAKE_UCAST | WAKE_MCAST | WAKE_BCAST | WAKE_MAGIC, 0);

	(void)state;
	card->set_error = EOPNOTSUPP;
	assert_int_equal(ARM("eth0"), ANSWER_NOT_SUPPORTED);
	assert_string_equal(port_says(0, "state"), "notSupported");
	SAID("offers it, but refuses");
}

static void test_a_driver_that_fails(void **state)
{
	struct card *card = give_card("eth0", WAKE_MAGIC, 0);

	(void)state;
	card->set_error = EIO;
	assert_int_equal(ARM("eth0"), ANSWER_FAILED);
	assert_string_equal(port_says(0, "state"), "disarmed");
	SAID("could not be armed: Input/output error");
}

static void test_a_driver_that_forgets(void **state)
{
	struct card *card = give_card("eth0", WAKE_MAGIC, 0);

	(void)state;
	card->forgets = true;
	assert_int_equal(ARM("eth0"), ANSWER_FAILED);
	assert_string_equal(port_says(0, "state"), "disarmed");
	SAID("still not armed");
}

static void test_no_right(void **state)
{
	struct card *card = give_card("eth0", WAKE_MAGIC, 0);

	(void)state;
	card->get_error = EPERM;
	assert_int_equal(ARM("eth0"), ANSWER_NO_PERMISSION);
	assert_string_equal(port_says(0, "state"), "unknown");
	card->get_error = 0;
	card->set_error = EPERM;
	assert_int_equal(ARM("eth0"), ANSWER_NO_PERMISSION);
	assert_string_equal(port_says(0, "state"), "disarmed");
}

static void test_a_card_that_is_not_there_any_more(void **state)
{
	(void)state;
	give_card("eth0", 0, 0)->get_error = ENODEV;
	assert_int_equal(ARM("eth0"), ANSWER_FAILED);
	assert_string_equal(port_says(0, "state"), "unknown");
	SAID("No such device");
}

/* Without names one that can is enough; by name each counts. */
static void test_all_ports_or_each(void **state)
{
	(void)state;
	give_card("eth0", WAKE_MAGIC, 0);
	give_card("eth1", 0, 0)->get_error = EOPNOTSUPP;
	assert_int_equal(ARM(), ANSWER_OK);
	assert_int_equal(port_count(), 2);
	SAID("armed: eth0; eth1: its driver has no");
	assert_int_equal(ARM("eth0", "eth1"), ANSWER_NOT_SUPPORTED);
	give_card("eth2", WAKE_MAGIC, 0)->set_error = EIO;
	assert_int_equal(ARM(), ANSWER_FAILED);
	assert_int_equal(ARM("eth0"), ANSWER_OK);
	assert_int_equal(port_count(), 1);
}

static void test_no_port_at_all(void **state)
{
	(void)state;
	give("lo", "loopback", 0);
	assert_int_equal(ARM(), ANSWER_NOT_SUPPORTED);
	SAID("no physical port");
	assert_int_equal(port_count(), 0);
}

/* The bridge itself is neither asked nor set. */
static void test_what_is_under_a_bridge(void **state)
{
	struct card *bridge, *bond, *card;

	(void)state;
	bridge = give("br0", "bridge", 0);
	bond = give("bond0", "bond", 1);
	give_card("eth0", WAKE_MAGIC, 0)->link.master = 2;
	card = give_card("eth1", WAKE_MAGIC, 0);
	card->link.master = 2;
	give_card("eth2", WAKE_MAGIC, 0);
	assert_int_equal(ARM("br0", "bond0", "eth1"), ANSWER_OK);
	assert_int_equal(port_count(), 2);
	assert_int_equal(card->sets, 1);
	assert_int_equal(bridge->gets + bridge->sets + bond->gets + bond->sets, 0);
	assert_int_equal(cards[4].gets, 0);
}

static void test_a_mac_of_two_ports(void **state)
{
	(void)state;
	give_card("eth0", WAKE_MAGIC, 0);
	give_card("eth1", WAKE_MAGIC, 0);
	memcpy(cards[1].link.permanent_mac, cards[0].link.mac, 6);
	assert_int_equal(ARM("52-54-00-00-00-01"), ANSWER_OK);
	assert_int_equal(port_count(), 2);
	SAID("armed: eth0, eth1; 2 ports have the MAC 52-54-00-00-00-01");
	assert_string_equal(port_says(1, "permanent-mac"), "52:54:00:00:00:01");
}

/* A bond gives its MAC to its ports, and a bridge takes one: only the ports count. */
static void test_a_mac_of_a_bridge_too(void **state)
{
	(void)state;
	give("br0", "bridge", 0);
	give_card("eth0", WAKE_MAGIC, 0);
	memcpy(cards[0].link.mac, cards[1].link.mac, 6);
	assert_int_equal(ARM("52:54:00:00:00:02"), ANSWER_OK);
	assert_int_equal(port_count(), 1);
	assert_string_equal(port_says(0, "name"), "eth0");
	assert_int_equal(ARM("00:00:00:00:00:00"), ANSWER_FAILED);
}

static void test_unknown_ones_touch_nothing(void **state)
{
	(void)state;
	give_card("eth0", WAKE_MAGIC, 0);
	assert_int_equal(ARM("eth0", "eth7"), ANSWER_FAILED);
	SAID("there is no interface eth7, but eth0");
	assert_int_equal(ARM("eth0", "52:54:00:00:00:77"), ANSWER_FAILED);
	SAID("no physical port has the MAC 52:54:00:00:00:77; physical ports: eth0");
	assert_int_equal(ARM("eth0", "52:54:00:00:00:0g"), ANSWER_USAGE);
	assert_int_equal(ARM("eth0", "52:54:00:00:00:01:02"), ANSWER_USAGE);
	assert_int_equal(ARM("a-name-too-long-for-an-interface"), ANSWER_USAGE);
	assert_int_equal(ARM(""), ANSWER_FAILED);
	assert_int_equal(cards[0].sets + cards[0].gets, 0);
}

static void test_a_dry_run(void **state)
{
	(void)state;
	give_card("eth0", WAKE_MAGIC, 0);
	give_card("eth1", WAKE_MAGIC, WAKE_MAGIC);
	assert_int_equal(DRY_ARM(), ANSWER_OK);
	SAID("would arm eth0, eth1");
	assert_string_equal(port_says(0, "state"), "disarmed");
	assert_string_equal(port_says(1, "state"), "armed");
	assert_int_equal(cards[0].sets + cards[1].sets, 0);
	give_card("eth2", 0, 0)->get_error = EOPNOTSUPP;
	assert_int_equal(DRY_ARM("eth2"), ANSWER_NOT_SUPPORTED);
	SAID("would arm nothing; eth2: its driver has no");
}

static void test_names_of_any_octets(void **state)
{
	static const char *const names[] = {"a;b",      "$(x)",     "`",  "\"'\\",
					    "\xff\xfe", "\xc3\xa4", "-n", "\x01\x7f"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		give_card(names[i], WAKE_MAGIC, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(ARM(names[i]), ANSWER_OK);
		assert_int_equal(cards[i].set, WAKE_MAGIC);
	}
	assert_int_equal(ARM(), ANSWER_OK);
	assert_string_equal(port_says(4, "name"), "??");
	assert_string_equal(port_says(5, "name"), "\xc3\xa4");
	assert_string_equal(port_says(7, "name"), "??");
}

/* As many ports as any machine has: the texts are cut, at whole characters, and the answer stands. */
static void test_a_text_that_gets_too_long(void **state)
{
	(void)state;
	for (int i = 0; i < CARDS_MAX; i++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4%02d", i);
		give_card(name, WAKE_MAGIC, 0);
	}
	assert_int_equal(ARM(), ANSWER_OK);
	assert_int_equal(port_count(), CARDS_MAX);
	assert_null(strchr(said_text(), '?'));
	assert_int_equal(ARM("eth0"), ANSWER_FAILED);
	assert_null(strchr(said_text(), '?'));
}

static void test_letters(void **state)
{
	char letters[16];

	(void)state;
	wake_letters(0, letters);
	assert_string_equal(letters, "d");
	wake_letters(WAKE_PHY | WAKE_UCAST | WAKE_MCAST | WAKE_BCAST | WAKE_ARP | WAKE_MAGIC |
			 WAKE_MAGICSECURE | WAKE_FILTER,
		     letters);
	assert_string_equal(letters, "pumbagsf");
	wake_letters(UINT32_MAX, letters);
	assert_string_equal(letters, "pumbagsf");
}

/* --- report --------------------------------------------------------------------------------------- */

static json_t *interface(size_t i)
{
	return json_array_get(json_object_get(said, "interfaces"), i);
}

static void test_a_report_tells_of_ports(void **state)
{
	struct request request = {.verb = VERB_REPORT};
	json_t *wol;

	(void)state;
	give("br0", "bridge", 0);
	give_card("eth0", WAKE_PHY | WAKE_MAGIC, WAKE_MAGIC)->link.master = 1;
	assert_int_equal(run(report_run, &request), ANSWER_OK);
	assert_string_equal(json_string_value(json_object_get(interface(0), "name")), "eth0");
	assert_string_equal(json_string_value(json_object_get(interface(0), "state")), "armed");
	wol = json_object_get(interface(0), "wol");
	assert_string_equal(json_string_value(json_object_get(wol, "supported")), "pg");
	assert_string_equal(json_string_value(json_object_get(wol, "set")), "g");
	assert_true(json_is_null(json_object_get(interface(0), "permanent-mac")));
	assert_string_equal(json_string_value(json_array_get(json_object_get(interface(1), "lowers"), 0)),
			    "eth0");
	assert_true(json_is_null(json_object_get(json_object_get(interface(1), "wol"), "supported")));
	assert_int_equal(cards[0].gets + cards[0].sets + cards[1].sets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_port_is_armed_and_read_back, clear),
	    cmocka_unit_test_setup(test_an_armed_port_is_left_alone, clear),
	    cmocka_unit_test_setup(test_other_bits_and_the_password_stay, clear),
	    cmocka_unit_test_setup(test_a_driver_without, clear),
	    cmocka_unit_test_setup(test_hardware_without, clear),
	    cmocka_unit_test_setup(test_a_driver_that_offers_and_refuses, clear),
	    cmocka_unit_test_setup(test_a_driver_that_fails, clear),
	    cmocka_unit_test_setup(test_a_driver_that_forgets, clear),
	    cmocka_unit_test_setup(test_no_right, clear),
	    cmocka_unit_test_setup(test_a_card_that_is_not_there_any_more, clear),
	    cmocka_unit_test_setup(test_all_ports_or_each, clear),
	    cmocka_unit_test_setup(test_no_port_at_all, clear),
	    cmocka_unit_test_setup(test_what_is_under_a_bridge, clear),
	    cmocka_unit_test_setup(test_a_mac_of_two_ports, clear),
	    cmocka_unit_test_setup(test_a_mac_of_a_bridge_too, clear),
	    cmocka_unit_test_setup(test_unknown_ones_touch_nothing, clear),
	    cmocka_unit_test_setup(test_a_dry_run, clear),
	    cmocka_unit_test_setup(test_names_of_any_octets, clear),
	    cmocka_unit_test_setup(test_a_text_that_gets_too_long, clear),
	    cmocka_unit_test_setup(test_letters, clear),
	    cmocka_unit_test_setup(test_a_report_tells_of_ports, clear),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	json_decref(said);
	return failed;
}
