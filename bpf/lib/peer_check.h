/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Who may have sent what comes out of a tunnel.
 *
 * Functions, not inlined: what they read would lie on the hook's own stack, and the longest chain of calls
 * behind it may have 512 bytes with all (Linux 5.10 rounds each up to 32).
 */
#ifndef EBC_PEER_CHECK_H
#define EBC_PEER_CHECK_H

#include "encap.h"

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
static __noinline int ebc_check_peer(struct __sk_buff *skb, const struct ebc_packet *p)
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
