/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One BMC: its queue of operations, its clock (one timer for retransmissions and deadlines) and its end.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipmi/internal.h"

static const uint64_t NEVER = UINT64_MAX;

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- ending operations ---- */

static void unlink_op(struct ipmi_op *op)
{
	struct ipmi_bmc *bmc = op->bmc;
	struct ipmi_op **link = &bmc->head, *previous = NULL;

	for (; *link != op; link = &(*link)->next)
		previous = *link;
	*link = op->next;
	if (bmc->tail == op)
		bmc->tail = previous;
}

/* The callback may submit, cancel, free the BMC or close the engine: nothing of op is used after it. */
static void complete(struct ipmi_op *op, struct ipmi_reply *reply)
{
	struct ipmi_bmc *bmc = op->bmc;
	ipmi_done_fn done = op->request.done;
	void *data = op->request.data;

	if (reply->result == IPMI_TIMEOUT || reply->result == IPMI_UNREACHABLE)
		bmc->stats.timeouts++;
	reply->sent = op->sent;
	if (op == bmc->head) {
		bmc->not_before_ms = 0;
		bmc->former_waiting = NULL;
	}
	unlink_op(op);
	free(op);
	if (bmc->head)
		ipmi_bmc_wake(bmc);
	if (done)
		done(reply, data);
}

/* Whatever becomes of it. A privilege level that was asked for, and not answered, the session may have or not. */
static void stop_waiting(struct ipmi_bmc *bmc)
{
	if (bmc->waiting && bmc->waiting->id == IPMI_EXCHANGE_SET_PRIVILEGE)
		bmc->session.level = (enum ipmi_privilege)0;
	bmc->waiting = NULL;
}

static void end_head(struct ipmi_bmc *bmc, struct ipmi_reply *reply)
{
	stop_waiting(bmc);
	complete(bmc->head, reply);
}

void ipmi_bmc_reply(struct ipmi_bmc *bmc, struct ipmi_reply *reply)
{
	reply->round_trip_us = bmc->head->round_trip_us;
	end_head(bmc, reply);
}

void ipmi_bmc_finish(struct ipmi_bmc *bmc, enum ipmi_result result, const char *format, ...)
{
	struct ipmi_reply reply = {.result = result};
	va_list arguments;

	va_start(arguments, format);
	ipmi_explain_v(bmc, &reply, format, arguments);
	va_end(arguments);
	ipmi_session_drop(bmc);
	complete(bmc->head, &reply);
}

static void complete_cancelled(struct ipmi_op *op)
{
	struct ipmi_reply reply = {.result = IPMI_CANCELLED};
	char name[IPMI_NAME_SIZE];

	ipmi_explain(op->bmc, &reply, ": %s cancelled", ipmi_request_name(&op->request, name, sizeof(name)));
	complete(op, &reply);
}

void ipmi_op_cancel(struct ipmi_op *op)
{
	struct ipmi_bmc *bmc = op->bmc;

	if (op == bmc->head) {
		if (bmc->state == IPMI_STATE_READY)
			stop_waiting(bmc); /* the answer will be dropped, the session stays */
		else if (!op->next)
			ipmi_session_drop(bmc);
	}
	complete_cancelled(op);
}

/* ---- deadlines ---- */

/* Not even on a session that was made just before: it is not the session that is lost, so the next one gets more time. */
static void note_slow_command(struct ipmi_bmc *bmc)
{
	uint64_t silent_ms = ipmi_now_ms() - bmc->begun_ms;

	if (bmc->state == IPMI_STATE_READY && bmc->waiting && bmc->head->reestablished &&
	    silent_ms > bmc->round_trip_ms)
		bmc->round_trip_ms = (unsigned)silent_ms;
}

