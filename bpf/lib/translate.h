/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a packet becomes: one way for all hooks. Decides and writes it down; edits no packet but what ICMP
 * errors quote. */
#ifndef EBC_TRANSLATE_H
#define EBC_TRANSLATE_H

#include "held.h"
#include "icmp_error.h"
#include "service.h"

/*
 * Later fragments whose first one was not seen, and which do not wait for it (held.h): what is for a cluster
 * IP must not go on untranslated. All else may: a node's own datagrams are put together by its stack, and
 * what it lacks the first fragment of is lost there as well as here.
 */
static __noinline int ebc_translate_portless(struct ebc_packet *p)
{
	if (p->about.hook == EBC_HOOK_POD_EGRESS)
		return ebc_to_local_pod(p) ? EBC_REASON_FORWARDED : EBC_DROP_FRAGMENT;
	if (p->about.hook == EBC_HOOK_POD_INGRESS)
		return EBC_REASON_FORWARDED;
	if (p->flags & EBC_PKT_OF_POD)
		return EBC_DROP_FRAGMENT;
	return ebc_frontend(p) ? EBC_DROP_FRAGMENT : EBC_REASON_FORWARDED;
}

/* A fragment whose ports or identifier are those of another one, and not known. */
static __always_inline bool ebc_lacks_ports(const struct ebc_packet *p)
{
	return (p->flags & (EBC_PKT_LATER | EBC_PKT_PORTS)) == EBC_PKT_LATER &&
	       (ebc_has_ports(p->about.proto) || ebc_is_icmp(p));
}

/* EBC_TAKEN, EBC_REASON_FORWARDED, a drop reason; or negative: translated as any packet. Not static, so that
 * the verifier follows it once. */
__noinline int ebc_translate_fragment(struct __sk_buff *skb)
{
	struct ebc_packet *p = ebc_scratch();
	int taken;

	if (!p)
		return EBC_DROP_REWRITE;
	taken = ebc_fragment(skb, p);
	if (taken >= 0)
		return taken;
	return ebc_lacks_ports(p) ? ebc_translate_portless(p) : -1;
}

/*
 * Does it leave the cluster with an address that has to be hidden? From a pod at once, but for what the
 * host's stack is to see first (an interceptor's rule for a metadata address): that is hidden where it leaves
 * the node.
 */
static __always_inline bool ebc_leaves_cluster(struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_MASQUERADE) || !ebc_to_outside(p))
		return false;
	if (p->flags & EBC_PKT_OF_POD)
		return true;
	return p->about.hook == EBC_HOOK_POD_EGRESS && !ebc_v4_link_local(&p->about.flow.dst);
}

/* Not an answer: what a pod says in the middle of a connection that was lost may take it up again. */
static __always_inline bool ebc_may_leave(const struct ebc_packet *p)
{
	if (p->about.proto == IPPROTO_TCP)
		return ebc_opens(p) || !(p->tcp_flags & (EBC_TCP_SYN | EBC_TCP_RST));
	return ebc_begins(p) || p->about.proto == IPPROTO_SCTP;
}

/*
 * From a client outside of the cluster to a pod itself. It is remembered, so that the pod's answers are not
 * masqueraded as what a pod begins is; and, with sources kept, so that they take the way on which it came.
 */
static __always_inline bool ebc_comes_to_pod(struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_MASQUERADE | EBC_CONFIG_KEEP_SOURCE) || !ebc_from_network(p) ||
	    !ebc_to_local_pod(p))
		return false;
	return ebc_configured(EBC_CONFIG_KEEP_SOURCE) ? !ebc_in_cluster(&p->about.flow.src)
						      : !ebc_ipcache(&p->about.flow.src);
}

/*
 * Brought to a pod by the host's stack, which may have translated it (another plugin's hostPort): the answers
 * are the stack's to translate back. Behind another plugin all is.
 */
static __always_inline bool ebc_comes_by_stack(const struct __sk_buff *skb, const struct ebc_packet *p)
{
	return p->about.hook == EBC_HOOK_POD_INGRESS && skb->ingress_ifindex &&
	       !ebc_configured(EBC_CONFIG_CHAINED);
}

/*
 * The node's own, from a port that is a frontend's (a hostPort that the node uses for a connection of its
 * own), or without ports: it is remembered, so that the answers are not taken for something else.
 */
static __always_inline bool ebc_node_needs_entry(const struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_svc_key key = {
	    .addr = p->about.flow.src, .port = p->about.flow.sport, .proto = p->about.proto};

	if (!ebc_own(skb, p))
		return false;
	if (!(p->flags & EBC_PKT_PORTS))
		return !ebc_is_icmp(p) && p->about.hook == EBC_HOOK_HOST_EGRESS;
	/* No lookup of sockets finds it (ebc_node_hears), and a pod's may take its answers. */
	if (p->about.proto != IPPROTO_TCP && p->about.proto != IPPROTO_UDP &&
	    p->about.hook == EBC_HOOK_HOST_EGRESS && ebc_configured(EBC_CONFIG_MASQUERADE) &&
	    ebc_to_outside(p))
		return true;
	return ebc_may_be_service(p->about.proto) && ebc_svc_find(&key, &p->svc);
}

