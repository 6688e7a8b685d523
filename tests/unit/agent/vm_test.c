/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VMs as hypervisors tell of them: rows, states, what follows from what, and what managers are told. */
#include "tests/unit/agent/vms.h"

static struct world world;
static struct pm_machine *m1;
static struct fake_hv *h1, *h2; /* h2 runs in db1, a VM of h1 */
static struct fake_vm *db1, *web, *inner1, *inner2;

static void begin_world(void)
{
	struct pm_inventory *inventory = world_inventory(1);

	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h2", "db1", 0);
	world_begin(&world, inventory);
	m1 = world.agent.machines[0];
	world.agent.stack_driver = &fake_hypervisor;
}

static int set_up(void **state)
{
	(void)state;
	h1 = fake_hv_new("fake://h1", NULL);
	db1 = fake_vm_new(h1, "db1", PM_VM_RUNNING);
	web = fake_vm_new(h1, "web", PM_VM_SHUTDOWN);
	h2 = fake_hv_new("fake://h2", db1);
	inner1 = fake_vm_new(h2, "inner1", PM_VM_RUNNING);
	inner2 = fake_vm_new(h2, "inner2", PM_VM_SHUTDOWN);
	begin_world();
	pm_stack_apply(m1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_end(&world);
	fake_world_free();
	return 0;
}

static bool all_up(void)
{
	for (size_t i = 0; i < m1->hypervisor_count; i++)
		if (!m1->hypervisors[i].up)
			return false;
	return true;
}

static void connect_all(void)
{
	run_until(&world, all_up());
	told_of_vms(&world);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void test_what_hypervisors_tell_becomes_rows(void **state)
{
	const struct pm_vm *vm;

	(void)state;
	web->is.cpus = 4;
	web->is.memory_kib = 8 << 20;
	web->is.autostart = true;
	run_until(&world, all_up());
	assert_int_equal(m1->vm_count, 4);
	assert_int_equal(world.agent.vms, 4);
	assert_int_equal(m1->vms_running, 2);
	assert_int_equal(world.agent.vms_running, 2);
	vm = vm_named(m1, "web");
	assert_int_equal(vm->index, 2);
	assert_ptr_equal(pm_machine_vm(m1, 2), vm);
	assert_null(pm_machine_vm(m1, 5));
	assert_int_equal(vm->cpus, 4);
	assert_int_equal(vm->memory_kib, 8 << 20);
	assert_true(vm->autostart && vm->persistent && vm->known);
	assert_false(vm->active);
	assert_int_equal(vm->id, -1);
	assert_true(pm_vm_is_down(vm));
	assert_true(pm_vm_is_up(vm_named(m1, "db1")));
	assert_int_equal(pm_machine_vms_up(m1), 2);
	assert_false(pm_machine_stack_unknown(m1));
}

static void test_the_tree(void **state)
{
	struct pm_vm *host, *vm;

	(void)state;
	connect_all();
	host = vm_named(m1, "db1");
	vm = vm_named(m1, "inner1");
	assert_ptr_equal(pm_vm_parent(vm), host);
	assert_null(pm_vm_parent(host));
	assert_int_equal(pm_vm_depth(vm), 2);
	assert_int_equal(pm_vm_depth(host), 1);
	assert_ptr_equal(host->carries, &m1->hypervisors[1]);
	assert_ptr_equal(m1->hypervisors[1].host, host);
	assert_null(vm->carries);
}

static void test_the_first_sight_is_not_told(void **state)
{
	(void)state;
	run_until(&world, all_up());
	assert_string_equal(told_of_vms(&world), "");
	assert_false(event_says(m1, 0, "VM"));
	assert_int_equal(vm_named(m1, "db1")->told, PM_VM_RUNNING);
}

static void test_a_change_is_told(void **state)
{
	(void)state;
	connect_all();
	vm_named(m1, "web")->last_change_ms = 5;
	fake_vm_becomes(web, PM_VM_RUNNING);
	run_until(&world, state_of(m1, "web") == PM_VM_RUNNING);
	assert_string_equal(told_of_vms(&world), "web shutdown>running");
	assert_string_equal(last_event(m1), "VM web: running, was shutdown (fake://h1)");
	assert_int_equal(world_sent[world_sent_count - 1].event_index, m1->event_last);
	assert_int_equal(world_sent[world_sent_count - 1].vm, 2);
	assert_true(vm_named(m1, "web")->last_change_ms > 5);
	assert_int_equal(m1->vms_running, 3);
	fake_vm_becomes(web, PM_VM_CRASHED);
	run_until(&world, state_of(m1, "web") == PM_VM_CRASHED);
	assert_string_equal(told_of_vms(&world), "web running>crashed");
	assert_int_equal(pm_event_from(m1, m1->event_last)->severity, PM_SEVERITY_CRITICAL);
	assert_int_equal(m1->vms_running, 2);
	assert_true(pm_vm_is_down(vm_named(m1, "web")));
}

static void test_what_a_vm_passes_through_is_shown_and_not_told(void **state)
{
	uint32_t events;

	(void)state;
	connect_all();
	events = m1->event_last;
	fake_vm_becomes(inner1, PM_VM_SHUTTING_DOWN);
	run_until(&world, state_of(m1, "inner1") == PM_VM_SHUTTING_DOWN);
	assert_string_equal(told_of_vms(&world), "");
	assert_int_equal(m1->event_last, events);
	fake_vm_becomes(inner1, PM_VM_SHUTDOWN);
	run_until(&world, state_of(m1, "inner1") == PM_VM_SHUTDOWN);
	assert_string_equal(told_of_vms(&world), "inner1 running>shutdown");
}

static void test_a_vm_that_comes_and_goes(void **state)
{
	struct fake_vm *new;
	uint64_t changes;

	(void)state;
	connect_all();
	changes = world.agent.vm_rows_changes;
	new = fake_vm_new(h1, "new", PM_VM_SHUTDOWN);
	fake_vm_changed(new);
	run_until(&world, vm_named(m1, "new"));
	assert_string_equal(last_event(m1), "VM new is new on fake://h1: shutdown");
	assert_string_equal(told_of_vms(&world), "new unknown>shutdown");
	assert_int_equal(vm_named(m1, "new")->index, 5);
	assert_true(world.agent.vm_rows_changes > changes);
	fake_vm_undefine(new);
	run_until(&world, !vm_named(m1, "new"));
	assert_string_equal(last_event(m1), "VM new is no longer defined on fake://h1");
	assert_string_equal(told_of_vms(&world), "");
	assert_int_equal(world.agent.vms, 4);
}

/* It is off when it is gone, and managers think that it runs. */
static void test_a_transient_vm_ends(void **state)
{
	(void)state;
	connect_all();
	fake_vm_undefine(db1); /* is transient from now on */
	fake_vm_becomes(db1, PM_VM_SHUTDOWN);
	run_until(&world, !vm_named(m1, "db1"));
	assert_non_null(strstr(told_of_vms(&world), "db1 running>shutdown"));
	db1 = NULL;
	assert_null(m1->hypervisors[1].host);
	run_until(&world, pm_hypervisor_is_down(&m1->hypervisors[1]));
	assert_true(pm_vm_is_down(vm_named(m1, "inner1")));
}

static void test_a_name_is_not_trusted(void **state)
{
	(void)state;
	connect_all();
	snprintf(web->is.name, sizeof(web->is.name), "a\x1b[2J\xff");
	fake_vm_changed(web);
	run_until(&world, !vm_named(m1, "web"));
	assert_string_equal(pm_machine_vm(m1, 2)->name, "a?[2J");
}

/* Of the same UUID there can be one on each hypervisor: the row that was there first stays. */
static void test_the_same_uuid_on_two_hypervisors(void **state)
{
	struct fake_vm *twin = fake_vm_new(h2, "twin", PM_VM_SHUTDOWN);
	struct pm_vm *row, *other;

	(void)state;
	snprintf(twin->is.uuid, sizeof(twin->is.uuid), "%s", web->is.uuid);
	run_until(&world, all_up());
	run_until(&world, vm_named(m1, "twin"));
	row = vm_named(m1, "web");
	other = vm_named(m1, "twin");
	assert_ptr_not_equal(row, other);
	assert_string_equal(row->uuid, other->uuid);
	fake_vm_becomes(twin, PM_VM_RUNNING);
	run_until(&world, state_of(m1, "twin") == PM_VM_RUNNING);
	assert_int_equal(state_of(m1, "web"), PM_VM_SHUTDOWN);
}

/* When one of them goes, its row goes with it: it is not the other one's. */
static void test_one_of_two_with_the_same_uuid_goes(void **state)
{
	struct fake_vm *twin = fake_vm_new(h2, "twin", PM_VM_RUNNING);
	uint32_t index;

	(void)state;
	snprintf(twin->is.uuid, sizeof(twin->is.uuid), "%s", web->is.uuid);
	run_until(&world, all_up() && vm_named(m1, "twin"));
	assert_int_equal(vm_named(m1, "web")->index, 2);
	index = vm_named(m1, "twin")->index;
	fake_vm_undefine(web);
	run_until(&world, !vm_named(m1, "web"));
	assert_null(pm_machine_vm(m1, 2));
	assert_int_equal(vm_named(m1, "twin")->index, index);
	assert_int_equal(state_of(m1, "twin"), PM_VM_RUNNING);
}

/* What many do at once is one event, or the machine's history would have nothing else. */
static void test_many_come_and_go_at_once(void **state)
{
	struct fake_vm *many[20];
	uint32_t event;
	char name[16];

	(void)state;
	connect_all();
	fake_hv_lose(h1, STACK_UNREACHABLE, "", 0);
	run_until(&world, !m1->hypervisors[0].up);
	for (unsigned i = 0; i < LENGTH(many); i++) {
		snprintf(name, sizeof(name), "n%u", i);
		many[i] = fake_vm_new(h1, name, PM_VM_RUNNING);
	}
	event = m1->event_last;
	run_until(&world, m1->hypervisors[0].up);
	assert_int_equal(m1->event_last, event + 1);
	assert_string_equal(last_event(m1),
			    "20 VMs are new on fake://h1: n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, "
			    "n10, n11, n12, n13, n14, n15, n16, n17, n18, n19");
	assert_non_null(strstr(told_of_vms(&world), "n19 unknown>running"));
	assert_int_equal(world_sent_count, 20);
	fake_hv_lose(h1, STACK_UNREACHABLE, "", 0);
	run_until(&world, !m1->hypervisors[0].up);
	event = m1->event_last;
	for (unsigned i = 0; i < LENGTH(many); i++)
		fake_vm_becomes(many[i], i ? PM_VM_SHUTDOWN : PM_VM_CRASHED);
	run_until(&world, m1->hypervisors[0].up);
	assert_int_equal(m1->event_last, event + 1);
	assert_true(event_says(m1, event, "20 VMs have changed on fake://h1: n0, n1"));
	assert_int_equal(pm_event_from(m1, m1->event_last)->severity, PM_SEVERITY_CRITICAL);
	assert_non_null(strstr(told_of_vms(&world), "n0 running>crashed, n1 running>shutdown"));
	fake_hv_lose(h1, STACK_UNREACHABLE, "", 0);
	run_until(&world, !m1->hypervisors[0].up);
	event = m1->event_last;
	for (unsigned i = 0; i < LENGTH(many); i++)
		fake_vm_undefine(many[i]);
	run_until(&world, m1->hypervisors[0].up);
	assert_int_equal(m1->event_last, event + 1);
	assert_true(event_says(m1, event, "20 VMs are no longer defined on fake://h1: n0, n1"));
	assert_int_equal(m1->vm_count, 4);
}

/* The hypervisor in it stays where it is, and it is said that the configuration calls it otherwise. */
static void test_a_vm_that_carries_others_is_renamed(void **state)
{
	(void)state;
	connect_all();
	snprintf(db1->is.name, sizeof(db1->is.name), "db1-new");
	fake_vm_changed(db1);
	run_until(&world, vm_named(m1, "db1-new"));
	assert_ptr_equal(pm_vm_parent(vm_named(m1, "inner1")), vm_named(m1, "db1-new"));
	assert_int_equal(pm_vm_depth(vm_named(m1, "inner1")), 2);
	assert_string_equal(last_event(m1),
			    "VM db1, in which hypervisor fake://h2 runs, is called db1-new now: "
			    "the configuration does not know it");
}

/* Wherever it is now: it goes down after those that run in it. */
static void test_a_vm_that_carries_others_moves(void **state)
{
	struct fake_hv *h3 = fake_hv_new("fake://h3", NULL);
	struct pm_inventory *inventory = world_inventory(1), *old = world.agent.inventory;

	(void)state;
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h2", "db1", 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h3", NULL, 0);
	m1->config = &inventory->machines[0];
	world.agent.inventory = inventory;
	pm_stack_apply(m1);
	pm_inventory_free(old);
	connect_all();
	fake_vm_migrate(db1, h3);
	run_until(&world, vm_named(m1, "db1")->hypervisor == &m1->hypervisors[2]);
	assert_ptr_equal(pm_vm_parent(vm_named(m1, "inner1")), vm_named(m1, "db1"));
	assert_int_equal(vm_named(m1, "db1")->index, 1);
	assert_false(pm_hypervisor_is_astray(&m1->hypervisors[1]));
}

static void test_a_vm_that_moves_keeps_its_row(void **state)
{
	struct fake_vm *moves;
	uint32_t index;

	(void)state;
	connect_all();
	index = vm_named(m1, "inner1")->index;
	fake_vm_migrate(inner1, h1);
	run_until(&world, vm_named(m1, "inner1")->hypervisor == &m1->hypervisors[0]);
	moves = fake_vm_find("inner1");
	assert_ptr_equal(moves->hv, h1);
	run_for_ms(&world, 50);
	assert_int_equal(m1->vm_count, 4);
	assert_int_equal(vm_named(m1, "inner1")->index, index);
	assert_int_equal(pm_vm_depth(vm_named(m1, "inner1")), 1);
	assert_string_equal(told_of_vms(&world), "");
}

static void test_a_reboot_is_counted(void **state)
{
	(void)state;
	connect_all();
	fake_vm_reboots(db1);
	run_until(&world, vm_named(m1, "db1")->reboots == 1);
	assert_string_equal(last_event(m1), "VM db1 has rebooted (fake://h1)");
}

/* --- what follows from what -------------------------------------------------------------------- */

static void test_what_a_silent_hypervisor_had_is_unknown(void **state)
{
	uint32_t events;

	(void)state;
	connect_all();
	events = m1->event_last;
	fake_hv_lose(h1, STACK_UNREACHABLE, "libvirtd restarts", 300);
	run_until(&world, !m1->hypervisors[0].up);
	assert_int_equal(state_of(m1, "web"), PM_VM_UNKNOWN);
	assert_int_equal(m1->vms_running, 1); /* inner1: its hypervisor answers */
	assert_false(pm_vm_is_down(vm_named(m1, "web")) || pm_vm_is_up(vm_named(m1, "web")));
	assert_true(pm_machine_stack_unknown(m1));
	assert_true(pm_hypervisor_is_unknown(&m1->hypervisors[0]));
	assert_string_equal(m1->hypervisors[0].trouble, "libvirtd restarts");
	assert_int_equal(m1->hypervisors[0].result, STACK_UNREACHABLE);
	run_until(&world, all_up());
	assert_int_equal(state_of(m1, "web"), PM_VM_SHUTDOWN);
	assert_string_equal(told_of_vms(&world), "");
	assert_int_equal(m1->event_last, events);
	assert_string_equal(m1->hypervisors[0].trouble, "");
}

/* One event for all, and one notification each. */
static void test_a_silence_that_lasts_is_told(void **state)
{
	uint32_t event;

	(void)state;
	give_bmc(m1);
	bmc_says(m1, true);
	connect_all();
	event = m1->event_last;
	fake_hv_lose(h1, STACK_UNREACHABLE, "no route to host", FAKE_NEVER);
	run_until(&world, !m1->hypervisors[0].up);
	m1->hypervisors[0].patience_loop_ms = uv_now(&world.loop); /* ten seconds have passed */
	pm_stack_machine_changed(m1);
	run_until(&world, m1->hypervisors[0].told_down);
	assert_int_equal(m1->event_last, event + 1);
	assert_string_equal(
	    last_event(m1),
	    "hypervisor fake://h1 does not answer: no route to host; 2 VMs unknown: db1, web");
	assert_string_equal(told_of_vms(&world), "db1 running>unknown, web shutdown>unknown");
	assert_int_equal(world_sent[0].event_index, event + 1);
	assert_int_equal(world_sent[1].event_index, event + 1);
	run_for_ms(&world, 200);
	assert_int_equal(m1->event_last, event + 1); /* told once */
	fake_hv_lose(h1, STACK_UNREACHABLE, "no route to host", 0);
	fake_vm_becomes(web, PM_VM_RUNNING); /* meanwhile */
	run_until(&world, all_up());
	assert_true(event_says(m1, event + 1, "VM web: running, was unknown"));
	assert_true(event_says(m1, event + 1, "hypervisor fake://h1 answers again; 1 VM as before: db1"));
	assert_string_equal(told_of_vms(&world), "web unknown>running, db1 unknown>running");
}

/* The more often it comes and goes, the longer it must answer until that is told. */
static void test_a_hypervisor_that_comes_and_goes(void **state)
{
	struct pm_hypervisor *hypervisor = &m1->hypervisors[0];
	unsigned told = 0;

	(void)state;
	connect_all();
	for (unsigned i = 0; i < 5; i++) {
		fake_hv_lose(h1, STACK_UNREACHABLE, "flaps", 50);
		run_until(&world, !hypervisor->up);
		hypervisor->patience_loop_ms = uv_now(&world.loop);
		pm_stack_machine_changed(m1);
		run_until(&world, hypervisor->told_down);
		run_until(&world, all_up());
		run_for_ms(&world, 20);
		told += !hypervisor->told_down;
	}
	assert_int_equal(told, 1);
	assert_true(hypervisor->hold_ms >= 4000);
	told_of_vms(&world);
	hypervisor->up_loop_ms -= hypervisor->hold_ms; /* it has answered for so long */
	pm_stack_machine_changed(m1);
	run_until(&world, !hypervisor->told_down);
	assert_string_equal(told_of_vms(&world), "db1 unknown>running, web unknown>shutdown");
}

/* In a VM that is seen off nothing runs; it is asked first, as it may not be that VM. */
static void test_on_a_vm_that_is_off_nothing_runs(void **state)
{
	uint32_t event;

	(void)state;
	connect_all();
	event = m1->event_last;
	h2->keepalive_ms = FAKE_NEVER; /* it would take long until the loss is noticed */
	fake_vm_becomes(db1, PM_VM_SHUTDOWN);
	run_until(&world, state_of(m1, "inner1") == PM_VM_SHUTDOWN);
	assert_true(pm_vm_is_down(vm_named(m1, "inner1")));
	assert_true(pm_hypervisor_is_down(&m1->hypervisors[1]));
	assert_false(pm_machine_stack_unknown(m1));
	assert_true(event_says(m1, event, "VM db1: shutdown, was running"));
	assert_true(event_says(m1, event, "1 VM on fake://h2 shutdown, as VM db1 is shutdown: inner1"));
	assert_string_equal(told_of_vms(&world), "db1 running>shutdown, inner1 running>shutdown");
	fake_vm_becomes(db1, PM_VM_RUNNING);
	run_until(&world, state_of(m1, "db1") == PM_VM_RUNNING);
	run_until(&world, all_up());
	assert_int_equal(state_of(m1, "inner1"), PM_VM_SHUTDOWN);
	assert_string_equal(told_of_vms(&world), "db1 shutdown>running");
}

static void ignore_reply(const struct stack_reply *reply, void *data)
{
	(void)reply;
	*(bool *)data = true;
}

/* A list comes, after so long that nothing just goes off or comes up. */
static void list_later(struct pm_hypervisor *hypervisor)
{
	bool done = false;

	hypervisor->away_loop_ms = hypervisor->up_loop_ms = 0;
	assert_non_null(fake_hypervisor.submit(
	    hypervisor->connection,
	    &(struct stack_request){
		.command = STACK_LOOK, .deadline_ms = 1000, .done = ignore_reply, .data = &done}));
	run_until(&world, done);
}

/* The configuration says that it runs in a VM that is off, and here it is. */
static void test_a_hypervisor_that_answers_is_believed(void **state)
{
	uint32_t event;

	(void)state;
	h2->in = NULL;
	run_until(&world, all_up());
	fake_vm_becomes(db1, PM_VM_SHUTDOWN);
	run_until(&world, state_of(m1, "db1") == PM_VM_SHUTDOWN);
	run_for_ms(&world, 100);
	assert_true(m1->hypervisors[1].up);
	assert_int_equal(state_of(m1, "inner1"), PM_VM_RUNNING);
	assert_string_equal(told_of_vms(&world), "db1 running>shutdown");
	assert_false(event_says(m1, 0, "inner1"));
	assert_true(pm_hypervisor_is_astray(&m1->hypervisors[1]));
	list_later(&m1->hypervisors[1]);
	assert_string_equal(last_event(m1),
			    "hypervisor fake://h2 answers, but VM db1, in which it should run, is shutdown");
	event = m1->event_last;
	list_later(&m1->hypervisors[1]);
	assert_int_equal(m1->event_last, event); /* told once */
	fake_vm_undefine(db1);
	run_until(&world, !vm_named(m1, "db1"));
	m1->hypervisors[1].contradicted = false;
	list_later(&m1->hypervisors[1]);
	assert_string_equal(
	    last_event(m1),
	    "hypervisor fake://h2 answers, but fake://h1 has no VM db1, in which it should run");
}

static void test_in_a_vm_that_is_paused_all_is_as_it_was(void **state)
{
	(void)state;
	connect_all();
	fake_vm_becomes(db1, PM_VM_PAUSED);
	run_until(&world, state_of(m1, "db1") == PM_VM_PAUSED);
	run_until(&world, state_of(m1, "inner1") == PM_VM_PAUSED);
	assert_int_equal(state_of(m1, "inner2"), PM_VM_SHUTDOWN);
	assert_false(pm_vm_is_down(vm_named(m1, "inner1")));
	assert_true(pm_vm_is_up(vm_named(m1, "inner1")));
	assert_true(pm_vm_is_down(vm_named(m1, "inner2")));
	assert_true(pm_hypervisor_is_unknown(&m1->hypervisors[1]));
	assert_string_equal(told_of_vms(&world), "db1 running>paused, inner1 running>paused");
	fake_vm_becomes(db1, PM_VM_RUNNING);
	run_until(&world, state_of(m1, "inner1") == PM_VM_RUNNING);
	assert_non_null(strstr(told_of_vms(&world), "inner1 paused>running"));
}

static void test_in_a_vm_that_is_saved_nothing_runs(void **state)
{
	(void)state;
	connect_all();
	fake_vm_becomes(db1, PM_VM_SUSPENDED);
	run_until(&world, state_of(m1, "inner1") == PM_VM_SUSPENDED);
	assert_true(pm_vm_is_down(vm_named(m1, "db1")));
	assert_true(pm_vm_is_down(vm_named(m1, "inner1")));
	assert_int_equal(state_of(m1, "inner2"), PM_VM_SHUTDOWN);
	assert_true(pm_hypervisor_is_down(&m1->hypervisors[1]));
}

static void test_a_vm_asleep_in_memory_is_not_down(void **state)
{
	(void)state;
	connect_all();
	fake_vm_sleeps(db1);
	run_until(&world, state_of(m1, "db1") == PM_VM_SUSPENDED);
	assert_false(pm_vm_is_down(vm_named(m1, "db1")));
	run_until(&world, state_of(m1, "inner1") == PM_VM_SUSPENDED);
	assert_false(pm_vm_is_down(vm_named(m1, "inner1")));
}

/* --- the machine ------------------------------------------------------------------------------ */

static void test_a_hypervisor_is_a_source_of_the_machines_state(void **state)
{
	(void)state;
	run_until(&world, all_up());
	assert_int_equal(m1->observed, PM_POWER_ON);
	assert_int_equal(m1->source, PM_SOURCE_HYPERVISOR);
	assert_true(m1->observed_ms > 0);
	assert_string_equal(pm_event_from(m1, 1)->text, "power state on, was unknown (hypervisor)");
	give_bmc_config(&world.agent.inventory->machines[0], NULL, 0);
	give_bmc(m1);
	bmc_says(m1, true);
	assert_int_equal(m1->source, PM_SOURCE_BMC);
	for (unsigned i = 0; i < MISSES; i++)
		bmc_misses(m1, IPMI_TIMEOUT);
	assert_int_equal(m1->observed, PM_POWER_ON);
	assert_int_equal(m1->source, PM_SOURCE_HYPERVISOR);
	fake_hv_lose(h1, STACK_UNREACHABLE, "gone", FAKE_NEVER);
	run_until(&world, !m1->hypervisors[0].up);
	assert_int_equal(m1->observed, PM_POWER_ON); /* for a moment that holds */
	m1->hypervisors[0].patience_loop_ms = uv_now(&world.loop);
	pm_stack_machine_changed(m1);
	run_until(&world, m1->observed == PM_POWER_UNKNOWN);
	assert_int_equal(m1->source, PM_SOURCE_NONE);
}

/* The one in a VM says nothing of the machine that is not said by that on the machine. */
static void test_a_nested_hypervisor_is_no_source(void **state)
{
	(void)state;
	fake_hv_lose(h1, STACK_UNREACHABLE, "never there", FAKE_NEVER);
	run_until(&world, m1->hypervisors[1].up);
	assert_int_equal(m1->observed, PM_POWER_UNKNOWN);
}

static void test_on_a_machine_that_is_off_nothing_runs(void **state)
{
	uint32_t event;

	(void)state;
	give_bmc(m1);
	bmc_says(m1, true);
	connect_all();
	event = m1->event_last;
	h1->keepalive_ms = h2->keepalive_ms = FAKE_NEVER;
	fake_hv_power(h1, false);
	bmc_says(m1, false);
	run_until(&world, state_of(m1, "db1") == PM_VM_SHUTDOWN);
	run_until(&world, state_of(m1, "inner1") == PM_VM_SHUTDOWN);
	assert_true(event_says(m1, event, "1 VM on fake://h1 shutdown, as the machine is off: db1"));
	assert_string_equal(told_of_vms(&world), "db1 running>shutdown, inner1 running>shutdown");
	assert_int_equal(m1->vms_running, 0);
	assert_false(pm_machine_stack_unknown(m1));
	fake_hv_power(h1, true);
	bmc_says(m1, true);
	run_until(&world, m1->hypervisors[0].up);
	assert_string_equal(told_of_vms(&world), "");
	assert_int_equal(state_of(m1, "db1"), PM_VM_SHUTDOWN);
}

/* A loss that is noticed before the BMC is asked is explained by what it says then. */
static void test_the_machine_went_off_before_anybody_said_so(void **state)
{
	(void)state;
	give_bmc(m1);
	bmc_says(m1, true);
	connect_all();
	fake_hv_power(h1, false);
	run_until(&world, !m1->hypervisors[0].up && !m1->hypervisors[1].up);
	assert_int_equal(state_of(m1, "db1"), PM_VM_UNKNOWN);
	assert_string_equal(told_of_vms(&world), "");
	bmc_says(m1, false);
	assert_int_equal(state_of(m1, "db1"), PM_VM_SHUTDOWN);
	assert_int_equal(state_of(m1, "inner1"), PM_VM_SHUTDOWN);
	assert_string_equal(told_of_vms(&world), "db1 running>shutdown, inner1 running>shutdown");
}

static void test_the_bmc_says_off_and_vms_run(void **state)
{
	static const char words[] =
	    "the BMC says off, but hypervisor fake://h1 answers and 1 VM runs: is it the BMC of this machine?";
	uint32_t event;

	(void)state;
	give_bmc(m1);
	connect_all();
	bmc_says(m1, false);
	run_for_ms(&world, 50);
	assert_true(m1->hypervisors[0].up);
	assert_int_equal(m1->observed, PM_POWER_OFF);
	assert_int_equal(state_of(m1, "db1"), PM_VM_RUNNING);
	assert_true(pm_vm_is_up(vm_named(m1, "db1")));
	assert_false(event_says(m1, 0, words)); /* it may just go off */
	list_later(&m1->hypervisors[0]);
	assert_true(event_says(m1, 0, words));
	event = m1->event_last;
	bmc_says(m1, false);
	list_later(&m1->hypervisors[0]);
	assert_false(event_says(m1, event, words)); /* told once */
	bmc_says(m1, true);
	list_later(&m1->hypervisors[0]);
	bmc_says(m1, false);
	list_later(&m1->hypervisors[0]);
	assert_true(event_says(m1, event, words));
	assert_string_equal(told_of_vms(&world), "");
}

/* --- what jobs say ---------------------------------------------------------------------------- */

static void test_a_transition_is_shown(void **state)
{
	struct pm_vm *vm;

	(void)state;
	connect_all();
	vm = vm_named(m1, "inner1");
	pm_vm_transition(vm, PM_VM_SHUTTING_DOWN);
	assert_int_equal(pm_vm_state(vm), PM_VM_SHUTTING_DOWN);
	assert_int_equal(pm_vm_observed(vm), PM_VM_RUNNING);
	assert_int_equal(m1->vms_running, 1);
	assert_true(pm_vm_is_up(vm));
	assert_string_equal(told_of_vms(&world), "");
	fake_vm_becomes(inner1, PM_VM_SHUTDOWN);
	run_until(&world, pm_vm_is_down(vm));
	assert_int_equal(pm_vm_state(vm), PM_VM_SHUTDOWN);
	assert_string_equal(told_of_vms(&world), "inner1 running>shutdown");
	pm_vm_result(vm, PM_RESULT_OK, "shut down in 0.1 s");
	assert_int_equal(vm->last_result, PM_RESULT_OK);
}

/* --- over restarts ---------------------------------------------------------------------------- */

/* The agent ends, and another one begins with what is in the store. */
static void restart(void)
{
	char directory[DIRECTORY_MAX];
	struct pm_inventory *inventory = world_inventory(1);
	struct pm_agent *agent = &world.agent;
	struct pm_error err = {""};

	assert_int_equal(pm_flush(agent), 0);
	snprintf(directory, sizeof(directory), "%s", world.directory);
	world_free_machines(agent);
	pm_polling_free(agent);
	pm_groups_free(agent);
	pm_notify_free(agent);
	pm_jobs_close(agent);
	pm_timer_free(agent->flush_timer);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world.loop), 0);
	pm_inventory_free(agent->inventory);
	pm_store_close(agent->store);
	give_hypervisor_config(&inventory->machines[0], "fake://h1", NULL, 0);
	give_hypervisor_config(&inventory->machines[0], "fake://h2", "db1", 0);
	world_begin_in(&world, inventory, directory);
	m1 = world.agent.machines[0];
	world.agent.stack_driver = &fake_hypervisor;
	if (pm_stack_restore(&world.agent, &err) < 0)
		fail_msg("%s", err.text);
	pm_stack_apply(m1);
}

