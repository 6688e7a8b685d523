/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A bad configuration file: every error says where it is and what would be right. */
#include "tests/unit/agent/config_files.h"

/* --- what is refused -------------------------------------------------------------------------- */

struct bad {
	const char *config;
	int line;
	const char *text;
};

static const struct bad bad_syntax[] = {
    {"agent { index = 1", 1, "this agent is not closed"},
    {"\n}\n", 2, "unexpected } where a section is expected"},
    {"agent {\n name = \"x\n}\n", 2, "not closed on its line: the \" is missing"},
    {"agent {\n name = 'x\n}\n", 2, "the ' is missing"},
    {"agent {\n name = \"a\\qb\"\n}", 2, "\\q is no escape"},
    {"agent {\n name = \"${HOME}\"\n}", 2, "environment variables are not put in"},
    {"agent {\n name = ${HOME}\n}", 2, "environment variables are not put in"},
    {"agent {\n name = a*b\n}", 2, "unexpected *"},
    {"/* no end\n", 1, "the */ is missing"},
    {"agent {\n name\n}", 2, "after \"name\" an = or a section's { is missing"},
    {"agent {\n name x\n}", 2, "after \"name\" an = or"},
    {"agent {\n index = }\n", 2, "where a value is expected"},
    {"agent {\n index =", 2, "where a value is expected"},
    {"agent {\n witness = { a b }\n}", 2, "unexpected token 'b'"},
    {"agent {\n witness = { a, b \n index = 1 }", 2, "the list witness is not closed"},
    {"agent {\n index = { 1, 2 }\n}", 2, "unexpected token '{'"},
    {"agent {\n index += 1\n}", 2, "attempt to append to non-list option 'index'"},
    {"agent {\n index = 1\n index = 2\n}", 3, "index was already set in line 2"},
    {"agent {\n witness = { a }\n witness = { b }\n}", 3, "witness was already set in line 2"},
    {"agent {\n master = \"a\tb\"\n}", 2, "control character"},
    {"agent {\n name = \"\xff\"\n}", 2, "not UTF-8"},
    {"machine \"a\xc0\x80\" { }", 1, "control character"},
    {"agent = 1", 1, "agent is a section: write agent { ... }"},
    {"agent {\n index { }\n}", 2, "index is a key: write index = ..."},
    {"agent \"x\" { }", 1, "agent takes no name"},
    {"machine { }", 1, "machine needs a name"},
    {"agent { }\nagent { }", 2, "a second agent in the file; the first is in line 1"},
    {"machine a {\n bmc {\n  port = 1\n nic e { }\n}\n", 4,
     "nic cannot stand in bmc, which begins in line 2"},
    {"machine a {\n\nmachine b { }\n", 3, "machine cannot stand in machine, which begins in line 1"},
    {"include(\"missing.conf\")", 1, "missing.conf: No such file or directory"},
    {"include()", 1, "include(\"FILE\") is expected"},
    {"include(\"a\", \"b\")", 1, "include(\"FILE\") is expected"},
    {"include(\"a\"", 1, "include(\"FILE\") is expected"},
    {"agent {\n include(\"x\")\n}", 2, "stands outside of all sections"},
    {"\ninclude(\"t.conf\")", 2, "includes itself"},
    {"include(\".\")", 1, "is a directory"},
};

static const struct bad bad_keys[] = {
    {"agents { }", 1, "unknown key \"agents\" in the file: did you mean \"agent\"?"},
    {"agent {\n adress = 1\n}", 2, "unknown key \"adress\" in agent; known are: name, "},
    {"machine a { bmc {\n adress = x\n} }", 2, "did you mean \"address\"?"},
    {"machine a { bmc { credentials = ops address = x\n password = geheim\n} }", 2, "use password-file"},
    {"credentials c {\n password = geheim\n}", 2, "secrets do not stand in the configuration"},
    {"credentials c {\n kg = geheim\n}", 2, "use kg-file"},
    {"machine a {\n foo \"x\" { y = { 1, 2 } z { } }\n bar = 1\n}", 3, "unknown key \"bar\""},
};

