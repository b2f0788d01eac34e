/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Translated connections: making an entry, keeping it alive. */
#ifndef EBC_CONNTRACK_H
#define EBC_CONNTRACK_H

#include "conntrack_lookup.h"
#include "parse.h"
#include "sctp.h"

#define EBC_PICK_TRIES 4

/*
 * A pod that reaches itself through a service must not see its own address as the peer: its kernel would take
 * the packet for a martian. The client's address is replaced by one that routes back to the gateway and can
 * belong to nobody: the pod's gateway itself, and for IPv6, where that one is link-local and needs a scope,
 * an address of the discard prefix 100::/64 (RFC 6666). The port stays.
 */
static __always_inline void ebc_hairpin_address(struct ebc_addr *a, bool v6)
{
	if (v6) {
		a->w[0] = bpf_htonl(0x01000000);
		a->w[1] = 0;
		a->w[2] = 0;
		a->w[3] = bpf_htonl(0x0ecc0001);
	} else {
		a->w[0] = 0;
		a->w[1] = 0;
		a->w[2] = bpf_htonl(0xffff);
		a->w[3] = bpf_htonl(0xa9fe0101);
	}
}

static __always_inline bool ebc_is_hairpin_address(const struct ebc_addr *a)
{
	return a->w[3] == bpf_htonl(0xa9fe0101) ? ebc_addr_is_v4(a)
						: a->w[3] == bpf_htonl(0x0ecc0001) && !a->w[2] && !a->w[1] &&
						      a->w[0] == bpf_htonl(0x01000000);
}

/* The packet as it goes on. */
static __always_inline void ebc_ct_flow(const struct ebc_ct *ct, struct ebc_flow *out)
{
	out->src = ct->src;
	out->dst = ct->dst;
	out->sport = ct->sport;
	out->dport = ct->dport;
}

/* The next state; the packet belongs to a known connection. (Follows nf_conntrack_proto_tcp.c as far as a
 * time-out depends on it.) */
static __always_inline __u8 ebc_ct_next(const struct ebc_ct *ct, const struct ebc_packet *p, __u16 flags)
{
	if (p->about.proto == IPPROTO_UDP)
		return flags & EBC_CT_SEEN_REPLY ? EBC_CTS_UDP_STREAM : EBC_CTS_UDP;
	if (p->about.proto == IPPROTO_SCTP)
		return ebc_sctp_next(ct->state, p->sctp_chunk, flags & EBC_CT_SEEN_REPLY);
	if ((p->tcp_flags & EBC_TCP_RST) || ct->state == EBC_CTS_CLOSE)
		return EBC_CTS_CLOSE;
	if ((flags & EBC_CT_FIN_FORWARD) && (flags & EBC_CT_FIN_REPLY))
		return EBC_CTS_TIME_WAIT;
	if (flags & (EBC_CT_FIN_FORWARD | EBC_CT_FIN_REPLY))
		return EBC_CTS_FIN_WAIT;
	if (!(flags & EBC_CT_SEEN_REPLY))
		return EBC_CTS_SYN_SENT;
	if (!(ct->flags & EBC_CT_REPLY) && !(p->tcp_flags & EBC_TCP_SYN))
		return EBC_CTS_ESTABLISHED;
	return ct->state == EBC_CTS_SYN_SENT ? EBC_CTS_SYN_RECV : ct->state;
}

static __always_inline __u8 ebc_ct_first_state(__u8 proto)
{
	return proto == IPPROTO_UDP    ? EBC_CTS_UDP
	       : proto == IPPROTO_SCTP ? EBC_CTS_SCTP_OPENING
				       : EBC_CTS_SYN_SENT;
}

/* Is the connection over, as far as one can see? Datagrams never are. */
static __always_inline bool ebc_ct_over(const struct ebc_ct *ct)
{
	return (ct->state >= EBC_CTS_FIN_WAIT && ct->state <= EBC_CTS_CLOSE) ||
	       ct->state == EBC_CTS_SCTP_CLOSING;
}

/* Writes a change of the connection's state to both entries. */
static __noinline void ebc_ct_update(struct ebc_ct *ct, const struct ebc_ct_key *twin_key, __u64 now,
				     __u16 flags, __u8 state)
{
	struct ebc_ct *twin = bpf_map_lookup_elem(&ebc_ct_v2, twin_key);

	/*
	 * Not atomic: the floor has no atomic OR. If the two directions meet here in the same instant a bit
	 * may be lost and comes with the next packet, or the entry lives on to a longer time-out.
	 */
	ct->flags |= flags;
	ct->state = state;
	ct->last_seen_ns = now;
	/* The other entry may meanwhile belong to a later connection of the same client port. */
	if (!twin || twin->created_ns != ct->created_ns)
		return;
	twin->flags |= flags;
	twin->state = state;
	twin->last_seen_ns = now;
}

