/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control language: lines on standard input, each answered by `ok …` or `error: …` on standard output. README.md
 * tells all of it.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tests/sim/farm.h"

static const char *word(const struct farm_order *order, unsigned i)
{
	return i < order->count ? order->words[i] : "";
}

/* ---- ranges ---- */

static int parse_range(struct farm_order *order, char **text, unsigned *first, unsigned *last)
{
	char *end;
	unsigned long from, to;

	if (strcmp(*text, "all") == 0) {
		*first = 1;
		*last = order->farm->count;
		*text += 3;
		return 0;
	}
	from = to = strtoul(*text, &end, 10);
	if (*end == '-')
		to = strtoul(end + 1, &end, 10);
	if (!isdigit((unsigned char)**text) || (*end && *end != ',') || from < 1 || from > to ||
	    to > order->farm->count)
		return FARM_FAIL(order,
				 "the BMCs are all, N, N-M or a list of them with commas, from 1 to %u",
				 order->farm->count);
	*text = *end ? end + 1 : end;
	*first = (unsigned)from;
	*last = (unsigned)to;
	return 0;
}

static int over_range(struct farm_order *order, int (*run)(struct farm_order *order, struct sim_bmc *bmc),
		      bool really)
{
	char *text = order->words[1];
	unsigned first, last;

	while (*text) {
		if (parse_range(order, &text, &first, &last) < 0)
			return -1;
		for (unsigned i = first; really && i <= last; i++) {
			if (run(order, &order->farm->bmcs[i - 1].bmc) < 0)
				return -1;
			farm_timer_bmc(order->farm, i - 1);
		}
	}
	return 0;
}

static int run_verb(struct farm_order *order, const char *name)
{
	for (const struct farm_verb *verb = farm_verbs; verb->name; verb++) {
		if (strcmp(verb->name, name) != 0)
			continue;
		if (over_range(order, verb->run, false) < 0 || verb->run(order, NULL) < 0 ||
		    over_range(order, verb->run, true) < 0)
			return -1;
		fprintf(order->out, "ok\n");
		return 0;
	}
	return FARM_FAIL(order, "there is no verb %s; `help` lists them", name);
}

/* ---- lines ---- */

static int print_help(struct farm_order *order)
{
	static const char *const others[] = {"stat RANGE", "totals [reset]: then all counters begin anew",
					     "gaps: between polls of one BMC, and the largest of each BMC",
					     "commands", "quit"};

	for (const struct farm_verb *verb = farm_verbs; verb->name; verb++)
		fprintf(order->out, "bmc RANGE %s%s%s\n", verb->name, *verb->help == ':' ? "" : " ",
			verb->help);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		fprintf(order->out, "%s\n", others[i]);
	fprintf(order->out, "ok RANGE is all, N, N-M or a list of these with commas\n");
	return 0;
}

static int print_commands(struct farm_order *order)
{
	for (unsigned i = 0; sim_command_at(i); i++)
		fprintf(order->out, "%s\n", sim_command_at(i));
	fprintf(order->out, "ok\n");
	return 0;
}

static int print_totals(struct farm_order *order)
{
	farm_print_totals(order->farm, order->out);
	if (strcmp(word(order, 1), "reset") == 0)
		farm_reset(order->farm);
	return 0;
}

static int carry_out(struct farm_order *order)
{
	const char *name = word(order, 0);

	if (strcmp(name, "bmc") == 0 && order->count > 2)
		return run_verb(order, order->words[2]);
	if (strcmp(name, "bmc") == 0)
		return FARM_FAIL(order, "bmc RANGE VERB …; `help` lists the verbs");
	if (strcmp(name, "stat") == 0 && order->count == 2)
		return run_verb(order, "stat");
	if (strcmp(name, "totals") == 0)
		return print_totals(order);
	if (strcmp(name, "gaps") == 0) {
		farm_print_gaps(order->farm, order->out);
		return 0;
	}
	if (strcmp(name, "help") == 0)
		return print_help(order);
	if (strcmp(name, "commands") == 0)
		return print_commands(order);
	if (strcmp(name, "quit") == 0) {
		fprintf(order->out, "ok\n");
		uv_stop(order->farm->loop);
		return 0;
	}
	return FARM_FAIL(order, "`help` lists what can be said; %s is not among it",
			 *name ? name : "an empty line");
}

int farm_control_line(struct farm *farm, char *line, FILE *out)
{
	struct farm_order order = {.farm = farm, .out = out};
	char *rest = line, *text;
	int result;

	while ((text = strtok_r(rest, " \t\r\n", &rest)) && order.count < FARM_WORDS_MAX)
		order.words[order.count++] = text;
	result = carry_out(&order);
	if (result < 0)
		fprintf(out, "error: %s\n", order.error);
	fflush(out);
	return result;
}

/* ---- standard input ---- */

static void read_lines(struct farm *farm)
{
	char *end;

	while ((end = memchr(farm->line, '\n', farm->line_length))) {
		size_t length = (size_t)(end - farm->line) + 1;

		*end = '\0';
		farm_control_line(farm, farm->line, stdout);
		farm->line_length -= length;
		memmove(farm->line, end + 1, farm->line_length);
	}
	if (farm->line_length == sizeof(farm->line)) {
		farm->line_length = 0;
		printf("error: a line has at most %zu octets\n", sizeof(farm->line));
		fflush(stdout);
	}
}

/* False at its end: the farm goes on without. */
static bool read_some(struct farm *farm)
{
	ssize_t n =
	    read(STDIN_FILENO, farm->line + farm->line_length, sizeof(farm->line) - farm->line_length);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	farm->line_length += (size_t)n;
	read_lines(farm);
	return true;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
	struct farm *farm = poll->data;

	(void)events;
	if (status < 0 || !read_some(farm))
		uv_poll_stop(poll);
}

/* Files, and /dev/null, cannot be waited for: they are read to their end now. */
void farm_control_init(struct farm *farm)
{
	farm->control_poll.data = farm;
	if (uv_guess_handle(STDIN_FILENO) == UV_FILE ||
	    uv_poll_init(farm->loop, &farm->control_poll, STDIN_FILENO) < 0) {
		while (read_some(farm)) {
		}
		return;
	}
	farm->controlled = true;
	uv_poll_start(&farm->control_poll, UV_READABLE, on_input);
}
