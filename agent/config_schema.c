/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which sections and keys there are: the grammar of pmstack.conf(5) as libconfuse options. */
#include "agent/config_tree.h"

/* Every value is taken as text with its line; ranges, units and enumerations are checked afterwards, all in
 * one run. */
#define ONE(name)  CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, config_take_value, free)
#define LIST(name) CFG_PTR_LIST_CB(name, NULL, CFGF_NODEFAULT, config_take_value, free)

#define SECTIONS(...)                         \
	(const struct config_schema *const[]) \
	{                                     \
		__VA_ARGS__, NULL             \
	}

static const struct config_schema guest_schema;

static cfg_opt_t agent_keys[] = {
    ONE("name"),
    ONE("index"),
    ONE("master"),
    ONE("state-directory"),
    ONE("poll-interval"),
    ONE("misses"),
    ONE("power-interval"),
    LIST("witness"),
    LIST("rows"),
    ONE("resume"),
    ONE("history"),
    ONE("ethers"),
    ONE("ssh-identity-file"),
    ONE("ssh-known-hosts"),
    ONE("ssh-parallel"),
    CFG_END(),
};

static cfg_opt_t credentials_keys[] = {
    ONE("username"),       ONE("password-file"), ONE("kg-file"),      ONE("privilege"),
    LIST("cipher-suites"), ONE("ipmi-version"),  LIST("workarounds"), CFG_END(),
};

static cfg_opt_t machine_keys[] = {
    ONE("location"),
    ONE("uuid"),
    ONE("power-on-method"),
    LIST("off-methods"),
    ONE("stack-timeout"),
    ONE("vm-timeout"),
    ONE("on-timeout"),
    ONE("off-timeout"),
    ONE("wol-repeats"),
    ONE("wol-repeat-interval"),
    CFG_END(),
};

static cfg_opt_t bmc_keys[] = {
    ONE("address"),       ONE("port"),   ONE("credentials"),    ONE("timeout"),
    ONE("poll-interval"), ONE("misses"), ONE("power-interval"), CFG_END(),
};

static cfg_opt_t nic_keys[] = {
    ONE("mac"), ONE("wol"), ONE("interface"), ONE("address"), ONE("port"), ONE("secureon-file"), CFG_END(),
};

static cfg_opt_t probe_keys[] = {
    ONE("method"),        ONE("address"), ONE("port"), ONE("timeout"),
    ONE("poll-interval"), ONE("misses"),  CFG_END(),
};

static cfg_opt_t host_keys[] = {ONE("ssh"),     ONE("local"),         ONE("port"), ONE("socket"),
				ONE("timeout"), ONE("poll-interval"), CFG_END()};
static cfg_opt_t stack_keys[] = {
    ONE("uri"),     ONE("parallel"), ONE("autostart"), ONE("poll-interval"), ONE("connect-timeout"),
    ONE("suspend"), CFG_END(),
};
static cfg_opt_t guest_keys[] = {
    ONE("uri"),           ONE("parent"),          ONE("parallel"), ONE("autostart"),
    ONE("poll-interval"), ONE("connect-timeout"), ONE("suspend"),  CFG_END(),
};
static cfg_opt_t group_keys[] = {LIST("members"), ONE("stagger"), CFG_END()};
static cfg_opt_t console_keys[] = {LIST("command"), CFG_END()};
static cfg_opt_t no_keys[] = {CFG_END()};

static const struct config_schema agent_schema = {.name = "agent", .keys = agent_keys};
static const struct config_schema credentials_schema = {
    .name = "credentials", .titled = true, .repeated = true, .keys = credentials_keys};
static const struct config_schema bmc_schema = {.name = "bmc", .keys = bmc_keys};
static const struct config_schema nic_schema = {
    .name = "nic", .titled = true, .repeated = true, .keys = nic_keys};
static const struct config_schema probe_schema = {.name = "probe", .keys = probe_keys};
static const struct config_schema host_schema = {.name = "host", .keys = host_keys};
static const struct config_schema guest_schema = {.name = "guest",
						  .titled = true,
						  .repeated = true,
						  .keys = guest_keys,
						  .sections = SECTIONS(&guest_schema)};
static const struct config_schema stack_schema = {
    .name = "stack", .repeated = true, .keys = stack_keys, .sections = SECTIONS(&guest_schema)};
static const struct config_schema machine_schema = {
    .name = "machine",
    .titled = true,
    .repeated = true,
    .keys = machine_keys,
    .sections = SECTIONS(&bmc_schema, &nic_schema, &probe_schema, &host_schema, &stack_schema)};
static const struct config_schema group_schema = {
    .name = "group", .titled = true, .repeated = true, .keys = group_keys};
static const struct config_schema console_schema = {
    .name = "console", .titled = true, .repeated = true, .keys = console_keys};

const struct config_schema config_root_schema = {
    .name = "file",
    .keys = no_keys,
    .sections =
	SECTIONS(&agent_schema, &credentials_schema, &machine_schema, &group_schema, &console_schema)};
