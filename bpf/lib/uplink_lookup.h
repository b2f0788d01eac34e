/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The node's own addresses. */
#ifndef EBC_UPLINK_LOOKUP_H
#define EBC_UPLINK_LOOKUP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi/node_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct ebc_uplink_key);
	__type(value, struct ebc_uplink);
} ebc_uplink_v1 SEC(".maps");

#define EBC_UPLINK_NODE 0

/* The addresses of a device, or with EBC_UPLINK_NODE the node's. */
static __always_inline const struct ebc_uplink *ebc_uplink(__u32 ifindex)
{
	struct ebc_uplink_key key = {.ifindex = ifindex};

	return bpf_map_lookup_elem(&ebc_uplink_v1, &key);
}

#endif
