/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* New connections: a source port by which the answers can be told apart, and both entries. */
#ifndef EBC_SNAT_H
#define EBC_SNAT_H

#include "conntrack.h"

#define EBC_SNAT_TRIES 24

/* The key as the kernel looks up sockets; its size. */
static __always_inline __u32 ebc_sock_tuple(const struct ebc_packet *p, const struct ebc_ct_key *k,
					    struct bpf_sock_tuple *tuple)
{
	if (p->flags & EBC_PKT_V6) {
		__builtin_memcpy(tuple->ipv6.saddr, &k->src, 16);
		__builtin_memcpy(tuple->ipv6.daddr, &k->dst, 16);
		tuple->ipv6.sport = k->sport;
		tuple->ipv6.dport = k->dport;
		return sizeof(tuple->ipv6);
	}
	tuple->ipv4.saddr = k->src.w[3];
	tuple->ipv4.daddr = k->dst.w[3];
	tuple->ipv4.sport = k->sport;
	tuple->ipv4.dport = k->dport;
	return sizeof(tuple->ipv4);
}

/*
 * Would a socket of the node take the answers of the connection that is being made for its own: one that
 * talks from this port to this peer, or waits there for any?
 */
static __always_inline bool ebc_node_hears(struct __sk_buff *skb, const struct ebc_packet *p)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = ebc_sock_tuple(p, &p->answers, &tuple);
	struct bpf_sock *sk = NULL;

	if (p->about.proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else if (p->about.proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/*
 * Is the packet one of a connection that a socket of the node has already (not of one that only listens)? It
 * is that socket's, whatever frontend has the same address and port.
 */
static __noinline bool ebc_node_talks(struct __sk_buff *skb, const struct ebc_packet *p)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = ebc_sock_tuple(p, ebc_ct_key(&p->about), &tuple);
	struct bpf_sock *sk = NULL;
	__u32 state;

	if (p->about.proto == IPPROTO_TCP)
		sk = bpf_sk_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else if (p->about.proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	state = sk->state;
	bpf_sk_release(sk);
	return state != BPF_TCP_LISTEN && state != BPF_TCP_CLOSE;
}

/* Is the entry one of the packet's own flow, of a moment ago? */
static __always_inline bool ebc_ct_same(const struct ebc_ct *ct, const struct ebc_flow *in)
{
	return (ct->flags & EBC_CT_REPLY) && ebc_addr_eq(&ct->src, &in->dst) && ct->sport == in->dport &&
	       ebc_addr_eq(&ct->dst, &in->src) && ct->dport == in->sport;
}

/*
 * Claims p->answers for the connection that is being made, whose answers' entry is p->ct: 0, -EBC_EEXIST if
 * they would be mistaken for another connection's, or that of a full table. Of two CPUs that try the same at
 * once one succeeds. Not static, as others that take nothing but the packet: the verifier follows such a
 * function once, not once for each call. The working memory is where it was.
 */
__noinline int ebc_answers_claim(struct __sk_buff *skb, __u32 socket)
{
	struct ebc_packet *p = ebc_scratch();
	const struct ebc_ct *other;
	bool mine;

	if (!p)
		return -EBC_EEXIST;
	other = ebc_ct_lookup(&p->answers);
	mine = other && ebc_ct_same(other, &p->about.flow);
	/* What was reset has nothing more to say. Of what has no ports, the node's own comes first. */
	if (other && !mine && !ebc_ct_expired(other, p->now) && other->state != EBC_CTS_CLOSE &&
	    ((p->flags & EBC_PKT_PORTS) || !ebc_own(skb, p)))
		return -EBC_EEXIST;
	if (socket && ebc_node_hears(skb, p))
		return -EBC_EEXIST;
	if (other && !mine && !ebc_ct_delete(&p->answers, other->created_ns))
		return -EBC_EEXIST;
	return ebc_ct_insert(&p->answers, &p->ct, mine ? BPF_ANY : BPF_NOEXIST);
}

/*
 * Does a datagram come from a socket that a hook has seen? It was left to the packets because the socket
 * talks to the backend already, or may (socket_flow.h): that flow is in no table here, and its answers come
 * to this port.
 */
static __always_inline bool ebc_socket_has_port(const struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_SOCKET_LB) || p->about.proto != IPPROTO_UDP ||
	    !(p->ct.flags & EBC_CT_SERVICE))
		return false;
	if (p->about.hook == EBC_HOOK_POD_EGRESS)
		return !ebc_configured(EBC_CONFIG_HOST_ONLY);
	return ebc_from_node(p);
}

