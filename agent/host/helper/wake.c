/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/wake.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

const char *wake_state_name(enum wake_state state)
{
	static const char *const names[] = {
	    [WAKE_UNKNOWN] = "unknown",
	    [WAKE_NOT_SUPPORTED] = "notSupported",
	    [WAKE_DISARMED] = "disarmed",
	    [WAKE_ARMED] = "armed",
	};

	return names[state];
}

void wake_letters(uint32_t bits, char letters[16])
{
	static const char all[] = "pumbagsf"; /* of bit 0 and up */
	size_t length = 0;

	for (size_t i = 0; i < sizeof(all) - 1; i++) {
		if (bits & (1U << i))
			letters[length++] = all[i];
	}
	if (length == 0)
		letters[length++] = 'd';
	letters[length] = '\0';
}

static int ethtool(const struct link *port, struct ethtool_wolinfo *info)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_data = (char *)info};
	int rc = 0;

	if (fd < 0)
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0); /* any socket will do */
	if (fd < 0)
		return -errno;
	memcpy(request.ifr_name, port->name, sizeof(request.ifr_name));
	if (ioctl(fd, SIOCETHTOOL, &request) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* What a failed question means. */
static void explain_question(struct wake *wake, int rc)
{
	wake->denied = rc == -EPERM || rc == -EACCES;
	if (rc == -EOPNOTSUPP) {
		wake->state = WAKE_NOT_SUPPORTED;
		snprintf(wake->text, sizeof(wake->text), "its driver has no Wake-on-LAN");
	} else if (wake->denied) {
		snprintf(wake->text, sizeof(wake->text), "only root may ask: see pmstack-host setup");
	} else {
		snprintf(wake->text, sizeof(wake->text), "its driver cannot be asked: %s", strerror(-rc));
	}
}

static int ask(const struct link *port, struct ethtool_wolinfo *info, struct wake *wake)
{
	int rc;

	*info = (struct ethtool_wolinfo){.cmd = ETHTOOL_GWOL};
	*wake = (struct wake){.state = WAKE_UNKNOWN};
	rc = ethtool(port, info);
	if (rc) {
		explain_question(wake, rc);
		return rc;
	}
	wake->supported = info->supported;
	wake->set = info->wolopts;
	wake->state = info->wolopts & WAKE_MAGIC ? WAKE_ARMED : WAKE_DISARMED;
	if (!(info->supported & WAKE_MAGIC)) {
		wake->state = WAKE_NOT_SUPPORTED;
		snprintf(wake->text, sizeof(wake->text), "%s",
			 info->supported ? "its driver wakes on other packets, but not on magic ones"
					 : "its driver or hardware has no Wake-on-LAN");
	}
	return 0;
}

void wake_read(const struct link *port, struct wake *wake)
{
	struct ethtool_wolinfo info;

	ask(port, &info, wake);
}

static void explain_refusal(struct wake *wake, int rc)
{
	wake->denied = rc == -EPERM || rc == -EACCES;
	if (rc == -EOPNOTSUPP) { /* e1000 says so of itself, and then does not */
		wake->state = WAKE_NOT_SUPPORTED;
		snprintf(wake->text, sizeof(wake->text), "its driver offers it, but refuses to set it: %s",
			 strerror(-rc));
		return;
	}
	wake->failed = true;
	snprintf(wake->text, sizeof(wake->text), "could not be armed: %s", strerror(-rc));
}

void wake_arm(const struct link *port, struct wake *wake)
{
	struct ethtool_wolinfo info;
	int rc;

	if (ask(port, &info, wake) != 0 || wake->state != WAKE_DISARMED)
		return;
	info.cmd = ETHTOOL_SWOL; /* with the SecureOn password as it was read */
	info.wolopts |= WAKE_MAGIC;
	rc = ethtool(port, &info);
	if (rc) {
		explain_refusal(wake, rc);
		return;
	}
	if (ask(port, &info, wake) == 0 && wake->state == WAKE_DISARMED) {
		wake->failed = true;
		snprintf(wake->text, sizeof(wake->text), "its driver accepted it, but it is still not armed");
	}
}
