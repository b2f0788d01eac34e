/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who sends: a pod may use its own addresses and nobody else's. */
#ifndef EBC_SOURCE_CHECK_H
#define EBC_SOURCE_CHECK_H

#include <linux/if_arp.h>

#include "endpoint_lookup.h"

#define EBC_ND_FIRST 133	 /* router solicitation */
#define EBC_ND_ROUTER_ADVERT 134 /* only routers send it, and no pod is one */
#define EBC_ND_LAST 136		 /* neighbour advertisement */
#define EBC_MLD_REPORT 131
#define EBC_MLD_DONE 132
#define EBC_MLD2_REPORT 143

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

/*
 * Link-local and unspecified sources exist for what a host must do before and besides having an address:
 * duplicate detection, router and neighbour discovery, multicast membership. They may say that to the host,
 * which is alone with the pod on its link, and nothing else; none of it is forwarded.
 */
static __always_inline int ebc_link_scope(const struct ebc_packet *p)
{
	__u8 type = p->icmp_type;
	bool nd =
	    type >= EBC_ND_FIRST && type <= EBC_ND_LAST && type != EBC_ND_ROUTER_ADVERT && p->ttl == 255;
	bool mld = type == EBC_MLD_REPORT || type == EBC_MLD_DONE || type == EBC_MLD2_REPORT;

	if (p->about.proto != IPPROTO_ICMPV6 || (p->flags & EBC_PKT_LATER) || !(nd || mld))
		return EBC_DROP_LINK_LOCAL;
	if (!ebc_v6_multicast(&p->about.flow.dst) && !ebc_v6_link_local(&p->about.flow.dst))
		return EBC_DROP_LINK_LOCAL;
	return 0;
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
	if (!ebc_mac_eq(arp.sender_mac, p->eth.h_source))
		return EBC_DROP_SOURCE_MAC;
	return ebc_owner(&p->about.flow.src, p->eth.h_source, p->about.ifindex);
}

#endif
