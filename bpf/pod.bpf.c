// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Both directions of a pod's veth, on its host side. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "deliver.h"
#include "endpoint_lookup.h"
#include "icmp_error.h"
#include "parse.h"
#include "reject.h"
#include "rewrite.h"
#include "service.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int ebc_refuse(const struct ebc_packet *p, int reason)
{
	ebc_drop(&p->about, reason);
	return TC_ACT_SHOT;
}

static __always_inline int ebc_pass(const struct ebc_packet *p, int reason)
{
	ebc_count(&p->about, reason);
	return TC_ACT_OK;
}

/* Both families: 0, or why the pod may not send this. */
static __always_inline int ebc_check_source(struct __sk_buff *skb, struct ebc_packet *p, bool *link_scope)
{
	const struct ebc_addr *src = &p->about.flow.src;

	if (p->flags & EBC_PKT_ARP) {
		*link_scope = true;
		return ebc_check_arp(skb, p);
	}
	if (p->flags & EBC_PKT_V6) {
		*link_scope = ebc_v6_multicast(&p->about.flow.dst) || ebc_v6_link_local(&p->about.flow.dst);
		if (ebc_v6_link_local(src) || ebc_v6_unspecified(src)) {
			*link_scope = true;
			return ebc_link_scope(p);
		}
	}
	return ebc_owner(src, p->eth.h_source, p->about.ifindex);
}

/* Services: EBC_REASON_FORWARDED leaves *to as the packet is; SERVICE and REPLY change it; else a drop
 * reason. */
static __always_inline int ebc_translate(struct __sk_buff *skb, struct ebc_packet *p,
					 const struct ebc_ep *local, struct ebc_flow *to)
{
	if (!ebc_configured(EBC_CONFIG_TC_SERVICES))
		return EBC_REASON_FORWARDED;
	if (ebc_is_icmp_error(p))
		return ebc_icmp_error(skb, p, to);
	ebc_fragment(skb, p);
	if (!(p->flags & EBC_PKT_PORTS)) {
		/* Ports unknown, and the address may be a service's: it must not leave the node untranslated.
		 */
		if (!local && (p->flags & EBC_PKT_LATER) && ebc_has_ports(p->about.proto))
			return EBC_DROP_FRAGMENT;
		return EBC_REASON_FORWARDED;
	}
	/* No pod's address is a frontend, so one of the two questions is enough. */
	if (local || ebc_is_hairpin_address(&p->about.flow.dst))
		return ebc_service_reply(p, to);
	return ebc_service_forward(p, to);
}

/*
 * Sent by a pod. Per packet to a pod of this node: who sends, who receives, is it a reply (three hash
 * lookups); to anything else: who sends, is it ours, is it a known connection, and what begins or is unknown
 * asks the frontends.
 */
SEC("tc")
int ebc_pod_egress(struct __sk_buff *skb)
{
	const struct ebc_ep *local;
	struct ebc_packet *p = ebc_scratch();
	bool link_scope = false;
	int reason;

	if (!p)
		return TC_ACT_SHOT;
	__builtin_memset(p, 0, sizeof(*p));
	reason = ebc_parse(skb, p, EBC_HOOK_POD_EGRESS);
	if (!reason && skb->vlan_present)
		reason = EBC_DROP_PROTOCOL;
	if (!reason)
		reason = ebc_check_source(skb, p, &link_scope);
	if (reason)
		return ebc_refuse(p, reason);
	/* What is for this link is for the host; what has no hop left is the host's to answer (time
	 * exceeded). */
	if (link_scope || p->ttl <= 1)
		return ebc_pass(p, EBC_REASON_FORWARDED);

	local = ebc_endpoint(&p->about.flow.dst);
	reason = ebc_translate(skb, p, local, &p->to);
	if (reason >= EBC_DROP_FIRST) {
		ebc_drop(&p->about, reason);
		return reason == EBC_DROP_NO_BACKEND ? ebc_reject(skb, p) : TC_ACT_SHOT;
	}
	if (reason != EBC_REASON_FORWARDED) {
		if (ebc_rewrite(skb, p, &p->to))
			return ebc_refuse(p, EBC_DROP_REWRITE);
		local = ebc_endpoint(&p->to.dst);
	}
	if (ebc_configured(EBC_CONFIG_TC_SERVICES) && reason == EBC_REASON_FORWARDED &&
	    p->about.proto == IPPROTO_TCP && ebc_opens(p))
		ebc_service_forget(p);
	if (!local)
		return ebc_pass(p, reason);
	int action = ebc_deliver(skb, p, local);

	if (action < 0)
		return ebc_refuse(p, EBC_DROP_REWRITE);
	ebc_count(&p->about, reason == EBC_REASON_FORWARDED ? EBC_REASON_DELIVERED : reason);
	return action;
}

/* What the host's stack gives to a pod: is it an answer, or an error about what the pod sent? */
static __always_inline int ebc_translate_reply(struct __sk_buff *skb, struct ebc_packet *p,
					       struct ebc_flow *to)
{
	if (!ebc_configured(EBC_CONFIG_TC_SERVICES))
		return EBC_REASON_FORWARDED;
	if (ebc_is_icmp_error(p))
		return ebc_icmp_error(skb, p, to);
	ebc_fragment(skb, p);
	return p->flags & EBC_PKT_PORTS ? ebc_service_reply(p, to) : EBC_REASON_FORWARDED;
}

/* To a pod, from the host's stack: answers of backends elsewhere get their service's address back. */
SEC("tc")
int ebc_pod_ingress(struct __sk_buff *skb)
{
	struct ebc_packet *p = ebc_scratch();
	int reason;

	if (!p)
		return TC_ACT_SHOT;
	__builtin_memset(p, 0, sizeof(*p));
	/* What cannot be read cannot be a reply; the pod's own kernel judges it. */
	if (ebc_parse(skb, p, EBC_HOOK_POD_INGRESS))
		return ebc_pass(p, EBC_REASON_DELIVERED);
	reason = ebc_translate_reply(skb, p, &p->to);
	if (reason == EBC_REASON_FORWARDED)
		return ebc_pass(p, EBC_REASON_DELIVERED);
	if (reason >= EBC_DROP_FIRST || ebc_rewrite(skb, p, &p->to))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return ebc_pass(p, reason);
}
