/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Before a VM or the machine goes down: the hypervisors that stand on it are asked what runs there now, and what the plan
 * lacks is added to it. Nobody is told anything before that.
 */
#include "agent/job_private.h"
#include "agent/text.h"
#include "agent/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 10000 /* one question */
#define AGAIN_MS  2000
#define SURE_MS   60000 /* until one that could not say has to */
#define FRESH_MS  1000  /* so long nothing can have come to run there that would be asked in vain */
#define FIRST_MS  30000 /* after a start: until hypervisors have answered for the first time, or not */

/* --- who is asked ----------------------------------------------------------------------------- */

/* Whether it stands directly on what the step takes down; one that is astray may, on any VM of where it should be. */
static bool stands_on(const struct pm_hypervisor *hypervisor, const struct pm_step *step)
{
	const struct pm_vm *vm;

	if (!pm_step_is_of_vm(step))
		return !hypervisor->on;
	if (hypervisor->host && hypervisor->host->index == step->vm)
		return true;
	vm = pm_machine_vm(hypervisor->machine, step->vm);
	return vm && hypervisor->on && vm->hypervisor == hypervisor->on &&
	       pm_hypervisor_is_astray(hypervisor);
}

/* It was not up since the start, and nobody knows yet why. */
static bool is_untried(const struct pm_hypervisor *hypervisor)
{
	return !hypervisor->up && !hypervisor->up_loop_ms && !*hypervisor->trouble &&
	       !pm_hypervisor_is_down(hypervisor);
}

/*
 * What was asked to go, and is asked again or in a harder way: a hypervisor on it that does not answer any more is on its way
 * down with it, and was asked before. One that does may have got new VMs meanwhile.
 */
static bool goes_already(const struct pm_step_run *run)
{
	return run->acted || pm_step_of(run)->alternative;
}

static bool is_asked(const struct pm_step_run *run, const struct pm_hypervisor *hypervisor)
{
	return stands_on(hypervisor, pm_step_of(run)) &&
	       (hypervisor->up || !goes_already(run) || is_untried(hypervisor));
}

bool pm_step_must_look(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	if (!pm_job_is_careful(run->job) || !pm_step_takes_down(pm_step_of(run)))
		return false;
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (is_asked(run, &machine->hypervisors[i]))
			return true;
	return false;
}

static bool only_asks(const struct pm_plan *more)
{
	for (unsigned i = 0; i < more->count; i++)
		if (more->steps[i].action != PM_STEP_HYPERVISOR_CONNECT)
			return false;
	return true;
}

static void wait_once_more(struct pm_step_run *run)
{
	pm_timer_start(run->timer, AGAIN_MS);
}

/* --- what is added ---------------------------------------------------------------------------- */

static int append(struct pm_job *job, struct pm_plan *more)
{
	unsigned count = job->step_count + more->count;
	struct pm_step *steps = realloc(job->steps, count * sizeof(*steps));

	if (!steps)
		return -ENOMEM;
	job->steps = steps;
	for (unsigned i = 0; i < more->count; i++) {
		steps[job->step_count + i] = more->steps[i];
		steps[job->step_count + i].state = PM_JOB_SCHEDULED;
		steps[job->step_count + i].changed = true;
	}
	job->step_count = count;
	more->count = 0; /* with their texts */
	return pm_steps_reorder(job) ? 0 : -ENOMEM;
}

/* run: the one that is to begin, or go on; NULL: the job is to end. */
static int add(struct pm_job *job, const struct pm_step_run *run, struct pm_error *err)
{
	unsigned number = run ? run->index + 1 : 0;
	const struct pm_job_spec spec = pm_job_plan_spec(job);
	struct pm_plan more = {0};
	int added, error = pm_plan_more(job->machine, &spec, job->steps, job->step_count, number, &more, err);

	if (error)
		return error;
	if (run && goes_already(run) && only_asks(&more))
		pm_plan_free(&more);
	added = (int)more.count;
	if (added) {
		error = append(job, &more);
		job->machine->agent->job_rows_changes++;
		pm_job_changed(job);
	}
	pm_plan_free(&more);
	return error ? pm_fail(err, ENOMEM, "no memory for more steps") : added;
}

