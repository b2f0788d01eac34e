// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The device of the tunnels to other nodes: what leaves is told where to, what arrives is checked and
 * delivered. */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "forward.h"
#include "translate.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Out of a tunnel. As from the network otherwise; what is for a link was for another one. */
SEC("tc")
int ebc_overlay_ingress(struct __sk_buff *skb)
{
	struct ebc_packet *p;
	int reason;

	p = ebc_parse(skb, EBC_HOOK_OVERLAY_INGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	if (!reason)
		reason = ebc_check_peer(skb, p);
	if (!reason && ebc_for_link(p))
		reason = EBC_DROP_LINK_LOCAL;
	if (!reason && (ebc_loopback(&p->about.flow.src) || ebc_loopback(&p->about.flow.dst)))
		reason = EBC_DROP_LOOPBACK;
	if (reason)
		return ebc_refuse(p, reason);
	/* Every node's frames are for every other node's device; older versions may address them otherwise.
	 */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	if (!(p->flags & EBC_PKT_CHANGED) && !ebc_endpoint(&p->to.dst))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	return ebc_forward(skb, p, reason);
}

/* To which node the packet belongs; NULL for none. Only its destination is read. */
static __always_inline const struct ebc_ipcache *ebc_tunnel_of(struct __sk_buff *skb)
{
	struct ebc_addr dst;
	__be32 v4;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, EBC_IP_OFFSET + offsetof(struct iphdr, daddr), &v4, sizeof(v4)))
			return NULL;
		ebc_addr_from_v4(&dst, v4);
	} else if (skb->protocol != bpf_htons(ETH_P_IPV6) ||
		   bpf_skb_load_bytes(skb, EBC_IP_OFFSET + offsetof(struct ipv6hdr, daddr), &dst,
				      sizeof(dst)) ||
		   ebc_addr_is_v4(&dst)) {
		return NULL;
	}
	return ebc_ipcache_find(&dst);
}

/* 0 when it is on its way; EBC_PASSED is for the uplink, which it meets encapsulated. */
static __always_inline int ebc_pack(struct __sk_buff *skb, const struct ebc_ipcache *to)
{
	const struct ebc_overlay *overlay = ebc_overlay();

	if (!overlay || !to || !to->ifindex)
		return EBC_DROP_NO_TUNNEL;
	if (ebc_encapsulate(skb, overlay, &to->tunnel))
		return EBC_DROP_REWRITE;
	skb->tc_index = EBC_PASSED;
	return 0;
}

/*
 * Into a tunnel. What is forwarded was translated where it arrived, and needs nothing but an address on its
 * cover; what the node's own sockets send is translated as on an uplink.
 */
SEC("tc")
int ebc_overlay_egress(struct __sk_buff *skb)
{
	bool own = !skb->ingress_ifindex && skb->tc_index != EBC_PASSED;
	struct ebc_packet *p;
	int reason, failure;

	if (!own && !ebc_pack(skb, ebc_tunnel_of(skb))) {
		ebc_count_unread(skb, EBC_HOOK_OVERLAY_EGRESS, EBC_REASON_FORWARDED);
		return TC_ACT_OK;
	}
	p = ebc_parse(skb, EBC_HOOK_OVERLAY_EGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	if (reason)
		return ebc_refuse(p, reason);
	/* The kernel greets the routers of every link. Nobody is on this one: the device discards it. */
	if (ebc_for_link(p))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	if (own) {
		reason = ebc_translate(skb, p);
		if (reason >= EBC_DROP_FIRST)
			return ebc_deny(skb, p, reason);
		if (ebc_rewrite(skb))
			return ebc_refuse(p, EBC_DROP_REWRITE);
	}
	failure = ebc_pack(skb, ebc_ipcache_find(&p->to.dst));
	return failure ? ebc_refuse(p, failure) : ebc_pass(p, reason);
}
