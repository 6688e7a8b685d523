/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The simulated BMC (tests/sim/bmc.h) behind one UDP socket on 127.0.0.1, with what unit tests want to see and to disturb
 * as plain fields, and with a hook through which it can misbehave.
 */
#ifndef PM_FAKE_BMC_H
#define PM_FAKE_BMC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "tests/sim/internal.h"

#define fake_kind              sim_kind
#define FAKE_AUTH_CAPABILITIES SIM_AUTH_CAPABILITIES
#define FAKE_OPEN_SESSION      SIM_OPEN_SESSION
#define FAKE_RAKP_1            SIM_RAKP_1
#define FAKE_RAKP_3            SIM_RAKP_3
#define FAKE_SET_PRIVILEGE     SIM_SET_PRIVILEGE
#define FAKE_CLOSE_SESSION     SIM_CLOSE_SESSION
#define FAKE_COMMAND           SIM_COMMAND
#define FAKE_CIPHER_SUITES     SIM_CIPHER_SUITES
#define FAKE_CHALLENGE         SIM_CHALLENGE
#define FAKE_ACTIVATE          SIM_ACTIVATE
#define FAKE_KINDS             SIM_KINDS

enum { FAKE_PACKET_MAX = SIM_PACKET_MAX, FAKE_SUITES = SIM_SUITES };

#define fake_suites sim_suites
#define fake_suite  sim_suite
#define fake_buffer sim_buffer
#define fake_put    sim_put

struct fake_bmc {
	uv_udp_t socket;
	struct sockaddr_in peer; /* who asked last */
	uint16_t port;
	struct sim_profile profile; /* its first user with a name is made of the fields below */
	struct sim_bmc bmc;         /* whatever has no field of its own here */
	struct sim_session sessions[SIM_SLOTS_MAX + 1];

	/* set by the test; taken over before each packet */
	const struct sim_suite *suite; /* the only one that it has; NULL: those of the profile */
	const char *username, *password, *kg;
	uint8_t max_privilege;
	uint8_t open_status, rakp2_status, rakp4_status;
	uint8_t completion_code; /* nothing is done, and this is the answer to all commands */
	uint8_t privilege_code;  /* the answer to Set Session Privilege */
	uint8_t control_code;    /* Chassis Control is done, and answered with this */
	unsigned busy;           /* this many commands are answered "node busy" */
	bool short_data;         /* commands are answered without data */
	bool extra_octet;        /* RAKP message 2 carries one octet too many */
	bool bad_checksum, no_ipmi_2, rakp4_not_empty, short_refusal;
	uint8_t guid[16];

	/* both ways: a test may clear `session`, and all of them are forgotten */
	bool session; /* there is one */
	bool power;

	/* seen by the test */
	uint32_t managed_id;                     /* of a session, also while it is being set up; 0: none */
	uint8_t boot[5];                         /* boot option parameter 5, table 28-14 */
	uint32_t received[FAKE_KINDS], controls; /* controls: executed */
	/*
	 * Called with each answer before it is sent; returns false to swallow it. It may send other packets
	 * by fake_send(). plain_flags says that the packet is inside the session.
	 */
	bool (*filter)(struct fake_bmc *bmc, enum fake_kind kind, uint8_t *packet, size_t length);
	/* Called with each packet that comes in; it may change it. Returns false to lose it. */
	bool (*request)(struct fake_bmc *bmc, uint8_t *packet, size_t length);
	void *data;

	uint8_t storage[1500]; /* a packet being received */
};

static inline void fake_send(struct fake_bmc *bmc, const uint8_t *packet, size_t length)
{
	uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)packet, (unsigned)length);

	if (uv_udp_try_send(&bmc->socket, &buffer, 1, (const struct sockaddr *)&bmc->peer) < 0)
		abort();
}

static inline struct sim_session *fake_session(struct fake_bmc *fake)
{
	for (unsigned i = 0; i <= fake->profile.slots; i++)
		if (fake->bmc.sessions[i].state != SIM_FREE)
			return &fake->bmc.sessions[i];
	return NULL;
}

/* Signs again what a filter has changed. */
static inline void fake_integrity_code(struct fake_bmc *fake, const struct sim_buffer *data, uint8_t *digest)
{
	struct sim_session *s = fake_session(fake);

	sim_hmac(s->suite->hash, s->k1, s->suite->digest_length, data->data, data->length, digest);
}

static inline void fake_code(struct sim_bmc *bmc, int command, uint8_t code, bool done)
{
	if (code)
		bmc->codes[bmc->code_count++] =
		    (struct sim_code){.command = (uint8_t)command, .code = code, .done = done};
}

