/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_ENDPOINT_ABI_H
#define EBC_ENDPOINT_ABI_H

#include "common_abi.h"

/* Key of ebc_ep_v1: an address of a pod on this node (a dual-stack pod has two entries with the same value).
 */
struct ebc_ep_key {
	struct ebc_addr addr;
};
_Static_assert(sizeof(struct ebc_ep_key) == 16, "ebc_ep_key");

enum ebc_ep_flags {
	EBC_EP_QUEUED =
	    1 << 0, /* delivered through the queue of the veth's host side, which limits the rate */
};

struct ebc_ep {
	__u32 ifindex;	  /* host side of the pod's veth, in the node's network namespace */
	__u32 id;	  /* endpoint id, unique on this node */
	__u8 pod_mac[6];  /* pod side of the veth */
	__u8 host_mac[6]; /* host side of the veth: what the pod sees as its gateway */
	__u32 flags;	  /* enum ebc_ep_flags */
};
_Static_assert(sizeof(struct ebc_ep) == 24, "ebc_ep");

#endif
