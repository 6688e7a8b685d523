/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libFuzzer: whole conversations, by IPMI 2.0 or 1.5, with a BMC that answers rightly unless the input says otherwise: it changes answers
 * before and after they are protected, drops, doubles, delays and replays them, lets time pass, cancels. Without sockets
 * and clock, so that an input does the same each time.
 *
 * Input: three octets of configuration and one for each operation, see begin(); then one octet for each thing that
 * happens, see happen(), some with parameters. What is missing is zero, and zero is an answer as it should be.
 *
 * What must hold: each operation ends once and in time; none succeeds by what the BMC has not said inside the session;
 * what is replayed or changed on its way has no effect; a `once` command arrives at most once; no timer spins; no packet
 * causes a flood; nothing is left at the end.
 */
#include <assert.h>

#include "ipmi/internal.h"
#include "tests/fuzz/mock_uv.h"

#include "tests/fuzz/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS_MAX = 4, EVENTS_MAX = 96, HELD_MAX = 16, TIMEOUT_MS = 5000, SENDS_A_PACKET = 3 };

enum change { /* of an answer */
	      CHANGE_NONE,
	      CHANGE_CODE, /* completion or status code */
	      CHANGE_OCTET,
	      CHANGE_LENGTH
};

struct operation {
	struct ipmi_op *op; /* NULL: has ended */
	enum ipmi_command command;
	uint64_t deadline_ms;
	bool once_control; /* Chassis Control that must not be sent twice */
};

static struct {
	const uint8_t *data;
	size_t left;
	struct ipmi_engine *engine;
	struct ipmi_bmc *bmc;
	struct peer peer;
	bool lan;        /* IPMI 1.5 */
	bool secure;     /* every session has integrity codes */
	bool may_little; /* the user may only look */
	bool honest;     /* the BMC, so far; packets may have been lost, delayed or doubled */
	struct operation operations[OPS_MAX * 2];
	unsigned submitted, ended, controls, once_controls, once_sent, controls_ok;
	/* the change that is due for the answer in the making */
	enum change change;
	enum peer_layer layer;
	uint8_t at, value;
	bool spoiled; /* changed after it was protected */
	struct sockaddr_storage from;
	struct {
		struct sim_buffer packet;
		bool delivered, set_up;
	} held[HELD_MAX]; /* packets for replay */
	unsigned held_count;
	bool set_up, closed;
} run;

static uint8_t take(void)
{
	if (run.left == 0)
		return 0;
	run.left--;
	return *run.data++;
}

/* ---- operations ---- */

static void check_ok(const struct ipmi_reply *reply, enum ipmi_command command)
{
	if (command == IPMI_CHASSIS_CONTROL)
		run.controls_ok++;
	if (run.secure && command == IPMI_GET_CHASSIS_STATUS)
		assert(reply->chassis.power_on ? run.peer.said_on : run.peer.said_off);
}

static void on_done(const struct ipmi_reply *reply, void *data)
{
	struct operation *o = data;

	assert(o->op != NULL);
	assert(memchr(reply->text, '\0', sizeof(reply->text)) != NULL);
	assert((reply->result == IPMI_OK) == (reply->text[0] == '\0'));
	assert(mock.now_ms <= o->deadline_ms);
	assert(reply->result != IPMI_INTERNAL);
	if (run.honest) /* then only silence can be in the way, or what the user may not do */
		assert(reply->result == IPMI_OK || reply->result == IPMI_TIMEOUT ||
		       reply->result == IPMI_UNREACHABLE || reply->result == IPMI_CANCELLED ||
		       (reply->result == IPMI_AUTH_FAILED && run.may_little && !reply->sent));
	if (o->once_control)
		run.once_sent += reply->sent;
	if (reply->result == IPMI_OK)
		check_ok(reply, o->command);
	o->op = NULL;
	run.ended++;
}

