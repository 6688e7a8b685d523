/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judges the answer to what random_ask.h asked for, and learns from it what is so now. */
#ifndef PM_RANDOM_JUDGE_H
#define PM_RANDOM_JUDGE_H

#include "tests/integration/random_ask.h"

#define COMPLAINTS_MAX 20

static struct {
	unsigned long asked, sets, varbinds, exact, wrong, reads, in_flight, most_in_flight;
	unsigned long errors[SNMP_ERR_INCONSISTENTNAME + 1];
} total;

/* --- what is right ---------------------------------------------------------------------------------------------------- */

static const struct value *written(const struct actor *actor, enum table table, const struct machine *machine,
				   unsigned column)
{
	for (size_t i = 0; i < actor->count; i++) {
		const struct varbind *v = &actor->varbinds[i];

		if (v->table == table && v->machine == machine && v->column == column && !v->fixed)
			return &v->value;
	}
	return NULL;
}

static struct edit edit_of(const struct actor *actor, const struct job_row *row)
{
	struct edit edit = {0};

	for (size_t i = 0; i < actor->count; i++) {
		const struct varbind *v = &actor->varbinds[i];

		if (v->row != row || v->fixed)
			continue;
		edit.has[v->column] = true;
		edit.value[v->column] = &v->value;
		edit.spec_set = edit.spec_set || is_spec(v->column);
	}
	edit.row_status = edit.has[J_ROW_STATUS] ? (unsigned)edit.value[J_ROW_STATUS]->number : 0;
	edit.admin = edit.has[J_ADMIN] ? (unsigned)edit.value[J_ADMIN]->number : 0;
	return edit;
}

/* Whether a job of pmJobTable may be doing this. */
static bool does(const struct machine *machine, unsigned verb)
{
	for (int i = 0; i < ROW_COUNT; i++)
		if ((machine->rows[i].states & BUSY) && machine->rows[i].spec.number[J_ACTION] == verb)
			return true;
	return false;
}

/* A verb by another object than pmJobTable. */
static unsigned simple_verb(const struct actor *actor, const struct machine *machine, unsigned verb)
{
	unsigned can = can_do(machine->kind, verb, true), begin = may_begin(machine, actor->inhibited, NULL);

	if (machine->wild)
		return can == INCONSISTENT ? can : OK | INCONSISTENT;
	if (!(can & OK) || begin == OK)
		return can;
	if ((machine->other & WORK) && (machine->started & 1U << verb))
		return OK | INCONSISTENT; /* by another object it may be the same or not */
	return does(machine, verb) ? OK | INCONSISTENT : begin;
}

/* The verb of Command or AdminState; 0: none. */
static unsigned machine_verb(const struct actor *actor, const struct machine *machine)
{
	const struct value *command = written(actor, MACHINE, machine, 5),
			   *wish = written(actor, MACHINE, machine, 3);

	return command                      ? (unsigned)command->number
	       : !wish || wish->number == 1 ? 0
	       : wish->number == 2          ? POWER_ON
					    : SHUTDOWN;
}

static unsigned predict_machine(const struct actor *actor, const struct machine *machine)
{
	const struct value *wish = written(actor, MACHINE, machine, 3),
			   *stack = written(actor, MACHINE, machine, 6);
	const struct value *inhibit = written(actor, MACHINE, machine, 12),
			   *method = written(actor, MACHINE, machine, 20);
	unsigned verb = machine_verb(actor, machine);

	if (stack && stack->number == 2 && machine->kind != STACKED)
		return INCONSISTENT;
	if (stack && stack->number == 2)
		return OK | INCONSISTENT;
	if (method && method->number == 2 && has_no_bmc(machine->kind))
		return INCONSISTENT;
	if (method && method->number == 3 && machine->kind != SLEEPER)
		return INCONSISTENT;
	if (written(actor, MACHINE, machine, 5) && wish && wish->number != 1)
		return INCONSISTENT;
	if (verb && inhibit && inhibit->number == 1)
		return INCONSISTENT;
	return verb ? simple_verb(actor, machine, verb) : OK;
}

