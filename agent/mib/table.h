/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table engine: every table of PMSTACK-MIB is a struct pm_table of data plus a few callbacks; GET, GETNEXT and
 * the phases of a SET are written once, here. A GETNEXT costs one search of the table's own ordered rows.
 *
 * A SET runs through test (RESERVE: nothing has happened yet), apply (ACTION: still reversible), and then either
 * commit or undo, for all changed columns of a row at once. Every test is followed by exactly one commit or undo,
 * also when the master goes away in between.
 */
#ifndef PM_MIB_TABLE_H
#define PM_MIB_TABLE_H

#include "agent/error.h"

#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* { netSnmpPlaypen 7747 } 1: the root's one place in the code. */
#define PM_MIB_ROOT          1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 7747
#define PM_MIB_NOTIFICATIONS PM_MIB_ROOT, 0
#define PM_MIB_OBJECTS       PM_MIB_ROOT, 1

/* Sub-identifiers of the longest index: pmIndex, an owner and a name of 32 octets with their lengths, a step. */
#define PM_INDEX_MAX  80
#define PM_COLUMN_MAX 32  /* columns of the widest table, plus one */
#define PM_STRING_MAX 255 /* octets of the longest string that may be SET */

enum pm_access {
	PM_NO_ACCESS,
	PM_READ_ONLY,
	PM_READ_WRITE,
	PM_READ_CREATE /* a SET of it may create the row */
};

/* A column; min..max are octets of a string's length or bounds of a number. */
struct pm_column {
	const char *name; /* as in the MIB, for the log */
	uint8_t type;     /* ASN_INTEGER, ASN_UNSIGNED, ASN_COUNTER, ASN_OCTET_STR, ...; 0: no such column */
	enum pm_access access;
	uint32_t min, max; /* what a SET may write */
	uint32_t never; /* not 0: a number inside min..max that a SET may not write, such as the verb none */
};

#define PM_INDEX(name, type)                      \
	{                                         \
		name, type, PM_NO_ACCESS, 0, 0, 0 \
	}
#define PM_READ(name, type)                       \
	{                                         \
		name, type, PM_READ_ONLY, 0, 0, 0 \
	}
#define PM_WRITE(name, type, min, max)                 \
	{                                              \
		name, type, PM_READ_WRITE, min, max, 0 \
	}
#define PM_WRITE_NOT(name, type, min, max, never)          \
	{                                                  \
		name, type, PM_READ_WRITE, min, max, never \
	}

#define PM_CREATE(name, type, min, max)                 \
	{                                               \
		name, type, PM_READ_CREATE, min, max, 0 \
	}
#define PM_CREATE_NOT(name, type, min, max, never)          \
	{                                                   \
		name, type, PM_READ_CREATE, min, max, never \
	}

struct pm_value {
	uint8_t type; /* filled in by the engine from the column */
	union {
		int32_t integer;     /* ASN_INTEGER */
		uint32_t unsigned32; /* ASN_UNSIGNED, ASN_COUNTER, ASN_GAUGE, ASN_TIMETICKS */
	};
	const void *data;    /* ASN_OCTET_STR: octets; ASN_OBJECT_ID: oid[]; valid until the next call */
	size_t length;       /* in octets */
	uint8_t buffer[288]; /* room for data that is made on the fly */
};

struct pm_row {
	oid index[PM_INDEX_MAX];
	size_t index_length;
	void *object; /* the table's own; NULL: no row, or (in a SET) one that is to be created */
};

struct pm_table;

/* All changes to one row in one SET. */
struct pm_row_set {
	const struct pm_table *table;
	struct pm_row row;
	const struct pm_value *values[PM_COLUMN_MAX]; /* by column number; NULL: not in this SET */
	void *work;                                   /* the table's own, from test to commit or undo */
	unsigned failed_column; /* set by test and apply when they refuse; 0 = the first */
	bool tested;            /* the engine's own: test has agreed, commit or undo has not come yet */
};

/* The rows of a table that keeps them in an array, in the order of their indexes. */
struct pm_rows {
	struct pm_row_entry {
		oid *index; /* owned */
		size_t length;
		void *object;
	} * entries;
	size_t count, capacity;
};

struct pm_table {
	const char *name;                /* as in the MIB, for the log */
	oid number;                      /* below { pmObjects } */
	const struct pm_column *columns; /* by column number, from 0 */
	unsigned column_count;           /* highest column number + 1 */
	unsigned first_column;           /* the first that is accessible */
	/* What the index consists of, for the log: 'n' a number, 's' a text with its length; NULL: numbers. */
	const char *index_form;