/* A session in which the BMC has answered just now is kept: it is the time that was too short. */
static void finish_unanswered(struct ipmi_bmc *bmc)
{
	struct ipmi_op *op = bmc->head;
	struct ipmi_reply reply = {
	    .result = op->contact || bmc->state == IPMI_STATE_READY ? IPMI_TIMEOUT : IPMI_UNREACHABLE};

	note_slow_command(bmc);
	if (bmc->state == IPMI_STATE_SETUP && bmc->waiting && bmc->transmissions > 1)
		bmc->gave_up_at = bmc->waiting->id;
	ipmi_explain_silence(bmc, &reply);
	if (bmc->state != IPMI_STATE_READY || !op->contact)
		ipmi_session_drop(bmc);
	end_head(bmc, &reply);
}

/* The session is not at fault; a set-up does not get any further by this. */
static void finish_malformed(struct ipmi_bmc *bmc)
{
	struct ipmi_reply reply = {.result = IPMI_REJECTED};
	char name[IPMI_NAME_SIZE];

	ipmi_explain(bmc, &reply,
		     " answered %s with too little data: update the BMC's firmware, or do without",
		     ipmi_exchange_name(bmc, bmc->waiting, name, sizeof(name)));
	if (bmc->state != IPMI_STATE_READY)
		ipmi_session_drop(bmc);
	ipmi_bmc_reply(bmc, &reply);
}

void ipmi_bmc_hold(struct ipmi_bmc *bmc, int code)
{
	bmc->held = true;
	bmc->held_code = code;
}

static void believe(struct ipmi_bmc *bmc)
{
	bmc->held = false;
	if (bmc->held_code == IPMI_HELD_MALFORMED)
		finish_malformed(bmc);
	else
		bmc->waiting->reject(bmc, (uint8_t)bmc->held_code);
}

/* The last answer was "not now", up to the deadline. */
static void finish_not_now(struct ipmi_bmc *bmc)
{
	struct ipmi_reply reply = {.result = IPMI_REJECTED};

	ipmi_explain_code(bmc, &reply, bmc->waiting, bmc->not_now);
	if (bmc->state != IPMI_STATE_READY)
		ipmi_session_drop(bmc);
	end_head(bmc, &reply);
}

static void finish_duplicate(struct ipmi_bmc *bmc)
{
	struct ipmi_reply reply = {.result = IPMI_TIMEOUT};

	ipmi_explain_code(bmc, &reply, bmc->waiting, IPMI_COMP_CODE_CANNOT_EXECUTE_DUPLICATE_REQUEST);
	end_head(bmc, &reply);
}

static void finish_head_late(struct ipmi_bmc *bmc)
{
	if (bmc->waiting && bmc->held)
		believe(bmc);
	else if (bmc->waiting && bmc->duplicate)
		finish_duplicate(bmc);
	else if (bmc->waiting && bmc->not_now)
		finish_not_now(bmc);
	else
		finish_unanswered(bmc);
}

static void finish_queued_late(struct ipmi_op *op)
{
	struct ipmi_bmc *bmc = op->bmc;
	struct ipmi_reply reply = {
	    .result = bmc->state == IPMI_STATE_READY || (bmc->head && bmc->head->contact) ? IPMI_TIMEOUT
											  : IPMI_UNREACHABLE};
	char name[IPMI_NAME_SIZE], limit[32];

	ipmi_explain(bmc, &reply, ": %s waited %s for earlier requests",
		     ipmi_request_name(&op->request, name, sizeof(name)),
		     ipmi_seconds(op->timeout_ms, limit, sizeof(limit)));
	complete(op, &reply);
}

void ipmi_bmc_restart_deadlines(struct ipmi_bmc *bmc)
{
	for (struct ipmi_op *op = bmc->head; op; op = op->next)
		op->deadline_ms = ipmi_now_ms() + op->timeout_ms;
}

/* Starts over after each one: the callback may have changed the queue. */
static void expire(struct ipmi_bmc *bmc, uint64_t now_ms)
{
	struct ipmi_op *op = bmc->head;

	while (op && !bmc->closing) {
		if (op->deadline_ms <= now_ms && bmc->line && ipmi_bmc_waits_for_name(bmc, op->timeout_ms))
			ipmi_bmc_restart_deadlines(bmc);
		if (op->deadline_ms > now_ms) {
			op = op->next;
			continue;
		}
		if (op == bmc->head)
			finish_head_late(bmc);
		else
			finish_queued_late(op);
		op = bmc->head;
	}
}

