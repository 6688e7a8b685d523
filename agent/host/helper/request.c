/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/request.h"
#include "agent/text.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX (REQUEST_LINE_MAX / 2)

static const char *const verb_names[] = {
    [VERB_NONE] = "",         [VERB_REPORT] = "report",   [VERB_POWEROFF] = "poweroff",
    [VERB_REBOOT] = "reboot", [VERB_SUSPEND] = "suspend", [VERB_HIBERNATE] = "hibernate",
    [VERB_INIT] = "init",     [VERB_ARM_WOL] = "arm-wol", [VERB_SETUP] = "setup",
};

const char *verb_name(enum verb verb)
{
	return verb_names[verb];
}

static enum verb find_verb(const char *name)
{
	for (int i = VERB_NONE + 1; i <= VERB_SETUP; i++) {
		if (strcmp(verb_names[i], name) == 0)
			return (enum verb)i;
	}
	return VERB_NONE;
}

bool request_read_uuid(const char *text, size_t length, char id[REQUEST_BOOT_ID_SIZE])
{
	if (length != REQUEST_BOOT_ID_SIZE - 1)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		id[i] = (char)tolower((unsigned char)text[i]);
	}
	id[length] = '\0';
	return true;
}

/* --- options ------------------------------------------------------------------------------------ */

enum { OPTION_SSH = 256, OPTION_STDIN };

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},
    {"dry-run", no_argument, NULL, 'n'},
    {"boot-id", required_argument, NULL, 'b'},
    {"user", required_argument, NULL, 'u'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"ssh", no_argument, NULL, OPTION_SSH},
    {"stdin", no_argument, NULL, OPTION_STDIN},
    {NULL, 0, NULL, 0},
};

static int read_boot_id(struct request *request, const char *text, struct pm_error *err)
{
	if (!request_read_uuid(text, strlen(text), request->boot_id))
		return pm_fail(
		    err, EINVAL,
		    "-b %.40s is not a boot id: write it as /proc/sys/kernel/random/boot_id has it", text);
	return 0;
}

static int read_option(struct request *request, int option, char **argv, struct pm_error *err)
{
	switch (option) {
	case 'j':
		request->json = true;
		return 0;
	case 'n':
		request->dry_run = true;
		return 0;
	case 'b':
		return read_boot_id(request, optarg, err);
	case 'u':
		request->user = optarg;
		return 0;
	case 'h':
		request->kind = REQUEST_HELP;
		return 0;
	case 'V':
		request->kind = REQUEST_VERSION;
		return 0;
	case OPTION_SSH:
		request->kind = REQUEST_FROM_SSH;
		return 0;
	case OPTION_STDIN:
		request->kind = REQUEST_FROM_STDIN;
		return 0;
	case ':':
		return pm_fail(err, EINVAL, "%.40s needs an argument: pmstack-host -h", argv[optind - 1]);
	default:
		return pm_fail(err, EINVAL, "unknown option %.40s: pmstack-host -h", argv[optind - 1]);
	}
}

/* The first error is kept, the rest is read nevertheless: -j may be behind it. */
static int read_options(struct request *request, int argc, char **argv, struct pm_error *err)
{
	struct pm_error more;
	int option, rc = 0, one;

	optind = 0; /* again from the start, in glibc */
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":jnb:u:hV", long_options, NULL)) != -1) {
		one = read_option(request, option, argv, rc ? &more : err);
		rc = rc ? rc : one;
	}
	return rc;
}

/* --- operands ----------------------------------------------------------------------------------- */

static int read_level(struct request *request, struct pm_error *err)
{
	const char *text = request->operand_count == 1 ? request->operands[0] : "";

	if (strlen(text) != 1 || *text < '0' || *text > '0' + REQUEST_LEVEL_MAX)
		return pm_fail(err, EINVAL, "init needs one run level, 0 to %d%s%.20s", REQUEST_LEVEL_MAX,
			       *text ? ", not " : "", text);
	request->level = (unsigned)(*text - '0');
	request->operand_count = 0;
	return 0;
}

static bool is_user_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= REQUEST_USER_MAX && (islower((unsigned char)*text) || *text == '_') &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == length;
}

