/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* loadBalancerSourceRanges: who may use a frontend. */
#ifndef EBC_SOURCE_RANGE_H
#define EBC_SOURCE_RANGE_H

#include "service_lookup.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct ebc_srange_key);
	__type(value, struct ebc_srange);
} ebc_srange_v1 SEC(".maps");

/* Only frontends with ranges pay for the lookup. */
static __always_inline bool ebc_source_allowed(const struct ebc_svc *svc, const struct ebc_addr *client)
{
	struct ebc_srange_key key = {.prefixlen = 32 + 128, .addr = *client};
	const struct ebc_srange *range;

	if (!(svc->flags & EBC_SVC_SOURCE_RANGES))
		return true;
	key.service_id = bpf_htonl(svc->service_id);
	range = bpf_map_lookup_elem(&ebc_srange_v1, &key);
	return range && range->allow;
}

#endif
