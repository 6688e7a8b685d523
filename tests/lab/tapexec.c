/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opens tap interfaces that are in another network namespace, and becomes a command which finds them open: QEMU stays
 * where its BMC is, and its NICs are in their own segment.
 *
 *   tapexec NETNS_FILE INTERFACE[,INTERFACE...] COMMAND [ARGUMENT...]
 *
 * The first interface is file descriptor 20, the second one 21, and so on.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { first_fd = 20 };

static int fail(const char *what)
{
	fprintf(stderr, "tapexec: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Opens the interface as descriptor fd; 0, or -1 with errno. */
static int open_tap(const char *interface, int fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int tun = open("/dev/net/tun", O_RDWR);

	if (tun < 0)
		return -1;
	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (ioctl(tun, TUNSETIFF, &request) != 0 || dup2(tun, fd) != fd)
		return -1;
	return close(tun);
}

static int enter(const char *netns_file)
{
	int netns = open(netns_file, O_RDONLY | O_CLOEXEC);

	return netns < 0 ? -1 : setns(netns, CLONE_NEWNET);
}

int main(int argc, char **argv)
{
	int home, fd = first_fd;

	if (argc < 4) {
		fprintf(stderr, "usage: tapexec NETNS_FILE INTERFACE[,INTERFACE...] COMMAND [ARGUMENT...]\n");
		return 2;
	}
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || enter(argv[1]) != 0)
		return fail(argv[1]);
	for (char *name = strtok(argv[2], ","); name != NULL; name = strtok(NULL, ","))
		if (open_tap(name, fd++) != 0)
			return fail(name);
	if (setns(home, CLONE_NEWNET) != 0)
		return fail("going back");
	execvp(argv[3], argv + 3);
	return fail(argv[3]);
}
