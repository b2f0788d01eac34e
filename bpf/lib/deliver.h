/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The last hop: to a pod of this node, past the host's stack. */
#ifndef EBC_DELIVER_H
#define EBC_DELIVER_H

#include <linux/pkt_cls.h>
#include <stddef.h>

#include "endpoint_lookup.h"
#include "parse.h"
#include "rewrite.h"

/* Out of the veth: as if received inside the pod where the kernel can, else through the veth's own queue. */
static __always_inline int ebc_into_pod(__u32 ifindex)
{
	if (ebc_configured(EBC_CONFIG_REDIRECT_PEER))
		return bpf_redirect_peer(ifindex, 0);
	return bpf_redirect(ifindex, 0);
}

_Static_assert(offsetof(struct ebc_ep, host_mac) == offsetof(struct ebc_ep, pod_mac) + ETH_ALEN,
	       "pod_mac, host_mac are an Ethernet header's destination and source");

/* TC_ACT_REDIRECT, or negative when the packet could not be edited. */
static __always_inline int ebc_deliver(struct __sk_buff *skb, const struct ebc_packet *p,
				       const struct ebc_ep *ep)
{
	if (ebc_decrement_ttl(skb, p) || bpf_skb_store_bytes(skb, 0, ep->pod_mac, 2 * ETH_ALEN, 0))
		return -1;
	/* Past the veth's queue only where that does not limit the pod's rate. */
	return ep->flags & EBC_EP_QUEUED ? bpf_redirect(ep->ifindex, 0) : ebc_into_pod(ep->ifindex);
}

#endif
