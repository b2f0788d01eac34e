/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sockets that are bound to a loopback address, and whose backend is elsewhere. */
#ifndef EBC_SOCKET_SOURCE_H
#define EBC_SOCKET_SOURCE_H

#include <linux/in.h>
#include <linux/in6.h>

#include "node.h"
#include "socket_address.h"
#include "socket_storage.h"

/* The address that the socket is bound to; :: or 0.0.0.0 if to none. */
static __always_inline void ebc_sk_source(const struct bpf_sock *sk, struct ebc_addr *source)
{
	__u32 v4 = *(volatile __u32 *)&sk->src_ip4;

	/* See ebc_sk_connected_to. */
	source->w[0] = *(volatile __u32 *)&sk->src_ip6[0];
	source->w[1] = *(volatile __u32 *)&sk->src_ip6[1];
	source->w[2] = *(volatile __u32 *)&sk->src_ip6[2];
	source->w[3] = *(volatile __u32 *)&sk->src_ip6[3];
	if (sk->family == EBC_AF_INET) {
		source->w[0] = 0;
		source->w[1] = 0;
		source->w[2] = bpf_htonl(0xffff);
		source->w[3] = v4;
	}
}

/* The same for a datagram of a socket that is not connected, whose source may also come with it. */
static __always_inline void ebc_msg_source(struct bpf_sock_addr *ctx, bool call_v6, struct ebc_addr *source)
{
	if (call_v6) {
		source->w[0] = ctx->msg_src_ip6[0];
		source->w[1] = ctx->msg_src_ip6[1];
		source->w[2] = ctx->msg_src_ip6[2];
		source->w[3] = ctx->msg_src_ip6[3];
	} else {
		ebc_addr_from_v4(source, ctx->msg_src_ip4);
	}
}

/*
 * Where tc translates all, is this left to the socket? What asks a loopback address from an address that is
 * none is dropped by kubelet's rule in OUTPUT before it gets to tc, unless its destination is another one by
 * then.
 */
static __always_inline bool ebc_sock_from_outside(struct bpf_sock_addr *ctx, const struct bpf_sock *sk,
						  bool connects, bool call_v6)
{
	struct ebc_addr source;

	if (connects)
		ebc_sk_source(sk, &source);
	else
		ebc_msg_source(ctx, call_v6, &source);
	return !ebc_addr_is_any(&source) && !ebc_loopback(&source);
}

/* As below, for a datagram of a socket that is not connected. */
static __always_inline bool ebc_sock_source_send(struct bpf_sock_addr *ctx, const struct ebc_addr *backend,
						 bool call_v6)
{
	struct ebc_addr source;

	ebc_msg_source(ctx, call_v6, &source);
	return !ebc_loopback(&source) || ebc_loopback(backend);
}

/*
 * From 127.0.0.1 no packet leaves the node, so connect() to a backend elsewhere would fail with EINVAL. A
 * socket that was bound without a port (IP_BIND_ADDRESS_NO_PORT) is bound anew, to the node's address. One
 * that owns a port cannot be, and a datagram socket would not hear answers to another address than its own:
 * false, the call keeps its loopback destination, and tc translates source and destination where the packets
 * pass.
 */
static __noinline bool ebc_sock_source_connect(struct bpf_sock_addr *ctx, const struct bpf_sock *sk,
					       const struct ebc_addr *backend, bool call_v6)
{
	struct ebc_addr source;

	ebc_sk_source(sk, &source);
	if (!ebc_loopback(&source) || ebc_loopback(backend))
		return true;
	if (sk->src_port)
		return false;
	source = ebc_addr_is_v4(backend) ? ebc_node.own.v4 : ebc_node.own.v6;
	if (ebc_addr_is_any(&source))
		return false;
	if (call_v6) {
		struct sockaddr_in6 to = {.sin6_family = EBC_AF_INET6};

		__builtin_memcpy(&to.sin6_addr, &source, sizeof(source));
		return !bpf_bind(ctx, (struct sockaddr *)&to, sizeof(to));
	} else {
		struct sockaddr_in to = {.sin_family = EBC_AF_INET, .sin_addr.s_addr = source.w[3]};

		return !bpf_bind(ctx, (struct sockaddr *)&to, sizeof(to));
	}
}

#endif
