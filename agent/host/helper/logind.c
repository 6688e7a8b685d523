/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/logind.h"
#include "agent/host/helper/machine.h"
#include "agent/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef PM_WITH_SYSTEMD
#include <systemd/sd-bus.h>

/* Fixed: no environment variable chooses with whom root talks. */
#define BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define NAME        "org.freedesktop.login1"
#define OBJECT      "/org/freedesktop/login1"
#define MANAGER     "org.freedesktop.login1.Manager"

struct logind {
	sd_bus *bus;
	uint64_t deadline_ms;
};

struct method {
	const char *can, *go;
	const char *what; /* that inhibitors may block */
};

static const struct method methods[] = {
    [VERB_POWEROFF] = {"CanPowerOff", "PowerOff", "shutdown"},
    [VERB_REBOOT] = {"CanReboot", "Reboot", "shutdown"},
    [VERB_SUSPEND] = {"CanSuspend", "Suspend", "sleep"},
    [VERB_HIBERNATE] = {"CanHibernate", "Hibernate", "sleep"},
    [VERB_INIT] = {NULL, NULL, "shutdown"},
};

static uint64_t left_us(const struct logind *logind)
{
	uint64_t now_ms = machine_now_ms();

	return now_ms < logind->deadline_ms ? (logind->deadline_ms - now_ms) * 1000
					    : 1; /* 0 would mean the default */
}

/* What is wrong with the last call, in words. */
static int explain(const char *method, int rc, const sd_bus_error *error, struct pm_error *err)
{
	if (rc == -ENOTCONN || rc == -ECONNRESET || sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY))
		return pm_fail(err, ECONNRESET, "systemd-logind has ended while it was asked for %s", method);
	if (rc == -ETIMEDOUT)
		return pm_fail(err, ETIMEDOUT, "systemd-logind does not answer %s within %d s", method,
			       LOGIND_TIMEOUT_MS / 1000);
	pm_error_set(err, "systemd-logind does not do %s: %s", method,
		     error->message ? error->message : strerror(-rc));
	pm_text_make_visible(err->text);
	return rc;
}

static int call(struct logind *logind, const char *interface, const char *method, bool with_false,
		sd_bus_message **reply, sd_bus_error *error)
{
	sd_bus_message *message = NULL;
	int rc = sd_bus_message_new_method_call(logind->bus, &message, NAME, OBJECT, interface, method);

	if (rc >= 0 && with_false)
		rc = sd_bus_message_append(message, "b", 0);
	if (rc >= 0)
		rc = sd_bus_call(logind->bus, message, left_us(logind), error, reply);
	sd_bus_message_unref(message);
	return rc;
}

/* --- connection ----------------------------------------------------------------------------------- */

/* sd_bus_call() would wait for the bus itself without our limit. */
static int wait_for_bus(struct logind *logind)
{
	int rc = sd_bus_start(logind->bus);

	while (rc >= 0 && sd_bus_is_ready(logind->bus) == 0) {
		if (machine_now_ms() >= logind->deadline_ms)
			return -ETIMEDOUT;
		rc = sd_bus_process(logind->bus, NULL);
		if (rc == 0)
			rc = sd_bus_wait(logind->bus, left_us(logind));
	}
	return rc < 0 ? rc : 0;
}

static int connect_bus(struct logind *logind)
{
	int rc = sd_bus_new(&logind->bus);

	logind->deadline_ms = machine_now_ms() + LOGIND_TIMEOUT_MS;
	if (rc >= 0)
		rc = sd_bus_set_address(logind->bus, BUS_ADDRESS);
	if (rc >= 0)
		rc = sd_bus_set_bus_client(logind->bus, 1);
	return rc < 0 ? rc : wait_for_bus(logind);
}

/* Whether nobody listens where a bus would. Whatever else is wrong with it, a bus that is there may have inhibitors. */
static bool has_no_bus(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ECONNREFUSED;
}

/* Whether the error says that nobody has the name, and nobody can be started who would: then nobody inhibits, either. */
static bool is_absence(const sd_bus_error *error)
{
	static const char *const names[] = {SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
					    "org.freedesktop.systemd1.NoSuchUnit",
					    "org.freedesktop.systemd1.UnitMasked",
					    "org.freedesktop.systemd1.LoadFailed"};
	static const char spawn[] = "org.freedesktop.DBus.Error.Spawn.";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (sd_bus_error_has_name(error, names[i]))
			return true;
	}
	return error->name && strncmp(error->name, spawn, sizeof(spawn) - 1) == 0;
}

/* 1: it is there; 0: it is not. */
static int look(struct logind *logind, struct pm_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	int rc = connect_bus(logind);

	if (rc == -ETIMEDOUT)
		return pm_fail(err, ETIMEDOUT, "the system's D-Bus does not answer within %d s",
			       LOGIND_TIMEOUT_MS / 1000);
	if (rc < 0)
		return has_no_bus(rc)
			   ? 0
			   : pm_fail(err, -rc, "the system's D-Bus cannot be reached: %s", strerror(-rc));
	rc = call(logind, "org.freedesktop.DBus.Peer", "Ping", false, &reply, &error);
	if (rc >= 0)
		rc = 1;
	else
		rc = is_absence(&error) ? 0 : explain("Ping", rc, &error, err);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return rc;
}

int logind_open(struct logind **logind, struct pm_error *err)
{
	struct logind *opened = calloc(1, sizeof(*opened));
	int rc;

	*logind = NULL;
	if (!opened)
		return pm_fail(err, ENOMEM, "no memory");
	rc = look(opened, err);
	if (rc > 0)
		*logind = opened;
	else
		logind_close(opened);
	return rc < 0 ? rc : 0;
}

