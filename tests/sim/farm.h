/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bmcfarm: thousands of simulated BMCs in one process. What its parts share.
 */
#ifndef PM_SIM_FARM_H
#define PM_SIM_FARM_H

#include <netinet/in.h>
#include <stdio.h>
#include <uv.h>

#include "tests/sim/bmc.h"

enum { FARM_GAP_MAX_MS = 120000 };

/* One packet on its way out: from the address of a BMC to whoever asked. */
struct farm_route {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer;
	struct in6_addr own; /* or an IPv4 address in its first four octets */
};

struct farm_packet {
	struct farm_route route;
	size_t length;
	uint8_t data[];
};

struct farm_bmc {
	struct sim_bmc bmc;
	uint32_t packets_in, packets_out;
	int64_t first_status_us, last_status_us; /* when Get Chassis Status was answered; 0: not yet */
	uint32_t polls, largest_gap_ms;
	struct farm_packet *held; /* reordered: waits for another to leave */
	int64_t due_us;           /* what the timer knows of sim_bmc_due_us() */
};

struct farm_due {
	int64_t at_us;
	uint64_t serial;            /* of two at the same time the one that was added first comes first */
	unsigned bmc;               /* index */
	struct farm_packet *packet; /* NULL: the BMC itself has something to do */
};

struct farm_totals {
	uint64_t in, out, bytes_in, bytes_out;
	uint64_t lost_in, lost_out;   /* by faults */
	uint64_t stray;               /* for an address that is not a BMC's */
	uint64_t send_failed;         /* the system did not take it */
	uint64_t kernel_dropped;      /* arrived while the receive buffer was full */
	int64_t first_in_us;          /* 0: none yet */
	int64_t last_first_status_us; /* when the last of the BMCs told its status for the first time */
	unsigned told;                /* BMCs that did */
	int64_t cpu_us;               /* of the process, at the beginning */
};

struct farm {
	/* options */
	unsigned count;
	struct in_addr base;
	struct in6_addr base6;
	bool ipv6;
	uint16_t port;
	uint64_t seed;
	const char *log_path;

	struct sim_profile profile;
	struct farm_bmc *bmcs;
	void *sessions;
	uv_loop_t *loop;
	uv_poll_t poll4, poll6, control_poll;
	uv_signal_t sigterm, sigint;
	uv_timer_t timer;
	uv_prepare_t prepare; /* flushes what was written, before the loop sleeps */
	int socket4, socket6; /* -1: none */
	uint32_t kernel_dropped4, kernel_dropped6;
	struct farm_due *heap; /* the earliest first */
	size_t heap_count, heap_size;
	uint64_t serial;
	FILE *log;
	struct farm_totals totals;
	uint32_t *gaps;  /* a counter for each ms */
	bool controlled; /* control_poll is in use */
	char line[4096]; /* a control line being read */
	size_t line_length;
};

int64_t farm_now_us(void);

/* ---- farm_net.c ---- */

/* 0, or -1 with the reason on standard error. */
int farm_net_open(struct farm *farm);
void farm_net_close(struct farm *farm);
void farm_net_send(struct farm *farm, unsigned bmc, const struct farm_route *route, const uint8_t *data,
		   size_t length);
void farm_net_flush(struct farm *farm);

/* ---- farm_timer.c ---- */

void farm_timer_init(struct farm *farm);
/* packet (or NULL) is taken over. */
void farm_timer_add(struct farm *farm, int64_t at_us, unsigned bmc, struct farm_packet *packet);
/* Whatever this BMC has to do by itself. */
void farm_timer_bmc(struct farm *farm, unsigned bmc);
void farm_timer_close(struct farm *farm);

/* ---- farm_control.c ---- */

void farm_control_init(struct farm *farm);
/* Carries out one line; the answer goes to out. -1 when it was an error. */
int farm_control_line(struct farm *farm, char *line, FILE *out);

/* ---- farm_verb.c ---- */

enum { FARM_WORDS_MAX = 32, FARM_TEXT_MAX = 256 };

/* One line being carried out. */
struct farm_order {
	struct farm *farm;
	char *words[FARM_WORDS_MAX];
	unsigned count;
	FILE *out;
	char error[FARM_TEXT_MAX]; /* what would be right */
};

#define FARM_FAIL(order, ...) (snprintf((order)->error, sizeof((order)->error), __VA_ARGS__), -1)

struct farm_verb {
	const char *name;
	/* bmc NULL: only whether it is right. 0, or -1 with order->error. */
	int (*run)(struct farm_order *order, struct sim_bmc *bmc);
	const char *help; /* arguments, and what it does */
};

/* Of `bmc RANGE VERB`; the last one has no name. */
extern const struct farm_verb farm_verbs[];

/* ---- farm_stat.c ---- */

int farm_log_open(struct farm *farm);
void farm_effect(struct sim_bmc *bmc, const struct sim_effect *effect);
void farm_status_told(struct farm *farm, struct farm_bmc *b, int64_t now_us);
void farm_print_stat(const struct farm *farm, unsigned index, FILE *out);
void farm_print_totals(struct farm *farm, FILE *out);
void farm_print_gaps(struct farm *farm, FILE *out);
void farm_reset(struct farm *farm);

#endif
