/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * With sources kept, a node hands on what came for a service as it is, but for the destination, to the node
 * of the backend. That one knows its own pod and the client, not that a service was asked; so it answers by
 * the way on which it was asked: to the node that translated, which translates back, or else to the router by
 * which the client comes, or the client.
 */
#ifndef EBC_WAY_BACK_H
#define EBC_WAY_BACK_H

#include "conntrack.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_ct_key);
	__type(value, struct ebc_way_back);
} ebc_return_v1 SEC(".maps");

_Static_assert(offsetof(struct ebc_way_back, own_mac) == offsetof(struct ebc_way_back, peer_mac) + ETH_ALEN,
	       "peer_mac, own_mac are an Ethernet header's destination and source");

/* Word by word: a program cannot call memcmp(). */
static __always_inline bool ebc_way_same(const struct ebc_way_back *a, const struct ebc_way_back *b)
{
	__u32 x[sizeof(*a) / 4], y[sizeof(*b) / 4];

	__builtin_memcpy(x, a, sizeof(x));
	__builtin_memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

/*
 * After translation at an uplink: of what a client outside sends to a pod itself (its entry makes nothing
 * else of it). How long it counts is the entry's affair. Looked at with every packet: the neighbour may
 * change, and what the table has lost comes back.
 */
static __always_inline void ebc_learn_way_back(struct ebc_packet *p, int reason)
{
	const struct ebc_way_back *known;
	struct ebc_way_back way = {.ifindex = p->about.ifindex};

	if (!ebc_configured(EBC_CONFIG_KEEP_SOURCE) || reason != EBC_REASON_FORWARDED ||
	    !(p->flags & EBC_PKT_TRACKED) || !ebc_to_local_pod(p))
		return;
	__builtin_memcpy(way.peer_mac, ebc_eth(p)->h_source, ETH_ALEN);
	__builtin_memcpy(way.own_mac, ebc_eth(p)->h_dest, ETH_ALEN);
	ebc_ct_twin(&p->to, p->about.proto, &p->answers);
	known = bpf_map_lookup_elem(&ebc_return_v1, &p->answers);
	if (!known || !ebc_way_same(known, &way))
		bpf_map_update_elem(&ebc_return_v1, &p->answers, &way, BPF_ANY);
}

/* Of a pod's answer, or of its ICMP error about what it was sent; NULL where the routes decide. */
static __always_inline const struct ebc_way_back *ebc_way_back(const struct ebc_packet *p, int reason)
{
	if (!ebc_configured(EBC_CONFIG_KEEP_SOURCE) || reason != EBC_REASON_REPLY ||
	    p->about.hook != EBC_HOOK_POD_EGRESS || p->about.service_id)
		return NULL;
	return bpf_map_lookup_elem(&ebc_return_v1, ebc_is_icmp_error(p) ? &p->quoted : ebc_ct_key(&p->about));
}

#endif
