/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine and its bursts. Whatever happens to a burst becomes a report in one queue, which the loop
 * delivers: no caller is ever called back from within its own call.
 */
#include "wol/capture.h"
#include "wol/interface.h"
#include "wol/match.h"
#include "wol/send.h"
#include "wol/wol.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS       1024 /* bursts by MAC; a power of two */
#define PROOF_MS      1000 /* how long after the last packet its proof may come */
#define BUSY_RETRY_MS 10   /* the kernel's queue was full */
#define BUSY_RETRIES  20
#define DELIVER_BUNCH 256 /* reports in one turn of the loop */

/* A report waiting to be delivered. */
struct node {
	struct node *next;
	struct wol_burst *burst;
	enum wol_event event;
	unsigned sent, seen;
	char interface[IF_NAMESIZE];
	struct timespec time;
};

struct wol_engine {
	uv_loop_t *loop;
	struct wol_sender sender;
	struct wol_captures captures;
	struct wol_burst *buckets[BUCKETS];
	struct node *first, **last; /* of the report queue */
	uv_idle_t deliver;          /* runs while the queue is not empty */
	unsigned bursts;            /* not yet freed */
	bool closing;
	void (*closed)(void *data);
	void *closed_data;
};

struct wol_burst {
	struct wol_burst *next; /* in its bucket, oldest first */
	struct wol_engine *engine;
	struct wol_target target;
	struct sockaddr_storage address; /* UDP */
	struct wol_expected expected;
	struct wol_capture *capture;
	uv_timer_t timer;
	unsigned count, interval_ms;
	unsigned attempted, busy, sent, seen;
	bool waiting; /* for the capture to open */
	bool over;    /* the result stands; only reports are left */
	bool gone;    /* the last report was made */
	enum wol_result result;
	char interface[IF_NAMESIZE];
	struct wol_error send_error, proof_error;
	char text[200];
	wol_report_fn report;
	void *data;
	size_t nodes_used;
	struct node nodes[]; /* 2 * count + 1 */
};

/* --- reports ---------------------------------------------------------------------------------- */

static void deliver(uv_idle_t *idle);

static void push(struct wol_burst *burst, enum wol_event event, const struct timespec *time)
{
	struct wol_engine *engine = burst->engine;
	struct node *node = &burst->nodes[burst->nodes_used++];

	node->burst = burst;
	node->event = event;
	node->sent = burst->sent;
	node->seen = burst->seen;
	memcpy(node->interface, burst->interface, sizeof(node->interface));
	node->time = *time;
	*engine->last = node;
	engine->last = &node->next;
	uv_idle_start(&engine->deliver, deliver);
}

static struct node *pop(struct wol_engine *engine)
{
	struct node *node = engine->first;

	if (!node)
		return NULL;
	engine->first = node->next;
	if (!engine->first)
		engine->last = &engine->first;
	return node;
}

