/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In the place of the prober (by ld's --wrap, see the Makefile): probes of an address find what is true of the fake operating
 * system there (tests/sim/fake_host.h); of another address nothing answers.
 */
#ifndef PM_TEST_FAKE_PROBE_H
#define PM_TEST_FAKE_PROBE_H

#include "agent/probe.h"
#include "tests/sim/fake_host.h"
#include "tests/unit/agent/support.h"

static uv_loop_t *fake_probe_loop;
static unsigned fake_probe_answer_ms = 1;
static unsigned fake_probe_silent_ms = 3; /* until it is given up */

/* Told when the state has taken notice of one that found somebody, or nobody; NULL: nobody is. */
static void (*fake_probe_listener)(const char *address, bool up);

struct pm_probe {
	pm_probe_fn done;
	void *data;
	bool up;
	char address[64];
	struct pm_timer *timer;
};

struct pm_probe *__wrap_pm_probe_start(struct pm_prober *prober, enum pm_probe_kind kind, const char *host,
				       uint16_t port, unsigned timeout_ms, pm_probe_fn done, void *data);
void __wrap_pm_probe_cancel(struct pm_probe *probe);
bool __wrap_pm_probe_waits(const struct pm_probe *probe);

static inline void fake_probe_end(struct pm_probe *probe, enum pm_probe_result result)
{
	struct pm_probe ended = *probe;

	pm_timer_free(probe->timer);
	free(probe);
	ended.done(result, "", ended.data);
	if (fake_probe_listener && result != PM_PROBE_CANCELLED)
		fake_probe_listener(ended.address, ended.up);
}

static inline void fake_probe_due(void *data)
{
	struct pm_probe *probe = data;

	fake_probe_end(probe, probe->up ? PM_PROBE_UP : PM_PROBE_SILENT);
}

struct pm_probe *__wrap_pm_probe_start(struct pm_prober *prober, enum pm_probe_kind kind, const char *host,
				       uint16_t port, unsigned timeout_ms, pm_probe_fn done, void *data)
{
	struct pm_probe *probe = calloc(1, sizeof(*probe));
	struct fake_os *os = fake_os_find(host);

	(void)prober;
	(void)kind;
	(void)port;
	(void)timeout_ms;
	assert_non_null(probe);
	*probe = (struct pm_probe){.done = done, .data = data, .up = os && fake_os_pings(os)};
	snprintf(probe->address, sizeof(probe->address), "%s", host);
	probe->timer = pm_timer_new(fake_probe_loop, fake_probe_due, probe);
	pm_timer_start(probe->timer, probe->up ? fake_probe_answer_ms : fake_probe_silent_ms);
	return probe;
}

void __wrap_pm_probe_cancel(struct pm_probe *probe)
{
	fake_probe_end(probe, PM_PROBE_CANCELLED);
}

bool __wrap_pm_probe_waits(const struct pm_probe *probe)
{
	(void)probe;
	return false;
}

#endif
