/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services at the socket: chosen once per connection, nothing per packet. */
#ifndef EBC_SOCKET_SERVICE_H
#define EBC_SOCKET_SERVICE_H

#include <linux/in.h>

#include "count.h"
#include "ipcache_lookup.h"
#include "socket_client.h"
#include "socket_flow.h"
#include "socket_reverse.h"
#include "socket_source.h"
#include "socket_verdict.h"
#include "source_range.h"
#include "stat.h"

/* What a call is about; one object, since a function takes five arguments and a stack 512 bytes. */
struct ebc_sock_call {
	struct ebc_sockaddr front; /* what is asked */
	struct ebc_svc svc;	   /* its frontend */
	struct ebc_addr client;	   /* who asks; filled where the service wants to know */
	__u32 index;		   /* the backend's position in the service's segment */
	__u32 proto;
};

/* Every way out: a count, for drops an event. Returns KEEP, which most of them are. */
static __noinline int ebc_sock_tell(const struct ebc_sock_call *call, __u32 reason)
{
	struct ebc_subject about = {
	    .flow.dst = call->front.addr,
	    .flow.dport = call->front.port,
	    .service_id = call->svc.service_id,
	    .proto = call->proto,
	    .hook = EBC_HOOK_SOCKET,
	};

	if (reason < EBC_DROP_FIRST)
		ebc_count(&about, reason);
	else
		ebc_drop(&about, reason);
	return EBC_SOCK_KEEP;
}

static __always_inline int ebc_sock_refuse(const struct ebc_sock_call *call, __u32 reason)
{
	ebc_sock_tell(call, reason);
	return EBC_SOCK_REFUSE;
}

/*
 * TCP and UDP only. An SCTP socket names several addresses in one call and learns more from its peer, and
 * kernels differ in which of these calls they show to a program, so associations are translated where their
 * packets pass. A pod's loopback is its own; the node's is where its NodePorts answer too.
 */
static __always_inline bool ebc_sock_concerns(struct bpf_sock_addr *ctx, const struct bpf_sock *sk,
					      const struct ebc_sockaddr *a, bool connects, bool call_v6)
{
	if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP)
		return false;
	if (ebc_configured(EBC_CONFIG_LOOPBACK_ONLY))
		return ebc_loopback(&a->addr) && ebc_sock_of_node(ctx) &&
		       ebc_sock_from_outside(ctx, sk, connects, call_v6);
	if (!ebc_configured(EBC_CONFIG_HOST_ONLY) && !ebc_loopback(&a->addr))
		return true;
	return ebc_sock_of_node(ctx);
}

/* Nobody's frontend. But it may be the backend that one of the socket's flows was led to. */
static __always_inline int ebc_sock_pass(struct bpf_sock *sk, const struct ebc_sock_call *call, bool connects)
{
	struct ebc_sk *slot = call->proto == IPPROTO_UDP ? ebc_sk(sk) : NULL;

	if (slot)
		ebc_sock_direct(sk, slot, &call->front, connects);
	/* Counted where its packets pass. */
	if (ebc_configured(EBC_CONFIG_LOOPBACK_ONLY))
		return EBC_SOCK_KEEP;
	return ebc_sock_tell(call, EBC_REASON_FORWARDED);
}

/*
 * No such frontend. A cluster IP refuses the ports that it does not have: nobody else can have them.
 * Datagrams are refused where they pass as packets: the call that sends one does not fail.
 */
static __always_inline int ebc_sock_no_service(struct bpf_sock *sk, const struct ebc_sock_call *call,
					       bool connects)
{
	struct ebc_svc_key key = {.addr = call->front.addr, .scope = EBC_SCOPE_INTERNAL};
	const struct ebc_svc *address = bpf_map_lookup_elem(&ebc_svc_v2, &key);

	if (!address || !(address->flags & EBC_SVC_ADDRESS))
		return ebc_sock_pass(sk, call, connects);
	return call->proto == IPPROTO_UDP ? EBC_SOCK_KEEP : ebc_sock_refuse(call, EBC_DROP_PORT);
}

/*
 * A socket hook can refuse but not lose a packet, and a datagram's sender learns of a refusal by ICMP, if at
 * all. Where kube-proxy would drop in silence, and for datagrams, the call goes on to the frontend's own
 * address, and the packet is dropped or refused, and counted, where it leaves the pod or the node.
 */
