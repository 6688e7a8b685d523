/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Secrets from files. They live in pages of their own that are locked into memory where the limits allow it
 * (RLIMIT_MEMLOCK), left out of core dumps, and wiped before they are given back. Not for use by several
 * threads.
 *
 * A secret file is a regular file that belongs to root or to the effective user, gives others nothing and its
 * group at most reading (0600, 0640, 0400 or 0440); its first line, without the newline, is the secret. Error
 * texts name the file and the command that mends it, never the contents.
 */
#ifndef PM_SECRET_H
#define PM_SECRET_H

#include "agent/error.h"
#include "agent/inventory.h"

#include <stddef.h>

#define PM_SECRET_MAX 128 /* octets in one secret, and in one line of a secret file */

/* Copies length octets into secret, whose old contents are not freed. 0, -EMSGSIZE above PM_SECRET_MAX, or
 * -ENOMEM. */
int pm_secret_set(struct pm_secret *secret, const void *data, size_t length);

/* Whether this is such a file and can be read. 0, -ENOENT, or another negative errno value with the text in error. */
int pm_secret_check(const char *path, struct pm_error *error);

/* Wipes the secret and frees it; it is empty afterwards. An empty one is allowed. */
void pm_secret_clear(struct pm_secret *secret);

/*
 * Each reads one kind of secret file into secret and returns 0, or a negative errno value with the text in
 * error and secret empty: a password of 1..max octets; a BMC key K_g of 1..20 octets, as text or as 0x and
 * hexadecimal digits (IPMI 2.0, 13.20); a SecureOn password as aa:bb:cc:dd:ee:ff (6 octets) or as four
 * decimal numbers 1.2.3.4.
 */
int pm_secret_read_password(const char *path, size_t max, struct pm_secret *secret, struct pm_error *error);
int pm_secret_read_kg(const char *path, struct pm_secret *secret, struct pm_error *error);
int pm_secret_read_secureon(const char *path, struct pm_secret *secret, struct pm_error *error);

#endif