/* Forgets the burst's reports that are still waiting. */
static void unqueue(struct wol_burst *burst)
{
	struct wol_engine *engine = burst->engine;
	struct node **at = &engine->first;

	while (*at) {
		if ((*at)->burst == burst)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
	engine->last = at;
}

static void finish_engine(void *data);

static void on_burst_closed(uv_handle_t *handle)
{
	struct wol_burst *burst = handle->data;
	struct wol_engine *engine = burst->engine;

	free(burst);
	engine->bursts--;
	if (engine->closing && engine->bursts == 0)
		wol_captures_close(&engine->captures, finish_engine);
}

static void make_report(const struct node *node)
{
	struct wol_burst *burst = node->burst;
	struct wol_report report = {
	    .event = node->event,
	    .sent = node->sent,
	    .seen = node->seen,
	    .time = node->time,
	};

	memcpy(report.interface, node->interface, sizeof(report.interface));
	if (node->event == WOL_EVENT_DONE) {
		report.result = burst->result;
		memcpy(report.text, burst->text, sizeof(report.text));
		burst->gone = true;
		uv_close((uv_handle_t *)&burst->timer, on_burst_closed);
	}
	burst->report(&report, burst->data);
}

static void deliver(uv_idle_t *idle)
{
	struct wol_engine *engine = idle->data;
	struct node *node;

	for (int i = 0; i < DELIVER_BUNCH && (node = pop(engine)); i++)
		make_report(node);
	if (!engine->first)
		uv_idle_stop(idle);
}

/* --- the end of a burst ----------------------------------------------------------------------- */

static struct wol_burst **bucket_of(struct wol_engine *engine, const uint8_t mac[6])
{
	unsigned hash = (unsigned)(mac[5] | mac[4] << 8) ^ (unsigned)(mac[3] << 4);

	return &engine->buckets[hash % BUCKETS];
}

static void leave_bucket(struct wol_burst *burst)
{
	struct wol_burst **at = bucket_of(burst->engine, burst->target.mac);

	while (*at && *at != burst)
		at = &(*at)->next;
	if (*at)
		*at = burst->next;
}

static void end_burst(struct wol_burst *burst, enum wol_result result)
{
	burst->over = true;
	burst->result = result;
	uv_timer_stop(&burst->timer);
	leave_bucket(burst);
	if (burst->capture)
		wol_capture_release(burst->capture);
	burst->capture = NULL;
}

static void finish(struct wol_burst *burst, enum wol_result result)
{
	struct timespec now;

	end_burst(burst, result);
	clock_gettime(CLOCK_REALTIME, &now);
	push(burst, WOL_EVENT_DONE, &now);
}

static void describe_partial(struct wol_burst *burst)
{
	if (burst->sent < burst->count)
		snprintf(burst->text, sizeof(burst->text), "only %u of %u packets could be sent: %.130s",
			 burst->sent, burst->count, burst->send_error.text);
}

static void describe_unseen(struct wol_burst *burst)
{
	struct wol_interface interface;
	struct wol_error ignored;
	const char *why = "";

	if (wol_interface_named(burst->interface, &interface, &ignored) < 0)
		why = ": the interface has gone";
	else if (!interface.up)
		why = ": the interface is down";
	else if (!interface.running)
		why = ": the interface has no carrier";
	snprintf(burst->text, sizeof(burst->text), "sent %u packets, none was seen leaving %s within %d ms%s",
		 burst->sent, burst->interface, PROOF_MS, why);
}

static void conclude(struct wol_burst *burst)
{
	const struct wol_error *proof = &burst->proof_error;

	if (burst->capture && burst->capture->error.text[0] && !proof->text[0])
		proof = &burst->capture->error;
	if (burst->sent == 0) {
		memcpy(burst->text, burst->send_error.text, sizeof(burst->text));
		finish(burst, WOL_FAILED);
	} else if (burst->seen > 0) {
		describe_partial(burst);
		finish(burst, WOL_OK);
	} else if (proof->text[0]) {
		memcpy(burst->text, proof->text, sizeof(burst->text));
		finish(burst, WOL_UNPROVED);
	} else {
		describe_unseen(burst);
		finish(burst, WOL_NOT_SEEN);
	}
}

/* --- sending ---------------------------------------------------------------------------------- */

static int find_interface(const struct wol_burst *burst, struct wol_interface *interface,
			  struct wol_error *err)
{
	const char *name = burst->target.interface;
	bool raw = burst->target.method == WOL_ETHERNET;
	int rc;

	if (*name)
		rc = wol_interface_named(name, interface, err);
	else if (raw)
		rc = wol_interface_first(interface, err);
	else
		rc = wol_interface_routed(&burst->address, interface, err);
	if (rc < 0)
		return rc;
	if (raw && !interface->ethernet)
		return wol_fail(err, EINVAL, "%s is not an Ethernet interface: name another, or use UDP",
				interface->name);
	if (!interface->up)
		return wol_fail(err, ENETDOWN, "network interface %s is down", interface->name);
	return 0;
}

/* Makes sure that the egress interface is being listened to, and that what comes next is the proof of what is
 * sent next. Not being able to listen is no reason not to send. */
static void watch(struct wol_burst *burst, const struct wol_interface *interface)
{
	struct wol_capture *capture = wol_capture_acquire(&burst->engine->captures, interface);

	if (burst->capture)
		wol_capture_release(burst->capture);
	burst->capture = capture;
	memcpy(burst->interface, interface->name, sizeof(burst->interface));
	if (!capture)
		wol_fail(&burst->proof_error, ENOMEM, "cannot capture on %s: out of memory", interface->name);
	else if (!capture->opening)
		wol_capture_drain(capture);
	if (capture && !capture->opening && capture->error.text[0])
		burst->proof_error = capture->error;
}

/* Finds out where the next packet leaves, and listens there. */
static int prepare(struct wol_burst *burst, struct wol_interface *interface, struct wol_error *err)
{
	int rc = wol_sender_open(&burst->engine->sender, burst->target.method, burst->expected.family, err);

	if (rc == 0)
		rc = find_interface(burst, interface, err);
	if (rc == 0)
		watch(burst, interface);
	return rc;
}

static int send_packet(struct wol_burst *burst, const struct wol_interface *interface, struct wol_error *err)
{
	const struct wol_sender *sender = &burst->engine->sender;
	struct wol_expected *expected = &burst->expected;

	memcpy(expected->source, interface->mac, sizeof(expected->source));
	expected->vlan_id = interface->vlan_id;
	if (burst->target.method == WOL_ETHERNET) {
		expected->frame_length = wol_frame(&burst->target, interface->mac, expected->frame);
		return wol_send_frame(sender, interface, expected->frame, expected->frame_length, err);
	}
	expected->source_port = expected->family == AF_INET ? sender->port4 : sender->port6;
	return wol_send_datagram(sender, interface, &burst->address, expected->payload,
				 expected->payload_length, err);
}

static void on_timer(uv_timer_t *timer);

static void packet_sent(struct wol_burst *burst, const struct timespec *time)
{
	burst->sent++;
	push(burst, WOL_EVENT_SENT, time);
}

static void wait_for_next(struct wol_burst *burst)
{
	bool listening = burst->capture && !burst->capture->error.text[0];

	if (burst->attempted < burst->count)
		uv_timer_start(&burst->timer, on_timer, burst->interval_ms, 0);
	else if (listening && burst->seen < burst->sent)
		uv_timer_start(&burst->timer, on_timer, PROOF_MS, 0);
	else
		conclude(burst);
}

static void next_packet(struct wol_burst *burst)
{
	struct wol_interface interface;
	struct timespec now;
	int rc = prepare(burst, &interface, &burst->send_error);

	burst->waiting = rc == 0 && burst->capture && burst->capture->opening;
	if (burst->waiting)
		return; /* for on_capture_ready() */
	clock_gettime(CLOCK_REALTIME, &now);
	if (rc == 0)
		rc = send_packet(burst, &interface, &burst->send_error);
	if ((rc == -EAGAIN || rc == -ENOBUFS) && burst->busy++ < BUSY_RETRIES) {
		uv_timer_start(&burst->timer, on_timer, BUSY_RETRY_MS, 0);
		return;
	}
	burst->attempted++;
	if (rc == 0)
		packet_sent(burst, &now);
	/* An interface may come back within a burst that has begun; one that cannot begin is over. */
	if (burst->sent == 0)
		conclude(burst);
	else
		wait_for_next(burst);
}

static void on_timer(uv_timer_t *timer)
{
	struct wol_burst *burst = timer->data;

	if (burst->attempted < burst->count) {
		next_packet(burst);
		return;
	}
	/* The loop may have been held up for longer than the proof may take: look once more before judging.
	 */
	if (burst->capture)
		wol_capture_drain(burst->capture);
	conclude(burst);
}

static void on_capture_ready(struct wol_capture *capture, void *data)
{
	struct wol_engine *engine = data;
	struct wol_burst *burst, *next;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (burst = engine->buckets[i]; burst; burst = next) {
			next = burst->next;
			if (burst->waiting && burst->capture == capture)
				next_packet(burst);
		}
	}
}

