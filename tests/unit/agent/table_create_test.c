/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table engine: rows that a SET creates, in one SET and in several, with every end that a SET can take. */
#include "tests/unit/agent/synthetic_table.h"

static const int all_phases[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION, MODE_SET_COMMIT};

/* A row that is not there. */
static struct row absent(oid number, const char *text)
{
	struct row row = {.index = {number}};

	row.length = 1 + pm_index_string(row.index + 1, text);
	return row;
}

static void set_label(struct exchange *exchange, const struct row *row, const char *label)
{
	add_cell(exchange, LABEL, row, ASN_OCTET_STR, label, strlen(label));
}

static void set_size(struct exchange *exchange, const struct row *row, long size)
{
	add_cell(exchange, SIZE, row, ASN_UNSIGNED, &size, sizeof(size));
}

static bool is_there(const struct row *row)
{
	struct exchange exchange;
	oid name[MAX_OID_LEN];
	int which, type;

	begin(&exchange, 1);
	add(&exchange, name, cell(name, SIZE, row), ASN_NULL, NULL, 0);
	phase(&exchange, MODE_GET, &which);
	type = exchange.varbinds[0]->type;
	end(&exchange);
	return type == ASN_UNSIGNED;
}

/* --- which rows can be created ------------------------------------------------------------------------------------------ */

static int reserve_label(const struct row *row, const char *label)
{
	struct exchange exchange;
	int which, error;

	begin(&exchange, 2);
	set_label(&exchange, row, label);
	error = phase(&exchange, MODE_SET_RESERVE1, &which);
	clear_errors(&exchange);
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
	assert_int_equal(created_count, 0);
	return error;
}

static void test_the_index_decides_what_can_be_created(void **state)
{
	const struct row good = absent(7, "new"), nowhere = absent(900, "new"), not_now = absent(7, "");
	const struct row too_short = {.index = {7}, .length = 1};
	const struct row cut_off = {.index = {7, 3, 'n', 'e'}, .length = 4};
	const struct row too_long = {.index = {7, 1, 'n', 'e'}, .length = 4};
	const struct row no_octet = {.index = {7, 1, 256}, .length = 3};
	const struct row no_text = {.index = {7, 1, 0x80}, .length = 3};

	(void)state;
	make_rows();
	assert_int_equal(reserve_label(&good, "x"), SNMP_ERR_NOERROR);
	assert_int_equal(reserve_label(&nowhere, "x"), SNMP_ERR_NOCREATION);
	assert_int_equal(reserve_label(&not_now, "x"), SNMP_ERR_INCONSISTENTNAME);
	assert_int_equal(reserve_label(&too_short, "x"), SNMP_ERR_NOCREATION);
	assert_int_equal(reserve_label(&cut_off, "x"), SNMP_ERR_NOCREATION);
	assert_int_equal(reserve_label(&too_long, "x"), SNMP_ERR_NOCREATION);
	assert_int_equal(reserve_label(&no_octet, "x"), SNMP_ERR_NOCREATION);
	assert_int_equal(reserve_label(&no_text, "x"), SNMP_ERR_NOCREATION);
}

/* net-snmp hands over names of up to 128 sub-identifiers; those of an index find room for PM_INDEX_MAX. */
static void test_an_index_longer_than_any(void **state)
{
	struct exchange exchange;
	oid name[MAX_OID_LEN] = {PM_MIB_OBJECTS, TABLE_NUMBER, 1, LABEL, 7, MAX_OID_LEN - 16};
	int which;

	(void)state;
	make_rows();
	for (size_t i = 16; i < MAX_OID_LEN; i++)
		name[i] = 'x';
	begin(&exchange, 3);
	add(&exchange, name, MAX_OID_LEN, ASN_OCTET_STR, "x", 1);
	assert_int_equal(phase(&exchange, MODE_SET_RESERVE1, &which), SNMP_ERR_NOCREATION);
	clear_errors(&exchange);
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
}

