/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Random stacks to which random things happen, many times: what the agent shows is never better known than it can be, says
 * nothing that is not so, and managers are told every change once and in order.
 */
#include "tests/unit/agent/vms.h"

#ifndef WORLDS
#define WORLDS 8
#endif
#define STEPS    80
#define HV_MAX   6
#define VMS_MAX  60
#define TURNS    15 /* of the loop, of a millisecond each: what has happened is told by then */
#define TOLD_MAX 256

static struct world world;
static struct pm_machine *m1;
static struct fake_hv *hvs[HV_MAX];
static unsigned hv_count, vm_number;
static bool machine_on, has_bmc;

static struct fake_vm *any_vm(void)
{
	struct fake_hv *hv = hvs[repeatable_random(hv_count)];

	return hv->vm_count ? hv->vms[repeatable_random((uint32_t)hv->vm_count)] : NULL;
}

static struct fake_vm *new_vm(struct fake_hv *hv)
{
	static const enum pm_vm_state states[] = {PM_VM_RUNNING, PM_VM_RUNNING, PM_VM_SHUTDOWN, PM_VM_PAUSED};
	char name[16];

	snprintf(name, sizeof(name), "vm%u", ++vm_number);
	return fake_vm_new(hv, name, states[repeatable_random(LENGTH(states))]);
}

/* --- a world ---------------------------------------------------------------------------------- */

/* Each hypervisor but the first runs in a VM of one before it, or on the machine. */
static void make_hypervisor(struct pm_machine_config *config, unsigned number)
{
	struct fake_vm *in = NULL;
	unsigned on = number ? repeatable_random(number) : 0;
	char uri[32];

	if (number && repeatable_random(4) > 0)
		in = hvs[on]->vms[repeatable_random((uint32_t)hvs[on]->vm_count)];
	for (unsigned i = 0; in && i < number; i++)
		if (hvs[i]->in == in)
			in = NULL;
	snprintf(uri, sizeof(uri), "fake://h%u", number);
	give_hypervisor_config(config, uri, in ? in->is.name : NULL, in ? on : 0);
	hvs[number] = fake_hv_new(uri, in);
	hvs[number]->retry_ms = 1;
	hvs[number]->keepalive_ms = 5;
	for (unsigned i = 1 + repeatable_random(5); i > 0; i--)
		new_vm(hvs[number]);
}

static bool all_answer(void)
{
	for (unsigned i = 0; i < hv_count; i++)
		if (!m1->hypervisors[i].up)
			return false;
	return true;
}

/* All have been listed once: from then on each change is told. */
static void begin(void)
{
	struct pm_inventory *inventory = world_inventory(1);

	vm_number = 0;
	hv_count = 1 + repeatable_random(HV_MAX);
	for (unsigned i = 0; i < hv_count; i++)
		make_hypervisor(&inventory->machines[0], i);
	give_bmc_config(&inventory->machines[0], NULL, 0);
	world_begin(&world, inventory);
	m1 = world.agent.machines[0];
	world.agent.stack_driver = &fake_hypervisor;
	machine_on = true;
	has_bmc = repeatable_random(3) > 0;
	give_bmc(m1);
	pm_stack_apply(m1);
	for (unsigned i = 0; i < hv_count; i++)
		if (hvs[i]->in)
			fake_vm_becomes(hvs[i]->in, PM_VM_RUNNING);
	run_until(&world, all_answer());
}

static void end(void)
{
	world_end(&world);
	fake_world_free();
}

/* --- what happens ------------------------------------------------------------------------------ */

static bool is_host(const struct fake_vm *vm)
{
	for (unsigned i = 0; i < hv_count; i++)
		if (hvs[i]->in == vm)
			return true;
	return false;
}

static bool stands(const struct fake_hv *hv)
{
	return hv->on && (!hv->in || (hv->in->is.active && stands(hv->in->hv)));
}

/* And none of the VMs it runs in is stopped: nothing happens there then. */
static bool moves(const struct fake_hv *hv)
{
	return hv->on && (!hv->in || (hv->in->is.state == PM_VM_RUNNING && moves(hv->in->hv)));
}

static void change_vm(struct fake_vm *vm)
{
	static const enum pm_vm_state states[] = {PM_VM_RUNNING, PM_VM_RUNNING,   PM_VM_RUNNING,
						  PM_VM_PAUSED,  PM_VM_SHUTDOWN,  PM_VM_SHUTDOWN,
						  PM_VM_CRASHED, PM_VM_SUSPENDED, PM_VM_SHUTTING_DOWN};

	if (vm && moves(vm->hv))
		fake_vm_becomes(vm, states[repeatable_random(LENGTH(states))]);
}

