// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Both directions of a pod's veth, on its host side. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "source_check.h"
#include "translate.h"
#include "forward.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Behind another CNI plugin, whose addresses, links and rules these are: what is for a service, or answers
 * it, goes on translated. All else is not touched, and the plugin's to judge, its source too.
 */
static __always_inline int ebc_services_only(struct __sk_buff *skb, struct ebc_packet *p, int reason)
{
	if (reason || skb->vlan_present || ebc_for_link(p))
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
	struct ebc_packet *p;
	int reason;

	p = ebc_parse(skb, EBC_HOOK_POD_EGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	if (ebc_configured(EBC_CONFIG_CHAINED))
		return ebc_services_only(skb, p, reason);
	if (!reason && skb->vlan_present)
		reason = EBC_DROP_PROTOCOL;
	if (!reason && ebc_small_talk(p))
		return ebc_ignore(p, EBC_DROP_LINK_LOCAL);
	if (!reason)
		reason = ebc_check_source(skb, p);
	if (reason)
		return ebc_refuse(p, reason);
	/* Multicast, broadcast and link-local addresses are for those on the link, and that is the host: no
	 * routing table knows them. */
	if (ebc_for_link(p))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	/* The host's own stack would take it where kube-proxy has been (route_localnet). */
	if (ebc_loopback(&p->about.flow.dst))
		return ebc_refuse(p, EBC_DROP_LOOPBACK);
	reason = ebc_translate(skb, p);
	return reason >= EBC_DROP_FIRST ? ebc_deny(skb, p, reason) : ebc_forward(skb, p, reason);
}

/* To a pod, brought by the host's stack; or by a program that has seen to it already. */
SEC("tc")
int ebc_pod_ingress(struct __sk_buff *skb)
{
	struct ebc_packet *p;
	int reason;

	if (ebc_marked(skb))
		return EBC_GO_ON;
	p = ebc_parse(skb, EBC_HOOK_POD_INGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	/* What cannot be read cannot be judged: neither its source nor whose answer it is. Behind another
	 * plugin that is for the other one's rules. */
	if (reason && !ebc_configured(EBC_CONFIG_CHAINED))
		return ebc_refuse(p, reason);
	if (reason || ebc_for_link(p))
		return ebc_pass(p, EBC_REASON_DELIVERED);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	return ebc_write(skb, p, 0) ? ebc_refuse(p, EBC_DROP_REWRITE)
				    : ebc_door(skb, p, EBC_WAY_STACK, reason, p->about.ifindex);
}
