/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The way on of a packet that is understood and translated: past the host's stack wherever it leaves the
 * node. */
#ifndef EBC_FORWARD_H
#define EBC_FORWARD_H

#include "encap.h"
#include "reject.h"
#include "service.h"
#include "way_back.h"

/* What is for the link itself or for many is none of ours. */
static __always_inline bool ebc_for_link(const struct ebc_packet *p)
{
	const struct ebc_addr *dst = &p->about.flow.dst;

	if (p->flags & EBC_PKT_ARP)
		return true;
	if (p->flags & EBC_PKT_V6)
		return ebc_v6_multicast(dst) || ebc_v6_link_local(dst) ||
		       ebc_v6_link_local(&p->about.flow.src);
	return ebc_v4_for_many(dst);
}

/* As if it had arrived over the node's loopback device, whose MAC address is all zero. */
static __always_inline int ebc_into_loopback(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	__builtin_memset(p->head, 0, 2 * ETH_ALEN);
	if (ebc_write(skb, p, EBC_WRITE_MACS))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count_on(ebc_scratch_cpu(p), &p->about, reason);
	return bpf_redirect(EBC_LO, BPF_F_INGRESS);
}

/* To a pod of this node, one hop on. */
static __noinline int ebc_to_pod(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	if (p->ttl <= 1)
		return p->flags & EBC_PKT_CHANGED ? ebc_return(skb, p, EBC_REJECT_HOPS, 0)
						  : ebc_pass(p, EBC_REASON_FORWARDED);
	__builtin_memcpy(p->head, p->place.pod.pod_mac, 2 * ETH_ALEN);
	if (ebc_write(skb, p, EBC_WRITE_HOP | EBC_WRITE_MACS))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return ebc_door(skb, p, p->place.pod.flags & EBC_EP_QUEUED ? EBC_WAY_QUEUE : EBC_WAY_PEER, reason,
			p->place.pod.ifindex);
}

/*
 * To the host's stack: for the node itself, or what the node must answer (no route, administrative refusals).
 * An answer to the node's own socket that has the service's address now comes by the loopback device:
 * elsewhere the stack would take it for a forgery, as an address of the node itself, or one to which no route
 * leads by that device (rp_filter, of which even the loose kind lets nothing else in by a device without an
 * address).
 */
static __noinline int ebc_to_stack(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	if (reason == EBC_REASON_REPLY && !ebc_addr_eq(&p->to.src, &p->about.flow.src) &&
	    (ebc_to_this_node(p) || ebc_loopback(&p->to.dst)))
		return ebc_into_loopback(skb, p, reason);
	return ebc_write(skb, p, 0) ? ebc_refuse(p, EBC_DROP_REWRITE) : ebc_pass(p, reason);
}

/*
 * A peer asked the address to which it sends its tunnelled packets, over IPv6: told of a smaller size, its
 * kernel would refuse these from then on, since it does not cut what it encapsulates.
 */
static __always_inline bool ebc_size_harms_tunnel(const struct ebc_packet *p)
{
	const struct ebc_ipcache *from;

	if (p->about.hook != EBC_HOOK_UPLINK_INGRESS || ebc_addr_is_v4(&p->about.flow.dst))
		return false;
	from = ebc_ipcache_find(&p->about.flow.src);
	return from && from->ifindex && (from->flags & EBC_IPCACHE_NODE) && !ebc_addr_is_v4(&from->tunnel);
}

/* Into the tunnels' device, told to which node. */
static __always_inline int ebc_into_tunnel(struct __sk_buff *skb, struct ebc_packet *p,
					   const struct ebc_overlay *overlay, __u32 what, int reason)
{
	ebc_tunnel_macs(p);
	if (ebc_write(skb, p, what | EBC_WRITE_MACS) || ebc_tunnel_key(skb, overlay, &p->place.peer))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count_on(ebc_scratch_cpu(p), &p->about, reason);
	ebc_mark(skb);
	return bpf_redirect(overlay->ifindex, 0);
}