	struct pm_rows *rows; /* kept by fill; NULL: seek finds the rows */
	/* Adds all rows there are now, in any order. Returns 0 or -ENOMEM. */
	int (*fill)(struct pm_rows *rows);
	/*
	 * First row whose index is greater than (or with inclusive: equal to) this one; fills row, or returns false.
	 * index may be row->index.
	 */
	bool (*seek)(const oid *index, size_t length, bool inclusive, struct pm_row *row);
	/* Whether any row may have a value in this column; NULL: yes. Spares a walk the search through empty columns. */
	bool (*any)(unsigned column);
	/* Reads one column; false: no such instance. */
	bool (*get)(const struct pm_row *row, unsigned column, struct pm_value *value);
	/*
	 * What type, length and range do not say of a value that a SET brings; NULL: nothing more. Returns
	 * SNMP_ERR_NOERROR, SNMP_ERR_WRONGLENGTH or SNMP_ERR_WRONGVALUE.
	 */
	int (*check)(unsigned column, const struct pm_value *value, struct pm_error *err);
	/* The SNMP error for a SET on a row that is not there. */
	int (*missing)(const oid *index, size_t length);
	/*
	 * Could a SET of a read-create column make this row, as far as its index tells? Returns SNMP_ERR_NOERROR,
	 * SNMP_ERR_NOCREATION or SNMP_ERR_INCONSISTENTNAME. Then test to undo get it without an object, and whether a row
	 * comes of it is up to them; nobody sees it before commit. In a table that has this, a row belongs to one
	 * SET at a time.
	 */
	int (*create)(const oid *index, size_t length, struct pm_error *err);
	/* May all this be done? Reserves what it takes. Returns SNMP_ERR_NOERROR or an error with its reason in err. */
	int (*test)(struct pm_row_set *set, struct pm_error *err);
	/* Makes it durable, reversibly. Returns SNMP_ERR_NOERROR, SNMP_ERR_COMMITFAILED or SNMP_ERR_RESOURCEUNAVAILABLE. */
	int (*apply)(struct pm_row_set *set, struct pm_error *err);
	/* Around the apply of all rows of one SET: good is false when one of them was refused. NULL: nothing to do. */
	int (*begin)(struct pm_error *err);
	int (*end)(bool good, struct pm_error *err);
	void (*commit)(struct pm_row_set *set); /* makes it happen; cannot fail */
	void (*undo)(
	    struct pm_row_set *set); /* as if nothing had been asked; follows a refused test or apply too */
};

/* Makes the rows of a table anew; nothing for a table without kept rows. Returns 0 or -ENOMEM: some are missing. */
int pm_table_refill(const struct pm_table *table);

/* Registers a table with the AgentX agent. Returns 0 or a negative errno value. */
int pm_table_register(const struct pm_table *table, struct pm_error *err);

/* Whether a SET is between its first phase and its last: it has rows, which may not go. */
bool pm_table_sets_open(void);

/* Undoes every SET that is between test and commit: the master has gone and will not end them. */
void pm_table_abort_sets(void);

/* --- ordered rows, for tables that keep an array of them -------------------------------------- */

/* Appends a row; call pm_rows_sort() after the last. Returns 0 or -ENOMEM. */
int pm_rows_add(struct pm_rows *rows, const oid *index, size_t length, void *object);
void pm_rows_sort(struct pm_rows *rows);
void pm_rows_clear(struct pm_rows *rows);
bool pm_rows_seek(const struct pm_rows *rows, const oid *index, size_t length, bool inclusive,
		  struct pm_row *row);

/* Writes a string index with its length first (RFC 2578, 7.7); returns the number of sub-identifiers. */
size_t pm_index_string(oid *index, const char *text);

/* --- values, for the get callbacks ------------------------------------------------------------ */

bool pm_value_integer(struct pm_value *value, unsigned integer); /* no INTEGER of this MIB is negative */
bool pm_value_unsigned(struct pm_value *value, uint32_t number);
bool pm_value_truth(struct pm_value *value, bool truth);
bool pm_value_text(struct pm_value *value, const char *text);                  /* not copied */
bool pm_value_octets(struct pm_value *value, const void *data, size_t length); /* not copied */
bool pm_value_date(struct pm_value *value, int64_t time_ms); /* DateAndTime; 0 = never: eight zero octets */

/*
 * Takes a text of the index (its length, then its octets) with at most max octets from *index, which moves behind it.
 * text has max + 1 octets. false: that is none, or it is not UTF-8 without control characters.
 */
bool pm_index_take_text(const oid **index, size_t *length, char *text, size_t max);

/* Copies what a SET wrote into a NUL-terminated string; buffer has at least PM_STRING_MAX + 1 octets. */
void pm_value_copy(const struct pm_value *value, char *buffer);

#endif
