/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Steps that run, any number of a job at once. Shared by the files that make up jobs; nobody else looks inside.
 *
 *   step.c         the running of one: begins, waits for the journal, acts, ends
 *   step_order.c   which may begin: what each waits for
 *   step_machine.c what steps of the machine have in common
 *   step_bmc.c     chassis control and settings of its BMC
 *   step_wake.c    magic packets
 *   step_vm.c      steps of VMs
 *   step_host*.c   steps of the machine's operating system
 *   step_connect.c waiting for a hypervisor
 *   step_look.c    what stands on a VM or the machine, before that goes down
 */
#ifndef PM_STEP_H
#define PM_STEP_H

#include "agent/host/host.h"
#include "agent/job.h"
#include "agent/plan.h"
#include "agent/stack/stack.h"

struct pm_step_run;

/* What all steps of one kind have in common. Whatever may end the step may free it, and its job. */
struct pm_step_kind {
	/* Before anything else: ends the step when it is settled already, and returns whether it has. NULL: it never is. */
	bool (*settle)(struct pm_step_run *run);

	/* It begins, or is taken up after a restart. NULL: that is nothing to it. */
	void (*begin)(struct pm_step_run *run);

	/*
	 * Before anything is sent: looks whether it is so already, or ends the step at once. Returns whether it has done
	 * either; then pm_step_go_on() comes when it has looked. NULL: nothing to look at.
	 */
	bool (*look)(struct pm_step_run *run);

	/* The journal has that it has begun: sends what is to be sent. */
	void (*act)(struct pm_step_run *run);

	/* Instead, after a restart: what was sent had been accepted before. NULL: it acts again. */
	void (*resume)(struct pm_step_run *run);

	/* The timer that it has set; late: all of its time is over. */
	void (*on_timer)(struct pm_step_run *run, bool late);

	/* This source of the machine's state has answered, or not in time. NULL: it does not wait for the machine. */
	void (*observed)(struct pm_step_run *run, enum pm_state_source asked);

	/* There is news of its VM, or of a hypervisor. NULL: it does not wait for them. */
	void (*news)(struct pm_step_run *run);

	/* Ends what is under way, without a result. NULL: there never is. */
	void (*stop)(struct pm_step_run *run);

	/* It runs no more. NULL: nobody needs to know. */
	void (*leave)(struct pm_step_run *run);

	/* What was done, in words; ago: "ago" while it runs, "before" in what is read for long. */
	void (*describe)(const struct pm_step_run *run, const char *ago, char *text, size_t size);

	/* pmJobTimeout is over. NULL: that is nothing to it. */
	void (*over)(struct pm_step_run *run);
};

extern const struct pm_step_kind pm_step_bmc, pm_step_wake, pm_step_vm, pm_step_connect, pm_step_host,
    pm_step_nothing;

/* Of a step of the BMC. */
struct pm_bmc_step {
	struct ipmi_op *op;
	uint64_t doubt_ms, heard_ms; /* loop time: not answered, the BMC's last sign of life noticed since */
	int64_t contact_ms;          /* what the BMC's statistics said of it then */
	bool doubt;                  /* the command was not answered: whether it was done is to be seen */
	bool left_goal;              /* cycle: the machine was seen off */
	bool prepared;               /* boot flags: the BMC was told to keep them, */
	bool forgetful;              /* and did not agree */
};

/* Of one that wakes. */
struct pm_wake_step {
	struct wol_burst *burst;
	bool was_on;      /* when it began */
	uint64_t next_ms; /* loop time of the next burst */
	unsigned bursts, packets_sent, packets_seen;
	unsigned burst_sent, burst_seen; /* of the current one, as reported so far */
};

/* Of one of a VM. */
struct pm_vm_step {
	struct stack_op *op;
	enum stack_command command; /* the last one */
	uint64_t next_ms;           /* loop time: none is sent before */
	uint64_t asked_ms; /* loop time: its own command was accepted first, or may have been; 0: never */
	uint32_t reboots;  /* of the VM, when it was sent */
	bool by_agent;     /* the next one to shut it down */
	bool plain;        /* it cannot suspend itself: its hypervisor pauses it */
	bool doubt;        /* whether it was done is to be seen */
	bool was_off;
};

/* Of one of the operating system. */
struct pm_host_step {
	struct host_op *op;
	bool reporting;             /* that asks only which boot it is */
	char boot_id[HOST_ID_SIZE]; /* the boot that is to go down; "" : not known yet */
	char target[320];           /* where it is reached */
	bool perhaps;               /* a restart found that this boot may have been asked */
	bool agreed;                /* it said that it goes, */
	bool doubt;                 /* or did not answer: whether it goes is to be seen */
	bool busy;                  /* it tells others what it has learnt */

