/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What libvirt's states and events mean, and what holds when a list and events speak of the same time. */
#include "agent/stack/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- states ------------------------------------------------------------------------------------- */

static void test_states(void **unused)
{
	static const struct {
		int state, reason;
		enum pm_vm_state expected;
		bool active;
	} cases[] = {
	    {VIR_DOMAIN_RUNNING, 0, PM_VM_RUNNING, true},
	    {VIR_DOMAIN_BLOCKED, 0, PM_VM_RUNNING, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER, PM_VM_PAUSED, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_IOERROR, PM_VM_PAUSED, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION, PM_VM_MIGRATING, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY, PM_VM_MIGRATING, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SAVE, PM_VM_SUSPENDING, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_STARTING_UP, PM_VM_PREPARING, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_SHUTTING_DOWN, PM_VM_SHUTTING_DOWN, true},
	    {VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_CRASHED, PM_VM_CRASHED, false},
	    {VIR_DOMAIN_SHUTDOWN, 0, PM_VM_SHUTTING_DOWN, true},
	    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN, PM_VM_SHUTDOWN, false},
	    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED, PM_VM_SHUTDOWN, false},
	    {VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED, PM_VM_CRASHED, false},
	    {VIR_DOMAIN_CRASHED, 0, PM_VM_CRASHED, false},
	    {VIR_DOMAIN_PMSUSPENDED, 0, PM_VM_SUSPENDED, true},
	    {VIR_DOMAIN_NOSTATE, 0, PM_VM_RUNNING, true}, /* Xen, of one that is idle */
	};

	(void)unused;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct stack_vm vm = {.id = 1};

		stack_domain_state(&vm, cases[i].state, cases[i].reason);
		assert_int_equal(vm.state, cases[i].expected);
		assert_int_equal(vm.active, cases[i].active);
	}
}

static void test_state_of_saved(void **unused)
{
	struct stack_vm vm = {.id = -1, .saved = true};

	(void)unused;
	stack_domain_state(&vm, VIR_DOMAIN_SHUTOFF, 0);
	assert_int_equal(vm.state, PM_VM_SUSPENDED);
	assert_false(vm.active);
}

static void test_killed(void **unused)
{
	struct stack_vm vm = {.id = -1};

	(void)unused;
	stack_domain_state(&vm, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
	assert_true(vm.killed);
	stack_domain_state(&vm, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_SHUTDOWN);
	assert_false(vm.killed);
}

static void test_no_state_and_no_life(void **unused)
{
	struct stack_vm vm = {.id = -1};

	(void)unused;
	stack_domain_state(&vm, VIR_DOMAIN_NOSTATE, 0);
	assert_int_equal(vm.state, PM_VM_OTHER);
	assert_false(vm.active);
}

/* --- events -------------------------------------------------------------------------------------- */

static struct stack_domain running(bool persistent)
{
	return (struct stack_domain){
	    .vm = {.uuid = "u1", .state = PM_VM_RUNNING, .active = true, .persistent = persistent, .id = 7},
	    .detailed = true};
}

static struct stack_domain off(void)
{
	return (struct stack_domain){
	    .vm = {.uuid = "u1", .state = PM_VM_SHUTDOWN, .persistent = true, .id = -1}, .detailed = true};
}

static void test_what_ends_a_life(void **unused)
{
	static const struct {
		int detail;
		enum pm_vm_state expected;
		bool saved, migrated;
	} cases[] = {
	    {VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, PM_VM_SHUTDOWN, false, false},
	    {VIR_DOMAIN_EVENT_STOPPED_DESTROYED, PM_VM_SHUTDOWN, false, false},
	    {VIR_DOMAIN_EVENT_STOPPED_CRASHED, PM_VM_CRASHED, false, false},
	    {VIR_DOMAIN_EVENT_STOPPED_FAILED, PM_VM_CRASHED, false, false},
	    {VIR_DOMAIN_EVENT_STOPPED_SAVED, PM_VM_SUSPENDED, true, false},
	    {VIR_DOMAIN_EVENT_STOPPED_MIGRATED, PM_VM_SHUTDOWN, false, true},
	};

	(void)unused;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct stack_domain domain = running(true);

		assert_int_equal(stack_domain_event(&domain, VIR_DOMAIN_EVENT_STOPPED, cases[i].detail, -1),
				 STACK_NEWS_CHANGED);
		assert_int_equal(domain.vm.state, cases[i].expected);
		assert_false(domain.vm.active);
		assert_int_equal(domain.vm.id, -1);
		assert_int_equal(domain.vm.saved, cases[i].saved);
		assert_int_equal(domain.vm.killed, cases[i].detail == VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
		assert_int_equal(domain.migrated, cases[i].migrated);
	}
}

static void test_a_transient_one_goes_with_its_life(void **unused)
{
	struct stack_domain domain = running(false);

	(void)unused;
	assert_int_equal(
	    stack_domain_event(&domain, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, -1),
	    STACK_NEWS_ENDED);
	assert_true(domain.gone);
	domain = running(false);
	assert_int_equal(
	    stack_domain_event(&domain, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, -1),
	    STACK_NEWS_GONE);
	assert_true(domain.migrated);
}

static void test_migrated_away_and_undefined(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED, 7);
	assert_int_equal(domain.vm.state, PM_VM_MIGRATING);
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_MIGRATED, -1);
	assert_int_equal(
	    stack_domain_event(&domain, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_REMOVED, -1),
	    STACK_NEWS_GONE);
	assert_true(domain.migrated);
}

