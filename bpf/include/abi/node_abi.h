/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs know about the node and the cluster around it. */
#ifndef EBC_NODE_ABI_H
#define EBC_NODE_ABI_H

#include "common_abi.h"

/* Key of ebc_ipcache_v2 (LPM). prefixlen is 96 + n for an IPv4 prefix of n bits. */
struct ebc_ipcache_key {
	__u32 prefixlen;
	struct ebc_addr addr;
};
_Static_assert(sizeof(struct ebc_ipcache_key) == 20, "ebc_ipcache_key");

/* What a destination is. One that is none of these is outside the cluster. */
enum ebc_ipcache_flags {
	EBC_IPCACHE_POD = 1 << 0,    /* pods, here or elsewhere */
	EBC_IPCACHE_NODE = 1 << 1,   /* a node's own address */
	EBC_IPCACHE_EXEMPT = 1 << 2, /* configured: pods reach it with their own address */
	EBC_IPCACHE_LOCAL = 1 << 3,  /* of this node: its own address, or its own pods' prefix */
};

/* With a tunnel: the addresses belong to a node that is reached through it. Both its parts are 0 without. */
struct ebc_ipcache {
	__u32 flags;		/* enum ebc_ipcache_flags */
	__u32 ifindex;		/* this node's tunnel device */
	struct ebc_addr tunnel; /* the node's address in the underlay */
};
_Static_assert(sizeof(struct ebc_ipcache) == 24, "ebc_ipcache");

/* This node's end of all tunnels. All 0 where there is none. */
struct ebc_overlay {
	__u32 ifindex; /* the VXLAN device */
	__u32 vni;     /* the number of the cluster's network */
	__u32 mtu;     /* bytes of an inner packet, its IP header included */
	__be16 port;   /* UDP, of what is encapsulated */
	__u16 pad0;
};
_Static_assert(sizeof(struct ebc_overlay) == 16, "ebc_overlay");

/* Key of ebc_uplink_v1. */
struct ebc_uplink_key {
	__u32 ifindex;
};
_Static_assert(sizeof(struct ebc_uplink_key) == 4, "ebc_uplink_key");

/* The addresses that masquerading uses on a device; all zero where there is none of a family. */
struct ebc_uplink {
	struct ebc_addr v4;
	struct ebc_addr v6;
};
_Static_assert(sizeof(struct ebc_uplink) == 32, "ebc_uplink");

/*
 * The shared global ebc_node (map ebc_node_v1), which the agent writes and every program reads without a
 * lookup. epoch counts the changes of frontends: it is odd while the agent changes them, and another number
 * afterwards.
 */
struct ebc_node {
	struct ebc_uplink own; /* the addresses by which others know the node */
	struct ebc_overlay overlay;
	__u32 epoch;
	__u32 pad0;
};
_Static_assert(sizeof(struct ebc_node) == 56, "ebc_node");

/* Key of ebc_netns_v1: the network namespace of a pod on this node (SO_NETNS_COOKIE, 5.14). */
struct ebc_netns_key {
	__u64 cookie;
};
_Static_assert(sizeof(struct ebc_netns_key) == 8, "ebc_netns_key");

/* The pod's addresses, for a socket that has no source address yet; all zero where there is none of a family.
 */
struct ebc_netns {
	struct ebc_addr v4;
	struct ebc_addr v6;
};
_Static_assert(sizeof(struct ebc_netns) == 32, "ebc_netns");

#endif
