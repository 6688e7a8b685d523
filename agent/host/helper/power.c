/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/power.h"
#include "agent/host/helper/logind.h"
#include "agent/host/helper/native.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GOING_MS 500 /* so that the answer is out before processes end or freeze */

/* One way to do it. */
struct way {
	struct logind *logind; /* asked for inhibitors; NULL: there is none */
	bool by_logind;
	struct native native;
};

static const char *action(const struct request *request, char *text, size_t size)
{
	static const char *const actions[] = {
	    [VERB_POWEROFF] = "power off",        [VERB_REBOOT] = "reboot",
	    [VERB_SUSPEND] = "suspend to memory", [VERB_HIBERNATE] = "suspend to disk",
	    [VERB_INIT] = "go to run level",
	};

	if (request->verb == VERB_INIT)
		snprintf(text, size, "%s %u", actions[VERB_INIT], request->level);
	else
		snprintf(text, size, "%s", actions[request->verb]);
	return text;
}

static bool is_inhibitable(const struct request *request)
{
	return request->verb != VERB_INIT || request->level == 0 || request->level == 6;
}

static enum answer prepare(struct way *way, const struct request *request, struct pm_error *err)
{
	enum answer answer = ANSWER_OK;

	if (is_inhibitable(request) && logind_open(&way->logind, err) != 0)
		return ANSWER_FAILED;
	way->by_logind = way->logind && request->verb != VERB_INIT;
	if (way->by_logind)
		answer = logind_can(way->logind, request->verb, err);
	else
		answer = native_prepare(&way->native, request, err);
	if ((answer == ANSWER_OK || answer == ANSWER_REFUSED) && way->logind) {
		enum answer inhibited = logind_inhibited(way->logind, request->verb, err);

		answer = inhibited == ANSWER_OK ? answer : inhibited;
	}
	return answer;
}

static void sleep_ms(unsigned time_ms)
{
	struct timespec left = {.tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000L};

	while (nanosleep(&left, &left) != 0)
		continue;
}

static enum answer go(struct way *way, const struct request *request, const char *what, const char *by)
{
	struct pm_error err = {""};
	enum answer answer;
	char text[512];

	snprintf(text, sizeof(text), "will %s, by %s", what, by);
	if (!answer_print(request, ANSWER_GOING, NULL, text))
		return ANSWER_FAILED; /* whoever asked does not hear us any more: better not */
	alarm(0);                     /* from here on it is not ended half-way */
	sleep_ms(GOING_MS);
	answer = way->by_logind ? logind_do(way->logind, request->verb, &err) : native_do(&way->native, &err);
	if (answer == ANSWER_OK && way->native.sleep_state)
		snprintf(err.text, sizeof(err.text), "it slept, and is awake again");
	else if (answer == ANSWER_OK)
		snprintf(err.text, sizeof(err.text), "%s has agreed to %s", by, what);
	answer_print(request, answer, NULL, err.text);
	return answer;
}

static enum answer run(struct way *way, const struct request *request)
{
	struct pm_error err = {""};
	char text[512], what[64], by[COMMAND_PATH_SIZE + 4];
	enum answer answer = prepare(way, request, &err);

	if (answer != ANSWER_OK) {
		answer_print(request, answer, NULL, err.text);
		return answer;
	}
	action(request, what, sizeof(what));
	if (way->by_logind)
		snprintf(by, sizeof(by), "systemd-logind");
	else
		native_describe(&way->native, by, sizeof(by));
	if (!request->dry_run)
		return go(way, request, what, by);
	snprintf(text, sizeof(text), "would %s, by %s", what, by);
	answer_print(request, ANSWER_OK, NULL, text);
	return ANSWER_OK;
}

enum answer power_run(const struct request *request)
{
	struct way way = {.logind = NULL};
	enum answer answer = run(&way, request);

	logind_close(way.logind);
	return answer;
}