/* The low bits of what are the command, then what the command wants, and `once`. */
static void submit(uint8_t what)
{
	struct operation *o = &run.operations[run.submitted];
	unsigned timeout_ms = run.submitted % 3 == 2 ? TIMEOUT_MS / 4 : TIMEOUT_MS;
	struct ipmi_request request = {.command = (enum ipmi_command)((what & 0x0f) % IPMI_COMMAND_COUNT),
				       .once = what & 0x80,
				       .timeout_ms = timeout_ms,
				       .done = on_done,
				       .data = o};

	if (run.submitted == OPS_MAX * 2)
		return;
	if (request.command == IPMI_CHASSIS_CONTROL)
		request.control = (enum ipmi_chassis_control)((what >> 4 & 7) % 6);
	else if (request.command == IPMI_CHASSIS_IDENTIFY)
		request.identify.mode = (enum ipmi_identify)((what >> 4 & 7) % 3);
	else if (request.command == IPMI_SET_BOOT_FLAGS)
		request.boot.device = (enum ipmi_boot_device)(what >> 4 & 7);
	o->command = request.command;
	o->deadline_ms = mock.now_ms + timeout_ms;
	o->once_control = request.once && request.command == IPMI_CHASSIS_CONTROL;
	run.controls += request.command == IPMI_CHASSIS_CONTROL;
	run.once_controls += o->once_control;
	run.submitted++;
	o->op = ipmi_bmc_submit(run.bmc, &request);
	assert(o->op != NULL);
}

/* ---- packets on their way ---- */

static void deliver(const struct sim_buffer *packet)
{
	unsigned sends = mock.sends;

	mock_deliver(&run.from, packet->data, packet->length);
	assert(mock.sends - sends <= SENDS_A_PACKET);
}

/* What is not the BMC's own must not do anything. */
static void deliver_in_vain(const struct sim_buffer *packet)
{
	unsigned sends = mock.sends, ended = run.ended;

	deliver(packet);
	assert(mock.sends == sends && run.ended == ended);
}

static void change_octet(struct sim_buffer *b, size_t at)
{
	if (at < b->length)
		b->data[at] ^= run.value;
}

static void change_length(struct sim_buffer *b)
{
	size_t length = run.value;

	if (length > b->length)
		memset(b->data + b->length, run.at, length - b->length);
	b->length = length;
}

/* The RMCP header is not protected; nor is what follows a message of IPMI 1.5, which some network cards want. */
static bool is_spoiled(const uint8_t *before, size_t length, const struct sim_buffer *after)
{
	if (after->length < length || (after->length > length && !run.lan))
		return true;
	return length > 4 && memcmp(before + 4, after->data + 4, length - 4) != 0;
}

/* Called by the peer for each answer at each layer. */
static bool edit(enum peer_layer layer, bool set_up, struct sim_buffer *b)
{
	uint8_t before[SIM_PACKET_MAX];
	size_t length = b->length;

	run.set_up = set_up;
	if (run.change == CHANGE_NONE || layer != run.layer)
		return true;
	memcpy(before, b->data, length);
	if (run.change == CHANGE_CODE && length > 8)
		b->data[set_up && run.peer.auth_type == PEER_AUTH_RMCPPLUS] = run.value;
	else if (run.change == CHANGE_CODE && length > 0)
		b->data[0] = run.value;
	else if (run.change == CHANGE_OCTET)
		change_octet(b, run.at);
	else if (run.change == CHANGE_LENGTH)
		change_length(b);
	run.spoiled = layer == PEER_PACKET && is_spoiled(before, length, b);
	return b->length > 0;
}

static void hold(bool delivered)
{
	unsigned slot = run.held_count++ % HELD_MAX;

	run.held[slot].packet = run.peer.answer;
	run.held[slot].delivered = delivered;
	run.held[slot].set_up = run.set_up;
}

