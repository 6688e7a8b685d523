/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table engine: GET and GETNEXT of a synthetic sparse table beside a naive reference, and its values. */
#include "tests/unit/agent/synthetic_table.h"

/* --- GET and GETNEXT --------------------------------------------------------------------------------------------------- */

/* Every cell that is there, in the order in which a walk must find it. */
struct instance {
	oid name[24];
	size_t length;
	unsigned column;
	const struct row *row;
};

static struct instance instances[ROW_COUNT * COLUMN_COUNT];
static size_t instance_count;

static bool accessible(unsigned column)
{
	return columns[column].type && columns[column].access != PM_NO_ACCESS;
}

static int compare_instances(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;

	return snmp_oid_compare(x->name, x->length, y->name, y->length);
}

static void list_instances(void)
{
	instance_count = 0;
	for (unsigned column = 0; column < COLUMN_COUNT; column++) {
		for (size_t i = 0; accessible(column) && i < ROW_COUNT; i++) {
			struct instance *instance = &instances[instance_count];

			if (!(rows[i].present & 1u << column))
				continue;
			*instance = (struct instance){.column = column, .row = &rows[i]};
			instance->length = cell(instance->name, column, &rows[i]);
			instance_count++;
		}
	}
	qsort(instances, instance_count, sizeof(*instances), compare_instances);
}

static const struct instance *reference_next(const oid *name, size_t length, bool inclusive)
{
	for (size_t i = 0; i < instance_count; i++) {
		int order = snmp_oid_compare(instances[i].name, instances[i].length, name, length);

		if (order > 0 || (order == 0 && inclusive))
			return &instances[i];
	}
	return NULL;
}

static void check_value(const netsnmp_variable_list *varbind, const struct instance *instance)
{
	assert_int_equal(varbind->type, columns[instance->column].type);
	if (varbind->type == ASN_OCTET_STR)
		assert_memory_equal(varbind->val.string, "text", 4);
	else if (instance->column == NUMBER)
		assert_int_equal(*varbind->val.integer, instance->row - rows);
	else
		assert_int_equal((uint32_t)*varbind->val.integer, 4000000000u + (instance->row - rows));
}

static void check_next(const oid *name, size_t length, bool inclusive)
{
	const struct instance *expected = reference_next(name, length, inclusive);
	const netsnmp_variable_list *varbind;
	struct exchange exchange;
	int which;

	begin(&exchange, 1);
	add(&exchange, name, length, ASN_NULL, NULL, 0);
	exchange.requests[0].inclusive = inclusive;
	assert_int_equal(phase(&exchange, MODE_GETNEXT, &which), SNMP_ERR_NOERROR);
	varbind = exchange.varbinds[0];
	if (expected) {
		assert_int_equal(
		    snmp_oid_compare(varbind->name, varbind->name_length, expected->name, expected->length),
		    0);
		check_value(varbind, expected);
	} else {
		assert_int_equal(varbind->type, ASN_NULL); /* the next table's */
	}
	end(&exchange);
}

/* Before the table or somewhere in it: for what is behind it net-snmp does not ask it. */
static size_t random_name(oid *name)
{
	const struct instance *near = &instances[repeatable_random((uint32_t)instance_count)];
	size_t length = near->length;

	memcpy(name, near->name, length * sizeof(oid));
	switch (repeatable_random(5)) {
	case 0:
		length = repeatable_random((uint32_t)length) + 1;
		break;
	case 1:
		name[length++] = repeatable_random(3);
		break;
	case 2:
		name[12 + repeatable_random((uint32_t)length - 12)] += 1;
		break;
	case 3:
		name[11 + repeatable_random((uint32_t)length - 11)] = repeatable_random(TABLE_NUMBER + 1);
		break;
	default:
		break;
	}
	return length;
}

static void test_getnext_equals_the_reference(void **state)
{
	oid name[MAX_OID_LEN];

	(void)state;
	for (int round = 0; round < 20; round++) {
		make_rows();
		list_instances();
		for (int i = 0; i < 300; i++) {
			size_t length = random_name(name);

			check_next(name, length, repeatable_random(2));
		}
	}
}

static void test_walk_finds_every_instance_once(void **state)
{
	oid name[MAX_OID_LEN] = {PM_MIB_OBJECTS, TABLE_NUMBER};
	size_t length = 12, found = 0;
	int which;

	(void)state;
	make_rows();
	list_instances();
	for (;; found++) {
		struct exchange exchange;
		const netsnmp_variable_list *varbind;

		begin(&exchange, 1);
		add(&exchange, name, length, ASN_NULL, NULL, 0);
		phase(&exchange, MODE_GETNEXT, &which);
		varbind = exchange.varbinds[0];
		if (varbind->type == ASN_NULL) {
			end(&exchange);
			break;
		}
		length = varbind->name_length;
		memcpy(name, varbind->name, length * sizeof(oid));
		assert_true(found < instance_count);
		assert_int_equal(
		    snmp_oid_compare(name, length, instances[found].name, instances[found].length), 0);
		end(&exchange);
	}
	assert_int_equal(found, instance_count);
}

