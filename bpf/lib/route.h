/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where the node's routing tables send a packet. */
#ifndef EBC_ROUTE_H
#define EBC_ROUTE_H

#include "node.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct ebc_uplink_key);
	__type(value, struct ebc_uplink);
} ebc_uplink_v1 SEC(".maps");

/* The addresses of a device that is an uplink. */
static __always_inline const struct ebc_uplink *ebc_uplink(__u32 ifindex)
{
	struct ebc_uplink_key key = {.ifindex = ifindex};

	return bpf_map_lookup_elem(&ebc_uplink_v1, &key);
}

#define EBC_AF_INET 2
#define EBC_AF_INET6 10
#define EBC_MTU_SAFE 1280 /* what every link takes (RFC 8200) */
#define EBC_LO 1	  /* in every network namespace */

/*
 * A packet as large as each of its segments will be: what the device will cut (GSO) is not too big because of
 * its sum. One of several fragments is as large as it is. 0, unknown: what is cut along its own chunks
 * (SCTP); the kernel then judges by the skb.
 */
static __always_inline __u16 ebc_wire_len(const struct __sk_buff *skb, const struct ebc_packet *p)
{
	if (!skb->gso_size)
		return p->ip_len;
	return p->headers ? p->headers + skb->gso_size : 0;
}

/*
 * BPF_FIB_LKUP_RET_*: where p->to.dst is, for a packet of p's source that arrived at `ifindex`. p->route has
 * the device and the next hop. The source is the packet's own, not what will be put in its place: as in the
 * kernel, which masquerades after routing. But what the node sent from a loopback address has no way out.
 */
static __noinline int ebc_route(struct __sk_buff *skb, struct ebc_packet *p, __u32 ifindex)
{
	const struct ebc_addr *src = ebc_from_node(p) ? &p->to.src : &p->about.flow.src;
	struct bpf_fib_lookup *r = &p->route;
	int rc;

	if (p->flags & EBC_PKT_ROUTED)
		return p->routed;
	__builtin_memset(r, 0, sizeof(*r));
	r->ifindex = ifindex;
	r->l4_protocol = p->about.proto;
	r->sport = p->about.flow.sport;
	r->dport = p->to.dport;
	r->tot_len = ebc_wire_len(skb, p);
	if (p->flags & EBC_PKT_V6) {
		r->family = EBC_AF_INET6;
		__builtin_memcpy(r->ipv6_src, src, 16);
		__builtin_memcpy(r->ipv6_dst, &p->to.dst, 16);
	} else {
		r->family = EBC_AF_INET;
		r->ipv4_src = src->w[3];
		r->ipv4_dst = p->to.dst.w[3];
	}
	rc = bpf_fib_lookup(skb, r, sizeof(*r), 0);
	p->routed = rc < 0 ? BPF_FIB_LKUP_RET_NOT_FWDED : rc;
	p->flags |= EBC_PKT_ROUTED;
	return p->routed;
}

/* The neighbour need not be known yet: the kernel asks for it when it sends. */
static __always_inline bool ebc_leaves(int route)
{
	return route == BPF_FIB_LKUP_RET_SUCCESS || route == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* To the next hop that p->route names, past the host's stack. */
static __always_inline int ebc_next_hop_redirect(const struct ebc_packet *p)
{
	struct bpf_redir_neigh hop = {.nh_family = p->route.family};

	if (p->route.family == EBC_AF_INET6)
		__builtin_memcpy(hop.ipv6_nh, p->route.ipv6_dst, 16);
	else
		hop.ipv4_nh = p->route.ipv4_dst;
	return bpf_redirect_neigh(p->route.ifindex, &hop, sizeof(hop), 0);
}

/* The neighbour that p->route names; that of an IPv4 packet may have an IPv6 address. */
static __always_inline void ebc_next_hop(const struct ebc_packet *p, struct ebc_addr *hop)
{
	if (p->route.family == EBC_AF_INET6)
		__builtin_memcpy(hop, p->route.ipv6_dst, sizeof(*hop));
	else
		ebc_addr_from_v4(hop, p->route.ipv4_dst);
}

/* What the route would take, after BPF_FIB_LKUP_RET_FRAG_NEEDED. Before Linux 5.12 only that it is less. */
static __always_inline __u32 ebc_route_mtu(const struct __sk_buff *skb, const struct ebc_packet *p)
{
	__u32 mtu = p->route.mtu_result;

	return mtu < ebc_wire_len(skb, p) ? mtu : EBC_MTU_SAFE;
}

/* The address of the packet's family by which others know the node; false where there is none. */
static __always_inline bool ebc_node_addr(const struct ebc_packet *p, struct ebc_addr *to)
{
	const struct ebc_addr *own = p->flags & EBC_PKT_V6 ? &ebc_node.own.v6 : &ebc_node.own.v4;

	if (ebc_addr_unset(own))
		return false;
	*to = *own;
	return true;
}

/* An uplink's address of the packet's family; false where there is none. */
static __always_inline bool ebc_uplink_addr(const struct ebc_packet *p, __u32 ifindex, struct ebc_addr *to)
{
	const struct ebc_uplink *u = ebc_uplink(ifindex);
	const struct ebc_addr *own;

	if (!u)
		return false;
	own = p->flags & EBC_PKT_V6 ? &u->v6 : &u->v4;
	if (ebc_addr_unset(own))
		return false;
	*to = *own;
	return true;
}

#endif
