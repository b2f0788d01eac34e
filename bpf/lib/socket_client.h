/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who a socket belongs to: it has no source address yet, but a network namespace. */
#ifndef EBC_SOCKET_CLIENT_H
#define EBC_SOCKET_CLIENT_H

#include "config.h"
#include "socket_address.h"
#include "node.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ebc_netns_key);
	__type(value, struct ebc_netns);
} ebc_netns_v1 SEC(".maps");

/* NULL asks for the initial namespace: before 5.14 user space cannot learn cookies, and the node's namespace
 * is that one. */
static __always_inline bool ebc_sock_of_node(struct bpf_sock_addr *ctx)
{
	__u64 node = ebc_config.host_netns_cookie;

	if (!node)
		node = bpf_get_netns_cookie(NULL);
	return bpf_get_netns_cookie(ctx) == node;
}

static __always_inline void ebc_sock_client_made_up(__u64 cookie, struct ebc_addr *client)
{
	client->w[0] = bpf_htonl(0x01000000);
	client->w[1] = 0;
	client->w[2] = bpf_htonl(cookie >> 32);
	client->w[3] = bpf_htonl(cookie);
}

/*
 * The address by which services know the client: a pod's own, or the node's. Who is neither (a namespace that
 * no pod lives in, a pod before 5.14, a family that it has no address of) gets one of its own, 100::cookie of
 * the discard prefix (RFC 6666): enough for affinity, and within no source range, so the packet path, which
 * sees the true source, will judge.
 */
static __noinline int ebc_sock_client(struct bpf_sock_addr *ctx, bool v6, struct ebc_addr *client)
{
	struct ebc_netns_key key = {.cookie = bpf_get_netns_cookie(ctx)};

	if (ebc_sock_of_node(ctx)) {
		*client = v6 ? ebc_node.own.v6 : ebc_node.own.v4;
	} else {
		const struct ebc_netns *pod = bpf_map_lookup_elem(&ebc_netns_v1, &key);

		if (pod && v6)
			*client = pod->v6;
		else if (pod)
			*client = pod->v4;
	}
	if (ebc_addr_is_any(client))
		ebc_sock_client_made_up(key.cookie, client);
	return 0;
}

#endif
