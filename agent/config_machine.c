/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Machine sections: ranges to machines, their own keys, BMC and probe. */
#include "agent/config_build.h"
#include "agent/hostrange.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_OCTETS 64
#define MACHINES_MAX    100000
#define LOCATION_MAX    255
#define DAY_S           86400
#define MINUTE_MS       60000
#define DAY_MS          86400000

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct config_choice power_on_methods[] = {
    {"auto", PM_ON_AUTO}, {"ipmi", PM_ON_IPMI}, {"wol", PM_ON_WOL}};
static const struct config_choice off_methods[] = {
    {"host", PM_OFF_HOST}, {"bmc-soft", PM_OFF_BMC_SOFT}, {"bmc", PM_OFF_BMC}};
static const struct config_choice probe_methods[] = {{"icmp", PM_PROBE_ICMP}, {"tcp", PM_PROBE_TCP}};

/* --- values in step with names ---------------------------------------------------------------- */

static void report_count(const struct config_scope *scope, const char *file, int line, const char *name,
			 const char *text, size_t values)
{
	config_error(
	    scope->build->report, file, line,
	    "machine \"%s\": %zu name%s but %zu values in %s = \"%s\"; give both as many, or %s no range",
	    scope->node->title, scope->count, scope->count == 1 ? "" : "s", values, name, text, name);
}

char *config_expand_text(const struct config_scope *scope, const char *file, int line, const char *name,
			 const char *text)
{
	struct pm_hostrange *range;
	struct pm_error error;
	char *value = NULL;

	if (!strchr(text, '['))
		return config_dup(scope->build, text);
	if (pm_hostrange_new(text, &range, &error) < 0) {
		config_error(scope->build->report, file, line, "%s: %s", name, error.text);
		return NULL;
	}
	if (!pm_hostrange_is_range(range)) {
		value = config_dup(scope->build, text);
	} else if (pm_hostrange_count(range) != scope->count) {
		report_count(scope, file, line, name, text, pm_hostrange_count(range));
	} else {
		value = pm_hostrange_name(range, scope->index);
		if (!value)
			config_error(scope->build->report, file, line, "out of memory");
	}
	pm_hostrange_free(range);
	return value;
}

char *config_expand(const struct config_scope *scope, const struct config_node *node, const char *name,
		    const char *fallback)
{
	return config_expand_text(scope, node->file, config_line(node, name), name,
				  config_get_text(node, name, fallback));
}

/* --- bmc
 * ----------------------------------------------------------------------------------------------------------------
 */

static const struct pm_credentials *find_credentials(const struct config_scope *scope,
						     const struct config_node *node)
{
	struct config_report *report = scope->build->report;
	char *name = config_expand(scope, node, "credentials", "");
	const struct pm_credentials *found = name ? config_find_credentials(scope->build, name) : NULL;

	if (config_lacks(node, "credentials"))
		config_error(report, node->file, node->line,
			     "bmc needs credentials = \"NAME\", the name of a credentials section");
	else if (name && !found && config_has(node, "credentials"))
		config_error(
		    report, node->file, config_line(node, "credentials"),
		    "there are no credentials \"%.64s\": write a section credentials \"%.64s\" { ... }", name,
		    name);
	free(name);
	return found;
}

static void claim_bmc(const struct config_scope *scope, const struct config_node *node,
		      const struct pm_bmc_config *bmc)
{
	char address[300], key[320];

	config_normalize_address(bmc->address, address, sizeof(address));
	snprintf(key, sizeof(key), "%s port %u", address, bmc->port);
	config_claim(scope->build, &scope->build->bmcs, key, scope->machine->name, node->file,
		     config_line(node, "address"));
}

/* The address of a bmc or probe, checked; NULL after an error. */
static char *build_address(const struct config_scope *scope, const struct config_node *node,
			   const char *fallback)
{
	char *address = config_expand(scope, node, "address", fallback);

	if (address && config_check_address(scope->build->report, node, address))
		return address;
	free(address);
	return NULL;
}

static void build_bmc(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "bmc");
	struct config_report *report = scope->build->report;
	struct pm_bmc_config *bmc;

	if (!node)
		return;
	bmc = scope->machine->bmc = config_new(scope->build, 1, sizeof(*bmc));
	if (!bmc)
		return;
	bmc->port = 623; /* IPMI 2.0, 13.1.2 */
	bmc->timeout_ms = 5000;
	bmc->poll_interval_ms = scope->build->inventory->agent.poll_interval_ms;
	bmc->misses = scope->build->inventory->agent.misses;
	bmc->power_interval_ms = scope->build->inventory->agent.power_interval_ms;
	config_get_port(report, node, &bmc->port);
	config_get_ms(report, node, "timeout", 100, 5 * MINUTE_MS, &bmc->timeout_ms);
	config_get_ms(report, node, "poll-interval", 1000, DAY_MS, &bmc->poll_interval_ms);
	config_get_misses(report, node, &bmc->misses);
	config_get_power_interval(report, node, &bmc->power_interval_ms);
	bmc->address = build_address(scope, node, "");
	bmc->credentials = find_credentials(scope, node);
	if (bmc->address)
		claim_bmc(scope, node, bmc);
}

