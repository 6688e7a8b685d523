/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/host/helper/setup.h"
#include "agent/host/helper/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_USER "pmstack"
#define KEY_SIZE     8192

/* --- the key -------------------------------------------------------------------------------------- */

bool setup_read_key(char *line)
{
	static const char *const types[] = {"ssh-ed25519",
					    "ssh-rsa",
					    "ecdsa-sha2-nistp256",
					    "ecdsa-sha2-nistp384",
					    "ecdsa-sha2-nistp521",
					    "sk-ssh-ed25519@openssh.com",
					    "sk-ecdsa-sha2-nistp256@openssh.com"};
	size_t type = strcspn(line, " "), key;

	line[strcspn(line, "\r\n")] = '\0';
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (strlen(types[i]) != type || strncmp(line, types[i], type) != 0 || line[type] != ' ')
			continue;
		key = strspn(line + type + 1,
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");
		if (key < 32 || (line[type + 1 + key] != '\0' && line[type + 1 + key] != ' '))
			return false;
		line[type + 1 + key] = '\0';
		return true;
	}
	return false;
}

/* By sudo, the caller's file is opened with no more rights than the caller has. */
static int become(const char *caller, struct pm_error *err)
{
	const struct passwd *user;
	char *end;
	unsigned long uid;

	if (!caller || geteuid() != 0)
		return 0;
	uid = strtoul(caller, &end, 10);
	user = *caller && !*end ? getpwuid((uid_t)uid) : NULL;
	if (!user)
		return pm_fail(err, ENOENT, "there is no user %.20s, who called sudo", caller);
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
	    setuid(user->pw_uid) != 0)
		return pm_fail(err, errno, "cannot become user %.40s again: %s", user->pw_name,
			       strerror(errno));
	return 0;
}

static int read_file(const char *path, char *text, struct pm_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	ssize_t length = -1;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		length = read(fd, text, KEY_SIZE - 1);
	else if (fd >= 0)
		errno = EINVAL;
	if (length < 0)
		pm_error_set(err, "%.200s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (length < 0)
		return -EINVAL;
	text[length] = '\0';
	if (!setup_read_key(text))
		return pm_fail(
		    err, EINVAL,
		    "%.200s is not a public key: it is one line, like ssh-ed25519 AAAA..., made by ssh-keygen as "
		    "FILE.pub",
		    path);
	return 0;
}

/* --- this program --------------------------------------------------------------------------------- */

/* Whether it needs no quotes, anywhere. */
static bool is_plain(const char *path)
{
	return !path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-")];
}

static int find_self(char self[PATH_MAX], struct pm_error *err)
{
	ssize_t length = readlink("/proc/self/exe", self, PATH_MAX - 1);

	if (length < 0)
		return pm_fail(err, errno, "where this program is cannot be read: /proc/self/exe: %s",
			       strerror(errno));
	self[length] = '\0';
	if (!is_plain(self))
		return pm_fail(err, EINVAL,
			       "%.300s cannot stand in sudoers: install it with make install-host", self);
	return 0;
}

/* Who may exchange what sudo runs is root. Writes to path the first on the way there that somebody else can write. */
static bool is_foreign(const char *self, char path[PATH_MAX])
{
	struct stat status;

	for (snprintf(path, PATH_MAX, "%s", self); *path; *strrchr(path, '/') = '\0') {
		if (stat(path, &status) != 0 || status.st_uid != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)))
			return true;
	}
	return false;
}

/* --- what is printed ------------------------------------------------------------------------------ */

/* Without PAM, sshd lets nobody in whose password begins with '!', by key, either. Only root can see it. */
static bool is_locked(const char *user)
{
	const struct spwd *entry = getspnam(user);

	return entry && entry->sp_pwdp && *entry->sp_pwdp == '!';
}

