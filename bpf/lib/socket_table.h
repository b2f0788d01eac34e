/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Datagram sockets that talk to several frontends: what does not fit into the one place that a socket has for
 * a flow. Their elements go when the socket is closed.
 */
#ifndef EBC_SOCKET_TABLE_H
#define EBC_SOCKET_TABLE_H

#include "socket_storage.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_sock_rev_key);
	__type(value, struct ebc_sock_flow);
} ebc_sockflow_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_sock_rev_key);
	__type(value, struct ebc_sock_rev);
} ebc_sock_rev_v2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct ebc_sk_puts);
} ebc_sk_puts_v1 SEC(".maps");

static __always_inline struct ebc_sock_rev_key ebc_sock_key(__u64 cookie, const struct ebc_addr *addr,
							    __be16 port)
{
	struct ebc_sock_rev_key key = {.cookie = cookie, .addr = *addr, .port = port};

	return key;
}

/* Did the socket ever need the tables? */
static __always_inline bool ebc_sk_has_puts(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&ebc_sk_puts_v1, sk, NULL, 0);
}

static __always_inline bool ebc_sk_noted(const struct ebc_sk_put *put, const struct ebc_sk *flow)
{
	return ebc_addr_eq(&put->front, &flow->front) && put->front_port == flow->front_port &&
	       ebc_addr_eq(&put->backend, &flow->backend) && put->port == flow->port;
}

/*
 * Notes what release is to delete. What exceeds the list stays until the LRU needs the room, on which nothing
 * presses but sockets with as many flows. Two threads of one socket may take the same place: a note is lost.
 */
static __noinline int ebc_sk_note(struct bpf_sock *sk, const struct ebc_sk *flow)
{
	struct ebc_sk_puts *puts = bpf_sk_storage_get(&ebc_sk_puts_v1, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	__u32 i;

	if (!puts)
		return 0;
	for (i = 0; i < EBC_SK_PUTS; i++) {
		struct ebc_sk_put *put = &puts->put[i];

		if (i < puts->count) {
			if (ebc_sk_noted(put, flow))
				return 0;
			continue;
		}
		put->front = flow->front;
		put->backend = flow->backend;
		put->front_port = flow->front_port;
		put->port = flow->port;
		puts->count = i + 1;
		return 0;
	}
	return 0;
}

/* Where the flow goes. */
static __noinline int ebc_sock_put_flow(const struct ebc_sk *flow)
{
	struct ebc_sock_flow to = {.addr = flow->backend,
				   .port = flow->port,
				   .service_id = flow->service_id,
				   .backend_index = flow->backend_index,
				   .flags = flow->flags,
				   .last_used_ns = flow->last_used_ns};
	struct ebc_sock_rev_key key = ebc_sock_key(flow->cookie, &flow->front, flow->front_port);

	return bpf_map_update_elem(&ebc_sockflow_v2, &key, &to, BPF_ANY);
}

/* What its answers are shown as. */
static __noinline int ebc_sock_put_rev(const struct ebc_sk *flow)
{
	struct ebc_sock_rev rev = {
	    .addr = flow->front, .port = flow->front_port, .service_id = flow->service_id};
	struct ebc_sock_rev_key key = ebc_sock_key(flow->cookie, &flow->backend, flow->port);

	return flow->port ? bpf_map_update_elem(&ebc_sock_rev_v2, &key, &rev, BPF_ANY) : 0;
}

/* A socket is closed. */
static __always_inline void ebc_sock_forget(struct bpf_sock *ctx)
{
	const struct ebc_sk_puts *puts = bpf_sk_storage_get(&ebc_sk_puts_v1, ctx, NULL, 0);
	__u64 cookie;
	__u32 i;

	if (!puts)
		return;
	cookie = bpf_get_socket_cookie(ctx);
	for (i = 0; i < EBC_SK_PUTS && i < puts->count; i++) {
		const struct ebc_sk_put *put = &puts->put[i];
		struct ebc_sock_rev_key key = ebc_sock_key(cookie, &put->front, put->front_port);

		if (key.port)
			bpf_map_delete_elem(&ebc_sockflow_v2, &key);
		key.addr = put->backend;
		key.port = put->port;
		if (key.port)
			bpf_map_delete_elem(&ebc_sock_rev_v2, &key);
	}
}

#endif
