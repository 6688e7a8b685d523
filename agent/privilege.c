/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "agent/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void forbid_core_dumps(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifdef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 1); /* LeakSanitizer attaches to its own process */
#else
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

static void keep_net_raw(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
}

static int become(const char *user, struct pm_error *err)
{
	const struct passwd *entry;
	int result;

	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return pm_fail(err, ENOENT,
			       "there is no user \"%s\" to become: create it (useradd --system %s) or name "
			       "another with -u",
			       user, user);
	keep_net_raw();
	result = capng_change_id((int)entry->pw_uid, (int)entry->pw_gid,
				 CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (result < 0)
		return pm_fail(err, EPERM, "cannot become user \"%s\" with CAP_NET_RAW (step %d: %s)", user,
			       -result, strerror(errno));
	setenv("HOME", entry->pw_dir, 1); /* where libvirt looks for files of its user */
	return 0;
}

int pm_privilege_drop(const char *user, struct pm_error *err)
{
	int error = 0;

	if (geteuid() == 0) {
		error = become(user, err);
	} else {
		if (capng_have_capability(CAPNG_PERMITTED, CAP_NET_RAW))
			keep_net_raw();
		else
			capng_clear(CAPNG_SELECT_BOTH);
		if (capng_apply(CAPNG_SELECT_CAPS) < 0)
			error = pm_fail(err, EPERM, "cannot give up other capabilities: %s", strerror(errno));
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	forbid_core_dumps();
	return error;
}

bool pm_privilege_net_raw(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW);
}