static unsigned predict_bmc(const struct actor *actor, const struct machine *machine)
{
	static const unsigned verbs[] = {0,       0, POWER_OFF, POWER_ON, CYCLE, RESET, DIAGNOSTIC_INTERRUPT,
					 SOFT_OFF};
	const struct value *control = written(actor, BMC, machine, 5),
			   *identify = written(actor, BMC, machine, 15);
	const struct value *restore = written(actor, BMC, machine, 14),
			   *device = written(actor, BMC, machine, 16);
	bool boot = device || written(actor, BMC, machine, 17) || written(actor, BMC, machine, 18);
	unsigned begin = may_begin(machine, actor->inhibited, NULL);

	if ((control != NULL) + (restore != NULL) + (identify != NULL) + boot != 1)
		return INCONSISTENT;
	if (control)
		return simple_verb(actor, machine, verbs[control->number]);
	if (machine->wild)
		return OK | INCONSISTENT;
	if (boot && !device && machine->kind != DEAD)
		return begin | INCONSISTENT;
	if (boot && !device)
		return INCONSISTENT; /* nobody knows what it would keep */
	/* it may be the same that is at work */
	return (machine->other & WORK) || (identify && does(machine, IDENTIFY)) ? begin | OK : begin;
}

static unsigned predict_group(const struct actor *actor)
{
	const struct value *command = written(actor, GROUP, NULL, 6);
	unsigned errors = 0;

	if (!command)
		return OK;
	if (actor->inhibited == INHIBITED)
		return INCONSISTENT;
	for (unsigned i = 0; i < KINDS; i++) {
		unsigned member = simple_verb(actor, &actor->machines[i], (unsigned)command->number);

		if (member == OK && actor->inhibited == ALLOWED)
			return OK;
		errors |= member;
	}
	return errors;
}

static unsigned predict_agent(const struct actor *actor)
{
	const struct value *lock = written(actor, AGENT, NULL, 23);

	return lock && lock->number != agent.lock ? INCONSISTENT : OK;
}

static unsigned predict_varbind(const struct actor *actor, const struct varbind *v)
{
	struct edit edit;

	switch (v->table) {
	case AGENT:
		return predict_agent(actor);
	case MACHINE:
		return predict_machine(actor, v->machine);
	case NIC:
		return written(actor, NIC, v->machine, 10) ? simple_verb(actor, v->machine, WAKE) : OK;
	case BMC:
		return predict_bmc(actor, v->machine);
	case GROUP:
		return predict_group(actor);
	default:
		edit = edit_of(actor, v->row);
		return predict_row(v->machine, actor->inhibited, v->row, &edit);
	}
}

/* Whether two varbinds belong to different rows that have to do with each other. */
static bool entangled(const struct varbind *a, const struct varbind *b)
{
	bool all = a->table == GROUP || b->table == GROUP || a->table == AGENT || b->table == AGENT;

	if (a->table == b->table && a->machine == b->machine && a->row == b->row)
		return false;
	return all || (a->machine && a->machine == b->machine);
}

/* Fills in errors of every varbind. Returns what the answer as a whole may be. */
static unsigned predict(struct actor *actor)
{
	unsigned whole = OK, every = 0;

	actor->vague = false;
	for (size_t i = 0; i < actor->count; i++) {
		struct varbind *v = &actor->varbinds[i];

		v->errors = v->fixed ? v->fixed : predict_varbind(actor, v);
		for (size_t j = 0; j < actor->count && !v->fixed; j++) {
			if (actor->varbinds[j].fixed || !entangled(v, &actor->varbinds[j]))
				continue;
			actor->vague = true;
			v->errors |= INCONSISTENT;
		}
		if (actor->twice)
			v->errors = (v->errors & ~OK) | INCONSISTENT;
		whole &= v->errors;
		every |= v->errors & ~OK;
	}
	return whole | every;
}

/* --- what is so afterwards -------------------------------------------------------------------------------------------- */

/* A job of another object than pmJobTable may have begun. */
static void begun(struct machine *machine, unsigned verb)
{
	machine->other = WORK | ENDED;
	machine->started = 1U << verb;
}

static void perhaps_begun(struct machine *machine, unsigned verb)
{
	unsigned before = machine->other & WORK ? machine->started : 0;

	begun(machine, verb);
	machine->started |= before;
}

static void take_machine(struct actor *actor, struct machine *machine)
{
	static const unsigned verbs[] = {0,       0, POWER_OFF, POWER_ON, CYCLE, RESET, DIAGNOSTIC_INTERRUPT,
					 SOFT_OFF};
	const struct value *inhibit = written(actor, MACHINE, machine, 12),
			   *control = written(actor, BMC, machine, 5);

	if (inhibit)
		machine->inhibit = inhibit->number == 1;
	if (machine_verb(actor, machine))
		begun(machine, machine_verb(actor, machine));
	if (written(actor, NIC, machine, 10))
		begun(machine, WAKE);
	for (unsigned column = 14; column <= 18; column++)
		if (written(actor, BMC, machine, column))
			begun(machine, column == 15 ? IDENTIFY : 0);
	if (control)
		begun(machine, verbs[control->number]);
}