void logind_close(struct logind *logind)
{
	if (!logind)
		return;
	sd_bus_close(logind->bus);
	sd_bus_unref(logind->bus);
	free(logind);
}

/* --- questions ------------------------------------------------------------------------------------ */

static enum answer judge(const struct method *method, const char *can, struct pm_error *err)
{
	if (strcmp(can, "yes") == 0)
		return ANSWER_OK;
	if (strcmp(can, "na") == 0) {
		pm_error_set(err, "this machine cannot: systemd-logind says \"na\" to %s", method->can);
		return ANSWER_NOT_SUPPORTED;
	}
	if (strcmp(can, "inhibited") == 0 || strstr(can, "inhibitor-blocked")) {
		pm_error_set(err, "somebody inhibits it: systemd-logind says \"%.40s\" to %s", can,
			     method->can);
		return ANSWER_REFUSED;
	}
	pm_error_set(err, "systemd-logind says \"%.40s\" to %s%s", can, method->can,
		     geteuid() == 0 ? "" : ": may this user run sudo? see pmstack-host setup");
	return ANSWER_NO_PERMISSION;
}

enum answer logind_can(struct logind *logind, enum verb verb, struct pm_error *err)
{
	const struct method *method = &methods[verb];
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	enum answer answer = ANSWER_FAILED;
	const char *can;
	int rc = call(logind, MANAGER, method->can, false, &reply, &error);

	if (rc >= 0)
		rc = sd_bus_message_read(reply, "s", &can);
	if (rc >= 0)
		answer = judge(method, can, err);
	else
		explain(method->can, rc, &error, err);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return answer;
}

/* Whether a list, separated by colons, has the word. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; at; at = strchr(at, ':')) {
		at += *at == ':';
		if (strncmp(at, word, length) == 0 && (at[length] == '\0' || at[length] == ':'))
			return true;
	}
	return false;
}

/* Reads the inhibitors, a(ssssuu), until one blocks. 1: it does, and is told in err. */
static int find_blocker(sd_bus_message *reply, const char *block, struct pm_error *err)
{
	const char *what, *who, *why, *mode;
	uint32_t uid, pid;
	int rc = sd_bus_message_enter_container(reply, 'a', "(ssssuu)");

	while (rc >= 0 &&
	       (rc = sd_bus_message_read(reply, "(ssssuu)", &what, &who, &why, &mode, &uid, &pid)) > 0) {
		if (strcmp(mode, "block") != 0 || !has_word(what, block) || pid == (uint32_t)getpid())
			continue;
		pm_text_format(err->text, sizeof(err->text),
			       "%.80s (process %u of user %u) inhibits %s: %.200s", who, pid, uid, block,
			       *why ? why : "it does not say why");
		pm_text_make_visible(err->text);
		return 1;
	}
	return rc;
}

enum answer logind_inhibited(struct logind *logind, enum verb verb, struct pm_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	enum answer answer = ANSWER_OK;
	int rc = call(logind, MANAGER, "ListInhibitors", false, &reply, &error);

	if (rc >= 0)
		rc = find_blocker(reply, methods[verb].what, err);
	if (rc > 0)
		answer = ANSWER_REFUSED;
	if (rc < 0) {
		explain("ListInhibitors", rc, &error, err);
		answer = ANSWER_FAILED;
	}
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return answer;
}

/* --- action --------------------------------------------------------------------------------------- */

/* Whether it is not known what became of the call: it has left, and no answer came. */
static bool is_silence(int rc, const sd_bus_error *error)
{
	return rc == -ETIMEDOUT || rc == -ENOTCONN || rc == -ECONNRESET || rc == -EPIPE ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED);
}

static enum answer classify(int rc, const sd_bus_error *error)
{
	if (is_silence(rc, error))
		return ANSWER_GOING;
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
		return ANSWER_NO_PERMISSION;
	if (sd_bus_error_has_name(error, "org.freedesktop.login1.SleepVerbNotSupported"))
		return ANSWER_NOT_SUPPORTED;
	if (sd_bus_error_has_name(error, "org.freedesktop.login1.OperationInProgress") ||
	    sd_bus_error_has_name(error, "org.freedesktop.login1.BlockedByInhibitorLock"))
		return ANSWER_REFUSED;
	return ANSWER_FAILED;
}

enum answer logind_do(struct logind *logind, enum verb verb, struct pm_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	enum answer answer = ANSWER_OK;
	int rc;

	logind->deadline_ms = machine_now_ms() + LOGIND_TIMEOUT_MS;
	rc = call(logind, MANAGER, methods[verb].go, true, &reply, &error);
	if (rc < 0) {
		explain(methods[verb].go, rc, &error, err);
		answer = classify(rc, &error);
	}
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return answer;
}

#else /* without libsystemd: as if there were no logind, nothing else is called then */

int logind_open(struct logind **logind, struct pm_error *err)
{
	(void)err;
	*logind = NULL;
	return 0;
}

void logind_close(struct logind *logind)
{
	(void)logind;
}

static enum answer absent(struct pm_error *err)
{
	pm_error_set(err, "built without systemd-logind");
	return ANSWER_NOT_SUPPORTED;
}

enum answer logind_can(struct logind *logind, enum verb verb, struct pm_error *err)
{
	(void)logind;
	(void)verb;
	return absent(err);
}

enum answer logind_inhibited(struct logind *logind, enum verb verb, struct pm_error *err)
{
	(void)logind;
	(void)verb;
	return absent(err);
}

enum answer logind_do(struct logind *logind, enum verb verb, struct pm_error *err)
{
	(void)logind;
	(void)verb;
	return absent(err);
}
#endif
