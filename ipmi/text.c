/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Words for people.
 */
#include <stdarg.h>
#include <stdio.h>

#include "ipmi/internal.h"

void ipmi_text(char *text, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, size, format, arguments);
	va_end(arguments);
}

const char *ipmi_seconds(unsigned ms, char *text, size_t size)
{
	snprintf(text, size, "%g s", (double)ms / 1000);
	return text;
}

const char *ipmi_request_name(const struct ipmi_request *request, char *text, size_t size)
{
	static const char *const controls[] = {
	    "power down", "power up", "power cycle", "hard reset", "diagnostic interrupt", "soft shutdown"};
	const char *name = ipmi_command_exchanges[request->command].name;

	if (request->command == IPMI_CHASSIS_CONTROL)
		snprintf(text, size, "%s (%s)", name, controls[request->control]);
	else
		snprintf(text, size, "%s", name);
	return text;
}

const char *ipmi_result_name(enum ipmi_result result)
{
	static const char *const names[] = {
	    [IPMI_OK] = "ok",
	    [IPMI_TIMEOUT] = "timeout",
	    [IPMI_UNREACHABLE] = "unreachable",
	    [IPMI_AUTH_FAILED] = "authentication failed",
	    [IPMI_SESSIONS_EXHAUSTED] = "sessions exhausted",
	    [IPMI_REJECTED] = "rejected",
	    [IPMI_UNSUPPORTED] = "unsupported",
	    [IPMI_CANCELLED] = "cancelled",
	    [IPMI_INTERNAL] = "internal error",
	};

	return names[result];
}
