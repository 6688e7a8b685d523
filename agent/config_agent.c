/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent, credentials and console sections. */
#include "agent/config_build.h"
#include "agent/secret.h"

#include <freeipmi/api/ipmi-api.h>
#include <freeipmi/util/ipmi-cipher-suite-util.h>
#include <limits.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define SSH_PARALLEL_MAX 1000
#define LENGTH(array)    (sizeof(array) / sizeof((array)[0]))

#define ROW_BLOCK        256 /* pmIndex values in one row of pmStateMapTable */
#define USERNAME_MAX     16  /* IPMI 2.0, 22.28 */
#define PASSWORD_1_5_MAX 16  /* IPMI 2.0, 22.30 */
#define PASSWORD_2_0_MAX 20
#define CIPHER_SUITE_MAX 17 /* IPMI 2.0, table 22-20, and errata 7 */
#define YEAR_S           (365 * 86400)
#define DAY_MS           86400000
#define NAMES_LISTED     3 /* of many machines in a text */

static const struct config_choice privileges[] = {{"user", PM_PRIVILEGE_USER},
						  {"operator", PM_PRIVILEGE_OPERATOR},
						  {"administrator", PM_PRIVILEGE_ADMINISTRATOR}};
static const struct config_choice ipmi_versions[] = {{"2.0", PM_IPMI_2_0}, {"1.5", PM_IPMI_1_5}};

/* The names that FreeIPMI's tools give to their -W option. */
static const struct config_choice workarounds_2_0[] = {
    {"none", 0},
    {"authcap", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES},
    {"intel20", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION},
    {"supermicro20", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION},
    {"sun20", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION},
    {"opensesspriv", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE},
    {"integritycheckvalue", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE},
    {"nochecksumcheck", IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK}};
static const struct config_choice workarounds_1_5[] = {
    {"none", 0},
    {"authcap", IPMI_WORKAROUND_FLAGS_OUTOFBAND_AUTHENTICATION_CAPABILITIES},
    {"idzero", IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO},
    {"forcepermsg", IPMI_WORKAROUND_FLAGS_OUTOFBAND_FORCE_PERMSG_AUTHENTICATION},
    {"unexpectedauth", IPMI_WORKAROUND_FLAGS_OUTOFBAND_CHECK_UNEXPECTED_AUTHCODE},
    {"endianseq", IPMI_WORKAROUND_FLAGS_OUTOFBAND_BIG_ENDIAN_SEQUENCE_NUMBER},
    {"noauthcodecheck", IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK},
    {"nochecksumcheck", IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_CHECKSUM_CHECK}};

static const struct config_choice console_kinds[] = {
    {"cli", 1}, {"xterm", 2}, {"gterm", 3}, {"emacs", 4}, {"vnc", 5}, {"serial-over-lan", 6}, {"spice", 7}};

/* --- agent -------------------------------------------------------------------------------------- */

static bool is_port(const char *text)
{
	uint64_t port;

	return config_parse_number(text, UINT16_MAX, &port) && port > 0;
}

/* "HOST:PORT", with brackets around an IPv6 address. */
static bool is_host_and_port(struct config_report *report, const char *text)
{
	const char *colon = strrchr(text, ':');
	char *host = colon ? config_copy(report, text, (size_t)(colon - text)) : NULL;
	size_t length = host ? strlen(host) : 0;

	if (!host || !is_port(colon + 1))
		return false;
	if (*host != '[')
		return config_is_host(host);
	if (host[length - 1] != ']')
		return false;
	host[length - 1] = '\0';
	return strchr(host, ':') && config_is_address(host + 1);
}

static bool is_master(struct config_report *report, const char *text)
{
	struct sockaddr_un address;

	if (strncmp(text, "unix:", 5) == 0)
		return text[5] == '/' && strlen(text + 5) < sizeof(address.sun_path);
	if (strncmp(text, "tcp:", 4) == 0)
		return is_host_and_port(report, text + 4);
	return strncmp(text, "tcp6:", 5) == 0 && is_host_and_port(report, text + 5);
}

