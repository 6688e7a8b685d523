/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts from files and from the network: they end up in logs, on terminals and in the MIB, and must do no harm there. */
#ifndef PM_TEXT_H
#define PM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether text is valid UTF-8 (RFC 3629) without control characters. */
bool pm_text_is_visible(const char *text);

/* Writes '?' over every octet that is not part of such a text. */
void pm_text_make_visible(char *text);

/* snprintf for texts that may be too long for their field: cut between two characters, never inside one. */
void pm_text_format(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Takes an incomplete character off the end of a text that was cut. */
void pm_text_trim(char *text);

#endif