/* --- probe ------------------------------------------------------------------------------------ */

static void build_probe(const struct config_scope *scope)
{
	const struct config_node *node = config_child(scope->node, "probe");
	struct config_report *report = scope->build->report;
	struct pm_probe_config *probe;
	int port_line;

	if (!node)
		return;
	probe = scope->machine->probe = config_new(scope->build, 1, sizeof(*probe));
	if (!probe)
		return;
	probe->timeout_ms = 1000;
	probe->poll_interval_ms = scope->build->inventory->agent.poll_interval_ms;
	probe->misses = scope->build->inventory->agent.misses;
	probe->method = (enum pm_probe_method)config_get_choice(report, node, "method", probe_methods,
								LENGTH(probe_methods), PM_PROBE_ICMP);
	probe->address = build_address(scope, node, scope->machine->name);
	port_line = config_key(node, "port")->line;
	config_get_port(report, node, &probe->port);
	config_get_ms(report, node, "timeout", 10, MINUTE_MS, &probe->timeout_ms);
	config_get_ms(report, node, "poll-interval", 1000, DAY_MS, &probe->poll_interval_ms);
	config_get_misses(report, node, &probe->misses);
	if (probe->method == PM_PROBE_TCP && config_lacks(node, "port"))
		config_error(report, node->file, node->line,
			     "a probe with method = \"tcp\" needs a port, such as port = 22");
	if (probe->method == PM_PROBE_ICMP && port_line)
		config_error(report, node->file, port_line,
			     "a probe with method = \"icmp\" has no port: use method = \"tcp\"");
}

/* --- the machine itself ----------------------------------------------------------------------- */

static bool has_off_method(const struct config_scope *scope, int method)
{
	return config_child(scope->node, method == PM_OFF_HOST ? "host" : "bmc") != NULL;
}

static void add_off_method(struct pm_machine_config *machine, int method)
{
	machine->off_methods[machine->off_method_count++] = (enum pm_off_method)method;
}

static bool uses_off_method(const struct pm_machine_config *machine, int method)
{
	for (size_t i = 0; i < machine->off_method_count; i++) {
		if ((int)machine->off_methods[i] == method)
			return true;
	}
	return false;
}

static void take_off_method(const struct config_scope *scope, const struct config_value *value)
{
	struct config_report *report = scope->build->report;
	int method =
	    config_choose(report, scope->node->file, "off-methods", value, off_methods, LENGTH(off_methods));

	if (method < 0)
		return;
	if (uses_off_method(scope->machine, method))
		config_error(report, scope->node->file, value->line, "off-methods lists \"%s\" twice",
			     value->text);
	else if (!has_off_method(scope, method))
		config_error(report, scope->node->file, value->line,
			     "off-methods lists \"%s\", but there is no %s section", value->text,
			     method == PM_OFF_HOST ? "host" : "bmc");
	else
		add_off_method(scope->machine, method);
}

static void build_off_methods(const struct config_scope *scope)
{
	const struct config_key *key = config_key(scope->node, "off-methods");

	for (size_t i = 0; i < key->count; i++)
		take_off_method(scope, &key->values[i]);
	for (size_t i = 0; key->line == 0 && i < LENGTH(off_methods); i++) {
		if (has_off_method(scope, off_methods[i].value))
			add_off_method(scope->machine, off_methods[i].value);
	}
}

static void check_power_on(const struct config_scope *scope)
{
	const struct pm_machine_config *machine = scope->machine;
	const struct config_node *node = scope->node;
	struct config_report *report = scope->build->report;
	int line = config_line(node, "power-on-method");

	if (machine->power_on_method == PM_ON_IPMI && !config_child(node, "bmc"))
		config_error(report, node->file, line, "power-on-method = \"ipmi\" needs a bmc section");
	if (machine->power_on_method == PM_ON_WOL && !config_child(node, "nic"))
		config_error(report, node->file, line, "power-on-method = \"wol\" needs a nic section");
	if (!config_child(node, "bmc") && !config_child(node, "nic"))
		config_warning(report, node->file, line,
			       "machine \"%s\" has neither bmc nor nic: nothing can switch it on",
			       machine->name);
}

static void build_uuid(const struct config_scope *scope)
{
	struct pm_machine_config *machine = scope->machine;
	const struct config_node *node = scope->node;
	const char *text = config_get_text(node, "uuid", "");
	int line = config_line(node, "uuid");

	machine->uuid = config_expand(scope, node, "uuid", "");
	if (!machine->uuid || !*machine->uuid)
		return;
	for (char *c = machine->uuid; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!config_is_uuid(machine->uuid))
		config_error(scope->build->report, node->file, line,
			     "uuid = \"%.64s\" is not of the form 123e4567-e89b-12d3-a456-426614174000",
			     machine->uuid);
	else if (scope->count > 1 && strcasecmp(text, machine->uuid) == 0)
		config_error(scope->build->report, node->file, line,
			     "one uuid for %zu machines: leave it out, or write the machines one by one",
			     scope->count);
	else
		config_claim(scope->build, &scope->build->uuids, machine->uuid, machine->name, node->file,
			     line);
}

