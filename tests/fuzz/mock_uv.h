/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * As much of libuv as the IPMI engine uses, without a loop, sockets or time: the functions here take the place of the
 * library's in the program that includes this. Time stands still until a timer is fired; what is sent waits in a queue.
 */
#ifndef PM_FUZZ_MOCK_UV_H
#define PM_FUZZ_MOCK_UV_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { MOCK_TIMERS = 8, MOCK_SENT = 64, MOCK_PACKET_MAX = 1024 };

struct mock_packet {
	struct sockaddr_storage to;
	size_t length;
	uint8_t data[MOCK_PACKET_MAX];
};

static struct {
	uint64_t now_ms;
	struct {
		uv_timer_t *timer;
		uv_timer_cb fired; /* NULL: stopped */
		uint64_t at_ms;
	} timers[MOCK_TIMERS];
	struct {
		uv_handle_t *handle; /* closing, or just closed */
		uv_close_cb closed;  /* NULL: was called */
	} closing[MOCK_TIMERS];
	uv_udp_recv_cb receive;
	uv_udp_t *receiver;
	struct mock_packet sent[MOCK_SENT]; /* the oldest are lost when nobody takes them */
	unsigned sends, taken, fires;
	int send_error; /* sending fails with it */
	uv_getaddrinfo_t *look_up;
	uv_getaddrinfo_cb looked_up;
	bool look_up_cancelled;
	uint32_t random;
} mock;

/* ---- what the engine calls ---- */

uint64_t uv_hrtime(void)
{
	return mock.now_ms * 1000000;
}

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
	timer->loop = loop;
	for (size_t i = 0; i < MOCK_TIMERS; i++) {
		if (!mock.timers[i].timer) {
			mock.timers[i].timer = timer;
			return 0;
		}
	}
	abort();
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb fired, uint64_t timeout_ms, uint64_t repeat_ms)
{
	for (size_t i = 0; i < MOCK_TIMERS; i++) {
		if (mock.timers[i].timer == timer && repeat_ms == 0 && fired) {
			mock.timers[i].fired = fired;
			mock.timers[i].at_ms = mock.now_ms + timeout_ms;
			return 0;
		}
	}
	abort();
}

int uv_timer_stop(uv_timer_t *timer)
{
	for (size_t i = 0; i < MOCK_TIMERS; i++)
		if (mock.timers[i].timer == timer)
			mock.timers[i].fired = NULL;
	return 0;
}

int uv_is_active(const uv_handle_t *handle)
{
	for (size_t i = 0; i < MOCK_TIMERS; i++)
		if ((uv_handle_t *)mock.timers[i].timer == handle)
			return mock.timers[i].fired != NULL;
	return 0;
}

int uv_is_closing(const uv_handle_t *handle)
{
	for (size_t i = 0; i < MOCK_TIMERS; i++)
		if (mock.closing[i].handle == handle)
			return 1;
	return 0;
}

void uv_close(uv_handle_t *handle, uv_close_cb closed)
{
	if (uv_is_closing(handle))
		abort();
	for (size_t i = 0; i < MOCK_TIMERS; i++) {
		if ((uv_handle_t *)mock.timers[i].timer == handle)
			mock.timers[i].timer = NULL;
	}
	for (size_t i = 0; i < MOCK_TIMERS; i++) {
		if (!mock.closing[i].handle) {
			mock.closing[i].handle = handle;
			mock.closing[i].closed = closed;
			return;
		}
	}
	abort();
}

int uv_udp_init(uv_loop_t *loop, uv_udp_t *socket)
{
	socket->loop = loop;
	return 0;
}

int uv_udp_bind(uv_udp_t *socket, const struct sockaddr *address, unsigned flags)
{
	(void)socket;
	(void)address;
	(void)flags;
	return 0;
}

int uv_udp_recv_start(uv_udp_t *socket, uv_alloc_cb allocate, uv_udp_recv_cb receive)
{
	(void)allocate;
	mock.receiver = socket;
	mock.receive = receive;
	return 0;
}

int uv_recv_buffer_size(uv_handle_t *handle, int *size)
{
	(void)handle;
	(void)size;
	return 0;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd)
{
	(void)handle;
	(void)fd;
	return UV_EBADF;
}

