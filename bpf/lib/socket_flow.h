/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A datagram socket and a frontend are one flow, as nf_conntrack would see it, however they meet: by
 * connect(), by sendto(), by both. It keeps its backend.
 */
#ifndef EBC_SOCKET_FLOW_H
#define EBC_SOCKET_FLOW_H

#include "choose.h"
#include "socket_table.h"

/* How many neighbours in the segment are tried where the first choice is taken. */
#define EBC_SOCK_TRIES 4

enum ebc_flow_found {
	EBC_FLOW_NONE = 0,
	EBC_FLOW_BACKEND = 1,
	EBC_FLOW_LEFT = 2, /* to tc */
};

/*
 * The position of {addr, port} in a run of the backends' table, or -1; `guess` is tried first. The address
 * comes in numbers, since a function that is no static one is verified once, not once for each call, and
 * older verifiers then take nothing else.
 */
__noinline int ebc_flow_at(__u64 first_and_count, __u64 high, __u64 low, __u32 port, __u32 guess)
{
	struct ebc_addr addr = {.w = {high >> 32, high, low >> 32, low}};
	__u32 at = guess;

	if (!ebc_run_has(first_and_count >> 32, first_and_count, &addr, port, &at))
		return -1;
	return at;
}

/* Does a flow's backend still serve, chosen or not? flow->backend_index is where it was seen last, and then
 * where it is. */
static __always_inline bool ebc_flow_serves(const struct ebc_svc *svc, struct ebc_sock_flow *flow)
{
	__u64 high = (__u64)flow->addr.w[0] << 32 | flow->addr.w[1];
	__u64 low = (__u64)flow->addr.w[2] << 32 | flow->addr.w[3];
	__u64 chosen = (__u64)svc->offset << 32 | svc->count;
	__u64 tail = (__u64)(svc->offset + svc->count) << 32 | svc->tail;
	int at = ebc_flow_at(chosen, high, low, flow->port, svc->offset + flow->backend_index);

	if (at < 0)
		at = ebc_flow_at(tail, high, low, flow->port, svc->offset + flow->backend_index);
	if (at < 0)
		return false;
	flow->backend_index = (__u32)at - svc->offset;
	return true;
}

/* Does the flow in the socket's own place go on? A connected socket's sends pass no hook, so it is not idle.
 */
static __always_inline bool ebc_sk_lives(const struct bpf_sock *sk, const struct ebc_sk *slot, __u64 now)
{
	return !ebc_flow_over(slot->last_used_ns, now) ||
	       (slot->port && ebc_sk_connected_to(sk, &slot->backend, slot->port));
}

/*
 * The flow that the socket and the frontend are already: enum ebc_flow_found, and its backend's position.
 * What comes from the table may have been reused under its reader by the LRU: only a copy that names a
 * backend of this service is believed. Several threads may send through one socket: they share a line that is
 * seldom written.
 */
static __noinline int ebc_sock_known(struct bpf_sock *sk, struct ebc_sk *slot, const struct ebc_sockaddr *a,
				     const struct ebc_svc *svc, __u32 *index)
{
	struct ebc_sock_rev_key key = ebc_sock_key(slot->cookie, &a->addr, a->port);
	__u64 now = bpf_ktime_get_ns();
	struct ebc_sock_flow *known = NULL;
	struct ebc_sock_flow flow = {};
	bool lives, young;

	if (ebc_sk_asked(slot, a)) {
		flow.addr = slot->backend;
		flow.port = slot->port;
		flow.service_id = slot->service_id;
		flow.backend_index = slot->backend_index;
		flow.flags = slot->flags;
		flow.last_used_ns = slot->last_used_ns;
		lives = ebc_sk_lives(sk, slot, now);
	} else {
		if (!ebc_sk_has_puts(sk))
			return EBC_FLOW_NONE;
		known = bpf_map_lookup_elem(&ebc_sockflow_v2, &key);
		if (!known)
			return EBC_FLOW_NONE;
		flow = *known;
		lives = !ebc_flow_over(flow.last_used_ns, now);
	}
	if (flow.service_id != svc->service_id || !lives)
		return EBC_FLOW_NONE;
	*index = flow.backend_index;
	if (!(flow.flags & EBC_FLOW_PACKETS) && !ebc_flow_serves(svc, &flow))
		return EBC_FLOW_NONE;
	young = ebc_flow_idle(flow.last_used_ns, now) <= EBC_FLOW_SECOND;
	if (!young || *index != flow.backend_index) {
		*index = flow.backend_index;
		if (known) {
			known->last_used_ns = now;
			known->backend_index = *index;
		} else {
			slot->last_used_ns = now;
			slot->backend_index = *index;
		}
	}
	return flow.flags & EBC_FLOW_PACKETS ? EBC_FLOW_LEFT : EBC_FLOW_BACKEND;
}

/*
 * Does this socket talk to the backend already, under another address than `a`, or directly? Its answers are
 * the same datagrams then, and nothing at the socket can tell whose they are.
 */
