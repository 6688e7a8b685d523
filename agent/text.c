/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 sequence at text (RFC 3629), or 0 when there is none or it is a control character. */
static size_t visible_length(const char *at)
{
	const unsigned char *text = (const unsigned char *)at;
	size_t length = *text < 0x80 ? 1 : *text >= 0xc2 && *text < 0xe0 ? 2 : (*text & 0xf0) == 0xe0 ? 3 : 4;

	if (*text < 0x20 || *text == 0x7f || (*text >= 0x80 && *text < 0xc2) || *text > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((*text == 0xe0 && text[1] < 0xa0) || (*text == 0xed && text[1] > 0x9f) ||
	    (*text == 0xf0 && text[1] < 0x90) || (*text == 0xf4 && text[1] > 0x8f) ||
	    (*text == 0xc2 && text[1] < 0xa0))
		return 0;
	return length;
}

bool pm_text_is_visible(const char *text)
{
	size_t length;

	for (; *text; text += length) {
		length = visible_length(text);
		if (length == 0)
			return false;
	}
	return true;
}

void pm_text_make_visible(char *text)
{
	while (*text) {
		size_t length = visible_length(text);

		if (length == 0)
			*text = '?';
		text += length ? length : 1;
	}
}

void pm_text_trim(char *text)
{
	size_t length = strlen(text), start = length;

	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0 &&
	    visible_length(text + start - 1) != length - start + 1)
		text[start - 1] = '\0';
}

void pm_text_format(char *text, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	pm_text_trim(text);
}
