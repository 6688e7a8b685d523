/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libFuzzer: what a host sends back instead of, or as, an answer of pmstack-host. The first octet chooses the verb that was
 * asked; the rest is what comes, on standard output and, as ssh would hand it on, on standard error.
 */
#include "agent/host/internal.h"

#include "agent/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text, size_t size)
{
	check(memchr(text, '\0', size) != NULL);
	check(pm_text_is_visible(text));
}

static void check_ports(const struct host_report *report)
{
	check(report->port_count <= HOST_PORTS_MAX);
	for (size_t i = 0; i < report->port_count; i++) {
		check_text(report->ports[i].name, sizeof(report->ports[i].name));
		check(report->ports[i].name[0] != '\0');
		check(report->ports[i].wol >= HOST_WOL_UNKNOWN && report->ports[i].wol <= HOST_WOL_ARMED);
	}
}

static void check_answer(const struct host_answer *answer)
{
	check_text(answer->excerpt, sizeof(answer->excerpt));
	if (answer->state == HOST_ANSWER_NONE)
		return;
	check_text(answer->text, sizeof(answer->text));
	check_text(answer->report.version, sizeof(answer->report.version));
	check(answer->result >= HOST_OK && answer->result <= HOST_NO_HELPER);
	if (answer->result != HOST_OK)
		return;
	check_ports(&answer->report);
	if (answer->verb == HOST_REPORT)
		check(strlen(answer->report.boot_id) == HOST_ID_SIZE - 1);
}

/* Each line in memory of its own size, so that reading past it is noticed. */
static void take_line(struct host_answer *answer, const uint8_t *line, size_t length)
{
	char *copy = malloc(length ? length : 1);

	if (!copy)
		return;
	memcpy(copy, line, length);
	host_answer_line(answer, copy, length);
	free(copy);
	check_answer(answer);
}

static void check_verdict(const struct host_answer *answer, const struct ssh_log *log)
{
	const struct host_place place = {.address = "h",
					 .user = "u",
					 .identity_file = "/id",
					 .known_hosts_file = "/known",
					 .socket = "/s",
					 .port = 22,
					 .deadline_ms = 10000};
	const int64_t statuses[] = {0, 1, 127, 255};
	struct host_verdict verdict;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		host_verdict_exit(&verdict, &place, answer, log, statuses[i], 0);
		check_text(verdict.text, sizeof(verdict.text));
		check(verdict.text[0] != '\0' || answer->state != HOST_ANSWER_NONE);
		check(verdict.sent || log->phase < SSH_SENT);
	}
	host_verdict_deadline(&verdict, &place, answer, log);
	check_text(verdict.text, sizeof(verdict.text));
	check(verdict.sent || log->phase < SSH_LOGGED_IN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct host_answer answer;
	struct host_request request = {0};
	struct ssh_log log;
	const uint8_t *end = data + size, *newline;

	if (!size)
		return 0;
	request.verb = (enum host_verb)(1 + *data++ % HOST_ARM_WOL);
	ssh_log_begin(&log);
	ssh_log_feed(&log, (const char *)data, size - 1);
	ssh_log_end(&log);
	check_text(log.last, sizeof(log.last));
	host_answer_begin(&answer, &request);
	for (; data < end; data = newline + 1) {
		newline = memchr(data, '\n', (size_t)(end - data));
		newline = newline ? newline : end;
		take_line(&answer, data, (size_t)(newline - data));
	}
	check_verdict(&answer, &log);
	return 0;
}
