/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration file: what a good one becomes. */
#include "tests/unit/agent/config_files.h"

#include <freeipmi/api/ipmi-api.h>
#include <time.h>

/* --- what a good file becomes ----------------------------------------------------------------- */

static void test_defaults(void **state)
{
	struct pm_inventory *inventory = load_good("");
	const struct pm_agent_config *agent = &inventory->agent;
	char host[256];

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_string_equal(agent->name, host);
	assert_int_equal(agent->index, 1);
	assert_string_equal(agent->master, "unix:/var/agentx/master");
	assert_string_equal(agent->state_directory, "/var/lib/pmstack");
	assert_int_equal(agent->poll_interval_ms, 30000);
	assert_int_equal(agent->misses, 3);
	assert_int_equal(agent->power_interval_ms, 60000);
	assert_int_equal(agent->witness_count, 0);
	assert_int_equal(agent->rows_first, 1);
	assert_int_equal(agent->rows_last, 2147483647);
	assert_true(agent->resume);
	assert_int_equal(agent->history_s, 30 * 86400);
	pm_inventory_free(inventory);
}

static void test_agent(void **state)
{
	struct pm_inventory *inventory = load_good(
	    "agent { name = 'rack a' index = 7 master = \"tcp6:[::1]:705\" state-directory = /tmp/x\n"
	    "poll-interval = 1m witness = { eth0, br0 } witness += { \"eth1.5\" } rows = { 257, 10000 }\n"
	    "resume = no history = 2h misses = 5 power-interval = 0 }");
	const struct pm_agent_config *agent = &inventory->agent;

	(void)state;
	assert_string_equal(agent->name, "rack a");
	assert_int_equal(agent->index, 7);
	assert_string_equal(agent->master, "tcp6:[::1]:705");
	assert_string_equal(agent->state_directory, "/tmp/x");
	assert_int_equal(agent->poll_interval_ms, 60000);
	assert_int_equal(agent->misses, 5);
	assert_int_equal(agent->power_interval_ms, 0);
	assert_int_equal(agent->witness_count, 3);
	assert_string_equal(agent->witness[2], "eth1.5");
	assert_int_equal(agent->rows_first, 257);
	assert_int_equal(agent->rows_last, 10000);
	assert_false(agent->resume);
	assert_int_equal(agent->history_s, 7200);
	pm_inventory_free(inventory);
}

static void test_credentials(void **state)
{
	struct pm_inventory *inventory = load_good(
	    "credentials a { username = admin password-file = \"pw\" kg-file = \"kg\" privilege = administrator\n"
	    "cipher-suites = { 3, 17, 8 } workarounds = { opensesspriv, authcap } }\n"
	    "credentials b { ipmi-version = '1.5' workarounds = { idzero } password-file = 'pw' }\n"
	    "credentials c { password-file = pw }");
	const struct pm_credentials *c = inventory->credentials;

	(void)state;
	assert_int_equal(inventory->credential_count, 3);
	assert_string_equal(c[0].username, "admin");
	assert_int_equal(c[0].password.length, 6);
	assert_memory_equal(c[0].password.data, "geheim", 6);
	assert_int_equal(c[0].kg.length, 3);
	assert_memory_equal(c[0].kg.data, "\x01\x02\x03", 3);
	assert_int_equal(c[0].privilege, PM_PRIVILEGE_ADMINISTRATOR);
	assert_int_equal(c[0].ipmi_version, PM_IPMI_2_0);
	assert_int_equal(c[0].cipher_suite_count, 3);
	assert_memory_equal(c[0].cipher_suites, "\x03\x11\x08", 3);
	assert_int_equal(c[0].workarounds,
			 IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE |
			     IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES);
	assert_int_equal(c[1].ipmi_version, PM_IPMI_1_5);
	assert_int_equal(c[1].workarounds, IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO);
	assert_string_equal(c[1].username, "");
	assert_int_equal(c[2].privilege, PM_PRIVILEGE_OPERATOR);
	assert_int_equal(c[2].cipher_suite_count, 2);
	assert_memory_equal(c[2].cipher_suites, "\x11\x03", 2);
	assert_int_equal(c[2].workarounds, 0);
	assert_int_equal(c[2].kg.length, 0);
	pm_inventory_free(inventory);
}

