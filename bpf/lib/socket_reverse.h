/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a socket had asked for, found again from the backend that it talks to. */
#ifndef EBC_SOCKET_REVERSE_H
#define EBC_SOCKET_REVERSE_H

#include <linux/in.h>

#include "service_lookup.h"
#include "socket_address.h"

#define EBC_AF_INET 2

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_sock_rev_key);
	__type(value, struct ebc_sock_rev);
} ebc_sock_rev_v1 SEC(".maps");

/*
 * Gone with its socket, which for TCP is the connection's end: then the next socket finds the memory warm,
 * and those that live long do not have to make room for many that did not. What no hook sees the end of (a
 * socket that was connected several times, or never and sent to several services) stays until the LRU needs
 * the room; a cookie is never used twice.
 */
static __noinline void ebc_sock_remember(__u64 cookie, const struct ebc_backend *b,
					 const struct ebc_sockaddr *front, __u32 service_id)
{
	struct ebc_sock_rev_key key = {.cookie = cookie, .addr = b->addr, .port = b->port};
	struct ebc_sock_rev rev = {.addr = front->addr, .port = front->port, .service_id = service_id};
	const struct ebc_sock_rev *known = bpf_map_lookup_elem(&ebc_sock_rev_v1, &key);

	/* A datagram socket comes here with each datagram: look, which also keeps the entry young, before
	 * writing. */
	if (known && ebc_addr_eq(&known->addr, &rev.addr) && known->port == rev.port &&
	    known->service_id == service_id)
		return;
	bpf_map_update_elem(&ebc_sock_rev_v1, &key, &rev, BPF_ANY);
}

/* A datagram socket is closed. */
static __always_inline void ebc_sock_forget(struct bpf_sock *sk)
{
	struct ebc_sock_rev_key key = {};
	__u32 v4;

	key.port = sk->dst_port;
	if (sk->protocol != IPPROTO_UDP || !key.port)
		return;
	key.cookie = bpf_get_socket_cookie(sk);
	/* See ebc_sock_ops_find. */
	v4 = *(volatile __u32 *)&sk->dst_ip4;
	key.addr.w[0] = *(volatile __u32 *)&sk->dst_ip6[0];
	key.addr.w[1] = *(volatile __u32 *)&sk->dst_ip6[1];
	key.addr.w[2] = *(volatile __u32 *)&sk->dst_ip6[2];
	key.addr.w[3] = *(volatile __u32 *)&sk->dst_ip6[3];
	if (sk->family == EBC_AF_INET) {
		key.addr.w[0] = 0;
		key.addr.w[1] = 0;
		key.addr.w[2] = bpf_htonl(0xffff);
		key.addr.w[3] = v4;
	}
	bpf_map_delete_elem(&ebc_sock_rev_v1, &key);
}

#endif