/* --- proof ------------------------------------------------------------------------------------ */

static bool proves(const struct wol_burst *burst, const struct wol_capture *capture,
		   const struct wol_captured *captured)
{
	return burst->capture == capture && burst->seen < burst->sent &&
	       wol_matches(&burst->expected, captured);
}

/* Two bursts to one machine send equal frames: each frame proves the oldest burst that still lacks one. */
static void on_captured(struct wol_capture *capture, const struct wol_captured *captured,
			const struct timespec *time, void *data)
{
	struct wol_burst *burst = *bucket_of(data, captured->payload + 6);

	while (burst && !proves(burst, capture, captured))
		burst = burst->next;
	if (!burst)
		return;
	burst->seen++;
	push(burst, WOL_EVENT_SEEN, time);
	if (burst->seen == burst->sent && burst->attempted == burst->count)
		uv_timer_start(&burst->timer, on_timer, 0, 0);
}

/* --- public ----------------------------------------------------------------------------------- */

int wol_engine_new(uv_loop_t *loop, struct wol_engine **engine)
{
	struct wol_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->loop = loop;
	e->last = &e->first;
	wol_sender_init(&e->sender);
	wol_captures_init(&e->captures, loop, on_capture_ready, on_captured, e);
	uv_idle_init(loop, &e->deliver);
	e->deliver.data = e;
	*engine = e;
	return 0;
}

static void on_engine_closed(uv_handle_t *handle)
{
	struct wol_engine *engine = handle->data;
	void (*closed)(void *data) = engine->closed;
	void *data = engine->closed_data;

	free(engine);
	if (closed)
		closed(data);
}

static void finish_engine(void *data)
{
	struct wol_engine *engine = data;

	wol_sender_close(&engine->sender);
	uv_close((uv_handle_t *)&engine->deliver, on_engine_closed);
}

