// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Where the node meets the network, and what the node itself sends. */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "forward.h"
#include "reap.h"
#include "translate.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A tag with id 0 names no VLAN, only a priority (IEEE 802.1Q, 9.6): it is taken off, as the stack would. */
static __always_inline bool ebc_of_vlan(struct __sk_buff *skb)
{
	if (!skb->vlan_present)
		return false;
	return (skb->vlan_tci & 0xfff) || bpf_skb_vlan_pop(skb);
}

/*
 * From the network. What is for a service or answers a translated connection goes on translated, what is for
 * a pod of this node goes into it, all else is the stack's.
 */
SEC("tc")
int ebc_uplink_ingress(struct __sk_buff *skb)
{
	struct ebc_packet *p;
	int reason;

	/* Seen only because somebody listens to everything, or part of another network. */
	if (skb->pkt_type == PACKET_OTHERHOST || ebc_of_vlan(skb))
		return TC_ACT_OK;
	if (ebc_encapsulated_for_us(skb)) {
		ebc_count_unread(skb, EBC_HOOK_UPLINK_INGRESS, EBC_REASON_FORWARDED);
		return TC_ACT_OK;
	}
	p = ebc_parse(skb, EBC_HOOK_UPLINK_INGRESS, &reason);
	if (!p)
		return TC_ACT_OK;
	if (reason || ebc_for_link(p))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	if (ebc_loopback(&p->about.flow.src) || ebc_loopback(&p->about.flow.dst))
		return ebc_refuse(p, EBC_DROP_LOOPBACK);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	/* Behind another CNI plugin, what is no service's goes the way that it made, past its rules. */
	if (!(p->flags & EBC_PKT_CHANGED) &&
	    (ebc_configured(EBC_CONFIG_CHAINED) || !ebc_endpoint(&p->to.dst)))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	ebc_learn_way_back(p, reason);
	return ebc_forward(skb, p, reason);
}

/* The node's own connection to a frontend, translated: to a pod here, to the node itself, or to elsewhere. */
static __noinline int ebc_host_forward(struct __sk_buff *skb, struct ebc_packet *p)
{
	const struct ebc_ep *local = ebc_endpoint(&p->to.dst);
	const struct ebc_overlay *overlay;
	int route;

	if (local) {
		if (ebc_rewrite(skb) || bpf_skb_store_bytes(skb, 0, local->pod_mac, 2 * ETH_ALEN, 0))
			return ebc_refuse(p, EBC_DROP_REWRITE);
		ebc_count(&p->about, EBC_REASON_SERVICE);
		skb->tc_index = EBC_PASSED;
		return bpf_redirect(local->ifindex, 0);
	}
	overlay = ebc_tunnel(p);
	if (overlay) {
		if (ebc_wire_len(skb, p) > overlay->mtu)
			return ebc_return(skb, p, EBC_REJECT_SIZE, overlay->mtu);
		if (ebc_rewrite(skb))
			return ebc_refuse(p, EBC_DROP_REWRITE);
		ebc_count(&p->about, EBC_REASON_SERVICE);
		skb->tc_index = EBC_PASSED;
		return bpf_redirect(overlay->ifindex, 0);
	}
	/* As the stack looks up what a socket sends: rules for "iif lo" are for it. */
	route = ebc_route(skb, p, EBC_LO);
	if (route == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return ebc_return(skb, p, EBC_REJECT_SIZE, ebc_route_mtu(skb, p));
	if (ebc_rewrite(skb))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count(&p->about, EBC_REASON_SERVICE);
	if (ebc_leaves(route)) {
		skb->tc_index = EBC_PASSED;
		return ebc_to_neighbour(p);
	}
	if (route != BPF_FIB_LKUP_RET_NOT_FWDED)
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return p->about.ifindex == EBC_LO ? TC_ACT_OK : ebc_into_loopback(skb, p);
}

/*
 * Sent by the node's own sockets. What is forwarded was translated where it arrived; it is known by the
 * device that it came from, which what is sent here has not.
 */
SEC("tc")
int ebc_host_egress(struct __sk_buff *skb)
{
	struct ebc_packet *p;
	int reason;

	if (skb->ingress_ifindex)
		return TC_ACT_OK;
	/* Of a VLAN device above this one, where it was seen if that is an uplink. */
	if (skb->vlan_present)
		return TC_ACT_OK;
	if (skb->tc_index == EBC_PASSED) {
		skb->tc_index = 0;
		return TC_ACT_OK;
	}
	p = ebc_parse(skb, EBC_HOOK_HOST_EGRESS, &reason);
	if (!p)
		return TC_ACT_OK;
	if (reason || ebc_for_link(p) || ebc_encapsulated_by_us(p))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	if (reason == EBC_REASON_SERVICE && !(p->flags & EBC_PKT_EDITED))
		return ebc_host_forward(skb, p);
	if (ebc_rewrite(skb))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return ebc_pass(p, reason);
}

/* Run by the agent, never attached: deletes the dead among the connections that it names. */
SEC("tc")
int ebc_ct_reap(struct __sk_buff *skb)
{
	return ebc_reap(skb);
}
