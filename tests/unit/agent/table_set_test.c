/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table engine: the phases of a SET in every order in which they succeed, fail, repeat and break off. */
#include "tests/unit/agent/synthetic_table.h"

/* --- SET: the checks ----------------------------------------------------------------------------------------------------- */

static int reserve(unsigned column, u_char type, const void *value, size_t size)
{
	struct exchange exchange;
	int which, error;

	make_rows();
	begin(&exchange, 2);
	add_cell(&exchange, column, &rows[0], type, value, size);
	error = phase(&exchange, MODE_SET_RESERVE1, &which);
	exchange.requests[0].status = 0;
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
	assert_int_equal(rows[0].tests + rows[0].commits, 0);
	return error;
}

static int reserve_number(unsigned column, u_char type, long number)
{
	return reserve(column, type, &number, sizeof(number));
}

static void test_set_checks_the_value(void **state)
{
	(void)state;
	assert_int_equal(reserve_number(NUMBER, ASN_INTEGER, 1), SNMP_ERR_NOERROR);
	assert_int_equal(reserve_number(NUMBER, ASN_INTEGER, 5), SNMP_ERR_NOERROR);
	assert_int_equal(reserve_number(NUMBER, ASN_INTEGER, 0), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_number(NUMBER, ASN_INTEGER, 6), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_number(NUMBER, ASN_INTEGER, -1), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_number(NUMBER, ASN_INTEGER, INT32_MIN), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_number(NUMBER, ASN_UNSIGNED, 1), SNMP_ERR_WRONGTYPE);
	assert_int_equal(reserve_number(WISH, ASN_UNSIGNED, 2), SNMP_ERR_NOERROR);
	assert_int_equal(reserve_number(WISH, ASN_UNSIGNED, 3), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve_number(WISH, ASN_UNSIGNED, 4000000000l), SNMP_ERR_NOERROR);
	assert_int_equal(reserve_number(WISH, ASN_UNSIGNED, 4000000001l), SNMP_ERR_WRONGVALUE);
	assert_int_equal(reserve(TEXT, ASN_OCTET_STR, "x", 1), SNMP_ERR_NOERROR);
	assert_int_equal(reserve(TEXT, ASN_OCTET_STR, "12345678", 8), SNMP_ERR_NOERROR);
	assert_int_equal(reserve(TEXT, ASN_OCTET_STR, "", 0), SNMP_ERR_WRONGLENGTH);
	assert_int_equal(reserve(TEXT, ASN_OCTET_STR, "123456789", 9), SNMP_ERR_WRONGLENGTH);
	assert_int_equal(reserve_number(TEXT, ASN_INTEGER, 1), SNMP_ERR_WRONGTYPE);
}

static void test_set_checks_the_object(void **state)
{
	(void)state;
	assert_int_equal(reserve_number(COUNT, ASN_COUNTER, 1), SNMP_ERR_NOTWRITABLE);
	assert_int_equal(reserve_number(INDEX, ASN_UNSIGNED, 1), SNMP_ERR_NOTWRITABLE);
	assert_int_equal(reserve_number(4, ASN_INTEGER, 1), SNMP_ERR_NOTWRITABLE);
	assert_int_equal(reserve_number(COLUMN_COUNT, ASN_INTEGER, 1), SNMP_ERR_NOTWRITABLE);
	assert_int_equal(reserve_number(4000000000u, ASN_INTEGER, 1), SNMP_ERR_NOTWRITABLE);
}

static void test_set_of_a_row_that_is_not_there(void **state)
{
	const struct row nowhere = {.index = {500, 1, 'a'}, .length = 3};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	begin(&exchange, 3);
	set_number(&exchange, &rows[0], 1);
	set_number(&exchange, &nowhere, 1);
	assert_int_equal(phase(&exchange, MODE_SET_RESERVE1, &which), SNMP_ERR_NOCREATION);
	assert_int_equal(which, 1);
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
	assert_int_equal(rows[0].tests, 0);
}

static void test_the_same_object_twice(void **state)
{
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	begin(&exchange, 4);
	set_number(&exchange, &rows[0], 1);
	set_number(&exchange, &rows[0], 2);
	assert_int_equal(phase(&exchange, MODE_SET_RESERVE1, &which), SNMP_ERR_INCONSISTENTVALUE);
	assert_int_equal(which, 1);
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
}

/* --- SET: the phases ----------------------------------------------------------------------------------------------------- */

/* Two rows, of which the first gets two of its columns. */
static void begin_set(struct exchange *exchange, long transaction)
{
	begin(exchange, transaction);
	set_number(exchange, &rows[3], 4);
	set_number(exchange, &rows[5], 5);
	add_cell(exchange, TEXT, &rows[3], ASN_OCTET_STR, "new", 3);
}

