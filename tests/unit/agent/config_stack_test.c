/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stacks in the configuration: every key, where guests stand, and every error that says where it is. */
#include "tests/unit/agent/config_files.h"

#define STACK             "machine a { stack { uri = \"qemu:///system\"\n"
#define GUEST(name, rest) "guest " name " { uri = \"qemu+ssh://" name "/system\" " rest " }\n"

static const struct pm_hypervisor_config *hypervisor_of(const struct pm_inventory *inventory,
							const char *guest)
{
	const struct pm_machine_config *machine = &inventory->machines[0];

	for (size_t i = 0; i < machine->hypervisor_count; i++) {
		const char *name = machine->hypervisors[i].guest;

		if (guest && name ? strcmp(guest, name) == 0 : guest == name)
			return &machine->hypervisors[i];
	}
	fail_msg("there is no guest %s", guest);
	return NULL;
}

/* The guest on which this one runs; NULL: the machine. */
static const char *parent_of(const struct pm_inventory *inventory, const char *guest)
{
	const struct pm_hypervisor_config *hypervisor = hypervisor_of(inventory, guest);
	const struct pm_hypervisor_config *all = inventory->machines[0].hypervisors;

	assert_true(hypervisor->on < (size_t)(hypervisor - all));
	return all[hypervisor->on].guest;
}

static void test_a_stack_of_one_line(void **state)
{
	struct pm_inventory *inventory = load_good("machine a { stack { uri = \"qemu:///system\" } }");
	const struct pm_hypervisor_config *stack = inventory->machines[0].hypervisors;

	(void)state;
	assert_int_equal(inventory->machines[0].hypervisor_count, 1);
	assert_string_equal(stack->uri, "qemu:///system");
	assert_string_equal(stack->shown, "qemu:///system");
	assert_null(stack->guest);
	assert_int_equal(stack->parallel, 10);
	assert_false(stack->autostart);
	assert_int_equal(stack->suspend, PM_SUSPEND_PAUSE);
	assert_int_equal(stack->connect_timeout_s, 300);
	assert_int_equal(stack->poll_interval_ms, 30000);
	pm_inventory_free(inventory);
}

static void test_every_key(void **state)
{
	struct pm_inventory *inventory = load_good(
	    "agent { poll-interval = 20s }\n" STACK
	    "parallel = 7 autostart = yes suspend = guest connect-timeout = 90s poll-interval = 2m\n"
	    "guest db1 { uri = \"xen+ssh://root@db1/system\" }\n"
	    "guest db2 { uri = \"lxc:///system\" parallel = 3 autostart = on suspend = pause "
	    "connect-timeout = 1s poll-interval = 1s } } }");
	const struct pm_hypervisor_config *stack = hypervisor_of(inventory, NULL),
					  *db1 = hypervisor_of(inventory, "db1"),
					  *db2 = hypervisor_of(inventory, "db2");

	(void)state;
	assert_int_equal(stack->parallel, 7);
	assert_true(stack->autostart);
	assert_int_equal(stack->suspend, PM_SUSPEND_GUEST);
	assert_int_equal(stack->connect_timeout_s, 90);
	assert_int_equal(stack->poll_interval_ms, 120000);
	assert_int_equal(db1->parallel, 7); /* as what it runs on */
	assert_false(db1->autostart);
	assert_int_equal(db1->suspend, PM_SUSPEND_PAUSE);
	assert_int_equal(db1->connect_timeout_s, 300);
	assert_int_equal(db1->poll_interval_ms, 20000); /* as the agent */
	assert_int_equal(db1->line, 4);
	assert_int_equal(db2->parallel, 3);
	assert_true(db2->autostart);
	assert_int_equal(db2->connect_timeout_s, 1);
	assert_int_equal(db2->poll_interval_ms, 1000);
	pm_inventory_free(inventory);
}

