/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a translated TCP connection carried, read from the socket when it closes: no packet pays for it. */
#ifndef EBC_SOCKET_STAT_H
#define EBC_SOCKET_STAT_H

#include "socket_reverse.h"
#include "stat.h"

/* What the connection was asked for; NULL if no hook translated it (or the LRU has forgotten). */
static __always_inline const struct ebc_sock_rev *ebc_sock_ops_find(struct bpf_sock_ops *ctx,
								    struct ebc_sock_rev_key *key)
{
	__u32 v4;

	key->cookie = bpf_get_socket_cookie(ctx);
	/* Both families are read and one is used: the compiler must not make one access of two, at an address
	 * that it computes, which the verifier refuses. */
	v4 = *(volatile __u32 *)&ctx->remote_ip4;
	key->addr.w[0] = *(volatile __u32 *)&ctx->remote_ip6[0];
	key->addr.w[1] = *(volatile __u32 *)&ctx->remote_ip6[1];
	key->addr.w[2] = *(volatile __u32 *)&ctx->remote_ip6[2];
	key->addr.w[3] = *(volatile __u32 *)&ctx->remote_ip6[3];
	if (ctx->family == EBC_AF_INET) {
		key->addr.w[0] = 0;
		key->addr.w[1] = 0;
		key->addr.w[2] = bpf_htonl(0xffff);
		key->addr.w[3] = v4;
	}
	/* 32 bits in network order, which puts the port into the last two bytes. */
	key->port = bpf_htons(bpf_ntohl(ctx->remote_port));
	return bpf_map_lookup_elem(&ebc_sock_rev_v1, key);
}

/* Asks to be told of the connection's end. Another program's wishes stay. */
static __always_inline void ebc_sock_ops_begin(struct bpf_sock_ops *ctx)
{
	struct ebc_sock_rev_key key = {};

	if (ebc_sock_ops_find(ctx, &key))
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* The bytes are counted by sequence numbers: payload, without what was sent twice, and 1 each for SYN and
 * FIN. */
static __always_inline void ebc_sock_ops_end(struct bpf_sock_ops *ctx)
{
	struct ebc_sock_rev_key key = {};
	const struct ebc_sock_rev *rev = ebc_sock_ops_find(ctx, &key);
	struct ebc_stat carried = {.packets_to = ctx->segs_out,
				   .bytes_to = ctx->bytes_acked,
				   .packets_from = ctx->segs_in,
				   .bytes_from = ctx->bytes_received};
	struct ebc_stat_key backend;

	if (!rev)
		return;
	backend = ebc_stat_key(rev->service_id, &key.addr, key.port);
	ebc_stat_add(&backend, &carried);
	bpf_map_delete_elem(&ebc_sock_rev_v1, &key);
}

#endif
