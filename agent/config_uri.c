/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URIs of libvirt: whether one can be meant, what of it may be shown, and which two are the same. */
#include "agent/config_build.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 255 /* pmVmHypervisor */

/* Where the authority of a URI begins and ends; 0 octets for a URI that is none. */
static size_t find_authority(const char *uri, const char **authority)
{
	const char *mark = strstr(uri, "://");

	*authority = mark ? mark + 3 : uri;
	return mark ? strcspn(*authority, "/?#") : 0;
}

static bool holds_password(const char *uri)
{
	const char *authority;
	size_t length = find_authority(uri, &authority);
	const char *at = memchr(authority, '@', length);

	return at && memchr(authority, ':', (size_t)(at - authority));
}

const char *config_uri_problem(const char *uri)
{
	size_t scheme = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	if (scheme == 0 || strncmp(uri + scheme, "://", 3) != 0 || !isalpha((unsigned char)*uri))
		return "is no libvirt URI, such as qemu+ssh://user@host/system or qemu:///system";
	for (const char *c = uri; *c; c++) {
		if (!isgraph((unsigned char)*c))
			return "holds a space or a character that is not ASCII";
	}
	return holds_password(uri) ? "holds a password; let libvirt take it from its auth.conf" : NULL;
}

/*
 * Parameters that tell one hypervisor of a host from another. The others are about the way there: files, commands and
 * proxies, which are nobody's business.
 */
static bool is_shown(const char *parameter, size_t length)
{
	static const char *const shown[] = {"mode=", "name=", "socket="};

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (length >= strlen(shown[i]) && strncmp(parameter, shown[i], strlen(shown[i])) == 0)
			return true;
	}
	return false;
}

void config_show_uri(const char *uri, char *shown)
{
	size_t base = strcspn(uri, "?#"), used, length;
	const char *parameter = uri + base;
	char mark = '?';

	used = base < SHOWN_MAX ? base : SHOWN_MAX;
	memcpy(shown, uri, used);
	shown[used] = '\0';
	while (*parameter == '?' || *parameter == '&') {
		length = strcspn(++parameter, "&#");
		if (is_shown(parameter, length) && used + 1 + length <= SHOWN_MAX) {
			used += (size_t)sprintf(shown + used, "%c%.*s", mark, (int)length, parameter);
			mark = '&';
		}
		parameter += length;
	}
}

/* The host does not depend on case (RFC 3986, 6.2.2.1); user, path and parameters do. */
void config_normalize_uri(char *uri)
{
	const char *authority;
	size_t length = find_authority(uri, &authority);
	const char *at = memchr(authority, '@', length);
	char *host = uri + (at ? at + 1 - uri : authority - uri);

	for (; host < uri + (authority - uri) + length; host++)
		*host = (char)tolower((unsigned char)*host);
}