/*
 * Would the answers be taken for those of a translated connection: from the same port, to the same peer, be
 * it a pod or the node's own server? Then it gets another port. (nf_conntrack does so, too.)
 */
static __always_inline bool ebc_answers_collide(struct ebc_packet *p)
{
	ebc_ct_twin(&p->about.flow, p->about.proto, &p->answers);
	if (!ebc_ct_find(&p->answers, &p->ct, &p->now))
		return false;
	if (p->ct.state != EBC_CTS_CLOSE)
		return true;
	/* It was reset and makes way. */
	ebc_ct_delete(&p->answers, p->ct.created_ns);
	return false;
}

/* An entry for a packet whose destination stays: EBC_REASON_FORWARDED, or a drop reason. */
static __always_inline int ebc_track(struct __sk_buff *skb, struct ebc_packet *p, __u32 node, __u16 flags)
{
	int reason;

	p->ct.dst = p->about.flow.dst;
	p->ct.dport = p->about.flow.dport;
	p->ct.flags = flags;
	p->ct.service_id = 0;
	p->ct.backend_index = 0;
	reason = ebc_ct_create(skb, node);
	return reason ? reason : EBC_REASON_FORWARDED;
}

/* Out of the cluster. What the routes do not lead to an uplink, the stack answers or sends where it knows. */
static __always_inline int ebc_masquerade(struct __sk_buff *skb, struct ebc_packet *p)
{
	__u32 uplink = p->about.ifindex;

	if (!(p->flags & EBC_PKT_OF_POD)) {
		int route = ebc_route(skb, p, p->about.ifindex);

		/* The stack would cut it, and send its pieces with the pod's address. */
		if (route == BPF_FIB_LKUP_RET_FRAG_NEEDED)
			return EBC_DROP_TOO_BIG;
		if (!ebc_leaves(route))
			return EBC_REASON_FORWARDED;
		uplink = p->route.ifindex;
	}
	if (!ebc_uplink_addr(p, uplink, &p->ct.src))
		return EBC_REASON_FORWARDED;
	if (!ebc_may_leave(p))
		return p->about.proto == IPPROTO_TCP ? EBC_DROP_NO_CONNECTION : EBC_DROP_UNTRACKED;
	return ebc_track(skb, p, 1, 0);
}

/* For no service: at most the source has to change. EBC_REASON_FORWARDED, or a drop reason. */
static __noinline int ebc_translate_source(struct __sk_buff *skb, struct ebc_packet *p)
{
	if (ebc_leaves_cluster(p))
		return ebc_masquerade(skb, p);
	if (!ebc_begins(p))
		return EBC_REASON_FORWARDED;
	if (ebc_comes_by_stack(skb, p)) {
		p->ct.src = p->about.flow.src;
		return ebc_track(skb, p, 0, EBC_CT_STACK);
	}
	if (!ebc_comes_to_pod(p) && !ebc_node_needs_entry(skb, p) && !ebc_answers_collide(p))
		return EBC_REASON_FORWARDED;
	p->ct.src = p->about.flow.src;
	return ebc_track(skb, p, ebc_own(skb, p), 0);
}

/*
 * Who asks the frontends: what is for none of the cluster's pods, and begins. In the middle of a connection
 * only what is not the node's own: the node resets what it does not know, while a virtual address has nothing
 * that would, and must not be left with.
 */
static __always_inline bool ebc_asks(struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_TC_SERVICES) || (p->flags & EBC_PKT_OF_POD) ||
	    p->about.hook == EBC_HOOK_POD_INGRESS)
		return false;
	ebc_resolve(p);
	if (p->place.kind & EBC_IPCACHE_POD)
		return false;
	if (!ebc_begins(p) && ebc_to_this_node(p))
		return false;
	return p->about.hook != EBC_HOOK_POD_EGRESS || !ebc_is_hairpin_address(&p->about.flow.dst);
}

/* For the frontend p->svc, without an entry of its own yet. */
static __always_inline int ebc_translate_service(struct __sk_buff *skb, struct ebc_packet *p)
{
	int reason;

	if (p->svc.flags & EBC_SVC_NODE_SERVER)
		return EBC_REASON_FORWARDED;
	if (!(p->svc.flags & EBC_SVC_ADDRESS)) {
		if (!ebc_begins(p))
			return EBC_DROP_NO_CONNECTION;
		if (ebc_to_this_node(p) && ebc_node_talks(skb, p))
			return EBC_REASON_FORWARDED;
	}
	reason = ebc_admit(p);
	return reason ? reason : ebc_service_begin(skb, p);
}