static __always_inline int ebc_sock_no_backend(const struct ebc_sock_call *call)
{
	if ((call->svc.flags & EBC_SVC_DROP_EMPTY) || call->proto == IPPROTO_UDP)
		return EBC_SOCK_KEEP;
	return ebc_sock_refuse(call, EBC_DROP_NO_BACKEND);
}

/* Both cannot happen with our agent; a wrong table must not turn into a wrong address. */
static __always_inline bool ebc_sock_fits(const struct ebc_backend *b, const struct ebc_sock_call *call)
{
	return b && ebc_addr_is_v4(&b->addr) == ebc_addr_is_v4(&call->front.addr);
}

static __always_inline void ebc_sk_make(struct ebc_sk *to, __u64 cookie, const struct ebc_sock_call *call)
{
	to->front = call->front.addr;
	to->front_port = call->front.port;
	to->service_id = call->svc.service_id;
	to->backend_index = call->index;
	to->cookie = cookie;
	to->last_used_ns = bpf_ktime_get_ns();
}

/* Do packets to the frontend pass tc? What the node sends to itself does not. */
static __always_inline bool ebc_sock_passes_tc(struct bpf_sock_addr *ctx, const struct ebc_addr *front)
{
	return !ebc_sock_of_node(ctx) || !(ebc_loopback(front) || (ebc_ipcache(front) & EBC_IPCACHE_LOCAL));
}

/*
 * A datagram flow begins, or the socket connects to it. b NULL: all backends that it may have belong to other
 * flows of this socket, and tc translates this one, from another port, for as long as it lasts.
 */
static __noinline int ebc_sock_datagram_to(struct bpf_sock *sk, const struct ebc_sock_call *call,
					   __u64 cookie, const struct ebc_backend *b, struct ebc_sockaddr *a)
{
	struct ebc_sk flow = {};

	ebc_sk_make(&flow, cookie, call);
	if (b) {
		flow.backend = b->addr;
		flow.port = b->port;
	} else {
		flow.flags = EBC_FLOW_PACKETS;
	}
	if (!ebc_sock_keep(sk, &flow, a->pad0) || !b)
		return EBC_SOCK_KEEP;
	a->addr = flow.backend;
	a->port = flow.port;
	return EBC_SOCK_REPLACE;
}

/*
 * A datagram's, or a datagram socket's, frontend. It keeps the backend it had; its first pick is by its
 * cookie, so that a flow which the LRU gave up is found again as long as the set is the same.
 */
static __always_inline int ebc_sock_datagram(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a,
					     struct ebc_sock_call *call, bool connects, bool call_v6)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct bpf_sock *sk = ctx->sk;
	struct ebc_sk *slot = ebc_sk(sk);
	const struct ebc_backend *b;
	int known = EBC_FLOW_NONE;

	/* It connected when nothing here knew the frontend, or had a backend: what comes from another address
	 * than the frontend's does not reach it any more. */
	if (!connects && ebc_sk_connected_to(sk, &a->addr, a->port))
		return ebc_sock_tell(call, EBC_REASON_FORWARDED);
	if (slot)
		known = ebc_sock_known(sk, slot, a, &call->svc, &call->index);
	if (known == EBC_FLOW_NONE && !call->svc.count)
		return ebc_sock_no_backend(call);
	if (known == EBC_FLOW_NONE)
		b = ebc_choose(&call->svc, &call->client,
			       ebc_mix64(cookie ^ ((__u64)call->svc.service_id << 32)), &call->index);
	else if (known == EBC_FLOW_BACKEND)
		b = ebc_backend_at(call->svc.offset + call->index);
	else
		b = NULL;
	if (known != EBC_FLOW_LEFT) {
		if (!ebc_sock_fits(b, call))
			return ebc_sock_refuse(call, EBC_DROP_REWRITE);
		if (connects ? !ebc_sock_source_connect(ctx, sk, &b->addr, call_v6)
			     : !ebc_sock_source_send(ctx, &b->addr, call_v6))
			return ebc_sock_tell(call, EBC_REASON_FORWARDED);
	}
	if (known == EBC_FLOW_NONE && ebc_sock_passes_tc(ctx, &a->addr))
		b = ebc_sock_choose_free(sk, slot, a, &call->svc, &call->index);
	if (known == EBC_FLOW_NONE && b)
		ebc_stat_connection(call->svc.service_id, b);
	if (known == EBC_FLOW_NONE || connects) {
		a->pad0 = connects;
		if (ebc_sock_datagram_to(sk, call, cookie, b, a) != EBC_SOCK_REPLACE)
			b = NULL;
	} else if (b) {
		a->addr = b->addr;
		a->port = b->port;
	}
	ebc_sock_tell(call, b ? EBC_REASON_SERVICE : EBC_REASON_FORWARDED);
	return b ? EBC_SOCK_REPLACE : EBC_SOCK_KEEP;
}

