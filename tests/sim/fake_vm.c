/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a fake VM: commands, and what time does to it. */
#include "tests/sim/fake_private.h"

#include <stdlib.h>
#include <string.h>

static int ids;

/* --- time ------------------------------------------------------------------------------------- */

static void arm(struct fake_vm *vm)
{
	uint64_t due_ms = UINT64_MAX, now_ms;

	pm_timer_stop(vm->timer);
	if (!vm->timer || vm->frozen)
		return;
	for (int i = 0; i < FAKE_DUE_COUNT; i++)
		if (vm->due_ms[i] && vm->due_ms[i] < due_ms)
			due_ms = vm->due_ms[i];
	if (due_ms == UINT64_MAX)
		return;
	now_ms = uv_now(fake_loop());
	pm_timer_start(vm->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

static void in_ms(struct fake_vm *vm, enum fake_due what, unsigned delay_ms)
{
	if (delay_ms == FAKE_NEVER)
		return;
	vm->due_ms[what] = fake_now_ms() + delay_ms;
	arm(vm);
}

static void restart_guest(struct fake_vm *vm);

static void on_time(void *data)
{
	struct fake_vm *vm = data;
	uint64_t now_ms = fake_now_ms();
	enum fake_due what = FAKE_DUE_COUNT;

	for (int i = FAKE_DUE_COUNT - 1; i >= 0; i--)
		if (vm->due_ms[i] && vm->due_ms[i] <= now_ms)
			what = (enum fake_due)i;
	if (what == FAKE_DUE_COUNT) {
		arm(vm);
		return;
	}
	vm->due_ms[what] = 0;
	arm(vm);
	if (what == FAKE_DUE_REBOOTED) {
		restart_guest(vm);
		return;
	}
	if (what == FAKE_DUE_OFF)
		fake_vm_stand(vm, PM_VM_SHUTTING_DOWN);
	fake_vm_becomes(vm, what == FAKE_DUE_OFF ? PM_VM_SHUTDOWN : PM_VM_CRASHED);
}

void fake_vm_attach(struct fake_vm *vm, uv_loop_t *loop)
{
	pm_timer_free(vm->timer);
	vm->timer = loop ? pm_timer_new(loop, on_time, vm) : NULL;
	if (loop && !vm->timer)
		abort();
	arm(vm);
}

static bool stands_still(const struct fake_vm *vm)
{
	bool runs = vm->is.state == PM_VM_RUNNING || vm->is.state == PM_VM_SHUTTING_DOWN;

	return !runs || (vm->hv->in && vm->hv->in->frozen);
}

/* While it stands still, its time does not pass, nor that of what runs on it. */
void fake_vm_settle(struct fake_vm *vm)
{
	bool frozen = stands_still(vm);
	uint64_t now_ms = fake_now_ms();

	if (frozen && !vm->frozen)
		vm->frozen_ms = now_ms;
	for (int i = 0; i < FAKE_DUE_COUNT && vm->frozen && !frozen; i++)
		if (vm->due_ms[i])
			vm->due_ms[i] += now_ms - vm->frozen_ms;
	if (frozen == vm->frozen)
		return;
	vm->frozen = frozen;
	arm(vm);
	for (struct fake_hv *hv = fake_hvs(); hv; hv = hv->next) {
		if (hv->in != vm)
			continue;
		fake_patience(hv);
		for (size_t i = 0; i < hv->vm_count; i++) {
			fake_vm_settle(hv->vms[i]);
			fake_call_kick(hv->vms[i]);
		}
	}
}

/* --- states ----------------------------------------------------------------------------------- */

static void hypervisors_of(struct fake_vm *vm, void (*each)(struct fake_hv *hv))
{
	for (struct fake_hv *hv = fake_hvs(); hv; hv = hv->next)
		if (hv->in == vm)
			each(hv);
}

static void remove_vm(struct fake_vm *vm)
{
	fake_log(FAKE_GONE, vm->hv, vm, 0, 0);
	fake_tell_uuid(vm->hv, STACK_VM_GONE, vm->is.uuid, false);
	while (vm->calls)
		fake_call_end(vm->calls, vm->calls->done ? vm->calls->result : STACK_NO_VM, "it is gone");
	fake_hv_remove(vm->hv, vm);
	fake_vm_free(vm);
}

/* It is off, whatever that is called. */
static void stop_guest(struct fake_vm *vm)
{
	vm->is.active = false;
	vm->is.id = -1;
	vm->button = false;
	memset(vm->due_ms, 0, sizeof(vm->due_ms));
}

static void enter(struct fake_vm *vm, enum pm_vm_state state)
{
	bool saved = state == PM_VM_SUSPENDED;

	vm->is.state = state;
	vm->is.saved = saved;
	if (saved)
		vm->is.active = false, vm->is.id = -1; /* its guest goes on later */
	else
		stop_guest(vm);
	fake_log(FAKE_IS, vm->hv, vm, 0, 0);
	if (!saved)
		hypervisors_of(vm, fake_hv_fall);
	fake_vm_settle(vm);
	fake_tell_vm(vm);
	if (!vm->is.persistent && !saved)
		remove_vm(vm);
}

void fake_vm_start(struct fake_vm *vm)
{
	bool saved = vm->is.saved;

	vm->is.state = PM_VM_RUNNING;
	vm->is.active = true;
	vm->is.saved = false;
	vm->is.id = ++ids;
	fake_log(FAKE_IS, vm->hv, vm, 0, 0);
	fake_vm_settle(vm);
	if (!saved) {
		vm->booted_ms = fake_now_ms() + vm->boot_ms;
		in_ms(vm, FAKE_DUE_CRASH, vm->crash_ms);
		hypervisors_of(vm, fake_hv_rise);
	}
	fake_tell_vm(vm);
}

static void restart_guest(struct fake_vm *vm)
{
	vm->due_ms[FAKE_DUE_REBOOTED] = vm->due_ms[FAKE_DUE_OFF] = 0;
	vm->button = false;
	vm->booted_ms = fake_now_ms() + vm->boot_ms;
	arm(vm);
	fake_log(FAKE_REBOOTED, vm->hv, vm, 0, 0);
	hypervisors_of(vm, fake_hv_fall);
	hypervisors_of(vm, fake_hv_rise);
	fake_tell_uuid(vm->hv, STACK_REBOOTED, vm->is.uuid, false);
}

void fake_vm_stand(struct fake_vm *vm, enum pm_vm_state state)
{
	vm->is.state = state;
	fake_log(FAKE_IS, vm->hv, vm, 0, 0);
	fake_vm_settle(vm);
	fake_tell_vm(vm);
}

static void press_button(struct fake_vm *vm, bool agent)
{
	vm->button = false;
	if (vm->deaf && !agent)
		return;
	if (fake_now_ms() >= vm->booted_ms && !vm->due_ms[FAKE_DUE_OFF])
		in_ms(vm, FAKE_DUE_OFF, vm->shutdown_ms);
}

/* What was pressed while it stood still, the guest hears now. */
static void go_on(struct fake_vm *vm)
{
	fake_vm_stand(vm, PM_VM_RUNNING);
	if (vm->button)
		press_button(vm, false);
}

static void be_running(struct fake_vm *vm)
{
	if (vm->is.active) {
		go_on(vm);
	} else {
		fake_vm_start(vm);
		vm->booted_ms = 0;
	}
}

void fake_vm_becomes(struct fake_vm *vm, enum pm_vm_state state)
{
	switch (state) {
	case PM_VM_RUNNING:
		be_running(vm);
		break;
	case PM_VM_SHUTDOWN:
	case PM_VM_CRASHED:
	case PM_VM_SUSPENDED:
		enter(vm, state);
		break;
	default:
		if (!vm->is.active)
			fake_vm_start(vm);
		fake_vm_stand(vm, state);
	}
}

void fake_vm_reboots(struct fake_vm *vm)
{
	restart_guest(vm);
}

void fake_vm_sleeps(struct fake_vm *vm)
{
	fake_vm_stand(vm, PM_VM_SUSPENDED);
}

void fake_vm_changed(struct fake_vm *vm)
{
	fake_tell_vm(vm);
}

void fake_vm_undefine(struct fake_vm *vm)
{
	vm->is.persistent = false;
	if (vm->is.active)
		fake_tell_vm(vm);
	else
		remove_vm(vm);
}

/* Its hypervisor is dead: nobody tells of it. */
void fake_vm_kill(struct fake_vm *vm)
{
	fake_call_free_all(vm);
	if (!vm->is.active)
		return;
	vm->is.state = PM_VM_SHUTDOWN;
	fake_log(FAKE_KILLED, vm->hv, vm, 0, 0);
	stop_guest(vm);
	hypervisors_of(vm, fake_hv_fall);
	fake_vm_settle(vm);
	if (!vm->is.persistent)
		remove_vm(vm);
}

void fake_vm_free(struct fake_vm *vm)
{
	for (struct fake_hv *hv = fake_hvs(); hv; hv = hv->next) {
		if (hv->in == vm) {
			hv->in = NULL;
			hv->on = false;
		}
	}
	fake_call_free_all(vm);
	pm_timer_free(vm->timer);
	free(vm);
}

/* --- commands --------------------------------------------------------------------------------- */

static enum stack_result start(struct fake_vm *vm)
{
	if (vm->is.active)
		return vm->is.state == PM_VM_RUNNING ? STACK_ALREADY : STACK_REFUSED;
	fake_vm_start(vm);
	return STACK_OK;
}

/* From a pause or from its own sleep, whichever it is. */
static enum stack_result resume(struct fake_vm *vm)
{
	if (!vm->is.active)
		return STACK_REFUSED;
	if (vm->is.state == PM_VM_RUNNING)
		return STACK_ALREADY;
	go_on(vm);
	return STACK_OK;
}

static enum stack_result shut_down(struct fake_vm *vm, bool agent)
{
	if (!vm->is.active)
		return STACK_ALREADY;
	if (vm->frozen)
		vm->button = true;
	else
		press_button(vm, agent && vm->agent);
	return STACK_OK;
}

static enum stack_result destroy(struct fake_vm *vm)
{
	if (!vm->is.active)
		return STACK_ALREADY;
	enter(vm, PM_VM_SHUTDOWN);
	return STACK_OK;
}

static enum stack_result reboot(struct fake_vm *vm)
{
	if (!vm->is.active)
		return STACK_REFUSED;
	if (!vm->frozen && fake_now_ms() >= vm->booted_ms)
		in_ms(vm, FAKE_DUE_REBOOTED, vm->reboot_ms);
	return STACK_OK;
}

static enum stack_result reset(struct fake_vm *vm)
{
	if (!vm->is.active)
		return STACK_REFUSED;
	restart_guest(vm);
	return STACK_OK;
}

static enum stack_result pause_vm(struct fake_vm *vm)
{
	if (!vm->is.active)
		return STACK_REFUSED;
	if (vm->is.state == PM_VM_PAUSED)
		return STACK_ALREADY;
	fake_vm_stand(vm, PM_VM_PAUSED);
	return STACK_OK;
}

static enum stack_result save(struct fake_vm *vm)
{
	if (!vm->is.active || !vm->is.persistent)
		return STACK_REFUSED;
	enter(vm, PM_VM_SUSPENDED);
	return STACK_OK;
}

static enum stack_result pm_suspend(struct fake_vm *vm)
{
	if (!vm->agent)
		return STACK_UNSUPPORTED;
	if (vm->is.state != PM_VM_RUNNING)
		return STACK_REFUSED;
	fake_vm_sleeps(vm);
	return STACK_OK;
}

enum stack_result fake_vm_execute(struct fake_vm *vm, enum stack_command command, bool agent)
{
	static enum stack_result (*const commands[])(struct fake_vm * vm) = {
	    [STACK_START] = start,     [STACK_RESUME] = resume, [STACK_WAKEUP] = resume,
	    [STACK_DESTROY] = destroy, [STACK_REBOOT] = reboot, [STACK_RESET] = reset,
	    [STACK_PAUSE] = pause_vm,  [STACK_SAVE] = save,     [STACK_PM_SUSPEND] = pm_suspend};

	return command == STACK_SHUTDOWN ? shut_down(vm, agent) : commands[command](vm);
}
