// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The device of the tunnels to other nodes: what leaves is told where to, what arrives is checked and
 * delivered. */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "peer_check.h"
#include "translate.h"
#include "forward.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Out of a tunnel. As from the network otherwise; what is for a link was for another one. */
SEC("tc")
int ebc_overlay_ingress(struct __sk_buff *skb)
{
	struct ebc_packet *p;
	int reason;

	p = ebc_parse(skb, EBC_HOOK_OVERLAY_INGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	if (!reason && !ebc_again(skb, p))
		reason = ebc_check_peer(skb, p);
	if (!reason && ebc_for_link(p))
		reason = EBC_DROP_LINK_LOCAL;
	if (!reason && (ebc_loopback(&p->about.flow.src) || ebc_loopback(&p->about.flow.dst)))
		reason = EBC_DROP_LOOPBACK;
	if (reason)
		return ebc_refuse(p, reason);
	/* Every node's frames are for every other node's device; older versions may address them otherwise.
	 */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	reason = ebc_translate(skb, p);
	if (reason >= EBC_DROP_FIRST)
		return ebc_deny(skb, p, reason);
	if (!(p->flags & EBC_PKT_CHANGED) && !ebc_to_local_pod(p))
		return ebc_pass(p, reason);
	return ebc_forward(skb, p, reason);
}

/*
 * Into a tunnel. What programs send here has its key. What the stack forwards, and what the node's own
 * sockets send, gets it here; the latter is translated first, as on an uplink.
 */
SEC("tc")
int ebc_overlay_egress(struct __sk_buff *skb)
{
	const struct ebc_overlay *overlay = ebc_overlay();
	struct ebc_packet *p;
	int reason;

	if (ebc_marked(skb))
		return EBC_GO_ON;
	p = ebc_parse(skb, EBC_HOOK_OVERLAY_EGRESS, &reason);
	if (!p)
		return TC_ACT_SHOT;
	if (reason)
		return ebc_refuse(p, reason);
	/* The kernel greets the routers of every link. There is none on this one: the device discards it. */
	if (ebc_for_link(p))
		return ebc_pass(p, EBC_REASON_FORWARDED);
	if (!skb->ingress_ifindex) {
		reason = ebc_translate(skb, p);
		if (reason >= EBC_DROP_FIRST)
			return ebc_deny(skb, p, reason);
	}
	ebc_resolve(p);
	if (!overlay || !p->place.tunnel)
		return ebc_refuse(p, EBC_DROP_NO_TUNNEL);
	ebc_tunnel_macs(p);
	if (ebc_write(skb, p, EBC_WRITE_MACS) || ebc_tunnel_key(skb, overlay, &p->place.peer))
		return ebc_refuse(p, EBC_DROP_REWRITE);
	return ebc_pass(p, reason);
}