/* Not in the table. */
static __noinline int ebc_translate_new(struct __sk_buff *skb, struct ebc_packet *p)
{
	/* Before the frontends are looked at: what changes in between is asked for again. */
	p->epoch = ebc_epoch();
	if (ebc_from_node(p) && !ebc_begins(p))
		return ebc_virtual(&p->about.flow.dst) ? EBC_DROP_NO_CONNECTION : EBC_REASON_FORWARDED;
	if (ebc_asks(p) && ebc_frontend(p))
		return ebc_translate_service(skb, p);
	return ebc_translate_source(skb, p);
}

/*
 * May the packet's connection, of which p->ct is a copy, go somewhere else now than when it began? An open
 * one never does, whatever becomes of its service. Datagrams may, and handshakes without an answer: also what
 * left the cluster so far, since a sender that never pauses may have begun before its service did. Asked once
 * for each change of the frontends.
 */
static __always_inline bool ebc_may_move(const struct ebc_packet *p)
{
	__u32 epoch = ebc_epoch();

	if (p->ct.flags & EBC_CT_REPLY || (p->ct.epoch == epoch && !(epoch & 1)))
		return false;
	if (!ebc_may_be_service(p->about.proto))
		return false;
	return p->about.proto == IPPROTO_UDP || (ebc_opens(p) && ebc_ct_unanswered(&p->ct));
}

/* What may move stays if it would begin the same way now. EBC_REASON_*, a drop reason, or negative: it stays.
 */
static __noinline int ebc_translate_again(struct __sk_buff *skb, struct ebc_packet *p, struct ebc_ct *ct)
{
	int position;

	p->epoch = ebc_epoch();
	if (ebc_asks(p) && ebc_frontend(p) && !(p->svc.flags & EBC_SVC_NODE_SERVER)) {
		position = p->ct.flags & EBC_CT_SERVICE ? ebc_backend_serves() : 0;
		if (!position) {
			ebc_ct_forget(p);
			return ebc_translate_service(skb, p);
		}
		ct->backend_index = position - 1;
	} else if (p->ct.flags & EBC_CT_SERVICE) {
		/* Its service is gone. */
		ebc_ct_forget(p);
		return ebc_translate_source(skb, p);
	}
	ct->epoch = p->epoch;
	return -1;
}

/*
 * What only goes to a pod is an answer to it, or none of ours. But what the node's own sockets send it may
 * come from a port to which a masqueraded client's answers go, and what the stack has brought needs its
 * answers.
 */
static __always_inline bool ebc_passes_to_pod(const struct __sk_buff *skb, const struct ebc_packet *p,
					      bool known)
{
	if (p->about.hook != EBC_HOOK_POD_INGRESS || !skb->ingress_ifindex)
		return false;
	return known && !(p->ct.flags & (EBC_CT_REPLY | EBC_CT_STACK));
}

/*
 * EBC_REASON_SERVICE, REPLY, FORWARDED (no service's), or a drop reason. p->to is what the packet becomes,
 * and EBC_PKT_CHANGED says that this is something else.
 */
static __noinline int ebc_translate(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_ct *ct;
	int reason = -1;

	if (!ebc_configured(EBC_CONFIG_TC_SERVICES | EBC_CONFIG_MASQUERADE | EBC_CONFIG_KEEP_SOURCE))
		return EBC_REASON_FORWARDED;
	if (ebc_is_icmp_error(p)) {
		reason = ebc_icmp_error(skb, p);
		/* About nothing that is known, or about another pod's connection: it would show a pod's
		 * address to who has not asked for it. */
		return reason < EBC_DROP_FIRST &&
			       (!(p->flags & EBC_PKT_TRACKED) ||
				!ebc_addr_eq(&p->about.flow.src, &p->quoted.src)) &&
			       ebc_leaves_cluster(p)
			   ? EBC_DROP_UNTRACKED
			   : reason;
	}
	if (p->flags & (EBC_PKT_FIRST | EBC_PKT_LATER)) {
		int verdict = ebc_translate_fragment(skb);

		if (verdict >= 0)
			return verdict;
	}
	ct = ebc_ct_find(ebc_ct_key(&p->about), &p->ct, &p->now);
	/* A SYN after the end is a new connection of a reused port, and perhaps one without translation. */
	if (ct && !(p->ct.flags & EBC_CT_REPLY) && ebc_ct_over(&p->ct) && ebc_opens(p)) {
		ebc_ct_forget(p);
		ct = NULL;
	}
	if (ebc_passes_to_pod(skb, p, ct))
		return EBC_REASON_FORWARDED;
	if (ct) {
		if (p->about.hook != EBC_HOOK_POD_INGRESS && ebc_may_move(p))
			reason = ebc_translate_again(skb, p, ct);
		if (reason < 0)
			reason = ebc_ct_use(p, ct);
		if (reason >= 0)
			return reason;
	}
	return ebc_translate_new(skb, p);
}

#endif
