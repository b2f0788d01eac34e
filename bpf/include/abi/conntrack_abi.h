/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CONNTRACK_ABI_H
#define EBC_CONNTRACK_ABI_H

#include "common_abi.h"

/*
 * Key of ebc_ct_v2: a packet as it arrives, before translation. A translated connection has two entries, one
 * for what the client sends and one (EBC_CT_REPLY) for the answers; each is the mirror of what the other
 * makes of a packet. ICMP echo: the identifier is sport of a request and dport of a reply, the other port is
 * 0.
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
	EBC_CT_SEEN_REPLY = 1 << 1, /* somebody answered */
	EBC_CT_SERVICE = 1 << 2,    /* the destination was a frontend; else only the source is hidden */
	EBC_CT_MASQUERADE = 1 << 3, /* the client's source (or its port) is replaced */
	EBC_CT_FIN_FORWARD = 1 << 4,
	EBC_CT_FIN_REPLY = 1 << 5,
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
};

/* Times are CLOCK_MONOTONIC nanoseconds. flags, state and last_seen (exact to a second) are kept equal in
 * both entries; packets and bytes count the entry's own direction. */
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
};
_Static_assert(sizeof(struct ebc_ct) == 80, "ebc_ct");

/*
 * Value of ebc_return_v1, whose key is ebc_ct_key of a pod's answers to somebody outside who asked the pod
 * itself: from whom, and over which device, that came.
 */
struct ebc_way_back {
	__u32 ifindex;
	__u8 peer_mac[6];
	__u8 own_mac[6];
};
_Static_assert(sizeof(struct ebc_way_back) == 16, "ebc_way_back");

/* Key of ebc_frag_v1: the fragments of one datagram. id is in network order (16 bits for IPv4). */
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
};
_Static_assert(sizeof(struct ebc_frag) == 4, "ebc_frag");

#endif
