/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What pmstack-host is asked for: by its arguments, or by a line from somebody who may ask, and nothing else. */
#ifndef PM_HELPER_REQUEST_H
#define PM_HELPER_REQUEST_H

#include "agent/error.h"

#include <stdbool.h>
#include <stddef.h>

#define REQUEST_LINE_MAX     1024 /* octets of a request in one line, without the newline */
#define REQUEST_OPERANDS_MAX 64
#define REQUEST_BOOT_ID_SIZE 37 /* text form of RFC 4122, section 3, with its NUL */
#define REQUEST_LEVEL_MAX    6  /* of init */
#define REQUEST_USER_MAX     32 /* characters of a user's name, as useradd(8) has it */

enum verb {
	VERB_NONE,
	VERB_REPORT,
	VERB_POWEROFF,
	VERB_REBOOT,
	VERB_SUSPEND,
	VERB_HIBERNATE,
	VERB_INIT,
	VERB_ARM_WOL,
	VERB_SETUP
};

/* What is done before any verb, or instead of it. */
enum request_kind {
	REQUEST_VERB,
	REQUEST_FROM_SSH,   /* the request is in SSH_ORIGINAL_COMMAND */
	REQUEST_FROM_STDIN, /* the request is one line of standard input */
	REQUEST_HELP,
	REQUEST_VERSION
};

struct request {
	enum request_kind kind;
	enum verb verb;
	bool json;
	bool dry_run;
	char boot_id[REQUEST_BOOT_ID_SIZE];         /* lower case; "": in any boot */
	unsigned level;                             /* VERB_INIT */
	const char *operands[REQUEST_OPERANDS_MAX]; /* of arm-wol and setup, the caller's */
	size_t operand_count;
	const char *user;     /* VERB_SETUP; the caller's */
	struct pm_error sudo; /* why it could not be done as root; "" : it is, or needs not be */
};

/*
 * Reads the arguments of main(), in any order; argv[0] is skipped. -EINVAL with the text for the user; then request holds
 * what could be read, its verb and json are good for an answer.
 */
int request_parse(struct request *request, int argc, char **argv, struct pm_error *err);

/*
 * Reads one line, without its newline, of somebody who may ask for verbs but setup: "pmstack-host ARGUMENT...". It is cut into
 * words in place, request points into it. Returns as request_parse.
 */
int request_parse_line(struct request *request, char *line, struct pm_error *err);

/* "poweroff", …; "" for VERB_NONE. */
const char *verb_name(enum verb verb);

/* Writes a UUID's text in lower case to id, if text, of this length, is one. */
bool request_read_uuid(const char *text, size_t length, char id[REQUEST_BOOT_ID_SIZE]);

#endif
