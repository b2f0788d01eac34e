/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a socket had asked for, found again from the backend that it talks to. */
#ifndef EBC_SOCKET_REVERSE_H
#define EBC_SOCKET_REVERSE_H

#include <linux/in.h>

#include "socket_table.h"

/* Replaces the backend in *a by the frontend that it was asked as, and says of which service; 0: none. */
static __always_inline __u32 ebc_sock_front(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a)
{
	struct bpf_sock *sk = ctx->sk;
	const struct ebc_sk *slot = sk ? ebc_sk(sk) : NULL;
	const struct ebc_sock_rev *rev;
	struct ebc_sock_rev_key key;

	/* A socket that met no frontend, which are most of those that receive datagrams. */
	if (!slot)
		return 0;
	if (ebc_sk_led_to(slot, &a->addr, a->port)) {
		a->addr = slot->front;
		a->port = slot->front_port;
		return slot->service_id;
	}
	if (ctx->protocol != IPPROTO_UDP || !ebc_sk_has_puts(sk))
		return 0;
	key = ebc_sock_key(slot->cookie, &a->addr, a->port);
	rev = bpf_map_lookup_elem(&ebc_sock_rev_v2, &key);
	if (!rev)
		return 0;
	a->addr = rev->addr;
	a->port = rev->port;
	return rev->service_id;
}

#endif
