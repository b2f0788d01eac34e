/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a packet becomes: one way for all hooks. Decides and writes it down; edits no packet but ICMP errors.
 */
#ifndef EBC_TRANSLATE_H
#define EBC_TRANSLATE_H

#include "fragment.h"
#include "icmp_error.h"
#include "ipcache_lookup.h"
#include "service.h"

/* Written to skb->tc_index, which the kernel leaves alone: translated here, and about to pass here again. */
#define EBC_PASSED 0xecc1

/*
 * Later fragments whose first one was not seen: what is for a cluster IP must not go on untranslated. All
 * else may: a node's own datagrams are put together by its stack, and what it lacks the first fragment of is
 * lost there as well as here.
 */
static __noinline int ebc_translate_portless(struct ebc_packet *p)
{
	struct ebc_svc_key key = {.addr = p->about.flow.dst};

	if (!(p->flags & EBC_PKT_LATER) || !ebc_has_ports(p->about.proto))
		return EBC_REASON_FORWARDED;
	if (p->about.hook == EBC_HOOK_POD_EGRESS)
		return ebc_endpoint(&key.addr) ? EBC_REASON_FORWARDED : EBC_DROP_FRAGMENT;
	if (p->about.hook == EBC_HOOK_POD_INGRESS)
		return EBC_REASON_FORWARDED;
	return ebc_svc_find(&key, &p->svc) ? EBC_DROP_FRAGMENT : EBC_REASON_FORWARDED;
}

/*
 * Who asks the frontends. No pod's address is one. From a pod everything does that has no entry: what is for
 * a service must not leave the node as it is, even if its entry was lost. Elsewhere only what begins: the
 * rest of a node's traffic is many packets and rarely a service's, and a node that is sent the middle of an
 * unknown connection resets it by itself.
 */
static __always_inline bool ebc_asks(const struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_TC_SERVICES) || !ebc_has_ports(p->about.proto) ||
	    ebc_endpoint(&p->about.flow.dst))
		return false;
	if (p->about.hook == EBC_HOOK_POD_EGRESS)
		return !ebc_is_hairpin_address(&p->about.flow.dst);
	return ebc_begins(p);
}

/* Masquerade: p->ct.src is the address of the device by which the packet will leave the cluster. */
static __always_inline bool ebc_leaves_cluster(struct __sk_buff *skb, struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_MASQUERADE) || p->about.hook != EBC_HOOK_POD_EGRESS ||
	    !(ebc_has_ports(p->about.proto) || p->about.flow.sport) || ebc_endpoint(&p->about.flow.dst) ||
	    ebc_ipcache(&p->about.flow.dst))
		return false;
	return ebc_leaves(ebc_route(skb, p, p->about.ifindex)) &&
	       ebc_uplink_addr(p, p->route.ifindex, &p->ct.src);
}

/*
 * A connection that needs no translation, but whose answers would be taken for those of another one that has
 * one: from the same port, to the same peer, be it a pod or the node's own server. It gets another port.
 * (nf_conntrack does so, too.)
 */
static __always_inline bool ebc_answers_collide(struct ebc_packet *p)
{
	const struct ebc_ct *other;

	if (!ebc_begins(p))
		return false;
	ebc_ct_twin(&p->about.flow, p->about.proto, &p->answers);
	other = ebc_ct_find(&p->answers, p->now);
	if (!other)
		return false;
	p->ct.src = p->about.flow.src;
	if (other->state != EBC_CTS_CLOSE)
		return true;
	/* It was reset and makes way. */
	ebc_ct_delete(&p->answers);
	return false;
}

/*
 * Somebody outside of the cluster begins to talk to a pod itself. It is remembered, so that the pod's answers
 * are not masqueraded as what a pod begins is; and, with sources kept, so that they take the way on which it
 * came.
 */
static __always_inline bool ebc_comes_to_pod(struct ebc_packet *p)
{
	if (!ebc_configured(EBC_CONFIG_MASQUERADE | EBC_CONFIG_KEEP_SOURCE) || !ebc_from_network(p) ||
	    !ebc_begins(p) || !ebc_endpoint(&p->about.flow.dst))
		return false;
	if (ebc_configured(EBC_CONFIG_KEEP_SOURCE) ? ebc_in_cluster(&p->about.flow.src)
						   : ebc_ipcache(&p->about.flow.src) != 0)
		return false;
	p->ct.src = p->about.flow.src;
	return true;
}