/* ---- sending ---- */

static bool is_command(const struct ipmi_exchange *exchange)
{
	return exchange->id >= IPMI_EXCHANGE_COMMAND;
}

/* A `once` command that has been on the wire is never sent again. */
static bool spent(const struct ipmi_bmc *bmc)
{
	return is_command(bmc->waiting) && bmc->head->request.once && bmc->head->sent;
}

int ipmi_bmc_transmit(struct ipmi_bmc *bmc, const struct ipmi_exchange *exchange)
{
	uint8_t packet[IPMI_PACKET_MAX];
	int length = ipmi_packet_build(bmc, exchange, packet, sizeof(packet));
	int status;

	if (length < 0)
		return -EINVAL;
	status = ipmi_engine_send(bmc, packet, (size_t)length);
	explicit_bzero(packet, sizeof(packet));
	if (status < 0 && status != -EAGAIN)
		bmc->network_error = -status;
	return status;
}

static uint64_t *sent_ns(struct ipmi_bmc *bmc, unsigned copy)
{
	return &bmc->sent_ns[(bmc->number - copy) % IPMI_COPIES_MAX];
}

static void next_number(struct ipmi_bmc *bmc)
{
	bmc->number++;
	bmc->copies++;
	*sent_ns(bmc, 0) = 0;
}

static void note_sent(struct ipmi_bmc *bmc)
{
	if (*sent_ns(bmc, 0) == 0)
		*sent_ns(bmc, 0) = uv_hrtime();
	if (bmc->sent)
		bmc->stats.retransmits++;
	else
		bmc->stats.requests++;
	bmc->sent = true;
	if (is_command(bmc->waiting))
		bmc->head->sent = true;
}

/* The network says that nobody is there: there is no answer to wait for, unless all addresses have been tried. */
static void hurry_to_next_address(struct ipmi_bmc *bmc)
{
	if (bmc->waiting && bmc->waiting->id == IPMI_EXCHANGE_AUTH_CAPABILITIES &&
	    bmc->transmissions < bmc->address_count)
		bmc->transmit_at_ms = ipmi_now_ms();
}

static void transmit_waiting(struct ipmi_bmc *bmc)
{
	int status;

	if (bmc->transmissions > 0 && (bmc->waiting->reading || bmc->waiting->framing == IPMI_FRAMING_SETUP))
		next_number(bmc);
	status = ipmi_bmc_transmit(bmc, bmc->waiting);
	if (status == -EINVAL && !bmc->closing) {
		ipmi_bmc_finish(bmc, IPMI_INTERNAL, ": %s cannot be assembled", bmc->waiting->name);
		return;
	}
	if (status == 0)
		note_sent(bmc);
	bmc->not_now = 0;
	bmc->transmissions++;
	bmc->transmit_at_ms = ipmi_now_ms() + bmc->interval_ms;
	bmc->interval_ms += bmc->interval_ms / 2;
	if (status < 0 && status != -EAGAIN)
		hurry_to_next_address(bmc);
}

/*
 * A BMC that is known to be slow gets twice the time that its last answers took, as long as it leaves room for another try:
 * what is sent before the answer comes makes it only slower.
 */
static unsigned first_interval_ms(const struct ipmi_bmc *bmc)
{
	unsigned most_ms = (bmc->head ? bmc->head->timeout_ms : bmc->timeout_ms) / IPMI_PATIENCE;
	unsigned slow_ms = 2 * bmc->round_trip_ms;

	if (slow_ms > most_ms)
		slow_ms = most_ms;
	return slow_ms > bmc->retransmit_ms ? slow_ms : bmc->retransmit_ms;
}

void ipmi_bmc_send(struct ipmi_bmc *bmc, enum ipmi_exchange_id id)
{
	bmc->waiting = ipmi_exchange(id);
	bmc->copies = 0;
	next_number(bmc);
	bmc->transmissions = 0;
	bmc->interval_ms = first_interval_ms(bmc);
	bmc->begun_ms = ipmi_now_ms();
	bmc->sent = false;
	bmc->duplicate = bmc->held = false;
	transmit_waiting(bmc);
}