static void test_guests_nest_or_name_their_parent(void **state)
{
	struct pm_inventory *inventory = load_good(
	    STACK GUEST("d", "parent = c")
		GUEST("c", "parent = b parallel = 2") "guest b { uri = \"qemu+ssh://b/system\" " GUEST(
		    "e", "") "}\n" GUEST("f", "parent = e") "} }");

	(void)state;
	assert_int_equal(inventory->machines[0].hypervisor_count, 6);
	assert_null(inventory->machines[0].hypervisors[0].guest);
	assert_string_equal(parent_of(inventory, "d"), "c");
	assert_string_equal(parent_of(inventory, "c"), "b");
	assert_null(parent_of(inventory, "b"));
	assert_string_equal(parent_of(inventory, "e"), "b");
	assert_string_equal(parent_of(inventory, "f"), "e");
	assert_int_equal(hypervisor_of(inventory, "d")->parallel, 2);
	assert_int_equal(hypervisor_of(inventory, "f")->parallel, 10);
	pm_inventory_free(inventory);
}

static void test_two_stacks_are_apart(void **state)
{
	struct pm_inventory *inventory =
	    load_good(STACK GUEST("a", "") "} stack { uri = \"lxc:///system\" "
					   "guest a { uri = \"qemu+ssh://other/system\" } } }");
	const struct pm_machine_config *machine = &inventory->machines[0];

	(void)state;
	assert_int_equal(machine->hypervisor_count, 4);
	assert_string_equal(machine->hypervisors[1].guest, "a");
	assert_int_equal(machine->hypervisors[1].on, 0);
	assert_null(machine->hypervisors[2].guest);
	assert_string_equal(machine->hypervisors[3].guest, "a");
	assert_int_equal(machine->hypervisors[3].on, 2);
	pm_inventory_free(inventory);
}

static void test_ranges_expand_in_guests(void **state)
{
	struct pm_inventory *inventory =
	    load_good("machine \"lab[1-2]\" { stack { uri = \"qemu+ssh://lab[1-2]/system\"\n"
		      "guest \"db[1-2]\" { uri = \"qemu+ssh://db[1-2]/system\" }\n"
		      "guest \"web\" { uri = \"qemu+ssh://web[1-2]/system\" parent = \"db[1-2]\" } } }");
	const struct pm_machine_config *lab2 = &inventory->machines[1];

	(void)state;
	assert_string_equal(lab2->hypervisors[0].uri, "qemu+ssh://lab2/system");
	assert_string_equal(lab2->hypervisors[1].guest, "db2");
	assert_string_equal(lab2->hypervisors[1].uri, "qemu+ssh://db2/system");
	assert_string_equal(lab2->hypervisors[2].guest, "web");
	assert_int_equal(lab2->hypervisors[2].on, 1);
	pm_inventory_free(inventory);
}

static void test_what_is_shown_of_a_uri(void **state)
{
	static const struct {
		const char *uri, *shown;
	} cases[] = {
	    {"qemu+ssh://pmstack@lab1:2222/system?keyfile=/etc/pmstack/key&no_verify=1",
	     "qemu+ssh://pmstack@lab1:2222/system"},
	    {"qemu:///system?socket=/run/x/libvirt-sock", "qemu:///system?socket=/run/x/libvirt-sock"},
	    {"qemu+unix:///system?command=/bin/x&socket=/s&mode=direct",
	     "qemu+unix:///system?socket=/s&mode=direct"},
	    {"esx://root@esx1/?proxy=http://u:geheim@p/&auto_answer=0", "esx://root@esx1/"},
	    {"qemu+tls://h/system#x", "qemu+tls://h/system"},
	};
	char config[400];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_inventory *inventory;

		snprintf(config, sizeof(config), "machine a { stack { uri = \"%s\" } }", cases[i].uri);
		inventory = load_good(config);
		assert_string_equal(inventory->machines[0].hypervisors[0].uri, cases[i].uri);
		assert_string_equal(inventory->machines[0].hypervisors[0].shown, cases[i].shown);
		pm_inventory_free(inventory);
	}
}