static const struct bad bad_agent[] = {
    {"agent {\n index = 0\n}", 2, "index = 0: a whole number from 1 to 2147483647 is expected"},
    {"agent {\n index = -1\n}", 2, "a whole number from 1"},
    {"agent {\n index = 99999999999999999999999\n}", 2, "a whole number from 1"},
    {"agent {\n index = 0x10\n}", 2, "a whole number from 1"},
    {"agent {\n index = 1.5\n}", 2, "a whole number from 1"},
    {"agent {\n index = \"\"\n}", 2, "a whole number from 1"},
    {"agent {\n poll-interval = 30\n}", 2, "poll-interval = 30 has no unit: write 30s"},
    {"agent {\n poll-interval = 30x\n}", 2, "a duration is a whole number and a unit"},
    {"agent {\n poll-interval = 1.5s\n}", 2, "a duration is a whole number and a unit"},
    {"agent {\n poll-interval = -5s\n}", 2, "a duration is a whole number and a unit"},
    {"agent {\n poll-interval = s\n}", 2, "a duration is a whole number and a unit"},
    {"agent {\n poll-interval = 10ms\n}", 2, "a duration from 1s to 1d is expected"},
    {"agent {\n poll-interval = 99999999999999999999d\n}", 2, "a duration from 1s to 1d is expected"},
    {"agent {\n poll-interval = 18446744073709551615ms\n}", 2, "a duration from 1s to 1d is expected"},
    {"agent {\n misses = 0\n}", 2, "misses = 0: a whole number from 1 to 100 is expected"},
    {"agent {\n power-interval = 500ms\n}", 2, "a duration from 1s to 1d is expected"},
    {"agent {\n power-interval = 60\n}", 2, "power-interval = 60 has no unit: write 60s"},
    {"agent {\n misses = 101\n}", 2, "a whole number from 1 to 100"},
    {"agent {\n history = 0s\n}", 2, "a duration from 1m to 3650d is expected"},
    {"agent {\n history = 61500ms\n}", 2, "whole seconds are expected"},
    {"agent {\n resume = maybe\n}", 2, "allowed are: true, false, yes, no, on, off"},
    {"agent {\n master = \"\"\n}", 2, "master is empty; leave it out"},
    {"agent {\n master = \"unix:agentx\"\n}", 2, "unix:/PATH, tcp:HOST:PORT"},
    {"agent {\n master = \"tcp:127.0.0.1\"\n}", 2, "unix:/PATH, tcp:HOST:PORT"},
    {"agent {\n master = \"tcp:127.0.0.1:99999\"\n}", 2, "unix:/PATH, tcp:HOST:PORT"},
    {"agent {\n master = \"udp:127.0.0.1:705\"\n}", 2, "unix:/PATH, tcp:HOST:PORT"},
    {"agent {\n master = \"tcp6:[fe80::1:705\"\n}", 2, "unix:/PATH, tcp:HOST:PORT"},
    {"agent {\n state-directory = \"lib\"\n}", 2, "an absolute path is expected"},
    {"agent {\n witness = { \"eth0\", \"averyveryverylongname\" }\n}", 2, "no name of a network interface"},
    {"agent {\n rows = { 1 }\n}", 2, "rows = { FIRST, LAST }"},
    {"agent {\n rows = { 0, 5 }\n}", 2, "rows = { FIRST, LAST }"},
    {"agent {\n rows = { 600, 500 }\n}", 2, "rows = { FIRST, LAST }"},
    {"agent {\n rows = { 1, 2147483648 }\n}", 2, "rows = { FIRST, LAST }"},
    {"agent {\n rows = { 300, 500 }\n}", 2, "write 257 instead of 300"},
    {"agent {\n ethers = \"missing\"\n}", 2, "No such file"},
};

