/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a translated TCP connection carried, read from the socket when it closes: no packet pays for it. */
#ifndef EBC_SOCKET_STAT_H
#define EBC_SOCKET_STAT_H

#include "socket_storage.h"
#include "stat.h"

/* What the connection was asked for; NULL if no hook translated it. */
static __always_inline const struct ebc_sk *ebc_sock_ops_find(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return sk ? ebc_sk(sk) : NULL;
}

/* Asks to be told of the connection's end. Another program's wishes stay. */
static __always_inline void ebc_sock_ops_begin(struct bpf_sock_ops *ctx)
{
	if (ebc_sock_ops_find(ctx))
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* The bytes are counted by sequence numbers: payload, without what was sent twice, and 1 each for SYN and
 * FIN. */
static __always_inline void ebc_sock_ops_end(struct bpf_sock_ops *ctx)
{
	const struct ebc_sk *slot = ebc_sock_ops_find(ctx);
	struct ebc_stat carried = {.packets_to = ctx->segs_out,
				   .bytes_to = ctx->bytes_acked,
				   .packets_from = ctx->segs_in,
				   .bytes_from = ctx->bytes_received};
	struct ebc_stat_key backend;

	if (!slot)
		return;
	backend = ebc_stat_key(slot->service_id, &slot->backend, slot->port);
	ebc_stat_add(&backend, &carried);
}

#endif
