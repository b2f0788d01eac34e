// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Both directions of a pod's veth, on its host side. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "forward.h"
#include "source_check.h"
#include "translate.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

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
	/* Multicast and broadcast are for those on the link, and that is the host: no routing table knows
	 * them. */
	if (!(p->flags & EBC_PKT_V6))
		*link_scope = ebc_v4_for_many(&p->about.flow.dst);
	return ebc_owner(src, p->eth.h_source, p->about.ifindex);
}

/*
 * Behind another CNI plugin, whose addresses, links and rules these are: what is for a service, or answers
 * it, goes on translated. All else is not touched, and the plugin's to judge, its source too.
 */
static __noinline int ebc_services_only(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	if (reason || skb->vlan_present || p->flags & EBC_PKT_ARP)
		return ebc_pass(p, EBC_REASON_FORWARDED);
	if (p->flags & EBC_PKT_V6
		? ebc_v6_multicast(&p->about.flow.dst) || ebc_v6_link_local(&p->about.flow.dst) ||
		      ebc_v6_link_local(&p->about.flow.src)
		: ebc_v4_for_many(&p->about.flow.dst))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	return p->flags & EBC_PKT_CHANGED ? ebc_forward(skb, p, reason) : ebc_pass(p, reason);
}

/* Sent by a pod. */
SEC("tc")
int ebc_pod_egress(struct __sk_buff *skb)
{
	bool link_scope = false;
	struct ebc_packet *p;
	int reason;

	p = ebc_parse(skb, EBC_HOOK_POD_EGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	if (ebc_configured(EBC_CONFIG_CHAINED))
		return ebc_services_only(skb, p, reason);
	if (!reason && skb->vlan_present)
		reason = EBC_DROP_PROTOCOL;
	if (!reason)
		reason = ebc_check_source(skb, p, &link_scope);
	if (reason)
		return ebc_refuse(p, reason);
	/* What is for this link is for the host. */
	if (link_scope)
		return ebc_pass(p, EBC_REASON_FORWARDED);
	/* The host's own stack would take it where kube-proxy has been (route_localnet). */
	if (ebc_loopback(&p->about.flow.dst))
		return ebc_refuse(p, EBC_DROP_LOOPBACK);
	reason = ebc_translate(skb, p);
	return reason >= EBC_DROP_FIRST ? ebc_deny(skb, p, reason) : ebc_forward(skb, p, reason);
}

/* To a pod, from the host's stack: answers of backends elsewhere get their service's address back. */
SEC("tc")
int ebc_pod_ingress(struct __sk_buff *skb)
{
	struct ebc_packet *p;
	int reason;

	p = ebc_parse(skb, EBC_HOOK_POD_INGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	/* What cannot be read cannot be a reply; the pod's own kernel judges it. */
	if (!reason)
		reason = ebc_translate(skb, p);
	else
		reason = EBC_REASON_FORWARDED;
	if (reason >= EBC_DROP_FIRST || ebc_rewrite(skb))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return ebc_pass(p, reason == EBC_REASON_FORWARDED ? EBC_REASON_DELIVERED : reason);
}
