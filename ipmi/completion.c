/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Completion codes (IPMI 2.0, table 5-2, and the tables of the commands; DCMI 1.5, 6.6.1): what each means, what to do about
 * it, and whether the engine itself may ask again.
 */
#include "ipmi/internal.h"

#define APP     IPMI_NET_FN_APP_RQ
#define CHASSIS IPMI_NET_FN_CHASSIS_RQ
#define DCMI    IPMI_NET_FN_GROUP_EXTENSION_RQ
#define ANY     0xff /* network function or command: no message has it */

#define RAISE  "raise the user's limit in the BMC, or lower privilege in the credentials"
#define UPDATE "update the BMC's firmware"
#define LOOK   "look at the machine, then try again"
#define CLOSE  "close other sessions to it, or wait until they end"

/*
 * The first row that fits counts, so that what a command says itself goes before what is true of all. Nothing lost, nothing
 * twice: what the BMC says it did not do is asked again; what it may have done is asked again only when it changes nothing.
 */
static const struct ipmi_completion completions[] = {
    {APP, IPMI_CMD_GET_SESSION_CHALLENGE, 0x81, 0x81, "it does not know the user, or not for this channel",
     "correct username in the credentials", IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_GET_SESSION_CHALLENGE, 0x82, 0x82, "its user without a name is not enabled",
     "set username in the credentials, or enable user 1 in the BMC", IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_ACTIVATE_SESSION, 0x81, 0x81, "it has no free session", CLOSE, IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_ACTIVATE_SESSION, 0x82, 0x82, "it has no free session for this user", CLOSE,
     IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_ACTIVATE_SESSION, 0x83, 0x83, "it has no free session of this privilege level", CLOSE,
     IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_ACTIVATE_SESSION, 0x84, 0x84, "session sequence number out of range", "try again",
     IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_ACTIVATE_SESSION, 0x85, 0x85, "it has forgotten the session's challenge", "try again",
     IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_ACTIVATE_SESSION, 0x86, 0x86, "the privilege level is beyond the limit of user or channel",
     RAISE, IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_SET_SESSION_PRIVILEGE_LEVEL, 0x80, 0x80, "the user does not have this privilege level",
     RAISE, IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_SET_SESSION_PRIVILEGE_LEVEL, 0x81, 0x81,
     "the privilege level is beyond the limit of user or channel", RAISE, IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_SET_SESSION_PRIVILEGE_LEVEL, 0x82, 0x82, "it cannot do without authentication of users",
     "raise the privilege limit of the BMC's channel", IPMI_REMEDY_NONE},
    {APP, IPMI_CMD_CLOSE_SESSION, 0x87, 0x87, "it does not know the session", "nothing is left to do",
     IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_CHASSIS_CONTROL, 0xcc, 0xcc, "it does not have this control",
     "use another way to switch the machine", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_CHASSIS_CONTROL, 0xd5, 0xd5, "not possible in the machine's present state",
     "look whether it is on or off, then try another action", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_SET_POWER_RESTORE_POLICY, 0xcc, 0xcc, "it does not have this policy",
     "choose another one", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_SET_SYSTEM_BOOT_OPTIONS, 0x80, 0x80, "it does not have boot flags",
     "set the boot device in the machine's firmware", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_SET_SYSTEM_BOOT_OPTIONS, 0x81, 0x81, "somebody else is setting its boot options",
     "try again when they are done", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_SET_SYSTEM_BOOT_OPTIONS, 0x82, 0x82, "its boot flags can only be read",
     "set the boot device in the machine's firmware", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_SET_SYSTEM_BOOT_OPTIONS, 0xcc, 0xcc, "it does not have this boot device",
     "choose another one", IPMI_REMEDY_NONE},
    {CHASSIS, IPMI_CMD_GET_SYSTEM_BOOT_OPTIONS, 0x80, 0x80, "it does not have boot flags", "do without them",
     IPMI_REMEDY_NONE},
    {DCMI, ANY, 0xc1, 0xc1, "it does not speak DCMI", "do without power readings of this machine",
     IPMI_REMEDY_NONE},
    {DCMI, ANY, 0xcc, 0xcc, "it does not measure power", "do without power readings of this machine",
     IPMI_REMEDY_NONE},

    {ANY, ANY, 0xc0, 0xc0, "it is busy", "try again later", IPMI_REMEDY_REPEAT},
    {ANY, ANY, 0xc1, 0xc1, "it does not know this command", UPDATE ", or do without", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc2, 0xc2, "it does not know this command for its logical unit 0", UPDATE, IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc3, 0xc3, "it ran out of time, the command may have been done", LOOK,
     IPMI_REMEDY_REPEAT_READING},
    {ANY, ANY, 0xc4, 0xc4, "it is out of space", "clear its event log, or reset the BMC", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc5, 0xc5, "the reservation is cancelled", "try again", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc6, 0xc6, "it got the request cut short", UPDATE, IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc7, 0xc7, "it wants a request of another length", UPDATE, IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc8, 0xc8, "it wants a shorter request", UPDATE, IPMI_REMEDY_NONE},
    {ANY, ANY, 0xc9, 0xc9, "a value is out of its range", "choose another one", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xca, 0xca, "it cannot return so many octets", UPDATE, IPMI_REMEDY_NONE},
    {ANY, ANY, 0xcb, 0xcb, "it does not have this", "do without", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xcc, 0xcc, "a value in the request is not valid for it", "choose another one",
     IPMI_REMEDY_NONE},
    {ANY, ANY, 0xcd, 0xcd, "it does not allow the command for this", "do without", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xce, 0xce, "it cannot give an answer, the command may have been done", LOOK,
     IPMI_REMEDY_REPEAT_READING},
    {ANY, ANY, 0xcf, 0xcf, "it got the command twice, it may have been done", LOOK, IPMI_REMEDY_DUPLICATE},
    {ANY, ANY, 0xd0, 0xd0, "its repository of sensors is being updated", "try again in a minute",
     IPMI_REMEDY_REPEAT_READING},
    {ANY, ANY, 0xd1, 0xd1, "its firmware is being updated", "try again when that is over", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xd2, 0xd2, "it is still starting", "try again in a minute", IPMI_REMEDY_REPEAT_READING},
    {ANY, ANY, 0xd3, 0xd3, "it does not reach the part that would do it", "try again, or reset the BMC",
     IPMI_REMEDY_NONE},
    {ANY, ANY, 0xd4, 0xd4, "the privilege level is too low, or the command is blocked",
     "raise privilege in the credentials, or allow it in the BMC", IPMI_REMEDY_NONE},
    {ANY, ANY, 0xd5, 0xd5, "not supported in the present state", "do without, or try again in another state",
     IPMI_REMEDY_NONE},
    {ANY, ANY, 0xd6, 0xd6, "a part of the command is disabled", "enable it in the BMC's firmware firewall",
     IPMI_REMEDY_NONE},
    {ANY, ANY, 0xff, 0xff, "an error that it does not specify", "read its event log, or reset the BMC",
     IPMI_REMEDY_NONE},
    {ANY, ANY, 0x01, 0x7e, "a code of the BMC's maker", "look it up in the BMC's manual", IPMI_REMEDY_NONE},
    {ANY, ANY, 0x80, 0xbe, "a code that this command does not define", "look it up in the BMC's manual",
     IPMI_REMEDY_NONE},
    {ANY, ANY, 0x00, 0xff, "a code that IPMI does not define", UPDATE, IPMI_REMEDY_NONE},
};

const struct ipmi_completion *ipmi_completion(const struct ipmi_exchange *exchange, uint8_t code)
{
	const struct ipmi_completion *row = completions; /* the last one fits everything */

	while ((row->net_fn != ANY && row->net_fn != exchange->net_fn) ||
	       (row->cmd != ANY && row->cmd != exchange->cmd) || code < row->first || code > row->last)
		row++;
	return row;
}

bool ipmi_completion_leaves_doubt(const struct ipmi_completion *completion)
{
	return completion->remedy == IPMI_REMEDY_REPEAT_READING ||
	       completion->remedy == IPMI_REMEDY_DUPLICATE;
}

void ipmi_explain_code(const struct ipmi_bmc *bmc, struct ipmi_reply *reply,
		       const struct ipmi_exchange *exchange, uint8_t code)
{
	const struct ipmi_completion *completion = ipmi_completion(exchange, code);
	char name[IPMI_NAME_SIZE];

	reply->completion_code = code;
	ipmi_explain(bmc, reply, " %s %s: completion code 0x%02X: %s: %s",
		     ipmi_completion_leaves_doubt(completion) ? "answered" : "refused",
		     ipmi_exchange_name(bmc, exchange, name, sizeof(name)), code, completion->meaning,
		     completion->advice);
}
