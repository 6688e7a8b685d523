/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What docs/mib.md prescribes for the rows of one machine, as a set of states in which each may be: jobs end by
 * themselves, so that an answer often leaves several, and the next answer must fit one of them.
 */
#ifndef PM_RANDOM_MODEL_H
#define PM_RANDOM_MODEL_H

#include "tests/integration/random_objects.h"

#define ROW_COUNT 4
#define LONG_S    600 /* longer than the test takes */

/* Masks of SNMP errors. */
#define CAN(error)      (1U << (error))
#define OK              CAN(SNMP_ERR_NOERROR)
#define INCONSISTENT    CAN(SNMP_ERR_INCONSISTENTVALUE)
#define WRONG_NAME      CAN(SNMP_ERR_INCONSISTENTNAME)
#define NO_CREATION     CAN(SNMP_ERR_NOCREATION)
#define NOT_WRITABLE    CAN(SNMP_ERR_NOTWRITABLE)
#define WRONG_VALUE     CAN(SNMP_ERR_WRONGVALUE)
#define NO_ACCESS       CAN(SNMP_ERR_NOACCESS)
#define NO_SUCH_MACHINE 999999U

/* Of machines, by pmIndex in turn. */
enum kind { GOOD, DEAD, SLEEPER, BARE, STACKED, HOSTED, KIND_COUNT };

enum verb {
	POWER_ON = 2,
	WAKE,
	SHUTDOWN,
	POWER_OFF,
	REBOOT,
	CYCLE,
	RESET,
	SUSPEND,
	HIBERNATE,
	SOFT_OFF,
	DIAGNOSTIC_INTERRUPT,
	INIT,
	ARM_WOL,
	IDENTIFY
};

enum row_status { ACTIVE = 1, NOT_IN_SERVICE, NOT_READY, CREATE_AND_GO, CREATE_AND_WAIT, DESTROY };

/* In which a row of pmJobTable may be. */
enum {
	ABSENT = 1,
	EMPTY = 2, /* notReady: without an action */
	DRAFT = 4, /* notInService */
	IDLE = 8,  /* active and disabled: not started */
	WORK = 16,
	ABORTING = 32,
	DYING = 64, /* aborted by destroy: it goes when it has ended */
	ENDED = 128,
	BUSY = WORK | ABORTING | DYING,
	ANY = 255
};

struct spec {
	uint32_t number[J_COLUMNS]; /* by column; J_ACTION 0: not set; not J_LABEL, J_ADMIN, J_ROW_STATUS */
	uint8_t address[16], address_length;
};

struct job_row {
	uint8_t index[70]; /* owner length, owner, name length, name */
	size_t index_length;
	unsigned states;
	struct spec spec;
	uint8_t label[64];
	size_t label_length;
	bool enabled;
};

struct machine {
	uint32_t index;
	enum kind kind;
	bool
	    wild; /* several managers change it at once, or its hypervisor does not answer: nearly nothing is known */
	bool inhibit;
	unsigned other;    /* of the job that another object started: ENDED, WORK or both */
	unsigned started;  /* by it: a mask of the verbs that it may be; 1: a setting of the BMC */
	unsigned inhibits; /* of all, when it was last looked at */
	oid active[70];    /* index behind pmIndex of the job that another object started, as last told */
	size_t active_length;
	struct job_row rows[ROW_COUNT];
};

/* Of pmAgentInhibit, while an answer was awaited. */
enum inhibited { ALLOWED, PERHAPS_INHIBITED, INHIBITED };

/* What a SET does to one row of pmJobTable. */
struct edit {
	bool has[J_COLUMNS];
	const struct value *value[J_COLUMNS];
	unsigned row_status, admin; /* 0: not in the SET */
	bool spec_set;
};

/* --- specifications -------------------------------------------------------------------------------------------------- */

static inline struct spec default_spec(void)
{
	return (struct spec){.number = {[J_SCOPE] = 2,
					[J_FORCE] = 1,
					[J_TIMEOUT] = 600,
					[J_VM_TIMEOUT] = 180,
					[J_ARM_WOL] = 2,
					[J_DRY_RUN] = 2,
					[J_RETAIN] = 3600,
					[J_STORAGE] = 3}};
}

static inline bool is_spec(unsigned column)
{
	return column != J_LABEL && column != J_ADMIN && column != J_RETAIN && column != J_ROW_STATUS;
}

