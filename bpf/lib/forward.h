/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The way on of a packet that is understood and translated: past the host's stack wherever it leaves the
 * node. */
#ifndef EBC_FORWARD_H
#define EBC_FORWARD_H

#include "deliver.h"
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

static __always_inline int ebc_refuse(const struct ebc_packet *p, int reason)
{
	ebc_drop(&p->about, reason);
	return TC_ACT_SHOT;
}

static __always_inline int ebc_pass(const struct ebc_packet *p, int reason)
{
	ebc_count(&p->about, reason);
	return TC_ACT_OK;
}

/* Refused aloud or in silence, and counted. */
static __noinline int ebc_deny(struct __sk_buff *skb, const struct ebc_packet *p, int reason)
{
	ebc_drop(&p->about, reason);
	return reason == EBC_DROP_NO_BACKEND || reason == EBC_DROP_PORT
		   ? ebc_reject(skb, p, EBC_REJECT_PORT, 0)
		   : TC_ACT_SHOT;
}

/* As if it had arrived over the node's loopback device, whose MAC address is all zero. */
static __always_inline int ebc_into_loopback(struct __sk_buff *skb, const struct ebc_packet *p)
{
	__u8 macs[2 * ETH_ALEN] = {};

	if (bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return bpf_redirect(EBC_LO, BPF_F_INGRESS);
}

/*
 * An answer to the node's own socket that has the service's address now. The stack would take it for a
 * forgery on the device where it arrived: that is an address of the node itself, or one to which no route
 * leads by that device (rp_filter, of which even the loose kind lets nothing else in by a device without an
 * address). Only where tc translates what the node sends.
 */
static __always_inline bool ebc_from_itself(const struct ebc_packet *p)
{
	return ebc_configured(EBC_CONFIG_HOST_SERVICES) && !ebc_addr_eq(&p->to.src, &p->about.flow.src);
}

/* What cannot go on as it was translated: answered here, and counted. */
static __noinline int ebc_return(struct __sk_buff *skb, const struct ebc_packet *p, int cause, __u32 info)
{
	ebc_drop(&p->about, cause == EBC_REJECT_SIZE ? EBC_DROP_TOO_BIG : EBC_DROP_HOP_LIMIT);
	return ebc_reject(skb, p, cause, info);
}

static __always_inline int ebc_to_pod(struct __sk_buff *skb, const struct ebc_packet *p,
				      const struct ebc_ep *local, int reason)
{
	int action;

	if (p->ttl <= 1)
		return p->flags & EBC_PKT_CHANGED ? ebc_return(skb, p, EBC_REJECT_HOPS, 0)
						  : ebc_pass(p, EBC_REASON_FORWARDED);
	action = ebc_rewrite(skb) ? -1 : ebc_deliver(skb, p, local);
	if (action < 0)
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count(&p->about, reason == EBC_REASON_FORWARDED ? EBC_REASON_DELIVERED : reason);
	return action;
}

/* To the host's stack: for the node itself, or what the node must answer (no route, administrative refusals).
 */
static __always_inline int ebc_to_stack(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	if (ebc_rewrite(skb))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count(&p->about, reason);
	if (reason == EBC_REASON_REPLY && ebc_from_itself(p))
		return ebc_into_loopback(skb, p);
	return TC_ACT_OK;
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

/*
 * Through a tunnel, whose device knows to which node. What is too big is answered here in any case: cut by
 * the stack it would take the stack's way, past translation, and for a node's address past the tunnel.
 */
static __always_inline int ebc_to_tunnel(struct __sk_buff *skb, const struct ebc_packet *p,
					 const struct ebc_overlay *overlay, int reason)
{
	if (ebc_wire_len(skb, p) > overlay->mtu)
		return ebc_size_harms_tunnel(p) ? ebc_refuse(p, EBC_DROP_TOO_BIG)
						: ebc_return(skb, p, EBC_REJECT_SIZE, overlay->mtu);
	if (p->ttl <= 1)
		return p->flags & EBC_PKT_CHANGED ? ebc_return(skb, p, EBC_REJECT_HOPS, 0)
						  : ebc_pass(p, EBC_REASON_FORWARDED);
	if (ebc_rewrite(skb) || ebc_decrement_ttl(skb, p))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count(&p->about, reason);
	return bpf_redirect(overlay->ifindex, 0);
}

/*
 * What was received by a pod's veth, an uplink or a tunnel goes on as p->to. What cannot leave as it is and
 * was not changed is left to the stack, which answers the sender; about what was changed the stack would
 * answer with addresses that the sender does not know, or to the node itself, so that is answered here.
 */
static __noinline int ebc_forward(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	const struct ebc_ep *local = ebc_endpoint(&p->to.dst);
	const struct ebc_overlay *overlay;
	const struct ebc_way_back *back;
	int route;

	if (local)
		return ebc_to_pod(skb, p, local, reason);
	overlay = ebc_tunnel(p);
	if (overlay)
		return ebc_to_tunnel(skb, p, overlay, reason);
	route = ebc_route(skb, p, p->about.ifindex);
	if (!(p->flags & EBC_PKT_CHANGED)) {
		if (!ebc_leaves(route) || p->ttl <= 1)
			return ebc_pass(p, reason);
	} else if (route == BPF_FIB_LKUP_RET_FRAG_NEEDED && (p->flags & EBC_PKT_WHOLE)) {
		return ebc_return(skb, p, EBC_REJECT_SIZE, ebc_route_mtu(skb, p));
	} else if (!ebc_leaves(route)) {
		return ebc_to_stack(skb, p, reason);
	} else if (p->ttl <= 1) {
		return ebc_return(skb, p, EBC_REJECT_HOPS, 0);
	}
	if (ebc_rewrite(skb) || ebc_decrement_ttl(skb, p))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	back = ebc_way_back(p, reason);
	if (back && bpf_skb_store_bytes(skb, 0, back->peer_mac, 2 * ETH_ALEN, 0))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count(&p->about, reason);
	return back ? bpf_redirect(back->ifindex, 0) : ebc_to_neighbour(p);
}

#endif