/* For no service: only the source may have to change. EBC_REASON_FORWARDED, or a drop reason. */
static __noinline int ebc_translate_source(struct __sk_buff *skb, struct ebc_packet *p)
{
	bool leaves = ebc_leaves_cluster(skb, p);

	if (!leaves && !ebc_comes_to_pod(p) && !ebc_answers_collide(p))
		return EBC_REASON_FORWARDED;
	p->ct.dst = p->about.flow.dst;
	p->ct.dport = p->about.flow.dport;
	p->ct.flags = 0;
	p->ct.service_id = 0;
	p->ct.backend_index = 0;
	return ebc_ct_create(skb, leaves || ebc_from_node(p) || p->about.hook == EBC_HOOK_POD_INGRESS);
}

/* A source that is hidden stays hidden the same way. An entry that had a service has lost it. */
static __always_inline int ebc_no_service(struct __sk_buff *skb, struct ebc_packet *p, struct ebc_ct *ct)
{
	return ct && !(ct->flags & EBC_CT_SERVICE) ? ebc_ct_use(p, ct) : ebc_translate_source(skb, p);
}

/*
 * What only goes to a pod is an answer to it, or none of ours. But what the node's own sockets send it may
 * come from a port to which a masqueraded client's answers go.
 */
static __noinline int ebc_translate_to_pod(struct __sk_buff *skb, struct ebc_packet *p, struct ebc_ct *ct)
{
	bool own = !skb->ingress_ifindex && skb->tc_index != EBC_PASSED;

	if (ct && (own || (ct->flags & EBC_CT_REPLY)))
		return ebc_ct_use(p, ct);
	return own ? ebc_translate_source(skb, p) : EBC_REASON_FORWARDED;
}

/* With socket hooks a node's own packet has met its frontend; what remains for here is what they let pass. */
static __always_inline bool ebc_only_refuses(const struct ebc_packet *p)
{
	return ebc_from_node(p) && !ebc_configured(EBC_CONFIG_HOST_SERVICES);
}

/*
 * EBC_REASON_SERVICE, REPLY, FORWARDED (no service's), or a drop reason. p->to is what the packet becomes,
 * and EBC_PKT_CHANGED says that this is something else.
 */
static __noinline int ebc_translate(struct __sk_buff *skb, struct ebc_packet *p)
{
	struct ebc_ct *ct;
	bool again;
	int reason;

	if (!ebc_configured(EBC_CONFIG_TC_SERVICES | EBC_CONFIG_MASQUERADE | EBC_CONFIG_KEEP_SOURCE))
		return EBC_REASON_FORWARDED;
	if (ebc_is_icmp_error(p)) {
		reason = ebc_icmp_error(skb, p, &p->to);
		if (p->flags & EBC_PKT_EDITED)
			p->flags |= EBC_PKT_CHANGED;
		return reason;
	}
	ebc_fragment(p);
	if (!(p->flags & EBC_PKT_PORTS))
		return ebc_translate_portless(p);
	p->now = bpf_ktime_get_ns();
	p->key = ebc_ct_key(&p->about.flow, p->about.proto);
	ct = ebc_ct_find(&p->key, p->now);
	/* A SYN after the end is a new connection of a reused port, and perhaps one without translation. */
	if (ct && !(ct->flags & EBC_CT_REPLY) && ebc_ct_over(ct) && ebc_opens(p)) {
		ebc_ct_delete(&p->key);
		ct = NULL;
	}
	if (p->about.hook == EBC_HOOK_POD_INGRESS)
		return ebc_translate_to_pod(skb, p, ct);
	/*
	 * An open connection goes on whatever becomes of its service. What may move asks again, also what
	 * left the cluster so far: a sender of datagrams that never pauses may have begun before its service
	 * did.
	 */
	again = ct && !(ct->flags & EBC_CT_REPLY) && ebc_begins(p);
	if (ct && !again)
		return ebc_ct_use(p, ct);
	if (!ebc_asks(p) || !ebc_frontend(p))
		return ebc_no_service(skb, p, ct);
	if (again && ebc_backend_serves(p, ct))
		return ebc_ct_use(p, ct);
	reason = ebc_admit(p);
	if (reason)
		return reason;
	if (ebc_only_refuses(p))
		return ebc_no_service(skb, p, ct);
	return ebc_service_begin(skb, p);
}

#endif