/* The row's values with those of the SET; a new row begins with the defaults. */
static inline struct spec edited(const struct job_row *row, const struct edit *edit)
{
	bool anew = edit->row_status == CREATE_AND_GO || edit->row_status == CREATE_AND_WAIT;
	struct spec spec = anew ? default_spec() : row->spec;

	for (unsigned c = J_ACTION; c < J_COLUMNS; c++) {
		if (!edit->has[c] || c == J_LABEL || c == J_ADMIN || c == J_ROW_STATUS)
			continue;
		if (c == J_ADDR) {
			spec.address_length = (uint8_t)edit->value[c]->length;
			memset(spec.address, 0, sizeof(spec.address));
			memcpy(spec.address, edit->value[c]->octets, spec.address_length);
		} else {
			spec.number[c] = (uint32_t)edit->value[c]->number;
		}
	}
	return spec;
}

static inline bool address_fits(const struct spec *spec)
{
	static const uint8_t length[] = {0, 4, 16};

	return spec->address_length == length[spec->number[J_ADDR_TYPE]];
}

static inline bool has_no_bmc(enum kind kind)
{
	return kind == SLEEPER || kind == BARE || kind == HOSTED;
}

/* Whether the machine has what the verb needs: a mask of OK and INCONSISTENT. */
static inline unsigned can_do(enum kind kind, unsigned verb, bool at_once_only)
{
	bool bmc = kind == GOOD || kind == DEAD || kind == STACKED, host = kind == HOSTED;

	switch (verb) {
	case POWER_ON:
		return bmc || kind == SLEEPER ? OK : INCONSISTENT;
	case WAKE:
		return kind == SLEEPER ? OK : INCONSISTENT;
	case SHUTDOWN:
	case REBOOT:
		return kind == STACKED ? OK | INCONSISTENT : bmc || host ? OK : INCONSISTENT;
	case SUSPEND:
	case HIBERNATE:
	case INIT:
	case ARM_WOL:
		return host ? OK : INCONSISTENT;
	case POWER_OFF:
	case CYCLE:
	case RESET:
		return !bmc ? INCONSISTENT : kind == STACKED && !at_once_only ? OK | INCONSISTENT : OK;
	case SOFT_OFF:
	case DIAGNOSTIC_INTERRUPT:
	case IDENTIFY:
		return bmc ? OK : INCONSISTENT;
	default:
		return INCONSISTENT;
	}
}

static inline bool uses_scope(unsigned verb)
{
	return verb >= SHUTDOWN && verb <= HIBERNATE;
}

/* Whether a machine goes down that nobody but its operating system can take down. */
static inline bool goes_down(const struct spec *spec)
{
	unsigned verb = spec->number[J_ACTION], level = spec->number[J_INIT_LEVEL];

	return uses_scope(verb) || (verb == INIT && (level == 0 || level == 6));
}

/* One with a host and nothing else. */
static inline unsigned can_host(const struct spec *spec)
{
	unsigned verb = spec->number[J_ACTION];
	bool armed = spec->number[J_ARM_WOL] == 1;

	if (verb == REBOOT && spec->number[J_FORCE] == 3)
		return INCONSISTENT; /* a reset, which takes a BMC */
	if (armed && !goes_down(spec))
		return INCONSISTENT;
	if (verb == INIT && spec->number[J_SCOPE] == 2 &&
	    (goes_down(spec) || spec->number[J_INIT_LEVEL] == 1))
		return INCONSISTENT; /* that leaves the machine up */
	if ((armed || verb == ARM_WOL || verb == SUSPEND || verb == HIBERNATE) && spec->number[J_NIC])
		return INCONSISTENT; /* it has none */
	return can_do(HOSTED, verb, true);
}

/* The same for a row: its options have to make sense, too. */
static inline unsigned can_run(enum kind kind, const struct spec *spec)
{
	unsigned verb = spec->number[J_ACTION], can;

	if (verb == 0 || spec->number[J_VM] != 0 || !address_fits(spec))
		return INCONSISTENT;
	if (uses_scope(verb) && spec->number[J_SCOPE] == 2)
		return kind == STACKED ? OK | INCONSISTENT : INCONSISTENT;
	if (kind == HOSTED)
		return can_host(spec);
	if (spec->number[J_ARM_WOL] == 1)
		return uses_scope(verb) || verb == SOFT_OFF ? INCONSISTENT : OK | INCONSISTENT;
	can = can_do(kind, verb, spec->number[J_SCOPE] == 1);
	if (can == OK && kind == SLEEPER && spec->number[J_NIC] > 1)
		return INCONSISTENT;
	if (can == OK && (spec->number[J_NIC] || spec->address_length || spec->number[J_PORT]) &&
	    kind != SLEEPER)
		return OK | INCONSISTENT;
	return can;
}