static void check_lab_machine(const struct pm_inventory *inventory, size_t i)
{
	const struct pm_machine_config *machine = &inventory->machines[i];
	char text[64];

	snprintf(text, sizeof(text), "lab%02zu", i + 1);
	assert_string_equal(machine->name, text);
	assert_ptr_equal(pm_inventory_machine(inventory, text), machine);
	assert_string_equal(machine->location, "row 3, rack 7");
	snprintf(text, sizeof(text), "lab%02zu-bmc", i + 1);
	assert_string_equal(machine->bmc->address, text);
	assert_int_equal(machine->bmc->port, 623);
	assert_ptr_equal(machine->bmc->credentials, &inventory->credentials[0]);
	assert_int_equal(machine->bmc->timeout_ms, 7000);
	assert_int_equal(machine->bmc->poll_interval_ms, 45000);
	assert_int_equal(machine->bmc->misses, 7);
	assert_int_equal(machine->probe->misses, 4);
	assert_int_equal(machine->bmc->power_interval_ms, 300000);
	assert_int_equal(machine->nic_count, 2);
	assert_true(machine->nics[0].has_mac);
	assert_int_equal(machine->nics[0].mac[5], i + 1);
	assert_false(machine->nics[1].has_mac);
	snprintf(text, sizeof(text), "pmstack@lab%02zu", i + 1);
	assert_string_equal(machine->host->ssh, text);
	assert_string_equal(machine->host->user, "pmstack");
	assert_string_equal(machine->host->address, text + strlen("pmstack@"));
	assert_int_equal(machine->host->port, 2222);
	assert_int_equal(machine->host->timeout_ms, 10000);
	assert_int_equal(machine->host->poll_interval_ms, 300000); /* there is a probe */
	snprintf(text, sizeof(text), "qemu+ssh://pmstack@lab%02zu/system", i + 1);
	assert_string_equal(machine->hypervisors[0].uri, text);
}

static void test_ranges_expand_in_step(void **state)
{
	struct pm_inventory *inventory;

	(void)state;
	write_text("key", "x");
	write_text("hosts", "x");
	write_text(
	    "ethers",
	    "# comment\n52:54:0:aa:0:1 lab01\n52:54:00:aa:00:02\tlab02 # second\n52:54:00:aa:00:03 lab03\n");
	inventory = load_good(
	    "agent { ethers = ethers ssh-identity-file = key ssh-known-hosts = hosts ssh-parallel = 7 poll-interval = 45s misses = 4 power-interval = 5m }\n" CREDENTIALS
	    "machine \"lab[01-03]\" { location = \"row 3, rack 7\"\n"
	    "bmc { address = \"lab[01-03]-bmc\" credentials = ops timeout = 7s misses = 7 }\n"
	    "nic eth0 { } nic eth1 { wol = udp address = \"192.168.3.255\" }\n"
	    "probe { } host { ssh = \"pmstack@lab[01-03]\" port = 2222 }\n"
	    "stack { uri = \"qemu+ssh://pmstack@lab[01-03]/system\" } }\n");
	assert_int_equal(inventory->machine_count, 3);
	assert_string_equal(inventory->agent.ssh_identity_file, in_directory("key"));
	assert_string_equal(inventory->agent.ssh_known_hosts, in_directory("hosts"));
	assert_int_equal(inventory->agent.ssh_parallel, 7);
	for (size_t i = 0; i < 3; i++)
		check_lab_machine(inventory, i);
	pm_inventory_free(inventory);
	unlink(in_directory("key"));
	unlink(in_directory("hosts"));
}

static void test_machine_keys(void **state)
{
	struct pm_inventory *inventory = load_good(
	    CREDENTIALS
	    "machine nas1 { " BMC
	    " uuid = 123E4567-e89b-12d3-a456-426614174000 power-on-method = wol off-methods = { bmc, bmc-soft }\n"
	    "stack-timeout = 1h vm-timeout = 90s on-timeout = 2m off-timeout = 30s wol-repeats = 5\n"
	    "wol-repeat-interval = 250ms\n"
	    "nic e { mac = 52-54-00-aA-bB-cC wol = udp interface = eth1 address = \"ff02::1\" port = 7 secureon-file = so }\n"
	    "probe { method = tcp address = \"fe80::1%eth0\" port = 22 timeout = 500ms poll-interval = 5s misses = 1 } }");
	const struct pm_machine_config *machine = &inventory->machines[0];

	(void)state;
	assert_string_equal(machine->uuid, "123e4567-e89b-12d3-a456-426614174000");
	assert_int_equal(machine->power_on_method, PM_ON_WOL);
	assert_int_equal(machine->off_method_count, 2);
	assert_int_equal(machine->off_methods[0], PM_OFF_BMC);
	assert_int_equal(machine->off_methods[1], PM_OFF_BMC_SOFT);
	assert_int_equal(machine->stack_timeout_s, 3600);
	assert_int_equal(machine->vm_timeout_s, 90);
	assert_int_equal(machine->on_timeout_s, 120);
	assert_int_equal(machine->off_timeout_s, 30);
	assert_int_equal(machine->wol_repeats, 5);
	assert_int_equal(machine->wol_repeat_interval_ms, 250);
	assert_memory_equal(machine->nics[0].mac, "\x52\x54\x00\xaa\xbb\xcc", 6);
	assert_int_equal(machine->nics[0].wol, PM_WOL_UDP);
	assert_string_equal(machine->nics[0].interface, "eth1");
	assert_string_equal(machine->nics[0].address, "ff02::1");
	assert_int_equal(machine->nics[0].port, 7);
	assert_int_equal(machine->nics[0].secureon.length, 6);
	assert_int_equal(machine->probe->method, PM_PROBE_TCP);
	assert_string_equal(machine->probe->address, "fe80::1%eth0");
	assert_int_equal(machine->probe->port, 22);
	assert_int_equal(machine->probe->timeout_ms, 500);
	assert_int_equal(machine->probe->poll_interval_ms, 5000);
	assert_int_equal(machine->probe->misses, 1);
	pm_inventory_free(inventory);
}

