/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/native.h"
#include "agent/host/helper/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATE_FILE  "/sys/power/state"
#define RESUME_FILE "/sys/power/resume"
#define SWAPS_FILE  "/proc/swaps"

#define COMMAND_TIMEOUT_MS 60000

/* --- sleep ---------------------------------------------------------------------------------------- */

static const char *sleep_state(enum verb verb)
{
	return verb == VERB_SUSPEND ? "mem" : "disk";
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; *at; at += strspn(at, " ")) {
		size_t step = strcspn(at, " ");

		if (step == length && strncmp(at, word, length) == 0)
			return true;
		at += step;
	}
	return false;
}

/* Whether /proc/swaps, proc(5), has one that outlives the power: zram is memory itself. */
static bool has_swap(const char *swaps)
{
	for (const char *at = strchr(swaps, '\n'); at && at[1]; at = strchr(at + 1, '\n')) {
		if (strncmp(at + 1, "/dev/zram", 9) != 0)
			return true;
	}
	return false;
}

/* An image that no boot looks for is lost, with all that was in memory. */
static enum answer can_hibernate(struct pm_error *err)
{
	char swaps[1024], resume[32];
	int length = machine_read_file(SWAPS_FILE, swaps, sizeof(swaps));

	if (length < 0) {
		pm_error_set(err, "whether there is swap is not known: " SWAPS_FILE ": %s",
			     strerror(-length));
		return ANSWER_FAILED;
	}
	if (!has_swap(swaps)) {
		pm_error_set(err, "there is no swap for the image");
		return ANSWER_NOT_SUPPORTED;
	}
	if (machine_read_file(RESUME_FILE, resume, sizeof(resume)) <= 0 || strcmp(resume, "0:0") == 0) {
		pm_error_set(err,
			     "there is no device to resume from, what is saved would not be found again: "
			     "resume= of the kernel, " RESUME_FILE);
		return ANSWER_NOT_SUPPORTED;
	}
	return ANSWER_OK;
}

enum answer native_can_sleep(enum verb verb, struct pm_error *err)
{
	const char *state = sleep_state(verb);
	char list[128];
	int length = machine_read_file(STATE_FILE, list, sizeof(list));

	if (length == -ENOENT) {
		pm_error_set(err, "this kernel cannot: " STATE_FILE ": %s", strerror(ENOENT));
		return ANSWER_NOT_SUPPORTED;
	}
	if (length < 0) {
		pm_error_set(err, "whether this kernel can is not known: " STATE_FILE ": %s",
			     strerror(-length));
		return ANSWER_FAILED;
	}
	if (!has_word(list, state)) {
		pm_error_set(err, "this kernel cannot: " STATE_FILE " has \"%s\", not \"%s\"", list, state);
		return ANSWER_NOT_SUPPORTED;
	}
	return verb == VERB_HIBERNATE ? can_hibernate(err) : ANSWER_OK;
}

static enum answer prepare_sleep(struct native *native, enum verb verb, struct pm_error *err)
{
	enum answer answer = native_can_sleep(verb, err);

	if (answer != ANSWER_OK)
		return answer;
	native->sleep_state = sleep_state(verb);
	if (faccessat(AT_FDCWD, STATE_FILE, W_OK, AT_EACCESS) == 0)
		return ANSWER_OK;
	if (errno == EROFS) {
		pm_error_set(err, STATE_FILE " is on a read-only file system");
		return ANSWER_FAILED;
	}
	pm_error_set(err, "only root may write to " STATE_FILE ": see pmstack-host setup");
	return ANSWER_NO_PERMISSION;
}

static enum answer write_state(const char *state, struct pm_error *err)
{
	int fd = open(STATE_FILE, O_WRONLY | O_CLOEXEC | O_TRUNC);
	enum answer answer = ANSWER_OK;

	/* comes back when the machine has woken up */
	if (fd < 0 || write(fd, state, strlen(state)) < 0) {
		pm_error_set(err, STATE_FILE ": %s", strerror(errno));
		answer = errno == EBUSY ? ANSWER_REFUSED : ANSWER_FAILED;
	}
	if (fd >= 0)
		close(fd);
	return answer;
}

/* --- commands ------------------------------------------------------------------------------------- */

static enum answer prepare_command(struct native *native, const char *name, const char *other,
				   struct pm_error *err)
{
	if (!command_find(name, native->program) && !(other && command_find(other, native->program))) {
		native->program[0] = '\0';
		pm_error_set(err, "there is no %s%s%s in " COMMAND_PATH, name, other ? ", and no " : "",
			     other ? other : "");
		return ANSWER_NOT_SUPPORTED;
	}
	if (geteuid() != 0) {
		pm_error_set(err, "only root may run %s: see pmstack-host setup", native->program);
		return ANSWER_NO_PERMISSION;
	}
	return ANSWER_OK;
}

enum answer native_prepare(struct native *native, const struct request *request, struct pm_error *err)
{
	*native = (struct native){.sleep_state = NULL};
	switch (request->verb) {
	case VERB_SUSPEND:
	case VERB_HIBERNATE:
		return prepare_sleep(native, request->verb, err);
	case VERB_INIT:
		snprintf(native->argument, sizeof(native->argument), "%u", request->level);
		return prepare_command(native, "telinit", "init", err);
	default:
		return prepare_command(native, verb_name(request->verb), NULL, err);
	}
}

void native_describe(const struct native *native, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", native->sleep_state ? STATE_FILE : native->program,
		 *native->argument ? " " : "", native->argument);
}

/* Ended from outside, as all programs are when the system goes down. */
static bool was_ended(int status)
{
	return status == 128 + SIGTERM || status == 128 + SIGHUP || status == 128 + SIGKILL;
}

static enum answer run(const struct native *native, struct pm_error *err)
{
	const char *argv[] = {native->program, *native->argument ? native->argument : NULL, NULL};
	struct pm_error said;
	int status = command_run(argv, COMMAND_TIMEOUT_MS, 0, &said);

	if (status == 0)
		return ANSWER_OK;
	if (status == -ETIMEDOUT) {
		pm_error_set(err, "%s has not ended within %d s", native->program, COMMAND_TIMEOUT_MS / 1000);
		return ANSWER_GOING;
	}
	if (was_ended(status)) {
		pm_error_set(err, "%s was ended by signal %d", native->program, status - 128);
		return ANSWER_GOING;
	}
	if (status > 0)
		pm_error_set(err, "%s: exit status %d%s%.300s", native->program, status,
			     *said.text ? ": " : "", said.text);
	else
		*err = said;
	return ANSWER_FAILED;
}

enum answer native_do(const struct native *native, struct pm_error *err)
{
	return native->sleep_state ? write_state(native->sleep_state, err) : run(native, err);
}