/* --- time ------------------------------------------------------------------------------------------------------------ */

/* Whether a job that is at work will be so at the end of the test, too. */
static inline bool stays(const struct machine *machine, const struct spec *spec, unsigned inhibits)
{
	if (machine->inhibit || machine->inhibits != inhibits)
		return false;
	return spec->number[J_DELAY] >= LONG_S ||
	       (machine->kind == DEAD && spec->number[J_ACTION] == POWER_ON &&
		spec->number[J_TIMEOUT] >= LONG_S);
}

/* What may have happened by itself. inhibits counts how often pmAgentInhibit was set. */
static inline void let_time_pass(struct machine *machine, unsigned inhibits)
{
	for (int i = 0; i < ROW_COUNT; i++) {
		struct job_row *row = &machine->rows[i];

		if ((row->states & WORK) && !stays(machine, &row->spec, inhibits))
			row->states |= ENDED;
		if (row->states & ABORTING)
			row->states |= ENDED;
		if (row->states & DYING)
			row->states |= ABSENT;
		if ((row->states & ENDED) && row->spec.number[J_RETAIN] < LONG_S)
			row->states |= ABSENT;
	}
	if (machine->other & WORK)
		machine->other |= ENDED;
	machine->inhibits = inhibits;
}

/* Whether another job than that of this row is active: a mask of OK (no) and INCONSISTENT (yes). */
static inline unsigned is_free(const struct machine *machine, const struct job_row *but)
{
	unsigned free = OK;

	for (int i = 0; i < ROW_COUNT; i++) {
		unsigned states = machine->rows[i].states;

		if (&machine->rows[i] == but || !(states & BUSY))
			continue;
		free |= INCONSISTENT;
		if (!(states & ~(unsigned)BUSY))
			return INCONSISTENT;
	}
	if (machine->other & WORK)
		free |= INCONSISTENT;
	return machine->other == WORK ? INCONSISTENT : free;
}

static inline unsigned may_begin(const struct machine *machine, enum inhibited agent,
				 const struct job_row *row)
{
	unsigned free = is_free(machine, row);

	if (agent == INHIBITED || machine->inhibit)
		return INCONSISTENT;
	return agent == PERHAPS_INHIBITED ? free | INCONSISTENT : free;
}

/* Both must be OK. */
static inline unsigned both(unsigned a, unsigned b)
{
	return (a & b & OK) | ((a | b) & ~OK);
}

/* --- one row of pmJobTable ------------------------------------------------------------------------------------------- */

/* What happens to a row that is to become active: a mask of errors, and its state when there is none. */
static inline unsigned activate(const struct machine *machine, enum inhibited agent,
				const struct job_row *row, const struct spec *spec, bool enabled,
				unsigned *next)
{
	unsigned can = can_run(machine->kind, spec);

	if (spec->number[J_ACTION] == 0)
		return INCONSISTENT;
	if (!enabled) {
		*next = IDLE;
		return address_fits(spec) ? OK | can : INCONSISTENT;
	}
	*next = WORK;
	if (spec->number[J_DRY_RUN] != 1)
		return both(can, may_begin(machine, agent, row));
	*next = ENDED;
	return can;
}

static inline unsigned edit_draft(const struct edit *edit, const struct spec *spec, unsigned *next)
{
	*next = spec->number[J_ACTION] ? DRAFT : EMPTY;
	if (edit->row_status == NOT_IN_SERVICE && *next == EMPTY)
		return INCONSISTENT;
	return address_fits(spec) ? OK
				  : INCONSISTENT | (edit->has[J_ADDR] || edit->has[J_ADDR_TYPE] ? 0 : OK);
}

static inline unsigned edit_absent(const struct machine *machine, enum inhibited agent,
				   const struct job_row *row, const struct edit *edit, unsigned *next)
{
	struct spec spec = edited(row, edit);

	switch (edit->row_status) {
	case CREATE_AND_GO:
		return activate(machine, agent, row, &spec, edit->admin != 2, next);
	case CREATE_AND_WAIT:
		return edit_draft(edit, &spec, next);
	case DESTROY:
		*next = ABSENT;
		return OK;
	case ACTIVE:
	case NOT_IN_SERVICE:
		return INCONSISTENT;
	default:
		return WRONG_NAME;
	}
}