static void test_set_that_succeeds(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION, MODE_SET_COMMIT};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	assert_false(pm_table_sets_open());
	begin_set(&exchange, 10);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(phase(&exchange, modes[i], &which), SNMP_ERR_NOERROR);
		assert_int_equal(pm_table_sets_open(), i < 3);
	}
	end(&exchange);
	assert_calls(&rows[3], 1, 1, 1, 0);
	assert_calls(&rows[5], 1, 1, 1, 0);
	assert_int_equal(rows[3].seen_number, 4);
	assert_string_equal(rows[3].seen_text, "new");
	assert_int_equal(rows[5].seen_number, 5);
	assert_string_equal(rows[5].seen_text, "");
	pm_table_abort_sets(); /* nothing is left to undo */
	assert_calls(&rows[3], 1, 1, 1, 0);
}

static void test_the_test_refuses(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	rows[5].test_error = SNMP_ERR_INCONSISTENTVALUE;
	begin_set(&exchange, 11);
	assert_int_equal(run_phases(&exchange, modes, 2, &which), SNMP_ERR_INCONSISTENTVALUE);
	assert_int_equal(which, 1);
	clear_errors(&exchange);
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
	assert_calls(&rows[3], 1, 0, 0, 1);
	assert_calls(&rows[5], 1, 0, 0, 1);
}

static void test_the_refusal_names_its_column(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	rows[3].test_error = SNMP_ERR_WRONGVALUE;
	rows[3].failed_column = TEXT;
	begin_set(&exchange, 12);
	assert_int_equal(run_phases(&exchange, modes, 2, &which), SNMP_ERR_WRONGVALUE);
	assert_int_equal(which, 2);
	clear_errors(&exchange);
	phase(&exchange, MODE_SET_FREE, &which);
	end(&exchange);
	assert_calls(&rows[3], 1, 0, 0, 1);
	assert_int_equal(rows[5].tests, 0);
}

static void test_apply_refuses(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	rows[5].apply_error = SNMP_ERR_COMMITFAILED;
	begin_set(&exchange, 13);
	assert_int_equal(run_phases(&exchange, modes, 3, &which), SNMP_ERR_COMMITFAILED);
	assert_int_equal(which, 1);
	clear_errors(&exchange);
	phase(&exchange, MODE_SET_UNDO, &which);
	end(&exchange);
	assert_calls(&rows[3], 1, 1, 0, 1);
	assert_calls(&rows[5], 1, 1, 0, 1);
}

static void assert_around(unsigned begins, unsigned good_ends, unsigned bad_ends)
{
	assert_int_equal(around.begins, begins);
	assert_int_equal(around.good_ends, good_ends);
	assert_int_equal(around.bad_ends, bad_ends);
	assert_false(around.open);
}

/* All rows of a SET are written together, or none: the second row is refused when the first is written already. */
static void test_one_write_for_all_rows(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION, MODE_SET_COMMIT};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	begin_set(&exchange, 15);
	assert_int_equal(run_phases(&exchange, modes, 3, &which), SNMP_ERR_NOERROR);
	assert_around(1, 1, 0);
	assert_int_equal(phase(&exchange, MODE_SET_COMMIT, &which), SNMP_ERR_NOERROR);
	end(&exchange);
	assert_around(1, 1, 0);
	make_rows();
	rows[5].apply_error = SNMP_ERR_COMMITFAILED;
	begin_set(&exchange, 16);
	assert_int_equal(run_phases(&exchange, modes, 3, &which), SNMP_ERR_COMMITFAILED);
	assert_around(1, 0, 1);
	assert_calls(&rows[3], 1, 1, 0, 1);
	assert_calls(&rows[5], 1, 1, 0, 1);
	end(&exchange);
}

/* The write of all rows fails as a whole, before or after they were applied. */
static void test_the_write_fails(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION};

	(void)state;
	for (int late = 0; late <= 1; late++) {
		struct exchange exchange;
		int which;

		make_rows();
		*(late ? &around.end_error : &around.begin_error) = -EIO;
		begin_set(&exchange, 17 + late);
		assert_int_equal(run_phases(&exchange, modes, 3, &which), SNMP_ERR_COMMITFAILED);
		assert_int_equal(which, 0);
		clear_errors(&exchange);
		assert_int_equal(phase(&exchange, MODE_SET_UNDO, &which), SNMP_ERR_NOERROR);
		end(&exchange);
		assert_around(1, (unsigned)late, 0);
		assert_calls(&rows[3], 1, (unsigned)late, 0, 1);
		assert_calls(&rows[5], 1, (unsigned)late, 0, 1);
		pm_table_abort_sets();
		assert_int_equal(rows[3].undos, 1);
	}
}

/* Another subagent in the same SET has refused. */
static void test_set_taken_back_by_the_master(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION, MODE_SET_UNDO};

	(void)state;
	for (int phases = 1; phases <= 3; phases++) {
		struct exchange exchange;
		int which;

		make_rows();
		begin_set(&exchange, 20 + phases);
		run_phases(&exchange, modes, phases, &which);
		phase(&exchange, phases == 3 ? MODE_SET_UNDO : MODE_SET_FREE, &which);
		end(&exchange);
		assert_calls(&rows[3], phases >= 2, phases >= 3, 0, 1);
		assert_calls(&rows[5], phases >= 2, phases >= 3, 0, 1);
		pm_table_abort_sets();
		assert_int_equal(rows[3].undos, 1);
	}
}

