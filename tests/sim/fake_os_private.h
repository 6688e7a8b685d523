/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the fake operating systems share among themselves. */
#ifndef PM_SIM_FAKE_OS_PRIVATE_H
#define PM_SIM_FAKE_OS_PRIVATE_H

#include "tests/sim/fake_host.h"

/* fake_os.c */
uint64_t fake_os_now_ms(void); /* not the loop's, which may be late */
void *fake_os_allocate(size_t size);
const char *fake_os_verb_name(enum host_verb verb);
void fake_os_log(const struct fake_os *os, struct fake_os_entry entry, uint64_t at_ms);
void fake_os_settle(struct fake_os *os); /* what is due by now happens */
bool fake_os_hears(struct fake_os *os);  /* its helper */
void fake_os_execute(struct fake_os *os, enum host_verb verb, unsigned init_level, uint64_t at_ms);

/* fake_host.c */
size_t fake_host_clients(void); /* that are open */
void fake_host_reset(void);

#endif
