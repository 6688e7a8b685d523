/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a manager asks for at random: values right and wrong, rows that are there and not, several at once. A variable
 * binding knows the errors that it deserves whatever the state of its row.
 */
#ifndef PM_RANDOM_ASK_H
#define PM_RANDOM_ASK_H

#include "tests/integration/random_model.h"

#include <stddef.h>
#include <stdio.h>

#define KINDS        ((unsigned)KIND_COUNT)
#define VARBINDS_MAX 24
#define PREFIX       13 /* root, 1, table, entry; then column and index */
#define PERCENT(n)   (choose(actor, 100) < (n))

static const oid root[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7747};

struct varbind {
	oid name[MAX_OID_LEN];
	size_t length;
	enum table table;
	unsigned column;
	struct machine *machine; /* whose row it is; NULL: of none that is there */
	struct job_row *row;
	struct value value;
	unsigned fixed;  /* what the state does not matter for: a mask of errors; 0: it matters */
	unsigned errors; /* all that is right here */
};

struct actor {
	unsigned number;
	uint64_t dice;
	netsnmp_session *session;
	struct machine *machines; /* KINDS of them */
	struct varbind varbinds[VARBINDS_MAX];
	size_t count;
	bool reading, waiting, twice, vague;
	unsigned inhibits; /* when it was sent */
	enum inhibited inhibited;
};

static unsigned managers; /* with machines of their own */

static struct {
	bool inhibited;
	unsigned inhibits; /* how often pmAgentInhibit was, or may have been, set to true */
	bool in_flight;    /* an answer of that is awaited */
	long lock;         /* pmAgentSetLock */
} agent;

/* --- dice ------------------------------------------------------------------------------------------------------------ */