static void change_rows(struct fake_vm *vm)
{
	struct fake_hv *to = hvs[repeatable_random(hv_count)];

	switch (repeatable_random(3)) {
	case 0:
		if (vm_number < VMS_MAX && moves(to))
			fake_vm_changed(new_vm(to));
		break;
	case 1:
		if (vm && !is_host(vm) && moves(vm->hv))
			fake_vm_undefine(vm);
		break;
	default:
		if (vm && !is_host(vm) && vm->hv != to && moves(to) && moves(vm->hv))
			fake_vm_migrate(vm, to);
	}
}

static void change_hypervisor(struct fake_hv *hv)
{
	if (repeatable_random(2))
		fake_hv_lose(hv, STACK_UNREACHABLE, "lost", repeatable_random(3) ? 0 : FAKE_NEVER);
	else
		fake_hv_silence(hv, repeatable_random(2));
}

static void change_machine(void)
{
	machine_on = !machine_on;
	for (unsigned i = 0; i < hv_count; i++)
		if (!hvs[i]->in)
			fake_hv_power(hvs[i], machine_on);
	if (has_bmc)
		bmc_says(m1, machine_on);
}

static void something_happens(void)
{
	struct fake_vm *vm = any_vm();

	switch (repeatable_random(10)) {
	case 0:
	case 1:
		change_rows(vm);
		break;
	case 2:
	case 3:
		change_hypervisor(hvs[repeatable_random(hv_count)]);
		break;
	case 4:
		change_machine();
		break;
	case 5: /* time passes: silence is told */
		for (size_t i = 0; i < m1->hypervisor_count; i++)
			m1->hypervisors[i].patience_loop_ms = 1;
		pm_stack_machine_changed(m1);
		break;
	default:
		change_vm(vm);
	}
}

/* --- what must hold --------------------------------------------------------------------------- */

static const struct fake_vm *real(const struct pm_vm *vm)
{
	for (unsigned i = 0; i < hv_count; i++)
		for (size_t j = 0; j < hvs[i]->vm_count; j++)
			if (strcmp(hvs[i]->vms[j]->is.uuid, vm->uuid) == 0)
				return hvs[i]->vms[j];
	return NULL;
}

static bool runs(const struct fake_vm *vm)
{
	return vm->is.active && stands(vm->hv);
}

static bool is_here(const struct fake_vm *is, const struct pm_vm *vm)
{
	return strcmp(is->hv->uri, vm->hypervisor->config->uri) == 0;
}

/* What is shown as known is so; what is shown as down does not run. */
static void check_vm(const struct pm_vm *vm)
{
	const struct fake_vm *is = real(vm);
	enum pm_vm_state state = pm_vm_observed(vm);

	if (vm->hypervisor->up && !vm->leaving) {
		assert_non_null(is);
		assert_true(is_here(is, vm));
		assert_int_equal(state, is->is.state);
		assert_int_equal(vm->active, is->is.active);
	}
	if (is && is_here(is, vm) && pm_vm_is_down(vm)) /* it may have moved to one that does not answer */
		assert_false(runs(is));
	assert_true(pm_vm_is_down(vm) + pm_vm_is_up(vm) + (state == PM_VM_UNKNOWN) == 1);
	if (pm_vm_is_up(vm) && is)
		assert_true(runs(is) || is->frozen || (is->hv->in && is->hv->in->frozen) ||
			    !vm->hypervisor->up);
	assert_int_equal(vm->shown, state);
}

static void check_tree(const struct pm_vm *vm)
{
	const struct pm_vm *parent = pm_vm_parent(vm);

	assert_int_equal(pm_vm_depth(vm), parent || vm->hypervisor->on ? pm_vm_depth(vm) : 1);
	if (!parent)
		return;
	assert_int_equal(pm_vm_depth(vm), pm_vm_depth(parent) + 1);
	assert_ptr_equal(parent->carries, vm->hypervisor);
	assert_string_equal(parent->name, vm->hypervisor->config->guest);
}

static void check_hypervisor(const struct pm_hypervisor *hypervisor, const struct fake_hv *hv)
{
	if (pm_hypervisor_is_down(hypervisor))
		assert_false(stands(hv));
	assert_true(
	    hypervisor->up + pm_hypervisor_is_down(hypervisor) + pm_hypervisor_is_unknown(hypervisor) == 1);
	if (!hypervisor->up)
		return;
	for (size_t i = 0; i < hv->vm_count; i++) { /* all have rows */
		bool found = false;

		for (size_t j = 0; j < m1->vm_count; j++)
			found |= m1->vms[j]->hypervisor == hypervisor &&
				 strcmp(m1->vms[j]->uuid, hv->vms[i]->is.uuid) == 0;
		assert_true(found);
	}
}

