/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the fake hypervisors share among themselves. */
#ifndef PM_SIM_FAKE_PRIVATE_H
#define PM_SIM_FAKE_PRIVATE_H

#include "tests/sim/fake_hypervisor.h"

struct fake_message {
	struct fake_message *next;
	uint64_t due_ms;
	uint64_t number;
	struct stack_event event;
	struct stack_vm *vms; /* what event points to */
	char uuid[STACK_UUID_SIZE];
	char text[128];
};

enum fake_phase { FAKE_TRYING, FAKE_CONNECTED, FAKE_HANGING };

struct stack_connection {
	struct stack_connection *next; /* of all that are open */
	uv_loop_t *loop;
	struct stack_options options; /* its uri is a copy, its label is not used */
	struct fake_hv *hv;           /* while it is connected */
	enum fake_phase phase;
	struct pm_timer *timer; /* by phase: the next attempt, the next list, the end of patience */
	bool attempting;
	struct pm_timer *messenger;
	struct fake_message *head, **tail;
	uint64_t messages;
	struct stack_op *ops;
	bool telling, closed;
};

struct stack_op {
	struct stack_op *next;
	struct stack_connection *connection;
	struct stack_request request;
	struct fake_call *call; /* NULL: has returned, or never began */
	uint64_t look;          /* ends with the message of this number; 0: not */
	struct pm_timer *timer; /* its deadline; or reply is due */
	struct stack_reply reply;
};

/* What a hypervisor is at work on; it does not end with the operation. */
struct fake_call {
	struct fake_call *next;
	struct fake_vm *vm;
	enum stack_command command;
	bool agent;
	struct stack_op *op; /* NULL: nobody waits for it any more */
	struct pm_timer *timer;
	bool done, stuck; /* all but the answer; which never comes */
	bool *gone;       /* set when it is freed; NULL: nobody asks */
	enum stack_result result;
};

/* fake_hypervisor.c */
uint64_t fake_now_ms(void); /* not the loop's, which may be late */
void *fake_allocate(size_t size);
struct fake_hv *fake_hvs(void); /* the first */
/* Whether it answers; if not, why. */
bool fake_hv_answers(const struct fake_hv *hv, enum stack_result *result, const char **text);
void fake_hv_wake(struct fake_hv *hv); /* somebody has connected: what it does when it has come up */
void fake_hv_fall(struct fake_hv *hv); /* what it runs on is gone */
void fake_hv_rise(struct fake_hv *hv); /* or has come up */
void fake_hv_remove(struct fake_hv *hv, struct fake_vm *vm);
enum fake_fault fake_fault_take(struct fake_vm *vm, struct fake_hv *hv, enum stack_command command);

/* fake_vm.c */
void fake_vm_attach(struct fake_vm *vm, uv_loop_t *loop); /* NULL: there is no connection any more */
void fake_vm_settle(struct fake_vm *vm); /* after what it stands on has changed: does its time pass? */
void fake_vm_kill(struct fake_vm *vm);
void fake_vm_free(struct fake_vm *vm);
enum stack_result fake_vm_execute(struct fake_vm *vm, enum stack_command command,
				  bool agent); /* it may be gone then */
void fake_vm_start(struct fake_vm *vm);
void fake_vm_stand(struct fake_vm *vm, enum pm_vm_state state); /* alive in this state */

/* fake_call.c */
void fake_call_begin(struct stack_op *op, struct fake_vm *vm);
void fake_call_kick(struct fake_vm *vm); /* what they wait for may be there */
void fake_call_end(struct fake_call *call, enum stack_result result, const char *text);
void fake_call_finish(struct fake_vm *vm); /* there is no connection any more */
void fake_call_free(struct fake_call *call);
void fake_call_free_all(struct fake_vm *vm);
void fake_op_reply(struct stack_op *op, enum stack_result result, bool sent, const char *text);
void fake_op_end(struct stack_op *op, const struct stack_reply *reply);

/* fake_driver.c */
uv_loop_t *fake_loop(void); /* NULL: no connection is open */
void fake_tell_vm(struct fake_vm *vm);
void fake_tell_uuid(struct fake_hv *hv, enum stack_event_type type, const char *uuid, bool migrated);
void fake_break(struct fake_hv *hv, enum stack_result result, const char *text);
void fake_patience(struct fake_hv *hv); /* it has become silent, or answers again */

/* fake_log.c */
void fake_log(enum fake_what what, const struct fake_hv *hv, const struct fake_vm *vm,
	      enum stack_command command, enum stack_result result);
void fake_log_asked(const struct fake_hv *hv, const struct fake_vm *vm, enum stack_command command,
		    bool agent);
void fake_log_free(void);

#endif
