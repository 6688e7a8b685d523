/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wol/fail.h"

#include <stdarg.h>
#include <stdio.h>

int wol_fail(struct wol_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -code;
}
