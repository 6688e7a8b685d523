/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The unit tests' BMC as a program, so that other IPMI clients can say whether it is right, and for what ipmi_sim cannot
 * answer: ipmi_fake PORT CIPHER-SUITE [on] [control-code=0xNN]. Each chassis command that changes something is a line:
 * `control N`, or `boot` with the five octets of the boot flags. SIGUSR1 ends the control-code.
 */
#include <stdio.h>

#include "tests/unit/ipmi/fake_bmc.h"

static struct fake_bmc bmc;
static uv_signal_t term, usr1;

static void on_term(uv_signal_t *signal, int number)
{
	(void)signal;
	(void)number;
	fake_stop(&bmc);
	uv_close((uv_handle_t *)&term, NULL);
	uv_close((uv_handle_t *)&usr1, NULL);
}

static void on_usr1(uv_signal_t *signal, int number)
{
	(void)signal;
	(void)number;
	bmc.control_code = 0;
	printf("control-code ended\n");
	fflush(stdout);
}

static void on_effect(struct sim_bmc *unused, const struct sim_effect *effect)
{
	static const char *const controls[] = {
	    "power-down", "power-up", "power-cycle", "hard-reset", "diagnostic-interrupt", "soft-shutdown"};

	(void)unused;
	for (unsigned i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
		if (strcmp(effect->what, "chassis-control") == 0 && strcmp(effect->detail, controls[i]) == 0)
			printf("control %u\n", i);
	if (strcmp(effect->what, "set-boot-options") == 0 && strncmp(effect->detail, "5:", 2) == 0)
		printf("boot %.2s %.2s %.2s %.2s %.2s\n", effect->detail + 2, effect->detail + 4,
		       effect->detail + 6, effect->detail + 8, effect->detail + 10);
	fflush(stdout);
}

static int option(const char *argument)
{
	unsigned code;

	if (strcmp(argument, "on") == 0)
		bmc.power = true;
	else if (sscanf(argument, "control-code=0x%2x", &code) == 1)
		bmc.control_code = (uint8_t)code;
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	fake_start(&bmc, uv_default_loop(), (uint16_t)atoi(argv[1]));
	bmc.suite = fake_suite((unsigned)atoi(argv[2]));
	bmc.profile.effect = on_effect;
	for (int i = 3; i < argc; i++)
		if (option(argv[i]) < 0)
			return 2;
	uv_signal_init(uv_default_loop(), &term);
	uv_signal_start(&term, on_term, SIGTERM);
	uv_signal_init(uv_default_loop(), &usr1);
	uv_signal_start(&usr1, on_usr1, SIGUSR1);
	printf("listening\n");
	fflush(stdout);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