static inline void fake_take_settings(struct fake_bmc *fake, int64_t now_us)
{
	struct sim_bmc *bmc = &fake->bmc;

	fake->profile.user_count = 1;
	memset(fake->profile.users, 0, sizeof(fake->profile.users));
	if (!sim_profile_user(&fake->profile, fake->username, fake->password, fake->max_privilege))
		abort();
	fake->profile.has_kg = fake->kg;
	memset(fake->profile.kg, 0, sizeof(fake->profile.kg));
	if (fake->kg)
		memcpy(fake->profile.kg, fake->kg, strlen(fake->kg));
	if (fake->suite) {
		fake->profile.suites[0] = fake->suite->id;
		fake->profile.suite_count = 1;
	}
	bmc->quirks.open_status = fake->open_status;
	bmc->quirks.rakp2_status = fake->rakp2_status;
	bmc->quirks.rakp4_status = fake->rakp4_status;
	bmc->quirks.short_data = fake->short_data;
	bmc->quirks.extra_octet = fake->extra_octet;
	bmc->quirks.bad_checksum = fake->bad_checksum;
	bmc->quirks.no_ipmi_2 = fake->no_ipmi_2;
	bmc->quirks.rakp4_not_empty = fake->rakp4_not_empty;
	bmc->quirks.short_refusal = fake->short_refusal;
	bmc->busy = fake->busy;
	bmc->code_count = 0;
	fake_code(bmc, SIM_COMMANDS_MAX, fake->completion_code, false);
	fake_code(bmc, sim_command_find("chassis-control"), fake->control_code, true);
	fake_code(bmc, sim_command_find("set-session-privilege"), fake->privilege_code, false);
	memcpy(bmc->guid, fake->guid, sizeof(bmc->guid));
	if (bmc->chassis.power != fake->power)
		sim_bmc_button(bmc, now_us, fake->power);
	if (!fake->session && sim_bmc_sessions(bmc) > 0)
		sim_bmc_expire(bmc, now_us);
}

static inline void fake_show(struct fake_bmc *fake)
{
	const struct sim_session *s = fake_session(fake);

	fake->session = sim_bmc_sessions(&fake->bmc) > 0;
	fake->managed_id = s ? s->managed_id : 0;
	fake->power = fake->bmc.chassis.power;
	fake->controls = fake->bmc.chassis.controls;
	fake->busy = fake->bmc.busy;
	memcpy(fake->boot, fake->bmc.boot.flags, sizeof(fake->boot));
	memcpy(fake->received, fake->bmc.received, sizeof(fake->received));
}

static inline void fake_on_packet(uv_udp_t *socket, ssize_t length, const uv_buf_t *buffer,
				  const struct sockaddr *from, unsigned flags)
{
	struct fake_bmc *fake = socket->data;
	int64_t now_us = (int64_t)(uv_hrtime() / 1000);
	struct sim_answer answer;
	bool answered;

	(void)flags;
	if (length < 0 || !from)
		return;
	memcpy(&fake->peer, from, sizeof(fake->peer));
	fake_take_settings(fake, now_us);
	if (fake->request && !fake->request(fake, (uint8_t *)buffer->base, (size_t)length))
		return;
	answered =
	    sim_bmc_receive(&fake->bmc, now_us, from, (uint8_t *)buffer->base, (size_t)length, &answer);
	fake_show(fake);
	if (answered &&
	    (!fake->filter || fake->filter(fake, answer.kind, answer.packet.data, answer.packet.length)))
		fake_send(fake, answer.packet.data, answer.packet.length);
}

static inline void fake_on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct fake_bmc *fake = handle->data;

	(void)suggested;
	*buffer = uv_buf_init((char *)fake->storage, sizeof(fake->storage));
}

static inline void fake_init(struct fake_bmc *fake)
{
	memset(fake, 0, sizeof(*fake));
	sim_crypto_init();
	sim_profile_init(&fake->profile);
	sim_bmc_init(&fake->bmc, &fake->profile, fake->sessions, 1, uv_hrtime(),
		     (int64_t)(uv_hrtime() / 1000));
	fake->bmc.chassis.last_event = 0x10; /* switched on by command, table 28-3: so that a test sees it */
	fake->suite = sim_suite(3);
	fake->username = "admin";
	fake->password = "secret";
	fake->max_privilege = SIM_ADMINISTRATOR;
	memset(fake->guid, 0xa5, sizeof(fake->guid));
}

/* Listens on 127.0.0.1, on any port when port is 0. One at a time in a process. */
static inline void fake_start(struct fake_bmc *fake, uv_loop_t *loop, uint16_t port)
{
	struct sockaddr_in address;
	int size = sizeof(address);

	fake_init(fake);
	uv_ip4_addr("127.0.0.1", port, &address);
	fake->socket.data = fake;
	if (uv_udp_init(loop, &fake->socket) < 0 ||
	    uv_udp_bind(&fake->socket, (struct sockaddr *)&address, 0) < 0 ||
	    uv_udp_getsockname(&fake->socket, (struct sockaddr *)&address, &size) < 0 ||
	    uv_udp_recv_start(&fake->socket, fake_on_allocate, fake_on_packet) < 0)
		abort();
	fake->socket.data = fake;
	fake->port = ntohs(address.sin_port);
}

static inline void fake_stop(struct fake_bmc *fake)
{
	if (!uv_is_closing((uv_handle_t *)&fake->socket))
		uv_close((uv_handle_t *)&fake->socket, NULL);
}

#endif