/* splitmix64 */
static uint64_t throw_dice(struct actor *actor)
{
	uint64_t z = (actor->dice += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static unsigned choose(struct actor *actor, unsigned count)
{
	return (unsigned)(throw_dice(actor) % count);
}

#define ONE_OF(actor, list) ((list)[choose(actor, sizeof(list) / sizeof(*(list)))])

/* --- values ---------------------------------------------------------------------------------------------------------- */

static void random_octets(struct actor *actor, const struct object *object, struct value *value)
{
	static const char *const odd[] = {"\xc3\x28", "\xed\xa0\x80", "\xc0\xaf", "\xf5\x80\x80\x80",
					  "\x7f",     "\n",           "\xc2\x85", "\xe2\x82"};
	static const char *const good[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x94\x8c", "'", "\"", "%s",
					   "a"};
	const size_t lengths[] = {0, choose(actor, 1 + object->max), choose(actor, 1 + object->max),
				  object->max, object->max};
	bool strange = PERCENT(10);
	size_t length = PERCENT(6) ? object->max + 1 + choose(actor, PERCENT(50) ? 2 : OCTETS_MAX - 300)
				   : ONE_OF(actor, lengths);

	for (value->length = 0; value->length < length;) {
		const char *next = PERCENT(8)               ? ONE_OF(actor, good)
				   : strange && PERCENT(10) ? ONE_OF(actor, odd)
							    : NULL;
		size_t size = next ? strlen(next) : 0;

		if (size == 0 || value->length + size > length)
			value->octets[value->length++] =
			    strange && PERCENT(3) ? 0 : (uint8_t)('!' + choose(actor, 94));
		else
			memcpy(value->octets + value->length, next, size), value->length += size;
	}
	if (object->text == ADDRESS && PERCENT(80)) { /* of an address in a segment that is not there */
		value->length = PERCENT(40) ? 0 : PERCENT(70) ? 4 : 16;
		value->octets[0] = 127;
	}
}

static void random_number(struct actor *actor, const struct object *object, struct value *value)
{
	const long least = object->type == ASN_INTEGER ? INT32_MIN : 0,
		   most = object->type == ASN_INTEGER ? INT32_MAX : UINT32_MAX;
	const long wrong[] = {(long)object->min - 1, (long)object->max + 1, object->hole, least, most, -1};
	const long right[] = {object->min, object->max, (long)object->min + choose(actor, 3)};
	unsigned range = object->max - object->min;

	if (PERCENT(8))
		value->number = ONE_OF(actor, wrong);
	else if (PERCENT(30))
		value->number = ONE_OF(actor, right);
	else
		value->number = (long)object->min + (range == UINT32_MAX ? (long)choose(actor, range)
									 : (long)choose(actor, range + 1));
	if (value->number < least || value->number > most)
		value->number = most;
}

static void random_value(struct actor *actor, const struct object *object, struct value *value)
{
	static const uint8_t types[] = {ASN_INTEGER, ASN_OCTET_STR, ASN_OBJECT_ID, ASN_UNSIGNED,
					ASN_COUNTER, ASN_TIMETICKS, ASN_IPADDRESS, ASN_COUNTER64,
					ASN_NULL,    ASN_OPAQUE};

	value->type = PERCENT(6) ? ONE_OF(actor, types) : object->type;
	value->number = 0;
	value->length = 0;
	if (value->type == ASN_OCTET_STR || value->type == ASN_OPAQUE)
		random_octets(actor, object->type == ASN_OCTET_STR ? object : object_of(MACHINE, 13), value);
	else if (object->type == ASN_OCTET_STR)
		value->number = (long)choose(actor, 5);
	else
		random_number(actor, object, value);
}

static void add_value(netsnmp_pdu *pdu, const struct varbind *v)
{
	static const oid some[] = {1, 3, 6, 1, 6, 3};
	const struct counter64 wide = {.high = 1, .low = (u_long)v->value.number};
	const in_addr_t address = (in_addr_t)v->value.number;

	switch (v->value.type) {
	case ASN_OCTET_STR:
	case ASN_OPAQUE:
		snmp_pdu_add_variable(pdu, v->name, v->length, v->value.type, v->value.octets,
				      v->value.length);
		break;
	case ASN_OBJECT_ID:
		snmp_pdu_add_variable(pdu, v->name, v->length, v->value.type, some, sizeof(some));
		break;
	case ASN_IPADDRESS:
		snmp_pdu_add_variable(pdu, v->name, v->length, v->value.type, &address, sizeof(address));
		break;
	case ASN_COUNTER64:
		snmp_pdu_add_variable(pdu, v->name, v->length, v->value.type, &wide, sizeof(wide));
		break;
	case ASN_NULL:
		snmp_pdu_add_variable(pdu, v->name, v->length, v->value.type, NULL, 0);
		break;
	default:
		snmp_pdu_add_variable(pdu, v->name, v->length, v->value.type, &v->value.number,
				      sizeof(v->value.number));
	}
}

/* --- names ----------------------------------------------------------------------------------------------------------- */

static struct varbind *new_varbind(struct actor *actor, enum table table, unsigned column)
{
	struct varbind *v = &actor->varbinds[actor->count++];

	memset(v, 0, offsetof(struct varbind, value));
	memcpy(v->name, root, sizeof(root));
	v->name[10] = 1;
	v->name[11] = v->table = table;
	v->name[12] = 1;
	v->name[PREFIX] = v->column = column;
	v->length = PREFIX + 1;
	v->fixed = 0;
	return v;
}

static void add_index(struct varbind *v, oid number)
{
	if (v->length < MAX_OID_LEN)
		v->name[v->length++] = number;
}

static void add_octets(struct varbind *v, const uint8_t *octets, size_t length)
{
	for (size_t i = 0; i < length; i++)
		add_index(v, octets[i]);
}

/* An index that no row can have, for what begins with pmIndex. */
static void spoil_index(struct actor *actor, struct varbind *v)
{
	const oid huge[] = {4294967295UL, 2147483648UL, 256, 0};
	size_t more = PERCENT(20) ? MAX_OID_LEN : 1 + choose(actor, 5);

	v->row = NULL;
	v->machine = NULL;
	v->fixed = NO_CREATION;
	switch (choose(actor, 4)) {
	case 0: /* too short */
		v->length = PREFIX + 1 + choose(actor, (unsigned)(v->length - PREFIX - 1));
		if (v->length == PREFIX + 1)
			v->fixed |= NOT_WRITABLE;
		break;
	case 1: /* too long */
		for (size_t i = 0; i < more; i++)
			add_index(v, choose(actor, 9));
		break;
	case 2: /* of a machine that is not there */
		v->name[PREFIX + 1] = PERCENT(50) ? NO_SUCH_MACHINE : ONE_OF(actor, huge);
		break;
	default: /* with a number that is too large, behind the first */
		for (size_t i = PREFIX + 2; i < v->length; i++)
			v->name[i] = i == v->length - 1 ? 4294967295UL : v->name[i];
		if (v->length == PREFIX + 2)
			v->name[PREFIX + 1] = 4294967295UL;
	}
	if (v->table == NIC && v->length == PREFIX + 3 && v->name[PREFIX + 1] != NO_SUCH_MACHINE)
		v->fixed |= WRONG_NAME;
}

/* What may be wrong with a value comes before what may be wrong with its row. */
static void fix_value(struct varbind *v)
{
	const struct object *object = object_of(v->table, v->column);
	int error = object ? value_error(object, &v->value) : SNMP_ERR_NOTWRITABLE;

	if (v->value.type == ASN_NULL) /* snmpd refuses it by itself */
		error = SNMP_ERR_WRONGTYPE;
	if (!error)
		return;
	if (v->fixed &
	    NOT_WRITABLE) { /* no instance at all: which of both comes first is nobody's business */
		v->fixed |= CAN(error);
		return;
	}
	/* found with the row as a whole, as far as the text itself is concerned */
	if (v->fixed && object && object->text != PLAIN && v->value.type == ASN_OCTET_STR)
		v->fixed |= CAN(error);
	else
		v->fixed = CAN(error);
}

/* --- one varbind of each table --------------------------------------------------------------------------------------- */

static struct machine *any_machine(struct actor *actor)
{
	return &actor->machines[choose(actor, KINDS)];
}

static const struct object *any_object(struct actor *actor, enum table table)
{
	const struct object *object;

	do
		object = &objects[choose(actor, OBJECT_COUNT)];
	while (object->table != table);
	return object;
}

static void ask_agent(struct actor *actor)
{
	const struct object *object = any_object(actor, AGENT);
	struct varbind *v;

	if (object->column == 21 && !PERCENT(10)) /* a reload is a lot of work */
		object = object_of(AGENT, 15);
	v = new_varbind(actor, AGENT, object->column);
	add_index(v, PERCENT(5) ? 7 : 1);
	if (v->name[PREFIX + 1] != 1)
		v->fixed = NO_CREATION;
	random_value(actor, object, &v->value);
	if (object->column == 23 && PERCENT(70))
		v->value = (struct value){.type = ASN_INTEGER, .number = agent.lock};
	if (object->column == 15 && v->value.number == 1 && PERCENT(70))
		v->value.number = 2;
	fix_value(v);
}

static void ask_machine(struct actor *actor, struct machine *machine)
{
	const struct object *object = any_object(actor, MACHINE);
	struct varbind *v = new_varbind(actor, MACHINE, object->column);

	v->machine = machine;
	add_index(v, machine->index);
	random_value(actor, object, &v->value);
	if (object->column == 12 && v->value.number == 1 &&
	    PERCENT(60)) /* or nothing could be done for most of the time */
		v->value.number = 2;
	if (PERCENT(5))
		spoil_index(actor, v);
	fix_value(v);
}

static void ask_nic(struct actor *actor, struct machine *machine)
{
	const struct object *object = any_object(actor, NIC);
	struct varbind *v;

	if (machine->kind != SLEEPER && PERCENT(70))
		machine = &actor->machines[SLEEPER];
	v = new_varbind(actor, NIC, object->column);
	v->machine = machine;
	add_index(v, machine->index);
	add_index(v, PERCENT(5) ? choose(actor, 9) : 1);
	if (machine->kind != SLEEPER || v->name[PREFIX + 2] != 1)
		v->fixed = WRONG_NAME;
	random_value(actor, object, &v->value);
	if (PERCENT(5))
		spoil_index(actor, v);
	fix_value(v);
}

static void ask_bmc(struct actor *actor, struct machine *machine)
{
	const struct object *object = any_object(actor, BMC);
	struct varbind *v = new_varbind(actor, BMC, object->column);

	v->machine = machine;
	add_index(v, machine->index);
	if (has_no_bmc(machine->kind))
		v->fixed = INCONSISTENT;
	random_value(actor, object, &v->value);
	if (PERCENT(5))
		spoil_index(actor, v);
	fix_value(v);
}

/* There is none. */
static void ask_vm(struct actor *actor, struct machine *machine)
{
	const struct object *object = any_object(actor, VM);
	struct varbind *v = new_varbind(actor, VM, object->column);

	v->machine = machine;
	add_index(v, machine->index);
	add_index(v, choose(actor, 9));
	random_value(actor, object, &v->value);
	if (PERCENT(5))
		spoil_index(actor, v);
	v->fixed |= WRONG_NAME;
	fix_value(v);
	if (object->column == 8 && v->fixed & (WRONG_NAME | NO_CREATION)) /* not every verb is one for a VM */
		v->fixed |= CAN(SNMP_ERR_WRONGVALUE);
}

static void ask_group(struct actor *actor)
{
	const struct object *object = any_object(actor, GROUP);
	struct varbind *v = new_varbind(actor, GROUP, object->column);
	char name[16];
	size_t length;

	snprintf(name, sizeof(name), actor->number < managers ? "g%u" : "shared", actor->number + 1);
	length = strlen(name);
	add_index(v, length);
	add_octets(v, (const uint8_t *)name, length);
	random_value(actor, object, &v->value);
	if (object->column == 7 && PERCENT(70)) /* or its machines were busy for the rest of the test */
		v->value.number = (long)choose(actor, 100);
	if (PERCENT(10)) {
		v->fixed = NO_CREATION;
		if (PERCENT(50))
			v->name[PREFIX + 1 + choose(actor, (unsigned)length + 1)] =
			    PERCENT(50) ? 4294967295UL : 113;
		else
			add_index(v, choose(actor, 300));
	}
	fix_value(v);
}

/* What is read-only, or not there at all. */
static void ask_other(struct actor *actor)
{
	static const enum table tables[] = {AGENT, MACHINE, NIC,       BMC, JOB, STEP, GROUP, MEMBER,
					    NAME,  EVENT,   STATE_MAP, VM,  11,  14,   16,    99};
	enum table table = ONE_OF(actor, tables);
	struct varbind *v;
	unsigned column;

	do
		column = choose(actor, 40);
	while (object_of(table, column));
	v = new_varbind(actor, table, column);
	add_index(v, any_machine(actor)->index);
	while (PERCENT(60))
		add_index(v, choose(actor, 4));
	random_value(actor, &objects[choose(actor, OBJECT_COUNT)], &v->value);
	v->fixed = NOT_WRITABLE;
	if (table == 11 || table >= 14) /* as far as nobody serves them, the master answers */
		v->fixed |= NO_CREATION | NO_ACCESS;
	if (PERCENT(5))
		v->name[12] = 2; /* not the table's entry */
	if (v->value.type == ASN_NULL)
		v->fixed |= CAN(SNMP_ERR_WRONGTYPE);
}

/* --- pmJobTable ------------------------------------------------------------------------------------------------------- */

static struct varbind *job_varbind(struct machine *machine, struct job_row *row, struct actor *actor,
				   unsigned column)
{
	struct varbind *v = new_varbind(actor, JOB, column);

	v->machine = machine;
	v->row = row;
	add_index(v, machine->index);
	add_octets(v, row->index, row->index_length);
	return v;
}

static void ask_job_number(struct machine *machine, struct job_row *row, struct actor *actor, unsigned column,
			   long number)
{
	struct varbind *v = job_varbind(machine, row, actor, column);

	v->value = (struct value){.type = object_of(JOB, column)->type, .number = number};
	fix_value(v);
}

static void ask_job_column(struct machine *machine, struct job_row *row, struct actor *actor, unsigned column)
{
	static const long delays[] = {0, 0, 0, 1, 3, 3600, MONTH_S}, retains[] = {0, 1, 3600, MONTH_S};
	static const long timeouts[] = {1, 2, 600, 600, DAY_S};
	static const long verbs[] = {POWER_ON, POWER_ON, POWER_OFF, CYCLE,   RESET,
				     WAKE,     IDENTIFY, SOFT_OFF,  SHUTDOWN};
	const struct object *object = object_of(JOB, column);
	struct varbind *v;

	if (PERCENT(6)) {
		v = job_varbind(machine, row, actor, column);
		random_value(actor, object, &v->value);
		if (PERCENT(20))
			spoil_index(actor, v);
		fix_value(v);
		return;
	}
	if (object->type == ASN_OCTET_STR) {
		v = job_varbind(machine, row, actor, column);
		random_value(actor, object, &v->value);
		fix_value(v);
		return;
	}
	ask_job_number(machine, row, actor, column,
		       column == J_ACTION ? (PERCENT(80) ? ONE_OF(actor, verbs) : 2 + (long)choose(actor, 14))
		       : column == J_SCOPE   ? (PERCENT(70) ? 1 : 1 + (long)choose(actor, 3))
		       : column == J_DELAY   ? ONE_OF(actor, delays)
		       : column == J_RETAIN  ? ONE_OF(actor, retains)
		       : column == J_TIMEOUT ? ONE_OF(actor, timeouts)
		       : column == J_VM || column == J_NIC || column == J_ADDR_TYPE ? (PERCENT(85) ? 0 : 1)
		       : column == J_ARM_WOL                                        ? (PERCENT(85) ? 2 : 1)
		       : column == J_DRY_RUN                                        ? (PERCENT(70) ? 2 : 1)
		       : column == J_ADMIN                                          ? (PERCENT(85) ? 1 : 2)
					   : (long)object->min + choose(actor, object->max - object->min));
}

/* Each column at most once, in any order. */
static void ask_job_columns(struct machine *machine, struct job_row *row, struct actor *actor, unsigned odds)
{
	unsigned first = choose(actor, J_ROW_STATUS);

	for (unsigned i = 0; i < J_ROW_STATUS && actor->count < VARBINDS_MAX - 2; i++) {
		unsigned column = (first + i * 7) % J_ROW_STATUS;

		if (object_of(JOB, column) && column != J_ACTION && choose(actor, 100) < odds)
			ask_job_column(machine, row, actor, column);
	}
}

static void create_job(struct actor *actor, struct machine *machine, struct job_row *row)
{
	bool first = PERCENT(50);
	long status = PERCENT(75) ? CREATE_AND_GO : CREATE_AND_WAIT;

	if (first)
		ask_job_number(machine, row, actor, J_ROW_STATUS, status);
	if (!PERCENT(status == CREATE_AND_GO ? 5 : 40))
		ask_job_column(machine, row, actor, J_ACTION);
	if (PERCENT(50))
		ask_job_number(machine, row, actor, J_SCOPE, 1);
	else
		ask_job_columns(machine, row, actor, 1 + choose(actor, 40));
	if (!first)
		ask_job_number(machine, row, actor, J_ROW_STATUS, status);
}

static void ask_job(struct actor *actor, struct machine *machine)
{
	struct job_row *row = &machine->rows[choose(actor, ROW_COUNT)];
	unsigned dice = choose(actor, 100);

	if (dice < 40)
		create_job(actor, machine, row);
	else if (dice < 55)
		ask_job_number(machine, row, actor, J_ROW_STATUS, DESTROY);
	else if (dice < 63)
		ask_job_number(machine, row, actor, J_ROW_STATUS, ACTIVE);
	else if (dice < 68)
		ask_job_number(machine, row, actor, J_ROW_STATUS, NOT_IN_SERVICE);
	else if (dice < 78)
		ask_job_number(machine, row, actor, J_ADMIN, 2);
	else if (dice < 83)
		ask_job_number(machine, row, actor, J_ADMIN, 1);
	else if (dice < 88)
		ask_job_column(machine, row, actor, J_ROW_STATUS);
	else
		ask_job_columns(machine, row, actor, 1 + choose(actor, 15));
	if (actor->count == 0)
		ask_job_column(machine, row, actor, J_ACTION);
}

/* Rows that must not come to be: their index is bad, or they have no owner. */
static void ask_impossible_job(struct actor *actor)
{
	static const struct {
		uint8_t length;
		const char *index;
		unsigned errors;
	} odd[] = {{3, "\0\1x", WRONG_NAME},       {4, "\1o\0", NO_CREATION},   {4, "\2o\1n", NO_CREATION},
		   {5, "\1o\1nn", NO_CREATION},    {5, "\1\0\1n", NO_CREATION}, {5, "\1o\1\0", NO_CREATION},
		   {6, "\2\303(\1n", NO_CREATION}, {5, "\1\n\1n", NO_CREATION}, {1, "\0", NO_CREATION},
		   {1, "\1", NO_CREATION}};
	const struct machine *machine = any_machine(actor);
	unsigned which = choose(actor, sizeof(odd) / sizeof(*odd) + 1);
	struct varbind *v = new_varbind(actor, JOB, PERCENT(80) ? J_ROW_STATUS : J_ACTION);

	add_index(v, machine->index);
	if (which < sizeof(odd) / sizeof(*odd)) {
		add_octets(v, (const uint8_t *)odd[which].index, odd[which].length);
		v->fixed = odd[which].errors;
	} else {
		unsigned length = 33 + choose(actor, 30); /* an owner or a name that is too long */

		for (unsigned i = 0; i < 1 + length; i++)
			add_index(v, i == 0 ? length : 'x');
		add_index(v, 1);
		add_index(v, 'n');
		v->fixed = NO_CREATION;
	}
	v->value = (struct value){.type = ASN_INTEGER,
				  .number = v->column == J_ACTION ? 2
					    : PERCENT(80)         ? CREATE_AND_GO
								  : DESTROY};
	if (v->column == J_ROW_STATUS && v->value.number == DESTROY)
		v->fixed |= OK; /* there is no such row afterwards either */
}

/* The job that another object has started, as pmMachineActiveJob told. It may have ended since, and its row may be gone. */
static void abort_other(struct actor *actor, struct machine *machine)
{
	struct varbind *v = new_varbind(actor, JOB, J_ADMIN);

	add_index(v, machine->index);
	for (size_t i = 0; i < machine->active_length; i++)
		add_index(v, machine->active[i]);
	v->value = (struct value){.type = ASN_INTEGER, .number = 2};
	v->fixed = OK | INCONSISTENT | WRONG_NAME;
	machine->active_length = 0;
}

static void allow_all(struct actor *actor)
{
	struct varbind *v = new_varbind(actor, AGENT, 15);

	add_index(v, 1);
	v->value = (struct value){.type = ASN_INTEGER, .number = 2};
}

/* --- whole requests -------------------------------------------------------------------------------------------------- */

static void ask_something(struct actor *actor)
{
	struct machine *machine = any_machine(actor);
	unsigned dice = choose(actor, 100);

	if (machine->active_length && PERCENT(50))
		abort_other(actor, machine);
	else if (actor->number == 0 && agent.inhibited && PERCENT(50))
		allow_all(actor);
	else if (dice < 55)
		ask_job(actor, machine);
	else if (dice < 60)
		ask_impossible_job(actor);
	else if (dice < 72)
		ask_machine(actor, machine);
	else if (dice < 78)
		ask_nic(actor, machine);
	else if (dice < 86)
		ask_bmc(actor, machine);
	else if (dice < 91)
		ask_group(actor);
	else if (dice < 93)
		ask_vm(actor, machine);
	else if (dice < 96 && actor->number == 0)
		ask_agent(actor);
	else
		ask_other(actor);
}

static bool same_name(const struct varbind *a, const struct varbind *b)
{
	return snmp_oid_compare(a->name, a->length, b->name, b->length) == 0;
}

/* Swaps some, and notices what is there twice. */
static void shuffle(struct actor *actor)
{
	actor->twice = false;
	for (size_t i = 0; i < actor->count; i++) {
		size_t other = PERCENT(30) ? choose(actor, (unsigned)actor->count) : i;
		struct varbind v = actor->varbinds[i];

		actor->varbinds[i] = actor->varbinds[other];
		actor->varbinds[other] = v;
	}
	for (size_t i = 0; i < actor->count; i++)
		for (size_t j = 0; j < i; j++)
			actor->twice = actor->twice || same_name(&actor->varbinds[i], &actor->varbinds[j]);
}

static void prepare_set(struct actor *actor)
{
	actor->count = 0;
	ask_something(actor);
	while (PERCENT(12) && actor->count < VARBINDS_MAX / 2)
		ask_something(actor);
	if (PERCENT(2) && actor->count < VARBINDS_MAX) {
		actor->varbinds[actor->count] = actor->varbinds[choose(actor, (unsigned)actor->count)];
		actor->count++;
	}
	shuffle(actor);
}

#endif