static const struct bad bad_credentials[] = {
    {"credentials \"a b\" { }", 1, "credentials name \"a b\""},
    {CREDENTIALS CREDENTIALS, 2, "credentials \"ops\" is already in"},
    {"credentials c {\n username = \"12345678901234567\"\n}", 2,
     "username has 17 octets, a BMC takes at most 16"},
    {"credentials c {\n password-file = \"missing\"\n}", 2, "No such file"},
    {"credentials c {\n password-file = \"open\"\n}", 2, "chmod 0640"},
    {"credentials c {\n password-file = \"long\"\n}", 2, "the password has 21 octets"},
    {"credentials c {\n ipmi-version = \"1.5\"\n password-file = \"twenty\"\n}", 3, "at most 16"},
    {"credentials c {\n kg-file = \"long\"\n}", 2, "at most 20 octets"},
    {"credentials c { ipmi-version = \"1.5\"\n kg-file = \"pw\"\n}", 2, "IPMI 1.5 knows no kg-file"},
    {"credentials c { ipmi-version = \"1.5\"\n cipher-suites = { 3 }\n}", 2,
     "IPMI 1.5 knows no cipher-suites"},
    {"credentials c {\n privilege = admin\n}", 2, "allowed are: user, operator, administrator"},
    {"credentials c {\n ipmi-version = 2\n}", 2, "llowed are: 2.0, 1.5"},
    {"credentials c {\n cipher-suites = { 3, 18 }\n}", 2, "cipher suite \"18\" is not known"},
    {"credentials c {\n cipher-suites = { 3, 9 }\n}", 2,
     "cipher suite 9 encrypts with xRC4, which is not supported"},
    {"credentials c {\n cipher-suites = { 3, -1 }\n}", 2, "cipher suite \"-1\" is not known"},
    {"credentials c {\n cipher-suites = { 3, 3 }\n}", 2, "cipher suite 3 is listed twice"},
    {"credentials c {\n cipher-suites = { }\n}", 2, "cipher-suites is empty"},
    {"credentials c {\n workarounds = { opensess }\n}", 2, "opensesspriv"},
    {"credentials c {\n workarounds = { endianseq }\n}", 2, "workarounds for IPMI 2.0"},
};

static const struct bad bad_machine[] = {
    {"machine \"a b\" { }", 1, "machine name \"a b\""},
    {"machine \"a/b\" { }", 1, "without space /"},
    {"machine \"a[x]\" { }", 1, "without space / [ ]"},
    {"machine \"\" { }", 1, "machine needs a name"},
    {"machine \"12345678901234567890123456789012345678901234567890123456789012345\" { }", 1, "1 to 64"},
    {"machine \"a[1-60000]\" { }\nmachine \"b[1-60000]\" { }", 2, "more than 100000 machines"},
    {"machine \"a[5-1]\" { }", 1, "runs backwards"},
    {"machine a { }\nmachine b { }\nmachine a { }", 3, "machine \"a\" was already declared in"},
    {"machine \"a[1-3]\" { }\nmachine a2 { }", 2, "machine \"a2\" was already declared in"},
    {"machine \"a[1,1]\" { }", 1, "machine \"a1\" was already declared in"},
    {"machine a {\n uuid = \"1234\"\n}", 2, "is not of the form"},
    {"machine \"a[1-2]\" {\n uuid = \"123e4567-e89b-12d3-a456-426614174000\"\n}", 2,
     "one uuid for 2 machines"},
    {"machine a { uuid = 123e4567-e89b-12d3-a456-426614174000 }\n"
     "machine b { uuid = 123E4567-E89B-12D3-A456-426614174000 }",
     2, "has the uuid 123e4567-e89b-12d3-a456-426614174000, which \"a\" has already"},
    {"machine a {\n power-on-method = ipmy\n}", 2, "did you mean \"ipmi\"? Allowed are: auto, ipmi, wol"},
    {"machine a {\n power-on-method = ipmi\n}", 2, "needs a bmc section"},
    {"machine a {\n power-on-method = wol\n}", 2, "needs a nic section"},
    {"machine a {\n off-methods = { bmc }\n}", 2, "there is no bmc section"},
    {"machine a {\n off-methods = { host }\n}", 2, "there is no host section"},
    {"machine a {\n off-methods = { kill }\n}", 2, "allowed are: host, bmc-soft, bmc"},
    {CREDENTIALS "machine a { " BMC "\n off-methods = { bmc, bmc }\n}", 3, "lists \"bmc\" twice"},
    {"machine a {\n stack-timeout = 2d\n}", 2, "a duration from 1s to 1d"},
    {"machine a {\n vm-timeout = 500ms\n}", 2, "a duration from 1s to 1d"},
    {"machine a {\n wol-repeats = 0\n}", 2, "a whole number from 1 to 100"},
    {"machine a {\n wol-repeat-interval = 1ms\n}", 2, "a duration from 10ms to 1m"},
};

