/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define UUID_FILE    "/sys/class/dmi/id/product_uuid"

int machine_read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t length;
	int rc;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	rc = length < 0 ? -errno : (int)length;
	close(fd);
	if (rc < 0)
		return rc;
	while (rc > 0 && text[rc - 1] == '\n')
		rc--;
	text[rc] = '\0';
	return rc;
}

static int read_uuid(const char *path, char id[REQUEST_BOOT_ID_SIZE])
{
	char text[64];
	int length = machine_read_file(path, text, sizeof(text));

	if (length < 0)
		return length;
	return request_read_uuid(text, (size_t)length, id) ? 0 : -EBADMSG;
}

int machine_boot_id(char id[REQUEST_BOOT_ID_SIZE], struct pm_error *err)
{
	int rc = read_uuid(BOOT_ID_FILE, id);

	if (rc)
		return pm_fail(err, -rc, "which boot this is cannot be read: " BOOT_ID_FILE ": %s",
			       strerror(-rc));
	return 0;
}

int machine_uuid(char uuid[REQUEST_BOOT_ID_SIZE])
{
	int rc = read_uuid(UUID_FILE, uuid);

	if (rc)
		return rc;
	return strspn(uuid, "0-") == strlen(uuid) || strspn(uuid, "f-") == strlen(uuid) ? -ENOENT : 0;
}

uint64_t machine_uptime_s(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? (uint64_t)now.tv_sec : 0;
}

uint64_t machine_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void machine_hostname(char name[MACHINE_NAME_SIZE])
{
	if (gethostname(name, MACHINE_NAME_SIZE) != 0)
		name[0] = '\0';
	name[MACHINE_NAME_SIZE - 1] = '\0';
}