/* A connection begins. False: no memory, it is left to tc. */
static __noinline bool ebc_sock_stream_to(struct bpf_sock *sk, const struct ebc_sock_call *call, __u64 cookie,
					  const struct ebc_backend *b)
{
	struct ebc_sk made = {};

	ebc_sk_make(&made, cookie, call);
	made.backend = b->addr;
	made.port = b->port;
	return bpf_sk_storage_get(&ebc_sk_v1, sk, &made, BPF_SK_STORAGE_GET_F_CREATE);
}

/* A connection picks at random. */
static __always_inline int ebc_sock_stream(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a,
					   struct ebc_sock_call *call, bool call_v6)
{
	struct bpf_sock *sk = ctx->sk;
	const struct ebc_backend *b;

	if (!call->svc.count)
		return ebc_sock_no_backend(call);
	b = ebc_choose(&call->svc, &call->client, bpf_get_prandom_u32(), &call->index);
	if (!ebc_sock_fits(b, call))
		return ebc_sock_refuse(call, EBC_DROP_REWRITE);
	if (!ebc_sock_source_connect(ctx, sk, &b->addr, call_v6) ||
	    !ebc_sock_stream_to(sk, call, bpf_get_socket_cookie(ctx), b))
		return ebc_sock_tell(call, EBC_REASON_FORWARDED);
	ebc_stat_connection(call->svc.service_id, b);
	a->addr = b->addr;
	a->port = b->port;
	ebc_sock_tell(call, EBC_REASON_SERVICE);
	return EBC_SOCK_REPLACE;
}

/* Replaces the frontend in *a by a backend. */
static __always_inline int ebc_sock_forward(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a, bool connects,
					    bool call_v6)
{
	struct ebc_sock_call call = {.front = *a, .proto = ctx->protocol};
	struct ebc_svc_key key = {
	    .addr = a->addr, .port = a->port, .proto = ctx->protocol, .scope = EBC_SCOPE_INTERNAL};
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return EBC_SOCK_KEEP;
	/* What a socket connected to before, and failed, is no more. */
	if (connects && ctx->protocol == IPPROTO_TCP)
		bpf_sk_storage_delete(&ebc_sk_v1, sk);
	if (!ebc_sock_concerns(ctx, sk, a, connects, call_v6))
		return ebc_sock_pass(sk, &call, connects);
	if (!ebc_svc_find(&key, &call.svc))
		return ebc_sock_no_service(sk, &call, connects);
	/* A server of the node listens there itself. */
	if (call.svc.flags & EBC_SVC_NODE_SERVER)
		return ebc_sock_tell(&call, EBC_REASON_FORWARDED);
	if (call.svc.affinity_sec || (call.svc.flags & EBC_SVC_SOURCE_RANGES))
		ebc_sock_client(ctx, !ebc_addr_is_v4(&a->addr), &call.client);
	/* Dropped, and counted, where the packet leaves the pod: as above, a call cannot be lost. */
	if (!ebc_source_allowed(&call.svc, &call.client))
		return EBC_SOCK_KEEP;
	if (ctx->protocol == IPPROTO_UDP)
		return ebc_sock_datagram(ctx, a, &call, connects, call_v6);
	return connects ? ebc_sock_stream(ctx, a, &call, call_v6) : EBC_SOCK_KEEP;
}

/* Replaces the backend that answered in *a by the frontend that this socket had asked for. */
static __always_inline int ebc_sock_reverse(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a)
{
	struct ebc_sock_call call = {.front = *a, .proto = ctx->protocol};

	call.svc.service_id = ebc_sock_front(ctx, a);
	if (!call.svc.service_id)
		return EBC_SOCK_KEEP;
	ebc_sock_tell(&call, EBC_REASON_REPLY);
	return EBC_SOCK_REPLACE;
}

#endif
