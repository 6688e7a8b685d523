/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine with a stack, for the tests of jobs: hypervisors that are not there, a BMC that does as it is told, and time that
 * passes as fast as nothing happens in it.
 *
 *   machine ─ h1 ┬ db1 ─ h2 ┬ app1 ─ h3 ─ leaf
 *                │          └ app2
 *                ├ web1
 *                └ web2
 */
#ifndef PM_TEST_JOB_STACKS_H
#define PM_TEST_JOB_STACKS_H

#include "agent/job_private.h"
#include "tests/unit/agent/fake_bmc.h"
#include "tests/unit/agent/fast_time.h"
#include "tests/unit/agent/jobs.h"
#include "tests/unit/agent/vms.h"

#define TURN_MS   5
#define REPORT_MS 500
#define LONGEST_S 900

static struct world world;
static struct pm_agent *agent = &world.agent;
static struct pm_machine *machine;
static struct pm_error err;
static struct fake_hv *h1, *h2, *h3;
static struct fake_vm *db1, *web1, *web2, *app1, *app2, *leaf;

/* The machine as it is; its BMC says so. */
static struct {
	bool on;
	bool deaf;             /* the operating system does not shut down */
	unsigned soft_ms;      /* until it has */
	int64_t off_ms, on_ms; /* when it goes off, or on; 0: it does not */
	int64_t report_ms;
	unsigned soft, down, up, cycle, reset;
} real;

/* --- the machine ------------------------------------------------------------------------------------------------ */

static inline void machine_goes(bool on)
{
	if (real.on == on)
		return;
	real.on = on;
	fake_hv_power(h1, on);
}

static inline void machine_obeys(const struct ipmi_request *request)
{
	if (request->command != IPMI_CHASSIS_CONTROL)
		return;
	switch (request->control) {
	case IPMI_SOFT_SHUTDOWN:
		real.soft++;
		if (!real.deaf)
			real.off_ms = passed_ms + real.soft_ms;
		break;
	case IPMI_POWER_DOWN:
		real.down++;
		machine_goes(false);
		break;
	case IPMI_POWER_UP:
		real.up++;
		real.off_ms = 0;
		machine_goes(true);
		break;
	case IPMI_POWER_CYCLE:
		real.cycle++;
		machine_goes(false);
		real.on_ms = passed_ms + 2000;
		break;
	default:
		real.reset++;
		fake_hv_power(h1, false);
		fake_hv_power(h1, true);
	}
}

static inline void machine_moves(void)
{
	if (real.off_ms && passed_ms >= real.off_ms) {
		real.off_ms = 0;
		machine_goes(false);
	}
	if (real.on_ms && passed_ms >= real.on_ms) {
		real.on_ms = 0;
		machine_goes(true);
	}
}

static void (*machine_has_more)(void); /* what else there is of it lives in each turn, too; NULL: nothing */

static inline void machine_lives(void)
{
	machine_moves();
	if (machine_has_more)
		machine_has_more();
	if (!machine || passed_ms < real.report_ms)
		return;
	real.report_ms = passed_ms + REPORT_MS;
	if (machine->bmc)
		bmc_says(machine, real.on);
}

/* --- time ------------------------------------------------------------------------------------------------------- */

/* The disk takes its own time, in which none passes. */
static inline void turn(void)
{
	passed_ms += TURN_MS;
	machine_lives();
	uv_run(&world.loop, UV_RUN_NOWAIT);
	while (agent->syncing) {
		uv_run(&world.loop, UV_RUN_NOWAIT);
		usleep(100);
	}
}

static inline void pass_s(unsigned seconds)
{
	for (int64_t end_ms = passed_ms + seconds * 1000; passed_ms < end_ms;)
		turn();
}

#define until(holds)                                                                               \
	do {                                                                                       \
		int64_t give_up_ms_ = passed_ms + LONGEST_S * 1000;                                \
		while (!(holds)) {                                                                 \
			if (passed_ms > give_up_ms_) {                                             \
				fake_log_dump(stderr);                                             \
				fail_msg("never: %s; the job says: %s", #holds,                    \
					 machine->job ? pm_job_text(machine->job)                  \
					 : machine->jobs_count                                     \
					     ? pm_job_text(machine->jobs[machine->jobs_count - 1]) \
					     : "there is none");                                   \
			}                                                                          \
			turn();                                                                    \
		}                                                                                  \
	} while (0)

