/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The library's error idiom: return a negative errno value and put the text a human needs into the caller's
 * wol_error. */
#ifndef PM_WOL_FAIL_H
#define PM_WOL_FAIL_H

struct wol_error {
	char text[200]; /* one line, no secret; "" while nothing failed */
};

/* Writes the printf-style text into err and returns -code; code is a positive errno value. */
int wol_fail(struct wol_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