static void test_a_migration_that_fails(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY, 7);
	assert_int_equal(domain.vm.state, PM_VM_MIGRATING);
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED, 7);
	assert_int_equal(domain.vm.state, PM_VM_RUNNING);
}

static void test_an_arrival(void **unused)
{
	struct stack_domain domain = off();

	(void)unused;
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_MIGRATED, 9);
	assert_int_equal(domain.vm.state, PM_VM_MIGRATING);
	assert_true(domain.vm.active);
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_MIGRATED, 9);
	assert_int_equal(domain.vm.state, PM_VM_RUNNING);
	assert_int_equal(domain.vm.id, 9);
}

static void test_a_new_life_has_new_details(void **unused)
{
	struct stack_domain domain = off();

	(void)unused;
	domain.vm.saved = true;
	assert_int_equal(
	    stack_domain_event(&domain, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_RESTORED, 8),
	    STACK_NEWS_CHANGED);
	assert_int_equal(domain.vm.state, PM_VM_RESUMING);
	assert_false(domain.vm.saved);
	assert_false(domain.detailed);
	assert_true(stack_event_needs_list(&domain, VIR_DOMAIN_EVENT_STARTED, 0));
}

static void test_asleep_and_awake(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_PMSUSPENDED, VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY, 7);
	assert_int_equal(domain.vm.state, PM_VM_SUSPENDED);
	assert_true(domain.vm.active);
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_WAKEUP, 7);
	assert_int_equal(domain.vm.state, PM_VM_RUNNING);
	assert_true(domain.detailed); /* the same life */
}

static void test_the_guest_goes_down(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_GUEST, 7);
	assert_int_equal(domain.vm.state, PM_VM_SHUTTING_DOWN);
	assert_true(domain.vm.active);
}

static void test_a_crash_that_is_preserved(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	stack_domain_event(&domain, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED, 7);
	assert_int_equal(domain.vm.state, PM_VM_CRASHED);
	assert_false(domain.vm.active);
	assert_int_equal(domain.vm.id, 7);
}

static void test_undefined(void **unused)
{
	struct stack_domain domain = off(), live = running(true);

	(void)unused;
	assert_int_equal(stack_domain_event(&domain, VIR_DOMAIN_EVENT_UNDEFINED, 0, -1), STACK_NEWS_GONE);
	assert_true(domain.gone);
	assert_int_equal(stack_domain_event(&live, VIR_DOMAIN_EVENT_UNDEFINED, 0, 7), STACK_NEWS_CHANGED);
	assert_false(live.gone);
	assert_false(live.vm.persistent);
	domain = off();
	assert_int_equal(
	    stack_domain_event(&domain, VIR_DOMAIN_EVENT_UNDEFINED, VIR_DOMAIN_EVENT_UNDEFINED_RENAMED, -1),
	    STACK_NEWS_NONE);
	assert_false(domain.gone);
}

