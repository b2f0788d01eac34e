/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What an address is: a pod's, a node's, or outside the cluster; and through which tunnel it is reached. */
#ifndef EBC_IPCACHE_LOOKUP_H
#define EBC_IPCACHE_LOOKUP_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "abi/node_abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct ebc_ipcache_key);
	__type(value, struct ebc_ipcache);
} ebc_ipcache_v2 SEC(".maps");

/* NULL for what is outside. */
static __always_inline const struct ebc_ipcache *ebc_ipcache_find(const struct ebc_addr *a)
{
	struct ebc_ipcache_key key = {.prefixlen = 128, .addr = *a};

	return bpf_map_lookup_elem(&ebc_ipcache_v2, &key);
}

/* enum ebc_ipcache_flags; 0 for what is outside. */
static __always_inline __u32 ebc_ipcache(const struct ebc_addr *a)
{
	const struct ebc_ipcache *known = ebc_ipcache_find(a);

	return known ? known->flags : 0;
}

/* A pod's or a node's, and not only one that pods reach with their own address. */
static __always_inline bool ebc_in_cluster(const struct ebc_addr *a)
{
	return ebc_ipcache(a) & (EBC_IPCACHE_POD | EBC_IPCACHE_NODE);
}

#endif