/* The password '*' is none, and yet the account is not locked. */
static void print_user(const char *user, bool exists, bool locked, const char *home)
{
	printf(
	    "# What lets an agent of pmstack ask this machine by ssh. Nothing was changed: do it as root.\n\n");
	if (!exists) {
		printf(
		    "# 1. A user of its own, without a password. Its shell runs the one command that its key allows.\n"
		    "useradd --system --create-home --home-dir %s --shell /bin/sh --password '*' %s\n\n",
		    home, user);
		return;
	}
	printf("# 1. The user %s is there, with the home %s.\n", user, home);
	if (locked)
		printf(
		    "#    It is locked: sshd may refuse it, whatever key it has. This is no password, and no lock.\n"
		    "usermod --password '*' %s\n",
		    user);
	printf("\n");
}

static void print_key(const char *user, const char *home, const char *self, const char *key)
{
	printf(
	    "# 2. This line in %s/.ssh/authorized_keys. Who has the key can have the verbs of pmstack-host\n"
	    "#    done here, and nothing else: no shell, no other program, no forwarding.\n"
	    "install -d -m 700 -o %s %s/.ssh\n"
	    "cat >>%s/.ssh/authorized_keys <<'END'\n"
	    "restrict,command=\"%s --ssh\" %s\nEND\n"
	    "chown %s %s/.ssh/authorized_keys && chmod 600 %s/.ssh/authorized_keys\n\n",
	    home, user, home, home, self, key, user, home, home);
}

static void print_sudoers(const char *user, const char *self)
{
	char path[PATH_MAX];

	if (is_foreign(self, path))
		printf("# WARNING: %s is not root's alone; by the line that follows, who can write there\n"
		       "# would be root. Do make install-host first.\n",
		       path);
	printf(
	    "# 3. This line in /etc/sudoers.d/pmstack-host, unless polkit lets the user power off and suspend.\n"
	    "#    Wake-on-LAN is armed by root only.\n"
	    "cat >/etc/sudoers.d/pmstack-host <<'END'\n"
	    "%s ALL=(root) NOPASSWD: %s\nEND\n"
	    "chmod 440 /etc/sudoers.d/pmstack-host && visudo -c\n\n",
	    user, self);
}

static void print_end(const char *user)
{
	char hostname[MACHINE_NAME_SIZE];

	machine_hostname(hostname);
	if (!*hostname || !is_plain(hostname))
		snprintf(hostname, sizeof(hostname), "HOST");
	printf("# 4. On the agent's host: learn this machine's host key, compare it, and try.\n");
	printf("#    ssh-keyscan %s >>/etc/pmstack/known_hosts\n", hostname);
	printf("#    ssh -i /etc/pmstack/id_ed25519 %s@%s pmstack-host report\n", user, hostname);
	printf("#    machine \"%s\" { host { ssh = \"%s@%s\" } } in /etc/pmstack/pmstack.conf\n", hostname,
	       user, hostname);
}

static int check_home(const char *user, const char *home, struct pm_error *err)
{
	if (!is_plain(home))
		return pm_fail(err, EINVAL, "the home of %s, %.200s, would need quotes: take another user",
			       user, home);
	return 0;
}

static enum answer fail(const struct request *request, enum answer answer, const struct pm_error *err)
{
	answer_print(request, answer, NULL, err->text);
	return answer;
}

enum answer setup_run(const struct request *request, const char *caller)
{
	const char *name = request->user ? request->user : DEFAULT_USER;
	char key[KEY_SIZE] = "ssh-ed25519 AAAA...the-public-key-of-the-agent", self[PATH_MAX], home[PATH_MAX];
	const struct passwd *user = getpwnam(name);
	bool exists = user, locked = user && is_locked(name);
	struct pm_error err;

	snprintf(home, sizeof(home), "%s%s", user ? user->pw_dir : "/var/lib/", user ? "" : name);
	if (find_self(self, &err) != 0 || check_home(name, home, &err) != 0 || become(caller, &err) != 0)
		return fail(request, ANSWER_FAILED, &err);
	if (request->operand_count > 0 && read_file(request->operands[0], key, &err) != 0)
		return fail(request, ANSWER_USAGE, &err);
	print_user(name, exists, locked, home);
	print_key(name, home, self, key);
	print_sudoers(name, self);
	print_end(name);
	return fflush(stdout) == 0 ? ANSWER_OK : ANSWER_FAILED;
}