static const struct bad bad_bmc[] = {
    {"machine a {\n bmc { }\n}", 2, "bmc needs an address"},
    {"machine a {\n bmc { address = x }\n}", 2, "bmc needs credentials"},
    {"machine a { bmc { address = x\n credentials = none } }", 2, "there are no credentials \"none\""},
    {"machine a { bmc {\n address = \"a b\"\n} }", 2, "neither a host name nor an IP address"},
    {"machine a { bmc {\n address = \"-x\"\n} }", 2, "neither a host name"},
    {"machine a { bmc {\n address = \"a..b\"\n} }", 2, "neither a host name"},
    {"machine a { bmc {\n address = \"10.0.0.256\"\n} }", 2, "neither a host name"},
    {"machine a { bmc {\n address = \"fe80::g\"\n} }", 2, "neither a host name"},
    {"machine a { bmc {\n address = \"[fe80::1]\"\n} }", 2, "without brackets"},
    {"machine a { bmc {\n address = \"fe80::1\"\n} }", 2, "needs its interface: \"fe80::1%eth0\""},
    {"machine a { bmc {\n address = \"::ffff:10.0.0.1\"\n} }", 2, "is an IPv4 address: write \"10.0.0.1\""},
    {"machine a { bmc {\n port = 0\n} }", 2, "a whole number from 1 to 65535"},
    {"machine a { bmc {\n port = 65536\n} }", 2, "a whole number from 1 to 65535"},
    {"machine a { bmc {\n misses = -1\n} }", 2, "a whole number from 1 to 100"},
    {"machine a { bmc {\n timeout = 10ms\n} }", 2, "a duration from 100ms to 5m"},
    {"machine \"r[1-16]\" { bmc {\n address = \"r[1-15]-bmc\"\n} }", 2, "16 names but 15 values in address"},
    {"machine r { bmc {\n address = \"r[1-2]\"\n} }", 2, "1 name but 2 values in address"},
    {"machine \"r[1-2]\" { bmc {\n address = \"r[2-1]\"\n} }", 2, "runs backwards"},
    {CREDENTIALS "machine \"r[1-9]\" { bmc { credentials = ops\n address = \"10.0.0.[250-258]\"\n} }", 3,
     "10.0.0.256"},
    {CREDENTIALS "machine \"r[1-2]\" { " BMC " }", 2, "machine \"r2\" has the same BMC as \"r1\""},
    {CREDENTIALS "machine a { bmc { address = BMC.example credentials = ops } }\n"
		 "machine b { bmc { address = bmc.example credentials = ops } }",
     3, "machine \"b\" has the same BMC as \"a\""},
    {CREDENTIALS "machine a { bmc { address = \"fe80::1%eth0\" credentials = ops } }\n"
		 "machine b { bmc { address = \"fe80:0::1%eth0\" credentials = ops } }",
     3, "machine \"b\" has the same BMC as \"a\""},
    {"machine a {\n bmc { }\n bmc { }\n}", 3, "a second bmc in machine"},
};

