/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts of libvirt become one line without secrets; URIs make nobody ask; guests are asked in the way of their hypervisor. */
#include "agent/stack/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_cleaned(const char *uri, const char *text, const char *expected)
{
	char *copy = strdup(text); /* of its size exactly, for a sanitizer to see */

	assert_non_null(copy);
	stack_text_clean(copy, strlen(copy) + 1, uri);
	assert_string_equal(copy, expected);
	free(copy);
}

static void test_one_visible_line(void **unused)
{
	(void)unused;
	assert_cleaned("qemu:///system", "Cannot recv data: ssh:\r\n  no route\n",
		       "Cannot recv data: ssh: no route");
	assert_cleaned(NULL, "\n\n", "");
	assert_cleaned(NULL, "a\033[31mb", "a?[31mb");
	assert_cleaned(NULL, "caf\xc3\xa9 \xc3", "caf\xc3\xa9 ");
}

static void test_no_password(void **unused)
{
	(void)unused;
	assert_cleaned("esx://root:geheim@h/", "esx://root:geheim@h/: login as root with geheim failed",
		       "esx://root:***@h/: login as root with *** failed");
	assert_cleaned("esx://root:geh%65im@h/", "geheim geh%65im", "*** ***");
	assert_cleaned("esx://root:a:b@c@h/", "uses a:b@c", "uses ***");
	assert_cleaned("qemu+tcp://u:x@h:16509/system?socket=/a:b@c", "x marks h:16509", "*** marks h:165");
}

static void test_what_is_no_password(void **unused)
{
	(void)unused;
	assert_cleaned("qemu+ssh://user@h:22/system", "h:22 refused user", "h:22 refused user");
	assert_cleaned("qemu+ssh://user:@h/system", "user: refused", "user: refused");
	assert_cleaned("qemu:///system?x=a:b@c", "b at c", "b at c");
	assert_cleaned("test:///default", "default", "default");
	assert_cleaned("nonsense", "nonsense", "nonsense");
}

static void assert_quiet(const char *uri, const char *expected)
{
	char *quiet = stack_uri_quiet(uri);

	assert_non_null(quiet);
	assert_string_equal(quiet, expected);
	free(quiet);
}

static void test_ssh_asks_nobody(void **unused)
{
	(void)unused;
	assert_quiet("qemu+ssh://h/system", "qemu+ssh://h/system?no_tty=1");
	assert_quiet("qemu+ssh://h/system?keyfile=/k", "qemu+ssh://h/system?keyfile=/k&no_tty=1");
	assert_quiet("qemu+ssh://h/system?no_tty=0",
		     "qemu+ssh://h/system?no_tty=0&no_tty=1"); /* the last one counts */
	assert_quiet("qemu:///system", "qemu:///system");
	assert_quiet("qemu+tcp://h/a+ssh:b", "qemu+tcp://h/a+ssh:b");
	assert_quiet("test:///default", "test:///default");
}

static void assert_ways(const char *type, bool agent, const char *expected)
{
	unsigned ways[STACK_WAYS_MAX];
	size_t count = stack_ways_to_ask(type, agent, ways);
	char text[64] = "";

	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u", i ? " " : "", ways[i]);
	assert_string_equal(text, expected);
}

/* VIR_DOMAIN_SHUTDOWN_: 1 ACPI power button, 2 agent, 4 initctl, 8 signal, 16 paravirt. */
static void test_ways_to_ask(void **unused)
{
	(void)unused;
	assert_ways("QEMU", false, "1");
	assert_ways("QEMU", true, "2 1");
	assert_ways("LXC", false, "4 8");
	assert_ways("LXC", true, "2 4 8");
	assert_ways("Xen", false, "16 1");
	assert_ways("TEST", false, "0");
	assert_ways("ESX", true, "2 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_visible_line),    cmocka_unit_test(test_no_password),
	    cmocka_unit_test(test_what_is_no_password), cmocka_unit_test(test_ssh_asks_nobody),
	    cmocka_unit_test(test_ways_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