/* A master that lost patience sends its TestSet again: only the last one counts. */
static void test_repeated_test_set(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION, MODE_SET_COMMIT};
	struct exchange exchange;
	int which;

	(void)state;
	make_rows();
	for (int i = 0; i < 3; i++) {
		begin_set(&exchange, 30);
		run_phases(&exchange, modes, i < 2 ? 2 : 4, &which);
		end(&exchange);
	}
	assert_calls(&rows[3], 3, 1, 1, 2);
	assert_calls(&rows[5], 3, 1, 1, 2);
}

static void test_two_sets_at_the_same_time(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2};
	struct exchange one, other;
	int which;

	(void)state;
	make_rows();
	begin(&one, 40);
	set_number(&one, &rows[1], 1);
	begin(&other, 40);
	other.pdu.sessid = 2; /* the same transaction number in another session */
	set_number(&other, &rows[2], 2);
	run_phases(&one, modes, 2, &which);
	run_phases(&other, modes, 2, &which);
	phase(&one, MODE_SET_ACTION, &which);
	phase(&other, MODE_SET_FREE, &which);
	phase(&one, MODE_SET_COMMIT, &which);
	end(&one);
	end(&other);
	assert_calls(&rows[1], 1, 1, 1, 0);
	assert_calls(&rows[2], 1, 0, 0, 1);
}

static void test_the_master_goes_away_in_between(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION};

	(void)state;
	for (int phases = 1; phases <= 3; phases++) {
		struct exchange exchange;
		int which;

		make_rows();
		begin_set(&exchange, 50);
		run_phases(&exchange, modes, phases, &which);
		pm_table_abort_sets();
		assert_calls(&rows[3], phases >= 2, phases >= 3, 0, 1);
		clear_errors(&exchange);
		assert_int_equal(phase(&exchange, MODE_SET_ACTION, &which), SNMP_ERR_COMMITFAILED);
		clear_errors(&exchange);
		assert_int_equal(phase(&exchange, MODE_SET_UNDO, &which), SNMP_ERR_NOERROR);
		end(&exchange);
		assert_calls(&rows[3], phases >= 2, phases >= 3, 0, 1);
	}
}

/* Whatever is refused or broken off wherever: what was tested is ended exactly once. */
static void test_every_test_has_one_end(void **state)
{
	static const int modes[] = {MODE_SET_RESERVE1, MODE_SET_RESERVE2, MODE_SET_ACTION, MODE_SET_COMMIT};

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct exchange exchange;
		int which, phases = 1 + (int)repeatable_random(4), error;

		make_rows();
		for (int i = 3; i <= 5; i += 2) {
			rows[i].test_error = repeatable_random(4) ? 0 : SNMP_ERR_INCONSISTENTVALUE;
			rows[i].apply_error = repeatable_random(4) ? 0 : SNMP_ERR_COMMITFAILED;
		}
		begin_set(&exchange, 60 + round);
		error = run_phases(&exchange, modes, phases, &which);
		if ((error || phases < 4) && repeatable_random(3)) {
			clear_errors(&exchange);
			phase(&exchange, rows[3].applies ? MODE_SET_UNDO : MODE_SET_FREE, &which);
		}
		pm_table_abort_sets();
		end(&exchange);
		for (int i = 3; i <= 5; i += 2) {
			assert_true(rows[i].tests <= 1 && rows[i].applies <= rows[i].tests);
			assert_int_equal(rows[i].commits + rows[i].undos, 1);
			assert_true(rows[i].commits <= rows[i].applies);
			assert_int_equal(rows[3].commits, rows[5].commits);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_checks_the_value),
	    cmocka_unit_test(test_set_checks_the_object),
	    cmocka_unit_test(test_set_of_a_row_that_is_not_there),
	    cmocka_unit_test(test_the_same_object_twice),
	    cmocka_unit_test(test_set_that_succeeds),
	    cmocka_unit_test(test_the_test_refuses),
	    cmocka_unit_test(test_the_refusal_names_its_column),
	    cmocka_unit_test(test_apply_refuses),
	    cmocka_unit_test(test_one_write_for_all_rows),
	    cmocka_unit_test(test_the_write_fails),
	    cmocka_unit_test(test_set_taken_back_by_the_master),
	    cmocka_unit_test(test_repeated_test_set),
	    cmocka_unit_test(test_two_sets_at_the_same_time),
	    cmocka_unit_test(test_the_master_goes_away_in_between),
	    cmocka_unit_test(test_every_test_has_one_end),
	};

	return cmocka_run_group_tests_name("SET of the table engine", tests, register_table,
					   unregister_table);
}
