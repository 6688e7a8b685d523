/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ATTEMPTS 5 /* the list changed while it was read */

/* --- one interface -------------------------------------------------------------------------------- */

struct attributes {
	const struct nlattr *name, *kind, *link, *elsewhere, *master, *mac, *permanent_mac;
};

static int read_info(const struct nlattr *attr, void *data)
{
	struct attributes *found = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && mnl_attr_validate(attr, MNL_TYPE_STRING) == 0)
		found->kind = attr;
	return MNL_CB_OK;
}

static int read_attribute(const struct nlattr *attr, void *data)
{
	struct attributes *found = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		found->name = attr;
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, read_info, found);
	case IFLA_LINK:
		found->link = attr;
		break;
	case IFLA_LINK_NETNSID:
		found->elsewhere = attr;
		break;
	case IFLA_MASTER:
		found->master = attr;
		break;
	case IFLA_ADDRESS:
		found->mac = attr;
		break;
	case IFLA_PERM_ADDRESS:
		found->permanent_mac = attr;
		break;
	}
	return MNL_CB_OK;
}

static void copy_text(char text[IFNAMSIZ], const struct nlattr *attr)
{
	size_t length = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	if (length >= IFNAMSIZ)
		length = IFNAMSIZ - 1;
	memcpy(text, mnl_attr_get_payload(attr), length);
	text[length] = '\0';
}

static void copy_mac(uint8_t mac[6], const struct nlattr *attr)
{
	if (attr && mnl_attr_get_payload_len(attr) == 6)
		memcpy(mac, mnl_attr_get_payload(attr), 6);
}

static int index_of(const struct nlattr *attr)
{
	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? (int)mnl_attr_get_u32(attr) : 0;
}

/* Those whose IFLA_LINK carries their frames. A veth's is its other end, a tunnel's only where its packets leave. */
static bool stands_on_its_link(const char *kind)
{
	static const char *const kinds[] = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

static void fill(struct link *link, const struct ifinfomsg *info, const struct attributes *found)
{
	link->index = info->ifi_index;
	link->up = info->ifi_flags & IFF_UP;
	link->master = index_of(found->master);
	copy_text(link->name, found->name);
	if (info->ifi_type == ARPHRD_ETHER) {
		copy_mac(link->mac, found->mac);
		copy_mac(link->permanent_mac, found->permanent_mac);
	}
	if (found->kind) {
		copy_text(link->kind, found->kind);
		if (stands_on_its_link(link->kind) && !found->elsewhere)
			link->lower = index_of(found->link);
		return;
	}
	link->physical = info->ifi_type == ARPHRD_ETHER;
	snprintf(link->kind, sizeof(link->kind), "%s",
		 link->physical                      ? "ethernet"
		 : info->ifi_type == ARPHRD_LOOPBACK ? "loopback"
						     : "other");
}

static int read_link(const struct nlmsghdr *header, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	struct attributes found = {.name = NULL};
	struct links *links = data;
	struct link *grown;

	if (header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len < mnl_nlmsg_size(sizeof(*info)))
		return MNL_CB_OK;
	if (mnl_attr_parse(header, sizeof(*info), read_attribute, &found) < 0 || !found.name)
		return MNL_CB_OK;
	grown = realloc(links->list, (links->count + 1) * sizeof(*grown));
	if (!grown)
		return MNL_CB_ERROR;
	links->list = grown;
	grown[links->count] = (struct link){.index = 0};
	fill(&grown[links->count++], info, &found);
	return MNL_CB_OK;
}

/* --- all ------------------------------------------------------------------------------------------ */

static int ask(struct mnl_socket *socket, unsigned sequence)
{
	char buffer[128];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = sequence;
	info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_u32(header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return mnl_socket_sendto(socket, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int dump(struct mnl_socket *socket, unsigned sequence, struct links *links)
{
	static char buffer[32768]; /* what the kernel fills at most */
	unsigned port = mnl_socket_get_portid(socket);
	int rc = ask(socket, sequence);

	links->count = 0;
	if (rc)
		return rc;
	do {
		ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (length < 0)
			return -errno;
		rc = mnl_cb_run(buffer, (size_t)length, sequence, port, read_link, links);
	} while (rc > MNL_CB_STOP);
	return rc < 0 ? -errno : 0;
}

int links_read(struct links *links, struct pm_error *err)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int rc;

	*links = (struct links){.count = 0};
	if (!socket)
		return pm_fail(err, errno, "interfaces cannot be read: %s", strerror(errno));
	rc = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : -EINTR;
	for (unsigned i = 1; rc == -EINTR && i <= ATTEMPTS; i++)
		rc = dump(socket, i, links);
	mnl_socket_close(socket);
	if (rc)
		pm_error_set(err, "interfaces cannot be read: %s", strerror(-rc));
	return rc;
}

void links_free(struct links *links)
{
	free(links->list);
	*links = (struct links){.count = 0};
}

/* --- the tree ------------------------------------------------------------------------------------- */

const struct link *links_find(const struct links *links, const char *name)
{
	for (size_t i = 0; i < links->count; i++) {
		if (strcmp(links->list[i].name, name) == 0)
			return &links->list[i];
	}
	return NULL;
}

bool link_stands_on(const struct link *upper, const struct link *lower)
{
	return upper != lower && (lower->master == upper->index || upper->lower == lower->index);
}

bool link_has_mac(const struct link *link, const uint8_t mac[6])
{
	static const uint8_t none[6];

	return memcmp(mac, none, 6) != 0 &&
	       (memcmp(link->mac, mac, 6) == 0 || memcmp(link->permanent_mac, mac, 6) == 0);
}

/* Marks all that is under marked ones, until nothing is new. The kernel forbids circles; here they would do no harm. */
static void mark_below(const struct links *links, bool *marked)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < links->count * links->count; i++) {
			size_t upper = i / links->count, lower = i % links->count;

			if (marked[upper] && !marked[lower] &&
			    link_stands_on(&links->list[upper], &links->list[lower]))
				again = marked[lower] = true;
		}
	}
}

size_t links_choose(const struct links *links, const struct link *link, bool *chosen)
{
	bool *marked = calloc(links->count, sizeof(*marked));
	size_t count = 0;

	if (!marked)
		return 0;
	marked[link - links->list] = true;
	mark_below(links, marked);
	for (size_t i = 0; i < links->count; i++) {
		if (marked[i] && links->list[i].physical) {
			chosen[i] = true;
			count++;
		}
	}
	free(marked);
	return count;
}