static void read_rows(struct config_build *build, const struct config_node *node)
{
	const struct config_key *key = config_key(node, "rows");
	uint64_t first, last;

	if (key->line == 0)
		return;
	if (key->count != 2 || !config_parse_number(key->values[0].text, INT32_MAX, &first) ||
	    !config_parse_number(key->values[1].text, INT32_MAX, &last) || first == 0 || first > last) {
		config_error(
		    build->report, node->file, key->line,
		    "rows = { FIRST, LAST }: two numbers from 1 to %d are expected, the lower one first",
		    INT32_MAX);
		return;
	}
	if (first % ROW_BLOCK != 1)
		config_error(
		    build->report, node->file, key->line,
		    "rows begin on a block of %d, so that shards do not share one: write %llu instead of %llu",
		    ROW_BLOCK, (unsigned long long)((first - 1) / ROW_BLOCK * ROW_BLOCK + 1),
		    (unsigned long long)first);
	build->inventory->agent.rows_first = (uint32_t)first;
	build->inventory->agent.rows_last = (uint32_t)last;
}

static void read_witness(struct config_build *build, const struct config_node *node)
{
	struct pm_agent_config *agent = &build->inventory->agent;
	const struct config_key *key = config_key(node, "witness");

	if (key->count == 0)
		return;
	agent->witness = config_new(build, key->count, sizeof(*agent->witness));
	for (size_t i = 0; agent->witness && i < key->count; i++) {
		agent->witness[agent->witness_count++] = config_dup(build, key->values[i].text);
		if (!config_is_interface(key->values[i].text))
			config_error(
			    build->report, node->file, key->values[i].line,
			    "witness = \"%.64s\" is no name of a network interface (1 to 15 characters without space / :)",
			    key->values[i].text);
	}
}

/* Replaces a default by the configured text. */
static void read_text(struct config_build *build, const struct config_node *node, const char *name,
		      char **text)
{
	const struct config_key *key = config_key(node, name);

	if (key->count == 0)
		return;
	if (!*key->values[0].text)
		config_error(build->report, node->file, key->line,
			     "%s is empty; leave it out for the default \"%s\"", name, *text ? *text : "");
	free(*text);
	*text = config_dup(build, key->values[0].text);
}

/* A path is relative to the file it stands in; it is kept absolute, for other programs. */
static void read_path(struct config_build *build, const struct config_node *node, const char *name,
		      char **path)
{
	const char *found;
	char whole[PATH_MAX];

	read_text(build, node, name, path);
	if (!config_has(node, name) || !*path || !**path)
		return;
	found = config_path(build->report, node->file, *path);
	if (!found || *found == '/' || !getcwd(whole, sizeof(whole)))
		whole[0] = '\0';
	if (!found || strlen(whole) + 1 + strlen(found) >= sizeof(whole))
		return;
	if (*whole)
		strcat(whole, "/");
	strcat(whole, found);
	free(*path);
	*path = config_dup(build, whole);
}

static void read_agent(struct config_build *build, const struct config_node *node)
{
	struct pm_agent_config *agent = &build->inventory->agent;
	struct config_report *report = build->report;

	read_text(build, node, "name", &agent->name);
	read_text(build, node, "master", &agent->master);
	read_text(build, node, "state-directory", &agent->state_directory);
	config_get_number(report, node, "index", 1, INT32_MAX, &agent->index);
	config_get_ms(report, node, "poll-interval", 1000, DAY_MS, &agent->poll_interval_ms);
	config_get_misses(report, node, &agent->misses);
	config_get_power_interval(report, node, &agent->power_interval_ms);
	config_get_bool(report, node, "resume", &agent->resume);
	config_get_s(report, node, "history", 60, 10 * YEAR_S, &agent->history_s);
	read_path(build, node, "ssh-identity-file", &agent->ssh_identity_file);
	read_path(build, node, "ssh-known-hosts", &agent->ssh_known_hosts);
	config_get_number(report, node, "ssh-parallel", 1, SSH_PARALLEL_MAX, &agent->ssh_parallel);
	read_rows(build, node);
	read_witness(build, node);
	if (agent->master && *agent->master && !is_master(report, agent->master))
		config_error(
		    report, node->file, config_line(node, "master"),
		    "master = \"%.128s\": unix:/PATH, tcp:HOST:PORT or tcp6:[ADDRESS]:PORT is expected, such as "
		    "unix:/var/agentx/master",
		    agent->master);
	if (agent->state_directory && *agent->state_directory && *agent->state_directory != '/')
		config_error(
		    report, node->file, config_line(node, "state-directory"),
		    "state-directory = \"%.128s\": an absolute path is expected, such as /var/lib/pmstack",
		    agent->state_directory);
}