/* RFC 3416, 4.2.5: what is wrong with the value comes before what is wrong with the name. */
static void test_the_value_is_checked_before_the_row(void **state)
{
	const struct row good = absent(7, "new"), nowhere = absent(900, "new");

	(void)state;
	make_rows();
	assert_int_equal(reserve_label(&good, "123456789"), SNMP_ERR_WRONGLENGTH);
	assert_int_equal(reserve_label(&good, "12"), SNMP_ERR_WRONGLENGTH);
	assert_int_equal(reserve_label(&good, "ugly"), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_label(&nowhere, "123456789"), SNMP_ERR_WRONGLENGTH);
	assert_int_equal(reserve_label(&nowhere, "ugly"), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_label(&rows[0], "ugly"), SNMP_ERR_WRONGVALUE);
}

/* A column that is only read-write makes no row, also not beside one that does. */
static void test_a_read_write_column_creates_nothing(void **state)
{
	const struct row new = absent(7, "new");

	(void)state;
	for (int order = 0; order <= 1; order++) {
		struct exchange exchange;
		int which;

		make_rows();
		begin(&exchange, 4);
		if (order == 0)
			set_label(&exchange, &new, "x");
		set_number(&exchange, &new, 1);
		if (order == 1)
			set_label(&exchange, &new, "x");
		assert_int_equal(phase(&exchange, MODE_SET_RESERVE1, &which), SNMP_ERR_NOCREATION);
		assert_int_equal(which, order == 0 ? 1 : 0);
		clear_errors(&exchange);
		phase(&exchange, MODE_SET_FREE, &which);
		end(&exchange);
		assert_int_equal(created_count, 0);
	}
}

/* --- one SET ---------------------------------------------------------------------------------------------------------------- */

/* Two rows that are not there and one that is, their columns in disorder. */
static void begin_mixed(struct exchange *exchange, long transaction, const struct row *a, const struct row *b)
{
	begin(exchange, transaction);
	set_size(exchange, a, 11);
	set_label(exchange, b, "bee");
	set_size(exchange, &rows[3], 33);
	set_label(exchange, a, "a");
	set_size(exchange, b, 22);
	set_label(exchange, &rows[3], "old");
}

static void test_rows_appear_with_commit(void **state)
{
	const struct row a = absent(7, "new"), b = absent(8, "new");
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	begin_mixed(&exchange, 10, &a, &b);
	for (int i = 0; i < 4; i++) {
		assert_false(is_there(&a) || is_there(&b));
		assert_int_equal(phase(&exchange, all_phases[i], &which), SNMP_ERR_NOERROR);
	}
	end(&exchange);
	assert_true(is_there(&a) && is_there(&b));
	assert_int_equal(created_count, 2);
	assert_calls(&created[0], 1, 1, 1, 0);
	assert_calls(&created[1], 1, 1, 1, 0);
	assert_calls(&rows[3], 1, 1, 1, 0);
	assert_int_equal(created[0].seen_size, 11);
	assert_string_equal(created[0].seen_text, "a");
	assert_int_equal(created[1].seen_size, 22);
	assert_string_equal(created[1].seen_text, "bee");
	assert_int_equal(rows[3].seen_size, 33);
	assert_string_equal(rows[3].seen_text, "old");
	assert_int_equal(around.begins, 1);
	pm_table_abort_sets(); /* nothing is left to undo */
	assert_calls(&created[0], 1, 1, 1, 0);
}

static void test_rows_taken_back_by_the_master(void **state)
{
	const struct row a = absent(7, "new"), b = absent(8, "new");

	(void)state;
	for (int phases = 1; phases <= 3; phases++) {
		struct exchange exchange;
		int which;

		make_rows();
		begin_mixed(&exchange, 20, &a, &b);
		assert_int_equal(run_phases(&exchange, all_phases, phases, &which), SNMP_ERR_NOERROR);
		phase(&exchange, phases == 3 ? MODE_SET_UNDO : MODE_SET_FREE, &which);
		end(&exchange);
		assert_false(is_there(&a) || is_there(&b));
		assert_int_equal(created_count, phases >= 2 ? 2 : 0);
		for (size_t i = 0; i < created_count; i++)
			assert_calls(&created[i], 1, phases >= 3, 0, 1);
		pm_table_abort_sets();
		assert_calls(&rows[3], phases >= 2, phases >= 3, 0, 1);
	}
}