static void test_machine_defaults(void **state)
{
	struct pm_inventory *inventory = load_good(
	    "machine a { probe { } }\n" CREDENTIALS
	    "machine b { bmc { address = \"10.0.0.1\" credentials = ops power-interval = 0m } host { local = true } }\n"
	    "machine c { host { local = true socket = \"/s\" timeout = 3s poll-interval = 2m } }");
	const struct pm_machine_config *machine = inventory->machines;

	(void)state;
	assert_int_equal(machine[0].power_on_method, PM_ON_AUTO);
	assert_int_equal(machine[0].off_method_count, 0);
	assert_int_equal(machine[0].stack_timeout_s, 600);
	assert_int_equal(machine[0].vm_timeout_s, 180);
	assert_int_equal(machine[0].on_timeout_s, 300);
	assert_int_equal(machine[0].off_timeout_s, 180);
	assert_int_equal(machine[0].wol_repeats, 3);
	assert_int_equal(machine[0].wol_repeat_interval_ms, 100);
	assert_string_equal(machine[0].probe->address, "a");
	assert_int_equal(machine[0].probe->timeout_ms, 1000);
	assert_string_equal(machine[0].uuid, "");
	assert_null(machine[0].bmc);
	assert_null(machine[0].host);
	assert_true(machine[1].host->local);
	assert_string_equal(machine[1].host->socket, "/run/pmstack-host.sock");
	assert_int_equal(machine[1].host->poll_interval_ms, 30000); /* it is what tells that it is on */
	assert_string_equal(machine[2].host->socket, "/s");
	assert_int_equal(machine[2].host->timeout_ms, 3000);
	assert_int_equal(machine[2].host->poll_interval_ms, 120000);
	assert_string_equal(inventory->agent.ssh_identity_file, "/etc/pmstack/id_ed25519");
	assert_string_equal(inventory->agent.ssh_known_hosts, "/etc/pmstack/known_hosts");
	assert_int_equal(inventory->agent.ssh_parallel, 32);
	assert_int_equal(machine[1].off_method_count, 3);
	assert_true(machine[1].host->local);
	assert_int_equal(machine[1].bmc->timeout_ms, 5000);
	assert_int_equal(machine[1].bmc->power_interval_ms, 0);
	pm_inventory_free(inventory);
}

static void test_groups_and_consoles(void **state)
{
	struct pm_inventory *inventory =
	    load_good("group rack { members = { nas1, \"lab[02-03]\", \"lab[01-03]\" } stagger = 500ms }\n"
		      "machine \"lab[01-03]\" { }\nmachine nas1 { }\n"
		      "console xterm { command = { \"xterm\", \"-title\", \"%l\" } }");
	const struct pm_group_config *group = inventory->groups;

	(void)state;
	assert_int_equal(inventory->group_count, 1);
	assert_int_equal(group->stagger_ms, 500);
	assert_int_equal(group->member_count, 4);
	assert_string_equal(group->members[0]->name, "nas1");
	assert_string_equal(group->members[1]->name, "lab02");
	assert_string_equal(group->members[2]->name, "lab03");
	assert_string_equal(group->members[3]->name, "lab01");
	assert_int_equal(inventory->console_count, 1);
	assert_string_equal(inventory->consoles[0].kind, "xterm");
	assert_string_equal(inventory->consoles[0].command[2], "%l");
	assert_null(inventory->consoles[0].command[3]);
	pm_inventory_free(inventory);
}

static void test_quoting(void **state)
{
	struct pm_inventory *inventory =
	    load_good("agent { name = \"a \\\"b\\\" \\\\ \\${x} # no // comment\" } // comment\r\n"
		      "/* machine x { } */ machine a { location = 'its' } # end\n"
		      "machine b { location = 'c:\\dir {x}' }\n"
		      "machine c { location = \"M\xc3\xbcnchen\" }\n");

	(void)state;
	assert_string_equal(inventory->agent.name, "a \"b\" \\ ${x} # no // comment");
	assert_int_equal(inventory->machine_count, 3);
	assert_string_equal(inventory->machines[1].location, "c:\\dir {x}");
	assert_string_equal(inventory->machines[2].location, "M\xc3\xbcnchen");
	pm_inventory_free(inventory);
}

