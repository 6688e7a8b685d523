/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether FreeIPMI's own client takes the simulated BMC for a real one, without any workaround. One session, in which the
 * given steps are done; a line for each, with every field of the answer that is not 0:
 *
 * farm_oracle [-u USER] [-l user|operator|administrator] [-k KG-FILE] [-t MS] PASSWORD-FILE HOST VERSION STEP...
 * VERSION: 2.0:SUITE or 1.5:md5|straight|none. Steps: see the table below; those with a value are written STEP=NUMBER.
 * `hold` keeps the session until standard input ends. -t: for how long an answer is waited for (4000 ms), with a
 * retransmission after a quarter of that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <freeipmi/freeipmi.h>

enum { CHANNEL = 0x0e };

static ipmi_ctx_t context;

struct login {
	const char *user, *host, *version;
	uint8_t privilege;
	char password[32];
	char kg[32];
	size_t kg_length;
	unsigned timeout_ms;
};

static int device_id(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_device_id(context, r);
}

static int device_guid(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_device_guid(context, r);
}

static int system_guid(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_system_guid(context, r);
}

static int auth_capabilities(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_get_channel_authentication_capabilities(context, CHANNEL, IPMI_PRIVILEGE_LEVEL_USER,
								(uint8_t)value, r);
}

static int privilege(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_set_session_privilege_level(context, (uint8_t)value, r);
}

static int channel_info(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_channel_info(context, CHANNEL, r);
}

static int channel_access(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_get_channel_access(context, CHANNEL, (uint8_t)value, r);
}

static int user_access(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_get_user_access(context, CHANNEL, (uint8_t)value, r);
}

static int user_name(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_get_user_name(context, (uint8_t)value, r);
}

/* What the client has no function of its own for. */
static int ask(fiid_obj_t request, fiid_obj_t r)
{
	int result = ipmi_cmd(context, IPMI_BMC_IPMB_LUN_BMC, IPMI_NET_FN_APP_RQ, request, r);

	fiid_obj_destroy(request);
	return result;
}

static int payload_support(unsigned value, fiid_obj_t r)
{
	fiid_obj_t request = fiid_obj_create(tmpl_cmd_get_channel_payload_support_rq);

	(void)value;
	return fill_cmd_get_channel_payload_support(CHANNEL, request) < 0 ? -1 : ask(request, r);
}

static int payload_version(unsigned value, fiid_obj_t r)
{
	fiid_obj_t request = fiid_obj_create(tmpl_cmd_get_channel_payload_version_rq);

	return fill_cmd_get_channel_payload_version(CHANNEL, (uint8_t)value, request) < 0 ? -1
											  : ask(request, r);
}

static int cipher_suites(unsigned value, fiid_obj_t r)
{
	fiid_obj_t request = fiid_obj_create(tmpl_cmd_get_channel_cipher_suites_rq);

	return fill_cmd_get_channel_cipher_suites(CHANNEL, IPMI_PAYLOAD_TYPE_IPMI, (uint8_t)value, 1,
						  request) < 0
		   ? -1
		   : ask(request, r);
}

static int capabilities(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_chassis_capabilities(context, r);
}

static int status(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_chassis_status(context, r);
}

static int control(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_chassis_control(context, (uint8_t)value, r);
}

static int identify(unsigned value, fiid_obj_t r)
{
	uint8_t interval = (uint8_t)value;

	return ipmi_cmd_chassis_identify(context, &interval, NULL, r);
}

static int identify_force(unsigned value, fiid_obj_t r)
{
	uint8_t interval = 0, force = (uint8_t)value;

	return ipmi_cmd_chassis_identify(context, &interval, &force, r);
}

static int policy(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_set_power_restore_policy(context, (uint8_t)value, r);
}

static int restart_cause(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_system_restart_cause(context, r);
}

static int poh(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_power_on_hours_counter(context, r);
}

static int boot_progress(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_set_system_boot_options_set_in_progress(context, 1, (uint8_t)value, r);
}

/* Device in the low octet; 0x100 persistent, 0x200 EFI. */
static int boot_set(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_set_system_boot_options_boot_flags(context, 1, value & 0x200 ? 1 : 0,
							   value & 0x100 ? 1 : 0, 1, 0, 0, value & 0xff, 0, 0,
							   0, 0, 0, 0, 0, 0, 0, 0, 0, r);
}

