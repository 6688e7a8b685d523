/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many steps in one sentence: what runs, how it went, what failed. */
#include "agent/job_private.h"
#include "agent/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAMES 3 /* that a text tells, before it only counts */

/* A text that grows, until it is full. */
struct sentence {
	char *text;
	size_t size, length;
};

static struct sentence begin(char *text, size_t size)
{
	*text = '\0';
	return (struct sentence){text, size, 0};
}

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *format, ...)
{
	size_t room = sentence->size - sentence->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(sentence->text + sentence->length, room, format, args);
	va_end(args);
	if (length > 0)
		sentence->length += (size_t)length < room ? (size_t)length : room - 1;
}

static const char *name_of(const struct pm_job *job, const struct pm_step *step)
{
	return step->target ? step->target : job->machine->config->name;
}

/* --- while it runs ---------------------------------------------------------------------------- */

void pm_job_describe_run(const struct pm_step_run *run, const char *ago, char *text, size_t size)
{
	if (run->looking && !run->begun)
		snprintf(text, size, "what runs on it is looked at first");
	else if (run->gate || run->confirming)
		snprintf(text, size, "not told yet");
	else
		run->kind->describe(run, ago, text, size);
}

/* "db1 (asked to shut down 12 s ago), web3 and 2 more" */
static void say_runs(struct sentence *sentence, const struct pm_job *job, const char *ago)
{
	unsigned told = 0;
	char text[256];

	for (const struct pm_step_run *run = job->run->first; run && told < NAMES; run = run->next, told++) {
		pm_job_describe_run(run, ago, text, sizeof(text));
		say(sentence, "%s%s", told ? ", " : "", name_of(job, pm_step_of(run)));
		if (told == 0)
			say(sentence, " (%s)", text);
	}
	if (job->run->running > told)
		say(sentence, " and %u more", job->run->running - told);
}

static void say_failures(struct sentence *sentence, const struct pm_job *job)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < job->step_count; i++)
		failed += pm_step_has_failed(&job->steps[i]);
	if (failed)
		say(sentence, ", %u of them badly", failed);
}

void pm_job_summarize_work(const struct pm_job *job, const char *ago, char *text, size_t size)
{
	struct sentence sentence = begin(text, size);

	say(&sentence, "%u of %u steps have ended", job->steps_done, job->step_count);
	say_failures(&sentence, job);
	if (!job->run->first)
		return;
	say(&sentence, "; %s ", strcmp(ago, "ago") == 0 ? "waiting for" : "at work were");
	say_runs(&sentence, job, ago);
	pm_text_trim(text);
}

/* --- how it went ------------------------------------------------------------------------------ */

static unsigned count_not_begun(const struct pm_job *job)
{
	unsigned count = 0;

	for (unsigned i = 0; i < job->step_count; i++)
		count += !pm_step_has_ended(&job->steps[i]) && !job->steps[i].alternative;
	return count;
}

/* Those that nothing took the place of. */
static bool is_failure(const struct pm_job *job, unsigned index)
{
	bool replaced = index + 1 < job->step_count && job->steps[index + 1].alternative &&
			pm_step_has_ended(&job->steps[index + 1]);

	return pm_step_has_failed(&job->steps[index]) && !replaced;
}

void pm_job_summarize_failure(const struct pm_job *job, const struct pm_step *first, char *text, size_t size)
{
	struct sentence sentence = begin(text, size);
	unsigned failed = 0, told = 0, not_begun = count_not_begun(job);

	for (unsigned i = 0; i < job->step_count; i++)
		failed += is_failure(job, i);
	say(&sentence, "%u of %u steps failed", failed, job->step_count);
	if (not_begun)
		say(&sentence, ", %u not begun", not_begun);
	say(&sentence, ": %s: %s", name_of(job, first), first->text ? first->text : "");
	for (unsigned i = 0; i < job->step_count && told < NAMES; i++) {
		const struct pm_step *step = &job->steps[i];

		if (step == first || !is_failure(job, i))
			continue;
		say(&sentence, "; %s: %s", name_of(job, step), step->text ? step->text : "");
		told++;
	}
	if (failed > told + 1)
		say(&sentence, "; and %u more", failed - told - 1);
	pm_text_trim(text);
}

