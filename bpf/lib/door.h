/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one door into pods: whatever reaches a pod of this node passes ebc_door, whichever way it comes. What a
 * pod may receive is judged here and nowhere else.
 */
#ifndef EBC_DOOR_H
#define EBC_DOOR_H

#include "hairpin.h"
#include "mark.h"
#include "resolve.h"
#include "verdict.h"

enum ebc_way {
	EBC_WAY_PEER = 0,  /* as if received inside of the pod, where the kernel can do that */
	EBC_WAY_QUEUE = 1, /* through the queue of the veth's host side */
	EBC_WAY_STACK = 2, /* the host's stack brings it, and it is on its way through the veth */
	EBC_WAY_BACK = 3,  /* the pod's own packet, refused */
};

/* Sources that no packet has (RFC 1122, 3.2.1.3; RFC 4291, 2.7). */
static __always_inline bool ebc_martian(const struct ebc_packet *p)
{
	const struct ebc_addr *src = &p->about.flow.src;

	if (p->flags & EBC_PKT_V6)
		return ebc_v6_multicast(src) || ebc_addr_unset(src);
	return ebc_v4_for_many(src) || !(src->w[3] & bpf_htonl(0xff000000));
}

/*
 * May a packet with this source come from the network? What the kernel would ask before it forwards (martian
 * sources, rp_filter) is asked here, since it is passed by: not from this node itself or one of its pods, and
 * not from a pod of a node that is reached through a tunnel, whose packets come out of that. What a load
 * balancer sends back to the node where it came from (a hairpin) has such a source; it is let in where the
 * source is replaced by the node's address, which it then would have anyway.
 */
static __always_inline bool ebc_source_believed(const struct ebc_packet *p)
{
	const struct ebc_addr *src = &p->about.flow.src;
	const struct ebc_ipcache *from;

	if (p->about.hook != EBC_HOOK_UPLINK_INGRESS)
		return true;
	/* A port alone may also be changed of what comes directly. */
	if ((p->flags & EBC_PKT_TRACKED) &&
	    (p->ct.flags & (EBC_CT_REPLY | EBC_CT_MASQUERADE)) == EBC_CT_MASQUERADE &&
	    (!ebc_addr_eq(&p->to.src, src) ||
	     ((p->ct.flags & EBC_CT_SERVICE) && (ebc_ipcache(src) & EBC_IPCACHE_NODE))))
		return true;
	if (ebc_martian(p) || ebc_is_hairpin_address(src))
		return false;
	from = ebc_ipcache_find(src);
	if (from && ((from->flags & EBC_IPCACHE_LOCAL) || (from->ifindex && (from->flags & EBC_IPCACHE_POD))))
		return false;
	/* Behind another plugin, pods' addresses have no prefix of their own. */
	return !ebc_configured(EBC_CONFIG_CHAINED) || !ebc_endpoint(src);
}

/* 0, or why the packet may not enter the pod. */
static __always_inline int ebc_may_enter(const struct ebc_packet *p)
{
	return ebc_source_believed(p) ? 0 : EBC_DROP_UPLINK_SOURCE;
}

/* Through the door. By EBC_WAY_STACK the packet is on its way already; else it is sent to the pod behind
 * `veth`. */
static __noinline int ebc_door(struct __sk_buff *skb, struct ebc_packet *p, int way, int reason, __u32 veth)
{
	int forbidden = ebc_may_enter(p);

	if (forbidden)
		return ebc_refuse(p, forbidden);
	/* What was refused has been counted. */
	if (way != EBC_WAY_BACK)
		ebc_count_on(ebc_scratch_cpu(p), &p->about,
			     reason == EBC_REASON_FORWARDED ? EBC_REASON_DELIVERED : reason);
	if (way == EBC_WAY_STACK)
		return EBC_GO_ON;
	/* Past the veth's queue only where that does not limit the pod's rate, and from a receiving side
	 * only. */
	if (way != EBC_WAY_QUEUE && ebc_configured(EBC_CONFIG_REDIRECT_PEER))
		return bpf_redirect_peer(veth, 0);
	ebc_mark(skb);
	return bpf_redirect(veth, 0);
}

#endif