static void cancel_all(struct wol_engine *engine)
{
	struct node *node;

	for (size_t i = 0; i < BUCKETS; i++)
		while (engine->buckets[i])
			wol_burst_cancel(engine->buckets[i]);
	while ((node = engine->first))
		wol_burst_cancel(node->burst);
}

void wol_engine_close(struct wol_engine *engine, void (*done)(void *data), void *data)
{
	engine->closing = true;
	engine->closed = done;
	engine->closed_data = data;
	engine->bursts++; /* held while cancelling, so that the engine outlives its last burst's callback */
	cancel_all(engine);
	engine->bursts--;
	if (engine->bursts == 0)
		wol_captures_close(&engine->captures, finish_engine);
}

static int read_address(struct wol_burst *burst)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
	struct wol_expected *expected = &burst->expected;
	struct sockaddr_in *in = (struct sockaddr_in *)&burst->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&burst->address;
	struct addrinfo *found = NULL;

	if (getaddrinfo(burst->target.address, NULL, &hints, &found) != 0)
		return wol_fail(
		    &burst->send_error, EINVAL,
		    "\"%s\" is not an IPv4 or IPv6 address (a broadcast address such as 192.168.3.255, or a host's)",
		    burst->target.address);
	memcpy(&burst->address, found->ai_addr, found->ai_addrlen);
	expected->family = found->ai_family;
	freeaddrinfo(found);
	expected->port = burst->target.port;
	if (expected->family == AF_INET) {
		in->sin_port = htons(burst->target.port);
		memcpy(expected->address, &in->sin_addr, 4);
	} else {
		in6->sin6_port = htons(burst->target.port);
		memcpy(expected->address, &in6->sin6_addr, 16);
	}
	return 0;
}

static int check_target(struct wol_burst *burst)
{
	const struct wol_target *target = &burst->target;
	size_t secureon = target->secureon_length;

	if (burst->count == 0)
		return wol_fail(&burst->send_error, EINVAL, "a burst needs at least one packet");
	if (secureon != 0 && secureon != 4 && secureon != WOL_SECUREON_MAX)
		return wol_fail(&burst->send_error, EINVAL, "a SecureOn password has 4 or 6 octets, not %zu",
				secureon);
	if (target->method != WOL_ETHERNET && target->method != WOL_UDP)
		return wol_fail(&burst->send_error, EINVAL, "wake method %d is neither Ethernet nor UDP",
				(int)target->method);
	if (target->method == WOL_UDP && target->port == 0)
		return wol_fail(&burst->send_error, EINVAL, "a UDP port is 1 to 65535 (usually 9)");
	return target->method == WOL_UDP ? read_address(burst) : 0;
}

static struct wol_burst *new_burst(struct wol_engine *engine, const struct wol_target *target, unsigned count)
{
	struct wol_burst *burst =
	    calloc(1, sizeof(*burst) + (2 * (size_t)count + 1) * sizeof(burst->nodes[0]));
	struct wol_burst **at;

	if (!burst)
		return NULL;
	burst->engine = engine;
	burst->target = *target;
	burst->count = count;
	uv_timer_init(engine->loop, &burst->timer);
	burst->timer.data = burst;
	engine->bursts++;
	for (at = bucket_of(engine, target->mac); *at; at = &(*at)->next)
		;
	*at = burst;
	return burst;
}

struct wol_burst *wol_burst_start(struct wol_engine *engine, const struct wol_target *target, unsigned count,
				  unsigned interval_ms, wol_report_fn report, void *data)
{
	struct wol_burst *burst = engine->closing ? NULL : new_burst(engine, target, count);

	if (!burst)
		return NULL;
	burst->interval_ms = interval_ms;
	burst->report = report;
	burst->data = data;
	if (check_target(burst) < 0) {
		conclude(burst);
		return burst;
	}
	burst->expected.method = target->method;
	burst->expected.payload_length = wol_payload(target, burst->expected.payload);
	next_packet(burst);
	return burst;
}

void wol_burst_cancel(struct wol_burst *burst)
{
	struct node last = {
	    .burst = burst, .event = WOL_EVENT_DONE, .sent = burst->sent, .seen = burst->seen};

	if (burst->gone)
		return;
	unqueue(burst);
	if (!burst->over)
		end_burst(burst, WOL_CANCELLED);
	burst->result = WOL_CANCELLED;
	snprintf(burst->text, sizeof(burst->text), "cancelled after %u packets", burst->sent);
	memcpy(last.interface, burst->interface, sizeof(last.interface));
	clock_gettime(CLOCK_REALTIME, &last.time);
	make_report(&last);
}
