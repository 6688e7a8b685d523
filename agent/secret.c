/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets: a slab allocator on locked pages that never reach a core dump, and the readers of secret files. */
#include "agent/secret.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLAB_SIZE 4096
#define SLOTS     (SLAB_SIZE / PM_SECRET_MAX)
#define KG_MAX    20
#define FORBIDDEN (S_IXUSR | S_IWGRP | S_IXGRP | S_IRWXO)

struct slab {
	uint8_t *page;
	uint32_t used; /* one bit a slot */
	struct slab *next;
};

static_assert(SLOTS == 32, "the bit map of a slab has 32 bits");

static struct slab *slabs;

static struct slab *add_slab(void)
{
	struct slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return NULL;
	slab->page = mmap(NULL, SLAB_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slab->page == MAP_FAILED) {
		free(slab);
		return NULL;
	}
	/* Both are best effort: a low RLIMIT_MEMLOCK must not keep ten thousand machines from being managed.
	 */
	(void)mlock(slab->page, SLAB_SIZE);
	(void)madvise(slab->page, SLAB_SIZE, MADV_DONTDUMP);
	slab->next = slabs;
	slabs = slab;
	return slab;
}

static uint8_t *take_slot(void)
{
	struct slab *slab = slabs;
	int slot;

	while (slab && slab->used == UINT32_MAX)
		slab = slab->next;
	if (!slab)
		slab = add_slab();
	if (!slab)
		return NULL;
	slot = __builtin_ctz(~slab->used);
	slab->used |= UINT32_C(1) << slot;
	return slab->page + (size_t)slot * PM_SECRET_MAX;
}

static void give_slot(uint8_t *data)
{
	struct slab **link = &slabs, *slab;

	explicit_bzero(data, PM_SECRET_MAX);
	while ((slab = *link) != NULL && (data < slab->page || data >= slab->page + SLAB_SIZE))
		link = &slab->next;
	if (!slab)
		return;
	slab->used &= ~(UINT32_C(1) << ((size_t)(data - slab->page) / PM_SECRET_MAX));
	if (slab->used)
		return;
	*link = slab->next;
	munmap(slab->page, SLAB_SIZE);
	free(slab);
}

int pm_secret_set(struct pm_secret *secret, const void *data, size_t length)
{
	*secret = (struct pm_secret){0};
	if (length > PM_SECRET_MAX)
		return -EMSGSIZE;
	secret->data = take_slot();
	if (!secret->data)
		return -ENOMEM;
	memcpy(secret->data, data, length);
	secret->length = length;
	return 0;
}

void pm_secret_clear(struct pm_secret *secret)
{
	if (secret->data)
		give_slot(secret->data);
	*secret = (struct pm_secret){0};
}

