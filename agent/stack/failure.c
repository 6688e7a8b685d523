/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors of libvirt in our words, without secrets; and URIs that make nobody ask for any. */
#include "agent/stack/internal.h"

#include "agent/text.h"

#include <ctype.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- secrets ----------------------------------------------------------------------------------- */

/* The password in "scheme://user:password@host/": where it begins, and its length; NULL: there is none. */
static const char *find_password(const char *uri, size_t *length)
{
	const char *authority = strstr(uri, "://");
	const char *colon, *at;
	size_t size;

	if (!authority)
		return NULL;
	authority += 3;
	size = strcspn(authority, "/?#");
	at = memrchr(authority, '@', size);
	colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	if (!colon || colon + 1 == at)
		return NULL;
	*length = (size_t)(at - colon - 1);
	return colon + 1;
}

static int hex_value(char digit)
{
	if (isdigit((unsigned char)digit))
		return digit - '0';
	return isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10 : -1;
}

/* RFC 3986, section 2.1. */
static void decode_percent(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '%' && hex_value(from[1]) >= 0 && hex_value(from[2]) >= 0) {
			*to = (char)(hex_value(from[1]) * 16 + hex_value(from[2]));
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static void mask(char *text, size_t size, const char *secret)
{
	static const char stars[] = "***";
	size_t length = strlen(secret);
	char *at = text;

	while (length && (at = strstr(at, secret))) {
		size_t rest = strlen(at + length) + 1;
		size_t room = size - (size_t)(at - text);
		size_t keep = sizeof(stars) - 1 < room - 1 ? sizeof(stars) - 1 : room - 1;

		rest = rest < room - keep ? rest : room - keep;
		memmove(at + keep, at + length, rest);
		memcpy(at, stars, keep);
		text[size - 1] = '\0';
		at += keep;
	}
}

static void mask_password(char *text, size_t size, const char *uri)
{
	size_t length = 0;
	const char *password = uri ? find_password(uri, &length) : NULL;
	char *copy = password ? strndup(password, length) : NULL;

	if (password && !copy) {
		pm_text_format(text, size, "no memory");
	} else if (copy) {
		mask(text, size, copy);
		decode_percent(copy);
		mask(text, size, copy);
		explicit_bzero(copy, strlen(copy));
	}
	free(copy);
}

/* Programs that libvirt runs, ssh for one, say things in many lines. */
static void make_one_line(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool space = isspace((unsigned char)*from) != 0;

		if (!space)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

void stack_text_clean(char *text, size_t size, const char *uri)
{
	mask_password(text, size, uri);
	make_one_line(text);
	pm_text_trim(text);
	pm_text_make_visible(text);
}

/* --- errors ------------------------------------------------------------------------------------ */

static bool says_denied(const char *text)
{
	static const char *const words[] = {"Permission denied", "uthentication failed",
					    "Host key verification failed", "authentication unavailable",
					    "Too many authentication failures"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

static enum stack_result result_of_open(const virError *error, const char *text)
{
	switch (error->code) {
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_AUTH_CANCELLED:
	case VIR_ERR_AUTH_UNAVAILABLE:
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_OPERATION_DENIED:
		return STACK_AUTH_FAILED;
	case VIR_ERR_NO_MEMORY:
		return STACK_NO_MEMORY;
	case VIR_ERR_NO_CONNECT:
	case VIR_ERR_INVALID_CONN:
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_INVALID_ARG: /* the URI has what libvirt does not know */
		return STACK_UNSUPPORTED;
	default:
		return says_denied(text) ? STACK_AUTH_FAILED : STACK_UNREACHABLE;
	}
}

/* Said by the connection, not by the hypervisor at its other end. */
static bool is_of_connection(const virError *error, virConnectPtr connection)
{
	if (virConnectIsAlive(connection) != 0)
		return false;
	return error->domain == VIR_FROM_RPC || error->domain == VIR_FROM_REMOTE ||
	       error->code == VIR_ERR_RPC || error->code == VIR_ERR_SYSTEM_ERROR ||
	       error->code == VIR_ERR_INTERNAL_ERROR;
}

static enum stack_result result_of_call(const virError *error)
{
	switch (error->code) {
	case VIR_ERR_NO_DOMAIN:
		return STACK_NO_VM;
	case VIR_ERR_NO_SUPPORT:
	case VIR_ERR_OPERATION_UNSUPPORTED:
	case VIR_ERR_ARGUMENT_UNSUPPORTED:
	case VIR_ERR_CONFIG_UNSUPPORTED:
		return STACK_UNSUPPORTED;
	case VIR_ERR_OPERATION_TIMEOUT:
		return STACK_TIMEOUT;
	case VIR_ERR_NO_MEMORY:
		return STACK_NO_MEMORY;
	default:
		return STACK_REFUSED;
	}
}

void stack_failure_set(struct stack_failure *failure, enum stack_result result, const char *text)
{
	failure->result = result;
	pm_text_format(failure->text, sizeof(failure->text), "%s", text);
}

static enum stack_result result_of(const virError *error, virConnectPtr connection, const char *text)
{
	if (!connection)
		return result_of_open(error, text);
	return is_of_connection(error, connection) ? STACK_UNREACHABLE : result_of_call(error);
}

void stack_failure_get(struct stack_failure *failure, virConnectPtr connection, const char *uri)
{
	virErrorPtr error = virSaveLastError(); /* looking whether the connection lives would reset it */
	char *text = error ? strdup(error->message ? error->message : "libvirt gives no reason") : NULL;

	if (!text) {
		stack_failure_set(failure, STACK_NO_MEMORY, "no memory");
	} else {
		stack_text_clean(text, strlen(text) + 1, uri);
		stack_failure_set(failure, result_of(error, connection, text), text);
	}
	free(text);
	virFreeError(error);
}

/* --- URIs -------------------------------------------------------------------------------------- */

static bool is_ssh(const char *uri)
{
	size_t scheme = strcspn(uri, ":");
	const char *plus = memchr(uri, '+', scheme);

	return plus && strncmp(plus, "+ssh:", 5) == 0;
}

char *stack_uri_quiet(const char *uri)
{
	size_t size = strlen(uri) + sizeof("&no_tty=1");
	char *quiet = malloc(size);

	if (!quiet)
		return NULL;
	if (is_ssh(uri))
		snprintf(quiet, size, "%s%cno_tty=1", uri, strchr(uri, '?') ? '&' : '?');
	else
		snprintf(quiet, size, "%s", uri);
	return quiet;
}