/* --- the world -------------------------------------------------------------------------------------------------- */

static inline void make_stack(void)
{
	h1 = fake_hv_new("fake://h1", NULL);
	db1 = fake_vm_new(h1, "db1", PM_VM_RUNNING);
	web1 = fake_vm_new(h1, "web1", PM_VM_RUNNING);
	web2 = fake_vm_new(h1, "web2", PM_VM_RUNNING);
	h2 = fake_hv_new("fake://h2", db1);
	app1 = fake_vm_new(h2, "app1", PM_VM_RUNNING);
	app2 = fake_vm_new(h2, "app2", PM_VM_RUNNING);
	h3 = fake_hv_new("fake://h3", app1);
	leaf = fake_vm_new(h3, "leaf", PM_VM_RUNNING);
	db1->shutdown_ms = web1->shutdown_ms = web2->shutdown_ms = 3000;
	app1->shutdown_ms = app2->shutdown_ms = leaf->shutdown_ms = 2000;
}

static inline bool all_are_up(void)
{
	for (size_t i = 0; i < machine->hypervisor_count; i++)
		if (!machine->hypervisors[i].up)
			return false;
	return true;
}

static inline void give_stack_configs(struct pm_machine_config *config)
{
	size_t on_machine = give_hypervisor_config(config, "fake://h1", NULL, 0);
	size_t in_db1 = give_hypervisor_config(config, "fake://h2", "db1", on_machine);

	give_hypervisor_config(config, "fake://h3", "app1", in_db1);
	config->hypervisors[0].connect_timeout_s = 120;
}

static struct stack_connection *witness; /* somebody else's: the world goes on while there is no agent */

static inline void ignore_event(const struct stack_event *event, void *data)
{
	(void)event;
	(void)data;
}

static inline void open_witness(void)
{
	const struct stack_options options = {
	    .uri = h1->uri, .label = "somebody else", .list_interval_ms = 3600000, .on_event = ignore_event};

	witness = fake_hypervisor.open(&world.loop, &options);
}

static inline struct pm_inventory *stack_inventory(void)
{
	struct pm_inventory *inventory = world_inventory(1);

	passed_ms = 0;
	memset(&real, 0, sizeof(real));
	real.on = true;
	real.soft_ms = 4000;
	make_stack();
	give_bmc_config(&inventory->machines[0], NULL, 623);
	give_stack_configs(&inventory->machines[0]);
	return inventory;
}

static inline void open_stack_world(struct pm_inventory *inventory)
{
	world_begin(&world, inventory);
	fake_bmc_loop = &world.loop;
	fake_bmc_reply_ms = 20;
	fake_bmc_obey = machine_obeys;
	fake_bmc_sent = 0;
	fake_ops = NULL;
	machine = agent->machines[0];
	give_bmc(machine);
	agent->stack_driver = &fake_hypervisor;
	pm_settings_defaults(&(struct pm_setting_owner){.agent = agent, .machine = machine});
	open_witness();
	pm_stack_apply(machine);
	until(all_are_up() && machine->observed == PM_POWER_ON && machine->vm_count == 6);
	fake_log_clear();
}

static inline int set_up(void **state)
{
	(void)state;
	open_stack_world(stack_inventory());
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	agent->stopping = true;
	pm_jobs_stop(agent);
	assert_int_equal(agent->jobs_reserved, 0);
	for (size_t i = 0; i < machine->vm_count; i++) {
		assert_null(machine->vms[i]->job_data);
		assert_int_equal(machine->vms[i]->transition, 0);
	}
	pm_stack_free(machine);
	fake_hypervisor.close(witness);
	machine = NULL;
	fake_world_free();
	world_end(&world);
	return 0;
}

/* --- killed, and started again ---------------------------------------------------------------------------------- */

/* With what the journal has, or had when it was frozen; for so long nobody is there. */
static inline void die_and_rise(unsigned away_ms, bool frozen)
{
	if (!frozen)
		freeze_journal(&world);
	kill_agent(&world);
	pm_stack_free(machine);
	thaw_journal(&world);
	for (int64_t end_ms = passed_ms + away_ms; passed_ms < end_ms;) {
		passed_ms += TURN_MS;
		machine_moves();
		uv_run(&world.loop, UV_RUN_NOWAIT);
	}
	machine->observed = PM_POWER_UNKNOWN;
	if (pm_stack_restore(agent, &err) < 0)
		fail_msg("%s", err.text);
	pm_stack_apply(machine);
	start_agent(&world);
}

