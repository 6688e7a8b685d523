/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * killer.so: preloaded into pmstackd, it counts what SQLite does to the journal, ends the process at one of these points
 * as a crash would, and keeps what a loss of power would have left. The program itself is the one that is installed.
 *
 *   KILLER_DATABASE  path of state.db; operations on it and on state.db-wal count
 *   KILLER_CONTROL   path of a file that holds a struct control in the byte order of the machine; whoever wants to kill
 *                    writes it, while the process runs
 *
 * state.db.synced and state.db-wal.synced are what these files were when they were last synchronised, by fdatasync or
 * fsync: after a loss of power nothing else is sure to be there. What was there when the first process began counts as
 * synchronised; a copy that is there already is kept.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAL_FRAME_HEADER 24 /* SQLite file format, 4.2: octets 4-7 are not 0 in the last frame of a commit */
#define SLOW_DISK_US     20000
#define COPY_SIZE        32768

enum when {
	NEVER = 0,
	BEFORE_OPERATION = 1, /* any write to the journal, and any synchronisation */
	AFTER_COMMIT = 2,     /* its last frame is written, nothing more */
	BEFORE_SYNC = 3, /* of state.db-wal, which takes a while: what does not wait for it has its way */
	AFTER_SYNC = 4,
	WHENS
};

/* Each counter counts since it was last set to 0. */
struct control {
	uint32_t when;
	uint32_t at; /* the at-th such point, from 1 */
	uint32_t counts[WHENS];
	uint32_t killed; /* the pid of who was killed; 0: nobody */
};

enum role { OTHER, DATABASE, WAL, ROLES };

static struct control *control;
static char path[ROLES][4096];
static bool last_frame; /* of a commit: its header is written, its page comes next */
static pthread_mutex_t touching = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_pwrite)(int fd, const void *data, size_t size, off64_t offset);
static int (*real_fdatasync)(int fd);
static int (*real_fsync)(int fd);
static int (*real_ftruncate)(int fd, off64_t size);

/* --- what would be left ----------------------------------------------------------------------- */

/* What was written since the last synchronisation. */
struct range {
	off64_t begin, end;
};

static struct range unsynced[ROLES];
static int copies[ROLES];

static void touch(enum role role, off64_t begin, off64_t end)
{
	struct range *range = &unsynced[role];

	pthread_mutex_lock(&touching);
	if (range->begin == range->end)
		*range = (struct range){begin, end};
	range->begin = begin < range->begin ? begin : range->begin;
	range->end = end > range->end ? end : range->end;
	pthread_mutex_unlock(&touching);
}

static struct range take_range(enum role role)
{
	struct range range;

	pthread_mutex_lock(&touching);
	range = unsynced[role];
	unsynced[role] = (struct range){0, 0};
	pthread_mutex_unlock(&touching);
	return range;
}

static void fail(const char *what)
{
	fprintf(stderr, "killer: %s: %s\n", what, strerror(errno));
	abort();
}

/* As on a disk, it may be cut short at any octet by the end of the process; until then nobody was told that it is there. */
static int synchronise(enum role role, int fd, int (*real)(int fd))
{
	const struct range range = take_range(role);
	char *octets = malloc((size_t)(range.end - range.begin) + 1);
	ssize_t got = octets ? pread(fd, octets, (size_t)(range.end - range.begin), range.begin) : -1;
	int result = real(fd);

	if (got < 0 || (result == 0 && real_pwrite(copies[role], octets, (size_t)got, range.begin) != got))
		fail(path[role]);
	free(octets);
	return result;
}

static off64_t copy_whole(int from, int to)
{
	char octets[COPY_SIZE];
	off64_t offset = 0;
	ssize_t got;

	while ((got = pread(from, octets, sizeof(octets), offset)) > 0) {
		if (to >= 0 && real_pwrite(to, octets, (size_t)got, offset) != got)
			fail("copy");
		offset += got;
	}
	return offset;
}

