/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pcap(3PCAP) on a uv_poll handle. */
#include "wol/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_MS     60000
#define RETRY_MS    1000 /* after a failure to open */
#define SNAPLEN     256  /* Ethernet, VLAN, IPv6, UDP and the longest payload take 174 */
#define BUFFER_SIZE (512 * 1024)

/* Keeps everything but magic packets in the kernel; wol_parse() does the exact work. */
#define MAGIC_UDP                                            \
	"(udp[8:4] = 0xffffffff and udp[12:2] = 0xffff) or " \
	"(ip6[6] = 17 and ip6[48:4] = 0xffffffff and ip6[52:2] = 0xffff)"
#define FILTER_ETHERNET "ether proto 0x0842 or " MAGIC_UDP " or (vlan and (" MAGIC_UDP "))"
#define FILTER_IP       MAGIC_UDP

void wol_captures_init(struct wol_captures *captures, uv_loop_t *loop, wol_capture_ready_fn ready,
		       wol_captured_fn captured, void *data)
{
	*captures = (struct wol_captures){.loop = loop, .ready = ready, .captured = captured, .data = data};
}

/* --- opening ---------------------------------------------------------------------------------- */

static int open_failed(struct wol_capture *capture, int status)
{
	struct wol_error *err = &capture->error;
	const char *detail = pcap_geterr(capture->pcap);

	if (status == PCAP_ERROR_PERM_DENIED)
		return wol_fail(
		    err, EPERM,
		    "capturing on %s needs CAP_NET_RAW: give it to the program (setcap cap_net_raw+ep, or "
		    "AmbientCapabilities=CAP_NET_RAW in its systemd unit)",
		    capture->name);
	if (status == PCAP_ERROR || !*detail)
		detail = *detail ? detail : "libpcap error";
	return wol_fail(err, EIO, "cannot capture on %s: %s: %s", capture->name, pcap_statustostr(status),
			detail);
}

static int set_filter(struct wol_capture *capture)
{
	struct bpf_program program;
	bool ethernet = capture->link_type == DLT_EN10MB;
	int status = pcap_compile(capture->pcap, &program, ethernet ? FILTER_ETHERNET : FILTER_IP, 1,
				  PCAP_NETMASK_UNKNOWN);

	if (status < 0)
		return open_failed(capture, status);
	status = pcap_setfilter(capture->pcap, &program);
	pcap_freecode(&program);
	return status < 0 ? open_failed(capture, status) : 0;
}

/*
 * Outgoing frames only. On a loopback interface libpcap shows each packet once, as an incoming one, and all
 * of them are this host's. Where the direction cannot be chosen, the Ethernet source address tells.
 */
static int set_direction(struct wol_capture *capture)
{
	int status = pcap_setdirection(capture->pcap, capture->loopback ? PCAP_D_INOUT : PCAP_D_OUT);

	if (status < 0 && capture->link_type != DLT_EN10MB)
		return open_failed(capture, status);
	return 0;
}

static int activate(struct wol_capture *capture)
{
	int status;

	pcap_set_snaplen(capture->pcap, SNAPLEN);
	pcap_set_immediate_mode(capture->pcap, 1);
	pcap_set_buffer_size(capture->pcap, BUFFER_SIZE);
	pcap_set_tstamp_precision(capture->pcap, PCAP_TSTAMP_PRECISION_NANO);
	status = pcap_activate(capture->pcap);
	if (status < 0)
		return open_failed(capture, status);
	capture->link_type = pcap_datalink(capture->pcap);
	if (wol_link_type_known(capture->link_type))
		return 0;
	return wol_fail(&capture->error, ENOTSUP, "cannot read frames captured on %s: link type %d",
			capture->name, capture->link_type);
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void start_polling(struct wol_capture *capture)
{
	int rc = uv_poll_init(capture->owner->loop, &capture->poll, pcap_get_selectable_fd(capture->pcap));

	if (rc == 0) {
		capture->poll.data = capture;
		capture->polling = true;
		capture->open_handles++;
		rc = uv_poll_start(&capture->poll, UV_READABLE, on_readable);
	}
	if (rc < 0)
		wol_fail(&capture->error, -rc, "cannot wait for frames on %s: %s", capture->name,
			 uv_strerror(rc));
}

static int set_descriptor(struct wol_capture *capture)
{
	char text[PCAP_ERRBUF_SIZE];

	/* libpcap leaves its socket open for child processes, which must not have it. */
	if (fcntl(pcap_get_selectable_fd(capture->pcap), F_SETFD, FD_CLOEXEC) < 0)
		return wol_fail(&capture->error, errno, "cannot capture on %s: %s", capture->name,
				strerror(errno));
	return pcap_setnonblock(capture->pcap, 1, text) < 0 ? open_failed(capture, PCAP_ERROR) : 0;
}

static int open_pcap(struct wol_capture *capture)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int rc;

	capture->pcap = pcap_create(capture->name, text);
	if (!capture->pcap)
		return wol_fail(&capture->error, EIO, "cannot capture on %s: %.150s", capture->name, text);
	rc = activate(capture);
	if (rc == 0)
		rc = set_direction(capture);
	if (rc == 0)
		rc = set_filter(capture);
	if (rc == 0)
		rc = set_descriptor(capture);
	return rc;
}