/* Takes the next packet from the engine; the peer's answer to it arrives, or is held back. */
static void answer(enum change change, enum peer_layer layer, bool arrives, unsigned copies)
{
	const struct mock_packet *packet = mock_take();

	run.honest = run.honest && change == CHANGE_NONE;
	run.change = change;
	run.layer = layer;
	run.at = change == CHANGE_NONE ? 0 : take();
	run.value = change == CHANGE_NONE ? 0 : take();
	run.spoiled = false;
	run.from = packet->to;
	if (!peer_receive(&run.peer, packet->data, packet->length))
		return;
	if (run.spoiled && run.secure && !run.set_up)
		deliver_in_vain(&run.peer.answer);
	else if (arrives)
		deliver(&run.peer.answer);
	hold(arrives && !run.spoiled);
	while (arrives && --copies > 0)
		deliver(&run.peer.answer);
}

/* An answer of before. Get Channel Authentication Capabilities and its like are not protected against it. */
static void replay(uint8_t which)
{
	unsigned slot = which % HELD_MAX;

	if (slot >= run.held_count)
		return;
	if (run.held[slot].delivered && !run.held[slot].set_up && run.secure)
		deliver_in_vain(&run.held[slot].packet);
	else
		deliver(&run.held[slot].packet);
	run.held[slot].delivered = true;
}

/* Makes octets look like a packet of the session. */
static void repair(struct sim_buffer *packet)
{
	static const uint8_t rmcp[] = {0x06, 0x00, 0xff, 0x07};
	const struct ipmi_session *s = &run.bmc->session;

	memcpy(packet->data, rmcp, sizeof(rmcp));
	if (run.lan) {
		packet->data[4] = PEER_AUTH_MD5;
		memcpy(packet->data + 9, &s->managed_id, 4);
		packet->data[29] = (uint8_t)(packet->length - 30);
	} else {
		packet->data[4] = PEER_AUTH_RMCPPLUS;
		memcpy(packet->data + 6, &s->console_id, 4);
		packet->data[14] = (uint8_t)(packet->length - 16);
		packet->data[15] = 0;
	}
}

/* Any octets, repaired when they are even in number. */
static void arbitrary(void)
{
	struct sim_buffer packet = {.length = take()};

	run.honest = false;
	for (size_t i = 0; i < packet.length; i++)
		packet.data[i] = take();
	if (packet.length % 2 == 0 && packet.length > 30)
		repair(&packet);
	if (run.secure && packet.data[4] == (run.lan ? PEER_AUTH_MD5 : PEER_AUTH_RMCPPLUS) &&
	    (run.lan || (packet.data[5] & 0x3f) == 0))
		deliver_in_vain(&packet);
	else
		deliver(&packet);
}

/* ---- everything else that happens ---- */

static void finish_look_up(uint8_t how)
{
	static struct sockaddr_in v4[3];
	static struct sockaddr_in6 v6[3];
	static struct addrinfo list[6];
	size_t count = 1 + (how & 3);

	for (size_t i = 0; i < count; i++) {
		bool six = how >> 4 & 1 << i;

		v4[i % 3] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(623)};
		v4[i % 3].sin_addr.s_addr = htonl(0x0a000001 + (uint32_t)i);
		v6[i % 3] = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(623)};
		v6[i % 3].sin6_addr.s6_addr[15] = (uint8_t)(i + 2);
		list[i].ai_family = six ? AF_INET6 : AF_INET;
		list[i].ai_addr = six ? (struct sockaddr *)&v6[i % 3] : (struct sockaddr *)&v4[i % 3];
		list[i].ai_addrlen = six ? sizeof(v6[0]) : sizeof(v4[0]);
		list[i].ai_next = i + 1 < count ? &list[i + 1] : NULL;
	}
	mock_look_up_done(how & 8 ? UV_EAI_NONAME : 0, list);
}

