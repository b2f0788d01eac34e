/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a socket had asked for, found again from the backend that it talks to. */
#ifndef EBC_SOCKET_REVERSE_H
#define EBC_SOCKET_REVERSE_H

#include "service_lookup.h"
#include "socket_address.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_sock_rev_key);
	__type(value, struct ebc_sock_rev);
} ebc_sock_rev_v1 SEC(".maps");

/* LRU: an entry outlives its socket until the room is needed; a cookie is never used twice. */
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

#endif
