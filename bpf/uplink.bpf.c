// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Where the node meets the network, and what the node itself sends. */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "cover.h"
#include "reap.h"
#include "translate.h"
#include "forward.h"

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

	/* Not sent to this host's own MAC address (what goes to many is not forwarded, and no answer to it is
	 * due: RFC 1122, 3.2.2), or part of another network; or counted when it comes out of its tunnel. */
	if (skb->pkt_type != PACKET_HOST || ebc_of_vlan(skb) || ebc_encapsulated_for_us(skb))
		return EBC_GO_ON;
	p = ebc_parse(skb, EBC_HOOK_UPLINK_INGRESS, &reason);
	if (!p)
		return EBC_GO_ON;
	if (reason || ebc_for_link(p))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	if (ebc_loopback(&p->about.flow.src) || ebc_loopback(&p->about.flow.dst))
		return ebc_refuse(p, EBC_DROP_LOOPBACK);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	/* For a pod of another node, to whom the stack would vouch for the source by its tunnel. */
	ebc_resolve(p);
	if ((p->place.kind & EBC_IPCACHE_POD) && !p->place.pod.ifindex &&
	    !ebc_configured(EBC_CONFIG_CHAINED) && !ebc_source_believed(p))
		return ebc_refuse(p, EBC_DROP_UPLINK_SOURCE);
	/* Behind another CNI plugin, what is no service's goes the way that it made, through its rules. */
	if (!(p->flags & EBC_PKT_CHANGED) && (ebc_configured(EBC_CONFIG_CHAINED) || !ebc_to_local_pod(p)))
		return ebc_pass(p, reason);
	ebc_learn_way_back(p, reason);
	return ebc_forward(skb, p, reason);
}

/* The node's own connection to a frontend, translated: to a pod here, to the node itself, or to elsewhere. */
static __noinline int ebc_host_forward(struct __sk_buff *skb, struct ebc_packet *p)
{
	const struct ebc_overlay *overlay;
	int route;

	if (ebc_to_local_pod(p)) {
		__builtin_memcpy(p->head, p->place.pod.pod_mac, 2 * ETH_ALEN);
		return ebc_write(skb, p, EBC_WRITE_MACS)
			   ? ebc_refuse(p, EBC_DROP_REWRITE)
			   : ebc_door(skb, p, EBC_WAY_QUEUE, EBC_REASON_SERVICE, p->place.pod.ifindex);
	}
	overlay = ebc_tunnel(p);
	if (overlay)
		return ebc_wire_len(skb, p) > overlay->mtu
			   ? ebc_return(skb, p, EBC_REJECT_SIZE, overlay->mtu)
			   : ebc_into_tunnel(skb, p, overlay, 0, EBC_REASON_SERVICE);
	/* As the stack looks up what a socket sends: rules for "iif lo" are for it. */
	route = ebc_route(skb, p, EBC_LO);
	if (route == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return ebc_return(skb, p, EBC_REJECT_SIZE, ebc_route_mtu(skb, p));
	if (ebc_leaves(route))
		return ebc_to_neighbour(skb, p, 0, EBC_REASON_SERVICE);
	if (route != BPF_FIB_LKUP_RET_NOT_FWDED)
		return ebc_refuse(p, EBC_DROP_REWRITE);
	if (p->about.ifindex != EBC_LO)
		return ebc_into_loopback(skb, p, EBC_REASON_SERVICE);
	return ebc_write(skb, p, 0) ? ebc_refuse(p, EBC_DROP_REWRITE) : ebc_pass(p, EBC_REASON_SERVICE);
}

/*
 * Forwarded by the host's stack, by its own routes: a pod's packet that leaves the cluster is hidden here if
 * it was not where it came from (what the stack had to see or to cut). False for what is no pod's.
 */
static __always_inline bool ebc_forwarded_for_pod(const struct __sk_buff *skb, struct ebc_packet *p)
{
	const struct ebc_ep *sender = ebc_endpoint(&p->about.flow.src);

	if (!sender || sender->ifindex != skb->ingress_ifindex)
		return false;
	p->flags |= EBC_PKT_OF_POD;
	return true;
}

/*
 * Where sockets are translated, what is left for a program on lo is what asks a loopback address: of clients
 * that are bound to one, or that no hook saw. All else, which a busy node has a lot of, costs a look at its
 * destination.
 */
static __always_inline bool ebc_lo_concerns(const struct __sk_buff *skb)
{
	const void *end = (void *)(long)skb->data_end;
	const struct ethhdr *eth = (void *)(long)skb->data;
	const struct ipv6hdr *v6 = (const void *)(eth + 1);
	const struct iphdr *v4 = (const void *)(eth + 1);

	if (!ebc_configured(EBC_CONFIG_SOCKET_LB) || ebc_configured(EBC_CONFIG_WHOLE_LO))
		return true;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return (const void *)(v4 + 1) <= end &&
		       (v4->daddr & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
	if (skb->protocol == bpf_htons(ETH_P_IPV6) && (const void *)(v6 + 1) <= end)
		return !(v6->daddr.s6_addr32[0] | v6->daddr.s6_addr32[1] | v6->daddr.s6_addr32[2] |
			 (v6->daddr.s6_addr32[3] ^ bpf_htonl(1)));
	return false;
}

/* By an uplink into the network, or to the node itself. What programs have sent here has been seen to where
 * it arrived. */
SEC("tc")
int ebc_host_egress(struct __sk_buff *skb)
{
	bool own = !skb->ingress_ifindex;
	struct ebc_packet *p;
	int reason;

	if (skb->ifindex == EBC_LO && !ebc_lo_concerns(skb))
		return EBC_GO_ON;
	if (ebc_marked(skb))
		return EBC_GO_ON;
	/* Of a VLAN device above this one, where it was seen if that is an uplink. */
	if (skb->vlan_present || ebc_encapsulated_by_us(skb))
		return EBC_GO_ON;
	if (!own && (!ebc_configured(EBC_CONFIG_MASQUERADE) || ebc_configured(EBC_CONFIG_CHAINED)))
		return EBC_GO_ON;
	p = ebc_parse(skb, EBC_HOOK_HOST_EGRESS, &reason);
	if (!p)
		return EBC_GO_ON;
	if (reason || ebc_for_link(p) || (!own && !ebc_forwarded_for_pod(skb, p)))
		return own ? ebc_pass(p, EBC_REASON_FORWARDED) : EBC_GO_ON;
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	if (own && reason == EBC_REASON_SERVICE)
		return ebc_host_forward(skb, p);
	/* The node's server has answered the node's own client. */
	return ebc_to_stack(skb, p, reason);
}

/* Run by the agent, never attached: deletes the dead among the connections that it names. */
SEC("tc")
int ebc_ct_reap(struct __sk_buff *skb)
{
	return ebc_reap(skb);
}