static void act(uint8_t what, uint8_t value)
{
	static const int errors[] = {0, UV_EAGAIN, UV_ENETUNREACH, UV_ECONNREFUSED};
	struct operation *o = &run.operations[value % (OPS_MAX * 2)];

	switch (what % 4) {
	case 0:
		if (o->op)
			ipmi_op_cancel(o->op);
		break;
	case 1:
		submit(value);
		break;
	case 2:
		ipmi_bmc_network_error(run.bmc, ECONNREFUSED);
		break;
	default:
		mock.send_error = errors[value % 4];
		break;
	}
}

static void pass_time(uint64_t ms)
{
	uint64_t until_ms = mock.now_ms + ms;

	while (mock_fire(until_ms))
		;
}

/* Things that need a packet from the engine let the next timer fire when there is none. */
static void happen(uint8_t what)
{
	bool waits = mock.sends == mock.taken;

	if (mock.look_up && what & 0x40) {
		finish_look_up(take());
	} else if ((what & 0x0f) == 15) {
		act(what >> 4, take());
	} else if ((what & 0x0f) == 14) {
		arbitrary();
	} else if ((what & 0x0f) == 13) {
		replay(take());
	} else if ((what & 0x0f) == 12) {
		pass_time((uint64_t)take() * 16);
	} else if (waits) {
		mock_fire(UINT64_MAX);
	} else if ((what & 0x0f) >= 9) {
		answer(CHANGE_NONE, PEER_BODY, (what & 0x0f) == 10, 2); /* 9 and 11: it does not arrive */
	} else if ((what & 0x0f) >= 6) {
		answer(CHANGE_OCTET, (enum peer_layer)((what & 0x0f) - 6), true, 1);
	} else if ((what & 0x0f) >= 3) {
		answer(CHANGE_LENGTH, (enum peer_layer)((what & 0x0f) - 3), true, 1);
	} else {
		answer((what & 0x0f) == 2 ? CHANGE_CODE : CHANGE_NONE, PEER_BODY, true, 1);
	}
}

/* ---- beginning and end ---- */

/* Whether only the BMC itself can have said what is taken for its answer inside a session. */
static bool is_secure(const struct ipmi_bmc_config *config)
{
	bool secure = true;

	if (config->version == IPMI_VERSION_1_5)
		return !(config->workarounds & IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK);
	for (size_t i = 0; i < config->cipher_suite_count; i++)
		secure = secure && sim_suite(config->cipher_suites[i])->integrity != 0;
	return secure;
}

static unsigned choose_workarounds(enum ipmi_version version, uint8_t bits)
{
	static const unsigned flags[][8] = {
	    [IPMI_VERSION_2_0] = {IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_AUTHENTICATION_CAPABILITIES,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_INTEL_2_0_SESSION,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUPERMICRO_2_0_SESSION,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_SUN_2_0_SESSION,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NON_EMPTY_INTEGRITY_CHECK_VALUE,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_NO_CHECKSUM_CHECK},
	    [IPMI_VERSION_1_5] = {IPMI_WORKAROUND_FLAGS_OUTOFBAND_AUTHENTICATION_CAPABILITIES,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_ACCEPT_SESSION_ID_ZERO,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_FORCE_PERMSG_AUTHENTICATION,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_CHECK_UNEXPECTED_AUTHCODE,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_BIG_ENDIAN_SEQUENCE_NUMBER,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_AUTH_CODE_CHECK,
				  IPMI_WORKAROUND_FLAGS_OUTOFBAND_NO_CHECKSUM_CHECK},
	};
	unsigned chosen = 0;

	for (size_t i = 0; i < 8; i++)
		chosen |= bits >> i & 1 ? flags[version][i] : 0;
	return chosen;
}

static const uint8_t *choose_suites(uint8_t bits)
{
	static const uint8_t lists[16][4] = {{1, 3},  {1, 17}, {2, 17, 3}, {3, 17, 8, 3}, {1, 8}, {1, 2},
					     {1, 7},  {1, 11}, {1, 12},    {1, 16},       {1, 0}, {1, 1},
					     {1, 15}, {1, 6},  {2, 3, 0},  {3, 3, 17, 8}};

	return lists[bits & 0x0f];
}