int uv_udp_try_send(uv_udp_t *socket, const uv_buf_t buffers[], unsigned count, const struct sockaddr *to)
{
	struct mock_packet *packet = &mock.sent[mock.sends % MOCK_SENT];

	(void)socket;
	if (count != 1 || buffers[0].len > MOCK_PACKET_MAX)
		abort();
	if (mock.send_error)
		return mock.send_error;
	packet->length = buffers[0].len;
	memcpy(packet->data, buffers[0].base, packet->length);
	memset(&packet->to, 0, sizeof(packet->to));
	memcpy(&packet->to, to,
	       to->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	mock.sends++;
	return (int)packet->length;
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb done, const char *node,
		   const char *service, const struct addrinfo *hints)
{
	(void)loop;
	(void)node;
	(void)service;
	(void)hints;
	if (mock.look_up)
		abort();
	mock.look_up = request;
	mock.looked_up = done;
	mock.look_up_cancelled = false;
	return 0;
}

void uv_freeaddrinfo(struct addrinfo *list)
{
	(void)list; /* the target's own */
}

int uv_cancel(uv_req_t *request)
{
	if ((uv_req_t *)mock.look_up == request)
		mock.look_up_cancelled = true;
	return 0;
}

/* FreeIPMI's: the same input has to do the same each time. Returns the number of octets. */
int ipmi_get_random(void *octets, unsigned length)
{
	uint8_t *octet = octets;

	for (unsigned i = 0; i < length; i++) {
		mock.random = mock.random * 1103515245U + 12345U;
		octet[i] = (uint8_t)(mock.random >> 16);
	}
	return (int)length;
}

/* ---- what the target calls ---- */

static inline void mock_reset(void)
{
	memset(&mock, 0, sizeof(mock));
	mock.now_ms = 1000000;
	mock.random = 1;
}

/* The packet that was sent first of those not yet taken, or NULL. */
static inline const struct mock_packet *mock_take(void)
{
	if (mock.sends - mock.taken > MOCK_SENT)
		mock.taken = mock.sends - MOCK_SENT;
	return mock.taken == mock.sends ? NULL : &mock.sent[mock.taken++ % MOCK_SENT];
}

/* In memory of just its size, so that reading past it is noticed. */
static inline void mock_deliver(const struct sockaddr_storage *from, const uint8_t *data, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	uv_buf_t buffer = uv_buf_init((char *)copy, (unsigned)length);

	if (!copy)
		abort();
	memcpy(copy, data, length);
	if (mock.receive)
		mock.receive(mock.receiver, (ssize_t)length, &buffer, (const struct sockaddr *)from, 0);
	free(copy);
}

static inline void mock_look_up_done(int status, struct addrinfo *list)
{
	uv_getaddrinfo_t *request = mock.look_up;

	mock.look_up = NULL;
	if (mock.look_up_cancelled)
		status = UV_ECANCELED;
	mock.looked_up(request, status, status ? NULL : list);
}

/* Lets time pass until the next timer and fires it, but not beyond until_ms. Returns false when there is none. */
static inline bool mock_fire(uint64_t until_ms)
{
	size_t next = MOCK_TIMERS;
	uv_timer_cb fired;

	for (size_t i = 0; i < MOCK_TIMERS; i++)
		if (mock.timers[i].timer && mock.timers[i].fired &&
		    (next == MOCK_TIMERS || mock.timers[i].at_ms < mock.timers[next].at_ms))
			next = i;
	if (next == MOCK_TIMERS || mock.timers[next].at_ms > until_ms) {
		if (until_ms != UINT64_MAX && mock.now_ms < until_ms)
			mock.now_ms = until_ms;
		return false;
	}
	if (mock.timers[next].at_ms > mock.now_ms) {
		mock.now_ms = mock.timers[next].at_ms;
		mock.fires = 0;
	} else if (++mock.fires > 1000) {
		abort(); /* the loop would spin */
	}
	fired = mock.timers[next].fired;
	mock.timers[next].fired = NULL;
	fired(mock.timers[next].timer);
	return true;
}

/* The callbacks of uv_close(). Returns false when there is none. */
static inline bool mock_close(void)
{
	for (size_t i = 0; i < MOCK_TIMERS; i++) {
		uv_handle_t *handle = mock.closing[i].handle;
		uv_close_cb closed = mock.closing[i].closed;

		if (!handle)
			continue;
		mock.closing[i].handle = NULL;
		if (closed)
			closed(handle);
		return true;
	}
	return false;
}

#endif
