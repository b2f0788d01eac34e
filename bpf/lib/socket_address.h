/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading and writing the address of a socket call. */
#ifndef EBC_SOCKET_ADDRESS_H
#define EBC_SOCKET_ADDRESS_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>

#include "abi/common_abi.h"
#include "service_lookup.h"

/* What a socket call names: an address of either family (IPv4 mapped) and a port. */
struct ebc_sockaddr {
	struct ebc_addr addr;
	__be16 port;
	__u16 pad0;
};

/* user_ip4 and user_ip6 are in network order. user_port is 32 bits wide and holds the network-order port in
 * the lower 16; the kernel takes only accesses of whole words for writing, and so do we for reading. */
static __always_inline void ebc_sockaddr_get4(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a)
{
	a->addr.w[0] = 0;
	a->addr.w[1] = 0;
	a->addr.w[2] = bpf_htonl(0xffff);
	a->addr.w[3] = ctx->user_ip4;
	a->port = (__be16)ctx->user_port;
	a->pad0 = 0;
}

static __always_inline void ebc_sockaddr_get6(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a)
{
	a->addr.w[0] = ctx->user_ip6[0];
	a->addr.w[1] = ctx->user_ip6[1];
	a->addr.w[2] = ctx->user_ip6[2];
	a->addr.w[3] = ctx->user_ip6[3];
	a->port = (__be16)ctx->user_port;
	a->pad0 = 0;
}

static __always_inline void ebc_sockaddr_set4(struct bpf_sock_addr *ctx, const struct ebc_addr *addr,
					      __be16 port)
{
	ctx->user_ip4 = addr->w[3];
	ctx->user_port = port;
}

/* A v6 socket that asked for ::ffff:a.b.c.d gets ::ffff:backend, which is how our tables write it anyway. */
static __always_inline void ebc_sockaddr_set6(struct bpf_sock_addr *ctx, const struct ebc_addr *addr,
					      __be16 port)
{
	ctx->user_ip6[0] = addr->w[0];
	ctx->user_ip6[1] = addr->w[1];
	ctx->user_ip6[2] = addr->w[2];
	ctx->user_ip6[3] = addr->w[3];
	ctx->user_port = port;
}

/* 0.0.0.0, :: and what an IPv6 socket may write for the former. */
static __always_inline bool ebc_addr_is_any(const struct ebc_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[3]) && (!a->w[2] || a->w[2] == bpf_htonl(0xffff));
}

#endif