/*
 * First octet: bits 0-3 cipher suites, 4 K_g, 5-6 what the BMC does about other suites than the last one configured, 7 IPMI
 * 1.5. Second: workarounds. Third: bits 0-1 number of operations, 2-3 privilege, 4-5 how the BMC is addressed.
 */
static void begin(void)
{
	static const char *const hosts[] = {"10.0.0.1", "2001:db8::1", "bmc", "fe80::1%lo"};
	static uv_loop_t loop;
	uint8_t first = take(), second = take(), third = take();
	const uint8_t *suites = choose_suites(first);
	struct ipmi_bmc_config config = {
	    .label = "m1",
	    .host = hosts[third >> 4 & 3],
	    .port = 623,
	    .username = "admin",
	    .version = first & 0x80 ? IPMI_VERSION_1_5 : IPMI_VERSION_2_0,
	    .password = (const uint8_t *)"secret",
	    .password_length = 6,
	    .kg = (const uint8_t *)"key",
	    .kg_length = (first & 0x90) == 0x10 ? 3 : 0, /* IPMI 1.5 has none */
	    .privilege = (enum ipmi_privilege)(IPMI_PRIVILEGE_ADMINISTRATOR - (third >> 2 & 3) % 3),
	    .cipher_suites = suites + 1,
	    .cipher_suite_count = suites[0],
	    .timeout_ms = TIMEOUT_MS};

	config.workarounds = choose_workarounds(config.version, second);
	run.peer.suite = run.peer.own = sim_suite(suites[suites[0]]);
	run.peer.username = "admin";
	run.peer.password = "secret";
	run.peer.kg = config.kg_length ? "key" : NULL;
	run.peer.quirk = (enum peer_quirk)(first >> 5 & 3);
	run.peer.edit = edit;
	run.honest = config.workarounds == 0;
	run.may_little = config.privilege == IPMI_PRIVILEGE_USER;
	run.lan = config.version == IPMI_VERSION_1_5;
	run.secure = is_secure(&config);
	assert(ipmi_engine_new(&loop, &run.engine) == 0 && ipmi_bmc_new(run.engine, &config, &run.bmc) == 0);
	for (unsigned i = 0; i <= (third & 3); i++)
		submit(take());
}

static void on_closed(void *data)
{
	(void)data;
	run.closed = true;
}

/* Nobody answers any more: what still runs ends at its deadline. Then all is closed. */
static void end(void)
{
	for (unsigned i = 0; run.ended < run.submitted; i++) {
		assert(i < 10000);
		if (!mock_fire(UINT64_MAX))
			assert(mock.look_up != NULL);
		if (mock.look_up && i % 64 == 63)
			finish_look_up(8);
	}
	if (run.secure) /* without integrity codes anybody may have said anything */
		assert(run.controls_ok <= run.peer.controls);
	if (run.once_controls == run.controls)
		assert(run.peer.controls <= run.once_sent);
	ipmi_bmc_free(run.bmc);
	ipmi_engine_close(run.engine, 500, on_closed, NULL);
	for (unsigned i = 0; !run.closed; i++) {
		assert(i < 1000);
		if (mock.look_up)
			finish_look_up(8);
		else if (!mock_close())
			assert(mock_fire(UINT64_MAX));
	}
	assert(!mock_close() && !mock_fire(UINT64_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	sim_crypto_init();
	memset(&run, 0, sizeof(run));
	run.data = data;
	run.left = size;
	mock_reset();
	begin();
	for (unsigned i = 0; i < EVENTS_MAX && run.ended < run.submitted; i++)
		happen(take());
	mock.send_error = 0;
	end();
	return 0;
}