static const struct bad bad_nic[] = {
    {"machine a { nic e {\n mac = \"52:54:00:12:34\"\n} }", 2, "is not of the form 52:54:00:12:34:56"},
    {"machine a { nic e {\n mac = \"52:54:00:12:34:5g\"\n} }", 2, "is not of the form"},
    {"machine a { nic e {\n mac = \"52:54-00:12:34:56\"\n} }", 2, "is not of the form"},
    {"machine a { nic e {\n mac = \"01:00:5e:00:00:01\"\n} }", 2, "is a group address"},
    {"machine a { nic e {\n mac = \"ff:ff:ff:ff:ff:ff\"\n} }", 2, "is a group address"},
    {"machine a { nic e {\n mac = \"00:00:00:00:00:00\"\n} }", 2, "is all zero"},
    {"machine \"a[1-2]\" { nic e {\n mac = \"52:54:00:12:34:56\"\n} }", 2, "one mac for 2 machines"},
    {"machine a { nic e { mac = 52:54:00:12:34:56 } }\nmachine b { nic e { mac = 52-54-00-12-34-56 } }", 2,
     "machine \"b\" has the MAC address 52:54:00:12:34:56, which \"a\" has already"},
    {"machine a { nic e { mac = 52:54:00:12:34:56 }\n nic e { } }", 2, "has a nic \"e\" already, in line 1"},
    {"machine a { nic e {\n wol = icmp\n} }", 2, "allowed are: ethernet, udp"},
    {"machine a { nic e {\n wol = udp\n} }", 2, "needs an address"},
    {"machine a { nic e {\n address = host.example\n} }", 2, "a numeric address is expected"},
    {"machine a { nic e {\n interface = \"a/b\"\n} }", 2, "no name of a network interface"},
    {"machine a { nic e {\n port = 70000\n} }", 2, "a whole number from 1 to 65535"},
    {"machine a { nic e {\n secureon-file = \"pw\"\n} }", 2, "a SecureOn password is"},
    {"machine a { nic e {\n secureon-file = \"missing\"\n} }", 2, "No such file"},
    {"machine a {\n nic \"e 0\" { }\n}", 2, "nic name \"e 0\""},
};

