/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_CONNTRACK_ABI_H
#define EBC_CONNTRACK_ABI_H

#include "common_abi.h"

/* A translated connection has two entries; each is found by the packet as it arrives, before translation. */
enum ebc_ct_dir {
	EBC_CT_FORWARD = 0, /* client -> frontend; xlate is the backend that replaces the destination */
	EBC_CT_REPLY = 1,   /* backend -> client; xlate is the frontend that replaces the source */
};

struct ebc_ct_key {
	struct ebc_addr src;
	struct ebc_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 dir; /* enum ebc_ct_dir */
	__u16 pad0;
};
_Static_assert(sizeof(struct ebc_ct_key) == 40, "ebc_ct_key");

enum ebc_ct_flags {
	EBC_CT_SEEN_REPLY = 1 << 0,
	EBC_CT_FIN_FORWARD = 1 << 1,
	EBC_CT_FIN_REPLY = 1 << 2,
	EBC_CT_RST = 1 << 3,
	EBC_CT_HAIRPIN =
	    1 << 4, /* the backend is the client itself: its source is hidden behind the gateway's address */
	EBC_CT_ESTABLISHED = 1 << 5, /* TCP: the client spoke again after the reply */
};

/* Times are CLOCK_MONOTONIC nanoseconds. flags and last_seen (exact to a second) of the forward
 * entry speak for the connection; packets and bytes count the entry's own direction. */
struct ebc_ct {
	struct ebc_addr xlate_addr;
	__be16 xlate_port;
	__u16 flags; /* enum ebc_ct_flags */
	__u32 service_id;
	__u64 created_ns;
	__u64 last_seen_ns;
	__u64 packets;
	__u64 bytes;
	__u32 backend_index; /* the backend's position in the service's segment */
	__u32 pad0;
};
_Static_assert(sizeof(struct ebc_ct) == 64, "ebc_ct");

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
