/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Wake-on-LAN: build, send and prove magic packets. The proof is libpcap's: only a frame captured on its way
 * out of the egress interface that is the one we built, octet by octet, counts as seen. Knows nothing of SNMP
 * or the agent.
 *
 * Magic packet: AMD publication 20213, "Magic Packet Technology": 6 x 0xff, 16 x the MAC, optional SecureOn
 * password.
 */
#ifndef PM_WOL_H
#define PM_WOL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define WOL_ETHERTYPE    0x0842
#define WOL_PAYLOAD_MAX  108 /* 6 + 16 * 6 + 6 */
#define WOL_FRAME_MAX    (14 + WOL_PAYLOAD_MAX)
#define WOL_SECUREON_MAX 6

enum wol_method { WOL_ETHERNET = 1, WOL_UDP = 2 };

struct wol_target {
	uint8_t mac[6];
	enum wol_method method;
	char interface[IF_NAMESIZE]; /* "": ethernet: the first that is up, not a loopback; UDP: the route
					decides */
	char address[64]; /* UDP: numeric IPv4/IPv6 destination: broadcast (directed or limited) or unicast */
	uint16_t port;    /* UDP: usually 9 */
	uint8_t secureon[WOL_SECUREON_MAX];
	size_t secureon_length; /* 0, 4 or 6 */
};

/*
 * Writes the magic packet's payload for target into payload (at least WOL_PAYLOAD_MAX octets); returns its
 * length: 102, 106 or 108. Pure.
 */
size_t wol_payload(const struct wol_target *target, uint8_t *payload);

/* Writes the whole Ethernet frame (broadcast destination, source as given, type 0x0842); returns its length.
 * Pure. */
size_t wol_frame(const struct wol_target *target, const uint8_t source[6], uint8_t *frame);

enum wol_result {
	WOL_OK,       /* at least one packet was seen on the wire; text says so if some could not be sent */
	WOL_NOT_SEEN, /* sent, but none was captured on the egress interface */
	WOL_UNPROVED, /* sent, but capturing is not possible: the text says why (for instance no CAP_NET_RAW)
		       */
	WOL_FAILED, /* nothing could be sent: no such interface, interface down, no CAP_NET_RAW, no route, ...
		     */
	WOL_CANCELLED
};

enum wol_event {
	WOL_EVENT_SENT, /* the kernel took one packet */
	WOL_EVENT_SEEN, /* one packet was captured on its way out */
	WOL_EVENT_DONE  /* the burst is over: result and text are set; last call, the burst is then gone */
};

struct wol_report {
	enum wol_event event;
	enum wol_result result;      /* with WOL_EVENT_DONE */
	unsigned sent, seen;         /* so far in this burst */
	char interface[IF_NAMESIZE]; /* the egress interface used; "" while unknown */
	struct timespec time;        /* SENT: when; SEEN: the capture's time stamp (CLOCK_REALTIME) */
	char text[200];              /* with WOL_EVENT_DONE: what went wrong, in words; "" if nothing did */
};

typedef void (*wol_report_fn)(const struct wol_report *report, void *data);

struct wol_engine;
struct wol_burst;

/* One engine a loop. Opens nothing yet; needs CAP_NET_RAW only when used. Returns 0 or a negative errno
 * value. */
int wol_engine_new(uv_loop_t *loop, struct wol_engine **engine);

/* Cancels all bursts, closes every socket and capture, then calls done and frees the engine. */
void wol_engine_close(struct wol_engine *engine, void (*done)(void *data), void *data);

/*
 * Sends `count` magic packets, interval_ms apart, and waits up to a second after the last for its proof. The
 * capture of the egress interface is open before the first packet leaves: if it already is, the packet is
 * sent from within this call, so that it leaves with the least delay; else as soon as it is (the kernel takes
 * 10 to 20 ms for it, in which the loop goes on). Captures stay open for a minute after their last burst.
 *
 * A burst whose first packet cannot be sent is over (WOL_FAILED); after that, each packet is tried in its
 * turn, for the interface may come back. report is called from the loop, never from within this call. Returns
 * NULL only when memory is short or the engine is being closed.
 */
struct wol_burst *wol_burst_start(struct wol_engine *engine, const struct wol_target *target, unsigned count,
				  unsigned interval_ms, wol_report_fn report, void *data);

/*
 * Ends the burst now: report is called with WOL_EVENT_DONE and WOL_CANCELLED before this returns. Reports of
 * packets sent and seen that were still to be delivered are not; the last one has the final numbers. May be
 * called from within report.
 */
void wol_burst_cancel(struct wol_burst *burst);

#endif
