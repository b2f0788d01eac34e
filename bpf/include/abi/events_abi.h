/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_EVENTS_ABI_H
#define EBC_EVENTS_ABI_H

#include "common_abi.h"

/* Where a packet or a socket call was judged. */
enum ebc_hook {
	EBC_HOOK_POD_EGRESS = 0,      /* sent by a pod: tc ingress of the veth's host side */
	EBC_HOOK_POD_INGRESS = 1,     /* going to a pod: tc egress of the veth's host side */
	EBC_HOOK_SOCKET = 2,	      /* cgroup socket hooks */
	EBC_HOOK_UPLINK_INGRESS = 3,  /* arrived at an uplink */
	EBC_HOOK_HOST_EGRESS = 4,     /* leaves by an uplink, or by lo */
	EBC_HOOK_OVERLAY_INGRESS = 5, /* arrived through a tunnel, unpacked */
	EBC_HOOK_OVERLAY_EGRESS = 6,  /* leaves through a tunnel, not yet packed */
	EBC_HOOK_MAX = 7,
	EBC_HOOK_SLOTS = 8, /* room in the counters */
};

/* What became of it. Everything from EBC_DROP_FIRST on is a drop. Numbers are stable: append before
 * EBC_REASON_MAX. */
enum ebc_reason {
	EBC_REASON_FORWARDED = 0, /* on its way, untouched by a service */
	EBC_REASON_DELIVERED = 1, /* to a pod on this node */
	EBC_REASON_SERVICE = 2,	  /* translated to a backend */
	EBC_REASON_REPLY = 3,	  /* translated back from a backend */
	EBC_DROP_FIRST = 4,
	EBC_DROP_SOURCE_ADDRESS = 4,   /* the sender does not own the source address */
	EBC_DROP_SOURCE_MAC = 5,       /* the sender does not own the source MAC address */
	EBC_DROP_MALFORMED = 6,	       /* headers truncated or contradictory */
	EBC_DROP_NO_BACKEND = 7,       /* the service has no endpoint anywhere: refused */
	EBC_DROP_NO_LOCAL_BACKEND = 8, /* endpoints exist, none may be used from here */
	EBC_DROP_FRAGMENT = 9,	       /* a later fragment whose ports are needed and unknown */
	EBC_DROP_CONNTRACK_FULL = 10,  /* no room for the connection */
	EBC_DROP_REWRITE = 11,	       /* the packet could not be edited */
	EBC_DROP_LINK_LOCAL = 12,      /* link-local traffic that must not leave the pod's own link */
	EBC_DROP_PROTOCOL = 13,	       /* neither IP nor ARP, or a VLAN tag */
	EBC_DROP_SOURCE_RANGE = 14,    /* the client is not in loadBalancerSourceRanges */
	EBC_DROP_PORT = 15,	       /* a port that the cluster IP does not have: refused */
	EBC_DROP_SNAT_PORTS = 16,      /* no source port is free towards this peer */
	EBC_DROP_BIND = 17,	       /* a socket of the node wanted a NodePort: refused */
	EBC_DROP_LOOPBACK = 18,	       /* from the network, from or to a loopback address */
	EBC_DROP_HOP_LIMIT = 19,       /* translated, and no hop left: answered with time exceeded */
	EBC_DROP_TOO_BIG = 20, /* translated or tunnelled, and larger than its path: answered with the size */
	EBC_DROP_NO_TUNNEL = 21,     /* no tunnel leads to the destination */
	EBC_DROP_TUNNEL_PEER = 22,   /* encapsulated by no node of this cluster, or for another network */
	EBC_DROP_TUNNEL_SOURCE = 23, /* the inner source does not belong to the node that encapsulated it */
	EBC_DROP_TUNNEL_PORT = 24,   /* a pod's own encapsulation, for what is no pod */
	EBC_DROP_UPLINK_SOURCE = 25, /* from the network, with a source that cannot be there */
	EBC_DROP_NO_CONNECTION = 26, /* the middle of a connection that is not in the table */
	EBC_DROP_UNTRACKED = 27,     /* would leave the cluster with a pod's address */
	EBC_REASON_MAX = 28,
	EBC_REASON_SLOTS = 64, /* room in the counters */
};

/* One counter of ebc_cpu.metrics. bytes is 0 for socket calls. */
struct ebc_metric {
	__u64 packets;
	__u64 bytes;
};
_Static_assert(sizeof(struct ebc_metric) == 16, "ebc_metric");

/* Record of the ring buffer ebc_events_v1. time is CLOCK_MONOTONIC. The tuple is the packet's as it arrived.
 */
struct ebc_event {
	__u64 time_ns;
	struct ebc_addr src;
	struct ebc_addr dst;
	__be16 sport;
	__be16 dport;
	__u32 ifindex;
	__u32 service_id;
	__u32 len;
	__u8 proto;
	__u8 reason; /* enum ebc_reason */
	__u8 hook;   /* enum ebc_hook */
	__u8 pad0;
	__u32 pad1;
};
_Static_assert(sizeof(struct ebc_event) == 64, "ebc_event");

#endif
