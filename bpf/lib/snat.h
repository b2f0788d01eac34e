/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* New connections: a source port by which the answers can be told apart, and both entries. */
#ifndef EBC_SNAT_H
#define EBC_SNAT_H

#include "conntrack.h"

#define EBC_SNAT_TRIES 24

/*
 * Does a socket of the node talk from this port to this peer, or wait there for anybody? Its answers must not
 * be taken for those of the connection that is being made.
 */
static __always_inline bool ebc_node_socket(struct __sk_buff *skb, const struct ebc_packet *p)
{
	const struct ebc_ct_key *k = &p->answers;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = NULL;
	__u32 size;

	if (p->flags & EBC_PKT_V6) {
		__builtin_memcpy(tuple.ipv6.saddr, &k->src, 16);
		__builtin_memcpy(tuple.ipv6.daddr, &k->dst, 16);
		tuple.ipv6.sport = k->sport;
		tuple.ipv6.dport = k->dport;
		size = sizeof(tuple.ipv6);
	} else {
		tuple.ipv4.saddr = k->src.w[3];
		tuple.ipv4.daddr = k->dst.w[3];
		tuple.ipv4.sport = k->sport;
		tuple.ipv4.dport = k->dport;
		size = sizeof(tuple.ipv4);
	}
	if (p->about.proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else if (p->about.proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/* Is the entry one of the packet's own flow, of a moment ago? */
static __always_inline bool ebc_ct_same(const struct ebc_ct *ct, const struct ebc_flow *in)
{
	return (ct->flags & EBC_CT_REPLY) && ebc_addr_eq(&ct->src, &in->dst) && ct->sport == in->dport &&
	       ebc_addr_eq(&ct->dst, &in->src) && ct->dport == in->sport;
}

/*
 * Would the answers to p->ct, under p->answers, be mistaken for another connection's? Not static, as others
 * that take nothing but the packet: the verifier follows such a function once, not once for each call. The
 * working memory is where it was.
 */
__noinline int ebc_answers_taken(struct __sk_buff *skb, __u32 socket)
{
	const struct ebc_packet *p = ebc_scratch();
	const struct ebc_ct *other;

	if (!p)
		return true;
	other = ebc_ct_find(&p->answers, p->now);
	/* What was reset has nothing more to say. */
	if (other && other->state != EBC_CTS_CLOSE && !ebc_ct_same(other, &p->about.flow))
		return true;
	return socket && ebc_node_socket(skb, p);
}

/*
 * Sets p->ct.sport and p->answers. The client's own port is tried first; then any of the configured range.
 * False if all that were tried are taken: with half of the range in use towards one peer, once in 2^23.
 */
static __always_inline bool ebc_snat_port(struct __sk_buff *skb, struct ebc_packet *p, bool node)
{
	__u32 ports = (__u16)(ebc_config.snat_port_max - ebc_config.snat_port_min) + 1;
	/* The node's own datagram socket owns its port, and would be found. */
	bool socket = node && !(p->about.hook == EBC_HOOK_HOST_EGRESS && p->about.proto == IPPROTO_UDP);
	int i;

	p->ct.sport = p->about.flow.sport;
	p->answers.src = p->ct.dst;
	p->answers.dst = p->ct.src;
	p->answers.sport = p->ct.dport;
	p->answers.proto = p->about.proto;
	__builtin_memset(p->answers.pad0, 0, sizeof(p->answers.pad0));
	for (i = 0; i < EBC_SNAT_TRIES; i++) {
		p->answers.dport = p->ct.sport;
		if (!ebc_answers_taken(skb, socket))
			return true;
		socket = node;
		p->ct.sport = bpf_htons(ebc_config.snat_port_min + bpf_get_prandom_u32() % ports);
	}
	return false;
}

/*
 * p->ct says what is to become of the packet, but for the port; p->key is how it arrived. Both entries are
 * written, the answers' first: whoever can send must be able to hear the answer. `node`: the new source is an
 * address of the node. 0, or a drop reason; p->to is the translation.
 */
__noinline int ebc_ct_create(struct __sk_buff *skb, __u32 node)
{
	struct ebc_packet *p = ebc_scratch();
	struct ebc_ct *ct;

	if (!p)
		return EBC_DROP_REWRITE;
	ct = &p->ct;
	if (!ebc_snat_port(skb, p, node))
		return EBC_DROP_SNAT_PORTS;
	ct->created_ns = p->now;
	ct->last_seen_ns = p->now;
	ct->state = ebc_ct_first_state(p->about.proto);
	ct->pad0 = 0;
	if (ct->sport != p->about.flow.sport || !ebc_addr_eq(&ct->src, &p->about.flow.src))
		ct->flags |= EBC_CT_MASQUERADE;
	ebc_ct_flow(ct, &p->to);
	ct->src = p->about.flow.dst;
	ct->dst = p->about.flow.src;
	ct->sport = p->about.flow.dport;
	ct->dport = p->about.flow.sport;
	ct->flags |= EBC_CT_REPLY;
	ct->packets = 0;
	ct->bytes = 0;
	if (bpf_map_update_elem(&ebc_ct_v2, &p->answers, ct, BPF_ANY))
		return EBC_DROP_CONNTRACK_FULL;
	ct->src = p->to.src;
	ct->dst = p->to.dst;
	ct->sport = p->to.sport;
	ct->dport = p->to.dport;
	ct->flags &= ~EBC_CT_REPLY;
	ct->packets = 1;
	ct->bytes = p->about.len;
	if (bpf_map_update_elem(&ebc_ct_v2, &p->key, ct, BPF_ANY)) {
		bpf_map_delete_elem(&ebc_ct_v2, &p->answers);
		return EBC_DROP_CONNTRACK_FULL;
	}
	p->about.service_id = ct->service_id;
	p->flags |= EBC_PKT_CHANGED;
	return 0;
}

#endif
