/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services at the socket: chosen once per connection, nothing per packet. */
#ifndef EBC_SOCKET_SERVICE_H
#define EBC_SOCKET_SERVICE_H

#include <linux/in.h>

#include "count.h"
#include "socket_client.h"
#include "socket_flow.h"
#include "socket_reverse.h"
#include "socket_verdict.h"
#include "source_range.h"
#include "stat.h"

static __always_inline struct ebc_subject ebc_sock_subject(struct bpf_sock_addr *ctx,
							   const struct ebc_sockaddr *a)
{
	struct ebc_subject s = {
	    .flow.dst = a->addr,
	    .flow.dport = a->port,
	    .proto = ctx->protocol,
	    .hook = EBC_HOOK_SOCKET,
	};

	return s;
}

/*
 * TCP and UDP only. An SCTP socket names several addresses in one call and learns more from its peer, and
 * kernels differ in which of these calls they show to a program, so associations are translated where their
 * packets pass. A pod's loopback is its own; the node's is where its NodePorts answer too.
 */
static __always_inline bool ebc_sock_concerns(struct bpf_sock_addr *ctx, const struct ebc_sockaddr *a)
{
	if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP)
		return false;
	if (!ebc_configured(EBC_CONFIG_HOST_ONLY) && !ebc_addr_is_loopback(&a->addr))
		return true;
	return ebc_sock_of_node(ctx);
}

/* No such frontend. A cluster IP refuses the ports that it does not have: nobody else can have them. */
static __always_inline int ebc_sock_no_service(const struct ebc_subject *about)
{
	struct ebc_svc_key key = {.addr = about->flow.dst, .scope = EBC_SCOPE_INTERNAL};
	const struct ebc_svc *address = bpf_map_lookup_elem(&ebc_svc_v2, &key);

	if (!address || !(address->flags & EBC_SVC_ADDRESS)) {
		ebc_count(about, EBC_REASON_FORWARDED);
		return EBC_SOCK_KEEP;
	}
	ebc_drop(about, EBC_DROP_PORT);
	return EBC_SOCK_REFUSE;
}

/*
 * A socket hook can refuse but not lose a packet. Where kube-proxy would drop in silence, the call goes on to
 * the frontend's own address, and the packet is dropped, and counted, where it leaves the pod.
 */
static __always_inline int ebc_sock_no_backend(const struct ebc_subject *about, const struct ebc_svc *svc)
{
	if (svc->flags & EBC_SVC_DROP_EMPTY)
		return EBC_SOCK_KEEP;
	ebc_drop(about, EBC_DROP_NO_BACKEND);
	return EBC_SOCK_REFUSE;
}

/*
 * Replaces the frontend in *a by a backend. A connection picks at random. An unconnected datagram socket
 * calls once per datagram and keeps the backend it had; its first pick is by its cookie, so that a flow which
 * the LRU gave up is found again as long as the set is the same.
 */
static __always_inline int ebc_sock_forward(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a,
					    bool per_datagram)
{
	struct ebc_svc_key key = {
	    .addr = a->addr, .port = a->port, .proto = ctx->protocol, .scope = EBC_SCOPE_INTERNAL};
	struct ebc_subject about = ebc_sock_subject(ctx, a);
	struct ebc_sock_rev_key flow = {.addr = a->addr, .port = a->port};
	const struct ebc_backend *b;
	struct ebc_addr client = {};
	struct ebc_svc svc = {};
	__u32 index = 0;
	bool known;

	if (!ebc_sock_concerns(ctx, a)) {
		ebc_count(&about, EBC_REASON_FORWARDED);
		return EBC_SOCK_KEEP;
	}
	if (!ebc_svc_find(&key, &svc))
		return ebc_sock_no_service(&about);
	about.service_id = svc.service_id;
	if (svc.affinity_sec || (svc.flags & EBC_SVC_SOURCE_RANGES))
		ebc_sock_client(ctx, !ebc_addr_is_v4(&a->addr), &client);
	/* Dropped, and counted, where the packet leaves the pod: as above, a call cannot be lost. */
	if (!ebc_source_allowed(&svc, &client))
		return EBC_SOCK_KEEP;
	flow.cookie = bpf_get_socket_cookie(ctx);
	known = per_datagram && ebc_sock_flow_known(&svc, &flow, &index);
	if (known)
		b = ebc_backend_at(svc.offset + index);
	else if (svc.count)
		b = ebc_choose(&svc, &client, per_datagram ? ebc_mix64(flow.cookie) : bpf_get_prandom_u32(),
			       &index);
	else
		return ebc_sock_no_backend(&about, &svc);
	/* Both cannot happen with our agent; a wrong table must not turn into a wrong address. */
	if (!b || ebc_addr_is_v4(&b->addr) != ebc_addr_is_v4(&a->addr)) {
		ebc_drop(&about, EBC_DROP_REWRITE);
		return EBC_SOCK_REFUSE;
	}
	if (!known) {
		if (per_datagram)
			ebc_sock_flow_begin(&svc, &flow, b, index);
		ebc_stat_connection(svc.service_id, b);
	}
	ebc_sock_remember(flow.cookie, b, a, svc.service_id);
	a->addr = b->addr;
	a->port = b->port;
	ebc_count(&about, EBC_REASON_SERVICE);
	return EBC_SOCK_REPLACE;
}

/* Replaces the backend that answered in *a by the frontend that this socket had asked for. */
static __always_inline int ebc_sock_reverse(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a)
{
	struct ebc_sock_rev_key key = {
	    .cookie = bpf_get_socket_cookie(ctx), .addr = a->addr, .port = a->port};
	const struct ebc_sock_rev *rev = bpf_map_lookup_elem(&ebc_sock_rev_v1, &key);
	struct ebc_subject about;

	if (!rev)
		return EBC_SOCK_KEEP;
	about = ebc_sock_subject(ctx, a);
	about.service_id = rev->service_id;
	a->addr = rev->addr;
	a->port = rev->port;
	ebc_count(&about, EBC_REASON_REPLY);
	return EBC_SOCK_REPLACE;
}

#endif
