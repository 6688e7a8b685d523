/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asks a BMC by FreeIPMI's own blocking client and prints what ipmi_client would, so that the two can be
 * compared: ipmi_oracle 1.5|CIPHER-SUITE PASSWORD-FILE HOST STEP... with the steps status, boot, poh, diag, on, policy, power
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <freeipmi/freeipmi.h>

static ipmi_ctx_t context;

static unsigned field(fiid_obj_t response, const char *name)
{
	uint64_t value = 0;

	if (fiid_obj_get(response, name, &value) != 1)
		return 0;
	return (unsigned)value;
}

/* The engine reports one event, the newest kind first; FreeIPMI has a bit for each. */
static int last_event(fiid_obj_t r)
{
	if (field(r, "last_power_event.power_on_entered_via_ipmi"))
		return 5;
	if (field(r, "last_power_event.power_down_caused_by_power_fault"))
		return 4;
	if (field(r, "last_power_event.power_down_caused_by_power_interlock_being_activated"))
		return 3;
	if (field(r, "last_power_event.power_down_caused_by_power_overload"))
		return 2;
	return field(r, "last_power_event.ac_failed") ? 1 : 0;
}

static void print_status(fiid_obj_t r)
{
	printf(" power=%u overload=%u interlock=%u fault=%u control_fault=%u intrusion=%u lockout=%u drive=%u"
	       " cooling=%u event=%d policy=%u identify=%u",
	       field(r, "current_power_state.power_is_on"), field(r, "current_power_state.power_overload"),
	       field(r, "current_power_state.interlock"), field(r, "current_power_state.power_fault"),
	       field(r, "current_power_state.power_control_fault"),
	       field(r, "misc_chassis_state.chassis_intrusion_active"),
	       field(r, "misc_chassis_state.front_panel_lockout_active"),
	       field(r, "misc_chassis_state.drive_fault"),
	       field(r, "misc_chassis_state.cooling_fan_fault_detected"), last_event(r),
	       field(r, "current_power_state.power_restore_policy"),
	       field(r, "misc_chassis_state.chassis_identify_command_and_state_info_supported")
		   ? field(r, "misc_chassis_state.chassis_identify_state")
		   : 3);
}

static void print_boot(fiid_obj_t r)
{
	unsigned valid = field(r, "boot_flags_valid");

	printf(" device=%u persistent=%u efi=%u", valid ? field(r, "boot_device") : 0,
	       valid ? field(r, "boot_flags_persistent") : 0, valid ? field(r, "bios_boot_type") : 0);
}

struct step {
	const char *name;
	fiid_field_t *response;
	int (*ask)(fiid_obj_t response);
	void (*print)(fiid_obj_t response);
};

static int ask_status(fiid_obj_t r)
{
	return ipmi_cmd_get_chassis_status(context, r);
}

static int ask_boot(fiid_obj_t r)
{
	return ipmi_cmd_get_system_boot_options_boot_flags(context, 0, 0, r);
}

static int ask_poh(fiid_obj_t r)
{
	return ipmi_cmd_get_power_on_hours_counter(context, r);
}

static int ask_diag(fiid_obj_t r)
{
	return ipmi_cmd_chassis_control(context, IPMI_CHASSIS_CONTROL_PULSE_DIAGNOSTIC_INTERRUPT, r);
}

static int ask_on(fiid_obj_t r)
{
	return ipmi_cmd_chassis_control(context, IPMI_CHASSIS_CONTROL_POWER_UP, r);
}

static int ask_policy(fiid_obj_t r)
{
	return ipmi_cmd_set_power_restore_policy(context, 1, r);
}

static int ask_power(fiid_obj_t r)
{
	return ipmi_cmd_dcmi_get_power_reading(context, IPMI_DCMI_POWER_READING_MODE_SYSTEM_POWER_STATISTICS,
					       0, r);
}

static void print_power(fiid_obj_t r)
{
	printf(" watts=%u min=%u max=%u average=%u active=%u", field(r, "current_power"),
	       field(r, "minimum_power_over_sampling_duration"),
	       field(r, "maximum_power_over_sampling_duration"),
	       field(r, "average_power_over_sampling_duration"),
	       field(r, "power_reading_state.power_measurement"));
}

static void print_hours(fiid_obj_t r)
{
	printf(" hours=%u", field(r, "minutes_per_counter") * field(r, "counter_reading") / 60);
}

static void print_nothing(fiid_obj_t r)
{
	(void)r;
}

static void run_step(const struct step *step, const char *name)
{
	fiid_obj_t response = fiid_obj_create(step->response);

	if (!response)
		abort();
	if (step->ask(response) == 0) {
		printf("%s: ok", name);
		step->print(response);
	} else if (ipmi_ctx_errnum(context) == IPMI_ERR_BAD_COMPLETION_CODE ||
		   field(response, "comp_code") != IPMI_COMP_CODE_COMMAND_SUCCESS) {
		printf("%s: rejected code=0x%02X", name, field(response, "comp_code"));
	} else {
		printf("%s: %s", name, ipmi_ctx_errormsg(context));
	}
	printf("\n");
	fiid_obj_destroy(response);
}

static const struct step *find_step(const char *name)
{
	static const struct step steps[] = {
	    {"status", tmpl_cmd_get_chassis_status_rs, ask_status, print_status},
	    {"boot", tmpl_cmd_get_system_boot_options_boot_flags_rs, ask_boot, print_boot},
	    {"poh", tmpl_cmd_get_power_on_hours_counter_rs, ask_poh, print_hours},
	    {"diag", tmpl_cmd_chassis_control_rs, ask_diag, print_nothing},
	    {"on", tmpl_cmd_chassis_control_rs, ask_on, print_nothing},
	    {"policy", tmpl_cmd_set_power_restore_policy_rs, ask_policy, print_nothing},
	    {"power", tmpl_cmd_dcmi_get_power_reading_rs, ask_power, print_power},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strncmp(steps[i].name, name, strcspn(name, "=")) == 0)
			return &steps[i];
	fprintf(stderr, "ipmi_oracle: unknown step %s\n", name);
	exit(2);
}

/* how: "1.5", or a cipher suite of IPMI 2.0. */
static int open_session(const char *how, const char *host, const char *password)
{
	context = ipmi_ctx_create();
	if (!context)
		return -1;
	if (strcmp(how, "1.5") == 0)
		return ipmi_ctx_open_outofband(context, host, "admin", password, IPMI_AUTHENTICATION_TYPE_MD5,
					       IPMI_PRIVILEGE_LEVEL_OPERATOR, 5000, 1000, 0, 0);
	return ipmi_ctx_open_outofband_2_0(context, host, "admin", password, NULL, 0,
					   IPMI_PRIVILEGE_LEVEL_OPERATOR, (uint8_t)atoi(how), 5000, 1000,
					   IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE, 0);
}

int main(int argc, char **argv)
{
	char password[32] = "";
	FILE *file = argc > 4 ? fopen(argv[2], "re") : NULL;

	if (!file || !fgets(password, sizeof(password), file))
		return 2;
	fclose(file);
	password[strcspn(password, "\n")] = '\0';
	if (open_session(argv[1], argv[3], password) < 0) {
		fprintf(stderr, "ipmi_oracle: %s\n", context ? ipmi_ctx_errormsg(context) : "no memory");
		return 1;
	}
	for (int i = 4; i < argc; i++)
		run_step(find_step(argv[i]), argv[i]);
	ipmi_ctx_close(context);
	ipmi_ctx_destroy(context);
	return 0;
}