	/* loop times, 0: never, or not now */
	uint64_t silent_ms;    /* since when nobody is there to be asked */
	uint64_t away_ms;      /* it was seen gone last */
	uint64_t off_ms;       /* since when it is seen off */
	uint64_t asked_ms;     /* in doubt: whether it is still there was asked */
	uint64_t last_look_ms; /* likewise, before something harder is tried */

	int64_t slept_ms; /* of the agent's own host, when it was told to sleep: so long it had slept */
};

/* A hypervisor that is asked what runs on it. */
struct pm_step_question {
	struct pm_step_run *run;
	struct stack_op *op; /* NULL: it has answered */
};

struct pm_step_run {
	struct pm_job *job;
	unsigned index;                      /* among the job's steps */
	struct pm_step_run *previous, *next; /* of those that run, in the order in which they began */
	const struct pm_step_kind *kind;
	struct pm_timer *timer;

	struct pm_gate_list *gate; /* NULL: open */
	struct pm_step_run *gate_previous, *gate_next;
	uint64_t generation; /* in to_sync: of the commit that has it */

	bool resumed;    /* taken up after a restart: it looks first */
	bool before;     /* accepted before that */
	uint64_t age_ms; /* resumed: so long ago it began */
	bool confirming; /* it looks: one fresh answer before anything is sent */

	uint64_t begun_ms, acted_ms, sent_ms;  /* loop time: step begun, last accepted, last sent; 0: never */
	bool acted;                            /* what was sent was accepted, or may have been done */
	bool cut;                              /* what was under way was cancelled before its answer, */
	bool cut_sent;                         /* and had left */
	unsigned tries, failures, acceptances; /* failures: tries in a row without any answer, or refused */
	char trouble[256];                     /* the last thing that went wrong */
	enum pm_result troubled;               /* and what it would be as a result; 0: nothing */

	bool untold;  /* there is news that it does not know yet */
	bool begun;   /* it is at its own work; before, it only looks */
	bool looking; /* what stands on it is looked at */
	bool parked;  /* nothing more is sent before what came to stand on it is down */
	uint64_t looked_ms, seen_ms,
	    parked_ms; /* loop time: began to look, has looked, was parked; 0: never */
	bool unsure;   /* somebody could not say */
	struct pm_step_question *questions;
	unsigned question_count, open_questions;
	char asked[64]; /* whom, for texts */

	struct pm_bmc_step bmc;
	struct pm_wake_step wake;
	struct pm_vm_step vm;
	struct pm_host_step host;
};

/* --- for the kinds of steps ------------------------------------------------------------------- */

struct pm_step *pm_step_of(const struct pm_step_run *run);
uint64_t pm_step_now(const struct pm_step_run *run); /* loop time */
uint64_t pm_step_left_ms(const struct pm_step_run *run);

/* Hypervisors that do not answer are tried at once: but not by each step, and not as often as one says no. */
void pm_step_hurry(const struct pm_step_run *run);

/* It has looked, and goes on: acts as soon as the journal has that it has begun. */
void pm_step_go_on(struct pm_step_run *run);

/* All is sent: the step waits for its effect. What was accepted is not sent again after a restart. */
void pm_step_verifying(struct pm_step_run *run);

/* How much of its time is over when it is taken up after a restart; there is always look_ms for a look. */
uint64_t pm_step_wait_already_ms(const struct pm_step_run *run, uint64_t look_ms);

/* It has ended well: what waits for it may begin. The job may be gone afterwards. */
void pm_step_done(struct pm_step_run *run, enum pm_result result, const char *text);

/* It has failed: an alternative is tried, if there is one. The job may be gone afterwards. */
void pm_step_failed(struct pm_step_run *run, enum pm_result result, const char *text);

/* It has failed, and nothing else is to be tried instead. The job may be gone afterwards. */
void pm_step_given_up(struct pm_step_run *run, enum pm_result result, const char *text);

/* The machine is observed where the step brings it; note goes behind the text. The job may be gone afterwards. */
void pm_step_reached(struct pm_step_run *run, const char *note);

/* --- step_machine.c --------------------------------------------------------------------------- */

/* For pm_step_kind.look, and for .observed while it looks. */
bool pm_machine_look(struct pm_step_run *run);
void pm_machine_looked(struct pm_step_run *run, enum pm_state_source asked);

/* Who has observed it, in words. */
const char *pm_machine_source(const struct pm_machine *machine);

/* How long the machine's own source may take to say how it is. */
uint64_t pm_machine_look_ms(const struct pm_machine *machine);

/* --- step_host.c ------------------------------------------------------------------------------ */

/* Whether, after a restart, it may be done (again): it was not sent yet, or harms nobody as only the boot that was asked does it. */
bool pm_host_step_is_repeatable(const struct pm_step *step);

/* Whether it was agreed to, so that all that is left is to see what became of it. */
bool pm_host_step_is_awaited(const struct pm_step *step);