static int check_setup(const struct request *request, struct pm_error *err)
{
	if (request->operand_count > 1)
		return pm_fail(err, EINVAL, "setup takes one file, the public key of the agent");
	if (request->json || request->dry_run || *request->boot_id)
		return pm_fail(err, EINVAL, "setup only prints what to do: -j, -n and -b are not for it");
	if (request->user && !is_user_name(request->user))
		return pm_fail(
		    err, EINVAL,
		    "-u %.40s is not the name of a user: lower case letters, digits, '_', '-', '.', at most %d",
		    request->user, REQUEST_USER_MAX);
	return 0;
}

static int check_operands(struct request *request, struct pm_error *err)
{
	switch (request->verb) {
	case VERB_INIT:
		return read_level(request, err);
	case VERB_SETUP:
		return check_setup(request, err);
	case VERB_ARM_WOL:
		return 0;
	default:
		if (request->operand_count > 0)
			return pm_fail(err, EINVAL, "%s takes no argument, but has %.40s",
				       verb_name(request->verb), request->operands[0]);
		return 0;
	}
}

static int read_operands(struct request *request, int argc, char **argv, struct pm_error *err)
{
	if (argc == 0)
		return pm_fail(err, EINVAL,
			       "what should be done? report, poweroff, reboot, suspend, hibernate, init, "
			       "arm-wol, setup: pmstack-host -h");
	request->verb = find_verb(argv[0]);
	if (request->verb == VERB_NONE)
		return pm_fail(err, EINVAL,
			       "unknown verb %.40s: report, poweroff, reboot, suspend, hibernate, init, "
			       "arm-wol, setup",
			       argv[0]);
	if (argc - 1 > REQUEST_OPERANDS_MAX)
		return pm_fail(err, EINVAL, "more than %d arguments", REQUEST_OPERANDS_MAX);
	for (int i = 1; i < argc; i++)
		request->operands[request->operand_count++] = argv[i];
	if (request->user && request->verb != VERB_SETUP)
		return pm_fail(err, EINVAL, "-u is for setup only");
	return check_operands(request, err);
}

static int read_arguments(struct request *request, int argc, char **argv, struct pm_error *err)
{
	struct pm_error more;
	int rc;

	*request = (struct request){.kind = REQUEST_VERB};
	rc = read_options(request, argc, argv, err);
	if (request->kind == REQUEST_VERB) {
		int one = read_operands(request, argc - optind, argv + optind, rc ? &more : err);

		return rc ? rc : one;
	}
	if (rc == 0 && (request->kind == REQUEST_FROM_SSH || request->kind == REQUEST_FROM_STDIN) &&
	    argc != 2)
		return pm_fail(err, EINVAL, "%s is used alone", argv[1]);
	return rc;
}

int request_parse(struct request *request, int argc, char **argv, struct pm_error *err)
{
	int rc = read_arguments(request, argc, argv, err);

	if (rc)
		pm_text_make_visible(err->text);
	return rc;
}

/* --- a line of somebody else -------------------------------------------------------------------- */

static int split(char *line, char **words, int *count, struct pm_error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@=- ";

	*count = 0;
	if (strlen(line) > REQUEST_LINE_MAX)
		return pm_fail(err, EINVAL, "a request has at most %d octets", REQUEST_LINE_MAX);
	if (line[strspn(line, allowed)])
		return pm_fail(err, EINVAL,
			       "a request has letters, digits, and . _ : @ = - only, between single spaces");
	for (char *at = line; at; (*count)++) {
		char *word = strsep(&at, " ");

		if (!*word)
			return pm_fail(err, EINVAL,
				       *count == 0 && !at ? "an empty request: write pmstack-host report"
							  : "a request has single spaces, between words");
		words[*count] = word;
	}
	words[*count] = NULL;
	return 0;
}

int request_parse_line(struct request *request, char *line, struct pm_error *err)
{
	char *words[WORDS_MAX + 2];
	int count, rc;

	*request = (struct request){.kind = REQUEST_VERB};
	rc = split(line, words, &count, err);
	if (rc)
		return rc;
	if (strcmp(words[0], "pmstack-host") != 0)
		return pm_fail(err, EINVAL, "only pmstack-host may be run here, not %.40s", words[0]);
	rc = request_parse(request, count, words, err);
	if (rc)
		return rc;
	if (request->kind != REQUEST_VERB || request->verb == VERB_SETUP)
		return pm_fail(err, EINVAL,
			       "a request has a verb; setup, -h, -V, --ssh and --stdin are for people here");
	return 0;
}