static void test_a_long_uri_is_shown_as_far_as_there_is_room(void **state)
{
	struct pm_inventory *inventory;
	char config[700], path[400];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	snprintf(config, sizeof(config), "machine a { stack { uri = \"qemu:///%s?socket=/s\" } }", path);
	inventory = load_good(config);
	assert_int_equal(strlen(inventory->machines[0].hypervisors[0].shown), 255);
	assert_int_equal(strlen(inventory->machines[0].hypervisors[0].uri), 8 + 399 + 10);
	pm_inventory_free(inventory);
}

/* --- what is refused -------------------------------------------------------------------------- */

static const struct {
	const char *config;
	int line;
	const char *text;
} bad[] = {
    {"machine a {\n stack { }\n}", 2, "stack needs a uri"},
    {"machine a { stack {\n uri = \"qemu\"\n} }", 2, "no libvirt URI"},
    {"machine a { stack {\n uri = \"qemu+tcp://u:geheim@h/system\"\n} }", 2, "holds a password"},
    {"machine a { stack {\n uri = \"qemu:///sys tem\"\n} }", 2, "holds a space"},
    {STACK "parallel = 0 } }", 2, "a whole number from 1 to 1000"},
    {STACK "suspend = s3 } }", 2, "allowed are: pause, guest"},
    {STACK "autostart = maybe } }", 2, "allowed are: true, false"},
    {STACK "connect-timeout = 0s } }", 2, "a duration from 1s to 1d"},
    {STACK "connect-timeout = 90 } }", 2, "has no unit: write 90s"},
    {STACK "poll-interval = 100ms } }", 2, "a duration from 1s to 1d"},
    {STACK "parent = b } }", 2, "unknown key \"parent\" in stack"},
    {STACK "guest g { } } }", 2, "guest needs a uri"},
    {STACK "guest { uri = \"x:///y\" } } }", 2, "guest needs a name"},
    {STACK "guest \"\" { uri = \"x:///y\" } } }", 2, "guest needs a name"},
    {STACK GUEST("g", "") "guest g { uri = \"x:///z\" } } }", 3, "guest \"g\" is already in line 2"},
    {STACK GUEST("h", "") GUEST("g", "parent = h") "guest g {\nuri = \"x:///z\" parent = h } } }", 4,
     "guest \"g\" is already in line 3"},
    {STACK "guest g { uri = \"x:///1\"\nparent = h } } }", 3,
     "parent = \"h\": there is no such guest in this stack: write a section guest \"h\""},
    {STACK GUEST("database", "") "guest g { uri = \"x:///1\"\nparent = databse } } }", 4,
     "did you mean \"database\"?"},
    {STACK "guest g { uri = \"x:///1\"\nparent = g } } }", 3,
     "guest \"g\" would run on itself: \"g\" on \"g\"; one of them stands on the stack"},
    {STACK GUEST("a", "parent = c") GUEST("b", "parent = a") GUEST("c", "parent = b") "} }", 2,
     "guest \"a\" would run on itself: \"a\" on \"c\" on \"b\" on \"a\""},
    {STACK "guest a { uri = \"x:///1\" parent = b\nguest b { uri = \"x:///2\" } } } }", 2,
     "guest \"a\" would run on itself: \"a\" on \"b\" on \"a\""},
    {STACK GUEST("c", "") "guest a { uri = \"x:///1\"\nguest b { uri = \"x:///2\"\nparent = c } } } }", 5,
     "guest \"b\" stands in guest \"a\", which is its parent"},
    {STACK
     "guest a { uri = \"x:///1\" guest x { uri = \"x:///2\" } }\n"
     "guest b { uri = \"x:///3\" guest x { uri = \"x:///4\" } }\nguest c { uri = \"x:///5\"\nparent = x } } }",
     5, "parent = \"x\": there are two, in line 2 and line 3"},
    {STACK
     "guest b { uri = \"x:///1\" } } stack { uri = \"x:///2\"\nguest c { uri = \"x:///3\"\nparent = b } } }",
     4, "there is no such guest in this stack"},
    {STACK "}\nstack { uri = \"qemu:///system\" } }", 3,
     "machine \"a\" has the hypervisor qemu:///system, which \"a\" has already"},
    {STACK "guest g {\nuri = \"qemu:///system\" } } }", 3, "which \"a\" has already"},
    {STACK "} }\nmachine b { stack { uri = \"qemu:///system\" } }", 3,
     "machine \"b\" has the hypervisor qemu:///system, which \"a\" has already"},
    {STACK "} stack { uri = \"qemu:///system?socket=/s\" }\nstack { uri = \"qemu:///system?keyfile=k\" } }",
     3, "which \"a\" has already"},
    {"machine \"a[1-3]\" { stack {\n uri = \"qemu+ssh://U@Host/system?keyfile=k\" } }", 2,
     "machine \"a2\" has the hypervisor qemu+ssh://U@host/system, which \"a1\" has already"},
    {"machine \"a[1-3]\" { stack {\n uri = \"qemu+ssh://h[1-2]/system\" } }", 2, "3 names but 2 values"},
    {"machine \"a[1-2]\" { stack { uri = \"qemu+ssh://h[1-2]/system\"\nguest \"g[1-3]\" { uri = \"x:///[1-2]\" } } }",
     2, "2 names but 3 values"},
};