/* A process before may have left something that was not synchronised: all of it will be, the next time. */
static void open_copy(enum role role)
{
	char name[4200];
	bool known;
	int from = open(path[role], O_RDONLY | O_CLOEXEC);

	snprintf(name, sizeof(name), "%s.synced", path[role]);
	known = access(name, F_OK) == 0;
	copies[role] = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (copies[role] < 0)
		fail(name);
	if (from >= 0) {
		touch(role, 0, copy_whole(from, known ? -1 : copies[role]));
		close(from);
	}
}

/* --- when to die ------------------------------------------------------------------------------- */

static void reach(enum when when)
{
	uint32_t count = __atomic_add_fetch(&control->counts[when], 1, __ATOMIC_SEQ_CST);

	if (control->when != (uint32_t)when || control->at != count)
		return;
	if (when == BEFORE_SYNC)
		usleep(SLOW_DISK_US);
	control->killed = (uint32_t)getpid();
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static enum role role_of(int fd)
{
	struct stat mine, file;

	if (!control || fstat(fd, &mine) < 0 || !S_ISREG(mine.st_mode))
		return OTHER;
	for (enum role role = DATABASE; role < ROLES; role++)
		if (stat(path[role], &file) == 0 && file.st_dev == mine.st_dev && file.st_ino == mine.st_ino)
			return role;
	return OTHER;
}

static bool ends_commit(const void *data, size_t size)
{
	static const uint8_t zero[4];

	return size == WAL_FRAME_HEADER && memcmp((const uint8_t *)data + 4, zero, sizeof(zero)) != 0;
}

static ssize_t counted_write(int fd, const void *data, size_t size, off64_t offset)
{
	enum role role = role_of(fd);
	ssize_t result;

	if (role == OTHER)
		return real_pwrite(fd, data, size, offset);
	reach(BEFORE_OPERATION);
	result = real_pwrite(fd, data, size, offset);
	if (result > 0)
		touch(role, offset, offset + result);
	if (role == WAL && last_frame)
		reach(AFTER_COMMIT);
	if (role == WAL)
		last_frame = ends_commit(data, size);
	return result;
}

static int counted_sync(int fd, int (*real)(int fd))
{
	enum role role = role_of(fd);
	int result;

	if (role == OTHER)
		return real(fd);
	reach(BEFORE_OPERATION);
	if (role == WAL)
		reach(BEFORE_SYNC);
	result = synchronise(role, fd, real);
	if (role == WAL)
		reach(AFTER_SYNC);
	return result;
}

static int counted_truncate(int fd, off64_t size)
{
	enum role role = role_of(fd);

	if (role == OTHER)
		return real_ftruncate(fd, size);
	reach(BEFORE_OPERATION);
	if (real_ftruncate(copies[role], size) < 0)
		fail("copy");
	return real_ftruncate(fd, size);
}

/* --- in place of the C library's --------------------------------------------------------------- */

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	return counted_write(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return counted_write(fd, data, size, offset);
}

int fdatasync(int fd)
{
	return counted_sync(fd, real_fdatasync);
}

int fsync(int fd)
{
	return counted_sync(fd, real_fsync);
}

int ftruncate64(int fd, off64_t size)
{
	return counted_truncate(fd, size);
}

int ftruncate(int fd, off_t size)
{
	return counted_truncate(fd, size);
}

/* --- the beginning ----------------------------------------------------------------------------- */

static void *next_of(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	if (!symbol)
		abort();
	return symbol;
}

static void map_control(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);
	void *map =
	    fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED) {
		fail(name);
	}
	close(fd);
	control = map;
}

__attribute__((constructor)) static void begin(void)
{
	const char *database = getenv("KILLER_DATABASE"), *name = getenv("KILLER_CONTROL");

	*(void **)&real_pwrite = next_of("pwrite64");
	*(void **)&real_fdatasync = next_of("fdatasync");
	*(void **)&real_fsync = next_of("fsync");
	*(void **)&real_ftruncate = next_of("ftruncate64");
	if (!database || !name)
		return;
	snprintf(path[DATABASE], sizeof(path[DATABASE]), "%s", database);
	snprintf(path[WAL], sizeof(path[WAL]), "%s-wal", database);
	open_copy(DATABASE);
	open_copy(WAL);
	map_control(name);
}
