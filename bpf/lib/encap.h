/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Tunnels between nodes: which way leads through one, and to whom. */
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
static __noinline int ebc_tunnel_key(struct __sk_buff *skb, const struct ebc_overlay *overlay,
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

#endif
