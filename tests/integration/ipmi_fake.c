/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The unit tests' BMC as a program, so that other IPMI clients can say whether it is right: ipmi_fake PORT
 * CIPHER-SUITE
 */
#include <stdio.h>

#include "tests/unit/ipmi/fake_bmc.h"

static struct fake_bmc bmc;

static void on_term(uv_signal_t *signal, int number)
{
	(void)number;
	fake_stop(&bmc);
	uv_close((uv_handle_t *)signal, NULL);
}

int main(int argc, char **argv)
{
	uv_signal_t term;

	if (argc != 3)
		return 2;
	fake_start(&bmc, uv_default_loop(), (uint16_t)atoi(argv[1]));
	bmc.suite = fake_suite((uint8_t)atoi(argv[2]));
	uv_signal_init(uv_default_loop(), &term);
	uv_signal_start(&term, on_term, SIGTERM);
	printf("listening\n");
	fflush(stdout);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
