/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CLOCK_H
#define EBC_CLOCK_H

#include "config.h"

#define EBC_SECOND 1000000000ULL

/* CLOCK_MONOTONIC, exact to a timer tick where the kernel has the cheaper call: enough for what is idle or
 * dead. */
static __always_inline __u64 ebc_now(void)
{
	if (ebc_configured(EBC_CONFIG_COARSE_CLOCK))
		return bpf_ktime_get_coarse_ns();
	return bpf_ktime_get_ns();
}

#endif