static void check_counts(void)
{
	unsigned running = 0, up = 0;

	for (size_t i = 0; i < m1->vm_count; i++) {
		running += pm_vm_state(m1->vms[i]) == PM_VM_RUNNING;
		up += pm_vm_is_up(m1->vms[i]);
		if (i > 0)
			assert_true(m1->vms[i - 1]->index < m1->vms[i]->index);
		assert_ptr_equal(pm_machine_vm(m1, m1->vms[i]->index), m1->vms[i]);
	}
	assert_int_equal(m1->vms_running, running);
	assert_int_equal(world.agent.vms_running, running);
	assert_int_equal(world.agent.vms, m1->vm_count);
	assert_int_equal(pm_machine_vms_up(m1), up);
}

/* What managers know: each notification says what the one before it said, and the row is as it was told. */
static enum pm_vm_state known[TOLD_MAX];

/* One that was off when it went. */
static bool has_come_back(const struct pm_notification *n)
{
	return n->old_vm_state == PM_VM_UNKNOWN &&
	       (known[n->vm] == PM_VM_SHUTDOWN || known[n->vm] == PM_VM_CRASHED);
}

static void check_told(void)
{
	world_sent_count = 0;
	world_sent_max = SENT_MAX;
	while (pm_notify_counts(&world.agent).pending) {
		world_sent_count = 0;
		world_drain(&world);
		for (unsigned i = 0; i < world_sent_count; i++) {
			const struct pm_notification *n = &world_sent[i];

			if (n->type != PM_NOTIFY_VM_STATE_CHANGE)
				continue;
			assert_in_range(n->vm, 1, TOLD_MAX - 1);
			assert_int_not_equal(n->vm_state, n->old_vm_state);
			if (known[n->vm] && !has_come_back(n))
				assert_int_equal(n->old_vm_state, known[n->vm]);
			known[n->vm] = n->vm_state;
		}
	}
	for (size_t i = 0; i < m1->vm_count; i++)
		if (known[m1->vms[i]->index] && !m1->vms[i]->fresh)
			assert_int_equal(known[m1->vms[i]->index], m1->vms[i]->told);
}

static bool passes(enum pm_vm_state state)
{
	return state == PM_VM_SHUTTING_DOWN || state == PM_VM_MIGRATING;
}

/* What is known is told, but for a hypervisor that must hold first. */
static void check_all_told(void)
{
	for (size_t i = 0; i < m1->vm_count; i++) {
		const struct pm_vm *vm = m1->vms[i];

		if (vm->hypervisor->up && !vm->hypervisor->told_down && vm->told && !passes(vm->shown))
			assert_int_equal(vm->told, vm->shown);
	}
}

static void check(void)
{
	for (size_t i = 0; i < m1->vm_count; i++) {
		check_vm(m1->vms[i]);
		check_tree(m1->vms[i]);
	}
	for (unsigned i = 0; i < hv_count; i++)
		check_hypervisor(&m1->hypervisors[i], hvs[i]);
	check_counts();
	check_all_told();
	check_told();
}

/* Everything comes back, and all is known. */
static void recover(void)
{
	if (!machine_on)
		change_machine();
	for (unsigned i = 0; i < hv_count; i++) {
		if (hvs[i]->in)
			fake_vm_becomes(hvs[i]->in, PM_VM_RUNNING);
		fake_hv_silence(hvs[i], false);
		fake_hv_lose(hvs[i], STACK_UNREACHABLE, "", 0);
	}
	run_until(&world, all_answer());
	run_for_ms(&world, TURNS);
	check();
	for (size_t i = 0; i < m1->vm_count; i++)
		assert_int_not_equal(pm_vm_observed(m1->vms[i]), PM_VM_UNKNOWN);
	assert_false(pm_machine_stack_unknown(m1));
}

static void test_random_stacks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WORLDS; i++) {
		begin();
		memset(known, 0, sizeof(known));
		for (unsigned step = 0; step < STEPS; step++) {
			something_happens();
			if (repeatable_random(3))
				continue;
			run_for_ms(&world, TURNS);
			check();
		}
		recover();
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_stacks)};

	return cmocka_run_group_tests_name("vm_random", tests, NULL, NULL);
}
