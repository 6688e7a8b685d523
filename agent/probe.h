/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asks a machine's operating system whether it is there: ICMP echo (RFC 792, RFC 4443) or a TCP connect. An answer
 * proves that the machine is up; silence proves nothing.
 */
#ifndef PM_PROBE_H
#define PM_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum pm_probe_kind { PM_PROBE_KIND_ICMP = 1, PM_PROBE_KIND_TCP = 2 };

enum pm_probe_result {
	PM_PROBE_UP, /* echo reply, or the connection was accepted or refused by the host itself (TCP RST) */
	PM_PROBE_SILENT, /* no answer until the timeout */
	PM_PROBE_ERROR,  /* the question could not be asked: name does not resolve, no route, no permission */
	PM_PROBE_CANCELLED
};

typedef void (*pm_probe_fn)(enum pm_probe_result result, const char *text, void *data);

struct pm_prober;
struct pm_probe;

/*
 * One prober a loop; holds one ICMP and one ICMPv6 socket, opened when first needed (raw with CAP_NET_RAW, else the
 * kernel's unprivileged ping socket when ping_group_range allows). Returns 0 or a negative errno value.
 */
int pm_prober_new(uv_loop_t *loop, struct pm_prober **prober);

/* Cancels all probes, closes the sockets, then calls done and frees the prober. */
void pm_prober_close(struct pm_prober *prober, void (*done)(void *data), void *data);

/*
 * Asks host (name or numeric; names by libuv's resolver) once. ICMP: an echo request, repeated once a second until
 * timeout_ms, which counts from when its name is looked up. The callback comes exactly once, from the loop. NULL only when memory is short.
 */
struct pm_probe *pm_probe_start(struct pm_prober *prober, enum pm_probe_kind kind, const char *host,
				uint16_t port, unsigned timeout_ms, pm_probe_fn done, void *data);

/* Whether it has not begun: others are looking up their names, and only a few do so at once. */
bool pm_probe_waits(const struct pm_probe *probe);

/* Ends it now: done is called with PM_PROBE_CANCELLED before this returns. */
void pm_probe_cancel(struct pm_probe *probe);

#endif
