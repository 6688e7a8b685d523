/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Cipher suites and what they are made of, on libgcrypt. Handles are kept: one process plays thousands of BMCs.
 * Sections and tables are those of the IPMI specification v2.0 rev. 1.1.
 */
#ifndef PM_SIM_CRYPTO_H
#define PM_SIM_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

enum { SIM_AES_BLOCK = 16, SIM_DIGEST_MAX = 32, SIM_KEY_LENGTH = 20, SIM_SUITES = 12 };

struct sim_suite {
	uint8_t id, authentication, integrity, confidentiality; /* tables 13-17 to 13-19 */
	int hash;                                               /* of authentication and HMAC integrity */
	uint8_t digest_length, rakp4_length, code_length;
};

extern const struct sim_suite sim_suites[SIM_SUITES]; /* table 22-20, all but those with xRC4 */

/* NULL: not one of them. */
const struct sim_suite *sim_suite(unsigned id);

/* Once, before anything else of the simulator. */
void sim_crypto_init(void);

void sim_hmac(int hash, const void *key, size_t key_length, const void *data, size_t length, uint8_t *digest);

/* MD5 of the password, the data and the password: 13.28.3 (padded to 20 octets) and 22.17.1 (to 16). */
void sim_md5_enclosed(const uint8_t *password, size_t password_length, const void *data, size_t length,
		      uint8_t *digest);

/* AES-CBC-128 in place (13.29.2); length is a multiple of SIM_AES_BLOCK. */
void sim_aes_encrypt(const uint8_t *key, const uint8_t *iv, uint8_t *data, size_t length);
void sim_aes_decrypt(const uint8_t *key, const uint8_t *iv, uint8_t *data, size_t length);

/* splitmix64: reproducible from a seed, and nothing that a BMC in earnest may use. */
uint64_t sim_random(uint64_t *state);
void sim_random_octets(uint64_t *state, uint8_t *octets, size_t length);

#endif
