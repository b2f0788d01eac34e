/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CONNTRACK_ABI_H
#define EBC_CONNTRACK_ABI_H

#include "common_abi.h"

/*
 * Key of ebc_ct_tcp_v3 and ebc_ct_any_v3 (all other protocols): a packet as it arrives, before translation. A
 * connection has two entries, one for what the client sends and one (EBC_CT_REPLY) for the answers; each is
 * the mirror of what the other makes of a packet. ICMP queries: the identifier is sport of a request and
 * dport of a reply, the other port is 0. Protocols without ports have 0 for both.
 */
struct ebc_ct_key {
	struct ebc_addr src;
	struct ebc_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 pad0[3];
};
_Static_assert(sizeof(struct ebc_ct_key) == 40, "ebc_ct_key");

enum ebc_ct_flags {
	EBC_CT_REPLY = 1 << 0,	    /* the entry of the answers */
	EBC_CT_SEEN_REPLY = 1 << 1, /* an answer was seen */
	EBC_CT_SERVICE = 1 << 2,    /* the destination was a frontend; else at most the source is hidden */
	EBC_CT_MASQUERADE = 1 << 3, /* the client's source (or its port) is replaced */
	EBC_CT_FIN_FORWARD = 1 << 4,
	EBC_CT_FIN_REPLY = 1 << 5,
	EBC_CT_STACK = 1 << 6, /* the host's stack brought it to the pod, and gets its answers */
};

/* The states of nf_conntrack that have a time-out of their own. */
enum ebc_ct_state {
	EBC_CTS_SYN_SENT = 0,
	EBC_CTS_SYN_RECV = 1,
	EBC_CTS_ESTABLISHED = 2,
	EBC_CTS_FIN_WAIT = 3,
	EBC_CTS_CLOSE_WAIT = 4,
	EBC_CTS_LAST_ACK = 5,
	EBC_CTS_TIME_WAIT = 6,
	EBC_CTS_CLOSE = 7,
	EBC_CTS_UDP = 8,
	EBC_CTS_UDP_STREAM = 9,
	EBC_CTS_SCTP_OPENING = 10,
	EBC_CTS_SCTP_ESTABLISHED = 11,
	EBC_CTS_SCTP_CLOSING = 12,
	EBC_CTS_ICMP = 13,
	EBC_CTS_GENERIC = 14,
};

/*
 * Times are CLOCK_MONOTONIC nanoseconds. flags, state and last_seen (exact to a second) are kept equal in
 * both entries; packets and bytes count the entry's own direction. created_ns is the connection's identity:
 * two entries belong together if it is the same.
 */
struct ebc_ct {
	struct ebc_addr src; /* the packet after translation */
	struct ebc_addr dst;
	__be16 sport;
	__be16 dport;
	__u16 flags; /* enum ebc_ct_flags */
	__u8 state;  /* enum ebc_ct_state */
	__u8 pad0;
	__u32 service_id;    /* 0: no service */
	__u32 backend_index; /* the backend's position in the service's segment when last seen */
	__u64 created_ns;
	__u64 last_seen_ns;
	__u64 packets;
	__u64 bytes;
	__u32 epoch; /* ebc_node.epoch when the frontends were last asked about this connection */
	__u32 pad1;
};
_Static_assert(sizeof(struct ebc_ct) == 88, "ebc_ct");

/* The shared global ebc_ct_load (map ebc_ctload_v1): entries of the two tables, about. */
struct ebc_ct_load {
	__u32 tcp;
	__u32 any;
};
_Static_assert(sizeof(struct ebc_ct_load) == 8, "ebc_ct_load");

/*
 * Value of ebc_return_v1, whose key is ebc_ct_key of a pod's answers to a client outside of the cluster that
 * asked the pod itself: the neighbour, and the device, by which its packets came.
 */
struct ebc_way_back {
	__u32 ifindex;
	__u8 peer_mac[6];
	__u8 own_mac[6];
};
_Static_assert(sizeof(struct ebc_way_back) == 16, "ebc_way_back");

/* Key of ebc_frag_v2: the fragments of one datagram. id is in network order (16 bits for IPv4). */
struct ebc_frag_key {
	struct ebc_addr src;
	struct ebc_addr dst;
	__be32 id;
	__u8 proto;
	__u8 pad0[3];
};
_Static_assert(sizeof(struct ebc_frag_key) == 40, "ebc_frag_key");

/* The ports of its first fragment; the later ones carry none. */
struct ebc_frag {
	__be16 sport;
	__be16 dport;
	__u8 ports; /* 0: it has none, as an ICMP message that is no query */
	__u8 pad0[3];
	__u64 time_ns; /* when it was seen, CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct ebc_frag) == 16, "ebc_frag");

#define EBC_HELD_SLOTS 48  /* a datagram of 64 KiB in fragments of 1,400 bytes */
#define EBC_FRAME_MAX 2048 /* of a fragment that can wait */

/* Key of ebc_held_v1: later fragments that wait for the first one. */
struct ebc_held_key {
	struct ebc_frag_key of;
	__u32 ifindex; /* where it arrived */
	__u32 slot;
};
_Static_assert(sizeof(struct ebc_held_key) == 48, "ebc_held_key");

struct ebc_held {
	__u64 time_ns; /* when it arrived, CLOCK_MONOTONIC */
	__u32 len;
	__u32 pad0;
	__u8 frame[EBC_FRAME_MAX];
};
_Static_assert(sizeof(struct ebc_held) == 2064, "ebc_held");

#endif
