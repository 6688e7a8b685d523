/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The octets of magic packets, against vectors written by hand. */
#include "wol/wol.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
// clang-format on

#define MAC16                                                                                              \
	"\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99" \
	"\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99" \
	"\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99" \
	"\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99\x02\x1a\x4b\x00\xfe\x99"
#define PLAIN "\xff\xff\xff\xff\xff\xff" MAC16

static struct wol_target target_with(const char *secureon, size_t length)
{
	struct wol_target target = {.mac = {0x02, 0x1a, 0x4b, 0x00, 0xfe, 0x99}, .secureon_length = length};

	memcpy(target.secureon, secureon, length);
	return target;
}

static void payload_is_sync_and_sixteen_macs(void **state)
{
	struct wol_target target = target_with("", 0);
	uint8_t payload[WOL_PAYLOAD_MAX];

	(void)state;
	assert_int_equal(sizeof(PLAIN) - 1, 102);
	assert_int_equal(wol_payload(&target, payload), 102);
	assert_memory_equal(payload, PLAIN, 102);
}

static void secureon_of_four_octets_follows(void **state)
{
	struct wol_target target = target_with("\xc0\xa8\x03\x07", 4);
	uint8_t payload[WOL_PAYLOAD_MAX];

	(void)state;
	assert_int_equal(wol_payload(&target, payload), 106);
	assert_memory_equal(payload, PLAIN "\xc0\xa8\x03\x07", 106);
}

static void secureon_of_six_octets_follows(void **state)
{
	struct wol_target target = target_with("\x01\x02\x03\x00\x05\x06", 6);
	uint8_t payload[WOL_PAYLOAD_MAX];

	(void)state;
	assert_int_equal(wol_payload(&target, payload), 108);
	assert_memory_equal(payload, PLAIN "\x01\x02\x03\x00\x05\x06", 108);
}

static void frame_is_a_broadcast_of_type_0842(void **state)
{
	struct wol_target target = target_with("\x01\x02\x03\x04\x05\x06", 6);
	const uint8_t source[6] = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};
	uint8_t frame[WOL_FRAME_MAX];

	(void)state;
	assert_int_equal(wol_frame(&target, source, frame), 122);
	assert_memory_equal(
	    frame,
	    "\xff\xff\xff\xff\xff\xff\x52\x54\x00\xaa\xbb\xcc\x08\x42" PLAIN "\x01\x02\x03\x04\x05\x06", 122);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(payload_is_sync_and_sixteen_macs),
	    cmocka_unit_test(secureon_of_four_octets_follows),
	    cmocka_unit_test(secureon_of_six_octets_follows),
	    cmocka_unit_test(frame_is_a_broadcast_of_type_0842),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