void config_build_agent(struct config_build *build)
{
	const struct config_node *node = config_child(build->root, "agent");
	struct pm_agent_config *agent = &build->inventory->agent;
	char host[256] = "localhost";

	(void)gethostname(host, sizeof(host) - 1);
	*agent = (struct pm_agent_config){.index = 1,
					  .poll_interval_ms = 30000,
					  .misses = 3,
					  .power_interval_ms = 60000,
					  .rows_first = 1,
					  .rows_last = INT32_MAX,
					  .resume = true,
					  .history_s = 30 * 86400,
					  .ssh_parallel = 32};
	agent->name = config_dup(build, host);
	agent->master = config_dup(build, "unix:/var/agentx/master");
	agent->state_directory = config_dup(build, "/var/lib/pmstack");
	agent->ssh_identity_file = config_dup(build, "/etc/pmstack/id_ed25519");
	agent->ssh_known_hosts = config_dup(build, "/etc/pmstack/known_hosts");
	if (node)
		read_agent(build, node);
}

/* --- credentials ------------------------------------------------------------------------------ */

static bool has_cipher_suite(const struct pm_credentials *credentials, uint64_t id)
{
	for (size_t i = 0; i < credentials->cipher_suite_count; i++) {
		if (credentials->cipher_suites[i] == id)
			return true;
	}
	return false;
}

static void add_cipher_suite(struct config_build *build, const struct config_node *node,
			     struct pm_credentials *credentials, const struct config_value *value)
{
	uint64_t id;

	if (!config_parse_number(value->text, CIPHER_SUITE_MAX, &id))
		config_error(build->report, node->file, value->line,
			     "cipher suite \"%.64s\" is not known: the IDs 0 to %d are, 3 and 17 are usual",
			     value->text, CIPHER_SUITE_MAX);
	else if (!IPMI_CIPHER_SUITE_ID_SUPPORTED(id))
		config_error(build->report, node->file, value->line,
			     "cipher suite %s encrypts with xRC4, which is not supported: 3 and 17 are usual",
			     value->text);
	else if (has_cipher_suite(credentials, id))
		config_error(build->report, node->file, value->line, "cipher suite %s is listed twice",
			     value->text);
	else
		credentials->cipher_suites[credentials->cipher_suite_count++] = (uint8_t)id;
}

static void read_cipher_suites(struct config_build *build, const struct config_node *node,
			       struct pm_credentials *credentials)
{
	const struct config_key *key = config_key(node, "cipher-suites");

	if (key->line && credentials->ipmi_version == PM_IPMI_1_5)
		config_error(build->report, node->file, key->line,
			     "IPMI 1.5 knows no cipher-suites; leave them out");
	if (key->line == 0) {
		credentials->cipher_suites[0] = 17;
		credentials->cipher_suites[1] = 3;
		credentials->cipher_suite_count = 2;
		return;
	}
	if (key->count == 0)
		config_error(build->report, node->file, key->line,
			     "cipher-suites is empty; write { 17, 3 } or leave it out");
	for (size_t i = 0; i < key->count; i++)
		add_cipher_suite(build, node, credentials, &key->values[i]);
}

static void read_workarounds(struct config_build *build, const struct config_node *node,
			     struct pm_credentials *credentials)
{
	bool is_2_0 = credentials->ipmi_version == PM_IPMI_2_0;
	const struct config_choice *choices = is_2_0 ? workarounds_2_0 : workarounds_1_5;
	size_t count = is_2_0 ? LENGTH(workarounds_2_0) : LENGTH(workarounds_1_5);
	const struct config_key *key = config_key(node, "workarounds");

	for (size_t i = 0; i < key->count; i++) {
		int flag = config_choose(build->report, node->file,
					 is_2_0 ? "workarounds for IPMI 2.0" : "workarounds for IPMI 1.5",
					 &key->values[i], choices, count);

		credentials->workarounds |= flag < 0 ? 0 : (unsigned)flag;
	}
}