static void test_rows_outlive_a_restart(void **state)
{
	const struct pm_vm *vm;
	int64_t change_ms;

	(void)state;
	connect_all();
	pm_vm_result(vm_named(m1, "web"), PM_RESULT_TIMEOUT, "too late");
	change_ms = vm_named(m1, "web")->last_change_ms;
	fake_hv_lose(h1, STACK_UNREACHABLE, "away", 200);
	restart();
	assert_int_equal(m1->vm_count, 4);
	vm = vm_named(m1, "web");
	assert_int_equal(vm->index, 2);
	assert_int_equal(vm->last_result, PM_RESULT_TIMEOUT);
	assert_string_equal(vm->last_result_text, "too late");
	assert_int_equal(pm_vm_state(vm), PM_VM_UNKNOWN);
	assert_false(vm->known);
	assert_int_equal(pm_vm_depth(vm_named(m1, "inner1")), 2);
	assert_ptr_equal(pm_vm_parent(vm_named(m1, "inner1")), vm_named(m1, "db1"));
	assert_true(pm_machine_stack_unknown(m1));
	fake_vm_becomes(web, PM_VM_RUNNING);
	fake_vm_undefine(inner2);
	run_until(&world, all_up());
	assert_string_equal(told_of_vms(&world), "web shutdown>running");
	assert_null(vm_named(m1, "inner2"));
	assert_true(vm_named(m1, "web")->last_change_ms > change_ms);
	assert_int_equal(vm_named(m1, "db1")->told, PM_VM_RUNNING);
	restart();
	assert_int_equal(m1->vm_count, 3);
	run_until(&world, all_up());
	assert_string_equal(told_of_vms(&world), "");
}