static int check_file(int fd, const char *path, struct pm_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return pm_fail(error, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return pm_fail(error, EINVAL, "%s is not a regular file", path);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return pm_fail(error, EPERM,
			       "%s belongs to another user (uid %u), who could change it: chown root %s",
			       path, (unsigned)status.st_uid, path);
	if (status.st_mode & FORBIDDEN)
		return pm_fail(error, EPERM, "%s has mode %04o, but holds a secret: chmod %s %s", path,
			       (unsigned)status.st_mode & 07777U, status.st_mode & S_IRGRP ? "0640" : "0600",
			       path);
	return 0;
}

/* Reads up to the first newline or the slot's end. The kernel's page cache aside, no copy is made anywhere
 * else. */
static ssize_t read_start(int fd, uint8_t *data)
{
	size_t length = 0;

	while (length < PM_SECRET_MAX) {
		ssize_t got = read(fd, data + length, PM_SECRET_MAX - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

/* Cuts secret to its first line. */
static int cut_line(const char *path, struct pm_secret *secret, struct pm_error *error)
{
	const uint8_t *newline = memchr(secret->data, '\n', secret->length);
	size_t length = newline ? (size_t)(newline - secret->data) : secret->length;

	if (!newline && length == PM_SECRET_MAX)
		return pm_fail(error, EMSGSIZE, "%s: the first line is too long for any secret", path);
	if (length > 0 && secret->data[length - 1] == '\r')
		length--;
	if (length == 0)
		return pm_fail(error, EINVAL, "%s: the first line is empty; it has to be the secret", path);
	if (memchr(secret->data, '\0', length))
		return pm_fail(error, EINVAL, "%s: the first line holds a NUL octet", path);
	explicit_bzero(secret->data + length, PM_SECRET_MAX - length);
	secret->length = length;
	return 0;
}

static int read_secret(int fd, const char *path, struct pm_secret *secret, struct pm_error *error)
{
	ssize_t length;
	int rc = check_file(fd, path, error);

	if (rc < 0)
		return rc;
	rc = pm_secret_set(secret, "", 0);
	if (rc < 0)
		return pm_fail(error, -rc, "%s: %s", path, strerror(-rc));
	length = read_start(fd, secret->data);
	if (length < 0) {
		pm_secret_clear(secret);
		return pm_fail(error, (int)-length, "%s: %s", path, strerror((int)-length));
	}
	secret->length = (size_t)length;
	rc = cut_line(path, secret, error);
	if (rc < 0)
		pm_secret_clear(secret);
	return rc;
}

static int open_file(const char *path)
{
	/* O_NONBLOCK: a FIFO in that place must not stop the daemon. */
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static int cannot_read(const char *path, struct pm_error *error)
{
	return pm_fail(error, errno,
		       "the secret file %s cannot be read: %s: it has to be a file that %s may read "
		       "and nobody else",
		       path, strerror(errno), geteuid() == 0 ? "root" : "the user of pmstackd");
}

int pm_secret_check(const char *path, struct pm_error *error)
{
	int fd = open_file(path), rc;

	if (fd < 0)
		return cannot_read(path, error);
	rc = check_file(fd, path, error);
	close(fd);
	return rc;
}

static int read_file(const char *path, struct pm_secret *secret, struct pm_error *error)
{
	int fd = open_file(path), rc;

	*secret = (struct pm_secret){0};
	if (fd < 0)
		return cannot_read(path, error);
	rc = read_secret(fd, path, secret, error);
	close(fd);
	return rc;
}

static int refuse(struct pm_secret *secret, struct pm_error *error, const char *path, const char *what)
{
	pm_secret_clear(secret);
	return pm_fail(error, EINVAL, "%s: %s", path, what);
}

int pm_secret_read_password(const char *path, size_t max, struct pm_secret *secret, struct pm_error *error)
{
	int rc = read_file(path, secret, error);
	size_t length = secret->length;

	if (rc < 0)
		return rc;
	if (length > max) {
		pm_secret_clear(secret);
		return pm_fail(error, EMSGSIZE, "%s: the password has %zu octets, a BMC takes at most %zu",
			       path, length, max);
	}
	return 0;
}

static int hex_digit(uint8_t c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* Decodes the hexadecimal digits from source to the end of the secret in place; false when they are none or
 * odd. */
static bool decode_hex(struct pm_secret *secret, size_t source)
{
	size_t digits = secret->length - source, octets = digits / 2;

	if (digits == 0 || digits % 2)
		return false;
	for (size_t i = 0; i < octets; i++) {
		int high = hex_digit(secret->data[source + 2 * i]),
		    low = hex_digit(secret->data[source + 2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		secret->data[i] = (uint8_t)(high << 4 | low);
	}
	explicit_bzero(secret->data + octets, PM_SECRET_MAX - octets);
	secret->length = octets;
	return true;
}

int pm_secret_read_kg(const char *path, struct pm_secret *secret, struct pm_error *error)
{
	int rc = read_file(path, secret, error);

	if (rc < 0)
		return rc;
	if (secret->length >= 2 && secret->data[0] == '0' && (secret->data[1] | 0x20) == 'x' &&
	    !decode_hex(secret, 2))
		return refuse(secret, error, path,
			      "after 0x an even number of hexadecimal digits is expected");
	if (secret->length > KG_MAX)
		return refuse(secret, error, path,
			      "a BMC key K_g has at most 20 octets (0x and 40 hexadecimal digits)");
	return 0;
}

/* aa:bb:cc:dd:ee:ff */
static bool decode_octets(struct pm_secret *secret)
{
	uint8_t octets[6];

	if (secret->length != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(secret->data[3 * i]), low = hex_digit(secret->data[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && secret->data[3 * i + 2] != ':'))
			return false;
		octets[i] = (uint8_t)(high << 4 | low);
	}
	explicit_bzero(secret->data, PM_SECRET_MAX);
	memcpy(secret->data, octets, sizeof(octets));
	explicit_bzero(octets, sizeof(octets));
	secret->length = 6;
	return true;
}

/* 192.168.1.1: four decimal numbers, as ether-wake(8) takes them */
static bool decode_dotted(struct pm_secret *secret)
{
	uint8_t octets[4] = {0};
	size_t at = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned value = 0;
		size_t start = at;

		while (at < secret->length && at - start < 3 && isdigit(secret->data[at]))
			value = value * 10 + (unsigned)(secret->data[at++] - '0');
		if (at == start || value > 255 ||
		    (i < 3 && (at == secret->length || secret->data[at++] != '.')))
			return false;
		octets[i] = (uint8_t)value;
	}
	if (at != secret->length)
		return false;
	explicit_bzero(secret->data, PM_SECRET_MAX);
	memcpy(secret->data, octets, sizeof(octets));
	explicit_bzero(octets, sizeof(octets));
	secret->length = 4;
	return true;
}

int pm_secret_read_secureon(const char *path, struct pm_secret *secret, struct pm_error *error)
{
	int rc = read_file(path, secret, error);

	if (rc < 0)
		return rc;
	if (decode_octets(secret) || decode_dotted(secret))
		return 0;
	return refuse(secret, error, path,
		      "a SecureOn password is aa:bb:cc:dd:ee:ff or four decimal numbers 1.2.3.4");
}