static void opening_thread(void *data)
{
	struct wol_capture *capture = data;

	open_pcap(capture);
	uv_async_send(&capture->thread_done);
}

/* --- closing ---------------------------------------------------------------------------------- */

static void on_async_closed(uv_handle_t *handle)
{
	struct wol_capture *capture = handle->data;
	struct wol_captures *owner = capture->owner;

	free(capture);
	owner->alive--;
	if (owner->alive == 0 && owner->closed)
		owner->closed(owner->data);
}

static void on_pcap_closed(uv_async_t *async)
{
	struct wol_capture *capture = async->data;

	uv_thread_join(&capture->thread);
	uv_close((uv_handle_t *)async, on_async_closed);
}

static void closing_thread(void *data)
{
	struct wol_capture *capture = data;

	pcap_close(capture->pcap);
	uv_async_send(&capture->thread_done);
}

/* Frees the capture once nobody uses it and the loop has let go of it. */
static void close_if_unused(struct wol_capture *capture)
{
	if (!capture->retired || capture->opening || capture->open_handles > 0 || capture->users > 0)
		return;
	if (!capture->pcap) {
		uv_close((uv_handle_t *)&capture->thread_done, on_async_closed);
		return;
	}
	capture->thread_done.async_cb = on_pcap_closed;
	if (uv_thread_create(&capture->thread, closing_thread, capture) == 0)
		return;
	pcap_close(capture->pcap);
	uv_close((uv_handle_t *)&capture->thread_done, on_async_closed);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct wol_capture *capture = handle->data;

	capture->open_handles--;
	close_if_unused(capture);
}

static void unlink_capture(struct wol_capture *capture)
{
	struct wol_capture **at = &capture->owner->list;

	while (*at && *at != capture)
		at = &(*at)->next;
	if (*at)
		*at = capture->next;
}

/* No new users; freed after the last one. */
static void retire(struct wol_capture *capture)
{
	if (capture->retired)
		return;
	capture->retired = true;
	unlink_capture(capture);
	uv_close((uv_handle_t *)&capture->idle, on_handle_closed);
	if (capture->polling)
		uv_close((uv_handle_t *)&capture->poll, on_handle_closed);
}

void wol_captures_close(struct wol_captures *captures, void (*closed)(void *data))
{
	captures->closed = closed;
	while (captures->list)
		retire(captures->list);
	if (captures->alive == 0)
		closed(captures->data);
}

/* --- use -------------------------------------------------------------------------------------- */

static bool works(const struct wol_capture *capture)
{
	return !capture->opening && capture->error.text[0] == '\0';
}

static void on_idle(uv_timer_t *timer)
{
	retire(timer->data);
}

/* A capture that works is kept after its last user; one that does not, only so long that a burst does not try
 * again for every packet. */
static void set_idle_timer(struct wol_capture *capture)
{
	if (capture->retired || capture->opening)
		return;
	if (!works(capture))
		uv_timer_start(&capture->idle, on_idle, RETRY_MS, 0);
	else if (capture->users == 0)
		uv_timer_start(&capture->idle, on_idle, KEEP_MS, 0);
	else
		uv_timer_stop(&capture->idle);
}

