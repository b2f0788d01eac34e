/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Tunnels between nodes: which way leads through one, to whom, and who may have sent what comes out. */
#ifndef EBC_ENCAP_H
#define EBC_ENCAP_H

#include <linux/bpf.h>
#include <stddef.h>

#include "resolve.h"
#include "rewrite.h"
#include "route.h"

/* What every kernel knows of struct bpf_tunnel_key; the own address came with Linux 6.1. */
#define EBC_TUNNEL_KEY_SIZE offsetof(struct bpf_tunnel_key, local_ipv4)

/*
 * Does p->to go through a tunnel? What is for a pod does; what is for a node only if it has the
 * address of a pod, which the network between the nodes must not see. Nodes talk to each other as they always
 * did, and a pod's answer that has become its node's belongs to such talk.
 */
static __always_inline const struct ebc_overlay *ebc_tunnel(struct ebc_packet *p)
{
	const struct ebc_overlay *overlay = ebc_overlay();

	ebc_resolve(p);
	if (!overlay || !p->place.tunnel)
		return NULL;
	if (p->place.kind & EBC_IPCACHE_POD)
		return overlay;
	return p->about.hook == EBC_HOOK_POD_EGRESS && ebc_addr_eq(&p->to.src, &p->about.flow.src) ? overlay
												   : NULL;
}

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
static __always_inline bool ebc_encapsulated_for_us(struct __sk_buff *skb)
{
	struct ebc_cover cover;

	return ebc_cover(skb, &cover) && ebc_addr_eq(&cover.dst, cover.own);
}

/*
 * Leaves by an uplink for another end, from the tunnels' device: what is inside has been looked at, and its
 * cover is not a connection. What a pod sends to that port has been dropped before.
 */
static __always_inline bool ebc_encapsulated_by_us(struct __sk_buff *skb)
{
	struct ebc_cover cover;

	return ebc_cover(skb, &cover) && ebc_addr_eq(&cover.src, cover.own);
}

/*
 * Every tunnel's device has the same MAC address, so the inner frame is for it whatever the way was; the
 * sender has another, since the kernel takes a frame from its own device's address for an echo:
 * 02:ec:c0:00:00:01, from 02:ec:c0:00:00:02.
 */
static __always_inline void ebc_tunnel_macs(struct ebc_packet *p)
{
	__be32 macs[3];

	macs[0] = bpf_htonl(0x02ecc000);
	macs[1] = bpf_htonl(0x000102ec);
	macs[2] = bpf_htonl(0xc0000002);
	__builtin_memcpy(p->head, macs, sizeof(macs));
}

/*
 * The key of the tunnel to the node with this address in the underlay. Our own address is set where the
 * kernel can: the receiver knows us by it. The checksum around IPv4 is left out (RFC 7348, 4.1; IPv6 demands
 * it): what is inside has its own. 0, or negative.
 */
static __always_inline int ebc_tunnel_key(struct __sk_buff *skb, const struct ebc_overlay *overlay,
					  const struct ebc_addr *remote)
{
	struct bpf_tunnel_key key = {.tunnel_id = overlay->vni};
	__u64 flags;

	if (ebc_addr_is_v4(remote)) {
		flags = BPF_F_ZERO_CSUM_TX;
		key.remote_ipv4 = bpf_ntohl(remote->w[3]);
		key.local_ipv4 = bpf_ntohl(ebc_node.own.v4.w[3]);
	} else {
		flags = BPF_F_TUNINFO_IPV6;
		__builtin_memcpy(key.remote_ipv6, remote, sizeof(*remote));
		__builtin_memcpy(key.local_ipv6, &ebc_node.own.v6, sizeof(ebc_node.own.v6));
	}
	return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags) &&
		       bpf_skb_set_tunnel_key(skb, &key, EBC_TUNNEL_KEY_SIZE, flags)
		   ? -1
		   : 0;
}

/* The address of the node that encapsulated the packet for our network; false for what came otherwise. */
static __always_inline bool ebc_encapsulated_from(struct __sk_buff *skb, struct ebc_addr *remote)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	struct bpf_tunnel_key key = {};

	if (!bpf_skb_get_tunnel_key(skb, &key, EBC_TUNNEL_KEY_SIZE, 0))
		ebc_addr_from_v4(remote, bpf_htonl(key.remote_ipv4));
	else if (!bpf_skb_get_tunnel_key(skb, &key, EBC_TUNNEL_KEY_SIZE, BPF_F_TUNINFO_IPV6))
		__builtin_memcpy(remote, key.remote_ipv6, sizeof(*remote));
	else
		return false;
	return overlay && key.tunnel_id == overlay->vni;
}

/*
 * 0, or why the packet may not have come out of this tunnel. A node speaks for its own pods and itself; most
 * often one look tells both who it is and that it may. It also hands on what those outside say to or about
 * them (routers' ICMP errors), so foreign addresses pass: they prove nothing about who is inside.
 */
static __always_inline int ebc_check_peer(struct __sk_buff *skb, const struct ebc_packet *p)
{
	const struct ebc_ipcache *from, *peer;
	struct ebc_addr remote;
	bool inside;

	if (!ebc_encapsulated_from(skb, &remote))
		return EBC_DROP_TUNNEL_PEER;
	from = ebc_ipcache_find(&p->about.flow.src);
	inside = from && (from->flags & (EBC_IPCACHE_POD | EBC_IPCACHE_NODE));
	if (inside && from->ifindex && ebc_addr_eq(&from->tunnel, &remote))
		return 0;
	/* A node may have several addresses; they all have its tunnel. */
	peer = ebc_ipcache_find(&remote);
	if (!peer || !peer->ifindex || !(peer->flags & EBC_IPCACHE_NODE))
		return EBC_DROP_TUNNEL_PEER;
	return inside && !ebc_addr_eq(&from->tunnel, &peer->tunnel) ? EBC_DROP_TUNNEL_SOURCE : 0;
}

#endif