/* The second of them is refused, when the first is reserved already or even written. */
static void test_one_row_refused_is_all_refused(void **state)
{
	const struct row a = absent(7, "new");

	(void)state;
	for (int late = 0; late <= 1; late++) {
		struct exchange exchange;
		int which;

		make_rows();
		*(late ? &rows[3].apply_error : &rows[3].test_error) =
		    late ? SNMP_ERR_COMMITFAILED : SNMP_ERR_INCONSISTENTVALUE;
		rows[3].failed_column = SIZE;
		begin(&exchange, 30);
		set_label(&exchange, &a, "a");
		set_label(&exchange, &rows[3], "old");
		set_size(&exchange, &rows[3], 1);
		assert_int_equal(run_phases(&exchange, all_phases, 4, &which),
				 late ? SNMP_ERR_COMMITFAILED : SNMP_ERR_INCONSISTENTVALUE);
		assert_int_equal(which, 2);
		clear_errors(&exchange);
		phase(&exchange, late ? MODE_SET_UNDO : MODE_SET_FREE, &which);
		end(&exchange);
		assert_false(is_there(&a));
		assert_calls(&created[0], 1, (unsigned)late, 0, 1);
		assert_calls(&rows[3], 1, (unsigned)late, 0, 1);
	}
}

static void test_the_master_goes_away_in_between(void **state)
{
	const struct row a = absent(7, "new"), b = absent(8, "new");

	(void)state;
	for (int phases = 1; phases <= 3; phases++) {
		struct exchange exchange;
		int which;

		make_rows();
		begin_mixed(&exchange, 40, &a, &b);
		run_phases(&exchange, all_phases, phases, &which);
		pm_table_abort_sets();
		assert_false(is_there(&a) || is_there(&b));
		clear_errors(&exchange);
		assert_int_equal(phase(&exchange, MODE_SET_COMMIT, &which), SNMP_ERR_NOERROR);
		end(&exchange);
		assert_false(is_there(&a) || is_there(&b));
		for (size_t i = 0; i < created_count; i++)
			assert_calls(&created[i], 1, phases >= 3, 0, 1);
	}
}

/* A master that lost patience sends its TestSet again: the row is made once. */
static void test_repeated_test_set(void **state)
{
	const struct row a = absent(7, "new"), b = absent(8, "new");
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	for (int i = 0; i < 3; i++) {
		begin_mixed(&exchange, 50, &a, &b);
		assert_int_equal(run_phases(&exchange, all_phases, i < 2 ? 2 : 4, &which), SNMP_ERR_NOERROR);
		end(&exchange);
	}
	assert_true(is_there(&a) && is_there(&b));
	assert_int_equal(created_count, 6);
	for (size_t i = 0; i < 4; i++)
		assert_calls(&created[i], 1, 0, 0, 1);
	for (size_t i = 4; i < 6; i++)
		assert_calls(&created[i], 1, 1, 1, 0);
}

/* --- several SETs ------------------------------------------------------------------------------------------------------------- */

static void begin_size(struct exchange *exchange, long transaction, const struct row *row, long size)
{
	begin(exchange, transaction);
	set_size(exchange, row, size);
}

/* A row belongs to one SET at a time, whether it is there or not. */
static void test_two_sets_of_the_same_row(void **state)
{
	const struct row new = absent(7, "new");

	(void)state;
	for (int there = 0; there <= 1; there++) {
		const struct row *row = there ? &rows[3] : &new;
		int expected = there ? SNMP_ERR_INCONSISTENTVALUE : SNMP_ERR_INCONSISTENTNAME;
		struct exchange one, other;
		int which;

		make_rows();
		begin_size(&one, 60, row, 1);
		begin_size(&other, 61, row, 2);
		assert_int_equal(run_phases(&one, all_phases, 1, &which), SNMP_ERR_NOERROR);
		assert_int_equal(run_phases(&other, all_phases, 1, &which), SNMP_ERR_NOERROR);
		assert_int_equal(phase(&one, MODE_SET_RESERVE2, &which), SNMP_ERR_NOERROR);
		assert_int_equal(phase(&other, MODE_SET_RESERVE2, &which), expected);
		clear_errors(&other);
		phase(&other, MODE_SET_FREE, &which);
		assert_int_equal(run_phases(&one, all_phases + 2, 2, &which), SNMP_ERR_NOERROR);
		end(&one);
		end(&other);
		assert_true(is_there(row));
		assert_int_equal(created_count, !there);
		assert_calls(there ? row : &created[0], 1, 1, 1, there != 0);
	}
}