struct count {
	const char *done;
	unsigned count;
	const struct pm_step *first;
};

#define LOST  (PM_STEP_VM_SAVE + 1)
#define SO    (PM_STEP_VM_SAVE + 2)
#define KINDS (PM_STEP_VM_SAVE + 3)

static unsigned kind_of(const struct pm_step *step)
{
	if (step->text && strncmp(step->text, pm_vm_step_lost, strlen(pm_vm_step_lost)) == 0)
		return LOST;
	return step->result == PM_RESULT_ALREADY_IN_STATE ? SO : step->action;
}

static void count_step(struct count *counts, const struct pm_step *step)
{
	struct count *count;

	if (!pm_step_is_of_vm(step) || step->state != PM_JOB_SUCCEEDED || !step->start_ms)
		return;
	count = &counts[kind_of(step)];
	if (!count->count++)
		count->first = step;
}

static void say_counts(struct sentence *sentence, const struct pm_job *job, const struct count *counts)
{
	for (unsigned i = 0; i < KINDS; i++) {
		const struct count *count = &counts[i];

		if (!count->count)
			continue;
		if (count->count == 1)
			say(sentence, "%s%s %s", sentence->length ? ", " : "", name_of(job, count->first),
			    i == SO     ? "was so already"
			    : i == LOST ? pm_vm_step_lost
					: count->done);
		else
			say(sentence, "%s%u VMs %s", sentence->length ? ", " : "", count->count, count->done);
	}
}

/* The last that was begun, and not one that was not needed; of the machine, if there is one. */
static const struct pm_step *last_of_machine(const struct pm_job *job)
{
	const struct pm_step *last = NULL;

	for (unsigned i = 0; i < job->step_count; i++) {
		const struct pm_step *step = &job->steps[i];

		if (step->action > PM_STEP_HYPERVISOR_CONNECT && step->state == PM_JOB_SUCCEEDED &&
		    step->start_ms && !(last && pm_step_adds_nothing(last, step)))
			last = step;
	}
	return last;
}

static const struct pm_step *only_step(const struct pm_job *job)
{
	const struct pm_step *only = NULL;
	unsigned count = 0;

	for (unsigned i = 0; i < job->step_count; i++) {
		if (job->steps[i].state != PM_JOB_SUCCEEDED || !job->steps[i].start_ms)
			continue;
		only = &job->steps[i];
		count++;
	}
	return count == 1 ? only : NULL;
}

/* "12 VMs shut down, db1 switched off; off, observed by the BMC 3.2 s after the command" */
void pm_job_summarize_success(const struct pm_job *job, char *text, size_t size)
{
	struct count counts[KINDS] = {
	    [LOST] = {"off with what they ran on", 0, NULL}, [SO] = {"were so already", 0, NULL},
	    [PM_STEP_VM_START] = {"started", 0, NULL},       [PM_STEP_VM_RESUME] = {"resumed", 0, NULL},
	    [PM_STEP_VM_SHUTDOWN] = {"shut down", 0, NULL},  [PM_STEP_VM_DESTROY] = {"switched off", 0, NULL},
	    [PM_STEP_VM_REBOOT] = {"rebooted", 0, NULL},     [PM_STEP_VM_RESET] = {"reset", 0, NULL},
	    [PM_STEP_VM_PAUSE] = {"paused", 0, NULL},        [PM_STEP_VM_SAVE] = {"saved", 0, NULL}};
	const struct pm_step *only = only_step(job), *machine = last_of_machine(job);
	struct sentence sentence = begin(text, size);

	if (only) {
		say(&sentence, "%s: %s", name_of(job, only), only->text ? only->text : "");
		return;
	}
	for (unsigned i = 0; i < job->step_count; i++)
		count_step(counts, &job->steps[i]);
	say_counts(&sentence, job, counts);
	if (machine)
		say(&sentence, "%s%s: %s", sentence.length ? "; " : "", name_of(job, machine),
		    machine->text ? machine->text : "");
	pm_text_trim(text);
}
