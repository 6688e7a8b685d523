/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The machine of the lab: a process that is "switched on" as long as it lives. It answers on a TCP port and,
 * by a TUN device that disappears with the process, on an IP address, so that nothing survives a power cut
 * (SIGKILL).
 *
 *   machine -d DIRECTORY [-a ADDRESS] [-l [ADDRESS:]PORT] [-t SHUTDOWN_DELAY_MS] [-i]
 *
 * It returns 0 once the machine is up, and leaves in DIRECTORY: machine.pid, boots (how often it was started)
 * and machine.lock, which is locked while it runs. SIGTERM is the operating system's shutdown request:
 * honoured after -t milliseconds, ignored with -i.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { lock_attempts = 200, lock_interval_ns = 5000000 };

struct options {
	const char *directory;
	const char *address; /* of the TUN device; NULL: none */
	const char *listen;  /* [ADDRESS:]PORT; NULL: none */
	int shutdown_delay_ms;
	bool ignore_shutdown;
};

static int complain(const char *what)
{
	fprintf(stderr, "machine: %s: %s\n", what, strerror(errno));
	return -1;
}

static int open_in(const char *directory, const char *name, int flags)
{
	int dir_fd = open(directory, O_DIRECTORY | O_PATH);
	if (dir_fd < 0)
		return complain(directory);
	int fd = openat(dir_fd, name, flags | O_CREAT | O_CLOEXEC, 0644);
	close(dir_fd);
	return fd < 0 ? complain(name) : fd;
}

/*
 * The lock is held by the running machine; a second one is refused. Who asks whether the machine is on holds it for a
 * moment, shared: hence the patience.
 */
static int take_lock(const char *directory)
{
	int fd = open_in(directory, "machine.lock", O_RDWR);
	if (fd < 0)
		return -1;
	int attempts = lock_attempts;
	while (flock(fd, LOCK_EX | LOCK_NB) != 0 && --attempts > 0)
		nanosleep(&(struct timespec){.tv_nsec = lock_interval_ns}, NULL);
	if (attempts == 0) {
		complain("already running");
		close(fd);
		return -1;
	}
	return fd;
}

static int write_number(const char *directory, const char *name, long number)
{
	int fd = open_in(directory, name, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return -1;
	bool written = dprintf(fd, "%ld\n", number) > 0;
	close(fd);
	return written ? 0 : complain(name);
}

static int count_boot(const char *directory)
{
	char text[32] = "";
	int fd = open_in(directory, "boots", O_RDONLY);
	if (fd < 0)
		return -1;
	ssize_t length = read(fd, text, sizeof text - 1);
	close(fd);
	if (length < 0)
		return complain("boots");
	return write_number(directory, "boots", strtol(text, NULL, 10) + 1);
}

static int bring_up(const char *interface, const char *address)
{
	struct ifreq request = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&request.ifr_addr;
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	in->sin_family = AF_INET;
	if (inet_pton(AF_INET, address, &in->sin_addr) != 1) {
		errno = EINVAL;
		return complain(address);
	}
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return complain("socket");
	int rc = ioctl(fd, SIOCSIFADDR, &request);
	if (rc == 0) {
		request.ifr_flags = IFF_UP;
		rc = ioctl(fd, SIOCSIFFLAGS, &request);
	}
	if (rc != 0)
		complain(interface);
	close(fd);
	return rc;
}

static int open_tun(const char *address)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	snprintf(request.ifr_name, sizeof request.ifr_name, "os%%d");
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return complain("/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &request) != 0) {
		complain("TUNSETIFF");
		close(fd);
		return -1;
	}
	if (bring_up(request.ifr_name, address) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int parse_endpoint(const char *text, struct sockaddr_in *endpoint)
{
	char address[INET_ADDRSTRLEN] = "0.0.0.0";
	const char *colon = strrchr(text, ':');
	if (colon != NULL)
		snprintf(address, sizeof address, "%.*s", (int)(colon - text), text);
	endpoint->sin_family = AF_INET;
	endpoint->sin_port = htons((uint16_t)strtoul(colon != NULL ? colon + 1 : text, NULL, 10));
	return inet_pton(AF_INET, address, &endpoint->sin_addr) == 1 ? 0 : -1;
}

static int open_listener(const char *text)
{
	struct sockaddr_in endpoint = {0};
	if (parse_endpoint(text, &endpoint) != 0) {
		errno = EINVAL;
		return complain(text);
	}
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return complain("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&endpoint, sizeof endpoint) != 0 || listen(fd, 8) != 0) {
		complain(text);
		close(fd);
		return -1;
	}
	return fd;
}

static int open_signals(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void greet(int listener)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (client >= 0)
		close(client);
}

/* Lives until the shutdown request has been honoured. */
static void run(const struct options *options, int listener, int signals)
{
	struct pollfd fds[2] = {{.fd = signals, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	int timeout_ms = -1;
	for (;;) {
		int ready = poll(fds, 2, timeout_ms);
		if (ready == 0)
			return;
		if (ready < 0)
			continue;
		if ((fds[1].revents & POLLIN) != 0)
			greet(listener);
		if ((fds[0].revents & POLLIN) == 0)
			continue;
		struct signalfd_siginfo info;
		if (read(signals, &info, sizeof info) == (ssize_t)sizeof info && !options->ignore_shutdown) {
			timeout_ms = options->shutdown_delay_ms;
			fds[0].fd = -1;
		}
	}
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int letter;
	while ((letter = getopt(argc, argv, "d:a:l:t:i")) != -1) {
		switch (letter) {
		case 'd':
			options->directory = optarg;
			break;
		case 'a':
			options->address = optarg;
			break;
		case 'l':
			options->listen = optarg;
			break;
		case 't':
			options->shutdown_delay_ms = (int)strtol(optarg, NULL, 10);
			break;
		case 'i':
			options->ignore_shutdown = true;
			break;
		default:
			return false;
		}
	}
	return options->directory != NULL && optind == argc;
}

/* What a caller's pipes and sockets would otherwise keep open: a BMC's port among them. */
static void drop_inherited_files(void)
{
	int null_fd = open("/dev/null", O_RDWR);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
	}
	closefrom(STDERR_FILENO + 1);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	if (!parse_options(argc, argv, &options)) {
		fprintf(
		    stderr,
		    "usage: machine -d DIRECTORY [-a ADDRESS] [-l [ADDRESS:]PORT] [-t SHUTDOWN_DELAY_MS] [-i]\n");
		return 2;
	}
	drop_inherited_files();
	int listener = -1;
	int signals = open_signals();
	if (signals < 0 || take_lock(options.directory) < 0)
		return 1;
	if (options.address != NULL && open_tun(options.address) < 0)
		return 1;
	if (options.listen != NULL && (listener = open_listener(options.listen)) < 0)
		return 1;
	if (count_boot(options.directory) != 0)
		return 1;
	pid_t child = fork();
	if (child < 0)
		return 1;
	if (child > 0) /* the lock, the listener and the TUN device live on in the child */
		return write_number(options.directory, "machine.pid", child) == 0 ? 0 : 1;
	setsid();
	dup2(STDIN_FILENO, STDERR_FILENO);
	run(&options, listener, signals);
	return 0;
}