/*
 * Through a tunnel, one hop on. What is too big is answered here in any case: cut by the stack it would take
 * the stack's way, past translation, and for a node's address past the tunnel.
 */
static __noinline int ebc_to_tunnel(struct __sk_buff *skb, struct ebc_packet *p,
				    const struct ebc_overlay *overlay, int reason)
{
	if (ebc_wire_len(skb, p) > overlay->mtu)
		return ebc_size_harms_tunnel(p) ? ebc_refuse(p, EBC_DROP_TOO_BIG)
						: ebc_return(skb, p, EBC_REJECT_SIZE, overlay->mtu);
	if (p->ttl <= 1)
		return p->flags & EBC_PKT_CHANGED ? ebc_return(skb, p, EBC_REJECT_HOPS, 0)
						  : ebc_pass(p, EBC_REASON_FORWARDED);
	return ebc_into_tunnel(skb, p, overlay, EBC_WRITE_HOP, reason);
}

/* To the next hop of the routes, or by the way on which the client came; the device's program lets it pass.
 */
static __noinline int ebc_to_neighbour(struct __sk_buff *skb, struct ebc_packet *p, __u32 what, int reason)
{
	const struct ebc_way_back *back = ebc_way_back(p, reason);
	__u32 device = 0;

	if (back) {
		device = back->ifindex;
		__builtin_memcpy(p->head, back->peer_mac, 2 * ETH_ALEN);
		what |= EBC_WRITE_MACS;
	}
	if (ebc_write(skb, p, what))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count_on(ebc_scratch_cpu(p), &p->about, reason);
	ebc_mark(skb);
	return device ? bpf_redirect(device, 0) : ebc_next_hop_redirect(p);
}

/*
 * The routes decide. What cannot leave as it is and was not changed is left to the stack, which answers the
 * sender, or cuts it; about what was changed the stack would answer with addresses that the sender does not
 * know, or to the node itself, so that is answered here: also what is too big and may be cut, since hosts
 * send smaller ones then.
 */
static __noinline int ebc_by_route(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	int route = ebc_route(skb, p, p->about.ifindex);

	if (!(p->flags & EBC_PKT_CHANGED)) {
		if (!ebc_leaves(route) || p->ttl <= 1)
			return ebc_pass(p, reason);
	} else if (route == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		return ebc_return(skb, p, EBC_REJECT_SIZE, ebc_route_mtu(skb, p));
	} else if (!ebc_leaves(route)) {
		return ebc_to_stack(skb, p, reason);
	} else if (p->ttl <= 1) {
		return ebc_return(skb, p, EBC_REJECT_HOPS, 0);
	}
	return ebc_to_neighbour(skb, p, EBC_WRITE_HOP, reason);
}

/*
 * A pod's own encapsulation. Hidden behind its node's address it would pass for that node's; so it may go to
 * pods, where no tunnel ends, and to nothing else.
 */
static __always_inline bool ebc_speaks_tunnel(struct ebc_packet *p)
{
	return p->about.hook == EBC_HOOK_POD_EGRESS && ebc_is_tunnel_port(p, p->to.dport);
}

/* What was received by a pod's veth, an uplink or a tunnel goes on as p->to. */
static __noinline int ebc_forward(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	const struct ebc_overlay *overlay;

	if (p->flags & EBC_PKT_STACK)
		return ebc_to_stack(skb, p, EBC_REASON_FORWARDED);
	if (ebc_to_local_pod(p))
		return ebc_to_pod(skb, p, reason);
	if (ebc_speaks_tunnel(p))
		return ebc_refuse(p, EBC_DROP_TUNNEL_PORT);
	/* The stack's, whose rules may have something to say about it. */
	if (p->about.hook == EBC_HOOK_POD_EGRESS && !(p->flags & EBC_PKT_CHANGED) &&
	    ebc_v4_link_local(&p->to.dst))
		return ebc_pass(p, reason);
	overlay = ebc_tunnel(p);
	return overlay ? ebc_to_tunnel(skb, p, overlay, reason) : ebc_by_route(skb, p, reason);
}

#endif