/* A command that needs more than may be asked for is not sent. */
static bool is_allowed(const struct ipmi_bmc *bmc)
{
	return ipmi_command_exchanges[bmc->head->request.command].privilege <= bmc->privilege;
}

static void finish_not_allowed(struct ipmi_bmc *bmc)
{
	const struct ipmi_request *request = &bmc->head->request;
	struct ipmi_reply reply = {.result = IPMI_AUTH_FAILED};
	const char *needed = ipmi_privilege_name(ipmi_command_exchanges[request->command].privilege);
	char name[IPMI_NAME_SIZE];

	ipmi_explain(bmc, &reply, ": %s needs privilege level %s: set privilege = \"%s\" in the credentials",
		     ipmi_request_name(request, name, sizeof(name)), needed, needed);
	end_head(bmc, &reply);
}

void ipmi_bmc_proceed(struct ipmi_bmc *bmc)
{
	if (!is_allowed(bmc))
		finish_not_allowed(bmc);
	else if (!ipmi_session_at_level(bmc))
		ipmi_session_set_level(bmc);
	else
		ipmi_bmc_send(
		    bmc, (enum ipmi_exchange_id)(IPMI_EXCHANGE_COMMAND + (int)bmc->head->request.command));
}

/* A `once` request must not be wasted on a session that the BMC may have forgotten: that is found out first.
 */
static void start_head(struct ipmi_bmc *bmc, uint64_t now_ms)
{
	if (!is_allowed(bmc))
		finish_not_allowed(bmc);
	else if (bmc->state != IPMI_STATE_READY)
		ipmi_session_begin(bmc);
	else if (bmc->head->request.once && now_ms - bmc->answered_ms > IPMI_TRUSTED_MS)
		ipmi_session_set_level(bmc);
	else
		ipmi_bmc_proceed(bmc);
}

/*
 * No answer on a kept session: the BMC has probably forgotten it. Once in an operation a new one is set up, unless the answer
 * comes before the BMC says anything else.
 */
static bool session_lost(struct ipmi_bmc *bmc, uint64_t now_ms)
{
	struct ipmi_op *op = bmc->head;
	uint64_t silent_ms = now_ms - bmc->begun_ms;

	if (bmc->state != IPMI_STATE_READY || op->reestablished || silent_ms < 2 * bmc->round_trip_ms)
		return false;
	return bmc->transmissions >= IPMI_LOST_AFTER || silent_ms >= op->timeout_ms / IPMI_PATIENCE;
}

static void retransmit(struct ipmi_bmc *bmc, uint64_t now_ms)
{
	if (bmc->held) {
		believe(bmc);
	} else if (bmc->duplicate) {
		finish_duplicate(bmc);
	} else if (spent(bmc)) {
		bmc->transmit_at_ms = NEVER;
	} else if (bmc->not_now) {
		transmit_waiting(bmc);
	} else if (session_lost(bmc, now_ms)) {
		bmc->head->reestablished = true;
		ipmi_session_put_aside(bmc);
		ipmi_session_begin(bmc);
	} else if (bmc->state != IPMI_STATE_SETUP || !ipmi_session_unanswered(bmc)) {
		transmit_waiting(bmc);
	}
}

void ipmi_bmc_network_error(struct ipmi_bmc *bmc, int error)
{
	bmc->network_error = error;
	hurry_to_next_address(bmc);
	ipmi_bmc_wake(bmc);
}

/* ---- receiving ---- */

static int64_t realtime_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A slow answer counts at once; a quick one after it may be the exception. */
static void note_round_trip(struct ipmi_bmc *bmc, unsigned copy)
{
	uint64_t took_us = *sent_ns(bmc, copy) ? (uv_hrtime() - *sent_ns(bmc, copy)) / 1000 : 0;
	unsigned took_ms = (unsigned)(took_us / 1000);

	if (is_command(bmc->waiting)) /* setting up a session says nothing about how long a command takes */
		bmc->stats.round_trip_us = bmc->head->round_trip_us = (unsigned)took_us;
	/* which one of several copies that are the same was answered nobody knows (RFC 6298, 3) */
	if (bmc->transmissions > 1 && bmc->copies == 1)
		return;
	bmc->round_trip_ms = took_ms > bmc->round_trip_ms ? took_ms : (bmc->round_trip_ms + took_ms) / 2;
}

