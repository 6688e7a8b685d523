/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/error.h"

#include <stdarg.h>
#include <stdio.h>

void pm_error_set(struct pm_error *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
}