static const struct bad bad_rest[] = {
    {"machine a { probe {\n method = ping\n} }", 2, "allowed are: icmp, tcp"},
    {"machine a {\n probe { method = tcp }\n}", 2, "needs a port"},
    {"machine a { probe {\n port = 22\n} }", 2, "has no port"},
    {"machine a { probe {\n timeout = 5\n} }", 2, "has no unit"},
    {"machine a {\n host { }\n}", 2, "host needs either ssh"},
    {"machine a {\n host { ssh = x local = true }\n}", 2, "host needs either ssh"},
    {"machine a { host {\n ssh = \"-oProxyCommand=x\"\n} }", 2, "is not of the form \"user@host\""},
    {"machine a { host {\n ssh = \"u@-x\"\n} }", 2, "is not of the form \"user@host\""},
    {"machine a { host {\n ssh = \"@x\"\n} }", 2, "is not of the form \"user@host\""},
    {"machine \"a[1-2]\" { host {\n local = yes\n} }", 2, "local = true is for one machine"},
    {"machine a { host { local = yes\n socket = \"run/x\"\n} }", 2, "an absolute path of at most 107 octets"},
    {"machine a { host { local = yes\n port = 22\n} }", 2, "port is for a host with ssh"},
    {"machine a { host { ssh = b\n socket = \"/x\"\n} }", 2, "socket is for a host with local"},
    {"machine a { host { ssh = b\n port = 0\n} }", 2, "from 1 to 65535"},
    {"machine a { host { ssh = b\n timeout = 10\n} }", 2, "has no unit"},
    {"machine a { host { ssh = b\n timeout = 6m\n} }", 2, "from 1s to 5m"},
    {"machine a { host { ssh = b\n poll-interval = 0s\n} }", 2, "from 1s to 1d"},
    {"machine a { host { ssh = \"u@b\" } }\nmachine c {\n host { ssh = \"v@B\" } }", 3,
     "machine \"c\" has the same host as \"a\""},
    {"machine a { host { local = yes } }\nmachine c { host {\n local = yes } }", 3,
     "machine \"c\" has the same host as \"a\""},
    {"agent { ssh-parallel = 0\n}", 1, "from 1 to 1000 is"},
    {"agent {\n ssh-identity-file = \"missing-key\"\n}\nmachine a { host { ssh = b } }", 2,
     "ssh-keygen -q -t ed25519 -N '' -C pmstack -f "},
    {"agent {\n ssh-identity-file = \"open\"\n}\nmachine a { host { ssh = b } }", 2, "has mode 0644"},
    {"machine a {\n host { ssh = b }\n}", 2, "/etc/pmstack/id_ed25519 does not exist"},
    {"group \"a b\" { }", 1, "group name \"a b\""},
    {"group \"123456789012345678901234567890123\" { }", 1, "1 to 32"},
    {"machine a { }\ngroup g { members = { a } }\ngroup g { members = { a } }", 3,
     "group \"g\" is already in"},
    {"machine lab01 { }\ngroup g {\n members = { lab1 }\n}", 3,
     "there is no machine \"lab1\": did you mean \"lab01\"?"},
    {"machine \"l[1-4]\" { }\ngroup g { members = { \"l[1-4]\",\n \"l[3-6]\" } }", 3,
     "there is no machine \"l5\""},
    {"machine a { }\ngroup g {\n members = { \"a[2-1]\" }\n}", 3, "runs backwards"},
    {"machine a { }\ngroup g { members = { a }\n stagger = 5 }", 3, "has no unit"},
    {"console xtrem { command = { \"xterm\" } }", 1, "did you mean \"xterm\"?"},
    {"console xterm { }", 1, "console needs command"},
    {"console xterm { command = { \"\" } }", 1, "console needs command"},
    {"console vnc { command = { v } }\nconsole vnc { command = { v } }", 2, "console \"vnc\" is already in"},
};

static void check_bad(const struct bad *cases, size_t count)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		write_text("t.conf", cases[i].config);
		failed += !refuses(cases[i].config, cases[i].line, cases[i].text);
	}
	assert_int_equal(failed, 0);
}

#define BAD_TEST(name)                         \
	static void test_##name(void **state)  \
	{                                      \
		(void)state;                   \
		check_bad(name, LENGTH(name)); \
	}

BAD_TEST(bad_syntax)
BAD_TEST(bad_keys)
BAD_TEST(bad_agent)
BAD_TEST(bad_credentials)
BAD_TEST(bad_machine)
BAD_TEST(bad_bmc)
BAD_TEST(bad_nic)
BAD_TEST(bad_rest)

static size_t count_errors(const char *config, struct pm_config_errors *errors)
{
	struct pm_inventory *inventory;

	write_text("t.conf", config);
	assert_true(pm_config_load(in_directory("t.conf"), &inventory, errors) < 0);
	assert_null(inventory);
	return errors->count;
}

static void test_reports_all_errors_in_one_run(void **state)
{
	struct pm_config_errors errors;

	(void)state;
	assert_int_equal(count_errors("agent {\n index = 0\n foo = 1\n name = \"x\n history = 1\n}\n"
				      "machine a {\n wol-repeats = 0\n nic e { mac = x }\n}\n"
				      "machine a { }\nbogus { }\n",
				      &errors),
			 8);
	for (size_t i = 1; i < errors.count; i++) { /* in the order of the file */
		int before = atoi(strrchr(errors.lines[i - 1], '/') + strlen("/t.conf:"));
		int here = atoi(strrchr(errors.lines[i], '/') + strlen("/t.conf:"));

		if (!strstr(errors.lines[i], "already declared"))
			assert_true(before <= here);
	}
	pm_config_errors_clear(&errors);
}