static void opened(struct wol_capture *capture)
{
	capture->opening = false;
	if (!capture->retired && works(capture))
		start_polling(capture);
	set_idle_timer(capture);
	capture->owner->ready(capture, capture->owner->data);
	close_if_unused(capture);
}

static void on_pcap_opened(uv_async_t *async)
{
	struct wol_capture *capture = async->data;

	uv_thread_join(&capture->thread);
	opened(capture);
}

static void start_opening(struct wol_capture *capture)
{
	int rc;

	capture->opening = true;
	rc = uv_thread_create(&capture->thread, opening_thread, capture);
	if (rc == 0)
		return;
	capture->opening = false;
	wol_fail(&capture->error, -rc, "cannot capture on %s: no thread: %s", capture->name, uv_strerror(rc));
	set_idle_timer(capture);
}

static struct wol_capture *new_capture(struct wol_captures *captures, const struct wol_interface *interface)
{
	struct wol_capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	if (uv_async_init(captures->loop, &capture->thread_done, on_pcap_opened) < 0) {
		free(capture);
		return NULL;
	}
	capture->thread_done.data = capture;
	uv_timer_init(captures->loop, &capture->idle);
	capture->idle.data = capture;
	capture->open_handles = 1;
	capture->owner = captures;
	capture->index = interface->index;
	capture->loopback = interface->loopback;
	memcpy(capture->name, interface->name, sizeof(capture->name));
	capture->next = captures->list;
	captures->list = capture;
	captures->alive++;
	start_opening(capture);
	return capture;
}

struct wol_capture *wol_capture_acquire(struct wol_captures *captures, const struct wol_interface *interface)
{
	struct wol_capture *capture = captures->list;

	while (capture && (capture->index != interface->index || strcmp(capture->name, interface->name) != 0))
		capture = capture->next;
	if (!capture)
		capture = new_capture(captures, interface);
	if (!capture)
		return NULL;
	capture->users++;
	if (works(capture))
		set_idle_timer(capture);
	return capture;
}

void wol_capture_release(struct wol_capture *capture)
{
	if (--capture->users > 0)
		return;
	if (works(capture))
		set_idle_timer(capture);
	close_if_unused(capture);
}

static void on_frame(u_char *user, const struct pcap_pkthdr *header, const u_char *frame)
{
	struct wol_capture *capture = (struct wol_capture *)(void *)user;
	struct wol_captured captured;
	/* With nanosecond precision tv_usec holds nanoseconds. */
	struct timespec time = {.tv_sec = header->ts.tv_sec, .tv_nsec = header->ts.tv_usec};

	if (wol_parse(capture->link_type, frame, header->caplen, header->len, &captured))
		capture->owner->captured(capture, &captured, &time, capture->owner->data);
}

/* At most so many frames in one turn of the loop: a segment may be flooded with magic packets. */
enum { FRAMES_A_TURN = 256, DRAIN_TURNS = 16 };

static int dispatch(struct wol_capture *capture)
{
	return pcap_dispatch(capture->pcap, FRAMES_A_TURN, on_frame, (u_char *)capture);
}

/* The interface went down or away. A later packet opens a new capture; this one would only wake the loop in
 * vain. */
static void capture_lost(struct wol_capture *capture, const char *reason)
{
	wol_fail(&capture->error, ENETDOWN, "capturing on %s ended: %s", capture->name, reason);
	retire(capture);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct wol_capture *capture = poll->data;
	int rc = dispatch(capture);

	(void)events;
	if (rc < 0)
		capture_lost(capture, pcap_geterr(capture->pcap));
	else if (status < 0)
		capture_lost(capture, "the interface went down");
}

void wol_capture_drain(struct wol_capture *capture)
{
	int rc = 0;

	for (int turn = 0; turn < DRAIN_TURNS && works(capture); turn++) {
		rc = dispatch(capture);
		if (rc < FRAMES_A_TURN)
			break;
	}
	if (works(capture) && rc < 0)
		capture_lost(capture, pcap_geterr(capture->pcap));
}
