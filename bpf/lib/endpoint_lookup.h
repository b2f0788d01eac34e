/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The pods of this node. */
#ifndef EBC_ENDPOINT_LOOKUP_H
#define EBC_ENDPOINT_LOOKUP_H

#include "abi/endpoint_abi.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ebc_ep_key);
	__type(value, struct ebc_ep);
} ebc_ep_v1 SEC(".maps");

static __always_inline const struct ebc_ep *ebc_endpoint(const struct ebc_addr *a)
{
	return bpf_map_lookup_elem(&ebc_ep_v1, a);
}

#endif
