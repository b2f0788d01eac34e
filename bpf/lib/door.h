/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one door into pods: whatever reaches a pod of this node passes ebc_door, whichever way it comes. What a
 * pod may receive is judged here and nowhere else.
 */
#ifndef EBC_DOOR_H
#define EBC_DOOR_H

#include "mark.h"
#include "source_check.h"
#include "verdict.h"

enum ebc_way {
	EBC_WAY_PEER = 0,  /* as if received inside of the pod, where the kernel can do that */
	EBC_WAY_QUEUE = 1, /* through the queue of the veth's host side */
	EBC_WAY_STACK = 2, /* the host's stack brings it, and it is on its way through the veth */
	EBC_WAY_BACK = 3,  /* the pod's own packet, refused */
};

/* 0, or why the packet may not enter the pod. */
static __always_inline int ebc_may_enter(const struct ebc_packet *p)
{
	return ebc_source_believed(p) ? 0 : EBC_DROP_UPLINK_SOURCE;
}

/* Through the door. By EBC_WAY_STACK the packet is on its way already; else it is sent to the pod behind
 * `veth`. */
static __noinline int ebc_door(struct __sk_buff *skb, struct ebc_packet *p, int way, int reason, __u32 veth)
{
	int forbidden = ebc_may_enter(p);

	if (forbidden)
		return ebc_refuse(p, forbidden);
	/* What was refused has been counted. */
	if (way != EBC_WAY_BACK)
		ebc_count_on(ebc_scratch_cpu(p), &p->about,
			     reason == EBC_REASON_FORWARDED ? EBC_REASON_DELIVERED : reason);
	if (way == EBC_WAY_STACK)
		return EBC_GO_ON;
	/* Past the veth's queue only where that does not limit the pod's rate, and from a receiving side
	 * only. */
	if (way != EBC_WAY_QUEUE && ebc_configured(EBC_CONFIG_REDIRECT_PEER))
		return bpf_redirect_peer(veth, 0);
	ebc_mark(skb);
	return bpf_redirect(veth, 0);
}

#endif
