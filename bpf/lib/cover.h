/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What tunnelled packets look like at an uplink.
 *
 * Functions, not inlined: what they read would lie on the hook's own stack, and the longest chain of calls
 * behind it may have 512 bytes with all (Linux 5.10 rounds each up to 32).
 */
#ifndef EBC_COVER_H
#define EBC_COVER_H

#include "node.h"
#include "parse.h"

/* The outer headers of what is in a tunnel. */
struct ebc_cover {
	struct ebc_addr src;
	struct ebc_addr dst;
	const struct ebc_addr *own; /* this node's address of the family */
};

/*
 * Is it a packet of the tunnels' port, in one piece and without options? Read before anything else is, and
 * without a lookup, since it may be most of what passes.
 */
static __always_inline bool ebc_cover(struct __sk_buff *skb, struct ebc_cover *cover)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	struct {
		struct iphdr ip;
		__be16 sport, dport;
	} v4;
	struct {
		struct ipv6hdr ip;
		__be16 sport, dport;
	} v6;

	if (!overlay)
		return false;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, EBC_IP_OFFSET, &v4, sizeof(v4)) || v4.ip.ihl != 5 ||
		    v4.ip.protocol != IPPROTO_UDP || (v4.ip.frag_off & bpf_htons(0x3fff)))
			return false;
		ebc_addr_from_v4(&cover->src, v4.ip.saddr);
		ebc_addr_from_v4(&cover->dst, v4.ip.daddr);
		cover->own = &ebc_node.own.v4;
		return v4.dport == overlay->port;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6) ||
	    bpf_skb_load_bytes(skb, EBC_IP_OFFSET, &v6, sizeof(v6)) || v6.ip.nexthdr != IPPROTO_UDP)
		return false;
	__builtin_memcpy(&cover->src, &v6.ip.saddr, 16);
	__builtin_memcpy(&cover->dst, &v6.ip.daddr, 16);
	cover->own = &ebc_node.own.v6;
	return v6.dport == overlay->port;
}

/*
 * Arrived at an uplink, for the tunnel's end on this node: what is inside will be looked at when it is out.
 * One with IP options or extension headers, or cut in pieces, goes the long way to the same end.
 */
static __noinline bool ebc_encapsulated_for_us(struct __sk_buff *skb)
{
	struct ebc_cover cover;

	return ebc_cover(skb, &cover) && ebc_addr_eq(&cover.dst, cover.own);
}

/*
 * Leaves by an uplink for another end, from the tunnels' device: what is inside has been looked at, and its
 * cover is not a connection. What a pod sends to that port has been dropped before.
 */
static __noinline bool ebc_encapsulated_by_us(struct __sk_buff *skb)
{
	struct ebc_cover cover;

	return ebc_cover(skb, &cover) && ebc_addr_eq(&cover.src, cover.own);
}

#endif
