/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CONFIG_ABI_H
#define EBC_CONFIG_ABI_H

#include "common_abi.h"

enum ebc_config_flags {
	EBC_CONFIG_REDIRECT_PEER = 1 << 0, /* bpf_redirect_peer works (5.10) */
	EBC_CONFIG_SET_RETVAL =
	    1 << 1, /* bpf_set_retval works in socket hooks (5.18): ECONNREFUSED instead of EPERM */
	EBC_CONFIG_DROP_EVENTS = 1 << 2, /* report drops through the ring buffer */
	EBC_CONFIG_TC_SERVICES = 1 << 3, /* pod.bpf.c translates services (what met no socket hook) */
};

/* Read-only global `ebc_config` of every object, set before load; the verifier prunes what is off. */
struct ebc_config {
	__u32 flags; /* enum ebc_config_flags */
	__u32 pad0;
};
_Static_assert(sizeof(struct ebc_config) == 8, "ebc_config");

#endif