int pm_steps_add_last(struct pm_job *job, struct pm_error *err)
{
	return add(job, NULL, err);
}

static void consider(struct pm_step_run *run)
{
	struct pm_error err = {""};
	int added = add(run->job, run, &err);

	run->looking = false;
	if (added < 0)
		pm_step_given_up(run, added == -ENOMEM ? PM_RESULT_INTERNAL_ERROR : PM_RESULT_REJECTED,
				 err.text);
	else if (added > 0)
		pm_step_wait(run);
	else
		pm_step_looked(run);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void give_up(struct pm_step_run *run)
{
	char text[512];

	pm_text_format(text, sizeof(text), "whether VMs run on %s is not known: it does not say: %s",
		       run->asked, run->trouble);
	pm_step_given_up(run, PM_RESULT_UNREACHABLE, text);
}

static void all_have_answered(struct pm_step_run *run)
{
	if (!run->unsure)
		consider(run);
	else if (run->begun || pm_step_now(run) - run->looked_ms < SURE_MS)
		wait_once_more(run);
	else
		give_up(run);
}

/* One that does not answer at all is soon down, or unknown: then it is not asked again, and the plan knows what to do. */
static void on_answer(const struct stack_reply *reply, void *data)
{
	struct pm_step_question *question = data;
	struct pm_step_run *run = question->run;
	bool cancelled = !question->op;

	question->op = NULL;
	run->open_questions--;
	if (cancelled)
		return;
	if (reply->result != STACK_OK && reply->result != STACK_ALREADY) {
		run->unsure = true;
		pm_text_format(run->trouble, sizeof(run->trouble), "%s", reply->text ? reply->text : "");
	}
	if (!run->open_questions)
		all_have_answered(run);
}

void pm_step_stop_looking(struct pm_step_run *run)
{
	for (unsigned i = 0; i < run->question_count; i++) {
		struct stack_op *op = run->questions[i].op;

		run->questions[i].op = NULL;
		if (op)
			run->job->machine->agent->stack_driver->cancel(op);
	}
	free(run->questions);
	run->questions = NULL;
	run->question_count = 0;
}

static void ask(struct pm_step_run *run, const struct pm_hypervisor *hypervisor)
{
	struct pm_step_question *question = &run->questions[run->question_count++];
	const struct stack_request request = {
	    .command = STACK_LOOK, .deadline_ms = ANSWER_MS, .done = on_answer, .data = question};

	question->run = run;
	question->op = run->job->machine->agent->stack_driver->submit(hypervisor->connection, &request);
	if (question->op) {
		run->open_questions++;
		pm_text_format(run->asked, sizeof(run->asked), "%s", hypervisor->config->shown);
	} else {
		run->unsure = true;
		snprintf(run->trouble, sizeof(run->trouble), "no memory");
	}
}

static bool is_to_wait_for_the_first_answer(const struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	if (pm_step_now(run) - run->looked_ms >= FIRST_MS)
		return false;
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (stands_on(&machine->hypervisors[i], pm_step_of(run)) &&
		    is_untried(&machine->hypervisors[i]))
			return true;
	return false;
}

void pm_step_look_again(struct pm_step_run *run)
{
	const struct pm_machine *machine = run->job->machine;

	pm_step_stop_looking(run);
	run->unsure = false;
	if (is_to_wait_for_the_first_answer(run)) {
		wait_once_more(run);
		return;
	}
	run->questions = calloc(machine->hypervisor_count, sizeof(*run->questions));
	if (!run->questions) {
		pm_step_given_up(run, PM_RESULT_INTERNAL_ERROR, "no memory");
		return;
	}
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (stands_on(&machine->hypervisors[i], pm_step_of(run)) && machine->hypervisors[i].up)
			ask(run, &machine->hypervisors[i]);
	if (!run->open_questions)
		all_have_answered(run);
}

void pm_step_look(struct pm_step_run *run)
{
	run->looking = true;
	run->looked_ms = pm_step_now(run);
	pm_step_look_again(run);
}

bool pm_step_may_send(struct pm_step_run *run)
{
	if (run->looking || run->parked)
		return false;
	if ((run->seen_ms && pm_step_now(run) - run->seen_ms <= FRESH_MS) || !pm_step_must_look(run))
		return true;
	pm_step_look(run);
	return false;
}
