/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How full the connection tables are, about: whether an entry may have been evicted. */
#ifndef EBC_CONNTRACK_LOAD_H
#define EBC_CONNTRACK_LOAD_H

#include <linux/in.h>

#include "abi/conntrack_abi.h"
#include "config.h"

/*
 * Entries of each table: programs add what they insert, the agent's sweep writes what it has counted. Too
 * many rather than too few, since what is deleted or evicted meanwhile is still in it.
 */
struct ebc_ct_load ebc_ct_load SEC(".data.ebc_ctload_v1") = {};

static __always_inline void ebc_ct_inserted(__u8 proto)
{
	if (proto == IPPROTO_TCP)
		__sync_fetch_and_add(&ebc_ct_load.tcp, 1);
	else
		__sync_fetch_and_add(&ebc_ct_load.any, 1);
}

/* An LRU evicts before it is full, since CPUs hold elements in reserve: from three quarters on it may. */
static __always_inline bool ebc_ct_may_evict(__u8 proto)
{
	__u32 size = proto == IPPROTO_TCP ? ebc_config.ct_tcp_size : ebc_config.ct_any_size;
	__u32 load = proto == IPPROTO_TCP ? ebc_ct_load.tcp : ebc_ct_load.any;

	return load > size / 4 * 3;
}

#endif
