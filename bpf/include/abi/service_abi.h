/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef EBC_SERVICE_ABI_H
#define EBC_SERVICE_ABI_H

#include "common_abi.h"

/* Who asks: traffic policies (internalTrafficPolicy, externalTrafficPolicy) may give each its own backends.
 */
enum ebc_scope {
	EBC_SCOPE_INTERNAL = 0, /* a pod or the node itself */
	EBC_SCOPE_EXTERNAL = 1, /* arrived over an uplink */
};

/* Key of ebc_svc_v1: one frontend. proto is the IP protocol number. */
struct ebc_svc_key {
	struct ebc_addr addr;
	__be16 port;
	__u8 proto;
	__u8 scope; /* enum ebc_scope */
};
_Static_assert(sizeof(struct ebc_svc_key) == 20, "ebc_svc_key");

enum ebc_svc_flags {
	EBC_SVC_DROP_EMPTY =
	    1 << 0, /* count 0 means silent drop (backends exist, none usable here), not refusal */
};

/*
 * Value of ebc_svc_v1. The backends are ebc_backend_v1[offset .. offset + count). A segment is written
 * completely before a frontend points to it and rests after the last frontend has left it, so what a reader
 * finds at offset + n is always a backend of this service. count 0: nobody serves it; refused at once.
 */
struct ebc_svc {
	__u32 offset;
	__u32 count;
	__u32 service_id;   /* one service port; stable across agent restarts */
	__u32 flags;	    /* enum ebc_svc_flags */
	__u32 affinity_sec; /* session affinity ClientIP: its time-out; 0 = none */
	__u32 pad0;
};
_Static_assert(sizeof(struct ebc_svc) == 24, "ebc_svc");

enum ebc_backend_flags {
	EBC_BACKEND_LOCAL = 1 << 0, /* on this node */
};

/* Element of ebc_backend_v1, one array of segments, mapped into the agent. */
struct ebc_backend {
	struct ebc_addr addr;
	__be16 port;
	__u16 flags;	  /* enum ebc_backend_flags */
	__u32 service_id; /* owner of the segment; lets a dump be checked without the frontends */
};
_Static_assert(sizeof(struct ebc_backend) == 24, "ebc_backend");

/* Key and value of ebc_sock_rev_v1: what address a socket asked for, found again from the backend that
 * answers. */
struct ebc_sock_rev_key {
	__u64 cookie;
	struct ebc_addr addr;
	__be16 port;
	__u16 pad0;
	__u32 pad1;
};
_Static_assert(sizeof(struct ebc_sock_rev_key) == 32, "ebc_sock_rev_key");

struct ebc_sock_rev {
	struct ebc_addr addr;
	__be16 port;
	__u16 pad0;
	__u32 service_id;
};
_Static_assert(sizeof(struct ebc_sock_rev) == 24, "ebc_sock_rev");

#endif
