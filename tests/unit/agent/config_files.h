/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A directory of configuration and secret files for the tests of the reader, and what they expect of it. */
#ifndef PM_TEST_CONFIG_FILES_H
#define PM_TEST_CONFIG_FILES_H

#include "agent/config.h"
#include "tests/unit/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define CREDENTIALS   "credentials ops { username = admin password-file = \"pw\" }\n"
#define BMC           "bmc { address = \"10.0.0.1\" credentials = ops }"

static char directory[DIRECTORY_MAX];

static inline const char *in_directory(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static inline void write_data(const char *name, const void *data, size_t length, mode_t mode)
{
	FILE *out = fopen(in_directory(name), "w");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, length, out), length);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(in_directory(name), mode), 0);
}

static inline void write_text(const char *name, const char *text)
{
	write_data(name, text, strlen(text), 0600);
}

/* Loads a configuration that has to be good. */
static inline struct pm_inventory *load_good(const char *text)
{
	struct pm_inventory *inventory;
	struct pm_config_errors errors;

	write_text("t.conf", text);
	if (pm_config_load(in_directory("t.conf"), &inventory, &errors) != 0) {
		for (size_t i = 0; i < errors.count; i++)
			print_error("%s\n", errors.lines[i]);
		fail();
	}
	assert_int_equal(errors.count, 0);
	assert_non_null(inventory);
	pm_config_errors_clear(&errors);
	return inventory;
}

static inline bool has_error(const struct pm_config_errors *errors, const char *start, const char *text)
{
	for (size_t i = 0; i < errors->count; i++) {
		if (strncmp(errors->lines[i], start, strlen(start)) == 0 && strstr(errors->lines[i], text))
			return true;
	}
	return false;
}

static inline void show_failure(const struct pm_config_errors *errors, const char *config, const char *start,
				const char *text)
{
	print_error("configuration:\n%s\nexpected: %s %s\nerrors:\n", config, start, text);
	for (size_t i = 0; i < errors->count; i++)
		print_error("  %s\n", errors->lines[i]);
}

/* Whether the file in place gives an error in that line with that text. line 0: the file as a whole. */
static inline bool refuses(const char *config, int line, const char *text)
{
	struct pm_inventory *inventory = (void *)1;
	struct pm_config_errors errors;
	char start[300];
	bool found;
	int rc = pm_config_load(in_directory("t.conf"), &inventory, &errors);

	if (line > 0)
		snprintf(start, sizeof(start), "%s:%d: ", in_directory("t.conf"), line);
	else
		snprintf(start, sizeof(start), "%s: ", in_directory("t.conf"));
	found = rc < 0 && !inventory && has_error(&errors, start, text);
	if (!found)
		show_failure(&errors, config, start, text);
	if (rc == 0)
		pm_inventory_free(inventory);
	pm_config_errors_clear(&errors);
	return found;
}

static inline int set_up(void **state)
{
	(void)state;
	if (new_directory(directory, sizeof(directory)) < 0)
		return -1;
	write_text("pw", "geheim\n");
	write_text("kg", "0x010203\n");
	write_text("so", "00:11:22:33:44:55\n");
	write_text("long", "123456789012345678901\n");
	write_text("twenty", "12345678901234567890\n");
	write_data("open", "geheim\n", 7, 0644);
	return 0;
}

static inline int tear_down(void **state)
{
	static const char *const files[] = {"pw", "kg", "so", "long", "twenty", "open", "ethers", "t.conf"};

	(void)state;
	for (size_t i = 0; i < LENGTH(files); i++)
		unlink(in_directory(files[i]));
	return rmdir(directory);
}

#endif
