/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses of bmc and probe sections: which can be meant, and which are the same. */
#include "agent/config_build.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HOST_NAME_MAX_LENGTH 253 /* RFC 1035, 2.3.4, as text */
#define LABEL_MAX            63

/* Splits ADDRESS%INTERFACE; returns false when it is no IPv6 address. *scope is NULL without an interface. */
static bool parse_ipv6(const char *text, struct in6_addr *binary, const char **scope)
{
	char address[INET6_ADDRSTRLEN];
	const char *percent = strchr(text, '%');
	size_t length = percent ? (size_t)(percent - text) : strlen(text);

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	*scope = percent ? percent + 1 : NULL;
	return inet_pton(AF_INET6, address, binary) == 1;
}

bool config_is_address(const char *text)
{
	struct in6_addr binary;
	const char *scope;

	if (inet_pton(AF_INET, text, &binary) == 1)
		return true;
	return parse_ipv6(text, &binary, &scope) && (!scope || config_is_interface(scope));
}

/* Whether all is digits and dots, so that no name can be meant. */
static bool is_numeric(const char *text)
{
	return strspn(text, "0123456789.") == strlen(text);
}

bool config_is_host(const char *text)
{
	size_t label = 0, length = strlen(text);

	if (config_is_address(text))
		return true;
	if (length == 0 || length > HOST_NAME_MAX_LENGTH || is_numeric(text))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i], next = text[i + 1];

		if (c == '.' && label > 0) {
			label = 0;
			continue;
		}
		if (!isalnum((unsigned char)c) && c != '_' &&
		    (c != '-' || label == 0 || next == '.' || next == '\0'))
			return false;
		if (++label > LABEL_MAX)
			return false;
	}
	return true;
}

void config_normalize_address(const char *address, char *text, size_t size)
{
	struct in6_addr binary;
	char numeric[INET6_ADDRSTRLEN];
	const char *scope;

	if (parse_ipv6(address, &binary, &scope) && inet_ntop(AF_INET6, &binary, numeric, sizeof(numeric))) {
		snprintf(text, size, "%s%s%s", numeric, scope ? "%" : "", scope ? scope : "");
		return;
	}
	snprintf(text, size, "%s", address);
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* Without its interface a link-local address is nowhere (RFC 4007, 11), and a mapped one is IPv4 (RFC 4291, 2.5.5.2). */
static bool check_ipv6(struct config_report *report, const struct config_node *node, const char *address)
{
	int line = config_line(node, "address");
	struct in6_addr binary;
	char ipv4[INET_ADDRSTRLEN];
	const char *scope;

	if (!parse_ipv6(address, &binary, &scope))
		return true;
	if (IN6_IS_ADDR_LINKLOCAL(&binary) && !scope) {
		config_error(report, node->file, line,
			     "address = \"%s\": a link-local address needs its interface: \"%s%%eth0\"",
			     address, address);
		return false;
	}
	if (IN6_IS_ADDR_V4MAPPED(&binary) && inet_ntop(AF_INET, &binary.s6_addr[12], ipv4, sizeof(ipv4))) {
		config_error(report, node->file, line, "address = \"%s\" is an IPv4 address: write \"%s\"",
			     address, ipv4);
		return false;
	}
	return true;
}

/* "[::1]", as it stands in a URI. */
static bool is_in_brackets(const char *address)
{
	size_t length = strlen(address);

	return length > 2 && address[0] == '[' && address[length - 1] == ']';
}

bool config_check_address(struct config_report *report, const struct config_node *node, const char *address)
{
	int line = config_line(node, "address");

	if (config_is_host(address))
		return check_ipv6(report, node, address);
	if (config_lacks(node, "address"))
		config_error(report, node->file, node->line,
			     "%s needs an address = \"...\": a host name or an IP address",
			     node->schema->name);
	else if (config_has(node, "address") && is_in_brackets(address))
		config_error(
		    report, node->file, line,
		    "address = \"%.255s\": write an IPv6 address without brackets; a port has a key of its own",
		    address);
	else if (config_has(node, "address"))
		config_error(report, node->file, line,
			     "address = \"%.255s\" is neither a host name nor an IP address", address);
	return false;
}
