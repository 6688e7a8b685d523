/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What pmstack-host answers: JSON objects, one a line, or a line of text for people; and its exit status. */
#ifndef PM_HELPER_ANSWER_H
#define PM_HELPER_ANSWER_H

#include "agent/host/helper/request.h"

#include <jansson.h>

#define ANSWER_PROTOCOL 1

/* A verb's functions return this, with the text in their struct pm_error when it is not ANSWER_OK. */
enum answer {
	ANSWER_OK,
	ANSWER_GOING, /* it begins now; another answer follows if the machine still runs */
	ANSWER_REFUSED,
	ANSWER_NOT_SUPPORTED,
	ANSWER_OTHER_BOOT,
	ANSWER_NO_PERMISSION,
	ANSWER_FAILED,
	ANSWER_USAGE
};

/* As it stands in JSON. */
const char *answer_name(enum answer answer);

/* Never 1: that is what sudo says when it refuses. */
int answer_exit_status(enum answer answer);

/*
 * Writes one answer to standard output; in text, what is not good to standard error. more: members to add, its reference is
 * taken, may be NULL. False: nobody hears it.
 */
bool answer_print(const struct request *request, enum answer answer, json_t *more, const char *text);

/* A string for JSON, whatever octets text has; NULL becomes null. A new reference. */
json_t *answer_string(const char *text);

#endif
