/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * System boot options: IPMI 2.0, 28.12, 28.13 and table 28-14.
 */
#include "tests/sim/internal.h"

enum { SET_IN_PROGRESS = 0, VALID_CLEARING = 3, ACKNOWLEDGE = 4, BOOT_FLAGS = 5, INITIATOR = 6 };
enum { VERSION = 1, FLAGS_VALID = 0x80, FLAGS_PERSISTENT = 0x40, KEEP_WITHOUT_CONTROL = 0x08 };
enum { PROGRESS_BUSY = 0x81 }; /* completion code: somebody else has not finished yet */

static void forget_old(struct sim_boot *boot, int64_t now_us)
{
	if (boot->valid_until_us && now_us >= boot->valid_until_us) {
		boot->flags[0] &= (uint8_t)~FLAGS_VALID;
		boot->valid_until_us = 0;
	}
}

static void count_down(struct sim_bmc *bmc, int64_t now_us)
{
	struct sim_boot *boot = &bmc->boot;

	boot->valid_until_us = 0;
	if (boot->flags[0] & FLAGS_VALID && !(boot->clearing & KEEP_WITHOUT_CONTROL))
		boot->valid_until_us = now_us + bmc->profile->boot_valid_us;
}

void sim_boot_touch(struct sim_bmc *bmc, int64_t now_us)
{
	forget_old(&bmc->boot, now_us);
	count_down(bmc, now_us);
}

/* Table 28-14, parameter 5, data 2 */
static const char *device_name(uint8_t octet)
{
	switch (octet >> 2 & 0x0f) {
	case 0x1:
		return "pxe";
	case 0x2:
		return "disk";
	case 0x3:
		return "safe-mode";
	case 0x4:
		return "diagnostics";
	case 0x5:
		return "cdrom";
	case 0x6:
		return "bios-setup";
	case 0xf:
		return "floppy";
	default:
		return "default";
	}
}

/* The BIOS takes flags back that are for the next boot only. */
void sim_boot_start(struct sim_bmc *bmc, int64_t now_us)
{
	struct sim_boot *boot = &bmc->boot;
	const char *device;

	forget_old(boot, now_us);
	device = boot->flags[0] & FLAGS_VALID ? device_name(boot->flags[1]) : "default";
	if (!(boot->flags[0] & FLAGS_PERSISTENT)) {
		boot->flags[0] &= (uint8_t)~FLAGS_VALID;
		boot->valid_until_us = 0;
	}
	sim_event(bmc, now_us, "boot", device, bmc->chassis.power);
}

static uint8_t set_progress(struct sim_boot *boot, uint8_t value)
{
	if (value > 1)
		return SIM_PARAMETER_NOT_SUPPORTED; /* commit write is optional, and there is no roll-back */
	if (value == 1 && boot->in_progress == 1)
		return PROGRESS_BUSY;
	boot->in_progress = value;
	return SIM_OK;
}

static uint8_t set_parameter(struct sim_request *rq, const uint8_t *data, size_t length)
{
	struct sim_boot *boot = &rq->bmc->boot;

	switch (rq->data[0] & 0x7f) {
	case SET_IN_PROGRESS:
		return length == 1 ? set_progress(boot, data[0] & 3) : SIM_LENGTH_INVALID;
	case VALID_CLEARING:
		if (length != 1)
			return SIM_LENGTH_INVALID;
		boot->clearing = data[0] & 0x1f;
		return SIM_OK;
	case ACKNOWLEDGE:
		if (length != 2)
			return SIM_LENGTH_INVALID;
		boot->acknowledge = (uint8_t)((boot->acknowledge & ~data[0]) | (data[1] & data[0]));
		return SIM_OK;
	case BOOT_FLAGS:
		if (length != sizeof(boot->flags))
			return SIM_LENGTH_INVALID;
		memcpy(boot->flags, data, sizeof(boot->flags));
		count_down(rq->bmc, rq->now_us);
		return SIM_OK;
	case INITIATOR:
		if (length != sizeof(boot->initiator))
			return SIM_LENGTH_INVALID;
		memcpy(boot->initiator, data, sizeof(boot->initiator));
		return SIM_OK;
	default:
		return SIM_PARAMETER_NOT_SUPPORTED;
	}
}

/* 28.12; a parameter without data is only marked as valid or not, which nothing here depends on. */
uint8_t sim_set_boot_options(struct sim_request *rq, struct sim_buffer *reply)
{
	size_t length = rq->length - 1;
	char hex[2 * 10 + 1] = "";
	uint8_t code;

	(void)reply;
	code = length ? set_parameter(rq, rq->data + 1, length) : SIM_OK;
	for (size_t i = 0; i < length && i < 10; i++) {
		hex[2 * i] = "0123456789abcdef"[rq->data[1 + i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[rq->data[1 + i] & 0x0f];
	}
	if (length && code == SIM_OK)
		sim_effect(rq, "%u:%s", rq->data[0] & 0x7f, hex);
	return code;
}

/* 28.13 */
uint8_t sim_get_boot_options(struct sim_request *rq, struct sim_buffer *reply)
{
	struct sim_boot *boot = &rq->bmc->boot;
	uint8_t parameter = rq->data[0] & 0x7f;

	forget_old(boot, rq->now_us);
	sim_put8(reply, VERSION);
	sim_put8(reply, parameter);
	switch (parameter) {
	case SET_IN_PROGRESS:
		sim_put8(reply, boot->in_progress);
		return SIM_OK;
	case VALID_CLEARING:
		sim_put8(reply, boot->clearing);
		return SIM_OK;
	case ACKNOWLEDGE:
		sim_put8(reply, 0); /* the write mask reads as 0 */
		sim_put8(reply, boot->acknowledge);
		return SIM_OK;
	case BOOT_FLAGS:
		sim_put(reply, boot->flags, sizeof(boot->flags));
		return SIM_OK;
	case INITIATOR:
		sim_put(reply, boot->initiator, sizeof(boot->initiator));
		return SIM_OK;
	default:
		return SIM_PARAMETER_NOT_SUPPORTED;
	}
}