static void test_the_same_again_is_no_news(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	assert_int_equal(stack_domain_event(&domain, VIR_DOMAIN_EVENT_RESUMED, 0, 7), STACK_NEWS_NONE);
	assert_true(domain.touched);
}

static void test_what_needs_a_list(void **unused)
{
	struct stack_domain domain = running(true);

	(void)unused;
	assert_true(stack_event_needs_list(NULL, VIR_DOMAIN_EVENT_STARTED, 0));
	assert_false(stack_event_needs_list(NULL, VIR_DOMAIN_EVENT_UNDEFINED, 0));
	assert_true(stack_event_needs_list(&domain, VIR_DOMAIN_EVENT_DEFINED, 0));
	assert_true(
	    stack_event_needs_list(&domain, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_FAILED));
	assert_false(
	    stack_event_needs_list(&domain, VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN));
	assert_false(stack_event_needs_list(&domain, VIR_DOMAIN_EVENT_RESUMED, 0));
	domain.gone = true;
	assert_true(stack_event_needs_list(&domain, VIR_DOMAIN_EVENT_STARTED, 0));
}

/* --- lists ---------------------------------------------------------------------------------------- */

static struct stack_domain listed(const char *uuid, enum pm_vm_state state, int id)
{
	struct stack_domain domain = {
	    .vm = {.state = state, .active = id >= 0, .persistent = true, .id = id}};

	snprintf(domain.vm.uuid, sizeof(domain.vm.uuid), "%s", uuid);
	return domain;
}

static struct stack_domain known(const char *uuid, enum pm_vm_state state, int id)
{
	struct stack_domain domain = listed(uuid, state, id);

	domain.detailed = true;
	domain.vm.cpus = 4;
	domain.vm.memory_kib = 1024;
	return domain;
}

static void test_sorted_and_found(void **unused)
{
	struct stack_domain domains[] = {listed("c", PM_VM_RUNNING, 1), listed("a", PM_VM_RUNNING, 2),
					 listed("b", PM_VM_RUNNING, 3)};

	(void)unused;
	stack_domains_sort(domains, 3);
	assert_string_equal(domains[0].vm.uuid, "a");
	assert_ptr_equal(stack_domains_find(domains, 3, "b"), &domains[1]);
	assert_null(stack_domains_find(domains, 3, "d"));
	assert_null(stack_domains_find(NULL, 0, "a"));
}

static void test_a_list_keeps_details_of_the_same_life(void **unused)
{
	const struct stack_domain before[] = {known("a", PM_VM_RUNNING, 1), known("b", PM_VM_RUNNING, 2)};
	struct stack_domain fresh[] = {listed("a", PM_VM_PAUSED, 1), listed("b", PM_VM_RUNNING, 5),
				       listed("c", PM_VM_SHUTDOWN, -1)};
	bool again = false;

	(void)unused;
	assert_int_equal(stack_domains_merge(before, 2, fresh, 3, &again), 3);
	assert_int_equal(fresh[0].vm.cpus, 4);
	assert_int_equal(fresh[0].vm.state, PM_VM_PAUSED);
	assert_true(fresh[0].detailed);
	assert_false(fresh[1].detailed); /* another life */
	assert_false(fresh[2].detailed);
	assert_false(again);
}

static void test_an_event_is_newer_than_the_list(void **unused)
{
	struct stack_domain before[] = {known("a", PM_VM_RUNNING, 1)};
	struct stack_domain fresh[] = {listed("a", PM_VM_RUNNING, 1)};
	bool again = false;

	(void)unused;
	stack_domain_event(&before[0], VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, -1);
	assert_int_equal(stack_domains_merge(before, 1, fresh, 1, &again), 1);
	assert_int_equal(fresh[0].vm.state, PM_VM_SHUTDOWN);
	assert_int_equal(fresh[0].vm.id, -1);
	assert_true(again); /* the next one has the last word */
	assert_false(fresh[0].touched);
}