static void test_says_an_error_of_a_range_once(void **state)
{
	struct pm_config_errors errors;

	(void)state;
	assert_int_equal(
	    count_errors("machine \"r[1-1000]\" { wol-repeats = 0 }\ngroup g { members = \"r[1-1000]\" }",
			 &errors),
	    1);
	pm_config_errors_clear(&errors);
}

static void test_limits_errors(void **state)
{
	struct pm_config_errors errors;
	char *config = calloc(1, 100000);

	(void)state;
	assert_non_null(config);
	for (int i = 0; i < 1000; i++)
		strcat(config, "machine a { }\n");
	assert_int_equal(count_errors(config, &errors), 101);
	assert_string_equal(errors.lines[100], "and 899 more errors");
	pm_config_errors_clear(&errors);
	free(config);
}

static void test_error_texts_are_clean(void **state)
{
	struct pm_config_errors errors;

	(void)state;
	assert_int_equal(count_errors("a\033[31m\x80 = 1\n", &errors), 1);
	for (const char *c = errors.lines[0]; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f);
	pm_config_errors_clear(&errors);
}

static void test_secrets_stay_out_of_errors(void **state)
{
	struct pm_config_errors errors;

	(void)state;
	count_errors(
	    "credentials c { password = geheim password-file = \"long\" kg-file = \"long\" }\n"
	    "machine a { stack { uri = \"qemu+tcp://u:geheim@h/system\" } nic n { secureon-file = \"long\" } }",
	    &errors);
	for (size_t i = 0; i < errors.count; i++) {
		assert_null(strstr(errors.lines[i], "geheim"));
		assert_null(strstr(errors.lines[i], "123456789012345678901"));
	}
	pm_config_errors_clear(&errors);
}

/* --- files
 * -------------------------------------------------------------------------------------------------------------
 */

static bool refuses_path(const char *path, const char *text)
{
	struct pm_inventory *inventory;
	struct pm_config_errors errors;
	bool found =
	    pm_config_load(path, &inventory, &errors) < 0 && !inventory && has_error(&errors, path, text);

	if (!found)
		show_failure(&errors, path, path, text);
	pm_config_errors_clear(&errors);
	return found;
}

static void test_refuses_what_is_no_text_file(void **state)
{
	static const char nul[] = "agent { }\n\0\n";
	char random[4096];
	unsigned seed = 1;

	(void)state;
	assert_true(refuses_path(in_directory("missing.conf"), "No such file"));
	assert_true(refuses_path(directory, "is a directory"));
	write_data("t.conf", nul, sizeof(nul), 0600);
	assert_true(refuses("NUL", 2, "no text file"));
	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (char)(rand_r(&seed) >> 8);
	write_data("t.conf", random, sizeof(random), 0600);
	assert_true(refuses_path(in_directory("t.conf"), ":"));
}

static void test_empty_file_is_allowed(void **state)
{
	static const char *const texts[] = {"", "\n", "# nothing\n", "\xef\xbb\xbf# with a byte order mark\n",
					    "\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < LENGTH(texts); i++) {
		struct pm_inventory *inventory = load_good(texts[i]);

		assert_int_equal(inventory->machine_count, 0);
		assert_null(pm_inventory_machine(inventory, "a"));
		pm_inventory_free(inventory);
	}
}

