/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The serial console of all guests of the lab. QEMU connects a guest's serial port to a socket, whose path tells which
 * guest it is: DIRECTORY/HYPERVISOR/NAME, a link to DIRECTORY/socket, on which this listens.
 *
 *   console DIRECTORY
 *
 * One line an event on standard output, in the order in which they happened:
 *   SECONDS HYPERVISOR/NAME begun PID   QEMU has connected: the guest was switched on
 *   SECONDS HYPERVISOR/NAME restored PID   the same, with a memory that was saved
 *   SECONDS HYPERVISOR/NAME TEXT        a line that the guest wrote (tiny-guest.S): up, button, off, panic
 *   SECONDS HYPERVISOR/NAME gone        QEMU has ended, by whatever
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { guests_max = 1000, label_size = 128, line_size = 128 };

struct guest {
	char label[label_size];
	char line[line_size]; /* what has come of the next one */
	size_t length;
};

struct console {
	const char *directory;
	struct pollfd fds[1 + guests_max]; /* the first one listens */
	struct guest guests[1 + guests_max];
	nfds_t count;
};

static struct console console;

static void tell(const char *label, const char *what)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("%lld.%06ld %s %s\n", (long long)now.tv_sec, now.tv_nsec / 1000, label, what);
	fflush(stdout);
}

static int fail(const char *what)
{
	fprintf(stderr, "console: %s: %s\n", what, strerror(errno));
	return 1;
}

static size_t read_command_line(pid_t pid, char *text, size_t size)
{
	char path[32];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? 0 : read(fd, text, size);
	if (fd >= 0)
		close(fd);
	return got < 0 ? 0 : (size_t)got;
}

/* The path to which it has connected is an argument of QEMU, and that its memory comes from elsewhere. */
static bool find_label(pid_t pid, char *label, bool *restored)
{
	char text[32768], path[256];
	size_t size = read_command_line(pid, text, sizeof(text) - 1), length;
	const char *found;

	text[size] = '\0';
	snprintf(path, sizeof(path), "path=%s/", console.directory);
	found = memmem(text, size, path, strlen(path));
	if (!found)
		return false;
	*restored = memmem(text, size, "-incoming", strlen("-incoming")) != NULL;
	found += strlen(path);
	length = strcspn(found, ",");
	snprintf(label, label_size, "%.*s", (int)length, found);
	return true;
}

static void accept_guest(void)
{
	struct guest *guest = &console.guests[console.count];
	struct ucred peer;
	socklen_t size = sizeof(peer);
	bool restored;
	char what[32];
	int fd = accept4(console.fds[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (console.count > guests_max || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    !find_label(peer.pid, guest->label, &restored)) {
		fprintf(stderr, "console: nobody knows who has connected\n");
		close(fd);
		return;
	}
	guest->length = 0;
	console.fds[console.count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	snprintf(what, sizeof(what), "%s %d", restored ? "restored" : "begun", (int)peer.pid);
	tell(guest->label, what);
}

static void take_octet(struct guest *guest, char octet)
{
	if (octet != '\n' && guest->length < line_size - 1) {
		guest->line[guest->length++] = octet;
		return;
	}
	guest->line[guest->length] = '\0';
	guest->length = 0;
	tell(guest->label, guest->line);
}

/* False: it has gone. */
static bool read_guest(nfds_t index)
{
	char octets[256];
	ssize_t got = read(console.fds[index].fd, octets, sizeof(octets));

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	for (ssize_t i = 0; i < got; i++)
		take_octet(&console.guests[index], octets[i]);
	return got > 0;
}

static void remove_guest(nfds_t index)
{
	tell(console.guests[index].label, "gone");
	close(console.fds[index].fd);
	console.count--;
	console.fds[index] = console.fds[console.count];
	console.guests[index] = console.guests[console.count];
}

static void turn(void)
{
	if (poll(console.fds, console.count, -1) < 0)
		return;
	for (nfds_t i = console.count - 1; i > 0; i--)
		if (console.fds[i].revents && !read_guest(i))
			remove_guest(i);
	if (console.fds[0].revents)
		accept_guest();
}

static int listen_in(const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory) >=
	    sizeof(address.sun_path))
		errno = ENAMETOOLONG;
	else if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		 listen(fd, SOMAXCONN) == 0)
		return fd;
	return -1;
}

static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: console DIRECTORY\n");
		return 2;
	}
	allow_many_files();
	fd = listen_in(argv[1]);
	if (fd < 0)
		return fail(argv[1]);
	console.directory = argv[1];
	console.fds[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	console.count = 1;
	for (;;)
		turn();
}
