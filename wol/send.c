/* SPDX-License-Identifier: GPL-3.0-or-later */
/* packet(7), udp(7), ip(7) IP_PKTINFO, ipv6(7) IPV6_PKTINFO. */
#include "wol/send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void wol_sender_init(struct wol_sender *sender)
{
	*sender = (struct wol_sender){.raw = -1, .udp4 = -1, .udp6 = -1};
}

void wol_sender_close(struct wol_sender *sender)
{
	if (sender->raw >= 0)
		close(sender->raw);
	if (sender->udp4 >= 0)
		close(sender->udp4);
	if (sender->udp6 >= 0)
		close(sender->udp6);
	wol_sender_init(sender);
}

static int open_raw(struct wol_sender *sender, struct wol_error *err)
{
	/* Protocol 0: this socket only sends, and receives nothing that would fill its buffer. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		sender->raw = fd;
		return 0;
	}
	if (errno == EPERM || errno == EACCES)
		return wol_fail(
		    err, EPERM,
		    "sending raw Ethernet needs CAP_NET_RAW: give it to the program (setcap cap_net_raw+ep, or "
		    "AmbientCapabilities=CAP_NET_RAW in its systemd unit), or wake by UDP");
	return wol_fail(err, errno, "cannot open a packet socket: %s", strerror(errno));
}

/* Binds to a free port, so that the proof can tell our packets from another sender's. */
static int bind_local(int fd, int family, uint16_t *port)
{
	struct sockaddr_storage local = {.ss_family = (sa_family_t)family};
	socklen_t length = sizeof(local);
	int on = 1;

	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&local, length) < 0 ||
	    getsockname(fd, (struct sockaddr *)&local, &length) < 0)
		return -1;
	*port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&local)->sin_port
					: ((struct sockaddr_in6 *)&local)->sin6_port);
	return 0;
}

static int open_udp(int family, int *socket_fd, uint16_t *port, struct wol_error *err)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return wol_fail(err, errno, "cannot open a UDP socket: %s", strerror(errno));
	if (bind_local(fd, family, port) < 0) {
		wol_fail(err, errno, "cannot set up a UDP socket: %s", strerror(errno));
		close(fd);
		return -EIO;
	}
	*socket_fd = fd;
	return 0;
}

int wol_sender_open(struct wol_sender *sender, enum wol_method method, int family, struct wol_error *err)
{
	if (method == WOL_ETHERNET)
		return sender->raw >= 0 ? 0 : open_raw(sender, err);
	if (family == AF_INET)
		return sender->udp4 >= 0 ? 0 : open_udp(AF_INET, &sender->udp4, &sender->port4, err);
	return sender->udp6 >= 0 ? 0 : open_udp(AF_INET6, &sender->udp6, &sender->port6, err);
}

static int send_failed(const struct wol_interface *interface, struct wol_error *err)
{
	return wol_fail(err, errno, "cannot send on %s: %s", interface->name, strerror(errno));
}

int wol_send_frame(const struct wol_sender *sender, const struct wol_interface *interface,
		   const uint8_t *frame, size_t length, struct wol_error *err)
{
	struct sockaddr_ll to = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = htons(WOL_ETHERTYPE),
	    .sll_ifindex = interface->index,
	    .sll_halen = 6,
	};

	memcpy(to.sll_addr, frame, 6);
	if (sendto(sender->raw, frame, length, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return send_failed(interface, err);
	return 0;
}

/* The interface goes with the datagram: one socket serves all interfaces, and SO_BINDTODEVICE's privilege on
 * kernels before 5.7 is not needed. */
static void add_interface(struct msghdr *message, int family, int index)
{
	struct in_pktinfo info4 = {.ipi_ifindex = index};
	struct in6_pktinfo info6 = {.ipi6_ifindex = (unsigned)index};
	struct cmsghdr *control = CMSG_FIRSTHDR(message);

	if (family == AF_INET) {
		control->cmsg_level = IPPROTO_IP;
		control->cmsg_type = IP_PKTINFO;
		control->cmsg_len = CMSG_LEN(sizeof(info4));
		memcpy(CMSG_DATA(control), &info4, sizeof(info4));
		message->msg_controllen = CMSG_SPACE(sizeof(info4));
	} else {
		control->cmsg_level = IPPROTO_IPV6;
		control->cmsg_type = IPV6_PKTINFO;
		control->cmsg_len = CMSG_LEN(sizeof(info6));
		memcpy(CMSG_DATA(control), &info6, sizeof(info6));
		message->msg_controllen = CMSG_SPACE(sizeof(info6));
	}
}

int wol_send_datagram(const struct wol_sender *sender, const struct wol_interface *interface,
		      const struct sockaddr_storage *address, const uint8_t *payload, size_t length,
		      struct wol_error *err)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct iovec data = {.iov_base = (void *)(uintptr_t)payload, .iov_len = length};
	struct sockaddr_storage to = *address;
	bool v4 = to.ss_family == AF_INET;
	struct msghdr message = {
	    .msg_name = &to,
	    .msg_namelen = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
	    .msg_iov = &data,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control),
	};

	add_interface(&message, to.ss_family, interface->index);
	if (sendmsg(v4 ? sender->udp4 : sender->udp6, &message, 0) < 0)
		return send_failed(interface, err);
	return 0;
}
