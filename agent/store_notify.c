/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Notifications in the store, until a master has taken them. */
#include "agent/notify.h"
#include "agent/store_private.h"

#define LENGTH(array)  (sizeof(array) / sizeof((array)[0]))
#define MEMBER(member) PM_MEMBER(pm_notification, member)

static const struct pm_member members[] = {
    MEMBER(id),
    MEMBER(type),
    MEMBER(machine),
    MEMBER(nic),
    MEMBER(name),
    MEMBER(power_state),
    MEMBER(old_power_state),
    MEMBER(source),
    MEMBER(result),
    MEMBER(text),
    MEMBER(job_owner),
    MEMBER(job_name),
    MEMBER(job_label),
    MEMBER(action),
    MEMBER(mac),
    MEMBER(interface),
    MEMBER(bmc_address),
    MEMBER(bmc_status),
    MEMBER(inhibit),
    MEMBER(inhibit_reason),
    MEMBER(event_index),
    MEMBER(agent),
    MEMBER(machines),
    MEMBER(group_name),
    MEMBER(jobs),
    MEMBER(succeeded),
    MEMBER(failed),
    MEMBER(vm),
    MEMBER(vm_name),
    MEMBER(vm_state),
    MEMBER(old_vm_state),
};

int pm_store_notification_put(struct pm_store *store, const struct pm_notification *notification,
			      struct pm_error *err)
{
	sqlite3_stmt *s = store->statements[NOTIFICATION_PUT];

	sqlite3_reset(s);
	pm_store_bind_row(s, 1, members, LENGTH(members), notification);
	return pm_store_run(store, s, err);
}

int pm_store_notification_delete(struct pm_store *store, uint64_t id, struct pm_error *err)
{
	return pm_store_run(store, pm_store_bind(store, NOTIFICATION_DELETE, "i", (int64_t)id), err);
}

int pm_store_notifications_load(struct pm_store *store,
				void (*each)(const struct pm_notification *notification, void *data),
				void *data, struct pm_error *err)
{
	sqlite3_stmt *s = pm_store_bind(store, NOTIFICATIONS_LOAD, "");
	int step;

	while ((step = sqlite3_step(s)) == SQLITE_ROW) {
		struct pm_notification notification = {0};

		pm_store_read_row(s, 0, members, LENGTH(members), &notification);
		each(&notification, data);
	}
	return pm_store_finish(store, s, step, err);
}

int pm_store_notifications_last_id(struct pm_store *store, uint64_t *id, struct pm_error *err)
{
	int64_t last = 0;
	int error = pm_store_last_id(store, "notification", &last, err);

	*id = (uint64_t)last;
	return error;
}