static int boot_get(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_system_boot_options_boot_flags(context, 0, 0, r);
}

static int boot_info(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_system_boot_options_boot_info_acknowledge(context, 0, 0, r);
}

static int dcmi_capabilities(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_dcmi_get_dcmi_capability_info_supported_dcmi_capabilities(context, r);
}

static int dcmi_power(unsigned value, fiid_obj_t r)
{
	return ipmi_cmd_dcmi_get_power_reading(context, (uint8_t)value, 0, r);
}

/* A command that no BMC of these has. */
static int self_test(unsigned value, fiid_obj_t r)
{
	(void)value;
	return ipmi_cmd_get_self_test_results(context, r);
}

static const struct step {
	const char *name;
	fiid_field_t *response;
	int (*run)(unsigned value, fiid_obj_t response);
} steps[] = {
    {"device-id", tmpl_cmd_get_device_id_rs, device_id},
    {"device-guid", tmpl_cmd_get_device_guid_rs, device_guid},
    {"system-guid", tmpl_cmd_get_system_guid_rs, system_guid},
    {"auth-capabilities", tmpl_cmd_get_channel_authentication_capabilities_rs, auth_capabilities},
    {"privilege", tmpl_cmd_set_session_privilege_level_rs, privilege},
    {"channel-info", tmpl_cmd_get_channel_info_rs, channel_info},
    {"channel-access", tmpl_cmd_get_channel_access_rs, channel_access},
    {"user-access", tmpl_cmd_get_user_access_rs, user_access},
    {"user-name", tmpl_cmd_get_user_name_rs, user_name},
    {"payload-support", tmpl_cmd_get_channel_payload_support_rs, payload_support},
    {"payload-version", tmpl_cmd_get_channel_payload_version_rs, payload_version},
    {"cipher-suites", tmpl_cmd_get_channel_cipher_suites_rs, cipher_suites},
    {"capabilities", tmpl_cmd_get_chassis_capabilities_rs, capabilities},
    {"status", tmpl_cmd_get_chassis_status_rs, status},
    {"control", tmpl_cmd_chassis_control_rs, control},
    {"identify", tmpl_cmd_chassis_identify_rs, identify},
    {"identify-force", tmpl_cmd_chassis_identify_rs, identify_force},
    {"policy", tmpl_cmd_set_power_restore_policy_rs, policy},
    {"restart-cause", tmpl_cmd_get_system_restart_cause_rs, restart_cause},
    {"poh", tmpl_cmd_get_power_on_hours_counter_rs, poh},
    {"boot-progress", tmpl_cmd_set_system_boot_options_rs, boot_progress},
    {"boot-set", tmpl_cmd_set_system_boot_options_rs, boot_set},
    {"boot-get", tmpl_cmd_get_system_boot_options_boot_flags_rs, boot_get},
    {"boot-info", tmpl_cmd_get_system_boot_options_boot_info_acknowledge_rs, boot_info},
    {"dcmi-capabilities", tmpl_cmd_dcmi_get_dcmi_capability_info_supported_dcmi_capabilities_rs,
     dcmi_capabilities},
    {"dcmi-power", tmpl_cmd_dcmi_get_power_reading_rs, dcmi_power},
    {"self-test", tmpl_cmd_get_self_test_results_rs, self_test},
};

/* ---- answers ---- */

static void print_octets(const char *key, fiid_obj_t response)
{
	uint8_t octets[64];
	int length = fiid_obj_get_data(response, key, octets, sizeof(octets));

	printf(" %s=", key);
	for (int i = 0; i < length; i++)
		printf("%02x", octets[i]);
}

static void print_field(const char *key, uint64_t value, fiid_obj_t response)
{
	if (strcmp(key, "cmd") == 0 || strcmp(key, "comp_code") == 0 || strstr(key, "reserved"))
		return;
	if (fiid_obj_field_len(response, key) > 64)
		print_octets(key, response);
	else if (value)
		printf(" %s=%" PRIu64, key, value);
}

static void print_fields(fiid_obj_t response)
{
	fiid_iterator_t iterator = fiid_iterator_create(response);
	uint64_t value;

	if (!iterator)
		abort();
	for (; !fiid_iterator_end(iterator); fiid_iterator_next(iterator)) {
		value = 0;
		fiid_iterator_get(iterator, &value);
		print_field(fiid_iterator_key(iterator), value, response);
	}
	fiid_iterator_destroy(iterator);
}