/* A BMC that says off is enough to know, also when no hypervisor has answered since the start. */
static void test_after_a_restart_the_machine_is_off(void **state)
{
	(void)state;
	connect_all();
	fake_hv_power(h1, false);
	restart();
	assert_int_equal(state_of(m1, "db1"), PM_VM_UNKNOWN);
	give_bmc(m1);
	bmc_says(m1, false);
	assert_int_equal(state_of(m1, "db1"), PM_VM_SHUTDOWN);
	assert_string_equal(told_of_vms(&world), "db1 running>shutdown, inner1 running>shutdown");
}

/* What was told before is not told again. */
static void test_a_silence_told_before_a_restart(void **state)
{
	uint32_t events;

	(void)state;
	connect_all();
	fake_hv_lose(h1, STACK_UNREACHABLE, "dead", FAKE_NEVER);
	run_until(&world, !m1->hypervisors[0].up);
	m1->hypervisors[0].patience_loop_ms = uv_now(&world.loop);
	pm_stack_machine_changed(m1);
	run_until(&world, m1->hypervisors[0].told_down);
	assert_string_equal(told_of_vms(&world), "db1 running>unknown, web shutdown>unknown");
	restart();
	events = m1->event_last;
	run_until(&world, m1->hypervisors[1].up);
	m1->hypervisors[0].patience_loop_ms = uv_now(&world.loop);
	pm_stack_machine_changed(m1);
	run_until(&world, m1->hypervisors[0].told_down);
	assert_string_equal(told_of_vms(&world), "");
	assert_false(event_says(m1, events, "fake://h1"));
	fake_hv_lose(h1, STACK_UNREACHABLE, "dead", 0);
	run_until(&world, all_up());
	assert_string_equal(told_of_vms(&world), "db1 unknown>running, web unknown>shutdown");
}

