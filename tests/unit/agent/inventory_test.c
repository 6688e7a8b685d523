/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Machines are found by name, with and without the index. */
#include "agent/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pm_inventory *make_inventory(void)
{
	static const char *const names[] = {"zeus", "lab02", "lab01", "nas1"};
	struct pm_inventory *inventory = calloc(1, sizeof(*inventory));

	assert_non_null(inventory);
	inventory->machines = calloc(4, sizeof(*inventory->machines));
	assert_non_null(inventory->machines);
	for (; inventory->machine_count < 4; inventory->machine_count++)
		inventory->machines[inventory->machine_count].name = strdup(names[inventory->machine_count]);
	return inventory;
}

static void check_all(const struct pm_inventory *inventory)
{
	for (size_t i = 0; i < inventory->machine_count; i++)
		assert_ptr_equal(pm_inventory_machine(inventory, inventory->machines[i].name),
				 &inventory->machines[i]);
	assert_null(pm_inventory_machine(inventory, "lab03"));
	assert_null(pm_inventory_machine(inventory, "lab0"));
	assert_null(pm_inventory_machine(inventory, "LAB01"));
	assert_null(pm_inventory_machine(inventory, ""));
}

static void test_finds_without_index(void **state)
{
	struct pm_inventory *inventory = make_inventory();

	(void)state;
	check_all(inventory);
	pm_inventory_free(inventory);
}

static void test_finds_with_index(void **state)
{
	struct pm_inventory *inventory = make_inventory();

	(void)state;
	assert_int_equal(pm_inventory_index(inventory), 0);
	check_all(inventory);
	assert_int_equal(pm_inventory_index(inventory), 0);
	check_all(inventory);
	pm_inventory_free(inventory);
}

static void test_empty(void **state)
{
	struct pm_inventory *inventory = calloc(1, sizeof(*inventory));

	(void)state;
	assert_non_null(inventory);
	assert_null(pm_inventory_machine(inventory, "a"));
	assert_int_equal(pm_inventory_index(inventory), 0);
	assert_null(pm_inventory_machine(inventory, "a"));
	pm_inventory_free(inventory);
	pm_inventory_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_finds_without_index),
	    cmocka_unit_test(test_finds_with_index),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