static void test_the_list_is_newer_than_an_earlier_event(void **unused)
{
	struct stack_domain before[] = {known("a", PM_VM_RUNNING, 1)};
	struct stack_domain fresh[] = {listed("a", PM_VM_RUNNING, 1)};
	bool again = false;

	(void)unused;
	stack_domain_event(&before[0], VIR_DOMAIN_EVENT_STOPPED, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, -1);
	before[0].touched = false; /* the list began after it */
	stack_domains_merge(before, 1, fresh, 1, &again);
	assert_int_equal(fresh[0].vm.state, PM_VM_RUNNING);
	assert_false(again);
}

static void test_a_list_does_not_bring_back_what_has_gone(void **unused)
{
	struct stack_domain before[] = {known("a", PM_VM_SHUTDOWN, -1), known("b", PM_VM_RUNNING, 1)};
	struct stack_domain fresh[] = {listed("a", PM_VM_SHUTDOWN, -1), listed("b", PM_VM_RUNNING, 1)};
	bool again = false;

	(void)unused;
	stack_domain_event(&before[0], VIR_DOMAIN_EVENT_UNDEFINED, 0, -1);
	assert_int_equal(stack_domains_merge(before, 2, fresh, 2, &again), 1);
	assert_string_equal(fresh[0].vm.uuid, "b");
	assert_true(again);
	before[0].touched = false; /* defined again since */
	fresh[0] = listed("a", PM_VM_SHUTDOWN, -1);
	fresh[1] = listed("b", PM_VM_RUNNING, 1);
	assert_int_equal(stack_domains_merge(before, 2, fresh, 2, &again), 2);
	assert_false(fresh[0].gone);
}

static void test_from_a_file_is_not_from_another_host(void **unused)
{
	struct stack_domain before[] = {known("a", PM_VM_SUSPENDED, -1), known("b", PM_VM_SHUTDOWN, -1)};
	struct stack_domain fresh[] = {listed("a", PM_VM_MIGRATING, 3), listed("b", PM_VM_MIGRATING, 4)};
	bool again = false;

	(void)unused;
	stack_domain_event(&before[0], VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_RESTORED, 3);
	before[0].touched = false;
	stack_domains_merge(before, 2, fresh, 2, &again);
	assert_int_equal(fresh[0].vm.state, PM_VM_RESUMING);
	assert_int_equal(fresh[1].vm.state, PM_VM_MIGRATING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_state_of_saved),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_no_state_and_no_life),
	    cmocka_unit_test(test_what_ends_a_life),
	    cmocka_unit_test(test_a_transient_one_goes_with_its_life),
	    cmocka_unit_test(test_migrated_away_and_undefined),
	    cmocka_unit_test(test_a_migration_that_fails),
	    cmocka_unit_test(test_an_arrival),
	    cmocka_unit_test(test_a_new_life_has_new_details),
	    cmocka_unit_test(test_asleep_and_awake),
	    cmocka_unit_test(test_the_guest_goes_down),
	    cmocka_unit_test(test_a_crash_that_is_preserved),
	    cmocka_unit_test(test_undefined),
	    cmocka_unit_test(test_the_same_again_is_no_news),
	    cmocka_unit_test(test_what_needs_a_list),
	    cmocka_unit_test(test_sorted_and_found),
	    cmocka_unit_test(test_a_list_keeps_details_of_the_same_life),
	    cmocka_unit_test(test_an_event_is_newer_than_the_list),
	    cmocka_unit_test(test_the_list_is_newer_than_an_earlier_event),
	    cmocka_unit_test(test_a_list_does_not_bring_back_what_has_gone),
	    cmocka_unit_test(test_from_a_file_is_not_from_another_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
