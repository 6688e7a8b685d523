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

/* Writes the printf-style text into err, which may be NULL. */
void pm_error_set(struct pm_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * pm_fail(err, code, format, ...) does so and is -code, so that a function can end with
 * `return pm_fail(err, EINVAL, "...")`. code is a positive errno value. A macro, so that compilers and analysers see
 * that it is not 0.
 */
#define pm_fail(err, code, ...) (pm_error_set((err), __VA_ARGS__), -(code))

#endif