/* "it cannot suspend ...: switched off instead, ...; " for a step that switches off in a job that was to sleep; else "". */
const char *pm_host_step_instead(const struct pm_job *job, const struct pm_step *step);

/* --- step_vm.c, step_look.c ------------------------------------------------------------------- */

/* The text of one that nobody has seen go down begins with this. */
extern const char pm_vm_step_lost[];

/* Its VM is no longer there. */
void pm_vm_step_gone(struct pm_step_run *run, const char *why);

/* Whether it takes down, gracefully, what hypervisors stand on; then these are asked before it begins. */
bool pm_step_must_look(const struct pm_step_run *run);

/*
 * Asks them. pm_step_looked() comes when they have answered, and nothing more is to be brought down; pm_step_given_up() when one
 * does not, and the step has not begun.
 */
void pm_step_look(struct pm_step_run *run);

/*
 * Before each command that takes down what VMs may stand on, the first and every other: whether it was looked at just now. If
 * not it is, and .act comes again; the run may be gone then.
 */
bool pm_step_may_send(struct pm_step_run *run);
void pm_step_look_again(struct pm_step_run *run);
void pm_step_stop_looking(struct pm_step_run *run);

/*
 * Before the job ends: adds what pm_plan_more() says. Returns how many steps that were, or a negative errno value with the
 * reason.
 */
int pm_steps_add_last(struct pm_job *job, struct pm_error *err);

/* --- for the jobs ----------------------------------------------------------------------------- */

/* Begins the steps that may begin, and takes up those that had begun before a restart. The job may be gone afterwards. */
void pm_steps_start(struct pm_job *job);

/* The steps are others now: what waits for what is found out once more. false: no memory. */
bool pm_steps_reorder(struct pm_job *job);

/* What stands on it was looked at, and nothing more is to be done before. */
void pm_step_looked(struct pm_step_run *run);

/* What was added comes first: it is not begun yet, after all; or does nothing more until then. */
void pm_step_wait(struct pm_step_run *run);

/* The journal has the step. */
void pm_step_act(struct pm_step_run *run);

/* A source of the machine's state has answered, or not in time. */
void pm_steps_observed(struct pm_job *job, enum pm_state_source asked);

/* News of a VM; it is gone; news of a hypervisor. */
void pm_steps_vm_observed(struct pm_job *job, const struct pm_vm *vm);
void pm_steps_vm_gone(struct pm_job *job, uint32_t vm, const char *why);
void pm_steps_hypervisor_observed(struct pm_job *job);

/* Whether it does something to a VM, rather than to the machine. */
bool pm_step_is_of_vm(const struct pm_step *step);

/* Whether any step is of a VM, or of a hypervisor. */
bool pm_job_has_stack(const struct pm_job *job);

/* pmJobTimeout is over. */
void pm_steps_over(struct pm_job *job);

/* The job ends, with this result, and so do they, each with its own text. They have been stopped. */
void pm_steps_end(struct pm_job *job, enum pm_result result);

/* Ends what is under way, without a result, so that it is known what had left; they can still be described. */
void pm_steps_stop(struct pm_job *job);

/* All that runs is gone. */
void pm_steps_free(struct pm_job *job);

/* --- step_order.c ----------------------------------------------------------------------------- */

/*
 * What waits for what. A step and its alternatives wait, and are waited for, as one; it is told by any of them, by index,
 * and what is said of "the first" is said of the first of them.
 */
struct pm_order {
	struct pm_order_node *nodes;
	unsigned count;                   /* of steps */
	unsigned left;                    /* so many have not ended well */
	unsigned first_ready, last_ready; /* in the order in which they became so */
};
#define PM_ORDER_NONE UINT32_MAX

/* For the steps as they are; once more when some were added. 0, or -ENOMEM: then nothing has changed. */
int pm_order_make(struct pm_order *order, const struct pm_step *steps, unsigned count);
void pm_order_free(struct pm_order *order);

/* Those that may begin, by their firsts; and which of the alternatives it is. PM_ORDER_NONE: no more. */
unsigned pm_order_first(const struct pm_order *order);
unsigned pm_order_next(const struct pm_order *order, unsigned first);
unsigned pm_order_begin(const struct pm_order *order, unsigned first);

/* It begins. */
void pm_order_take(struct pm_order *order, unsigned index);

/* An alternative is to begin, before all others. */
void pm_order_put_first(struct pm_order *order, unsigned index);

/* It has ended well: what waited for nothing else may begin. */
void pm_order_done(struct pm_order *order, unsigned index);

/* Whether it waits for nothing. */
bool pm_order_is_free(const struct pm_order *order, unsigned index);

bool pm_order_is_done(const struct pm_order *order, unsigned index);
bool pm_order_is_first(const struct pm_order *order, unsigned index);

#endif
