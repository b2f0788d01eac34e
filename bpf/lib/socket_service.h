/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Services at the socket: chosen once per connection, nothing per packet. */
#ifndef EBC_SOCKET_SERVICE_H
#define EBC_SOCKET_SERVICE_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "abi/service_abi.h"
#include "choose.h"
#include "config.h"
#include "count.h"
#include "service_lookup.h"
#include "socket_address.h"

#define EBC_ECONNREFUSED 111

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct ebc_sock_rev_key);
	__type(value, struct ebc_sock_rev);
} ebc_sock_rev_v1 SEC(".maps");

enum ebc_sock_verdict {
	EBC_SOCK_KEEP = 0,    /* no service, or none for this hook: the call goes on as it is */
	EBC_SOCK_REPLACE = 1, /* the address was replaced */
	EBC_SOCK_REFUSE = 2,
};

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

/* LRU: an entry outlives its socket until the room is needed; a cookie is never used twice. */
static __always_inline void ebc_sock_remember(__u64 cookie, const struct ebc_backend *b,
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

/*
 * Replaces the frontend in *a by a backend. A connection picks at random. An unconnected datagram socket
 * calls once per datagram and must meet the same backend as long as the set stays the same (kube-proxy's
 * conntrack gives it that), so it picks by its cookie: no state to keep, to expire, or to lose.
 */
static __always_inline int ebc_sock_forward(struct bpf_sock_addr *ctx, struct ebc_sockaddr *a,
					    bool per_datagram)
{
	struct ebc_svc_key key = {
	    .addr = a->addr, .port = a->port, .proto = ctx->protocol, .scope = EBC_SCOPE_INTERNAL};
	struct ebc_subject about = ebc_sock_subject(ctx, a);
	const struct ebc_backend *b;
	struct ebc_svc svc = {};
	__u64 cookie;

	if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP)
		return EBC_SOCK_KEEP;
	if (!ebc_svc_find(&key, &svc)) {
		ebc_count(&about, EBC_REASON_FORWARDED);
		return EBC_SOCK_KEEP;
	}
	about.service_id = svc.service_id;
	if (!svc.count) {
		/*
		 * A socket hook can refuse but not lose a packet. Where kube-proxy would drop in silence, the
		 * call goes on to the frontend's own address, and the packet is dropped, and counted, where
		 * it leaves the pod.
		 */
		if (svc.flags & EBC_SVC_DROP_EMPTY)
			return EBC_SOCK_KEEP;
		ebc_drop(&about, EBC_DROP_NO_BACKEND);
		return EBC_SOCK_REFUSE;
	}
	cookie = bpf_get_socket_cookie(ctx);
	b = ebc_backend_at(ebc_backend_index(&svc, per_datagram ? ebc_mix64(cookie) : bpf_get_prandom_u32()));
	/* Both cannot happen with our agent; a wrong table must not turn into a wrong address. */
	if (!b || ebc_addr_is_v4(&b->addr) != ebc_addr_is_v4(&a->addr)) {
		ebc_drop(&about, EBC_DROP_REWRITE);
		return EBC_SOCK_REFUSE;
	}
	ebc_sock_remember(cookie, b, a, svc.service_id);
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

/* What the hook returns: 1 goes on; 0 fails the call, with EPERM unless another errno could be set. */
static __always_inline int ebc_sock_return(int verdict)
{
	if (verdict != EBC_SOCK_REFUSE)
		return 1;
	if (ebc_configured(EBC_CONFIG_SET_RETVAL))
		bpf_set_retval(-EBC_ECONNREFUSED);
	return 0;
}

#endif
