/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a socket asked for, kept with the socket: no table that other sockets could fill, gone with its owner.
 */
#ifndef EBC_SOCKET_STORAGE_H
#define EBC_SOCKET_STORAGE_H

#include "config.h"
#include "socket_address.h"

#define EBC_AF_INET 2
#define EBC_AF_INET6 10
#define EBC_SK_CONNECTED 1 /* TCP_ESTABLISHED, which a connected datagram socket is in, too */
#define EBC_FLOW_SECOND 1000000000ULL

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ebc_sk);
} ebc_sk_v1 SEC(".maps");

/* NULL for a socket that met no frontend. */
static __always_inline struct ebc_sk *ebc_sk(void *sk)
{
	return bpf_sk_storage_get(&ebc_sk_v1, sk, NULL, 0);
}

/*
 * The socket's element from now on. An old one is replaced and not written to, so its readers on other CPUs
 * see all of it or nothing. What another thread of the socket's owner set in the same instant stays, and is
 * returned. NULL: no memory.
 */
static __always_inline struct ebc_sk *ebc_sk_set(struct bpf_sock *sk, const struct ebc_sk *to)
{
	bpf_sk_storage_delete(&ebc_sk_v1, sk);
	return bpf_sk_storage_get(&ebc_sk_v1, sk, (void *)to, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline bool ebc_sk_asked(const struct ebc_sk *slot, const struct ebc_sockaddr *a)
{
	return ebc_addr_eq(&slot->front, &a->addr) && slot->front_port == a->port;
}

static __always_inline bool ebc_sk_led_to(const struct ebc_sk *slot, const struct ebc_addr *addr, __be16 port)
{
	return slot->port && ebc_addr_eq(&slot->backend, addr) && slot->port == port;
}

/* Nanoseconds since then; another CPU may have written it after we read the clock. */
static __always_inline __u64 ebc_flow_idle(__u64 last_used_ns, __u64 now)
{
	return now > last_used_ns ? now - last_used_ns : 0;
}

static __always_inline bool ebc_flow_over(__u64 last_used_ns, __u64 now)
{
	return ebc_flow_idle(last_used_ns, now) > ebc_config.ct_timeouts.udp_stream * EBC_FLOW_SECOND;
}

/*
 * Is the socket connected to this very address? Both families are read and one is used: the compiler must not
 * make one access of two, at an address that it computes, which the verifier refuses.
 */
static __always_inline bool ebc_sk_connected_to(const struct bpf_sock *sk, const struct ebc_addr *addr,
						__be16 port)
{
	struct ebc_addr peer;
	__u32 v4;

	if (sk->state != EBC_SK_CONNECTED || (__be16)sk->dst_port != port)
		return false;
	v4 = *(volatile __u32 *)&sk->dst_ip4;
	peer.w[0] = *(volatile __u32 *)&sk->dst_ip6[0];
	peer.w[1] = *(volatile __u32 *)&sk->dst_ip6[1];
	peer.w[2] = *(volatile __u32 *)&sk->dst_ip6[2];
	peer.w[3] = *(volatile __u32 *)&sk->dst_ip6[3];
	if (sk->family == EBC_AF_INET) {
		peer.w[0] = 0;
		peer.w[1] = 0;
		peer.w[2] = bpf_htonl(0xffff);
		peer.w[3] = v4;
	}
	return ebc_addr_eq(&peer, addr);
}

#endif