static void take_agent(const struct actor *actor)
{
	const struct value *inhibit = written(actor, AGENT, NULL, 15),
			   *lock = written(actor, AGENT, NULL, 23);

	if (inhibit)
		agent.inhibited = inhibit->number == 1;
	if (lock)
		agent.lock = agent.lock == INT32_MAX ? 0 : agent.lock + 1;
}

static bool is_first_of_row(const struct actor *actor, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (actor->varbinds[i].row == actor->varbinds[at].row && !actor->varbinds[i].fixed)
			return false;
	return true;
}

static void settle(struct actor *actor, int error)
{
	const struct value *verb = written(actor, GROUP, NULL, 6);
	struct edit edits[VARBINDS_MAX];

	for (size_t i = 0; i < actor->count; i++)
		edits[i] = edit_of(actor, actor->varbinds[i].row);
	for (size_t i = 0; i < actor->count; i++) {
		const struct varbind *v = &actor->varbinds[i];

		if (v->row && !v->fixed && !v->machine->wild && is_first_of_row(actor, i) &&
		    (!error || (actor->count == 1 && !actor->vague)))
			settle_row(v->machine, actor->inhibited, v->row, &edits[i], error);
	}
	if (error)
		return;
	take_agent(actor);
	for (unsigned i = 0; i < KINDS; i++) {
		take_machine(actor, &actor->machines[i]);
		if (verb)
			perhaps_begun(&actor->machines[i], (unsigned)verb->number);
	}
}

/* The errors of RFC 3416 by their names. */
static const char *error_name(unsigned error)
{
	static const char *const names[] = {"noError",
					    "tooBig",
					    "noSuchName",
					    "badValue",
					    "readOnly",
					    "genErr",
					    "noAccess",
					    "wrongType",
					    "wrongLength",
					    "wrongEncoding",
					    "wrongValue",
					    "noCreation",
					    "inconsistentValue",
					    "resourceUnavailable",
					    "commitFailed",
					    "undoFailed",
					    "authorizationError",
					    "notWritable",
					    "inconsistentName"};

	return error <= SNMP_ERR_INCONSISTENTNAME ? names[error] : "an unknown error";
}

/* --- complaints ------------------------------------------------------------------------------------------------------ */

static FILE *asked; /* what was asked for and answered, all of it; NULL: nobody wants to know */

static void print_varbind(FILE *to, const struct varbind *v, size_t number)
{
	const struct object *object = object_of(v->table, v->column);

	fprintf(to, "    %zu. %s", number, object ? object->name : "(not writable)");
	for (size_t i = object ? PREFIX + 1 : sizeof(root) / sizeof(*root); i < v->length; i++)
		fprintf(to, ".%lu", (unsigned long)v->name[i]);
	fprintf(to, " type 0x%02x = %ld", v->value.type, v->value.number);
	for (size_t i = 0; i < v->value.length; i++)
		fprintf(to, "%s%02x", i ? "" : " x", v->value.octets[i]);
	if (v->row)
		fprintf(to, ", states 0x%02x verb %u", v->row->states, v->row->spec.number[J_ACTION]);
	if (v->machine)
		fprintf(to, ", kind %u other 0x%02x%s", v->machine->kind, v->machine->other,
			v->machine->inhibit ? " inhibited" : "");
	fprintf(to, ", right are:");
	for (unsigned error = 0; error <= SNMP_ERR_INCONSISTENTNAME; error++)
		if (v->errors & CAN(error))
			fprintf(to, " %s", error_name(error));
	fprintf(to, "\n");
}

static void print_request(FILE *to, const struct actor *actor, const char *answer, long at)
{
	fprintf(to, "manager %u, request %lu: %s (varbind %ld)\n", actor->number, total.asked, answer, at);
	for (size_t i = 0; i < actor->count; i++)
		print_varbind(to, &actor->varbinds[i], i + 1);
}

static void complain(struct actor *actor, const char *what, long at)
{
	if (total.wrong++ < COMPLAINTS_MAX)
		print_request(stderr, actor, what, at);
}

/* --- answers ---------------------------------------------------------------------------------------------------------- */

static enum inhibited inhibited_now(void)
{
	return agent.in_flight ? PERHAPS_INHIBITED : agent.inhibited ? INHIBITED : ALLOWED;
}

static void judge_set(struct actor *actor, const netsnmp_pdu *answer)
{
	unsigned right = predict(actor), error = (unsigned)answer->errstat;
	bool placed = error == 0 || (answer->errindex >= 1 && (size_t)answer->errindex <= actor->count &&
				     (actor->varbinds[answer->errindex - 1].errors & CAN(error)));

	if (asked)
		print_request(asked, actor, error_name(error), answer->errindex);
	total.sets++;
	total.varbinds += actor->count;
	total.exact += (right & (right - 1)) == 0;
	if (error <= SNMP_ERR_INCONSISTENTNAME)
		total.errors[error]++;
	if (error > SNMP_ERR_INCONSISTENTNAME || !(right & CAN(error)) || !placed) {
		complain(actor, error_name(error), answer->errindex);
		if (error)
			return;
	}
	settle(actor, (int)error);
}

