/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one error idiom: a function that can fail returns 0 or a negative errno value and fills the caller's
 * struct pm_error with the text a human needs.
 */
#ifndef PM_ERROR_H
#define PM_ERROR_H

struct pm_error {
	char text[512]; /* one line, no newline, no secret; "" while nothing failed */
};

/*
 * Writes the printf-style text into err (which may be NULL) and returns -code, so that a function can end with
 * `return pm_fail(err, EINVAL, "...")`. code is a positive errno value.
 */
int pm_fail(struct pm_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
