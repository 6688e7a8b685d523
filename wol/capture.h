/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Listening, by libpcap, to what leaves an interface. One capture an interface, shared by all bursts on it,
 * kept for a minute after its last user so that the next wake finds it open. The kernel takes 10 to 20 ms,
 * and more on a busy machine, to make or undo a capture ring; so both happen in a thread, and the loop goes
 * on.
 */
#ifndef PM_WOL_CAPTURE_H
#define PM_WOL_CAPTURE_H

#include "wol/fail.h"
#include "wol/interface.h"
#include "wol/match.h"

#include <pcap/pcap.h>
#include <time.h>
#include <uv.h>

struct wol_captures;

struct wol_capture {
	struct wol_capture *next;
	struct wol_captures *owner;
	char name[IF_NAMESIZE];
	int index;
	bool loopback;
	bool opening;           /* the thread has it: nothing below may be touched */
	struct wol_error error; /* why it is not possible, or no longer; "" while it works */
	pcap_t *pcap;
	int link_type;
	uv_thread_t thread; /* opens or closes pcap */
	uv_async_t thread_done;
	bool polling; /* the poll handle was initialised */
	uv_poll_t poll;
	uv_timer_t idle;
	bool retired;          /* no new users */
	unsigned open_handles; /* poll and idle */
	unsigned users;
};

/* Called when a capture that was opening is open, or could not be opened. */
typedef void (*wol_capture_ready_fn)(struct wol_capture *capture, void *data);

/* Called for every complete magic packet that went out; must not open or release captures. */
typedef void (*wol_captured_fn)(struct wol_capture *capture, const struct wol_captured *captured,
				const struct timespec *time, void *data);

struct wol_captures {
	uv_loop_t *loop;
	struct wol_capture *list;
	wol_capture_ready_fn ready;
	wol_captured_fn captured;
	void *data;
	unsigned alive; /* captures not yet freed */
	void (*closed)(void *data);
};

void wol_captures_init(struct wol_captures *captures, uv_loop_t *loop, wol_capture_ready_fn ready,
		       wol_captured_fn captured, void *data);

/* Retires all captures; closed is called from the loop once the last one, which nobody may use any more, is
 * freed. */
void wol_captures_close(struct wol_captures *captures, void (*closed)(void *data));

/*
 * The capture of interface, opened now if need be; the caller is then one of its users until
 * wol_capture_release(). Opening can fail: see pcap and error of what is returned. NULL only when memory is
 * short.
 */
struct wol_capture *wol_capture_acquire(struct wol_captures *captures, const struct wol_interface *interface);
void wol_capture_release(struct wol_capture *capture);

/* Hands over what was captured so far, without waiting. */
void wol_capture_drain(struct wol_capture *capture);

#endif
