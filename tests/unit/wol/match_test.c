/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The proof: which captured frames count as ours, and which never may. */
#include "wol/match.h"

#include <netinet/in.h>
#include <pcap/dlt.h>
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
// clang-format on

#define DESTINATION   "\xff\xff\xff\xff\xff\xff"
#define SOURCE        "\x52\x54\x00\xaa\xbb\xcc"
#define ETHERNET_IP   DESTINATION SOURCE "\x08\x00"
#define ETHERNET_IPV6 "\x33\x33\x00\x00\x00\x01" SOURCE "\x86\xdd"
/* IPv4, 130 octets: 20 of header, UDP 50000 -> 9, 110 octets; from 10.9.0.1 to 10.9.0.255. */
#define IPV4 "\x45\x00\x00\x82\x12\x34\x40\x00\x40\x11\x00\x00\x0a\x09\x00\x01\x0a\x09\x00\xff"
#define IPV6                                                                                               \
	"\x60\x00\x00\x00\x00\x6e\x11\x01\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" \
	"\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
#define UDP    "\xc3\x50\x00\x09\x00\x6e\x00\x00"
#define MAC    "\x02\x00\x00\x00\x00\x11"
#define MAC4   MAC MAC MAC MAC
#define MAGIC  "\xff\xff\xff\xff\xff\xff" MAC4 MAC4 MAC4 MAC4
#define OTHER  "\x02\x00\x00\x00\x00\x12"
#define OTHER4 OTHER OTHER OTHER OTHER

#define SEEN(link_type, expected, frame) assert_true(proves(link_type, expected, frame, sizeof(frame) - 1))
#define NOT_SEEN(link_type, expected, frame) \
	assert_false(proves(link_type, expected, frame, sizeof(frame) - 1))

static bool proves(int link_type, const struct wol_expected *expected, const char *frame, size_t length)
{
	struct wol_captured captured;

	return wol_parse(link_type, (const uint8_t *)frame, length, length, &captured) &&
	       wol_matches(expected, &captured);
}

static struct wol_expected raw_wake(void)
{
	struct wol_expected expected = {.method = WOL_ETHERNET, .frame_length = 116};

	memcpy(expected.source, SOURCE, 6);
	memcpy(expected.frame, DESTINATION SOURCE "\x08\x42" MAGIC, 116);
	return expected;
}

static struct wol_expected udp_wake(int family)
{
	struct wol_expected expected = {
	    .method = WOL_UDP, .family = family, .port = 9, .source_port = 50000, .payload_length = 102};

	memcpy(expected.source, SOURCE, 6);
	memcpy(expected.payload, MAGIC, 102);
	if (family == AF_INET)
		memcpy(expected.address, "\x0a\x09\x00\xff", 4);
	else
		memcpy(expected.address, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	return expected;
}

static void raw_frame_counts_when_identical(void **state)
{
	struct wol_expected expected = raw_wake();

	(void)state;
	SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x42" MAGIC);
}

static void raw_frame_of_another_kind_does_not_count(void **state)
{
	struct wol_expected expected = raw_wake();

	(void)state;
	NOT_SEEN(DLT_EN10MB, &expected,
		 DESTINATION "\x52\x54\x00\xaa\xbb\xcd\x08\x42" MAGIC); /* another sender */
	NOT_SEEN(DLT_EN10MB, &expected, MAC SOURCE "\x08\x42" MAGIC);   /* unicast */
	NOT_SEEN(DLT_EN10MB, &expected,
		 DESTINATION SOURCE "\x08\x42" DESTINATION OTHER4 OTHER4 OTHER4 OTHER4);
	NOT_SEEN(DLT_EN10MB, &expected,
		 DESTINATION SOURCE "\x08\x42" MAGIC "\x01\x02\x03\x04");          /* SecureOn */
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x42" MAGIC "\0"); /* padded */
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x00" MAGIC);
	NOT_SEEN(DLT_EN10MB, &expected,
		 DESTINATION SOURCE "\x81\x00\x00\x05\x08\x42" MAGIC); /* another segment */
	NOT_SEEN(DLT_EN10MB, &expected,
		 DESTINATION SOURCE "\x08\x42" DESTINATION MAC4 MAC4 MAC4 MAC MAC MAC OTHER);
}

static void wrong_secureon_does_not_count(void **state)
{
	struct wol_expected expected = raw_wake();

	(void)state;
	memcpy(expected.frame + 116, "\x01\x02\x03\x04\x05\x06", 6);
	expected.frame_length = 122;
	SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x42" MAGIC "\x01\x02\x03\x04\x05\x06");
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x42" MAGIC "\x01\x02\x03\x04\x05\x07");
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x42" MAGIC "\x01\x02\x03\x04");
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x08\x42" MAGIC);
}

static void truncated_frame_does_not_count(void **state)
{
	static const uint8_t frame[] = DESTINATION SOURCE "\x08\x42" MAGIC;
	struct wol_captured captured;

	(void)state;
	for (size_t length = 0; length < 116; length++) {
		uint8_t copy[116]; /* exact size, so that reading past it is noticed */

		memcpy(copy, frame, sizeof(copy));
		assert_false(wol_parse(DLT_EN10MB, copy, length, length, &captured));
		assert_false(wol_parse(DLT_EN10MB, copy, length, 116, &captured));
	}
	assert_true(wol_parse(DLT_EN10MB, frame, 116, 116, &captured));
	assert_false(wol_parse(DLT_EN10MB, frame, 116, 117, &captured));
}

static void udp_over_ipv4_counts_when_all_is_equal(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET);

