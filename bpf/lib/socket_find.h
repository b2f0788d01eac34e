/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a connected datagram socket was led to, for the agent, which has no descriptor of it and so cannot
 * read its storage. (The kernel's socket diagnostics show storages of TCP sockets only.) The agent knows a
 * socket by its two ends and its cookie, and runs this in the socket's network namespace. Nothing has to be
 * kept in a table for it, which could be full, or keep what is gone.
 */
#ifndef EBC_SOCKET_FIND_H
#define EBC_SOCKET_FIND_H

#include "socket_storage.h"

/* The input: an Ethernet header that says nothing, the remote end with the cookie, the local end. */
#define EBC_FIND_OFFSET 14

static __always_inline struct bpf_sock *ebc_sk_lookup(struct __sk_buff *skb,
						      const struct ebc_sock_rev_key *remote,
						      const struct ebc_sock_rev_key *local)
{
	struct bpf_sock_tuple tuple = {};

	if (ebc_addr_is_v4(&remote->addr)) {
		tuple.ipv4.saddr = remote->addr.w[3];
		tuple.ipv4.daddr = local->addr.w[3];
		tuple.ipv4.sport = remote->port;
		tuple.ipv4.dport = local->port;
		return bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, &remote->addr, 16);
	__builtin_memcpy(tuple.ipv6.daddr, &local->addr, 16);
	tuple.ipv6.sport = remote->port;
	tuple.ipv6.dport = local->port;
	return bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* The id of the service port by which the socket was led to the remote end; 0: it was not, or is not found.
 */
static __always_inline int ebc_sk_service(struct __sk_buff *skb)
{
	struct ebc_sock_rev_key remote, local;
	const struct ebc_sk *slot;
	struct bpf_sock *sk;
	int service = 0;

	if (bpf_skb_load_bytes(skb, EBC_FIND_OFFSET, &remote, sizeof(remote)) ||
	    bpf_skb_load_bytes(skb, EBC_FIND_OFFSET + sizeof(remote), &local, sizeof(local)))
		return 0;
	sk = ebc_sk_lookup(skb, &remote, &local);
	if (!sk)
		return 0;
	slot = ebc_sk(sk);
	if (slot && slot->cookie == remote.cookie && ebc_sk_led_to(slot, &remote.addr, remote.port))
		service = slot->service_id;
	bpf_sk_release(sk);
	return service;
}

#endif