static const struct step *find_step(const char *name)
{
	size_t length = strcspn(name, "=");

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i].name) == length && strncmp(steps[i].name, name, length) == 0)
			return &steps[i];
	fprintf(stderr, "farm_oracle: unknown step %s\n", name);
	exit(2);
}

static void hold(void)
{
	char octet;

	printf("hold:\n");
	while (read(STDIN_FILENO, &octet, 1) > 0) {
	}
}

static void run_step(const char *name)
{
	const struct step *step = find_step(name);
	unsigned value = strchr(name, '=') ? (unsigned)strtoul(strchr(name, '=') + 1, NULL, 0) : 0;
	fiid_obj_t response = fiid_obj_create(step->response);
	uint64_t code = 0;

	if (!response)
		abort();
	printf("%s:", name);
	if (step->run(value, response) < 0 && fiid_obj_get(response, "comp_code", &code) != 1)
		printf(" %s", ipmi_ctx_errormsg(context));
	else if (fiid_obj_get(response, "comp_code", &code) == 1 && code)
		printf(" code 0x%02" PRIX64, code);
	else
		print_fields(response);
	printf("\n");
	fiid_obj_destroy(response);
}

/* ---- the session ---- */

static size_t read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(line, size, file)) {
		perror(path);
		exit(2);
	}
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	return strlen(line);
}

static int open_session(struct login *login)
{
	const char *method = strchr(login->version, ':') + 1;
	uint8_t type = IPMI_AUTHENTICATION_TYPE_MD5;

	if (strncmp(login->version, "2.0:", 4) == 0)
		return ipmi_ctx_open_outofband_2_0(
		    context, login->host, login->user, login->password,
		    login->kg_length ? (unsigned char *)login->kg : NULL, (unsigned)login->kg_length,
		    login->privilege, (uint8_t)atoi(method), login->timeout_ms, login->timeout_ms / 4, 0, 0);
	if (strcmp(method, "straight") == 0)
		type = IPMI_AUTHENTICATION_TYPE_STRAIGHT_PASSWORD_KEY;
	else if (strcmp(method, "none") == 0)
		type = IPMI_AUTHENTICATION_TYPE_NONE;
	return ipmi_ctx_open_outofband(context, login->host, login->user, login->password, type,
				       login->privilege, login->timeout_ms, login->timeout_ms / 4, 0, 0);
}

static uint8_t parse_privilege(const char *name)
{
	if (strcmp(name, "user") == 0)
		return IPMI_PRIVILEGE_LEVEL_USER;
	return strcmp(name, "operator") == 0 ? IPMI_PRIVILEGE_LEVEL_OPERATOR : IPMI_PRIVILEGE_LEVEL_ADMIN;
}

static int parse(struct login *login, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "u:l:k:t:")) != -1) {
		if (option == 'u')
			login->user = optarg;
		else if (option == 'l')
			login->privilege = parse_privilege(optarg);
		else if (option == 't')
			login->timeout_ms = (unsigned)atoi(optarg);
		else if (option == 'k')
			login->kg_length = read_line(optarg, login->kg, sizeof(login->kg));
		else
			return -1;
	}
	if (argc - optind < 3 || !strchr(argv[optind + 2], ':'))
		return -1;
	read_line(argv[optind], login->password, sizeof(login->password));
	login->host = argv[optind + 1];
	login->version = argv[optind + 2];
	return 0;
}

int main(int argc, char **argv)
{
	struct login login = {.user = "admin", .privilege = IPMI_PRIVILEGE_LEVEL_ADMIN, .timeout_ms = 4000};

	if (parse(&login, argc, argv) < 0)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	context = ipmi_ctx_create();
	if (!context)
		return 2;
	if (open_session(&login) < 0) {
		printf("open: %s\n", ipmi_ctx_errormsg(context));
		ipmi_ctx_destroy(context);
		return 1;
	}
	for (int i = optind + 3; i < argc; i++)
		if (strcmp(argv[i], "hold") == 0)
			hold();
		else
			run_step(argv[i]);
	if (ipmi_ctx_close(context) < 0)
		printf("close: %s\n", ipmi_ctx_errormsg(context));
	ipmi_ctx_destroy(context);
	return 0;
}