/* --- SETs ------------------------------------------------------------------------------------------------------- */

static inline struct pm_vm *vm(const char *name)
{
	struct pm_vm *found = vm_named(machine, name);

	assert_non_null(found);
	return found;
}

/* A row of pmJobTable, as a manager would make it. */
static inline struct pm_job_spec spec_of(enum pm_command action, enum pm_scope scope)
{
	struct pm_job_spec spec;

	pm_job_spec_defaults(&spec);
	spec.action = action;
	spec.scope = scope;
	return spec;
}

static inline int try_to_create(const char *name, const struct pm_job_spec *spec)
{
	struct pm_job_edit edit = {.machine = machine,
				   .owner = "op",
				   .name = name,
				   .spec = *spec,
				   .spec_set = true,
				   .row_status = PM_ROW_CREATE_AND_GO};
	int error;

	err.text[0] = '\0';
	error = pm_job_edit_reserve(&edit, &err);
	if (error)
		return error;
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_job_edit_journal(&edit, &err), 0);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	pm_job_edit_release(&edit);
	return 0;
}

static inline struct pm_job *row(const char *name)
{
	struct pm_job *job = pm_job_find(machine, "op", name);

	assert_non_null(job);
	return job;
}

static inline struct pm_job *create(const char *name, struct pm_job_spec spec)
{
	if (try_to_create(name, &spec) < 0)
		fail_msg("%s", err.text);
	return row(name);
}

/* A verb, of the machine or of a VM. */
static inline struct pm_job *command(enum pm_command action, const struct pm_vm *of)
{
	struct pm_job_request request =
	    pm_job_request_of(machine, action, of ? PM_ORIGIN_VM_COMMAND : PM_ORIGIN_COMMAND);
	struct pm_job *job;

	request.vm = of ? of->index : 0;
	if (pm_job_reserve(&request, &job, &err) < 0)
		fail_msg("%s", err.text);
	assert_non_null(job);
	assert_int_equal(pm_store_begin(agent->store, &err), 0);
	assert_int_equal(pm_job_journal(job, &err), 0);
	assert_int_equal(pm_store_commit(agent->store, &err), 0);
	pm_job_release(job);
	return job;
}

/* --- what is to be so ------------------------------------------------------------------------------------------- */

static inline void assert_says(const char *text, const char *word)
{
	if (!text || !strstr(text, word))
		fail_msg("\"%s\" does not say \"%s\"", text ? text : "", word);
}

static inline void assert_ends(struct pm_job *job, enum pm_result result, const char *word)
{
	until(pm_job_has_ended(job));
	if (job->result != result) {
		fake_log_dump(stderr);
		fail_msg("%s: %s", pm_result_name(job->result), pm_job_text(job));
	}
	assert_says(pm_job_text(job), word);
	assert_null(machine->job);
}

/* Nothing lost what it stood on. */
static inline void assert_nothing_killed(void)
{
	if (fake_log_count(FAKE_KILLED, NULL, 0))
		fake_log_dump(stderr);
	assert_int_equal(fake_log_count(FAKE_KILLED, NULL, 0), 0);
}

static inline unsigned asked(const char *name, enum stack_command what)
{
	return fake_log_count(FAKE_ASKED, name, what);
}

/* That one was off before this one was asked to go. */
static inline void assert_before(const char *first, const char *second)
{
	size_t off = fake_log_find(0, FAKE_IS, first, PM_VM_SHUTDOWN);
	size_t button = fake_log_find(0, FAKE_ASKED, second, STACK_SHUTDOWN);

	if (off == SIZE_MAX || button == SIZE_MAX || off > button) {
		fake_log_dump(stderr);
		fail_msg("%s was not off before %s was asked", first, second);
	}
}

static inline const struct pm_step *step_of(const struct pm_job *job, enum pm_step_action action,
					    const char *name)
{
	for (unsigned i = 0; i < job->step_count; i++)
		if (job->steps[i].action == action &&
		    (!name || (job->steps[i].target && strcmp(job->steps[i].target, name) == 0)))
			return &job->steps[i];
	fail_msg("there is no %s of %s", pm_step_action_name(action), name ? name : "the machine");
	return NULL;
}

#endif