static void test_empty_table_and_empty_columns(void **state)
{
	const oid root[] = {PM_MIB_OBJECTS, TABLE_NUMBER};

	(void)state;
	make_rows();
	for (size_t i = 0; i < ROW_COUNT; i++)
		rows[i].present = i == 7 ? 1u << WISH : 0;
	list_instances();
	assert_int_equal(instance_count, 1);
	check_next(root, OID_LENGTH(root), false);
	check_next(instances[0].name, instances[0].length, false);
	pm_rows_clear(&ordered);
	instance_count = 0;
	check_next(root, OID_LENGTH(root), false);
}

/* The type of the answer to a GET: the value's, noSuchObject or noSuchInstance. */
static int get_type(const oid *name, size_t length)
{
	struct exchange exchange;
	int which, type;

	begin(&exchange, 1);
	add(&exchange, name, length, ASN_NULL, NULL, 0);
	phase(&exchange, MODE_GET, &which);
	type = exchange.varbinds[0]->type;
	end(&exchange);
	return type;
}

static void test_get_knows_what_is_there(void **state)
{
	oid name[MAX_OID_LEN];

	(void)state;
	make_rows();
	for (unsigned column = 0; column < COLUMN_COUNT + 2; column++) {
		for (size_t i = 0; i < ROW_COUNT; i++) {
			size_t length = cell(name, column, &rows[i]);
			bool object = column < COLUMN_COUNT && accessible(column);
			int expected = !object                          ? SNMP_NOSUCHOBJECT
				       : rows[i].present & 1u << column ? columns[column].type
									: SNMP_NOSUCHINSTANCE;

			assert_int_equal(get_type(name, length), expected);
		}
	}
}

static void test_get_of_names_that_are_no_cells(void **state)
{
	oid name[MAX_OID_LEN];
	size_t length;

	(void)state;
	make_rows();
	rows[0].present = ~0u;
	length = cell(name, NUMBER, &rows[0]);
	name[length] = 0;
	assert_int_equal(get_type(name, length + 1), SNMP_NOSUCHINSTANCE);
	assert_int_equal(get_type(name, length - 1), SNMP_NOSUCHINSTANCE);
	assert_int_equal(get_type(name, 14), SNMP_NOSUCHINSTANCE);
	assert_int_equal(get_type(name, 13), SNMP_NOSUCHOBJECT);
	assert_int_equal(get_type(name, 12), SNMP_NOSUCHOBJECT);
	name[12] = 2; /* no entry */
	assert_int_equal(get_type(name, length), SNMP_NOSUCHOBJECT);
}

/* --- values ---------------------------------------------------------------------------------------------------------------- */

static void test_dates(void **state)
{
	struct pm_value value = {0};

	(void)state;
	setenv("TZ", "XYZ-05:30", 1);
	tzset();
	pm_value_date(&value, 0);
	assert_int_equal(value.length, 8);
	assert_memory_equal(value.data, "\0\0\0\0\0\0\0\0", 8);
	pm_value_date(&value, 1700000000123);
	assert_int_equal(value.length, 11);
	/* 2023-11-14 22:13:20.1 UTC */
	assert_memory_equal(value.data, "\x07\xe7\x0b\x0f\x03\x2b\x14\x01+\x05\x1e", 11);
	setenv("TZ", "XYZ+03:30", 1);
	tzset();
	pm_value_date(&value, 1700000000999);
	assert_memory_equal(value.data, "\x07\xe7\x0b\x0e\x12\x2b\x14\x09-\x03\x1e", 11);
}

static void test_string_indexes_carry_their_length(void **state)
{
	oid index[PM_INDEX_MAX];

	(void)state;
	assert_int_equal(pm_index_string(index, ""), 1);
	assert_int_equal(index[0], 0);
	assert_int_equal(pm_index_string(index, "a\xc3\xa4"), 4);
	assert_int_equal(index[0], 3);
	assert_int_equal(index[1], 'a');
	assert_int_equal(index[2], 0xc3);
	assert_int_equal(index[3], 0xa4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_getnext_equals_the_reference),
	    cmocka_unit_test(test_walk_finds_every_instance_once),
	    cmocka_unit_test(test_empty_table_and_empty_columns),
	    cmocka_unit_test(test_get_knows_what_is_there),
	    cmocka_unit_test(test_get_of_names_that_are_no_cells),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_string_indexes_carry_their_length),
	};

	return cmocka_run_group_tests_name("table engine", tests, register_table, unregister_table);
}
