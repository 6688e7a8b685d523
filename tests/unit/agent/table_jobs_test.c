/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pmJobTable and pmJobStepTable: their rows, found from any place, beside a naive reference. */
#include "agent/mib/job_rows.h"
#include "agent/mib/mib.h"
#include "agent/plan.h"
#include "tests/unit/agent/support.h"

#include <limits.h>

#define MACHINES_MAX 10000
#define STEPS_MAX    3

static struct pm_agent agent;
static struct pm_machine *machines[MACHINES_MAX];
static struct pm_step steps[STEPS_MAX];

/* Every row there is, in the order in which a walk must find it. */
struct place {
	oid index[PM_INDEX_MAX];
	size_t length;
	const void *object;
};

static struct place *jobs, *job_steps;
static size_t job_count, step_count;

/* --- given --------------------------------------------------------------------------------------------------------- */

static void add_place(struct place **places, size_t *count, const oid *index, size_t length,
		      const void *object)
{
	*places = realloc(*places, (*count + 1) * sizeof(**places));
	assert_non_null(*places);
	memcpy((*places)[*count].index, index, length * sizeof(oid));
	(*places)[*count].length = length;
	(*places)[(*count)++].object = object;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return snmp_oid_compare(x->index, x->length, y->index, y->length);
}

/* The order of the rows is that of their indexes, built here by hand. */
static int compare_jobs(const void *a, const void *b)
{
	struct place places[2];
	const struct pm_job *job[] = {*(struct pm_job *const *)a, *(struct pm_job *const *)b};

	for (int i = 0; i < 2; i++)
		places[i].length = pm_job_index(job[i], places[i].index);
	return compare_places(&places[0], &places[1]);
}

static void give_job(struct pm_machine *machine, const char *owner, const char *name, unsigned count)
{
	struct pm_job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	*job = (struct pm_job){.machine = machine,
			       .owner = strdup(owner),
			       .name = strdup(name),
			       .steps = steps,
			       .step_count = count};
	machine->jobs = realloc(machine->jobs, (machine->jobs_count + 1) * sizeof(struct pm_job *));
	assert_non_null(machine->jobs);
	machine->jobs[machine->jobs_count++] = job;
	qsort(machine->jobs, machine->jobs_count, sizeof(struct pm_job *), compare_jobs);
	agent.job_rows_changes++;
}

static void take_job(struct pm_machine *machine, size_t place)
{
	struct pm_job *job = machine->jobs[place];

	free((char *)(uintptr_t)job->owner);
	free((char *)(uintptr_t)job->name);
	free(job);
	machine->jobs_count--;
	memmove(machine->jobs + place, machine->jobs + place + 1,
		(machine->jobs_count - place) * sizeof(struct pm_job *));
	agent.job_rows_changes++;
}

static void give_machines(size_t count)
{
	agent = (struct pm_agent){.machines = machines, .machine_count = count, .job_rows_changes = 1};
	for (size_t i = 0; i < count; i++) {
		machines[i] = calloc(1, sizeof(*machines[i]));
		assert_non_null(machines[i]);
		machines[i]->index = (uint32_t)(2 * i + 3);
	}
	pm_mib_agent = &agent;
	pm_job_rows_forget();
}

static void take_machines(void)
{
	for (size_t i = 0; i < agent.machine_count; i++) {
		while (machines[i]->jobs_count)
			take_job(machines[i], 0);
		free(machines[i]->jobs);
		free(machines[i]);
	}
	pm_job_rows_forget();
}

static void list_rows(void)
{
	oid index[PM_INDEX_MAX];

	job_count = step_count = 0;
	for (size_t m = 0; m < agent.machine_count; m++) {
		for (size_t i = 0; i < machines[m]->jobs_count; i++) {
			const struct pm_job *job = machines[m]->jobs[i];
			size_t length = pm_job_index(job, index);

			add_place(&jobs, &job_count, index, length, job);
			for (unsigned s = 0; s < job->step_count; s++) {
				index[length] = s + 1;
				add_place(&job_steps, &step_count, index, length + 1, &job->steps[s]);
			}
		}
	}
	qsort(jobs, job_count, sizeof(*jobs), compare_places);
	qsort(job_steps, step_count, sizeof(*job_steps), compare_places);
}

static void give_random_jobs(void)
{
	static const char *const owners[] = {
	    "", "a", "b", "aa", "ab", "alice", "12345678901234567890123456789012"};
	static const char *const names[] = {"1",      "z", "set-1",
					    "set-12", "ä", "12345678901234567890123456789012"};

	for (size_t m = 0; m < agent.machine_count; m++) {
		for (size_t i = 0; repeatable_random(3) == 0 && i < LENGTH(owners); i++)
			for (size_t j = 0; j < LENGTH(names); j++)
				if (repeatable_random(4) == 0)
					give_job(machines[m], owners[i], names[j],
						 repeatable_random(STEPS_MAX + 1));
	}
	list_rows();
}

/* --- the reference ------------------------------------------------------------------------------------------------- */

