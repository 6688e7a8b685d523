/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Interfaces by netdevice(7) ioctls, routes by rtnetlink(7). */
#include "wol/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint16_t vlan_id_of(int fd, const char *name)
{
	struct vlan_ioctl_args args = {.cmd = GET_VLAN_VID_CMD};

	/* The kernel's structure has room for 23 characters, an interface name has 15. */
	strncpy(args.device1, name, sizeof(args.device1) - 1);
	return ioctl(fd, SIOCGIFVLAN, &args) == 0 ? (uint16_t)args.u.VID : 0;
}

static int describe(int fd, const char *name, struct wol_interface *interface)
{
	struct ifreq request = {0};

	memset(interface, 0, sizeof(*interface));
	strncpy(interface->name, name, sizeof(interface->name) - 1);
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	interface->index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	interface->up = (request.ifr_flags & IFF_UP) != 0;
	interface->running = (request.ifr_flags & IFF_RUNNING) != 0;
	interface->loopback = (request.ifr_flags & IFF_LOOPBACK) != 0;
	interface->slave = (request.ifr_flags & IFF_SLAVE) != 0;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	interface->ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	memcpy(interface->mac, request.ifr_hwaddr.sa_data, sizeof(interface->mac));
	interface->vlan_id = vlan_id_of(fd, name);
	return 0;
}

static int open_query(struct wol_error *err)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 ? fd : wol_fail(err, errno, "cannot ask for network interfaces: %s", strerror(errno));
}

int wol_interface_named(const char *name, struct wol_interface *interface, struct wol_error *err)
{
	int rc, fd = open_query(err);

	if (fd < 0)
		return fd;
	rc = describe(fd, name, interface);
	close(fd);
	if (rc == -ENODEV)
		return wol_fail(err, ENODEV, "there is no network interface %s", name);
	return rc == 0 ? 0
		       : wol_fail(err, -rc, "cannot describe network interface %s: %s", name, strerror(-rc));
}

static bool usable(const struct wol_interface *interface)
{
	return interface->ethernet && interface->up && interface->running && !interface->loopback &&
	       !interface->slave;
}

int wol_interface_first(struct wol_interface *interface, struct wol_error *err)
{
	struct if_nameindex *all = if_nameindex();
	struct wol_interface candidate;
	int fd;

	if (!all)
		return wol_fail(err, errno, "cannot list network interfaces: %s", strerror(errno));
	fd = open_query(err);
	interface->index = 0;
	for (struct if_nameindex *i = all; fd >= 0 && i->if_name; i++) {
		if (interface->index > 0 && (int)i->if_index > interface->index)
			continue;
		if (describe(fd, i->if_name, &candidate) == 0 && usable(&candidate))
			*interface = candidate;
	}
	if_freenameindex(all);
	if (fd < 0)
		return fd;
	close(fd);
	if (interface->index > 0)
		return 0;
	return wol_fail(err, ENODEV, "no Ethernet interface is up with a carrier: name one, or use UDP");
}

struct route_request {
	struct nlmsghdr header;
	struct rtmsg route;
	uint8_t attributes[64];
};

static void add_attribute(struct route_request *request, unsigned short type, const void *value,
			  size_t length)
{
	size_t offset = NLMSG_ALIGN(request->header.nlmsg_len) - offsetof(struct route_request, attributes);
	struct rtattr attribute = {.rta_len = (unsigned short)RTA_LENGTH(length), .rta_type = type};

	memcpy(request->attributes + offset, &attribute, sizeof(attribute));
	memcpy(request->attributes + offset + RTA_LENGTH(0), value, length);
	request->header.nlmsg_len += (uint32_t)RTA_SPACE(length);
}

static void fill_request(const struct sockaddr_storage *address, struct route_request *request)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(sizeof(request->route));
	request->header.nlmsg_type = RTM_GETROUTE;
	request->header.nlmsg_flags = NLM_F_REQUEST;
	request->route.rtm_family = (unsigned char)address->ss_family;
	if (address->ss_family == AF_INET) {
		request->route.rtm_dst_len = 32;
		add_attribute(request, RTA_DST, &in->sin_addr, sizeof(in->sin_addr));
		return;
	}
	request->route.rtm_dst_len = 128;
	add_attribute(request, RTA_DST, &in6->sin6_addr, sizeof(in6->sin6_addr));
	if (in6->sin6_scope_id)
		add_attribute(request, RTA_OIF, &in6->sin6_scope_id, sizeof(in6->sin6_scope_id));
}

/* The index of the egress interface in the kernel's answer, or a negative errno value. */
static int read_answer(const struct nlmsghdr *answer, size_t length)
{
	const struct nlmsgerr *error = NLMSG_DATA(answer);
	const struct rtmsg *route = NLMSG_DATA(answer);
	size_t left;
	int index;

	if (!NLMSG_OK(answer, length))
		return -EPROTO;
	if (answer->nlmsg_type == NLMSG_ERROR)
		return error->error ? error->error : -EPROTO;
	left = RTM_PAYLOAD(answer);
	for (const struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type != RTA_OIF)
			continue;
		memcpy(&index, RTA_DATA(a), sizeof(index));
		return index;
	}
	return -ENETUNREACH;
}

/* The kernel answers within send(), so that recv() finds the answer waiting. */
static int exchange(int fd, const struct sockaddr_storage *address)
{
	struct route_request request;
	_Alignas(struct nlmsghdr) char answer[4096];
	ssize_t length;

	fill_request(address, &request);
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0)
		return -errno;
	length = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	return length < 0 ? -errno : read_answer((const struct nlmsghdr *)answer, (size_t)length);
}

static int ask_route(const struct sockaddr_storage *address)
{
	int index, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	index = exchange(fd, address);
	close(fd);
	return index;
}

static const char *print_address(const struct sockaddr_storage *address, char *text, socklen_t size)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return inet_ntop(AF_INET, &in->sin_addr, text, size);
	return inet_ntop(AF_INET6, &in6->sin6_addr, text, size);
}

int wol_interface_routed(const struct sockaddr_storage *address, struct wol_interface *interface,
			 struct wol_error *err)
{
	char text[INET6_ADDRSTRLEN], name[IF_NAMESIZE];
	int index = ask_route(address);

	print_address(address, text, sizeof(text));
	if (index < 0)
		return wol_fail(err, -index, "no route to %s: %s; name the interface to send on", text,
				strerror(-index));
	if (!if_indextoname((unsigned)index, name))
		return wol_fail(err, ENODEV, "the interface of the route to %s has gone", text);
	return wol_interface_named(name, interface, err);
}
