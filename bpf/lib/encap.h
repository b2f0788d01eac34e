/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Tunnels between nodes: which way leads through one, to whom, and who may have sent what comes out. */
#ifndef EBC_ENCAP_H
#define EBC_ENCAP_H

#include <linux/bpf.h>
#include <stddef.h>

#include "endpoint_lookup.h"
#include "ipcache_lookup.h"
#include "parse.h"
#include "route.h"
#include "service_lookup.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ebc_overlay);
} ebc_overlay_v1 SEC(".maps");

/* What every kernel knows of struct bpf_tunnel_key; the own address came with Linux 6.1. */
#define EBC_TUNNEL_KEY_SIZE offsetof(struct bpf_tunnel_key, local_ipv4)

/* This node's end of all tunnels; NULL where there is none. */
static __always_inline const struct ebc_overlay *ebc_overlay(void)
{
	__u32 only = 0;
	const struct ebc_overlay *overlay = bpf_map_lookup_elem(&ebc_overlay_v1, &only);

	return overlay && overlay->ifindex ? overlay : NULL;
}

/*
 * Does p->to go through a tunnel? What is for a pod does; what is for a node only if it has the
 * address of a pod, which the network between the nodes must not see. Nodes talk to each other as they always
 * did, and a pod's answer that has become its node's belongs to such talk.
 */
static __always_inline const struct ebc_overlay *ebc_tunnel(const struct ebc_packet *p)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	const struct ebc_ipcache *to;

	if (!overlay)
		return NULL;
	to = ebc_ipcache_find(&p->to.dst);
	if (!to || !to->ifindex)
		return NULL;
	if (to->flags & EBC_IPCACHE_POD)
		return overlay;
	return p->about.hook == EBC_HOOK_POD_EGRESS && ebc_endpoint(&p->to.src) ? overlay : NULL;
}

/*
 * Arrived at an uplink, for the tunnel's end on this node: what is inside will be looked at when it is out.
 * Asked before anything else is read, since it may be most of what arrives. One with IP options or extension
 * headers, or cut in pieces, goes the long way to the same end.
 */
static __always_inline bool ebc_encapsulated_for_us(struct __sk_buff *skb)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	const struct ebc_uplink *own = ebc_uplink(EBC_UPLINK_NODE);
	struct {
		struct iphdr ip;
		__be16 sport, dport;
	} v4;
	struct {
		struct ipv6hdr ip;
		__be16 sport, dport;
	} v6;

	if (!overlay || !own)
		return false;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !bpf_skb_load_bytes(skb, EBC_IP_OFFSET, &v4, sizeof(v4)) && v4.ip.ihl == 5 &&
		       v4.ip.protocol == IPPROTO_UDP && !(v4.ip.frag_off & bpf_htons(0x3fff)) &&
		       v4.dport == overlay->port && v4.ip.daddr == own->v4.w[3];
	return skb->protocol == bpf_htons(ETH_P_IPV6) &&
	       !bpf_skb_load_bytes(skb, EBC_IP_OFFSET, &v6, sizeof(v6)) && v6.ip.nexthdr == IPPROTO_UDP &&
	       v6.dport == overlay->port && ebc_addr_eq((const struct ebc_addr *)&v6.ip.daddr, &own->v6);
}

/*
 * Leaves by an uplink for another end: what is inside has been looked at, and its cover is not a connection.
 * The tunnel's program marks it (EBC_PASSED), but filters, which older kernels have, lose the mark.
 */
static __always_inline bool ebc_encapsulated_by_us(const struct ebc_packet *p)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	const struct ebc_ipcache *to;

	if (!overlay || p->about.proto != IPPROTO_UDP || p->about.flow.dport != overlay->port)
		return false;
	to = ebc_ipcache_find(&p->about.flow.dst);
	return to && to->ifindex && ebc_addr_eq(&to->tunnel, &p->about.flow.dst);
}

/*
 * To the node with this address in the underlay. Every tunnel's device has the same MAC address, so the inner
 * frame is for it whatever the way was; the sender has another, since the kernel takes a frame from its own
 * device's address for an echo. Our own address is set where the kernel can: the receiver knows us by it. The
 * checksum around IPv4 is left out (RFC 7348, 4.1; IPv6 demands it): what is inside has its own. 0, or
 * negative.
 */
static __always_inline int ebc_encapsulate(struct __sk_buff *skb, const struct ebc_overlay *overlay,
					   const struct ebc_addr *remote)
{
	/* 02:ec:c0:00:00:01, from 02:ec:c0:00:00:02 */
	__be32 macs[3];
	const struct ebc_uplink *own = ebc_uplink(EBC_UPLINK_NODE);
	struct bpf_tunnel_key key = {.tunnel_id = overlay->vni};
	__u64 flags;

	if (ebc_addr_is_v4(remote)) {
		flags = BPF_F_ZERO_CSUM_TX;
		key.remote_ipv4 = bpf_ntohl(remote->w[3]);
		if (own)
			key.local_ipv4 = bpf_ntohl(own->v4.w[3]);
	} else {
		flags = BPF_F_TUNINFO_IPV6;
		__builtin_memcpy(key.remote_ipv6, remote, sizeof(*remote));
		if (own)
			__builtin_memcpy(key.local_ipv6, &own->v6, sizeof(own->v6));
	}
	macs[0] = bpf_htonl(0x02ecc000);
	macs[1] = bpf_htonl(0x000102ec);
	macs[2] = bpf_htonl(0xc0000002);
	if (bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0))
		return -1;
	return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags) &&
		       bpf_skb_set_tunnel_key(skb, &key, EBC_TUNNEL_KEY_SIZE, flags)
		   ? -1
		   : 0;
}

/* The address of whoever encapsulated the packet for our network; false for what came otherwise. */
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
