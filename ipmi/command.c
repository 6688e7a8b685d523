/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a BMC can be asked (IPMI 2.0, section 28): how each request is filled and its answer read.
 */
#include "ipmi/internal.h"

static const struct ipmi_request *running(const struct ipmi_bmc *bmc)
{
	return &bmc->head->request;
}

/* ---- Get Chassis Status, 28.2 ---- */

static int fill_chassis_status(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	(void)bmc;
	return fill_cmd_get_chassis_status(request);
}

/* Table 28-3 has one bit for each event; the first that is set is reported. */
static enum ipmi_power_event last_power_event(fiid_obj_t response)
{
	static const struct {
		const char *field;
		enum ipmi_power_event event;
	} events[] = {
	    {"last_power_event.power_on_entered_via_ipmi", IPMI_EVENT_ON_BY_COMMAND},
	    {"last_power_event.power_down_caused_by_power_fault", IPMI_EVENT_FAULT},
	    {"last_power_event.power_down_caused_by_power_interlock_being_activated", IPMI_EVENT_INTERLOCK},
	    {"last_power_event.power_down_caused_by_power_overload", IPMI_EVENT_OVERLOAD},
	    {"last_power_event.ac_failed", IPMI_EVENT_AC_FAILED},
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (ipmi_field(response, events[i].field))
			return events[i].event;
	return IPMI_EVENT_NONE;
}

static enum ipmi_identify identify_state(fiid_obj_t response)
{
	if (!ipmi_field(response, "misc_chassis_state.chassis_identify_command_and_state_info_supported"))
		return IPMI_IDENTIFY_UNKNOWN;
	switch (ipmi_field(response, "misc_chassis_state.chassis_identify_state")) {
	case IPMI_CHASSIS_IDENTIFY_STATE_OFF:
		return IPMI_IDENTIFY_OFF;
	case IPMI_CHASSIS_IDENTIFY_STATE_TEMPORARY_ON:
		return IPMI_IDENTIFY_TIMED;
	case IPMI_CHASSIS_IDENTIFY_STATE_INDEFINITE_ON:
		return IPMI_IDENTIFY_INDEFINITE;
	default:
		return IPMI_IDENTIFY_UNKNOWN;
	}
}

static void accept_chassis_status(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_reply reply = {.result = IPMI_OK};
	struct ipmi_chassis_status *c = &reply.chassis;
	uint64_t policy = ipmi_field(response, "current_power_state.power_restore_policy");

	c->power_on = ipmi_field(response, "current_power_state.power_is_on");
	c->power_overload = ipmi_field(response, "current_power_state.power_overload");
	c->interlock_active = ipmi_field(response, "current_power_state.interlock");
	c->power_fault = ipmi_field(response, "current_power_state.power_fault");
	c->power_control_fault = ipmi_field(response, "current_power_state.power_control_fault");
	c->chassis_intrusion = ipmi_field(response, "misc_chassis_state.chassis_intrusion_active");
	c->front_panel_lockout = ipmi_field(response, "misc_chassis_state.front_panel_lockout_active");
	c->drive_fault = ipmi_field(response, "misc_chassis_state.drive_fault");
	c->cooling_fault = ipmi_field(response, "misc_chassis_state.cooling_fan_fault_detected");
	c->last_power_event = last_power_event(response);
	c->restore_policy = (enum ipmi_restore_policy)policy;
	c->identify = identify_state(response);
	ipmi_bmc_reply(bmc, &reply);
}

/* ---- commands whose answer is only a completion code, as far as it is read ---- */

static void accept_plain(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_reply reply = {.result = IPMI_OK};

	(void)response;
	ipmi_bmc_reply(bmc, &reply);
}

bool ipmi_command_has_data(const struct ipmi_exchange *exchange)
{
	return exchange->accept != accept_plain;
}

static int fill_chassis_control(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	return fill_cmd_chassis_control((uint8_t)running(bmc)->control, request);
}

/* The second data octet exists only since IPMI 2.0 and only for "indefinite": older BMCs refuse it. */
static int fill_identify(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	static const uint8_t off = 0, force = IPMI_CHASSIS_FORCE_IDENTIFY_ON;

	switch (running(bmc)->identify.mode) {
	case IPMI_IDENTIFY_INDEFINITE:
		return fill_cmd_chassis_identify(&off, &force, request);
	case IPMI_IDENTIFY_TIMED:
		return fill_cmd_chassis_identify(&running(bmc)->identify.interval_s, NULL, request);
	default:
		return fill_cmd_chassis_identify(&off, NULL, request);
	}
}

static int fill_restore_policy(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	return fill_cmd_set_power_restore_policy((uint8_t)running(bmc)->restore_policy, request);
}

static int fill_set_boot_flags(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	const struct ipmi_boot_flags *boot = &running(bmc)->boot;

	return fill_cmd_set_system_boot_options_boot_flags(
	    IPMI_SYSTEM_BOOT_OPTIONS_PARAMETER_VALID_UNLOCKED, boot->efi, boot->persistent,
	    IPMI_SYSTEM_BOOT_OPTION_BOOT_FLAG_VALID, IPMI_SYSTEM_BOOT_OPTION_DISABLE,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE, (uint8_t)boot->device, IPMI_SYSTEM_BOOT_OPTION_DISABLE,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE, IPMI_SYSTEM_BOOT_OPTION_BOOT_FLAG_CONSOLE_REDIRECTION_DEFAULT,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE, IPMI_SYSTEM_BOOT_OPTION_DISABLE, IPMI_SYSTEM_BOOT_OPTION_DISABLE,
	    IPMI_SYSTEM_BOOT_OPTION_BOOT_FLAG_FIRMWARE_BIOS_VERBOSITY_DEFAULT,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE,
	    IPMI_SYSTEM_BOOT_OPTION_BOOT_FLAGS_SET_MUX_TO_RECOMENDED_AT_END_OF_POST,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE, IPMI_SYSTEM_BOOT_OPTION_DEVICE_INSTANCE_SELECTOR_MIN, request);
}

/*
 * Set before the boot flags: otherwise a BMC forgets them, also persistent ones, unless it gets a Chassis Control within
 * 60 s (table 28-14, parameter 3).
 */
static int fill_keep_boot_flags(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	(void)bmc;
	return fill_cmd_set_system_boot_options_BMC_boot_flag_valid_bit_clearing(
	    IPMI_SYSTEM_BOOT_OPTIONS_PARAMETER_VALID_UNLOCKED, IPMI_SYSTEM_BOOT_OPTION_DISABLE,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE, IPMI_SYSTEM_BOOT_OPTION_DISABLE, IPMI_SYSTEM_BOOT_OPTION_ENABLE,
	    IPMI_SYSTEM_BOOT_OPTION_DISABLE, request);
}

/* ---- Get System Boot Options, parameter 5, 28.13 ---- */

static int fill_get_boot_flags(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	(void)bmc;
	return fill_cmd_get_system_boot_options(IPMI_SYSTEM_BOOT_OPTION_PARAMETER_BOOT_FLAGS,
						IPMI_SYSTEM_BOOT_OPTIONS_NO_SET_SELECTOR,
						IPMI_SYSTEM_BOOT_OPTIONS_NO_BLOCK_SELECTOR, request);
}

/* Flags that are not valid say nothing about the next boot (table 28-14): no override. */
static void accept_boot_flags(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_reply reply = {.result = IPMI_OK};

	reply.boot.device = IPMI_BOOT_NO_OVERRIDE;
	if (ipmi_field(response, "boot_flags_valid")) {
		reply.boot.device = (enum ipmi_boot_device)ipmi_field(response, "boot_device");
		reply.boot.persistent = ipmi_field(response, "boot_flags_persistent");
		reply.boot.efi = ipmi_field(response, "bios_boot_type");
	}
	ipmi_bmc_reply(bmc, &reply);
}

/* ---- Get POH Counter, 28.14 ---- */

static int fill_poh_counter(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	(void)bmc;
	return fill_cmd_get_power_on_hours_counter(request);
}

/* Counts of so many minutes each. */
static void accept_poh_counter(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	uint64_t hours =
	    ipmi_field(response, "minutes_per_counter") * ipmi_field(response, "counter_reading") / 60;
	struct ipmi_reply reply = {.result = IPMI_OK,
				   .power_on_hours = hours < UINT32_MAX ? (uint32_t)hours : UINT32_MAX};

	ipmi_bmc_reply(bmc, &reply);
}

/* ---- Get Power Reading, DCMI 1.5, 6.6.1 ---- */

static int fill_power_reading(const struct ipmi_bmc *bmc, fiid_obj_t request)
{
	(void)bmc;
	return fill_cmd_dcmi_get_power_reading(IPMI_DCMI_POWER_READING_MODE_SYSTEM_POWER_STATISTICS, 0,
					       request);
}

static void accept_power_reading(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	struct ipmi_reply reply = {.result = IPMI_OK};
	uint64_t group = ipmi_field(response, "group_extension_identification");

	if (group != IPMI_NET_FN_GROUP_EXTENSION_IDENTIFICATION_DCMI) {
		reply.result = IPMI_REJECTED;
		ipmi_explain(bmc, &reply,
			     " answered Get Power Reading with group extension 0x%02X instead of DCMI's 0xDC",
			     (unsigned)group);
	} else {
		reply.power = (struct ipmi_power_reading){
		    .watts = (unsigned)ipmi_field(response, "current_power"),
		    .minimum_watts = (unsigned)ipmi_field(response, "minimum_power_over_sampling_duration"),
		    .maximum_watts = (unsigned)ipmi_field(response, "maximum_power_over_sampling_duration"),
		    .average_watts = (unsigned)ipmi_field(response, "average_power_over_sampling_duration"),
		    .active = ipmi_field(response, "power_reading_state.power_measurement")};
	}
	ipmi_bmc_reply(bmc, &reply);
}

/* The privilege level was as the specification wants it, and this BMC wants more. */
static void raise_privilege(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	const struct ipmi_request *request = running(bmc);
	struct ipmi_reply reply = {.result = IPMI_REJECTED, .completion_code = completion_code};
	char name[IPMI_NAME_SIZE];

	bmc->raised |= 1U << request->command;
	if (!request->once) {
		ipmi_bmc_proceed(bmc);
		return;
	}
	ipmi_explain(
	    bmc, &reply,
	    " refused %s: completion code 0x%02X: it wants privilege level %s: try again, it will be given",
	    ipmi_request_name(request, name, sizeof(name)), completion_code,
	    ipmi_privilege_name(bmc->privilege));
	ipmi_bmc_reply(bmc, &reply);
}

static void reject_command(struct ipmi_bmc *bmc, uint8_t completion_code)
{
	struct ipmi_reply reply = {.result = IPMI_REJECTED};

	if (completion_code == IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL &&
	    bmc->session.level < bmc->privilege) {
		raise_privilege(bmc, completion_code);
		return;
	}
	if (completion_code == IPMI_COMP_CODE_INSUFFICIENT_PRIVILEGE_LEVEL)
		bmc->raised &= ~(1U << running(bmc)->command); /* it was not for the level */
	ipmi_explain_code(bmc, &reply, bmc->waiting, completion_code);
	ipmi_bmc_reply(bmc, &reply);
}

#define COMMAND(command_, privilege_, reading_, name_, net_fn_, cmd_, template_, fill_, accept_) \
	[command_] = {                                                                           \
	    .id = (enum ipmi_exchange_id)(IPMI_EXCHANGE_COMMAND + command_),                     \
	    .privilege = IPMI_PRIVILEGE_##privilege_,                                            \
	    .reading = reading_,                                                                 \
	    .name = name_,                                                                       \
	    .framing = IPMI_FRAMING_SESSION,                                                     \
	    .net_fn = net_fn_,                                                                   \
	    .cmd = cmd_,                                                                         \
	    .request_template = template_##_rq,                                                  \
	    .response_template = template_##_rs,                                                 \
	    .fill = fill_,                                                                       \
	    .accept = accept_,                                                                   \
	    .reject = reject_command,                                                            \
	}
#define CHASSIS_COMMAND(command_, privilege_, reading_, name_, cmd_, template_, fill_, accept_)        \
	COMMAND(command_, privilege_, reading_, name_, IPMI_NET_FN_CHASSIS_RQ, cmd_, template_, fill_, \
		accept_)

/* FreeIPMI has templates of the options and their answers for each parameter. */
#define tmpl_boot_flags_get_rq  tmpl_cmd_get_system_boot_options_rq
#define tmpl_boot_flags_get_rs  tmpl_cmd_get_system_boot_options_boot_flags_rs
#define tmpl_boot_flags_set_rq  tmpl_cmd_set_system_boot_options_boot_flags_rq
#define tmpl_boot_flags_set_rs  tmpl_cmd_set_system_boot_options_rs
#define tmpl_boot_flags_keep_rq tmpl_cmd_set_system_boot_options_BMC_boot_flag_valid_bit_clearing_rq
#define tmpl_boot_flags_keep_rs tmpl_cmd_set_system_boot_options_rs

const struct ipmi_exchange ipmi_command_exchanges[IPMI_COMMAND_COUNT] = {
    CHASSIS_COMMAND(IPMI_GET_CHASSIS_STATUS, USER, true, "Get Chassis Status", IPMI_CMD_GET_CHASSIS_STATUS,
		    tmpl_cmd_get_chassis_status, fill_chassis_status, accept_chassis_status),
    CHASSIS_COMMAND(IPMI_CHASSIS_CONTROL, OPERATOR, false, "Chassis Control", IPMI_CMD_CHASSIS_CONTROL,
		    tmpl_cmd_chassis_control, fill_chassis_control, accept_plain),
    CHASSIS_COMMAND(IPMI_CHASSIS_IDENTIFY, OPERATOR, false, "Chassis Identify", IPMI_CMD_CHASSIS_IDENTIFY,
		    tmpl_cmd_chassis_identify, fill_identify, accept_plain),
    CHASSIS_COMMAND(IPMI_SET_POWER_RESTORE_POLICY, OPERATOR, false, "Set Power Restore Policy",
		    IPMI_CMD_SET_POWER_RESTORE_POLICY, tmpl_cmd_set_power_restore_policy, fill_restore_policy,
		    accept_plain),
    CHASSIS_COMMAND(IPMI_GET_BOOT_FLAGS, OPERATOR, true, "Get System Boot Options",
		    IPMI_CMD_GET_SYSTEM_BOOT_OPTIONS, tmpl_boot_flags_get, fill_get_boot_flags,
		    accept_boot_flags),
    CHASSIS_COMMAND(IPMI_SET_BOOT_FLAGS, OPERATOR, false, "Set System Boot Options",
		    IPMI_CMD_SET_SYSTEM_BOOT_OPTIONS, tmpl_boot_flags_set, fill_set_boot_flags, accept_plain),
    CHASSIS_COMMAND(IPMI_GET_POH_COUNTER, USER, true, "Get POH Counter", IPMI_CMD_GET_POWER_ON_HOURS_COUNTER,
		    tmpl_cmd_get_power_on_hours_counter, fill_poh_counter, accept_poh_counter),
    COMMAND(IPMI_GET_POWER_READING, USER, true, "Get Power Reading", IPMI_NET_FN_GROUP_EXTENSION_RQ,
	    IPMI_CMD_DCMI_GET_POWER_READING, tmpl_cmd_dcmi_get_power_reading, fill_power_reading,
	    accept_power_reading),
    CHASSIS_COMMAND(IPMI_KEEP_BOOT_FLAGS, OPERATOR, false, "Set System Boot Options",
		    IPMI_CMD_SET_SYSTEM_BOOT_OPTIONS, tmpl_boot_flags_keep, fill_keep_boot_flags,
		    accept_plain),
};