static void note_answer(struct ipmi_bmc *bmc, unsigned copy)
{
	note_round_trip(bmc, copy);
	bmc->stats.last_contact_ms = realtime_ms();
	bmc->answered_ms = ipmi_now_ms();
	bmc->network_error = 0;
	if (bmc->head)
		bmc->head->contact = true;
}

static void note_late(struct ipmi_bmc *bmc)
{
	bmc->stats.bad_packets++;
	bmc->late_packets++;
}

/* The BMC is slow, not silent: the answer to the last copy is on its way. */
static void await_last_answer(struct ipmi_bmc *bmc, unsigned copy)
{
	note_answer(bmc, copy);
	bmc->transmissions = 1;
	bmc->interval_ms = first_interval_ms(bmc);
	bmc->transmit_at_ms = *sent_ns(bmc, 0) / 1000000 + bmc->interval_ms;
}

/* Asked again a little later, under a new sequence number: the BMC would take the old one for a duplicate. */
static void ask_again(struct ipmi_bmc *bmc, uint8_t code)
{
	uint64_t now_ms = ipmi_now_ms();

	bmc->not_now = code;
	bmc->copies = 0;
	next_number(bmc);
	bmc->transmissions = 1;
	bmc->begun_ms = now_ms; /* the BMC knows the session */
	bmc->transmit_at_ms = now_ms + bmc->interval_ms;
}

/*
 * The BMC has the command already, because it was sent twice or doubled on its way; the answer to the first one may still
 * come. It is not sent again.
 */
static void await_first_answer(struct ipmi_bmc *bmc)
{
	bmc->duplicate = true;
	bmc->transmit_at_ms = ipmi_now_ms() + bmc->interval_ms;
}

/* Returns false when the code is an answer like any other. */
static bool take_transient(struct ipmi_bmc *bmc, uint8_t code)
{
	enum ipmi_remedy remedy = ipmi_completion(bmc->waiting, code)->remedy;
	bool reading = bmc->waiting->reading;

	if ((remedy == IPMI_REMEDY_REPEAT || (remedy != IPMI_REMEDY_NONE && reading)) && !spent(bmc))
		ask_again(bmc, code);
	else if (remedy == IPMI_REMEDY_DUPLICATE && is_command(bmc->waiting))
		await_first_answer(bmc);
	else
		return false;
	return true;
}

static void take_malformed(struct ipmi_bmc *bmc)
{
	bmc->stats.bad_packets++;
	if (bmc->head)
		finish_malformed(bmc);
	else
		ipmi_session_drop(bmc);
}

/* What comes before a session has nobody's signature; the refusal of one need not have it. */
static bool is_authenticated(const struct ipmi_bmc *bmc)
{
	return ipmi_framing(bmc, bmc->waiting) != IPMI_FRAMING_LAN &&
	       bmc->waiting->id != IPMI_EXCHANGE_ACTIVATE;
}

static void take_answer(struct ipmi_bmc *bmc, fiid_obj_t response)
{
	const struct ipmi_exchange *exchange = bmc->waiting;
	uint8_t code =
	    exchange->framing == IPMI_FRAMING_SETUP ? 0 : (uint8_t)ipmi_field(response, "comp_code");

	if (code == 0)
		exchange->accept(bmc, response);
	else if (take_transient(bmc, code))
		return;
	else if (is_authenticated(bmc))
		exchange->reject(bmc, code);
	else
		ipmi_bmc_hold(bmc, code);
}