static void test_what_is_refused(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++) {
		write_text("t.conf", bad[i].config);
		failed += !refuses(bad[i].config, bad[i].line, bad[i].text);
	}
	assert_int_equal(failed, 0);
}

/* A ring is told once, and what hangs on it is not told for it. */
static void test_a_ring_is_told_once(void **state)
{
	struct pm_inventory *inventory;
	struct pm_config_errors errors;

	(void)state;
	write_text("t.conf",
		   STACK GUEST("d", "parent = c") GUEST("c", "parent = b") GUEST("b", "parent = c") "} }");
	assert_true(pm_config_load(in_directory("t.conf"), &inventory, &errors) < 0);
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.lines[0], "t.conf:3: guest \"c\" would run on itself"));
	pm_config_errors_clear(&errors);
}

static void test_a_ring_of_long_names(void **state)
{
	static char config[200000];
	const int count = 300;

	(void)state;
	strcpy(config, STACK);
	for (int i = 0; i < count; i++)
		sprintf(config + strlen(config),
			"guest a-rather-long-name-of-a-virtual-machine-number-%d { uri = \"x:///%d\" "
			"parent = a-rather-long-name-of-a-virtual-machine-number-%d }\n",
			i, i, (i + 1) % count);
	strcat(config, "} }");
	write_text("t.conf", config);
	assert_true(refuses("a ring", 2, "would run on itself"));
}

/* A chain that is written upside down, longer than sections may nest. */
static void test_a_long_chain(void **state)
{
	static char config[100000];
	const size_t count = 500;
	struct pm_inventory *inventory;

	(void)state;
	strcpy(config, STACK);
	for (size_t i = count; i > 0; i--)
		sprintf(config + strlen(config),
			i == 1 ? "guest g%zu { uri = \"x:///%zu\" }\n"
			       : "guest g%zu { uri = \"x:///%zu\" parent = g%zu }\n",
			i, i, i - 1);
	strcat(config, "} }");
	inventory = load_good(config);
	assert_int_equal(inventory->machines[0].hypervisor_count, count + 1);
	for (size_t i = 1; i <= count; i++)
		assert_int_equal(inventory->machines[0].hypervisors[i].on, i - 1);
	pm_inventory_free(inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_stack_of_one_line),
	    cmocka_unit_test(test_every_key),
	    cmocka_unit_test(test_guests_nest_or_name_their_parent),
	    cmocka_unit_test(test_two_stacks_are_apart),
	    cmocka_unit_test(test_ranges_expand_in_guests),
	    cmocka_unit_test(test_what_is_shown_of_a_uri),
	    cmocka_unit_test(test_a_long_uri_is_shown_as_far_as_there_is_room),
	    cmocka_unit_test(test_what_is_refused),
	    cmocka_unit_test(test_a_ring_is_told_once),
	    cmocka_unit_test(test_a_ring_of_long_names),
	    cmocka_unit_test(test_a_long_chain),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