	(void)state;
	SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected.port = 7;
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected = udp_wake(AF_INET);
	expected.source_port = 50001;
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected = udp_wake(AF_INET);
	expected.address[3] = 0xfe;
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected = udp_wake(AF_INET);
	expected.payload[101] ^= 1;
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected = udp_wake(AF_INET);
	expected.payload_length = 106;
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected = udp_wake(AF_INET);
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION MAC "\x08\x00" IPV4 UDP MAGIC);
}

static void damaged_ipv4_does_not_count(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET);
	char frame[sizeof(ETHERNET_IP IPV4 UDP MAGIC)];
	static const struct {
		size_t offset;
		char value;
	} damages[] = {
	    {14, 0x65},        {14, 0x44}, {14, 0x4f}, {17, 0x7c}, {17, 0x1f},
	    {16, 0x7f},                                                        /* version, lengths */
	    {20, 0x60},        {21, 0x01},                                     /* fragments */
	    {23, IPPROTO_TCP}, {39, 0x6f}, {39, 0x6d}, {39, 0x00}, {42, 0x00}, /* UDP length, sync */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		memcpy(frame, ETHERNET_IP IPV4 UDP MAGIC, sizeof(frame));
		frame[damages[i].offset] = damages[i].value;
		NOT_SEEN(DLT_EN10MB, &expected, frame);
	}
}

static void ipv4_options_are_skipped(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET);

	(void)state;
	SEEN(DLT_EN10MB, &expected,
	     ETHERNET_IP "\x46\x00\x00\x86\x12\x34\x40\x00\x40\x11\x00\x00\x0a\x09\x00\x01\x0a\x09\x00\xff"
			 "\x94\x04\x00\x00" UDP MAGIC);
}

static void udp_over_ipv6_counts_when_all_is_equal(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET6);

	(void)state;
	SEEN(DLT_EN10MB, &expected, ETHERNET_IPV6 IPV6 UDP MAGIC);
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV6 UDP MAGIC);
	expected.address[15] = 2;
	NOT_SEEN(DLT_EN10MB, &expected, ETHERNET_IPV6 IPV6 UDP MAGIC);
}

static void tagged_datagram_counts_on_its_vlan_only(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET);

	(void)state;
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x81\x00\x20\x05\x08\x00" IPV4 UDP MAGIC);
	expected.vlan_id = 5;
	SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x81\x00\x20\x05\x08\x00" IPV4 UDP MAGIC);
	SEEN(DLT_EN10MB, &expected, ETHERNET_IP IPV4 UDP MAGIC);
	expected.vlan_id = 6;
	NOT_SEEN(DLT_EN10MB, &expected, DESTINATION SOURCE "\x81\x00\x20\x05\x08\x00" IPV4 UDP MAGIC);
}

static void tunnels_without_ethernet_are_read(void **state)
{
	struct wol_expected expected4 = udp_wake(AF_INET), expected6 = udp_wake(AF_INET6);

	(void)state;
	SEEN(DLT_RAW, &expected4, IPV4 UDP MAGIC);
	SEEN(DLT_RAW, &expected6, IPV6 UDP MAGIC);
	SEEN(DLT_IPV4, &expected4, IPV4 UDP MAGIC);
	NOT_SEEN(DLT_RAW, &expected6, IPV4 UDP MAGIC);
	NOT_SEEN(DLT_RAW, &expected4, "");
}

static void cooked_frames_count_when_outgoing(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET);

	(void)state;
	SEEN(DLT_LINUX_SLL, &expected, "\0\x04\x02\0\0\0\0\0\0\0\0\0\0\0\x08\0" IPV4 UDP MAGIC);
	NOT_SEEN(DLT_LINUX_SLL, &expected, "\0\x01\x02\0\0\0\0\0\0\0\0\0\0\0\x08\0" IPV4 UDP MAGIC);
	NOT_SEEN(DLT_LINUX_SLL, &expected, "\0\x04\x02\0\0\0\0\0\0\0\0\0\0\0\x08\0");
	SEEN(DLT_LINUX_SLL2, &expected, "\x08\0\0\0\0\0\0\x03\x02\0\x04\0\0\0\0\0\0\0\0\0" IPV4 UDP MAGIC);
	NOT_SEEN(DLT_LINUX_SLL2, &expected, "\x08\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\0\0\0\0\0" IPV4 UDP MAGIC);
}

static void unknown_link_types_are_refused(void **state)
{
	struct wol_expected expected = udp_wake(AF_INET);

	(void)state;
	assert_true(wol_link_type_known(DLT_EN10MB));
	assert_true(wol_link_type_known(DLT_RAW));
	assert_false(wol_link_type_known(DLT_IEEE802_11_RADIO));
	NOT_SEEN(DLT_IEEE802_11_RADIO, &expected, ETHERNET_IP IPV4 UDP MAGIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(raw_frame_counts_when_identical),
	    cmocka_unit_test(raw_frame_of_another_kind_does_not_count),
	    cmocka_unit_test(wrong_secureon_does_not_count),
	    cmocka_unit_test(truncated_frame_does_not_count),
	    cmocka_unit_test(udp_over_ipv4_counts_when_all_is_equal),
	    cmocka_unit_test(damaged_ipv4_does_not_count),
	    cmocka_unit_test(ipv4_options_are_skipped),
	    cmocka_unit_test(udp_over_ipv6_counts_when_all_is_equal),
	    cmocka_unit_test(tagged_datagram_counts_on_its_vlan_only),
	    cmocka_unit_test(tunnels_without_ethernet_are_read),
	    cmocka_unit_test(cooked_frames_count_when_outgoing),
	    cmocka_unit_test(unknown_link_types_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
