/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secret files: what is read, what is refused, and that nothing is left behind. */
#include "agent/secret.h"
#include "tests/unit/directory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static char directory[DIRECTORY_MAX];
static char path[DIRECTORY_MAX + 16];

static void write_file(const char *contents, size_t length, mode_t mode)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(contents, 1, length, out), length);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void write_text(const char *text)
{
	write_file(text, strlen(text), 0600);
}

static void test_reads_first_line(void **state)
{
	static const struct {
		const char *contents, *secret;
	} cases[] = {
	    {"geheim", "geheim"},
	    {"geheim\n", "geheim"},
	    {"geheim\r\n", "geheim"},
	    {"geheim\nsecond\n", "geheim"},
	    {"12345678901234567890\n", "12345678901234567890"},
	    {" with space ", " with space "},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct pm_secret secret;
		struct pm_error error;

		write_text(cases[i].contents);
		assert_int_equal(pm_secret_read_password(path, 20, &secret, &error), 0);
		assert_int_equal(secret.length, strlen(cases[i].secret));
		assert_memory_equal(secret.data, cases[i].secret, secret.length);
		pm_secret_clear(&secret);
		assert_null(secret.data);
		assert_int_equal(secret.length, 0);
	}
}

static void test_reads_modes(void **state)
{
	static const mode_t good[] = {0600, 0640, 0400, 0440};
	static const struct {
		mode_t mode;
		const char *remedy;
	} bad[] = {{0644, "chmod 0640"}, {0604, "chmod 0600"}, {0660, "chmod 0640"},
		   {0700, "chmod 0600"}, {0601, "chmod 0600"}, {0620, "chmod 0600"}};
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	for (size_t i = 0; i < LENGTH(good); i++) {
		write_file("x", 1, 0600);
		assert_int_equal(chmod(path, good[i]), 0);
		assert_int_equal(pm_secret_read_password(path, 20, &secret, &error), 0);
		pm_secret_clear(&secret);
		assert_int_equal(chmod(path, 0600), 0);
	}
	for (size_t i = 0; i < LENGTH(bad); i++) {
		assert_int_equal(chmod(path, bad[i].mode), 0);
		assert_int_equal(pm_secret_read_password(path, 20, &secret, &error), -EPERM);
		assert_non_null(strstr(error.text, bad[i].remedy));
		assert_non_null(strstr(error.text, path));
		assert_null(secret.data);
	}
	assert_int_equal(chmod(path, 0600), 0);
}

static void test_refuses_foreign_owner(void **state)
{
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	write_text("x");
	if (geteuid() != 0) {
		/* Only root can give a file away; a file of root that is not ours is fine for everyone else.
		 */
		assert_int_equal(chown(path, 4711, (gid_t)-1), -1);
		return;
	}
	assert_int_equal(chown(path, 4711, (gid_t)-1), 0);
	assert_int_equal(pm_secret_read_password(path, 20, &secret, &error), -EPERM);
	assert_non_null(strstr(error.text, "chown root"));
	assert_int_equal(chown(path, 0, (gid_t)-1), 0);
}

static void test_refuses_contents(void **state)
{
	static const struct {
		const char *contents;
		size_t length;
		const char *reason;
	} cases[] = {
	    {"", 0, "empty"},
	    {"\nsecret\n", 8, "empty"},
	    {"\r\n", 2, "empty"},
	    {"a\0b\n", 4, "NUL"},
	    {"123456789012345678901\n", 22, "21 octets"},
	};
	char long_line[400];
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		write_file(cases[i].contents, cases[i].length, 0600);
		assert_true(pm_secret_read_password(path, 20, &secret, &error) < 0);
		assert_non_null(strstr(error.text, cases[i].reason));
		assert_null(secret.data);
	}
	memset(long_line, 'x', sizeof(long_line));
	write_file(long_line, sizeof(long_line), 0600);
	assert_int_equal(pm_secret_read_password(path, 20, &secret, &error), -EMSGSIZE);
	assert_null(strstr(error.text, "xxxx"));
}

static void test_refuses_what_is_no_file(void **state)
{
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	assert_int_equal(pm_secret_read_password("/nonexistent/file", 20, &secret, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/file"));
	assert_int_equal(pm_secret_read_password(directory, 20, &secret, &error), -EINVAL);
	assert_non_null(strstr(error.text, "regular file"));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pm_secret_read_password(path, 20, &secret, &error), -EINVAL);
	unlink(path);
}

static void test_kg(void **state)
{
	static const uint8_t binary[] = {0x00, 0x11, 0xab, 0xCD};
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	write_text("kgkey123\n");
	assert_int_equal(pm_secret_read_kg(path, &secret, &error), 0);
	assert_int_equal(secret.length, 8);
	assert_memory_equal(secret.data, "kgkey123", 8);
	pm_secret_clear(&secret);
	write_text("0x0011abCD\n");
	assert_int_equal(pm_secret_read_kg(path, &secret, &error), 0);
	assert_int_equal(secret.length, sizeof(binary));
	assert_memory_equal(secret.data, binary, sizeof(binary));
	pm_secret_clear(&secret);
	write_text("0x0011223344556677889900112233445566778899\n");
	assert_int_equal(pm_secret_read_kg(path, &secret, &error), 0);
	assert_int_equal(secret.length, 20);
	pm_secret_clear(&secret);
}

static void test_kg_refused(void **state)
{
	static const char *const cases[] = {"0x\n", "0x123\n", "0x12zz\n",
					    "0x001122334455667788990011223344556677889900\n",
					    "123456789012345678901\n"};
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		write_text(cases[i]);
		assert_int_equal(pm_secret_read_kg(path, &secret, &error), -EINVAL);
		assert_null(secret.data);
	}
}