static void test_includes(void **state)
{
	struct pm_inventory *inventory;

	(void)state;
	assert_int_equal(mkdir(in_directory("d"), 0700), 0);
	write_text("d/1.conf", "machine b { }\ninclude(\"deep\")\n");
	write_text("d/2.conf", "machine d { }\n");
	write_text("d/deep", "machine c { }\n");
	inventory = load_good("machine a { }\ninclude(\"d/*.conf\")\ninclude('none/*.conf')\nmachine e { }");
	assert_int_equal(inventory->machine_count, 5);
	for (size_t i = 0; i < 5; i++) /* in the order in which they stand */
		assert_int_equal(inventory->machines[i].name[0], 'a' + (int)i);
	assert_int_equal(inventory->file_count, 4);
	assert_string_equal(inventory->machines[2].file, in_directory("d/deep"));
	assert_int_equal(inventory->machines[2].line, 1);
	assert_int_equal(inventory->machines[4].line, 4);
	pm_inventory_free(inventory);
	write_text("d/2.conf", "\nmachine a { }\nmachine b { }\n");
	write_text("t.conf", "include(\"d/1.conf\")\ninclude(\"d/2.conf\")\nagent { index = 0 }");
	assert_true(refuses("includes", 3, "a whole number"));
	assert_true(refuses_path(in_directory("t.conf"), ":3:"));
	write_text("d/deep", "include(\"1.conf\")\n");
	write_text("t.conf", "include(\"d/1.conf\")");
	{
		struct pm_config_errors errors;

		assert_int_equal(count_errors("include(\"d/1.conf\")\nbad { }", &errors), 2);
		assert_true(has_error(&errors, in_directory("d/deep:1: "), "includes itself"));
		assert_true(has_error(&errors, in_directory("t.conf:2: "), "unknown key"));
		pm_config_errors_clear(&errors);
	}
	unlink(in_directory("d/1.conf"));
	unlink(in_directory("d/2.conf"));
	unlink(in_directory("d/deep"));
	rmdir(in_directory("d"));
}

static void test_deep_nesting(void **state)
{
	char *config = calloc(1, 200000);
	struct pm_inventory *inventory;

	(void)state;
	assert_non_null(config);
	strcpy(config, "machine a { stack { uri = \"x:///y\" ");
	for (int i = 0; i < 50; i++)
		sprintf(config + strlen(config), "guest g { uri = \"x:///%d\"\n", i);
	for (int i = 0; i < 52; i++)
		strcat(config, "}");
	inventory = load_good(config);
	assert_int_equal(inventory->machines[0].hypervisor_count, 51);
	assert_int_equal(inventory->machines[0].hypervisors[50].on, 49);
	pm_inventory_free(inventory);
	strcpy(config, "machine a { stack { uri = \"x:///y\"\n");
	for (int i = 0; i < 5000; i++)
		strcat(config, "guest g { uri = \"x:///y\"\n");
	write_text("t.conf", config);
	assert_true(refuses("deep", 100, "sections nest deeper than 100"));
	free(config);
}

static void test_large_file(void **state)
{
	size_t size = 10 * 1000 * 1000;
	char *config = malloc(size + 1);
	struct pm_inventory *inventory;

	(void)state;
	assert_non_null(config);
	memset(config, '#', size);
	for (size_t i = 99; i < size; i += 100)
		config[i] = '\n';
	config[size] = '\0';
	inventory = load_good(config);
	pm_inventory_free(inventory);
	memset(config, '{', size);
	write_text("t.conf", config);
	assert_true(refuses("{{{{", 1, "unexpected {"));
	free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_syntax),
	    cmocka_unit_test(test_bad_keys),
	    cmocka_unit_test(test_bad_agent),
	    cmocka_unit_test(test_bad_credentials),
	    cmocka_unit_test(test_bad_machine),
	    cmocka_unit_test(test_bad_bmc),
	    cmocka_unit_test(test_bad_nic),
	    cmocka_unit_test(test_bad_rest),
	    cmocka_unit_test(test_reports_all_errors_in_one_run),
	    cmocka_unit_test(test_says_an_error_of_a_range_once),
	    cmocka_unit_test(test_limits_errors),
	    cmocka_unit_test(test_error_texts_are_clean),
	    cmocka_unit_test(test_secrets_stay_out_of_errors),
	    cmocka_unit_test(test_refuses_what_is_no_text_file),
	    cmocka_unit_test(test_empty_file_is_allowed),
	    cmocka_unit_test(test_includes),
	    cmocka_unit_test(test_deep_nesting),
	    cmocka_unit_test(test_large_file),
	};

	return cmocka_run_group_tests_name("config_errors", tests, set_up, tear_down);
}
