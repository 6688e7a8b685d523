/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * HMAC, MD5 and AES-CBC by libgcrypt, which shares no code with the engine or FreeIPMI's use of it.
 */
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/crypto.h"

const struct sim_suite sim_suites[SIM_SUITES] = {
    {0, 0, 0, 0, 0, 0, 0, 0},
    {1, 1, 0, 0, GCRY_MD_SHA1, 20, 12, 0},
    {2, 1, 1, 0, GCRY_MD_SHA1, 20, 12, 12},
    {3, 1, 1, 1, GCRY_MD_SHA1, 20, 12, 12},
    {6, 2, 0, 0, GCRY_MD_MD5, 16, 16, 0},
    {7, 2, 2, 0, GCRY_MD_MD5, 16, 16, 16},
    {8, 2, 2, 1, GCRY_MD_MD5, 16, 16, 16},
    {11, 2, 3, 0, GCRY_MD_MD5, 16, 16, 16},
    {12, 2, 3, 1, GCRY_MD_MD5, 16, 16, 16},
    {15, 3, 0, 0, GCRY_MD_SHA256, 32, 16, 0},
    {16, 3, 4, 0, GCRY_MD_SHA256, 32, 16, 16},
    {17, 3, 4, 1, GCRY_MD_SHA256, 32, 16, 16},
};

const struct sim_suite *sim_suite(unsigned id)
{
	for (size_t i = 0; i < SIM_SUITES; i++)
		if (sim_suites[i].id == id)
			return &sim_suites[i];
	return NULL;
}

static void must(gcry_error_t error)
{
	if (error)
		abort();
}

void sim_crypto_init(void)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return;
	if (!gcry_check_version(NULL))
		abort();
	must(gcry_control(GCRYCTL_DISABLE_SECMEM, 0));
	must(gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0));
}

static gcry_md_hd_t hmac_handle(int hash)
{
	static gcry_md_hd_t sha1, md5, sha256;
	gcry_md_hd_t *handle = hash == GCRY_MD_SHA1 ? &sha1 : hash == GCRY_MD_MD5 ? &md5 : &sha256;

	if (!*handle)
		must(gcry_md_open(handle, hash, GCRY_MD_FLAG_HMAC));
	return *handle;
}

void sim_hmac(int hash, const void *key, size_t key_length, const void *data, size_t length, uint8_t *digest)
{
	gcry_md_hd_t md = hmac_handle(hash);

	must(gcry_md_setkey(md, key, key_length));
	gcry_md_write(md, data, length);
	memcpy(digest, gcry_md_read(md, hash), gcry_md_get_algo_dlen(hash));
}

void sim_md5_enclosed(const uint8_t *password, size_t password_length, const void *data, size_t length,
		      uint8_t *digest)
{
	gcry_buffer_t parts[] = {
	    {.data = (void *)(uintptr_t)password, .len = password_length},
	    {.data = (void *)(uintptr_t)data, .len = length},
	    {.data = (void *)(uintptr_t)password, .len = password_length},
	};

	must(gcry_md_hash_buffers(GCRY_MD_MD5, 0, digest, parts, 3));
}

static gcry_cipher_hd_t cipher_handle(const uint8_t *key, const uint8_t *iv)
{
	static gcry_cipher_hd_t cipher;

	if (!cipher)
		must(gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC, 0));
	must(gcry_cipher_setkey(cipher, key, SIM_AES_BLOCK));
	must(gcry_cipher_setiv(cipher, iv, SIM_AES_BLOCK));
	return cipher;
}

void sim_aes_encrypt(const uint8_t *key, const uint8_t *iv, uint8_t *data, size_t length)
{
	must(gcry_cipher_encrypt(cipher_handle(key, iv), data, length, NULL, 0));
}

void sim_aes_decrypt(const uint8_t *key, const uint8_t *iv, uint8_t *data, size_t length)
{
	must(gcry_cipher_decrypt(cipher_handle(key, iv), data, length, NULL, 0));
}

uint64_t sim_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15U);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

void sim_random_octets(uint64_t *state, uint8_t *octets, size_t length)
{
	for (size_t i = 0; i < length; i += 8) {
		uint64_t random = sim_random(state);

		memcpy(octets + i, &random, length - i < 8 ? length - i : 8);
	}
}