static void read_secrets(struct config_build *build, const struct config_node *node,
			 struct pm_credentials *credentials)
{
	size_t max = credentials->ipmi_version == PM_IPMI_2_0 ? PASSWORD_2_0_MAX : PASSWORD_1_5_MAX;
	const char *password = config_get_text(node, "password-file", NULL),
		   *kg = config_get_text(node, "kg-file", NULL);
	struct pm_error error;

	password = password ? config_path(build->report, node->file, password) : NULL;
	kg = kg ? config_path(build->report, node->file, kg) : NULL;
	if (password && pm_secret_read_password(password, max, &credentials->password, &error) < 0)
		config_error(build->report, node->file, config_line(node, "password-file"), "%s", error.text);
	if (kg && pm_secret_read_kg(kg, &credentials->kg, &error) < 0)
		config_error(build->report, node->file, config_line(node, "kg-file"), "%s", error.text);
	if (config_lacks(node, "password-file"))
		config_warning(build->report, node->file, node->line,
			       "credentials \"%s\" have no password-file: the empty password is used",
			       node->title);
	if (kg && credentials->ipmi_version == PM_IPMI_1_5)
		config_error(build->report, node->file, config_line(node, "kg-file"),
			     "IPMI 1.5 knows no kg-file; leave it out");
}

static void read_credentials(struct config_build *build, const struct config_node *node,
			     struct pm_credentials *credentials)
{
	config_check_title(build, node, 64);
	credentials->name = config_dup(build, node->title);
	credentials->username = config_dup(build, config_get_text(node, "username", ""));
	credentials->privilege = (enum pm_privilege)config_get_choice(
	    build->report, node, "privilege", privileges, LENGTH(privileges), PM_PRIVILEGE_OPERATOR);
	credentials->ipmi_version = (enum pm_ipmi_version)config_get_choice(
	    build->report, node, "ipmi-version", ipmi_versions, LENGTH(ipmi_versions), PM_IPMI_2_0);
	if (credentials->username && strlen(credentials->username) > USERNAME_MAX)
		config_error(build->report, node->file, config_line(node, "username"),
			     "username has %zu octets, a BMC takes at most %d", strlen(credentials->username),
			     USERNAME_MAX);
	read_cipher_suites(build, node, credentials);
	read_workarounds(build, node, credentials);
	read_secrets(build, node, credentials);
}