/* Whatever a BMC answers shows that it is there to close what it may still have. */
static void take(struct ipmi_bmc *bmc, enum ipmi_verdict verdict, fiid_obj_t response, unsigned copy)
{
	note_answer(bmc, copy);
	if (bmc->waiting->id == IPMI_EXCHANGE_AUTH_CAPABILITIES)
		ipmi_session_close_former(bmc);
	if (verdict == IPMI_PACKET_VALID)
		take_answer(bmc, response);
	else if (is_authenticated(bmc))
		take_malformed(bmc);
	else
		ipmi_bmc_hold(bmc, IPMI_HELD_MALFORMED);
}

void ipmi_bmc_receive(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length)
{
	fiid_obj_t response;
	unsigned copy = 0;
	enum ipmi_verdict verdict = ipmi_packet_check(bmc, packet, length, &response, &copy);

	switch (verdict) {
	case IPMI_PACKET_INVALID:
		bmc->stats.bad_packets++;
		return;
	case IPMI_PACKET_LATE:
		note_late(bmc);
		return;
	case IPMI_PACKET_SUPERSEDED:
		note_late(bmc);
		await_last_answer(bmc, copy);
		break;
	default:
		take(bmc, verdict, response, copy);
		break;
	}
	ipmi_bmc_wake(bmc);
}

void ipmi_bmc_receive_former(struct ipmi_bmc *bmc, const uint8_t *packet, size_t length)
{
	fiid_obj_t response;
	unsigned copy = 0;
	enum ipmi_verdict verdict;

	ipmi_session_swap(bmc);
	verdict = ipmi_packet_check(bmc, packet, length, &response, &copy);
	if (verdict != IPMI_PACKET_VALID && verdict != IPMI_PACKET_MALFORMED) {
		ipmi_session_swap(bmc);
		bmc->stats.bad_packets++;
		return;
	}
	ipmi_session_resume(bmc);
	take(bmc, verdict, response, copy);
	ipmi_bmc_wake(bmc);
}

/* ---- the clock ---- */

static uint64_t next_event_ms(const struct ipmi_bmc *bmc)
{
	uint64_t at_ms = bmc->waiting ? bmc->transmit_at_ms : NEVER;

	if (bmc->closing)
		return min_u64(at_ms, bmc->close_deadline_ms);
	if (bmc->state == IPMI_STATE_RESOLVING && !bmc->resolving)
		at_ms = ipmi_now_ms() + IPMI_LOOKUP_AGAIN_MS;
	else if (bmc->head && !bmc->waiting && bmc->state != IPMI_STATE_RESOLVING)
		at_ms = bmc->not_before_ms;
	for (const struct ipmi_op *op = bmc->head; op; op = op->next)
		at_ms = min_u64(at_ms, op->deadline_ms);
	return at_ms;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct ipmi_bmc *bmc = handle->data;

	bmc->timer_closed = true;
	ipmi_bmc_dispose(bmc);
}

static void run_closing(struct ipmi_bmc *bmc, uint64_t now_ms)
{
	if (bmc->state == IPMI_STATE_READY && now_ms < bmc->close_deadline_ms) {
		if (now_ms >= bmc->transmit_at_ms)
			transmit_waiting(bmc);
		return;
	}
	bmc->session.has_keys = false; /* Close Session was sent */
	ipmi_session_drop(bmc);
	uv_close((uv_handle_t *)&bmc->timer, on_timer_closed);
}

