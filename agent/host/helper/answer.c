/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/answer.h"
#include "agent/host/helper/machine.h"
#include "agent/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int exit_status;
} answers[] = {
    [ANSWER_OK] = {"ok", 0},
    [ANSWER_GOING] = {"going", 0},
    [ANSWER_REFUSED] = {"refused", 3},
    [ANSWER_NOT_SUPPORTED] = {"notSupported", 4},
    [ANSWER_OTHER_BOOT] = {"otherBoot", 5},
    [ANSWER_NO_PERMISSION] = {"noPermission", 6},
    [ANSWER_FAILED] = {"failed", 7},
    [ANSWER_USAGE] = {"usage", 2},
};

const char *answer_name(enum answer answer)
{
	return answers[answer].name;
}

int answer_exit_status(enum answer answer)
{
	return answers[answer].exit_status;
}

json_t *answer_string(const char *text)
{
	char visible[512];

	if (!text)
		return json_null();
	if (snprintf(visible, sizeof(visible), "%s", text) >= (int)sizeof(visible))
		pm_text_trim(visible); /* only then: what ends in half a character may be a name */
	pm_text_make_visible(visible);
	return json_string(visible);
}

static bool write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		text += written;
		length -= (size_t)written;
	}
	return true;
}

static bool print_text(enum answer answer, const char *text)
{
	bool good = answers[answer].exit_status == 0;
	char line[600];

	snprintf(line, sizeof(line), "%s%s\n", good ? "" : "pmstack-host: ", text);
	return write_all(good ? STDOUT_FILENO : STDERR_FILENO, line, strlen(line));
}

static bool print_json(const struct request *request, enum answer answer, json_t *more, const char *text)
{
	char boot_id[REQUEST_BOOT_ID_SIZE];
	bool known = machine_boot_id(boot_id, NULL) == 0;
	bool heard = false;
	json_t *line =
	    json_pack("{s:i, s:s, s:s, s:s, s:o, s:o}", "protocol", ANSWER_PROTOCOL, "version", PM_VERSION,
		      "verb", verb_name(request->verb), "result", answer_name(answer), "text",
		      answer_string(text), "boot-id", answer_string(known ? boot_id : NULL));
	char *dump;

	if (line && more)
		json_object_update(line, more);
	dump = json_dumps(line, JSON_COMPACT);
	if (dump)
		heard = write_all(STDOUT_FILENO, dump, strlen(dump)) && write_all(STDOUT_FILENO, "\n", 1);
	free(dump);
	json_decref(line);
	return heard;
}

bool answer_print(const struct request *request, enum answer answer, json_t *more, const char *text)
{
	char longer[sizeof(request->sudo.text) + 512];
	bool heard;

	if (answer == ANSWER_NO_PERMISSION && *request->sudo.text) {
		snprintf(longer, sizeof(longer), "%s (%s)", text, request->sudo.text);
		text = longer;
	}
	if (request->json || request->verb == VERB_REPORT)
		heard = print_json(request, answer, more, text);
	else
		heard = print_text(answer, text);
	json_decref(more);
	return heard;
}