static int compare_credentials(const void *a, const void *b)
{
	const struct pm_credentials *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

/* Sorts them by name, for config_find_credentials(). */
static void index_credentials(struct config_build *build)
{
	size_t count = build->inventory->credential_count;

	for (size_t i = 0; i < count; i++) {
		build->credentials[i] = &build->inventory->credentials[i];
		if (!build->credentials[i]->name) /* memory is short, and that is reported */
			return;
	}
	qsort(build->credentials, count, sizeof(*build->credentials), compare_credentials);
	build->credentials_indexed = count;
}

const struct pm_credentials *config_find_credentials(struct config_build *build, const char *name)
{
	const struct pm_credentials wanted = {.name = (char *)(uintptr_t)name}, *key = &wanted;
	const struct pm_credentials **found = bsearch(&key, build->credentials, build->credentials_indexed,
						      sizeof(*build->credentials), compare_credentials);

	if (!found)
		return NULL;
	build->credentials_used[*found - build->inventory->credentials] = true;
	return *found;
}

void config_build_credentials(struct config_build *build)
{
	struct pm_inventory *inventory = build->inventory;
	const struct config_node *node = config_child(build->root, "credentials");
	size_t count = config_count(build->root, "credentials");

	inventory->credentials = config_new(build, count, sizeof(*inventory->credentials));
	build->credentials_used = config_alloc(build->report, count + 1);
	build->credentials = config_alloc(build->report, (count + 1) * sizeof(*build->credentials));
	if (!inventory->credentials || !build->credentials_used || !build->credentials)
		return;
	for (; node; node = config_sibling(node))
		read_credentials(build, node, &inventory->credentials[inventory->credential_count++]);
	index_credentials(build);
}

/* "lab01, lab02, lab03 and 13 more": the machines with these credentials. Returns how many they are. */
static size_t list_machines(const struct pm_inventory *inventory, const struct pm_credentials *credentials,
			    char *text, size_t size)
{
	size_t count = 0, length = 0;

	*text = '\0';
	for (size_t i = 0; i < inventory->machine_count; i++) {
		const struct pm_machine_config *machine = &inventory->machines[i];

		if (!machine->bmc || machine->bmc->credentials != credentials)
			continue;
		if (count++ < NAMES_LISTED)
			length += (size_t)snprintf(text + length, size - length, "%s%s",
						   count > 1 ? ", " : "", machine->name);
	}
	if (count > NAMES_LISTED)
		snprintf(text + length, size - length, " and %zu more", count - NAMES_LISTED);
	return count;
}

static void warn_of_credentials(struct config_build *build, const struct config_node *node,
				const struct pm_credentials *credentials)
{
	char names[NAMES_LISTED * 66 + 32];
	size_t count = list_machines(build->inventory, credentials, names, sizeof(names));
	const char *s = count == 1 ? "" : "s";

	if (count > 0 && has_cipher_suite(credentials, 0))
		config_warning(
		    build->report, node->file, config_line(node, "cipher-suites"),
		    "credentials \"%s\" allow cipher suite 0, which authenticates nobody: whoever reaches the "
		    "BMC%s of %zu machine%s (%s) can switch the machine%s; leave 0 out of cipher-suites",
		    credentials->name, s, count, s, names, s);
	if (count > 0 && (has_cipher_suite(credentials, 1) || has_cipher_suite(credentials, 6) ||
			  has_cipher_suite(credentials, 15)))
		config_warning(
		    build->report, node->file, config_line(node, "cipher-suites"),
		    "credentials \"%s\" allow cipher suite 1, 6 or 15, which protects the log-in alone: whoever is on "
		    "the way to the BMC%s of %zu machine%s (%s) can change commands; leave them out of cipher-suites",
		    credentials->name, s, count, s, names);
	if (count > 0 && credentials->privilege < PM_PRIVILEGE_OPERATOR)
		config_warning(
		    build->report, node->file, config_line(node, "privilege"),
		    "credentials \"%s\" have privilege = \"user\": %zu machine%s (%s) can only be watched by BMC; power "
		    "control, identify, restore policy and boot device need privilege = \"operator\" and will be refused",
		    credentials->name, count, s, names);
}

void config_warn_of_credentials(struct config_build *build)
{
	const struct config_node *node = config_child(build->root, "credentials");

	for (size_t i = 0; i < build->inventory->credential_count; i++, node = config_sibling(node)) {
		if (build->credentials_used[i])
			warn_of_credentials(build, node, &build->inventory->credentials[i]);
		else
			config_warning(build->report, node->file, node->line,
				       "credentials \"%s\" are not used by any machine", node->title);
	}
}

/* --- console ------------------------------------------------------------------------------------ */

static void read_command(struct config_build *build, const struct config_node *node,
			 struct pm_console_config *console)
{
	const struct config_key *key = config_key(node, "command");

	if ((key->count == 0 || !*key->values[0].text) && !node->broken)
		config_error(build->report, node->file, node->line,
			     "console needs command = { \"PROGRAM\", \"ARGUMENT\", ... }");
	console->command = config_new(build, key->count + 1, sizeof(*console->command));
	for (size_t i = 0; console->command && i < key->count; i++)
		console->command[i] = config_dup(build, key->values[i].text);
}

void config_build_consoles(struct config_build *build)
{
	struct pm_inventory *inventory = build->inventory;
	const struct config_node *node = config_child(build->root, "console");
	size_t count = config_count(build->root, "console");

	inventory->consoles = config_new(build, count, sizeof(*inventory->consoles));
	for (; inventory->consoles && node; node = config_sibling(node)) {
		struct pm_console_config *console = &inventory->consoles[inventory->console_count++];
		struct config_value title = {.text = node->title, .line = node->line};

		config_check_title(build, node, 32);
		if (*node->title)
			config_choose(build->report, node->file, "console", &title, console_kinds,
				      LENGTH(console_kinds));
		console->kind = config_dup(build, node->title);
		read_command(build, node, console);
	}
}