/* Of the values that a repeated createAndGo brings, all that a row keeps. */
static inline bool same_row(const struct job_row *row, const struct edit *edit)
{
	struct spec spec = edited(row, edit);
	const struct value *label = edit->value[J_LABEL];
	size_t length = label ? label->length : 0;

	return memcmp(&spec, &row->spec, sizeof(spec)) == 0 && length == row->label_length &&
	       (length == 0 || memcmp(label->octets, row->label, length) == 0);
}

static inline unsigned edit_at_work(const struct job_row *row, unsigned state, const struct edit *edit,
				    unsigned *next)
{
	unsigned vague = state == WORK ? 0 : OK | INCONSISTENT;

	*next = state;
	switch (edit->row_status) {
	case CREATE_AND_GO:
		if (same_row(row, edit))
			return vague | (edit->admin == 2 ? OK | INCONSISTENT : OK);
		return vague | INCONSISTENT;
	case CREATE_AND_WAIT:
	case NOT_IN_SERVICE:
		return vague | INCONSISTENT;
	case DESTROY:
		*next = DYING;
		return edit->admin || edit->spec_set ? OK | INCONSISTENT : vague | OK;
	default:
		break;
	}
	if (edit->spec_set)
		return vague | INCONSISTENT | (edit->row_status ? OK : 0);
	if (edit->admin == 2)
		*next = state == DYING ? DYING : ABORTING;
	return vague | OK;
}

static inline unsigned edit_existing(const struct machine *machine, enum inhibited agent,
				     const struct job_row *row, unsigned state, const struct edit *edit,
				     unsigned *next)
{
	bool enabled = edit->admin ? edit->admin == 1 : row->enabled;
	bool active = state == IDLE || state == ENDED;
	struct spec spec = edited(row, edit);

	*next = state;
	if (edit->row_status == CREATE_AND_GO || edit->row_status == CREATE_AND_WAIT)
		return INCONSISTENT;
	if (edit->row_status == DESTROY) {
		*next = ABSENT;
		return OK | (edit->admin || edit->spec_set ? INCONSISTENT : 0);
	}
	if (edit->row_status == NOT_IN_SERVICE) {
		unsigned error = edit_draft(edit, &spec, next);

		return error | (active && (edit->admin || edit->spec_set) ? INCONSISTENT : 0);
	}
	if (active && edit->spec_set)
		return INCONSISTENT | (edit->row_status ? OK : 0);
	if (state == ENDED)
		return edit->admin == 2 ? INCONSISTENT : OK;
	if (state == IDLE)
		return edit->admin == 1 ? activate(machine, agent, row, &spec, true, next) : OK;
	return edit->row_status == ACTIVE ? activate(machine, agent, row, &spec, enabled, next)
					  : edit_draft(edit, &spec, next);
}

/* The errors that are possible when the row is in this state, and its state when there is none. */
static inline unsigned edit_in_state(const struct machine *machine, enum inhibited agent,
				     const struct job_row *row, unsigned state, const struct edit *edit,
				     unsigned *next)
{
	if (state == ABSENT)
		return edit_absent(machine, agent, row, edit, next);
	if (state & BUSY)
		return edit_at_work(row, state, edit, next);
	return edit_existing(machine, agent, row, state, edit, next);
}

static inline unsigned predict_row(const struct machine *machine, enum inhibited agent,
				   const struct job_row *row, const struct edit *edit)
{
	unsigned errors = 0, next;

	if (machine->wild)
		return OK | INCONSISTENT | WRONG_NAME;
	for (unsigned state = 1; state <= ENDED; state <<= 1)
		if (row->states & state)
			errors |= edit_in_state(machine, agent, row, state, edit, &next);
	return errors;
}

static inline void take_values(struct job_row *row, const struct edit *edit)
{
	bool anew = edit->row_status == CREATE_AND_GO || edit->row_status == CREATE_AND_WAIT;
	const struct value *label = edit->value[J_LABEL];

	row->spec = edited(row, edit);
	if (label || anew)
		row->label_length = label ? label->length : 0;
	if (label)
		memcpy(row->label, label->octets, label->length);
	if (edit->admin || anew)
		row->enabled = edit->admin != 2;
}

/* The answer is known: what it leaves possible. */
static inline void settle_row(const struct machine *machine, enum inhibited agent, struct job_row *row,
			      const struct edit *edit, int error)
{
	unsigned states = 0, next = 0;

	for (unsigned state = 1; state <= ENDED; state <<= 1) {
		if (!(row->states & state) ||
		    !(edit_in_state(machine, agent, row, state, edit, &next) & CAN(error)))
			continue;
		states |= error ? state : next;
	}
	row->states = states ? states : ANY;
	if (!error)
		take_values(row, edit);
}

#endif