static void test_a_wish_outlives_the_vm(void **state)
{
	struct pm_setting_owner owner = {.agent = &world.agent};
	struct pm_error err = {""};
	struct fake_vm *again;
	char uuid[STACK_UUID_SIZE];

	(void)state;
	connect_all();
	owner.machine = m1;
	owner.vm = vm_named(m1, "inner2");
	assert_int_equal(pm_setting_store(&owner, PM_SET_VM_ADMIN_STATE, "4", &err), 0);
	snprintf(uuid, sizeof(uuid), "%s", inner2->is.uuid);
	fake_vm_undefine(inner2);
	run_until(&world, !vm_named(m1, "inner2"));
	again = fake_vm_new(h2, "inner2", PM_VM_SHUTDOWN);
	snprintf(again->is.uuid, sizeof(again->is.uuid), "%s", uuid);
	fake_vm_changed(again);
	run_until(&world, vm_named(m1, "inner2"));
	assert_int_equal(vm_named(m1, "inner2")->index, 4);
	assert_int_equal(vm_named(m1, "inner2")->admin_state, PM_VM_WISH_SHUTDOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_hypervisors_tell_becomes_rows),
	    TEST(test_the_tree),
	    TEST(test_the_first_sight_is_not_told),
	    TEST(test_a_change_is_told),
	    TEST(test_what_a_vm_passes_through_is_shown_and_not_told),
	    TEST(test_a_vm_that_comes_and_goes),
	    TEST(test_a_transient_vm_ends),
	    TEST(test_a_name_is_not_trusted),
	    TEST(test_the_same_uuid_on_two_hypervisors),
	    TEST(test_one_of_two_with_the_same_uuid_goes),
	    TEST(test_many_come_and_go_at_once),
	    TEST(test_a_vm_that_carries_others_is_renamed),
	    TEST(test_a_vm_that_carries_others_moves),
	    TEST(test_a_vm_that_moves_keeps_its_row),
	    TEST(test_a_reboot_is_counted),
	    TEST(test_what_a_silent_hypervisor_had_is_unknown),
	    TEST(test_a_silence_that_lasts_is_told),
	    TEST(test_a_hypervisor_that_comes_and_goes),
	    TEST(test_on_a_vm_that_is_off_nothing_runs),
	    TEST(test_a_hypervisor_that_answers_is_believed),
	    TEST(test_in_a_vm_that_is_paused_all_is_as_it_was),
	    TEST(test_in_a_vm_that_is_saved_nothing_runs),
	    TEST(test_a_vm_asleep_in_memory_is_not_down),
	    TEST(test_a_hypervisor_is_a_source_of_the_machines_state),
	    TEST(test_a_nested_hypervisor_is_no_source),
	    TEST(test_on_a_machine_that_is_off_nothing_runs),
	    TEST(test_the_machine_went_off_before_anybody_said_so),
	    TEST(test_the_bmc_says_off_and_vms_run),
	    TEST(test_a_transition_is_shown),
	    TEST(test_rows_outlive_a_restart),
	    TEST(test_after_a_restart_the_machine_is_off),
	    TEST(test_a_silence_told_before_a_restart),
	    TEST(test_a_wish_outlives_the_vm),
	};

	return cmocka_run_group_tests_name("vm", tests, NULL, NULL);
}
