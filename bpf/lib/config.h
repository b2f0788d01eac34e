/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CONFIG_H
#define EBC_CONFIG_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "abi/config_abi.h"

/*
 * Set by the agent before load. The map behind .rodata is frozen then, so the verifier knows the value and
 * removes what is switched off: a kernel that lacks a helper never sees the call.
 */
volatile const struct ebc_config ebc_config = {};

static __always_inline bool ebc_configured(__u32 flag)
{
	return ebc_config.flags & flag;
}

#endif