static void run_open(struct ipmi_bmc *bmc, uint64_t now_ms)
{
	expire(bmc, now_ms);
	if (!bmc->head || bmc->closing)
		return;
	if (bmc->waiting) {
		if (now_ms >= bmc->transmit_at_ms)
			retransmit(bmc, now_ms);
	} else if (bmc->state != IPMI_STATE_RESOLVING) {
		if (now_ms >= bmc->not_before_ms)
			start_head(bmc, now_ms);
	} else if (!bmc->resolving) {
		ipmi_resolve(bmc); /* there was no free thread */
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct ipmi_bmc *bmc = timer->data;
	uint64_t now_ms = ipmi_now_ms(), at_ms;

	if (bmc->closing)
		run_closing(bmc, now_ms);
	else
		run_open(bmc, now_ms);
	if (uv_is_closing((uv_handle_t *)timer))
		return;
	at_ms = next_event_ms(bmc);
	if (at_ms != NEVER)
		uv_timer_start(timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

void ipmi_bmc_wake(struct ipmi_bmc *bmc)
{
	if (!uv_is_closing((uv_handle_t *)&bmc->timer))
		uv_timer_start(&bmc->timer, on_timer, 0, 0);
}

/* ---- public ---- */

int ipmi_bmc_new(struct ipmi_engine *engine, const struct ipmi_bmc_config *config, struct ipmi_bmc **result)
{
	struct ipmi_bmc *bmc;

	if (!ipmi_bmc_config_valid(config) || ipmi_engine_closing(engine))
		return -EINVAL;
	bmc = calloc(1, sizeof(*bmc));
	if (!bmc || !(bmc->host = strdup(config->host))) {
		free(bmc);
		return -ENOMEM;
	}
	ipmi_bmc_configure(bmc, config);
	bmc->stats.ipmi_version = "";
	bmc->gave_up_at = IPMI_EXCHANGE_COUNT;
	ipmi_get_random(&bmc->number, sizeof(bmc->number)); /* only makes guessing harder */
	bmc->numeric = ipmi_resolve_numeric(bmc);
	snprintf(bmc->name, sizeof(bmc->name), strchr(bmc->host, ':') ? "%s%sBMC [%s]:%u" : "%s%sBMC %s:%u",
		 config->label ? config->label : "", config->label ? ": " : "", bmc->host, bmc->port);
	uv_timer_init(ipmi_engine_loop(engine), &bmc->timer);
	bmc->timer.data = bmc;
	ipmi_engine_link(engine, bmc);
	*result = bmc;
	return 0;
}

void ipmi_bmc_dispose(struct ipmi_bmc *bmc)
{
	if (!bmc->timer_closed || bmc->resolving)
		return;
	ipmi_engine_unlink(bmc);
	free(bmc->host);
	explicit_bzero(bmc, sizeof(*bmc));
	free(bmc);
}

void ipmi_bmc_shut(struct ipmi_bmc *bmc, unsigned timeout_ms)
{
	uint64_t deadline_ms = ipmi_now_ms() + timeout_ms;

	if (bmc->closing) {
		bmc->close_deadline_ms = min_u64(bmc->close_deadline_ms, deadline_ms);
		ipmi_bmc_wake(bmc);
		return;
	}
	bmc->closing = true;
	bmc->close_deadline_ms = deadline_ms;
	while (bmc->head)
		ipmi_op_cancel(bmc->head);
	if (bmc->resolving)
		uv_cancel((uv_req_t *)&bmc->resolver);
	ipmi_session_close_former(bmc);
	if (bmc->state == IPMI_STATE_READY)
		ipmi_bmc_send(bmc, IPMI_EXCHANGE_CLOSE_SESSION);
	ipmi_bmc_wake(bmc);
}

void ipmi_bmc_free(struct ipmi_bmc *bmc)
{
	if (bmc)
		ipmi_bmc_shut(bmc, IPMI_FREE_TIMEOUT_MS);
}

struct ipmi_op *ipmi_bmc_submit(struct ipmi_bmc *bmc, const struct ipmi_request *request)
{
	struct ipmi_op *op = bmc->closing ? NULL : calloc(1, sizeof(*op));

	if (!op)
		return NULL;
	op->bmc = bmc;
	op->request = *request;
	op->timeout_ms = request->timeout_ms ? request->timeout_ms : bmc->timeout_ms;
	op->deadline_ms = ipmi_now_ms() + op->timeout_ms;
	op->bad_packets = ipmi_invalid_packets(bmc);
	if (bmc->tail)
		bmc->tail->next = op;
	else
		bmc->head = op;
	bmc->tail = op;
	ipmi_bmc_wake(bmc);
	return op;
}

void ipmi_bmc_stats(const struct ipmi_bmc *bmc, struct ipmi_bmc_stats *stats)
{
	*stats = bmc->stats;
}