/* After the end of the one the other gets the row as it is then: it was not there when it was looked up. */
static void test_the_other_set_comes_after(void **state)
{
	const struct row new = absent(7, "new");

	(void)state;
	for (int taken_back = 0; taken_back <= 1; taken_back++) {
		struct exchange one, other;
		int which;

		make_rows();
		begin_size(&one, 70, &new, 1);
		begin_size(&other, 71, &new, 2);
		phase(&other, MODE_SET_RESERVE1, &which);
		run_phases(&one, all_phases, taken_back ? 3 : 4, &which);
		if (taken_back)
			phase(&one, MODE_SET_UNDO, &which);
		assert_int_equal(run_phases(&other, all_phases + 1, 3, &which), SNMP_ERR_NOERROR);
		end(&one);
		end(&other);
		assert_true(is_there(&new));
		assert_int_equal(created_count, taken_back ? 2 : 1);
		assert_calls(&created[0], 1 + !taken_back, 1 + !taken_back, taken_back ? 0 : 2,
			     taken_back != 0);
	}
}

/* The row was there when it was looked up, and has gone by itself. */
static void test_the_row_goes_in_between(void **state)
{
	struct exchange exchange;
	struct row gone;
	int which;

	(void)state;
	make_rows();
	gone = rows[3];
	begin_size(&exchange, 80, &gone, 1);
	assert_int_equal(phase(&exchange, MODE_SET_RESERVE1, &which), SNMP_ERR_NOERROR);
	pm_rows_clear(&ordered);
	assert_int_equal(run_phases(&exchange, all_phases + 1, 3, &which), SNMP_ERR_NOERROR);
	end(&exchange);
	assert_calls(&rows[3], 0, 0, 0, 0);
	assert_calls(&created[0], 1, 1, 1, 0);
}

/* Whatever is refused or broken off wherever: what was tested is ended exactly once, and all rows come or none. */
static void test_every_test_has_one_end(void **state)
{
	const struct row a = absent(7, "new"), b = absent(8, "new");

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct exchange exchange;
		int which, phases = 1 + (int)repeatable_random(4), error;

		make_rows();
		rows[3].test_error = repeatable_random(4) ? 0 : SNMP_ERR_INCONSISTENTVALUE;
		rows[3].apply_error = repeatable_random(4) ? 0 : SNMP_ERR_COMMITFAILED;
		begin_mixed(&exchange, 100 + round, &a, &b);
		error = run_phases(&exchange, all_phases, phases, &which);
		if ((error || phases < 4) && repeatable_random(3)) {
			clear_errors(&exchange);
			phase(&exchange, rows[3].applies ? MODE_SET_UNDO : MODE_SET_FREE, &which);
		}
		pm_table_abort_sets();
		end(&exchange);
		for (size_t i = 0; i < created_count; i++) {
			assert_int_equal(created[i].tests, 1);
			assert_int_equal(created[i].commits + created[i].undos, 1);
			assert_int_equal(created[i].commits, rows[3].commits);
		}
		assert_true(is_there(&a) == (rows[3].commits == 1) && is_there(&b) == is_there(&a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_index_decides_what_can_be_created),
	    cmocka_unit_test(test_an_index_longer_than_any),
	    cmocka_unit_test(test_the_value_is_checked_before_the_row),
	    cmocka_unit_test(test_a_read_write_column_creates_nothing),
	    cmocka_unit_test(test_rows_appear_with_commit),
	    cmocka_unit_test(test_rows_taken_back_by_the_master),
	    cmocka_unit_test(test_one_row_refused_is_all_refused),
	    cmocka_unit_test(test_the_master_goes_away_in_between),
	    cmocka_unit_test(test_repeated_test_set),
	    cmocka_unit_test(test_two_sets_of_the_same_row),
	    cmocka_unit_test(test_the_other_set_comes_after),
	    cmocka_unit_test(test_the_row_goes_in_between),
	    cmocka_unit_test(test_every_test_has_one_end),
	};

	return cmocka_run_group_tests_name("rows that SETs create", tests, register_table, unregister_table);
}
