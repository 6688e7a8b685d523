/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the store has of VMs: their indexes, which are never forgotten, and how those that are defined were last. */
#include "agent/store_private.h"

#define LENGTH(array)  (sizeof(array) / sizeof((array)[0]))
#define MEMBER(member) PM_MEMBER(pm_stored_vm, member)

static const struct pm_member members[] = {
    MEMBER(machine),    MEMBER(index),          MEMBER(name),        MEMBER(uuid),
    MEMBER(hypervisor), MEMBER(active),         MEMBER(saved),       MEMBER(persistent),
    MEMBER(autostart),  MEMBER(observed),       MEMBER(told),        MEMBER(cpus),
    MEMBER(memory_kib), MEMBER(last_change_ms), MEMBER(last_result), MEMBER(last_result_text),
};

int pm_store_vm_index(struct pm_store *store, uint32_t machine, const char *key, uint32_t *index,
		      struct pm_error *err)
{
	static const enum pm_statement statements[] = {VM_GET, VM_TOP, VM_ADD};

	return pm_store_part_index(store, statements, machine, key, index, err);
}

int pm_store_vm_put(struct pm_store *store, const struct pm_stored_vm *vm, struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[VM_PUT];

	if (vm->gone)
		return pm_store_run(
		    store, pm_store_bind(store, VM_FORGET, "ii", (int64_t)vm->machine, (int64_t)vm->index),
		    err);
	sqlite3_reset(s);
	pm_store_bind_row(s, 1, members, LENGTH(members), vm);
	return pm_store_run(store, s, err);
}

int pm_store_vms_load(struct pm_store *store, uint32_t machine,
		      void (*each)(const struct pm_stored_vm *vm, void *data), void *data,
		      struct pm_error *err)
{
	sqlite3_stmt *s = machine ? pm_store_bind(store, VMS_LOAD, "i", (int64_t)machine)
				  : pm_store_bind(store, VMS_LOAD_ALL, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		struct pm_stored_vm vm = {.key = pm_store_text(s, (int)LENGTH(members))};

		pm_store_read_row(s, 0, members, LENGTH(members), &vm);
		each(&vm, data);
	}
	return pm_store_finish(store, s, step, err);
}