static void test_secureon(void **state)
{
	static const uint8_t six[] = {0x00, 0x1a, 0x2B, 0x3c, 0x4d, 0x5e}, four[] = {192, 168, 1, 255};
	static const char *const bad[] = {
	    "00:1a:2b:3c:4d\n", "00:1a:2b:3c:4d:5g\n", "00-1a-2b-3c-4d-5e\n", "1.2.3\n",
	    "1.2.3.256\n",      "1.2.3.4.5\n",         "1.2.3.4 \n",          "secret\n",
	    "1.2.3.\n",         "0001.2.3.4\n"};
	struct pm_secret secret;
	struct pm_error error;

	(void)state;
	write_text("00:1a:2B:3c:4d:5e\n");
	assert_int_equal(pm_secret_read_secureon(path, &secret, &error), 0);
	assert_int_equal(secret.length, 6);
	assert_memory_equal(secret.data, six, 6);
	pm_secret_clear(&secret);
	write_text("192.168.1.255\n");
	assert_int_equal(pm_secret_read_secureon(path, &secret, &error), 0);
	assert_int_equal(secret.length, 4);
	assert_memory_equal(secret.data, four, 4);
	pm_secret_clear(&secret);
	for (size_t i = 0; i < LENGTH(bad); i++) {
		write_text(bad[i]);
		assert_int_equal(pm_secret_read_secureon(path, &secret, &error), -EINVAL);
		assert_non_null(strstr(error.text, "aa:bb:cc:dd:ee:ff"));
	}
}

/* The value of a field such as "VmFlags:" of the mapping that address lies in. */
static void find_vm_flags(const void *address, char flags[512])
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;
	char line[512];

	assert_non_null(maps);
	*flags = '\0';
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)address >= start && (unsigned long)address < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			memcpy(flags, line, sizeof(line));
	}
	fclose(maps);
}

static void test_stays_out_of_core_dumps(void **state)
{
	struct pm_secret secret;
	char flags[512];

	(void)state;
	assert_int_equal(pm_secret_set(&secret, "geheim", 6), 0);
	find_vm_flags(secret.data, flags);
	assert_non_null(strstr(flags, " dd ")); /* proc(5): do not include in core dump */
	pm_secret_clear(&secret);
}

static void test_wipes(void **state)
{
	struct pm_secret keeper, secret;
	const uint8_t *memory;

	(void)state;
	assert_int_equal(pm_secret_set(&keeper, "k", 1), 0); /* keeps the page mapped */
	assert_int_equal(pm_secret_set(&secret, "geheim", 6), 0);
	memory = secret.data;
	pm_secret_clear(&secret);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(memory[i], 0);
	pm_secret_clear(&keeper);
}

static void test_many(void **state)
{
	static struct pm_secret secrets[1000];

	(void)state;
	for (size_t i = 0; i < LENGTH(secrets); i++)
		assert_int_equal(pm_secret_set(&secrets[i], &i, sizeof(i)), 0);
	for (size_t i = 0; i < LENGTH(secrets); i += 2)
		pm_secret_clear(&secrets[i]);
	for (size_t i = 1; i < LENGTH(secrets); i += 2)
		assert_memory_equal(secrets[i].data, &i, sizeof(i));
	for (size_t i = 0; i < LENGTH(secrets); i++)
		pm_secret_clear(&secrets[i]);
	assert_int_equal(pm_secret_set(&secrets[0], directory, PM_SECRET_MAX + 1), -EMSGSIZE);
}

static int set_up(void **state)
{
	(void)state;
	if (new_directory(directory, sizeof(directory)) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/secret", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_first_line),
	    cmocka_unit_test(test_reads_modes),
	    cmocka_unit_test(test_refuses_foreign_owner),
	    cmocka_unit_test(test_refuses_contents),
	    cmocka_unit_test(test_refuses_what_is_no_file),
	    cmocka_unit_test(test_kg),
	    cmocka_unit_test(test_kg_refused),
	    cmocka_unit_test(test_secureon),
	    cmocka_unit_test(test_stays_out_of_core_dumps),
	    cmocka_unit_test(test_wipes),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("secret", tests, set_up, tear_down);
}