static void build_keys(const struct config_scope *scope)
{
	struct pm_machine_config *machine = scope->machine;
	struct config_report *report = scope->build->report;
	const struct config_node *node = scope->node;

	machine->location = config_expand(scope, node, "location", "");
	if (machine->location && strlen(machine->location) > LOCATION_MAX)
		config_error(report, node->file, config_line(node, "location"),
			     "location is longer than %d octets", LOCATION_MAX);
	build_uuid(scope);
	machine->power_on_method = (enum pm_power_on_method)config_get_choice(
	    report, node, "power-on-method", power_on_methods, LENGTH(power_on_methods), PM_ON_AUTO);
	config_get_s(report, node, "stack-timeout", 1, DAY_S, &machine->stack_timeout_s);
	config_get_s(report, node, "vm-timeout", 1, DAY_S, &machine->vm_timeout_s);
	config_get_s(report, node, "on-timeout", 1, DAY_S, &machine->on_timeout_s);
	config_get_s(report, node, "off-timeout", 1, DAY_S, &machine->off_timeout_s);
	config_get_number(report, node, "wol-repeats", 1, 100, &machine->wol_repeats);
	config_get_ms(report, node, "wol-repeat-interval", 10, MINUTE_MS, &machine->wol_repeat_interval_ms);
}

/* The next free place in the inventory, with a machine of that name; NULL when memory is short. */
static struct pm_machine_config *add_machine(struct config_build *build, const struct config_node *node,
					     char *name)
{
	struct pm_inventory *inventory = build->inventory;
	size_t room = build->machine_room ? build->machine_room * 2 : 64;
	struct pm_machine_config *machines = inventory->machines;

	if (inventory->machine_count == build->machine_room) {
		machines = realloc(machines, room * sizeof(*machines));
		if (!machines) {
			config_error(build->report, node->file, node->line, "out of memory");
			return NULL;
		}
		inventory->machines = machines;
		build->machine_room = room;
	}
	machines += inventory->machine_count++;
	*machines = (struct pm_machine_config){.name = name,
					       .stack_timeout_s = 600,
					       .vm_timeout_s = 180,
					       .on_timeout_s = 300,
					       .off_timeout_s = 180,
					       .wol_repeats = 3,
					       .wol_repeat_interval_ms = 100,
					       .file = node->file,
					       .line = node->line};
	return machines;
}

static void build_machine(struct config_scope *scope, char *name)
{
	struct config_build *build = scope->build;
	const struct config_node *node = scope->node;

	if (!config_is_name(name, NAME_MAX_OCTETS)) {
		config_error(
		    build->report, node->file, node->line,
		    "machine name \"%.80s\": 1 to %d printable ASCII characters without space / [ ] quotes and backslash "
		    "are allowed",
		    name, NAME_MAX_OCTETS);
		free(name);
		return;
	}
	scope->machine = add_machine(build, node, name);
	if (!scope->machine) {
		free(name);
		return;
	}
	config_claim(build, &build->names, name, name, node->file, node->line);
	build_keys(scope);
	build_bmc(scope);
	build_probe(scope);
	config_build_host(scope);
	config_build_nics(scope);
	config_build_stacks(scope);
	build_off_methods(scope);
	check_power_on(scope);
	config_warn_of_host(scope);
}

static void build_section(struct config_build *build, const struct config_node *node)
{
	struct config_scope scope = {.build = build, .node = node};
	size_t errors = config_error_count(build->report);
	struct pm_hostrange *range;
	struct pm_error error;
	char *name;

	if (pm_hostrange_new(node->title, &range, &error) < 0) {
		config_error(build->report, node->file, node->line, "machine name: %s", error.text);
		return;
	}
	scope.count = pm_hostrange_count(range);
	if (scope.count > MACHINES_MAX - build->inventory->machine_count)
		config_error(build->report, node->file, node->line,
			     "more than %d machines; give the others to another agent", MACHINES_MAX);
	/* What is wrong for one machine of a range is wrong for all: say it once. */
	for (; scope.index < scope.count && config_error_count(build->report) == errors; scope.index++) {
		name = pm_hostrange_name(range, scope.index);
		if (name)
			build_machine(&scope, name);
		else
			config_error(build->report, node->file, node->line, "out of memory");
	}
	pm_hostrange_free(range);
}

void config_build_machines(struct config_build *build)
{
	const struct config_node *node = config_child(build->root, "machine");

	size_t errors = config_error_count(build->report);

	for (; node; node = config_sibling(node)) {
		if (*node->title) /* an empty name is already reported */
			build_section(build, node);
	}
	build->machines_missing = config_error_count(build->report) > errors;
}