static __noinline bool ebc_sock_taken(struct bpf_sock *sk, const struct ebc_sk *slot,
				      const struct ebc_sockaddr *a, const struct ebc_backend *b)
{
	__u64 now = bpf_ktime_get_ns();
	const struct ebc_sock_flow *flow;
	const struct ebc_sock_rev *rev;
	struct ebc_sock_rev_key key;

	if (slot && ebc_sk_led_to(slot, &b->addr, b->port))
		return !ebc_sk_asked(slot, a) && ebc_sk_lives(sk, slot, now);
	if (ebc_sk_connected_to(sk, &b->addr, b->port))
		return true;
	if (!slot || !ebc_sk_has_puts(sk))
		return false;
	key = ebc_sock_key(slot->cookie, &b->addr, b->port);
	rev = bpf_map_lookup_elem(&ebc_sock_rev_v2, &key);
	if (!rev || (ebc_addr_eq(&rev->addr, &a->addr) && rev->port == a->port))
		return false;
	key.addr = rev->addr;
	key.port = rev->port;
	flow = bpf_map_lookup_elem(&ebc_sockflow_v2, &key);
	return flow && ebc_addr_eq(&flow->addr, &b->addr) && flow->port == b->port &&
	       !ebc_flow_over(flow->last_used_ns, now);
}

/*
 * A backend for a new flow: the first choice, or the next in the segment that this socket does not talk to
 * yet. NULL: all that may be tried are taken. With affinity the choice is not ours.
 */
static __noinline const struct ebc_backend *ebc_sock_choose_free(struct bpf_sock *sk,
								 const struct ebc_sk *slot,
								 const struct ebc_sockaddr *a,
								 const struct ebc_svc *svc, __u32 *index)
{
	const struct ebc_backend *b;
	__u32 i;

	for (i = 0; i < EBC_SOCK_TRIES && i < svc->count; i++) {
		b = ebc_backend_at(svc->offset + *index);
		if (!b)
			return NULL;
		if (!ebc_sock_taken(sk, slot, a, b))
			return b;
		if (svc->affinity_sec)
			return NULL;
		*index = (*index + 1) % svc->count;
	}
	return NULL;
}

/*
 * The socket talks straight to what one of its flows was led to. From now on that flow is tc's, which gives
 * it a source port of its own; else all answers would be shown as the frontend's for ever.
 */
static __noinline int ebc_sock_direct(struct bpf_sock *sk, struct ebc_sk *slot, const struct ebc_sockaddr *a,
				      __u32 connects)
{
	struct ebc_sock_rev_key key = ebc_sock_key(slot->cookie, &a->addr, a->port);
	const struct ebc_sock_rev *rev;
	struct ebc_sock_flow *flow;
	struct ebc_sk left;

	if (ebc_sk_led_to(slot, &a->addr, a->port)) {
		/* An IPv6 socket that is connected to an IPv4 address: its send() is shown to the hook as a
		 * sendto() to where it is connected. */
		if (!connects && ebc_sk_connected_to(sk, &a->addr, a->port))
			return 0;
		left = *slot;
		__builtin_memset(&left.backend, 0, sizeof(left.backend));
		left.port = 0;
		left.flags = EBC_FLOW_PACKETS;
		ebc_sk_set(sk, &left);
		return 0;
	}
	if (!ebc_sk_has_puts(sk))
		return 0;
	rev = bpf_map_lookup_elem(&ebc_sock_rev_v2, &key);
	if (!rev)
		return 0;
	bpf_map_delete_elem(&ebc_sock_rev_v2, &key);
	key.addr = rev->addr;
	key.port = rev->port;
	flow = bpf_map_lookup_elem(&ebc_sockflow_v2, &key);
	if (flow && ebc_addr_eq(&flow->addr, &a->addr) && flow->port == a->port)
		flow->flags |= EBC_FLOW_PACKETS;
	return 0;
}

/*
 * Writes a flow down, new or moved. The socket's own place is for the frontend that it connects to, else for
 * the first: what was there goes into the tables. Where another thread of the socket's owner was faster with
 * the same frontend, *flow becomes what that one wrote. False: no memory, the flow is left to tc.
 */
static __noinline bool ebc_sock_keep(struct bpf_sock *sk, struct ebc_sk *flow, __u32 connects)
{
	const struct ebc_sk *slot = ebc_sk(sk);
	const struct ebc_sk *put = flow;
	bool made = !slot, same;

	if (made)
		slot = bpf_sk_storage_get(&ebc_sk_v1, sk, flow, BPF_SK_STORAGE_GET_F_CREATE);
	if (!slot)
		return false;
	same = ebc_addr_eq(&slot->front, &flow->front) && slot->front_port == flow->front_port;
	if (same && made) {
		*flow = *slot;
		return true;
	}
	if (same || connects)
		put = slot;
	/* A flow that has moved: answers of the backend that it has left may still be on their way. */
	if (!same || (slot->port && !ebc_sk_led_to(flow, &slot->backend, slot->port))) {
		if (!same)
			ebc_sock_put_flow(put);
		ebc_sock_put_rev(put);
		ebc_sk_note(sk, put);
	}
	return same || connects ? ebc_sk_set(sk, flow) != NULL : true;
}

#endif
