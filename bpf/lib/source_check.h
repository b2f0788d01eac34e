/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who sends: a pod may use its own addresses and no others, and the network none of this node's. */
#ifndef EBC_SOURCE_CHECK_H
#define EBC_SOURCE_CHECK_H

#include <linux/if_arp.h>

#include "endpoint_lookup.h"
#include "hairpin.h"
#include "resolve.h"

static __always_inline bool ebc_mac_eq(const __u8 *a, const __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] && a[5] == b[5];
}

/* 0, or the drop reason. */
static __always_inline int ebc_owner(const struct ebc_addr *src, const __u8 *mac, __u32 ifindex)
{
	const struct ebc_ep *ep = ebc_endpoint(src);

	if (!ep || ep->ifindex != ifindex)
		return EBC_DROP_SOURCE_ADDRESS;
	return ebc_mac_eq(ep->pod_mac, mac) ? 0 : EBC_DROP_SOURCE_MAC;
}

/* An ARP packet claims a pair of addresses for its sender: both must be the pod's own. */
static __noinline int ebc_check_arp(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct {
		struct arphdr head;
		__u8 sender_mac[ETH_ALEN];
		__u8 sender[4];
		__u8 target_mac[ETH_ALEN];
		__u8 target[4];
	} __attribute__((packed)) arp;
	__be32 sender, target;

	if (bpf_skb_load_bytes(skb, EBC_IP_OFFSET, &arp, sizeof(arp)) ||
	    arp.head.ar_hrd != bpf_htons(ARPHRD_ETHER) || arp.head.ar_pro != bpf_htons(ETH_P_IP) ||
	    arp.head.ar_hln != ETH_ALEN || arp.head.ar_pln != 4)
		return EBC_DROP_MALFORMED;
	__builtin_memcpy(&sender, arp.sender, 4);
	__builtin_memcpy(&target, arp.target, 4);
	ebc_addr_from_v4(&p->about.flow.src, sender);
	ebc_addr_from_v4(&p->about.flow.dst, target);
	if (!ebc_mac_eq(arp.sender_mac, ebc_eth(p)->h_source))
		return EBC_DROP_SOURCE_MAC;
	return ebc_owner(&p->about.flow.src, ebc_eth(p)->h_source, p->about.ifindex);
}

/* 0, or the reason why the pod may not send this. */
static __always_inline int ebc_check_source(struct __sk_buff *skb, struct ebc_packet *p)
{
	if (p->flags & EBC_PKT_ARP)
		return ebc_check_arp(skb, p);
	return ebc_owner(&p->about.flow.src, ebc_eth(p)->h_source, p->about.ifindex);
}

/*
 * What a host says to its link before and besides having an address: neighbour and router discovery,
 * duplicate detection, multicast membership. A pod's neighbours are permanent entries on both ends, so
 * nothing has to be asked or told, and a host that believed it could be told wrong.
 */
static __always_inline bool ebc_small_talk(const struct ebc_packet *p)
{
	const struct ebc_addr *src = &p->about.flow.src;

	return (p->flags & EBC_PKT_V6) && (ebc_v6_link_local(src) || ebc_addr_unset(src));
}

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

#endif
