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

/* fe80::/10, and :: as a source. */
static __always_inline bool ebc_v6_link_local(const struct ebc_addr *a)
{
	return (a->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline bool ebc_v6_unspecified(const struct ebc_addr *a)
{
	return !a->w[0] && !a->w[1] && !a->w[2] && !a->w[3];
}

/* Multicast, or the limited broadcast. */
static __always_inline bool ebc_v4_for_many(const struct ebc_addr *a)
{
	return (a->w[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || a->w[3] == 0xffffffff;
}

static __always_inline bool ebc_v6_multicast(const struct ebc_addr *a)
{
	return (a->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

#endif
