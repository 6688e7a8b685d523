/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/error.h"

#include <stdarg.h>
#include <stdio.h>

int pm_fail(struct pm_error *err, int code, const char *format, ...)
{
	va_list args;

	if (err) {
		va_start(args, format);
		vsnprintf(err->text, sizeof(err->text), format, args);
		va_end(args);
	}
	return -code;
}