static unsigned state_seen(const netsnmp_variable_list *state, const netsnmp_variable_list *status)
{
	if (state->type == SNMP_NOSUCHINSTANCE && status->type == SNMP_NOSUCHINSTANCE)
		return ABSENT;
	if (state->type != ASN_INTEGER || status->type != ASN_INTEGER)
		return 0;
	if (*status->val.integer == NOT_READY)
		return *state->val.integer == 1 ? EMPTY : 0;
	if (*status->val.integer == NOT_IN_SERVICE)
		return *state->val.integer == 1 ? DRAFT : 0;
	return *state->val.integer == 1    ? IDLE
	       : *state->val.integer <= 4  ? WORK
	       : *state->val.integer == 5  ? ABORTING | DYING
	       : *state->val.integer <= 10 ? ENDED
					   : 0;
}

/* One row: what it is must be what it may be. */
static void judge_row(struct actor *actor, const netsnmp_pdu *answer)
{
	struct job_row *row = actor->varbinds[0].row;
	const netsnmp_variable_list *state = answer->variables, *status = state ? state->next_variable : NULL;
	unsigned seen = status ? state_seen(state, status) : 0;

	char what[64];

	snprintf(what, sizeof(what), "a row that is read is in state 0x%02x", seen);
	if (asked)
		print_request(asked, actor, what, 0);
	if (actor->varbinds[0].machine->wild)
		return;
	if (!(row->states & seen))
		complain(actor, what, 0);
	row->states = row->states & seen ? row->states & seen : seen ? seen : ANY;
}

static bool is_row(const struct job_row *row, const oid *index, size_t length)
{
	bool same = row->index_length == length;

	for (size_t i = 0; same && i < length; i++)
		same = row->index[i] == index[i];
	return same;
}

/* pmMachineActiveJob: this job, if any, is the only one that is active. */
static void judge_active(struct actor *actor, const netsnmp_pdu *answer)
{
	struct machine *machine = actor->varbinds[0].machine;
	const netsnmp_variable_list *active = answer->variables;
	const oid *name = active->val.objid;
	size_t length = active->val_len / sizeof(oid);

	machine->active_length = 0;
	if (active->type != ASN_OBJECT_ID || machine->wild) {
		if (active->type != ASN_OBJECT_ID)
			complain(actor, "pmMachineActiveJob has another type", 0);
		return;
	}
	for (int i = 0; i < ROW_COUNT; i++) {
		struct job_row *row = &machine->rows[i];
		bool is = length > PREFIX + 2 && is_row(row, name + PREFIX + 2, length - PREFIX - 2);
		unsigned states = row->states & (is ? (unsigned)BUSY : ~(unsigned)BUSY);

		if (!states)
			complain(actor,
				 is ? "a job that is not active is told to be"
				    : "a job is active and not told to be",
				 i);
		row->states = states ? states : ANY;
	}
	if (length > PREFIX + 2 && name[PREFIX + 2] == 0) {
		machine->other = WORK;
		machine->active_length = length - PREFIX - 2;
		memcpy(machine->active, name + PREFIX + 2, machine->active_length * sizeof(oid));
	} else {
		machine->other = ENDED;
	}
}

static bool sets_inhibit(const struct actor *actor)
{
	return !actor->reading && written(actor, AGENT, NULL, 15);
}

static int answered(int operation, netsnmp_session *session, int number, netsnmp_pdu *answer, void *data)
{
	struct actor *actor = data;

	(void)session;
	(void)number;
	actor->waiting = false;
	total.in_flight--;
	for (unsigned i = 0; i < KINDS; i++)
		let_time_pass(&actor->machines[i], agent.inhibits);
	if (actor->inhibits != agent.inhibits || actor->inhibited != inhibited_now())
		actor->inhibited = PERHAPS_INHIBITED;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || answer->command != SNMP_MSG_RESPONSE)
		complain(actor, "no answer", 0);
	else if (!actor->reading)
		judge_set(actor, answer);
	else if (answer->errstat || !answer->variables)
		complain(actor, "a GET fails", answer->errindex);
	else if (actor->varbinds[0].row)
		judge_row(actor, answer);
	else
		judge_active(actor, answer);
	if (sets_inhibit(actor)) {
		agent.inhibits++;
		agent.in_flight = false;
	}
	return 1;
}

#endif
