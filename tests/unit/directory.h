/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A directory for the files of a test, below TMPDIR: tests/unit/run gives each program one that goes with it.
 */
#ifndef PM_TEST_DIRECTORY_H
#define PM_TEST_DIRECTORY_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIRECTORY_MAX = 128 };

/* 0, or -1: it cannot be made, or its name is too long. */
static inline int new_directory(char *directory, size_t size)
{
	const char *parent = getenv("TMPDIR");
	int length = snprintf(directory, size, "%s/pmstack-unit.XXXXXX", parent ? parent : "/tmp");

	return length > 0 && (size_t)length < size && mkdtemp(directory) ? 0 : -1;
}

#endif
