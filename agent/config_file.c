/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configuration files: found, read whole, included by others. */
#include "agent/config_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCLUDE_DEPTH_MAX 16
#define FILE_SIZE_MAX     (64 * 1024 * 1024)

/* A file that is being read, and the one that included it. */
struct open_file {
	dev_t device;
	ino_t inode;
	const char *name;
	const struct open_file *includer;
	int depth;
};

struct config_reader {
	struct config_report *report;
	struct config_node *root;
	struct config_files *files;
	const struct open_file *current;
};

/* Where a file is asked for: the including line, or nowhere for the first. */
struct origin {
	const char *file;
	int line;
};

static const char *keep_name(struct config_reader *reader, const char *path)
{
	struct config_files *files = reader->files;
	char **names = realloc(files->names, (files->count + 1) * sizeof(*names));

	if (!names)
		return NULL;
	files->names = names;
	names[files->count] = strdup(path);
	return names[files->count] ? names[files->count++] : NULL;
}

/* Reads the descriptor to its end. The text is freed by the caller; NULL with errno. */
static char *read_text(int fd, size_t *length)
{
	size_t room = 64 * 1024;
	char *text = malloc(room), *grown;
	ssize_t got;

	*length = 0;
	while (text && (got = read(fd, text + *length, room - *length)) != 0) {
		if (got < 0) {
			free(text);
			return NULL;
		}
		*length += (size_t)got;
		if (*length < room)
			continue;
		room *= 2;
		grown = *length < FILE_SIZE_MAX ? realloc(text, room) : NULL;
		if (!grown) {
			errno = *length < FILE_SIZE_MAX ? ENOMEM : EFBIG;
			free(text);
			return NULL;
		}
		text = grown;
	}
	return text;
}

static int line_of(const char *text, const char *at)
{
	int line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

static void parse_text(struct config_reader *reader, const char *name, char *text, size_t length)
{
	struct config_cursor cursor = {.at = text, .end = text + length, .file = name, .line = 1};
	const char *nul = memchr(text, '\0', length);

	if (nul) {
		config_error(reader->report, name, line_of(text, nul),
			     "this is no text file: it holds a NUL octet");
		return;
	}
	if (length >= 3 &&
	    memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark, as some editors leave */
		cursor.at += 3;
	config_parse(reader, reader->report, &cursor, reader->root);
}

/* Whether the opened file may be read now; otherwise the reason is reported. */
static bool check_file(struct config_reader *reader, const struct origin *origin, const char *path,
		       const struct stat *status)
{
	const struct open_file *other = reader->current;

	while (other && (other->device != status->st_dev || other->inode != status->st_ino))
		other = other->includer;
	if (S_ISDIR(status->st_mode))
		config_error(reader->report, origin->file, origin->line,
			     "%s is a directory; name a file, or include(\"%s/*.conf\")", path, path);
	else if (!S_ISREG(status->st_mode) && reader->current)
		config_error(reader->report, origin->file, origin->line, "%s is not a regular file", path);
	else if (other)
		config_error(reader->report, origin->file, origin->line, "%s includes itself", path);
	else if (reader->current && reader->current->depth == INCLUDE_DEPTH_MAX)
		config_error(reader->report, origin->file, origin->line,
			     "files include each other deeper than %d", INCLUDE_DEPTH_MAX);
	else
		return true;
	return false;
}

static void read_open_file(struct config_reader *reader, const struct origin *origin, const char *path,
			   int fd)
{
	const struct open_file *includer = reader->current;
	struct open_file file = {.includer = includer, .depth = includer ? includer->depth + 1 : 1};
	struct stat status = {0};
	size_t length;
	char *text;

	if (fstat(fd, &status) < 0 || !check_file(reader, origin, path, &status))
		return;
	file.device = status.st_dev;
	file.inode = status.st_ino;
	file.name = keep_name(reader, path);
	text = file.name ? read_text(fd, &length) : NULL;
	if (!text) {
		config_error(reader->report, origin->file, origin->line, "%s: %s", path, strerror(errno));
		return;
	}
	reader->current = &file;
	parse_text(reader, file.name, text, length);
	reader->current = includer;
	free(text);
}

static void read_file(struct config_reader *reader, const struct origin *origin, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (reader->current ? O_NONBLOCK : 0));

	if (fd < 0) {
		if (origin->line > 0)
			config_error(reader->report, origin->file, origin->line, "cannot read %s: %s", path,
				     strerror(errno));
		else
			config_error(reader->report, path, 0, "cannot be read: %s", strerror(errno));
		return;
	}
	read_open_file(reader, origin, path, fd);
	close(fd);
}

char *config_path(struct config_report *report, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	size_t directory = slash ? (size_t)(slash - file) + 1 : 0;
	char *whole;

	if (*path == '/')
		return config_copy(report, path, strlen(path));
	whole = config_alloc(report, directory + strlen(path) + 1);
	if (whole)
		stpcpy(mempcpy(whole, file, directory), path);
	return whole;
}

void config_include(struct config_reader *reader, const char *file, int line, const char *pattern)
{
	struct origin origin = {.file = file, .line = line};
	char *path = config_path(reader->report, file, pattern);
	glob_t found;

	if (!path)
		return;
	if (!strpbrk(pattern, "*?")) {
		read_file(reader, &origin, path);
		return;
	}
	/* A directory of files may be empty: that is no error. */
	if (glob(path, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(reader, &origin, found.gl_pathv[i]);
		globfree(&found);
	}
}

struct config_node *config_read(struct config_report *report, const char *path, struct config_files *files)
{
	struct config_node *root = config_alloc(report, sizeof(*root));
	struct config_reader reader = {.report = report, .root = root, .files = files};

	*files = (struct config_files){0};
	if (!root)
		return NULL;
	root->schema = &config_root_schema;
	root->file = path;
	read_file(&reader, &(struct origin){.file = path}, path);
	return root;
}