/* What loading the configuration writes to the log, which is standard error; for free(3). */
static char *load_warnings(const char *text)
{
	char *warnings = calloc(1, 100000);
	int saved = dup(STDERR_FILENO);
	FILE *log = fopen(in_directory("log"), "w+");

	assert_non_null(warnings);
	assert_non_null(log);
	assert_true(saved >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
	pm_inventory_free(load_good(text));
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(log);
	assert_true(fread(warnings, 1, 99999, log) > 0);
	fclose(log);
	unlink(in_directory("log"));
	return warnings;
}

static void test_warns(void **state)
{
	static const struct {
		const char *config, *warning;
	} cases[] = {
	    {"", "t.conf: there is no machine section"},
	    {"machine a { }", "t.conf:1: machine \"a\" has neither bmc nor nic"},
	    {"machine a {\n nic e { }\n}",
	     "t.conf:2: machine \"a\", nic \"e\": no mac here and none in ethers(5)"},
	    {CREDENTIALS, "t.conf:1: credentials \"ops\" are not used"},
	    {"credentials c { }", "t.conf:1: credentials \"c\" have no password-file"},
	    {"credentials ops {\n cipher-suites = { 3, 0 } }\nmachine a { " BMC " }",
	     "t.conf:2: credentials \"ops\" allow cipher suite 0, which authenticates nobody: whoever reaches the BMC of "
	     "1 machine (a)"},
	    {"credentials ops {\n privilege = user }\n"
	     "machine \"a[1-9]\" { bmc { address = \"10.0.0.[1-9]\" credentials = ops } }",
	     "t.conf:2: credentials \"ops\" have privilege = \"user\": 9 machines (a1, a2, a3 and 6 more) can only be watched"},
	    {"group g { }", "t.conf:1: group \"g\" has no members"},
	    {"agent { ethers = broken }", "broken:1: ignored: not of the form"},
	    {"machine \"a[1-1000]\" { }", "and 900 more warnings"},
	    {"machine a { nic e { }\n host { local = yes } }",
	     "t.conf:2: machine \"a\" has a host, but neither bmc nor probe: whether it is off cannot be seen"},
	    {"agent { ssh-identity-file = pw\n ssh-known-hosts = none }\nmachine a { nic e { } host { ssh = b } }",
	     "/none: No such file or directory; no host is asked before its key is there, from ssh-keyscan"},
	};

	(void)state;
	write_text("broken", "52:54:00 a\n");
	for (size_t i = 0; i < LENGTH(cases); i++) {
		char *warnings = load_warnings(cases[i].config);

		if (!strstr(warnings, cases[i].warning))
			fail_msg("%s\nexpected: %s\nwarnings: %s", cases[i].config, cases[i].warning,
				 warnings);
		free(warnings);
	}
	unlink(in_directory("broken"));
}

static void test_ten_thousand_machines(void **state)
{
	FILE *out = fopen(in_directory("t.conf"), "w");
	struct pm_inventory *inventory;
	struct pm_config_errors errors;
	clock_t start;

	(void)state;
	assert_non_null(out);
	fputs(CREDENTIALS, out);
	for (unsigned i = 0; i < 10000; i++)
		fprintf(out,
			"machine n%u {\n bmc { address = \"10.1.%u.%u\" credentials = ops }\n"
			" nic e { mac = \"52:54:00:00:%02x:%02x\" }\n}\n",
			i, i >> 8, i & 255, i >> 8, i & 255);
	fputs("group all { members = \"n[0-9999]\" }\n", out);
	assert_int_equal(fclose(out), 0);
	start = clock();
	assert_int_equal(pm_config_load(in_directory("t.conf"), &inventory, &errors), 0);
	/* A fifth of a second here; the limit only has to tell it from anything quadratic, also under
	 * sanitizers. */
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10.0);
	assert_int_equal(inventory->machine_count, 10000);
	assert_int_equal(inventory->groups[0].member_count, 10000);
	assert_string_equal(pm_inventory_machine(inventory, "n9999")->bmc->address, "10.1.39.15");
	pm_inventory_free(inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_agent),
	    cmocka_unit_test(test_credentials),
	    cmocka_unit_test(test_ranges_expand_in_step),
	    cmocka_unit_test(test_machine_keys),
	    cmocka_unit_test(test_machine_defaults),
	    cmocka_unit_test(test_groups_and_consoles),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_warns),
	    cmocka_unit_test(test_ten_thousand_machines),
	};

	return cmocka_run_group_tests_name("config", tests, set_up, tear_down);
}