/*
 * Counts a packet of an entry. The state of the connection is written to both entries, and only when it
 * changes or a second has passed, so that the two directions do not fight over a cache line with every
 * packet.
 */
static __always_inline void ebc_ct_seen(struct ebc_ct *ct, const struct ebc_packet *p,
					const struct ebc_flow *out, __u64 now)
{
	__u16 flags = ct->flags & EBC_CT_REPLY ? EBC_CT_SEEN_REPLY : 0;
	struct ebc_ct_key twin;
	__u8 state;

	if (p->tcp_flags & EBC_TCP_FIN)
		flags |= ct->flags & EBC_CT_REPLY ? EBC_CT_FIN_REPLY : EBC_CT_FIN_FORWARD;
	state = ebc_ct_next(ct, p, ct->flags | flags);
	__sync_fetch_and_add(&ct->packets, 1);
	__sync_fetch_and_add(&ct->bytes, p->about.len);
	if (!(flags & ~ct->flags) && state == ct->state && now - ct->last_seen_ns < EBC_SECOND)
		return;
	ebc_ct_twin(out, p->about.proto, &twin);
	ebc_ct_update(ct, &twin, now, flags, state);
}

/*
 * Does another connection of this client already get its answers from this backend and port? Then the answers
 * could not be told apart (two frontends, one backend, one client port), and another backend must be taken.
 */
static __always_inline bool ebc_ct_ambiguous(const struct ebc_ct_key *reply, const struct ebc_flow *in,
					     __u64 now)
{
	const struct ebc_ct *other = ebc_ct_find(reply, now);

	return other && !ebc_ct_over(other) &&
	       !(ebc_addr_eq(&other->src, &in->dst) && other->sport == in->dport);
}

/* Both entries, the reply's first: whoever can send through the forward one must be able to hear the answer.
 */
static __always_inline int ebc_ct_insert(const struct ebc_packet *p, struct ebc_ct *ct,
					 const struct ebc_ct_key *forward, const struct ebc_ct_key *reply)
{
	struct ebc_flow to;

	ebc_ct_flow(ct, &to);
	ct->src = p->about.flow.dst;
	ct->dst = p->about.flow.src;
	ct->sport = p->about.flow.dport;
	ct->dport = p->about.flow.sport;
	ct->flags |= EBC_CT_REPLY;
	if (bpf_map_update_elem(&ebc_ct_v2, reply, ct, BPF_ANY))
		return EBC_DROP_CONNTRACK_FULL;
	ct->src = to.src;
	ct->dst = to.dst;
	ct->sport = to.sport;
	ct->dport = to.dport;
	ct->flags &= ~EBC_CT_REPLY;
	ct->packets = 1;
	ct->bytes = p->about.len;
	if (bpf_map_update_elem(&ebc_ct_v2, forward, ct, BPF_ANY)) {
		bpf_map_delete_elem(&ebc_ct_v2, reply);
		return EBC_DROP_CONNTRACK_FULL;
	}
	return EBC_REASON_SERVICE;
}

/* First packet of a connection: chooses a backend and writes down the choice. *out is the flow towards it. */
static __noinline int ebc_ct_create(struct ebc_packet *p, const struct ebc_svc *svc,
				    const struct ebc_ct_key *forward, struct ebc_flow *out)
{
	__u32 pick = bpf_get_prandom_u32();
	__u64 now = bpf_ktime_get_ns();
	struct ebc_ct_key reply;
	struct ebc_ct *ct = &p->ct;
	int i;

	ct->service_id = svc->service_id;
	ct->created_ns = now;
	ct->last_seen_ns = now;
	for (i = 0; i < EBC_PICK_TRIES; i++) {
		const struct ebc_backend *b;

		ct->backend_index = (pick + i) % svc->count;
		b = ebc_backend_at(svc->offset + ct->backend_index);
		/* Cannot happen with our agent; a wrong table must not turn into a wrong packet. */
		if (!b || ebc_addr_is_v4(&b->addr) != ebc_addr_is_v4(&p->about.flow.dst))
			return EBC_DROP_REWRITE;
		ct->src = p->about.flow.src;
		ct->sport = p->about.flow.sport;
		ct->dst = b->addr;
		ct->dport = b->port;
		ct->flags = EBC_CT_SERVICE;
		ct->state = ebc_ct_first_state(p->about.proto);
		if (ebc_addr_eq(&ct->dst, &ct->src)) {
			ct->flags |= EBC_CT_MASQUERADE;
			ebc_hairpin_address(&ct->src, !ebc_addr_is_v4(&ct->dst));
		}
		ebc_ct_flow(ct, out);
		ebc_ct_twin(out, p->about.proto, &reply);
		if (!ebc_ct_ambiguous(&reply, &p->about.flow, now))
			return ebc_ct_insert(p, ct, forward, &reply);
	}
	return EBC_DROP_CONNTRACK_FULL;
}

#endif