static const struct place *reference(const struct place *places, size_t count, const oid *index,
				     size_t length, bool inclusive)
{
	for (size_t i = 0; i < count; i++) {
		int order = snmp_oid_compare(places[i].index, places[i].length, index, length);

		if (order > 0 || (order == 0 && inclusive))
			return &places[i];
	}
	return NULL;
}

static void check_seek(const struct pm_table *table, const struct place *places, size_t count,
		       const oid *index, size_t length, bool inclusive)
{
	const struct place *expected = reference(places, count, index, length, inclusive);
	struct pm_row row;

	assert_int_equal(table->seek(index, length, inclusive, &row), expected != NULL);
	if (!expected)
		return;
	assert_int_equal(snmp_oid_compare(row.index, row.index_length, expected->index, expected->length), 0);
	assert_ptr_equal(row.object, expected->object);
}

/* An index near a row: cut off, longer, with one sub-identifier changed. */
static size_t random_index(const struct place *near, oid *index)
{
	size_t length = near->length, place = repeatable_random((uint32_t)length);

	memcpy(index, near->index, length * sizeof(oid));
	switch (repeatable_random(6)) {
	case 0:
		return place;
	case 1:
		index[length] = repeatable_random(3);
		return length + 1;
	case 2:
		index[place] += 1;
		return length;
	case 3:
		index[place] -= index[place] > 0;
		return length;
	case 4:
		index[place] = repeatable_random(3) ? repeatable_random(2) ? UINT32_MAX : 0 : ULONG_MAX;
		return length;
	default:
		return length;
	}
}

static void test_any_place_finds_the_next_row(void **state)
{
	oid index[PM_INDEX_MAX + 1];

	(void)state;
	for (int round = 0; round < 30; round++) {
		give_machines(8);
		give_random_jobs();
		for (int i = 0; i < 400; i++) {
			const struct place *near = job_count ? &jobs[repeatable_random((uint32_t)job_count)]
							     : &(struct place){{1, 0, 1, 'x'}, 4, NULL};
			size_t length;

			if (step_count && repeatable_random(2))
				near = &job_steps[repeatable_random((uint32_t)step_count)];
			length = random_index(near, index);
			check_seek(&pm_job_table, jobs, job_count, index, length, repeatable_random(2));
			check_seek(&pm_job_step_table, job_steps, step_count, index, length,
				   repeatable_random(2));
		}
		take_machines();
	}
}

static size_t count_rows(const struct pm_table *table)
{
	struct pm_row row = {.index_length = 0};
	size_t count = 0;

	while (table->seek(row.index, row.index_length, count == 0, &row))
		count++;
	return count;
}

static void test_walks_meet_every_row_once(void **state)
{
	(void)state;
	give_machines(30);
	give_random_jobs();
	assert_true(job_count > 20 && step_count > 20);
	assert_int_equal(count_rows(&pm_job_table), job_count);
	assert_int_equal(count_rows(&pm_job_step_table), step_count);
	take_machines();
}

static void test_rows_come_and_go(void **state)
{
	(void)state;
	give_machines(5);
	assert_int_equal(count_rows(&pm_job_table), 0);
	give_job(machines[3], "alice", "one", 2);
	assert_int_equal(count_rows(&pm_job_table), 1);
	give_job(machines[0], "bob", "one", 0);
	assert_int_equal(count_rows(&pm_job_table), 2);
	assert_int_equal(count_rows(&pm_job_step_table), 2);
	take_job(machines[3], 0);
	assert_int_equal(count_rows(&pm_job_table), 1);
	assert_int_equal(count_rows(&pm_job_step_table), 0);
	take_machines();
}

/* Two of 10,000 machines have jobs: the others are not looked at in each step. */
static void test_machines_without_jobs_cost_nothing(void **state)
{
	const unsigned rounds = 200000;
	oid index[] = {3 + 2, 0};
	struct pm_row row;
	uint64_t begin_ns, took_ns;

	(void)state;
	give_machines(MACHINES_MAX);
	give_job(machines[0], "alice", "one", 1);
	give_job(machines[MACHINES_MAX - 1], "alice", "one", 1);
	begin_ns = uv_hrtime();
	for (unsigned i = 0; i < rounds; i++) {
		index[0] = 4 + i % MACHINES_MAX;
		assert_true(pm_job_table.seek(index, 1, false, &row));
		assert_ptr_equal(row.object, machines[MACHINES_MAX - 1]->jobs[0]);
	}
	took_ns = uv_hrtime() - begin_ns;
	print_message("%llu ns a step\n", (unsigned long long)(took_ns / rounds));
	assert_true(took_ns / rounds < 20000); /* 10,000 machines one by one take longer on any machine */
	take_machines();
}

static int free_places(void **state)
{
	(void)state;
	free(jobs);
	free(job_steps);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any_place_finds_the_next_row),
	    cmocka_unit_test(test_walks_meet_every_row_once),
	    cmocka_unit_test(test_rows_come_and_go),
	    cmocka_unit_test(test_machines_without_jobs_cost_nothing),
	};

	return cmocka_run_group_tests_name("pmJobTable and pmJobStepTable", tests, NULL, free_places);
}