/*
 * Sets p->to.sport and p->answers, and writes the entry p->ct under the latter. The client's own port is
 * tried first, unless the client may use it itself; then any of the configured range. 0, or a drop reason: if
 * all that were tried are taken; with half of the range in use towards one peer, once in 2^23.
 */
static __always_inline int ebc_snat_port(struct __sk_buff *skb, struct ebc_packet *p, bool node)
{
	__u32 ports = (__u16)(ebc_config.snat_port_max - ebc_config.snat_port_min) + 1;
	/* The node's own socket has its port: of datagrams in any case, else if nothing but the port may
	 * change. */
	bool socket =
	    node && !(ebc_own(skb, p) && (p->about.proto == IPPROTO_UDP || !(p->ct.flags & EBC_CT_SERVICE)));
	bool own = !ebc_socket_has_port(p);
	int i, error;

	ebc_ct_twin(&p->to, p->about.proto, &p->answers);
	for (i = 0; i < EBC_SNAT_TRIES; i++) {
		p->answers.dport = p->to.sport;
		error = i || own ? ebc_answers_claim(skb, socket) : -EBC_EEXIST;
		if (error != -EBC_EEXIST)
			return error ? EBC_DROP_CONNTRACK_FULL : 0;
		/* What has no ports has but one place. */
		if (!(p->flags & EBC_PKT_PORTS))
			break;
		socket = node;
		p->ct.flags |= EBC_CT_MASQUERADE;
		p->to.sport = bpf_htons(ebc_config.snat_port_min + bpf_get_prandom_u32() % ports);
	}
	return EBC_DROP_SNAT_PORTS;
}

/*
 * p->ct says what is to become of the packet, but for the port. Both entries are written, the answers' first:
 * a client that can send must be able to hear the answer. `node`: the new source is an address of the node.
 * 0, or a drop reason; p->to is the translation.
 */
__noinline int ebc_ct_create(struct __sk_buff *skb, __u32 node)
{
	struct ebc_packet *p = ebc_scratch();
	struct ebc_ct *ct;
	int reason;

	if (!p)
		return EBC_DROP_REWRITE;
	ct = &p->ct;
	/* Its identity, so from the exact clock. */
	p->now = bpf_ktime_get_ns();
	ct->created_ns = p->now;
	ct->last_seen_ns = p->now;
	ct->state = ebc_ct_first_state(p);
	ct->epoch = p->epoch;
	ct->pad0 = 0;
	ct->pad1 = 0;
	p->to.src = ct->src;
	p->to.dst = ct->dst;
	p->to.sport = p->about.flow.sport;
	p->to.dport = ct->dport;
	if (!ebc_addr_eq(&ct->src, &p->about.flow.src))
		ct->flags |= EBC_CT_MASQUERADE;
	ct->src = p->about.flow.dst;
	ct->dst = p->about.flow.src;
	ct->sport = p->about.flow.dport;
	ct->dport = p->about.flow.sport;
	ct->flags |= EBC_CT_REPLY;
	ct->packets = 0;
	ct->bytes = 0;
	reason = ebc_snat_port(skb, p, node);
	if (reason)
		return reason;
	ct->src = p->to.src;
	ct->dst = p->to.dst;
	ct->sport = p->to.sport;
	ct->dport = p->to.dport;
	ct->flags &= ~EBC_CT_REPLY;
	ct->packets = 1;
	ct->bytes = p->about.len;
	if (ebc_ct_insert(ebc_ct_key(&p->about), ct, BPF_ANY)) {
		ebc_ct_delete(&p->answers, ct->created_ns);
		return EBC_DROP_CONNTRACK_FULL;
	}
	p->about.service_id = ct->service_id;
	p->flags |= EBC_PKT_TRACKED;
	ebc_become(p);
	return 0;
}

#endif
